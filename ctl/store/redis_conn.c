/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection to Redis: a small machine, each step of which either goes on, must wait for the
 * socket, or fails. So the recorder gives it as many milliseconds as it can spare and comes back
 * later; a server that answers in half a second is slow, not dead.
 *
 * hiredis formats commands and parses replies; sockets, time-outs and waiting are done here, since
 * its own calls block.
 */
#include "ctl/store/redis_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKOFF_MIN_MS = 100, BACKOFF_MAX_MS = 2000, REPLY_BYTES_MAX = 64 << 20 };

static int step(struct rds *r, short *ret_events);
static void wait_for(struct rds *r, short events, uint64_t until_ms);

int
rds_run(struct rds *r, enum rds_state goal, uint64_t until_ms)
{
	if (r->state == RDS_DOWN && store_now_ms() < r->next_try_ms)
		return -EAGAIN;
	while (r->state != goal || r->awaiting != 0) {
		short events = 0;
		int rc = step(r, &events);
		uint64_t now = store_now_ms();

		if (rc < 0)
			return rc;
		if (rc > 0)
			continue;
		if (now >= r->step_until_ms) {
			rds_fail(r, "no answer in time");
			return -ETIMEDOUT;
		}
		if (now >= until_ms)
			return -EAGAIN;
		wait_for(r, events, until_ms < r->step_until_ms ? until_ms : r->step_until_ms);
	}
	return 0;
}

void
rds_disconnect(struct rds *r)
{
	if (r->c) {
		/* what the socket still holds must not arrive after what comes next */
		struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

		(void)setsockopt(r->c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		redisFree(r->c);
	}
	r->c = NULL;
	r->ssl = NULL;
	r->awaiting = r->answered = 0;
	r->error[0] = '\0';
}

/* Down for a while that grows; not the same while for all sensors. */
void
rds_fail(struct rds *r, const char *what)
{
	const struct rds_target *t = r->have_master || r->url.n_at == 0 ? &r->master
									: &r->url.at[0];

	store_failed(r->store, "redis %s: %s", t->host[0] ? t->host : r->url.path, what);
	r->store->stats.up = false;
	if (r->state == RDS_BATCH && r->batch.n_commands != 0)
		r->batch.in_doubt = true;
	rds_disconnect(r);
	r->state = r->state == RDS_RESOLVE && r->lookup ? RDS_RESOLVE : RDS_DOWN;
	if (r->url.sentinel)
		r->have_master = false;
	r->jitter = r->jitter * 1103515245u + 12345u;
	r->backoff_ms = r->backoff_ms * 2;
	if (r->backoff_ms < BACKOFF_MIN_MS)
		r->backoff_ms = BACKOFF_MIN_MS;
	if (r->backoff_ms > BACKOFF_MAX_MS)
		r->backoff_ms = BACKOFF_MAX_MS;
	r->next_try_ms = store_now_ms() + r->backoff_ms * 3 / 4 +
			 (r->jitter >> 16) % (r->backoff_ms / 2 + 1);
	r->step_until_ms = r->next_try_ms + r->store->timeout_ms;
}

static void
free_lookup(struct rds *r)
{
	if (!r->lookup || gai_cancel(r->lookup) == EAI_NOTCANCELED)
		return; /* glibc's thread still writes to it: it is left to that thread */
	if (r->lookup->ar_result)
		freeaddrinfo(r->lookup->ar_result);
	free(r->lookup);
	r->lookup = NULL;
}

void
rds_close(struct rds *r)
{
	rds_disconnect(r);
	free_lookup(r);
	if (r->tls)
		rds_tls_free(r);
}

/* --- steps: 1 went on, 0 must wait, < 0 failed (rds_fail() was called) --- */

static int
failed(struct rds *r, const char *what, int err)
{
	rds_fail(r, what);
	return err;
}

static void
begin(struct rds *r, enum rds_state state)
{
	r->state = state;
	r->answered = 0;
	r->error[0] = '\0';
	r->step_until_ms = store_now_ms() + r->store->timeout_ms;
}

static const struct rds_target *
target(const struct rds *r)
{
	return r->have_master ? &r->master : &r->url.at[r->next_at % r->url.n_at];
}

static int
connect_to(struct rds *r, const struct sockaddr *sa, socklen_t len)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		return failed(r, strerror(errno), -errno);
	if (sa->sa_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	if (connect(fd, sa, len) < 0 && errno != EINPROGRESS) {
		int err = errno;

		(void)close(fd);
		return failed(r, strerror(err), -err);
	}
	r->c = redisConnectFd(fd);
	if (!r->c || r->c->err) {
		(void)close(fd);
		return failed(r, "no memory", -ENOMEM);
	}
	r->c->flags &= ~REDIS_BLOCK;
	rds_bound(r->c->reader, &r->fns, &r->budget);
	begin(r, RDS_CONNECT);
	return 1;
}

static int
connect_unix(struct rds *r)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	memcpy(sa.sun_path, r->url.path, strlen(r->url.path) + 1);
	return connect_to(r, (const struct sockaddr *)&sa, sizeof(sa));
}

