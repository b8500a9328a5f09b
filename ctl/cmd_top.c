/* SPDX-License-Identifier: Apache-2.0 */
/*
 * phonehome top: products and hosts by rate, verdicts, worker load and losses, live.
 *
 * Asks the daemon for its status and rows once a second and shows the difference; what is gathered
 * lies in top_model.c, this file draws and takes keys. Text from the network reaches the screen
 * only escaped.
 */
#include <ctype.h>
#include <curses.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/print.h"
#include "ctl/top.h"
#include "ctl/verbs.h"

enum { O_ONCE = 1, O_EVERY };

static const struct ctl_opt opts[] = {
	{ "every", 'e', "SECONDS", O_EVERY, "how often to ask (default 1)" },
	{ "once", 0, NULL, O_ONCE, "one picture as text after one interval, no screen" },
	CTL_OPT_JSON,
	CTL_OPT_CSV,
	CTL_OPT_SOCKET,
	CTL_OPTS_FILTER,
	CTL_OPT_FORWARDERS,
	CTL_OPT_HELP,
	{ 0 },
};

struct screen {
	struct ctl_common common;
	struct top_model model;
	unsigned every_s;
	bool once, typing, help;
	char typed[64];
};

/* In at most `width` columns; the text may hold the packs' own script, which takes more bytes. */
static void
put(int y, int x, int width, const char *text)
{
	char cut[2048];
	int room = width < COLS - x ? width : COLS - x;

	if (y >= LINES || room <= 0)
		return;
	ctl_cell(cut, sizeof(cut), text, (unsigned)room, false);
	mvaddstr(y, x, cut);
}

/* A bar such as |||||      of `width` cells for 0..100 percent. */
static void
bar(int y, int x, int width, double percent)
{
	int full = (int)(percent * width / 100 + 0.5);

	for (int i = 0; i < width && x + i < COLS; i++)
		mvaddch(y, x + i, i < full ? '|' : ' ');
}

static int
draw_head(const struct screen *s)
{
	const struct top_model *m = &s->model;
	char line[512];
	int y = 0;

	attron(A_BOLD);
	snprintf(line, sizeof(line), "phonehome top  %s  %s  %s%s  up %s%s", m->sensor, m->mode,
	    m->bypass ? "BYPASS " : "", m->ready ? "ready" : "not ready", m->uptime,
	    m->paused ? "  PAUSED (space goes on)" : "");
	put(y++, 0, COLS, line);
	attroff(A_BOLD);
	int n = snprintf(line, sizeof(line),
	    "packets %s/s  flows now %llu  new %s/s  matched %s/s  inspecting %llu", m->packets_s,
	    (unsigned long long)m->flows_now, m->new_s, m->matched_s,
	    (unsigned long long)m->inspecting_now);
	if (m->left_out != 0)
		snprintf(line + n, sizeof(line) - (size_t)n,
		    "  NOT SHOWN: %llu rows, the list is full", (unsigned long long)m->left_out);
	put(y++, 0, COLS, line);
	snprintf(line, sizeof(line), "verdicts/s: %s", m->verdicts);
	put(y++, 0, COLS, line);
	snprintf(line, sizeof(line), "losses: %s", m->losses[0] ? m->losses : "none");
	if (m->losses[0] && has_colors())
		attron(COLOR_PAIR(1));
	put(y++, 0, COLS, line);
	if (m->losses[0] && has_colors())
		attroff(COLOR_PAIR(1));
	for (unsigned i = 0; i < m->n_workers && i < 8 && y < LINES - 4; i++, y++) {
		snprintf(line, sizeof(line), "worker %-2u %3.0f %% [", i, m->busy[i]);
		put(y, 0, 24, line);
		bar(y, (int)strlen(line), 40, m->busy[i]);
		put(y, (int)strlen(line) + 40, 1, "]");
	}
	return y;
}

/* Widths of the list: the name takes what the numbers leave; vendors only where there is room. */
enum { NUMBERS = 49, VENDOR = 18, NAME_MIN = 12, NAME_MOST = 48, ROOM_FOR_VENDOR = 96 };

static void
names_of(const char *name, const char *country, const char *vendor, bool by_host, char line[512])
{
	bool vendors = !by_host && COLS >= ROOM_FOR_VENDOR;
	int room = COLS - NUMBERS - (by_host ? 0 : 3) - (vendors ? VENDOR + 1 : 0);
	unsigned width = room < NAME_MIN ? NAME_MIN : room > NAME_MOST ? NAME_MOST : (unsigned)room;

	ctl_cell(line, 512, name, width, true);
	if (!by_host) {
		size_t n = strlen(line);
		n += (size_t)snprintf(line + n, 512 - n, " %-2.2s", country);
		if (vendors) {
			line[n++] = ' ';
			ctl_cell(line + n, 512 - n, vendor, VENDOR, true);
		}
	}
}

