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

/* The canonical form of one byte of a label, or 0 when no label may hold it. */
static char
label_byte(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c + ('a' - 'A'));
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')
		return (char)c;
	return 0;
}

int
sig_name_canonical(char out[static SIG_NAME_MAX + 1], const uint8_t *in, size_t len)
{
	char name[NAME_MAX_BYTES + 1];
	size_t label = 0;

	if (len > 0 && in[len - 1] == '.')
		len--;
	if (len == 0 || len > NAME_MAX_BYTES)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (in[i] == '.') {
			if (label == 0)
				return -EINVAL;
			label = 0;
			name[i] = '.';
			continue;
		}
		name[i] = label_byte(in[i]);
		if (name[i] == 0 || ++label > LABEL_MAX)
			return -EINVAL;
	}
	if (label == 0)
		return -EINVAL;
	memcpy(out, name, len);
	out[len] = '\0';
	return (int)len;
}
