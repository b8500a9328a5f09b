/* SPDX-License-Identifier: Apache-2.0 */
/* Loads packs from a folder, a file or memory; nothing is kept when anything is wrong. */
#include "signatures/pack.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "signatures/base/yaml.h"
#include "signatures/bundle.h"

enum { FILES_MAX = 10000 };

/* Reads and checks one file. `text` is taken over, and freed on failure. */
static int
load_one(struct pack_file *f, bool from_file, struct sig_diag *diag)
{
	cyaml_data_t *data = NULL;
	int err = sig_yaml_load(f->path, f->text, f->len, &pack_schema, &data, NULL, diag);

	if (err)
		return err;
	f->pack = data;
	SHA256((const unsigned char *)f->text, f->len, f->sha256);
	return pack_check(f, from_file, diag) ? -EINVAL : 0;
}

static struct pack_file *
add_file(struct sig_packs *packs, const char *path)
{
	struct pack_file *more = realloc(packs->files, (packs->n + 1) * sizeof(struct pack_file));

	if (!more)
		return NULL;
	packs->files = more;
	more[packs->n] = (struct pack_file){ .path = strdup(path) };
	return more[packs->n].path ? &more[packs->n++] : NULL;
}

static int
no_memory(struct sig_diag *diag)
{
	sig_diag_add(diag, SIG_ERROR, NULL, 0, 0, "out of memory");
	return -ENOMEM;
}

static int
load_file(struct sig_packs *packs, const char *path, struct sig_diag *diag)
{
	struct pack_file *f = add_file(packs, path);
	int err;

	if (!f)
		return no_memory(diag);
	err = sig_file_read(path, SIG_YAML_MAX_BYTES, &f->text, &f->len, diag);
	return err ? err : load_one(f, true, diag);
}

static int
is_pack_name(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 5 && strcmp(d->d_name + n - 5, ".yaml") == 0;
}

static int
load_folder(struct sig_packs *packs, const char *path, struct sig_diag *diag)
{
	struct dirent **names = NULL;
	int n = scandir(path, &names, is_pack_name, alphasort), err = 0;

	if (n < 0) {
		err = -errno;
		sig_diag_add(diag, SIG_ERROR, path, 0, 0, "%s", strerror(-err));
		return err;
	}
	if (n == 0 || n > FILES_MAX) {
		err = n ? -E2BIG : -ENOENT;
		sig_diag_add(diag, SIG_ERROR, path, 0, 0,
		    n ? "holds more than 10000 packs" : "holds no packs (*.yaml)");
	}
	for (int i = 0; i < n; i++) {
		char *full = NULL;
		int e = 0;

		if (n <= FILES_MAX && asprintf(&full, "%s/%s", path, names[i]->d_name) >= 0)
			e = load_file(packs, full, diag);
		else if (n <= FILES_MAX)
			e = no_memory(diag);
		free(n <= FILES_MAX ? full : NULL);
		free(names[i]);
		err = err ? err : e;
	}
	free(names);
	return err;
}

static int
by_id(const void *a, const void *b)
{
	const struct pack_file *x = a, *y = b;

	return strcmp(x->pack->id, y->pack->id);
}

/* What holds between the packs; then either all or nothing is handed out. */
static int
finish(struct sig_packs *packs, int err, const char *folder, struct sig_packs **ret_packs,
    struct sig_diag *diag)
{
	if (!err) {
		qsort(packs->files, packs->n, sizeof(struct pack_file), by_id);
		if (pack_check_all(packs, diag) > 0)
			err = -EINVAL;
	}
	if (!err) {
		packs->origin = folder ? sig_bundle_origin(folder, packs) : strdup("folder");
		if (!packs->origin)
			err = no_memory(diag);
	}
	if (err) {
		sig_packs_free(packs);
		return err;
	}
	*ret_packs = packs;
	return 0;
}

int
sig_packs_load(const char *path, struct sig_packs **ret_packs, struct sig_diag *diag)
{
	struct sig_packs *packs = calloc(1, sizeof(*packs));
	struct stat st;
	bool is_folder;
	int err;

	if (!packs)
		return no_memory(diag);
	is_folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	if (is_folder)
		err = load_folder(packs, path, diag);
	else
		err = load_file(packs, path, diag);
	return finish(packs, err, is_folder ? path : NULL, ret_packs, diag);
}

int
sig_packs_load_text(const char *name, const char *text, size_t len, struct sig_packs **ret_packs,
    struct sig_diag *diag)
{
	struct sig_packs *packs = calloc(1, sizeof(*packs));
	struct pack_file *f = packs ? add_file(packs, name) : NULL;
	int err;

	if (f) {
		f->text = malloc(len + 1);
	}
	if (!f || !f->text) {
		sig_packs_free(packs);
		return no_memory(diag);
	}
	memcpy(f->text, text, len);
	f->text[len] = '\0';
	f->len = len;
	err = load_one(f, false, diag);
	return finish(packs, err, NULL, ret_packs, diag);
}

void
sig_packs_free(struct sig_packs *packs)
{
	if (!packs)
		return;
	for (unsigned i = 0; i < packs->n; i++) {
		sig_yaml_free(packs->files[i].pack);
		free(packs->files[i].text);
		free(packs->files[i].path);
	}
	free(packs->files);
	free(packs->origin);
	free(packs);
}
