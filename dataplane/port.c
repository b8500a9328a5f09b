/* SPDX-License-Identifier: Apache-2.0 */
/* Opens DPDK devices and sets them up: queues, RSS, offloads, MTU, link events. */
#include "dataplane/port.h"

#include <errno.h>
#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <string.h>

#include "dataplane/kernel_port.h"
#include "dataplane/link.h"
#include "dataplane/machine.h"
#include "dataplane/rss.h"

enum { RX_DESC = 1024, TX_DESC = 1024 };

static int
open_device(struct dp_ports *ports, const char *device, unsigned link, struct sig_diag *diag);
static int find_device(struct dp_port *p, struct rte_eth_dev_info *ret_info, struct sig_diag *diag);
static int start(struct dp_port *p, struct sig_diag *diag);
static void begin(struct dp_port *p);
static struct rte_device *close_device(struct dp_port *p);
static int port_fault(const struct dp_port *p, const char *what, int rc, struct sig_diag *diag);
static int set_up(struct dp_ports *ports, struct dp_port *p, const struct dp_config *config,
    struct sig_diag *diag);
static void find_time_stamps(struct dp_ports *ports);
static int on_event(uint16_t id, enum rte_eth_event_type event, void *arg, void *ret);

int
dp_ports_open(const struct dp_config *config, const struct dp_eal *eal, struct dp_ports *ret_ports,
    struct sig_diag *diag)
{
	struct dp_ports *ports = ret_ports;
	int rc = 0;

	memset(ports, 0, sizeof(*ports));
	memset(ports->by_id, 0xff, sizeof(ports->by_id));
	pthread_mutex_init(&ports->stats_lock, NULL);
	ports->pool = rte_pktmbuf_pool_create(
	    "phonehome", eal->mbufs, 256, 0, (uint16_t)eal->mbuf_room, SOCKET_ID_ANY);
	if (!ports->pool) {
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0,
		    "no memory for %u packet buffers: %s; raise memory_mb or set limits.mbufs "
		    "lower",
		    eal->mbufs, rte_strerror(rte_errno));
		return -ENOMEM;
	}
	for (unsigned i = 0; rc == 0 && i < config->links_count; i++) {
		const struct dp_link_config *l = &config->links[i];
		if (l->mirror) {
			rc = open_device(ports, l->mirror, i, diag);
			continue;
		}
		rc = open_device(ports, l->pair[0], i, diag);
		if (rc == 0)
			rc = open_device(ports, l->pair[1], i, diag);
		if (rc == 0) {
			ports->port[ports->n - 2].peer = (uint16_t)(ports->n - 1);
			ports->port[ports->n - 1].peer = (uint16_t)(ports->n - 2);
		}
	}
	ports->replay = dp_config_is_replay(config);
	for (unsigned i = 0; rc == 0 && i < ports->n; i++)
		rc = set_up(ports, &ports->port[i], config, diag);
	if (rc == 0)
		find_time_stamps(ports);
	for (unsigned i = 0; rc == 0 && i < ports->n; i++)
		rc = start(&ports->port[i], diag);
	for (unsigned i = 0; rc == 0 && i < ports->n; i++)
		begin(&ports->port[i]);
	if (rc == 0)
		dp_rss_check(ports, config);
	else
		dp_ports_close(ports);
	return rc;
}

void
dp_ports_close(struct dp_ports *ports)
{
	for (unsigned i = 0; i < ports->n; i++) {
		struct dp_port *p = &ports->port[i];
		dp_link_release(p);
		if (atomic_load(&p->open))
			(void)close_device(p);
	}
	ports->n = 0;
	rte_mempool_free(ports->pool);
	ports->pool = NULL;
}

/* Returns DPDK's device: as long as it is on its bus there can be no new one of its name. */
static struct rte_device *
close_device(struct dp_port *p)
{
	struct rte_eth_dev_info info;
	struct rte_device *device = rte_eth_dev_info_get(p->id, &info) == 0 ? info.device : NULL;

	(void)rte_eth_dev_callback_unregister(p->id, RTE_ETH_EVENT_INTR_RMV, on_event, p);
	/* A card that is gone is not spoken to; a virtual device must be stopped to be closed. */
	if (!atomic_load(&p->gone) || p->kernel.index != 0)
		(void)rte_eth_dev_stop(p->id);
	(void)rte_eth_dev_close(p->id);
	return device;
}

