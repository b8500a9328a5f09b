/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: cells, widths, and what gives way when the terminal is narrow. */
#include <langinfo.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "ctl/print_impl.h"
#include "ctl/proto/json.h"

enum { GAP = 2, COMFORTABLE = 20, READABLE = 14, DISPENSABLE = 3, DAY_LEN = 10 };

char *
ctl_value_joined(const struct ctl_value *v, const char *between, bool facts)
{
	size_t len = 1;

	for (unsigned i = 0; i < v->list.n; i++)
		len += strlen(v->list.item[i]) + strlen(between);
	char *joined = malloc(len), *clean = NULL;
	if (!joined)
		return NULL;
	joined[0] = '\0';
	for (unsigned i = 0; i < v->list.n; i++) {
		if (i > 0)
			strcat(joined, between);
		strcat(joined, v->list.item[i]);
	}
	clean = proto_printable(joined);
	free(joined);
	if (!facts || !clean)
		return clean;
	joined = proto_fact(clean);
	free(clean);
	return joined;
}

static bool
utf8_locale(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

char *
ctl_fact_shown(const char *text)
{
	return utf8_locale() ? proto_fact(text) : proto_printable(text);
}

char *
ctl_product_shown(const char *vendor, const char *product)
{
	size_t n = vendor ? strlen(vendor) : 0;
	char *both = NULL, *shown;

	if (!product)
		product = "?";
	if (n == 0 || (strncmp(product, vendor, n) == 0 && strchr(" ", product[n])))
		return ctl_fact_shown(product);
	if (asprintf(&both, "%s %s", vendor, product) < 0)
		return NULL;
	shown = ctl_fact_shown(both);
	free(both);
	return shown;
}

/* Columns on the screen of the first `most` of them, and the bytes they take. Cells are printable
 * ASCII, or UTF-8 from proto_fact(). */
static unsigned
columns_of(const char *s, unsigned most, size_t *ret_bytes)
{
	mbstate_t state = { 0 };
	unsigned width = 0;
	size_t at = 0, left = strlen(s);

	while (left > 0) {
		wchar_t c;
		size_t n = (unsigned char)s[at] < 0x80 ? 1 : mbrtowc(&c, s + at, left, &state);
		int w = 1;
		if (n == 0 || n > left)
			n = 1; /* not in this locale: a byte is a column */
		else if ((unsigned char)s[at] >= 0x80 && (w = wcwidth(c)) < 0)
			w = 1;
		if (width + (unsigned)w > most)
			break;
		width += (unsigned)w;
		at += n;
		left -= n;
	}
	if (ret_bytes)
		*ret_bytes = at;
	return width;
}

void
ctl_cell(char *out, size_t cap, const char *text, unsigned width, bool mark)
{
	size_t bytes;
	unsigned w = columns_of(text, UINT_MAX, NULL);

	if (w <= width) {
		snprintf(out, cap, "%s%*s", text, (int)(width - w), "");
		return;
	}
	width -= mark && width > 0;
	w = columns_of(text, width, &bytes);
	snprintf(out, cap, "%.*s%s%*s", (int)bytes, text, mark ? "~" : "", (int)(width - w), "");
}

static char *
cell_text(const struct ctl_value *v)
{
	char text[CTL_HUMAN_MAX];

	switch (v->kind) {
	case CTL_K_TEXT: return proto_printable(v->text);
	case CTL_K_FACT: return ctl_fact_shown(v->text);
	case CTL_K_UINT: snprintf(text, sizeof(text), "%llu", (unsigned long long)v->u); break;
	case CTL_K_INT: snprintf(text, sizeof(text), "%lld", (long long)v->i); break;
	case CTL_K_REAL: snprintf(text, sizeof(text), "%.1f", v->d); break;
	case CTL_K_BYTES: ctl_human_bytes(v->u, text); break;
	case CTL_K_TIME: ctl_human_time(v->u, text); break;
	case CTL_K_BOOL: return v->u ? strdup("yes") : NULL;
	case CTL_K_LIST: return ctl_value_joined(v, " ", v->list.facts && utf8_locale());
	default: return NULL;
	}
	return strdup(text);
}

static unsigned
total_width(const struct ctl_print *p)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < p->n; i++)
		if (p->widths[i] > 0)
			sum += p->widths[i] + GAP;
	return sum > GAP ? sum - GAP : 0;
}

