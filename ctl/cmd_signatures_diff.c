/* SPDX-License-Identifier: Apache-2.0 */
/* `phonehome signatures diff`: what another set of packs would change. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/cmd_signatures.h"

/* One thing that a set of packs says: "signature", and a line of what it says of it. */
struct line {
	char *id, *text;
};

struct lines {
	struct line *v;
	size_t n, cap;
	bool failed;
};

static void
add(struct lines *l, const struct pack *p, const struct pack_signature *s, const char *key,
    const char *value)
{
	struct line one = { 0 };

	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 1024;
		struct line *more = realloc(l->v, cap * sizeof(*more));

		if (!more) {
			l->failed = true;
			return;
		}
		l->v = more;
		l->cap = cap;
	}
	if (asprintf(&one.id, "%s/%s", p->id, s->id) < 0)
		one.id = NULL;
	if (asprintf(&one.text, "%s: %s", key, value) < 0)
		one.text = NULL;
	if (one.id && one.text) {
		l->v[l->n++] = one;
		return;
	}
	free(one.id);
	free(one.text);
	l->failed = true;
}

/* All parts of an entry, which must hold together: "host a.example; path /d/". Free it. */
static char *
whole(const struct pack_entry *e)
{
	const char *next = "";
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	for (unsigned k = 0; f && k < PACK_KEYS; k++) {
		for (unsigned j = 0; j < e->key[k].n; j++) {
			if (j == 0)
				fprintf(f, "%s%s ", next, pack_key_names[k]);
			fprintf(f, "%s%s", j ? ", " : "", e->key[k].v[j]);
			next = "; ";
		}
	}
	for (unsigned j = 0; f && j < e->payload_count; j++) {
		const struct pack_payload *y = &e->payload[j];

		fprintf(f, "%spayload %s %u %s", next, y->dir == PACK_DOWN ? "down" : "up",
		    y->offset, y->hex ? y->hex : y->text);
		next = "; ";
	}
	if (f && fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

/* Values that each do alone are a line each; those that must hold together are one. */
static void
add_entries(struct lines *l, const struct pack *p, const struct pack_signature *s,
    const struct pack_entry *e, unsigned n, const char *prefix)
{
	char key[64];

	for (unsigned i = 0; i < n; i++) {
		unsigned parts = e[i].payload_count, last = PACK_KEYS;

		for (unsigned k = 0; k < PACK_KEYS; k++)
			if (e[i].key[k].n > 0) {
				parts++;
				last = k;
			}
		if (parts == 1 && last < PACK_KEYS) {
			snprintf(key, sizeof(key), "%s%s", prefix, pack_key_names[last]);
			for (unsigned j = 0; j < e[i].key[last].n; j++)
				add(l, p, s, key, e[i].key[last].v[j]);
			continue;
		}
		char *text = whole(&e[i]);

		snprintf(key, sizeof(key), "%stogether", prefix);
		if (text)
			add(l, p, s, key, text);
		else
			l->failed = true;
		free(text);
	}
}

static int
by_id(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	int d = strcmp(x->id, y->id);

	return d ? d : strcmp(x->text, y->text);
}

static void
gather(struct lines *l, const struct sig_packs *packs)
{
	for (unsigned f = 0; f < packs->n; f++) {
		const struct pack *p = packs->files[f].pack;

		for (unsigned i = 0; i < p->signatures_count; i++) {
			const struct pack_signature *s = &p->signatures[i];
			const struct pack_product *product = pack_product_of(p, s);

			add(l, p, s, "vendor", p->vendor.name);
			add(l, p, s, "owner", p->vendor.owner);
			add(l, p, s, "country", p->vendor.country);
			if (p->vendor.owner_country)
				add(l, p, s, "owner_country", p->vendor.owner_country);
			add(l, p, s, "product", product->name);
			add(l, p, s, "category", product->category);
			add(l, p, s, "function", sig_function_name(s->function));
			add(l, p, s, "confidence", sig_confidence_name(s->confidence));
			if (s->shared)
				add(l, p, s, "shared", "true");
			if (s->oem)
				add(l, p, s, "oem", "true");
			if (s->artefact)
				add(l, p, s, "artefact", "true");
			if (s->by_label)
				add(l, p, s, "by_label",
				    product->agents ? product->agents : "true");
			if (s->valid && s->valid->from)
				add(l, p, s, "valid from", s->valid->from);
			if (s->valid && s->valid->until)
				add(l, p, s, "valid until", s->valid->until);
			add_entries(l, p, s, s->match, s->match_count, "");
			add_entries(l, p, s, s->except, s->except_count, "except ");
		}
	}
	if (l->n > 1)
		qsort(l->v, l->n, sizeof(*l->v), by_id);
}

static void
lines_free(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].id);
		free(l->v[i].text);
	}
	free(l->v);
}

