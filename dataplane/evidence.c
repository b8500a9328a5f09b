/* SPDX-License-Identifier: Apache-2.0 */
/* The first frames of matched flows, into a ring and from there into rotating pcap files. */
#include "dataplane/evidence.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEEN_SLOTS = 4096, PATH_BYTES = 4096 + 32, FILE_HEAD = 24, RECORD_HEAD = 16 };

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
	uint64_t good; /* bytes of the open file that are whole records */
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

static void
file_path(const struct dp_evidence *e, uint32_t i, char out[static PATH_BYTES])
{
	snprintf(out, PATH_BYTES, "%s/evidence-%u.pcap", e->folder, i);
}

/* Where the last run stopped: the first file that is missing, else the oldest. */
static uint32_t
first_in_turn(const struct dp_evidence *e)
{
	struct timespec oldest = { 0 };
	uint32_t first = 0;

	for (uint32_t i = 0; i < e->files; i++) {
		char path[PATH_BYTES];
		struct stat st;

		file_path(e, i, path);
		if (lstat(path, &st) < 0)
			return i;
		if (i == 0 || st.st_mtim.tv_sec < oldest.tv_sec ||
		    (st.st_mtim.tv_sec == oldest.tv_sec && st.st_mtim.tv_nsec < oldest.tv_nsec)) {
			oldest = st.st_mtim;
			first = i;
		}
	}
	return first;
}

int
dp_evidence_open(const struct dp_evidence_config *config, struct dp_evidence **ret_evidence,
    struct sig_diag *diag)
{
	struct dp_evidence *e = calloc(1, sizeof(*e));
	struct stat st;

	if (!e)
		return -ENOMEM;
	int err = 0;
	if ((stat(config->folder, &st) < 0 && mkdir(config->folder, 0750) < 0) ||
	    stat(config->folder, &st) < 0)
		err = errno;
	else if (!S_ISDIR(st.st_mode))
		err = ENOTDIR;
	if (err != 0) {
		sig_diag_add(diag, SIG_ERROR, config->folder, 0, 0,
		    "evidence cannot be kept there: %s", strerror(err));
		free(e);
		return -err;
	}
	snprintf(e->folder, sizeof(e->folder), "%s", config->folder);
	e->files = config->files;
	e->file_bytes = (uint64_t)config->file_mb << 20;
	e->next = first_in_turn(e);
	e->dead = pcap_open_dead(DLT_EN10MB, (int)config->snaplen);
	if (!e->dead) {
		free(e);
		return -ENOMEM;
	}
	*ret_evidence = e;
	return 0;
}

static void
close_file(struct dp_evidence *e)
{
	if (e->dump)
		pcap_dump_close(e->dump);
	e->dump = NULL;
}

void
dp_evidence_close(struct dp_evidence *e)
{
	if (!e)
		return;
	close_file(e);
	pcap_close(e->dead);
	free(e);
}

/*
 * The next file in turn replaces the oldest. Readable by our group at most, and never through a
 * link that somebody laid there. A disk that refuses costs evidence, nothing else.
 */
static bool
rotate(struct dp_evidence *e)
{
	char path[PATH_BYTES];

	close_file(e);
	file_path(e, e->next, path);
	e->next = (e->next + 1) % e->files;
	/* Appending, so that after a failed write the file can be cut back to its last record. */
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0640);
	FILE *f = fd >= 0 ? fdopen(fd, "a") : NULL;
	if (f)
		e->dump = pcap_dump_fopen(e->dead, f);
	else if (fd >= 0)
		close(fd);
	if (!e->dump || pcap_dump_flush(e->dump) < 0) {
		if (f && !e->dump)
			fclose(f);
		close_file(e);
		e->stats.errors++;
		return false;
	}
	e->written = e->good = FILE_HEAD;
	e->stats.files++;
	return true;
}

static void
write_frame(struct dp_evidence *e, const struct frame_head *h, const uint8_t *bytes)
{
	struct pcap_pkthdr ph = {
		.ts = { .tv_sec = (time_t)(h->ts_us / 1000000),
		    .tv_usec = (suseconds_t)(h->ts_us % 1000000) },
		.caplen = h->len,
		.len = h->wire_len,
	};

	pcap_dump((u_char *)e->dump, &ph, bytes);
	e->written += RECORD_HEAD + h->len;
}

/* Half a record would hide all that follow it: what was not written whole is taken back. */
static bool
flush(struct dp_evidence *e)
{
	FILE *f = pcap_dump_file(e->dump);

	if (pcap_dump_flush(e->dump) == 0 && !ferror(f)) {
		e->good = e->written;
		return true;
	}
	__fpurge(f);
	clearerr(f);
	e->stats.errors++;
	e->written = e->good;
	if (ftruncate(fileno(f), (off_t)e->good) < 0)
		close_file(e);
	return false;
}

void
dp_evidence_write(struct dp_evidence *e, struct dp_byte_ring *ring)
{
	uint64_t frames = 0, bytes = 0;
	struct frame_head h;
	const uint8_t *block;
	size_t len;

	while ((block = dp_byte_ring_peek(ring, &len)) != NULL) {
		memcpy(&h, block, sizeof(h));
		bool full = e->dump && e->written >= e->file_bytes;
		if (full && flush(e)) {
			e->stats.frames += frames;
			e->stats.bytes += bytes;
		}
		if (full)
			frames = bytes = 0;
		if ((e->dump && !full) || rotate(e)) {
			write_frame(e, &h, block + sizeof(h));
			frames++;
			bytes += h.len;
		}
		dp_byte_ring_take(ring);
	}
	if (frames != 0 && e->dump && flush(e)) {
		e->stats.frames += frames;
		e->stats.bytes += bytes;
	}
}

const struct dp_evidence_stats *
dp_evidence_stats(const struct dp_evidence *e)
{
	return &e->stats;
}
