/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP under inspection: the first requests of a connection, each with facts of its own; what
 * follows a CONNECT; HTTP/2 with prior knowledge or by upgrade.
 */
#include "classifier/engine_state.h"

enum { REQUESTS_MAX = 8, PATH_FACT_MAX = 512, AGENT_FACT_MAX = 256 };

static size_t
at_most(size_t n, size_t max)
{
	return n < max ? n : max;
}

/* Another request on a decided connection: facts of a request that did not win make room. */
static void
next_group(struct clf_ctx *c)
{
	unsigned kept = 0;

	if (c->group == 0 && c->n_facts == 0)
		return;
	for (unsigned i = 0; i < c->n_facts; i++) {
		if (c->facts[i].group == CLF_GROUP_ALL || c->facts[i].group == c->best_group)
			c->facts[kept++] = c->facts[i];
	}
	c->n_facts = (uint8_t)kept;
	c->fact_text = kept ? (uint16_t)(c->facts[kept - 1].off + c->facts[kept - 1].len) : 0;
	c->group++;
}

static void
add_request_text(
    struct clf_visit *v, struct clf_ctx *c, enum sig_field field, const uint8_t *p, size_t len)
{
	size_t max = field == SIG_F_HTTP_PATH ? PATH_FACT_MAX : AGENT_FACT_MAX;

	/* The path is no part of a record: kept only for signatures. */
	if (len == 0 || (field == SIG_F_HTTP_PATH && !(v->e->fields & (1u << field))))
		return;
	clf_add_fact(c, field, p, at_most(len, max), clf_packet_number(v->f), c->group);
}

static void
take_request(struct clf_visit *v, struct clf_ctx *c, const struct clf_http_req *r)
{
	uint32_t packet = clf_packet_number(v->f);

	if (c->requests != 0)
		next_group(c);
	c->requests++;
	c->protocol_known = 1;
	c->fresh = 1;
	if (r->ambiguous)
		c->flags |= CLF_FL_AMBIGUOUS;
	if (r->have_target)
		clf_add_name(c, r->connect ? SIG_F_HTTP_CONNECT : SIG_F_HTTP_URI, &r->target,
		    packet, c->group);
	if (r->have_host)
		clf_add_name(c, SIG_F_HTTP_HOST, &r->host, packet, c->group);
	if (r->have_host2)
		clf_add_name(c, SIG_F_HTTP_HOST, &r->host2, packet, c->group);
	add_request_text(v, c, SIG_F_HTTP_PATH, r->path, r->path_len);
	add_request_text(v, c, SIG_F_USER_AGENT, r->user_agent, r->user_agent_len);
}

/* A request whose head never ended: the host that it showed. */
void
clf_conclude_request(struct clf_engine *e, const struct clf_flow *f, struct clf_ctx *c)
{
	struct clf_http_req *r = &e->http;

	if (clf_http_request(clf_stream_view(c->stream[CLF_UP]), r) != CLF_OBS_MORE)
		return;
	c->protocol_known = 1;
	c->flags |= CLF_FL_GAP | (r->ambiguous ? CLF_FL_AMBIGUOUS : 0);
	if (r->have_target)
		clf_add_name(c, r->connect ? SIG_F_HTTP_CONNECT : SIG_F_HTTP_URI, &r->target,
		    clf_packet_number(f), c->group);
	if (r->have_host)
		clf_add_name(c, SIG_F_HTTP_HOST, &r->host, clf_packet_number(f), c->group);
	if (r->have_host2)
		clf_add_name(c, SIG_F_HTTP_HOST, &r->host2, clf_packet_number(f), c->group);
}

/* Goes past the rest of a body. False: it is not all here yet, or it never ends. */
static bool
pass_body(struct clf_visit *v, struct clf_ctx *c)
{
	struct sig_bytes stream = clf_stream_view(c->stream[CLF_UP]);
	size_t left = sig_bytes_left(&stream);
	uint32_t end = 0;

	if (c->chunked) {
		enum clf_obs obs = clf_http_chunked_end(stream, &end);

		if (obs == CLF_OBS_BAD) { /* where the next request begins, nobody can say */
			c->watch &= (uint8_t)~CLF_WATCH_REQUESTS;
			c->need[CLF_UP] = UINT32_MAX;
			return false;
		}
		clf_stream_consume(v->e->streams, c->stream[CLF_UP], end);
		c->chunked = obs != CLF_OBS_DONE;
		return obs == CLF_OBS_DONE;
	}
	size_t n = c->skip < left ? (size_t)c->skip : left;
	if (n != 0)
		clf_stream_consume(v->e->streams, c->stream[CLF_UP], n);
	c->skip -= n;
	return c->skip == 0;
}

