/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the service: rights, the daemon, its store, the clock, the packs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#include "ctl/doctor.h"
#include "ctl/packs.h"
#include "ctl/source.h"

void
doctor_config(struct doctor_case *c)
{
	const struct doctor_site *s = c->site;
	char mend[600];

	if (!s->config)
		doctor_say(c, DOCTOR_NOTE,
		    "cp /usr/share/doc/phonehome/examples/phonehomed.yaml /etc/phonehome/",
		    "no /etc/phonehome/phonehomed.yaml (name another with --config)");
	else if (s->config_error < 0) {
		snprintf(mend, sizeof(mend), "phonehomed --check --config %s", s->config);
		doctor_say(c, DOCTOR_FAIL, mend, "%s", s->config_fault);
	} else
		doctor_say(c, DOCTOR_OK, NULL, "%s: %u port%s", s->config, s->n_ports,
		    s->n_ports == 1 ? "" : "s");
}

/* A file that only its owner may change (secret: or read). */
static void
say_file(struct doctor_case *c, const char *path, bool secret)
{
	struct stat st;
	char mend[600];

	if (path[0] == '\0')
		return;
	if (stat(path, &st) < 0) {
		doctor_say(c, DOCTOR_FAIL, "make it, or correct the config", "%s: %s", path,
		    strerror(errno));
	} else if (st.st_mode & (secret ? 0077 : 0022)) {
		snprintf(mend, sizeof(mend), "chmod %s %s", secret ? "600" : "go-w", path);
		doctor_say(c, secret ? DOCTOR_FAIL : DOCTOR_WARN, mend, "%s: %s", path,
		    secret ? "others may read the password"
			   : "others than its owner may change what is dropped");
	}
}

/* A folder that the daemon writes to: as root it may, once it is there. */
static void
say_folder(struct doctor_case *c, const char *file)
{
	char folder[512], mend[600];

	snprintf(folder, sizeof(folder), "%s", file);
	char *slash = strrchr(folder, '/');
	if (folder[0] != '/' || !slash || slash == folder)
		return;
	*slash = '\0';
	snprintf(mend, sizeof(mend), "install -d -m 0750 %s", folder);
	if (access(folder, W_OK) < 0)
		doctor_say(c, errno == ENOENT ? DOCTOR_FAIL : DOCTOR_NOTE,
		    errno == ENOENT ? mend : "sudo phonehome doctor", "%s: %s", folder,
		    strerror(errno));
}

void
doctor_permissions(struct doctor_case *c)
{
	const struct doctor_site *s = c->site;
	const char *password = c->common->password_file ? c->common->password_file
							: s->password_file;

	if (geteuid() == 0)
		doctor_say(c, DOCTOR_OK, NULL, "run as root: all checks see everything");
	else
		doctor_say(c, DOCTOR_NOTE, "sudo phonehome doctor",
		    "not run as root: some checks see less");
	if (access("/dev/vfio/vfio", F_OK) == 0 && access("/dev/vfio/vfio", R_OK | W_OK) < 0)
		doctor_say(c, DOCTOR_WARN, "run the daemon as root, or give its user /dev/vfio/*",
		    "/dev/vfio/vfio is not ours to open");
	say_file(c, password, true);
	say_file(c, s->policy, false);
	if (s->config && s->config_error == 0)
		say_file(c, s->config, false);
	if (strncmp(s->store, "sqlite:", 7) == 0)
		say_folder(c, s->store + 7);
	else
		say_folder(c, s->store);
}

void
doctor_daemon(struct doctor_case *c)
{
	const struct doctor_site *s = c->site;

	if (s->daemon_error < 0 && !s->daemon_fault[0]) {
		bool denied = s->daemon_error == -EACCES;
		doctor_say(c, denied ? DOCTOR_WARN : DOCTOR_NOTE,
		    denied ? "usermod -aG phonehome USER   (its group; control.group), or be root"
			   : "systemctl start phonehomed",
		    "%s: %s", s->at, denied ? "not allowed" : "the daemon does not run");
		return;
	}
	if (s->daemon_error < 0) {
		doctor_say(c, DOCTOR_FAIL, "systemctl restart phonehomed", "the daemon at %s: %s",
		    s->at, s->daemon_fault);
		return;
	}
	const json_t *store = json_object_get(s->status, "store");
	if (json_is_true(json_object_get(s->status, "shedding")))
		doctor_say(c, DOCTOR_WARN,
		    "raise workers in the config, or take load off the ports",
		    "overload: inspection is lifted for a while");
	else if (json_is_true(json_object_get(s->status, "bypass")))
		doctor_say(c, DOCTOR_WARN, "phonehome bypass off",
		    "the daemon is in bypass: nothing is inspected");
	else
		doctor_say(c, DOCTOR_OK, NULL, "the daemon at %s answers", s->at);
	for (unsigned i = 0; i < s->n_ports; i++) {
		const char *link = json_string_value(json_object_get(s->ports[i].status, "link"));
		if (link && strcmp(link, "up") != 0)
			doctor_say(c, DOCTOR_WARN,
			    strcmp(link, "held down") == 0 ? "see the other port of its pair"
			    : strcmp(link, "gone") == 0
				? "plug it in again; then, unless it is net_af_packet: systemctl "
				  "restart phonehomed"
				: "plug the cable in, or ip link set it up",
			    "port %s: its link is %s", s->ports[i].name, link);
	}
	if (json_is_object(store) && !json_is_true(json_object_get(store, "up"))) {
		const char *why = json_string_value(json_object_get(store, "last_error"));
		doctor_say(c, DOCTOR_FAIL, "see the line `store`; records wait in memory meanwhile",
		    "the daemon's store is down: %s", why ? why : "no reason given");
	}
}

