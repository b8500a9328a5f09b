/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reload: packs and policy are read and compiled by a helper thread while workers go on, and
 * published when all was good. A bad file leaves the running pair as it was and says where. The
 * thread gives way to the others: where they must share a processor with it, it takes a tenth.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "dataplane/plane.h"

enum {
	REAP_EVERY_MS = 100,
	GIVE_WAY = 10 /* of nice(2): lower, and a busy machine would never reload */
};

struct dp_reload {
	struct dp_plane *plane;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop, asked, busy; /* under the lock */
	bool again; /* asked for while one was under way, which may have read the files before */
	dp_reload_fn *done;
	void *ctx;
};

static void
to_stderr(void *ctx, int rc, const struct sig_diag *diag)
{
	struct dp_plane *plane = ctx;

	sig_diag_print(diag, stderr);
	if (rc == 0)
		fprintf(stderr, "phonehomed: reloaded, generation %u\n", plane->slot.generation);
	else
		fprintf(stderr, "phonehomed: reload refused, packs and policy stay as they were\n");
}

static void
reload_once(struct dp_reload *r, dp_reload_fn *done, void *ctx)
{
	struct sig_diag diag = { 0 };
	struct dp_rules *rules = NULL;
	struct dp_plane *plane = r->plane;
	int rc = dp_rules_load(plane->config->packs, plane->config->policy, &rules, &diag);

	if (rc == 0) {
		rc = dp_rules_publish(&plane->slot, rules);
		if (rc < 0) {
			dp_rules_free(rules);
			sig_diag_add(&diag, SIG_ERROR, NULL, 0, 0,
			    "a stalled worker still holds %d older rule sets: try again later",
			    DP_RETIRED_MAX);
		}
	}
	if (rc == 0)
		dp_offload_withdraw(dp_recorder_offload(plane->recorder));
	/* Whoever hears the outcome may ask for the next reload at once. */
	pthread_mutex_lock(&r->lock);
	r->busy = false;
	pthread_mutex_unlock(&r->lock);
	done(ctx, rc, &diag);
	sig_diag_free(&diag);
}

static void *
run(void *arg)
{
	struct dp_reload *r = arg;
	struct timespec until;

	(void)setpriority(PRIO_PROCESS, 0, GIVE_WAY); /* of this thread alone, on Linux */
	pthread_mutex_lock(&r->lock);
	while (!r->stop) {
		if (!r->asked && r->again) {
			r->asked = true;
			r->done = to_stderr;
			r->ctx = r->plane;
			r->again = false;
		}
		if (!r->asked) {
			clock_gettime(CLOCK_REALTIME, &until);
			until.tv_nsec += REAP_EVERY_MS * 1000000L;
			if (until.tv_nsec >= 1000000000L) {
				until.tv_nsec -= 1000000000L;
				until.tv_sec++;
			}
			(void)pthread_cond_timedwait(&r->wake, &r->lock, &until);
		}
		dp_reload_fn *done = r->done;
		void *ctx = r->ctx;
		bool asked = r->asked;
		r->asked = false;
		r->busy = asked;
		pthread_mutex_unlock(&r->lock);
		if (asked)
			reload_once(r, done, ctx);
		(void)dp_rules_reap(&r->plane->slot);
		pthread_mutex_lock(&r->lock);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

int
dp_reload_start(struct dp_plane *plane)
{
	struct dp_reload *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->plane = plane;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->wake, NULL);
	int rc = pthread_create(&r->thread, NULL, run, r);
	if (rc != 0) {
		free(r);
		return -rc;
	}
	pthread_setname_np(r->thread, "reload");
	plane->reload = r;
	return 0;
}

void
dp_reload_stop(struct dp_plane *plane)
{
	struct dp_reload *r = plane->reload;

	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
	pthread_join(r->thread, NULL);
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->wake);
	free(r);
	plane->reload = NULL;
}

bool
dp_reload_begin(struct dp_plane *plane, dp_reload_fn *done, void *ctx)
{
	struct dp_reload *r = plane->reload;

	pthread_mutex_lock(&r->lock);
	bool free_now = !r->asked && !r->busy;
	if (free_now) {
		r->asked = true;
		r->done = done;
		r->ctx = ctx;
		pthread_cond_signal(&r->wake);
	}
	pthread_mutex_unlock(&r->lock);
	return free_now;
}

void
dp_reload_ask(struct dp_plane *plane)
{
	struct dp_reload *r = plane->reload;

	if (dp_reload_begin(plane, to_stderr, plane))
		return;
	pthread_mutex_lock(&r->lock);
	r->again = true;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
}
