/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times as the interfaces spell them: RFC 3339, UTC, microseconds, `2026-11-22T23:15:22.123456Z`.
 * Inside the program a time is microseconds since 1970; 0 is "not known". Any thread.
 */
#ifndef CTL_PROTO_RFC3339_H
#define CTL_PROTO_RFC3339_H

#include <stddef.h>
#include <stdint.h>

enum { PROTO_TIME_LEN = 28 }; /* with the NUL, for the years 0..9999 */

/* Always writes PROTO_TIME_LEN - 1 characters; a time after the year 9999 is cut to its last
 * second. */
void proto_time_format(uint64_t us, char out[static PROTO_TIME_LEN]);

/*
 * A point in time: `YYYY-MM-DD`, `YYYY-MM-DD[T ]HH:MM[:SS[.frac]]` with `Z`, `+HH:MM` or nothing
 * (UTC) behind it. 0, or -EINVAL; *ret_us untouched on failure. Times before 1970 are refused.
 */
int proto_time_parse(const char *s, uint64_t *ret_us);

/* Days since 1970 of a civil date and back (proleptic Gregorian). */
int64_t proto_days_from_civil(int64_t y, unsigned m, unsigned d);
void proto_civil_from_days(int64_t days, int64_t *ret_y, unsigned *ret_m, unsigned *ret_d);

#endif
