/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TLS client's hello: recorded ones whole, cut at every byte and over every kind of record;
 * built ones for what no client sends.
 */
#include "tests/unit/classifier/check.h"
#include "tests/unit/classifier/recorded.h"
#include "tests/unit/classifier/tls_build.h"

static uint8_t join[CLF_JOIN_MAX];

static enum clf_obs
observe(const struct buf *b, struct clf_tls_hello *h)
{
	uint8_t *copy = exact_copy(b->data, b->len);
	enum clf_obs obs = clf_tls_client_hello(sig_bytes_of(copy, b->len), join, h);

	free(copy);
	return obs;
}

static void
test_recorded(void **state)
{
	struct clf_tls_hello h;

	(void)state;
	assert_int_equal(
	    clf_tls_client_hello(sig_bytes_of(openssl_tls13, sizeof(openssl_tls13)), join, &h),
	    CLF_OBS_DONE);
	assert_true(h.have_sni);
	assert_string_equal(h.sni.canonical, "ts01-b.cloudsink.net");
	assert_bytes(h.sni.raw, h.sni.raw_len, "ts01-b.cloudsink.net");
	assert_int_equal(h.version, 0x0304);
	assert_int_equal(h.n_alpn, 2);
	assert_bytes(h.alpn[0].p, h.alpn[0].len, "h2");
	assert_bytes(h.alpn[1].p, h.alpn[1].len, "http/1.1");
	assert_false(h.ech || h.esni || h.two_names || h.sslv2);
	assert_int_equal(h.consumed, sizeof(openssl_tls13));
	assert_int_equal(h.hello_end, sizeof(openssl_tls13));
	assert_int_equal(
	    clf_tls_client_hello(sig_bytes_of(openssl_tls12, sizeof(openssl_tls12)), join, &h),
	    CLF_OBS_DONE);
	assert_string_equal(h.sni.canonical, "updates.paloaltonetworks.com");
	assert_int_equal(h.version, 0x0303);
	assert_int_equal(h.n_alpn, 0);
}

/* Every prefix says MORE, and its need lies beyond it and not beyond the end. */
static void
check_prefixes(const struct buf *whole, const char *name)
{
	struct clf_tls_hello h;

	for (size_t n = 0; n < whole->len; n++) {
		struct buf part = { whole->data, n, n };

		assert_int_equal(observe(&part, &h), CLF_OBS_MORE);
		assert_true(h.need > n && h.need <= whole->len);
	}
	assert_int_equal(
	    clf_tls_client_hello(sig_bytes_of(whole->data, whole->len), join, &h), CLF_OBS_DONE);
	assert_string_equal(h.sni.canonical, name);
	assert_int_equal(h.hello_end, whole->len);
}

static void
test_cut_anywhere(void **state)
{
	struct buf b = { 0 };

	(void)state;
	put(&b, openssl_tls13, sizeof(openssl_tls13));
	check_prefixes(&b, "ts01-b.cloudsink.net");
	buf_free(&b);
}

/* Records of every size from 1 byte on: 1 to 3 cut the 4-byte handshake header. */
static void
test_split_over_records(void **state)
{
	(void)state;
	for (size_t size = 1; size < sizeof(openssl_tls13); size += size < 8 ? 1 : 61) {
		struct buf b = { 0 };

		put_records(&b, openssl_tls13 + 5, sizeof(openssl_tls13) - 5, size);
		check_prefixes(&b, "ts01-b.cloudsink.net");
		buf_free(&b);
	}
}

static void
test_big_hello(void **state)
{
	static const size_t sizes[] = { 1800, 16000, 40000, 65000 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct hello_spec spec = { .sni = "a.example", .pad = sizes[i] };
		struct buf msg = { 0 }, b = { 0 };
		struct clf_tls_hello h;

		put_hello(&msg, &spec);
		put_records(&b, msg.data, msg.len, 16384);
		assert_int_equal(observe(&b, &h), CLF_OBS_DONE);
		assert_int_equal(h.sni.len, 9);
		buf_free(&msg);
		buf_free(&b);
	}
}

