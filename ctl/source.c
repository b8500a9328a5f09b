/* SPDX-License-Identifier: Apache-2.0 */
/* Rows and records from the daemon, page by page, or from a store. */
#include "ctl/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/proto/filter.h"
#include "ctl/proto/json.h"
#include "ctl/proto/rpc.h"

enum { CALL_MS = 10000 };

struct ctl_source {
	struct proto_client *daemon; /* one of the two */
	struct store *store;
	char name[STORE_URL_MAX + 16];
};

/* --- the daemon --- */

static const char *
socket_path(const struct ctl_common *c)
{
	return c->socket ? c->socket : PROTO_SOCKET_DEFAULT;
}

static int
cannot_connect(const char *path, int err)
{
	switch (err) {
	case -ENOENT:
		ctl_error(
		    "%s: no such socket: is phonehomed running? (its config names the socket; "
		    "--socket PATH)",
		    path);
		break;
	case -ECONNREFUSED: ctl_error("%s: nobody listens: phonehomed is not running", path); break;
	case -EACCES:
		ctl_error("%s: not allowed: become a member of the socket's group, or root", path);
		break;
	case -EAGAIN: ctl_error("%s: the daemon is busy: try again", path); break;
	default: ctl_error("%s: %s", path, strerror(-err)); break;
	}
	return CTL_FAILED;
}

int
ctl_daemon_open(const struct ctl_common *c, struct proto_client **ret_client)
{
	int err = proto_client_open(socket_path(c), CALL_MS, ret_client);

	return err < 0 ? cannot_connect(socket_path(c), err) : CTL_OK;
}

static void
print_fault(const char *method, struct proto_fault *f)
{
	json_t *faults = json_object_get(f->data, "faults");
	size_t i;
	json_t *v;

	json_array_foreach(faults, i, v)
	{
		char *line = json_string_value(v) ? proto_printable(json_string_value(v)) : NULL;
		if (line)
			fprintf(stderr, "%s\n", line);
		free(line);
	}
	if (f->code == PROTO_E_DENIED)
		ctl_error(
		    "%s: not allowed: the daemon lets only root and its own user do that", method);
	else
		ctl_error("%s: %s", method, f->message);
}

int
ctl_daemon_call(
    struct proto_client *client, const char *method, json_t *params, json_t **ret_result)
{
	struct proto_fault fault;
	int err = proto_client_call(client, method, params, ret_result, &fault);

	if (err == 0)
		return CTL_OK;
	print_fault(method, &fault);
	/* Files of the user that are wrong: the daemon's config, its policy, its packs. */
	int code = json_is_array(json_object_get(fault.data, "faults")) ? CTL_USAGE : CTL_FAILED;
	json_decref(fault.data);
	return code;
}

/* --- opening --- */

static int
open_store(struct ctl_source *s, const struct ctl_common *c, const char *url)
{
	struct sig_diag diag = { 0 };
	struct store_config config = {
		.url = url,
		.sensor = "",
		.mode = STORE_READ,
		.timeout_ms = 5000,
		.password_file = c->password_file,
	};
	int err = store_open(&config, &s->store, &diag);
	char shown[STORE_URL_MAX];

	store_url_shown(url, shown);
	if (err < 0) {
		if (diag.n > 0)
			ctl_diag(&diag, 0);
		else
			ctl_error("store %s: %s", shown, strerror(-err));
		sig_diag_free(&diag);
		return CTL_FAILED;
	}
	sig_diag_free(&diag);
	snprintf(s->name, sizeof(s->name), "the store %s", shown);
	return CTL_OK;
}

/* The store that a running daemon writes to; NULL when there is none to be had. free() it. */
static char *
store_of_daemon(struct proto_client *daemon)
{
	struct proto_fault fault;
	json_t *status;
	const char *url;
	char *copy = NULL;

	if (proto_client_call(daemon, "status", NULL, &status, &fault) < 0) {
		json_decref(fault.data);
		return NULL;
	}
	url = json_string_value(json_object_get(json_object_get(status, "store"), "url"));
	if (url)
		copy = strdup(url);
	json_decref(status);
	return copy;
}

