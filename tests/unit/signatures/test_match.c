/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signatures/compile*.c, table.c, match.c, ruleset.c: each matcher of the README's table, the
 * order of "Which one wins", grades and caps, exceptions, dates, look-alikes.
 */
#include <arpa/inet.h>

#include "pack_text.h"
#include "signatures/base/text.h"

enum { DAY = 20260701 };

static const char head[] =
    "format: 1\npack: t\nversion: '1'\nvendor: {name: T, owner: O, country: "
    "US, as_of: 2026-01-01, source: x}\nproducts: [{id: p, name: P, category: "
    "av}]\nsignatures:\n";

/* One signature, its keys in flow style. */
#define SIG(id, function, confidence, rest)                                            \
	"  - {id: " id ", product: p, function: " function ", confidence: " confidence \
	", source: x, reviewed: 2026-01-01, " rest "}\n"

static struct sig_ruleset *rules;
static struct sig_scratch *scratch;

static void
use(const char *signatures)
{
	char *text = NULL;

	sig_scratch_free(scratch);
	sig_ruleset_free(rules);
	assert_true(asprintf(&text, "%s%s", head, signatures) > 0);
	rules = rules_at(text, DAY);
	free(text);
	scratch = NULL;
	assert_int_equal(sig_scratch_new(rules, &scratch), 0);
}

static int
done(void **state)
{
	(void)state;
	sig_scratch_free(scratch);
	sig_ruleset_free(rules);
	scratch = NULL;
	rules = NULL;
	return 0;
}

struct flow {
	struct sig_fact f[16];
	unsigned n;
};

static void
see(struct flow *flow, enum sig_field field, const void *value, size_t len)
{
	flow->f[flow->n] = (struct sig_fact){
		.value = value, .len = (uint16_t)len, .field = (uint8_t)field, .packet = flow->n + 1
	};
	flow->n++;
}

static void
text(struct flow *flow, enum sig_field field, const char *value)
{
	see(flow, field, value, strlen(value));
}

static const char *
id_of(const struct sig_hit *hit)
{
	return strchr(sig_ruleset_info(rules, hit->sig)->id, '/') + 1;
}

/* The hits' ids, best first, with their confidence: "a:certain b:strong"; "" for none. */
static const char *
hits(const struct flow *flow)
{
	static char out[512];
	struct sig_result r, again;
	struct flow turned = { .n = flow->n };
	size_t n = 0;

	sig_match(rules, scratch, flow->f, flow->n, &r);
	out[0] = '\0';
	for (unsigned i = 0; i < r.n_hits; i++)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%s:%s", i ? " " : "",
		    id_of(&r.hits[i]), sig_confidence_name(r.hits[i].confidence));
	/* The order of facts is nothing. */
	for (unsigned i = 0; i < flow->n; i++)
		turned.f[i] = flow->f[flow->n - 1 - i];
	sig_match(rules, scratch, turned.f, turned.n, &again);
	assert_int_equal(again.n_hits, r.n_hits);
	for (unsigned i = 0; i < r.n_hits; i++) {
		assert_int_equal(again.hits[i].sig, r.hits[i].sig);
		assert_int_equal(again.hits[i].confidence, r.hits[i].confidence);
		assert_int_equal(again.hits[i].n_facts, r.hits[i].n_facts);
	}
	return out;
}

static const char *
one(enum sig_field field, const char *value)
{
	struct flow flow = { 0 };

	text(&flow, field, value);
	return hits(&flow);
}

static const char *
named(const char *name)
{
	return one(SIG_F_TLS_SNI, name);
}

static void
name_fields(void **state)
{
	(void)state;
	use(SIG("any", "update", "high", "match: [{host: any.v.com}]")
		SIG("sni", "update", "high", "match: [{sni: s.v.com}]")
		    SIG("http", "update", "high", "match: [{http_host: h.v.com}]")
			SIG("q", "update", "high", "match: [{qname: q.v.com}]")
			    SIG("cert", "update", "high", "match: [{cert_name: c.v.com}]"));
	for (unsigned f = SIG_F_TLS_SNI; f <= SIG_F_NAME_LAST; f++) {
		static const char *const grade[] = { "", "any:certain", "any:certain",
			"any:certain", "any:certain", "any:certain", "any:certain", "any:strong",
			"any:inferred" };

		assert_string_equal(one(f, "any.v.com"), grade[f]);
		assert_string_equal(one(f, "s.v.com"), f <= SIG_F_QUIC_SNI ? "sni:certain" : "");
		assert_string_equal(one(f, "h.v.com"),
		    f >= SIG_F_HTTP_CONNECT && f <= SIG_F_HTTP_HOST ? "http:certain" : "");
		assert_string_equal(one(f, "q.v.com"), f == SIG_F_DNS_QNAME ? "q:certain" : "");
		assert_string_equal(one(f, "c.v.com"), f == SIG_F_TLS_CERT ? "cert:strong" : "");
	}
}

