/* SPDX-License-Identifier: Apache-2.0 */
/* `phonehome signatures`: its command line and table of verbs. */
#include "ctl/cmd_signatures.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/verbs.h"
#include "signatures/base/yaml.h"

enum { LINT_DAYS = 730 };

static const struct verb {
	const char *name;
	int (*run)(const struct sigcmd *c);
	const char *options; /* letters of those it takes, see `longs` */
	int least, most;     /* arguments; most -1: any number */
	const char *usage, *about, *example;
} verbs[] = {
	{ "match", sigcmd_match, "jp", 1, -1, "[--json] [--packs DIR] NAME...|-",
	    "How the packs classify host names: one line a name, in order; - reads names from "
	    "stdin.\n"
	    "Columns, by tabs: name, vendor, country, product, function, signature.",
	    "  phonehome signatures match ts01-b.cloudsink.net\n"
	    "  phonehome signatures match --json - < names.txt" },
	{ "list", sigcmd_list, "jp", 0, 0, "[--json] [--packs DIR]",
	    "The packs: vendor, seat, owner, products and signatures, with their counts.",
	    "  phonehome signatures list" },
	{ "lint", sigcmd_lint, "pdn", 0, 0, "[--packs DIR] [--days N] [--notes]",
	    "What is legal but wrong, useless or old: sources, dates older than N days (730), "
	    "rules\n"
	    "that can never match or win, examples missing. Exit 1 when anything is found.",
	    "  phonehome signatures lint --days 365 --packs my-packs" },
	{ "test", sigcmd_test, "p", 0, 0, "[--packs DIR]",
	    "Runs the examples that the packs carry. Exit 1 when any fails.",
	    "  phonehome signatures test" },
	{ "show", sigcmd_show, "jp", 1, 1, "[--json] [--packs DIR] ID",
	    "A pack, or one signature (pack/signature).",
	    "  phonehome signatures show crowdstrike\n"
	    "  phonehome signatures show --json crowdstrike/falcon-sensor-events" },
	{ "why", sigcmd_why, "jp", 1, 1, "[--json] [--packs DIR] NAME",
	    "All rules that look at a host name: which won, by which clause of the documented "
	    "order,\n"
	    "which lost, and which would need more than the name.",
	    "  phonehome signatures why update.fortiguard.net" },
	{ "diff", sigcmd_diff, "j", 2, 2, "[--json] OLD NEW",
	    "What an update changes: signatures and patterns added, removed, changed. OLD and NEW "
	    "are\n"
	    "folders of packs or single packs.",
	    "  phonehome signatures diff /usr/local/share/phonehome/packs new-packs" },
	{ "install", sigcmd_install, "pku", 1, 1,
	    "BUNDLE [--key FILE] [--allow-unsigned] [--packs DIR]",
	    "Checks a bundle's signature, then its digests, then its packs, and replaces the "
	    "folder of\n"
	    "packs in one step. Older or altered bundles are refused and nothing changes.",
	    "  phonehome signatures install packs.tar --key vendor.pub" },
	{ "bundle", sigcmd_bundle, "okv", 1, 1, "DIR -o FILE [--key PRIVATE-KEY] [--version V]",
	    "Makes a bundle from a folder of packs, signed when a key is given. The version is "
	    "the\n"
	    "highest of the packs' unless given.",
	    "  phonehome signatures bundle signatures/packs -o packs.tar --key packs.key" },
	{ "keygen", sigcmd_keygen, "", 1, 1, "NAME",
	    "A new Ed25519 key pair: NAME.key (private, keep it) and NAME.pub.",
	    "  phonehome signatures keygen packs" },
};
enum { VERBS = sizeof(verbs) / sizeof(verbs[0]) };

static const struct option longs[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "packs", required_argument, NULL, 'p' },
	{ "days", required_argument, NULL, 'd' },
	{ "notes", no_argument, NULL, 'n' },
	{ "key", required_argument, NULL, 'k' },
	{ "allow-unsigned", no_argument, NULL, 'u' },
	{ "output", required_argument, NULL, 'o' },
	{ "version", required_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static void
help_all(FILE *to)
{
	fprintf(to, "usage: phonehome signatures VERB [OPTION]... [ARGUMENT]...\n\n"
		    "What the packs know of vendors, and their upkeep.\n\n");
	for (unsigned i = 0; i < VERBS; i++)
		fprintf(to, "  %-8s %s\n", verbs[i].name, verbs[i].usage);
	fprintf(to, "\nPacks are read from --packs, $PHONEHOME_PACKS, or the installed folder.\n"
		    "`phonehome signatures VERB --help` tells more, with examples.\n");
}

static void
help_one(const struct verb *v)
{
	printf("usage: phonehome signatures %s %s\n\n%s\n\nExamples:\n%s\n", v->name, v->usage,
	    v->about, v->example);
}

static int
misuse(const struct verb *v, const char *what, const char *which)
{
	fprintf(stderr, "phonehome signatures %s: %s%s (try: phonehome signatures %s --help)\n",
	    v->name, what, which, v->name);
	return 2;
}

static const char *
name_of(int letter)
{
	for (const struct option *o = longs; o->name; o++)
		if (o->val == letter)
			return o->name;
	return "";
}

static bool
take(struct sigcmd *c, int opt, const char *arg)
{
	char *end;

	switch (opt) {
	case 'j': c->json = true; break;
	case 'p': c->packs = arg; break;
	case 'n': c->notes = true; break;
	case 'k': c->key = arg; break;
	case 'u': c->allow_unsigned = true; break;
	case 'o': c->output = arg; break;
	case 'v': c->version = arg; break;
	case 'd':
		c->days = (unsigned)strtoul(arg, &end, 10);
		return *arg && !*end && c->days > 0 && c->days <= 36500;
	default: break;
	}
	return true;
}

static int
run(const struct verb *v, int argc, char **argv)
{
	struct sigcmd c = { .verb = v->name, .days = LINT_DAYS };
	int opt;

	optind = 0;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, "jo:p:k:h", longs, NULL)) != -1) {
		if (opt == 'h') {
			help_one(v);
			return 0;
		}
		if (opt == '?')
			return misuse(
			    v, "unknown option, or one without its value: ", argv[optind - 1]);
		if (!strchr(v->options, opt))
			return misuse(v, "takes no option --", name_of(opt));
		if (!take(&c, opt, optarg))
			return misuse(v, "wrong number of days: ", optarg);
	}
	c.argc = argc - optind;
	c.argv = argv + optind;
	if (c.argc < v->least || (v->most >= 0 && c.argc > v->most))
		return misuse(
		    v, c.argc < v->least ? "an argument is missing" : "too many arguments", "");
	if (!c.packs)
		c.packs = sig_packs_default_dir();
	opt = v->run(&c);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "phonehome signatures %s: stdout could not be written\n", v->name);
		return opt ? opt : 1;
	}
	return opt;
}

int
ctl_cmd_signatures(int argc, char **argv)
{
	const char *names[VERBS], *near;

	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		help_all(argc < 2 ? stderr : stdout);
		return argc < 2 ? 2 : 0;
	}
	for (unsigned i = 0; i < VERBS; i++) {
		if (strcmp(argv[1], verbs[i].name) == 0)
			return run(&verbs[i], argc - 1, argv + 1);
		names[i] = verbs[i].name;
	}
	near = sig_nearest(argv[1], names, VERBS);
	fprintf(stderr,
	    "phonehome signatures: no verb '%s'%s%s%s (see phonehome signatures --help)\n", argv[1],
	    near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
	return 2;
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
	.run = ctl_cmd_signatures,
};
