/* SPDX-License-Identifier: Apache-2.0 */
/* The printer: one set of rows in every format, widths, hostile text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ctl/print.h"

static const struct ctl_column columns[] = {
	{ "host", "HOST", 0, 0 },
	{ "n", "N", 0, 0 },
	{ "size", "SIZE", 0, 2 },
	{ "seen", NULL, 0, 0 },
	{ "names", "NAMES", 8, 0 },
	{ 0 },
};
static char *names[] = { "a.example", "q\"x,y.example" };

static char *
printed(enum ctl_format format, unsigned rows)
{
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);
	struct ctl_print *p = ctl_print_new(f, format, columns);

	for (unsigned i = 0; i < rows; i++) {
		struct ctl_value v[] = {
			ctl_text(i == 1 ? "evil\033[2J\n" : "10.0.0.1"),
			ctl_number(CTL_K_UINT, i),
			ctl_number(CTL_K_BYTES, 1500),
			ctl_number(CTL_K_TIME, i ? 1795389322123456 : 0),
			{ .kind = CTL_K_LIST },
		};
		v[4].list.item = names;
		v[4].list.n = i == 1 ? 0 : 2;
		assert_true(ctl_print_row(p, v));
	}
	assert_int_equal(ctl_print_end(p), rows);
	fclose(f);
	return out;
}

static void
expect(enum ctl_format format, unsigned rows, const char *want)
{
	char *got = printed(format, rows);

	assert_string_equal(got, want);
	free(got);
}

static void
test_formats(void **state)
{
	(void)state;
	unsetenv("COLUMNS");
	expect(CTL_TABLE, 2,
	    "HOST             N    SIZE  NAMES\n"
	    "10.0.0.1         0  1.5 kB  a.example q\"x,y.example\n"
	    "evil\\x1b[2J\\x0a  1  1.5 kB\n");
	expect(CTL_CSV, 2,
	    "host,n,size,seen,names\n"
	    "10.0.0.1,0,1500,,\"a.example q\"\"x,y.example\"\n"
	    "evil\\x1b[2J\\x0a,1,1500,2026-11-22T23:15:22.123456Z,\n");
	expect(CTL_JSON_LINES, 1,
	    "{\"host\":\"10.0.0.1\",\"n\":0,\"size\":1500,\"names\":[\"a.example\",\"q\\\"x,y."
	    "example\"]}\n");
	expect(CTL_JSON, 0, "[]\n");
	expect(CTL_CSV, 0, "host,n,size,seen,names\n");
	expect(CTL_TABLE, 0, "");
}

static void
test_json_parses(void **state)
{
	char *got = printed(CTL_JSON, 3);
	json_t *a = json_loads(got, 0, NULL);

	(void)state;
	assert_int_equal(json_array_size(a), 3);
	assert_string_equal(
	    json_string_value(json_object_get(json_array_get(a, 1), "host")), "evil\033[2J\n");
	json_decref(a);
	free(got);
}

static void
test_narrow(void **state)
{
	(void)state;
	setenv("COLUMNS", "30", 1);
	char *got = printed(CTL_TABLE, 1);
	for (char *line = strtok(got, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(strlen(line) <= 30);
	free(got);
	unsetenv("COLUMNS");
}

/* More rows than are held back: widths are settled, nothing is lost, memory does not grow with
 * rows. */
static void
test_streams(void **state)
{
	char *got = printed(CTL_TABLE, 5000);
	unsigned lines = 0;

	(void)state;
	for (char *p = got; *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 5001);
	free(got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_json_parses),
		cmocka_unit_test(test_narrow),
		cmocka_unit_test(test_streams),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
