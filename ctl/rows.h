/* SPDX-License-Identifier: Apache-2.0 */
/* How an inventory row and a flow record look: columns and values for the printer. */
#ifndef CTL_ROWS_H
#define CTL_ROWS_H

#include "ctl/print.h"
#include "ctl/store/record.h"

extern const struct ctl_column ctl_row_columns[];
bool ctl_print_inventory(struct ctl_print *p, const struct store_row *row);

/* In tables the sensor has a column where flows may be of several. Static, one at a time. */
const struct ctl_column *ctl_flow_columns(bool of_sensors);
/* sensor NULL: not shown. */
bool ctl_print_flow(struct ctl_print *p, const struct clf_event *record, const char *sensor);

#endif
