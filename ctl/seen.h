/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which things were counted: a set of 64-bit keys (sig_hash() of what they are), 8 bytes a key and
 * a third of air. Zeroed is empty. One thread.
 */
#ifndef CTL_SEEN_H
#define CTL_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ctl_seen {
	uint64_t *slot;
	size_t cap, n;
};

/* True when the key is new. */
bool ctl_seen_add(struct ctl_seen *s, uint64_t key);
void ctl_seen_free(struct ctl_seen *s);

#endif
