/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the Redis backend says on the wire, against a server of a few lines that keeps what it was
 * told and answers as each test wants: the greeting, a batch whose answer never comes, refusals.
 * A real server's behaviour is tests/live/store_redis.py's; what one never does on demand is here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/store/redis_impl.h"
#include "tests/unit/store/events.h"

enum { TOLD_MAX = 256, TEXT_MAX = 512, PATIENCE_MS = 20000 };

static struct server {
	char dir[64], path[96];
	int fd, conn; /* conn: the connection that is served, -1 none */
	pthread_t thread;
	pthread_mutex_t lock;
	char told[TOLD_MAX][TEXT_MAX]; /* commands, words by blanks; "-" is a new connection */
	unsigned n_told;

	/* how it behaves: an error for this command, or nothing; connections to cut at EXEC */
	const char *refuse, *error;
	unsigned cuts;
	bool aborted;	 /* something was refused between MULTI and EXEC */
	bool has_it;	 /* the entries arrived before the cut: it refuses them the second time */
	const char *top; /* the stream's last id; NULL: no stream */
	/* to commands that begin so, up to an empty one */
	struct said {
		const char *to, *reply;
	} says[8];
} server;

static void
tell(const char *line)
{
	pthread_mutex_lock(&server.lock);
	if (server.n_told < TOLD_MAX)
		(void)snprintf(server.told[server.n_told++], TEXT_MAX, "%s", line);
	pthread_mutex_unlock(&server.lock);
}

/* The i-th command that begins so, or NULL. */
static const char *
told(const char *begin, unsigned i)
{
	const char *found = NULL;

	pthread_mutex_lock(&server.lock);
	for (unsigned k = 0; k < server.n_told && !found; k++)
		if (strncmp(server.told[k], begin, strlen(begin)) == 0 && i-- == 0)
			found = server.told[k];
	pthread_mutex_unlock(&server.lock);
	return found;
}

/* It was told the very same before. */
static bool
again(const char *line)
{
	return told(line, 1) != NULL;
}

static void
answer(FILE *f, const char *line, char *queued, size_t cap, unsigned *n_queued)
{
	static const char smaller[] = "-ERR The ID specified in XADD is equal or smaller than the "
				      "target stream top item\r\n";

	for (const struct said *s = server.says; s->to; s++)
		if (strncmp(line, s->to, strlen(s->to)) == 0) {
			fputs(s->reply, f);
			(void)fflush(f);
			return;
		}
	if (server.refuse && strncmp(line, server.refuse, strlen(server.refuse)) == 0) {
		fprintf(f, "-%s\r\n", server.error);
		server.aborted = *n_queued != UINT32_MAX;
	} else if (strncmp(line, "MULTI", 5) == 0) {
		fputs("+OK\r\n", f);
		queued[0] = '\0';
		*n_queued = 0;
		server.aborted = false;
	} else if (strncmp(line, "EXEC", 4) == 0) {
		if (server.aborted)
			fputs("-EXECABORT Transaction discarded\r\n", f);
		else
			fprintf(f, "*%u\r\n%s", *n_queued, queued);
		*n_queued = UINT32_MAX;
	} else if (*n_queued != UINT32_MAX) {
		size_t at = strlen(queued);
		bool entry = strncmp(line, "XADD", 4) == 0;
		(void)snprintf(queued + at, cap - at, "%s",
		    entry && server.has_it && again(line) ? smaller
		    : entry				  ? "$3\r\n1-1\r\n"
							  : ":1\r\n");
		++*n_queued;
		fputs("+QUEUED\r\n", f);
	} else if (strncmp(line, "XINFO", 5) == 0) {
		if (server.top)
			fprintf(f, "*2\r\n$17\r\nlast-generated-id\r\n$%zu\r\n%s\r\n",
			    strlen(server.top), server.top);
		else
			fputs("-ERR no such key\r\n", f);
	} else {
		fputs(strncmp(line, "Z", 1) == 0 && strncmp(line, "ZADD", 4) != 0 ? "*0\r\n"
										  : ":1\r\n",
		    f);
	}
	fflush(f);
}

