/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams under inspection: QUIC's Initials within the worker's budget, first payloads, nDPI. */
#include "classifier/engine_state.h"

enum {
	AGENT_FACT_MAX = 256,
	DECRYPTS_MAX = 16, /* of one datagram: more packets are no client's */
	QUIC_TRIES = 8,
	QUIC_WATCHED = 32,
	SSDP_PORT = 1900
};

/* What the crypto budget allows at this packet's millisecond. */
static unsigned
budget(struct clf_engine *e, uint64_t ts_us)
{
	uint64_t ms = ts_us / 1000;

	if (e->config.crypto_budget == 0)
		return DECRYPTS_MAX;
	if (ms != e->crypto_ms) {
		e->crypto_ms = ms;
		e->crypto_left = e->config.crypto_budget;
	}
	return e->crypto_left < DECRYPTS_MAX ? e->crypto_left : DECRYPTS_MAX;
}

static void
stop_quic(struct clf_visit *v, struct clf_ctx *c)
{
	clf_quic_close(v->e->quics, c->quic);
	c->quic = NULL;
	c->watch &= (uint8_t)~CLF_WATCH_RETRY;
}

/* A connection's state; where none is left, a flow that is only watched gives up its own. */
static struct clf_quic *
open_quic(struct clf_engine *e, struct clf_ctx *c)
{
	struct clf_quic *q = clf_quic_open(e->quics);

	if (!q && clf_ctx_steal(e, c))
		q = clf_quic_open(e->quics);
	return q;
}

/* One datagram to the observer, within the budget. False: nothing was left of it. */
static bool
ask_quic(struct clf_visit *v, struct clf_ctx *c, struct sig_bytes datagram, enum clf_obs *ret_obs)
{
	struct clf_engine *e = v->e;
	struct clf_quic_result *r = &e->quic;
	unsigned allowed = budget(e, v->ts_us);

	if (allowed == 0) {
		e->stats.crypto_over_budget++;
		return false;
	}
	*ret_obs = clf_quic_datagram(c->quic, datagram, v->dir == CLF_UP, allowed, r);
	e->stats.quic_decrypts += r->decrypts;
	e->crypto_left -= r->decrypts < e->crypto_left ? r->decrypts : e->crypto_left;
	e->stats.crypto_over_budget += r->over_budget;
	if (r->ambiguous && !(c->flags & CLF_FL_AMBIGUOUS)) {
		c->flags |= CLF_FL_AMBIGUOUS;
		c->fresh = 1;
		c->renamed = c->decided;
	}
	if (r->have_other)
		clf_add_name(c, SIG_F_QUIC_SNI, &r->other, clf_packet_number(v->f), CLF_GROUP_ALL);
	return true;
}

static void
read_quic(struct clf_visit *v, struct clf_ctx *c, struct sig_bytes datagram)
{
	struct clf_quic_result *r = &v->e->quic;
	enum clf_obs obs;

	if (!ask_quic(v, c, datagram, &obs)) {
		c->flags |= CLF_FL_OVER_LIMIT;
		return;
	}
	c->initial |= v->dir == CLF_UP && r->initial;
	c->flags |= (r->retry ? CLF_FL_QUIC_RETRY : 0) | (r->malformed ? CLF_FL_MALFORMED : 0) |
		    (r->over_limit || r->over_budget ? CLF_FL_OVER_LIMIT : 0);
	switch (obs) {
	case CLF_OBS_DONE:
		c->flags &= ~(uint32_t)CLF_FL_GAP;
		clf_take_hello(v, c, &r->hello, true);
		c->watch |= CLF_WATCH_RETRY;
		if (!clf_quic_pool_spare(v->e->quics))
			stop_quic(v, c);
		return;
	case CLF_OBS_MORE:
		c->flags = r->gap ? c->flags | CLF_FL_GAP : c->flags & ~(uint32_t)CLF_FL_GAP;
		return;
	case CLF_OBS_BAD: c->flags |= CLF_FL_MALFORMED; return;
	case CLF_OBS_NOT_MINE: return;
	}
}

/* The hello was read. Until the server goes on, another may come: after a HelloRetryRequest, under
 * other keys, or in place of the first one. */
static void
watch_quic(struct clf_visit *v, struct clf_ctx *c, struct sig_bytes datagram)
{
	struct clf_quic_result *r = &v->e->quic;
	enum clf_obs obs;

	if (!ask_quic(v, c, datagram, &obs))
		return;
	if (obs == CLF_OBS_DONE)
		clf_second_hello(c, &r->hello, SIG_F_QUIC_SNI, r->second, clf_packet_number(v->f));
	if (r->settled || r->second || obs == CLF_OBS_BAD || c->data_packets[CLF_UP] > QUIC_WATCHED)
		stop_quic(v, c);
}

