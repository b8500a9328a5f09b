/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From events to records: joins what a worker says of a flow at several times, by flow id.
 *
 * A flow counts into its row from its first event with details on, so that a connection of hours
 * is in the report at once; every later event moves the row by the difference alone, and a flow
 * that turns out to be another product's takes its counts along. So, after a flush, the totals of
 * the rows are the totals of the matched records, exactly.
 */
#include "ctl/store/fold_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "signatures/base/hash.h"

static struct fold_flow *find_flow(const struct store_fold *fold, uint64_t flow_id);
static int begin_flow(struct store_fold *fold, const struct clf_event *event);
static int
change_flow(struct store_fold *fold, struct fold_flow *flow, const struct clf_event *event);
static void end_flow(struct store_fold *fold, struct fold_flow *flow);
static void free_rows(struct store_fold *fold);

struct store_fold *
store_fold_new(const struct store_fold_config *config)
{
	struct store_fold *fold = calloc(1, sizeof(*fold));

	if (!fold)
		return NULL;
	fold->config = *config;
	if (config->max_pending == 0)
		fold->config.max_pending = 65536;
	if (config->max_rows == 0)
		fold->config.max_rows = 1000000;
	(void)strncpy(fold->sensor, config->sensor ? config->sensor : "", STORE_SENSOR_MAX - 1);
	fold->config.sensor = fold->sensor;
	fold->dirty_last = &fold->dirty_first;
	if (sig_hash_seed(fold->seed) < 0 || store_map_init(&fold->flows) < 0 ||
	    store_map_init(&fold->rows) < 0 || store_map_init(&fold->hosts) < 0) {
		store_fold_free(fold);
		return NULL;
	}
	return fold;
}

void
store_fold_free(struct store_fold *fold)
{
	if (!fold)
		return;
	while (fold->oldest) {
		struct fold_flow *flow = fold->oldest;

		fold->oldest = flow->newer;
		free(flow);
	}
	free_rows(fold);
	free(fold->flows.bucket);
	free(fold->rows.bucket);
	free(fold->numbered);
	free(fold->hosts.bucket);
	free(fold);
}

int
store_fold_event(struct store_fold *fold, const struct clf_event *event)
{
	struct fold_flow *flow;

	fold->stats.events++;
	if (!clf_event_valid(event, event->size)) {
		fold->stats.invalid++;
		return -EINVAL;
	}
	flow = find_flow(fold, event->flow_id);
	if (flow) {
		int rc = change_flow(fold, flow, event);

		if (rc == 0 && event->type == CLF_EV_ENDED)
			end_flow(fold, find_flow(fold, event->flow_id));
		return rc;
	}
	if (!event->has_details || event->type == CLF_EV_UPDATED) {
		fold->stats.orphans++;
		return 0;
	}
	if (event->type == CLF_EV_ENDED) {
		struct fold_share share = { 0 };

		fold_watch(fold, event);
		fold_count(fold, &share, event);
		fold->stats.records++;
		if (fold->config.on_record)
			fold->config.on_record(fold->config.ctx, event);
		return 0;
	}
	return begin_flow(fold, event);
}

void
store_fold_flush(struct store_fold *fold)
{
	while (fold->oldest)
		end_flow(fold, fold->oldest);
}

void
store_fold_open(
    const struct store_fold *fold, void (*fn)(void *ctx, const struct clf_event *event), void *ctx)
{
	for (const struct fold_flow *flow = fold->oldest; flow; flow = flow->newer)
		fn(ctx, &flow->event);
}

const struct store_fold_stats *
store_fold_stats(const struct store_fold *fold)
{
	return &fold->stats;
}

void
store_fold_rows(struct store_fold *fold, bool dirty_only, bool clear, store_row_fn *fn, void *ctx)
{
	if (!dirty_only) {
		(void)store_fold_page(fold, 0, fold->rows.n, fn, ctx);
		return;
	}
	if (!clear) {
		for (struct fold_row *r = fold->dirty_first; r && fn(ctx, &r->row);)
			r = r->next_dirty;
		return;
	}
	for (bool more = true; more && fold->dirty_first;) {
		struct fold_row *r = fold->dirty_first;

		fold->dirty_first = r->next_dirty;
		if (!fold->dirty_first)
			fold->dirty_last = &fold->dirty_first;
		r->next_dirty = NULL;
		r->dirty = false;
		more = fn(ctx, &r->row);
	}
}

uint64_t
store_fold_page(
    const struct store_fold *fold, uint64_t from, uint32_t most, store_row_fn *fn, void *ctx)
{
	uint32_t at = from < fold->rows.n ? (uint32_t)from : fold->rows.n;
	uint32_t end = most < fold->rows.n - at ? at + most : fold->rows.n;

	while (at < end) {
		const struct store_row *row = &fold->numbered[at++]->row;

		if (row->flows != 0 && !fn(ctx, row))
			break;
	}
	return at;
}

