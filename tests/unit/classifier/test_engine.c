/* SPDX-License-Identifier: Apache-2.0 */
/* clf_burst() from outside: names, verdicts, events, expiry, and counters that add up. */
#include "tests/unit/classifier/engine_fixture.h"

static void
names_a_tls_flow(void **state)
{
	struct buf hello = { 0 };
	(void)state;

	start(NULL);
	make_hello(&hello, "a.acme.example");
	shake_hands(40000, 443);
	struct clf_result r = tcp(true, 40000, 443, ACK | PSH, 1, hello.data, hello.len);
	assert_int_equal(r.verdict, CLF_PASS);
	assert_int_equal(r.matched, 1);
	assert_int_equal(n_events, 1);
	const struct clf_event *e = &events[0];
	assert_int_equal(e->type, CLF_EV_DECIDED);
	assert_int_equal(e->state, CLF_DECIDED);
	assert_str(e, name, "a.acme.example");
	assert_str(e, vendor, "Acme");
	assert_str(e, signature, "acme/cloud");
	assert_int_equal(e->confidence, SIG_CONF_CERTAIN);
	assert_int_equal(e->name_source, SIG_F_TLS_SNI);
	assert_int_equal(e->n_evidence, 1);
	assert_int_equal(e->evidence[0].packet, 4);
	assert_int_equal(e->packets[CLF_UP], 3);
	assert_int_equal(e->packets[CLF_DOWN], 1);
	assert_int_equal(e->first_us + 3000, e->last_us);
	assert_int_equal(e->src.bytes[3], 1);
	assert_int_equal(e->dst_port, 443);
	buf_free(&hello);
	stop();
}

/* The same bytes in segments of any size, forwards or backwards, give the same name. */
static void
cuts_and_order_change_nothing(void **state)
{
	struct buf hello = { 0 };
	(void)state;

	start(NULL);
	make_hello(&hello, "a.acme.example");
	uint16_t port = 41000;
	for (size_t size = 1; size < hello.len; size += 1 + size / 3) {
		for (int backwards = 0; backwards < 2; backwards++, port++) {
			size_t n = (hello.len + size - 1) / size;
			unsigned before = count_events(CLF_EV_DECIDED);
			shake_hands(port, 443);
			for (size_t i = 0; i < n; i++) {
				size_t at = (backwards ? n - 1 - i : i) * size;
				size_t len = hello.len - at < size ? hello.len - at : size;
				(void)tcp(
				    true, port, 443, ACK, (uint32_t)(1 + at), hello.data + at, len);
			}
			assert_int_equal(count_events(CLF_EV_DECIDED), before + 1);
			assert_str(event_of_type(CLF_EV_DECIDED, before), name, "a.acme.example");
		}
	}
	buf_free(&hello);
	stop();
}

/* The packet that completes the hello is the first to go; the flow stays dropped. */
static void
drops_from_the_deciding_packet_on(void **state)
{
	struct buf hello = { 0 };
	(void)state;

	start(enforce_text);
	make_hello(&hello, "a.acme.example");
	shake_hands(40000, 443);
	struct clf_result r = tcp(true, 40000, 443, ACK, 1, hello.data, 20);
	assert_int_equal(r.verdict, CLF_PASS);
	r = tcp(true, 40000, 443, ACK, 21, hello.data + 20, hello.len - 20);
	assert_int_equal(r.verdict, CLF_DROP);
	assert_int_equal(r.first_of_verdict, 1);
	r = tcp(true, 40000, 443, ACK, 1, hello.data, 20);
	assert_int_equal(r.verdict, CLF_DROP);
	assert_int_equal(r.first_of_verdict, 0);
	r = tcp(false, 40000, 443, ACK, 7, "x", 1);
	assert_int_equal(r.verdict, CLF_DROP);
	clf_flush(engine, now);
	const struct clf_event *e = event_of_type(CLF_EV_ENDED, 0);
	assert_int_equal(e->packets[CLF_UP], 5);
	assert_int_equal(e->dropped[CLF_UP], 2);
	assert_int_equal(e->dropped[CLF_DOWN], 1);
	assert_int_equal(clf_engine_stats(engine)->verdicts[CLF_DROP], 3);
	assert_str(event_of_type(CLF_EV_DECIDED, 0), rule, "stop");
	buf_free(&hello);
	stop();
}

