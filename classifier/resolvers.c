/* SPDX-License-Identifier: Apache-2.0 */
/* Public resolvers over HTTPS, as their operators publish them. */
#include "classifier/resolvers.h"

#include <string.h>

/*
 * By the last two labels, since nearly every hello is none of these. Hosts are what stands left of
 * them: "@" the zone alone, a leading dot the name and all below it.
 */
static const struct {
	const char *zone;
	size_t len;
	const char *hosts;
} zones[] = {
#define Z(zone_, hosts_)                         \
	{                                        \
		zone_, sizeof(zone_) - 1, hosts_ \
	}
	Z("360.cn", ".doh"),
	Z("adguard-dns.com", ".dns family unfiltered"),
	Z("adguard.com", ".dns"),
	Z("alidns.com", ".dns"),
	Z("apple.com", "doh.dns"),
	Z("cleanbrowsing.org", ".doh"),
	Z("cloudflare-dns.com", "."),
	Z("controld.com", ".dns .freedns"),
	Z("cox.net", "doh"),
	Z("digitale-gesellschaft.ch", "dns"),
	Z("dns.google", "."),
	Z("dns.sb", "@ .doh"),
	Z("doh.li", "@"),
	Z("doh.pub", "."),
	Z("dot.pub", "."),
	Z("google.com", "dns"),
	Z("libredns.gr", "doh"),
	Z("mullvad.net", ".dns .doh"),
	Z("nextdns.io", ".dns"),
	Z("one.one", ".one.one"),
	Z("opendns.com", ".doh doh.familyshield"),
	Z("quad9.net", ".dns .dns9 dns10 dns11"),
	Z("rethinkdns.com", "basic max"),
	Z("switch.ch", "dns"),
	Z("twnic.tw", "dns"),
	Z("xfinity.com", ".doh"),
#undef Z
};

/* Whether what stands left of a zone, without the dot, is one of the hosts. */
static bool
is_host(const char *left, size_t len, const char *hosts)
{
	size_t n;

	for (const char *h = hosts; *h; h += n + (h[n] == ' ')) {
		n = strcspn(h, " ");
		if (n == 1 && (*h == '.' || (*h == '@' && len == 0)))
			return true;
		if (*h == '.' ? len >= n && memcmp(left + len - n, h, n) == 0
			      : len == n && memcmp(left, h, n) == 0)
			return true;
		if (*h == '.' && len == n - 1 && memcmp(left, h + 1, len) == 0)
			return true;
	}
	return false;
}

bool
clf_is_resolver(const char *name, size_t len)
{
	const char *last = memrchr(name, '.', len);
	const char *before = last ? memrchr(name, '.', (size_t)(last - name)) : NULL;
	const char *zone = before ? before + 1 : name;
	size_t n = len - (size_t)(zone - name);

	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
		if (zones[i].len == n && memcmp(zones[i].zone, zone, n) == 0)
			return is_host(name, before ? (size_t)(before - name) : 0, zones[i].hosts);
	return false;
}
