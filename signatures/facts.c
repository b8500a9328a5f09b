/* SPDX-License-Identifier: Apache-2.0 */
/* The spellings of fields, functions and confidences, and what each field's evidence is worth. */
#include "signatures/facts.h"

#include <string.h>

static const struct {
	const char *name;
	enum sig_confidence grade;
} fields[SIG_F_MAX] = {
	[SIG_F_NONE] = { "none", SIG_CONF_NONE },
	[SIG_F_TLS_SNI] = { "tls.sni", SIG_CONF_CERTAIN },
	[SIG_F_QUIC_SNI] = { "quic.sni", SIG_CONF_CERTAIN },
	[SIG_F_HTTP_CONNECT] = { "http.connect", SIG_CONF_CERTAIN },
	[SIG_F_HTTP_URI] = { "http.uri", SIG_CONF_CERTAIN },
	[SIG_F_HTTP_HOST] = { "http.host", SIG_CONF_CERTAIN },
	[SIG_F_DNS_QNAME] = { "dns.qname", SIG_CONF_CERTAIN },
	[SIG_F_TLS_CERT] = { "tls.cert", SIG_CONF_STRONG },
	[SIG_F_DNS_MEMORY] = { "dns.memory", SIG_CONF_INFERRED },
	[SIG_F_HTTP_PATH] = { "http.path", SIG_CONF_CERTAIN },
	[SIG_F_USER_AGENT] = { "http.user_agent", SIG_CONF_CERTAIN },
	[SIG_F_CERT_ISSUER] = { "tls.issuer", SIG_CONF_STRONG },
	[SIG_F_CERT_SUBJECT] = { "tls.subject", SIG_CONF_STRONG },
	[SIG_F_ALPN] = { "tls.alpn", SIG_CONF_STRONG },
	[SIG_F_JA3] = { "tls.ja3", SIG_CONF_STRONG },
	[SIG_F_JA4] = { "tls.ja4", SIG_CONF_STRONG },
	[SIG_F_PAYLOAD] = { "payload", SIG_CONF_STRONG },
	[SIG_F_PAYLOAD_DOWN] = { "payload.down", SIG_CONF_STRONG },
	[SIG_F_ADDRESS] = { "address", SIG_CONF_INFERRED },
	[SIG_F_PORT] = { "port", SIG_CONF_GUESS },
	[SIG_F_NDPI] = { "ndpi", SIG_CONF_GUESS },
};

static const char *const functions[SIG_FN_MAX] = {
	[SIG_FN_NONE] = "none",
	[SIG_FN_UPDATE] = "update",
	[SIG_FN_TELEMETRY] = "telemetry",
	[SIG_FN_CLOUD_LOOKUP] = "cloud-lookup",
	[SIG_FN_MANAGEMENT] = "management",
	[SIG_FN_LICENSING] = "licensing",
	[SIG_FN_CRASH_REPORT] = "crash-report",
	[SIG_FN_TUNNEL] = "tunnel",
	[SIG_FN_PORTAL] = "portal",
	[SIG_FN_MIXED] = "mixed",
};

static const char *const confidences[SIG_CONF_MAX] = {
	[SIG_CONF_NONE] = "none",
	[SIG_CONF_GUESS] = "guess",
	[SIG_CONF_INFERRED] = "inferred",
	[SIG_CONF_STRONG] = "strong",
	[SIG_CONF_CERTAIN] = "certain",
};

const char *
sig_field_name(enum sig_field f)
{
	return (unsigned)f < SIG_F_MAX ? fields[f].name : fields[SIG_F_NONE].name;
}

const char *
sig_function_name(enum sig_function f)
{
	return (unsigned)f < SIG_FN_MAX ? functions[f] : functions[SIG_FN_NONE];
}

const char *
sig_confidence_name(enum sig_confidence c)
{
	return (unsigned)c < SIG_CONF_MAX ? confidences[c] : confidences[SIG_CONF_NONE];
}

enum sig_field
sig_field_parse(const char *s)
{
	for (unsigned i = SIG_F_NONE + 1; i < SIG_F_MAX; i++)
		if (strcmp(s, fields[i].name) == 0)
			return (enum sig_field)i;
	return SIG_F_NONE;
}

/* The index of a spelling past the first, which stands for none; 0 when there is none. */
static unsigned
spelled(const char *s, const char *const *words, unsigned n)
{
	for (unsigned i = 1; i < n; i++)
		if (strcmp(s, words[i]) == 0)
			return i;
	return 0;
}

enum sig_function
sig_function_parse(const char *s)
{
	return (enum sig_function)spelled(s, functions, SIG_FN_MAX);
}

enum sig_confidence
sig_confidence_parse(const char *s)
{
	return (enum sig_confidence)spelled(s, confidences, SIG_CONF_MAX);
}

enum sig_confidence
sig_field_grade(enum sig_field f)
{
	return (unsigned)f < SIG_F_MAX ? fields[f].grade : SIG_CONF_NONE;
}
