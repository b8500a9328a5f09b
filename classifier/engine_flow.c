/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slow path of one packet: fragments, new flows and who began them, closing, expiry by the
 * packet's own time, eviction; then inspection of what is undecided.
 */
#include <errno.h>

#include "classifier/engine_state.h"

enum { TCP = 6, UDP = 17 };
enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
enum {
	EVICT_LOOKS = 16,
	EVICT_SILENT_US = 1000000,  /* no better one is looked for */
	REOPEN_SILENT_US = 3000000, /* a SYN after so long a silence is another connection */
	FIRST_DYNAMIC_PORT = 1024,
};

uint64_t
clf_flow_deadline(const struct clf_engine *e, const struct clf_flow *f)
{
	uint64_t idle = f->last_us + e->limit_us[f->klass];

	if (f->verdict != CLF_DROP && f->verdict != CLF_RESET && f->ctx != 0 &&
	    e->ctxs[f->ctx].deadline_us < idle)
		return e->ctxs[f->ctx].deadline_us;
	return idle;
}

void
clf_flow_end(struct clf_engine *e, uint32_t flow, uint64_t at_us, bool flushing)
{
	struct clf_flow *f = &e->table.flows[flow];
	bool told = f->told, undecided = f->state < CLF_DECIDED;

	/* nDPI's last word on a flow that was told before it was done. */
	if (told && f->verdict != CLF_DROP && f->verdict != CLF_RESET && f->ctx != 0 &&
	    e->ctxs[f->ctx].ndpi)
		clf_conclude(e, flow, at_us);
	if (!told) {
		struct clf_ctx *c = clf_ctx_of(e, f);
		clf_gather_flags(c);
		clf_conclude_hello(e, f, c);
		clf_ndpi_conclude(e, c);
		clf_note_gap(c);
		clf_weigh(e, flow, c, c->best_group, &e->weighed);
		bool known = e->weighed.name_len != 0 || e->weighed.info != NULL ||
			     c->protocol_known || c->label.app != 0 || c->label.master != 0;
		if (undecided)
			f->state = known ? CLF_DECIDED : flushing ? CLF_INSPECTING : CLF_GAVE_UP;
		e->stats.flows_decided += undecided && f->state == CLF_DECIDED;
		e->stats.flows_gave_up += undecided && f->state != CLF_DECIDED;
		e->stats.flows_matched += e->weighed.info != NULL && !f->matched;
		enum clf_blind blind = clf_blindness(e, flow, c, &e->weighed);
		e->table.cold[flow].blind = (uint8_t)blind;
		if (e->weighed.name_source != 0)
			e->stats.names_by_source[e->weighed.name_source]++;
		clf_event_of_flow(e, flow, CLF_EV_ENDED, at_us, &e->event);
		clf_event_details(e, flow, c, &e->weighed, blind, &e->event);
	} else {
		clf_event_of_flow(e, flow, CLF_EV_ENDED, at_us, &e->event);
	}
	uint8_t blind = e->table.cold[flow].blind;
	e->stats.blind_flows[blind]++;
	e->stats.blind_bytes[blind] += f->bytes[0] + f->bytes[1];
	e->stats.flows_ended++;
	e->stats.flows_now--;
	if (f->verdict != CLF_DROP && f->verdict != CLF_RESET && f->ctx != 0)
		clf_ctx_close(e, &e->ctxs[f->ctx]);
	clf_event_send(e, &e->event);
	clf_flow_remove(&e->table, flow);
}

/* Never answered, or closed: what a flood leaves behind. */
static bool
may_evict(const struct clf_flow *f)
{
	if (f->k[1] == CLF_KEY_FREE || f->verdict == CLF_DROP || f->verdict == CLF_RESET)
		return false;
	return f->klass == CLF_CLASS_TCP_CLOSED ||
	       (!f->matched && (f->packets[0] == 0 || f->packets[1] == 0));
}

/*
 * The first that has been silent for a while, else the longest silent of those looked at. The hand
 * goes round, so that a new flow has as long as the whole table takes to be filled anew for its
 * answer to come; were it refused instead, a flood of new flows would hide all others.
 */
