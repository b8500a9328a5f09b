/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small values of a policy file: networks, dates, hours, words. Set-up time only, but for
 * pol_word_of(), which a decision calls on the words of the signature that matched.
 */
#include "classifier/policy_impl.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct pol_word
pol_word_of(const char *text)
{
	struct pol_word w = { .text = text };
	size_t len = strlen(text);

	memcpy(&w.key, text, len < 8 ? len : 8);
	w.key = (w.key | 0x2020202020202020ULL) ^ ((uint64_t)len * 0x9e3779b97f4a7c15ULL);
	return w;
}

/* Digits only, at most max: strtoul() would take signs and spaces. */
static bool
parse_number(const char *text, unsigned max, unsigned *ret)
{
	unsigned long v = 0;

	if (*text == '\0')
		return false;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text))
			return false;
		v = v * 10 + (unsigned long)(*text - '0');
		if (v > max)
			return false;
	}
	*ret = (unsigned)v;
	return true;
}

bool
pol_parse_net(const char *text, struct pol_net *ret)
{
	struct pol_net net = { 0 };
	char addr[64];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	unsigned prefix, max;

	if (len == 0 || len >= sizeof(addr))
		return false;
	memcpy(addr, text, len);
	addr[len] = '\0';
	if (inet_pton(AF_INET, addr, net.addr) == 1)
		net.ip_version = 4;
	else if (inet_pton(AF_INET6, addr, net.addr) == 1)
		net.ip_version = 6;
	else
		return false;
	max = net.ip_version == 4 ? 32 : 128;
	prefix = max;
	if (slash && !parse_number(slash + 1, max, &prefix))
		return false;
	net.prefix = (uint8_t)prefix;
	/* A network with host bits set is a slip of the pen; which network was meant is not known.
	 */
	for (unsigned bit = prefix; bit < max; bit++)
		if (net.addr[bit / 8] & (0x80u >> (bit % 8)))
			return false;
	*ret = net;
	return true;
}

/* n digits at *p, which moves past them. */
static bool
take_digits(const char **p, unsigned n, int *ret)
{
	int v = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!isdigit((unsigned char)(*p)[i]))
			return false;
		v = v * 10 + ((*p)[i] - '0');
	}
	*p += n;
	*ret = v;
	return true;
}

static bool
take_char(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static bool
take_minutes(const char **p, int max, int *ret)
{
	int h, m;

	if (!take_digits(p, 2, &h) || !take_char(p, ':') || !take_digits(p, 2, &m) || m > 59)
		return false;
	if (h * 60 + m > max)
		return false;
	*ret = h * 60 + m;
	return true;
}

bool
pol_parse_zone(const char *text, int32_t *ret_s)
{
	int sign = *text == '-' ? -1 : 1, minutes;

	if (strcasecmp(text, "utc") == 0 || strcmp(text, "Z") == 0) {
		*ret_s = 0;
		return true;
	}
	if (*text != '+' && *text != '-')
		return false;
	text++;
	if (!take_minutes(&text, 14 * 60, &minutes) || *text != '\0')
		return false;
	*ret_s = sign * minutes * 60;
	return true;
}

/* Days since 1970-01-01 of a Gregorian date (H. Hinnant, "chrono-compatible date algorithms"). */
static int64_t
days_from_civil(int year, int month, int day)
{
	int y = month <= 2 ? year - 1 : year;
	int era = y / 400;
	int yoe = y - era * 400;
	int doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return (int64_t)era * 146097 + doe - 719468;
}

static bool
date_exists(int year, int month, int day)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	if (year < 1970 || month < 1 || month > 12 || day < 1)
		return false;
	return day <= days[month - 1] + (month == 2 && leap);
}

/* "2026-12-01", "2026-12-01T08:00", "2026-12-01T08:00:00", each also with Z or an offset. */
bool
pol_parse_time(const char *text, int32_t zone_s, uint64_t *ret_us)
{
	int year, month, day, minutes = 0, seconds = 0;
	int64_t t;

	if (!take_digits(&text, 4, &year) || !take_char(&text, '-') ||
	    !take_digits(&text, 2, &month) || !take_char(&text, '-') ||
	    !take_digits(&text, 2, &day) || !date_exists(year, month, day))
		return false;
	if (*text == 'T' || *text == ' ') {
		text++;
		if (!take_minutes(&text, 24 * 60 - 1, &minutes))
			return false;
		if (take_char(&text, ':') && (!take_digits(&text, 2, &seconds) || seconds > 59))
			return false;
	}
	if (*text != '\0' && !pol_parse_zone(text, &zone_s))
		return false;
	t = days_from_civil(year, month, day) * 86400 + minutes * 60 + seconds - zone_s;
	*ret_us = t < 0 ? 0 : (uint64_t)t * 1000000;
	return true;
}

bool
pol_parse_hours(const char *text, uint16_t *ret_from, uint16_t *ret_until)
{
	int from, until;

	if (!take_minutes(&text, 24 * 60 - 1, &from) || !take_char(&text, '-') ||
	    !take_minutes(&text, 24 * 60, &until) || *text != '\0' || from == until)
		return false;
	*ret_from = (uint16_t)from;
	*ret_until = (uint16_t)until;
	return true;
}

bool
pol_parse_day(const char *text, uint8_t *ret_day)
{
	static const char *const days[] = { "sunday", "monday", "tuesday", "wednesday", "thursday",
		"friday", "saturday" };

	for (uint8_t i = 0; i < 7; i++)
		if (strcasecmp(text, days[i]) == 0 ||
		    (strlen(text) == 3 && strncasecmp(text, days[i], 3) == 0)) {
			*ret_day = i;
			return true;
		}
	return false;
}

bool
pol_parse_protocol(const char *text, uint8_t *ret)
{
	static const struct {
		const char *name;
		uint8_t number;
	} known[] = { { "icmp", 1 }, { "tcp", 6 }, { "udp", 17 }, { "dccp", 33 }, { "gre", 47 },
		{ "esp", 50 }, { "ah", 51 }, { "icmpv6", 58 }, { "sctp", 132 },
		{ "udplite", 136 } };
	unsigned n;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcasecmp(text, known[i].name) == 0) {
			*ret = known[i].number;
			return true;
		}
	if (!parse_number(text, 255, &n))
		return false;
	*ret = (uint8_t)n;
	return true;
}

bool
pol_parse_vlan(const char *text, uint16_t *ret)
{
	unsigned n;

	if (!parse_number(text, 4094, &n))
		return false;
	*ret = (uint16_t)n;
	return true;
}

bool
pol_is_country(const char *text)
{
	return isalpha((unsigned char)text[0]) && text[0] > 0 && isalpha((unsigned char)text[1]) &&
	       text[2] == '\0';
}

void
pol_fault(
    const struct pol_where *w, enum sig_severity severity, const char *node, const char *fmt, ...)
{
	unsigned line = 0, col = 0;
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (sig_yaml_locate(w->text, w->len, node, &line, &col) < 0)
		sig_diag_add(w->diag, severity, w->path, 0, 0, "%s: %s", node, text);
	else
		sig_diag_add(w->diag, severity, w->path, line, col, "%s", text);
}
