/* SPDX-License-Identifier: Apache-2.0 */
/* `phonehome signatures why` and `show`: what a rule says, and which rules look at a name. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/cmd_signatures.h"
#include "signatures/base/text.h"
#include "signatures/labels.h"
#include "signatures/pattern.h"

struct why {
	const struct sig_packs *packs;
	const struct sig_ruleset *rules;
	const char *name;
	size_t len;
	struct sig_result result;
	json_t *list; /* NULL: as text */
};

/*
 * The pattern of an entry's host keys up to `last` that matches the name, or NULL. A name alone is
 * judged as a TLS server's, so keys beyond PACK_SNI may fit and still want another sight of it.
 */
static const char *
pattern_of(const struct pack_entry *e, enum pack_key last, const char *name, size_t len)
{
	const char *best = NULL;
	uint16_t specificity = 0;

	for (unsigned k = PACK_HOST; k <= last; k++)
		for (unsigned i = 0; i < e->key[k].n; i++) {
			struct sig_pattern p;
			const char *reason;

			if (sig_pattern_parse(e->key[k].v[i], &p, &reason) == 0 &&
			    p.specificity > specificity && sig_pattern_match(&p, name, len)) {
				best = e->key[k].v[i];
				specificity = p.specificity;
			}
		}
	return best;
}

/* The other keys that an entry asks for, as "port, path"; "" when none. */
static void
others_of(const struct pack_entry *e, char *out, size_t cap)
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned k = PACK_HTTP_HOST; k < PACK_KEYS; k++)
		if (e->key[k].n > 0 && n < cap)
			n += (size_t)snprintf(
			    out + n, cap - n, "%s%s", n ? ", " : "", pack_key_names[k]);
	if (e->payload_count > 0 && n < cap)
		snprintf(out + n, cap - n, "%spayload", n ? ", " : "");
}

/* README, "Which one wins": the first difference between the winner and a loser. */
static const char *
clause_of(const struct why *w, const struct sig_hit *a, const struct sig_hit *b)
{
	const struct sig_info *x = sig_ruleset_info(w->rules, a->sig);
	const struct sig_info *y = sig_ruleset_info(w->rules, b->sig);

	if (a->specificity != b->specificity)
		return "1: a more exact host pattern wins";
	if (a->n_facts != b->n_facts)
		return "2: more kinds of evidence win";
	if (x->cap != y->cap)
		return "4: the higher confidence wins";
	if ((x->function == SIG_FN_PORTAL) != (y->function == SIG_FN_PORTAL))
		return "5: a portal yields";
	return "6: the first id in byte order wins";
}

/* One rule and what became of it; absent texts are NULL. */
struct said {
	const char *id, *outcome, *pattern, *reason;
	char label[SIG_NAME_MAX + 1]; /* that told the function; "": the pack did */
};

static void
say(struct why *w, const struct said *x, const struct pack_signature *s)
{
	if (w->list) {
		json_array_append_new(
		    w->list, json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:s?, s:s, s:s}", "signature",
				 x->id, "outcome", x->outcome, "pattern", x->pattern, "label",
				 x->label[0] ? x->label : NULL, "reason", x->reason, "note",
				 s->note, "source", s->source, "reviewed", s->reviewed));
		return;
	}
	printf("%-6s %s\n", x->outcome, x->id);
	if (x->pattern)
		printf("       pattern   %s\n", x->pattern);
	if (strchr(x->label, '.'))
		printf("       labels    %s: no page's word in them, too many for a page; the pack "
		       "does not know the name\n",
		    x->label);
	else if (x->label[0])
		printf("       label     %s tells the function, the pack does not\n", x->label);
	if (x->reason)
		printf("       by        %s\n", x->reason);
	printf("       source    %s (reviewed %s)\n", s->source, s->reviewed);
	if (s->note)
		printf("       note      %s\n", s->note);
}

/* Also by the id that it has where a label refined it. */
static const struct pack_signature *
signature_of(const struct sig_packs *packs, const char *id, const struct pack **ret_pack)
{
	for (unsigned f = 0; f < packs->n; f++) {
		const struct pack *p = packs->files[f].pack;
		size_t n = strlen(p->id);

		if (strncmp(id, p->id, n) != 0 || id[n] != '/')
			continue;
		size_t parent = labels_parent(id + n + 1);

		for (unsigned i = 0; i < p->signatures_count; i++) {
			const struct pack_signature *s = &p->signatures[i];

			if (strcmp(s->id, id + n + 1) == 0 ||
			    (s->by_label && strlen(s->id) == parent &&
				memcmp(s->id, id + n + 1, parent) == 0)) {
				*ret_pack = p;
				return s;
			}
		}
	}
	return NULL;
}

