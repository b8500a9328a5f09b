/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS messages (RFC 1035; AAAA 3596; SVCB and HTTPS 9460). EDNS is passed over. Multicast DNS (RFC
 * 6762), whose class fields carry a flag, and LLMNR (RFC 4795) are read alike.
 */
#include "classifier/observe.h"

enum {
	DNS_HEAD = 12,
	DNS_POINTERS_MAX = 20,
	DNS_NAME_MAX = 255, /* RFC 1035 2.3.4: octets on the wire, root label included */
	DNS_QUESTIONS_MAX = 64,
	DNS_OPCODE_MAX = 6,
	SVCB_IPV4HINT = 4,
	SVCB_ECH = 5,
	SVCB_IPV6HINT = 6,
};

struct dns_reader {
	const uint8_t *start; /* of the message: pointers count from here */
	struct sig_bytes b;
};

/* Label bytes in presentation form (RFC 1035 5.1, RFC 4343 2.1). */
static uint8_t *
put_label(uint8_t *out, const uint8_t *p, uint8_t len)
{
	for (uint8_t i = 0; i < len; i++) {
		uint8_t c = p[i];

		if (c == '.' || c == '\\') {
			*out++ = '\\';
			*out++ = c;
		} else if (c > 0x20 && c < 0x7f) {
			*out++ = c;
		} else {
			*out++ = '\\';
			*out++ = (uint8_t)('0' + c / 100);
			*out++ = (uint8_t)('0' + c / 10 % 10);
			*out++ = (uint8_t)('0' + c % 10);
		}
	}
	return out;
}

/*
 * A name at the reader's cursor, which moves past it; `out` takes 1,024 bytes of presentation form
 * without the last dot. False: it breaks off, loops or is too long. Pointers may only go back to
 * before the labels that led to them, so a loop cannot be; they are counted all the same.
 */
static bool
read_name(struct dns_reader *r, uint8_t *out, size_t *ret_len)
{
	struct sig_bytes b = r->b;
	const uint8_t *floor = b.p; /* the next pointer must go below this */
	uint8_t *o = out;
	unsigned pointers = 0, octets = 1;
	bool jumped = false;

	for (;;) {
		uint8_t len = sig_bytes_u8(&b);
		const uint8_t *p;

		if (!sig_bytes_ok(&b))
			return false;
		if (len == 0)
			break;
		if ((len & 0xc0) == 0xc0) {
			size_t off = ((size_t)(len & 0x3f) << 8) | sig_bytes_u8(&b);

			if (!sig_bytes_ok(&b) || ++pointers > DNS_POINTERS_MAX || off < DNS_HEAD ||
			    off >= (size_t)(floor - r->start))
				return false;
			if (!jumped)
				r->b.p = b.p;
			jumped = true;
			b.p = floor = r->start + off;
			continue;
		}
		if (len & 0xc0)
			return false;
		p = sig_bytes_take(&b, len);
		octets += 1u + len;
		if (!p || octets > DNS_NAME_MAX)
			return false;
		if (o != out)
			*o++ = '.';
		o = put_label(o, p, len);
	}
	if (!jumped)
		r->b.p = b.p;
	*ret_len = (size_t)(o - out);
	return true;
}

/* Past a name that nobody wants to know. */
static bool
skip_name(struct dns_reader *r)
{
	for (;;) {
		uint8_t len = sig_bytes_u8(&r->b);

		if (!sig_bytes_ok(&r->b) || (len & 0xc0) == 0x40 || (len & 0xc0) == 0x80)
			return false;
		if ((len & 0xc0) == 0xc0)
			(void)sig_bytes_u8(&r->b);
		if (len == 0 || (len & 0xc0) != 0)
			return sig_bytes_ok(&r->b);
		if (!sig_bytes_skip(&r->b, len))
			return false;
	}
}

static bool
is_wanted(uint16_t kind)
{
	return kind == CLF_DNS_A || kind == CLF_DNS_AAAA || kind == CLF_DNS_CNAME ||
	       kind == CLF_DNS_SVCB || kind == CLF_DNS_HTTPS;
}

