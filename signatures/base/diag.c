/* SPDX-License-Identifier: Apache-2.0 */
/* Gathers the faults of files that a person wrote, for the caller to print. */
#include "signatures/base/diag.h"

#include <stdarg.h>
#include <stdlib.h>

/* "file:line:col: ", as far as the parts are known. The caller frees it; NULL without memory. */
static char *
place(const char *file, unsigned line, unsigned col)
{
	char *s = NULL;
	int n;

	if (!file)
		n = asprintf(&s, "%s", "");
	else if (line == 0)
		n = asprintf(&s, "%s: ", file);
	else if (col == 0)
		n = asprintf(&s, "%s:%u: ", file, line);
	else
		n = asprintf(&s, "%s:%u:%u: ", file, line, col);
	return n < 0 ? NULL : s;
}

void
sig_diag_add(struct sig_diag *d, enum sig_severity severity, const char *file, unsigned line,
    unsigned col, const char *fmt, ...)
{
	/* What is merely noted leaves room for what is wrong. */
	unsigned room = severity == SIG_NOTE ? SIG_DIAG_MAX / 2 : SIG_DIAG_MAX;
	char *where = NULL, *what = NULL, *text = NULL;
	va_list ap;

	if (!d)
		return;
	if (severity == SIG_ERROR)
		d->errors++;
	if (d->n >= room) {
		d->dropped++;
		return;
	}
	va_start(ap, fmt);
	if (vasprintf(&what, fmt, ap) < 0)
		what = NULL;
	va_end(ap);
	where = place(file, line, col);
	if (!where || !what || asprintf(&text, "%s%s", where, what) < 0) {
		text = NULL;
		d->dropped++;
	}
	free(where);
	free(what);
	if (text)
		d->msgs[d->n++] = (struct sig_diag_msg){ .severity = severity, .text = text };
}

/* One line, whatever a file's name or its text held: nothing moves the cursor. */
static void
print_line(const char *text, FILE *to)
{
	for (const char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (c < 0x20 || c == 0x7f)
			fprintf(to, "\\x%02x", c);
		else
			putc(c, to);
	}
	putc('\n', to);
}

void
sig_diag_print(const struct sig_diag *d, FILE *to)
{
	static const char *const prefix[] = { "note: ", "warning: ", "" };

	for (unsigned i = 0; i < d->n; i++) {
		fputs(prefix[d->msgs[i].severity], to);
		print_line(d->msgs[i].text, to);
	}
	if (d->dropped)
		fprintf(to, "and %u more\n", d->dropped);
}

void
sig_diag_free(struct sig_diag *d)
{
	if (!d)
		return;
	for (unsigned i = 0; i < d->n; i++)
		free(d->msgs[i].text);
	*d = (struct sig_diag){ 0 };
}
