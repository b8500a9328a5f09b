/* SPDX-License-Identifier: Apache-2.0 */
/* TLS under inspection: the hello (also QUIC's), a second one after a retry, the server's flight.
 */
#include "classifier/engine_state.h"
#include "classifier/resolvers.h"

enum {
	DOT_PORT = 853,
	OTHERS_MAX = 8, /* each look reads a whole hello */
};

static bool
alpn_is(const struct clf_tls_hello *h, unsigned i, const char *what)
{
	return h->alpn[i].len == strlen(what) && memcmp(h->alpn[i].p, what, h->alpn[i].len) == 0;
}

static bool
alpn_begins(const struct clf_tls_hello *h, unsigned i, const char *what)
{
	return h->alpn[i].len >= strlen(what) && memcmp(h->alpn[i].p, what, strlen(what)) == 0;
}

/* JA3 and JA4 cost hashing: only where a signature looks or the owner wants them shown. */
static void
fingerprints(struct clf_visit *v, struct clf_ctx *c, const struct clf_tls_hello *h, bool quic)
{
	uint32_t packet = clf_packet_number(v->f);
	char ja3[33], ja4[37];

	if ((v->e->config.ja3 || (v->e->fields & (1u << SIG_F_JA3))) && clf_ja3(h, ja3) == 0)
		clf_add_fact(c, SIG_F_JA3, ja3, strlen(ja3), packet, CLF_GROUP_ALL);
	if ((v->e->config.ja3 || (v->e->fields & (1u << SIG_F_JA4))) && clf_ja4(h, quic, ja4) == 0)
		clf_add_fact(c, SIG_F_JA4, ja4, strlen(ja4), packet, CLF_GROUP_ALL);
}

static uint64_t
name_hash(const struct clf_name *n)
{
	return n->len > 0 ? sig_hash(n->canonical, (size_t)n->len, 1)
			  : sig_hash(n->raw, n->raw_len, 2);
}

/* One that cannot work hides no other name: GREASE. One that could may be either. */
static uint32_t
ech_flag(const struct clf_tls_hello *h)
{
	return h->ech_grease ? CLF_FL_ECH_GREASE : h->ech ? CLF_FL_ECH : 0;
}

void
clf_take_hello(struct clf_visit *v, struct clf_ctx *c, const struct clf_tls_hello *h, bool quic)
{
	uint32_t packet = clf_packet_number(v->f);
	enum sig_field field = quic ? SIG_F_QUIC_SNI : SIG_F_TLS_SNI;

	c->hello = 1;
	c->watch &= (uint8_t)~CLF_WATCH_REQUESTS; /* inside CONNECT: a tunnel now */
	c->protocol_known = 1;
	c->fresh = 1;
	c->flags &= ~(uint32_t)CLF_FL_GAP;
	c->flags |= ech_flag(h) | (h->esni ? CLF_FL_ESNI : 0) |
		    (h->two_names ? CLF_FL_AMBIGUOUS : 0);
	if (h->have_sni) {
		c->hello_sni = 1;
		c->sni_hash = name_hash(&h->sni);
		clf_add_name(c, field, &h->sni, packet, CLF_GROUP_ALL);
		if (h->sni.len > 0 && clf_is_resolver(h->sni.canonical, (size_t)h->sni.len))
			c->flags |= CLF_FL_ENCRYPTED_DNS;
		if (h->two_names)
			clf_add_name(c, field, &h->sni2, packet, CLF_GROUP_ALL);
	} else {
		c->flags |= CLF_FL_NO_SNI;
	}
	for (unsigned i = 0; i < h->n_alpn; i++) {
		clf_add_fact(c, SIG_F_ALPN, h->alpn[i].p, h->alpn[i].len, packet, CLF_GROUP_ALL);
		if (alpn_is(h, i, "dot") || alpn_begins(h, i, "doq")) /* drafts: "doq-i03" */
			c->flags |= CLF_FL_ENCRYPTED_DNS;
	}
	uint16_t server_port = v->dir == CLF_UP ? v->pkt->dst_port : v->pkt->src_port;
	if (server_port == DOT_PORT)
		c->flags |= CLF_FL_ENCRYPTED_DNS;
	if (h->hello)
		fingerprints(v, c, h, quic);
}

