/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What waits to be stored: records in the order they came, bounded, the oldest out first; rows by
 * their latest state alone, since a row carries absolute totals.
 */
#include "ctl/store/store_impl.h"

#include <errno.h>
#include <string.h>

#include "signatures/base/hash.h"

int
spool_init(struct spool *s, uint32_t max_records)
{
	memset(s, 0, sizeof(*s));
	s->max_records = max_records;
	s->last = &s->first;
	s->rows_last = &s->rows;
	return store_map_init(&s->row_map) < 0 ? -ENOMEM : 0;
}

void
spool_free(struct spool *s)
{
	if (!s->last)
		return;
	spool_drop_records(s, s->n_records);
	spool_drop_rows(s, s->row_map.n);
	free(s->row_map.bucket);
}

int
spool_put_record(struct spool *s, const struct clf_event *event)
{
	struct spool_record *r = malloc(offsetof(struct spool_record, event) + event->size);
	int lost = 0;

	if (!r)
		return -ENOMEM;
	r->next = NULL;
	memcpy(&r->event, event, event->size);
	*s->last = r;
	s->last = &r->next;
	s->n_records++;
	if (s->n_records > s->max_records && s->n_records > s->in_doubt) {
		struct spool_record **at = &s->first, *victim;

		for (uint32_t i = 0; i < s->in_doubt; i++)
			at = &(*at)->next;
		victim = *at;
		*at = victim->next;
		if (s->last == &victim->next)
			s->last = at;
		if (s->lost_since++ == 0)
			s->lost_at_us = victim->event.at_us;
		s->n_records--;
		free(victim);
		lost = 1;
	}
	return lost;
}

void
spool_drop_records(struct spool *s, uint32_t n)
{
	while (n-- != 0 && s->first) {
		struct spool_record *r = s->first;

		s->first = r->next;
		s->n_records--;
		if (s->in_doubt != 0)
			s->in_doubt--;
		free(r);
	}
	if (!s->first)
		s->last = &s->first;
}

static bool
same_row(const struct store_row *a, const struct store_row *b)
{
	return a->function == b->function && strcmp(a->host, b->host) == 0 &&
	       strcmp(a->vendor_id, b->vendor_id) == 0 && strcmp(a->product_id, b->product_id) == 0;
}

int
spool_put_row(struct spool *s, const struct store_row *row)
{
	uint64_t hash;
	struct store_node *n;
	struct spool_row *r;
	struct store_row copy;

	if (!row->host || !row->vendor_id || !row->product_id)
		return -EINVAL;
	hash = sig_hash(row->host, strlen(row->host), row->function);
	hash = sig_hash(row->vendor_id, strlen(row->vendor_id), hash);
	hash = sig_hash(row->product_id, strlen(row->product_id), hash);
	if (store_row_copy(row, &copy) < 0)
		return -ENOMEM;
	for (n = store_map_chain(&s->row_map, hash); n; n = n->next) {
		r = store_of(n, struct spool_row, node);
		if (same_row(&r->row, row)) {
			store_row_free(&r->row);
			r->row = copy;
			return 0;
		}
	}
	r = s->row_map.n < STORE_SPOOL_ROWS_MAX ? calloc(1, sizeof(*r)) : NULL;
	if (!r) {
		store_row_free(&copy);
		return -ENOSPC;
	}
	r->row = copy;
	store_map_add(&s->row_map, &r->node, hash);
	*s->rows_last = r;
	s->rows_last = &r->next;
	return 0;
}

void
spool_drop_rows(struct spool *s, uint32_t n)
{
	while (n-- != 0 && s->rows) {
		struct spool_row *r = s->rows;

		s->rows = r->next;
		store_map_remove(&s->row_map, &r->node);
		store_row_free(&r->row);
		free(r);
	}
	if (!s->rows)
		s->rows_last = &s->rows;
}
