/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiled rule set: what the packs say, immutable, shared by all threads without a lock.
 *
 *   set-up (any one thread, allocates):  sig_packs_load() -> sig_compile() -> sig_ruleset_free()
 *   match  (any thread, no allocation):  sig_match(), sig_match_name() with a scratch of its own
 *
 * A rule set never changes after sig_compile(); replacing one is the caller's affair (invariant 3).
 */
#ifndef SIGNATURES_RULESET_H
#define SIGNATURES_RULESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "signatures/base/diag.h"
#include "signatures/facts.h"

struct sig_ruleset; /* opaque */
struct sig_scratch; /* one per matching thread; holds the libhs scratch and work arrays */
struct sig_packs;   /* the loaded, checked but uncompiled packs */

/* What a signature says; strings live as long as the rule set. Absent strings are NULL. */
struct sig_info {
	const char *id;	  /* "crowdstrike/falcon-cloud": pack id / signature id */
	const char *pack; /* pack id */
	const char *pack_version;
	const char *vendor;	   /* "CrowdStrike" */
	const char *vendor_id;	   /* "crowdstrike" */
	const char *owner;	   /* "CrowdStrike Holdings, Inc." */
	const char *country;	   /* vendor's seat, ISO 3166-1 alpha-2, "US" */
	const char *owner_country; /* owner's seat */
	const char *product;	   /* "Falcon" */
	const char *product_id;
	const char *category; /* "edr" */
	const char *source;   /* URL or document */
	const char *reviewed; /* "2026-11-22" */
	const char *note;     /* traps in prose, may be NULL */
	/* by_label: the id of the signature whose function a label refined; else NULL. */
	const char *label_of;
	enum sig_function function;
	enum sig_confidence cap; /* highest confidence the signature itself allows */
	bool shared;		 /* on shared infrastructure: may report, never drop */
	bool oem;		 /* another vendor's product may embed this engine */
	bool policy_artefact;	 /* a filter answered; no agent is there */
	bool active;		 /* false: outside of its `valid` dates at compile time */
};

enum { SIG_HITS_MAX = 8, SIG_NO_MATCH = 0 };

struct sig_hit {
	uint32_t sig;	      /* signature index, 1-based; SIG_NO_MATCH = none */
	uint8_t confidence;   /* enum sig_confidence: min(grade of evidence, signature's cap) */
	uint8_t n_facts;      /* facts used as evidence */
	uint8_t facts[4];     /* their indexes in the array given to sig_match() */
	uint16_t specificity; /* see signatures/README.md, "Which one wins" */
};

/* hits[0] won; the rest lost, best first: kept as evidence. */
struct sig_result {
	unsigned n_hits;
	struct sig_hit hits[SIG_HITS_MAX];
};

/* --- set-up --- */

/*
 * Where the packs are when nobody says: $PHONEHOME_PACKS, or beside the running program (installed
 * or in a build folder of the source tree), or the installed folder. Static storage, one thread.
 */
const char *sig_packs_default_dir(void);

/*
 * Loads every *.yaml of a folder (not recursive, sorted by name) or one file. All faults of all
 * files are gathered in diag; 0 only when there was no error.
 */
int sig_packs_load(const char *path, struct sig_packs **ret_packs, struct sig_diag *diag);
/* The same from memory, for tests and fuzzing: one pack's text, called `name` in messages. */
int sig_packs_load_text(const char *name, const char *text, size_t len,
    struct sig_packs **ret_packs, struct sig_diag *diag);
void sig_packs_free(struct sig_packs *packs);

/* As of today, UTC: a signature outside of its `valid` dates is listed but never matches. */
int
sig_compile(const struct sig_packs *packs, struct sig_ruleset **ret_rules, struct sig_diag *diag);
/* As of another day, as yyyymmdd: 20261122. */
int sig_compile_at(const struct sig_packs *packs, unsigned date, struct sig_ruleset **ret_rules,
    struct sig_diag *diag);
void sig_ruleset_free(struct sig_ruleset *rules);

int sig_scratch_new(const struct sig_ruleset *rules, struct sig_scratch **ret_scratch);
/* Grows a scratch for a newer rule set. Called by its owner outside of the packet path. */
int sig_scratch_fit(struct sig_scratch *scratch, const struct sig_ruleset *rules);
void sig_scratch_free(struct sig_scratch *scratch);

/* --- about a rule set --- */

/* Signatures 1..count; those that labels refine (label_of) come after them, and are not counted. */
uint32_t sig_ruleset_count(const struct sig_ruleset *rules);
const struct sig_info *sig_ruleset_info(const struct sig_ruleset *rules, uint32_t sig);
const char *sig_ruleset_digest(const struct sig_ruleset *rules); /* sha256 of all packs, hex */
/* "signed:<bundle version>", "unsigned", or "folder": how the packs came here; for `status`. */
const char *sig_ruleset_origin(const struct sig_ruleset *rules);
/* Bit (1u << field) set when any signature looks at that field: lets callers skip work. */
uint32_t sig_ruleset_fields(const struct sig_ruleset *rules);
/* How many of the first bytes signatures look at, of the initiator or the responder; 0: none. */
unsigned sig_ruleset_payload_reach(const struct sig_ruleset *rules, bool down);

/* --- match; no allocation, no lock, bounded time --- */

/* All facts gathered so far of one flow. Pure: same facts, same result, in any order of facts. */
void sig_match(const struct sig_ruleset *rules, struct sig_scratch *scratch,
    const struct sig_fact *facts, unsigned n_facts, struct sig_result *ret_result);
/* A bare host name, judged as if it were the TLS SNI: what `signatures match` does. */
void sig_match_name(const struct sig_ruleset *rules, struct sig_scratch *scratch,
    const char *canonical, size_t len, struct sig_result *ret_result);

#endif
