/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Redis backend's parts that need no server: URLs, numbers and ids, row ids, replies bounded
 * and read. What needs one is in tests/live/store_redis.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/store/redis_impl.h"

static void
test_urls(void **state)
{
	static const struct {
		const char *url, *host, *path, *user, *password, *prefix;
		unsigned port, db;
	} rows[] = {
		{ "redis://h", "h", "", "", "", "phonehome:", 6379, 0 },
		{ "redis://h:7000/3", "h", "", "", "", "phonehome:", 7000, 3 },
		{ "redis://u:p@h:7000", "h", "", "u", "p", "phonehome:", 7000, 0 },
		{ "redis://:p%40x@h", "h", "", "", "p@x", "phonehome:", 6379, 0 },
		{ "redis://u:a@b@h", "h", "", "u", "a@b", "phonehome:", 6379, 0 },
		{ "redis://[2001:db8::1]:7000/0", "2001:db8::1", "", "", "", "phonehome:", 7000,
		    0 },
		{ "redis://h?prefix=x%3A&db=4", "h", "", "", "", "x:", 6379, 4 },
		{ "unix:/run/redis.sock", "", "/run/redis.sock", "", "", "phonehome:", 0, 0 },
		{ "unix:/run/r?db=2", "", "/run/r", "", "", "phonehome:", 0, 2 },
		{ "unix:///run/r", "", "/run/r", "", "", "phonehome:", 0, 0 },
		{ "unix://u:p@/run/r", "", "/run/r", "u", "p", "phonehome:", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sig_diag diag = { 0 };
		struct rds_url u;

		if (rds_url_parse(rows[i].url, &u, &diag) != 0)
			fail_msg("%s: %s", rows[i].url, diag.msgs[0].text);
		assert_string_equal(u.at[0].host, rows[i].host);
		assert_int_equal(u.at[0].port, rows[i].port);
		assert_string_equal(u.path, rows[i].path);
		assert_string_equal(u.user, rows[i].user);
		assert_string_equal(u.password, rows[i].password);
		assert_string_equal(u.prefix, rows[i].prefix);
		assert_int_equal(u.db, rows[i].db);
	}
}

static void
test_sentinel_url(void **state)
{
	struct sig_diag diag = { 0 };
	struct rds_url u;

	(void)state;
	assert_int_equal(
	    rds_url_parse("redis+sentinel://:pw@a,b:7001,[::1]:7002/mine/5", &u, &diag), 0);
	assert_true(u.sentinel);
	assert_int_equal(u.n_at, 3);
	assert_int_equal(u.at[0].port, 26379);
	assert_int_equal(u.at[1].port, 7001);
	assert_string_equal(u.at[2].host, "::1");
	assert_string_equal(u.master, "mine");
	assert_string_equal(u.password, "pw");
	assert_int_equal(u.db, 5);
}

/* Several hosts are nodes of a cluster. */
static void
test_cluster_url(void **state)
{
	struct sig_diag diag = { 0 };
	struct rds_url u;

	(void)state;
	assert_int_equal(rds_url_parse("redis://u:p@a,b:7001,[::1]:7002", &u, &diag), 0);
	assert_false(u.sentinel);
	assert_int_equal(u.n_at, 3);
	assert_int_equal(u.at[0].port, 6379);
	assert_int_equal(u.at[1].port, 7001);
	assert_string_equal(u.at[2].host, "::1");
	assert_string_equal(u.password, "p");
}

/* Where MOVED sends us; the forms are those of Redis' cluster specification. */
static void
test_moved(void **state)
{
	static const struct {
		const char *error, *host;
		unsigned port;
	} rows[] = {
		{ "MOVED 3999 127.0.0.1:6381", "127.0.0.1", 6381 },
		{ "MOVED 3999 redis-7.example.net:6381", "redis-7.example.net", 6381 },
		{ "MOVED 3999 2001:db8::7:6381", "2001:db8::7", 6381 },
		{ "MOVED 3999 :6381", "here", 6381 },
		{ "ASK 3999 127.0.0.1:6381", NULL, 0 },
		{ "MOVED 3999 127.0.0.1", NULL, 0 },
		{ "MOVED 3999 127.0.0.1:0", NULL, 0 },
		{ "MOVED 3999 127.0.0.1:65536", NULL, 0 },
		{ "MOVED 3999 127.0.0.1:6381x", NULL, 0 },
		{ "MOVED ", NULL, 0 },
		{ "", NULL, 0 },
	};
	char error[400];
	struct rds_target t;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		t = (struct rds_target){ .host = "untouched" };
		if (rds_moved_to(rows[i].error, "here", &t) != (rows[i].host != NULL))
			fail_msg("%s", rows[i].error);
		assert_string_equal(t.host, rows[i].host ? rows[i].host : "untouched");
		assert_int_equal(t.port, rows[i].port);
	}
	(void)snprintf(error, sizeof(error), "MOVED 1 %0300d:6381", 7);
	assert_false(rds_moved_to(error, "here", &t));
}

