/* SPDX-License-Identifier: Apache-2.0 */
/* libpcap on the reading side. The only file of the command that knows it. */
#include "ctl/capture.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ctl/capture_link.h"

enum { FILE_BUFFER = 256 << 10, ARENA = 1 << 20 };

struct ctl_capture {
	pcap_t *pcap;
	FILE *file;
	uint64_t size, packets;
	int dlt;
	uint8_t link;
	bool head;	   /* before each packet, of the link type's own */
	bool ended, fault; /* no more to read; because of a fault that was not told yet */
	bool have_next;	   /* a packet was read that did not fit into the last burst */
	struct pcap_pkthdr next_head;
	const u_char *next_data;
	uint8_t *arena;
	size_t arena_cap;
};

static int
open_file(const char *path, FILE **ret, uint64_t *ret_size, char why[static 256])
{
	struct stat st;
	int err;

	if (strcmp(path, "-") == 0) {
		*ret = stdin;
		return 0;
	}
	FILE *f = fopen(path, "rb");
	if (!f || fstat(fileno(f), &st) < 0) {
		err = -errno;
		snprintf(why, 256, "%s", strerror(-err));
		if (f)
			fclose(f);
		return err;
	}
	/* libpcap reads record by record; with stdio's 4 KB that is a system call every few frames.
	 */
	(void)setvbuf(f, NULL, _IOFBF, FILE_BUFFER);
	if (S_ISDIR(st.st_mode)) {
		snprintf(why, 256, "is a directory: name the captures in it");
		fclose(f);
		return -EISDIR;
	}
	*ret_size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	*ret = f;
	return 0;
}

int
ctl_capture_open(const char *path, struct ctl_capture **ret_capture, char why[static 256])
{
	struct ctl_capture *c = calloc(1, sizeof(*c));
	char errbuf[PCAP_ERRBUF_SIZE] = "";
	int err;

	if (!c || !(c->arena = malloc(ARENA))) {
		free(c);
		snprintf(why, 256, "out of memory");
		return -ENOMEM;
	}
	c->arena_cap = ARENA;
	err = open_file(path, &c->file, &c->size, why);
	if (err < 0) {
		ctl_capture_close(c);
		return err;
	}
	c->pcap = pcap_fopen_offline_with_tstamp_precision(
	    c->file, PCAP_TSTAMP_PRECISION_MICRO, errbuf);
	if (!c->pcap) {
		if (c->file != stdin && c->size == 0 && feof(c->file))
			snprintf(why, 256, "not a capture: it is empty");
		else
			snprintf(why, 256, "not a capture: %s%.200s",
			    strncmp(errbuf, "truncated", 9) == 0 ? "its head is cut off: " : "",
			    errbuf);
		if (c->file != stdin)
			fclose(c->file);
		ctl_capture_close(c);
		return -EBADMSG;
	}
	c->dlt = pcap_datalink(c->pcap);
	c->link = (uint8_t)ctl_link_of(c->dlt, &c->head);
	*ret_capture = c;
	return 0;
}

void
ctl_capture_close(struct ctl_capture *c)
{
	if (!c)
		return;
	if (c->pcap)
		pcap_close(c->pcap); /* closes the file too, but for stdin */
	free(c->arena);
	free(c);
}

/* The packet at hand into the arena. False: no room left in this burst. */
static bool
take(struct ctl_capture *c, struct clf_frame *f, size_t *used, bool first)
{
	const struct pcap_pkthdr *h = &c->next_head;

	if (h->caplen > c->arena_cap - *used) {
		if (!first)
			return false;
		uint8_t *bigger = realloc(c->arena, h->caplen);
		if (!bigger)
			return false;
		c->arena = bigger;
		c->arena_cap = h->caplen;
	}
	memcpy(c->arena + *used, c->next_data, h->caplen);
	*f = (struct clf_frame){
		.data = c->arena + *used,
		.cookie = (void *)(uintptr_t)++c->packets,
		.ts_us = h->ts.tv_sec < 0
			     ? 0
			     : (uint64_t)h->ts.tv_sec * 1000000 + (uint64_t)h->ts.tv_usec,
		.len = h->caplen,
		.wire_len = h->len > h->caplen ? h->len : h->caplen,
		.link = c->link,
		.flags = h->len > h->caplen ? CLF_FRAME_TRUNCATED : 0,
	};
	*used += h->caplen;
	c->have_next = false;
	if (c->head)
		ctl_link_unwrap(c->dlt, f);
	return true;
}

static int
broken(struct ctl_capture *c, char why[static 256])
{
	const char *text = pcap_geterr(c->pcap);
	unsigned long long n = c->packets;

	c->fault = false;
	if (strncmp(text, "truncated", 9) == 0)
		snprintf(why, 256, "truncated after packet %llu", n);
	else if (strstr(text, "different from the type of the first interface"))
		snprintf(why, 256,
		    "after packet %llu: interfaces of different link types, which "
		    "libpcap cannot read: scan a capture of each (tshark -w)",
		    n);
	else
		snprintf(why, 256, "damaged after packet %llu: %.200s", n, text);
	return -EBADMSG;
}

int
ctl_capture_burst(struct ctl_capture *c, struct clf_frame *frames, char why[static 256])
{
	struct pcap_pkthdr *head;
	size_t used = 0;
	int n = 0;

	if (c->ended)
		return c->fault ? broken(c, why) : 0;
	while (n < CLF_BURST_MAX) {
		if (!c->have_next) {
			int got = pcap_next_ex(c->pcap, &head, &c->next_data);
			if (got == PCAP_ERROR_BREAK || got == 0) {
				c->ended = true;
				break;
			}
			if (got < 0) {
				/* What came before goes first, the fault with the next call. */
				c->ended = c->fault = true;
				return n > 0 ? n : broken(c, why);
			}
			c->next_head = *head;
			c->have_next = true;
		}
		if (!take(c, &frames[n], &used, n == 0))
			break;
		n++;
	}
	return n;
}

uint64_t
ctl_capture_packets(const struct ctl_capture *c)
{
	return c->packets;
}

void
ctl_capture_progress(const struct ctl_capture *c, uint64_t *ret_read, uint64_t *ret_size)
{
	long at = c->size > 0 ? ftell(c->file) : 0;

	*ret_read = at > 0 ? (uint64_t)at : 0;
	*ret_size = c->size;
}

const char *
ctl_capture_unread_link(const struct ctl_capture *c)
{
	const char *name;

	if (c->link != CLF_LINK_OTHER)
		return NULL;
	name = pcap_datalink_val_to_name(c->dlt);
	return name ? name : "unknown";
}