static void
look_alikes(void **state)
{
	static const char *const strangers[] = { "notcrowdstrike.com",
		"crowdstrike.com.evil.example", "kaspersky.blog.example", "crowdstrike.co",
		"crowdstrike.comm", "rowdstrike.com", "xn--crowdstrke-2db.com", "crowdstrike.com-",
		"crowdstrike", "com", "a", "-", "_._", "ccrowdstrike.com", "www-crowdstrike.com",
		"cloudsink.net.crowdstrike.co" };

	(void)state;
	use(SIG("zone", "mixed", "high", "match: [{host: .crowdstrike.com}]")
		SIG("k", "mixed", "high", "match: [{host: '*.kaspersky.com'}]"));
	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
		assert_string_equal(named(strangers[i]), "");
	assert_string_equal(named("crowdstrike.com"), "zone:certain");
	assert_string_equal(named("a.b.c.d.e.f.crowdstrike.com"), "zone:certain");
}

/* Bytes that are no canonical name match no suffix, and nothing is read past the end. */
static void
hostile_names(void **state)
{
	static const char *const bad[] = { "a..crowdstrike.com", ".crowdstrike.com",
		"crowdstrike.com.", "A.crowdstrike.com", "a b.crowdstrike.com",
		"\x80.crowdstrike.com", "a/.crowdstrike.com", "a{.crowdstrike.com",
		"a`.crowdstrike.com", "a@.crowdstrike.com", "a:.crowdstrike.com",
		"*.crowdstrike.com", "..crowdstrike.com", "." };
	char longest[400];
	struct flow flow = { 0 };

	(void)state;
	use(SIG("zone", "mixed", "high", "match: [{host: .crowdstrike.com}]"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_string_equal(named(bad[i]), "");
	see(&flow, SIG_F_TLS_SNI, "x\0.crowdstrike.com", 18);
	assert_string_equal(hits(&flow), "");
	memset(longest, 'a', sizeof(longest));
	memcpy(longest + 63, ".crowdstrike.com", 17);
	assert_string_equal(named(longest), "zone:certain");
	memset(longest, 'a', sizeof(longest));
	memcpy(longest + 64, ".crowdstrike.com", 17);
	assert_string_equal(named(longest), "");
	/* 127 labels, and one byte too many. */
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = i % 2 ? '.' : 'a';
	memcpy(longest + 253 - 16, ".crowdstrike.com", 17);
	longest[236] = 'a';
	assert_int_equal(strlen(longest), 253);
	longest[235] = '.';
	assert_string_equal(named(longest), "zone:certain");
	flow.n = 0;
	see(&flow, SIG_F_TLS_SNI, longest, 254);
	see(&flow, SIG_F_TLS_SNI, longest, 0);
	see(&flow, SIG_F_MAX, longest, 5);
	see(&flow, SIG_F_NONE, longest, 5);
	see(&flow, 200, longest, 5);
	see(&flow, SIG_F_ADDRESS, longest, 5);
	assert_string_equal(hits(&flow), "");
}

static void
which_wins(void **state)
{
	(void)state;
	use(SIG("exact", "update", "low", "match: [{host: a.b.v.com}]")
		SIG("wild-long", "update", "high", "match: [{host: 'a*.b.v.com'}]")
		    SIG("wild", "update", "high", "match: [{host: '*.b.v.com'}]")
			SIG("deep", "update", "high", "match: [{host: .b.v.com}]")
			    SIG("apex", "update", "high", "match: [{host: .v.com}]"));
	assert_string_equal(named("a.b.v.com"),
	    "exact:inferred wild-long:certain wild:certain deep:certain apex:certain");
	/* More kinds, then confidence, then portals last, then the id. */
	use(SIG("d-two", "update", "low", "match: [{host: x.v.com, port: tcp/443}]")
		SIG("c-high", "update", "high", "match: [{sni: x.v.com}]")
		    SIG("b-medium", "update", "medium", "match: [{host: x.v.com}]")
			SIG("a-portal", "portal", "medium", "match: [{host: x.v.com}]")
			    SIG("bb-medium", "mixed", "medium", "match: [{host: x.v.com}]"));
	struct flow flow = { 0 };

	text(&flow, SIG_F_TLS_SNI, "x.v.com");
	text(&flow, SIG_F_PORT, "tcp/443");
	assert_string_equal(hits(&flow), "d-two:inferred c-high:certain b-medium:strong "
					 "bb-medium:strong a-portal:strong");
}

static void
more_than_kept(void **state)
{
	char many[4000] = "";

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		char sig[256];

		snprintf(sig, sizeof(sig),
		    SIG("s%02u", "update", "high", "match: [{host: x.v.com}]"), 11 - i);
		strcat(many, sig);
	}
	use(many);
	assert_string_equal(named("x.v.com"), "s00:certain s01:certain s02:certain s03:certain "
					      "s04:certain s05:certain s06:certain s07:certain");
}

static void
texts(void **state)
{
	struct flow flow = { 0 };

	(void)state;
	use(SIG("path", "update", "high", "match: [{path: /defs.v1/}]") SIG("pathre", "update",
	    "high", "match: [{path: 're:^/u/[0-9]+\\.bin$'}]") SIG("ua", "update", "high",
	    "match: [{user_agent: [Agent (x), 're:(?i)other/[0-9]']}]") SIG("both", "update",
	    "high", "match: [{host: dl.v.com, path: /pkg/, user_agent: Fetch}]")
		SIG("issuer", "update", "high", "match: [{issuer: 'O=Vendor, Inc.'}]")
		    SIG("subject", "update", "high", "match: [{subject: CN=box}]"));
	assert_string_equal(one(SIG_F_HTTP_PATH, "/defs.v1/x"), "path:certain");
	assert_string_equal(one(SIG_F_HTTP_PATH, "/defsXv1/x"), "");
	assert_string_equal(one(SIG_F_HTTP_PATH, "/a/defs.v1/x"), "");
	assert_string_equal(one(SIG_F_HTTP_PATH, "/u/12.bin"), "pathre:certain");
	assert_string_equal(one(SIG_F_HTTP_PATH, "/u/12.binx"), "");
	assert_string_equal(one(SIG_F_USER_AGENT, "My Agent (x) 1"), "ua:certain");
	assert_string_equal(one(SIG_F_USER_AGENT, "OTHER/3"), "ua:certain");
	assert_string_equal(one(SIG_F_USER_AGENT, "agent (x)"), "");
	assert_string_equal(one(SIG_F_CERT_ISSUER, "CN=y, O=Vendor, Inc., C=US"), "issuer:strong");
	assert_string_equal(one(SIG_F_CERT_SUBJECT, "CN=box"), "subject:strong");
	assert_string_equal(one(SIG_F_CERT_SUBJECT, "O=Vendor, Inc."), "");
	text(&flow, SIG_F_HTTP_HOST, "dl.v.com");
	text(&flow, SIG_F_HTTP_PATH, "/pkg/1");
	assert_string_equal(hits(&flow), "");
	text(&flow, SIG_F_USER_AGENT, "Fetch/1");
	assert_string_equal(hits(&flow), "both:certain");
	/* Nothing is remembered from one match to the next. */
	assert_string_equal(one(SIG_F_HTTP_HOST, "dl.v.com"), "");
	assert_string_equal(one(SIG_F_TLS_SNI, "dl.v.com"), "");
}

static void
evidence(void **state)
{
	struct flow flow = { 0 };
	struct sig_result r;

	(void)state;
	use(SIG("both", "update", "high", "match: [{host: .v.com, path: /pkg/, port: tcp/80}]"));
	text(&flow, SIG_F_USER_AGENT, "x");
	text(&flow, SIG_F_DNS_MEMORY, "dl.v.com");
	text(&flow, SIG_F_PORT, "tcp/80");
	text(&flow, SIG_F_HTTP_PATH, "/pkg/1");
	text(&flow, SIG_F_HTTP_HOST, "dl.v.com");
	sig_match(rules, scratch, flow.f, flow.n, &r);
	assert_int_equal(r.n_hits, 1);
	assert_int_equal(r.hits[0].n_facts, 3);
	/* Of two names that fit, the one read in the flow is shown. */
	assert_int_equal(r.hits[0].facts[0], 4);
	assert_int_equal(r.hits[0].facts[1], 3);
	assert_int_equal(r.hits[0].facts[2], 2);
	assert_int_equal(r.hits[0].confidence, SIG_CONF_CERTAIN);
}

static void
digests(void **state)
{
	(void)state;
	use(SIG("alpn", "update", "high", "match: [{alpn: [vnd1, vnd2]}]") SIG(
	    "ja3", "update", "high", "match: [{ja3: 0123456789abcdef0123456789abcdef}]")
		SIG("ja4", "update", "high", "match: [{ja4: t13d1516h2_8daaf6152771_b186095e22b6}]")
		    SIG("ndpi", "update", "guess", "match: [{ndpi: FortiClient}]")
			SIG("port", "update", "guess", "match: [{port: udp/8888}]"));
	assert_string_equal(one(SIG_F_ALPN, "vnd2"), "alpn:strong");
	assert_string_equal(one(SIG_F_ALPN, "vnd"), "");
	assert_string_equal(one(SIG_F_ALPN, "vnd22"), "");
	assert_string_equal(one(SIG_F_JA3, "0123456789abcdef0123456789abcdef"), "ja3:strong");
	assert_string_equal(one(SIG_F_JA4, "0123456789abcdef0123456789abcdef"), "");
	assert_string_equal(one(SIG_F_JA4, "t13d1516h2_8daaf6152771_b186095e22b6"), "ja4:strong");
	assert_string_equal(one(SIG_F_NDPI, "TLS.FortiClient"), "ndpi:guess");
	assert_string_equal(one(SIG_F_NDPI, "forticlient"), "ndpi:guess");
	assert_string_equal(one(SIG_F_NDPI, "FortiClient.TLS"), "ndpi:guess");
	assert_string_equal(one(SIG_F_NDPI, "TLS.Forti"), "");
	assert_string_equal(one(SIG_F_PORT, "udp/8888"), "port:guess");
	assert_string_equal(one(SIG_F_PORT, "tcp/8888"), "");
	assert_string_equal(one(SIG_F_ALPN, "udp/8888"), "");
}

static const char *
address(const char *a)
{
	uint8_t bytes[16];
	struct flow flow = { 0 };
	int v6 = strchr(a, ':') != NULL;

	assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, a, bytes), 1);
	see(&flow, SIG_F_ADDRESS, bytes, v6 ? 16 : 4);
	return hits(&flow);
}

