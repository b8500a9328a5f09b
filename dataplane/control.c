/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: newline-delimited JSON-RPC 2.0 on a thread of its own.
 *
 * Nobody outside can make it wait: every connection is non-blocking, has limits on bytes and time,
 * and the longest idle one goes when there are too many. The protocol's lines and messages are
 * ctl/proto/rpc.h's; the socket's file is control_socket.c's; the methods are in control_methods.c
 * and status.c.
 */
#include "dataplane/control.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	EVENTS = 32,
	TICK_MS = 500,
	HALF_REQUEST_US = 5000000, /* from a request's first byte to its newline */
	UNREAD_US = 10000000,	   /* a reply that nobody takes */
	NO_ACCEPT_US = 200000,	   /* after a connection that could not be taken: try again */
};

struct client {
	int fd; /* -1: free */
	bool admin, close_after;
	bool waiting; /* for a reload's end */
	bool more;    /* a further request may lie in `in`: its turn comes after the others' */
	bool ended;   /* sends no more: goes once what it sent is answered */
	struct proto_lines in;
	char *out;
	size_t out_len, out_at;
	uint64_t active_us, half_since_us;
	json_t *reload_id;
};

struct dp_control {
	struct dp_plane *plane;
	pthread_t thread;
	bool started;
	_Atomic bool stop;
	struct dp_control_socket socket;
	int epoll, wake;
	struct client *clients;
	unsigned n_clients;
	uint64_t deaf_since_us; /* the listening socket is not looked at; 0: it is */

	pthread_mutex_t lock;	  /* a reload's outcome on its way from the helper thread */
	struct client *reloading; /* NULL: nobody waits for it */
	struct dp_answer reload_answer;
	bool reload_ended;
	bool reload_out; /* one of ours has not told its end; our thread */
};

static void *run(void *arg);

/* --- opening --- */

static int
watch(struct dp_control *c, int fd, uint32_t events, void *what, int op)
{
	struct epoll_event ev = { .events = events, .data.ptr = what };

	return epoll_ctl(c->epoll, op, fd, &ev) < 0 ? -errno : 0;
}

int
dp_control_open(struct dp_plane *plane, struct sig_diag *diag)
{
	struct dp_control *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->plane = plane;
	c->socket.fd = c->epoll = c->wake = -1;
	pthread_mutex_init(&c->lock, NULL);
	plane->control = c;
	c->n_clients = plane->config->control.connections;
	c->clients = calloc(c->n_clients, sizeof(*c->clients));
	if (!c->clients)
		return -ENOMEM;
	for (unsigned i = 0; i < c->n_clients; i++)
		c->clients[i].fd = -1;
	int rc = dp_control_bind(plane->config, &c->socket, diag);
	if (rc < 0)
		return rc;
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->epoll < 0 || c->wake < 0)
		return -errno;
	rc = watch(c, c->socket.fd, EPOLLIN, &c->socket, EPOLL_CTL_ADD);
	return rc < 0 ? rc : watch(c, c->wake, EPOLLIN, &c->wake, EPOLL_CTL_ADD);
}

int
dp_control_start(struct dp_plane *plane)
{
	struct dp_control *c = plane->control;
	int rc = pthread_create(&c->thread, NULL, run, c);

	if (rc != 0)
		return -rc;
	pthread_setname_np(c->thread, "control");
	c->started = true;
	return 0;
}

/* --- one connection --- */

static void
drop_client(struct dp_control *c, struct client *cl)
{
	pthread_mutex_lock(&c->lock);
	if (c->reloading == cl)
		c->reloading = NULL; /* the reload goes on; nobody hears of it */
	pthread_mutex_unlock(&c->lock);
	close(cl->fd);
	proto_lines_free(&cl->in);
	free(cl->out);
	json_decref(cl->reload_id);
	*cl = (struct client){ .fd = -1 };
}

