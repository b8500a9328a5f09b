/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Days out of Redis: per day a set of row ids; what else a filter asks of a row is read once per
 * row and remembered for the other days.
 */
#include "ctl/store/redis_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "signatures/base/hash.h"

enum { DAYS_PAGE = 200 };

struct known_row {
	struct store_node node;
	bool passes;
	char *product, *vendor, *country;
	char id[]; /* of the row */
};

struct day_walk {
	struct rds *r;
	struct store_filter f; /* without since and until: those are for the days */
	struct store_net net;
	const char *sensor;
	store_day_fn *fn;
	void *ctx;
	struct store_map known;
	uint64_t given;
	bool stop;
};

static struct known_row *
find_known(const struct day_walk *w, const char *id, uint64_t hash)
{
	struct store_node *n = store_map_chain(&w->known, hash);

	for (; n; n = n->next)
		if (n->hash == hash && strcmp(store_of(n, struct known_row, node)->id, id) == 0)
			return store_of(n, struct known_row, node);
	return NULL;
}

static int
learn(struct day_walk *w, const char *id, const redisReply *reply)
{
	size_t len = strlen(id);
	struct known_row *k = calloc(1, sizeof(*k) + len + 1);
	struct store_row row;

	if (!k)
		return -ENOMEM;
	memcpy(k->id, id, len + 1);
	if (rds_row_of(reply, w->sensor, &row) == 0) {
		k->passes = store_filter_row(&w->f, &w->net, &row);
		k->product = row.product;
		k->vendor = row.vendor;
		k->country = row.country;
		row.product = row.vendor = row.country = NULL;
		store_row_free(&row);
	}
	store_map_add(&w->known, &k->node, sig_hash(id, len, 0));
	return 0;
}

static void
forget(struct day_walk *w)
{
	for (uint32_t i = 0; w->known.bucket && i <= w->known.mask; i++)
		while (w->known.bucket[i]) {
			struct known_row *k = store_of(w->known.bucket[i], struct known_row, node);

			w->known.bucket[i] = k->node.next;
			free(k->product);
			free(k->vendor);
			free(k->country);
			free(k);
		}
	free(w->known.bucket);
	w->known.bucket = NULL;
}

static bool
is_id(const redisReply *e)
{
	return e->type == REDIS_REPLY_STRING && e->len < 500 && strlen(e->str) == e->len;
}

/* Reads those rows of a page that are not known yet. */
static int
learn_page(struct day_walk *w, redisReply *const *ids, size_t n)
{
	redisReply *replies[DAYS_PAGE];
	const char *asked[DAYS_PAGE];
	unsigned sent = 0;
	int rc;

	for (size_t i = 0; i < n; i++) {
		struct rds_args a = { .n = 0 };
		char key[RDS_KEY_MAX];

		if (!is_id(ids[i]) ||
		    find_known(w, ids[i]->str, sig_hash(ids[i]->str, ids[i]->len, 0)))
			continue;
		rds_key(w->r, w->sensor, key, "row:%s", ids[i]->str);
		rds_words(&a, (const char *const[]){ "HMGET", key }, 2);
		rds_words(&a, rds_row_fields, RDS_ROW_FIELDS);
		rds_append(w->r, &a);
		asked[sent++] = ids[i]->str;
	}
	if (sent == 0)
		return 0;
	rc = rds_call(w->r, replies, sent);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; rc == 0 && i < sent; i++)
		rc = learn(w, asked[i], replies[i]);
	rds_free_replies(replies, sent);
	return rc;
}

