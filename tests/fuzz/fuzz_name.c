/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a name: the canonical form is stable, escapes are printable, the compiled table
 * agrees with a plain pass over the patterns, and what labels tell stands in the name.
 */
#include <stdlib.h>
#include <string.h>

#include "signatures/base/text.h"
#include "signatures/labels.h"
#include "signatures/pattern.h"
#include "signatures/ruleset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const patterns[] = { "a.b.example.com", ".example.com", "**.b.example.com",
	"*.example.com", "ts#-*.example.com", ".us#.x.example.com", "**.*a.example.com" };
enum { N = sizeof(patterns) / sizeof(patterns[0]) };

static struct sig_ruleset *
compile(void)
{
	struct sig_diag diag = { 0 };
	struct sig_packs *packs = NULL;
	struct sig_ruleset *rules = NULL;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	fprintf(f,
	    "format: 1\npack: f\nversion: '1'\nvendor: {name: F, owner: F, country: US, as_of: "
	    "2026-01-01, source: x}\nproducts: [{id: p, name: P, category: other}]\n"
	    "signatures:\n");
	for (unsigned i = 0; i < N; i++)
		fprintf(f,
		    "  - {id: s%u, product: p, function: mixed, confidence: high, source: x, "
		    "reviewed: 2026-01-01, match: [{host: '%s'}]}\n",
		    i, patterns[i]);
	fclose(f);
	if (sig_packs_load_text("f.yaml", text, len, &packs, &diag) != 0 ||
	    sig_compile_at(packs, 20260101, &rules, &diag) != 0)
		abort();
	sig_packs_free(packs);
	free(text);
	return rules;
}

static unsigned
slow(const char *name, size_t len)
{
	unsigned hits = 0;

	for (unsigned i = 0; i < N; i++) {
		struct sig_pattern p;
		const char *why;

		if (sig_pattern_parse(patterns[i], &p, &why) != 0)
			abort();
		hits |= (unsigned)sig_pattern_match(&p, name, len) << i;
	}
	return hits;
}

/* Bytes as they are, canonical or not, with nothing behind them. */
static void
tell(const uint8_t *data, size_t size)
{
	size_t len = size < SIG_NAME_MAX ? size : SIG_NAME_MAX;
	char *labels = malloc(len ? len : 1);

	if (!labels)
		return;
	memcpy(labels, data, len);
	for (unsigned zone = LABELS_OF_AGENTS; zone <= LABELS_OF_SITE; zone++) {
		struct label label;
		unsigned told = labels_tell(labels, len, (enum labels_zone)zone, &label);

		if (told > LABEL_FUNCTIONS)
			abort();
		if (told == 0)
			continue;
		if (label.len == 0 || label.text < labels || label.text + label.len > labels + len)
			abort();
		if (memchr(label.text, '.', label.len) && zone != LABELS_OF_SITE)
			abort();
	}
	free(labels);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sig_ruleset *rules;
	static struct sig_scratch *scratch;
	char name[SIG_NAME_MAX + 1], again[SIG_NAME_MAX + 1], shown[256];
	struct sig_result r;
	unsigned hits = 0;
	size_t n;
	int len;

	if (!rules) {
		rules = compile();
		if (sig_scratch_new(rules, &scratch) != 0)
			abort();
	}
	tell(data, size);
	n = sig_text_escape(shown, sizeof(shown), data, size);
	for (size_t i = 0; i < n; i++)
		if (shown[i] < 0x20 || shown[i] > 0x7e)
			abort();
	len = sig_name_canonical(name, data, size);
	if (len < 0) {
		/* Bytes that are no name match nothing. */
		sig_match_name(rules, scratch, (const char *)data, size, &r);
		if (r.n_hits > 0)
			abort();
		return 0;
	}
	if (sig_name_canonical(again, (const uint8_t *)name, (size_t)len) != len ||
	    strcmp(name, again) != 0)
		abort();
	sig_match_name(rules, scratch, name, (size_t)len, &r);
	for (unsigned i = 0; i < r.n_hits; i++)
		hits |= 1U << (sig_ruleset_info(rules, r.hits[i].sig)->id[3] - '0');
	if (hits != slow(name, (size_t)len))
		abort();
	return 0;
}
