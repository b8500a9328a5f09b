/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text from the network, made fit to be shown or stored (invariant 10).
 *
 * Any thread; the caller owns every buffer; nothing allocates.
 */
#ifndef SIGNATURES_BASE_TEXT_H
#define SIGNATURES_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIG_NAME_MAX = 255 }; /* a canonical host name without its trailing dot: RFC 1035 2.3.4 */

/*
 * Escapes bytes for a terminal or a store: printable ASCII but `\` stays as it is; `\` becomes
 * `\\`; every other byte (controls, DEL, 0x80-0xff) becomes `\xHH`. The result is NUL-terminated
 * printable ASCII, at most cap-1 bytes, cut at a whole escape. Returns the bytes written without
 * NUL.
 */
size_t sig_text_escape(char *out, size_t cap, const uint8_t *in, size_t len);

/*
 * Canonical form of a host name for matching: ASCII lower case, one trailing dot removed, a port
 * (":443") NOT handled here. Legal labels: 1-63 bytes of [a-z0-9_-], any position; whole name
 * 1-253 bytes. out needs SIG_NAME_MAX + 1 bytes. Returns the length, or -EINVAL when the name is
 * not a legal host name (it then matches no suffix rule; show it with sig_text_escape()).
 */
int sig_name_canonical(char out[static SIG_NAME_MAX + 1], const uint8_t *in, size_t len);

#endif
