/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TLS server's first flight: ServerHello or HelloRetryRequest, and up to TLS 1.2 the leaf
 * certificate's names (RFC 8446 4.1.3, RFC 5246 7.4). From TLS 1.3 on the certificate is encrypted.
 */
#include "classifier/der.h"
#include "classifier/observe_tls.h"

enum {
	HS_SERVER_HELLO = 2,
	HS_CERTIFICATE = 11,
	EXT_SUPPORTED_VERSIONS = 43,
};

/* RFC 8446 4.1.3: SHA-256 of "HelloRetryRequest" in place of a random. */
static const uint8_t retry_random[32] = { 0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe,
	0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
	0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c };

static void
server_clear(struct clf_tls_server *s)
{
	s->need = 0;
	s->hello_done = s->hello_retry = s->encrypted_from_here = false;
	s->version = 0;
	s->have_cert = false;
	s->n_names = 0;
	s->issuer[0] = s->subject[0] = '\0';
	s->consumed = 0;
}

static bool
read_server_hello(struct clf_tls_server *s, const uint8_t *body, uint32_t len)
{
	struct sig_bytes b = sig_bytes_of(body, len), exts;
	const uint8_t *random;

	s->version = sig_bytes_u16(&b);
	random = sig_bytes_take(&b, 32);
	if (random && s->version >> 8 == 0x7f) {
		/* Drafts of TLS 1.3 up to 21 name it here and leave fields out. */
		s->hello_done = s->encrypted_from_here = true;
		return true;
	}
	sig_bytes_skip(&b, sig_bytes_u8(&b));
	sig_bytes_skip(&b, 3); /* cipher suite, compression */
	if (!sig_bytes_ok(&b))
		return false;
	s->hello_retry = memcmp(random, retry_random, 32) == 0;
	exts = sig_bytes_left(&b) ? sig_bytes_sub(&b, sig_bytes_u16(&b)) : b;
	while (sig_bytes_left(&exts) != 0) {
		uint16_t type = sig_bytes_u16(&exts);
		struct sig_bytes ext = sig_bytes_sub(&exts, sig_bytes_u16(&exts));

		if (!sig_bytes_ok(&exts))
			return false;
		if (type == EXT_SUPPORTED_VERSIONS && sig_bytes_left(&ext) == 2)
			s->version = sig_bytes_u16(&ext);
	}
	s->hello_done = true;
	/* 0x7fXX: later drafts of TLS 1.3. */
	s->encrypted_from_here = s->version >= 0x0304 || s->hello_retry;
	return sig_bytes_ok(&b);
}

/* The length field of a handshake message that begins at `at`. */
static uint32_t
u24_at(const uint8_t *p)
{
	return ((uint32_t)p[0] << 16) | ((uint32_t)p[1] << 8) | p[2];
}

/* What ends the clear part of a flight that has no certificate: resumption, an alert. */
static enum clf_obs
no_more(const struct clf_tls_joiner *j, enum clf_obs obs)
{
	return obs == CLF_OBS_BAD && j->stop_type != 0 ? CLF_OBS_DONE : obs;
}

static enum clf_obs
read_certificate(struct clf_tls_joiner *j, uint32_t at, struct clf_tls_server *ret)
{
	uint32_t len, leaf;
	enum clf_obs obs = clf_tls_join(j, at + 4, &ret->need);

	if (obs != CLF_OBS_DONE)
		return no_more(j, obs);
	len = u24_at(j->msg + at + 1);
	if (j->msg[at] != HS_CERTIFICATE || len < 6)
		return CLF_OBS_DONE; /* anonymous suites, resumption with a ticket */
	obs = clf_tls_join(j, at + 10, &ret->need);
	if (obs != CLF_OBS_DONE)
		return no_more(j, obs);
	leaf = u24_at(j->msg + at + 7);
	if (leaf > len - 6)
		return CLF_OBS_BAD;
	obs = clf_tls_join(j, at + 10 + leaf, &ret->need);
	if (obs != CLF_OBS_DONE)
		return no_more(j, obs);
	clf_tls_join_offset(j, at + 10 + leaf, &ret->consumed);
	ret->have_cert = clf_certificate(sig_bytes_of(j->msg + at + 10, leaf), ret);
	return ret->have_cert ? CLF_OBS_DONE : CLF_OBS_BAD;
}

enum clf_obs
clf_tls_server_flight(struct sig_bytes stream, uint8_t *join, struct clf_tls_server *ret)
{
	struct clf_tls_joiner j;
	enum clf_obs obs;
	uint32_t len;

	server_clear(ret);
	clf_tls_join_init(&j, stream, join);
	j.stop_at_ccs = true;
	obs = clf_tls_join(&j, 1, &ret->need);
	if (obs != CLF_OBS_DONE)
		return obs;
	if (j.msg[0] != HS_SERVER_HELLO)
		return CLF_OBS_NOT_MINE;
	obs = clf_tls_join(&j, 4, &ret->need);
	if (obs != CLF_OBS_DONE)
		return obs;
	len = u24_at(j.msg + 1);
	obs = clf_tls_join(&j, 4 + len, &ret->need);
	if (obs != CLF_OBS_DONE)
		return obs;
	clf_tls_join_offset(&j, 4 + len, &ret->consumed);
	if (!read_server_hello(ret, j.msg + 4, len))
		return CLF_OBS_BAD;
	if (ret->encrypted_from_here)
		return CLF_OBS_DONE;
	return read_certificate(&j, 4 + len, ret);
}
