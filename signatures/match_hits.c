/* SPDX-License-Identifier: Apache-2.0 */
/* Hits, kept in the documented order (signatures/README.md, "Which one wins"). */
#include <string.h>

#include "signatures/labels.h"
#include "signatures/match_impl.h"

bool
match_better_fact(const struct sig_fact *a, const struct sig_fact *b)
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
		    (order == m->order[i] && !match_better_fact(&m->facts[hit->facts[0]],
						 &m->facts[r->hits[i].facts[0]])))
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
void
match_add_hit(struct matching *m, struct sig_hit *hit, unsigned kinds, uint8_t cap, bool portal)
{
	uint64_t order = (uint64_t)hit->specificity << 32 | (uint64_t)kinds << 24 |
			 (uint64_t)hit->confidence << 16 | (uint64_t)cap << 8 | !portal;

	if (hit->confidence > cap)
		hit->confidence = cap;
	keep_hit(m, hit, order);
}

void
match_refine(const struct matching *m, struct sig_hit *hit, struct match_left left)
{
	const struct sig_rec *rec = &m->rules->recs[hit->sig];
	const char *name = (const char *)m->facts[hit->facts[0]].value;
	struct label label;
	enum labels_zone zone = LABELS_OF_AGENTS;
	unsigned told = 0;

	if (rec->portal)
		zone = left.domain ? LABELS_OF_SITE : LABELS_OF_PAGES;
	if (rec->first_label != 0 && left.len > 1)
		told = labels_tell(name, left.len - 1, zone, &label);
	if (told != 0 && !(rec->kept_from & 1U << (told - 1)))
		hit->sig = rec->first_label + told - 1;
}
