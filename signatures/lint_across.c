/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host patterns that never win because another pack's always does: the loader refuses the same
 * pattern in two packs, but `.*x*.vendor.com` beats `.ax.vendor.com` and nothing says so.
 *
 * Only patterns that stand alone in their entry are held against each other, and only one that
 * takes every name of the other counts. A pattern is looked up by each of its ends, as a name is.
 */
#include <stdlib.h>
#include <string.h>

#include "signatures/lint_across.h"
#include "signatures/pattern.h"
#include "signatures/value.h"

struct claim {
	struct sig_pattern p;
	const char *text;
	uint32_t file, sig, entry, item;
	enum pack_key key;
};

struct claims {
	const struct sig_packs *packs;
	struct claim *v;
	size_t n;
};

static size_t gather(struct claims *c, bool count_only);
static int by_key(const void *a, const void *b);
static const struct claim *winner(const struct claims *c, const struct claim *loser);

unsigned
sig_lint_across(const struct sig_packs *packs, struct pack_where **where, struct sig_diag *diag)
{
	struct claims c = { .packs = packs };
	unsigned found = 0;
	char w[128];

	c.v = calloc(gather(&c, true) + 1, sizeof(*c.v));
	if (!c.v)
		return 0;
	gather(&c, false);
	qsort(c.v, c.n, sizeof(*c.v), by_key);
	for (size_t i = 0; i < c.n; i++) {
		const struct claim *b = &c.v[i], *a = winner(&c, b);

		if (!a)
			continue;
		found++;
		snprintf(w, sizeof(w), "signatures[%u].match[%u].%s[%u]", b->sig, b->entry,
		    pack_key_names[b->key], b->item);
		pack_where_add(where, &packs->files[b->file], diag, SIG_WARNING, w,
		    "'%s' never wins: '%s' of %s/%s takes all its names and comes first", b->text,
		    a->text, packs->files[a->file].pack->id,
		    packs->files[a->file].pack->signatures[a->sig].id);
	}
	free(c.v);
	return found;
}

/* The one key of an entry that holds host patterns and nothing besides; PACK_KEYS for others. */
static enum pack_key
lone_host_key(const struct pack_entry *e)
{
	enum pack_key found = PACK_KEYS;

	for (enum pack_key k = 0; k < PACK_KEYS; k++) {
		if (e->key[k].n == 0)
			continue;
		if (k > PACK_HOST_LAST || found != PACK_KEYS)
			return PACK_KEYS;
		found = k;
	}
	return e->payload_count == 0 ? found : PACK_KEYS;
}

static size_t
gather_entry(struct claims *c, const struct pack_entry *e, struct claim one, bool count_only)
{
	const char *why;

	one.key = lone_host_key(e);
	if (one.key == PACK_KEYS)
		return 0;
	for (unsigned i = 0; i < e->key[one.key].n && !count_only; i++) {
		one.text = e->key[one.key].v[i];
		one.item = i;
		if (sig_pattern_parse(one.text, &one.p, &why) == 0)
			c->v[c->n++] = one;
	}
	return e->key[one.key].n;
}

static size_t
gather(struct claims *c, bool count_only)
{
	size_t n = 0;

	for (uint32_t f = 0; f < c->packs->n; f++) {
		const struct pack *p = c->packs->files[f].pack;

		for (uint32_t s = 0; s < p->signatures_count; s++)
			for (uint32_t m = 0; m < p->signatures[s].match_count; m++)
				n += gather_entry(c, &p->signatures[s].match[m],
				    (struct claim){ .file = f, .sig = s, .entry = m }, count_only);
	}
	return n;
}

static int
compare_key(const struct sig_pattern *p, const char *key, size_t len)
{
	int order = memcmp(p->key, key, p->key_len < len ? p->key_len : len);

	return order ? order : (p->key_len > len) - (p->key_len < len);
}

static int
by_key(const void *a, const void *b)
{
	const struct sig_pattern *q = &((const struct claim *)b)->p;

	return compare_key(&((const struct claim *)a)->p, q->key, q->key_len);
}

