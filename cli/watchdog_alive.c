/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watchdog_alive.c - signs of life during a test that resets this machine: how long it lived on is
 * on the disk, whatever becomes of the program that ordered the test.
 *
 * Caller: watchdog_real.c writes them, watchdog_record.c judges by them.
 * A process of its own writes them, once a second, into a file beside the record: one line of fixed
 * length, written over in place, so that a sign is one block and one flush. On its own because a
 * disk may hang: then this process hangs, and the one that counts down still tells the operator. It
 * belongs to no terminal, no key ends it, and it goes on when the one that counts down is killed.
 *
 * A sign tells the least: the machine was alive at that moment. It is taken before it is written, so
 * a sign beyond the bound is a failure for certain. That there is no later one tells less: the
 * machine was dead, or its disk was, or the writer was killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/watchdog.h"
#include "host/clock.h"

/* Boot and test; how long it lived, and whether it was shut down in order. */
#define SIGN_HEAD_FORMAT "%-36.36s %20" PRId64 " "
#define SIGN_FORMAT SIGN_HEAD_FORMAT "%20" PRId64 " %d\n"
#define WRITER_NAME "holdfast-alive"

enum {
	SIGN_HEAD_BYTES = 36 + 1 + 20 + 1,
	SIGN_BYTES = SIGN_HEAD_BYTES + 20 + 1 + 1 + 1,
	SIGN_EVERY_MS = 1000,
	TRY_ON_MS = 60000,
};

static int alive_path(const struct watchdog_record *record, char *out, size_t size)
{
	int length = snprintf(out, size, "%s" WATCHDOG_ALIVE_SUFFIX, record->path);

	return length > 0 && (size_t)length < size ? 0 : -1;
}

static const char *boot_of(const struct watchdog_record *record)
{
	const char *boot_id = json_string_value(json_object_get(record->object, "boot_id"));

	return boot_id ? boot_id : "";
}

static int64_t asked_of(const struct watchdog_record *record)
{
	return json_integer_value(json_object_get(record->object, "asked_boot_ns"));
}

/* A sign is on the disk when this returns 0. */
static int sign_write(int fd, const struct watchdog_record *record,
		      const struct watchdog_alive *alive)
{
	char line[SIGN_BYTES + 1];
	ssize_t done;

	snprintf(line, sizeof line, SIGN_FORMAT, boot_of(record), asked_of(record), alive->ms,
		 alive->stopped);
	do
		done = pwrite(fd, line, SIGN_BYTES, 0);
	while (done < 0 && errno == EINTR);
	return done == SIGN_BYTES ? fdatasync(fd) : -1;
}

int watchdog_alive_begin(const struct watchdog_record *record, struct err *err)
{
	const struct watchdog_alive none = { .ms = 0 };
	char path[sizeof record->path + sizeof WATCHDOG_ALIVE_SUFFIX];
	int fd = -1;

	if (alive_path(record, path, sizeof path) == 0)
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
			  0600);
	if (fd >= 0 && sign_write(fd, record, &none) == 0 && fsync(fd) == 0 &&
	    watchdog_folder_sync(path) == 0)
		return fd;
	err_set(err, RC_INTERNAL, "check the folder, its rights and its free space",
		"%s: cannot write: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

void watchdog_alive_remove(const struct watchdog_record *record)
{
	char path[sizeof record->path + sizeof WATCHDOG_ALIVE_SUFFIX];

	if (alive_path(record, path, sizeof path) == 0)
		unlink(path);
}

/* Nothing of the parent's but the file: no terminal, no descriptor that somebody waits for. */
static int writer_detach(int fd)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	prctl(PR_SET_NAME, WRITER_NAME);
	setsid();
	if (dup2(fd, 0) != 0)
		return -1;
	return close_range(1, ~0U, 0);
}

/* Until one sign beyond the bound is on the disk. SIGTERM: this machine is shut down in order, and
 * that is noted. A sign that could not be written does not end it: the next one may. */
static void writer_run(const struct watchdog_record *record, mono_t from, int64_t bound_ms)
{
	struct watchdog_alive alive = { .ms = 0 };
	sigset_t term;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	for (;;) {
		const struct timespec rest = { .tv_sec = SIGN_EVERY_MS / 1000 };
		int failed;

		alive.ms = (clock_now().ns - from.ns) / INT64_C(1000000);
		failed = sign_write(0, record, &alive);
		if (alive.stopped || alive.ms > bound_ms + (failed ? TRY_ON_MS : 0))
			return;
		alive.stopped = sigtimedwait(&term, NULL, &rest) == SIGTERM;
	}
}

pid_t watchdog_alive_go(int fd, const struct watchdog_record *record, mono_t from)
{
	int64_t bound_ms = json_integer_value(json_object_get(record->object, "bound_ms"));
	pid_t writer = fork();

	if (writer == 0) {
		if (writer_detach(fd) == 0)
			writer_run(record, from, bound_ms);
		_exit(0);
	}
	return writer;
}

int watchdog_alive_read(const struct watchdog_record *record, struct watchdog_alive *alive)
{
	char path[sizeof record->path + sizeof WATCHDOG_ALIVE_SUFFIX];
	char line[SIGN_BYTES + 1] = "", head[SIGN_HEAD_BYTES + 1];
	char *end;
	int fd, whole;

	*alive = (struct watchdog_alive){ 0 };
	if (alive_path(record, path, sizeof path))
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -1;
	whole = read(fd, line, SIGN_BYTES) == SIGN_BYTES;
	close(fd);
	/* Of this test, not of an earlier one. */
	snprintf(head, sizeof head, SIGN_HEAD_FORMAT, boot_of(record), asked_of(record));
	if (!whole || memcmp(line, head, SIGN_HEAD_BYTES) != 0)
		return -1;
	alive->ms = strtoll(line + SIGN_HEAD_BYTES, &end, 10);
	alive->stopped = strcmp(end, " 1\n") == 0;
	if (alive->ms >= 0 && (alive->stopped || strcmp(end, " 0\n") == 0))
		return 0;
	*alive = (struct watchdog_alive){ 0 };
	return -1;
}
