/* SPDX-License-Identifier: Apache-2.0 */
/* Each pack's examples, matched with all packs loaded: a neighbour's rule may win, and must not. */
#include "signatures/examples.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "signatures/base/text.h"
#include "signatures/value.h"

enum { VALUE_MAX = 2048 };

struct run {
	const struct sig_ruleset *rules;
	struct sig_scratch *scratch;
	struct sig_diag *diag;
	const struct pack_file *file;
	struct pack_where *where;
	struct examples_figures *figures;
};

/* The facts of one example, with room for the values that are not as written. */
struct flow {
	struct sig_fact facts[PACK_KEYS + 2];
	unsigned n;
	char names[PACK_HOST_LAST + 1][SIG_NAME_MAX + 1];
	uint8_t address[16], up[VALUE_MAX], down[VALUE_MAX];
};

static enum sig_field
field_of(enum pack_key k)
{
	return (enum sig_field)__builtin_ctz(pack_key_fields(k));
}

static void
add(struct flow *flow, enum sig_field field, const void *value, size_t len)
{
	flow->facts[flow->n++] = (struct sig_fact){
		.value = value, .len = (uint16_t)len, .field = (uint8_t)field, .packet = 1
	};
}

/* False when a value is none that a flow could show. */
static bool
add_key(struct flow *flow, enum pack_key k, const char *s)
{
	enum sig_field field = k == PACK_HTTP_HOST ? SIG_F_HTTP_HOST : field_of(k);
	int n;

	if (k <= PACK_HOST_LAST) {
		n = sig_name_canonical(flow->names[k], (const uint8_t *)s, strlen(s));
		if (n > 0)
			add(flow, field, flow->names[k], (size_t)n);
		return n > 0;
	}
	if (k != PACK_ADDRESS) {
		add(flow, field, s, strlen(s));
		return true;
	}
	if (inet_pton(AF_INET, s, flow->address) == 1)
		add(flow, field, flow->address, 4);
	else if (inet_pton(AF_INET6, s, flow->address) == 1)
		add(flow, field, flow->address, 16);
	else
		return false;
	return true;
}

static bool
make_flow(const struct pack_example *e, struct flow *flow)
{
	const char *why;
	bool ok = true;
	int n;

	flow->n = 0;
	for (unsigned k = 0; k < PACK_KEYS; k++)
		if (e->key[k])
			ok &= add_key(flow, k, e->key[k]);
	if (e->payload) {
		n = sig_value_hex(e->payload, flow->up, NULL, VALUE_MAX, &why);
		add(flow, SIG_F_PAYLOAD, flow->up, n > 0 ? (size_t)n : 0);
	}
	if (e->payload_down) {
		n = sig_value_hex(e->payload_down, flow->down, NULL, VALUE_MAX, &why);
		add(flow, SIG_F_PAYLOAD_DOWN, flow->down, n > 0 ? (size_t)n : 0);
	}
	return ok;
}

/* Whether `id` ("pack/signature") is what the example of this pack calls `name`. */
static bool
is_called(const struct run *r, const char *id, const char *name)
{
	size_t n = strlen(r->file->pack->id);

	if (strchr(name, '/'))
		return strcmp(id, name) == 0;
	return strncmp(id, r->file->pack->id, n) == 0 && id[n] == '/' &&
	       strcmp(id + n + 1, name) == 0;
}

static void
failed(struct run *r, const char *where, const char *want, const char *got)
{
	r->figures->failed++;
	pack_where_add(&r->where, r->file, r->diag, SIG_ERROR, where,
	    "example fails: expected %s, got %s", want, got);
}

static void
run_match(struct run *r, const char *where, const struct pack_example *e)
{
	struct sig_result result;
	struct flow flow;
	const char *got = "no match";

	r->figures->match++;
	if (!make_flow(e, &flow)) {
		failed(r, where, e->signature, "a value that no flow shows");
		return;
	}
	sig_match(r->rules, r->scratch, flow.facts, flow.n, &result);
	if (result.n_hits > 0)
		got = sig_ruleset_info(r->rules, result.hits[0].sig)->id;
	if (result.n_hits == 0 || !is_called(r, got, e->signature))
		failed(r, where, e->signature, got);
}

/* Nothing of this pack, or just not that signature, may be among the hits. */
static void
run_no_match(struct run *r, const char *where, const struct pack_example *e)
{
	size_t n = strlen(r->file->pack->id);
	struct sig_result result;
	struct flow flow;

	r->figures->no_match++;
	if (!make_flow(e, &flow)) {
		failed(r, where, "no match", "a value that no flow shows");
		return;
	}
	sig_match(r->rules, r->scratch, flow.facts, flow.n, &result);
	for (unsigned i = 0; i < result.n_hits; i++) {
		const char *id = sig_ruleset_info(r->rules, result.hits[i].sig)->id;
		bool bad = e->signature ? is_called(r, id, e->signature)
					: strncmp(id, r->file->pack->id, n) == 0 && id[n] == '/';

		if (bad) {
			failed(r, where, "no match", id);
			return;
		}
	}
}

int
sig_examples_run(const struct sig_packs *packs, const struct sig_ruleset *rules,
    struct sig_diag *diag, struct examples_figures *ret_figures)
{
	struct examples_figures figures = { 0 };
	struct run r = { .rules = rules, .diag = diag, .figures = &figures };
	int err = sig_scratch_new(rules, &r.scratch);
	char w[64];

	if (err)
		return err;
	for (unsigned f = 0; f < packs->n; f++) {
		const struct pack_examples *e = packs->files[f].pack->examples;

		r.file = &packs->files[f];
		for (unsigned i = 0; e && i < e->match_count; i++) {
			snprintf(w, sizeof(w), "examples.match[%u]", i);
			run_match(&r, w, &e->match[i]);
		}
		for (unsigned i = 0; e && i < e->no_match_count; i++) {
			snprintf(w, sizeof(w), "examples.no_match[%u]", i);
			run_no_match(&r, w, &e->no_match[i]);
		}
	}
	pack_where_free(r.where);
	sig_scratch_free(r.scratch);
	*ret_figures = figures;
	return 0;
}
