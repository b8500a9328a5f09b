/* SPDX-License-Identifier: Apache-2.0 */
/* Reading, checking and making of bundles; installing is bundle_install.c. */
#include "signatures/bundle_impl.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "signatures/base/yaml.h"
#include "signatures/pack.h"

int
bundle_fault(struct sig_diag *diag, const char *bundle, const char *why)
{
	sig_diag_add(diag, SIG_ERROR, bundle, 0, 0, "%s", why);
	return -EBADMSG;
}

/* --- keys and signatures --- */

static EVP_PKEY *
read_key(const char *pem, size_t len, bool is_private)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)len);
	EVP_PKEY *key = NULL;

	if (!bio)
		return NULL;
	key = is_private ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL)
			 : PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	BIO_free(bio);
	if (key && EVP_PKEY_id(key) != EVP_PKEY_ED25519) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	return key;
}

bool
bundle_is_public_key(const char *pem)
{
	EVP_PKEY *key = read_key(pem, strlen(pem), false);

	EVP_PKEY_free(key);
	return key != NULL;
}

static bool
is_signed_by(const char *pem, const void *text, size_t len, const uint8_t *sig)
{
	EVP_PKEY *key = read_key(pem, strlen(pem), false);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = key && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
		  EVP_DigestVerify(ctx, sig, SIG_SIGNATURE_BYTES, text, len) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ok;
}

static int
sign(const char *key_file, const char *text, size_t len, uint8_t sig[static SIG_SIGNATURE_BYTES],
    struct sig_diag *diag)
{
	char *pem = NULL;
	size_t pem_len, sig_len = SIG_SIGNATURE_BYTES;
	EVP_PKEY *key = NULL;
	EVP_MD_CTX *ctx;
	int err = sig_file_read(key_file, 1 << 16, &pem, &pem_len, diag);

	if (err)
		return err;
	key = read_key(pem, pem_len, true);
	OPENSSL_cleanse(pem, pem_len);
	free(pem);
	if (!key)
		return bundle_fault(diag, key_file,
		    "is no Ed25519 private key (phonehome signatures keygen makes one)");
	ctx = EVP_MD_CTX_new();
	if (!ctx || EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) != 1 ||
	    EVP_DigestSign(ctx, sig, &sig_len, (const uint8_t *)text, len) != 1)
		err = bundle_fault(diag, key_file, "could not sign");
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return err;
}

static int
write_key(const char *path, EVP_PKEY *key, bool is_private, struct sig_diag *diag)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, is_private ? 0600 : 0644);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
	int err = -errno;
	bool ok;

	if (!f) {
		if (fd >= 0)
			close(fd);
		sig_diag_add(diag, SIG_ERROR, path, 0, 0, "%s", strerror(-err));
		return err;
	}
	ok = is_private ? PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1
			: PEM_write_PUBKEY(f, key) == 1;
	if (fclose(f) != 0 || !ok) {
		(void)unlink(path); /* half a key is none */
		return bundle_fault(diag, path, "could not be written");
	}
	return 0;
}

int
sig_bundle_keygen(const char *private_file, const char *public_file, struct sig_diag *diag)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	int err;

	if (!key)
		return bundle_fault(diag, private_file, "libcrypto made no key");
	err = write_key(private_file, key, true, diag);
	if (!err) {
		err = write_key(public_file, key, false, diag);
		if (err)
			(void)unlink(private_file); /* else the next try would find it in the way */
	}
	EVP_PKEY_free(key);
	return err;
}

/* --- reading --- */

/* The next entry's bytes, which must be a regular file called `name` of at most `max` bytes. */
static int
read_entry(struct archive *a, const char *name, size_t max, char **ret_text, size_t *ret_len)
{
	struct archive_entry *e;
	const char *path;
	la_ssize_t n;
	size_t size;
	char *text;

	if (archive_read_next_header(a, &e) != ARCHIVE_OK)
		return -ENOENT;
	path = archive_entry_pathname(e);
	if (!path || strcmp(path, name) != 0 || archive_entry_filetype(e) != AE_IFREG ||
	    archive_entry_hardlink(e) || !archive_entry_size_is_set(e) ||
	    archive_entry_size(e) < 0 || (uint64_t)archive_entry_size(e) > max)
		return -EINVAL;
	size = (size_t)archive_entry_size(e);
	text = malloc(size + 1);
	if (!text)
		return -ENOMEM;
	n = archive_read_data(a, text, size);
	if (n < 0 || (size_t)n != size) {
		free(text);
		return -EINVAL;
	}
	text[size] = '\0';
	*ret_text = text;
	*ret_len = size;
	return 0;
}

