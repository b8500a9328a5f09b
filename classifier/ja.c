/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fingerprints of a ClientHello: JA3 (github.com/salesforce/ja3) and JA4 (github.com/FoxIO-LLC/ja4,
 * technical_details/JA4.md). Neither counts GREASE values (RFC 8701).
 *
 * Digests come from libcrypto's plain functions: they need no context from the heap.
 */
#define OPENSSL_API_COMPAT 10101 /* MD5_Update(), SHA256_Update() */

#include <errno.h>
#include <openssl/md5.h>
#include <openssl/sha.h>

#include "classifier/observe.h"

enum {
	EXT_SERVER_NAME = 0,
	EXT_GROUPS = 10,
	EXT_POINT_FORMATS = 11,
	EXT_SIGNATURES = 13,
	EXT_ALPN = 16,
	EXT_VERSIONS = 43,
	JA4_LIST_MAX = 256, /* beyond: no real client; sorting must stay cheap */
};

/* The parts of a hello that both look at. Empty where absent. */
struct parts {
	uint16_t version;
	struct sig_bytes ciphers, exts, groups, formats, signatures, versions;
	struct sig_bytes alpn; /* the first protocol */
	bool have_name;
};

static bool
is_grease(uint16_t v)
{
	return (v & 0x0f0f) == 0x0a0a && v >> 8 == (v & 0xff);
}

/* A list that follows its own length of 1 or 2 bytes. */
static struct sig_bytes
inner_list(struct sig_bytes b, unsigned length_bytes)
{
	return sig_bytes_sub(&b, length_bytes == 1 ? sig_bytes_u8(&b) : sig_bytes_u16(&b));
}

static void
take_extension(struct parts *p, uint16_t type, struct sig_bytes ext)
{
	switch (type) {
	case EXT_SERVER_NAME: p->have_name = true; break;
	case EXT_GROUPS: p->groups = inner_list(ext, 2); break;
	case EXT_POINT_FORMATS: p->formats = inner_list(ext, 1); break;
	case EXT_SIGNATURES: p->signatures = inner_list(ext, 2); break;
	case EXT_VERSIONS: p->versions = inner_list(ext, 1); break;
	case EXT_ALPN: p->alpn = inner_list(inner_list(ext, 2), 1); break;
	default: break;
	}
}

static int
split(const struct clf_tls_hello *h, struct parts *p)
{
	struct sig_bytes b = sig_bytes_of(h->hello, h->hello_len), exts;

	*p = (struct parts){ 0 };
	if (!h->hello)
		return -EINVAL;
	p->version = sig_bytes_u16(&b);
	sig_bytes_skip(&b, 32);
	sig_bytes_skip(&b, sig_bytes_u8(&b));
	p->ciphers = sig_bytes_sub(&b, sig_bytes_u16(&b));
	sig_bytes_skip(&b, sig_bytes_u8(&b));
	if (!sig_bytes_ok(&b))
		return -EINVAL;
	if (sig_bytes_left(&b) == 0)
		return 0;
	p->exts = exts = sig_bytes_sub(&b, sig_bytes_u16(&b));
	while (sig_bytes_left(&exts) != 0) {
		uint16_t type = sig_bytes_u16(&exts);
		struct sig_bytes ext = sig_bytes_sub(&exts, sig_bytes_u16(&exts));

		if (!sig_bytes_ok(&exts))
			return -EINVAL;
		take_extension(p, type, ext);
	}
	return 0;
}

/* The type of the next extension that is no GREASE, or -1. */
static int
next_extension(struct sig_bytes *exts)
{
	while (sig_bytes_left(exts) != 0) {
		uint16_t type = sig_bytes_u16(exts);

		sig_bytes_skip(exts, sig_bytes_u16(exts));
		if (!is_grease(type))
			return type;
	}
	return -1;
}

static int
next_u16(struct sig_bytes *list)
{
	while (sig_bytes_left(list) >= 2) {
		uint16_t v = sig_bytes_u16(list);

		if (!is_grease(v))
			return v;
	}
	return -1;
}

static int
next_u8(struct sig_bytes *list)
{
	return sig_bytes_left(list) ? sig_bytes_u8(list) : -1;
}

static void
put_hex(char *out, const uint8_t *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = '\0';
}

/* --- JA3 --- */

