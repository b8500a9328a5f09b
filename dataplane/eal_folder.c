/* SPDX-License-Identifier: Apache-2.0 */
/* Finds and removes runtime folders of DPDK that nobody uses any more. */
#include "dataplane/eal_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { SETTLED_S = 30 }; /* one that starts makes its folder first and locks a file in it later */

static bool
is_ours(const char *name)
{
	size_t head = strlen(DP_EAL_PREFIX);

	return strncmp(name, DP_EAL_PREFIX, head) == 0 && strlen(name) == head + 8 &&
	       strspn(name + head, "0123456789abcdef") == 8;
}

/* DPDK's primary process keeps a write lock on `config` for as long as it lives. */
static bool
is_locked(int folder)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = openat(folder, "config", O_RDWR | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno != ENOENT; /* --in-memory has none: its socket tells */
	bool locked = fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
	close(fd);
	return locked;
}

/* Somebody answers at a socket in it. */
static bool
is_listening(const char *path, const char *name)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", path, name);

	if (n < 0 || (size_t)n >= sizeof(addr.sun_path))
		return true;
	for (unsigned i = 0; i < 3; i++) {
		int fd = socket(AF_UNIX, types[i] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd < 0)
			return true;
		int rc = connect(fd, (struct sockaddr *)&addr, sizeof(addr));
		bool refused = rc != 0 && (errno == ECONNREFUSED || errno == EPROTOTYPE);
		close(fd);
		if (!refused)
			return true;
	}
	return false;
}

/* Nobody lives there, and there is nothing in it that is not a file or a socket. */
static bool
is_stale(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return false;
	bool stale = fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
		     time(NULL) - st.st_mtime >= SETTLED_S && !is_locked(fd);
	DIR *d = fdopendir(fd);
	if (!d) {
		close(fd);
		return false;
	}
	for (struct dirent *e; stale && (e = readdir(d));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		stale = fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			(S_ISREG(st.st_mode) ||
			    (S_ISSOCK(st.st_mode) && !is_listening(path, e->d_name)));
	}
	closedir(d);
	return stale;
}

void
dp_eal_remove_folder(const char *path)
{
	DIR *d = opendir(path);

	for (struct dirent *e; d && (e = readdir(d));)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			(void)unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	(void)rmdir(path);
}

unsigned
dp_eal_sweep(const char *own)
{
	const char *slash = strrchr(own, '/');
	char path[512];
	unsigned gone = 0;

	if (!slash || slash == own || (size_t)(slash - own) >= sizeof(path))
		return 0;
	memcpy(path, own, (size_t)(slash - own));
	path[slash - own] = '\0';
	DIR *d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));) {
		int n = snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - own), own, e->d_name);
		if (!is_ours(e->d_name) || strcmp(e->d_name, slash + 1) == 0 || n < 0 ||
		    (size_t)n >= sizeof(path) || !is_stale(path))
			continue;
		dp_eal_remove_folder(path);
		gone++;
	}
	if (d)
		closedir(d);
	return gone;
}
