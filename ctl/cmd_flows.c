/* SPDX-License-Identifier: Apache-2.0 */
/* phonehome flows: recent flow records. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "ctl/rows.h"
#include "ctl/source.h"
#include "ctl/verbs.h"

enum flows_opt { O_FOLLOW = 1, O_LAST, O_NAME, O_VERDICT, O_MATCHED };
enum { LAST_MAX = 100000 };

static const struct ctl_opt opts[] = {
	{ "follow", 'F', NULL, O_FOLLOW, "go on with new ones as they come; end with Ctrl-C" },
	{ "last", 'l', "N", O_LAST, "begin with the newest N only" },
	{ "name", 0, "TEXT", O_NAME, "only flows with this in a host name" },
	{ "verdict", 0, "WORD", O_VERDICT, "only: pass, drop, reset, would-drop, would-reset" },
	{ "matched", 'm', NULL, O_MATCHED, "only flows that a signature knows" },
	CTL_OPTS_FILTER,
	CTL_OPT_LIMIT,
	CTL_OPTS_SOURCE,
	CTL_OPT_JSON,
	CTL_OPT_CSV,
	CTL_OPT_HELP,
	{ 0 },
};

struct flows {
	struct ctl_common common;
	struct ctl_print *print;
	const char *name;
	int verdict; /* -1 any */
	bool follow, matched, closed, sensors;
	uint64_t limit, shown;

	/* --last: a ring of the newest, until the source has no more; each on the heap */
	struct kept {
		struct clf_event *event;
		char *sensor;
	} * ring;
	unsigned last, n_ring, oldest;
};

/* A name is the same however a person spells it. */
static bool
text_has(const uint8_t *text, size_t len, const char *want, size_t want_len)
{
	for (size_t at = 0; at + want_len <= len; at++)
		if (strncasecmp((const char *)text + at, want, want_len) == 0)
			return true;
	return false;
}

static bool
has_name(const struct clf_event *e, const char *want)
{
	size_t len = strlen(want);

	for (unsigned i = 0; i <= e->n_names && i <= CLF_NAMES_MAX; i++) {
		struct clf_str s = i < e->n_names ? e->names[i] : e->name;
		if (text_has(clf_event_str(e, s), s.len, want, len))
			return true;
	}
	return false;
}

static bool
show(struct flows *f, const struct clf_event *e, const char *sensor)
{
	if (!ctl_print_flow(f->print, e, f->sensors ? sensor : NULL)) {
		f->closed = true;
		return false;
	}
	if (f->limit && ++f->shown >= f->limit)
		f->closed = true;
	return !f->closed;
}

/* Into the ring, in the oldest's place once it is full. */
static bool
keep(struct flows *f, const struct clf_event *e, const char *sensor)
{
	unsigned at = f->n_ring < f->last ? f->n_ring++ : f->oldest;
	struct kept *k = &f->ring[at];

	if (at == f->oldest && f->n_ring == f->last && k->event)
		f->oldest = (f->oldest + 1) % f->last;
	free(k->event);
	free(k->sensor);
	k->event = malloc(e->size);
	k->sensor = sensor ? strdup(sensor) : NULL;
	if (k->event)
		memcpy(k->event, e, e->size);
	return k->event != NULL;
}

/* What was kept goes out; from here on records are shown as they come. */
static void
show_kept(struct flows *f)
{
	for (unsigned i = 0; i < f->n_ring; i++) {
		struct kept *k = &f->ring[(f->oldest + i) % f->last];

		if (k->event && !f->closed)
			show(f, k->event, k->sensor);
		free(k->event);
		free(k->sensor);
	}
	free(f->ring);
	f->ring = NULL;
}

static bool
on_record(void *ctx, const struct clf_event *e, const char *sensor)
{
	struct flows *f = ctx;

	if ((f->verdict >= 0 && e->verdict != f->verdict) ||
	    (f->matched && e->signature.len == 0) || (f->name && !has_name(e, f->name)))
		return true;
	return f->ring ? keep(f, e, sensor) : show(f, e, sensor);
}

