/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS records and handshake messages of both directions. The first two bytes choose a cut: a final
 * answer for the part before it must be the answer for the whole.
 */
#include <stdlib.h>

#include "classifier/observe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t join[CLF_JOIN_MAX];
static struct clf_tls_hello hello, part_hello;
static struct clf_tls_server server;

static void
check_name(const struct clf_name *n)
{
	char again[SIG_NAME_MAX + 1];

	if (n->len < 0)
		return;
	if (strlen(n->canonical) != (size_t)n->len)
		abort();
	if (n->canonical[0] != '*' &&
	    sig_name_canonical(again, (const uint8_t *)n->canonical, (size_t)n->len) != n->len)
		abort();
}

static void
check_hello(const struct clf_tls_hello *h)
{
	char text[37];

	if (h->have_sni)
		check_name(&h->sni);
	if (h->two_names)
		check_name(&h->sni2);
	if (clf_ja3(h, text) == 0 && strlen(text) != 32)
		abort();
	if (clf_ja4(h, false, text) == 0 && strlen(text) != 36)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum clf_obs whole, part;
	size_t cut;

	if (size < 2)
		return 0;
	cut = (size_t)(data[0] << 8 | data[1]);
	data += 2;
	size -= 2;
	if (cut > size)
		cut = size;
	part = clf_tls_client_hello(sig_bytes_of(data, cut), join, &part_hello);
	if (part == CLF_OBS_MORE && part_hello.need <= cut)
		abort();
	whole = clf_tls_client_hello(sig_bytes_of(data, size), join, &hello);
	if (part != CLF_OBS_MORE && part != whole)
		abort();
	if (part == CLF_OBS_MORE && whole == CLF_OBS_DONE && part_hello.need > size)
		abort();
	if (whole == CLF_OBS_DONE || whole == CLF_OBS_BAD)
		check_hello(&hello);
	/* What follows is looked at as a second hello, its record open or not. */
	if (whole == CLF_OBS_DONE && hello.hello_end <= size) {
		uint32_t open = hello.consumed - hello.hello_end;
		struct sig_bytes rest = sig_bytes_of(
		    data + hello.hello_end, size - hello.hello_end);

		whole = clf_tls_next_hello(rest, open, join, &hello);
		if (whole == CLF_OBS_MORE && hello.need <= sig_bytes_left(&rest))
			abort();
		if (whole == CLF_OBS_DONE)
			check_hello(&hello);
	}
	if (clf_tls_partial_hello(sig_bytes_of(data, cut), join, &part_hello))
		check_hello(&part_hello);
	if (clf_tls_client_hello_msg(sig_bytes_of(data, size), &hello) == CLF_OBS_DONE)
		check_hello(&hello);
	part = clf_tls_server_flight(sig_bytes_of(data, cut), join, &server);
	whole = clf_tls_server_flight(sig_bytes_of(data, size), join, &server);
	if (part != CLF_OBS_MORE && part != whole)
		abort();
	for (unsigned i = 0; i < server.n_names; i++)
		check_name(&server.names[i]);
	return 0;
}
