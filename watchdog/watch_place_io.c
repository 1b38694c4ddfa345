/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watch_place_io.c - watchdogd's socket, lock and marker; see watch_place_io.h.
 */
#include "watchdog/watch_place_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "watchdog/watch_log_io.h"

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"

enum { BOOT_ID_BYTES = 36, PATH_BYTES = WATCH_SOCKET_PATH_MAX + 16 };

static char socket_path[PATH_BYTES], lock_path[PATH_BYTES];
static char marker_path[PATH_BYTES], idle_path[PATH_BYTES];
static char boot_id[BOOT_ID_BYTES + 1];
static int lock_fd = -1;

ssize_t place_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), error;
	ssize_t got;

	if (fd < 0)
		return -1;
	got = read(fd, text, size - 1);
	error = errno;
	close(fd);
	errno = error;
	text[got > 0 ? got : 0] = '\0';
	return got;
}

int place_write(const char *path, int flags, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | flags, 0600), error = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		error = errno;
	close(fd);
	return error;
}

const char *place_marker(void)
{
	return marker_path;
}

int place_mark(int relied_on)
{
	const char *from = relied_on ? idle_path : marker_path;
	const char *to = relied_on ? marker_path : idle_path;
	int error = rename(from, to) != 0 ? errno : 0;

	/* Somebody has tidied up here. */
	if (error == ENOENT) {
		log_line("%s: somebody has removed it; it is made again as %s", from, to);
		error = place_write(to, O_CREAT | O_TRUNC, boot_id);
	}
	if (!error)
		return 0;
	log_line("%s: cannot be made: %s; %s", to, strerror(error),
		 relied_on ? "no client is taken: start watchdogd again, or give another --socket"
			   : "while it is not there, watchdogd does not start again after a crash");
	return -1;
}

void place_leave(void)
{
	unlink(socket_path);
	unlink(idle_path);
}

/* Is there a marker of this boot? Called under the lock, so its owner is dead. What cannot be read,
 * or is no boot id, may be one. */
static int marker_check(void)
{
	char text[BOOT_ID_BYTES + 2];
	ssize_t got = place_read(marker_path, text, sizeof text);

	if (got < 0 && errno == ENOENT)
		return 0;
	if (got == BOOT_ID_BYTES && strcmp(text, boot_id) != 0) {
		unlink(marker_path);
		return 0;
	}
	log_line("%s: an earlier watchdogd died while clients relied on it: this machine must be "
		 "reset, and is not petted again. If you know that nothing relies on its death any "
		 "more, remove that file and start again",
		 marker_path);
	return PLACE_RELIED_ON;
}

static int directory_make(void)
{
	char path[PATH_BYTES];

	memcpy(path, socket_path, sizeof path);
	*strrchr(path, '/') = '\0';
	if (!path[0] || mkdir(path, 0755) == 0 || errno == EEXIST)
		return 0;
	log_line("%s: cannot make it: %s; give another --socket", path, strerror(errno));
	return EXIT_FAILURE;
}

static int lock_take(void)
{
	lock_fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock_fd >= 0 && flock(lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (lock_fd >= 0 && errno == EWOULDBLOCK)
		log_line("%s: another watchdogd is running here; look at holdfast watchdog status",
			 socket_path);
	else
		log_line("%s: cannot lock it: %s; give another --socket", lock_path,
			 strerror(errno));
	return EXIT_FAILURE;
}

static int socket_bind(long group, int *listen_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t mask = umask(0177);
	int failed;

	memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
	unlink(socket_path); /* of a dead one: the lock is ours */
	*listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	failed = *listen_fd < 0 ||
		 bind(*listen_fd, (struct sockaddr *)&address, sizeof address) != 0 ||
		 (group != WATCH_GROUP_NONE && (chown(socket_path, (uid_t)-1, (gid_t)group) != 0 ||
						chmod(socket_path, 0660) != 0));
	umask(mask);
	if (!failed)
		return 0;
	log_line("%s: cannot make it: %s; give another --socket or --socket-group", socket_path,
		 strerror(errno));
	return EXIT_FAILURE;
}

int place_take(const struct watch_options *options, int *listen_fd)
{
	int error, status;

	snprintf(socket_path, sizeof socket_path, "%s", options->socket);
	snprintf(lock_path, sizeof lock_path, "%s.lock", options->socket);
	snprintf(marker_path, sizeof marker_path, "%s.clients", options->socket);
	snprintf(idle_path, sizeof idle_path, "%s.idle", options->socket);
	if (place_read(BOOT_ID_PATH, boot_id, sizeof boot_id) != BOOT_ID_BYTES) {
		log_line(BOOT_ID_PATH ": cannot be read; mount /proc");
		return EXIT_FAILURE;
	}
	status = directory_make();
	if (status == 0)
		status = lock_take();
	if (status == 0)
		status = marker_check();
	if (status)
		return status;
	error = place_write(idle_path, O_CREAT | O_TRUNC, boot_id);
	if (error) {
		log_line("%s: cannot write it: %s; give another --socket", idle_path,
			 strerror(error));
		status = EXIT_FAILURE;
	} else {
		status = socket_bind(options->group, listen_fd);
	}
	if (status)
		place_leave();
	return status;
}

void place_notify(const char *state)
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
