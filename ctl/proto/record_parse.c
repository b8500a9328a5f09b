/* SPDX-License-Identifier: Apache-2.0 */
/* A flow record read back from JSON that somebody else wrote. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/proto/json.h"
#include "ctl/proto/rfc3339.h"

/* Reads members of one object; the first fault sticks in `err`. */
struct reader {
	const json_t *o;
	struct clf_event *e;
	int err;
};

static void
bad(struct reader *r)
{
	if (r->err == 0)
		r->err = -EBADMSG;
}

static const char *
get_str(struct reader *r, const char *key)
{
	const json_t *v = json_object_get(r->o, key);

	if (v && !json_is_string(v))
		bad(r);
	return json_string_value(v);
}

static uint64_t
as_uint(struct reader *r, const json_t *v, uint64_t max)
{
	if (!v)
		return 0;
	if (!json_is_integer(v) || json_integer_value(v) < 0 ||
	    (uint64_t)json_integer_value(v) > max) {
		bad(r);
		return 0;
	}
	return (uint64_t)json_integer_value(v);
}

/* The index below n of the name that the function spells so; `none` when the member is absent. */
#define GET_ENUM(r, key, n, name_of, none)                     \
	({                                                     \
		const char *s_ = get_str((r), (key));          \
		unsigned v_ = (none);                          \
		if (s_) {                                      \
			unsigned i_ = 0;                       \
			for (; i_ < (n); i_++) {               \
				const char *t_ = name_of(i_);  \
				if (t_ && strcmp(t_, s_) == 0) \
					break;                 \
			}                                      \
			if (i_ == (n))                         \
				bad(r);                        \
			else                                   \
				v_ = i_;                       \
		}                                              \
		(uint8_t) v_;                                  \
	})

static struct clf_str
add_text(struct reader *r, const char *s)
{
	uint8_t raw[CLF_TEXT_MAX];
	size_t len;

	if (!s)
		return (struct clf_str){ 0 };
	if (strlen(s) > 4 * CLF_TEXT_MAX) {
		bad(r);
		return (struct clf_str){ 0 };
	}
	uint8_t *wide = strlen(s) <= sizeof(raw) ? raw : malloc(strlen(s));
	struct clf_str out = { 0 };
	if (!wide)
		r->err = -ENOMEM;
	else if (proto_unescape(s, wide, &len) < 0 || len > CLF_TEXT_MAX)
		bad(r);
	else if (len > 0)
		out = clf_event_add(r->e, wide, len);
	if (wide != raw)
		free(wide);
	return out;
}

static struct clf_str
get_text(struct reader *r, const char *key)
{
	return add_text(r, get_str(r, key));
}

static uint64_t
get_time(struct reader *r, const char *key)
{
	const char *s = get_str(r, key);
	uint64_t us = 0;

	if (!s || proto_time_parse(s, &us) < 0)
		bad(r);
	return us;
}

static void
get_pair(struct reader *r, const char *key, uint64_t out[2])
{
	const json_t *o = json_object_get(r->o, key);

	if (o && !json_is_object(o))
		bad(r);
	out[CLF_UP] = as_uint(r, json_object_get(o, "up"), INT64_MAX);
	out[CLF_DOWN] = as_uint(r, json_object_get(o, "down"), INT64_MAX);
}

static void
get_end(struct reader *r, const char *key, struct clf_addr *addr, uint16_t *port)
{
	const json_t *o = json_object_get(r->o, key);
	const char *ip = json_string_value(json_object_get(o, "ip"));

	if (o && !json_is_object(o))
		bad(r);
	*port = (uint16_t)as_uint(r, json_object_get(o, "port"), 65535);
	if (!ip)
		return;
	int family = strchr(ip, ':') ? AF_INET6 : AF_INET;
	uint8_t version = family == AF_INET6 ? 6 : 4;
	if (inet_pton(family, ip, addr->bytes) != 1 ||
	    (r->e->ip_version != 0 && r->e->ip_version != version))
		bad(r);
	r->e->ip_version = version;
}

static void
get_key(struct reader *r)
{
	struct clf_event *e = r->e;
	const char *transport = get_str(r, "transport"), *inside = get_str(r, "inside");

	get_end(r, "src", &e->src, &e->src_port);
	get_end(r, "dst", &e->dst, &e->dst_port);
	if (transport) {
		int number = proto_transport_parse(transport);
		if (number < 0)
			bad(r);
		else
			e->protocol = (uint8_t)number;
	}
	e->vlan = (uint16_t)as_uint(r, json_object_get(r->o, "vlan"), 4095);
	e->tunnel = GET_ENUM(r, "tunnel", CLF_TUN_MAX, clf_tunnel_name, CLF_TUN_NONE);
	e->tunnel_id = (uint32_t)as_uint(r, json_object_get(r->o, "tunnel_id"), UINT32_MAX);
	if (inside) {
		bool both = strcmp(inside, "both") == 0;
		e->src_inside = both || strcmp(inside, "src") == 0;
		e->dst_inside = both || strcmp(inside, "dst") == 0;
		if (!e->src_inside && !e->dst_inside)
			bad(r);
	}
}

static uint8_t
get_texts(struct reader *r, const char *key, struct clf_str *out, unsigned max)
{
	const json_t *a = json_object_get(r->o, key);
	unsigned n = 0;

	if (a && (!json_is_array(a) || json_array_size(a) > max)) {
		bad(r);
		return 0;
	}
	for (size_t i = 0; i < json_array_size(a); i++) {
		const char *s = json_string_value(json_array_get(a, i));
		if (!s)
			bad(r);
		else
			out[n++] = add_text(r, s);
	}
	return (uint8_t)n;
}