static bool
evict_one(struct clf_engine *e, uint64_t ts_us)
{
	struct clf_flow_table *t = &e->table;
	uint32_t best = 0;

	for (unsigned i = 0; i < EVICT_LOOKS; i++) {
		t->hand = t->hand >= t->used ? 1 : t->hand + 1;
		const struct clf_flow *f = &t->flows[t->hand];
		if (!may_evict(f) || (best != 0 && f->last_us >= t->flows[best].last_us))
			continue;
		best = t->hand;
		if (f->klass == CLF_CLASS_TCP_CLOSED ||
		    (int64_t)(ts_us - f->last_us) > EVICT_SILENT_US)
			break;
	}
	if (best == 0)
		return false;
	e->stats.evicted++;
	clf_flow_end(e, best, ts_us, false);
	return true;
}

/* Did the packet's sender begin the flow? */
static bool
sender_began(const struct clf_pkt *p)
{
	if (p->protocol == TCP) {
		if (p->tcp_flags & SYN)
			return !(p->tcp_flags & ACK);
		return p->src_port >= p->dst_port; /* mid-stream: the lower port serves */
	}
	if (p->protocol == UDP)
		return !(p->src_port < FIRST_DYNAMIC_PORT && p->dst_port >= FIRST_DYNAMIC_PORT);
	return true;
}

static uint32_t
new_flow(
    struct clf_engine *e, const struct clf_flow_key *key, const struct clf_pkt *p, uint64_t ts_us)
{
	uint32_t flow = clf_flow_insert(&e->table, key, p);

	if (flow == 0 && evict_one(e, ts_us))
		flow = clf_flow_insert(&e->table, key, p);
	if (flow == 0) {
		e->stats.table_full++;
		return 0;
	}
	struct clf_flow *f = &e->table.flows[flow];
	struct clf_flow_cold *c = &e->table.cold[flow];
	uint64_t seq = e->next_seq++;

	f->initiator = sender_began(p) ? key->swap : !key->swap;
	f->syn = p->protocol == TCP && (p->tcp_flags & SYN) != 0;
	f->klass = p->protocol != TCP ? CLF_CLASS_OTHER
		   : f->syn	      ? CLF_CLASS_TCP_HALF
				      : CLF_CLASS_TCP;
	f->slow = 1;
	f->last_us = ts_us;
	c->first_us = ts_us;
	c->seq_low = (uint32_t)seq;
	c->seq_high = (uint16_t)(seq >> 32);
	c->tunnel = p->tunnel;
	c->tunnel_id = p->tunnel_id;
	e->stats.flows_new++;
	e->stats.flows_now++;
	clf_wheel_arm(&e->table, flow, clf_flow_deadline(e, f));
	return flow;
}

static void
account(struct clf_flow *f, bool swap, uint64_t packets, uint64_t bytes, uint64_t ts_us)
{
	uint64_t count = ((uint64_t)f->packets_high[swap] << 32 | f->packets[swap]) + packets;

	f->packets[swap] = (uint32_t)count;
	f->packets_high[swap] = (uint8_t)(count >> 32);
	f->bytes[swap] += bytes;
	if (ts_us > f->last_us)
		f->last_us = ts_us;
}

/* FIN both ways or RST; while inspecting, only those that an endpoint would believe. */
static void
track_tcp(struct clf_visit *v, bool swap)
{
	struct clf_engine *e = v->e;
	struct clf_flow *f = v->f;
	uint8_t flags = v->pkt->tcp_flags;

	if (f->klass == CLF_CLASS_TCP_HALF && f->packets[0] != 0 && f->packets[1] != 0)
		f->klass = CLF_CLASS_TCP;
	if (!(flags & (FIN | RST)) || f->klass == CLF_CLASS_TCP_CLOSED)
		return;
	if (f->slow && f->verdict != CLF_DROP && f->verdict != CLF_RESET && f->ctx != 0) {
		struct clf_stream *s = e->ctxs[f->ctx].stream[v->dir];
		if (s && !clf_stream_control_ok(e->streams, s, v->pkt, e->config.trust_checksums))
			return;
	}
	if (flags & FIN)
		f->fin |= (uint8_t)(1 << swap);
	if ((flags & RST) || f->fin == 3) {
		f->klass = CLF_CLASS_TCP_CLOSED;
		clf_wheel_arm(&e->table, v->flow, clf_flow_deadline(e, f));
	}
}

