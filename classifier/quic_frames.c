/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of an Initial packet, and the CRYPTO stream put together from them in any order
 * (RFC 9000 16, 19).
 */
#include "classifier/quic.h"

enum {
	FRAME_PADDING = 0x00,
	FRAME_PING = 0x01,
	FRAME_ACK = 0x02,
	FRAME_ACK_ECN = 0x03,
	FRAME_CRYPTO = 0x06,
	FRAME_CRYPTO_GOOGLE = 0x08,
	FRAME_CLOSE = 0x1c,
};

uint64_t
clf_quic_varint(struct sig_bytes *b)
{
	uint8_t first = sig_bytes_u8(b);
	unsigned more = (1u << (first >> 6)) - 1;
	uint64_t v = first & 0x3f;

	while (more--)
		v = (v << 8) | sig_bytes_u8(b);
	return sig_bytes_ok(b) ? v : 0;
}

/* Most of a client's first datagram is this. */
static void
skip_padding(struct sig_bytes *b)
{
	uint64_t word;

	while (sig_bytes_left(b) >= sizeof(word)) {
		memcpy(&word, b->p, sizeof(word));
		if (word != 0)
			return;
		sig_bytes_skip(b, sizeof(word));
	}
}

static void
skip_ack(struct sig_bytes *b, bool ecn)
{
	uint64_t ranges;

	clf_quic_varint(b); /* largest */
	clf_quic_varint(b); /* delay */
	ranges = clf_quic_varint(b);
	clf_quic_varint(b); /* first range */
	/* Each range takes two bytes at least, so the payload bounds the loop. */
	for (uint64_t i = 0; i < ranges && sig_bytes_ok(b); i++) {
		clf_quic_varint(b);
		clf_quic_varint(b);
	}
	for (unsigned i = 0; ecn && i < 3; i++)
		clf_quic_varint(b);
}

static void
skip_close(struct sig_bytes *b)
{
	uint64_t len;

	clf_quic_varint(b); /* error */
	clf_quic_varint(b); /* frame type */
	len = clf_quic_varint(b);
	sig_bytes_skip(b, len);
}

enum clf_quic_frame
clf_quic_next_crypto(struct sig_bytes *payload, uint64_t *ret_off, struct sig_bytes *ret_data)
{
	uint64_t len;

	while (sig_bytes_left(payload) != 0) {
		/* All frame types here are one byte; a longer spelling is not allowed (12.4). */
		switch (sig_bytes_u8(payload)) {
		case FRAME_PADDING: skip_padding(payload); break;
		case FRAME_PING: break;
		case FRAME_ACK: skip_ack(payload, false); break;
		case FRAME_ACK_ECN: skip_ack(payload, true); break;
		case FRAME_CLOSE: skip_close(payload); break;
		case FRAME_CRYPTO:
			*ret_off = clf_quic_varint(payload);
			len = clf_quic_varint(payload);
			*ret_data = sig_bytes_sub(payload, len);
			if (sig_bytes_ok(payload))
				return CLF_QUIC_FRAME_CRYPTO;
			break;
		default: return CLF_QUIC_FRAME_BAD;
		}
		if (!sig_bytes_ok(payload))
			return CLF_QUIC_FRAME_BAD;
	}
	return CLF_QUIC_FRAME_END;
}

enum clf_quic_frame
clf_gquic_next_crypto(struct sig_bytes *payload, uint64_t *ret_off, struct sig_bytes *ret_data)
{
	skip_padding(payload);
	while (sig_bytes_left(payload) != 0 && sig_bytes_at(payload, 0) <= FRAME_PING)
		(void)sig_bytes_u8(payload);
	if (sig_bytes_left(payload) == 0 || sig_bytes_u8(payload) != FRAME_CRYPTO_GOOGLE)
		return CLF_QUIC_FRAME_END;
	*ret_off = clf_quic_varint(payload);
	*ret_data = sig_bytes_sub(payload, clf_quic_varint(payload));
	return sig_bytes_ok(payload) ? CLF_QUIC_FRAME_CRYPTO : CLF_QUIC_FRAME_BAD;
}

/* Bits [from, to) of one word. */
static uint64_t
word_mask(uint32_t from, uint32_t to)
{
	uint64_t low = ~0ULL << (from & 63);

	return (to & 63) != 0 && from >> 6 == to >> 6 ? low & ~(~0ULL << (to & 63)) : low;
}

static bool
any_seen(const struct clf_quic_stream *s, uint32_t from, uint32_t to)
{
	while (from < to) {
		uint32_t next = ((from >> 6) + 1) << 6;
		uint32_t stop = next < to ? next : to;

		if (s->seen[from >> 6] & word_mask(from, stop))
			return true;
		from = stop;
	}
	return false;
}

static void
mark_seen(struct clf_quic_stream *s, uint32_t from, uint32_t to)
{
	while (from < to) {
		uint32_t next = ((from >> 6) + 1) << 6;
		uint32_t stop = next < to ? next : to;

		s->seen[from >> 6] |= word_mask(from, stop);
		from = stop;
	}
}

/* Some of the bytes are there already: keep those, compare, fill the holes. */
static void
fill_holes(struct clf_quic_stream *s, uint32_t off, const uint8_t *p, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		uint32_t at = off + i;

		if (!(s->seen[at >> 6] >> (at & 63) & 1))
			s->data[at] = p[i];
		else if (s->data[at] != p[i])
			s->conflict = true;
	}
}

static void
grow_prefix(struct clf_quic_stream *s)
{
	while (s->have < s->top) {
		uint64_t holes = ~s->seen[s->have >> 6] & word_mask(s->have, s->cap);

		if (holes) {
			s->have = (s->have & ~63u) + (uint32_t)__builtin_ctzll(holes);
			return;
		}
		s->have = ((s->have >> 6) + 1) << 6;
	}
}

bool
clf_quic_stream_put(struct clf_quic_stream *s, uint64_t off, const uint8_t *p, size_t len)
{
	uint32_t from = (uint32_t)off, to;

	if (off > s->cap || len > s->cap - off)
		return false;
	if (len == 0)
		return true;
	to = from + (uint32_t)len;
	if (any_seen(s, from, to))
		fill_holes(s, from, p, (uint32_t)len);
	else
		memcpy(s->data + from, p, len);
	mark_seen(s, from, to);
	if (to > s->top)
		s->top = to;
	if (from <= s->have)
		grow_prefix(s);
	return true;
}
