/* SPDX-License-Identifier: Apache-2.0 */
/* The list of labels, and a name held against it. */
#include "signatures/labels.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/*
 * Shapes: `*` at an end stands for any text, also none; `#` for one or more digits
 * at the end; all else is the whole label. Of two lists that know a label the earlier one has it.
 */

struct shape {
	const char *text;
	uint8_t len;
};

#define S(text)                        \
	{                              \
		text, sizeof(text) - 1 \
	}

/* Where people read, whatever stands further right; also what a mail they read leads to. */
static const struct shape pages[] = { S("www"), S("www#"), S("support"), S("*docs*"), S("doc"),
	S("help"), S("helpdesk"), S("blog"), S("blogs"), S("community"), S("communities"),
	S("partner"), S("partners"), S("careers"), S("jobs"), S("shop"), S("news"), S("press"),
	S("ir"), S("investors"), S("forum"), S("forums"), S("kb"), S("learn"), S("learning"),
	S("academy"), S("training"), S("university"), S("wiki"), S("developer"), S("developers"),
	S("my"), S("account"), S("accounts"), S("*login*"), S("signin"), S("sign-on*"),
	S("sign-in*"), S("sso"), S("marketing"), S("webinar"), S("demo"), S("trial"), S("try"),
	S("*portal*"), S("console"), S("admin"), S("ui"), S("webui"), S("video"), S("videos"),
	S("survey"), S("ideas"), S("threatmap"), S("threatcenter"), S("bugbounty"), S("guide"),
	S("documentation"), S("manual"), S("manuals"), S("bbs"), S("hub"), S("apidoc*"),
	S("releasenotes*"), S("*dashboard"), S("*-console"), S("*-admin"), S("status"), S("psirt*"),
	S("email"), S("email#"), S("email-link"), S("links"), S("click"), S("clicks"), S("mktg*"),
	{ 0 } };

/*
 * Likewise, but only in the domain of a web site: among agents these words tell nothing, or
 * something else. Browsers ask `ocsp` and `crl` of a maker of certificates for other people's
 * sites, and `matomo` and `tongji` count who reads pages.
 */
static const struct shape site_pages[] = { S("event"), S("events"), S("resources"), S("customer"),
	S("customers"), S("info"), S("go"), S("pages"), S("lp"), S("mail"), S("smtp"), S("mx#"),
	S("link"), S("track"), S("research"), S("cms"), S("metrics"), S("smetrics"), S("nsmetrics"),
	S("stats"), S("sstats"), S("analyticsssl"), S("analyticsnossl"), S("tracking"),
	S("*mailing"), S("ocsp*"), S("crl*"), S("matomo*"), S("piwik*"), S("tongji*"), S("tj"),
	S("get"), S("u"), S("redirect"), { 0 } };

/* These tell nothing there either, but what stands further right may: `static.update`. */
static const struct shape site_parts[] = { S("home"), S("store"), S("trust"), S("auth"), S("id"),
	S("secure"), S("web"), S("m"), S("app"), S("apps"), S("media"), S("img"), S("image"),
	S("images"), S("static"), S("assets"), S("labs"), S("library"), S("connect"), S("security"),
	S("search"), S("tool"), S("tools"), S("content"), S("services"), { 0 } };

/*
 * Words of pages, of sign-in and of mail, which alone tell nothing: a name that has one of them may
 * stand far below the domain and be no agent's all the same (`news.forms`). See is_deep().
 */
static const struct shape deep_pages[] = { S("form"), S("*forms"), S("campaign*"), S("eloqua"),
	S("demand"), S("insight"), S("messages"), S("social"), S("promo*"), S("landing*"),
	S("microsite*"), S("seal*"), S("*sealinfo"), S("knowledge*"), S("lms"), S("edu"),
	S("overview"), S("user"), S("users"), S("oauth*"), S("idp*"), S("saml*"), S("iam"),
	S("cas"), S("passport*"), S("assets-*"), S("*assets"), S("img*"), S("image*"), S("*-ui"),
	S("ui-*"), S("*help*"), S("*support*"), S("contact*"), S("member*"), S("profile*"),
	S("pay*"), S("order*"), S("buy*"), S("cart*"), S("checkout"), S("*shop*"), S("*store"),
	S("sales*"), S("crm"), S("*mail*"), S("autodiscover*"), S("owa"), S("ns"), S("ns#"),
	S("mx"), S("www-*"), S("*-www"), S("html*"), S("web-*"), S("*-web"), S("mobile*"), S("ads"),
	S("brand"), S("act"), S("activity"), S("topic*"), S("special*"), S("zt"), S("club"),
	S("soft"), S("book*"), S("gallery"), S("photo*"), S("share*"), S("play*"), S("ad"),
	S("ptr"), S("*spf*"), S("cluster*"), S("in"), S("in#"), S("*reinject*"), S("app#"),
	S("app-*"), { 0 } };

