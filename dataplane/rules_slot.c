/* SPDX-License-Identifier: Apache-2.0 */
/* The active rule set and policy: published by pointer, retired by quiescent states. */
#include "dataplane/rules_slot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int
dp_rules_slot_init(struct dp_rules_slot *slot, unsigned workers)
{
	size_t size = rte_rcu_qsbr_get_memsize(workers);

	memset(slot, 0, sizeof(*slot));
	pthread_mutex_init(&slot->lock, NULL);
	slot->qsbr = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN(size, RTE_CACHE_LINE_SIZE));
	if (!slot->qsbr)
		return -ENOMEM;
	if (rte_rcu_qsbr_init(slot->qsbr, workers) != 0) {
		free(slot->qsbr);
		slot->qsbr = NULL;
		return -ENOMEM;
	}
	return 0;
}

void
dp_rules_slot_fini(struct dp_rules_slot *slot)
{
	for (unsigned i = 0; i < slot->n_retired; i++)
		dp_rules_free(slot->retired[i]);
	slot->n_retired = 0;
	dp_rules_free(atomic_exchange(&slot->active, NULL));
	free(slot->qsbr);
	slot->qsbr = NULL;
	pthread_mutex_destroy(&slot->lock);
}

int
dp_rules_load(
    const char *packs, const char *policy_path, struct dp_rules **ret_rules, struct sig_diag *diag)
{
	struct dp_rules *r = calloc(1, sizeof(*r));
	struct sig_packs *loaded = NULL;
	struct timespec now;

	if (!r)
		return -ENOMEM;
	int rc = sig_packs_load(packs, &loaded, diag);
	if (rc == 0)
		rc = sig_compile(loaded, &r->rules, diag);
	sig_packs_free(loaded);
	/* Both are read even when the first is bad: one reload shows all faults. */
	int policy_rc = clf_policy_load(policy_path, &r->policy, diag);
	if (rc == 0)
		rc = policy_rc;
	if (rc < 0) {
		dp_rules_free(r);
		return rc;
	}
	clf_policy_check(r->policy, r->rules, diag);
	clock_gettime(CLOCK_REALTIME, &now);
	r->loaded_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	*ret_rules = r;
	return 0;
}

void
dp_rules_free(struct dp_rules *rules)
{
	if (!rules)
		return;
	clf_policy_free(rules->policy);
	sig_ruleset_free(rules->rules);
	free(rules);
}

int
dp_rules_publish(struct dp_rules_slot *slot, struct dp_rules *rules)
{
	(void)dp_rules_reap(slot);
	if (slot->n_retired == DP_RETIRED_MAX)
		return -EBUSY;
	rules->generation = ++slot->generation;
	pthread_mutex_lock(&slot->lock);
	struct dp_rules *old = atomic_exchange_explicit(&slot->active, rules, memory_order_acq_rel);
	pthread_mutex_unlock(&slot->lock);
	if (old) {
		old->token = rte_rcu_qsbr_start(slot->qsbr);
		slot->retired[slot->n_retired++] = old;
	}
	return 0;
}

unsigned
dp_rules_reap(struct dp_rules_slot *slot)
{
	struct dp_rules *done[DP_RETIRED_MAX];
	unsigned kept = 0, n_done = 0;

	/* Nobody who reads what is active waits until old pairs are freed. */
	pthread_mutex_lock(&slot->lock);
	for (unsigned i = 0; i < slot->n_retired; i++) {
		if (rte_rcu_qsbr_check(slot->qsbr, slot->retired[i]->token, false) == 1)
			done[n_done++] = slot->retired[i];
		else
			slot->retired[kept++] = slot->retired[i];
	}
	slot->n_retired = kept;
	pthread_mutex_unlock(&slot->lock);
	while (n_done > 0)
		dp_rules_free(done[--n_done]);
	return kept;
}

const struct dp_rules *
dp_rules_lock(struct dp_rules_slot *slot)
{
	pthread_mutex_lock(&slot->lock);
	return dp_rules_active(slot);
}

void
dp_rules_unlock(struct dp_rules_slot *slot)
{
	pthread_mutex_unlock(&slot->lock);
}
