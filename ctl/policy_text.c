/* SPDX-License-Identifier: Apache-2.0 */
/* Policies written from a command line. */
#include "ctl/policy_text.h"

#include <ctype.h>
#include <string.h>

static bool
add(char out[static CTL_POLICY_TEXT_MAX], const char *format, const char *text, size_t len)
{
	size_t n = strlen(out);

	n += (size_t)snprintf(out + n, CTL_POLICY_TEXT_MAX - n, format, (int)len, text);
	return n < CTL_POLICY_TEXT_MAX;
}

static bool
is_name(const char *word, size_t len)
{
	for (size_t k = 0; k < len; k++)
		if (word[k] < 0x20 || word[k] > 0x7e || word[k] == '"' || word[k] == '\\')
			return false;
	return true;
}

bool
ctl_policy_text_list(
    char out[static CTL_POLICY_TEXT_MAX], unsigned indent, const char *key, const char *list)
{
	bool ok = true;

	if (!list || !*list)
		return true;
	ok = add(out, "%.*s", "        ", indent) && add(out, "%.*s: [", key, strlen(key));
	while (ok && *list) {
		size_t len = strcspn(list, ",");

		ok = is_name(list, len) &&
		     add(out, list[len] ? "\"%.*s\", " : "\"%.*s\"", list, len);
		list += len + (list[len] == ',');
	}
	return ok && add(out, "%.*s]\n", "", 0);
}

static bool
is_country(const char *word, size_t len)
{
	return len == 2 && isalpha((unsigned char)word[0]) && isalpha((unsigned char)word[1]);
}

/* Words of the list that are countries (or that are not), themselves as a list. */
static bool
pick(const char *list, bool countries, bool products, char out[static CTL_POLICY_TEXT_MAX])
{
	bool ok = true;

	out[0] = '\0';
	while (ok && *list) {
		size_t len = strcspn(list, ",");
		bool product = memchr(list, '/', len) != NULL;

		if (len > 0 && is_country(list, len) == countries && (products || !product))
			ok = add(out, out[0] ? ",%.*s" : "%.*s", list, len);
		list += len + (list[len] == ',');
	}
	return ok;
}

bool
ctl_policy_text_group(char out[static CTL_POLICY_TEXT_MAX], const char *name, const char *list)
{
	char words[CTL_POLICY_TEXT_MAX];

	return add(out, "  - name: %.*s\n", name, strlen(name)) && pick(list, true, false, words) &&
	       ctl_policy_text_list(out, 4, "countries", words) &&
	       pick(list, false, false, words) && ctl_policy_text_list(out, 4, "vendors", words) &&
	       pick(list, false, true, words) && ctl_policy_text_list(out, 4, "products", words);
}

int
ctl_policy_text_load(const char *what, const char *text, struct clf_policy **ret_policy)
{
	struct sig_diag diag = { 0 };
	int rc = clf_policy_load_text(what, text, strlen(text), ret_policy, &diag);

	if (rc < 0)
		ctl_diag(&diag, 0);
	sig_diag_free(&diag);
	return rc < 0 ? CTL_USAGE : CTL_OK;
}