static void
addresses(void **state)
{
	struct flow flow = { 0 };

	(void)state;
	use(SIG("a-wide", "update", "high", "match: [{address: 198.51.0.0/16}]") SIG(
	    "b-odd", "update", "high", "match: [{address: [198.51.100.64/26, 203.0.113.7]}]")
		SIG("c-six", "update", "high", "match: [{address: '2001:db8:8000::/33'}]") SIG(
		    "d-and", "update", "high", "match: [{address: 192.0.2.0/25, port: tcp/541}]")
		    SIG("e-short", "update", "high", "match: [{address: 100.64.0.0/10}]"));
	assert_string_equal(address("198.51.100.63"), "a-wide:inferred");
	assert_string_equal(address("198.51.100.64"), "a-wide:inferred b-odd:inferred");
	assert_string_equal(address("198.51.100.127"), "a-wide:inferred b-odd:inferred");
	assert_string_equal(address("198.51.100.128"), "a-wide:inferred");
	assert_string_equal(address("198.52.0.0"), "");
	assert_string_equal(address("203.0.113.7"), "b-odd:inferred");
	assert_string_equal(address("203.0.113.6"), "");
	assert_string_equal(address("2001:db8:8000::1"), "c-six:inferred");
	assert_string_equal(address("2001:db8:7fff::1"), "");
	assert_string_equal(address("192.0.2.1"), "");
	assert_string_equal(address("100.63.255.255"), "");
	assert_string_equal(address("100.64.0.0"), "e-short:inferred");
	assert_string_equal(address("100.127.255.255"), "e-short:inferred");
	assert_string_equal(address("100.128.0.0"), "");
	see(&flow, SIG_F_ADDRESS, "\xc0\x00\x02\x7f", 4);
	text(&flow, SIG_F_PORT, "tcp/541");
	assert_string_equal(hits(&flow), "d-and:inferred");
	flow.f[0].value = (const uint8_t *)"\xc0\x00\x02\x80";
	assert_string_equal(hits(&flow), "");
}

