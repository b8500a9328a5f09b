/* SPDX-License-Identifier: Apache-2.0 */
/* phonehome trend: hosts per product and day, as a table with a chart. */
#include <stdlib.h>
#include <string.h>

#include "ctl/days.h"
#include "ctl/print.h"
#include "ctl/verbs.h"

static const struct ctl_opt opts[] = {
	CTL_OPTS_FILTER,
	CTL_OPT_LIMIT,
	CTL_OPTS_SOURCE,
	CTL_OPT_JSON,
	CTL_OPT_CSV,
	CTL_OPT_HELP,
	{ 0 },
};

static const struct ctl_column day_columns[] = {
	{ "day", "DAY", 0, 0 },
	{ "vendor", "VENDOR", 0, 0 },
	{ "product", "PRODUCT", 8, 0 },
	{ "hosts", "HOSTS", 0, 0 },
	{ 0 },
};
static const struct ctl_column columns[] = {
	{ "vendor", "VENDOR", 8, 0 },
	{ "product", "PRODUCT", 8, 0 },
	{ "first", "FIRST", 0, 0 },
	{ "peak", "PEAK", 0, 0 },
	{ "last", "LAST", 0, 0 },
	{ "change", "CHANGE", 0, 0 },
	{ "chart", "HOSTS BY DAY", 20, 0 },
	{ 0 },
};

enum { CHART_MAX = 60, BAR = 50 };

/* One character a day (or for several days, their peak) of rising darkness; '_' is none. */
static void
chart(const uint32_t *hosts, unsigned n_days, char out[static CHART_MAX + 1])
{
	static const char levels[] = ".:-=+*#%@";
	unsigned cells = n_days < CHART_MAX ? n_days : CHART_MAX;
	uint32_t peak = 1;

	for (unsigned i = 0; i < n_days; i++)
		peak = hosts[i] > peak ? hosts[i] : peak;
	for (unsigned c = 0; c < cells; c++) {
		uint32_t most = 0;
		for (unsigned i = c * n_days / cells; i < (c + 1) * n_days / cells; i++)
			most = hosts[i] > most ? hosts[i] : most;
		out[c] = most == 0 ? '_'
				   : levels[(uint64_t)(most * (sizeof(levels) - 2ULL)) / peak];
	}
	out[cells] = '\0';
}

/* Days before the store knew the product say nothing: the first and last day that any host showed.
 */
static bool
span(const uint32_t *hosts, unsigned n, unsigned *ret_first, uint32_t *ret_peak)
{
	bool any = false;

	*ret_peak = 0;
	for (unsigned i = 0; i < n; i++) {
		if (hosts[i] > 0 && !any)
			*ret_first = i;
		any |= hosts[i] > 0;
		*ret_peak = hosts[i] > *ret_peak ? hosts[i] : *ret_peak;
	}
	return any;
}

static void
print_days(const struct ctl_days *d, enum ctl_format format)
{
	struct ctl_print *p = ctl_print_new(stdout, format, day_columns);
	char day[16];

	for (unsigned i = 0; i < d->n; i++)
		for (unsigned k = 0; k < d->n_days; k++) {
			if (d->products[i].hosts[k] == 0)
				continue;
			ctl_day_text(d->first + k, day);
			struct ctl_value v[] = {
				ctl_text(day),
				ctl_text(d->products[i].vendor),
				ctl_fact(d->products[i].product),
				ctl_number(CTL_K_UINT, d->products[i].hosts[k]),
			};
			ctl_print_row(p, v);
		}
	ctl_print_end(p);
}

static void
print_charts(const struct ctl_days *d)
{
	struct ctl_print *p = ctl_print_new(stdout, CTL_TABLE, columns);

	for (unsigned i = 0; i < d->n; i++) {
		const struct ctl_day_product *product = &d->products[i];
		char line[CHART_MAX + 1];
		unsigned first = 0;
		uint32_t peak;
		if (!span(product->hosts, d->n_days, &first, &peak))
			continue;
		/* Today is not over: the last whole day counts when today is still lower. */
		uint32_t last = product->hosts[d->n_days - 1];
		if (d->n_days > 1 && product->hosts[d->n_days - 2] > last)
			last = product->hosts[d->n_days - 2];
		chart(product->hosts, d->n_days, line);
		struct ctl_value v[] = {
			ctl_text(product->vendor),
			ctl_fact(product->product),
			ctl_number(CTL_K_UINT, product->hosts[first]),
			ctl_number(CTL_K_UINT, peak),
			ctl_number(CTL_K_UINT, last),
			{ .kind = CTL_K_INT, .i = (int64_t)last - product->hosts[first] },
			ctl_text(line),
		};
		v[5].tone = v[5].i < 0 ? CTL_GOOD : v[5].i > 0 ? CTL_WARN : CTL_PLAIN;
		ctl_print_row(p, v);
	}
	ctl_print_end(p);
}

/* One product alone is worth a line a day. */
static void
print_bars(const struct ctl_days *d)
{
	const struct ctl_day_product *product = &d->products[0];
	unsigned first = 0;
	uint32_t peak = 0;
	char day[16];

	if (!span(product->hosts, d->n_days, &first, &peak))
		return;
	printf("%s (%s): hosts by day\n", product->product, product->vendor);
	for (unsigned i = first; i < d->n_days; i++) {
		unsigned bar = (unsigned)((uint64_t)product->hosts[i] * BAR / peak);
		ctl_day_text(d->first + i, day);
		printf("%s  %6u  ", day, product->hosts[i]);
		for (unsigned k = 0; k < bar; k++)
			putchar('#');
		putchar('\n');
	}
}

static int
by_name(const void *pa, const void *pb)
{
	const struct ctl_day_product *a = pa, *b = pb;
	int c = strcmp(a->vendor, b->vendor);

	return c ? c : strcmp(a->product, b->product);
}

static int
run(int argc, char **argv)
{
	struct ctl_days d = { 0 };
	struct ctl_common c;

	ctl_common_init(&c, &ctl_verb_trend);
	c.filter.since_us = c.now_us - 30 * 86400ULL * 1000000ULL;
	int code = ctl_common_args(&c, argc, argv, NULL, 0, NULL);
	if (code >= 0)
		return code;
	code = ctl_days_load(&d, &c);
	if (code == CTL_OK) {
		if (d.n > 0)
			qsort(d.products, d.n, sizeof(*d.products), by_name);
		if (c.format != CTL_TABLE)
			print_days(&d, c.format);
		else if (d.n == 0)
			ctl_note("no product was seen in this span");
		else if (d.n == 1)
			print_bars(&d);
		else
			print_charts(&d);
	}
	ctl_days_free(&d);
	return ctl_finish(code);
}

const struct ctl_verb ctl_verb_trend = {
	.name = "trend",
	.group = "phase out",
	.usage = "[FILTER...] [--since 30d] [--json|--csv]",
	.summary = "is it getting less: hosts per product and day, as a table and a chart",
	.about = "Counts inside hosts that showed a product on each day (UTC) of the last 30, from "
		 "the store. One\n"
		 "product alone is shown a day a line. JSON and CSV: one entry for each product "
		 "and day.",
	.examples = "phonehome trend\n"
		    "phonehome trend --product falcon --since 90d\n"
		    "phonehome trend --country US --csv > us-by-day.csv",
	.opts = opts,
	.run = run,
};
