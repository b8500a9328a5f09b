/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of the control protocol but `status`; what they give is told in ctl/README.md. */
#include "dataplane/control.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/proto/filter.h"
#include "ctl/proto/json.h"

struct page { /* rows or records being gathered */
	const struct proto_filter *filter;
	const char *sensor;
	json_t *list;
	size_t bytes;
	uint64_t from, next; /* number of the first entry wanted, of the first one not looked at */
	unsigned looks;
	bool full, more;
};

void
dp_answer_error(struct dp_answer *ret, int code, const char *fmt, ...)
{
	va_list ap;

	ret->result = NULL;
	ret->code = code;
	va_start(ap, fmt);
	vsnprintf(ret->message, sizeof(ret->message), fmt, ap);
	va_end(ap);
}

/* A method that takes nothing must be given nothing: a misspelt key is not passed over. */
static bool
takes_none(const json_t *params, struct dp_answer *ret)
{
	if (json_object_size(params) == 0)
		return true;
	dp_answer_error(ret, PROTO_E_PARAMS, "this method takes no parameters");
	return false;
}

static void
method_version(struct dp_plane *plane, const json_t *params, struct dp_answer *ret)
{
	(void)plane;
	if (takes_none(params, ret))
		ret->result = json_pack("{s:s, s:i}", "version", PHONEHOME_VERSION, "protocol", 1);
}

static void
method_stop(struct dp_plane *plane, const json_t *params, struct dp_answer *ret)
{
	if (!takes_none(params, ret))
		return;
	atomic_store(&plane->stop, true);
	ret->result = json_pack("{s:b}", "stopping", 1);
}

static void
method_bypass(struct dp_plane *plane, const json_t *params, struct dp_answer *ret)
{
	const json_t *on = json_object_get(params, "on");

	if (json_object_size(params) != 1 || !json_is_boolean(on)) {
		dp_answer_error(ret, PROTO_E_PARAMS, "{\"on\": true} or {\"on\": false} is wanted");
		return;
	}
	/* The watchdog joins this with shedding; workers see it on their next round. */
	atomic_store(&plane->bypass_wanted, json_is_true(on));
	atomic_store(&plane->bypass, json_is_true(on));
	dp_offload_hold(dp_recorder_offload(plane->recorder), json_is_true(on));
	ret->result = json_pack("{s:b}", "bypass", json_is_true(on));
}

static void
method_policy(struct dp_plane *plane, const json_t *params, struct dp_answer *ret)
{
	static const char *const modes[] = { "monitor", "shadow", "enforce" };
	json_t *rules = json_array();

	if (!takes_none(params, ret)) {
		json_decref(rules);
		return;
	}
	const struct dp_rules *r = dp_rules_lock(&plane->slot);
	unsigned n = clf_policy_rule_count(r->policy);
	const char **names = calloc(n + 1, sizeof(*names));
	uint64_t *hits = calloc(n + 1, sizeof(*hits));
	for (unsigned i = 0; names && i < n; i++)
		names[i] = clf_policy_rule_name(r->policy, i);
	if (names && hits)
		dp_recorder_rule_hits(plane->recorder, names, n, hits);
	for (unsigned i = 0; names && hits && i < n; i++)
		json_array_append_new(
		    rules, json_pack("{s:s, s:I}", "name", names[i], "hits", (json_int_t)hits[i]));
	free(names);
	free(hits);
	ret->result = json_pack("{s:s, s:s, s:o}", "digest", clf_policy_digest(r->policy), "mode",
	    modes[clf_policy_mode(r->policy)], "rules", rules);
	dp_rules_unlock(&plane->slot);
}

void
dp_answer_reload(struct dp_plane *plane, int rc, const struct sig_diag *diag, struct dp_answer *ret)
{
	json_t *faults = json_array();

	for (unsigned i = 0; i < diag->n; i++)
		if (diag->msgs[i].severity == SIG_ERROR || rc == 0)
			json_array_append_new(faults, json_string(diag->msgs[i].text));
	if (rc < 0) {
		dp_answer_error(ret, PROTO_E_FAILED,
		    "refused: %u faults; packs and policy stay as they were", diag->errors);
		ret->data = json_pack("{s:o}", "faults", faults);
		return;
	}
	const struct dp_rules *r = dp_rules_lock(&plane->slot);
	ret->result = json_pack("{s:{s:s}, s:{s:s}, s:o}", "packs", "digest",
	    sig_ruleset_digest(r->rules), "policy", "digest", clf_policy_digest(r->policy),
	    "warnings", faults);
	dp_rules_unlock(&plane->slot);
}

/* --- pages --- */

