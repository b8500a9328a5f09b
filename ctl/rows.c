/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of inventory rows and flow records. Keys are the ones of the JSON forms. */
#include "ctl/rows.h"

#include <string.h>

#include "ctl/proto/json.h"
#include "signatures/base/text.h"

enum row_column {
	R_HOST,
	R_VENDOR,
	R_COUNTRY,
	R_PRODUCT,
	R_FUNCTION,
	R_CONFIDENCE,
	R_FLOWS,
	R_UP,
	R_DOWN,
	R_DROPPED,
	R_FIRST,
	R_LAST,
	R_SENSOR,
	R_FORWARDER,
	R_DNS_ONLY,
	R_OWNER,
	R_OWNER_COUNTRY,
	R_VENDOR_ID,
	R_PRODUCT_ID,
	R_CATEGORY,
	R_SIGNATURE,
	R_NAMES,
	R_MAX
};

const struct ctl_column ctl_row_columns[R_MAX + 1] = {
	[R_HOST] = { "host", "HOST", 0, 0 },
	[R_VENDOR] = { "vendor", "VENDOR", 8, 0 },
	[R_COUNTRY] = { "country", "CC", 0, 0 },
	[R_PRODUCT] = { "product", "PRODUCT", 8, 0 },
	[R_FUNCTION] = { "function", "FUNCTION", 0, 0 },
	[R_CONFIDENCE] = { "confidence", "SURE", 0, 3 },
	[R_FLOWS] = { "flows", "FLOWS", 0, 2 },
	[R_UP] = { "bytes_up", "UP", 0, 5 },
	[R_DOWN] = { "bytes_down", "DOWN", 0, 5 },
	[R_DROPPED] = { "dropped", "DROPPED", 0, 7 },
	[R_FIRST] = { "first_seen", "FIRST SEEN", 10, 8 },
	[R_LAST] = { "last_seen", "LAST SEEN", 10, 1 },
	[R_SENSOR] = { "sensor", "SENSOR", 6, 9 },
	[R_FORWARDER] = { "forwarder", "FORWARDS", 0, 10 },
	[R_DNS_ONLY] = { "dns_only", "DNS ONLY", 0, 6 },
	[R_OWNER] = { "owner", NULL, 0, 0 },
	[R_OWNER_COUNTRY] = { "owner_country", NULL, 0, 0 },
	[R_VENDOR_ID] = { "vendor_id", NULL, 0, 0 },
	[R_PRODUCT_ID] = { "product_id", NULL, 0, 0 },
	[R_CATEGORY] = { "category", NULL, 0, 0 },
	[R_SIGNATURE] = { "signature", NULL, 0, 0 },
	[R_NAMES] = { "names", "EVIDENCE", 16, 0 },
};

static enum ctl_tone
confidence_tone(unsigned confidence)
{
	return confidence == SIG_CONF_GUESS ? CTL_DIM : CTL_PLAIN;
}

static enum ctl_tone
verdict_tone(unsigned verdict)
{
	if (verdict == CLF_DROP || verdict == CLF_RESET)
		return CTL_ALARM;
	return verdict == CLF_PASS ? CTL_PLAIN : CTL_WARN;
}

static bool
wants_json(enum ctl_format format)
{
	return format == CTL_JSON || format == CTL_JSON_LINES;
}

bool
ctl_print_inventory(struct ctl_print *p, const struct store_row *row)
{
	struct ctl_value v[R_MAX];

	if (wants_json(ctl_print_format(p)))
		return ctl_print_object(p, proto_row_json(row), NULL);
	v[R_HOST] = ctl_text(row->host);
	v[R_VENDOR] = ctl_fact(row->vendor);
	v[R_COUNTRY] = ctl_text(row->country);
	v[R_PRODUCT] = ctl_fact(row->product);
	v[R_FUNCTION] = ctl_text(row->function ? sig_function_name(row->function) : NULL);
	v[R_CONFIDENCE] = ctl_text(row->confidence ? sig_confidence_name(row->confidence) : NULL);
	v[R_CONFIDENCE].tone = confidence_tone(row->confidence);
	v[R_FLOWS] = ctl_number(CTL_K_UINT, row->flows);
	v[R_UP] = ctl_number(CTL_K_BYTES, row->bytes_up);
	v[R_DOWN] = ctl_number(CTL_K_BYTES, row->bytes_down);
	v[R_DROPPED] = ctl_number(CTL_K_UINT, row->dropped);
	v[R_DROPPED].tone = row->dropped ? CTL_ALARM : CTL_PLAIN;
	v[R_FIRST] = ctl_number(CTL_K_TIME, row->first_seen_us);
	v[R_LAST] = ctl_number(CTL_K_TIME, row->last_seen_us);
	v[R_SENSOR] = ctl_text(row->sensor);
	v[R_FORWARDER] = ctl_number(CTL_K_BOOL, row->forwarder);
	v[R_FORWARDER].tone = CTL_WARN;
	v[R_DNS_ONLY] = ctl_number(CTL_K_BOOL, row->dns_only);
	v[R_DNS_ONLY].tone = CTL_DIM;
	v[R_OWNER] = ctl_fact(row->owner);
	v[R_OWNER_COUNTRY] = ctl_text(row->owner_country);
	v[R_VENDOR_ID] = ctl_text(row->vendor_id);
	v[R_PRODUCT_ID] = ctl_text(row->product_id);
	v[R_CATEGORY] = ctl_text(row->category);
	v[R_SIGNATURE] = ctl_text(row->signature);
	v[R_NAMES] = (struct ctl_value){ .kind = CTL_K_LIST };
	v[R_NAMES].list.item = row->names;
	v[R_NAMES].list.n = row->n_names;
	return ctl_print_row(p, v);
}