/* Who manages updates, or licences, asks; nothing is fetched there. */
static const struct shape managers[] = { S("*management"), S("*-mgmt"), S("osquery*"), { 0 } };

static const struct shape update[] = { S("*update*"), S("*upgrade*"), S("*download*"), S("dl"),
	S("dl#"), S("dl-*"), S("*-dl"), S("*cdn*"), S("*-dist"), S("dist"), S("dist-*"), S("*repo"),
	S("repo#"), S("repos"), S("*repository*"), S("*package*"), S("pkg"), S("pkgs"), S("patch*"),
	S("*-patch"), S("defs*"), S("definition*"), S("*signature*"), S("mirror*"), S("firmware*"),
	S("*install*"), S("distribution*"), S("ruleset*"), S("rule"), S("rules"), S("av"), S("av#"),
	S("su"), S("bits"), S("upd"), S("upd#"), S("upd-*"), S("*-upd"), S("ftp"), S("ftp#"),
	S("feed"), S("feed#"), S("feed-*"), S("*-feed"), S("feeds*"), S("yum"), S("down"),
	S("down#"), S("file"), S("file#"), S("rsync*"), S("software*"), S("offline*"),
	S("registry*"), S("*-registry"), S("docker*"), S("*artifact*"), S("charts"), S("helm"),
	S("vdb*"), S("avdb*"), S("database*"), S("db"), S("db#"), S("pattern*"), S("fw"), S("fw#"),
	S("apt"), S("rpm"), S("deb"), S("plugins"), S("up"), S("up#"), S("ota"), S("ota#"),
	S("localdb*"), S("geoip*"), S("sig"), S("sig#"), S("sigs"), S("files"), S("hotfix*"),
	S("release*"), S("engine"), S("engine#"), S("cache"), S("cache#"), S("*-cache"), S("rpz*"),
	S("content"), S("content#"), S("*-content"), S("contents"), S("sdl"), S("sdl#"),
	S("*-feeds"), S("*-sigs"), S("*-defs"), S("modules"), S("*updt*"), S("get"), S("dnl*"),
	S("pkg-*"), S("*-repo"), S("repo-*"), S("tuf"), S("version*"), S("avup*"), S("builds"),
	S("disthost*"), S("*ftp"), S("suricata*"), S("notary*"), S("*-db"), S("*ipdb"),
	S("freshclam"), S("binaries"), S("filestore*"), S("blocklist*"), S("denylist*"), S("u"),
	{ 0 } };

static const struct shape licensing[] = { S("*licen*"), S("lic"), S("lic#"), S("*activat*"),
	S("entitle*"), S("register"), S("registration"), S("registration-*"), S("keystone"),
	S("subscription*"), S("*billing*"), S("expire*"), S("*coverage*"), { 0 } };

static const struct shape crash_report[] = { S("*crash*"), S("*dump*"), S("fault*"),
	S("bugreport*"), S("sentry*"), { 0 } };

