/* SPDX-License-Identifier: Apache-2.0 */
/* signatures/base/yaml*.c: every fault at its own place, lone values as lists, places by path. */
#include <errno.h>

#include "pack_text.h"
#include "signatures/base/yaml.h"

struct inner {
	char *word;
	int number;
};

struct outer {
	char *name;
	char **list;
	unsigned list_count;
	struct inner *items;
	unsigned items_count;
	int colour;
	unsigned char small;
	bool flag;
};

static const cyaml_strval_t colours[] = { { "red", 1 }, { "green", 2 } };
static const cyaml_schema_value_t word = { CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, 8) };
static const cyaml_schema_field_t inner_fields[] = {
	CYAML_FIELD_STRING_PTR("word", CYAML_FLAG_POINTER, struct inner, word, 1, 8),
	CYAML_FIELD_INT("number", CYAML_FLAG_OPTIONAL, struct inner, number),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t inner = { CYAML_VALUE_MAPPING(
    CYAML_FLAG_DEFAULT, struct inner, inner_fields) };
static const cyaml_schema_field_t outer_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct outer, name, 1, 8),
	CYAML_FIELD_SEQUENCE(
	    "list", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct outer, list, &word, 1, 3),
	CYAML_FIELD_SEQUENCE(
	    "items", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct outer, items, &inner, 0, 3),
	CYAML_FIELD_ENUM(
	    "colour", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct outer, colour, colours, 2),
	CYAML_FIELD_UINT("small", CYAML_FLAG_OPTIONAL, struct outer, small),
	CYAML_FIELD_BOOL("flag", CYAML_FLAG_OPTIONAL, struct outer, flag),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t schema = { CYAML_VALUE_MAPPING(
    CYAML_FLAG_POINTER, struct outer, outer_fields) };

static const struct {
	const char *text, *want;
} refusals[] = {
	{ "name: x\nlsit: [a]\n", "f:2:1: unknown key 'lsit': did you mean 'list'?" },
	{ "name: x\nzzzz: 1\n", "f:2:1: unknown key 'zzzz'" },
	{ "flag: true\n", "f:1:1: key 'name' is missing" },
	{ "name: x\nitems:\n  - word: a\n  - {number: 3}\n",
	    "f:4:5: key 'word' is missing in items" },
	{ "name: x\nitems:\n  - {word: a, nmuber: 3}\n",
	    "f:3:15: unknown key 'nmuber': did you mean 'number'?" },
	{ "name: x\nname: y\n", "f:2:1: key 'name' is given twice" },
	{ "name: [x]\n", "f:1:7: name needs a single value, not a list" },
	{ "name: x\nitems: {word: a}\n", "f:2:8: items needs a list, not a mapping" },
	{ "name: x\nitems: word\n", "f:2:8: items needs a list, not a single value" },
	{ "name: x\nitems: [word]\n", "f:2:9: items needs a mapping, not a single value" },
	{ "- name: x\n", "f:1:1: the document needs a mapping, not a list" },
	{ "name: x\ncolour: gren\n", "f:2:9: 'gren' is no colour: did you mean 'green'?" },
	{ "name: x\ncolour: 1\n", "f:2:9: '1' is no colour" },
	{ "name: x\nsmall: 256\n", "f:2:8: 'small' is out of range: '256'" },
	{ "name: x\nsmall: -1\n", "f:2:8: 'small' is out of range: '-1'" },
	{ "name: x\nsmall: 1x\n", "f:2:8: 'small' needs a whole number, not '1x'" },
	{ "name: x\nsmall: ''\n", "f:2:8: 'small' needs a whole number, not ''" },
	{ "name: x\nflag: maybe\n", "f:2:7: 'flag' needs true or false, not 'maybe'" },
	{ "name: ''\n", "f:1:7: 'name' must not be empty" },
	{ "name: 123456789\n", "f:1:7: 'name' is longer than 8 bytes" },
	{ "name: \"a\\0b\"\n", "f:1:7: 'name' holds a control character" },
	{ "name: \"a\\eb\"\n", "f:1:7: 'name' holds a control character" },
	{ "name: \"a\\x9bb\"\n", "f:1:7: 'name' holds a control character" },
	{ "name: x\nlist: []\n", "f:2:7: 'list' needs at least 1 entry" },
	{ "name: x\nlist: [a,b,c,d]\n", "f:2:7: 'list' has 4 entries: at most 3 are allowed" },
	{ "name: &a x\nlist: [*a]\n", "f:1:7: aliases are not allowed: write 'list' out" },
	{ "name: x\n---\nname: y\n", "f:3:1: a second document begins here: one file holds one" },
	{ "", "f:1:1: is empty" },
	{ "# nothing\n", "f:1:1: is empty" },
	{ "[a]: b\nname: x\n", "f:1:1: a key must be a single word" },
	{ "name: \"x\n", "f:2:1: not valid YAML: while scanning a quoted scalar, found unexpected "
			 "end of stream" },
	{ "name: x\n\tlist: a\n",
	    "f:2:1: not valid YAML: while scanning a plain scalar, found a tab character that "
	    "violates indentation" },
	{ "name: \xff\n", "f:1:7: not valid YAML: invalid leading UTF-8 octet" },
};

