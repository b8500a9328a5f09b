/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protection of QUIC's Initial packets (RFC 9001 5, RFC 9369 3.3), by libcrypto.
 *
 * All contexts are made at set-up, so that taking protection off allocates nothing. The key
 * schedule is nine HMAC-SHA256 of one block each; it uses libcrypto's plain SHA-256 because an
 * EVP_MAC costs several times the hash itself for inputs this short.
 */
#define OPENSSL_API_COMPAT 10101 /* SHA256_Update() and its kin */

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "classifier/quic.h"

struct quic_version {
	uint32_t first, last; /* version numbers */
	uint8_t salt[20];
	const char *key, *iv, *hp; /* labels */
	uint8_t types[4];	   /* enum clf_quic_type by type bits */
};

#define TYPES_V1                                                                    \
	{                                                                           \
		CLF_QUIC_INITIAL, CLF_QUIC_0RTT, CLF_QUIC_HANDSHAKE, CLF_QUIC_RETRY \
	}
#define TYPES_V2                                                                    \
	{                                                                           \
		CLF_QUIC_RETRY, CLF_QUIC_INITIAL, CLF_QUIC_0RTT, CLF_QUIC_HANDSHAKE \
	}

enum { ROW_V1 = 0, ROW_DRAFT29 = 2 };

static const struct quic_version versions[] = {
	{ 0x00000001, 0x00000001,
	    { 0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8,
		0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a },
	    "quic key", "quic iv", "quic hp", TYPES_V1 },
	{ 0x6b3343cf, 0x6b3343cf,
	    { 0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26,
		0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9 },
	    "quicv2 key", "quicv2 iv", "quicv2 hp", TYPES_V2 },
	/* draft-29 to draft-32 */
	{ 0xff00001d, 0xff000020,
	    { 0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61,
		0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99 },
	    "quic key", "quic iv", "quic hp", TYPES_V1 },
	/* draft-33 and draft-34 have the salt of version 1 */
	{ 0xff000021, 0xff000022,
	    { 0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8,
		0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a },
	    "quic key", "quic iv", "quic hp", TYPES_V1 },
	/* draft-23 to draft-28 */
	{ 0xff000017, 0xff00001c,
	    { 0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4,
		0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02 },
	    "quic key", "quic iv", "quic hp", TYPES_V1 },
	/* Facebook's mvfst, by draft-22 */
	{ 0xfaceb001, 0xfaceb001,
	    { 0x7f, 0xbc, 0xdb, 0x0e, 0x7c, 0x66, 0xbb, 0xe9, 0x19, 0x3a, 0x96, 0xcd, 0x21, 0x51,
		0x9e, 0xbd, 0x7a, 0x02, 0x64, 0x4a },
	    "quic key", "quic iv", "quic hp", TYPES_V1 },
	/* Google's last two of their own: the hello is theirs, or TLS's */
	{ CLF_QUIC_Q050, CLF_QUIC_Q050,
	    { 0x50, 0x45, 0x74, 0xef, 0xd0, 0x66, 0xfe, 0x2f, 0x9d, 0x94, 0x5c, 0xfc, 0xdb, 0xd3,
		0xa7, 0xf0, 0xd3, 0xb5, 0x6b, 0x45 },
	    "quic key", "quic iv", "quic hp", TYPES_V1 },
	{ CLF_QUIC_T050, CLF_QUIC_T050,
	    { 0x7f, 0xf5, 0x79, 0xe5, 0xac, 0xd0, 0x72, 0x91, 0x55, 0x80, 0x30, 0x4c, 0x43, 0xa2,
		0x36, 0x7c, 0x60, 0x48, 0x83, 0x10 },
	    "quic key", "quic iv", "quic hp", TYPES_V1 },
	/* mvfst by draft-27 */
	{ 0xfaceb002, 0xfaceb002,
	    { 0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4,
		0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02 },
	    "quic key", "quic iv", "quic hp", TYPES_V1 },
};

enum { N_VERSIONS = sizeof(versions) / sizeof(versions[0]), LABEL_MAX = 40, HASH = 32 };

/* A key's two pads, hashed once. */
struct hmac_key {
	SHA256_CTX inner, outer;
};

/* HkdfLabel (RFC 8446 7.1) and the counter byte of HKDF-Expand's first and only round. */
struct label {
	uint8_t bytes[LABEL_MAX];
	uint8_t len, out_len;
};

