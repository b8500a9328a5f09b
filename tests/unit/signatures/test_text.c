/* SPDX-License-Identifier: Apache-2.0 */
/* signatures/base/text.c: escaping, and what is a host name. */
#include "pack_text.h"
#include "signatures/base/text.h"

static void
escapes(void **state)
{
	const uint8_t in[] = { 'a', '\\', 0, 27, '[', 0x7f, 0xc3, '\n', '"' };
	char out[64];

	(void)state;
	assert_int_equal(sig_text_escape(out, sizeof(out), in, sizeof(in)), 25);
	assert_string_equal(out, "a\\\\\\x00\\x1b[\\x7f\\xc3\\x0a\"");
	/* Cut at a whole escape, whatever the room. */
	for (size_t cap = 1; cap < 26; cap++) {
		size_t n = sig_text_escape(out, cap, in, sizeof(in));

		assert_true(n < cap);
		assert_int_equal(strlen(out), n);
		assert_true(n == 0 || out[n - 1] != 'x');
	}
	assert_int_equal(sig_text_escape(out, 0, in, sizeof(in)), 0);
}

static void
name(const char *in, size_t len, const char *want)
{
	char out[SIG_NAME_MAX + 1] = "untouched";
	int n = sig_name_canonical(out, (const uint8_t *)in, len);

	if (!want) {
		assert_true(n < 0);
		assert_string_equal(out, "untouched");
		return;
	}
	assert_int_equal(n, strlen(want));
	assert_string_equal(out, want);
}

static void
names(void **state)
{
	char label[64], longest[300], out[SIG_NAME_MAX + 1];

	(void)state;
	name("Www.Example.COM", 15, "www.example.com");
	name("a.b.", 4, "a.b");
	name("xn--bcher-kva.example", 21, "xn--bcher-kva.example");
	name("_dmarc.-x-.a_b", 14, "_dmarc.-x-.a_b");
	name("", 0, NULL);
	name(".", 1, NULL);
	name("a..b", 4, NULL);
	name(".a", 2, NULL);
	name("a..", 3, NULL);
	name("a b", 3, NULL);
	name("a\0b", 3, NULL);
	name("a:443", 5, NULL);
	name("b\xc3\xbc.example", 11, NULL);
	memset(label, 'a', sizeof(label));
	name(label, 64, NULL);
	label[63] = '.';
	name(label, 64, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	/* 253 bytes are a name, with or without the root's dot; 254 are none. */
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = i % 2 ? '.' : 'a';
	name(longest, 255, NULL);
	longest[253] = '\0';
	name(longest, 253, longest);
	longest[253] = '.';
	assert_int_equal(sig_name_canonical(out, (const uint8_t *)longest, 254), 253);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(escapes), cmocka_unit_test(names) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
