/* SPDX-License-Identifier: Apache-2.0 */
/* One inner packet inside every encapsulation, and what only looks like one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "classifier/parse.h"
#include "classifier/tunnel.h"
#include "tests/unit/classifier/frames.h"

enum { ACK = 16, INNER = 20 + 20 + 2, INNER_ETH = 14 + INNER };

/* The innermost packet: IPv4 and TCP with "hi" in it. */
static void
inner(struct fb *b)
{
	fb_ip4(b, 6, 22, 9, 0);
	fb_tcp(b, ACK, 1, "hi", 2);
}

static void
inner_eth(struct fb *b)
{
	fb_eth(b, 0x0800);
	inner(b);
}

static struct clf_pkt
parse_with(const struct fb *b, uint8_t link, unsigned options)
{
	uint8_t *copy = malloc(b->len + 1);
	struct clf_frame f = fb_frame(b, link);
	struct clf_pkt p;

	for (uint32_t len = 0; len <= b->len; len++) { /* every cut must hold under a sanitizer */
		uint8_t *cut = malloc(len + 1);
		memcpy(cut, b->data, len);
		f.data = cut;
		f.len = len;
		clf_parse_frame(&f, options, &p);
		free(cut);
	}
	memcpy(copy, b->data, b->len);
	f.data = copy;
	f.len = b->len;
	clf_parse_frame(&f, options, &p);
	p.data = b->data;
	free(copy);
	return p;
}

static struct clf_pkt
parse(const struct fb *b, uint8_t link)
{
	return parse_with(b, link, CLF_PARSE_TUNNELS);
}

static void
expect_inner(const struct clf_pkt *p, enum clf_tunnel tunnel, uint32_t id, unsigned depth)
{
	assert_int_equal(p->parse, CLF_P_OK);
	assert_int_equal(p->protocol, 6);
	assert_int_equal(p->dst_port, 443);
	assert_int_equal(p->payload_len, 2);
	assert_memory_equal(clf_pkt_payload(p), "hi", 2);
	assert_int_equal(p->tunnel, tunnel);
	assert_int_equal(p->tunnel_id, id);
	assert_int_equal(p->depth, depth);
}

static void
carriers(void **state)
{
	struct fb b = { 0 };
	struct clf_pkt p;

	(void)state;
	fb_eth(&b, 0x8847); /* three labels */
	fb_add(&b, "\0\x01\0\x40\0\x02\0\x40\0\x03\x01\x40", 12);
	inner(&b);
	p = parse(&b, CLF_LINK_ETHERNET);
	expect_inner(&p, CLF_TUN_MPLS, 0x30, 0);
	assert_int_equal(p.l2_len, 26);

	b.len = 0; /* a pseudowire with its control word */
	fb_eth(&b, 0x8847);
	fb_add(&b, "\0\x03\x01\x40\0\0\0\0", 8);
	inner_eth(&b);
	p = parse(&b, CLF_LINK_ETHERNET);
	expect_inner(&p, CLF_TUN_MPLS, 0x30, 1);

	b.len = 0; /* four labels are too many */
	fb_eth(&b, 0x8847);
	fb_add(&b, "\0\x01\0\x40\0\x01\0\x40\0\x02\0\x40\0\x03\x01\x40", 16);
	inner(&b);
	p = parse(&b, CLF_LINK_ETHERNET);
	assert_int_equal(p.parse, CLF_P_TOO_DEEP);

	b.len = 0;
	fb_eth(&b, 0x8864);
	fb_add(&b, "\x11\0\x12\x34", 4);
	fb_16(&b, 2 + INNER);
	fb_16(&b, 0x0021);
	inner(&b);
	fb_zero(&b, 4);
	p = parse(&b, CLF_LINK_ETHERNET);
	expect_inner(&p, CLF_TUN_PPPOE, 0x1234, 0);
	p = parse_with(&b, CLF_LINK_ETHERNET, 0); /* a carrier is no tunnel to be left alone */
	expect_inner(&p, CLF_TUN_PPPOE, 0x1234, 0);
}

