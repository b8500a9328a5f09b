/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS: each question is a record of its own, judged alone; nothing is latched on a socket. The
 * answer that fits a question ends its record and feeds the DNS memory; one that fits none teaches
 * nothing, and names what was asked as a guess.
 */
#include <errno.h>
#include <stdlib.h>

#include "classifier/engine_state.h"

enum { UDP = 17, TCP = 6, DNS = 53, MDNS = 5353, LLMNR = 5355, NETBIOS = 137 };
enum { DNS_HEAD = 12, OPT = 41, ODD_QUESTION_MAX = 512 };
enum { ANSWER_WAIT_US = 10000000, ANSWERED_US = 60000000 };
/* Often enough that no log comes round unread; a look-up takes all there is besides. */
enum { SHARE_TICKS = 32, SHARE_MOST = 256 };

int
clf_questions_new(struct clf_engine *e)
{
	e->max_questions = e->config.max_inspecting < 1024 ? 1024 : e->config.max_inspecting;
	e->questions = calloc((size_t)e->max_questions + 1, sizeof(*e->questions));
	e->question_slots = calloc(e->max_questions, sizeof(*e->question_slots));
	return e->questions && e->question_slots ? 0 : -ENOMEM;
}

void
clf_questions_free(struct clf_engine *e)
{
	free(e->questions);
	free(e->question_slots);
}

static uint32_t *
slot_of(struct clf_engine *e, uint64_t hash)
{
	return &e->question_slots[((hash >> 32) * e->max_questions) >> 32];
}

static void
unlink_question(struct clf_engine *e, uint32_t at)
{
	struct clf_question *q = &e->questions[at];
	uint32_t *link = slot_of(e, q->hash);

	while (*link != at)
		link = &e->questions[*link].chain;
	*link = q->chain;
	if (q->older)
		e->questions[q->older].newer = q->newer;
	else
		e->oldest_question = q->newer;
	if (q->newer)
		e->questions[q->newer].older = q->older;
	else
		e->newest_question = q->older;
	q->chain = e->free_questions;
	e->free_questions = at;
}

static void
end_question(struct clf_engine *e, uint32_t at, uint64_t at_us)
{
	struct clf_question *q = &e->questions[at];

	clf_event_of_question(e, q, CLF_EV_ENDED, at_us, &e->event);
	e->stats.flows_ended++;
	e->stats.flows_now--;
	e->stats.blind_flows[CLF_BLIND_NONE]++;
	e->stats.blind_bytes[CLF_BLIND_NONE] += (uint64_t)q->bytes[0] + q->bytes[1];
	unlink_question(e, at);
	clf_event_send(e, &e->event);
}

unsigned
clf_questions_expire(struct clf_engine *e, uint64_t now_us, unsigned budget)
{
	unsigned n = 0;

	while (n < budget && e->oldest_question != 0) {
		struct clf_question *q = &e->questions[e->oldest_question];
		if (q->first_us + ANSWER_WAIT_US > now_us)
			break;
		end_question(e, e->oldest_question, q->first_us + ANSWER_WAIT_US);
		n++;
	}
	return n;
}

void
clf_dns_tick(struct clf_engine *e)
{
	(void)clf_questions_expire(e, e->now_us, CLF_BURST_MAX);
	if (e->config.dns_share && e->dns_ticks++ % SHARE_TICKS == 0)
		clf_dns_memory_catch_up(e->memory, SHARE_MOST);
}

static uint32_t
take_question(struct clf_engine *e, uint64_t ts_us)
{
	uint32_t at = e->free_questions;

	if (at == 0 && e->used_questions == e->max_questions) {
		end_question(e, e->oldest_question, ts_us); /* the oldest has waited longest */
		at = e->free_questions;
	}
	if (at != 0)
		e->free_questions = e->questions[at].chain;
	else
		at = ++e->used_questions;
	return at;
}

