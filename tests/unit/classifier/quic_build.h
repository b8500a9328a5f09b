/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A QUIC client in little: protects Initials, so that tests can cut and shuffle hellos. Written on
 * EVP alone, apart from the code under test.
 */
#ifndef TESTS_UNIT_CLASSIFIER_QUIC_BUILD_H
#define TESTS_UNIT_CLASSIFIER_QUIC_BUILD_H

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "tests/unit/classifier/tls_build.h"

struct quic_side {
	uint32_t version;
	uint8_t key[16], iv[12], hp[16];
	uint8_t dcid[20], scid[20];
	uint8_t dcid_len, scid_len;
	bool clear_fixed_bit;
};

static inline void
quic_label(const uint8_t secret[32], const char *label, uint8_t len, uint8_t *out)
{
	uint8_t info[64] = { 0, len, (uint8_t)(6 + strlen(label)) };
	uint8_t full[32];
	size_t n = 9 + strlen(label);

	memcpy(info + 3, "tls13 ", 6);
	memcpy(info + 9, label, strlen(label));
	info[n++] = 0;
	info[n++] = 1;
	HMAC(EVP_sha256(), secret, 32, info, n, full, NULL);
	memcpy(out, full, len);
}

/* Keys from `cid`; the packets carry it as their Destination Connection ID until changed. */
static inline void
quic_side_init(struct quic_side *s, uint32_t version, const uint8_t *cid, uint8_t len)
{
	static const uint8_t v1[] = "\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c"
				    "\xad\xcc\xbb\x7f\x0a";
	static const uint8_t v2[] = "\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d"
				    "\xcb\xf9\xbd\x2e\xd9";
	const int is_v2 = version == 0x6b3343cf;
	uint8_t secret[32];

	memset(s, 0, sizeof(*s));
	s->version = version;
	HMAC(EVP_sha256(), is_v2 ? v2 : v1, 20, cid, len, secret, NULL);
	quic_label(secret, "client in", 32, secret);
	quic_label(secret, is_v2 ? "quicv2 key" : "quic key", 16, s->key);
	quic_label(secret, is_v2 ? "quicv2 iv" : "quic iv", 12, s->iv);
	quic_label(secret, is_v2 ? "quicv2 hp" : "quic hp", 16, s->hp);
	memcpy(s->dcid, cid, len);
	s->dcid_len = len;
}

static inline void
put_varint(struct buf *b, uint64_t v)
{
	if (v < 64)
		put_be(b, v, 1);
	else if (v < 16384)
		put_be(b, v | 0x4000, 2);
	else
		put_be(b, v | 0x80000000u, 4);
}

static inline void
put_crypto_frame(struct buf *b, uint64_t off, const uint8_t *p, size_t len)
{
	put_be(b, 6, 1);
	put_varint(b, off);
	put_varint(b, len);
	put(b, p + off, len);
}

/* One protected Initial with a packet number of two bytes; `type_bits` as in the version. */
static inline void
put_initial(struct buf *b, const struct quic_side *s, uint16_t number, const struct buf *payload)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	size_t head = b->len, pn, body;
	uint8_t nonce[12], mask[16], tag[16];
	int n;

	put_be(b, (s->version == 0x6b3343cf ? 0xd1 : 0xc1) & (s->clear_fixed_bit ? ~0x40 : ~0), 1);
	put_be(b, s->version, 4);
	put_be(b, s->dcid_len, 1);
	put(b, s->dcid, s->dcid_len);
	put_be(b, s->scid_len, 1);
	put(b, s->scid, s->scid_len);
	put_be(b, 0, 1);
	if (payload->len + 18 < 16384)
		put_be(b, (payload->len + 18) | 0x4000, 2);
	else
		put_be(b, (payload->len + 18) | 0x80000000u, 4);
	pn = b->len;
	put_be(b, number, 2);
	body = b->len;
	memcpy(nonce, s->iv, 12);
	nonce[10] ^= (uint8_t)(number >> 8);
	nonce[11] ^= (uint8_t)number;
	put(b, payload->data, payload->len);
	EVP_EncryptInit_ex2(ctx, EVP_aes_128_gcm(), s->key, nonce, NULL);
	EVP_EncryptUpdate(ctx, NULL, &n, b->data + head, (int)(body - head));
	EVP_EncryptUpdate(ctx, b->data + body, &n, payload->data, (int)payload->len);
	EVP_EncryptFinal_ex(ctx, NULL, &n);
	EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag);
	put(b, tag, 16);
	EVP_CIPHER_CTX_reset(ctx);
	EVP_EncryptInit_ex2(ctx, EVP_aes_128_ecb(), s->hp, NULL, NULL);
	EVP_EncryptUpdate(ctx, mask, &n, b->data + pn + 4, 16);
	b->data[head] ^= mask[0] & 15;
	b->data[pn] ^= mask[1];
	b->data[pn + 1] ^= mask[2];
	EVP_CIPHER_CTX_free(ctx);
}

#endif
