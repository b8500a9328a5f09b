/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What nDPI is fed: packets that came in order as they are, rejoined bytes behind a header made up
 * for them. Each stream byte once.
 */
#include "classifier/engine_state.h"

enum { UNDECIDED_TCP = 8, UNDECIDED_UDP = 8, REJOINED_MAX = 16384, HEADS = 60, TCP = 6 };

static bool
is_open(struct clf_engine *e, struct clf_ctx *c)
{
	if (e->config.ndpi == CLF_NDPI_OFF || c->ndpi_done || !e->ndpi)
		return false;
	if (!c->ndpi)
		c->ndpi = clf_ndpi_open(e->ndpi);
	if (!c->ndpi)
		c->ndpi_done = 1;
	return c->ndpi != NULL;
}

static void
done(struct clf_engine *e, struct clf_ctx *c)
{
	c->ndpi_done = 1;
	c->watch &= (uint8_t)~CLF_WATCH_NDPI;
	clf_ndpi_close(e->ndpi, c->ndpi);
	c->ndpi = NULL;
	c->fresh = 1;
	c->renamed = 1; /* the label is told even where no name came */
}

static void
feed(struct clf_visit *v, struct clf_ctx *c, const uint8_t *l3, size_t len)
{
	struct clf_engine *e = v->e;
	unsigned max = v->pkt->protocol == TCP ? UNDECIDED_TCP : UNDECIDED_UDP;

	e->stats.ndpi_calls++;
	c->ndpi_packets++;
	clf_ndpi_packet(e->ndpi, c->ndpi, l3, (uint16_t)(len < CLF_L3_MAX ? len : CLF_L3_MAX),
	    v->ts_us, v->dir == CLF_UP, &c->label);
	if (e->config.ndpi == CLF_NDPI_UNDECIDED && !c->label.final &&
	    (c->ndpi_packets >= max || c->label.app != 0))
		clf_ndpi_giveup(e->ndpi, c->ndpi, &c->label);
	if (c->label.final)
		done(e, c);
	else if (e->config.ndpi == CLF_NDPI_ALL)
		c->watch |= CLF_WATCH_NDPI;
}

void
clf_feed_ndpi_raw(struct clf_visit *v, struct clf_ctx *c)
{
	if (!is_open(v->e, c))
		return;
	size_t end = (size_t)v->pkt->payload_off + v->pkt->payload_len;
	struct sig_bytes l3 = sig_bytes_of(v->pkt->data, v->pkt->len);

	if (v->pkt->payload_off == 0 || end > v->pkt->len)
		end = v->pkt->len;
	if (!sig_bytes_skip(&l3, v->pkt->l3_off) || end <= v->pkt->l3_off)
		return;
	if (c->stream[v->dir]) {
		struct sig_bytes stream = clf_stream_view(c->stream[v->dir]);
		c->ndpi_fed[v->dir] = (uint32_t)sig_bytes_left(&stream);
	}
	feed(v, c, l3.p, end - v->pkt->l3_off);
}

/* The packet's own headers, options and all, with the lengths of another payload. */
static size_t
make_head(const struct clf_pkt *p, uint8_t *out, size_t payload)
{
	size_t head = (size_t)p->payload_off - p->l3_off;
	struct sig_bytes from = sig_bytes_of(p->data, p->len);
	size_t total = head + payload;

	if (p->payload_off <= p->l3_off || head > HEADS + 60 || !sig_bytes_skip(&from, p->l3_off) ||
	    sig_bytes_left(&from) < head)
		return 0;
	memcpy(out, from.p, head);
	if (p->ip_version == 4) {
		out[2] = (uint8_t)(total >> 8);
		out[3] = (uint8_t)total;
	} else {
		out[4] = (uint8_t)((total - 40) >> 8);
		out[5] = (uint8_t)(total - 40);
	}
	return head;
}

void
clf_feed_ndpi_stream(struct clf_visit *v, struct clf_ctx *c, unsigned dir)
{
	struct clf_engine *e = v->e;

	if (!is_open(e, c) || !c->stream[dir])
		return;
	struct sig_bytes stream = clf_stream_view(c->stream[dir]);
	size_t n = sig_bytes_left(&stream), fed = c->ndpi_fed[dir];
	if (fed > n) /* bytes were consumed since */
		fed = 0;
	n -= fed;
	if (n > REJOINED_MAX)
		n = REJOINED_MAX;
	if (n == 0 || !sig_bytes_skip(&stream, fed))
		return;
	size_t head = make_head(v->pkt, e->l3, n);
	if (head == 0)
		return;
	memcpy(e->l3 + head, stream.p, n);
	c->ndpi_fed[dir] = (uint32_t)(fed + n);
	feed(v, c, e->l3, head + n);
}

void
clf_ndpi_conclude(struct clf_engine *e, struct clf_ctx *c)
{
	if (!c->ndpi || c->ndpi_done)
		return;
	if (c->label.app == 0)
		clf_ndpi_giveup(e->ndpi, c->ndpi, &c->label);
	done(e, c);
}

size_t
clf_ndpi_text(struct clf_engine *e, const struct clf_ctx *c, char *out, size_t cap)
{
	/* Absent where nDPI was never asked. */
	if (!e->ndpi || c->ndpi_packets == 0)
		return 0;
	return clf_ndpi_label(e->ndpi, &c->label, out, cap);
}

size_t
clf_ndpi_once(
    struct clf_engine *e, const struct clf_pkt *pkt, uint64_t ts_us, char *out, size_t cap)
{
	struct clf_ndpi_verdict label = { 0 };
	struct sig_bytes l3 = sig_bytes_of(pkt->data, pkt->len);
	struct clf_ndpi_flow *f;

	if (e->config.ndpi != CLF_NDPI_ALL || !e->ndpi || !sig_bytes_skip(&l3, pkt->l3_off))
		return 0;
	f = clf_ndpi_open(e->ndpi);
	if (!f)
		return 0;
	size_t n = sig_bytes_left(&l3);
	e->stats.ndpi_calls++;
	clf_ndpi_packet(
	    e->ndpi, f, l3.p, (uint16_t)(n < CLF_L3_MAX ? n : CLF_L3_MAX), ts_us, true, &label);
	if (label.app == 0 && !label.final)
		clf_ndpi_giveup(e->ndpi, f, &label);
	n = clf_ndpi_label(e->ndpi, &label, out, cap);
	clf_ndpi_close(e->ndpi, f);
	return n;
}
