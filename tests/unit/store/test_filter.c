/* SPDX-License-Identifier: Apache-2.0 */
/* What a filter lets through, networks and days. Known answers: RFC 4632, RFC 4291, the calendar.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "ctl/store/store_impl.h"
#include "tests/unit/store/events.h"

static void
test_nets(void **state)
{
	static const struct {
		const char *net, *host;
		bool in;
	} rows[] = {
		{ "10.1.2.3", "10.1.2.3", true },
		{ "10.1.2.3", "10.1.2.4", false },
		{ "10.1.0.0/16", "10.1.255.255", true },
		{ "10.1.0.0/16", "10.2.0.0", false },
		{ "192.0.2.128/25", "192.0.2.127", false },
		{ "192.0.2.128/25", "192.0.2.128", true },
		{ "192.0.2.0/23", "192.0.3.255", true },
		{ "0.0.0.0/0", "203.0.113.9", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "::/0", "2001:db8::1", true },
		{ "::/0", "10.0.0.1", false },
		{ "2001:DB8::1", "2001:db8:0:0::1", true },
		{ "10.0.0.0/8", "host.example", false },
	};
	static const char *const wrong[] = { "", "10.1.2", "10.1.2.3/33", "::/129", "10.0.0.0/",
		"10.0.0.0/8x", "10.0.0.0/-1", "10.0.0.0/8/8", "example.com", "10.0.0.256",
		"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000" };
	struct store_net net = { 0 }, untouched = { 0 };

	(void)state;
	assert_true(store_net_has_text(&net, "anything")); /* none given */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(store_net_parse(rows[i].net, &net), 0);
		if (store_net_has_text(&net, rows[i].host) != rows[i].in)
			fail_msg("%s in %s", rows[i].host, rows[i].net);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (store_net_parse(wrong[i], &untouched) != -EINVAL)
			fail_msg("%s was taken", wrong[i]);
		assert_false(untouched.given);
	}
}

static void
test_net_is_a_host(void **state)
{
	struct store_net net;
	char host[48];

	(void)state;
	assert_int_equal(store_net_parse("2001:DB8:0::1", &net), 0);
	assert_true(store_net_host(&net, host));
	assert_string_equal(host, "2001:db8::1"); /* as rows have it */
	assert_int_equal(store_net_parse("10.0.0.0/31", &net), 0);
	assert_false(store_net_host(&net, host));
}

static struct store_row
a_row(void)
{
	return (struct store_row){ .host = (char *)"10.1.2.3",
		.vendor = (char *)"Acme Inc.",
		.vendor_id = (char *)"acme",
		.product = (char *)"Acme Agent",
		.product_id = (char *)"agent",
		.country = (char *)"US",
		.category = (char *)"edr",
		.function = SIG_FN_UPDATE,
		.confidence = SIG_CONF_STRONG,
		.first_seen_us = 1000,
		.last_seen_us = 2000,
		.flows = 1 };
}

static void
test_rows(void **state)
{
	const struct {
		struct store_filter f;
		bool in;
	} cases[] = {
		{ { 0 }, true },
		{ { .vendor = "ACME" }, true },
		{ { .vendor = "acme inc." }, true },
		{ { .vendor = "acm" }, false },
		{ { .product = "agent" }, true },
		{ { .product = "acme agent" }, true },
		{ { .product = "other" }, false },
		{ { .country = "us" }, true },
		{ { .country = "IL" }, false },
		{ { .category = "EDR" }, true },
		{ { .category = "vpn" }, false },
		{ { .function = SIG_FN_UPDATE }, true },
		{ { .function = SIG_FN_TELEMETRY }, false },
		{ { .min_confidence = SIG_CONF_STRONG }, true },
		{ { .min_confidence = SIG_CONF_CERTAIN }, false },
		{ { .since_us = 2000 }, true },
		{ { .since_us = 2001 }, false },
		{ { .until_us = 1000 }, true },
		{ { .until_us = 999 }, false },
	};
	struct store_row row = a_row();
	struct store_net none = { 0 }, net;
	struct store_filter all = { 0 }, with = { .forwarders = true };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (store_filter_row(&cases[i].f, &none, &row) != cases[i].in)
			fail_msg("case %zu", i);
	assert_int_equal(store_net_parse("10.9.0.0/16", &net), 0);
	assert_false(store_filter_row(&all, &net, &row));
	row.forwarder = true;
	assert_false(store_filter_row(&all, &none, &row));
	assert_true(store_filter_row(&with, &none, &row));
	row = a_row();
	row.flows = 0; /* its flows turned out to be another product's */
	assert_false(store_filter_row(&all, &none, &row));
	row = a_row();
	row.vendor = row.vendor_id = row.country = NULL;
	assert_false(store_filter_row(&(struct store_filter){ .vendor = "acme" }, &none, &row));
	assert_false(store_filter_row(&(struct store_filter){ .country = "US" }, &none, &row));
}

/* Either end of a flow may be the host. */
static void
test_events(void **state)
{
	struct clf_event e = event_full(CLF_EV_ENDED, 1, "acme", "agent");
	struct store_filter f = { 0 }, vendor = { .vendor = "Acme" }, prefix = { .vendor = "acm" };
	struct store_net net = { 0 };

	(void)state;
	assert_true(store_filter_event(&f, &net, &e));
	assert_true(store_filter_event(&vendor, &net, &e));
	assert_false(store_filter_event(&prefix, &net, &e));
	assert_int_equal(store_net_parse("10.1.2.3", &net), 0);
	assert_true(store_filter_event(&f, &net, &e));
	assert_int_equal(store_net_parse("203.0.113.9", &net), 0);
	assert_true(store_filter_event(&f, &net, &e));
	assert_int_equal(store_net_parse("203.0.113.8", &net), 0);
	assert_false(store_filter_event(&f, &net, &e));
	f.since_us = e.last_us + 1;
	assert_false(store_filter_event(&f, &(struct store_net){ 0 }, &e));
}

static void
test_days(void **state)
{
	char text[11];

	(void)state;
	store_day_text(0, text);
	assert_string_equal(text, "1970-01-01");
	store_day_text(11016, text);
	assert_string_equal(text, "2000-02-29");
	store_day_text(20780, text);
	assert_string_equal(text, "2026-11-23");
	store_day_text(UINT64_MAX, text);
	assert_string_equal(text, "9999-12-31");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nets),
		cmocka_unit_test(test_net_is_a_host),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_days),
	};

	return cmocka_run_group_tests_name("store/filter", tests, NULL, NULL);
}
