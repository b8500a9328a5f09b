/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole capture through the engine: any pcap bytes, read by hand as a hostile file would be.
 * Besides memory errors it fails when a statistics identity breaks or an event is not valid.
 */
#include <stdlib.h>
#include <string.h>

#include "classifier/engine.h"
#include "signatures/base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sig_ruleset *rules;
static struct clf_policy *policy;

static const char pack[] =
    "format: 1\npack: fuzz\nversion: 1\nvendor: {name: F, owner: F, country: US, "
    "as_of: 2026-01-01, source: none}\nproducts:\n  - {id: p, name: P, category: other}\n"
    "signatures:\n  - id: s\n    product: p\n    function: update\n    confidence: high\n"
    "    source: none\n    reviewed: 2026-01-01\n    match:\n      - host:\n"
    "          - \"*.example.com\"\n";

static bool
sink(void *ctx, const struct clf_event *event)
{
	(void)ctx;
	if (!clf_event_valid(event, event->size))
		abort();
	return true;
}

static void
start(void)
{
	struct sig_diag diag = { 0 };
	struct sig_packs *packs = NULL;

	if (sig_packs_load_text("fuzz.yaml", pack, sizeof(pack) - 1, &packs, &diag) != 0 ||
	    sig_compile(packs, &rules, &diag) != 0 || clf_policy_load(NULL, &policy, &diag) != 0) {
		sig_diag_print(&diag, stderr);
		abort();
	}
	sig_packs_free(packs);
}

static struct clf_engine *
engine(uint8_t options)
{
	struct clf_engine_config c;
	struct clf_engine *e = NULL;
	struct sig_diag diag = { 0 };

	clf_engine_config_default(&c);
	c.max_flows = 64;
	c.max_inspecting = 16;
	c.stream_bytes = 1 << 20;
	c.max_fragments = 4;
	c.dns_memory_entries = 64;
	/* nDPI costs seconds to start: its parsers are its authors' to fuzz. */
	c.ndpi = CLF_NDPI_OFF;
	c.ja3 = options & 1;
	c.trust_checksums = options & 2;
	c.crypto_budget = (options & 4) ? 2 : 0;
	c.seed[0] = 1;
	c.seed[1] = 2;
	c.sink = sink;
	if (clf_engine_new(&c, rules, policy, &e, &diag) != 0)
		abort();
	return e;
}

static void
check(const struct clf_engine_stats *s)
{
	uint64_t parsed = 0, judged = 0, blind = 0;

	for (unsigned i = 0; i < CLF_P_MAX; i++)
		parsed += s->parse[i];
	for (unsigned i = 0; i <= CLF_WOULD_RESET; i++)
		judged += s->verdicts[i];
	for (unsigned i = 0; i < CLF_BLIND_MAX; i++)
		blind += s->blind_flows[i];
	if (parsed != s->frames || judged != s->frames || blind != s->flows_ended ||
	    s->flows_now != 0 || s->inspecting_now != 0 || s->flows_new != s->flows_ended)
		abort();
}

/* Little-endian pcap: a 24-byte head, then records of 16 bytes and a frame. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sig_bytes in = sig_bytes_of(data, size);
	struct clf_frame frames[CLF_BURST_MAX];
	struct clf_result results[CLF_BURST_MAX];
	uint8_t *copies[CLF_BURST_MAX];
	uint64_t now = 0;

	if (!rules)
		start();
	const uint8_t *head = sig_bytes_take(&in, 24);
	if (!head)
		return 0;
	struct clf_engine *e = engine(head[4]);
	for (;;) {
		unsigned n = 0;
		while (n < CLF_BURST_MAX) {
			const uint8_t *r = sig_bytes_take(&in, 16);
			if (!r)
				break;
			uint32_t field[4];
			memcpy(field, r, 16);
			size_t left = sig_bytes_left(&in), len = field[2] % 65536;
			if (len > left)
				len = left;
			copies[n] = malloc(len ? len : 1); /* exact, so that a read past it shows */
			memcpy(copies[n], sig_bytes_take(&in, len), len);
			now = (uint64_t)field[0] * 1000000 + field[1] % 1000000;
			frames[n] = (struct clf_frame){ .data = copies[n],
				.ts_us = now,
				.len = (uint32_t)len,
				.wire_len = field[3] > len && field[3] < 70000 ? field[3]
									       : (uint32_t)len,
				.link = head[20] < CLF_LINK_OTHER ? (head[20] == 1 ? 0 : head[20])
								  : 0 };
			if (frames[n].wire_len > len)
				frames[n].flags |= CLF_FRAME_TRUNCATED;
			n++;
		}
		if (n == 0)
			break;
		clf_burst(e, frames, n, now, results);
		while (n != 0)
			free(copies[--n]);
	}
	clf_flush(e, now);
	check(clf_engine_stats(e));
	clf_engine_free(e);
	return 0;
}
