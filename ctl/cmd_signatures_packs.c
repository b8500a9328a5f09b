/* SPDX-License-Identifier: Apache-2.0 */
/* `phonehome signatures` verbs about packs as files: list, lint, test, install, bundle, keygen. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/cmd_signatures.h"
#include "signatures/bundle.h"
#include "signatures/examples.h"
#include "signatures/value.h"

static void
list_json(const struct sig_packs *packs, const struct sig_ruleset *rules)
{
	json_t *list = json_array(), *o;
	unsigned sigs = 0;

	for (unsigned i = 0; i < packs->n; i++) {
		const struct pack *p = packs->files[i].pack;
		const char *owner_country = p->vendor.owner_country;

		sigs += p->signatures_count;
		json_array_append_new(
		    list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i}", "pack", p->id,
			      "version", p->version, "vendor", p->vendor.name, "owner",
			      p->vendor.owner, "country", p->vendor.country, "owner_country",
			      owner_country ? owner_country : p->vendor.country, "as_of",
			      p->vendor.as_of, "products", (int)p->products_count, "signatures",
			      (int)p->signatures_count));
	}
	o = json_pack("{s:i, s:i, s:s, s:s, s:o}", "vendors", (int)packs->n, "signatures",
	    (int)sigs, "origin", sig_ruleset_origin(rules), "digest", sig_ruleset_digest(rules),
	    "packs", list);
	json_dumpf(o, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(o);
}

int
sigcmd_list(const struct sigcmd *c)
{
	struct sig_packs *packs = NULL;
	struct sig_ruleset *rules = NULL;
	unsigned sigs = 0, products = 0;
	int width = 6, code = sigcmd_load(c->packs, &packs, &rules);

	if (code)
		return code;
	if (c->json) {
		list_json(packs, rules);
		goto out;
	}
	for (unsigned i = 0; i < packs->n; i++) {
		int n = (int)strlen(packs->files[i].pack->vendor.name);

		width = n > width ? n : width;
	}
	printf("%-*s  SEAT  PRODUCTS  SIGNATURES  VERSION       OWNER\n", width, "VENDOR");
	for (unsigned i = 0; i < packs->n; i++) {
		const struct pack *p = packs->files[i].pack;

		sigs += p->signatures_count;
		products += p->products_count;
		printf("%-*s  %-4s  %8u  %10u  %-12s  %s\n", width, p->vendor.name,
		    p->vendor.country, p->products_count, p->signatures_count, p->version,
		    p->vendor.owner);
	}
	printf("\n%u vendors, %u products, %u signatures (%s)\n", packs->n, products, sigs,
	    sig_ruleset_origin(rules));
out:
	sig_ruleset_free(rules);
	sig_packs_free(packs);
	return 0;
}

int
sigcmd_lint(const struct sigcmd *c)
{
	struct sig_packs *packs = NULL;
	struct sig_diag diag = { 0 };
	int code = sigcmd_load(c->packs, &packs, NULL);
	unsigned warnings, unkept;

	if (code)
		return code;
	warnings = unkept = sig_lint(packs, sig_value_today(), c->days, &diag);
	for (unsigned i = 0; i < diag.n; i++) {
		unkept -= diag.msgs[i].severity != SIG_NOTE;
		if (c->notes || diag.msgs[i].severity != SIG_NOTE)
			printf("%s%s\n", diag.msgs[i].severity == SIG_NOTE ? "note: " : "",
			    diag.msgs[i].text);
	}
	if (c->notes ? diag.dropped : unkept)
		printf("and more: %u were not kept\n", c->notes ? diag.dropped : unkept);
	fprintf(stderr, "%u packs, %u found\n", packs->n, warnings);
	sig_diag_free(&diag);
	sig_packs_free(packs);
	return warnings ? 1 : 0;
}

int
sigcmd_test(const struct sigcmd *c)
{
	struct sig_packs *packs = NULL;
	struct sig_ruleset *rules = NULL;
	struct sig_diag diag = { 0 };
	struct examples_figures f = { 0 };
	int code = sigcmd_load(c->packs, &packs, &rules);

	if (code)
		return code;
	if (sig_examples_run(packs, rules, &diag, &f) != 0) {
		ctl_error("out of memory");
		code = CTL_FAILED;
	} else {
		sig_diag_print(&diag, stdout);
		printf("%u examples that match, %u near misses: %u failed\n", f.match, f.no_match,
		    f.failed);
		code = f.failed ? 1 : 0;
	}
	sig_diag_free(&diag);
	sig_ruleset_free(rules);
	sig_packs_free(packs);
	return code;
}

/* 1 when the machine failed, 2 when what was given is wrong. */
static int
code_of(int err)
{
	return err == -EBADMSG || err == -EINVAL || err == -ENOENT || err == -EISDIR ? 2 : 1;
}

int
sigcmd_install(const struct sigcmd *c)
{
	struct sig_bundle_install how = { .bundle = c->argv[0],
		.dir = c->packs,
		.key_file = c->key,
		.allow_unsigned = c->allow_unsigned,
		.replace = c->replace };
	struct sig_diag diag = { 0 };
	char version[33];
	bool is_signed = false;
	int err = sig_bundle_install(&how, version, &is_signed, &diag);

	if (!err)
		printf("installed version %s in %s%s\n", version, c->packs,
		    is_signed ? "" : " (unsigned)");
	if (err && diag.n == 0)
		ctl_error("%s: %s", c->argv[0], strerror(-err));
	return sigcmd_say(&diag, err ? code_of(err) : 0);
}

int
sigcmd_bundle(const struct sigcmd *c)
{
	struct sig_diag diag = { 0 };
	int err;

	if (!c->output)
		return ctl_usage(c->verb, "where to? -o FILE");
	if (c->version && !sig_version_is(c->version))
		return ctl_usage(
		    c->verb, "--version %s: want digits and dots, 32 at most", c->version);
	err = sig_bundle_make(c->argv[0], c->output, c->version, c->key, &diag);
	if (!err)
		printf("wrote %s%s\n", c->output, c->key ? "" : " (unsigned)");
	return sigcmd_say(&diag, err ? code_of(err) : 0);
}

int
sigcmd_keygen(const struct sigcmd *c)
{
	struct sig_diag diag = { 0 };
	char *private_file = NULL, *public_file = NULL;
	int err = -ENOMEM;

	if (c->argv[0][0] == '\0')
		return ctl_usage(c->verb, "a key needs a name");
	if (asprintf(&private_file, "%s.key", c->argv[0]) >= 0 &&
	    asprintf(&public_file, "%s.pub", c->argv[0]) >= 0)
		err = sig_bundle_keygen(private_file, public_file, &diag);
	if (!err)
		printf("wrote %s (private: keep it) and %s\n", private_file, public_file);
	free(private_file);
	free(public_file);
	return sigcmd_say(&diag, err ? 1 : 0);
}
