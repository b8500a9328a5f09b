/* SPDX-License-Identifier: Apache-2.0 */
/* signatures/value.c and facts.c: small values and spellings. */
#include "pack_text.h"
#include "signatures/facts.h"
#include "signatures/value.h"

static void
dates(void **state)
{
	static const char *const bad[] = { "", "2026-1-1", "2026-13-01", "2026-02-29", "2100-02-29",
		"2026-04-31", "2026-00-10", "2026-01-00", "26-01-01", "2026/01/01", "2026-01-01x",
		"1969-12-31", "+026-01-01" };
	uint32_t d = 5;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(sig_value_date(bad[i], &d) < 0);
	assert_int_equal(d, 5);
	assert_int_equal(sig_value_date("2024-02-29", &d), 0);
	assert_int_equal(d, 20240229);
	assert_int_equal(sig_value_date("2000-02-29", &d), 0);
	assert_in_range(sig_value_today(), 20240101, 21000101);
}

static void
words(void **state)
{
	(void)state;
	assert_true(sig_value_is_country("US"));
	assert_true(sig_value_is_country("CN"));
	assert_true(sig_value_is_country("ZW"));
	assert_false(sig_value_is_country("us"));
	assert_false(sig_value_is_country("UK"));
	assert_false(sig_value_is_country("EU"));
	assert_false(sig_value_is_country("USA"));
	assert_false(sig_value_is_country("S "));
	assert_false(sig_value_is_country(""));
	assert_true(sig_value_is_id("a-b2"));
	assert_false(sig_value_is_id("-a"));
	assert_false(sig_value_is_id("a-"));
	assert_false(sig_value_is_id("A"));
	assert_false(sig_value_is_id("a_b"));
	assert_false(sig_value_is_id(""));
}

static void
prefixes(void **state)
{
	static const char *const bad[] = { "", "x", "1.2.3", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/-1",
		"1.2.3.4/24", "10.0.0.0/7", "0.0.0.0/0", "::/0", "2001:db8::1/64", "2001::/15",
		"1.2.3.4/032x", "1.2.3.4/1000" };
	struct sig_prefix p = { 0 };
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (sig_value_prefix(bad[i], &p, &why) == 0)
			fail_msg("%s was taken", bad[i]);
	assert_int_equal(sig_value_prefix("192.0.2.128/25", &p, &why), 0);
	assert_int_equal(p.len, 4);
	assert_int_equal(p.bits, 25);
	assert_int_equal(p.addr[3], 128);
	assert_int_equal(sig_value_prefix("2001:db8::", &p, &why), 0);
	assert_int_equal(p.bits, 128);
}

static void
ports(void **state)
{
	static const char *const good[] = { "tcp/443", "udp/1", "sctp/65535" };
	static const char *const bad[] = { "", "443", "tcp", "tcp/", "tcp/0", "tcp/65536",
		"tcp/0443", "icmp/1", "tcp/44x", "TCP/443", "tcp/123456" };
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(sig_value_port(good[i], &why), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(sig_value_port(bad[i], &why) < 0);
}

static void
hex(void **state)
{
	uint8_t b[4], m[4];
	const char *why;

	(void)state;
	assert_int_equal(sig_value_hex("de AD \?\? 0f", b, m, 4, &why), 4);
	assert_memory_equal(b, "\xde\xad\x00\x0f", 4);
	assert_memory_equal(m, "\xff\xff\x00\xff", 4);
	assert_true(sig_value_hex("d", b, m, 4, &why) < 0);
	assert_true(sig_value_hex("d e", b, m, 4, &why) < 0);
	assert_true(sig_value_hex("?d", b, m, 4, &why) < 0);
	assert_true(sig_value_hex("\?\?", b, NULL, 4, &why) < 0);
	assert_true(sig_value_hex("  ", b, m, 4, &why) < 0);
	assert_true(sig_value_hex("0102030405", b, m, 4, &why) < 0);
}

static void
expressions(void **state)
{
	const uint8_t bytes[] = { 0xde, 0x00, '.' }, mask[] = { 0xff, 0, 0xff };
	char why[128] = "", *e;

	(void)state;
	e = sig_value_expression("/a.b?", true);
	assert_string_equal(e, "^\\x2fa\\x2eb\\x3f");
	free(e);
	e = sig_value_expression("re:a.b", true);
	assert_string_equal(e, "a.b");
	free(e);
	e = sig_value_payload_expression(bytes, mask, 3, 4);
	assert_string_equal(e, "^.{4}\\xde.\\x2e");
	free(e);
	assert_int_equal(sig_value_check_expression("a[0-9]+", why, sizeof(why)), 0);
	assert_true(sig_value_check_expression("a(", why, sizeof(why)) < 0);
	assert_true(strlen(why) > 0);
	assert_true(sig_value_check_expression("a*", why, sizeof(why)) < 0);
	assert_true(sig_value_check_expression("(a)\\1", why, sizeof(why)) < 0);
}

static void
spellings(void **state)
{
	(void)state;
	for (unsigned i = 1; i < SIG_F_MAX; i++) {
		assert_int_equal(sig_field_parse(sig_field_name(i)), i);
		assert_in_range(sig_field_grade(i), SIG_CONF_GUESS, SIG_CONF_CERTAIN);
	}
	for (unsigned i = 1; i < SIG_FN_MAX; i++)
		assert_int_equal(sig_function_parse(sig_function_name(i)), i);
	for (unsigned i = 1; i < SIG_CONF_MAX; i++)
		assert_int_equal(sig_confidence_parse(sig_confidence_name(i)), i);
	assert_int_equal(sig_field_parse("none"), SIG_F_NONE);
	assert_int_equal(sig_function_parse("Update"), SIG_FN_NONE);
	assert_int_equal(sig_field_grade(SIG_F_MAX), SIG_CONF_NONE);
	assert_int_equal(sig_field_grade(SIG_F_TLS_SNI), SIG_CONF_CERTAIN);
	assert_int_equal(sig_field_grade(SIG_F_TLS_CERT), SIG_CONF_STRONG);
	assert_int_equal(sig_field_grade(SIG_F_DNS_MEMORY), SIG_CONF_INFERRED);
	assert_int_equal(sig_field_grade(SIG_F_PORT), SIG_CONF_GUESS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(dates), cmocka_unit_test(words),
		cmocka_unit_test(prefixes), cmocka_unit_test(ports), cmocka_unit_test(hex),
		cmocka_unit_test(expressions), cmocka_unit_test(spellings) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
