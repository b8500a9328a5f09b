/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weighing: the facts of a flow to one signature, one name, one confidence, one verdict and, where
 * there is no name, one reason. README.md says the rules in words.
 */
#include <stdio.h>

#include "classifier/engine_state.h"

enum { TCP = 6, UDP = 17 };

/* The hello's name is an ECH outer one, a hint only; GREASE that cannot be ECH leaves it real. */
static bool
is_outer(const struct clf_ctx *c)
{
	return (c->flags & CLF_FL_ECH) && !(c->flags & CLF_FL_ECH_GREASE);
}

static void
put(struct clf_weighed *w, enum sig_field field, const void *value, size_t len, uint32_t packet)
{
	if (len == 0 || w->n_facts == CLF_FACTS_MAX)
		return;
	w->facts[w->n_facts++] = (struct sig_fact){
		.value = value, .len = (uint16_t)len, .field = (uint8_t)field, .packet = packet
	};
}

/* "tcp/443". Written by hand: nothing on the packet path formats. */
static size_t
port_text(char out[static 16], uint8_t protocol, uint16_t port)
{
	char digits[5];
	size_t n = 0, d = 0;

	if (protocol != TCP && protocol != UDP)
		return 0;
	memcpy(out, protocol == TCP ? "tcp/" : "udp/", 4);
	n = 4;
	do {
		digits[d++] = (char)('0' + port % 10);
		port = (uint16_t)(port / 10);
	} while (port != 0);
	while (d != 0)
		out[n++] = digits[--d];
	return n;
}

static void
put_hints(struct clf_engine *e, uint32_t flow, const struct clf_ctx *c, struct clf_weighed *w)
{
	struct clf_hints *h = &w->hints;
	const struct clf_flow *f = &e->table.flows[flow];
	unsigned responder = !f->initiator;
	bool v6 = (clf_key_kind(f->k[1]) & CLF_KEY_V6) != 0;

	if (e->fields & (1u << SIG_F_PORT))
		put(w, SIG_F_PORT, h->port,
		    port_text(h->port, clf_key_protocol(f->k[1]), clf_key_port(f->k[1], responder)),
		    1);
	if (e->fields & (1u << SIG_F_ADDRESS)) {
		clf_flow_addr(&e->table, flow, responder, &h->server);
		put(w, SIG_F_ADDRESS, h->server.bytes, v6 ? 16 : 4, 1);
	}
	if ((e->fields & (1u << SIG_F_NDPI)) && c->label.app != 0 && !c->label.guessed)
		put(w, SIG_F_NDPI, h->label, clf_ndpi_text(e, c, h->label, sizeof(h->label)), 1);
}

static bool
has_readable_name(const struct clf_ctx *c)
{
	for (unsigned i = 0; i < c->n_names; i++) {
		if (c->names[i].field <= SIG_F_TLS_CERT)
			return true;
	}
	return false;
}

/* What this client was told the server's address is, where nothing better was read. */
static bool
recall(struct clf_engine *e, uint32_t flow, struct clf_ctx *c)
{
	const struct clf_flow *f = &e->table.flows[flow];
	uint8_t version = (clf_key_kind(f->k[1]) & CLF_KEY_V6) ? 6 : 4;
	struct clf_addr client, server;
	struct clf_name name = { 0 };
	bool several = false;

	if (has_readable_name(c) && !is_outer(c))
		return false; /* nothing to ask */
	clf_flow_addr(&e->table, flow, f->initiator, &client);
	clf_flow_addr(&e->table, flow, !f->initiator, &server);
	const char *text = clf_dns_memory_find(
	    e->memory, version, &client, &server, f->last_us, &several);
	if (!text)
		return false;
	size_t n = strnlen(text, SIG_NAME_MAX);
	memcpy(name.canonical, text, n);
	name.len = (int16_t)n;
	for (unsigned i = 0; i < c->n_facts; i++) {
		const struct clf_fact *seen = &c->facts[i];
		if (seen->field == SIG_F_DNS_MEMORY)
			return several;
		if ((seen->field == SIG_F_TLS_SNI || seen->field == SIG_F_QUIC_SNI) && !several &&
		    seen->len == n && memcmp(c->facts_bytes + seen->off, text, n) == 0) {
			/* The client looked up this very name to come here: it is no outer one. */
			c->flags = (c->flags & ~(uint32_t)CLF_FL_ECH) | CLF_FL_ECH_GREASE;
			return false;
		}
	}
	clf_add_name(c, SIG_F_DNS_MEMORY, &name, clf_packet_number(f), CLF_GROUP_ALL);
	return several;
}