/*
 * The flow gives no more: a name that an unfinished hello or request shows is better than none.
 * What stands behind it is unknown, hence the `gap`.
 */
void
clf_conclude_hello(struct clf_engine *e, const struct clf_flow *f, struct clf_ctx *c)
{
	struct clf_tls_hello *h = &e->hello;
	bool quic = c->reader == CLF_READ_QUIC, found = false;

	if (c->hello || c->decided)
		return;
	if (c->head_seen != 0 && c->requests == 0 && c->stream[CLF_UP]) {
		clf_conclude_request(e, f, c);
		return;
	}
	if (quic && c->quic)
		found = clf_quic_partial_hello(c->quic, h);
	else if (c->reader == CLF_READ_TLS && c->stream[CLF_UP])
		found = clf_tls_partial_hello(clf_stream_view(c->stream[CLF_UP]), e->join, h);
	if (!found)
		return;
	c->flags |= CLF_FL_GAP | ech_flag(h) | (h->esni ? CLF_FL_ESNI : 0) |
		    (h->two_names ? CLF_FL_AMBIGUOUS : 0);
	clf_add_name(
	    c, quic ? SIG_F_QUIC_SNI : SIG_F_TLS_SNI, &h->sni, clf_packet_number(f), CLF_GROUP_ALL);
}

/* A retry was seen; a flow that was told already is told again. */
static void
note_retry(struct clf_ctx *c)
{
	if (c->flags & CLF_FL_HRR)
		return;
	c->flags |= CLF_FL_HRR;
	c->renamed |= c->decided;
}

/* A second hello: the same name, or the flow has two honest readings. */
void
clf_second_hello(struct clf_ctx *c, const struct clf_tls_hello *h, enum sig_field field, bool retry,
    uint32_t packet)
{
	bool same = h->have_sni == c->hello_sni &&
		    (!h->have_sni || name_hash(&h->sni) == c->sni_hash);

	if (retry)
		note_retry(c);
	if (same)
		return;
	c->flags |= CLF_FL_AMBIGUOUS;
	c->fresh = 1;
	c->renamed = 1;
	if (h->have_sni)
		clf_add_name(c, field, &h->sni, packet, CLF_GROUP_ALL);
}

/* Bytes came twice and disagreed: what the other reading says is told too. */
static void
other_reading(struct clf_visit *v, struct clf_ctx *c)
{
	struct clf_tls_hello *h = &v->e->hello;
	struct sig_bytes other = clf_stream_other(c->stream[CLF_UP]);

	if (sig_bytes_left(&other) == 0 || c->others == OTHERS_MAX)
		return;
	c->others++;
	c->flags |= CLF_FL_AMBIGUOUS;
	c->fresh = 1;
	if (clf_tls_client_hello(other, v->e->join, h) == CLF_OBS_DONE && h->have_sni &&
	    (!c->hello_sni || name_hash(&h->sni) != c->sni_hash))
		clf_add_name(c, SIG_F_TLS_SNI, &h->sni, clf_packet_number(v->f), CLF_GROUP_ALL);
}

/* Behind the first hello: another one, after a HelloRetryRequest or where none belongs. */
static void
read_behind(struct clf_visit *v, struct clf_ctx *c, struct sig_bytes stream)
{
	struct clf_tls_hello *h = &v->e->hello;
	enum clf_obs r;

	other_reading(v, c);
	if (!(c->watch & CLF_WATCH_RETRY) || !sig_bytes_skip(&stream, c->hello_next) ||
	    sig_bytes_left(&stream) == 0)
		return;
	/* One direction alone: why a second one came can only be guessed. */
	bool retry = (c->flags & CLF_FL_HRR) || c->data_packets[CLF_DOWN] == 0;
	r = clf_tls_next_hello(stream, c->hello_open, v->e->join, h);
	if (r == CLF_OBS_DONE)
		clf_second_hello(c, h, SIG_F_TLS_SNI, retry, clf_packet_number(v->f));
	if (r == CLF_OBS_MORE)
		c->need[CLF_UP] = c->hello_next + h->need;
	else
		c->watch &= (uint8_t)~CLF_WATCH_RETRY;
}