static size_t
same_id(const struct lines *l, size_t i)
{
	size_t j = i;

	while (j < l->n && strcmp(l->v[j].id, l->v[i].id) == 0)
		j++;
	return j - i;
}

struct report {
	json_t *list; /* NULL: as text */
	unsigned added, removed, changed;
};

/* Lines a[0..na) of the old and b[0..nb) of the new set, of one signature; either may be none. */
static void
compare(struct report *r, const struct line *a, size_t na, const struct line *b, size_t nb)
{
	const char *id = na ? a->id : b->id, *what = !na ? "added" : !nb ? "removed" : "changed";
	json_t *gone = json_array(), *come = json_array();
	size_t i = 0, j = 0;

	while (i < na || j < nb) {
		int d = i == na ? 1 : j == nb ? -1 : strcmp(a[i].text, b[j].text);

		if (d < 0)
			json_array_append_new(gone, json_string(a[i].text));
		else if (d > 0)
			json_array_append_new(come, json_string(b[j].text));
		i += d <= 0;
		j += d >= 0;
	}
	if (json_array_size(gone) + json_array_size(come) > 0) {
		r->added += !na;
		r->removed += !nb;
		r->changed += na && nb;
		if (r->list) {
			json_array_append_new(
			    r->list, json_pack("{s:s, s:s, s:O, s:O}", "signature", id, "change",
					 what, "removed", gone, "added", come));
		} else {
			printf("%s %s\n", what, id);
			for (size_t k = 0; k < json_array_size(gone); k++)
				printf("  - %s\n", json_string_value(json_array_get(gone, k)));
			for (size_t k = 0; k < json_array_size(come); k++)
				printf("  + %s\n", json_string_value(json_array_get(come, k)));
		}
	}
	json_decref(gone);
	json_decref(come);
}

static void
compare_all(struct report *r, const struct lines *a, const struct lines *b)
{
	size_t i = 0, j = 0;

	while (i < a->n || j < b->n) {
		int d = i == a->n ? 1 : j == b->n ? -1 : strcmp(a->v[i].id, b->v[j].id);
		size_t na = d <= 0 ? same_id(a, i) : 0, nb = d >= 0 ? same_id(b, j) : 0;

		compare(r, a->v + i, na, b->v + j, nb);
		i += na;
		j += nb;
	}
}

int
sigcmd_diff(const struct sigcmd *c)
{
	struct sig_packs *old = NULL, *new = NULL;
	struct lines a = { 0 }, b = { 0 };
	struct report r = { .list = c->json ? json_array() : NULL };
	int code = sigcmd_load(c->argv[0], &old, NULL);

	if (!code)
		code = sigcmd_load(c->argv[1], &new, NULL);
	if (!code) {
		gather(&a, old);
		gather(&b, new);
		code = a.failed || b.failed;
	}
	if (!code)
		compare_all(&r, &a, &b);
	if (!code && r.list) {
		json_t *o = json_pack("{s:i, s:i, s:i, s:O}", "added", (int)r.added, "removed",
		    (int)r.removed, "changed", (int)r.changed, "signatures", r.list);

		json_dumpf(o, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(o);
	} else if (!code) {
		printf("%u added, %u removed, %u changed\n", r.added, r.removed, r.changed);
	}
	json_decref(r.list);
	lines_free(&a);
	lines_free(&b);
	sig_packs_free(old);
	sig_packs_free(new);
	return code;
}
