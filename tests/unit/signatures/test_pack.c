/* SPDX-License-Identifier: Apache-2.0 */
/* signatures/pack*.c: what the loader refuses, where, and in which words. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pack_text.h"

static const struct {
	const char *from, *to, *want;
} refusals[] = {
	{ "format: 1", "format: 2",
	    "t.yaml:1:9: format 2 is not known: this program reads format 1" },
	{ "pack: t", "pack: T",
	    "t.yaml:2:7: 'T' is no id: lower-case letters, digits and inner hyphens" },
	{ "version: 1.0", "version: 1.0-rc",
	    "t.yaml:3:10: '1.0-rc' is no version: digits and dots" },
	{ "country: US", "country: UK",
	    "t.yaml:7:12: 'UK' is no ISO 3166-1 country code (two capital letters)" },
	{ "country: US", "country: US\n  owner_country: us",
	    "t.yaml:8:18: 'us' is no ISO 3166-1 country code (two capital letters)" },
	{ "as_of: 2026-01-01", "as_of: 2026-02-30",
	    "t.yaml:8:10: '2026-02-30' is no date: write it as 2026-11-22" },
	{ "category: av", "category: antivirus", "t.yaml:11:32: 'antivirus' is no category" },
	{ "category: av", "category: firewal",
	    "t.yaml:11:32: 'firewal' is no category: did you mean 'firewall'?" },
	{ "product: p", "product: q", "t.yaml:14:14: product 'q' is not in this pack" },
	{ "function: update", "function: updaet",
	    "t.yaml:15:15: 'updaet' is no function: did you mean 'update'?" },
	{ "confidence: high", "confidence: sure", "t.yaml:16:17: 'sure' is no confidence" },
	{ "reviewed: 2026-01-01", "reviewed: lately",
	    "t.yaml:18:15: 'lately' is no date: write it as 2026-11-22" },
	{ "reviewed: 2026-01-01\n", "reviewed: 2026-01-01\n    notes: x\n",
	    "t.yaml:19:5: unknown key 'notes': did you mean 'note'?" },
	{ "- host: a.vendor.com", "- hots: a.vendor.com",
	    "t.yaml:20:9: unknown key 'hots': did you mean 'host'?" },
	{ "- host: a.vendor.com", "- host: [a.vendor.com, A.vendor.com]",
	    "t.yaml:20:30: host pattern 'A.vendor.com' must be lower case" },
	{ "- host: a.vendor.com", "- host: .com",
	    "t.yaml:20:15: host pattern '.com' needs at least "
	    "two labels" },
	{ "- host: a.vendor.com", "- host: .co.uk",
	    "t.yaml:20:15: host pattern '.co.uk' covers names of anybody: 'co.uk' is a public "
	    "suffix; "
	    "name the vendor's own label below it" },
	{ "- host: a.vendor.com", "- host: .s3.amazonaws.com",
	    "t.yaml:20:15: host pattern '.s3.amazonaws.com' covers names of anybody: "
	    "'s3.amazonaws.com' is a public suffix; name the vendor's own label below it" },
	{ "- host: a.vendor.com", "- host: '*.cloudfront.net'",
	    "t.yaml:20:15: host pattern '*.cloudfront.net' covers names of anybody: "
	    "'cloudfront.net' is a public suffix; name the vendor's own label below it" },
	{ "- host: a.vendor.com", "- host: vendor-*.s3.amazonaws.com",
	    "t.yaml:20:15: host pattern 'vendor-*.s3.amazonaws.com' covers names of anybody: "
	    "'s3.amazonaws.com' is a public suffix; name the vendor's own label below it" },
	{ "- host: a.vendor.com", "- port: tcp/443",
	    "t.yaml:20:9: a port or an nDPI label alone is a guess: add a matcher, or say "
	    "'confidence: guess' (reported, never dropped)" },
	{ "- host: a.vendor.com", "- {port: udp/53, ndpi: DNS}",
	    "t.yaml:20:9: a port or an nDPI label alone is a guess: add a matcher, or say "
	    "'confidence: guess' (reported, never dropped)" },
	{ "- host: a.vendor.com", "- {}", "t.yaml:20:9: an entry needs at least one matcher" },
	{ "- host: a.vendor.com", "- {host: a.vendor.com, port: 443}",
	    "t.yaml:20:36: port '443' is no port: write it as tcp/443 or udp/53" },
	{ "- host: a.vendor.com", "- path: defs/",
	    "t.yaml:20:15: path 'defs/' must begin with '/' or 're:'" },
	{ "- host: a.vendor.com", "- user_agent: 're:agent('",
	    "t.yaml:20:21: expression 're:agent(' is refused: Missing close parenthesis for group "
	    "started at index 5." },
	{ "- host: a.vendor.com", "- user_agent: 're:a*'",
	    "t.yaml:20:21: expression 're:a*' is refused: it matches the empty text" },
	{ "- host: a.vendor.com", "- address: 192.0.2.1/24",
	    "t.yaml:20:18: address '192.0.2.1/24' has bits set beyond its prefix length" },
	{ "- host: a.vendor.com", "- address: 10.0.0.0/7",
	    "t.yaml:20:18: address '10.0.0.0/7' is too wide to be one vendor's: at least /8, or "
	    "/16 "
	    "for IPv6" },
	{ "- host: a.vendor.com", "- address: [192.0.2.0/24, here]",
	    "t.yaml:20:33: address 'here' is no IPv4 or IPv6 prefix" },
	{ "- host: a.vendor.com", "- payload: [{hex: 'de a'}]",
	    "t.yaml:20:19: payload 'de a' is no hex: pairs of hex digits, or \?\?" },
	{ "- host: a.vendor.com", "- payload: [{hex: '\?\? \?\?'}]",
	    "t.yaml:20:19: payload '\?\? \?\?' says nothing" },
	{ "- host: a.vendor.com", "- payload: [{hex: 'de', text: x}]",
	    "t.yaml:20:19: a payload needs either 'hex' or 'text'" },
	{ "- host: a.vendor.com", "- payload: [{offset: 5000, text: x}]",
	    "t.yaml:20:19: 1 bytes at offset 5000: only the first 256 bytes of a direction are "
	    "looked at" },
	{ "- host: a.vendor.com", "- payload: [{offset: 253, hex: 'ca fe ba be'}]",
	    "t.yaml:20:19: 4 bytes at offset 253: only the first 256 bytes of a direction are "
	    "looked at" },
	{ "- host: a.vendor.com", "- ja3: ABC",
	    "t.yaml:20:14: 'ABC' is no JA3: 32 lower-case hex digits" },
	{ "- host: a.vendor.com", "- ja4: t13d",
	    "t.yaml:20:14: 't13d' is no JA4: like t13d1516h2_8daaf6152771_b186095e22b6" },
	{ "- host: a.vendor.com", "- host: a.vendor.com\n    except:\n      - host: a..b",
	    "t.yaml:22:15: host pattern 'a..b' has an empty label" },
	{ "- host: a.vendor.com",
	    "- host: a.vendor.com\n    valid: {from: 2026-02-01, until: 2026-01-01}",
	    "t.yaml:21:12: ends before it begins" },
	{ "- host: a.vendor.com", "- host: a.vendor.com\n    valid: {until: soon}",
	    "t.yaml:21:20: 'soon' is no date: write it as 2026-11-22" },
	{ "- host: a.vendor.com", "- host: a.vendor.com\n    allow_overlap: [x]",
	    "t.yaml:21:21: 'x' is no signature: write it as pack/signature" },
	{ "- host: a.vendor.com", "- host: a.vendor.com\nexamples: {match: [{host: a.vendor.com}]}",
	    "t.yaml:21:20: an example names the signature that it shows" },
	{ "- host: a.vendor.com",
	    "- host: a.vendor.com\nexamples:\n  match:\n    - {host: a.vendor.com, signature: z}",
	    "t.yaml:23:7: signature 'z' is not in this pack" },
	{ "- host: a.vendor.com", "- host: a.vendor.com\nexamples: {no_match: [{note: x}]}",
	    "t.yaml:21:23: an example shows at least one thing of a flow" },
	{ "- {id: p,", "- {id: p, name: P, category: av}\n  - {id: p,",
	    "t.yaml:12:10: product 'p' is there already" },
	{ "category: av}", "category: av, agents: nobody}",
	    "t.yaml:11:44: product 'nobody' is not in this pack" },
	{ "    match:\n", "    match: []\n    except:\n",
	    "t.yaml:19:12: 'match' needs at least 1 entry" },
	{ "    match:\n      - host: a.vendor.com\n", "",
	    "t.yaml:13:5: key 'match' is missing in signatures" },
	{ "signatures:\n",
	    "signatures:\n  - id: s\n    product: p\n    function: update\n    "
	    "confidence: low\n    source: x\n    reviewed: 2026-01-01\n    match:\n      "
	    "- host: b.vendor.com\n",
	    "t.yaml:21:9: signature 's' is there already" },
	{ "function: update", "function: mixed\n    by_label: true",
	    "t.yaml:16:15: needs a host pattern with labels left open, such as .vendor.example" },
	{ "id: s\n", "id: s-label-tunnel\n",
	    "t.yaml:13:9: ids that end in '-label-tunnel' are for what by_label makes" },
	{ "  name: T\n", "  name: \"T\\e[2J\"\n", "t.yaml:5:9: 'name' holds a control character" },
	{ "  name: T\n", "  name: >\n    T\n",
	    "t.yaml:5:9: 'vendor.name' must be one line, without tabs" },
	{ "name: P,", "name: \"P\\tQ\",", "t.yaml:11:19: 'name' must be one line, without tabs" },
	{ "    source: https://t.example/doc\n", "    source: |\n      https://t.example/doc\n",
	    "t.yaml:17:13: 'source' must be one line, without tabs" },
};

static void
refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		char *text = bent_pack(refusals[i].from, refusals[i].to);
		struct sig_packs *packs = (struct sig_packs *)text;
		struct sig_diag d = { 0 };

		if (sig_packs_load_text("t.yaml", text, strlen(text), &packs, &d) == 0)
			fail_msg("was taken: %s", refusals[i].to);
		assert_ptr_equal(packs, text);
		assert_true(d.n >= 1);
		assert_string_equal(d.msgs[0].text, refusals[i].want);
		sig_diag_free(&d);
		free(text);
	}
}

static const struct {
	const char *from, *to;
} taken[] = {
	{ "- host: a.vendor.com", "- host: bucket.s3.amazonaws.com" },
	{ "confidence: high", "confidence: high\n    shared: true\n    note: x" },
	{ "confidence: high", "confidence: guess" },
	{ "- host: a.vendor.com", "- {port: [tcp/443, udp/8888], host: a.vendor.com}" },
	{ "- host: a.vendor.com", "- path: 're:^/defs/[0-9]+'\n        user_agent: Agent/" },
	{ "- host: a.vendor.com",
	    "- payload: [{hex: 'de \?\? ef'}, {offset: 8, text: OK, dir: down}]" },
	{ "- host: a.vendor.com", "- payload: [{offset: 252, hex: 'ca fe ba be'}]" },
	{ "- host: a.vendor.com",
	    "- host: a.vendor.com\nexamples: {match: [{host: a.vendor.com, signature: t/s}]}" },
};

static void
accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		char *text = bent_pack(taken[i].from, taken[i].to);

		sig_ruleset_free(rules_at(text, 20260101));
		free(text);
	}
}

/* `vendor-#` under a public suffix: for those who say that the place is shared. */
static void
shared_suffix(void **state)
{
	static const struct {
		const char *pattern;
		bool ok;
	} cases[] = { { "vendor-#.s3.amazonaws.com", true }, { "a*.s3.amazonaws.com", true },
		{ "x.v*.s3.amazonaws.com", true }, { "'*.s3.amazonaws.com'", false },
		{ "'vendor.*.s3.amazonaws.com'", false }, { "'#*.s3.amazonaws.com'", false },
		{ ".v*.s3.amazonaws.com", false }, { ".s3.amazonaws.com", false } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sig_diag d = { 0 };
		struct sig_packs *packs = NULL;
		char to[128], *text;

		snprintf(to, sizeof(to), "- host: %s\n    shared: true", cases[i].pattern);
		text = bent_pack("- host: a.vendor.com", to);
		if ((sig_packs_load_text("t.yaml", text, strlen(text), &packs, &d) == 0) !=
		    cases[i].ok)
			fail_msg("%s", cases[i].pattern);
		sig_packs_free(packs);
		sig_diag_free(&d);
		free(text);
	}
}

