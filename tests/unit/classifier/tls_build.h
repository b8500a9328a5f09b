/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds TLS hellos and cuts them into records, for what no real client would send.
 */
#ifndef TESTS_UNIT_CLASSIFIER_TLS_BUILD_H
#define TESTS_UNIT_CLASSIFIER_TLS_BUILD_H

#include <stdlib.h>
#include <string.h>

#include "classifier/observe.h"

struct buf {
	uint8_t *data;
	size_t len, cap;
};

static inline void
put(struct buf *b, const void *p, size_t n)
{
	if (b->len + n > b->cap) {
		b->cap = (b->len + n) * 2;
		b->data = realloc(b->data, b->cap);
		if (!b->data)
			abort();
	}
	if (n)
		memcpy(b->data + b->len, p, n);
	b->len += n;
}

static inline void
put_be(struct buf *b, uint64_t v, unsigned bytes)
{
	while (bytes--) {
		uint8_t c = (uint8_t)(v >> (8 * bytes));

		put(b, &c, 1);
	}
}

/* A length field of `bytes` bytes at `at`, now that what follows it is there. */
static inline void
put_length(struct buf *b, size_t at, unsigned bytes)
{
	size_t n = b->len - at - bytes;

	for (unsigned i = 0; i < bytes; i++)
		b->data[at + i] = (uint8_t)(n >> (8 * (bytes - 1 - i)));
}

static inline void
buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}

struct hello_spec {
	const char *sni;	/* NULL: no extension */
	size_t sni_len;		/* 0: strlen(sni) */
	const char *second_sni; /* another name in the same list */
	const char *second_ext; /* another server_name extension */
	uint16_t ext_type;	/* one extension more, when ext */
	const uint8_t *ext;
	size_t ext_len;
	size_t pad; /* bytes of the padding extension, 0 none */
};

static inline void
put_sni(struct buf *b, const char *name, size_t len, const char *second)
{
	size_t ext, list;

	put_be(b, 0, 2);
	ext = b->len;
	put_be(b, 0, 2);
	list = b->len;
	put_be(b, 0, 2);
	put_be(b, 0, 1);
	put_be(b, len, 2);
	put(b, name, len);
	if (second) {
		put_be(b, 0, 1);
		put_be(b, strlen(second), 2);
		put(b, second, strlen(second));
	}
	put_length(b, list, 2);
	put_length(b, ext, 2);
}

/* A ClientHello message with its handshake header (RFC 8446 4.1.2). */
static inline void
put_hello(struct buf *b, const struct hello_spec *s)
{
	static const uint8_t fixed[] = { 0, 0, 4, 0x13, 0x01, 0xc0, 0x2f, 1, 0 };
	static const uint8_t versions[] = { 0, 43, 0, 5, 4, 3, 4, 3, 3 };
	uint8_t random[32];
	size_t msg, exts;

	memset(random, 0x5a, sizeof(random));
	put_be(b, 1, 1);
	msg = b->len;
	put_be(b, 0, 3);
	put_be(b, 0x0303, 2);
	put(b, random, sizeof(random));
	put(b, fixed, sizeof(fixed));
	exts = b->len;
	put_be(b, 0, 2);
	if (s->pad) {
		put_be(b, 21, 2);
		put_be(b, s->pad, 2);
		for (size_t i = 0; i < s->pad; i++)
			put_be(b, 0, 1);
	}
	if (s->sni)
		put_sni(b, s->sni, s->sni_len ? s->sni_len : strlen(s->sni), s->second_sni);
	put(b, versions, sizeof(versions));
	if (s->second_ext)
		put_sni(b, s->second_ext, strlen(s->second_ext), NULL);
	if (s->ext) {
		put_be(b, s->ext_type, 2);
		put_be(b, s->ext_len, 2);
		put(b, s->ext, s->ext_len);
	}
	put_length(b, exts, 2);
	put_length(b, msg, 3);
}

/* Handshake bytes in records of at most `size` bytes. */
static inline void
put_records(struct buf *b, const uint8_t *p, size_t len, size_t size)
{
	for (size_t at = 0; at < len; at += size) {
		size_t n = len - at < size ? len - at : size;

		put_be(b, 22, 1);
		put_be(b, 0x0301, 2);
		put_be(b, n, 2);
		put(b, p + at, n);
	}
}

#endif
