/* SPDX-License-Identifier: Apache-2.0 */
/* From checked packs to an immutable rule set. */
#include "signatures/compile.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "signatures/base/hash.h"
#include "signatures/labels.h"

enum { BLOCK = 1 << 16 };

struct arena_block {
	struct arena_block *next;
	size_t used, cap;
	char bytes[];
};

/* One signature on its way, sorted by its whole id. */
struct entry {
	char *id;
	const struct pack *pack;
	const struct pack_signature *sig;
};

void *
build_add(struct build *b, struct grow *g, size_t n, size_t size)
{
	if (g->n + n > g->cap) {
		size_t cap = g->cap ? g->cap * 2 : 64;
		void *more;

		while (cap < g->n + n)
			cap *= 2;
		more = realloc(g->v, cap * size);
		if (!more) {
			b->no_memory = true;
			return NULL;
		}
		g->v = more;
		g->cap = cap;
	}
	g->n += n;
	return (char *)g->v + (g->n - n) * size;
}

char *
build_keep(struct build *b, const char *s, size_t len)
{
	struct arena_block *a = b->rules->arena;
	char *at;

	if (!a || a->cap - a->used < len + 1) {
		size_t cap = len + 1 > BLOCK ? len + 1 : BLOCK;

		a = malloc(sizeof(*a) + cap);
		if (!a) {
			b->no_memory = true;
			return NULL;
		}
		*a = (struct arena_block){ .next = b->rules->arena, .cap = cap };
		b->rules->arena = a;
	}
	at = a->bytes + a->used;
	memcpy(at, s, len);
	at[len] = '\0';
	a->used += len + 1;
	return at;
}

/* Strings that neighbours share (a pack's name, a source) are kept once. */
static const char *
keep_like(struct build *b, const char *s, const char *before)
{
	if (!s)
		return NULL;
	return before && strcmp(before, s) == 0 ? before : build_keep(b, s, strlen(s));
}

static void
fill_product(struct build *b, struct sig_info *info, const struct pack_product *product,
    const struct sig_info *prev)
{
	info->product = keep_like(b, product->name, prev->product);
	info->product_id = keep_like(b, product->id, prev->product_id);
	info->category = keep_like(b, product->category, prev->category);
}

static void
fill_info(
    struct build *b, struct sig_info *info, const struct entry *e, const struct sig_info *prev)
{
	const struct pack_product *product = pack_product_of(e->pack, e->sig);
	const struct pack_vendor *v = &e->pack->vendor;
	const struct pack_valid *valid = e->sig->valid;
	uint32_t from = 0, until = UINT32_MAX;

	info->id = build_keep(b, e->id, strlen(e->id));
	info->pack = keep_like(b, e->pack->id, prev->pack);
	info->vendor_id = info->pack;
	info->pack_version = keep_like(b, e->pack->version, prev->pack_version);
	info->vendor = keep_like(b, v->name, prev->vendor);
	info->owner = keep_like(b, v->owner, prev->owner);
	info->country = keep_like(b, v->country, prev->country);
	info->owner_country = keep_like(
	    b, v->owner_country ? v->owner_country : v->country, prev->owner_country);
	fill_product(b, info, product, prev);
	info->source = keep_like(b, e->sig->source, prev->source);
	info->reviewed = keep_like(b, e->sig->reviewed, prev->reviewed);
	info->note = keep_like(b, e->sig->note, prev->note);
	info->function = (enum sig_function)e->sig->function;
	info->cap = (enum sig_confidence)e->sig->confidence;
	info->shared = e->sig->shared;
	info->oem = e->sig->oem;
	info->policy_artefact = e->sig->artefact;
	if (valid && valid->from)
		(void)sig_value_date(valid->from, &from);
	if (valid && valid->until)
		(void)sig_value_date(valid->until, &until);
	info->active = b->date >= from && b->date <= until;
}

/*
 * What labels may say of a signature's hosts: the same signature, surely no better known. Of the
 * product that is a web site only the pages are; `agents` says whose the rest is.
 */
