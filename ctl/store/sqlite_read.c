/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command's side of SQLite. Rows stream: nothing is gathered in memory, and texts are handed
 * on as SQLite holds them unless they need cleaning.
 */
#include "ctl/store/sqlite_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A WHERE clause being put together, and the texts and numbers for its '?'s. */
struct where {
	char sql[2048];
	size_t n;
	const char *text[16];
	sqlite3_int64 number[16];
	unsigned n_args;
};

static void
where_add(struct where *w, const char *clause, const char *text, sqlite3_int64 number)
{
	w->n += (size_t)snprintf(w->sql + w->n, sizeof(w->sql) - w->n, " AND ");
	for (; *clause; clause++) { /* '?' is this clause's one argument, however often */
		if (*clause == '?')
			w->n += (size_t)snprintf(
			    w->sql + w->n, sizeof(w->sql) - w->n, "?%u", w->n_args + 1);
		else
			w->sql[w->n++] = *clause;
	}
	w->sql[w->n] = '\0';
	w->text[w->n_args] = text;
	w->number[w->n_args++] = number;
}

static void
where_begin(struct where *w, const char *select)
{
	w->n_args = 0;
	w->n = (size_t)snprintf(w->sql, sizeof(w->sql), "%s", select);
}

static int
where_ready(struct store *store, struct where *w, const char *order, sqlite3_stmt **ret)
{
	struct lite *l = store->impl;
	sqlite3_stmt *s = NULL;

	(void)snprintf(w->sql + w->n, sizeof(w->sql) - w->n, " %s", order);
	if (sqlite3_prepare_v2(l->db, w->sql, -1, &s, NULL) != SQLITE_OK)
		return lite_error(store, l, "cannot read");
	for (unsigned i = 0; i < w->n_args; i++) {
		if (w->text[i])
			lite_text(s, (int)i + 1, w->text[i]);
		else
			(void)sqlite3_bind_int64(s, (int)i + 1, w->number[i]);
	}
	*ret = s;
	return 0;
}

/* The parts of a filter that rows and days share; `host` only where it is one address. */
static int
common_filter(
    struct store *store, const struct store_filter *f, struct where *w, struct store_net *ret_net)
{
	const char *sensor = store_filter_sensor(store, f);

	*ret_net = (struct store_net){ 0 };
	if (f->host && store_net_parse(f->host, ret_net) < 0) {
		store_failed(store, "'%s' is neither an address nor a network", f->host);
		return -EINVAL;
	}
	if (sensor)
		where_add(w, "r.sensor = ?", sensor, 0);
	if (f->vendor)
		where_add(w, "(r.vendor_id = ? COLLATE NOCASE OR r.vendor = ? COLLATE NOCASE)",
		    f->vendor, 0);
	if (f->product)
		where_add(w, "(r.product_id = ? COLLATE NOCASE OR r.product = ? COLLATE NOCASE)",
		    f->product, 0);
	if (f->country)
		where_add(w, "r.country = ? COLLATE NOCASE", f->country, 0);
	if (f->category)
		where_add(w, "r.category = ? COLLATE NOCASE", f->category, 0);
	if (f->function)
		where_add(w, "r.function = ?", NULL, f->function);
	if (f->min_confidence)
		where_add(w, "r.confidence >= ?", NULL, f->min_confidence);
	if (!f->forwarders)
		where_add(w, "r.forwarder = ?", NULL, 0);
	return 0;
}

/* A text as it may be shown; `own` keeps what had to be made for it. */
static char *
shown(char *text, char **own)
{
	*own = NULL;
	for (const char *p = text; p && *p; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f) {
			*own = store_text_clean(text, strlen(text), 4096);
			return *own;
		}
	return text;
}

static char *
column(sqlite3_stmt *s, int i, char **own)
{
	return shown((char *)(uintptr_t)sqlite3_column_text(s, i), own);
}

enum { TEXTS = 11, NUMBERS = 9, NAMES_BYTES = STORE_ROW_NAMES_MAX * 1100 };

/* Names are stored as one text, a line each. */
static void
take_names(const char *joined, char buf[static NAMES_BYTES], struct store_row *row, char **own)
{
	size_t len = joined ? strlen(joined) : 0;

	if (len == 0 || len >= NAMES_BYTES)
		return;
	memcpy(buf, joined, len + 1);
	for (char *p = buf; p && row->n_names < STORE_ROW_NAMES_MAX;) {
		char *end = strchr(p, '\n'), *name;

		if (end)
			*end++ = '\0';
		name = *p ? shown(p, &own[row->n_names]) : NULL;
		if (name)
			row->names[row->n_names++] = name;
		p = end;
	}
}

