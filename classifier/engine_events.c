/* SPDX-License-Identifier: Apache-2.0 */
/* Events from flows and questions: flat blocks, filled in place, only their used bytes touched. */
#include "classifier/engine_state.h"

uint64_t
clf_flow_id(const struct clf_engine *e, uint32_t flow)
{
	const struct clf_flow_cold *c = &e->table.cold[flow];

	return (uint64_t)e->config.worker << 48 | (uint64_t)c->seq_high << 32 | c->seq_low;
}

bool
clf_addr_in(const struct clf_net *nets, unsigned n, uint8_t ip_version, const struct clf_addr *addr)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned whole = nets[i].prefix / 8, rest = nets[i].prefix % 8;
		if (nets[i].ip_version != ip_version ||
		    memcmp(nets[i].addr, addr->bytes, whole) != 0)
			continue;
		if (rest == 0 || ((nets[i].addr[whole] ^ addr->bytes[whole]) >> (8 - rest)) == 0)
			return true;
	}
	return false;
}

bool
clf_addr_inside(const struct clf_engine *e, uint8_t ip_version, const struct clf_addr *addr)
{
	return clf_addr_in(e->inside, e->config.n_inside, ip_version, addr);
}

static void
add_sides(const struct clf_engine *e, struct clf_event *ev)
{
	ev->src_inside = clf_addr_inside(e, ev->ip_version, &ev->src);
	ev->dst_inside = clf_addr_inside(e, ev->ip_version, &ev->dst);
	ev->forwarder_hint = clf_addr_in(
	    e->forwarders, e->config.n_forwarders, ev->ip_version, &ev->src);
}

/* The packets of a direction that were not forwarded. */
static uint64_t
dropped(const struct clf_engine *e, uint32_t flow, unsigned dir)
{
	const struct clf_flow *f = &e->table.flows[flow];
	unsigned end = dir ^ f->initiator;

	if (f->verdict != CLF_DROP && f->verdict != CLF_RESET)
		return 0;
	return clf_flow_packets(f, dir) -
	       (end == 0 ? f->forwarded[0] : e->table.cold[flow].forwarded);
}

static void
begin(struct clf_engine *e, enum clf_event_type type, uint64_t at_us, struct clf_event *ret)
{
	memset(ret, 0, offsetof(struct clf_event, text));
	ret->type = (uint8_t)type;
	ret->worker = e->config.worker;
	ret->at_us = at_us;
}

void
clf_event_of_flow(struct clf_engine *e, uint32_t flow, enum clf_event_type type, uint64_t at_us,
    struct clf_event *ret)
{
	const struct clf_flow *f = &e->table.flows[flow];
	const struct clf_flow_cold *c = &e->table.cold[flow];

	begin(e, type, at_us, ret);
	ret->flow_id = clf_flow_id(e, flow);
	ret->first_us = c->first_us;
	ret->last_us = f->last_us;
	for (unsigned dir = 0; dir < 2; dir++) {
		ret->packets[dir] = clf_flow_packets(f, dir);
		ret->bytes[dir] = f->bytes[dir ^ f->initiator];
		ret->dropped[dir] = dropped(e, flow, dir);
	}
	clf_flow_addr(&e->table, flow, f->initiator, &ret->src);
	clf_flow_addr(&e->table, flow, !f->initiator, &ret->dst);
	ret->src_port = clf_key_port(f->k[1], f->initiator);
	ret->dst_port = clf_key_port(f->k[1], !f->initiator);
	ret->ip_version = (clf_key_kind(f->k[1]) & CLF_KEY_V6) ? 6 : 4;
	ret->protocol = clf_key_protocol(f->k[1]);
	ret->vlan = clf_key_vlan(f->k[1]);
	ret->tunnel = c->tunnel;
	ret->tunnel_id = c->tunnel_id;
	ret->state = f->state;
	add_sides(e, ret);
}

void
clf_event_of_question(struct clf_engine *e, const struct clf_question *q, enum clf_event_type type,
    uint64_t at_us, struct clf_event *ret)
{
	begin(e, type, at_us, ret);
	ret->flow_id = q->flow_id;
	ret->first_us = q->first_us;
	ret->last_us = q->last_us;
	for (unsigned dir = 0; dir < 2; dir++) {
		ret->packets[dir] = q->packets[dir];
		ret->bytes[dir] = q->bytes[dir];
	}
	ret->dropped[CLF_UP] = q->dropped;
	ret->src = q->client;
	ret->dst = q->server;
	ret->src_port = q->client_port;
	ret->dst_port = q->server_port;
	ret->ip_version = q->ip_version;
	ret->protocol = q->protocol;
	ret->vlan = q->vlan;
	ret->tunnel = q->tunnel;
	ret->tunnel_id = q->tunnel_id;
	ret->state = CLF_DECIDED;
	add_sides(e, ret);
}

static struct clf_str
add_text(struct clf_event *ev, const char *s)
{
	return s ? clf_event_add(ev, s, strlen(s)) : (struct clf_str){ 0, 0 };
}

static void
add_signature(const struct sig_info *i, struct clf_event *ev)
{
	ev->vendor = add_text(ev, i->vendor);
	ev->vendor_id = add_text(ev, i->vendor_id);
	ev->owner = add_text(ev, i->owner);
	ev->country = add_text(ev, i->country);
	ev->owner_country = add_text(ev, i->owner_country);
	ev->product = add_text(ev, i->product);
	ev->product_id = add_text(ev, i->product_id);
	ev->category = add_text(ev, i->category);
	ev->signature = add_text(ev, i->id);
	ev->pack_version = add_text(ev, i->pack_version);
	ev->function = (uint8_t)i->function;
	ev->sig_shared = i->shared;
	ev->sig_oem = i->oem;
	ev->sig_artefact = i->policy_artefact;
}

