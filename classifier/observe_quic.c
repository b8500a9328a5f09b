/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QUIC: the ClientHello out of a client's Initial packets (RFC 9000 17.2, RFC 9001, RFC 9369).
 *
 * State changes only by packets whose tag fits, so junk and spoofed datagrams in between are
 * passed over. Keys come from the Destination Connection ID of the client's first Initial and stay
 * in force when the client takes up the server's ID later; after a Retry they come from the ID
 * that the Retry gave (RFC 9001 5.2). Which of both it is cannot be told where only the client is
 * heard, so an Initial under an unknown ID is tried with the keys at hand, then with its own.
 */
#include <stdlib.h>

#include "classifier/quic.h"

enum {
	QUIC_DATAGRAM_MAX = 65535,
	QUIC_BIG_SHARE = 32, /* one big buffer for so many connections */
	QUIC_BIG_MIN = 4,
	QUIC_NO_VERSION = -1,
	QUIC_FIRST_MIN = 1200, /* RFC 9000 14.1: of a datagram with a client's Initial */
	QUIC_FIRST_CID_MIN = 8,
	QUIC_FAILED_MAX = 2,
};

struct big {
	struct big *next;
	uint64_t seen[CLF_QUIC_BIG / 64];
	uint8_t data[CLF_QUIC_BIG];
};

struct clf_quic {
	struct clf_quic_pool *pool;
	struct clf_quic *next; /* in the free list */
	struct big *big;
	struct clf_quic_keys keys;
	uint64_t expected; /* packet number */
	uint32_t version;
	int8_t version_index; /* of keys; QUIC_NO_VERSION: none yet */
	uint8_t dcid_len, retry_len;
	bool have_retry;
	uint8_t dcid[CLF_QUIC_CID_MAX]; /* that keys come from */
	uint8_t retry[CLF_QUIC_CID_MAX];
	uint32_t eaten; /* CRYPTO bytes of hellos that were read */
	struct clf_quic_stream crypto;
	uint64_t seen[CLF_QUIC_SMALL / 64];
	uint8_t data[CLF_QUIC_SMALL];
};

struct clf_quic_pool {
	struct clf_quic_crypto *crypto;
	struct clf_quic *all, *free; /* `free`: of those that were in use before */
	unsigned max, used, touched;
	uint8_t other[2 * SIG_NAME_MAX];
	struct big *bigs, *free_big;
	unsigned max_bigs, touched_bigs; /* memory beyond was never touched */
	uint8_t plain[QUIC_DATAGRAM_MAX];
};

struct clf_quic_pool *
clf_quic_pool_new(unsigned max_connections)
{
	struct clf_quic_pool *pool = calloc(1, sizeof(*pool));
	unsigned bigs = max_connections / QUIC_BIG_SHARE + QUIC_BIG_MIN;

	if (!pool)
		return NULL;
	pool->crypto = clf_quic_crypto_new();
	pool->max = max_connections;
	pool->max_bigs = bigs;
	pool->all = calloc(max_connections ? max_connections : 1, sizeof(*pool->all));
	pool->bigs = calloc(bigs, sizeof(*pool->bigs));
	if (!pool->crypto || !pool->all || !pool->bigs) {
		clf_quic_pool_free(pool);
		return NULL;
	}
	return pool;
}

void
clf_quic_pool_free(struct clf_quic_pool *pool)
{
	if (!pool)
		return;
	clf_quic_crypto_free(pool->crypto);
	free(pool->all);
	free(pool->bigs);
	free(pool);
}

/* Forgets what was rejoined; a big buffer goes back. */
static void
crypto_reset(struct clf_quic *q)
{
	if (q->big) {
		q->big->next = q->pool->free_big;
		q->pool->free_big = q->big;
		q->big = NULL;
	}
	q->eaten = 0;
	q->crypto = (struct clf_quic_stream){
		.data = q->data, .seen = q->seen, .cap = CLF_QUIC_SMALL
	};
	memset(q->seen, 0, sizeof(q->seen));
}

struct clf_quic *
clf_quic_open(struct clf_quic_pool *pool)
{
	struct clf_quic *q = pool->free;

	if (q)
		pool->free = q->next;
	else if (pool->touched < pool->max)
		q = &pool->all[pool->touched++];
	else
		return NULL;
	q->pool = pool;
	pool->used++;
	q->version_index = QUIC_NO_VERSION;
	q->have_retry = false;
	q->expected = 0;
	crypto_reset(q);
	return q;
}

