/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matching: pure, without allocation, in bounded time. A look-up finds anchors; an anchor's clause
 * checks its further conditions; what holds becomes a hit, kept in the documented order.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "signatures/base/hash.h"
#include "signatures/base/text.h"
#include "signatures/rules.h"

enum { NO_FACT = -1, EVIDENCE_MAX = 4 };

struct matching {
	const struct sig_ruleset *rules;
	struct sig_scratch *scratch;
	const struct sig_fact *facts;
	unsigned n_facts;
	unsigned scanned; /* databases that have been, as bits */
	struct sig_result *result;
	uint64_t order[SIG_HITS_MAX]; /* of each hit so far: greater wins */
};

static void match_name(struct matching *m, unsigned fact);
static void match_string(struct matching *m, unsigned fact);
static void match_address(struct matching *m, unsigned fact);
static void match_expressions(struct matching *m, unsigned db);
static bool check_cond(struct matching *m, const struct cond *c, int name, struct sig_hit *hit);

int
expr_db_of(enum sig_field f)
{
	switch (f) {
	case SIG_F_HTTP_PATH: return EXPR_PATH;
	case SIG_F_USER_AGENT: return EXPR_USER_AGENT;
	case SIG_F_CERT_ISSUER: return EXPR_ISSUER;
	case SIG_F_CERT_SUBJECT: return EXPR_SUBJECT;
	case SIG_F_PAYLOAD: return EXPR_PAYLOAD;
	case SIG_F_PAYLOAD_DOWN: return EXPR_DOWN;
	default: return -1;
	}
}

static void
forget_seen(struct sig_scratch *s)
{
	for (unsigned d = 0; d < EXPR_DBS; d++) {
		for (uint32_t i = 0; i < s->n_list[d]; i++)
			s->seen[d][s->list[d][i]] = 0;
		s->n_list[d] = 0;
	}
}

void
sig_match(const struct sig_ruleset *rules, struct sig_scratch *scratch,
    const struct sig_fact *facts, unsigned n_facts, struct sig_result *ret_result)
{
	struct matching m = { .rules = rules,
		.scratch = scratch,
		.facts = facts,
		.n_facts = n_facts < FACTS_MAX ? n_facts : FACTS_MAX,
		.result = ret_result };
	unsigned dbs = 0;

	ret_result->n_hits = 0;
	for (unsigned i = 0; i < m.n_facts; i++) {
		uint8_t f = facts[i].field;

		if (f >= SIG_F_MAX || !(rules->fields & (1U << f)))
			continue;
		if (f <= SIG_F_NAME_LAST)
			match_name(&m, i);
		else if (f == SIG_F_ADDRESS)
			match_address(&m, i);
		else if (expr_db_of(f) < 0)
			match_string(&m, i);
		else
			dbs |= 1U << expr_db_of(f);
	}
	for (unsigned d = 0; d < EXPR_DBS; d++)
		if ((dbs & (1U << d)) && rules->exprs[d].n_anchors > 0)
			match_expressions(&m, d);
	if (m.scanned)
		forget_seen(scratch);
}

void
sig_match_name(const struct sig_ruleset *rules, struct sig_scratch *scratch, const char *canonical,
    size_t len, struct sig_result *ret_result)
{
	struct sig_fact fact = {
		.value = (const uint8_t *)canonical, .len = (uint16_t)len, .field = SIG_F_TLS_SNI
	};

	ret_result->n_hits = 0;
	if (len > 0 && len <= SIG_NAME_MAX)
		sig_match(rules, scratch, &fact, 1, ret_result);
}

/* Stronger as a source, then earlier in the flow: which of two facts is shown as evidence. */
static bool
better_fact(const struct sig_fact *a, const struct sig_fact *b)
{
	if (a->field != b->field)
		return a->field < b->field;
	return a->packet < b->packet;
}

