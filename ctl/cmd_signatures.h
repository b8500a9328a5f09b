/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `phonehome signatures VERB`: what its verbs share. Each verb is a function of
 * cmd_signatures*.c and a row of the table in cmd_signatures.c. One thread.
 */
#ifndef CTL_CMD_SIGNATURES_H
#define CTL_CMD_SIGNATURES_H

#include "ctl/cli.h"
#include "signatures/pack.h"

/* What the command line said; each verb takes its own part of it. argv's strings. */
struct sigcmd {
	const struct ctl_verb *verb; /* for messages */
	bool json;
	const char *packs; /* never NULL */
	unsigned days;
	const char *key, *output, *version;
	bool allow_unsigned, replace;
	bool notes;
	int argc; /* the arguments left */
	char **argv;
};

/* Load, and compile when ret_rules; faults go to stderr. 0 or the exit code. */
int sigcmd_load(const char *path, struct sig_packs **ret_packs, struct sig_ruleset **ret_rules);
/* Prints what was gathered, frees it, and hands `code` back. */
int sigcmd_say(struct sig_diag *diag, int code);

int sigcmd_match(const struct sigcmd *c);
int sigcmd_list(const struct sigcmd *c);
int sigcmd_lint(const struct sigcmd *c);
int sigcmd_test(const struct sigcmd *c);
int sigcmd_show(const struct sigcmd *c);
int sigcmd_why(const struct sigcmd *c);
int sigcmd_diff(const struct sigcmd *c);
int sigcmd_install(const struct sigcmd *c);
int sigcmd_bundle(const struct sigcmd *c);
int sigcmd_keygen(const struct sigcmd *c);

#endif
