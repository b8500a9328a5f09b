/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DNS memory: what it learns, for whom, how long; its bounds; its image.
 */
#include "classifier/dns_memory.h"
#include "tests/unit/classifier/check.h"
#include "tests/unit/classifier/dns_build.h"

#define SECOND 1000000ull

static const struct clf_addr client = { { 10, 0, 0, 1 } }, other = { { 10, 0, 0, 2 } };
static struct clf_dns_msg msg;
static bool several;

static struct clf_addr
server(uint32_t n)
{
	return (struct clf_addr){ { 198, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n } };
}

/* The client is told that `name` (by way of `alias` when given) is at that address. */
static void
tell_full(struct clf_dns_memory *m, const char *name, const char *alias, uint32_t n, uint32_t ttl,
    uint64_t now)
{
	struct clf_addr addr = server(n);
	struct buf b = { 0 }, target = { 0 };

	put_dns_head(&b, 7, 0x8180, 1, alias ? 2 : 1);
	put_dns_question(&b, name, 1);
	put_dns_name(&b, alias ? alias : name); /* the address first: order must not matter */
	put_dns_record(&b, 1, ttl, addr.bytes, 4);
	if (alias) {
		put_dns_name(&target, alias);
		put_be(&b, 0xc00c, 2);
		put_dns_record(&b, 5, ttl, target.data, target.len);
	}
	assert_int_equal(clf_dns_message(sig_bytes_of(b.data, b.len), &msg), CLF_OBS_DONE);
	clf_dns_memory_learn(m, 4, &client, &msg, now);
	buf_free(&b);
	buf_free(&target);
}

static void
tell(struct clf_dns_memory *m, const char *name, uint32_t n, uint32_t ttl, uint64_t now)
{
	tell_full(m, name, NULL, n, ttl, now);
}

static const char *
find(struct clf_dns_memory *m, const struct clf_addr *who, uint32_t n, uint64_t now)
{
	struct clf_addr addr = server(n);

	return clf_dns_memory_find(m, 4, who, &addr, now, &several);
}

static void
test_bound_to_client(void **state)
{
	struct clf_dns_memory *m = clf_dns_memory_new(100, 1);

	(void)state;
	tell(m, "Update.Vendor.example", 1, 300, SECOND);
	assert_string_equal(find(m, &client, 1, SECOND), "update.vendor.example");
	assert_false(several);
	assert_null(find(m, &other, 1, SECOND));
	assert_null(find(m, &client, 2, SECOND));
	assert_int_equal(clf_dns_memory_stats(m)->learned, 1);
	assert_int_equal(clf_dns_memory_stats(m)->hits, 1);
	assert_int_equal(clf_dns_memory_stats(m)->misses, 2);
	clf_dns_memory_free(m);
	clf_dns_memory_free(NULL);
}

static void
test_time_to_live(void **state)
{
	struct clf_dns_memory *m = clf_dns_memory_new(100, 1);

	(void)state;
	tell(m, "a.example", 1, 0, SECOND); /* held 60 s all the same */
	tell(m, "b.example", 2, 300, SECOND);
	tell(m, "c.example", 3, 10000000, SECOND); /* a day at most */
	assert_non_null(find(m, &client, 1, 60 * SECOND));
	assert_null(find(m, &client, 1, 61 * SECOND));
	assert_non_null(find(m, &client, 2, 300 * SECOND));
	assert_null(find(m, &client, 2, 301 * SECOND));
	assert_non_null(find(m, &client, 3, 86400 * SECOND));
	assert_null(find(m, &client, 3, 86401 * SECOND));
	assert_int_equal(clf_dns_memory_stats(m)->expired, 3);
	tell(m, "c.example", 3, 300, 90000 * SECOND);
	assert_non_null(find(m, &client, 3, 90001 * SECOND));
	clf_dns_memory_free(m);
}

static void
test_alias(void **state)
{
	struct clf_dns_memory *m = clf_dns_memory_new(100, 1);

	(void)state;
	tell_full(m, "www.vendor.example", "edge.cdn.example", 1, 300, SECOND);
	assert_string_equal(find(m, &client, 1, SECOND), "www.vendor.example");
	assert_false(several);
	tell(m, "shop.other.example", 1, 300, SECOND);
	assert_string_equal(find(m, &client, 1, SECOND), "shop.other.example"); /* the newest */
	assert_true(several);
	tell(m, "shop.other.example", 1, 300, SECOND);
	assert_int_equal(clf_dns_memory_stats(m)->refreshed, 1);
	clf_dns_memory_free(m);
}

/* An address for a name that was not asked for, nor aliased, teaches nothing; nor do questions,
 * errors, or names that no host may have. */
