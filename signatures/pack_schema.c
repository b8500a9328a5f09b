/* SPDX-License-Identifier: Apache-2.0 */
/* The pack format as a libcyaml schema; signatures/README.md says what each key means. */
#include <string.h>

#include "signatures/pack.h"

enum { ID_MAX = 64, TEXT_MAX = 512, NOTE_MAX = 4096, LIST_MAX = 2000000 };

/* Field by field rather than CYAML_FIELD_SEQUENCE: that one cannot name an array's element. */
#define LIST(name, k)                                                                             \
	{                                                                                         \
		.key = name, .data_offset = offsetof(struct pack_entry, key[k].v),                \
		.count_offset = offsetof(struct pack_entry, key[k].n),                            \
		.count_size = sizeof(unsigned), .value = {                                        \
			CYAML_VALUE_SEQUENCE(                                                     \
			    CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, char *, &word, 1, LIST_MAX) \
		}                                                                                 \
	}
#define ONE(name, k)                                                                          \
	{                                                                                     \
		.key = name, .data_offset = offsetof(struct pack_example, key[k]), .value = { \
			CYAML_VALUE_STRING(                                                   \
			    CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, char, 1, TEXT_MAX)      \
		}                                                                             \
	}
#define STR(type, name, member, flags, min, max) \
	CYAML_FIELD_STRING_PTR(name, CYAML_FLAG_POINTER | (flags), type, member, min, max)
#define MUST CYAML_FLAG_DEFAULT
#define MAY CYAML_FLAG_OPTIONAL

const char *const pack_key_names[PACK_KEYS] = { "host", "sni", "http_host", "qname", "cert_name",
	"path", "user_agent", "issuer", "subject", "alpn", "ja3", "ja4", "address", "port",
	"ndpi" };

const char *const pack_categories[] = { "av", "edr", "firewall", "proxy", "vpn", "mail", "dns",
	"siem", "vuln", "identity", "ndr", "waf", "cloud", "intel", "mdm", "dlp", "backup", "ot",
	"os", "other" };
const unsigned pack_categories_count = sizeof(pack_categories) / sizeof(pack_categories[0]);

static const cyaml_schema_value_t word = { CYAML_VALUE_STRING(
    CYAML_FLAG_POINTER, char, 1, TEXT_MAX) };

static const cyaml_strval_t functions[] = {
	{ "update", SIG_FN_UPDATE },
	{ "telemetry", SIG_FN_TELEMETRY },
	{ "cloud-lookup", SIG_FN_CLOUD_LOOKUP },
	{ "management", SIG_FN_MANAGEMENT },
	{ "licensing", SIG_FN_LICENSING },
	{ "crash-report", SIG_FN_CRASH_REPORT },
	{ "tunnel", SIG_FN_TUNNEL },
	{ "portal", SIG_FN_PORTAL },
	{ "mixed", SIG_FN_MIXED },
};

static const cyaml_strval_t caps[] = {
	{ "high", SIG_CONF_CERTAIN },
	{ "medium", SIG_CONF_STRONG },
	{ "low", SIG_CONF_INFERRED },
	{ "guess", SIG_CONF_GUESS },
};

static const cyaml_strval_t dirs[] = { { "up", PACK_UP }, { "down", PACK_DOWN } };

