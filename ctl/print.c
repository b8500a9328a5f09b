/* SPDX-License-Identifier: Apache-2.0 */
/* The printer: how rows become bytes. Widths of tables are in print_table.c. */
#include "ctl/print_impl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl/proto/json.h"
#include "ctl/proto/rfc3339.h"

bool
ctl_colours(FILE *to)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return !(no && *no) && term && strcmp(term, "dumb") != 0 && isatty(fileno(to));
}

unsigned
ctl_width(FILE *to)
{
	const char *columns = getenv("COLUMNS");
	struct winsize ws;

	if (isatty(fileno(to)) && ioctl(fileno(to), TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0)
		return ws.ws_col;
	if (!columns || !*columns)
		return 0;
	unsigned long w = strtoul(columns, NULL, 10);
	return w >= 20 && w <= 10000 ? (unsigned)w : 0;
}

const char *
ctl_tone_on(enum ctl_tone tone)
{
	static const char *const on[] = { "", "\033[2m", "\033[32m", "\033[33m", "\033[31;1m" };

	return on[tone];
}

struct ctl_print *
ctl_print_new(FILE *to, enum ctl_format format, const struct ctl_column *columns)
{
	struct ctl_print *p = calloc(1, sizeof(*p));

	if (!p) {
		ctl_error("out of memory");
		exit(CTL_FAILED);
	}
	p->to = to;
	p->format = format;
	p->columns = columns;
	while (p->n < PRINT_COLUMNS_MAX && (columns[p->n].key || columns[p->n].title))
		p->n++;
	p->colours = format == CTL_TABLE && ctl_colours(to);
	p->width = format == CTL_TABLE ? ctl_width(to) : 0;
	return p;
}

enum ctl_format
ctl_print_format(const struct ctl_print *p)
{
	return p->format;
}

/* --- JSON --- */

static json_t *
fact_json(const char *text)
{
	char *fact = proto_fact(text);
	json_t *v = json_string(fact ? fact : text);

	free(fact);
	return v;
}

static json_t *
json_value(const struct ctl_value *v)
{
	char time[PROTO_TIME_LEN];
	json_t *a;

	switch (v->kind) {
	case CTL_K_TEXT: return json_string(v->text);
	case CTL_K_FACT: return fact_json(v->text);
	case CTL_K_UINT:
	case CTL_K_BYTES: return json_integer((json_int_t)v->u);
	case CTL_K_INT: return json_integer((json_int_t)v->i);
	case CTL_K_REAL: return json_real(v->d);
	case CTL_K_BOOL: return json_boolean(v->u);
	case CTL_K_TIME: proto_time_format(v->u, time); return json_string(time);
	case CTL_K_LIST:
		a = json_array();
		for (unsigned i = 0; i < v->list.n; i++)
			json_array_append_new(a, json_string(v->list.item[i]));
		return a;
	default: return NULL;
	}
}

static void
json_object_out(struct ctl_print *p, json_t *o)
{
	if (p->format == CTL_JSON)
		fputs(p->rows == 0 ? "[\n" : ",\n", p->to);
	json_dumpf(o, p->to, JSON_COMPACT | JSON_ENSURE_ASCII);
	if (p->format == CTL_JSON_LINES)
		fputc('\n', p->to);
	json_decref(o);
}

static void
json_row(struct ctl_print *p, const struct ctl_value *values)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < p->n; i++)
		if (p->columns[i].key && values[i].kind != CTL_K_NONE)
			json_object_set_new(o, p->columns[i].key, json_value(&values[i]));
	json_object_out(p, o);
}

void
ctl_print_json(FILE *to, json_t *json)
{
	json_dumpf(json, to, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	fputc('\n', to);
	json_decref(json);
}

/*
 * --- CSV, RFC 4180 but for the line end, which is a bare newline ---
 *
 * Spreadsheets take text that begins with one of these for a formula, and names come from whoever
 * sends packets: the sign is escaped like any byte that may not be shown.
 */
static const char formula_signs[] = "=+-@";

static void
csv_text(FILE *to, const char *s)
{
	bool formula = *s && strchr(formula_signs, *s);
	bool quoted = strpbrk(s, ",\"\r\n") || *s == ' ' || (*s && s[strlen(s) - 1] == ' ');

	if (quoted)
		fputc('"', to);
	if (formula)
		fprintf(to, "\\x%02x", (unsigned char)*s++);
	for (; *s; s++) {
		if (*s == '"')
			fputc('"', to);
		fputc(*s, to);
	}
	if (quoted)
		fputc('"', to);
}

static void
csv_value(FILE *to, const struct ctl_value *v)
{
	char time[PROTO_TIME_LEN];
	char *joined;

	switch (v->kind) {
	case CTL_K_TEXT:
	case CTL_K_FACT:
		joined = v->kind == CTL_K_FACT ? proto_fact(v->text) : proto_printable(v->text);
		csv_text(to, joined ? joined : "");
		free(joined);
		break;
	case CTL_K_UINT:
	case CTL_K_BYTES: fprintf(to, "%llu", (unsigned long long)v->u); break;
	case CTL_K_INT: fprintf(to, "%lld", (long long)v->i); break;
	case CTL_K_REAL: fprintf(to, "%.3f", v->d); break;
	case CTL_K_BOOL: fputs(v->u ? "true" : "false", to); break;
	case CTL_K_TIME:
		proto_time_format(v->u, time);
		fputs(time, to);
		break;
	case CTL_K_LIST:
		joined = ctl_value_joined(v, " ", v->list.facts);
		csv_text(to, joined ? joined : "");
		free(joined);
		break;
	default: break;
	}
}

static void
csv_row(struct ctl_print *p, const struct ctl_value *values)
{
	bool first = true;

	for (unsigned i = 0; i < p->n; i++) {
		if (!p->columns[i].key)
			continue;
		if (!first)
			fputc(',', p->to);
		first = false;
		if (values)
			csv_value(p->to, &values[i]);
		else
			fputs(p->columns[i].key, p->to);
	}
	fputc('\n', p->to);
}

/* --- rows in, whatever the format --- */

bool
ctl_print_object(struct ctl_print *p, json_t *json, const struct ctl_value *values)
{
	if (json && (p->format == CTL_JSON || p->format == CTL_JSON_LINES)) {
		json_object_out(p, json);
		p->rows++;
		return !ferror(p->to);
	}
	json_decref(json);
	return ctl_print_row(p, values);
}

bool
ctl_print_row(struct ctl_print *p, const struct ctl_value *values)
{
	switch (p->format) {
	case CTL_JSON:
	case CTL_JSON_LINES: json_row(p, values); break;
	case CTL_CSV:
		if (p->rows == 0)
			csv_row(p, NULL);
		csv_row(p, values);
		break;
	case CTL_TABLE: ctl_table_row(p, values); break;
	}
	p->rows++;
	return !ferror(p->to);
}

void
ctl_print_flush(struct ctl_print *p)
{
	if (p->format == CTL_TABLE)
		ctl_table_settle(p);
	fflush(p->to);
}

uint64_t
ctl_print_end(struct ctl_print *p)
{
	uint64_t rows = p->rows;

	if (p->format == CTL_TABLE && rows > 0)
		ctl_table_settle(p);
	if (p->format == CTL_JSON)
		fputs(rows == 0 ? "[]\n" : "\n]\n", p->to);
	if (p->format == CTL_CSV && rows == 0)
		csv_row(p, NULL);
	ctl_table_free(p);
	free(p);
	return rows;
}