static void
test_refuses(void **state)
{
	struct clf_dns_memory *m = clf_dns_memory_new(100, 1);
	static const uint16_t flags[] = { 0x8180, 0x0100, 0x8183 };
	struct clf_addr addr = server(1);

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct buf b = { 0 };

		put_dns_head(&b, 7, flags[i] & 0xfff0, 1, 1);
		put_dns_question(&b, "asked.example", 1);
		put_dns_name(&b, i ? "asked.example" : "stray.example");
		put_dns_record(&b, 1, 60, addr.bytes, 4);
		clf_dns_message(sig_bytes_of(b.data, b.len), &msg);
		msg.rcode = flags[i] & 15;
		clf_dns_memory_learn(m, 4, &client, &msg, SECOND);
		buf_free(&b);
	}
	tell(m, "not legal.example", 1, 60, SECOND);
	assert_null(find(m, &client, 1, SECOND));
	assert_int_equal(clf_dns_memory_stats(m)->learned, 0);
	clf_dns_memory_free(m);
}

/* Long names and short ones through a small memory for long: bounded, oldest out, newest there. */
static void
test_bounded(void **state)
{
	struct clf_dns_memory *m = clf_dns_memory_new(64, 3);
	char name[256];

	(void)state;
	for (uint32_t i = 0; i < 5000; i++) {
		size_t n = (size_t)snprintf(name, sizeof(name), "n%u", i);

		while (n < 1 + i * 7 % 240) {
			name[n] = n % 30 == 0 ? '.' : 'x';
			n++;
		}
		name[n] = '\0';
		if (name[n - 1] == '.')
			name[n - 1] = 'x';
		tell(m, name, i, 300, SECOND);
		assert_string_equal(find(m, &client, i, SECOND), name);
	}
	assert_null(find(m, &client, 5000 - 65, SECOND));
	assert_int_equal(clf_dns_memory_stats(m)->learned, 5000);
	assert_true(clf_dns_memory_stats(m)->evicted >= 5000 - 64);
	clf_dns_memory_free(m);
}

/* What is asked again and again is not the oldest. */
static void
test_refreshed_stays(void **state)
{
	struct clf_dns_memory *m = clf_dns_memory_new(64, 3);
	char name[32];

	(void)state;
	for (uint32_t i = 1; i < 2000; i++) {
		snprintf(name, sizeof(name), "n%u.example", i);
		tell(m, name, i, 300, SECOND);
		if (i % 10 == 0)
			tell(m, "often.example", 0, 300, SECOND);
	}
	assert_string_equal(find(m, &client, 0, SECOND), "often.example");
	clf_dns_memory_free(m);
}

static void
test_image(void **state)
{
	struct clf_dns_memory *m = clf_dns_memory_new(64, 3), *copy = clf_dns_memory_new(64, 9);
	struct clf_dns_memory *small = clf_dns_memory_new(16, 9);
	char name[32];
	uint8_t *image;
	size_t len;

	(void)state;
	for (uint32_t i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "n%u.example", i);
		tell(m, name, i, i == 199 ? 100 : 300, SECOND);
	}
	len = clf_dns_memory_save(m, NULL, 0);
	image = malloc(len);
	assert_int_equal(clf_dns_memory_save(m, image, len - 1), len);
	assert_int_equal(clf_dns_memory_save(m, image, len), len);
	assert_int_equal(clf_dns_memory_load(copy, image, len, 200 * SECOND), 63);
	assert_string_equal(find(copy, &client, 198, 200 * SECOND), "n198.example");
	assert_null(find(copy, &client, 199, 200 * SECOND)); /* expired meanwhile */
	assert_null(find(copy, &client, 198, 301 * SECOND));
	assert_int_equal(clf_dns_memory_load(small, image, len, SECOND), 64);
	assert_non_null(find(small, &client, 199, SECOND)); /* the newest are kept */
	free(image);
	clf_dns_memory_free(m);
	clf_dns_memory_free(copy);
	clf_dns_memory_free(small);
}

/* Any byte changed, any end cut off: refused whole. */
static void
test_hostile_image(void **state)
{
	struct clf_dns_memory *m = clf_dns_memory_new(64, 3), *copy = clf_dns_memory_new(64, 9);
	uint8_t image[4096];
	size_t len;

	(void)state;
	tell(m, "a.example", 1, 300, SECOND);
	tell(m, "b.example", 2, 300, SECOND);
	len = clf_dns_memory_save(m, image, sizeof(image));
	assert_in_range(len, 1, sizeof(image));
	for (size_t i = 0; i < len; i++) {
		uint8_t *cut = exact_copy(image, i);

		assert_int_equal(clf_dns_memory_load(copy, cut, i, SECOND), -EBADMSG);
		image[i] ^= 0x20;
		assert_int_equal(clf_dns_memory_load(copy, image, len, SECOND), -EBADMSG);
		image[i] ^= 0x20;
		free(cut);
	}
	assert_int_equal(clf_dns_memory_load(copy, NULL, 0, SECOND), -EBADMSG);
	assert_null(find(copy, &client, 1, SECOND));
	assert_int_equal(clf_dns_memory_load(copy, image, len, SECOND), 2);
	clf_dns_memory_free(m);
	clf_dns_memory_free(copy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bound_to_client),
		cmocka_unit_test(test_time_to_live),
		cmocka_unit_test(test_alias),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_refreshed_stays),
		cmocka_unit_test(test_image),
		cmocka_unit_test(test_hostile_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
