/* SPDX-License-Identifier: Apache-2.0 */
/* The list of labels, and a name held against it. */
#include "signatures/labels.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/*
 * Shapes, a blank between: `*` at an end stands for any text, also none; `#` for one or more digits
 * at the end; all else is the whole label. Of two lists that know a label the earlier one has it.
 */

/* Where people read, whatever stands further right. */
static const char pages[] =
    "www www# support docs doc help helpdesk blog blogs community communities partner "
    "partners careers jobs shop news press ir investors forum forums kb learn learning "
    "academy training university wiki developer developers my account accounts *login* "
    "signin sso marketing webinar demo trial try *portal *portal* portal* dashboard console "
    "admin ui webui video videos survey ideas threatmap threatcenter bugbounty guide "
    "documentation manual manuals bbs hub apidoc* releasenotes* *dashboard *-console *-admin";

/* Likewise, but only in the domain of a web site: among agents these words tell nothing. */
static const char site_pages[] =
    "event events home store resources customer customers status trust info go pages lp auth "
    "id secure web m app apps media img image images static assets mail smtp mx# email links "
    "link click track labs research library connect security cms search tool tools metrics "
    "smetrics stats sstats content analyticsssl analyticsnossl tracking *mailing";

static const char update[] =
    "*update* *upgrade* *download* dl dl# dl-* *-dl *cdn* *-dist dist dist-* repo repo# "
    "repos repository *package* pkg pkgs registry patch* defs* definition* *signature* "
    "mirror* firmware* *install* distribution* ruleset* rule rules av av# su bits upd upd# "
    "upd-* *-upd ftp ftp# feed feed# feed-* *-feed feeds* yum down down# file file# rsync* "
    "software* offline* registry* *-registry docker* *artifact* charts helm vdb* avdb* "
    "database* db db# pattern* fw fw# apt rpm deb liveupdate* plugins up up# ota ota# "
    "localdb* geoip* sig sig# sigs files hotfix* release* releases engine engine# cache "
    "cache# *-cache rpz* content content# contents content-cdn content-updates* sdl sdl#";

static const char licensing[] = "*licen* lic lic# *activat* entitle* register registration "
				"registration-* keystone subscription*";

static const char crash_report[] = "*crash* *dump* fault* bugreport* sentry*";

static const char cloud_lookup[] =
    "*lookup* *reput* rep *-rep *filerep* *urlrep* *-orsp orsp* *query* *threatcloud* "
    "*sandbox* *rating* categor* *urlfilter* *url-* scan *cloudscan* verdict* classif* "
    "dnsbl* rbl* url url# doh doh# *-doh dns dns# dns-* *-dns census* asn resolver* *intel "
    "*intelligence* ioc* *phish* *spam* safebrowsing* webrep* blacklist* whitelist* hash* "
    "grid* *webfilter* *contentfilter* *content-filter* gti gti-* ti";

static const char telemetry[] =
    "*telemetry* *feedback* *event* *ingest* *collect* log log# logs* *-log* *metric* "
    "*stats* stat stat# *upload* submi* sample* *sensor* *probe* data data-* data# beacon* "
    "export* intake* *-intake syslog* report reports reporting* analytics* *tracker* track "
    "track# tracking *diag* datalake* metadata* telem* monitor* ingress* *ingress sink* "
    "audit* trace* tracing* usage* insights* siem* *stat";

static const char tunnel[] =
    "vpn* *-vpn *tunnel* relay* *relay proxy* broker* derp# *ztna* wireguard* wg# pop# pop-* "
    "swg* *swg masque*";

static const char management[] =
    "api* *-api *agent* *mgmt* manage* device* *regist* *enrol* *provision* config* "
    "settings* *sync* ztp* zerotouch* policy* push* controller* command* cmd c2 heartbeat* "
    "checkin* client* mdm edr xdr ws wss mqtt* notif* connector* fleet* mobile* pac pac-* "
    "conf conf-* *-conf deploy* bootstrap* onboard* orchestrat* gateway* *-gateway backend* "
    "grpc* msg* *api *-client server server# *-server *controller *push hook* webhook* ping "
    "ping# *discovery* *mgr*";

const uint8_t label_functions[LABEL_FUNCTIONS] = { SIG_FN_UPDATE, SIG_FN_TELEMETRY,
	SIG_FN_CLOUD_LOOKUP, SIG_FN_MANAGEMENT, SIG_FN_LICENSING, SIG_FN_CRASH_REPORT,
	SIG_FN_TUNNEL, SIG_FN_PORTAL };

static const struct {
	const char *shapes;
	enum sig_function function;
	bool of_sites; /* only in the domain of a web site */
} lists[] = {
	{ pages, SIG_FN_PORTAL, false },
	{ site_pages, SIG_FN_PORTAL, true },
	{ update, SIG_FN_UPDATE, false },
	{ licensing, SIG_FN_LICENSING, false },
	{ crash_report, SIG_FN_CRASH_REPORT, false },
	{ cloud_lookup, SIG_FN_CLOUD_LOOKUP, false },
	{ telemetry, SIG_FN_TELEMETRY, false },
	{ tunnel, SIG_FN_TUNNEL, false },
	{ management, SIG_FN_MANAGEMENT, false },
};

static bool
has_shape(const char *label, size_t len, const char *shape, size_t n)
{
	bool left = shape[0] == '*', right = shape[n - 1] == '*';

	if (shape[n - 1] == '#') {
		size_t stem = len;

		while (stem > 0 && label[stem - 1] >= '0' && label[stem - 1] <= '9')
			stem--;
		return stem == n - 1 && stem < len && memcmp(label, shape, stem) == 0;
	}
	shape += left;
	n -= (size_t)left + right;
	if (len < n)
		return false;
	if (left && right)
		return memmem(label, len, shape, n) != NULL;
	if (!left && !right && len != n)
		return false;
	return memcmp(left ? label + len - n : label, shape, n) == 0;
}

static enum sig_function
function_of(const char *label, size_t len, bool site)
{
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		size_t n;

		if (lists[i].of_sites && !site)
			continue;
		for (const char *s = lists[i].shapes; *s; s += n + (s[n] == ' ')) {
			n = strcspn(s, " ");
			if (has_shape(label, len, s, n))
				return lists[i].function;
		}
	}
	return SIG_FN_NONE;
}

unsigned
labels_tell(const char *labels, size_t len, bool site, struct label *ret_label)
{
	for (const char *end = labels + len; labels < end;) {
		const char *dot = memchr(labels, '.', (size_t)(end - labels));
		size_t n = (size_t)((dot ? dot : end) - labels);
		enum sig_function f = function_of(labels, n, site);

		if (site && f == SIG_FN_PORTAL)
			return 0;
		for (unsigned i = 0; i < LABEL_FUNCTIONS; i++)
			if (label_functions[i] == f) {
				*ret_label = (struct label){ labels, n };
				return i + 1;
			}
		if (!dot)
			return 0;
		labels = dot + 1;
	}
	return 0;
}

bool
labels_refine(enum sig_function from, enum sig_function to)
{
	if (from == to)
		return false;
	return from == SIG_FN_PORTAL || from == SIG_FN_MIXED || to == SIG_FN_PORTAL ||
	       to == SIG_FN_UPDATE || to == SIG_FN_LICENSING || to == SIG_FN_CRASH_REPORT ||
	       (to == SIG_FN_TELEMETRY && from == SIG_FN_MANAGEMENT);
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
