/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle's manifest: reading it, comparing versions, and telling where packs came from. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "signatures/base/bytes.h"
#include "signatures/base/yaml.h"
#include "signatures/bundle.h"
#include "signatures/pack.h"
#include "signatures/value.h"

/* The next line without its end, or false. A line without an end is no line. */
static bool
next_line(struct sig_bytes *b, const char **ret_line, size_t *ret_len)
{
	size_t left = sig_bytes_left(b);
	const uint8_t *end = left ? memchr(b->p, '\n', left) : NULL;

	if (!end)
		return false;
	*ret_len = (size_t)(end - b->p);
	*ret_line = (const char *)sig_bytes_take(b, *ret_len + 1);
	return true;
}

/* Copies what follows `key` and a blank; false when the line is another one or too long. */
static bool
value_of(const char *line, size_t len, const char *key, char *out, size_t cap)
{
	size_t n = strlen(key);

	if (len <= n + 1 || memcmp(line, key, n) != 0 || line[n] != ' ' || len - n - 1 >= cap)
		return false;
	memcpy(out, line + n + 1, len - n - 1);
	out[len - n - 1] = '\0';
	return true;
}

static bool
is_file_name(const char *s)
{
	size_t n = strlen(s);

	return n > 5 && strcmp(s + n - 5, ".yaml") == 0 && s[0] != '-' &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n - 5;
}

bool
sig_version_is(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n < sizeof(((struct sig_manifest *)0)->version) &&
	       strspn(s, "0123456789.") == n && *s != '.';
}

static bool
parse_file(const char *line, size_t len, struct sig_manifest_file *f)
{
	char rest[SIG_BUNDLE_NAME_MAX + 128], *size, *name, *end;
	const char *why;
	unsigned long long n;

	if (!value_of(line, len, "sha256", rest, sizeof(rest)) || strlen(rest) < 68 ||
	    rest[64] != ' ')
		return false;
	rest[64] = '\0';
	size = rest + 65;
	name = strchr(size, ' ');
	if (!name || strspn(rest, "0123456789abcdef") != 64)
		return false;
	*name++ = '\0';
	n = strtoull(size, &end, 10);
	if (!isdigit((unsigned char)*size) || *end || n == 0 || n > SIG_BUNDLE_FILE_MAX ||
	    strlen(name) > SIG_BUNDLE_NAME_MAX || !is_file_name(name))
		return false;
	strcpy(f->name, name);
	f->size = (size_t)n;
	return sig_value_hex(rest, f->sha256, NULL, 32, &why) == 32;
}

int
sig_manifest_parse(
    const char *text, size_t len, struct sig_manifest *ret_manifest, unsigned *ret_line)
{
	struct sig_manifest m = { 0 };
	struct sig_bytes b = sig_bytes_of(text, len);
	unsigned no = 0, cap = 0;
	const char *line;
	size_t n, total = 0;
	char head[33];
	bool ok = true;

	while (ok && next_line(&b, &line, &n)) {
		no++;
		if (no == 1)
			ok = value_of(line, n, "phonehome-packs", head, sizeof(head)) &&
			     strcmp(head, "1") == 0;
		else if (no == 2)
			ok = value_of(line, n, "version", m.version, sizeof(m.version)) &&
			     sig_version_is(m.version);
		else if (no == 3)
			ok = value_of(line, n, "created", m.created, sizeof(m.created));
		else {
			if (m.n == cap) {
				void *more;

				cap = cap ? 2 * cap : 64;
				more = m.n < SIG_BUNDLE_FILES_MAX
					   ? realloc(m.files, cap * sizeof(*m.files))
					   : NULL;
				if (!more) {
					ok = false;
					break;
				}
				m.files = more;
			}
			/* In order of names, so that none comes twice. */
			ok = parse_file(line, n, &m.files[m.n]) &&
			     (m.n == 0 || strcmp(m.files[m.n - 1].name, m.files[m.n].name) < 0);
			total += ok ? m.files[m.n].size : 0;
			ok = ok && total <= SIG_BUNDLE_MAX;
			m.n += ok;
		}
	}
	if (!ok || m.n == 0 || sig_bytes_left(&b) > 0) {
		sig_manifest_free(&m);
		*ret_line = ok ? no + 1 : no;
		return -EINVAL;
	}
	*ret_manifest = m;
	return 0;
}

void
sig_manifest_free(struct sig_manifest *m)
{
	if (m)
		free(m->files);
}

int
sig_version_compare(const char *a, const char *b)
{
	while (*a || *b) {
		size_t na, nb;
		int d;

		a += strspn(a, ".");
		b += strspn(b, ".");
		a += strspn(a, "0");
		b += strspn(b, "0");
		na = strcspn(a, ".");
		nb = strcspn(b, ".");
		if (na != nb)
			return na < nb ? -1 : 1;
		d = memcmp(a, b, na);
		if (d)
			return d;
		a += na;
		b += nb;
	}
	return 0;
}

static const struct sig_manifest_file *
file_named(const struct sig_manifest *m, const char *path)
{
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	for (unsigned i = 0; i < m->n; i++)
		if (strcmp(m->files[i].name, base) == 0)
			return &m->files[i];
	return NULL;
}

char *
sig_bundle_origin(const char *dir, const struct sig_packs *packs)
{
	struct sig_diag quiet = { 0 };
	struct sig_manifest m = { 0 };
	char *path = NULL, *text = NULL, *origin = NULL;
	unsigned line, same = 0;
	size_t len = 0;
	bool is_signed;

	if (asprintf(&path, "%s/MANIFEST", dir) < 0)
		return NULL;
	if (sig_file_read(path, SIG_BUNDLE_MANIFEST_MAX, &text, &len, &quiet) == 0 &&
	    sig_manifest_parse(text, len, &m, &line) == 0) {
		for (unsigned i = 0; i < packs->n; i++) {
			const struct sig_manifest_file *f = file_named(&m, packs->files[i].path);

			same += f && memcmp(f->sha256, packs->files[i].sha256, 32) == 0;
		}
	}
	free(text);
	free(path);
	text = path = NULL;
	/* The installer keeps this file only of a bundle whose signature it found good. */
	if (asprintf(&path, "%s/MANIFEST.sig", dir) < 0)
		path = NULL;
	is_signed = path && sig_file_read(path, SIG_SIGNATURE_BYTES, &text, &len, &quiet) == 0 &&
		    len == SIG_SIGNATURE_BYTES;
	if (m.n == 0 || same != m.n || same != packs->n)
		origin = strdup("folder");
	else if (!is_signed)
		origin = strdup("unsigned");
	else if (asprintf(&origin, "signed:%s", m.version) < 0)
		origin = NULL;
	free(text);
	free(path);
	sig_manifest_free(&m);
	sig_diag_free(&quiet);
	return origin;
}