static char folder[] = "/tmp/phonehome-test-XXXXXX";

static void
put(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
drop(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	unlink(path);
}

static int
load(struct sig_diag *d)
{
	struct sig_packs *packs = NULL;
	int err = sig_packs_load(folder, &packs, d);

	sig_packs_free(packs);
	return err;
}

static bool
said(const struct sig_diag *d, const char *what)
{
	for (unsigned i = 0; i < d->n; i++)
		if (strstr(d->msgs[i].text, what))
			return true;
	return false;
}

static void
folders(void **state)
{
	struct sig_diag d = { 0 };
	char *text;

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(load(&d), -ENOENT);
	assert_true(said(&d, ": holds no packs (*.yaml)"));
	sig_diag_free(&d);

	put("t.yaml", good_pack);
	put("readme.txt", "no pack");
	put(".hidden.yaml", "no pack");
	assert_int_equal(load(&d), 0);
	assert_int_equal(d.n, 0);

	/* All faults of all files, not only the first one's. */
	put("u.yaml", good_pack);
	text = bent_pack("format: 1", "fromat: 1");
	put("v.yaml", text);
	free(text);
	put("w.yaml", "{");
	assert_int_equal(load(&d), -EINVAL);
	assert_true(said(&d, "/u.yaml:2:7: pack 't' must be in a file of that name: t.yaml"));
	assert_true(said(&d, "/v.yaml:1:1: unknown key 'fromat': did you mean 'format'?"));
	assert_true(said(&d, "/w.yaml:2:1: not valid YAML"));
	sig_diag_free(&d);
	drop("v.yaml");
	drop("w.yaml");

	/* One name, two packs. */
	text = bent_pack("pack: t", "pack: u");
	put("u.yaml", text);
	free(text);
	assert_int_equal(load(&d), -EINVAL);
	assert_int_equal(d.n, 1);
	assert_true(said(&d, "/u.yaml:20:15: 'a.vendor.com' is also claimed by t/s ("));
	sig_diag_free(&d);
	text = bent_pack("    match:\n", "    allow_overlap: [t/s]\n    match:\n");
	memcpy(strstr(text, "pack: t"), "pack: u", 7);
	put("u.yaml", text);
	assert_int_equal(load(&d), 0);
	memcpy(strstr(text, "[t/s]"), "[t/*]", 5);
	put("u.yaml", text);
	assert_int_equal(load(&d), 0);
	memcpy(strstr(text, "[t/*]"), "[t/x]", 5);
	put("u.yaml", text);
	assert_int_equal(load(&d), -EINVAL);
	sig_diag_free(&d);
	free(text);

	/* A host with a path besides claims less than the host. */
	text = bent_pack("- host: a.vendor.com", "- {host: a.vendor.com, path: /u/}");
	memcpy(strstr(text, "pack: t"), "pack: u", 7);
	put("u.yaml", text);
	free(text);
	assert_int_equal(load(&d), 0);

	/* What is no file. */
	drop("u.yaml");
	char path[128];
	snprintf(path, sizeof(path), "%s/u.yaml", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(load(&d), -EINVAL);
	assert_true(said(&d, "/u.yaml: is not a regular file"));
	sig_diag_free(&d);
	drop("u.yaml");
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(load(&d), -EISDIR);
	rmdir(path);
	sig_diag_free(&d);
	drop("t.yaml");
	drop("readme.txt");
	drop(".hidden.yaml");
	rmdir(folder);
	assert_int_equal(load(&d), -ENOENT);
	sig_diag_free(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(refused), cmocka_unit_test(accepted),
		cmocka_unit_test(shared_suffix), cmocka_unit_test(folders) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
