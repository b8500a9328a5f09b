/* SPDX-License-Identifier: Apache-2.0 */
/* The one meaning of a filter. */
#include "ctl/proto/filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl/proto/json.h"
#include "ctl/proto/rfc3339.h"

static const struct {
	const char *key;
	size_t off;
} texts[] = {
	{ "sensor", offsetof(struct store_filter, sensor) },
	{ "vendor", offsetof(struct store_filter, vendor) },
	{ "product", offsetof(struct store_filter, product) },
	{ "country", offsetof(struct store_filter, country) },
	{ "host", offsetof(struct store_filter, host) },
	{ "category", offsetof(struct store_filter, category) },
};
enum { N_TEXTS = sizeof(texts) / sizeof(texts[0]), TEXT_MAX = 256 };

static const char **
text_at(struct store_filter *f, unsigned i)
{
	return (const char **)((char *)f + texts[i].off);
}

/* One parameter. 0, -EINVAL (wrong value), -ENOENT (no such parameter). */
static int
take_text(struct proto_filter *p, const char *key, const json_t *v)
{
	for (unsigned i = 0; i < N_TEXTS; i++) {
		const char *s = json_string_value(v);
		if (strcmp(key, texts[i].key) != 0)
			continue;
		if (!s || strlen(s) > TEXT_MAX || *text_at(&p->f, i))
			return -EINVAL;
		if (strcmp(key, "host") == 0 && !proto_host_ok(s))
			return -EINVAL;
		*text_at(&p->f, i) = strdup(s);
		return *text_at(&p->f, i) ? 0 : -ENOMEM;
	}
	return -ENOENT;
}

static int
take_number(struct proto_filter *p, const char *key, const json_t *v)
{
	json_int_t n = json_integer_value(v);
	bool page = strcmp(key, "page") == 0;

	if (!page && strcmp(key, "limit") != 0)
		return -ENOENT;
	if (!json_is_integer(v) || n < 0 || (page && (n < 1 || n > PROTO_PAGE_MAX)))
		return -EINVAL;
	if (page)
		p->page = (unsigned)n;
	else
		p->f.limit = (uint64_t)n;
	return 0;
}

static int
take_word(struct proto_filter *p, const char *key, const json_t *v)
{
	const char *s = json_string_value(v);

	if (strcmp(key, "forwarders") == 0) {
		p->f.forwarders = json_is_true(v);
		return json_is_boolean(v) ? 0 : -EINVAL;
	}
	if (!s)
		return -EINVAL;
	if (strcmp(key, "function") == 0)
		return (p->f.function = sig_function_parse(s)) != SIG_FN_NONE ? 0 : -EINVAL;
	if (strcmp(key, "min_confidence") == 0)
		return (p->f.min_confidence = sig_confidence_parse(s)) != SIG_CONF_NONE ? 0
											: -EINVAL;
	if (strcmp(key, "since") == 0)
		return proto_time_parse(s, &p->f.since_us);
	if (strcmp(key, "until") == 0)
		return proto_time_parse(s, &p->f.until_us);
	if (strcmp(key, "cursor") == 0) {
		if (strlen(s) >= sizeof(p->cursor))
			return -EINVAL;
		strcpy(p->cursor, s);
		return 0;
	}
	return -ENOENT;
}

int
proto_filter_parse(const json_t *params, struct proto_filter *ret, char why[static 128])
{
	struct proto_filter p = { .page = PROTO_PAGE_DEFAULT };
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)params, key, v)
	{
		int err = take_text(&p, key, v);
		if (err == -ENOENT)
			err = take_number(&p, key, v);
		if (err == -ENOENT)
			err = take_word(&p, key, v);
		if (err < 0) {
			snprintf(why, 128, "%s parameter \"%.40s\"",
			    err == -ENOENT ? "unknown" : "wrong value of", key);
			proto_filter_free(&p);
			return err == -ENOMEM ? err : -EINVAL;
		}
	}
	*ret = p;
	return 0;
}

void
proto_filter_free(struct proto_filter *filter)
{
	if (!filter)
		return;
	for (unsigned i = 0; i < N_TEXTS; i++) {
		free((char *)*text_at(&filter->f, i));
		*text_at(&filter->f, i) = NULL;
	}
}

static void
set_time(json_t *o, const char *key, uint64_t us)
{
	char text[PROTO_TIME_LEN];

	if (us == 0)
		return;
	proto_time_format(us, text);
	json_object_set_new(o, key, json_string(text));
}

json_t *
proto_filter_json(const struct store_filter *f, const char *cursor, unsigned page)
{
	json_t *o = json_object();

	if (!o)
		return NULL;
	for (unsigned i = 0; i < N_TEXTS; i++)
		if (*text_at((struct store_filter *)f, i))
			json_object_set_new(
			    o, texts[i].key, json_string(*text_at((struct store_filter *)f, i)));
	if (f->function != SIG_FN_NONE)
		json_object_set_new(o, "function", json_string(sig_function_name(f->function)));
	if (f->min_confidence != SIG_CONF_NONE)
		json_object_set_new(
		    o, "min_confidence", json_string(sig_confidence_name(f->min_confidence)));
	set_time(o, "since", f->since_us);
	set_time(o, "until", f->until_us);
	if (f->forwarders)
		json_object_set_new(o, "forwarders", json_true());
	if (f->limit > 0)
		json_object_set_new(o, "limit", json_integer((json_int_t)f->limit));
	if (cursor && *cursor)
		json_object_set_new(o, "cursor", json_string(cursor));
	if (page > 0)
		json_object_set_new(o, "page", json_integer(page));
	return o;
}

