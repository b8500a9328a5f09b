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

/* Where people read: the zone's own function holds, whatever stands further right. */
static const char pages[] =
    "www www# support docs doc help helpdesk blog blogs community communities partner "
    "partners careers jobs shop store news press ir investors events forum forums kb "
    "learn learning academy training university wiki dev developer developers status "
    "trust info go pages lp marketing resources my account accounts *login* signin sso id "
    "auth secure web webinar demo trial try m en de fr jp cn us portal *portal portal* "
    "dashboard console admin app apps media img image images static assets video videos "
    "mail smtp mx# email links link click track survey ideas labs research "
    "threatmap threatcenter library connect bugbounty security test testing cms search "
    "customer customers guide tools tool";

static const char update[] =
    "*update* *upgrade* *download* dl dl# dl-* *-dl *cdn* *-dist dist dist-* repo repo# "
    "repos repository *package* pkg pkgs registry patch* defs* definition* *signature* "
    "mirror* firmware* *install* distribution* ruleset* rule rules av av# su bits upd upd# upd-* "
    "*-upd "
    "ftp ftp# feed* *feeds yum apt rpm deb liveupdate* content* plugins up up#";

static const char licensing[] =
    "*licen* lic lic# *activat* entitle* registration-* keystone subscription*";

static const char crash_report[] = "*crash* *dump* fault* bugreport*";

static const char cloud_lookup[] =
    "*lookup* *reput* rep *-rep *filerep* *urlrep* *-orsp orsp* *query* *threatcloud* "
    "*sandbox* *rating* categor* *urlfilter* *url-* scan *cloudscan* verdict* classif* "
    "dnsbl* rbl*";

static const char telemetry[] =
    "*telemetry* *feedback* *event* *ingest* *collect* log log# logs* *-log* *metric* *stats* stat "
    "stat# *upload* submi* sample* *sensor* *probe* data data-* data# beacon* export* "
    "intake* *-intake syslog* report reports reporting* analytics* *tracker* *diag* "
    "datalake*";

static const char tunnel[] = "vpn* *-vpn *tunnel* relay* *relay proxy* *-proxy broker* derp#";

static const char management[] =
    "api api# api-* *-api *agent* *mgmt* manage* device* *regist* *enrol* *provision* "
    "config* policy* push* controller* command* cmd c2 heartbeat* checkin* client* mdm "
    "edr xdr ws wss mqtt* notif* connector*";

const uint8_t label_functions[LABEL_FUNCTIONS] = { SIG_FN_UPDATE, SIG_FN_TELEMETRY,
	SIG_FN_CLOUD_LOOKUP, SIG_FN_MANAGEMENT, SIG_FN_LICENSING, SIG_FN_CRASH_REPORT,
	SIG_FN_TUNNEL };

static const struct {
	const char *shapes;
	enum sig_function function; /* SIG_FN_PORTAL: nothing is said */
} lists[] = {
	{ pages, SIG_FN_PORTAL },
	{ update, SIG_FN_UPDATE },
	{ licensing, SIG_FN_LICENSING },
	{ crash_report, SIG_FN_CRASH_REPORT },
	{ cloud_lookup, SIG_FN_CLOUD_LOOKUP },
	{ telemetry, SIG_FN_TELEMETRY },
	{ tunnel, SIG_FN_TUNNEL },
	{ management, SIG_FN_MANAGEMENT },
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
function_of(const char *label, size_t len)
{
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		size_t n;

		for (const char *s = lists[i].shapes; *s; s += n + (s[n] == ' ')) {
			n = strcspn(s, " ");
			if (has_shape(label, len, s, n))
				return lists[i].function;
		}
	}
	return SIG_FN_NONE;
}

unsigned
labels_tell(const char *labels, size_t len, struct label *ret_label)
{
	for (const char *end = labels + len; labels < end;) {
		const char *dot = memchr(labels, '.', (size_t)(end - labels));
		size_t n = (size_t)((dot ? dot : end) - labels);
		enum sig_function f = function_of(labels, n);

		for (unsigned i = 0; i < LABEL_FUNCTIONS; i++)
			if (label_functions[i] == f) {
				*ret_label = (struct label){ labels, n };
				return i + 1;
			}
		if (f != SIG_FN_NONE || !dot)
			return 0;
		labels = dot + 1;
	}
	return 0;
}

size_t
labels_parent(const char *id)
{
	size_t len = strlen(id);

	for (unsigned i = 0; i < LABEL_FUNCTIONS; i++) {
		char end[32];
		size_t n = (size_t)snprintf(end, sizeof(end), "-label-%s",
		    sig_function_name((enum sig_function)label_functions[i]));

		if (len > n && strcmp(id + len - n, end) == 0)
			return len - n;
	}
	return 0;
}