/* The label of the name, left of the pattern's key, that told the function. */
static void
label_of(const struct why *w, const struct pack_signature *s, const char *pattern,
    char out[static SIG_NAME_MAX + 1])
{
	struct sig_pattern p;
	struct label label;
	const char *reason;
	enum labels_zone zone = LABELS_OF_AGENTS;

	if (sig_pattern_parse(pattern, &p, &reason) != 0 || w->len <= p.key_len + 1U)
		return;
	if (s->function == SIG_FN_PORTAL)
		zone = sig_pattern_is_domain(&p) ? LABELS_OF_SITE : LABELS_OF_PAGES;
	if (labels_tell(w->name, w->len - p.key_len - 1, zone, &label) != 0)
		snprintf(out, SIG_NAME_MAX + 1, "%.*s", (int)label.len, label.text);
}

static void
say_hits(struct why *w)
{
	for (unsigned i = 0; i < w->result.n_hits; i++) {
		const struct sig_hit *hit = &w->result.hits[i];
		const struct sig_info *info = sig_ruleset_info(w->rules, hit->sig);
		const struct pack *pack;
		const struct pack_signature *s = signature_of(w->packs, info->id, &pack);
		struct said x = { .id = info->id, .outcome = i ? "lost" : "won" };

		for (unsigned m = 0; s && m < s->match_count && !x.pattern; m++)
			x.pattern = pattern_of(&s->match[m], PACK_SNI, w->name, w->len);
		if (s && info->label_of && x.pattern)
			label_of(w, s, x.pattern, x.label);
		if (i > 0)
			x.reason = clause_of(w, &w->result.hits[0], hit);
		else if (w->result.n_hits > 1)
			x.reason = clause_of(w, hit, &w->result.hits[1]);
		else
			x.reason = "no other rule matches";
		if (s)
			say(w, &x, s);
	}
}

static bool
is_hit(const struct why *w, const char *id)
{
	for (unsigned i = 0; i < w->result.n_hits; i++) {
		const struct sig_info *info = sig_ruleset_info(w->rules, w->result.hits[i].sig);

		if (strcmp(info->label_of ? info->label_of : info->id, id) == 0)
			return true;
	}
	return false;
}

/* A rule whose pattern fits the name and that is no hit all the same: what stood in its way. */
static void
say_miss(struct why *w, const struct pack *p, const struct pack_signature *s)
{
	char id[160], others[160], reason[256];
	struct said x = { .id = id, .outcome = "out", .reason = reason };

	snprintf(id, sizeof(id), "%s/%s", p->id, s->id);
	for (unsigned m = 0; m < s->match_count; m++) {
		x.pattern = pattern_of(&s->match[m], PACK_HOST_LAST, w->name, w->len);
		if (!x.pattern)
			continue;
		if (is_hit(w, id))
			return;
		others_of(&s->match[m], others, sizeof(others));
		if (others[0])
			snprintf(reason, sizeof(reason), "needs more than the name: %s", others);
		else if (s->valid)
			snprintf(reason, sizeof(reason), "an exception, or its dates, exclude it");
		else
			snprintf(reason, sizeof(reason), "an exception excludes it");
		say(w, &x, s);
		return;
	}
}

static void
say_all(struct why *w)
{
	say_hits(w);
	for (unsigned f = 0; f < w->packs->n; f++) {
		const struct pack *p = w->packs->files[f].pack;

		for (unsigned i = 0; i < p->signatures_count; i++)
			say_miss(w, p, &p->signatures[i]);
	}
}

