/* SPDX-License-Identifier: Apache-2.0 */
/* The DNS memory's images: kept, private, whole; whatever else lies in the folder does no harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/dns_state.h"

#define SECOND 1000000ULL
#define NOW (1700000000 * SECOND)

static char folder[64], path[128];
static const struct clf_addr client = { { 10, 0, 0, 1 } };

static const char *
in_folder(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static int
set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/phonehome-state-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int
tear_down(void **state)
{
	char name[32];

	(void)state;
	for (unsigned i = 0; i < 17; i++) {
		snprintf(name, sizeof(name), "dns-memory.%u", i);
		unlink(in_folder(name));
		strcat(name, ".new");
		unlink(in_folder(name));
	}
	return rmdir(folder);
}

static struct clf_dns_memory *
memory_with(const char *name, uint8_t last)
{
	static struct clf_dns_msg m;
	struct clf_dns_memory *memory = clf_dns_memory_new(100, 1);

	memset(&m, 0, sizeof(m));
	m.response = m.have_qname = true;
	m.qclass = 1;
	clf_name_set(&m.qname, (const uint8_t *)name, strlen(name));
	m.n_answers = 1;
	m.answers[0] = (struct clf_dns_answer){
		.kind = 1, .ttl = 300, .addr_len = 4, .addr = { 192, 0, 2, last }
	};
	clf_name_copy(&m.answers[0].owner, &m.qname);
	clf_dns_memory_learn(memory, 4, &client, &m, NOW);
	return memory;
}

static void
knows(struct clf_dns_memory *m, uint8_t last, uint64_t now, const char *want)
{
	struct clf_addr server = { { 192, 0, 2, last } };
	bool several;
	const char *got = clf_dns_memory_find(m, 4, &client, &server, now, &several);

	if (want)
		assert_string_equal(got, want);
	else
		assert_null(got);
}

static unsigned
load(struct clf_dns_memory **m, unsigned n, uint64_t now, unsigned want_warnings)
{
	struct sig_diag diag = { 0 };
	unsigned taken = dp_dns_state_load(folder, m, n, now, &diag);

	if (diag.n != want_warnings)
		fail_msg("%u warnings: %s", diag.n, diag.n != 0 ? diag.msgs[0].text : "");
	assert_int_equal(diag.errors, 0);
	sig_diag_free(&diag);
	return taken;
}

static void
save(struct clf_dns_memory **m, unsigned n)
{
	struct sig_diag diag = { 0 };

	dp_dns_state_save(folder, m, n, &diag);
	assert_int_equal(diag.n, 0);
}

static void
put(const char *name, const void *bytes, size_t len)
{
	int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	close(fd);
}

/* Two workers before, one after, and the other way round: each knows all, until it runs out. */
static void
test_kept(void **state)
{
	struct clf_dns_memory *two[2] = { memory_with("a.example", 1),
		memory_with("b.example", 2) };
	struct clf_dns_memory *after[2] = { clf_dns_memory_new(100, 9),
		clf_dns_memory_new(100, 8) };
	struct stat st;

	(void)state;
	assert_int_equal(load(after, 2, NOW, 0), 0); /* the first start */
	umask(0);
	save(two, 2);
	assert_int_equal(stat(in_folder("dns-memory.1"), &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(access(in_folder("dns-memory.1.new"), F_OK), -1);
	assert_int_equal(load(after, 2, NOW + 60 * SECOND, 0), 2);
	for (unsigned i = 0; i < 2; i++) {
		knows(after[i], 1, NOW + 60 * SECOND, "a.example");
		knows(after[i], 2, NOW + 60 * SECOND, "b.example");
		knows(after[i], 1, NOW + 301 * SECOND, NULL);
	}
	save(after, 1); /* the second worker's is gone, or it would come back for ever */
	assert_int_equal(access(in_folder("dns-memory.1"), F_OK), -1);
	assert_int_equal(load(after, 1, NOW + 301 * SECOND, 0), 0);
	for (unsigned i = 0; i < 2; i++) {
		clf_dns_memory_free(two[i]);
		clf_dns_memory_free(after[i]);
	}
}

/* Cut at each length, each byte changed: told, left out, and the good image beside it still read.
 */
static void
test_bad_images(void **state)
{
	struct clf_dns_memory *good = memory_with("a.example", 1);
	struct clf_dns_memory *other = memory_with("b.example", 2);
	size_t len = clf_dns_memory_save(good, NULL, 0);
	uint8_t *image = malloc(len);

	(void)state;
	save(&other, 1);
	assert_int_equal(clf_dns_memory_save(good, image, len), len);
	for (size_t i = 0; i < 2 * len; i++) {
		struct clf_dns_memory *m = clf_dns_memory_new(100, 1);
		if (i >= len)
			image[i - len] ^= 0x41;
		put("dns-memory.1", image, i < len ? i : len);
		if (i >= len)
			image[i - len] ^= 0x41;
		assert_int_equal(load(&m, 1, NOW, 1), 1);
		knows(m, 1, NOW, NULL);
		knows(m, 2, NOW, "b.example");
		clf_dns_memory_free(m);
	}
	free(image);
	clf_dns_memory_free(good);
	clf_dns_memory_free(other);
}

static void
test_no_files_of_ours(void **state)
{
	struct clf_dns_memory *m = memory_with("a.example", 1);
	struct sig_diag diag = { 0 };
	char target[140];

	(void)state;
	save(&m, 1);
	snprintf(target, sizeof(target), "%s/dns-memory.0", folder);
	assert_int_equal(symlink(target, in_folder("dns-memory.1")), 0);
	assert_int_equal(mkfifo(in_folder("dns-memory.2"), 0600), 0);
	struct clf_dns_memory *fresh = clf_dns_memory_new(256, 7);
	assert_int_equal(load(&fresh, 1, NOW, 2), 1);
	assert_int_equal(load(&fresh, 1, NOW, 2), 0); /* nothing new */
	clf_dns_memory_free(fresh);
	/* A link where the image goes is replaced, not followed. */
	put("dns-memory.16", "mine", 4);
	snprintf(target, sizeof(target), "%s/dns-memory.16", folder);
	assert_int_equal(symlink(target, in_folder("dns-memory.0.new")), 0);
	save(&m, 1);
	struct stat st;
	assert_int_equal(stat(in_folder("dns-memory.16"), &st), 0);
	assert_int_equal(st.st_size, 4);
	dp_dns_state_save("/proc/no/such", &m, 1, &diag);
	assert_int_equal(diag.n, 1);
	assert_int_equal(diag.errors, 0);
	sig_diag_free(&diag);
	clf_dns_memory_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_images, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_files_of_ours, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
