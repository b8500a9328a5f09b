/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Link layers: one IPv4 datagram behind each header, by the headers' own definitions (tcpdump.org,
 * LINKTYPE_*), then cut at every byte.
 */
#include "tests/unit/classifier/check.h"

#include "classifier/parse.h"
#include "tests/unit/classifier/frames.h"

static const struct row {
	const char *what;
	const char *head;
	uint32_t len;
	uint8_t link;
} rows[] = {
	{ "raw", "", 0, CLF_LINK_RAW_IP },
	{ "cooked", "\0\0\0\x01\0\x06\x02\x02\x02\x02\x02\x02\0\0\x08\0", 16, CLF_LINK_SLL },
	{ "cooked, version 2", "\x08\0\0\0\0\0\0\x02\0\x01\0\x06\x02\x02\x02\x02\x02\x02\0\0", 20,
	    CLF_LINK_SLL2 },
	{ "null, little-endian", "\x02\0\0\0", 4, CLF_LINK_NULL },
	{ "null, big-endian", "\0\0\0\x02", 4, CLF_LINK_NULL },
	{ "loop", "\0\0\0\x02", 4, CLF_LINK_LOOP },
	{ "ppp", "\0\x21", 2, CLF_LINK_PPP },
	{ "ppp with address and control", "\xff\x03\0\x21", 4, CLF_LINK_PPP },
	{ "ppp serial", "\xff\x03\0\x21", 4, CLF_LINK_PPP_SERIAL },
	{ "cisco hdlc", "\x0f\0\x08\0", 4, CLF_LINK_C_HDLC },
	{ "pppoe", "\x11\0\x12\x34\0\x26\0\x21", 8, CLF_LINK_PPPOE },
	{ "802.11",
	    "\x08\x01\0\0\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x02\0\0\0\0\x03\0\0"
	    "\xaa\xaa\x03\0\0\0\x08\0",
	    32, CLF_LINK_IEEE802_11 },
	{ "ethernet", "\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0", 14, CLF_LINK_ETHERNET },
};

static void
build(const struct row *r, struct fb *b)
{
	b->len = 0;
	fb_add(b, r->head, r->len);
	fb_ip4(b, 17, 16, 1, 0);
	fb_udp(b, 7000, 8);
	fb_add(b, "payload!", 8);
}

static void
every_link_leads_to_ip(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fb b;
		struct clf_pkt p;

		build(&rows[i], &b);
		uint8_t *copy = exact_copy(b.data, b.len);
		struct clf_frame f = fb_frame(&b, rows[i].link);
		f.data = copy;
		clf_parse_frame(&f, CLF_PARSE_TUNNELS, &p);
		if (p.parse != CLF_P_OK)
			fail_msg("%s: %s", rows[i].what, clf_parse_name(p.parse));
		assert_int_equal(p.l3_off, rows[i].len);
		assert_int_equal(p.l2_len, rows[i].len);
		assert_int_equal(p.dst_port, 7000);
		assert_bytes(clf_pkt_payload(&p), p.payload_len, "payload!");
		free(copy);
	}
}

/* A cut header has a reason, and no flow; the copy's end shows a read beyond it. */
static void
cut_links_have_a_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fb b;

		build(&rows[i], &b);
		for (uint32_t n = 0; n < rows[i].len + 20 + 8; n++) {
			uint8_t *copy = exact_copy(b.data, n);
			struct clf_frame f = fb_frame(&b, rows[i].link);
			struct clf_pkt p;

			f.data = copy;
			f.len = n;
			clf_parse_frame(&f, CLF_PARSE_TUNNELS, &p);
			assert_int_not_equal(p.parse, CLF_P_OK);
			assert_int_not_equal(p.parse, CLF_P_FRAGMENT);
			free(copy);
		}
	}
}

static void
what_is_no_ip_is_said(void **state)
{
	struct fb b = { .len = 0 };
	struct clf_frame f;
	struct clf_pkt p;
	(void)state;

	fb_add(&b, "\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\x06", 14); /* ARP */
	fb_zero(&b, 46);
	f = fb_frame(&b, CLF_LINK_ETHERNET);
	clf_parse_frame(&f, CLF_PARSE_TUNNELS, &p);
	assert_int_equal(p.parse, CLF_P_NOT_IP);
	f.link = CLF_LINK_OTHER;
	clf_parse_frame(&f, CLF_PARSE_TUNNELS, &p);
	assert_int_equal(p.parse, CLF_P_UNSUPPORTED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_link_leads_to_ip),
		cmocka_unit_test(cut_links_have_a_reason),
		cmocka_unit_test(what_is_no_ip_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