/* MANIFEST and its signature, before anything in them is believed. */
static int
read_manifest(struct archive *a, struct bundle_read *r)
{
	uint8_t *sig = NULL;
	size_t sig_len = 0;
	unsigned line = 0;
	char why[64];
	int err = read_entry(a, "MANIFEST", SIG_BUNDLE_MANIFEST_MAX, &r->text, &r->text_len);

	if (err)
		return bundle_fault(
		    r->diag, r->name, "is no bundle: it does not begin with MANIFEST");
	err = read_entry(a, "MANIFEST.sig", SIG_SIGNATURE_BYTES, (char **)&sig, &sig_len);
	if (err || (sig_len != SIG_SIGNATURE_BYTES && sig_len != 0))
		err = bundle_fault(r->diag, r->name, "is no bundle: MANIFEST.sig is missing");
	if (!err && sig_len == SIG_SIGNATURE_BYTES) {
		memcpy(r->signature, sig, sizeof(r->signature));
		r->is_signed = r->key_pem && is_signed_by(r->key_pem, r->text, r->text_len, sig);
	}
	free(sig);
	if (!err && !r->is_signed && !r->allow_unsigned)
		err = bundle_fault(r->diag, r->name,
		    sig_len == 0
			? "is not signed: --allow-unsigned takes it all the same"
			: "its signature does not fit the key: it was altered, or another made it");
	if (err)
		return err;
	if (sig_manifest_parse(r->text, r->text_len, &r->manifest, &line) != 0) {
		snprintf(why, sizeof(why), "its MANIFEST is wrong in line %u", line);
		return bundle_fault(r->diag, r->name, why);
	}
	return 0;
}

static int
read_files(struct archive *a, struct bundle_read *r)
{
	for (unsigned i = 0; i < r->manifest.n; i++) {
		const struct sig_manifest_file *f = &r->manifest.files[i];
		uint8_t sum[32];
		char *text = NULL;
		size_t len = 0;
		int err = read_entry(a, f->name, f->size, &text, &len);

		if (!err)
			SHA256((const uint8_t *)text, len, sum);
		if (err || len != f->size || memcmp(sum, f->sha256, 32) != 0) {
			free(text);
			sig_diag_add(r->diag, SIG_ERROR, r->name, 0, 0,
			    "%s is missing or altered: its digest is not the manifest's", f->name);
			return -EBADMSG;
		}
		err = r->keep ? r->keep(r->keep_arg, f->name, text, len) : 0;
		free(text);
		if (err)
			return err;
	}
	return 0;
}

int
bundle_read(struct bundle_read *r, const void *data, size_t len)
{
	struct archive *a = archive_read_new();
	struct archive_entry *e;
	int err;

	if (!a)
		return -ENOMEM;
	/* tar alone, and no decompression: the less that sees unchecked bytes the better. */
	archive_read_support_format_tar(a);
	if (archive_read_open_memory(a, data, len) != ARCHIVE_OK)
		err = bundle_fault(r->diag, r->name, "is no bundle");
	else
		err = read_manifest(a, r);
	if (!err)
		err = read_files(a, r);
	if (!err && archive_read_next_header(a, &e) != ARCHIVE_EOF)
		err = bundle_fault(r->diag, r->name, "holds more than its manifest names");
	archive_read_free(a);
	return err;
}

void
bundle_read_free(struct bundle_read *r)
{
	free(r->text);
	sig_manifest_free(&r->manifest);
}

int
sig_bundle_check(const void *data, size_t len, const char *key_pem, struct sig_diag *diag)
{
	struct bundle_read r = { .name = "bundle",
		.key_pem = key_pem,
		.allow_unsigned = key_pem == NULL,
		.diag = diag };
	int err = bundle_read(&r, data, len);

	bundle_read_free(&r);
	return err;
}

