/* SPDX-License-Identifier: Apache-2.0 */
/* Which dropped flows the NICs stop, and for how long. */
#include "dataplane/offload.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
	FLOWS_MAX = 4096,
	FLOWS_SHIFT = 52, /* 64 - log2(FLOWS_MAX) */
	LEASE_US = 5000000,
	REST_US = 1000000,
	LOOK_US = 1000000, /* between two looks at the NICs' counts */
	WORK_US = 10000,
	WORTH_FRAMES = 8,    /* dropped in a lease: fewer are no burden to a worker */
	FEW = 256,	     /* flows that are taken out one by one, their last frames counted */
	SETTLE_US = 2000000, /* after a withdrawal: verdicts of before may still be under way */
	REFUSALS = 8,	     /* in a row, and a port has rest for REFUSED_US */
	REFUSED_US = 10000000,
	TCP = 6,
	UDP = 17,
};

enum stage { NONE, WANTED, IN_NIC, RESTING, ENDED };

struct rule {
	struct rte_flow *flow; /* NULL: not in the NIC */
	uint64_t hits;
};

struct slot {
	uint64_t flow_id;
	enum stage stage;
	struct dp_offload_key key;
	uint64_t until_us, hits; /* of this lease */
	struct rule *rules;	 /* two a port, `down` second */
};

struct dp_offload {
	const struct dp_ports *ports;
	pthread_mutex_t lock;
	struct slot *slots; /* NULL: no port takes rules, or none is wanted */
	struct rule *rules;
	bool hold;
	unsigned active; /* slots in use */
	uint64_t now_us, settle_until_us, look_us;
	unsigned refusals[DP_PORTS_MAX];
	uint64_t refused_until_us[DP_PORTS_MAX];
	struct dp_offload_stats stats;
};

static bool
inline_port(const struct dp_offload *o, unsigned i)
{
	const struct dp_port *p = &o->ports->port[i];

	return p->peer != DP_NO_PORT && !atomic_load(&p->gone);
}

static bool
takes(const struct dp_offload_port *p, const struct dp_offload_key *key)
{
	if (key->ip_version == 6)
		return key->protocol == TCP ? p->tcp6 : p->udp6;
	return key->protocol == TCP ? p->tcp4 : p->udp4;
}

/* Asked once, with a flow that nobody has: addresses of documentation, RFC 5737 and RFC 3849. */
static bool
ask(struct dp_offload *o, unsigned i)
{
	static const uint8_t six[] = { 0x20, 0x01, 0x0d, 0xb8 }, four[] = { 192, 0, 2, 1 };
	struct dp_offload_port *p = &o->stats.port[i];
	struct dp_offload_key key = { .src_port = 9, .dst_port = 9, .ip_version = 4 };
	uint16_t id = o->ports->port[i].id;

	memcpy(key.src.bytes, four, sizeof(four));
	memcpy(key.dst.bytes, four, sizeof(four));
	key.protocol = UDP;
	p->udp4 = dp_offload_rule_check(id, &key, p->why) == 0;
	key.protocol = TCP;
	p->tcp4 = dp_offload_rule_check(id, &key, p->why) == 0;
	memcpy(key.src.bytes, six, sizeof(six));
	memcpy(key.dst.bytes, six, sizeof(six));
	key.ip_version = 6;
	p->tcp6 = dp_offload_rule_check(id, &key, p->why) == 0;
	key.protocol = UDP;
	p->udp6 = dp_offload_rule_check(id, &key, p->why) == 0;
	return p->udp4 || p->tcp4 || p->udp6 || p->tcp6;
}

struct dp_offload *
dp_offload_new(const struct dp_ports *ports, bool enabled)
{
	struct dp_offload *o = calloc(1, sizeof(*o));
	bool any = false;

	if (!o)
		return NULL;
	pthread_mutex_init(&o->lock, NULL);
	o->ports = ports;
	o->stats.enabled = enabled;
	for (unsigned i = 0; enabled && i < ports->n; i++)
		if (inline_port(o, i))
			any = ask(o, i) || any;
	if (!any)
		return o;
	o->slots = calloc(FLOWS_MAX, sizeof(*o->slots));
	o->rules = calloc(FLOWS_MAX, 2 * ports->n * sizeof(*o->rules));
	if (!o->slots || !o->rules) {
		dp_offload_free(o);
		return NULL;
	}
	for (unsigned i = 0; i < FLOWS_MAX; i++)
		o->slots[i].rules = o->rules + (size_t)i * 2 * ports->n;
	return o;
}