static void
get_flags(struct reader *r)
{
	const json_t *a = json_object_get(r->o, "flags");

	if (a && !json_is_array(a))
		bad(r);
	for (size_t i = 0; i < json_array_size(a); i++) {
		const char *s = json_string_value(json_array_get(a, i));
		unsigned bit = 0;

		for (; s && bit < 32; bit++)
			if (clf_flag_name(bit) && strcmp(clf_flag_name(bit), s) == 0)
				break;
		if (!s || bit == 32)
			bad(r);
		else
			r->e->flags |= 1u << bit;
	}
}

static void
get_evidence(struct reader *r)
{
	const json_t *a = json_object_get(r->o, "evidence");

	if (a && (!json_is_array(a) || json_array_size(a) > CLF_EVIDENCE_MAX)) {
		bad(r);
		return;
	}
	for (size_t i = 0; i < json_array_size(a); i++) {
		struct reader item = { .o = json_array_get(a, i), .e = r->e };
		struct clf_evidence *ev = &r->e->evidence[i];
		const char *value = get_str(&item, "value");
		uint8_t ip[16];

		ev->field = GET_ENUM(&item, "field", SIG_F_MAX, sig_field_name, SIG_F_NONE);
		ev->packet = (uint32_t)as_uint(
		    &item, json_object_get(item.o, "packet"), UINT32_MAX);
		if (ev->field == SIG_F_ADDRESS && value &&
		    inet_pton(strchr(value, ':') ? AF_INET6 : AF_INET, value, ip) == 1)
			ev->value = clf_event_add(r->e, ip, strchr(value, ':') ? 16 : 4);
		else
			ev->value = add_text(&item, value);
		if (!json_is_object(item.o) || item.err < 0)
			bad(r);
	}
	r->e->n_evidence = (uint8_t)json_array_size(a);
}

static void
get_match(struct reader *r)
{
	struct clf_event *e = r->e;

	e->vendor = get_text(r, "vendor");
	e->vendor_id = get_text(r, "vendor_id");
	e->owner = get_text(r, "owner");
	e->country = get_text(r, "country");
	e->owner_country = get_text(r, "owner_country");
	e->product = get_text(r, "product");
	e->product_id = get_text(r, "product_id");
	e->category = get_text(r, "category");
	e->function = GET_ENUM(r, "function", SIG_FN_MAX, sig_function_name, SIG_FN_NONE);
	e->signature = get_text(r, "signature");
	e->pack_version = get_text(r, "pack_version");
	e->confidence = GET_ENUM(r, "confidence", SIG_CONF_MAX, sig_confidence_name, SIG_CONF_NONE);
	get_evidence(r);
	e->n_others = get_texts(r, "others", e->others, CLF_OTHERS_MAX);
	e->sig_shared = json_is_true(json_object_get(r->o, "shared"));
	e->sig_oem = json_is_true(json_object_get(r->o, "oem"));
	e->sig_artefact = json_is_true(json_object_get(r->o, "artefact"));
}

static void
get_details(struct reader *r)
{
	struct clf_event *e = r->e;
	const char *ndpi = get_str(r, "ndpi");

	e->has_details = 1;
	if (ndpi && strcmp(ndpi, "Unknown") != 0)
		e->ndpi = add_text(r, ndpi);
	e->name = get_text(r, "name");
	e->n_names = get_texts(r, "names", e->names, CLF_NAMES_MAX);
	e->name_source = GET_ENUM(
	    r, "name_source", SIG_F_NAME_LAST + 1, sig_field_name, SIG_F_NONE);
	e->user_agent = get_text(r, "user_agent");
	e->alpn = get_text(r, "alpn");
	e->ja3 = get_text(r, "ja3");
	e->ja4 = get_text(r, "ja4");
	e->blind = GET_ENUM(r, "blind", CLF_BLIND_MAX, clf_blind_name, CLF_BLIND_NONE);
	get_flags(r);
	get_match(r);
	e->verdict = GET_ENUM(r, "verdict", CLF_WOULD_RESET + 1, clf_verdict_name, CLF_PASS);
	e->rule = get_text(r, "rule");
}

int
proto_record_parse(const json_t *json, struct clf_event *ret_record, char **ret_sensor)
{
	struct clf_event *e = calloc(1, sizeof(*e));
	struct reader r = { .o = json, .e = e };
	char *sensor = NULL;

	if (!e)
		return -ENOMEM;
	if (!json_is_object(json))
		bad(&r);
	e->type = CLF_EV_ENDED;
	e->first_us = get_time(&r, "first");
	e->last_us = get_time(&r, "last");
	e->state = GET_ENUM(&r, "state", CLF_GAVE_UP + 1, clf_state_name, CLF_INSPECTING);
	get_key(&r);
	get_pair(&r, "packets", e->packets);
	get_pair(&r, "bytes", e->bytes);
	get_pair(&r, "dropped", e->dropped);
	get_details(&r);
	e->size = (uint32_t)CLF_EVENT_SIZE(e->text_len);
	const char *said = get_str(&r, "sensor");
	if (r.err == 0 && said && ret_sensor && !(sensor = proto_printable(said)))
		r.err = -ENOMEM;
	if (r.err == 0) {
		memcpy(ret_record, e, sizeof(*e));
		if (ret_sensor)
			*ret_sensor = sensor;
	}
	free(e);
	return r.err;
}
