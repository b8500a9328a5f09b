/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server's first flight, as OpenSSL sent it: certificate names, TLS 1.3, HelloRetryRequest.
 */
#include "tests/unit/classifier/check.h"
#include "tests/unit/classifier/recorded.h"
#include "tests/unit/classifier/tls_build.h"

static uint8_t join[CLF_JOIN_MAX];

static enum clf_obs
observe(const void *p, size_t n, struct clf_tls_server *s)
{
	uint8_t *copy = exact_copy(p, n);
	enum clf_obs obs = clf_tls_server_flight(sig_bytes_of(copy, n), join, s);

	free(copy);
	return obs;
}

static void
check_names(const struct clf_tls_server *s)
{
	assert_true(s->hello_done && s->have_cert && !s->hello_retry && !s->encrypted_from_here);
	assert_int_equal(s->version, 0x0303);
	assert_int_equal(s->n_names, 2); /* the CN again and "bad name" are left out */
	assert_string_equal(s->names[0].canonical, "*.cloud.vendor.example");
	assert_string_equal(s->names[1].canonical, "cloud.vendor.example");
	assert_string_equal(s->subject, "CN=*.cloud.vendor.example, OU=Edge, O=Vendor, Inc., C=US");
	assert_string_equal(s->issuer, s->subject);
}

static void
test_tls12(void **state)
{
	struct clf_tls_server s;

	(void)state;
	for (size_t n = 0; n < sizeof(openssl_server_tls12); n++) {
		enum clf_obs obs = observe(openssl_server_tls12, n, &s);

		if (obs == CLF_OBS_MORE)
			assert_true(s.need > n && s.need <= sizeof(openssl_server_tls12));
		else
			assert_int_equal(obs, CLF_OBS_DONE); /* the leaf ends before its record */
	}
	assert_int_equal(
	    observe(openssl_server_tls12, sizeof(openssl_server_tls12), &s), CLF_OBS_DONE);
	check_names(&s);
	assert_int_equal(s.consumed, sizeof(openssl_server_tls12));
}

static void
test_split_over_records(void **state)
{
	struct buf msgs = { 0 };
	struct sig_bytes b = sig_bytes_of(openssl_server_tls12, sizeof(openssl_server_tls12));
	struct clf_tls_server s;

	(void)state;
	while (sig_bytes_left(&b)) {
		struct sig_bytes record;

		sig_bytes_skip(&b, 3);
		record = sig_bytes_sub(&b, sig_bytes_u16(&b));
		put(&msgs, record.p, sig_bytes_left(&record));
	}
	for (size_t size = 1; size < 300; size += 7) {
		struct buf cut = { 0 };

		put_records(&cut, msgs.data, msgs.len, size);
		assert_int_equal(observe(cut.data, cut.len, &s), CLF_OBS_DONE);
		check_names(&s);
		buf_free(&cut);
	}
	buf_free(&msgs);
}

static void
test_tls13(void **state)
{
	struct clf_tls_server s;

	(void)state;
	assert_int_equal(
	    observe(openssl_server_tls13, sizeof(openssl_server_tls13), &s), CLF_OBS_DONE);
	assert_true(s.hello_done && s.encrypted_from_here && !s.hello_retry && !s.have_cert);
	assert_int_equal(s.version, 0x0304);
	assert_int_equal(s.n_names, 0);
	assert_int_equal(s.consumed, 5 + 122);
}

/* The retry, and the second hello behind the client's ChangeCipherSpec. */
static void
test_hello_retry(void **state)
{
	struct clf_tls_server s;
	struct clf_tls_hello h;
	struct sig_bytes b = sig_bytes_of(openssl_client_hrr, sizeof(openssl_client_hrr));

	(void)state;
	assert_int_equal(observe(openssl_server_hrr, sizeof(openssl_server_hrr), &s), CLF_OBS_DONE);
	assert_true(s.hello_done && s.hello_retry && s.encrypted_from_here);
	assert_int_equal(clf_tls_client_hello(b, join, &h), CLF_OBS_DONE);
	assert_string_equal(h.sni.canonical, "hrr.vendor.example");
	sig_bytes_skip(&b, h.consumed);
	assert_int_equal(b.p[0], 20);
	assert_int_equal(clf_tls_client_hello(b, join, &h), CLF_OBS_DONE);
	assert_string_equal(h.sni.canonical, "hrr.vendor.example");
	assert_int_equal(h.consumed, sig_bytes_left(&b));
}

/* Resumption up to TLS 1.2: no certificate, ChangeCipherSpec at once. An alert likewise. */
static void
test_no_certificate(void **state)
{
	static const uint8_t ccs[] = { 20, 3, 3, 0, 1, 1 }, alert[] = { 21, 3, 3, 0, 2, 2, 40 };
	struct clf_tls_server s;
	struct buf b = { 0 };

	(void)state;
	put(&b, openssl_server_tls12, 5 + 65);
	assert_int_equal(observe(b.data, b.len, &s), CLF_OBS_MORE);
	put(&b, ccs, sizeof(ccs));
	assert_int_equal(observe(b.data, b.len, &s), CLF_OBS_DONE);
	assert_true(s.hello_done && !s.have_cert);
	b.len = 5 + 65;
	put(&b, alert, sizeof(alert));
	assert_int_equal(observe(b.data, b.len, &s), CLF_OBS_DONE);
	assert_int_equal(observe(alert, sizeof(alert), &s), CLF_OBS_NOT_MINE);
	assert_int_equal(observe(openssl_tls13, sizeof(openssl_tls13), &s), CLF_OBS_NOT_MINE);
	buf_free(&b);
}

/* Broken certificates end in BAD or in fewer names, never in a byte too many. */
static void
test_broken(void **state)
{
	struct clf_tls_server s;
	uint32_t seed = 1;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		uint8_t bytes[sizeof(openssl_server_tls12)];

		memcpy(bytes, openssl_server_tls12, sizeof(bytes));
		for (unsigned k = 0; k < 1 + i % 4; k++) {
			seed = seed * 1664525 + 1013904223;
			bytes[80 + (seed >> 8) % (sizeof(bytes) - 80)] = (uint8_t)(seed >> 24);
		}
		observe(bytes, sizeof(bytes), &s);
		assert_true(s.n_names <= CLF_CERT_NAMES_MAX);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tls12),
		cmocka_unit_test(test_split_over_records),
		cmocka_unit_test(test_tls13),
		cmocka_unit_test(test_hello_retry),
		cmocka_unit_test(test_no_certificate),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
