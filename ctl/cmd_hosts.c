/* SPDX-License-Identifier: Apache-2.0 */
/* phonehome hosts: who runs X, and since when not any more. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl/packs.h"
#include "ctl/print.h"
#include "ctl/seen.h"
#include "ctl/source.h"
#include "ctl/verbs.h"
#include "signatures/base/hash.h"

enum hosts_opt { O_NOT_SEEN = 1 };
enum { LATELY_DAYS = 7 };

static const struct ctl_opt opts[] = {
	{ "not-seen", 0, "SPAN", O_NOT_SEEN, "only hosts not seen calling for that long (30d)" },
	CTL_OPTS_FILTER,
	CTL_OPT_FORWARDERS,
	CTL_OPT_LIMIT,
	CTL_OPTS_SOURCE,
	CTL_OPT_JSON,
	CTL_OPT_CSV,
	CTL_OPT_HELP,
	{ 0 },
};

enum host_column {
	H_HOST,
	H_VENDOR,
	H_COUNTRY,
	H_PRODUCT,
	H_FUNCTIONS,
	H_FLOWS,
	H_SURE,
	H_FIRST,
	H_LAST,
	H_QUIET,
	H_FORWARDER,
	H_DNS_ONLY,
	H_NAMES,
	H_MAX
};
static const struct ctl_column columns[H_MAX + 1] = {
	[H_HOST] = { "host", "HOST", 0, 0 },
	[H_VENDOR] = { "vendor", "VENDOR", 8, 0 },
	[H_COUNTRY] = { "country", "CC", 0, 0 },
	[H_PRODUCT] = { "product", "PRODUCT", 8, 0 },
	[H_FUNCTIONS] = { "functions", "DOES", 10, 0 },
	[H_FLOWS] = { "flows", "FLOWS", 0, 3 },
	[H_SURE] = { "confidence", "SURE", 0, 4 },
	[H_FIRST] = { "first_seen", "FIRST SEEN", 10, 5 },
	[H_LAST] = { "last_seen", "LAST SEEN", 10, 0 },
	[H_QUIET] = { NULL, "QUIET FOR", 0, 2 },
	[H_FORWARDER] = { "forwarder", "FORWARDS", 0, 7 },
	[H_DNS_ONLY] = { "dns_only", "DNS ONLY", 0, 6 },
	[H_NAMES] = { "names", "EVIDENCE", 16, 1 },
};

/* One host and product; all its functions and sensors together. */
struct entry {
	char *host, *vendor, *country, *product, *id; /* VENDOR/PRODUCT, as the packs call them */
	char *names[STORE_ROW_NAMES_MAX];
	unsigned n_names;
	uint16_t functions; /* bits */
	uint8_t confidence;
	bool forwarder, dns_only;
	uint64_t flows, first_us, last_us;
};

struct hosts {
	struct ctl_common common;
	const char *what; /* product, vendor, or part of either's name */
	uint64_t not_seen_us;
	struct entry *entries;
	size_t n, cap;
	uint64_t readers; /* rows left out */
};

static bool
asked_for(const struct hosts *h, const struct store_row *row)
{
	const char *texts[] = { row->product, row->product_id, row->vendor, row->vendor_id };

	if (!h->what)
		return true;
	for (unsigned i = 0; i < 4; i++)
		if (texts[i] && strcasestr(texts[i], h->what))
			return true;
	return false;
}

static char *
copy(const char *s)
{
	return strdup(s ? s : "");
}

static char *
id_of(const struct store_row *row)
{
	const char *vendor = row->vendor_id ? row->vendor_id : row->vendor;
	char *id = NULL;

	if (asprintf(&id, "%s/%s", vendor ? vendor : "",
		row->product_id ? row->product_id : row->product) < 0)
		return NULL;
	return id;
}

static bool
take_row(void *ctx, const struct store_row *row)
{
	struct hosts *h = ctx;

	if (!asked_for(h, row))
		return true;
	if (row->function == SIG_FN_PORTAL && h->not_seen_us && row->last_seen_us >= h->not_seen_us)
		return true;
	if (row->function == SIG_FN_PORTAL && h->common.filter.function != SIG_FN_PORTAL) {
		h->readers++;
		return true;
	}
	if (h->n == h->cap) {
		size_t cap = h->cap ? h->cap * 2 : 256;
		struct entry *more = reallocarray(h->entries, cap, sizeof(*more));
		if (!more) {
			ctl_error("out of memory after %zu rows: filter", h->n);
			return false;
		}
		h->entries = more;
		h->cap = cap;
	}
	struct entry *e = &h->entries[h->n++];
	*e = (struct entry){
		.host = copy(row->host),
		.vendor = copy(row->vendor),
		.country = copy(row->country),
		.product = copy(row->product),
		.id = id_of(row),
		.functions = (uint16_t)(1u << row->function),
		.confidence = row->confidence,
		.forwarder = row->forwarder,
		.dns_only = row->dns_only,
		.flows = row->flows,
		.first_us = row->first_seen_us,
		.last_us = row->last_seen_us,
	};
	for (unsigned i = 0; i < row->n_names; i++)
		e->names[e->n_names++] = copy(row->names[i]);
	return true;
}