/* Who asked whom; `up` when the packet goes from the client. */
static void
ends_of(const struct clf_pkt *p, bool up, struct clf_question *ret)
{
	size_t n = p->ip_version == 6 ? 16 : 4;

	memset(ret, 0, sizeof(*ret));
	memcpy(ret->client.bytes, up ? clf_pkt_src(p) : clf_pkt_dst(p), n);
	memcpy(ret->server.bytes, up ? clf_pkt_dst(p) : clf_pkt_src(p), n);
	ret->client_port = up ? p->src_port : p->dst_port;
	ret->server_port = up ? p->dst_port : p->src_port;
	ret->ip_version = p->ip_version;
	ret->protocol = p->protocol;
	ret->vlan = p->vlan;
	ret->tunnel = p->tunnel;
	ret->tunnel_id = p->tunnel_id;
}

static uint64_t
hash_of(const struct clf_engine *e, const struct clf_question *q, const struct clf_dns_msg *m)
{
	uint64_t seed = e->table.seed[0];
	uint64_t fixed[2] = { (uint64_t)q->client_port << 48 | (uint64_t)q->server_port << 32 |
				  (uint64_t)m->id << 16 | m->qtype,
		(uint64_t)q->vlan << 32 | (uint64_t)q->protocol << 16 | q->ip_version };
	uint64_t h = sig_hash(q->client.bytes, 16, seed) ^ sig_hash(fixed, sizeof(fixed), seed);

	h = sig_hash_mix(h ^ seed, sig_hash(q->server.bytes, 16, e->table.seed[1]));
	if (!m->have_qname)
		return h;
	return h ^ (m->qname.len > 0 ? sig_hash(m->qname.canonical, (size_t)m->qname.len, seed)
				     : sig_hash(m->qname.raw, m->qname.raw_len, seed));
}

static uint32_t
find_question(struct clf_engine *e, const struct clf_question *like, uint64_t ts_us)
{
	for (uint32_t at = *slot_of(e, like->hash); at != 0; at = e->questions[at].chain) {
		const struct clf_question *q = &e->questions[at];
		if (q->hash != like->hash || memcmp(&q->client, &like->client, 16) != 0 ||
		    memcmp(&q->server, &like->server, 16) != 0)
			continue;
		return q->first_us + ANSWER_WAIT_US > ts_us ? at : 0;
	}
	return 0;
}

/* Names of the link alone, asked by multicast (RFC 6762, 4795): shown, never a vendor's. */
static bool
is_link_port(uint16_t port)
{
	return port == MDNS || port == LLMNR;
}

/*
 * Signature, policy and the DECIDED event of one question. `lone`: only its answer was seen, and
 * anybody can send an answer that nobody asked for: whatever matches is a guess.
 */
static void
judge(struct clf_engine *e, struct clf_question *q, const struct clf_dns_msg *m, uint64_t ts_us,
    const struct clf_pkt *pkt, bool lone)
{
	struct clf_weighed *w = &e->weighed;
	struct clf_event *ev = &e->event;
	char label[64];
	uint32_t flags = (m->qname.len > 0 ? 0 : CLF_FL_ILLEGAL_NAME) |
			 (lone ? CLF_FL_MIDSTREAM | CLF_FL_ONE_WAY : 0);

	memset(&w->policy, 0, sizeof(w->policy));
	w->info = NULL;
	w->confidence = 0;
	w->match.n_hits = 0;
	w->n_facts = 0;
	w->name = m->qname.len > 0 ? (const uint8_t *)m->qname.canonical : m->qname.raw;
	w->name_len = m->qname.len > 0 ? (uint16_t)m->qname.len : m->qname.raw_len;
	w->name_source = SIG_F_DNS_QNAME;
	if (m->qname.len > 0 && !is_link_port(q->server_port)) {
		w->facts[w->n_facts++] = (struct sig_fact){
			.value = w->name, .len = w->name_len, .field = SIG_F_DNS_QNAME, .packet = 1
		};
		e->stats.rule_matches++;
		if (e->rules)
			sig_match(e->rules, e->scratch, w->facts, w->n_facts, &w->match);
	}
	for (unsigned i = 0; lone && i < w->match.n_hits; i++)
		w->match.hits[i].confidence = SIG_CONF_GUESS;
	if (w->match.n_hits != 0) {
		struct clf_policy_query pq = { .confidence = w->match.hits[0].confidence,
			.ip_version = q->ip_version,
			.protocol = q->protocol,
			.flags = flags,
			.outside_port = q->server_port,
			.vlan = q->vlan,
			.now_us = ts_us };
		bool inbound = !clf_addr_inside(e, q->ip_version, &q->client) &&
			       clf_addr_inside(e, q->ip_version, &q->server);
		w->info = sig_ruleset_info(e->rules, w->match.hits[0].sig);
		w->confidence = w->match.hits[0].confidence;
		pq.info = w->info;
		pq.inside = inbound ? q->server.bytes : q->client.bytes;
		pq.outside = inbound ? q->client.bytes : q->server.bytes;
		clf_policy_decide(e->policy, &pq, &w->policy);
	}
	q->verdict = w->policy.verdict;
	q->icmp_reject = w->policy.icmp_reject;
	q->matched = w->info != NULL;
	q->dropped = q->verdict == CLF_DROP || q->verdict == CLF_RESET;
	e->stats.flows_decided++;
	e->stats.flows_matched += q->matched;
	e->stats.names_by_source[SIG_F_DNS_QNAME]++;
	clf_event_of_question(e, q, CLF_EV_DECIDED, ts_us, ev);
	clf_event_weighed(w, ev);
	ev->flags = flags | CLF_FL_DNS_ONLY | (q->tunnel ? CLF_FL_TUNNELLED : 0) |
		    (pkt->fragmented ? CLF_FL_FRAGMENTED : 0) |
		    (pkt->fragmented == 2 ? CLF_FL_FRAGMENTS_LOST : 0) |
		    (ev->forwarder_hint ? CLF_FL_FORWARDER : 0);
	ev->names[0] = ev->name;
	ev->n_names = ev->name.len != 0;
	if (q->protocol == UDP)
		ev->ndpi = clf_event_add(
		    ev, label, clf_ndpi_once(e, pkt, ts_us, label, sizeof(label)));
	clf_event_send(e, ev);
}