static void
gre(void **state)
{
	struct fb b = { 0 };
	struct clf_pkt p;

	(void)state;
	fb_eth(&b, 0x0800);
	fb_ip4(&b, 47, 16 + INNER, 1, 0);
	fb_add(
	    &b, "\xb0\0\x08\0\0\0\0\0\xaa\xbb\xcc\xdd\0\0\0\x01", 16); /* checksum, key, sequence */
	inner(&b);
	p = parse(&b, CLF_LINK_ETHERNET);
	expect_inner(&p, CLF_TUN_GRE, 0xaabbccdd, 1);
	p = parse_with(&b, CLF_LINK_ETHERNET, 0);
	assert_int_equal(p.parse, CLF_P_OK);
	assert_int_equal(p.protocol, 47);

	b.len = 0; /* NVGRE */
	fb_eth(&b, 0x0800);
	fb_ip4(&b, 47, 8 + INNER_ETH, 1, 0);
	fb_add(&b, "\x20\0\x65\x58\x01\x02\x03\x04", 8);
	inner_eth(&b);
	p = parse(&b, CLF_LINK_ETHERNET);
	expect_inner(&p, CLF_TUN_GRE, 0x01020304, 1);

	b.len = 0; /* ERSPAN I: no sequence, no header */
	fb_eth(&b, 0x0800);
	fb_ip4(&b, 47, 4 + INNER_ETH, 1, 0);
	fb_add(&b, "\0\0\x88\xbe", 4);
	inner_eth(&b);
	p = parse(&b, CLF_LINK_ETHERNET);
	expect_inner(&p, CLF_TUN_ERSPAN, 0, 1);

	b.len = 0; /* II */
	fb_eth(&b, 0x0800);
	fb_ip4(&b, 47, 16 + INNER_ETH, 1, 0);
	fb_add(&b, "\x10\0\x88\xbe\0\0\0\x01\x10\x07\0\x65\0\0\0\0", 16);
	inner_eth(&b);
	p = parse(&b, CLF_LINK_ETHERNET);
	expect_inner(&p, CLF_TUN_ERSPAN, 0x65, 1);

	b.len = 0; /* III with its platform subheader */
	fb_eth(&b, 0x0800);
	fb_ip4(&b, 47, 28 + INNER_ETH, 1, 0);
	fb_add(&b, "\x10\0\x22\xeb\0\0\0\x01\x20\x07\0\x66\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0", 28);
	inner_eth(&b);
	p = parse(&b, CLF_LINK_ETHERNET);
	expect_inner(&p, CLF_TUN_ERSPAN, 0x66, 1);

	b.len = 0; /* PPTP */
	fb_eth(&b, 0x0800);
	fb_ip4(&b, 47, 16 + INNER, 1, 0);
	fb_add(&b, "\x30\x01\x88\x0b", 4);
	fb_16(&b, 4 + INNER);
	fb_16(&b, 77);
	fb_add(&b, "\0\0\0\x01\xff\x03\0\x21", 8);
	inner(&b);
	p = parse(&b, CLF_LINK_ETHERNET);
	expect_inner(&p, CLF_TUN_GRE, 77, 1);

	b.data[14 + 20 + 2] = 0x12; /* a protocol that we do not know: the GRE flow itself */
	b.data[14 + 20 + 1] = 0;
	p = parse(&b, CLF_LINK_ETHERNET);
	assert_int_equal(p.parse, CLF_P_OK);
	assert_int_equal(p.protocol, 47);
}