/* An answer's name: only the canonical form is kept, which then is the raw form too. */
static bool
read_answer_name(struct dns_reader *r, struct clf_name *ret)
{
	uint8_t text[4 * DNS_NAME_MAX + 4];
	size_t len = 0;

	if (!read_name(r, text, &len))
		return false;
	clf_name_set(ret, text, len);
	ret->raw = (const uint8_t *)ret->canonical;
	ret->raw_len = (uint16_t)(ret->len < 0 ? 0 : ret->len);
	return true;
}

static struct clf_dns_answer *
add_answer(struct clf_dns_msg *m, uint16_t kind, uint32_t ttl)
{
	struct clf_dns_answer *a = &m->answers[m->n_answers];

	if (m->n_answers == CLF_DNS_ANSWERS_MAX)
		return NULL;
	m->n_answers++;
	a->kind = kind;
	a->ttl = ttl;
	a->addr_len = 0;
	a->has_ech = false;
	a->target.raw = NULL;
	a->target.raw_len = 0;
	a->target.len = -1;
	a->target.canonical[0] = '\0';
	return a;
}

static void
copy_answer_name(struct clf_name *to, const struct clf_name *from)
{
	clf_name_copy(to, from);
	to->raw = (const uint8_t *)to->canonical;
}

static void
add_address(struct clf_dns_msg *m, const struct clf_name *owner, uint32_t ttl, const uint8_t *p,
    uint8_t len)
{
	struct clf_dns_answer *a = add_answer(m, len == 4 ? CLF_DNS_A : CLF_DNS_AAAA, ttl);

	if (!a)
		return;
	copy_answer_name(&a->owner, owner);
	memset(a->addr, 0, sizeof(a->addr));
	memcpy(a->addr, p, len);
	a->addr_len = len;
}

/* RFC 9460 2.2: priority, target, then keys in rising order. */
static bool
read_svcb(struct dns_reader *r, struct clf_dns_msg *m, const struct clf_name *owner,
    const struct clf_dns_answer *rr, const uint8_t *rdata_end)
{
	struct dns_reader in = { r->start, r->b };
	struct clf_dns_answer *a = add_answer(m, rr->kind, rr->ttl);
	struct clf_dns_answer unused;

	if (!a)
		a = &unused;
	copy_answer_name(&a->owner, owner);
	in.b.end = rdata_end;
	sig_bytes_u16(&in.b);
	if (!read_answer_name(&in, &a->target))
		return false;
	while (sig_bytes_left(&in.b) != 0) {
		uint16_t key = sig_bytes_u16(&in.b);
		uint16_t len = sig_bytes_u16(&in.b);
		const uint8_t *p = sig_bytes_take(&in.b, len);
		const uint8_t size = key == SVCB_IPV4HINT ? 4 : 16;

		if (!p)
			return false;
		if (key == SVCB_ECH)
			a->has_ech = true;
		if (key != SVCB_IPV4HINT && key != SVCB_IPV6HINT)
			continue;
		for (uint16_t i = 0; i + size <= len && m->n_answers < CLF_DNS_ANSWERS_MAX;
		     i = (uint16_t)(i + size))
			add_address(m, owner, rr->ttl, p + i, size);
	}
	return true;
}

