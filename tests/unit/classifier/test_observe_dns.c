/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS messages: dig's own, answers by the RFCs' pictures, and what loops, lies or breaks off.
 */
#include "tests/unit/classifier/check.h"
#include "tests/unit/classifier/dns_build.h"
#include "tests/unit/classifier/recorded.h"

static struct clf_dns_msg m;

static enum clf_obs
observe(const void *p, size_t n)
{
	uint8_t *copy = exact_copy(p, n);
	enum clf_obs obs = clf_dns_message(sig_bytes_of(copy, n), &m);

	free(copy);
	return obs;
}

static void
test_query(void **state)
{
	(void)state;
	assert_int_equal(observe(dig_query, sizeof(dig_query)), CLF_OBS_DONE);
	assert_false(m.response || m.truncated);
	assert_int_equal(m.qtype, CLF_DNS_AAAA);
	assert_int_equal(m.qclass, 1);
	assert_int_equal(m.n_questions, 1);
	assert_string_equal(m.qname.canonical, "ts01-b.cloudsink.net");
	assert_bytes(m.qname.raw, m.qname.raw_len, "Ts01-B.CloudSink.net");
	assert_int_equal(m.n_answers, 0);
}

/* www.example.com CNAME cdn.example.com, A, AAAA; compressed (RFC 1035 4.1.4). */
static void
test_answer(void **state)
{
	static const uint8_t v4[] = { 192, 0, 2, 1 };
	static const uint8_t v6[] = { 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7 };
	struct buf b = { 0 };

	(void)state;
	put_dns_head(&b, 0x4242, 0x8180, 1, 3);
	put_dns_question(&b, "www.example.com", 1); /* "example" at 16 */
	put_be(&b, 0xc00c, 2);
	put_dns_record(&b, 5, 300,
	    "\x03"
	    "cdn\xc0\x10",
	    6); /* its RDATA at 45 */
	put_be(&b, 0xc02d, 2);
	put_dns_record(&b, 1, 60, v4, 4);
	put_be(&b, 0xc02d, 2);
	put_dns_record(&b, 28, 0xffffffff, v6, 16);
	assert_int_equal(observe(b.data, b.len), CLF_OBS_DONE);
	assert_true(m.response);
	assert_int_equal(m.id, 0x4242);
	assert_int_equal(m.n_answers, 3);
	assert_int_equal(m.answers[0].kind, CLF_DNS_CNAME);
	assert_string_equal(m.answers[0].owner.canonical, "www.example.com");
	assert_string_equal(m.answers[0].target.canonical, "cdn.example.com");
	assert_int_equal(m.answers[0].ttl, 300);
	assert_int_equal(m.answers[1].kind, CLF_DNS_A);
	assert_string_equal(m.answers[1].owner.canonical, "cdn.example.com");
	assert_int_equal(m.answers[1].addr_len, 4);
	assert_memory_equal(m.answers[1].addr, v4, 4);
	assert_int_equal(m.answers[2].ttl, 0); /* RFC 2181 8: the top bit set is zero */
	assert_int_equal(m.answers[2].addr_len, 16);
	assert_memory_equal(m.answers[2].addr, v6, 16);
	for (size_t n = 0; n < b.len; n++) {
		assert_int_not_equal(observe(b.data, n), CLF_OBS_DONE);
		assert_int_equal(m.have_qname, n >= 33);
	}
	buf_free(&b);
}

/* RFC 9460 2.2: HTTPS 1 . alpn=h2 ipv4hint=192.0.2.1,192.0.2.2 ech=.. ipv6hint=2001:db8::1 */
static void
test_https(void **state)
{
	static const uint8_t rdata[] = { 0, 1, 0, 0, 1, 0, 3, 2, 'h', '2', 0, 4, 0, 8, 192, 0, 2, 1,
		192, 0, 2, 2, 0, 5, 0, 4, 'a', 'b', 'c', 'd', 0, 6, 0, 16, 0x20, 1, 0x0d, 0xb8, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };
	struct buf b = { 0 };

	(void)state;
	put_dns_head(&b, 1, 0x8180, 1, 1);
	put_dns_question(&b, "www.example.com", 65);
	put_be(&b, 0xc00c, 2);
	put_dns_record(&b, 65, 300, rdata, sizeof(rdata));
	assert_int_equal(observe(b.data, b.len), CLF_OBS_DONE);
	assert_int_equal(m.n_answers, 4);
	assert_int_equal(m.answers[0].kind, CLF_DNS_HTTPS);
	assert_true(m.answers[0].has_ech);
	assert_int_equal(m.answers[0].target.len, -1); /* ".": the owner itself */
	for (unsigned i = 1; i < 4; i++) {
		assert_string_equal(m.answers[i].owner.canonical, "www.example.com");
		assert_int_equal(m.answers[i].kind, i < 3 ? CLF_DNS_A : CLF_DNS_AAAA);
		assert_int_equal(m.answers[i].addr_len, i < 3 ? 4 : 16);
	}
	assert_int_equal(m.answers[2].addr[3], 2);
	buf_free(&b);
}

/* More answers than are kept: the rest is read over, not fatal. */
static void
test_many_answers(void **state)
{
	struct buf b = { 0 };

	(void)state;
	put_dns_head(&b, 1, 0x8180, 1, 100);
	put_dns_question(&b, "a.example", 1);
	for (unsigned i = 0; i < 100; i++) {
		put_be(&b, 0xc00c, 2);
		put_dns_record(&b, 1, 60, "\x7f\0\0\1", 4);
	}
	assert_int_equal(observe(b.data, b.len), CLF_OBS_DONE);
	assert_int_equal(m.n_answers, CLF_DNS_ANSWERS_MAX);
	buf_free(&b);
}

