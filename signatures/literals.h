/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Some hundreds of literal texts, found in one pass over a value: what nearly all expressions of
 * packs are. libhs compiles such a set for tens of milliseconds, as long as everything else of a
 * start takes; this is a table by the first two bytes. Larger sets, and true expressions, stay
 * with libhs.
 *
 * Made once, read-only after; a look-up neither allocates nor locks.
 */
#ifndef SIGNATURES_LITERALS_H
#define SIGNATURES_LITERALS_H

#include <stddef.h>
#include <stdint.h>

/* A look-up compares all literals of one beginning, so their number has a limit. */
enum { LITERALS_MAX = 512, LITERAL_MIN = 2, LITERAL_ANYWHERE = -1 };

struct literal {
	const uint8_t *bytes; /* the caller's, as long as the set lives */
	uint32_t len;	      /* LITERAL_MIN or more */
	int32_t offset;	      /* where it must stand, or LITERAL_ANYWHERE */
	uint32_t id;	      /* told when it is found */
};

struct literals;

/* 0, -ENOMEM, or -EINVAL: too many, or one too short. */
int literals_new(const struct literal *v, size_t n, struct literals **ret_set);
void literals_free(struct literals *set);

/* Tells each literal at each place where it stands. */
typedef void literals_found(void *ctx, uint32_t id);
void literals_scan(
    const struct literals *set, const uint8_t *value, size_t len, literals_found *found, void *ctx);

#endif