/* Prefixes of fewer bits than addresses are parted by. */
static void
short_prefixes(void **state)
{
	(void)state;
	use(SIG("eight", "update", "high", "match: [{address: 11.0.0.0/8}]")
		SIG("six", "update", "high", "match: [{address: '2001:d80::/26'}]"));
	assert_string_equal(address("10.255.255.255"), "");
	assert_string_equal(address("11.0.0.0"), "eight:inferred");
	assert_string_equal(address("11.255.255.255"), "eight:inferred");
	assert_string_equal(address("12.0.0.0"), "");
	assert_string_equal(address("2001:d80::1"), "six:inferred");
	assert_string_equal(address("2001:dbf:ffff::1"), "six:inferred");
	assert_string_equal(address("2001:dc0::1"), "");
	assert_string_equal(address("2001:d7f::1"), "");
}

static void
payloads(void **state)
{
	struct flow flow = { 0 };

	(void)state;
	use(SIG("up", "update", "high", "match: [{payload: [{offset: 2, hex: 'de \?\? 0a'}]}]")
		SIG("down", "update", "high", "match: [{payload: [{text: HELO, dir: down}]}]") SIG(
		    "two", "update", "high",
		    "match: [{payload: [{hex: '01 00'}, {offset: 8, hex: 'ff'}], port: udp/53}]"));
	see(&flow, SIG_F_PAYLOAD, "xx\xde\n\nrest", 9);
	assert_string_equal(hits(&flow), "up:strong");
	flow.f[0].value = (const uint8_t *)"xxx\xde\n\nrest";
	assert_string_equal(hits(&flow), "");
	flow.f[0].value = (const uint8_t *)"xx\xde\n\n";
	flow.f[0].len = 4;
	assert_string_equal(hits(&flow), "");
	assert_string_equal(one(SIG_F_PAYLOAD_DOWN, "HELO you"), "down:strong");
	assert_string_equal(one(SIG_F_PAYLOAD, "HELO you"), "");
	flow.n = 0;
	see(&flow, SIG_F_PAYLOAD, "\x01\0......\xff", 9);
	assert_string_equal(hits(&flow), "");
	text(&flow, SIG_F_PORT, "udp/53");
	assert_string_equal(hits(&flow), "two:strong");
	flow.f[0].len = 8;
	assert_string_equal(hits(&flow), "");
}