/* Adds what the rule has dropped since the last look. False: the port is gone, or does not tell. */
static bool
look_at_rule(struct dp_offload *o, struct slot *s, unsigned port, struct rule *r)
{
	uint64_t hits = 0;

	if (atomic_load(&o->ports->port[port].gone) ||
	    dp_offload_rule_hits(o->ports->port[port].id, r->flow, &hits) != 0 || hits < r->hits)
		return false;
	o->stats.port[port].dropped += hits - r->hits;
	s->hits += hits - r->hits;
	r->hits = hits;
	return true;
}

static void
look(struct dp_offload *o, struct slot *s)
{
	for (unsigned i = 0; i < 2 * o->ports->n; i++)
		if (s->rules[i].flow)
			(void)look_at_rule(o, s, i / 2, &s->rules[i]);
}

static void
take_out(struct dp_offload *o, struct slot *s)
{
	bool any = false;

	for (unsigned i = 0; i < 2 * o->ports->n; i++) {
		struct rule *r = &s->rules[i];
		if (!r->flow)
			continue;
		(void)look_at_rule(o, s, i / 2, r);
		if (!atomic_load(&o->ports->port[i / 2].gone))
			(void)rte_flow_destroy(o->ports->port[i / 2].id, r->flow, NULL);
		*r = (struct rule){ 0 };
		any = true;
	}
	o->stats.flows_now -= any;
}

static void
let_go(struct dp_offload *o, struct slot *s)
{
	take_out(o, s);
	o->stats.removed += s->stage != WANTED;
	s->stage = NONE;
	s->flow_id = 0;
	o->active--;
}

/* A refusal of what was validated once: the NIC's table is full, for a while. */
static struct rte_flow *
make(struct dp_offload *o, const struct slot *s, unsigned port, bool down)
{
	struct rte_flow *flow = dp_offload_rule_make(o->ports->port[port].id, &s->key, down);

	if (flow) {
		o->refusals[port] = 0;
		return flow;
	}
	o->stats.refused++;
	if (++o->refusals[port] >= REFUSALS) {
		o->refusals[port] = 0;
		o->refused_until_us[port] = o->now_us + REFUSED_US;
	}
	return NULL;
}

/* Both directions on every inline port that takes them: which side the client is on is not known.
 */
static void
put_in(struct dp_offload *o, struct slot *s)
{
	bool again = s->stage == RESTING;
	unsigned made = 0;

	for (unsigned i = 0; i < o->ports->n; i++) {
		if (!inline_port(o, i) || !takes(&o->stats.port[i], &s->key) ||
		    o->now_us < o->refused_until_us[i])
			continue;
		for (unsigned down = 0; down < 2; down++) {
			s->rules[2 * i + down].flow = make(o, s, i, down != 0);
			made += s->rules[2 * i + down].flow != NULL;
		}
	}
	if (made == 0) {
		let_go(o, s);
		return;
	}
	s->stage = IN_NIC;
	s->hits = 0;
	s->until_us = o->now_us + LEASE_US;
	o->stats.flows_now++;
	o->stats.made += !again;
	o->stats.renewed += again;
}

/* A lease has run out: the flow's next frames come to the engine. */
static void
rest(struct dp_offload *o, struct slot *s)
{
	take_out(o, s);
	s->stage = RESTING;
	s->until_us = o->now_us + REST_US;
	if (s->hits < WORTH_FRAMES)
		let_go(o, s);
}

static void
work_slot(struct dp_offload *o, struct slot *s, bool counts)
{
	switch (s->stage) {
	case WANTED: put_in(o, s); break;
	case IN_NIC:
		if (o->now_us >= s->until_us)
			rest(o, s);
		else if (counts)
			look(o, s);
		break;
	case RESTING:
		if (o->now_us >= s->until_us)
			put_in(o, s);
		break;
	case ENDED: let_go(o, s); break;
	case NONE: break;
	}
}

