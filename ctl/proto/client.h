/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command's end of the control socket: blocking calls with a time-out each. One thread.
 * The daemon's replies are read with the same care as anything else that comes from outside.
 */
#ifndef CTL_PROTO_CLIENT_H
#define CTL_PROTO_CLIENT_H

#include <jansson.h>

struct proto_client;

/* Why a call failed. */
struct proto_fault {
	int code;	   /* the daemon's enum proto_error, or 0 when there was no answer */
	char message[512]; /* one line, printable */
	json_t *data;	   /* the error's data, or NULL; json_decref() it */
};

/* 0, or -errno: -ENOENT no socket, -ECONNREFUSED nobody listens, -EACCES not allowed. */
int proto_client_open(const char *path, unsigned timeout_ms, struct proto_client **ret_client);
void proto_client_close(struct proto_client *client);
/* Another time-out for the calls from here on. */
void proto_client_wait(struct proto_client *client, unsigned timeout_ms);

/*
 * One request and its reply. params is stolen. 0 and the result (json_decref() it), or -errno with
 * *ret_fault filled: -ETIMEDOUT, -EPIPE (the daemon hung up), -EBADMSG (not a reply), -EREMOTEIO
 * (the daemon refused: see code).
 */
int proto_client_call(struct proto_client *client, const char *method, json_t *params,
    json_t **ret_result, struct proto_fault *ret_fault);

#endif
