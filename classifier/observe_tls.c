/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TLS client's hello: records joined, extensions read (RFC 8446 4.1.2, 6066 3, 7301, 9849).
 *
 * Order of reading is order of the stream, and a final answer for a prefix stays the answer for
 * every longer one: that is what makes the result independent of cuts.
 */
#include "classifier/observe_tls.h"

#include <string.h>

enum {
	HS_CLIENT_HELLO = 1,
	EXT_SERVER_NAME = 0,
	EXT_ALPN = 16,
	EXT_SUPPORTED_VERSIONS = 43,
	EXT_ECH = 0xfe0d,
	EXT_ESNI = 0xffce,
	HELLO_MIN = 41, /* version, random, three lengths, one suite, one compression method */
	RECORD_VERSION_MAX = 0x0f, /* high byte: Go takes all below 0x1000 for a first record */
};

static void
hello_clear(struct clf_tls_hello *h)
{
	h->need = 0;
	h->have_sni = h->ech = h->ech_grease = h->esni = false;
	h->two_names = h->sslv2 = false;
	h->version = 0;
	h->n_alpn = 0;
	h->hello = NULL;
	h->hello_len = h->consumed = h->hello_end = 0;
}

/* One host_name, or one more than there should be. */
static void
hello_add_name(struct clf_tls_hello *h, const uint8_t *p, size_t len)
{
	if (!h->have_sni) {
		clf_name_set(&h->sni, p, len);
		h->have_sni = true;
	} else {
		clf_name_set(&h->sni2, p, len);
		h->two_names = true;
	}
}

/* RFC 6066 3. An empty host_name is no name. */
static bool
read_server_name(struct clf_tls_hello *h, struct sig_bytes ext)
{
	struct sig_bytes list = sig_bytes_sub(&ext, sig_bytes_u16(&ext));

	while (sig_bytes_left(&list) != 0) {
		uint8_t type = sig_bytes_u8(&list);
		uint16_t len = sig_bytes_u16(&list);
		const uint8_t *name = sig_bytes_take(&list, len);

		if (!name)
			return false;
		if (type == 0 && len != 0)
			hello_add_name(h, name, len);
	}
	return sig_bytes_ok(&list) && sig_bytes_ok(&ext) && sig_bytes_left(&ext) == 0;
}

static bool
read_alpn(struct clf_tls_hello *h, struct sig_bytes ext)
{
	struct sig_bytes list = sig_bytes_sub(&ext, sig_bytes_u16(&ext));

	h->n_alpn = 0;
	while (sig_bytes_left(&list) != 0) {
		uint8_t len = sig_bytes_u8(&list);
		const uint8_t *p = sig_bytes_take(&list, len);

		if (!p)
			return false;
		if (h->n_alpn < CLF_ALPN_MAX) {
			h->alpn[h->n_alpn].p = p;
			h->alpn[h->n_alpn++].len = len;
		}
	}
	return sig_bytes_ok(&list);
}

/* The highest of the versions we know; GREASE and drafts do not count. */
static bool
read_versions(struct clf_tls_hello *h, struct sig_bytes ext)
{
	struct sig_bytes list = sig_bytes_sub(&ext, sig_bytes_u8(&ext));
	uint16_t best = 0;

	while (sig_bytes_left(&list) >= 2) {
		uint16_t v = sig_bytes_u16(&list);

		if (v >= 0x0300 && v <= 0x0304 && v > best)
			best = v;
	}
	if (best != 0)
		h->version = best;
	return sig_bytes_ok(&list);
}

/* Length of an HPKE encapsulated key by KEM is unknown to us: only the config id is sent. So any
 * length that some registered KEM has is possible (RFC 9180 7.1, RFC 9849 10). */
static bool
ech_key_possible(uint16_t len)
{
	return len == 0 || len == 32 || len == 56 || len == 65 || len == 97 || len == 133 ||
	       len >= 768;
}

static bool
read_ech(struct clf_tls_hello *h, struct sig_bytes ext)
{
	uint8_t type = sig_bytes_u8(&ext);
	uint16_t kdf, aead, enc_len, payload_len;

	h->ech = true;
	if (type != 0) { /* "inner" has no place in a hello on the wire */
		h->ech_grease = true;
		return true;
	}
	kdf = sig_bytes_u16(&ext);
	aead = sig_bytes_u16(&ext);
	sig_bytes_u8(&ext); /* config id */
	enc_len = sig_bytes_u16(&ext);
	sig_bytes_skip(&ext, enc_len);
	payload_len = sig_bytes_u16(&ext);
	sig_bytes_skip(&ext, payload_len);
	/* An inner hello has at least 2 + 32 + 1 + 4 + 2 + 2 bytes before its 16-byte tag. */
	if (!sig_bytes_ok(&ext) || kdf == 0 || kdf > 3 || aead == 0 || aead > 3 ||
	    !ech_key_possible(enc_len) || payload_len < 43 + 16)
		h->ech_grease = true;
	return true;
}