static void
bypass_passes_and_counts(void **state)
{
	struct buf hello = { 0 };
	(void)state;

	start(enforce_text);
	make_hello(&hello, "a.acme.example");
	shake_hands(40000, 443);
	assert_int_equal(tcp(true, 40000, 443, ACK, 1, hello.data, hello.len).verdict, CLF_DROP);
	clf_engine_bypass(engine, true);
	assert_int_equal(tcp(true, 40000, 443, ACK, 1, hello.data, hello.len).verdict, CLF_PASS);
	clf_engine_bypass(engine, false);
	assert_int_equal(tcp(true, 40000, 443, ACK, 1, hello.data, hello.len).verdict, CLF_DROP);
	assert_int_equal(clf_engine_stats(engine)->uninspected, 1);
	clf_flush(engine, now);
	const struct clf_event *e = event_of_type(CLF_EV_ENDED, 0);
	assert_int_equal(e->packets[CLF_UP], 5);
	assert_int_equal(e->dropped[CLF_UP], 2);
	buf_free(&hello);
	stop();
}

/* Two requests in one segment, a third later: the worst of them is what the flow is. */
static void
requests_only_get_stricter(void **state)
{
	static const char two[] =
	    "GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n"
	    "POST / HTTP/1.1\r\nHost: b.example.org\r\nContent-Length: 4\r\n\r\nabcd";
	static const char third[] = "GET / HTTP/1.1\r\nHost: c.acme.example\r\n\r\n";
	(void)state;

	start(enforce_text);
	shake_hands(40000, 80);
	struct clf_result r = tcp(true, 40000, 80, ACK, 1, two, sizeof(two) - 1);
	assert_int_equal(r.verdict, CLF_PASS);
	r = tcp(true, 40000, 80, ACK, sizeof(two), third, sizeof(third) - 1);
	assert_int_equal(r.verdict, CLF_DROP);
	const struct clf_event *e = event_of_type(CLF_EV_UPDATED, 1);
	assert_non_null(e);
	assert_int_equal(e->verdict, CLF_DROP);
	assert_int_equal(e->n_names, 3);
	assert_str(e, name, "c.acme.example");
	stop();
}

static void
connect_then_inner_name(void **state)
{
	static const char connect[] = "CONNECT p.example.org:443 HTTP/1.1\r\n\r\n";
	struct buf hello = { 0 };
	(void)state;

	start(NULL);
	make_hello(&hello, "in.acme.example");
	shake_hands(40000, 8080);
	(void)tcp(true, 40000, 8080, ACK, 1, connect, sizeof(connect) - 1);
	(void)tcp(false, 40000, 8080, ACK, 7, "HTTP/1.1 200 OK\r\n\r\n", 19);
	(void)tcp(true, 40000, 8080, ACK, sizeof(connect), hello.data, hello.len);
	assert_str(event_of_type(CLF_EV_DECIDED, 0), name, "p.example.org");
	const struct clf_event *e = event_of_type(CLF_EV_UPDATED, 0);
	assert_non_null(e);
	assert_str(e, name, "in.acme.example");
	assert_str(e, vendor, "Acme");
	assert_int_equal(e->n_names, 2);
	buf_free(&hello);
	stop();
}

/* A mail session that turns to TLS is named, wherever the cut. */
static void
finds_a_hello_behind_starttls(void **state)
{
	struct buf hello = { 0 };
	(void)state;

	start(NULL);
	make_hello(&hello, "mail.acme.example");
	shake_hands(40000, 25);
	(void)tcp(false, 40000, 25, ACK, 7, "220 hi\r\n", 8);
	(void)tcp(true, 40000, 25, ACK, 1, "STARTTLS\r\n", 10);
	(void)tcp(false, 40000, 25, ACK, 15, "220 go\r\n", 8);
	(void)tcp(true, 40000, 25, ACK, 11, hello.data, 30);
	(void)tcp(true, 40000, 25, ACK, 41, hello.data + 30, hello.len - 30);
	assert_true(n_events > 0);
	assert_str(&events[n_events - 1], name, "mail.acme.example");
	buf_free(&hello);
	stop();
}

