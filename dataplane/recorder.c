/* SPDX-License-Identifier: Apache-2.0 */
/* The recorder thread: rings -> fold -> store, recent records, records file. */
#include "dataplane/recorder.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/recent.h"
#include "dataplane/records_file.h"

enum {
	DRAIN_BATCH = 1024,	/* events under one hold of the lock */
	NAP_LIVE_NS = 20000000, /* between looks at empty rings */
	NAP_REPLAY_NS = 500000,
	FLUSH_EVERY_US = 1000000,
	FLUSH_BUDGET_MS = 150, /* of the store, each second: rings wait meanwhile */
	STOP_BUDGET_MS = 3000,
	STEP_US = 1000000, /* a wall clock further off than this was set by someone */
	RULES_MAX = 1024,
	RULE_NAME_MAX = 64, /* as policies may have them */
};

struct rule_hits {
	char name[RULE_NAME_MAX + 1];
	uint64_t hits;
};

struct dp_recorder {
	/* --- constant while running --- */
	const struct dp_config *config;
	struct dp_worker *workers;
	unsigned n_workers;
	bool live;
	int64_t wall_offset_us;
	pthread_t thread;
	bool started;

	/* --- the thread's own --- */
	struct store *store;
	uint64_t store_away_until_us; /* in replay: it took nothing, and is asked again then */
	struct dp_evidence *evidence;
	struct dp_offload *offload;
	struct dp_records_file *records;
	int records_errno;
	int64_t step_us; /* how far the wall clock was set since the start */

	/* --- under the lock --- */
	pthread_mutex_t lock;
	struct store_fold *fold;
	struct dp_recent *recent;
	struct dp_recorder_stats stats; /* copies, made once a second */
	struct rule_hits rules[RULES_MAX];
	unsigned n_rules;

	_Atomic bool stop, gone, no_more;
	bool finished; /* under the lock; `done` is told */
	pthread_cond_t done;
	char url[STORE_URL_MAX];
};

static void *run(void *arg);
static void on_record(void *ctx, const struct clf_event *record);
static void preload(struct dp_recorder *r);
static void copy_stats(struct dp_recorder *r);

/* The store's URL for others, who may stand elsewhere. */
static void
show_url(const char *url, char out[static STORE_URL_MAX])
{
	const char *path = strncmp(url, "sqlite:", 7) == 0 ? url + 7
			   : strncmp(url, "unix:", 5) == 0 ? url + 5
							   : url;
	char folder[256], whole[STORE_URL_MAX];

	if (path[0] != '/' && !strstr(url, "://") && getcwd(folder, sizeof(folder))) {
		snprintf(whole, sizeof(whole), "%.*s%s/%s", (int)(path - url), url, folder, path);
		url = whole;
	}
	store_url_shown(url, out);
}

static int
open_store(struct dp_recorder *r, struct sig_diag *diag)
{
	const struct dp_config *c = r->config;
	struct store_config sc = {
		.url = c->store.url,
		.sensor = c->sensor,
		.mode = STORE_WRITE,
		.alone = true,
		.timeout_ms = c->store.timeout_ms,
		.max_events = c->store.max_events,
		.spool_events = c->store.spool_events,
		.password_file = c->store.password_file,
	};

	return store_open(&sc, &r->store, diag);
}

int
dp_recorder_open(const struct dp_config *config, struct dp_worker *workers, unsigned n_workers,
    struct dp_ports *ports, struct dp_recorder **ret_recorder, struct sig_diag *diag)
{
	struct dp_recorder *r = calloc(1, sizeof(*r));
	struct store_fold_config fc = {
		.sensor = config->sensor,
		.max_pending = config->limits.pending,
		.max_rows = config->limits.rows,
		.on_record = on_record,
		.ctx = r,
	};
	int rc = -ENOMEM;

