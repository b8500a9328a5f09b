/* SPDX-License-Identifier: Apache-2.0 */
/* Records and rows: the design's spelling to the letter, hostile bytes, and back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "ctl/proto/json.h"

static struct clf_str
add(struct clf_event *e, const char *s)
{
	return clf_event_add(e, s, strlen(s));
}

static void
sample(struct clf_event *e)
{
	memset(e, 0, sizeof(*e));
	e->type = CLF_EV_ENDED;
	e->has_details = 1;
	e->first_us = 1795389322123456;
	e->last_us = 1795389323000000;
	e->ip_version = 4;
	e->protocol = 6;
	inet_pton(AF_INET, "10.1.2.3", e->src.bytes);
	inet_pton(AF_INET, "203.0.113.7", e->dst.bytes);
	e->src_port = 50123;
	e->dst_port = 443;
	e->src_inside = 1;
	e->vlan = 12;
	e->tunnel = CLF_TUN_VXLAN;
	e->tunnel_id = 77;
	e->packets[CLF_UP] = 5;
	e->packets[CLF_DOWN] = 4;
	e->bytes[CLF_UP] = 900;
	e->bytes[CLF_DOWN] = 5000;
	e->state = CLF_DECIDED;
	e->ndpi = add(e, "TLS.Google");
	e->name = e->names[0] = add(e, "ts01-b.cloudsink.net");
	e->names[1] = clf_event_add(e, "a\x00\x1b[2J\\\xff\"", 9);
	e->n_names = 2;
	e->name_source = SIG_F_TLS_SNI;
	e->flags = CLF_FL_ECH_GREASE | CLF_FL_ONE_WAY;
	e->vendor = add(e, "CrowdStrike");
	e->vendor_id = add(e, "crowdstrike");
	e->owner = add(e, "CrowdStrike Holdings, Inc.");
	e->country = add(e, "US");
	e->product = add(e, "Falcon");
	e->product_id = add(e, "falcon");
	e->category = add(e, "edr");
	e->function = SIG_FN_TELEMETRY;
	e->signature = add(e, "crowdstrike/falcon-sensor-cloud");
	e->pack_version = add(e, "2026.11.22");
	e->confidence = SIG_CONF_CERTAIN;
	e->evidence[0].field = SIG_F_TLS_SNI;
	e->evidence[0].value = e->name;
	e->evidence[0].packet = 4;
	e->evidence[1].field = SIG_F_ADDRESS;
	e->evidence[1].value = clf_event_add(e, e->dst.bytes, 4);
	e->evidence[1].packet = 1;
	e->n_evidence = 2;
	e->verdict = CLF_WOULD_DROP;
	e->rule = add(e, "us-telemetry");
	e->size = (uint32_t)CLF_EVENT_SIZE(e->text_len);
}

/* Written by hand from the design's list of members. */
static const char sample_json[] =
    "{\"sensor\":\"edge-1\",\"first\":\"2026-11-22T23:15:22.123456Z\",\"last\":\"2026-11-22T23:15:"
    "23.000000Z\","
    "\"src\":{\"ip\":\"10.1.2.3\",\"port\":50123},\"dst\":{\"ip\":\"203.0.113.7\",\"port\":443},"
    "\"transport\":\"tcp\",\"vlan\":12,\"tunnel\":\"vxlan\",\"tunnel_id\":77,\"inside\":\"src\","
    "\"packets\":{\"up\":5,\"down\":4},\"bytes\":{\"up\":900,\"down\":5000},\"state\":\"decided\","
    "\"ndpi\":\"TLS.Google\",\"name\":\"ts01-b.cloudsink.net\","
    "\"names\":[\"ts01-b.cloudsink.net\",\"a\\\\x00\\\\x1b[2J\\\\\\\\\\\\xff\\\"\"],\"name_"
    "source\":\"tls.sni\","
    "\"flags\":[\"ech-grease\",\"one-way\"],\"vendor\":\"CrowdStrike\",\"vendor_id\":"
    "\"crowdstrike\","
    "\"owner\":\"CrowdStrike Holdings, "
    "Inc.\",\"country\":\"US\",\"product\":\"Falcon\",\"product_id\":\"falcon\","
    "\"category\":\"edr\",\"function\":\"telemetry\",\"signature\":\"crowdstrike/"
    "falcon-sensor-cloud\","
    "\"pack_version\":\"2026.11.22\",\"confidence\":\"certain\",\"evidence\":["
    "{\"field\":\"tls.sni\",\"value\":\"ts01-b.cloudsink.net\",\"packet\":4},"
    "{\"field\":\"address\",\"value\":\"203.0.113.7\",\"packet\":1}],"
    "\"verdict\":\"would-drop\",\"rule\":\"us-telemetry\"}";

