/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diagnostics for files that a person wrote: `file:line:column: text`.
 *
 * A loader takes a `struct sig_diag *` and adds a message for each fault; it never prints. The
 * caller prints what was gathered. Bounded: beyond SIG_DIAG_MAX messages only `dropped` counts up;
 * notes take no more than half of them.
 * One thread at a time.
 */
#ifndef SIGNATURES_BASE_DIAG_H
#define SIGNATURES_BASE_DIAG_H

#include <stdbool.h>
#include <stdio.h>

enum { SIG_DIAG_MAX = 200 };

enum sig_severity { SIG_NOTE, SIG_WARNING, SIG_ERROR };

struct sig_diag_msg {
	enum sig_severity severity;
	char *text; /* "file:line:col: text" or "file: text"; owned by the diag */
};

struct sig_diag {
	struct sig_diag_msg msgs[SIG_DIAG_MAX];
	unsigned n;
	unsigned errors; /* errors seen, also those not kept */
	unsigned dropped;
};

/* line 0: the fault is of the whole file. col 0: of the whole line. file NULL: no file at all. */
void sig_diag_add(struct sig_diag *d, enum sig_severity severity, const char *file, unsigned line,
    unsigned col, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
void sig_diag_print(const struct sig_diag *d, FILE *to);
void sig_diag_free(struct sig_diag *d); /* frees the texts, leaves d empty and usable */

#endif
