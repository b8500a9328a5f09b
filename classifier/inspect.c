/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Undecided flows: a context is borrowed when there is something to read, filled with facts by the
 * readers, settled into a decision, given back. README.md tells the states and the limits.
 */
#include "classifier/engine_state.h"

enum { TCP = 6, UDP = 17, SYN = 2 };
enum {
	LIMIT_BYTES = CLF_STREAM_MAX, /* of one direction, while a reader wants more */
	LIMIT_PACKETS = 48,	      /* with data, while nobody knows what it is */
	LIMIT_DATAGRAMS = 12,
	LIMIT_SMALL = 2048, /* the same, while they are small or the first is missing */
	LIMIT_SMALL_BYTES = 16384,
	MIDSTREAM_PACKETS = 3,
};

static bool
is_latched(const struct clf_flow *f)
{
	return f->verdict == CLF_DROP || f->verdict == CLF_RESET;
}

/* Latches a verdict; from here on forwarded packets are what was not dropped. */
static void
latch(struct clf_engine *e, uint32_t flow, const struct clf_policy_answer *a, int dropped_end)
{
	struct clf_flow *f = &e->table.flows[flow];

	if (is_latched(f))
		return;
	f->icmp_reject = a->icmp_reject;
	if (a->verdict != CLF_DROP && a->verdict != CLF_RESET) {
		f->verdict = a->verdict;
		return;
	}
	if (f->ctx != 0)
		clf_ctx_close(e, &e->ctxs[f->ctx]);
	f->verdict = a->verdict;
	f->slow = 0;
	f->forwarded[0] = f->packets[0] - (dropped_end == 0);
	e->table.cold[flow].forwarded = f->packets[1] - (dropped_end == 1);
}

/* Nothing was read, and bytes are missing that the server has acknowledged. */
void
clf_note_gap(struct clf_ctx *c)
{
	if (c->stream[CLF_UP] && !c->hello && c->requests == 0)
		c->flags |= clf_stream_flags(c->stream[CLF_UP]) & CLF_FL_GAP;
}

/* First decision of a flow: details are told, once. `dropped_end`: of the packet in hand, -1 none.
 */
static void
decide(struct clf_engine *e, uint32_t flow, struct clf_ctx *c, uint64_t at_us, int dropped_end)
{
	struct clf_flow *f = &e->table.flows[flow];
	struct clf_weighed *w = &e->weighed;

	clf_note_gap(c);
	clf_weigh(e, flow, c, c->group, w);
	bool known = w->name_len != 0 || w->info || c->protocol_known || c->label.app != 0 ||
		     c->label.master != 0;
	f->state = known ? CLF_DECIDED : CLF_GAVE_UP;
	e->stats.flows_decided += known;
	e->stats.flows_gave_up += !known;
	e->stats.flows_matched += w->info != NULL;
	if (w->name_source != 0)
		e->stats.names_by_source[w->name_source]++;
	f->matched = w->info != NULL;
	f->told = 1;
	enum clf_blind blind = clf_blindness(e, flow, c, w);
	e->table.cold[flow].blind = (uint8_t)blind;
	clf_event_of_flow(e, flow, CLF_EV_DECIDED, at_us, &e->event);
	clf_event_details(e, flow, c, w, blind, &e->event);
	c->decided = 1;
	c->fresh = 0;
	c->renamed = 0;
	c->best_group = c->group;
	c->best_verdict = w->policy.verdict;
	c->best_confidence = w->confidence;
	latch(e, flow, &w->policy, dropped_end);
	clf_event_send(e, &e->event);
	if (!is_latched(f) && c->watch == 0)
		clf_ctx_close(e, c);
	f->slow = !is_latched(f) && f->ctx != 0; /* watched flows stay off the fast path */
}

/* More was learnt of a decided flow: told again, and the verdict may get stricter. */
static void
redecide(struct clf_engine *e, uint32_t flow, struct clf_ctx *c, uint64_t at_us, int dropped_end)
{
	struct clf_flow *f = &e->table.flows[flow];
	struct clf_weighed *w = &e->weighed;
	bool was_matched = f->matched;

	clf_weigh(e, flow, c, c->group, w);
	bool stricter = clf_verdict_rank(w->policy.verdict) > clf_verdict_rank(c->best_verdict);
	bool better = stricter || c->group == c->best_group ||
		      (clf_verdict_rank(w->policy.verdict) == clf_verdict_rank(c->best_verdict) &&
			  w->confidence > c->best_confidence);
	if (!better && !c->renamed)
		return;
	if (better) {
		c->best_group = c->group;
		c->best_verdict = w->policy.verdict;
		c->best_confidence = w->confidence;
	} else {
		clf_weigh(e, flow, c, c->best_group, w);
	}
	c->fresh = 0;
	c->renamed = 0;
	if (w->name_len != 0 || w->info)
		f->state = CLF_DECIDED;
	f->matched = was_matched || w->info != NULL;
	e->stats.flows_matched += f->matched && !was_matched;
	enum clf_blind blind = clf_blindness(e, flow, c, w);
	e->table.cold[flow].blind = (uint8_t)blind;
	clf_event_of_flow(e, flow, CLF_EV_UPDATED, at_us, &e->event);
	clf_event_details(e, flow, c, w, blind, &e->event);
	if (better)
		latch(e, flow, &w->policy, dropped_end);
	clf_event_send(e, &e->event);
}