/* --- flow records --- */

enum flow_column {
	F_FIRST,
	F_LAST,
	F_SENSOR,
	F_SRC,
	F_DST,
	F_SRC_IP,
	F_SRC_PORT,
	F_DST_IP,
	F_DST_PORT,
	F_TRANSPORT,
	F_STATE,
	F_NDPI,
	F_NAME,
	F_SOURCE,
	F_VENDOR,
	F_COUNTRY,
	F_PRODUCT,
	F_FUNCTION,
	F_CONFIDENCE,
	F_VERDICT,
	F_RULE,
	F_PACKETS_UP,
	F_PACKETS_DOWN,
	F_UP,
	F_DOWN,
	F_AGENT,
	F_SIGNATURE,
	F_FLAGS,
	F_MAX
};

static const struct ctl_column flow_columns[F_MAX + 1] = {
	[F_FIRST] = { "first", "FIRST", 0, 0 },
	[F_LAST] = { "last", NULL, 0, 0 },
	[F_SENSOR] = { "sensor", NULL, 0, 0 },
	[F_SRC] = { NULL, "FROM", 0, 0 },
	[F_DST] = { NULL, "TO", 0, 3 },
	[F_SRC_IP] = { "src_ip", NULL, 0, 0 },
	[F_SRC_PORT] = { "src_port", NULL, 0, 0 },
	[F_DST_IP] = { "dst_ip", NULL, 0, 0 },
	[F_DST_PORT] = { "dst_port", NULL, 0, 0 },
	[F_TRANSPORT] = { "transport", "PROTO", 0, 4 },
	[F_STATE] = { "state", NULL, 0, 0 },
	[F_NDPI] = { "ndpi", "NDPI", 6, 6 },
	[F_NAME] = { "name", "NAME", 16, 0 },
	[F_SOURCE] = { "name_source", "SEEN IN", 0, 5 },
	[F_VENDOR] = { "vendor", "VENDOR", 8, 1 },
	[F_COUNTRY] = { "country", "CC", 0, 0 },
	[F_PRODUCT] = { "product", "PRODUCT", 8, 0 },
	[F_FUNCTION] = { "function", "FUNCTION", 0, 2 },
	[F_CONFIDENCE] = { "confidence", "SURE", 0, 5 },
	[F_VERDICT] = { "verdict", "VERDICT", 0, 2 },
	[F_RULE] = { "rule", "RULE", 6, 8 },
	[F_PACKETS_UP] = { "packets_up", NULL, 0, 0 },
	[F_PACKETS_DOWN] = { "packets_down", NULL, 0, 0 },
	[F_UP] = { "bytes_up", "UP", 0, 7 },
	[F_DOWN] = { "bytes_down", "DOWN", 0, 7 },
	[F_AGENT] = { "user_agent", NULL, 0, 0 },
	[F_SIGNATURE] = { "signature", NULL, 0, 0 },
	[F_FLAGS] = { "flags", "FLAGS", 8, 9 },
};

const struct ctl_column *
ctl_flow_columns(bool of_sensors)
{
	static struct ctl_column with[F_MAX + 1];

	if (!of_sensors)
		return flow_columns;
	memcpy(with, flow_columns, sizeof(with));
	with[F_SENSOR].title = "SENSOR";
	with[F_SENSOR].min = 6;
	return with;
}

enum { SHOWN_MAX = 1100 };

static struct ctl_value
shown(const struct clf_event *e, struct clf_str s, char buf[static SHOWN_MAX])
{
	sig_text_escape(buf, SHOWN_MAX, clf_event_str(e, s), s.len);
	return ctl_text(buf);
}