static int
by_product(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	int c = strcmp(a->vendor, b->vendor);

	c = c ? c : strcmp(a->product, b->product);
	c = c ? c : ctl_host_compare(a->host, b->host);
	c = c ? c : (int)b->confidence - (int)a->confidence;
	/* From here on only so that names come in one order, wherever the rows come from. */
	c = c ? c : (int)a->functions - (int)b->functions;
	return c ? c : (a->first_us > b->first_us) - (a->first_us < b->first_us);
}

static void
free_entry(struct entry *e)
{
	free(e->host);
	free(e->vendor);
	free(e->country);
	free(e->product);
	free(e->id);
	for (unsigned i = 0; i < e->n_names; i++)
		free(e->names[i]);
}

static void
join(struct entry *into, struct entry *e)
{
	into->functions |= e->functions;
	into->forwarder |= e->forwarder;
	into->dns_only &= e->dns_only;
	into->flows += e->flows;
	if (e->first_us < into->first_us)
		into->first_us = e->first_us;
	if (e->last_us > into->last_us)
		into->last_us = e->last_us;
	for (unsigned i = 0; i < e->n_names && into->n_names < STORE_ROW_NAMES_MAX; i++) {
		bool known = false;
		for (unsigned k = 0; k < into->n_names; k++)
			known |= strcmp(into->names[k], e->names[i]) == 0;
		if (!known)
			into->names[into->n_names++] = copy(e->names[i]);
	}
}

static int
by_id(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	int c = strcmp(a->id, b->id);

	return c ? c : (a->last_us < b->last_us) - (a->last_us > b->last_us);
}

/* Packs change what they call a product; a silent row keeps what it was called. The last one who
 * called says it for all. */
static void
call_alike(struct hosts *h)
{
	qsort(h->entries, h->n, sizeof(*h->entries), by_id);
	for (size_t i = 1; i < h->n; i++) {
		struct entry *e = &h->entries[i], *last = e - 1;
		char **to[] = { &e->vendor, &e->country, &e->product };
		char *const from[] = { last->vendor, last->country, last->product };

		for (unsigned k = 0; k < 3 && strcmp(e->id, last->id) == 0; k++)
			if (strcmp(*to[k], from[k]) != 0) {
				free(*to[k]);
				*to[k] = copy(from[k]);
			}
	}
}

static void
fold_entries(struct hosts *h)
{
	size_t kept = 0;

	if (h->n > 0) {
		call_alike(h);
		qsort(h->entries, h->n, sizeof(*h->entries), by_product);
	}
	for (size_t i = 0; i < h->n; i++) {
		struct entry *e = &h->entries[i], *last = kept ? &h->entries[kept - 1] : NULL;
		if (last && strcmp(last->host, e->host) == 0 &&
		    strcmp(last->product, e->product) == 0 &&
		    strcmp(last->vendor, e->vendor) == 0) {
			join(last, e);
			free_entry(e);
		} else {
			h->entries[kept++] = *e;
		}
	}
	h->n = kept;
}

static bool
print_entry(struct hosts *h, struct ctl_print *p, const struct entry *e)
{
	struct ctl_value v[H_MAX];
	char *functions[SIG_FN_MAX];
	char quiet[CTL_HUMAN_MAX] = "";
	unsigned n = 0;

	for (unsigned f = 1; f < SIG_FN_MAX; f++)
		if (e->functions & (1u << f))
			functions[n++] = (char *)sig_function_name(f);
	if (e->last_us && h->common.now_us > e->last_us)
		ctl_human_span((h->common.now_us - e->last_us) / 1000000, quiet);
	v[H_HOST] = ctl_text(e->host);
	v[H_VENDOR] = ctl_fact(e->vendor);
	v[H_COUNTRY] = ctl_text(e->country);
	v[H_PRODUCT] = ctl_fact(e->product);
	v[H_FUNCTIONS] = (struct ctl_value){ .kind = CTL_K_LIST };
	v[H_FUNCTIONS].list.item = functions;
	v[H_FUNCTIONS].list.n = n;
	v[H_FLOWS] = ctl_number(CTL_K_UINT, e->flows);
	v[H_SURE] = ctl_text(e->confidence ? sig_confidence_name(e->confidence) : NULL);
	v[H_FIRST] = ctl_number(CTL_K_TIME, e->first_us);
	v[H_LAST] = ctl_number(CTL_K_TIME, e->last_us);
	v[H_QUIET] = ctl_text(quiet);
	v[H_FORWARDER] = ctl_number(CTL_K_BOOL, e->forwarder);
	v[H_DNS_ONLY] = ctl_number(CTL_K_BOOL, e->dns_only);
	v[H_DNS_ONLY].tone = CTL_DIM;
	v[H_NAMES] = (struct ctl_value){ .kind = CTL_K_LIST };
	v[H_NAMES].list.item = e->names;
	v[H_NAMES].list.n = e->n_names;
	return ctl_print_row(p, v);
}

