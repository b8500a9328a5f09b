/* SPDX-License-Identifier: Apache-2.0 */
/* The flow table and its keys: both directions one flow, no flow lost when full, the wheel in time.
 */
#include "tests/unit/classifier/check.h"

#include "classifier/flow_table.h"

enum { FLOWS = 20000 };

static const uint64_t seed[2] = { 3, 5 };

/* A packet that has only what a key needs. `data`: 40 bytes, filled as an IP header's addresses. */
static struct clf_pkt
packet(uint8_t data[40], bool v6, uint32_t client, uint16_t port, bool up)
{
	uint8_t *src = data + (v6 ? 8 : 12), *dst = data + (v6 ? 24 : 16);
	size_t n = v6 ? 16 : 4;

	memset(data, 0, 40);
	uint8_t a[16] = { 10 }, b[16] = { 192, 0, 2, 1 };
	memcpy(a + n - 3,
	    (uint8_t[]){ (uint8_t)(client >> 16), (uint8_t)(client >> 8), (uint8_t)client }, 3);
	memcpy(src, up ? a : b, n);
	memcpy(dst, up ? b : a, n);
	return (struct clf_pkt){ .data = data,
		.len = 40,
		.ip_version = v6 ? 6 : 4,
		.protocol = 6,
		.src_port = up ? port : 443,
		.dst_port = up ? 443 : port };
}

static void
both_directions_one_key(void **state)
{
	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		uint8_t d1[40], d2[40];
		struct clf_pkt up = packet(d1, v6, 77, 5000, true),
			       down = packet(d2, v6, 77, 5000, false);
		struct clf_flow_key a, b;
		clf_flow_key(&up, seed, &a);
		clf_flow_key(&down, seed, &b);
		assert_int_equal(a.hash, b.hash);
		assert_int_equal(a.k[0], b.k[0]);
		assert_int_equal(a.k[1], b.k[1]);
		assert_int_not_equal(a.swap, b.swap);
		up.vlan = 7;
		clf_flow_key(&up, seed, &b);
		assert_int_not_equal(a.k[1], b.k[1]);
	}
}

static void
full_table_finds_every_flow(void **state)
{
	struct clf_flow_table *t = calloc(1, sizeof(*t));
	static uint32_t number[FLOWS];
	uint8_t d[40];
	struct clf_flow_key key;
	(void)state;

	assert_int_equal(clf_flow_table_init(t, FLOWS, seed, NULL), 0);
	for (uint32_t i = 0; i < FLOWS; i++) {
		struct clf_pkt p = packet(d, i & 1, i, (uint16_t)i, true);
		clf_flow_key(&p, t->seed, &key);
		assert_int_equal(clf_flow_find(t, &key, &p), 0);
		number[i] = clf_flow_insert(t, &key, &p);
		assert_int_not_equal(number[i], 0);
	}
	struct clf_pkt one_more = packet(d, false, FLOWS, 1, true);
	clf_flow_key(&one_more, t->seed, &key);
	assert_int_equal(clf_flow_insert(t, &key, &one_more), 0);
	for (uint32_t i = 0; i < FLOWS; i += 3)
		clf_flow_remove(t, number[i]);
	for (uint32_t i = 0; i < FLOWS; i++) {
		struct clf_pkt p = packet(d, i & 1, i, (uint16_t)i, false);
		clf_flow_key(&p, t->seed, &key);
		uint32_t found = clf_flow_find(t, &key, &p);
		assert_int_equal(found, i % 3 ? number[i] : 0);
		struct clf_flow_bucket *home = clf_flow_bucket(t, key.hash);
		uint32_t quick = clf_flow_candidate(home, key.hash);
		if (quick == 0 && home->strays != 0)
			quick = clf_flow_candidate_stray(t, home, key.hash);
		if (found != 0)
			assert_int_not_equal(quick, 0);
	}
	for (uint32_t i = 0; i < FLOWS; i++) {
		if (i % 3)
			clf_flow_remove(t, number[i]);
	}
	assert_int_equal(t->live, 0);
	for (uint32_t b = 0; b < t->n_buckets; b++)
		assert_int_equal(t->buckets[b].strays, 0);
	clf_flow_table_done(t);
	free(t);
}

