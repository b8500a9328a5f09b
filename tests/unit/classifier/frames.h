/* SPDX-License-Identifier: Apache-2.0 */
/* Building frames by hand for the tests of this layer: append headers, then close lengths. */
#ifndef TESTS_UNIT_CLASSIFIER_FRAMES_H
#define TESTS_UNIT_CLASSIFIER_FRAMES_H

#include <stdint.h>
#include <string.h>

#include "classifier/pkt.h"

struct fb { /* frame builder */
	uint8_t data[4096];
	uint32_t len;
};

static inline void
fb_add(struct fb *b, const void *bytes, uint32_t n)
{
	if (n != 0)
		memcpy(b->data + b->len, bytes, n);
	b->len += n;
}

static inline void
fb_16(struct fb *b, uint16_t v)
{
	fb_add(b, (uint8_t[]){ (uint8_t)(v >> 8), (uint8_t)v }, 2);
}

static inline void
fb_32(struct fb *b, uint32_t v)
{
	fb_16(b, (uint16_t)(v >> 16));
	fb_16(b, (uint16_t)v);
}

static inline void
fb_zero(struct fb *b, uint32_t n)
{
	memset(b->data + b->len, 0, n);
	b->len += n;
}

static inline void
fb_eth(struct fb *b, uint16_t type)
{
	fb_add(b, "\x02\0\0\0\0\x02\x02\0\0\0\0\x01", 12);
	fb_16(b, type);
}

static inline uint16_t
fb_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static inline uint32_t
fb_sum(const uint8_t *p, uint32_t n, uint32_t sum)
{
	for (uint32_t i = 0; i < n; i++)
		sum += (uint32_t)p[i] << (i & 1 ? 0 : 8);
	return sum;
}

/* IPv4 10.0.0.1 -> 10.0.0.2 with `body` bytes to follow; frag: the flags and offset word. */
static inline void
fb_ip4(struct fb *b, uint8_t protocol, uint32_t body, uint16_t id, uint16_t frag)
{
	uint32_t at = b->len;

	fb_add(b, "\x45\0", 2);
	fb_16(b, (uint16_t)(20 + body));
	fb_16(b, id);
	fb_16(b, frag);
	fb_add(b, (uint8_t[]){ 64, protocol, 0, 0 }, 4);
	fb_add(b, "\x0a\0\0\x01\x0a\0\0\x02", 8);
	uint16_t sum = fb_fold(fb_sum(b->data + at, 20, 0));
	b->data[at + 10] = (uint8_t)(sum >> 8);
	b->data[at + 11] = (uint8_t)sum;
}

/* IPv6 2001:db8::1 -> 2001:db8::2 */
static inline void
fb_ip6(struct fb *b, uint8_t next, uint32_t body)
{
	fb_32(b, 0x60000000);
	fb_16(b, (uint16_t)body);
	fb_add(b, (uint8_t[]){ next, 63 }, 2);
	fb_add(b, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
	fb_add(b, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02", 16);
}

static inline void
fb_tcp(struct fb *b, uint8_t flags, uint32_t seq, const void *payload, uint32_t n)
{
	fb_16(b, 40000);
	fb_16(b, 443);
	fb_32(b, seq);
	fb_32(b, 7);
	fb_add(b, (uint8_t[]){ 0x50, flags, 0x10, 0x00, 0, 0, 0, 0 }, 8);
	fb_add(b, payload, n);
}

static inline void
fb_udp(struct fb *b, uint16_t dst_port, uint32_t n)
{
	fb_16(b, 40000);
	fb_16(b, dst_port);
	fb_16(b, (uint16_t)(8 + n));
	fb_16(b, 0);
}

static inline struct clf_frame
fb_frame(const struct fb *b, uint8_t link)
{
	return (
	    struct clf_frame){ .data = b->data, .len = b->len, .wire_len = b->len, .link = link };
}

#endif
