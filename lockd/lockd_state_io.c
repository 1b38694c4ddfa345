/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_state_io.c - lock file and last incarnation; see lockd_state_io.h.
 */
#include "lockd/lockd_state_io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEEPER_STACK_BYTES = 64 * 1024 };

struct lockd_state {
	int lock_fd;
	char lock_path[PATH_MAX], path[PATH_MAX];
	uint32_t incarnation;
};

/* ---- the lock ---- */

/* All folders of the path, for those who start it by hand. */
static int folder_make(const char *path)
{
	char part[PATH_MAX];

	snprintf(part, sizeof part, "%s", path);
	for (char *at = strchr(part + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		if (mkdir(part, 0755) != 0 && errno != EEXIST)
			return -errno;
		*at = '/';
	}
	return mkdir(part, 0755) != 0 && errno != EEXIST ? -errno : 0;
}

static int lock_busy(const struct lockd_state *state, const struct lockd *lockd, struct err *err)
{
	char text[32] = "";
	ssize_t got = pread(state->lock_fd, text, sizeof text - 1, 0);

	text[got > 0 ? strcspn(text, "\n") : 0] = '\0';
	return err_set(err, RC_BUSY, "stop it first, or give this one another --node",
		       "node %u of cluster \"%s\": another lockd of this machine serves it "
		       "(process %s)",
		       lockd->options.node, lockd->super.cluster_name, text[0] ? text : "?");
}

static int lock_take(struct lockd_state *state, const struct lockd *lockd, struct err *err)
{
	int error = folder_make(lockd->options.run_dir);

	if (!error) {
		state->lock_fd = open(state->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
				      0600);
		error = state->lock_fd < 0 ? -errno : 0;
	}
	if (error)
		return err_set(err, RC_INTERNAL, "run it as root, or give another --run-dir",
			       "%s: %s", state->lock_path, strerror(-error));
	if (flock(state->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return lock_busy(state, lockd, err);
	/* For humans alone. */
	if (ftruncate(state->lock_fd, 0) != 0 || dprintf(state->lock_fd, "%d\n", getpid()) < 0)
		lockd_log(LOCKD_WARN, "%s: %s", state->lock_path, strerror(errno));
	return 0;
}

/* ---- the incarnation ---- */

static void incarnation_read(struct lockd_state *state)
{
	char text[32] = "";
	unsigned long number;
	int fd = open(state->path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	char *end;

	if (fd >= 0)
		close(fd);
	if (got <= 0) {
		if (fd >= 0 || errno != ENOENT)
			lockd_log(LOCKD_WARN,
				  "%s: cannot be read; the disks alone know the last "
				  "incarnation",
				  state->path);
		return;
	}
	number = strtoul(text, &end, 10);
	if (*end != '\n' || number >= UINT32_MAX)
		lockd_log(LOCKD_WARN, "%s: is no number; the disks alone know the last incarnation",
			  state->path);
	else
		state->incarnation = (uint32_t)number;
}

struct keeper {
	char path[PATH_MAX];
	uint32_t incarnation;
};

static int keep(const struct keeper *keeper)
{
	char fresh[PATH_MAX + 4], folder[PATH_MAX];
	int fd, bad;

	snprintf(folder, sizeof folder, "%s", keeper->path);
	*strrchr(folder, '/') = '\0';
	if (folder_make(folder))
		return -1;
	snprintf(fresh, sizeof fresh, "%s.new", keeper->path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -1;
	bad = dprintf(fd, "%" PRIu32 "\n", keeper->incarnation) < 0 || fsync(fd) != 0;
	bad |= close(fd) != 0;
	if (!bad && rename(fresh, keeper->path) == 0)
		return 0;
	fd = errno;
	unlink(fresh);
	errno = fd;
	return -1;
}

static void *keeper_main(void *arg)
{
	struct keeper *keeper = arg;

	if (keep(keeper))
		lockd_log(LOCKD_WARN, "%s: %s; the disks alone know the last incarnation",
			  keeper->path, strerror(errno));
	free(keeper);
	return NULL;
}

uint32_t lockd_state_incarnation(const struct lockd *lockd)
{
	return lockd->state->incarnation;
}

/* A thread of its own: the file system of the state may hang like any other. */
void lockd_state_keep(struct lockd *lockd, uint32_t incarnation)
{
	struct keeper *keeper = malloc(sizeof *keeper);
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	int rc;

	if (!keeper)
		abort();
	lockd->state->incarnation = incarnation;
	memcpy(keeper->path, lockd->state->path, sizeof keeper->path);
	keeper->incarnation = incarnation;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, KEEPER_STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&thread, &attr, keeper_main, keeper);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (rc == 0)
		return;
	lockd_log(LOCKD_WARN, "%s: no thread: %s", keeper->path, strerror(rc));
	free(keeper);
}

/* ---- life ---- */

int lockd_state_open(struct lockd *lockd, struct err *err)
{
	struct lockd_state *state = calloc(1, sizeof *state);
	int rc;

	if (!state)
		abort();
	lockd->state = state;
	state->lock_fd = -1;
	snprintf(state->lock_path, sizeof state->lock_path, "%s/lockd-%016" PRIx64 "-%u.lock",
		 lockd->options.run_dir, lockd->super.head.cluster, lockd->options.node);
	snprintf(state->path, sizeof state->path, "%s/lockd-%016" PRIx64 "-%u.incarnation",
		 lockd->options.state_dir, lockd->super.head.cluster, lockd->options.node);
	rc = lock_take(state, lockd, err);
	if (rc == 0)
		incarnation_read(state);
	return rc;
}

void lockd_state_close(struct lockd *lockd)
{
	if (!lockd->state)
		return;
	/* The file stays: to take it away would let two processes lock two files of one name. */
	if (lockd->state->lock_fd >= 0)
		close(lockd->state->lock_fd);
	free(lockd->state);
	lockd->state = NULL;
}
