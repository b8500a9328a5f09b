/* SPDX-License-Identifier: Apache-2.0 */
/* Captures through the engine. */
#include "ctl/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/capture.h"
#include "ctl/cli.h"
#include "ctl/proto/status.h"

enum { MAX_PENDING = 1 << 20, MAX_ROWS = 4 << 20, PROGRESS_BURSTS = 256 };

struct ctl_scan {
	struct ctl_scan_config config;
	struct clf_engine *engine;
	struct store_fold *fold;
	struct clf_engine_stats stats; /* of engines that are gone */
	uint64_t last_us, packets;
	uint16_t run; /* engines made so far: keeps flow ids apart */
};

static bool
sink(void *ctx, const struct clf_event *event)
{
	struct ctl_scan *s = ctx;

	return store_fold_event(s->fold, event) == 0;
}

static int
new_engine(struct ctl_scan *s)
{
	struct clf_engine_config config = s->config.engine;
	struct sig_diag diag = { 0 };
	int err;

	config.worker = s->run++;
	config.sink = sink;
	config.sink_ctx = s;
	err = clf_engine_new(&config, s->config.rules, s->config.policy, &s->engine, &diag);
	if (err < 0) {
		if (diag.n > 0)
			ctl_diag(&diag, 0);
		else
			ctl_error("cannot start the engine: %s", strerror(-err));
	}
	sig_diag_free(&diag);
	return err < 0 ? CTL_FAILED : CTL_OK;
}

static void
end_engine(struct ctl_scan *s)
{
	if (!s->engine)
		return;
	clf_flush(s->engine, s->last_us);
	store_fold_flush(s->fold);
	proto_engine_add(&s->stats, clf_engine_stats(s->engine));
	clf_engine_free(s->engine);
	s->engine = NULL;
}

int
ctl_scan_new(const struct ctl_scan_config *config, struct ctl_scan **ret_scan)
{
	struct ctl_scan *s = calloc(1, sizeof(*s));
	struct store_fold_config fold = {
		.sensor = config->sensor,
		.max_pending = MAX_PENDING,
		.max_rows = MAX_ROWS,
		.on_record = config->on_record,
		.ctx = config->ctx,
	};

	if (!s || !(s->fold = store_fold_new(&fold))) {
		free(s);
		ctl_error("out of memory");
		return CTL_FAILED;
	}
	s->config = *config;
	int code = new_engine(s);
	if (code != CTL_OK)
		ctl_scan_free(s);
	else
		*ret_scan = s;
	return code;
}

/* The burst's clock: its newest frame, never back. */
static uint64_t
clock_of(struct ctl_scan *s, const struct clf_frame *frames, int n)
{
	for (int i = 0; i < n; i++)
		if (frames[i].ts_us > s->last_us)
			s->last_us = frames[i].ts_us;
	return s->last_us;
}

static int
feed(struct ctl_scan *s, struct ctl_capture *c, const char *path, char why[static 256])
{
	struct clf_frame frames[CLF_BURST_MAX];
	struct clf_result results[CLF_BURST_MAX];
	uint64_t read, size;
	bool first = true;
	int n;

	for (unsigned bursts = 0; (n = ctl_capture_burst(c, frames, why)) > 0; bursts++) {
		if (s->config.stop && *s->config.stop) {
			n = 0;
			break;
		}
		if (first && frames[0].ts_us < s->last_us) {
			end_engine(s);
			s->last_us = 0;
			if (new_engine(s) != CTL_OK)
				return -ENOMEM;
		}
		first = false;
		uint64_t now = clock_of(s, frames, n);
		clf_burst(s->engine, frames, (unsigned)n, now, results);
		clf_tick(s->engine, now);
		if (s->config.on_progress && bursts % PROGRESS_BURSTS == 0) {
			ctl_capture_progress(c, &read, &size);
			s->config.on_progress(s->config.ctx, path, read, size);
		}
	}
	s->packets += ctl_capture_packets(c);
	return n;
}

int
ctl_scan_file(struct ctl_scan *s, const char *path)
{
	const char *shown = strcmp(path, "-") == 0 ? "stdin" : path;
	struct ctl_capture *c;
	char why[256] = "";
	int err = ctl_capture_open(path, &c, why);

	if (err < 0) {
		ctl_error("%s: %s", shown, why);
		return CTL_FAILED;
	}
	if (ctl_capture_unread_link(c))
		ctl_note("%s: frames of link type %s are counted, not read", shown,
		    ctl_capture_unread_link(c));
	err = feed(s, c, shown, why);
	ctl_capture_close(c);
	if (err == 0)
		return CTL_OK;
	if (why[0])
		ctl_error("%s: %s", shown, why);
	return CTL_FAILED;
}

void
ctl_scan_finish(struct ctl_scan *s)
{
	end_engine(s);
}

struct store_fold *
ctl_scan_fold(struct ctl_scan *s)
{
	return s->fold;
}

const struct clf_engine_stats *
ctl_scan_stats(struct ctl_scan *s)
{
	return &s->stats;
}

uint64_t
ctl_scan_packets(const struct ctl_scan *s)
{
	return s->packets;
}

void
ctl_scan_free(struct ctl_scan *s)
{
	if (!s)
		return;
	clf_engine_free(s->engine);
	store_fold_free(s->fold);
	free(s);
}
