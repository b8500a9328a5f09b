/* SPDX-License-Identifier: Apache-2.0 */
/* Events as flat blocks: text that does not fit is left out, and a damaged block is refused. */
#include "tests/unit/classifier/check.h"

#include "classifier/event.h"

static struct clf_event event;

static void
make(void)
{
	memset(&event, 0, sizeof(event));
	event.type = CLF_EV_DECIDED;
	event.has_details = 1;
	event.ip_version = 4;
	event.name = clf_event_add(&event, "a.example", 9);
	event.size = (uint32_t)CLF_EVENT_SIZE(event.text_len);
}

static void
text_is_appended_or_absent(void **state)
{
	static uint8_t big[CLF_TEXT_MAX];
	(void)state;

	make();
	assert_bytes(clf_event_str(&event, event.name), event.name.len, "a.example");
	struct clf_str s = clf_event_add(&event, big, CLF_TEXT_MAX);
	assert_int_equal(s.len, 0);
	s = clf_event_add(&event, big, CLF_TEXT_MAX - 9);
	assert_int_equal(s.len, CLF_TEXT_MAX - 9);
	assert_int_equal(clf_event_add(&event, "x", 1).len, 0);
}

static void
damage_is_refused(void **state)
{
	(void)state;
	make();
	assert_true(clf_event_valid(&event, event.size));
	assert_false(clf_event_valid(&event, event.size - 1));
	assert_false(clf_event_valid(&event, 3));
	event.name.len = 10;
	assert_false(clf_event_valid(&event, event.size));
	make();
	event.name.off = 65535;
	assert_false(clf_event_valid(&event, event.size));
	make();
	event.verdict = CLF_WOULD_RESET + 1;
	assert_false(clf_event_valid(&event, event.size));
	make();
	event.n_names = CLF_NAMES_MAX + 1;
	assert_false(clf_event_valid(&event, event.size));
	make();
	event.n_evidence = 1;
	event.evidence[0].field = SIG_F_MAX;
	assert_false(clf_event_valid(&event, event.size));
	make();
	event.type = 0;
	assert_false(clf_event_valid(&event, event.size));
	make();
	event.text_len = CLF_TEXT_MAX + 1;
	assert_false(clf_event_valid(&event, event.size));
}

static void
spellings(void **state)
{
	(void)state;
	assert_string_equal(clf_flag_name(0), "ambiguous");
	assert_string_equal(clf_flag_name(14), "encrypted-dns");
	assert_string_equal(clf_flag_name(22), "bad-checksum");
	assert_null(clf_flag_name(23));
	assert_null(clf_flag_name(1000));
	assert_string_equal(clf_state_name(CLF_GAVE_UP), "gave-up");
	assert_string_equal(clf_verdict_name(CLF_WOULD_DROP), "would-drop");
	assert_null(clf_tunnel_name(CLF_TUN_NONE));
	assert_string_equal(clf_tunnel_name(CLF_TUN_GTPU), "gtp-u");
	for (unsigned i = 0; i < CLF_BLIND_MAX; i++)
		assert_non_null(clf_blind_name(i));
	assert_null(clf_blind_name(CLF_BLIND_MAX));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_appended_or_absent),
		cmocka_unit_test(damage_is_refused),
		cmocka_unit_test(spellings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
