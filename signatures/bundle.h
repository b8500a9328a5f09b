/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bundles: packs in one file, with who vouches for them.
 *
 * A bundle is a ustar archive: MANIFEST, MANIFEST.sig, then the packs in the manifest's order. The
 * manifest is text:
 *
 *     phonehome-packs 1
 *     version 2026.11.22
 *     created 2026-11-22T08:00:00Z
 *     sha256 <64 hex digits> <size> crowdstrike.yaml
 *
 * MANIFEST.sig is the Ed25519 signature (RFC 8032, 64 bytes) of the manifest's bytes. Nothing of
 * the manifest is read before the signature was found good, nothing of a pack before its digest
 * was. An installed folder keeps both files, so that what is loaded can be told from what was
 * installed. Set-up time only; one thread.
 */
#ifndef SIGNATURES_BUNDLE_H
#define SIGNATURES_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "signatures/base/diag.h"

enum {
	SIG_BUNDLE_FILES_MAX = 10000,
	SIG_BUNDLE_MANIFEST_MAX = 4 << 20,
	SIG_BUNDLE_FILE_MAX = 64 << 20,
	SIG_BUNDLE_MAX = 256 << 20,
	SIG_BUNDLE_NAME_MAX = 100,
	SIG_SIGNATURE_BYTES = 64,
};

struct sig_manifest_file {
	char name[SIG_BUNDLE_NAME_MAX + 1];
	uint8_t sha256[32];
	size_t size;
};

struct sig_manifest {
	char version[33];
	char created[33];
	struct sig_manifest_file *files;
	unsigned n;
};

/* 0, or -EINVAL with the line that is wrong in *ret_line. */
int sig_manifest_parse(
    const char *text, size_t len, struct sig_manifest *ret_manifest, unsigned *ret_line);
void sig_manifest_free(struct sig_manifest *m);
/* What a manifest may hold: digits and dots, a digit first, at most 32 characters. */
bool sig_version_is(const char *s);
/* By their numbers, part by part: < 0, 0, > 0. */
int sig_version_compare(const char *a, const char *b);

/*
 * Makes `bundle` from the *.yaml of a folder, which must load. version NULL: the highest of the
 * packs'. key_file: an Ed25519 private key as PEM; NULL: unsigned.
 */
int sig_bundle_make(const char *dir, const char *bundle, const char *version, const char *key_file,
    struct sig_diag *diag);

struct sig_bundle_install {
	const char *bundle;
	const char *dir;      /* the folder of packs to replace, or to make */
	const char *key_file; /* public key as PEM; NULL only with allow_unsigned */
	bool allow_unsigned;  /* also when the signature is bad or absent */
	bool replace;	      /* also where packs go that no bundle brought, or that were changed */
};
/*
 * Checks, unpacks beside `dir`, loads and compiles, and then swaps the two folders in one step:
 * whoever reads the packs sees the old ones or the new ones. On any failure nothing has changed.
 * One installation at a time goes on in the folder that holds `dir`: a second one is -EBUSY; what
 * one left that was killed is removed by the next.
 * ret_version has 33 bytes; *ret_signed: the signature was there and is the key's. Both may be
 * NULL.
 */
int sig_bundle_install(const struct sig_bundle_install *how, char *ret_version, bool *ret_signed,
    struct sig_diag *diag);

/* The first half of it, from memory, for tests and fuzzing: key NULL skips the signature. */
int sig_bundle_check(const void *data, size_t len, const char *key_pem, struct sig_diag *diag);

/* A new Ed25519 key pair as two PEM files; the private one is readable by its owner alone. */
int sig_bundle_keygen(const char *private_file, const char *public_file, struct sig_diag *diag);

/*
 * How the packs of a folder came there, see sig_ruleset_origin(). Packs that are no more what was
 * installed make it "folder".
 */
struct sig_packs;
char *sig_bundle_origin(const char *dir, const struct sig_packs *packs);

#endif
