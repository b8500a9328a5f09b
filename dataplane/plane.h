/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's parts in one struct: made and torn down by main.c, known to the threads that watch
 * or answer (control, watchdog). Constant after start but for the atomics.
 */
#ifndef DATAPLANE_PLANE_H
#define DATAPLANE_PLANE_H

#include "dataplane/config.h"
#include "dataplane/eal.h"
#include "dataplane/port.h"
#include "dataplane/recorder.h"
#include "dataplane/rules_slot.h"
#include "dataplane/worker.h"

struct dp_control;
struct dp_reload;
struct dp_watchdog;

struct dp_plane {
	const struct dp_config *config;
	struct dp_eal eal;
	struct dp_ports ports;
	struct dp_rules_slot slot;
	struct dp_worker *workers; /* n_workers of them */
	unsigned n_workers;
	struct clf_dns_share *dns_share; /* with several workers */
	struct dp_recorder *recorder;
	struct dp_reload *reload;
	struct dp_watchdog *watchdog;
	struct dp_control *control;
	uint64_t started_us; /* monotonic */

	_Atomic bool ready, stop; /* stop: any thread may ask */
	_Atomic bool bypass; /* what workers look at: wanted by a person, or shed by the watchdog */
	_Atomic bool bypass_wanted;
	_Atomic bool drained; /* replay: every file read, every flow flushed, all stored */
};

/* plane_workers.c: engines, rings, sources of all workers. 0, or -errno and one message. */
int dp_workers_new(struct dp_plane *plane, struct sig_diag *diag);
int dp_workers_launch(struct dp_plane *plane);
/* Asks all to stop and waits until they have flushed; what lies in rings is freed and counted. */
void dp_workers_stop(struct dp_plane *plane);
void dp_workers_free(struct dp_plane *plane);
/* The DNS memory over a restart (dns_state.h): read before workers are launched, written after they
 * have stopped. Nothing without a state_dir, and nothing in replay: its time is another. */
void dp_workers_remember(struct dp_plane *plane);
void dp_workers_keep(struct dp_plane *plane);
/* All frames that were read are settled: nothing lies in rings. */
bool dp_workers_settled(struct dp_plane *plane);

/* counters.c: of each worker (its stand-in's too), and their sum, for which the identity of
 * struct dp_counters holds. A worker that does not answer is read as it stands, what it holds is
 * `in_hand`. Any thread but workers. */
void dp_plane_count(struct dp_plane *plane, struct dp_counters *each, struct dp_counters *ret_sum);

/* reload.c: a helper thread that compiles aside. */
int dp_reload_start(struct dp_plane *plane);
void dp_reload_stop(struct dp_plane *plane);
/* Any thread: asks for a reload; the outcome goes to stderr. */
void dp_reload_ask(struct dp_plane *plane);
/* Any thread but workers: asks and tells when done. done() is called from the helper thread. The
 * diag is the callee's to read during the call. False: one is under way. */
typedef void dp_reload_fn(void *ctx, int rc, const struct sig_diag *diag);
bool dp_reload_begin(struct dp_plane *plane, dp_reload_fn *done, void *ctx);

/* watchdog.c */
int dp_watchdog_start(struct dp_plane *plane);
void dp_watchdog_stop(struct dp_plane *plane);
struct dp_watchdog_stats {
	uint64_t stalls, takeovers, stuck_in_driver, shed_periods;
	bool shedding;
	bool stalled[DP_WORKERS_MAX], standby[DP_WORKERS_MAX];
	float busy_percent[DP_WORKERS_MAX];
};
void dp_watchdog_stats(struct dp_plane *plane, struct dp_watchdog_stats *ret);

/* control.c: the control socket. 0, or -errno and one message in diag. */
int dp_control_open(struct dp_plane *plane, struct sig_diag *diag);
int dp_control_start(struct dp_plane *plane);
/* Nobody is answered any more. A reload that somebody asked for still tells us its end: it is
 * stopped next, and only then may we close. */
void dp_control_stop(struct dp_plane *plane);
void dp_control_close(struct dp_plane *plane);

/* telemetry.c: our counters on DPDK's telemetry socket, unless it is off. */
void dp_telemetry_start(struct dp_plane *plane);

/* sd_notify.c: a line to systemd ("READY=1"), when it asked for one. */
void dp_sd_notify(const char *state);

#endif