static void
refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct sig_diag d = { 0 };
		cyaml_data_t *data = (cyaml_data_t *)&d;

		assert_true(sig_yaml_load("f", refusals[i].text, strlen(refusals[i].text), &schema,
				&data, NULL, &d) < 0);
		assert_ptr_equal(data, &d);
		assert_true(d.n >= 1);
		assert_string_equal(d.msgs[0].text, refusals[i].want);
		sig_diag_free(&d);
	}
}

/* Before libyaml's time, the square of the depth, is felt: 200,000 levels took over a minute. */
static void
nested_too_deep(void **state)
{
	enum { LEVELS = 200000 };
	static const struct {
		const char *before, *each, *after;
	} kinds[] = {
		{ "name: ", "[", "" },
		{ "name: ", "[\"]\", ", "" },
		{ "name: ", "{a: ", "" },
		{ "name:\n  ", "- ", "x\n" },
		{ "", "? ", "x\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t each = strlen(kinds[i].each), n = strlen(kinds[i].before);
		char *text = malloc(n + LEVELS * each + strlen(kinds[i].after) + 1);
		struct sig_diag d = { 0 };
		cyaml_data_t *data = NULL;

		assert_non_null(text);
		memcpy(text, kinds[i].before, n);
		for (unsigned k = 0; k < LEVELS; k++, n += each)
			memcpy(text + n, kinds[i].each, each);
		strcpy(text + n, kinds[i].after);
		assert_int_equal(
		    sig_yaml_load("f", text, strlen(text), &schema, &data, NULL, &d), -EINVAL);
		assert_int_equal(d.n, 1);
		assert_non_null(strstr(d.msgs[0].text, ": nested more than 64 deep"));
		sig_diag_free(&d);
		free(text);
	}
}

static void
all_faults(void **state)
{
	static const char text[] = "nmae: x\nsmall: 999\nitems:\n  - {word: ''}\n";
	struct sig_diag d = { 0 };
	cyaml_data_t *data = NULL;

	(void)state;
	assert_int_equal(
	    sig_yaml_load("f", text, sizeof(text) - 1, &schema, &data, NULL, &d), -EINVAL);
	assert_int_equal(d.n, 4);
	assert_string_equal(d.msgs[1].text, "f:2:8: 'small' is out of range: '999'");
	assert_string_equal(d.msgs[2].text, "f:4:12: 'word' must not be empty");
	assert_string_equal(d.msgs[3].text, "f:1:1: key 'name' is missing");
	sig_diag_free(&d);
}

static void
loaded(void **state)
{
	static const char text[] = "name: \"a: b\"\nlist: 'x, y'\nitems:\n  - word: q\n    number: "
				   "-7\ncolour: green\nsmall: 0xff\nflag: yes\n";
	struct sig_diag d = { 0 };
	cyaml_data_t *data = NULL;
	struct outer *o;

	(void)state;
	assert_int_equal(sig_yaml_load("f", text, sizeof(text) - 1, &schema, &data, NULL, &d), 0);
	o = data;
	assert_string_equal(o->name, "a: b");
	/* A lone value where a list is wanted is a list of one, commas and all. */
	assert_int_equal(o->list_count, 1);
	assert_string_equal(o->list[0], "x, y");
	assert_int_equal(o->items_count, 1);
	assert_int_equal(o->items[0].number, -7);
	assert_int_equal(o->colour, 2);
	assert_int_equal(o->small, 255);
	assert_true(o->flag);
	sig_yaml_free(data);
	assert_int_equal(d.n, 0);
}

static void
truths(void **state)
{
	static const struct {
		const char *text;
		bool want;
	} cases[] = { { "name: x\nflag: on\n", true }, { "name: x\nflag: off\n", false },
		{ "name: x\nflag: No\n", false }, { "name: x\nflag: TRUE\n", true },
		{ "name: x\n", false } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sig_diag d = { 0 };
		cyaml_data_t *data = NULL;

		assert_int_equal(sig_yaml_load("f", cases[i].text, strlen(cases[i].text), &schema,
				     &data, NULL, &d),
		    0);
		assert_int_equal(((struct outer *)data)->flag, cases[i].want);
		assert_null(((struct outer *)data)->list);
		assert_int_equal(((struct outer *)data)->list_count, 0);
		sig_yaml_free(data);
	}
}

static void
places(void **state)
{
	static const char text[] = "a:\n  - x: 1\n    y: [p, q]\n  - lone\nb: z\n";
	static const struct {
		const char *where;
		unsigned line, col;
	} want[] = { { "a[0].y[1]", 3, 12 }, { "a[0].x", 2, 8 }, { "b", 5, 4 }, { "a[1]", 4, 5 },
		{ "a[1][0]", 4, 5 }, { "", 1, 1 } };
	static const char *const none[] = { "c", "a[2]", "a[0].z", "b[1]", "a[", "a[x]", "..",
		"b.c" };
	unsigned line = 77, col = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		assert_int_equal(
		    sig_yaml_locate(text, sizeof(text) - 1, want[i].where, &line, &col), 0);
		assert_int_equal(line, want[i].line);
		assert_int_equal(col, want[i].col);
	}
	line = col = 77;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_int_equal(
		    sig_yaml_locate(text, sizeof(text) - 1, none[i], &line, &col), -ENOENT);
	assert_int_equal(line, 77);
	assert_int_equal(col, 77);
}

