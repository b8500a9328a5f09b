/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP under inspection: segments into streams, prefixes to readers. Readers are functions of a
 * prefix, so cuts, order and duplicates of segments change nothing.
 */
#include "classifier/engine_state.h"

enum { SYN = 2, ACK = 16 };
enum {
	DNS_PORT = 53,
	LATE_BYTES = 8192,
	LATE_PACKETS = 32,
	WATCH_BYTES = 1 << 20,
	SOCKS_MAX = 1024, /* of a preamble: two strings of 255 bytes are common limits */
	READ_ROUNDS = 128 /* more DNS messages than one segment holds */
};

static const uint32_t stream_flags = CLF_FL_AMBIGUOUS | CLF_FL_OVERLAP | CLF_FL_BAD_CHECKSUM |
				     CLF_FL_OVER_LIMIT | CLF_FL_MIDSTREAM | CLF_FL_TRUNCATED;

static bool
is_dns_port(const struct clf_visit *v)
{
	return v->pkt->src_port == DNS_PORT || v->pkt->dst_port == DNS_PORT;
}

/*
 * The server's flight begins with what it says from here on: behind what the client's segment in
 * hand acknowledges, in whatever order its own segments come.
 */
void
clf_forget_down(struct clf_visit *v, struct clf_ctx *c)
{
	clf_stream_close(v->e->streams, c->stream[CLF_DOWN]);
	c->stream[CLF_DOWN] = clf_stream_open(v->e->streams);
	if (c->stream[CLF_DOWN] && (v->pkt->tcp_flags & ACK))
		clf_stream_begin(c->stream[CLF_DOWN], v->pkt->ack);
	c->need[CLF_DOWN] = 0;
}

/*
 * A hello behind another protocol's first words: STARTTLS, SOCKS, a proxy's preamble. Looked for at
 * every offset of the prefix, so that no cut matters.
 */
static bool
find_late_hello(struct clf_visit *v, struct clf_ctx *c, struct sig_bytes stream)
{
	struct sig_bytes rest = stream;
	size_t n = sig_bytes_left(&stream) < LATE_BYTES ? sig_bytes_left(&stream) : LATE_BYTES;

	if (c->hello || !sig_bytes_skip(&rest, c->late_from))
		return false;
	for (; c->late_from + 6u <= n; c->late_from++, (void)sig_bytes_skip(&rest, 1)) {
		if (sig_bytes_at(&rest, 0) != 0x16 || sig_bytes_at(&rest, 1) != 3 ||
		    sig_bytes_at(&rest, 2) > 4 || sig_bytes_at(&rest, 5) != 1)
			continue;
		enum clf_obs r = clf_tls_client_hello(rest, v->e->join, &v->e->hello);
		if (r != CLF_OBS_DONE && r != CLF_OBS_MORE)
			continue;
		clf_stream_consume(v->e->streams, c->stream[CLF_UP], c->late_from);
		c->ndpi_fed[CLF_UP] -= c->ndpi_fed[CLF_UP] < c->late_from ? c->ndpi_fed[CLF_UP]
									  : c->late_from;
		clf_forget_down(v, c);
		c->late_from = 0;
		c->reader = CLF_READ_TLS;
		c->watch = (uint8_t)((c->watch & ~CLF_WATCH_LATE) | CLF_WATCH_RETRY);
		return true;
	}
	return false;
}

/*
 * What a client says to a SOCKS proxy before the tunnelled bytes (RFC 1928, RFC 1929; version 4):
 * its length, or 0 when it is something else or not all here.
 */
