/* SPDX-License-Identifier: Apache-2.0 */
/* Newline-delimited JSON-RPC 2.0: the line assembler, requests and replies. */
#include "ctl/proto/rpc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "signatures/base/text.h"

const struct proto_method proto_methods[] = {
	{ "version", PROTO_READ },
	{ "status", PROTO_READ },
	{ "report", PROTO_READ },
	{ "flows", PROTO_READ },
	{ "policy", PROTO_READ },
	{ "reload", PROTO_ADMIN },
	{ "bypass", PROTO_ADMIN },
	{ "stop", PROTO_ADMIN },
	{ NULL, PROTO_READ },
};

const struct proto_method *
proto_method_find(const char *name)
{
	for (const struct proto_method *m = proto_methods; m->name; m++)
		if (strcmp(m->name, name) == 0)
			return m;
	return NULL;
}

void
proto_lines_init(struct proto_lines *l, size_t limit)
{
	*l = (struct proto_lines){ .limit = limit };
}

void
proto_lines_free(struct proto_lines *l)
{
	if (!l)
		return;
	free(l->buf);
	*l = (struct proto_lines){ .limit = l->limit };
}

void *
proto_lines_room(struct proto_lines *l, size_t *ret_room)
{
	enum { STEP = 512 };

	if (l->from > 0) {
		memmove(l->buf, l->buf + l->from, l->len - l->from);
		l->len -= l->from;
		l->from = 0;
	}
	if (l->len == l->cap) {
		/* +2: the newline behind the longest line, and one byte that shows it is too long
		 */
		size_t cap = l->cap ? l->cap * 2 : STEP;
		if (cap > l->limit + 2)
			cap = l->limit + 2;
		if (cap <= l->len)
			cap = l->len +
			      STEP; /* the caller did not heed -EMSGSIZE: still no overrun */
		char *buf = realloc(l->buf, cap);
		if (!buf)
			return NULL;
		l->buf = buf;
		l->cap = cap;
	}
	*ret_room = l->cap - l->len;
	return l->buf + l->len;
}

void
proto_lines_added(struct proto_lines *l, size_t n)
{
	if (n > l->cap - l->len)
		n = l->cap - l->len;
	l->len += n;
}

int
proto_lines_next(struct proto_lines *l, const char **ret_line, size_t *ret_len)
{
	size_t held = l->len - l->from;

	if (held == 0) {
		proto_lines_free(l);
		return 0;
	}
	const char *at = l->buf + l->from;
	const char *nl = memchr(at + l->scanned, '\n', held - l->scanned);
	size_t n = nl ? (size_t)(nl - at) : held;

	/* A CR that could still be the line's end does not count. */
	if (n > l->limit + (n > 0 && at[n - 1] == '\r'))
		return -EMSGSIZE;
	if (!nl) {
		l->scanned = held;
		return 0;
	}
	*ret_line = at;
	*ret_len = n > 0 && at[n - 1] == '\r' ? n - 1 : n;
	l->from += n + 1;
	l->scanned = 0;
	return 1;
}

int
proto_request_parse(const char *line, size_t len, struct proto_request *ret, const char **ret_why)
{
	*ret = (struct proto_request){ 0 };
	ret->root = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	if (!ret->root) {
		*ret_why = "not JSON: one request a line, as JSON-RPC 2.0";
		return PROTO_E_PARSE;
	}
	*ret_why = "not a JSON-RPC 2.0 request object";
	if (!json_is_object(ret->root))
		return PROTO_E_REQUEST;
	json_t *id = json_object_get(ret->root, "id");
	const char *version = json_string_value(json_object_get(ret->root, "jsonrpc"));
	json_t *params = json_object_get(ret->root, "params");
	const char *method = json_string_value(json_object_get(ret->root, "method"));

	if (id && !json_is_string(id) && !json_is_integer(id) && !json_is_null(id)) {
		*ret_why = "id must be a string, an integer or null";
		return PROTO_E_REQUEST;
	}
	ret->id = id;
	if (!version || strcmp(version, "2.0") != 0) {
		*ret_why = "jsonrpc must be \"2.0\"";
		return PROTO_E_REQUEST;
	}
	if (!method) {
		*ret_why = "method must be a string";
		return PROTO_E_REQUEST;
	}
	if (params && !json_is_object(params)) {
		*ret_why = "params must be an object";
		return PROTO_E_PARAMS;
	}
	ret->method = method;
	ret->params = params;
	*ret_why = NULL;
	return 0;
}

void
proto_request_free(struct proto_request *req)
{
	if (!req)
		return;
	json_decref(req->root);
	*req = (struct proto_request){ 0 };
}

/* The object as one line; steals it. */
static char *
line_of(json_t *object)
{
	char *text, *line;
	size_t n;

	if (!object)
		return NULL;
	text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(object);
	if (!text)
		return NULL;
	n = strlen(text);
	line = realloc(text, n + 2);
	if (!line) {
		free(text);
		return NULL;
	}
	memcpy(line + n, "\n", 2);
	return line;
}

char *
proto_request_line(unsigned id, const char *method, json_t *params)
{
	json_t *o = json_pack(
	    "{s:s, s:I, s:s}", "jsonrpc", "2.0", "id", (json_int_t)id, "method", method);

	if (!o || (params && json_object_set(o, "params", params) < 0)) {
		json_decref(o);
		o = NULL;
	}
	json_decref(params);
	return line_of(o);
}

/* {"jsonrpc":"2.0","id":id}; a copy of the id, so that its owner may go first. */
static json_t *
reply_head(const json_t *id)
{
	json_t *o = json_pack("{s:s}", "jsonrpc", "2.0");

	if (o && json_object_set_new(o, "id", id ? json_deep_copy(id) : json_null()) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

char *
proto_reply_result(const json_t *id, json_t *result)
{
	json_t *o = reply_head(id);

	if (!o || !result || json_object_set(o, "result", result) < 0) {
		json_decref(o);
		o = NULL;
	}
	json_decref(result);
	return line_of(o);
}

char *
proto_reply_error(const json_t *id, int code, const char *message, json_t *data)
{
	char text[512];
	json_t *o = reply_head(id), *e;

	sig_text_escape(text, sizeof(text), (const uint8_t *)message, strlen(message));
	e = json_pack("{s:i, s:s}", "code", code, "message", text);
	if (!o || !e || (data && json_object_set(e, "data", data) < 0) ||
	    json_object_set(o, "error", e) < 0) {
		json_decref(o);
		o = NULL;
	}
	json_decref(e);
	json_decref(data);
	return line_of(o);
}
