/* SPDX-License-Identifier: Apache-2.0 */
/* Fragments in any order come out as the datagram that was cut; overlaps come out as nothing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "classifier/fragments.h"
#include "classifier/parse.h"
#include "tests/unit/classifier/frames.h"

enum { BODY = 3000 };
static uint8_t body[65536 + 1024]; /* a UDP datagram: header and BODY - 8 bytes */

static void
make_body(uint32_t n)
{
	struct fb b = { 0 };

	for (uint32_t i = 0; i < sizeof body; i++)
		body[i] = (uint8_t)(i * 7 + (i >> 8));
	fb_udp(&b, 443, n - 8);
	memcpy(body, b.data, 8);
}

struct piece {
	uint32_t off, len;
	bool more;
};

static struct clf_pkt
fragment(struct fb *b, bool v6, uint32_t id, struct piece p)
{
	struct clf_pkt pkt;

	b->len = 0;
	fb_eth(b, v6 ? 0x86dd : 0x0800);
	if (v6) {
		fb_ip6(b, 44, 8 + p.len);
		fb_16(b, 17 << 8);
		fb_16(b, (uint16_t)(p.off | p.more));
		fb_32(b, id);
	} else {
		fb_ip4(b, 17, p.len, (uint16_t)id, (uint16_t)((p.more ? 0x2000 : 0) | p.off / 8));
	}
	fb_add(b, body + p.off, p.len);
	struct clf_frame f = fb_frame(b, CLF_LINK_ETHERNET);
	clf_parse_frame(&f, CLF_PARSE_TUNNELS, &pkt);
	assert_int_equal(pkt.parse, CLF_P_FRAGMENT);
	return pkt;
}

static void
expect_body(const struct clf_pkt *p, uint32_t n)
{
	assert_int_equal(p->parse, CLF_P_OK);
	assert_int_equal(p->fragmented, 1);
	assert_int_equal(p->src_port, 40000);
	assert_int_equal(p->dst_port, 443);
	assert_int_equal(p->payload_len, n - 8);
	assert_memory_equal(clf_pkt_payload(p), body + 8, n - 8);
	assert_int_equal(p->l2_len, 14);
}

static void
every_order(void **state)
{
	const struct piece cut[4] = { { 0, 800, true }, { 800, 8, true }, { 808, 1192, true },
		{ 2000, 1000, false } };
	struct clf_frags *f = clf_frags_new(16, 1000000, 1);
	struct fb b;
	uint32_t id = 0;

	(void)state;
	make_body(BODY);
	for (unsigned perm = 0; perm < 256; perm++) {
		unsigned order[4] = { perm & 3, perm >> 2 & 3, perm >> 4 & 3, perm >> 6 };
		if (((1u << order[0]) | (1u << order[1]) | (1u << order[2]) | (1u << order[3])) !=
		    15)
			continue;
		for (unsigned v6 = 0; v6 < 2; v6++) {
			struct clf_pkt whole;
			uint64_t first = 0, token;
			id++;
			for (unsigned i = 0; i < 4; i++) {
				struct clf_pkt p = fragment(&b, v6, id, cut[order[i]]);
				assert_int_equal(clf_frags_push(f, &p, id, &whole, &token), i == 3);
				assert_true(i == 0 || token == first);
				first = token;
				if (i == 3)
					continue; /* the same once more says nothing */
				assert_int_equal(clf_frags_push(f, &p, id, &whole, &token), 0);
			}
			expect_body(&whole, BODY);
			struct clf_pkt p = fragment(&b, v6, id, cut[0]);
			assert_int_equal(clf_frags_push(f, &p, id, &whole, &token), 0);
			assert_int_equal(token, first);
		}
	}
	assert_int_equal(clf_frags_stats(f)->rejoined, 48);
	assert_int_equal(clf_frags_stats(f)->overlapped, 0);
	clf_frags_free(f);
}

