/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS messages, and the memory that learns from whatever they claim.
 */
#include <stdlib.h>

#include "classifier/dns_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct clf_dns_memory *memory;
static struct clf_dns_msg msg;

static void
check_name(const struct clf_name *n)
{
	if (n->len >= 0 && strlen(n->canonical) != (size_t)n->len)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct clf_addr client = { { 10, 0, 0, 1 } };
	enum clf_obs obs;

	if (!memory)
		memory = clf_dns_memory_new(64, 1);
	obs = clf_dns_message(sig_bytes_of(data, size), &msg);
	if (obs == CLF_OBS_MORE || msg.n_answers > CLF_DNS_ANSWERS_MAX)
		abort();
	if (obs == CLF_OBS_NOT_MINE)
		return 0;
	if (msg.have_qname) {
		check_name(&msg.qname);
		if (msg.qname.raw_len > 4 * 255)
			abort();
	}
	for (unsigned i = 0; i < msg.n_answers; i++) {
		bool several = false;
		struct clf_addr server = { { 0 } };

		check_name(&msg.answers[i].owner);
		check_name(&msg.answers[i].target);
		memcpy(server.bytes, msg.answers[i].addr, msg.answers[i].addr_len);
		clf_dns_memory_find(memory, 4, &client, &server, 1, &several);
	}
	clf_dns_memory_learn(memory, 4, &client, &msg, 1);
	clf_dns_memory_learn(memory, 6, &client, &msg, 1);
	return 0;
}
