/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket: its file, and its methods, for control.c. Control thread only, but for the
 * file, which the main thread makes and takes away. */
#ifndef DATAPLANE_CONTROL_H
#define DATAPLANE_CONTROL_H

#include <sys/stat.h>

#include "ctl/proto/rpc.h"
#include "dataplane/plane.h"

/* A page ends when its line passes so many bytes: a reader that never reads must not cost much. And
 * when so many entries were looked at, whether they were asked for or not: the recorder waits. */
enum { DP_PAGE_BYTES = 48 << 10, DP_PAGE_LOOKS = 16384 };

struct dp_answer {
	json_t *result; /* or NULL: */
	int code;	/* enum proto_error */
	char message[256];
	json_t *data;
};

/* A method but `reload`, whose answer comes later. params: an object or NULL. */
void dp_method_call(
    struct dp_plane *plane, const char *name, const json_t *params, struct dp_answer *ret);
/* status.c's. */
void dp_method_status(struct dp_plane *plane, const json_t *params, struct dp_answer *ret);
/* The answer to a reload that has ended. */
void dp_answer_reload(
    struct dp_plane *plane, int rc, const struct sig_diag *diag, struct dp_answer *ret);

/* Connections that could not be taken so far; control thread only. */
uint64_t dp_control_not_accepted(const struct dp_plane *plane);

struct dp_control_socket {
	int fd; /* listening; -1: none */
	const char *path;
	struct stat file; /* ours: nobody else's is unlinked */
	uint64_t not_accepted;
	bool not_accepted_said;
};
/* control_socket.c. 0, or -errno and one message in diag; in both cases to be unbound. */
int dp_control_bind(
    const struct dp_config *config, struct dp_control_socket *ret, struct sig_diag *diag);
void dp_control_unbind(struct dp_control_socket *s);
/* The next connection, non-blocking; ret_admin: root's, or of the daemon's own user. -EAGAIN:
 * nobody is there after all. Else no descriptor or memory is left: counted, said once, to be tried
 * later. */
int dp_control_accept(struct dp_control_socket *s, bool *ret_admin);

void dp_answer_error(struct dp_answer *ret, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