/* What the streams say of themselves when no more is waited for. */
void
clf_gather_flags(struct clf_ctx *c)
{
	for (unsigned dir = 0; dir < 2; dir++) {
		if (c->stream[dir] && !c->decided && c->reader != CLF_READ_NONE)
			c->flags |= clf_stream_flags(c->stream[dir]) & CLF_FL_GAP;
	}
}

/* A hello or a request's head is being read, and what came of it is good so far. */
static bool
has_begun(const struct clf_ctx *c)
{
	if (c->hello || c->requests != 0 || c->server_done)
		return false;
	return (c->reader == CLF_READ_QUIC && c->initial) ||
	       (c->stream[CLF_UP] && (c->reader == CLF_READ_TLS || c->head_seen != 0));
}

void
clf_conclude(struct clf_engine *e, uint32_t flow, uint64_t at_us)
{
	struct clf_flow *f = &e->table.flows[flow];
	struct clf_ctx *c = clf_ctx_of(e, f);

	if (c->decided) {
		clf_ndpi_conclude(e, c);
		if (c->fresh || c->renamed)
			redecide(e, flow, c, at_us, -1);
	} else if (c->data_packets[0] + c->data_packets[1] != 0) {
		c->watch = has_begun(c) ? CLF_WATCH_REST : 0;
		c->deadline_us = at_us + e->watch_us;
		clf_gather_flags(c);
		clf_conclude_hello(e, f, c);
		clf_ndpi_conclude(e, c);
		decide(e, flow, c, at_us, -1);
		if (f->ctx !=
		    0) /* watched: who sends a hello a byte a second is named in the end */
			return;
	} else if (e->config.ndpi == CLF_NDPI_ALL && f->ctx != 0) {
		c->deadline_us = at_us +
				 e->limit_us[f->klass]; /* its label is asked for at the end */
		return;
	} /* else: nothing came yet; the flow stays NEW and may borrow again */
	if (!is_latched(f) && f->ctx != 0)
		clf_ctx_close(e, &e->ctxs[f->ctx]);
	if (f->state == CLF_INSPECTING)
		f->state = CLF_NEW;
}

/*
 * Does the rule set look at what only the server's flight shows? Beside a name that the client
 * asked for, names of the certificate say nothing: one certificate serves many customers of a CDN.
 */
static bool
wants_certificate(const struct clf_engine *e)
{
	return (e->fields & (1u << SIG_F_CERT_ISSUER | 1u << SIG_F_CERT_SUBJECT)) != 0;
}

/* Too early to say that nobody can read it, however many segments came. */
static bool
is_early(const struct clf_ctx *c, unsigned packets)
{
	const struct clf_stream *up = c->stream[CLF_UP];

	if (packets >= LIMIT_SMALL)
		return false;
	if (up && clf_stream_waits(up))
		return true; /* the first byte is still to come */
	if (c->reader == CLF_READ_START && c->data_bytes[CLF_UP] != 0 &&
	    c->data_bytes[CLF_UP] < LIMIT_SMALL_BYTES)
		return true; /* small segments, and a reader that asks for more */
	/* Mid-stream an earlier part may come later. */
	return (c->flags & CLF_FL_MIDSTREAM) && packets < MIDSTREAM_PACKETS;
}

static bool
unknown_is_over(const struct clf_engine *e, const struct clf_ctx *c, uint8_t protocol)
{
	/* Of a stream, only what could be read counts: its first bytes may come last. */
	unsigned packets = protocol == TCP ? c->reads : c->data_packets[0] + c->data_packets[1];
	bool wants_ndpi = e->config.ndpi != CLF_NDPI_OFF && !c->ndpi_done;
	/* A stream may be cut anywhere; of datagrams the first says all. */
	bool wants_payload = protocol == TCP ? clf_wants_payload(e, c, CLF_UP)
					     : e->reach[CLF_UP] && c->data_packets[CLF_UP] == 0;
	bool wants_answer = protocol == TCP ? clf_wants_payload(e, c, CLF_DOWN)
					    : e->reach[CLF_DOWN] && c->data_packets[CLF_DOWN] == 0;

	if (protocol == TCP && is_early(c, packets))
		return false;
	if (packets >= (protocol == TCP ? LIMIT_PACKETS : LIMIT_DATAGRAMS))
		return true;
	if (wants_ndpi || wants_payload || wants_answer)
		return false;
	if (protocol == TCP)
		return c->reader == CLF_READ_NONE;
	/* A datagram of rubbish may come before an Initial: without nDPI's word some are waited
	 * for. */
	return c->protocol_known || c->label.app != 0 || c->label.master != 0;
}

