/* SPDX-License-Identifier: Apache-2.0 */
/* phonehome report: the inventory, row by row or added up. */
#include "ctl/report.h"
#include "ctl/source.h"
#include "ctl/verbs.h"

enum report_opt { O_GROUP_BY = 1, O_SORT };

static const struct ctl_opt opts[] = {
	{ "group-by", 'g', "WHAT", O_GROUP_BY, "add up by " CTL_GROUP_NAMES },
	{ "sort", 0, "WHAT", O_SORT, "by " CTL_SORT_NAMES },
	CTL_OPTS_FILTER,
	CTL_OPT_FORWARDERS,
	CTL_OPT_LIMIT,
	CTL_OPTS_SOURCE,
	CTL_OPT_JSON,
	CTL_OPT_CSV,
	CTL_OPT_HELP,
	{ 0 },
};

struct report_args {
	struct ctl_common common;
	struct ctl_report_config report;
};

static int
take_option(void *ctx, int id, const char *value)
{
	struct report_args *a = ctx;

	switch (id) {
	case O_GROUP_BY:
		a->report.group = ctl_group_parse(value);
		if (a->report.group != CTL_BY_MAX)
			return -1;
		return ctl_usage(a->common.verb, "--group-by %s: one of " CTL_GROUP_NAMES, value);
	case O_SORT:
		a->report.sort = ctl_sort_parse(value);
		if (a->report.sort != CTL_SORT_MAX)
			return -1;
		return ctl_usage(a->common.verb, "--sort %s: one of " CTL_SORT_NAMES, value);
	default:
		return ctl_usage(a->common.verb,
		    "what is \"%s\"? filters are options: --vendor, --product, --host ...", value);
	}
}

static int
run(int argc, char **argv)
{
	struct report_args a = { .report = { .to = stdout } };
	struct ctl_source *source;
	struct ctl_common *c = &a.common;

	ctl_common_init(c, &ctl_verb_report);
	int code = ctl_args_read(c, argc, argv, take_option, &a);
	if (code >= 0)
		return code;
	code = ctl_source_open(c, CTL_WANT_ANY, &source);
	if (code != CTL_OK)
		return code;
	a.report.format = c->format;
	a.report.limit = c->filter.limit;
	c->filter.limit = 0; /* lines, not rows: the report counts them */
	c->filter.skip_details = !ctl_report_shows_details(&a.report) && !c->filter.category;
	struct ctl_report *report = ctl_report_new(&a.report);
	code = ctl_source_rows(source, &c->filter, ctl_report_row, report);
	if (ctl_report_end(report) == 0 && code == CTL_OK && c->format == CTL_TABLE)
		ctl_nothing(c, ctl_source_name(source));
	ctl_source_close(source);
	return ctl_finish(code);
}

const struct ctl_verb ctl_verb_report = {
	.name = "report",
	.group = "look",
	.usage = "[--group-by WHAT] [FILTER...] [--store URL] [--json|--csv]",
	.summary = "the inventory: vendor, country, product, function, host, evidence",
	.about = "One line for each inside host, product and function, or with --group-by one for "
		 "each vendor,\n"
		 "country, ... Rows come from the running daemon, else from the default store. "
		 "Hosts that speak\n"
		 "for others (resolvers, proxies) are left out unless asked for.",
	.examples = "phonehome report\n"
		    "phonehome report --group-by vendor\n"
		    "phonehome report --country US --since 30d --csv > us.csv\n"
		    "phonehome report --product falcon --function telemetry --sort last-seen\n"
		    "phonehome report --all-sensors --store redis://10.0.0.5 --group-by product",
	.opts = opts,
	.run = run,
};
