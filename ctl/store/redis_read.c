/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command's side of Redis. Rows are found through the index that the filter narrows most, read
 * in pages that cannot repeat or miss one, and streamed to the caller.
 */
#include "ctl/store/redis_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PAGE = 200, SEEN_MAX = 50000 };

/* --- rows --- */

struct row_walk {
	struct rds *r;
	const struct store_filter *f;
	struct store_net net;
	const char *sensor;
	store_row_fn *fn;
	void *ctx;
	uint64_t given;
	bool stop, enough; /* of this sensor; of all: the caller said so */
};

/* The rows of up to PAGE ids: one round trip. */
static int
give_page(struct row_walk *w, redisReply *const *ids, size_t n)
{
	redisReply *replies[PAGE];
	unsigned sent = 0;
	int rc;

	for (size_t i = 0; i < n; i++) {
		struct rds_args a = { .n = 0 };
		char key[RDS_KEY_MAX];

		if (ids[i]->type != REDIS_REPLY_STRING || ids[i]->len > 500)
			continue;
		rds_key(w->r, w->sensor, key, "row:%s", ids[i]->str);
		rds_words(&a, (const char *const[]){ "HMGET", key }, 2);
		rds_words(&a, rds_row_fields, RDS_ROW_FIELDS);
		rds_append(w->r, &a);
		sent++;
	}
	if (sent == 0)
		return 0;
	rc = rds_call(w->r, replies, sent);
	for (unsigned i = 0; rc == 0 && i < sent && !w->stop; i++) {
		struct store_row row;

		if (rds_row_of(replies[i], w->sensor, &row) < 0)
			continue; /* gone meanwhile, or not ours */
		if (store_filter_row(w->f, &w->net, &row)) {
			w->given++;
			w->enough = !w->fn(w->ctx, &row) ||
				    (w->f->limit != 0 && w->given >= w->f->limit);
			w->stop = w->enough;
		}
		store_row_free(&row);
	}
	if (rc == 0)
		rds_free_replies(replies, sent);
	return rc;
}

static void
index_key(struct row_walk *w, char key[static RDS_KEY_MAX])
{
	const struct store_filter *f = w->f;
	const char *kind = NULL, *value = NULL;

	char host[48];

	if (store_net_host(&w->net, host))
		kind = "host", value = host;
	else if (f->product)
		kind = "product", value = f->product;
	else if (f->vendor)
		kind = "vendor", value = f->vendor;
	else if (f->country)
		kind = "country", value = f->country;
	if (!kind) {
		rds_key(w->r, w->sensor, key, "rows");
		return;
	}
	rds_key(w->r, w->sensor, key, "%s:%.256s", kind, value);
	for (char *p = strchr(key, '}'); *p; p++) /* the sensor's name keeps its case */
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + 32);
}

/* Pages by name, not by number: what changes meanwhile neither repeats nor hides a row. */
static int
walk_index(struct row_walk *w)
{
	char key[RDS_KEY_MAX], from[512] = "-", count[8];
	int rc = 0;

	index_key(w, key);
	(void)snprintf(count, sizeof(count), "%d", PAGE);
	while (rc == 0 && !w->stop) {
		const redisReply *last;
		redisReply *reply;

		RDS_SAY(w->r, "ZRANGEBYLEX", key, from, "+", "LIMIT", "0", count);
		rc = rds_call_array(w->r, &reply);
		if (rc < 0)
			return rc;
		if (reply->elements == 0 || reply->elements > PAGE) {
			freeReplyObject(reply);
			return 0;
		}
		rc = give_page(w, reply->element, reply->elements);
		last = reply->element[reply->elements - 1];
		if (last->type != REDIS_REPLY_STRING || last->len > sizeof(from) - 2 ||
		    strcmp(from + 1, last->str) >= 0)
			w->stop = true; /* a server that does not move on */
		else
			(void)snprintf(from, sizeof(from), "(%s", last->str);
		if (reply->elements < PAGE)
			w->stop = true;
		freeReplyObject(reply);
	}
	return rc;
}