void
dp_port_stats(struct dp_ports *ports, struct dp_port *p, struct dp_port_stats *ret)
{
	struct rte_eth_stats st = { 0 };

	pthread_mutex_lock(&ports->stats_lock);
	*ret = p->past;
	bool asked = atomic_load(&p->open) && (!atomic_load(&p->gone) || p->kernel.index != 0);
	if (asked && rte_eth_stats_get(p->id, &st) == 0) {
		ret->missed += st.imissed + dp_kernel_lost(p);
		ret->no_mbuf += st.rx_nombuf;
		ret->rx_errors += st.ierrors;
		ret->tx_errors += st.oerrors;
	}
	pthread_mutex_unlock(&ports->stats_lock);
}

void
dp_port_close(struct dp_ports *ports, struct dp_port *p)
{
	struct dp_port_stats last;

	dp_port_stats(ports, p, &last);
	pthread_mutex_lock(&ports->stats_lock);
	p->past = last;
	p->kernel.n_sockets = 0;
	atomic_store(&p->open, false);
	pthread_mutex_unlock(&ports->stats_lock);
	(void)rte_dev_remove(close_device(p));
}

int
dp_port_reopen(struct dp_ports *ports, struct dp_port *p, const struct dp_config *config,
    struct sig_diag *diag)
{
	uint16_t n_rx = p->n_rx, n_tx = p->n_tx;
	struct rte_eth_dev_info info;

	int rc = find_device(p, &info, diag);
	if (rc < 0)
		return rc;
	ports->by_id[p->id] = (uint16_t)(p - ports->port);
	rc = set_up(ports, p, config, diag);
	/* Which worker has which queue was settled at the start. */
	if (rc == 0 && (p->n_rx != n_rx || p->n_tx != n_tx))
		rc = port_fault(p, "it has another number of queues now", -EINVAL, diag);
	p->n_rx = n_rx;
	p->n_tx = n_tx;
	if (rc == 0)
		rc = start(p, diag);
	if (rc < 0) {
		(void)rte_dev_remove(close_device(p));
		return rc;
	}
	pthread_mutex_lock(&ports->stats_lock);
	begin(p);
	atomic_store(&p->open, true);
	pthread_mutex_unlock(&ports->stats_lock);
	return 0;
}

/* DPDK opens the device, unless it has. */
static int
find_device(struct dp_port *p, struct rte_eth_dev_info *ret_info, struct sig_diag *diag)
{
	uint16_t id;
	int rc = 0;

	dp_eal_forget_error();
	if (rte_eth_dev_get_port_by_name(p->name, &id) != 0) {
		rc = rte_dev_probe(p->device);
		if (rc == 0)
			rc = rte_eth_dev_get_port_by_name(p->name, &id);
	}
	if (rc == 0)
		rc = rte_eth_dev_info_get(id, ret_info);
	if (rc == 0) {
		p->id = id;
		return 0;
	}
	char known[256];
	const char *why = dp_machine_why(p->device, known, sizeof(known)) ? known
									  : dp_eal_last_error();
	/* Of a driver that is not there DPDK says no more than that. */
	if (strstr(why, "Failed to attach device"))
		why = "no driver of that name, or it does not take these arguments "
		      "(phonehomed -v tells more)";
	sig_diag_add(diag, SIG_ERROR, NULL, 0, 0, "device %s cannot be opened: %s", p->device,
	    why[0] ? why : rte_strerror(-rc));
	return rc;
}

static int
open_device(struct dp_ports *ports, const char *device, unsigned link, struct sig_diag *diag)
{
	struct dp_port *p = &ports->port[ports->n];
	struct rte_eth_dev_info info;
	int rc = dp_replay_check(device, diag);

	if (rc < 0)
		return rc;
	*p = (struct dp_port){ .peer = DP_NO_PORT, .link = (uint16_t)link, .device = device };
	dp_device_name(device, p->name, sizeof(p->name));
	rc = find_device(p, &info, diag);
	if (rc < 0)
		return rc;
	if (ports->by_id[p->id] != DP_NO_PORT) {
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0, "device %s is given twice", p->name);
		return -EEXIST;
	}
	snprintf(p->driver, sizeof(p->driver), "%s", info.driver_name);
	p->replay = strcmp(p->driver, "net_pcap") == 0;
	atomic_store(&p->open, true);
	ports->by_id[p->id] = (uint16_t)ports->n++;
	return 0;
}

