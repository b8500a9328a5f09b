/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy file's shape, for sig_yaml_load(): which keys there are and what kind of value each
 * takes. What the values mean is policy_compile.c's business. Described in phonehome-policy(5).
 */
#include "classifier/policy_impl.h"

#define OPT (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)

static const cyaml_schema_value_t word_schema = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, 256),
};

/* A list of words, kept in a struct pol_list. */
#define LIST(name_, struct_, member_)                                                                \
	{                                                                                            \
		.key = name_,                                                                      \
		.value = {                                                                         \
			.type = CYAML_SEQUENCE,                                                    \
			.flags = OPT,                                                              \
			.data_size = sizeof(char *),                                               \
			.sequence = { .entry = &word_schema, .min = 1, .max = 4096 },              \
		},                                                                                 \
		.data_offset = offsetof(struct_, member_.item),                                    \
		.count_offset = offsetof(struct_, member_.n),                                      \
		.count_size = sizeof(((struct_ *)0)->member_.n), \
	}

static const cyaml_schema_field_t when_fields[] = {
	CYAML_FIELD_STRING_PTR("from", OPT, struct pol_doc_when, from, 1, 64),
	CYAML_FIELD_STRING_PTR("until", OPT, struct pol_doc_when, until, 1, 64),
	CYAML_FIELD_STRING_PTR("zone", OPT, struct pol_doc_when, zone, 1, 64),
	LIST("days", struct pol_doc_when, days),
	LIST("hours", struct pol_doc_when, hours),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t cond_fields[] = {
	LIST("vendor", struct pol_doc_cond, vendor),
	LIST("owner", struct pol_doc_cond, owner),
	LIST("country", struct pol_doc_cond, country),
	LIST("owner_country", struct pol_doc_cond, owner_country),
	LIST("product", struct pol_doc_cond, product),
	LIST("category", struct pol_doc_cond, category),
	LIST("function", struct pol_doc_cond, function),
	LIST("group", struct pol_doc_cond, group),
	LIST("host", struct pol_doc_cond, host),
	LIST("outside", struct pol_doc_cond, outside),
	LIST("vlan", struct pol_doc_cond, vlan),
	LIST("protocol", struct pol_doc_cond, protocol),
	CYAML_FIELD_STRING_PTR("min_confidence", OPT, struct pol_doc_cond, min_confidence, 1, 64),
	CYAML_FIELD_MAPPING_PTR("when", OPT, struct pol_doc_cond, when, when_fields),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t cond_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct pol_doc_cond, cond_fields),
};

static const cyaml_schema_field_t rule_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct pol_doc_rule, name, 1, 64),
	CYAML_FIELD_STRING_PTR("note", OPT, struct pol_doc_rule, note, 0, 4096),
	CYAML_FIELD_MAPPING("match", CYAML_FLAG_DEFAULT, struct pol_doc_rule, match, cond_fields),
	{
	    .key = "except",
	    .value = {
		.type = CYAML_SEQUENCE,
		.flags = OPT,
		.data_size = sizeof(struct pol_doc_cond),
		.sequence = { .entry = &cond_schema, .min = 1, .max = POL_EXCEPT_MAX },
	    },
	    .data_offset = offsetof(struct pol_doc_rule, except),
	    .count_offset = offsetof(struct pol_doc_rule, n_except),
	    .count_size = sizeof(unsigned),
	},
	CYAML_FIELD_STRING_PTR("action", CYAML_FLAG_POINTER, struct pol_doc_rule, action, 1, 64),
	CYAML_FIELD_STRING_PTR("state", OPT, struct pol_doc_rule, state, 1, 64),
	CYAML_FIELD_BOOL("reject", CYAML_FLAG_OPTIONAL, struct pol_doc_rule, reject),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t rule_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct pol_doc_rule, rule_fields),
};

static const cyaml_schema_field_t group_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct pol_doc_group, name, 1, 64),
	LIST("countries", struct pol_doc_group, countries),
	LIST("vendors", struct pol_doc_group, vendors),
	LIST("products", struct pol_doc_group, products),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t group_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct pol_doc_group, group_fields),
};

static const cyaml_schema_field_t doc_fields[] = {
	CYAML_FIELD_UINT("format", CYAML_FLAG_DEFAULT, struct pol_doc, format),
	CYAML_FIELD_STRING_PTR("mode", OPT, struct pol_doc, mode, 1, 64),
	{
	    .key = "groups",
	    .value = {
		.type = CYAML_SEQUENCE,
		.flags = OPT,
		.data_size = sizeof(struct pol_doc_group),
		.sequence = { .entry = &group_schema, .min = 0, .max = POL_GROUPS_MAX },
	    },
	    .data_offset = offsetof(struct pol_doc, groups),
	    .count_offset = offsetof(struct pol_doc, n_groups),
	    .count_size = sizeof(unsigned),
	},
	{
	    .key = "rules",
	    .value = {
		.type = CYAML_SEQUENCE,
		.flags = OPT,
		.data_size = sizeof(struct pol_doc_rule),
		.sequence = { .entry = &rule_schema, .min = 0, .max = POL_RULES_MAX },
	    },
	    .data_offset = offsetof(struct pol_doc, rules),
	    .count_offset = offsetof(struct pol_doc, n_rules),
	    .count_size = sizeof(unsigned),
	},
	CYAML_FIELD_END,
};

const cyaml_schema_value_t pol_doc_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct pol_doc, doc_fields),
};
