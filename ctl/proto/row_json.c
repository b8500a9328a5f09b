/* SPDX-License-Identifier: Apache-2.0 */
/* An inventory row as JSON and back. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/proto/json.h"
#include "ctl/proto/rfc3339.h"

/* The row's text members, in the order in which they are written. */
static const struct {
	const char *key;
	size_t off;
	bool fact; /* proto_fact() */
} text_members[] = {
	{ "sensor", offsetof(struct store_row, sensor) },
	{ "host", offsetof(struct store_row, host) },
	{ "vendor", offsetof(struct store_row, vendor), true },
	{ "vendor_id", offsetof(struct store_row, vendor_id) },
	{ "owner", offsetof(struct store_row, owner), true },
	{ "country", offsetof(struct store_row, country) },
	{ "owner_country", offsetof(struct store_row, owner_country) },
	{ "product", offsetof(struct store_row, product), true },
	{ "product_id", offsetof(struct store_row, product_id) },
	{ "category", offsetof(struct store_row, category) },
	{ "signature", offsetof(struct store_row, signature) },
};
static const struct {
	const char *key;
	size_t off;
} count_members[] = {
	{ "flows", offsetof(struct store_row, flows) },
	{ "bytes_up", offsetof(struct store_row, bytes_up) },
	{ "bytes_down", offsetof(struct store_row, bytes_down) },
	{ "dropped", offsetof(struct store_row, dropped) },
};
enum {
	N_TEXT = sizeof(text_members) / sizeof(text_members[0]),
	N_COUNT = sizeof(count_members) / sizeof(count_members[0]),
	TEXT_MAX = 4096, /* longest text of a row that is believed */
};

static char **
text_at(struct store_row *row, unsigned i)
{
	return (char **)((char *)row + text_members[i].off);
}

static uint64_t *
count_at(struct store_row *row, unsigned i)
{
	return (uint64_t *)((char *)row + count_members[i].off);
}

static bool
set(json_t *o, const char *key, json_t *v)
{
	return json_object_set_new(o, key, v) == 0;
}

/* Names that packs give may be in any script; what the network says is ASCII. */
static json_t *
text_json(unsigned i, const char *text)
{
	if (text_members[i].fact) {
		char *fact = proto_fact(text);
		json_t *v = fact ? json_string(fact) : NULL;
		free(fact);
		return v;
	}
	return json_string(text);
}

static bool
set_time(json_t *o, const char *key, uint64_t us)
{
	char text[PROTO_TIME_LEN];

	if (us == 0)
		return true;
	proto_time_format(us, text);
	return set(o, key, json_string(text));
}

json_t *
proto_row_json(const struct store_row *row)
{
	struct store_row *r = (struct store_row *)row; /* read only, through the member tables */
	json_t *o = json_object(), *names = json_array();
	bool ok = o && names;

	for (unsigned i = 0; ok && i < N_TEXT; i++)
		if (*text_at(r, i) && **text_at(r, i))
			ok = set(o, text_members[i].key, text_json(i, *text_at(r, i)));
	ok = ok && set(o, "forwarder", json_boolean(row->forwarder)) &&
	     set(o, "dns_only", json_boolean(row->dns_only));
	if (ok && row->function != SIG_FN_NONE)
		ok = set(o, "function", json_string(sig_function_name(row->function)));
	if (ok && row->confidence != SIG_CONF_NONE)
		ok = set(o, "confidence", json_string(sig_confidence_name(row->confidence)));
	ok = ok && set_time(o, "first_seen", row->first_seen_us) &&
	     set_time(o, "last_seen", row->last_seen_us);
	for (unsigned i = 0; ok && i < N_COUNT; i++)
		ok = set(o, count_members[i].key, json_integer((json_int_t)*count_at(r, i)));
	for (unsigned i = 0; ok && i < row->n_names && i < STORE_ROW_NAMES_MAX; i++)
		ok = json_array_append_new(names, json_string(row->names[i])) == 0;
	if (ok && set(o, "names", json_incref(names))) {
		json_decref(names);
		return o;
	}
	json_decref(names);
	json_decref(o);
	return NULL;
}

static int
take_text(const json_t *v, char **ret)
{
	const char *s = json_string_value(v);

	if (!v)
		return 0;
	if (!s || strlen(s) > TEXT_MAX)
		return -EBADMSG;
	*ret = proto_printable(s);
	return *ret ? 0 : -ENOMEM;
}

static int
take_time(const json_t *v, uint64_t *ret)
{
	const char *s = json_string_value(v);

	if (!v)
		return 0;
	return s && proto_time_parse(s, ret) == 0 ? 0 : -EBADMSG;
}

static int
take_names(const json_t *a, struct store_row *row)
{
	if (a && (!json_is_array(a) || json_array_size(a) > STORE_ROW_NAMES_MAX))
		return -EBADMSG;
	for (size_t i = 0; i < json_array_size(a); i++) {
		if (!json_is_string(json_array_get(a, i)))
			return -EBADMSG;
		int err = take_text(json_array_get(a, i), &row->names[row->n_names]);
		if (err < 0)
			return err;
		row->n_names++;
	}
	return 0;
}

static int
take_enums(const json_t *o, struct store_row *row)
{
	const json_t *fn = json_object_get(o, "function"), *c = json_object_get(o, "confidence");
	const json_t *fw = json_object_get(o, "forwarder"), *dns = json_object_get(o, "dns_only");

	if ((fn && !json_is_string(fn)) || (c && !json_is_string(c)) ||
	    (fw && !json_is_boolean(fw)) || (dns && !json_is_boolean(dns)))
		return -EBADMSG;
	row->dns_only = json_is_true(dns);
	row->forwarder = json_is_true(fw);
	if (fn && (row->function = sig_function_parse(json_string_value(fn))) == SIG_FN_NONE)
		return -EBADMSG;
	if (c && (row->confidence = sig_confidence_parse(json_string_value(c))) == SIG_CONF_NONE)
		return -EBADMSG;
	return 0;
}

static int
take_row(const json_t *o, struct store_row *row)
{
	int err = json_is_object(o) ? 0 : -EBADMSG;

	for (unsigned i = 0; err == 0 && i < N_TEXT; i++)
		err = take_text(json_object_get(o, text_members[i].key), text_at(row, i));
	for (unsigned i = 0; err == 0 && i < N_COUNT; i++) {
		const json_t *v = json_object_get(o, count_members[i].key);
		if (v && (!json_is_integer(v) || json_integer_value(v) < 0))
			err = -EBADMSG;
		else
			*count_at(row, i) = (uint64_t)json_integer_value(v);
	}
	if (err == 0)
		err = take_enums(o, row);
	if (err == 0)
		err = take_time(json_object_get(o, "first_seen"), &row->first_seen_us);
	if (err == 0)
		err = take_time(json_object_get(o, "last_seen"), &row->last_seen_us);
	if (err == 0)
		err = take_names(json_object_get(o, "names"), row);
	/* Without these a row is no row. */
	if (err == 0 && (!row->host || !row->product))
		err = -EBADMSG;
	return err;
}

int
proto_row_parse(const json_t *json, struct store_row *ret_row)
{
	struct store_row row = { 0 };
	int err = take_row(json, &row);

	if (err < 0)
		store_row_free(&row);
	else
		*ret_row = row;
	return err;
}