static void
say_none(const struct hosts *h)
{
	char span[CTL_HUMAN_MAX] = "";

	if (h->not_seen_us && h->n > 0) {
		ctl_human_span((h->common.now_us - h->not_seen_us) / 1000000, span);
		ctl_note("no host fell silent: all %zu that %s%s called home within %s", h->n,
		    h->what ? "run " : "are known", h->what ? h->what : "", span);
		return;
	}
	ctl_note("no host runs %s", h->what ? h->what : "anything that the packs know");
	ctl_note_unknown(h->common.packs, h->what, true);
	ctl_note_unknown(h->common.packs, h->common.filter.vendor, false);
	ctl_note_unknown(h->common.packs, h->common.filter.product, false);
}

/* How many hosts the lines are about, and how many of those still call. */
struct tally {
	struct ctl_seen seen, seen_lately;
	uint64_t hosts, lately;
};

static void
count_host(const struct hosts *h, struct tally *t, const struct entry *e)
{
	uint64_t hash = sig_hash(e->host, strlen(e->host), 1);

	t->hosts += ctl_seen_add(&t->seen, hash);
	if (e->last_us + LATELY_DAYS * 86400ULL * 1000000ULL >= h->common.now_us)
		t->lately += ctl_seen_add(&t->seen_lately, hash);
}

/* `whole`: the source gave all it has, so that nothing to show means nobody. */
static void
print_all(struct hosts *h, uint64_t limit, bool whole)
{
	struct ctl_print *p = ctl_print_new(stdout, h->common.format, columns);
	uint64_t shown = 0;
	struct tally tally = { 0 };
	bool go = true;

	for (size_t i = 0; i < h->n; i++) {
		struct entry *e = &h->entries[i];
		bool quiet = !h->not_seen_us || e->last_us < h->not_seen_us;
		if (go && quiet && (!limit || shown < limit)) {
			shown++;
			count_host(h, &tally, e);
			go = print_entry(h, p, e);
		}
		free_entry(e);
	}
	free(h->entries);
	ctl_print_end(p);
	ctl_seen_free(&tally.seen);
	ctl_seen_free(&tally.seen_lately);
	fflush(stdout);
	if (shown == 0 && whole && h->common.format == CTL_TABLE)
		say_none(h);
	else if (shown > 0 && h->common.format == CTL_TABLE)
		fprintf(stderr, "%llu host%s, %llu of them seen within the last %u days\n",
		    (unsigned long long)tally.hosts, tally.hosts == 1 ? "" : "s",
		    (unsigned long long)tally.lately, LATELY_DAYS);
	if (h->readers > 0 && h->common.format == CTL_TABLE)
		ctl_note("left out, as nothing runs there by that: %llu where somebody reads the "
			 "vendor's pages (--function portal)",
		    (unsigned long long)h->readers);
}

static int
take_option(void *ctx, int id, const char *value)
{
	struct hosts *h = ctx;

	if (id == O_NOT_SEEN) {
		if (ctl_when(value, h->common.now_us, &h->not_seen_us) == 0) {
			if (h->not_seen_us == 0) /* stands for no time: 100y is one */
				h->not_seen_us = 1;
			return -1;
		}
		return ctl_usage(h->common.verb, "--not-seen %s: want 30d, 12h or a date", value);
	}
	if (h->what)
		return ctl_usage(h->common.verb, "one product or vendor at a time");
	h->what = value;
	return -1;
}

static int
run(int argc, char **argv)
{
	struct hosts h = { 0 };
	struct ctl_source *source;
	int code;

	ctl_common_init(&h.common, &ctl_verb_hosts);
	code = ctl_args_read(&h.common, argc, argv, take_option, &h);
	if (code >= 0)
		return code;
	code = ctl_source_open(&h.common, CTL_WANT_ANY, &source);
	if (code != CTL_OK)
		return code;
	uint64_t limit = h.common.filter.limit;
	h.common.filter.limit = 0;
	code = ctl_source_rows(source, &h.common.filter, take_row, &h);
	fold_entries(&h);
	print_all(&h, limit, code == CTL_OK);
	ctl_source_close(source);
	return ctl_finish(code);
}

const struct ctl_verb ctl_verb_hosts = {
	.name = "hosts",
	.group = "look",
	.usage = "[PRODUCT|VENDOR] [--not-seen SPAN] [FILTER...]",
	.summary = "who still runs a product, and who fell silent",
	.about =
	    "One line for each inside host and product, with what it does there and when it "
	    "was last\n"
	    "seen. PRODUCT or VENDOR is an id, a name or a part of one, in any case. Hosts "
	    "where somebody\n"
	    "only reads a vendor's web pages are left out unless asked for: --function portal.",
	.examples = "phonehome hosts falcon\n"
		    "phonehome hosts \"palo alto\" --host 10.1.0.0/16\n"
		    "phonehome hosts crowdstrike --not-seen 30d\n"
		    "phonehome hosts --country US --category edr --csv > edr.csv",
	.opts = opts,
	.run = run,
};
