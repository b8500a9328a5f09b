/* SPDX-License-Identifier: Apache-2.0 */
/* What a folder of packs holds before a bundle takes its place: which version, and what is not the
 * bundle's to take. */
#include <dirent.h>
#include <errno.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "signatures/base/yaml.h"
#include "signatures/bundle_impl.h"
#include "signatures/pack.h"

/* The manifest that an installer left; false when there is none, or none that can be read. */
static bool
read_manifest(const char *dir, struct sig_manifest *ret_manifest)
{
	struct sig_diag quiet = { 0 };
	char *path = NULL, *text = NULL;
	unsigned line;
	size_t len;
	bool ok = asprintf(&path, "%s/MANIFEST", dir) >= 0 &&
		  sig_file_read(path, SIG_BUNDLE_MANIFEST_MAX, &text, &len, &quiet) == 0 &&
		  sig_manifest_parse(text, len, ret_manifest, &line) == 0;

	free(text);
	free(path);
	sig_diag_free(&quiet);
	return ok;
}

bool
bundle_folder_version(const char *dir, char version[static 33])
{
	struct sig_diag quiet = { 0 };
	struct sig_packs *packs = NULL;
	struct sig_manifest m;
	bool ok = false;

	if (read_manifest(dir, &m)) {
		memcpy(version, m.version, sizeof(m.version));
		sig_manifest_free(&m);
		return true;
	}
	if (sig_packs_load(dir, &packs, &quiet) == 0 && packs->n > 0) {
		const char *best = bundle_highest_version(packs);

		ok = strlen(best) < 33;
		if (ok)
			strcpy(version, best);
	}
	sig_packs_free(packs);
	sig_diag_free(&quiet);
	return ok;
}

static const struct sig_manifest_file *
file_named(const struct sig_manifest *m, const char *name)
{
	for (unsigned i = 0; i < m->n; i++)
		if (strcmp(m->files[i].name, name) == 0)
			return &m->files[i];
	return NULL;
}

static bool
is_as_installed(const char *path, const struct sig_manifest_file *f)
{
	struct sig_diag quiet = { 0 };
	unsigned char sum[SHA256_DIGEST_LENGTH];
	char *text = NULL;
	size_t len;
	bool same = false;

	if (sig_file_read(path, SIG_BUNDLE_FILE_MAX, &text, &len, &quiet) == 0) {
		SHA256((const unsigned char *)text, len, sum);
		same = memcmp(sum, f->sha256, sizeof(sum)) == 0;
	}
	free(text);
	sig_diag_free(&quiet);
	return same;
}

/* Why an entry must not go; NULL when it may. `have` is NULL where no installer left a manifest. */
static const char *
loss(const char *path, const char *name, const struct sig_manifest *have,
    const struct sig_manifest *next, bool replace)
{
	const struct sig_manifest_file *f = have ? file_named(have, name) : NULL;
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return "is a folder, and would be lost: move it away";
	if (replace || strcmp(name, "MANIFEST") == 0 || strcmp(name, "MANIFEST.sig") == 0)
		return NULL;
	if (f)
		return is_as_installed(path, f) ? NULL
						: "was changed since it was installed, and that "
						  "would be lost: move it away, "
						  "or --replace";
	if (!have && file_named(next, name))
		return NULL;
	return "is not of what was installed and not of the bundle, and would be lost: move it "
	       "away, or --replace";
}

int
bundle_folder_keeps(
    const char *dir, const struct sig_manifest *next, bool replace, struct sig_diag *diag)
{
	struct sig_manifest have = { 0 };
	bool known = read_manifest(dir, &have);
	struct dirent *e;
	DIR *d = opendir(dir);
	int err = d || errno == ENOENT ? 0 : -errno;

	while (d && (e = readdir(d)) != NULL) {
		const char *why;
		char *path;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (asprintf(&path, "%s/%s", dir, e->d_name) < 0) {
			err = -ENOMEM;
			break;
		}
		why = loss(path, e->d_name, known ? &have : NULL, next, replace);
		if (why) {
			sig_diag_add(diag, SIG_ERROR, path, 0, 0, "%s", why);
			err = -EBADMSG;
		}
		free(path);
	}
	if (d)
		closedir(d);
	if (known)
		sig_manifest_free(&have);
	return err;
}