/* Is this packet another connection's, though the key is the same? */
static bool
begins_anew(
    const struct clf_engine *e, const struct clf_flow *f, const struct clf_pkt *p, uint64_t ts_us)
{
	if ((int64_t)(ts_us - f->last_us) > (int64_t)e->limit_us[f->klass])
		return true;
	if (p->protocol != TCP || (p->tcp_flags & (SYN | ACK)) != SYN)
		return false;
	if (f->klass == CLF_CLASS_TCP_CLOSED)
		return true;
	if (f->verdict == CLF_DROP || f->verdict == CLF_RESET ||
	    (int64_t)(ts_us - f->last_us) <= REOPEN_SILENT_US)
		return false;
	if (f->state >= CLF_DECIDED)
		return true;
	/* Before any data it is the same SYN again, in a hello's middle it may be a decoy. */
	return f->ctx != 0 && (e->ctxs[f->ctx].hello || e->ctxs[f->ctx].requests != 0);
}

void
clf_result_of(const struct clf_engine *e, uint32_t flow, struct clf_result *res)
{
	const struct clf_flow *f = &e->table.flows[flow];

	res->verdict = f->verdict <= CLF_RESET ? f->verdict : CLF_PASS;
	res->icmp_reject = f->icmp_reject;
	res->matched = f->matched;
	res->flow_id = clf_flow_id(e, flow);
}

/* Bypass: counted, not looked at, never dropped. */
static void
pass_by(struct clf_visit *v, bool swap, struct clf_result *res)
{
	struct clf_engine *e = v->e;

	v->f->uninspected = 1;
	if (v->f->verdict == CLF_DROP || v->f->verdict == CLF_RESET) {
		if (swap)
			e->table.cold[v->flow].forwarded++;
		else
			v->f->forwarded[0]++;
	}
	e->stats.uninspected++;
	e->stats.verdicts[CLF_PASS]++;
	res->flow_id = clf_flow_id(e, v->flow);
	res->matched = v->f->matched;
}

/* Counts a fragment; when the datagram is whole, *pkt becomes the rejoined packet. */
static bool
rejoin(struct clf_engine *e, struct clf_pkt *pkt, uint64_t ts_us, struct clf_fragment_count *ret)
{
	struct clf_pkt whole;
	uint64_t token = 0;
	int r = clf_frags_push(e->frags, pkt, ts_us, &whole, &token);
	struct clf_fragment_count *c = &e->fragment_counts[token % CLF_FRAGMENT_COUNTS];

	if (r == -ENOSPC)
		e->stats.fragments_full++;
	if (c->token != token)
		*c = (struct clf_fragment_count){ .token = token, .first_us = ts_us };
	c->packets++;
	c->bytes += pkt->bytes;
	if (r != 1)
		return false;
	*ret = *c;
	c->token = 0;
	*pkt = whole;
	return pkt->parse == CLF_P_OK;
}

static void look_at(struct clf_engine *e, struct clf_pkt *pkt, const struct clf_frame *frame,
    const struct clf_fragment_count *count, struct clf_result *res);

/*
 * Datagrams that will not be whole: what their beginning says is read, late, for the record alone.
 * Their frames went out and were counted when they came.
 */
void
clf_read_lost_heads(struct clf_engine *e, uint64_t now_us)
{
	uint64_t verdicts[sizeof(e->stats.verdicts) / sizeof(e->stats.verdicts[0])], token;
	struct clf_pkt head;

	while (clf_frags_give_up(e->frags, now_us, &head, &token)) {
		struct clf_fragment_count *c = &e->fragment_counts[token % CLF_FRAGMENT_COUNTS];
		struct clf_fragment_count count = *c;
		struct clf_frame frame = { .data = head.data, .len = head.len };
		struct clf_result res;

		if (head.parse != CLF_P_OK || c->token != token)
			continue;
		c->token = 0;
		frame.ts_us = count.first_us;
		memcpy(verdicts, e->stats.verdicts, sizeof(verdicts));
		look_at(e, &head, &frame, &count, &res);
		memcpy(e->stats.verdicts, verdicts, sizeof(verdicts));
	}
}

