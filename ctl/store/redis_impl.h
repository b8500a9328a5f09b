/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the Redis backend. hiredis is included nowhere else.
 *
 *   redis.c        open and close; password file; the reader's one-shot calls
 *   redis_url.c    what a URL says
 *   redis_tls.c    TLS, where hiredis has it
 *   redis_conn.c   the connection as a machine that never waits longer than it is told to
 *   redis_greet.c  what is said first on it: who we are, and whether this is the right server
 *   redis_reply.c  replies bounded; rows and records out of replies (hostile until checked)
 *   redis_call.c   asking and waiting, from node to node in a cluster
 *   redis_write.c  the recorder's side: batches, and what is known of them after a break
 *   redis_read.c   the command's side
 *
 * The keys and the protocol of batches are described in ctl/store/README.md.
 */
#ifndef CTL_STORE_REDIS_IMPL_H
#define CTL_STORE_REDIS_IMPL_H

#include <hiredis.h>
#include <netdb.h>

#include "ctl/store/store_impl.h"

enum { RDS_TARGETS_MAX = 8, RDS_ARGS_MAX = 64, RDS_KEY_MAX = 700, RDS_HOST_MAX = 256 };

/* --- what the URL says --- */

struct rds_target {
	char host[RDS_HOST_MAX];
	uint16_t port;
};
struct rds_url {
	bool tls, sentinel;
	char path[108];			       /* unix socket; "" over TCP */
	struct rds_target at[RDS_TARGETS_MAX]; /* the server, a cluster's nodes, or sentinels */
	unsigned n_at;
	char master[128];
	char user[128], password[512];
	unsigned db;
	char prefix[64];
	char ca[256]; /* file of the authorities that TLS trusts; "": the system's */
};
int rds_url_parse(const char *url, struct rds_url *ret, struct sig_diag *diag);

/* --- the connection --- */

enum rds_state {
	RDS_DOWN,    /* waits for next_try_ms */
	RDS_RESOLVE, /* of a host's name, in glibc's thread */
	RDS_CONNECT, /* connect() under way */
	RDS_ASK,     /* a sentinel was asked for the master */
	RDS_GREET,   /* AUTH, SELECT, where the stream ends: replies awaited */
	RDS_READY,
	RDS_BATCH, /* a batch was sent: replies awaited */
	RDS_CALL,  /* rds_call()'s commands were sent: replies awaited */
};

struct rds_budget {
	size_t elements; /* array elements that the reply under way may still make */
};

struct rds_id { /* of a stream entry */
	uint64_t ms, seq;
};

/* What was sent and not yet answered, or what a break left in doubt. */
struct rds_batch {
	uint32_t n_rows, n_records;
	uint64_t gap;	     /* lost records that it tells of */
	struct rds_id first; /* of the gap if there is one, else of the first record */
	bool in_doubt;	     /* sent once; whether it arrived is not known */
	unsigned n_commands; /* between MULTI and EXEC; 0: there is no batch */
	uint32_t n_entries;  /* the first so many commands add stream entries */
	uint32_t refused;    /* of the entries, by an answer of their own */
	bool executed;
};

struct rds_stand { /* how far store_records() came in a sensor's stream */
	char sensor[STORE_SENSOR_MAX], after[48];
};

struct rds {
	struct store *store;
	struct rds_url url;
	redisContext *c;
	struct rds_budget budget;
	redisReplyObjectFunctions fns;
	enum rds_state state;
	unsigned awaiting, answered; /* replies to come; replies that came of this step */
	uint64_t step_until_ms;	     /* when the step under way has taken too long */
	uint64_t next_try_ms;
	unsigned backoff_ms;
	unsigned jitter;  /* state of a small generator */
	unsigned next_at; /* which of url.at is next */
	bool have_master; /* `master` is where to go: a sentinel's answer, or MOVED */
	struct rds_target master;
	unsigned hops;	      /* from node to node since the last success or failure */
	struct gaicb *lookup; /* owned by glibc while RDS_RESOLVE */
	char error[200];      /* first error among the replies of this step */

	redisReply **got; /* RDS_CALL: where replies go */
	char *asked;	  /* reader: the commands under way, for the node that they belong to */
	size_t asked_len, asked_cap;
	struct rds_stand *stand; /* reader: of each sensor, when the cursor `stand_at` was given */
	unsigned n_stand;
	char stand_at[64];

	/* writer */
	struct rds_id top;   /* last id of the stream */
	struct rds_id acked; /* the last that the server said it has */
	struct rds_batch batch;
	uint64_t heartbeat_ms;
	struct rds_target list_at; /* the cluster's node that has the list of sensors */
	bool list_elsewhere;	   /* ... is not the one that we talk to */
	bool listing;		   /* on the way there and back */
	bool listed;		   /* since the last break, or tried in vain */
	uint64_t list_again_ms;	   /* 0: no need */
	void *tls, *ssl;	   /* SSL_CTX, and the connection's SSL, where hiredis has TLS */
};

