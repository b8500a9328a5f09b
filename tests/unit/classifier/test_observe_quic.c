/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QUIC Initials: the RFCs' own packets, then hellos cut, shuffled and interrupted in every way
 * that a client or a network may.
 */
#include "tests/unit/classifier/check.h"
#include "tests/unit/classifier/quic_build.h"
#include "tests/unit/classifier/quic_vectors.h"

static struct clf_quic_pool *pool;
static struct clf_quic_result r;
static const uint8_t cid[] = { 0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08 };

static int
set_up(void **state)
{
	(void)state;
	pool = clf_quic_pool_new(8);
	return pool == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	clf_quic_pool_free(pool);
	return 0;
}

static enum clf_obs
feed_dir(struct clf_quic *q, const void *p, size_t len, bool up)
{
	uint8_t *copy = exact_copy(p, len);
	enum clf_obs obs = clf_quic_datagram(q, sig_bytes_of(copy, len), up, 100, &r);

	free(copy);
	return obs;
}

static enum clf_obs
feed(struct clf_quic *q, const struct buf *b)
{
	return feed_dir(q, b->data, b->len, true);
}

static void
check_vector(const uint8_t *p, size_t len, uint32_t version, const char *name)
{
	struct clf_quic *q = clf_quic_open(pool);
	uint8_t *bad = exact_copy(p, len);

	assert_true(clf_quic_looks(sig_bytes_of(p, len)));
	for (size_t n = 0; n < len; n += 1 + n / 8)
		assert_int_equal(feed_dir(q, p, n, true), CLF_OBS_MORE);
	for (size_t at = 0; at < len; at += 1 + at / 8) { /* not one bit may be wrong */
		bad[at] ^= 1;
		assert_int_equal(feed_dir(q, bad, len, true), CLF_OBS_MORE);
		bad[at] ^= 1;
	}
	assert_int_equal(feed_dir(q, p, len, false), CLF_OBS_MORE); /* not the client's side */
	assert_int_equal(feed_dir(q, p, len, true), CLF_OBS_DONE);
	assert_int_equal(r.version, version);
	assert_true(r.initial && !r.gap && !r.ambiguous && !r.malformed);
	assert_int_equal(r.decrypts, 1);
	assert_string_equal(r.hello.sni.canonical, name);
	assert_int_equal(r.hello.version, 0x0304);
	free(bad);
	clf_quic_close(pool, q);
}

static void
test_rfc_vectors(void **state)
{
	(void)state;
	check_vector(quic_v1_initial, sizeof(quic_v1_initial), 1, "example.com");
	check_vector(quic_v2_initial, sizeof(quic_v2_initial), 0x6b3343cf, "example.com");
	check_vector(quic_d29_initial, sizeof(quic_d29_initial), 0xff00001d, "server");
	assert_bytes(r.hello.sni.raw, r.hello.sni.raw_len, "server");
}

/* A hello of `pad` bytes more, cut into `parts` CRYPTO frames of one datagram each. */
struct cut {
	struct buf hello;
	struct buf part[16];
	unsigned n;
};

static void
cut_hello(struct cut *c, const struct quic_side *s, size_t pad, unsigned parts)
{
	struct hello_spec spec = { .sni = "a.vendor.example", .pad = pad };
	size_t step;

	memset(c, 0, sizeof(*c));
	put_hello(&c->hello, &spec);
	c->n = parts;
	step = (c->hello.len + parts - 1) / parts;
	for (unsigned i = 0; i < parts; i++) {
		size_t off = i * step;
		size_t len = c->hello.len - off < step ? c->hello.len - off : step;
		struct buf payload = { 0 };

		put_be(&payload, 1, 1); /* PING */
		put_be(&payload, 0, 3); /* PADDING */
		put_crypto_frame(&payload, off, c->hello.data, len);
		put_be(&payload, 0, 8);
		put_initial(&c->part[i], s, (uint16_t)(i + 1), &payload);
		buf_free(&payload);
	}
}

static void
cut_free(struct cut *c)
{
	buf_free(&c->hello);
	for (unsigned i = 0; i < c->n; i++)
		buf_free(&c->part[i]);
}