/* One connection, until it ends or is cut. */
static void
serve(int fd)
{
	FILE *f = fdopen(fd, "r+");
	redisReader *reader = redisReaderCreate();
	unsigned n_queued = UINT32_MAX;
	static char queued[1 << 16];
	bool go = true;
	char buf[4096];
	ssize_t n;

	tell("-");
	server.conn = fd;
	while (go && (n = recv(fd, buf, sizeof(buf), 0)) > 0) {
		void *got = NULL;

		redisReaderFeed(reader, buf, (size_t)n);
		while (go && redisReaderGetReply(reader, &got) == REDIS_OK && got) {
			const redisReply *r = got;
			char line[TEXT_MAX] = "";
			size_t at = 0;

			for (size_t i = 0; i < r->elements && at < sizeof(line); i++)
				at += (size_t)snprintf(line + at, sizeof(line) - at, "%s%s",
				    i ? " " : "", r->element[i]->str);
			freeReplyObject(got);
			tell(line);
			go = strcmp(line, "EXEC") != 0 || server.cuts == 0;
			if (go)
				answer(f, line, queued, sizeof(queued), &n_queued);
			else
				server.cuts--;
		}
	}
	redisReaderFree(reader);
	pthread_mutex_lock(&server.lock);
	server.conn = -1;
	pthread_mutex_unlock(&server.lock);
	fclose(f);
}

static void *
run(void *arg)
{
	int fd;

	while ((fd = accept(server.fd, NULL, NULL)) >= 0)
		serve(fd);
	return arg;
}

static int
set_up(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	(void)state;
	memset(&server, 0, sizeof(server));
	server.conn = -1;
	pthread_mutex_init(&server.lock, NULL);
	(void)strcpy(server.dir, "/tmp/phonehome-wire-XXXXXX");
	if (!mkdtemp(server.dir))
		return -1;
	(void)snprintf(server.path, sizeof(server.path), "%s/s", server.dir);
	(void)strcpy(sa.sun_path, server.path);
	server.fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(server.fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(server.fd, 8) < 0)
		return -1;
	return pthread_create(&server.thread, NULL, run, NULL);
}

static int
tear_down(void **state)
{
	(void)state;
	(void)shutdown(server.fd, SHUT_RDWR);
	pthread_mutex_lock(&server.lock);
	if (server.conn >= 0) /* a test that failed left its store open */
		(void)shutdown(server.conn, SHUT_RDWR);
	pthread_mutex_unlock(&server.lock);
	pthread_join(server.thread, NULL);
	(void)close(server.fd);
	(void)unlink(server.path);
	return rmdir(server.dir);
}

static struct store *
open_as(enum store_mode mode, const char *user, const char *query)
{
	char url[200];
	struct store_config config = {
		.url = url, .sensor = "s1", .mode = mode, .timeout_ms = 5000, .spool_events = 100
	};
	struct sig_diag diag = { 0 };
	struct store *store;

	(void)snprintf(url, sizeof(url), "unix://%s%s%s", user, server.path, query);
	assert_int_equal(store_open(&config, &store, &diag), 0);
	return store;
}

static void
put(struct store *store, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct clf_event e = event_full(CLF_EV_ENDED, i, "acme", "agent");

		assert_int_equal(store_put_record(store, &e), 0);
	}
}

/* Flushes until so many records are stored, or an error is said that has this in it. */
static struct store_stats
flush_until(struct store *store, uint64_t stored, const char *said)
{
	uint64_t end = store_now_ms() + PATIENCE_MS;
	struct store_stats s = { 0 };

	do {
		(void)store_flush(store, 50);
		store_stats(store, &s);
		assert_int_equal(
		    s.records, s.stored + s.queued + s.lost_spool_full + s.lost_refused);
	} while (store_now_ms() < end && (said ? !strstr(s.last_error, said) : s.stored < stored));
	return s;
}

static void
test_greeting(void **state)
{
	struct store *store = open_as(STORE_WRITE, "ada:pw@", "?db=3&prefix=x:");

	(void)state;
	put(store, 1);
	assert_int_equal(flush_until(store, 1, NULL).stored, 1);
	assert_string_equal(server.told[0], "-");
	assert_string_equal(server.told[1], "AUTH ada pw");
	assert_string_equal(server.told[2], "SELECT 3");
	assert_int_equal(strncmp(server.told[3], "ZADD x:sensors ", 15), 0);
	assert_string_equal(server.told[4], "XINFO STREAM x:{s1}:events");
	assert_string_equal(server.told[5], "MULTI");
	assert_int_equal(strncmp(told("XADD", 0), "XADD x:{s1}:events MAXLEN ~ ", 27), 0);
	store_close(store);
}