/* Sends what is waiting. False: the connection is gone. */
static bool
send_out(struct dp_control *c, struct client *cl)
{
	while (cl->out_at < cl->out_len) {
		ssize_t n = send(cl->fd, cl->out + cl->out_at, cl->out_len - cl->out_at,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0) {
			drop_client(c, cl);
			return false;
		}
		cl->out_at += (size_t)n;
		cl->active_us = dp_clock_read(CLOCK_MONOTONIC);
	}
	bool waits = cl->out_at < cl->out_len;
	if (!waits) {
		free(cl->out);
		cl->out = NULL;
		cl->out_at = cl->out_len = 0;
		if (cl->close_after) {
			drop_client(c, cl);
			return false;
		}
	}
	/* While a reply waits, no further request is read. */
	(void)watch(c, cl->fd,
	    waits		       ? EPOLLOUT
	    : cl->waiting || cl->ended ? 0
				       : EPOLLIN,
	    cl, EPOLL_CTL_MOD);
	return true;
}

static void
give_line(struct client *cl, char *line)
{
	if (!line) {
		cl->close_after = true;
		return;
	}
	free(cl->out);
	cl->out = line;
	cl->out_len = strlen(line);
	cl->out_at = 0;
}

static void
give_answer(struct client *cl, const json_t *id, struct dp_answer *a)
{
	if (a->result)
		give_line(cl, proto_reply_result(id, a->result));
	else
		give_line(cl, proto_reply_error(id, a->code, a->message, a->data));
	memset(a, 0, sizeof(*a));
}

/* The helper thread: the outcome is handed to the control thread. */
static void
reload_done(void *ctx, int rc, const struct sig_diag *diag)
{
	struct dp_control *c = ctx;
	uint64_t one = 1;

	pthread_mutex_lock(&c->lock);
	dp_answer_reload(c->plane, rc, diag, &c->reload_answer);
	c->reload_ended = true;
	pthread_mutex_unlock(&c->lock);
	if (write(c->wake, &one, sizeof(one)) < 0)
		return; /* the tick finds it */
}

static void
begin_reload(struct dp_control *c, struct client *cl, const json_t *id, struct dp_answer *a)
{
	pthread_mutex_lock(&c->lock);
	bool mine = !c->reload_out;
	if (mine)
		c->reloading = cl;
	pthread_mutex_unlock(&c->lock);
	if (mine && dp_reload_begin(c->plane, reload_done, c)) {
		c->reload_out = cl->waiting = true;
		cl->reload_id = json_deep_copy(id);
		return;
	}
	if (mine) {
		pthread_mutex_lock(&c->lock);
		c->reloading = NULL;
		pthread_mutex_unlock(&c->lock);
	}
	dp_answer_error(a, PROTO_E_BUSY, "a reload is under way");
}

static void
finish_reload(struct dp_control *c)
{
	struct dp_answer answer = { 0 };

	pthread_mutex_lock(&c->lock);
	struct client *cl = c->reload_ended ? c->reloading : NULL;
	if (c->reload_ended) {
		answer = c->reload_answer;
		memset(&c->reload_answer, 0, sizeof(c->reload_answer));
		c->reloading = NULL;
		c->reload_ended = c->reload_out = false;
	}
	pthread_mutex_unlock(&c->lock);
	if (!cl) {
		json_decref(answer.result);
		json_decref(answer.data);
		return;
	}
	cl->waiting = false;
	json_t *id = cl->reload_id;
	cl->reload_id = NULL;
	if (id) {
		give_answer(cl, id, &answer);
	} else { /* a notification */
		json_decref(answer.result);
		json_decref(answer.data);
	}
	json_decref(id);
	(void)send_out(c, cl);
}

static void
call(struct dp_control *c, struct client *cl, const struct proto_request *req, struct dp_answer *a)
{
	const struct proto_method *m = proto_method_find(req->method);

	if (!m) {
		dp_answer_error(a, PROTO_E_METHOD, "no such method");
		return;
	}
	if (m->right == PROTO_ADMIN && !cl->admin) {
		dp_answer_error(
		    a, PROTO_E_DENIED, "%s is for root and the daemon's own user", m->name);
		return;
	}
	if (strcmp(m->name, "reload") == 0) {
		if (json_object_size(req->params) != 0)
			dp_answer_error(a, PROTO_E_PARAMS, "this method takes no parameters");
		else
			begin_reload(c, cl, req->id, a);
		return;
	}
	dp_method_call(c->plane, m->name, req->params, a);
}

