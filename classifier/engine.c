/* SPDX-License-Identifier: Apache-2.0 */
/*
 * THE HOT PATH. A burst goes through named stages over arrays; a packet of a decided flow touches
 * its headers, one bucket and one flow line, both prefetched, and is parsed no further than its key
 * needs. The others are parsed whole and go one by one to engine_flow.c, in order.
 */
#include "classifier/engine_state.h"
#include "classifier/parse_fast.h"

enum lane_kind {
	LANE_SLOW,  /* pkt is filled; nothing to look up */
	LANE_WHOLE, /* pkt is filled: IPv6, VLAN tags, tunnels, options */
	LANE_PLAIN, /* untagged IPv4: pkt is not filled yet */
};

struct lane { /* what the fast path needs of a packet: less than a cache line */
	struct clf_flow_key key;
	uint32_t flow; /* unverified; 0 none */
	uint32_t bytes;
	uint8_t kind, tcp_flags;
};

struct burst {
	struct lane lane[CLF_BURST_MAX];
	uint8_t slow[CLF_BURST_MAX]; /* numbers of packets for the slow path */
	unsigned n_slow;
	struct clf_pkt pkt[CLF_BURST_MAX]; /* touched only where a lane is not plain */
};

static const uint8_t applied[CLF_WOULD_RESET + 1] = {
	[CLF_DROP] = CLF_DROP, [CLF_RESET] = CLF_RESET
};

enum { TCP_EVENTS = 1 | 2 | 4, WHEEL_SHARE = 4 };

static void
parse_whole(
    struct clf_engine *e, const struct clf_frame *frame, struct clf_pkt *pkt, struct lane *l)
{
	if (!clf_parse_fast(frame, e->parse_options, pkt))
		clf_parse_frame(frame, e->parse_options, pkt);
	e->stats.parse[pkt->parse]++;
	l->kind = pkt->parse == CLF_P_OK ? LANE_WHOLE : LANE_SLOW;
	if (l->kind == LANE_SLOW)
		return;
	clf_flow_key(pkt, e->table.seed, &l->key);
	l->bytes = pkt->bytes;
	l->tcp_flags = pkt->tcp_flags;
}

static inline bool
key_of_plain(const struct clf_engine *e, const struct clf_frame *frame, struct lane *l)
{
	const uint8_t *d = frame->data;
	struct clf_outline o;

	if (!clf_outline_plain(frame, e->parse_options, &o))
		return false;
	clf_flow_key_v4(d + o.l3 + 12, clf_load32(d + o.l4), clf_key_rest(o.vlan, o.protocol),
	    e->table.seed, &l->key);
	l->bytes = o.bytes;
	l->tcp_flags = o.tcp_flags;
	l->kind = LANE_PLAIN;
	return true;
}

static void
key_all(struct clf_engine *e, const struct clf_frame *frames, unsigned n, struct burst *b)
{
	uint64_t bytes = 0, plain = 0;

	for (unsigned i = 0; i < n; i++) {
		struct lane *l = &b->lane[i];

		if (__builtin_expect(key_of_plain(e, &frames[i], l), 1))
			plain++;
		else
			parse_whole(e, &frames[i], &b->pkt[i], l);
		bytes += frames[i].wire_len;
		if (l->kind != LANE_SLOW)
			__builtin_prefetch(clf_flow_bucket(&e->table, l->key.hash));
	}
	e->stats.parse[CLF_P_OK] += plain;
	e->stats.frames += n;
	e->stats.bytes += bytes;
}

static void
find_all(const struct clf_engine *e, unsigned n, struct burst *b)
{
	const struct clf_flow_bucket *home;

	for (unsigned i = 0; i < n; i++) {
		struct lane *l = &b->lane[i];

		l->flow = 0;
		if (l->kind == LANE_SLOW || e->bypass)
			continue;
		home = clf_flow_bucket(&e->table, l->key.hash);
		l->flow = clf_flow_candidate(home, l->key.hash);
		if (__builtin_expect(l->flow == 0 && home->strays != 0, 0))
			l->flow = clf_flow_candidate_stray(&e->table, home, l->key.hash);
		__builtin_prefetch(&e->table.flows[l->flow], 1);
	}
}

/* Is it the flow of this lane, decided and alive? `pkt` is read for LANE_WHOLE alone. */
static inline bool
is_decided(
    const struct clf_engine *e, const struct lane *l, const struct clf_pkt *pkt, uint64_t ts_us)
{
	const struct clf_flow *f = &e->table.flows[l->flow];

	if (l->flow == 0 || ((f->k[0] ^ l->key.k[0]) | (f->k[1] ^ l->key.k[1])) != 0 || f->slow ||
	    (int64_t)(ts_us - f->last_us) > (int64_t)e->limit_us[f->klass])
		return false;
	return l->kind == LANE_PLAIN || clf_flow_same(&e->table, l->flow, &l->key, pkt);
}

