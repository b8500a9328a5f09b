/* SPDX-License-Identifier: Apache-2.0 */
/* Faults between packs and between the signatures of one: ids given twice, names claimed twice. */
#include <stdlib.h>
#include <string.h>

#include "signatures/base/hash.h"
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

/*
 * The first claim of claim i's pattern, which may be i itself, by an open hash table: `slots` holds
 * indexes from 1 on, and has room to spare.
 */
static size_t
first_claim(const struct claims *c, size_t i, uint32_t *slots, size_t mask, uint64_t seed)
{
	const char *pattern = c->v[i].pattern;
	size_t at = sig_hash(pattern, strlen(pattern), seed) & mask;

	for (; slots[at]; at = (at + 1) & mask)
		if (strcmp(c->v[slots[at] - 1].pattern, pattern) == 0)
			return slots[at] - 1;
	slots[at] = (uint32_t)i + 1;
	return i;
}

static unsigned
compare_claims(const struct sig_packs *packs, const struct claims *c, struct sig_diag *diag)
{
	struct pack_where *where = NULL;
	uint64_t seed[2];
	size_t mask = 1023;
	unsigned faults = 0;

	while (mask < 2 * c->n)
		mask = 2 * mask + 1;
	uint32_t *slots = calloc(mask + 1, sizeof(*slots));
	if (!slots || sig_hash_seed(seed) < 0) {
		free(slots);
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0, "out of memory");
		return 1;
	}
	for (size_t i = 0; i < c->n; i++) {
		size_t first = first_claim(c, i, slots, mask, seed[0]);

		if (c->v[first].file != c->v[i].file)
			faults += clash(packs, &c->v[first], &c->v[i], &where, diag);
	}
	pack_where_free(where);
	free(slots);
	return faults;
}

static unsigned
check_claims(const struct sig_packs *packs, struct sig_diag *diag)
{
	struct claims c = { 0 };
	unsigned faults = 1;

	if (gather(packs, &c))
		faults = compare_claims(packs, &c, diag);
	else
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0, "out of memory");
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
