/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of decrypted Initials, and the CRYPTO stream that they make. Beside it runs the slowest
 * stream one can write, a byte and a flag each: both must agree on prefix, end and conflict.
 */
#include <stdlib.h>

#include "classifier/quic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t bytes[CLF_QUIC_SMALL], plain[CLF_QUIC_SMALL];
static uint64_t seen[CLF_QUIC_SMALL / 64];
static bool known[CLF_QUIC_SMALL];

static bool
put_plain(uint64_t off, const uint8_t *p, size_t len, bool *conflict)
{
	if (off > CLF_QUIC_SMALL || len > CLF_QUIC_SMALL - off)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (known[off + i])
			*conflict |= plain[off + i] != p[i];
		else
			plain[off + i] = p[i];
		known[off + i] = true;
	}
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct clf_quic_stream s = { .data = bytes, .seen = seen, .cap = CLF_QUIC_SMALL };
	struct sig_bytes payload = sig_bytes_of(data, size), chunk;
	uint64_t off = 0;
	uint32_t have = 0, top = CLF_QUIC_SMALL;
	bool conflict = false;

	memset(seen, 0, sizeof(seen));
	memset(known, 0, sizeof(known));
	while (clf_quic_next_crypto(&payload, &off, &chunk) == CLF_QUIC_FRAME_CRYPTO) {
		size_t len = sig_bytes_left(&chunk);

		if (clf_quic_stream_put(&s, off, chunk.p, len) !=
		    put_plain(off, chunk.p, len, &conflict))
			abort();
	}
	while (have < CLF_QUIC_SMALL && known[have])
		have++;
	while (top > 0 && !known[top - 1])
		top--;
	if (s.have != have || s.top != top || s.conflict != conflict ||
	    (have && memcmp(bytes, plain, have) != 0))
		abort();
	return 0;
}