/* Runs the machine until `goal` or later, a failure, or until_ms. 0, -EAGAIN, -errno. */
int rds_run(struct rds *r, enum rds_state goal, uint64_t until_ms);
void rds_fail(struct rds *r, const char *what);
void rds_disconnect(struct rds *r);
void rds_close(struct rds *r);
/* Where it connects, or is connected, to; NULL: the unix socket. */
const struct rds_target *rds_target_of(const struct rds *r);

/* Between redis_conn.c and redis_greet.c. Steps: 1 went on, 0 must wait, < 0 failed. */
int rds_failed(struct rds *r, const char *what, int err); /* rds_fail(), and `err` */
void rds_begin(struct rds *r, enum rds_state state);
void rds_greet(struct rds *r);
void rds_ask_sentinel(struct rds *r);
int rds_greeted(struct rds *r, const redisReply *reply);
int rds_asked(struct rds *r, const redisReply *reply);
/* "MOVED 866 10.0.0.5:6379": the next connection goes there. False: it says no such thing. */
bool rds_moved(struct rds *r, const char *error);
/* The same, only read; `from`: the host that said so, which means itself by no host at all. */
bool rds_moved_to(const char *error, const char *from, struct rds_target *ret);

int rds_tls_init(struct rds *r, struct sig_diag *diag);
void rds_tls_free(struct rds *r);
int rds_tls_start(struct rds *r); /* on a connected socket; the handshake goes on by itself */
const char *rds_tls_why(const struct rds *r); /* what is wrong with the certificate, or NULL */

struct rds_args {
	const char *v[RDS_ARGS_MAX];
	size_t len[RDS_ARGS_MAX];
	int n;
};
void rds_arg(struct rds_args *a, const char *text);
void rds_arg_bytes(struct rds_args *a, const void *bytes, size_t len);
/* Connected and greeted, or -errno with store_error() set. For the reader: waits. */
int rds_ready(struct rds *r);
/* Waits for the replies of the n commands that were appended; the caller frees them. An error
 * among them is a failure, unless it says that another node of the cluster is to be asked. */
int rds_call(struct rds *r, redisReply **ret_replies, unsigned n);
/* The one reply of one command, checked to be an array. */
int rds_call_array(struct rds *r, redisReply **ret);
void rds_free_replies(redisReply **replies, unsigned n);
/* The words of a command of plain words. */
void rds_words(struct rds_args *a, const char *const *words, int n);
void rds_append(struct rds *r, const struct rds_args *a);
/* A command of plain words. */
void rds_ask(struct rds *r, const char *const *words, int n);
#define RDS_SAY(r, ...)                                  \
	rds_ask(r, (const char *const[]){ __VA_ARGS__ }, \
	    (int)(sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *)))
/* "PREFIX{SENSOR}:TAIL" */
void rds_key(const struct rds *r, const char *sensor, char out[static RDS_KEY_MAX], const char *fmt,
    ...) __attribute__((format(printf, 4, 5)));

/* --- replies --- */

void rds_bound(redisReader *reader, redisReplyObjectFunctions *fns, struct rds_budget *budget);
void rds_budget_reset(struct rds_budget *budget);
enum { RDS_ROW_FIELDS = 22 };
extern const char *const rds_row_fields[RDS_ROW_FIELDS];
/* From HMGET of rds_row_fields. 0 and a row to be freed; -EINVAL: not a row; -ENOENT: gone. */
int rds_row_of(const redisReply *reply, const char *sensor, struct store_row *ret);
/* An entry of XRANGE: its id, and an event (copied, checked) or a gap. */
struct rds_entry {
	struct rds_id id;
	uint64_t gap, gap_at_us;
	bool has_event;
	struct clf_event event;
};
int rds_entry_of(const redisReply *reply, struct rds_entry *ret);
bool rds_id_parse(const char *text, size_t len, struct rds_id *ret);
bool rds_u64(const char *text, size_t len, uint64_t *ret);
/* "host/vendor/product/function" cut apart; false when it is not one. Points into `id`. */
struct rds_row_id {
	char *host, *vendor, *product, *function;
};
bool rds_row_id_split(char *id, struct rds_row_id *ret);

/* --- sides --- */

struct rds_sensors { /* free(name) */
	char (*name)[STORE_SENSOR_MAX];
	unsigned n;
};
/* The sensors that a filter means. */
int rds_find_sensors(struct rds *r, const struct store_filter *f, struct rds_sensors *ret);
int rds_filter_net(struct store *store, const struct store_filter *f, struct store_net *ret);

int rds_flush(struct store *store, unsigned budget_ms);
void rds_batch_reply(struct rds *r, const redisReply *reply); /* one more of RDS_BATCH */
int rds_rows(struct store *store, const struct store_filter *f, store_row_fn *fn, void *ctx);
int rds_records(struct store *store, const struct store_filter *f, char after[64],
    store_record_fn *fn, void *ctx);
int rds_days(struct store *store, const struct store_filter *f, store_day_fn *fn, void *ctx);

#endif
