/* SPDX-License-Identifier: Apache-2.0 */
/* Offsets in any order, both readings of a conflict, and buffers that all come home. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "classifier/rejoin.h"

static unsigned
put(struct clf_blocks *b, struct clf_rejoin *r, uint32_t off, const char *text)
{
	return clf_rejoin_put(b, r, off, sig_bytes_of(text, strlen(text)));
}

static void
expect(struct sig_bytes v, const char *text)
{
	assert_int_equal(sig_bytes_left(&v), strlen(text));
	assert_memory_equal(v.p, text, strlen(text));
}

static void
orders(void **state)
{
	struct clf_blocks *b = clf_blocks_new(1 << 20);
	struct clf_rejoin r = { 0 };

	(void)state;
	assert_int_equal(put(b, &r, 4, "ef"), CLF_PUT_NEW);
	assert_int_equal(put(b, &r, 5, "fg"), CLF_PUT_NEW | CLF_PUT_AGAIN);
	expect(clf_rejoin_view(&r), "");
	assert_int_equal(put(b, &r, 0, "abcd"), CLF_PUT_NEW);
	expect(clf_rejoin_view(&r), "abcdefg");
	assert_int_equal(put(b, &r, 2, "cXef"), CLF_PUT_AGAIN | CLF_PUT_CONFLICT);
	expect(clf_rejoin_view(&r), "abcdefg");
	expect(clf_rejoin_other(&r), "abcXefg");
	assert_int_equal(put(b, &r, 7, "h"), CLF_PUT_NEW);
	expect(clf_rejoin_other(&r), "abcXefgh");
	clf_rejoin_consume(b, &r, 3);
	expect(clf_rejoin_view(&r), "defgh");
	expect(clf_rejoin_other(&r), "Xefgh");
	clf_rejoin_consume(b, &r, 5);
	assert_int_equal(clf_blocks_lent(b), 0);
	clf_blocks_free(b);
}

static void
backwards(void **state)
{
	static char text[20001];
	struct clf_blocks *b = clf_blocks_new(1 << 20);
	struct clf_rejoin r = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof text - 1; i++)
		text[i] = (char)('a' + i % 23);
	assert_int_equal(put(b, &r, 0, text + 19999), CLF_PUT_NEW);
	for (size_t i = 19999; i-- > 0;) { /* the start moves back byte by byte */
		assert_true(clf_rejoin_retreat(b, &r, 1));
		assert_int_equal(clf_rejoin_put(b, &r, 0, sig_bytes_of(text + i, 1)), CLF_PUT_NEW);
	}
	expect(clf_rejoin_view(&r), text);
	clf_rejoin_clear(b, &r);
	assert_int_equal(clf_blocks_lent(b), 0);
	clf_blocks_free(b);
}

static void
blocks(void **state)
{
	struct clf_blocks *b = clf_blocks_new(4 << 20);
	void *lent[4096];

	(void)state;
	for (unsigned round = 0; round < 3; round++) { /* every size in turn takes all there is */
		for (unsigned order = 0; order < CLF_BLOCK_ORDERS; order++) {
			unsigned n = 0;

			while (n < 4096 && (lent[n] = clf_blocks_get(b, order)) != NULL)
				memset(lent[n++], (int)order, (size_t)CLF_BLOCK_MIN << order);
			/* One chunk may still be held by each other size. */
			assert_true(n >= (16u - CLF_BLOCK_ORDERS) << (7 - order));
			while (n-- > 0)
				clf_blocks_put(b, lent[n]);
			assert_int_equal(clf_blocks_lent(b), 0);
		}
	}
	assert_null(clf_blocks_get(b, CLF_BLOCK_ORDERS));
	clf_blocks_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders),
		cmocka_unit_test(backwards),
		cmocka_unit_test(blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