/* Drivers whose device string fixes the number of receive queues: all must be read. */
static bool
queues_are_fixed(const char *driver)
{
	return strcmp(driver, "net_pcap") == 0 || strcmp(driver, "net_af_packet") == 0 ||
	       strcmp(driver, "net_af_xdp") == 0 || strcmp(driver, "net_ring") == 0;
}

/* The other end of a memif says how many rings there are, once it connects, and the driver tells
 * nobody; a queue that has none is another's ring. One queue is what every other end has, more are
 * for the config to say. */
static bool
queues_are_the_peers(const char *driver)
{
	return strcmp(driver, "net_memif") == 0;
}

static void
choose_queues(struct dp_port *p, const struct dp_config *config,
    const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
	uint16_t workers = (uint16_t)config->workers;

	uint16_t rings = (uint16_t)config->links[p->link].queues;

	p->n_rx = 1;
	if (queues_are_the_peers(p->driver)) {
		p->n_rx = p->n_tx = rings != 0 ? rings : 1;
		p->rss_why = workers == 1 ? "one worker" : "the driver has no RSS";
		return;
	}
	if (queues_are_fixed(p->driver)) {
		p->n_rx = info->max_rx_queues;
		p->rss_why = workers == 1 ? "one worker" : "the driver has no RSS";
	} else if (dp_rss_ask(p, config, info, conf)) {
		p->n_rx = workers;
		p->symmetric = true; /* until it is read back */
	}
	if (p->n_rx == 0)
		p->n_rx = 1;
	p->n_tx = 1;
	if (p->peer != DP_NO_PORT)
		p->n_tx = info->max_tx_queues > workers ? workers
			  : info->max_tx_queues == 0	? 1
							: info->max_tx_queues;
	else if (info->max_tx_queues == 0)
		p->n_tx = 0;
}

static int
port_fault(const struct dp_port *p, const char *what, int rc, struct sig_diag *diag)
{
	sig_diag_add(diag, SIG_ERROR, NULL, 0, 0, "port %s: %s: %s", p->device, what,
	    dp_eal_last_error()[0] ? dp_eal_last_error() : rte_strerror(-rc));
	return rc;
}

static int
set_up_queues(struct dp_ports *ports, struct dp_port *p, const struct rte_eth_dev_info *info,
    const struct rte_eth_conf *conf, struct sig_diag *diag)
{
	struct rte_eth_rxconf rx = info->default_rxconf;
	struct rte_eth_txconf tx = info->default_txconf;
	int socket = rte_eth_dev_socket_id(p->id), rc = 0;

	p->rx_desc = RX_DESC;
	p->tx_desc = TX_DESC;
	if (rte_eth_dev_adjust_nb_rx_tx_desc(p->id, &p->rx_desc, &p->tx_desc) != 0)
		return port_fault(p, "descriptors", -EINVAL, diag);
	rx.offloads = conf->rxmode.offloads;
	tx.offloads = conf->txmode.offloads;
	for (uint16_t q = 0; rc == 0 && q < p->n_rx; q++)
		rc = rte_eth_rx_queue_setup(
		    p->id, q, p->rx_desc, (unsigned)socket, &rx, ports->pool);
	for (uint16_t q = 0; rc == 0 && q < p->n_tx; q++)
		rc = rte_eth_tx_queue_setup(p->id, q, p->tx_desc, (unsigned)socket, &tx);
	return rc < 0 ? port_fault(p, "queues cannot be set up", rc, diag) : 0;
}

