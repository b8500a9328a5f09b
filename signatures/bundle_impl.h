/* SPDX-License-Identifier: Apache-2.0 */
/* Between bundle.c, bundle_folder.c and bundle_install.c. */
#ifndef SIGNATURES_BUNDLE_IMPL_H
#define SIGNATURES_BUNDLE_IMPL_H

#include "signatures/bundle.h"

/* One reading of a bundle: what is asked for, and what was found. */
struct bundle_read {
	const char *name; /* for messages */
	const char *key_pem;
	bool allow_unsigned;
	struct sig_diag *diag;
	/* Called with each pack, whose digest is right. NULL: none is kept. */
	int (*keep)(void *arg, const char *name, const char *text, size_t len);
	void *keep_arg;

	struct sig_manifest manifest;
	char *text; /* the manifest as it came */
	size_t text_len;
	uint8_t signature[SIG_SIGNATURE_BYTES];
	bool is_signed; /* and the signature is the key's */
};

int bundle_read(struct bundle_read *r, const void *data, size_t len);
void bundle_read_free(struct bundle_read *r);
bool bundle_is_public_key(const char *pem);
/* Adds the message; always -EBADMSG. */
int bundle_fault(struct sig_diag *diag, const char *bundle, const char *why);
/* A string of one of the packs, of which there is at least one. */
struct sig_packs;
const char *bundle_highest_version(const struct sig_packs *packs);

/* The version of the packs in a folder: its manifest's, else the highest of theirs; false: it holds
 * none. */
bool bundle_folder_version(const char *dir, char version[static 33]);
/*
 * Whether `next` may take the folder's place. A person's own packs, and installed ones that were
 * changed, are not the installer's to throw away unless `replace` says so; a folder in the folder
 * never is. 0, or -EBADMSG with a message for each of them; no folder is none.
 */
int bundle_folder_keeps(
    const char *dir, const struct sig_manifest *next, bool replace, struct sig_diag *diag);

#endif
