/* SPDX-License-Identifier: Apache-2.0 */
/* A flow record as JSON. The order of members is the order a person reads them in. */
#include "ctl/proto/json.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/proto/rfc3339.h"
#include "signatures/base/text.h"

static const struct {
	uint8_t number;
	const char *name;
} transports[] = {
	{ IPPROTO_TCP, "tcp" },
	{ IPPROTO_UDP, "udp" },
	{ IPPROTO_ICMP, "icmp" },
	{ IPPROTO_ICMPV6, "icmpv6" },
	{ IPPROTO_SCTP, "sctp" },
	{ IPPROTO_DCCP, "dccp" },
	{ IPPROTO_UDPLITE, "udplite" },
	{ IPPROTO_IGMP, "igmp" },
	{ IPPROTO_GRE, "gre" },
	{ IPPROTO_ESP, "esp" },
	{ IPPROTO_AH, "ah" },
	{ IPPROTO_IPIP, "ipip" },
	{ IPPROTO_IPV6, "ipv6" },
	{ IPPROTO_PIM, "pim" },
	{ 89, "ospf" },
	{ 112, "vrrp" },
};

const char *
proto_transport_name(uint8_t protocol)
{
	for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++)
		if (transports[i].number == protocol)
			return transports[i].name;
	return NULL;
}

int
proto_transport_parse(const char *name)
{
	unsigned v;
	char end;

	for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++)
		if (strcmp(transports[i].name, name) == 0)
			return transports[i].number;
	if (sscanf(name, "ip-%3u%c", &v, &end) == 1 && v <= 255)
		return (int)v;
	return -EINVAL;
}

void
proto_addr_text(const struct clf_event *e, bool dst, char *out)
{
	const struct clf_addr *a = dst ? &e->dst : &e->src;

	out[0] = '\0';
	if (e->ip_version == 4 || e->ip_version == 6)
		inet_ntop(e->ip_version == 6 ? AF_INET6 : AF_INET, a->bytes, out, INET6_ADDRSTRLEN);
}

/* --- small setters; `*ok` gathers failures so that callers read straight down --- */

static void
set(json_t *o, const char *key, json_t *v, bool *ok)
{
	if (json_object_set_new(o, key, v) < 0)
		*ok = false;
}

/* Text from the network, escaped: at most 4 bytes for one. */
static json_t *
escaped(const uint8_t *p, size_t len)
{
	char text[4 * CLF_TEXT_MAX + 1];

	sig_text_escape(text, sizeof(text), p, len);
	return json_string(text);
}

static void
set_str(json_t *o, const char *key, const struct clf_event *e, struct clf_str s, bool *ok)
{
	if (s.len > 0)
		set(o, key, escaped(clf_event_str(e, s), s.len), ok);
}

/* A pack's fact, in any script. */
static void
set_fact(json_t *o, const char *key, const struct clf_event *e, struct clf_str s, bool *ok)
{
	char text[4 * CLF_TEXT_MAX + 1];

	if (s.len == 0)
		return;
	sig_text_escape(text, sizeof(text), clf_event_str(e, s), s.len);
	char *fact = proto_fact(text);
	set(o, key, json_string(fact ? fact : text), ok);
	free(fact);
}

static void
set_name(json_t *o, const char *key, const char *name, bool *ok)
{
	if (name)
		set(o, key, json_string(name), ok);
}

static void
set_time(json_t *o, const char *key, uint64_t us, bool *ok)
{
	char text[PROTO_TIME_LEN];

	proto_time_format(us, text);
	set(o, key, json_string(text), ok);
}

static void
set_pair(json_t *o, const char *key, const uint64_t v[2], bool *ok)
{
	set(o, key,
	    json_pack("{s:I, s:I}", "up", (json_int_t)v[CLF_UP], "down", (json_int_t)v[CLF_DOWN]),
	    ok);
}

bool
proto_has_ports(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
	       protocol == IPPROTO_DCCP || protocol == IPPROTO_UDPLITE;
}

static void
set_end(json_t *o, const char *key, const struct clf_event *e, bool dst, bool *ok)
{
	char ip[INET6_ADDRSTRLEN];
	json_t *end = json_object();

	proto_addr_text(e, dst, ip);
	if (ip[0] != '\0')
		set(end, "ip", json_string(ip), ok);
	if (proto_has_ports(e->protocol))
		set(end, "port", json_integer(dst ? e->dst_port : e->src_port), ok);
	set(o, key, end, ok);
}

static void
set_key(json_t *o, const struct clf_event *e, bool *ok)
{
	static const char *const sides[] = { NULL, "src", "dst", "both" };
	const char *transport = proto_transport_name(e->protocol);
	char number[16];

	set_end(o, "src", e, false, ok);
	set_end(o, "dst", e, true, ok);
	if (!transport && e->ip_version != 0) {
		snprintf(number, sizeof(number), "ip-%u", e->protocol);
		transport = number;
	}
	set_name(o, "transport", transport, ok);
	if (e->vlan)
		set(o, "vlan", json_integer(e->vlan), ok);
	set_name(o, "tunnel", clf_tunnel_name(e->tunnel), ok);
	if (e->tunnel_id)
		set(o, "tunnel_id", json_integer(e->tunnel_id), ok);
	set_name(o, "inside", sides[(e->src_inside ? 1 : 0) | (e->dst_inside ? 2 : 0)], ok);
}

