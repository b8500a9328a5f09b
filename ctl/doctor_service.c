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
#include "ctl/proto/client.h"
#include "ctl/proto/rpc.h"
#include "ctl/source.h"

void
doctor_permissions(struct doctor_case *c)
{
	if (geteuid() == 0)
		doctor_say(c, DOCTOR_OK, NULL, "run as root: all checks see everything");
	else
		doctor_say(c, DOCTOR_NOTE, "sudo phonehome doctor",
		    "not run as root: some checks see less");
	if (access("/dev/vfio/vfio", F_OK) == 0 && access("/dev/vfio/vfio", R_OK | W_OK) < 0)
		doctor_say(c, DOCTOR_WARN, "run the daemon as root, or give its user /dev/vfio/*",
		    "/dev/vfio/vfio is not ours to open");
}

void
doctor_daemon(struct doctor_case *c)
{
	const char *path = c->common->socket ? c->common->socket : PROTO_SOCKET_DEFAULT;
	struct proto_client *client;
	struct proto_fault fault = { 0 };
	json_t *status;
	int err = proto_client_open(path, 2000, &client);

	if (err < 0) {
		doctor_say(c, err == -EACCES ? DOCTOR_WARN : DOCTOR_NOTE,
		    err == -EACCES ? "join the socket's group, or be root"
				   : "systemctl start phonehomed",
		    "%s: %s", path, err == -EACCES ? "not allowed" : "the daemon does not run");
		return;
	}
	err = proto_client_call(client, "status", NULL, &status, &fault);
	proto_client_close(client);
	json_decref(fault.data);
	if (err < 0) {
		doctor_say(c, DOCTOR_FAIL, "systemctl restart phonehomed", "the daemon at %s: %s",
		    path, fault.message);
		return;
	}
	const json_t *store = json_object_get(status, "store");
	if (json_is_true(json_object_get(status, "bypass")))
		doctor_say(c, DOCTOR_WARN, "phonehome bypass off",
		    "the daemon is in bypass: nothing is inspected");
	else
		doctor_say(c, DOCTOR_OK, NULL, "the daemon at %s answers", path);
	if (json_is_object(store) && !json_is_true(json_object_get(store, "up"))) {
		const char *why = json_string_value(json_object_get(store, "last_error"));
		doctor_say(c, DOCTOR_FAIL, "see phonehome status; records wait in memory meanwhile",
		    "the daemon's store is down: %s", why ? why : "no reason given");
	}
	json_decref(status);
}

static bool
any_row(void *ctx, const struct store_row *row)
{
	(void)ctx;
	(void)row;
	return false;
}

void
doctor_store(struct doctor_case *c)
{
	const char *url = c->common->store ? c->common->store : CTL_STORE_DEFAULT;
	struct sig_diag diag = { 0 };
	struct store_config config = {
		.url = url,
		.sensor = "",
		.mode = STORE_READ,
		.timeout_ms = 2000,
		.password_file = c->common->password_file,
	};
	struct store *store = NULL;

	if (!c->common->store && access(url, F_OK) < 0) {
		doctor_say(
		    c, DOCTOR_NOTE, NULL, "no store at %s yet (name another with --store)", url);
		return;
	}
	int err = store_open(&config, &store, &diag);
	struct store_filter one = { .sensor = "*", .limit = 1, .forwarders = true };
	if (err == 0)
		err = store_rows(store, &one, any_row, NULL);
	if (err == 0)
		doctor_say(c, DOCTOR_OK, NULL, "the store %s can be read", url);
	else
		doctor_say(c, DOCTOR_FAIL, "check that it runs, its address and the password file",
		    "%s: %s", url,
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

	if (adjtimex(&t) == TIME_ERROR || (t.status & STA_UNSYNC))
		doctor_say(c, DOCTOR_WARN, "timedatectl set-ntp true   (or install chrony)",
		    "the clock is not synchronised: times of several sensors will not agree");
	else
		doctor_say(c, DOCTOR_OK, NULL, "the clock is synchronised, within %ld ms",
		    t.maxerror / 1000);
}

void
doctor_packs(struct doctor_case *c)
{
	const char *path = ctl_packs_path(c->common->packs);
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
