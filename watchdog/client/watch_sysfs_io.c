/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * watch_sysfs_io.c - facts of watchdog devices from sysfs; see watch_sysfs_io.h.
 */
#include "watchdog/client/watch_sysfs_io.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Of linux/miscdevice.h: /dev/watchdog is a misc device, whatever number its device has. */
enum { MISC_MAJOR = 10, WATCHDOG_MINOR = 130 };

/* Its device in sysfs does not name its module. */
#define SOFTDOG_DRIVER "softdog"

static const char *root_of(const char *root)
{
	return root ? root : WATCH_SYSFS_ROOT;
}

static int attribute_path(char out[PATH_MAX], const char *root, int number, const char *name)
{
	int length = snprintf(out, PATH_MAX, "%s/class/watchdog/watchdog%d/%s", root_of(root),
			      number, name);

	return length > 0 && length < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* An attribute on one line; "" when it is not there or cannot be read. What a driver says of itself
 * may hold anything: newlines and other control characters become blanks, and those at the end go. */
static void attribute_text(const char *root, int number, const char *name, char *out, size_t size)
{
	char path[PATH_MAX];
	ssize_t got;
	size_t length;
	int fd;

	out[0] = '\0';
	if (attribute_path(path, root, number, name))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return;
	do
		got = read(fd, out, size - 1);
	while (got < 0 && errno == EINTR);
	close(fd);
	out[got > 0 ? got : 0] = '\0';
	length = strlen(out);
	for (size_t i = 0; i < length; i++)
		if (iscntrl((unsigned char)out[i]))
			out[i] = ' ';
	while (length > 0 && out[length - 1] == ' ')
		out[--length] = '\0';
}

/* A number, decimal or 0x...; WATCH_SYSFS_UNKNOWN when it is none, or too large. */
static int64_t attribute_number(const char *root, int number, const char *name, int64_t max)
{
	char text[32], *end;
	long long value;

	attribute_text(root, number, name, text, sizeof text);
	if (!isdigit((unsigned char)text[0]))
		return WATCH_SYSFS_UNKNOWN;
	value = strtoll(text, &end, 0);
	return *end || value > max ? WATCH_SYSFS_UNKNOWN : value;
}

static int attribute_int(const char *root, int number, const char *name)
{
	return (int)attribute_number(root, number, name, INT_MAX);
}

/* The last part of where a link points to. */
static int link_name(const char *root, int number, const char *name, char *out, size_t size)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *slash;
	ssize_t got;

	if (attribute_path(path, root, number, name))
		return -1;
	got = readlink(path, target, sizeof target - 1);
	if (got <= 0)
		return -1;
	target[got] = '\0';
	slash = strrchr(target, '/');
	snprintf(out, size, "%.*s", (int)size - 1, slash ? slash + 1 : target);
	return 0;
}

static void driver_read(const char *root, struct watch_sysfs *facts)
{
	if (link_name(root, facts->number, "device/driver/module", facts->driver,
		      sizeof facts->driver) != 0 &&
	    link_name(root, facts->number, "device/driver", facts->driver, sizeof facts->driver))
		facts->driver[0] = '\0';
	if (!facts->driver[0] && strcmp(facts->identity, WATCH_SOFTDOG_IDENTITY) == 0)
		snprintf(facts->driver, sizeof facts->driver, SOFTDOG_DRIVER);
}

/* "MAJOR:MINOR"; 0 when it is none. */
static dev_t rdev_read(const char *root, int number)
{
	unsigned long high, low;
	char text[32], *colon, *end;

	attribute_text(root, number, "dev", text, sizeof text);
	high = strtoul(text, &colon, 10);
	if (colon == text || *colon != ':')
		return 0;
	low = strtoul(colon + 1, &end, 10);
	if (end == colon + 1 || *end)
		return 0;
	return makedev((unsigned)high, (unsigned)low);
}

static void number_read(const char *root, int number, struct watch_sysfs *facts)
{
	char state[16];

	memset(facts, 0, sizeof *facts);
	facts->number = number;
	facts->rdev = rdev_read(root, number);
	snprintf(facts->path, sizeof facts->path, "/dev/watchdog%d", number);
	attribute_text(root, number, "identity", facts->identity, sizeof facts->identity);
	driver_read(root, facts);
	attribute_text(root, number, "pretimeout_governor", facts->governor,
		       sizeof facts->governor);
	attribute_text(root, number, "pretimeout_available_governors", facts->governors,
		       sizeof facts->governors);
	attribute_text(root, number, "state", state, sizeof state);
	facts->active = strcmp(state, "active") == 0	 ? 1
			: strcmp(state, "inactive") == 0 ? 0
							 : WATCH_SYSFS_UNKNOWN;
	facts->nowayout = (int)attribute_number(root, number, "nowayout", 1);
	facts->is_software = strcmp(facts->driver, SOFTDOG_DRIVER) == 0 ||
			     strcmp(facts->identity, WATCH_SOFTDOG_IDENTITY) == 0;
	facts->timeout_s = attribute_int(root, number, "timeout");
	facts->min_s = attribute_int(root, number, "min_timeout");
	facts->max_s = attribute_int(root, number, "max_timeout");
	facts->pretimeout_s = attribute_int(root, number, "pretimeout");
	facts->left_s = attribute_int(root, number, "timeleft");
	facts->options = attribute_number(root, number, "options", UINT32_MAX);
	facts->boot_status = attribute_number(root, number, "bootstatus", UINT32_MAX);
}

static int number_exists(const char *root, int number)
{
	char path[PATH_MAX];
	struct stat st;

	return attribute_path(path, root, number, ".") == 0 && stat(path, &st) == 0;
}

int watch_sysfs_is_old_name(dev_t rdev)
{
	return rdev == makedev(MISC_MAJOR, WATCHDOG_MINOR);
}

int watch_sysfs_number(const char *root, dev_t rdev)
{
	for (int number = 0; rdev && number < WATCH_SYSFS_DEVICES_MAX; number++)
		if (rdev_read(root, number) == rdev)
			return number;
	return watch_sysfs_is_old_name(rdev) && number_exists(root, 0) ? 0 : -ENODEV;
}

int watch_sysfs_read(const char *root, const char *path, struct watch_sysfs *facts)
{
	struct stat st;
	int number;

	if (stat(path, &st) != 0)
		return -errno;
	if (!S_ISCHR(st.st_mode))
		return -ENODEV;
	number = watch_sysfs_number(root, st.st_rdev);
	if (number < 0)
		return number;
	number_read(root, number, facts);
	return 0;
}

size_t watch_sysfs_list(const char *root, struct watch_sysfs *facts, size_t max)
{
	size_t count = 0;

	for (int number = 0; number < WATCH_SYSFS_DEVICES_MAX && count < max; number++)
		if (number_exists(root, number))
			number_read(root, number, &facts[count++]);
	return count;
}
