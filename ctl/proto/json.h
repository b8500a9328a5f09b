/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON forms of flow records and inventory rows, and back.
 *
 * The one place that spells them: scan, flows, report, the control protocol and the stores' text
 * forms agree because they all come here. Text from the network is escaped (sig_text_escape()) on
 * its way into JSON and read back unescaped; a row's strings are escaped text in C already. An
 * absent member means not known. Parsing takes hostile input: whatever is out of range or of the
 * wrong type is refused, and nothing that was parsed can carry a control byte.
 */
#ifndef CTL_PROTO_JSON_H
#define CTL_PROTO_JSON_H

#include <jansson.h>

#include "classifier/engine.h"
#include "classifier/event.h"
#include "ctl/store/record.h"
#include "ctl/store/store.h"

/* A flow record (schema/flow-record.json). sensor NULL: left out. NULL: no memory. */
json_t *proto_record_json(const struct clf_event *record, const char *sensor);
/* 0 or -EBADMSG / -ENOMEM. *ret_sensor: malloced, NULL where none was said; may itself be NULL.
 * The event has type CLF_EV_ENDED and details; flow_id, worker and at_us are 0. */
int proto_record_parse(const json_t *json, struct clf_event *ret_record, char **ret_sensor);

/* An inventory row (schema/inventory-row.json). */
json_t *proto_row_json(const struct store_row *row);
/* store_row_free() what it gives. */
int proto_row_parse(const json_t *json, struct store_row *ret_row);

/* "tcp", "udp", "icmp" ...; NULL for a number without a name (the record then says "ip-NN"). */
const char *proto_transport_name(uint8_t protocol);
bool proto_has_ports(uint8_t protocol);
int proto_transport_parse(const char *name); /* 0..255 or -EINVAL */
/* Textual address of the event's src or dst ("" when it has none). out: INET6_ADDRSTRLEN bytes. */
void proto_addr_text(const struct clf_event *e, bool dst, char *out);

/* The value of a piece of evidence, printable; an address as people write it. */
enum { PROTO_EVIDENCE_MAX = 4 * CLF_TEXT_MAX + 1 };
void proto_evidence_text(
    const struct clf_event *e, const struct clf_evidence *ev, char out[static PROTO_EVIDENCE_MAX]);

/* Undoes sig_text_escape(). out holds strlen(in) bytes at most; -EINVAL on a broken escape. */
int proto_unescape(const char *in, uint8_t *out, size_t *ret_len);
/* A copy that is printable ASCII whatever came: backslashes are kept, other bytes become `\xHH`. */
char *proto_printable(const char *in);

/*
 * A fact of the packs (vendor, owner, product) as it is shown: escaped text whose `\xHH` spell
 * valid, printable UTF-8 beyond ASCII becomes that UTF-8 again; anything else stays as it is.
 * Controls (C0, C1), formatting and direction marks, private use and non-characters never come out.
 * Malloced.
 */
char *proto_fact(const char *escaped);

#endif
