/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capture files as frames: pcap and pcapng through libpcap, any usual link type, micro- or
 * nanosecond times. Frames are handed out in bursts that stay valid until the next call. One
 * thread.
 */
#ifndef CTL_CAPTURE_H
#define CTL_CAPTURE_H

#include "classifier/pkt.h"

struct ctl_capture;

/* path "-": stdin. On failure -errno and one line without the path in why. */
int ctl_capture_open(const char *path, struct ctl_capture **ret_capture, char why[static 256]);
void ctl_capture_close(struct ctl_capture *c);

/*
 * Up to CLF_BURST_MAX frames into frames[]; 0: the end. -errno and one line when the file breaks
 * off or is damaged; the frames before that were given.
 */
int ctl_capture_burst(struct ctl_capture *c, struct clf_frame *frames, char why[static 256]);

uint64_t ctl_capture_packets(const struct ctl_capture *c); /* given so far */
/* Bytes read and the file's size; size 0 when it is not known. */
void ctl_capture_progress(const struct ctl_capture *c, uint64_t *ret_read, uint64_t *ret_size);
/* The link type's name when frames of it cannot be read; NULL: they can. */
const char *ctl_capture_unread_link(const struct ctl_capture *c);

#endif
