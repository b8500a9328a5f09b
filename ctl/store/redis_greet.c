/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said on a new connection before it is of use: who we are, where the stream ends, and
 * whether this is the right server at all. A sentinel names the master; a node of a cluster names
 * the node that holds a sensor's slot, and that which holds the list of sensors, where a writer
 * goes once after each break to be found by `--all-sensors`.
 */
#include "ctl/store/redis_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { HOPS_MAX = 8, LIST_AGAIN_MS = 30000 };

static void
add_to_list(struct rds *r)
{
	char key[RDS_KEY_MAX], now[24];

	(void)snprintf(key, sizeof(key), "%ssensors", r->url.prefix);
	(void)snprintf(now, sizeof(now), "%llu", (unsigned long long)(store_wall_us() / 1000000));
	RDS_SAY(r, "ZADD", key, now, r->store->sensor);
}

void
rds_greet(struct rds *r)
{
	const struct rds_url *u = &r->url;
	char db[16], key[RDS_KEY_MAX];

	if (u->password[0]) {
		const char *const two[] = { "AUTH", u->password };
		const char *const three[] = { "AUTH", u->user, u->password };

		rds_ask(r, u->user[0] ? three : two, u->user[0] ? 3 : 2);
	}
	(void)snprintf(db, sizeof(db), "%u", u->db);
	if (u->db != 0)
		RDS_SAY(r, "SELECT", db);
	if (r->store->mode != STORE_WRITE) {
		RDS_SAY(r, "PING");
	} else {
		add_to_list(r);
		rds_key(r, r->store->sensor, key, "events");
		if (!r->listing)
			RDS_SAY(r, "XINFO", "STREAM", key);
	}
	rds_begin(r, RDS_GREET);
}

void
rds_ask_sentinel(struct rds *r)
{
	RDS_SAY(r, "SENTINEL", "get-master-addr-by-name", r->url.master);
	rds_begin(r, RDS_ASK);
}

/* --- answers --- */

bool
rds_moved_to(const char *error, const char *from, struct rds_target *ret)
{
	const char *at = strrchr(error, ' '), *colon = at ? strrchr(at, ':') : NULL;
	struct rds_target t = { .host = "" };
	uint64_t port;
	size_t len;

	if (strncmp(error, "MOVED ", 6) != 0 || !colon ||
	    !rds_u64(colon + 1, strlen(colon + 1), &port) || port == 0 || port > 65535)
		return false;
	len = (size_t)(colon - at) - 1;
	if (len == 0) /* a node that knows no name of its own: where we are, at another port */
		(void)snprintf(t.host, sizeof(t.host), "%s", from);
	else if (len < sizeof(t.host))
		memcpy(t.host, at + 1, len);
	t.port = (uint16_t)port;
	if (t.host[0] == '\0')
		return false;
	*ret = t;
	return true;
}

/* The host of this connection; that of a unix socket is this one. */
static const char *
host_of(const struct rds *r)
{
	const struct rds_target *t = rds_target_of(r);

	return t ? t->host : "localhost";
}

bool
rds_moved(struct rds *r, const char *error)
{
	if (r->url.sentinel || r->hops >= HOPS_MAX || !rds_moved_to(error, host_of(r), &r->master))
		return false;
	r->hops++;
	r->have_master = true;
	rds_disconnect(r);
	r->state = RDS_DOWN;
	return true;
}

static void
note_error(struct rds *r, const redisReply *reply)
{
	if (reply->type == REDIS_REPLY_ERROR && r->error[0] == '\0')
		(void)snprintf(r->error, sizeof(r->error), "%.*s", (int)reply->len, reply->str);
}

/* XINFO STREAM's "last-generated-id", which outlives trimming. */
static void
take_top(struct rds *r, const redisReply *reply)
{
	r->top = (struct rds_id){ 0, 0 };
	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		const redisReply *k = reply->element[i], *v = reply->element[i + 1];

		if (k->type == REDIS_REPLY_STRING && v->type == REDIS_REPLY_STRING &&
		    strcmp(k->str, "last-generated-id") == 0)
			(void)rds_id_parse(v->str, v->len, &r->top);
	}
}

/* The list of sensors lies elsewhere in a cluster. Any other error leaves the sensor off the list,
 * where `--sensor` still finds it: no reason not to store. */
static void
take_listing(struct rds *r, const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_ERROR)
		r->listed = true;
	else if (!r->listed && !r->url.sentinel)
		r->list_elsewhere = rds_moved_to(reply->str, host_of(r), &r->list_at);
}

/* At the node of the list, or back from it: the sensor's own slot is elsewhere. */
static int
go_on(struct rds *r, bool to_list)
{
	r->listing = to_list;
	r->list_elsewhere = false;
	rds_disconnect(r);
	r->state = RDS_DOWN;
	return 1;
}

static int
listed(struct rds *r, const redisReply *reply)
{
	r->listed = true;
	if (reply->type == REDIS_REPLY_ERROR || r->error[0])
		r->list_again_ms = store_now_ms() + LIST_AGAIN_MS;
	return go_on(r, false);
}

static int
ready(struct rds *r)
{
	/* it had more than it has: all rows must be told again */
	if (r->top.ms < r->acked.ms || (r->top.ms == r->acked.ms && r->top.seq < r->acked.seq))
		r->store->wants_rows = true;
	r->acked = r->top;
	r->state = RDS_READY;
	r->hops = 0;
	r->backoff_ms = 0;
	r->step_until_ms = UINT64_MAX;
	if (!r->store->stats.up)
		r->store->stats.reconnects++;
	r->store->stats.up = true;
	return 1;
}

int
rds_greeted(struct rds *r, const redisReply *reply)
{
	bool writer = r->store->mode == STORE_WRITE;
	bool no_stream = reply->type == REDIS_REPLY_ERROR &&
			 strncmp(reply->str, "ERR no such key", 15) == 0 && r->awaiting == 0;

	if (r->listing && r->awaiting == 0)
		return listed(r, reply);
	if (writer && !r->listing && r->awaiting == 1)
		take_listing(r, reply);
	else if (no_stream)
		r->top = (struct rds_id){ 0, 0 };
	else
		note_error(r, reply);
	if (reply->type == REDIS_REPLY_ARRAY)
		take_top(r, reply);
	if (r->awaiting != 0)
		return 1;
	if (r->error[0]) {
		char error[sizeof(r->error)];

		memcpy(error, r->error, sizeof(error));
		return rds_moved(r, error) ? 1 : rds_failed(r, error, -EACCES);
	}
	return r->list_elsewhere ? go_on(r, true) : ready(r);
}

/* A sentinel's answer: [address, port] of the master, or nil. Elsewhere to connect to. */
int
rds_asked(struct rds *r, const redisReply *reply)
{
	uint64_t port;

	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
	    reply->element[0]->type != REDIS_REPLY_STRING ||
	    reply->element[1]->type != REDIS_REPLY_STRING ||
	    reply->element[0]->len >= sizeof(r->master.host) ||
	    !rds_u64(reply->element[1]->str, reply->element[1]->len, &port) || port == 0 ||
	    port > 65535)
		return rds_failed(r,
		    reply->type == REDIS_REPLY_ERROR ? reply->str
						     : "the sentinel knows no such master",
		    -ENOENT);
	memcpy(r->master.host, reply->element[0]->str, reply->element[0]->len + 1);
	r->master.port = (uint16_t)port;
	rds_disconnect(r);
	r->have_master = true;
	r->state = RDS_DOWN;
	return 1;
}
