/* SPDX-License-Identifier: Apache-2.0 */
/* Facts that are no names, as keys of the table. */
#include <ctype.h>
#include <string.h>

#include "signatures/base/hash.h"
#include "signatures/match_impl.h"

static void
match_key(struct matching *m, uint8_t kind, const void *bytes, size_t len, unsigned fact)
{
	const struct table *t = &m->rules->table;
	const struct table_node *node;
	uint8_t key[256];

	if (len > sizeof(key) - 2)
		return;
	key[0] = kind;
	memcpy(key + 1, bytes, len);
	for (size_t i = 1; kind == KEY_NDPI && i <= len; i++)
		key[i] = (uint8_t)tolower(key[i]);
	node = match_find_node(t, sig_hash(key, len + 1, t->seed), key, len + 1);
	if (node)
		match_use_node(m, node, fact, 0);
}

void
match_string(struct matching *m, unsigned fact)
{
	static const uint8_t kinds[SIG_F_MAX] = { [SIG_F_ALPN] = KEY_ALPN,
		[SIG_F_JA3] = KEY_JA3,
		[SIG_F_JA4] = KEY_JA4,
		[SIG_F_PORT] = KEY_PORT,
		[SIG_F_NDPI] = KEY_NDPI };
	const struct sig_fact *f = &m->facts[fact];
	uint8_t kind = kinds[f->field];
	const uint8_t *dot;

	if (kind == 0)
		return;
	match_key(m, kind, f->value, f->len, fact);
	dot = kind == KEY_NDPI ? memchr(f->value, '.', f->len) : NULL;
	if (dot) {
		/* "TLS.FortiClient" is also a FortiClient, and a TLS. */
		size_t left = (size_t)(dot - f->value);

		match_key(m, kind, f->value, left, fact);
		match_key(m, kind, dot + 1, f->len - left - 1, fact);
	}
}

void
match_address(struct matching *m, unsigned fact)
{
	const struct sig_fact *f = &m->facts[fact];
	const uint8_t *bits = m->rules->prefix_bits[f->len == 16];
	uint8_t key[17];
	uint32_t place;

	if (f->len != 4 && f->len != 16)
		return;
	place = prefix_place(f->value, f->len);
	if (!(m->rules->prefix_near[f->len == 16][place / 64] & (1ULL << (place % 64))))
		return;
	for (; *bits; bits++) {
		unsigned whole = *bits / 8, part = *bits % 8;

		memset(key, 0, sizeof(key));
		key[0] = *bits;
		memcpy(key + 1, f->value, whole);
		if (part)
			key[1 + whole] = (uint8_t)(f->value[whole] & (0xff00 >> part));
		match_key(m, f->len == 16 ? KEY_ADDR6 : KEY_ADDR4, key, 1U + f->len, fact);
	}
}
