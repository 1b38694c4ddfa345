/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fake_watchdog.c - a library to preload: watchdog devices and all that resets a machine become
 * messages to devices.py.
 *
 * What is faked: /dev/watchdog and /dev/watchdogN (open, stat, ioctl, write), /proc/sysrq-trigger,
 * /dev/kmsg, and reboot(2), which says that it was done and does nothing. A descriptor of a fake is a
 * connection to devices.py in $FAKE_WATCHDOG_DIR: it is inherited, and released by its last close or
 * the death of its last holder, as a device is. Without $FAKE_WATCHDOG_DIR all of these fail; the
 * real ones are never reached.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

enum { FDS_MAX = 1024, FAKE_MAJOR = 247, TEXT_MAX = 512 };

static char is_fake[FDS_MAX];

/* glibc's headers have several declarations for these names. */
typedef int (*open_call)(const char *, int, ...);
typedef ssize_t (*write_call)(int, const void *, size_t);
typedef int (*close_call)(int);
typedef int (*stat_call)(const char *, struct stat *);

static void *real(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (!found)
		abort();
	return found;
}

#define REAL(type, name) ((type)real(name))

/* ---- devices.py ---- */

/* The name that devices.py knows a path by; NULL for a path that is none of ours. */
static const char *fake_name(const char *path)
{
	if (strcmp(path, "/dev/watchdog") == 0)
		return "watchdog0";
	if (strncmp(path, "/dev/watchdog", 13) == 0)
		return path + 5;
	if (strcmp(path, "/proc/sysrq-trigger") == 0)
		return "sysrq";
	if (strcmp(path, "/dev/kmsg") == 0)
		return "kmsg";
	return NULL;
}

/* Send a request; its answer is "ERRNO VALUE". Returns 0 or -1 with errno. */
static int ask(int fd, const char *request, int *value)
{
	char answer[64];
	ssize_t got;
	int error = EIO, number = 0;

	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
		errno = EIO;
		return -1;
	}
	do
		got = recv(fd, answer, sizeof answer - 1, 0);
	while (got < 0 && errno == EINTR);
	if (got > 0) {
		answer[got] = '\0';
		error = (int)strtol(answer, NULL, 10);
		number = (int)strtol(strchr(answer, ' ') ? strchr(answer, ' ') : "0", NULL, 10);
	}
	if (value && !error)
		*value = number;
	errno = error;
	return error ? -1 : 0;
}

/* A descriptor for a fake device, or -1 with errno. */
static int fake_open(const char *name, int flags)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *dir = getenv("FAKE_WATCHDOG_DIR");
	char request[TEXT_MAX];
	int fd, error;

	if (!dir) {
		errno = ENOENT;
		return -1;
	}
	snprintf(address.sun_path, sizeof address.sun_path, "%.90s/devices.sock", dir);
	snprintf(request, sizeof request, "open %.100s", name);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | (flags & O_CLOEXEC ? SOCK_CLOEXEC : 0), 0);
	if (fd < 0)
		return -1;
	if (fd >= FDS_MAX || connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
	    ask(fd, request, NULL) != 0) {
		error = errno;
		REAL(close_call, "close")(fd);
		errno = error;
		return -1;
	}
	is_fake[fd] = 1;
	return fd;
}

static int fd_is_fake(int fd)
{
	return fd >= 0 && fd < FDS_MAX && is_fake[fd];
}

/* ---- what is taken over ---- */

int open(const char *path, int flags, ...)
{
	const char *name = fake_name(path);
	mode_t mode = 0;
	va_list ap;

	if (name)
		return fake_open(name, flags);
	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return REAL(open_call, "open")(path, flags, mode);
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));

int close(int fd)
{
	if (fd_is_fake(fd))
		is_fake[fd] = 0;
	return REAL(close_call, "close")(fd);
}

/* What may be petted by a write is sent as text: printable, and cut. */
ssize_t write(int fd, const void *data, size_t size)
{
	const char *bytes = data;
	char request[TEXT_MAX] = "write ";
	size_t at = strlen(request);

	if (!fd_is_fake(fd))
		return REAL(write_call, "write")(fd, data, size);
	for (size_t i = 0; i < size && at < sizeof request - 1; i++)
		request[at++] = bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : '.';
	request[at] = '\0';
	return ask(fd, request, NULL) == 0 ? (ssize_t)size : -1;
}

int stat(const char *restrict path, struct stat *restrict st)
{
	const char *name = fake_name(path), *dir = getenv("FAKE_WATCHDOG_DIR");
	char config[TEXT_MAX];

	if (!name)
		return REAL(stat_call, "stat")(path, st);
	snprintf(config, sizeof config, "%.300s/%.100s", dir ? dir : "/nonexistent", name);
	if (REAL(stat_call, "stat")(config, st) != 0)
		return -1;
	st->st_mode = S_IFCHR | 0600;
	st->st_rdev = strcmp(path, "/dev/watchdog") == 0
			      ? makedev(10, 130)
			      : makedev(FAKE_MAJOR, (unsigned)strtoul(name + 8, NULL, 10));
	return 0;
}

static int ioctl_support(int fd, struct watchdog_info *info)
{
	const char *dir = getenv("FAKE_WATCHDOG_DIR");
	int options, number;
	char path[TEXT_MAX];
	FILE *file;

	if (ask(fd, "ioctl number", &number) != 0 || ask(fd, "ioctl support", &options) != 0)
		return -1;
	memset(info, 0, sizeof *info);
	info->options = (uint32_t)options;
	snprintf(path, sizeof path, "%.300s/identity%d", dir ? dir : "", number);
	file = fopen(path, "re");
	if (file) {
		/* The kernel's array need not end with a NUL. */
		if (fread(info->identity, 1, sizeof info->identity, file) == 0)
			info->identity[0] = '?';
		fclose(file);
	}
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	char text[TEXT_MAX];
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (!fd_is_fake(fd))
		return ((int (*)(int, unsigned long, ...))real("ioctl"))(fd, request, arg);
	switch (request) {
	case WDIOC_GETSUPPORT:
		return ioctl_support(fd, arg);
	case WDIOC_SETTIMEOUT:
		snprintf(text, sizeof text, "ioctl settimeout %d", *(int *)arg);
		return ask(fd, text, arg);
	case WDIOC_GETTIMEOUT:
		return ask(fd, "ioctl gettimeout", arg);
	case WDIOC_GETTIMELEFT:
		return ask(fd, "ioctl gettimeleft", arg);
	case WDIOC_SETPRETIMEOUT:
		snprintf(text, sizeof text, "ioctl setpretimeout %d", *(int *)arg);
		return ask(fd, text, arg);
	case WDIOC_GETPRETIMEOUT:
		return ask(fd, "ioctl getpretimeout", arg);
	case WDIOC_SETOPTIONS:
		snprintf(text, sizeof text, "ioctl setoptions %d", *(int *)arg);
		return ask(fd, text, NULL);
	case WDIOC_KEEPALIVE:
		return ask(fd, "ioctl keepalive", NULL);
	default:
		errno = ENOTTY;
		return -1;
	}
}

/* The machine does not end here, whatever follows. */
int reboot(int command)
{
	char request[TEXT_MAX];
	int fd = fake_open("reboot", O_CLOEXEC);

	snprintf(request, sizeof request, "write %x", (unsigned)command);
	if (fd < 0 || ask(fd, request, NULL) != 0)
		return -1;
	return close(fd);
}