bool
clf_read_http(struct clf_visit *v, struct clf_ctx *c, struct sig_bytes stream)
{
	struct clf_http_req *r = &v->e->http;

	if (c->reader == CLF_READ_HTTP && (c->skip != 0 || c->chunked)) {
		c->need[CLF_UP] = 0;
		return pass_body(v, c);
	}
	if (c->head_seen != 0 && clf_http_goes_on(stream, c->head_seen)) {
		c->head_seen = (uint32_t)sig_bytes_left(&stream);
		c->need[CLF_UP] = c->head_seen + 1;
		return false;
	}
	enum clf_obs obs = clf_http_request(stream, r);
	c->head_seen = obs == CLF_OBS_MORE && r->in_head ? (uint32_t)sig_bytes_left(&stream) : 0;
	switch (obs) {
	case CLF_OBS_MORE: c->need[CLF_UP] = r->need; return false;
	case CLF_OBS_NOT_MINE:
		c->not_mine |= CLF_NOT_HTTP;
		c->need[CLF_UP] = 0;
		if (c->reader == CLF_READ_HTTP) { /* upgraded: TLS (RFC 2817), or another */
			c->watch &= (uint8_t)~CLF_WATCH_REQUESTS;
			c->reader = CLF_READ_NONE;
			c->watch |= CLF_WATCH_LATE;
			return true;
		}
		return false;
	case CLF_OBS_BAD:
		c->flags |= CLF_FL_MALFORMED;
		c->reader = CLF_READ_HTTP;
		take_request(v, c, r);
		c->watch &= (uint8_t)~CLF_WATCH_REQUESTS;
		c->server_done = 1;
		c->reader = CLF_READ_HTTP;
		c->need[CLF_UP] = UINT32_MAX;
		return false;
	case CLF_OBS_DONE: break;
	}
	c->reader = CLF_READ_HTTP;
	c->need[CLF_UP] = 0;
	take_request(v, c, r);
	clf_stream_consume(v->e->streams, c->stream[CLF_UP], r->head_len);
	c->skip = r->connect ? 0 : r->body_len;
	c->chunked = r->chunked && !r->connect;
	c->watch |= CLF_WATCH_REQUESTS;
	if (c->requests >= REQUESTS_MAX) {
		c->watch &= (uint8_t)~CLF_WATCH_REQUESTS;
		c->need[CLF_UP] = UINT32_MAX;
	}
	if (r->connect || r->upgrade_h2c) {
		/* Whatever follows is read afresh: TLS, HTTP, or a CONNECT that is tried again. */
		c->reader = CLF_READ_START;
		c->not_mine = CLF_NOT_DNS;
		c->connect = r->connect;
	}
	/* One request a look: each is weighed before the next is read. */
	c->more = 1;
	return false;
}

/* What was eaten need not be kept, but for the byte that says that a preface was there: an upload
 * would fill the stream. */
static void
pass_frames(struct clf_visit *v, struct clf_ctx *c, size_t left)
{
	uint32_t n = clf_h2_eaten(c->h2);

	n = n != 0 ? n - 1 : 0;
	if (n > left)
		n = (uint32_t)left;
	clf_stream_consume(v->e->streams, c->stream[CLF_UP], n);
	clf_h2_forget(c->h2, n);
}

bool
clf_read_h2(struct clf_visit *v, struct clf_ctx *c, struct sig_bytes stream)
{
	struct clf_engine *e = v->e;
	struct clf_h2_req *r = &e->h2req;
	uint32_t packet = clf_packet_number(v->f);

	if (c->reader != CLF_READ_H2) {
		if (!clf_h2_looks(stream)) {
			c->not_mine |= CLF_NOT_H2;
			return false;
		}
		if (sig_bytes_left(&stream) < 24) /* the whole preface */
			return false;
		if (!c->h2 && e->h2_free != 0)
			c->h2 = e->h2[--e->h2_free];
		if (!c->h2) {
			c->flags |= CLF_FL_OVER_LIMIT;
			c->not_mine |= CLF_NOT_H2;
			return false;
		}
		clf_h2_reset(c->h2);
		c->reader = CLF_READ_H2;
		c->protocol_known = 1;
		c->need[CLF_UP] = 0;
	}
	enum clf_obs obs = clf_h2_next(c->h2, stream, r);
	pass_frames(v, c, sig_bytes_left(&stream));
	switch (obs) {
	case CLF_OBS_MORE: return false;
	case CLF_OBS_DONE: break;
	default:
		c->flags |= CLF_FL_MALFORMED;
		c->watch &= (uint8_t)~CLF_WATCH_REQUESTS;
		c->need[CLF_UP] = UINT32_MAX;
		if (c->requests == 0 && r->have_authority) { /* the rest may say another */
			c->flags |= CLF_FL_AMBIGUOUS;
			clf_add_name(c, SIG_F_HTTP_HOST, &r->authority, packet, c->group);
		}
		return false;
	}
	if (c->requests != 0)
		next_group(c);
	c->requests++;
	c->fresh = 1;
	if (r->ambiguous)
		c->flags |= CLF_FL_AMBIGUOUS;
	if (r->have_authority)
		clf_add_name(c, r->connect ? SIG_F_HTTP_CONNECT : SIG_F_HTTP_HOST, &r->authority,
		    packet, c->group);
	if (r->have_path)
		add_request_text(v, c, SIG_F_HTTP_PATH, r->path, r->path_len);
	if (r->have_user_agent)
		add_request_text(v, c, SIG_F_USER_AGENT, r->user_agent, r->user_agent_len);
	c->watch |= CLF_WATCH_REQUESTS;
	if (c->requests >= REQUESTS_MAX) {
		c->watch &= (uint8_t)~CLF_WATCH_REQUESTS;
		c->need[CLF_UP] = UINT32_MAX;
	}
	c->more = 1;
	return false;
}