static void
tunnels_tell_tenants_apart(void **state)
{
	struct clf_flow_table *t = calloc(1, sizeof(*t));
	uint8_t d[40];
	struct clf_flow_key key;
	(void)state;

	assert_int_equal(clf_flow_table_init(t, 16, seed, NULL), 0);
	struct clf_pkt p = packet(d, false, 1, 1, true);
	p.tunnel = CLF_TUN_VXLAN;
	p.tunnel_id = 100;
	clf_flow_key(&p, t->seed, &key);
	uint32_t flow = clf_flow_insert(t, &key, &p);
	t->cold[flow].tunnel_id = 100;
	assert_int_equal(clf_flow_find(t, &key, &p), flow);
	p.tunnel_id = 200;
	clf_flow_key(&p, t->seed, &key);
	assert_int_equal(clf_flow_find(t, &key, &p), 0);
	clf_flow_table_done(t);
	free(t);
}

/* Deadlines near, far and beyond the wheel's round: none early, none late by more than two slots.
 */
static void
wheel_keeps_time(void **state)
{
	static const uint64_t after_s[] = { 0, 1, 3, 30, 600, 1073, 1800, 7200 };
	enum { N = sizeof(after_s) / sizeof(after_s[0]) };
	struct clf_flow_table *t = calloc(1, sizeof(*t));
	uint64_t start = 1700000000000000ULL, deadline[N + 1];
	uint8_t d[40];
	struct clf_flow_key key;
	unsigned gone = 0;
	(void)state;

	assert_int_equal(clf_flow_table_init(t, 16, seed, NULL), 0);
	assert_int_equal(clf_wheel_next(t, start), 0);
	for (uint32_t i = 0; i < N; i++) {
		struct clf_pkt p = packet(d, false, i, 9, true);
		clf_flow_key(&p, t->seed, &key);
		uint32_t flow = clf_flow_insert(t, &key, &p);
		deadline[flow] = start + after_s[i] * 1000000;
		clf_wheel_arm(t, flow, deadline[flow]);
	}
	for (uint64_t now = start; now < start + 7300ULL * 1000000; now += 100000) {
		uint32_t flow;
		while ((flow = clf_wheel_next(t, now)) != 0) {
			if (deadline[flow] > now) {
				clf_wheel_arm(t, flow, deadline[flow]);
				continue;
			}
			assert_true(now - deadline[flow] <= 2u << CLF_WHEEL_SHIFT);
			gone++;
		}
	}
	assert_int_equal(gone, N);
	clf_flow_table_done(t);
	free(t);
}

/* A leap of the clock over many rounds still brings every flow up. */
static void
wheel_survives_a_leap(void **state)
{
	struct clf_flow_table *t = calloc(1, sizeof(*t));
	uint8_t d[40];
	struct clf_flow_key key;
	unsigned n = 0;
	(void)state;

	assert_int_equal(clf_flow_table_init(t, 64, seed, NULL), 0);
	(void)clf_wheel_next(t, 1000000);
	for (uint32_t i = 0; i < 50; i++) {
		struct clf_pkt p = packet(d, false, i, 9, true);
		clf_flow_key(&p, t->seed, &key);
		clf_wheel_arm(t, clf_flow_insert(t, &key, &p), 1000000 + i * 20000000ULL);
	}
	while (clf_wheel_next(t, UINT64_MAX / 2) != 0)
		n++;
	assert_int_equal(n, 50);
	clf_flow_table_done(t);
	free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_directions_one_key),
		cmocka_unit_test(full_table_finds_every_flow),
		cmocka_unit_test(tunnels_tell_tenants_apart),
		cmocka_unit_test(wheel_keeps_time),
		cmocka_unit_test(wheel_survives_a_leap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