static void
serve_line(struct dp_control *c, struct client *cl, const char *line, size_t len)
{
	struct dp_answer answer = { 0 };
	struct proto_request req;
	const char *why = NULL;
	int code = proto_request_parse(line, len, &req, &why);

	if (code != 0) {
		dp_answer_error(&answer, code, "%s", why);
		cl->close_after = code == PROTO_E_PARSE;
		give_answer(cl, req.id, &answer);
	} else {
		call(c, cl, &req, &answer);
		if (req.id && !cl->waiting) {
			give_answer(cl, req.id, &answer);
		} else {
			json_decref(answer.result);
			json_decref(answer.data);
		}
	}
	proto_request_free(&req);
}

static void
too_long(struct client *cl)
{
	struct dp_answer a = { 0 };

	dp_answer_error(&a, PROTO_E_TOO_LONG, "a request has at most %d bytes", PROTO_REQUEST_MAX);
	cl->close_after = true;
	give_answer(cl, NULL, &a);
}

/* One line, if a whole one is there and no reply waits. What follows it has to wait for the others.
 */
static void
serve_next(struct dp_control *c, struct client *cl)
{
	const char *line;
	size_t len;

	if (cl->waiting || cl->out)
		return;
	cl->more = false;
	int rc = proto_lines_next(&cl->in, &line, &len);
	if (rc == 0) {
		bool half = cl->in.len > cl->in.from;
		if (!half)
			cl->half_since_us = 0;
		else if (cl->half_since_us == 0)
			cl->half_since_us = dp_clock_read(CLOCK_MONOTONIC);
		if (cl->ended)
			drop_client(c, cl);
		return;
	}
	cl->half_since_us = 0;
	cl->more = rc > 0;
	if (rc < 0)
		too_long(cl);
	else if (len != 0)
		serve_line(c, cl, line, len);
	if (cl->out)
		(void)send_out(c, cl);
	else if (cl->waiting)
		(void)watch(c, cl->fd, 0, cl, EPOLL_CTL_MOD);
}

/* One turn each for those that have sent more than one request. True: some are left. */
static bool
serve_rest(struct dp_control *c)
{
	bool left = false;

	for (unsigned i = 0; i < c->n_clients; i++) {
		struct client *cl = &c->clients[i];
		if (cl->fd >= 0 && cl->more)
			serve_next(c, cl);
		left = left || (cl->fd >= 0 && cl->more && !cl->out && !cl->waiting);
	}
	return left;
}

static void
read_in(struct dp_control *c, struct client *cl)
{
	size_t room;
	void *at = proto_lines_room(&cl->in, &room);
	ssize_t n = at ? recv(cl->fd, at, room, MSG_DONTWAIT) : -1;

	if (n < 0 && at && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == 0 && cl->more) {
		cl->ended = true;
		(void)watch(c, cl->fd, 0, cl, EPOLL_CTL_MOD);
		return;
	}
	if (n <= 0) {
		drop_client(c, cl);
		return;
	}
	cl->active_us = dp_clock_read(CLOCK_MONOTONIC);
	proto_lines_added(&cl->in, (size_t)n);
	serve_next(c, cl);
}

/* A free place; when there is none, the one that has been idle longest makes way. */
static struct client *
place(struct dp_control *c)
{
	struct client *oldest = &c->clients[0];

	for (unsigned i = 0; i < c->n_clients; i++) {
		if (c->clients[i].fd < 0)
			return &c->clients[i];
		if (c->clients[i].active_us < oldest->active_us)
			oldest = &c->clients[i];
	}
	drop_client(c, oldest);
	return oldest;
}

static void
listen_again(struct dp_control *c)
{
	if (c->deaf_since_us == 0 ||
	    dp_clock_read(CLOCK_MONOTONIC) - c->deaf_since_us < NO_ACCEPT_US)
		return;
	c->deaf_since_us = 0;
	(void)watch(c, c->socket.fd, EPOLLIN, &c->socket, EPOLL_CTL_MOD);
}

