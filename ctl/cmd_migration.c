/* SPDX-License-Identifier: Apache-2.0 */
/* phonehome migration: per host, products to leave against products to move to. */
#include <stdlib.h>
#include <string.h>

#include "ctl/packs.h"
#include "ctl/policy_text.h"
#include "ctl/print.h"
#include "ctl/proto/json.h"
#include "ctl/source.h"
#include "ctl/verbs.h"

enum { O_FROM = 1, O_TO, O_ACTIVE, O_STATE };
static const struct ctl_opt opts[] = {
	CTL_OPT_POLICY,
	{ "from", 0, "WHAT", O_FROM,
	    "what to leave: US,IL or crowdstrike,... (countries, vendors, products); with "
	    "--policy one of its groups (default: foreign, else the first)" },
	{ "to", 0, "WHAT", O_TO,
	    "what to move to, spelled alike (default: anything else; with --policy: the group "
	    "replacement, else the second)" },
	{ "active", 0, "SPAN", O_ACTIVE, "seen within that long means it runs (default 7d)" },
	{ "state", 0, "WORD", O_STATE, "only: moved, both, not-moved, neither, only-new" },
	CTL_OPTS_FILTER,
	CTL_OPT_FORWARDERS,
	CTL_OPTS_SOURCE,
	CTL_OPT_JSON,
	CTL_OPT_CSV,
	CTL_OPT_HELP,
	{ 0 },
};

/* One side of one host. */
struct side {
	char **products;
	unsigned n;
	uint64_t first_us, last_us;
};

struct host {
	char *host;
	struct side side[2]; /* from, to */
};

struct migration {
	struct ctl_common common;
	struct clf_policy *policy;
	const char *group_name[2], *state; /* --from, --to: a group, or a list without a policy */
	unsigned group[2];
	bool to_rest; /* whatever is not to be left */
	uint64_t active_us;
	struct host *hosts;
	size_t n, cap;
	uint64_t count[5];
};

enum state { MOVED, BOTH, NOT_MOVED, NEITHER, ONLY_NEW, STATES };
static const char *const state_names[STATES] = { "moved", "both", "not-moved", "neither",
	"only-new" };

static void
add(struct side *s, const struct store_row *row)
{
	const char *product = row->product ? row->product : "";

	if (s->n == 0 || row->first_seen_us < s->first_us)
		s->first_us = row->first_seen_us;
	if (row->last_seen_us > s->last_us)
		s->last_us = row->last_seen_us;
	for (unsigned i = 0; i < s->n; i++)
		if (strcmp(s->products[i], product) == 0)
			return;
	char **more = reallocarray(s->products, s->n + 1, sizeof(*more));
	if (!more)
		return;
	s->products = more;
	if ((s->products[s->n] = strdup(product)))
		s->n++;
}

/* Rows of one host may come in any order: they are gathered flat here and joined by sorting. */
static bool
on_row(void *ctx, const struct store_row *row)
{
	struct migration *m = ctx;

	if (row->function == SIG_FN_PORTAL)
		return true; /* a person read a page: no product runs there */
	for (unsigned k = 0; k < 2; k++) {
		bool inside = clf_policy_in_group(m->policy, m->group[m->to_rest ? 0 : k],
		    row->vendor_id, row->country, row->owner_country, row->product_id);
		if (inside == (k == 1 && m->to_rest))
			continue;
		if (m->n == m->cap) {
			size_t cap = m->cap ? m->cap * 2 : 256;
			struct host *more = reallocarray(m->hosts, cap, sizeof(*more));
			if (!more) {
				ctl_error("out of memory after %zu rows: filter", m->n);
				return false;
			}
			m->hosts = more;
			m->cap = cap;
		}
		struct host *h = &m->hosts[m->n++];
		*h = (struct host){ .host = strdup(row->host ? row->host : "") };
		/* One spelling, wherever the row comes from: products are compared and listed. */
		struct store_row shown = *row;
		shown.product = proto_fact(row->product ? row->product : "");
		add(&h->side[k], &shown);
		free(shown.product);
	}
	return true;
}

static int
by_host(const void *a, const void *b)
{
	return ctl_host_compare(((const struct host *)a)->host, ((const struct host *)b)->host);
}

static const char *
product_of(const struct host *h)
{
	const struct side *s = &h->side[h->side[0].n == 0];

	return s->n > 0 ? s->products[0] : "";
}

/* Before they are joined: also by product, so that every source gives the same order. */
static int
by_host_product(const void *a, const void *b)
{
	int c = by_host(a, b);

	return c ? c : strcmp(product_of(a), product_of(b));
}