	if (!r)
		return rc;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->done, NULL);
	r->config = config;
	r->workers = workers;
	r->n_workers = n_workers;
	r->live = !ports->replay;
	r->wall_offset_us = dp_clock_wall_offset();
	show_url(config->store.url, r->url);
	r->fold = store_fold_new(&fc);
	r->recent = dp_recent_new(config->limits.recent_records);
	r->offload = dp_offload_new(ports, config->offload == DP_ON);
	if (!r->fold || !r->recent || !r->offload) {
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0, "no memory for the recorder");
		goto fail;
	}
	rc = open_store(r, diag);
	if (rc == 0 && config->evidence.folder)
		rc = dp_evidence_open(&config->evidence, &r->evidence, diag);
	if (rc == 0 && config->records)
		rc = dp_records_open(config->records, &r->records, diag);
	if (rc < 0)
		goto fail;
	preload(r);
	copy_stats(r);
	*ret_recorder = r;
	return 0;
fail:
	dp_recorder_close(r);
	return rc;
}

void
dp_recorder_close(struct dp_recorder *r)
{
	if (!r)
		return;
	dp_records_close(r->records);
	dp_offload_free(r->offload);
	dp_evidence_close(r->evidence);
	store_close(r->store);
	store_fold_free(r->fold);
	dp_recent_free(r->recent);
	pthread_cond_destroy(&r->done);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static bool
preload_row(void *ctx, const struct store_row *row)
{
	struct dp_recorder *r = ctx;

	pthread_mutex_lock(&r->lock);
	(void)store_fold_preload(r->fold, row); /* what finds no room is counted by the fold */
	pthread_mutex_unlock(&r->lock);
	return true;
}

/* Totals go on where the last run stopped; a store that does not answer now is asked again. */
static void
preload(struct dp_recorder *r)
{
	if (!store_loaded(r->store))
		(void)store_load(r->store, preload_row, r);
}

int
dp_recorder_start(struct dp_recorder *r)
{
	int rc = pthread_create(&r->thread, NULL, run, r);

	if (rc != 0)
		return -rc;
	pthread_setname_np(r->thread, "recorder");
	r->started = true;
	return 0;
}

void
dp_recorder_finish(struct dp_recorder *r)
{
	if (!r->started)
		return;
	atomic_store(&r->no_more, true);
	pthread_mutex_lock(&r->lock);
	while (!r->finished)
		pthread_cond_wait(&r->done, &r->lock);
	pthread_mutex_unlock(&r->lock);
}

void
dp_recorder_stop(struct dp_recorder *r)
{
	if (!r || !r->started)
		return;
	atomic_store(&r->stop, true);
	pthread_join(r->thread, NULL);
	r->started = false;
}

const _Atomic bool *
dp_recorder_gone(const struct dp_recorder *r)
{
	return &r->gone;
}

const char *
dp_recorder_url(const struct dp_recorder *r)
{
	return r->url;
}

/* --- the thread --- */

static void
nap(long ns)
{
	struct timespec ts = { .tv_nsec = ns };

	nanosleep(&ts, NULL);
}

static void
count_rule(struct dp_recorder *r, const struct clf_event *e)
{
	char name[RULE_NAME_MAX + 1] = "";

	if (e->rule.len == 0 || e->rule.len > RULE_NAME_MAX)
		return;
	memcpy(name, clf_event_str(e, e->rule), e->rule.len);
	for (unsigned i = 0; i < r->n_rules; i++)
		if (strcmp(r->rules[i].name, name) == 0) {
			r->rules[i].hits++;
			return;
		}
	if (r->n_rules == RULES_MAX)
		return;
	strcpy(r->rules[r->n_rules].name, name);
	r->rules[r->n_rules++].hits = 1;
}

/* No wire waits behind a replay: a spool that is full is emptied, as long as the store takes it. */
static void
make_room(struct dp_recorder *r)
{
	struct store_stats before, after;

	store_stats(r->store, &before);
	if (before.queued < r->config->store.spool_events ||
	    dp_clock_read(CLOCK_MONOTONIC) < r->store_away_until_us)
		return;
	(void)store_flush(r->store, STOP_BUDGET_MS);
	store_stats(r->store, &after);
	if (after.queued == before.queued)
		r->store_away_until_us = dp_clock_read(CLOCK_MONOTONIC) + FLUSH_EVERY_US;
}

/* The fold's callback, under the lock: a finished record. */
static void
on_record(void *ctx, const struct clf_event *record)
{
	struct dp_recorder *r = ctx;

	count_rule(r, record);
	dp_recent_add(r->recent, record);
	if (!r->live)
		make_room(r);
	(void)store_put_record(r->store, record);
	if (r->records)
		dp_records_put(r->records, record);
}

/* Times that the workers took while the wall clock was set are shown as it says now. */
static const struct clf_event *
shift(struct dp_recorder *r, const struct clf_event *e, struct clf_event *room)
{
	memcpy(room, e, e->size);
	room->at_us += (uint64_t)r->step_us;
	room->first_us += (uint64_t)r->step_us;
	room->last_us += (uint64_t)r->step_us;
	return room;
}

/* A matched flow is shown when it is known, not only when it ends: that may take a day, and a flow
 * that was stopped has nothing more to say. */
static void
show_early(struct dp_recorder *r, const struct clf_event *e)
{
	if ((e->type == CLF_EV_DECIDED || e->type == CLF_EV_UPDATED) && e->has_details &&
	    e->signature.len != 0 && !(e->flags & CLF_FL_DNS_ONLY))
		dp_recent_add(r->recent, e);
}

static unsigned
drain_ring(struct dp_recorder *r, struct dp_byte_ring *ring)
{
	static struct clf_event room; /* one recorder a process */
	const struct clf_event *e;
	unsigned n = 0;
	size_t len;

	for (; n < DRAIN_BATCH && (e = dp_byte_ring_peek(ring, &len)) != NULL; n++) {
		dp_offload_event(r->offload, e);
		if (r->step_us != 0)
			e = shift(r, e, &room);
		if (clf_event_valid(e, e->size))
			show_early(r, e);
		(void)store_fold_event(r->fold, e);
		dp_byte_ring_take(ring);
	}
	return n;
}

static unsigned
drain(struct dp_recorder *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n_workers; i++) {
		pthread_mutex_lock(&r->lock);
		n += drain_ring(r, r->workers[i].events);
		pthread_mutex_unlock(&r->lock);
		if (r->evidence)
			dp_evidence_write(r->evidence, r->workers[i].evidence);
	}
	return n;
}

