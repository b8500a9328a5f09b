/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder's side of Redis. What is spooled goes out in batches, each one MULTI ... EXEC with
 * stream ids chosen here, one batch under way at a time:
 *
 *   answered    every entry is stored or refused, and counted so;
 *   unanswered  the batch is in doubt. It stays as it is at the front of the spool and is sent
 *               again under the same ids. What had arrived then is refused as "equal or smaller",
 *               which counts it stored, once. Rows carry absolute totals: twice is as good as once.
 *
 * So records = stored + queued + lost holds after every flush, whatever breaks and when.
 */
#include "ctl/store/redis_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ctl/store/row_text.h"

enum {
	BATCH_ROWS = 100,
	BATCH_RECORDS = 256,
	HEARTBEAT_MS = 10000,
	HEARTBEAT_KEPT_S = 86400,
	DAYS_KEPT_S = STORE_DAYS_KEPT * 86400,
};

static void send_batch(struct rds *r);
static void settle(struct rds *r);
static void heartbeat(struct rds *r);

int
rds_flush(struct store *store, unsigned budget_ms)
{
	struct rds *r = store->impl;
	uint64_t until_ms = store_now_ms() + budget_ms;

	for (;;) {
		int rc;

		if (r->state == RDS_BATCH) {
			rc = rds_run(r, RDS_BATCH, until_ms);
			if (rc < 0)
				return rc;
			settle(r);
			continue;
		}
		rc = rds_run(r, RDS_READY, until_ms);
		if (rc < 0)
			return rc;
		if (!store->spool.first && !store->spool.rows && store->spool.lost_since == 0 &&
		    store_now_ms() < r->heartbeat_ms)
			return 0;
		if (r->list_again_ms != 0 && store_now_ms() >= r->list_again_ms) {
			r->list_again_ms = 0;
			r->listed = false;
			rds_disconnect(r);
			r->state = RDS_DOWN;
			continue;
		}
		if (store_now_ms() >= until_ms)
			return -EAGAIN;
		send_batch(r);
	}
}

/* --- commands of a batch --- */

static void
add(struct rds *r, const struct rds_args *a)
{
	rds_append(r, a);
	r->batch.n_commands++;
}

static void
add_words(struct rds *r, const char *const *words, int n)
{
	struct rds_args a = { .n = 0 };

	rds_words(&a, words, n);
	add(r, &a);
}
#define ADD(r, ...)                                        \
	add_words(r, (const char *const[]){ __VA_ARGS__ }, \
	    (int)(sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *)))

static void
entry_args(struct rds *r, struct rds_args *a, const struct rds_id *id, char id_text[static 48],
    char max[static 24], char key[static RDS_KEY_MAX])
{
	rds_key(r, r->store->sensor, key, "events");
	(void)snprintf(max, 24, "%llu", (unsigned long long)r->store->max_events);
	(void)snprintf(
	    id_text, 48, "%llu-%llu", (unsigned long long)id->ms, (unsigned long long)id->seq);
	rds_words(a, (const char *const[]){ "XADD", key, "MAXLEN", "~", max, id_text }, 6);
}

static void
add_gap(struct rds *r, const struct rds_id *id)
{
	char key[RDS_KEY_MAX], id_text[48], max[24], lost[24], at[24];
	struct rds_args a = { .n = 0 };

	entry_args(r, &a, id, id_text, max, key);
	(void)snprintf(lost, sizeof(lost), "%llu", (unsigned long long)r->batch.gap);
	(void)snprintf(at, sizeof(at), "%llu", (unsigned long long)r->store->spool.lost_at_us);
	rds_words(&a, (const char *const[]){ "gap", lost, "at", at }, 4);
	add(r, &a);
}

static void
add_record(struct rds *r, const struct rds_id *id, const struct clf_event *e)
{
	char key[RDS_KEY_MAX], id_text[48], max[24], layout[16];
	struct rds_args a = { .n = 0 };

	entry_args(r, &a, id, id_text, max, key);
	(void)snprintf(layout, sizeof(layout), "%u", STORE_LAYOUT);
	rds_words(&a, (const char *const[]){ "l", layout, "e" }, 3);
	rds_arg_bytes(&a, e, e->size);
	add(r, &a);
}

