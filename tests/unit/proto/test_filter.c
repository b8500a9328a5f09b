/* SPDX-License-Identifier: Apache-2.0 */
/* Filters: over the protocol and back, and what they let through. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ctl/proto/filter.h"

static void
test_round_trip(void **state)
{
	struct store_filter f = {
		.sensor = "*",
		.vendor = "crowdstrike",
		.product = "Falcon",
		.country = "US",
		.host = "10.0.0.0/8",
		.category = "edr",
		.function = SIG_FN_TELEMETRY,
		.min_confidence = SIG_CONF_STRONG,
		.since_us = 1795389322123456,
		.until_us = 1795389322123457,
		.forwarders = true,
		.limit = 9,
	};
	struct proto_filter p;
	char why[128];
	json_t *j = proto_filter_json(&f, "c7", 100);

	(void)state;
	assert_int_equal(proto_filter_parse(j, &p, why), 0);
	assert_string_equal(p.f.vendor, "crowdstrike");
	assert_string_equal(p.f.host, "10.0.0.0/8");
	assert_int_equal(p.f.function, SIG_FN_TELEMETRY);
	assert_int_equal(p.f.since_us, f.since_us);
	assert_int_equal(p.f.until_us, f.until_us);
	assert_true(p.f.forwarders);
	assert_int_equal(p.f.limit, 9);
	assert_int_equal(p.page, 100);
	assert_string_equal(p.cursor, "c7");
	json_t *again = proto_filter_json(&p.f, p.cursor, p.page);
	assert_true(json_equal(j, again));
	json_decref(again);
	json_decref(j);
	proto_filter_free(&p);
}

static void
test_refused(void **state)
{
	static const char *const bad[] = {
		"{\"vendr\":\"x\"}", "{\"vendor\":7}", "{\"page\":0}", "{\"page\":1001}",
		"{\"limit\":-1}", "{\"host\":\"not an address\"}", "{\"since\":\"soon\"}",
		"{\"function\":\"phone\"}", "{\"forwarders\":1}",
		"{\"cursor\":\"0123456789012345678901234567890123456789012345678901234567890123\"}"
	};
	struct proto_filter p;
	char why[128];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *j = json_loads(bad[i], 0, NULL);
		assert_int_equal(proto_filter_parse(j, &p, why), -EINVAL);
		assert_true(strlen(why) > 10);
		json_decref(j);
	}
	assert_int_equal(proto_filter_parse(NULL, &p, why), 0);
	proto_filter_free(&p);
}

static void
test_hosts(void **state)
{
	(void)state;
	assert_true(proto_host_match("10.1.0.0/16", "10.1.255.255"));
	assert_false(proto_host_match("10.1.0.0/16", "10.2.0.0"));
	assert_true(proto_host_match("10.1.2.0/23", "10.1.3.9"));
	assert_false(proto_host_match("10.1.2.0/23", "10.1.4.0"));
	assert_true(proto_host_match("0.0.0.0/0", "203.0.113.9"));
	assert_false(proto_host_match("0.0.0.0/0", "2001:db8::1"));
	assert_true(proto_host_match("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(proto_host_match("2001:db8::/33", "2001:db8:8000::1"));
	assert_true(proto_host_match("2001:db8:0::1", "2001:db8::1"));
	static const char *const bad[] = { "", "10.1", "10.1.2.3/33", "10.1.2.3/", "10.1.2.3/-1",
		"::1/129", "10.1.2.3/8 ", "host.example" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(proto_host_ok(bad[i]));
}

static void
test_rows(void **state)
{
	struct store_row row = {
		.sensor = "a",
		.host = "10.1.2.3",
		.vendor = "CrowdStrike",
		.vendor_id = "crowdstrike",
		.country = "US",
		.product = "Falcon",
		.product_id = "falcon",
		.category = "edr",
		.function = SIG_FN_UPDATE,
		.confidence = SIG_CONF_STRONG,
		.first_seen_us = 100,
		.last_seen_us = 200,
	};

	(void)state;
#define LETS(yes, ...) \
	assert_int_equal(proto_filter_row(&(struct store_filter){ __VA_ARGS__ }, &row), yes)
	LETS(true, .limit = 0);
	LETS(true, .vendor = "CROWDSTRIKE", .product = "FALCON");
	LETS(true, .product = "falcon");
	LETS(false, .vendor = "crowd");
	LETS(true, .country = "il,us", .vendor = "x,CrowdStrike");
	LETS(false, .country = "il,cn,");
	LETS(false, .country = ",");
	LETS(true, .country = "us", .category = "EDR", .host = "10.0.0.0/8");
	LETS(false, .host = "10.1.2.4");
	LETS(false, .function = SIG_FN_TELEMETRY);
	LETS(false, .min_confidence = SIG_CONF_CERTAIN);
	LETS(true, .since_us = 200, .until_us = 100);
	LETS(false, .since_us = 201);
	LETS(false, .until_us = 99);
	LETS(true, .sensor = "*");
	LETS(false, .sensor = "b");
	row.forwarder = true;
	LETS(false, .limit = 0);
	LETS(true, .forwarders = true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_rows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
