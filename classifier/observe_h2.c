/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 in clear: the client's frames walked, header blocks inflated by libnghttp2's HPACK decoder
 * (RFC 9113 3.4, 4.1, 6.2, 6.10; RFC 7541).
 *
 * The inflater allocates; it gets a bounded arena, which is emptied between connections. A frame is
 * read when it is whole in the prefix, so that cuts do not matter.
 */
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <strings.h>

#include "classifier/h2_arena.h"
#include "classifier/observe.h"

enum {
	FRAME_HEAD = 9,
	FRAME_HEADERS = 1,
	FRAME_CONTINUATION = 9,
	FLAG_END_HEADERS = 0x4,
	FLAG_PADDED = 0x8,
	FLAG_PRIORITY = 0x20,
	HEADERS_FRAME_MAX = 65536, /* RFC 9113 4.2: 16,384 unless the server allows more */
	CONTINUATIONS_MAX = 64,
	FIELDS_MAX = 512,
	TABLE_MAX = 16 << 20, /* what a server may allow; what is used of it, the arena bounds */
	AUTHORITY_MAX = 512,
	TEXT_MAX = 2048,
	PREFACE = 24,
};

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

struct clf_h2 {
	nghttp2_mem mem;
	nghttp2_hd_inflater *inflater;
	uint64_t eaten; /* stream bytes; may lie beyond the prefix: a long DATA frame */
	bool bad;
	bool in_block; /* between HEADERS and END_HEADERS */
	unsigned continuations, fields;
	uint32_t stream_id; /* of the block */
	/* the block's fields, as far as they matter */
	bool have_method, connect, have_authority, have_host, have_path, have_agent, twice;
	uint16_t authority_len, host_len, path_len, agent_len;
	uint8_t authority[AUTHORITY_MAX], host[AUTHORITY_MAX], path[TEXT_MAX], agent[TEXT_MAX];
	struct clf_h2_arena arena;
};

struct clf_h2 *
clf_h2_new(void)
{
	struct clf_h2 *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->mem = (nghttp2_mem){ .mem_user_data = &h->arena,
		.malloc = clf_h2_arena_malloc,
		.free = clf_h2_arena_free,
		.calloc = clf_h2_arena_calloc,
		.realloc = clf_h2_arena_realloc };
	clf_h2_reset(h);
	return h;
}

/* All that the inflater has lies in the arena. */
void
clf_h2_free(struct clf_h2 *h)
{
	free(h);
}

static void
block_reset(struct clf_h2 *h)
{
	h->in_block = false;
	h->continuations = h->fields = 0;
	h->have_method = h->connect = h->have_authority = h->have_host = false;
	h->have_path = h->have_agent = h->twice = false;
	h->authority_len = h->host_len = h->path_len = h->agent_len = 0;
}

void
clf_h2_reset(struct clf_h2 *h)
{
	clf_h2_arena_reset(&h->arena);
	h->inflater = NULL;
	h->bad = nghttp2_hd_inflate_new2(&h->inflater, &h->mem) != 0 ||
		 nghttp2_hd_inflate_change_table_size(h->inflater, TABLE_MAX) != 0;
	h->eaten = 0;
	block_reset(h);
}

bool
clf_h2_looks(struct sig_bytes stream)
{
	size_t n = sig_bytes_left(&stream);

	return n != 0 && memcmp(stream.p, preface, n < PREFACE ? n : PREFACE) == 0;
}

uint32_t
clf_h2_eaten(const struct clf_h2 *h)
{
	return h->eaten > UINT32_MAX ? UINT32_MAX : (uint32_t)h->eaten;
}

void
clf_h2_forget(struct clf_h2 *h, uint32_t n)
{
	h->eaten -= n < h->eaten ? n : h->eaten;
}

/* A value kept; a second one of the same field is a second opinion. */
static void
keep(struct clf_h2 *h, bool *have, uint8_t *to, uint16_t *len, const nghttp2_nv *nv)
{
	const size_t max = to == h->authority || to == h->host ? AUTHORITY_MAX : TEXT_MAX;
	size_t n = nv->valuelen < max ? nv->valuelen : max;

	if (*have) {
		h->twice |= to != h->agent;
		return;
	}
	*have = true;
	*len = (uint16_t)n;
	if (n)
		memcpy(to, nv->value, n);
}

static bool
field_is(const nghttp2_nv *nv, const char *name)
{
	size_t n = strlen(name);

	return nv->namelen == n && strncasecmp((const char *)nv->name, name, n) == 0;
}

static void
take_field(struct clf_h2 *h, const nghttp2_nv *nv)
{
	if (field_is(nv, ":method")) {
		h->have_method = true;
		h->connect = nv->valuelen == 7 && memcmp(nv->value, "CONNECT", 7) == 0;
	} else if (field_is(nv, ":authority")) {
		keep(h, &h->have_authority, h->authority, &h->authority_len, nv);
	} else if (field_is(nv, "host")) {
		keep(h, &h->have_host, h->host, &h->host_len, nv);
	} else if (field_is(nv, ":path")) {
		keep(h, &h->have_path, h->path, &h->path_len, nv);
	} else if (field_is(nv, "user-agent")) {
		keep(h, &h->have_agent, h->agent, &h->agent_len, nv);
	}
}

