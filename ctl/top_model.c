/* SPDX-License-Identifier: Apache-2.0 */
/* Rates from two pictures of the daemon. */
#include "ctl/top.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/proto/filter.h"
#include "ctl/proto/json.h"
#include "ctl/proto/rpc.h"
#include "ctl/seen.h"
#include "signatures/base/hash.h"

static uint64_t
num(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));

	return v > 0 ? (uint64_t)v : 0;
}

static void
text(char *out, size_t cap, const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	char *clean = proto_printable(s ? s : "");

	snprintf(out, cap, "%s", clean ? clean : "");
	free(clean);
}

static double
per_second(uint64_t now, uint64_t before, double seconds)
{
	return seconds > 0 && now >= before ? (double)(now - before) / seconds : 0;
}

static void
take_verdicts(struct top_model *m, const json_t *verdicts, double seconds, bool first)
{
	size_t n = 0;

	m->verdicts[0] = '\0';
	for (unsigned v = CLF_PASS; v <= CLF_WOULD_RESET; v++) {
		uint64_t now = num(verdicts, clf_verdict_name(v));
		double rate = first ? 0 : per_second(now, m->verdict[v], seconds);
		m->verdict[v] = now;
		if (n < sizeof(m->verdicts) && (rate > 0 || v == CLF_PASS))
			n += (size_t)snprintf(m->verdicts + n, sizeof(m->verdicts) - n, "%s%s %.1f",
			    n ? ", " : "", clf_verdict_name(v), rate);
	}
}

/* Everything that is lost anywhere, named. */
static void
take_losses(struct top_model *m, const json_t *status)
{
	static const char *const engine_keys[] = { "events_lost", "table_full", "inspect_full",
		"uninspected" };
	const json_t *engine = json_object_get(status, "engine"),
		     *store = json_object_get(status, "store");
	json_t *port;
	size_t i, n = 0;
	uint64_t missed = 0, nombuf = 0,
		 stored = num(store, "lost_spool_full") + num(store, "lost_refused");

	json_array_foreach(json_object_get(status, "ports"), i, port)
	{
		missed += num(port, "nic_missed");
		nombuf += num(port, "rx_nombuf");
	}
	const struct {
		const char *name;
		uint64_t v;
	} all[] = { { "nic missed", missed }, { "no mbuf", nombuf }, { "store lost", stored } };
	m->losses[0] = '\0';
	for (unsigned k = 0; k < 3; k++)
		if (all[k].v > 0 && n < sizeof(m->losses))
			n += (size_t)snprintf(m->losses + n, sizeof(m->losses) - n, "%s%s %llu",
			    n ? ", " : "", all[k].name, (unsigned long long)all[k].v);
	for (unsigned k = 0; k < 4; k++)
		if (num(engine, engine_keys[k]) > 0 && n < sizeof(m->losses))
			n += (size_t)snprintf(m->losses + n, sizeof(m->losses) - n, "%s%s %llu",
			    n ? ", " : "", engine_keys[k],
			    (unsigned long long)num(engine, engine_keys[k]));
}

static void
take_status(struct top_model *m, const json_t *s, double seconds, bool first)
{
	const json_t *engine = json_object_get(s, "engine");
	uint64_t packets = num(engine, "frames"), fresh = num(engine, "flows_new");
	uint64_t matched = num(engine, "flows_matched");
	json_t *w;
	size_t i;

	text(m->sensor, sizeof(m->sensor), s, "sensor");
	text(m->mode, sizeof(m->mode), s, "mode");
	m->ready = json_is_true(json_object_get(s, "ready"));
	m->bypass = json_is_true(json_object_get(s, "bypass"));
	ctl_human_span(num(s, "uptime_s"), m->uptime);
	ctl_human_count(
	    first ? 0 : (uint64_t)per_second(packets, m->packets, seconds), m->packets_s);
	ctl_human_count(first ? 0 : (uint64_t)per_second(fresh, m->flows_new, seconds), m->new_s);
	ctl_human_count(
	    first ? 0 : (uint64_t)per_second(matched, m->matched, seconds), m->matched_s);
	m->packets = packets;
	m->flows_new = fresh;
	m->matched = matched;
	m->flows_now = num(engine, "flows_now");
	m->inspecting_now = num(engine, "inspecting_now");
	take_verdicts(m, json_object_get(engine, "verdicts"), seconds, first);
	take_losses(m, s);
	m->n_workers = 0;
	json_array_foreach(json_object_get(s, "workers"), i, w) if (m->n_workers < TOP_WORKERS_MAX)
	    m->busy[m->n_workers++] = json_number_value(json_object_get(w, "busy_percent"));
}

static struct top_line *
line_of(struct top_line *lines, unsigned n, const char *name, const char *vendor)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(lines[i].name, name) == 0 && strcmp(lines[i].vendor, vendor) == 0)
			return &lines[i];
	return NULL;
}

struct gather {
	struct top_model *m;
	const struct store_filter *filter;
	struct ctl_seen seen; /* (line, host or product) pairs */
};

