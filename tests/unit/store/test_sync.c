/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder's step against a backend of the test's own: rows of earlier runs come in before any
 * row goes out, once, however often the store is away meanwhile; and all go out again when the
 * store says that it lost them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "ctl/store/store_impl.h"
#include "tests/unit/store/events.h"

/* What the backend has, and how it behaves. */
static struct {
	int rows_rc;	     /* of the next rows() */
	unsigned rows_given; /* before it fails */
	uint64_t old_flows;  /* of the earlier run's one row; 0: there is none */
	unsigned asked;
	uint64_t stored_flows; /* what arrived last */
	unsigned stored;       /* rows that arrived */
} backend;

static int
fake_rows(struct store *store, const struct store_filter *f, store_row_fn *fn, void *ctx)
{
	struct store_row row = {
		.sensor = "s1",
		.host = "10.1.2.3",
		.vendor = "acme",
		.vendor_id = "acme",
		.product = "agent",
		.product_id = "agent",
		.function = SIG_FN_TELEMETRY,
		.confidence = SIG_CONF_STRONG,
		.first_seen_us = 5,
		.last_seen_us = 9,
		.flows = backend.old_flows,
		.bytes_up = 100,
	};

	(void)store;
	backend.asked++;
	assert_string_equal(f->sensor, "s1"); /* its own rows, those of forwarders too */
	assert_true(f->forwarders);
	if (backend.old_flows > 0 && (backend.rows_rc == 0 || backend.rows_given > 0))
		(void)fn(ctx, &row);
	return backend.rows_rc;
}

static int
fake_flush(struct store *store, unsigned budget_ms)
{
	(void)budget_ms;
	while (store->spool.rows) {
		backend.stored_flows = store->spool.rows->row.flows;
		backend.stored++;
		spool_drop_rows(&store->spool, 1);
	}
	return 0;
}

static const struct store_ops fake = { .flush = fake_flush, .rows = fake_rows };

static struct store store;
static struct store_fold *fold;

static int
set_up(void **state)
{
	struct store_fold_config config = { .sensor = "s1", .max_pending = 100, .max_rows = 100 };

	(void)state;
	memset(&backend, 0, sizeof(backend));
	store = (struct store){ .ops = &fake, .mode = STORE_WRITE, .sensor = "s1" };
	fold = store_fold_new(&config);
	return fold ? spool_init(&store.spool, 100) : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	spool_free(&store.spool);
	store_fold_free(fold);
	return 0;
}

static void
one_flow(uint64_t id)
{
	struct clf_event e = event_full(CLF_EV_ENDED, id, "acme", "agent");

	assert_int_equal(store_fold_event(fold, &e), 0);
}

static void
test_totals_go_on(void **state)
{
	(void)state;
	backend.old_flows = 40;
	one_flow(1);
	assert_int_equal(store_sync(&store, fold, 10), 0);
	assert_true(store_loaded(&store));
	assert_int_equal(backend.stored, 1);
	assert_int_equal(backend.stored_flows, 41);
	one_flow(2);
	(void)store_sync(&store, fold, 10);
	assert_int_equal(backend.stored_flows, 42);
	assert_int_equal(backend.asked, 1); /* what is known is not asked for again */
}

static void
test_nothing_new_is_not_stored(void **state)
{
	(void)state;
	backend.old_flows = 40;
	(void)store_sync(&store, fold, 10);
	assert_int_equal(backend.stored, 0);
}

/* A store that is away, and one that breaks off after it gave the row: nothing goes out, and the
 * row counts once in the end. */
static void
test_away_at_start(void **state)
{
	(void)state;
	backend.old_flows = 40;
	backend.rows_rc = -EIO;
	one_flow(1);
	(void)store_sync(&store, fold, 10);
	backend.rows_given = 1;
	for (unsigned i = 0; i < 3; i++)
		(void)store_sync(&store, fold, 10);
	assert_false(store_loaded(&store));
	assert_int_equal(backend.stored, 0);
	backend.rows_rc = 0;
	(void)store_sync(&store, fold, 10);
	assert_int_equal(backend.asked, 5);
	assert_int_equal(backend.stored, 1);
	assert_int_equal(backend.stored_flows, 41);
}

static void
test_a_store_that_lost_its_rows(void **state)
{
	(void)state;
	backend.old_flows = 40;
	one_flow(1);
	(void)store_sync(&store, fold, 10);
	backend.stored = 0;
	(void)store_sync(&store, fold, 10);
	assert_int_equal(backend.stored, 0); /* nothing changed */
	store.wants_rows = true;
	(void)store_sync(&store, fold, 10);
	assert_int_equal(backend.stored, 1);
	assert_int_equal(backend.stored_flows, 41);
	assert_false(store.wants_rows);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_totals_go_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nothing_new_is_not_stored, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_away_at_start, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_store_that_lost_its_rows, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("store/sync", tests, NULL, NULL);
}
