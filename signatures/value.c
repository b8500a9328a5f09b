/* SPDX-License-Identifier: Apache-2.0 */
/* Readers of the small values that packs hold. */
#include "signatures/value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int
fault(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EINVAL;
}

/* n digits as a number, or -1. */
static int
digits(const char *s, int n)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (s[i] - '0');
	}
	return v;
}

int
sig_value_date(const char *s, uint32_t *ret_date)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int y, m, d;
	bool leap;

	if (strlen(s) != 10 || s[4] != '-' || s[7] != '-')
		return -EINVAL;
	y = digits(s, 4);
	m = digits(s + 5, 2);
	d = digits(s + 8, 2);
	if (y < 1970 || m < 1 || m > 12 || d < 1)
		return -EINVAL;
	leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
	if (d > days[m - 1] + (m == 2 && leap))
		return -EINVAL;
	*ret_date = (uint32_t)(y * 10000 + m * 100 + d);
	return 0;
}

uint32_t
sig_value_today(void)
{
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	return (uint32_t)((tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday);
}

bool
sig_value_is_country(const char *s)
{
	static const char codes[] = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE "
				    "BF BG BH BI BJ BL BM BN BO "
				    "BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO "
				    "CR CU CV CW CX CY CZ DE DJ "
				    "DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD "
				    "GE GF GG GH GI GL GM GN GP "
				    "GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ "
				    "IR IS IT JE JM JO JP KE KG "
				    "KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY "
				    "MA MC MD ME MF MG MH MK ML "
				    "MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI "
				    "NL NO NP NR NU NZ OM PA PE "
				    "PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB "
				    "SC SD SE SG SH SI SJ SK SL "
				    "SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN "
				    "TO TR TT TV TW TZ UA UG UM "
				    "US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW ";

	if (strlen(s) != 2)
		return false;
	for (const char *c = codes; *c; c += 3)
		if (c[0] == s[0] && c[1] == s[1])
			return true;
	return false;
}

bool
sig_value_is_id(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && s[0] != '-' && s[n - 1] != '-' &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

int
sig_value_prefix(const char *s, struct sig_prefix *ret_prefix, const char **ret_why)
{
	char addr[INET6_ADDRSTRLEN];
	const char *slash = strchr(s, '/');
	size_t n = slash ? (size_t)(slash - s) : strlen(s);
	struct sig_prefix p = { 0 };

	if (n == 0 || n >= sizeof(addr))
		return fault(ret_why, "is no IPv4 or IPv6 prefix");
	memcpy(addr, s, n);
	addr[n] = '\0';
	if (inet_pton(AF_INET, addr, p.addr) == 1)
		p.len = 4;
	else if (inet_pton(AF_INET6, addr, p.addr) == 1)
		p.len = 16;
	else
		return fault(ret_why, "is no IPv4 or IPv6 prefix");
	p.bits = (uint8_t)(p.len * 8);
	if (slash) {
		size_t nd = strlen(slash + 1);
		int bits = nd >= 1 && nd <= 3 ? digits(slash + 1, (int)nd) : -1;

		if (bits < 0 || bits > p.len * 8)
			return fault(ret_why, "has a wrong prefix length");
		p.bits = (uint8_t)bits;
	}
	if (p.bits < (p.len == 4 ? 8 : 16))
		return fault(
		    ret_why, "is too wide to be one vendor's: at least /8, or /16 for IPv6");
	for (unsigned i = p.bits; i < p.len * 8U; i++)
		if (p.addr[i / 8] & (0x80 >> (i % 8)))
			return fault(ret_why, "has bits set beyond its prefix length");
	*ret_prefix = p;
	return 0;
}

int
sig_value_port(const char *s, const char **ret_why)
{
	const char *slash = strchr(s, '/');
	size_t n;
	int port;

	if (!slash || !((slash - s == 3 && (!strncmp(s, "tcp", 3) || !strncmp(s, "udp", 3))) ||
			  (slash - s == 4 && !strncmp(s, "sctp", 4))))
		return fault(ret_why, "is no port: write it as tcp/443 or udp/53");
	n = strlen(slash + 1);
	port = n >= 1 && n <= 5 && slash[1] != '0' ? digits(slash + 1, (int)n) : -1;
	if (port < 1 || port > 65535)
		return fault(ret_why, "has no port number from 1 to 65535");
	return 0;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int
sig_value_hex(const char *s, uint8_t *out, uint8_t *mask, size_t cap, const char **ret_why)
{
	size_t n = 0;

	for (; *s; s++) {
		bool any = s[0] == '?' && s[1] == '?';
		int hi = hex_digit(s[0]), lo = s[0] ? hex_digit(s[1]) : -1;

		if (*s == ' ')
			continue;
		if (!(any && mask) && (hi < 0 || lo < 0))
			return fault(ret_why, mask ? "is no hex: pairs of hex digits, or ??"
						   : "is no hex: pairs of hex digits");
		if (n == cap)
			return fault(ret_why, "has too many bytes");
		out[n] = any ? 0 : (uint8_t)(hi << 4 | lo);
		if (mask)
			mask[n] = any ? 0 : 0xff;
		n++;
		s++;
	}
	return n ? (int)n : fault(ret_why, "has no bytes");
}

char *
sig_value_expression(const char *s, bool anchored)
{
	static const char hex[] = "0123456789abcdef";
	char *e, *at;

	if (strncmp(s, "re:", 3) == 0)
		return strdup(s + 3);
	e = at = malloc(4 * strlen(s) + 2);
	if (!e)
		return NULL;
	if (anchored)
		*at++ = '^';
	for (; *s; s++) {
		if (isalnum((unsigned char)*s)) {
			*at++ = *s;
			continue;
		}
		*at++ = '\\';
		*at++ = 'x';
		*at++ = hex[(unsigned char)*s >> 4];
		*at++ = hex[*s & 15];
	}
	*at = '\0';
	return e;
}

char *
sig_value_payload_expression(const uint8_t *bytes, const uint8_t *mask, size_t len, unsigned offset)
{
	size_t cap = 4 * len + 16;
	char *e = malloc(cap);
	size_t n = 0;

	if (!e)
		return NULL;
	n += (size_t)snprintf(e, cap, "^");
	if (offset > 0)
		n += (size_t)snprintf(e + n, cap - n, ".{%u}", offset);
	for (size_t i = 0; i < len; i++) {
		if (mask && mask[i] == 0)
			n += (size_t)snprintf(e + n, cap - n, ".");
		else
			n += (size_t)snprintf(e + n, cap - n, "\\x%02x", bytes[i]);
	}
	return e;
}

int
sig_value_check_expression(const char *expression, char *why, size_t cap)
{
	hs_expr_info_t *info = NULL;
	hs_compile_error_t *fault = NULL;

	if (hs_expression_info(expression, HS_FLAG_DOTALL | HS_FLAG_SINGLEMATCH, &info, &fault) ==
	    HS_SUCCESS) {
		unsigned least = info->min_width;

		free(info);
		if (least > 0)
			return 0;
		snprintf(why, cap, "it matches the empty text");
		return -EINVAL;
	}
	snprintf(why, cap, "%s", fault && fault->message ? fault->message : "libhs refuses it");
	hs_free_compile_error(fault);
	return -EINVAL;
}
