/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one place where the active rule set and policy change (invariant 3).
 *
 *   workers: dp_rules_active() each round, then dp_rules_quiescent(): no pointer is held over it
 *   one thread at a time: dp_rules_load(), dp_rules_publish(), dp_rules_reap()
 *   any other thread: dp_rules_lock() .. dp_rules_unlock() around reading what is active
 *
 * A pair is compiled whole before it is published, and freed when every worker has been quiescent
 * since; a stalled worker only delays that.
 */
#ifndef DATAPLANE_RULES_SLOT_H
#define DATAPLANE_RULES_SLOT_H

#include <pthread.h>
#include <rte_rcu_qsbr.h>
#include <stdatomic.h>

#include "classifier/policy.h"
#include "signatures/ruleset.h"

enum { DP_RETIRED_MAX = 8 };

struct dp_rules {
	struct sig_ruleset *rules;
	struct clf_policy *policy;
	uint32_t generation;
	uint64_t loaded_us; /* wall clock */
	uint64_t token;	    /* of QSBR, once retired */
};

struct dp_rules_slot {
	_Atomic(struct dp_rules *) active;
	struct rte_rcu_qsbr *qsbr;
	pthread_mutex_t lock; /* keeps the reaper off while another thread reads */
	struct dp_rules *retired[DP_RETIRED_MAX];
	unsigned n_retired;
	uint32_t generation;
};

/* 0 or -ENOMEM. Workers register themselves with slot->qsbr. */
int dp_rules_slot_init(struct dp_rules_slot *slot, unsigned workers);
void dp_rules_slot_fini(struct dp_rules_slot *slot); /* workers have ended: frees everything */

/* Loads and compiles aside. policy_path NULL: the built-in one. 0, or -errno and diag. */
int dp_rules_load(
    const char *packs, const char *policy_path, struct dp_rules **ret_rules, struct sig_diag *diag);
void dp_rules_free(struct dp_rules *rules);
/* Takes the pair over. -EBUSY: too many old ones are still in use; then it stays the caller's. */
int dp_rules_publish(struct dp_rules_slot *slot, struct dp_rules *rules);
/* Frees what no worker can hold any more. Returns how many are still waiting. */
unsigned dp_rules_reap(struct dp_rules_slot *slot);

static inline struct dp_rules *
dp_rules_active(const struct dp_rules_slot *slot)
{
	return atomic_load_explicit(&slot->active, memory_order_acquire);
}

static inline void
dp_rules_quiescent(struct dp_rules_slot *slot, unsigned worker)
{
	rte_rcu_qsbr_quiescent(slot->qsbr, worker);
}

const struct dp_rules *dp_rules_lock(struct dp_rules_slot *slot);
void dp_rules_unlock(struct dp_rules_slot *slot);

#endif
