/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a compiled rule set; for compile*.c, match.c and their tests alone.
 *
 * A signature's `match` entries become *clauses*: an anchor, which a look-up finds, and further
 * conditions, which are checked only then. Host patterns, exact strings and prefixes are anchors
 * in one open-addressed hash table (table.c); expressions are anchors in one libhs database a
 * field. A host pattern that is all of its entry is `simple`: its table record names the signature
 * itself, and a bare name is judged without touching a clause.
 *
 * Made by sig_compile(), read-only after.
 */
#ifndef SIGNATURES_RULES_H
#define SIGNATURES_RULES_H

#include <hs.h>

#include "signatures/pattern.h"
#include "signatures/ruleset.h"
#include "signatures/value.h"

/* First byte of a table key that is no host name; names never hold such bytes. */
enum { KEY_ALPN = 1, KEY_JA3, KEY_JA4, KEY_NDPI, KEY_PORT, KEY_ADDR4, KEY_ADDR6 };

/* What one key of the table leads to. */
struct table_ref {
	uint32_t target; /* simple: a signature; else a clause */
	uint32_t head;	 /* host patterns with wildcards: offset of the head in `heads` */
	uint16_t specificity;
	uint16_t fields; /* which name fields it may be met in */
	uint8_t head_len;
	uint8_t open; /* enum sig_pattern_open; only names longer than the key when != NO */
	bool simple;
	uint8_t grade; /* of evidence other than names */
};
_Static_assert(sizeof(struct table_ref) == 16, "four to a cache line");

/* Followed by n_refs refs and the key's bytes. Begins at a multiple of 8 bytes. */
struct table_node {
	uint16_t n_refs;
	uint8_t key_len;
	uint8_t unused[5];
	struct table_ref refs[];
};

struct table_slot {
	uint32_t tag; /* the hash's upper half */
	uint32_t at;  /* node's offset / 8; 0 = free */
};

struct table {
	struct table_slot *slots;
	uint8_t *nodes;
	uint64_t seed, mask;
	size_t slots_bytes, nodes_bytes;
	unsigned labels_max; /* of any host key */
};

enum cond_kind { COND_HOST, COND_STRING, COND_ADDRESS, COND_EXPRESSION };

/* One condition: any of n items, from `first` on in the array of its kind. */
struct cond {
	uint8_t kind;
	uint8_t db; /* COND_EXPRESSION: which database */
	uint16_t unused;
	uint32_t fields;
	uint32_t first, n;
};

struct clause {
	uint32_t sig;
	uint32_t first_cond;
	uint16_t n_conds; /* without the anchor */
	uint8_t kinds;	  /* of evidence, anchor included */
	bool host_anchor;
};

/* What ordering and excepting need of a signature: see signatures/README.md, "Which one wins". */
struct sig_rec {
	uint32_t first_except; /* clauses */
	uint16_t n_excepts;
	uint8_t cap;
	bool portal;
};

struct string_item {
	const char *text;
	uint32_t len;
};

/* One libhs database for each of these fields. */
enum { EXPR_PATH, EXPR_USER_AGENT, EXPR_ISSUER, EXPR_SUBJECT, EXPR_PAYLOAD, EXPR_DOWN, EXPR_DBS };

struct expr_db {
	hs_database_t *db; /* NULL: no expression looks at this field */
	uint32_t n;
	uint32_t n_anchors; /* 0: scanned only when a clause asks */
	uint32_t *anchors;  /* by expression: the clause that it anchors, or NO_CLAUSE */
};

enum { NO_CLAUSE = UINT32_MAX };

/* Text in blocks that never move, freed together. */
struct arena_block;

struct sig_ruleset {
	struct table table;
	struct expr_db exprs[EXPR_DBS];
	uint8_t prefix_bits[2][130]; /* lengths in use for IPv4, IPv6; ended by 0 */
	struct clause *clauses;
	struct cond *conds;
	struct sig_pattern *hosts;
	struct string_item *texts;
	struct sig_prefix *prefixes;
	uint32_t *expr_ids;
	char *heads;	      /* of table records */
	struct sig_rec *recs; /* [0] unused: by signature */
	struct sig_info *infos;
	uint32_t n_sigs;
	uint32_t fields;
	struct arena_block *arena; /* whatever infos, hosts and texts point into */
	char digest[65];
	char *origin;
};

enum { FACTS_MAX = 254 };

struct sig_scratch {
	hs_scratch_t *hs;
	/* By database and expression: 1 + index of the fact that showed it, 0 = not seen. */
	uint8_t *seen[EXPR_DBS];
	uint32_t *list[EXPR_DBS]; /* those seen, to be cleared after */
	uint32_t n_list[EXPR_DBS];
	uint32_t cap[EXPR_DBS];
};

/* Which database holds a field's expressions, or -1. */
int expr_db_of(enum sig_field f);

/* --- table.c --- */

/* One record on its way into a table; `key` stays the caller's until table_build() returns. */
struct table_want {
	const char *key;
	uint64_t hash;
	struct table_ref ref;
	uint8_t key_len;
	bool is_host;
};

/* Sorts wants; 0, -ENOMEM, or -E2BIG when more than 65535 records share a key. */
int table_build(struct table *t, struct table_want *wants, size_t n);
void table_free(struct table *t);

#endif
