/* SPDX-License-Identifier: Apache-2.0 */
/* What is legal in a pack but wrong, useless, or about to age. */
#include <string.h>
#include <time.h>

#include "signatures/examples.h"
#include "signatures/lint_across.h"
#include "signatures/pattern.h"
#include "signatures/value.h"

enum { COVER_MAX = 2000, PAYLOAD_BYTES = 2048, PAYLOAD_LEAST = 4 };

struct lint {
	const struct pack_file *file;
	struct pack_where *where;
	struct sig_diag *diag;
	unsigned warnings, today, oldest;
};

#define WARN(l, ...)                                                                         \
	do {                                                                                 \
		(l)->warnings++;                                                             \
		pack_where_add(&(l)->where, (l)->file, (l)->diag, SIG_WARNING, __VA_ARGS__); \
	} while (0)

/* `days` before `today`, both as yyyymmdd. */
static unsigned
days_before(unsigned today, unsigned days)
{
	struct tm tm = { .tm_year = (int)(today / 10000) - 1900,
		.tm_mon = (int)(today / 100 % 100) - 1,
		.tm_mday = (int)(today % 100) - (int)days,
		.tm_hour = 12 };

	timegm(&tm);
	return (unsigned)(tm.tm_year + 1900) * 10000U + (unsigned)(tm.tm_mon + 1) * 100U +
	       (unsigned)tm.tm_mday;
}

static void
lint_date(struct lint *l, const char *where, const char *s)
{
	uint32_t date;

	if (sig_value_date(s, &date) != 0)
		return;
	if (date > l->today)
		WARN(l, where, "the date %s is yet to come", s);
	else if (date < l->oldest)
		WARN(l, where, "looked at last on %s: look again", s);
}

static bool
is_url(const char *s)
{
	return strncmp(s, "https://", 8) == 0 || strncmp(s, "http://", 7) == 0;
}

/* Whether every name that `b` matches is matched by `a`: as far as it can be told. */
static bool
covers(const struct sig_pattern *a, const struct sig_pattern *b)
{
	size_t more = (size_t)b->key_len - a->key_len;

	if (a->head || a->open == SIG_OPEN_NO)
		return !a->head && !b->head && b->open == SIG_OPEN_NO && a->key_len == b->key_len &&
		       memcmp(a->key, b->key, a->key_len) == 0;
	if (b->key_len < a->key_len || memcmp(b->key + more, a->key, a->key_len) != 0 ||
	    (more > 0 && b->key[more - 1] != '.'))
		return false;
	if (a->open == SIG_OPEN_SELF)
		return true;
	return more > 0 || b->head || b->open == SIG_OPEN_BELOW;
}

static void
lint_covered(struct lint *l, const char *entry, enum pack_key k, const struct pack_list *list)
{
	struct sig_pattern a, b;
	const char *why;
	char w[128];

	for (unsigned i = 0; i < list->n && list->n <= COVER_MAX; i++) {
		if (sig_pattern_parse(list->v[i], &a, &why) != 0)
			continue;
		for (unsigned j = 0; j < list->n; j++) {
			bool same = strcmp(list->v[i], list->v[j]) == 0;

			if (i == j || sig_pattern_parse(list->v[j], &b, &why) != 0 ||
			    !covers(&a, &b) || (same && j < i))
				continue;
			snprintf(w, sizeof(w), "%s.%s[%u]", entry, pack_key_names[k], j);
			if (same)
				WARN(l, w, "'%s' is there twice", list->v[j]);
			else
				pack_where_add(&l->where, l->file, l->diag, SIG_NOTE, w,
				    "'%s' is covered by '%s': needed only to win over others",
				    list->v[j], list->v[i]);
		}
	}
}

/* A pattern that an exception of the same signature takes back whole. */
static void
lint_excepted(
    struct lint *l, const char *entry, const struct pack_signature *s, const struct pack_entry *e)
{
	struct sig_pattern a, b;
	const char *why;
	char w[128];

	for (unsigned x = 0; x < s->except_count; x++) {
		const struct pack_list *out = &s->except[x].key[PACK_HOST];
		unsigned others = s->except[x].payload_count;

		for (unsigned k = PACK_HOST + 1; k < PACK_KEYS; k++)
			others += s->except[x].key[k].n;
		for (unsigned i = 0; i < out->n && others == 0; i++)
			for (unsigned j = 0; j < e->key[PACK_HOST].n; j++) {
				const char *in = e->key[PACK_HOST].v[j];

				if (sig_pattern_parse(out->v[i], &a, &why) != 0 ||
				    sig_pattern_parse(in, &b, &why) != 0 || !covers(&a, &b))
					continue;
				snprintf(w, sizeof(w), "%s.host[%u]", entry, j);
				WARN(l, w, "'%s' can never match: '%s' in except covers it", in,
				    out->v[i]);
			}
	}
}