/* A new record for `like`, the newest of all. */
static struct clf_question *
open_question(struct clf_engine *e, const struct clf_question *like, uint64_t ts_us)
{
	uint32_t at = take_question(e, ts_us), *slot = slot_of(e, like->hash);
	struct clf_question *q = &e->questions[at];

	*q = *like;
	q->flow_id = (uint64_t)e->config.worker << 48 | e->next_seq++;
	q->first_us = ts_us;
	q->last_us = ts_us;
	q->chain = *slot;
	*slot = at;
	q->older = e->newest_question;
	q->newer = 0;
	if (q->older)
		e->questions[q->older].newer = at;
	else
		e->oldest_question = at;
	e->newest_question = at;
	e->stats.flows_new++;
	e->stats.flows_now++;
	return q;
}

static struct clf_answered *
answered_slot(struct clf_engine *e, uint64_t hash)
{
	return &e->answered[hash % CLF_ANSWERED];
}

static struct clf_question *
ask(struct clf_engine *e, const struct clf_question *like, const struct clf_dns_msg *m,
    const struct clf_pkt *pkt, uint64_t ts_us, uint32_t bytes)
{
	uint32_t at = find_question(e, like, ts_us);
	struct clf_question *q = &e->questions[at];

	if (at != 0) { /* asked again: the same record, the same verdict */
		q->packets[CLF_UP]++;
		q->bytes[CLF_UP] += bytes;
		q->dropped += q->verdict == CLF_DROP || q->verdict == CLF_RESET;
		q->last_us = ts_us > q->last_us ? ts_us : q->last_us;
		return q;
	}
	q = open_question(e, like, ts_us);
	q->packets[CLF_UP] = 1;
	q->bytes[CLF_UP] = bytes;
	e->stats.dns_questions += !is_link_port(q->server_port);
	judge(e, q, m, ts_us, pkt, false);
	return q;
}

/* False: no such question is open. */
static bool
answer(struct clf_engine *e, const struct clf_question *like, const struct clf_dns_msg *m,
    uint64_t ts_us, uint32_t bytes, struct clf_result *res)
{
	uint32_t at = find_question(e, like, ts_us);
	struct clf_question *q = &e->questions[at];

	if (at == 0) {
		e->stats.dns_unsolicited++;
		return false;
	}
	q->packets[CLF_DOWN]++;
	q->bytes[CLF_DOWN] += bytes;
	q->last_us = ts_us > q->last_us ? ts_us : q->last_us;
	if (res) {
		res->flow_id = q->flow_id;
		res->matched = q->matched;
	}
	if (m->n_answers != 0 && !m->truncated && !is_link_port(q->server_port)) {
		clf_dns_memory_learn(e->memory, q->ip_version, &q->client, m, ts_us);
		e->stats.dns_answers_learned++;
	}
	*answered_slot(e, like->hash) = (struct clf_answered){ like->hash, ts_us };
	end_question(e, at, ts_us);
	return true;
}

