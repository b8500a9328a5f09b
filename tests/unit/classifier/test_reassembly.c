/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The law of the streams: the same bytes give the same prefix, whatever the cut, order or
 * duplication of the segments. And what must be ignored, or marked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "classifier/parse.h"
#include "classifier/reassembly.h"

enum { ISN = 0xfffffe00u /* the sequence wraps inside */, ACK = 16, SYN = 2, FIN = 1, RST = 4 };

static uint64_t random_state = 1;

static uint32_t
rnd(uint32_t below)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((random_state >> 33) % below);
}

/* The payload stands behind 40 bytes that are no header: l4_csum says what the checksum is. */
static uint8_t space[40 + 65536];

static struct clf_pkt
segment(uint32_t seq, const void *payload, uint32_t n, uint8_t flags)
{
	memcpy(space + 40, payload, n);
	return (struct clf_pkt){ .data = space,
		.len = 40 + n,
		.l4_off = 20,
		.payload_off = 40,
		.payload_len = (uint16_t)n,
		.payload_wire = (uint16_t)n,
		.parse = CLF_P_OK,
		.ip_version = 4,
		.protocol = 6,
		.tcp_flags = flags,
		.ttl = 64,
		.seq = seq,
		.window = 64000,
		.l4_csum = CLF_CSUM_GOOD };
}

static enum clf_push
push(struct clf_stream_pool *pool, struct clf_stream *s, uint32_t off, const void *p, uint32_t n)
{
	struct clf_pkt pkt = segment(ISN + 1 + off, p, n, ACK);

	return clf_stream_push(pool, s, &pkt, false);
}

static struct clf_stream *
open_syn(struct clf_stream_pool *pool)
{
	struct clf_stream *s = clf_stream_open(pool);
	struct clf_pkt syn = segment(ISN, "", 0, SYN);

	assert_non_null(s);
	clf_stream_syn(s, &syn);
	return s;
}

static void
expect(const struct clf_stream *s, const void *p, size_t n)
{
	struct sig_bytes v = clf_stream_view(s);

	assert_int_equal(sig_bytes_left(&v), n);
	if (n != 0)
		assert_memory_equal(v.p, p, n);
}

static void
orders(void **state)
{
	struct clf_stream_pool *pool = clf_stream_pool_new(1 << 20, 1);
	struct clf_stream *s = open_syn(pool);

	(void)state;
	assert_int_equal(push(pool, s, 0, "abc", 3), CLF_PUSH_MORE); /* 1-3-2 */
	assert_int_equal(push(pool, s, 6, "ghi", 3), CLF_PUSH_NOTHING);
	expect(s, "abc", 3);
	assert_int_equal(push(pool, s, 3, "def", 3), CLF_PUSH_MORE);
	expect(s, "abcdefghi", 9);
	assert_int_equal(push(pool, s, 0, "abcdef", 6), CLF_PUSH_NOTHING); /* retransmission */
	assert_int_equal(clf_stream_flags(s), 0);
	assert_int_equal(push(pool, s, 7, "hijk", 4), CLF_PUSH_MORE);
	expect(s, "abcdefghijk", 11);
	clf_stream_consume(pool, s, 4);
	expect(s, "efghijk", 7);
	assert_int_equal(
	    push(pool, s, 2, "XXXX", 4), CLF_PUSH_MORE); /* "XX" are gone, "XX" differ */
	assert_int_equal(clf_stream_flags(s), CLF_FL_OVERLAP | CLF_FL_AMBIGUOUS);
	struct sig_bytes other = clf_stream_other(s);
	assert_memory_equal(other.p, "XXghijk", 7);
	expect(s, "efghijk", 7);
	clf_stream_close(pool, s);
	clf_stream_pool_free(pool);
}