/* The first claim of a key, or of what comes after it. */
static size_t
first_of(const struct claims *c, const char *key, size_t len)
{
	size_t low = 0, high = c->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (compare_key(&c->v[mid].p, key, len) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static const char *
labels_of(const struct sig_pattern *p)
{
	return p->head ? p->head : p->key;
}

/*
 * Whether `a` takes every name that `b` takes. A wildcard of `b` is read as the character it is
 * written by, which only a `*` of `a` takes: what holds for it holds for all that it stands for.
 */
static bool
takes_all(const struct sig_pattern *a, const struct sig_pattern *b)
{
	const char *text = labels_of(b);
	size_t len = (size_t)(b->key - text) + b->key_len;

	if (b->open != SIG_OPEN_NO && a->open == SIG_OPEN_NO)
		return false;
	if (sig_pattern_match(a, text, len))
		return true;
	return a->open == SIG_OPEN_BELOW && b->open == SIG_OPEN_BELOW && !a->head && !b->head &&
	       a->key_len == b->key_len && memcmp(a->key, b->key, a->key_len) == 0;
}

/* Whether an exception of a's signature may give back some of b's names. */
static bool
gives_back(const struct pack_signature *s, const struct sig_pattern *b)
{
	struct sig_pattern x;
	const char *why;

	for (unsigned e = 0; e < s->except_count; e++) {
		enum pack_key k = lone_host_key(&s->except[e]);

		if (k == PACK_KEYS)
			return true;
		for (unsigned i = 0; i < s->except[e].key[k].n; i++)
			if (sig_pattern_parse(s->except[e].key[k].v[i], &x, &why) == 0 &&
			    (takes_all(&x, b) || takes_all(b, &x)))
				return true;
	}
	return false;
}

static const struct pack_signature *
signature_of(const struct claims *c, const struct claim *a)
{
	return &c->packs->files[a->file].pack->signatures[a->sig];
}

static bool
overlap_allowed(const struct claims *c, const struct claim *a, const struct claim *b)
{
	const struct pack_signature *s = signature_of(c, a);
	const char *pack = c->packs->files[b->file].pack->id, *id = signature_of(c, b)->id;
	size_t n = strlen(pack);

	for (unsigned i = 0; i < s->allow_overlap_count; i++) {
		const char *o = s->allow_overlap[i];

		if (strncmp(o, pack, n) == 0 && o[n] == '/' &&
		    (strcmp(o + n + 1, id) == 0 || strcmp(o + n + 1, "*") == 0))
			return true;
	}
	return false;
}

/* The documented order between two host patterns of the same field; see signatures/README.md. */
static bool
comes_first(const struct claims *c, const struct claim *a, const struct claim *b)
{
	const struct pack_signature *sa = signature_of(c, a), *sb = signature_of(c, b);
	bool pa = sa->function == SIG_FN_PORTAL, pb = sb->function == SIG_FN_PORTAL;

	if (a->p.specificity != b->p.specificity)
		return a->p.specificity > b->p.specificity;
	if (sa->confidence != sb->confidence)
		return sa->confidence > sb->confidence;
	if (pa != pb)
		return pb;
	return a->file < b->file; /* the files are sorted by pack id */
}

static bool
beats(const struct claims *c, const struct claim *a, const struct claim *b)
{
	const struct pack_signature *sa = signature_of(c, a);

	return a->file != b->file && a->p.specificity >= b->p.specificity &&
	       !(pack_key_fields(b->key) & ~pack_key_fields(a->key)) && !sa->valid &&
	       takes_all(&a->p, &b->p) && comes_first(c, a, b) && !gives_back(sa, &b->p) &&
	       !overlap_allowed(c, a, b) && !overlap_allowed(c, b, a);
}

static const struct claim *
winner(const struct claims *c, const struct claim *loser)
{
	const char *end = loser->p.key + loser->p.key_len, *key = labels_of(&loser->p);

	for (; key; key = memchr(key, '.', (size_t)(end - key)), key = key ? key + 1 : NULL) {
		size_t len = (size_t)(end - key);

		for (size_t i = first_of(c, key, len);
		     i < c->n && compare_key(&c->v[i].p, key, len) == 0; i++)
			if (beats(c, &c->v[i], loser))
				return &c->v[i];
	}
	return NULL;
}