static void
test_a_password_alone(void **state)
{
	struct store *store = open_as(STORE_WRITE, ":pw@", "");

	(void)state;
	put(store, 1);
	(void)flush_until(store, 1, NULL);
	assert_string_equal(server.told[1], "AUTH pw");
	assert_null(told("SELECT", 0));
	store_close(store);
}

/* The id of an XADD: the word behind "MAXLEN ~ N". */
static void
id_of(const char *xadd, char out[static 64])
{
	out[0] = '\0';
	assert_non_null(xadd);
	assert_int_equal(sscanf(xadd, "XADD %*s MAXLEN ~ %*s %63s", out), 1);
}

/* The answer to EXEC never comes. The same entries go out again under the same ids; those that had
 * arrived are refused as too small, and count as stored, once. */
static void
doubt(bool arrived)
{
	struct store *store = open_as(STORE_WRITE, "", "");
	char first[64], again[64];

	server.cuts = 1;
	server.top = "7-7";
	put(store, 3);
	struct store_stats s = flush_until(store, 0, "closed");
	assert_int_equal(s.queued, 3);
	assert_false(s.up);
	server.has_it = arrived;
	put(store, 2); /* more is waiting by now: it goes into a batch of its own */
	s = flush_until(store, 3, NULL);
	assert_int_equal(s.lost_refused, 0);
	for (unsigned i = 0; i < 3; i++) {
		id_of(told("XADD", i), first);
		id_of(told("XADD", 3 + i), again);
		assert_string_equal(first, again);
	}
	server.has_it = false;
	s = flush_until(store, 5, NULL);
	assert_int_equal(s.stored, 5);
	assert_int_equal(s.reconnects, 2);
	store_close(store);
}

static void
test_in_doubt_and_arrived(void **state)
{
	(void)state;
	doubt(true);
}

static void
test_in_doubt_and_lost(void **state)
{
	(void)state;
	doubt(false);
}

/* Ids go on from the stream's own, however far ahead another clock wrote it. */
static void
test_ids_after_the_stream(void **state)
{
	struct store *store = open_as(STORE_WRITE, "", "");
	char id[64];

	(void)state;
	server.top = "99999999999999-5";
	put(store, 2);
	(void)flush_until(store, 2, NULL);
	id_of(told("XADD", 0), id);
	assert_string_equal(id, "99999999999999-6");
	id_of(told("XADD", 1), id);
	assert_string_equal(id, "99999999999999-7");
	store_close(store);
}

/* What it had when we came, and has no more, was lost as much as what we gave it ourselves. */
static void
test_what_was_there_is_gone(void **state)
{
	struct store *store;

	(void)state;
	server.top = "1796207400000-3";
	server.cuts = 1;
	store = open_as(STORE_WRITE, "", "");
	put(store, 1);
	(void)flush_until(store, 0, "redis"); /* cut before it confirmed anything */
	assert_false(store->wants_rows);
	server.top = NULL;
	assert_int_equal(flush_until(store, 1, NULL).stored, 1);
	assert_true(store->wants_rows);
	store_close(store);
}

