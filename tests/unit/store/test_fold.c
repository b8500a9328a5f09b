/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fold: events of flows, in and out of order, against the records and rows they must give.
 * The property that carries the rest: totals over rows = totals over matched records.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "tests/unit/store/events.h"

struct totals {
	uint64_t flows, up, down, dropped;
	unsigned rows, records;
};

static void
on_record(void *ctx, const struct clf_event *e)
{
	struct totals *t = ctx;

	t->records++;
	if (e->vendor.len == 0 || e->sig_artefact)
		return;
	t->flows++;
	t->up += e->bytes[CLF_UP];
	t->down += e->bytes[CLF_DOWN];
	t->dropped += e->verdict == CLF_DROP || e->verdict == CLF_RESET;
}

static bool
on_row(void *ctx, const struct store_row *row)
{
	struct totals *t = ctx;

	t->rows++;
	t->flows += row->flows;
	t->up += row->bytes_up;
	t->down += row->bytes_down;
	t->dropped += row->dropped;
	return true;
}

static struct store_fold *
fold_of(struct totals *records, uint32_t max_pending, uint32_t max_rows)
{
	struct store_fold_config config = { .sensor = "here",
		.max_pending = max_pending,
		.max_rows = max_rows,
		.on_record = on_record,
		.ctx = records };
	struct store_fold *fold = store_fold_new(&config);

	assert_non_null(fold);
	return fold;
}

static struct totals
rows_of(struct store_fold *fold)
{
	struct totals t = { 0 };

	store_fold_rows(fold, false, false, on_row, &t);
	return t;
}

static bool
copy_row(void *ctx, const struct store_row *row)
{
	store_row_free(ctx);
	assert_int_equal(store_row_copy(row, ctx), 0);
	return false;
}

static void
feed(struct store_fold *fold, struct clf_event e)
{
	assert_int_equal(store_fold_event(fold, &e), 0);
}

static void
test_join(void **state)
{
	struct totals records = { 0 };
	struct store_fold *fold = fold_of(&records, 0, 0);
	struct store_row row = { 0 };

	(void)state;
	feed(fold, event_full(CLF_EV_DECIDED, 1, "crowdstrike", "falcon"));
	assert_int_equal(records.records, 0);
	assert_int_equal(rows_of(fold).flows, 1); /* reported while it still runs */
	feed(fold, event_full(CLF_EV_UPDATED, 1, "crowdstrike", "falcon"));
	assert_int_equal(rows_of(fold).flows, 1);
	feed(fold, event_of(CLF_EV_ENDED, 1, 7000, 90000));
	assert_int_equal(records.records, 1);
	assert_int_equal(records.up, 7000);
	assert_int_equal(records.down, 90000);
	store_fold_rows(fold, false, false, copy_row, &row);
	assert_string_equal(row.host, "10.1.2.3");
	assert_string_equal(row.sensor, "here");
	assert_string_equal(row.vendor_id, "crowdstrike");
	assert_string_equal(row.country, "US");
	assert_string_equal(row.names[0], "host.example.com");
	assert_int_equal(row.n_names, 1);
	assert_int_equal(row.flows, 1);
	assert_int_equal(row.bytes_up, 7000);
	assert_int_equal(row.bytes_down, 90000);
	assert_int_equal(row.function, SIG_FN_TELEMETRY);
	assert_int_equal(row.confidence, SIG_CONF_CERTAIN);
	assert_false(row.forwarder);
	assert_false(row.dns_only);
	assert_int_equal(row.first_seen_us, 1796207300000000ULL);
	store_row_free(&row);
	store_fold_free(fold);
}

