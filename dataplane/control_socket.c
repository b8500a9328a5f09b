/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket as a file: made with the right owner and mode, in place of one that nobody
 * listens on, and taken away again unless it has become somebody else's; and who connects to it.
 */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "dataplane/control.h"

enum { BACKLOG = 256 };

/* A socket that nobody listens on is left over from a crash: it is replaced. */
static int
remove_stale(const struct sockaddr_un *addr, struct sig_diag *diag)
{
	struct stat st;

	if (lstat(addr->sun_path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode)) {
		sig_diag_add(diag, SIG_ERROR, addr->sun_path, 0, 0,
		    "is there and is no socket: remove it or give another --socket");
		return -EEXIST;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc = connect(fd, (const struct sockaddr *)addr, sizeof(*addr));
	int err = errno;
	close(fd);
	if (rc == 0) {
		sig_diag_add(diag, SIG_ERROR, addr->sun_path, 0, 0,
		    "another phonehomed listens there: stop it (phonehome stop) or give another "
		    "--socket");
		return -EADDRINUSE;
	}
	if (err != ECONNREFUSED || unlink(addr->sun_path) < 0) {
		sig_diag_add(
		    diag, SIG_ERROR, addr->sun_path, 0, 0, "is in the way: %s", strerror(err));
		return -EADDRINUSE;
	}
	return 0;
}

static void
make_parent(const char *path)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	snprintf(folder, sizeof(folder), "%s", path);
	char *slash = strrchr(folder, '/');

	if (slash && slash != folder) {
		*slash = '\0';
		(void)mkdir(folder, 0755); /* what is wrong with it, bind() will say */
	}
}

static int
set_owner(const struct dp_config *config, struct sig_diag *diag)
{
	const char *path = config->control.socket;
	const struct group *gr = NULL;

	if (config->control.group) {
		gr = getgrnam(config->control.group);
		if (!gr) {
			sig_diag_add(diag, SIG_ERROR, NULL, 0, 0,
			    "control.group: no group \"%s\": make it (groupadd --system %s)",
			    config->control.group, config->control.group);
			return -EINVAL;
		}
		if (chown(path, (uid_t)-1, gr->gr_gid) < 0) {
			sig_diag_add(diag, SIG_ERROR, path, 0, 0, "cannot be given to group %s: %s",
			    config->control.group, strerror(errno));
			return -EPERM;
		}
	}
	if (chmod(path, config->control.read_for_all ? 0666 : 0660) < 0)
		return -errno;
	return 0;
}

int
dp_control_bind(
    const struct dp_config *config, struct dp_control_socket *ret, struct sig_diag *diag)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int rc;

	strcpy(addr.sun_path, config->control.socket);
	make_parent(addr.sun_path);
	rc = remove_stale(&addr, diag);
	if (rc < 0)
		return rc;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mode_t before = umask(0177);
	bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;
	rc = bound && listen(fd, BACKLOG) == 0 ? 0 : -errno;
	umask(before);
	if (bound)
		(void)lstat(addr.sun_path, &ret->file);
	ret->fd = fd;
	ret->path = config->control.socket;
	if (rc < 0) {
		sig_diag_add(diag, SIG_ERROR, addr.sun_path, 0, 0,
		    "the control socket cannot be made: %s%s", strerror(-rc),
		    rc == -ENOENT || rc == -EACCES
			? ": make its folder for this user, or give another --socket"
			: "");
		return rc;
	}
	return set_owner(config, diag);
}

int
dp_control_accept(struct dp_control_socket *s, bool *ret_admin)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);
	int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		int rc = -errno;
		if (rc == -EAGAIN || rc == -EINTR || rc == -ECONNABORTED)
			return -EAGAIN;
		s->not_accepted++;
		if (!s->not_accepted_said)
			fprintf(stderr,
			    "phonehomed: no connection can be taken at %s: %s; tried again (see "
			    "ulimit -n, LimitNOFILE=)\n",
			    s->path, strerror(-rc));
		s->not_accepted_said = true;
		return rc;
	}
	s->not_accepted_said = false;
	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	*ret_admin = peer.uid == 0 || peer.uid == geteuid();
	return fd;
}

void
dp_control_unbind(struct dp_control_socket *s)
{
	struct stat st;

	if (s->file.st_ino != 0 && lstat(s->path, &st) == 0 && st.st_ino == s->file.st_ino &&
	    st.st_dev == s->file.st_dev)
		unlink(s->path);
	if (s->fd >= 0)
		close(s->fd);
	*s = (struct dp_control_socket){ .fd = -1 };
}
