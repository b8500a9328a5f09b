/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the workers: engines, rings between them, and which queues each one reads. */
#include <errno.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "dataplane/dns_state.h"
#include "dataplane/plane.h"
#include "dataplane/spread.h"
#include "dataplane/tx.h"

enum { RING_FRAMES = 4096, EVIDENCE_RING = 4 << 20 };

static int make_engine(struct dp_plane *plane, struct dp_worker *w, struct sig_diag *diag);
static int make_rings(struct dp_plane *plane, struct dp_worker *w, struct sig_diag *diag);
static void give_sources(struct dp_plane *plane, struct dp_worker *w);

int
dp_workers_new(struct dp_plane *plane, struct sig_diag *diag)
{
	const struct dp_config *c = plane->config;
	size_t size = c->workers * sizeof(struct dp_worker);
	int64_t offset = dp_clock_wall_offset();
	int rc = 0;

	plane->workers = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN(size, RTE_CACHE_LINE_SIZE));
	if (!plane->workers)
		return -ENOMEM;
	memset(plane->workers, 0, size);
	plane->n_workers = c->workers;
	if (plane->n_workers > 1) {
		plane->dns_share = clf_dns_share_new(plane->n_workers, 0);
		if (!plane->dns_share)
			return -ENOMEM;
	}
	for (unsigned i = 0; rc == 0 && i < plane->n_workers; i++) {
		struct dp_worker *w = &plane->workers[i];
		w->id = i;
		w->n_workers = plane->n_workers;
		w->ports = &plane->ports;
		w->slot = &plane->slot;
		w->all = plane->workers;
		w->bypass = &plane->bypass;
		w->lossless = plane->ports.replay;
		w->sleepy = c->idle == DP_IDLE_SLEEP;
		dp_clock_init(&w->clock, offset);
		w->now_us = plane->ports.ts_offset < 0 ? w->clock.last_us : 0;
		rc = make_rings(plane, w, diag);
		if (rc == 0)
			rc = make_engine(plane, w, diag);
		give_sources(plane, w);
	}
	return rc;
}

static int
no_memory(struct sig_diag *diag, const char *what)
{
	sig_diag_add(diag, SIG_ERROR, NULL, 0, 0, "no memory for %s", what);
	return -ENOMEM;
}

