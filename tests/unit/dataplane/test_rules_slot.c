/* SPDX-License-Identifier: Apache-2.0 */
/* Rules are taken up by their generation, and freed only when no worker can hold them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "dataplane/worker_round.h"

static const char pack[] =
    "format: 1\npack: acme\nversion: 1\n"
    "vendor: {name: Acme, owner: Acme, country: CH, as_of: 2026-01-01, source: x}\n"
    "products: [{id: guard, name: Guard, category: edr}]\n"
    "signatures:\n"
    "  - {id: cloud, product: guard, function: telemetry, confidence: high,\n"
    "     match: [{host: .acme-edr.ch}], source: https://acme.ch/, reviewed: 2026-01-01}\n";

static struct dp_rules *
load(void)
{
	char folder[] = "/tmp/ph-slot-XXXXXX", path[64];
	struct dp_rules *rules = NULL;
	struct sig_diag diag = { 0 };

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/acme.yaml", folder);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(pack, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(dp_rules_load(folder, NULL, &rules, &diag), 0);
	unlink(path);
	rmdir(folder);
	sig_diag_free(&diag);
	return rules;
}

static void
test_taken_by_generation(void **state)
{
	static struct dp_worker w;
	static _Atomic bool bypass;
	struct clf_engine_config config;
	struct dp_rules_slot slot;
	struct sig_diag diag = { 0 };

	(void)state;
	assert_int_equal(dp_rules_slot_init(&slot, 1), 0);
	assert_int_equal(dp_rules_publish(&slot, load()), 0);
	struct dp_rules *first = dp_rules_active(&slot);
	clf_engine_config_default(&config);
	config.max_flows = config.max_inspecting = 64;
	config.stream_bytes = 1 << 20;
	config.ndpi = CLF_NDPI_OFF;
	w.slot = &slot;
	w.bypass = &bypass;
	w.generation = first->generation;
	assert_int_equal(clf_engine_new(&config, first->rules, first->policy, &w.engine, &diag), 0);
	dp_round_begin(&w);
	assert_false(dp_round_asked(&w));
	assert_int_equal(w.generation, 1);

	/* The old pair waits for the worker, which lets go of it in its next round. */
	assert_int_equal(dp_rules_publish(&slot, load()), 0);
	assert_int_equal(dp_rules_reap(&slot), 1);
	assert_false(dp_round_asked(&w));
	assert_int_equal(w.generation, 2);
	assert_false(w.holds_old);
	dp_rules_quiescent(&slot, w.id);
	assert_int_equal(dp_rules_reap(&slot), 0);

	/* A later pair may lie where a freed one lay: its address alone says nothing. */
	struct dp_rules *active = dp_rules_active(&slot), *other = load();
	struct sig_ruleset *rules = active->rules;
	active->rules = other->rules;
	active->generation = ++slot.generation;
	other->rules = rules;
	assert_false(dp_round_asked(&w));
	assert_int_equal(w.generation, 3);
	dp_rules_free(other);
	dp_round_end(&w);
	clf_engine_free(w.engine);
	dp_rules_slot_fini(&slot);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_taken_by_generation) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