static bool
read_extension(struct clf_tls_hello *h, uint16_t type, struct sig_bytes ext)
{
	switch (type) {
	case EXT_SERVER_NAME: return read_server_name(h, ext);
	case EXT_ALPN: return read_alpn(h, ext);
	case EXT_SUPPORTED_VERSIONS: return read_versions(h, ext);
	case EXT_ECH: return read_ech(h, ext);
	case EXT_ESNI: h->esni = true; return true;
	default: return true;
	}
}

/* Extensions up to the end, or up to the first that is not all there. False: lengths disagree. */
static bool
read_extensions(struct clf_tls_hello *h, struct sig_bytes exts, bool whole)
{
	bool good = true;

	while (sig_bytes_left(&exts) != 0) {
		uint16_t type = sig_bytes_u16(&exts);
		struct sig_bytes ext = sig_bytes_sub(&exts, sig_bytes_u16(&exts));

		if (!sig_bytes_ok(&exts))
			return !whole;
		if (!read_extension(h, type, ext))
			good = false;
	}
	return good;
}

/* The body behind the handshake header. False: it breaks its own lengths. */
static bool
read_hello(struct clf_tls_hello *h, const uint8_t *body, uint32_t len, bool whole)
{
	struct sig_bytes b = sig_bytes_of(body, len), exts;
	uint16_t n;

	h->version = sig_bytes_u16(&b);
	sig_bytes_skip(&b, 32);
	sig_bytes_skip(&b, sig_bytes_u8(&b));
	sig_bytes_skip(&b, sig_bytes_u16(&b));
	sig_bytes_skip(&b, sig_bytes_u8(&b));
	if (!sig_bytes_ok(&b))
		return !whole;
	if (sig_bytes_left(&b) == 0)
		return true; /* RFC 5246 7.4.1.2: extensions may be absent */
	n = sig_bytes_u16(&b);
	if (!whole && n > sig_bytes_left(&b))
		n = (uint16_t)sig_bytes_left(&b);
	exts = sig_bytes_sub(&b, n);
	if (!sig_bytes_ok(&b))
		return !whole;
	return read_extensions(h, exts, whole) && (!whole || sig_bytes_left(&b) == 0);
}

static bool
read_whole(struct clf_tls_hello *h, const uint8_t *body, uint32_t len)
{
	h->hello = body;
	h->hello_len = len;
	return read_hello(h, body, len, true);
}

/* RFC 5246 E.2: 2-byte header with the high bit set, CLIENT-HELLO, version, three lengths. */
static enum clf_obs
read_sslv2(struct sig_bytes s, struct clf_tls_hello *h)
{
	size_t have = sig_bytes_left(&s);
	uint16_t head, ciphers, session, challenge, version;

	h->need = 11;
	if (have > 2 && s.p[2] != HS_CLIENT_HELLO)
		return CLF_OBS_NOT_MINE;
	if (have > 3 && s.p[3] != 3 && s.p[3] != 0)
		return CLF_OBS_NOT_MINE;
	if (have < h->need)
		return CLF_OBS_MORE;
	head = sig_bytes_u16(&s) & 0x7fff;
	sig_bytes_u8(&s);
	version = sig_bytes_u16(&s);
	ciphers = sig_bytes_u16(&s);
	session = sig_bytes_u16(&s);
	challenge = sig_bytes_u16(&s);
	if ((version >> 8 != 3 && version != 2) || ciphers == 0 || ciphers % 3 != 0 ||
	    (session != 0 && session != 16) || challenge < 16 || challenge > 32 ||
	    head != 9 + ciphers + session + challenge)
		return CLF_OBS_NOT_MINE;
	h->need = 2u + head;
	if (have < h->need)
		return CLF_OBS_MORE;
	h->sslv2 = true;
	h->version = version;
	h->consumed = h->hello_end = h->need;
	return CLF_OBS_DONE;
}

