/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPv4 and IPv6 fragments, rejoined for reading only: inline, the originals are forwarded or
 * dropped with their flow, never rewritten (RFC 791, RFC 8200 4.5, RFC 5722).
 *
 * Bounded: at most `max_datagrams` under way, 64 KB each out of a fixed pool (16 KB of it for
 * each datagram on average), oldest out and
 * counted. Overlap with other bytes spoils the datagram: no verdict comes from it. One thread.
 */
#ifndef CLASSIFIER_FRAGMENTS_H
#define CLASSIFIER_FRAGMENTS_H

#include <stdbool.h>

#include "classifier/pkt.h"

struct clf_frags;

struct clf_frags_stats {
	uint64_t seen, rejoined, timed_out, evicted, overlapped, bad;
};

struct clf_frags *clf_frags_new(unsigned max_datagrams, uint32_t timeout_us, uint64_t seed);
void clf_frags_free(struct clf_frags *f);

/*
 * Takes a CLF_P_FRAGMENT packet. 1: the datagram is whole, *ret_whole describes the rejoined
 * packet (parsed through the same rules, tunnels and fragments inside included; bytes valid until
 * the next call). 0: more are missing, or the fragment said nothing new. -EBADMSG: overlap with
 * different bytes (IPv6: any partial overlap); the datagram is spoiled. -ENOSPC: no room.
 * *ret_token is always set, and equal for all fragments of a datagram, so that later fragments can
 * share its flow's verdict.
 */
int clf_frags_push(struct clf_frags *f, const struct clf_pkt *pkt, uint64_t now_us,
    struct clf_pkt *ret_whole, uint64_t *ret_token);
/*
 * Gives up the oldest datagram that waits too long and whose beginning is there: *ret_head is what
 * a reader may still learn from it (a question, ports), cut short, `fragmented` 2. No verdict may
 * come too late, so none is lost by the wait. False: no such datagram. UINT64_MAX gives up all.
 */
bool clf_frags_give_up(
    struct clf_frags *f, uint64_t now_us, struct clf_pkt *ret_head, uint64_t *ret_token);
/* Drops what is too old. Call now and then; bounded work. Returns datagrams given up. */
unsigned clf_frags_expire(struct clf_frags *f, uint64_t now_us);
const struct clf_frags_stats *clf_frags_stats(const struct clf_frags *f);

#endif
