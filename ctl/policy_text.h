/* SPDX-License-Identifier: Apache-2.0 */
/* Policies written from a command line: what an engineer names there becomes YAML, so that it is
 * the policy's own code which judges. No state. */
#ifndef CTL_POLICY_TEXT_H
#define CTL_POLICY_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "classifier/policy.h"
#include "ctl/cli.h"

enum { CTL_POLICY_TEXT_MAX = 4096 };

/* Appends `KEY: ["a", "b"]` for "a,b" (behind up to 8 blanks), nothing for NULL or "". False: too
 * long, or a character that no name has. */
bool ctl_policy_text_list(
    char out[static CTL_POLICY_TEXT_MAX], unsigned indent, const char *key, const char *list);

/* Appends a group of what the list names: two letters are a country; vendor/product is that
 * product; any other word is a vendor's or a product's id. False as above. */
bool
ctl_policy_text_group(char out[static CTL_POLICY_TEXT_MAX], const char *name, const char *list);

/* The policy of such a text; its faults on stderr. The exit code. */
int ctl_policy_text_load(const char *what, const char *text, struct clf_policy **ret_policy);

#endif
