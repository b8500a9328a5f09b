/* SPDX-License-Identifier: Apache-2.0 */
/* Options that several verbs take, and messages. */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "ctl/cli.h"
#include "ctl/packs.h"
#include "ctl/proto/filter.h"
#include "ctl/proto/json.h"
#include "signatures/base/yaml.h"
#include "signatures/pack.h"

void
ctl_common_init(struct ctl_common *c, const struct ctl_verb *verb)
{
	*c = (struct ctl_common){ .verb = verb, .now_us = ctl_now_us() };
}

/* The name among enum values 1..n-1, or a complaint that names the nearest. */
static int
take_word(struct ctl_common *c, const char *what, const char *value, int parsed, const char *names)
{
	if (parsed > 0)
		return parsed;
	ctl_usage(c->verb, "unknown %s %s: one of %s", what, value, names);
	return -1;
}

static bool
take_time(struct ctl_common *c, const char *option, const char *value, uint64_t *ret)
{
	if (ctl_when(value, c->now_us, ret) == 0)
		return true;
	ctl_usage(c->verb,
	    "--%s %s: want 30d, 12h, 90m, a date 2026-11-01 or a time 2026-11-01T08:00", option,
	    value);
	return false;
}

static bool
take_limit(struct ctl_common *c, const char *value)
{
	char *end;

	errno = 0;
	c->filter.limit = strtoull(value, &end, 10);
	if (*value >= '0' && *value <= '9' && *end == '\0' && errno == 0)
		return true;
	ctl_usage(c->verb, "--limit %s: want a number", value);
	return false;
}

static bool
take_categories(struct ctl_common *c, const char *value)
{
	c->filter.category = value;
	for (const char *p = value;; p++) {
		size_t n = strcspn(p, ",");
		unsigned i = 0;

		while (i < pack_categories_count && (strlen(pack_categories[i]) != n ||
							strncasecmp(pack_categories[i], p, n) != 0))
			i++;
		if (i == pack_categories_count) {
			char one[32];
			snprintf(one, sizeof(one), "%.*s", (int)n, p);
			const char *near = sig_nearest(one, pack_categories, pack_categories_count);
			ctl_usage(c->verb,
			    near ? "unknown category %s: did you mean %s?" : "unknown category %s",
			    one, near);
			return false;
		}
		p += n;
		if (*p == '\0')
			return true;
	}
}

/* "US,IL": a filter that can match nothing is a slip of the hand, not an empty answer. */
static bool
take_countries(struct ctl_common *c, const char *value)
{
	const char *p = value;

	while (isalpha((unsigned char)p[0]) && isalpha((unsigned char)p[1]) && p[2] == ',')
		p += 3;
	c->filter.country = value;
	if (isalpha((unsigned char)p[0]) && isalpha((unsigned char)p[1]) && p[2] == '\0')
		return true;
	ctl_usage(c->verb, "--country %s: want two letters each (ISO 3166): US,IL", value);
	return false;
}

/* A time of the span, whose ends must not have crossed. */
static bool
take_span(struct ctl_common *c, const char *option, const char *value, uint64_t *ret)
{
	const struct store_filter *f = &c->filter;

	if (!take_time(c, option, value, ret))
		return false;
	if (*ret == 0) /* stands for no time: 100y is one */
		*ret = 1;
	if (!f->since_us || !f->until_us || f->since_us <= f->until_us)
		return true;
	ctl_usage(c->verb, "--%s %s: the span ends before it begins", option, value);
	return false;
}

static bool
take_name(struct ctl_common *c, const char *option, const char *value, const char **ret)
{
	*ret = value;
	if (*value)
		return true;
	ctl_usage(c->verb, "--%s needs a name", option);
	return false;
}

static bool
take_filter(struct ctl_common *c, int id, const char *value, bool *ret_ok)
{
	struct store_filter *f = &c->filter;

	switch (id) {
	case CTL_O_VENDOR: *ret_ok = take_name(c, "vendor", value, &f->vendor); return true;
	case CTL_O_PRODUCT: *ret_ok = take_name(c, "product", value, &f->product); return true;
	case CTL_O_COUNTRY: *ret_ok = take_countries(c, value); return true;
	case CTL_O_CATEGORY: *ret_ok = take_categories(c, value); return true;
	case CTL_O_FORWARDERS: f->forwarders = true; return true;
	case CTL_O_LIMIT: *ret_ok = take_limit(c, value); return true;
	case CTL_O_SINCE: *ret_ok = take_span(c, "since", value, &f->since_us); return true;
	case CTL_O_UNTIL: *ret_ok = take_span(c, "until", value, &f->until_us); return true;
	case CTL_O_FUNCTION:
		f->function = take_word(c, "function", value, sig_function_parse(value),
		    "update, telemetry, cloud-lookup, management, licensing, crash-report, tunnel, "
		    "portal, mixed");
		*ret_ok = f->function > 0;
		return true;
	case CTL_O_CONFIDENCE:
		f->min_confidence = take_word(c, "confidence", value, sig_confidence_parse(value),
		    "guess, inferred, strong, certain");
		*ret_ok = f->min_confidence > 0;
		return true;
	case CTL_O_HOST:
		f->host = value;
		*ret_ok = proto_host_ok(value);
		if (!*ret_ok)
			ctl_usage(c->verb,
			    "--host %s: want an address or a network such as 10.1.0.0/16", value);
		return true;
	default: return false;
	}
}