/* A column of times that may be shown as days. */
static bool
shows_days(const struct ctl_print *p, unsigned i)
{
	return p->times[i] && p->columns[i].min == DAY_LEN;
}

/* The widest column that may still shrink without going below `least` or its own least, or n. */
static unsigned
shrinkable(const struct ctl_print *p, unsigned least)
{
	unsigned best = p->n, room = 0;

	for (unsigned i = 0; i < p->n; i++) {
		unsigned min = p->columns[i].min;
		if (min > 0 && min < least)
			min = least;
		if (p->widths[i] == 0 || min == 0 || p->widths[i] <= min || p->times[i])
			continue;
		if (p->widths[i] - min > room) {
			room = p->widths[i] - min;
			best = i;
		}
	}
	return best;
}

/* The least wanted column that may be left out, n when there is none; an empty one before all. */
static unsigned
droppable(const struct ctl_print *p, unsigned least)
{
	unsigned best = p->n, most = 0;

	for (unsigned i = 0; i < p->n; i++) {
		unsigned drop = p->columns[i].drop && !p->filled[i] ? UINT_MAX : p->columns[i].drop;
		if (p->widths[i] == 0 || drop < least || drop <= most)
			continue;
		most = drop;
		best = i;
	}
	return best;
}

/* Shrinks cells, none below `least` or its own least, until the table fits. */
static bool
shrink(struct ctl_print *p, unsigned least)
{
	while (total_width(p) > p->width) {
		unsigned i = shrinkable(p, least);
		if (i == p->n)
			return false;
		p->widths[i]--;
	}
	return true;
}

/* Leaves columns out, least wanted first, none that is wanted more than `least`. */
static bool
leave_out(struct ctl_print *p, unsigned least)
{
	while (total_width(p) > p->width) {
		unsigned i = droppable(p, least);
		if (i == p->n)
			return false;
		p->widths[i] = 0;
		p->left_out[i] = true;
	}
	return true;
}

static bool
shorten_times(struct ctl_print *p)
{
	for (unsigned i = 0; i < p->n && total_width(p) > p->width; i++)
		if (shows_days(p, i) && p->widths[i] > DAY_LEN)
			p->widths[i] = DAY_LEN;
	return total_width(p) <= p->width;
}

/* Leaving out a column may have made more room than was needed. */
static void
grow(struct ctl_print *p, const unsigned *natural)
{
	for (unsigned total; (total = total_width(p)) < p->width;) {
		unsigned best = p->n;

		for (unsigned i = 0; i < p->n; i++) {
			unsigned more = p->times[i] ? natural[i] - p->widths[i] : 1;
			if (p->widths[i] == 0 || p->widths[i] >= natural[i] ||
			    total + more > p->width)
				continue;
			if (best == p->n || p->widths[i] < p->widths[best])
				best = i;
		}
		if (best == p->n)
			return;
		p->widths[best] = p->times[best] ? natural[best] : p->widths[best] + 1;
	}
}

/*
 * Long cells give way first, down to a width that still reads well; then columns that hardly
 * anybody misses go, times become days, cells shrink a little more; then whatever may be left out
 * goes, and last cells shrink to their least.
 */
static void
fit(struct ctl_print *p)
{
	unsigned natural[PRINT_COLUMNS_MAX];

	if (p->width == 0)
		return;
	memcpy(natural, p->widths, sizeof(natural));
	if (shrink(p, COMFORTABLE) || leave_out(p, DISPENSABLE) || shorten_times(p) ||
	    shrink(p, READABLE) || leave_out(p, 1) || shrink(p, 0))
		grow(p, natural);
}

static void
pad(FILE *to, unsigned n)
{
	fprintf(to, "%*s", (int)n, "");
}

/* `last`: nothing follows in the line, so no padding and no cut when the width has no limit. */
static void
put_cell(struct ctl_print *p, unsigned col, const char *text, enum ctl_tone tone, bool last)
{
	size_t bytes = 0, len = text ? columns_of(text, UINT_MAX, NULL) : 0, w = p->widths[col];
	bool cut = len > w && p->width > 0 && p->columns[col].min > 0;

	if (cut && p->times[col]) { /* a day needs no sign that the hour is not shown */
		fprintf(p->to, "%.*s", (int)w, text);
		text = NULL;
		len = w;
		cut = false;
	}
	if (p->right[col] && len < w)
		pad(p->to, (unsigned)(w - len));
	if (p->colours && tone != CTL_PLAIN)
		fputs(ctl_tone_on(tone), p->to);
	if (cut) {
		/* A wide sign may leave one column over. */
		unsigned used = columns_of(text, (unsigned)w - 1, &bytes);
		fprintf(p->to, "%.*s~%*s", (int)bytes, text, (int)(w - 1 - used), "");
	}
	if (text && !cut)
		fputs(text, p->to);
	if (p->colours && tone != CTL_PLAIN)
		fputs(CTL_TONE_OFF, p->to);
	if (last)
		return;
	if (!p->right[col] && len < w)
		pad(p->to, (unsigned)(w - len));
	pad(p->to, GAP);
}

