/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder's side of SQLite: one transaction a flush, all of it or nothing. What could not be
 * committed stays in the spool, so a full disk or a locked file costs nothing but time.
 */
#include "ctl/store/sqlite_impl.h"

#include <errno.h>
#include <string.h>

enum { BATCH = 512 };

static int
run(sqlite3_stmt *s)
{
	int rc = sqlite3_step(s);

	(void)sqlite3_reset(s);
	return rc;
}

static void
join_names(const struct store_row *row, char *out, size_t cap)
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < row->n_names; i++) {
		size_t len = strlen(row->names[i]);

		if (n + len + 2 > cap)
			return;
		if (n != 0)
			out[n++] = '\n';
		memcpy(out + n, row->names[i], len + 1);
		n += len;
	}
}

static int
put_day(struct store *store, struct lite *l, uint64_t day, const struct store_row *row)
{
	sqlite3_stmt *s = l->stmt[LITE_DAY];

	(void)sqlite3_bind_int64(s, 1, (sqlite3_int64)day);
	lite_text(s, 2, store->sensor);
	lite_text(s, 3, row->vendor_id);
	lite_text(s, 4, row->product_id);
	(void)sqlite3_bind_int(s, 5, row->function);
	lite_text(s, 6, row->host);
	return run(s);
}

/* A row without flows was another product's: nothing of it was ever seen. */
static int
remove_days(struct store *store, struct lite *l, const struct store_row *row)
{
	sqlite3_stmt *s = l->stmt[LITE_UNDAY];

	lite_text(s, 1, store->sensor);
	lite_text(s, 2, row->vendor_id);
	lite_text(s, 3, row->product_id);
	(void)sqlite3_bind_int(s, 4, row->function);
	lite_text(s, 5, row->host);
	return run(s);
}

static int
put_row(struct store *store, struct lite *l, const struct store_row *row)
{
	const char *const texts[] = { row->vendor, row->owner, row->country, row->owner_country,
		row->product, row->category, row->signature };
	sqlite3_stmt *s = l->stmt[LITE_ROW];
	char names[STORE_ROW_NAMES_MAX * 1100];
	int rc;

	join_names(row, names, sizeof(names));
	lite_text(s, 1, store->sensor);
	lite_text(s, 2, row->host);
	lite_text(s, 3, row->vendor_id);
	lite_text(s, 4, row->product_id);
	(void)sqlite3_bind_int(s, 5, row->function);
	for (int i = 0; i < 7; i++)
		lite_text(s, 6 + i, texts[i]);
	lite_text(s, 13, names);
	(void)sqlite3_bind_int(s, 14, row->confidence);
	(void)sqlite3_bind_int(s, 15, row->forwarder);
	(void)sqlite3_bind_int(s, 16, row->dns_only);
	(void)sqlite3_bind_int64(s, 17, (sqlite3_int64)row->first_seen_us);
	(void)sqlite3_bind_int64(s, 18, (sqlite3_int64)row->last_seen_us);
	(void)sqlite3_bind_int64(s, 19, (sqlite3_int64)row->flows);
	(void)sqlite3_bind_int64(s, 20, (sqlite3_int64)row->bytes_up);
	(void)sqlite3_bind_int64(s, 21, (sqlite3_int64)row->bytes_down);
	(void)sqlite3_bind_int64(s, 22, (sqlite3_int64)row->dropped);
	rc = run(s);
	(void)sqlite3_clear_bindings(s);
	if (rc != SQLITE_DONE)
		return rc;
	if (row->flows == 0)
		return remove_days(store, l, row);
	return put_day(store, l, row->last_seen_us / STORE_DAY_US, row);
}

static int
put_gap(struct store *store, struct lite *l, uint64_t at_us, uint64_t lost)
{
	sqlite3_stmt *s = l->stmt[LITE_GAP];

	lite_text(s, 1, store->sensor);
	(void)sqlite3_bind_int64(s, 2, (sqlite3_int64)at_us);
	(void)sqlite3_bind_int64(s, 3, (sqlite3_int64)lost);
	return run(s);
}

/* The days between a record's first and last packet: a row knows its first and last day alone. */
static int
put_record_days(struct store *store, struct lite *l, const struct clf_event *e)
{
	char host[48], vendor[129], product[129];
	struct store_row row = {
		.host = host, .vendor_id = vendor, .product_id = product, .function = e->function
	};
	uint64_t first = e->first_us / STORE_DAY_US, last = e->last_us / STORE_DAY_US;
	int rc = SQLITE_DONE;

	if (!store_event_ids(e, vendor, product) || last < first)
		return rc;
	if (last - first > STORE_DAYS_KEPT)
		first = last - STORE_DAYS_KEPT;
	store_event_host(e, host);
	for (uint64_t day = first; rc == SQLITE_DONE && day <= last; day++)
		rc = put_day(store, l, day, &row);
	return rc;
}

