/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packs as they are written: the structs that the YAML is read into (pack_schema.c), before
 * anything is compiled. Made by sig_packs_load(), freed by sig_packs_free(); read-only between.
 * Every string is checked (pack_check.c): whoever reads these structs need not check again.
 */
#ifndef SIGNATURES_PACK_H
#define SIGNATURES_PACK_H

#include <cyaml/cyaml.h>

#include "signatures/ruleset.h"

/* The keys of a `match` or `except` entry that hold a string or a list of them. */
enum pack_key {
	PACK_HOST,
	PACK_SNI,
	PACK_HTTP_HOST,
	PACK_QNAME,
	PACK_CERT_NAME,
	PACK_HOST_LAST = PACK_CERT_NAME, /* keys up to here hold host patterns */
	PACK_PATH,
	PACK_USER_AGENT,
	PACK_ISSUER,
	PACK_SUBJECT,
	PACK_ALPN,
	PACK_JA3,
	PACK_JA4,
	PACK_ADDRESS,
	PACK_PORT,
	PACK_NDPI,
	PACK_KEYS
};

enum pack_dir { PACK_UP, PACK_DOWN };

struct pack_list {
	char **v;
	unsigned n;
};

struct pack_payload {
	unsigned offset;
	char *hex;  /* "de ad ?? ef", or NULL */
	char *text; /* or NULL */
	int dir;    /* enum pack_dir */
};

struct pack_entry {
	struct pack_list key[PACK_KEYS];
	struct pack_payload *payload;
	unsigned payload_count;
};

struct pack_valid {
	char *from, *until;
};

struct pack_signature {
	char *id, *product;
	int function;	/* enum sig_function */
	int confidence; /* enum sig_confidence: the cap */
	struct pack_entry *match;
	struct pack_entry *except;
	unsigned match_count, except_count;
	char *source, *reviewed, *note;
	bool shared, oem, artefact;
	bool by_label; /* labels.h refines the function */
	struct pack_valid *valid;
	char **allow_overlap;
	unsigned allow_overlap_count;
};

struct pack_product {
	char *id, *name, *category;
	char *agents; /* or NULL: id of the product that a host is of when its label is no page's */
};

struct pack_vendor {
	char *name, *owner, *country, *owner_country, *as_of, *source;
};

/* One flow as an example shows it: at most one value a key. */
struct pack_example {
	char *key[PACK_KEYS];
	char *payload, *payload_down; /* hex */
	char *signature;
	char *note;
};

struct pack_examples {
	struct pack_example *match, *no_match;
	unsigned match_count, no_match_count;
};

struct pack {
	unsigned format;
	char *id, *version;
	struct pack_vendor vendor;
	struct pack_product *products;
	struct pack_signature *signatures;
	unsigned products_count, signatures_count;
	struct pack_examples *examples;
};

struct pack_file {
	char *path; /* as shown in messages */
	char *text; /* kept to find places by */
	size_t len;
	struct pack *pack;
	unsigned char sha256[32];
};

struct sig_packs {
	struct pack_file *files; /* sorted by pack id */
	unsigned n;
	char *origin; /* see sig_ruleset_origin() */
};

extern const cyaml_schema_value_t pack_schema;
extern const char *const pack_key_names[PACK_KEYS];
extern const char *const pack_categories[];
extern const unsigned pack_categories_count;

/* The fields that a key looks at, as bits (1u << enum sig_field). */
uint32_t pack_key_fields(enum pack_key k);

/* The product of a signature; never NULL in checked packs. */
const struct pack_product *
pack_product_of(const struct pack *pack, const struct pack_signature *sig);
/* NULL if the pack has none of that id. */
const struct pack_product *pack_product_by_id(const struct pack *pack, const char *id);

/* Faults that no schema can tell, of one file; the number of errors added to diag. */
unsigned pack_check(const struct pack_file *file, bool from_file, struct sig_diag *diag);
/* One id given to two signatures of a file. */
unsigned pack_check_ids(const struct pack_file *file, struct sig_diag *diag);
/* Faults between the packs: one id twice, one name claimed twice. */
unsigned pack_check_all(const struct sig_packs *packs, struct sig_diag *diag);

/*
 * A fault or remark at `where` in a file (see sig_yaml_locate()); "" is the whole file. `where`
 * may end in parts that are not there: the nearest part that is gives the place.
 */
struct pack_where;
void pack_where_add(struct pack_where **cache, const struct pack_file *file, struct sig_diag *diag,
    enum sig_severity severity, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));
void pack_where_free(struct pack_where *cache);

#endif
