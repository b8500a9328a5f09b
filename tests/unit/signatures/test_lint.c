/* SPDX-License-Identifier: Apache-2.0 */
/* signatures/lint.c and examples.c: what they find, and that they find nothing in a good pack. */
#include "pack_text.h"

#include <unistd.h>

#include "signatures/examples.h"

static const char examples[] = "examples:\n  match: [{host: a.vendor.com, signature: s}]\n  "
			       "no_match: [{host: b.vendor.com}]\n";

static struct sig_packs *
load(const char *text)
{
	struct sig_diag d = { 0 };
	struct sig_packs *packs = NULL;

	if (sig_packs_load_text("t.yaml", text, strlen(text), &packs, &d) != 0)
		fail_msg("%s", d.msgs[0].text);
	return packs;
}

/* The only finding of a good pack with examples, bent; "" for none. */
static void
lint(const char *from, const char *to, const char *want)
{
	struct sig_diag d = { 0 };
	char *bent = bent_pack(from, to), *text = NULL;
	struct sig_packs *packs;
	unsigned n;

	assert_true(asprintf(&text, "%s%s", bent, examples) > 0);
	packs = load(text);
	n = sig_lint(packs, 20260701, 365, &d);
	assert_int_equal(d.n, *want ? 1 : 0);
	if (*want) {
		assert_string_equal(d.msgs[0].text, want);
		assert_int_equal(n, d.msgs[0].severity == SIG_WARNING);
	}
	sig_packs_free(packs);
	sig_diag_free(&d);
	free(bent);
	free(text);
}

static void
findings(void **state)
{
	(void)state;
	lint("pack: t", "pack: t", "");
	lint("reviewed: 2026-01-01", "reviewed: 2025-06-30",
	    "t.yaml:18:15: looked at last on 2025-06-30: look again");
	lint("reviewed: 2026-01-01", "reviewed: 2025-07-01", "");
	lint("reviewed: 2026-01-01", "reviewed: 2026-07-02",
	    "t.yaml:18:15: the date 2026-07-02 is yet to come");
	lint("source: https://t.example/doc", "source: hearsay",
	    "t.yaml:17:13: confidence high needs the vendor's own page as a URL, not 'hearsay'");
	lint("- {id: p,", "- {id: unused, name: U, category: av}\n  - {id: p,",
	    "t.yaml:11:5: product 'unused' has no signature");
	lint("host: a.vendor.com", "host: [a.vendor.com, a.vendor.com]",
	    "t.yaml:20:30: 'a.vendor.com' is there twice");
	lint("host: a.vendor.com", "host: [.vendor.com, a.vendor.com]",
	    "t.yaml:20:29: 'a.vendor.com' is covered by '.vendor.com': needed only to win over "
	    "others");
	lint("- host: a.vendor.com", "- host: a.vendor.com\n    except: [{host: .vendor.com}]",
	    "t.yaml:20:15: 'a.vendor.com' can never match: '.vendor.com' in except covers it");
	lint("- host: a.vendor.com",
	    "- host: a.vendor.com\n    except: [{host: .a.vendor.com, port: "
	    "tcp/1}]",
	    "");
	lint("- host: a.vendor.com", "- host: a.vendor.com\n    valid: {until: 2026-06-30}",
	    "t.yaml:21:12: signature 's' can never match: its time is over");
	lint("- host: a.vendor.com", "- host: a.vendor.com\n      - payload: [{text: PO}]",
	    "t.yaml:21:9: a payload of 2 bytes matches by chance: 4, or a port with it");
	lint("- host: a.vendor.com",
	    "- host: a.vendor.com\n      - payload: [{hex: 'de \?\? ad ef'}]",
	    "t.yaml:21:9: a payload of 3 bytes matches by chance: 4, or a port with it");
	lint("- host: a.vendor.com", "- host: a.vendor.com\n      - payload: [{text: PONG}]", "");
	lint("- host: a.vendor.com",
	    "- host: a.vendor.com\n      - {payload: [{text: PO}], port: tcp/9}", "");
	lint("signatures:\n",
	    "signatures:\n  - {id: r, product: p, function: mixed, confidence: low, source: x, "
	    "reviewed: 2026-01-01, match: [{host: z.vendor.com}]}\n",
	    "t.yaml:13:5: signature 'r' has no example");
}

