/* SPDX-License-Identifier: Apache-2.0 */
/* Symmetric RSS: asked for, read back, and held against the other port's. */
#include "dataplane/rss.h"

#include <string.h>

enum { KEY_MAX = 128, TABLE_MAX = 2048 };

/* A key of one 16-bit word over and over makes Toeplitz give both directions the same hash. */
static void
symmetric_key(uint8_t *key, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		key[i] = i % 2 == 0 ? 0x6d : 0x5a;
}

static uint64_t
functions_wanted(const struct dp_config *config)
{
	uint64_t want = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_OTHER |
			RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_FRAG_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_OTHER |
			RTE_ETH_RSS_IPV6_EX;

	if (config->rss == DP_RSS_PORTS)
		want |= RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_SCTP;
	return want;
}

/* Some NICs hash TCP by ports or not at all: by addresses they would give all of it to one queue.
 */
static bool
spreads_tcp(const struct dp_config *config, uint64_t functions)
{
	return (functions & (config->rss == DP_RSS_PORTS ? RTE_ETH_RSS_NONFRAG_IPV4_TCP
							 : RTE_ETH_RSS_IPV4)) != 0;
}

bool
dp_rss_ask(struct dp_port *p, const struct dp_config *config, const struct rte_eth_dev_info *info,
    struct rte_eth_conf *conf)
{
	static uint8_t key[KEY_MAX];
	uint64_t functions = functions_wanted(config) & info->flow_type_rss_offloads;

	p->rss_key_len = info->hash_key_size;
	if (config->workers == 1)
		p->rss_why = "one worker";
	else if (info->max_rx_queues < config->workers)
		p->rss_why = "the port has fewer receive queues than there are workers";
	else if (info->flow_type_rss_offloads == 0)
		p->rss_why = "the driver has no RSS";
	else if (info->hash_key_size == 0 || info->hash_key_size > KEY_MAX)
		p->rss_why = "the driver's RSS takes no key";
	else if (!spreads_tcp(config, functions))
		p->rss_why = config->rss == DP_RSS_PORTS
				 ? "the driver's RSS does not hash TCP by ports"
				 : "the driver's RSS does not hash by addresses alone (rss: ports)";
	else
		p->rss_why = NULL;
	if (p->rss_why)
		return false;
	symmetric_key(key, sizeof(key));
	p->rss_functions = functions;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf.rss_hf = functions;
	conf->rx_adv_conf.rss_conf.rss_key = key;
	conf->rx_adv_conf.rss_conf.rss_key_len = info->hash_key_size;
	return true;
}

/* What was asked for is not always what the NIC took: read it back. NULL: it holds. */
static const char *
read_back(struct dp_port *p, const struct dp_config *config)
{
	uint8_t key[KEY_MAX] = { 0 }, want[KEY_MAX];
	struct rte_eth_rss_conf conf = { .rss_key = key, .rss_key_len = p->rss_key_len };

	if (rte_eth_dev_rss_hash_conf_get(p->id, &conf) != 0)
		return "the driver does not tell which RSS key it uses";
	symmetric_key(want, p->rss_key_len);
	if (memcmp(key, want, p->rss_key_len) != 0)
		return "the driver keeps an RSS key of its own";
	if ((conf.rss_hf & ~p->rss_functions) != 0 || !spreads_tcp(config, conf.rss_hf))
		return "the driver hashes by other fields than it was asked to";
	p->rss_functions = conf.rss_hf;
	return NULL;
}

/* The queue of each hash; its length, 0 where the driver does not tell. */
static unsigned
queues_of(const struct dp_port *p, uint16_t table[static TABLE_MAX])
{
	struct rte_eth_rss_reta_entry64 groups[TABLE_MAX / RTE_ETH_RETA_GROUP_SIZE];
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(p->id, &info) != 0 || info.reta_size == 0 ||
	    info.reta_size > TABLE_MAX)
		return 0;
	memset(groups, 0, sizeof(groups));
	for (unsigned i = 0; i < info.reta_size; i++)
		groups[i / RTE_ETH_RETA_GROUP_SIZE].mask |= 1ULL << i % RTE_ETH_RETA_GROUP_SIZE;
	if (rte_eth_dev_rss_reta_query(p->id, groups, info.reta_size) != 0)
		return 0;
	for (unsigned i = 0; i < info.reta_size; i++)
		table[i] = groups[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];
	return info.reta_size;
}

/* Both lead every hash to the same queue. */
static bool
agree(const struct dp_port *a, const struct dp_port *b)
{
	uint16_t of_a[TABLE_MAX], of_b[TABLE_MAX];

	if (a->rss_functions != b->rss_functions || a->n_rx != b->n_rx)
		return false;
	unsigned n_a = queues_of(a, of_a), n_b = queues_of(b, of_b);
	if (n_a == 0 || n_b == 0) /* what a driver does not tell, it does alike twice */
		return n_a == n_b && strcmp(a->driver, b->driver) == 0;
	for (unsigned i = 0; i < n_a || i < n_b; i++)
		if (of_a[i % n_a] != of_b[i % n_b])
			return false;
	return true;
}

static void
rely_not(struct dp_port *p, const char *why)
{
	p->symmetric = false;
	if (!p->rss_why)
		p->rss_why = why;
}

void
dp_rss_check(struct dp_ports *ports, const struct dp_config *config)
{
	for (unsigned i = 0; i < ports->n; i++) {
		struct dp_port *p = &ports->port[i];
		if (p->symmetric) {
			p->rss_why = read_back(p, config);
			p->symmetric = p->rss_why == NULL;
		}
	}
	/* Twice: who is left alone by the last of three mirror ports takes the first along. */
	for (int pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < ports->n; i++)
			for (unsigned k = 0; k < i; k++) {
				struct dp_port *a = &ports->port[i], *b = &ports->port[k];
				bool together = a->peer == k ||
						(a->peer == DP_NO_PORT && b->peer == DP_NO_PORT);
				if (!together || (!a->symmetric && !b->symmetric) ||
				    (a->symmetric && b->symmetric && agree(a, b)))
					continue;
				rely_not(a, "the ports that see one flow spread it differently");
				rely_not(b, "the ports that see one flow spread it differently");
			}
	for (unsigned i = 0; i < ports->n; i++) {
		struct dp_port *p = &ports->port[i];
		if (config->workers > 1 && !p->symmetric)
			ports->spread = true;
	}
}