static void
test_refusals(void **state)
{
	static const char *const rows[][2] = {
		{ "AUTH", "WRONGPASS invalid username-password pair" },
		{ "SELECT", "ERR DB index is out of range" },
		{ "XINFO", "NOPERM this user has no permissions" },
		{ "XINFO", "LOADING Redis is loading the dataset in memory" },
		{ "XADD", "MISCONF Redis is configured to save RDB snapshots" },
		{ "EXEC", "EXECABORT Transaction discarded" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct store *store = open_as(STORE_WRITE, "u:p@", "?db=1");
		char word[16];

		server.refuse = rows[i][0];
		server.error = rows[i][1];
		(void)snprintf(
		    word, sizeof(word), "%.*s", (int)strcspn(rows[i][1], " "), rows[i][1]);
		put(store, 2);
		struct store_stats s = flush_until(store, 0, word);
		if (!strstr(s.last_error, word) || s.queued != 2 || s.stored != 0)
			fail_msg("%s: %s, queued %llu", rows[i][1], s.last_error,
			    (unsigned long long)s.queued);
		server.refuse = NULL;
		s = flush_until(store, 2, NULL);
		assert_int_equal(s.stored, 2);
		store_close(store);
	}
}

/* A reader says what it was told, and does not ask for ever. */
static void
test_a_reader_is_refused(void **state)
{
	struct store *store = open_as(STORE_READ, "", "");
	struct store_filter f = { 0 };
	char after[64] = "";

	(void)state;
	server.refuse = "XRANGE";
	server.error = "WRONGTYPE Operation against a key";
	assert_true(store_records(store, &f, after, NULL, NULL) < 0);
	assert_non_null(strstr(store_error(store), "WRONGTYPE"));
	assert_non_null(told("PING", 0));
	assert_null(told("ZADD", 0)); /* it is no sensor */
	store_close(store);
}

static const char two_sensors[] = "*2\r\n$2\r\ns1\r\n$2\r\ns2\r\n";

static bool
first_row(void *ctx, const struct store_row *row)
{
	assert_string_equal(row->host, "10.0.0.1");
	++*(unsigned *)ctx;
	return false;
}

/* A caller that has enough is not asked again for the next sensor. */
static void
test_enough_of_all_sensors(void **state)
{
	static const char ids[] = "*1\r\n$26\r\n10.0.0.1/acme/agent/update\r\n";
	static const char *const fields[RDS_ROW_FIELDS] = { "10.0.0.1", "Acme", "acme", "", "US",
		"", "Agent", "agent", "edr", "p/s", "update", "certain", "", "0", "0", "1", "2",
		"3", "4", "5", "0", "1" };
	struct store *store = open_as(STORE_READ, "", "");
	struct store_filter f = { .sensor = "*" };
	char row[1024];
	unsigned n = 0;
	int at = snprintf(row, sizeof(row), "*%d\r\n", RDS_ROW_FIELDS);

	(void)state;
	for (unsigned i = 0; i < RDS_ROW_FIELDS; i++)
		at += snprintf(row + at, sizeof(row) - (size_t)at, "$%zu\r\n%s\r\n",
		    strlen(fields[i]), fields[i]);
	server.says[0] = (struct said){ "ZRANGE phonehome:sensors", two_sensors };
	server.says[1] = (struct said){ "ZRANGEBYLEX", ids };
	server.says[2] = (struct said){ "HMGET", row };
	assert_int_equal(store_rows(store, &f, first_row, &n), 0);
	assert_int_equal(n, 1);
	store_close(store);
}

static void
count_gap(void *ctx, const char *sensor, uint64_t at_us, uint64_t lost)
{
	assert_string_equal(sensor, "s2");
	assert_int_equal(at_us, 7);
	*(uint64_t *)ctx += lost;
}

/* Followed: a sensor whose clock is behind another's is read from where it was itself. */
static void
test_each_sensor_by_its_own_clock(void **state)
{
	struct store *store = open_as(STORE_READ, "", "");
	struct store_filter f = { .sensor = "*", .on_gap = count_gap };
	char after[64] = "";
	uint64_t lost = 0;

	(void)state;
	server.says[0] = (struct said){ "ZRANGE phonehome:sensors", two_sensors };
	server.says[1] = (struct said){ "XRANGE phonehome:{s1}:events -",
		"*1\r\n*2\r\n$6\r\n2000-0\r\n*2\r\n$1\r\nx\r\n$1\r\ny\r\n" };
	server.says[2] = (struct said){ "XRANGE", "*0\r\n" };
	assert_int_equal(store_records(store, &f, after, NULL, &lost), 0);
	assert_string_equal(after, "(2000-0");
	server.says[1] = (struct said){ "XRANGE phonehome:{s2}:events -",
		"*1\r\n*2\r\n$6\r\n1000-0\r\n*4\r\n$3\r\ngap\r\n$1\r\n5\r\n$2\r\nat\r\n$1\r\n7"
		"\r\n" };
	assert_int_equal(store_records(store, &f, after, NULL, &lost), 0);
	assert_int_equal(lost, 5);
	assert_non_null(told("XRANGE phonehome:{s1}:events 2000-1 +", 0));
	assert_int_equal(store_records(store, &f, after, NULL, &lost), 0);
	assert_int_equal(lost, 5);
	assert_non_null(told("XRANGE phonehome:{s2}:events 1000-1 +", 0));
	assert_non_null(told("XRANGE phonehome:{s1}:events 2000-1 +", 1));
	store_close(store);
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_greeting),
		T(test_a_password_alone),
		T(test_in_doubt_and_arrived),
		T(test_in_doubt_and_lost),
		T(test_ids_after_the_stream),
		T(test_what_was_there_is_gone),
		T(test_refusals),
		T(test_a_reader_is_refused),
		T(test_enough_of_all_sensors),
		T(test_each_sensor_by_its_own_clock),
	};

	return cmocka_run_group_tests_name("store/redis_wire", tests, NULL, NULL);
}