static void
join_side(struct side *into, struct side *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct store_row row = {
			.product = s->products[i],
			.first_seen_us = s->first_us,
			.last_seen_us = s->last_us,
		};
		add(into, &row);
		free(s->products[i]);
	}
	free(s->products);
}

static void
join(struct migration *m)
{
	size_t kept = 0;

	if (m->n > 0)
		qsort(m->hosts, m->n, sizeof(*m->hosts), by_host_product);
	for (size_t i = 0; i < m->n; i++) {
		struct host *h = &m->hosts[i];
		if (kept > 0 && by_host(&m->hosts[kept - 1], h) == 0) {
			join_side(&m->hosts[kept - 1].side[0], &h->side[0]);
			join_side(&m->hosts[kept - 1].side[1], &h->side[1]);
			free(h->host);
		} else {
			m->hosts[kept++] = *h;
		}
	}
	m->n = kept;
}

static enum state
state_of(const struct migration *m, const struct host *h)
{
	uint64_t now = m->common.filter.until_us ? m->common.filter.until_us : m->common.now_us;
	uint64_t edge = now > m->active_us ? now - m->active_us : 0;
	bool old_runs = h->side[0].last_us >= edge && h->side[0].n > 0;
	bool new_runs = h->side[1].last_us >= edge && h->side[1].n > 0;

	if (old_runs)
		return new_runs ? BOTH : NOT_MOVED;
	if (!new_runs)
		return NEITHER;
	return h->side[0].n > 0 ? MOVED : ONLY_NEW;
}

static const struct ctl_column columns[] = {
	{ "host", "HOST", 0, 0 },
	{ "state", "STATE", 0, 0 },
	{ "from_products", "LEAVES", 10, 0 },
	{ "from_first_seen", NULL, 0, 0 },
	{ "from_last_seen", "LAST SEEN", 10, 0 },
	{ "to_products", "MOVES TO", 10, 0 },
	{ "to_first_seen", "FIRST SEEN", 10, 0 },
	{ "to_last_seen", NULL, 0, 0 },
	{ 0 },
};

static void
print_all(struct migration *m)
{
	struct ctl_print *p = ctl_print_new(stdout, m->common.format, columns);
	bool any_leaves = false;

	for (size_t i = 0; i < m->n; i++) {
		struct host *h = &m->hosts[i];
		enum state state = state_of(m, h);
		m->count[state]++;
		any_leaves |= h->side[0].n > 0;
		if (m->state && strcmp(m->state, state_names[state]) != 0)
			continue;
		struct ctl_value v[] = {
			ctl_text(h->host),
			ctl_text(state_names[state]),
			{ .kind = CTL_K_LIST },
			ctl_number(CTL_K_TIME, h->side[0].first_us),
			ctl_number(CTL_K_TIME, h->side[0].last_us),
			{ .kind = CTL_K_LIST },
			ctl_number(CTL_K_TIME, h->side[1].first_us),
			ctl_number(CTL_K_TIME, h->side[1].last_us),
		};
		v[1].tone = state == MOVED || state == ONLY_NEW ? CTL_GOOD
			    : state == NEITHER			? CTL_ALARM
								: CTL_WARN;
		v[2].list.item = h->side[0].products;
		v[2].list.n = h->side[0].n;
		v[2].list.facts = v[5].list.facts = true;
		v[5].list.item = h->side[1].products;
		v[5].list.n = h->side[1].n;
		ctl_print_row(p, v);
	}
	ctl_print_end(p);
	fflush(stdout);
	if (m->common.format != CTL_TABLE)
		return;
	if (!any_leaves) {
		ctl_note("no host was ever seen with what is to go (%s)",
		    m->group_name[0] ? m->group_name[0]
				     : clf_policy_group_name(m->policy, m->group[0]));
		ctl_note_unknown(NULL, m->common.policy ? NULL : m->group_name[0], false);
	}
	fprintf(stderr,
	    "%zu hosts: %llu moved, %llu run both, %llu not moved, %llu have neither now, "
	    "%llu only ever had the new\n",
	    m->n, (unsigned long long)m->count[MOVED], (unsigned long long)m->count[BOTH],
	    (unsigned long long)m->count[NOT_MOVED], (unsigned long long)m->count[NEITHER],
	    (unsigned long long)m->count[ONLY_NEW]);
}

static int
find_group(struct migration *m, unsigned k, const char *usual)
{
	unsigned n = clf_policy_group_count(m->policy);
	const char *want = m->group_name[k] ? m->group_name[k] : usual;

	for (unsigned i = 0; i < n; i++)
		if (strcmp(clf_policy_group_name(m->policy, i), want) == 0) {
			m->group[k] = i;
			return -1;
		}
	if (m->group_name[k])
		return ctl_usage(m->common.verb, "the policy has no group %s", want);
	m->group[k] = k;
	if (k < n)
		return -1;
	return ctl_usage(m->common.verb, "the policy needs two groups, what to leave (foreign) and "
					 "what to move to (replacement)");
}

