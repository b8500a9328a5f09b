/* SPDX-License-Identifier: Apache-2.0 */
/* `phonehome signatures`: its command line and table of verbs. */
#include "ctl/cmd_signatures.h"

#include <stdlib.h>

#include "ctl/packs.h"
#include "ctl/verbs.h"

enum { LINT_DAYS = 730 };

enum sig_opt { O_DAYS = 1, O_NOTES, O_KEY, O_UNSIGNED, O_REPLACE, O_OUTPUT, O_VERSION };

static const struct ctl_opt ask_opts[] = { CTL_OPT_PACKS, CTL_OPT_JSON, CTL_OPT_HELP, { 0 } };
static const struct ctl_opt test_opts[] = { CTL_OPT_PACKS, CTL_OPT_HELP, { 0 } };
static const struct ctl_opt diff_opts[] = { CTL_OPT_JSON, CTL_OPT_HELP, { 0 } };
static const struct ctl_opt keygen_opts[] = { CTL_OPT_HELP, { 0 } };
static const struct ctl_opt lint_opts[] = {
	CTL_OPT_PACKS,
	{ "days", 0, "N", O_DAYS, "reviewed longer ago is old (730)" },
	{ "notes", 0, NULL, O_NOTES, "also what is worth knowing and no fault" },
	CTL_OPT_HELP,
	{ 0 },
};
static const struct ctl_opt install_opts[] = {
	{ "key", 'k', "FILE", O_KEY, "the public key that must have signed it" },
	{ "allow-unsigned", 0, NULL, O_UNSIGNED,
	    "take a bundle that nobody signed; status says so" },
	{ "replace", 0, NULL, O_REPLACE,
	    "throw away packs there that no bundle brought, or that were changed" },
	CTL_OPT_PACKS,
	CTL_OPT_HELP,
	{ 0 },
};
static const struct ctl_opt bundle_opts[] = {
	{ "output", 'o', "FILE", O_OUTPUT, "where to write it" },
	{ "key", 'k', "FILE", O_KEY, "the private key to sign with" },
	{ "version", 0, "V", O_VERSION, "its version (default: the highest of the packs')" },
	CTL_OPT_HELP,
	{ 0 },
};

static const struct sub {
	struct ctl_verb verb;
	int (*run)(const struct sigcmd *c);
	int least, most; /* arguments; most -1: any number */
} subs[] = {
	{ { .name = "signatures match",
	      .usage = "[--json] [--packs DIR] NAME...|-",
	      .summary = "how the packs classify host names",
	      .about = "One line a name, in order; - reads names from stdin.\n"
		       "Columns, by tabs: name, vendor, country, product, function, signature.",
	      .examples = "phonehome signatures match ts01-b.cloudsink.net\n"
			  "phonehome signatures match --json - < names.txt",
	      .opts = ask_opts },
	    sigcmd_match, 1, -1 },
	{ { .name = "signatures list",
	      .usage = "[--json] [--packs DIR]",
	      .summary = "the packs: vendor, seat, owner, how many products and signatures",
	      .examples = "phonehome signatures list",
	      .opts = ask_opts },
	    sigcmd_list, 0, 0 },
	{ { .name = "signatures lint",
	      .usage = "[--packs DIR] [--days N] [--notes]",
	      .summary = "what is legal but wrong, useless or old",
	      .about = "Sources, dates older than N days, rules that can never match or win, "
		       "examples missing.\nExit 1 when anything is found.",
	      .examples = "phonehome signatures lint --days 365 --packs my-packs",
	      .opts = lint_opts },
	    sigcmd_lint, 0, 0 },
	{ { .name = "signatures test",
	      .usage = "[--packs DIR]",
	      .summary = "run the examples that the packs carry",
	      .about = "Exit 1 when any fails.",
	      .examples = "phonehome signatures test",
	      .opts = test_opts },
	    sigcmd_test, 0, 0 },
	{ { .name = "signatures show",
	      .usage = "[--json] [--packs DIR] ID",
	      .summary = "a pack, or one signature (pack/signature)",
	      .examples = "phonehome signatures show crowdstrike\n"
			  "phonehome signatures show --json crowdstrike/falcon-sensor-events",
	      .opts = ask_opts },
	    sigcmd_show, 1, 1 },
	{ { .name = "signatures why",
	      .usage = "[--json] [--packs DIR] NAME",
	      .summary = "all rules that look at a host name, and why one won",
	      .about = "Which won, by which clause of the documented order, which lost, and which "
		       "would need more\nthan the name.",
	      .examples = "phonehome signatures why update.fortiguard.net",
	      .opts = ask_opts },
	    sigcmd_why, 1, 1 },
	{ { .name = "signatures diff",
	      .usage = "[--json] OLD NEW",
	      .summary = "what an update changes",
	      .about =
		  "Signatures and patterns added, removed, changed. OLD and NEW are folders of "
		  "packs or single\npacks.",
	      .examples = "phonehome signatures diff /usr/local/share/phonehome/packs new-packs",
	      .opts = diff_opts },
	    sigcmd_diff, 2, 2 },
	{ { .name = "signatures install",
	      .usage = "BUNDLE [--key FILE] [--allow-unsigned] [--replace] [--packs DIR]",
	      .summary = "replace the packs by a bundle's, once it proved good",
	      .about =
		  "Checks a bundle's signature, then its digests, then its packs, and replaces "
		  "the folder of\npacks in one step. Older or altered bundles are refused and "
		  "nothing changes; so is\none that would throw away packs of your own there.",
	      .examples = "phonehome signatures install packs.tar --key vendor.pub",
	      .opts = install_opts },
	    sigcmd_install, 1, 1 },
	{ { .name = "signatures bundle",
	      .usage = "DIR -o FILE [--key PRIVATE-KEY] [--version V]",
	      .summary = "make a bundle from a folder of packs",
	      .about = "Signed when a key is given.",
	      .examples =
		  "phonehome signatures bundle signatures/packs -o packs.tar --key packs.key",
	      .opts = bundle_opts },
	    sigcmd_bundle, 1, 1 },
	{ { .name = "signatures keygen",
	      .usage = "NAME",
	      .summary = "a new Ed25519 key pair: NAME.key (private, keep it) and NAME.pub",
	      .examples = "phonehome signatures keygen packs",
	      .opts = keygen_opts },
	    sigcmd_keygen, 1, 1 },
};
enum { N_SUBS = sizeof(subs) / sizeof(subs[0]) };

