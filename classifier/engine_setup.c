/* SPDX-License-Identifier: Apache-2.0 */
/* Making and freeing an engine; replacing its rules; its statistics. Allocates; not the packet
 * path. */
#include <errno.h>
#include <stdlib.h>

#include "classifier/engine_state.h"

enum { SECOND = 1000000, FRAGMENT_TIMEOUT_US = 30 * SECOND, WATCH_S = 120, HALF_OPEN_S = 30 };

static const struct clf_net default_inside[] = {
	{ { 10 }, 4, 8 },
	{ { 172, 16 }, 4, 12 },
	{ { 192, 168 }, 4, 16 },
	{ { 169, 254 }, 4, 16 },
	{ { 100, 64 }, 4, 10 },
	{ { 0xfc }, 6, 7 },
	{ { 0xfe, 0x80 }, 6, 10 },
};

void
clf_engine_config_default(struct clf_engine_config *config)
{
	*config = (struct clf_engine_config){
		.max_flows = 1 << 20,
		.max_inspecting = 1 << 14,
		.stream_bytes = 64 << 20,
		.max_fragments = 256,
		.dns_memory_entries = 1 << 16,
		.ndpi = CLF_NDPI_UNDECIDED,
		.walk_tunnels = true,
	};
}

static uint64_t
seconds(uint32_t configured, uint32_t otherwise)
{
	return (uint64_t)(configured ? configured : otherwise) * SECOND;
}

static void
set_limits(struct clf_engine *e, const struct clf_engine_config *c)
{
	e->limit_us[CLF_CLASS_TCP] = seconds(c->tcp_idle_s, 1800);
	e->limit_us[CLF_CLASS_TCP_HALF] = seconds(0, HALF_OPEN_S);
	if (e->limit_us[CLF_CLASS_TCP_HALF] > e->limit_us[CLF_CLASS_TCP])
		e->limit_us[CLF_CLASS_TCP_HALF] = e->limit_us[CLF_CLASS_TCP];
	e->limit_us[CLF_CLASS_TCP_CLOSED] = seconds(c->tcp_closed_s, 10);
	e->limit_us[CLF_CLASS_OTHER] = seconds(c->udp_idle_s, 120);
	e->inspect_us = seconds(c->inspect_s, 30);
	e->watch_us = seconds(0, WATCH_S);
	e->parse_options = (c->walk_tunnels ? CLF_PARSE_TUNNELS : 0) |
			   (c->trust_checksums ? CLF_PARSE_IP_CHECKSUM : 0);
}

/* Copies a list of networks; the given ones may go away. */
static int
copy_nets(const struct clf_net *from, unsigned n, struct clf_net **ret)
{
	struct clf_net *nets = calloc(n ? n : 1, sizeof(*nets));

	if (!nets)
		return -ENOMEM;
	if (n)
		memcpy(nets, from, n * sizeof(*nets));
	*ret = nets;
	return 0;
}

static int
set_networks(struct clf_engine *e)
{
	struct clf_engine_config *c = &e->config;

	if (c->n_inside == 0) {
		c->inside = default_inside;
		c->n_inside = sizeof(default_inside) / sizeof(default_inside[0]);
	}
	if (copy_nets(c->inside, c->n_inside, &e->inside) < 0 ||
	    copy_nets(c->forwarders, c->n_forwarders, &e->forwarders) < 0)
		return -ENOMEM;
	c->inside = e->inside;
	c->forwarders = e->forwarders;
	return 0;
}

static int
make_pools(struct clf_engine *e)
{
	const struct clf_engine_config *c = &e->config;

	e->max_ctx = c->max_inspecting;
	/* Touched as they are used: calloc leaves the rest to the kernel. */
	e->ctxs = calloc((size_t)e->max_ctx + 1, sizeof(*e->ctxs));
	e->streams = clf_stream_pool_new(c->stream_bytes, e->table.seed[1]);
	e->quics = clf_quic_pool_new(c->max_inspecting / 4 ? c->max_inspecting / 4 : 1);
	e->frags = clf_frags_new(c->max_fragments, FRAGMENT_TIMEOUT_US, e->table.seed[0]);
	e->memory = clf_dns_memory_new(c->dns_memory_entries, e->table.seed[0]);
	if (e->memory && c->dns_share)
		clf_dns_memory_join(e->memory, c->dns_share, c->worker);
	e->join = malloc(CLF_JOIN_MAX);
	e->l3 = malloc(CLF_L3_MAX + 256);
	e->flat = malloc(CLF_FLAT_MAX);
	if (!e->ctxs || !e->streams || !e->quics || !e->frags || !e->memory || !e->join || !e->l3 ||
	    !e->flat)
		return -ENOMEM;
	for (unsigned i = 0; i < CLF_H2_POOL; i++) {
		struct clf_h2 *h = clf_h2_new();
		if (!h)
			return -ENOMEM;
		e->h2[e->h2_free++] = h;
	}
	return clf_questions_new(e);
}

static int
refuse(struct sig_diag *diag, int error, const char *what)
{
	if (diag)
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0, "engine: %s: %s", what, strerror(-error));
	return error;
}

static int
build(struct clf_engine *e, const struct sig_ruleset *rules, const struct clf_policy *policy,
    struct sig_diag *diag)
{
	struct clf_engine_config *c = &e->config;
	struct clf_alloc alloc = { c->huge_alloc, c->huge_free, c->alloc_ctx };
	int r;

