/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Google's QUIC before TLS: the client's hello is a list of tags ("CHLO"), in clear up to Q046, in
 * protected CRYPTO frames in Q050. Gone from browsers since 2020; still met in old clients and
 * captures. By Chromium's "QUIC Wire Layout Specification" and "QUIC Crypto".
 *
 * A hello fills one datagram and its SNI stands among the first tags, so a datagram is read alone.
 */
#include "classifier/quic.h"

enum {
	PUBLIC_VERSION = 0x01,
	PUBLIC_RESET = 0x02,
	PUBLIC_ID = 0x08,
	HASH_BYTES = 12, /* FNV-1a of what follows: anybody can make it */
	TAGS_MAX = 128,	 /* what the protocol allows in a message */
	STREAM_FRAME = 0x80,
	STREAM_CRYPTO = 1,
	FRAMES_MAX = 16,
};

/* "Q024" to "Q043" under the public header, "Q046" under the long one; 0: another version. */
static unsigned
version_of(const uint8_t *v)
{
	if (v[0] != 'Q' || v[1] != '0' || v[2] < '0' || v[2] > '9' || v[3] < '0' || v[3] > '9')
		return 0;
	return (unsigned)(v[2] - '0') * 10 + (unsigned)(v[3] - '0');
}

/* Goes past the header to the frames; the version's number, or 0. */
static unsigned
pass_header(struct sig_bytes *b)
{
	static const uint8_t number_bytes[] = { 1, 2, 4, 6 };
	uint8_t first = sig_bytes_u8(b);
	const uint8_t *v;
	unsigned version;

	if (first & 0x80) {
		v = sig_bytes_take(b, 4);
		version = v && (first & 0x40) ? version_of(v) : 0;
		/* Lengths of both IDs in one byte; a client sends 8 bytes and none. */
		if (version != 46 || sig_bytes_u8(b) != 0x50)
			return 0;
		(void)sig_bytes_skip(b, 8u + (first & 3u) + 1);
	} else {
		if ((first & (PUBLIC_VERSION | PUBLIC_ID)) != (PUBLIC_VERSION | PUBLIC_ID) ||
		    (first & (PUBLIC_RESET | 0x40)) || !sig_bytes_skip(b, 8))
			return 0;
		v = sig_bytes_take(b, 4);
		version = v ? version_of(v) : 0;
		if (version < 24 || version > 43)
			return 0;
		(void)sig_bytes_skip(b, number_bytes[(first >> 4) & 3]);
	}
	(void)sig_bytes_skip(b, HASH_BYTES);
	if (version < 34) /* private flags */
		(void)sig_bytes_u8(b);
	return sig_bytes_ok(b) ? version : 0;
}

/* The next STREAM frame of the crypto stream. False: another frame, or none. */
static bool
next_stream(struct sig_bytes *b, unsigned version, struct sig_bytes *ret)
{
	uint8_t type = sig_bytes_u8(b);
	unsigned off_bytes = (type >> 2) & 7, id_bytes = (type & 3) + 1u;
	bool little = version < 39;

	if (!sig_bytes_ok(b) || !(type & STREAM_FRAME))
		return false;
	uint32_t id = little ? sig_bytes_le(b, id_bytes) : 0;
	for (unsigned i = 0; !little && i < id_bytes; i++)
		id = id << 8 | sig_bytes_u8(b);
	(void)sig_bytes_skip(b, off_bytes == 0 ? 0 : off_bytes + 1);
	size_t len = sig_bytes_left(b);
	if (type & 0x20) {
		struct sig_bytes two = sig_bytes_sub(b, 2);
		len = little ? sig_bytes_le(&two, 2) : sig_bytes_u16(&two);
	}
	*ret = sig_bytes_sub(b, len);
	return sig_bytes_ok(b) && id == STREAM_CRYPTO;
}

enum clf_obs
clf_gquic_chlo(struct sig_bytes msg, struct clf_tls_hello *ret)
{
	struct sig_bytes tags = msg;
	uint32_t from = 0;

	memset(ret, 0, offsetof(struct clf_tls_hello, sni));
	ret->n_alpn = 0;
	ret->hello = NULL;
	ret->hello_len = 0;
	const uint8_t *magic = sig_bytes_take(&tags, 4);
	if (!magic || memcmp(magic, "CHLO", 4) != 0)
		return CLF_OBS_NOT_MINE;
	uint32_t n = sig_bytes_le(&tags, 2);
	(void)sig_bytes_le(&tags, 2);
	if (!sig_bytes_ok(&tags) || n == 0 || n > TAGS_MAX)
		return CLF_OBS_BAD;
	struct sig_bytes index = sig_bytes_sub(&tags, n * 8u);
	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *tag = sig_bytes_take(&index, 4);
		uint32_t end = sig_bytes_le(&index, 4);
		if (!tag || !sig_bytes_ok(&index) || end < from)
			return CLF_OBS_BAD;
		if (memcmp(tag, "SNI", 4) == 0) {
			const uint8_t *name = sig_bytes_skip(&tags, from)
						  ? sig_bytes_take(&tags, end - from)
						  : NULL;
			if (!name || end == from)
				return CLF_OBS_BAD;
			clf_name_set(&ret->sni, name, end - from);
			ret->have_sni = true;
			break;
		}
		from = end;
	}
	ret->consumed = (uint32_t)sig_bytes_left(&msg);
	return CLF_OBS_DONE;
}

enum clf_obs
clf_gquic_hello(struct sig_bytes datagram, struct clf_tls_hello *ret)
{
	unsigned version = pass_header(&datagram);
	struct sig_bytes data;

	if (version == 0)
		return CLF_OBS_NOT_MINE;
	for (unsigned i = 0; i < FRAMES_MAX; i++) {
		while (sig_bytes_left(&datagram) != 0 && sig_bytes_at(&datagram, 0) == 0)
			(void)sig_bytes_u8(&datagram); /* PADDING */
		if (!next_stream(&datagram, version, &data))
			return CLF_OBS_NOT_MINE;
		enum clf_obs obs = clf_gquic_chlo(data, ret);
		if (obs != CLF_OBS_NOT_MINE)
			return obs;
	}
	return CLF_OBS_NOT_MINE;
}
