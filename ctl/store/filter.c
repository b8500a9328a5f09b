/* SPDX-License-Identifier: Apache-2.0 */
/* What a filter lets through: the same answer for rows and records, whichever backend holds them.
 */
#include "ctl/store/store_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

int
store_net_parse(const char *text, struct store_net *ret)
{
	struct store_net net = { .given = true };
	char addr[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	unsigned max, prefix;
	int used = 0;

	if (len >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, len);
	addr[len] = '\0';
	if (inet_pton(AF_INET, addr, net.addr) == 1)
		net.ip_version = 4;
	else if (inet_pton(AF_INET6, addr, net.addr) == 1)
		net.ip_version = 6;
	else
		return -EINVAL;
	max = net.ip_version == 4 ? 32 : 128;
	prefix = max;
	if (slash && (sscanf(slash + 1, "%3u%n", &prefix, &used) != 1 || slash[1 + used] != '\0' ||
			 prefix > max))
		return -EINVAL;
	net.prefix = (uint8_t)prefix;
	*ret = net;
	return 0;
}

bool
store_net_host(const struct store_net *net, char out[static 48])
{
	bool v6 = net->ip_version == 6;

	return net->given && net->prefix == (v6 ? 128 : 32) &&
	       inet_ntop(v6 ? AF_INET6 : AF_INET, net->addr, out, 48) != NULL;
}

bool
store_net_has(const struct store_net *net, uint8_t ip_version, const uint8_t *addr)
{
	unsigned whole = net->prefix / 8, rest = net->prefix % 8;

	if (!net->given)
		return true;
	if (net->ip_version != ip_version || memcmp(net->addr, addr, whole) != 0)
		return false;
	return rest == 0 || (net->addr[whole] >> (8 - rest)) == (addr[whole] >> (8 - rest));
}

bool
store_net_has_text(const struct store_net *net, const char *host)
{
	struct store_net at;

	if (!net->given)
		return true;
	return host && store_net_parse(host, &at) == 0 &&
	       store_net_has(net, at.ip_version, at.addr);
}

const char *
store_filter_sensor(const struct store *store, const struct store_filter *f)
{
	const char *sensor = f->sensor ? f->sensor : store->sensor;

	return *sensor == '\0' || strcmp(sensor, "*") == 0 ? NULL : sensor;
}

static bool
is_either(const char *want, const char *id, const char *name)
{
	return !want || (id && strcasecmp(want, id) == 0) || (name && strcasecmp(want, name) == 0);
}

bool
store_filter_row(
    const struct store_filter *f, const struct store_net *net, const struct store_row *row)
{
	if (row->flows == 0 || (row->forwarder && !f->forwarders))
		return false;
	if (f->function != 0 && f->function != row->function)
		return false;
	if (row->confidence < f->min_confidence)
		return false;
	if (f->since_us != 0 && row->last_seen_us < f->since_us)
		return false;
	if (f->until_us != 0 && row->first_seen_us > f->until_us)
		return false;
	return is_either(f->vendor, row->vendor_id, row->vendor) &&
	       is_either(f->product, row->product_id, row->product) &&
	       is_either(f->country, row->country, NULL) &&
	       is_either(f->category, row->category, NULL) && store_net_has_text(net, row->host);
}

static bool
text_is(const struct clf_event *e, struct clf_str s, const char *want)
{
	return s.len == strlen(want) &&
	       strncasecmp((const char *)clf_event_str(e, s), want, s.len) == 0;
}

bool
store_filter_event(
    const struct store_filter *f, const struct store_net *net, const struct clf_event *e)
{
	if (f->function != 0 && f->function != e->function)
		return false;
	if (e->confidence < f->min_confidence)
		return false;
	if (f->since_us != 0 && e->last_us < f->since_us)
		return false;
	if (f->until_us != 0 && e->first_us > f->until_us)
		return false;
	if (f->vendor && !text_is(e, e->vendor_id, f->vendor) && !text_is(e, e->vendor, f->vendor))
		return false;
	if (f->product && !text_is(e, e->product_id, f->product) &&
	    !text_is(e, e->product, f->product))
		return false;
	if ((f->country && !text_is(e, e->country, f->country)) ||
	    (f->category && !text_is(e, e->category, f->category)))
		return false;
	return !net->given || store_net_has(net, e->ip_version, e->src.bytes) ||
	       store_net_has(net, e->ip_version, e->dst.bytes);
}

void
store_day_text(uint64_t day, char out[static 11])
{
	time_t t = (time_t)(day > 2932896 ? 2932896 : day) * 86400; /* the last day of 9999 */
	struct tm tm;

	(void)gmtime_r(&t, &tm);
	if (strftime(out, 11, "%Y-%m-%d", &tm) == 0)
		memcpy(out, "1970-01-01", 11);
}

void
store_event_host(const struct clf_event *e, char out[static 48])
{
	bool dst = !e->src_inside && e->dst_inside;

	out[0] = '\0';
	(void)inet_ntop(
	    e->ip_version == 6 ? AF_INET6 : AF_INET, dst ? e->dst.bytes : e->src.bytes, out, 48);
}

static bool
id_text(const struct clf_event *e, struct clf_str id, struct clf_str name, char out[static 129])
{
	struct clf_str s = id.len ? id : name;
	char *clean = store_text_clean(clf_event_str(e, s), s.len, 128);

	if (!clean)
		return false;
	(void)snprintf(out, 129, "%s", clean);
	free(clean);
	return out[0] != '\0';
}

bool
store_event_ids(const struct clf_event *e, char vendor[static 129], char product[static 129])
{
	if (e->vendor.len == 0 || e->product.len == 0 || e->sig_artefact)
		return false;
	return id_text(e, e->vendor_id, e->vendor, vendor) &&
	       id_text(e, e->product_id, e->product, product);
}
