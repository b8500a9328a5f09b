/* SPDX-License-Identifier: Apache-2.0 */
/* A small good pack, and how tests bend it: one text put in the place of another. */
#ifndef TESTS_SIGNATURES_PACK_TEXT_H
#define TESTS_SIGNATURES_PACK_TEXT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "signatures/ruleset.h"

static const char good_pack[] = "format: 1\n"
				"pack: t\n"
				"version: 1.0\n"
				"vendor:\n"
				"  name: T\n"
				"  owner: T Inc.\n"
				"  country: US\n"
				"  as_of: 2026-01-01\n"
				"  source: https://t.example/\n"
				"products:\n"
				"  - {id: p, name: P, category: av}\n"
				"signatures:\n"
				"  - id: s\n"
				"    product: p\n"
				"    function: update\n"
				"    confidence: high\n"
				"    source: https://t.example/doc\n"
				"    reviewed: 2026-01-01\n"
				"    match:\n"
				"      - host: a.vendor.com\n";

/* The good pack with the first `from` replaced by `to`; the caller frees it. */
static __attribute__((noinline, unused)) char *
bent_pack(const char *from, const char *to)
{
	const char *at = strstr(good_pack, from);
	char *text = NULL;

	assert_non_null(at);
	assert_true(asprintf(&text, "%.*s%s%s", (int)(at - good_pack), good_pack, to,
			at + strlen(from)) > 0);
	return text;
}

/* Loads a text that must be good, compiled for a day. */
static inline struct sig_ruleset *
rules_at(const char *text, unsigned date)
{
	struct sig_diag diag = { 0 };
	struct sig_packs *packs = NULL;
	struct sig_ruleset *rules = NULL;

	if (sig_packs_load_text("t.yaml", text, strlen(text), &packs, &diag) != 0 ||
	    sig_compile_at(packs, date, &rules, &diag) != 0)
		fail_msg("%s", diag.n ? diag.msgs[0].text : "failed without a word");
	sig_packs_free(packs);
	sig_diag_free(&diag);
	return rules;
}

#endif
