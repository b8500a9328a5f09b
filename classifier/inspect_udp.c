/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams under inspection: QUIC's Initials within the worker's budget, first payloads, nDPI. */
#include "classifier/engine_state.h"

enum { PAYLOAD_FACT_MAX = 256, DECRYPTS_UNLIMITED = 64, QUIC_TRIES = 8, SSDP_PORT = 1900 };

/* What the crypto budget allows at this packet's millisecond. */
static unsigned
budget(struct clf_engine *e, uint64_t ts_us)
{
	uint64_t ms = ts_us / 1000;

	if (e->config.crypto_budget == 0)
		return DECRYPTS_UNLIMITED;
	if (ms != e->crypto_ms) {
		e->crypto_ms = ms;
		e->crypto_left = e->config.crypto_budget;
	}
	return e->crypto_left < DECRYPTS_UNLIMITED ? e->crypto_left : DECRYPTS_UNLIMITED;
}

static void
stop_quic(struct clf_visit *v, struct clf_ctx *c)
{
	clf_quic_close(v->e->quics, c->quic);
	c->quic = NULL;
	c->reader = CLF_READ_NONE;
}

static void
read_quic(struct clf_visit *v, struct clf_ctx *c, struct sig_bytes datagram)
{
	struct clf_engine *e = v->e;
	struct clf_quic_result *r = &e->quic;
	unsigned allowed = budget(e, v->ts_us);

	if (allowed == 0) {
		e->stats.crypto_over_budget++;
		c->flags |= CLF_FL_OVER_LIMIT;
		return;
	}
	enum clf_obs obs = clf_quic_datagram(c->quic, datagram, v->dir == CLF_UP, allowed, r);
	e->stats.quic_decrypts += r->decrypts;
	e->crypto_left -= r->decrypts < e->crypto_left ? r->decrypts : e->crypto_left;
	c->flags |= (r->retry ? CLF_FL_QUIC_RETRY : 0) | (r->ambiguous ? CLF_FL_AMBIGUOUS : 0) |
		    (r->malformed ? CLF_FL_MALFORMED : 0) |
		    (r->over_limit || r->over_budget ? CLF_FL_OVER_LIMIT : 0);
	e->stats.crypto_over_budget += r->over_budget;
	switch (obs) {
	case CLF_OBS_DONE:
		c->flags &= ~(uint32_t)CLF_FL_GAP;
		clf_take_hello(v, c, &r->hello, true);
		return;
	case CLF_OBS_MORE:
		c->flags = r->gap ? c->flags | CLF_FL_GAP : c->flags & ~(uint32_t)CLF_FL_GAP;
		return;
	case CLF_OBS_BAD: c->flags |= CLF_FL_MALFORMED; return;
	case CLF_OBS_NOT_MINE: return;
	}
}

static void
payload_fact(struct clf_visit *v, struct clf_ctx *c, struct sig_bytes datagram)
{
	enum sig_field field = v->dir == CLF_UP ? SIG_F_PAYLOAD : SIG_F_PAYLOAD_DOWN;
	size_t n = sig_bytes_left(&datagram);

	if (c->data_packets[v->dir] != 1 || !(v->e->fields & (1u << field)))
		return;
	clf_add_fact(c, field, datagram.p, n < PAYLOAD_FACT_MAX ? n : PAYLOAD_FACT_MAX,
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
		    r->user_agent_len < PAYLOAD_FACT_MAX ? r->user_agent_len : PAYLOAD_FACT_MAX,
		    packet, CLF_GROUP_ALL);
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
		c->quic = clf_quic_open(e->quics);
		c->reader = c->quic ? CLF_READ_QUIC : CLF_READ_NONE;
		c->protocol_known = c->quic != NULL;
		if (!c->quic)
			c->flags |= CLF_FL_OVER_LIMIT;
	}
	if (c->reader == CLF_READ_START && v->dir == CLF_UP && v->pkt->dst_port == SSDP_PORT)
		read_http(v, c, datagram);
	if (c->reader == CLF_READ_QUIC && !c->hello)
		read_quic(v, c, datagram);
	if (c->reader == CLF_READ_QUIC && c->hello && c->quic) {
		uint8_t reader = c->reader;
		stop_quic(v, c);
		c->reader = reader;
	}
	if (e->config.ndpi == CLF_NDPI_ALL ||
	    (e->config.ndpi == CLF_NDPI_UNDECIDED && c->reader != CLF_READ_QUIC &&
		c->reader != CLF_READ_HTTP))
		clf_feed_ndpi_raw(v, c);
}
