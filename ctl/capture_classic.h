/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The common kind of capture, read without libpcap: a regular file of classic pcap 2.4 with
 * Ethernet frames, of either byte order, micro- or nanoseconds. Frames lie in the reader's own
 * buffer, where libpcap copies each one twice. It reads as libpcap 1.10 does; whatever is not
 * of this kind is left to libpcap.
 */
#ifndef CTL_CAPTURE_CLASSIC_H
#define CTL_CAPTURE_CLASSIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classifier/pkt.h"

struct ctl_classic;

/*
 * The descriptor stays the caller's and must not be read by others meanwhile. 0; -ENOTSUP: not of
 * this kind, nothing was read; -ENOMEM.
 */
int ctl_classic_open(int fd, struct ctl_classic **ret_reader);
void ctl_classic_close(struct ctl_classic *r);

/*
 * The next frame, valid until a call with `first` set: 1; 0: the end, or, without `first`, that no
 * more of the file is at hand: end the burst and ask again with `first`. Faults come with `first`
 * alone: -ENODATA, the file breaks off; else -errno and a line in why.
 */
int
ctl_classic_next(struct ctl_classic *r, bool first, struct clf_frame *frame, char why[static 128]);

uint64_t ctl_classic_offset(const struct ctl_classic *r); /* bytes of the file given out */

#endif
