/* SPDX-License-Identifier: Apache-2.0 */
/* Escaping of foreign text, and the canonical form of host names. */
#include "signatures/base/text.h"

#include <errno.h>
#include <string.h>

enum { LABEL_MAX = 63, NAME_MAX_BYTES = 253 };

size_t
sig_text_escape(char *out, size_t cap, const uint8_t *in, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	if (cap == 0)
		return 0;
	for (size_t i = 0; i < len; i++) {
		uint8_t c = in[i];
		size_t need = c == '\\' ? 2 : (c >= 0x20 && c < 0x7f) ? 1 : 4;

		if (cap - 1 - n < need)
			break;
		if (need == 1) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '\\';
		if (need == 2) {
			out[n++] = '\\';
			continue;
		}
		out[n++] = 'x';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	out[n] = '\0';
	return n;
}

/* Lowers n bytes and tells whether a name may hold them all: no branch, so that compilers make
 * vectors of it. */
static bool
lower_all(char *out, const uint8_t *in, size_t n)
{
	uint8_t bad = 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t c = in[i];

		c |= (uint8_t)((uint8_t)((uint8_t)(c - 'A') < 26) << 5);
		bad |= !(((uint8_t)(c - 'a') < 26) | ((uint8_t)(c - '0') < 10) | (c == '-') |
			 (c == '_') | (c == '.'));
		out[i] = (char)c;
	}
	return !bad;
}

int
sig_name_canonical(char out[static SIG_NAME_MAX + 1], const uint8_t *in, size_t len)
{
	char name[NAME_MAX_BYTES + 1];
	const char *label = name, *end;

	if (len > 0 && in[len - 1] == '.')
		len--;
	if (len == 0 || len > NAME_MAX_BYTES || !lower_all(name, in, len))
		return -EINVAL;
	for (end = name + len; label <= end;) {
		const char *dot = memchr(label, '.', (size_t)(end - label));
		size_t n = (size_t)((dot ? dot : end) - label);

		if (n == 0 || n > LABEL_MAX)
			return -EINVAL;
		label += n + 1;
	}
	memcpy(out, name, len);
	out[len] = '\0';
	return (int)len;
}