static void
overlaps(void **state)
{
	struct clf_frags *f = clf_frags_new(16, 1000000, 1);
	struct clf_pkt whole, p;
	uint64_t token;
	struct fb b;

	(void)state;
	make_body(BODY);
	/* Other bytes: spoiled, for good. */
	p = fragment(&b, false, 1, (struct piece){ 0, 1600, true });
	assert_int_equal(clf_frags_push(f, &p, 1, &whole, &token), 0);
	b.data[b.len - 1] ^= 1;
	assert_int_equal(clf_frags_push(f, &p, 1, &whole, &token), -EBADMSG);
	p = fragment(&b, false, 1, (struct piece){ 1600, 1400, false });
	assert_int_equal(clf_frags_push(f, &p, 1, &whole, &token), -EBADMSG);
	/* The same bytes, cut otherwise: good in IPv4, never in IPv6 (RFC 5722). */
	p = fragment(&b, false, 2, (struct piece){ 0, 1600, true });
	assert_int_equal(clf_frags_push(f, &p, 1, &whole, &token), 0);
	p = fragment(&b, false, 2, (struct piece){ 1000, 2000, false });
	assert_int_equal(clf_frags_push(f, &p, 1, &whole, &token), 1);
	expect_body(&whole, BODY);
	p = fragment(&b, true, 3, (struct piece){ 0, 1600, true });
	assert_int_equal(clf_frags_push(f, &p, 1, &whole, &token), 0);
	p = fragment(&b, true, 3, (struct piece){ 1000, 2000, false });
	assert_int_equal(clf_frags_push(f, &p, 1, &whole, &token), -EBADMSG);
	/* Two ends. */
	p = fragment(&b, false, 4, (struct piece){ 1600, 1400, false });
	assert_int_equal(clf_frags_push(f, &p, 1, &whole, &token), 0);
	p = fragment(&b, false, 4, (struct piece){ 1600, 1000, false });
	assert_int_equal(clf_frags_push(f, &p, 1, &whole, &token), -EBADMSG);
	assert_int_equal(clf_frags_stats(f)->overlapped, 3);
	clf_frags_free(f);
}

static void
limits(void **state)
{
	struct clf_frags *f = clf_frags_new(8, 1000000, 1);
	struct clf_pkt whole, p;
	uint64_t token;
	struct fb b;

	(void)state;
	make_body(BODY);
	for (uint32_t id = 0; id < 100; id++) { /* a flood of beginnings */
		p = fragment(&b, false, id, (struct piece){ 0, 1600, true });
		assert_int_equal(clf_frags_push(f, &p, id, &whole, &token), 0);
	}
	assert_int_equal(clf_frags_stats(f)->evicted, 92);
	p = fragment(&b, false, 99, (struct piece){ 1600, 1400, false });
	assert_int_equal(clf_frags_push(f, &p, 100, &whole, &token), 1);
	expect_body(&whole, BODY);
	assert_int_equal(clf_frags_expire(f, 2000000), 7);
	assert_int_equal(clf_frags_stats(f)->timed_out, 7);

	for (uint32_t id = 200; id < 300; id++) { /* far ends: 64 KB each */
		p = fragment(&b, false, id, (struct piece){ 65000 / 8 * 8, 400, true });
		(void)clf_frags_push(f, &p, 3000000, &whole, &token);
	}
	p = fragment(
	    &b, false, 300, (struct piece){ 65528, 400, false }); /* beyond what IP can hold */
	assert_int_equal(clf_frags_push(f, &p, 3000000, &whole, &token), 0);
	assert_int_equal(clf_frags_stats(f)->bad, 1);
	(void)clf_frags_expire(f, 9000000);
	p = fragment(&b, false, 1, (struct piece){ 0, 1600, true });
	assert_int_equal(clf_frags_push(f, &p, 9000000, &whole, &token), 0);
	p = fragment(&b, false, 1, (struct piece){ 1600, 1400, false });
	assert_int_equal(clf_frags_push(f, &p, 9000000, &whole, &token), 1);
	clf_frags_free(f);
}

/* A whole packet in GRE, whose outer packet was cut; inside it is in fragments again. */
static void
tunnel_inside(void **state)
{
	struct clf_frags *f = clf_frags_new(8, 1000000, 1);
	struct clf_pkt whole, p;
	uint64_t token;
	int last = 0;

	(void)state;
	for (int part = 0; part < 2; part++) {
		struct fb in = { 0 }, b = { 0 };
		make_body(BODY);
		fb_add(&in, "\0\0\x08\0", 4); /* GRE, IPv4 */
		fb_ip4(&in, 17, 1496, 77, part == 0 ? 0x2000 : 187);
		fb_add(&in, body + part * 1496, part == 0 ? 1496 : BODY - 1496);
		in.data[4 + 3] = (uint8_t)(20 + (part == 0 ? 1496 : BODY - 1496));
		in.data[4 + 2] = (uint8_t)((20 + (part == 0 ? 1496 : BODY - 1496)) >> 8);
		for (uint32_t off = 0; off < in.len; off += 1000) {
			uint32_t n = in.len - off < 1000 ? in.len - off : 1000;
			b.len = 0;
			fb_eth(&b, 0x0800);
			fb_ip4(&b, 47, n, (uint16_t)(5 + part),
			    (uint16_t)((off + n < in.len ? 0x2000 : 0) | off / 8));
			fb_add(&b, in.data + off, n);
			struct clf_frame fr = fb_frame(&b, CLF_LINK_ETHERNET);
			clf_parse_frame(&fr, CLF_PARSE_TUNNELS, &p);
			last = clf_frags_push(f, &p, 1, &whole, &token);
		}
	}
	assert_int_equal(last, 1);
	expect_body(&whole, BODY);
	assert_int_equal(whole.tunnel, CLF_TUN_GRE);
	clf_frags_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order),
		cmocka_unit_test(overlaps),
		cmocka_unit_test(limits),
		cmocka_unit_test(tunnel_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
