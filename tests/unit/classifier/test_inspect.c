/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Undecided flows by the frames that carry them: frames in several segments, fragments, hellos that
 * come again, requests beyond those that are judged.
 */
#include "tests/unit/classifier/engine_fixture.h"

#include "tests/unit/classifier/quic_build.h"

static uint32_t
flatten(const struct clf_frame *frame, uint8_t *buf, uint32_t cap)
{
	const struct fb *b = frame->cookie;

	assert_true(b->len <= cap);
	memcpy(buf, b->data, b->len);
	return b->len;
}

/* A frame whose first segment ends anywhere: behind a header, inside one, in the hello. */
static void
segments_of_a_frame_are_one(void **state)
{
	struct clf_engine_config c = small_config();
	struct buf hello = { 0 };
	(void)state;

	c.flatten = flatten;
	start_with(NULL, &c);
	make_hello(&hello, "a.acme.example");
	uint16_t port = 40000;
	for (uint32_t first = 14; first < 14 + 40 + hello.len; first += 7, port++) {
		struct fb b = { .len = 0 };
		struct clf_result r;
		unsigned before = count_events(CLF_EV_DECIDED);

		shake_hands(port, 443);
		fb_eth(&b, 0x0800);
		fb_ip4(&b, 6, (uint32_t)(20 + hello.len), 1, 0);
		uint32_t ip = b.len - 20;
		fb_tcp(&b, ACK, 1, hello.data, (uint32_t)hello.len);
		set_ends(&b, ip, true, port, 443);
		uint8_t *segment = exact_copy(b.data, first);
		struct clf_frame f = { .data = segment,
			.cookie = &b,
			.ts_us = now += 1000,
			.len = first,
			.wire_len = b.len,
			.flags = CLF_FRAME_MORE };
		clf_burst(engine, &f, 1, now, &r);
		free(segment);
		assert_int_equal(r.matched, 1);
		assert_int_equal(count_events(CLF_EV_DECIDED), before + 1);
		assert_str(event_of_type(CLF_EV_DECIDED, before), name, "a.acme.example");
		assert_int_equal(
		    event_of_type(CLF_EV_DECIDED, before)->bytes[CLF_UP], 54 + 54 + b.len);
	}
	buf_free(&hello);
	n_events = 0;
	stop();
}

