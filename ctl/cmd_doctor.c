/* SPDX-License-Identifier: Apache-2.0 */
/* phonehome doctor: is this machine fit, and what mends it. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/doctor.h"
#include "ctl/print.h"
#include "ctl/proto/json.h"
#include "ctl/verbs.h"

static const struct {
	const char *name;
	doctor_fn *fn;
} checks[] = {
	{ "config", doctor_config },
	{ "permissions", doctor_permissions },
	{ "hugepages", doctor_hugepages },
	{ "iommu", doctor_iommu },
	{ "drivers", doctor_drivers },
	{ "mtu", doctor_mtu },
	{ "offloads", doctor_offloads },
	{ "rss", doctor_rss },
	{ "numa", doctor_numa },
	{ "cores", doctor_isolation },
	{ "frequency", doctor_governor },
	{ "clock", doctor_clock },
	{ "packs", doctor_packs },
	{ "daemon", doctor_daemon },
	{ "store", doctor_store },
};

enum { O_CONFIG = 1 };

static const struct ctl_opt opts[] = {
	{ "config", 'c', "FILE", O_CONFIG,
	    "the daemon's config (default: /etc/phonehome/phonehomed.yaml, where it is)" },
	CTL_OPT_SOCKET,
	{ "store", 's', "URL", CTL_O_STORE, "the store to reach (default: the config's)" },
	{ "password-file", 0, "FILE", CTL_O_PASSWORD_FILE, "the store's password (mode 0600)" },
	CTL_OPT_PACKS,
	CTL_OPT_JSON,
	CTL_OPT_HELP,
	{ 0 },
};

static const struct ctl_column columns[] = {
	{ "check", "CHECK", 0, 0 },
	{ "level", "LEVEL", 0, 0 },
	{ "found", "FOUND", 20, 0 },
	{ "mend", "MEND", 20, 0 },
	{ 0 },
};

enum { DEVICES_MAX = 64, PCI_ADDRESS = 16, TEXT_AT = 19 };

struct doctor {
	struct ctl_print *print;
	bool lines; /* for a terminal, rather than a table */
	unsigned count[DOCTOR_FAIL + 1];
};

int
doctor_read(const struct doctor_case *c, char *out, size_t cap, const char *fmt, ...)
{
	char path[1024];
	va_list ap;
	size_t n = strlen(c->root);

	snprintf(path, sizeof(path), "%s", c->root);
	va_start(ap, fmt);
	vsnprintf(path + n, sizeof(path) - n, fmt, ap);
	va_end(ap);
	FILE *f = fopen(path, "r");
	if (!f)
		return -errno;
	n = fread(out, 1, cap - 1, f);
	fclose(f);
	while (n > 0 && out[n - 1] == '\n')
		n--;
	out[n] = '\0';
	return 0;
}

long
doctor_number(const struct doctor_case *c, long otherwise, const char *fmt, ...)
{
	char path[512], text[64], *end;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (doctor_read(c, text, sizeof(text), "%s", path) < 0)
		return otherwise;
	long v = strtol(text, &end, 10);
	return end != text ? v : otherwise;
}

