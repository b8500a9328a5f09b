/* SPDX-License-Identifier: Apache-2.0 */
/* Events and rows as the store's tests make them. */
#ifndef TESTS_UNIT_STORE_EVENTS_H
#define TESTS_UNIT_STORE_EVENTS_H

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/store/record.h"

static inline struct clf_str
text_add(struct clf_event *e, const char *text)
{
	struct clf_str s = { e->text_len, (uint16_t)strlen(text) };

	if (s.len == 0)
		return (struct clf_str){ 0, 0 };
	memcpy(e->text + s.off, text, s.len);
	e->text_len = (uint16_t)(e->text_len + s.len);
	e->size = (uint32_t)CLF_EVENT_SIZE(e->text_len);
	return s;
}

/* A bare event: no details. */
static inline struct clf_event
event_of(enum clf_event_type type, uint64_t flow_id, uint64_t up, uint64_t down)
{
	struct clf_event e;

	memset(&e, 0, sizeof(e));
	e.size = (uint32_t)CLF_EVENT_SIZE(0);
	e.type = (uint8_t)type;
	e.flow_id = flow_id;
	e.at_us = e.last_us = 1796207400000000ULL + flow_id;
	e.first_us = 1796207300000000ULL;
	e.bytes[CLF_UP] = up;
	e.bytes[CLF_DOWN] = down;
	e.packets[CLF_UP] = e.packets[CLF_DOWN] = 3;
	e.ip_version = 4;
	e.protocol = 6;
	e.src_inside = 1;
	e.src_port = 40000;
	e.dst_port = 443;
	e.state = CLF_DECIDED;
	(void)inet_pton(AF_INET, "10.1.2.3", e.src.bytes);
	(void)inet_pton(AF_INET, "203.0.113.9", e.dst.bytes);
	return e;
}

/* Adds details: vendor and product by id, "" for a flow that nothing matched. */
static inline void
event_details(struct clf_event *e, const char *vendor, const char *product, const char *name)
{
	e->has_details = 1;
	e->confidence = *vendor ? SIG_CONF_CERTAIN : SIG_CONF_NONE;
	e->function = *vendor ? SIG_FN_TELEMETRY : SIG_FN_NONE;
	e->name_source = SIG_F_TLS_SNI;
	e->vendor = e->vendor_id = text_add(e, vendor);
	e->product = e->product_id = text_add(e, product);
	e->country = *vendor ? text_add(e, "US") : (struct clf_str){ 0, 0 };
	e->category = *vendor ? text_add(e, "edr") : (struct clf_str){ 0, 0 };
	e->signature = *vendor ? text_add(e, "pack/sig") : (struct clf_str){ 0, 0 };
	e->name = e->names[0] = text_add(e, name);
	e->n_names = *name != '\0';
}

static inline struct clf_event
event_full(enum clf_event_type type, uint64_t flow_id, const char *vendor, const char *product)
{
	struct clf_event e = event_of(type, flow_id, 1000 + flow_id, 5000 + flow_id);

	event_details(&e, vendor, product, "host.example.com");
	return e;
}

#endif