const struct ctl_verb *
ctl_signatures_verb(unsigned i)
{
	return i < N_SUBS ? &subs[i].verb : NULL;
}

struct sig_args {
	struct ctl_common common;
	struct sigcmd cmd;
	char **argv; /* arguments are put at its front: they are never more than what was read */
};

static int
take_option(void *ctx, int id, const char *value)
{
	struct sig_args *a = ctx;
	struct sigcmd *c = &a->cmd;
	char *end;

	switch (id) {
	case O_NOTES: c->notes = true; return -1;
	case O_KEY: c->key = value; return -1;
	case O_UNSIGNED: c->allow_unsigned = true; return -1;
	case O_REPLACE: c->replace = true; return -1;
	case O_OUTPUT: c->output = value; return -1;
	case O_VERSION: c->version = value; return -1;
	case O_DAYS:
		c->days = (unsigned)strtoul(value, &end, 10);
		if (*value >= '0' && *value <= '9' && !*end && c->days > 0 && c->days <= 36500)
			return -1;
		return ctl_usage(a->common.verb, "--days %s: want 1 to 36500 days", value);
	default: a->argv[c->argc++] = (char *)value; return -1;
	}
}

static int
read_args(const struct sub *s, struct sig_args *a, int argc, char **argv)
{
	ctl_common_init(&a->common, &s->verb);
	a->cmd = (struct sigcmd){ .verb = &s->verb, .days = LINT_DAYS, .argv = argv };
	a->argv = argv;
	int code = ctl_args_read(&a->common, argc, argv, take_option, a);
	if (code >= 0)
		return code;
	if (a->cmd.argc < s->least)
		return ctl_usage(&s->verb, "an argument is missing: %s", s->verb.usage);
	if (s->most >= 0 && a->cmd.argc > s->most)
		return ctl_usage(&s->verb, "what is \"%s\" here?", argv[s->most]);
	a->cmd.json = a->common.format == CTL_JSON;
	a->cmd.packs = ctl_packs_path(a->common.packs);
	return -1;
}

static int
run(int argc, char **argv)
{
	const struct ctl_verb *verbs[N_SUBS];
	struct sig_args a;
	unsigned i;

	for (i = 0; i < N_SUBS; i++)
		verbs[i] = &subs[i].verb;
	int code = ctl_verb_under(&ctl_verb_signatures, verbs, N_SUBS, argc, argv, &i);
	if (code < 0)
		code = read_args(&subs[i], &a, argc - 1, argv + 1);
	return code >= 0 ? code : ctl_finish(subs[i].run(&a.cmd));
}

int
sigcmd_say(struct sig_diag *diag, int code)
{
	sig_diag_print(diag, stderr);
	sig_diag_free(diag);
	return code;
}

int
sigcmd_load(const char *path, struct sig_packs **ret_packs, struct sig_ruleset **ret_rules)
{
	struct sig_packs *packs = NULL;
	struct sig_diag diag = { 0 };

	if (sig_packs_load(path, &packs, &diag) != 0)
		return sigcmd_say(&diag, 2);
	if (ret_rules && sig_compile(packs, ret_rules, &diag) != 0) {
		sig_packs_free(packs);
		return sigcmd_say(&diag, 2);
	}
	*ret_packs = packs;
	return sigcmd_say(&diag, 0);
}

const struct ctl_verb ctl_verb_signatures = {
	.name = "signatures",
	.group = "decide",
	.usage = "match|list|lint|test|show|why|diff|install|bundle|keygen ...",
	.summary = "what the packs know: ask, check, explain, update them",
	.about = "Packs are read from --packs, $PHONEHOME_PACKS, or the installed folder. Each "
		 "explains itself, with examples: phonehome signatures VERB --help. The format: "
		 "phonehome-packs(5)",
	.run = run,
};
