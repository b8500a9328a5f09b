/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies from Redis. Whoever answers on that socket may be anybody, and whoever can write to that
 * Redis may have put anything there: replies are bounded as they arrive, and what is read out of
 * them is checked and cleaned before anybody else sees it.
 */
#include "ctl/store/redis_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ctl/store/row_text.h"

/* hiredis 1.0 widened the count. */
#if HIREDIS_MAJOR >= 1
typedef size_t rds_count;
#else
typedef int rds_count;
#endif

enum { ELEMENTS_MAX = 1 << 20 };

static redisReplyObjectFunctions whole; /* hiredis' own; the same for every reader */

/* An array is allocated before its elements arrive: ten bytes could ask for gigabytes. */
static void *
bounded_array(const redisReadTask *task, rds_count elements)
{
	struct rds_budget *budget = task->privdata;
	size_t n = (size_t)elements; /* a negative count is far beyond any budget */

	if (!budget || n > budget->elements)
		return NULL;
	budget->elements -= n;
	return whole.createArray(task, elements);
}

void
rds_bound(redisReader *reader, redisReplyObjectFunctions *fns, struct rds_budget *budget)
{
	if (!whole.createArray)
		whole = *reader->fn;
	*fns = whole;
	fns->createArray = bounded_array;
	reader->fn = fns;
	reader->privdata = budget;
	rds_budget_reset(budget);
}

void
rds_budget_reset(struct rds_budget *budget)
{
	budget->elements = ELEMENTS_MAX;
}

bool
rds_u64(const char *text, size_t len, uint64_t *ret)
{
	uint64_t v = 0;

	if (len == 0 || len > 20)
		return false;
	for (size_t i = 0; i < len; i++) {
		uint64_t d = (uint64_t)(text[i] - '0');

		if (text[i] < '0' || text[i] > '9' || v > UINT64_MAX / 10 ||
		    v * 10 > UINT64_MAX - d)
			return false;
		v = v * 10 + d;
	}
	*ret = v;
	return true;
}

bool
rds_id_parse(const char *text, size_t len, struct rds_id *ret)
{
	const char *dash = memchr(text, '-', len);
	struct rds_id id;

	if (!dash || !rds_u64(text, (size_t)(dash - text), &id.ms) ||
	    !rds_u64(dash + 1, len - (size_t)(dash - text) - 1, &id.seq))
		return false;
	*ret = id;
	return true;
}

static bool
is_text(const redisReply *r)
{
	return r && r->type == REDIS_REPLY_STRING && r->str;
}

/* STORE_ROW_TEXTS texts but the sensor (the key says it), then these. */
const char *const rds_row_fields[RDS_ROW_FIELDS] = { "host", "vendor", "vendor_id", "owner",
	"country", "owner_country", "product", "product_id", "category", "signature", "function",
	"confidence", "names", "forwarder", "dns_only", "first_us", "last_us", "flows", "bytes_up",
	"bytes_down", "dropped", "format" };
enum { F_TEXTS = 10, F_FUNCTION = 10, F_CONFIDENCE, F_NAMES, F_FORWARDER, F_DNS_ONLY, F_NUMBERS };

static bool
take_names(const redisReply *r, struct store_row *row)
{
	const char *p, *end;

	if (!is_text(r))
		return true; /* a row without names is a row */
	for (p = r->str, end = p + r->len; p < end && row->n_names < STORE_ROW_NAMES_MAX;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t len = nl ? (size_t)(nl - p) : (size_t)(end - p);

		if (len != 0) {
			row->names[row->n_names] = store_text_clean(p, len, 1024);
			if (!row->names[row->n_names])
				return false;
			row->n_names++;
		}
		p += len + 1;
	}
	return true;
}

static bool
take_texts(const redisReply *reply, const char *sensor, struct store_row *row)
{
	row->sensor = strdup(sensor);
	for (unsigned i = 0; i < F_TEXTS; i++) {
		const redisReply *e = reply->element[i];

		if (is_text(e) && e->len != 0)
			*store_row_text(row, i + 1) = store_text_clean(
			    e->str, e->len, store_row_texts[i + 1].max);
	}
	return row->sensor && row->host && row->vendor_id && row->product_id &&
	       take_names(reply->element[F_NAMES], row);
}

