/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the policy: the file as YAML gives it (doc) and what it compiles to. Only policy*.c
 * include this.
 *
 *   policy_schema.c   the shape of the file, for YAML
 *   policy_compile.c  struct pol_doc (words) -> struct clf_policy (meaning)
 *   policy_words.c    dates, networks, words: the small values of the file
 *   policy_check.c    names that no pack knows
 *   policy.c          decisions
 *
 * A struct clf_policy is made whole by pol_compile() and read-only from then on.
 */
#ifndef CLASSIFIER_POLICY_IMPL_H
#define CLASSIFIER_POLICY_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classifier/policy.h"
#include "signatures/base/diag.h"
#include "signatures/base/yaml.h"

enum { POL_RULES_MAX = 1000, POL_GROUPS_MAX = 64, POL_EXCEPT_MAX = 32, POL_HOURS_MAX = 8 };

/* --- the file, as loaded --- */

struct pol_list {
	char **item;
	unsigned n;
};

struct pol_doc_when {
	char *from, *until, *zone;
	struct pol_list days, hours;
};

struct pol_doc_cond {
	struct pol_list vendor, owner, country, owner_country, product, category, function, group,
	    host, outside, vlan, protocol;
	char *min_confidence;
	struct pol_doc_when *when;
};

struct pol_doc_rule {
	char *name, *note;
	struct pol_doc_cond match;
	struct pol_doc_cond *except;
	unsigned n_except;
	char *action, *state;
	bool reject;
};

struct pol_doc_group {
	char *name;
	struct pol_list countries, vendors, products;
};

struct pol_doc {
	unsigned format;
	char *mode;
	struct pol_doc_group *groups;
	unsigned n_groups;
	struct pol_doc_rule *rules;
	unsigned n_rules;
};

/* --- compiled --- */

/* A word and the key that tells most words apart without reading them. */
struct pol_word {
	uint64_t key;
	const char *text;
};
struct pol_words { /* sorted by key */
	struct pol_word *w;
	unsigned n;
};
struct pol_pair { /* "vendor/product" */
	struct pol_word vendor, product;
};
struct pol_net {
	uint8_t addr[16];
	uint8_t ip_version, prefix;
};

struct pol_when {
	uint64_t from_us, until_us; /* [from, until) */
	int32_t zone_s;		    /* east of UTC */
	uint8_t days;		    /* bit 0: Sunday; 0: every day */
	uint8_t n_hours;
	struct {
		uint16_t from, until; /* minutes of the day; until < from passes midnight */
	} hours[POL_HOURS_MAX];
};

enum pol_key { /* which keys a condition has: bits of pol_cond.has */
	POL_VENDOR = 1u << 0,
	POL_OWNER = 1u << 1,
	POL_COUNTRY = 1u << 2,
	POL_OWNER_COUNTRY = 1u << 3,
	POL_PRODUCT = 1u << 4,
	POL_CATEGORY = 1u << 5,
	POL_FUNCTION = 1u << 6,
	POL_GROUP = 1u << 7,
	POL_HOST = 1u << 8,
	POL_OUTSIDE = 1u << 9,
	POL_VLAN = 1u << 10,
	POL_PROTOCOL = 1u << 11,
	POL_WHEN = 1u << 12,
};

struct pol_cond {
	uint32_t has;	    /* enum pol_key */
	uint16_t functions; /* bit per enum sig_function */
	uint8_t min_confidence;
	uint64_t groups; /* bit per group */
	struct pol_words vendor, owner, country, owner_country, product, category;
	struct pol_pair *pairs; /* of `product` */
	unsigned n_pairs;
	struct pol_net *host, *outside;
	unsigned n_host, n_outside;
	uint16_t *vlan;
	unsigned n_vlan;
	uint64_t protocols[4]; /* bit per IP protocol number */
	struct pol_when when;
};

enum pol_action { POL_REPORT, POL_DROP, POL_RESET };

struct pol_rule {
	const char *name;
	struct pol_cond match;
	struct pol_cond *except;
	unsigned n_except;
	uint8_t action; /* enum pol_action */
	bool enforce;	/* state */
	bool reject;
	bool names_portal;
};

struct pol_group {
	const char *name;
	struct pol_words countries, vendors, products;
	struct pol_pair *pairs;
	unsigned n_pairs;
};

struct clf_policy {
	/* read by decisions */
	struct pol_rule *rules;
	struct pol_group *groups;
	unsigned n_rules, n_groups;
	enum clf_mode mode;
	uint32_t uses; /* union of all has bits */

	/* cold */
	char digest[65];
	char *path, *text; /* for clf_policy_check(); NULL when built in */
	size_t text_len;
	struct pol_doc *doc;
};

/* Folds case the cheap way: equal words have equal keys, the rest is strcasecmp()'s. */
struct pol_word pol_word_of(const char *text);
/* The schema of the file. */
extern const cyaml_schema_value_t pol_doc_schema;

/* --- small values; each returns false when the text is not one --- */

bool pol_parse_net(const char *text, struct pol_net *ret);
bool pol_parse_time(const char *text, int32_t zone_s, uint64_t *ret_us);
bool pol_parse_zone(const char *text, int32_t *ret_s);
bool pol_parse_hours(const char *text, uint16_t *ret_from, uint16_t *ret_until);
bool pol_parse_day(const char *text, uint8_t *ret_day); /* 0 Sunday */
bool pol_parse_protocol(const char *text, uint8_t *ret);
bool pol_parse_vlan(const char *text, uint16_t *ret);
bool pol_is_country(const char *text); /* two letters */

/* Adds a fault at a node of the file (a sig_yaml_locate() path). */
struct pol_where {
	const char *path, *text;
	size_t len;
	struct sig_diag *diag;
};
void pol_fault(const struct pol_where *w, enum sig_severity severity, const char *node,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* doc -> policy: 0, -EINVAL with faults in w->diag, -ENOMEM. Borrows doc's strings. */
int pol_compile(const struct pol_doc *doc, const struct pol_where *w, struct clf_policy *policy);
void pol_compiled_free(struct clf_policy *policy);

#endif
