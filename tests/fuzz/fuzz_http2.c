/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 in clear: the same bytes whole, and shown piece by piece, give the same requests.
 */
#include <stdlib.h>

#include "classifier/observe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct clf_h2 *whole, *pieces;
static struct clf_h2_req req;

/* Requests in this prefix that were not read before; *ret_obs: how it ended. */
static unsigned
read_all(struct clf_h2 *h, const uint8_t *data, size_t size, enum clf_obs *ret_obs)
{
	unsigned n = 0;

	while ((*ret_obs = clf_h2_next(h, sig_bytes_of(data, size), &req)) == CLF_OBS_DONE) {
		if (req.have_authority && req.authority.len > 0 &&
		    strlen(req.authority.canonical) != (size_t)req.authority.len)
			abort();
		n++;
	}
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum clf_obs end_whole, end_pieces = CLF_OBS_MORE;
	unsigned n = 0;

	if (!whole) {
		whole = clf_h2_new();
		pieces = clf_h2_new();
	}
	clf_h2_reset(whole);
	clf_h2_reset(pieces);
	for (size_t at = 0; at < size && end_pieces == CLF_OBS_MORE; at += 1 + data[at] % 64)
		n += read_all(pieces, data, at, &end_pieces);
	if (end_pieces == CLF_OBS_MORE)
		n += read_all(pieces, data, size, &end_pieces);
	if (read_all(whole, data, size, &end_whole) != n || end_whole != end_pieces)
		abort();
	return 0;
}