/* The handshake bytes at the joiner's cursor: a hello? */
static enum clf_obs
read_joined(struct clf_tls_joiner *j, struct clf_tls_hello *ret)
{
	enum clf_obs obs = clf_tls_join(j, 1, &ret->need);
	uint32_t len;

	if (obs != CLF_OBS_DONE)
		return obs;
	if (j->msg[0] != HS_CLIENT_HELLO)
		return CLF_OBS_NOT_MINE;
	obs = clf_tls_join(j, CLF_TLS_HANDSHAKE_HEAD, &ret->need);
	if (obs != CLF_OBS_DONE)
		return obs;
	len = ((uint32_t)j->msg[1] << 16) | ((uint32_t)j->msg[2] << 8) | j->msg[3];
	if (len > CLF_JOIN_MAX - CLF_TLS_HANDSHAKE_HEAD)
		return j->odd_version ? CLF_OBS_NOT_MINE : CLF_OBS_BAD;
	if (j->odd_version) { /* little was known of the record, so the hello must look like one */
		obs = clf_tls_join(j, CLF_TLS_HANDSHAKE_HEAD + 1, &ret->need);
		if (obs != CLF_OBS_DONE)
			return obs;
		if (len < HELLO_MIN || j->msg[CLF_TLS_HANDSHAKE_HEAD] != 3)
			return CLF_OBS_NOT_MINE;
	}
	obs = clf_tls_join(j, CLF_TLS_HANDSHAKE_HEAD + len, &ret->need);
	if (obs != CLF_OBS_DONE)
		return obs;
	ret->hello_end = clf_tls_join_offset(j, CLF_TLS_HANDSHAKE_HEAD + len, &ret->consumed);
	if (!read_whole(ret, j->msg + CLF_TLS_HANDSHAKE_HEAD, len))
		return CLF_OBS_BAD;
	return CLF_OBS_DONE;
}

enum clf_obs
clf_tls_client_hello(struct sig_bytes stream, uint8_t *join, struct clf_tls_hello *ret)
{
	struct clf_tls_joiner j;

	hello_clear(ret);
	if (sig_bytes_left(&stream) != 0 && (stream.p[0] & 0x80))
		return read_sslv2(stream, ret);
	clf_tls_join_init(&j, stream, join);
	j.any_version = true;
	return read_joined(&j, ret);
}

enum clf_obs
clf_tls_next_hello(struct sig_bytes stream, uint32_t open, uint8_t *join, struct clf_tls_hello *ret)
{
	struct clf_tls_joiner j;

	hello_clear(ret);
	clf_tls_join_init(&j, stream, join);
	if (open != 0)
		clf_tls_join_open(&j, open);
	return read_joined(&j, ret);
}

enum clf_obs
clf_tls_client_hello_msg(struct sig_bytes msg, struct clf_tls_hello *ret)
{
	size_t have = sig_bytes_left(&msg);
	uint32_t len;

	hello_clear(ret);
	ret->need = CLF_TLS_HANDSHAKE_HEAD;
	if (have > 0 && msg.p[0] != HS_CLIENT_HELLO)
		return CLF_OBS_NOT_MINE;
	if (have < CLF_TLS_HANDSHAKE_HEAD)
		return CLF_OBS_MORE;
	sig_bytes_u8(&msg);
	len = sig_bytes_u24(&msg);
	if (len > CLF_JOIN_MAX - CLF_TLS_HANDSHAKE_HEAD)
		return CLF_OBS_BAD;
	ret->need = CLF_TLS_HANDSHAKE_HEAD + len;
	if (have < ret->need)
		return CLF_OBS_MORE;
	ret->consumed = ret->hello_end = ret->need;
	return read_whole(ret, msg.p, len) ? CLF_OBS_DONE : CLF_OBS_BAD;
}

bool
clf_tls_partial_msg(struct sig_bytes msg, struct clf_tls_hello *ret)
{
	hello_clear(ret);
	if (sig_bytes_at(&msg, 0) != HS_CLIENT_HELLO ||
	    !sig_bytes_skip(&msg, CLF_TLS_HANDSHAKE_HEAD))
		return false;
	return read_hello(ret, msg.p, (uint32_t)sig_bytes_left(&msg), false) && ret->have_sni;
}

bool
clf_tls_partial_hello(struct sig_bytes stream, uint8_t *join, struct clf_tls_hello *ret)
{
	struct clf_tls_joiner j;
	uint32_t need;

	clf_tls_join_init(&j, stream, join);
	/* More than can be there: all there is, up to what is no handshake record any more. */
	(void)clf_tls_join(&j, CLF_JOIN_MAX, &need);
	return clf_tls_partial_msg(sig_bytes_of(j.msg, j.msg_len), ret);
}

/* --- records --- */

void
clf_tls_join_init(struct clf_tls_joiner *j, struct sig_bytes stream, uint8_t *join)
{
	*j = (struct clf_tls_joiner){ .stream = stream, .start = stream.p, .join = join };
}

/* Appends a record's handshake bytes; the first record is not copied. What goes past the scratch
 * is left out: no message that may be asked for reaches that far. */