static bool
any_row(void *ctx, const struct store_row *row)
{
	(void)ctx;
	(void)row;
	return false;
}

static const char *
store_mend(const char *url)
{
	if (strncmp(url, "redis", 5) == 0 || strncmp(url, "unix:", 5) == 0)
		return "systemctl start redis-server   (there; then check store.url, its password "
		       "file)";
	return "phonehome stop; move the file away; systemctl start phonehomed";
}

void
doctor_store(struct doctor_case *c)
{
	const char *told = json_string_value(
	    json_object_get(json_object_get(c->site->status, "store"), "url"));
	const char *url = c->common->store    ? c->common->store
			  : c->site->store[0] ? c->site->store
			  : told	      ? told
					      : CTL_STORE_DEFAULT;
	struct sig_diag diag = { 0 };
	struct store_config config = {
		.url = url,
		.sensor = "",
		.mode = STORE_READ,
		.timeout_ms = 2000,
		.password_file = c->common->password_file    ? c->common->password_file
				 : c->site->password_file[0] ? c->site->password_file
							     : NULL,
	};
	struct store *store = NULL;
	char shown[STORE_URL_MAX];

	if (!c->common->store && url[0] == '/' && access(url, F_OK) < 0) {
		doctor_say(
		    c, DOCTOR_NOTE, NULL, "no store at %s yet (name another with --store)", url);
		return;
	}
	int err = store_open(&config, &store, &diag);
	struct store_filter one = { .sensor = "*", .limit = 1, .forwarders = true };
	if (err == 0)
		err = store_rows(store, &one, any_row, NULL);
	store_url_shown(url, shown);
	if (err == 0)
		doctor_say(c, DOCTOR_OK, NULL, "the store %s can be read", shown);
	else
		doctor_say(c, DOCTOR_FAIL, store_mend(url), "%s: %s", shown,
		    store && *store_error(store) ? store_error(store)
		    : diag.n > 0		 ? diag.msgs[0].text
						 : strerror(-err));
	store_close(store);
	sig_diag_free(&diag);
}

void
doctor_clock(struct doctor_case *c)
{
	struct timex t = { 0 };
	const char *mend = "apt install systemd-timesyncd; timedatectl set-ntp true";

	if (access("/usr/sbin/chronyd", X_OK) == 0)
		mend = "systemctl enable --now chrony; chronyc -a makestep";
	else if (access("/lib/systemd/systemd-timesyncd", X_OK) == 0)
		mend = "timedatectl set-ntp true";
	if (adjtimex(&t) == TIME_ERROR || (t.status & STA_UNSYNC))
		doctor_say(c, DOCTOR_WARN, mend,
		    "the clock is not synchronised: times of several sensors will not agree");
	else
		doctor_say(c, DOCTOR_OK, NULL, "the clock is synchronised, within %ld ms",
		    t.maxerror / 1000);
}

void
doctor_packs(struct doctor_case *c)
{
	const char *path = ctl_packs_path(c->common->packs    ? c->common->packs
					  : c->site->packs[0] ? c->site->packs
							      : NULL);
	struct sig_diag diag = { 0 };
	struct sig_packs *packs = NULL;
	struct sig_ruleset *rules = NULL;
	int err = sig_packs_load(path, &packs, &diag);

	if (err == 0)
		err = sig_compile(packs, &rules, &diag);
	if (err == 0)
		doctor_say(c, DOCTOR_OK, NULL, "%u signatures in %s, %s", sig_ruleset_count(rules),
		    path, sig_ruleset_origin(rules));
	else
		doctor_say(c, DOCTOR_FAIL, "phonehome signatures lint", "packs do not load: %s",
		    diag.n > 0 ? diag.msgs[0].text : strerror(-err));
	sig_ruleset_free(rules);
	sig_packs_free(packs);
	sig_diag_free(&diag);
}
