/* SPDX-License-Identifier: Apache-2.0 */
/* How top orders and filters its lines. Its rates come from a daemon: tests/cli/test_terminal.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/top.h"

static void
set_up_model(struct top_model *m)
{
	static const struct top_line lines[] = {
		{ .name = "Beta", .vendor = "Two", .bytes = 1000000, .flows = 5 },
		{ .name = "Alpha", .vendor = "One", .bytes = 300, .bytes_s = 80, .flows_s = 1 },
		{ .name = "Gamma", .vendor = "Two", .bytes = 200, .bytes_s = 2, .flows_s = 9 },
		{ .name = "Delta", .vendor = "One", .bytes = 200 },
	};

	*m = (struct top_model){ 0 };
	m->all = calloc(TOP_LINES_MAX, sizeof(*m->all));
	m->lines = calloc(TOP_LINES_MAX, sizeof(*m->lines));
	assert_non_null(m->all);
	assert_non_null(m->lines);
	memcpy(m->all, lines, sizeof(lines));
	m->n_all = sizeof(lines) / sizeof(lines[0]);
}

static void
expect(const struct top_model *m, const char *first_letters)
{
	assert_int_equal(m->n_lines, strlen(first_letters));
	for (unsigned i = 0; i < m->n_lines; i++)
		assert_int_equal(m->lines[i].name[0], first_letters[i]);
}

static void
test_sort(void **state)
{
	static const struct {
		enum top_sort sort;
		const char *order;
	} cases[] = {
		{ TOP_BY_BYTES, "AGBD" }, /* what stands still comes by its total */
		{ TOP_BY_FLOWS, "GABD" },
		{ TOP_BY_TOTAL, "BADG" }, /* of equals, by name */
		{ TOP_BY_NAME, "ABDG" },
	};
	struct top_model m;

	(void)state;
	set_up_model(&m);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		m.sort = cases[i].sort;
		top_sort(&m);
		expect(&m, cases[i].order);
	}
	top_free(&m);
}

static void
test_filter(void **state)
{
	struct top_model m;

	(void)state;
	set_up_model(&m);
	m.sort = TOP_BY_NAME;
	strcpy(m.filter, "TWO");
	top_sort(&m);
	expect(&m, "BG");
	strcpy(m.filter, "lph");
	top_sort(&m);
	expect(&m, "A");
	strcpy(m.filter, "nobody");
	top_sort(&m);
	expect(&m, "");
	m.filter[0] = '\0';
	top_sort(&m);
	expect(&m, "ABDG");
	top_free(&m);
}

/* Before the first picture there is nothing to sort. */
static void
test_empty(void **state)
{
	struct top_model m = { 0 };

	(void)state;
	top_sort(&m);
	assert_int_equal(m.n_lines, 0);
	top_free(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sort),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests_name("ctl/top_model", tests, NULL, NULL);
}
