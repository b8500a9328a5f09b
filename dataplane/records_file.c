/* SPDX-License-Identifier: Apache-2.0 */
/* Flow records as JSON lines in a file. */
#include "dataplane/records_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/proto/json.h"

struct dp_records_file {
	FILE *file;
	off_t good;	   /* bytes that were flushed */
	uint64_t buffered; /* lines since */
	uint64_t written, lost;
	int error;
};

int
dp_records_open(const char *path, struct dp_records_file **ret_file, struct sig_diag *diag)
{
	struct dp_records_file *f = calloc(1, sizeof(*f));
	/* Appending: after a failed write the file is cut back and goes on from there. */
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0640);
	int rc = fd < 0 ? -errno : 0;

	if (f && fd >= 0)
		f->file = fdopen(fd, "a");
	if (f && f->file) {
		*ret_file = f;
		return 0;
	}
	free(f);
	if (fd >= 0)
		close(fd);
	rc = rc < 0 ? rc : -ENOMEM;
	sig_diag_add(diag, SIG_ERROR, path, 0, 0, "%s", strerror(-rc));
	return rc;
}

void
dp_records_close(struct dp_records_file *f)
{
	if (!f)
		return;
	(void)fclose(f->file);
	free(f);
}

void
dp_records_put(struct dp_records_file *f, const struct clf_event *record)
{
	json_t *json = proto_record_json(record, NULL);
	char *line = json ? json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;

	if (line) {
		if (fprintf(f->file, "%s\n", line) < 0) /* counted at the flush */
			f->error = errno;
		f->buffered++;
	} else {
		f->lost++;
		f->error = ENOMEM;
	}
	free(line);
	json_decref(json);
}

void
dp_records_flush(struct dp_records_file *f)
{
	int err = fflush(f->file) < 0 ? errno : 0;

	if (err == 0 && !ferror(f->file)) {
		f->good = ftello(f->file);
		f->written += f->buffered;
	} else {
		if (err != 0) /* else an earlier write has met it */
			f->error = err;
		f->lost += f->buffered;
		__fpurge(f->file);
		clearerr(f->file);
		(void)!ftruncate(fileno(f->file), f->good); /* of a pipe what was sent is gone */
	}
	f->buffered = 0;
}

void
dp_records_stats(
    const struct dp_records_file *f, uint64_t *ret_written, uint64_t *ret_lost, int *ret_errno)
{
	*ret_written = f->written;
	*ret_lost = f->lost;
	*ret_errno = f->error;
}
