/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reading costs: which rows SQLite visits for a filter, told by its own counters. A filter
 * that has an index looks at what it gives, whatever else there is; a whole report is one pass
 * that sorts nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "ctl/store/sqlite_impl.h"
#include "tests/unit/store/events.h"

enum { VENDORS = 40, HOSTS = 250, STEPS_A_ROW = 150 };

static char dir[] = "/tmp/phonehome-read-XXXXXX", path[64];
static struct store *reader;

static struct cost {
	int scanned, sorts, steps;
} cost;

static int
on_statement(unsigned type, void *ctx, void *stmt, void *ns)
{
	(void)type;
	(void)ctx;
	(void)ns;
	cost.scanned += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_FULLSCAN_STEP, 0);
	cost.sorts += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_SORT, 0);
	cost.steps += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 0);
	return 0;
}

static struct store *
open_store(enum store_mode mode)
{
	struct store_config config = { .url = path, .sensor = "s1", .mode = mode };
	struct sig_diag diag = { 0 };
	struct store *store = NULL;

	assert_int_equal(store_open(&config, &store, &diag), 0);
	return store;
}

static void
put(struct store *store, unsigned vendor, unsigned host)
{
	char address[16], id[16], name[16], product[16];
	struct store_row row = { .host = address,
		.vendor = name,
		.vendor_id = id,
		.country = (char *)(vendor % 2 ? "US" : "IL"),
		.product = product,
		.product_id = product,
		.function = SIG_FN_UPDATE,
		.confidence = SIG_CONF_CERTAIN,
		.first_seen_us = 1,
		.last_seen_us = 1000 + vendor * HOSTS + host,
		.flows = 1 };

	(void)snprintf(address, sizeof(address), "10.0.%u.%u", host / 250 % 250, host % 250);
	(void)snprintf(id, sizeof(id), "v%u", vendor);
	(void)snprintf(name, sizeof(name), "Vendor %u", vendor);
	(void)snprintf(product, sizeof(product), "p%u", vendor);
	assert_int_equal(store_put_row(store, &row), 0);
}

static int
set_up(void **state)
{
	struct store *writer;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/store.db", dir);
	writer = open_store(STORE_WRITE);
	for (unsigned v = 0; v < VENDORS; v++)
		for (unsigned h = 0; h < HOSTS; h++)
			put(writer, v, h);
	while (store_flush(writer, 1000) != 0)
		;
	store_close(writer);
	reader = open_store(STORE_READ);
	assert_int_equal(sqlite3_trace_v2(((struct lite *)reader->impl)->db, SQLITE_TRACE_PROFILE,
			     on_statement, NULL),
	    SQLITE_OK);
	return 0;
}

static int
tear_down(void **state)
{
	static const char *const tails[] = { "", "-wal", "-shm", "-lock" };
	char name[80];

	(void)state;
	store_close(reader);
	for (unsigned i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, tails[i]);
		(void)unlink(name);
	}
	return rmdir(dir);
}

static bool
count(void *ctx, const struct store_row *row)
{
	(void)row;
	++*(unsigned *)ctx;
	return true;
}

static unsigned
read_rows(const struct store_filter *f)
{
	unsigned n = 0;

	cost = (struct cost){ 0 };
	assert_int_equal(store_rows(reader, f, count, &n), 0);
	return n;
}

/* What `report --group-by vendor` reads: every row once, in no order. */
static void
test_one_pass(void **state)
{
	struct store_filter f = { .skip_names = true, .skip_details = true };

	(void)state;
	assert_int_equal(read_rows(&f), VENDORS * HOSTS);
	assert_int_equal(cost.sorts, 0);
	assert_in_range(cost.steps, VENDORS * HOSTS, VENDORS * HOSTS * STEPS_A_ROW);
}

static void
test_indexed(void **state)
{
	const struct {
		struct store_filter f;
		unsigned rows, visited;
	} cases[] = {
		{ { .vendor = "v7" }, HOSTS, HOSTS },
		{ { .vendor = "vendor 7" }, HOSTS, HOSTS },
		{ { .product = "P7" }, HOSTS, HOSTS },
		{ { .host = "10.0.0.9" }, VENDORS, VENDORS },
		{ { .vendor = "v7", .host = "10.0.0.9" }, 1, VENDORS },
		{ { .since_us = 1000 + VENDORS * HOSTS - 5 }, 5, 5 },
		{ { .vendor = "nobody" }, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned n = read_rows(&cases[i].f);

		if (n != cases[i].rows)
			fail_msg("case %zu: %u rows, not %u", i, n, cases[i].rows);
		if (cost.scanned != 0 ||
		    cost.steps > (int)(cases[i].visited + 1) * STEPS_A_ROW + 100)
			fail_msg("case %zu: %d rows scanned, %d steps for %u rows", i, cost.scanned,
			    cost.steps, n);
	}
}

/* A limit ends the reading, not only the giving. */
static void
test_limit(void **state)
{
	struct store_filter f = { .limit = 10 };

	(void)state;
	assert_int_equal(read_rows(&f), 10);
	assert_in_range(cost.steps, 1, 100 + 20 * STEPS_A_ROW);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_pass),
		cmocka_unit_test(test_indexed),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests_name("store/sqlite_read", tests, set_up, tear_down);
}
