/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A datagram of Google's QUIC: header, frames and tags in clear. The same bytes after a hello's
 * magic go to the reader of tags alone, as Q050's CRYPTO frames give them.
 */
#include <stdlib.h>

#include "classifier/quic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct clf_tls_hello hello;

static void
check(enum clf_obs obs)
{
	if (obs == CLF_OBS_MORE)
		abort();
	if (obs == CLF_OBS_DONE && hello.have_sni && hello.sni.len > 0 &&
	    strlen(hello.sni.canonical) != (size_t)hello.sni.len)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sig_bytes in = sig_bytes_of(data, size), frames = in, chunk;
	uint64_t off;

	check(clf_gquic_hello(in, &hello));
	check(clf_gquic_chlo(in, &hello));
	while (clf_gquic_next_crypto(&frames, &off, &chunk) == CLF_QUIC_FRAME_CRYPTO) {
		if (sig_bytes_left(&chunk) > size)
			abort();
	}
	return 0;
}