static void
md5_decimal(MD5_CTX *md5, unsigned v, char before)
{
	char text[8];
	size_t at = sizeof(text);

	do {
		text[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	if (before)
		text[--at] = before;
	MD5_Update(md5, text + at, sizeof(text) - at);
}

static void
md5_list(MD5_CTX *md5, struct sig_bytes list, int (*next)(struct sig_bytes *))
{
	char before = 0;

	MD5_Update(md5, ",", 1);
	for (int v = next(&list); v >= 0; v = next(&list)) {
		md5_decimal(md5, (unsigned)v, before);
		before = '-';
	}
}

int
clf_ja3(const struct clf_tls_hello *h, char out[33])
{
	struct parts p;
	MD5_CTX md5;
	uint8_t digest[MD5_DIGEST_LENGTH];
	int r = split(h, &p);

	if (r < 0)
		return r;
	MD5_Init(&md5);
	md5_decimal(&md5, p.version, 0);
	md5_list(&md5, p.ciphers, next_u16);
	md5_list(&md5, p.exts, next_extension);
	md5_list(&md5, p.groups, next_u16);
	md5_list(&md5, p.formats, next_u8);
	MD5_Final(digest, &md5);
	put_hex(out, digest, sizeof(digest));
	return 0;
}

/* --- JA4 --- */

struct list {
	unsigned n;
	uint16_t v[JA4_LIST_MAX];
};

static int
gather(struct list *l, struct sig_bytes b, int (*next)(struct sig_bytes *))
{
	l->n = 0;
	for (int v = next(&b); v >= 0; v = next(&b)) {
		if (l->n == JA4_LIST_MAX)
			return -E2BIG;
		l->v[l->n++] = (uint16_t)v;
	}
	return 0;
}

static void
sort(struct list *l)
{
	for (unsigned i = 1; i < l->n; i++) {
		uint16_t v = l->v[i];
		unsigned k = i;

		for (; k > 0 && l->v[k - 1] > v; k--)
			l->v[k] = l->v[k - 1];
		l->v[k] = v;
	}
}

static void
sha_list(SHA256_CTX *sha, const struct list *l, char first)
{
	for (unsigned i = 0; i < l->n; i++) {
		char text[6];
		uint8_t be[2] = { (uint8_t)(l->v[i] >> 8), (uint8_t)l->v[i] };

		text[0] = i ? ',' : first;
		put_hex(text + 1, be, 2);
		SHA256_Update(sha, text[0] ? text : text + 1, text[0] ? 5 : 4);
	}
}

static void
sha_end(SHA256_CTX *sha, char *out12)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	char hex[13];

	SHA256_Final(digest, sha);
	put_hex(hex, digest, 6);
	memcpy(out12, hex, 12);
}

static const char *
version_text(const struct parts *p)
{
	struct sig_bytes list = p->versions;
	int best = p->version;

	if (sig_bytes_left(&list) >= 2) {
		best = -1;
		for (int v = next_u16(&list); v >= 0; v = next_u16(&list))
			if (v > best)
				best = v;
	}
	switch (best) {
	case 0x0304: return "13";
	case 0x0303: return "12";
	case 0x0302: return "11";
	case 0x0301: return "10";
	case 0x0300: return "s3";
	case 0x0002: return "s2";
	default: return "00";
	}
}

static bool
is_alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* First and last character of the first protocol; of its hex form where they are not letters. */
static void
put_alpn(char out[2], const struct sig_bytes *alpn)
{
	size_t n = sig_bytes_left(alpn);
	char first[3], last[3];

	out[0] = out[1] = '0';
	if (n == 0)
		return;
	if (is_alnum(alpn->p[0]) && is_alnum(alpn->p[n - 1])) {
		out[0] = (char)alpn->p[0];
		out[1] = (char)alpn->p[n - 1];
		return;
	}
	put_hex(first, alpn->p, 1);
	put_hex(last, alpn->p + n - 1, 1);
	out[0] = first[0];
	out[1] = last[1];
}

static void
put_count(char out[2], unsigned n)
{
	if (n > 99)
		n = 99;
	out[0] = (char)('0' + n / 10);
	out[1] = (char)('0' + n % 10);
}

/* Extensions sorted, without the two that vary with the server; then signatures as they stand. */
static void
put_extensions(char *out12, struct list *exts, const struct list *signatures)
{
	unsigned n = 0;
	SHA256_CTX sha;

	if (exts->n == 0) {
		memset(out12, '0', 12);
		return;
	}
	for (unsigned i = 0; i < exts->n; i++)
		if (exts->v[i] != EXT_SERVER_NAME && exts->v[i] != EXT_ALPN)
			exts->v[n++] = exts->v[i];
	exts->n = n;
	sort(exts);
	SHA256_Init(&sha);
	sha_list(&sha, exts, 0);
	sha_list(&sha, signatures, '_');
	sha_end(&sha, out12);
}

int
clf_ja4(const struct clf_tls_hello *h, bool quic, char out[37])
{
	struct list ciphers, exts, signatures;
	struct parts p;
	SHA256_CTX sha;
	int r = split(h, &p);

	if (r < 0)
		return r;
	if (gather(&ciphers, p.ciphers, next_u16) < 0 ||
	    gather(&exts, p.exts, next_extension) < 0 ||
	    gather(&signatures, p.signatures, next_u16) < 0)
		return -E2BIG;
	out[0] = quic ? 'q' : 't';
	memcpy(out + 1, version_text(&p), 2);
	out[3] = p.have_name ? 'd' : 'i';
	put_count(out + 4, ciphers.n);
	put_count(out + 6, exts.n);
	put_alpn(out + 8, &p.alpn);
	out[10] = '_';
	sort(&ciphers);
	SHA256_Init(&sha);
	sha_list(&sha, &ciphers, 0);
	sha_end(&sha, out + 11);
	if (ciphers.n == 0)
		memset(out + 11, '0', 12);
	out[23] = '_';
	put_extensions(out + 24, &exts, &signatures);
	out[36] = '\0';
	return 0;
}