static struct fold_flow *
find_flow(const struct store_fold *fold, uint64_t flow_id)
{
	uint64_t hash = sig_hash(&flow_id, sizeof(flow_id), fold->seed[0]);
	struct store_node *n = store_map_chain(&fold->flows, hash);

	while (n && store_of(n, struct fold_flow, node)->event.flow_id != flow_id)
		n = n->next;
	return n ? store_of(n, struct fold_flow, node) : NULL;
}

static void
link_newest(struct store_fold *fold, struct fold_flow *flow)
{
	flow->older = fold->newest;
	flow->newer = NULL;
	*(fold->newest ? &fold->newest->newer : &fold->oldest) = flow;
	fold->newest = flow;
}

static void
unlink_flow(struct store_fold *fold, struct fold_flow *flow)
{
	*(flow->older ? &flow->older->newer : &fold->oldest) = flow->newer;
	*(flow->newer ? &flow->newer->older : &fold->newest) = flow->older;
}

static struct fold_flow *
new_flow(const struct clf_event *event)
{
	struct fold_flow *flow = malloc(offsetof(struct fold_flow, event) + event->size);

	if (!flow)
		return NULL;
	memset(flow, 0, offsetof(struct fold_flow, event));
	memcpy(&flow->event, event, event->size);
	return flow;
}

static int
begin_flow(struct store_fold *fold, const struct clf_event *event)
{
	struct fold_flow *flow;

	if (fold->flows.n >= fold->config.max_pending) {
		fold->stats.pending_full++;
		end_flow(fold, fold->oldest);
	}
	flow = new_flow(event);
	if (!flow)
		return -ENOMEM;
	store_map_add(&fold->flows, &flow->node,
	    sig_hash(&event->flow_id, sizeof(event->flow_id), fold->seed[0]));
	link_newest(fold, flow);
	fold->stats.pending_now = fold->flows.n;
	fold_watch(fold, &flow->event);
	fold_count(fold, &flow->share, &flow->event);
	return 0;
}

static void
take_counters(struct clf_event *to, const struct clf_event *from)
{
	to->type = from->type;
	to->at_us = from->at_us;
	to->first_us = from->first_us;
	to->last_us = from->last_us;
	memcpy(to->packets, from->packets, sizeof(to->packets));
	memcpy(to->bytes, from->bytes, sizeof(to->bytes));
	memcpy(to->dropped, from->dropped, sizeof(to->dropped));
	if (from->type == CLF_EV_ENDED)
		clf_event_settle_one_way(to);
}

/* A known flow heard of again: counters always, details where the event has them. */
static int
change_flow(struct store_fold *fold, struct fold_flow *flow, const struct clf_event *event)
{
	if (event->has_details) {
		struct fold_flow *fresh = new_flow(event);

		if (!fresh)
			return -ENOMEM;
		fresh->share = flow->share;
		unlink_flow(fold, flow);
		store_map_remove(&fold->flows, &flow->node);
		store_map_add(&fold->flows, &fresh->node, flow->node.hash);
		link_newest(fold, fresh);
		free(flow);
		flow = fresh;
		fold_watch(fold, &flow->event);
	} else {
		take_counters(&flow->event, event);
	}
	fold_count(fold, &flow->share, &flow->event);
	return 0;
}

/* Gives the flow's record and forgets the flow; its share of the row stays. */
static void
end_flow(struct store_fold *fold, struct fold_flow *flow)
{
	fold->stats.records++;
	if (fold->config.on_record)
		fold->config.on_record(fold->config.ctx, &flow->event);
	store_map_remove(&fold->flows, &flow->node);
	unlink_flow(fold, flow);
	free(flow);
	fold->stats.pending_now = fold->flows.n;
}

static void
free_rows(struct store_fold *fold)
{
	for (uint32_t i = 0; fold->rows.bucket && i <= fold->rows.mask; i++)
		while (fold->rows.bucket[i]) {
			struct fold_row *r = store_of(fold->rows.bucket[i], struct fold_row, node);

			fold->rows.bucket[i] = r->node.next;
			store_row_free(&r->row);
			free(r);
		}
	for (uint32_t i = 0; fold->hosts.bucket && i <= fold->hosts.mask; i++)
		while (fold->hosts.bucket[i]) {
			struct fold_host *h = store_of(
			    fold->hosts.bucket[i], struct fold_host, node);

			fold->hosts.bucket[i] = h->node.next;
			free(h);
		}
}