static void
take_row(struct gather *g, const struct store_row *row)
{
	struct top_model *m = g->m;
	char name[TOP_NAME_MAX], vendor[TOP_NAME_MAX];

	if (!proto_filter_row(g->filter, row))
		return;
	snprintf(name, sizeof(name), "%s", m->by_host ? row->host : row->product);
	snprintf(vendor, sizeof(vendor), "%s", m->by_host || !row->vendor ? "" : row->vendor);
	struct top_line *l = line_of(m->all, m->n_all, name, vendor);
	if (!l) {
		if (m->n_all == TOP_LINES_MAX) {
			m->left_out++;
			return;
		}
		l = &m->all[m->n_all++];
		*l = (struct top_line){ 0 };
		strcpy(l->name, name);
		strcpy(l->vendor, vendor);
		if (!m->by_host)
			snprintf(
			    l->country, sizeof(l->country), "%s", row->country ? row->country : "");
	}
	l->bytes += row->bytes_up + row->bytes_down;
	l->flows += row->flows;
	const char *other = m->by_host ? row->product : row->host;
	if (ctl_seen_add(&g->seen, sig_hash(other, strlen(other), (uint64_t)(l - m->all) + 1)))
		l->others++;
}

/* All pages of rows. */
static int
take_rows(struct gather *g, struct proto_client *daemon, struct proto_fault *fault)
{
	char cursor[PROTO_CURSOR_MAX] = "";
	const char *next;
	json_t *result;

	do {
		int err = proto_client_call(daemon, "report",
		    proto_filter_json(g->filter, cursor, PROTO_PAGE_MAX), &result, fault);
		if (err < 0)
			return err;
		const json_t *rows = json_object_get(result, "rows");
		for (size_t i = 0; i < json_array_size(rows); i++) {
			struct store_row row;
			if (proto_row_parse(json_array_get(rows, i), &row) < 0)
				continue;
			take_row(g, &row);
			store_row_free(&row);
		}
		next = json_string_value(json_object_get(result, "cursor"));
		bool more = next != NULL && strcmp(next, cursor) != 0;
		if (more)
			snprintf(cursor, sizeof(cursor), "%s", next);
		json_decref(result);
		next = more ? cursor : NULL;
	} while (next);
	return 0;
}

static void
rates(struct top_model *m, double seconds)
{
	bool same = m->before_by_host == m->by_host;

	for (unsigned i = 0; i < m->n_all; i++) {
		struct top_line *l = &m->all[i];
		struct top_line *b = same ? line_of(m->before, m->n_before, l->name, l->vendor)
					  : NULL;
		if (!same)
			continue;
		l->bytes_s = per_second(l->bytes, b ? b->bytes : 0, seconds);
		l->flows_s = per_second(l->flows, b ? b->flows : 0, seconds);
	}
}

static bool
ready_memory(struct top_model *m)
{
	if (m->all)
		return true;
	m->all = calloc(TOP_LINES_MAX, sizeof(*m->all));
	m->before = calloc(TOP_LINES_MAX, sizeof(*m->before));
	m->lines = calloc(TOP_LINES_MAX, sizeof(*m->lines));
	return m->all && m->before && m->lines;
}

void
top_update(struct top_model *m, const struct ctl_common *c)
{
	const char *path = c->socket ? c->socket : PROTO_SOCKET_DEFAULT;
	struct proto_client *daemon;
	struct proto_fault fault = { 0 };
	struct gather g = { .m = m, .filter = &c->filter };
	json_t *status;
	uint64_t now = ctl_steady_us();
	bool first = m->at_us == 0;
	double seconds = first ? 0 : (double)(now - m->at_us) / 1e6;

	if (!ready_memory(m)) {
		snprintf(m->error, sizeof(m->error), "out of memory");
		return;
	}
	int err = proto_client_open(path, 5000, &daemon);
	if (err < 0) {
		snprintf(m->error, sizeof(m->error), "%s: %s", path, strerror(-err));
		return;
	}
	struct top_line *swap = m->before;
	m->before = m->all;
	m->n_before = m->n_all;
	m->all = swap;
	m->n_all = 0;
	m->left_out = 0;
	err = proto_client_call(daemon, "status", NULL, &status, &fault);
	if (err == 0) {
		take_status(m, status, seconds, first);
		json_decref(status);
		err = take_rows(&g, daemon, &fault);
		ctl_seen_free(&g.seen);
	}
	proto_client_close(daemon);
	json_decref(fault.data);
	m->error[0] = '\0';
	if (err < 0)
		snprintf(m->error, sizeof(m->error), "%s: %.200s", path, fault.message);
	if (!first)
		rates(m, seconds);
	m->before_by_host = m->by_host;
	m->at_us = now;
	top_sort(m);
}

static int
compare(const void *pa, const void *pb, void *sort)
{
	const struct top_line *a = pa, *b = pb;
	double x = 0, y = 0;

	switch (*(enum top_sort *)sort) {
	case TOP_BY_BYTES:
		x = a->bytes_s;
		y = b->bytes_s;
		break;
	case TOP_BY_FLOWS:
		x = a->flows_s;
		y = b->flows_s;
		break;
	case TOP_BY_TOTAL: break;
	case TOP_BY_NAME: return strcmp(a->name, b->name);
	}
	if (x == y) {
		x = (double)a->bytes;
		y = (double)b->bytes;
	}
	if (x != y)
		return x > y ? -1 : 1;
	return strcmp(a->name, b->name);
}

void
top_sort(struct top_model *m)
{
	m->n_lines = 0;
	for (unsigned i = 0; m->lines && i < m->n_all; i++)
		if (!m->filter[0] || strcasestr(m->all[i].name, m->filter) ||
		    strcasestr(m->all[i].vendor, m->filter))
			m->lines[m->n_lines++] = m->all[i];
	if (m->n_lines > 0)
		qsort_r(m->lines, m->n_lines, sizeof(*m->lines), compare, &m->sort);
}

void
top_free(struct top_model *m)
{
	free(m->all);
	free(m->before);
	free(m->lines);
}
