/* SPDX-License-Identifier: Apache-2.0 */
/* What a Redis URL says; ctl/store/README.md lists the forms. */
#include "ctl/store/redis_impl.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int
wrong(struct sig_diag *diag, const char *what)
{
	/* the URL itself may hold a password: it is not repeated */
	sig_diag_add(diag, SIG_ERROR, NULL, 0, 0, "store URL: %s", what);
	return -EINVAL;
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decodes len bytes; false when they do not fit or an escape is broken or NUL. */
static bool
decode(const char *in, size_t len, char *out, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = in[i];

		if (c == '%') {
			int hi = i + 2 < len ? hex(in[i + 1]) : -1;
			int lo = hi >= 0 ? hex(in[i + 2]) : -1;

			if (lo < 0 || (hi == 0 && lo == 0))
				return false;
			c = (char)(hi * 16 + lo);
			i += 2;
		}
		if (n + 1 >= cap)
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	return true;
}

static bool
parse_user(struct rds_url *u, const char *at, size_t len)
{
	const char *colon = memchr(at, ':', len);

	if (!colon)
		return decode(at, len, u->password, sizeof(u->password));
	return decode(at, (size_t)(colon - at), u->user, sizeof(u->user)) &&
	       decode(colon + 1, len - (size_t)(colon - at) - 1, u->password, sizeof(u->password));
}

static bool
parse_target(struct rds_target *t, const char *at, size_t len, uint16_t port)
{
	const char *end = at + len, *colon;
	uint64_t n;

	t->port = port;
	if (len > 0 && *at == '[') {
		const char *close = memchr(at, ']', len);

		if (!close)
			return false;
		if (!decode(at + 1, (size_t)(close - at) - 1, t->host, sizeof(t->host)))
			return false;
		colon = close + 1 < end && close[1] == ':' ? close + 1 : NULL;
		if (!colon && close + 1 != end)
			return false;
	} else {
		colon = memchr(at, ':', len);
		if (!decode(at, colon ? (size_t)(colon - at) : len, t->host, sizeof(t->host)))
			return false;
	}
	if (colon) {
		if (!rds_u64(colon + 1, (size_t)(end - colon) - 1, &n) || n == 0 || n > 65535)
			return false;
		t->port = (uint16_t)n;
	}
	return t->host[0] != '\0';
}

/* "db=1&prefix=x:" */
static int
parse_query(struct rds_url *u, const char *q, struct sig_diag *diag)
{
	while (*q) {
		size_t len = strcspn(q, "&");
		uint64_t n;

		if (strncmp(q, "prefix=", 7) == 0) {
			if (!decode(q + 7, len - 7, u->prefix, sizeof(u->prefix)) ||
			    strpbrk(u->prefix, "{}"))
				return wrong(
				    diag, "the prefix is longer than 63 bytes or has braces");
		} else if (strncmp(q, "db=", 3) == 0) {
			if (!rds_u64(q + 3, len - 3, &n) || n > 1000000)
				return wrong(diag, "db is not a number");
			u->db = (unsigned)n;
		} else if (u->tls && strncmp(q, "ca=", 3) == 0) {
			if (!decode(q + 3, len - 3, u->ca, sizeof(u->ca)))
				return wrong(diag, "ca is not a path");
		} else {
			return wrong(
			    diag, "after '?' only prefix= and db= are known, and ca= with rediss");
		}
		q += len + (q[len] == '&');
	}
	return 0;
}

static int
parse_unix(struct rds_url *u, const char *rest, size_t len, struct sig_diag *diag)
{
	if (len >= 2 && rest[0] == '/' && rest[1] == '/') {
		const char *at = memchr(rest + 2, '@', len - 2);

		rest += 2;
		len -= 2;
		if (at) {
			if (!parse_user(u, rest, (size_t)(at - rest)))
				return wrong(diag, "user or password cannot be read");
			len -= (size_t)(at - rest) + 1;
			rest = at + 1;
		}
	}
	if (len == 0 || !decode(rest, len, u->path, sizeof(u->path)))
		return wrong(diag, "a unix socket's path has 1 to 107 bytes");
	return 0;
}

/* "/db" or, with sentinels, "/MASTER[/db]" */
static int
parse_path(struct rds_url *u, const char *path, size_t len, struct sig_diag *diag)
{
	uint64_t n;

	if (u->sentinel) {
		const char *slash = len > 1 ? memchr(path + 1, '/', len - 1) : NULL;
		size_t name = slash ? (size_t)(slash - path) - 1 : len > 0 ? len - 1 : 0;

		if (name == 0 || !decode(path + 1, name, u->master, sizeof(u->master)))
			return wrong(diag, "name the master: redis+sentinel://HOST/MASTER");
		path += name + 1;
		len -= name + 1;
	}
	if (len <= 1)
		return 0;
	if (!rds_u64(path + 1, len - 1, &n) || n > 1000000)
		return wrong(diag, "the database after '/' is not a number");
	u->db = (unsigned)n;
	return 0;
}

static int
parse_hosts(struct rds_url *u, const char *at, size_t len, struct sig_diag *diag)
{
	uint16_t port = u->sentinel ? 26379 : 6379;
	const char *end = at + len;

	for (;;) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		size_t n = comma ? (size_t)(comma - at) : (size_t)(end - at);

		if (u->n_at == RDS_TARGETS_MAX)
			return wrong(diag, "too many hosts");
		if (!parse_target(&u->at[u->n_at++], at, n, port))
			return wrong(diag, "no host, or a port that is not one");
		if (!comma)
			return 0;
		at = comma + 1;
	}
}

int
rds_url_parse(const char *url, struct rds_url *ret, struct sig_diag *diag)
{
	struct rds_url u = { .prefix = "phonehome:" };
	const char *rest = strchr(url, ':') + 1, *query = strchr(rest, '?'), *at, *slash;
	size_t len = query ? (size_t)(query - rest) : strlen(rest);
	int rc = 0;

	u.tls = strncmp(url, "rediss:", 7) == 0;
	u.sentinel = strncmp(url, "redis+sentinel:", 15) == 0;
	if (query)
		rc = parse_query(&u, query + 1, diag);
	if (rc == 0 && strncmp(url, "unix:", 5) == 0) {
		rc = parse_unix(&u, rest, len, diag);
	} else if (rc == 0) {
		if (len < 2 || rest[0] != '/' || rest[1] != '/')
			return wrong(diag, "write redis://HOST");
		rest += 2;
		len -= 2;
		at = memrchr(rest, '@', len);
		if (at) {
			if (!parse_user(&u, rest, (size_t)(at - rest)))
				return wrong(diag, "user or password cannot be read");
			len -= (size_t)(at - rest) + 1;
			rest = at + 1;
		}
		slash = memchr(rest, '/', len);
		rc = parse_hosts(&u, rest, slash ? (size_t)(slash - rest) : len, diag);
		if (rc == 0)
			rc = parse_path(&u, slash ? slash : rest + len,
			    slash ? len - (size_t)(slash - rest) : 0, diag);
	}
	if (rc == 0)
		*ret = u;
	return rc;
}
