/* SPDX-License-Identifier: Apache-2.0 */
/* The DNS memory's images: files, and nothing of what is in them (dns_memory.c checks that). */
#include "dataplane/dns_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_MAX_LEN = 32 };

static void
image_name(char out[NAME_MAX_LEN], unsigned i, const char *suffix)
{
	snprintf(out, NAME_MAX_LEN, "dns-memory.%u%s", i, suffix);
}

static int
open_folder(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static void
warn(struct sig_diag *diag, const char *folder, const char *name, const char *what, int rc)
{
	sig_diag_add(diag, SIG_WARNING, NULL, 0, 0, "%s%s%s: %s: %s", folder, name ? "/" : "",
	    name ? name : "", what,
	    rc == -EBADMSG ? "not an image of the DNS memory" : strerror(-rc));
}

/* All of fd; -EBADMSG when it ended early. */
static int
read_all(int fd, uint8_t *to, size_t len)
{
	while (len != 0) {
		ssize_t n = read(fd, to, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		to += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
write_all(int fd, const uint8_t *from, size_t len)
{
	while (len != 0) {
		ssize_t n = write(fd, from, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		from += n;
		len -= (size_t)n;
	}
	return 0;
}

/* -ENOENT: there is none. A link, a pipe or a file of somebody else is none of ours. */
static int
read_image(int folder, const char *name, uint8_t **ret_image, size_t *ret_len)
{
	int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	uint8_t *image = NULL;
	int rc;

	if (fd < 0)
		return -errno;
	rc = fstat(fd, &st) < 0 ? -errno : 0;
	if (rc == 0 && (!S_ISREG(st.st_mode) || st.st_uid != geteuid()))
		rc = -EPERM;
	if (rc == 0 && (st.st_size <= 0 || st.st_size > (off_t)DP_DNS_IMAGE_MAX_MB << 20))
		rc = -EBADMSG;
	if (rc == 0) {
		image = malloc((size_t)st.st_size);
		rc = image ? read_all(fd, image, (size_t)st.st_size) : -ENOMEM;
	}
	close(fd);
	if (rc < 0) {
		free(image);
		return rc;
	}
	*ret_image = image;
	*ret_len = (size_t)st.st_size;
	return 0;
}

unsigned
dp_dns_state_load(const char *folder, struct clf_dns_memory *const *memories, unsigned n,
    uint64_t now_us, struct sig_diag *diag)
{
	int dir = open_folder(folder);
	unsigned taken = 0;

	if (dir < 0) {
		if (dir != -ENOENT) /* the first start: it is made by the first stop */
			warn(diag, folder, NULL, "cannot be read", dir);
		return 0;
	}
	for (unsigned i = 0; i < DP_DNS_IMAGES_MAX; i++) {
		char name[NAME_MAX_LEN];
		uint8_t *image = NULL;
		size_t len = 0;
		int rc;

		image_name(name, i, "");
		rc = read_image(dir, name, &image, &len);
		for (unsigned m = 0; rc >= 0 && m < n; m++)
			rc = clf_dns_memory_load(memories[m], image, len, now_us);
		free(image);
		if (rc >= 0)
			taken += (unsigned)rc;
		else if (rc != -ENOENT)
			warn(diag, folder, name, "left out", rc);
	}
	close(dir);
	return taken;
}

/* Beside the old one, and then in its place. */
static int
write_image(int folder, const char *name, const char *fresh, const uint8_t *image, size_t len)
{
	int fd, rc;

	(void)unlinkat(folder, fresh, 0); /* of a stop that was cut short */
	fd = openat(folder, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	rc = write_all(fd, image, len);
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && renameat(folder, fresh, folder, name) < 0)
		rc = -errno;
	if (rc < 0)
		(void)unlinkat(folder, fresh, 0);
	return rc;
}

static int
save_one(int folder, unsigned i, const struct clf_dns_memory *memory)
{
	char name[NAME_MAX_LEN], fresh[NAME_MAX_LEN];
	size_t len = clf_dns_memory_save(memory, NULL, 0);
	uint8_t *image;
	int rc;

	image_name(name, i, "");
	image_name(fresh, i, ".new");
	if (len > (size_t)DP_DNS_IMAGE_MAX_MB << 20)
		return -EFBIG;
	image = malloc(len);
	if (!image)
		return -ENOMEM;
	(void)clf_dns_memory_save(memory, image, len);
	rc = write_image(folder, name, fresh, image, len);
	free(image);
	return rc;
}

void
dp_dns_state_save(
    const char *folder, struct clf_dns_memory *const *memories, unsigned n, struct sig_diag *diag)
{
	char name[NAME_MAX_LEN];
	int dir;

	(void)mkdir(folder, 0750); /* what open says matters */
	dir = open_folder(folder);
	if (dir < 0) {
		warn(diag, folder, NULL, "the DNS memory is not kept", dir);
		return;
	}
	for (unsigned i = 0; i < DP_DNS_IMAGES_MAX; i++) {
		int rc = 0;

		image_name(name, i, "");
		if (i < n)
			rc = save_one(dir, i, memories[i]);
		else if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
			rc = -errno;
		if (rc < 0)
			warn(diag, folder, name, "the DNS memory is not kept", rc);
	}
	if (fsync(dir) < 0)
		warn(diag, folder, NULL, "cannot be synced", -errno);
	close(dir);
}
