/* SPDX-License-Identifier: Apache-2.0 */
/* signatures/base/yaml_plain.c: what it takes, libyaml reads alike; what it must leave to libyaml.
 */
#include "pack_text.h"
#include "tests/yaml_same.h"

static const char *const taken[] = {
	"a: 1\n",
	"a: 1",
	"\n# head\n\na: b   # after\n  # between\n\nc: d\n",
	"a:   # a list\n  - b\n  - c d\n  -   e: f\n      g: h\n  - k: l\n",
	"- a\n- b\n",
	"a: c#d\nurl: https://example.com:8080/?q=1&r=[2]#f\ntime: 12:30:00\n",
	"a: \"b: [c], # d\" # e\nf: 'g\"h'\n",
	"a: [b, \"c d\", 'e',f , g h]\ni: []\nj: {}\n",
	"a: [b,\n  c,\n\nd\n   ]\ne: {f: 1,\n g: [2, {h: 3}]}\nz: y\n",
	"a: 2001:db8::/32\nb: [2001:db8::/32, tcp/443]\nc: /a/b\n",
	"a:\n  b:\n    c:\n      - d: [e]\n        f:\n          - g\nh: i\n",
	"name: 360 \xe5\xa5\x87\xe8\x99\x8e \xc3\xa9t\xc3\xa9\nb: [\xe5\xa5\x87, x]\nc: d\n",
	"a: \xe5\xa5\x87 # \xe5\xa5\x87\nb: {c: \xc3\xa9, d: e}\n",
};

static const char *const left[] = {
	"",
	"# nothing\n",
	"word\n",
	"[a, b]\n",
	" a: b\n",
	"a:\n",
	"a:\nb: c\n",
	"a:\n- b\n",	    /* a list no deeper than its key */
	"a: b\n  c\n",	    /* text goes on */
	"a: \"b\n  c\"\n",  /* likewise */
	"a: [b\n c]\n",	    /* likewise */
	"a: \"b\\x41\"\n",  /* escapes */
	"a: 'b''c'\n",	    /* likewise */
	"a: |\n  b\n",	    /* blocks of text */
	"a: &x b\nc: *x\n", /* anchors */
	"a: !!str b\n",	    /* tags */
	"a: b: c\n",	    /* faults, from here on */
	"a: b\n c: d\n",
	"a:\n    b: c\n  d: e\n",
	"a: \"b\"c\n",
	"a: [b\n",
	"a: [b, ]\nc: ]\n",
	"a: [b}\n",
	"a: -b\n",
	"a: b\n\tc: d\n",
	"a: b\r\nc: d\r\n",
	"a: b\n---\nc: d\n",
	"a: b\n...\n",
	"a: b\nc\n",
	"a: \xc3\n",	     /* no UTF-8 */
	"a: \xc2\x85\n",     /* a line break of Unicode's */
	"a: \xe2\x80\xa8\n", /* likewise */
	"\xef\xbb\xbf"
	"a: b\n",
};

static void
takes_what_libyaml_reads_alike(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		struct sig_yaml_tree tree;

		if (!sig_yaml_plain_parse(taken[i], strlen(taken[i]), &tree))
			fail_msg("left to libyaml: %s", taken[i]);
		if (!yaml_same(&tree, taken[i], strlen(taken[i])))
			fail_msg("libyaml reads another tree: %s", taken[i]);
		sig_yaml_tree_free(&tree);
	}
}

/* Cut at any byte, a text is taken only where libyaml reads the same. */
static void
takes_no_more_of_a_part(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		for (size_t n = 0; n < strlen(taken[i]); n++) {
			struct sig_yaml_tree tree;

			if (!sig_yaml_plain_parse(taken[i], n, &tree))
				continue;
			if (!yaml_same(&tree, taken[i], n))
				fail_msg("libyaml reads another tree: %.*s", (int)n, taken[i]);
			sig_yaml_tree_free(&tree);
		}
}

static void
leaves_the_rest(void **state)
{
	struct sig_yaml_tree tree;

	(void)state;
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		if (sig_yaml_plain_parse(left[i], strlen(left[i]), &tree))
			fail_msg("taken: %s", left[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_libyaml_reads_alike),
		cmocka_unit_test(takes_no_more_of_a_part),
		cmocka_unit_test(leaves_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
