/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host patterns: their forms (signatures/README.md, "Host patterns"), how exact each is, and the
 * match of one pattern against one canonical name.
 *
 * A pattern is an optional open end (`.` or `**.`), labels of which some hold `*` or `#` (the
 * head), and the labels after the last such one (the key). The key is what the compiled table is
 * looked up by. Any thread; nothing allocates; a parsed pattern points into its text.
 */
#ifndef SIGNATURES_PATTERN_H
#define SIGNATURES_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sig_pattern_open {
	SIG_OPEN_NO,	/* `a.example.com`    the name ends where the pattern does */
	SIG_OPEN_SELF,	/* `.example.com`     any number of further labels */
	SIG_OPEN_BELOW, /* `**.example.com`   at least one further label */
};

struct sig_pattern {
	const char *key;  /* "example.com" in all of the above */
	const char *head; /* "ts01-*" in `ts01-*.example.com`; NULL when no label has a wildcard */
	uint8_t key_len;
	uint8_t head_len;
	uint8_t open;	      /* enum sig_pattern_open */
	uint16_t specificity; /* greater = more exact; never 0 */
};

/* The greatest specificity: that of an exact name. */
enum { SIG_SPEC_EXACT = 0xffff, SIG_SPEC_WILD = 0x4000 };

/* 0, or -EINVAL with a reason in *ret_why. */
int sig_pattern_parse(const char *text, struct sig_pattern *ret_pattern, const char **ret_why);

/* Whether a canonical name matches. The time is bounded by the lengths' product over 64. */
bool sig_pattern_match(const struct sig_pattern *p, const char *name, size_t len);

/* The part left of the key alone: `name` is already known to end with the key. */
bool sig_pattern_match_rest(const struct sig_pattern *p, const char *name, size_t len);

/* Whether the key is a domain as one registers it: one label below a public suffix (libpsl). */
bool sig_pattern_is_domain(const struct sig_pattern *p);

#endif
