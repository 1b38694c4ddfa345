/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watchdog_facts.c - who holds a watchdog device, and what its driver says of the last boot.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/watchdog.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/watchdog.h"

/* ---- who holds it ---- */

/* Does the descriptor table of a process have the device? stat() of an entry looks at the open
 * file, and opens nothing. *told becomes 0 when the table cannot be read. */
static int process_holds(const char *pid, const struct watch_sysfs *facts, int *told)
{
	char folder[64];
	struct dirent *entry;
	int found = 0;
	DIR *dir;

	snprintf(folder, sizeof folder, "/proc/%.20s/fd", pid);
	dir = opendir(folder);
	if (!dir) {
		/* A process that has just ended holds nothing. */
		if (errno != ENOENT && errno != ESRCH)
			*told = 0;
		return 0;
	}
	while (!found && (entry = readdir(dir))) {
		struct stat st;

		if (entry->d_name[0] == '.' || fstatat(dirfd(dir), entry->d_name, &st, 0) != 0)
			continue;
		found = S_ISCHR(st.st_mode) &&
			(st.st_rdev == facts->rdev ||
			 (facts->number == 0 && watch_sysfs_is_old_name(st.st_rdev)));
	}
	closedir(dir);
	return found;
}

static void process_name(const char *pid, char *out, size_t size)
{
	char path[64], text[64];
	ssize_t got;
	int fd;

	snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd >= 0 ? read(fd, text, sizeof text) : -1;
	if (fd >= 0)
		close(fd);
	text_clean(out, size, text, got > 0 ? (size_t)got : 0);
}

void watchdog_holder(const struct watch_sysfs *facts, char *out, size_t size, int *told,
		     int64_t *pid)
{
	struct dirent *entry;
	char name[64];
	DIR *dir;

	out[0] = '\0';
	*pid = 0;
	*told = facts->rdev != 0 && geteuid() == 0;
	dir = *told ? opendir("/proc") : NULL;
	if (!dir) {
		*told = 0;
		return;
	}
	/* Beside watchdogd its keeper has the device too; alone it means that watchdogd has died. */
	while ((!*pid || strncmp(out, WATCHDOG_KEEPER, strlen(WATCHDOG_KEEPER)) == 0) &&
	       (entry = readdir(dir))) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
		    !process_holds(entry->d_name, facts, told))
			continue;
		*pid = strtoll(entry->d_name, NULL, 10);
		process_name(entry->d_name, name, sizeof name);
		snprintf(out, size, "%s (process %" PRId64 ")", name[0] ? name : "?", *pid);
	}
	closedir(dir);
}

/* ---- the last boot ---- */

static const struct {
	unsigned bit;
	const char *words;
} boot_bits[] = {
	{ WDIOF_CARDRESET, "reset by this watchdog" },
	{ WDIOF_OVERHEAT, "overheated" },
	{ WDIOF_FANFAULT, "fan failed" },
	{ WDIOF_POWERUNDER, "power too low" },
	{ WDIOF_POWEROVER, "power too high" },
	{ WDIOF_EXTERN1, "external relay 1" },
	{ WDIOF_EXTERN2, "external relay 2" },
};

int watchdog_boot_was_reset(int64_t boot_status)
{
	return boot_status > 0 && (boot_status & WDIOF_CARDRESET);
}

void watchdog_boot_words(int64_t boot_status, char *out, size_t size)
{
	size_t length = 0;

	out[0] = '\0';
	for (size_t i = 0; i < sizeof boot_bits / sizeof boot_bits[0]; i++)
		if (boot_status > 0 && boot_status & boot_bits[i].bit && length < size)
			length += (size_t)snprintf(out + length, size - length, "%s%s",
						   length ? ", " : "", boot_bits[i].words);
}