/* The column sorted by wears a star. */
static void
draw_titles(const struct top_model *m, int y)
{
	char line[1024];
	size_t n;

	names_of(m->by_host ? (m->sort == TOP_BY_NAME ? "HOST*" : "HOST")
			    : (m->sort == TOP_BY_NAME ? "PRODUCT*" : "PRODUCT"),
	    "CC", "VENDOR", m->by_host, line);
	n = strlen(line);
	snprintf(line + n, sizeof(line) - n, " %10s %10s %8s %7s %8s",
	    m->sort == TOP_BY_BYTES ? "BYTES/S*" : "BYTES/S",
	    m->sort == TOP_BY_TOTAL ? "BYTES*" : "BYTES",
	    m->sort == TOP_BY_FLOWS ? "FLOWS/S*" : "FLOWS/S", "FLOWS",
	    m->by_host ? "PRODUCTS" : "HOSTS");
	attron(A_REVERSE);
	put(y, 0, COLS, line);
	attroff(A_REVERSE);
}

static void
draw_help(void)
{
	static const char *const lines[] = { "phonehome top: keys", "",
		"p  products          h  hosts", "b  sort by bytes/s   f  by flows/s",
		"t  by total bytes    n  by name",
		"/  show only names or vendors with a text; empty shows all",
		"space  pause, and go on", "q  quit", "",
		"Losses are counts since the daemon began; a bold line moves just now.",
		"Any key goes back." };

	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		put((int)i, 0, COLS, lines[i]);
}

static void
draw_list(const struct screen *s, int y)
{
	const struct top_model *m = &s->model;
	char line[1024], rate[CTL_HUMAN_MAX], bytes[CTL_HUMAN_MAX], flows[CTL_HUMAN_MAX];

	draw_titles(m, y++);
	if (m->n_lines == 0)
		put(y, 0, COLS,
		    m->filter[0] ? "nothing of that name: / and Enter shows all"
				 : "no product was seen yet");
	for (unsigned i = 0; i < m->n_lines && y < LINES - 1; i++, y++) {
		const struct top_line *l = &m->lines[i];
		char *name = ctl_fact_shown(l->name), *vendor = ctl_fact_shown(l->vendor);
		names_of(name ? name : "?", l->country, vendor ? vendor : "?", m->by_host, line);
		free(name);
		free(vendor);
		size_t n = strlen(line);
		snprintf(line + n, sizeof(line) - n, " %10s %10s %8.1f %7s %8u",
		    ctl_human_bytes((uint64_t)l->bytes_s, rate), ctl_human_bytes(l->bytes, bytes),
		    l->flows_s, ctl_human_count(l->flows, flows), l->others);
		if (l->bytes_s > 0 || l->flows_s > 0)
			attron(A_BOLD);
		put(y, 0, COLS, line);
		attroff(A_BOLD);
	}
}

static void
draw(const struct screen *s)
{
	static const char keys[] = "q quit  ? help  p products  h hosts  b f t n sort  / filter  "
				   "space pause";
	char line[256];

	erase();
	if (s->help) {
		draw_help();
	} else if (s->model.error[0]) {
		put(0, 0, COLS, s->model.error);
		put(2, 0, COLS, "trying again; q quits");
	} else {
		draw_list(s, draw_head(s));
	}
	snprintf(line, sizeof(line), "%s%s",
	    s->typing		 ? "filter: "
	    : s->model.filter[0] ? "filter /"
				 : "",
	    s->typing ? s->typed : s->model.filter);
	if (s->typing || s->model.filter[0])
		snprintf(line + strlen(line), sizeof(line) - strlen(line),
		    "   (Enter takes, empty clears)");
	put(LINES - 1, 0, COLS, s->typing || s->model.filter[0] ? line : keys);
	refresh();
}

/* False: quit. */
static bool
key(struct screen *s, int ch)
{
	size_t n = strlen(s->typed);

	if (s->typing) {
		if (ch == '\n' || ch == KEY_ENTER) {
			snprintf(s->model.filter, sizeof(s->model.filter), "%s", s->typed);
			s->typing = false;
		} else if ((ch == KEY_BACKSPACE || ch == 127 || ch == 8) && n > 0) {
			s->typed[n - 1] = '\0';
		} else if (ch == 27) {
			s->typing = false;
		} else if (ch >= 0x20 && ch < 0x7f && n + 1 < sizeof(s->typed)) {
			s->typed[n] = (char)ch;
			s->typed[n + 1] = '\0';
		}
		top_sort(&s->model);
		return true;
	}
	if (s->help) {
		s->help = ch == KEY_RESIZE;
		return true;
	}
	switch (ch) {
	case 'q':
	case 'Q': return false;
	case 'p': s->model.by_host = false; break;
	case 'h': s->model.by_host = true; break;
	case 'b': s->model.sort = TOP_BY_BYTES; break;
	case 'f': s->model.sort = TOP_BY_FLOWS; break;
	case 't': s->model.sort = TOP_BY_TOTAL; break;
	case 'n': s->model.sort = TOP_BY_NAME; break;
	case ' ': s->model.paused = !s->model.paused; break;
	case '?': s->help = true; break;
	case '/':
		s->typing = true;
		s->typed[0] = '\0';
		break;
	default: break;
	}
	top_sort(&s->model);
	return true;
}