static void
add_refined(struct build *b, uint32_t of, const struct entry *e)
{
	const struct pack_product *product = pack_product_of(e->pack, e->sig);
	const struct pack_product *agents = product->agents
						? pack_product_by_id(e->pack, product->agents)
						: NULL;
	struct sig_info *parent = &b->rules->infos[of];
	uint32_t first = b->rules->n_all + 1;

	b->rules->recs[of].first_label = first;
	b->rules->n_all += LABEL_FUNCTIONS;
	for (unsigned i = 0; i < LABEL_FUNCTIONS && !b->no_memory; i++) {
		struct sig_info *info = &b->rules->infos[first + i];
		enum sig_function f = label_functions[i];
		char id[256];
		int n = snprintf(id, sizeof(id), "%s-label-%s", parent->id, sig_function_name(f));

		if (!labels_refine(parent->function, f))
			b->rules->recs[of].kept_from |= 1U << i;
		*info = *parent;
		info->id = build_keep(b, id, (size_t)n < sizeof(id) ? (size_t)n : sizeof(id) - 1);
		info->label_of = parent->id;
		info->function = f;
		if (agents && f != SIG_FN_PORTAL)
			fill_product(b, info, agents, info - 1);
		if (info->cap > SIG_CONF_INFERRED)
			info->cap = SIG_CONF_INFERRED;
		b->rules->recs[first + i] = (struct sig_rec){ .cap = (uint8_t)info->cap,
			.portal = f == SIG_FN_PORTAL };
	}
}

static void
add_signature(struct build *b, uint32_t n, const struct entry *e)
{
	struct sig_rec *rec = &b->rules->recs[n];
	struct sig_info *info = &b->rules->infos[n];

	fill_info(b, info, e, &b->rules->infos[n - 1]);
	rec->cap = (uint8_t)info->cap;
	rec->portal = info->function == SIG_FN_PORTAL;
	if (e->sig->by_label)
		add_refined(b, n, e);
	rec->first_except = (uint32_t)b->clauses.n;
	rec->n_excepts = (uint16_t)e->sig->except_count;
	if (!info->active)
		return;
	for (unsigned i = 0; i < e->sig->except_count; i++)
		build_except(b, n, &e->sig->except[i]);
	for (unsigned i = 0; i < e->sig->match_count; i++)
		build_match(b, n, &e->sig->match[i], e->sig->except_count > 0);
}

static int
by_id(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->id, ((const struct entry *)b)->id);
}

static size_t
count_by_label(const struct sig_packs *packs)
{
	size_t n = 0;

	for (unsigned f = 0; f < packs->n; f++)
		for (unsigned s = 0; s < packs->files[f].pack->signatures_count; s++)
			n += packs->files[f].pack->signatures[s].by_label;
	return n;
}

static int
add_signatures(struct build *b, const struct sig_packs *packs)
{
	struct entry *entries;
	size_t n = 0, all, i = 0;

	for (unsigned f = 0; f < packs->n; f++)
		n += packs->files[f].pack->signatures_count;
	all = n + count_by_label(packs) * LABEL_FUNCTIONS;
	entries = calloc(n + 1, sizeof(*entries));
	b->rules->recs = calloc(all + 1, sizeof(struct sig_rec));
	b->rules->infos = calloc(all + 1, sizeof(struct sig_info));
	b->no_memory |= !entries || !b->rules->recs || !b->rules->infos;
	for (unsigned f = 0; f < packs->n && !b->no_memory; f++) {
		const struct pack *p = packs->files[f].pack;

		for (unsigned s = 0; s < p->signatures_count && !b->no_memory; s++, i++) {
			entries[i].pack = p;
			entries[i].sig = &p->signatures[s];
			if (asprintf(&entries[i].id, "%s/%s", p->id, p->signatures[s].id) < 0) {
				entries[i].id = NULL;
				b->no_memory = true;
			}
		}
	}
	if (!b->no_memory) {
		qsort(entries, n, sizeof(*entries), by_id);
		b->rules->n_sigs = b->rules->n_all = (uint32_t)n;
		for (i = 0; i < n && !b->no_memory; i++)
			add_signature(b, (uint32_t)i + 1, &entries[i]);
	}
	for (i = 0; entries && i < n; i++)
		free(entries[i].id);
	free(entries);
	return b->no_memory ? -ENOMEM : 0;
}

