/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contexts themselves: a pool listed by last use, and the facts and names that readers put into
 * one. What is made of them is inspect.c's.
 */
#include "classifier/engine_state.h"

enum { STALLED_US = 1000000 };

/* --- the pool --- */

static void
list_remove(struct clf_engine *e, struct clf_ctx *c)
{
	uint32_t at = (uint32_t)(c - e->ctxs);

	if (c->older)
		e->ctxs[c->older].newer = c->newer;
	else if (e->oldest_ctx == at)
		e->oldest_ctx = c->newer;
	if (c->newer)
		e->ctxs[c->newer].older = c->older;
	else if (e->newest_ctx == at)
		e->newest_ctx = c->older;
	c->older = 0;
	c->newer = 0;
}

static void
list_append(struct clf_engine *e, struct clf_ctx *c)
{
	uint32_t at = (uint32_t)(c - e->ctxs);

	c->newer = 0;
	c->older = e->newest_ctx;
	if (e->newest_ctx)
		e->ctxs[e->newest_ctx].newer = at;
	else
		e->oldest_ctx = at;
	e->newest_ctx = at;
}

void
clf_ctx_touch(struct clf_engine *e, struct clf_ctx *c)
{
	if (e->newest_ctx == (uint32_t)(c - e->ctxs))
		return;
	list_remove(e, c);
	list_append(e, c);
}

/* Everything before the texts: they need no clearing. */
static void
clear(struct clf_ctx *c, uint32_t flow)
{
	memset(c, 0, offsetof(struct clf_ctx, names));
	c->flow = flow;
}

/* The context of a flow, or a blank one that says that nothing was seen. */
struct clf_ctx *
clf_ctx_of(struct clf_engine *e, const struct clf_flow *f)
{
	if (f->verdict != CLF_DROP && f->verdict != CLF_RESET && f->ctx != 0)
		return &e->ctxs[f->ctx];
	clear(&e->ctxs[0], (uint32_t)(f - e->table.flows));
	return &e->ctxs[0];
}

/*
 * Takes a context from a flow that can spare it: only watched, or no data came yet. Else from the
 * one that has said nothing for longest, so that flows which begin and go silent blind no others:
 * at once when it was never answered, as what a flood is made of.
 */
bool
clf_ctx_steal(struct clf_engine *e, const struct clf_ctx *not_this)
{
	uint32_t first = e->oldest_ctx, at = first;
	struct clf_ctx *oldest = &e->ctxs[first];
	struct clf_flow *f = &e->table.flows[oldest->flow];

	for (unsigned i = 0; i < 8 && at != 0; i++, at = e->ctxs[at].newer) {
		struct clf_ctx *c = &e->ctxs[at];
		if (c == not_this || (!c->decided && c->data_packets[0] + c->data_packets[1] != 0))
			continue;
		clf_ctx_close(e, c);
		return true;
	}
	bool answered = f->packets[0] != 0 && f->packets[1] != 0;
	if (first == 0 || oldest == not_this || (answered && f->last_us + STALLED_US > e->now_us))
		return false;
	oldest->flags |= CLF_FL_OVER_LIMIT;
	e->stats.inspect_full++;
	clf_conclude(e, oldest->flow, e->now_us);
	if (f->verdict != CLF_DROP && f->verdict != CLF_RESET && f->ctx == first)
		clf_ctx_close(e, oldest);
	return true;
}

struct clf_ctx *
clf_ctx_open(struct clf_engine *e, uint32_t flow)
{
	struct clf_flow *f = &e->table.flows[flow];
	uint32_t at = e->free_ctx;

	if (at == 0 && e->used_ctx == e->max_ctx && clf_ctx_steal(e, NULL))
		at = e->free_ctx;
	if (at != 0)
		e->free_ctx = e->ctxs[at].newer;
	else if (e->used_ctx < e->max_ctx)
		at = ++e->used_ctx;
	else
		return NULL;
	struct clf_ctx *c = &e->ctxs[at];
	clear(c, flow);
	c->deadline_us = f->last_us + e->inspect_us;
	list_append(e, c);
	f->ctx = at;
	f->slow = 1;
	if (f->state == CLF_NEW)
		f->state = CLF_INSPECTING;
	e->stats.inspecting_now++;
	clf_wheel_arm(&e->table, flow, clf_flow_deadline(e, f));
	return c;
}

void
clf_ctx_close(struct clf_engine *e, struct clf_ctx *c)
{
	struct clf_flow *f = &e->table.flows[c->flow];

	if (c == &e->ctxs[0])
		return;
	clf_stream_close(e->streams, c->stream[CLF_UP]);
	clf_stream_close(e->streams, c->stream[CLF_DOWN]);
	if (c->quic)
		clf_quic_close(e->quics, c->quic);
	if (c->ndpi)
		clf_ndpi_close(e->ndpi, c->ndpi);
	if (c->h2)
		e->h2[e->h2_free++] = c->h2;
	list_remove(e, c);
	c->newer = e->free_ctx;
	e->free_ctx = (uint32_t)(c - e->ctxs);
	f->ctx = 0;
	f->slow = f->state < CLF_DECIDED;
	e->stats.inspecting_now--;
}

/* --- facts --- */

uint32_t
clf_packet_number(const struct clf_flow *f)
{
	return f->packets[0] + f->packets[1];
}

void
clf_add_fact(struct clf_ctx *c, enum sig_field field, const void *value, size_t len,
    uint32_t packet, uint8_t group)
{
	if (c->n_facts == CLF_FACTS_MAX || len > (size_t)(CLF_FACT_TEXT - c->fact_text)) {
		c->flags |= CLF_FL_OVER_LIMIT;
		return;
	}
	struct clf_fact *f = &c->facts[c->n_facts++];
	*f = (struct clf_fact){ .packet = packet,
		.off = c->fact_text,
		.len = (uint16_t)len,
		.field = (uint8_t)field,
		.group = group };
	memcpy(c->facts_bytes + c->fact_text, value, len);
	c->fact_text = (uint16_t)(c->fact_text + len);
	c->fresh = 1;
}

static void
remember_name(struct clf_ctx *c, enum sig_field field, const void *bytes, size_t len)
{
	for (unsigned i = 0; i < c->n_names; i++) {
		const struct clf_seen_name *n = &c->names[i];
		if (n->len == len && memcmp(c->names_bytes + n->off, bytes, len) == 0) {
			if (c->names[i].field > field)
				c->names[i].field = (uint8_t)field;
			return;
		}
	}
	if (c->n_names == CLF_NAMES_MAX || len > (size_t)(CLF_NAME_TEXT - c->name_text))
		return;
	c->names[c->n_names++] = (struct clf_seen_name){ c->name_text, (uint16_t)len,
		(uint8_t)field };
	memcpy(c->names_bytes + c->name_text, bytes, len);
	c->name_text = (uint16_t)(c->name_text + len);
	c->renamed = 1;
}

void
clf_add_name(struct clf_ctx *c, enum sig_field field, const struct clf_name *name, uint32_t packet,
    uint8_t group)
{
	if (name->len > 0) {
		remember_name(c, field, name->canonical, (size_t)name->len);
		clf_add_fact(c, field, name->canonical, (size_t)name->len, packet, group);
		return;
	}
	if (name->raw_len == 0)
		return;
	c->flags |= CLF_FL_ILLEGAL_NAME;
	c->fresh = 1;
	remember_name(c, field, name->raw, name->raw_len < 300 ? name->raw_len : 300);
}
