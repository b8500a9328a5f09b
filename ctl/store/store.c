/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's front door: finds the backend that a URL means, keeps the spool and the counts that
 * are the same for both. `records = stored + queued + lost` holds after every call.
 */
#include "ctl/store/store_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "signatures/base/text.h"

void
store_url_shown(const char *url, char out[static STORE_URL_MAX])
{
	const char *slashes = strstr(url, "://"), *at = NULL;

	if (slashes)
		at = memrchr(slashes, '@', strcspn(slashes, "?"));
	if (at)
		(void)snprintf(out, STORE_URL_MAX, "%.*s://%s", (int)(slashes - url), url, at + 1);
	else
		(void)snprintf(out, STORE_URL_MAX, "%s", url);
}

static int
open_url(struct store *store, const struct store_config *config, struct sig_diag *diag)
{
	const char *url = config->url;
	char shown[STORE_URL_MAX];

	if (strncmp(url, "redis:", 6) == 0 || strncmp(url, "rediss:", 7) == 0 ||
	    strncmp(url, "redis+sentinel:", 15) == 0 || strncmp(url, "unix:", 5) == 0)
		return store_redis_open(store, config, diag);
	if (strncmp(url, "sqlite:", 7) == 0)
		return store_sqlite_open(store, url + 7, diag);
	if (strstr(url, "://")) {
		store_url_shown(url, shown);
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0,
		    "store '%s': not known: use a file's path, sqlite:PATH, redis://HOST, "
		    "redis+sentinel://HOST/MASTER or unix:PATH",
		    shown);
		return -EINVAL;
	}
	return store_sqlite_open(store, url, diag);
}

/* The sensor's name is part of keys and of what people read: plain, and free of the tag's braces.
 */
static bool
sensor_is_plain(const char *sensor)
{
	size_t n = strlen(sensor);

	return n < STORE_SENSOR_MAX &&
	       strspn(sensor,
		   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

int
store_open(const struct store_config *config, struct store **ret_store, struct sig_diag *diag)
{
	struct store *store;
	int rc;

	if (!config->url || *config->url == '\0') {
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0, "no store given: name a file or a URL");
		return -EINVAL;
	}
	if (config->sensor && strcmp(config->sensor, "*") != 0 &&
	    !sensor_is_plain(config->sensor)) {
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0,
		    "sensor '%s': a name is at most %d letters, digits, dots, dashes, underscores",
		    config->sensor, STORE_SENSOR_MAX - 1);
		return -EINVAL;
	}
	store = calloc(1, sizeof(*store));
	if (!store)
		return -ENOMEM;
	store->mode = config->mode;
	store->alone = config->alone;
	store->timeout_ms = config->timeout_ms ? config->timeout_ms : 1000;
	store->max_events = config->max_events ? config->max_events : 1000000;
	if (config->sensor)
		memcpy(store->sensor, config->sensor, strlen(config->sensor) + 1);
	rc = spool_init(&store->spool, config->spool_events ? config->spool_events : 65536);
	if (rc == 0)
		rc = open_url(store, config, diag);
	if (rc < 0) {
		store_close(store);
		return rc;
	}
	*ret_store = store;
	return 0;
}

void
store_close(struct store *store)
{
	if (!store)
		return;
	if (store->ops)
		store->ops->close(store);
	spool_free(&store->spool);
	free(store);
}

int
store_put_record(struct store *store, const struct clf_event *record)
{
	int rc;

	if (store->mode != STORE_WRITE)
		return -EBADF;
	store->stats.records++;
	rc = spool_put_record(&store->spool, record);
	if (rc < 0) {
		store->stats.lost_spool_full++;
		return rc;
	}
	store->stats.lost_spool_full += (uint64_t)rc;
	return 0;
}

int
store_put_row(struct store *store, const struct store_row *row)
{
	int rc = store->mode == STORE_WRITE ? spool_put_row(&store->spool, row) : -EBADF;

	if (rc < 0)
		store->stats.errors++;
	return rc;
}

int
store_flush(struct store *store, unsigned budget_ms)
{
	return store->mode == STORE_WRITE ? store->ops->flush(store, budget_ms) : -EBADF;
}

void
store_stats(const struct store *store, struct store_stats *ret)
{
	*ret = store->stats;
	ret->queued = store->spool.n_records;
	ret->rows_pending = store->spool.row_map.n;
}

int
store_rows(struct store *store, const struct store_filter *filter, store_row_fn *fn, void *ctx)
{
	return store->ops->rows(store, filter, fn, ctx);
}

int
store_records(struct store *store, const struct store_filter *filter, char after[64],
    store_record_fn *fn, void *ctx)
{
	return store->ops->records(store, filter, after, fn, ctx);
}

int
store_days(struct store *store, const struct store_filter *filter, store_day_fn *fn, void *ctx)
{
	return store->ops->days(store, filter, fn, ctx);
}

const char *
store_error(const struct store *store)
{
	return store->stats.last_error;
}

void
store_failed(struct store *store, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	store->stats.errors++;
	(void)sig_text_escape(store->stats.last_error, sizeof(store->stats.last_error),
	    (const uint8_t *)text, strlen(text));
}

uint64_t
store_now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t
store_wall_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}
