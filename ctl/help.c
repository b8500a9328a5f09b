/* SPDX-License-Identifier: Apache-2.0 */
/* What --help prints, made from the verbs' tables and broken to the terminal's width. */
#include <stdlib.h>
#include <string.h>

#include "ctl/cli.h"
#include "signatures/base/yaml.h"

enum { WIDTH_USUAL = 80, WIDTH_MOST = 100, LEFT = 30 };

static unsigned
help_width(FILE *to)
{
	unsigned w = ctl_width(to);

	return w == 0 ? WIDTH_USUAL : w > WIDTH_MOST ? WIDTH_MOST : w;
}

/* A word, or several that belong together: `...` and [...] are not broken. */
static size_t
word_len(const char *s)
{
	size_t n = *s == '`' ? 1 + strcspn(s + 1, "`") : *s == '[' ? strcspn(s, "]\n") : 0;

	return n + strcspn(s + n, " \n");
}

void
ctl_wrapped(FILE *to, unsigned at, unsigned indent, const char *text)
{
	unsigned width = help_width(to);
	bool first = true;

	while (*text) {
		size_t n = word_len(text);

		if (!first && at + 1 + n > width) {
			fprintf(to, "\n%*s", (int)indent, "");
			at = indent;
		} else if (!first) {
			fputc(' ', to);
			at++;
		}
		fwrite(text, 1, n, to);
		at += (unsigned)n;
		first = false;
		text += n;
		text += strspn(text, " ");
		if (text[0] == '\n' && text[1] == '\n') { /* a paragraph */
			fputs("\n\n", to);
			at = 0;
			first = true;
		}
		text += strspn(text, " \n");
	}
	fputc('\n', to);
}

/* "left    text", the text broken under itself. */
static void
entry(FILE *to, unsigned column, const char *left, const char *text)
{
	int n = fprintf(to, "  %-*s", (int)column - 2, left);

	if (n > (int)column) {
		fputs("  ", to);
		n += 2;
	}
	ctl_wrapped(to, (unsigned)n, column, text);
}

/* Commands to copy: as they are, but broken before an option where a line would be too long. */
static void
examples(FILE *to, const char *text)
{
	unsigned width = help_width(to);

	fputs("\nexamples:\n", to);
	while (*text) {
		size_t len = strcspn(text, "\n"), at = 0;

		fputs("  ", to);
		while (len - at + (at ? 6 : 2) > width) {
			size_t cut = at + width - (at ? 6 : 2) - 2;

			while (cut > at && !(text[cut] == ' ' && text[cut + 1] != '<'))
				cut--;
			if (cut == at)
				break;
			fprintf(to, "%.*s \\\n      ", (int)(cut - at), text + at);
			at = cut + 1;
		}
		fprintf(to, "%.*s\n", (int)(len - at), text + at);
		text += len + (text[len] == '\n');
	}
}

static void
heading(FILE *to, const struct ctl_verb *verb, const char *usage)
{
	char text[512];

	snprintf(text, sizeof(text), "phonehome %s: %s", verb->name, verb->summary);
	ctl_wrapped(to, 0, 4, text);
	snprintf(text, sizeof(text), "usage: phonehome %s %s", verb->name, usage);
	fputc('\n', to);
	ctl_wrapped(to, 0, 11, text);
}

void
ctl_verb_help(const struct ctl_verb *verb, FILE *to)
{
	heading(to, verb, verb->usage);
	if (verb->about) {
		fputc('\n', to);
		ctl_wrapped(to, 0, 0, verb->about);
	}
	fputs("\noptions:\n", to);
	for (const struct ctl_opt *o = verb->opts; o && o->name; o++) {
		char left[64];

		snprintf(left, sizeof(left), "%c%c%c --%s%s%s", o->letter ? '-' : ' ',
		    o->letter ? o->letter : ' ', o->letter ? ',' : ' ', o->name, o->arg ? " " : "",
		    o->arg ? o->arg : "");
		entry(to, LEFT, left, o->help);
	}
	if (verb->examples)
		examples(to, verb->examples);
}

void
ctl_verbs_list(FILE *to, const struct ctl_verb *const *verbs, unsigned n, unsigned column)
{
	for (unsigned i = 0; i < n; i++) {
		const char *blank = strchr(verbs[i]->name, ' ');

		entry(to, column, blank ? blank + 1 : verbs[i]->name, verbs[i]->summary);
	}
}

/* --- verbs under a verb --- */

static int
help_of_group(const struct ctl_verb *verb, const struct ctl_verb *const *subs, unsigned n, FILE *to)
{
	heading(to, verb, "VERB ...");
	fputc('\n', to);
	ctl_verbs_list(to, subs, n, 13);
	if (verb->examples)
		examples(to, verb->examples);
	fputc('\n', to);
	ctl_wrapped(to, 0, 0, verb->about);
	return to == stdout ? ctl_finish(CTL_OK) : CTL_USAGE;
}

int
ctl_verb_under(const struct ctl_verb *verb, const struct ctl_verb *const *subs, unsigned n,
    int argc, char **argv, unsigned *ret_i)
{
	const char *words[CTL_SUBS_MAX];

	if (argc < 2)
		return help_of_group(verb, subs, n, stderr);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0)
		return help_of_group(verb, subs, n, stdout);
	for (unsigned i = 0; i < n; i++) {
		words[i] = strchr(subs[i]->name, ' ') + 1;
		if (strcmp(argv[1], words[i]) != 0)
			continue;
		*ret_i = i;
		return -1;
	}
	const char *near = sig_nearest(argv[1], words, n);
	if (near)
		return ctl_usage(verb, "unknown verb %s: did you mean %s?", argv[1], near);
	return ctl_usage(verb, "unknown verb %s", argv[1]);
}
