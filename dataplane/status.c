/* SPDX-License-Identifier: Apache-2.0 */
/* The reply to `status`: every counter that the daemon keeps, spelled as ctl/README.md tells. */
#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/proto/status.h"
#include "dataplane/control.h"

static void
put(json_t *o, const char *key, uint64_t v)
{
	json_object_set_new(o, key, json_integer((json_int_t)v));
}

static json_t *
drops(const struct dp_port_count *c)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < DP_DROP_MAX; i++)
		if (c->dropped[i] != 0)
			put(o, dp_drop_name(i), c->dropped[i]);
	return o;
}

/* What the port's own rules stopped never came to us: it is in no identity. */
static void
offload_json(const struct dp_offload_port *p, json_t *o)
{
	const char *names[] = { "tcp4", "udp4", "tcp6", "udp6" };
	const bool takes[] = { p->tcp4, p->udp4, p->tcp6, p->udp6 };
	json_t *list = json_array();

	for (unsigned i = 0; i < 4; i++)
		if (takes[i])
			json_array_append_new(list, json_string(names[i]));
	put(o, "offload_dropped", p->dropped);
	json_object_set_new(o, "offload_takes", list);
	if (p->why[0] != '\0')
		json_object_set_new(o, "offload_refuses", json_string(p->why));
}

/*
 * rx: frames that came in here. tx: frames sent out of this port. in_flight: of all frames that
 * came in here or there, those that lie in rings between workers; told once, in `frames`.
 */
static json_t *
port_json(struct dp_plane *plane, unsigned index, const struct dp_counters *c,
    const struct dp_offload_stats *offload)
{
	struct dp_port *p = &plane->ports.port[index];
	const struct dp_port_count *n = &c->port[index];
	struct dp_port_stats st;
	json_t *o = json_object();

	dp_port_stats(&plane->ports, p, &st);
	json_object_set_new(o, "name", json_string(p->name));
	json_object_set_new(o, "device", json_string(p->device));
	json_object_set_new(o, "driver", json_string(p->driver));
	json_object_set_new(o, "role", json_string(p->peer == DP_NO_PORT ? "mirror" : "inline"));
	if (p->peer != DP_NO_PORT)
		json_object_set_new(o, "peer", json_string(plane->ports.port[p->peer].name));
	put(o, "rx", n->rx);
	put(o, "tx", n->tx);
	if (p->peer == DP_NO_PORT)
		put(o, "observed", n->observed);
	json_object_set_new(o, "dropped", drops(n));
	put(o, "nic_missed", st.missed);
	put(o, "rx_nombuf", st.no_mbuf);
	put(o, "errors", st.rx_errors + st.tx_errors);
	put(o, "tx_errors", st.tx_errors);
	if (offload->enabled && p->peer != DP_NO_PORT)
		offload_json(&offload->port[index], o);
	json_object_set_new(o, "link",
	    json_string(atomic_load(&p->gone)	   ? "gone"
			: p->held_down		   ? "held down"
			: atomic_load(&p->link_up) ? "up"
						   : "down"));
	put(o, "link_changes", atomic_load(&p->link_changes));
	put(o, "unplugged", atomic_load(&p->unplugged));
	put(o, "mtu", p->mtu);
	put(o, "rx_queues", p->n_rx);
	put(o, "tx_queues", p->n_tx);
	json_object_set_new(o, "promiscuous", json_boolean(p->promiscuous));
	json_object_set_new(o, "spreading",
	    json_string(plane->n_workers == 1 ? "none"
			: p->symmetric	      ? "rss"
					      : "software"));
	if (plane->n_workers > 1 && p->rss_why)
		json_object_set_new(o, "spreading_why", json_string(p->rss_why));
	return o;
}

static json_t *
worker_json(const struct dp_plane *plane, unsigned i, const struct dp_counters *c,
    const struct dp_watchdog_stats *wd)
{
	const struct dp_worker *w = &plane->workers[i];
	const struct clf_engine_stats *es = clf_engine_stats(w->engine);
	struct dp_port_count total;
	json_t *o = json_object();

	dp_counters_total(c, &total);
	put(o, "id", i);
	put(o, "lcore", plane->eal.lcores[i]);
	put(o, "cpu", (uint64_t)plane->eal.cpus[i]);
	put(o, "packets", total.rx + c->ring_in);
	put(o, "flows_now", es->flows_now);
	put(o, "inspecting_now", es->inspecting_now);
	json_object_set_new(o, "busy_percent", json_real((double)wd->busy_percent[i]));
	json_object_set_new(o, "stalled", json_boolean(wd->stalled[i]));
	json_object_set_new(o, "standby", json_boolean(wd->standby[i]));
	put(o, "event_bytes_waiting", dp_byte_ring_used(w->events));
	return o;
}

/* The identity: rx = forwarded + observed + dropped + in_flight. */
static json_t *
frames_json(const struct dp_counters *c)
{
	struct dp_port_count total;
	json_t *o = json_object();

	dp_counters_total(c, &total);
	put(o, "rx", total.rx);
	put(o, "rx_bytes", c->rx_bytes);
	put(o, "forwarded", total.tx - c->injected);
	put(o, "observed", total.observed);
	json_object_set_new(o, "dropped", drops(&total));
	put(o, "dropped_total", dp_dropped(&total));
	put(o, "in_flight", dp_counters_in_flight(c));
	put(o, "injected", c->injected);
	put(o, "inject_failed", c->inject_failed);
	put(o, "uninspected", c->uninspected);
	put(o, "tx_waits", c->tx_waits);
	return o;
}