/*
 * An answer to a question that never came by: the capture began between them, or sees one direction
 * alone. It says what was asked, as a guess, and teaches the DNS memory nothing.
 */
static void
tell_lone_answer(struct clf_engine *e, const struct clf_question *like, const struct clf_dns_msg *m,
    const struct clf_pkt *pkt, uint64_t ts_us, uint32_t bytes)
{
	struct clf_answered *seen = answered_slot(e, like->hash);

	if (seen->hash == like->hash && ts_us < seen->at_us + ANSWERED_US)
		return;
	*seen = (struct clf_answered){ like->hash, ts_us };
	struct clf_question *q = open_question(e, like, ts_us);
	q->packets[CLF_DOWN] = 1;
	q->bytes[CLF_DOWN] = bytes;
	judge(e, q, m, ts_us, pkt, true);
	end_question(e, e->newest_question, ts_us);
}

static bool
is_dns_port(uint16_t port)
{
	return port == DNS || port == MDNS || port == LLMNR;
}

/* Types that people's programs ask for. */
static bool
is_usual_type(uint16_t type)
{
	static const uint16_t types[] = { 1, 2, 5, 6, 12, 15, 16, 28, 33, 35, 43, 48, 64, 65, 255 };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (types[i] == type)
			return true;
	}
	return false;
}

/* The head of a plain question, or of an answer to one: cheap, for datagrams of any port. */
static bool
may_be_dns(struct sig_bytes b)
{
	(void)sig_bytes_u16(&b);
	uint16_t flags = sig_bytes_u16(&b), questions = sig_bytes_u16(&b);
	bool response = flags >> 15;
	/* Nothing but RD, AD and CD in a question; opcode and Z are 0 in both. */
	if (questions != 1 || (flags & 0x7840) != 0 || (!response && (flags & 0xfecf) != 0))
		return false;
	uint16_t answers = sig_bytes_u16(&b), authority = sig_bytes_u16(&b);
	uint16_t more = sig_bytes_u16(&b);
	return sig_bytes_ok(&b) && (response || (answers == 0 && authority == 0 && more <= 1));
}

/*
 * On a port that is not DNS's, only what can be nothing else: one usual question for a legal name
 * of two labels or more that ends where the datagram ends, or where an OPT record begins. The
 * format's other users (NetBIOS, port 137) have names and types of their own.
 */
static bool
is_surely_dns(const struct clf_dns_msg *m, struct sig_bytes b)
{
	size_t end = DNS_HEAD + (size_t)m->qname.len + 2 + 4;

	if (m->response)
		return true; /* it must fit a question that was one */
	if (m->qname.len <= 0 || m->qclass != 1 || !is_usual_type(m->qtype) ||
	    !memchr(m->qname.canonical, '.', (size_t)m->qname.len) || !sig_bytes_skip(&b, end))
		return false;
	return sig_bytes_left(&b) == 0 ||
	       (sig_bytes_left(&b) >= 11 && sig_bytes_u8(&b) == 0 && sig_bytes_u16(&b) == OPT);
}

