/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Just enough DER (ITU-T X.690) and X.509 (RFC 5280) to read the names out of a certificate, with
 * no allocation. Nothing is verified: a certificate here is a hint of who answers, not a proof.
 */
#ifndef CLASSIFIER_DER_H
#define CLASSIFIER_DER_H

#include "classifier/observe.h"

/* Fills the names, issuer and subject of `ret`; false when it is no certificate. What was read
 * before the fault stays. */
bool clf_certificate(struct sig_bytes der, struct clf_tls_server *ret);

#endif
