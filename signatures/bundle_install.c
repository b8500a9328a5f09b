/* SPDX-License-Identifier: Apache-2.0 */
/* Installing a bundle: unpacked beside the folder, proved to work, then swapped in one step. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
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
	if (!err && bundle_folder_version(how->dir, have) &&
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

/*
 * Where `dir` is unpacked, as a template for mkdtemp(): beside it, on the same file system, under a
 * name that nobody gives to a folder of packs.
 */
static char *
place_beside(const char *dir, char **ret_parent, char **ret_prefix)
{
	char *copy = strdup(dir), *last = copy ? strrchr(copy, '/') : NULL, *place = NULL;

	while (last && !last[1] && last > copy) {
		*last = '\0';
		last = strrchr(copy, '/');
	}
	if (copy && asprintf(ret_prefix, ".%s.install-", last ? last + 1 : copy) < 0)
		*ret_prefix = NULL;
	if (last)
		last[last == copy] = '\0';
	if (copy && *ret_prefix) {
		*ret_parent = strdup(last ? copy : ".");
		if (!*ret_parent || asprintf(&place, "%s/%sXXXXXX", *ret_parent, *ret_prefix) < 0)
			place = NULL;
	}
	free(copy);
	return place;
}

/* With the lock held, whatever stands under the installer's name was left by one that was killed.
 */
static void
remove_left(const char *parent, const char *prefix)
{
	size_t n = strlen(prefix);
	DIR *d = opendir(parent);
	struct dirent *e;
	char *path;

	while (d && (e = readdir(d)) != NULL)
		if (strncmp(e->d_name, prefix, n) == 0 && strlen(e->d_name) == n + 6 &&
		    asprintf(&path, "%s/%s", parent, e->d_name) >= 0) {
			remove_folder(path);
			free(path);
		}
	if (d)
		closedir(d);
}

static int
install_in(struct bundle_read *r, const struct sig_bundle_install *how, char *fresh, int parent,
    const void *data, size_t len)
{
	int err;

	if (!mkdtemp(fresh))
		return system_fault(r->diag, fresh, -errno);
	err = unpack(r, fresh, how, data, len);
	if (!err) {
		err = bundle_folder_keeps(how->dir, &r->manifest, how->replace, r->diag);
		if (err && err != -EBADMSG)
			system_fault(r->diag, how->dir, err);
	}
	if (!err)
		err = check_works(fresh, r->diag);
	if (!err) {
		err = swap(fresh, how->dir);
		if (err)
			system_fault(r->diag, how->dir, err);
		else
			(void)fsync(parent);
	}
	if (err)
		remove_folder(fresh);
	return err;
}

static int
install(struct bundle_read *r, const struct sig_bundle_install *how, const void *data, size_t len)
{
	char *parent = NULL, *prefix = NULL;
	char *fresh = place_beside(how->dir, &parent, &prefix);
	int fd = -1, err = fresh ? 0 : -ENOMEM;

	if (!err) {
		fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			err = system_fault(r->diag, parent, -errno);
	}
	if (!err && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
		sig_diag_add(r->diag, SIG_ERROR, how->dir, 0, 0, "%s",
		    err == -EBUSY ? "another installation is under way there" : strerror(-err));
	}
	if (!err) {
		remove_left(parent, prefix);
		err = install_in(r, how, fresh, fd, data, len);
	}
	if (fd >= 0)
		close(fd);
	free(fresh);
	free(prefix);
	free(parent);
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