	if (c->max_flows == 0 || c->max_inspecting == 0 || c->max_fragments == 0)
		return refuse(
		    diag, -EINVAL, "max_flows, max_inspecting and max_fragments must not be 0");
	if (c->seed[0] == 0 && c->seed[1] == 0) {
		r = sig_hash_seed(c->seed);
		if (r < 0)
			return refuse(diag, r, "cannot draw a random seed");
	}
	r = clf_flow_table_init(&e->table, c->max_flows, c->seed, &alloc);
	if (r < 0)
		return refuse(diag, r, "no memory for the flow table: lower max_flows");
	set_limits(e, c);
	if (set_networks(e) < 0 || make_pools(e) < 0)
		return refuse(diag, -ENOMEM, "no memory for inspection: lower max_inspecting");
	if (c->ndpi != CLF_NDPI_OFF) {
		r = clf_ndpi_new(c->max_inspecting, &e->ndpi);
		if (r < 0)
			return refuse(diag, r, "cannot start nDPI");
	}
	r = clf_engine_set_rules(e, rules, policy);
	return r < 0 ? refuse(diag, r, "cannot take the rule set") : 0;
}

int
clf_engine_new(const struct clf_engine_config *config, const struct sig_ruleset *rules,
    const struct clf_policy *policy, struct clf_engine **ret_engine, struct sig_diag *diag)
{
	struct clf_engine *e = calloc(1, sizeof(*e));

	if (!e)
		return refuse(diag, -ENOMEM, "no memory");
	e->config = *config;
	e->next_seq = 1;
	int r = build(e, rules, policy, diag);
	if (r < 0) {
		clf_engine_free(e);
		return r;
	}
	*ret_engine = e;
	return 0;
}

void
clf_engine_free(struct clf_engine *engine)
{
	struct clf_engine *e = engine;

	if (!e)
		return;
	/* What a context still borrows beyond the pools (nDPI's own memory, inflaters) goes back.
	 */
	while (e->oldest_ctx != 0)
		clf_ctx_close(e, &e->ctxs[e->oldest_ctx]);
	clf_questions_free(e);
	while (e->h2_free != 0)
		clf_h2_free(e->h2[--e->h2_free]);
	clf_ndpi_free(e->ndpi);
	clf_dns_memory_free(e->memory);
	clf_frags_free(e->frags);
	clf_quic_pool_free(e->quics);
	clf_stream_pool_free(e->streams);
	sig_scratch_free(e->scratch);
	clf_flow_table_done(&e->table);
	free(e->ctxs);
	free(e->inside);
	free(e->forwarders);
	free(e->join);
	free(e->l3);
	free(e->flat);
	free(e);
}

int
clf_engine_set_rules(
    struct clf_engine *engine, const struct sig_ruleset *rules, const struct clf_policy *policy)
{
	int r = 0;

	if (rules)
		r = engine->scratch ? sig_scratch_fit(engine->scratch, rules)
				    : sig_scratch_new(rules, &engine->scratch);
	if (r < 0)
		return r;
	engine->rules = rules;
	engine->policy = policy;
	engine->fields = rules ? sig_ruleset_fields(rules) : 0;
	for (unsigned dir = 0; dir < 2; dir++)
		engine->reach[dir] = (uint16_t)(rules ? sig_ruleset_payload_reach(
							    rules, dir == CLF_DOWN)
						      : 0);
	engine->weighed.info = NULL;
	return 0;
}

void
clf_engine_bypass(struct clf_engine *engine, bool on)
{
	engine->bypass = on;
}

struct flush_item {
	uint64_t first_us;
	uint32_t flow;
};

static int
by_age(const void *a, const void *b)
{
	const struct flush_item *x = a, *y = b;

	if (x->first_us != y->first_us)
		return x->first_us < y->first_us ? -1 : 1;
	return x->flow < y->flow ? -1 : x->flow > y->flow;
}

void
clf_flush(struct clf_engine *engine, uint64_t now_us)
{
	struct clf_flow_table *t = &engine->table;
	struct flush_item *items;
	size_t n = 0;

	while (clf_tick(engine, now_us) != 0)
		;
	clf_read_lost_heads(engine, UINT64_MAX);
	(void)clf_questions_expire(engine, UINT64_MAX, UINT32_MAX);
	items = calloc(t->live ? t->live : 1, sizeof(*items));
	for (uint32_t i = 1; i <= t->used; i++) {
		if (t->flows[i].k[1] == CLF_KEY_FREE)
			continue;
		if (items)
			items[n++] = (struct flush_item){ t->cold[i].first_us, i };
		else
			clf_flow_end(engine, i, engine->now_us, true); /* no memory: in any order */
	}
	if (items)
		qsort(items, n, sizeof(*items), by_age);
	for (size_t i = 0; items && i < n; i++)
		clf_flow_end(engine, items[i].flow, engine->now_us, true);
	free(items);
}

const struct clf_engine_stats *
clf_engine_stats(const struct clf_engine *engine)
{
	struct clf_engine_stats *s = (struct clf_engine_stats *)(uintptr_t)&engine->stats;
	const struct clf_stream_stats *st = clf_stream_pool_stats(engine->streams);

	const struct clf_dns_memory_stats *dns = clf_dns_memory_stats(engine->memory);
	const struct clf_frags_stats *fr = clf_frags_stats(engine->frags);

	s->bad_checksum_ignored = st->bad_checksum;
	s->fragments_rejoined = fr->rejoined;
	s->fragments_lost = fr->timed_out + fr->evicted;
	s->fragments_overlapped = fr->overlapped;
	s->fragments_bad = fr->bad;
	s->dns_shared = dns->shared;
	s->dns_share_lost = dns->share_lost;
	s->outside_window_ignored = st->outside_window;
	s->overlaps = st->overlaps;
	return s;
}

struct clf_dns_memory *
clf_engine_dns_memory(struct clf_engine *engine)
{
	return engine->memory;
}
