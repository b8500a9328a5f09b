/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs between workers. An entry is copied word by word with relaxed atomics, so that a copy that
 * is overtaken is wrong but never undefined; the slot's number, read before and after, tells.
 */
#include "classifier/dns_share.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	HEAD_BYTES = offsetof(struct clf_dns_shared, name),
	WORDS = (sizeof(struct clf_dns_shared) + 7) / 8
};

static_assert(HEAD_BYTES % 8 == 0, "the name begins at a word");
static_assert(sizeof(struct clf_dns_shared) == WORDS * 8, "whole words");

struct slot {
	uint64_t number; /* of the entry, from 1; 0: being written */
	uint64_t words[WORDS];
};

struct log {
	_Alignas(64) uint64_t head; /* entries ever written; one writer */
	struct slot *slots;
};

struct clf_dns_share {
	unsigned n;
	uint64_t mask;
	struct log logs[];
};

struct clf_dns_share *
clf_dns_share_new(unsigned workers, unsigned slots)
{
	size_t size = sizeof(struct clf_dns_share) + workers * sizeof(struct log);
	struct clf_dns_share *s;

	if (slots == 0)
		slots = CLF_DNS_SHARE_SLOTS;
	if (workers > CLF_DNS_SHARE_MAX || (slots & (slots - 1)) != 0)
		return NULL;
	s = aligned_alloc(64, (size + 63) & ~(size_t)63);
	if (!s)
		return NULL;
	memset(s, 0, size);
	s->mask = slots - 1;
	for (s->n = 0; s->n < workers; s->n++) {
		s->logs[s->n].slots = calloc(slots, sizeof(struct slot));
		if (!s->logs[s->n].slots) {
			clf_dns_share_free(s);
			return NULL;
		}
	}
	return s;
}

void
clf_dns_share_free(struct clf_dns_share *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->n; i++)
		free(s->logs[i].slots);
	free(s);
}

static size_t
words_of(uint64_t name_len)
{
	return (HEAD_BYTES + (size_t)name_len + 1 + 7) / 8;
}

void
clf_dns_share_tell(struct clf_dns_share *s, unsigned writer, const struct clf_dns_shared *entry)
{
	struct log *l = &s->logs[writer];
	uint64_t number = l->head + 1;
	struct slot *slot = &l->slots[l->head & s->mask];
	uint64_t words[WORDS];
	size_t n = words_of(entry->name_len);

	memcpy(words, entry, n * 8);
	__atomic_store_n(&slot->number, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE); /* nobody sees new words under the old number */
	for (size_t i = 0; i < n; i++)
		__atomic_store_n(&slot->words[i], words[i], __ATOMIC_RELAXED);
	__atomic_store_n(&slot->number, number, __ATOMIC_RELEASE);
	__atomic_store_n(&l->head, number, __ATOMIC_RELEASE);
}

/* False: the entry is not, or no longer, the wanted one. */
static bool
copy_slot(const struct slot *slot, uint64_t number, struct clf_dns_shared *ret)
{
	const size_t head = HEAD_BYTES / 8;
	uint64_t words[WORDS];

	if (__atomic_load_n(&slot->number, __ATOMIC_ACQUIRE) != number)
		return false;
	for (size_t i = 0; i < head; i++)
		words[i] = __atomic_load_n(&slot->words[i], __ATOMIC_RELAXED);
	memcpy(ret, words, HEAD_BYTES);
	if (ret->name_len > SIG_NAME_MAX) /* torn */
		return false;
	size_t n = words_of(ret->name_len);
	for (size_t i = head; i < n; i++)
		words[i] = __atomic_load_n(&slot->words[i], __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&slot->number, __ATOMIC_RELAXED) != number)
		return false;
	memcpy(ret->name, words + head, (size_t)ret->name_len);
	ret->name[ret->name_len] = '\0';
	return true;
}

bool
clf_dns_share_take(const struct clf_dns_share *s, unsigned reader, struct clf_dns_reader *r,
    struct clf_dns_shared *ret)
{
	for (unsigned w = 0; w < s->n; w++) {
		const struct log *l = &s->logs[w];
		uint64_t head;

		if (w == reader)
			continue;
		while ((head = __atomic_load_n(&l->head, __ATOMIC_ACQUIRE)) != r->next[w]) {
			uint64_t number = ++r->next[w];

			if (copy_slot(&l->slots[(number - 1) & s->mask], number, ret))
				return true;
			r->lost++;
			/* Overtaken: half a ring ahead, so as not to be overtaken at once again. */
			if (head - number > s->mask / 2) {
				r->lost += head - s->mask / 2 - number;
				r->next[w] = head - s->mask / 2;
			}
		}
	}
	return false;
}
