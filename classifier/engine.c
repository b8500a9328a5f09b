/* SPDX-License-Identifier: Apache-2.0 */
/*
 * THE HOT PATH. A burst goes through named stages over arrays; a packet of a decided flow touches
 * its headers, one bucket and one flow line, both prefetched. The others go one by one to
 * engine_flow.c, in order.
 */
#include "classifier/engine_state.h"
#include "classifier/parse_fast.h"

struct burst {
	struct clf_pkt pkt[CLF_BURST_MAX];
	struct clf_flow_key key[CLF_BURST_MAX];
	uint32_t found[CLF_BURST_MAX]; /* flow, unverified */
	uint8_t slow[CLF_BURST_MAX];   /* numbers of packets for the slow path */
	unsigned n_slow;
};

enum { TCP_EVENTS = 1 | 2 | 4, WHEEL_SHARE = 4 };

static void
parse_all(struct clf_engine *e, const struct clf_frame *frames, unsigned n, struct burst *b)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		__builtin_prefetch(frames[i].data);
	for (unsigned i = 0; i < n; i++) {
		if (!clf_parse_fast(&frames[i], e->parse_options, &b->pkt[i]))
			clf_parse_frame(&frames[i], e->parse_options, &b->pkt[i]);
		e->stats.parse[b->pkt[i].parse]++;
		bytes += frames[i].wire_len;
	}
	e->stats.frames += n;
	e->stats.bytes += bytes;
}

static void
hash_all(const struct clf_engine *e, unsigned n, struct burst *b)
{
	for (unsigned i = 0; i < n; i++) {
		if (b->pkt[i].parse != CLF_P_OK)
			continue;
		clf_flow_key(&b->pkt[i], e->table.seed, &b->key[i]);
		__builtin_prefetch(clf_flow_bucket(&e->table, b->key[i].hash));
	}
}

static void
find_all(const struct clf_engine *e, unsigned n, struct burst *b)
{
	const struct clf_flow_bucket *home;

	for (unsigned i = 0; i < n; i++) {
		b->found[i] = 0;
		if (b->pkt[i].parse != CLF_P_OK)
			continue;
		home = clf_flow_bucket(&e->table, b->key[i].hash);
		b->found[i] = clf_flow_candidate(home, b->key[i].hash);
		if (__builtin_expect(b->found[i] == 0 && home->strays != 0, 0))
			b->found[i] = clf_flow_candidate_stray(&e->table, home, b->key[i].hash);
		__builtin_prefetch(&e->table.flows[b->found[i]], 1);
	}
}

/* A decided flow's packet: count it and apply the latched verdict. False: not such a packet. */
static inline bool
fast_update(struct clf_engine *e, const struct clf_pkt *pkt, const struct clf_flow_key *key,
    uint32_t flow, uint64_t ts_us, struct clf_result *res)
{
	struct clf_flow *f = &e->table.flows[flow];

	if (flow == 0 || !clf_flow_same(&e->table, flow, key, pkt) || f->slow ||
	    (int64_t)(ts_us - f->last_us) > (int64_t)e->limit_us[f->klass])
		return false;
	if ((pkt->tcp_flags & TCP_EVENTS) != 0) {
		f->slow =
		    1; /* so that the flow's later packets in this burst come after this one */
		return false;
	}
	if (ts_us > f->last_us)
		f->last_us = ts_us;
	f->bytes[key->swap] += pkt->bytes;
	f->packets_high[key->swap] = (uint8_t)(f->packets_high[key->swap] +
					       (++f->packets[key->swap] == 0));
	e->stats.verdicts[f->verdict]++;
	*res = (struct clf_result){ .verdict = f->verdict <= CLF_RESET ? f->verdict : CLF_PASS,
		.icmp_reject = f->icmp_reject,
		.matched = f->matched };
	if (f->matched && e->config.flow_ids)
		res->flow_id = clf_flow_id(e, flow);
	return true;
}

static void
update_decided(struct clf_engine *e, const struct clf_frame *frames, unsigned n, struct burst *b,
    struct clf_result *results)
{
	b->n_slow = 0;
	for (unsigned i = 0; i < n; i++) {
		uint64_t ts = frames[i].ts_us != 0 ? frames[i].ts_us : e->now_us;

		if (ts > e->now_us)
			e->now_us = ts;
		if (b->pkt[i].parse != CLF_P_OK || e->bypass ||
		    !fast_update(e, &b->pkt[i], &b->key[i], b->found[i], ts, &results[i]))
			b->slow[b->n_slow++] = (uint8_t)i;
	}
}

static void
look_at_the_rest(struct clf_engine *e, const struct clf_frame *frames, struct burst *b,
    struct clf_result *results)
{
	for (unsigned i = 0; i < b->n_slow; i++) {
		unsigned at = b->slow[i];

		clf_slow_packet(e, &b->pkt[at], &frames[at], &results[at]);
	}
}

void
clf_burst(struct clf_engine *engine, const struct clf_frame *frames, unsigned n, uint64_t now_us,
    struct clf_result *results)
{
	struct burst b;

	/* Frames that carry a time set the clock themselves, one by one. */
	if ((n == 0 || frames[0].ts_us == 0) && now_us > engine->now_us)
		engine->now_us = now_us;
	else if (engine->now_us == 0)
		engine->now_us = frames[0].ts_us;
	parse_all(engine, frames, n, &b);
	hash_all(engine, n, &b);
	find_all(engine, n, &b);
	update_decided(engine, frames, n, &b, results);
	look_at_the_rest(engine, frames, &b, results);
	clf_tick(engine, engine->now_us);
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
	(void)clf_questions_expire(engine, engine->now_us, CLF_BURST_MAX);
	return ended;
}