/* Another product after all: the counts move, the first row is left with nothing. */
static void
test_reattributed(void **state)
{
	struct totals records = { 0 }, rows;
	struct store_fold *fold = fold_of(&records, 0, 0);
	struct clf_event e = event_full(CLF_EV_UPDATED, 1, "sophos", "intercept-x");

	(void)state;
	feed(fold, event_full(CLF_EV_DECIDED, 1, "crowdstrike", "falcon"));
	e.verdict = CLF_DROP;
	feed(fold, e);
	feed(fold, event_of(CLF_EV_ENDED, 1, 10, 20));
	rows = rows_of(fold);
	assert_int_equal(rows.rows, 1);
	assert_int_equal(rows.flows, 1);
	assert_int_equal(rows.up, 10);
	assert_int_equal(rows.down, 20);
	assert_int_equal(rows.dropped, 1);
	rows = (struct totals){ 0 };
	store_fold_rows(fold, true, true, on_row, &rows); /* the store hears of both */
	assert_int_equal(rows.rows, 2);
	rows = (struct totals){ 0 };
	store_fold_rows(fold, true, true, on_row, &rows);
	assert_int_equal(rows.rows, 0);
	store_fold_free(fold);
}

static void
test_unmatched_and_artefact(void **state)
{
	struct totals records = { 0 };
	struct store_fold *fold = fold_of(&records, 0, 0);
	struct clf_event e = event_full(CLF_EV_ENDED, 2, "acme", "filter");

	(void)state;
	feed(fold, event_full(CLF_EV_ENDED, 1, "", ""));
	e.sig_artefact = 1;
	feed(fold, e);
	assert_int_equal(records.records, 2);
	assert_int_equal(rows_of(fold).rows, 0);
	store_fold_free(fold);
}

static void
test_inside_end(void **state)
{
	static const struct {
		int src, dst;
		const char *host;
	} rows[] = {
		{ 1, 0, "10.1.2.3" },
		{ 0, 1, "203.0.113.9" },
		{ 0, 0, "10.1.2.3" },
		{ 1, 1, "10.1.2.3" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct totals records = { 0 };
		struct store_fold *fold = fold_of(&records, 0, 0);
		struct clf_event e = event_full(CLF_EV_ENDED, 1, "acme", "agent");
		struct store_row row = { 0 };

		e.src_inside = (uint8_t)rows[i].src;
		e.dst_inside = (uint8_t)rows[i].dst;
		feed(fold, e);
		store_fold_rows(fold, false, false, copy_row, &row);
		assert_string_equal(row.host, rows[i].host);
		store_row_free(&row);
		store_fold_free(fold);
	}
}

static void
test_bounds(void **state)
{
	struct totals records = { 0 }, rows;
	struct store_fold *fold = fold_of(&records, 10, 5);
	const struct store_fold_stats *stats = store_fold_stats(fold);
	char product[16];

	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		(void)snprintf(product, sizeof(product), "p%u", i % 8);
		feed(fold, event_full(CLF_EV_DECIDED, i, "acme", product));
	}
	assert_int_equal(stats->pending_now, 10);
	assert_int_equal(stats->pending_full, 20);
	assert_int_equal(records.records, 20); /* the oldest, with what was known */
	assert_int_equal(stats->rows_now, 5);
	assert_true(stats->rows_full > 0);
	feed(fold, event_of(CLF_EV_ENDED, 0, 1, 1)); /* its record was given already */
	assert_int_equal(stats->orphans, 1);
	assert_int_equal(records.records, 20);
	store_fold_flush(fold);
	assert_int_equal(records.records, 30);
	rows = rows_of(fold);
	assert_int_equal(rows.rows, 5);
	assert_int_equal(rows.flows, 30 - stats->rows_full);
	store_fold_free(fold);
}

static void
test_dns_only(void **state)
{
	struct totals records = { 0 };
	struct store_fold *fold = fold_of(&records, 0, 0);
	struct clf_event e = event_full(CLF_EV_ENDED, 1, "acme", "agent");
	struct store_row row = { 0 };

	(void)state;
	e.name_source = SIG_F_DNS_QNAME;
	feed(fold, e);
	store_fold_rows(fold, false, false, copy_row, &row);
	assert_true(row.dns_only);
	feed(fold, event_full(CLF_EV_ENDED, 2, "acme", "agent"));
	store_fold_rows(fold, false, false, copy_row, &row);
	assert_false(row.dns_only);
	assert_int_equal(row.flows, 2);
	store_row_free(&row);
	store_fold_free(fold);
}

