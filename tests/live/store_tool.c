/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store at the end of a pipe: reads one command a line, answers with one JSON object a line.
 * The fault tests drive it from outside while they stop, kill and replace the server under it.
 *
 *   open read|write URL SENSOR TIMEOUT_MS SPOOL [PASSWORD_FILE]
 *   put N          N more records, flow ids counting up
 *   row HOST VENDOR PRODUCT FLOWS
 *   flush MS | stats | rows [key=value ...] | records | days | close
 *   event N [SECONDS] | sync MS    N ended flows through a fold, so much later, and the recorder's
 * step clock SECONDS  sets the wall clock that the store sees so far from the machine's
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ctl/store/store.h"
#include "tests/unit/store/events.h"

static struct store *store;
static struct store_fold *fold;
static uint64_t next_id = 1;
static unsigned n_listed;
static long wall_offset_s;

/* In libc's place, for this program and the store in it. */
int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, ts);

	if (clock == CLOCK_REALTIME)
		ts->tv_sec += wall_offset_s;
	return rc;
}

static double
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void
put_to_store(void *ctx, const struct clf_event *e)
{
	(void)ctx;
	(void)store_put_record(store, e);
}

static void
do_open(char **arg)
{
	struct store_config config = { .url = arg[2],
		.sensor = arg[3],
		.mode = strcmp(arg[1], "read") == 0 ? STORE_READ : STORE_WRITE,
		.alone = strcmp(arg[1], "alone") == 0,
		.timeout_ms = (unsigned)atoi(arg[4]),
		.spool_events = (uint32_t)atoi(arg[5]),
		.password_file = arg[6] };
	struct store_fold_config fc = { .sensor = arg[3], .on_record = put_to_store };
	struct sig_diag diag = { 0 };
	int rc = store_open(&config, &store, &diag);

	printf("{\"rc\": %d, \"said\": \"%s\"}\n", rc, diag.n ? diag.msgs[0].text : "");
	sig_diag_free(&diag);
	fold = store_fold_new(&fc);
}

static void
do_put(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct clf_event e = event_full(CLF_EV_ENDED, next_id++, "acme", "agent");

		(void)store_put_record(store, &e);
	}
	printf("{\"rc\": 0}\n");
}

static void
do_event(unsigned n, long shift_s)
{
	for (unsigned i = 0; i < n; i++) {
		struct clf_event e = event_full(CLF_EV_ENDED, next_id++, "acme", "agent");

		e.first_us += (uint64_t)(shift_s * 1000000L);
		e.last_us += (uint64_t)(shift_s * 1000000L);
		e.at_us += (uint64_t)(shift_s * 1000000L);
		(void)store_fold_event(fold, &e);
	}
	printf("{\"rc\": 0}\n");
}

static void
do_row(char **arg)
{
	struct store_row row = { .host = arg[1],
		.vendor = arg[2],
		.vendor_id = arg[2],
		.country = (char *)"US",
		.category = (char *)"edr",
		.product = arg[3],
		.product_id = arg[3],
		.function = SIG_FN_UPDATE,
		.confidence = SIG_CONF_CERTAIN,
		.names = { (char *)"a.example", (char *)"b.example" },
		.n_names = 2,
		.first_seen_us = 1796207300000000ULL,
		.last_seen_us = 1796207400000000ULL,
		.flows = (uint64_t)atoll(arg[4]) };

	printf("{\"rc\": %d}\n", store_put_row(store, &row));
}

