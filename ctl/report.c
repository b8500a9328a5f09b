/* SPDX-License-Identifier: Apache-2.0 */
/* The report's rows one by one; groups are in report_group.c. */
#include <stdlib.h>
#include <string.h>

#include "ctl/report_impl.h"
#include "ctl/rows.h"
#include "signatures/base/hash.h"

static const char *const group_names[CTL_BY_MAX] = { "row", "vendor", "product", "country",
	"function", "category", "host", "sensor" };
static const char *const sort_names[CTL_SORT_MAX] = { "", "vendor", "product", "country",
	"function", "host", "hosts", "flows", "bytes", "dropped", "first-seen", "last-seen" };

enum ctl_group
ctl_group_parse(const char *name)
{
	unsigned i = CTL_BY_VENDOR;

	while (i < CTL_BY_MAX && strcmp(group_names[i], name) != 0)
		i++;
	return i;
}

enum ctl_sort
ctl_sort_parse(const char *name)
{
	unsigned i = CTL_SORT_VENDOR;

	while (i < CTL_SORT_MAX && strcmp(sort_names[i], name) != 0)
		i++;
	return i;
}

struct ctl_report *
ctl_report_new(const struct ctl_report_config *config)
{
	struct ctl_report *r = calloc(1, sizeof(*r));
	uint64_t seeds[2];

	if (!r || sig_hash_seed(seeds) < 0) {
		ctl_error("out of memory");
		exit(CTL_FAILED);
	}
	r->config = *config;
	r->seed = seeds[0];
	if (config->group != CTL_BY_ROW)
		report_group_columns(r);
	r->print = ctl_print_new(
	    config->to, config->format, config->group == CTL_BY_ROW ? ctl_row_columns : r->columns);
	return r;
}

/* Copies text into the block at *at. */
static char *
put(char **at, const char *s)
{
	char *here = *at;

	if (!s)
		return NULL;
	strcpy(here, s);
	*at += strlen(s) + 1;
	return here;
}

static size_t
room(const char *s)
{
	return s ? strlen(s) + 1 : 0;
}

/* A copy whose strings lie in one block, which ret->sensor (never NULL) begins. */
static bool
copy_row(struct store_row *ret, const struct store_row *row)
{
	size_t size = room(row->sensor) + room(row->host) + room(row->vendor) +
		      room(row->vendor_id) + room(row->owner) + room(row->country) +
		      room(row->owner_country) + room(row->product) + room(row->product_id) +
		      room(row->category) + room(row->signature) + 1;

	for (unsigned i = 0; i < row->n_names; i++)
		size += room(row->names[i]);
	char *at = malloc(size);
	if (!at)
		return false;
	*ret = *row;
	ret->sensor = put(&at, row->sensor ? row->sensor : "");
	ret->host = put(&at, row->host);
	ret->vendor = put(&at, row->vendor);
	ret->vendor_id = put(&at, row->vendor_id);
	ret->owner = put(&at, row->owner);
	ret->country = put(&at, row->country);
	ret->owner_country = put(&at, row->owner_country);
	ret->product = put(&at, row->product);
	ret->product_id = put(&at, row->product_id);
	ret->category = put(&at, row->category);
	ret->signature = put(&at, row->signature);
	for (unsigned i = 0; i < row->n_names; i++)
		ret->names[i] = put(&at, row->names[i]);
	return true;
}

static int
by_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int
by_number(uint64_t a, uint64_t b) /* greater first */
{
	return a > b ? -1 : a < b;
}