static void
address(const struct clf_event *e, bool dst, char ip[static 64], char end[static 80])
{
	uint16_t port = dst ? e->dst_port : e->src_port;

	proto_addr_text(e, dst, ip);
	if (port && proto_has_ports(e->protocol))
		snprintf(end, 80, e->ip_version == 6 ? "[%s]:%u" : "%s:%u", ip, port);
	else
		snprintf(end, 80, "%s", ip);
}

static void
flag_text(uint32_t flags, char out[static 512])
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned bit = 0; bit < 32; bit++)
		if ((flags & (1u << bit)) && clf_flag_name(bit))
			n += (size_t)snprintf(out + n, n < 512 ? 512 - n : 0, "%s%s", n ? " " : "",
			    clf_flag_name(bit));
}

static void
match_values(struct ctl_value *v, const struct clf_event *e, char text[][SHOWN_MAX])
{
	bool matched = e->signature.len > 0;

	v[F_VENDOR] = shown(e, e->vendor, text[0]);
	v[F_VENDOR].kind = v[F_VENDOR].kind == CTL_K_TEXT ? CTL_K_FACT : CTL_K_NONE;
	v[F_COUNTRY] = shown(e, e->country, text[1]);
	v[F_PRODUCT] = shown(e, e->product, text[2]);
	v[F_PRODUCT].kind = v[F_PRODUCT].kind == CTL_K_TEXT ? CTL_K_FACT : CTL_K_NONE;
	v[F_SIGNATURE] = shown(e, e->signature, text[3]);
	v[F_FUNCTION] = ctl_text(e->function ? sig_function_name(e->function) : NULL);
	v[F_CONFIDENCE] = ctl_text(matched ? sig_confidence_name(e->confidence) : NULL);
	v[F_CONFIDENCE].tone = confidence_tone(e->confidence);
	v[F_VERDICT] = ctl_text(matched || e->verdict ? clf_verdict_name(e->verdict) : NULL);
	v[F_VERDICT].tone = verdict_tone(e->verdict);
	v[F_RULE] = shown(e, e->rule, text[4]);
}

bool
ctl_print_flow(struct ctl_print *p, const struct clf_event *e, const char *sensor)
{
	static char text[8][SHOWN_MAX];
	struct ctl_value v[F_MAX];
	char src_ip[64], dst_ip[64], src[80], dst[80], number[16], flags[512];

	if (wants_json(ctl_print_format(p)))
		return ctl_print_object(p, proto_record_json(e, sensor), NULL);
	const char *transport = proto_transport_name(e->protocol);
	address(e, false, src_ip, src);
	address(e, true, dst_ip, dst);
	flag_text(e->flags, flags);
	snprintf(number, sizeof(number), "ip-%u", e->protocol);
	v[F_FIRST] = ctl_number(CTL_K_TIME, e->first_us);
	v[F_LAST] = ctl_number(CTL_K_TIME, e->last_us);
	v[F_SENSOR] = ctl_text(sensor);
	v[F_SRC] = ctl_text(src);
	v[F_DST] = ctl_text(dst);
	v[F_SRC_IP] = ctl_text(src_ip);
	v[F_DST_IP] = ctl_text(dst_ip);
	if (proto_has_ports(e->protocol)) {
		v[F_SRC_PORT] = ctl_number(CTL_K_UINT, e->src_port);
		v[F_DST_PORT] = ctl_number(CTL_K_UINT, e->dst_port);
	} else {
		v[F_SRC_PORT] = v[F_DST_PORT] = ctl_text(NULL);
	}
	v[F_TRANSPORT] = ctl_text(transport ? transport : e->ip_version ? number : NULL);
	v[F_STATE] = ctl_text(clf_state_name(e->state == CLF_NEW ? CLF_INSPECTING : e->state));
	v[F_NDPI] = shown(e, e->ndpi, text[5]);
	if (v[F_NDPI].kind == CTL_K_NONE && ctl_print_format(p) == CTL_CSV)
		v[F_NDPI] = ctl_text("Unknown"); /* as in JSON */
	v[F_NAME] = shown(e, e->name, text[6]);
	v[F_SOURCE] = ctl_text(e->name_source ? sig_field_name(e->name_source) : NULL);
	match_values(v, e, text);
	v[F_PACKETS_UP] = ctl_number(CTL_K_UINT, e->packets[CLF_UP]);
	v[F_PACKETS_DOWN] = ctl_number(CTL_K_UINT, e->packets[CLF_DOWN]);
	v[F_UP] = ctl_number(CTL_K_BYTES, e->bytes[CLF_UP]);
	v[F_DOWN] = ctl_number(CTL_K_BYTES, e->bytes[CLF_DOWN]);
	v[F_AGENT] = shown(e, e->user_agent, text[7]);
	v[F_FLAGS] = ctl_text(flags);
	return ctl_print_row(p, v);
}