/* --- making --- */

static bool
put_entry(struct archive *a, const char *name, const void *bytes, size_t len)
{
	struct archive_entry *e = archive_entry_new();
	bool ok;

	if (!e)
		return false;
	archive_entry_set_pathname(e, name);
	archive_entry_set_size(e, (la_int64_t)len);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0644);
	ok = archive_write_header(a, e) == ARCHIVE_OK &&
	     (len == 0 || archive_write_data(a, bytes, len) == (la_ssize_t)len);
	archive_entry_free(e);
	return ok;
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int
by_name(const void *a, const void *b)
{
	const struct pack_file *const *x = a, *const *y = b;

	return strcmp(base_name((*x)->path), base_name((*y)->path));
}

const char *
bundle_highest_version(const struct sig_packs *packs)
{
	const char *best = packs->files[0].pack->version;

	for (unsigned i = 1; i < packs->n; i++)
		if (sig_version_compare(packs->files[i].pack->version, best) > 0)
			best = packs->files[i].pack->version;
	return best;
}

static char *
write_manifest(const struct pack_file **files, unsigned n, const char *version, size_t *ret_len)
{
	char *text = NULL, created[32];
	FILE *f = open_memstream(&text, ret_len);
	time_t now = time(NULL);
	struct tm tm;

	if (!f)
		return NULL;
	gmtime_r(&now, &tm);
	strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", &tm);
	fprintf(f, "phonehome-packs 1\nversion %s\ncreated %s\n", version, created);
	for (unsigned i = 0; i < n; i++) {
		fprintf(f, "sha256 ");
		for (unsigned b = 0; b < 32; b++)
			fprintf(f, "%02x", files[i]->sha256[b]);
		fprintf(f, " %zu %s\n", files[i]->len, base_name(files[i]->path));
	}
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static int
write_bundle(const char *bundle, const struct pack_file **files, unsigned n, const char *manifest,
    size_t len, const uint8_t *sig, size_t sig_len)
{
	struct archive *a = archive_write_new();
	bool ok = a && archive_write_set_format_ustar(a) == ARCHIVE_OK &&
		  archive_write_open_filename(a, bundle) == ARCHIVE_OK &&
		  put_entry(a, "MANIFEST", manifest, len) &&
		  put_entry(a, "MANIFEST.sig", sig, sig_len);

	for (unsigned i = 0; ok && i < n; i++)
		ok = put_entry(a, base_name(files[i]->path), files[i]->text, files[i]->len);
	ok = a && archive_write_close(a) == ARCHIVE_OK && ok;
	if (a)
		archive_write_free(a);
	return ok ? 0 : -EIO;
}

/* What a full disk left of an output file; a device that was named as one stays. */
static void
remove_rest(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
		(void)unlink(path);
}

int
sig_bundle_make(const char *dir, const char *bundle, const char *version, const char *key_file,
    struct sig_diag *diag)
{
	uint8_t sig[SIG_SIGNATURE_BYTES];
	struct sig_packs *packs = NULL;
	const struct pack_file **files;
	char *manifest = NULL;
	size_t len = 0;
	int err = sig_packs_load(dir, &packs, diag);

	if (err)
		return err;
	files = calloc(packs->n, sizeof(*files));
	for (unsigned i = 0; files && i < packs->n; i++)
		files[i] = &packs->files[i];
	if (files) {
		qsort(files, packs->n, sizeof(*files), by_name);
		if (!version)
			version = bundle_highest_version(packs);
		manifest = write_manifest(files, packs->n, version, &len);
	}
	if (!manifest)
		err = -ENOMEM;
	if (!err && key_file)
		err = sign(key_file, manifest, len, sig, diag);
	if (!err) {
		err = write_bundle(
		    bundle, files, packs->n, manifest, len, sig, key_file ? sizeof(sig) : 0);
		if (err) {
			remove_rest(bundle);
			bundle_fault(diag, bundle, "could not be written");
		}
	}
	free(manifest);
	free(files);
	sig_packs_free(packs);
	return err;
}