static unsigned
last_shown(const struct ctl_print *p)
{
	unsigned last = 0;

	for (unsigned i = 0; i < p->n; i++)
		if (p->widths[i] > 0)
			last = i;
	return last;
}

static void
put_row(struct ctl_print *p, const struct print_cell *cells)
{
	unsigned last = last_shown(p);

	/* Empty cells at the end of a line leave no blanks behind. */
	while (last > 0 && (p->widths[last] == 0 || !cells[last].text))
		last--;
	for (unsigned i = 0; i <= last; i++)
		if (p->widths[i] > 0)
			put_cell(p, i, cells[i].text, cells[i].tone, i == last);
	fputc('\n', p->to);
}

void
ctl_table_settle(struct ctl_print *p)
{
	if (p->settled)
		return;
	p->settled = true;
	for (unsigned i = 0; i < p->n; i++) {
		if (!p->columns[i].title)
			continue;
		p->widths[i] = (unsigned)strlen(p->columns[i].title);
		for (unsigned r = 0; r < p->n_held; r++) {
			const char *t = p->held[r * p->n + i].text;
			unsigned w = t ? columns_of(t, UINT_MAX, NULL) : 0;
			if (w > p->widths[i])
				p->widths[i] = w;
		}
	}
	fit(p);
	unsigned last = last_shown(p);
	for (unsigned i = 0; i < p->n; i++)
		if (p->widths[i] > 0)
			put_cell(p, i, p->columns[i].title, CTL_DIM, i == last);
	fputc('\n', p->to);
	for (unsigned r = 0; r < p->n_held; r++)
		put_row(p, p->held + r * p->n);
}

static void
free_cells(struct print_cell *cells, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		free(cells[i].text);
}

void
ctl_table_row(struct ctl_print *p, const struct ctl_value *values)
{
	struct print_cell here[PRINT_COLUMNS_MAX] = { 0 };

	for (unsigned i = 0; i < p->n; i++) {
		enum ctl_kind k = values[i].kind;
		if (!p->columns[i].title)
			continue;
		here[i].text = cell_text(&values[i]);
		if (here[i].text && here[i].text[0] == '\0') {
			free(here[i].text);
			here[i].text = NULL;
		}
		here[i].tone = (uint8_t)values[i].tone;
		p->filled[i] |= here[i].text &&
				!((k == CTL_K_UINT || k == CTL_K_BYTES) && values[i].u == 0);
		if (k == CTL_K_UINT || k == CTL_K_INT || k == CTL_K_REAL || k == CTL_K_BYTES)
			p->right[i] = true;
		if (k == CTL_K_TIME)
			p->times[i] = true;
	}
	if (!p->held && !p->settled)
		p->held = calloc((size_t)PRINT_HOLD * p->n, sizeof(*p->held));
	if (!p->settled && p->held && p->n_held < PRINT_HOLD) {
		memcpy(p->held + p->n_held++ * p->n, here, p->n * sizeof(here[0]));
		return;
	}
	ctl_table_settle(p);
	put_row(p, here);
	free_cells(here, p->n);
}

/* What a reader of the table does not see is told where it is. */
static void
tell_left_out(const struct ctl_print *p)
{
	char list[256] = "";
	size_t n = 0;

	for (unsigned i = 0; i < p->n; i++)
		if (p->left_out[i] && p->filled[i] && n < sizeof(list))
			n += (size_t)snprintf(
			    list + n, sizeof(list) - n, "%s%s", n ? ", " : "", p->columns[i].title);
	if (n == 0)
		return;
	fflush(p->to);
	ctl_note("no room for %s: a wider terminal shows more, --json all", list);
}

void
ctl_table_free(struct ctl_print *p)
{
	tell_left_out(p);
	if (p->held)
		free_cells(p->held, p->n_held * p->n);
	free(p->held);
}
