/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 in clear: curl's own bytes, blocks that nghttp2's deflater wrote, and what breaks the
 * rules.
 */
#include <nghttp2/nghttp2.h>

#include "tests/unit/classifier/check.h"
#include "tests/unit/classifier/recorded.h"
#include "tests/unit/classifier/tls_build.h"

static struct clf_h2 *h2;
static struct clf_h2_req r;

static int
set_up(void **state)
{
	(void)state;
	h2 = clf_h2_new();
	return h2 == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	clf_h2_free(h2);
	return 0;
}

static enum clf_obs
next(const struct buf *b)
{
	return clf_h2_next(h2, sig_bytes_of(b->data, b->len), &r);
}

static void
put_preface(struct buf *b)
{
	put(b, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
	put(b, "\0\0\0\4\0\0\0\0\0", 9);
}

static void
put_frame(struct buf *b, uint8_t type, uint8_t flags, uint32_t id, const void *p, size_t len)
{
	put_be(b, len, 3);
	put_be(b, type, 1);
	put_be(b, flags, 1);
	put_be(b, id, 4);
	put(b, p, len);
}

static nghttp2_nv
nv(const char *name, const char *value)
{
	return (nghttp2_nv){ (uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
		strlen(value), 0 };
}

static size_t
block(nghttp2_hd_deflater *d, const char *authority, const char *host, uint8_t out[512])
{
	nghttp2_nv list[6];
	size_t n = 0;
	ssize_t len;

	list[n++] = nv(":method", "GET");
	list[n++] = nv(":scheme", "http");
	list[n++] = nv(":path", "/a/b");
	if (authority)
		list[n++] = nv(":authority", authority);
	if (host)
		list[n++] = nv("host", host);
	list[n++] = nv("user-agent", "agent/2");
	len = nghttp2_hd_deflate_hd(d, out, 512, list, n);
	assert_true(len > 0);
	return (size_t)len;
}

static void
test_curl(void **state)
{
	(void)state;
	for (size_t cut = 0; cut <= sizeof(curl_h2); cut++) {
		clf_h2_reset(h2);
		if (cut < sizeof(curl_h2)) {
			uint8_t *part = exact_copy(curl_h2, cut);

			assert_int_equal(
			    clf_h2_next(h2, sig_bytes_of(part, cut), &r), CLF_OBS_MORE);
			free(part);
		}
		assert_int_equal(
		    clf_h2_next(h2, sig_bytes_of(curl_h2, sizeof(curl_h2)), &r), CLF_OBS_DONE);
		assert_string_equal(r.authority.canonical, "h2.vendor.example");
		assert_bytes(r.path, r.path_len, "/v2/check?x=1");
		assert_bytes(r.user_agent, r.user_agent_len, "Agent/7.1 (test)");
		assert_int_equal(r.stream_id, 1);
		assert_false(r.ambiguous || r.connect);
		assert_int_equal(
		    clf_h2_next(h2, sig_bytes_of(curl_h2, sizeof(curl_h2)), &r), CLF_OBS_MORE);
	}
}

/* Each request on a connection, by the dynamic table the ones before filled. */
static void
test_many_requests(void **state)
{
	nghttp2_hd_deflater *d;
	struct buf b = { 0 };
	char name[40];
	uint8_t out[512];

	(void)state;
	assert_int_equal(nghttp2_hd_deflate_new(&d, 4096), 0);
	clf_h2_reset(h2);
	put_preface(&b);
	for (unsigned i = 0; i < 2000; i++) {
		size_t n;

		snprintf(name, sizeof(name), "h%u.vendor.example", i / 3);
		n = block(d, name, NULL, out);
		put_frame(&b, 1, 5, 1 + 2 * i, out, n);
		put_frame(&b, 0, 1, 1 + 2 * i, "body", 4);
		assert_int_equal(next(&b), CLF_OBS_DONE);
		assert_string_equal(r.authority.canonical, name);
		assert_int_equal(next(&b), CLF_OBS_MORE);
		/* What was eaten need not be kept. */
		if (i % 100 == 50) {
			uint32_t eaten = clf_h2_eaten(h2) - 1;

			memmove(b.data, b.data + eaten, b.len - eaten);
			b.len -= eaten;
			clf_h2_forget(h2, eaten);
		}
	}
	nghttp2_hd_deflate_del(d);
	buf_free(&b);
}

static void
test_padding_priority_continuation(void **state)
{
	nghttp2_hd_deflater *d;
	struct buf b = { 0 }, frame = { 0 };
	uint8_t out[512];
	size_t n;

	(void)state;
	assert_int_equal(nghttp2_hd_deflate_new(&d, 4096), 0);
	clf_h2_reset(h2);
	n = block(d, "v.example:8080", NULL, out);
	put_preface(&b);
	put_be(&frame, 3, 1);	       /* pad length */
	put_be(&frame, 0x80000000, 4); /* priority */
	put_be(&frame, 15, 1);
	put(&frame, out, n / 2);
	put(&frame, "\0\0\0", 3);
	put_frame(&b, 1, 0x8 | 0x20, 1, frame.data, frame.len);
	assert_int_equal(next(&b), CLF_OBS_MORE);
	put_frame(&b, 9, 0, 1, out + n / 2, 1);
	put_frame(&b, 9, 4, 1, out + n / 2 + 1, n - n / 2 - 1);
	assert_int_equal(next(&b), CLF_OBS_DONE);
	assert_string_equal(r.authority.canonical, "v.example");
	nghttp2_hd_deflate_del(d);
	buf_free(&b);
	buf_free(&frame);
}

static void
test_host_and_authority(void **state)
{
	static const struct {
		const char *authority, *host, *name;
		bool ambiguous;
	} rows[] = {
		{ NULL, "a.example", "a.example", false },
		{ "a.example", "A.example", "a.example", false },
		{ "a.example", "b.example", "a.example", true },
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		nghttp2_hd_deflater *d;
		struct buf b = { 0 };
		uint8_t out[512];
		size_t n;

		assert_int_equal(nghttp2_hd_deflate_new(&d, 4096), 0);
		clf_h2_reset(h2);
		n = block(d, rows[i].authority, rows[i].host, out);
		put_preface(&b);
		put_frame(&b, 1, 5, 1, out, n);
		assert_int_equal(next(&b), CLF_OBS_DONE);
		assert_string_equal(r.authority.canonical, rows[i].name);
		assert_int_equal(r.ambiguous, rows[i].ambiguous);
		nghttp2_hd_deflate_del(d);
		buf_free(&b);
	}
}

static void
expect_bad(uint8_t type, uint8_t flags, uint32_t id, const void *p, size_t len)
{
	struct buf b = { 0 };

	clf_h2_reset(h2);
	put_preface(&b);
	put_frame(&b, type, flags, id, p, len);
	assert_int_equal(next(&b), CLF_OBS_BAD);
	assert_int_equal(next(&b), CLF_OBS_BAD);
	buf_free(&b);
}

static void
test_bad(void **state)
{
	struct buf b = { 0 };

	(void)state;
	expect_bad(9, 4, 1, "", 0);				/* CONTINUATION of nothing */
	expect_bad(1, 4, 0, "\x82", 1);				/* HEADERS on stream 0 */
	expect_bad(1, 0xc, 1, "\x09\x82", 2);			/* more padding than there is */
	expect_bad(1, 4, 1, "\xff\xff\xff\xff\xff\xff\xff", 7); /* no such index */
	expect_bad(1, 4, 1, "\x40\x7f", 2);			/* a string that breaks off */
	clf_h2_reset(h2);
	put_preface(&b);
	put_frame(&b, 1, 0, 1, "\x82", 1);
	for (unsigned i = 0; i < 70; i++) /* a flood of empty CONTINUATIONs */
		put_frame(&b, 9, 0, 1, "", 0);
	assert_int_equal(next(&b), CLF_OBS_BAD);
	b.len = 0;
	clf_h2_reset(h2);
	put_preface(&b);
	put_be(&b, 0xffffff0100000001, 8);
	put_be(&b, 0, 1);
	assert_int_equal(next(&b), CLF_OBS_BAD);
	buf_free(&b);
}

static void
test_not_mine(void **state)
{
	(void)state;
	clf_h2_reset(h2);
	assert_true(clf_h2_looks(sig_bytes_of("PRI * HT", 8)));
	assert_false(clf_h2_looks(sig_bytes_of("PRI * HX", 8)));
	assert_false(clf_h2_looks(sig_bytes_of("", 0)));
	assert_int_equal(
	    clf_h2_next(h2, sig_bytes_of("GET / HTTP/1.1\r\n", 16), &r), CLF_OBS_NOT_MINE);
}

/* Fields without end and tables that grow: the arena holds, or it ends in BAD. */
static void
test_bomb(void **state)
{
	struct buf b = { 0 }, fields = { 0 };

	(void)state;
	clf_h2_reset(h2);
	put_preface(&b);
	put(&fields, "\x3f\xe1\xff\x03", 4); /* table size 65,536 */
	put(&fields, "\x40\x01x\x7f\x81\x1f", 6);
	for (unsigned i = 0; i < 4096; i++)
		put_be(&fields, 'v', 1);
	for (unsigned i = 0; i < 600; i++)
		put_be(&fields, 0xbe, 1); /* the same again: 4 KB a byte */
	put_frame(&b, 1, 4, 1, fields.data, fields.len);
	assert_int_equal(next(&b), CLF_OBS_BAD);
	buf_free(&b);
	buf_free(&fields);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_curl),
		cmocka_unit_test(test_many_requests),
		cmocka_unit_test(test_padding_priority_continuation),
		cmocka_unit_test(test_host_and_authority),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_not_mine),
		cmocka_unit_test(test_bomb),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