/* RFC 1928: greeting, then a request by domain name; what follows is read as its own connection. */
static void
reads_what_socks_carries(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: s.acme.example\r\n\r\n";
	(void)state;

	start(NULL);
	shake_hands(40000, 1080);
	(void)tcp(true, 40000, 1080, ACK, 1, "\x05\x01\x00", 3);
	(void)tcp(false, 40000, 1080, ACK, 7, "\x05\x00", 2);
	(void)tcp(true, 40000, 1080, ACK, 4, "\x05\x01\x00\x03\x04host\x00\x50", 11);
	(void)tcp(false, 40000, 1080, ACK, 9, "\x05\x00\x00\x01\x0a\x00\x00\x02\x00\x50", 10);
	(void)tcp(true, 40000, 1080, ACK, 15, request, sizeof(request) - 1);
	assert_true(n_events > 0);
	assert_str(&events[n_events - 1], name, "s.acme.example");
	assert_str(&events[n_events - 1], vendor, "Acme");
	stop();

	/* 4A: the address 0.0.0.1, a user, then the name that the proxy is to look up. */
	start(NULL);
	shake_hands(40000, 1080);
	(void)tcp(true, 40000, 1080, ACK, 1, "\x04\x01\x00\x50\x00\x00\x00\x01u\x00host\x00", 15);
	(void)tcp(true, 40000, 1080, ACK, 16, request, sizeof(request) - 1);
	assert_true(n_events > 0);
	assert_str(&events[n_events - 1], name, "s.acme.example");
	stop();
}

static void
two_hellos_at_one_place_are_ambiguous(void **state)
{
	struct buf decoy = { 0 }, real = { 0 };
	(void)state;

	start(enforce_text);
	make_hello(&decoy, "www.example.org");
	make_hello(&real, "abc.acme.example");
	shake_hands(40000, 443);
	assert_int_equal(tcp(true, 40000, 443, ACK, 1, decoy.data, decoy.len).verdict, CLF_PASS);
	assert_int_equal(tcp(true, 40000, 443, ACK, 1, real.data, real.len).verdict, CLF_PASS);
	const struct clf_event *e = event_of_type(CLF_EV_UPDATED, 0);
	assert_non_null(e);
	assert_true(e->flags & CLF_FL_AMBIGUOUS);
	assert_int_equal(e->verdict, CLF_PASS);
	buf_free(&decoy);
	buf_free(&real);
	stop();
}

static void
each_question_is_a_record(void **state)
{
	struct buf q = { 0 }, other = { 0 }, answer = { 0 };
	(void)state;

	start(enforce_text);
	put_dns_head(&q, 7, 0x0100, 1, 0);
	put_dns_question(&q, "a.acme.example", 1);
	put_dns_head(&other, 8, 0x0100, 1, 0);
	put_dns_question(&other, "www.example.org", 1);
	put_dns_head(&answer, 8, 0x8180, 1, 1);
	put_dns_question(&answer, "www.example.org", 1);
	put_dns_name(&answer, "www.example.org");
	put_dns_record(&answer, 1, 300, "\xc0\0\2\x09", 4);
	assert_int_equal(udp(true, 5000, 53, q.data, q.len).verdict, CLF_DROP);
	assert_int_equal(udp(true, 5000, 53, other.data, other.len).verdict, CLF_PASS);
	assert_int_equal(udp(false, 5000, 53, answer.data, answer.len).verdict, CLF_PASS);
	assert_int_equal(udp(false, 5000, 53, answer.data, answer.len).verdict, CLF_PASS);
	assert_int_equal(udp(true, 5000, 53, q.data, q.len).verdict, CLF_DROP);
	assert_int_equal(count_events(CLF_EV_DECIDED), 2);
	const struct clf_event *ended = event_of_type(CLF_EV_ENDED, 0);
	assert_non_null(ended);
	assert_int_equal(ended->packets[CLF_UP], 1);
	assert_int_equal(ended->packets[CLF_DOWN], 1);
	const struct clf_engine_stats *s = clf_engine_stats(engine);
	assert_int_equal(s->dns_questions, 2);
	assert_int_equal(s->dns_answers_learned, 1);
	assert_int_equal(s->dns_unsolicited, 1);
	clf_flush(engine, now);
	ended = event_of_type(CLF_EV_ENDED, 1);
	assert_int_equal(ended->packets[CLF_UP], 2);
	assert_int_equal(ended->dropped[CLF_UP], 2);
	buf_free(&q);
	buf_free(&other);
	buf_free(&answer);
	stop();
}

