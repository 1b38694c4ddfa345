/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_system_io.c - memory, priority, journal, systemd; see lockd_system_io.h.
 */
#include "lockd/lockd_system_io.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lockd/lockd.h"

/* ---- log ---- */

/* A journal that takes nothing costs lines, never time. Threads other than the loop's come here too. */
static void line_write(const char *line, size_t length)
{
	struct pollfd fd = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (send(STDERR_FILENO, line, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
	    errno != ENOTSOCK)
		return;
	/* A pipe that is writable takes a line of this length whole. */
	if (poll(&fd, 1, 0) == 1 && (fd.revents & POLLOUT))
		(void)!write(STDERR_FILENO, line, length);
}

static void line_log(enum lockd_weight weight, const char *text)
{
	char line[1024];
	const char *journal = getenv("JOURNAL_STREAM");
	int length;

	length = journal ? snprintf(line, sizeof line, "<%d>%s\n", (int)weight, text)
			 : snprintf(line, sizeof line, "lockd: %s\n", text);
	if (length >= (int)sizeof line) {
		length = sizeof line - 1;
		line[length - 1] = '\n';
	}
	line_write(line, (size_t)length);
}

void lockd_log(enum lockd_weight weight, const char *fmt, ...)
{
	char text[960];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	line_log(weight, text);
}

void lockd_say(struct lockd *lockd, enum lockd_weight weight, const char *fmt, ...)
{
	char text[960];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	line_log(weight, text);
	if (lockd->heart)
		hb_io_say(lockd->heart, text);
}

/* ---- systemd ---- */

void lockd_notify(const char *state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t length = path ? strlen(path) : 0;
	int fd;

	if (length == 0 || length >= sizeof address.sun_path)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	memcpy(address.sun_path, path, length);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
		      (struct sockaddr *)&address,
		      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
	close(fd);
}

void lockd_notify_alive(mono_t now)
{
	static mono_t last;
	const char *usec = getenv("WATCHDOG_USEC");
	int64_t every_ms = usec ? strtoll(usec, NULL, 10) / 1000 / 3 : 0;

	if (every_ms <= 0 || mono_before(now, mono_add_ms(last, every_ms)))
		return;
	last = now;
	lockd_notify("WATCHDOG=1");
}

/* ---- hardening ---- */

static int score_write(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	int error = fd < 0 ? errno : 0;

	if (fd >= 0 && write(fd, "-1000", 5) != 5)
		error = errno;
	if (fd >= 0)
		close(fd);
	return error;
}

void lockd_harden(int priority)
{
	struct sched_param param = { .sched_priority = priority };
	int error;

	/* What is freed goes back, and one arena is enough for all threads. */
	mallopt(M_ARENA_MAX, 1);
	/* Pages as they are used, not the whole of every library and stack: what runs once an
	 * interval has been used before it matters. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0)
		lockd_log(
			LOCKD_WARN,
			"mlockall: %s; its memory may be paged out, and be late to come back: run "
			"it as root, or raise LimitMEMLOCK=",
			strerror(errno));
	/* What the kernel allocates for us must not wait for a disk to take dirty pages. */
	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	error = score_write();
	if (error)
		lockd_log(LOCKD_WARN,
			  "oom_score_adj: %s; the kernel may kill it for memory: run it with "
			  "CAP_SYS_RESOURCE",
			  strerror(error));
	/* Threads inherit it: the disks' workers carry the heartbeat. */
	if (priority != 0 && sched_setscheduler(0, SCHED_RR, &param) != 0)
		lockd_log(
			LOCKD_WARN,
			"real-time priority %d: %s; a busy machine may make it late: run it as "
			"root, where cgroups limit real-time outside of them; or give --priority 0",
			priority, strerror(errno));
}