static const cyaml_schema_field_t payload_fields[] = {
	CYAML_FIELD_UINT("offset", MAY, struct pack_payload, offset),
	STR(struct pack_payload, "hex", hex, MAY, 2, NOTE_MAX),
	STR(struct pack_payload, "text", text, MAY, 1, TEXT_MAX),
	CYAML_FIELD_ENUM("dir", MAY | CYAML_FLAG_STRICT, struct pack_payload, dir, dirs, 2),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t payload = { CYAML_VALUE_MAPPING(
    CYAML_FLAG_DEFAULT, struct pack_payload, payload_fields) };

static const cyaml_schema_field_t entry_fields[] = {
	LIST("host", PACK_HOST),
	LIST("sni", PACK_SNI),
	LIST("http_host", PACK_HTTP_HOST),
	LIST("qname", PACK_QNAME),
	LIST("cert_name", PACK_CERT_NAME),
	LIST("path", PACK_PATH),
	LIST("user_agent", PACK_USER_AGENT),
	LIST("issuer", PACK_ISSUER),
	LIST("subject", PACK_SUBJECT),
	LIST("alpn", PACK_ALPN),
	LIST("ja3", PACK_JA3),
	LIST("ja4", PACK_JA4),
	LIST("address", PACK_ADDRESS),
	LIST("port", PACK_PORT),
	LIST("ndpi", PACK_NDPI),
	CYAML_FIELD_SEQUENCE(
	    "payload", CYAML_FLAG_POINTER | MAY, struct pack_entry, payload, &payload, 1, 8),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t entry = { CYAML_VALUE_MAPPING(
    CYAML_FLAG_DEFAULT, struct pack_entry, entry_fields) };

static const cyaml_schema_field_t valid_fields[] = {
	STR(struct pack_valid, "from", from, MAY, 1, 16),
	STR(struct pack_valid, "until", until, MAY, 1, 16),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t signature_fields[] = {
	STR(struct pack_signature, "id", id, MUST, 1, ID_MAX),
	STR(struct pack_signature, "product", product, MUST, 1, ID_MAX),
	CYAML_FIELD_ENUM("function", MUST | CYAML_FLAG_STRICT, struct pack_signature, function,
	    functions, sizeof(functions) / sizeof(functions[0])),
	CYAML_FIELD_ENUM("confidence", MUST | CYAML_FLAG_STRICT, struct pack_signature, confidence,
	    caps, sizeof(caps) / sizeof(caps[0])),
	CYAML_FIELD_SEQUENCE(
	    "match", CYAML_FLAG_POINTER, struct pack_signature, match, &entry, 1, LIST_MAX),
	CYAML_FIELD_SEQUENCE(
	    "except", CYAML_FLAG_POINTER | MAY, struct pack_signature, except, &entry, 1, 1000),
	STR(struct pack_signature, "source", source, MUST, 1, TEXT_MAX),
	STR(struct pack_signature, "reviewed", reviewed, MUST, 1, 16),
	STR(struct pack_signature, "note", note, MAY, 1, NOTE_MAX),
	CYAML_FIELD_BOOL("shared", MAY, struct pack_signature, shared),
	CYAML_FIELD_BOOL("oem", MAY, struct pack_signature, oem),
	CYAML_FIELD_BOOL("artefact", MAY, struct pack_signature, artefact),
	CYAML_FIELD_BOOL("by_label", MAY, struct pack_signature, by_label),
	CYAML_FIELD_MAPPING_PTR("valid", MAY, struct pack_signature, valid, valid_fields),
	CYAML_FIELD_SEQUENCE("allow_overlap", CYAML_FLAG_POINTER | MAY, struct pack_signature,
	    allow_overlap, &word, 1, 200),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t signature = { CYAML_VALUE_MAPPING(
    CYAML_FLAG_DEFAULT, struct pack_signature, signature_fields) };

static const cyaml_schema_field_t product_fields[] = {
	STR(struct pack_product, "id", id, MUST, 1, ID_MAX),
	STR(struct pack_product, "name", name, MUST, 1, TEXT_MAX),
	STR(struct pack_product, "category", category, MUST, 1, ID_MAX),
	STR(struct pack_product, "agents", agents, MAY, 1, ID_MAX),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t product = { CYAML_VALUE_MAPPING(
    CYAML_FLAG_DEFAULT, struct pack_product, product_fields) };

static const cyaml_schema_field_t vendor_fields[] = {
	STR(struct pack_vendor, "name", name, MUST, 1, TEXT_MAX),
	STR(struct pack_vendor, "owner", owner, MUST, 1, TEXT_MAX),
	STR(struct pack_vendor, "country", country, MUST, 1, 16),
	STR(struct pack_vendor, "owner_country", owner_country, MAY, 1, 16),
	STR(struct pack_vendor, "as_of", as_of, MUST, 1, 16),
	STR(struct pack_vendor, "source", source, MUST, 1, TEXT_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t example_fields[] = {
	ONE("host", PACK_HOST),
	ONE("sni", PACK_SNI),
	ONE("http_host", PACK_HTTP_HOST),
	ONE("qname", PACK_QNAME),
	ONE("cert_name", PACK_CERT_NAME),
	ONE("path", PACK_PATH),
	ONE("user_agent", PACK_USER_AGENT),
	ONE("issuer", PACK_ISSUER),
	ONE("subject", PACK_SUBJECT),
	ONE("alpn", PACK_ALPN),
	ONE("ja3", PACK_JA3),
	ONE("ja4", PACK_JA4),
	ONE("address", PACK_ADDRESS),
	ONE("port", PACK_PORT),
	ONE("ndpi", PACK_NDPI),
	STR(struct pack_example, "payload", payload, MAY, 2, NOTE_MAX),
	STR(struct pack_example, "payload_down", payload_down, MAY, 2, NOTE_MAX),
	STR(struct pack_example, "signature", signature, MAY, 1, 2 * ID_MAX),
	STR(struct pack_example, "note", note, MAY, 1, NOTE_MAX),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t example = { CYAML_VALUE_MAPPING(
    CYAML_FLAG_DEFAULT, struct pack_example, example_fields) };

static const cyaml_schema_field_t examples_fields[] = {
	CYAML_FIELD_SEQUENCE(
	    "match", CYAML_FLAG_POINTER | MAY, struct pack_examples, match, &example, 0, LIST_MAX),
	CYAML_FIELD_SEQUENCE("no_match", CYAML_FLAG_POINTER | MAY, struct pack_examples, no_match,
	    &example, 0, LIST_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t pack_fields[] = {
	CYAML_FIELD_UINT("format", MUST, struct pack, format),
	STR(struct pack, "pack", id, MUST, 1, ID_MAX),
	STR(struct pack, "version", version, MUST, 1, 32),
	CYAML_FIELD_MAPPING("vendor", MUST, struct pack, vendor, vendor_fields),
	CYAML_FIELD_SEQUENCE(
	    "products", CYAML_FLAG_POINTER, struct pack, products, &product, 1, 1000),
	CYAML_FIELD_SEQUENCE(
	    "signatures", CYAML_FLAG_POINTER, struct pack, signatures, &signature, 1, LIST_MAX),
	CYAML_FIELD_MAPPING_PTR("examples", MAY, struct pack, examples, examples_fields),
	CYAML_FIELD_END,
};

const cyaml_schema_value_t pack_schema = { CYAML_VALUE_MAPPING(
    CYAML_FLAG_POINTER, struct pack, pack_fields) };

uint32_t
pack_key_fields(enum pack_key k)
{
	static const uint32_t names = (2U << SIG_F_NAME_LAST) - 2;
	static const uint32_t fields[PACK_KEYS] = {
		[PACK_HOST] = names,
		[PACK_SNI] = 1U << SIG_F_TLS_SNI | 1U << SIG_F_QUIC_SNI,
		[PACK_HTTP_HOST] = 1U << SIG_F_HTTP_CONNECT | 1U << SIG_F_HTTP_URI |
				   1U << SIG_F_HTTP_HOST,
		[PACK_QNAME] = 1U << SIG_F_DNS_QNAME,
		[PACK_CERT_NAME] = 1U << SIG_F_TLS_CERT,
		[PACK_PATH] = 1U << SIG_F_HTTP_PATH,
		[PACK_USER_AGENT] = 1U << SIG_F_USER_AGENT,
		[PACK_ISSUER] = 1U << SIG_F_CERT_ISSUER,
		[PACK_SUBJECT] = 1U << SIG_F_CERT_SUBJECT,
		[PACK_ALPN] = 1U << SIG_F_ALPN,
		[PACK_JA3] = 1U << SIG_F_JA3,
		[PACK_JA4] = 1U << SIG_F_JA4,
		[PACK_ADDRESS] = 1U << SIG_F_ADDRESS,
		[PACK_PORT] = 1U << SIG_F_PORT,
		[PACK_NDPI] = 1U << SIG_F_NDPI,
	};

	return fields[k];
}

const struct pack_product *
pack_product_of(const struct pack *pack, const struct pack_signature *sig)
{
	return pack_product_by_id(pack, sig->product);
}

const struct pack_product *
pack_product_by_id(const struct pack *pack, const char *id)
{
	for (unsigned i = 0; i < pack->products_count; i++)
		if (strcmp(pack->products[i].id, id) == 0)
			return &pack->products[i];
	return NULL;
}