static json_t *
flags_json(uint32_t flags)
{
	json_t *a = json_array();

	for (unsigned bit = 0; bit < 32; bit++)
		if ((flags & (1u << bit)) && clf_flag_name(bit))
			json_array_append_new(a, json_string(clf_flag_name(bit)));
	return a;
}

void
proto_evidence_text(
    const struct clf_event *e, const struct clf_evidence *ev, char out[static PROTO_EVIDENCE_MAX])
{
	const uint8_t *p = clf_event_str(e, ev->value);

	if (ev->field == SIG_F_ADDRESS && (ev->value.len == 4 || ev->value.len == 16) &&
	    inet_ntop(ev->value.len == 4 ? AF_INET : AF_INET6, p, out, PROTO_EVIDENCE_MAX))
		return;
	sig_text_escape(out, PROTO_EVIDENCE_MAX, p, ev->value.len);
}

static json_t *
evidence_value(const struct clf_event *e, const struct clf_evidence *ev)
{
	char text[PROTO_EVIDENCE_MAX];

	proto_evidence_text(e, ev, text);
	return json_string(text);
}

static json_t *
evidence_json(const struct clf_event *e, bool *ok)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < e->n_evidence && i < CLF_EVIDENCE_MAX; i++) {
		const struct clf_evidence *ev = &e->evidence[i];
		json_t *o = json_object();

		set_name(o, "field", sig_field_name(ev->field), ok);
		set(o, "value", evidence_value(e, ev), ok);
		set(o, "packet", json_integer(ev->packet), ok);
		if (json_array_append_new(a, o) < 0)
			*ok = false;
	}
	return a;
}

static void
set_names(json_t *o, const char *key, const struct clf_event *e, const struct clf_str *list,
    unsigned n, bool *ok)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < n; i++)
		if (list[i].len > 0)
			json_array_append_new(a, escaped(clf_event_str(e, list[i]), list[i].len));
	if (json_array_size(a) > 0)
		set(o, key, a, ok);
	else
		json_decref(a);
}

/* What was identified, by what, and what the policy said of it. */
static void
set_match(json_t *o, const struct clf_event *e, bool *ok)
{
	set_fact(o, "vendor", e, e->vendor, ok);
	set_str(o, "vendor_id", e, e->vendor_id, ok);
	set_fact(o, "owner", e, e->owner, ok);
	set_str(o, "country", e, e->country, ok);
	set_str(o, "owner_country", e, e->owner_country, ok);
	set_fact(o, "product", e, e->product, ok);
	set_str(o, "product_id", e, e->product_id, ok);
	set_str(o, "category", e, e->category, ok);
	if (e->function != SIG_FN_NONE)
		set_name(o, "function", sig_function_name(e->function), ok);
	set_str(o, "signature", e, e->signature, ok);
	set_str(o, "pack_version", e, e->pack_version, ok);
	set_name(o, "confidence", sig_confidence_name(e->confidence), ok);
	if (e->n_evidence > 0)
		set(o, "evidence", evidence_json(e, ok), ok);
	set_names(o, "others", e, e->others,
	    e->n_others < CLF_OTHERS_MAX ? e->n_others : CLF_OTHERS_MAX, ok);
	if (e->sig_shared)
		set(o, "shared", json_true(), ok);
	if (e->sig_oem)
		set(o, "oem", json_true(), ok);
	if (e->sig_artefact)
		set(o, "artefact", json_true(), ok);
}

static void
set_details(json_t *o, const struct clf_event *e, bool *ok)
{
	if (e->ndpi.len > 0)
		set_str(o, "ndpi", e, e->ndpi, ok);
	else
		set(o, "ndpi", json_string("Unknown"), ok);
	set_str(o, "name", e, e->name, ok);
	set_names(
	    o, "names", e, e->names, e->n_names < CLF_NAMES_MAX ? e->n_names : CLF_NAMES_MAX, ok);
	if (e->name_source != SIG_F_NONE)
		set_name(o, "name_source", sig_field_name(e->name_source), ok);
	set_str(o, "user_agent", e, e->user_agent, ok);
	set_str(o, "alpn", e, e->alpn, ok);
	set_str(o, "ja3", e, e->ja3, ok);
	set_str(o, "ja4", e, e->ja4, ok);
	if (e->blind != CLF_BLIND_NONE)
		set_name(o, "blind", clf_blind_name(e->blind), ok);
	set(o, "flags", flags_json(e->flags), ok);
	if (e->signature.len > 0)
		set_match(o, e, ok);
	if (e->signature.len > 0 || e->verdict != CLF_PASS)
		set_name(o, "verdict", clf_verdict_name(e->verdict), ok);
	set_str(o, "rule", e, e->rule, ok);
}

json_t *
proto_record_json(const struct clf_event *e, const char *sensor)
{
	json_t *o = json_object();
	bool ok = o != NULL;

	if (!ok)
		return NULL;
	set_name(o, "sensor", sensor, &ok);
	set_time(o, "first", e->first_us, &ok);
	set_time(o, "last", e->last_us, &ok);
	set_key(o, e, &ok);
	set_pair(o, "packets", e->packets, &ok);
	set_pair(o, "bytes", e->bytes, &ok);
	if (e->dropped[CLF_UP] || e->dropped[CLF_DOWN])
		set_pair(o, "dropped", e->dropped, &ok);
	set_name(o, "state", clf_state_name(e->state == CLF_NEW ? CLF_INSPECTING : e->state), &ok);
	if (e->has_details)
		set_details(o, e, &ok);
	else
		set(o, "flags", json_array(), &ok);
	if (ok)
		return o;
	json_decref(o);
	return NULL;
}
