/* SPDX-License-Identifier: Apache-2.0 */
/* Names go by whole labels here as everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "classifier/resolvers.h"

static bool
is(const char *name)
{
	return clf_is_resolver(name, strlen(name));
}

static void
names(void **state)
{
	(void)state;
	assert_true(is("dns.google"));
	assert_true(is("one.one.one.one"));
	assert_true(is("cloudflare-dns.com"));
	assert_true(is("mozilla.cloudflare-dns.com"));
	assert_false(is("notcloudflare-dns.com"));
	assert_false(is("dns.google.example.org"));
	assert_false(is("www.google"));
	assert_false(is(""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