static int
open_daemon(struct ctl_source *s, const struct ctl_common *c, bool want_store)
{
	char *url;
	int code;

	if (!want_store) {
		snprintf(s->name, sizeof(s->name), "the daemon at %s", socket_path(c));
		return CTL_OK;
	}
	url = store_of_daemon(s->daemon);
	if (!url) {
		ctl_error(
		    "the daemon at %s keeps no store, and this needs one: name it with --store",
		    socket_path(c));
		return CTL_FAILED;
	}
	code = open_store(s, c, url);
	free(url);
	return code;
}

static int
open_any(struct ctl_source *s, const struct ctl_common *c, enum ctl_source_want want)
{
	bool want_store = want == CTL_WANT_STORE || c->all_sensors;
	int err;

	if (c->store)
		return open_store(s, c, c->store);
	err = proto_client_open(socket_path(c), CALL_MS, &s->daemon);
	if (err == 0)
		return open_daemon(s, c, want_store);
	if (c->socket)
		return cannot_connect(c->socket, err);
	if (access(CTL_STORE_DEFAULT, R_OK) == 0)
		return open_store(s, c, CTL_STORE_DEFAULT);
	if (err == -EACCES || errno == EACCES)
		ctl_error(
		    "not allowed to ask the daemon at %s nor to read %s: become a member of their "
		    "group, or root",
		    PROTO_SOCKET_DEFAULT, CTL_STORE_DEFAULT);
	else
		ctl_error("no daemon at %s and no store at %s: start phonehomed, or name one with "
			  "--socket or --store",
		    PROTO_SOCKET_DEFAULT, CTL_STORE_DEFAULT);
	return CTL_FAILED;
}

int
ctl_source_open(const struct ctl_common *c, enum ctl_source_want want, struct ctl_source **ret)
{
	struct ctl_source *s = calloc(1, sizeof(*s));

	if (!s) {
		ctl_error("out of memory");
		return CTL_FAILED;
	}
	int code = open_any(s, c, want);
	if (code != CTL_OK)
		ctl_source_close(s);
	else
		*ret = s;
	return code;
}

void
ctl_source_close(struct ctl_source *s)
{
	if (!s)
		return;
	proto_client_close(s->daemon);
	store_close(s->store);
	free(s);
}

const char *
ctl_source_name(const struct ctl_source *s)
{
	return s->name;
}

/* --- reading --- */

/* Holds what a source gives against the filter once more, so that it means the same everywhere. */
struct pass {
	const struct store_filter *f;
	store_row_fn *row;
	store_record_fn *record;
	void *ctx; /* of row, of record and of the filter's on_gap */
	uint64_t given;
	bool stopped;
};

static bool
pass_row(void *ctx, const struct store_row *row)
{
	struct pass *p = ctx;

	if (!proto_filter_row(p->f, row))
		return true;
	if (!p->row(p->ctx, row) || (p->f->limit && ++p->given >= p->f->limit))
		p->stopped = true;
	return !p->stopped;
}

static bool
pass_record(void *ctx, const struct clf_event *record, const char *sensor)
{
	struct pass *p = ctx;

	if (!proto_filter_record(p->f, record, sensor))
		return true;
	if (!p->record(p->ctx, record, sensor) || (p->f->limit && ++p->given >= p->f->limit))
		p->stopped = true;
	return !p->stopped;
}

static void
pass_gap(void *ctx, const char *sensor, uint64_t at_us, uint64_t lost)
{
	struct pass *p = ctx;
	const struct store_filter *f = p->f;

	if (at_us == 0 ||
	    ((!f->since_us || at_us >= f->since_us) && (!f->until_us || at_us <= f->until_us)))
		f->on_gap(p->ctx, sensor, at_us, lost);
}

/* What the other side is asked: any sensor unless one is named, and lists ("US,IL") not at all: a
 * store knows single values, and pass_row() and pass_record() judge everything again. */
static struct store_filter
asked_of(const struct store_filter *f, bool store)
{
	struct store_filter all = *f;
	const char **lists[] = { &all.vendor, &all.product, &all.country, &all.category };

	for (unsigned i = 0; i < 4; i++)
		if (*lists[i] && strchr(*lists[i], ',')) {
			*lists[i] = NULL;
			all.limit = 0;
		}
	if (store && !all.sensor)
		all.sensor = "*";
	return all;
}

static void
store_failed(const struct ctl_source *s, int err)
{
	const char *why = store_error(s->store);

	ctl_error("%s: %s", s->name, *why ? why : strerror(-err));
}

static int
not_a_reply(const char *method)
{
	ctl_error("%s: the daemon's reply is not what the protocol says", method);
	return CTL_FAILED;
}