/* What libhs is given: the expressions that no literal is, or all of a set that is too large. */
struct hs_input {
	const char **texts;
	unsigned *flags, *ids, n;
};

/* Nothing of a literal is special to libhs once its bytes are written as numbers. */
static char *
literal_expression(const struct literal *l)
{
	return l->offset == LITERAL_ANYWHERE
		   ? sig_value_expression((const char *)l->bytes, false)
		   : sig_value_payload_expression(l->bytes, NULL, l->len, (unsigned)l->offset);
}

static int
compile_hs(struct build *b, unsigned d, const struct hs_input *in)
{
	const struct expr_want *wants = b->exprs[d].v;
	hs_compile_error_t *fault = NULL;

	if (in->n == 0 || hs_compile_multi(in->texts, in->flags, in->ids, in->n, HS_MODE_BLOCK,
			      NULL, &b->rules->exprs[d].db, &fault) == HS_SUCCESS)
		return 0;
	int at = fault ? fault->expression : -1;

	sig_diag_add(b->diag, SIG_ERROR, NULL, 0, 0, "%s%sexpression refused: %s",
	    at >= 0 ? wants[in->ids[at]].sig : "", at >= 0 ? ": " : "",
	    fault ? fault->message : "libhs failed");
	hs_free_compile_error(fault);
	return -EINVAL;
}

/* Parts the wants: literals, as many as a set holds, and the rest. */
static int
sort_wants(struct build *b, unsigned d, struct hs_input *in, struct literal *literals, size_t *n)
{
	struct expr_want *wants = b->exprs[d].v;
	struct expr_db *db = &b->rules->exprs[d];
	size_t n_literals = 0;

	for (uint32_t i = 0; i < db->n; i++) {
		n_literals += !wants[i].text;
		db->anchors[i] = wants[i].clause;
		db->n_anchors += wants[i].clause != NO_CLAUSE;
	}
	for (uint32_t i = 0; i < db->n; i++) {
		struct expr_want *w = &wants[i];

		if (!w->text && n_literals <= LITERALS_MAX && w->literal.len >= LITERAL_MIN) {
			literals[(*n)++] = w->literal;
			continue;
		}
		if (!w->text)
			w->text = literal_expression(&w->literal);
		if (!w->text)
			return -ENOMEM;
		in->texts[in->n] = w->text;
		in->flags[in->n] = HS_FLAG_DOTALL | HS_FLAG_SINGLEMATCH;
		in->ids[in->n++] = i;
	}
	return 0;
}

static int
compile_db(struct build *b, unsigned d)
{
	struct expr_db *db = &b->rules->exprs[d];
	size_t n = b->exprs[d].n, n_literals = 0;
	struct hs_input in = { .texts = calloc(n, sizeof(*in.texts)),
		.flags = calloc(n, sizeof(*in.flags)),
		.ids = calloc(n, sizeof(*in.ids)) };
	struct literal *literals = calloc(n, sizeof(*literals));
	int err = -ENOMEM;

	db->n = (uint32_t)n;
	db->anchors = calloc(n, sizeof(*db->anchors));
	if (in.texts && in.flags && in.ids && literals && db->anchors)
		err = sort_wants(b, d, &in, literals, &n_literals);
	if (!err)
		err = compile_hs(b, d, &in);
	if (!err && n_literals > 0)
		err = literals_new(literals, n_literals, &db->literals);
	free(in.texts);
	free(in.flags);
	free(in.ids);
	free(literals);
	return err;
}

