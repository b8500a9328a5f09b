/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drop verdicts in NICs: what is handed over, for how long, and that nothing stays behind. The NIC
 * is here: it takes rules as the driver's side of rte_flow, and counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_byteorder.h>

#include "dataplane/offload.h"

enum { PORTS = 2, ROOM = 4096, SECOND = 1000000 };

struct rte_flow {
	bool used;
	uint16_t port, src_port, dst_port;
	uint64_t hits;
};

static struct nic {
	bool takes_nothing, takes_no_tcp, knows_ethertype_only, counts_nothing;
	unsigned room; /* rules */
	unsigned n, most;
	unsigned flushes;
} nic;
static struct rte_flow rules[ROOM];
static struct dp_ports ports;
static uint64_t now;

static int
refuse(struct rte_flow_error *error, const char *why)
{
	if (error)
		error->message = why;
	return -ENOTSUP;
}

/* What must be in a rule, or it would stop more than the verdict means. */
int
rte_flow_validate(uint16_t port, const struct rte_flow_attr *attr, const struct rte_flow_item *item,
    const struct rte_flow_action *action, struct rte_flow_error *error)
{
	const struct rte_flow_item_eth *eth = item[0].spec, *eth_mask = item[0].mask;

	(void)port;
	if (nic.takes_nothing)
		return refuse(error, "this driver knows no rules");
	assert_true(attr->ingress && !attr->egress);
	assert_int_equal(item[0].type, RTE_FLOW_ITEM_TYPE_ETH);
	assert_true(eth_mask->has_vlan || eth_mask->type == 0xffff);
	assert_false(eth->has_vlan);
	if (nic.knows_ethertype_only && eth_mask->has_vlan)
		return refuse(error, "has_vlan is not supported");
	assert_int_equal(action[0].type, RTE_FLOW_ACTION_TYPE_COUNT);
	assert_int_equal(action[1].type, RTE_FLOW_ACTION_TYPE_DROP);
	assert_int_equal(action[2].type, RTE_FLOW_ACTION_TYPE_END);
	if (item[2].type == RTE_FLOW_ITEM_TYPE_TCP) {
		const struct rte_flow_item_tcp *tcp = item[2].spec, *mask = item[2].mask;
		assert_int_equal(mask->hdr.tcp_flags, 0x07); /* SYN, FIN, RST come to us */
		assert_int_equal(tcp->hdr.tcp_flags, 0);
		if (nic.takes_no_tcp)
			return refuse(error, "TCP flags are not supported");
	}
	return 0;
}

struct rte_flow *
rte_flow_create(uint16_t port, const struct rte_flow_attr *attr, const struct rte_flow_item *item,
    const struct rte_flow_action *action, struct rte_flow_error *error)
{
	const struct rte_flow_item_udp *udp = item[2].spec; /* TCP's ports lie in the same place */

	assert_int_equal(rte_flow_validate(port, attr, item, action, error), 0);
	if (nic.n == nic.room)
		return NULL;
	for (unsigned i = 0; i < ROOM; i++) {
		if (rules[i].used)
			continue;
		rules[i] = (struct rte_flow){ true, port, rte_be_to_cpu_16(udp->hdr.src_port),
			rte_be_to_cpu_16(udp->hdr.dst_port), 0 };
		if (++nic.n > nic.most)
			nic.most = nic.n;
		return &rules[i];
	}
	return NULL;
}

int
rte_flow_destroy(uint16_t port, struct rte_flow *flow, struct rte_flow_error *error)
{
	(void)error;
	assert_true(flow->used && flow->port == port);
	flow->used = false;
	nic.n--;
	return 0;
}

int
rte_flow_flush(uint16_t port, struct rte_flow_error *error)
{
	(void)error;
	nic.flushes++;
	for (unsigned i = 0; i < ROOM; i++)
		if (rules[i].used && rules[i].port == port) {
			rules[i].used = false;
			nic.n--;
		}
	return 0;
}

int
rte_flow_query(uint16_t port, struct rte_flow *flow, const struct rte_flow_action *action,
    void *data, struct rte_flow_error *error)
{
	struct rte_flow_query_count *told = data;

	(void)error;
	assert_true(flow->used && flow->port == port);
	assert_int_equal(action->type, RTE_FLOW_ACTION_TYPE_COUNT);
	told->hits_set = 1;
	told->hits = flow->hits;
	return 0;
}

