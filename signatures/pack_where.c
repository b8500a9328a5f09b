/* SPDX-License-Identifier: Apache-2.0 */
/* Faults found after a pack was read, put at their place in its text. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "signatures/base/yaml_tree.h"
#include "signatures/pack.h"

/* The text parsed once more, upon the first fault, and kept for the next ones. */
struct pack_where {
	const struct pack_file *file;
	yaml_document_t doc;
};

static struct pack_where *
tree_of(struct pack_where **cache, const struct pack_file *file)
{
	struct sig_diag quiet = { 0 };

	if (*cache && (*cache)->file == file)
		return *cache;
	pack_where_free(*cache);
	*cache = calloc(1, sizeof(**cache));
	if (!*cache)
		return NULL;
	if (sig_yaml_tree_parse(file->path, file->text, file->len, &(*cache)->doc, &quiet) != 0) {
		free(*cache);
		*cache = NULL;
	} else {
		(*cache)->file = file;
	}
	sig_diag_free(&quiet);
	return *cache;
}

/* Takes the last ".key" or "[index]" off; false when nothing is left. */
static bool
parent(char *where)
{
	size_t n = strlen(where);

	while (n > 0 && where[n - 1] != '.' && where[n - 1] != '[')
		n--;
	if (n == 0)
		return false;
	where[n - 1] = '\0';
	return true;
}

void
pack_where_add(struct pack_where **cache, const struct pack_file *file, struct sig_diag *diag,
    enum sig_severity severity, const char *where, const char *fmt, ...)
{
	struct pack_where *w = tree_of(cache, file);
	unsigned line = 0, col = 0;
	char path[256], *text = NULL;
	va_list ap;

	snprintf(path, sizeof(path), "%s", where);
	while (w && path[0] && sig_yaml_tree_find(&w->doc, path, &line, &col) != 0)
		if (!parent(path))
			break;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	sig_diag_add(diag, severity, file->path, line, col, "%s", text ? text : "out of memory");
	free(text);
}

void
pack_where_free(struct pack_where *cache)
{
	if (!cache)
		return;
	yaml_document_delete(&cache->doc);
	free(cache);
}
