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
	assert_false(is("."));
	assert_false(is("google"));
	/* Some have hosts of their own below a zone that is more than a resolver's. */
	assert_true(is("dns.adguard.com"));
	assert_true(is("d1.dns.adguard.com"));
	assert_false(is("mydns.adguard.com"));
	assert_false(is("adguard.com"));
	assert_true(is("dns.google.com"));
	assert_false(is("a.dns.google.com"));
	assert_false(is("www.google.com"));
	assert_true(is("dns11.quad9.net"));
	assert_false(is("dns12.quad9.net"));
	assert_true(is("doh.familyshield.opendns.com"));
	assert_false(is("x.doh.familyshield.opendns.com"));
	assert_true(is("dns.sb"));
	assert_false(is("www.dns.sb"));
	assert_true(is("de.doh.dns.sb"));
	assert_true(is("doh.li"));
	assert_false(is("a.doh.li"));
	assert_true(is("a.dot.pub"));
	assert_false(is("one.one"));
	assert_false(is("one.one.one"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
