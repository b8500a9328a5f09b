/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all verbs of the command share: the table of verbs, the command line, messages.
 *
 * A verb is a const `struct ctl_verb` in its own cmd_*.c and a row in main.c. Options are const
 * tables too, from which parsing, --help and completion are made. One thread.
 *
 * Exit codes: 0 done; 1 it failed at run time; 2 the command line or a file of the user is wrong.
 */
#ifndef CTL_CLI_H
#define CTL_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ctl/store/store.h"

enum ctl_exit { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

/* One option. Tables end with a NULL name. */
struct ctl_opt {
	const char *name; /* without the dashes */
	char letter;	  /* 0: none */
	const char *arg;  /* what its value is called, NULL: takes none */
	int id;
	const char *help;
};

struct ctl_verb {
	const char *name;
	const char *group;   /* heading in the overview; NULL: not shown */
	const char *usage;   /* what follows "phonehome NAME" */
	const char *summary; /* one line */
	const char *about;   /* paragraphs, may be NULL */
	const char *examples;
	const struct ctl_opt
	    *opts; /* NULL: the verb reads its own command line and its own --help */
	int (*run)(int argc, char **argv); /* argv[0] is the verb's name */
};
extern const struct ctl_verb *const ctl_verbs[]; /* ends with NULL */
const struct ctl_verb *ctl_verb_find(const char *name);

/* --- help: texts are broken to the terminal's width, 80 where there is none, never above 100 ---
 */

void ctl_verb_help(const struct ctl_verb *verb, FILE *to);
/* A line for each verb: the last word of its name, its summary from `column` on. */
void ctl_verbs_list(FILE *to, const struct ctl_verb *const *verbs, unsigned n, unsigned column);
/* Text that begins in column `at` and goes on in lines indented by `indent`; a blank line in it
 * begins a paragraph, other line ends are blanks. */
void ctl_wrapped(FILE *to, unsigned at, unsigned indent, const char *text);

/* Verbs under a verb ("policy check"): -1 and which one argv[1] names; else help or an error was
 * printed and this is the exit code. The verb's `about` ends its help. */
enum { CTL_SUBS_MAX = 16 };
int ctl_verb_under(const struct ctl_verb *verb, const struct ctl_verb *const *subs, unsigned n,
    int argc, char **argv, unsigned *ret_i);

/* --- the command line --- */

enum {
	CTL_END = 0,
	CTL_POSITIONAL = -1, /* an argument that is no option: *ret_value */
	CTL_BAD = -2,	     /* wrong; was said on stderr: exit 2 */
	CTL_HELPED = -3,     /* --help was asked for and printed: exit 0 */
};
struct ctl_args {
	const struct ctl_verb *verb;
	int argc, at;
	char **argv;
	const char *letters; /* rest of a bundle such as -jv */
	bool plain;	     /* after -- */
};
void ctl_args_init(struct ctl_args *a, const struct ctl_verb *verb, int argc, char **argv);
/* The next option's id, or one of the codes above. */
int ctl_args_next(struct ctl_args *a, const char **ret_value);

/* --- options that several verbs take --- */

enum ctl_format { CTL_TABLE, CTL_JSON, CTL_JSON_LINES, CTL_CSV };

enum ctl_common_id {
	CTL_O_HELP = 900,
	CTL_O_JSON,
	CTL_O_CSV,
	CTL_O_STORE,
	CTL_O_SOCKET,
	CTL_O_PASSWORD_FILE,
	CTL_O_SENSOR,
	CTL_O_ALL_SENSORS,
	CTL_O_VENDOR,
	CTL_O_PRODUCT,
	CTL_O_COUNTRY,
	CTL_O_CATEGORY,
	CTL_O_FUNCTION,
	CTL_O_HOST,
	CTL_O_SINCE,
	CTL_O_UNTIL,
	CTL_O_CONFIDENCE,
	CTL_O_FORWARDERS,
	CTL_O_LIMIT,
	CTL_O_POLICY,
	CTL_O_PACKS,
};

#define CTL_OPT_HELP                                       \
	{                                                  \
		"help", 'h', NULL, CTL_O_HELP, "this text" \
	}
#define CTL_OPT_JSON                                            \
	{                                                       \
		"json", 'j', NULL, CTL_O_JSON, "JSON on stdout" \
	}
#define CTL_OPT_CSV                                                            \
	{                                                                      \
		"csv", 0, NULL, CTL_O_CSV, "CSV on stdout, with a header line" \
	}
#define CTL_OPT_SOCKET                                                           \
	{                                                                        \
		"socket", 0, "PATH", CTL_O_SOCKET, "the daemon's control socket" \
	}
#define CTL_OPT_POLICY                                                        \
	{                                                                     \
		"policy", 'p', "FILE", CTL_O_POLICY, "the policy to judge by" \
	}
#define CTL_OPT_PACKS                                                          \
	{                                                                      \
		"packs", 0, "DIR", CTL_O_PACKS, "folder of packs, or one pack" \
	}
#define CTL_OPT_LIMIT                                             \
	{                                                         \
		"limit", 'n', "N", CTL_O_LIMIT, "at most N lines" \
	}
#define CTL_OPTS_SOURCE                                                                          \
	CTL_OPT_SOCKET,                                                                          \
	    { "store", 's', "URL", CTL_O_STORE,                                                  \
		    "read a store, not the daemon: a path, redis://HOST, unix:PATH" },           \
	    { "password-file", 0, "FILE", CTL_O_PASSWORD_FILE,                                   \
		    "the store's password (mode 0600)" },                                        \
	    { "sensor", 0, "NAME", CTL_O_SENSOR, "only what this sensor saw" },                  \
	{                                                                                        \
		"all-sensors", 'a', NULL, CTL_O_ALL_SENSORS, "what all sensors of the store saw" \
	}
#define CTL_OPTS_FILTER                                                                            \
	{ "vendor", 'v', "NAME", CTL_O_VENDOR, "only this vendor (id or name)" },                  \
	    { "product", 0, "NAME", CTL_O_PRODUCT, "only this product (id or name)" },             \
	    { "country", 'c', "CC", CTL_O_COUNTRY, "only vendors seated there (US, IL, CN ...)" }, \
	    { "category", 0, "NAME", CTL_O_CATEGORY, "only such products (edr, firewall ...)" },   \
	    { "function", 'f', "NAME", CTL_O_FUNCTION,                                             \
		    "only such calls: update, telemetry, cloud-lookup ..." },                      \
	    { "host", 'H', "ADDR", CTL_O_HOST, "only this inside host or network" },               \
	    { "since", 0, "WHEN", CTL_O_SINCE,                                                     \
		    "seen since: 30d, 12h, 2026-11-01, 2026-11-01T08:00" },                        \
	    { "until", 0, "WHEN", CTL_O_UNTIL, "seen before, spelled alike" },                     \
	{                                                                                          \
		"confidence", 0, "GRADE", CTL_O_CONFIDENCE,                                        \
		    "at least: guess, inferred, strong, certain"                                   \
	}
#define CTL_OPT_FORWARDERS                                                  \
	{                                                                   \
		"forwarders", 0, NULL, CTL_O_FORWARDERS,                    \
		    "also hosts that speak for others (resolvers, proxies)" \
	}

struct ctl_common {
	const struct ctl_verb *verb;
	enum ctl_format format;
	const char *store, *socket, *password_file;
	const char *policy, *packs;
	bool all_sensors;
	struct store_filter filter; /* strings are argv's */
	uint64_t now_us;	    /* what relative times count from */
};
void ctl_common_init(struct ctl_common *c, const struct ctl_verb *verb);
/* True when `id` was one of the shared options; *ret_exit becomes CTL_USAGE when its value is
 * wrong. */
bool ctl_common_take(struct ctl_common *c, int id, const char *value, int *ret_exit);
/*
 * Reads a verb's command line: shared options into `c`; the verb's own (ids below CTL_O_HELP) and
 * arguments (CTL_POSITIONAL) go to `take`, which gives -1 to go on, else the exit code. -1: go on;
 * else the exit code: it was said, or help was printed.
 */
typedef int ctl_take_fn(void *ctx, int id, const char *value);
int ctl_args_read(struct ctl_common *c, int argc, char **argv, ctl_take_fn *take, void *ctx);
/* Reads the whole command line of a verb that has only shared options and at most `max` arguments.
 * -1: go on; else the exit code. */
int ctl_common_args(struct ctl_common *c, int argc, char **argv, const char **ret_args,
    unsigned max, unsigned *ret_n);

/* Columns of the terminal behind `to`, else $COLUMNS, else 0: no limit. */
unsigned ctl_width(FILE *to);

/* --- messages: one line on stderr --- */

void ctl_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void ctl_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "phonehome VERB: text (see phonehome VERB --help)"; always CTL_USAGE. */
int
ctl_usage(const struct ctl_verb *verb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "WHERE: nothing that matches", and whether a name in the filter is one that no pack knows. */
void ctl_nothing(const struct ctl_common *c, const char *where);
/* Flushes stdout: `code`, or CTL_FAILED with a message when it could not be written. A reader that
 * went away is no failure. */
int ctl_finish(int code);
/* Nobody will read what goes to stdout from now on. */
bool ctl_reader_gone(void);
/* Gathered faults of the user's files, on stderr. */
int ctl_diag(const struct sig_diag *diag, int code);

/* --- human forms --- */

/* The order of addresses, not of their texts: 10.0.0.9 before 10.0.0.10, IPv4 before IPv6. 0 for
 * equal texts alone. */
int ctl_host_compare(const char *a, const char *b);

enum { CTL_HUMAN_MAX = 32 };
const char *ctl_human_bytes(uint64_t n, char out[static CTL_HUMAN_MAX]); /* "1.2 MB" */
const char *ctl_human_time(uint64_t us, char out[static CTL_HUMAN_MAX]); /* "2026-11-22 23:15:22" */
const char *ctl_human_span(uint64_t s, char out[static CTL_HUMAN_MAX]);	 /* "3d 4h" */
const char *ctl_human_count(uint64_t n, char out[static CTL_HUMAN_MAX]); /* "1.2 M" */
/* "30d", "12h", "90m", "2w", "now", "today", "yesterday" counted from now; or a date (rfc3339.h).
 */
int ctl_when(const char *s, uint64_t now_us, uint64_t *ret_us);
uint64_t ctl_now_us(void);
uint64_t ctl_steady_us(void); /* for spans: no one sets it */

#endif
