/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control protocol's framing, for both ends: newline-delimited JSON-RPC 2.0 over a Unix stream
 * socket. One request a line, one reply a line, answered in order; what the methods take and give
 * is in ctl/README.md, "The control protocol".
 *
 * The server side here neither reads a socket nor blocks: it is fed bytes and makes reply lines, so
 * that an event loop with thousands of half-finished clients stays cheap. Nothing is global: one
 * `struct proto_lines` per connection, one thread at a time.
 *
 * Large answers are paged, never one giant line: `report` and `flows` take `cursor` and `limit` and
 * give `{"rows"|"records": [...], "cursor": "..."|null}`; null means that was the last page.
 */
#ifndef CTL_PROTO_RPC_H
#define CTL_PROTO_RPC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	PROTO_REQUEST_MAX = 64 << 10, /* bytes of a request line, without its newline */
	PROTO_REPLY_MAX = 16 << 20,   /* bytes of a reply line that the client accepts */
	PROTO_PAGE_MAX = 1000,	      /* most rows or records in one page */
	PROTO_PAGE_DEFAULT = 500,
	PROTO_CURSOR_MAX = 64, /* with NUL; opaque to the client */
};

#define PROTO_SOCKET_DEFAULT "/run/phonehome/control.sock"

/* JSON-RPC error codes; the first five are the standard's own. */
enum proto_error {
	PROTO_E_PARSE = -32700,	  /* not JSON; the connection is closed behind it */
	PROTO_E_REQUEST = -32600, /* JSON, but no request */
	PROTO_E_METHOD = -32601,
	PROTO_E_PARAMS = -32602,
	PROTO_E_INTERNAL = -32603,
	PROTO_E_FAILED = -32000,   /* it was tried and did not work; `message` says why */
	PROTO_E_DENIED = -32001,   /* the peer's credentials do not allow it */
	PROTO_E_BUSY = -32002,	   /* too many connections, or a reload is under way */
	PROTO_E_TOO_LONG = -32003, /* request over PROTO_REQUEST_MAX; the connection is closed */
};

/* What a method may change decides who may call it. */
enum proto_right { PROTO_READ, PROTO_ADMIN };

struct proto_method {
	const char *name;
	enum proto_right right;
};
/* All methods of the protocol, ended by a NULL name: status, report, flows, policy, version (read);
 * reload, bypass, stop (admin). */
extern const struct proto_method proto_methods[];
const struct proto_method *proto_method_find(const char *name); /* NULL: no such method */

/* --- lines out of a byte stream --- */

/* Bytes of one connection that are not yet a whole line. Its memory grows with what has arrived
 * (never over the limit) and is given back when empty, so that idle connections cost nothing. */
struct proto_lines {
	char *buf;
	size_t from, len, cap; /* unread bytes are buf[from..len) */
	size_t scanned;	       /* of those, known to hold no newline */
	size_t limit;	       /* longest line */
};
void proto_lines_init(struct proto_lines *l, size_t limit);
void proto_lines_free(struct proto_lines *l);
/* Where the next recv() may write: *ret_room > 0 bytes. NULL: no memory. Moves what was held;
 * lines given before are no longer valid. */
void *proto_lines_room(struct proto_lines *l, size_t *ret_room);
void proto_lines_added(struct proto_lines *l, size_t n); /* n <= the room given */
/* 1 and the next line (without newline and a CR before it, not NUL-terminated, valid until the next
 * _room); 0: no whole line yet; -EMSGSIZE: the line under way is longer than the limit. */
int proto_lines_next(struct proto_lines *l, const char **ret_line, size_t *ret_len);

/* --- requests --- */

struct proto_request {
	const char *method;
	json_t *params; /* an object, or NULL when none were given; borrowed from root */
	json_t *id;	/* string, integer or null; NULL: a notification, which gets no reply */
	json_t *root;	/* owns all of the above */
};
/*
 * Parses one line. 0, or an enum proto_error with a static text in *ret_why; then only id and root
 * are set (as far as they could be read) and the reply goes to `id` (or null). Batches are refused.
 * Free with proto_request_free() either way.
 */
int
proto_request_parse(const char *line, size_t len, struct proto_request *ret, const char **ret_why);
void proto_request_free(struct proto_request *req);

/* A request line with its newline; params are stolen, NULL = none. NULL: no memory. free() it. */
char *proto_request_line(unsigned id, const char *method, json_t *params);

/* --- replies; each returns a whole line with its newline, free() it; NULL: no memory --- */

/* id NULL is written as null. The result is stolen. */
char *proto_reply_result(const json_t *id, json_t *result);
/* data (stolen, may be NULL): e.g. {"faults": ["policy.yaml:3:5: ..."]} of a refused reload. */
char *proto_reply_error(const json_t *id, int code, const char *message, json_t *data);

#endif