static void
exceptions(void **state)
{
	struct flow flow = { 0 };

	(void)state;
	use(SIG("zone", "update", "high",
	    "match: [{host: .v.com}], except: [{host: [www.v.com, '.blog.v.com']}, "
	    "{host: .ads.v.com, port: tcp/80}, {user_agent: Mozilla}]"));
	assert_string_equal(named("a.v.com"), "zone:certain");
	assert_string_equal(named("www.v.com"), "");
	assert_string_equal(named("x.blog.v.com"), "");
	assert_string_equal(named("x.ads.v.com"), "zone:certain");
	text(&flow, SIG_F_TLS_SNI, "x.ads.v.com");
	text(&flow, SIG_F_PORT, "tcp/80");
	assert_string_equal(hits(&flow), "");
	/* The certificate's other names do not excuse the name that was asked for. */
	flow.n = 0;
	text(&flow, SIG_F_TLS_SNI, "agent.v.com");
	text(&flow, SIG_F_TLS_CERT, "www.v.com");
	assert_string_equal(hits(&flow), "zone:certain");
	text(&flow, SIG_F_USER_AGENT, "Mozilla/5.0");
	assert_string_equal(hits(&flow), "");
}

static void
dates(void **state)
{
	(void)state;
	use(SIG("over", "update", "high", "match: [{host: a.v.com}], valid: {until: 2026-06-30}")
		SIG("last-day", "update", "high",
		    "match: [{host: b.v.com}], valid: {from: 2026-01-01, until: 2026-07-01}")
		    SIG("not-yet", "update", "high",
			"match: [{host: c.v.com}], valid: {from: 2026-07-02}"));
	assert_string_equal(named("a.v.com"), "");
	assert_string_equal(named("b.v.com"), "last-day:certain");
	assert_string_equal(named("c.v.com"), "");
	assert_int_equal(sig_ruleset_count(rules), 3);
	for (uint32_t i = 1; i <= 3; i++) {
		const struct sig_info *info = sig_ruleset_info(rules, i);

		assert_int_equal(info->active, strcmp(info->id, "t/last-day") == 0);
	}
}

