/* SPDX-License-Identifier: Apache-2.0 */
/* What the compiler gathers on its way from packs to a rule set; for compile*.c alone. */
#ifndef SIGNATURES_COMPILE_H
#define SIGNATURES_COMPILE_H

#include "signatures/literals.h"
#include "signatures/pack.h"
#include "signatures/rules.h"

/* A growing array: count, room, bytes. */
struct grow {
	void *v;
	size_t n, cap;
};

struct expr_want {
	char *text; /* libhs' expression, owned; NULL: a literal */
	struct literal literal;
	const char *sig; /* id, for messages */
	uint32_t clause; /* NO_CLAUSE: asked for by a condition only */
};

struct build {
	struct sig_ruleset *rules;
	struct sig_diag *diag;
	unsigned date;
	struct grow wants;	     /* struct table_want */
	struct grow clauses, conds;  /* struct clause, struct cond */
	struct grow hosts, texts;    /* struct sig_pattern, struct string_item */
	struct grow prefixes;	     /* struct sig_prefix */
	struct grow expr_ids;	     /* uint32_t */
	struct grow heads;	     /* char */
	struct grow exprs[EXPR_DBS]; /* struct expr_want */
	bool no_memory;
};

/* Room for n more elements of `size` at the end; NULL (and no_memory) when there is none. */
void *build_add(struct build *b, struct grow *g, size_t n, size_t size);
/* Bytes that stay where they are as long as the rule set. */
char *build_keep(struct build *b, const char *s, size_t len);

/* --- compile_entry.c --- */

/* A `match` entry: clause, anchor, conditions. */
void build_match(struct build *b, uint32_t sig, const struct pack_entry *e, bool has_except);
/* An `except` entry: a clause of conditions alone. */
void build_except(struct build *b, uint32_t sig, const struct pack_entry *e);

#endif