static size_t
socks_preamble(struct sig_bytes b)
{
	const uint8_t *from = b.p;

	if (sig_bytes_left(&b) > SOCKS_MAX)
		b.end = b.p + SOCKS_MAX;
	uint8_t version = sig_bytes_u8(&b), kind;

	if (version == 4) {
		if (sig_bytes_u8(&b) != 1 || sig_bytes_u16(&b) == 0)
			return 0;
		uint32_t address = sig_bytes_u32(&b);
		/* Address 0.0.0.x says that the name follows the user (4A): two strings, not one.
		 */
		unsigned strings = address != 0 && address < 256 ? 2 : 1;
		while (sig_bytes_left(&b) != 0) {
			if (sig_bytes_u8(&b) == 0 && --strings == 0)
				return (size_t)(b.p - from);
		}
		return 0;
	}
	if (version != 5 || !sig_bytes_skip(&b, sig_bytes_u8(&b)))
		return 0;
	if (sig_bytes_at(&b, 0) == 1) { /* user and password */
		(void)sig_bytes_u8(&b);
		(void)sig_bytes_skip(&b, sig_bytes_u8(&b));
		(void)sig_bytes_skip(&b, sig_bytes_u8(&b));
	}
	if (sig_bytes_u8(&b) != 5 || sig_bytes_u8(&b) != 1 || sig_bytes_u8(&b) != 0)
		return 0;
	kind = sig_bytes_u8(&b);
	if (kind != 1 && kind != 3 && kind != 4)
		return 0;
	(void)sig_bytes_skip(&b, kind == 1 ? 4 : kind == 4 ? 16 : sig_bytes_u8(&b));
	return sig_bytes_skip(&b, 2) ? (size_t)(b.p - from) : 0;
}

/* What follows a SOCKS preamble is read like a connection of its own. */
static bool
enter_socks(struct clf_visit *v, struct clf_ctx *c, struct sig_bytes stream)
{
	size_t n = c->connect || c->hello ? 0 : socks_preamble(stream);

	if (n == 0)
		return false;
	clf_stream_consume(v->e->streams, c->stream[CLF_UP], n);
	c->ndpi_fed[CLF_UP] = 0;
	clf_forget_down(v, c);
	c->late_from = 0;
	c->connect = 1;
	c->not_mine = CLF_NOT_DNS;
	c->reader = CLF_READ_START;
	return true;
}

/* Asks who can read the initiator's stream. */
static void
read_up(struct clf_visit *v, struct clf_ctx *c)
{
	for (unsigned round = 0; round < READ_ROUNDS; round++) {
		struct sig_bytes stream = clf_stream_view(c->stream[CLF_UP]);
		bool again = false;

		if (sig_bytes_left(&stream) == 0 || sig_bytes_left(&stream) < c->need[CLF_UP])
			return;
		switch (c->reader) {
		case CLF_READ_START:
			if (!(c->not_mine & CLF_NOT_DNS))
				again = clf_read_dns_tcp(v, c, stream, CLF_UP);
			if (c->reader == CLF_READ_START && !(c->not_mine & CLF_NOT_TLS))
				again = clf_read_tls(v, c, stream);
			if (c->reader == CLF_READ_START && !(c->not_mine & CLF_NOT_H2))
				again = clf_read_h2(v, c, stream);
			if (c->reader == CLF_READ_START && !(c->not_mine & CLF_NOT_HTTP))
				again = clf_read_http(v, c, stream);
			break;
		case CLF_READ_TLS: again = clf_read_tls(v, c, stream); break;
		case CLF_READ_HTTP: again = clf_read_http(v, c, stream); break;
		case CLF_READ_H2: again = clf_read_h2(v, c, stream); break;
		case CLF_READ_DNS: again = clf_read_dns_tcp(v, c, stream, CLF_UP); break;
		case CLF_READ_NONE:
			again = enter_socks(v, c, stream) || find_late_hello(v, c, stream);
			break;
		default: return;
		}
		if (c->reader == CLF_READ_START && c->not_mine == CLF_NOT_ANY) {
			c->watch &= (uint8_t)~CLF_WATCH_REQUESTS;
			c->reader = CLF_READ_NONE;
			again = true;
		}
		if (!again)
			return;
	}
}

void
clf_read_on(struct clf_visit *v, struct clf_ctx *c)
{
	if (c->stream[CLF_UP])
		read_up(v, c);
}

static void
read_down(struct clf_visit *v, struct clf_ctx *c)
{
	bool again = true;

	while (again) {
		struct sig_bytes stream = clf_stream_view(c->stream[CLF_DOWN]);

		again = false;
		if (sig_bytes_left(&stream) == 0 || sig_bytes_left(&stream) < c->need[CLF_DOWN])
			return;
		if (c->reader == CLF_READ_TLS)
			clf_read_tls_server(v, c, stream);
		else if (c->reader == CLF_READ_DNS ||
			 (c->reader == CLF_READ_START && is_dns_port(v)))
			again = clf_read_dns_tcp(v, c, stream, CLF_DOWN);
	}
}

