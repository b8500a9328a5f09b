/* SPDX-License-Identifier: Apache-2.0 */
/* Clauses: what must hold beside the anchor, and what must not. */
#include <string.h>
#include <strings.h>

#include "signatures/match_impl.h"

enum { EVIDENCE_MAX = 4 };

static bool check_cond(struct matching *m, const struct cond *c, int name, struct sig_hit *hit);

static void
add_evidence(struct sig_hit *hit, unsigned fact, uint8_t grade)
{
	if (hit->n_facts < EVIDENCE_MAX)
		hit->facts[hit->n_facts++] = (uint8_t)fact;
	if (grade > hit->confidence)
		hit->confidence = grade;
}

/* `name`: the fact that a host pattern of the clause was found by, or MATCH_NO_FACT. */
static bool
all_conds(struct matching *m, const struct clause *c, int name, struct sig_hit *hit)
{
	for (uint16_t i = 0; i < c->n_conds; i++)
		if (!check_cond(m, &m->rules->conds[c->first_cond + i], name, hit))
			return false;
	return true;
}

void
match_try_clause(struct matching *m, uint32_t clause, struct sig_hit *hit, struct match_left left)
{
	const struct clause *c = &m->rules->clauses[clause];
	const struct sig_rec *rec = &m->rules->recs[c->sig];
	int name = c->host_anchor ? hit->facts[0] : MATCH_NO_FACT;

	hit->sig = c->sig;
	if (!all_conds(m, c, MATCH_NO_FACT, hit))
		return;
	for (uint16_t i = 0; i < rec->n_excepts; i++) {
		struct sig_hit unused = { 0 };

		if (all_conds(m, &m->rules->clauses[rec->first_except + i], name, &unused))
			return;
	}
	match_refine(m, hit, left);
	rec = &m->rules->recs[hit->sig];
	match_add_hit(m, hit, c->kinds, rec->cap, rec->portal);
}

void
match_forget_seen(struct sig_scratch *s)
{
	for (unsigned d = 0; d < EXPR_DBS; d++) {
		for (uint32_t i = 0; i < s->n_list[d]; i++)
			s->seen[d][s->list[d][i]] = 0;
		s->n_list[d] = 0;
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

void
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
			match_try_clause(m, clause, &hit, (struct match_left){ 0 });
	}
}

/* --- conditions --- */

static bool
cond_host(struct matching *m, const struct cond *c, int name, struct sig_hit *hit)
{
	int best = MATCH_NO_FACT;
	uint16_t specificity = 0;

	for (unsigned i = 0; i < m->n_facts; i++) {
		const struct sig_fact *f = &m->facts[i];

		if (f->field > SIG_F_NAME_LAST || !(c->fields & (1U << f->field)))
			continue;
		/* An exception for hosts at large is about the very name that was found. */
		if (name != MATCH_NO_FACT && i != (unsigned)name &&
		    (c->fields & (1U << SIG_F_DNS_MEMORY)))
			continue;
		for (uint32_t j = 0; j < c->n; j++) {
			const struct sig_pattern *p = &m->rules->hosts[c->first + j];

			if (!sig_pattern_match(p, (const char *)f->value, f->len) ||
			    p->specificity < specificity)
				continue;
			if (p->specificity > specificity || best == MATCH_NO_FACT ||
			    match_better_fact(f, &m->facts[best]))
				best = (int)i;
			specificity = p->specificity;
		}
	}
	if (best == MATCH_NO_FACT)
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