/* What a client was told an address is names a flow that shows no name: inferred, never certain. */
static void
dns_memory_names_the_nameless(void **state)
{
	struct buf q = { 0 }, a = { 0 };
	(void)state;

	start(NULL);
	put_dns_head(&q, 7, 0x0100, 1, 0);
	put_dns_question(&q, "m.acme.example", 1);
	put_dns_head(&a, 7, 0x8180, 1, 1);
	put_dns_question(&a, "m.acme.example", 1);
	put_dns_name(&a, "m.acme.example");
	put_dns_record(&a, 1, 300, "\x0a\0\0\x02", 4);
	(void)udp(true, 5000, 53, q.data, q.len);
	(void)udp(false, 5000, 53, a.data, a.len);
	shake_hands(40000, 9999);
	(void)tcp(true, 40000, 9999, ACK, 1, "\x01\x02\x03\x04", 4);
	clf_flush(engine, now);
	const struct clf_event *e = NULL;
	for (unsigned i = 0; i < n_events; i++) {
		if (events[i].has_details && events[i].protocol == 6)
			e = &events[i];
	}
	assert_non_null(e);
	assert_str(e, name, "m.acme.example");
	assert_int_equal(e->name_source, SIG_F_DNS_MEMORY);
	assert_int_equal(e->confidence, SIG_CONF_INFERRED);
	buf_free(&q);
	buf_free(&a);
	stop();
}

/* Expiry goes by the packets' own time, not by when the wheel came round. */
static void
silence_makes_another_flow(void **state)
{
	(void)state;

	start(NULL);
	(void)udp(true, 6000, 7000, "hello", 5);
	now += 119ULL * 1000000;
	(void)udp(true, 6000, 7000, "hello", 5);
	assert_int_equal(clf_engine_stats(engine)->flows_new, 1);
	now += 121ULL * 1000000;
	(void)udp(true, 6000, 7000, "hello", 5);
	assert_int_equal(clf_engine_stats(engine)->flows_new, 2);
	assert_int_equal(clf_engine_stats(engine)->flows_ended, 1);
	stop();
}

static void
a_syn_after_the_end_is_another_flow(void **state)
{
	struct buf hello = { 0 };
	(void)state;

	start(NULL);
	make_hello(&hello, "a.acme.example");
	shake_hands(40000, 443);
	(void)tcp(true, 40000, 443, ACK, 1, hello.data, hello.len);
	(void)tcp(true, 40000, 443, FIN | ACK, (uint32_t)(1 + hello.len), NULL, 0);
	(void)tcp(false, 40000, 443, FIN | ACK, 7, NULL, 0);
	shake_hands(40000, 443);
	(void)tcp(true, 40000, 443, ACK, 1, hello.data, hello.len);
	assert_int_equal(clf_engine_stats(engine)->flows_new, 2);
	assert_int_equal(count_events(CLF_EV_DECIDED), 2);
	assert_int_equal(count_events(CLF_EV_ENDED), 1);
	buf_free(&hello);
	stop();
}

/* A flood of unanswered new flows into a full table leaves what is established alone. */
static void
a_flood_evicts_only_the_unanswered(void **state)
{
	struct clf_engine_config c = small_config();
	struct buf hello = { 0 };
	(void)state;

	c.max_flows = 512;
	start_with(NULL, &c);
	make_hello(&hello, "a.acme.example");
	for (uint16_t i = 0; i < 256; i++) {
		shake_hands((uint16_t)(10000 + i), 443);
		(void)tcp(true, (uint16_t)(10000 + i), 443, ACK, 1, hello.data, hello.len);
		(void)tcp(false, (uint16_t)(10000 + i), 443, ACK, 7, "rubbish", 7);
	}
	for (uint16_t i = 0; i < 5000; i++)
		(void)tcp(true, (uint16_t)(20000 + i), 80, SYN, 0, NULL, 0);
	const struct clf_engine_stats *s = clf_engine_stats(engine);
	assert_true(s->table_full > 0 || s->evicted > 0);
	assert_true(s->flows_now <= 512);
	uint64_t flows = s->flows_new;
	for (uint16_t i = 0; i < 256; i++) {
		struct clf_result r = tcp(true, (uint16_t)(10000 + i), 443, ACK, 900, NULL, 0);
		assert_int_equal(r.matched, 1);
	}
	assert_int_equal(s->flows_new, flows);
	check_identities(false);
	buf_free(&hello);
	clf_flush(engine, now);
	n_events = 0;
	stop();
}