static void
test_record(void **state)
{
	static struct clf_event e, back;
	char *sensor;

	(void)state;
	sample(&e);
	json_t *j = proto_record_json(&e, "edge-1"), *want = json_loads(sample_json, 0, NULL);
	assert_non_null(want);
	if (!json_equal(j, want)) {
		char *text = json_dumps(j, JSON_COMPACT);
		assert_string_equal(text, sample_json);
	}
	assert_int_equal(proto_record_parse(j, &back, &sensor), 0);
	assert_string_equal(sensor, "edge-1");
	assert_true(clf_event_valid(&back, back.size));
	assert_int_equal(back.names[1].len, 9);
	assert_memory_equal(clf_event_str(&back, back.names[1]), "a\x00\x1b[2J\\\xff\"", 9);
	json_t *again = proto_record_json(&back, sensor);
	assert_true(json_equal(again, j));
	json_decref(again);
	json_decref(want);
	json_decref(j);
	free(sensor);
}

static void
test_absent(void **state)
{
	static struct clf_event e;
	const char *key;
	json_t *v;

	(void)state;
	memset(&e, 0, sizeof(e));
	e.has_details = 1;
	e.ip_version = 6;
	e.protocol = 58;
	e.state = CLF_GAVE_UP;
	json_t *j = proto_record_json(&e, NULL);
	assert_string_equal(json_string_value(json_object_get(j, "ndpi")), "Unknown");
	assert_string_equal(json_string_value(json_object_get(j, "state")), "gave-up");
	assert_null(json_object_get(json_object_get(j, "src"), "port"));
	json_object_foreach(j, key, v) if (json_is_string(v))
	    assert_true(*json_string_value(v) && strcmp(json_string_value(v), "-") != 0);
	assert_null(json_object_get(j, "vendor"));
	assert_null(json_object_get(j, "verdict"));
	json_decref(j);
}

/* One member changed at a time: refused, and nothing read past its bounds (run under ASan too). */
static void
test_hostile_records(void **state)
{
	static const struct {
		const char *key, *value;
	} bad[] = {
		{ "first", "\"yesterday\"" },
		{ "first", "7" },
		{ "src", "[]" },
		{ "src", "{\"ip\":\"10.1.2.300\"}" },
		{ "src", "{\"ip\":\"2001:db8::1\"}" },
		{ "src", "{\"port\":65536}" },
		{ "src", "{\"port\":-1}" },
		{ "transport", "\"tpc\"" },
		{ "transport", "\"ip-256\"" },
		{ "vlan", "4096" },
		{ "tunnel", "\"wormhole\"" },
		{ "packets", "{\"up\":-1}" },
		{ "packets", "{\"up\":1.5}" },
		{ "state", "\"undecided\"" },
		{ "names", "[1]" },
		{ "names", "[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]" },
		{ "names", "[\"broken\\\\escape\"]" },
		{ "name_source", "\"user_agent\"" },
		{ "flags", "[\"no-such-flag\"]" },
		{ "flags", "\"ech\"" },
		{ "function", "\"phone\"" },
		{ "confidence", "\"sure\"" },
		{ "evidence", "[{}, {}, {}, {}, {}, {}, {}, {}, {}]" },
		{ "evidence", "[7]" },
		{ "verdict", "\"explode\"" },
		{ "inside", "\"left\"" },
	};
	static struct clf_event e, back;

	(void)state;
	sample(&e);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *j = proto_record_json(&e, NULL);
		json_object_set_new(j, bad[i].key, json_loads(bad[i].value, JSON_DECODE_ANY, NULL));
		int err = proto_record_parse(j, &back, NULL);
		if (err != -EBADMSG)
			fail_msg("%s = %s gave %d", bad[i].key, bad[i].value, err);
		json_decref(j);
	}
}