/* Is text the whole of `want`, or one of its comma-separated words? Any case. */
static bool
wanted(const char *want, const char *text, size_t len)
{
	if (strlen(want) == len && strncasecmp(want, text, len) == 0)
		return true;
	for (const char *w = want; strchr(want, ','); w++) {
		size_t n = strcspn(w, ",");
		if (n == len && n > 0 && strncasecmp(w, text, n) == 0)
			return true;
		w += n;
		if (*w == '\0')
			return false;
	}
	return false;
}

/* "want" is an id or a name, any case; a row may lack either. */
static bool
either(const char *want, const char *a, const char *b)
{
	return !want || (a && wanted(want, a, strlen(a))) || (b && wanted(want, b, strlen(b)));
}

bool
proto_filter_row(const struct store_filter *f, const struct store_row *row)
{
	if (row->forwarder && !f->forwarders)
		return false;
	if (f->sensor && strcmp(f->sensor, "*") != 0 &&
	    (!row->sensor || strcmp(f->sensor, row->sensor)))
		return false;
	if ((f->function && row->function != f->function) || row->confidence < f->min_confidence)
		return false;
	if ((f->since_us && row->last_seen_us < f->since_us) ||
	    (f->until_us && row->first_seen_us > f->until_us))
		return false;
	return either(f->vendor, row->vendor_id, row->vendor) &&
	       either(f->product, row->product_id, row->product) &&
	       either(f->country, row->country, NULL) && either(f->category, row->category, NULL) &&
	       (!f->host || (row->host && proto_host_match(f->host, row->host)));
}

static bool
text_is(const struct clf_event *e, struct clf_str s, const char *want)
{
	return s.len > 0 && wanted(want, (const char *)clf_event_str(e, s), s.len);
}

static bool
record_host(const char *host, const struct clf_event *e)
{
	char ip[INET6_ADDRSTRLEN];

	proto_addr_text(e, false, ip);
	if (proto_host_match(host, ip))
		return true;
	proto_addr_text(e, true, ip);
	return proto_host_match(host, ip);
}

bool
proto_filter_record(const struct store_filter *f, const struct clf_event *e, const char *sensor)
{
	if (f->sensor && strcmp(f->sensor, "*") != 0 && (!sensor || strcmp(f->sensor, sensor) != 0))
		return false;
	if ((f->function && e->function != f->function) || e->confidence < f->min_confidence)
		return false;
	if ((f->since_us && e->last_us < f->since_us) || (f->until_us && e->first_us > f->until_us))
		return false;
	if (f->vendor && !text_is(e, e->vendor_id, f->vendor) && !text_is(e, e->vendor, f->vendor))
		return false;
	if (f->product && !text_is(e, e->product_id, f->product) &&
	    !text_is(e, e->product, f->product))
		return false;
	if ((f->country && !text_is(e, e->country, f->country)) ||
	    (f->category && !text_is(e, e->category, f->category)))
		return false;
	return !f->host || record_host(f->host, e);
}

/* Address and prefix length of "a", "a/n". False when it is neither. */
static bool
network(const char *s, uint8_t addr[16], int *ret_family, unsigned *ret_prefix)
{
	char ip[INET6_ADDRSTRLEN];
	const char *slash = strchr(s, '/');
	size_t n = slash ? (size_t)(slash - s) : strlen(s);

	if (n == 0 || n >= sizeof(ip))
		return false;
	memcpy(ip, s, n);
	ip[n] = '\0';
	*ret_family = strchr(ip, ':') ? AF_INET6 : AF_INET;
	unsigned max = *ret_family == AF_INET6 ? 128 : 32, prefix = max;
	if (inet_pton(*ret_family, ip, addr) != 1)
		return false;
	if (slash) {
		char *end;
		if (slash[1] < '0' || slash[1] > '9')
			return false;
		prefix = (unsigned)strtoul(slash + 1, &end, 10);
		if (*end || prefix > max || end - slash > 4)
			return false;
	}
	*ret_prefix = prefix;
	return true;
}

bool
proto_host_ok(const char *host)
{
	uint8_t addr[16];
	int family;
	unsigned prefix;

	return network(host, addr, &family, &prefix);
}

bool
proto_host_match(const char *host, const char *address)
{
	uint8_t want[16], got[16];
	int want_family, got_family;
	unsigned prefix, whole;

	if (!network(host, want, &want_family, &prefix) ||
	    !network(address, got, &got_family, &whole) || want_family != got_family)
		return false;
	unsigned bytes = prefix / 8, bits = prefix % 8;
	if (memcmp(want, got, bytes) != 0)
		return false;
	return bits == 0 || ((want[bytes] ^ got[bytes]) >> (8 - bits)) == 0;
}