static void
keep_hit(struct matching *m, const struct sig_hit *hit, uint64_t order)
{
	struct sig_result *r = m->result;
	unsigned i, n = r->n_hits;

	for (i = 0; i < n; i++)
		if (r->hits[i].sig == hit->sig)
			break;
	if (i < n) {
		/* The same signature once more: the better way in stays. */
		if (order < m->order[i] ||
		    (order == m->order[i] &&
			!better_fact(&m->facts[hit->facts[0]], &m->facts[r->hits[i].facts[0]])))
			return;
		memmove(&r->hits[i], &r->hits[i + 1], (n - i - 1) * sizeof(*hit));
		memmove(&m->order[i], &m->order[i + 1], (n - i - 1) * sizeof(m->order[0]));
		r->n_hits = --n;
	}
	for (i = n; i > 0; i--)
		if (m->order[i - 1] > order ||
		    (m->order[i - 1] == order && r->hits[i - 1].sig < hit->sig))
			break;
	if (i == SIG_HITS_MAX)
		return;
	if (n == SIG_HITS_MAX)
		n--;
	memmove(&r->hits[i + 1], &r->hits[i], (n - i) * sizeof(*hit));
	memmove(&m->order[i + 1], &m->order[i], (n - i) * sizeof(m->order[0]));
	r->hits[i] = *hit;
	m->order[i] = order;
	r->n_hits = n + 1;
}

/* hit->confidence holds the evidence's grade yet. The order is that of the README. */
static void
add_hit(struct matching *m, struct sig_hit *hit, unsigned kinds, uint8_t cap, bool portal)
{
	uint64_t order = (uint64_t)hit->specificity << 32 | (uint64_t)kinds << 24 |
			 (uint64_t)hit->confidence << 16 | (uint64_t)cap << 8 | !portal;

	if (hit->confidence > cap)
		hit->confidence = cap;
	keep_hit(m, hit, order);
}

static void
add_evidence(struct sig_hit *hit, unsigned fact, uint8_t grade)
{
	if (hit->n_facts < EVIDENCE_MAX)
		hit->facts[hit->n_facts++] = (uint8_t)fact;
	if (grade > hit->confidence)
		hit->confidence = grade;
}

/* `name`: the fact that a host pattern of the clause was found by, or NO_FACT. */
static bool
all_conds(struct matching *m, const struct clause *c, int name, struct sig_hit *hit)
{
	for (uint16_t i = 0; i < c->n_conds; i++)
		if (!check_cond(m, &m->rules->conds[c->first_cond + i], name, hit))
			return false;
	return true;
}

static void
try_clause(struct matching *m, uint32_t clause, struct sig_hit *hit)
{
	const struct clause *c = &m->rules->clauses[clause];
	const struct sig_rec *rec = &m->rules->recs[c->sig];
	int name = c->host_anchor ? hit->facts[0] : NO_FACT;

	hit->sig = c->sig;
	if (!all_conds(m, c, NO_FACT, hit))
		return;
	for (uint16_t i = 0; i < rec->n_excepts; i++) {
		struct sig_hit unused = { 0 };

		if (all_conds(m, &m->rules->clauses[rec->first_except + i], name, &unused))
			return;
	}
	add_hit(m, hit, c->kinds, rec->cap, rec->portal);
}

/* --- the table --- */

static void
use_node(struct matching *m, const struct table_node *node, unsigned fact, size_t name_len)
{
	const struct table_ref *refs = table_refs(&m->rules->table, node);
	const struct sig_fact *f = &m->facts[fact];

	for (unsigned i = 0; i < node->n_refs; i++) {
		const struct table_ref *ref = &refs[i];
		struct sig_hit hit = { .sig = ref->target,
			.confidence = ref->grade,
			.n_facts = 1,
			.facts = { (uint8_t)fact },
			.specificity = ref->specificity };

		if (f->field <= SIG_F_NAME_LAST) {
			struct sig_pattern p = { .key_len = node->key_len,
				.open = ref->open,
				.head = ref->head_len ? m->rules->heads + ref->head : NULL,
				.head_len = ref->head_len };

			if (!(ref->fields & (1U << f->field)) ||
			    !sig_pattern_match_rest(&p, (const char *)f->value, name_len))
				continue;
			hit.confidence = (uint8_t)sig_field_grade(f->field);
		}
		if (ref->simple)
			add_hit(m, &hit, 1, ref->cap, ref->portal);
		else
			try_clause(m, ref->target, &hit);
	}
}

