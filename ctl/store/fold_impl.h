/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the fold: flows that have not ended, the rows they count into, and the hosts watched
 * for forwarding. Only fold*.c include this. One thread per fold.
 */
#ifndef CTL_STORE_FOLD_IMPL_H
#define CTL_STORE_FOLD_IMPL_H

#include "ctl/store/map.h"
#include "ctl/store/record.h"

/* When a host is taken to speak for others: ctl/store/README.md, "Forwarders", argues the numbers.
 */
enum {
	FOLD_FWD_DNS_VENDORS = 8, /* asked for names of this many vendors by DNS, and ... */
	FOLD_FWD_OWN_PART = 8,	  /* ... itself talked to at most one vendor in this many of them */
	FOLD_FWD_VENDORS = 12,	  /* agents of this many vendors seem to run on it */
	FOLD_FWD_CLIENTS = 3,	  /* hosts that ask it (as resolver or proxy) */
	FOLD_WATCH_MAX = 16,	  /* vendors remembered per host and kind */
};

struct fold_row;

struct fold_host {
	struct store_node node;
	struct fold_row *rows; /* by next_of_host */
	uint8_t addr[16];
	uint8_t ip_version;
	bool forwarder;
	uint8_t n_dns, n_own, n_clients;
	uint32_t dns[FOLD_WATCH_MAX], own[FOLD_WATCH_MAX]; /* hashes of vendor ids */
	uint32_t clients[FOLD_FWD_CLIENTS];		   /* hashes of addresses */
};

struct fold_row {
	struct store_node node;
	struct store_row row;
	struct fold_host *host;
	struct fold_row *next_of_host, *next_dirty;
	bool dirty;
	bool preloaded; /* has what an earlier run counted */
};

/* What one flow has added to the rows so far. */
struct fold_share {
	struct fold_row *row; /* NULL: nothing */
	uint64_t bytes[2];
	uint64_t dropped;
};

struct fold_flow { /* a flow with details that has not ended */
	struct store_node node;
	struct fold_flow *older, *newer;
	struct fold_share share;
	struct clf_event event; /* only event.size bytes of it are allocated: last */
};

struct store_fold {
	struct store_fold_config config;
	char sensor[STORE_SENSOR_MAX];
	struct store_fold_stats stats;
	struct store_map flows, rows, hosts;
	struct fold_row **numbered; /* every row by its number: rows.n of them */
	uint32_t numbered_room;
	struct fold_flow *oldest, *newest;
	struct fold_row *dirty_first, **dirty_last;
	uint64_t seed[2];
};

/* Brings what the flow has added to the rows up to `e` (which has details). */
void fold_count(struct store_fold *fold, struct fold_share *share, const struct clf_event *e);
/* Learns from a flow who speaks for others. Once per flow's details. */
void fold_watch(struct store_fold *fold, const struct clf_event *e);
struct fold_host *fold_host(struct store_fold *fold, uint8_t ip_version, const uint8_t *addr);
void fold_host_forwards(struct store_fold *fold, struct fold_host *host);
void fold_dirty(struct store_fold *fold, struct fold_row *row);

/* The inside end of a flow: src if it lies inside, else dst if that does, else the initiator. */
static inline const uint8_t *
fold_inside(const struct clf_event *e)
{
	return !e->src_inside && e->dst_inside ? e->dst.bytes : e->src.bytes;
}

static inline bool
fold_is_dns(const struct clf_event *e)
{
	return (e->flags & CLF_FL_DNS_ONLY) || e->name_source == SIG_F_DNS_QNAME;
}

#endif
