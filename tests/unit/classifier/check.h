/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of this folder share: cmocka in its order, and comparing borrowed bytes.
 */
#ifndef TESTS_UNIT_CLASSIFIER_CHECK_H
#define TESTS_UNIT_CLASSIFIER_CHECK_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define assert_bytes(p, n, text)                                \
	do {                                                    \
		assert_int_equal((n), strlen(text));            \
		assert_memory_equal((p), (text), strlen(text)); \
	} while (0)

/* A copy that ends where the allocation ends, so that a sanitizer sees one byte too many. */
static inline uint8_t *
exact_copy(const void *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	if (n)
		memcpy(copy, p, n);
	return copy;
}

#endif
