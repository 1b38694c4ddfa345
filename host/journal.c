/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * journal.c - an append-only file of lines; see journal.h.
 */
#include "host/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/clock.h"

enum {
	LOCK_WAIT_MS = 5000,
	LOCK_STEP_MS = 10,
	REOPEN_MAX = 16, /* rotations by others while we waited for the lock */
};

static int journal_failed(const char *path, const char *what, struct err *err)
{
	return err_set(err, RC_INTERNAL, "check the folder, its rights and its free space",
		       "%s: cannot %s: %s", path, what, strerror(errno));
}

/* ---- folders ---- */

/* Make the folder of a file, and those above it. */
static int folder_make(const char *path)
{
	char folder[PATH_MAX];
	size_t length = strlen(path);

	if (length >= sizeof folder) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(folder, path, length + 1);
	for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int is_last = !strchr(slash + 1, '/');

		*slash = '\0';
		if (mkdir(folder, is_last ? 0700 : 0755) != 0 && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return 0;
}

/* A new name in a folder lasts only when the folder itself is on the disk. */
static void folder_sync(const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int fd;

	if (!slash || (size_t)(slash - path) >= sizeof folder)
		return;
	memcpy(folder, path, (size_t)(slash - path));
	folder[slash - path] = '\0';
	fd = open(folder[0] ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
}

/* ---- opening ---- */

static int journal_lock(int fd)
{
	mono_t until = mono_add_ms(clock_now(), LOCK_WAIT_MS);

	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		mono_t now = clock_now();

		if (errno != EWOULDBLOCK && errno != EINTR)
			return -1;
		if (mono_reached(now, until)) {
			errno = EWOULDBLOCK;
			return -1;
		}
		clock_sleep_until(mono_add_ms(now, LOCK_STEP_MS));
	}
	return 0;
}

/* O_NONBLOCK: a FIFO under this name must not hold us up (it is refused a moment later). */
static int journal_create(const char *path)
{
	int flags = O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW;
	int fd = open(path, flags, 0600);

	if (fd < 0 && errno == ENOENT && folder_make(path) == 0)
		fd = open(path, flags, 0600);
	return fd;
}

/* Open and lock the file that has the name now: while we waited for the lock another writer may
 * have rotated it away. */
static int journal_open(const char *path, struct stat *st, struct err *err)
{
	for (int i = 0; i < REOPEN_MAX; i++) {
		struct stat named;
		int fd = journal_create(path);

		if (fd < 0)
			return journal_failed(path, "open", err);
		if (fstat(fd, st) != 0 || !(S_ISREG(st->st_mode) || S_ISCHR(st->st_mode))) {
			close(fd);
			return err_set(err, RC_INTERNAL, "name another file", "%s: not a file",
				       path);
		}
		if (journal_lock(fd) != 0) {
			int busy = errno == EWOULDBLOCK;

			close(fd);
			if (busy)
				return err_set(err, RC_BUSY, "look for a process that is stuck",
					       "%s: locked by another process", path);
			return journal_failed(path, "lock", err);
		}
		if (fstat(fd, st) == 0 && stat(path, &named) == 0 && named.st_ino == st->st_ino &&
		    named.st_dev == st->st_dev)
			return fd;
		close(fd);
	}
	return err_set(err, RC_BUSY, NULL, "%s: rotated again and again by others", path);
}

/* ---- writing ---- */

static int journal_rotate(const char *path, int *fd, struct stat *st, struct err *err)
{
	char older[PATH_MAX];
	int fresh;

	if ((size_t)snprintf(older, sizeof older, "%s.1", path) >= sizeof older) {
		errno = ENAMETOOLONG;
		return journal_failed(path, "rotate", err);
	}
	if (rename(path, older) != 0)
		return journal_failed(path, "rotate", err);
	/* The old file stays locked until the new one is ours, so that two cannot rotate at once. */
	fresh = journal_open(path, st, err);
	if (fresh < 0)
		return err->rc;
	close(*fd);
	*fd = fresh;
	return 0;
}

/* Is the last byte there a newline? An empty file needs none. */
static int journal_is_torn(int fd, const struct stat *st)
{
	char last;

	return S_ISREG(st->st_mode) && st->st_size > 0 &&
	       (pread(fd, &last, 1, st->st_size - 1) != 1 || last != '\n');
}

static int journal_write(int fd, const struct stat *st, const char *text, size_t bytes)
{
	ssize_t n;

	do
		n = write(fd, text, bytes);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)bytes)
		return fsync(fd) == 0 || errno == EINVAL ? 0 : -1;
	if (n >= 0) {
		/* If even the cut fails, the torn tail is closed by the next append. */
		if (S_ISREG(st->st_mode) && ftruncate(fd, st->st_size) != 0)
			errno = EIO;
		else
			errno = ENOSPC;
	}
	return -1;
}