static void
test_datagrams_in_any_order(void **state)
{
	static const unsigned orders[][4] = { { 0, 1, 2, 3 }, { 3, 2, 1, 0 }, { 2, 0, 3, 1 },
		{ 1, 3, 0, 2 } };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		for (size_t pad = 0; pad <= 20000; pad += 2000) {
			struct clf_quic *q = clf_quic_open(pool);
			struct quic_side s;
			struct cut c;

			quic_side_init(&s, i & 1 ? 1 : 0x6b3343cf, cid, sizeof(cid));
			cut_hello(&c, &s, pad, 4);
			for (unsigned k = 0; k < 3; k++) {
				assert_int_equal(feed(q, &c.part[orders[i][k]]), CLF_OBS_MORE);
				assert_int_equal(feed(q, &c.part[orders[i][k]]), CLF_OBS_MORE);
			}
			assert_int_equal(feed(q, &c.part[orders[i][3]]), CLF_OBS_DONE);
			assert_string_equal(r.hello.sni.canonical, "a.vendor.example");
			assert_false(r.gap || r.ambiguous || r.over_limit);
			cut_free(&c);
			clf_quic_close(pool, q);
		}
	}
}

/* Frames of 1 to 5 bytes, the last first, with ACK, PING and CONNECTION_CLOSE between. */
static void
test_frames_shuffled(void **state)
{
	static const uint8_t ack[] = { 2, 5, 0, 1, 0, 1, 1 },
			     ack_ecn[] = { 3, 5, 0, 0, 0, 1, 2, 3 },
			     closing[] = { 0x1c, 1, 6, 2, 'h', 'i' };
	struct hello_spec spec = { .sni = "a.vendor.example" };
	struct buf hello = { 0 };

	(void)state;
	put_hello(&hello, &spec);
	for (size_t step = 1; step <= 5; step++) {
		struct clf_quic *q = clf_quic_open(pool);
		struct buf payload = { 0 }, dgram = { 0 };
		struct quic_side s;

		quic_side_init(&s, 1, cid, sizeof(cid));
		for (size_t at = (hello.len - 1) / step * step + step; at > 0; at -= step) {
			size_t off = at - step;
			size_t len = hello.len - off < step ? hello.len - off : step;

			put_crypto_frame(&payload, off, hello.data, len);
			if (off % 3 == 0)
				put(&payload, ack, sizeof(ack));
			if (off % 5 == 0)
				put(&payload, ack_ecn, sizeof(ack_ecn));
			if (off % 7 == 0)
				put(&payload, closing, sizeof(closing));
		}
		put_initial(&dgram, &s, 0, &payload);
		assert_int_equal(feed(q, &dgram), CLF_OBS_DONE);
		assert_string_equal(r.hello.sni.canonical, "a.vendor.example");
		assert_false(r.ambiguous || r.malformed);
		buf_free(&payload);
		buf_free(&dgram);
		clf_quic_close(pool, q);
	}
	buf_free(&hello);
}

static void
test_overlap(void **state)
{
	struct clf_quic *q = clf_quic_open(pool);
	struct hello_spec spec = { .sni = "a.vendor.example" };
	struct buf hello = { 0 }, payload = { 0 }, dgram = { 0 };
	struct quic_side s;

	(void)state;
	put_hello(&hello, &spec);
	quic_side_init(&s, 1, cid, sizeof(cid));
	put_crypto_frame(&payload, 50, hello.data, 20);
	put_crypto_frame(&payload, 40, hello.data, 40);
	put_crypto_frame(&payload, 60, hello.data, hello.len - 60);
	put_initial(&dgram, &s, 0, &payload);
	assert_int_equal(feed(q, &dgram), CLF_OBS_MORE);
	assert_true(r.gap && !r.ambiguous);
	hello.data[45] ^= 1; /* the same offset, another byte */
	payload.len = dgram.len = 0;
	put_crypto_frame(&payload, 0, hello.data, 70);
	put_initial(&dgram, &s, 1, &payload);
	assert_int_equal(feed(q, &dgram), CLF_OBS_DONE);
	assert_true(r.ambiguous && !r.gap);
	assert_string_equal(r.hello.sni.canonical, "a.vendor.example");
	buf_free(&hello);
	buf_free(&payload);
	buf_free(&dgram);
	clf_quic_close(pool, q);
}

/* The rest of the hello never comes: what is there may hold the name. */
static void
test_partial(void **state)
{
	struct clf_quic *q = clf_quic_open(pool);
	struct hello_spec spec = { .sni = "a.vendor.example" };
	struct buf hello = { 0 }, payload = { 0 }, dgram = { 0 };
	struct clf_tls_hello h;
	struct quic_side s;

	(void)state;
	put_hello(&hello, &spec);
	quic_side_init(&s, 1, cid, sizeof(cid));
	assert_false(clf_quic_partial_hello(q, &h));
	put_crypto_frame(&payload, 0, hello.data, 60);
	put_initial(&dgram, &s, 0, &payload);
	assert_int_equal(feed(q, &dgram), CLF_OBS_MORE);
	assert_false(clf_quic_partial_hello(q, &h));
	payload.len = dgram.len = 0;
	put_crypto_frame(&payload, 60, hello.data, hello.len - 61);
	put_initial(&dgram, &s, 1, &payload);
	assert_int_equal(feed(q, &dgram), CLF_OBS_MORE);
	assert_true(clf_quic_partial_hello(q, &h));
	assert_string_equal(h.sni.canonical, "a.vendor.example");
	buf_free(&hello);
	buf_free(&payload);
	buf_free(&dgram);
	clf_quic_close(pool, q);
}