/* n vendors' names asked by DNS, own connections to `own` of them first. */
static bool
forwards(unsigned dns, unsigned own, enum sig_function function)
{
	struct totals records = { 0 };
	struct store_fold *fold = fold_of(&records, 0, 0);
	struct store_row row = { 0 };
	char vendor[16];
	bool forwarder;

	for (unsigned i = 0; i < dns + own; i++) {
		struct clf_event e;

		(void)snprintf(vendor, sizeof(vendor), "v%u", i < own ? i : i - own);
		e = event_full(CLF_EV_ENDED, i, vendor, "agent");
		e.name_source = i < own ? SIG_F_TLS_SNI : SIG_F_DNS_QNAME;
		e.function = (uint8_t)function;
		feed(fold, e);
	}
	store_fold_rows(fold, false, false, copy_row, &row);
	forwarder = row.forwarder;
	store_row_free(&row);
	store_fold_free(fold);
	return forwarder;
}

static void
test_forwarders(void **state)
{
	struct totals records = { 0 };
	struct store_fold *fold;
	struct store_row row = { 0 };
	struct clf_event e;

	(void)state;
	assert_true(forwards(8, 0, SIG_FN_UPDATE));
	assert_true(forwards(8, 1, SIG_FN_UPDATE));
	assert_false(forwards(8, 2, SIG_FN_UPDATE));
	assert_false(forwards(7, 0, SIG_FN_UPDATE));
	assert_true(forwards(0, 12, SIG_FN_UPDATE));
	assert_false(forwards(0, 11, SIG_FN_UPDATE));
	assert_false(forwards(16, 0, SIG_FN_PORTAL));

	/* a resolver: three inside hosts ask it; what it then asks for is others' */
	fold = fold_of(&records, 0, 0);
	for (unsigned i = 0; i < 3; i++) {
		e = event_full(CLF_EV_ENDED, i, "", "");
		e.name_source = SIG_F_DNS_QNAME;
		e.dst_inside = 1;
		e.dst_port = 53;
		e.src.bytes[3] = (uint8_t)(10 + i);
		feed(fold, e);
	}
	e = event_full(CLF_EV_ENDED, 9, "acme", "agent");
	e.src = e.dst; /* the resolver's address */
	feed(fold, e);
	store_fold_rows(fold, false, false, copy_row, &row);
	assert_true(row.forwarder);
	assert_int_equal(store_fold_stats(fold)->forwarders_now, 1);
	store_row_free(&row);
	store_fold_free(fold);
}

static void
test_preload(void **state)
{
	struct totals records = { 0 }, rows;
	struct store_fold *fold = fold_of(&records, 0, 0);
	struct store_row row = { .sensor = "here",
		.host = "10.1.2.3",
		.vendor = "Acme before it was sold",
		.vendor_id = "acme",
		.country = "FR",
		.product = "Agent of old",
		.product_id = "agent",
		.function = SIG_FN_TELEMETRY,
		.flows = 41,
		.bytes_up = 1,
		.bytes_down = 2,
		.first_seen_us = 5,
		.last_seen_us = 6 };

	(void)state;
	assert_int_equal(store_fold_preload(fold, &row), 0);
	rows = (struct totals){ 0 };
	store_fold_rows(fold, true, true, on_row, &rows);
	assert_int_equal(rows.rows, 0); /* nothing new to store */
	feed(fold, event_full(CLF_EV_ENDED, 1, "acme", "agent"));
	rows = rows_of(fold);
	assert_int_equal(rows.rows, 1);
	assert_int_equal(rows.flows, 42);
	assert_int_equal(rows.up, 1 + 1001);
	struct store_row now = { 0 };
	store_fold_rows(fold, false, false, copy_row, &now);
	assert_string_equal(now.vendor, "acme"); /* as the flow's packs have it */
	assert_string_equal(now.country, "US");
	assert_string_equal(now.product, "agent");
	store_row_free(&now);
	row.host = "not an address";
	assert_int_equal(store_fold_preload(fold, &row), -EINVAL);
	store_fold_free(fold);
}