static bool
give_row(
    sqlite3_stmt *s, const struct store_net *net, store_row_fn *fn, void *ctx, uint64_t *n_given)
{
	struct store_row row = { 0 };
	char *own[TEXTS + STORE_ROW_NAMES_MAX] = { NULL };
	char **const texts[TEXTS] = { &row.sensor, &row.host, &row.vendor, &row.vendor_id,
		&row.owner, &row.country, &row.owner_country, &row.product, &row.product_id,
		&row.category, &row.signature };
	char names[NAMES_BYTES];
	bool more = true;

	for (int i = 0; i < TEXTS; i++)
		*texts[i] = column(s, i, &own[i]);
	row.function = (uint8_t)sqlite3_column_int(s, TEXTS);
	row.confidence = (uint8_t)sqlite3_column_int(s, TEXTS + 1);
	row.forwarder = (sqlite3_column_int(s, TEXTS + 2) & 1) != 0;
	row.dns_only = (sqlite3_column_int(s, TEXTS + 2) & 2) != 0;
	row.first_seen_us = (uint64_t)sqlite3_column_int64(s, TEXTS + 3);
	row.last_seen_us = (uint64_t)sqlite3_column_int64(s, TEXTS + 4);
	row.flows = (uint64_t)sqlite3_column_int64(s, TEXTS + 5);
	row.bytes_up = (uint64_t)sqlite3_column_int64(s, TEXTS + 6);
	row.bytes_down = (uint64_t)sqlite3_column_int64(s, TEXTS + 7);
	row.dropped = (uint64_t)sqlite3_column_int64(s, TEXTS + 8);
	take_names((const char *)sqlite3_column_text(s, TEXTS + NUMBERS), names, &row, own + TEXTS);
	if (row.host && row.vendor_id && row.product_id && row.function < SIG_FN_MAX &&
	    row.confidence < SIG_CONF_MAX && store_net_has_text(net, row.host)) {
		(*n_given)++;
		more = fn(ctx, &row);
	}
	for (int i = 0; i < TEXTS + STORE_ROW_NAMES_MAX; i++)
		free(own[i]);
	return more;
}

int
lite_rows(struct store *store, const struct store_filter *f, store_row_fn *fn, void *ctx)
{
	struct store_net net;
	struct where w;
	sqlite3_stmt *s = NULL;
	char host[48], select[512];
	uint64_t n = 0;
	int rc, step = SQLITE_DONE;

	(void)snprintf(select, sizeof(select),
	    "SELECT r.sensor, r.host, r.vendor, r.vendor_id, %s, r.country, %s, r.product,"
	    " r.product_id, %s, %s, r.function, r.confidence, r.forwarder + 2 * r.dns_only,"
	    " r.first_us, r.last_us, r.flows, r.bytes_up, r.bytes_down, r.dropped, %s"
	    " FROM rows r WHERE r.flows > 0",
	    f->skip_details ? "NULL" : "r.owner", f->skip_details ? "NULL" : "r.owner_country",
	    f->skip_details ? "NULL" : "r.category", f->skip_names ? "NULL" : "r.signature",
	    f->skip_names ? "NULL" : "r.names");
	where_begin(&w, select);
	rc = common_filter(store, f, &w, &net);
	if (rc < 0)
		return rc;
	if (store_net_host(&net, host))
		where_add(&w, "r.host = ?", host, 0);
	if (f->since_us)
		where_add(&w, "r.last_us >= ?", NULL, (sqlite3_int64)f->since_us);
	if (f->until_us)
		where_add(&w, "r.first_us <= ?", NULL, (sqlite3_int64)f->until_us);
	rc = where_ready(store, &w, "", &s);
	if (rc < 0)
		return rc;
	while ((f->limit == 0 || n < f->limit) && (step = sqlite3_step(s)) == SQLITE_ROW)
		if (!give_row(s, &net, fn, ctx, &n))
			break;
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		rc = lite_error(store, store->impl, "cannot read");
	(void)sqlite3_finalize(s);
	return rc;
}

/* False: stop. Bodies of another layout, or that make no sense, are passed over. */
static bool
give_record(sqlite3_stmt *s, const struct store_filter *f, const struct store_net *net,
    store_record_fn *fn, void *ctx, uint64_t *n_given)
{
	struct clf_event e;
	int len = sqlite3_column_bytes(s, 4);
	const void *body = sqlite3_column_blob(s, 4);
	char *own, *sensor = column(s, 1, &own);
	bool more = true;

	if (!body && sqlite3_column_int64(s, 3) > 0) {
		if (f->on_gap)
			f->on_gap(ctx, sensor, (uint64_t)sqlite3_column_int64(s, 5),
			    (uint64_t)sqlite3_column_int64(s, 3));
	} else if (body && sqlite3_column_int64(s, 2) == STORE_LAYOUT && len > 0 &&
		   (size_t)len <= sizeof(e)) {
		memcpy(&e, body, (size_t)len); /* also aligns it */
		if (clf_event_valid(&e, (size_t)len) && store_filter_event(f, net, &e)) {
			(*n_given)++;
			more = fn(ctx, &e, sensor ? sensor : "");
		}
	}
	free(own);
	return more;
}

