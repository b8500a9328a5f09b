/* SPDX-License-Identifier: Apache-2.0 */
/* Resets and ICMP errors, held byte for byte to what scapy makes of RFC 9293, 792 and 4443. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/reject.h"
#include "reject_frames.h"

typedef unsigned reject_fn(const struct clf_frame *frame, uint8_t out[static DP_REJECT_MAX]);

static unsigned
bytes_of(const char *hex, uint8_t *out)
{
	unsigned n = 0;

	for (; hex[2 * n] != '\0'; n++) {
		unsigned v;
		assert_int_equal(sscanf(hex + 2 * n, "%2x", &v), 1);
		out[n] = (uint8_t)v;
	}
	return n;
}

/* want NULL: no answer. */
static void
expect(reject_fn *fn, const char *in, const char *want)
{
	uint8_t frame_bytes[2048], made[DP_REJECT_MAX], wanted[2048];
	unsigned len = bytes_of(in, frame_bytes);
	struct clf_frame frame = {
		.data = frame_bytes,
		.len = len,
		.wire_len = len,
		.link = CLF_LINK_ETHERNET,
	};
	unsigned n = fn(&frame, made);

	if (!want) {
		assert_int_equal(n, 0);
		return;
	}
	assert_int_equal(n, bytes_of(want, wanted));
	assert_memory_equal(made, wanted, n);
}

static void
test_rst(void **state)
{
	(void)state;
	expect(dp_reject_rst_back, tcp4, tcp4_back);
	expect(dp_reject_rst_on, tcp4, tcp4_on);
	expect(dp_reject_rst_back, syn6, syn6_back);
}

static void
test_unreachable(void **state)
{
	(void)state;
	expect(dp_reject_unreachable, udp4, udp4_back);
	expect(dp_reject_unreachable, udp6, udp6_back);
}

/* No answer to a reset (RFC 9293 3.5.2), to or about what is not one host (RFC 1122 3.2.2), to what
 * is in a tunnel, to another protocol, or where layer 2 says how long the frame is. */
static void
test_no_answer(void **state)
{
	(void)state;
	expect(dp_reject_rst_back, rst, NULL);
	expect(dp_reject_rst_on, rst, NULL);
	expect(dp_reject_unreachable, multicast, NULL);
	expect(dp_reject_rst_back, gre, NULL);
	expect(dp_reject_rst_back, udp4, NULL);
	expect(dp_reject_unreachable, tcp4, NULL);
	const char *from[] = { from_many4, from_all4, from_none4, from_many6, from_none6,
		from_group };
	for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++)
		expect(dp_reject_unreachable, from[i], NULL);
	const char *tcp[] = { syn_to_many, syn_from_many, snap };
	for (size_t i = 0; i < sizeof(tcp) / sizeof(tcp[0]); i++) {
		expect(dp_reject_rst_back, tcp[i], NULL);
		expect(dp_reject_rst_on, tcp[i], NULL);
	}
}

/* Every cut of a frame: no answer or a whole one, never a read past the end (sanitizers watch). */
static void
test_cut_frames(void **state)
{
	uint8_t whole[2048], made[DP_REJECT_MAX];
	const char *frames[] = { tcp4, syn6, udp4, udp6, gre };

	(void)state;
	for (size_t f = 0; f < sizeof(frames) / sizeof(frames[0]); f++) {
		unsigned len = bytes_of(frames[f], whole);
		for (unsigned cut = 0; cut < len; cut++) {
			uint8_t *part = test_malloc(cut + 1);
			memcpy(part, whole, cut);
			struct clf_frame frame = {
				.data = part,
				.len = cut,
				.wire_len = len,
				.link = CLF_LINK_ETHERNET,
			};
			assert_true(dp_reject_rst_back(&frame, made) <= DP_REJECT_MAX);
			assert_true(dp_reject_unreachable(&frame, made) <= DP_REJECT_MAX);
			test_free(part);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rst),
		cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_cut_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