static void
join_append(struct clf_tls_joiner *j, const uint8_t *p, uint32_t len)
{
	uint32_t room = CLF_JOIN_MAX - j->msg_len;

	j->left_out = len > room ? len - room : 0;
	len -= j->left_out;
	if (j->msg_len == 0) {
		j->msg = p;
	} else if (len != 0) {
		if (j->msg != j->join) {
			memcpy(j->join, j->msg, j->msg_len);
			j->msg = j->join;
		}
		memcpy(j->join + j->msg_len, p, len);
	}
	j->msg_len += len;
}

/* The least prefix with `want` handshake bytes: what the open record still lacks, then at least
 * one header and the rest. */
static uint32_t
join_need(const struct clf_tls_joiner *j, uint32_t want)
{
	uint32_t have = (uint32_t)(j->stream.end - j->start);
	uint32_t rest = want - j->msg_len;

	if (j->at_header)
		return (uint32_t)(j->stream.p - j->start) + CLF_TLS_RECORD_HEAD + rest;
	if (rest <= j->record_left)
		return have + rest;
	return have + rest + CLF_TLS_RECORD_HEAD;
}

/* One record header at the cursor. MORE leaves the cursor where it was. */
static enum clf_obs
join_header(struct clf_tls_joiner *j, uint32_t *ret_len)
{
	struct sig_bytes *s = &j->stream;
	const enum clf_obs refuse = j->first_seen ? CLF_OBS_BAD : CLF_OBS_NOT_MINE;
	size_t have = sig_bytes_left(s);
	uint8_t type;

	j->at_header = true;
	if (have == 0)
		return CLF_OBS_MORE;
	type = s->p[0];
	if (type != CLF_TLS_HANDSHAKE && (type != CLF_TLS_CCS || j->stop_at_ccs)) {
		j->stop_type = type;
		return refuse;
	}
	if (have > 1 && s->p[1] != 3 && (!j->any_version || s->p[1] > RECORD_VERSION_MAX))
		return refuse;
	if (have < CLF_TLS_RECORD_HEAD)
		return CLF_OBS_MORE;
	*ret_len = ((uint32_t)s->p[3] << 8) | s->p[4];
	if (*ret_len > CLF_TLS_RECORD_MAX || (type == CLF_TLS_CCS && *ret_len > 1))
		return refuse;
	/* A dummy ChangeCipherSpec (RFC 8446 D.4) may stand between; empty records may not, but
	 * servers pass over them. Counted, so that nobody makes us walk over thousands. */
	if (type == CLF_TLS_CCS || *ret_len == 0) {
		if (++j->empty > CLF_TLS_EMPTY_MAX)
			return refuse;
	} else {
		j->empty = 0;
	}
	j->odd_version |= !j->first_seen && s->p[1] != 3;
	sig_bytes_skip(s, CLF_TLS_RECORD_HEAD);
	j->at_header = false;
	if (type == CLF_TLS_CCS) {
		j->stop_type = CLF_TLS_CCS;
		return CLF_OBS_DONE;
	}
	j->stop_type = 0;
	j->first_seen |= *ret_len != 0;
	return CLF_OBS_DONE;
}

/* What the prefix holds of a record with `len` handshake bytes. */
static void
join_record(struct clf_tls_joiner *j, uint32_t len)
{
	size_t left = sig_bytes_left(&j->stream);
	uint32_t part = len < left ? len : (uint32_t)left;

	if (j->stop_type != CLF_TLS_CCS)
		join_append(j, j->stream.p, part);
	sig_bytes_skip(&j->stream, part);
	j->record_left = len - part;
}

void
clf_tls_join_open(struct clf_tls_joiner *j, uint32_t len)
{
	j->first_seen = true;
	join_record(j, len);
}

enum clf_obs
clf_tls_join(struct clf_tls_joiner *j, uint32_t want, uint32_t *ret_need)
{
	if (want > CLF_JOIN_MAX)
		return CLF_OBS_BAD;
	while (j->msg_len < want) {
		uint32_t len = 0;
		enum clf_obs obs;

		if (j->record_left != 0) /* the prefix ended inside the last record */
			break;
		obs = join_header(j, &len);
		if (obs == CLF_OBS_MORE)
			break;
		if (obs != CLF_OBS_DONE)
			return obs;
		join_record(j, len);
	}
	if (j->msg_len >= want)
		return CLF_OBS_DONE;
	*ret_need = join_need(j, want);
	return CLF_OBS_MORE;
}

uint32_t
clf_tls_join_offset(const struct clf_tls_joiner *j, uint32_t n, uint32_t *ret_record_end)
{
	uint32_t past = j->msg_len - n; /* handshake bytes of the last record beyond the n-th */
	uint32_t at = (uint32_t)(j->stream.p - j->start);

	*ret_record_end = at + j->record_left;
	return at - j->left_out - past;
}
