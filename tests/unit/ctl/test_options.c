/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: every spelling of options, and every way to get one wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ctl/cli.h"

static const struct ctl_opt opts[] = { { "alpha", 'a', NULL, 1, "" }, { "beta", 'b', "X", 2, "" },
	{ "gamma", 0, "Y", 3, "" }, { 0 } };
static const struct ctl_verb verb = { .name = "test", .usage = "", .summary = "", .opts = opts };

/* "id=value id=value" of what was read; "!" where it was refused. */
static const char *
read_all(int argc, const char **argv)
{
	static char out[256];
	struct ctl_args a;
	const char *value;
	int id;

	out[0] = '\0';
	ctl_args_init(&a, &verb, argc, (char **)argv);
	while ((id = ctl_args_next(&a, &value)) != CTL_END) {
		size_t n = strlen(out);
		if (id == CTL_BAD)
			return strcat(out, "!");
		if (id == CTL_POSITIONAL)
			snprintf(out + n, sizeof(out) - n, "+%s ", value);
		else
			snprintf(out + n, sizeof(out) - n, "%d=%s ", id, value ? value : "");
	}
	return out;
}

#define READ(...)                                                                  \
	read_all(sizeof((const char *[]){ "test", __VA_ARGS__ }) / sizeof(char *), \
	    (const char *[]){ "test", __VA_ARGS__ })

static void
test_spellings(void **state)
{
	(void)state;
	assert_string_equal(READ("--alpha", "x"), "1= +x ");
	assert_string_equal(READ("--beta", "v", "--gamma=w"), "2=v 3=w ");
	assert_string_equal(READ("--gamma="), "3= ");
	assert_string_equal(READ("-ab", "v"), "1= 2=v ");
	assert_string_equal(READ("-abv"), "1= 2=v ");
	assert_string_equal(READ("-", "--", "--alpha", "-a"), "+- +--alpha +-a ");
	assert_string_equal(READ("--beta", "--alpha"), "2=--alpha ");
}

static void
test_wrong(void **state)
{
	(void)state;
	assert_string_equal(READ("--alpah"), "!");
	assert_string_equal(READ("--alpha=1"), "!");
	assert_string_equal(READ("--beta"), "!");
	assert_string_equal(READ("-b"), "!");
	assert_string_equal(READ("-x"), "!");
	assert_string_equal(READ("-ax"), "1= !");
	assert_string_equal(
	    READ("--a-name-that-is-longer-than-any-option-could-reasonably-be-in-this-program"),
	    "!");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
