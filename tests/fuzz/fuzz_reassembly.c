/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Differential: any sequence of segments goes to the stream and to a model of it in a few lines (a
 * byte array where the first to come wins). After every step both must show the same prefix.
 * A record is {what, offset (2 bytes), length (2 bytes), filler}.
 */
#include <stdlib.h>
#include <string.h>

#include "classifier/parse.h"
#include "classifier/reassembly.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SPACE = 1 << 17, ISN = 0xffff0000u, SYN = 2, ACK = 16 };

struct model {
	uint8_t bytes[SPACE];
	bool there[SPACE];
	uint32_t start, end; /* of the prefix; what lies before start was consumed */
};

static struct clf_pkt
segment(const uint8_t *bytes, uint32_t off, uint32_t len)
{
	return (struct clf_pkt){ .data = bytes,
		.len = len,
		.payload_len = (uint16_t)len,
		.payload_wire = (uint16_t)len,
		.parse = CLF_P_OK,
		.ip_version = 4,
		.protocol = 6,
		.tcp_flags = ACK,
		.ttl = 64,
		.seq = ISN + 1 + off,
		.l4_csum = CLF_CSUM_GOOD };
}

static void
compare(const struct clf_stream *s, const struct model *m)
{
	struct sig_bytes v = clf_stream_view(s), other = clf_stream_other(s);

	if (sig_bytes_left(&v) != m->end - m->start)
		abort();
	if (m->end != m->start && memcmp(v.p, m->bytes + m->start, m->end - m->start) != 0)
		abort();
	if (sig_bytes_left(&other) != 0 && sig_bytes_left(&other) != sig_bytes_left(&v))
		abort();
}

static void
step(struct clf_stream_pool *pool, struct clf_stream *s, struct model *m, struct sig_bytes *in)
{
	uint8_t what = sig_bytes_u8(in);
	uint32_t off = sig_bytes_u16(in), len = sig_bytes_u16(in) % 5000u;
	uint8_t filler = sig_bytes_u8(in);
	uint8_t *bytes = malloc(len + 1);

	if (bytes == NULL)
		return;
	for (uint32_t i = 0; i < len; i++) /* mostly the same bytes at the same place */
		bytes[i] = filler < 250 ? (uint8_t)((off + i) * 13 >> 2) : filler;
	struct clf_pkt pkt = segment(bytes, off, len);
	if ((what & 7) == 7) {
		uint32_t n = len < m->end - m->start ? len : m->end - m->start;
		clf_stream_consume(pool, s, n);
		m->start += n;
	} else {
		if (what & 8)
			(void)clf_stream_push_borrow(pool, s, &pkt, false);
		else
			(void)clf_stream_push(pool, s, &pkt, false);
		for (uint32_t i = off; i < off + len; i++) {
			if (i < m->start || m->there[i])
				continue;
			m->bytes[i] = bytes[i - off];
			m->there[i] = true;
		}
		while (m->there[m->end])
			m->end++;
	}
	compare(s, m);
	if (!clf_stream_keep(pool, s))
		abort();
	compare(s, m);
	(void)clf_stream_flags(s);
	free(bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sig_bytes in = sig_bytes_of(data, size);
	static struct clf_stream_pool *pool; /* kept: making one costs more than a run */
	static struct model *m;

	if (pool == NULL)
		pool = clf_stream_pool_new(4 << 20, 1);
	if (m == NULL)
		m = malloc(sizeof *m);
	if (pool == NULL || m == NULL)
		return 0;
	memset(m, 0, sizeof *m);
	struct clf_stream *s = clf_stream_open(pool);

	if (s != NULL) {
		struct clf_pkt syn = segment(data, 0, 0);
		struct clf_pkt wide = syn; /* an answer that opens the whole space */
		syn.seq = ISN;
		syn.tcp_flags = SYN;
		syn.wscale = 15;
		clf_stream_syn(s, &syn);
		wide.tcp_flags = SYN | ACK;
		wide.wscale = 15;
		wide.ack = ISN + 1;
		clf_stream_acked(s, &wide);
		wide.tcp_flags = ACK;
		wide.window = 0xffff;
		clf_stream_acked(s, &wide);
		for (unsigned n = 0; sig_bytes_left(&in) >= 6 && n < 500; n++)
			step(pool, s, m, &in);
	}
	clf_stream_close(pool, s);
	return 0;
}
