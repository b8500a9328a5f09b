/* SPDX-License-Identifier: Apache-2.0 */
/* The records file: whole lines alone, and the truth about what is not in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/records_file.h"

static void
put(struct dp_records_file *f, unsigned n)
{
	struct clf_event e = { .size = CLF_EVENT_SIZE(0),
		.type = CLF_EV_ENDED,
		.has_details = 1,
		.ip_version = 4,
		.protocol = 6,
		.state = CLF_DECIDED };

	for (unsigned i = 0; i < n; i++)
		dp_records_put(f, &e);
	dp_records_flush(f);
}

/* Lines of the file, each of which must be JSON. */
static unsigned
lines(const char *path)
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t cap = 0;
	unsigned n = 0;
	ssize_t len;

	assert_non_null(f);
	while ((len = getline(&line, &cap, f)) > 0) {
		json_t *o = json_loadb(line, (size_t)len, 0, NULL);
		assert_true(json_is_object(o));
		assert_int_equal(line[len - 1], '\n');
		json_decref(o);
		n++;
	}
	free(line);
	fclose(f);
	return n;
}

static void
test_full_disk(void **state)
{
	char folder[] = "/tmp/ph-records-XXXXXX", path[64];
	struct dp_records_file *f = NULL;
	struct sig_diag diag = { 0 };
	struct rlimit was, tight;
	uint64_t written, lost;
	struct stat st;
	int err;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/r", folder);
	assert_int_equal(dp_records_open(path, &f, &diag), 0);
	put(f, 10);
	assert_int_equal(lines(path), 10);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777 & ~0640, 0);

	/* A limit on the size of files stands for a disk that is full. */
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	tight = was;
	tight.rlim_cur = (rlim_t)st.st_size + 5000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	put(f, 500);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	dp_records_stats(f, &written, &lost, &err);
	assert_int_equal(written, 10);
	assert_int_equal(lost, 500);
	assert_int_equal(err, EFBIG);
	assert_int_equal(lines(path), 10);

	put(f, 7); /* room again */
	dp_records_stats(f, &written, &lost, &err);
	assert_int_equal(written, 17);
	assert_int_equal(lines(path), 17);
	dp_records_close(f);
	unlink(path);
	rmdir(folder);
}

/* What cannot be cut back tells why it was not written all the same, by one record and by many. */
static void
test_no_file(void **state)
{
	static const unsigned many[] = { 1, 500 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct dp_records_file *f = NULL;
		struct sig_diag diag = { 0 };
		uint64_t written, lost;
		int err;

		assert_int_equal(dp_records_open("/dev/full", &f, &diag), 0);
		put(f, many[i]);
		dp_records_stats(f, &written, &lost, &err);
		assert_int_equal(written, 0);
		assert_int_equal(lost, many[i]);
		assert_int_equal(err, ENOSPC);
		dp_records_close(f);
	}
}

static void
test_nowhere(void **state)
{
	struct dp_records_file *f = NULL;
	struct sig_diag diag = { 0 };

	(void)state;
	assert_int_equal(dp_records_open("/no/such/folder/r", &f, &diag), -ENOENT);
	assert_null(f);
	assert_int_equal(diag.n, 1);
	assert_string_equal(diag.msgs[0].text, "/no/such/folder/r: No such file or directory");
	sig_diag_free(&diag);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
