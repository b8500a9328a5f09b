/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the report; only report*.c include this. */
#ifndef CTL_REPORT_IMPL_H
#define CTL_REPORT_IMPL_H

#include "ctl/print.h"
#include "ctl/report.h"
#include "ctl/seen.h"
#include "ctl/store/record.h"

enum { GROUP_NAMES_MAX = 4 };

/* Rows that belong together. Its strings are the report's. */
struct group {
	char *key;
	uint64_t hash;
	char *vendor, *owner, *country, *product, *category, *host, *sensor;
	char *names[GROUP_NAMES_MAX]; /* evidence of the surest rows */
	unsigned n_names;
	uint8_t function, confidence;
	uint64_t hosts, portal_hosts, products, flows, bytes_up, bytes_down, dropped;
	uint64_t first_us, last_us;
};

struct ctl_report {
	struct ctl_report_config config;
	struct ctl_print *print;
	uint64_t printed;

	struct store_row *held; /* rows with their strings in one block each (row.sensor) */
	size_t n_held, cap_held;
	bool streaming;

	struct group *groups;
	uint32_t *index; /* of groups by hash; 0 empty, else number + 1 */
	size_t n_groups, cap_groups, cap_index;
	struct ctl_seen seen; /* which (group, host) pairs were counted */
	uint64_t seed;
	struct ctl_column columns[PRINT_COLUMNS_MAX];
};

/* report_group.c */
bool report_group_add(struct ctl_report *r, const struct store_row *row);
void report_group_print(struct ctl_report *r);
void report_group_free(struct ctl_report *r);
/* The report's columns when it is grouped. */
void report_group_columns(struct ctl_report *r);

#endif
