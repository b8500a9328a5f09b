/* SPDX-License-Identifier: Apache-2.0 */
/* What a schema cannot tell of one pack: that its values mean something and fit each other. */
#include <errno.h>
#include <libpsl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signatures/base/hash.h"
#include "signatures/base/yaml.h"
#include "signatures/labels.h"
#include "signatures/pack.h"
#include "signatures/pattern.h"
#include "signatures/value.h"

enum { NEAR_MAX = 1000 };

enum { OWN_NAMES = 256 };

struct check {
	const struct pack_file *file;
	struct sig_diag *diag;
	struct pack_where *where;
	unsigned faults;
	/* Ends of patterns that were found to be no public suffix, by their hash: many share one.
	 */
	struct {
		const char *key;
		size_t len;
	} own[OWN_NAMES];
};

/* A place in the file, worded only for a fault: `key`, or `key[index]`, below `up`. */
struct place {
	const struct place *up;
	const char *key;
	int index; /* -1: none */
};

#define PLACE(up, key, index) (&(struct place){ up, key, (int)(index) })
#define KEY(up, key) PLACE(up, key, -1)

#define FAULT(c, at, ...)                                                    \
	do {                                                                 \
		char where_[192];                                            \
		(c)->faults++;                                               \
		pack_where_add(&(c)->where, (c)->file, (c)->diag, SIG_ERROR, \
		    worded(where_, sizeof(where_), at), __VA_ARGS__);        \
	} while (0)

static const char *
worded(char *buf, size_t cap, const struct place *at)
{
	size_t n = 0;

	if (at->up) {
		n = strlen(worded(buf, cap, at->up));
		n += (size_t)snprintf(buf + n, cap - n, ".");
	}
	if (at->index < 0)
		snprintf(buf + n, cap - n, "%s", at->key);
	else
		snprintf(buf + n, cap - n, "%s[%d]", at->key, at->index);
	return buf;
}

static void
check_date(struct check *c, const struct place *where, const char *s, uint32_t *ret_date)
{
	if (sig_value_date(s, ret_date) != 0)
		FAULT(c, where, "'%s' is no date: write it as 2026-11-22", s);
}

static void
check_country(struct check *c, const struct place *where, const char *s)
{
	if (s && !sig_value_is_country(s))
		FAULT(c, where, "'%s' is no ISO 3166-1 country code (two capital letters)", s);
}

static void
check_id(struct check *c, const struct place *where, const char *s)
{
	if (!sig_value_is_id(s))
		FAULT(c, where, "'%s' is no id: lower-case letters, digits and inner hyphens", s);
}

/* What is one column of a table or one line of a list. */
static void
check_line(struct check *c, const struct place *where, const char *s)
{
	if (strpbrk(s, "\t\r\n"))
		FAULT(c, where, "'%s' must be one line, without tabs", where->key);
}

static void
check_head(struct check *c, bool from_file)
{
	const struct pack *p = c->file->pack;
	const char *base = strrchr(c->file->path, '/');
	size_t n = strlen(p->id);
	uint32_t date;

	base = base ? base + 1 : c->file->path;
	if (p->format != 1)
		FAULT(c, KEY(NULL, "format"), "format %u is not known: this program reads format 1",
		    p->format);
	check_id(c, KEY(NULL, "pack"), p->id);
	if (from_file && (strncmp(base, p->id, n) != 0 || strcmp(base + n, ".yaml") != 0))
		FAULT(c, KEY(NULL, "pack"), "pack '%s' must be in a file of that name: %s.yaml",
		    p->id, p->id);
	if (strspn(p->version, "0123456789.") != strlen(p->version) || p->version[0] == '.')
		FAULT(c, KEY(NULL, "version"), "'%s' is no version: digits and dots", p->version);
	check_line(c, KEY(NULL, "vendor.name"), p->vendor.name);
	check_line(c, KEY(NULL, "vendor.owner"), p->vendor.owner);
	check_line(c, KEY(NULL, "vendor.source"), p->vendor.source);
	check_country(c, KEY(NULL, "vendor.country"), p->vendor.country);
	check_country(c, KEY(NULL, "vendor.owner_country"), p->vendor.owner_country);
	check_date(c, KEY(NULL, "vendor.as_of"), p->vendor.as_of, &date);
}

