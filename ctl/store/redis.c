/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Redis backend's door: opening and closing, the password's file, and how commands are put
 * together. Opening never fails for a server that is away: a writer spools, a reader says so later.
 */
#include "ctl/store/redis_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
redis_close(struct store *store)
{
	struct rds *r = store->impl;

	if (!r)
		return;
	rds_close(r);
	explicit_bzero(&r->url, sizeof(r->url));
	free(r->asked);
	free(r->stand);
	free(r);
}

static const struct store_ops redis_ops = {
	.flush = rds_flush,
	.rows = rds_rows,
	.records = rds_records,
	.days = rds_days,
	.close = redis_close,
};

static int
bad_file(struct sig_diag *diag, const char *path, int err, const char *what)
{
	sig_diag_add(diag, SIG_ERROR, path, 0, 0, "%s", what);
	return err;
}

/* "user:password" or "password", one line, for the owner's eyes only. */
static int
read_password(const char *path, struct rds_url *u, struct sig_diag *diag)
{
	char text[sizeof(u->user) + sizeof(u->password)], *colon;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t user, password;
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return bad_file(diag, path, -errno, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (st.st_mode & 077) != 0) {
		(void)close(fd);
		return bad_file(diag, path, -EPERM,
		    "a password file must be a file that others cannot read: chmod 600");
	}
	n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	if (n <= 0)
		return bad_file(diag, path, -EINVAL, "holds no password");
	text[n] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	colon = strchr(text, ':');
	user = colon ? (size_t)(colon - text) : 0;
	password = strlen(colon ? colon + 1 : text);
	if (password == 0 || password >= sizeof(u->password) || user >= sizeof(u->user))
		return bad_file(diag, path, -EINVAL, "holds no password, or too long a one");
	memcpy(u->user, text, user);
	u->user[user] = '\0';
	memcpy(u->password, colon ? colon + 1 : text, password + 1);
	explicit_bzero(text, sizeof(text));
	return 0;
}

int
store_redis_open(struct store *store, const struct store_config *config, struct sig_diag *diag)
{
	struct rds *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return -ENOMEM;
	r->store = store;
	store->impl = r;
	store->ops = &redis_ops;
	r->jitter = (unsigned)(store_wall_us() ^ ((uint64_t)getpid() << 7));
	rc = rds_url_parse(config->url, &r->url, diag);
	if (rc == 0 && config->password_file && *config->password_file)
		rc = read_password(config->password_file, &r->url, diag);
	if (rc == 0 && r->url.tls)
		rc = rds_tls_init(r, diag);
	if (rc == 0 && store->mode == STORE_WRITE && store->sensor[0] == '\0') {
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0,
		    "a store that sensors share needs this sensor's name");
		rc = -EINVAL;
	}
	return rc;
}

void
rds_arg_bytes(struct rds_args *a, const void *bytes, size_t len)
{
	if (a->n < RDS_ARGS_MAX) {
		a->v[a->n] = bytes;
		a->len[a->n++] = len;
	}
}

void
rds_arg(struct rds_args *a, const char *text)
{
	rds_arg_bytes(a, text ? text : "", text ? strlen(text) : 0);
}

void
rds_words(struct rds_args *a, const char *const *words, int n)
{
	for (int i = 0; i < n; i++)
		rds_arg(a, words[i]);
}

/* A reader's commands are kept until they are answered: MOVED sends them to another node. */
static void
keep(struct rds *r, const char *text, size_t len)
{
	if (r->asked_len + len > r->asked_cap) {
		size_t cap = (r->asked_len + len) * 2;
		char *more = realloc(r->asked, cap);

		if (!more)
			return;
		r->asked = more;
		r->asked_cap = cap;
	}
	memcpy(r->asked + r->asked_len, text, len);
	r->asked_len += len;
}

void
rds_append(struct rds *r, const struct rds_args *a)
{
	char *text = NULL;
	long long len = redisFormatCommandArgv(&text, a->n, (const char **)(uintptr_t)a->v, a->len);

	if (len > 0) {
		(void)redisAppendFormattedCommand(r->c, text, (size_t)len);
		if (r->state == RDS_READY && r->store->mode == STORE_READ)
			keep(r, text, (size_t)len);
		redisFreeCommand(text);
	}
	r->awaiting++;
}

void
rds_key(const struct rds *r, const char *sensor, char out[static RDS_KEY_MAX], const char *fmt, ...)
{
	int n = snprintf(out, RDS_KEY_MAX, "%s{%s}:", r->url.prefix, sensor);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(out + n, RDS_KEY_MAX - (size_t)n, fmt, ap);
	va_end(ap);
}
