/* SPDX-License-Identifier: Apache-2.0 */
/* Frames built from the RFCs' layouts, and what must be read from each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "classifier/parse_fast.h"
#include "classifier/tunnel.h"
#include "tests/unit/classifier/frames.h"

enum { ACK = 16, SYN = 2 };

static struct clf_pkt
parse(const struct fb *b, uint8_t link, uint32_t len)
{
	/* An exact heap copy, so that a sanitizer sees a read beyond the capture. */
	uint8_t *copy = malloc(len + 1);
	struct clf_frame f = fb_frame(b, link);
	struct clf_pkt p;

	memcpy(copy, b->data, len);
	f.data = copy;
	f.len = len;
	clf_parse_frame(&f, CLF_PARSE_TUNNELS, &p);
	p.data = b->data;
	free(copy);
	return p;
}

static void
expect_flow(const struct clf_pkt *p, const char *payload)
{
	assert_int_equal(p->parse, CLF_P_OK);
	assert_int_equal(p->src_port, 40000);
	assert_int_equal(p->payload_len, strlen(payload));
	assert_int_equal(p->payload_wire, strlen(payload));
	assert_memory_equal(clf_pkt_payload(p), payload, strlen(payload));
}

static void
expect_v4_addresses(const struct clf_pkt *p)
{
	assert_memory_equal(clf_pkt_src(p), "\x0a\0\0\x01", 4);
	assert_memory_equal(clf_pkt_dst(p), "\x0a\0\0\x02", 4);
}

static void
plain(void **state)
{
	struct fb b = { 0 };
	struct clf_pkt p;

	(void)state;
	fb_eth(&b, 0x0800);
	fb_ip4(&b, 6, 23, 1, 0x4000);
	fb_tcp(&b, ACK, 1000, "abc", 3);
	fb_zero(&b, 3); /* Ethernet padding is no payload */
	p = parse(&b, CLF_LINK_ETHERNET, b.len);
	expect_flow(&p, "abc");
	expect_v4_addresses(&p);
	assert_int_equal(p.seq, 1000);
	assert_int_equal(p.ack, 7);
	assert_int_equal(p.window, 0x1000);
	assert_int_equal(p.tcp_flags, ACK);
	assert_int_equal(p.ttl, 64);
	assert_int_equal(p.bytes, 60);
	assert_int_equal(p.l2_len, 14);

	b.len = 0;
	fb_eth(&b, 0x86dd);
	fb_ip6(&b, 17, 13);
	fb_udp(&b, 53, 5);
	fb_add(&b, "hello", 5);
	p = parse(&b, CLF_LINK_ETHERNET, b.len);
	expect_flow(&p, "hello");
	assert_int_equal(p.ip_version, 6);
	assert_int_equal(p.dst_port, 53);
	assert_int_equal(clf_pkt_dst(&p)[15], 2);
}

static void
snap_length(void **state)
{
	struct fb b = { 0 };

	(void)state;
	fb_eth(&b, 0x0800);
	fb_ip4(&b, 6, 20 + 1000, 1, 0);
	fb_tcp(&b, ACK, 1, "", 0);
	fb_zero(&b, 1000);
	struct clf_pkt p = parse(&b, CLF_LINK_ETHERNET, 96);
	assert_int_equal(p.parse, CLF_P_OK);
	assert_int_equal(p.payload_len, 96 - 54);
	assert_int_equal(p.payload_wire, 1000);
	assert_int_equal(p.bytes, 1054);
	for (uint32_t len = 0; len < 54; len++) {
		p = parse(&b, CLF_LINK_ETHERNET, len);
		assert_int_equal(p.parse, CLF_P_TRUNCATED);
	}
}

static void
vlans(void **state)
{
	struct fb b = { 0 };

	(void)state;
	fb_eth(&b, 0x9100);
	fb_16(&b, 0x6007);
	fb_16(&b, 0x88a8);
	fb_16(&b, 100);
	fb_16(&b, 0x8100);
	fb_16(&b, 101);
	uint32_t type_at = b.len;
	fb_16(&b, 0x0800);
	fb_ip4(&b, 6, 22, 1, 0);
	fb_tcp(&b, ACK, 1, "hi", 2);
	struct clf_pkt p = parse(&b, CLF_LINK_ETHERNET, b.len);
	expect_flow(&p, "hi");
	assert_int_equal(p.vlan, 7);
	assert_int_equal(p.l2_len, 26);

	b.data[type_at] = 0x81; /* a fourth */
	b.data[type_at + 1] = 0;
	p = parse(&b, CLF_LINK_ETHERNET, b.len);
	assert_int_equal(p.parse, CLF_P_TOO_DEEP);
}

