/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP streams, rejoined for reading only. One `struct clf_stream` per direction of a flow that is
 * INSPECTING; it borrows blocks from a per-worker pool and gives them back on decision.
 *
 * What a reader gets is always the *contiguous prefix* of the stream from its first byte: the same
 * bytes whatever the cut, order or duplication of segments. That is what makes "same bytes, same
 * verdict" hold: observers are functions of a prefix.
 *
 * Policy: first bytes win; an overlap with other bytes, or data that cannot be told from a decoy
 * (TTL off by more than `ttl_slack` from the handshake's), marks the stream `ambiguous`; bytes
 * with a sequence number outside the window (RFC 9293 3.4, generous before the window is known),
 * or a bad checksum where checksums are trusted, are ignored and counted.
 * RFC 793/9293 sequence arithmetic is modulo 2^32. One thread; no heap on the packet path.
 */
#ifndef CLASSIFIER_REASSEMBLY_H
#define CLASSIFIER_REASSEMBLY_H

#include <stdbool.h>

#include "classifier/pkt.h"
#include "signatures/base/bytes.h"

struct clf_stream_pool; /* blocks of one worker */
struct clf_stream;	/* opaque; lives in the pool */

enum { CLF_STREAM_MAX = 128 << 10 }; /* bytes kept per direction, TLS record framing included */

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
/* An ACK of the *other* direction: tells window and what was delivered. */
void clf_stream_acked(struct clf_stream *s, const struct clf_pkt *pkt);

enum clf_push {
	CLF_PUSH_MORE,	  /* the prefix grew */
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

/* RST or FIN that counts: in window, good checksum. False: to be ignored (counted). */
bool clf_stream_control_ok(struct clf_stream_pool *pool, struct clf_stream *s,
    const struct clf_pkt *pkt, bool trust_checksums);

/*
 * The prefix. When it lies within `pkt` (the usual whole hello in one segment) no byte was copied
 * and the view is valid while pkt's frame is; otherwise it is in pool memory.
 */
struct sig_bytes clf_stream_view(const struct clf_stream *s);
/* Forget the first n bytes of the prefix (a request that is done). */
void clf_stream_consume(struct clf_stream_pool *pool, struct clf_stream *s, size_t n);

uint32_t clf_stream_flags(const struct clf_stream *s); /* CLF_FL_AMBIGUOUS, OVERLAP, GAP, ... */

#endif