static void
no_examples(void **state)
{
	struct sig_diag d = { 0 };
	struct sig_packs *packs = load(good_pack);

	(void)state;
	assert_int_equal(sig_lint(packs, 20260701, 365, &d), 2);
	assert_string_equal(d.msgs[0].text, "t.yaml: pack 't' has no examples that match");
	assert_string_equal(
	    d.msgs[1].text, "t.yaml: pack 't' has no near misses (examples.no_match)");
	sig_packs_free(packs);
	sig_diag_free(&d);
}

static struct examples_figures
run(const char *text, struct sig_diag *d)
{
	struct examples_figures f = { 0 };
	struct sig_packs *packs = load(text);
	struct sig_ruleset *rules = NULL;

	assert_int_equal(sig_compile_at(packs, 20260701, &rules, d), 0);
	assert_int_equal(sig_examples_run(packs, rules, d, &f), 0);
	sig_ruleset_free(rules);
	sig_packs_free(packs);
	return f;
}

static void
examples_run(void **state)
{
	struct sig_diag d = { 0 };
	struct examples_figures f;
	char *bent = bent_pack("      - host: a.vendor.com\n",
	    "      - host: a.vendor.com\n"
	    "      - {http_host: .dl.vendor.com, path: /defs/, user_agent: Agent}\n"
	    "      - {payload: [{hex: 'ca fe'}], port: udp/99}\n"
	    "      - address: 2001:db8::/32\n"
	    "examples:\n"
	    "  match:\n"
	    "    - {host: A.vendor.com., signature: t/s}\n"
	    "    - {http_host: x.dl.vendor.com, path: /defs/1, user_agent: Agent/2, signature: s}\n"
	    "    - {payload: cafe00, port: udp/99, signature: s}\n"
	    "    - {address: '2001:db8::1', signature: s}\n"
	    "    - {host: b.vendor.com, signature: s}\n"
	    "    - {host: a.vendor.com, signature: other/s}\n"
	    "    - {address: nowhere, signature: s}\n"
	    "  no_match:\n"
	    "    - {host: b.vendor.com}\n"
	    "    - {http_host: x.dl.vendor.com, path: /other, user_agent: Agent}\n"
	    "    - {host: a.vendor.com}\n"
	    "    - {host: a.vendor.com, signature: s}\n"
	    "    - {host: '*.vendor.com'}\n");

	(void)state;
	f = run(bent, &d);
	assert_int_equal(f.match, 7);
	assert_int_equal(f.no_match, 5);
	assert_int_equal(f.failed, 6);
	assert_string_equal(d.msgs[0].text, "t.yaml:30:7: example fails: expected s, got no match");
	assert_string_equal(
	    d.msgs[1].text, "t.yaml:31:7: example fails: expected other/s, got t/s");
	assert_string_equal(d.msgs[2].text,
	    "t.yaml:32:7: example fails: expected s, got a value that no flow shows");
	assert_string_equal(
	    d.msgs[3].text, "t.yaml:36:7: example fails: expected no match, got t/s");
	assert_string_equal(
	    d.msgs[4].text, "t.yaml:37:7: example fails: expected no match, got t/s");
	assert_string_equal(d.msgs[5].text,
	    "t.yaml:38:7: example fails: expected no match, got a value that no flow shows");
	sig_diag_free(&d);
	free(bent);
}

/* The good pack by another name, with another last line. */
static void
put_pack(const char *dir, const char *id, const char *matches)
{
	const char *name = strstr(good_pack, "pack: t\n"),
		   *end = strstr(good_pack, "      - host:");
	const char *rest = name + strlen("pack: t\n");
	char *path = NULL;
	FILE *f;

	assert_true(asprintf(&path, "%s/%s.yaml", dir, id) > 0);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%.*spack: %s\n%.*s%s\n%s", (int)(name - good_pack), good_pack, id,
	    (int)(end - rest), rest, matches, examples);
	assert_int_equal(fclose(f), 0);
	free(path);
}

