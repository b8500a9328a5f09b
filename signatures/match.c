/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matching: pure, without allocation, in bounded time. A look-up finds anchors; an anchor's clause
 * checks its further conditions; what holds becomes a hit, kept in the documented order.
 *
 * THE HOT PART is the look-up of a name: its dots as bits, a filter that its last two labels must
 * pass, a hash for each of its last labels, the tags of each (prefetched together), and the one or
 * two nodes that tags point at.
 */
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "signatures/base/hash.h"
#include "signatures/base/text.h"
#include "signatures/match_impl.h"

static void match_name(struct matching *m, unsigned fact);

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
		match_forget_seen(scratch);
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

void
match_use_node(struct matching *m, const struct table_node *node, unsigned fact, size_t name_len)
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
		struct match_left left = { ref->by_label ? name_len - node->key_len : 0,
			ref->domain };

		if (!ref->simple) {
			match_try_clause(m, ref->target, &hit, left);
		} else if (left.len > 1) {
			match_refine(m, &hit, left);
			match_add_hit(m, &hit, 1, m->rules->recs[hit.sig].cap,
			    m->rules->recs[hit.sig].portal);
		} else {
			match_add_hit(m, &hit, 1, ref->cap, ref->portal);
		}
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

const struct table_node *
match_find_node(const struct table *t, uint64_t hash, const void *key, size_t len)
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
	uint32_t group; /* where it would be: the first node of a group */
	uint32_t start;
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
 * All keys that a name may have, shortest first; 0 when the name is no canonical one, which matches
 * nothing, or no key ends in its last two labels. `places` has room for SIG_NAME_MAX / 2 + 1. Each
 * key's tags, and at once the node where it would be most likely, are asked for as soon as it is
 * known: all waits for memory are one.
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
				if (labels == 2 && !table_has_apex(t, hash))
					return 0;
				if (labels > 1) {
					size_t g = (size_t)table_group(t, hash) * GROUP;

					__builtin_prefetch(&t->nodes[g + table_slot(hash)]);
					__builtin_prefetch(&t->tags[g]);
					places[n++] = (struct place){ hash, (uint32_t)g,
						(uint32_t)start };
				}
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
	unsigned n, likely = 0;

	if (f->len == 0 || f->len > 253)
		return;
	memset(name + f->len / 16 * 16, 0, 32);
	memcpy(name, f->value, f->len);
	n = find_places(t, name, f->len, places);
	/* Most keys are not there, which their tags tell: none alike, and one of the group free. */
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *tags = &t->tags[places[i].group];
		unsigned b = group_tags(tags, table_tag(places[i].hash));

		if (b)
			__builtin_prefetch(&t->nodes[places[i].group + (unsigned)__builtin_ctz(b)]);
		else if (group_tags(tags, 0))
			continue;
		places[likely++] = places[i];
	}
	for (unsigned i = 0; i < likely; i++) {
		unsigned at = places[i].start;
		const struct table_node *node = match_find_node(
		    t, places[i].hash, f->value + at, f->len - at);

		if (node)
			match_use_node(m, node, fact, f->len);
	}
}
