/* SPDX-License-Identifier: Apache-2.0 */
/* Protection of Initials against the numbers that RFC 9001 A and RFC 9369 A print. */
#include "tests/unit/classifier/check.h"

#include "classifier/quic.h"
#include "tests/unit/classifier/quic_vectors.h"

static const uint8_t cid[] = { 0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08 };
enum { V1 = 0x00000001, V2 = 0x6b3343cf, DRAFT29 = (int)0xff00001d, PN_OFF = 18 };

static void
assert_hex(const uint8_t *p, size_t n, const char *hex)
{
	char text[2 * 32 + 1];

	assert_true(n <= 32);
	for (size_t i = 0; i < n; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", p[i]);
	assert_string_equal(text, hex);
}

static void
assert_keys(
    const struct clf_quic_crypto *c, uint32_t version, bool server, const char *const want[3])
{
	struct clf_quic_keys k;

	clf_quic_initial_keys(c, clf_quic_version_index(version, 0), cid, sizeof(cid), server, &k);
	assert_hex(k.key, 16, want[0]);
	assert_hex(k.iv, 12, want[1]);
	assert_hex(k.hp, 16, want[2]);
}

/* RFC 9001 A.1, RFC 9369 A.1. */
static void
keys_are_the_rfcs(void **state)
{
	static const char *const v1[2][3] = {
		{ "1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c",
		    "9f50449e04a0e810283a1e9933adedd2" },
		{ "cf3a5331653c364c88f0f379b6067e37", "0ac1493ca1905853b0bba03e",
		    "c206b8d9b9f0f37644430b490eeaa314" },
	};
	static const char *const v2[2][3] = {
		{ "8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f",
		    "45b95e15235d6f45a6b19cbcb0294ba9" },
		{ "82db637861d55e1d011f19ea71d5d2a7", "dd13c276499c0249d3310652",
		    "edf6d05c83121201b436e16877593c3a" },
	};
	struct clf_quic_crypto *c = clf_quic_crypto_new();
	(void)state;

	assert_non_null(c);
	for (int server = 0; server < 2; server++) {
		assert_keys(c, V1, server, v1[server]);
		assert_keys(c, V2, server, v2[server]);
	}
	clf_quic_crypto_free(c);
	clf_quic_crypto_free(NULL);
}

/* RFC 9001 A.2, RFC 9369 A.2: 1,162 bytes of payload that begin with the CRYPTO frame, number 2. */
static void
packets_open(void **state)
{
	static const uint8_t begin[] = { 0x06, 0x00, 0x40, 0xf1, 0x01, 0x00, 0x00, 0xed };
	const struct {
		const uint8_t *p;
		uint32_t version;
	} packets[] = { { quic_v1_initial, V1 }, { quic_v2_initial, V2 } };
	struct clf_quic_crypto *c = clf_quic_crypto_new();
	uint8_t out[1200];
	(void)state;

	for (unsigned i = 0; i < 2; i++) {
		uint8_t *copy = exact_copy(packets[i].p, 1200);
		struct clf_quic_packet packet = { .p = copy, .len = 1200, .pn_off = PN_OFF };
		struct clf_quic_keys k;
		uint64_t number = 0;
		size_t len = 0;

		clf_quic_initial_keys(
		    c, clf_quic_version_index(packets[i].version, 0), cid, sizeof(cid), false, &k);
		assert_true(clf_quic_unprotect(c, &k, &packet, out, &len, &number));
		assert_int_equal(number, 2);
		assert_int_equal(len, 1162);
		assert_memory_equal(out, begin, sizeof(begin));
		copy[1199] ^= 1; /* the tag */
		assert_false(clf_quic_unprotect(c, &k, &packet, out, &len, &number));
		copy[1199] ^= 1;
		copy[6] ^= 1; /* the header is authenticated too */
		assert_false(clf_quic_unprotect(c, &k, &packet, out, &len, &number));
		copy[6] ^= 1;
		k.key[0] ^= 1;
		assert_false(clf_quic_unprotect(c, &k, &packet, out, &len, &number));
		packet.len = PN_OFF + 4 + CLF_QUIC_SAMPLE - 1; /* no room for a sample */
		assert_false(clf_quic_unprotect(c, &k, &packet, out, &len, &number));
		free(copy);
	}
	clf_quic_crypto_free(c);
}

/* RFC 9000 17.2 and RFC 9369 3.2: the same types under other numbers. */
static void
versions_and_types(void **state)
{
	static const enum clf_quic_type v1[] = { CLF_QUIC_INITIAL, CLF_QUIC_0RTT,
		CLF_QUIC_HANDSHAKE, CLF_QUIC_RETRY };
	int one = clf_quic_version_index(V1, 0), two = clf_quic_version_index(V2, 0);
	(void)state;

	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(clf_quic_packet_type(one, (uint8_t)(0xc0 | i << 4)), v1[i]);
		assert_int_equal(
		    clf_quic_packet_type(two, (uint8_t)(0xc0 | ((i + 1) & 3) << 4)), v1[i]);
	}
	assert_int_equal(clf_quic_version_index(0x00000003, 0), -1);
	assert_int_equal(clf_quic_version_index(V1, 1), -1);
	/* RFC 9000 15: versions to be negotiated away are tried as 1, then as draft-29. */
	assert_int_equal(clf_quic_version_index(0x1a2a3a4a, 0), one);
	assert_int_equal(
	    clf_quic_version_index(0x1a2a3a4a, 1), clf_quic_version_index((uint32_t)DRAFT29, 0));
	assert_int_equal(clf_quic_version_index(0x1a2a3a4a, 2), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_the_rfcs),
		cmocka_unit_test(packets_open),
		cmocka_unit_test(versions_and_types),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
