/* SPDX-License-Identifier: Apache-2.0 */
/* Link types of captures, by the registry at tcpdump.org/linktypes.html. */
#include "ctl/capture_link.h"

#include <pcap/pcap.h>

#include "signatures/base/bytes.h"

enum { NFLOG_PAYLOAD = 9, MPACKET_PREAMBLE = 8, ENC_HEAD = 12 };

static const struct {
	int dlt;
	uint8_t link;
	bool head;
} links[] = {
	{ DLT_EN10MB, CLF_LINK_ETHERNET, false },
	{ DLT_RAW, CLF_LINK_RAW_IP, false },
	{ 14, CLF_LINK_RAW_IP, false },	 /* DLT_RAW of OpenBSD */
	{ 101, CLF_LINK_RAW_IP, false }, /* LINKTYPE_RAW, where DLT_RAW is another number */
	{ DLT_IPV4, CLF_LINK_RAW_IP, false },
	{ DLT_IPV6, CLF_LINK_RAW_IP, false },
	{ DLT_LINUX_SLL, CLF_LINK_SLL, false },
	{ DLT_LINUX_SLL2, CLF_LINK_SLL2, false },
	{ DLT_NULL, CLF_LINK_NULL, false },
	{ DLT_LOOP, CLF_LINK_LOOP, false },
	{ DLT_PPP, CLF_LINK_PPP, false },
	{ DLT_PPP_SERIAL, CLF_LINK_PPP_SERIAL, false },
	{ DLT_C_HDLC, CLF_LINK_C_HDLC, false },
	{ DLT_PPP_ETHER, CLF_LINK_PPPOE, false },
	{ DLT_IEEE802_11, CLF_LINK_IEEE802_11, false },
	{ DLT_IEEE802_11_RADIO, CLF_LINK_IEEE802_11, true },
	{ DLT_PPP_WITH_DIR, CLF_LINK_PPP, true },
	{ DLT_ENC, CLF_LINK_RAW_IP, true },
	{ DLT_PFLOG, CLF_LINK_RAW_IP, true },
	{ DLT_NFLOG, CLF_LINK_RAW_IP, true },
	{ DLT_PPI, CLF_LINK_IEEE802_11, true },
	{ DLT_PKTAP, CLF_LINK_ETHERNET, true },
	{ DLT_ETHERNET_MPACKET, CLF_LINK_ETHERNET, true },
};

enum clf_link
ctl_link_of(int dlt, bool *ret_head)
{
	*ret_head = false;
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		if (links[i].dlt != dlt)
			continue;
		*ret_head = links[i].head;
		return links[i].link;
	}
	return CLF_LINK_OTHER;
}

/* Radiotap: its length is in its bytes 2 and 3. */
static uint32_t
radiotap_length(struct sig_bytes b)
{
	(void)sig_bytes_skip(&b, 2);
	uint32_t n = sig_bytes_le(&b, 2);
	return sig_bytes_ok(&b) ? n : UINT32_MAX;
}

/* OpenBSD's and FreeBSD's packet filter: the length in the first byte, padded to four. */
static uint32_t
pflog_length(struct sig_bytes b)
{
	uint32_t n = sig_bytes_u8(&b);
	return sig_bytes_ok(&b) ? (n + 3) & ~3u : UINT32_MAX;
}

/* Linux' netfilter log: attributes, in the order of who captured, up to the packet. */
static uint32_t
nflog_length(struct sig_bytes b)
{
	const uint8_t *from = b.p;

	(void)sig_bytes_skip(&b, 4);
	while (sig_bytes_left(&b) >= 4) {
		uint32_t size = sig_bytes_le(&b, 2), type = sig_bytes_le(&b, 2);

		if ((type & 0x7fff) == NFLOG_PAYLOAD)
			return (uint32_t)(b.p - from);
		if (size < 4 || !sig_bytes_skip(&b, ((size + 3) & ~3u) - 4))
			break;
	}
	return UINT32_MAX;
}

/* Per-Packet Information and macOS' PKTAP name the type of what follows. */
static uint32_t
named_length(struct sig_bytes b, bool pktap, uint8_t *ret_link)
{
	bool head;
	uint32_t n, dlt;

	if (!pktap)
		(void)sig_bytes_skip(&b, 2);
	n = sig_bytes_le(&b, pktap ? 4 : 2);
	if (pktap)
		(void)sig_bytes_skip(&b, 4);
	dlt = sig_bytes_le(&b, 4);
	*ret_link = (uint8_t)ctl_link_of((int)dlt, &head);
	return sig_bytes_ok(&b) && !head ? n : UINT32_MAX;
}

void
ctl_link_unwrap(int dlt, struct clf_frame *f)
{
	struct sig_bytes b = sig_bytes_of(f->data, f->len);
	uint32_t n = 0;

	switch (dlt) {
	case DLT_IEEE802_11_RADIO: n = radiotap_length(b); break;
	case DLT_PPP_WITH_DIR: n = 1; break;
	case DLT_ENC: n = ENC_HEAD; break;
	case DLT_PFLOG: n = pflog_length(b); break;
	case DLT_NFLOG: n = nflog_length(b); break;
	case DLT_PPI: n = named_length(b, false, &f->link); break;
	case DLT_PKTAP: n = named_length(b, true, &f->link); break;
	case DLT_ETHERNET_MPACKET: n = MPACKET_PREAMBLE; break;
	default: break;
	}
	if (n > f->len)
		n = f->len;
	f->data += n;
	f->len -= n;
	f->wire_len -= n < f->wire_len ? n : f->wire_len;
}
