/* SPDX-License-Identifier: Apache-2.0 */
/* Installing a bundle: unpacked beside the folder, proved to work, then swapped in one step. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "signatures/base/yaml.h"
#include "signatures/bundle_impl.h"
#include "signatures/ruleset.h"

static int
system_fault(struct sig_diag *diag, const char *path, int err)
{
	sig_diag_add(diag, SIG_ERROR, path, 0, 0, "%s", strerror(-err));
	return err;
}

/* A whole file, on the disk before this returns. */
static int
write_file(int dirfd, const char *name, const void *bytes, size_t len)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	const char *p = bytes;
	int err = fd < 0 ? -errno : 0;

	/* Packs are for all to read, as their folder is, whatever the umask of who installs them.
	 */
	if (!err && fchmod(fd, 0644) < 0)
		err = -errno;
	while (!err && len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno != EINTR)
			err = -errno;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	if (!err && fsync(fd) < 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

static int
keep_pack(void *arg, const char *name, const char *text, size_t len)
{
	return write_file(*(int *)arg, name, text, len);
}

/* A folder of plain files, as the installer makes them; others are left. */
static void
remove_folder(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	if (!d)
		return;
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			(void)unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	(void)rmdir(path);
}

/* The version that is installed; false when none is. */
static bool
installed_version(const char *dir, char version[static 33])
{
	struct sig_diag quiet = { 0 };
	struct sig_manifest m;
	char *path = NULL, *text = NULL;
	unsigned line;
	size_t len;
	bool ok = false;

	if (asprintf(&path, "%s/MANIFEST", dir) >= 0 &&
	    sig_file_read(path, SIG_BUNDLE_MANIFEST_MAX, &text, &len, &quiet) == 0 &&
	    sig_manifest_parse(text, len, &m, &line) == 0) {
		memcpy(version, m.version, sizeof(m.version));
		sig_manifest_free(&m);
		ok = true;
	}
	free(text);
	free(path);
	sig_diag_free(&quiet);
	return ok;
}

static int
check_works(const char *dir, struct sig_diag *diag)
{
	struct sig_packs *packs = NULL;
	struct sig_ruleset *rules = NULL;
	int err = sig_packs_load(dir, &packs, diag);

	if (!err)
		err = sig_compile(packs, &rules, diag);
	sig_packs_free(packs);
	sig_ruleset_free(rules);
	return err;
}

/* Puts `fresh` where `dir` is, in one step; what was there is then at `fresh`, and removed. */
static int
swap(const char *fresh, const char *dir)
{
	if (renameat2(AT_FDCWD, fresh, AT_FDCWD, dir, RENAME_EXCHANGE) == 0) {
		remove_folder(fresh);
		return 0;
	}
	if (errno != ENOENT)
		return -errno;
	return rename(fresh, dir) == 0 ? 0 : -errno;
}

static int
unpack(struct bundle_read *r, const char *fresh, const struct sig_bundle_install *how,
    const void *data, size_t len)
{
	int fd = open(fresh, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;
	char have[33];

	if (fd < 0)
		return system_fault(r->diag, fresh, -errno);
	r->keep = keep_pack;
	r->keep_arg = &fd;
	err = bundle_read(r, data, len);
	if (!err && installed_version(how->dir, have) &&
	    sig_version_compare(r->manifest.version, have) < 0) {
		sig_diag_add(r->diag, SIG_ERROR, how->bundle, 0, 0,
		    "version %s is older than %s, which is installed in %s", r->manifest.version,
		    have, how->dir);
		err = -EBADMSG;
	}
	if (!err)
		err = write_file(fd, "MANIFEST", r->text, r->text_len);
	if (!err && r->is_signed)
		err = write_file(fd, "MANIFEST.sig", r->signature, sizeof(r->signature));
	if (!err && (fchmod(fd, 0755) < 0 || fsync(fd) < 0))
		err = -errno;
	if (err && err != -EBADMSG)
		system_fault(r->diag, fresh, err);
	close(fd);
	return err;
}

static int
install(struct bundle_read *r, const struct sig_bundle_install *how, const void *data, size_t len)
{
	size_t n = strlen(how->dir);
	char *fresh = NULL;
	int err;

	while (n > 1 && how->dir[n - 1] == '/')
		n--;
	if (asprintf(&fresh, "%.*s.new-XXXXXX", (int)n, how->dir) < 0)
		return -ENOMEM;
	if (!mkdtemp(fresh)) {
		err = system_fault(r->diag, fresh, -errno);
		free(fresh);
		return err;
	}
	err = unpack(r, fresh, how, data, len);
	if (!err)
		err = check_works(fresh, r->diag);
	if (!err) {
		err = swap(fresh, how->dir);
		if (err)
			system_fault(r->diag, how->dir, err);
	}
	if (err)
		remove_folder(fresh);
	free(fresh);
	return err;
}

/*
 * The folder itself where a link leads to one, or where it is named as `.`: a name that is swapped
 * must be its own. What is not there yet stays as it was named; what is no folder is refused.
 */
static int
resolve(const char *dir, char **ret_dir, struct sig_diag *diag)
{
	char *path = realpath(dir, NULL);
	struct stat st;
	int err = path ? 0 : -errno;

	if (err == -ENOENT && lstat(dir, &st) < 0) {
		path = strdup(dir);
		err = path ? 0 : -ENOMEM;
	} else if (!err && (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))) {
		free(path);
		sig_diag_add(diag, SIG_ERROR, dir, 0, 0, "is no folder");
		return -EINVAL;
	}
	if (err)
		return system_fault(diag, dir, err);
	*ret_dir = path;
	return 0;
}

int
sig_bundle_install(const struct sig_bundle_install *how, char *ret_version, bool *ret_signed,
    struct sig_diag *diag)
{
	struct bundle_read r = {
		.name = how->bundle, .allow_unsigned = how->allow_unsigned, .diag = diag
	};
	struct sig_bundle_install at = *how;
	char *data = NULL, *pem = NULL, *dir = NULL;
	size_t len = 0, pem_len = 0;
	int err = 0;

	if (how->key_file)
		err = sig_file_read(how->key_file, 1 << 16, &pem, &pem_len, diag);
	else if (!how->allow_unsigned)
		err = bundle_fault(
		    diag, how->bundle, "no key to check it by: --key FILE, or --allow-unsigned");
	if (!err && pem && !bundle_is_public_key(pem))
		err = bundle_fault(diag, how->key_file,
		    "is no Ed25519 public key (phonehome signatures keygen makes one: NAME.pub)");
	r.key_pem = pem;
	/* The tar's own headers and padding come on top of the packs. */
	if (!err)
		err = sig_file_read(how->bundle,
		    SIG_BUNDLE_MAX + SIG_BUNDLE_MANIFEST_MAX + SIG_BUNDLE_FILES_MAX * 1024, &data,
		    &len, diag);
	if (!err)
		err = resolve(how->dir, &dir, diag);
	at.dir = dir;
	if (!err)
		err = install(&r, &at, data, len);
	if (!err && ret_version)
		memcpy(ret_version, r.manifest.version, sizeof(r.manifest.version));
	if (!err && ret_signed)
		*ret_signed = r.is_signed;
	bundle_read_free(&r);
	free(dir);
	free(data);
	free(pem);
	return err;
}
