/* SPDX-License-Identifier: Apache-2.0 */
/* signatures/literals.c: held against memmem(), and against libhs where a set is too large. */
#include <errno.h>

#include "pack_text.h"
#include "signatures/literals.h"

enum { SET = 200, VALUE = 300 };

struct seen {
	unsigned times[LITERALS_MAX];
};

static void
count(void *ctx, uint32_t id)
{
	((struct seen *)ctx)->times[id]++;
}

static struct literal
literal(const char *s, int32_t offset, uint32_t id)
{
	return (struct literal){ (const uint8_t *)s, (uint32_t)strlen(s), offset, id };
}

static void
stands_where_it_must(void **state)
{
	const struct literal v[] = {
		literal("agent/", LITERAL_ANYWHERE, 0),
		literal("agent/2", LITERAL_ANYWHERE, 1),
		literal("age", 0, 2),
		literal("nt", 3, 3),
		literal("nt", 4, 4),
		literal("/2", LITERAL_ANYWHERE, 5),
		literal("Agent/", LITERAL_ANYWHERE, 6),
		literal("agent/21", LITERAL_ANYWHERE, 7),
	};
	static const unsigned want[] = { 2, 1, 1, 1, 0, 1, 0, 0 };
	static const char value[] = "agent/2 agent/3";
	struct literals *set = NULL;
	struct seen seen = { 0 };

	(void)state;
	assert_int_equal(literals_new(v, sizeof(v) / sizeof(v[0]), &set), 0);
	literals_scan(set, (const uint8_t *)value, strlen(value), count, &seen);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_int_equal(seen.times[i], want[i]);
	literals_scan(set, (const uint8_t *)value, 1, count, &seen);
	literals_scan(set, (const uint8_t *)value, 0, count, &seen);
	assert_int_equal(seen.times[2], want[2]);
	literals_free(set);
	literals_free(NULL);
}

/* Only one place to look at: what stands further on is not found, what begins there is. */
static void
anchored_alone(void **state)
{
	const struct literal v[] = { literal("/a/b", 0, 0), literal("bc", 2, 1) };
	struct literals *set = NULL;
	struct seen seen = { 0 };

	(void)state;
	assert_int_equal(literals_new(v, 2, &set), 0);
	literals_scan(set, (const uint8_t *)"/a/bc", 5, count, &seen);
	literals_scan(set, (const uint8_t *)"x/a/b", 5, count, &seen);
	assert_int_equal(seen.times[0], 1);
	assert_int_equal(seen.times[1], 0);
	literals_scan(set, (const uint8_t *)"..bc", 4, count, &seen);
	literals_scan(set, (const uint8_t *)"..b", 3, count, &seen);
	assert_int_equal(seen.times[1], 1);
	literals_free(set);
}

/* Three letters alone, so that texts overlap and share beginnings. */
static void
as_memmem_does(void **state)
{
	static uint8_t texts[SET][4], value[VALUE];
	struct literal v[SET];
	struct literals *set = NULL;
	unsigned found = 0;

	(void)state;
	srandom(7);
	for (unsigned i = 0; i < SET; i++) {
		for (unsigned j = 0; j < 4; j++)
			texts[i][j] = (uint8_t)('a' + random() % 3);
		v[i] = (struct literal){ texts[i], 2 + (uint32_t)(random() % 3),
			random() % 2 ? LITERAL_ANYWHERE : (int32_t)(random() % 40), i };
	}
	assert_int_equal(literals_new(v, SET, &set), 0);
	for (unsigned round = 0; round < 50; round++) {
		size_t len = (size_t)random() % VALUE;
		struct seen seen = { 0 };

		for (size_t i = 0; i < len; i++)
			value[i] = (uint8_t)('a' + random() % 4);
		literals_scan(set, value, len, count, &seen);
		for (unsigned i = 0; i < SET; i++) {
			bool is = v[i].offset == LITERAL_ANYWHERE
				      ? memmem(value, len, v[i].bytes, v[i].len) != NULL
				      : len >= (size_t)v[i].offset + v[i].len &&
					    memcmp(value + v[i].offset, v[i].bytes, v[i].len) == 0;

			assert_int_equal(seen.times[i] > 0, is);
			found += is;
		}
	}
	assert_true(found > 100);
	literals_free(set);
}

static void
refuses_what_it_cannot_hold(void **state)
{
	static struct literal many[LITERALS_MAX + 1];
	struct literals *set = NULL;

	(void)state;
	for (unsigned i = 0; i <= LITERALS_MAX; i++)
		many[i] = literal("ab", LITERAL_ANYWHERE, i % LITERALS_MAX);
	assert_int_equal(literals_new(many, LITERALS_MAX + 1, &set), -EINVAL);
	assert_int_equal(literals_new(many, LITERALS_MAX, &set), 0);
	literals_free(set);
	many[0].len = 1;
	assert_int_equal(literals_new(many, 1, &set), -EINVAL);
}

/* How many of the flow's agents and paths a pack with n agents knows. */
static unsigned
hits(unsigned n, const char *agent, const char *path)
{
	char list[16 * 1024] = "- {user_agent: [x, \"(a+)\", \"re:b+c[0-9]\"";
	struct sig_fact facts[] = {
		{ .value = (const uint8_t *)agent,
		    .len = (uint16_t)strlen(agent),
		    .field = SIG_F_USER_AGENT },
		{ .value = (const uint8_t *)path,
		    .len = (uint16_t)strlen(path),
		    .field = SIG_F_HTTP_PATH },
	};
	struct sig_scratch *scratch = NULL;
	struct sig_result result;
	struct sig_ruleset *rules;
	size_t at = strlen(list);
	char *text;

	for (unsigned i = 0; i < n; i++)
		at += (size_t)snprintf(list + at, sizeof(list) - at, ", Agent.%04u", i);
	snprintf(list + at, sizeof(list) - at, "]}\n      - {path: [/p.q/, \"re:^/r.*s\"]}");
	text = bent_pack("- host: a.vendor.com", list);
	rules = rules_at(text, 20260701);
	free(text);
	assert_int_equal(sig_scratch_new(rules, &scratch), 0);
	sig_match(rules, scratch, facts, 2, &result);
	sig_scratch_free(scratch);
	sig_ruleset_free(rules);
	return result.n_hits;
}

/* Below the limit, and above it: the same answers, of true expressions too. */
static void
sets_of_any_size(void **state)
{
	static const unsigned sizes[] = { 1, 5, LITERALS_MAX - 2, LITERALS_MAX + 100 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(hits(sizes[i], "My Agent.0000 1", "/"), 1);
		assert_int_equal(hits(sizes[i], "My Agent-0000 1", "/"), 0);
		assert_int_equal(hits(sizes[i], "x", "/"), 1);
		assert_int_equal(hits(sizes[i], "(a+)", "/"), 1);
		assert_int_equal(hits(sizes[i], "(aa)", "/"), 0);
		assert_int_equal(hits(sizes[i], "-bbc7-", "/"), 1);
		assert_int_equal(hits(sizes[i], "-", "/p.q/r"), 1);
		assert_int_equal(hits(sizes[i], "-", "/p-q/r"), 0);
		assert_int_equal(hits(sizes[i], "-", "/o/p.q/r"), 0);
		assert_int_equal(hits(sizes[i], "-", "/rs"), 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stands_where_it_must),
		cmocka_unit_test(anchored_alone),
		cmocka_unit_test(as_memmem_does),
		cmocka_unit_test(refuses_what_it_cannot_hold),
		cmocka_unit_test(sets_of_any_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
