/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking and waiting for the answers, for whoever reads: the command, and the writer that wants its
 * earlier rows back. In a cluster a reader follows what it asks for from node to node.
 */
#include "ctl/store/redis_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SENSORS_MAX = 1024, WRITER_WAIT_MS = 200, NODES_MAX = 4 };

int
rds_ready(struct rds *r)
{
	unsigned tries = r->url.n_at + (r->url.sentinel ? 2 : r->url.n_at == 0);
	int rc = -EAGAIN;

	if (r->state == RDS_BATCH) /* the writer reads its own rows at start only */
		return -EBUSY;
	for (unsigned i = 0; rc != 0 && i < tries; i++) {
		unsigned wait = r->store->timeout_ms;

		if (r->store->mode == STORE_READ)
			r->next_try_ms = 0;
		else if (wait > WRITER_WAIT_MS) /* it has rings to drain, and asks again */
			wait = WRITER_WAIT_MS;
		rc = rds_run(r, RDS_READY, store_now_ms() + wait);
	}
	if (rc == -EAGAIN && r->store->stats.last_error[0] == '\0')
		store_failed(r->store, "redis: no answer in time");
	return rc == -EAGAIN ? -ETIMEDOUT : rc;
}

void
rds_free_replies(redisReply **replies, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (replies[i])
			freeReplyObject(replies[i]);
		replies[i] = NULL;
	}
}

static int
call_once(struct rds *r, redisReply **ret_replies, unsigned n)
{
	int rc;

	memset(ret_replies, 0, n * sizeof(*ret_replies));
	r->got = ret_replies;
	r->answered = 0;
	r->state = RDS_CALL;
	r->step_until_ms = store_now_ms() + r->store->timeout_ms;
	rc = rds_run(r, RDS_CALL, UINT64_MAX);
	if (rc < 0)
		rds_free_replies(ret_replies, n);
	else
		r->state = RDS_READY;
	return rc;
}

/* An error among the replies, in words. */
static bool
refused(redisReply *const *replies, unsigned n, char said[static 200])
{
	for (unsigned i = 0; i < n; i++)
		if (replies[i]->type == REDIS_REPLY_ERROR) {
			(void)snprintf(said, 200, "%s", replies[i]->str);
			return true;
		}
	return false;
}

/* Another node of the cluster has what was asked for: true when it was asked the same. */
static bool
ask_elsewhere(struct rds *r, const char *error, unsigned n)
{
	if (r->asked_len == 0 || !rds_moved(r, error) ||
	    rds_run(r, RDS_READY, store_now_ms() + r->store->timeout_ms) != 0)
		return false;
	if (redisAppendFormattedCommand(r->c, r->asked, r->asked_len) != REDIS_OK)
		return false;
	r->awaiting = n;
	return true;
}

int
rds_call(struct rds *r, redisReply **ret_replies, unsigned n)
{
	char said[sizeof(r->error)];
	int rc = call_once(r, ret_replies, n);

	for (unsigned node = 0; rc == 0 && refused(ret_replies, n, said); node++) {
		rds_free_replies(ret_replies, n);
		if (node < NODES_MAX && ask_elsewhere(r, said, n)) {
			rc = call_once(r, ret_replies, n);
			continue;
		}
		rc = -EIO;
		if (r->state == RDS_READY) /* else the node that it belongs to is away: was said */
			store_failed(r->store, "redis: %s", said);
	}
	r->asked_len = 0;
	return rc;
}

void
rds_ask(struct rds *r, const char *const *words, int n)
{
	struct rds_args a = { .n = 0 };

	rds_words(&a, words, n);
	rds_append(r, &a);
}

/* The one reply, checked to be an array. */
int
rds_call_array(struct rds *r, redisReply **ret)
{
	redisReply *reply;
	int rc = rds_call(r, &reply, 1);

	if (rc < 0)
		return rc;
	if (reply->type != REDIS_REPLY_ARRAY) {
		store_failed(r->store, "redis: an answer that is not a list");
		freeReplyObject(reply);
		return -EPROTO;
	}
	*ret = reply;
	return 0;
}

/* --- which sensors --- */

static bool
name_is_plain(const redisReply *e)
{
	if (e->type != REDIS_REPLY_STRING || e->len == 0 || e->len >= STORE_SENSOR_MAX)
		return false;
	return strspn(e->str,
		   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == e->len;
}

int
rds_find_sensors(struct rds *r, const struct store_filter *f, struct rds_sensors *ret)
{
	const char *one = store_filter_sensor(r->store, f);
	struct rds_sensors s = { .n = 0 };
	char key[RDS_KEY_MAX], last[16];
	redisReply *reply;
	int rc;

	if (one && strlen(one) >= STORE_SENSOR_MAX)
		return -EINVAL;
	s.name = calloc(SENSORS_MAX, sizeof(*s.name));
	if (!s.name)
		return -ENOMEM;
	if (one) {
		memcpy(s.name[s.n++], one, strlen(one) + 1);
		*ret = s;
		return 0;
	}
	(void)snprintf(key, sizeof(key), "%ssensors", r->url.prefix);
	(void)snprintf(last, sizeof(last), "%d", SENSORS_MAX - 1);
	RDS_SAY(r, "ZRANGE", key, "0", last);
	rc = rds_call_array(r, &reply);
	if (rc < 0) {
		free(s.name);
		return rc;
	}
	for (size_t i = 0; i < reply->elements && s.n < SENSORS_MAX; i++)
		if (name_is_plain(reply->element[i]))
			memcpy(s.name[s.n++], reply->element[i]->str, reply->element[i]->len + 1);
	freeReplyObject(reply);
	*ret = s;
	return 0;
}
