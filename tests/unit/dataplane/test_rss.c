/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Symmetric RSS against NICs of several manners. The driver's side of the DPDK calls is here, and
 * hashes by DPDK's own Toeplitz (rte_softrss) with what it was given: so both directions of a flow
 * meet in one queue, or the port must not be relied on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_thash.h>

#include "dataplane/rss.h"

enum { NICS = 3, TABLE = 512, ALL = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP };

static struct nic {
	uint64_t offers, hashes_by;
	_Alignas(4) uint8_t key[64]; /* rte_softrss() reads words */
	uint8_t key_len;
	uint16_t queues, table_len, table[TABLE];
	bool keeps_own_key, tells_no_key, tells_no_table;
} nics[NICS];

int
rte_eth_dev_info_get(uint16_t id, struct rte_eth_dev_info *info)
{
	*info = (struct rte_eth_dev_info){
		.max_rx_queues = 16,
		.flow_type_rss_offloads = nics[id].offers,
		.hash_key_size = nics[id].key_len,
		.reta_size = nics[id].tells_no_table ? 0 : nics[id].table_len,
	};
	return 0;
}

int
rte_eth_dev_rss_hash_conf_get(uint16_t id, struct rte_eth_rss_conf *conf)
{
	if (nics[id].tells_no_key)
		return -ENOTSUP;
	memcpy(conf->rss_key, nics[id].key, nics[id].key_len);
	conf->rss_hf = nics[id].hashes_by;
	return 0;
}

int
rte_eth_dev_rss_reta_query(uint16_t id, struct rte_eth_rss_reta_entry64 *groups, uint16_t size)
{
	for (unsigned i = 0; i < size; i++)
		groups[i / 64].reta[i % 64] = nics[id].table[i];
	return 0;
}

/* What rte_eth_dev_configure() and a start would have made of it. */
static void
configure(struct nic *nic, const struct rte_eth_conf *conf, uint16_t queues)
{
	nic->queues = queues;
	nic->hashes_by = conf->rx_adv_conf.rss_conf.rss_hf & nic->offers;
	if (!nic->keeps_own_key)
		memcpy(nic->key, conf->rx_adv_conf.rss_conf.rss_key, nic->key_len);
	for (unsigned i = 0; i < nic->table_len; i++)
		nic->table[i] = (uint16_t)(i % queues);
}

/* Words in host order, as rte_softrss() takes them. The NIC's own choice of fields. */
static unsigned
queue_of(
    const struct nic *nic, unsigned words, const uint32_t *src, const uint32_t *dst, uint32_t ports)
{
	uint32_t tuple[9];
	bool by_ports = (nic->hashes_by & RTE_ETH_RSS_NONFRAG_IPV4_TCP) != 0;

	memcpy(tuple, src, words * 4);
	memcpy(tuple + words, dst, words * 4);
	tuple[2 * words] = ports;
	return nic->table[rte_softrss(tuple, 2 * words + by_ports, nic->key) % nic->table_len];
}

static void
set_ports(struct dp_ports *ports, const struct dp_config *config, unsigned n)
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf;

	memset(ports, 0, sizeof(*ports));
	ports->n = n;
	for (uint16_t i = 0; i < n; i++) {
		struct dp_port *p = &ports->port[i];
		*p = (struct dp_port){
			.id = i, .peer = (uint16_t)(i ^ 1), .n_rx = (uint16_t)config->workers
		};
		strcpy(p->driver, "net_test");
		conf = (struct rte_eth_conf){ 0 };
		rte_eth_dev_info_get(i, &info);
		p->symmetric = dp_rss_ask(p, config, &info, &conf);
		if (p->symmetric)
			configure(&nics[i], &conf, p->n_rx);
	}
}

static void
set_nics(void)
{
	for (unsigned i = 0; i < NICS; i++) {
		nics[i] = (struct nic){ .offers = ALL, .key_len = 40, .table_len = 128 };
		memset(nics[i].key, 0x11 * (int)(i + 1), sizeof(nics[i].key));
		nics[i].key[3] = 7; /* a key of its own, and not symmetric */
	}
}

/* Both directions, each on its port, in one queue; and over many flows every queue has some. */
static bool
meets(unsigned words, uint16_t queues)
{
	unsigned count[16] = { 0 };

	for (unsigned i = 0; i < 3000; i++) {
		uint32_t a[4], b[4], x = (uint32_t)rand() & 0xffff, y = (uint32_t)rand() & 0xffff;
		for (unsigned k = 0; k < words; k++) {
			a[k] = (uint32_t)rand() << 1 ^ (uint32_t)rand();
			b[k] = (uint32_t)rand() << 1 ^ (uint32_t)rand();
		}
		unsigned there = queue_of(&nics[0], words, a, b, x << 16 | y);
		if (there != queue_of(&nics[1], words, b, a, y << 16 | x))
			return false;
		count[there]++;
	}
	for (unsigned q = 0; q < queues; q++)
		if (count[q] < 3000 / queues / 2)
			return false;
	return true;
}