bool
ctl_common_take(struct ctl_common *c, int id, const char *value, int *ret_exit)
{
	bool ok = true;

	switch (id) {
	case CTL_O_JSON:
	case CTL_O_CSV:
		ok = c->format == CTL_TABLE || c->format == (id == CTL_O_CSV ? CTL_CSV : CTL_JSON);
		c->format = id == CTL_O_CSV ? CTL_CSV : CTL_JSON;
		if (!ok)
			*ret_exit = ctl_usage(c->verb, "--json or --csv: one of them");
		return true;
	case CTL_O_STORE: c->store = value; return true;
	case CTL_O_SOCKET: c->socket = value; return true;
	case CTL_O_PASSWORD_FILE: c->password_file = value; return true;
	case CTL_O_POLICY: c->policy = value; return true;
	case CTL_O_PACKS: c->packs = value; return true;
	case CTL_O_SENSOR: c->filter.sensor = value; return true;
	case CTL_O_ALL_SENSORS:
		c->all_sensors = true;
		c->filter.sensor = "*";
		return true;
	default: break;
	}
	if (!take_filter(c, id, value, &ok))
		return false;
	if (!ok)
		*ret_exit = CTL_USAGE;
	return true;
}

struct words {
	const struct ctl_verb *verb;
	const char **at;
	unsigned n, max;
};

static int
take_argument(void *ctx, int id, const char *value)
{
	struct words *w = ctx;

	(void)id;
	if (w->n >= w->max)
		return ctl_usage(w->verb, "what is \"%s\" here? usage: phonehome %s %s", value,
		    w->verb->name, w->verb->usage);
	w->at[w->n++] = value;
	return -1;
}

int
ctl_common_args(struct ctl_common *c, int argc, char **argv, const char **ret_args, unsigned max,
    unsigned *ret_n)
{
	struct words w = { .verb = c->verb, .at = ret_args, .max = max };
	int code = ctl_args_read(c, argc, argv, take_argument, &w);

	if (code < 0 && ret_n)
		*ret_n = w.n;
	return code;
}

/* One line, whatever bytes the arguments held. */
static void
say(const char *prefix, const char *fmt, va_list ap)
{
	char text[2048];

	vsnprintf(text, sizeof(text), fmt, ap);
	char *clean = proto_printable(text);
	fprintf(stderr, "phonehome%s: %s\n", prefix, clean ? clean : "out of memory");
	free(clean);
}

void
ctl_error(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
}

void
ctl_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
}

int
ctl_usage(const struct ctl_verb *verb, const char *fmt, ...)
{
	char prefix[80];
	char with_hint[2048];
	va_list ap;

	snprintf(prefix, sizeof(prefix), " %s", verb->name);
	snprintf(with_hint, sizeof(with_hint), "%s (see phonehome %s --help)", fmt, verb->name);
	va_start(ap, fmt);
	say(prefix, with_hint, ap);
	va_end(ap);
	return CTL_USAGE;
}

void
ctl_nothing(const struct ctl_common *c, const char *where)
{
	ctl_note("%s: nothing that matches", where);
	ctl_note_unknown(c->packs, c->filter.vendor, false);
	ctl_note_unknown(c->packs, c->filter.product, false);
}

bool
ctl_reader_gone(void)
{
	struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLERR);
}

int
ctl_finish(int code)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	/* An earlier write may have met the error and lost its errno. */
	if (errno == EPIPE || ctl_reader_gone())
		return code;
	ctl_error("cannot write the output: %s",
	    errno ? strerror(errno) : "No space left, or an I/O error");
	return CTL_FAILED;
}

int
ctl_diag(const struct sig_diag *diag, int code)
{
	fflush(stdout);
	sig_diag_print(diag, stderr);
	return code;
}