static enum clf_obs
observe_name(const uint8_t *name, size_t len)
{
	struct buf b = { 0 };
	enum clf_obs obs;

	put_dns_head(&b, 1, 0x100, 1, 0);
	put(&b, name, len);
	put_be(&b, 0x00010001, 4);
	obs = observe(b.data, b.len);
	buf_free(&b);
	return obs;
}

static void
test_any_byte(void **state)
{
	static const uint8_t odd[] = { 7, 'a', '.', 0, 0x1b, '\\', 0xff, 'Z', 3, 'c', 'o', 'm', 0 };

	(void)state;
	assert_int_equal(observe_name(odd, sizeof(odd)), CLF_OBS_DONE);
	assert_bytes(m.qname.raw, m.qname.raw_len, "a\\.\\000\\027\\\\\\255Z.com");
	assert_int_equal(m.qname.len, -1);
	assert_int_equal(observe_name((const uint8_t *)"", 1), CLF_OBS_DONE);
	assert_true(m.have_qname);
	assert_int_equal(m.qname.raw_len, 0);
}

/* RFC 1035 2.3.4: 255 octets are the most. */
static void
test_length_limit(void **state)
{
	uint8_t name[300];
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < 4; i++) { /* 3 x 64 + 62 + 1 = 255 octets */
		uint8_t len = i < 3 ? 63 : 61;

		name[n++] = len;
		memset(name + n, i < 3 ? 0xff : 'a', len);
		n += len;
	}
	name[n++] = 0;
	assert_int_equal(n, 255);
	assert_int_equal(observe_name(name, n), CLF_OBS_DONE);
	assert_int_equal(m.qname.raw_len, 3 * 63 * 4 + 61 + 3);
	name[n - 63]++; /* one more octet */
	name[n - 1] = 'a';
	name[n++] = 0;
	assert_int_equal(observe_name(name, n), CLF_OBS_NOT_MINE);
}

static void
test_bad_pointers(void **state)
{
	static const uint8_t self[] = { 0xc0, 12 }, forward[] = { 0xc0, 14, 0 },
			     header[] = { 0xc0, 0 }, reserved[] = { 0x40, 0 },
			     ring[] = { 1, 'a', 0xc0, 12 };

	(void)state;
	assert_int_equal(observe_name(self, sizeof(self)), CLF_OBS_NOT_MINE);
	assert_int_equal(observe_name(forward, sizeof(forward)), CLF_OBS_NOT_MINE);
	assert_int_equal(observe_name(header, sizeof(header)), CLF_OBS_NOT_MINE);
	assert_int_equal(observe_name(reserved, sizeof(reserved)), CLF_OBS_NOT_MINE);
	assert_int_equal(observe_name(ring, sizeof(ring)), CLF_OBS_NOT_MINE);
}

/* Pointers to pointers, laid down in a TXT record: 20 are followed, 21 are not. */
static void
test_pointer_chain(void **state)
{
	(void)state;
	for (unsigned depth = 20; depth <= 21; depth++) {
		struct buf b = { 0 };
		size_t at;

		put_dns_head(&b, 1, 0x8180, 1, 2);
		put_dns_question(&b, "a", 1);
		put_be(&b, 0, 1);
		put_dns_record(&b, 16, 0, NULL, 0);
		at = b.len - 2;
		for (unsigned i = 1; i < depth; i++)
			put_be(&b, 0xc000 | (i == 1 ? 12 : b.len - 2), 2);
		put_length(&b, at, 2);
		put_be(&b, 0xc000 | (b.len - 2), 2);
		put_dns_record(&b, 1, 60, "\xc0\0\2\1", 4);
		assert_int_equal(observe(b.data, b.len), depth == 20 ? CLF_OBS_DONE : CLF_OBS_BAD);
		assert_int_equal(m.n_answers, depth == 20);
		if (depth == 20)
			assert_string_equal(m.answers[0].owner.canonical, "a");
		buf_free(&b);
	}
}

static void
test_not_dns(void **state)
{
	static const uint8_t rows[][16] = {
		{ 0, 1, 0x18, 0, 0, 1 },	     /* opcode 3 */
		{ 0, 1, 0x78, 0, 0, 1 },	     /* opcode 15 */
		{ 0, 1, 1, 0x40, 0, 1 },	     /* must-be-zero bit */
		{ 0, 1, 1, 3, 0, 1 },		     /* a query with an error code */
		{ 0, 1, 1, 0, 0xff, 0xff },	     /* 65,535 questions */
		{ 0, 1, 0x81, 0, 0, 0, 0xff, 0xff }, /* 65,535 answers and no question */
		{ 'G', 'E', 'T', ' ', '/', ' ', 'H', 'T', 'T', 'P' },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(observe(rows[i], 16), CLF_OBS_NOT_MINE);
	assert_int_equal(observe(dig_query, 11), CLF_OBS_NOT_MINE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_https),
		cmocka_unit_test(test_many_answers),
		cmocka_unit_test(test_any_byte),
		cmocka_unit_test(test_length_limit),
		cmocka_unit_test(test_bad_pointers),
		cmocka_unit_test(test_pointer_chain),
		cmocka_unit_test(test_not_dns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