uint64_t
dp_control_not_accepted(const struct dp_plane *plane)
{
	return plane->control->socket.not_accepted;
}

static void
accept_one(struct dp_control *c)
{
	bool admin;
	int fd = dp_control_accept(&c->socket, &admin);

	if (fd == -EAGAIN)
		return;
	if (fd < 0) {
		/* Who knocks is still there in a moment, and epoll would say so without end. */
		c->deaf_since_us = dp_clock_read(CLOCK_MONOTONIC);
		(void)watch(c, c->socket.fd, 0, &c->socket, EPOLL_CTL_MOD);
		return;
	}
	struct client *cl = place(c);
	*cl = (struct client){
		.fd = fd,
		.admin = admin,
		.active_us = dp_clock_read(CLOCK_MONOTONIC),
	};
	proto_lines_init(&cl->in, PROTO_REQUEST_MAX);
	if (watch(c, fd, EPOLLIN, cl, EPOLL_CTL_ADD) < 0) {
		drop_client(c, cl);
		return;
	}
	read_in(c, cl); /* the request is often there already: no flood of others comes between */
}

static void
time_out(struct dp_control *c)
{
	uint64_t now = dp_clock_read(CLOCK_MONOTONIC);
	uint64_t idle = (uint64_t)c->plane->config->control.idle_s * 1000000;

	for (unsigned i = 0; i < c->n_clients; i++) {
		struct client *cl = &c->clients[i];
		if (cl->fd < 0 || cl->waiting)
			continue;
		if ((cl->half_since_us != 0 && now - cl->half_since_us > HALF_REQUEST_US) ||
		    (cl->out && now - cl->active_us > UNREAD_US) || now - cl->active_us > idle)
			drop_client(c, cl);
	}
}

static void
on_client(struct dp_control *c, struct client *cl, uint32_t events)
{
	if (cl->fd < 0) /* made way earlier in this turn */
		return;
	if (events & EPOLLOUT) {
		if (send_out(c, cl) && !cl->out)
			serve_next(c, cl); /* requests that came meanwhile */
	} else if (events & EPOLLIN) {
		read_in(c, cl);
	} else if (events & (EPOLLHUP | EPOLLERR)) {
		drop_client(c, cl);
	}
}

static void *
run(void *arg)
{
	struct dp_control *c = arg;
	struct epoll_event events[EVENTS];
	uint64_t count;
	bool left = false;

	while (!atomic_load(&c->stop)) {
		int wait_ms = left ? 0 : c->deaf_since_us != 0 ? NO_ACCEPT_US / 1000 : TICK_MS;
		int n = epoll_wait(c->epoll, events, EVENTS, wait_ms);
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == &c->socket)
				accept_one(c);
			else if (events[i].data.ptr == &c->wake)
				(void)!read(c->wake, &count, sizeof(count));
			else
				on_client(c, events[i].data.ptr, events[i].events);
		}
		finish_reload(c);
		left = serve_rest(c);
		time_out(c);
		listen_again(c);
	}
	return NULL;
}

void
dp_control_stop(struct dp_plane *plane)
{
	struct dp_control *c = plane->control;
	uint64_t one = 1;

	if (!c || !c->started)
		return;
	atomic_store(&c->stop, true);
	if (write(c->wake, &one, sizeof(one)) >= 0)
		pthread_join(c->thread, NULL);
	c->started = false;
}

void
dp_control_close(struct dp_plane *plane)
{
	struct dp_control *c = plane->control;

	if (!c)
		return;
	finish_reload(c);
	for (unsigned i = 0; i < c->n_clients && c->clients; i++)
		if (c->clients[i].fd >= 0)
			drop_client(c, &c->clients[i]);
	dp_control_unbind(&c->socket);
	if (c->epoll >= 0)
		close(c->epoll);
	if (c->wake >= 0)
		close(c->wake);
	free(c->clients);
	pthread_mutex_destroy(&c->lock);
	free(c);
	plane->control = NULL;
}
