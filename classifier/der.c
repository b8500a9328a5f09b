/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names out of an X.509 certificate: subject, issuer, CN and dNSNames (RFC 5280 4.1, 4.2.1.6).
 */
#include "classifier/der.h"

enum {
	DER_INTEGER = 0x02,
	DER_OCTETS = 0x04,
	DER_OID = 0x06,
	DER_BMP = 0x1e,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
	DER_VERSION = 0xa0,    /* [0] of a TBSCertificate */
	DER_EXTENSIONS = 0xa3, /* [3] of a TBSCertificate */
	DER_DNS_NAME = 0x82,   /* [2] of a GeneralName */
	DER_BOOLEAN = 0x01,
	ATTRIBUTES_MAX = 16, /* of one distinguished name */
};

struct tlv {
	uint8_t tag;
	struct sig_bytes value;
};

/* X.690 8.1: one-byte tags and definite lengths of up to four bytes. */
static bool
next_tlv(struct sig_bytes *b, struct tlv *ret)
{
	uint32_t len;
	uint8_t first;

	ret->tag = sig_bytes_u8(b);
	first = sig_bytes_u8(b);
	len = first;
	if (first & 0x80) {
		unsigned n = first & 0x7f;

		if (n == 0 || n > 4)
			return false;
		for (len = 0; n > 0; n--)
			len = (len << 8) | sig_bytes_u8(b);
	}
	ret->value = sig_bytes_sub(b, len);
	return sig_bytes_ok(b) && (ret->tag & 0x1f) != 0x1f;
}

static bool
expect(struct sig_bytes *b, uint8_t tag, struct sig_bytes *ret)
{
	struct tlv t;

	if (!next_tlv(b, &t) || t.tag != tag)
		return false;
	*ret = t.value;
	return true;
}

/* --- distinguished names as one line --- */

struct attribute {
	const char *label;
	uint8_t tag;
	struct sig_bytes value;
};

/* Label of an attribute type 2.5.4.x (X.520), or NULL. */
static const char *
attribute_label(struct sig_bytes oid)
{
	if (sig_bytes_left(&oid) != 3 || oid.p[0] != 0x55 || oid.p[1] != 0x04)
		return NULL;
	switch (oid.p[2]) {
	case 3: return "CN";
	case 6: return "C";
	case 7: return "L";
	case 8: return "ST";
	case 10: return "O";
	case 11: return "OU";
	default: return NULL;
	}
}

static unsigned
read_attributes(struct sig_bytes name, struct attribute *attrs)
{
	unsigned n = 0;
	struct sig_bytes set, pair, oid;

	while (n < ATTRIBUTES_MAX && sig_bytes_left(&name) != 0) {
		if (!expect(&name, DER_SET, &set))
			break;
		while (n < ATTRIBUTES_MAX && sig_bytes_left(&set) != 0) {
			struct tlv value;

			if (!expect(&set, DER_SEQUENCE, &pair) || !expect(&pair, DER_OID, &oid) ||
			    !next_tlv(&pair, &value))
				return n;
			attrs[n].label = attribute_label(oid);
			attrs[n].tag = value.tag;
			attrs[n].value = value.value;
			n += attrs[n].label != NULL;
		}
	}
	return n;
}

struct line {
	char *out;
	size_t at, cap;
};

static void
line_put(struct line *l, const char *p, size_t n)
{
	for (size_t i = 0; i < n && l->at + 1 < l->cap; i++)
		l->out[l->at++] = p[i];
	l->out[l->at] = '\0';
}

static void
line_put_value(struct line *l, const struct attribute *a)
{
	const size_t step = a->tag == DER_BMP ? 2 : 1;
	size_t n = sig_bytes_left(&a->value);

	for (size_t i = 0; i + step <= n; i += step) {
		uint8_t c = a->value.p[i + step - 1];
		char shown = c >= 0x20 && c < 0x7f ? (char)c : '?';

		if (step == 2 && a->value.p[i] != 0)
			shown = '?';
		line_put(l, &shown, 1);
	}
}