static void
do_stats(void)
{
	struct store_stats s;

	store_stats(store, &s);
	printf("{\"up\": %s, \"records\": %" PRIu64 ", \"stored\": %" PRIu64
	       ", \"queued\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"refused\": %" PRIu64
	       ", \"rows_pending\": %" PRIu64 ", \"reconnects\": %" PRIu64 ", \"error\": \"",
	    s.up ? "true" : "false", s.records, s.stored, s.queued, s.lost_spool_full,
	    s.lost_refused, s.rows_pending, s.reconnects);
	for (const char *p = s.last_error; *p; p++) /* escaped text: only '"' and '\' are left */
		printf(*p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
	printf("\"}\n");
}

static bool
on_row(void *ctx, const struct store_row *row)
{
	(void)ctx;
	printf("%s[\"%s\", \"%s\", \"%s\", \"%s\", %" PRIu64 ", %u, %" PRIu64 ", %" PRIu64 "]",
	    n_listed++ ? ", " : "", row->sensor, row->host, row->vendor_id, row->product_id,
	    row->flows, row->n_names, row->first_seen_us, row->last_seen_us);
	return true;
}

static bool
on_record(void *ctx, const struct clf_event *e, const char *sensor)
{
	(void)ctx;
	printf("%s[\"%s\", %" PRIu64 "]", n_listed++ ? ", " : "", sensor, e->flow_id);
	return true;
}

static void
on_gap(void *ctx, const char *sensor, uint64_t at_us, uint64_t lost)
{
	(void)ctx;
	(void)at_us;
	printf("%s[\"%s\", \"gap\", %" PRIu64 "]", n_listed++ ? ", " : "", sensor, lost);
}

static bool
on_day(void *ctx, const struct store_day *day)
{
	(void)ctx;
	printf("%s[\"%s\", \"%s\", \"%s\"]", n_listed++ ? ", " : "", day->day, day->host,
	    day->product_id);
	return true;
}

static struct store_filter
filter_of(char **arg)
{
	struct store_filter f = { .on_gap = on_gap };

	for (arg++; *arg; arg++) {
		char *value = strchr(*arg, '=');

		if (!value)
			continue;
		*value++ = '\0';
		if (strcmp(*arg, "sensor") == 0)
			f.sensor = value;
		else if (strcmp(*arg, "vendor") == 0)
			f.vendor = value;
		else if (strcmp(*arg, "product") == 0)
			f.product = value;
		else if (strcmp(*arg, "country") == 0)
			f.country = value;
		else if (strcmp(*arg, "host") == 0)
			f.host = value;
		else if (strcmp(*arg, "since") == 0)
			f.since_us = strtoull(value, NULL, 10);
		else if (strcmp(*arg, "until") == 0)
			f.until_us = strtoull(value, NULL, 10);
		else if (strcmp(*arg, "limit") == 0)
			f.limit = strtoull(value, NULL, 10);
	}
	return f;
}

static void
do_list(char **arg)
{
	struct store_filter f = filter_of(arg);
	char after[64] = "";
	int rc;

	n_listed = 0;
	printf("{\"list\": [");
	if (strcmp(arg[0], "rows") == 0)
		rc = store_rows(store, &f, on_row, NULL);
	else if (strcmp(arg[0], "days") == 0)
		rc = store_days(store, &f, on_day, NULL);
	else
		rc = store_records(store, &f, after, on_record, NULL);
	printf("], \"rc\": %d}\n", rc);
}

static void
do_flush(char **arg)
{
	double start = now_ms();
	bool sync = strcmp(arg[0], "sync") == 0;
	unsigned budget = (unsigned)atoi(arg[1]);
	int rc = sync ? store_sync(store, fold, budget) : store_flush(store, budget);

	printf("{\"rc\": %d, \"ms\": %.1f}\n", rc, now_ms() - start);
}

int
main(void)
{
	char line[4096], *arg[16];

	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		unsigned n = 0;

		for (char *p = strtok(line, " \n"); p && n < 15; p = strtok(NULL, " \n"))
			arg[n++] = p;
		for (unsigned i = n; i < 16; i++)
			arg[i] = NULL;
		if (n >= 6 && strcmp(arg[0], "open") == 0)
			do_open(arg);
		else if (n == 2 && strcmp(arg[0], "put") == 0)
			do_put((unsigned)atoi(arg[1]));
		else if (n >= 2 && strcmp(arg[0], "event") == 0)
			do_event((unsigned)atoi(arg[1]), n > 2 ? atol(arg[2]) : 0);
		else if (n == 2 && strcmp(arg[0], "clock") == 0)
			printf("{\"clock\": %ld}\n", wall_offset_s = atol(arg[1]));
		else if (n == 5 && strcmp(arg[0], "row") == 0)
			do_row(arg);
		else if (n == 2 && (strcmp(arg[0], "flush") == 0 || strcmp(arg[0], "sync") == 0))
			do_flush(arg);
		else if (n == 1 && strcmp(arg[0], "stats") == 0)
			do_stats();
		else if (n >= 1 && (strcmp(arg[0], "rows") == 0 || strcmp(arg[0], "days") == 0 ||
				       strcmp(arg[0], "records") == 0))
			do_list(arg);
		else
			break;
	}
	store_fold_free(fold);
	store_close(store);
	return 0;
}
