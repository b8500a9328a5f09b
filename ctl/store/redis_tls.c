/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS to Redis, where the hiredis found at build time has it (1.0 and later). The context is made
 * here rather than by hiredis, which checks a certificate's chain but not whose it is.
 */
#include "ctl/store/redis_impl.h"

#include <errno.h>

#ifdef STORE_REDIS_TLS
#include <arpa/inet.h>
#include <hiredis_ssl.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

int
rds_tls_init(struct rds *r, struct sig_diag *diag)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx)
		return -ENOMEM;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	(void)SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	r->tls = ctx;
	if (r->url.ca[0] ? SSL_CTX_load_verify_file(ctx, r->url.ca) == 1
			 : SSL_CTX_set_default_verify_paths(ctx) == 1)
		return 0;
	sig_diag_add(diag, SIG_ERROR, r->url.ca, 0, 0, "holds no certificates of authorities");
	return -EINVAL;
}

void
rds_tls_free(struct rds *r)
{
	SSL_CTX_free(r->tls);
	r->tls = NULL;
}

/* The certificate must be for the name, or the address, that the URL gives. */
int
rds_tls_start(struct rds *r)
{
	const char *host = rds_target_of(r)->host;
	uint8_t addr[16];
	SSL *ssl = SSL_new(r->tls);
	bool ok = ssl != NULL;

	if (ok && (inet_pton(AF_INET, host, addr) == 1 || inet_pton(AF_INET6, host, addr) == 1))
		ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	else if (ok)
		ok = SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
	if (ok && redisInitiateSSL(r->c, ssl) == REDIS_OK) {
		r->ssl = ssl; /* now the connection's */
		return 0;
	}
	return -EPROTO;
}

const char *
rds_tls_why(const struct rds *r)
{
	long result = r->ssl ? SSL_get_verify_result(r->ssl) : X509_V_OK;

	return result == X509_V_OK ? NULL : X509_verify_cert_error_string(result);
}

#else

int
rds_tls_init(struct rds *r, struct sig_diag *diag)
{
	(void)r;
	sig_diag_add(diag, SIG_ERROR, NULL, 0, 0,
	    "store rediss://: this build has no TLS for Redis (hiredis %d.%d; 1.0 or later with "
	    "its "
	    "ssl part is needed): use redis:// or unix: through a local stunnel, or build with a "
	    "newer hiredis",
	    HIREDIS_MAJOR, HIREDIS_MINOR);
	return -EOPNOTSUPP;
}

void
rds_tls_free(struct rds *r)
{
	r->tls = NULL;
}

int
rds_tls_start(struct rds *r)
{
	(void)r;
	return -EOPNOTSUPP;
}

const char *
rds_tls_why(const struct rds *r)
{
	(void)r;
	return NULL;
}

#endif
