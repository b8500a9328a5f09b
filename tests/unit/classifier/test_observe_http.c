/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1 requests as clients, and those who would rather not be read, write them.
 */
#include "tests/unit/classifier/check.h"

#include "classifier/observe.h"

static enum clf_obs
observe(const char *text, struct clf_http_req *r)
{
	return clf_http_request(sig_bytes_of(text, strlen(text)), r);
}

/* All spell "Host: vendor.example" so that every server would agree. */
static void
test_host_spellings(void **state)
{
	static const char *const rows[] = {
		"GET / HTTP/1.1\r\nHost: vendor.example\r\n\r\n",
		"GET / HTTP/1.1\r\nhOsT: vendor.example\r\n\r\n",
		"GET / HTTP/1.1\r\nHost:vendor.example\r\n\r\n",
		"GET / HTTP/1.1\r\nHost:\tvendor.example\t \r\n\r\n",
		"GET / HTTP/1.1\r\nHost: vendor.example:8080\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: vendor.example.\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: VENDOR.Example.:80\r\n\r\n",
		"GET / HTTP/1.1\nHost: vendor.example\n\n",
		"\r\n\r\nGET / HTTP/1.1\r\nHost: vendor.example\r\n\r\n",
		"\nGET / HTTP/1.1\r\nHost: vendor.example\r\n\r\n",
		"GET  /  HTTP/1.1\r\nHost: vendor.example\r\n\r\n",
		"GET\t/\tHTTP/1.1\r\nHost: vendor.example\r\n\r\n",
		"GET /a b c HTTP/1.1\r\nHost: vendor.example\r\n\r\n",
		"M-SEARCH * HTTP/1.0\r\nA: b\r\nHost: vendor.example\r\n\r\n",
		"get / http/1.1\r\nHost: vendor.example\r\n\r\n",
		"GET http://vendor.example/x HTTP/1.1\r\nHost: vendor.example\r\n\r\n",
	};
	struct clf_http_req r;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(observe(rows[i], &r), CLF_OBS_DONE);
		assert_true(r.have_host);
		assert_string_equal(r.host.canonical, "vendor.example");
		assert_false(r.ambiguous);
		assert_int_equal(r.head_len, strlen(rows[i]));
		for (size_t n = 0; n < strlen(rows[i]); n++) {
			uint8_t *part = exact_copy(rows[i], n);

			assert_int_equal(clf_http_request(sig_bytes_of(part, n), &r), CLF_OBS_MORE);
			assert_true(r.need > n && r.need <= strlen(rows[i]));
			free(part);
		}
	}
}

static void
test_ambiguous(void **state)
{
	static const char *const rows[] = {
		"GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a.example\r\n b.example\r\n\r\n",
		"GET / HTTP/1.1\r\nHost : a.example\r\n\r\n",
		"GET / HTTP/1.1\r\nHost:\r\n a.example\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a.example\r\nX: 1\r\n Host: b.example\r\n\r\n",
		"GET http://b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
		"CONNECT b.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n"
		"Transfer-Encoding: chunked\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n"
		"Content-Length: 4\r\n\r\n",
		"GET /no/version\r\nHost: a.example\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length : 9\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding : chunked\r\n\r\n",
	};
	static const bool has_target[] = { 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0 };
	struct clf_http_req r;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(observe(rows[i], &r), CLF_OBS_DONE);
		assert_true(r.ambiguous);
		assert_string_equal(r.host.canonical, "a.example");
		assert_int_equal(r.have_target, has_target[i]);
		if (r.have_target)
			assert_string_equal(r.target.canonical, "b.example");
		assert_int_equal(r.have_host2, i == 0 || i == 4);
		if (r.have_host2)
			assert_string_equal(r.host2.canonical, "b.example");
	}
}

static void
test_targets(void **state)
{
	static const struct {
		const char *line, *target, *path;
		uint16_t port;
		bool connect;
	} rows[] = {
		{ "GET http://v.example/a?b=c HTTP/1.1", "v.example", "/a?b=c", 80, false },
		{ "GET https://u:p@V.example:8443/a HTTP/1.1", "v.example", "/a", 8443, false },
		{ "GET http://v.example HTTP/1.0", "v.example", "", 80, false },
		{ "GET https://v.example?x@y HTTP/1.0", "v.example", "?x@y", 443, false },
		{ "CONNECT v.example:443 HTTP/1.1", "v.example", "", 443, true },
		{ "connect v.example:8443 HTTP/1.1", "v.example", "", 8443, true },
	};
	struct clf_http_req r;
	char head[200];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(head, sizeof(head), "%s\r\n\r\n", rows[i].line);
		assert_int_equal(observe(head, &r), CLF_OBS_DONE);
		assert_true(r.have_target && !r.have_host && !r.ambiguous);
		assert_string_equal(r.target.canonical, rows[i].target);
		assert_int_equal(r.target_port, rows[i].port);
		assert_int_equal(r.connect, rows[i].connect);
		assert_bytes(r.path, r.path_len, rows[i].path);
	}
}

