/* SPDX-License-Identifier: Apache-2.0 */
/* One frame: the first byte is its link type, the second the options, the rest its bytes. */
#include <stdlib.h>

#include "classifier/parse.h"
#include "signatures/base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sig_bytes in = sig_bytes_of(data, size);
	uint8_t link = sig_bytes_u8(&in) % (CLF_LINK_OTHER + 1), options = sig_bytes_u8(&in) & 3;
	uint32_t len = (uint32_t)sig_bytes_left(&in);
	struct clf_frame frame = { .data = in.p, .len = len, .wire_len = len, .link = link };
	struct clf_pkt p;

	if (!sig_bytes_ok(&in) || len == 0)
		return 0;
	clf_parse_frame(&frame, options, &p);
	require(p.parse < CLF_P_MAX && p.bytes >= len && p.depth <= 4);
	if (p.parse > CLF_P_FRAGMENT)
		return 0;
	uint32_t addrs = p.ip_version == 6 ? 40 : 20;
	require(p.ip_version == 4 || p.ip_version == 6);
	require(p.l3_off + addrs <= len && p.l4_off >= p.l3_off + addrs);
	require(p.payload_off >= p.l4_off && (uint32_t)p.payload_off + p.payload_len <= len);
	require(p.payload_len <= p.payload_wire && p.l2_len <= p.l3_off);
	(void)clf_pkt_checksum(&p, &frame);
	return 0;
}
