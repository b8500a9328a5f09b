/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the printer; only print*.c include this. */
#ifndef CTL_PRINT_IMPL_H
#define CTL_PRINT_IMPL_H

#include "ctl/print.h"

struct print_cell {
	char *text; /* malloced, printable; NULL = empty */
	uint8_t tone;
};

struct ctl_print {
	FILE *to;
	enum ctl_format format;
	const struct ctl_column *columns;
	unsigned n; /* columns */
	uint64_t rows;
	bool colours;
	unsigned width; /* of the terminal, 0 no limit */

	/* tables only */
	struct print_cell *held; /* n cells a row, PRINT_HOLD rows */
	unsigned n_held;
	bool settled;						 /* widths are fixed */
	unsigned widths[PRINT_COLUMNS_MAX];			 /* 0: not shown */
	bool right[PRINT_COLUMNS_MAX], times[PRINT_COLUMNS_MAX]; /* by what they hold */
	bool filled[PRINT_COLUMNS_MAX];	  /* some cell is neither empty nor 0 */
	bool left_out[PRINT_COLUMNS_MAX]; /* for want of room */
};

void ctl_table_row(struct ctl_print *p, const struct ctl_value *values);
void
ctl_table_settle(struct ctl_print *p); /* fixes the widths, prints the heading and what is held */
void ctl_table_free(struct ctl_print *p);

/* A list as one text, printable; malloced. */
char *ctl_value_joined(const struct ctl_value *v, const char *between, bool facts);

#endif
