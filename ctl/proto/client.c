/* SPDX-License-Identifier: Apache-2.0 */
/* A blocking JSON-RPC client over a Unix stream socket, with one deadline per call. */
#include "ctl/proto/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ctl/proto/rpc.h"
#include "signatures/base/text.h"

struct proto_client {
	int fd;
	unsigned timeout_ms, next_id;
	struct proto_lines lines;
};

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Waits until fd is ready for `events`. 0 or -ETIMEDOUT or -errno. */
static int
wait_for(int fd, short events, int64_t deadline)
{
	for (;;) {
		int64_t left = deadline - now_ms();
		struct pollfd p = { .fd = fd, .events = events };

		if (left <= 0)
			return -ETIMEDOUT;
		int n = poll(&p, 1, (int)left);
		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

int
proto_client_open(const char *path, unsigned timeout_ms, struct proto_client **ret_client)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct proto_client *c;
	int err;

	if (strlen(path) >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	strcpy(un.sun_path, path);
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->timeout_ms = timeout_ms ? timeout_ms : 5000;
	proto_lines_init(&c->lines, PROTO_REPLY_MAX);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&un, sizeof(un)) < 0) {
		err = -errno;
		/* A full backlog answers EAGAIN on a non-blocking Unix socket: the daemon is there,
		 * busy. */
		proto_client_close(c);
		return err;
	}
	*ret_client = c;
	return 0;
}

void
proto_client_close(struct proto_client *client)
{
	if (!client)
		return;
	if (client->fd >= 0)
		close(client->fd);
	proto_lines_free(&client->lines);
	free(client);
}

void
proto_client_wait(struct proto_client *client, unsigned timeout_ms)
{
	client->timeout_ms = timeout_ms;
}

static int
send_all(struct proto_client *c, const char *p, size_t n, int64_t deadline)
{
	while (n > 0) {
		ssize_t k = send(c->fd, p, n, MSG_NOSIGNAL);

		if (k > 0) {
			p += k;
			n -= (size_t)k;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		int err = wait_for(c->fd, POLLOUT, deadline);
		if (err < 0)
			return err;
	}
	return 0;
}

static int
read_line(struct proto_client *c, int64_t deadline, const char **ret_line, size_t *ret_len)
{
	for (;;) {
		int got = proto_lines_next(&c->lines, ret_line, ret_len);
		size_t room;

		if (got != 0)
			return got;
		void *at = proto_lines_room(&c->lines, &room);
		if (!at)
			return -ENOMEM;
		ssize_t k = recv(c->fd, at, room, 0);
		if (k > 0) {
			proto_lines_added(&c->lines, (size_t)k);
			continue;
		}
		if (k == 0)
			return -EPIPE;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return errno == ECONNRESET ? -EPIPE : -errno;
		int err = wait_for(c->fd, POLLIN, deadline);
		if (err < 0)
			return err;
	}
}

static int
fail(struct proto_fault *f, int err, const char *text)
{
	f->code = 0;
	f->data = NULL;
	snprintf(f->message, sizeof(f->message), "%s", text);
	return err;
}

/* Printable whatever the daemon sent: what is escaped already stays as it is. */
static void
copy_message(char *out, size_t cap, const char *in)
{
	size_t n = 0;

	for (; *in && n + 5 < cap; in++) {
		unsigned char ch = (unsigned char)*in;
		if (ch >= 0x20 && ch < 0x7f)
			out[n++] = *in;
		else
			n += sig_text_escape(out + n, cap - n, &ch, 1);
	}
	out[n] = '\0';
}

static int
take_reply(json_t *reply, unsigned id, json_t **ret_result, struct proto_fault *f)
{
	json_t *got = json_object_get(reply, "id"), *err = json_object_get(reply, "error");
	json_t *result = json_object_get(reply, "result");

	if (json_is_object(err)) {
		const char *text = json_string_value(json_object_get(err, "message"));

		f->code = (int)json_integer_value(json_object_get(err, "code"));
		copy_message(
		    f->message, sizeof(f->message), text ? text : "refused, without a reason");
		f->data = json_incref(json_object_get(err, "data"));
		return -EREMOTEIO;
	}
	if (!json_is_integer(got) || json_integer_value(got) != (json_int_t)id || !result)
		return fail(f, -EBADMSG, "the reply is not a JSON-RPC 2.0 reply to this request");
	*ret_result = json_incref(result);
	return 0;
}

int
proto_client_call(struct proto_client *client, const char *method, json_t *params,
    json_t **ret_result, struct proto_fault *ret_fault)
{
	int64_t deadline = now_ms() + client->timeout_ms;
	unsigned id = ++client->next_id;
	char *line = proto_request_line(id, method, params);
	const char *reply;
	size_t len;
	int err;

	*ret_fault = (struct proto_fault){ 0 };
	if (!line)
		return fail(ret_fault, -ENOMEM, "out of memory");
	if (strlen(line) > PROTO_REQUEST_MAX) {
		free(line);
		return fail(ret_fault, -EMSGSIZE, "the request is too long");
	}
	err = send_all(client, line, strlen(line), deadline);
	free(line);
	/* A daemon that refuses says why before it hangs up: read even after a failed send. */
	if (err == 0 || err == -EPIPE)
		err = read_line(client, deadline, &reply, &len);
	if (err == -ETIMEDOUT)
		return fail(ret_fault, err, "no answer in time");
	if (err == -EPIPE)
		return fail(ret_fault, err, "the daemon closed the connection");
	if (err < 0)
		return fail(ret_fault, err, strerror(-err));
	json_t *root = json_loadb(reply, len, JSON_REJECT_DUPLICATES, NULL);
	if (!root)
		return fail(ret_fault, -EBADMSG, "the reply is not JSON");
	err = take_reply(root, id, ret_result, ret_fault);
	json_decref(root);
	return err;
}
