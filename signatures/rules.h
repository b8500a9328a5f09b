/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a compiled rule set; for compile*.c, match.c and their tests alone.
 *
 * A signature's `match` entries become *clauses*: an anchor, which a look-up finds, and further
 * conditions, which are checked only then. Host patterns, exact strings and prefixes are anchors
 * in one open-addressed hash table (table.c); expressions are anchors in one set a field: a table
 * of literals (literals.c) and a libhs database for the rest. A host pattern that is all of its
 * entry is `simple`: its table record names the signature itself, and a bare name is judged without
 * touching a clause.
 *
 * Made by sig_compile(), read-only after.
 */
#ifndef SIGNATURES_RULES_H
#define SIGNATURES_RULES_H

#include <hs.h>
#include <string.h>

#include "signatures/base/hash.h"
#include "signatures/literals.h"
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
	uint8_t open : 2; /* enum sig_pattern_open */
	uint8_t simple : 1;
	uint8_t portal : 1; /* simple: what sig_rec says, to spare a look there */
	uint8_t by_label : 1;
	uint8_t domain : 1; /* the key is a domain as one registers it */
	uint8_t cap;	    /* simple: likewise */
	uint8_t grade;	    /* of evidence that is no name */
};
_Static_assert(sizeof(struct table_ref) == 16, "it must fit into a node");

enum { NODE_KEY = 36, GROUP = 16 };

/*
 * A key with what it leads to: one cache line, so that a look-up that finds costs one. Longer keys
 * lie in `keys`, further records in `refs`.
 */
struct table_node {
	uint32_t refs_at; /* n_refs > 1: index of the first in table.refs */
	uint32_t key_at;  /* key_len > NODE_KEY: offset in table.keys */
	uint16_t n_refs;
	uint8_t key_len;
	uint8_t unused;
	struct table_ref ref; /* n_refs == 1 */
	char key[NODE_KEY];
};
_Static_assert(sizeof(struct table_node) == 64, "one cache line");

/*
 * Open addressing in groups of GROUP nodes. `tags` has a byte a node, 0 = free, else 0x80 and 7
 * bits of the hash: small enough to stay in a cache, it answers for nearly all keys that are not
 * there.
 */
struct table {
	uint64_t *apexes;  /* table_has_apex() */
	uint32_t n_apexes; /* words of it */
	uint8_t *tags;
	struct table_node *nodes;
	struct table_ref *refs;
	char *keys;
	uint64_t seed;
	uint32_t n_groups;
	unsigned labels_max; /* of any host key */
};

/*
 * The hash of a host key is made label by label from the right, starting with the seed, so that all
 * keys that a name may have cost one pass. Up to 15 bytes past the label are read, and ignored: so
 * that no branch depends on its length.
 */
static inline uint64_t
table_hash_label(uint64_t h, const uint8_t *label, size_t len, uint64_t seed)
{
	static const uint8_t mask[32] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const uint64_t k0 = 0xa0761d6478bd642fULL, k1 = 0xe7037ed1a0b428dbULL;
	uint64_t x = seed, a, b;

	for (; len > 16; len -= 16, label += 16)
		x = sig_hash_mix(sig_hash_load8(label) ^ k1, sig_hash_load8(label + 8) ^ x);
	a = sig_hash_load8(label) & sig_hash_load8(mask + 16 - len);
	b = sig_hash_load8(label + 8) & sig_hash_load8(mask + 24 - len);
	return sig_hash_mix(h ^ k0, sig_hash_mix(a ^ k1 ^ len, b ^ x));
}

/*
 * A Bloom filter, two bits in one word, of the last two labels of all host keys: most names end in
 * none of them, and need not be looked at further. `hash` is of those two labels.
 */
static inline uint64_t
table_apex_bits(uint64_t hash)
{
	return 1ULL << (hash >> 40 & 63) | 1ULL << (hash >> 46 & 63);
}

static inline uint64_t *
table_apex_word(const struct table *t, uint64_t hash)
{
	return &t->apexes[((hash & UINT32_MAX) * t->n_apexes) >> 32];
}

static inline bool
table_has_apex(const struct table *t, uint64_t hash)
{
	uint64_t bits = table_apex_bits(hash);

	return (*table_apex_word(t, hash) & bits) == bits;
}

/* A name with room to read past its end. */
enum { TABLE_NAME = 272 };

static inline uint32_t
table_group(const struct table *t, uint64_t hash)
{
	return (uint32_t)(((hash & UINT32_MAX) * t->n_groups) >> 32);
}

static inline uint8_t
table_tag(uint64_t hash)
{
	return (uint8_t)(0x80 | hash >> 57);
}

/* Where in its group a key is put when nothing else lies there: two in three are. */
static inline unsigned
table_slot(uint64_t hash)
{
	return (unsigned)(hash >> 53) & (GROUP - 1);
}

static inline const struct table_ref *
table_refs(const struct table *t, const struct table_node *n)
{
	return n->n_refs > 1 ? &t->refs[n->refs_at] : &n->ref;
}

static inline bool
table_is_key(const struct table *t, const struct table_node *n, const void *key, size_t len)
{
	return n->key_len == len &&
	       memcmp(len > NODE_KEY ? t->keys + n->key_at : n->key, key, len) == 0;
}

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
	uint32_t first_label : 24; /* by_label: first of LABEL_FUNCTIONS refined signatures; or 0 */
	uint32_t kept_from : 8;	   /* a bit for each of them that changes nothing here */
};

struct string_item {
	const char *text;
	uint32_t len;
};

/* One set of expressions for each of these fields. */
enum { EXPR_PATH, EXPR_USER_AGENT, EXPR_ISSUER, EXPR_SUBJECT, EXPR_PAYLOAD, EXPR_DOWN, EXPR_DBS };

struct expr_db {
	struct literals *literals; /* NULL: none of them is a literal */
	hs_database_t *db;	   /* NULL: all of them are */
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
	uint8_t prefix_bits[2][130];   /* lengths in use for IPv4, IPv6; ended by 0 */
	uint64_t prefix_near[2][1024]; /* by prefix_place(): is any prefix near an address? */
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
	uint32_t n_all; /* with the refined ones, which follow */
	uint32_t fields;
	uint16_t payload_reach[2]; /* by direction: see sig_ruleset_payload_reach() */
	struct arena_block *arena; /* whatever infos, hosts and texts point into */
	char digest[65];
	char *origin;
};

/*
 * A bit for the first 16 bits of an IPv4 address, or the first 32 of an IPv6 one folded: most
 * addresses have no vendor's prefix near, and need no look-up for each length in use.
 */
static inline uint32_t
prefix_place(const uint8_t *addr, size_t len)
{
	uint32_t a = (uint32_t)addr[0] << 8 | addr[1];

	return len == 4 ? a : a ^ ((uint32_t)addr[2] << 8 | addr[3]);
}

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

/* `seed` is set. Sorts wants; 0, -ENOMEM, or -E2BIG when more than 65535 records share a key. */
int table_build(struct table *t, struct table_want *wants, size_t n);
void table_free(struct table *t);

#endif
