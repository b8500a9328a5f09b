/* SPDX-License-Identifier: Apache-2.0 */
/* Flow records and inventory rows in JSON that somebody else wrote: what is believed is well
 * formed, and its JSON form is believed again and is the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/proto/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
record(const json_t *json)
{
	static struct clf_event e, back;
	char *sensor = NULL;

	if (proto_record_parse(json, &e, &sensor) < 0)
		return;
	if (!clf_event_valid(&e, e.size))
		abort();
	json_t *one = proto_record_json(&e, sensor);
	if (!one || proto_record_parse(one, &back, NULL) < 0)
		abort();
	json_t *two = proto_record_json(&back, sensor);
	if (!json_equal(one, two))
		abort();
	json_decref(two);
	json_decref(one);
	free(sensor);
}

static void
row(const json_t *json)
{
	struct store_row r, back;

	if (proto_row_parse(json, &r) < 0)
		return;
	json_t *one = proto_row_json(&r);
	char *text = one ? json_dumps(one, JSON_COMPACT) : NULL;
	if (!text)
		abort();
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20)
			abort();
	if (proto_row_parse(one, &back) == 0)
		store_row_free(&back);
	free(text);
	json_decref(one);
	store_row_free(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *json = json_loadb((const char *)data, size, 0, NULL);

	if (json) {
		record(json);
		row(json);
		json_decref(json);
	}
	return 0;
}