static int
put_record(struct store *store, struct lite *l, const struct clf_event *e)
{
	sqlite3_stmt *s = l->stmt[LITE_EVENT];
	int rc;

	lite_text(s, 1, store->sensor);
	(void)sqlite3_bind_int64(s, 2, (sqlite3_int64)e->first_us);
	(void)sqlite3_bind_int64(s, 3, (sqlite3_int64)e->last_us);
	(void)sqlite3_bind_int64(s, 4, STORE_LAYOUT);
	(void)sqlite3_bind_blob(s, 5, e, (int)e->size, SQLITE_STATIC);
	rc = run(s);
	return rc == SQLITE_DONE ? put_record_days(store, l, e) : rc;
}

static int
trim(struct store *store, struct lite *l)
{
	sqlite3_stmt *s = l->stmt[LITE_TRIM];
	uint64_t today = store_wall_us() / STORE_DAY_US;
	int rc;

	(void)sqlite3_bind_int64(s, 1, (sqlite3_int64)store->max_events);
	rc = run(s);
	if (rc != SQLITE_DONE || today <= l->days_trimmed)
		return rc;
	(void)sqlite3_prepare_v2(
	    l->db, "DELETE FROM days WHERE day < ?1 AND sensor = ?2", -1, &s, NULL);
	(void)sqlite3_bind_int64(s, 1, (sqlite3_int64)today - STORE_DAYS_KEPT);
	lite_text(s, 2, store->sensor);
	rc = sqlite3_step(s);
	(void)sqlite3_finalize(s);
	l->days_trimmed = today;
	return rc;
}

/* Writes from the spool's front until the budget is spent; how much goes to n_rows, n_records. */
static int
write_out(
    struct store *store, struct lite *l, uint64_t until_ms, uint32_t *n_rows, uint32_t *n_records)
{
	struct spool *sp = &store->spool;
	uint32_t n = 0;
	int rc = SQLITE_DONE;

	if (sp->lost_since != 0)
		rc = put_gap(store, l, sp->lost_at_us, sp->lost_since);
	for (struct spool_row *r = sp->rows; r && rc == SQLITE_DONE; r = r->next, (*n_rows)++) {
		if (n++ % BATCH == BATCH - 1 && store_now_ms() >= until_ms)
			return rc;
		rc = put_row(store, l, &r->row);
	}
	for (struct spool_record *r = sp->first; r && rc == SQLITE_DONE;
	     r = r->next, (*n_records)++) {
		if (n++ % BATCH == BATCH - 1 && store_now_ms() >= until_ms)
			break;
		rc = put_record(store, l, &r->event);
	}
	return rc == SQLITE_DONE && *n_records != 0 ? trim(store, l) : rc;
}

static bool
begun(const struct lite *l)
{
	return !sqlite3_get_autocommit(l->db);
}

int
lite_begin(struct store *store)
{
	struct lite *l = store->impl;

	(void)sqlite3_busy_timeout(l->db, (int)store->timeout_ms);
	if (begun(l) || sqlite3_exec(l->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	return lite_error(store, l, "cannot begin to write");
}

int
lite_flush(struct store *store, unsigned budget_ms)
{
	struct lite *l = store->impl;
	struct spool *sp = &store->spool;
	uint64_t until_ms = store_now_ms() + budget_ms;
	unsigned wait = budget_ms < store->timeout_ms ? budget_ms : store->timeout_ms;
	uint32_t n_rows = 0, n_records = 0;
	int rc;

	if (!sp->first && !sp->rows && sp->lost_since == 0) {
		if (begun(l))
			(void)sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
		return 0;
	}
	(void)sqlite3_busy_timeout(l->db, (int)wait);
	if (!begun(l) && sqlite3_exec(l->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return lite_error(store, l, "cannot begin to write");
	rc = write_out(store, l, until_ms, &n_rows, &n_records);
	if (rc == SQLITE_DONE && sqlite3_exec(l->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK) {
		if (!store->stats.up)
			store->stats.reconnects++;
		store->stats.up = true;
		store->stats.stored += n_records;
		store->stats.rows_written += n_rows;
		sp->lost_since = 0;
		spool_drop_rows(sp, n_rows);
		spool_drop_records(sp, n_records);
		return 0;
	}
	rc = lite_error(store, l, "cannot write");
	if (begun(l))
		(void)sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}