static void
ip_in_ip(void **state)
{
	struct fb b = { 0 };
	struct clf_pkt p;

	(void)state;
	fb_eth(&b, 0x0800);
	fb_ip4(&b, 4, INNER, 1, 0);
	inner(&b);
	p = parse(&b, CLF_LINK_ETHERNET);
	expect_inner(&p, CLF_TUN_IPIP, 0, 1);

	b.len = 0;
	fb_eth(&b, 0x0800);
	fb_ip4(&b, 41, 40 + 22, 1, 0);
	fb_ip6(&b, 6, 22);
	fb_tcp(&b, ACK, 1, "hi", 2);
	p = parse(&b, CLF_LINK_ETHERNET);
	expect_inner(&p, CLF_TUN_6IN4, 0, 1);
	assert_int_equal(p.ip_version, 6);

	for (uint32_t depth = 1; depth <= 6; depth++) { /* a nesting bomb */
		b.len = 0;
		fb_eth(&b, 0x0800);
		for (uint32_t i = depth; i != 0; i--)
			fb_ip4(&b, 4, (i - 1) * 20 + INNER, 1, 0);
		inner(&b);
		p = parse(&b, CLF_LINK_ETHERNET);
		if (depth <= CLF_MAX_TUNNELS)
			expect_inner(&p, CLF_TUN_IPIP, 0, depth);
		else
			assert_int_equal(p.parse, CLF_P_TOO_DEEP);
	}
}

static void
outer_udp(struct fb *b, uint16_t port, uint32_t n)
{
	b->len = 0;
	fb_eth(b, 0x0800);
	fb_ip4(b, 17, 8 + n, 1, 0);
	fb_udp(b, port, n);
}

static void
over_udp(void **state)
{
	struct fb b = { 0 };
	struct clf_pkt p;

	(void)state;
	outer_udp(&b, 4789, 8 + INNER_ETH);
	fb_add(&b, "\x08\0\0\0\0\x12\x34\0", 8);
	inner_eth(&b);
	p = parse(&b, CLF_LINK_ETHERNET);
	expect_inner(&p, CLF_TUN_VXLAN, 0x1234, 1);
	assert_int_equal(p.bytes, b.len);
	b.data[14 + 20 + 8] = 0x0c; /* a flag that nobody has given a meaning: no VXLAN */
	p = parse(&b, CLF_LINK_ETHERNET);
	assert_int_equal(p.protocol, 17);
	assert_int_equal(p.parse, CLF_P_OK);
	assert_int_equal(p.payload_len, 8 + INNER_ETH);
	assert_int_equal(p.tunnel, CLF_TUN_NONE);

	outer_udp(&b, 6081, 16 + INNER_ETH);
	fb_add(&b, "\x02\0\x65\x58\0\x12\x35\0\xff\xff\x80\x01\0\0\0\0", 16);
	inner_eth(&b);
	p = parse(&b, CLF_LINK_ETHERNET);
	expect_inner(&p, CLF_TUN_GENEVE, 0x1235, 1);

	outer_udp(&b, 2152, 16 + INNER);
	fb_add(&b, "\x34\xff", 2);
	fb_16(&b, 8 + INNER);
	fb_add(&b, "\x11\x22\x33\x44\0\0\0\x85\x01\x10\x09\0", 12); /* a PDU session container */
	inner(&b);
	p = parse(&b, CLF_LINK_ETHERNET);
	expect_inner(&p, CLF_TUN_GTPU, 0x11223344, 1);

	outer_udp(&b, 37008, 9 + INNER_ETH);
	fb_add(&b, "\x01\0\0\x01\x0b\x01\x06\0\x01", 9); /* tag, padding, end */
	inner_eth(&b);
	p = parse(&b, CLF_LINK_ETHERNET);
	expect_inner(&p, CLF_TUN_TZSP, 0, 1);

	/* VXLAN in VXLAN in GRE: the outermost is the one that is told. */
	b.len = 0;
	fb_eth(&b, 0x0800);
	fb_ip4(&b, 47, 4 + 2 * (20 + 8 + 8) + 14 + INNER_ETH, 1, 0);
	fb_add(&b, "\0\0\x08\0", 4);
	fb_ip4(&b, 17, 8 + 8 + 14 + 20 + 8 + 8 + INNER_ETH, 1, 0);
	fb_udp(&b, 4789, 8 + 14 + 20 + 8 + 8 + INNER_ETH);
	fb_add(&b, "\x08\0\0\0\0\0\x01\0", 8);
	fb_eth(&b, 0x0800);
	fb_ip4(&b, 17, 8 + 8 + INNER_ETH, 1, 0);
	fb_udp(&b, 4789, 8 + INNER_ETH);
	fb_add(&b, "\x08\0\0\0\0\0\x02\0", 8);
	inner_eth(&b);
	p = parse(&b, CLF_LINK_ETHERNET);
	expect_inner(&p, CLF_TUN_GRE, 0, 3);
}

