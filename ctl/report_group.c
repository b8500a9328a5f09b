/* SPDX-License-Identifier: Apache-2.0 */
/* Rows added up: groups in a hash table, distinct hosts in a set of 64-bit keys. */
#include <stdlib.h>
#include <string.h>

#include "ctl/report_impl.h"
#include "signatures/base/hash.h"

enum { KEY_MAX = 600 };

enum group_column {
	G_VENDOR,
	G_OWNER,
	G_COUNTRY,
	G_PRODUCT,
	G_CATEGORY,
	G_FUNCTION,
	G_HOST,
	G_SENSOR,
	G_HOSTS,
	G_PORTAL,
	G_PRODUCTS,
	G_FLOWS,
	G_UP,
	G_DOWN,
	G_DROPPED,
	G_CONFIDENCE,
	G_FIRST,
	G_LAST,
	G_NAMES,
	G_MAX
};
static const struct ctl_column all_columns[G_MAX] = {
	[G_VENDOR] = { "vendor", "VENDOR", 8, 0 },
	[G_OWNER] = { "owner", "OWNER", 10, 9 },
	[G_COUNTRY] = { "country", "CC", 0, 0 },
	[G_PRODUCT] = { "product", "PRODUCT", 8, 0 },
	[G_CATEGORY] = { "category", "CATEGORY", 0, 4 },
	[G_FUNCTION] = { "function", "FUNCTION", 0, 0 },
	[G_HOST] = { "host", "HOST", 0, 0 },
	[G_SENSOR] = { "sensor", "SENSOR", 6, 0 },
	[G_HOSTS] = { "hosts", "HOSTS", 0, 0 },
	[G_PORTAL] = { "portal_hosts", "READERS", 0, 6 },
	[G_PRODUCTS] = { "products", "PRODUCTS", 0, 3 },
	[G_FLOWS] = { "flows", "FLOWS", 0, 2 },
	[G_UP] = { "bytes_up", "UP", 0, 5 },
	[G_DOWN] = { "bytes_down", "DOWN", 0, 5 },
	[G_DROPPED] = { "dropped", "DROPPED", 0, 7 },
	[G_CONFIDENCE] = { "confidence", "SURE", 0, 4 },
	[G_FIRST] = { "first_seen", "FIRST SEEN", 10, 8 },
	[G_LAST] = { "last_seen", "LAST SEEN", 10, 1 },
	[G_NAMES] = { "names", "EVIDENCE", 16, 0 },
};

#define BIT(c) (1u << (c))
/* Which of the columns say something of a group; the counts always do. */
static const uint32_t dims[CTL_BY_MAX] = {
	[CTL_BY_VENDOR] = BIT(G_VENDOR) | BIT(G_OWNER) | BIT(G_COUNTRY) | BIT(G_HOSTS) |
			  BIT(G_PRODUCTS),
	[CTL_BY_PRODUCT] = BIT(G_VENDOR) | BIT(G_COUNTRY) | BIT(G_PRODUCT) | BIT(G_CATEGORY) |
			   BIT(G_HOSTS),
	[CTL_BY_COUNTRY] = BIT(G_COUNTRY) | BIT(G_HOSTS) | BIT(G_PRODUCTS),
	[CTL_BY_FUNCTION] = BIT(G_FUNCTION) | BIT(G_HOSTS) | BIT(G_PRODUCTS),
	[CTL_BY_CATEGORY] = BIT(G_CATEGORY) | BIT(G_HOSTS) | BIT(G_PRODUCTS),
	[CTL_BY_HOST] = BIT(G_HOST) | BIT(G_PRODUCTS),
	[CTL_BY_SENSOR] = BIT(G_SENSOR) | BIT(G_HOSTS) | BIT(G_PRODUCTS),
};
static const uint32_t always = BIT(G_PORTAL) | BIT(G_FLOWS) | BIT(G_UP) | BIT(G_DOWN) |
			       BIT(G_DROPPED) | BIT(G_CONFIDENCE) | BIT(G_FIRST) | BIT(G_LAST) |
			       BIT(G_NAMES);

