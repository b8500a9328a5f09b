/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one printer: the same rows as a table, as JSON or as CSV.
 *
 * Rows stream: a table holds back the first PRINT_HOLD rows to find its widths and passes on the
 * rest as they come. A table fits the terminal (or $COLUMNS when that is set); into a pipe it is as
 * wide as it needs to be. Colours on a terminal only and never under NO_COLOR. Text is expected
 * escaped (sig_text_escape()); what is not printable ASCII all the same becomes `\xHH`. Sizes and
 * times are for people in tables and raw in JSON and CSV. One thread.
 */
#ifndef CTL_PRINT_H
#define CTL_PRINT_H

#include <jansson.h>

#include "ctl/cli.h"

enum { PRINT_HOLD = 256, PRINT_COLUMNS_MAX = 32 };

enum ctl_tone { CTL_PLAIN, CTL_DIM, CTL_GOOD, CTL_WARN, CTL_ALARM };

enum ctl_kind {
	CTL_K_NONE, /* not known: absent in JSON, empty elsewhere */
	CTL_K_TEXT,
	CTL_K_FACT, /* a pack's own words: proto_fact() */
	CTL_K_UINT,
	CTL_K_INT,
	CTL_K_REAL,
	CTL_K_BYTES,
	CTL_K_TIME, /* microseconds since 1970; 0 is CTL_K_NONE */
	CTL_K_BOOL, /* "yes" or nothing in a table */
	CTL_K_LIST,
};

struct ctl_value {
	enum ctl_kind kind;
	enum ctl_tone tone;
	union {
		const char *text;
		uint64_t u;
		int64_t i;
		double d;
		struct {
			char *const *item;
			unsigned n;
			bool facts; /* of CTL_K_FACT's kind */
		} list;
	};
};

static inline struct ctl_value
ctl_text(const char *s)
{
	return (struct ctl_value){ .kind = s && *s ? CTL_K_TEXT : CTL_K_NONE, .text = s };
}

static inline struct ctl_value
ctl_fact(const char *s)
{
	return (struct ctl_value){ .kind = s && *s ? CTL_K_FACT : CTL_K_NONE, .text = s };
}

static inline struct ctl_value
ctl_number(enum ctl_kind kind, uint64_t v)
{
	return (
	    struct ctl_value){ .kind = kind == CTL_K_TIME && v == 0 ? CTL_K_NONE : kind, .u = v };
}

/*
 * `text` in exactly `width` columns of the screen, filled up or cut, which `mark` tells by a `~`.
 * A text that was made to be shown (ctl_fact_shown(), or printable ASCII).
 */
void ctl_cell(char *out, size_t cap, const char *text, unsigned width, bool mark);

struct ctl_column {
	const char *key;   /* JSON member and CSV heading; NULL: only in tables */
	const char *title; /* NULL: only in JSON and CSV */
	unsigned min;	   /* width below which it is not cut; 0: never; times: 10, may be days */
	unsigned drop;	   /* > 0: left out of a table that is too wide, greater first */
};

struct ctl_print;

/* Columns end with one that has neither key nor title; they and `to` are borrowed. */
struct ctl_print *ctl_print_new(FILE *to, enum ctl_format format, const struct ctl_column *columns);
enum ctl_format ctl_print_format(const struct ctl_print *p);
/* One value per column. False: the output is closed or full, stop. */
bool ctl_print_row(struct ctl_print *p, const struct ctl_value *values);
/* The same for a row that has a JSON form of its own (stolen); values may be NULL when the format
 * is JSON, json may be NULL when it is not. */
bool ctl_print_object(struct ctl_print *p, json_t *json, const struct ctl_value *values);
/* What is held goes out (a follower calls it when there is nothing more for now). */
void ctl_print_flush(struct ctl_print *p);
/* Ends the document and frees p; rows printed. */
uint64_t ctl_print_end(struct ctl_print *p);

/* A document that is no table, e.g. `status --json`. Stolen. */
void ctl_print_json(FILE *to, json_t *json);

bool ctl_colours(FILE *to);
/* A fact of the packs as this terminal can show it: UTF-8, or printable ASCII. Malloced; NULL: no
 * memory. */
char *ctl_fact_shown(const char *text);
/* "VENDOR PRODUCT", or the product alone where its name begins with the vendor's. As above. */
char *ctl_product_shown(const char *vendor, const char *product);
const char *ctl_tone_on(enum ctl_tone tone);
#define CTL_TONE_OFF "\033[0m"

#endif