static bool
read_record(struct dns_reader *r, struct clf_dns_msg *m)
{
	struct clf_name owner;
	struct clf_dns_answer rr;
	struct clf_dns_answer *a;
	struct dns_reader name = *r;
	uint16_t class, len;
	const uint8_t *rdata;

	if (!skip_name(r))
		return false;
	rr.kind = sig_bytes_u16(&r->b);
	class = sig_bytes_u16(&r->b);
	rr.ttl = sig_bytes_u32(&r->b);
	len = sig_bytes_u16(&r->b);
	if (!sig_bytes_ok(&r->b) || len > sig_bytes_left(&r->b))
		return false;
	rdata = r->b.p;
	if (rr.ttl > INT32_MAX) /* RFC 2181 8 */
		rr.ttl = 0;
	/* IN; mDNS sets the top bit to flush caches. */
	if ((class & 0x7fff) != 1 || !is_wanted(rr.kind))
		return sig_bytes_skip(&r->b, len);
	if (!read_answer_name(&name, &owner))
		return false;
	if ((rr.kind == CLF_DNS_A && len == 4) || (rr.kind == CLF_DNS_AAAA && len == 16)) {
		add_address(m, &owner, rr.ttl, rdata, (uint8_t)len);
	} else if (rr.kind == CLF_DNS_CNAME) {
		a = add_answer(m, rr.kind, rr.ttl);
		if (a) {
			struct dns_reader in = { r->start, r->b };

			in.b.end = rdata + len;
			copy_answer_name(&a->owner, &owner);
			if (!read_answer_name(&in, &a->target))
				return false;
		}
	} else if (rr.kind == CLF_DNS_SVCB || rr.kind == CLF_DNS_HTTPS) {
		if (!read_svcb(r, m, &owner, &rr, rdata + len))
			return false;
	}
	return sig_bytes_skip(&r->b, len);
}

static void
msg_clear(struct clf_dns_msg *m)
{
	m->id = 0;
	m->response = m->truncated = false;
	m->opcode = m->rcode = 0;
	m->qtype = m->qclass = m->n_questions = 0;
	m->have_qname = false;
	m->n_answers = 0;
}

static bool
read_question(struct dns_reader *r, struct clf_dns_msg *m, bool first)
{
	size_t len = 0;
	uint16_t type, class;

	if (first ? !read_name(r, m->raw_qname, &len) : !skip_name(r))
		return false;
	type = sig_bytes_u16(&r->b);
	class = sig_bytes_u16(&r->b);
	if (!sig_bytes_ok(&r->b))
		return false;
	if (first) {
		m->have_qname = true;
		m->qtype = type;
		m->qclass = class;
		clf_name_set(&m->qname, m->raw_qname, len);
	}
	return true;
}

enum clf_obs
clf_dns_message(struct sig_bytes message, struct clf_dns_msg *ret)
{
	struct dns_reader r = { message.p, message };
	uint16_t flags, answers, others;
	bool lying;

	msg_clear(ret);
	if (sig_bytes_left(&message) < DNS_HEAD)
		return CLF_OBS_NOT_MINE;
	ret->id = sig_bytes_u16(&r.b);
	flags = sig_bytes_u16(&r.b);
	ret->n_questions = sig_bytes_u16(&r.b);
	answers = sig_bytes_u16(&r.b);
	others = sig_bytes_u16(&r.b);
	lying = sig_bytes_u16(&r.b) + others + answers > (int)(sig_bytes_left(&r.b) / 11);
	ret->response = flags >> 15;
	ret->opcode = (flags >> 11) & 15;
	ret->truncated = (flags >> 9) & 1;
	ret->rcode = flags & 15;
	/* Bit 6 must be zero (RFC 1035 4.1.1, RFC 2535 6.1): cheap proof against other protocols.
	 */
	if (ret->opcode > DNS_OPCODE_MAX || ret->opcode == 3 || (flags & 0x40) ||
	    ret->n_questions > DNS_QUESTIONS_MAX || (!ret->response && ret->rcode != 0))
		return CLF_OBS_NOT_MINE;
	for (unsigned i = 0; i < ret->n_questions; i++)
		if (!read_question(&r, ret, i == 0))
			return lying || i == 0 ? CLF_OBS_NOT_MINE : CLF_OBS_BAD;
	/* Counts that cannot fit: a cut capture when the question was fine, else not DNS at all. */
	if (lying)
		return ret->have_qname && ret->qclass == 1 ? CLF_OBS_BAD : CLF_OBS_NOT_MINE;
	for (unsigned i = 0; i < answers && ret->n_answers < CLF_DNS_ANSWERS_MAX; i++)
		if (!read_record(&r, ret))
			return CLF_OBS_BAD;
	return CLF_OBS_DONE;
}