static void
extension_headers(void **state)
{
	struct fb b = { 0 };

	(void)state;
	fb_eth(&b, 0x86dd);
	fb_ip6(&b, 0, 8 + 16 + 12 + 8 + 20 + 2);
	fb_add(&b, "\x2b\0\x01\x04\0\0\0\0", 8);		/* hop by hop, then routing */
	fb_add(&b, "\x33\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16); /* routing, then AH */
	fb_add(&b, "\x2c\x01\0\0\0\0\0\0\0\0\0\0", 12);		/* AH, then fragment */
	fb_add(&b, "\x06\0\0\0\0\0\0\x09", 8);			/* atomic fragment, then TCP */
	fb_tcp(&b, ACK, 1, "hi", 2);
	struct clf_pkt p = parse(&b, CLF_LINK_ETHERNET, b.len);
	expect_flow(&p, "hi");
	assert_int_equal(p.fragmented, 1);

	b.len = 0;
	fb_eth(&b, 0x86dd);
	fb_ip6(&b, 60, 17 * 8 + 20);
	for (int i = 0; i < 17; i++)
		fb_add(&b, i == 16 ? "\x06\0\x01\x04\0\0\0\0" : "\x3c\0\x01\x04\0\0\0\0", 8);
	fb_tcp(&b, ACK, 1, "", 0);
	p = parse(&b, CLF_LINK_ETHERNET, b.len);
	assert_int_equal(p.parse, CLF_P_EXT_CHAIN);

	b.len = 0;
	fb_eth(&b, 0x86dd);
	fb_ip6(&b, 60, 520 + 20);
	fb_add(&b, "\x06\x40", 2); /* one header of 520 bytes */
	fb_zero(&b, 518);
	fb_tcp(&b, ACK, 1, "", 0);
	p = parse(&b, CLF_LINK_ETHERNET, b.len);
	assert_int_equal(p.parse, CLF_P_EXT_CHAIN);
}

static void
fragments(void **state)
{
	struct fb b = { 0 };

	(void)state;
	fb_eth(&b, 0x0800);
	fb_ip4(&b, 17, 16, 0x1234, 0x2000 | 3);
	fb_zero(&b, 16);
	struct clf_pkt p = parse(&b, CLF_LINK_ETHERNET, b.len);
	assert_int_equal(p.parse, CLF_P_FRAGMENT);
	assert_int_equal(p.frag_id, 0x1234);
	assert_int_equal(p.frag_off, 24);
	assert_int_equal(p.frag_more, 1);
	assert_int_equal(p.frag_proto, 17);
	assert_int_equal(p.payload_len, 16);

	b.len = 0;
	fb_eth(&b, 0x86dd);
	fb_ip6(&b, 44, 16);
	fb_add(&b, "\x11\0\x05\xa8\xde\xad\xbe\xef", 8);
	fb_zero(&b, 8);
	p = parse(&b, CLF_LINK_ETHERNET, b.len);
	assert_int_equal(p.parse, CLF_P_FRAGMENT);
	assert_int_equal(p.frag_id, 0xdeadbeef);
	assert_int_equal(p.frag_off, 1448);
	assert_int_equal(p.frag_more, 0);
	assert_int_equal(p.frag_proto, 17);
}

static void
lying_lengths(void **state)
{
	struct fb b = { 0 };

	(void)state;
	fb_eth(&b, 0x0800);
	fb_ip4(&b, 6, 10, 1, 0); /* too short for TCP */
	fb_tcp(&b, ACK, 1, "abc", 3);
	struct clf_pkt p = parse(&b, CLF_LINK_ETHERNET, b.len);
	assert_int_equal(p.parse, CLF_P_BAD_LENGTH);

	b.data[14] = 0x44; /* header of 16 bytes */
	p = parse(&b, CLF_LINK_ETHERNET, b.len);
	assert_int_equal(p.parse, CLF_P_BAD_LENGTH);
	b.data[14] = 0x55;
	p = parse(&b, CLF_LINK_ETHERNET, b.len);
	assert_int_equal(p.parse, CLF_P_BAD_VERSION);

	b.len = 0;
	fb_eth(&b, 0x0800);
	fb_ip4(&b, 17, 12, 1, 0);
	fb_udp(&b, 53, 100); /* claims more than IP gives */
	fb_add(&b, "abcd", 4);
	p = parse(&b, CLF_LINK_ETHERNET, b.len);
	assert_int_equal(p.parse, CLF_P_BAD_LENGTH);

	b.len = 0;
	fb_eth(&b, 0x0800);
	fb_ip4(&b, 17, 12, 1, 0);
	fb_udp(&b, 53, 2); /* claims less: the rest is none of its payload */
	fb_add(&b, "abcd", 4);
	p = parse(&b, CLF_LINK_ETHERNET, b.len);
	expect_flow(&p, "ab");
}

static void
checksums(void **state)
{
	struct fb b = { 0 };
	struct clf_pkt p;

	(void)state;
	fb_eth(&b, 0x0800);
	fb_ip4(&b, 6, 23, 1, 0);
	uint32_t l4 = b.len;
	fb_tcp(&b, ACK, 1, "abc", 3);
	uint16_t sum = fb_fold(fb_sum(b.data + l4, 23, fb_sum(b.data + 26, 8, 6 + 23)));
	b.data[l4 + 16] = (uint8_t)(sum >> 8);
	b.data[l4 + 17] = (uint8_t)sum;
	struct clf_frame f = fb_frame(&b, CLF_LINK_ETHERNET);
	clf_parse_frame(&f, 0, &p);
	assert_int_equal(clf_pkt_checksum(&p, &f), 1);
	b.data[b.len - 1] ^= 1;
	clf_parse_frame(&f, 0, &p);
	assert_int_equal(clf_pkt_checksum(&p, &f), 2);
	f.len--; /* cannot be known */
	clf_parse_frame(&f, 0, &p);
	assert_int_equal(clf_pkt_checksum(&p, &f), 0);
	f.len++;
	clf_parse_frame(&f, CLF_PARSE_IP_CHECKSUM, &p);
	assert_int_equal(p.parse, CLF_P_OK);
	b.data[22] ^= 1;
	clf_parse_frame(&f, CLF_PARSE_IP_CHECKSUM, &p);
	assert_int_equal(p.parse, CLF_P_BAD_CHECKSUM);
}

/* Whatever the fast path takes, the walker must read the same. */
static void
fast_equals_walker(void **state)
{
	uint64_t r = 0x9e3779b97f4a7c15;
	unsigned taken = 0;

	(void)state;
	for (unsigned round = 0; round < 200000; round++) {
		struct fb b = { 0 };
		struct clf_pkt fast, slow;

		r = r * 6364136223846793005u + 1442695040888963407u;
		bool v6 = r >> 33 & 1, udp = r >> 34 & 1, tagged = r >> 35 & 1;
		fb_eth(&b, tagged ? 0x8100 : v6 ? 0x86dd : 0x0800);
		if (tagged) {
			fb_16(&b, 5);
			fb_16(&b, v6 ? 0x86dd : 0x0800);
		}
		if (v6)
			fb_ip6(&b, udp ? 17 : 6, 28);
		else
			fb_ip4(&b, udp ? 17 : 6, 28, 1, 0);
		if (udp)
			fb_udp(&b, 443, 20);
		else
			fb_tcp(&b, ACK, 1, "", 0);
		fb_zero(&b, udp ? 20 : 8);
		for (unsigned n = r >> 36 & 3; n != 0; n--) {
			r = r * 6364136223846793005u + 1442695040888963407u;
			b.data[(r >> 40) % b.len] = (uint8_t)(r >> 32);
		}
		struct clf_frame f = fb_frame(&b, CLF_LINK_ETHERNET);
		f.len = b.len - ((r >> 20 & 7) == 7 ? (r >> 50) % b.len : 0);
		unsigned options = r >> 24 & 3;
		memset(&fast, 0, sizeof fast);
		if (!clf_parse_fast(&f, options, &fast))
			continue;
		taken++;
		memset(&slow, 0, sizeof slow);
		slow.data = f.data;
		slow.len = slow.bytes = f.len;
		slow.options = (uint8_t)options;
		struct clf_walk w = { .b = sig_bytes_of(f.data, f.len),
			.claimed = UINT32_MAX,
			.pkt = &slow,
			.options = (uint8_t)options };
		clf_walk_run(&w, clf_walk_link(&w, f.link));
		assert_memory_equal(&fast, &slow, sizeof fast);
	}
	assert_true(taken > 50000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(snap_length),
		cmocka_unit_test(vlans),
		cmocka_unit_test(extension_headers),
		cmocka_unit_test(fragments),
		cmocka_unit_test(lying_lengths),
		cmocka_unit_test(checksums),
		cmocka_unit_test(fast_equals_walker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