static int
page_of_rows(struct pass *p, const json_t *rows)
{
	for (size_t i = 0; i < json_array_size(rows) && !p->stopped; i++) {
		struct store_row row;
		if (proto_row_parse(json_array_get(rows, i), &row) < 0)
			return not_a_reply("report");
		pass_row(p, &row);
		store_row_free(&row);
	}
	return CTL_OK;
}

static int
page_of_records(struct pass *p, const json_t *records)
{
	static struct clf_event record;

	for (size_t i = 0; i < json_array_size(records) && !p->stopped; i++) {
		char *sensor = NULL;
		if (proto_record_parse(json_array_get(records, i), &record, &sensor) < 0)
			return not_a_reply("flows");
		pass_record(p, &record, sensor);
		free(sensor);
	}
	return CTL_OK;
}

/* One page of `method`; the next cursor ("" = none) and whether there is more. */
static int
one_page(struct ctl_source *s, struct pass *p, const char *method, char cursor[PROTO_CURSOR_MAX],
    bool *ret_more)
{
	struct store_filter asked = asked_of(p->f, false);
	bool rows = strcmp(method, "report") == 0;
	json_t *result;

	asked.limit = 0; /* counted here, over all pages */
	int code = ctl_daemon_call(
	    s->daemon, method, proto_filter_json(&asked, cursor, PROTO_PAGE_DEFAULT), &result);
	if (code != CTL_OK)
		return code;
	const json_t *list = json_object_get(result, rows ? "rows" : "records");
	const char *next = json_string_value(json_object_get(result, "cursor"));
	const json_t *more = json_object_get(result, "more");
	if (!json_is_array(list) || (next && strlen(next) >= PROTO_CURSOR_MAX))
		code = not_a_reply(method);
	else
		code = rows ? page_of_rows(p, list) : page_of_records(p, list);
	/* A page without entries is none that ends: the daemon looks at so many and no more at
	 * once. */
	*ret_more = next != NULL && (more ? json_is_true(more) : strcmp(next, cursor) != 0);
	if (code == CTL_OK && next)
		strcpy(cursor, next);
	json_decref(result);
	return code;
}

int
ctl_source_rows(struct ctl_source *s, const struct store_filter *f, store_row_fn *fn, void *ctx)
{
	struct pass p = { .f = f, .row = fn, .ctx = ctx };
	char cursor[PROTO_CURSOR_MAX] = "";
	bool more = true;
	int code = CTL_OK;

	if (s->store) {
		struct store_filter all = asked_of(f, true);
		int err = store_rows(s->store, &all, pass_row, &p);
		if (err < 0) {
			store_failed(s, err);
			return CTL_FAILED;
		}
		return CTL_OK;
	}
	while (more && code == CTL_OK && !p.stopped)
		code = one_page(s, &p, "report", cursor, &more);
	return code;
}

int
ctl_source_records(struct ctl_source *s, const struct store_filter *f, char after[64],
    store_record_fn *fn, void *ctx)
{
	struct pass p = { .f = f, .record = fn, .ctx = ctx };
	bool more = true;
	int code = CTL_OK;

	if (s->store) {
		struct store_filter all = asked_of(f, true);
		all.on_gap = f->on_gap ? pass_gap : NULL;
		int err = store_records(s->store, &all, after, pass_record, &p);
		if (err < 0) {
			store_failed(s, err);
			return CTL_FAILED;
		}
		return CTL_OK;
	}
	while (more && code == CTL_OK && !p.stopped)
		code = one_page(s, &p, "flows", after, &more);
	return code;
}

int
ctl_source_days(struct ctl_source *s, const struct store_filter *f, store_day_fn *fn, void *ctx)
{
	struct store_filter all = *f;
	int err;

	const char *const single[] = { f->vendor, f->product, f->country, f->category };
	for (unsigned i = 0; i < 4; i++)
		if (single[i] && strchr(single[i], ',')) {
			ctl_error(
			    "%s: history by day is filtered by one value at a time", single[i]);
			return CTL_USAGE;
		}
	all.sensor = f->sensor ? f->sensor : "*";
	err = s->store ? store_days(s->store, &all, fn, ctx) : -ENOTSUP;
	if (err == 0)
		return CTL_OK;
	if (s->store)
		store_failed(s, err);
	else
		ctl_error("%s: keeps no history by day", s->name);
	return CTL_FAILED;
}
