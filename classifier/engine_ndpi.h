/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nDPI behind one adapter: the only file that includes nDPI is engine_ndpi.c, and it holds all
 * version checks (4.2's packet call has 5 arguments, later ones 6).
 *
 * One detection module per worker; flow slots come from a pool made at start and go back on
 * decision. nDPI is fed *rejoined* payload behind a synthesised IP header, not raw packets, where
 * a stream exists. One thread per adapter.
 */
#ifndef CLASSIFIER_ENGINE_NDPI_H
#define CLASSIFIER_ENGINE_NDPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clf_ndpi;
struct clf_ndpi_flow;

int clf_ndpi_new(unsigned max_flows, struct clf_ndpi **ret_ndpi);
void clf_ndpi_free(struct clf_ndpi *n);
struct clf_ndpi_flow *clf_ndpi_open(struct clf_ndpi *n); /* NULL: none left */
void clf_ndpi_close(struct clf_ndpi *n, struct clf_ndpi_flow *f);

struct clf_ndpi_verdict {
	uint16_t master, app; /* nDPI's protocol numbers, 0 unknown */
	bool final;	      /* nDPI needs no more packets */
	bool guessed;	      /* by port or address only */
};
/* l3: a whole IPv4/IPv6 packet. `up`: from the initiator. */
void clf_ndpi_packet(struct clf_ndpi *n, struct clf_ndpi_flow *f, const uint8_t *l3, uint16_t len,
    uint64_t now_us, bool up, struct clf_ndpi_verdict *ret);
void clf_ndpi_giveup(struct clf_ndpi *n, struct clf_ndpi_flow *f, struct clf_ndpi_verdict *ret);
/* "TLS.Google", "DNS", "Unknown". Returns the length. */
size_t
clf_ndpi_label(const struct clf_ndpi *n, const struct clf_ndpi_verdict *v, char *out, size_t cap);

#endif
