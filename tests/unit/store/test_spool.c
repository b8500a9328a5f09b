/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spool: the oldest record goes when there is no room, except what may be stored already; what
 * went is counted for the gap; a row waits once, with its last totals, in the order of first
 * change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "ctl/store/store_impl.h"
#include "tests/unit/store/events.h"

static int
put(struct spool *s, uint64_t id)
{
	struct clf_event e = event_full(CLF_EV_ENDED, id, "acme", "agent");

	e.at_us = 1000 + id;
	return spool_put_record(s, &e);
}

static void
expect_ids(const struct spool *s, const uint64_t *ids, unsigned n)
{
	const struct spool_record *r = s->first;

	assert_int_equal(s->n_records, n);
	for (unsigned i = 0; i < n; i++, r = r->next) {
		assert_non_null(r);
		assert_int_equal(r->event.flow_id, ids[i]);
	}
	assert_null(r);
}
#define EXPECT_IDS(s, ...)                               \
	expect_ids(s, (const uint64_t[]){ __VA_ARGS__ }, \
	    sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t))

static void
test_oldest_out(void **state)
{
	struct spool s;

	(void)state;
	assert_int_equal(spool_init(&s, 3), 0);
	for (uint64_t id = 1; id <= 3; id++)
		assert_int_equal(put(&s, id), 0);
	assert_int_equal(put(&s, 4), 1);
	assert_int_equal(put(&s, 5), 1);
	EXPECT_IDS(&s, 3, 4, 5);
	assert_int_equal(s.lost_since, 2);
	assert_int_equal(s.lost_at_us, 1001);
	spool_drop_records(&s, 2);
	EXPECT_IDS(&s, 5);
	spool_drop_records(&s, 9);
	assert_int_equal(s.n_records, 0);
	assert_int_equal(put(&s, 6), 0);
	EXPECT_IDS(&s, 6);
	spool_free(&s);
}

/* What was sent and not answered is not dropped for room: it would be stored and counted lost. */
static void
test_in_doubt_stays(void **state)
{
	struct spool s;

	(void)state;
	assert_int_equal(spool_init(&s, 3), 0);
	for (uint64_t id = 1; id <= 3; id++)
		(void)put(&s, id);
	s.in_doubt = 2;
	assert_int_equal(put(&s, 4), 1);
	EXPECT_IDS(&s, 1, 2, 4);
	s.in_doubt = 3;
	assert_int_equal(put(&s, 5), 1); /* no room but its own */
	EXPECT_IDS(&s, 1, 2, 4);
	assert_int_equal(s.lost_since, 2);
	spool_drop_records(&s, 2);
	assert_int_equal(s.in_doubt, 1);
	assert_int_equal(put(&s, 6), 0);
	EXPECT_IDS(&s, 4, 6);
	spool_free(&s);
}

static struct store_row
row_of(const char *host, uint64_t flows)
{
	return (struct store_row){ .host = (char *)(uintptr_t)host,
		.vendor_id = (char *)"acme",
		.product_id = (char *)"agent",
		.function = SIG_FN_UPDATE,
		.flows = flows };
}

static void
test_rows_once(void **state)
{
	struct store_row a = row_of("10.0.0.1", 1), b = row_of("10.0.0.2", 2), none = { 0 };
	struct spool s;

	(void)state;
	assert_int_equal(spool_init(&s, 3), 0);
	assert_int_equal(spool_put_row(&s, &a), 0);
	assert_int_equal(spool_put_row(&s, &b), 0);
	a.flows = 7;
	assert_int_equal(spool_put_row(&s, &a), 0);
	a.function = SIG_FN_TELEMETRY; /* another row */
	assert_int_equal(spool_put_row(&s, &a), 0);
	assert_int_equal(spool_put_row(&s, &none), -EINVAL);
	assert_int_equal(s.row_map.n, 3);
	assert_string_equal(s.rows->row.host, "10.0.0.1");
	assert_int_equal(s.rows->row.flows, 7);
	spool_drop_rows(&s, 1);
	assert_string_equal(s.rows->row.host, "10.0.0.2");
	assert_int_equal(s.row_map.n, 2);
	spool_drop_rows(&s, 5);
	assert_null(s.rows);
	assert_int_equal(spool_put_row(&s, &b), 0);
	assert_ptr_equal(s.rows_last, &s.rows->next);
	spool_free(&s);
}

static void
test_rows_have_a_limit(void **state)
{
	char host[32];
	struct spool s;

	(void)state;
	assert_int_equal(spool_init(&s, 3), 0);
	for (unsigned i = 0; i <= STORE_SPOOL_ROWS_MAX; i++) {
		struct store_row row = row_of(host, 1);

		(void)snprintf(host, sizeof(host), "h%u", i);
		assert_int_equal(spool_put_row(&s, &row), i < STORE_SPOOL_ROWS_MAX ? 0 : -ENOSPC);
	}
	assert_int_equal(s.row_map.n, STORE_SPOOL_ROWS_MAX);
	spool_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_oldest_out),
		cmocka_unit_test(test_in_doubt_stays),
		cmocka_unit_test(test_rows_once),
		cmocka_unit_test(test_rows_have_a_limit),
	};

	return cmocka_run_group_tests_name("store/spool", tests, NULL, NULL);
}
