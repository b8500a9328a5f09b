/* SPDX-License-Identifier: Apache-2.0 */
/* The known word that a mistyped one was meant to be, by edit distance. */
#include <stdint.h>
#include <string.h>

#include "signatures/base/yaml.h"

enum { WORD_MAX = 64 };

/*
 * Edit distance with swaps of neighbours counted as one (optimal string alignment), for words of
 * at most WORD_MAX bytes.
 */
static unsigned
distance(const char *a, size_t na, const char *b, size_t nb)
{
	uint8_t row[3][WORD_MAX + 1];

	for (size_t j = 0; j <= nb; j++)
		row[0][j] = (uint8_t)j;
	for (size_t i = 1; i <= na; i++) {
		uint8_t *now = row[i % 3], *up = row[(i - 1) % 3], *upup = row[(i + 1) % 3];

		now[0] = (uint8_t)i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned best = up[j - 1] + (a[i - 1] != b[j - 1]);

			if (up[j] + 1U < best)
				best = up[j] + 1U;
			if (now[j - 1] + 1U < best)
				best = now[j - 1] + 1U;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    upup[j - 2] + 1U < best)
				best = upup[j - 2] + 1U;
			now[j] = (uint8_t)best;
		}
	}
	return row[na % 3][nb];
}

const char *
sig_nearest(const char *word, const char *const *words, size_t n)
{
	const char *best = NULL;
	size_t len = strlen(word);
	unsigned best_d = UINT32_MAX;

	if (len > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t wlen = strlen(words[i]);
		size_t longer = wlen > len ? wlen : len;
		unsigned d;

		if (wlen > WORD_MAX)
			continue;
		d = distance(word, len, words[i], wlen);
		if (d < best_d && d * 3 <= longer) {
			best = words[i];
			best_d = d;
		}
	}
	return best;
}