/* Strongest source first; of one source the first seen. An ECH hello's outer name is only a hint.
 */
static void
pick_name(const struct clf_ctx *c, uint8_t group, struct clf_weighed *w)
{
	unsigned best = SIG_F_NAME_LAST + 1u;

	for (unsigned i = 0; i < c->n_facts; i++) {
		const struct clf_fact *f = &c->facts[i];
		unsigned rank = f->field;
		if (f->field == SIG_F_NONE || f->field > SIG_F_NAME_LAST ||
		    (f->group != group && f->group != CLF_GROUP_ALL))
			continue;
		if (is_outer(c) && (rank == SIG_F_TLS_SNI || rank == SIG_F_QUIC_SNI))
			rank = SIG_F_NAME_LAST;
		if (is_outer(c) && f->field == SIG_F_DNS_MEMORY)
			rank = SIG_F_TLS_CERT;
		if (rank >= best)
			continue;
		best = rank;
		w->name = c->facts_bytes + f->off;
		w->name_len = f->len;
		w->name_source = f->field;
	}
	if (w->name_len != 0)
		return;
	for (unsigned i = 0; i < c->n_names && w->name_len == 0;
	     i++) { /* illegal: shown, never matched */
		w->name = c->names_bytes + c->names[i].off;
		w->name_len = c->names[i].len;
		w->name_source = c->names[i].field;
	}
}

static bool
rests_on(const struct clf_weighed *w, const struct sig_hit *hit, enum sig_field a, enum sig_field b)
{
	for (unsigned i = 0; i < hit->n_facts; i++) {
		uint8_t field = w->facts[hit->facts[i]].field;
		if (field == a || field == b)
			return true;
	}
	return false;
}

static uint8_t
confidence_of(const struct clf_ctx *c, const struct clf_weighed *w, bool several)
{
	const struct sig_hit *hit = &w->match.hits[0];
	uint8_t conf = hit->confidence;
	bool outer = is_outer(c) && rests_on(w, hit, SIG_F_TLS_SNI, SIG_F_QUIC_SNI);
	bool shared_address = several && rests_on(w, hit, SIG_F_DNS_MEMORY, SIG_F_DNS_MEMORY);

	if ((outer || shared_address) && conf > SIG_CONF_GUESS)
		conf = SIG_CONF_GUESS;
	return conf;
}

/* Behind ECH the remembered name is better evidence than the outer one: it goes first. */
static void
prefer_inferred(const struct clf_ctx *c, struct clf_weighed *w, bool several)
{
	if (!is_outer(c) || several)
		return;
	for (unsigned i = 1; i < w->match.n_hits; i++) {
		if (!rests_on(w, &w->match.hits[i], SIG_F_DNS_MEMORY, SIG_F_DNS_MEMORY))
			continue;
		struct sig_hit hit = w->match.hits[i];
		memmove(&w->match.hits[1], &w->match.hits[0], i * sizeof(hit));
		w->match.hits[0] = hit;
		return;
	}
}

static void
ask_policy(struct clf_engine *e, uint32_t flow, const struct clf_ctx *c, struct clf_weighed *w)
{
	const struct clf_flow *f = &e->table.flows[flow];
	uint8_t version = (clf_key_kind(f->k[1]) & CLF_KEY_V6) ? 6 : 4;
	struct clf_addr src, dst;
	struct clf_policy_query q = { .info = w->info,
		.confidence = w->confidence,
		.ip_version = version,
		.protocol = clf_key_protocol(f->k[1]),
		.flags = c->flags,
		.vlan = clf_key_vlan(f->k[1]),
		.now_us = f->last_us };

	clf_flow_addr(&e->table, flow, f->initiator, &src);
	clf_flow_addr(&e->table, flow, !f->initiator, &dst);
	bool inbound = !clf_addr_inside(e, version, &src) && clf_addr_inside(e, version, &dst);
	q.inside = inbound ? dst.bytes : src.bytes;
	q.outside = inbound ? src.bytes : dst.bytes;
	q.outside_port = clf_key_port(f->k[1], inbound ? f->initiator : !f->initiator);
	clf_policy_decide(e->policy, &q, &w->policy);
}