/* A number needs no look-up; a name is looked up in glibc's thread, as it may take long. */
static int
start(struct rds *r)
{
	struct look {
		struct gaicb cb;
		struct addrinfo hints;
		char host[RDS_HOST_MAX], port[8];
	} * look;
	struct gaicb *list[1];

	if (r->url.path[0] && !r->have_master)
		return connect_unix(r);
	look = calloc(1, sizeof(*look));
	if (!look)
		return failed(r, "no memory", -ENOMEM);
	look->hints.ai_socktype = SOCK_STREAM;
	(void)snprintf(look->host, sizeof(look->host), "%s", target(r)->host);
	(void)snprintf(look->port, sizeof(look->port), "%u", target(r)->port);
	look->cb = (struct gaicb){
		.ar_name = look->host, .ar_service = look->port, .ar_request = &look->hints
	};
	list[0] = r->lookup = &look->cb;
	if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL) != 0) {
		free(look);
		r->lookup = NULL;
		return failed(r, "cannot look up the host's name", -EAGAIN);
	}
	begin(r, RDS_RESOLVE);
	return 1;
}

static int
resolved(struct rds *r)
{
	int rc = gai_error(r->lookup);
	struct sockaddr_storage sa;
	socklen_t len;

	if (rc == EAI_INPROGRESS)
		return 0;
	if (rc != 0 || !r->lookup->ar_result) {
		free_lookup(r);
		r->next_at++;
		return failed(r, rc ? gai_strerror(rc) : "no address", -ENOENT);
	}
	len = r->lookup->ar_result->ai_addrlen;
	memcpy(&sa, r->lookup->ar_result->ai_addr, len);
	free_lookup(r);
	return connect_to(r, (const struct sockaddr *)&sa, len);
}

static void
command(struct rds *r, const char *const *words, int n)
{
	struct rds_args a = { .n = 0 };

	rds_words(&a, words, n);
	rds_append(r, &a);
}

static void
greet(struct rds *r)
{
	char db[16], key[RDS_KEY_MAX];
	const struct rds_url *u = &r->url;

	if (u->password[0]) {
		const char *const two[] = { "AUTH", u->password };
		const char *const three[] = { "AUTH", u->user, u->password };

		command(r, u->user[0] ? three : two, u->user[0] ? 3 : 2);
	}
	(void)snprintf(db, sizeof(db), "%u", u->db);
	if (u->db != 0)
		command(r, (const char *const[]){ "SELECT", db }, 2);
	if (r->store->mode == STORE_WRITE) {
		/* the list of sensors is nobody's slot: where it cannot be kept, it is not */
		(void)snprintf(key, sizeof(key), "%ssensors", u->prefix);
		(void)snprintf(
		    db, sizeof(db), "%llu", (unsigned long long)(store_wall_us() / 1000000));
		command(r, (const char *const[]){ "ZADD", key, db, r->store->sensor }, 4);
		rds_key(r, r->store->sensor, key, "events");
		command(r, (const char *const[]){ "XINFO", "STREAM", key }, 3);
	} else {
		command(r, (const char *const[]){ "PING" }, 1);
	}
	begin(r, RDS_GREET);
}