/* `since` alone: the few rows seen lately, if they are few. 1: they are not. */
static int
walk_recent(struct row_walk *w)
{
	char key[RDS_KEY_MAX], since[24];
	redisReply *reply;
	int rc;

	rds_key(w->r, w->sensor, key, "seen");
	(void)snprintf(since, sizeof(since), "%llu", (unsigned long long)w->f->since_us);
	RDS_SAY(w->r, "ZCOUNT", key, since, "+inf");
	rc = rds_call(w->r, &reply, 1);
	if (rc < 0)
		return rc;
	if (reply->type != REDIS_REPLY_INTEGER || reply->integer > SEEN_MAX) {
		freeReplyObject(reply);
		return 1;
	}
	freeReplyObject(reply);
	RDS_SAY(w->r, "ZRANGEBYSCORE", key, since, "+inf");
	rc = rds_call_array(w->r, &reply);
	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && !w->stop && i < reply->elements; i += PAGE)
		rc = give_page(
		    w, reply->element + i, reply->elements - i < PAGE ? reply->elements - i : PAGE);
	freeReplyObject(reply);
	return rc;
}

int
rds_filter_net(struct store *store, const struct store_filter *f, struct store_net *ret)
{
	if (!f->host || store_net_parse(f->host, ret) == 0)
		return 0;
	store_failed(store, "'%s' is neither an address nor a network", f->host);
	return -EINVAL;
}

int
rds_rows(struct store *store, const struct store_filter *f, store_row_fn *fn, void *ctx)
{
	struct row_walk w = { .r = store->impl, .f = f, .fn = fn, .ctx = ctx };
	bool since_alone = f->since_us && !f->host && !f->product && !f->vendor && !f->country;
	struct rds_sensors sensors;
	int rc = rds_filter_net(store, f, &w.net);

	if (rc == 0)
		rc = rds_ready(w.r);
	if (rc == 0)
		rc = rds_find_sensors(w.r, f, &sensors);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; rc >= 0 && !w.enough && i < sensors.n; i++) {
		w.sensor = sensors.name[i];
		w.stop = false;
		rc = since_alone ? walk_recent(&w) : 1;
		if (rc == 1)
			rc = walk_index(&w);
	}
	free(sensors.name);
	return rc;
}

/* --- records: several sensors' streams merged by id --- */

struct stream {
	const char *sensor;
	redisReply *page; /* what XRANGE gave */
	size_t at;
	struct rds_entry entry; /* the next one */
	bool have, end;
	char after[48], given[48]; /* the last that was read; the last that was handed on */
};

/* XRANGE's start for "(ID", after that id: Redis below 6.2 knows no open ranges. */
static void
from_after(const char *after, char from[static 48])
{
	struct rds_id id;

	if (after[0] != '(' || !rds_id_parse(after + 1, strlen(after + 1), &id)) {
		(void)snprintf(from, 48, "-");
		return;
	}
	if (++id.seq == 0)
		id.ms++;
	(void)snprintf(
	    from, 48, "%llu-%llu", (unsigned long long)id.ms, (unsigned long long)id.seq);
}

static int
fill(struct rds *r, struct stream *s)
{
	while (!s->have && !s->end) {
		if (s->page && s->at < s->page->elements) {
			const redisReply *e = s->page->element[s->at++];

			if (rds_entry_of(e, &s->entry) < 0)
				continue;
			(void)snprintf(s->after, sizeof(s->after), "(%llu-%llu",
			    (unsigned long long)s->entry.id.ms,
			    (unsigned long long)s->entry.id.seq);
			s->have = true;
			continue;
		}
		bool more = !s->page || s->page->elements == PAGE;
		char key[RDS_KEY_MAX], from[48];
		int rc;

		if (s->page)
			freeReplyObject(s->page);
		s->page = NULL;
		s->at = 0;
		if (!more) {
			s->end = true;
			return 0;
		}
		rds_key(r, s->sensor, key, "events");
		from_after(s->after, from);
		RDS_SAY(r, "XRANGE", key, from, "+", "COUNT", "200");
		rc = rds_call_array(r, &s->page);
		if (rc < 0)
			return rc;
		if (s->page->elements > PAGE)
			s->end = true;
	}
	return 0;
}

static struct stream *
earliest(struct stream *s, unsigned n)
{
	struct stream *best = NULL;

	for (unsigned i = 0; i < n; i++) {
		const struct rds_id *a = &s[i].entry.id;

		if (s[i].have && (!best || a->ms < best->entry.id.ms ||
				     (a->ms == best->entry.id.ms && a->seq < best->entry.id.seq)))
			best = &s[i];
	}
	return best;
}

/* Hands on the entry; false: the caller has enough. */
static bool
give_entry(struct stream *s, const struct store_filter *f, const struct store_net *net,
    store_record_fn *fn, void *ctx)
{
	if (s->entry.gap != 0 && f->on_gap)
		f->on_gap(ctx, s->sensor, s->entry.gap_at_us, s->entry.gap);
	if (!s->entry.has_event || !store_filter_event(f, net, &s->entry.event))
		return true;
	return fn(ctx, &s->entry.event, s->sensor);
}

