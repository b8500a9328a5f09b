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
#include <locale.h>
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

static void
put(int y, int x, int width, const char *text)
{
	if (y < LINES && x < COLS)
		mvaddnstr(y, x, text, width < COLS - x ? width : COLS - x);
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
	snprintf(line, sizeof(line),
	    "packets %s/s  flows now %llu  new %s/s  matched %s/s  inspecting %llu", m->packets_s,
	    (unsigned long long)m->flows_now, m->new_s, m->matched_s,
	    (unsigned long long)m->inspecting_now);
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

/* The column sorted by wears a star. */
static void
draw_titles(const struct top_model *m, int y)
{
	char line[512];

	snprintf(line, sizeof(line), "%-40s %3s %-14s %10s %10s %8s %8s %-8s",
	    m->by_host ? (m->sort == TOP_BY_NAME ? "HOST*" : "HOST")
		       : (m->sort == TOP_BY_NAME ? "PRODUCT*" : "PRODUCT"),
	    m->by_host ? "" : "CC", m->by_host ? "" : "VENDOR",
	    m->sort == TOP_BY_BYTES ? "BYTES/S*" : "BYTES/S",
	    m->sort == TOP_BY_TOTAL ? "BYTES*" : "BYTES",
	    m->sort == TOP_BY_FLOWS ? "FLOWS/S*" : "FLOWS/S", "FLOWS",
	    m->by_host ? "PRODUCTS" : "HOSTS");
	snprintf(line + strlen(line), sizeof(line) - strlen(line), "%*s", COLS, "");
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
	char line[512], rate[CTL_HUMAN_MAX], bytes[CTL_HUMAN_MAX], flows[CTL_HUMAN_MAX];

	draw_titles(m, y++);
	if (m->n_lines == 0)
		put(y, 0, COLS,
		    m->filter[0] ? "nothing of that name: / and Enter shows all"
				 : "no product was seen yet");
	for (unsigned i = 0; i < m->n_lines && y < LINES - 1; i++, y++) {
		const struct top_line *l = &m->lines[i];
		snprintf(line, sizeof(line), "%-40.40s %3.3s %-14.14s %10s %10s %8.1f %8s %-8u",
		    l->name, l->country, l->vendor, ctl_human_bytes((uint64_t)l->bytes_s, rate),
		    ctl_human_bytes(l->bytes, bytes), l->flows_s, ctl_human_count(l->flows, flows),
		    l->others);
		if (l->bytes_s > 0 || l->flows_s > 0)
			attron(A_BOLD);
		put(y, 0, COLS, line);
		attroff(A_BOLD);
	}
}

static void
draw(const struct screen *s)
{
	static const char keys[] =
	    "q quit  p products  h hosts  b by bytes  f by flows  t total  n name  "
	    "/ filter  space pause  ? help";
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

	setlocale(LC_ALL, "");
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
		uint64_t now = ctl_now_us();
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

static int
once(struct screen *s)
{
	struct top_model *m = &s->model;
	char rate[CTL_HUMAN_MAX], bytes[CTL_HUMAN_MAX];

	top_update(m, &s->common);
	if (m->error[0] == '\0') {
		sleep(s->every_s);
		top_update(m, &s->common);
	}
	if (m->error[0]) {
		ctl_error("%s", m->error);
		return CTL_FAILED;
	}
	printf("%s %s%s, packets %s/s, flows now %llu, verdicts/s: %s, losses: %s\n", m->sensor,
	    m->mode, m->bypass ? " BYPASS" : "", m->packets_s, (unsigned long long)m->flows_now,
	    m->verdicts, m->losses[0] ? m->losses : "none");
	for (unsigned i = 0; i < m->n_lines; i++)
		printf("%-40s %-3s %-14s %10s/s %10s %8.1f/s %u\n", m->lines[i].name,
		    m->lines[i].country, m->lines[i].vendor,
		    ctl_human_bytes((uint64_t)m->lines[i].bytes_s, rate),
		    ctl_human_bytes(m->lines[i].bytes, bytes), m->lines[i].flows_s,
		    m->lines[i].others);
	return ctl_finish(CTL_OK);
}

static int
read_args(struct screen *s, int argc, char **argv)
{
	struct ctl_args a;
	const char *value;
	char *end;
	int id, code = -1;

	ctl_args_init(&a, s->common.verb, argc, argv);
	while (code < 0 && (id = ctl_args_next(&a, &value)) != CTL_END) {
		switch (id) {
		case CTL_BAD: return CTL_USAGE;
		case CTL_HELPED: return ctl_finish(CTL_OK);
		case CTL_POSITIONAL: return ctl_usage(s->common.verb, "what is \"%s\"?", value);
		case O_ONCE: s->once = true; break;
		case O_EVERY:
			s->every_s = (unsigned)strtoul(value, &end, 10);
			if (*end || s->every_s < 1 || s->every_s > 3600)
				return ctl_usage(
				    s->common.verb, "--every %s: want 1 to 3600 seconds", value);
			break;
		default: ctl_common_take(&s->common, id, value, &code);
		}
	}
	return code;
}

static int
run(int argc, char **argv)
{
	static struct screen s = { .every_s = 1 };
	struct proto_client *daemon;

	ctl_common_init(&s.common, &ctl_verb_top);
	int code = read_args(&s, argc, argv);
	if (code >= 0)
		return code;
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
	.usage = "[FILTER...] [--every SECONDS]",
	.summary = "live: products and hosts by rate, verdicts, worker load, losses",
	.about = "Keys: p products, h hosts; sort by b bytes/s, f flows/s, t total, n name; / "
		 "filter; space pause;\n"
		 "? help; q quit.",
	.examples = "phonehome top\nphonehome top --country US\nphonehome top --once --every 5",
	.opts = opts,
	.run = run,
};