static bool
wants(const struct clf_visit *v, const struct clf_ctx *c)
{
	if (v->dir == CLF_UP)
		return c->reader != CLF_READ_NONE || !c->decided || (c->watch & CLF_WATCH_LATE);
	if (c->reader == CLF_READ_HTTP || c->reader == CLF_READ_H2)
		return false;
	if (c->decided && c->reader == CLF_READ_NONE)
		return (c->watch & CLF_WATCH_NDPI) != 0;
	return !c->server_done;
}

static struct clf_fact *
payload_of(const struct clf_ctx *c, unsigned dir)
{
	enum sig_field field = dir == CLF_UP ? SIG_F_PAYLOAD : SIG_F_PAYLOAD_DOWN;

	for (unsigned i = 0; i < c->n_facts; i++) {
		if (c->facts[i].field == field)
			return (struct clf_fact *)&c->facts[i];
	}
	return NULL;
}

bool
clf_wants_payload(const struct clf_engine *e, const struct clf_ctx *c, unsigned dir)
{
	const struct clf_fact *f = e->reach[dir] ? payload_of(c, dir) : NULL;

	return e->reach[dir] && (!f || f->len < e->reach[dir]);
}

/* Where the next fact's bytes begin: as far as this one may grow. */
static size_t
room_of(const struct clf_ctx *c, const struct clf_fact *f)
{
	unsigned end = c->fact_text;

	for (unsigned i = 0; i < c->n_facts; i++) {
		if (c->facts[i].off > f->off && c->facts[i].off < end)
			end = c->facts[i].off;
	}
	return end - f->off;
}

/*
 * The first bytes of a direction, where a signature looks at them. As far as any looks, the next
 * segments' are added to those of the first, so that no cut matters.
 */
static void
payload_fact(struct clf_visit *v, struct clf_ctx *c, unsigned dir)
{
	enum sig_field field = dir == CLF_UP ? SIG_F_PAYLOAD : SIG_F_PAYLOAD_DOWN;
	struct sig_bytes stream = clf_stream_view(c->stream[dir]);
	size_t n = sig_bytes_left(&stream), reach = v->e->reach[dir];
	struct clf_fact *f = payload_of(c, dir);

	if (reach == 0 || n == 0)
		return;
	if (n > SIG_PAYLOAD_MAX)
		n = SIG_PAYLOAD_MAX;
	if (!f) {
		unsigned before = c->n_facts;

		clf_add_fact(c, field, stream.p, n, clf_packet_number(v->f), CLF_GROUP_ALL);
		if (n < reach && c->n_facts > before &&
		    reach - n <= (size_t)(CLF_FACT_TEXT - c->fact_text))
			c->fact_text = (uint16_t)(c->fact_text + reach - n);
		return;
	}
	/* What was read of it before may be gone from the stream. */
	if (f->len >= reach || n <= f->len ||
	    memcmp(c->facts_bytes + f->off, stream.p, f->len) != 0)
		return;
	if (n > room_of(c, f))
		n = room_of(c, f);
	if (n <= f->len)
		return;
	memcpy(c->facts_bytes + f->off, stream.p, n);
	f->len = (uint16_t)n;
	f->packet = clf_packet_number(v->f);
	c->fresh = 1;
}

static void
feed_ndpi(struct clf_visit *v, struct clf_ctx *c, size_t grown)
{
	enum clf_ndpi_mode mode = v->e->config.ndpi;

	if (mode == CLF_NDPI_OFF || c->ndpi_done)
		return;
	/* Undecided: only where the readers have nothing, or the server spoke first. */
	if (mode == CLF_NDPI_UNDECIDED &&
	    (c->decided ||
		(c->reader != CLF_READ_NONE && (c->reader != CLF_READ_START || v->dir == CLF_UP))))
		return;
	if (grown == v->pkt->payload_len && (c->ndpi_packets != 0 || c->data_packets[v->dir] == 1))
		clf_feed_ndpi_raw(v, c);
	else
		clf_feed_ndpi_stream(v, c, v->dir);
}