/* Is there nothing left to wait for? `matched`: what is known already fits a signature. */
static bool
is_finished(const struct clf_engine *e, const struct clf_ctx *c, uint8_t protocol, bool matched)
{
	if (c->data_bytes[CLF_UP] > LIMIT_BYTES || c->data_bytes[CLF_DOWN] > LIMIT_BYTES)
		return true;
	switch (c->reader) {
	case CLF_READ_TLS:
		if (!c->hello)
			return false;
		return (c->hello_sni && (matched || !wants_certificate(e))) || c->server_done;
	case CLF_READ_QUIC: return c->hello;
	case CLF_READ_HTTP: return c->n_facts != 0 && c->protocol_known;
	case CLF_READ_H2: return c->requests != 0 || c->need[CLF_UP] == UINT32_MAX;
	case CLF_READ_DNS: return c->protocol_known;
	case CLF_READ_START:
		if (c->requests != 0) /* what follows CONNECT is watched for */
			return true;
		/* fall through */
	default: return unknown_is_over(e, c, protocol);
	}
}

static void
settle(struct clf_visit *v, struct clf_ctx *c)
{
	struct clf_engine *e = v->e;
	int end = (int)(v->dir ^ v->f->initiator);
	bool matched = false;

	if (c->decided) {
		if (c->fresh || c->renamed)
			redecide(e, v->flow, c, v->ts_us, end);
		if (!has_begun(c))
			c->watch &= (uint8_t)~CLF_WATCH_REST;
		if (!is_latched(v->f) && c->watch == 0)
			clf_ctx_close(e, c);
		return;
	}
	if (c->data_packets[0] + c->data_packets[1] == 0)
		return;
	/* Two readings: the server's word, or the time-out, is waited for, so that both are told.
	 */
	if ((c->flags & CLF_FL_AMBIGUOUS) && c->reader == CLF_READ_TLS &&
	    c->data_packets[CLF_DOWN] == 0)
		return;
	if (c->fresh) {
		c->fresh = 0;
		clf_weigh(e, v->flow, c, c->group, &e->weighed);
		matched = e->weighed.info && e->weighed.confidence >= SIG_CONF_STRONG;
	}
	if (!matched && !is_finished(e, c, v->pkt->protocol, matched))
		return;
	if (v->pkt->protocol == TCP && c->reader == CLF_READ_NONE && c->stream[CLF_UP])
		c->watch |= CLF_WATCH_LATE;
	decide(e, v->flow, c, v->ts_us, end);
}

static void
give_up_unread(struct clf_visit *v, enum clf_flag why)
{
	struct clf_ctx *blank = clf_ctx_of(v->e, v->f);

	blank->flags |= why;
	v->e->stats.inspect_full++;
	decide(v->e, v->flow, blank, v->ts_us, -1);
}

/* Neither TCP nor UDP: one look says all that can be said. */
static void
inspect_other(struct clf_visit *v, struct clf_ctx *c)
{
	c->data_packets[v->dir]++;
	c->reader = CLF_READ_NONE;
	c->protocol_known = 1;
	clf_feed_ndpi_raw(v, c);
	c->ndpi_done = 1;
}

void
clf_inspect(struct clf_visit *v)
{
	struct clf_engine *e = v->e;
	struct clf_ctx *c = v->f->ctx != 0 ? &e->ctxs[v->f->ctx] : NULL;
	bool tcp = v->pkt->protocol == TCP;
	bool data = v->pkt->payload_len != 0 || (!tcp && v->pkt->protocol != UDP);

	if (c && v->ts_us > c->deadline_us) {
		clf_conclude(e, v->flow, c->deadline_us);
		c = v->f->ctx != 0 && !is_latched(v->f) ? &e->ctxs[v->f->ctx] : NULL;
		if (v->f->state >= CLF_DECIDED && !c)
			return;
	}
	if (!c) {
		if (v->f->state >= CLF_DECIDED ||
		    (!data && !(v->pkt->tcp_flags & SYN) && e->config.ndpi != CLF_NDPI_ALL))
			return;
		c = clf_ctx_open(e, v->flow);
		if (!c) {
			if (data)
				give_up_unread(v, CLF_FL_OVER_LIMIT);
			return;
		}
	}
	clf_ctx_touch(e, c);
	if (c->decided)
		c->deadline_us = v->ts_us + e->watch_us;
	if (v->pkt->payload_wire > v->pkt->payload_len)
		c->flags |= CLF_FL_TRUNCATED;
	if (v->pkt->fragmented)
		c->flags |= CLF_FL_FRAGMENTED;
	if (v->pkt->fragmented == 2)
		c->flags |= CLF_FL_FRAGMENTS_LOST;
	if (tcp)
		clf_inspect_tcp(v, c);
	else if (v->pkt->protocol == UDP)
		clf_inspect_udp(v, c);
	else
		inspect_other(v, c);
	settle(v, c);
	/* Several requests in one segment: each is judged before the next is read. */
	while (!is_latched(v->f) && v->f->ctx != 0 && c->more) {
		c->more = 0;
		clf_read_on(v, c);
		settle(v, c);
	}
	if (tcp && !is_latched(v->f) && v->f->ctx != 0)
		clf_keep_streams(e, c);
}