/* The only finding over two packs, by its text behind the path; "" for none. */
static void
lint_two(const char *t, const char *u, const char *want)
{
	char dir[] = "/tmp/phlint-XXXXXX", *path = NULL;
	struct sig_diag d = { 0 };
	struct sig_packs *packs = NULL;

	assert_non_null(mkdtemp(dir));
	put_pack(dir, "t", t);
	put_pack(dir, "u", u);
	if (sig_packs_load(dir, &packs, &d) != 0)
		fail_msg("%s", d.msgs[0].text);
	assert_int_equal(sig_lint(packs, 20260701, 365, &d), *want ? 1 : 0);
	if (*want)
		assert_string_equal(d.msgs[0].text + strlen(dir), want);
	sig_packs_free(packs);
	sig_diag_free(&d);
	for (const char *id = "t"; *id <= 'u'; id = *id == 't' ? "u" : "v") {
		assert_true(asprintf(&path, "%s/%s.yaml", dir, id) > 0);
		assert_int_equal(unlink(path), 0);
		free(path);
	}
	assert_int_equal(rmdir(dir), 0);
}

static void
across_packs(void **state)
{
	(void)state;
	/* A wildcard comes before a suffix, however long, and this one takes all below it. */
	lint_two("      - host: .*x*.vendor.com", "      - host: .axb.vendor.com",
	    "/u.yaml:20:15: '.axb.vendor.com' never wins: '.*x*.vendor.com' of t/s takes all its "
	    "names and comes first");
	lint_two("      - host: .axb.vendor.com", "      - host: [a.vendor.com, .*x*.vendor.com]",
	    "/t.yaml:20:15: '.axb.vendor.com' never wins: '.*x*.vendor.com' of u/s takes all its "
	    "names and comes first");
	lint_two("      - host: .vendor.com", "      - host: '**.vendor.com'",
	    "/u.yaml:20:15: '**.vendor.com' never wins: '.vendor.com' of t/s takes all its names "
	    "and comes first");
	lint_two("      - host: 'x*.vendor.com'", "      - host: 'x#.vendor.com'",
	    "/u.yaml:20:15: 'x#.vendor.com' never wins: 'x*.vendor.com' of t/s takes all its names "
	    "and comes first");
	/* The higher confidence, then the first id: the second pack cannot lose both. */
	lint_two("      - host: 'x#.vendor.com'", "      - host: 'x*.vendor.com'", "");
	/* Not all names, not all fields, more exact, other labels. */
	lint_two("      - host: '*x*.vendor.com'", "      - host: .axb.vendor.com", "");
	lint_two("      - sni: .*x*.vendor.com", "      - host: .axb.vendor.com", "");
	lint_two(
	    "      - {host: .*x*.vendor.com, port: tcp/9}", "      - host: .axb.vendor.com", "");
	lint_two("      - host: .vendor.com", "      - host: .axb.vendor.com", "");
	lint_two("      - host: .*x*.vendor.com", "      - host: axb.vendor.com", "");
	lint_two("      - host: .*x*.vendor.com", "      - host: .axb.nvendor.com", "");
	/* Meant so, or given back. */
	lint_two("      - host: .*x*.vendor.com\n    allow_overlap: [u/s]",
	    "      - host: .axb.vendor.com", "");
	lint_two("      - host: .*x*.vendor.com\n    except: [{host: .axb.vendor.com}]",
	    "      - host: .axb.vendor.com", "");
	lint_two("      - host: .*x*.vendor.com\n    except: [{host: c.axb.vendor.com}]",
	    "      - host: .axb.vendor.com", "");
	lint_two("      - host: .*x*.vendor.com\n    except: [{host: .cd.vendor.com}]",
	    "      - host: .axb.vendor.com",
	    "/u.yaml:20:15: '.axb.vendor.com' never wins: '.*x*.vendor.com' of t/s takes all its "
	    "names and comes first");
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(findings),
		cmocka_unit_test(no_examples), cmocka_unit_test(across_packs),
		cmocka_unit_test(examples_run) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
