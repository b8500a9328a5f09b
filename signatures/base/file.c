/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a whole file that a person named: a regular one, of bounded size. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "signatures/base/yaml.h"

static int
refuse(struct sig_diag *diag, const char *path, int err, const char *why)
{
	sig_diag_add(diag, SIG_ERROR, path, 0, 0, "%s", why);
	return err;
}

/* Reads until the end of the file or the limit: the size that stat() gave may have changed. */
static int
read_all(int fd, size_t max, char **ret_text, size_t *ret_len)
{
	size_t len = 0, cap = 4096;
	char *text = malloc(cap);

	while (text) {
		ssize_t n = read(fd, text + len, cap - 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || len + (size_t)n > max) {
			int err = n < 0 ? -errno : -EFBIG;

			free(text);
			return err;
		}
		len += (size_t)n;
		if (n == 0) {
			text[len] = '\0';
			*ret_text = text;
			*ret_len = len;
			return 0;
		}
		if (cap - 1 - len < cap / 4) {
			char *more = realloc(text, cap *= 2);

			if (!more)
				free(text);
			text = more;
		}
	}
	return -ENOMEM;
}

int
sig_file_read(const char *path, size_t max, char **ret_text, size_t *ret_len, struct sig_diag *diag)
{
	struct stat st;
	int fd, err;

	/* O_NONBLOCK: opening a FIFO must not wait for its writer. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err = -errno, refuse(diag, path, err, strerror(-err));
	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (S_ISDIR(st.st_mode))
		err = -EISDIR;
	else if (!S_ISREG(st.st_mode))
		err = -EINVAL;
	else if ((uint64_t)st.st_size > max)
		err = -EFBIG;
	else
		err = read_all(fd, max, ret_text, ret_len);
	close(fd);
	if (err == -EISDIR)
		return refuse(diag, path, err, "is a folder: name a file");
	if (err == -EINVAL)
		return refuse(diag, path, err, "is not a regular file");
	if (err == -EFBIG)
		sig_diag_add(
		    diag, SIG_ERROR, path, 0, 0, "is larger than the limit of %zu bytes", max);
	else if (err < 0)
		return refuse(diag, path, err, strerror(-err));
	return err;
}