static void
payload_fact(struct clf_visit *v, struct clf_ctx *c, struct sig_bytes datagram)
{
	enum sig_field field = v->dir == CLF_UP ? SIG_F_PAYLOAD : SIG_F_PAYLOAD_DOWN;
	size_t n = sig_bytes_left(&datagram);

	if (c->data_packets[v->dir] != 1 || !(v->e->fields & (1u << field)))
		return;
	clf_add_fact(c, field, datagram.p, n < SIG_PAYLOAD_MAX ? n : SIG_PAYLOAD_MAX,
	    clf_packet_number(v->f), CLF_GROUP_ALL);
}

/* SSDP and its kin: an HTTP request in a datagram. */
static void
read_http(struct clf_visit *v, struct clf_ctx *c, struct sig_bytes datagram)
{
	struct clf_http_req *r = &v->e->http;
	uint32_t packet = clf_packet_number(v->f);

	if (clf_http_request(datagram, r) != CLF_OBS_DONE)
		return;
	c->reader = CLF_READ_HTTP;
	c->protocol_known = 1;
	c->fresh = 1;
	if (r->have_host)
		clf_add_name(c, SIG_F_HTTP_HOST, &r->host, packet, CLF_GROUP_ALL);
	if (r->user_agent_len != 0)
		clf_add_fact(c, SIG_F_USER_AGENT, r->user_agent,
		    r->user_agent_len < AGENT_FACT_MAX ? r->user_agent_len : AGENT_FACT_MAX, packet,
		    CLF_GROUP_ALL);
}

/* Google's own QUIC, up to Q046: the hello is in clear. */
static void
read_gquic(struct clf_visit *v, struct clf_ctx *c, struct sig_bytes datagram)
{
	struct clf_tls_hello *h = &v->e->hello;

	if (clf_gquic_hello(datagram, h) != CLF_OBS_DONE)
		return;
	c->reader = CLF_READ_QUIC;
	clf_take_hello(v, c, h, true);
}

/* DNSCrypt: the client's magic is each resolver's own, the answer's is the protocol's. */
static bool
is_dnscrypt(struct sig_bytes datagram)
{
	const uint8_t *magic = sig_bytes_take(&datagram, 8);

	return magic && memcmp(magic, "r6fnvWj8", 8) == 0;
}

void
clf_inspect_udp(struct clf_visit *v, struct clf_ctx *c)
{
	struct clf_engine *e = v->e;
	struct sig_bytes datagram = sig_bytes_of(clf_pkt_payload(v->pkt), v->pkt->payload_len);

	if (c->data_packets[v->dir] != UINT16_MAX)
		c->data_packets[v->dir]++;
	c->data_bytes[v->dir] += v->pkt->payload_len;
	if (v->pkt->payload_len == 0)
		return;
	payload_fact(v, c, datagram);
	if (c->reader == CLF_READ_START && c->data_packets[CLF_UP] <= QUIC_TRIES &&
	    clf_quic_looks(datagram)) {
		c->quic = open_quic(e, c);
		c->reader = c->quic ? CLF_READ_QUIC : CLF_READ_NONE;
		c->protocol_known = c->quic != NULL;
		if (!c->quic)
			c->flags |= CLF_FL_OVER_LIMIT;
	}
	if (c->reader == CLF_READ_START && v->dir == CLF_UP &&
	    c->data_packets[CLF_UP] <= QUIC_TRIES)
		read_gquic(v, c, datagram);
	if (c->reader == CLF_READ_START && v->dir == CLF_DOWN && is_dnscrypt(datagram)) {
		c->flags |= CLF_FL_ENCRYPTED_DNS;
		c->protocol_known = 1;
	}
	if (c->reader == CLF_READ_START && v->dir == CLF_UP && v->pkt->dst_port == SSDP_PORT)
		read_http(v, c, datagram);
	if (c->quic && c->hello)
		watch_quic(v, c, datagram);
	else if (c->quic)
		read_quic(v, c, datagram);
	if (e->config.ndpi == CLF_NDPI_ALL ||
	    (e->config.ndpi == CLF_NDPI_UNDECIDED && c->reader != CLF_READ_QUIC &&
		c->reader != CLF_READ_HTTP))
		clf_feed_ndpi_raw(v, c);
}
