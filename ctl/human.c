/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes and times as a person reads and writes them. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "ctl/cli.h"
#include "ctl/proto/rfc3339.h"

#define US_PER_S 1000000ULL

uint64_t
ctl_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * US_PER_S + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t
ctl_steady_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * US_PER_S + (uint64_t)ts.tv_nsec / 1000;
}

static const char *
scaled(uint64_t n, const char *unit, char *out)
{
	static const char prefixes[] = "kMGTPE";
	double v = (double)n;
	int step = -1;

	while (v >= 999.5 && step < 5) {
		v /= 1000;
		step++;
	}
	if (step < 0)
		snprintf(
		    out, CTL_HUMAN_MAX, "%llu%s%s", (unsigned long long)n, *unit ? " " : "", unit);
	else
		snprintf(out, CTL_HUMAN_MAX, v < 9.95 ? "%.1f %c%s" : "%.0f %c%s", v,
		    prefixes[step], unit);
	return out;
}

int
ctl_host_compare(const char *a, const char *b)
{
	bool six_a = strchr(a, ':') != NULL, six_b = strchr(b, ':') != NULL;
	struct in6_addr in_a, in_b;
	int c;

	if (six_a != six_b)
		return six_a ? 1 : -1;
	if (!six_a)
		return strverscmp(a, b);
	if (inet_pton(AF_INET6, a, &in_a) == 1 && inet_pton(AF_INET6, b, &in_b) == 1 &&
	    (c = memcmp(&in_a, &in_b, sizeof(in_a))) != 0)
		return c;
	return strcmp(a, b);
}

const char *
ctl_human_bytes(uint64_t n, char out[static CTL_HUMAN_MAX])
{
	return scaled(n, "B", out);
}

const char *
ctl_human_count(uint64_t n, char out[static CTL_HUMAN_MAX])
{
	return scaled(n, "", out);
}

const char *
ctl_human_time(uint64_t us, char out[static CTL_HUMAN_MAX])
{
	char full[PROTO_TIME_LEN];

	if (us == 0) {
		out[0] = '\0';
		return out;
	}
	proto_time_format(us, full);
	full[10] = ' ';
	memcpy(out, full, 19);
	strcpy(out + 19, "Z");
	return out;
}

const char *
ctl_human_span(uint64_t s, char out[static CTL_HUMAN_MAX])
{
	unsigned long long d = s / 86400, h = s / 3600 % 24, m = s / 60 % 60;

	if (d > 0)
		snprintf(out, CTL_HUMAN_MAX, "%llud %lluh", d, h);
	else if (h > 0)
		snprintf(out, CTL_HUMAN_MAX, "%lluh %llum", h, m);
	else if (m > 0)
		snprintf(out, CTL_HUMAN_MAX, "%llum %llus", m, (unsigned long long)s % 60);
	else
		snprintf(out, CTL_HUMAN_MAX, "%llus", (unsigned long long)s);
	return out;
}

int
ctl_when(const char *s, uint64_t now_us, uint64_t *ret_us)
{
	static const struct {
		char letter;
		uint64_t s;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 7 * 86400 },
		{ 'y', 365 * 86400 } };
	const uint64_t day = 86400 * US_PER_S;
	uint64_t n = 0;
	const char *p = s;

	if (strcmp(s, "now") == 0 || strcmp(s, "today") == 0 || strcmp(s, "yesterday") == 0) {
		*ret_us = *s == 'n' ? now_us : now_us / day * day - (*s == 'y' ? day : 0);
		return 0;
	}
	for (; *p >= '0' && *p <= '9' && n < 1000000000; p++)
		n = n * 10 + (uint64_t)(*p - '0');
	for (size_t i = 0; p != s && i < sizeof(units) / sizeof(units[0]); i++) {
		if (p[0] != units[i].letter || p[1] != '\0')
			continue;
		uint64_t unit = units[i].s * US_PER_S;
		*ret_us = n <= now_us / unit ? now_us - n * unit : 0;
		return 0;
	}
	return proto_time_parse(s, ret_us);
}