void
dp_offload_work(struct dp_offload *o, uint64_t now_us)
{
	bool counts = now_us - o->look_us >= LOOK_US;

	if (!o->slots || now_us - o->now_us < WORK_US)
		return;
	if (counts)
		o->look_us = now_us;
	pthread_mutex_lock(&o->lock);
	o->now_us = now_us;
	for (unsigned i = 0; o->active != 0 && i < FLOWS_MAX; i++) {
		if (o->slots[i].stage == NONE)
			continue;
		work_slot(o, &o->slots[i], counts);
		/* Who withdraws all does not wait for a slow NIC. */
		pthread_mutex_unlock(&o->lock);
		pthread_mutex_lock(&o->lock);
	}
	pthread_mutex_unlock(&o->lock);
}

void
dp_offload_event(struct dp_offload *o, const struct clf_event *e)
{
	if (!o->slots)
		return;
	struct slot *s = &o->slots[(e->flow_id * 0x9e3779b97f4a7c15ULL) >> FLOWS_SHIFT];

	/* A tunnel's inner flow is not what the NIC would match; a reset must still be answered. */
	bool fits = e->has_details && e->verdict == CLF_DROP && e->tunnel == CLF_TUN_NONE &&
		    e->vlan == 0 && (e->ip_version == 4 || e->ip_version == 6) &&
		    (e->protocol == TCP || e->protocol == UDP) && !(e->flags & CLF_FL_DNS_ONLY);
	bool ends = e->type == CLF_EV_ENDED || (e->has_details && e->verdict != CLF_DROP);

	if (!fits && !ends)
		return;
	pthread_mutex_lock(&o->lock);
	if (s->stage != NONE && s->flow_id == e->flow_id) {
		if (ends)
			s->stage = ENDED;
	} else if (!ends && s->stage != NONE) {
		o->stats.full++;
	} else if (!ends && !o->hold && o->now_us >= o->settle_until_us) {
		s->flow_id = e->flow_id;
		s->stage = WANTED;
		s->key = (struct dp_offload_key){ e->src, e->dst, e->src_port, e->dst_port,
			e->ip_version, e->protocol };
		o->active++;
	}
	pthread_mutex_unlock(&o->lock);
}

/* Many go by the port's own flush, which is one request: it knows no rules but ours. */
static void
flush_ports(struct dp_offload *o)
{
	for (unsigned i = 0; i < o->ports->n; i++)
		if (inline_port(o, i))
			(void)rte_flow_flush(o->ports->port[i].id, NULL);
	memset(o->rules, 0, (size_t)FLOWS_MAX * 2 * o->ports->n * sizeof(*o->rules));
	o->stats.flows_now = 0;
}

void
dp_offload_withdraw(struct dp_offload *o)
{
	pthread_mutex_lock(&o->lock);
	o->settle_until_us = o->now_us + SETTLE_US;
	if (o->stats.flows_now > FEW)
		flush_ports(o);
	for (unsigned i = 0; o->active != 0 && i < FLOWS_MAX; i++)
		if (o->slots[i].stage != NONE)
			let_go(o, &o->slots[i]);
	pthread_mutex_unlock(&o->lock);
}

void
dp_offload_hold(struct dp_offload *o, bool on)
{
	pthread_mutex_lock(&o->lock);
	o->hold = on;
	pthread_mutex_unlock(&o->lock);
	dp_offload_withdraw(o);
}

void
dp_offload_stats(struct dp_offload *o, struct dp_offload_stats *ret)
{
	pthread_mutex_lock(&o->lock);
	*ret = o->stats;
	pthread_mutex_unlock(&o->lock);
}

void
dp_offload_free(struct dp_offload *o)
{
	if (!o)
		return;
	dp_offload_withdraw(o);
	pthread_mutex_destroy(&o->lock);
	free(o->slots);
	free(o->rules);
	free(o);
}
