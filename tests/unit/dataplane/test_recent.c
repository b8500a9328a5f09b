/* SPDX-License-Identifier: Apache-2.0 */
/* The latest records: numbers for ever, oldest out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/recent.h"

struct seen {
	uint64_t number[16], flow[16];
	unsigned n, most;
};

static bool
see(void *ctx, uint64_t number, const struct clf_event *record)
{
	struct seen *s = ctx;

	s->number[s->n] = number;
	s->flow[s->n++] = record->flow_id;
	return s->n < s->most;
}

static void
test_recent(void **state)
{
	struct dp_recent *r = dp_recent_new(4);
	struct clf_event e = { .size = CLF_EVENT_SIZE(0) };
	struct seen s = { .most = 16 };
	uint64_t first, next;

	(void)state;
	dp_recent_each(r, 0, see, &s);
	assert_int_equal(s.n, 0);
	for (uint64_t i = 1; i <= 6; i++) {
		e.flow_id = 100 + i;
		dp_recent_add(r, &e);
	}
	dp_recent_span(r, &first, &next);
	assert_int_equal(first, 3);
	assert_int_equal(next, 7);
	dp_recent_each(r, 1, see, &s); /* 1 and 2 fell off: goes on at the oldest kept */
	assert_int_equal(s.n, 4);
	assert_int_equal(s.number[0], 3);
	assert_int_equal(s.flow[0], 103);
	assert_int_equal(s.flow[3], 106);
	s = (struct seen){ .most = 1 };
	dp_recent_each(r, 5, see, &s);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.flow[0], 105);
	s = (struct seen){ .most = 16 };
	dp_recent_each(r, 7, see, &s);
	assert_int_equal(s.n, 0);
	dp_recent_free(r);
	dp_recent_free(NULL);
}

/* A flow's later record takes the place of the earlier one, under a number of its own. */
static void
test_same_flow(void **state)
{
	struct dp_recent *r = dp_recent_new(4);
	struct clf_event e = { .size = CLF_EVENT_SIZE(0) };
	struct seen s = { .most = 16 };
	const uint64_t flows[] = { 7, 8, 7 };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		e.flow_id = flows[i];
		dp_recent_add(r, &e);
	}
	dp_recent_each(r, 0, see, &s);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.flow[0], 8);
	assert_int_equal(s.flow[1], 7);
	assert_int_equal(s.number[1], 3);
	dp_recent_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recent),
		cmocka_unit_test(test_same_flow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