static void
live(struct screen *s)
{
	uint64_t next = 0;
	int ch = ERR;

	initscr();
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	if (has_colors() && ctl_colours(stdout)) {
		start_color();
		use_default_colors();
		init_pair(1, COLOR_RED, -1);
	}
	do {
		uint64_t now = ctl_steady_us();
		if (now >= next) {
			if (!s->model.paused)
				top_update(&s->model, &s->common);
			next = now + s->every_s * 1000000ULL;
		}
		draw(s);
		timeout(200);
		ch = getch();
	} while (ch == ERR || key(s, ch));
	endwin();
}

static const struct ctl_column once_columns[] = {
	{ "product", "PRODUCT", 8, 0 },
	{ "country", "CC", 0, 0 },
	{ "vendor", "VENDOR", 8, 1 },
	{ "bytes_per_s", "BYTES/S", 0, 0 },
	{ "bytes", "BYTES", 0, 0 },
	{ "flows_per_s", "FLOWS/S", 0, 0 },
	{ "flows", "FLOWS", 0, 0 },
	{ "hosts", "HOSTS", 0, 0 },
	{ 0 },
};

static void
print_lines(const struct screen *s)
{
	struct ctl_print *p = ctl_print_new(stdout, s->common.format, once_columns);

	for (unsigned i = 0; i < s->model.n_lines; i++) {
		const struct top_line *l = &s->model.lines[i];
		struct ctl_value v[] = {
			ctl_fact(l->name),
			ctl_text(l->country),
			ctl_fact(l->vendor),
			ctl_number(CTL_K_BYTES, (uint64_t)l->bytes_s),
			ctl_number(CTL_K_BYTES, l->bytes),
			{ .kind = CTL_K_REAL, .d = l->flows_s },
			ctl_number(CTL_K_UINT, l->flows),
			ctl_number(CTL_K_UINT, l->others),
		};
		ctl_print_row(p, v);
	}
	ctl_print_end(p);
}

static int
once(struct screen *s)
{
	struct top_model *m = &s->model;

	top_update(m, &s->common);
	if (m->error[0] == '\0') {
		sleep(s->every_s);
		top_update(m, &s->common);
	}
	if (m->error[0]) {
		ctl_error("%s", m->error);
		return CTL_FAILED;
	}
	if (s->common.format == CTL_TABLE)
		printf("sensor %s, mode %s%s, up %s\n"
		       "packets %s/s, flows now %llu, verdicts/s: %s\nlosses: %s\n\n",
		    m->sensor, m->mode, m->bypass ? ", BYPASS" : "", m->uptime, m->packets_s,
		    (unsigned long long)m->flows_now, m->verdicts,
		    m->losses[0] ? m->losses : "none");
	print_lines(s);
	return ctl_finish(CTL_OK);
}

static int
take_option(void *ctx, int id, const char *value)
{
	struct screen *s = ctx;
	char *end;

	switch (id) {
	case O_ONCE: s->once = true; return -1;
	case O_EVERY:
		s->every_s = (unsigned)strtoul(value, &end, 10);
		if (!*end && s->every_s >= 1 && s->every_s <= 3600)
			return -1;
		return ctl_usage(s->common.verb, "--every %s: want 1 to 3600 seconds", value);
	default: return ctl_usage(s->common.verb, "what is \"%s\"?", value);
	}
}

static int
run(int argc, char **argv)
{
	static struct screen s = { .every_s = 1 };
	struct proto_client *daemon;

	ctl_common_init(&s.common, &ctl_verb_top);
	int code = ctl_args_read(&s.common, argc, argv, take_option, &s);
	if (code >= 0)
		return code;
	if (!s.once && s.common.format != CTL_TABLE)
		return ctl_usage(s.common.verb, "--json and --csv want --once");
	if (!s.once && (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO) || !getenv("TERM"))) {
		ctl_error("top needs a terminal; --once prints one picture");
		return CTL_FAILED;
	}
	/* The first connection says plainly what is wrong; later ones are tried again on the
	 * screen. */
	code = ctl_daemon_open(&s.common, &daemon);
	if (code != CTL_OK)
		return code;
	proto_client_close(daemon);
	if (s.once)
		code = once(&s);
	else
		live(&s);
	top_free(&s.model);
	return code;
}

const struct ctl_verb ctl_verb_top = {
	.name = "top",
	.group = "look",
	.usage = "[FILTER...] [--every SECONDS] [--once [--json|--csv]]",
	.summary = "live: products and hosts by rate, verdicts, worker load, losses",
	.about = "Keys: p products, h hosts; sort by b bytes/s, f flows/s, t total, n name; / "
		 "filter; space pause;\n"
		 "? help; q quit.",
	.examples =
	    "phonehome top\nphonehome top --country US\nphonehome top --once --every 5 --json",
	.opts = opts,
	.run = run,
};
