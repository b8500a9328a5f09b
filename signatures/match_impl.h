/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the matcher: one match under way, and what its files call in each other.
 *
 *   match.c        sig_match(): which facts are looked up, and the look-up of names (THE HOT PART)
 *   match_keys.c   facts that are other keys of the table: ports, addresses, ALPN, JA3, nDPI
 *   match_conds.c  clauses: conditions beyond the anchor, expressions, exceptions
 *   match_hits.c   hits in the documented order, and what labels say of them
 */
#ifndef SIGNATURES_MATCH_IMPL_H
#define SIGNATURES_MATCH_IMPL_H

#include "signatures/rules.h"

enum { MATCH_NO_FACT = -1 };

struct matching { /* lives on sig_match()'s stack */
	const struct sig_ruleset *rules;
	struct sig_scratch *scratch;
	const struct sig_fact *facts;
	unsigned n_facts;
	unsigned scanned; /* databases that have been, as bits */
	struct sig_result *result;
	uint64_t order[SIG_HITS_MAX]; /* of each hit so far: greater wins */
};

/* match.c: what a node of the table leads to, for a fact. name_len: of a host name, else 0. */
void
match_use_node(struct matching *m, const struct table_node *node, unsigned fact, size_t name_len);
const struct table_node *
match_find_node(const struct table *t, uint64_t hash, const void *key, size_t len);

/* match_keys.c */
void match_string(struct matching *m, unsigned fact);
void match_address(struct matching *m, unsigned fact);

/* How much of the name, dot included, stands left of the key that it was found by; 0: no labels. */
struct match_left {
	size_t len;
	bool domain; /* that key is a domain as one registers it */
};

/* match_conds.c */
void
match_try_clause(struct matching *m, uint32_t clause, struct sig_hit *hit, struct match_left left);
void match_expressions(struct matching *m, unsigned db);
/* Takes back what expressions left in the scratch. */
void match_forget_seen(struct sig_scratch *s);

/* match_hits.c: hit->confidence holds the evidence's grade yet. */
void
match_add_hit(struct matching *m, struct sig_hit *hit, unsigned kinds, uint8_t cap, bool portal);
/* A hit on a signature that labels refine becomes one on what they say of it. */
void match_refine(const struct matching *m, struct sig_hit *hit, struct match_left left);
/* Stronger as a source, then earlier in the flow: which of two facts is shown as evidence. */
bool match_better_fact(const struct sig_fact *a, const struct sig_fact *b);

#endif