static void
test_names(void **state)
{
	static const struct {
		const char *raw;
		size_t len;
		const char *canonical; /* NULL: not legal */
	} rows[] = {
		{ "UpDates.Example.COM", 19, "updates.example.com" },
		{ "example.com.", 12, "example.com" },
		{ "xn--fsq.example", 15, "xn--fsq.example" },
		{ "exa\0mple.com", 12, NULL },
		{ "exa\x1b[31mmple", 12, NULL },
		{ "a\r\nHost: b", 10, NULL },
		{ "a\"b'.com", 8, NULL },
		{ "192.0.2.7", 9, "192.0.2.7" },
		{ "2001:db8::1", 11, NULL },
		{ "\xc3\xa9.example", 10, NULL },
		{ "..", 2, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hello_spec spec = { .sni = rows[i].raw, .sni_len = rows[i].len };
		struct buf msg = { 0 };
		struct clf_tls_hello h;

		put_hello(&msg, &spec);
		assert_int_equal(
		    clf_tls_client_hello_msg(sig_bytes_of(msg.data, msg.len), &h), CLF_OBS_DONE);
		assert_true(h.have_sni);
		assert_int_equal(h.sni.raw_len, rows[i].len);
		assert_memory_equal(h.sni.raw, rows[i].raw, rows[i].len);
		if (rows[i].canonical)
			assert_string_equal(h.sni.canonical, rows[i].canonical);
		else
			assert_int_equal(h.sni.len, -1);
		buf_free(&msg);
	}
}

/* The first bytes of a hello that never ends: a name as soon as it is whole, never half of one. */
static void
test_partial(void **state)
{
	struct clf_tls_hello h;
	size_t first = 0;
	struct buf b = { 0 };

	(void)state;
	put_records(&b, openssl_tls13 + 5, sizeof(openssl_tls13) - 5, 100);
	for (size_t n = 0; n <= b.len; n++) {
		uint8_t *part = exact_copy(b.data, n);

		if (clf_tls_partial_hello(sig_bytes_of(part, n), join, &h)) {
			assert_string_equal(h.sni.canonical, "ts01-b.cloudsink.net");
			assert_null(h.hello);
			first = first ? first : n;
		} else {
			assert_int_equal(first, 0);
		}
		free(part);
	}
	assert_in_range(first, 100, 200);
	assert_false(clf_tls_partial_hello(sig_bytes_of("GET / HTTP/1.1\r\n", 16), join, &h));
	buf_free(&b);
}

static void
test_long_name(void **state)
{
	char name[400];
	struct hello_spec spec = { .sni = name, .sni_len = sizeof(name) };
	struct buf msg = { 0 };
	struct clf_tls_hello h;

	(void)state;
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 50 == 49 ? '.' : 'a';
	put_hello(&msg, &spec);
	assert_int_equal(
	    clf_tls_client_hello_msg(sig_bytes_of(msg.data, msg.len), &h), CLF_OBS_DONE);
	assert_int_equal(h.sni.raw_len, 400);
	assert_int_equal(h.sni.len, -1);
	buf_free(&msg);
}

static void
test_no_name_two_names(void **state)
{
	struct hello_spec none = { 0 }, two = { .sni = "a.example", .second_sni = "b.example" };
	struct hello_spec twice = { .sni = "a.example", .second_ext = "c.example" };
	struct buf m1 = { 0 }, m2 = { 0 }, m3 = { 0 };
	struct clf_tls_hello h;

	(void)state;
	put_hello(&m1, &none);
	put_hello(&m2, &two);
	put_hello(&m3, &twice);
	assert_int_equal(clf_tls_client_hello_msg(sig_bytes_of(m1.data, m1.len), &h), CLF_OBS_DONE);
	assert_false(h.have_sni || h.two_names);
	assert_int_equal(clf_tls_client_hello_msg(sig_bytes_of(m2.data, m2.len), &h), CLF_OBS_DONE);
	assert_true(h.have_sni && h.two_names);
	assert_string_equal(h.sni.canonical, "a.example");
	assert_string_equal(h.sni2.canonical, "b.example");
	assert_int_equal(clf_tls_client_hello_msg(sig_bytes_of(m3.data, m3.len), &h), CLF_OBS_DONE);
	assert_true(h.have_sni && h.two_names);
	assert_string_equal(h.sni2.canonical, "c.example");
	buf_free(&m1);
	buf_free(&m2);
	buf_free(&m3);
}

static void
observe_spec(const struct hello_spec *spec, struct clf_tls_hello *h)
{
	struct buf msg = { 0 };

	put_hello(&msg, spec);
	assert_int_equal(
	    clf_tls_client_hello_msg(sig_bytes_of(msg.data, msg.len), h), CLF_OBS_DONE);
	buf_free(&msg);
}

static void
test_ech(void **state)
{
	/* outer, HKDF-SHA256, AES-128-GCM, config 7, 32-byte key, 144-byte payload */
	static const uint8_t head[] = { 0, 0, 1, 0, 1, 7, 0, 32 };
	uint8_t ext[8 + 32 + 2 + 144] = { 0 };
	struct hello_spec spec = {
		.sni = "public.example", .ext_type = 0xfe0d, .ext = ext, .ext_len = sizeof(ext)
	};
	struct clf_tls_hello h;

	(void)state;
	memcpy(ext, head, sizeof(head));
	ext[8 + 32 + 1] = 144;
	observe_spec(&spec, &h);
	assert_true(h.ech);
	assert_false(h.ech_grease);
	ext[2] = 9; /* no such KDF: nobody can decrypt this */
	observe_spec(&spec, &h);
	assert_true(h.ech && h.ech_grease);
	spec.ext_type = 0xffce;
	observe_spec(&spec, &h);
	assert_true(h.esni && !h.ech);
}

static void
test_sslv2(void **state)
{
	static const uint8_t v2[] = { 0x80, 0x1c, 1, 3, 1, 0, 3, 0, 0, 0, 16, 0, 0, 0x2f, 1, 2, 3,
		4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
	struct clf_tls_hello h;

	(void)state;
	for (size_t n = 0; n < sizeof(v2); n++)
		assert_int_equal(clf_tls_client_hello(sig_bytes_of(v2, n), join, &h), CLF_OBS_MORE);
	assert_int_equal(
	    clf_tls_client_hello(sig_bytes_of(v2, sizeof(v2)), join, &h), CLF_OBS_DONE);
	assert_true(h.sslv2 && !h.have_sni);
	assert_null(h.hello);
}

static void
test_not_tls(void **state)
{
	static const char *const rows[] = { "GET / HTTP/1.1\r\n", "SSH-2.0-x",
		"\x16\x10\x01\x00\x05", "\x17\x03\x03\x00\x05", "\x16\x03\x01\x00\x05\x02",
		"\x16\x03\x01\xff\xff\x01", "\x16\x02\x01\x00\x05\x02",
		"\x16\x00\x00\x01\x00\x01\x00\x00\xfc\x02" };
	static const size_t lens[] = { 16, 9, 5, 5, 6, 6, 6, 10 };
	struct clf_tls_hello h;

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		assert_int_equal(clf_tls_client_hello(sig_bytes_of(rows[i], lens[i]), join, &h),
		    CLF_OBS_NOT_MINE);
}

/* What OpenSSL and Go take: records without a byte, and any version below 16.0 on the first. */
static void
test_lax_records(void **state)
{
	const size_t size = sizeof(openssl_tls13) - 5;

	(void)state;
	for (unsigned empty = 31; empty <= 33; empty++) {
		struct buf b = { 0 };
		struct clf_tls_hello h;

		put_records(&b, openssl_tls13 + 5, 2, 2);
		for (unsigned i = 0; i < empty; i++)
			put(&b, "\x16\x03\x01\x00\x00", 5);
		put_records(&b, openssl_tls13 + 7, size - 2, 100);
		if (empty <= 32)
			check_prefixes(&b, "ts01-b.cloudsink.net");
		else
			assert_int_equal(observe(&b, &h), CLF_OBS_BAD);
		buf_free(&b);
	}
	for (unsigned version = 0; version <= 0x1000; version += 0x100) {
		struct buf b = { 0 };
		struct clf_tls_hello h;

		put(&b, openssl_tls13, sizeof(openssl_tls13));
		b.data[1] = (uint8_t)(version >> 8);
		if (version < 0x1000)
			check_prefixes(&b, "ts01-b.cloudsink.net");
		else
			assert_int_equal(observe(&b, &h), CLF_OBS_NOT_MINE);
		b.data[9] = 2; /* the hello's own version: with the other one it is no TLS */
		assert_int_equal(
		    observe(&b, &h), version >> 8 == 3 ? CLF_OBS_DONE : CLF_OBS_NOT_MINE);
		buf_free(&b);
	}
}

/* A second hello behind the first, in records of its own or in the first one's. */
static void
test_next(void **state)
{
	const size_t size = sizeof(openssl_tls13) - 5;

	(void)state;
	for (unsigned same = 0; same < 2; same++) {
		struct buf msg = { 0 }, b = { 0 };
		struct clf_tls_hello first, next;

		put(&msg, openssl_tls13 + 5, size);
		put(&msg, openssl_tls12 + 5, sizeof(openssl_tls12) - 5);
		put_records(&b, msg.data, same ? msg.len : size, 16384);
		if (!same)
			put(&b, openssl_tls12, sizeof(openssl_tls12));
		assert_int_equal(observe(&b, &first), CLF_OBS_DONE);
		assert_int_equal(first.hello_end, sizeof(openssl_tls13));
		for (size_t n = first.hello_end; n <= b.len; n++) {
			uint8_t *part = exact_copy(b.data + first.hello_end, n - first.hello_end);
			enum clf_obs obs = clf_tls_next_hello(
			    sig_bytes_of(part, n - first.hello_end),
			    first.consumed - first.hello_end, join, &next);

			assert_int_equal(obs, n < b.len ? CLF_OBS_MORE : CLF_OBS_DONE);
			if (obs == CLF_OBS_MORE)
				assert_in_range(
				    next.need, n - first.hello_end + 1, b.len - first.hello_end);
			else
				assert_string_equal(
				    next.sni.canonical, "updates.paloaltonetworks.com");
			free(part);
		}
		buf_free(&msg);
		buf_free(&b);
	}
}

/* A final answer for a prefix stays the answer for every longer one, for broken hellos too. */
static void
test_final_is_final(void **state)
{
	struct clf_tls_hello h;
	uint32_t seed = 7;

	(void)state;
	for (unsigned round = 0; round < 400; round++) {
		struct buf b = { 0 };
		enum clf_obs last = CLF_OBS_MORE;

		put_records(&b, openssl_tls13 + 5, sizeof(openssl_tls13) - 5, 90);
		for (unsigned k = 0; k < 1 + round % 3; k++) {
			seed = seed * 1664525 + 1013904223;
			b.data[(seed >> 8) % b.len] ^= (uint8_t)(seed >> 24 | 1);
		}
		for (size_t n = 0; n <= b.len; n++) {
			struct buf part = { b.data, n, n };
			enum clf_obs obs = observe(&part, &h);

			if (last != CLF_OBS_MORE)
				assert_int_equal(obs, last);
			if (obs == CLF_OBS_MORE)
				assert_true(h.need > n);
			last = obs;
		}
		buf_free(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_split_over_records),
		cmocka_unit_test(test_big_hello),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_partial),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_no_name_two_names),
		cmocka_unit_test(test_ech),
		cmocka_unit_test(test_sslv2),
		cmocka_unit_test(test_not_tls),
		cmocka_unit_test(test_lax_records),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_final_is_final),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
