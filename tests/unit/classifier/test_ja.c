/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JA3 and JA4: the examples of their specifications, what a fingerprinting site printed of a real
 * browser, and what tshark 4.0 says of recorded hellos.
 */
#include "tests/unit/classifier/check.h"
#include "tests/unit/classifier/recorded.h"
#include "tests/unit/classifier/tls_build.h"

/* A hello to order. Lists end with END; extensions of a known kind get contents. */
enum { END = -1 };

struct order {
	uint16_t version;
	const int *ciphers, *exts, *groups, *formats, *signatures, *versions;
	const char *alpn;
	size_t alpn_len;
};

static void
put_list(struct buf *b, const int *list, unsigned length_bytes, unsigned item_bytes)
{
	size_t at = b->len;

	put_be(b, 0, length_bytes);
	for (; list && *list != END; list++)
		put_be(b, (uint64_t)*list, item_bytes);
	put_length(b, at, length_bytes);
}

static void
put_contents(struct buf *b, const struct order *o, int type)
{
	switch (type) {
	case 10: put_list(b, o->groups, 2, 2); break;
	case 11: put_list(b, o->formats, 1, 1); break;
	case 13: put_list(b, o->signatures, 2, 2); break;
	case 43: put_list(b, o->versions, 1, 2); break;
	case 16:
		put_be(b, o->alpn_len + 1, 2);
		put_be(b, o->alpn_len, 1);
		put(b, o->alpn, o->alpn_len);
		break;
	case 0: put(b, "\0\x4\0\0\1x", 6); break;
	default: break;
	}
}

static void
build(const struct order *o, struct buf *b, struct clf_tls_hello *h)
{
	static const uint8_t random[33];
	size_t exts;

	put_be(b, 0x01000000, 4);
	put_be(b, o->version, 2);
	put(b, random, 33);
	put_list(b, o->ciphers, 2, 2);
	put_be(b, 0x0100, 2);
	if (o->exts) {
		exts = b->len;
		put_be(b, 0, 2);
		for (const int *e = o->exts; *e != END; e++) {
			size_t at;

			put_be(b, (uint64_t)*e, 2);
			at = b->len;
			put_be(b, 0, 2);
			put_contents(b, o, *e);
			put_length(b, at, 2);
		}
		put_length(b, exts, 2);
	}
	put_length(b, 1, 3);
	assert_int_equal(clf_tls_client_hello_msg(sig_bytes_of(b->data, b->len), h), CLF_OBS_DONE);
}

static void
check(const struct order *o, const char *ja3, const char *ja4)
{
	struct buf b = { 0 };
	struct clf_tls_hello h;
	char out[37];

	build(o, &b, &h);
	if (ja3) {
		assert_int_equal(clf_ja3(&h, out), 0);
		assert_string_equal(out, ja3);
	}
	if (ja4) {
		assert_int_equal(clf_ja4(&h, ja4[0] == 'q', out), 0);
		assert_string_equal(out, ja4);
	}
	buf_free(&b);
}

/* The two examples of github.com/salesforce/ja3's README. */
static void
test_ja3_readme(void **state)
{
	static const int c1[] = { 47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4, END };
	static const int e1[] = { 0, 10, 11, END }, g1[] = { 23, 24, 25, END }, f1[] = { 0, END };
	static const int c2[] = { 4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99, END };
	const struct order first = {
		.version = 769, .ciphers = c1, .exts = e1, .groups = g1, .formats = f1
	};
	const struct order second = { .version = 769, .ciphers = c2 };

	(void)state;
	check(&first, "ada70206e40642a3e4461f35503241d5", NULL);
	check(&second, "de350869b8c85de67a350c8d186f11e6", NULL);
}

/* The worked example of JA4.md, GREASE put in where browsers put it. */
static void
test_ja4_document(void **state)
{
	static const int ciphers[] = { 0xeaea, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c,
		0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035, END };
	static const int exts[] = { 0x7a7a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d,
		0x000d, 0x0005, 0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015, END };
	static const int signatures[] = { 0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806,
		0x0601, END };
	static const int versions[] = { 0x3a3a, 0x0304, 0x0303, END };
	struct order o = { .version = 0x0303,
		.ciphers = ciphers,
		.exts = exts,
		.signatures = signatures,
		.versions = versions,
		.alpn = "h2",
		.alpn_len = 2 };

	(void)state;
	check(&o, NULL, "t13d1516h2_8daaf6152771_e5627efa2ab1");
	check(&o, NULL, "q13d1516h2_8daaf6152771_e5627efa2ab1");
}

