/* SPDX-License-Identifier: Apache-2.0 */
/* The report: sums, distinct hosts, readers apart, order, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <jansson.h>

#include "ctl/report.h"

static struct store_row
row(char *host, char *vendor, char *product, int function, uint64_t flows)
{
	return (struct store_row){
		.sensor = "s",
		.host = host,
		.vendor = vendor,
		.vendor_id = vendor,
		.product = product,
		.product_id = product,
		.country = strcmp(vendor, "acme") == 0 ? "US" : "IL",
		.names = { "n.example" },
		.n_names = 1,
		.function = (uint8_t)function,
		.confidence = SIG_CONF_STRONG,
		.first_seen_us = 1000000 + flows,
		.last_seen_us = 2000000 + flows,
		.flows = flows,
		.bytes_up = 10,
		.bytes_down = 20,
	};
}

static json_t *
report(enum ctl_group group, enum ctl_sort sort, uint64_t limit)
{
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);
	struct ctl_report_config config = { f, CTL_JSON, group, sort, limit };
	struct ctl_report *r = ctl_report_new(&config);
	struct store_row rows[] = {
		row("10.0.0.2", "acme", "edr", SIG_FN_UPDATE, 1),
		row("10.0.0.1", "acme", "edr", SIG_FN_TELEMETRY, 2),
		row("10.0.0.1", "acme", "edr", SIG_FN_UPDATE, 4),
		row("10.0.0.3", "acme", "site", SIG_FN_PORTAL, 8),
		row("10.0.0.1", "zeta", "vpn", SIG_FN_TUNNEL, 16),
	};

	for (size_t i = 0; i < 5; i++)
		ctl_report_row(r, &rows[i]);
	ctl_report_end(r);
	fclose(f);
	json_t *j = json_loads(out, 0, NULL);
	free(out);
	assert_non_null(j);
	return j;
}

static json_int_t
num(const json_t *a, size_t i, const char *key)
{
	const json_t *v = json_object_get(json_array_get(a, i), key);

	return v ? json_integer_value(v) : -1;
}

static const char *
str(const json_t *a, size_t i, const char *key)
{
	const char *s = json_string_value(json_object_get(json_array_get(a, i), key));

	return s ? s : "";
}

static void
test_rows(void **state)
{
	json_t *a = report(CTL_BY_ROW, CTL_SORT_NONE, 0);

	(void)state;
	assert_int_equal(json_array_size(a), 5);
	assert_string_equal(str(a, 0, "host"), "10.0.0.1"); /* vendor, product, host, function */
	assert_string_equal(str(a, 0, "function"), "update");
	assert_string_equal(str(a, 4, "vendor"), "zeta");
	json_decref(a);
	a = report(CTL_BY_ROW, CTL_SORT_FLOWS, 2);
	assert_int_equal(json_array_size(a), 2);
	assert_int_equal(num(a, 0, "flows"), 16);
	assert_int_equal(num(a, 1, "flows"), 8);
	json_decref(a);
}

static void
test_vendors(void **state)
{
	json_t *a = report(CTL_BY_VENDOR, CTL_SORT_NONE, 0);

	(void)state;
	assert_int_equal(json_array_size(a), 2);
	assert_string_equal(str(a, 0, "vendor"), "acme");
	assert_int_equal(num(a, 0, "hosts"), 2); /* 10.0.0.3 only read a page */
	assert_int_equal(num(a, 0, "portal_hosts"), 1);
	assert_int_equal(num(a, 0, "products"), 2);
	assert_int_equal(num(a, 0, "flows"), 15);
	assert_int_equal(num(a, 0, "bytes_up"), 40);
	assert_int_equal(num(a, 0, "bytes_down"), 80);
	assert_string_equal(str(a, 0, "first_seen"), "1970-01-01T00:00:01.000001Z");
	assert_string_equal(str(a, 0, "last_seen"), "1970-01-01T00:00:02.000008Z");
	assert_null(json_object_get(json_array_get(a, 0), "product"));
	json_decref(a);
}

static void
test_other_groups(void **state)
{
	json_t *a = report(CTL_BY_HOST, CTL_SORT_FLOWS, 0);

	(void)state;
	assert_int_equal(json_array_size(a), 3);
	assert_string_equal(str(a, 0, "host"), "10.0.0.1");
	assert_int_equal(num(a, 0, "products"), 2);
	assert_int_equal(num(a, 0, "flows"), 22);
	json_decref(a);
	a = report(CTL_BY_FUNCTION, CTL_SORT_FLOWS, 1);
	assert_int_equal(json_array_size(a), 1);
	assert_string_equal(str(a, 0, "function"), "tunnel");
	json_decref(a);
	a = report(CTL_BY_PRODUCT, CTL_SORT_NONE, 0);
	assert_int_equal(json_array_size(a), 3);
	json_decref(a);
	a = report(CTL_BY_COUNTRY, CTL_SORT_COUNTRY, 0);
	assert_string_equal(str(a, 0, "country"), "IL");
	json_decref(a);
}

/* By what was asked, else by the group's own name: never by the host that happened to come first.
 */
static void
test_order_of_groups(void **state)
{
	static const struct {
		enum ctl_group group;
		enum ctl_sort sort;
		const char *key, *first, *second;
	} rows[] = {
		{ CTL_BY_VENDOR, CTL_SORT_VENDOR, "vendor", "acme", "zeta" },
		{ CTL_BY_VENDOR, CTL_SORT_DROPPED, "vendor", "acme", "zeta" },
		{ CTL_BY_PRODUCT, CTL_SORT_PRODUCT, "product", "edr", "site" },
		{ CTL_BY_PRODUCT, CTL_SORT_VENDOR, "vendor", "acme", "acme" },
		{ CTL_BY_FUNCTION, CTL_SORT_FUNCTION, "function", "update", "telemetry" },
		{ CTL_BY_HOST, CTL_SORT_HOST, "host", "10.0.0.1", "10.0.0.2" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *a = report(rows[i].group, rows[i].sort, 0);

		assert_string_equal(str(a, 0, rows[i].key), rows[i].first);
		assert_string_equal(str(a, 1, rows[i].key), rows[i].second);
		json_decref(a);
	}
}

/* More rows than are held: they stream in the order they came, all of them. */
static void
test_many(void **state)
{
	char *out = NULL, host[32];
	size_t len;
	FILE *f = open_memstream(&out, &len);
	struct ctl_report_config config = { f, CTL_JSON_LINES, CTL_BY_ROW, CTL_SORT_NONE, 0 };
	struct ctl_report *r = ctl_report_new(&config);

	(void)state;
	for (unsigned i = 0; i < REPORT_HOLD + 500; i++) {
		snprintf(host, sizeof(host), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		struct store_row one = row(host, "acme", "edr", SIG_FN_UPDATE, i);
		assert_true(ctl_report_row(r, &one));
	}
	assert_int_equal(ctl_report_end(r), REPORT_HOLD + 500);
	fclose(f);
	free(out);
	assert_int_equal(ctl_group_parse("vendors"), CTL_BY_MAX);
	assert_int_equal(ctl_sort_parse("last-seen"), CTL_SORT_LAST);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_vendors),
		cmocka_unit_test(test_other_groups),
		cmocka_unit_test(test_order_of_groups),
		cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
