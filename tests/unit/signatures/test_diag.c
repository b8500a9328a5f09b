/* SPDX-License-Identifier: Apache-2.0 */
/* signatures/base/diag.c: the forms of a message, and the bound on their number. */
#include "pack_text.h"
#include "signatures/base/diag.h"

static void
forms(void **state)
{
	struct sig_diag d = { 0 };

	(void)state;
	sig_diag_add(&d, SIG_ERROR, "f.yaml", 3, 7, "bad %s", "word");
	sig_diag_add(&d, SIG_WARNING, "f.yaml", 3, 0, "x");
	sig_diag_add(&d, SIG_NOTE, "f.yaml", 0, 9, "x");
	sig_diag_add(&d, SIG_ERROR, NULL, 4, 4, "x");
	assert_string_equal(d.msgs[0].text, "f.yaml:3:7: bad word");
	assert_string_equal(d.msgs[1].text, "f.yaml:3: x");
	assert_string_equal(d.msgs[2].text, "f.yaml: x");
	assert_string_equal(d.msgs[3].text, "x");
	assert_int_equal(d.errors, 2);
	sig_diag_free(&d);
	assert_int_equal(d.n, 0);
	sig_diag_add(NULL, SIG_ERROR, "f", 1, 1, "nobody listens");
	sig_diag_free(NULL);
}

static void
bound(void **state)
{
	struct sig_diag d = { 0 };
	char *shown = NULL;
	size_t len;
	FILE *f = open_memstream(&shown, &len);

	(void)state;
	for (unsigned i = 0; i < SIG_DIAG_MAX + 5; i++)
		sig_diag_add(&d, SIG_ERROR, "f", i + 1, 1, "x");
	assert_int_equal(d.n, SIG_DIAG_MAX);
	assert_int_equal(d.dropped, 5);
	assert_int_equal(d.errors, SIG_DIAG_MAX + 5);
	sig_diag_print(&d, f);
	fclose(f);
	assert_non_null(strstr(shown, "and 5 more\n"));
	free(shown);
	sig_diag_free(&d);
}

/* However much is noted, what is wrong has room. */
static void
notes(void **state)
{
	struct sig_diag d = { 0 };

	(void)state;
	for (unsigned i = 0; i < SIG_DIAG_MAX; i++)
		sig_diag_add(&d, SIG_NOTE, "f", i + 1, 1, "x");
	sig_diag_add(&d, SIG_WARNING, "f", 1, 1, "wrong");
	assert_int_equal(d.n, SIG_DIAG_MAX / 2 + 1);
	assert_int_equal(d.msgs[d.n - 1].severity, SIG_WARNING);
	assert_int_equal(d.dropped, SIG_DIAG_MAX / 2);
	sig_diag_free(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(forms), cmocka_unit_test(bound),
		cmocka_unit_test(notes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
