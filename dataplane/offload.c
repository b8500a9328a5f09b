/* SPDX-License-Identifier: Apache-2.0 */
/* rte_flow rules for dropped flows, one a direction and port. */
#include "dataplane/offload.h"

#include <rte_byteorder.h>
#include <rte_flow.h>
#include <stdlib.h>
#include <string.h>

enum { FLOWS_MAX = 4096, RULES_MAX = 4, TRIES_BEFORE_REST = 8 };

struct offloaded {
	uint64_t flow_id; /* 0: free */
	struct rte_flow *rule[RULES_MAX];
	uint16_t port[RULES_MAX];
};

struct dp_offload {
	const struct dp_ports *ports;
	struct offloaded flow[FLOWS_MAX];
	unsigned
	    refusals[DP_PORTS_MAX]; /* in a row: a port that takes none is not asked for ever */
	struct dp_offload_stats stats;
};

struct dp_offload *
dp_offload_new(const struct dp_ports *ports, bool enabled)
{
	struct dp_offload *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->ports = ports;
	o->stats.enabled = enabled;
	return o;
}

static void
take_out(struct dp_offload *o, struct offloaded *f)
{
	for (int d = 0; d < RULES_MAX; d++)
		if (f->rule[d] && !atomic_load(&o->ports->port[f->port[d]].gone))
			(void)rte_flow_destroy(o->ports->port[f->port[d]].id, f->rule[d], NULL);
	memset(f, 0, sizeof(*f));
	o->stats.rules_now--;
	o->stats.removed++;
}

void
dp_offload_free(struct dp_offload *o)
{
	if (!o)
		return;
	for (unsigned i = 0; i < FLOWS_MAX; i++)
		if (o->flow[i].flow_id != 0)
			take_out(o, &o->flow[i]);
	free(o);
}

/* A drop of one direction on one port; NULL where the port does not take it. */
static struct rte_flow *
make(struct dp_offload *o, uint16_t index, const struct clf_event *e, bool down)
{
	const struct clf_addr *src = down ? &e->dst : &e->src, *dst = down ? &e->src : &e->dst;
	uint16_t sport = rte_cpu_to_be_16(down ? e->dst_port : e->src_port);
	uint16_t dport = rte_cpu_to_be_16(down ? e->src_port : e->dst_port);
	struct rte_flow_attr attr = { .ingress = 1 };
	struct rte_flow_item_ipv4 ip4 = { 0 }, ip4_mask = { 0 };
	struct rte_flow_item_ipv6 ip6 = { 0 }, ip6_mask = { 0 };
	struct rte_flow_item_tcp tcp = { .hdr = { .src_port = sport, .dst_port = dport } };
	struct rte_flow_item_tcp tcp_mask = { .hdr = { .src_port = 0xffff, .dst_port = 0xffff } };
	struct rte_flow_item_udp udp = { .hdr = { .src_port = sport, .dst_port = dport } };
	struct rte_flow_item_udp udp_mask = { .hdr = { .src_port = 0xffff, .dst_port = 0xffff } };
	bool v6 = e->ip_version == 6, is_tcp = e->protocol == 6;
	struct rte_flow_error error;

	memcpy(&ip4.hdr.src_addr, src->bytes, 4);
	memcpy(&ip4.hdr.dst_addr, dst->bytes, 4);
	ip4_mask.hdr.src_addr = ip4_mask.hdr.dst_addr = UINT32_MAX;
	memcpy(ip6.hdr.src_addr, src->bytes, 16);
	memcpy(ip6.hdr.dst_addr, dst->bytes, 16);
	memset(ip6_mask.hdr.src_addr, 0xff, 16);
	memset(ip6_mask.hdr.dst_addr, 0xff, 16);
	struct rte_flow_item items[] = {
		{ .type = RTE_FLOW_ITEM_TYPE_ETH },
		{ .type = v6 ? RTE_FLOW_ITEM_TYPE_IPV6 : RTE_FLOW_ITEM_TYPE_IPV4,
		    .spec = v6 ? (void *)&ip6 : (void *)&ip4,
		    .mask = v6 ? (void *)&ip6_mask : (void *)&ip4_mask },
		{ .type = is_tcp ? RTE_FLOW_ITEM_TYPE_TCP : RTE_FLOW_ITEM_TYPE_UDP,
		    .spec = is_tcp ? (void *)&tcp : (void *)&udp,
		    .mask = is_tcp ? (void *)&tcp_mask : (void *)&udp_mask },
		{ .type = RTE_FLOW_ITEM_TYPE_END },
	};
	struct rte_flow_action actions[] = {
		{ .type = RTE_FLOW_ACTION_TYPE_DROP },
		{ .type = RTE_FLOW_ACTION_TYPE_END },
	};
	uint16_t id = o->ports->port[index].id;

	if (rte_flow_validate(id, &attr, items, actions, &error) != 0)
		return NULL;
	return rte_flow_create(id, &attr, items, actions, &error);
}

/* Both directions on every inline port that takes rules: which side the client is on is not known.
 */
static void
hand_over(struct dp_offload *o, struct offloaded *f, const struct clf_event *e)
{
	unsigned made = 0;

	for (uint16_t i = 0; i < o->ports->n && made < RULES_MAX; i++) {
		const struct dp_port *p = &o->ports->port[i];
		if (p->peer == DP_NO_PORT || atomic_load(&p->gone) ||
		    o->refusals[i] >= TRIES_BEFORE_REST)
			continue;
		for (int down = 0; down < 2 && made < RULES_MAX; down++) {
			struct rte_flow *rule = make(o, i, e, down != 0);
			if (!rule) {
				o->refusals[i]++;
				o->stats.refused++;
				break;
			}
			o->refusals[i] = 0;
			f->rule[made] = rule;
			f->port[made++] = i;
		}
	}
	if (made == 0)
		return;
	f->flow_id = e->flow_id;
	o->stats.made++;
	o->stats.rules_now++;
}

void
dp_offload_event(struct dp_offload *o, const struct clf_event *e)
{
	struct offloaded *f = &o->flow[(e->flow_id * 0x9e3779b97f4a7c15ULL) >> 52];

	if (!o->stats.enabled)
		return;
	if (e->type == CLF_EV_ENDED) {
		if (f->flow_id == e->flow_id && f->flow_id != 0)
			take_out(o, f);
		return;
	}
	/* A tunnel's inner flow is not what the NIC would match; a reset must still be answered. */
	if (!e->has_details || e->verdict != CLF_DROP || e->tunnel != CLF_TUN_NONE ||
	    e->vlan != 0 || (e->ip_version != 4 && e->ip_version != 6) ||
	    (e->protocol != 6 && e->protocol != 17) || (e->flags & CLF_FL_DNS_ONLY))
		return;
	if (f->flow_id == 0)
		hand_over(o, f, e);
	else if (f->flow_id != e->flow_id)
		o->stats.full++;
}

const struct dp_offload_stats *
dp_offload_stats(const struct dp_offload *o)
{
	return &o->stats;
}
