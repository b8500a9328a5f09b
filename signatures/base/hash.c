/* SPDX-License-Identifier: Apache-2.0 */
/* Seeds for the keyed hash, from the kernel. */
#include "signatures/base/hash.h"

#include <errno.h>
#include <sys/random.h>

int
sig_hash_seed(uint64_t ret_seed[2])
{
	uint64_t seed[2];
	ssize_t n;

	do
		n = getrandom(seed, sizeof(seed), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(seed))
		return n < 0 ? -errno : -EIO;
	memcpy(ret_seed, seed, sizeof(seed));
	return 0;
}
