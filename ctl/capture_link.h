/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Link types of captures: which are read as they are, and the heads that some have before a packet
 * of another type.
 */
#ifndef CTL_CAPTURE_LINK_H
#define CTL_CAPTURE_LINK_H

#include <stdbool.h>

#include "classifier/pkt.h"

/* libpcap's DLT to ours; CLF_LINK_OTHER: not read. *ret_head: each packet has a head to take off.
 */
enum clf_link ctl_link_of(int dlt, bool *ret_head);
/* Takes the head off, and says what follows in frame->link. One that lies leaves no bytes. */
void ctl_link_unwrap(int dlt, struct clf_frame *frame);

#endif