static void
add_day(struct rds *r, uint64_t day, const char *row_id)
{
	char key[RDS_KEY_MAX], days[RDS_KEY_MAX], text[11], score[24], kept[16];

	store_day_text(day, text);
	rds_key(r, r->store->sensor, key, "day:%s", text);
	rds_key(r, r->store->sensor, days, "days");
	(void)snprintf(score, sizeof(score), "%llu", (unsigned long long)day);
	(void)snprintf(kept, sizeof(kept), "%d", DAYS_KEPT_S);
	ADD(r, "SADD", key, row_id);
	ADD(r, "EXPIRE", key, kept);
	ADD(r, "ZADD", days, score, text);
}

static void
add_record_days(struct rds *r, const struct clf_event *e)
{
	char vendor[129], product[129], host[48], id[400];
	uint64_t first = e->first_us / STORE_DAY_US, last = e->last_us / STORE_DAY_US;

	if (!store_event_ids(e, vendor, product) || last < first)
		return;
	if (last - first > STORE_DAYS_KEPT)
		first = last - STORE_DAYS_KEPT;
	store_event_host(e, host);
	(void)snprintf(
	    id, sizeof(id), "%s/%s/%s/%s", host, vendor, product, sig_function_name(e->function));
	for (uint64_t day = first; day <= last; day++)
		add_day(r, day, id);
}

/* One index: a sorted set without scores, so that readers can page through it by name. */
static void
add_index(struct rds *r, const char *kind, const char *value, const char *row_id, bool gone)
{
	char key[RDS_KEY_MAX], low[260];
	size_t n = 0;

	if (!value || *value == '\0')
		return;
	for (; value[n] && n + 1 < sizeof(low); n++)
		low[n] = value[n] >= 'A' && value[n] <= 'Z' ? (char)(value[n] + 32) : value[n];
	low[n] = '\0';
	rds_key(r, r->store->sensor, key, "%s:%s", kind, low);
	if (gone)
		ADD(r, "ZREM", key, row_id);
	else
		ADD(r, "ZADD", key, "0", row_id);
}

static void
add_indexes(struct rds *r, const struct store_row *row, const char *id, bool gone)
{
	char rows[RDS_KEY_MAX], seen[RDS_KEY_MAX], last[24];

	rds_key(r, r->store->sensor, rows, "rows");
	rds_key(r, r->store->sensor, seen, "seen");
	(void)snprintf(last, sizeof(last), "%llu", (unsigned long long)row->last_seen_us);
	if (gone) {
		ADD(r, "ZREM", rows, id);
		ADD(r, "ZREM", seen, id);
	} else {
		ADD(r, "ZADD", rows, "0", id);
		ADD(r, "ZADD", seen, last, id);
	}
	add_index(r, "vendor", row->vendor_id, id, gone);
	if (row->vendor && strcasecmp(row->vendor, row->vendor_id) != 0)
		add_index(r, "vendor", row->vendor, id, gone);
	add_index(r, "product", row->product_id, id, gone);
	if (row->product && strcasecmp(row->product, row->product_id) != 0)
		add_index(r, "product", row->product, id, gone);
	add_index(r, "country", row->country, id, gone);
	add_index(r, "host", row->host, id, gone);
}

static void
join_names(const struct store_row *row, char *out, size_t cap)
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < row->n_names && n + 1 < cap; i++)
		n += (size_t)snprintf(out + n, cap - n, "%s%s", i ? "\n" : "", row->names[i]);
}

