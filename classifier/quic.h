/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two halves under observe_quic.c: Initial protection (quic_crypto.c) and CRYPTO frames
 * rejoined (quic_frames.c). Internal to the QUIC observer and its tests.
 */
#ifndef CLASSIFIER_QUIC_H
#define CLASSIFIER_QUIC_H

#include "classifier/observe.h"

/* --- Initial protection: RFC 9001 5, RFC 9369 3 --- */

enum { CLF_QUIC_CID_MAX = 20, CLF_QUIC_TAG = 16, CLF_QUIC_SAMPLE = 16 };

enum clf_quic_type { CLF_QUIC_INITIAL, CLF_QUIC_0RTT, CLF_QUIC_HANDSHAKE, CLF_QUIC_RETRY };

struct clf_quic_keys {
	uint8_t key[16], iv[12], hp[16];
};

/* Cipher contexts, prepared salts and labels. One thread. */
struct clf_quic_crypto;
struct clf_quic_crypto *clf_quic_crypto_new(void);
void clf_quic_crypto_free(struct clf_quic_crypto *c);

/*
 * Index of a version that we can decrypt, or -1. `nth` 0 is the likeliest; a version that is there
 * to be negotiated away (RFC 9000 15) has two: clients protect such Initials as their newest.
 */
int clf_quic_version_index(uint32_t version, unsigned nth);
/* What the two type bits of a long header mean in that version. */
enum clf_quic_type clf_quic_packet_type(int version_index, uint8_t first_byte);

/* Keys of one side's Initials, from the Destination Connection ID of the client's first. */
void clf_quic_initial_keys(const struct clf_quic_crypto *c, int version_index, const uint8_t *dcid,
    size_t dcid_len, bool server, struct clf_quic_keys *ret);

/*
 * Takes protection off one long-header packet of `len` bytes whose packet number begins at
 * `pn_off`. `expected` is the next packet number awaited. `out` needs len bytes. The payload's
 * length and the number, or false: it is too short or the tag does not fit.
 */
struct clf_quic_packet {
	const uint8_t *p;
	size_t len, pn_off;
	uint64_t expected;
};
bool clf_quic_unprotect(struct clf_quic_crypto *c, const struct clf_quic_keys *keys,
    const struct clf_quic_packet *packet, uint8_t *out, size_t *ret_len, uint64_t *ret_number);

/* --- CRYPTO frames: RFC 9000 19.6 --- */

enum {
	CLF_QUIC_SMALL = 4096, /* most hellos, post-quantum ones too */
	CLF_QUIC_BIG = CLF_JOIN_MAX,
};

/* Bytes by offset with one bit each for "seen": any number of gaps costs the same. */
struct clf_quic_stream {
	uint8_t *data;
	uint64_t *seen;
	uint32_t cap;
	uint32_t have; /* bytes of the contiguous prefix */
	uint32_t top;  /* end of the last byte seen: top > have means a gap */
	bool conflict; /* the same offset came with other bytes; the first stay */
};

/* False: it reaches past cap (nothing was taken). */
bool clf_quic_stream_put(struct clf_quic_stream *s, uint64_t off, const uint8_t *p, size_t len);

/* One CRYPTO frame of a payload, or what ended the walk. */
enum clf_quic_frame { CLF_QUIC_FRAME_CRYPTO, CLF_QUIC_FRAME_END, CLF_QUIC_FRAME_BAD };
/*
 * Walks a decrypted Initial payload to its next CRYPTO frame, past PADDING, PING, ACK and
 * CONNECTION_CLOSE; no other frame may be there (RFC 9000 12.4).
 */
enum clf_quic_frame
clf_quic_next_crypto(struct sig_bytes *payload, uint64_t *ret_off, struct sig_bytes *ret_data);
/* The same in Google's Q050 and T050, where CRYPTO has another number and nothing else is known. */
enum clf_quic_frame
clf_gquic_next_crypto(struct sig_bytes *payload, uint64_t *ret_off, struct sig_bytes *ret_data);
/* Google's hello, a list of tags: DONE when the name was found or there is none. */
enum clf_obs clf_gquic_chlo(struct sig_bytes msg, struct clf_tls_hello *ret);
#define CLF_QUIC_Q050 0x51303530u
#define CLF_QUIC_T050 0x54303530u

/* RFC 9000 16. */
uint64_t clf_quic_varint(struct sig_bytes *b);

#endif