bool
clf_dns_packet(struct clf_engine *e, struct clf_pkt *pkt, uint64_t ts_us, struct clf_result *res)
{
	struct clf_dns_msg *m = &e->dns;
	struct clf_question like;
	struct sig_bytes b = sig_bytes_of(clf_pkt_payload(pkt), pkt->payload_len);
	bool from_server = is_dns_port(pkt->src_port), to_server = is_dns_port(pkt->dst_port);
	bool odd = !from_server && !to_server;

	if (pkt->payload_len < DNS_HEAD ||
	    (odd && (pkt->src_port == NETBIOS || pkt->dst_port == NETBIOS || !may_be_dns(b))))
		return false;
	enum clf_obs r = clf_dns_message(b, m);
	if ((r != CLF_OBS_DONE && r != CLF_OBS_BAD) || !m->have_qname || m->qname.raw_len == 0)
		return false;
	if (!odd && (m->response ? !from_server : !to_server))
		return false;
	if (odd && (r != CLF_OBS_DONE || !is_surely_dns(m, b)))
		return false;
	ends_of(pkt, !m->response, &like);
	like.hash = hash_of(e, &like, m);
	if (odd && m->response && find_question(e, &like, ts_us) == 0)
		return false;
	if (m->response) {
		e->stats.verdicts[CLF_PASS]++;
		if (!answer(e, &like, m, ts_us, pkt->bytes, res))
			tell_lone_answer(e, &like, m, pkt, ts_us, pkt->bytes);
		return true;
	}
	struct clf_question *q = ask(e, &like, m, pkt, ts_us, pkt->bytes);
	e->stats.verdicts[q->verdict]++;
	*res = (struct clf_result){ .verdict = q->verdict <= CLF_RESET ? q->verdict : CLF_PASS,
		.icmp_reject = q->icmp_reject,
		.first_of_verdict = q->packets[CLF_UP] == 1 && q->verdict <= CLF_RESET &&
				    q->verdict != CLF_PASS,
		.matched = q->matched,
		.flow_id = q->flow_id };
	return true;
}

/* Could a connection to another port than DNS's begin with a question? */
static bool
may_begin_dns(struct sig_bytes stream)
{
	if (sig_bytes_left(&stream) < 2)
		return true;
	uint16_t n = sig_bytes_u16(&stream);
	return n > DNS_HEAD && n <= ODD_QUESTION_MAX &&
	       (sig_bytes_left(&stream) < DNS_HEAD || may_be_dns(stream));
}

/* Messages of a DNS connection, two length bytes before each. The first question also names it. */
bool
clf_read_dns_tcp(struct clf_visit *v, struct clf_ctx *c, struct sig_bytes stream, unsigned dir)
{
	struct clf_engine *e = v->e;
	struct clf_dns_msg *m = &e->dns;
	struct clf_question like;
	bool odd = c->reader == CLF_READ_START && !is_dns_port(v->pkt->src_port) &&
		   !is_dns_port(v->pkt->dst_port);

	if (odd && !may_begin_dns(stream)) {
		c->not_mine |= CLF_NOT_DNS;
		return false;
	}
	uint16_t n = sig_bytes_u16(&stream);
	if (!sig_bytes_ok(&stream) || sig_bytes_left(&stream) < n) {
		c->need[dir] = 2u + n;
		return false;
	}
	struct sig_bytes message = sig_bytes_sub(&stream, n);
	enum clf_obs r = n < DNS_HEAD ? CLF_OBS_NOT_MINE : clf_dns_message(message, m);
	if (r == CLF_OBS_DONE && odd && (m->response || !is_surely_dns(m, message)))
		r = CLF_OBS_NOT_MINE;
	if (r != CLF_OBS_DONE || !m->have_qname || m->qname.raw_len == 0) {
		c->not_mine |= CLF_NOT_DNS;
		c->need[dir] = dir == CLF_UP && c->reader == CLF_READ_START ? 0 : UINT32_MAX;
		c->watch &= (uint8_t)~CLF_WATCH_DNS;
		return false;
	}
	ends_of(v->pkt, v->dir == (m->response ? CLF_DOWN : CLF_UP) ? !m->response : m->response,
	    &like);
	like.hash = hash_of(e, &like, m);
	c->need[dir] = 0;
	c->reader = CLF_READ_DNS;
	c->protocol_known = 1;
	c->watch |= CLF_WATCH_DNS;
	c->flags |= CLF_FL_DNS_ONLY;
	if (!m->response) {
		(void)ask(e, &like, m, v->pkt, v->ts_us, 2u + n);
		clf_add_name(c, SIG_F_DNS_QNAME, &m->qname, clf_packet_number(v->f), c->group);
	} else if (!answer(e, &like, m, v->ts_us, 2u + n, NULL)) {
		tell_lone_answer(e, &like, m, v->pkt, v->ts_us, 2u + n);
	}
	clf_stream_consume(e->streams, c->stream[dir], 2u + n);
	return true;
}
