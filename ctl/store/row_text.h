/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The texts of a row as a table, so that stores, copies and frees name each of them once. The
 * spellings are those of an inventory row's JSON.
 */
#ifndef CTL_STORE_ROW_TEXT_H
#define CTL_STORE_ROW_TEXT_H

#include "ctl/store/record.h"

enum { STORE_ROW_TEXTS = 11 };

struct store_text {
	const char *name;
	size_t offset; /* of a char * in struct store_row */
	size_t max;    /* bytes kept */
};
extern const struct store_text store_row_texts[STORE_ROW_TEXTS];

static inline char **
store_row_text(struct store_row *row, unsigned i)
{
	return (char **)(void *)((char *)row + store_row_texts[i].offset);
}

static inline const char *
store_row_text_of(const struct store_row *row, unsigned i)
{
	return *(char *const *)(const void *)((const char *)row + store_row_texts[i].offset);
}

#endif