static const struct shape cloud_lookup[] = { S("*lookup*"), S("*reput*"), S("rep"), S("*-rep"),
	S("*filerep*"), S("*urlrep*"), S("apkrep*"), S("domrep*"), S("iprep*"), S("*-orsp"),
	S("orsp*"), S("*query*"), S("*threatcloud*"), S("*sandbox*"), S("*rating*"), S("*categor*"),
	S("*urlfilter*"), S("*url-*"), S("scan"), S("*cloudscan*"), S("verdict*"), S("classif*"),
	S("dnsbl*"), S("rbl*"), S("url"), S("url#"), S("doh"), S("doh#"), S("*-doh"), S("dns"),
	S("dns#"), S("dns-*"), S("*-dns"), S("*census*"), S("asn"), S("resolver*"), S("*intel"),
	S("*intelligence*"), S("ioc*"), S("*phish*"), S("*spam*"), S("safebrowsing*"), S("webrep*"),
	S("blacklist*"), S("whitelist*"), S("hash*"), S("grid*"), S("*webfilter*"),
	S("*contentfilter*"), S("*content-filter*"), S("gti"), S("gti-*"), S("ti"), S("urlcloud*"),
	S("urlinfo*"), S("*web-filter*"), S("geolocation*"), S("smartscreen*"), S("*sdns"),
	S("*edns"), S("antimalware*"), S("dnscrypt*"), S("bl"), S("bl#"), S("whois*"),
	S("urldetect*"), S("threat-emulation*"), S("analyz*"), S("*detonat*"), S("ip-info"),
	S("ipinfo*"), S("checkip*"), S("geo"), S("geo-*"), S("surbl*"), S("uribl*"), S("sbl"),
	S("xbl"), S("fuzzy*"), S("urlcheck*"), { 0 } };

static const struct shape telemetry[] = { S("*telemetry*"), S("*feedback*"), S("*event*"),
	S("*ingest*"), S("*collect*"), S("log"), S("log#"), S("logs*"), S("*-log*"), S("*metric*"),
	S("*stats*"), S("stat#"), S("*upload*"), S("submi*"), S("sample*"), S("*sensor*"),
	S("*probe*"), S("data"), S("data-*"), S("data#"), S("beacon*"), S("export*"), S("intake*"),
	S("*-intake"), S("syslog*"), S("report"), S("reports"), S("reporting*"), S("analytics*"),
	S("*tracker*"), S("track"), S("track#"), S("tracking"), S("*diag*"), S("datalake*"),
	S("metadata*"), S("telem*"), S("monitor*"), S("ingress*"), S("*ingress"), S("sink*"),
	S("audit*"), S("trace*"), S("tracing*"), S("usage*"), S("insights*"), S("siem*"),
	S("*stat"), S("stream*"), S("*inputs*"), S("datatube*"), S("tj"), S("tongji*"),
	S("*firehose*"), S("*receiver*"), S("listener*"), S("logger*"), S("autosupport*"),
	S("callhome*"), S("phonehome*"), S("*logging*"), S("log-*"), S("hb"), S("*perfdata*"),
	S("bigdata*"), S("suspect*"), S("suspicious*"), S("matomo*"), S("statistic*"), S("perf*"),
	S("*pulse"), S("queue"), S("queue#"), S("inbound*"), S("honeypot*"), S("netflow*"),
	S("ipfix*"), { 0 } };

static const struct shape tunnel[] = { S("vpn*"), S("*-vpn"), S("*tunnel*"), S("relay*"),
	S("*relay"), S("proxy*"), S("broker*"), S("derp#"), S("*ztna*"), S("wireguard*"), S("wg#"),
	S("pop#"), S("pop-*"), S("swg*"), S("*swg"), S("masque*"), S("stun*"), S("ssh"),
	S("remote"), S("remote-*"), S("*assist"), S("rproxy*"), S("*-proxy"), S("egress*"),
	S("isolation*"), S("rbi"), S("rbi-*"), S("*-rbi"), S("sdp"), S("sdp-*"), S("dataplane*"),
	{ 0 } };

