/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all observers share: a host name as seen, and the host out of "host:port".
 */
#include "classifier/observe.h"

#include <string.h>

void
clf_name_set(struct clf_name *ret, const uint8_t *raw, size_t len)
{
	int n = len == 0 ? -1 : sig_name_canonical(ret->canonical, raw, len);

	ret->raw = raw;
	ret->raw_len = (uint16_t)(len > UINT16_MAX ? UINT16_MAX : len);
	ret->len = (int16_t)(n < 0 ? -1 : n);
	if (n < 0)
		ret->canonical[0] = '\0';
}

void
clf_name_copy(struct clf_name *ret, const struct clf_name *from)
{
	ret->raw = from->raw;
	ret->raw_len = from->raw_len;
	ret->len = from->len;
	memcpy(ret->canonical, from->canonical, from->len < 0 ? 1 : (size_t)from->len + 1);
}

bool
clf_name_equal(const struct clf_name *a, const struct clf_name *b)
{
	if (a->len >= 0 || b->len >= 0)
		return a->len == b->len && memcmp(a->canonical, b->canonical, (size_t)a->len) == 0;
	return a->raw_len == b->raw_len &&
	       (a->raw_len == 0 || memcmp(a->raw, b->raw, a->raw_len) == 0);
}

uint16_t
clf_name_set_authority(struct clf_name *ret, const uint8_t *p, size_t len)
{
	const uint8_t *at = p && len ? memrchr(p, '@', len) : NULL;
	const uint8_t *colon;
	uint32_t port = 0;

	if (at) {
		len -= (size_t)(at + 1 - p);
		p = at + 1;
	}
	colon = len ? memrchr(p, ':', len) : NULL;
	/* "[2001:db8::1]" ends with its bracket: the last colon is inside of it. */
	if (!colon || p[len - 1] == ']') {
		clf_name_set(ret, p, len);
		return 0;
	}
	for (const uint8_t *d = colon + 1; d < p + len; d++) {
		if (*d < '0' || *d > '9' || port > UINT16_MAX) {
			clf_name_set(ret, p, len);
			return 0;
		}
		port = port * 10 + (*d - '0');
	}
	clf_name_set(ret, p, (size_t)(colon - p));
	return (uint16_t)(port > UINT16_MAX ? 0 : port);
}
