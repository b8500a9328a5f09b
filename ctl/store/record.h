/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flow records and inventory rows as the command, the daemon's recorder and the stores share them.
 *
 * A record is a clf_event with details and final (or current) counters, plus the sensor's name.
 * A row is what events fold into: one per (sensor, inside host, product, function).
 * `store_fold` turns the one into the other; scan and the recorder both use it, so both doors
 * give the same report. One thread at a time per fold.
 */
#ifndef CTL_STORE_RECORD_H
#define CTL_STORE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classifier/event.h"

enum { STORE_ROW_NAMES_MAX = 8, STORE_SENSOR_MAX = 64 };

/* Inventory row. Strings are NUL-terminated, escaped (sig_text_escape()), owned by the row. */
struct store_row {
	char *sensor, *host; /* host: textual address */
	char *vendor, *vendor_id, *owner, *country, *owner_country;
	char *product, *product_id, *category, *signature;
	char *names[STORE_ROW_NAMES_MAX];
	unsigned n_names;
	uint8_t function;   /* enum sig_function */
	uint8_t confidence; /* best seen */
	bool forwarder;	    /* the host speaks for others: ctl/store/README.md, "Forwarders" */
	bool dns_only;	    /* every sighting was a DNS question: it asked, nothing more is known */
	uint64_t first_seen_us, last_seen_us;
	uint64_t flows, bytes_up, bytes_down,
	    dropped; /* absolute totals; dropped: flows dropped or reset */
};
void store_row_free(struct store_row *row); /* frees what it points to, not the row itself */
int store_row_copy(const struct store_row *row, struct store_row *ret); /* deep; 0 or -ENOMEM */

/*
 * Text that came back from a store, made fit to show: printable ASCII and well-formed UTF-8 stay as
 * they are, anything else is escaped whole. malloc()ed, at most `max` bytes; NULL: no memory.
 */
char *store_text_clean(const void *text, size_t len, size_t max);

struct store_fold;

struct store_fold_config {
	const char *sensor;
	uint32_t max_pending; /* live flows whose details are held until they end */
	uint32_t max_rows;    /* inventory rows held */
	/* each finished (or given up for room) record, once; details included */
	void (*on_record)(void *ctx, const struct clf_event *record);
	void *ctx;
};
struct store_fold_stats {
	uint64_t events, records, pending_now, rows_now;
	uint64_t pending_full; /* records passed on early, without final counters */
	uint64_t rows_full;    /* sightings that found no room for a new row */
	uint64_t orphans;      /* updates and ends of flows whose details had to go */
	uint64_t invalid;
	uint64_t hosts_full; /* sightings of hosts that could not be watched for forwarding */
	uint64_t forwarders_now;
};

struct store_fold *store_fold_new(const struct store_fold_config *config);
void store_fold_free(struct store_fold *fold);
int store_fold_event(struct store_fold *fold, const struct clf_event *event);
/* Flows with details that have not ended, oldest first: each as it was last told. */
void store_fold_open(
    const struct store_fold *fold, void (*fn)(void *ctx, const struct clf_event *event), void *ctx);
/* Passes on what is still pending (end of a capture, stop of the daemon). */
void store_fold_flush(struct store_fold *fold);
const struct store_fold_stats *store_fold_stats(const struct store_fold *fold);

/* Rows. `dirty_only`: those changed since they were last visited with clear = true; among them may
 * be rows of 0 flows, whose flows turned out to be another product's: the store must hear of it,
 * readers skip them. The callback returns false to stop. Rows given are valid during the call. */
typedef bool store_row_fn(void *ctx, const struct store_row *row);
void
store_fold_rows(struct store_fold *fold, bool dirty_only, bool clear, store_row_fn *fn, void *ctx);
/* The same by pages: rows have numbers, in the order in which they came, for as long as the fold
 * lives. Looks at no more than `most` of them from number `from` on; returns where to go on,
 * rows_now of the statistics when there is nothing left. */
uint64_t store_fold_page(
    const struct store_fold *fold, uint64_t from, uint32_t most, store_row_fn *fn, void *ctx);
/* A row from an earlier run of this sensor, so that totals go on (absolute totals, no double
 * counts). A row that this run has begun already gets the old totals on top, once; -EEXIST then. */
int store_fold_preload(struct store_fold *fold, const struct store_row *row);

#endif