static void
add_row(struct rds *r, const struct store_row *row)
{
	const uint64_t numbers[] = { row->forwarder, row->dns_only, row->first_seen_us,
		row->last_seen_us, row->flows, row->bytes_up, row->bytes_down, row->dropped, 1 };
	char id[400], key[RDS_KEY_MAX], text[9][24], names[STORE_ROW_NAMES_MAX * 1100];
	struct rds_args a = { .n = 0 };
	unsigned f = 0;

	(void)snprintf(id, sizeof(id), "%s/%s/%s/%s", row->host, row->vendor_id, row->product_id,
	    sig_function_name(row->function));
	rds_key(r, r->store->sensor, key, "row:%s", id);
	add_indexes(r, row, id, row->flows == 0);
	if (row->flows == 0) {
		ADD(r, "DEL", key);
		return;
	}
	rds_words(&a, (const char *const[]){ "HSET", key }, 2);
	for (; f < STORE_ROW_TEXTS - 1; f++) {
		rds_arg(&a, rds_row_fields[f]);
		rds_arg(&a, store_row_text_of(row, f + 1));
	}
	join_names(row, names, sizeof(names));
	rds_words(&a,
	    (const char *const[]){ "function", sig_function_name(row->function), "confidence",
		sig_confidence_name(row->confidence), "names", names },
	    6);
	for (unsigned i = 0; i < 9; i++) {
		(void)snprintf(text[i], sizeof(text[i]), "%llu", (unsigned long long)numbers[i]);
		rds_arg(&a, rds_row_fields[f + 3 + i]);
		rds_arg(&a, text[i]);
	}
	add(r, &a);
	add_day(r, row->last_seen_us / STORE_DAY_US, id);
}

/* --- batches --- */

/* Ids after the stream's last, by the wall clock where that is ahead: a clock set back only makes
 * them count on from where they were. */
static struct rds_id
next_id(const struct rds *r)
{
	uint64_t ms = store_wall_us() / 1000;

	if (ms > r->top.ms)
		return (struct rds_id){ ms, 0 };
	return (struct rds_id){ r->top.ms, r->top.seq + 1 };
}

static void
new_batch(struct rds *r)
{
	struct spool *s = &r->store->spool;

	r->batch = (struct rds_batch){ .gap = s->lost_since, .first = next_id(r) };
	r->batch.n_rows = s->row_map.n < BATCH_ROWS ? s->row_map.n : BATCH_ROWS;
	r->batch.n_records = s->n_records < BATCH_RECORDS ? s->n_records : BATCH_RECORDS;
}

static void
send_batch(struct rds *r)
{
	static const char *const multi[] = { "MULTI" }, *const exec[] = { "EXEC" };
	struct spool *s = &r->store->spool;
	struct spool_record *record = s->first;
	struct spool_row *row = s->rows;
	struct rds_args a = { .n = 0 };
	struct rds_id id;

	if (!r->batch.in_doubt)
		new_batch(r);
	id = r->batch.first;
	r->batch.n_commands = r->batch.refused = 0;
	r->batch.executed = false;
	rds_words(&a, multi, 1);
	rds_append(r, &a);
	if (r->batch.gap != 0) {
		add_gap(r, &id);
		id.seq++;
	}
	for (uint32_t i = 0; i < r->batch.n_records; i++, id.seq++, record = record->next)
		add_record(r, &id, &record->event);
	r->batch.n_entries = r->batch.n_commands;
	record = s->first;
	for (uint32_t i = 0; i < r->batch.n_records; i++, record = record->next)
		add_record_days(r, &record->event);
	for (uint32_t i = 0; i < r->batch.n_rows; i++, row = row->next)
		add_row(r, &row->row);
	heartbeat(r);
	a.n = 0;
	rds_words(&a, exec, 1);
	rds_append(r, &a);
	s->in_doubt = r->batch.n_records;
	r->state = RDS_BATCH;
	r->answered = 0;
	r->error[0] = '\0';
	r->step_until_ms = store_now_ms() + r->store->timeout_ms;
}