/* Chrome 143 on Android as printed by browserleaks.com/tls: both kinds of one hello. */
static void
test_chrome(void **state)
{
	static const int ciphers[] = { 0x5a5a, 4865, 4866, 4867, 49195, 49199, 49196, 49200, 52393,
		52392, 49171, 49172, 156, 157, 47, 53, END };
	static const int exts[] = { 0x1a1a, 45, 51, 16, 65037, 23, 17613, 0, 11, 10, 43, 65281, 35,
		18, 5, 13, 27, 0xbaba, END };
	static const int groups[] = { 0x8a8a, 4588, 29, 23, 24, END }, formats[] = { 0, END };
	static const int signatures[] = { 0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806,
		0x0601, END };
	static const int versions[] = { 0x2a2a, 0x0304, 0x0303, END };
	const struct order o = { .version = 771,
		.ciphers = ciphers,
		.exts = exts,
		.groups = groups,
		.formats = formats,
		.signatures = signatures,
		.versions = versions,
		.alpn = "h2",
		.alpn_len = 2 };

	(void)state;
	check(&o, "98487aa16281980e7d1120d399efb6a4", "t13d1516h2_8daaf6152771_d8a2da3f94cd");
}

/* The first part's rules for what is missing or odd; hashes of nothing are zeros. */
static void
test_ja4_first_part(void **state)
{
	static const int none[] = { END }, one[] = { 0x1301, END }, only_alpn[] = { 16, END };
	static const struct {
		const char *alpn, *first;
		size_t len;
		uint16_t version;
	} rows[] = {
		{ "http/1.1", "t12i0101h1", 8, 0x0303 },
		{ "x", "t11i0101xx", 1, 0x0302 },
		{ "\xab", "t10i0101ab", 1, 0x0301 },
		{ "\xab\xcd", "ts3i0101ad", 2, 0x0300 },
		{ "0\xef", "t00i01013f", 2, 0x0305 },
	};
	struct order empty = { .version = 0x0303, .ciphers = none, .exts = none };

	(void)state;
	check(&empty, NULL, "t12i000000_000000000000_000000000000");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct order o = { .version = rows[i].version,
			.ciphers = one,
			.exts = only_alpn,
			.alpn = rows[i].alpn,
			.alpn_len = rows[i].len };
		struct buf b = { 0 };
		struct clf_tls_hello h;
		char out[37];

		build(&o, &b, &h);
		assert_int_equal(clf_ja4(&h, false, out), 0);
		out[10] = '\0';
		assert_string_equal(out, rows[i].first);
		buf_free(&b);
	}
}

/* tshark 4.0.17, field tls.handshake.ja3. */
static void
test_ja3_tshark(void **state)
{
	static uint8_t join[CLF_JOIN_MAX];
	struct clf_tls_hello h;
	char out[33];

	(void)state;
	clf_tls_client_hello(sig_bytes_of(openssl_tls13, sizeof(openssl_tls13)), join, &h);
	assert_int_equal(clf_ja3(&h, out), 0);
	assert_string_equal(out, "304734bb1c086c3453b387400cf83f11");
	clf_tls_client_hello(sig_bytes_of(openssl_tls12, sizeof(openssl_tls12)), join, &h);
	assert_int_equal(clf_ja3(&h, out), 0);
	assert_string_equal(out, "70e47b149c152d891341c87d58c2b327");
}

static void
test_refuses(void **state)
{
	static int many[400];
	struct order o = { .version = 0x0303, .ciphers = many };
	struct clf_tls_hello h = { 0 };
	struct buf b = { 0 };
	char out[37];

	(void)state;
	assert_int_not_equal(clf_ja3(&h, out), 0);
	assert_int_not_equal(clf_ja4(&h, false, out), 0);
	for (int i = 0; i < 399; i++)
		many[i] = i + 1;
	many[399] = END;
	build(&o, &b, &h);
	assert_int_equal(clf_ja3(&h, out), 0);
	assert_int_not_equal(clf_ja4(&h, false, out), 0);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ja3_readme),
		cmocka_unit_test(test_ja4_document),
		cmocka_unit_test(test_chrome),
		cmocka_unit_test(test_ja4_first_part),
		cmocka_unit_test(test_ja3_tshark),
		cmocka_unit_test(test_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