int
sigcmd_why(const struct sigcmd *c)
{
	char name[SIG_NAME_MAX + 1];
	int n = sig_name_canonical(name, (const uint8_t *)c->argv[0], strlen(c->argv[0]));
	struct why w = { .name = name, .len = n > 0 ? (size_t)n : 0 };
	struct sig_packs *packs = NULL;
	struct sig_ruleset *rules = NULL;
	struct sig_scratch *scratch = NULL;
	int code;

	if (n < 0)
		return ctl_usage(c->verb, "%s: that is no host name", c->argv[0]);
	code = sigcmd_load(c->packs, &packs, &rules);
	if (code)
		return code;
	w.packs = packs;
	w.rules = rules;
	w.list = c->json ? json_array() : NULL;
	if (sig_scratch_new(rules, &scratch) != 0) {
		code = 1;
	} else {
		sig_match_name(rules, scratch, name, w.len, &w.result);
		say_all(&w);
	}
	if (w.list) {
		json_t *o = json_pack("{s:s, s:o}", "name", name, "rules", w.list);

		json_dumpf(o, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(o);
	} else if (w.result.n_hits == 0) {
		printf("%s: no rule matches this name alone\n", name);
	}
	sig_scratch_free(scratch);
	sig_ruleset_free(rules);
	sig_packs_free(packs);
	return code;
}

/* --- show --- */

static json_t *
entry_json(const struct pack_entry *e)
{
	json_t *o = json_object();

	for (unsigned k = 0; k < PACK_KEYS; k++) {
		json_t *list = json_array();

		for (unsigned i = 0; i < e->key[k].n; i++)
			json_array_append_new(list, json_string(e->key[k].v[i]));
		if (e->key[k].n > 0)
			json_object_set(o, pack_key_names[k], list);
		json_decref(list);
	}
	if (e->payload_count > 0) {
		json_t *list = json_array();

		for (unsigned i = 0; i < e->payload_count; i++)
			json_array_append_new(list,
			    json_pack("{s:i, s:s, s:s*, s:s*}", "offset", (int)e->payload[i].offset,
				"dir", e->payload[i].dir == PACK_DOWN ? "down" : "up", "hex",
				e->payload[i].hex, "text", e->payload[i].text));
		json_object_set_new(o, "payload", list);
	}
	return o;
}

static json_t *
signature_json(const struct pack *p, const struct pack_signature *s)
{
	json_t *match = json_array(), *except = json_array(), *o;
	const struct pack_product *product = pack_product_of(p, s);
	char id[160];

	snprintf(id, sizeof(id), "%s/%s", p->id, s->id);
	for (unsigned i = 0; i < s->match_count; i++)
		json_array_append_new(match, entry_json(&s->match[i]));
	for (unsigned i = 0; i < s->except_count; i++)
		json_array_append_new(except, entry_json(&s->except[i]));
	o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s*, s:b, s:b, "
		      "s:b, s:b, s:o, s:o}",
	    "signature", id, "vendor", p->vendor.name, "owner", p->vendor.owner, "country",
	    p->vendor.country, "product", product->name, "category", product->category, "function",
	    sig_function_name(s->function), "confidence", sig_confidence_name(s->confidence),
	    "source", s->source, "reviewed", s->reviewed, "pack_version", p->version, "note",
	    s->note, "shared", s->shared, "oem", s->oem, "artefact", s->artefact, "by_label",
	    s->by_label, "match", match, "except", except);
	if (s->valid)
		json_object_set_new(o, "valid",
		    json_pack("{s:s*, s:s*}", "from", s->valid->from, "until", s->valid->until));
	return o;
}

static void
show_text(const struct pack *p, const struct pack_signature *s)
{
	const struct pack_product *product = pack_product_of(p, s);

	printf("%s/%s\n  product     %s (%s)\n  function    %s\n  confidence  at most %s\n", p->id,
	    s->id, product->name, product->category, sig_function_name(s->function),
	    sig_confidence_name(s->confidence));
	for (unsigned x = 0; x < 2; x++)
		for (unsigned i = 0; i < (x ? s->except_count : s->match_count); i++) {
			json_t *e = entry_json(x ? &s->except[i] : &s->match[i]);
			char *text = json_dumps(e, JSON_ENSURE_ASCII);

			printf("  %-10s  %s\n", x ? "except" : "match", text ? text : "");
			free(text);
			json_decref(e);
		}
	if (s->by_label)
		printf(
		    "  by label    a label such as update3 or telemetry tells another function\n");
	printf("  source      %s\n  reviewed    %s\n", s->source, s->reviewed);
	if (s->note)
		printf("  note        %s\n", s->note);
	if (s->shared || s->oem || s->artefact)
		printf("  marks      %s%s%s\n", s->shared ? " shared" : "", s->oem ? " oem" : "",
		    s->artefact ? " artefact" : "");
}

static void
show_pack(const struct pack *p, bool json)
{
	json_t *list = json ? json_array() : NULL;

	if (!json)
		printf("%s: %s, %s, owned by %s\nversion %s, seat as of %s (%s)\n\n", p->id,
		    p->vendor.name, p->vendor.country, p->vendor.owner, p->version, p->vendor.as_of,
		    p->vendor.source);
	for (unsigned i = 0; i < p->signatures_count; i++) {
		if (json)
			json_array_append_new(list, signature_json(p, &p->signatures[i]));
		else
			show_text(p, &p->signatures[i]);
	}
	if (json) {
		json_dumpf(list, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(list);
	}
}

int
sigcmd_show(const struct sigcmd *c)
{
	struct sig_packs *packs = NULL;
	const struct pack *pack = NULL;
	const struct pack_signature *s;
	int code = sigcmd_load(c->packs, &packs, NULL);

	if (code)
		return code;
	s = signature_of(packs, c->argv[0], &pack);
	for (unsigned f = 0; f < packs->n && !pack; f++)
		if (strcmp(packs->files[f].pack->id, c->argv[0]) == 0)
			pack = packs->files[f].pack;
	if (!pack) {
		ctl_error("no pack or signature %s in %s (see phonehome signatures list)",
		    c->argv[0], c->packs);
		code = CTL_USAGE;
	} else if (!s) {
		show_pack(pack, c->json);
	} else if (c->json) {
		json_t *o = signature_json(pack, s);

		json_dumpf(o, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(o);
	} else {
		show_text(pack, s);
	}
	sig_packs_free(packs);
	return code;
}