/* Cuts a text at random, shuffles, repeats; the prefix at the end is the text. */
static void
any_cut_order_duplication(void **state)
{
	static uint8_t text[40000];
	struct clf_stream_pool *pool = clf_stream_pool_new(4 << 20, 1);
	struct piece {
		uint32_t off, len;
	} pieces[4096];

	(void)state;
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)(i * 31 + (i >> 8));
	for (unsigned round = 0; round < 3000; round++) {
		uint32_t total = 1 + rnd(round % 10 == 0 ? 40000 : 2500), n = 0;
		uint32_t most = rnd(4) == 0 ? 1 : 1 + rnd(1500);
		bool syn = rnd(3) != 0, borrow = rnd(2);

		if (total / most > 1500)
			most = total / 1500 + 1;
		for (uint32_t at = 0; at < total; n++) {
			uint32_t len = 1 + rnd(most * 2);
			pieces[n] = (struct piece){ at, len < total - at ? len : total - at };
			at += pieces[n].len;
		}
		for (uint32_t i = rnd(10), whole = n; i != 0; i--) { /* overlapping repeats */
			struct piece p = pieces[rnd(whole)];
			uint32_t more = rnd(300);
			p.off -= p.off < more ? p.off : more;
			pieces[n++] = p;
		}
		for (uint32_t i = n - 1; i != 0 && round % 3 != 0; i--) {
			uint32_t j = rnd(i + 1);
			struct piece p = pieces[i];
			pieces[i] = pieces[j];
			pieces[j] = p;
		}
		struct clf_stream *s = syn ? open_syn(pool) : clf_stream_open(pool);
		for (uint32_t i = 0; i < n; i++) {
			struct clf_pkt pkt = segment(
			    ISN + 1 + pieces[i].off, text + pieces[i].off, pieces[i].len, ACK);
			if (borrow)
				(void)clf_stream_push_borrow(pool, s, &pkt, false);
			else
				(void)clf_stream_push(pool, s, &pkt, false);
			assert_true(clf_stream_keep(pool, s));
		}
		expect(s, text, total);
		assert_int_equal(clf_stream_flags(s), syn ? 0 : CLF_FL_MIDSTREAM);
		clf_stream_close(pool, s);
	}
	assert_int_equal(clf_stream_pool_stats(pool)->overlaps, 0);
	clf_stream_pool_free(pool);
}

static void
decoys(void **state)
{
	struct clf_stream_pool *pool = clf_stream_pool_new(1 << 20, 1);
	struct clf_stream *s = open_syn(pool);
	struct clf_pkt p;

	(void)state;
	p = segment(ISN + 1, "decoy", 5, ACK); /* its SYN had a good sum, so this is not believed */
	p.l4_csum = CLF_CSUM_BAD;
	assert_int_equal(clf_stream_push(pool, s, &p, false), CLF_PUSH_NOTHING);
	p.l4_csum = CLF_CSUM_PARTIAL; /* as captured on a sender with offload */
	assert_int_equal(clf_stream_push(pool, s, &p, true), CLF_PUSH_NOTHING);
	assert_int_equal(clf_stream_pool_stats(pool)->bad_checksum, 2);
	p = segment(ISN + 1 + 0x10000000, "decoy", 5, ACK);
	assert_int_equal(clf_stream_push(pool, s, &p, false), CLF_PUSH_NOTHING);
	p = segment(ISN + 1 - 100000, "decoy", 5, ACK);
	assert_int_equal(clf_stream_push(pool, s, &p, false), CLF_PUSH_NOTHING);
	p = segment(ISN + 1 - 3, "decoy", 2, ACK);
	assert_int_equal(clf_stream_push(pool, s, &p, false), CLF_PUSH_NOTHING);
	assert_int_equal(clf_stream_flags(s), CLF_FL_BAD_CHECKSUM);
	assert_int_equal(push(pool, s, 0, "real", 4), CLF_PUSH_MORE);
	expect(s, "real", 4);
	clf_stream_close(pool, s);

	s = open_syn(pool);
	p = segment(ISN + 1, "decoy", 5, ACK);
	p.ttl = 3;
	assert_int_equal(clf_stream_push(pool, s, &p, false), CLF_PUSH_MORE);
	assert_int_equal(clf_stream_flags(s), CLF_FL_AMBIGUOUS);
	assert_int_equal(push(pool, s, 0, "the real", 8), CLF_PUSH_MORE);
	expect(s, "decoyeal", 8);
	struct sig_bytes other = clf_stream_other(s);
	assert_memory_equal(other.p, "the real", 8);
	clf_stream_close(pool, s);
	clf_stream_pool_free(pool);
}

static void
control(void **state)
{
	struct clf_stream_pool *pool = clf_stream_pool_new(1 << 20, 1);
	struct clf_stream *s = open_syn(pool);
	struct clf_pkt p = segment(900, "", 0, SYN | ACK);

	(void)state;
	p.ack = ISN + 1;
	clf_stream_acked(s, &p);
	(void)push(pool, s, 0, "abc", 3);
	p = segment(ISN + 4, "", 0, RST);
	assert_true(clf_stream_control_ok(pool, s, &p, false));
	p.l4_csum = CLF_CSUM_BAD;
	assert_false(clf_stream_control_ok(pool, s, &p, false));
	p = segment(ISN + 4 + 200000, "", 0, RST);
	assert_false(clf_stream_control_ok(pool, s, &p, false));
	p = segment(ISN - 50, "", 0, FIN);
	assert_false(clf_stream_control_ok(pool, s, &p, false));
	p = segment(ISN + 4, "", 0, RST);
	p.ttl = 2;
	assert_false(clf_stream_control_ok(pool, s, &p, false));
	p = segment(900, "", 0, ACK);
	p.ack = ISN + 10;
	clf_stream_acked(s, &p);
	assert_int_equal(clf_stream_flags(s), CLF_FL_GAP | CLF_FL_BAD_CHECKSUM);
	clf_stream_close(pool, s);
	clf_stream_pool_free(pool);
}