int journal_append(const char *path, const char *lines, size_t bytes, size_t max_bytes,
		   struct err *err)
{
	struct stat st = { 0 };
	char *text;
	int torn, rc = 0, fd;

	assert(bytes > 0 && lines[bytes - 1] == '\n');
	fd = journal_open(path, &st, err);
	if (fd < 0)
		return err->rc;
	if (S_ISREG(st.st_mode) && st.st_size > 0 && (size_t)st.st_size + bytes > max_bytes &&
	    journal_rotate(path, &fd, &st, err) != 0) {
		close(fd);
		return err->rc;
	}
	torn = journal_is_torn(fd, &st);
	text = malloc(bytes + 1);
	if (!text) {
		close(fd);
		return err_set(err, RC_INTERNAL, NULL, "out of memory");
	}
	text[0] = '\n';
	memcpy(text + 1, lines, bytes);
	if (journal_write(fd, &st, text + !torn, bytes + (size_t)torn) != 0)
		rc = journal_failed(path, "write", err);
	else if (st.st_size == 0)
		folder_sync(path);
	free(text);
	close(fd);
	return rc;
}

/* ---- reading ---- */

/* 0 with *stop as cb left it, or -1 with errno: an unreadable history must not look empty. */
static int journal_lines(FILE *file, size_t line_max,
			 int (*cb)(void *arg, const char *line, size_t bytes), void *arg, int *stop)
{
	char *line = malloc(line_max + 1);
	size_t bytes = 0;
	int c, broken;

	if (!line)
		return -1;
	do {
		c = getc_unlocked(file);
		if (c != '\n' && c != EOF) {
			if (bytes < line_max)
				line[bytes] = (char)c;
			if (bytes <= line_max)
				bytes++;
			continue;
		}
		if (c == EOF && bytes == 0)
			break;
		line[bytes <= line_max ? bytes : line_max] = '\0';
		*stop = cb(arg, bytes <= line_max ? line : NULL, bytes);
		bytes = 0;
	} while (c != EOF && !*stop);
	broken = ferror(file);
	free(line);
	return broken ? -1 : 0;
}

/* Is this still the file of that name (or, without a file, is there still none)? */
static int same_file(int fd, const char *path)
{
	struct stat a, b;

	if (stat(path, &b) != 0)
		return fd < 0 && errno == ENOENT;
	return fd >= 0 && fstat(fd, &a) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static int journal_open_read(const char *path, struct err *err)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			journal_failed(path, "read", err);
		return -1;
	}
	if (fstat(fd, &st) != 0)
		journal_failed(path, "read", err);
	else if (S_ISREG(st.st_mode))
		return fd;
	else if (!S_ISCHR(st.st_mode)) /* /dev/null keeps nothing and is asked for nothing */
		err_set(err, RC_CONFIG, "name a file", "%s is not a file", path);
	close(fd);
	return -1;
}

/* Both files as they were at one moment: a rotation between the two calls of open() is seen by
 * the older name having changed hands. */
static int journal_open_both(const char *path, const char *older, int fds[2], struct err *err)
{
	for (int i = 0; i < REOPEN_MAX; i++) {
		err->rc = 0;
		fds[0] = journal_open_read(older, err);
		fds[1] = journal_open_read(path, err);
		if (err->rc == 0 && same_file(fds[0], older))
			return 0;
		for (int j = 0; j < 2; j++)
			if (fds[j] >= 0)
				close(fds[j]);
		if (err->rc != 0)
			return err->rc;
	}
	return err_set(err, RC_BUSY, "try again", "%s: rotated again and again by others", path);
}

int journal_read(const char *path, size_t line_max,
		 int (*cb)(void *arg, const char *line, size_t bytes), void *arg, struct err *err)
{
	char older[PATH_MAX];
	int fds[2], stop = 0, rc = 0;

	if ((size_t)snprintf(older, sizeof older, "%s.1", path) >= sizeof older) {
		errno = ENAMETOOLONG;
		return journal_failed(path, "read", err);
	}
	if (journal_open_both(path, older, fds, err) != 0)
		return err->rc;
	for (int i = 0; i < 2; i++) {
		FILE *file = fds[i] >= 0 ? fdopen(fds[i], "r") : NULL;

		if (file && !stop && rc == 0 && journal_lines(file, line_max, cb, arg, &stop) != 0)
			rc = journal_failed(path, "read", err);
		if (file)
			fclose(file);
		else if (fds[i] >= 0)
			close(fds[i]);
	}
	return rc;
}