bool
clf_read_tls(struct clf_visit *v, struct clf_ctx *c, struct sig_bytes stream)
{
	struct clf_tls_hello *h = &v->e->hello;
	enum clf_obs r;

	if (c->hello) {
		read_behind(v, c, stream);
		return false;
	}
	r = clf_tls_client_hello(stream, v->e->join, h);
	switch (r) {
	case CLF_OBS_MORE:
		c->need[CLF_UP] = h->need;
		if (sig_bytes_left(&stream) >= (sig_bytes_at(&stream, 1) == 3 ? 3u : 11u)) {
			c->reader = CLF_READ_TLS;
			c->protocol_known = 1;
		}
		return false;
	case CLF_OBS_NOT_MINE:
		c->not_mine |= CLF_NOT_TLS;
		c->need[CLF_UP] = 0;
		if (c->reader == CLF_READ_TLS)
			c->reader = CLF_READ_START;
		return c->reader == CLF_READ_START && c->not_mine != CLF_NOT_ANY;
	case CLF_OBS_BAD:
		c->flags |= CLF_FL_MALFORMED;
		c->server_done = 1;
		/* fall through */
	case CLF_OBS_DONE: break;
	}
	c->reader = CLF_READ_TLS;
	c->need[CLF_UP] = 0;
	if (c->connect) /* what a proxy said before is no server's flight */
		clf_forget_down(v, c);
	c->hello_next = h->hello_end;
	c->hello_open = (uint16_t)(h->consumed - h->hello_end);
	clf_take_hello(v, c, h, false);
	other_reading(v, c);
	if (r == CLF_OBS_DONE)
		c->watch |= CLF_WATCH_RETRY;
	return r == CLF_OBS_DONE; /* what came with it is read too */
}

void
clf_read_tls_server(struct clf_visit *v, struct clf_ctx *c, struct sig_bytes stream)
{
	struct clf_tls_server *s = &v->e->server;
	uint32_t packet = clf_packet_number(v->f);
	/* Decided before a hello came, behind CONNECT or STARTTLS: the certificate is news. */
	bool told = c->decided && c->hello_sni;
	enum clf_obs r = clf_tls_server_flight(stream, v->e->join, s);

	if (r == CLF_OBS_MORE) {
		c->need[CLF_DOWN] = s->need;
		/* Decided, and the server speaks: a retry would have shown by now. */
		if (told && s->hello_done && !s->hello_retry)
			c->watch &= (uint8_t)~CLF_WATCH_RETRY;
		return;
	}
	c->server_done = 1;
	if (r == CLF_OBS_DONE && s->hello_retry) {
		note_retry(c);
		return;
	}
	c->watch &= (uint8_t)~CLF_WATCH_RETRY;
	if (r == CLF_OBS_NOT_MINE || told)
		return;
	bool asked = c->hello_sni && !(c->flags & (CLF_FL_ECH | CLF_FL_ILLEGAL_NAME));
	for (unsigned i = 0; s->have_cert && !asked && i < s->n_names; i++)
		clf_add_name(c, SIG_F_TLS_CERT, &s->names[i], packet, CLF_GROUP_ALL);
	if (s->have_cert && (v->e->fields & (1u << SIG_F_CERT_ISSUER)))
		clf_add_fact(
		    c, SIG_F_CERT_ISSUER, s->issuer, strlen(s->issuer), packet, CLF_GROUP_ALL);
	if (s->have_cert && (v->e->fields & (1u << SIG_F_CERT_SUBJECT)))
		clf_add_fact(
		    c, SIG_F_CERT_SUBJECT, s->subject, strlen(s->subject), packet, CLF_GROUP_ALL);
}
