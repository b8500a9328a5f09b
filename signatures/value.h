/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small values that packs hold: dates, countries, prefixes, ports, hex, expressions. Each
 * reader returns 0 or -EINVAL; where there are several reasons, *ret_why says which.
 */
#ifndef SIGNATURES_VALUE_H
#define SIGNATURES_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sig_prefix {
	uint8_t addr[16]; /* network order; bits past `bits` are 0 */
	uint8_t len;	  /* 4 or 16 bytes */
	uint8_t bits;
};

/* "2026-11-22" as 20261122, which sorts as dates do. Only days that exist. */
int sig_value_date(const char *s, uint32_t *ret_date);
/* Today in UTC. */
uint32_t sig_value_today(void);
/* An ISO 3166-1 alpha-2 code that is assigned. */
bool sig_value_is_country(const char *s);
/* [a-z0-9-]+, neither first nor last a hyphen. */
bool sig_value_is_id(const char *s);
/* "192.0.2.0/24", "2001:db8::/32" or a bare address. Shorter than /8 (v4) or /16 (v6) is refused.
 */
int sig_value_prefix(const char *s, struct sig_prefix *ret_prefix, const char **ret_why);
/* "tcp/443", "udp/53", "sctp/2905". */
int sig_value_port(const char *s, const char **ret_why);
/*
 * "de ad ?? ef": bytes into out, 0xff (or 0 for ??) into mask; both of `cap` bytes. mask NULL: no
 * ?? allowed. The number of bytes, or -EINVAL.
 */
int sig_value_hex(const char *s, uint8_t *out, uint8_t *mask, size_t cap, const char **ret_why);

/*
 * The expression for libhs that a pack's text stands for: `re:...` as it is, a literal escaped,
 * and anchored at the beginning when `anchored`. The caller frees it; NULL without memory.
 */
char *sig_value_expression(const char *s, bool anchored);
/* The same for bytes under a mask at an offset of a payload. */
char *sig_value_payload_expression(
    const uint8_t *bytes, const uint8_t *mask, size_t len, unsigned offset);
/* Whether libhs takes it: 0, or -EINVAL with libhs' words in why. */
int sig_value_check_expression(const char *expression, char *why, size_t cap);

#endif
