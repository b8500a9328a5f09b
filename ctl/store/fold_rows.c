/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows that flows count into, and the hosts behind them: which of those speak for others.
 */
#include "ctl/store/fold_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/store/row_text.h"
#include "signatures/base/hash.h"
#include "signatures/base/text.h"

enum { ID_MAX = 128 }; /* bytes of a vendor's or product's id */

static struct fold_row *row_of(struct store_fold *fold, const struct clf_event *e);
static void take_facts(struct store_row *row, const struct clf_event *e);
static void sighting(struct fold_row *r, const struct clf_event *e);
static void withdraw(struct store_fold *fold, struct fold_share *share);

static bool
stopped(const struct clf_event *e)
{
	return e->verdict == CLF_DROP || e->verdict == CLF_RESET;
}

void
fold_count(struct store_fold *fold, struct fold_share *share, const struct clf_event *e)
{
	/* A filter's own page is no sign of an agent: such a flow is a record, never a row. */
	bool counts = e->vendor.len != 0 && e->product.len != 0 && !e->sig_artefact;
	struct fold_row *r = counts ? row_of(fold, e) : NULL;

	if (share->row != r)
		withdraw(fold, share);
	if (!r)
		return;
	if (!share->row) {
		r->row.flows++;
		take_facts(&r->row, e);
	}
	share->row = r;
	/* differences, modulo 2^64: what the flow added before comes off */
	r->row.bytes_up += e->bytes[CLF_UP] - share->bytes[CLF_UP];
	r->row.bytes_down += e->bytes[CLF_DOWN] - share->bytes[CLF_DOWN];
	r->row.dropped += (uint64_t)stopped(e) - share->dropped;
	share->bytes[CLF_UP] = e->bytes[CLF_UP];
	share->bytes[CLF_DOWN] = e->bytes[CLF_DOWN];
	share->dropped = stopped(e);
	sighting(r, e);
	fold_dirty(fold, r);
}

/* The flow is another product's after all: its counts leave the row it was in. */
static void
withdraw(struct store_fold *fold, struct fold_share *share)
{
	struct fold_row *r = share->row;

	if (r) {
		r->row.flows--;
		r->row.bytes_up -= share->bytes[CLF_UP];
		r->row.bytes_down -= share->bytes[CLF_DOWN];
		r->row.dropped -= share->dropped;
		fold_dirty(fold, r);
	}
	*share = (struct fold_share){ 0 };
}

void
fold_dirty(struct store_fold *fold, struct fold_row *row)
{
	if (row->dirty)
		return;
	row->dirty = true;
	row->next_dirty = NULL;
	*fold->dirty_last = row;
	fold->dirty_last = &row->next_dirty;
}

/* --- rows --- */

struct row_key {
	const uint8_t *addr;
	const uint8_t *vendor, *product; /* ids, or names where there is no id */
	size_t vendor_len, product_len;
	uint8_t ip_version, function;
};

static uint64_t
key_hash(const struct store_fold *fold, const struct row_key *k)
{
	uint64_t h = sig_hash(k->addr, k->ip_version == 6 ? 16 : 4, fold->seed[0] ^ k->function);

	h = sig_hash(k->vendor, k->vendor_len, h);
	return sig_hash(k->product, k->product_len, h);
}

static bool
text_is(const char *text, const uint8_t *bytes, size_t len)
{
	return text && strlen(text) == len && memcmp(text, bytes, len) == 0;
}

static struct fold_row *
find_row(const struct store_fold *fold, const struct row_key *k, uint64_t hash)
{
	struct store_node *n = store_map_chain(&fold->rows, hash);

	for (; n; n = n->next) {
		struct fold_row *r = store_of(n, struct fold_row, node);

		if (n->hash == hash && r->row.function == k->function &&
		    r->host->ip_version == k->ip_version &&
		    memcmp(r->host->addr, k->addr, k->ip_version == 6 ? 16 : 4) == 0 &&
		    text_is(r->row.vendor_id, k->vendor, k->vendor_len) &&
		    text_is(r->row.product_id, k->product, k->product_len))
			return r;
	}
	return NULL;
}