struct clf_quic_crypto {
	EVP_CIPHER *gcm, *ecb;
	EVP_CIPHER_CTX *gcm_ctx, *ecb_ctx;
	struct hmac_key salts[N_VERSIONS];
	struct label client, server, key[N_VERSIONS], iv[N_VERSIONS], hp[N_VERSIONS];
};

static void
hmac_set(struct hmac_key *k, const uint8_t *key, size_t len)
{
	uint8_t pad[SHA256_CBLOCK];

	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] = (uint8_t)((i < len ? key[i] : 0) ^ 0x36);
	SHA256_Init(&k->inner);
	SHA256_Update(&k->inner, pad, sizeof(pad));
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36 ^ 0x5c;
	SHA256_Init(&k->outer);
	SHA256_Update(&k->outer, pad, sizeof(pad));
}

static void
hmac(const struct hmac_key *k, const uint8_t *data, size_t len, uint8_t out[HASH])
{
	SHA256_CTX ctx = k->inner;

	SHA256_Update(&ctx, data, len);
	SHA256_Final(out, &ctx);
	ctx = k->outer;
	SHA256_Update(&ctx, out, HASH);
	SHA256_Final(out, &ctx);
}

static void
label_set(struct label *l, const char *name, uint8_t out_len)
{
	static const char prefix[] = "tls13 ";
	size_t n = strlen(name), at = 0;

	l->bytes[at++] = 0;
	l->bytes[at++] = out_len;
	l->bytes[at++] = (uint8_t)(sizeof(prefix) - 1 + n);
	memcpy(l->bytes + at, prefix, sizeof(prefix) - 1);
	at += sizeof(prefix) - 1;
	memcpy(l->bytes + at, name, n);
	at += n;
	l->bytes[at++] = 0; /* no context */
	l->bytes[at++] = 1; /* T(1) */
	l->len = (uint8_t)at;
	l->out_len = out_len;
}

static void
expand(const struct hmac_key *secret, const struct label *l, uint8_t *out)
{
	uint8_t t[HASH];

	hmac(secret, l->bytes, l->len, t);
	memcpy(out, t, l->out_len);
}

struct clf_quic_crypto *
clf_quic_crypto_new(void)
{
	struct clf_quic_crypto *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->gcm = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
	c->ecb = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
	c->gcm_ctx = EVP_CIPHER_CTX_new();
	c->ecb_ctx = EVP_CIPHER_CTX_new();
	if (!c->gcm || !c->ecb || !c->gcm_ctx || !c->ecb_ctx ||
	    EVP_DecryptInit_ex2(c->gcm_ctx, c->gcm, NULL, NULL, NULL) != 1 ||
	    EVP_EncryptInit_ex2(c->ecb_ctx, c->ecb, NULL, NULL, NULL) != 1) {
		clf_quic_crypto_free(c);
		return NULL;
	}
	label_set(&c->client, "client in", HASH);
	label_set(&c->server, "server in", HASH);
	for (size_t i = 0; i < N_VERSIONS; i++) {
		hmac_set(&c->salts[i], versions[i].salt, sizeof(versions[i].salt));
		label_set(&c->key[i], versions[i].key, 16);
		label_set(&c->iv[i], versions[i].iv, 12);
		label_set(&c->hp[i], versions[i].hp, 16);
	}
	return c;
}

void
clf_quic_crypto_free(struct clf_quic_crypto *c)
{
	if (!c)
		return;
	EVP_CIPHER_CTX_free(c->gcm_ctx);
	EVP_CIPHER_CTX_free(c->ecb_ctx);
	EVP_CIPHER_free(c->gcm);
	EVP_CIPHER_free(c->ecb);
	free(c);
}

int
clf_quic_version_index(uint32_t version, unsigned nth)
{
	if ((version & 0x0f0f0f0f) == 0x0a0a0a0a)
		return nth == 0 ? ROW_V1 : nth == 1 ? ROW_DRAFT29 : -1;
	for (int i = 0; nth == 0 && i < N_VERSIONS; i++)
		if (version >= versions[i].first && version <= versions[i].last)
			return i;
	return -1;
}

enum clf_quic_type
clf_quic_packet_type(int version_index, uint8_t first_byte)
{
	return versions[version_index].types[(first_byte >> 4) & 3];
}

