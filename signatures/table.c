/* SPDX-License-Identifier: Apache-2.0 */
/* The one hash table of a rule set: keys to records, built once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "signatures/base/hash.h"
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
group(const struct table_want *wants, size_t i, size_t n)
{
	size_t j = i + 1;

	while (j < n && same_key(&wants[i], &wants[j]))
		j++;
	return j - i;
}

/* Where a node of that size may begin: not across a line's end when it fits into one. */
static size_t
place(size_t at, size_t bytes)
{
	if (bytes <= LINE && at / LINE != (at + bytes - 1) / LINE)
		at = (at + LINE - 1) / LINE * LINE;
	return at;
}

static size_t
node_bytes(size_t refs, size_t key_len)
{
	return (sizeof(struct table_node) + refs * sizeof(struct table_ref) + key_len + 7) / 8 * 8;
}

static void
slot_put(struct table *t, uint64_t hash, size_t at)
{
	uint64_t i = hash & t->mask;

	while (t->slots[i].at != 0)
		i = (i + 1) & t->mask;
	t->slots[i] = (struct table_slot){ .tag = (uint32_t)(hash >> 32),
		.at = (uint32_t)(at / 8) };
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
	size_t at = 8; /* 0 means a free slot */

	for (size_t i = 0, k; i < n; i += k) {
		struct table_node *node;

		k = group(wants, i, n);
		at = place(at, node_bytes(k, wants[i].key_len));
		node = (struct table_node *)(t->nodes + at);
		node->n_refs = (uint16_t)k;
		node->key_len = wants[i].key_len;
		for (size_t j = 0; j < k; j++)
			node->refs[j] = wants[i + j].ref;
		memcpy(&node->refs[k], wants[i].key, wants[i].key_len);
		slot_put(t, wants[i].hash, at);
		if (wants[i].is_host && labels(wants[i].key, wants[i].key_len) > t->labels_max)
			t->labels_max = labels(wants[i].key, wants[i].key_len);
		at += node_bytes(k, wants[i].key_len);
	}
}

int
table_build(struct table *t, struct table_want *wants, size_t n)
{
	size_t keys = 0, bytes = 8, slots = 8;

	for (size_t i = 0; i < n; i++)
		wants[i].hash = sig_hash(wants[i].key, wants[i].key_len, t->seed);
	if (n > 1)
		qsort(wants, n, sizeof(*wants), by_key);
	for (size_t i = 0, k; i < n; i += k) {
		k = group(wants, i, n);
		if (k > UINT16_MAX)
			return -E2BIG;
		keys++;
		bytes = place(bytes, node_bytes(k, wants[i].key_len));
		bytes += node_bytes(k, wants[i].key_len);
	}
	while (slots < 2 * keys)
		slots *= 2;
	t->mask = slots - 1;
	t->slots_bytes = slots * sizeof(struct table_slot);
	t->nodes_bytes = bytes;
	t->slots = big_alloc(t->slots_bytes);
	t->nodes = big_alloc(bytes);
	if (!t->slots || !t->nodes)
		return -ENOMEM;
	fill(t, wants, n);
	return 0;
}

void
table_free(struct table *t)
{
	free(t->slots);
	free(t->nodes);
}