struct counted {
	store_record_fn *fn;
	void *ctx;
	uint64_t left; /* of the limit */
	bool limited;
	void (*on_gap)(void *ctx, const char *sensor, uint64_t at_us, uint64_t lost);
};

static bool
count_record(void *ctx, const struct clf_event *e, const char *sensor)
{
	struct counted *c = ctx;

	return c->fn(c->ctx, e, sensor) && (!c->limited || --c->left != 0);
}

static void
pass_gap(void *ctx, const char *sensor, uint64_t at_us, uint64_t lost)
{
	struct counted *c = ctx;

	c->on_gap(c->ctx, sensor, at_us, lost);
}

static int
merge_streams(struct rds *r, struct stream *s, unsigned n, const struct store_filter *f,
    struct counted *c, char after[64])
{
	struct store_filter inner = *f;
	struct store_net net = { 0 };
	int rc = rds_filter_net(r->store, f, &net);

	inner.on_gap = f->on_gap ? pass_gap : NULL;
	while (rc == 0) {
		struct stream *next;
		bool more;

		for (unsigned i = 0; rc == 0 && i < n; i++)
			rc = fill(r, &s[i]);
		next = rc == 0 ? earliest(s, n) : NULL;
		if (!next)
			return rc;
		more = give_entry(next, &inner, &net, count_record, c);
		next->have = false;
		memcpy(next->given, next->after, sizeof(next->given));
		(void)snprintf(after, 64, "%s", next->after);
		if (!more)
			return 0;
	}
	return rc;
}

/*
 * Where to go on in a sensor's stream. Each sensor's ids go by its own clock: one that is behind
 * adds entries below the id that another's gave the cursor, which alone would hide them.
 */
static const char *
go_on_from(const struct rds *r, const char *sensor, const char *after)
{
	if (after[0] == '\0')
		return "-";
	if (strcmp(after, r->stand_at) != 0) /* not what this handle gave last */
		return after;
	for (unsigned i = 0; i < r->n_stand; i++)
		if (strcmp(r->stand[i].sensor, sensor) == 0)
			return r->stand[i].after;
	return "-"; /* a sensor that has come meanwhile */
}

static void
keep_stand(struct rds *r, const struct stream *s, unsigned n, const char *after)
{
	struct rds_stand *stand = reallocarray(r->stand, n + 1, sizeof(*stand));

	r->stand_at[0] = '\0';
	if (!stand)
		return;
	r->stand = stand;
	r->n_stand = n;
	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(stand[i].sensor, sizeof(stand[i].sensor), "%s", s[i].sensor);
		memcpy(stand[i].after, s[i].given, sizeof(stand[i].after));
	}
	(void)snprintf(r->stand_at, sizeof(r->stand_at), "%s", after);
}

int
rds_records(struct store *store, const struct store_filter *f, char after[64], store_record_fn *fn,
    void *ctx)
{
	struct counted c = { .fn = fn,
		.ctx = ctx,
		.left = f->limit,
		.limited = f->limit != 0,
		.on_gap = f->on_gap };
	struct rds *r = store->impl;
	struct rds_sensors sensors;
	struct stream *streams;
	struct rds_id id;
	int rc;

	if (after[0] != '\0' &&
	    (after[0] != '(' || !rds_id_parse(after + 1, strlen(after + 1), &id)))
		return -EINVAL;
	rc = rds_ready(r);
	if (rc == 0)
		rc = rds_find_sensors(r, f, &sensors);
	if (rc < 0)
		return rc;
	streams = calloc(sensors.n + 1, sizeof(*streams));
	for (unsigned i = 0; streams && i < sensors.n; i++) {
		streams[i].sensor = sensors.name[i];
		(void)snprintf(streams[i].after, sizeof(streams[i].after), "%s",
		    go_on_from(r, sensors.name[i], after));
		memcpy(streams[i].given, streams[i].after, sizeof(streams[i].given));
	}
	rc = streams ? merge_streams(r, streams, sensors.n, f, &c, after) : -ENOMEM;
	if (streams)
		keep_stand(r, streams, sensors.n, after);
	for (unsigned i = 0; streams && i < sensors.n; i++)
		if (streams[i].page)
			freeReplyObject(streams[i].page);
	free(streams);
	free(sensors.name);
	return rc;
}