/* Facts of the winner first, then the losers' where there is room. A fact is told once. */
static void
add_evidence(const struct clf_weighed *w, struct clf_event *ev)
{
	uint64_t told = 0;

	for (unsigned h = 0; h < w->match.n_hits; h++) {
		for (unsigned i = 0; i < w->match.hits[h].n_facts; i++) {
			unsigned at = w->match.hits[h].facts[i];
			const struct sig_fact *f = &w->facts[at];
			if (ev->n_evidence == CLF_EVIDENCE_MAX || (told >> at & 1))
				continue;
			told |= 1ULL << at;
			ev->evidence[ev->n_evidence++] = (struct clf_evidence){ .packet = f->packet,
				.field = f->field,
				.value = clf_event_add(ev, f->value, f->len) };
		}
	}
}

void
clf_event_weighed(const struct clf_weighed *w, struct clf_event *ev)
{
	ev->has_details = 1;
	ev->verdict = w->policy.verdict;
	ev->name = clf_event_add(ev, w->name, w->name_len);
	ev->name_source = w->name_source;
	ev->rule = add_text(ev, w->policy.rule);
	if (!w->info)
		return;
	ev->confidence = w->confidence;
	add_signature(w->info, ev);
	add_evidence(w, ev);
}

/* Who lost, best first; a loser that the winner outranks by nothing but order is still told. */
static void
add_others(const struct clf_engine *e, const struct clf_weighed *w, struct clf_event *ev)
{
	for (unsigned h = 1; h < w->match.n_hits && ev->n_others < CLF_OTHERS_MAX; h++) {
		const struct sig_info *i = sig_ruleset_info(e->rules, w->match.hits[h].sig);
		struct clf_str s = add_text(ev, i ? i->id : NULL);
		if (s.len != 0)
			ev->others[ev->n_others++] = s;
	}
}

/* Things shown though no signature asked: agent, fingerprints, protocols offered. */
static void
add_seen(const struct clf_ctx *c, struct clf_event *ev)
{
	for (unsigned i = 0; i < c->n_facts; i++) {
		const struct clf_fact *f = &c->facts[i];
		const uint8_t *value = c->facts_bytes + f->off;
		bool wanted = f->group == CLF_GROUP_ALL || f->group == c->best_group;
		if (f->field == SIG_F_USER_AGENT && wanted)
			ev->user_agent = clf_event_add(ev, value, f->len);
		else if (f->field == SIG_F_JA3)
			ev->ja3 = clf_event_add(ev, value, f->len);
		else if (f->field == SIG_F_JA4)
			ev->ja4 = clf_event_add(ev, value, f->len);
	}
}

/* The protocols offered, as one "h2,http/1.1"; they follow each other in the text. */
static void
add_alpn(const struct clf_ctx *c, struct clf_event *ev)
{
	uint16_t from = ev->text_len;

	for (unsigned i = 0; i < c->n_facts; i++) {
		const struct clf_fact *f = &c->facts[i];
		if (f->field != SIG_F_ALPN)
			continue;
		if (ev->text_len != from)
			(void)clf_event_add(ev, ",", 1);
		(void)clf_event_add(ev, c->facts_bytes + f->off, f->len);
	}
	if (ev->text_len != from)
		ev->alpn = (struct clf_str){ from, (uint16_t)(ev->text_len - from) };
}

void
clf_event_details(struct clf_engine *e, uint32_t flow, const struct clf_ctx *c,
    const struct clf_weighed *w, enum clf_blind blind, struct clf_event *ev)
{
	const struct clf_flow *f = &e->table.flows[flow];
	bool one_way = f->packets[0] == 0 || f->packets[1] == 0;
	bool tcp = ev->protocol == 6;
	char label[64];

	clf_event_weighed(w, ev);
	add_others(e, w, ev);
	ev->blind = (uint8_t)blind;
	ev->flags = c->flags & ~(uint32_t)CLF_FL_MIDSTREAM;
	/* At a decision the other side may just not have spoken yet; but after a SYN nobody sends
	 * more without an answer. Whoever keeps records settles it at the end. */
	if (one_way && (ev->type == CLF_EV_ENDED || (tcp && f->syn && clf_packet_number(f) > 1)))
		ev->flags |= CLF_FL_ONE_WAY;
	if (tcp && !f->syn)
		ev->flags |= CLF_FL_MIDSTREAM;
	if (ev->tunnel != CLF_TUN_NONE)
		ev->flags |= CLF_FL_TUNNELLED;
	if (f->uninspected)
		ev->flags |= CLF_FL_UNINSPECTED;
	if (ev->forwarder_hint)
		ev->flags |= CLF_FL_FORWARDER;
	ev->ndpi = clf_event_add(ev, label, clf_ndpi_text(e, c, label, sizeof(label)));
	for (unsigned i = 0; i < c->n_names; i++) {
		struct clf_str s = clf_event_add(
		    ev, c->names_bytes + c->names[i].off, c->names[i].len);
		if (s.len != 0)
			ev->names[ev->n_names++] = s;
	}
	add_seen(c, ev);
	add_alpn(c, ev);
}

void
clf_event_send(struct clf_engine *e, struct clf_event *ev)
{
	ev->size = (uint32_t)CLF_EVENT_SIZE(ev->text_len);
	e->stats.events++;
	if (e->config.sink && !e->config.sink(e->config.sink_ctx, ev))
		e->stats.events_lost++;
}