static void
test_row(void **state)
{
	struct store_row row = {
		.sensor = "edge-1",
		.host = "10.1.2.3",
		.vendor = "Qihoo 360",
		.vendor_id = "qihoo-360",
		.country = "CN",
		.product = "360 Total Security",
		.product_id = "360-ts",
		.category = "av",
		.signature = "qihoo-360/update",
		.names = { "a.example", "b\\x1b.example" },
		.n_names = 2,
		.function = SIG_FN_UPDATE,
		.confidence = SIG_CONF_STRONG,
		.dns_only = true,
		.first_seen_us = 1795389322123456,
		.last_seen_us = 1795389322123457,
		.flows = 3,
		.bytes_up = 4,
		.bytes_down = 5,
		.dropped = 1,
	};
	static const char want[] =
	    "{\"sensor\":\"edge-1\",\"host\":\"10.1.2.3\",\"vendor\":\"Qihoo "
	    "360\",\"vendor_id\":\"qihoo-360\","
	    "\"country\":\"CN\",\"product\":\"360 Total "
	    "Security\",\"product_id\":\"360-ts\",\"category\":\"av\","
	    "\"signature\":\"qihoo-360/"
	    "update\",\"forwarder\":false,\"dns_only\":true,\"function\":\"update\",\"confidence\":"
	    "\"strong\","
	    "\"first_seen\":\"2026-11-22T23:15:22.123456Z\",\"last_seen\":\"2026-11-22T23:15:22."
	    "123457Z\","
	    "\"flows\":3,\"bytes_up\":4,\"bytes_down\":5,\"dropped\":1,\"names\":[\"a.example\","
	    "\"b\\\\x1b.example\"]}";
	struct store_row back;
	json_t *j = proto_row_json(&row);
	char *text = json_dumps(j, JSON_COMPACT);

	(void)state;
	assert_string_equal(text, want);
	free(text);
	assert_int_equal(proto_row_parse(j, &back), 0);
	json_t *again = proto_row_json(&back);
	assert_true(json_equal(j, again));
	store_row_free(&back);
	json_decref(again);
	/* A terminal's control bytes do not survive, whoever sent them. */
	json_object_set_new(j, "product", json_string("x\x1b[2J\xc3\xa9"));
	assert_int_equal(proto_row_parse(j, &back), 0);
	assert_string_equal(back.product, "x\\x1b[2J\\xc3\\xa9");
	store_row_free(&back);
	json_object_set_new(j, "flows", json_integer(-1));
	assert_int_equal(proto_row_parse(j, &back), -EBADMSG);
	json_object_del(j, "flows");
	json_object_del(j, "host");
	assert_int_equal(proto_row_parse(j, &back), -EBADMSG);
	json_decref(j);
}

static void
test_unescape(void **state)
{
	uint8_t out[64];
	size_t n;

	(void)state;
	assert_int_equal(proto_unescape("a\\\\b\\x00\\xFf", out, &n), 0);
	assert_int_equal(n, 5);
	assert_memory_equal(out, "a\\b\0\xff", 5);
	assert_int_equal(proto_unescape("\\", out, &n), -EINVAL);
	assert_int_equal(proto_unescape("\\x1", out, &n), -EINVAL);
	assert_int_equal(proto_unescape("\\n", out, &n), -EINVAL);
	for (unsigned p = 0; p < 256; p++) {
		char text[16];
		const char *name = proto_transport_name((uint8_t)p);
		snprintf(text, sizeof(text), "ip-%u", p);
		assert_int_equal(proto_transport_parse(name ? name : text), (int)p);
	}
}

static void
fact(const char *in, const char *want)
{
	char *got = proto_fact(in);

	assert_string_equal(got, want);
	free(got);
}

/* Any script comes out; what could move a cursor or turn a line round does not. */
static void
test_facts(void **state)
{
	(void)state;
	fact("360 (\\xe5\\xae\\x89\\xe5\\x85\\xa8)", "360 (\xe5\xae\x89\xe5\x85\xa8)");
	fact("\\xf0\\x9f\\x94\\x92 \\xc3\\xa9", "\xf0\x9f\x94\x92 \xc3\xa9");
	fact("\xe5\xae\x89", "\xe5\xae\x89");
	fact("plain \\x1b[2J \\x00", "plain \\x1b[2J \\x00");
	fact("\\xc2\\x9b31m", "\\xc2\\x9b31m");	    /* C1: CSI */
	fact("\\xe2\\x80\\xae", "\\xe2\\x80\\xae"); /* right-to-left override */
	fact("\\xc0\\xaf \\xe0\\x80\\xaf", "\\xc0\\xaf \\xe0\\x80\\xaf"); /* overlong */
	fact("\\xed\\xa0\\x80", "\\xed\\xa0\\x80");			  /* surrogate */
	fact("\\xf4\\x90\\x80\\x80", "\\xf4\\x90\\x80\\x80");
	fact("\\xe5\\xae", "\\xe5\\xae");
	fact("\\\\xe5\\xae\\x89", "\\\\xe5\\xae\\x89"); /* an escaped backslash, then text */
	fact("", "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_hostile_records),
		cmocka_unit_test(test_row),
		cmocka_unit_test(test_unescape),
		cmocka_unit_test(test_facts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