static void
give_day(struct day_walk *w, const char *day, const redisReply *id)
{
	const struct known_row *k;
	struct rds_row_id parts;
	struct store_day out;
	char text[512], *vendor, *product, *host;

	if (!is_id(id))
		return;
	k = find_known(w, id->str, sig_hash(id->str, id->len, 0));
	memcpy(text, id->str, id->len + 1);
	if (!k || !k->passes || !rds_row_id_split(text, &parts))
		return;
	/* the row behind the id was checked, the id itself was not */
	host = store_text_clean(parts.host, strlen(parts.host), 64);
	vendor = store_text_clean(parts.vendor, strlen(parts.vendor), 128);
	product = store_text_clean(parts.product, strlen(parts.product), 128);
	out = (struct store_day){ .day = day,
		.sensor = w->sensor,
		.vendor_id = vendor,
		.product = k->product ? k->product : product,
		.vendor = k->vendor,
		.country = k->country,
		.product_id = product,
		.host = host,
		.function = (uint8_t)sig_function_parse(parts.function) };
	if (host && vendor && product && out.function != SIG_FN_NONE) {
		w->given++;
		w->stop = !w->fn(w->ctx, &out) || (w->f.limit != 0 && w->given >= w->f.limit);
	}
	free(host);
	free(vendor);
	free(product);
}

static int
walk_day(struct day_walk *w, const char *day)
{
	char key[RDS_KEY_MAX];
	redisReply *reply;
	struct rds_args a = { .n = 0 };
	int rc;

	rds_key(w->r, w->sensor, key, "day:%s", day);
	rds_words(&a, (const char *const[]){ "SMEMBERS", key }, 2);
	rds_append(w->r, &a);
	rc = rds_call(w->r, &reply, 1);
	if (rc < 0)
		return rc;
	for (size_t i = 0;
	     reply->type == REDIS_REPLY_ARRAY && rc == 0 && !w->stop && i < reply->elements;
	     i += DAYS_PAGE) {
		size_t n = reply->elements - i < DAYS_PAGE ? reply->elements - i : DAYS_PAGE;

		rc = learn_page(w, reply->element + i, n);
		for (size_t k = 0; rc == 0 && !w->stop && k < n; k++)
			give_day(w, day, reply->element[i + k]);
	}
	freeReplyObject(reply);
	return rc;
}

static bool
is_day(const redisReply *e)
{
	return e->type == REDIS_REPLY_STRING && e->len == 10 && strspn(e->str, "0123456789-") == 10;
}

static int
walk_sensor(struct day_walk *w, const struct store_filter *f)
{
	char key[RDS_KEY_MAX], from[24], to[24];
	struct rds_args a = { .n = 0 };
	redisReply *reply;
	int rc;

	rds_key(w->r, w->sensor, key, "days");
	(void)snprintf(
	    from, sizeof(from), "%llu", (unsigned long long)(f->since_us / STORE_DAY_US));
	(void)snprintf(to, sizeof(to), "%llu", (unsigned long long)(f->until_us / STORE_DAY_US));
	rds_words(&a,
	    (const char *const[]){
		"ZRANGEBYSCORE", key, f->since_us ? from : "-inf", f->until_us ? to : "+inf" },
	    4);
	rds_append(w->r, &a);
	rc = rds_call(w->r, &reply, 1);
	if (rc < 0)
		return rc;
	for (size_t i = 0;
	     reply->type == REDIS_REPLY_ARRAY && rc == 0 && !w->stop && i < reply->elements; i++)
		if (is_day(reply->element[i]))
			rc = walk_day(w, reply->element[i]->str);
	freeReplyObject(reply);
	return rc;
}

int
rds_days(struct store *store, const struct store_filter *f, store_day_fn *fn, void *ctx)
{
	struct day_walk w = { .r = store->impl, .f = *f, .fn = fn, .ctx = ctx };
	struct rds_sensors sensors;
	int rc = rds_filter_net(store, f, &w.net);

	w.f.since_us = w.f.until_us = 0;
	if (rc == 0)
		rc = rds_ready(w.r);
	if (rc == 0)
		rc = rds_find_sensors(w.r, f, &sensors);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; rc == 0 && !w.stop && i < sensors.n; i++) {
		w.sensor = sensors.name[i];
		rc = store_map_init(&w.known) < 0 ? -ENOMEM : walk_sensor(&w, f);
		forget(&w);
	}
	free(sensors.name);
	return rc;
}