static int
make_rings(struct dp_plane *plane, struct dp_worker *w, struct sig_diag *diag)
{
	const struct dp_config *c = plane->config;
	char name[32];

	w->events = dp_byte_ring_new((size_t)c->limits.event_mb << 20);
	if (!w->events)
		return no_memory(diag, "the ring of events");
	if (c->evidence.folder) {
		w->evidence = dp_byte_ring_new(EVIDENCE_RING);
		w->seen = dp_evidence_seen_new();
		if (!w->evidence || !w->seen)
			return no_memory(diag, "evidence");
		w->evidence_packets = (uint16_t)c->evidence.packets_per_flow;
		w->evidence_snaplen = (uint16_t)c->evidence.snaplen;
	}
	for (unsigned to = 0; plane->n_workers > 1 && to < plane->n_workers; to++) {
		if (to == w->id)
			continue;
		snprintf(name, sizeof(name), "spread-%u-%u", w->id, to);
		w->spread[to] = rte_ring_create(
		    name, DP_SPREAD_FRAMES, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
		snprintf(name, sizeof(name), "back-%u-%u", w->id, to);
		w->back[to] = rte_ring_create(
		    name, RING_FRAMES, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (!w->spread[to] || !w->back[to])
			return no_memory(diag, "the rings between workers");
	}
	/* Fewer transmit queues than workers: frames go over rings too, whoever inspects them. */
	for (unsigned i = 0; i < plane->ports.n; i++)
		if (plane->ports.port[i].peer != DP_NO_PORT &&
		    plane->ports.port[i].n_tx < plane->n_workers)
			plane->ports.spread = true;
	return 0;
}

/* Huge pages where DPDK has them to spare, else ordinary memory with transparent ones. */
static void *
huge_alloc(size_t bytes, size_t align, void *ctx)
{
	void *p = rte_zmalloc_socket("engine", bytes, (unsigned)align, SOCKET_ID_ANY);

	(void)ctx;
	if (p)
		return p;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	(void)madvise(p, bytes, MADV_HUGEPAGE);
	return p;
}

static void
huge_free(void *p, size_t bytes, void *ctx)
{
	(void)ctx;
	if (!p)
		return;
	if (rte_mem_virt2memseg(p, NULL))
		rte_free(p);
	else
		munmap(p, bytes);
}

static int
parse_nets(char **texts, unsigned n, struct clf_net **ret)
{
	*ret = n != 0 ? calloc(n, sizeof(**ret)) : NULL;
	if (n != 0 && !*ret)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		(void)dp_parse_net(
		    texts[i], (*ret)[i].addr, &(*ret)[i].ip_version, &(*ret)[i].prefix);
	return 0;
}

static void
fill_engine_config(const struct dp_plane *plane, struct dp_worker *w, struct clf_engine_config *ec)
{
	const struct dp_config *c = plane->config;
	const struct dp_limits_config *l = &c->limits;

	clf_engine_config_default(ec);
	ec->worker = (uint16_t)w->id;
	ec->max_flows = l->flows;
	ec->max_inspecting = l->inspecting;
	ec->stream_bytes = (size_t)l->stream_mb << 20;
	ec->max_fragments = l->fragments;
	ec->dns_memory_entries = l->dns_memory;
	ec->dns_share = plane->dns_share;
	ec->crypto_budget = plane->ports.replay ? 0 : l->crypto_per_ms;
	if (l->tcp_idle_s != 0)
		ec->tcp_idle_s = l->tcp_idle_s;
	if (l->udp_idle_s != 0)
		ec->udp_idle_s = l->udp_idle_s;
	if (l->tcp_closed_s != 0)
		ec->tcp_closed_s = l->tcp_closed_s;
	if (l->inspect_s != 0)
		ec->inspect_s = l->inspect_s;
	ec->ndpi = c->ndpi == DP_NDPI_ALL   ? CLF_NDPI_ALL
		   : c->ndpi == DP_NDPI_OFF ? CLF_NDPI_OFF
					    : CLF_NDPI_UNDECIDED;
	ec->flow_ids = c->evidence.folder != NULL;
	if (c->trust_checksums != DP_DEFAULT)
		ec->trust_checksums = c->trust_checksums == DP_ON;
	if (c->tunnels != DP_DEFAULT)
		ec->walk_tunnels = c->tunnels == DP_ON;
	if (c->ja3 != DP_DEFAULT)
		ec->ja3 = c->ja3 == DP_ON;
	ec->sink = dp_worker_sink;
	ec->sink_ctx = w;
	ec->flatten = dp_worker_flatten;
	if (plane->eal.huge) {
		ec->huge_alloc = huge_alloc;
		ec->huge_free = huge_free;
	}
}

static int
make_engine(struct dp_plane *plane, struct dp_worker *w, struct sig_diag *diag)
{
	const struct dp_config *c = plane->config;
	struct clf_engine_config ec = { 0 };
	struct clf_net *inside = NULL, *forwarders = NULL;
	int rc = parse_nets(c->inside, c->inside_count, &inside);

	if (rc == 0)
		rc = parse_nets(c->forwarders, c->forwarders_count, &forwarders);
	fill_engine_config(plane, w, &ec);
	ec.inside = inside;
	ec.n_inside = c->inside_count;
	ec.forwarders = forwarders;
	ec.n_forwarders = c->forwarders_count;
	const struct dp_rules *rules = dp_rules_active(&plane->slot);
	w->generation = rules->generation;
	if (rc == 0)
		rc = clf_engine_new(&ec, rules->rules, rules->policy, &w->engine, diag);
	free(inside);
	free(forwarders);
	if (rc == -ENOMEM && diag->errors == 0)
		return no_memory(diag, "the engine: set limits lower");
	return rc;
}

static bool
is_virtual(const struct dp_port *p)
{
	return strncmp(p->name, "net_", 4) == 0;
}

/* Every receive queue has one worker, and a worker reads all its queues in turn. */
static void
give_sources(struct dp_plane *plane, struct dp_worker *w)
{
	bool all_virtual = true;

	for (unsigned i = 0; i < plane->ports.n; i++) {
		const struct dp_port *p = &plane->ports.port[i];
		all_virtual = all_virtual && is_virtual(p);
		for (uint16_t q = 0; q < p->n_rx; q++) {
			if (q % plane->n_workers != w->id)
				continue;
			w->sources[w->n_sources++] = (struct dp_source){
				.queue = q,
				.index = (uint16_t)i,
				.replay = plane->ports.replay,
			};
		}
	}
	if (plane->config->idle == DP_IDLE_AUTO)
		w->sleepy = all_virtual;
}

static unsigned
memories_of(const struct dp_plane *plane, struct clf_dns_memory *ret[DP_WORKERS_MAX])
{
	for (unsigned i = 0; i < plane->n_workers; i++)
		ret[i] = clf_engine_dns_memory(plane->workers[i].engine);
	return plane->n_workers;
}

void
dp_workers_remember(struct dp_plane *plane)
{
	struct clf_dns_memory *memories[DP_WORKERS_MAX];
	struct sig_diag diag = { 0 };

	if (!plane->config->state_dir || plane->ports.replay)
		return;
	unsigned n = memories_of(plane, memories);
	unsigned taken = dp_dns_state_load(
	    plane->config->state_dir, memories, n, plane->workers[0].now_us, &diag);
	if (taken != 0)
		fprintf(stderr, "phonehomed: DNS answers known from before: %u\n", taken);
	sig_diag_print(&diag, stderr);
	sig_diag_free(&diag);
}

void
dp_workers_keep(struct dp_plane *plane)
{
	struct clf_dns_memory *memories[DP_WORKERS_MAX];
	struct sig_diag diag = { 0 };

	if (!plane->config->state_dir || plane->ports.replay)
		return;
	unsigned n = memories_of(plane, memories);
	dp_dns_state_save(plane->config->state_dir, memories, n, &diag);
	sig_diag_print(&diag, stderr);
	sig_diag_free(&diag);
}

int
dp_workers_launch(struct dp_plane *plane)
{
	int rc = 0;

	for (unsigned i = 0; i < plane->n_workers; i++)
		plane->workers[i].recorder_gone = dp_recorder_gone(plane->recorder);
	for (unsigned i = 0; rc == 0 && i < plane->n_workers; i++)
		rc = rte_eal_remote_launch(
		    dp_worker_main, &plane->workers[i], plane->eal.lcores[i]);
	return rc;
}

bool
dp_workers_settled(struct dp_plane *plane)
{
	uint64_t in = 0, out = 0;

	/* Takers first: what is taken after their look was put before the putters'. */
	for (int pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < plane->n_workers; i++) {
			struct dp_counters c;
			if (!dp_worker_snapshot(&plane->workers[i], &c))
				return false;
			in += pass == 0 ? c.ring_in : 0;
			out += pass == 1 ? c.ring_out : 0;
		}
	return in == out;
}

void
dp_workers_stop(struct dp_plane *plane)
{
	for (unsigned i = 0; i < plane->n_workers; i++)
		atomic_fetch_or(&plane->workers[i].asked, DP_ASK_STOP);
	for (unsigned i = 0; i < plane->n_workers; i++)
		(void)rte_eal_wait_lcore(plane->eal.lcores[i]);
	for (unsigned i = 0; i < plane->n_workers; i++)
		for (unsigned to = 0; to < plane->n_workers; to++) {
			struct dp_worker *w = &plane->workers[i];
			if (w->spread[to])
				dp_tx_drain_ring(&plane->workers[to], w->spread[to]);
			if (w->back[to])
				dp_tx_drain_ring(&plane->workers[to], w->back[to]);
		}
	for (unsigned i = 0; i < plane->n_workers; i++)
		dp_worker_take_snapshot(&plane->workers[i]);
}

void
dp_workers_free(struct dp_plane *plane)
{
	for (unsigned i = 0; plane->workers && i < plane->n_workers; i++) {
		struct dp_worker *w = &plane->workers[i];
		clf_engine_free(w->engine);
		for (unsigned to = 0; to < plane->n_workers; to++) {
			rte_ring_free(w->spread[to]);
			rte_ring_free(w->back[to]);
		}
		dp_byte_ring_free(w->events);
		dp_byte_ring_free(w->evidence);
		dp_evidence_seen_free(w->seen);
	}
	clf_dns_share_free(plane->dns_share);
	plane->dns_share = NULL;
	free(plane->workers);
	plane->workers = NULL;
	plane->n_workers = 0;
}
