/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SQLite store through the store's header: what was put comes back, filters, bounds, versions,
 * and the ways a file can be wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/store/store.h"
#include "tests/unit/store/events.h"

static char dir[64], path[96];

static int
set_up(void **state)
{
	(void)state;
	(void)strcpy(dir, "/tmp/phonehome-sqlite-XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/store.db", dir);
	return 0;
}

static int
tear_down(void **state)
{
	static const char *const tails[] = { "", "-wal", "-shm", "-lock" };
	char name[112];

	(void)state;
	(void)chmod(dir, 0700);
	for (unsigned i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, tails[i]);
		(void)unlink(name);
	}
	return rmdir(dir);
}

static int
try_open(enum store_mode mode, const char *sensor, uint64_t max_events, struct store **ret,
    char *said, size_t cap)
{
	struct store_config config = { .url = path,
		.sensor = sensor,
		.mode = mode,
		.timeout_ms = 200,
		.max_events = max_events,
		.spool_events = 100 };
	struct sig_diag diag = { 0 };
	int rc = store_open(&config, ret, &diag);

	if (said)
		(void)snprintf(said, cap, "%s", diag.n ? diag.msgs[0].text : "");
	sig_diag_free(&diag);
	return rc;
}

static struct store *
open_store(enum store_mode mode, const char *sensor, uint64_t max_events)
{
	struct store *store = NULL;
	char said[512];

	if (try_open(mode, sensor, max_events, &store, said, sizeof(said)) != 0)
		fail_msg("%s", said);
	return store;
}

static struct store_row
row_of(const char *host, const char *vendor, const char *product, uint64_t flows)
{
	return (struct store_row){ .sensor = (char *)"s1",
		.host = (char *)(uintptr_t)host,
		.vendor = (char *)(uintptr_t)vendor,
		.vendor_id = (char *)(uintptr_t)vendor,
		.owner = (char *)"An Owner, Inc.",
		.country = (char *)"US",
		.product = (char *)(uintptr_t)product,
		.product_id = (char *)(uintptr_t)product,
		.category = (char *)"edr",
		.signature = (char *)"p/s",
		.names = { (char *)"a.example.com", (char *)"b.example.com" },
		.n_names = 2,
		.function = SIG_FN_UPDATE,
		.confidence = SIG_CONF_CERTAIN,
		.first_seen_us = 1796207300000000ULL,
		.last_seen_us = 1796207400000000ULL,
		.flows = flows,
		.bytes_up = 10 * flows,
		.bytes_down = 20 * flows };
}

struct seen {
	unsigned n, gaps;
	uint64_t flows, last_flow_id, lost;
	char text[4096];
};

static bool
on_row(void *ctx, const struct store_row *row)
{
	struct seen *s = ctx;

	s->n++;
	s->flows += row->flows;
	(void)snprintf(s->text + strlen(s->text), sizeof(s->text) - strlen(s->text),
	    "%s %s %s/%s %u %s;", row->sensor, row->host, row->vendor_id, row->product_id,
	    row->n_names, row->n_names ? row->names[row->n_names - 1] : "");
	return true;
}

static bool
on_record(void *ctx, const struct clf_event *e, const char *sensor)
{
	struct seen *s = ctx;

	assert_string_equal(sensor, "s1");
	assert_true(s->n == 0 || e->flow_id > s->last_flow_id);
	s->last_flow_id = e->flow_id;
	s->n++;
	return true;
}

static void
on_gap(void *ctx, const char *sensor, uint64_t at_us, uint64_t lost)
{
	struct seen *s = ctx;

	assert_string_equal(sensor, "s1");
	assert_true(at_us != 0);
	s->gaps++;
	s->lost += lost;
}

static bool
on_day(void *ctx, const struct store_day *day)
{
	struct seen *s = ctx;

	s->n++;
	(void)snprintf(s->text + strlen(s->text), sizeof(s->text) - strlen(s->text), "%s %s %s;",
	    day->day, day->host, day->product);
	return true;
}