void
doctor_say(struct doctor_case *c, enum doctor_level level, const char *mend, const char *fmt, ...)
{
	char found[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(found, sizeof(found), fmt, ap);
	va_end(ap);
	c->say(c, level, found, mend);
}

static struct doctor doctor;

/* On a terminal a finding is broken to its width, and what mends it has a line to be copied. */
static void
say_lines(const struct ctl_value *v, const char *mend)
{
	const char *on = ctl_colours(stdout) ? ctl_tone_on(v[1].tone) : "";

	printf("%s%-4s%s  %-*s", on, v[1].text, *on ? CTL_TONE_OFF : "", TEXT_AT - 6, v[0].text);
	char *found = proto_printable(v[2].text);
	ctl_wrapped(stdout, TEXT_AT, TEXT_AT, found ? found : "?");
	free(found);
	char *command = mend && *mend ? proto_printable(mend) : NULL;
	if (command)
		printf("%*s-> %s\n", TEXT_AT, "", command);
	free(command);
}

static void
say(struct doctor_case *c, enum doctor_level level, const char *found, const char *mend)
{
	static const char *const names[] = { "ok", "note", "warn", "fail" };
	static const enum ctl_tone tones[] = { CTL_GOOD, CTL_DIM, CTL_WARN, CTL_ALARM };
	struct ctl_value v[] = { ctl_text(c->check), ctl_text(names[level]), ctl_text(found),
		ctl_text(mend) };

	v[1].tone = tones[level];
	doctor.count[level]++;
	if (doctor.lines)
		say_lines(v, mend);
	else
		ctl_print_row(doctor.print, v);
}

struct doctor_args {
	struct ctl_common common;
	const char *config;
	const char *devices[DEVICES_MAX + 1]; /* ends with NULL */
	char whole[DEVICES_MAX][PCI_ADDRESS];
	unsigned n;
};

/* "03:00.0", which lspci and phonehomed know too, as /sys names it. */
static const char *
whole_address(const char *device, char whole[static PCI_ADDRESS])
{
	unsigned bus, slot, function;
	int end = 0;

	if (sscanf(device, "%2x:%2x.%1x%n", &bus, &slot, &function, &end) != 3 || device[end])
		return device;
	snprintf(whole, PCI_ADDRESS, "0000:%02x:%02x.%x", bus, slot, function);
	return whole;
}

static int
take_option(void *ctx, int id, const char *value)
{
	struct doctor_args *a = ctx;

	if (id == O_CONFIG)
		a->config = value;
	else if (a->n == DEVICES_MAX)
		return ctl_usage(&ctl_verb_doctor, "too many devices");
	else {
		a->devices[a->n] = whole_address(value, a->whole[a->n]);
		a->n++;
	}
	return -1;
}

static int
run(int argc, char **argv)
{
	static struct doctor_site site;
	struct doctor_args args = { 0 };
	const char *root = getenv("PHONEHOME_DOCTOR_ROOT");
	struct doctor_case c = { .common = &args.common,
		.site = &site,
		.devices = args.devices,
		.root = root ? root : "",
		.say = say };

	ctl_common_init(&args.common, &ctl_verb_doctor);
	int code = ctl_args_read(&args.common, argc, argv, take_option, &args);
	if (code >= 0)
		return code;
	doctor_site_load(&site, &args.common, args.config);
	doctor.print = ctl_print_new(stdout, args.common.format, columns);
	doctor.lines = args.common.format == CTL_TABLE && ctl_width(stdout) > 0;
	for (unsigned i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		c.check = checks[i].name;
		checks[i].fn(&c);
	}
	(void)ctl_print_end(doctor.print);
	doctor_site_free(&site);
	fflush(stdout);
	if (args.common.format == CTL_TABLE)
		fprintf(stderr, "%u ok, %u notes, %u warnings, %u failures\n",
		    doctor.count[DOCTOR_OK], doctor.count[DOCTOR_NOTE], doctor.count[DOCTOR_WARN],
		    doctor.count[DOCTOR_FAIL]);
	return ctl_finish(doctor.count[DOCTOR_FAIL] ? CTL_FAILED : CTL_OK);
}

const struct ctl_verb ctl_verb_doctor = {
	.name = "doctor",
	.group = "run",
	.usage = "[DEVICE...] [--config FILE] [--json]",
	.summary = "is this machine fit: huge pages, NICs, clock, store; what mends it",
	.about =
	    "Changes nothing. Exit code 1 when a check fails. Looks at the ports of the running "
	    "daemon, else of the config; DEVICE: PCI addresses or interfaces instead.",
	.examples = "phonehome doctor\n"
		    "phonehome doctor 0000:03:00.0 eth1\n"
		    "phonehome doctor --store redis://10.0.0.5 --json",
	.opts = opts,
	.run = run,
};
