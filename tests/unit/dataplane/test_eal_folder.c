/* SPDX-License-Identifier: Apache-2.0 */
/* Runtime folders that killed daemons left: those alone go, and nothing that is in use or not ours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/eal_folder.h"

static char top[64];

static const char *
at(const char *folder, const char *file)
{
	static char path[4][160];
	static unsigned n;
	char *p = path[n++ % 4];

	(void)snprintf(
	    p, sizeof(path[0]), "%s/%s%s%s", top, folder, file ? "/" : "", file ? file : "");
	return p;
}

static void
put(const char *folder, const char *file)
{
	(void)mkdir(at(folder, NULL), 0700);
	int fd = open(at(folder, file), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

/* As if nobody had touched it for an hour. */
static void
age(const char *folder)
{
	struct timespec old[2] = { { .tv_sec = time(NULL) - 3600 },
		{ .tv_sec = time(NULL) - 3600 } };

	assert_int_equal(utimensat(AT_FDCWD, at(folder, NULL), old, 0), 0);
}

static bool
there(const char *folder)
{
	return access(at(folder, NULL), F_OK) == 0;
}

static int
listen_at(const char *folder, const char *name, int type)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", at(folder, name));
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	if (type != SOCK_DGRAM)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* Another process that holds the lock of DPDK's primary until it is told to end. */
static pid_t
lock_config(const char *folder, int *ret_end)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int ready[2], end[2];
	char c;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(end), 0);
	pid_t pid = fork();
	if (pid == 0) {
		int fd = open(at(folder, "config"), O_RDWR);
		close(end[1]);
		if (fcntl(fd, F_SETLK, &lock) == 0 && write(ready[1], "x", 1) == 1)
			(void)!read(end[0], &c, 1);
		_exit(0);
	}
	close(ready[1]);
	close(end[0]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	*ret_end = end[1];
	return pid;
}

static int
set_up(void **state)
{
	(void)state;
	(void)strcpy(top, "/tmp/phonehome-eal-XXXXXX");
	return mkdtemp(top) ? 0 : -1;
}

static int
tear_down(void **state)
{
	char command[96];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command);
}

static void
test_stale_goes(void **state)
{
	(void)state;
	put("phonehome-00000001", "config");
	put("phonehome-00000001", "fbarray_memzone");
	close(listen_at("phonehome-00000001", "dpdk_telemetry.v2", SOCK_SEQPACKET));
	close(listen_at("phonehome-00000001", "mp_socket", SOCK_DGRAM));
	age("phonehome-00000001");
	put("phonehome-0000000a", "config"); /* our own */
	age("phonehome-0000000a");
	assert_int_equal(dp_eal_sweep(at("phonehome-0000000a", NULL)), 1);
	assert_false(there("phonehome-00000001"));
	assert_true(there("phonehome-0000000a"));
	assert_int_equal(dp_eal_sweep(at("phonehome-0000000a", NULL)), 0);
}

static void
test_in_use_stays(void **state)
{
	int end;

	(void)state;
	put("phonehome-00000002", "config");
	pid_t pid = lock_config("phonehome-00000002", &end);
	put("phonehome-00000003", "fbarray_memzone"); /* --in-memory: no config, but a socket */
	int one = listen_at("phonehome-00000003", "dpdk_telemetry.v2", SOCK_SEQPACKET);
	put("phonehome-00000004", "fbarray_memzone");
	int two = listen_at("phonehome-00000004", "mp_socket", SOCK_DGRAM);
	for (unsigned i = 2; i <= 4; i++) {
		char name[32];
		(void)snprintf(name, sizeof(name), "phonehome-%08x", i);
		age(name);
	}
	assert_int_equal(dp_eal_sweep(at("phonehome-0000000a", NULL)), 0);
	close(end);
	close(one);
	close(two);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(dp_eal_sweep(at("phonehome-0000000a", NULL)), 3);
}

static void
test_others_stay(void **state)
{
	static const char *const names[] = { "rte", "phonehome-", "phonehome-0000000g",
		"phonehome-000000011", "phonehome-0000001", "xphonehome-00000001" };

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		put(names[i], "config");
		age(names[i]);
	}
	put("phonehome-00000005", "config"); /* one that has just begun */
	put("phonehome-00000006", "config");
	assert_int_equal(mkdir(at("phonehome-00000006", "folder"), 0700), 0);
	age("phonehome-00000006");
	assert_int_equal(symlink("/tmp", at("phonehome-00000007", NULL)), 0);
	assert_int_equal(dp_eal_sweep(at("phonehome-0000000a", NULL)), 0);
	for (unsigned i = 0; i < 6; i++)
		assert_true(there(names[i]));
	assert_int_equal(dp_eal_sweep("/no/such/phonehome-0000000a"), 0);
	assert_int_equal(dp_eal_sweep("nothing"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stale_goes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_in_use_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_others_stay, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
