/* SPDX-License-Identifier: Apache-2.0 */
/* Literal texts by their first two bytes. */
#include "signatures/literals.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 1 << 12, NONE = UINT16_MAX };

struct literals {
	uint64_t used[SLOTS / 64]; /* slots with a literal: what most places are turned away by */
	uint16_t first[SLOTS];	   /* of each slot: an index of v, or NONE */
	uint16_t next[LITERALS_MAX];
	struct literal v[LITERALS_MAX];
	int32_t last; /* the last place where any may stand, or LITERAL_ANYWHERE */
};

static inline unsigned
slot_of(const uint8_t *at)
{
	unsigned pair = (unsigned)at[0] << 8 | at[1];

	return (pair * 0x9e3779b1U) >> 20;
}

int
literals_new(const struct literal *v, size_t n, struct literals **ret_set)
{
	struct literals *set;

	if (n > LITERALS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (v[i].len < LITERAL_MIN || v[i].offset < LITERAL_ANYWHERE)
			return -EINVAL;
	set = calloc(1, sizeof(*set));
	if (!set)
		return -ENOMEM;
	memset(set->first, 0xff, sizeof(set->first));
	for (size_t i = n; i-- > 0;) {
		unsigned slot = slot_of(v[i].bytes);
		bool anywhere = v[i].offset == LITERAL_ANYWHERE;

		set->v[i] = v[i];
		set->next[i] = set->first[slot];
		set->first[slot] = (uint16_t)i;
		set->used[slot / 64] |= 1ULL << (slot % 64);
		if (anywhere || set->last == LITERAL_ANYWHERE)
			set->last = LITERAL_ANYWHERE;
		else if (v[i].offset > set->last)
			set->last = v[i].offset;
	}
	*ret_set = set;
	return 0;
}

void
literals_free(struct literals *set)
{
	free(set);
}

static void
compare(const struct literals *set, unsigned slot, const uint8_t *value, size_t len, size_t at,
    literals_found *found, void *ctx)
{
	for (uint16_t i = set->first[slot]; i != NONE; i = set->next[i]) {
		const struct literal *l = &set->v[i];

		if (l->offset != LITERAL_ANYWHERE && (size_t)l->offset != at)
			continue;
		if (l->len <= len - at && memcmp(l->bytes, value + at, l->len) == 0)
			found(ctx, l->id);
	}
}

void
literals_scan(
    const struct literals *set, const uint8_t *value, size_t len, literals_found *found, void *ctx)
{
	size_t end = len < LITERAL_MIN ? 0 : len - LITERAL_MIN + 1;

	if (set->last != LITERAL_ANYWHERE && end > (size_t)set->last + 1)
		end = (size_t)set->last + 1;
	for (size_t at = 0; at < end; at++) {
		unsigned slot = slot_of(value + at);

		if (set->used[slot / 64] & (1ULL << (slot % 64)))
			compare(set, slot, value, len, at, found, ctx);
	}
}
