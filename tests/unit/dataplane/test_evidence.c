/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence files: their rights, their turns over a restart, and a disk that is full for a while. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/evidence.h"

enum { FRAME = 1000, FILES = 3 };

static char folder[] = "/tmp/ph-evidence-XXXXXX";
static struct dp_evidence_config config = {
	.folder = folder, .packets_per_flow = 8, .snaplen = 2048, .file_mb = 1, .files = FILES
};

static char *
file(unsigned i)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/evidence-%u.pcap", folder, i);
	return path;
}

/* n frames of n flows through a worker's ring into the files. */
static void
keep(struct dp_evidence *e, unsigned n, uint64_t first_flow)
{
	static struct dp_worker w;
	static uint8_t bytes[FRAME];
	struct clf_frame frame = {
		.data = bytes, .len = FRAME, .wire_len = FRAME + 7, .ts_us = 1700000000123456
	};
	struct clf_result result = { .matched = 1 };

	w.evidence = dp_byte_ring_new(16 << 20);
	w.seen = dp_evidence_seen_new();
	w.evidence_packets = 8;
	w.evidence_snaplen = 2048;
	assert_non_null(w.evidence);
	assert_non_null(w.seen);
	for (unsigned i = 0; i < n; i++) {
		result.flow_id = first_flow + i;
		memset(bytes, (int)(first_flow + i), sizeof(bytes));
		dp_evidence_keep(&w, &frame, &result, 1);
	}
	dp_evidence_write(e, w.evidence);
	dp_byte_ring_free(w.evidence);
	dp_evidence_seen_free(w.seen);
}

/* Whole records in a file, the last one's first byte to *ret_last; -1: it breaks off. */
static int
records(const char *path, uint8_t *ret_last)
{
	char err[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline(path, err);
	struct pcap_pkthdr *head;
	const u_char *data;
	int n = 0, got;

	assert_non_null(p);
	while ((got = pcap_next_ex(p, &head, &data)) == 1) {
		assert_int_equal(head->caplen, FRAME);
		assert_int_equal(head->len, FRAME + 7);
		assert_int_equal(head->ts.tv_sec, 1700000000);
		assert_int_equal(head->ts.tv_usec, 123456);
		*ret_last = data[0];
		n++;
	}
	pcap_close(p);
	return got == PCAP_ERROR_BREAK ? n : -1;
}

static struct dp_evidence *
begin(void)
{
	struct dp_evidence *e = NULL;
	struct sig_diag diag = { 0 };

	assert_int_equal(dp_evidence_open(&config, &e, &diag), 0);
	return e;
}

static int
make_folder(void **state)
{
	(void)state;
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int
remove_folder(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FILES; i++)
		unlink(file(i));
	return rmdir(folder);
}

static void
test_rights_and_turns(void **state)
{
	struct stat st;
	uint8_t last = 0;
	struct dp_evidence *e = begin();

	(void)state;
	keep(e, 2500, 1); /* two files full, a third begun */
	assert_int_equal(dp_evidence_stats(e)->frames, 2500);
	assert_int_equal(dp_evidence_stats(e)->bytes, 2500 * FRAME);
	assert_int_equal(dp_evidence_stats(e)->files, 3);
	dp_evidence_close(e);
	unsigned sum = 0;
	for (unsigned i = 0; i < FILES; i++) {
		assert_int_equal(stat(file(i), &st), 0);
		assert_int_equal(st.st_mode & 0777 & ~0640, 0);
		assert_true(st.st_size <= (1 << 20) + 16 + FRAME);
		int n = records(file(i), &last);
		assert_true(n > 0);
		sum += (unsigned)n;
	}
	assert_int_equal(sum, 2500);

	/* The next run takes the oldest file, not the one that was written last. */
	struct timespec times[FILES][2] = { 0 };
	static const int age[FILES] = { 50, 100, 10 };
	for (unsigned i = 0; i < FILES; i++) {
		times[i][0].tv_sec = times[i][1].tv_sec = 1700000000 - age[i];
		assert_int_equal(utimensat(AT_FDCWD, file(i), times[i], 0), 0);
	}
	e = begin();
	keep(e, 1, 77);
	assert_int_equal(records(file(1), &last), 1);
	assert_int_equal(last, 77);
	assert_true(records(file(0), &last) > 1);
	assert_true(records(file(2), &last) > 1);
	dp_evidence_close(e);

	/* A missing one comes first. */
	unlink(file(2));
	e = begin();
	keep(e, 1, 78);
	assert_int_equal(records(file(2), &last), 1);
	dp_evidence_close(e);
}

static void
test_links_are_not_followed(void **state)
{
	char other[80];
	struct stat st;

	(void)state;
	snprintf(other, sizeof(other), "%s.other", folder);
	FILE *f = fopen(other, "w");
	assert_non_null(f);
	fputs("somebody's file", f);
	fclose(f);
	for (unsigned i = 0; i < FILES; i++)
		assert_int_equal(symlink(other, file(i)), 0);
	struct dp_evidence *e = begin();
	keep(e, 3, 1);
	assert_int_equal(dp_evidence_stats(e)->frames, 0);
	assert_true(dp_evidence_stats(e)->errors > 0);
	dp_evidence_close(e);
	assert_int_equal(stat(other, &st), 0);
	assert_int_equal(st.st_size, strlen("somebody's file"));
	unlink(other);
}

static void
test_no_folder(void **state)
{
	struct dp_evidence_config other = config;
	struct dp_evidence *e = NULL;
	struct sig_diag diag = { 0 };

	(void)state;
	other.folder = "/dev/null";
	errno = EACCES; /* of something before */
	assert_int_equal(dp_evidence_open(&other, &e, &diag), -ENOTDIR);
	sig_diag_free(&diag);
}

/* A limit on the size of files stands for a disk that is full: writes break off in a record. */
static void
test_full_disk(void **state)
{
	struct rlimit was, tight;
	uint8_t last = 0;
	struct dp_evidence *e = begin();

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	keep(e, 10, 1);
	tight = was;
	tight.rlim_cur = 24 + 14 * (16 + FRAME) + 500;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	keep(e, 10, 11);
	assert_int_equal(dp_evidence_stats(e)->frames, 10);
	assert_int_equal(dp_evidence_stats(e)->errors, 1);
	assert_int_equal(records(file(0), &last), 10);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	keep(e, 10, 21); /* room again: it goes on behind the last whole record */
	assert_int_equal(dp_evidence_stats(e)->frames, 20);
	dp_evidence_close(e);
	assert_int_equal(records(file(0), &last), 20);
	assert_int_equal(last, 30);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rights_and_turns, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
		    test_links_are_not_followed, make_folder, remove_folder),
		cmocka_unit_test(test_no_folder),
		cmocka_unit_test_setup_teardown(test_full_disk, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