/* Two bytes begin whatever one likes: "PO" is a record's mark and the start of every POST. */
static void
lint_payload(struct lint *l, const char *entry, const struct pack_entry *e)
{
	uint8_t bytes[PAYLOAD_BYTES], mask[PAYLOAD_BYTES];
	unsigned others = 0, told = 0;
	const char *why;

	for (unsigned k = 0; k < PACK_KEYS; k++)
		others += e->key[k].n;
	for (unsigned i = 0; i < e->payload_count; i++) {
		const struct pack_payload *p = &e->payload[i];
		int n = p->hex ? sig_value_hex(p->hex, bytes, mask, sizeof(bytes), &why) : 0;

		told += p->text ? (unsigned)strlen(p->text) : 0;
		for (int b = 0; b < n; b++)
			told += mask[b] != 0;
	}
	if (e->payload_count > 0 && others == 0 && told < PAYLOAD_LEAST)
		WARN(l, entry, "a payload of %u bytes matches by chance: %u, or a port with it",
		    told, PAYLOAD_LEAST);
}

static bool
has_example(const struct pack *p, const struct pack_signature *s)
{
	const struct pack_examples *e = p->examples;

	for (unsigned i = 0; e && i < e->match_count; i++) {
		const char *slash = strchr(e->match[i].signature, '/');

		if (strcmp(slash ? slash + 1 : e->match[i].signature, s->id) == 0)
			return true;
	}
	return false;
}

static void
lint_signature(struct lint *l, unsigned n)
{
	const struct pack_signature *s = &l->file->pack->signatures[n];
	uint32_t until;
	char w[64];

	snprintf(w, sizeof(w), "signatures[%u].reviewed", n);
	lint_date(l, w, s->reviewed);
	snprintf(w, sizeof(w), "signatures[%u].source", n);
	if (s->confidence == SIG_CONF_CERTAIN && !is_url(s->source))
		WARN(l, w, "confidence high needs the vendor's own page as a URL, not '%s'",
		    s->source);
	snprintf(w, sizeof(w), "signatures[%u].valid", n);
	if (s->valid && s->valid->until && sig_value_date(s->valid->until, &until) == 0 &&
	    until < l->today)
		WARN(l, w, "signature '%s' can never match: its time is over", s->id);
	for (unsigned m = 0; m < s->match_count; m++) {
		const struct pack_entry *e = &s->match[m];

		snprintf(w, sizeof(w), "signatures[%u].match[%u]", n, m);
		for (unsigned k = 0; k <= PACK_HOST_LAST; k++)
			lint_covered(l, w, k, &e->key[k]);
		lint_excepted(l, w, s, e);
		lint_payload(l, w, e);
	}
	snprintf(w, sizeof(w), "signatures[%u]", n);
	if (!has_example(l->file->pack, s))
		pack_where_add(&l->where, l->file, l->diag, SIG_NOTE, w,
		    "signature '%s' has no example", s->id);
}

/* Two signatures of one pack that claim the same pattern with nothing besides. */
static void
lint_twice(struct lint *l)
{
	const struct pack *p = l->file->pack;
	char w[128];

	for (unsigned i = 0; i < p->signatures_count && p->signatures_count <= COVER_MAX; i++) {
		const struct pack_entry *a = &p->signatures[i].match[0];

		for (unsigned j = i + 1; j < p->signatures_count; j++) {
			const struct pack_entry *b = &p->signatures[j].match[0];

			if (p->signatures[i].match_count > 1 || p->signatures[j].match_count > 1 ||
			    a->key[PACK_HOST].n != 1 || b->key[PACK_HOST].n != 1 ||
			    strcmp(a->key[PACK_HOST].v[0], b->key[PACK_HOST].v[0]) != 0 ||
			    memcmp(&a->key[1], &b->key[1], sizeof(a->key) - sizeof(a->key[0])) !=
				0 ||
			    a->payload_count + b->payload_count > 0)
				continue;
			snprintf(w, sizeof(w), "signatures[%u].match[0].host[0]", j);
			WARN(l, w,
			    "'%s' is shadowed: signature '%s' claims the same and one of "
			    "them never wins",
			    b->key[PACK_HOST].v[0], p->signatures[i].id);
		}
	}
}

static void
lint_products(struct lint *l)
{
	const struct pack *p = l->file->pack;
	char w[64];

	for (unsigned i = 0; i < p->products_count; i++) {
		unsigned used = 0;

		for (unsigned s = 0; s < p->signatures_count; s++)
			used += strcmp(p->signatures[s].product, p->products[i].id) == 0;
		for (unsigned o = 0; o < p->products_count; o++)
			used += p->products[o].agents && o != i &&
				strcmp(p->products[o].agents, p->products[i].id) == 0;
		snprintf(w, sizeof(w), "products[%u]", i);
		if (used == 0)
			WARN(l, w, "product '%s' has no signature", p->products[i].id);
	}
}

unsigned
sig_lint(const struct sig_packs *packs, unsigned today, unsigned days, struct sig_diag *diag)
{
	struct lint l = { .diag = diag, .today = today, .oldest = days_before(today, days) };

	for (unsigned f = 0; f < packs->n; f++) {
		const struct pack *p = packs->files[f].pack;

		l.file = &packs->files[f];
		lint_date(&l, "vendor.as_of", p->vendor.as_of);
		lint_products(&l);
		lint_twice(&l);
		if (!p->examples || p->examples->match_count == 0)
			WARN(&l, "", "pack '%s' has no examples that match", p->id);
		if (!p->examples || p->examples->no_match_count == 0)
			WARN(&l, "", "pack '%s' has no near misses (examples.no_match)", p->id);
		for (unsigned s = 0; s < p->signatures_count; s++)
			lint_signature(&l, s);
	}
	l.warnings += sig_lint_across(packs, &l.where, diag);
	pack_where_free(l.where);
	return l.warnings;
}