static void
several_syns(void **state)
{
	struct clf_stream_pool *pool = clf_stream_pool_new(1 << 20, 1);
	struct clf_stream *s = clf_stream_open(pool);
	struct clf_pkt p = segment(5000000, "", 0, SYN);

	(void)state;
	clf_stream_syn(s, &p);
	p = segment(ISN, "", 0, SYN);
	clf_stream_syn(s, &p);
	assert_int_equal(push(pool, s, 0, "abc", 3), CLF_PUSH_MORE); /* the data tells */
	expect(s, "abc", 3);
	clf_stream_close(pool, s);

	s = clf_stream_open(pool);
	p = segment(ISN, "", 0, SYN);
	clf_stream_syn(s, &p);
	p = segment(5000000, "", 0, SYN);
	clf_stream_syn(s, &p);
	p = segment(77, "", 0, SYN | ACK); /* the answer tells, whatever a decoy says later */
	p.ack = ISN + 1;
	clf_stream_acked(s, &p);
	p = segment(5000001, "decoy", 5, ACK);
	assert_int_equal(clf_stream_push(pool, s, &p, false), CLF_PUSH_NOTHING);
	assert_int_equal(push(pool, s, 0, "abc", 3), CLF_PUSH_MORE);
	expect(s, "abc", 3);
	clf_stream_close(pool, s);

	s = clf_stream_open(pool); /* data before its SYN */
	assert_int_equal(push(pool, s, 3, "def", 3), CLF_PUSH_MORE);
	p = segment(ISN, "abc", 3, SYN);
	clf_stream_syn(s, &p);
	expect(s, "", 0);
	assert_int_equal(clf_stream_push(pool, s, &p, false), CLF_PUSH_MORE); /* data in the SYN */
	expect(s, "abcdef", 6);
	assert_int_equal(clf_stream_flags(s), 0);
	clf_stream_close(pool, s);
	clf_stream_pool_free(pool);
}

static void
limits(void **state)
{
	static uint8_t part[32768];
	struct clf_stream_pool *pool = clf_stream_pool_new(4 << 20, 1);
	struct clf_stream *s[256];
	unsigned n = 0, no_room = 0;

	(void)state;
	s[0] = open_syn(pool);
	for (uint32_t at = 0; at < CLF_STREAM_MAX; at += sizeof part)
		assert_int_equal(push(pool, s[0], at, part, sizeof part), CLF_PUSH_MORE);
	assert_int_equal(push(pool, s[0], CLF_STREAM_MAX, part, 1), CLF_PUSH_NO_ROOM);
	assert_int_equal(clf_stream_flags(s[0]), CLF_FL_OVER_LIMIT);
	expect(s[0], clf_stream_view(s[0]).p, CLF_STREAM_MAX);
	clf_stream_consume(pool, s[0], CLF_STREAM_MAX - 1);
	assert_int_equal(push(pool, s[0], CLF_STREAM_MAX, part, 100), CLF_PUSH_MORE);
	clf_stream_close(pool, s[0]);
	for (n = 0; n < 256; n++) {
		s[n] = open_syn(pool);
		if (push(pool, s[n], 0, part, sizeof part) == CLF_PUSH_NO_ROOM)
			no_room++;
	}
	assert_true(no_room > 0 && no_room < 256);
	while (n-- > 0)
		clf_stream_close(pool, s[n]);
	s[0] = open_syn(pool); /* all of it came back */
	for (uint32_t at = 0; at < CLF_STREAM_MAX; at += sizeof part)
		assert_int_equal(push(pool, s[0], at, part, sizeof part), CLF_PUSH_MORE);
	clf_stream_close(pool, s[0]);
	clf_stream_pool_free(pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders),
		cmocka_unit_test(any_cut_order_duplication),
		cmocka_unit_test(decoys),
		cmocka_unit_test(control),
		cmocka_unit_test(several_syns),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
