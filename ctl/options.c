/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: options from const tables, with the nearest spelling for a wrong one. */
#include <stdlib.h>
#include <string.h>

#include "ctl/cli.h"
#include "signatures/base/yaml.h"

void
ctl_args_init(struct ctl_args *a, const struct ctl_verb *verb, int argc, char **argv)
{
	*a = (struct ctl_args){ .verb = verb, .argc = argc, .argv = argv, .at = 1 };
}

static int
unknown(const struct ctl_args *a, const char *name)
{
	const char *words[128];
	size_t n = 0;
	bool socket = false;

	for (const struct ctl_opt *o = a->verb->opts; o->name && n < 128; o++) {
		socket |= strcmp(o->name, "socket") == 0;
		words[n++] = o->name;
	}
	if (socket && strcmp(name, "store") == 0) {
		ctl_usage(a->verb, "--store: this asks the running daemon, and no store knows it: "
				   "name the daemon with --socket");
		return CTL_BAD;
	}
	const char *near = sig_nearest(name, words, n);
	if (near)
		ctl_usage(a->verb, "unknown option --%s: did you mean --%s?", name, near);
	else
		ctl_usage(a->verb, "unknown option --%s", name);
	return CTL_BAD;
}

static int
helped(const struct ctl_args *a)
{
	ctl_verb_help(a->verb, stdout);
	return CTL_HELPED;
}

static int
long_option(struct ctl_args *a, const char *text, const char **ret_value)
{
	const char *eq = strchr(text, '=');
	size_t len = eq ? (size_t)(eq - text) : strlen(text);
	char name[64];

	if (len >= sizeof(name))
		return unknown(a, "...");
	memcpy(name, text, len);
	name[len] = '\0';
	for (const struct ctl_opt *o = a->verb->opts; o->name; o++) {
		if (strcmp(o->name, name) != 0)
			continue;
		if (o->id == CTL_O_HELP)
			return helped(a);
		if (!o->arg && eq) {
			ctl_usage(a->verb, "option --%s takes no value", name);
			return CTL_BAD;
		}
		if (o->arg && !eq && a->at >= a->argc) {
			ctl_usage(
			    a->verb, "option --%s needs a value: --%s %s", name, name, o->arg);
			return CTL_BAD;
		}
		*ret_value = !o->arg ? NULL : eq ? eq + 1 : a->argv[a->at++];
		return o->id;
	}
	return unknown(a, name);
}

static int
short_option(struct ctl_args *a, const char **ret_value)
{
	char c = *a->letters++;

	for (const struct ctl_opt *o = a->verb->opts; o->name; o++) {
		if (o->letter != c)
			continue;
		if (o->id == CTL_O_HELP)
			return helped(a);
		*ret_value = NULL;
		if (!o->arg)
			return o->id;
		if (*a->letters) {
			*ret_value = a->letters;
		} else if (a->at < a->argc) {
			*ret_value = a->argv[a->at++];
		} else {
			ctl_usage(a->verb, "option -%c needs a value: -%c %s", c, c, o->arg);
			return CTL_BAD;
		}
		a->letters = NULL;
		return o->id;
	}
	ctl_usage(a->verb, "unknown option -%c", c);
	return CTL_BAD;
}

int
ctl_args_next(struct ctl_args *a, const char **ret_value)
{
	if (a->letters && *a->letters)
		return short_option(a, ret_value);
	a->letters = NULL;
	if (a->at >= a->argc)
		return CTL_END;
	const char *word = a->argv[a->at++];
	if (a->plain || word[0] != '-' || word[1] == '\0') {
		*ret_value = word;
		return CTL_POSITIONAL;
	}
	if (strcmp(word, "--") == 0) {
		a->plain = true;
		return ctl_args_next(a, ret_value);
	}
	if (word[1] == '-')
		return long_option(a, word + 2, ret_value);
	a->letters = word + 1;
	return short_option(a, ret_value);
}

int
ctl_args_read(struct ctl_common *c, int argc, char **argv, ctl_take_fn *take, void *ctx)
{
	struct ctl_args a;
	const char *value;
	int id, code = -1;

	ctl_args_init(&a, c->verb, argc, argv);
	while (code < 0 && (id = ctl_args_next(&a, &value)) != CTL_END) {
		if (id == CTL_BAD)
			return CTL_USAGE;
		if (id == CTL_HELPED)
			return ctl_finish(CTL_OK);
		if (id == CTL_POSITIONAL || id < CTL_O_HELP)
			code = take(ctx, id, value);
		else
			ctl_common_take(c, id, value, &code);
	}
	return code;
}
