/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of the reply to `status`, so that the daemon and a scan spell counters alike. The whole
 * reply is told in ctl/README.md, "status", and held by schema/status.json.
 *
 *   version, sensor, uptime_s, ready, mode, bypass,
 *   packs{digest, origin, signatures, vendors}, policy{digest, rules},
 *   ports[{name, role, rx, tx, dropped{reason}, nic_missed, rx_nombuf, errors}],
 *   workers[{id, lcore, packets, flows_now, inspecting_now, busy_percent}],
 *   engine{...}, recorder{...}, store{url, up, ...}, blindness{flows{reason}, bytes{reason}}
 */
#ifndef CTL_PROTO_STATUS_H
#define CTL_PROTO_STATUS_H

#include <jansson.h>

#include "classifier/engine.h"
#include "ctl/store/record.h"
#include "ctl/store/store.h"

/* sum += one: the engines of all workers as one. */
void proto_engine_add(struct clf_engine_stats *sum, const struct clf_engine_stats *one);

/* `engine`: every counter of clf_engine_stats by its C name; parse, verdicts and names_by_source
 * are objects by their spelled names. */
json_t *proto_engine_json(const struct clf_engine_stats *s);
/* `blindness`: {"flows": {reason: n}, "bytes": {reason: n}, "named": {"flows": n, "bytes": n}};
 * only reasons that occurred. */
json_t *proto_blindness_json(const struct clf_engine_stats *s);
/* `recorder`. */
json_t *proto_fold_json(const struct store_fold_stats *s);
/* `store`; url: as it may be shown, without a password. */
json_t *proto_store_json(const struct store_stats *s, const char *url);

#endif