static struct dp_offload *
begin(void)
{
	memset(rules, 0, sizeof(rules));
	nic.n = nic.most = nic.flushes = 0;
	nic.room = ROOM;
	memset(&ports, 0, sizeof(ports));
	ports.n = PORTS;
	for (uint16_t i = 0; i < PORTS; i++) {
		ports.port[i].id = i;
		ports.port[i].peer = i ^ 1;
	}
	now = 100 * (uint64_t)SECOND;
	struct dp_offload *o = dp_offload_new(&ports, true);
	assert_non_null(o);
	dp_offload_work(o, now);
	return o;
}

static struct clf_event
dropped(uint64_t flow_id, uint8_t protocol)
{
	return (struct clf_event){ .size = CLF_EVENT_SIZE(0),
		.type = CLF_EV_DECIDED,
		.has_details = 1,
		.flow_id = flow_id,
		.src = { { 10, 0, 0, (uint8_t)flow_id } },
		.dst = { { 10, 9, 9, 9 } },
		.src_port = (uint16_t)(1000 + flow_id),
		.dst_port = 443,
		.ip_version = 4,
		.protocol = protocol,
		.verdict = CLF_DROP };
}

static void
tell(struct dp_offload *o, struct clf_event e)
{
	dp_offload_event(o, &e);
}

static void
after(struct dp_offload *o, uint64_t us)
{
	for (uint64_t end = now + us; now < end;) {
		now += 50000;
		dp_offload_work(o, now);
	}
}

static struct dp_offload_stats
stats_of(struct dp_offload *o)
{
	struct dp_offload_stats s;

	dp_offload_stats(o, &s);
	return s;
}

/* Frames that the NIC drops, one direction of the flow. */
static void
hit(uint16_t src_port, uint64_t n)
{
	for (unsigned i = 0; i < ROOM; i++)
		if (rules[i].used && rules[i].port == 0 && rules[i].src_port == src_port)
			rules[i].hits += n;
}

static void
test_life(void **state)
{
	struct dp_offload *o = begin();
	struct clf_event e = dropped(1, 6);

	(void)state;
	assert_int_equal(nic.most, 0); /* asked what it takes, and left nothing there */
	tell(o, e);
	after(o, 100000);
	assert_int_equal(nic.n, 2 * PORTS);
	assert_int_equal(stats_of(o).flows_now, 1);
	hit(1001, 700);
	after(o, 1500000);
	assert_int_equal(stats_of(o).port[0].dropped, 700);
	hit(1001, 5);
	e.type = CLF_EV_ENDED;
	e.has_details = 0;
	tell(o, e);
	after(o, 50000);
	assert_int_equal(nic.n, 0);
	assert_int_equal(stats_of(o).port[0].dropped, 705); /* to the last frame */
	assert_int_equal(stats_of(o).port[1].dropped, 0);
	assert_int_equal(stats_of(o).flows_now, 0);
	assert_int_equal(stats_of(o).removed, 1);
	dp_offload_free(o);
}

/* The engine must see the flow now and then; what is no burden stays with it. */
static void
test_lease(void **state)
{
	struct dp_offload *o = begin();

	(void)state;
	tell(o, dropped(1, 17));
	tell(o, dropped(2, 17));
	after(o, 1 * SECOND);
	assert_int_equal(nic.n, 4 * PORTS);
	hit(1001, 1000);
	hit(1002, 2);
	after(o, 5 * SECOND);
	assert_int_equal(nic.n, 0); /* both rest */
	after(o, 1 * SECOND);
	assert_int_equal(nic.n, 2 * PORTS); /* the busy one alone is back */
	assert_int_equal(stats_of(o).made, 2);
	assert_int_equal(stats_of(o).renewed, 1);
	assert_int_equal(stats_of(o).removed, 1);
	hit(1001, 50);
	after(o, 2 * SECOND);
	assert_int_equal(stats_of(o).port[0].dropped, 1052);
	dp_offload_free(o);
	assert_int_equal(nic.n, 0);
}

