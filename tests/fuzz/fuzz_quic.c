/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams of one QUIC connection. The input is a list of steps, each with a 3-byte head: what to
 * do, and how many of the bytes behind it belong to it. Bytes are a datagram as they stand, or the
 * payload of an Initial that is protected first: a fuzzer cannot guess tags.
 */
#include "tests/unit/classifier/quic_build.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP_UP, STEP_DOWN, STEP_V1, STEP_V2, STEP_OTHER_ID, STEP_KINDS, STEPS_MAX = 16 };

static struct clf_quic_pool *pool;
static struct clf_quic_result result;

static void
protect(struct buf *b, unsigned step, uint16_t number, struct sig_bytes payload)
{
	static const uint8_t ids[2][8] = { { 1, 2, 3, 4, 5, 6, 7, 8 }, { 9, 9, 9 } };
	const bool other = step == STEP_OTHER_ID;
	struct buf plain = { 0 };
	struct quic_side side;

	quic_side_init(&side, step == STEP_V2 ? 0x6b3343cf : 1, ids[other], other ? 3 : 8);
	put(&plain, payload.p, sig_bytes_left(&payload));
	put_be(&plain, 0, 4);
	put_initial(b, &side, number, &plain);
	buf_free(&plain);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sig_bytes in = sig_bytes_of(data, size);
	struct clf_quic *q;

	if (!pool)
		pool = clf_quic_pool_new(1);
	q = clf_quic_open(pool);
	if (!q)
		abort();
	for (uint16_t i = 0; i < STEPS_MAX && sig_bytes_left(&in) >= 3; i++) {
		unsigned step = sig_bytes_u8(&in) % STEP_KINDS;
		size_t len = sig_bytes_u16(&in);
		struct buf made = { 0 };
		struct sig_bytes dgram;
		enum clf_obs obs;

		if (len > sig_bytes_left(&in))
			len = sig_bytes_left(&in);
		dgram = sig_bytes_sub(&in, len);
		if (step >= STEP_V1 && len < 8192) {
			protect(&made, step, i, dgram);
			dgram = sig_bytes_of(made.data, made.len);
		}
		(void)clf_quic_looks(dgram);
		obs = clf_quic_datagram(q, dgram, step != STEP_DOWN, 8, &result);
		if (result.decrypts > 8 || obs == CLF_OBS_NOT_MINE)
			abort();
		if (obs == CLF_OBS_DONE && result.hello.have_sni && result.hello.sni.len > 0 &&
		    strlen(result.hello.sni.canonical) != (size_t)result.hello.sni.len)
			abort();
		buf_free(&made);
	}
	clf_quic_close(pool, q);
	return 0;
}
