/* SPDX-License-Identifier: Apache-2.0 */
/* Standard input, output and error: never left free for a file or a socket to take. */
#include "signatures/base/fds.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void
sig_fds_guard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		/* The lowest free number is this one. The wrong way round, so that whoever reads or
		 * writes is still told that it is closed. */
		if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			return; /* no /dev/null: as it was */
	}
}
