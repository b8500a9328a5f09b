/* SPDX-License-Identifier: Apache-2.0 */
/* signatures/pattern.c: the table of host patterns in signatures/README.md, and look-alikes. */
#include <errno.h>

#include "pack_text.h"
#include "signatures/pattern.h"

static bool
matches(const char *pattern, const char *name)
{
	struct sig_pattern p;
	const char *why = NULL;

	if (sig_pattern_parse(pattern, &p, &why) != 0)
		fail_msg("%s: %s", pattern, why);
	return sig_pattern_match(&p, name, strlen(name));
}

static const struct {
	const char *pattern, *name;
	bool yes;
} cases[] = {
	{ "a.example.com", "a.example.com", true },
	{ "a.example.com", "b.a.example.com", false },
	{ "a.example.com", "xa.example.com", false },
	{ "a.example.com", "a.example.com.evil.net", false },
	{ ".example.com", "example.com", true },
	{ ".example.com", "x.y.example.com", true },
	{ ".example.com", "notexample.com", false },
	{ ".example.com", "example.com.evil.net", false },
	{ "**.example.com", "example.com", false },
	{ "**.example.com", "x.example.com", true },
	{ "**.example.com", "x.y.example.com", true },
	{ "*.example.com", "example.com", false },
	{ "*.example.com", "x.example.com", true },
	{ "*.example.com", "x.y.example.com", false },
	{ "ts01-*.example.com", "ts01-.example.com", true },
	{ "ts01-*.example.com", "ts01-b.example.com", true },
	{ "ts01-*.example.com", "ts01-b.c.example.com", false },
	{ "ts01-*.example.com", "xts01-b.example.com", false },
	{ "us#.example.com", "us7.example.com", true },
	{ "us#.example.com", "us2024.example.com", true },
	{ "us#.example.com", "us.example.com", false },
	{ "us#.example.com", "us7a.example.com", false },
	{ "a*b*c.example.com", "aXbYbc.example.com", true },
	{ "a*b*c.example.com", "aXbYb.example.com", false },
	{ "a#-#z.example.com", "a12-34z.example.com", true },
	{ "a#-#z.example.com", "a12-z.example.com", false },
	{ "#*.example.com", "12ab.example.com", true },
	{ "#*.example.com", "ab.example.com", false },
	{ "*#.example.com", "ab12.example.com", true },
	{ "*#.example.com", "7.example.com", true },
	{ "*.mid.us#.example.com", "x.mid.us1.example.com", true },
	{ "*.mid.us#.example.com", "mid.us1.example.com", false },
	{ "*.mid.us#.example.com", "y.x.mid.us1.example.com", false },
	{ ".us#.example.com", "us1.example.com", true },
	{ ".us#.example.com", "a.b.us1.example.com", true },
	{ ".us#.example.com", "us.example.com", false },
	{ "**.us#.example.com", "us1.example.com", false },
	{ "**.us#.example.com", "a.us1.example.com", true },
	{ "*.com.example.com", "example.com", false },
	{ "kaspersky.blog.example", "kaspersky.blog.example.org", false },
};

static void
table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (matches(cases[i].pattern, cases[i].name) != cases[i].yes)
			fail_msg("%s against %s", cases[i].pattern, cases[i].name);
}

static void
refused(void **state)
{
	static const struct {
		const char *pattern, *why;
	} bad[] = {
		{ "", "is empty" },
		{ ".", "is empty" },
		{ "com", "needs at least two labels" },
		{ ".com", "needs at least two labels" },
		{ "*.com", "may have no wildcard in its last two labels" },
		{ "x.*.com", "may have no wildcard in its last two labels" },
		{ "x.y.*", "may have no wildcard in its last two labels" },
		{ "A.example.com", "must be lower case" },
		{ "a.example.com.", "must not end with a dot" },
		{ "a..example.com", "has an empty label" },
		{ "..example.com", "has an empty label" },
		{ "a b.example.com", "holds a character that no host name has" },
		{ "a.example.com:443", "holds a character that no host name has" },
		{ "https://a.example.com", "holds a character that no host name has" },
		{ "x.**.example.com", "may have '**' only as '**.' at its beginning" },
		{ "**x.example.com", "may have '**' only as '**.' at its beginning" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sig_pattern p = { .key_len = 99 };
		const char *why = NULL;

		assert_int_equal(sig_pattern_parse(bad[i].pattern, &p, &why), -EINVAL);
		assert_string_equal(why, bad[i].why);
		assert_int_equal(p.key_len, 99);
	}
}

static uint16_t
specificity(const char *pattern)
{
	struct sig_pattern p;
	const char *why;

	assert_int_equal(sig_pattern_parse(pattern, &p, &why), 0);
	return p.specificity;
}

static void
order(void **state)
{
	static const char *const best_first[] = { "a.b", "ts01-x*.cloud.example.com",
		"ts01-*.cloud.example.com", "*.example.com", ".x.y.example.com", ".example.com" };

	(void)state;
	for (size_t i = 1; i < sizeof(best_first) / sizeof(best_first[0]); i++)
		assert_true(specificity(best_first[i - 1]) > specificity(best_first[i]));
}

/* The slow way that the fast one must agree with: try every split. */
static bool
slow(const char *p, const char *s)
{
	if (*p == '\0')
		return *s == '\0';
	if (*p == '*')
		return slow(p + 1, s) || (*s && slow(p, s + 1));
	if (*p == '#')
		return *s >= '0' && *s <= '9' && (slow(p + 1, s + 1) || slow(p, s + 1));
	return *p == *s && slow(p + 1, s + 1);
}

static void
random_labels(void **state)
{
	static const char alphabet[] = "ab1*#";
	unsigned seed = 7, hits = 0;

	(void)state;
	for (unsigned n = 0; n < 200000; n++) {
		char pat[40], name[40], *w = pat, *s = name;
		unsigned np = 1 + (unsigned)rand_r(&seed) % 6, ns = 1 + (unsigned)rand_r(&seed) % 7;

		for (unsigned i = 0; i < np; i++) {
			char c = alphabet[(unsigned)rand_r(&seed) % 5];

			if (!(c == '*' && w > pat && w[-1] == '*'))
				*w++ = c;
		}
		*w = '\0';
		for (unsigned i = 0; i < ns; i++)
			*s++ = alphabet[(unsigned)rand_r(&seed) % 3];
		*s = '\0';
		bool want = slow(pat, name);

		hits += want;
		strcat(pat, ".x.y");
		strcat(name, ".x.y");
		if (matches(pat, name) != want)
			fail_msg("%s against %s", pat, name);
	}
	assert_true(hits > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(table), cmocka_unit_test(refused),
		cmocka_unit_test(order), cmocka_unit_test(random_labels) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