void
clf_quic_close(struct clf_quic_pool *pool, struct clf_quic *q)
{
	if (!q)
		return;
	if (q->big) {
		q->big->next = pool->free_big;
		pool->free_big = q->big;
		q->big = NULL;
	}
	q->next = pool->free;
	pool->free = q;
	pool->used--;
}

bool
clf_quic_pool_spare(const struct clf_quic_pool *pool)
{
	return pool->used <= pool->max / 2;
}

/* One long header, up to where its type begins to matter. */
struct header {
	const uint8_t *start;
	const uint8_t *dcid, *scid;
	uint8_t first, dcid_len, scid_len;
	uint32_t version;
	int version_index;
	enum clf_quic_type type;
};

enum header_kind { HEADER_KNOWN, HEADER_NEGOTIATION, HEADER_OTHER };

static enum header_kind
read_header(struct sig_bytes *b, struct header *h)
{
	bool whole = sig_bytes_left(b) >= QUIC_FIRST_MIN;

	h->start = b->p;
	h->first = sig_bytes_u8(b);
	h->version = sig_bytes_u32(b);
	if (!sig_bytes_ok(b) || !(h->first & 0x80))
		return HEADER_OTHER;
	if (h->version == 0)
		return HEADER_NEGOTIATION;
	h->version_index = clf_quic_version_index(h->version, 0);
	if (h->version_index < 0)
		return HEADER_OTHER;
	h->type = clf_quic_packet_type(h->version_index, h->first);
	h->dcid_len = sig_bytes_u8(b);
	h->dcid = sig_bytes_take(b, h->dcid_len);
	h->scid_len = sig_bytes_u8(b);
	h->scid = sig_bytes_take(b, h->scid_len);
	if (!sig_bytes_ok(b) || h->dcid_len > CLF_QUIC_CID_MAX || h->scid_len > CLF_QUIC_CID_MAX)
		return HEADER_OTHER;
	/* A client that was here before may clear the fixed bit (RFC 9287 3.1). Without it less
	 * says that this is QUIC, so the rest must be as a client's first packet is. */
	if (!(h->first & 0x40) &&
	    (h->type != CLF_QUIC_INITIAL || h->dcid_len < QUIC_FIRST_CID_MIN || !whole))
		return HEADER_OTHER;
	return HEADER_KNOWN;
}

bool
clf_quic_looks(struct sig_bytes datagram)
{
	struct header h;

	switch (read_header(&datagram, &h)) {
	case HEADER_KNOWN: return true;
	case HEADER_NEGOTIATION: {
		/* RFC 8999 6: two IDs and at least one version of four bytes. */
		struct sig_bytes b = datagram;

		sig_bytes_skip(&b, sig_bytes_u8(&b));
		sig_bytes_skip(&b, sig_bytes_u8(&b));
		return sig_bytes_ok(&b) && sig_bytes_left(&b) >= 4 && sig_bytes_left(&b) % 4 == 0;
	}
	default: return false;
	}
}