static void
test_directions_meet(void **state)
{
	static const enum dp_rss manners[] = { DP_RSS_ADDRESSES, DP_RSS_PORTS };
	struct dp_ports ports;

	(void)state;
	srand(3);
	for (unsigned m = 0; m < 2; m++)
		for (uint32_t workers = 2; workers <= 4; workers++) {
			struct dp_config config = { .workers = workers, .rss = manners[m] };
			set_nics();
			nics[1].key_len = 52; /* as some NICs have: the pattern goes on */
			set_ports(&ports, &config, 2);
			dp_rss_check(&ports, &config);
			for (unsigned i = 0; i < 2; i++) {
				assert_true(ports.port[i].symmetric);
				assert_null(ports.port[i].rss_why);
			}
			assert_false(ports.spread);
			assert_true(meets(1, (uint16_t)workers));
			assert_true(meets(4, (uint16_t)workers));
		}
}

/* One that cannot be relied on, and its pair's other port with it; the words say why. */
static void
refused(const struct dp_config *config, const char *why)
{
	struct dp_ports ports;

	set_ports(&ports, config, 2);
	dp_rss_check(&ports, config);
	assert_true(ports.spread);
	for (unsigned i = 0; i < 2; i++) {
		assert_false(ports.port[i].symmetric);
		assert_non_null(ports.port[i].rss_why);
	}
	assert_non_null(strstr(ports.port[0].rss_why, why));
}

static void
test_not_to_be_relied_on(void **state)
{
	struct dp_config two = { .workers = 2 }, three = { .workers = 3 };

	(void)state;
	set_nics();
	nics[0].offers = 0;
	refused(&two, "has no RSS");
	set_nics();
	nics[0].key_len = 0;
	refused(&two, "takes no key");
	set_nics();
	nics[0].keeps_own_key = true;
	refused(&two, "key of its own");
	set_nics();
	nics[0].tells_no_key = true;
	refused(&two, "does not tell which RSS key");
	set_nics();
	nics[0].offers &= ~(uint64_t)RTE_ETH_RSS_IPV4;
	refused(&two, "addresses alone");
	/* Each is symmetric by itself, and yet a flow's two directions part. */
	set_nics();
	nics[1].table_len = TABLE;
	refused(&three, "spread it differently");
	assert_false(meets(1, 3));
	set_nics();
	nics[1].offers &= ~(uint64_t)RTE_ETH_RSS_IPV6;
	refused(&two, "spread it differently");
	set_nics();
	nics[1].tells_no_table = true;
	refused(&two, "spread it differently");
}

/* A tap's fibres on two mirror ports see a flow's two directions; a third port takes no part. */
static void
test_mirror_ports(void **state)
{
	struct dp_config config = { .workers = 3 };
	struct dp_ports ports;

	(void)state;
	set_nics();
	set_ports(&ports, &config, 3);
	for (unsigned i = 0; i < 3; i++)
		ports.port[i].peer = DP_NO_PORT;
	dp_rss_check(&ports, &config);
	assert_true(ports.port[0].symmetric && ports.port[1].symmetric && ports.port[2].symmetric);
	set_nics();
	nics[2].keeps_own_key = true;
	set_ports(&ports, &config, 3);
	for (unsigned i = 0; i < 3; i++)
		ports.port[i].peer = DP_NO_PORT;
	dp_rss_check(&ports, &config);
	assert_false(ports.port[0].symmetric || ports.port[1].symmetric || ports.port[2].symmetric);
	assert_true(ports.spread);
}

static void
test_one_worker(void **state)
{
	struct dp_config config = { .workers = 1 };
	struct dp_ports ports;

	(void)state;
	set_nics();
	set_ports(&ports, &config, 2);
	dp_rss_check(&ports, &config);
	assert_false(ports.port[0].symmetric);
	assert_false(ports.spread);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_directions_meet),
		cmocka_unit_test(test_not_to_be_relied_on),
		cmocka_unit_test(test_mirror_ports),
		cmocka_unit_test(test_one_worker),
	};

	return cmocka_run_group_tests_name("dataplane/rss", tests, NULL, NULL);
}