static void
put_quic(struct buf *b, const struct buf *hello, size_t off, uint8_t number)
{
	static const uint8_t cid[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct buf payload = { 0 };
	struct quic_side side;

	put_be(&payload, 6, 1);
	put_varint(&payload, off);
	put_varint(&payload, hello->len);
	put(&payload, hello->data, hello->len);
	quic_side_init(&side, 1, cid, sizeof(cid));
	put_initial(b, &side, number, &payload);
	buf_free(&payload);
}

/* A hello whose second half takes its time: no name after the time-out, then the name. */
static void
slow_hello_is_named_in_the_end(void **state)
{
	struct buf hello = { 0 };
	(void)state;

	start(enforce_text);
	make_hello(&hello, "a.acme.example");
	shake_hands(40000, 443);
	(void)tcp(true, 40000, 443, ACK, 1, hello.data, 20);
	for (unsigned i = 20; i < hello.len; i++) {
		now += 2000000;
		(void)clf_tick(engine, now);
		struct clf_result r = tcp(true, 40000, 443, ACK, 1 + i, hello.data + i, 1);
		assert_int_equal(r.verdict, i + 1 < hello.len ? CLF_PASS : CLF_DROP);
	}
	assert_int_equal(count_events(CLF_EV_DECIDED), 1);
	assert_int_equal(count_events(CLF_EV_UPDATED), 1);
	assert_str(event_of_type(CLF_EV_UPDATED, 0), name, "a.acme.example");
	/* Its beginning alone, then 120 s of silence: the context is given back. */
	shake_hands(40001, 443);
	(void)tcp(true, 40001, 443, ACK, 1, hello.data, 20);
	for (unsigned i = 0; i < 200; i++)
		(void)clf_tick(engine, now += 1000000);
	assert_int_equal(clf_engine_stats(engine)->inspecting_now, 0);
	buf_free(&hello);
	stop();
}

/* Flows that begin a hello and go silent hold every context: after a second they make room. */
static void
silent_flows_blind_no_others(void **state)
{
	struct buf hello = { 0 };
	(void)state;

	start(enforce_text);
	make_hello(&hello, "a.acme.example");
	for (uint16_t i = 0; i < 64; i++) {
		shake_hands((uint16_t)(30000 + i), 443);
		(void)tcp(true, (uint16_t)(30000 + i), 443, ACK, 1, hello.data, 20);
	}
	assert_int_equal(clf_engine_stats(engine)->inspecting_now, 64);
	now += 1000000;
	for (uint16_t i = 0; i < 64; i++) {
		shake_hands((uint16_t)(40000 + i), 443);
		struct clf_result r = tcp(
		    true, (uint16_t)(40000 + i), 443, ACK, 1, hello.data, hello.len);
		assert_int_equal(r.verdict, CLF_DROP);
	}
	assert_int_equal(
	    clf_engine_stats(engine)->inspect_full, 1); /* each dropped flow leaves room */
	buf_free(&hello);
	stop();
}

/* Inline the fragments go as they come; the one that makes the datagram whole shares its verdict,
 * so that the datagram never is whole behind us. */
static void
fragments_share_the_verdict(void **state)
{
	struct buf hello = { 0 }, initial = { 0 };
	struct fb whole = { .len = 0 };
	(void)state;

	start(enforce_text);
	put_hello(&hello, &(struct hello_spec){ .sni = "a.acme.example", .pad = 800 });
	put_quic(&initial, &hello, 0, 0);
	fb_udp(&whole, 443, (uint32_t)initial.len);
	fb_add(&whole, initial.data, (uint32_t)initial.len);
	for (unsigned reversed = 0; reversed < 2; reversed++) {
		uint32_t size = 400, parts = (whole.len + size - 1) / size;
		for (uint32_t i = 0; i < parts; i++) {
			uint32_t off = (reversed ? parts - 1 - i : i) * size;
			uint32_t n = whole.len - off < size ? whole.len - off : size;
			bool more = off + n < whole.len;
			struct fb b = { .len = 0 };

			fb_eth(&b, 0x0800);
			fb_ip4(&b, 17, n, (uint16_t)(7 + reversed),
			    (uint16_t)((more ? 0x2000 : 0) | off / 8));
			fb_add(&b, whole.data + off, n);
			struct clf_result r = send_frame(&b, 1000);
			assert_int_equal(r.verdict, i + 1 == parts ? CLF_DROP : CLF_PASS);
		}
	}
	assert_int_equal(clf_engine_stats(engine)->fragments_rejoined, 2);
	assert_int_equal(clf_engine_stats(engine)->verdicts[CLF_DROP], 2);
	buf_free(&hello);
	buf_free(&initial);
	stop();
}

/* A HelloRetryRequest's second hello is read until the server goes on, and not after. */
static void
quic_hellos_are_read_until_the_server_goes_on(void **state)
{
	static const uint8_t handshake[] = { 0xe0, 0, 0, 0, 1, 0, 0, 4, 1, 2, 3, 4 };
	struct buf first = { 0 }, second = { 0 }, a = { 0 }, b = { 0 };
	(void)state;

	for (unsigned goes_on = 0; goes_on < 2; goes_on++) {
		start(NULL);
		a.len = b.len = first.len = second.len = 0;
		put_hello(&first, &(struct hello_spec){ .sni = "www.example.org" });
		put_hello(&second, &(struct hello_spec){ .sni = "b.acme.example" });
		put_quic(&a, &first, 0, 0);
		put_quic(&b, &second, first.len, 1);
		(void)udp(true, 40000, 443, a.data, a.len);
		assert_int_equal(clf_engine_stats(engine)->inspecting_now, 1);
		if (goes_on) {
			(void)udp(false, 40000, 443, handshake, sizeof(handshake));
			assert_int_equal(clf_engine_stats(engine)->inspecting_now, 0);
		}
		(void)udp(true, 40000, 443, b.data, b.len);
		assert_int_equal(clf_engine_stats(engine)->inspecting_now, 0);
		assert_int_equal(count_events(CLF_EV_UPDATED), !goes_on);
		if (!goes_on) {
			const struct clf_event *e = event_of_type(CLF_EV_UPDATED, 0);
			assert_int_equal(e->flags & (CLF_FL_HRR | CLF_FL_AMBIGUOUS),
			    CLF_FL_HRR | CLF_FL_AMBIGUOUS);
			assert_int_equal(e->n_names, 2);
			assert_int_equal(e->verdict, CLF_PASS);
		}
		stop();
	}
	buf_free(&first);
	buf_free(&second);
	buf_free(&a);
	buf_free(&b);
}

/* DATA of HTTP/2 is passed over like a body of HTTP/1: what comes behind it is read too. */
static void
h2_requests_behind_an_upload(void **state)
{
	enum { PIECE = 1024, PIECES = 200 };
	static const char head[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
				   "\0\0\24\1\4\0\0\0\1\203\206\204\101\17www.example.org";
	static const char next[] = "\0\0\23\1\5\0\0\0\3\202\206\204\101\16a.acme.example";
	uint8_t data[9 + PIECE] = { 0, PIECE >> 8, 0, 0, 0, 0, 0, 0, 1 };
	uint32_t seq = 1;
	(void)state;

	start(NULL);
	shake_hands(40000, 80);
	(void)tcp(true, 40000, 80, ACK, seq, head, sizeof(head) - 1);
	seq += sizeof(head) - 1;
	for (unsigned i = 0; i < PIECES; i++, seq += sizeof(data))
		(void)tcp(true, 40000, 80, ACK, seq, data, sizeof(data));
	assert_int_equal(clf_engine_stats(engine)->flows_matched, 0);
	(void)tcp(true, 40000, 80, ACK, seq, next, sizeof(next) - 1);
	assert_int_equal(clf_engine_stats(engine)->flows_matched, 1);
	stop();
}

static struct sig_ruleset *
use_own_rules(const char *text)
{
	struct sig_diag diag = { 0 };
	struct sig_packs *packs = NULL;
	struct sig_ruleset *own = NULL;

	assert_int_equal(sig_packs_load_text("own.yaml", text, strlen(text), &packs, &diag), 0);
	assert_int_equal(sig_compile(packs, &own, &diag), 0);
	sig_packs_free(packs);
	assert_int_equal(clf_engine_set_rules(engine, own, policy), 0);
	return own;
}

static void
forget_own_rules(struct sig_ruleset *own)
{
	assert_int_equal(clf_engine_set_rules(engine, rules, policy), 0);
	sig_ruleset_free(own);
}

/* A payload is the stream's first bytes, not the first segment's. */
static void
payloads_may_be_cut_anywhere(void **state)
{
	static const char text[] =
	    "format: 1\npack: own\nversion: 1\nvendor: {name: Own, owner: Own, country: US, "
	    "as_of: 2026-01-01, source: none}\nproducts: [{id: p, name: P, category: av}]\n"
	    "signatures:\n"
	    "  - {id: up, product: p, function: update, confidence: high, source: none, "
	    "reviewed: 2026-01-01, match: [{payload: [{offset: 2, text: FROMCLIENT}]}]}\n"
	    "  - {id: down, product: p, function: update, confidence: high, source: none, "
	    "reviewed: 2026-01-01, match: [{payload: [{text: FROMSERVER, dir: down}]}]}\n";
	enum { SAID = 20 };
	static const char said[2][21] = { "..FROMCLIENT, and so", "FROMSERVER, and so on" };
	struct sig_ruleset *own;
	uint16_t port = 40000;
	(void)state;

	start(NULL);
	own = use_own_rules(text);
	for (unsigned down = 0; down < 2; down++) {
		for (unsigned cut = 1; cut <= SAID; cut += 3, port++) {
			unsigned before = (unsigned)clf_engine_stats(engine)->flows_matched;

			shake_hands(port, 9000);
			if (down)
				(void)tcp(true, port, 9000, ACK, 1, "hello", 5);
			for (uint32_t at = 0; at < SAID; at += cut)
				(void)tcp(!down, port, 9000, ACK, (down ? 7 : 1) + at,
				    said[down] + at, SAID - at < cut ? SAID - at : cut);
			assert_int_equal(clf_engine_stats(engine)->flows_matched, before + 1);
		}
	}
	forget_own_rules(own);
	stop();
}

/* Facts of other kinds do not end the wait for a request: clients send a preface alone. */
static void
h2_preface_may_come_alone(void **state)
{
	static const char text[] =
	    "format: 1\npack: own\nversion: 1\nvendor: {name: Own, owner: Own, country: US, "
	    "as_of: 2026-01-01, source: none}\nproducts: [{id: p, name: P, category: av}]\n"
	    "signatures:\n"
	    "  - {id: odd, product: p, function: update, confidence: high, source: none, "
	    "reviewed: 2026-01-01, match: [{payload: [{text: NOBODY}]}]}\n"
	    "  - {id: web, product: p, function: update, confidence: high, source: none, "
	    "reviewed: 2026-01-01, match: [{host: a.acme.example}]}\n";
	static const char head[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
	static const char next[] = "\0\0\23\1\5\0\0\0\1\202\206\204\101\16a.acme.example";
	struct sig_ruleset *own;
	(void)state;

	start(NULL);
	own = use_own_rules(text);
	shake_hands(40000, 80);
	(void)tcp(true, 40000, 80, ACK, 1, head, sizeof(head) - 1);
	(void)tcp(true, 40000, 80, ACK, sizeof(head), next, sizeof(next) - 1);
	assert_int_equal(clf_engine_stats(engine)->flows_matched, 1);
	forget_own_rules(own);
	stop();
}

/* Ports used again without an end: also where the first connection waits for a certificate yet. */
static void
ports_may_be_used_again(void **state)
{
	static const char text[] =
	    "format: 1\npack: own\nversion: 1\nvendor: {name: Own, owner: Own, country: US, "
	    "as_of: 2026-01-01, source: none}\nproducts: [{id: p, name: P, category: av}]\n"
	    "signatures:\n"
	    "  - {id: web, product: p, function: update, confidence: high, source: none, "
	    "reviewed: 2026-01-01, match: [{host: a.acme.example}, {issuer: Nobody}]}\n";
	struct buf first = { 0 }, second = { 0 };
	struct sig_ruleset *own;
	(void)state;

	start(NULL);
	own = use_own_rules(text);
	make_hello(&first, "www.example.org");
	make_hello(&second, "a.acme.example");
	shake_hands(40000, 443);
	(void)tcp(true, 40000, 443, ACK, 1, first.data, first.len);
	assert_int_equal(clf_engine_stats(engine)->flows_decided, 0);
	now += 5000000;
	(void)tcp(true, 40000, 443, SYN, 70000, NULL, 0);
	assert_int_equal(clf_engine_stats(engine)->flows_new, 2);
	(void)tcp(true, 40000, 443, ACK, 70001, second.data, second.len);
	assert_int_equal(clf_engine_stats(engine)->flows_matched, 1);
	now += 5000000; /* a SYN that comes again before any data begins nothing */
	(void)tcp(true, 40001, 443, SYN, 1, NULL, 0);
	now += 5000000;
	(void)tcp(true, 40001, 443, SYN, 1, NULL, 0);
	assert_int_equal(clf_engine_stats(engine)->flows_new, 3);
	forget_own_rules(own);
	buf_free(&first);
	buf_free(&second);
	stop();
}

/* Silence after a SYN that more packets followed is known at once; before that it is not. */
static void
one_way_is_told_when_it_is_known(void **state)
{
	struct buf hello = { 0 };
	(void)state;

	start(NULL);
	make_hello(&hello, "a.acme.example");
	(void)tcp(true, 40000, 443, SYN, 0, NULL, 0);
	(void)tcp(true, 40000, 443, ACK, 1, hello.data, hello.len);
	assert_true(event_of_type(CLF_EV_DECIDED, 0)->flags & CLF_FL_ONE_WAY);
	(void)tcp(true, 40001, 443, ACK, 1, hello.data, hello.len); /* mid-stream: who knows? */
	assert_false(event_of_type(CLF_EV_DECIDED, 1)->flags & CLF_FL_ONE_WAY);
	shake_hands(40002, 443);
	(void)tcp(true, 40002, 443, ACK, 1, hello.data, hello.len);
	assert_false(event_of_type(CLF_EV_DECIDED, 2)->flags & CLF_FL_ONE_WAY);
	struct clf_event e = { .packets = { 3, 0 } };
	clf_event_settle_one_way(&e);
	assert_true(e.flags & CLF_FL_ONE_WAY);
	e.packets[CLF_DOWN] = 1;
	clf_event_settle_one_way(&e);
	assert_false(e.flags & CLF_FL_ONE_WAY);
	e.packets[CLF_DOWN] = 0;
	e.dropped[CLF_UP] = 2; /* we silenced it */
	clf_event_settle_one_way(&e);
	assert_false(e.flags & CLF_FL_ONE_WAY);
	buf_free(&hello);
	stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_of_a_frame_are_one),
		cmocka_unit_test(slow_hello_is_named_in_the_end),
		cmocka_unit_test(silent_flows_blind_no_others),
		cmocka_unit_test(fragments_share_the_verdict),
		cmocka_unit_test(quic_hellos_are_read_until_the_server_goes_on),
		cmocka_unit_test(h2_requests_behind_an_upload),
		cmocka_unit_test(h2_preface_may_come_alone),
		cmocka_unit_test(payloads_may_be_cut_anywhere),
		cmocka_unit_test(ports_may_be_used_again),
		cmocka_unit_test(one_way_is_told_when_it_is_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