static int
number_row(struct store_fold *fold, struct fold_row *r)
{
	if (fold->rows.n == fold->numbered_room) {
		uint32_t room = fold->numbered_room ? fold->numbered_room * 2 : 1024;
		struct fold_row **more = realloc(fold->numbered, room * sizeof(struct fold_row *));

		if (!more)
			return -ENOMEM;
		fold->numbered = more;
		fold->numbered_room = room;
	}
	fold->numbered[fold->rows.n] = r;
	return 0;
}

static struct fold_row *
add_row(struct store_fold *fold, struct store_row *row, struct fold_host *host, uint64_t hash)
{
	struct fold_row *r = calloc(1, sizeof(*r));

	if (!r || number_row(fold, r) < 0) {
		free(r);
		return NULL;
	}
	r->row = *row;
	r->host = host;
	r->row.forwarder |= host->forwarder;
	r->next_of_host = host->rows;
	host->rows = r;
	store_map_add(&fold->rows, &r->node, hash);
	fold->stats.rows_now = fold->rows.n;
	return r;
}

static char *
event_text(const struct clf_event *e, struct clf_str s, size_t max)
{
	return s.len ? store_text_clean(clf_event_str(e, s), s.len, max) : NULL;
}

/* The texts that identify the row's product, from a flow's details. */
static int
describe(const struct store_fold *fold, const struct clf_event *e, const struct row_key *k,
    struct store_row *ret)
{
	struct store_row row = {
		.function = k->function, .dns_only = true, .first_seen_us = UINT64_MAX
	};
	char host[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(k->ip_version == 6 ? AF_INET6 : AF_INET, k->addr, host, sizeof(host));
	row.sensor = strdup(fold->sensor);
	row.host = strdup(host);
	row.vendor = event_text(e, e->vendor, 256);
	row.vendor_id = store_text_clean(k->vendor, k->vendor_len, ID_MAX);
	row.owner = event_text(e, e->owner, 256);
	row.country = event_text(e, e->country, 8);
	row.owner_country = event_text(e, e->owner_country, 8);
	row.product = event_text(e, e->product, 256);
	row.product_id = store_text_clean(k->product, k->product_len, ID_MAX);
	row.category = event_text(e, e->category, 64);
	if (!row.sensor || !row.host || !row.vendor || !row.vendor_id || !row.product ||
	    !row.product_id) {
		store_row_free(&row);
		return -ENOMEM;
	}
	*ret = row;
	return 0;
}

/* What the packs say of vendor and product may have changed since the row was made: the vendor was
 * sold, the product has another name. The newest flow's packs are right. */
static void
take_facts(struct store_row *row, const struct clf_event *e)
{
	const struct {
		char **text;
		struct clf_str now;
		size_t max;
	} facts[] = {
		{ &row->vendor, e->vendor, 256 },
		{ &row->owner, e->owner, 256 },
		{ &row->country, e->country, 8 },
		{ &row->owner_country, e->owner_country, 8 },
		{ &row->product, e->product, 256 },
		{ &row->category, e->category, 64 },
	};

	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		struct clf_str now = facts[i].now;
		char *text = NULL;

		if (!text_is(*facts[i].text, clf_event_str(e, now), now.len))
			text = event_text(e, now, facts[i].max);
		if (!text)
			continue;
		free(*facts[i].text);
		*facts[i].text = text;
	}
}

static struct fold_row *
row_of(struct store_fold *fold, const struct clf_event *e)
{
	struct clf_str vendor = e->vendor_id.len ? e->vendor_id : e->vendor;
	struct clf_str product = e->product_id.len ? e->product_id : e->product;
	struct row_key k = {
		.addr = fold_inside(e),
		.vendor = clf_event_str(e, vendor),
		.vendor_len = vendor.len < ID_MAX ? vendor.len : ID_MAX,
		.product = clf_event_str(e, product),
		.product_len = product.len < ID_MAX ? product.len : ID_MAX,
		.ip_version = e->ip_version,
		.function = e->function,
	};
	uint64_t hash = key_hash(fold, &k);
	struct fold_row *r = find_row(fold, &k, hash);
	struct fold_host *host;
	struct store_row row;

	if (r)
		return r;
	host = fold->rows.n < fold->config.max_rows ? fold_host(fold, k.ip_version, k.addr) : NULL;
	if (!host || describe(fold, e, &k, &row) < 0) {
		fold->stats.rows_full++;
		return NULL;
	}
	r = add_row(fold, &row, host, hash);
	if (!r)
		store_row_free(&row);
	return r;
}