void
clf_quic_initial_keys(const struct clf_quic_crypto *c, int version_index, const uint8_t *dcid,
    size_t dcid_len, bool server, struct clf_quic_keys *ret)
{
	struct hmac_key k;
	uint8_t secret[HASH];

	hmac(&c->salts[version_index], dcid, dcid_len, secret); /* HKDF-Extract */
	hmac_set(&k, secret, sizeof(secret));
	expand(&k, server ? &c->server : &c->client, secret);
	hmac_set(&k, secret, sizeof(secret));
	expand(&k, &c->key[version_index], ret->key);
	expand(&k, &c->iv[version_index], ret->iv);
	expand(&k, &c->hp[version_index], ret->hp);
}

/* RFC 9000 A.3: the number nearest to the expected one with these low bits. */
static uint64_t
full_number(uint64_t expected, uint32_t truncated, unsigned bytes)
{
	const uint64_t window = 1ULL << (8 * bytes), half = window / 2;
	uint64_t n = (expected & ~(window - 1)) | truncated;

	if (n + half <= expected && n + window < (1ULL << 62))
		return n + window;
	if (n > expected + half && n >= window)
		return n - window;
	return n;
}

/* The tag must fit. AAD: the header as it was before its protection, given in three parts. */
static bool
open_payload(struct clf_quic_crypto *c, const uint8_t *nonce, const struct clf_quic_keys *keys,
    const struct clf_quic_packet *packet, const uint8_t first_and_number[5], unsigned pn_len,
    uint8_t *out)
{
	size_t head = packet->pn_off + pn_len;
	int len = (int)(packet->len - head - CLF_QUIC_TAG), n = 0;

	return EVP_DecryptInit_ex2(c->gcm_ctx, NULL, keys->key, nonce, NULL) == 1 &&
	       EVP_DecryptUpdate(c->gcm_ctx, NULL, &n, first_and_number, 1) == 1 &&
	       EVP_DecryptUpdate(c->gcm_ctx, NULL, &n, packet->p + 1, (int)packet->pn_off - 1) ==
		   1 &&
	       EVP_DecryptUpdate(c->gcm_ctx, NULL, &n, first_and_number + 1, (int)pn_len) == 1 &&
	       EVP_DecryptUpdate(c->gcm_ctx, out, &n, packet->p + head, len) == 1 &&
	       EVP_CIPHER_CTX_ctrl(c->gcm_ctx, EVP_CTRL_AEAD_SET_TAG, CLF_QUIC_TAG,
		   (void *)(uintptr_t)(packet->p + packet->len - CLF_QUIC_TAG)) == 1 &&
	       EVP_DecryptFinal_ex(c->gcm_ctx, out + n, &n) == 1;
}

bool
clf_quic_unprotect(struct clf_quic_crypto *c, const struct clf_quic_keys *keys,
    const struct clf_quic_packet *packet, uint8_t *out, size_t *ret_len, uint64_t *ret_number)
{
	uint8_t mask[16], first_and_number[5], nonce[12];
	uint32_t truncated = 0;
	unsigned pn_len;
	int n = 0;

	/* RFC 9001 5.4.2: the sample begins where a 4-byte number would end. */
	if (packet->pn_off < 7 || packet->len < packet->pn_off + 4 + CLF_QUIC_SAMPLE)
		return false;
	if (EVP_EncryptInit_ex2(c->ecb_ctx, NULL, keys->hp, NULL, NULL) != 1 ||
	    EVP_EncryptUpdate(c->ecb_ctx, mask, &n, packet->p + packet->pn_off + 4, 16) != 1)
		return false;
	first_and_number[0] = packet->p[0] ^ (mask[0] & 0x0f);
	pn_len = (first_and_number[0] & 3u) + 1;
	if (packet->len < packet->pn_off + pn_len + CLF_QUIC_TAG)
		return false;
	for (unsigned i = 0; i < pn_len; i++) {
		first_and_number[1 + i] = packet->p[packet->pn_off + i] ^ mask[1 + i];
		truncated = (truncated << 8) | first_and_number[1 + i];
	}
	*ret_number = full_number(packet->expected, truncated, pn_len);
	memcpy(nonce, keys->iv, sizeof(nonce));
	for (unsigned i = 0; i < 8; i++)
		nonce[11 - i] ^= (uint8_t)(*ret_number >> (8 * i));
	if (!open_payload(c, nonce, keys, packet, first_and_number, pn_len, out))
		return false;
	*ret_len = packet->len - packet->pn_off - pn_len - CLF_QUIC_TAG;
	return true;
}