/* Hands the gathered arrays to the rule set and builds what is looked up. */
static int
seal(struct build *b)
{
	struct sig_ruleset *r = b->rules;
	uint64_t seed[2];
	int err = sig_hash_seed(seed);

	r->clauses = b->clauses.v;
	r->conds = b->conds.v;
	r->hosts = b->hosts.v;
	r->texts = b->texts.v;
	r->prefixes = b->prefixes.v;
	r->expr_ids = b->expr_ids.v;
	r->heads = b->heads.v;
	b->clauses.v = b->conds.v = b->hosts.v = b->texts.v = NULL;
	b->prefixes.v = b->expr_ids.v = b->heads.v = NULL;
	r->table.seed = seed[0];
	for (unsigned d = 0; d < EXPR_DBS && !err; d++)
		if (b->exprs[d].n > 0)
			err = compile_db(b, d);
	if (!err)
		err = table_build(&r->table, b->wants.v, b->wants.n);
	if (err == -E2BIG)
		sig_diag_add(b->diag, SIG_ERROR, NULL, 0, 0,
		    "more than 65535 patterns end in one name: narrow their ends");
	return err;
}

static int
digest(const struct sig_packs *packs, char out[static 65])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);

	for (unsigned i = 0; ok && i < packs->n; i++)
		ok = EVP_DigestUpdate(ctx, packs->files[i].sha256, 32);
	ok = ok && EVP_DigestFinal_ex(ctx, sum, NULL);
	EVP_MD_CTX_free(ctx);
	for (unsigned i = 0; ok && i < 32; i++)
		snprintf(out + (size_t)2 * i, 3, "%02x", sum[i]);
	return ok ? 0 : -ENOMEM;
}

static void
build_free(struct build *b)
{
	struct grow *arrays[] = { &b->wants, &b->clauses, &b->conds, &b->hosts, &b->texts,
		&b->prefixes, &b->expr_ids, &b->heads };

	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
		free(arrays[i]->v);
	for (unsigned d = 0; d < EXPR_DBS; d++) {
		struct expr_want *wants = b->exprs[d].v;

		for (size_t i = 0; i < b->exprs[d].n; i++)
			free(wants[i].text);
		free(wants);
	}
}

int
sig_compile_at(const struct sig_packs *packs, unsigned date, struct sig_ruleset **ret_rules,
    struct sig_diag *diag)
{
	struct sig_ruleset *rules = calloc(1, sizeof(*rules));
	struct build b = { .rules = rules, .diag = diag, .date = date };
	int err = rules ? 0 : -ENOMEM;

	if (!err) {
		rules->origin = strdup(packs->origin);
		err = rules->origin ? add_signatures(&b, packs) : -ENOMEM;
	}
	if (!err)
		err = seal(&b);
	if (!err)
		err = digest(packs, rules->digest);
	build_free(&b);
	if (err == -ENOMEM)
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0, "out of memory");
	if (err) {
		sig_ruleset_free(rules);
		return err;
	}
	*ret_rules = rules;
	return 0;
}

int
sig_compile(const struct sig_packs *packs, struct sig_ruleset **ret_rules, struct sig_diag *diag)
{
	return sig_compile_at(packs, sig_value_today(), ret_rules, diag);
}

void
sig_ruleset_free(struct sig_ruleset *rules)
{
	if (!rules)
		return;
	for (struct arena_block *a = rules->arena, *next; a; a = next) {
		next = a->next;
		free(a);
	}
	for (unsigned d = 0; d < EXPR_DBS; d++) {
		hs_free_database(rules->exprs[d].db);
		literals_free(rules->exprs[d].literals);
		free(rules->exprs[d].anchors);
	}
	table_free(&rules->table);
	free(rules->clauses);
	free(rules->conds);
	free(rules->hosts);
	free(rules->texts);
	free(rules->prefixes);
	free(rules->expr_ids);
	free(rules->heads);
	free(rules->recs);
	free(rules->infos);
	free(rules->origin);
	free(rules);
}
