/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signatures/bundle*.c, manifest.c: what is altered, older or unsigned is refused and changes
 * nothing; the archive and the signature are also read by tar and by openssl's own command.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pack_text.h"
#include "signatures/bundle.h"
#include "signatures/base/yaml.h"

static char dir[] = "/tmp/phonehome-bundle-XXXXXX";

static const char *
in(const char *name)
{
	static char path[4][128];
	static unsigned turn;
	char *p = path[turn++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void
put(const char *path, const void *bytes, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	fclose(f);
}

static int
begin(void **state)
{
	struct sig_diag d = { 0 };

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(mkdir(in("packs"), 0700), 0);
	put(in("packs/t.yaml"), good_pack, strlen(good_pack));
	assert_int_equal(sig_bundle_keygen(in("a.key"), in("a.pub"), &d), 0);
	assert_int_equal(sig_bundle_keygen(in("b.key"), in("b.pub"), &d), 0);
	assert_int_equal(sig_bundle_make(in("packs"), in("two.tar"), "2.0", in("a.key"), &d), 0);
	assert_int_equal(sig_bundle_make(in("packs"), in("ten.tar"), "10.0", in("a.key"), &d), 0);
	assert_int_equal(sig_bundle_make(in("packs"), in("none.tar"), NULL, NULL, &d), 0);
	assert_int_equal(d.n, 0);
	return 0;
}

static int
end(void **state)
{
	char command[200];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static const char *place = "installed";
static bool replace;

/* The origin of the installed packs, or the message of what went wrong. */
static const char *
install(const char *bundle, const char *key, bool unsigned_too)
{
	static char out[512];
	struct sig_bundle_install how = { .bundle = in(bundle),
		.dir = in(place),
		.replace = replace,
		.key_file = key ? in(key) : NULL,
		.allow_unsigned = unsigned_too };
	struct sig_diag d = { 0 };
	struct sig_packs *packs = NULL;
	struct sig_ruleset *rules = NULL;
	char version[33];

	if (sig_bundle_install(&how, version, NULL, &d) != 0) {
		const char *colon = strstr(d.msgs[0].text, ": ");

		snprintf(out, sizeof(out), "%s", colon + 2);
		sig_diag_free(&d);
		return out;
	}
	assert_int_equal(sig_packs_load(how.dir, &packs, &d), 0);
	assert_int_equal(sig_compile(packs, &rules, &d), 0);
	snprintf(out, sizeof(out), "%s", sig_ruleset_origin(rules));
	sig_ruleset_free(rules);
	sig_packs_free(packs);
	return out;
}

static const char *
origin(void)
{
	static char out[64];
	struct sig_diag d = { 0 };
	struct sig_packs *packs = NULL;
	struct sig_ruleset *rules = NULL;

	assert_int_equal(sig_packs_load(in(place), &packs, &d), 0);
	assert_int_equal(sig_compile(packs, &rules, &d), 0);
	snprintf(out, sizeof(out), "%s", sig_ruleset_origin(rules));
	sig_ruleset_free(rules);
	sig_packs_free(packs);
	return out;
}

static void
installed(void **state)
{
	(void)state;
	assert_string_equal(install("two.tar", NULL, false),
	    "no key to check it by: --key FILE, or --allow-unsigned");
	assert_string_equal(install("two.tar", "b.pub", false),
	    "its signature does not fit the key: it was altered, or another made it");
	assert_int_not_equal(access(in("installed"), F_OK), 0);
	assert_string_equal(install("two.tar", "a.pub", false), "signed:2.0");
	assert_string_equal(install("two.tar", "a.pub", false), "signed:2.0");
	assert_string_equal(install("ten.tar", "a.pub", false), "signed:10.0");
	assert_non_null(strstr(install("two.tar", "a.pub", false),
	    "version 2.0 is older than 10.0, which is installed in "));
	assert_string_equal(origin(), "signed:10.0");
	/* A private key is no public one. */
	assert_string_equal(install("ten.tar", "a.key", false),
	    "is no Ed25519 public key (phonehome signatures keygen makes one: NAME.pub)");
}

static int
install_at(const char *at, struct sig_diag *d)
{
	struct sig_bundle_install how = {
		.bundle = in("two.tar"), .key_file = in("a.pub"), .dir = in(at)
	};

	return sig_bundle_install(&how, NULL, NULL, d);
}

/* The folder that a link names is replaced, not the link; nothing is left beside it. */
static void
places(void **state)
{
	struct sig_diag d = { 0 };
	struct stat st;
	char command[200];
	mode_t mask = umask(077);

	(void)state;
	assert_int_equal(mkdir(in("real"), 0700), 0);
	assert_int_equal(symlink("real", in("link")), 0);
	put(in("plain"), "x", 1);
	assert_int_equal(install_at("link", &d), 0);
	umask(mask);
	assert_int_equal(lstat(in("link"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(stat(in("real/t.yaml"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(install_at("real/.", &d), 0);
	assert_int_equal(install_at("plain", &d), -EINVAL);
	assert_non_null(strstr(d.msgs[0].text, "plain: is no folder"));
	sig_diag_free(&d);
	snprintf(
	    command, sizeof(command), "test -z \"$(ls -d '%s'/.*.install-* 2>/dev/null)\"", dir);
	assert_int_equal(system(command), 0);
}

static void
unsigned_ones(void **state)
{
	(void)state;
	assert_string_equal(install("none.tar", "a.pub", false),
	    "is not signed: --allow-unsigned takes it all the same");
	/* The packs' own version, 1.0, is older still. */
	assert_non_null(strstr(install("none.tar", NULL, true), "version 1.0 is older than 10.0"));
	assert_string_equal(install("ten.tar", NULL, true), "unsigned");
	assert_string_equal(install("ten.tar", "b.pub", true), "unsigned");
	/* What was edited after is what a person wrote. */
	FILE *f = fopen(in("installed/t.yaml"), "a");
	fputs("# mine\n", f);
	fclose(f);
	assert_string_equal(origin(), "folder");
	replace = true;
	assert_string_equal(install("ten.tar", "a.pub", false), "signed:10.0");
	replace = false;
}

static void
put_text(const char *path, const char *text)
{
	put(path, text, strlen(text));
}

/* What a person put there is not the installer's to throw away; packs that a bundle brought are. */
static void
own_packs(void **state)
{
	char *other = bent_pack("a.vendor.com", "b.vendor.com");
	char *named = strstr(other, "pack: t");
	char *newer = bent_pack("version: 1.0", "version: 10.1");

	(void)state;
	memcpy(named, "pack: u", strlen("pack: u"));
	assert_int_equal(mkdir(in("packs2"), 0700), 0);
	put_text(in("packs2/u.yaml"), other);
	put_text(in("packs2/t.yaml"), good_pack);
	assert_int_equal(sig_bundle_make(in("packs2"), in("more.tar"), "11", in("a.key"),
			     &(struct sig_diag){ 0 }),
	    0);

	place = "own";
	assert_string_equal(install("more.tar", "a.pub", false), "signed:11");
	assert_int_equal(access(in("own/u.yaml"), F_OK), 0);
	assert_int_equal(sig_bundle_make(in("packs"), in("twelve.tar"), "12", in("a.key"),
			     &(struct sig_diag){ 0 }),
	    0);
	/* u.yaml is no more in the bundle, and came by one. */
	assert_string_equal(install("twelve.tar", "a.pub", false), "signed:12");
	assert_int_not_equal(access(in("own/u.yaml"), F_OK), 0);

	put_text(in("own/u.yaml"), other);
	assert_string_equal(install("twelve.tar", "a.pub", false),
	    "is not of what was installed and not of the bundle, and would be lost: move it away, "
	    "or --replace");
	assert_int_equal(access(in("own/u.yaml"), F_OK), 0);
	assert_string_equal(origin(), "folder");
	assert_int_equal(unlink(in("own/u.yaml")), 0);
	put_text(in("own/t.yaml"), newer);
	assert_string_equal(install("twelve.tar", "a.pub", false),
	    "was changed since it was installed, and that "
	    "would be lost: move it away, or --replace");
	assert_int_equal(mkdir(in("own/notes"), 0700), 0);
	replace = true;
	assert_string_equal(
	    install("twelve.tar", "a.pub", false), "is a folder, and would be lost: move it away");
	assert_int_equal(rmdir(in("own/notes")), 0);
	assert_string_equal(install("twelve.tar", "a.pub", false), "signed:12");
	replace = false;

	/* A folder that no bundle brought: as the build installs it. Its packs have versions too.
	 */
	place = "plainly";
	assert_int_equal(mkdir(in("plainly"), 0700), 0);
	put_text(in("plainly/t.yaml"), newer);
	assert_non_null(strstr(install("ten.tar", "a.pub", false),
	    "version 10.0 is older than 10.1, which is installed in "));
	assert_string_equal(install("more.tar", "a.pub", false), "signed:11");
	place = "installed";
	free(other);
	free(newer);
}

/* A second installer waits for nobody; what a killed one left goes, and nothing else does. */
static void
one_at_a_time(void **state)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	assert_string_equal(
	    install("ten.tar", "a.pub", false), "another installation is under way there");
	close(fd);
	assert_int_equal(mkdir(in(".installed.install-Ab3xyz"), 0700), 0);
	put_text(in(".installed.install-Ab3xyz/t.yaml"), "half");
	assert_int_equal(mkdir(in("installed.install-backup"), 0700), 0);
	assert_int_equal(mkdir(in(".installed.install-Ab3xyzz"), 0700), 0);
	assert_string_equal(install("ten.tar", "a.pub", false), "signed:10.0");
	assert_int_not_equal(access(in(".installed.install-Ab3xyz"), F_OK), 0);
	assert_int_equal(rmdir(in("installed.install-backup")), 0);
	assert_int_equal(rmdir(in(".installed.install-Ab3xyzz")), 0);
}

/* Every byte of the bundle counts, but those that tar leaves unused. */
static void
altered(void **state)
{
	struct sig_diag d = { 0 };
	char *bundle = NULL, *key = NULL;
	size_t len = 0, key_len, taken = 0;

	(void)state;
	assert_int_equal(sig_file_read(in("two.tar"), 1 << 20, &bundle, &len, &d), 0);
	assert_int_equal(sig_file_read(in("a.pub"), 1 << 20, &key, &key_len, &d), 0);
	assert_int_equal(sig_bundle_check(bundle, len, key, &d), 0);
	for (size_t i = 0; i < len; i++) {
		char was = bundle[i];

		bundle[i] ^= 0x41;
		if (sig_bundle_check(bundle, len, key, &d) == 0) {
			taken++;
			/* Only padding and what follows the end may be other: zeros before. */
			assert_int_equal(was, 0);
		}
		bundle[i] = was;
		sig_diag_free(&d);
	}
	assert_true(taken < len);
	for (size_t i = 0; i < 3500; i += 7) {
		assert_true(sig_bundle_check(bundle, i, key, &d) != 0);
		sig_diag_free(&d);
	}
	free(bundle);
	free(key);
}

static void
other_tools(void **state)
{
	char command[1024];

	(void)state;
	snprintf(command, sizeof(command),
	    "cd %s && mkdir x && tar -xf two.tar -C x && cmp x/t.yaml packs/t.yaml && "
	    "openssl pkeyutl -verify -pubin -inkey a.pub -rawin -in x/MANIFEST -sigfile "
	    "x/MANIFEST.sig >/dev/null && "
	    "sed -n 's/^sha256 \\([0-9a-f]*\\) [0-9]* /\\1  packs\\//p' x/MANIFEST | sha256sum -c "
	    "--quiet",
	    dir);
	assert_int_equal(system(command), 0);
}

static void
manifests(void **state)
{
#define SUM "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define TOP "phonehome-packs 1\nversion 1.2\ncreated now\n"
	static const struct {
		const char *text;
		unsigned line;
	} bad[] = {
		{ "", 1 },
		{ "phonehome-packs 2\n", 1 },
		{ "phonehome-packs 1\nversion x\n", 2 },
		{ "phonehome-packs 1\nversion .1\n", 2 },
		{ TOP, 4 },
		{ TOP "sha256 " SUM " 5 a.yaml", 4 },
		{ TOP "sha256 " SUM " 0 a.yaml\n", 4 },
		{ TOP "sha256 " SUM " -5 a.yaml\n", 4 },
		{ TOP "sha256 " SUM " 99999999999 a.yaml\n", 4 },
		{ TOP "sha256 " SUM " 5 a.txt\n", 4 },
		{ TOP "sha256 " SUM " 5 ../a.yaml\n", 4 },
		{ TOP "sha256 " SUM " 5 /a.yaml\n", 4 },
		{ TOP "sha256 " SUM " 5 .yaml\n", 4 },
		{ TOP "sha256 " SUM " 5\n", 4 },
		{ TOP "sha256 " SUM "\n", 4 },
		{ TOP "sha256 0 5 a.yaml\n", 4 },
		{ TOP "sha256 " SUM " 5 a.yaml\nsha256 " SUM " 5 a.yaml\n", 5 },
		{ TOP "sha256 " SUM " 5 b.yaml\nsha256 " SUM " 5 a.yaml\n", 5 },
		{ TOP "sha256 " SUM " 60000000 a.yaml\nsha256 " SUM " 60000000 b.yaml\nsha256 " SUM
		      " 60000000 c.yaml\nsha256 " SUM " 60000000 d.yaml\nsha256 " SUM
		      " 60000000 e.yaml\n",
		    8 },
	};
	struct sig_manifest m = { .n = 77 };
	unsigned line;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		line = 0;
		assert_true(sig_manifest_parse(bad[i].text, strlen(bad[i].text), &m, &line) < 0);
		assert_int_equal(line, bad[i].line);
		assert_int_equal(m.n, 77);
	}
	static const char good[] = TOP "sha256 " SUM " 5 a.yaml\nsha256 " SUM " 7 b-c.yaml\n";
	assert_int_equal(sig_manifest_parse(good, strlen(good), &m, &line), 0);
	assert_int_equal(m.n, 2);
	assert_string_equal(m.files[1].name, "b-c.yaml");
	assert_int_equal(m.files[1].size, 7);
	assert_int_equal(m.files[0].sha256[31], 0x55);
	sig_manifest_free(&m);
}

static void
versions(void **state)
{
	(void)state;
	assert_true(sig_version_compare("2026.11.22", "2026.11.22") == 0);
	assert_true(sig_version_compare("2026.11.9", "2026.11.22") < 0);
	assert_true(sig_version_compare("2026.9", "2026.11") < 0);
	assert_true(sig_version_compare("10", "9") > 0);
	assert_true(sig_version_compare("1.0", "1") == 0);
	assert_true(sig_version_compare("1.0.1", "1") > 0);
	assert_true(sig_version_compare("01.02", "1.2") == 0);
	assert_true(sig_version_compare("99999999999999999999999", "100000000000000000000000") < 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(installed), cmocka_unit_test(places),
		cmocka_unit_test(unsigned_ones), cmocka_unit_test(own_packs),
		cmocka_unit_test(one_at_a_time), cmocka_unit_test(altered),
		cmocka_unit_test(other_tools), cmocka_unit_test(manifests),
		cmocka_unit_test(versions) };

	return cmocka_run_group_tests(tests, begin, end);
}
