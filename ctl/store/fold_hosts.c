/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts that speak for others, recognised by what they do. The thresholds and what they cost are
 * argued in ctl/store/README.md, "Forwarders". A host that was recognised stays so.
 */
#include "ctl/store/fold_impl.h"

#include <stdlib.h>
#include <string.h>

#include "signatures/base/hash.h"

static void
consider(struct store_fold *fold, struct fold_host *host)
{
	bool asks_for_many = host->n_dns >= FOLD_FWD_DNS_VENDORS &&
			     host->n_own * FOLD_FWD_OWN_PART <= host->n_dns;

	if (asks_for_many || host->n_own >= FOLD_FWD_VENDORS || host->n_clients >= FOLD_FWD_CLIENTS)
		fold_host_forwards(fold, host);
}

void
fold_host_forwards(struct store_fold *fold, struct fold_host *host)
{
	if (host->forwarder)
		return;
	host->forwarder = true;
	fold->stats.forwarders_now++;
	for (struct fold_row *r = host->rows; r; r = r->next_of_host) {
		r->row.forwarder = true;
		fold_dirty(fold, r);
	}
}

struct fold_host *
fold_host(struct store_fold *fold, uint8_t ip_version, const uint8_t *addr)
{
	size_t len = ip_version == 6 ? 16 : 4;
	uint64_t hash = sig_hash(addr, len, fold->seed[1] ^ ip_version);
	struct store_node *n = store_map_chain(&fold->hosts, hash);
	struct fold_host *host;

	for (; n; n = n->next) {
		host = store_of(n, struct fold_host, node);
		if (host->ip_version == ip_version && memcmp(host->addr, addr, len) == 0)
			return host;
	}
	/* as many hosts as rows may be: a host without a row is watched for its clients alone */
	host = fold->hosts.n < fold->config.max_rows ? calloc(1, sizeof(*host)) : NULL;
	if (!host) {
		fold->stats.hosts_full++;
		return NULL;
	}
	host->ip_version = ip_version;
	memcpy(host->addr, addr, len);
	store_map_add(&fold->hosts, &host->node, hash);
	return host;
}

/* Adds to a small set; false: it was there, or the set is full. */
static bool
remember(uint32_t *set, uint8_t *n, unsigned max, uint64_t hash)
{
	for (unsigned i = 0; i < *n; i++)
		if (set[i] == (uint32_t)hash)
			return false;
	if (*n == max)
		return false;
	set[(*n)++] = (uint32_t)hash;
	return true;
}

/* The inside host asked an inside resolver or proxy: that one has a client more. */
static void
watch_server(struct store_fold *fold, const struct clf_event *e)
{
	bool resolver = e->name_source == SIG_F_DNS_QNAME && e->dst_port == 53;
	bool proxy = e->name_source == SIG_F_HTTP_CONNECT || e->name_source == SIG_F_HTTP_URI;
	struct fold_host *host;

	if (!e->src_inside || !e->dst_inside || (!resolver && !proxy))
		return;
	host = fold_host(fold, e->ip_version, e->dst.bytes);
	if (host && !host->forwarder &&
	    remember(host->clients, &host->n_clients, FOLD_FWD_CLIENTS,
		sig_hash(e->src.bytes, 16, fold->seed[0])))
		consider(fold, host);
}

void
fold_watch(struct store_fold *fold, const struct clf_event *e)
{
	struct clf_str vendor = e->vendor_id.len ? e->vendor_id : e->vendor;
	bool src_is_host = e->src_inside || !e->dst_inside;
	struct fold_host *host;
	uint64_t hash;

	if (e->ip_version == 0)
		return;
	watch_server(fold, e);
	if (!src_is_host)
		return;
	if (e->forwarder_hint || (e->flags & CLF_FL_FORWARDER)) {
		host = fold_host(fold, e->ip_version, e->src.bytes);
		if (host)
			fold_host_forwards(fold, host);
		return;
	}
	/* pages that a person reads say nothing about agents: a buyer compares many vendors */
	if (vendor.len == 0 || e->function == SIG_FN_PORTAL || e->sig_artefact)
		return;
	host = fold_host(fold, e->ip_version, e->src.bytes);
	if (!host || host->forwarder)
		return;
	hash = sig_hash(clf_event_str(e, vendor), vendor.len, fold->seed[0]);
	if (fold_is_dns(e) ? remember(host->dns, &host->n_dns, FOLD_WATCH_MAX, hash)
			   : remember(host->own, &host->n_own, FOLD_WATCH_MAX, hash))
		consider(fold, host);
}