/* Refused, and no message repeats what may be a password. */
static void
test_wrong_urls(void **state)
{
	static const char *const urls[] = { "redis:h", "redis://", "redis://h:0", "redis://h:65536",
		"redis://h:x", "redis://h/x", "redis://h,", "redis://1,2,3,4,5,6,7,8,9",
		"redis://secret%zz@h", "redis://secret%00@h", "redis://h?prefix={x}",
		"redis://h?colour=red", "redis://h?db=-1", "redis://[::1", "redis://[::1]x",
		"redis+sentinel://h", "redis+sentinel://h/", "unix:",
		"unix:/secret/0123456789012345678901234567890123456"
		"7890123456789012345678901234567890123456789012345"
		"678901234567890" };

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct sig_diag diag = { 0 };
		struct rds_url u;

		if (rds_url_parse(urls[i], &u, &diag) != -EINVAL)
			fail_msg("%s was taken", urls[i]);
		assert_int_equal(diag.errors, 1);
		assert_null(strstr(diag.msgs[0].text, "secret"));
		sig_diag_free(&diag);
	}
}

static void
test_numbers(void **state)
{
	struct rds_row_id parts;
	struct rds_id id;
	char text[] = "2001:db8::1/acme/agent/update", few[] = "a/b/c", many[] = "a/b/c/d/e";
	uint64_t n = 7;

	(void)state;
	assert_true(rds_u64("18446744073709551615", 20, &n));
	assert_true(n == UINT64_MAX);
	assert_false(rds_u64("18446744073709551616", 20, &n));
	assert_false(rds_u64("", 0, &n));
	assert_false(rds_u64("-1", 2, &n));
	assert_false(rds_u64(" 1", 2, &n));
	assert_true(rds_id_parse("1526919030474-55", 16, &id));
	assert_true(id.ms == 1526919030474ULL && id.seq == 55);
	assert_false(rds_id_parse("1526919030474", 13, &id));
	assert_false(rds_id_parse("1-", 2, &id));
	assert_true(rds_row_id_split(text, &parts));
	assert_string_equal(parts.host, "2001:db8::1");
	assert_string_equal(parts.function, "update");
	assert_false(rds_row_id_split(few, &parts));
	assert_false(rds_row_id_split(many, &parts));
}

/* The one reply that these bytes are, or NULL. */
static redisReply *
reply_of(const char *bytes, size_t len)
{
	redisReader *reader = redisReaderCreate();
	redisReplyObjectFunctions fns;
	struct rds_budget budget;
	void *reply = NULL;

	assert_non_null(reader);
	rds_bound(reader, &fns, &budget);
	assert_int_equal(redisReaderFeed(reader, bytes, len), REDIS_OK);
	if (redisReaderGetReply(reader, &reply) != REDIS_OK)
		reply = NULL;
	redisReaderFree(reader);
	return reply;
}