static int
connected(struct rds *r)
{
	struct pollfd p = { .fd = r->c->fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int err = 0;

	if (poll(&p, 1, 0) == 0)
		return 0;
	if (getsockopt(r->c->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	if (err != 0) {
		r->next_at++;
		return failed(r, strerror(err), -err);
	}
	if (r->tls && rds_tls_start(r) < 0)
		return failed(r, r->c->errstr[0] ? r->c->errstr : "TLS cannot begin", -EPROTO);
	if (r->url.sentinel && !r->have_master) {
		command(r,
		    (const char *const[]){ "SENTINEL", "get-master-addr-by-name", r->url.master },
		    3);
		begin(r, RDS_ASK);
	} else {
		greet(r);
	}
	return 1;
}

/* "MOVED 866 10.0.0.5:6379": a cluster's node says whose the sensor's slot is. */
static bool
moved(struct rds *r, const char *error)
{
	const char *at = strrchr(error, ' '), *colon = at ? strrchr(at, ':') : NULL;
	uint64_t port;

	if (strncmp(error, "MOVED ", 6) != 0 || !colon || r->url.sentinel ||
	    (size_t)(colon - at) > sizeof(r->master.host) || colon - at < 2 ||
	    !rds_u64(colon + 1, strlen(colon + 1), &port) || port == 0 || port > 65535)
		return false;
	memcpy(r->master.host, at + 1, (size_t)(colon - at) - 1);
	r->master.host[colon - at - 1] = '\0';
	r->master.port = (uint16_t)port;
	r->have_master = true;
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

static int
greeted(struct rds *r, const redisReply *reply)
{
	bool no_stream = reply->type == REDIS_REPLY_ERROR &&
			 strncmp(reply->str, "ERR no such key", 15) == 0 && r->awaiting == 0;

	bool sensors = r->store->mode == STORE_WRITE && r->awaiting == 1;

	if (no_stream)
		r->top = (struct rds_id){ 0, 0 };
	else if (!sensors)
		note_error(r, reply);
	if (reply->type == REDIS_REPLY_ARRAY)
		take_top(r, reply);
	if (r->awaiting != 0)
		return 1;
	if (r->error[0]) {
		char error[sizeof(r->error)];

		memcpy(error, r->error, sizeof(error));
		if (!moved(r, error))
			return failed(r, error, -EACCES);
		rds_disconnect(r);
		r->state = RDS_DOWN;
		return 1;
	}
	/* it had more than it has: all rows must be told again */
	if (r->top.ms < r->acked.ms || (r->top.ms == r->acked.ms && r->top.seq < r->acked.seq))
		r->store->wants_rows = true;
	r->acked = (struct rds_id){ 0, 0 };
	r->state = RDS_READY;
	r->backoff_ms = 0;
	r->step_until_ms = UINT64_MAX;
	if (!r->store->stats.up)
		r->store->stats.reconnects++;
	r->store->stats.up = true;
	return 1;
}

/* A sentinel's answer: [address, port] of the master, or nil. Elsewhere to connect to. */
static int
asked(struct rds *r, const redisReply *reply)
{
	uint64_t port;

	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
	    reply->element[0]->type != REDIS_REPLY_STRING ||
	    reply->element[1]->type != REDIS_REPLY_STRING ||
	    reply->element[0]->len >= sizeof(r->master.host) ||
	    !rds_u64(reply->element[1]->str, reply->element[1]->len, &port) || port == 0 ||
	    port > 65535) {
		r->next_at++;
		return failed(r,
		    reply->type == REDIS_REPLY_ERROR ? reply->str
						     : "the sentinel knows no such master",
		    -ENOENT);
	}
	memcpy(r->master.host, reply->element[0]->str, reply->element[0]->len + 1);
	r->master.port = (uint16_t)port;
	rds_disconnect(r);
	r->have_master = true;
	r->state = RDS_DOWN;
	return 1;
}

static int
take_reply(struct rds *r, redisReply *reply)
{
	int rc = 1;

	r->awaiting--;
	rds_budget_reset(&r->budget);
	if (r->state == RDS_ASK)
		rc = asked(r, reply);
	else if (r->state == RDS_GREET)
		rc = greeted(r, reply);
	else if (r->state == RDS_BATCH)
		rds_batch_reply(r, reply);
	if (r->state == RDS_CALL) {
		r->got[r->answered++] = reply;
		r->step_until_ms = store_now_ms() + r->store->timeout_ms;
		return rc;
	}
	r->answered++;
	freeReplyObject(reply);
	return rc;
}

/*
 * hiredis writes without MSG_NOSIGNAL, and what a SIGPIPE does to the process is not for a library
 * to decide: it is held back, and taken away if this write raised it.
 */
static int
write_out(redisContext *c, int *ret_done)
{
	static const struct timespec at_once = { 0, 0 };
	sigset_t pipe_only, before, pending;
	bool was_pending;
	int rc;

	(void)sigemptyset(&pipe_only);
	(void)sigaddset(&pipe_only, SIGPIPE);
	(void)sigpending(&pending);
	was_pending = sigismember(&pending, SIGPIPE) == 1;
	(void)pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
	rc = redisBufferWrite(c, ret_done);
	if (rc != REDIS_OK && !was_pending)
		(void)sigtimedwait(&pipe_only, NULL, &at_once);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

/* What OpenSSL holds against the certificate, else hiredis' own words, where it has any. */
static const char *
why(const struct rds *r)
{
	const char *tls = r->tls ? rds_tls_why(r) : NULL;

	if (tls)
		return tls;
	return r->c->errstr[0] ? r->c->errstr : strerror(errno);
}

/* Sends what is queued, reads what is there; a reply is handed on as soon as it is whole. */
static int
talk(struct rds *r, short *ret_events)
{
	void *reply = NULL;
	int done = 0;

	if (redisGetReplyFromReader(r->c, &reply) != REDIS_OK)
		return failed(r, r->c->errstr, -EPROTO);
	if (reply && r->awaiting == 0) {
		freeReplyObject(reply);
		return failed(r, "an answer that nobody asked for", -EPROTO);
	}
	if (reply)
		return take_reply(r, reply);
	if (write_out(r->c, &done) != REDIS_OK)
		return failed(r, why(r), -EPIPE);
	size_t had = r->c->reader->len;

	if (redisBufferRead(r->c) != REDIS_OK)
		return failed(r, why(r), -ECONNRESET);
	if (r->c->reader->len > REPLY_BYTES_MAX)
		return failed(r, "an answer of more than 64 MB", -EMSGSIZE);
	if (r->c->reader->len != had)
		return 1;
	*ret_events = (short)(POLLIN | (done ? 0 : POLLOUT));
	return 0;
}

static int
step(struct rds *r, short *ret_events)
{
	switch (r->state) {
	case RDS_DOWN: return start(r);
	case RDS_RESOLVE: return resolved(r);
	case RDS_CONNECT: *ret_events = POLLOUT; return connected(r);
	case RDS_ASK:
	case RDS_GREET:
	case RDS_READY:
	case RDS_BATCH:
	case RDS_CALL: return talk(r, ret_events);
	}
	return -EINVAL;
}

static void
wait_for(struct rds *r, short events, uint64_t until_ms)
{
	uint64_t now = store_now_ms();
	int ms = now < until_ms ? (int)(until_ms - now) : 0;

	if (r->state == RDS_RESOLVE) {
		const struct gaicb *list[1] = { r->lookup };
		struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

		(void)gai_suspend(list, 1, &ts);
	} else if (r->c) {
		struct pollfd p = { .fd = r->c->fd, .events = events };

		(void)poll(&p, 1, ms);
	}
}
