/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who else writes as this sensor. A daemon's rows are totals, which it alone adds up: a second
 * writer of its name would overwrite them. So each writer holds one byte of PATH-lock, which the
 * sensor's name picks, for as long as it has the store open: a daemon alone, scans together (they
 * take turns by transactions). The lock goes with the process, however it ends; the empty file
 * stays, as SQLite's -wal does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/store/sqlite_impl.h"
#include "signatures/base/hash.h"

/* Beside the database, never the database itself: to close any other descriptor of that drops
 * SQLite's locks. */
static int
open_lock(const struct lite *l)
{
	char path[4200];

	if ((size_t)snprintf(path, sizeof(path), "%s-lock", l->path) >= sizeof(path))
		return -ENAMETOOLONG;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	return fd < 0 ? -errno : fd;
}

int
lite_lock(struct store *store, struct lite *l, struct sig_diag *diag)
{
	uint64_t at = sig_hash(store->sensor, strlen(store->sensor), 0);
	struct flock want = {
		.l_type = store->alone ? F_WRLCK : F_RDLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)(at >> 2),
		.l_len = 1,
	};
	int rc = 0;

	if (strcmp(l->path, ":memory:") == 0)
		return 0;
	l->lock_fd = open_lock(l);
	if (l->lock_fd < 0)
		rc = l->lock_fd;
	else if (fcntl(l->lock_fd, F_OFD_SETLK, &want) < 0)
		rc = -errno;
	if (rc == -EAGAIN || rc == -EACCES) {
		sig_diag_add(diag, SIG_ERROR, l->path, 0, 0,
		    "another program writes there as sensor '%s': give each sensor a name of its "
		    "own (sensor, --sensor)",
		    store->sensor);
		return -EBUSY;
	}
	/* No such folder: SQLite will say so of the store. A file system without locks: as without
	 * them. */
	if (l->lock_fd < 0 && rc != -ENOENT && rc != -ENOTDIR) {
		sig_diag_add(diag, SIG_ERROR, l->path, 0, 0,
		    "its lock (%s-lock) cannot be opened: %s", l->path, strerror(-rc));
		return rc;
	}
	return 0;
}