static void
copy_stats(struct dp_recorder *r)
{
	r->stats.fold = *store_fold_stats(r->fold);
	store_stats(r->store, &r->stats.store);
	if (r->evidence)
		r->stats.evidence = *dp_evidence_stats(r->evidence);
	if (r->records)
		dp_records_stats(r->records, &r->stats.records_written, &r->stats.records_errors,
		    &r->records_errno);
}

static void
each_second(struct dp_recorder *r, unsigned budget_ms)
{
	preload(r);
	pthread_mutex_lock(&r->lock);
	store_put_changed(r->store, r->fold);
	pthread_mutex_unlock(&r->lock);
	(void)store_flush(r->store, budget_ms);
	if (r->records)
		dp_records_flush(r->records);
	if (r->live) {
		int64_t step = dp_clock_wall_offset() - r->wall_offset_us;
		r->step_us = step > STEP_US || step < -STEP_US ? step : 0;
	}
	pthread_mutex_lock(&r->lock);
	copy_stats(r);
	pthread_mutex_unlock(&r->lock);
}

/* The workers have ended: what they left, and flows that are still open. */
static void
finish(struct dp_recorder *r)
{
	while (drain(r) != 0)
		continue;
	atomic_store(&r->gone, true);
	pthread_mutex_lock(&r->lock);
	store_fold_flush(r->fold);
	pthread_mutex_unlock(&r->lock);
	each_second(r, STOP_BUDGET_MS);
	pthread_mutex_lock(&r->lock);
	r->finished = true;
	pthread_cond_broadcast(&r->done);
	pthread_mutex_unlock(&r->lock);
}