static bool
take_numbers(const redisReply *reply, struct store_row *row)
{
	uint64_t *const to[] = { &row->first_seen_us, &row->last_seen_us, &row->flows,
		&row->bytes_up, &row->bytes_down, &row->dropped };
	const redisReply *fn = reply->element[F_FUNCTION], *conf = reply->element[F_CONFIDENCE];
	uint64_t flag[2];

	for (unsigned i = 0; i < 6; i++) {
		const redisReply *e = reply->element[F_NUMBERS + i];

		if (!is_text(e) || !rds_u64(e->str, e->len, to[i]))
			return false;
	}
	for (unsigned i = 0; i < 2; i++) {
		const redisReply *e = reply->element[F_FORWARDER + i];

		if (!is_text(e) || !rds_u64(e->str, e->len, &flag[i]) || flag[i] > 1)
			return false;
	}
	if (!is_text(fn) || !is_text(conf))
		return false;
	row->forwarder = flag[0] == 1;
	row->dns_only = flag[1] == 1;
	row->function = (uint8_t)sig_function_parse(fn->str);
	row->confidence = (uint8_t)sig_confidence_parse(conf->str);
	return row->function != SIG_FN_NONE;
}

int
rds_row_of(const redisReply *reply, const char *sensor, struct store_row *ret)
{
	struct store_row row = { 0 };
	struct store_net net;

	if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != RDS_ROW_FIELDS)
		return -EINVAL;
	if (!is_text(reply->element[0]))
		return -ENOENT;
	if (!take_texts(reply, sensor, &row) || !take_numbers(reply, &row) ||
	    store_net_parse(row.host, &net) < 0 || strchr(row.host, '/')) {
		store_row_free(&row);
		return -EINVAL;
	}
	*ret = row;
	return 0;
}

static const redisReply *
field_of(const redisReply *fields, const char *name)
{
	for (size_t i = 0; i + 1 < fields->elements; i += 2)
		if (is_text(fields->element[i]) && strcmp(fields->element[i]->str, name) == 0 &&
		    is_text(fields->element[i + 1]))
			return fields->element[i + 1];
	return NULL;
}

int
rds_entry_of(const redisReply *reply, struct rds_entry *ret)
{
	const redisReply *fields, *body, *layout, *gap, *at;
	uint64_t n;

	ret->has_event = false;
	ret->gap = ret->gap_at_us = 0;
	if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
	    !is_text(reply->element[0]) ||
	    !rds_id_parse(reply->element[0]->str, reply->element[0]->len, &ret->id))
		return -EINVAL;
	fields = reply->element[1];
	if (!fields || fields->type != REDIS_REPLY_ARRAY)
		return 0; /* deleted, or not ours: the id alone moves the cursor on */
	gap = field_of(fields, "gap");
	at = field_of(fields, "at");
	if (gap && at && rds_u64(gap->str, gap->len, &ret->gap))
		(void)rds_u64(at->str, at->len, &ret->gap_at_us);
	body = field_of(fields, "e");
	layout = field_of(fields, "l");
	if (!body || !layout || !rds_u64(layout->str, layout->len, &n) || n != STORE_LAYOUT ||
	    body->len > sizeof(ret->event))
		return 0;
	memcpy(&ret->event, body->str, body->len); /* also aligns it */
	ret->has_event = clf_event_valid(&ret->event, body->len);
	return 0;
}

bool
rds_row_id_split(char *id, struct rds_row_id *ret)
{
	char **const parts[] = { &ret->host, &ret->vendor, &ret->product, &ret->function };

	for (unsigned i = 0; i < 4; i++) {
		*parts[i] = id;
		id = strchr(id, '/');
		if (!id != (i == 3))
			return false;
		if (id)
			*id++ = '\0';
	}
	return true;
}