static void
test_bounded(void **state)
{
	static const char *const bombs[] = { "*2147483647\r\n", "*1048577\r\n",
		"*1000000\r\n*1000000\r\n", "*4000000000\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(bombs) / sizeof(bombs[0]); i++)
		assert_null(reply_of(bombs[i], strlen(bombs[i])));
}

/* A row's fields as HMGET gives them, with one of them replaced. */
static int
row_with(unsigned field, const char *value, struct store_row *ret)
{
	static const char *const good[RDS_ROW_FIELDS] = { "10.0.0.1", "Acme", "acme", "Acme Inc.",
		"US", "US", "Agent", "agent", "edr", "acme/x", "update", "certain", "a.example",
		"0", "1", "5", "6", "7", "8", "9", "10", "1" };
	char bytes[4096];
	size_t n = (size_t)snprintf(bytes, sizeof(bytes), "*%d\r\n", RDS_ROW_FIELDS);
	redisReply *reply;
	int rc;

	for (unsigned i = 0; i < RDS_ROW_FIELDS; i++) {
		const char *v = i == field ? value : good[i];

		if (v)
			n += (size_t)snprintf(
			    bytes + n, sizeof(bytes) - n, "$%zu\r\n%s\r\n", strlen(v), v);
		else
			n += (size_t)snprintf(bytes + n, sizeof(bytes) - n, "$-1\r\n");
	}
	reply = reply_of(bytes, n);
	assert_non_null(reply);
	rc = rds_row_of(reply, "s1", ret);
	freeReplyObject(reply);
	return rc;
}

static void
test_rows(void **state)
{
	static const struct {
		unsigned field;
		const char *value;
		int rc;
	} rows[] = {
		{ 0, NULL, -ENOENT },
		{ 0, "10.0.0", -EINVAL },
		{ 0, "10.0.0.0/8", -EINVAL },
		{ 2, "", -EINVAL },
		{ 10, "updates", -EINVAL },
		{ 13, "2", -EINVAL },
		{ 15, "-5", -EINVAL },
		{ 17, "7.5", -EINVAL },
		{ 17, NULL, -EINVAL },
		{ 12, NULL, 0 },
		{ 21, "99", 0 },
	};
	struct store_row row;

	(void)state;
	assert_int_equal(row_with(99, NULL, &row), 0);
	assert_string_equal(row.sensor, "s1");
	assert_string_equal(row.owner, "Acme Inc.");
	assert_int_equal(row.function, SIG_FN_UPDATE);
	assert_int_equal(row.confidence, SIG_CONF_CERTAIN);
	assert_true(row.dns_only && !row.forwarder);
	assert_int_equal(row.first_seen_us, 5);
	assert_int_equal(row.dropped, 10);
	store_row_free(&row);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (row_with(rows[i].field, rows[i].value, &row) != rows[i].rc)
			fail_msg("row %zu", i);
		if (rows[i].rc == 0)
			store_row_free(&row);
	}
	assert_int_equal(row_with(1, "A\033[2Jcme", &row), 0);
	assert_string_equal(row.vendor, "A\\x1b[2Jcme");
	store_row_free(&row);
	assert_int_equal(row_with(1, "\xe5\xa5\x87\xe8\x99\x8e", &row), 0); /* UTF-8 stays */
	assert_string_equal(row.vendor, "\xe5\xa5\x87\xe8\x99\x8e");
	store_row_free(&row);
	assert_int_equal(row_with(1, "\xe2\x80\xae", &row), 0); /* U+202E turns text around */
	assert_string_equal(row.vendor, "\\xe2\\x80\\xae");
	store_row_free(&row);
}

/* However long a server was away, the next attempt is never far; and attempts of many sensors do
 * not come all at once, nor ever without a pause. */
static void
test_back_off(void **state)
{
	struct store_config config = { .url = "redis://h", .sensor = "s1", .mode = STORE_WRITE };
	uint64_t least = UINT64_MAX, most = 0;
	struct sig_diag diag = { 0 };
	struct store *store;

	(void)state;
	assert_int_equal(store_open(&config, &store, &diag), 0);
	struct rds *r = store->impl;
	for (unsigned i = 0; i < 40; i++) {
		uint64_t before = store_now_ms();

		rds_fail(r, "away");
		uint64_t after = store_now_ms(), wait = r->next_try_ms - before;

		assert_int_equal(r->state, RDS_DOWN);
		/* 0.1 s at first, 1 s at most, a quarter more or less; a machine that stalls here
		 * changes neither bound */
		assert_true(wait >= (i == 0 ? 75 : i < 8 ? 100 : 750));
		assert_true(r->next_try_ms <= after + (i == 0 ? 125 : 1250));
		if (i < 8)
			continue;
		most = wait > most ? wait : most;
		least = wait < least ? wait : least;
	}
	assert_true(most > least);
	assert_false(store->stats.up);
	assert_int_equal(store->stats.errors, 40);
	assert_string_equal(store_error(store), "redis h port 6379: away");
	store_close(store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_sentinel_url),
		cmocka_unit_test(test_cluster_url),
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_wrong_urls),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests_name("store/redis", tests, NULL, NULL);
}
