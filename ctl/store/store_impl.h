/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two backends share: the handle, the spool of what is not yet stored, filters.
 * Only ctl/store/ includes this. One thread per handle.
 */
#ifndef CTL_STORE_STORE_IMPL_H
#define CTL_STORE_STORE_IMPL_H

#include "ctl/store/map.h"
#include "ctl/store/store.h"

enum { STORE_DAYS_KEPT = 800, STORE_SPOOL_ROWS_MAX = 1 << 20 };
#define STORE_DAY_US 86400000000ULL
/* A record's bytes are the event's own; this names their layout, so that no other is misread. */
#define STORE_LAYOUT ((unsigned)(offsetof(struct clf_event, text)))

/* --- the spool --- */

struct spool_record {
	struct spool_record *next;
	struct clf_event event; /* event.size bytes of it are allocated: last */
};
struct spool_row {
	struct store_node node;
	struct spool_row *next;
	struct store_row row;
};
struct spool {
	struct spool_record *first, **last;
	uint32_t n_records, max_records;
	uint32_t in_doubt;   /* the first so many may be stored already: never dropped for room */
	uint64_t lost_since; /* dropped for room since the last gap was stored */
	uint64_t lost_at_us;
	struct spool_row *rows, **rows_last; /* oldest change first, one per row */
	struct store_map row_map;
};
int spool_init(struct spool *s, uint32_t max_records);
void spool_free(struct spool *s);
/* 0, or the number of records that had to go (1), or -errno with nothing taken. */
int spool_put_record(struct spool *s, const struct clf_event *event);
int spool_put_row(struct spool *s, const struct store_row *row);
void spool_drop_records(struct spool *s, uint32_t n); /* the oldest n: stored or refused */
void spool_drop_rows(struct spool *s, uint32_t n);

/* --- the handle --- */

struct store_ops {
	/* From here to the end of the next flush no other process writes; NULL: cannot be had. */
	int (*begin)(struct store *store);
	int (*flush)(struct store *store, unsigned budget_ms);
	int (*rows)(struct store *store, const struct store_filter *f, store_row_fn *fn, void *ctx);
	int (*records)(struct store *store, const struct store_filter *f, char after[64],
	    store_record_fn *fn, void *ctx);
	int (*days)(struct store *store, const struct store_filter *f, store_day_fn *fn, void *ctx);
	void (*close)(struct store *store);
};

struct store {
	const struct store_ops *ops;
	void *impl;
	struct spool spool;
	struct store_stats stats; /* queued and rows_pending are filled in by store_stats() */
	enum store_mode mode;
	bool alone;
	unsigned timeout_ms;
	uint64_t max_events;
	char sensor[STORE_SENSOR_MAX];
	bool wants_rows; /* what was stored is gone: all rows must be put again */
	bool loaded;	 /* store_sync(): the fold has the rows of earlier runs */
};

int store_sqlite_open(struct store *store, const char *path, struct sig_diag *diag);
int store_redis_open(struct store *store, const struct store_config *config, struct sig_diag *diag);

/* Notes an error for store_stats(); the text is escaped and cut. */
void store_failed(struct store *store, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
uint64_t store_now_ms(void); /* monotonic */
uint64_t store_wall_us(void);

/* --- filters --- */

struct store_net {
	uint8_t addr[16], ip_version, prefix;
	bool given;
};
/* The filter's host as a network; -EINVAL when it is neither address nor network. */
int store_net_parse(const char *text, struct store_net *ret);
bool store_net_has(const struct store_net *net, uint8_t ip_version, const uint8_t *addr);
bool store_net_has_text(const struct store_net *net, const char *host);
/* When the net is one address: its text as rows have it. False: it is not. */
bool store_net_host(const struct store_net *net, char out[static 48]);
/* The sensor that a filter means: NULL for all. */
const char *store_filter_sensor(const struct store *store, const struct store_filter *f);
bool store_filter_row(
    const struct store_filter *f, const struct store_net *net, const struct store_row *row);
bool store_filter_event(
    const struct store_filter *f, const struct store_net *net, const struct clf_event *e);

/* --- days --- */

void store_day_text(uint64_t day, char out[static 11]); /* days since 1970 -> "2026-11-22" */

/* A matched record's vendor and product as its row has them; false when none matched. */
bool store_event_ids(const struct clf_event *e, char vendor[static 129], char product[static 129]);
/* The inside end of a record, as text. */
void store_event_host(const struct clf_event *e, char out[static 48]);

#endif
