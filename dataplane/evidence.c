/* SPDX-License-Identifier: Apache-2.0 */
/* The first frames of matched flows, into a ring and from there into rotating pcap files. */
#include "dataplane/evidence.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SEEN_SLOTS = 4096 };

/* Direct-mapped and lossy: a collision keeps a few frames more or fewer, nothing else. */
struct dp_evidence_seen {
	uint64_t flow[SEEN_SLOTS];
	uint16_t kept[SEEN_SLOTS];
};

struct frame_head { /* before the bytes, in the ring */
	uint64_t ts_us;
	uint32_t wire_len, len;
};

struct dp_evidence {
	char folder[4096];
	uint32_t files, next;
	uint64_t file_bytes, written;
	pcap_t *dead;
	pcap_dumper_t *dump;
	struct dp_evidence_stats stats;
};

struct dp_evidence_seen *
dp_evidence_seen_new(void)
{
	return calloc(1, sizeof(struct dp_evidence_seen));
}

void
dp_evidence_seen_free(struct dp_evidence_seen *seen)
{
	free(seen);
}

void
dp_evidence_keep(struct dp_worker *w, const struct clf_frame *frames,
    const struct clf_result *results, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (likely(!results[i].matched) || results[i].flow_id == 0)
			continue;
		uint64_t id = results[i].flow_id;
		unsigned slot = (unsigned)((id * 0x9e3779b97f4a7c15ULL) >> 52);
		if (w->seen->flow[slot] != id) {
			w->seen->flow[slot] = id;
			w->seen->kept[slot] = 0;
		}
		if (w->seen->kept[slot] >= w->evidence_packets)
			continue;
		w->seen->kept[slot]++;
		struct frame_head h = {
			.ts_us = frames[i].ts_us,
			.wire_len = frames[i].wire_len,
			.len = RTE_MIN(frames[i].len, (uint32_t)w->evidence_snaplen),
		};
		if (dp_byte_ring_put(w->evidence, &h, sizeof(h), frames[i].data, h.len))
			w->count.evidence++;
		else
			w->count.evidence_lost++;
	}
}

int
dp_evidence_open(const struct dp_evidence_config *config, struct dp_evidence **ret_evidence,
    struct sig_diag *diag)
{
	struct dp_evidence *e = calloc(1, sizeof(*e));
	struct stat st;

	if (!e)
		return -ENOMEM;
	if ((stat(config->folder, &st) < 0 && mkdir(config->folder, 0750) < 0) ||
	    stat(config->folder, &st) < 0 || !S_ISDIR(st.st_mode)) {
		int err = errno != 0 ? errno : ENOTDIR;
		sig_diag_add(diag, SIG_ERROR, config->folder, 0, 0,
		    "evidence cannot be kept there: %s", strerror(err));
		free(e);
		return -err;
	}
	snprintf(e->folder, sizeof(e->folder), "%s", config->folder);
	e->files = config->files;
	e->file_bytes = (uint64_t)config->file_mb << 20;
	e->dead = pcap_open_dead(DLT_EN10MB, (int)config->snaplen);
	if (!e->dead) {
		free(e);
		return -ENOMEM;
	}
	*ret_evidence = e;
	return 0;
}

void
dp_evidence_close(struct dp_evidence *e)
{
	if (!e)
		return;
	if (e->dump)
		pcap_dump_close(e->dump);
	pcap_close(e->dead);
	free(e);
}

/* The next file in turn replaces the oldest. A disk that refuses costs evidence, nothing else. */
static bool
rotate(struct dp_evidence *e)
{
	char path[4200];

	if (e->dump)
		pcap_dump_close(e->dump);
	snprintf(path, sizeof(path), "%s/evidence-%u.pcap", e->folder, e->next);
	e->next = (e->next + 1) % e->files;
	e->dump = pcap_dump_open(e->dead, path);
	e->written = 24;
	if (!e->dump) {
		e->stats.errors++;
		return false;
	}
	e->stats.files++;
	return true;
}

void
dp_evidence_write(struct dp_evidence *e, struct dp_byte_ring *ring)
{
	struct frame_head h;
	const uint8_t *block;
	size_t len;
	bool any = false;

	while ((block = dp_byte_ring_peek(ring, &len)) != NULL) {
		memcpy(&h, block, sizeof(h));
		if ((e->dump && e->written < e->file_bytes) || rotate(e)) {
			struct pcap_pkthdr ph = {
				.ts = { .tv_sec = (time_t)(h.ts_us / 1000000),
				    .tv_usec = (suseconds_t)(h.ts_us % 1000000) },
				.caplen = h.len,
				.len = h.wire_len,
			};
			pcap_dump((u_char *)e->dump, &ph, block + sizeof(h));
			e->written += 16 + h.len;
			e->stats.frames++;
			e->stats.bytes += h.len;
			any = true;
		}
		dp_byte_ring_take(ring);
	}
	if (any && e->dump && pcap_dump_flush(e->dump) < 0)
		e->stats.errors++;
}

const struct dp_evidence_stats *
dp_evidence_stats(const struct dp_evidence *e)
{
	return &e->stats;
}
