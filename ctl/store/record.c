/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inventory rows as values: copying, freeing, and making text that came from a store fit to show.
 */
#include "ctl/store/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/store/row_text.h"
#include "signatures/base/text.h"

const struct store_text store_row_texts[STORE_ROW_TEXTS] = {
	{ "sensor", offsetof(struct store_row, sensor), STORE_SENSOR_MAX },
	{ "host", offsetof(struct store_row, host), 64 },
	{ "vendor", offsetof(struct store_row, vendor), 256 },
	{ "vendor_id", offsetof(struct store_row, vendor_id), 128 },
	{ "owner", offsetof(struct store_row, owner), 256 },
	{ "country", offsetof(struct store_row, country), 8 },
	{ "owner_country", offsetof(struct store_row, owner_country), 8 },
	{ "product", offsetof(struct store_row, product), 256 },
	{ "product_id", offsetof(struct store_row, product_id), 128 },
	{ "category", offsetof(struct store_row, category), 64 },
	{ "signature", offsetof(struct store_row, signature), 256 },
};

void
store_row_free(struct store_row *row)
{
	if (!row)
		return;
	for (unsigned i = 0; i < STORE_ROW_TEXTS; i++)
		free(*store_row_text(row, i));
	for (unsigned i = 0; i < row->n_names; i++)
		free(row->names[i]);
	memset(row, 0, sizeof(*row));
}

int
store_row_copy(const struct store_row *row, struct store_row *ret)
{
	struct store_row copy = *row;
	bool whole = true;

	copy.n_names = 0;
	for (unsigned i = 0; i < STORE_ROW_TEXTS; i++) {
		const char *text = store_row_text_of(row, i);
		char **to = store_row_text(&copy, i);

		*to = text ? strdup(text) : NULL;
		whole &= !text || *to;
	}
	for (unsigned i = 0; i < row->n_names; i++) {
		copy.names[copy.n_names] = strdup(row->names[i]);
		if (copy.names[copy.n_names])
			copy.n_names++;
		else
			whole = false;
	}
	if (!whole) {
		store_row_free(&copy);
		return -ENOMEM;
	}
	*ret = copy;
	return 0;
}

/* Bytes of the well-formed, printable UTF-8 character at p (RFC 3629, table of section 4); 0: none.
 */
static size_t
utf8_char(const uint8_t *p, size_t left)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	if (p[0] < 0x80)
		return p[0] >= 0x20 && p[0] != 0x7f ? 1 : 0;
	if (p[0] < 0xc2 || p[0] > 0xf4 || left < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xc2 && p[1] < 0xa0) || /* C1 controls */
	    (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	/* U+200E..200F, U+202A..202E, U+2066..2069 turn the order of what a person reads */
	if (p[0] == 0xe2 && p[1] == 0x80 &&
	    (p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae)))
		return 0;
	if (p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9)
		return 0;
	return n;
}

char *
store_text_clean(const void *text, size_t len, size_t max)
{
	const uint8_t *p = text;
	size_t at = 0, n = 1;
	char *out = malloc(max + 1);

	if (!out)
		return NULL;
	while (at < len && at < max && n != 0) {
		n = utf8_char(p + at, len - at);
		if (at + n > max)
			break;
		at += n;
	}
	if (n != 0) {
		memcpy(out, p, at);
		out[at] = '\0';
	} else {
		(void)sig_text_escape(out, max + 1, p, len);
	}
	return out;
}
