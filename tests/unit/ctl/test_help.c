/* SPDX-License-Identifier: Apache-2.0 */
/* Text broken to a width: nothing is lost, nothing is wider, what belongs together stays so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ctl/cli.h"

static char *
wrapped(const char *columns, unsigned at, unsigned indent, const char *text)
{
	char *out = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&out, &len);

	(void)setenv("COLUMNS", columns, 1);
	ctl_wrapped(f, at, indent, text);
	fclose(f);
	return out;
}

static void
is(const char *columns, unsigned at, unsigned indent, const char *text, const char *want)
{
	char *got = wrapped(columns, at, indent, text);

	assert_string_equal(got, want);
	free(got);
}

static void
test_wrapped(void **state)
{
	(void)state;
	is("20", 0, 0, "aaaa bbbb cccc dddd eeee", "aaaa bbbb cccc dddd\neeee\n");
	is("20", 0, 4, "aaaa bbbb cccc dddd eeee", "aaaa bbbb cccc dddd\n    eeee\n");
	is("20", 10, 10, "aaaa bbbb cccc", "aaaa bbbb\n          cccc\n");
	is("20", 0, 0, "aaaa\nbbbb\n\ncccc", "aaaa bbbb\n\ncccc\n"); /* a blank line is meant */
	is("20", 0, 0, "[a b] [cccc dddd eeee]", "[a b]\n[cccc dddd eeee]\n");
	is("20", 0, 0, "say `phonehome stop now`, no more",
	    "say\n`phonehome stop now`,\nno more\n");
	is("20", 0, 2, "a bbbbbbbbbbbbbbbbbbbbbbbbb c", "a\n  bbbbbbbbbbbbbbbbbbbbbbbbb\n  c\n");
	is("20", 0, 0, "", "\n");
}

static int
nothing(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static void
test_under(void **state)
{
	static const struct ctl_opt none[] = { { 0 } };
	static const struct ctl_verb one = { .name = "top one",
		.usage = "",
		.summary = "the one",
		.opts = none,
		.run = nothing },
				     two = { .name = "top two",
					     .usage = "",
					     .summary = "the other",
					     .opts = none,
					     .run = nothing },
				     top = { .name = "top",
					     .usage = "",
					     .summary = "all",
					     .about = "That is all." };
	const struct ctl_verb *const subs[] = { &one, &two };
	char verb[] = "top", second[] = "two", wrong[] = "tow";
	char *argv[] = { verb, second, NULL }, *bad[] = { verb, wrong, NULL };
	unsigned i = 9;

	(void)state;
	assert_int_equal(ctl_verb_under(&top, subs, 2, 2, argv, &i), -1);
	assert_int_equal(i, 1);
	assert_int_equal(ctl_verb_under(&top, subs, 2, 2, bad, &i), CTL_USAGE);
	assert_int_equal(ctl_verb_under(&top, subs, 2, 1, argv, &i), CTL_USAGE);
}

static void
test_hosts_in_order(void **state)
{
	static const char *const order[] = { "9.255.255.255", "10.0.0.2", "10.0.0.10", "10.0.1.1",
		"192.0.2.1", "::1", "2001:db8::9", "2001:db8::a", "2001:db8::10", "fd20::1" };

	(void)state;
	for (unsigned a = 0; a < 10; a++)
		for (unsigned b = 0; b < 10; b++) {
			int c = ctl_host_compare(order[a], order[b]);
			if ((c < 0) != (a < b) || (c == 0) != (a == b))
				fail_msg("%s, %s: %d", order[a], order[b], c);
		}
	assert_int_not_equal(ctl_host_compare("::1", "0::1"), 0); /* one address, two texts */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrapped),
		cmocka_unit_test(test_under),
		cmocka_unit_test(test_hosts_in_order),
	};

	return cmocka_run_group_tests_name("ctl/help", tests, NULL, NULL);
}
