/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts by product and day, out of a store of the test's own: each host once a day whatever it
 * does there, people who read pages not at all, and days of which nothing is known.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "ctl/days.h"
#include "ctl/verbs.h"

#define DAY_US 86400000000ULL
enum { FIRST_DAY = 20000 };

static char dir[64], path[96];

/* One sighting by one sensor, through the store itself. */
static void
see(struct store *store, char *host, char *vendor, char *product, int function, unsigned day)
{
	struct store_row row = {
		.sensor = "any",
		.host = host,
		.vendor = vendor,
		.vendor_id = vendor,
		.product = product,
		.product_id = product,
		.country = "US",
		.function = (uint8_t)function,
		.confidence = SIG_CONF_STRONG,
		.first_seen_us = FIRST_DAY * DAY_US,
		.last_seen_us = (FIRST_DAY + day) * DAY_US + 5,
		.flows = 1,
	};

	assert_int_equal(store_put_row(store, &row), 0);
	assert_int_equal(store_flush(store, 1000), 0);
}

static struct store *
open_as(const char *sensor)
{
	struct store_config config = {
		.url = path, .sensor = sensor, .mode = STORE_WRITE, .timeout_ms = 1000
	};
	struct sig_diag diag = { 0 };
	struct store *store;

	assert_int_equal(store_open(&config, &store, &diag), 0);
	return store;
}

static int
set_up(void **state)
{
	(void)state;
	(void)strcpy(dir, "/tmp/phonehome-days-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/s.db", dir);
	struct store *east = open_as("east");
	see(east, "10.0.0.1", "acme", "edr", SIG_FN_TELEMETRY, 1);
	see(east, "10.0.0.1", "acme", "edr", SIG_FN_UPDATE, 1); /* the same host, the same day */
	see(east, "10.0.0.2", "acme", "edr", SIG_FN_UPDATE, 1);
	see(east, "10.0.0.2", "acme", "edr", SIG_FN_UPDATE, 3);
	see(east, "10.0.0.9", "acme", "web", SIG_FN_PORTAL, 1);
	see(east, "10.0.0.1", "zeta", "edr", SIG_FN_UPDATE, 4); /* one product's id, two vendors */
	store_close(east);
	struct store *west = open_as("west");
	see(west, "10.0.0.2", "acme", "edr", SIG_FN_UPDATE, 3); /* seen by both */
	see(west, "10.0.0.3", "acme", "edr", SIG_FN_UPDATE, 3);
	store_close(west);
	return 0;
}

static int
tear_down(void **state)
{
	static const char *const tails[] = { "", "-wal", "-shm" };
	char name[112];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, tails[i]);
		(void)unlink(name);
	}
	return rmdir(dir);
}

static struct ctl_common
common(unsigned since_day, unsigned until_day)
{
	struct ctl_common c;

	ctl_common_init(&c, &ctl_verb_trend);
	c.store = path;
	c.filter.sensor = "*";
	c.filter.since_us = (FIRST_DAY + since_day) * DAY_US;
	c.filter.until_us = (FIRST_DAY + until_day) * DAY_US + 7;
	return c;
}

static const struct ctl_day_product *
find(const struct ctl_days *d, const char *vendor)
{
	for (unsigned i = 0; i < d->n; i++)
		if (strcmp(d->products[i].vendor_id, vendor) == 0)
			return &d->products[i];
	return NULL;
}

static void
count(void *ctx, unsigned product, unsigned day, const char *host)
{
	(void)product;
	(void)day;
	assert_non_null(host);
	(*(unsigned *)ctx)++;
}

static void
test_hosts_by_day(void **state)
{
	static const uint32_t acme[] = { 0, 2, 0, 2, 0 }, zeta[] = { 0, 0, 0, 0, 1 };
	struct ctl_common c = common(0, 4);
	unsigned called = 0;
	struct ctl_days d = { .on_host = count, .ctx = &called };

	(void)state;
	assert_int_equal(ctl_days_load(&d, &c), CTL_OK);
	assert_int_equal(d.n_days, 5);
	assert_int_equal(d.first, FIRST_DAY);
	assert_int_equal(d.n, 2);
	assert_memory_equal(find(&d, "acme")->hosts, acme, sizeof(acme));
	assert_memory_equal(find(&d, "zeta")->hosts, zeta, sizeof(zeta));
	assert_string_equal(find(&d, "zeta")->country, "US");
	assert_int_equal(called, 2 + 2 + 1); /* once for each (product, day, host) */
	ctl_days_free(&d);
}

static void
test_span_and_filter(void **state)
{
	struct ctl_common c = common(2, 3);
	struct ctl_days d = { 0 };

	(void)state;
	c.filter.sensor = "east";
	assert_int_equal(ctl_days_load(&d, &c), CTL_OK);
	assert_int_equal(d.n_days, 2);
	assert_int_equal(d.n, 1);
	assert_int_equal(d.products[0].hosts[0], 0);
	assert_int_equal(d.products[0].hosts[1], 1);
	ctl_days_free(&d);
}

/* Zero hosts because nobody was there is not zero because nobody looked. */
static void
test_young(void **state)
{
	struct ctl_common before = common(0, 4), after = common(1, 4);
	struct ctl_days d = { .look_back = 1 }, e = { .look_back = 1 };

	(void)state;
	after.filter.vendor = "zeta"; /* has nothing that day; others have */
	assert_int_equal(ctl_days_load(&d, &before), CTL_OK);
	assert_true(d.young);
	assert_int_equal(ctl_days_load(&e, &after), CTL_OK);
	assert_false(e.young);
	ctl_days_free(&d);
	ctl_days_free(&e);
}

static void
test_order(void **state)
{
	struct ctl_day_product a = { "b", "p", "Acme", "EDR", "US", 0, NULL }, b = a;

	(void)state;
	assert_int_equal(ctl_day_product_compare(&a, &b), 0);
	b.vendor = "Bolt";
	assert_true(ctl_day_product_compare(&a, &b) < 0);
	b = a;
	b.product_id = "q"; /* two of one name */
	assert_true(ctl_day_product_compare(&a, &b) < 0);
	char text[16];
	ctl_day_text(20000, text);
	assert_string_equal(text, "2024-10-04");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts_by_day),
		cmocka_unit_test(test_span_and_filter),
		cmocka_unit_test(test_young),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests_name("ctl/days", tests, set_up, tear_down);
}