static void *
run(void *arg)
{
	struct dp_recorder *r = arg;
	uint64_t last = dp_clock_read(CLOCK_MONOTONIC);

	while (!atomic_load(&r->stop)) {
		unsigned n = drain(r);
		uint64_t now = dp_clock_read(CLOCK_MONOTONIC);
		dp_offload_work(r->offload, now);
		if (now - last >= FLUSH_EVERY_US) {
			each_second(r, FLUSH_BUDGET_MS);
			last = now;
		}
		if (atomic_load(&r->no_more) && !r->finished)
			finish(r);
		if (n == 0)
			nap(r->live || r->finished ? NAP_LIVE_NS : NAP_REPLAY_NS);
	}
	finish(r);
	return NULL;
}

/* --- for other threads --- */

bool
dp_recorder_rows(struct dp_recorder *r, uint64_t *at, uint32_t most, store_row_fn *fn, void *ctx)
{
	pthread_mutex_lock(&r->lock);
	*at = store_fold_page(r->fold, *at, most, fn, ctx);
	bool more = *at < store_fold_stats(r->fold)->rows_now;
	pthread_mutex_unlock(&r->lock);
	return more;
}

void
dp_recorder_records(struct dp_recorder *r, uint64_t from, dp_record_fn *fn, void *ctx)
{
	pthread_mutex_lock(&r->lock);
	dp_recent_each(r->recent, from, fn, ctx);
	pthread_mutex_unlock(&r->lock);
}

void
dp_recorder_stats(struct dp_recorder *r, struct dp_recorder_stats *ret)
{
	pthread_mutex_lock(&r->lock);
	/* The fold counts under this lock; the store is the thread's own and copied by it. */
	r->stats.fold = *store_fold_stats(r->fold);
	dp_recent_span(r->recent, &r->stats.recent_first, &r->stats.recent_next);
	r->stats.recent_now = r->stats.recent_next - r->stats.recent_first;
	*ret = r->stats;
	pthread_mutex_unlock(&r->lock);
	dp_offload_stats(r->offload, &ret->offload);
}

struct dp_offload *
dp_recorder_offload(struct dp_recorder *r)
{
	return r->offload;
}

bool
dp_recorder_unsaved(struct dp_recorder *r, char *out, size_t cap)
{
	struct dp_recorder_stats s;

	dp_recorder_stats(r, &s);
	if (r->finished && s.records_errors != 0) {
		snprintf(out, cap, "%s: %s: %llu records are not in it", r->config->records,
		    strerror(r->records_errno), (unsigned long long)s.records_errors);
		return true;
	}
	/* A live sensor has told in its status what it lost before. */
	uint64_t lost = r->live ? 0 : s.store.lost_spool_full + s.store.lost_refused;
	if (!r->finished || (s.store.up && s.store.queued + s.store.rows_pending + lost == 0))
		return false;
	snprintf(out, cap,
	    "store %s: %s: %llu records and what changed in the inventory are not in it", r->url,
	    s.store.last_error[0] ? s.store.last_error : "it did not answer in time",
	    (unsigned long long)(s.store.queued + lost));
	return true;
}

struct hits {
	const char *const *rules;
	unsigned n;
	uint64_t *count;
};

static void
count_open(void *ctx, const struct clf_event *e)
{
	const struct hits *h = ctx;
	const char *rule = (const char *)clf_event_str(e, e->rule);

	for (unsigned i = 0; e->rule.len != 0 && i < h->n; i++)
		h->count[i] += strncmp(h->rules[i], rule, e->rule.len) == 0 &&
			       h->rules[i][e->rule.len] == '\0';
}

void
dp_recorder_rule_hits(
    struct dp_recorder *r, const char *const *rules, unsigned n, uint64_t *ret_hits)
{
	struct hits hits = { rules, n, ret_hits };

	memset(ret_hits, 0, n * sizeof(*ret_hits));
	pthread_mutex_lock(&r->lock);
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < r->n_rules; k++)
			if (strcmp(r->rules[k].name, rules[i]) == 0)
				ret_hits[i] = r->rules[k].hits;
	store_fold_open(r->fold, count_open, &hits);
	pthread_mutex_unlock(&r->lock);
}
