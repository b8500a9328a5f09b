/* SPDX-License-Identifier: Apache-2.0 */
/* phonehome reload, bypass, stop: what an administrator tells the daemon. */
#include <string.h>

#include "ctl/print.h"
#include "ctl/source.h"
#include "ctl/verbs.h"

enum { RELOAD_MS = 120000 }; /* a million patterns on a machine that has other things to do */

static const struct ctl_opt opts[] = { CTL_OPT_SOCKET, CTL_OPT_JSON, CTL_OPT_HELP, { 0 } };

/* Calls and prints: the reply as JSON, or `said`. params are stolen. */
static int
tell(const struct ctl_common *c, const char *method, json_t *params, const char *said)
{
	struct proto_client *daemon;
	json_t *result;
	int code = ctl_daemon_open(c, &daemon);

	if (code != CTL_OK) {
		json_decref(params);
		return code;
	}
	if (strcmp(method, "reload") == 0)
		proto_client_wait(daemon, RELOAD_MS);
	code = ctl_daemon_call(daemon, method, params, &result);
	proto_client_close(daemon);
	if (code != CTL_OK)
		return code;
	if (c->format == CTL_JSON) {
		ctl_print_json(stdout, result);
		return ctl_finish(CTL_OK);
	}
	json_decref(result);
	puts(said);
	return ctl_finish(CTL_OK);
}

static int
reload_run(int argc, char **argv)
{
	struct ctl_common c;

	ctl_common_init(&c, &ctl_verb_reload);
	int code = ctl_common_args(&c, argc, argv, NULL, 0, NULL);
	return code >= 0 ? code : tell(&c, "reload", NULL, "packs and policy reloaded");
}

static int
stop_run(int argc, char **argv)
{
	struct ctl_common c;

	ctl_common_init(&c, &ctl_verb_stop);
	int code = ctl_common_args(&c, argc, argv, NULL, 0, NULL);
	return code >= 0 ? code : tell(&c, "stop", NULL, "stopping");
}

static int
bypass_run(int argc, char **argv)
{
	struct ctl_common c;
	const char *word = NULL;
	unsigned n;

	ctl_common_init(&c, &ctl_verb_bypass);
	int code = ctl_common_args(&c, argc, argv, &word, 1, &n);
	if (code >= 0)
		return code;
	bool on = n == 1 && strcmp(word, "on") == 0;
	if (!on && (n == 0 || strcmp(word, "off") != 0))
		return ctl_usage(c.verb, "say on or off");
	return tell(&c, "bypass", json_pack("{s:b}", "on", on),
	    on ? "bypass is on: all traffic passes, nothing is inspected"
	       : "bypass is off: traffic is inspected again");
}

const struct ctl_verb ctl_verb_reload = {
	.name = "reload",
	.group = "run",
	.usage = "[--socket PATH]",
	.summary = "have the daemon read packs and policy anew, losing no packet",
	.about = "A file with a fault changes nothing: the fault is shown (file:line:column), exit "
		 "code 2.",
	.examples = "phonehome reload\nphonehome policy check policy.yaml && phonehome reload",
	.opts = opts,
	.run = reload_run,
};
const struct ctl_verb ctl_verb_bypass = {
	.name = "bypass",
	.group = "run",
	.usage = "on|off",
	.summary = "let everything pass uninspected at once, and back",
	.examples = "phonehome bypass on\nphonehome bypass off",
	.opts = opts,
	.run = bypass_run,
};
const struct ctl_verb ctl_verb_stop = {
	.name = "stop",
	.group = "run",
	.usage = "[--socket PATH]",
	.summary = "stop the daemon cleanly",
	.examples = "phonehome stop",
	.opts = opts,
	.run = stop_run,
};
