/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: inventory rows and recent records, behind one interface for SQLite and Redis.
 *
 * Opened by URL (ctl/store/README.md has them all): a path or `sqlite:PATH`;
 * `redis://[user:pass@]host[:port][/db][?prefix=..]`, `rediss://` (needs hiredis >= 1.0 with TLS; a
 * clear error otherwise), `unix:PATH[?db=..&prefix=..]` or `unix://PATH`,
 * `redis+sentinel://host[:port][,host[:port]...]/MASTER[/db]`.
 * The daemon's recorder thread writes; the command reads. A handle belongs to one thread. No call
 * blocks longer than the time-out given at open. Redis down is not an error of open for a writer.
 */
#ifndef CTL_STORE_STORE_H
#define CTL_STORE_STORE_H

#include "ctl/store/record.h"
#include "signatures/base/diag.h"

struct store;

enum store_mode { STORE_READ, STORE_WRITE };

struct store_config {
	const char *url;
	const char *sensor;
	enum store_mode mode;
	bool alone;		   /* writer: no other one of this sensor's name may be at work */
	unsigned timeout_ms;	   /* connect and command; default 1000 */
	uint64_t max_events;	   /* kept in the store, oldest out */
	uint32_t spool_events;	   /* held in memory while the store is away */
	const char *password_file; /* 0600; "user:password" or "password" */
};

/* The URL as people may see it: without the user and the password in it. */
enum { STORE_URL_MAX = 512 };
void store_url_shown(const char *url, char out[static STORE_URL_MAX]);

int store_open(const struct store_config *config, struct store **ret_store, struct sig_diag *diag);
void store_close(struct store *store);

/* Writer: put into the spool, never blocks on the wire; a full spool drops the oldest and counts.
 */
int store_put_record(struct store *store, const struct clf_event *record);
int store_put_row(struct store *store, const struct store_row *row);
/* Writer: moves spooled things out; at most `budget_ms`. Called about once a second. */
int store_flush(struct store *store, unsigned budget_ms);

/*
 * Writer: reads the rows of earlier runs of this sensor back, for store_fold_preload(). Until it
 * has once returned 0 no row should be put, or totals fall back to this run's alone; a store that
 * is away at start is asked again every second. What a broken attempt gave stays preloaded.
 */
int store_load(struct store *store, store_row_fn *fn, void *ctx);
bool store_loaded(const struct store *store);
/* Writer: puts the fold's changed rows (all, when the store lost what it had), once loaded. */
void store_put_changed(struct store *store, struct store_fold *fold);
/* The three and store_flush() as one step, for a fold that no other thread looks at. */
int store_sync(struct store *store, struct store_fold *fold, unsigned budget_ms);

struct store_stats {
	bool up;
	uint64_t records, stored, queued, lost_spool_full,
	    lost_refused; /* records = stored+queued+lost_* */
	uint64_t rows_written, rows_pending, errors, reconnects;
	char last_error[160]; /* escaped */
};
void store_stats(const struct store *store, struct store_stats *ret);

/* Reader. NULL / 0 fields do not filter. */
struct store_filter {
	const char *sensor; /* NULL: the handle's own; "*": all */
	const char *vendor, *product, *country, *host,
	    *category;		     /* id or name, any case; host: address or network */
	int function;		     /* enum sig_function or 0 */
	int min_confidence;	     /* enum sig_confidence */
	uint64_t since_us, until_us; /* last_seen >= since, first_seen <= until */
	bool forwarders;	     /* include forwarder rows */
	uint64_t limit;		     /* 0 none */
	/* store_rows(): texts that the caller does not look at may be left NULL: reading is quicker
	 */
	bool skip_names;   /* names, signature */
	bool skip_details; /* owner, owner_country, category */
	/* store_records(): called between records where `lost` of them never reached the store */
	void (*on_gap)(void *ctx, const char *sensor, uint64_t at_us, uint64_t lost);
};
typedef bool store_record_fn(void *ctx, const struct clf_event *record, const char *sensor);
int store_rows(struct store *store, const struct store_filter *filter, store_row_fn *fn, void *ctx);
/* All callbacks: strings are valid during the call. Results: 0, -EINVAL (a filter's host is neither
 * address nor network), -EIO, -ETIMEDOUT ...; store_error() says it in words. */
/* Records, oldest first; `after`: cursor to go on from ("" = start), updated. */
int store_records(struct store *store, const struct store_filter *filter, char after[64],
    store_record_fn *fn, void *ctx);

/* For `diff` and `trend`: distinct hosts per product per day that showed it. */
struct store_day {
	const char *day; /* "2026-11-22" UTC */
	const char *sensor, *vendor_id, *product_id, *host;
	const char *vendor, *product, *country; /* of the row, as it is now; may be NULL */
	uint8_t function;
};
/* What went wrong last, one line, escaped; "" when nothing did. */
const char *store_error(const struct store *store);

typedef bool store_day_fn(void *ctx, const struct store_day *day);
int store_days(struct store *store, const struct store_filter *filter, store_day_fn *fn, void *ctx);

#endif
