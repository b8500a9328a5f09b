/* SPDX-License-Identifier: Apache-2.0 */
/* How evidence is weighed: one reason for each flow without a name, ranks, and what a limit does.
 */
#include "tests/unit/classifier/engine_fixture.h"

#include "classifier/engine_state.h"
#include "tests/unit/classifier/quic_build.h"

/* README: the first reason that holds. Each row adds what stands higher in the order. */
static void
the_first_reason_holds(void **state)
{
	static const struct {
		uint32_t flags;
		enum clf_blind want;
	} rows[] = {
		{ 0, CLF_BLIND_NO_NAME_IN_PROTOCOL },
		{ CLF_FL_GAP, CLF_BLIND_TRUNCATED },
		{ CLF_FL_TRUNCATED, CLF_BLIND_TRUNCATED },
		{ CLF_FL_AMBIGUOUS | CLF_FL_GAP, CLF_BLIND_AMBIGUOUS },
		{ CLF_FL_MALFORMED | CLF_FL_AMBIGUOUS, CLF_BLIND_MALFORMED },
		{ CLF_FL_NO_SNI | CLF_FL_MALFORMED, CLF_BLIND_NO_SNI },
		{ CLF_FL_ESNI | CLF_FL_NO_SNI, CLF_BLIND_NO_SNI },
		{ CLF_FL_OVER_LIMIT | CLF_FL_NO_SNI, CLF_BLIND_OVER_LIMIT },
		{ CLF_FL_FRAGMENTS_LOST | CLF_FL_OVER_LIMIT, CLF_BLIND_FRAGMENTS_LOST },
		{ CLF_FL_ENCRYPTED_DNS | CLF_FL_FRAGMENTS_LOST, CLF_BLIND_ENCRYPTED_DNS },
		{ CLF_FL_ECH | CLF_FL_ENCRYPTED_DNS, CLF_BLIND_ECH },
		{ CLF_FL_ECH_GREASE | CLF_FL_NO_SNI, CLF_BLIND_NO_SNI },
	};
	static struct clf_ctx c;
	static struct clf_weighed w;
	(void)state;

	start(NULL);
	shake_hands(40000, 443);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(&c, 0, sizeof(c));
		c.flags = rows[i].flags;
		c.hello = 1;
		c.data_packets[CLF_UP] = 1;
		assert_int_equal(clf_blindness(engine, 1, &c, &w), rows[i].want);
	}
	memset(&c, 0, sizeof(c));
	assert_int_equal(clf_blindness(engine, 1, &c, &w), CLF_BLIND_NO_DATA);
	engine->table.flows[1].uninspected = 1;
	c.flags = CLF_FL_ECH;
	assert_int_equal(clf_blindness(engine, 1, &c, &w), CLF_BLIND_UNINSPECTED);
	w.name = (const uint8_t *)"a";
	w.name_len = 1;
	w.name_source = SIG_F_DNS_MEMORY; /* behind ECH, but inferred */
	assert_int_equal(clf_blindness(engine, 1, &c, &w), CLF_BLIND_NONE);
	w.name_source = SIG_F_TLS_SNI; /* the outer name names nobody */
	engine->table.flows[1].uninspected = 0;
	assert_int_equal(clf_blindness(engine, 1, &c, &w), CLF_BLIND_ECH);
	stop();
}

/* Evidence is told after the weighing: what the flow itself gave, its port and address, must still
 * be there. */
static void
what_it_points_at_stays(void **state)
{
	static struct clf_ctx c;
	static struct clf_weighed w;
	const char *const from = (const char *)&w, *const to = (const char *)(&w + 1);
	(void)state;

	start(NULL);
	shake_hands(40000, 443);
	engine->fields |= 1u << SIG_F_PORT | 1u << SIG_F_ADDRESS;
	clf_weigh(engine, 1, &c, 0, &w);
	assert_int_equal(w.n_facts, 2);
	for (unsigned i = 0; i < 2; i++)
		assert_true((const char *)w.facts[i].value >= from &&
			    (const char *)w.facts[i].value + w.facts[i].len <= to);
	assert_memory_equal(w.facts[0].value, "tcp/443", 7);
	stop();
}

static void
verdicts_have_ranks(void **state)
{
	(void)state;
	assert_true(clf_verdict_rank(CLF_PASS) < clf_verdict_rank(CLF_WOULD_DROP));
	assert_true(clf_verdict_rank(CLF_WOULD_RESET) < clf_verdict_rank(CLF_RESET));
	assert_int_equal(clf_verdict_rank(CLF_DROP), clf_verdict_rank(CLF_RESET));
	assert_int_equal(clf_verdict_rank(200), 0);
}

static void
put_quic(struct buf *b, const char *name, uint8_t id)
{
	uint8_t cid[8] = { id, 2, 3, 4, 5, 6, 7, 8 };
	struct buf hello = { 0 }, payload = { 0 };
	struct quic_side side;

	put_hello(&hello, &(struct hello_spec){ .sni = name });
	put_crypto_frame(&payload, 0, hello.data, hello.len);
	quic_side_init(&side, 1, cid, sizeof(cid));
	put_initial(b, &side, 0, &payload);
	buf_free(&hello);
	buf_free(&payload);
}

/* One decryption a millisecond: the second hello of it is unknown, passed and counted. */
static void
over_the_crypto_budget_is_unknown(void **state)
{
	struct clf_engine_config c = small_config();
	struct buf first = { 0 }, second = { 0 };
	(void)state;

	c.crypto_budget = 1;
	start_with(enforce_text, &c);
	put_quic(&first, "a.acme.example", 1);
	put_quic(&second, "b.acme.example", 2);
	now = now / 1000 * 1000;
	assert_int_equal(udp(true, 40000, 443, first.data, first.len).verdict, CLF_DROP);
	now -= 1000; /* the same millisecond */
	assert_int_equal(udp(true, 40001, 443, second.data, second.len).verdict, CLF_PASS);
	assert_int_equal(clf_engine_stats(engine)->crypto_over_budget, 1);
	clf_flush(engine, now);
	assert_int_equal(clf_engine_stats(engine)->blind_flows[CLF_BLIND_OVER_LIMIT], 1);
	buf_free(&first);
	buf_free(&second);
	stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_reason_holds),
		cmocka_unit_test(verdicts_have_ranks),
		cmocka_unit_test(what_it_points_at_stays),
		cmocka_unit_test(over_the_crypto_budget_is_unknown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