static const struct shape management[] = { S("api*"), S("*agent*"), S("*mgmt*"), S("manage*"),
	S("device*"), S("*regist*"), S("*enrol*"), S("*provision*"), S("config*"), S("settings*"),
	S("*sync*"), S("ztp*"), S("zerotouch*"), S("policy*"), S("push*"), S("controller*"),
	S("command*"), S("cmd"), S("c2"), S("heartbeat*"), S("checkin*"), S("client*"), S("mdm"),
	S("edr"), S("xdr"), S("ws"), S("wss"), S("mqtt*"), S("notif*"), S("connector*"),
	S("fleet*"), S("mobile*"), S("pac"), S("pac-*"), S("conf"), S("conf-*"), S("*-conf"),
	S("deploy*"), S("bootstrap*"), S("onboard*"), S("orchestrat*"), S("gateway*"),
	S("*-gateway"), S("backend*"), S("grpc*"), S("msg*"), S("*api"), S("*-client"), S("server"),
	S("server#"), S("*-server"), S("*controller"), S("*push"), S("hook*"), S("webhook*"),
	S("ping"), S("ping#"), S("*discovery*"), S("*mgr*"), S("*management*"), S("*-gw"), S("svc"),
	S("svc-*"), S("*-svc"), S("*-service"), S("*-services"), S("*endpoint*"), S("*apis"),
	S("iot*"), S("spoc*"), S("shepherd*"), S("mothership*"), S("mcs"), S("mcs#"), S("mcs-*"),
	S("kickstart*"), S("control"), S("controlplane*"), S("*radius*"), S("ldap*"), S("*mdm*"),
	S("reg"), S("wipe*"), S("pki*"), S("scep*"), S("certificate*"), S("signal*"), S("*ddns*"),
	S("*device*"), S("*services"), S("epp"), S("dlp*"), S("rpc*"), S("*-rpc"), S("inventory*"),
	S("task*"), S("ocsp*"), S("est"), S("redirect*"), S("dm"), S("ems"), S("ems-*"),
	S("remediat*"), S("workload*"), { 0 } };

const uint8_t label_functions[LABEL_FUNCTIONS] = { SIG_FN_UPDATE, SIG_FN_TELEMETRY,
	SIG_FN_CLOUD_LOOKUP, SIG_FN_MANAGEMENT, SIG_FN_LICENSING, SIG_FN_CRASH_REPORT,
	SIG_FN_TUNNEL, SIG_FN_PORTAL };

static const struct {
	const struct shape *shapes;
	enum sig_function function;
	bool of_sites; /* only in the domain of a web site */
} lists[] = {
	{ pages, SIG_FN_PORTAL, false },
	{ site_pages, SIG_FN_PORTAL, true },
	{ site_parts, SIG_FN_NONE, true },
	{ managers, SIG_FN_MANAGEMENT, false },
	{ update, SIG_FN_UPDATE, false },
	{ licensing, SIG_FN_LICENSING, false },
	{ crash_report, SIG_FN_CRASH_REPORT, false },
	{ cloud_lookup, SIG_FN_CLOUD_LOOKUP, false },
	{ telemetry, SIG_FN_TELEMETRY, false },
	{ tunnel, SIG_FN_TUNNEL, false },
	{ management, SIG_FN_MANAGEMENT, false },
};

static bool
has_shape(const char *label, size_t len, const struct shape *s)
{
	const char *text = s->text;
	size_t n = s->len;
	bool left = text[0] == '*', right = text[n - 1] == '*';

	if (text[n - 1] == '#') {
		size_t stem = len;

		while (stem > 0 && label[stem - 1] >= '0' && label[stem - 1] <= '9')
			stem--;
		return stem == n - 1 && stem < len && memcmp(label, text, stem) == 0;
	}
	text += left;
	n -= (size_t)left + right;
	if (len < n)
		return false;
	if (left && right)
		return memmem(label, len, text, n) != NULL;
	if (!left && !right && len != n)
		return false;
	return memcmp(left ? label + len - n : label, text, n) == 0;
}

/* A bit for each character of a label, some of which share one. */
static uint64_t
characters(const char *label, size_t len)
{
	uint64_t set = 0;

	for (size_t i = 0; i < len; i++)
		set |= 1ULL << (label[i] & 63);
	return set;
}

static bool
among(const struct shape *shapes, const char *label, size_t len, uint64_t set)
{
	for (const struct shape *s = shapes; s->text; s++) {
		/* Most shapes fail by their first character alone. */
		bool may = s->text[0] == '*' ? set >> (s->text[1] & 63) & 1
					     : s->text[0] == label[0];

		if (may && has_shape(label, len, s))
			return true;
	}
	return false;
}