static int
set_up(struct dp_ports *ports, struct dp_port *p, const struct dp_config *config,
    struct sig_diag *diag)
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf = { 0 };
	uint32_t mtu = config->links[p->link].mtu;
	uint16_t has_mtu = 0;
	int rc = rte_eth_dev_info_get(p->id, &info);

	dp_eal_forget_error();
	if (rc < 0)
		return port_fault(p, "tells nothing of itself", rc, diag);
	rc = dp_kernel_check_mtu(p, mtu, rte_pktmbuf_data_room_size(ports->pool), diag);
	if (rc < 0)
		return rc;
	choose_queues(p, config, &info, &conf);
	conf.rxmode.offloads = info.rx_offload_capa &
			       (RTE_ETH_RX_OFFLOAD_SCATTER | RTE_ETH_RX_OFFLOAD_CHECKSUM);
	conf.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	conf.intr_conf.rmv = info.dev_flags && (*info.dev_flags & RTE_ETH_DEV_INTR_RMV) != 0;
	/* DPDK would hold a kernel port to 1500, and does not know what it has. */
	if (!dp_kernel_is(p)) {
		if (mtu != 0)
			conf.rxmode.mtu = mtu;
		else if (rte_eth_dev_get_mtu(p->id, &has_mtu) == 0 && has_mtu != 0 &&
			 has_mtu <= (info.max_mtu != 0 ? info.max_mtu : 1500))
			conf.rxmode.mtu = has_mtu;
	}
	rc = rte_eth_dev_configure(p->id, p->n_rx, p->n_tx, &conf);
	if (rc < 0)
		return port_fault(p, "cannot be configured", rc, diag);
	p->rx_offloads = conf.rxmode.offloads;
	p->tx_offloads = conf.txmode.offloads;
	rc = set_up_queues(ports, p, &info, &conf, diag);
	if (rc < 0)
		return rc;
	if (dp_kernel_is(p)) {
		if (mtu != 0 && !dp_kernel_set_mtu(p, mtu))
			return port_fault(p, "the MTU cannot be set", -errno, diag);
		p->mtu = (uint16_t)dp_kernel_mtu(p);
		return 0;
	}
	if (mtu != 0 && (rc = rte_eth_dev_set_mtu(p->id, (uint16_t)mtu)) < 0 && rc != -ENOTSUP)
		return port_fault(p, "the MTU cannot be set", rc, diag);
	if (rte_eth_dev_get_mtu(p->id, &has_mtu) == 0)
		p->mtu = has_mtu;
	return 0;
}

static int
start(struct dp_port *p, struct sig_diag *diag)
{
	dp_eal_forget_error();
	int rc = rte_eth_dev_start(p->id);

	return rc < 0 ? port_fault(p, "does not start", rc, diag) : 0;
}

static void
begin(struct dp_port *p)
{
	dp_kernel_begin(p);
	dp_link_begin(p);
	p->promiscuous = rte_eth_promiscuous_enable(p->id) == 0;
	(void)rte_eth_allmulticast_enable(p->id);
	(void)rte_eth_dev_callback_register(p->id, RTE_ETH_EVENT_INTR_RMV, on_event, p);
}

/* net_pcap and some NICs give each mbuf its time; where none does there is no such field. */
static void
find_time_stamps(struct dp_ports *ports)
{
	int flag = rte_mbuf_dynflag_lookup(RTE_MBUF_DYNFLAG_RX_TIMESTAMP_NAME, NULL);

	ports->ts_offset = -1;
	if (flag < 0 || !ports->replay)
		return;
	ports->ts_offset = rte_mbuf_dynfield_lookup(RTE_MBUF_DYNFIELD_TIMESTAMP_NAME, NULL);
	ports->ts_flag = 1ULL << flag;
}

/* DPDK's interrupt thread. The queues stay allocated until we close; workers stop touching them. */
static int
on_event(uint16_t id, enum rte_eth_event_type event, void *arg, void *ret)
{
	struct dp_port *p = arg;

	(void)id, (void)ret;
	if (event == RTE_ETH_EVENT_INTR_RMV)
		atomic_store(&p->gone, true);
	return 0;
}

bool
dp_ports_drained(const struct dp_ports *ports)
{
	for (unsigned i = 0; i < ports->n; i++)
		if (atomic_load(&ports->port[i].drained) != (1u << ports->port[i].n_rx) - 1)
			return false;
	return true;
}