static int
by_key(const struct store_row *a, const struct store_row *b, enum ctl_sort sort)
{
	switch (sort) {
	case CTL_SORT_VENDOR: return by_text(a->vendor, b->vendor);
	case CTL_SORT_PRODUCT: return by_text(a->product, b->product);
	case CTL_SORT_COUNTRY: return by_text(a->country, b->country);
	case CTL_SORT_FUNCTION: return (int)a->function - (int)b->function;
	case CTL_SORT_HOST: return ctl_host_compare(a->host ? a->host : "", b->host ? b->host : "");
	case CTL_SORT_FLOWS: return by_number(a->flows, b->flows);
	case CTL_SORT_BYTES:
		return by_number(a->bytes_up + a->bytes_down, b->bytes_up + b->bytes_down);
	case CTL_SORT_DROPPED: return by_number(a->dropped, b->dropped);
	case CTL_SORT_FIRST: return by_number(b->first_seen_us, a->first_seen_us);
	case CTL_SORT_LAST: return by_number(a->last_seen_us, b->last_seen_us);
	default: return 0;
	}
}

static int
compare_rows(const void *pa, const void *pb, void *sort)
{
	static const enum ctl_sort order[] = { CTL_SORT_VENDOR, CTL_SORT_PRODUCT, CTL_SORT_HOST,
		CTL_SORT_FUNCTION };
	int c = by_key(pa, pb, *(enum ctl_sort *)sort);

	for (unsigned i = 0; c == 0 && i < sizeof(order) / sizeof(order[0]); i++)
		c = by_key(pa, pb, order[i]);
	return c ? c
		 : by_text(((const struct store_row *)pa)->sensor,
		       ((const struct store_row *)pb)->sensor);
}

static bool
print_one(struct ctl_report *r, const struct store_row *row)
{
	if (r->config.limit && r->printed >= r->config.limit)
		return false;
	r->printed++;
	return ctl_print_inventory(r->print, row);
}

static void
print_held(struct ctl_report *r, bool sorted)
{
	bool go = true;

	if (sorted && r->n_held != 0)
		qsort_r(r->held, r->n_held, sizeof(*r->held), compare_rows, &r->config.sort);
	for (size_t i = 0; i < r->n_held; i++) {
		go = go && print_one(r, &r->held[i]);
		free(r->held[i].sensor);
	}
	r->n_held = 0;
}

static bool
hold(struct ctl_report *r, const struct store_row *row)
{
	if (r->n_held == r->cap_held) {
		size_t cap = r->cap_held ? r->cap_held * 2 : 256;
		struct store_row *held = reallocarray(r->held, cap, sizeof(*held));
		if (!held)
			return false;
		r->held = held;
		r->cap_held = cap;
	}
	if (!copy_row(&r->held[r->n_held], row))
		return false;
	r->n_held++;
	return true;
}

/* Of sorted rows no more than the limit will be printed: the others need no room. */
static void
drop_last(struct ctl_report *r)
{
	qsort_r(r->held, r->n_held, sizeof(*r->held), compare_rows, &r->config.sort);
	while (r->n_held > r->config.limit)
		free(r->held[--r->n_held].sensor);
}

bool
ctl_report_row(void *report, const struct store_row *row)
{
	struct ctl_report *r = report;

	if (r->config.group != CTL_BY_ROW)
		return report_group_add(r, row);
	if (!r->streaming && r->config.sort == CTL_SORT_NONE && r->n_held == REPORT_HOLD) {
		r->streaming = true;
		print_held(r, false);
	}
	if (r->streaming)
		return print_one(r, row);
	if (r->config.sort != CTL_SORT_NONE && r->config.limit > 0 && r->n_held >= REPORT_HOLD &&
	    r->n_held / 2 >= r->config.limit)
		drop_last(r);
	if (hold(r, row))
		return true;
	ctl_error("out of memory after %zu rows: leave out --sort, or filter", r->n_held);
	return false;
}

uint64_t
ctl_report_end(struct ctl_report *r)
{
	uint64_t printed;

	if (r->config.group == CTL_BY_ROW)
		print_held(r, true);
	else
		report_group_print(r);
	printed = ctl_print_end(r->print);
	report_group_free(r);
	free(r->held);
	free(r);
	return printed;
}
