/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP streams, rejoined for reading only. One `struct clf_stream` per direction of a flow that is
 * INSPECTING; it borrows blocks from a per-worker pool and gives them back on decision.
 *
 * What a reader gets is always the *contiguous prefix* of the stream from its first byte: the same
 * bytes whatever the cut, order or duplication of segments. That is what makes "same bytes, same
 * verdict" hold: observers are functions of a prefix.
 *
 * Policy: first bytes win. Bytes that come again with other contents (an overlap, a decoy) mark the
 * stream `ambiguous` and are kept as its *other reading*; so does new data whose TTL is off from
 * the handshake's by more than CLF_TTL_SLACK: its real counterpart may still come, so wait a little
 * before deciding. Bytes outside the window (RFC 9293 3.10.7.4, generous before the window is
 * known) are ignored and counted. So are segments with a bad checksum when the caller trusts
 * checksums, or when this direction's SYN had a good one and the bad one is not merely left to a
 * network card (captures of transmit offload).
 * Sequence arithmetic is modulo 2^32. One thread; no heap on the packet path.
 */
#ifndef CLASSIFIER_REASSEMBLY_H
#define CLASSIFIER_REASSEMBLY_H

#include <stdbool.h>

#include "classifier/pkt.h"
#include "signatures/base/bytes.h"

struct clf_stream_pool; /* blocks of one worker */
struct clf_stream;	/* opaque; lives in the pool */

enum {
	CLF_STREAM_MAX = 128 << 10, /* bytes kept per direction, TLS record framing included */
	CLF_TTL_SLACK = 5
};

struct clf_stream_stats {
	uint64_t segments, retransmitted, out_of_order, overlaps, outside_window, bad_checksum,
	    no_room, decoys;
};

struct clf_stream_pool *clf_stream_pool_new(size_t bytes, uint64_t seed);
void clf_stream_pool_free(struct clf_stream_pool *pool);
const struct clf_stream_stats *clf_stream_pool_stats(const struct clf_stream_pool *pool);

/* NULL when the pool is empty. */
struct clf_stream *clf_stream_open(struct clf_stream_pool *pool);
void clf_stream_close(struct clf_stream_pool *pool, struct clf_stream *s); /* NULL is fine */

/* The direction's SYN or SYN-ACK: fixes the first sequence number, TTL, window scale. */
void clf_stream_syn(struct clf_stream *s, const struct clf_pkt *pkt);
/* A new stream begins at this sequence number, whatever was sent before. */
void clf_stream_begin(struct clf_stream *s, uint32_t first);
/* Both directions of one connection: each learns what the other's SYN offered, if it was seen. */
void clf_stream_meet(struct clf_stream *a, struct clf_stream *b);
/* An ACK of the *other* direction: tells window and what was delivered. */
void clf_stream_acked(struct clf_stream *s, const struct clf_pkt *pkt);

enum clf_push {
	CLF_PUSH_MORE,	  /* the prefix grew, or its other reading changed */
	CLF_PUSH_NOTHING, /* duplicate, out of order, or ignored: the prefix is as it was */
	CLF_PUSH_NO_ROOM, /* a limit: the flow gets `over-limit` */
};

/*
 * Payload of one segment (data in SYN included). Without a SYN seen, the first segment's sequence
 * number starts the stream (mid-stream), and earlier bytes that come later within 64 KB move the
 * start back. `trust_checksums`: ignore segments whose checksum is bad.
 */
enum clf_push clf_stream_push(struct clf_stream_pool *pool, struct clf_stream *s,
    const struct clf_pkt *pkt, bool trust_checksums);

/*
 * The same without a copy where the segment is the stream's whole prefix (the usual hello): the
 * view then points into pkt's frame. A stream that lives on after that frame must be kept: call
 * clf_stream_keep() before the frame goes. False: no room, the bytes are lost (`over-limit`).
 */
enum clf_push clf_stream_push_borrow(struct clf_stream_pool *pool, struct clf_stream *s,
    const struct clf_pkt *pkt, bool trust_checksums);
bool clf_stream_keep(struct clf_stream_pool *pool, struct clf_stream *s);

/*
 * RST or FIN that counts: in the window, good checksum, TTL as the handshake's. False: to be
 * ignored (counted). s NULL: the checksum alone.
 */
bool clf_stream_control_ok(struct clf_stream_pool *pool, struct clf_stream *s,
    const struct clf_pkt *pkt, bool trust_checksums);

/* The prefix; valid until the next call that changes the stream. */
struct sig_bytes clf_stream_view(const struct clf_stream *s);
/*
 * The other reading of the same prefix, empty when nothing disagreed: where bytes came twice with
 * different contents, the ones that came later.
 */
struct sig_bytes clf_stream_other(const struct clf_stream *s);
/* True once after the start of a mid-stream prefix moved back: what was read of it meant nothing.
 */
bool clf_stream_restarted(struct clf_stream *s);
/* Bytes have come, but not the first one yet: the prefix is empty for now. */
bool clf_stream_waits(const struct clf_stream *s);
/* Forget the first n bytes of the prefix (a request that is done). */
void clf_stream_consume(struct clf_stream_pool *pool, struct clf_stream *s, size_t n);

/* CLF_FL_AMBIGUOUS, OVERLAP, GAP, MIDSTREAM, TRUNCATED, OVER_LIMIT, BAD_CHECKSUM as of now. */
uint32_t clf_stream_flags(const struct clf_stream *s); /* CLF_FL_AMBIGUOUS, OVERLAP, GAP, ... */

#endif
