/* SPDX-License-Identifier: Apache-2.0 */
/* Faults between packs and between the signatures of one: ids given twice, names claimed twice. */
#include <stdlib.h>
#include <string.h>

#include "signatures/pack.h"

/* One host pattern that alone makes a signature match. */
struct claim {
	const char *pattern;
	uint32_t file, sig, entry, item;
	uint16_t key;
};

struct claims {
	struct claim *v;
	size_t n, cap;
};

static bool
only_hosts(const struct pack_entry *e)
{
	unsigned keys = 0;

	for (unsigned k = 0; k < PACK_KEYS; k++) {
		if (e->key[k].n > 0 && k > PACK_HOST_LAST)
			return false;
		keys += e->key[k].n > 0;
	}
	return keys == 1 && e->payload_count == 0;
}

static bool
claims_add(struct claims *c, struct claim one)
{
	if (c->n == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 1024;
		struct claim *more = realloc(c->v, cap * sizeof(*more));

		if (!more)
			return false;
		c->v = more;
		c->cap = cap;
	}
	c->v[c->n++] = one;
	return true;
}

static bool
claims_of_entry(struct claims *c, const struct pack_entry *e, struct claim one)
{
	if (!only_hosts(e))
		return true;
	for (unsigned k = 0; k <= PACK_HOST_LAST; k++)
		for (unsigned i = 0; i < e->key[k].n; i++) {
			one.pattern = e->key[k].v[i];
			one.key = (uint16_t)k;
			one.item = i;
			if (!claims_add(c, one))
				return false;
		}
	return true;
}

static bool
gather(const struct sig_packs *packs, struct claims *c)
{
	for (unsigned f = 0; f < packs->n; f++) {
		const struct pack *p = packs->files[f].pack;

		for (unsigned s = 0; s < p->signatures_count; s++)
			for (unsigned m = 0; m < p->signatures[s].match_count; m++)
				if (!claims_of_entry(c, &p->signatures[s].match[m],
					(struct claim){ .file = f, .sig = s, .entry = m }))
					return false;
	}
	return true;
}

static int
by_pattern(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int d = strcmp(x->pattern, y->pattern);

	if (d)
		return d;
	return x->file != y->file ? (x->file < y->file ? -1 : 1) : (int)x->sig - (int)y->sig;
}

/* "pack/signature" or "pack/" and a star (all of its signatures) is listed. */
static bool
allows(const struct pack_signature *s, const struct pack *other, const char *sig_id)
{
	size_t n = strlen(other->id);

	for (unsigned i = 0; i < s->allow_overlap_count; i++) {
		const char *a = s->allow_overlap[i];

		if (strncmp(a, other->id, n) == 0 && a[n] == '/' &&
		    (strcmp(a + n + 1, sig_id) == 0 || strcmp(a + n + 1, "*") == 0))
			return true;
	}
	return false;
}

static unsigned
clash(const struct sig_packs *packs, const struct claim *a, const struct claim *b,
    struct pack_where **where, struct sig_diag *diag)
{
	const struct pack_file *fa = &packs->files[a->file], *fb = &packs->files[b->file];
	const struct pack_signature *sa = &fa->pack->signatures[a->sig];
	const struct pack_signature *sb = &fb->pack->signatures[b->sig];
	char w[128];

	if (!(pack_key_fields(a->key) & pack_key_fields(b->key)))
		return 0;
	if (allows(sa, fb->pack, sb->id) || allows(sb, fa->pack, sa->id))
		return 0;
	snprintf(w, sizeof(w), "signatures[%u].match[%u].%s[%u]", b->sig, b->entry,
	    pack_key_names[b->key], b->item);
	pack_where_add(where, fb, diag, SIG_ERROR, w,
	    "'%s' is also claimed by %s/%s (%s): narrow one of them, or list the other in "
	    "allow_overlap",
	    b->pattern, fa->pack->id, sa->id, fa->path);
	return 1;
}

static unsigned
check_claims(const struct sig_packs *packs, struct sig_diag *diag)
{
	struct claims c = { 0 };
	struct pack_where *where = NULL;
	unsigned faults = 0;

	if (!gather(packs, &c)) {
		free(c.v);
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0, "out of memory");
		return 1;
	}
	if (c.n > 1)
		qsort(c.v, c.n, sizeof(*c.v), by_pattern);
	for (size_t i = 1, first = 0; i < c.n; i++) {
		if (strcmp(c.v[first].pattern, c.v[i].pattern) != 0)
			first = i;
		else if (c.v[first].file != c.v[i].file)
			faults += clash(packs, &c.v[first], &c.v[i], &where, diag);
	}
	pack_where_free(where);
	free(c.v);
	return faults;
}

static int
by_signature_id(const void *a, const void *b)
{
	const struct pack_signature *const *x = a, *const *y = b;
	int d = strcmp((*x)->id, (*y)->id);

	return d ? d : (*x < *y ? -1 : *x > *y);
}

unsigned
pack_check_ids(const struct pack_file *file, struct sig_diag *diag)
{
	const struct pack *p = file->pack;
	const struct pack_signature **order = calloc(p->signatures_count, sizeof(*order));
	struct pack_where *where = NULL;
	unsigned faults = 0;
	char w[64];

	if (!order) {
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0, "out of memory");
		return 1;
	}
	for (unsigned i = 0; i < p->signatures_count; i++)
		order[i] = &p->signatures[i];
	qsort(order, p->signatures_count, sizeof(*order), by_signature_id);
	for (unsigned i = 1; i < p->signatures_count; i++) {
		if (strcmp(order[i - 1]->id, order[i]->id) != 0)
			continue;
		faults++;
		snprintf(w, sizeof(w), "signatures[%u].id", (unsigned)(order[i] - p->signatures));
		pack_where_add(&where, file, diag, SIG_ERROR, w, "signature '%s' is there already",
		    order[i]->id);
	}
	pack_where_free(where);
	free(order);
	return faults;
}

unsigned
pack_check_all(const struct sig_packs *packs, struct sig_diag *diag)
{
	struct pack_where *where = NULL;
	unsigned faults = 0;

	for (unsigned i = 1; i < packs->n; i++) {
		const struct pack_file *a = &packs->files[i - 1], *b = &packs->files[i];

		if (strcmp(a->pack->id, b->pack->id) != 0)
			continue;
		faults++;
		pack_where_add(&where, b, diag, SIG_ERROR, "pack", "pack '%s' is also in %s",
		    b->pack->id, a->path);
	}
	pack_where_free(where);
	return faults + check_claims(packs, diag);
}