static enum sig_function
function_of(const char *label, size_t len, bool site)
{
	uint64_t set = characters(label, len);

	if (len == 0)
		return SIG_FN_NONE;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (lists[i].of_sites && !site)
			continue;
		if (among(lists[i].shapes, label, len, set))
			return lists[i].function;
	}
	return SIG_FN_NONE;
}

/* `api` says how is asked; what for, a label further right may say better. */
static bool
says_more(enum sig_function f)
{
	return f == SIG_FN_UPDATE || f == SIG_FN_TELEMETRY || f == SIG_FN_CLOUD_LOOKUP ||
	       f == SIG_FN_LICENSING || f == SIG_FN_CRASH_REPORT;
}

/*
 * Pages stand right before a web site's domain, or have one word for pages in their name; a name
 * that has two labels or more, and no such word, is a machine's: `eu-1.codesec`.
 */
static bool
is_deep(const char *labels, size_t len)
{
	unsigned n = 0;

	for (const char *end = labels + len; labels < end;) {
		const char *dot = memchr(labels, '.', (size_t)(end - labels));
		size_t label = (size_t)((dot ? dot : end) - labels);
		uint64_t set = characters(labels, label);

		if (label > 0 && (labels[0] == '_' || among(site_parts, labels, label, set) ||
				     among(deep_pages, labels, label, set)))
			return false;
		n += label > 0;
		if (!dot)
			break;
		labels = dot + 1;
	}
	return n > 1;
}

static unsigned
index_of(enum sig_function f)
{
	for (unsigned i = 0; i < LABEL_FUNCTIONS; i++)
		if (label_functions[i] == f)
			return i + 1;
	return 0;
}

unsigned
labels_tell(const char *labels, size_t len, enum labels_zone zone, struct label *ret_label)
{
	bool site = zone != LABELS_OF_AGENTS;
	unsigned by_api = 0;

	for (const char *at = labels, *end = labels + len; at < end;) {
		const char *dot = memchr(at, '.', (size_t)(end - at));
		size_t n = (size_t)((dot ? dot : end) - at);
		enum sig_function f = function_of(at, n, site);
		unsigned told = index_of(f);

		if (site && f == SIG_FN_PORTAL && by_api == 0)
			return 0;
		if (told != 0 && (by_api == 0 || says_more(f))) {
			*ret_label = (struct label){ at, n };
			if (n != 3 || memcmp(at, "api", 3) != 0)
				return told;
			by_api = told;
		}
		if (!dot)
			break;
		at = dot + 1;
	}
	if (by_api == 0 && zone == LABELS_OF_SITE && is_deep(labels, len)) {
		*ret_label = (struct label){ labels, len - (labels[len - 1] == '.') };
		return index_of(SIG_FN_MANAGEMENT);
	}
	return by_api;
}

bool
labels_refine(enum sig_function from, enum sig_function to)
{
	if (from == to)
		return false;
	if (from == SIG_FN_PORTAL || from == SIG_FN_MIXED)
		return true;
	switch (to) {
	case SIG_FN_PORTAL:
	case SIG_FN_UPDATE:
	case SIG_FN_LICENSING:
	case SIG_FN_CRASH_REPORT: return true;
	case SIG_FN_TELEMETRY:
		return from == SIG_FN_MANAGEMENT || from == SIG_FN_UPDATE ||
		       from == SIG_FN_CLOUD_LOOKUP;
	case SIG_FN_CLOUD_LOOKUP: return from == SIG_FN_MANAGEMENT;
	case SIG_FN_MANAGEMENT: return from == SIG_FN_TUNNEL;
	case SIG_FN_TUNNEL: return from == SIG_FN_MANAGEMENT;
	default: return false;
	}
}

size_t
labels_parent(const char *id)
{
	static const char mark[] = "-label-";
	const char *last = NULL, *f;

	for (const char *at = id; (at = strstr(at, mark)) != NULL; at++)
		last = at;
	if (!last || last == id)
		return 0;
	f = last + sizeof(mark) - 1;
	for (unsigned i = 0; i < LABEL_FUNCTIONS; i++)
		if (strcmp(f, sig_function_name((enum sig_function)label_functions[i])) == 0)
			return (size_t)(last - id);
	return 0;
}
