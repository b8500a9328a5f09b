/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection to Redis: a small machine, each step of which either goes on, must wait for the
 * socket, or fails. So the recorder gives it as many milliseconds as it can spare and comes back
 * later; a server that answers in half a second is slow, not dead.
 *
 * hiredis formats commands and parses replies; sockets, time-outs and waiting are done here, since
 * its own calls block. What is said first on a connection is redis_greet.c's.
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

enum {
	BACKOFF_MIN_MS = 100,
	/* With the quarter on top, a time-out under way and two ticks of the recorder, a server
	 * that is back has its first record within 6 s. */
	BACKOFF_MAX_MS = 1000,
	LIST_AGAIN_MS = 30000,
	REPLY_BYTES_MAX = 64 << 20,
};

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
	const struct rds_target *t = rds_target_of(r);

	if (t)
		store_failed(r->store, "redis %s port %u: %s", t->host, t->port, what);
	else
		store_failed(r->store, "redis %s: %s", r->url.path, what);
	r->store->stats.up = false;
	if (r->state == RDS_BATCH && r->batch.n_commands != 0)
		r->batch.in_doubt = true;
	rds_disconnect(r);
	r->state = r->state == RDS_RESOLVE && r->lookup ? RDS_RESOLVE : RDS_DOWN;
	/* next from the beginning: another sentinel, another node of the cluster may know */
	r->have_master = false;
	r->next_at++;
	r->hops = 0;
	r->listed = r->listing; /* where the list is kept is away: store first, list later */
	if (r->listing)
		r->list_again_ms = store_now_ms() + LIST_AGAIN_MS;
	r->listing = r->list_elsewhere = false;
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

int
rds_failed(struct rds *r, const char *what, int err)
{
	rds_fail(r, what);
	return err;
}

void
rds_begin(struct rds *r, enum rds_state state)
{
	r->state = state;
	r->answered = 0;
	r->error[0] = '\0';
	r->step_until_ms = store_now_ms() + r->store->timeout_ms;
}

const struct rds_target *
rds_target_of(const struct rds *r)
{
	if (r->listing)
		return &r->list_at;
	if (r->have_master)
		return &r->master;
	return r->url.n_at == 0 ? NULL : &r->url.at[r->next_at % r->url.n_at];
}

static int
connect_to(struct rds *r, const struct sockaddr *sa, socklen_t len)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		return rds_failed(r, strerror(errno), -errno);
	if (sa->sa_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	if (connect(fd, sa, len) < 0 && errno != EINPROGRESS) {
		int err = errno;

		(void)close(fd);
		return rds_failed(r, strerror(err), -err);
	}
	r->c = redisConnectFd(fd);
	if (!r->c || r->c->err) {
		(void)close(fd);
		return rds_failed(r, "no memory", -ENOMEM);
	}
	r->c->flags &= ~REDIS_BLOCK;
	rds_bound(r->c->reader, &r->fns, &r->budget);
	rds_begin(r, RDS_CONNECT);
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

	if (!rds_target_of(r))
		return connect_unix(r);
	look = calloc(1, sizeof(*look));
	if (!look)
		return rds_failed(r, "no memory", -ENOMEM);
	look->hints.ai_socktype = SOCK_STREAM;
	(void)snprintf(look->host, sizeof(look->host), "%s", rds_target_of(r)->host);
	(void)snprintf(look->port, sizeof(look->port), "%u", rds_target_of(r)->port);
	look->cb = (struct gaicb){
		.ar_name = look->host, .ar_service = look->port, .ar_request = &look->hints
	};
	list[0] = r->lookup = &look->cb;
	if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL) != 0) {
		free(look);
		r->lookup = NULL;
		return rds_failed(r, "cannot look up the host's name", -EAGAIN);
	}
	rds_begin(r, RDS_RESOLVE);
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
		return rds_failed(r, rc ? gai_strerror(rc) : "no address", -ENOENT);
	}
	len = r->lookup->ar_result->ai_addrlen;
	memcpy(&sa, r->lookup->ar_result->ai_addr, len);
	free_lookup(r);
	return connect_to(r, (const struct sockaddr *)&sa, len);
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
	if (err != 0)
		return rds_failed(r, strerror(err), -err);
	if (r->tls && rds_tls_start(r) < 0)
		return rds_failed(r, r->c->errstr[0] ? r->c->errstr : "TLS cannot begin", -EPROTO);
	if (r->url.sentinel && !r->have_master)
		rds_ask_sentinel(r);
	else
		rds_greet(r);
	return 1;
}

static int
take_reply(struct rds *r, redisReply *reply)
{
	int rc = 1;

	r->awaiting--;
	rds_budget_reset(&r->budget);
	if (r->state == RDS_ASK)
		rc = rds_asked(r, reply);
	else if (r->state == RDS_GREET)
		rc = rds_greeted(r, reply);
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
		return rds_failed(r, r->c->errstr, -EPROTO);
	if (reply && r->awaiting == 0) {
		freeReplyObject(reply);
		return rds_failed(r, "an answer that nobody asked for", -EPROTO);
	}
	if (reply)
		return take_reply(r, reply);
	if (write_out(r->c, &done) != REDIS_OK)
		return rds_failed(r, why(r), -EPIPE);
	size_t had = r->c->reader->len;

	if (redisBufferRead(r->c) != REDIS_OK)
		return rds_failed(r, why(r), -ECONNRESET);
	if (r->c->reader->len > REPLY_BYTES_MAX)
		return rds_failed(r, "an answer of more than 64 MB", -EMSGSIZE);
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
