/* SPDX-License-Identifier: Apache-2.0 */
/* What callers may ask of a rule set, and the scratch that matching needs. */
#include "signatures/ruleset.h"

#include <errno.h>
#include <stdlib.h>

#include "signatures/rules.h"

uint32_t
sig_ruleset_count(const struct sig_ruleset *rules)
{
	return rules->n_sigs;
}

const struct sig_info *
sig_ruleset_info(const struct sig_ruleset *rules, uint32_t sig)
{
	return sig >= 1 && sig <= rules->n_all ? &rules->infos[sig] : NULL;
}

const char *
sig_ruleset_digest(const struct sig_ruleset *rules)
{
	return rules->digest;
}

const char *
sig_ruleset_origin(const struct sig_ruleset *rules)
{
	return rules->origin;
}

uint32_t
sig_ruleset_fields(const struct sig_ruleset *rules)
{
	return rules->fields;
}

unsigned
sig_ruleset_payload_reach(const struct sig_ruleset *rules, bool down)
{
	return rules->payload_reach[down];
}

int
sig_scratch_new(const struct sig_ruleset *rules, struct sig_scratch **ret_scratch)
{
	struct sig_scratch *s = calloc(1, sizeof(*s));
	int err = s ? sig_scratch_fit(s, rules) : -ENOMEM;

	if (err) {
		sig_scratch_free(s);
		return err;
	}
	*ret_scratch = s;
	return 0;
}

static int
fit_db(struct sig_scratch *s, unsigned d, const struct expr_db *db)
{
	uint8_t *seen;
	uint32_t *list;

	if (db->n > s->cap[d]) {
		seen = calloc(db->n, sizeof(*seen));
		list = calloc(db->n, sizeof(*list));
		if (!seen || !list) {
			free(seen);
			free(list);
			return -ENOMEM;
		}
		free(s->seen[d]);
		free(s->list[d]);
		s->seen[d] = seen;
		s->list[d] = list;
		s->cap[d] = db->n;
	}
	if (db->db && hs_alloc_scratch(db->db, &s->hs) != HS_SUCCESS)
		return -ENOMEM;
	return 0;
}

int
sig_scratch_fit(struct sig_scratch *scratch, const struct sig_ruleset *rules)
{
	for (unsigned d = 0; d < EXPR_DBS; d++) {
		int err = fit_db(scratch, d, &rules->exprs[d]);

		if (err)
			return err;
	}
	return 0;
}

void
sig_scratch_free(struct sig_scratch *scratch)
{
	if (!scratch)
		return;
	for (unsigned d = 0; d < EXPR_DBS; d++) {
		free(scratch->seen[d]);
		free(scratch->list[d]);
	}
	hs_free_scratch(scratch->hs);
	free(scratch);
}