/* A piece of the header block. */
static bool
inflate(struct clf_h2 *h, struct sig_bytes b, bool last)
{
	for (;;) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t n = nghttp2_hd_inflate_hd2(
		    h->inflater, &nv, &flags, b.p, sig_bytes_left(&b), last);

		if (n < 0)
			return false;
		sig_bytes_skip(&b, (size_t)n);
		if (flags & NGHTTP2_HD_INFLATE_EMIT) {
			if (++h->fields > FIELDS_MAX)
				return false;
			take_field(h, &nv);
		}
		if (flags & NGHTTP2_HD_INFLATE_FINAL) {
			nghttp2_hd_inflate_end_headers(h->inflater);
			return true;
		}
		if (!(flags & NGHTTP2_HD_INFLATE_EMIT) && sig_bytes_left(&b) == 0)
			return !last;
	}
}

/* RFC 9113 6.2: padding and priority taken off. */
static bool
headers_fragment(struct sig_bytes *payload, uint8_t flags)
{
	uint8_t pad = flags & FLAG_PADDED ? sig_bytes_u8(payload) : 0;

	if (flags & FLAG_PRIORITY)
		sig_bytes_skip(payload, 5);
	if (!sig_bytes_ok(payload) || pad > sig_bytes_left(payload))
		return false;
	payload->end -= pad;
	return true;
}

static void
fill_request(struct clf_h2 *h, struct clf_h2_req *ret)
{
	ret->have_authority = h->have_authority || h->have_host;
	ret->have_path = h->have_path;
	ret->have_user_agent = h->have_agent;
	ret->connect = h->connect;
	ret->ambiguous = h->twice;
	ret->path = h->path;
	ret->path_len = h->path_len;
	ret->user_agent = h->agent;
	ret->user_agent_len = h->agent_len;
	ret->stream_id = h->stream_id;
	if (h->have_authority)
		clf_name_set_authority(&ret->authority, h->authority, h->authority_len);
	else if (h->have_host)
		clf_name_set_authority(&ret->authority, h->host, h->host_len);
	if (h->have_authority && h->have_host) {
		struct clf_name host;

		clf_name_set_authority(&host, h->host, h->host_len);
		ret->ambiguous |= !clf_name_equal(&host, &ret->authority);
	}
}

/* One whole frame. DONE: it ended a request; MORE: go on. */
static enum clf_obs
read_frame(struct clf_h2 *h, struct sig_bytes payload, uint8_t type, uint8_t flags, uint32_t id)
{
	if (h->in_block) {
		/* RFC 9113 6.10: nothing may stand between. */
		if (type != FRAME_CONTINUATION || id != h->stream_id ||
		    ++h->continuations > CONTINUATIONS_MAX)
			return CLF_OBS_BAD;
	} else if (type == FRAME_HEADERS) {
		if (id == 0 || !headers_fragment(&payload, flags))
			return CLF_OBS_BAD;
		block_reset(h);
		h->in_block = true;
		h->stream_id = id;
	} else {
		return type == FRAME_CONTINUATION ? CLF_OBS_BAD : CLF_OBS_MORE;
	}
	if (!inflate(h, payload, flags & FLAG_END_HEADERS))
		return CLF_OBS_BAD;
	if (!(flags & FLAG_END_HEADERS))
		return CLF_OBS_MORE;
	h->in_block = false;
	return h->have_method ? CLF_OBS_DONE : CLF_OBS_MORE; /* without: trailers */
}

enum clf_obs
clf_h2_next(struct clf_h2 *h, struct sig_bytes stream, struct clf_h2_req *ret)
{
	ret->have_authority = false;
	if (h->bad)
		return CLF_OBS_BAD;
	if (h->eaten == 0) {
		if (!clf_h2_looks(stream))
			return sig_bytes_left(&stream) ? CLF_OBS_NOT_MINE : CLF_OBS_MORE;
		if (sig_bytes_left(&stream) < PREFACE)
			return CLF_OBS_MORE;
		h->eaten = PREFACE;
	}
	if (h->eaten > sig_bytes_left(&stream))
		return CLF_OBS_MORE;
	sig_bytes_skip(&stream, h->eaten);
	while (sig_bytes_left(&stream) >= FRAME_HEAD) {
		struct sig_bytes head = stream;
		uint32_t len = sig_bytes_u24(&head);
		uint8_t type = sig_bytes_u8(&head);
		uint8_t flags = sig_bytes_u8(&head);
		uint32_t id = sig_bytes_u32(&head) & 0x7fffffff;
		enum clf_obs obs = CLF_OBS_MORE;

		if (type == FRAME_HEADERS || type == FRAME_CONTINUATION || h->in_block) {
			if (len > HEADERS_FRAME_MAX) {
				h->bad = true;
				return CLF_OBS_BAD;
			}
			if (len > sig_bytes_left(&head))
				return CLF_OBS_MORE;
			obs = read_frame(h, sig_bytes_of(head.p, len), type, flags, id);
		}
		h->eaten += FRAME_HEAD + len;
		if (obs == CLF_OBS_DONE || (obs == CLF_OBS_BAD && h->in_block))
			fill_request(h, ret);
		h->bad = obs == CLF_OBS_BAD;
		if (obs != CLF_OBS_MORE)
			return obs;
		if (!sig_bytes_skip(&stream, FRAME_HEAD + (size_t)len))
			return CLF_OBS_MORE;
	}
	return CLF_OBS_MORE;
}
