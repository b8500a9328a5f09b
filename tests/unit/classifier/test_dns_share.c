/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What workers tell each other: every entry whole or counted as lost, and in the end a connection
 * on one worker named by what another one heard.
 */
#include <pthread.h>
#include <stdio.h>

#include "tests/unit/classifier/engine_fixture.h"

#include "classifier/dns_share.h"

enum { MANY = 100000, FEW_SLOTS = 64 };

/* Entry n: every part of it follows from n, so that a torn one shows. */
static struct clf_dns_shared
entry_of(uint64_t n)
{
	struct clf_dns_shared e = { .expires = n };

	for (unsigned i = 0; i < CLF_DNS_SHARE_KEY; i++)
		e.key[i] = (uint8_t)(n * 31 + i);
	e.name_len = 1 + n % 200;
	memset(e.name, (int)('a' + n % 26), (size_t)e.name_len);
	return e;
}

static bool
is_whole(const struct clf_dns_shared *e)
{
	struct clf_dns_shared want = entry_of(e->expires);

	return e->name_len == want.name_len && memcmp(e->key, want.key, sizeof(e->key)) == 0 &&
	       strcmp(e->name, want.name) == 0;
}

static void
each_hears_the_others(void **state)
{
	struct clf_dns_share *s = clf_dns_share_new(3, 0);
	struct clf_dns_reader reader[3] = { 0 };
	struct clf_dns_shared e, got;
	(void)state;

	assert_non_null(s);
	for (unsigned w = 0; w < 3; w++) {
		e = entry_of(w + 1);
		clf_dns_share_tell(s, w, &e);
	}
	for (unsigned w = 0; w < 3; w++) {
		uint64_t heard = 0;
		while (clf_dns_share_take(s, w, &reader[w], &got)) {
			assert_true(is_whole(&got));
			heard |= 1u << got.expires;
		}
		assert_int_equal(heard, 0xe & ~(2u << w)); /* entry w + 1 is its own */
		assert_int_equal(reader[w].lost, 0);
	}
	clf_dns_share_free(s);
	clf_dns_share_free(NULL);
	assert_null(clf_dns_share_new(CLF_DNS_SHARE_MAX + 1, 0));
	assert_null(clf_dns_share_new(2, 3));
}

static void
who_is_slow_loses_the_oldest(void **state)
{
	struct clf_dns_share *s = clf_dns_share_new(2, 8);
	struct clf_dns_reader reader = { 0 };
	struct clf_dns_shared got = { 0 };
	uint64_t taken = 0;
	(void)state;

	for (uint64_t n = 1; n <= 100; n++) {
		struct clf_dns_shared e = entry_of(n);
		clf_dns_share_tell(s, 0, &e);
	}
	while (clf_dns_share_take(s, 1, &reader, &got)) {
		assert_true(is_whole(&got));
		taken++;
	}
	assert_int_equal(got.expires, 100); /* the newest is there */
	assert_true(taken >= 1 && taken <= 8);
	assert_int_equal(taken + reader.lost, 100);
	clf_dns_share_free(s);
}

static void *
write_many(void *share)
{
	for (uint64_t n = 1; n <= MANY; n++) {
		struct clf_dns_shared e = entry_of(n);
		clf_dns_share_tell(share, 0, &e);
	}
	return NULL;
}

/* A writer that never waits, over a ring that is far too small. */
static void
no_entry_is_ever_torn(void **state)
{
	struct clf_dns_share *s = clf_dns_share_new(2, FEW_SLOTS);
	struct clf_dns_reader reader = { 0 };
	struct clf_dns_shared got;
	uint64_t taken = 0, last = 0;
	pthread_t writer;
	(void)state;

	assert_int_equal(pthread_create(&writer, NULL, write_many, s), 0);
	while (last != MANY) {
		if (!clf_dns_share_take(s, 1, &reader, &got))
			continue;
		assert_true(is_whole(&got));
		assert_true(got.expires > last);
		last = got.expires;
		taken++;
	}
	assert_int_equal(pthread_join(writer, NULL), 0);
	assert_false(clf_dns_share_take(s, 1, &reader, &got));
	assert_int_equal(taken + reader.lost, MANY);
	clf_dns_share_free(s);
}

/* Two workers: the resolver's socket is one's, the connection another's. */
static void
one_worker_names_what_another_heard(void **state)
{
	struct clf_dns_share *share = clf_dns_share_new(2, 0);
	struct clf_engine_config c = small_config();
	struct clf_engine *first, *second = NULL;
	struct buf q = { 0 }, a = { 0 };
	struct sig_diag diag = { 0 };
	(void)state;

	c.dns_share = share;
	start_with(NULL, &c);
	first = engine;
	c.worker = 1;
	c.sink = keep_event;
	assert_int_equal(clf_engine_new(&c, rules, policy, &second, &diag), 0);
	put_dns_head(&q, 7, 0x0100, 1, 0);
	put_dns_question(&q, "m.acme.example", 1);
	put_dns_head(&a, 7, 0x8180, 1, 1);
	put_dns_question(&a, "m.acme.example", 1);
	put_dns_name(&a, "m.acme.example");
	put_dns_record(&a, 1, 300, "\x0a\0\0\x02", 4);
	(void)udp(true, 5000, 53, q.data, q.len);
	(void)udp(false, 5000, 53, a.data, a.len);
	engine = second;
	shake_hands(40000, 9999);
	(void)tcp(true, 40000, 9999, ACK, 1, "\x01\x02\x03\x04", 4);
	clf_flush(second, now);
	const struct clf_event *e = NULL;
	for (unsigned i = 0; i < n_events; i++) {
		if (events[i].has_details && events[i].protocol == 6)
			e = &events[i];
	}
	assert_non_null(e);
	assert_int_equal(e->worker, 1);
	assert_str(e, name, "m.acme.example");
	assert_int_equal(e->name_source, SIG_F_DNS_MEMORY);
	assert_int_equal(e->confidence, SIG_CONF_INFERRED);
	assert_int_equal(clf_engine_stats(second)->dns_shared, 1);
	assert_int_equal(clf_engine_stats(second)->dns_share_lost, 0);
	assert_int_equal(clf_engine_stats(first)->dns_shared, 0);
	clf_engine_free(second);
	engine = first;
	stop();
	clf_dns_share_free(share);
	buf_free(&q);
	buf_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_hears_the_others),
		cmocka_unit_test(who_is_slow_loses_the_oldest),
		cmocka_unit_test(no_entry_is_ever_torn),
		cmocka_unit_test(one_worker_names_what_another_heard),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
