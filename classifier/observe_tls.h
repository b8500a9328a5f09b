/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS records walked and their handshake bytes joined: shared by the observers of both directions.
 * RFC 8446 5.1: a handshake message may be split over records anywhere, even inside its header.
 */
#ifndef CLASSIFIER_OBSERVE_TLS_H
#define CLASSIFIER_OBSERVE_TLS_H

#include "classifier/observe.h"

enum {
	CLF_TLS_CCS = 20,
	CLF_TLS_ALERT = 21,
	CLF_TLS_HANDSHAKE = 22,
	CLF_TLS_DATA = 23,
	CLF_TLS_RECORD_HEAD = 5,
	CLF_TLS_HANDSHAKE_HEAD = 4,
	/* RFC 5246 allows 2^14 + 2048 for ciphertext; stacks differ on plaintext, so be lenient. */
	CLF_TLS_RECORD_MAX = 16384 + 2048,
	/* Records in a row that carry nothing: as many as OpenSSL takes before it refuses. */
	CLF_TLS_EMPTY_MAX = 32,
};

/* A cursor over the handshake bytes of a stream. */
struct clf_tls_joiner {
	struct sig_bytes stream; /* whole prefix; p moves over records */
	const uint8_t *start;	 /* first byte of the prefix */
	uint8_t *join;		 /* scratch of CLF_JOIN_MAX bytes */
	const uint8_t *msg;	 /* handshake bytes gathered: in the stream or in join */
	uint32_t msg_len;
	uint32_t record_left; /* bytes of the last record that the prefix does not hold */
	uint32_t left_out;    /* bytes of the last record that did not fit into join */
	bool at_header;	      /* the prefix ends inside a record header */
	bool first_seen;      /* a handshake record was seen */
	bool stop_at_ccs;     /* what follows a ChangeCipherSpec is encrypted (TLS <= 1.2) */
	bool any_version;     /* of records: some servers look at it only later */
	bool odd_version;     /* the first record's was none of SSL 3.0 or TLS */
	uint8_t empty;	      /* records without handshake bytes since the last with some */
	uint8_t stop_type;    /* record type that ended the handshake bytes, 0 none */
};

void clf_tls_join_init(struct clf_tls_joiner *j, struct sig_bytes stream, uint8_t *join);
/* The stream begins inside a handshake record, `len` bytes before its end. */
void clf_tls_join_open(struct clf_tls_joiner *j, uint32_t len);
/*
 * Gathers until msg_len >= want. DONE: there. MORE: the prefix ends first; *ret_need is the least
 * prefix that could do. NOT_MINE: the first record is not TLS. BAD: a record that cannot be, or
 * one of another type (stop_type), or over CLF_JOIN_MAX.
 */
enum clf_obs clf_tls_join(struct clf_tls_joiner *j, uint32_t want, uint32_t *ret_need);
/* Stream offset just after the n-th gathered handshake byte (n >= 1). */
uint32_t clf_tls_join_offset(const struct clf_tls_joiner *j, uint32_t n, uint32_t *ret_record_end);

#endif
