/* SPDX-License-Identifier: Apache-2.0 */
/* Events: the spellings of their enums, adding text, and the check of one that came from outside.
 */
#include <string.h>

#include "classifier/event.h"

/* Bit order of enum clf_flag. */
static const char *const flag_names[] = { "ambiguous", "ech", "ech-grease", "esni", "no-sni",
	"midstream", "one-way", "truncated", "fragmented", "over-limit", "malformed",
	"illegal-name", "hrr", "quic-retry", "encrypted-dns", "forwarder", "dns-only",
	"fragments-lost", "gap", "uninspected", "tunnelled", "overlap", "bad-checksum" };

static const char *const blind_names[CLF_BLIND_MAX] = {
	[CLF_BLIND_NONE] = "named",
	[CLF_BLIND_ECH] = "ech",
	[CLF_BLIND_NO_SNI] = "no-sni",
	[CLF_BLIND_MIDSTREAM] = "midstream",
	[CLF_BLIND_ONE_WAY] = "one-way",
	[CLF_BLIND_TRUNCATED] = "truncated",
	[CLF_BLIND_FRAGMENTS_LOST] = "fragments-lost",
	[CLF_BLIND_OVER_LIMIT] = "over-limit",
	[CLF_BLIND_ENCRYPTED_DNS] = "encrypted-dns",
	[CLF_BLIND_NO_NAME_IN_PROTOCOL] = "no-name-in-protocol",
	[CLF_BLIND_NO_DATA] = "no-data",
	[CLF_BLIND_MALFORMED] = "malformed",
	[CLF_BLIND_AMBIGUOUS] = "ambiguous",
	[CLF_BLIND_UNINSPECTED] = "uninspected",
};

static const char *const tunnel_names[CLF_TUN_MAX] = {
	[CLF_TUN_MPLS] = "mpls",
	[CLF_TUN_PPPOE] = "pppoe",
	[CLF_TUN_GRE] = "gre",
	[CLF_TUN_IPIP] = "ipip",
	[CLF_TUN_6IN4] = "6in4",
	[CLF_TUN_VXLAN] = "vxlan",
	[CLF_TUN_GENEVE] = "geneve",
	[CLF_TUN_GTPU] = "gtp-u",
	[CLF_TUN_ERSPAN] = "erspan",
	[CLF_TUN_TZSP] = "tzsp",
	[CLF_TUN_L2TP] = "l2tp",
};

const char *
clf_flag_name(unsigned bit)
{
	return bit < sizeof(flag_names) / sizeof(flag_names[0]) ? flag_names[bit] : NULL;
}

const char *
clf_blind_name(enum clf_blind b)
{
	return (unsigned)b < CLF_BLIND_MAX ? blind_names[b] : NULL;
}

const char *
clf_tunnel_name(enum clf_tunnel t)
{
	return (unsigned)t < CLF_TUN_MAX ? tunnel_names[t] : NULL;
}

const char *
clf_state_name(enum clf_state s)
{
	/* A flow nobody looked at yet reads as being inspected: "new" is no state of a record. */
	static const char *const names[] = { "inspecting", "inspecting", "decided", "gave-up" };

	return (unsigned)s < 4 ? names[s] : NULL;
}

const char *
clf_verdict_name(enum clf_verdict v)
{
	static const char *const names[] = { "pass", "drop", "reset", "would-drop", "would-reset" };

	return (unsigned)v < 5 ? names[v] : NULL;
}

struct clf_str
clf_event_add(struct clf_event *e, const void *bytes, size_t len)
{
	struct clf_str s = { 0, 0 };

	if (len == 0 || len > (size_t)(CLF_TEXT_MAX - e->text_len))
		return s;
	memcpy(e->text + e->text_len, bytes, len);
	s = (struct clf_str){ e->text_len, (uint16_t)len };
	e->text_len = (uint16_t)(e->text_len + len);
	return s;
}

static bool
str_valid(const struct clf_event *e, struct clf_str s)
{
	return (uint32_t)s.off + s.len <= e->text_len;
}

static bool
details_valid(const struct clf_event *e)
{
	const struct clf_str single[] = { e->ndpi, e->name, e->user_agent, e->ja3, e->ja4, e->alpn,
		e->vendor, e->vendor_id, e->owner, e->country, e->owner_country, e->product,
		e->product_id, e->category, e->signature, e->pack_version, e->rule };
	bool ok = e->verdict <= CLF_WOULD_RESET && e->confidence < SIG_CONF_MAX &&
		  e->function < SIG_FN_MAX && e->name_source <= SIG_F_NAME_LAST &&
		  e->blind < CLF_BLIND_MAX && e->n_names <= CLF_NAMES_MAX &&
		  e->n_evidence <= CLF_EVIDENCE_MAX && e->n_others <= CLF_OTHERS_MAX;

	for (size_t i = 0; ok && i < sizeof(single) / sizeof(single[0]); i++)
		ok = str_valid(e, single[i]);
	for (unsigned i = 0; ok && i < e->n_names; i++)
		ok = str_valid(e, e->names[i]);
	for (unsigned i = 0; ok && i < e->n_others; i++)
		ok = str_valid(e, e->others[i]);
	for (unsigned i = 0; ok && i < e->n_evidence; i++)
		ok = str_valid(e, e->evidence[i].value) && e->evidence[i].field < SIG_F_MAX;
	return ok;
}

bool
clf_event_valid(const void *bytes, size_t len)
{
	const struct clf_event *e = bytes;

	if (len < CLF_EVENT_SIZE(0) || len > sizeof(*e) || e->size != len)
		return false;
	if (e->text_len > CLF_TEXT_MAX || e->size != CLF_EVENT_SIZE(e->text_len))
		return false;
	if (e->type < CLF_EV_DECIDED || e->type > CLF_EV_ENDED || e->has_details > 1)
		return false;
	if (e->tunnel >= CLF_TUN_MAX || e->state > CLF_GAVE_UP)
		return false;
	if (e->ip_version != 0 && e->ip_version != 4 && e->ip_version != 6)
		return false;
	return !e->has_details || details_valid(e);
}
