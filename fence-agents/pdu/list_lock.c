/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * list_lock.c - see list_lock.h.
 */
#include "fence-agents/pdu/list_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/clock.h"

#define LOCK_FOLDER "/run/holdfast"
#define LOCK_RETRY_MS 10

enum { LOCK_PATH_BYTES = 512 };

static void lock_path(const char *ip, const char *port, char *path)
{
	char *p = path + sizeof LOCK_FOLDER;

	snprintf(path, LOCK_PATH_BYTES, "%s/pdu-%.300s-%.20s.lock", LOCK_FOLDER, ip, port);
	while ((p = strchr(p, '/')))
		*p = '_';
}

/* The holder before us removes the file: what we locked must still be what has the name. */
static int lock_is_current(int fd, const char *path)
{
	struct stat ours, named;

	return fstat(fd, &ours) == 0 && stat(path, &named) == 0 && ours.st_ino == named.st_ino &&
	       ours.st_dev == named.st_dev;
}

int list_lock_take(struct fence_ctx *ctx, const char *ip, const char *port, int *fd)
{
	char path[LOCK_PATH_BYTES];

	lock_path(ip, port, path);
	for (;;) {
		mkdir(LOCK_FOLDER, 0755);
		*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (*fd < 0) {
			fence_warn(ctx,
				   "no lock against other agents that switch this device: %s: %s",
				   path, strerror(errno));
			return 0;
		}
		if (flock(*fd, LOCK_EX | LOCK_NB) == 0 && lock_is_current(*fd, path))
			return 0;
		close(*fd);
		*fd = -1;
		if (fence_left_ms(ctx) <= LOCK_RETRY_MS)
			return fence_fail(ctx, RC_BUSY,
					  "wait until it is done, or raise shell_timeout",
					  "another agent is switching this device");
		clock_sleep_until(mono_add_ms(clock_now(), LOCK_RETRY_MS));
	}
}

void list_lock_drop(const char *ip, const char *port, int fd)
{
	char path[LOCK_PATH_BYTES];

	if (fd < 0)
		return;
	lock_path(ip, port, path);
	unlink(path);
	close(fd);
}