/* The nodes of a group whose tag is `tag`, as bits. */
static inline unsigned
group_tags(const uint8_t *tags, uint8_t tag)
{
	unsigned bits = 0;

#ifdef __SSE2__
	__m128i g = _mm_load_si128((const __m128i *)tags);

	bits = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(g, _mm_set1_epi8((char)tag)));
#else
	for (unsigned i = 0; i < GROUP; i++)
		bits |= (unsigned)(tags[i] == tag) << i;
#endif
	return bits;
}

static const struct table_node *
table_find(const struct table *t, uint64_t hash, const void *key, size_t len)
{
	for (uint32_t g = table_group(t, hash);; g = g + 1 == t->n_groups ? 0 : g + 1) {
		const uint8_t *tags = t->tags + (size_t)g * GROUP;

		for (unsigned b = group_tags(tags, table_tag(hash)); b; b &= b - 1) {
			const struct table_node *node =
			    &t->nodes[(size_t)g * GROUP + (unsigned)__builtin_ctz(b)];

			if (table_is_key(t, node, key, len))
				return node;
		}
		if (group_tags(tags, 0))
			return NULL;
	}
}

/* One key that a name may have in the table: its last labels, from `start` on. */
struct place {
	uint64_t hash;
	unsigned start;
};

/*
 * The dots of a name as bits, or false when it holds a byte that no canonical name does. Reads 16
 * bytes at a time, also past the end.
 */
static bool
find_dots(const uint8_t *name, size_t len, uint64_t dots[4])
{
	size_t bad = 0;

	memset(dots, 0, 4 * sizeof(dots[0]));
#ifdef __SSE2__
	const __m128i a = _mm_set1_epi8((char)(0x80 - 'a')), z = _mm_set1_epi8(-128 + 26);
	const __m128i n = _mm_set1_epi8((char)(0x80 - '0')), nine = _mm_set1_epi8(-128 + 10);

	for (size_t i = 0; i < len; i += 16) {
		__m128i c = _mm_load_si128((const __m128i *)(name + i));
		__m128i dot = _mm_cmpeq_epi8(c, _mm_set1_epi8('.'));
		__m128i ok = _mm_or_si128(_mm_cmplt_epi8(_mm_add_epi8(c, a), z),
		    _mm_cmplt_epi8(_mm_add_epi8(c, n), nine));
		unsigned use = len - i >= 16 ? 0xffff : (1U << (len - i)) - 1;

		ok = _mm_or_si128(ok, _mm_cmpeq_epi8(c, _mm_set1_epi8('-')));
		ok = _mm_or_si128(ok, _mm_cmpeq_epi8(c, _mm_set1_epi8('_')));
		ok = _mm_or_si128(ok, dot);
		bad |= ~(unsigned)_mm_movemask_epi8(ok) & use;
		dots[i / 64] |= (uint64_t)((unsigned)_mm_movemask_epi8(dot) & use) << (i % 64);
	}
#else
	for (size_t i = 0; i < len; i++) {
		uint8_t c = name[i];

		bad |= !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
			 c == '.');
		dots[i / 64] |= (uint64_t)(c == '.') << (i % 64);
	}
#endif
	return bad == 0;
}

/*
 * All keys that a name may have, shortest first; 0 when the name is no canonical one: such a name
 * matches nothing. `places` has room for SIG_NAME_MAX / 2 + 1.
 */