static void
add_name_text(struct store_row *row, const char *name)
{
	if (row->n_names == STORE_ROW_NAMES_MAX)
		return;
	for (unsigned i = 0; i < row->n_names; i++)
		if (strcmp(row->names[i], name) == 0)
			return;
	row->names[row->n_names] = strdup(name);
	if (row->names[row->n_names])
		row->n_names++;
}

static void
add_name(struct store_row *row, const struct clf_event *e)
{
	char name[4 * SIG_NAME_MAX + 1];

	if (e->name.len == 0)
		return;
	(void)sig_text_escape(name, sizeof(name), clf_event_str(e, e->name), e->name.len);
	add_name_text(row, name);
}

/* What a flow tells beside its counts. */
static void
sighting(struct fold_row *r, const struct clf_event *e)
{
	struct store_row *row = &r->row;

	if (e->first_us < row->first_seen_us)
		row->first_seen_us = e->first_us;
	if (e->last_us > row->last_seen_us)
		row->last_seen_us = e->last_us;
	if (!fold_is_dns(e))
		row->dns_only = false;
	if (!row->signature || e->confidence > row->confidence) {
		char *signature = event_text(e, e->signature, 256);

		if (signature) {
			free(row->signature);
			row->signature = signature;
		}
	}
	if (e->confidence > row->confidence)
		row->confidence = e->confidence;
	add_name(row, e);
}

/* The store came back after this run had begun: what it held comes on top, once. */
static int
merge(struct store_fold *fold, struct fold_row *r, const struct store_row *old)
{
	struct store_row *row = &r->row;

	if (r->preloaded)
		return -EEXIST;
	r->preloaded = true;
	row->flows += old->flows;
	row->bytes_up += old->bytes_up;
	row->bytes_down += old->bytes_down;
	row->dropped += old->dropped;
	row->dns_only &= old->dns_only;
	if (old->first_seen_us < row->first_seen_us)
		row->first_seen_us = old->first_seen_us;
	if (old->last_seen_us > row->last_seen_us)
		row->last_seen_us = old->last_seen_us;
	if (old->confidence > row->confidence)
		row->confidence = old->confidence;
	for (unsigned i = 0; i < old->n_names; i++)
		add_name_text(row, old->names[i]);
	if (old->forwarder)
		fold_host_forwards(fold, r->host);
	fold_dirty(fold, r);
	return 0;
}

int
store_fold_preload(struct store_fold *fold, const struct store_row *row)
{
	struct store_row copy = { 0 };
	struct fold_host *host;
	struct fold_row *r;
	struct row_key k = { .function = row->function };
	uint8_t addr[16] = { 0 };
	uint64_t hash;

	if (!row->host || !row->vendor_id || !row->product_id)
		return -EINVAL;
	k.ip_version = strchr(row->host, ':') ? 6 : 4;
	if (inet_pton(k.ip_version == 6 ? AF_INET6 : AF_INET, row->host, addr) != 1)
		return -EINVAL;
	k.addr = addr;
	k.vendor = (const uint8_t *)row->vendor_id;
	k.vendor_len = strlen(row->vendor_id);
	k.product = (const uint8_t *)row->product_id;
	k.product_len = strlen(row->product_id);
	hash = key_hash(fold, &k);
	r = find_row(fold, &k, hash);
	if (r)
		return merge(fold, r, row);
	host = fold->rows.n < fold->config.max_rows ? fold_host(fold, k.ip_version, addr) : NULL;
	if (!host) {
		fold->stats.rows_full++;
		return -ENOSPC;
	}
	if (row->forwarder)
		fold_host_forwards(fold, host);
	if (store_row_copy(row, &copy) < 0)
		return -ENOMEM;
	r = add_row(fold, &copy, host, hash);
	if (!r) {
		store_row_free(&copy);
		return -ENOMEM;
	}
	r->preloaded = true;
	return 0;
}
