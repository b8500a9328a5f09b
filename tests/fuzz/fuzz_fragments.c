/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fragments of two datagrams, as the input says: each record is {which, offset / 8 (2 bytes), more,
 * length (2 bytes), first byte}; a fragment's bytes are taken from a fixed text at its offset,
 * except that a first byte other than 0 is put in front. A datagram that comes out must be one that
 * was sent: with no foreign byte, it is the text.
 */
#include <stdlib.h>
#include <string.h>

#include "classifier/fragments.h"
#include "classifier/parse.h"
#include "signatures/base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t text[65536 + 2048];

static void
push(struct clf_frags *f, bool v6, uint32_t off, bool more, uint32_t len, uint8_t first,
    uint64_t now, bool *clean)
{
	uint32_t head = v6 ? 48 : 20;
	uint8_t *frame = calloc(1, head + len);
	struct clf_pkt pkt, whole;
	uint64_t token;

	if (frame == NULL)
		return;
	frame[0] = v6 ? 0x60 : 0x45;
	frame[v6 ? 6 : 9] = v6 ? 44 : 253; /* a protocol for experiments: nothing reads inside */
	uint32_t total = v6 ? len + 8 : len + 20;
	frame[v6 ? 4 : 2] = (uint8_t)(total >> 8);
	frame[v6 ? 5 : 3] = (uint8_t)total;
	if (v6) {
		frame[40] = 253;
		frame[42] = (uint8_t)(off >> 8);
		frame[43] = (uint8_t)(off | more);
	} else {
		frame[6] = (uint8_t)((more ? 0x20 : 0) | off >> 11);
		frame[7] = (uint8_t)(off >> 3);
	}
	memcpy(frame + head, text + off, len);
	if (first != 0 && len != 0) {
		frame[head] = first;
		clean[v6] = clean[v6] && first == text[off];
	}
	struct clf_frame fr = {
		.data = frame, .len = head + len, .wire_len = head + len, .link = CLF_LINK_RAW_IP
	};
	clf_parse_frame(&fr, 0, &pkt);
	if (pkt.parse == CLF_P_FRAGMENT && clf_frags_push(f, &pkt, now, &whole, &token) == 1) {
		if (whole.parse != CLF_P_OK || whole.payload_len != whole.payload_wire)
			abort();
		if (clean[v6] && memcmp(clf_pkt_payload(&whole), text, whole.payload_len) != 0)
			abort();
	}
	free(frame);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sig_bytes in = sig_bytes_of(data, size);
	struct clf_frags *f = clf_frags_new(2, 1000000, 1);
	bool clean[2] = { true, true };

	if (f == NULL)
		return 0;
	for (size_t i = 0; text[1] == 0 && i < sizeof text; i++)
		text[i] = (uint8_t)(i * 7 + (i >> 8) + 1);
	for (uint64_t now = 1; sig_bytes_left(&in) >= 7 && now < 200; now++) {
		uint8_t which = sig_bytes_u8(&in);
		uint32_t off = sig_bytes_u16(&in) % 8192u * 8;
		uint8_t more = sig_bytes_u8(&in) & 1;
		uint32_t len = sig_bytes_u16(&in) % 2048u;
		push(f, which & 1, off, more, len, sig_bytes_u8(&in), now * 1000, clean);
		if (which & 0x80)
			(void)clf_frags_expire(f, now * 100000);
	}
	clf_frags_free(f);
	return 0;
}