static bool
same_id(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

static bool
try_keys(struct clf_quic *q, const struct clf_quic_keys *keys, struct clf_quic_packet *packet,
    struct clf_quic_result *ret, size_t *ret_len)
{
	uint64_t number = 0;

	ret->decrypts++;
	if (!clf_quic_unprotect(q->pool->crypto, keys, packet, q->pool->plain, ret_len, &number))
		return false;
	if (number >= q->expected)
		q->expected = number + 1;
	return true;
}

/* RFC 9369 4.1: in a version that both switched to, keys still come from the first ID of all. */
static bool
try_switched(struct clf_quic *q, const struct header *h, struct clf_quic_packet *packet,
    struct clf_quic_result *ret, size_t *ret_len)
{
	struct clf_quic_keys keys;

	clf_quic_initial_keys(
	    q->pool->crypto, h->version_index, q->dcid, q->dcid_len, false, &keys);
	if (!try_keys(q, &keys, packet, ret, ret_len))
		return false;
	q->keys = keys;
	q->version = h->version;
	q->version_index = (int8_t)h->version_index;
	return true;
}

static bool
try_own_keys(struct clf_quic *q, const struct header *h, int index, struct clf_quic_packet *packet,
    struct clf_quic_result *ret, size_t *ret_len)
{
	struct clf_quic_keys keys;
	struct clf_quic_packet fresh = *packet;

	clf_quic_initial_keys(q->pool->crypto, index, h->dcid, h->dcid_len, false, &keys);
	/* Packet numbers go on after a Retry (RFC 9000 17.2.5.3): expect near what we saw. */
	if (!try_keys(q, &keys, &fresh, ret, ret_len))
		return false;
	/* A client that starts again, with another version or after its hello was whole, makes a
	 * new one. Before that, other keys may be those after a Retry: the same hello goes on. */
	if (q->version_index != QUIC_NO_VERSION && (q->version != h->version || q->eaten != 0))
		crypto_reset(q);
	q->keys = keys;
	q->version = h->version;
	q->version_index = (int8_t)index;
	q->dcid_len = h->dcid_len;
	memcpy(q->dcid, h->dcid, h->dcid_len);
	return true;
}

/* Whichever keys fit; the payload is in the pool's scratch. */
static bool
unprotect(struct clf_quic *q, const struct header *h, struct clf_quic_packet *packet,
    unsigned max_decrypts, struct clf_quic_result *ret, size_t *ret_len)
{
	const bool have = q->version_index != QUIC_NO_VERSION && q->version == h->version;
	const bool same = have && same_id(h->dcid, h->dcid_len, q->dcid, q->dcid_len);
	const bool retried = q->have_retry && same_id(h->dcid, h->dcid_len, q->retry, q->retry_len);
	int index;

	if (have && (same || !retried)) {
		if (ret->decrypts >= max_decrypts) {
			ret->over_budget = true;
			return false;
		}
		if (try_keys(q, &q->keys, packet, ret, ret_len))
			return true;
	}
	if (same)
		return false;
	/* Under the first ID itself another version is another attempt (RFC 9000 6.2). */
	if (q->version_index != QUIC_NO_VERSION && !have && q->eaten == 0 &&
	    !same_id(h->dcid, h->dcid_len, q->dcid, q->dcid_len) && ret->decrypts < max_decrypts &&
	    try_switched(q, h, packet, ret, ret_len))
		return true;
	for (unsigned nth = 0; (index = clf_quic_version_index(h->version, nth)) >= 0; nth++) {
		if (ret->decrypts >= max_decrypts) {
			ret->over_budget = true;
			return false;
		}
		if (try_own_keys(q, h, index, packet, ret, ret_len))
			return true;
	}
	return false;
}

/* The hello outgrew the small buffer. */
static bool
crypto_grow(struct clf_quic *q)
{
	struct clf_quic_pool *pool = q->pool;
	struct big *big = pool->free_big;

	if (q->big || (!big && pool->touched_bigs == pool->max_bigs))
		return false;
	if (big)
		pool->free_big = big->next;
	else
		big = &pool->bigs[pool->touched_bigs++];
	q->big = big;
	memset(big->seen, 0, sizeof(big->seen));
	memcpy(big->seen, q->seen, sizeof(q->seen));
	memcpy(big->data, q->data, q->crypto.top);
	q->crypto.seen = big->seen;
	q->crypto.data = big->data;
	q->crypto.cap = CLF_QUIC_BIG;
	return true;
}

/* A hello's beginning that says other things than the one at hand: whom does it name? */
static void
read_other(struct clf_quic *q, struct sig_bytes data, struct clf_quic_result *ret)
{
	struct clf_name *name = &ret->other;

	if (!clf_tls_partial_msg(data, &ret->hello))
		return;
	clf_name_copy(name, &ret->hello.sni);
	/* The payload lies in scratch that the datagram's next packet may overwrite. */
	if (name->raw_len > sizeof(q->pool->other))
		name->raw_len = sizeof(q->pool->other);
	memcpy(q->pool->other, name->raw, name->raw_len);
	name->raw = q->pool->other;
	ret->have_other = true;
}

static bool
is_google(const struct clf_quic *q)
{
	return q->version == CLF_QUIC_Q050 || q->version == CLF_QUIC_T050;
}

static void
read_frames(struct clf_quic *q, struct sig_bytes payload, struct clf_quic_result *ret)
{
	enum clf_quic_frame (*next)(struct sig_bytes *, uint64_t *,
	    struct sig_bytes *) = is_google(q) ? clf_gquic_next_crypto : clf_quic_next_crypto;
	enum clf_quic_frame frame;
	struct sig_bytes data;
	uint64_t off = 0;

	while ((frame = next(&payload, &off, &data)) == CLF_QUIC_FRAME_CRYPTO) {
		size_t len = sig_bytes_left(&data);
		bool conflict = q->crypto.conflict;

		if (clf_quic_stream_put(&q->crypto, off, data.p, len)) {
			if (q->crypto.conflict && !conflict && off == 0)
				read_other(q, data, ret);
			continue;
		}
		if (off > CLF_QUIC_BIG || len > CLF_QUIC_BIG - off || !crypto_grow(q) ||
		    !clf_quic_stream_put(&q->crypto, off, data.p, len))
			ret->over_limit = true;
	}
	if (frame == CLF_QUIC_FRAME_BAD)
		ret->malformed = true;
}

/* The rest of a packet behind its header. False: nothing readable follows in this datagram. */
static bool
read_packet(struct clf_quic *q, const struct header *h, struct sig_bytes *b, bool up,
    unsigned max_decrypts, struct clf_quic_result *ret)
{
	struct clf_quic_packet packet = { .p = h->start, .expected = q->expected };
	size_t payload_len = 0;
	uint64_t len;

	if (h->type == CLF_QUIC_RETRY) {
		ret->retry = true;
		if (!up) {
			q->have_retry = true;
			q->retry_len = h->scid_len;
			memcpy(q->retry, h->scid, h->scid_len);
		}
		return false;
	}
	if (h->type == CLF_QUIC_INITIAL)
		sig_bytes_skip(b, clf_quic_varint(b));
	len = clf_quic_varint(b);
	packet.pn_off = (size_t)(b->p - h->start);
	packet.len = packet.pn_off + len;
	ret->initial |= h->type == CLF_QUIC_INITIAL;
	if (!sig_bytes_skip(b, len))
		return false;
	ret->zero_rtt |= h->type == CLF_QUIC_0RTT;
	ret->settled |= !up && h->type == CLF_QUIC_HANDSHAKE;
	if (h->type != CLF_QUIC_INITIAL || !up)
		return true;
	if (unprotect(q, h, &packet, max_decrypts, ret, &payload_len))
		read_frames(q, sig_bytes_of(q->pool->plain, payload_len), ret);
	else
		ret->failed++;
	/* All of a datagram have one ID, so what fits none of two will fit none of thirty. */
	return ret->failed < QUIC_FAILED_MAX;
}

static void
result_clear(struct clf_quic_result *r)
{
	r->version = 0;
	r->initial = r->zero_rtt = r->retry = r->version_negotiation = false;
	r->gap = r->ambiguous = r->malformed = r->over_limit = r->over_budget = false;
	r->second = r->settled = r->have_other = false;
	r->decrypts = r->failed = 0;
}

enum clf_obs
clf_quic_datagram(struct clf_quic *q, struct sig_bytes datagram, bool up, unsigned max_decrypts,
    struct clf_quic_result *ret)
{
	struct header first = { 0 };
	enum clf_obs obs;

	result_clear(ret);
	if (sig_bytes_left(&datagram) > QUIC_DATAGRAM_MAX)
		return CLF_OBS_MORE;
	/* RFC 9000 12.2: packets of one datagram, one after the other, all to the same ID. */
	while (sig_bytes_left(&datagram) != 0) {
		struct header h;
		enum header_kind kind = read_header(&datagram, &h);

		if (kind == HEADER_NEGOTIATION)
			ret->version_negotiation = true;
		ret->settled |= !up && kind == HEADER_OTHER && (h.first & 0xc0) == 0x40;
		if (kind != HEADER_KNOWN)
			break;
		if (first.start && !same_id(h.dcid, h.dcid_len, first.dcid, first.dcid_len))
			break;
		first = h;
		ret->version = h.version;
		if (!read_packet(q, &h, &datagram, up, max_decrypts, ret))
			break;
	}
	ret->ambiguous = q->crypto.conflict;
	ret->gap = q->crypto.top > q->crypto.have;
	if (ret->decrypts == 0 || q->crypto.have <= q->eaten)
		return CLF_OBS_MORE;
	ret->second = q->eaten != 0;
	struct sig_bytes hello = sig_bytes_of(q->crypto.data + q->eaten, q->crypto.have - q->eaten);
	obs = q->version == CLF_QUIC_Q050 ? clf_gquic_chlo(hello, &ret->hello)
					  : clf_tls_client_hello_msg(hello, &ret->hello);
	if (q->version == CLF_QUIC_Q050 && obs == CLF_OBS_BAD) /* the rest may follow */
		return CLF_OBS_MORE;
	if (obs == CLF_OBS_DONE)
		q->eaten += ret->hello.consumed;
	return obs == CLF_OBS_NOT_MINE ? CLF_OBS_BAD : obs;
}

bool
clf_quic_partial_hello(const struct clf_quic *q, struct clf_tls_hello *ret)
{
	return clf_tls_partial_msg(sig_bytes_of(q->crypto.data, q->crypto.have), ret);
}
