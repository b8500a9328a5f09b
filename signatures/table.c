/* SPDX-License-Identifier: Apache-2.0 */
/* The one hash table of a rule set: keys to records, built once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "signatures/rules.h"

enum { LINE = 64, HUGE_PAGE = 2 << 20 };

/* Large tables on huge pages where the kernel has them: a probe then costs no page walk. */
static void *
big_alloc(size_t bytes)
{
	size_t align = bytes >= HUGE_PAGE ? HUGE_PAGE : LINE;
	size_t whole = (bytes + align - 1) / align * align;
	void *p = aligned_alloc(align, whole);

	if (!p)
		return NULL;
	if (align == HUGE_PAGE)
		(void)madvise(p, whole, MADV_HUGEPAGE);
	memset(p, 0, whole);
	return p;
}

/* A host's: also appends the hash of its last two labels to apexes, when it has as many. */
static uint64_t
hash_of(const struct table_want *w, uint64_t seed, uint64_t *apexes, size_t *n_apexes)
{
	uint8_t name[TABLE_NAME] = { 0 };
	uint64_t h = seed;
	size_t end = w->key_len;
	unsigned labels = 0;

	if (!w->is_host)
		return sig_hash(w->key, w->key_len, seed);
	memcpy(name, w->key, w->key_len);
	for (size_t i = w->key_len + 1; i-- > 0;)
		if (i == 0 || name[i - 1] == '.') {
			h = table_hash_label(h, name + i, end - i, seed);
			end = i - 1;
			if (++labels == 2)
				apexes[(*n_apexes)++] = h;
		}
	return h;
}

static int
by_key(const void *a, const void *b)
{
	const struct table_want *x = a, *y = b;
	int d;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	if (x->key_len != y->key_len)
		return x->key_len < y->key_len ? -1 : 1;
	d = memcmp(x->key, y->key, x->key_len);
	if (d)
		return d;
	if (x->ref.target != y->ref.target)
		return x->ref.target < y->ref.target ? -1 : 1;
	return x->ref.head < y->ref.head ? -1 : x->ref.head > y->ref.head;
}

static bool
same_key(const struct table_want *a, const struct table_want *b)
{
	return a->hash == b->hash && a->key_len == b->key_len &&
	       memcmp(a->key, b->key, a->key_len) == 0;
}

/* The records of one key, from wants[i] on. */
static size_t
group_of(const struct table_want *wants, size_t i, size_t n)
{
	size_t j = i + 1;

	while (j < n && same_key(&wants[i], &wants[j]))
		j++;
	return j - i;
}

/* The node that the hash likes best, while it is free: a look-up asks memory for it at once. */
static struct table_node *
free_node(struct table *t, uint64_t hash)
{
	uint32_t g = table_group(t, hash);
	size_t liked = (size_t)g * GROUP + table_slot(hash);

	if (t->tags[liked] == 0) {
		t->tags[liked] = table_tag(hash);
		return &t->nodes[liked];
	}
	for (;; g = g + 1 == t->n_groups ? 0 : g + 1) {
		uint8_t *tags = t->tags + (size_t)g * GROUP;

		for (unsigned i = 0; i < GROUP; i++)
			if (tags[i] == 0) {
				tags[i] = table_tag(hash);
				return &t->nodes[(size_t)g * GROUP + i];
			}
	}
}

static unsigned
labels(const char *s, size_t len)
{
	unsigned n = 1;

	for (size_t i = 0; i < len; i++)
		n += s[i] == '.';
	return n;
}

static void
fill(struct table *t, const struct table_want *wants, size_t n)
{
	uint32_t refs_at = 0, keys_at = 0;

	for (size_t i = 0, k; i < n; i += k) {
		const struct table_want *w = &wants[i];
		struct table_node *node = free_node(t, w->hash);

		k = group_of(wants, i, n);
		node->n_refs = (uint16_t)k;
		node->key_len = w->key_len;
		node->ref = w->ref;
		node->refs_at = refs_at;
		for (size_t j = 0; k > 1 && j < k; j++)
			t->refs[refs_at++] = wants[i + j].ref;
		if (w->key_len > NODE_KEY) {
			memcpy(t->keys + keys_at, w->key, w->key_len);
			node->key_at = keys_at;
			keys_at += w->key_len;
		} else {
			memcpy(node->key, w->key, w->key_len);
		}
		if (w->is_host && labels(w->key, w->key_len) > t->labels_max)
			t->labels_max = labels(w->key, w->key_len);
	}
}

static int
by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Twelve bits for each of the different ones: of 40 others about one passes. */
static int
build_apexes(struct table *t, uint64_t *hashes, size_t n)
{
	size_t different = 0;

	if (n > 1)
		qsort(hashes, n, sizeof(*hashes), by_number);
	for (size_t i = 0; i < n; i++)
		different += i == 0 || hashes[i] != hashes[i - 1];
	t->n_apexes = (uint32_t)(different * 12 / 64 + 1);
	t->apexes = big_alloc(t->n_apexes * sizeof(*t->apexes));
	if (!t->apexes)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		*table_apex_word(t, hashes[i]) |= table_apex_bits(hashes[i]);
	return 0;
}

/* Hashes all keys, and their last two labels. */
static int
hash_all(struct table *t, struct table_want *wants, size_t n)
{
	uint64_t *apexes = malloc((n + 1) * sizeof(*apexes));
	size_t n_apexes = 0;

	if (!apexes)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		wants[i].hash = hash_of(&wants[i], t->seed, apexes, &n_apexes);
	int rc = build_apexes(t, apexes, n_apexes);
	free(apexes);
	return rc;
}

int
table_build(struct table *t, struct table_want *wants, size_t n)
{
	size_t nodes = 0, refs = 0, keys = 0;
	int rc = hash_all(t, wants, n);

	if (rc < 0)
		return rc;
	if (n > 1)
		qsort(wants, n, sizeof(*wants), by_key);
	for (size_t i = 0, k; i < n; i += k) {
		k = group_of(wants, i, n);
		if (k > UINT16_MAX)
			return -E2BIG;
		nodes++;
		refs += k > 1 ? k : 0;
		keys += wants[i].key_len > NODE_KEY ? wants[i].key_len : 0;
	}
	/* Seven tenths full: one group in ten overflows into the next. */
	t->n_groups = (uint32_t)(nodes * 10 / 7 / GROUP + 1);
	t->tags = big_alloc((size_t)t->n_groups * GROUP);
	t->nodes = big_alloc((size_t)t->n_groups * GROUP * sizeof(struct table_node));
	t->refs = malloc((refs + 1) * sizeof(*t->refs));
	t->keys = malloc(keys + 1);
	if (!t->tags || !t->nodes || !t->refs || !t->keys)
		return -ENOMEM;
	fill(t, wants, n);
	return 0;
}

void
table_free(struct table *t)
{
	free(t->apexes);
	free(t->tags);
	free(t->nodes);
	free(t->refs);
	free(t->keys);
}
