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

enum { BODY_MAX = 4096 };

static void
put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t ethertypes[] = { 0x8847, 0x8864, 0x880b, 0x88a8 };
	static const uint16_t ports[] = { 4789, 6081, 2152, 37008 };
	static const uint8_t protocols[] = { 47, 4, 41, 51 };
	struct sig_bytes in = sig_bytes_of(data, size);
	uint8_t kind = sig_bytes_u8(&in) % 12, head[14 + 20 + 8] = { 0 };
	size_t n = sig_bytes_left(&in), at = 14;

	if (n > BODY_MAX)
		return 0;
	if (kind < 4) {
		put16(head + 12, ethertypes[kind]);
	} else {
		put16(head + 12, 0x0800);
		head[14] = 0x45;
		put16(head + 16, 20 + (kind < 8 ? 0 : 8) + n);
		head[23] = kind < 8 ? protocols[kind - 4] : 17;
		at += 20;
		if (kind >= 8) {
			put16(head + 36, ports[kind - 8]);
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
	if (kind >= 4 && p.depth == 0 && p.parse == CLF_P_OK && kind >= 8 && p.protocol != 17)
		abort(); /* not taken for a tunnel, so it must be the datagram that it is */
	free(frame);
	return 0;
}
