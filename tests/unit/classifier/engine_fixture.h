/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An engine with one vendor's pack and one policy, frames made by hand, and every event kept. Used
 * by the tests of the engine's files.
 */
#ifndef TESTS_UNIT_CLASSIFIER_ENGINE_FIXTURE_H
#define TESTS_UNIT_CLASSIFIER_ENGINE_FIXTURE_H

#include "tests/unit/classifier/check.h"

#include "classifier/engine.h"
#include "tests/unit/classifier/dns_build.h"
#include "tests/unit/classifier/frames.h"
#include "tests/unit/classifier/tls_build.h"

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, EVENTS_MAX = 4096 };

static struct clf_event *events;
static unsigned n_events;
static struct sig_ruleset *rules;
static struct clf_policy *policy;
static struct clf_engine *engine;
static uint64_t now;

static const char pack_text[] =
    "format: 1\npack: acme\nversion: 1\nvendor: {name: Acme, owner: Acme Inc, country: US, "
    "as_of: 2026-01-01, source: none}\nproducts:\n  - {id: agent, name: Agent, category: edr}\n"
    "signatures:\n  - id: cloud\n    product: agent\n    function: cloud-lookup\n"
    "    confidence: high\n    source: none\n    reviewed: 2026-01-01\n    match:\n      - host:\n"
    "          - \"*.acme.example\"\n";
static const char enforce_text[] =
    "format: 1\nmode: enforce\nrules:\n  - name: stop\n    match: {vendor: [Acme]}\n"
    "    action: drop\n    state: enforce\n";

static inline bool
keep_event(void *ctx, const struct clf_event *e)
{
	(void)ctx;
	assert_true(clf_event_valid(e, e->size));
	assert_true(n_events < EVENTS_MAX);
	memcpy(&events[n_events++], e, e->size);
	return true;
}

static inline void
start_with(const char *policy_text, const struct clf_engine_config *config)
{
	struct sig_diag diag = { 0 };
	struct sig_packs *packs = NULL;
	struct clf_engine_config c = *config;

	c.sink = keep_event;
	c.seed[0] = 7;
	c.seed[1] = 9;
	events = calloc(EVENTS_MAX, sizeof(*events));
	n_events = 0;
	now = 1700000000000000ULL;
	assert_int_equal(
	    sig_packs_load_text("acme.yaml", pack_text, sizeof(pack_text) - 1, &packs, &diag), 0);
	assert_int_equal(sig_compile(packs, &rules, &diag), 0);
	sig_packs_free(packs);
	assert_int_equal(policy_text ? clf_policy_load_text("policy.yaml", policy_text,
					   strlen(policy_text), &policy, &diag)
				     : clf_policy_load(NULL, &policy, &diag),
	    0);
	assert_int_equal(clf_engine_new(&c, rules, policy, &engine, &diag), 0);
}

static inline struct clf_engine_config
small_config(void)
{
	struct clf_engine_config c;

	clf_engine_config_default(&c);
	c.max_flows = 4096;
	c.max_inspecting = 64;
	c.stream_bytes = 1 << 20;
	c.ndpi = CLF_NDPI_OFF;
	return c;
}

static inline void
start(const char *policy_text)
{
	struct clf_engine_config c = small_config();

	start_with(policy_text, &c);
}

/* What must hold of the counters whatever came; after a flush also that nothing is left. */
static inline void
check_identities(bool flushed)
{
	const struct clf_engine_stats *s = clf_engine_stats(engine);
	uint64_t parsed = 0, judged = 0, blind = 0;

	for (unsigned i = 0; i < CLF_P_MAX; i++)
		parsed += s->parse[i];
	for (unsigned i = 0; i <= CLF_WOULD_RESET; i++)
		judged += s->verdicts[i];
	for (unsigned i = 0; i < CLF_BLIND_MAX; i++)
		blind += s->blind_flows[i];
	assert_int_equal(parsed, s->frames);
	assert_int_equal(judged, s->frames);
	assert_int_equal(blind, s->flows_ended);
	assert_int_equal(s->flows_new, s->flows_ended + s->flows_now);
	if (flushed) {
		assert_int_equal(s->flows_now, 0);
		assert_int_equal(s->inspecting_now, 0);
		assert_int_equal(s->flows_decided + s->flows_gave_up, s->flows_ended);
	}
}

static inline void
stop(void)
{
	clf_flush(engine, now);
	check_identities(true);
	clf_engine_free(engine);
	clf_policy_free(policy);
	sig_ruleset_free(rules);
	free(events);
}

static inline struct clf_result
send_frame(const struct fb *b, uint64_t after_us)
{
	struct clf_frame f = fb_frame(b, CLF_LINK_ETHERNET);
	struct clf_result r;

	now += after_us;
	f.ts_us = now;
	clf_burst(engine, &f, 1, now, &r);
	return r;
}

/* Addresses and ports: 10.0.0.1:`port` is the client, 10.0.0.2:`server_port` the server. */
static inline void
set_ends(struct fb *b, uint32_t ip, bool up, uint16_t port, uint16_t server_port)
{
	uint16_t sp = up ? port : server_port, dp = up ? server_port : port;

	b->data[ip + 15] = up ? 1 : 2;
	b->data[ip + 19] = up ? 2 : 1;
	b->data[ip + 20] = (uint8_t)(sp >> 8);
	b->data[ip + 21] = (uint8_t)sp;
	b->data[ip + 22] = (uint8_t)(dp >> 8);
	b->data[ip + 23] = (uint8_t)dp;
}

static inline struct clf_result
tcp(bool up, uint16_t port, uint16_t server_port, uint8_t flags, uint32_t seq, const void *data,
    size_t n)
{
	struct fb b = { .len = 0 };

	fb_eth(&b, 0x0800);
	fb_ip4(&b, 6, (uint32_t)(20 + n), 1, 0);
	uint32_t ip = b.len - 20;
	fb_tcp(&b, flags, seq, data, (uint32_t)n);
	set_ends(&b, ip, up, port, server_port);
	return send_frame(&b, 1000);
}

static inline struct clf_result
udp(bool up, uint16_t port, uint16_t server_port, const void *data, size_t n)
{
	struct fb b = { .len = 0 };

	fb_eth(&b, 0x0800);
	fb_ip4(&b, 17, (uint32_t)(8 + n), 1, 0);
	uint32_t ip = b.len - 20;
	fb_udp(&b, server_port, (uint32_t)n);
	fb_add(&b, data, (uint32_t)n);
	set_ends(&b, ip, up, port, server_port);
	return send_frame(&b, 1000);
}

static inline void
shake_hands(uint16_t port, uint16_t server_port)
{
	(void)tcp(true, port, server_port, SYN, 0, NULL, 0);
	(void)tcp(false, port, server_port, SYN | ACK, 6, NULL, 0);
	(void)tcp(true, port, server_port, ACK, 1, NULL, 0);
}

static inline void
make_hello(struct buf *rec, const char *name)
{
	struct buf msg = { 0 };

	put_hello(&msg, &(struct hello_spec){ .sni = name });
	put_records(rec, msg.data, msg.len, 16384);
	buf_free(&msg);
}

static inline const struct clf_event *
event_of_type(enum clf_event_type type, unsigned nth)
{
	for (unsigned i = 0; i < n_events; i++) {
		if (events[i].type == type && nth-- == 0)
			return &events[i];
	}
	return NULL;
}

static inline unsigned
count_events(enum clf_event_type type)
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_events; i++)
		n += events[i].type == type;
	return n;
}

#define assert_str(e, field, text) \
	assert_bytes(clf_event_str((e), (e)->field), (e)->field.len, (text))

#endif
