/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the SQLite backend. sqlite.c opens and migrates, sqlite_write.c is the recorder's
 * side, sqlite_read.c the command's, sqlite_lock.c who may write. SQLite is included nowhere else.
 */
#ifndef CTL_STORE_SQLITE_IMPL_H
#define CTL_STORE_SQLITE_IMPL_H

#include <sqlite3.h>

#include "ctl/store/store_impl.h"

enum lite_stmt { LITE_ROW, LITE_EVENT, LITE_GAP, LITE_TRIM, LITE_DAY, LITE_UNDAY, LITE_STMTS };

struct lite {
	sqlite3 *db;
	sqlite3_stmt *stmt[LITE_STMTS];
	char *path;
	int lock_fd;	       /* a writer's, -1: none */
	uint64_t days_trimmed; /* the day at which old days were last deleted */
};

int lite_begin(struct store *store);
int lite_flush(struct store *store, unsigned budget_ms);
int lite_rows(struct store *store, const struct store_filter *f, store_row_fn *fn, void *ctx);
int lite_records(struct store *store, const struct store_filter *f, char after[64],
    store_record_fn *fn, void *ctx);
int lite_days(struct store *store, const struct store_filter *f, store_day_fn *fn, void *ctx);

/* Writers: -EBUSY and a message when somebody else writes as this sensor. */
int lite_lock(struct store *store, struct lite *l, struct sig_diag *diag);
/* Notes SQLite's error for store_stats() and gives it as -errno. */
int lite_error(struct store *store, struct lite *l, const char *what);
void lite_text(sqlite3_stmt *s, int i, const char *text); /* binds; NULL stays NULL */

#endif
