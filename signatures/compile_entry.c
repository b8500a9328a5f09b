/* SPDX-License-Identifier: Apache-2.0 */
/* One `match` or `except` entry of a signature, compiled. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "signatures/compile.h"

enum { BYTES_MAX = 512 };

/* Which kind of evidence is looked up first: the rarer the better. PACK_KEYS stands for payload. */
static const uint8_t anchor_order[] = { PACK_HOST, PACK_SNI, PACK_HTTP_HOST, PACK_QNAME,
	PACK_CERT_NAME, PACK_JA4, PACK_JA3, PACK_KEYS, PACK_USER_AGENT, PACK_PATH, PACK_SUBJECT,
	PACK_ISSUER, PACK_ADDRESS, PACK_ALPN, PACK_NDPI, PACK_PORT };

static int
db_of_key(enum pack_key k)
{
	switch (k) {
	case PACK_PATH: return EXPR_PATH;
	case PACK_USER_AGENT: return EXPR_USER_AGENT;
	case PACK_ISSUER: return EXPR_ISSUER;
	case PACK_SUBJECT: return EXPR_SUBJECT;
	default: return -1;
	}
}

static uint8_t
table_kind(enum pack_key k)
{
	switch (k) {
	case PACK_ALPN: return KEY_ALPN;
	case PACK_JA3: return KEY_JA3;
	case PACK_JA4: return KEY_JA4;
	case PACK_NDPI: return KEY_NDPI;
	default: return KEY_PORT;
	}
}

/* A literal's bytes kept; `w` without them where memory ran out. */
static struct expr_want
literal_of(struct build *b, const void *bytes, size_t len, int32_t offset)
{
	const char *kept = build_keep(b, bytes, len);

	return (struct expr_want){ .literal = { .bytes = (const uint8_t *)kept,
				       .len = (uint32_t)len,
				       .offset = offset } };
}

static struct expr_want
payload_want(struct build *b, const struct pack_payload *p)
{
	uint8_t bytes[BYTES_MAX], mask[BYTES_MAX];
	uint16_t *reach = &b->rules->payload_reach[p->dir == PACK_DOWN];
	const char *why;
	int n = p->text ? (int)strlen(p->text)
			: sig_value_hex(p->hex, bytes, mask, sizeof(bytes), &why);

	if (n > 0 && p->offset + (unsigned)n > *reach)
		*reach = (uint16_t)(p->offset + (unsigned)n);
	if (p->text)
		return literal_of(b, p->text, (size_t)n, (int32_t)p->offset);
	if (n > 0 && !memchr(mask, 0, (size_t)n))
		return literal_of(b, bytes, (size_t)n, (int32_t)p->offset);
	return (struct expr_want){ .text = n < 0 ? NULL
						 : sig_value_payload_expression(
						       bytes, mask, (size_t)n, p->offset) };
}

static struct expr_want
text_want(struct build *b, const char *s, enum pack_key k)
{
	if (strncmp(s, "re:", 3) == 0)
		return (struct expr_want){ .text = sig_value_expression(s, false) };
	return literal_of(b, s, strlen(s), k == PACK_PATH ? 0 : LITERAL_ANYWHERE);
}

/* Takes over what is wanted; its id in the database. */
static uint32_t
add_expression(struct build *b, int db, struct expr_want want, uint32_t sig, uint32_t clause)
{
	bool made = want.text || want.literal.bytes;
	struct expr_want *w = made ? build_add(b, &b->exprs[db], 1, sizeof(*w)) : NULL;

	if (!w) {
		free(want.text);
		b->no_memory = true;
		return 0;
	}
	want.literal.id = (uint32_t)b->exprs[db].n - 1;
	want.sig = b->rules->infos[sig].id;
	want.clause = clause;
	*w = want;
	return want.literal.id;
}

static struct cond *
add_cond(struct build *b, enum cond_kind kind, uint32_t fields, const struct grow *items, size_t n)
{
	struct cond *c = build_add(b, &b->conds, 1, sizeof(*c));

	b->rules->fields |= fields;
	if (c)
		*c = (struct cond){ .kind = kind,
			.fields = fields,
			.first = (uint32_t)items->n,
			.n = (uint32_t)n };
	return c;
}

static void
cond_hosts(struct build *b, enum pack_key k, const struct pack_list *l)
{
	add_cond(b, COND_HOST, pack_key_fields(k), &b->hosts, l->n);
	for (unsigned i = 0; i < l->n; i++) {
		const char *text = build_keep(b, l->v[i], strlen(l->v[i])), *why;
		struct sig_pattern *p = build_add(b, &b->hosts, 1, sizeof(*p));

		if (p && text)
			(void)sig_pattern_parse(text, p, &why);
	}
}

