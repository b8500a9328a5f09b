/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control protocol: bytes of a client, cut anywhere, through the line assembler into requests,
 * their parameters into a filter, and a reply back. The first byte chooses the cut.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/proto/filter.h"
#include "ctl/proto/rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
one_line(const char *line, size_t len)
{
	struct proto_request req;
	struct proto_filter filter;
	const char *why;
	char fault[128];
	int err = proto_request_parse(line, len, &req, &why);
	char *reply;

	if (err == 0 && proto_filter_parse(req.params, &filter, fault) == 0) {
		json_t *back = proto_filter_json(&filter.f, filter.cursor, filter.page);
		reply = proto_reply_result(req.id, back);
		proto_filter_free(&filter);
	} else {
		reply = proto_reply_error(
		    req.id, err ? err : PROTO_E_PARAMS, err ? why : fault, NULL);
	}
	/* A reply is one line, whatever was asked. */
	if (!reply || strchr(reply, '\n') != reply + strlen(reply) - 1)
		abort();
	free(reply);
	proto_request_free(&req);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proto_lines lines;
	const char *line;
	size_t len, room, step;
	int got = 0;

	if (size < 1)
		return 0;
	step = data[0] + 1;
	proto_lines_init(&lines, 4096);
	for (size_t at = 1; at < size && got >= 0;) {
		uint8_t *to = proto_lines_room(&lines, &room);
		size_t n = size - at < step ? size - at : step;
		if (!to)
			break;
		n = n < room ? n : room;
		memcpy(to, data + at, n);
		proto_lines_added(&lines, n);
		at += n;
		while ((got = proto_lines_next(&lines, &line, &len)) == 1)
			one_line(line, len);
		if (lines.cap > 4096 + 2)
			abort();
	}
	proto_lines_free(&lines);
	return 0;
}