bool
ctl_report_shows_details(const struct ctl_report_config *config)
{
	return config->group == CTL_BY_ROW ||
	       (dims[config->group] & (BIT(G_OWNER) | BIT(G_CATEGORY))) != 0;
}

void
report_group_columns(struct ctl_report *r)
{
	uint32_t mine = dims[r->config.group] | always;

	if (r->config.group == CTL_BY_HOST)
		mine &= ~BIT(G_PORTAL);
	for (unsigned i = 0; i < G_MAX; i++) {
		r->columns[i] = all_columns[i];
		if (mine & BIT(i))
			continue;
		/* A place holder: neither shown nor in JSON, but the columns do not end here. */
		r->columns[i] = (struct ctl_column){ .key = NULL, .title = "" };
	}
}

static const char *
or_empty(const char *s)
{
	return s ? s : "";
}

static const char *
vendor_key(const struct store_row *row)
{
	return row->vendor_id ? row->vendor_id : or_empty(row->vendor);
}

/* What a row is grouped by; returns its length. */
static size_t
key_of(enum ctl_group by, const struct store_row *row, char key[static KEY_MAX])
{
	const char *a = "", *b = "";

	switch (by) {
	case CTL_BY_VENDOR: a = vendor_key(row); break;
	case CTL_BY_PRODUCT:
		a = vendor_key(row);
		b = row->product_id ? row->product_id : or_empty(row->product);
		break;
	case CTL_BY_COUNTRY: a = or_empty(row->country); break;
	case CTL_BY_FUNCTION: a = row->function ? sig_function_name(row->function) : ""; break;
	case CTL_BY_CATEGORY: a = or_empty(row->category); break;
	case CTL_BY_HOST: a = or_empty(row->host); break;
	case CTL_BY_SENSOR: a = or_empty(row->sensor); break;
	default: break;
	}
	int n = snprintf(key, KEY_MAX, "%s\n%s", a, b);
	return n < KEY_MAX ? (size_t)n : KEY_MAX - 1;
}

static bool
grow(struct ctl_report *r)
{
	size_t cap = r->cap_groups ? r->cap_groups * 2 : 64;
	struct group *groups = reallocarray(r->groups, cap, sizeof(*groups));
	uint32_t *index;

	if (!groups)
		return false;
	r->groups = groups;
	r->cap_groups = cap;
	index = calloc(cap * 2, sizeof(*index));
	if (!index)
		return false;
	free(r->index);
	r->index = index;
	r->cap_index = cap * 2;
	for (size_t g = 0; g < r->n_groups; g++) {
		size_t i = r->groups[g].hash & (r->cap_index - 1);
		while (r->index[i])
			i = (i + 1) & (r->cap_index - 1);
		r->index[i] = (uint32_t)g + 1;
	}
	return true;
}

static char *
copy(const char *s)
{
	return s && *s ? strdup(s) : NULL;
}