static void
files(void **state)
{
	struct sig_diag d = { 0 };
	char *text = NULL;
	size_t len = 0;

	(void)state;
	assert_int_equal(sig_file_read("/", 10, &text, &len, &d), -EISDIR);
	assert_int_equal(sig_file_read("/dev/zero", 10, &text, &len, &d), -EINVAL);
	assert_int_equal(sig_file_read("/nowhere/at/all", 10, &text, &len, &d), -ENOENT);
	assert_int_equal(sig_file_read("/proc/self/exe", 10, &text, &len, &d), -EFBIG);
	assert_null(text);
	assert_string_equal(d.msgs[0].text, "/: is a folder: name a file");
	assert_string_equal(d.msgs[1].text, "/dev/zero: is not a regular file");
	assert_string_equal(d.msgs[2].text, "/nowhere/at/all: No such file or directory");
	assert_string_equal(d.msgs[3].text, "/proc/self/exe: is larger than the limit of 10 bytes");
	assert_int_equal(d.n, 4);
	/* A file whose size the kernel does not tell is read to its end. */
	assert_int_equal(sig_file_read("/proc/self/status", 1 << 20, &text, &len, &d), 0);
	assert_true(len > 0 && strlen(text) == len);
	free(text);
	sig_diag_free(&d);
}

static void
nearest(void **state)
{
	static const char *const words[] = { "update", "telemetry", "portal", "id" };

	(void)state;
	assert_string_equal(sig_nearest("updaet", words, 4), "update");
	assert_string_equal(sig_nearest("telemtry", words, 4), "telemetry");
	assert_null(sig_nearest("xyz", words, 4));
	assert_null(sig_nearest("", words, 4));
	assert_null(sig_nearest("portal", words, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(refused), cmocka_unit_test(all_faults),
		cmocka_unit_test(nested_too_deep), cmocka_unit_test(loaded),
		cmocka_unit_test(truths), cmocka_unit_test(places), cmocka_unit_test(files),
		cmocka_unit_test(nearest) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