/* Words that happen to go to a tunnel's port. */
static void
ordinary_udp(void **state)
{
	const uint16_t ports[] = { 4789, 6081, 2152, 37008 };
	const char *text = "GET / HTTP/1.1 and so on, an ordinary datagram of some length";
	struct fb b = { 0 };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		uint32_t n = (uint32_t)strlen(text);
		outer_udp(&b, ports[i], n);
		fb_add(&b, text, n);
		struct clf_pkt p = parse(&b, CLF_LINK_ETHERNET);
		assert_int_equal(p.parse, CLF_P_OK);
		assert_int_equal(p.dst_port, ports[i]);
		assert_int_equal(p.payload_len, n);
		assert_int_equal(p.depth, 0);
	}
}

static void
links(void **state)
{
	static const struct {
		uint8_t link;
		const char *head;
		uint32_t len;
	} all[] = {
		{ CLF_LINK_RAW_IP, "", 0 },
		{ CLF_LINK_SLL, "\0\0\0\x01\0\x06\0\x01\x02\x03\x04\x05\0\0\x08\0", 16 },
		{ CLF_LINK_SLL2, "\x08\0\0\0\0\0\0\x02\0\x01\0\x06\0\x01\x02\x03\x04\x05\0\0", 20 },
		{ CLF_LINK_NULL, "\x02\0\0\0", 4 },
		{ CLF_LINK_NULL, "\0\0\0\x02", 4 },
		{ CLF_LINK_LOOP, "\0\0\0\x02", 4 },
		{ CLF_LINK_PPP, "\0\x21", 2 },
		{ CLF_LINK_PPP, "\x21", 1 },
		{ CLF_LINK_PPP_SERIAL, "\xff\x03\0\x21", 4 },
		{ CLF_LINK_PPP_SERIAL, "\x0f\0\x08\0", 4 },
		{ CLF_LINK_C_HDLC, "\x0f\0\x08\0", 4 },
		{ CLF_LINK_IEEE802_11,
		    "\x88\x01\0\0\0\1\2\3\4\5\0\1\2\3\4\5\0\1\2\3\4\5\0\0\0\0\xaa\xaa\x03\0\0\0\x08"
		    "\0",
		    34 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct fb b = { 0 };
		fb_add(&b, all[i].head, all[i].len);
		inner(&b);
		struct clf_pkt p = parse(&b, all[i].link);
		expect_inner(&p, CLF_TUN_NONE, 0, 0);
		assert_int_equal(p.l2_len, all[i].len);
		assert_int_equal(p.bytes, b.len);
	}
	struct fb b = { 0 }; /* 802.3 with SNAP, padded */
	fb_eth(&b, 8 + INNER);
	fb_add(&b, "\xaa\xaa\x03\0\0\0\x08\0", 8);
	inner(&b);
	fb_zero(&b, 9);
	struct clf_pkt p = parse(&b, CLF_LINK_ETHERNET);
	expect_inner(&p, CLF_TUN_NONE, 0, 0);
	b.len = 0;
	fb_eth(&b, 0x0806);
	fb_zero(&b, 46);
	p = parse(&b, CLF_LINK_ETHERNET);
	assert_int_equal(p.parse, CLF_P_NOT_IP);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(carriers),
		cmocka_unit_test(gre),
		cmocka_unit_test(ip_in_ip),
		cmocka_unit_test(over_udp),
		cmocka_unit_test(ordinary_udp),
		cmocka_unit_test(links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
