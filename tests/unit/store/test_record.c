/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that came back from a store, made fit to show, and rows copied. Well-formed UTF-8 is RFC
 * 3629's; what must not reach a terminal is escaped whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/store/record.h"

static void
test_clean(void **state)
{
	static const struct {
		const char *in, *out; /* out NULL: as it came */
	} rows[] = {
		{ "a.example.com", NULL },
		{ "", NULL },
		{ "360\xe5\xae\x89\xe5\x85\xa8\xe5\x8d\xab\xe5\xa3\xab", NULL }, /* 360安全卫士 */
		{ "caf\xc3\xa9", NULL },
		{ "\xf0\x9f\x98\x80", NULL },
		{ "\x1b[2J", "\\x1b[2J" },
		{ "a\x7f", "a\\x7f" },
		{ "a\xc2\x9b\x32J", "a\\xc2\\x9b2J" },		/* a C1 control in UTF-8 */
		{ "\xc0\xaf", "\\xc0\\xaf" },			/* overlong */
		{ "\xe0\x80\xaf", "\\xe0\\x80\\xaf" },		/* overlong */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },		/* a surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" }, /* above U+10FFFF */
		{ "\xc3", "\\xc3" },				/* cut */
		{ "a\xe2\x80\xae"
		  "b",
		    "a\\xe2\\x80\\xaeb" }, /* turns the order of what follows */
		{ "\xe2\x81\xa6", "\\xe2\\x81\\xa6" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *got = store_text_clean(rows[i].in, strlen(rows[i].in), 64);

		assert_non_null(got);
		assert_string_equal(got, rows[i].out ? rows[i].out : rows[i].in);
		free(got);
	}
}

/* Cut between characters, never inside one; a NUL inside is no end. */
static void
test_cut(void **state)
{
	char *got = store_text_clean("ab\xc3\xa9", 4, 3);

	(void)state;
	assert_string_equal(got, "ab");
	free(got);
	got = store_text_clean("a\0b", 3, 16);
	assert_string_equal(got, "a\\x00b");
	free(got);
	got = store_text_clean("abcdef", 6, 3);
	assert_string_equal(got, "abc");
	free(got);
}

static void
test_copy(void **state)
{
	struct store_row row = { .sensor = (char *)"s",
		.host = (char *)"10.0.0.1",
		.product = (char *)"P",
		.names = { (char *)"a", (char *)"b" },
		.n_names = 2,
		.flows = 7,
		.dns_only = true };
	struct store_row copy;

	(void)state;
	assert_int_equal(store_row_copy(&row, &copy), 0);
	assert_string_equal(copy.host, "10.0.0.1");
	assert_ptr_not_equal(copy.host, row.host);
	assert_null(copy.vendor);
	assert_int_equal(copy.n_names, 2);
	assert_string_equal(copy.names[1], "b");
	assert_int_equal(copy.flows, 7);
	assert_true(copy.dns_only);
	store_row_free(&copy);
	assert_null(copy.host);
	assert_int_equal(copy.n_names, 0);
	store_row_free(&copy); /* twice is once */
	store_row_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_copy),
	};

	return cmocka_run_group_tests_name("store/record", tests, NULL, NULL);
}
