/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds DNS messages byte by byte (RFC 1035 4.1).
 */
#ifndef TESTS_UNIT_CLASSIFIER_DNS_BUILD_H
#define TESTS_UNIT_CLASSIFIER_DNS_BUILD_H

#include "tests/unit/classifier/tls_build.h"

static inline void
put_dns_head(struct buf *b, uint16_t id, uint16_t flags, uint16_t questions, uint16_t answers)
{
	put_be(b, id, 2);
	put_be(b, flags, 2);
	put_be(b, questions, 2);
	put_be(b, answers, 2);
	put_be(b, 0, 4);
}

/* "a.b" as labels, uncompressed. */
static inline void
put_dns_name(struct buf *b, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");

		put_be(b, n, 1);
		put(b, name, n);
		name += n + (name[n] == '.');
	}
	put_be(b, 0, 1);
}

static inline void
put_dns_question(struct buf *b, const char *name, uint16_t type)
{
	put_dns_name(b, name);
	put_be(b, type, 2);
	put_be(b, 1, 2);
}

/* What follows a record's owner. */
static inline void
put_dns_record(struct buf *b, uint16_t type, uint32_t ttl, const void *rdata, size_t len)
{
	put_be(b, type, 2);
	put_be(b, 1, 2);
	put_be(b, ttl, 4);
	put_be(b, len, 2);
	put(b, rdata, len);
}

#endif
