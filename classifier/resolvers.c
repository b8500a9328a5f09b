/* SPDX-License-Identifier: Apache-2.0 */
/* Public resolvers over HTTPS, as their operators publish them. */
#include "classifier/resolvers.h"

#include <string.h>

/* A leading dot: the name and all below it. */
static const struct {
	const char *name;
	unsigned char len;
} resolvers[] = {
#define R(name_)                         \
	{                                \
		name_, sizeof(name_) - 1 \
	}
	R(".cloudflare-dns.com"),
	R(".dns.nextdns.io"),
	R(".dns.mullvad.net"),
	R("basic.rethinkdns.com"),
	R("dns.adguard-dns.com"),
	R("dns.adguard.com"),
	R("dns.alidns.com"),
	R("dns.controld.com"),
	R("dns.digitale-gesellschaft.ch"),
	R("dns.google"),
	R("dns.google.com"),
	R("dns.quad9.net"),
	R("dns.sb"),
	R("dns.switch.ch"),
	R("dns.twnic.tw"),
	R("dns10.quad9.net"),
	R("dns11.quad9.net"),
	R("dns64.dns.google"),
	R("dns9.quad9.net"),
	R("doh.360.cn"),
	R("doh.cleanbrowsing.org"),
	R("doh.cox.net"),
	R("doh.dns.apple.com"),
	R("doh.dns.sb"),
	R("doh.familyshield.opendns.com"),
	R("doh.li"),
	R("doh.libredns.gr"),
	R("doh.opendns.com"),
	R("doh.pub"),
	R("doh.xfinity.com"),
	R("family.adguard-dns.com"),
	R("freedns.controld.com"),
	R("max.rethinkdns.com"),
	R("one.one.one.one"),
	R("unfiltered.adguard-dns.com"),
#undef R
};

bool
clf_is_resolver(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof resolvers / sizeof resolvers[0]; i++) {
		const char *r = resolvers[i].name;
		size_t n = resolvers[i].len;

		if (r[0] != '.') {
			if (len == n && memcmp(name, r, n) == 0)
				return true;
		} else if (len == n - 1 ? memcmp(name, r + 1, len) == 0
					: len > n && memcmp(name + len - n, r, n) == 0) {
			return true;
		}
	}
	return false;
}
