/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report: inventory rows as they come, or added up by vendor, product, country, ... The same
 * code over the rows of a scan, of the live daemon, of SQLite and of Redis.
 *
 * Rows that are not grouped stream: up to REPORT_HOLD are held and sorted for reading, more pass on
 * as they come unless a sort was asked for. Groups count distinct hosts exactly; a host that only
 * ever read a vendor's web pages (`portal`) is counted apart. One thread.
 */
#ifndef CTL_REPORT_H
#define CTL_REPORT_H

#include "ctl/cli.h"

enum { REPORT_HOLD = 10000 };

enum ctl_group {
	CTL_BY_ROW,
	CTL_BY_VENDOR,
	CTL_BY_PRODUCT,
	CTL_BY_COUNTRY,
	CTL_BY_FUNCTION,
	CTL_BY_CATEGORY,
	CTL_BY_HOST,
	CTL_BY_SENSOR,
	CTL_BY_MAX
};
/* "vendor", ...; CTL_BY_MAX when it is none. */
enum ctl_group ctl_group_parse(const char *name);
#define CTL_GROUP_NAMES "vendor, product, country, function, category, host, sensor"

enum ctl_sort {
	CTL_SORT_NONE,
	CTL_SORT_VENDOR,
	CTL_SORT_PRODUCT,
	CTL_SORT_COUNTRY,
	CTL_SORT_FUNCTION,
	CTL_SORT_HOST,
	CTL_SORT_HOSTS,
	CTL_SORT_FLOWS,
	CTL_SORT_BYTES,
	CTL_SORT_DROPPED,
	CTL_SORT_FIRST,
	CTL_SORT_LAST,
	CTL_SORT_MAX
};
enum ctl_sort ctl_sort_parse(const char *name);
#define CTL_SORT_NAMES                                                                         \
	"vendor, product, country, function, host, hosts, flows, bytes, dropped, first-seen, " \
	"last-seen"

struct ctl_report_config {
	FILE *to;
	enum ctl_format format;
	enum ctl_group group;
	enum ctl_sort sort;
	uint64_t limit; /* lines, 0 all */
};

/* False: nobody looks at the rows' owner and category. */
bool ctl_report_shows_details(const struct ctl_report_config *config);

struct ctl_report;
struct ctl_report *ctl_report_new(const struct ctl_report_config *config);
/* A store_row_fn; false: no more rows are wanted. */
bool ctl_report_row(void *report, const struct store_row *row);
/* Prints what is held, frees; returns the lines printed. */
uint64_t ctl_report_end(struct ctl_report *r);

#endif
