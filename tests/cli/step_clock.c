/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded: a wall clock that is set, by as many seconds as the file $STEP_CLOCK says. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	const char *path = getenv("STEP_CLOCK");
	long step = 0;
	long rc = syscall(SYS_clock_gettime, id, ts);
	FILE *f = id == CLOCK_REALTIME && path ? fopen(path, "re") : NULL;

	if (f && fscanf(f, "%ld", &step) == 1)
		ts->tv_sec += step;
	if (f)
		fclose(f);
	return (int)rc;
}