/* Records that never came are no records: told beside the stream, in every format. */
static void
on_gap(void *ctx, const char *sensor, uint64_t at_us, uint64_t lost)
{
	struct flows *f = ctx;
	char when[CTL_HUMAN_MAX];

	ctl_print_flush(f->print);
	ctl_note("%llu flow records of %s%s are missing here: they found no room while the store "
		 "was away "
		 "(until %s)",
	    (unsigned long long)lost, sensor && *sensor ? "sensor " : "this sensor",
	    sensor ? sensor : "", at_us ? ctl_human_time(at_us, when) : "some time ago");
}

static int
take_verdict(struct flows *f, const char *value)
{
	for (int v = CLF_PASS; v <= CLF_WOULD_RESET; v++)
		if (strcmp(clf_verdict_name(v), value) == 0) {
			f->verdict = v;
			return -1;
		}
	return ctl_usage(f->common.verb,
	    "--verdict %s: one of pass, drop, reset, would-drop, would-reset", value);
}

static int
take_last(struct flows *f, const char *value)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (*value < '0' || *value > '9' || *end || n == 0 || n > LAST_MAX)
		return ctl_usage(f->common.verb, "--last %s: want 1 to %d", value, LAST_MAX);
	f->last = (unsigned)n;
	return -1;
}

static int
take_option(void *ctx, int id, const char *value)
{
	struct flows *f = ctx;

	switch (id) {
	case O_FOLLOW: f->follow = true; return -1;
	case O_MATCHED: f->matched = true; return -1;
	case O_LAST: return take_last(f, value);
	case O_NAME: f->name = value; return -1;
	case O_VERDICT: return take_verdict(f, value);
	default:
		return ctl_usage(f->common.verb,
		    "what is \"%s\"? filters are options: --name, --vendor, --host ...", value);
	}
}

static int
run(int argc, char **argv)
{
	struct flows f = { .verdict = -1 };
	struct ctl_source *source;
	char cursor[64] = "";
	int code;

	ctl_common_init(&f.common, &ctl_verb_flows);
	code = ctl_args_read(&f.common, argc, argv, take_option, &f);
	if (code >= 0)
		return code;
	code = ctl_source_open(&f.common, CTL_WANT_ANY, &source);
	if (code != CTL_OK)
		return code;
	f.limit = f.common.filter.limit;
	f.common.filter.limit = 0;
	f.common.filter.on_gap = on_gap;
	f.sensors = f.common.all_sensors || f.common.filter.sensor;
	if (f.common.format == CTL_JSON)
		f.common.format = CTL_JSON_LINES; /* a stream: one object a line */
	f.print = ctl_print_new(stdout, f.common.format, ctl_flow_columns(f.sensors));
	if (f.last > 0 && !(f.ring = calloc(f.last, sizeof(*f.ring)))) {
		ctl_error("out of memory");
		return CTL_FAILED;
	}
	do {
		code = ctl_source_records(source, &f.common.filter, cursor, on_record, &f);
		if (f.ring)
			show_kept(&f);
		if (!f.follow || f.closed || code != CTL_OK)
			break;
		ctl_print_flush(f.print);
		if (ferror(stdout) || ctl_reader_gone())
			break;
		usleep(300 * 1000);
	} while (true);
	if (ctl_print_end(f.print) == 0 && code == CTL_OK && f.common.format == CTL_TABLE)
		ctl_nothing(&f.common, ctl_source_name(source));
	ctl_source_close(source);
	return ctl_finish(code);
}

const struct ctl_verb ctl_verb_flows = {
	.name = "flows",
	.group = "look",
	.usage = "[FILTER...] [--last N] [--follow] [--json|--csv]",
	.summary = "recent flow records, with evidence and verdict",
	.about = "What the daemon (or the store) holds of single flows, oldest first; --last 20 "
		 "gives the newest, in the same order. With --json one object a line, as `scan "
		 "--flows --json` gives them.",
	.examples = "phonehome flows --matched --last 20 --follow\n"
		    "phonehome flows --host 10.1.2.3 --since 1h\n"
		    "phonehome flows --verdict would-drop --since 1d --csv\n"
		    "phonehome flows --name cloudsink --json | jq .evidence",
	.opts = opts,
	.run = run,
};