void
clf_weigh(
    struct clf_engine *e, uint32_t flow, struct clf_ctx *c, uint8_t group, struct clf_weighed *ret)
{
	bool several = recall(e, flow, c);

	ret->info = NULL;
	ret->n_facts = 0;
	ret->confidence = SIG_CONF_NONE;
	ret->name_len = 0;
	ret->name_source = SIG_F_NONE;
	ret->match.n_hits = 0;
	memset(&ret->policy, 0, sizeof(ret->policy));
	for (unsigned i = 0; i < c->n_facts; i++) {
		const struct clf_fact *f = &c->facts[i];
		if (f->group == group || f->group == CLF_GROUP_ALL)
			put(ret, f->field, c->facts_bytes + f->off, f->len, f->packet);
	}
	put_hints(e, flow, c, ret);
	pick_name(c, group, ret);
	if (ret->n_facts == 0 || !e->rules)
		return;
	e->stats.rule_matches++;
	sig_match(e->rules, e->scratch, ret->facts, ret->n_facts, &ret->match);
	if (ret->match.n_hits == 0)
		return;
	prefer_inferred(c, ret, several);
	ret->info = sig_ruleset_info(e->rules, ret->match.hits[0].sig);
	ret->confidence = confidence_of(c, ret, several);
	ask_policy(e, flow, c, ret);
}

/* Pass, then what would be done, then what is done. */
unsigned
clf_verdict_rank(uint8_t verdict)
{
	static const uint8_t rank[] = { [CLF_PASS] = 0,
		[CLF_WOULD_DROP] = 1,
		[CLF_WOULD_RESET] = 1,
		[CLF_DROP] = 2,
		[CLF_RESET] = 2 };

	return verdict < sizeof(rank) ? rank[verdict] : 0;
}

/* The first reason that holds; the order is the rule (README.md). */
enum clf_blind
clf_blindness(
    const struct clf_engine *e, uint32_t flow, const struct clf_ctx *c, const struct clf_weighed *w)
{
	const struct clf_flow *f = &e->table.flows[flow];
	bool tcp = clf_key_protocol(f->k[1]) == TCP;
	bool one_way = f->packets[0] == 0 || f->packets[1] == 0;
	unsigned data = c->data_packets[0] + c->data_packets[1];
	bool outer = is_outer(c) &&
		     (w->name_source == SIG_F_TLS_SNI || w->name_source == SIG_F_QUIC_SNI);

	if (w->name_len != 0 && !outer)
		return CLF_BLIND_NONE;
	if (f->uninspected)
		return CLF_BLIND_UNINSPECTED;
	if (outer || is_outer(c))
		return CLF_BLIND_ECH;
	if (c->flags & CLF_FL_ENCRYPTED_DNS)
		return CLF_BLIND_ENCRYPTED_DNS;
	if (c->flags & CLF_FL_FRAGMENTS_LOST)
		return CLF_BLIND_FRAGMENTS_LOST;
	if (c->flags & CLF_FL_OVER_LIMIT)
		return CLF_BLIND_OVER_LIMIT;
	if (c->hello && (c->flags & (CLF_FL_NO_SNI | CLF_FL_ESNI)))
		return CLF_BLIND_NO_SNI;
	if (c->flags & CLF_FL_MALFORMED)
		return CLF_BLIND_MALFORMED;
	if (c->flags & CLF_FL_AMBIGUOUS)
		return CLF_BLIND_AMBIGUOUS;
	if (c->flags & (CLF_FL_TRUNCATED | CLF_FL_GAP))
		return CLF_BLIND_TRUNCATED;
	if (data == 0 && tcp)
		return CLF_BLIND_NO_DATA;
	if (tcp && !f->syn)
		return CLF_BLIND_MIDSTREAM;
	if (one_way && (tcp || f->packets[f->initiator] == 0))
		return CLF_BLIND_ONE_WAY;
	if (c->reader == CLF_READ_QUIC)
		return c->initial ? CLF_BLIND_MALFORMED : CLF_BLIND_MIDSTREAM;
	return data == 0 ? CLF_BLIND_NO_DATA : CLF_BLIND_NO_NAME_IN_PROTOCOL;
}
