/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where rows and records come from: the live daemon, or a store. The verbs do not care which.
 *
 * Without --store and --socket: the daemon, if its socket answers, else the default store.
 * Functions print what goes wrong and return the exit code. One thread.
 */
#ifndef CTL_SOURCE_H
#define CTL_SOURCE_H

#include "ctl/cli.h"
#include "ctl/proto/client.h"

#define CTL_STORE_DEFAULT "/var/lib/phonehome/phonehome.db"

struct ctl_source;

enum ctl_source_want {
	CTL_WANT_ANY,
	CTL_WANT_STORE, /* history by day: the daemon is only asked where its store is */
};

int ctl_source_open(
    const struct ctl_common *c, enum ctl_source_want want, struct ctl_source **ret_source);
void ctl_source_close(struct ctl_source *s);
const char *ctl_source_name(const struct ctl_source *s); /* "the daemon at ...", "the store ..." */

/* CTL_OK also when fn stopped it. The filter's limit is heeded. */
int
ctl_source_rows(struct ctl_source *s, const struct store_filter *f, store_row_fn *fn, void *ctx);
/* Records after the cursor, oldest first; after[0] == '\0': from the start. */
int ctl_source_records(struct ctl_source *s, const struct store_filter *f, char after[64],
    store_record_fn *fn, void *ctx);
int
ctl_source_days(struct ctl_source *s, const struct store_filter *f, store_day_fn *fn, void *ctx);

/* --- the daemon alone --- */

/* Connects to --socket or the default one; says what is wrong. */
int ctl_daemon_open(const struct ctl_common *c, struct proto_client **ret_client);
/* One call; params are stolen. Prints the daemon's refusal. */
int ctl_daemon_call(
    struct proto_client *client, const char *method, json_t *params, json_t **ret_result);

#endif
