/* SPDX-License-Identifier: Apache-2.0 */
/* A set of 64-bit keys by open addressing. */
#include "ctl/seen.h"

#include <stdlib.h>

bool
ctl_seen_add(struct ctl_seen *s, uint64_t key)
{
	/* 0 stands for an empty slot. */
	if (key == 0)
		key = 1;
	if (s->n * 4 >= s->cap * 3) {
		struct ctl_seen bigger = { .cap = s->cap ? s->cap * 2 : 1024 };
		bigger.slot = calloc(bigger.cap, sizeof(*bigger.slot));
		if (!bigger.slot)
			return true; /* out of memory: count once too often rather than stop */
		for (size_t i = 0; i < s->cap; i++)
			if (s->slot[i])
				ctl_seen_add(&bigger, s->slot[i]);
		free(s->slot);
		*s = bigger;
	}
	for (size_t i = key & (s->cap - 1);; i = (i + 1) & (s->cap - 1)) {
		if (s->slot[i] == key)
			return false;
		if (s->slot[i] == 0) {
			s->slot[i] = key;
			s->n++;
			return true;
		}
	}
}

void
ctl_seen_free(struct ctl_seen *s)
{
	free(s->slot);
	*s = (struct ctl_seen){ 0 };
}
