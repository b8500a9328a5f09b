/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A NIC that this machine does not have: loaded before the daemon (LD_PRELOAD), it stands between
 * DPDK's calls and net_af_packet, and does in software what a card does: Toeplitz RSS over the
 * queues by the key and table that it was given, and rte_flow drop rules with counters.
 *
 *   PHONEHOME_NIC  a comma list: rss, ownkey (keeps a key of its own), flow
 *   PHONEHOME_NIC_LOG  a file: "port hits" for each rule that is taken out
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <rte_ethdev.h>
#include <rte_flow.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_thash.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORTS = 4, QUEUES = 4, FIFO = 4096, TABLE = 128, KEY = 40, RULES = 256 };
enum { FIN_SYN_RST = 0x07 };

struct tuple { /* host order, as rte_softrss() takes them */
	uint32_t src[4], dst[4];
	unsigned words; /* of an address: 1, 4; 0: not IP */
	uint16_t src_port, dst_port;
	uint8_t protocol, tcp_flags;
};

struct rte_flow {
	bool used, tcp_by_flags;
	uint16_t port;
	struct tuple match;
	uint64_t hits;
};

struct queue {
	uint16_t port, number;
	struct rte_mbuf *fifo[FIFO];
	unsigned first, n;
};

static struct port {
	pthread_mutex_t lock;
	struct queue queues[QUEUES];
	unsigned n_queues;
	uint64_t hashes_by;
	uint8_t key[KEY];
	uint16_t table[TABLE];
	eth_rx_burst_t burst;
	void **rxq;
} ports[PORTS];
static struct rte_flow rules[RULES];
static pthread_mutex_t rules_lock = PTHREAD_MUTEX_INITIALIZER;

static bool
has(const char *what)
{
	const char *all = getenv("PHONEHOME_NIC");

	return all && strstr(all, what);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* --- RSS: the driver's side --- */

int
rte_eth_dev_info_get(uint16_t id, struct rte_eth_dev_info *info)
{
	int rc = REAL(rte_eth_dev_info_get)(id, info);

	if (rc != 0 || !has("rss"))
		return rc;
	info->driver_name = "test NIC";
	info->flow_type_rss_offloads = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP;
	info->hash_key_size = KEY;
	info->reta_size = TABLE;
	info->rx_offload_capa |= RTE_ETH_RX_OFFLOAD_RSS_HASH;
	return 0;
}

int
rte_eth_dev_configure(uint16_t id, uint16_t n_rx, uint16_t n_tx, const struct rte_eth_conf *conf)
{
	struct rte_eth_conf without = *conf;
	struct port *p = &ports[id];

	p->n_queues = n_rx;
	p->hashes_by = conf->rx_adv_conf.rss_conf.rss_hf;
	memset(p->key, 0x5b, KEY);
	p->key[2] = 9;
	if (conf->rx_adv_conf.rss_conf.rss_key && !has("ownkey"))
		memcpy(p->key, conf->rx_adv_conf.rss_conf.rss_key, KEY);
	for (unsigned i = 0; i < TABLE; i++)
		p->table[i] = (uint16_t)(i % n_rx);
	without.rxmode.mq_mode = RTE_ETH_MQ_RX_NONE;
	memset(&without.rx_adv_conf, 0, sizeof(without.rx_adv_conf));
	without.rxmode.offloads &= ~(uint64_t)RTE_ETH_RX_OFFLOAD_RSS_HASH;
	return REAL(rte_eth_dev_configure)(id, n_rx, n_tx, &without);
}

int
rte_eth_rx_queue_setup(uint16_t id, uint16_t queue, uint16_t n, unsigned socket,
    const struct rte_eth_rxconf *conf, struct rte_mempool *pool)
{
	struct rte_eth_rxconf without = *conf;

	without.offloads &= ~(uint64_t)RTE_ETH_RX_OFFLOAD_RSS_HASH;
	return REAL(rte_eth_rx_queue_setup)(id, queue, n, socket, &without, pool);
}

int
rte_eth_dev_rss_hash_conf_get(uint16_t id, struct rte_eth_rss_conf *conf)
{
	if (!has("rss"))
		return -ENOTSUP;
	memcpy(conf->rss_key, ports[id].key, KEY);
	conf->rss_hf = ports[id].hashes_by;
	return 0;
}

int
rte_eth_dev_rss_reta_query(uint16_t id, struct rte_eth_rss_reta_entry64 *groups, uint16_t size)
{
	for (unsigned i = 0; i < size; i++)
		groups[i / 64].reta[i % 64] = ports[id].table[i];
	return has("rss") ? 0 : -ENOTSUP;
}

/* --- frames --- */

static void
take_words(uint32_t *out, const void *bytes, unsigned words)
{
	memcpy(out, bytes, words * 4UL);
	for (unsigned i = 0; i < words; i++)
		out[i] = rte_be_to_cpu_32(out[i]);
}

/* Untagged IP, no fragments, no extension headers: what these tests send. */
static struct tuple
tuple_of(const struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const uint8_t *ip = (const uint8_t *)(eth + 1), *l4;
	struct tuple t = { 0 };

	if (m->data_len >= 54 && eth->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4)) {
		const struct rte_ipv4_hdr *h = (const void *)ip;
		t.words = 1;
		take_words(t.src, &h->src_addr, 1);
		take_words(t.dst, &h->dst_addr, 1);
		t.protocol = h->next_proto_id;
		l4 = ip + rte_ipv4_hdr_len(h);
	} else if (m->data_len >= 74 && eth->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV6)) {
		const struct rte_ipv6_hdr *h = (const void *)ip;
		t.words = 4;
		take_words(t.src, h->src_addr, 4);
		take_words(t.dst, h->dst_addr, 4);
		t.protocol = h->proto;
		l4 = (const uint8_t *)(h + 1);
	} else {
		return t;
	}
	if (t.protocol == IPPROTO_TCP || t.protocol == IPPROTO_UDP) {
		t.src_port = (uint16_t)(l4[0] << 8 | l4[1]);
		t.dst_port = (uint16_t)(l4[2] << 8 | l4[3]);
		t.tcp_flags = t.protocol == IPPROTO_TCP ? l4[13] : 0;
	}
	return t;
}

