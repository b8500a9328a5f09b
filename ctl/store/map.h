/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chained hash table of nodes that live inside the caller's structs. Set-up and control plane
 * only. Owner: one thread; nodes are the caller's, the buckets are the map's.
 */
#ifndef CTL_STORE_MAP_H
#define CTL_STORE_MAP_H

#include <stdint.h>
#include <stdlib.h>

struct store_node {
	struct store_node *next;
	uint64_t hash;
};
struct store_map {
	struct store_node **bucket;
	uint32_t mask; /* buckets - 1 */
	uint32_t n;
};

#define store_of(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

static inline int
store_map_init(struct store_map *m)
{
	m->mask = 1023;
	m->n = 0;
	m->bucket = calloc((size_t)m->mask + 1, sizeof(struct store_node *));
	return m->bucket ? 0 : -1;
}

/* Head of the chain in which nodes of this hash are; the caller compares hash and key. */
static inline struct store_node *
store_map_chain(const struct store_map *m, uint64_t hash)
{
	return m->bucket[hash & m->mask];
}

/* Twice the buckets; when there is no memory for them the chains just get longer. */
static inline void
store_map_grow(struct store_map *m)
{
	uint32_t mask = m->mask * 2 + 1;
	struct store_node **bucket = calloc((size_t)mask + 1, sizeof(struct store_node *));

	if (!bucket)
		return;
	for (uint32_t i = 0; i <= m->mask; i++)
		while (m->bucket[i]) {
			struct store_node *node = m->bucket[i];

			m->bucket[i] = node->next;
			node->next = bucket[node->hash & mask];
			bucket[node->hash & mask] = node;
		}
	free(m->bucket);
	m->bucket = bucket;
	m->mask = mask;
}

static inline void
store_map_add(struct store_map *m, struct store_node *node, uint64_t hash)
{
	if (m->n > m->mask && m->mask < (1u << 26))
		store_map_grow(m);
	node->hash = hash;
	node->next = m->bucket[hash & m->mask];
	m->bucket[hash & m->mask] = node;
	m->n++;
}

static inline void
store_map_remove(struct store_map *m, struct store_node *node)
{
	struct store_node **at = &m->bucket[node->hash & m->mask];

	while (*at && *at != node)
		at = &(*at)->next;
	if (*at) {
		*at = node->next;
		m->n--;
	}
}

#endif