static void
test_illegal_hosts(void **state)
{
	static const char *const hosts[] = { "[2001:db8::1]:80", "a b.example", "a..example",
		"\x1b[2J", "\"x\"", "" };
	struct clf_http_req r;
	char head[200];

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", hosts[i]);
		assert_int_equal(observe(head, &r), CLF_OBS_DONE);
		assert_true(r.have_host);
		assert_int_equal(r.host.len, -1);
	}
	assert_int_equal(
	    clf_http_request(sig_bytes_of("GET http://v.example\0.x/ HTTP/1.1\r\n\r\n", 37), &r),
	    CLF_OBS_DONE);
	assert_int_equal(r.target.len, -1);
}

static void
test_fields(void **state)
{
	struct clf_http_req r;

	(void)state;
	assert_int_equal(
	    observe("POST /up/load?x=1 HTTP/1.1\r\nHost: v.example\r\n"
		    "User-Agent: Agent/1.0 (x)\r\nContent-Length: 12\r\n"
		    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: websocket, h2c\r\n\r\nhello",
		&r),
	    CLF_OBS_DONE);
	assert_bytes(r.method, r.method_len, "POST");
	assert_bytes(r.path, r.path_len, "/up/load?x=1");
	assert_bytes(r.user_agent, r.user_agent_len, "Agent/1.0 (x)");
	assert_int_equal(r.body_len, 12);
	assert_true(r.upgrade_h2c && !r.chunked && !r.ambiguous);
	assert_int_equal(observe("PUT / HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n", &r),
	    CLF_OBS_DONE);
	assert_true(r.chunked);
}

static void
test_late_host_and_limit(void **state)
{
	static char head[CLF_HTTP_HEAD_MAX + 4000];
	struct clf_http_req r;
	size_t n;

	(void)state;
	n = (size_t)sprintf(head, "GET / HTTP/1.1\r\nCookie: ");
	memset(head + n, 'c', 3500);
	strcpy(head + n + 3500, "\r\nHost: v.example\r\n\r\n");
	assert_int_equal(observe(head, &r), CLF_OBS_DONE);
	assert_string_equal(r.host.canonical, "v.example");
	n = (size_t)sprintf(head, "GET / HTTP/1.1\r\nHost: v.example\r\nCookie: ");
	memset(head + n, 'c', sizeof(head) - n - 1);
	assert_int_equal(observe(head, &r), CLF_OBS_BAD);
	assert_string_equal(r.host.canonical, "v.example");
	memset(head, 'c', sizeof(head) - 1);
	assert_int_equal(observe(head, &r), CLF_OBS_NOT_MINE);
}

static void
test_not_mine(void **state)
{
	static const char *const rows[] = { "SSH-2.0-OpenSSH_9.2\r\n", "EHLO mail.example\r\n",
		"HTTP/1.1 200 OK\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01",
		"REGISTER sip:v.example SIP/2.0\r\n", "220 ready\r\n", " GET / HTTP/1.1\r\n\r\n",
		"AVERYLONGWORDTHATISNOMETHODATALL", "GET x\r\n", "LIST /\r\n" };
	struct clf_http_req r;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(observe(rows[i], &r), CLF_OBS_NOT_MINE);
}

static void
test_chunked_end(void **state)
{
	static const char body[] = "4\r\nWiki\r\n5;x=y\r\npedia\r\n0\r\nT: v\r\n\r\n";
	uint32_t len = 0;

	(void)state;
	for (size_t n = 0; n < sizeof(body) - 1; n++)
		assert_int_equal(clf_http_chunked_end(sig_bytes_of(body, n), &len), CLF_OBS_MORE);
	assert_int_equal(
	    clf_http_chunked_end(sig_bytes_of(body, sizeof(body)), &len), CLF_OBS_DONE);
	assert_int_equal(len, sizeof(body) - 1);
	assert_int_equal(clf_http_chunked_end(sig_bytes_of("x\r\n", 3), &len), CLF_OBS_BAD);
	assert_int_equal(clf_http_chunked_end(sig_bytes_of("1\r\nabc", 6), &len), CLF_OBS_BAD);
	assert_int_equal(
	    clf_http_chunked_end(sig_bytes_of("ffffffffffffffffff\r\n", 20), &len), CLF_OBS_BAD);
}

static void
test_status(void **state)
{
	static const char reply[] = "HTTP/1.1 200 Connection established\r\nA: b\r\n\r\n";
	unsigned status = 0;
	uint32_t len = 0;

	(void)state;
	for (size_t n = 0; n < sizeof(reply) - 1; n++)
		assert_int_equal(
		    clf_http_status(sig_bytes_of(reply, n), &status, &len), CLF_OBS_MORE);
	assert_int_equal(
	    clf_http_status(sig_bytes_of(reply, sizeof(reply)), &status, &len), CLF_OBS_DONE);
	assert_int_equal(status, 200);
	assert_int_equal(len, sizeof(reply) - 1);
	assert_int_equal(
	    clf_http_status(sig_bytes_of("HTTP/1.1 2x\r\n\r\n", 15), &status, &len), CLF_OBS_BAD);
	assert_int_equal(
	    clf_http_status(sig_bytes_of("GET / HTTP/1.1", 14), &status, &len), CLF_OBS_NOT_MINE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host_spellings),
		cmocka_unit_test(test_ambiguous),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_illegal_hosts),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_late_host_and_limit),
		cmocka_unit_test(test_not_mine),
		cmocka_unit_test(test_chunked_end),
		cmocka_unit_test(test_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
