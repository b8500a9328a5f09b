/* SPDX-License-Identifier: Apache-2.0 */
/* Rules for NICs, as DPDK spells them. */
#include "dataplane/offload_rule.h"

#include <errno.h>
#include <rte_byteorder.h>
#include <rte_errno.h>
#include <string.h>

#include "dataplane/eal.h"

enum { TCP = 6, TCP_FIN_SYN_RST = 0x07 };

/* How a rule says "untagged"; drivers know the one or the other. */
enum untagged { BY_HAS_VLAN, BY_ETHERTYPE, UNTAGGED_MAX };

struct rule {
	struct rte_flow_item_eth eth, eth_mask;
	struct rte_flow_item_ipv4 ip4, ip4_mask;
	struct rte_flow_item_ipv6 ip6, ip6_mask;
	struct rte_flow_item_tcp tcp, tcp_mask;
	struct rte_flow_item_udp udp, udp_mask;
	struct rte_flow_item items[4];
};

static const struct rte_flow_attr ingress = { .ingress = 1 };
static const struct rte_flow_action_count count;
static const struct rte_flow_action actions[] = {
	{ .type = RTE_FLOW_ACTION_TYPE_COUNT, .conf = &count },
	{ .type = RTE_FLOW_ACTION_TYPE_DROP },
	{ .type = RTE_FLOW_ACTION_TYPE_END },
};

static void
fill(struct rule *r, const struct dp_offload_key *key, bool down, enum untagged how)
{
	const struct clf_addr *src = down ? &key->dst : &key->src;
	const struct clf_addr *dst = down ? &key->src : &key->dst;
	uint16_t sport = rte_cpu_to_be_16(down ? key->dst_port : key->src_port);
	uint16_t dport = rte_cpu_to_be_16(down ? key->src_port : key->dst_port);
	bool v6 = key->ip_version == 6, tcp = key->protocol == TCP;

	memset(r, 0, sizeof(*r));
	if (how == BY_HAS_VLAN) {
		r->eth_mask.has_vlan = 1;
	} else {
		r->eth.type = rte_cpu_to_be_16(v6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
		r->eth_mask.type = UINT16_MAX;
	}
	memcpy(&r->ip4.hdr.src_addr, src->bytes, 4);
	memcpy(&r->ip4.hdr.dst_addr, dst->bytes, 4);
	r->ip4_mask.hdr.src_addr = r->ip4_mask.hdr.dst_addr = UINT32_MAX;
	memcpy(r->ip6.hdr.src_addr, src->bytes, 16);
	memcpy(r->ip6.hdr.dst_addr, dst->bytes, 16);
	memset(r->ip6_mask.hdr.src_addr, 0xff, 16);
	memset(r->ip6_mask.hdr.dst_addr, 0xff, 16);
	r->tcp.hdr.src_port = r->udp.hdr.src_port = sport;
	r->tcp.hdr.dst_port = r->udp.hdr.dst_port = dport;
	r->tcp_mask.hdr.src_port = r->udp_mask.hdr.src_port = UINT16_MAX;
	r->tcp_mask.hdr.dst_port = r->udp_mask.hdr.dst_port = UINT16_MAX;
	r->tcp_mask.hdr.tcp_flags = TCP_FIN_SYN_RST;
	r->items[0] = (struct rte_flow_item){
		.type = RTE_FLOW_ITEM_TYPE_ETH, .spec = &r->eth, .mask = &r->eth_mask
	};
	r->items[1] = (struct rte_flow_item){
		.type = v6 ? RTE_FLOW_ITEM_TYPE_IPV6 : RTE_FLOW_ITEM_TYPE_IPV4,
		.spec = v6 ? (void *)&r->ip6 : (void *)&r->ip4,
		.mask = v6 ? (void *)&r->ip6_mask : (void *)&r->ip4_mask,
	};
	r->items[2] = (struct rte_flow_item){
		.type = tcp ? RTE_FLOW_ITEM_TYPE_TCP : RTE_FLOW_ITEM_TYPE_UDP,
		.spec = tcp ? (void *)&r->tcp : (void *)&r->udp,
		.mask = tcp ? (void *)&r->tcp_mask : (void *)&r->udp_mask,
	};
	r->items[3] = (struct rte_flow_item){ .type = RTE_FLOW_ITEM_TYPE_END };
}

/* The first spelling that the driver takes. 0 and the rule; or the last -errno. */
static int
validated(uint16_t port_id, const struct dp_offload_key *key, bool down, struct rule *ret,
    struct rte_flow_error *error)
{
	int rc = -ENOTSUP;

	for (enum untagged how = 0; rc != 0 && how < UNTAGGED_MAX; how++) {
		memset(error, 0, sizeof(*error));
		fill(ret, key, down, how);
		rc = rte_flow_validate(port_id, &ingress, ret->items, actions, error);
	}
	return rc;
}

int
dp_offload_rule_check(
    uint16_t port_id, const struct dp_offload_key *key, char why[static DP_OFFLOAD_WHY])
{
	struct rte_flow_error error;
	struct rule rule;

	dp_eal_forget_error();
	int rc = validated(port_id, key, false, &rule, &error);
	if (rc != 0)
		snprintf(why, DP_OFFLOAD_WHY, "%s",
		    error.message	     ? error.message
		    : dp_eal_last_error()[0] ? dp_eal_last_error()
					     : rte_strerror(-rc));
	return rc;
}

struct rte_flow *
dp_offload_rule_make(uint16_t port_id, const struct dp_offload_key *key, bool down)
{
	struct rte_flow_error error;
	struct rule rule;

	if (validated(port_id, key, down, &rule, &error) != 0)
		return NULL;
	return rte_flow_create(port_id, &ingress, rule.items, actions, &error);
}

int
dp_offload_rule_hits(uint16_t port_id, struct rte_flow *rule, uint64_t *ret_hits)
{
	struct rte_flow_query_count told = { 0 };
	struct rte_flow_error error;
	int rc = rte_flow_query(port_id, rule, &actions[0], &told, &error);

	if (rc == 0 && told.hits_set)
		*ret_hits = told.hits;
	return rc != 0 ? rc : told.hits_set ? 0 : -ENOTSUP;
}