/* The groups of the policy file. -1: go on. */
static int
groups_of_policy(struct migration *m)
{
	int code = ctl_policy_load(m->common.policy, NULL, &m->policy);

	if (code != CTL_OK)
		return code;
	code = find_group(m, 0, "foreign");
	return code < 0 ? find_group(m, 1, "replacement") : code;
}

/* The groups that the command line itself names. -1: go on. */
static int
groups_of_options(struct migration *m)
{
	char yaml[CTL_POLICY_TEXT_MAX] = "format: 1\ngroups:\n";

	if (!m->group_name[0])
		return ctl_usage(m->common.verb,
		    "say what is to go: --from US,IL (countries, vendors, products), or --policy "
		    "FILE whose groups say it");
	m->to_rest = !m->group_name[1];
	if (!ctl_policy_text_group(yaml, "from", m->group_name[0]) ||
	    (!m->to_rest && !ctl_policy_text_group(yaml, "to", m->group_name[1])))
		return ctl_usage(
		    m->common.verb, "--from, --to: too long, or a character that no name has");
	int code = ctl_policy_text_load("--from, --to", yaml, &m->policy);
	m->group[1] = 1;
	return code == CTL_OK ? -1 : code;
}

static int
migrate(struct migration *m)
{
	struct ctl_source *source;
	int code = m->common.policy ? groups_of_policy(m) : groups_of_options(m);

	if (code >= 0)
		return code;
	code = ctl_source_open(&m->common, CTL_WANT_ANY, &source);
	if (code != CTL_OK)
		return code;
	code = ctl_source_rows(source, &m->common.filter, on_row, m);
	ctl_source_close(source);
	join(m);
	print_all(m);
	return code;
}

static int
take_option(void *ctx, int id, const char *value)
{
	struct migration *m = ctx;
	uint64_t at;

	switch (id) {
	case O_FROM: m->group_name[0] = value; return -1;
	case O_TO: m->group_name[1] = value; return -1;
	case O_ACTIVE:
		if (ctl_when(value, m->common.now_us, &at) < 0 || at > m->common.now_us)
			return ctl_usage(m->common.verb, "--active %s: want 7d, 12h", value);
		m->active_us = m->common.now_us - at;
		return -1;
	case O_STATE:
		for (unsigned i = 0; i < STATES; i++)
			if (strcmp(state_names[i], value) == 0) {
				m->state = value;
				return -1;
			}
		return ctl_usage(
		    m->common.verb, "--state %s: moved, both, not-moved, neither, only-new", value);
	default:
		return ctl_usage(
		    m->common.verb, "what is \"%s\"? the policy goes behind --policy", value);
	}
}

static int
run(int argc, char **argv)
{
	struct migration m = { .active_us = 7 * 86400ULL * 1000000ULL };

	ctl_common_init(&m.common, &ctl_verb_migration);
	int code = ctl_args_read(&m.common, argc, argv, take_option, &m);
	if (code < 0)
		code = migrate(&m);
	for (size_t i = 0; i < m.n; i++) {
		for (unsigned k = 0; k < 2; k++) {
			for (unsigned p = 0; p < m.hosts[i].side[k].n; p++)
				free(m.hosts[i].side[k].products[p]);
			free(m.hosts[i].side[k].products);
		}
		free(m.hosts[i].host);
	}
	free(m.hosts);
	clf_policy_free(m.policy);
	return ctl_finish(code);
}

const struct ctl_verb ctl_verb_migration = {
	.name = "migration",
	.group = "phase out",
	.usage = "--from WHAT [--to WHAT] | --policy FILE [--state WORD] [FILTER...]",
	.summary = "who moved to the replacement, who runs both, who has nothing now",
	.about = "Per host: when a product of the one group was last seen against when one of the "
		 "other was first seen. The groups are named here, or are the policy's "
		 "(phonehome-policy(5)).",
	.examples =
	    "phonehome migration --from US,IL\n"
	    "phonehome migration --from crowdstrike --to sangfor,qihoo-360 --state neither\n"
	    "phonehome migration --policy /etc/phonehome/policy.yaml\n"
	    "phonehome migration -p policy.yaml --state neither\n"
	    "phonehome migration -p policy.yaml --from foreign --to domestic --active 14d --csv",
	.opts = opts,
	.run = run,
};
