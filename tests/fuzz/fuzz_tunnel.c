/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encapsulations with everything around them right: the first byte chooses one, the rest is its
 * header and what it carries. The outer headers are made here, so that mutation reaches inside.
 */
#include <stdlib.h>
#include <string.h>

#include "classifier/parse.h"
#include "signatures/base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MAX = 4096, FIRST_KINDS = 12, LATER_KINDS = 240 };

/* The first twelve are chosen by any byte below 240, so that the corpus keeps its meaning. */
static const struct {
	enum { ETHERTYPE, PROTOCOL, PORT } field;
	uint16_t value;
} kinds[] = {
	{ ETHERTYPE, 0x8847 },
	{ ETHERTYPE, 0x8864 },
	{ ETHERTYPE, 0x880b },
	{ ETHERTYPE, 0x88a8 },
	{ PROTOCOL, 47 },
	{ PROTOCOL, 4 },
	{ PROTOCOL, 41 },
	{ PROTOCOL, 51 },
	{ PORT, 4789 },
	{ PORT, 6081 },
	{ PORT, 2152 },
	{ PORT, 37008 },
	{ ETHERTYPE, 0x894f },
	{ ETHERTYPE, 0x8926 },
	{ ETHERTYPE, 0x8909 },
	{ ETHERTYPE, 0x892f },
	{ ETHERTYPE, 0x88e5 },
	{ PORT, 4790 },
	{ PORT, 8472 },
	{ PORT, 1701 },
};

static void
put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sig_bytes in = sig_bytes_of(data, size);
	uint8_t first = sig_bytes_u8(&in), head[14 + 20 + 8] = { 0 };
	size_t kind = first < LATER_KINDS ? first % FIRST_KINDS : first - LATER_KINDS + FIRST_KINDS;
	size_t n = sig_bytes_left(&in), at = 14;

	if (n > BODY_MAX || kind >= sizeof(kinds) / sizeof(kinds[0]))
		return 0;
	if (kinds[kind].field == ETHERTYPE) {
		put16(head + 12, kinds[kind].value);
	} else {
		bool udp = kinds[kind].field == PORT;

		put16(head + 12, 0x0800);
		head[14] = 0x45;
		put16(head + 16, 20 + (udp ? 8 : 0) + n);
		head[23] = udp ? 17 : (uint8_t)kinds[kind].value;
		at += 20;
		if (udp) {
			put16(head + 36, kinds[kind].value);
			put16(head + 38, 8 + n);
			at += 8;
		}
	}
	uint8_t *frame = malloc(at + n); /* of the exact size, for the sanitizer */
	if (frame == NULL)
		return 0;
	memcpy(frame, head, at);
	if (n != 0)
		memcpy(frame + at, in.p, n);
	uint32_t len = (uint32_t)(at + n);
	struct clf_frame f = { .data = frame, .len = len, .wire_len = len };
	struct clf_pkt p;
	clf_parse_frame(&f, CLF_PARSE_TUNNELS, &p);
	if (p.parse <= CLF_P_FRAGMENT && (uint32_t)p.payload_off + p.payload_len > len)
		abort();
	if (kinds[kind].field == PORT && p.depth == 0 && p.parse == CLF_P_OK && p.protocol != 17)
		abort(); /* not taken for a tunnel, so it must be the datagram that it is */
	free(frame);
	return 0;
}