static unsigned
find_places(const struct table *t, const uint8_t *name, size_t len, struct place *places)
{
	uint64_t dots[4], hash = t->seed;
	unsigned n = 0, labels = 0;
	size_t end = len;

	if (!find_dots(name, len, dots))
		return 0;
	for (unsigned w = (unsigned)(len - 1) / 64 + 1; w-- > 0;) {
		for (;;) {
			bool more = dots[w] != 0;
			unsigned bit = more ? 63U - (unsigned)__builtin_clzll(dots[w]) : 0;
			size_t start = more ? w * 64 + bit + 1 : 0;

			if (!more && w > 0)
				break;
			if (start >= end || end - start > 63)
				return 0;
			if (++labels <= t->labels_max) {
				hash = table_hash_label(hash, name + start, end - start, t->seed);
				places[n] = (struct place){ hash, (unsigned)start };
				n += labels > 1;
			}
			if (!more)
				return n;
			dots[w] ^= 1ULL << bit;
			end = start - 1;
		}
	}
	return n;
}

static void
match_name(struct matching *m, unsigned fact)
{
	const struct table *t = &m->rules->table;
	const struct sig_fact *f = &m->facts[fact];
	struct place places[SIG_NAME_MAX / 2 + 1];
	uint8_t name[TABLE_NAME] __attribute__((aligned(16)));
	unsigned n;

	if (f->len == 0 || f->len > 253)
		return;
	memset(name + f->len / 16 * 16, 0, 32);
	memcpy(name, f->value, f->len);
	n = find_places(t, name, f->len, places);
	for (unsigned i = 0; i < n; i++)
		__builtin_prefetch(&t->tags[(size_t)table_group(t, places[i].hash) * GROUP]);
	for (unsigned i = 0; i < n; i++) {
		size_t g = (size_t)table_group(t, places[i].hash) * GROUP;
		unsigned b = group_tags(&t->tags[g], table_tag(places[i].hash));

		if (b)
			__builtin_prefetch(&t->nodes[g + (unsigned)__builtin_ctz(b)]);
	}
	for (unsigned i = 0; i < n; i++) {
		unsigned at = places[i].start;
		const struct table_node *node = table_find(
		    t, places[i].hash, f->value + at, f->len - at);

		if (node)
			use_node(m, node, fact, f->len);
	}
}

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
	node = table_find(t, sig_hash(key, len + 1, t->seed), key, len + 1);
	if (node)
		use_node(m, node, fact, 0);
}

static void
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

static void
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

/* --- expressions --- */

struct scan {
	struct sig_scratch *scratch;
	unsigned db, fact;
};

static void
seen_literal(void *ctx, uint32_t id)
{
	struct scan *s = ctx;
	struct sig_scratch *scratch = s->scratch;

	if (scratch->seen[s->db][id] == 0) {
		scratch->seen[s->db][id] = (uint8_t)(s->fact + 1);
		scratch->list[s->db][scratch->n_list[s->db]++] = id;
	}
}

static int
seen_one(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *ctx)
{
	(void)from;
	(void)to;
	(void)flags;
	seen_literal(ctx, id);
	return 0;
}

static void
scan_db(struct matching *m, unsigned db)
{
	const struct expr_db *e = &m->rules->exprs[db];

	if (m->scanned & (1U << db))
		return;
	m->scanned |= 1U << db;
	for (unsigned i = 0; i < m->n_facts; i++) {
		const struct sig_fact *f = &m->facts[i];
		struct scan s = { m->scratch, db, i };

		if (expr_db_of(f->field) != (int)db || f->len == 0)
			continue;
		if (e->literals)
			literals_scan(e->literals, f->value, f->len, seen_literal, &s);
		if (e->db)
			(void)hs_scan(
			    e->db, (const char *)f->value, f->len, 0, m->scratch->hs, seen_one, &s);
	}
}

static void
match_expressions(struct matching *m, unsigned db)
{
	struct sig_scratch *s = m->scratch;

	scan_db(m, db);
	for (uint32_t i = 0; i < s->n_list[db]; i++) {
		uint32_t id = s->list[db][i], clause = m->rules->exprs[db].anchors[id];
		unsigned fact = s->seen[db][id] - 1U;
		struct sig_hit hit = { .n_facts = 1,
			.facts = { (uint8_t)fact },
			.confidence = (uint8_t)sig_field_grade(m->facts[fact].field) };

		if (clause != NO_CLAUSE)
			try_clause(m, clause, &hit);
	}
}