static void
about(void **state)
{
	const struct sig_info *i;
	struct sig_ruleset *other;

	(void)state;
	use(SIG("s", "cloud-lookup", "medium",
	    "match: [{host: a.v.com, port: tcp/1}], except: [{ndpi: DNS}], note: why, shared: "
	    "true, "
	    "oem: true, artefact: true"));
	i = sig_ruleset_info(rules, 1);
	assert_string_equal(i->id, "t/s");
	assert_string_equal(i->vendor, "T");
	assert_string_equal(i->owner, "O");
	assert_string_equal(i->owner_country, "US");
	assert_string_equal(i->product, "P");
	assert_string_equal(i->category, "av");
	assert_string_equal(i->note, "why");
	assert_int_equal(i->function, SIG_FN_CLOUD_LOOKUP);
	assert_int_equal(i->cap, SIG_CONF_STRONG);
	assert_true(i->shared && i->oem && i->policy_artefact && i->active);
	assert_null(sig_ruleset_info(rules, 0));
	assert_null(sig_ruleset_info(rules, 2));
	assert_string_equal(sig_ruleset_origin(rules), "folder");
	assert_int_equal(strlen(sig_ruleset_digest(rules)), 64);
	assert_int_equal(sig_ruleset_fields(rules),
	    ((2U << SIG_F_NAME_LAST) - 2) | 1U << SIG_F_PORT | 1U << SIG_F_NDPI);
	other = rules_at(good_pack, DAY);
	assert_string_not_equal(sig_ruleset_digest(rules), sig_ruleset_digest(other));
	sig_ruleset_free(other);
	sig_ruleset_free(NULL);
	sig_scratch_free(NULL);
}

/* A scratch grows for a newer rule set, and still serves the older one. */
static void
refit(void **state)
{
	struct sig_scratch *s = NULL;
	struct sig_ruleset *small, *large;
	struct sig_fact f = { (const uint8_t *)"Agent", 5, SIG_F_USER_AGENT, 1 };
	struct sig_result r;

	(void)state;
	small = rules_at(good_pack, DAY);
	char *bent = bent_pack("- host: a.vendor.com", "- user_agent: [x1, x2, x3, Agent]");
	large = rules_at(bent, DAY);
	assert_int_equal(sig_scratch_new(small, &s), 0);
	assert_int_equal(sig_scratch_fit(s, large), 0);
	sig_match(large, s, &f, 1, &r);
	assert_int_equal(r.n_hits, 1);
	sig_match(small, s, &f, 1, &r);
	assert_int_equal(r.n_hits, 0);
	sig_match_name(small, s, "a.vendor.com", 12, &r);
	assert_int_equal(r.n_hits, 1);
	sig_scratch_free(s);
	sig_ruleset_free(small);
	sig_ruleset_free(large);
	free(bent);
}

/* The table with many keys, long ones and shared ones among them, against a plain search. */
static void
many(void **state)
{
	enum { N = 3000 };
	char *text_ = NULL, name[256];
	size_t len;
	FILE *f = open_memstream(&text_, &len);

	(void)state;
	for (unsigned i = 0; i < N; i++)
		fprintf(f,
		    SIG("s%u", "update", "high",
			"match: [{host: [h%u.%s.v%u.com, '.z%u.net', 'p%u-*.shared.org']}]"),
		    i, i, i % 3 ? "x" : "a-label-that-makes-the-key-longer-than-a-node", i % 50, i,
		    i);
	fclose(f);
	use(text_);
	free(text_);
	for (unsigned i = 0; i < N; i++) {
		char want[32];

		snprintf(want, sizeof(want), "s%u:certain", i);
		snprintf(name, sizeof(name), "h%u.%s.v%u.com", i,
		    i % 3 ? "x" : "a-label-that-makes-the-key-longer-than-a-node", i % 50);
		assert_string_equal(named(name), want);
		snprintf(name, sizeof(name), "q.r.z%u.net", i);
		assert_string_equal(named(name), want);
		if (i % 100 == 0) {
			snprintf(name, sizeof(name), "p%u-a.shared.org", i);
			assert_string_equal(named(name), want);
		}
		snprintf(name, sizeof(name), "h%u.x.v%u.org", i, i % 50);
		assert_string_equal(named(name), "");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(name_fields),
		cmocka_unit_test(look_alikes), cmocka_unit_test(hostile_names),
		cmocka_unit_test(which_wins), cmocka_unit_test(more_than_kept),
		cmocka_unit_test(texts), cmocka_unit_test(evidence), cmocka_unit_test(digests),
		cmocka_unit_test(addresses), cmocka_unit_test(short_prefixes),
		cmocka_unit_test(payloads), cmocka_unit_test(exceptions), cmocka_unit_test(dates),
		cmocka_unit_test(about), cmocka_unit_test(refit), cmocka_unit_test(many) };

	return cmocka_run_group_tests(tests, NULL, done);
}