/* RFC 9001 5.2: keys from the Retry's Source Connection ID, whether the Retry was heard or not. */
static void
test_retry(void **state)
{
	static const uint8_t scid[] = { 0xf0, 0x67, 0xa5, 0x50, 0x2a, 0x42, 0x62, 0xb5 };
	/* RFC 9001 A.4 */
	static const uint8_t retry[] = { 0xff, 0, 0, 0, 1, 0, 8, 0xf0, 0x67, 0xa5, 0x50, 0x2a, 0x42,
		0x62, 0xb5, 't', 'o', 'k', 'e', 'n', 0x04, 0xa2, 0x65, 0xba, 0x2e, 0xff, 0x4d, 0x82,
		0x90, 0x58, 0xfb, 0x3f, 0x0f, 0x24, 0x96, 0xba };

	(void)state;
	for (int heard = 0; heard < 2; heard++) {
		struct clf_quic *q = clf_quic_open(pool);
		struct quic_side first, second;
		struct cut a, b;

		quic_side_init(&first, 1, cid, sizeof(cid));
		quic_side_init(&second, 1, scid, sizeof(scid));
		cut_hello(&a, &first, 1500, 2);
		cut_hello(&b, &second, 1500, 2);
		assert_int_equal(feed(q, &a.part[0]), CLF_OBS_MORE);
		if (heard) {
			assert_int_equal(feed_dir(q, retry, sizeof(retry), false), CLF_OBS_MORE);
			assert_true(r.retry);
		}
		assert_int_equal(feed(q, &b.part[0]), CLF_OBS_MORE);
		assert_int_equal(r.decrypts, heard ? 1 : 2);
		assert_int_equal(feed(q, &b.part[1]), CLF_OBS_DONE);
		assert_string_equal(r.hello.sni.canonical, "a.vendor.example");
		assert_false(r.ambiguous);
		cut_free(&a);
		cut_free(&b);
		clf_quic_close(pool, q);
	}
}

/* After the server's first Initial the client takes its ID; the keys stay. */
static void
test_new_id_same_keys(void **state)
{
	struct clf_quic *q = clf_quic_open(pool);
	struct quic_side s;
	struct cut a, b;

	(void)state;
	quic_side_init(&s, 1, cid, sizeof(cid));
	cut_hello(&a, &s, 1500, 2);
	s.dcid_len = 20;
	cut_hello(&b, &s, 1500, 2);
	assert_int_equal(feed(q, &a.part[0]), CLF_OBS_MORE);
	assert_int_equal(feed(q, &b.part[1]), CLF_OBS_DONE);
	assert_int_equal(r.decrypts, 1);
	cut_free(&a);
	cut_free(&b);
	clf_quic_close(pool, q);
}

/* A junk datagram, a 0-RTT packet, another Initial and a short header share and precede. */
static void
test_coalesced_and_junk(void **state)
{
	static const uint8_t zero_rtt[] = { 0xd0, 0, 0, 0, 1, 8, 0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51,
		0x57, 0x08, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0 };
	struct clf_quic *q = clf_quic_open(pool);
	struct buf dgram = { 0 };
	struct quic_side s;
	struct cut c;

	(void)state;
	quic_side_init(&s, 1, cid, sizeof(cid));
	cut_hello(&c, &s, 0, 2);
	assert_int_equal(feed_dir(q, "junk", 4, true), CLF_OBS_MORE);
	assert_int_equal(feed_dir(q, zero_rtt, sizeof(zero_rtt), true), CLF_OBS_MORE);
	assert_true(r.zero_rtt && !r.initial);
	put(&dgram, zero_rtt, sizeof(zero_rtt));
	put(&dgram, c.part[1].data, c.part[1].len);
	put(&dgram, c.part[0].data, c.part[0].len);
	put(&dgram, "\x40short", 6);
	assert_int_equal(feed(q, &dgram), CLF_OBS_DONE);
	assert_int_equal(r.decrypts, 2);
	assert_true(r.zero_rtt && r.initial);
	buf_free(&dgram);
	cut_free(&c);
	clf_quic_close(pool, q);
}