static void
visit_flow(struct clf_visit *v, const struct clf_flow_key *key,
    const struct clf_fragment_count *count, struct clf_result *res)
{
	struct clf_engine *e = v->e;
	struct clf_flow *f = v->f;

	v->dir = clf_flow_dir(f, key->swap);
	account(f, key->swap, count->packets, count->bytes, v->ts_us);
	if (count->first_us < e->table.cold[v->flow].first_us)
		e->table.cold[v->flow].first_us = count->first_us;
	if (e->bypass) {
		pass_by(v, key->swap, res);
		return;
	}
	uint8_t before = f->verdict;
	f->slow = f->state < CLF_DECIDED ||
		  (before != CLF_DROP && before != CLF_RESET && f->ctx != 0);
	if (v->pkt->protocol == TCP)
		track_tcp(v, key->swap);
	if (f->slow)
		clf_inspect(v);
	clf_result_of(e, v->flow, res);
	res->first_of_verdict = f->verdict != before && f->verdict <= CLF_RESET;
	e->stats.verdicts[f->verdict]++;
}

/* A frame in several segments: made flat, and parsed again over all its bytes. */
static bool
flatten(
    struct clf_engine *e, struct clf_pkt *pkt, const struct clf_frame *frame, struct clf_frame *ret)
{
	uint8_t was = pkt->parse;

	if (!e->config.flatten)
		return false;
	*ret = *frame;
	ret->len = e->config.flatten(frame, e->flat, CLF_FLAT_MAX);
	ret->data = e->flat;
	ret->flags = (uint8_t)(ret->flags & ~CLF_FRAME_MORE);
	clf_parse_frame(ret, e->parse_options, pkt);
	e->stats.parse[was]--;
	e->stats.parse[pkt->parse]++;
	return true;
}

void
clf_slow_packet(struct clf_engine *e, struct clf_pkt *pkt, const struct clf_frame *frame,
    struct clf_result *res)
{
	uint64_t ts = frame->ts_us != 0 ? frame->ts_us : e->now_us;
	struct clf_fragment_count count = { .first_us = ts, .packets = 1 };
	struct clf_frame flat;

	*res = (struct clf_result){ .verdict = CLF_PASS };
	if ((frame->flags & CLF_FRAME_MORE) && flatten(e, pkt, frame, &flat))
		frame = &flat;
	count.bytes = pkt->bytes;
	if ((pkt->parse != CLF_P_OK && pkt->parse != CLF_P_FRAGMENT) ||
	    (pkt->parse == CLF_P_FRAGMENT && !rejoin(e, pkt, ts, &count))) {
		e->stats.verdicts[CLF_PASS]++;
		return;
	}
	look_at(e, pkt, frame, &count, res);
}

/* A packet with a flow of its own: a DNS question's, or one of the table. */
static void
look_at(struct clf_engine *e, struct clf_pkt *pkt, const struct clf_frame *frame,
    const struct clf_fragment_count *count, struct clf_result *res)
{
	uint64_t ts = frame->ts_us != 0 ? frame->ts_us : e->now_us;
	struct clf_flow_key key;

	*res = (struct clf_result){ .verdict = CLF_PASS };
	if (pkt->protocol == UDP && !e->bypass && clf_dns_packet(e, pkt, ts, res))
		return;
	clf_flow_key(pkt, e->table.seed, &key);
	uint32_t flow = clf_flow_find(&e->table, &key, pkt);
	if (flow != 0 && begins_anew(e, &e->table.flows[flow], pkt, ts)) {
		uint64_t idle = e->table.flows[flow].last_us +
				e->limit_us[e->table.flows[flow].klass];
		clf_flow_end(e, flow, idle < ts ? idle : ts, false);
		flow = 0;
	}
	if (flow == 0)
		flow = new_flow(e, &key, pkt, ts);
	if (flow == 0) {
		e->stats.verdicts[CLF_PASS]++;
		return;
	}
	struct clf_visit v = { .e = e,
		.pkt = pkt,
		.frame = frame,
		.f = &e->table.flows[flow],
		.flow = flow,
		.ts_us = ts };
	visit_flow(&v, &key, count, res);
}
