/* SPDX-License-Identifier: Apache-2.0 */
/* What a server sends back, as bytes on the socket: replies are parsed within bounds, and rows and
 * records are read out of whatever they hold. */
#include <stdlib.h>
#include <string.h>

#include "ctl/store/redis_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must_be_clean(const char *text)
{
	for (; text && *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			abort();
}

static void
look(const redisReply *reply)
{
	static struct rds_entry entry;
	struct store_row row;

	if (rds_row_of(reply, "fuzz", &row) == 0) {
		must_be_clean(row.host);
		must_be_clean(row.vendor);
		must_be_clean(row.signature);
		for (unsigned i = 0; i < row.n_names; i++)
			must_be_clean(row.names[i]);
		store_row_free(&row);
	}
	if (rds_entry_of(reply, &entry) == 0 && entry.has_event &&
	    !clf_event_valid(&entry.event, entry.event.size))
		abort();
	if (reply->type != REDIS_REPLY_ARRAY)
		return;
	for (size_t i = 0; i < reply->elements; i++)
		if (reply->element[i])
			look(reply->element[i]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	redisReader *reader = redisReaderCreate();
	redisReplyObjectFunctions fns;
	struct rds_budget budget;
	void *reply = NULL;

	if (!reader)
		return 0;
	rds_bound(reader, &fns, &budget);
	budget.elements = 4096;
	if (redisReaderFeed(reader, (const char *)data, size) == REDIS_OK)
		while (redisReaderGetReply(reader, &reply) == REDIS_OK && reply) {
			look(reply);
			freeReplyObject(reply);
		}
	redisReaderFree(reader);
	return 0;
}