static void
cond_strings(struct build *b, enum pack_key k, const struct pack_list *l)
{
	add_cond(b, COND_STRING, pack_key_fields(k), &b->texts, l->n);
	for (unsigned i = 0; i < l->n; i++) {
		struct string_item *t = build_add(b, &b->texts, 1, sizeof(*t));

		if (t)
			*t = (struct string_item){ .text = build_keep(b, l->v[i], strlen(l->v[i])),
				.len = (uint32_t)strlen(l->v[i]) };
	}
}

static void
cond_addresses(struct build *b, const struct pack_list *l)
{
	add_cond(b, COND_ADDRESS, 1U << SIG_F_ADDRESS, &b->prefixes, l->n);
	for (unsigned i = 0; i < l->n; i++) {
		struct sig_prefix *p = build_add(b, &b->prefixes, 1, sizeof(*p));
		const char *why;

		if (p)
			(void)sig_value_prefix(l->v[i], p, &why);
	}
}

static void
cond_expressions(struct build *b, uint32_t sig, enum pack_key k, const struct pack_list *l)
{
	int db = db_of_key(k);
	struct cond *c = add_cond(b, COND_EXPRESSION, pack_key_fields(k), &b->expr_ids, l->n);

	if (c)
		c->db = (uint8_t)db;
	for (unsigned i = 0; i < l->n; i++) {
		uint32_t id = add_expression(b, db, text_want(b, l->v[i], k), sig, NO_CLAUSE);
		uint32_t *slot = build_add(b, &b->expr_ids, 1, sizeof(*slot));

		if (slot)
			*slot = id;
	}
}

static void
cond_payload(struct build *b, uint32_t sig, const struct pack_payload *p)
{
	int db = p->dir == PACK_DOWN ? EXPR_DOWN : EXPR_PAYLOAD;
	uint32_t field = p->dir == PACK_DOWN ? SIG_F_PAYLOAD_DOWN : SIG_F_PAYLOAD;
	struct cond *c = add_cond(b, COND_EXPRESSION, 1U << field, &b->expr_ids, 1);
	uint32_t id = add_expression(b, db, payload_want(b, p), sig, NO_CLAUSE);
	uint32_t *slot = build_add(b, &b->expr_ids, 1, sizeof(*slot));

	if (c)
		c->db = (uint8_t)db;
	if (slot)
		*slot = id;
}

/* All conditions of an entry but the anchor's (PACK_KEYS + 1: no anchor). How many. */
static uint16_t
add_conds(struct build *b, uint32_t sig, const struct pack_entry *e, unsigned anchor)
{
	size_t before = b->conds.n;

	for (unsigned k = 0; k < PACK_KEYS; k++) {
		const struct pack_list *l = &e->key[k];

		if (l->n == 0 || k == anchor)
			continue;
		if (k <= PACK_HOST_LAST)
			cond_hosts(b, k, l);
		else if (k == PACK_ADDRESS)
			cond_addresses(b, l);
		else if (db_of_key(k) >= 0)
			cond_expressions(b, sig, k, l);
		else
			cond_strings(b, k, l);
	}
	for (unsigned i = anchor == PACK_KEYS ? 1 : 0; i < e->payload_count; i++)
		cond_payload(b, sig, &e->payload[i]);
	return (uint16_t)(b->conds.n - before);
}

static void
want(struct build *b, const char *key, size_t len, struct table_ref ref, bool is_host)
{
	struct table_want *w = build_add(b, &b->wants, 1, sizeof(*w));

	if (w)
		*w = (struct table_want){
			.key = key, .key_len = (uint8_t)len, .ref = ref, .is_host = is_host
		};
}

static void
anchor_host(struct build *b, enum pack_key k, const char *text, struct table_ref ref)
{
	struct sig_pattern p;
	const char *why;

	if (sig_pattern_parse(text, &p, &why) != 0)
		return;
	ref.fields = (uint16_t)pack_key_fields(k);
	ref.specificity = p.specificity;
	ref.open = p.open;
	ref.domain = ref.by_label && ref.portal && sig_pattern_is_domain(&p);
	if (p.head) {
		char *head = build_add(b, &b->heads, p.head_len, 1);

		if (!head)
			return;
		memcpy(head, p.head, p.head_len);
		ref.head = (uint32_t)(b->heads.n - p.head_len);
		ref.head_len = p.head_len;
	}
	want(b, p.key, p.key_len, ref, true);
}

/* A key of the table that is no name: its kind, then its bytes. */
static void
anchor_bytes(struct build *b, uint8_t kind, const void *bytes, size_t len, struct table_ref ref)
{
	char key[256], *kept;

	if (len > sizeof(key) - 2)
		return;
	key[0] = (char)kind;
	memcpy(key + 1, bytes, len);
	for (size_t i = 1; kind == KEY_NDPI && i <= len; i++)
		key[i] = (char)tolower((unsigned char)key[i]);
	kept = build_keep(b, key, len + 1);
	if (kept)
		want(b, kept, len + 1, ref, false);
}