/* Most specific first, as RFC 4514 prints them: the certificate has them the other way. */
static void
name_line(const struct attribute *attrs, unsigned n, char *out, size_t cap)
{
	struct line l = { out, 0, cap };

	out[0] = '\0';
	while (n-- > 0) {
		if (l.at != 0)
			line_put(&l, ", ", 2);
		line_put(&l, attrs[n].label, strlen(attrs[n].label));
		line_put(&l, "=", 1);
		line_put_value(&l, &attrs[n]);
	}
}

/* --- host names --- */

/* A name, or "*." and a name. Others are left out. */
static void
add_host(struct clf_tls_server *s, struct sig_bytes raw)
{
	size_t n = sig_bytes_left(&raw);
	const bool wild = n > 2 && raw.p[0] == '*' && raw.p[1] == '.';
	struct clf_name *name = &s->names[s->n_names];

	if (s->n_names == CLF_CERT_NAMES_MAX || n == 0 || n > SIG_NAME_MAX)
		return;
	clf_name_set(name, raw.p + (wild ? 2 : 0), n - (wild ? 2 : 0));
	if (name->len < 0)
		return;
	if (wild) {
		if (name->len + 2 > SIG_NAME_MAX)
			return;
		memmove(name->canonical + 2, name->canonical, (size_t)name->len + 1);
		memcpy(name->canonical, "*.", 2);
		name->len = (int16_t)(name->len + 2);
		name->raw = raw.p;
		name->raw_len = (uint16_t)n;
	}
	for (unsigned i = 0; i < s->n_names; i++)
		if (clf_name_equal(&s->names[i], name))
			return;
	s->n_names++;
}

static bool
is_alt_name(struct sig_bytes oid) /* 2.5.29.17 */
{
	return sig_bytes_left(&oid) == 3 && oid.p[0] == 0x55 && oid.p[1] == 0x1d &&
	       oid.p[2] == 0x11;
}

static void
read_alt_names(struct clf_tls_server *s, struct sig_bytes octets)
{
	struct sig_bytes list;
	struct tlv t;

	if (!expect(&octets, DER_SEQUENCE, &list))
		return;
	while (sig_bytes_left(&list) != 0 && next_tlv(&list, &t))
		if (t.tag == DER_DNS_NAME)
			add_host(s, t.value);
}

static void
read_extensions(struct clf_tls_server *s, struct sig_bytes outer)
{
	struct sig_bytes list, ext, oid;

	if (!expect(&outer, DER_SEQUENCE, &list))
		return;
	while (sig_bytes_left(&list) != 0 && expect(&list, DER_SEQUENCE, &ext)) {
		struct tlv t;

		if (!expect(&ext, DER_OID, &oid) || !next_tlv(&ext, &t))
			return;
		if (t.tag == DER_BOOLEAN && !next_tlv(&ext, &t)) /* critical */
			return;
		if (t.tag == DER_OCTETS && is_alt_name(oid))
			read_alt_names(s, t.value);
	}
}

bool
clf_certificate(struct sig_bytes der, struct clf_tls_server *ret)
{
	struct attribute attrs[ATTRIBUTES_MAX];
	struct sig_bytes cert, tbs, issuer, subject;
	struct tlv t;
	unsigned n;

	if (!expect(&der, DER_SEQUENCE, &cert) || !expect(&cert, DER_SEQUENCE, &tbs) ||
	    !next_tlv(&tbs, &t))
		return false;
	if (t.tag == DER_VERSION && !next_tlv(&tbs, &t))
		return false;
	if (t.tag != DER_INTEGER || !next_tlv(&tbs, &t) /* algorithm */ ||
	    !expect(&tbs, DER_SEQUENCE, &issuer) || !next_tlv(&tbs, &t) /* validity */ ||
	    !expect(&tbs, DER_SEQUENCE, &subject))
		return false;
	n = read_attributes(issuer, attrs);
	name_line(attrs, n, ret->issuer, sizeof(ret->issuer));
	n = read_attributes(subject, attrs);
	name_line(attrs, n, ret->subject, sizeof(ret->subject));
	for (unsigned i = 0; i < n; i++)
		if (strcmp(attrs[i].label, "CN") == 0)
			add_host(ret, attrs[i].value);
	while (sig_bytes_left(&tbs) != 0 && next_tlv(&tbs, &t))
		if (t.tag == DER_EXTENSIONS)
			read_extensions(ret, t.value);
	return true;
}