static struct seen
rows_with(struct store *store, struct store_filter f)
{
	struct seen s = { 0 };

	assert_int_equal(store_rows(store, &f, on_row, &s), 0);
	return s;
}

static void
put_some_rows(struct store *store)
{
	struct store_row rows[] = { row_of("10.0.0.1", "crowdstrike", "falcon", 3),
		row_of("10.0.0.2", "crowdstrike", "falcon", 4),
		row_of("10.0.0.2", "sophos", "intercept-x", 5),
		row_of("2001:db8::1", "sophos", "intercept-x", 6) };

	rows[2].vendor = (char *)"Sophos Ltd";
	rows[2].country = (char *)"GB";
	rows[2].category = (char *)"av";
	rows[2].function = SIG_FN_TELEMETRY;
	rows[3].forwarder = true;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(store_put_row(store, &rows[i]), 0);
	assert_int_equal(store_flush(store, 60000), 0);
}

static void
test_rows_and_filters(void **state)
{
	static const struct {
		struct store_filter f;
		unsigned n;
	} rows[] = {
		{ { .sensor = NULL }, 3 },
		{ { .forwarders = true }, 4 },
		{ { .sensor = "*" }, 3 },
		{ { .sensor = "s2" }, 0 },
		{ { .vendor = "CrowdStrike" }, 2 },
		{ { .vendor = "sophos ltd" }, 1 },
		{ { .vendor = "crowd" }, 0 },
		{ { .product = "FALCON" }, 2 },
		{ { .country = "gb" }, 1 },
		{ { .category = "av" }, 1 },
		{ { .host = "10.0.0.2" }, 2 },
		{ { .host = "10.0.0.0/31" }, 1 },
		{ { .host = "10.0.0.0/8" }, 3 },
		{ { .host = "2001:db8::/32", .forwarders = true }, 1 },
		{ { .function = SIG_FN_TELEMETRY }, 1 },
		{ { .min_confidence = SIG_CONF_CERTAIN }, 3 },
		{ { .since_us = 1796207400000000ULL }, 3 },
		{ { .since_us = 1796207400000001ULL }, 0 },
		{ { .until_us = 1796207299999999ULL }, 0 },
		{ { .until_us = 1796207300000000ULL }, 3 },
		{ { .limit = 2 }, 2 },
	};
	struct store *store = open_store(STORE_WRITE, "s1", 0), *reader;
	struct store_filter wrong = { .host = "10.0.0" };
	struct seen s = { 0 };

	(void)state;
	put_some_rows(store);
	reader = open_store(STORE_READ, "s1", 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows_with(reader, rows[i].f).n != rows[i].n)
			fail_msg("filter %zu: %u rows", i, rows_with(reader, rows[i].f).n);
	s = rows_with(reader, (struct store_filter){ .host = "10.0.0.1" });
	assert_string_equal(s.text, "s1 10.0.0.1 crowdstrike/falcon 2 b.example.com;");
	assert_int_equal(store_rows(reader, &wrong, on_row, &s), -EINVAL);
	assert_non_null(strstr(store_error(reader), "10.0.0"));
	store_close(reader);
	store_close(store);
}

/* Absolute totals: putting again replaces; a row without flows is gone for readers. */
static void
test_rows_are_totals(void **state)
{
	struct store *store = open_store(STORE_WRITE, "s1", 0);
	struct store_row row = row_of("10.0.0.1", "crowdstrike", "falcon", 3);
	struct store_filter all = { 0 };
	struct seen s = { 0 };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(store_put_row(store, &row), 0);
		assert_int_equal(store_flush(store, 60000), 0);
	}
	assert_int_equal(rows_with(store, all).flows, 3);
	row.flows = 9;
	assert_int_equal(store_put_row(store, &row), 0);
	row.flows = 10;
	assert_int_equal(store_put_row(store, &row), 0);
	assert_int_equal(store_flush(store, 60000), 0);
	assert_int_equal(rows_with(store, all).flows, 10);
	row.flows = 0;
	assert_int_equal(store_put_row(store, &row), 0);
	assert_int_equal(store_flush(store, 60000), 0);
	assert_int_equal(rows_with(store, all).n, 0);
	assert_int_equal(store_days(store, &all, on_day, &s), 0);
	assert_int_equal(s.n, 0);
	store_close(store);
}

