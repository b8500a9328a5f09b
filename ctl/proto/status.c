/* SPDX-License-Identifier: Apache-2.0 */
/* Counters as JSON. */
#include "ctl/proto/status.h"

#include <stddef.h>

#define ROW(field)                                               \
	{                                                        \
#field, offsetof(struct clf_engine_stats, field) \
	}
/* The scalar counters of clf_engine_stats: adding one there is a row here. */
static const struct {
	const char *name;
	size_t off;
} scalars[] = {
	ROW(frames),
	ROW(bytes),
	ROW(flows_new),
	ROW(flows_ended),
	ROW(flows_decided),
	ROW(flows_gave_up),
	ROW(flows_matched),
	ROW(flows_now),
	ROW(inspecting_now),
	ROW(table_full),
	ROW(inspect_full),
	ROW(stream_full),
	ROW(fragments_full),
	ROW(crypto_over_budget),
	ROW(evicted),
	ROW(uninspected),
	ROW(events),
	ROW(events_lost),
	ROW(quic_decrypts),
	ROW(ndpi_calls),
	ROW(rule_matches),
	ROW(bad_checksum_ignored),
	ROW(outside_window_ignored),
	ROW(overlaps),
	ROW(fragments_rejoined),
	ROW(fragments_lost),
	ROW(fragments_overlapped),
	ROW(fragments_bad),
	ROW(dns_questions),
	ROW(dns_answers_learned),
	ROW(dns_unsolicited),
	ROW(dns_shared),
	ROW(dns_share_lost),
};

static uint64_t
scalar(const struct clf_engine_stats *s, size_t off)
{
	return *(const uint64_t *)((const char *)s + off);
}

static void
put(json_t *o, const char *key, uint64_t v)
{
	json_object_set_new(o, key, json_integer((json_int_t)v));
}

static void
add_all(uint64_t *sum, const uint64_t *one, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum[i] += one[i];
}

void
proto_engine_add(struct clf_engine_stats *sum, const struct clf_engine_stats *one)
{
	for (size_t i = 0; i < sizeof(scalars) / sizeof(scalars[0]); i++)
		*(uint64_t *)((char *)sum + scalars[i].off) += scalar(one, scalars[i].off);
	add_all(sum->parse, one->parse, CLF_P_MAX);
	add_all(sum->verdicts, one->verdicts, CLF_WOULD_RESET + 1);
	add_all(sum->names_by_source, one->names_by_source, SIG_F_NAME_LAST + 1);
	add_all(sum->blind_flows, one->blind_flows, CLF_BLIND_MAX);
	add_all(sum->blind_bytes, one->blind_bytes, CLF_BLIND_MAX);
}

json_t *
proto_engine_json(const struct clf_engine_stats *s)
{
	json_t *o = json_object(), *parse = json_object(), *verdicts = json_object();
	json_t *sources = json_object();

	for (size_t i = 0; i < sizeof(scalars) / sizeof(scalars[0]); i++)
		put(o, scalars[i].name, scalar(s, scalars[i].off));
	for (unsigned i = 0; i < CLF_P_MAX; i++)
		put(parse, clf_parse_name(i), s->parse[i]);
	for (unsigned i = 0; i <= CLF_WOULD_RESET; i++)
		put(verdicts, clf_verdict_name(i), s->verdicts[i]);
	for (unsigned i = 1; i <= SIG_F_NAME_LAST; i++)
		put(sources, sig_field_name(i), s->names_by_source[i]);
	json_object_set_new(o, "parse", parse);
	json_object_set_new(o, "verdicts", verdicts);
	json_object_set_new(o, "names_by_source", sources);
	return o;
}

json_t *
proto_blindness_json(const struct clf_engine_stats *s)
{
	json_t *flows = json_object(), *bytes = json_object(), *named = json_object();

	put(named, "flows", s->blind_flows[CLF_BLIND_NONE]);
	put(named, "bytes", s->blind_bytes[CLF_BLIND_NONE]);
	for (unsigned i = 1; i < CLF_BLIND_MAX; i++) {
		if (s->blind_flows[i] == 0)
			continue;
		put(flows, clf_blind_name(i), s->blind_flows[i]);
		put(bytes, clf_blind_name(i), s->blind_bytes[i]);
	}
	return json_pack("{s:o, s:o, s:o}", "flows", flows, "bytes", bytes, "named", named);
}

json_t *
proto_fold_json(const struct store_fold_stats *s)
{
	json_t *o = json_object();

	put(o, "events", s->events);
	put(o, "records", s->records);
	put(o, "pending_now", s->pending_now);
	put(o, "rows_now", s->rows_now);
	put(o, "pending_full", s->pending_full);
	put(o, "rows_full", s->rows_full);
	put(o, "orphans", s->orphans);
	put(o, "invalid", s->invalid);
	return o;
}

json_t *
proto_store_json(const struct store_stats *s, const char *url)
{
	json_t *o = json_object();

	json_object_set_new(o, "url", json_string(url));
	json_object_set_new(o, "up", json_boolean(s->up));
	put(o, "records", s->records);
	put(o, "stored", s->stored);
	put(o, "queued", s->queued);
	put(o, "lost_spool_full", s->lost_spool_full);
	put(o, "lost_refused", s->lost_refused);
	put(o, "rows_written", s->rows_written);
	put(o, "rows_pending", s->rows_pending);
	put(o, "errors", s->errors);
	put(o, "reconnects", s->reconnects);
	if (s->last_error[0])
		json_object_set_new(o, "last_error", json_string(s->last_error));
	return o;
}