/* --- conditions --- */

static bool
cond_host(struct matching *m, const struct cond *c, int name, struct sig_hit *hit)
{
	int best = NO_FACT;
	uint16_t specificity = 0;

	for (unsigned i = 0; i < m->n_facts; i++) {
		const struct sig_fact *f = &m->facts[i];

		if (f->field > SIG_F_NAME_LAST || !(c->fields & (1U << f->field)))
			continue;
		/* An exception for hosts at large is about the very name that was found. */
		if (name != NO_FACT && i != (unsigned)name &&
		    (c->fields & (1U << SIG_F_DNS_MEMORY)))
			continue;
		for (uint32_t j = 0; j < c->n; j++) {
			const struct sig_pattern *p = &m->rules->hosts[c->first + j];

			if (!sig_pattern_match(p, (const char *)f->value, f->len) ||
			    p->specificity < specificity)
				continue;
			if (p->specificity > specificity || best == NO_FACT ||
			    better_fact(f, &m->facts[best]))
				best = (int)i;
			specificity = p->specificity;
		}
	}
	if (best == NO_FACT)
		return false;
	if (specificity > hit->specificity)
		hit->specificity = specificity;
	add_evidence(hit, (unsigned)best, (uint8_t)sig_field_grade(m->facts[best].field));
	return true;
}

static bool
is_string(const struct sig_fact *f, const struct string_item *t)
{
	const char *v = (const char *)f->value, *dot;
	size_t left;

	if (f->field != SIG_F_NDPI)
		return f->len == t->len && memcmp(v, t->text, t->len) == 0;
	if (f->len == t->len && strncasecmp(v, t->text, t->len) == 0)
		return true;
	dot = memchr(v, '.', f->len);
	if (!dot)
		return false;
	left = (size_t)(dot - v);
	return (left == t->len && strncasecmp(v, t->text, left) == 0) ||
	       (f->len - left - 1 == t->len && strncasecmp(dot + 1, t->text, t->len) == 0);
}

static bool
in_prefix(const struct sig_fact *f, const struct sig_prefix *p)
{
	unsigned whole = p->bits / 8, part = p->bits % 8;

	if (f->len != p->len || memcmp(f->value, p->addr, whole) != 0)
		return false;
	return part == 0 || ((f->value[whole] ^ p->addr[whole]) & (0xff00 >> part) & 0xff) == 0;
}

static bool
cond_value(struct matching *m, const struct cond *c, struct sig_hit *hit)
{
	for (unsigned i = 0; i < m->n_facts; i++) {
		const struct sig_fact *f = &m->facts[i];

		if (f->field >= SIG_F_MAX || !(c->fields & (1U << f->field)))
			continue;
		for (uint32_t j = c->first; j < c->first + c->n; j++) {
			bool yes = c->kind == COND_ADDRESS ? in_prefix(f, &m->rules->prefixes[j])
							   : is_string(f, &m->rules->texts[j]);

			if (yes) {
				add_evidence(hit, i, (uint8_t)sig_field_grade(f->field));
				return true;
			}
		}
	}
	return false;
}

static bool
cond_expression(struct matching *m, const struct cond *c, struct sig_hit *hit)
{
	scan_db(m, c->db);
	for (uint32_t i = c->first; i < c->first + c->n; i++) {
		uint8_t seen = m->scratch->seen[c->db][m->rules->expr_ids[i]];

		if (seen) {
			add_evidence(
			    hit, seen - 1U, (uint8_t)sig_field_grade(m->facts[seen - 1].field));
			return true;
		}
	}
	return false;
}

static bool
check_cond(struct matching *m, const struct cond *c, int name, struct sig_hit *hit)
{
	if (c->kind == COND_HOST)
		return cond_host(m, c, name, hit);
	if (c->kind == COND_EXPRESSION)
		return cond_expression(m, c, hit);
	return cond_value(m, c, hit);
}