/* The cursor is the number of the first entry of the next page. */
static bool
start_page(struct dp_plane *plane, const json_t *params, struct proto_filter *filter,
    struct page *page, struct dp_answer *ret)
{
	char why[128], *end;

	if (proto_filter_parse(params, filter, why) < 0) {
		dp_answer_error(ret, PROTO_E_PARAMS, "%s", why);
		return false;
	}
	*page = (struct page){ .filter = filter, .sensor = plane->config->sensor };
	if (filter->cursor[0] != '\0') {
		page->from = strtoull(filter->cursor, &end, 10);
		if (*end != '\0' || filter->cursor[0] < '0' || filter->cursor[0] > '9') {
			proto_filter_free(filter);
			dp_answer_error(ret, PROTO_E_PARAMS, "this is no cursor of ours");
			return false;
		}
	}
	if (filter->f.limit != 0 && filter->f.limit < filter->page)
		filter->page = (unsigned)filter->f.limit;
	page->next = page->from;
	page->list = json_array();
	return true;
}

/* About the length of its text: writing it out twice would be a third of a page's whole cost. */
static size_t
rough_length(const json_t *v)
{
	const char *key;
	json_t *member;
	size_t i, sum = 2;

	switch (json_typeof(v)) {
	case JSON_OBJECT:
		json_object_foreach((json_t *)v, key, member)
		    sum += strlen(key) + 4 + rough_length(member);
		return sum;
	case JSON_ARRAY:
		json_array_foreach((json_t *)v, i, member) sum += 1 + rough_length(member);
		return sum;
	case JSON_STRING: return sum + json_string_length(v);
	default: return 8;
	}
}

/* Their texts' length decides how many there are, so that every line stays short. */
static void
add_entry(struct page *page, json_t *entry)
{
	page->bytes += rough_length(entry);
	json_array_append_new(page->list, entry);
	page->full = json_array_size(page->list) >= page->filter->page ||
		     page->bytes >= DP_PAGE_BYTES;
}

static bool
page_row(void *ctx, const struct store_row *row)
{
	struct page *page = ctx;
	json_t *json = proto_filter_row(&page->filter->f, row) ? proto_row_json(row) : NULL;

	if (json)
		add_entry(page, json);
	return !page->full;
}

static void
method_report(struct dp_plane *plane, const json_t *params, struct dp_answer *ret)
{
	struct proto_filter filter;
	struct page page;
	char cursor[PROTO_CURSOR_MAX];

	if (!start_page(plane, params, &filter, &page, ret))
		return;
	page.more = dp_recorder_rows(plane->recorder, &page.next, DP_PAGE_LOOKS, page_row, &page);
	snprintf(cursor, sizeof(cursor), "%llu", (unsigned long long)page.next);
	ret->result = json_pack(
	    "{s:o, s:s?}", "rows", page.list, "cursor", page.more ? cursor : NULL);
	proto_filter_free(&filter);
}

static bool
page_record(void *ctx, uint64_t number, const struct clf_event *record)
{
	struct page *page = ctx;

	page->more = page->full || page->looks++ == DP_PAGE_LOOKS;
	if (page->more)
		return false;
	page->next = number + 1;
	if (!proto_filter_record(&page->filter->f, record, page->sensor))
		return true;
	json_t *json = proto_record_json(record, page->sensor);
	if (json)
		add_entry(page, json);
	return true;
}

static void
method_flows(struct dp_plane *plane, const json_t *params, struct dp_answer *ret)
{
	struct proto_filter filter;
	struct page page;
	char cursor[PROTO_CURSOR_MAX];

	if (!start_page(plane, params, &filter, &page, ret))
		return;
	dp_recorder_records(plane->recorder, page.from, page_record, &page);
	snprintf(cursor, sizeof(cursor), "%llu", (unsigned long long)page.next);
	ret->result = json_pack(
	    "{s:o, s:s, s:b}", "records", page.list, "cursor", cursor, "more", page.more);
	proto_filter_free(&filter);
}

void
dp_method_call(
    struct dp_plane *plane, const char *name, const json_t *params, struct dp_answer *ret)
{
	static const struct {
		const char *name;
		void (*method)(struct dp_plane *plane, const json_t *params, struct dp_answer *ret);
	} methods[] = {
		{ "version", method_version },
		{ "status", dp_method_status },
		{ "report", method_report },
		{ "flows", method_flows },
		{ "policy", method_policy },
		{ "bypass", method_bypass },
		{ "stop", method_stop },
	};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strcmp(methods[i].name, name) == 0) {
			methods[i].method(plane, params, ret);
			return;
		}
	dp_answer_error(ret, PROTO_E_METHOD, "this daemon does not know the method");
}