static unsigned
count_vendors(const struct sig_ruleset *rules)
{
	uint32_t n = sig_ruleset_count(rules);
	const char *last = "";
	unsigned vendors = 0;

	/* Packs are one file a vendor and are compiled in turn. */
	for (uint32_t i = 1; i <= n; i++) {
		const char *id = sig_ruleset_info(rules, i)->vendor_id;
		vendors += strcmp(id, last) != 0;
		last = id;
	}
	return vendors;
}

static void
rules_json(struct dp_plane *plane, json_t *o)
{
	static const char *const modes[] = { "monitor", "shadow", "enforce" };
	const struct dp_rules *r = dp_rules_lock(&plane->slot);

	json_object_set_new(o, "mode", json_string(modes[clf_policy_mode(r->policy)]));
	json_object_set_new(o, "packs",
	    json_pack("{s:s, s:s, s:I, s:I}", "digest", sig_ruleset_digest(r->rules), "origin",
		sig_ruleset_origin(r->rules), "signatures", (json_int_t)sig_ruleset_count(r->rules),
		"vendors", (json_int_t)count_vendors(r->rules)));
	json_object_set_new(o, "policy",
	    json_pack("{s:s, s:I}", "digest", clf_policy_digest(r->policy), "rules",
		(json_int_t)clf_policy_rule_count(r->policy)));
	put(o, "generation", r->generation);
	dp_rules_unlock(&plane->slot);
}

static void
head_json(struct dp_plane *plane, const struct dp_watchdog_stats *wd, const struct dp_counters *sum,
    json_t *o)
{
	json_object_set_new(o, "version", json_string(PHONEHOME_VERSION));
	json_object_set_new(o, "sensor", json_string(plane->config->sensor));
	put(o, "uptime_s", (dp_clock_read(CLOCK_MONOTONIC) - plane->started_us) / 1000000);
	json_object_set_new(o, "ready", json_boolean(atomic_load(&plane->ready)));
	json_object_set_new(o, "drained", json_boolean(atomic_load(&plane->drained)));
	json_object_set_new(o, "bypass", json_boolean(atomic_load(&plane->bypass)));
	json_object_set_new(o, "shedding", json_boolean(wd->shedding));
	json_object_set_new(o, "memory", json_string(plane->eal.memory));
	json_object_set_new(o, "file_prefix", json_string(plane->eal.prefix));
	json_object_set_new(o, "mbufs",
	    json_pack("{s:I, s:I, s:I}", "size", (json_int_t)plane->ports.pool->size, "in_use",
		(json_int_t)rte_mempool_in_use_count(plane->ports.pool), "empty_polls",
		(json_int_t)sum->pool_empty));
	put(o, "control_not_accepted", dp_control_not_accepted(plane));
	rules_json(plane, o);
}

static json_t *
recorder_json(const struct dp_recorder_stats *rs, const struct dp_counters *c)
{
	json_t *o = proto_fold_json(&rs->fold);

	put(o, "recent_now", rs->recent_now);
	put(o, "records_written", rs->records_written);
	put(o, "records_errors", rs->records_errors);
	json_object_set_new(o, "evidence",
	    json_pack("{s:I, s:I, s:I, s:I, s:I}", "kept", (json_int_t)c->evidence, "lost",
		(json_int_t)c->evidence_lost, "frames", (json_int_t)rs->evidence.frames, "files",
		(json_int_t)rs->evidence.files, "errors", (json_int_t)rs->evidence.errors));
	json_object_set_new(o, "offload",
	    json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I}", "enabled", rs->offload.enabled,
		"flows_now", (json_int_t)rs->offload.flows_now, "made",
		(json_int_t)rs->offload.made, "renewed", (json_int_t)rs->offload.renewed, "removed",
		(json_int_t)rs->offload.removed, "refused", (json_int_t)rs->offload.refused, "full",
		(json_int_t)rs->offload.full));
	return o;
}

void
dp_method_status(struct dp_plane *plane, const json_t *params, struct dp_answer *ret)
{
	struct dp_counters each[DP_WORKERS_MAX], sum;
	struct clf_engine_stats engine = { 0 };
	struct dp_recorder_stats rs;
	struct dp_watchdog_stats wd;
	json_t *o = json_object(), *ports = json_array(), *workers = json_array();

	if (json_object_size(params) != 0) {
		dp_answer_error(ret, PROTO_E_PARAMS, "this method takes no parameters");
		json_decref(o), json_decref(ports), json_decref(workers);
		return;
	}
	dp_watchdog_stats(plane, &wd);
	dp_recorder_stats(plane->recorder, &rs);
	dp_plane_count(plane, each, &sum);
	head_json(plane, &wd, &sum, o);
	for (unsigned i = 0; i < plane->n_workers; i++) {
		proto_engine_add(&engine, clf_engine_stats(plane->workers[i].engine));
		json_array_append_new(workers, worker_json(plane, i, &each[i], &wd));
	}
	for (unsigned i = 0; i < plane->ports.n; i++)
		json_array_append_new(ports, port_json(plane, i, &sum, &rs.offload));
	json_object_set_new(o, "frames", frames_json(&sum));
	json_object_set_new(o, "ports", ports);
	json_object_set_new(o, "workers", workers);
	json_object_set_new(o, "watchdog",
	    json_pack("{s:I, s:I, s:I, s:I}", "stalls", (json_int_t)wd.stalls, "takeovers",
		(json_int_t)wd.takeovers, "stuck_in_driver", (json_int_t)wd.stuck_in_driver,
		"shed_periods", (json_int_t)wd.shed_periods));
	json_object_set_new(o, "engine", proto_engine_json(&engine));
	json_object_set_new(o, "recorder", recorder_json(&rs, &sum));
	json_object_set_new(
	    o, "store", proto_store_json(&rs.store, dp_recorder_url(plane->recorder)));
	json_object_set_new(o, "blindness", proto_blindness_json(&engine));
	ret->result = o;
}
