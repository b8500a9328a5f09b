/* SPDX-License-Identifier: Apache-2.0 */
/* Escaped text back into bytes, and foreign text made printable. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/proto/json.h"
#include "signatures/base/text.h"

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
proto_unescape(const char *in, uint8_t *out, size_t *ret_len)
{
	size_t n = 0;

	while (*in) {
		if (*in != '\\') {
			out[n++] = (uint8_t)*in++;
		} else if (in[1] == '\\') {
			out[n++] = '\\';
			in += 2;
		} else if (in[1] == 'x' && hex(in[2]) >= 0 && hex(in[3]) >= 0) {
			out[n++] = (uint8_t)(hex(in[2]) << 4 | hex(in[3]));
			in += 4;
		} else {
			return -EINVAL;
		}
	}
	*ret_len = n;
	return 0;
}

char *
proto_printable(const char *in)
{
	size_t bad = 0, n = 0;
	char *out;

	for (const char *p = in; *p; p++)
		bad += *p < 0x20 || *p > 0x7e;
	out = malloc(strlen(in) + 3 * bad + 1);
	if (!out)
		return NULL;
	for (; *in; in++) {
		if (*in >= 0x20 && *in <= 0x7e)
			out[n++] = *in;
		else
			n += sig_text_escape(out + n, 5, (const uint8_t *)in, 1);
	}
	out[n] = '\0';
	return out;
}

/* May this code point stand on a terminal and in a report? */
static bool
showable(uint32_t c)
{
	if (c < 0xa1 || c == 0xad || c > 0x10ffff || (c & 0xfffe) == 0xfffe)
		return false;
	return !((c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
		 (c >= 0x2060 && c <= 0x206f) || (c >= 0xd800 && c <= 0xf8ff) || c == 0xfeff ||
		 c == 0x61c || (c >= 0xfdd0 && c <= 0xfdef) || (c >= 0xfff0 && c <= 0xffff) ||
		 c >= 0xe0000);
}

/* "\xHH" with a value from 0x80 on, or -1. */
static int
high_byte(const char *s)
{
	if (s[0] != '\\' || s[1] != 'x' || hex(s[2]) < 8 || hex(s[3]) < 0)
		return -1;
	return hex(s[2]) << 4 | hex(s[3]);
}

/* One escaped UTF-8 character at s into out[4]; its bytes, or 0 when it is none that may be shown.
 */
static unsigned
utf8_at(const char *s, char out[static 4])
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	int lead = high_byte(s);
	unsigned n = lead >= 0xf0 && lead < 0xf8   ? 4
		     : lead >= 0xe0 && lead < 0xf0 ? 3
		     : lead >= 0xc0 && lead < 0xe0 ? 2
						   : 0;
	uint32_t c = n ? (uint32_t)lead & (0xffu >> (n + 1)) : 0;

	if (n == 0)
		return 0;
	out[0] = (char)lead;
	for (unsigned i = 1; i < n; i++) {
		int b = high_byte(s + 4 * i);
		if (b < 0 || (b & 0xc0) != 0x80)
			return 0;
		out[i] = (char)b;
		c = c << 6 | (uint32_t)(b & 0x3f);
	}
	return c >= least[n] && showable(c) ? n : 0;
}

char *
proto_fact(const char *escaped)
{
	char *clean = proto_printable(escaped), *to = clean;

	if (!clean)
		return NULL;
	for (const char *s = clean; *s;) {
		char c[4];
		unsigned n = utf8_at(s, c);
		if (n > 0) {
			memcpy(to, c, n);
			to += n;
			s += 4 * n;
		} else {
			/* A doubled backslash is one character: what follows it is no escape. */
			if (s[0] == '\\' && s[1] == '\\')
				*to++ = *s++;
			*to++ = *s++;
		}
	}
	*to = '\0';
	return clean;
}