/* Marks where addresses of the prefix lie; all places for one that is shorter than these. */
static void
mark_near(struct build *b, const struct sig_prefix *p)
{
	uint64_t *near = b->rules->prefix_near[p->len == 16];
	uint32_t first = prefix_place(p->addr, p->len), n = 1;

	if (p->len == 16 && p->bits < 32) {
		first = 0;
		n = 1 << 16;
	} else if (p->len == 4 && p->bits < 16) {
		n = 1U << (16 - p->bits);
	}
	for (uint32_t i = first; i < first + n; i++)
		near[i / 64] |= 1ULL << (i % 64);
}

static void
anchor_address(struct build *b, const char *text, struct table_ref ref)
{
	struct sig_prefix p;
	const char *why;
	char key[17];
	uint8_t *bits;

	if (sig_value_prefix(text, &p, &why) != 0)
		return;
	bits = b->rules->prefix_bits[p.len == 16];
	while (*bits && *bits != p.bits)
		bits++;
	*bits = p.bits;
	mark_near(b, &p);
	key[0] = (char)p.bits;
	memcpy(key + 1, p.addr, p.len);
	anchor_bytes(b, p.len == 16 ? KEY_ADDR6 : KEY_ADDR4, key, 1U + p.len, ref);
}

static void
add_anchor(
    struct build *b, uint32_t sig, const struct pack_entry *e, unsigned k, struct table_ref ref)
{
	const struct pack_list *l = k < PACK_KEYS ? &e->key[k] : NULL;
	uint32_t fields = l ? pack_key_fields(k)
			    : 1U << (e->payload[0].dir == PACK_DOWN ? SIG_F_PAYLOAD_DOWN
								    : SIG_F_PAYLOAD);

	b->rules->fields |= fields;
	ref.grade = (uint8_t)sig_field_grade((enum sig_field)__builtin_ctz(fields));
	if (!l) {
		add_expression(b, e->payload[0].dir == PACK_DOWN ? EXPR_DOWN : EXPR_PAYLOAD,
		    payload_want(b, &e->payload[0]), sig, ref.target);
		return;
	}
	for (unsigned i = 0; i < l->n; i++) {
		if (k <= PACK_HOST_LAST)
			anchor_host(b, k, l->v[i], ref);
		else if (k == PACK_ADDRESS)
			anchor_address(b, l->v[i], ref);
		else if (db_of_key(k) >= 0)
			add_expression(b, db_of_key(k), text_want(b, l->v[i], k), sig, ref.target);
		else
			anchor_bytes(b, table_kind(k), l->v[i], strlen(l->v[i]), ref);
	}
}

static uint8_t
kinds_of(const struct pack_entry *e)
{
	uint8_t n = e->payload_count > 0;

	for (unsigned k = 0; k < PACK_KEYS; k++)
		n = (uint8_t)(n + (e->key[k].n > 0));
	return n;
}

void
build_match(struct build *b, uint32_t sig, const struct pack_entry *e, bool has_except)
{
	uint8_t kinds = kinds_of(e);
	struct clause c = { .sig = sig, .first_cond = (uint32_t)b->conds.n, .kinds = kinds };
	struct table_ref ref = { .target = sig,
		.simple = true,
		.portal = b->rules->recs[sig].portal,
		.by_label = b->rules->recs[sig].first_label != 0,
		.cap = b->rules->recs[sig].cap };
	unsigned k = PACK_KEYS;
	struct clause *slot;

	for (size_t i = 0; i < sizeof(anchor_order); i++) {
		k = anchor_order[i];
		if (k == PACK_KEYS ? e->payload_count > 0 : e->key[k].n > 0)
			break;
	}
	c.host_anchor = k <= PACK_HOST_LAST;
	if (!c.host_anchor || kinds > 1 || has_except) {
		ref.target = (uint32_t)b->clauses.n;
		ref.simple = false;
		slot = build_add(b, &b->clauses, 1, sizeof(c));
		c.n_conds = add_conds(b, sig, e, k);
		if (slot)
			*slot = c;
	}
	add_anchor(b, sig, e, k, ref);
}

void
build_except(struct build *b, uint32_t sig, const struct pack_entry *e)
{
	struct clause c = { .sig = sig, .first_cond = (uint32_t)b->conds.n };
	struct clause *slot = build_add(b, &b->clauses, 1, sizeof(c));

	c.n_conds = add_conds(b, sig, e, PACK_KEYS + 1);
	if (slot)
		*slot = c;
}