static void
test_version_negotiation(void **state)
{
	static const uint8_t vn[] = { 0x80, 0, 0, 0, 0, 0, 8, 0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51,
		0x57, 0x08, 0x6b, 0x33, 0x43, 0xcf };
	static const uint8_t grease[] = { 0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 0, 0, 0 };
	struct clf_quic *q = clf_quic_open(pool);
	struct quic_side s;
	struct cut a, b;

	(void)state;
	assert_true(clf_quic_looks(sig_bytes_of(vn, sizeof(vn))));
	assert_true(clf_quic_looks(sig_bytes_of(grease, sizeof(grease))));
	quic_side_init(&s, 0x1a2a3a4a, cid, sizeof(cid)); /* protected as version 1 */
	cut_hello(&a, &s, 0, 1);
	assert_int_equal(feed(q, &a.part[0]), CLF_OBS_DONE);
	assert_string_equal(r.hello.sni.canonical, "a.vendor.example");
	cut_free(&a);
	clf_quic_close(pool, q);
	q = clf_quic_open(pool);
	assert_false(clf_quic_looks(sig_bytes_of(vn, 10)));
	assert_false(clf_quic_looks(sig_bytes_of("\x40\0\0\0\1\0\0", 7)));
	assert_false(clf_quic_looks(sig_bytes_of("GET / HTTP/1.1", 14)));
	quic_side_init(&s, 1, cid, sizeof(cid));
	cut_hello(&a, &s, 1500, 2);
	quic_side_init(&s, 0x6b3343cf, cid, sizeof(cid));
	cut_hello(&b, &s, 900, 2); /* another hello: the padding differs */
	assert_int_equal(feed(q, &a.part[0]), CLF_OBS_MORE);
	assert_int_equal(feed_dir(q, vn, sizeof(vn), false), CLF_OBS_MORE);
	assert_true(r.version_negotiation);
	assert_int_equal(feed(q, &b.part[0]), CLF_OBS_MORE);
	assert_int_equal(feed(q, &b.part[1]), CLF_OBS_DONE);
	assert_false(r.ambiguous);
	assert_int_equal(r.version, 0x6b3343cf);
	cut_free(&a);
	cut_free(&b);
	clf_quic_close(pool, q);
}

/* RFC 9368 2.3, RFC 9369 4.1: both switch to version 2, the hello goes on under the first ID's
 * keys. */
static void
test_version_switched(void **state)
{
	static const uint8_t theirs[] = { 9, 8, 7, 6, 5, 4, 3, 2, 1 };
	struct clf_quic *q = clf_quic_open(pool);
	struct quic_side s;
	struct cut a, b;

	(void)state;
	quic_side_init(&s, 1, cid, sizeof(cid));
	cut_hello(&a, &s, 1500, 2);
	quic_side_init(&s, 0x6b3343cf, cid, sizeof(cid));
	memcpy(s.dcid, theirs, sizeof(theirs));
	s.dcid_len = sizeof(theirs);
	cut_hello(&b, &s, 1500, 2);
	assert_int_equal(feed(q, &a.part[0]), CLF_OBS_MORE);
	assert_int_equal(feed(q, &b.part[1]), CLF_OBS_DONE);
	assert_string_equal(r.hello.sni.canonical, "a.vendor.example");
	assert_in_range(r.decrypts, 1, 3);
	cut_free(&a);
	cut_free(&b);
	clf_quic_close(pool, q);
}

/* RFC 9287: the fixed bit is clear. Only a datagram as a client's first one is taken for QUIC. */
static void
test_fixed_bit_clear(void **state)
{
	struct clf_quic *q = clf_quic_open(pool);
	struct buf payload = { 0 }, dgram = { 0 };
	struct hello_spec spec = { .sni = "a.vendor.example", .pad = 1100 };
	struct buf msg = { 0 };
	struct quic_side s;

	(void)state;
	quic_side_init(&s, 1, cid, sizeof(cid));
	s.clear_fixed_bit = true;
	put_hello(&msg, &spec);
	put_crypto_frame(&payload, 0, msg.data, msg.len);
	put_initial(&dgram, &s, 0, &payload);
	assert_in_range(dgram.len, 1200, 1500);
	assert_int_equal(dgram.data[0] & 0xc0, 0x80);
	assert_true(clf_quic_looks(sig_bytes_of(dgram.data, dgram.len)));
	assert_false(clf_quic_looks(sig_bytes_of(dgram.data, 1199)));
	assert_int_equal(feed(q, &dgram), CLF_OBS_DONE);
	assert_string_equal(r.hello.sni.canonical, "a.vendor.example");
	dgram.data[0] |= 0x30; /* a Retry: not of the client */
	assert_false(clf_quic_looks(sig_bytes_of(dgram.data, dgram.len)));
	clf_quic_close(pool, q);
	buf_free(&msg);
	buf_free(&payload);
	buf_free(&dgram);
}