static struct group *
find(struct ctl_report *r, const struct store_row *row)
{
	char key[KEY_MAX];
	size_t len = key_of(r->config.group, row, key);
	uint64_t hash = sig_hash(key, len, r->seed);

	if (r->n_groups == r->cap_groups && !grow(r))
		return NULL;
	size_t i = hash & (r->cap_index - 1);
	for (; r->index[i]; i = (i + 1) & (r->cap_index - 1)) {
		struct group *g = &r->groups[r->index[i] - 1];
		if (g->hash == hash && strcmp(g->key, key) == 0)
			return g;
	}
	struct group *g = &r->groups[r->n_groups];
	/* Only what is the same in all its rows: the first row's host is not a product's. */
	uint32_t same = dims[r->config.group];
	*g = (struct group){
		.key = strdup(key),
		.hash = hash,
		.vendor = same & BIT(G_VENDOR) ? copy(row->vendor) : NULL,
		.owner = same & BIT(G_OWNER) ? copy(row->owner) : NULL,
		.country = same & BIT(G_COUNTRY) ? copy(row->country) : NULL,
		.product = same & BIT(G_PRODUCT) ? copy(row->product) : NULL,
		.category = same & BIT(G_CATEGORY) ? copy(row->category) : NULL,
		.host = same & BIT(G_HOST) ? copy(row->host) : NULL,
		.sensor = same & BIT(G_SENSOR) ? copy(row->sensor) : NULL,
		.function = same & BIT(G_FUNCTION) ? row->function : SIG_FN_NONE,
		.first_us = row->first_seen_us,
	};
	if (!g->key)
		return NULL;
	r->index[i] = (uint32_t)++r->n_groups;
	return g;
}

/* Into the few that are kept: the first by spelling, so that every source gives the same ones. */
static void
take_name(struct group *g, const char *name)
{
	unsigned at = g->n_names;

	for (int c = -1; at > 0 && (c = strcmp(g->names[at - 1], name)) >= 0; at--)
		if (c == 0)
			return;
	if (at == GROUP_NAMES_MAX)
		return;
	char *own = strdup(name);
	if (!own)
		return;
	if (g->n_names == GROUP_NAMES_MAX)
		free(g->names[--g->n_names]);
	memmove(&g->names[at + 1], &g->names[at], (g->n_names - at) * sizeof(g->names[0]));
	g->names[at] = own;
	g->n_names++;
}

/* The group's evidence: names of its surest rows, few. */
static void
take_names(struct group *g, const struct store_row *row)
{
	if (row->confidence < g->confidence)
		return;
	if (row->confidence > g->confidence) {
		while (g->n_names > 0)
			free(g->names[--g->n_names]);
		g->confidence = row->confidence;
	}
	for (unsigned i = 0; i < row->n_names; i++)
		take_name(g, row->names[i]);
}

bool
report_group_add(struct ctl_report *r, const struct store_row *row)
{
	struct group *g = find(r, row);
	const char *product = row->product_id ? row->product_id : or_empty(row->product);
	bool portal = row->function == SIG_FN_PORTAL;

	if (!g) {
		ctl_error("out of memory after %zu groups", r->n_groups);
		return false;
	}
	uint64_t host = sig_hash(
	    or_empty(row->host), strlen(or_empty(row->host)), g->hash ^ portal);
	if (ctl_seen_add(&r->seen, host))
		*(portal ? &g->portal_hosts : &g->hosts) += 1;
	uint64_t vp = sig_hash(vendor_key(row), strlen(vendor_key(row)), ~g->hash);
	if (ctl_seen_add(&r->seen, sig_hash(product, strlen(product), vp)))
		g->products++;
	g->flows += row->flows;
	g->bytes_up += row->bytes_up;
	g->bytes_down += row->bytes_down;
	g->dropped += row->dropped;
	if (row->first_seen_us < g->first_us)
		g->first_us = row->first_seen_us;
	if (row->last_seen_us > g->last_us)
		g->last_us = row->last_seen_us;
	take_names(g, row);
	return true;
}

static int
by_number(uint64_t a, uint64_t b)
{
	return a > b ? -1 : a < b;
}

