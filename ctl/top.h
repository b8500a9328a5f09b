/* SPDX-License-Identifier: Apache-2.0 */
/* What `phonehome top` shows: two pictures of the daemon and the difference. One thread. */
#ifndef CTL_TOP_H
#define CTL_TOP_H

#include "ctl/cli.h"
#include "ctl/source.h"

enum { TOP_LINES_MAX = 2048, TOP_WORKERS_MAX = 64, TOP_NAME_MAX = 96 };

enum top_sort { TOP_BY_BYTES, TOP_BY_FLOWS, TOP_BY_TOTAL, TOP_BY_NAME };

struct top_line { /* a product, or a host */
	char name[TOP_NAME_MAX], vendor[TOP_NAME_MAX], country[8];
	uint64_t bytes, flows;
	double bytes_s, flows_s;
	unsigned others; /* hosts of the product, products of the host */
};

struct top_model {
	char sensor[64], mode[16], uptime[CTL_HUMAN_MAX], error[256];
	bool ready, bypass, paused, by_host;
	enum top_sort sort;
	char filter[64];
	char packets_s[CTL_HUMAN_MAX], new_s[CTL_HUMAN_MAX], matched_s[CTL_HUMAN_MAX];
	char verdicts[256], losses[256];
	uint64_t flows_now, inspecting_now;
	uint64_t left_out; /* rows of what found no line any more */
	unsigned n_workers;
	double busy[TOP_WORKERS_MAX];
	struct top_line *lines; /* sorted, filtered */
	unsigned n_lines;

	/* the picture before */
	struct top_line *all, *before;
	unsigned n_all, n_before;
	bool before_by_host;
	uint64_t at_us, packets, flows_new, matched, verdict[5], lost;
};

/* A new picture from the daemon; what goes wrong is in `error`. */
void top_update(struct top_model *m, const struct ctl_common *c);
/* Sorts and filters again after a key. */
void top_sort(struct top_model *m);
void top_free(struct top_model *m);

#endif
