/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing and matching of one host pattern. */
#include "signatures/pattern.h"

#include <errno.h>
#include <libpsl.h>
#include <string.h>

#include "signatures/base/text.h"

static int
fault(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EINVAL;
}

/* What a pattern may hold: letters and the like, wildcards; 0: nothing of the kind. */
enum { OTHER, PLAIN, WILD, DOT };
static const uint8_t kinds[256] = {
	['a' ... 'z'] = PLAIN,
	['0' ... '9'] = PLAIN,
	['-'] = PLAIN,
	['_'] = PLAIN,
	['*'] = WILD,
	['#'] = WILD,
	['.'] = DOT,
};

/*
 * Every label is 1-63 bytes of what a canonical name may hold, and of wildcards. Also tells where
 * what follows the last wildcard begins, 0 when there is none.
 */
static int
check_labels(const char *s, size_t len, size_t *ret_after, const char **ret_why)
{
	size_t label = 0;

	*ret_after = 0;
	for (size_t i = 0; i < len; i++) {
		char c = s[i];

		switch (kinds[(uint8_t)c]) {
		case WILD:
			if (c == '*' && i + 1 < len && s[i + 1] == '*')
				return fault(
				    ret_why, "may have '**' only as '**.' at its beginning");
			*ret_after = i + 1;
			/* fall through */
		case PLAIN:
			if (++label > 63)
				return fault(ret_why, "has a label longer than 63 characters");
			break;
		case DOT:
			if (label == 0)
				return fault(ret_why, "has an empty label");
			label = 0;
			break;
		default:
			return fault(ret_why, c >= 'A' && c <= 'Z'
						  ? "must be lower case"
						  : "holds a character that no host name has");
		}
	}
	if (label == 0)
		return fault(ret_why, len == 0 ? "is empty" : "must not end with a dot");
	return 0;
}

/* Where the labels after the last one with a wildcard begin. */
static size_t
key_start(const char *s, size_t len, size_t after)
{
	size_t start = after;

	if (after == 0)
		return 0;
	while (start < len && s[start] != '.')
		start++;
	return start < len ? start + 1 : len;
}

static unsigned
count_labels(const char *s, size_t len)
{
	unsigned n = 1;

	for (const char *dot; len > 0 && (dot = memchr(s, '.', len)); n++) {
		len -= (size_t)(dot + 1 - s);
		s = dot + 1;
	}
	return n;
}

/* `labels`: of the key. */
static uint16_t
specificity(const struct sig_pattern *p, unsigned labels)
{
	unsigned literal = 0;

	if (!p->head)
		return p->open == SIG_OPEN_NO ? SIG_SPEC_EXACT : (uint16_t)labels;
	for (size_t i = 0; i < p->head_len; i++)
		literal += !strchr("*#.", p->head[i]);
	for (size_t i = 0; i < p->key_len; i++)
		literal += p->key[i] != '.';
	return (uint16_t)(SIG_SPEC_WILD + literal);
}

int
sig_pattern_parse(const char *text, struct sig_pattern *ret_pattern, const char **ret_why)
{
	struct sig_pattern p = { .open = SIG_OPEN_NO };
	size_t len, at, after;
	unsigned labels;
	int err;

	if (text[0] == '.') {
		p.open = SIG_OPEN_SELF;
		text++;
	} else if (strncmp(text, "**.", 3) == 0) {
		p.open = SIG_OPEN_BELOW;
		text += 3;
	}
	len = strlen(text);
	if (len > 253)
		return fault(ret_why, "is longer than 253 characters");
	err = check_labels(text, len, &after, ret_why);
	if (err)
		return err;
	at = key_start(text, len, after);
	p.key = text + at;
	p.key_len = (uint8_t)(len - at);
	if (at > 0) {
		p.head = text;
		p.head_len = (uint8_t)(at - 1);
	}
	labels = count_labels(p.key, p.key_len);
	if (p.key_len == 0 || labels < 2)
		return fault(ret_why, at > 0 ? "may have no wildcard in its last two labels"
					     : "needs at least two labels");
	p.specificity = specificity(&p, labels);
	*ret_pattern = p;
	return 0;
}

/*
 * One label against one with wildcards: a set of the positions that the pattern may stand at, one
 * bit each (a label has at most 63 characters), moved on by each character of the name. No
 * backtracking, so no name is slow.
 */
static bool
label_match(const char *pat, size_t m, const char *label, size_t n)
{
	uint64_t at = 1;

	if (m == 1 && pat[0] == '*')
		return n > 0;
	for (size_t j = 0; j < m && pat[j] == '*'; j++)
		at |= 1ULL << (j + 1);
	for (size_t i = 0; i < n && at; i++) {
		uint64_t next = 0;
		bool digit = label[i] >= '0' && label[i] <= '9';

		for (uint64_t left = at; left; left &= left - 1) {
			unsigned j = (unsigned)__builtin_ctzll(left);

			if (j == m)
				continue;
			if (pat[j] == '*')
				next |= 1ULL << j;
			else if (pat[j] == '#')
				next |= digit ? 3ULL << j : 0;
			else if (pat[j] == label[i])
				next |= 1ULL << (j + 1);
		}
		for (size_t j = 0; j < m; j++)
			if (pat[j] == '*' && (next & (1ULL << j)))
				next |= 1ULL << (j + 1);
		at = next;
	}
	return at >> m & 1;
}

/* The beginning of the last label of s[0..len). */
static size_t
last_label(const char *s, size_t len)
{
	while (len > 0 && s[len - 1] != '.')
		len--;
	return len;
}

bool
sig_pattern_match_rest(const struct sig_pattern *p, const char *name, size_t len)
{
	size_t rest = len - p->key_len; /* what is left of the key, with its dot */
	size_t head = p->head ? p->head_len : 0;

	if (rest > 0)
		rest--;
	while (head > 0) {
		size_t h = last_label(p->head, head), r = last_label(name, rest);

		if (rest == 0 || !label_match(p->head + h, head - h, name + r, rest - r))
			return false;
		head = h > 0 ? h - 1 : 0;
		rest = r > 0 ? r - 1 : 0;
	}
	if (p->open == SIG_OPEN_NO)
		return rest == 0;
	return p->open == SIG_OPEN_SELF || rest > 0;
}

bool
sig_pattern_match(const struct sig_pattern *p, const char *name, size_t len)
{
	if (len < p->key_len || memcmp(name + len - p->key_len, p->key, p->key_len) != 0)
		return false;
	if (len > p->key_len && name[len - p->key_len - 1] != '.')
		return false;
	return sig_pattern_match_rest(p, name, len);
}

bool
sig_pattern_is_domain(const struct sig_pattern *p)
{
	char key[256];

	memcpy(key, p->key, p->key_len);
	key[p->key_len] = '\0';
	return psl_registrable_domain(psl_builtin(), key) == key;
}