static void
put_record(struct store *store, uint64_t id)
{
	struct clf_event e = event_full(CLF_EV_ENDED, id, "acme", "agent");

	assert_int_equal(store_put_record(store, &e), 0);
}

static void
test_records(void **state)
{
	struct store *store = open_store(STORE_WRITE, "s1", 50), *reader;
	struct store_filter f = { .on_gap = on_gap }, other = { .vendor = "else" };
	struct store_stats st;
	struct seen s = { 0 };
	char after[64] = "";

	(void)state;
	for (uint64_t i = 1; i <= 30; i++)
		put_record(store, i);
	store_stats(store, &st);
	assert_int_equal(st.queued, 30);
	assert_int_equal(store_flush(store, 60000), 0);
	reader = open_store(STORE_READ, "s1", 0);
	assert_int_equal(store_records(reader, &f, after, on_record, &s), 0);
	assert_int_equal(s.n, 30);
	for (uint64_t i = 31; i <= 60; i++)
		put_record(store, i);
	assert_int_equal(store_flush(store, 60000), 0);
	assert_int_equal(store_records(reader, &f, after, on_record, &s), 0); /* goes on */
	assert_int_equal(s.n, 60);
	s = (struct seen){ 0 };
	after[0] = '\0';
	assert_int_equal(store_records(reader, &f, after, on_record, &s), 0);
	assert_int_equal(s.n, 50); /* max_events: the oldest went */
	s = (struct seen){ 0 };
	after[0] = '\0';
	assert_int_equal(store_records(reader, &other, after, on_record, &s), 0);
	assert_int_equal(s.n, 0);
	store_close(reader);
	store_stats(store, &st);
	assert_int_equal(st.records, 60);
	assert_int_equal(st.stored, 60);
	assert_int_equal(st.queued, 0);
	store_close(store);
}

/* A spool of 100 that gets 130: 30 lost, counted, and marked as a gap. */
static void
test_spool_and_gap(void **state)
{
	struct store *store = open_store(STORE_WRITE, "s1", 0);
	struct store_filter f = { .on_gap = on_gap };
	struct store_stats st;
	struct seen s = { 0 };
	char after[64] = "";

	(void)state;
	for (uint64_t i = 1; i <= 130; i++)
		put_record(store, i);
	store_stats(store, &st);
	assert_int_equal(st.records, 130);
	assert_int_equal(st.queued, 100);
	assert_int_equal(st.lost_spool_full, 30);
	assert_int_equal(store_flush(store, 60000), 0);
	assert_int_equal(store_records(store, &f, after, on_record, &s), 0);
	assert_int_equal(s.n, 100);
	assert_int_equal(s.last_flow_id, 130);
	assert_int_equal(s.gaps, 1);
	assert_int_equal(s.lost, 30);
	store_close(store);
}

static void
test_days(void **state)
{
	struct store *store = open_store(STORE_WRITE, "s1", 0);
	struct store_row row = row_of("10.1.2.3", "acme", "agent", 1);
	struct clf_event e = event_full(CLF_EV_ENDED, 1, "acme", "agent");
	struct store_filter f = { 0 }, late = { .since_us = 1796169600000000ULL };
	struct seen s = { 0 };

	(void)state;
	row.function = SIG_FN_TELEMETRY;
	row.product = (char *)"Agent";
	e.first_us -= 86400000000ULL; /* a flow over two days: 2026-12-01 and 02 */
	assert_int_equal(store_put_row(store, &row), 0);
	assert_int_equal(store_put_record(store, &e), 0);
	assert_int_equal(store_flush(store, 60000), 0);
	assert_int_equal(store_days(store, &f, on_day, &s), 0);
	assert_string_equal(s.text, "2026-12-01 10.1.2.3 Agent;2026-12-02 10.1.2.3 Agent;");
	s = (struct seen){ 0 };
	assert_int_equal(store_days(store, &late, on_day, &s), 0);
	assert_int_equal(s.n, 1);
	store_close(store);
}