/* A decided flow's packet: counts it and applies the latched verdict. False: not such a packet. */
static inline bool
fast_update(struct clf_engine *e, const struct lane *l, const struct clf_pkt *pkt, uint64_t ts_us,
    struct clf_result *res)
{
	struct clf_flow *f = &e->table.flows[l->flow];

	if (!is_decided(e, l, pkt, ts_us))
		return false;
	bool swap = l->key.swap; /* only now: a lane without a key has none */
	if ((l->tcp_flags & TCP_EVENTS) != 0) {
		f->slow = 1; /* the flow's later packets in this burst come after this one */
		return false;
	}
	if (ts_us > f->last_us)
		f->last_us = ts_us;
	f->bytes[swap] += l->bytes;
	if (__builtin_expect(++f->packets[swap] == 0, 0))
		f->packets_high[swap]++;
	e->stats.verdicts[f->verdict]++;
	res->verdict = applied[f->verdict];
	res->icmp_reject = f->icmp_reject;
	res->first_of_verdict = 0;
	res->matched = f->matched;
	res->flow_id = f->matched && e->config.flow_ids ? clf_flow_id(e, l->flow) : 0;
	return true;
}

/* Returns the verdicts, or'ed. */
static unsigned
update_decided(struct clf_engine *e, const struct clf_frame *frames, unsigned n, struct burst *b,
    struct clf_result *results)
{
	unsigned verdicts = 0, n_slow = 0;
	uint64_t now = e->now_us;

	for (unsigned i = 0; i < n; i++) {
		uint64_t ts = frames[i].ts_us != 0 ? frames[i].ts_us : now;

		now = ts > now ? ts : now;
		if (fast_update(e, &b->lane[i], &b->pkt[i], ts, &results[i]))
			verdicts |= results[i].verdict;
		else
			b->slow[n_slow++] = (uint8_t)i;
	}
	e->now_us = now;
	b->n_slow = n_slow;
	return verdicts;
}

static unsigned
look_at_the_rest(struct clf_engine *e, const struct clf_frame *frames, struct burst *b,
    struct clf_result *results)
{
	unsigned verdicts = 0;

	for (unsigned i = 0; i < b->n_slow; i++) {
		unsigned at = b->slow[i];

		if (b->lane[at].kind == LANE_PLAIN)
			(void)clf_parse_fast(&frames[at], e->parse_options, &b->pkt[at]);
		clf_slow_packet(e, &b->pkt[at], &frames[at], &results[at]);
		verdicts |= results[at].verdict;
	}
	return verdicts;
}

bool
clf_burst(struct clf_engine *engine, const struct clf_frame *frames, unsigned n, uint64_t now_us,
    struct clf_result *results)
{
	struct burst b;
	unsigned verdicts;

	/* Frames that carry a time set the clock themselves, one by one. */
	if ((n == 0 || frames[0].ts_us == 0) && now_us > engine->now_us)
		engine->now_us = now_us;
	else if (engine->now_us == 0)
		engine->now_us = frames[0].ts_us;
	key_all(engine, frames, n, &b);
	find_all(engine, n, &b);
	verdicts = update_decided(engine, frames, n, &b, results);
	verdicts |= look_at_the_rest(engine, frames, &b, results);
	clf_tick(engine, engine->now_us);
	return verdicts != CLF_PASS;
}

unsigned
clf_tick(struct clf_engine *engine, uint64_t now_us)
{
	struct clf_flow_table *t = &engine->table;
	unsigned ended = 0;

	if (now_us > engine->now_us)
		engine->now_us = now_us;
	for (unsigned i = 0; i < WHEEL_SHARE * CLF_BURST_MAX; i++) {
		uint32_t flow = clf_wheel_next(t, engine->now_us);

		if (flow == 0)
			break;
		uint64_t deadline = clf_flow_deadline(engine, &t->flows[flow]);
		if (deadline > engine->now_us) {
			clf_wheel_arm(t, flow, deadline);
		} else if (t->flows[flow].ctx != 0 && t->flows[flow].slow &&
			   deadline <
			       t->flows[flow].last_us + engine->limit_us[t->flows[flow].klass]) {
			clf_conclude(engine, flow, deadline); /* looked at long enough */
			clf_wheel_arm(t, flow, clf_flow_deadline(engine, &t->flows[flow]));
		} else {
			clf_flow_end(engine, flow, deadline, false);
			ended++;
		}
	}
	if (engine->now_us >= engine->next_frag_expire_us) {
		engine->next_frag_expire_us = engine->now_us + 1000000;
		clf_read_lost_heads(engine, engine->now_us);
		(void)clf_frags_expire(engine->frags, engine->now_us);
	}
	clf_dns_tick(engine);
	return ended;
}
