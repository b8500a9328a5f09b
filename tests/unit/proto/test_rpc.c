/* SPDX-License-Identifier: Apache-2.0 */
/* Framing: lines from any cut of the stream, limits, requests and replies of JSON-RPC 2.0. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ctl/proto/rpc.h"

static void
feed(struct proto_lines *l, const char *p, size_t n)
{
	while (n > 0) {
		size_t room;
		char *at = proto_lines_room(l, &room);
		assert_non_null(at);
		assert_true(room > 0);
		size_t k = n < room ? n : room;
		memcpy(at, p, k);
		proto_lines_added(l, k);
		p += k;
		n -= k;
	}
}

static void
test_any_cut(void **state)
{
	static const char stream[] = "one\r\n\ntwo words\nthree\n";
	static const char *const want[] = { "one", "", "two words", "three" };

	(void)state;
	for (size_t cut = 1; cut < sizeof(stream); cut++) {
		struct proto_lines l;
		const char *line;
		size_t len, got = 0;
		proto_lines_init(&l, 64);
		for (size_t at = 0; at < sizeof(stream) - 1; at += cut) {
			size_t n = sizeof(stream) - 1 - at < cut ? sizeof(stream) - 1 - at : cut;
			feed(&l, stream + at, n);
			while (proto_lines_next(&l, &line, &len) == 1) {
				assert_int_equal(len, strlen(want[got]));
				assert_memory_equal(line, want[got], len);
				got++;
			}
		}
		assert_int_equal(got, 4);
		assert_int_equal(proto_lines_next(&l, &line, &len), 0);
		assert_null(l.buf); /* nothing held, no memory kept */
		proto_lines_free(&l);
	}
}

static void
test_limit(void **state)
{
	char text[200];
	struct proto_lines l;
	const char *line;
	size_t len;

	(void)state;
	memset(text, 'x', sizeof(text));
	proto_lines_init(&l, 100);
	feed(&l, text, 100);
	assert_int_equal(proto_lines_next(&l, &line, &len), 0);
	feed(&l, "\r\n", 2);
	assert_int_equal(proto_lines_next(&l, &line, &len), 1);
	assert_int_equal(len, 100);
	feed(&l, text, 101);
	assert_int_equal(proto_lines_next(&l, &line, &len), -EMSGSIZE);
	assert_true(l.cap <= 102);
	proto_lines_free(&l);
	proto_lines_init(&l, 100);
	feed(&l, text, 50);
	feed(&l, "\n", 1);
	feed(&l, text, 101);
	assert_int_equal(proto_lines_next(&l, &line, &len), 1);
	assert_int_equal(proto_lines_next(&l, &line, &len), -EMSGSIZE);
	proto_lines_free(&l);
}

static int
parse(const char *text, struct proto_request *req)
{
	const char *why;
	int err = proto_request_parse(text, strlen(text), req, &why);

	assert_true((err == 0) == (why == NULL));
	return err;
}

static void
test_requests(void **state)
{
	struct proto_request r;
	static const struct {
		const char *text;
		int err;
	} cases[] = {
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}", 0 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"x\",\"params\":{\"on\":true}}",
		    0 },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"status\"}", 0 },
		{ "", PROTO_E_PARSE },
		{ "{", PROTO_E_PARSE },
		{ "{\"jsonrpc\":\"2.0\",\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}",
		    PROTO_E_PARSE },
		{ "[]", PROTO_E_REQUEST },
		{ "7", PROTO_E_PARSE },
		{ "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"m\"}", PROTO_E_REQUEST },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1}", PROTO_E_REQUEST },
		{ "{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"m\"}", PROTO_E_REQUEST },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"m\"}", PROTO_E_REQUEST },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":[1]}",
		    PROTO_E_PARAMS },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\\u0000\"}", PROTO_E_PARSE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(cases[i].text, &r), cases[i].err);
		proto_request_free(&r);
	}
	assert_int_equal(parse(cases[1].text, &r), 0);
	assert_string_equal(r.method, "x");
	assert_string_equal(json_string_value(r.id), "a");
	assert_true(json_is_true(json_object_get(r.params, "on")));
	proto_request_free(&r);
	assert_int_equal(parse(cases[2].text, &r), 0);
	assert_null(r.id);
	proto_request_free(&r);
}

static void
test_replies(void **state)
{
	json_t *id = json_integer(7);
	char *line = proto_reply_result(id, json_pack("{s:b}", "bypass", 1));

	(void)state;
	assert_string_equal(line, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"bypass\":true}}\n");
	free(line);
	line = proto_reply_error(NULL, PROTO_E_PARSE, "a\nb\033[2J", NULL);
	assert_string_equal(line, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,"
				  "\"message\":\"a\\\\x0ab\\\\x1b[2J\"}}\n");
	free(line);
	line = proto_reply_error(
	    id, PROTO_E_FAILED, "no", json_pack("{s:[s]}", "faults", "f:1:2: x"));
	assert_non_null(strstr(line, "\"data\":{\"faults\":[\"f:1:2: x\"]}"));
	free(line);
	line = proto_request_line(3, "reload", NULL);
	assert_string_equal(line, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"reload\"}\n");
	free(line);
	json_decref(id);
}

static void
test_methods(void **state)
{
	(void)state;
	assert_int_equal(proto_method_find("status")->right, PROTO_READ);
	assert_int_equal(proto_method_find("stop")->right, PROTO_ADMIN);
	assert_null(proto_method_find("stops"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_cut),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_methods),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
