/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host names of public resolvers that speak DNS over HTTPS: a TLS or QUIC flow to one is encrypted
 * DNS, whatever its port. Names are canonical. Any thread.
 */
#ifndef CLASSIFIER_RESOLVERS_H
#define CLASSIFIER_RESOLVERS_H

#include <stdbool.h>
#include <stddef.h>

bool clf_is_resolver(const char *name, size_t len);

#endif
