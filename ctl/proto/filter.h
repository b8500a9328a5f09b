/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store_filter with its own memory: as parameters of `report` and `flows`, and applied to rows
 * and records in memory. The daemon and the command judge by the same function, so that a filter
 * means the same wherever the rows come from. Immutable once made; any thread may match.
 */
#ifndef CTL_PROTO_FILTER_H
#define CTL_PROTO_FILTER_H

#include <jansson.h>
#include <stdbool.h>

#include "ctl/proto/rpc.h"
#include "ctl/store/store.h"

struct proto_filter {
	struct store_filter f;	       /* strings are owned by this struct */
	char cursor[PROTO_CURSOR_MAX]; /* "" = from the start */
	unsigned page;		       /* rows or records in one page, 1..PROTO_PAGE_MAX */
};

/*
 * Parameters of a request: sensor, vendor, product, country, host, category, function,
 * min_confidence, since, until, forwarders, limit, cursor, page. NULL: no filter. 0, or -EINVAL
 * with one line in why[128] for PROTO_E_PARAMS (an unknown key is an error too).
 */
int proto_filter_parse(const json_t *params, struct proto_filter *ret, char why[static 128]);
void proto_filter_free(struct proto_filter *filter);
/* The parameters that ask for this filter. cursor NULL or "": none. NULL: no memory. */
json_t *proto_filter_json(const struct store_filter *f, const char *cursor, unsigned page);

/* vendor, product, country and category may be lists, "US,IL": here, not in the stores. The limit
 * is the caller's affair. A row of a sensor when f->sensor is NULL: any. */
bool proto_filter_row(const struct store_filter *f, const struct store_row *row);
bool proto_filter_record(
    const struct store_filter *f, const struct clf_event *record, const char *sensor);

/* `host` of a filter: an address or a network ("10.1.0.0/16", "2001:db8::/32"). */
bool proto_host_ok(const char *host);
bool proto_host_match(const char *host, const char *address);

#endif