static void
test_not_handed_over(void **state)
{
	struct dp_offload *o = begin();
	struct clf_event e = dropped(1, 6);

	(void)state;
	e.verdict = CLF_RESET;
	tell(o, e);
	e = dropped(2, 6);
	e.vlan = 7;
	tell(o, e);
	e = dropped(3, 17);
	e.flags = CLF_FL_DNS_ONLY;
	tell(o, e);
	e = dropped(4, 6);
	e.tunnel = CLF_TUN_GRE;
	tell(o, e);
	e = dropped(5, 6);
	e.verdict = CLF_WOULD_DROP;
	tell(o, e);
	tell(o, dropped(6, 1));
	e = dropped(7, 6);
	e.type = CLF_EV_ENDED;
	tell(o, e);
	after(o, SECOND);
	assert_int_equal(nic.most, 0);
	/* stricter: a reset must be answered, so its frames must come */
	tell(o, dropped(8, 6));
	after(o, 50000);
	assert_int_equal(nic.n, 2 * PORTS);
	e = dropped(8, 6);
	e.type = CLF_EV_UPDATED;
	e.verdict = CLF_RESET;
	tell(o, e);
	after(o, 50000);
	assert_int_equal(nic.n, 0);
	dp_offload_free(o);
}

static void
test_withdrawn(void **state)
{
	struct dp_offload *o = begin();

	(void)state;
	tell(o, dropped(1, 6));
	after(o, 50000);
	dp_offload_withdraw(o); /* a reload */
	assert_int_equal(nic.n, 0);
	tell(o, dropped(2, 6)); /* a verdict of before, still under way */
	after(o, SECOND);
	assert_int_equal(nic.n, 0);
	after(o, 2 * SECOND);
	tell(o, dropped(3, 6));
	after(o, 50000);
	assert_int_equal(nic.n, 2 * PORTS);
	dp_offload_hold(o, true); /* bypass */
	assert_int_equal(nic.n, 0);
	after(o, 3 * SECOND);
	tell(o, dropped(4, 6));
	after(o, SECOND);
	assert_int_equal(nic.n, 0);
	dp_offload_hold(o, false);
	after(o, 3 * SECOND);
	for (uint64_t id = 10; id < 400; id++)
		tell(o, dropped(id, 17));
	after(o, 50000);
	assert_true(stats_of(o).flows_now > 300);
	dp_offload_withdraw(o);
	assert_int_equal(nic.n, 0);
	assert_int_equal(nic.flushes, PORTS); /* many at once: not one by one */
	assert_int_equal(stats_of(o).flows_now, 0);
	after(o, 10 * SECOND);
	assert_int_equal(nic.n, 0);
	dp_offload_free(o);
}

static void
test_left_out(void **state)
{
	struct dp_offload *o;

	(void)state;
	nic.takes_nothing = true;
	o = begin();
	tell(o, dropped(1, 6));
	after(o, SECOND);
	assert_int_equal(stats_of(o).made + stats_of(o).refused, 0);
	assert_string_equal(stats_of(o).port[0].why, "this driver knows no rules");
	assert_false(stats_of(o).port[0].udp4);
	dp_offload_free(o);
	nic = (struct nic){ .takes_no_tcp = true, .knows_ethertype_only = true };
	o = begin();
	tell(o, dropped(1, 6));
	tell(o, dropped(2, 17));
	after(o, SECOND);
	assert_int_equal(nic.n, 2 * PORTS);
	assert_true(stats_of(o).port[0].udp4 && stats_of(o).port[0].udp6);
	assert_false(stats_of(o).port[0].tcp4 || stats_of(o).port[0].tcp6);
	assert_non_null(strstr(stats_of(o).port[1].why, "TCP flags"));
	dp_offload_free(o);
	memset(&nic, 0, sizeof(nic));
}

/* A NIC whose table is full is given rest, and asked again. */
static void
test_full_nic(void **state)
{
	struct dp_offload *o = begin();

	(void)state;
	nic.room = 2 * PORTS;
	for (uint64_t id = 1; id < 100; id++) {
		tell(o, dropped(id, 17));
		hit(1001, 10);
		after(o, 20000);
	}
	assert_true(nic.most <= 2 * PORTS);
	assert_true(stats_of(o).refused <= 3 * 8 * PORTS); /* not 2 a flow and port */
	nic.room = ROOM;
	after(o, 11 * SECOND);
	tell(o, dropped(200, 17));
	after(o, 50000);
	assert_true(nic.n >= 2 * PORTS);
	dp_offload_free(o);
	assert_int_equal(nic.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_lease),
		cmocka_unit_test(test_not_handed_over),
		cmocka_unit_test(test_withdrawn),
		cmocka_unit_test(test_left_out),
		cmocka_unit_test(test_full_nic),
	};

	return cmocka_run_group_tests_name("dataplane/offload", tests, NULL, NULL);
}
