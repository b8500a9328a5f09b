/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/capture_classic.c: the frames, times and ends that libpcap gives for the same bytes. */
#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/capture_classic.h"

struct file {
	uint8_t bytes[3 << 20];
	size_t n;
	bool big;
};

static struct file file;
static char path[64];

static void
put(unsigned size, uint32_t v)
{
	for (unsigned i = 0; i < size; i++)
		file.bytes[file.n++] = (uint8_t)(v >> 8 * (file.big ? size - 1 - i : i));
}

static void
begin(bool big, uint32_t magic, uint32_t snaplen, uint32_t link)
{
	file.n = 0;
	file.big = big;
	put(4, magic);
	put(2, 2);
	put(2, 4);
	put(4, 0);
	put(4, 0);
	put(4, snaplen);
	put(4, link);
}

static void
record(uint32_t sec, uint32_t sub, uint32_t caplen, uint32_t len)
{
	put(4, sec);
	put(4, sub);
	put(4, caplen);
	put(4, len);
	for (uint32_t i = 0; i < caplen; i++)
		file.bytes[file.n++] = (uint8_t)(i * 7 + caplen);
}

static int
store(size_t n)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, file.bytes, n), (ssize_t)n);
	return fd;
}

/* The next frame, in bursts of three. */
static int
next(struct ctl_classic *r, struct clf_frame *f, char why[static 128])
{
	static unsigned in_burst;
	int got = in_burst % 3 ? ctl_classic_next(r, false, f, why) : 0;

	in_burst++;
	if (got == 0) {
		in_burst = 1;
		got = ctl_classic_next(r, true, f, why);
	}
	return got;
}

/* Reads the first n bytes of the file by both; how many frames. */
static unsigned
as_libpcap_does(size_t n)
{
	int fd = store(n), got, want;
	char err[PCAP_ERRBUF_SIZE], why[128] = "";
	struct ctl_classic *r = NULL;
	struct pcap_pkthdr *head;
	const u_char *data;
	struct clf_frame f = { 0 };
	unsigned frames = 0;
	pcap_t *p = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_MICRO, err);

	assert_non_null(p);
	assert_int_equal(ctl_classic_open(fd, &r), 0);
	do {
		want = pcap_next_ex(p, &head, &data);
		got = next(r, &f, why);
		if (want == PCAP_ERROR_BREAK) {
			assert_int_equal(got, 0);
		} else if (want < 0) {
			bool cut = strncmp(pcap_geterr(p), "truncated", 9) == 0;

			assert_int_equal(got, cut ? -ENODATA : -EBADMSG);
			if (!cut)
				assert_string_equal(why, pcap_geterr(p));
		} else {
			uint32_t len = head->len > head->caplen ? head->len : head->caplen;

			assert_int_equal(got, 1);
			assert_int_equal(f.len, head->caplen);
			assert_int_equal(f.wire_len, len);
			assert_memory_equal(f.data, data, f.len);
			assert_int_equal(
			    f.flags, head->len > head->caplen ? CLF_FRAME_TRUNCATED : 0);
			assert_int_equal(f.ts_us,
			    (uint64_t)head->ts.tv_sec * 1000000 + (uint64_t)head->ts.tv_usec);
			frames++;
		}
	} while (want > 0);
	if (got == 0)
		assert_int_equal(ctl_classic_offset(r), n);
	ctl_classic_close(r);
	pcap_close(p);
	close(fd);
	return frames;
}

static void
both_orders_and_both_clocks(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		begin(i & 1, i & 2 ? 0xa1b23c4d : 0xa1b2c3d4, 100, 1);
		record(1700000000, i & 2 ? 999999999 : 999999, 60, 60);
		record(1700000001, 1, 100, 1500);
		record(0x7fffffff, 5, 0, 0);
		record(1700000002, 2, 120, 1500); /* more than it may hold: cut */
		record(1700000003, 3, 40, 20);	  /* a lie */
		assert_int_equal(as_libpcap_does(file.n), 5);
	}
}

static void
cut_at_any_byte(void **state)
{
	(void)state;
	begin(false, 0xa1b2c3d4, 262144, 1);
	record(1, 1, 20, 20);
	record(2, 2, 30, 30);
	for (size_t n = 24; n <= file.n; n++)
		as_libpcap_does(n);
}

static void
more_than_the_buffer_holds(void **state)
{
	(void)state;
	begin(false, 0xa1b2c3d4, 262144, 1);
	for (unsigned i = 0; i < 9; i++) {
		record(i, i, 262144, 262144);
		record(i, i, 1 + i * 1000, 9999);
	}
	assert_int_equal(as_libpcap_does(file.n), 18);
	assert_int_equal(as_libpcap_does(file.n - 1), 17);
}

static void
lying_lengths(void **state)
{
	static const uint32_t lies[] = { 262145, 0x7fffffff, 0xffffffff };

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		begin(false, 0xa1b2c3d4, i ? 100 : 262144, 1);
		record(1, 1, 20, 20);
		put(4, 2);
		put(4, 2);
		put(4, lies[i]);
		put(4, lies[i]);
		assert_int_equal(as_libpcap_does(file.n), 1);
	}
}

static void
leaves_other_kinds(void **state)
{
	struct ctl_classic *r = NULL;
	int fd, ends[2];

	(void)state;
	begin(false, 0xa1b2c3d4, 262144, 1);
	for (size_t n = 0; n < 24; n++) {
		assert_int_equal(ctl_classic_open(fd = store(n), &r), -ENOTSUP);
		close(fd);
	}
	begin(false, 0xa1b2c3d4, 262144, 101); /* raw IP */
	assert_int_equal(ctl_classic_open(fd = store(file.n), &r), -ENOTSUP);
	close(fd);
	begin(true, 0x0a0d0d0a, 262144, 1); /* pcapng */
	assert_int_equal(ctl_classic_open(fd = store(file.n), &r), -ENOTSUP);
	close(fd);
	begin(false, 0xa1b2c3d4, 0, 1);
	assert_int_equal(ctl_classic_open(fd = store(file.n), &r), -ENOTSUP);
	close(fd);
	begin(false, 0xa1b2c3d4, 262144, 1);
	file.bytes[6] = 3; /* version 2.3: lengths in another order */
	assert_int_equal(ctl_classic_open(fd = store(file.n), &r), -ENOTSUP);
	close(fd);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(ctl_classic_open(ends[0], &r), -ENOTSUP);
	close(ends[0]);
	close(ends[1]);
	assert_null(r);
	ctl_classic_close(NULL);
}

static int
start(void **state)
{
	(void)state;
	strcpy(path, "/tmp/test_capture_classic.XXXXXX");
	int fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int
end(void **state)
{
	(void)state;
	return unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_orders_and_both_clocks),
		cmocka_unit_test(cut_at_any_byte),
		cmocka_unit_test(more_than_the_buffer_holds),
		cmocka_unit_test(lying_lengths),
		cmocka_unit_test(leaves_other_kinds),
	};

	return cmocka_run_group_tests(tests, start, end);
}
