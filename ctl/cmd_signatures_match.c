/* SPDX-License-Identifier: Apache-2.0 */
/* `phonehome signatures match`: bare host names against the packs, streaming. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/cmd_signatures.h"
#include "signatures/base/text.h"

enum { SHOWN_MAX = 4 * 512 };

struct matcher {
	const struct sigcmd *cmd;
	struct sig_ruleset *rules;
	struct sig_scratch *scratch;
};

static void
print_json(const struct matcher *m, const char *shown, bool legal, const struct sig_result *r)
{
	const struct sig_info *i = r->n_hits ? sig_ruleset_info(m->rules, r->hits[0].sig) : NULL;
	json_t *o = json_pack("{s:s, s:s?}", "name", shown, "vendor", i ? i->vendor : NULL);
	char *text;

	if (i) {
		json_t *also = r->n_hits > 1 ? json_array() : NULL;

		json_object_update_new(
		    o, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "owner", i->owner,
			   "country", i->country, "owner_country", i->owner_country, "product",
			   i->product, "category", i->category, "function",
			   sig_function_name(i->function), "signature", i->id, "confidence",
			   sig_confidence_name(r->hits[0].confidence), "pack_version",
			   i->pack_version));
		for (unsigned k = 1; k < r->n_hits; k++)
			json_array_append_new(
			    also, json_string(sig_ruleset_info(m->rules, r->hits[k].sig)->id));
		if (also)
			json_object_set_new(o, "also", also);
		if (i->shared)
			json_object_set_new(o, "shared", json_true());
		if (i->oem)
			json_object_set_new(o, "oem", json_true());
		if (i->policy_artefact)
			json_object_set_new(o, "artefact", json_true());
	} else if (!legal) {
		json_object_set_new(o, "illegal", json_true());
	}
	text = json_dumps(o, JSON_COMPACT);
	if (text)
		puts(text);
	free(text);
	json_decref(o);
}

static void
match_one(const struct matcher *m, const char *name, size_t len)
{
	char canonical[SIG_NAME_MAX + 1], shown[SHOWN_MAX];
	struct sig_result r = { 0 };
	int n = sig_name_canonical(canonical, (const uint8_t *)name, len);
	const struct sig_info *i = NULL;

	if (n > 0)
		sig_match_name(m->rules, m->scratch, canonical, (size_t)n, &r);
	sig_text_escape(shown, sizeof(shown), (const uint8_t *)name, len);
	if (m->cmd->json) {
		print_json(m, shown, n > 0, &r);
		return;
	}
	if (r.n_hits)
		i = sig_ruleset_info(m->rules, r.hits[0].sig);
	printf("%s\t%s\t%s\t%s\t%s\t%s\n", shown, i ? i->vendor : "", i ? i->country : "",
	    i ? i->product : "", i ? sig_function_name(i->function) : "", i ? i->id : "");
}

static int
match_stdin(const struct matcher *m)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) >= 0 && !ferror(stdout)) {
		if (n > 0 && line[n - 1] == '\n')
			n--;
		if (n > 0 && line[n - 1] == '\r')
			n--;
		match_one(m, line, (size_t)n);
	}
	free(line);
	/* Neither the end nor a reader that went away: an error, or a line that no memory holds. */
	if (ferror(stdin) || (!feof(stdin) && !ferror(stdout))) {
		ctl_error("stdin could not be read");
		return CTL_FAILED;
	}
	return 0;
}

int
sigcmd_match(const struct sigcmd *c)
{
	struct matcher m = { .cmd = c };
	struct sig_packs *packs = NULL;
	int code = sigcmd_load(c->packs, &packs, &m.rules);

	if (code)
		return code;
	sig_packs_free(packs);
	if (sig_scratch_new(m.rules, &m.scratch) != 0) {
		ctl_error("out of memory");
		code = CTL_FAILED;
	}
	for (int i = 0; i < c->argc && !code; i++) {
		if (strcmp(c->argv[i], "-") == 0)
			code = match_stdin(&m);
		else
			match_one(&m, c->argv[i], strlen(c->argv[i]));
	}
	sig_scratch_free(m.scratch);
	sig_ruleset_free(m.rules);
	return code;
}