/* RFC 9000 12.2: packets to another ID in the same datagram are not looked at. */
static void
test_coalesced_other_id(void **state)
{
	static const uint8_t other[] = { 1, 1, 1, 1, 2, 2, 2, 2 };
	struct clf_quic *q = clf_quic_open(pool);
	struct quic_side s;
	struct cut a, b;

	(void)state;
	quic_side_init(&s, 1, cid, sizeof(cid));
	cut_hello(&a, &s, 1500, 2);
	quic_side_init(&s, 1, other, sizeof(other));
	cut_hello(&b, &s, 900, 1);
	put(&a.part[0], b.part[0].data, b.part[0].len);
	assert_int_equal(feed(q, &a.part[0]), CLF_OBS_MORE);
	assert_int_equal(r.decrypts, 1);
	assert_int_equal(feed(q, &a.part[1]), CLF_OBS_DONE);
	cut_free(&a);
	cut_free(&b);
	clf_quic_close(pool, q);
}

/* A datagram full of what looks like Initials costs as much as two of them. */
static void
test_many_that_fail(void **state)
{
	struct clf_quic *q = clf_quic_open(pool);
	struct buf payload = { 0 }, dgram = { 0 };
	static uint8_t zeros[20];
	struct quic_side s;

	(void)state;
	quic_side_init(&s, 1, cid, sizeof(cid));
	s.key[0] ^= 1;
	put(&payload, zeros, sizeof(zeros));
	for (unsigned i = 0; i < 20; i++)
		put_initial(&dgram, &s, (uint16_t)i, &payload);
	assert_int_equal(feed(q, &dgram), CLF_OBS_MORE);
	assert_int_equal(r.failed, 2);
	assert_in_range(r.decrypts, 2, 4);
	clf_quic_close(pool, q);
	buf_free(&payload);
	buf_free(&dgram);
}

static void
test_limits(void **state)
{
	static uint8_t zeros[64];
	struct clf_quic *q = clf_quic_open(pool);
	struct buf payload = { 0 }, dgram = { 0 };
	struct clf_quic *all[9];
	struct quic_side s;

	(void)state;
	quic_side_init(&s, 1, cid, sizeof(cid));
	put_be(&payload, 6, 1);
	put_varint(&payload, 65530);
	put_varint(&payload, 20);
	put(&payload, zeros, 20);
	put_initial(&dgram, &s, 0, &payload);
	assert_int_equal(
	    clf_quic_datagram(q, sig_bytes_of(dgram.data, dgram.len), true, 0, &r), CLF_OBS_MORE);
	assert_true(r.over_budget);
	assert_int_equal(r.decrypts, 0);
	assert_int_equal(feed(q, &dgram), CLF_OBS_MORE);
	assert_true(r.over_limit);
	payload.len = dgram.len = 0;
	put_be(&payload, 8, 1); /* STREAM has no place in an Initial */
	put(&payload, zeros, 20);
	put_initial(&dgram, &s, 1, &payload);
	assert_int_equal(feed(q, &dgram), CLF_OBS_MORE);
	assert_true(r.malformed);
	payload.len = dgram.len = 0;
	put_crypto_frame(&payload, 0, zeros, 20); /* no ClientHello */
	put_initial(&dgram, &s, 2, &payload);
	assert_int_equal(feed(q, &dgram), CLF_OBS_BAD);
	clf_quic_close(pool, q);
	for (unsigned i = 0; i < 8; i++)
		assert_non_null(all[i] = clf_quic_open(pool));
	assert_null(clf_quic_open(pool));
	for (unsigned i = 0; i < 8; i++)
		clf_quic_close(pool, all[i]);
	buf_free(&payload);
	buf_free(&dgram);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc_vectors),
		cmocka_unit_test(test_datagrams_in_any_order),
		cmocka_unit_test(test_frames_shuffled),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_partial),
		cmocka_unit_test(test_retry),
		cmocka_unit_test(test_new_id_same_keys),
		cmocka_unit_test(test_coalesced_and_junk),
		cmocka_unit_test(test_version_negotiation),
		cmocka_unit_test(test_version_switched),
		cmocka_unit_test(test_fixed_bit_clear),
		cmocka_unit_test(test_coalesced_other_id),
		cmocka_unit_test(test_many_that_fail),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
