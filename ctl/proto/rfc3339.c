/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RFC 3339 both ways. Our own civil calendar arithmetic, so that neither the locale nor the
 * process's time zone has a say and no C library call is needed per record.
 */
#include "ctl/proto/rfc3339.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define US_PER_S 1000000ULL
#define S_PER_DAY 86400ULL
/* 9999-12-31T23:59:59.999999Z */
#define LAST_US (253402300799ULL * US_PER_S + 999999ULL)

static void
two_digits(char *out, unsigned v)
{
	out[0] = (char)('0' + v / 10 % 10);
	out[1] = (char)('0' + v % 10);
}

void
proto_time_format(uint64_t us, char out[static PROTO_TIME_LEN])
{
	int64_t y;
	unsigned mon, day;

	if (us > LAST_US)
		us = LAST_US;
	uint64_t s = us / US_PER_S;
	unsigned frac = (unsigned)(us % US_PER_S);
	unsigned sod = (unsigned)(s % S_PER_DAY);

	proto_civil_from_days((int64_t)(s / S_PER_DAY), &y, &mon, &day);
	memcpy(out, "0000-00-00T00:00:00.000000Z", PROTO_TIME_LEN);
	two_digits(out, (unsigned)(y / 100));
	two_digits(out + 2, (unsigned)(y % 100));
	two_digits(out + 5, mon);
	two_digits(out + 8, day);
	two_digits(out + 11, sod / 3600);
	two_digits(out + 14, sod / 60 % 60);
	two_digits(out + 17, sod % 60);
	two_digits(out + 20, frac / 10000);
	two_digits(out + 22, frac / 100 % 100);
	two_digits(out + 24, frac % 100);
}

/* Exactly n digits at *s; moves past them. */
static bool
digits(const char **s, unsigned n, unsigned *ret)
{
	unsigned v = 0;

	for (unsigned i = 0; i < n; i++) {
		if (**s < '0' || **s > '9')
			return false;
		v = v * 10 + (unsigned)(*(*s)++ - '0');
	}
	*ret = v;
	return true;
}

static bool
eat(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

/* ".123456": as many digits as there are, cut after microseconds. */
static bool
fraction(const char **s, uint64_t *ret_us)
{
	uint64_t us = 0, unit = 100000;
	const char *from = *s;

	for (; **s >= '0' && **s <= '9'; (*s)++, unit /= 10)
		us += unit * (uint64_t)(**s - '0');
	*ret_us = us;
	return *s != from;
}

static bool
zone(const char **s, int64_t *ret_offset_s)
{
	unsigned h, m;
	int sign;

	*ret_offset_s = 0;
	if (**s == 'Z' || **s == 'z') {
		(*s)++;
		return true;
	}
	if (**s != '+' && **s != '-')
		return true;
	sign = *(*s)++ == '-' ? -1 : 1;
	if (!digits(s, 2, &h) || !eat(s, ':') || !digits(s, 2, &m) || h > 23 || m > 59)
		return false;
	*ret_offset_s = sign * (int64_t)(h * 3600 + m * 60);
	return true;
}

static bool
clock_part(const char **s, uint64_t *ret_s, uint64_t *ret_us)
{
	unsigned h, m, sec = 0;

	*ret_us = 0;
	if (!digits(s, 2, &h) || !eat(s, ':') || !digits(s, 2, &m) || h > 23 || m > 59)
		return false;
	if (eat(s, ':')) {
		if (!digits(s, 2, &sec) || sec > 60)
			return false;
		if (eat(s, '.') && !fraction(s, ret_us))
			return false;
	}
	*ret_s = h * 3600ULL + m * 60ULL + sec;
	return true;
}

int
proto_time_parse(const char *s, uint64_t *ret_us)
{
	static const unsigned char days_in[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	unsigned y, mon, day;
	uint64_t sod = 0, us = 0;
	int64_t offset = 0;

	if (!digits(&s, 4, &y) || !eat(&s, '-') || !digits(&s, 2, &mon) || !eat(&s, '-') ||
	    !digits(&s, 2, &day))
		return -EINVAL;
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
	if (mon < 1 || mon > 12 || day < 1 || day > days_in[mon - 1] + (leap && mon == 2 ? 1u : 0u))
		return -EINVAL;
	if (*s == 'T' || *s == 't' || *s == ' ') {
		s++;
		if (!clock_part(&s, &sod, &us) || !zone(&s, &offset))
			return -EINVAL;
	}
	if (*s != '\0')
		return -EINVAL;
	int64_t at = proto_days_from_civil(y, mon, day) * (int64_t)S_PER_DAY + (int64_t)sod -
		     offset;
	if (at < 0)
		return -EINVAL;
	*ret_us = (uint64_t)at * US_PER_S + us;
	return 0;
}

/* Howard Hinnant's days_from_civil: eras of 400 years that begin on the first of March. */
int64_t
proto_days_from_civil(int64_t y, unsigned m, unsigned d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	unsigned yoe = (unsigned)(y - era * 400);
	unsigned doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return era * 146097 + (int64_t)doe - 719468;
}

void
proto_civil_from_days(int64_t days, int64_t *ret_y, unsigned *ret_m, unsigned *ret_d)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	unsigned doe = (unsigned)(days - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;

	*ret_d = doy - (153 * mp + 2) / 5 + 1;
	*ret_m = mp < 10 ? mp + 3 : mp - 9;
	*ret_y = (int64_t)yoe + era * 400 + (*ret_m <= 2);
}