/* A stream; where none is left, a flow that is only watched gives up its own. */
static struct clf_stream *
open_stream(struct clf_engine *e, struct clf_ctx *c)
{
	struct clf_stream *s = clf_stream_open(e->streams);

	if (!s && clf_ctx_steal(e, c))
		s = clf_stream_open(e->streams);
	return s;
}

static void
take_data(struct clf_visit *v, struct clf_ctx *c)
{
	struct clf_engine *e = v->e;
	struct clf_stream **s = &c->stream[v->dir];

	if (c->data_packets[v->dir] != UINT16_MAX)
		c->data_packets[v->dir]++;
	c->data_bytes[v->dir] += v->pkt->payload_len;
	if (c->data_packets[0] + c->data_packets[1] > LATE_PACKETS)
		c->watch &= (uint8_t)~CLF_WATCH_LATE;
	if (c->data_bytes[CLF_UP] > WATCH_BYTES) /* an upload: not worth its cost */
		c->watch &= (uint8_t)~CLF_WATCH_REQUESTS;
	if (!wants(v, c)) {
		if (e->config.ndpi == CLF_NDPI_ALL)
			clf_feed_ndpi_raw(v, c);
		return;
	}
	if (!*s)
		*s = open_stream(e, c);
	if (!*s) {
		e->stats.stream_full++;
		c->flags |= CLF_FL_OVER_LIMIT;
		c->reader = CLF_READ_NONE;
		c->ndpi_done = 1;
		return;
	}
	struct sig_bytes before = clf_stream_view(*s);
	enum clf_push push = clf_stream_push_borrow(
	    e->streams, *s, v->pkt, e->config.trust_checksums);
	c->flags |= clf_stream_flags(*s) & stream_flags;
	if (push == CLF_PUSH_NO_ROOM && c->decided)
		c->watch &= CLF_WATCH_NDPI;
	else if (push == CLF_PUSH_NO_ROOM)
		c->flags |= CLF_FL_OVER_LIMIT;
	if (push != CLF_PUSH_MORE)
		return;
	if (c->reads != UINT16_MAX)
		c->reads++;
	struct sig_bytes after = clf_stream_view(*s);
	/* Mid-stream, and an earlier part came later: nothing that was thought of it holds. */
	if (clf_stream_restarted(*s) && !c->decided && !c->hello && c->requests == 0) {
		struct clf_fact *f = payload_of(c, v->dir);

		c->reader = CLF_READ_START;
		c->not_mine = 0;
		c->need[v->dir] = 0;
		if (f)
			f->len = 0;
	}
	size_t grown = sig_bytes_left(&after) - sig_bytes_left(&before);
	if (grown == 0) /* bytes came again and disagreed: the other reading may be told */
		c->need[v->dir] = 0;
	if (!c->decided)
		payload_fact(v, c, v->dir);
	if (v->dir == CLF_UP)
		read_up(v, c);
	else
		read_down(v, c);
	feed_ndpi(v, c, grown);
}

/* What lives on after this packet must not point into its frame. */
void
clf_keep_streams(struct clf_engine *e, struct clf_ctx *c)
{
	for (unsigned dir = 0; dir < 2; dir++) {
		if (c->stream[dir] && !clf_stream_keep(e->streams, c->stream[dir]))
			c->flags |= CLF_FL_OVER_LIMIT;
	}
}

void
clf_inspect_tcp(struct clf_visit *v, struct clf_ctx *c)
{
	struct clf_engine *e = v->e;
	struct clf_stream **s = &c->stream[v->dir];

	if (v->pkt->tcp_flags & SYN) {
		if (!*s)
			*s = open_stream(e, c);
		if (*s)
			clf_stream_syn(*s, v->pkt);
		if (*s && c->stream[!v->dir])
			clf_stream_meet(*s, c->stream[!v->dir]);
	}
	if ((v->pkt->tcp_flags & ACK) && c->stream[!v->dir])
		clf_stream_acked(c->stream[!v->dir], v->pkt);
	if (v->pkt->payload_len != 0)
		take_data(v, c);
	else if (e->config.ndpi == CLF_NDPI_ALL)
		clf_feed_ndpi_raw(v, c);
}
