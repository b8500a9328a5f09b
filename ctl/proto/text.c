/* SPDX-License-Identifier: Apache-2.0 */
/* Escaped text back into bytes, and foreign text made printable. */
#include <errno.h>
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