static void
check_product_id(struct check *c, const struct place *where, const char *id)
{
	const struct pack *p = c->file->pack;
	const char *ids[NEAR_MAX], *near;

	if (pack_product_by_id(p, id))
		return;
	for (unsigned i = 0; i < p->products_count && i < NEAR_MAX; i++)
		ids[i] = p->products[i].id;
	near = sig_nearest(id, ids, p->products_count);
	FAULT(c, where, "product '%s' is not in this pack%s%s%s", id,
	    near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static void
check_products(struct check *c)
{
	const struct pack *p = c->file->pack;

	for (unsigned i = 0; i < p->products_count; i++) {
		const struct pack_product *r = &p->products[i];
		const struct place *at = PLACE(NULL, "products", i);
		bool known = false;

		check_id(c, KEY(at, "id"), r->id);
		check_line(c, KEY(at, "name"), r->name);
		for (unsigned j = 0; j < i; j++)
			if (strcmp(p->products[j].id, r->id) == 0)
				FAULT(c, KEY(at, "id"), "product '%s' is there already", r->id);
		if (r->agents)
			check_product_id(c, KEY(at, "agents"), r->agents);
		for (unsigned j = 0; j < pack_categories_count; j++)
			known |= strcmp(pack_categories[j], r->category) == 0;
		if (!known) {
			const char *near = sig_nearest(
			    r->category, pack_categories, pack_categories_count);

			FAULT(c, KEY(at, "category"), "'%s' is no category%s%s%s", r->category,
			    near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
		}
	}
}

/* Whether anybody may register names right below the key: libpsl's list, private section too. */
static bool
is_public_suffix(struct check *c, const struct sig_pattern *p)
{
	size_t slot = sig_hash(p->key, p->key_len, 0) % OWN_NAMES;
	char key[256];

	if (c->own[slot].len == p->key_len && memcmp(c->own[slot].key, p->key, p->key_len) == 0)
		return false;
	memcpy(key, p->key, p->key_len);
	key[p->key_len] = '\0';
	if (psl_is_public_suffix(psl_builtin(), key) != 0)
		return true;
	c->own[slot].key = p->key;
	c->own[slot].len = p->key_len;
	return false;
}

/* Whether the label right below the key has a character of its own, so that `*` is not all of it.
 */
static bool
has_literal_end(const struct sig_pattern *p)
{
	for (size_t i = p->head_len; i > 0 && p->head[i - 1] != '.'; i--)
		if (!strchr("*#", p->head[i - 1]))
			return true;
	return false;
}

static void
check_host(struct check *c, const struct place *where, const char *text, bool shared)
{
	struct sig_pattern p;
	const char *why;

	if (sig_pattern_parse(text, &p, &why) != 0) {
		FAULT(c, where, "host pattern '%s' %s", text, why);
		return;
	}
	if ((p.open == SIG_OPEN_NO && !p.head) || !is_public_suffix(c, &p))
		return;
	/* `vendor-#.s3.amazonaws.com`: somebody else may own the next number. */
	if (shared && p.open == SIG_OPEN_NO && has_literal_end(&p))
		return;
	FAULT(c, where,
	    "host pattern '%s' covers names of anybody: '%.*s' is a public suffix; name the "
	    "vendor's own label below it",
	    text, p.key_len, p.key);
}

static void
check_expression(struct check *c, const struct place *where, const char *s)
{
	char why[128], *e;

	if (strncmp(s, "re:", 3) != 0)
		return;
	e = sig_value_expression(s, false);
	if (e && sig_value_check_expression(e, why, sizeof(why)) != 0)
		FAULT(c, where, "expression '%s' is refused: %s", s, why);
	free(e);
}

static bool
is_hex_of(const char *s, size_t n)
{
	return strspn(s, "0123456789abcdef") >= n;
}

static void
check_fingerprint(struct check *c, const struct place *where, enum pack_key k, const char *s)
{
	if (k == PACK_JA3 && !(strlen(s) == 32 && is_hex_of(s, 32)))
		FAULT(c, where, "'%s' is no JA3: 32 lower-case hex digits", s);
	if (k == PACK_JA4 &&
	    !(strlen(s) == 36 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789") == 10 &&
		s[10] == '_' && is_hex_of(s + 11, 12) && s[23] == '_' && is_hex_of(s + 24, 12)))
		FAULT(c, where, "'%s' is no JA4: like t13d1516h2_8daaf6152771_b186095e22b6", s);
}

static void
check_matcher(
    struct check *c, const struct place *where, enum pack_key k, const char *s, bool shared)
{
	struct sig_prefix prefix;
	const char *why = NULL;

	if (k <= PACK_HOST_LAST) {
		check_host(c, where, s, shared);
		return;
	}
	switch (k) {
	case PACK_PATH:
		if (s[0] != '/' && strncmp(s, "re:", 3) != 0)
			FAULT(c, where, "path '%s' must begin with '/' or 're:'", s);
		/* fall through */
	case PACK_USER_AGENT:
	case PACK_ISSUER:
	case PACK_SUBJECT: check_expression(c, where, s); break;
	case PACK_ADDRESS:
		if (sig_value_prefix(s, &prefix, &why) != 0)
			FAULT(c, where, "address '%s' %s", s, why);
		break;
	case PACK_PORT:
		if (sig_value_port(s, &why) != 0)
			FAULT(c, where, "port '%s' %s", s, why);
		break;
	default: check_fingerprint(c, where, k, s); break;
	}
}

static void
check_payload(struct check *c, const struct place *where, const struct pack_payload *p)
{
	uint8_t bytes[SIG_PAYLOAD_MAX], mask[SIG_PAYLOAD_MAX];
	size_t len = p->text ? strlen(p->text) : 0;
	const char *why;
	int n = p->hex ? sig_value_hex(p->hex, bytes, mask, sizeof(bytes), &why) : 0;

	if (!p->hex == !p->text)
		FAULT(c, where, "a payload needs either 'hex' or 'text'");
	else if (n < 0)
		FAULT(c, where, "payload '%s' %s", p->hex, why);
	else if (p->hex && strspn(p->hex, "? ") == strlen(p->hex))
		FAULT(c, where, "payload '%s' says nothing", p->hex);
	len += n > 0 ? (size_t)n : 0;
	if (p->offset > SIG_PAYLOAD_MAX || len > SIG_PAYLOAD_MAX - p->offset)
		FAULT(c, where,
		    "%zu bytes at offset %u: only the first %d bytes of a direction are looked at",
		    len, p->offset, SIG_PAYLOAD_MAX);
}

/* The strongest grade of evidence in an entry; SIG_CONF_NONE when it is empty. */
static enum sig_confidence
check_entry(struct check *c, const struct place *where, const struct pack_entry *e, bool shared)
{
	enum sig_confidence best = e->payload_count ? SIG_CONF_STRONG : SIG_CONF_NONE;

	for (unsigned k = 0; k < PACK_KEYS; k++) {
		const struct pack_list *l = &e->key[k];
		enum sig_confidence g;

		for (unsigned i = 0; i < l->n; i++)
			check_matcher(c, PLACE(where, pack_key_names[k], i), k, l->v[i], shared);
		if (l->n == 0)
			continue;
		g = sig_field_grade((enum sig_field)__builtin_ctz(pack_key_fields(k)));
		best = g > best ? g : best;
	}
	for (unsigned i = 0; i < e->payload_count; i++)
		check_payload(c, PLACE(where, "payload", i), &e->payload[i]);
	if (best == SIG_CONF_NONE)
		FAULT(c, where, "an entry needs at least one matcher");
	return best;
}

/* Labels stand left of a zone. */
static void
check_by_label(struct check *c, const struct place *at, const struct pack_signature *s)
{
	bool zone = false;

	if (labels_parent(s->id) != 0)
		FAULT(c, KEY(at, "id"), "ids that end in '%s' are for what by_label makes",
		    s->id + labels_parent(s->id));
	if (!s->by_label)
		return;
	for (unsigned i = 0; i < s->match_count; i++)
		for (unsigned k = 0; k <= PACK_HOST_LAST; k++)
			for (unsigned j = 0; j < s->match[i].key[k].n; j++)
				zone |= strpbrk(s->match[i].key[k].v[j], "*#") ||
					s->match[i].key[k].v[j][0] == '.';
	if (!zone)
		FAULT(c, KEY(at, "by_label"),
		    "needs a host pattern with labels left open, such as .vendor.example");
}

static void
check_signature(struct check *c, unsigned n, const struct pack_signature *s)
{
	const struct place *at = PLACE(NULL, "signatures", n);
	uint32_t from = 0, until = 99999999, date;

	check_id(c, KEY(at, "id"), s->id);
	check_product_id(c, KEY(at, "product"), s->product);
	check_by_label(c, at, s);
	check_date(c, KEY(at, "reviewed"), s->reviewed, &date);
	check_line(c, KEY(at, "source"), s->source);
	for (unsigned i = 0; i < s->match_count; i++) {
		const struct place *e = PLACE(at, "match", i);
		enum sig_confidence best = check_entry(c, e, &s->match[i], s->shared);
		if (best == SIG_CONF_GUESS && s->confidence != SIG_CONF_GUESS)
			FAULT(c, e,
			    "a port or an nDPI label alone is a guess: add a matcher, or say "
			    "'confidence: guess' (reported, never dropped)");
	}
	for (unsigned i = 0; i < s->except_count; i++) {
		check_entry(c, PLACE(at, "except", i), &s->except[i], true);
	}
	if (s->valid && s->valid->from)
		check_date(c, KEY(at, "valid.from"), s->valid->from, &from);
	if (s->valid && s->valid->until)
		check_date(c, KEY(at, "valid.until"), s->valid->until, &until);
	if (until < from)
		FAULT(c, KEY(at, "valid"), "ends before it begins");
	for (unsigned i = 0; i < s->allow_overlap_count; i++)
		if (!strchr(s->allow_overlap[i], '/'))
			FAULT(c, PLACE(at, "allow_overlap", i),
			    "'%s' is no signature: write it as pack/signature",
			    s->allow_overlap[i]);
}

static bool
has_signature(const struct pack *p, const char *name)
{
	size_t n = strlen(p->id);

	if (strncmp(name, p->id, n) == 0 && name[n] == '/')
		name += n + 1;
	else if (strchr(name, '/'))
		return true; /* another pack's: `signatures test` looks, with all packs at hand */
	n = labels_parent(name);
	for (unsigned i = 0; i < p->signatures_count; i++) {
		const struct pack_signature *s = &p->signatures[i];

		if (strcmp(s->id, name) == 0 ||
		    (s->by_label && strlen(s->id) == n && memcmp(s->id, name, n) == 0))
			return true;
	}
	return false;
}

static void
check_example(
    struct check *c, const struct place *where, const struct pack_example *e, bool must_match)
{
	uint8_t bytes[2048];
	const char *why;
	bool any = e->payload || e->payload_down;

	for (unsigned k = 0; k < PACK_KEYS; k++)
		any |= e->key[k] != NULL;
	if (!any)
		FAULT(c, where, "an example shows at least one thing of a flow");
	if (must_match && !e->signature)
		FAULT(c, where, "an example names the signature that it shows");
	if (e->signature && !has_signature(c->file->pack, e->signature))
		FAULT(c, where, "signature '%s' is not in this pack", e->signature);
	if ((e->payload && sig_value_hex(e->payload, bytes, NULL, sizeof(bytes), &why) < 0) ||
	    (e->payload_down &&
		sig_value_hex(e->payload_down, bytes, NULL, sizeof(bytes), &why) < 0))
		FAULT(c, where, "payload %s", why);
}

unsigned
pack_check(const struct pack_file *file, bool from_file, struct sig_diag *diag)
{
	struct check c = { .file = file, .diag = diag };
	const struct pack *p = file->pack;

	check_head(&c, from_file);
	check_products(&c);
	for (unsigned i = 0; i < p->signatures_count; i++)
		check_signature(&c, i, &p->signatures[i]);
	for (unsigned i = 0; p->examples && i < p->examples->match_count; i++) {
		check_example(&c, PLACE(NULL, "examples.match", i), &p->examples->match[i], true);
	}
	for (unsigned i = 0; p->examples && i < p->examples->no_match_count; i++) {
		check_example(
		    &c, PLACE(NULL, "examples.no_match", i), &p->examples->no_match[i], false);
	}
	pack_where_free(c.where);
	return c.faults + pack_check_ids(file, diag);
}