static void
sql(const char *text)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void
test_wrong_files(void **state)
{
	struct store *store = NULL;
	char said[512];
	int fd;

	(void)state;
	assert_int_equal(try_open(STORE_READ, NULL, 0, &store, said, sizeof(said)), -ENOENT);
	assert_non_null(strstr(said, path));
	sql("CREATE TABLE others(x)");
	assert_int_equal(try_open(STORE_WRITE, "s1", 0, &store, said, sizeof(said)), -EINVAL);
	assert_non_null(strstr(said, "another program"));
	assert_int_equal(unlink(path), 0);
	store_close(open_store(STORE_WRITE, "s1", 0));
	sql("PRAGMA user_version=99");
	assert_int_equal(
	    try_open(STORE_WRITE, "s1", 0, &store, said, sizeof(said)), -EPROTONOSUPPORT);
	assert_non_null(strstr(said, "newer phonehome"));
	assert_int_equal(
	    try_open(STORE_READ, "s1", 0, &store, said, sizeof(said)), -EPROTONOSUPPORT);
	assert_int_equal(unlink(path), 0);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "this is not a database, it is a text\n", 37), 37);
	assert_int_equal(close(fd), 0);
	assert_int_not_equal(try_open(STORE_WRITE, "s1", 0, &store, said, sizeof(said)), 0);
	assert_int_not_equal(try_open(STORE_READ, "s1", 0, &store, said, sizeof(said)), 0);
	assert_null(store);
}

/* A reader sees what was committed while the writer is at work, and without any log files. */
static void
test_reader_beside_writer(void **state)
{
	struct store *store = open_store(STORE_WRITE, "s1", 0), *reader;
	struct store_filter all = { .forwarders = true };

	(void)state;
	put_some_rows(store);
	reader = open_store(STORE_READ, NULL, 0);
	assert_int_equal(rows_with(reader, all).n, 4);
	store_close(store);
	assert_int_equal(rows_with(reader, all).n, 4);
	store_close(reader);
	assert_int_equal(chmod(path, 0400), 0);
	assert_int_equal(chmod(dir, 0500), 0);
	reader = open_store(STORE_READ, NULL, 0);
	assert_int_equal(rows_with(reader, all).n, 4);
	store_close(reader);
}

/* Locked by another: the flush gives up within its budget, keeps all, and later stores all. */
static void
test_locked(void **state)
{
	struct store *store = open_store(STORE_WRITE, "s1", 0);
	struct store_stats st;
	sqlite3 *db;

	(void)state;
	put_record(store, 1);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(store_flush(store, 50), -EBUSY);
	store_stats(store, &st);
	assert_false(st.up);
	assert_int_equal(st.queued, 1);
	assert_int_equal(st.stored, 0);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_int_equal(store_flush(store, 60000), 0);
	store_stats(store, &st);
	assert_true(st.up);
	assert_int_equal(st.stored, 1);
	store_close(store);
}

static void
test_hostile_texts(void **state)
{
	struct store *store = open_store(STORE_WRITE, "s1", 0);
	struct seen s;

	(void)state;
	put_some_rows(store);
	sql("UPDATE rows SET vendor_id = 'a' || char(27) || '[2J', names = 'x' || char(7)"
	    " WHERE host = '10.0.0.1'");
	sql("UPDATE rows SET confidence = 77 WHERE host = '10.0.0.2'");
	sql("INSERT INTO events(sensor, first_us, last_us, layout, body)"
	    " VALUES('s1', 1, 1, 999999, x'00'), ('s1', 1, 1, 0, randomblob(500))");
	s = rows_with(store, (struct store_filter){ .host = "10.0.0.0/24" });
	assert_int_equal(s.n, 1);
	for (const char *p = s.text; *p; p++)
		assert_true(*p >= 0x20 && *p < 0x7f);
	store_close(store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rows_and_filters, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rows_are_totals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_records, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_spool_and_gap, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_days, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wrong_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reader_beside_writer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_locked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hostile_texts, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("store/sqlite", tests, NULL, NULL);
}