/* How each entry fared; the other commands are idempotent and only named when they fail. */
static void
executed(struct rds *r, const redisReply *reply)
{
	r->batch.executed = true;
	for (size_t i = 0; i < reply->elements; i++) {
		const redisReply *e = reply->element[i];

		if (e->type != REDIS_REPLY_ERROR)
			continue;
		if (i < r->batch.n_entries && r->batch.in_doubt &&
		    strstr(e->str, "equal or smaller"))
			continue; /* it had arrived: stored, once */
		if (r->error[0] == '\0')
			(void)snprintf(r->error, sizeof(r->error), "%s", e->str);
		if (i < r->batch.n_entries && (r->batch.gap == 0 || i != 0))
			r->batch.refused++;
	}
}

/* MULTI, then "QUEUED" for each command, then the outcome of EXEC: the last reply. */
void
rds_batch_reply(struct rds *r, const redisReply *reply)
{
	/* each reply shows that the server lives: a slow one gets its time anew */
	r->step_until_ms = store_now_ms() + r->store->timeout_ms;
	if (r->awaiting == 0 && reply->type == REDIS_REPLY_ARRAY &&
	    reply->elements == r->batch.n_commands)
		executed(r, reply);
	else if (reply->type == REDIS_REPLY_ERROR && r->error[0] == '\0')
		(void)snprintf(r->error, sizeof(r->error), "%s", reply->str);
}

/* All replies are here: count, and take out of the spool what is done with. */
static void
settle(struct rds *r)
{
	struct store_stats *st = &r->store->stats;
	struct spool *s = &r->store->spool;
	char error[sizeof(r->error)];

	memcpy(error, r->error, sizeof(error));
	if (!r->batch.executed) {
		/* Refused as a whole, so nothing of it was done. What was in doubt stays so. */
		bool doubt = r->batch.in_doubt;

		r->state = RDS_READY;
		rds_fail(r, error[0] ? error : "an answer that is not Redis'");
		if (!doubt && error[0]) {
			r->batch.n_commands = 0;
			s->in_doubt = 0;
		} else {
			r->batch.in_doubt = true;
		}
		return;
	}
	st->stored += r->batch.n_records - r->batch.refused;
	st->lost_refused += r->batch.refused;
	st->rows_written += r->batch.n_rows;
	s->lost_since -= r->batch.gap;
	r->top = r->batch.first;
	r->top.seq += r->batch.n_entries;
	if (r->batch.n_entries != 0) {
		r->acked = r->top;
		r->acked.seq--;
	}
	spool_drop_rows(s, r->batch.n_rows);
	spool_drop_records(s, r->batch.n_records);
	s->in_doubt = 0;
	r->batch = (struct rds_batch){ 0 };
	r->state = RDS_READY;
	if (strstr(error, "equal or smaller"))
		rds_fail(r, "another writes under this sensor's name");
	else if (error[0])
		store_failed(r->store, "redis: %s", error);
}

/* Who is alive, for `report --all-sensors` and `doctor`. Rides in a batch. */
static void
heartbeat(struct rds *r)
{
	const struct store_stats *st = &r->store->stats;
	const uint64_t numbers[] = { store_wall_us(), st->records, st->stored,
		st->lost_spool_full + st->lost_refused, st->rows_written };
	static const char *const names[] = { "at_us", "records", "stored", "lost", "rows" };
	char key[RDS_KEY_MAX], text[5][24], kept[16];
	struct rds_args a = { .n = 0 };

	rds_key(r, r->store->sensor, key, "heartbeat");
	rds_words(&a, (const char *const[]){ "HSET", key, "version", PHONEHOME_VERSION }, 4);
	for (unsigned i = 0; i < 5; i++) {
		(void)snprintf(text[i], sizeof(text[i]), "%llu", (unsigned long long)numbers[i]);
		rds_arg(&a, names[i]);
		rds_arg(&a, text[i]);
	}
	add(r, &a);
	(void)snprintf(kept, sizeof(kept), "%d", HEARTBEAT_KEPT_S);
	ADD(r, "EXPIRE", key, kept);
	r->heartbeat_ms = store_now_ms() + HEARTBEAT_MS;
}