/* Any order of events, small tables: the rows' totals are the matched records' totals. */
static void
test_totals_property(void **state)
{
	static const char *const vendors[] = { "", "a", "b", "c" };

	(void)state;
	srandom(7);
	for (unsigned round = 0; round < 50; round++) {
		struct totals records = { 0 }, rows;
		struct store_fold *fold = fold_of(&records, 1 + (uint32_t)random() % 40, 0);

		for (unsigned i = 0; i < 500; i++) {
			uint64_t id = (uint64_t)random() % 60;
			struct clf_event e = event_of(1 + (int)(random() % 3), id,
			    (uint64_t)random() % 10000, (uint64_t)random() % 10000);

			if (e.type != CLF_EV_ENDED || random() % 3 == 0)
				event_details(&e, vendors[random() % 4], "p", "n.example");
			if (e.vendor.len == 0)
				e.product = e.product_id = (struct clf_str){ 0, 0 };
			e.verdict = (uint8_t)(random() % 5);
			e.src.bytes[3] = (uint8_t)(random() % 4);
			feed(fold, e);
		}
		store_fold_flush(fold);
		rows = rows_of(fold);
		assert_int_equal(rows.flows, records.flows);
		assert_int_equal(rows.up, records.up);
		assert_int_equal(rows.down, records.down);
		assert_int_equal(rows.dropped, records.dropped);
		store_fold_free(fold);
	}
}

static void
test_hostile_name(void **state)
{
	struct totals records = { 0 };
	struct store_fold *fold = fold_of(&records, 0, 0);
	struct clf_event e = event_of(CLF_EV_ENDED, 1, 1, 1);
	struct store_row row = { 0 };

	(void)state;
	event_details(&e, "acme", "agent", "a\033[31m\"b\n");
	feed(fold, e);
	store_fold_rows(fold, false, false, copy_row, &row);
	assert_string_equal(row.names[0], "a\\x1b[31m\"b\\x0a");
	store_row_free(&row);
	store_fold_free(fold);
}

struct seen_rows {
	bool seen[1024];
	unsigned again, n, left; /* left: of this page */
};

static bool
see_row(void *ctx, const struct store_row *row)
{
	struct seen_rows *s = ctx;
	unsigned p = (unsigned)atoi(row->product_id + 1);

	assert_true(p < 1024);
	s->again += s->seen[p];
	s->seen[p] = true;
	s->n++;
	return --s->left > 0;
}

static void
feed_product(struct store_fold *fold, unsigned i)
{
	struct clf_event e = event_of(CLF_EV_ENDED, i + 1, 1, 1);
	char product[16];

	(void)snprintf(product, sizeof(product), "p%u", i);
	event_details(&e, "acme", product, "a.example");
	feed(fold, e);
}

/* Rows that come between two pages shift nothing: each is seen once, and none is left out. */
static void
test_pages(void **state)
{
	struct totals records = { 0 };
	struct store_fold *fold = fold_of(&records, 0, 0);
	struct seen_rows *s = calloc(1, sizeof(*s));
	uint64_t at = 0;
	unsigned made = 0;

	(void)state;
	assert_non_null(s);
	for (; made < 500; made++)
		feed_product(fold, made);
	do {
		s->left = 7;
		at = store_fold_page(fold, at, 5 + made % 5, see_row, s);
		if (made < 1000)
			for (unsigned k = 0; k < 5; k++)
				feed_product(fold, made++);
	} while (at < store_fold_stats(fold)->rows_now);
	assert_int_equal(made, 1000);
	assert_int_equal(s->n, 1000);
	assert_int_equal(s->again, 0);
	assert_int_equal(store_fold_page(fold, at + 99, 7, see_row, s), at); /* beyond the end */
	assert_int_equal(s->n, 1000);
	free(s);
	store_fold_free(fold);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_join),
		cmocka_unit_test(test_reattributed),
		cmocka_unit_test(test_unmatched_and_artefact),
		cmocka_unit_test(test_inside_end),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_dns_only),
		cmocka_unit_test(test_forwarders),
		cmocka_unit_test(test_preload),
		cmocka_unit_test(test_totals_property),
		cmocka_unit_test(test_hostile_name),
		cmocka_unit_test(test_pages),
	};

	return cmocka_run_group_tests_name("store/fold", tests, NULL, NULL);
}