/* All of the table and of what inspection has is the flood's, none of it a second old: a connection
 * that begins then is looked at all the same. */
static void
a_flood_hides_no_new_flow(void **state)
{
	struct clf_engine_config c = small_config();
	struct buf hello = { 0 };
	(void)state;

	c.max_flows = 512;
	c.max_inspecting = 128;
	start_with(NULL, &c);
	make_hello(&hello, "a.acme.example");
	for (uint16_t i = 0; i < 3000; i++) {
		(void)tcp(true, (uint16_t)(20000 + i), 80, ACK, 1, "rubbish", 7);
		n_events = 0;
		if (i % 100 != 99)
			continue;
		uint16_t port = (uint16_t)(10000 + i / 100);
		shake_hands(port, 443);
		struct clf_result r = tcp(true, port, 443, ACK, 1, hello.data, hello.len);
		assert_int_equal(r.matched, 1);
	}
	assert_true(clf_engine_stats(engine)->evicted > 0);
	/* All probes of a flow may meet full buckets. */
	assert_true(clf_engine_stats(engine)->table_full < 30);
	buf_free(&hello);
	n_events = 0;
	clf_flush(engine, now);
	n_events = 0;
	stop();
}

/* New rules: decided flows keep what they are, later ones are judged by the new set. */
static void
rules_change_between_bursts(void **state)
{
	struct buf hello = { 0 };
	struct clf_policy *monitor = NULL;
	struct sig_diag diag = { 0 };
	(void)state;

	start(enforce_text);
	assert_int_equal(clf_policy_load(NULL, &monitor, &diag), 0);
	make_hello(&hello, "a.acme.example");
	shake_hands(40000, 443);
	assert_int_equal(tcp(true, 40000, 443, ACK, 1, hello.data, hello.len).verdict, CLF_DROP);
	assert_int_equal(clf_engine_set_rules(engine, rules, monitor), 0);
	assert_int_equal(tcp(true, 40000, 443, ACK, 1, hello.data, hello.len).verdict, CLF_DROP);
	shake_hands(40001, 443);
	assert_int_equal(tcp(true, 40001, 443, ACK, 1, hello.data, hello.len).verdict, CLF_PASS);
	buf_free(&hello);
	stop();
	clf_policy_free(monitor);
}

/* IPv4 of protocol 0: a key whose second word is 0 is a flow like others, and ends with them. */
static void
a_key_of_zeroes_is_a_flow(void **state)
{
	struct fb b = { .len = 0 };
	(void)state;

	start(NULL);
	fb_eth(&b, 0x0800);
	fb_ip4(&b, 0, 8, 1, 0);
	fb_zero(&b, 8);
	assert_int_equal(send_frame(&b, 1000).verdict, CLF_PASS);
	assert_int_equal(clf_engine_stats(engine)->flows_now, 1);
	clf_flush(engine, now);
	check_identities(true);
	assert_int_equal(count_events(CLF_EV_ENDED), 1);
	stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_a_tls_flow),
		cmocka_unit_test(cuts_and_order_change_nothing),
		cmocka_unit_test(drops_from_the_deciding_packet_on),
		cmocka_unit_test(bypass_passes_and_counts),
		cmocka_unit_test(requests_only_get_stricter),
		cmocka_unit_test(connect_then_inner_name),
		cmocka_unit_test(finds_a_hello_behind_starttls),
		cmocka_unit_test(reads_what_socks_carries),
		cmocka_unit_test(two_hellos_at_one_place_are_ambiguous),
		cmocka_unit_test(each_question_is_a_record),
		cmocka_unit_test(dns_memory_names_the_nameless),
		cmocka_unit_test(silence_makes_another_flow),
		cmocka_unit_test(a_syn_after_the_end_is_another_flow),
		cmocka_unit_test(a_flood_evicts_only_the_unanswered),
		cmocka_unit_test(a_flood_hides_no_new_flow),
		cmocka_unit_test(rules_change_between_bursts),
		cmocka_unit_test(a_key_of_zeroes_is_a_flow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