int
lite_records(struct store *store, const struct store_filter *f, char after[64], store_record_fn *fn,
    void *ctx)
{
	const char *sensor = store_filter_sensor(store, f);
	struct store_net net = { 0 };
	long long seq = 0;
	struct where w;
	sqlite3_stmt *s = NULL;
	uint64_t n = 0;
	int rc, step = SQLITE_DONE;

	if (f->host && store_net_parse(f->host, &net) < 0) {
		store_failed(store, "'%s' is neither an address nor a network", f->host);
		return -EINVAL;
	}
	if (after[0] != '\0' && sscanf(after, "%lld", &seq) != 1)
		return -EINVAL;
	where_begin(&w, "SELECT seq, sensor, layout, lost, body, last_us FROM events WHERE 1");
	where_add(&w, "seq > ?", NULL, seq);
	if (sensor)
		where_add(&w, "sensor = ?", sensor, 0);
	if (f->since_us)
		where_add(&w, "last_us >= ?", NULL, (sqlite3_int64)f->since_us);
	if (f->until_us)
		where_add(&w, "first_us <= ?", NULL, (sqlite3_int64)f->until_us);
	rc = where_ready(store, &w, "ORDER BY seq", &s);
	if (rc < 0)
		return rc;
	while ((f->limit == 0 || n < f->limit) && (step = sqlite3_step(s)) == SQLITE_ROW) {
		bool more = give_record(s, f, &net, fn, ctx, &n);

		(void)snprintf(after, 64, "%lld", (long long)sqlite3_column_int64(s, 0));
		if (!more)
			break;
	}
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		rc = lite_error(store, store->impl, "cannot read");
	(void)sqlite3_finalize(s);
	return rc;
}

static bool
give_day(sqlite3_stmt *s, const struct store_net *net, store_day_fn *fn, void *ctx)
{
	struct store_day day = { .function = (uint8_t)sqlite3_column_int(s, 5) };
	const char **const texts[] = { &day.sensor, &day.vendor_id, &day.product_id, &day.host };
	char *own[7], text[11];
	bool more = true;

	store_day_text((uint64_t)sqlite3_column_int64(s, 0), text);
	day.day = text;
	for (int i = 0; i < 4; i++)
		*texts[i] = column(s, 1 + i, &own[i]);
	day.product = column(s, 6, &own[4]);
	day.vendor = column(s, 7, &own[5]);
	day.country = column(s, 8, &own[6]);
	if (day.function < SIG_FN_MAX && day.host && store_net_has_text(net, day.host))
		more = fn(ctx, &day);
	for (int i = 0; i < 7; i++)
		free(own[i]);
	return more;
}

int
lite_days(struct store *store, const struct store_filter *f, store_day_fn *fn, void *ctx)
{
	struct store_net net;
	struct where w;
	sqlite3_stmt *s = NULL;
	uint64_t n = 0;
	int rc, step = SQLITE_DONE;

	where_begin(&w,
	    "SELECT d.day, d.sensor, d.vendor_id, d.product_id, d.host, d.function, r.product,"
	    " r.vendor, r.country"
	    " FROM days d JOIN rows r ON r.host = d.host AND r.vendor_id = d.vendor_id"
	    " AND r.product_id = d.product_id AND r.function = d.function AND r.sensor = d.sensor"
	    " WHERE r.flows > 0");
	rc = common_filter(store, f, &w, &net);
	if (rc < 0)
		return rc;
	if (f->since_us)
		where_add(&w, "d.day >= ?", NULL, (sqlite3_int64)(f->since_us / STORE_DAY_US));
	if (f->until_us)
		where_add(&w, "d.day <= ?", NULL, (sqlite3_int64)(f->until_us / STORE_DAY_US));
	rc = where_ready(store, &w, "ORDER BY d.day", &s);
	if (rc < 0)
		return rc;
	while ((f->limit == 0 || n++ < f->limit) && (step = sqlite3_step(s)) == SQLITE_ROW)
		if (!give_day(s, &net, fn, ctx))
			break;
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		rc = lite_error(store, store->impl, "cannot read");
	(void)sqlite3_finalize(s);
	return rc;
}