static int
compare_groups(const void *pa, const void *pb, void *sort)
{
	const struct group *a = pa, *b = pb;
	int c = 0;

	switch (*(enum ctl_sort *)sort) {
	case CTL_SORT_FLOWS: c = by_number(a->flows, b->flows); break;
	case CTL_SORT_BYTES:
		c = by_number(a->bytes_up + a->bytes_down, b->bytes_up + b->bytes_down);
		break;
	case CTL_SORT_DROPPED: c = by_number(a->dropped, b->dropped); break;
	case CTL_SORT_FIRST: c = by_number(b->first_us, a->first_us); break;
	case CTL_SORT_LAST: c = by_number(a->last_us, b->last_us); break;
	case CTL_SORT_NONE:
	case CTL_SORT_HOSTS: c = by_number(a->hosts, b->hosts); break;
	case CTL_SORT_COUNTRY: c = strcmp(or_empty(a->country), or_empty(b->country)); break;
	case CTL_SORT_VENDOR: c = strcmp(or_empty(a->vendor), or_empty(b->vendor)); break;
	case CTL_SORT_PRODUCT: c = strcmp(or_empty(a->product), or_empty(b->product)); break;
	case CTL_SORT_FUNCTION: c = (int)a->function - (int)b->function; break;
	default: break;
	}
	if (c == 0 && a->host && b->host)
		c = ctl_host_compare(a->host, b->host);
	return c ? c : strcmp(a->key, b->key);
}

static void
values_of(const struct group *g, struct ctl_value v[static G_MAX])
{
	v[G_VENDOR] = ctl_fact(g->vendor);
	v[G_OWNER] = ctl_fact(g->owner);
	v[G_COUNTRY] = ctl_text(g->country);
	v[G_PRODUCT] = ctl_fact(g->product);
	v[G_CATEGORY] = ctl_text(g->category);
	v[G_FUNCTION] = ctl_text(g->function ? sig_function_name(g->function) : NULL);
	v[G_HOST] = ctl_text(g->host);
	v[G_SENSOR] = ctl_text(g->sensor);
	v[G_HOSTS] = ctl_number(CTL_K_UINT, g->hosts);
	v[G_PORTAL] = ctl_number(CTL_K_UINT, g->portal_hosts);
	v[G_PRODUCTS] = ctl_number(CTL_K_UINT, g->products);
	v[G_FLOWS] = ctl_number(CTL_K_UINT, g->flows);
	v[G_UP] = ctl_number(CTL_K_BYTES, g->bytes_up);
	v[G_DOWN] = ctl_number(CTL_K_BYTES, g->bytes_down);
	v[G_DROPPED] = ctl_number(CTL_K_UINT, g->dropped);
	v[G_CONFIDENCE] = ctl_text(g->confidence ? sig_confidence_name(g->confidence) : NULL);
	v[G_FIRST] = ctl_number(CTL_K_TIME, g->first_us);
	v[G_LAST] = ctl_number(CTL_K_TIME, g->last_us);
	v[G_NAMES] = (struct ctl_value){ .kind = CTL_K_LIST };
	v[G_NAMES].list.item = g->names;
	v[G_NAMES].list.n = g->n_names;
}

void
report_group_print(struct ctl_report *r)
{
	struct ctl_value v[G_MAX];

	if (r->n_groups > 0)
		qsort_r(
		    r->groups, r->n_groups, sizeof(*r->groups), compare_groups, &r->config.sort);
	for (size_t i = 0; i < r->n_groups; i++) {
		if (r->config.limit && i >= r->config.limit)
			break;
		values_of(&r->groups[i], v);
		for (unsigned c = 0; c < G_MAX; c++)
			if (!r->columns[c].key)
				v[c].kind = CTL_K_NONE;
		if (!ctl_print_row(r->print, v))
			break;
	}
}

void
report_group_free(struct ctl_report *r)
{
	for (size_t i = 0; i < r->n_groups; i++) {
		struct group *g = &r->groups[i];
		char *all[] = { g->key, g->vendor, g->owner, g->country, g->product, g->category,
			g->host, g->sensor };
		for (unsigned k = 0; k < sizeof(all) / sizeof(all[0]); k++)
			free(all[k]);
		for (unsigned k = 0; k < g->n_names; k++)
			free(g->names[k]);
	}
	free(r->groups);
	free(r->index);
	ctl_seen_free(&r->seen);
}
