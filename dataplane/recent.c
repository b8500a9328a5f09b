/* SPDX-License-Identifier: Apache-2.0 */
/* The latest flow records: a circle of copies. */
#include "dataplane/recent.h"

#include <stdlib.h>
#include <string.h>

struct dp_recent {
	uint32_t max, mask;
	uint64_t next; /* number of the next record; from 1 */
	uint64_t
	    *by_flow; /* a flow's hash -> its latest number; lossy: then a flow may show twice */
	struct clf_event *record[];
};

struct dp_recent *
dp_recent_new(uint32_t max)
{
	struct dp_recent *r = calloc(1, sizeof(*r) + max * sizeof(r->record[0]));

	if (!r)
		return NULL;
	r->max = max;
	r->next = 1;
	r->mask = 15;
	while (r->mask < 4 * (uint64_t)max && r->mask < UINT32_MAX)
		r->mask = r->mask * 2 + 1;
	r->by_flow = calloc((size_t)r->mask + 1, sizeof(*r->by_flow));
	if (!r->by_flow) {
		free(r);
		return NULL;
	}
	return r;
}

void
dp_recent_free(struct dp_recent *r)
{
	if (!r)
		return;
	for (uint32_t i = 0; i < r->max; i++)
		free(r->record[i]);
	free(r->by_flow);
	free(r);
}

void
dp_recent_add(struct dp_recent *r, const struct clf_event *record)
{
	uint64_t *number = &r->by_flow[(record->flow_id * 0x9e3779b97f4a7c15ULL >> 32) & r->mask];
	struct clf_event **earlier = &r->record[*number % r->max];
	struct clf_event **at = &r->record[r->next % r->max];

	if (*number != 0 && *earlier && (*earlier)->flow_id == record->flow_id) {
		free(*earlier);
		*earlier = NULL;
	}
	*number = r->next++;
	free(*at);
	*at = malloc(record->size);
	if (*at)
		memcpy(*at, record, record->size);
}

void
dp_recent_span(const struct dp_recent *r, uint64_t *ret_first, uint64_t *ret_next)
{
	*ret_next = r->next;
	*ret_first = r->next > r->max ? r->next - r->max : 1;
}

void
dp_recent_each(const struct dp_recent *r, uint64_t from,
    bool (*fn)(void *ctx, uint64_t number, const struct clf_event *record), void *ctx)
{
	uint64_t first, next;

	dp_recent_span(r, &first, &next);
	for (uint64_t n = from > first ? from : first; n < next; n++) {
		const struct clf_event *e = r->record[n % r->max];
		if (e && !fn(ctx, n, e))
			return;
	}
}
