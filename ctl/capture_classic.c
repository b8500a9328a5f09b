/* SPDX-License-Identifier: Apache-2.0 */
/* Classic pcap files: a head of 24 bytes, then records of 16 bytes and a frame each. */
#include "ctl/capture_classic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "signatures/base/bytes.h"

enum {
	FILE_HEAD = 24,
	RECORD_HEAD = 16,
	MAGIC_MICRO = 0xa1b2c3d4,
	MAGIC_NANO = 0xa1b23c4d,
	ETHERNET = 1,
	FRAME_MAX = 262144, /* libpcap's own bound for Ethernet */
	BUFFER = 2 * FRAME_MAX,
};

struct ctl_classic {
	int fd;
	bool swapped, nano, ended;
	uint32_t snaplen;
	uint64_t offset;	 /* of the next record in the file */
	struct sig_bytes unread; /* of the buffer */
	uint8_t buffer[BUFFER];
};

static uint32_t
number(struct sig_bytes *b, bool swapped)
{
	uint32_t v = sig_bytes_u32(b);

	return swapped ? __builtin_bswap32(v) : v;
}

static bool
read_head(struct ctl_classic *r)
{
	uint8_t head[FILE_HEAD];
	struct sig_bytes b = sig_bytes_of(head, sizeof(head));
	uint32_t magic, version, link;
	struct stat st;

	/* Not by read(): libpcap may have to begin at the beginning. */
	if (fstat(r->fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    pread(r->fd, head, sizeof(head), 0) != (ssize_t)sizeof(head))
		return false;
	magic = sig_bytes_u32(&b);
	r->swapped = magic != MAGIC_MICRO && magic != MAGIC_NANO;
	if (r->swapped)
		magic = __builtin_bswap32(magic);
	if (magic != MAGIC_MICRO && magic != MAGIC_NANO)
		return false;
	r->nano = magic == MAGIC_NANO;
	version = number(&b, r->swapped);
	if (r->swapped) /* two numbers of two bytes each */
		version = version >> 16 | version << 16;
	(void)number(&b, r->swapped); /* time zone and accuracy: nobody fills them in */
	(void)number(&b, r->swapped);
	r->snaplen = number(&b, r->swapped);
	link = number(&b, r->swapped);
	return version == (2 << 16 | 4) && link == ETHERNET && r->snaplen >= 1 &&
	       r->snaplen <= FRAME_MAX;
}

int
ctl_classic_open(int fd, struct ctl_classic **ret_reader)
{
	struct ctl_classic *r = malloc(sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->fd = fd;
	if (!read_head(r)) {
		free(r);
		return -ENOTSUP;
	}
	r->ended = false;
	r->offset = FILE_HEAD;
	r->unread = sig_bytes_of(r->buffer, 0);
	*ret_reader = r;
	return 0;
}

void
ctl_classic_close(struct ctl_classic *r)
{
	free(r);
}

/* What is left goes to the front, the file's next bytes behind it, until `need` are there. */
static int
fill(struct ctl_classic *r, size_t need)
{
	size_t have = sig_bytes_left(&r->unread);

	memmove(r->buffer, r->unread.p, have);
	while (have < need && !r->ended) {
		ssize_t n = pread(
		    r->fd, r->buffer + have, BUFFER - have, (off_t)(r->offset + have));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		r->ended = n == 0;
		have += (size_t)n;
	}
	r->unread = sig_bytes_of(r->buffer, have);
	return 0;
}

/* Are `need` bytes at hand? Only the first frame of a burst may move the buffer. */
static int
have(struct ctl_classic *r, size_t need, bool first)
{
	int err = 0;

	if (sig_bytes_left(&r->unread) < need && first)
		err = fill(r, need);
	return err < 0 ? err : sig_bytes_left(&r->unread) >= need;
}

static int
broken(int err, char why[static 128])
{
	if (err < 0)
		snprintf(why, 128, "%s", strerror(-err));
	return err < 0 ? err : -ENODATA;
}

/* Seconds without a sign, until 2106; to libpcap that depends on the byte order. */
static uint64_t
time_of(const struct ctl_classic *r, uint32_t sec, uint32_t sub)
{
	return sec * UINT64_C(1000000) + (r->nano ? sub / 1000 : sub);
}

int
ctl_classic_next(struct ctl_classic *r, bool first, struct clf_frame *frame, char why[static 128])
{
	int ready = have(r, RECORD_HEAD, first);
	struct sig_bytes head = r->unread;
	uint32_t sec, sub, caplen, len;

	if (ready == 0 && !first)
		return 0;
	if (ready == 0 && sig_bytes_left(&head) == 0)
		return 0;
	if (ready <= 0)
		return broken(ready, why);
	head = r->unread;
	sec = number(&head, r->swapped);
	sub = number(&head, r->swapped);
	caplen = number(&head, r->swapped);
	len = number(&head, r->swapped);
	if (caplen > FRAME_MAX) {
		if (!first)
			return 0; /* what came before goes first */
		snprintf(why, 128, "invalid packet capture length %u, bigger than snaplen of %u",
		    caplen, r->snaplen);
		return -EBADMSG;
	}
	ready = have(r, RECORD_HEAD + caplen, first);
	if (ready == 0 && !first)
		return 0;
	if (ready <= 0)
		return broken(ready, why);
	(void)sig_bytes_skip(&r->unread, RECORD_HEAD);
	const uint8_t *data = sig_bytes_take(&r->unread, caplen);
	r->offset += RECORD_HEAD + caplen;
	if (caplen > r->snaplen)
		caplen = r->snaplen;
	*frame = (struct clf_frame){ .data = data,
		.ts_us = time_of(r, sec, sub),
		.len = caplen,
		.wire_len = len > caplen ? len : caplen,
		.flags = len > caplen ? CLF_FRAME_TRUNCATED : 0 };
	return 1;
}

uint64_t
ctl_classic_offset(const struct ctl_classic *r)
{
	return r->offset;
}