static bool
same(const struct rte_flow *r, const struct tuple *t)
{
	return r->match.words == t->words && r->match.protocol == t->protocol &&
	       r->match.src_port == t->src_port && r->match.dst_port == t->dst_port &&
	       memcmp(r->match.src, t->src, t->words * 4UL) == 0 &&
	       memcmp(r->match.dst, t->dst, t->words * 4UL) == 0 &&
	       !(r->tcp_by_flags && (t->tcp_flags & FIN_SYN_RST));
}

static bool
stopped(uint16_t port, const struct tuple *t)
{
	bool stop = false;

	pthread_mutex_lock(&rules_lock);
	for (unsigned i = 0; t->words != 0 && i < RULES && !stop; i++)
		if (rules[i].used && rules[i].port == port && same(&rules[i], t)) {
			rules[i].hits++;
			stop = true;
		}
	pthread_mutex_unlock(&rules_lock);
	return stop;
}

static unsigned
queue_for(struct port *p, struct rte_mbuf *m, const struct tuple *t)
{
	uint32_t words[9];
	unsigned n = 2 * t->words;

	if (t->words == 0 || !has("rss"))
		return 0;
	memcpy(words, t->src, t->words * 4UL);
	memcpy(words + t->words, t->dst, t->words * 4UL);
	if ((t->protocol == IPPROTO_TCP && (p->hashes_by & RTE_ETH_RSS_NONFRAG_IPV4_TCP)) ||
	    (t->protocol == IPPROTO_UDP && (p->hashes_by & RTE_ETH_RSS_NONFRAG_IPV4_UDP)))
		words[n++] = (uint32_t)t->src_port << 16 | t->dst_port;
	m->hash.rss = rte_softrss(words, n, p->key);
	m->ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
	return p->table[m->hash.rss % TABLE];
}

static uint16_t
burst(void *queue, struct rte_mbuf **out, uint16_t n)
{
	struct queue *q = queue;
	struct port *p = &ports[q->port];
	struct rte_mbuf *got[32];
	uint16_t given = 0;

	pthread_mutex_lock(&p->lock);
	for (unsigned i = 0; i < p->n_queues; i++) {
		uint16_t k = p->burst(p->rxq[i], got, 32);
		for (uint16_t j = 0; j < k; j++) {
			struct tuple t = tuple_of(got[j]);
			struct queue *to = &p->queues[queue_for(p, got[j], &t)];
			if (stopped(q->port, &t) || to->n == FIFO)
				rte_pktmbuf_free(got[j]);
			else
				to->fifo[(to->first + to->n++) % FIFO] = got[j];
		}
	}
	for (; given < n && q->n != 0; q->n--) {
		out[given++] = q->fifo[q->first];
		q->first = (q->first + 1) % FIFO;
	}
	pthread_mutex_unlock(&p->lock);
	return given;
}

