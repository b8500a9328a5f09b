/* SPDX-License-Identifier: Apache-2.0 */
/* The three standard file descriptors, when whoever started the program had closed some. */
#ifndef SIGNATURES_BASE_FDS_H
#define SIGNATURES_BASE_FDS_H

/*
 * To be called first in main(), before anything is opened: descriptors 0 to 2 that are closed are
 * taken up, so that no database, capture or socket gets such a number and then what is printed.
 * Reading or writing them fails with EBADF as before.
 */
void sig_fds_guard(void);

#endif
