/* SPDX-License-Identifier: Apache-2.0 */
/* phonehome, the operator's command: the table of verbs. */
#include <langinfo.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/cli.h"
#include "ctl/verbs.h"
#include "signatures/base/fds.h"
#include "signatures/base/yaml.h"

const struct ctl_verb *const ctl_verbs[] = {
	&ctl_verb_scan,
	&ctl_verb_report,
	&ctl_verb_hosts,
	&ctl_verb_flows,
	&ctl_verb_why,
	&ctl_verb_top,
	&ctl_verb_trend,
	&ctl_verb_diff,
	&ctl_verb_migration,
	&ctl_verb_policy,
	&ctl_verb_signatures,
	&ctl_verb_status,
	&ctl_verb_reload,
	&ctl_verb_bypass,
	&ctl_verb_stop,
	&ctl_verb_doctor,
	&ctl_verb_version,
	&ctl_verb_help_,
	&ctl_verb_complete,
	NULL,
};

const struct ctl_verb *
ctl_verb_find(const char *name)
{
	for (const struct ctl_verb *const *v = ctl_verbs; *v; v++)
		if (strcmp((*v)->name, name) == 0)
			return *v;
	return NULL;
}

static const struct {
	const char *question, *verb;
} questions[] = {
	{ "who still runs Falcon?", "hosts falcon" },
	{ "what would dropping telemetry of US vendors hit?",
	    "policy simulate --country US --function telemetry" },
	{ "did we get below last month?", "diff 30d now" },
	{ "which hosts have not called for 30 days?", "hosts falcon --not-seen 30d" },
	{ "who has moved to the replacement, who runs both?", "migration --from US,IL" },
	{ "why is this host in the report?", "why 10.1.2.3" },
	{ "what calls home in this capture?", "scan FILE.pcap" },
};

static void
overview(FILE *to)
{
	const char *group = "";

	ctl_wrapped(to, 0, 0,
	    "phonehome: which security products on this network call home, whose they are, and on "
	    "which hosts.\n\nusage: phonehome VERB [OPTION...] [ARGUMENT...]");
	for (const struct ctl_verb *const *v = ctl_verbs; *v; v++) {
		if (!(*v)->group)
			continue;
		if (strcmp(group, (*v)->group) != 0)
			fprintf(to, "\n%s:\n", (*v)->group);
		group = (*v)->group;
		ctl_verbs_list(to, v, 1, 13);
	}
	fputs("\nquestions it answers:\n", to);
	for (unsigned i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
		fprintf(to, "  %s\n      phonehome %s\n", questions[i].question, questions[i].verb);
	fputs("\nEvery verb explains itself, with examples: phonehome VERB --help\n", to);
}

static int
unknown_verb(const char *name)
{
	const char *words[64];
	size_t n = 0;

	for (const struct ctl_verb *const *v = ctl_verbs; *v && n < 64; v++)
		if ((*v)->group)
			words[n++] = (*v)->name;
	const char *near = sig_nearest(name, words, n);
	if (near)
		ctl_error("unknown verb %s: did you mean %s? (see phonehome --help)", name, near);
	else
		ctl_error("unknown verb %s (see phonehome --help)", name);
	return CTL_USAGE;
}

static int
version_run(int argc, char **argv)
{
	struct ctl_common c;
	int code;

	ctl_common_init(&c, &ctl_verb_version);
	code = ctl_common_args(&c, argc, argv, NULL, 0, NULL);
	if (code >= 0)
		return code;
	if (c.format == CTL_JSON)
		printf("{\"version\": \"%s\", \"ndpi\": \"%s\"}\n", PHONEHOME_VERSION,
		    clf_ndpi_version());
	else
		printf("phonehome %s (nDPI %s)\n", PHONEHOME_VERSION, clf_ndpi_version());
	return ctl_finish(CTL_OK);
}

static const struct ctl_opt version_opts[] = { CTL_OPT_JSON, CTL_OPT_HELP, { 0 } };
const struct ctl_verb ctl_verb_version = {
	.name = "version",
	.group = "the command",
	.usage = "[--json]",
	.summary = "the command's version",
	.opts = version_opts,
	.run = version_run,
};

static int
help_run(int argc, char **argv)
{
	const struct ctl_verb *v;
	char flag[] = "--help";
	char *help[] = { argv[0], flag, NULL };

	if (argc < 2 || argv[1][0] == '-') {
		overview(stdout);
		return ctl_finish(CTL_OK);
	}
	v = ctl_verb_find(argv[1]);
	if (!v)
		return unknown_verb(argv[1]);
	if (!v->opts) {
		help[0] = argv[1];
		return ctl_finish(v->run(2, help));
	}
	ctl_verb_help(v, stdout);
	return ctl_finish(CTL_OK);
}

static const struct ctl_opt help_opts[] = { CTL_OPT_HELP, { 0 } };
const struct ctl_verb ctl_verb_help_ = {
	.name = "help",
	.group = "the command",
	.usage = "[VERB]",
	.summary = "this text, or a verb's",
	.opts = help_opts,
	.run = help_run,
};

/*
 * Which script a terminal can show; nothing else is local. Not how letters are folded: in Turkish
 * IL is no il, and a policy or a filter for one would miss the other.
 */
static void
set_locale(void)
{
	if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0 ||
	    !setlocale(LC_CTYPE, "C.UTF-8"))
		(void)setlocale(LC_CTYPE, "C");
}

int
main(int argc, char **argv)
{
	const struct ctl_verb *v;

	sig_fds_guard();
	/* A reader that goes away shows as a failed write, here as on sockets. */
	signal(SIGPIPE, SIG_IGN);
	/* A short life: memory given back between two packs would only be asked for again. */
	mallopt(M_MMAP_THRESHOLD, 4 << 20);
	mallopt(M_TRIM_THRESHOLD, 64 << 20);
	set_locale();
	if (argc < 2) {
		overview(stderr);
		return CTL_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help_run(1, argv);
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		return version_run(1, argv);
	v = ctl_verb_find(argv[1]);
	return v ? v->run(argc - 1, argv + 1) : unknown_verb(argv[1]);
}