int
rte_eth_dev_start(uint16_t id)
{
	static void *queues[PORTS][QUEUES];
	struct port *p = &ports[id];
	int rc = REAL(rte_eth_dev_start)(id);

	if (rc != 0)
		return rc;
	pthread_mutex_init(&p->lock, NULL);
	for (uint16_t q = 0; q < p->n_queues; q++) {
		p->queues[q].port = id;
		p->queues[q].number = q;
		queues[id][q] = &p->queues[q];
	}
	p->burst = rte_eth_fp_ops[id].rx_pkt_burst;
	p->rxq = rte_eth_fp_ops[id].rxq.data;
	rte_eth_fp_ops[id].rxq.data = queues[id];
	rte_eth_fp_ops[id].rx_pkt_burst = burst;
	return 0;
}

/* --- rte_flow --- */

int
rte_flow_validate(uint16_t port, const struct rte_flow_attr *attr, const struct rte_flow_item *item,
    const struct rte_flow_action *action, struct rte_flow_error *error)
{
	bool good = has("flow") && attr->ingress && item[0].type == RTE_FLOW_ITEM_TYPE_ETH &&
		    (item[1].type == RTE_FLOW_ITEM_TYPE_IPV4 ||
			item[1].type == RTE_FLOW_ITEM_TYPE_IPV6) &&
		    (item[2].type == RTE_FLOW_ITEM_TYPE_TCP ||
			item[2].type == RTE_FLOW_ITEM_TYPE_UDP) &&
		    action[0].type == RTE_FLOW_ACTION_TYPE_COUNT &&
		    action[1].type == RTE_FLOW_ACTION_TYPE_DROP;

	if (!has("flow"))
		return REAL(rte_flow_validate)(port, attr, item, action, error);
	if (!good)
		error->message = "the test NIC does not know this";
	return good ? 0 : -ENOTSUP;
}

struct rte_flow *
rte_flow_create(uint16_t port, const struct rte_flow_attr *attr, const struct rte_flow_item *item,
    const struct rte_flow_action *action, struct rte_flow_error *error)
{
	const struct rte_flow_item_udp *l4 = item[2].spec; /* TCP's ports lie there too */
	struct rte_flow r = { .used = true, .port = port };

	if (rte_flow_validate(port, attr, item, action, error) != 0)
		return NULL;
	if (item[1].type == RTE_FLOW_ITEM_TYPE_IPV4) {
		const struct rte_flow_item_ipv4 *ip = item[1].spec;
		r.match.words = 1;
		take_words(r.match.src, &ip->hdr.src_addr, 1);
		take_words(r.match.dst, &ip->hdr.dst_addr, 1);
	} else {
		const struct rte_flow_item_ipv6 *ip = item[1].spec;
		r.match.words = 4;
		take_words(r.match.src, ip->hdr.src_addr, 4);
		take_words(r.match.dst, ip->hdr.dst_addr, 4);
	}
	r.match.src_port = rte_be_to_cpu_16(l4->hdr.src_port);
	r.match.dst_port = rte_be_to_cpu_16(l4->hdr.dst_port);
	r.match.protocol = item[2].type == RTE_FLOW_ITEM_TYPE_TCP ? IPPROTO_TCP : IPPROTO_UDP;
	if (r.match.protocol == IPPROTO_TCP)
		r.tcp_by_flags = ((const struct rte_flow_item_tcp *)item[2].mask)->hdr.tcp_flags ==
				 FIN_SYN_RST;
	pthread_mutex_lock(&rules_lock);
	struct rte_flow *made = NULL;
	for (unsigned i = 0; i < RULES && !made; i++)
		if (!rules[i].used)
			made = &rules[i];
	if (made)
		*made = r;
	pthread_mutex_unlock(&rules_lock);
	return made;
}

int
rte_flow_query(uint16_t port, struct rte_flow *flow, const struct rte_flow_action *action,
    void *data, struct rte_flow_error *error)
{
	struct rte_flow_query_count *told = data;

	(void)port, (void)action, (void)error;
	pthread_mutex_lock(&rules_lock);
	told->hits = flow->hits;
	told->hits_set = 1;
	pthread_mutex_unlock(&rules_lock);
	return 0;
}

int
rte_flow_destroy(uint16_t port, struct rte_flow *flow, struct rte_flow_error *error)
{
	const char *log = getenv("PHONEHOME_NIC_LOG");
	FILE *f = log ? fopen(log, "a") : NULL;

	(void)error;
	pthread_mutex_lock(&rules_lock);
	if (f)
		fprintf(f, "%u %llu\n", port, (unsigned long long)flow->hits);
	flow->used = false;
	pthread_mutex_unlock(&rules_lock);
	if (f)
		fclose(f);
	return 0;
}
