/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * watch_sysfs_io.h - what the kernel tells of a watchdog device without its being opened.
 *
 * Callers: watchdogd before it opens a device, `holdfast watchdog query`. To open a watchdog starts
 * many of them, and where "nowayout" is set they cannot be stopped again; so all that can be known
 * beforehand is read from /sys/class/watchdog (kernel option WATCHDOG_SYSFS).
 *
 * libc alone, no allocation. Nothing here opens a device, nothing is written.
 */
#ifndef HOLDFAST_WATCH_SYSFS_IO_H
#define HOLDFAST_WATCH_SYSFS_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WATCH_SYSFS_ROOT "/sys"

/* What softdog calls itself, also where sysfs does not tell. */
#define WATCH_SOFTDOG_IDENTITY "Software Watchdog"

enum {
	WATCH_SYSFS_DEVICES_MAX = 32, /* the kernel has no more (MAX_DOGS) */
	WATCH_SYSFS_UNKNOWN = -1,     /* of the numbers below: the kernel does not tell */
};

/* One device. Text is empty and a number WATCH_SYSFS_UNKNOWN where the kernel does not tell. */
struct watch_sysfs {
	int number;		     /* the N of watchdogN */
	dev_t rdev;		     /* 0: unknown */
	char path[32];		     /* "/dev/watchdogN" */
	char identity[64];	     /* "i6300ESB timer" */
	char driver[64];	     /* module, else driver: "i6300esb" */
	char governor[32];	     /* what happens at the pretimeout: "noop", "panic" */
	char governors[96];	     /* those that there are, separated by blanks */
	int nowayout;		     /* 1: once opened it cannot be stopped */
	int active;		     /* 1: it runs: unpetted it will reset the machine */
	int is_software;	     /* 1: a timer of this kernel (softdog); never unknown */
	int timeout_s, min_s, max_s; /* max_s 0: the driver names none */
	int pretimeout_s;
	int left_s;
	int64_t options;     /* WDIOF_* bits of what it can do */
	int64_t boot_status; /* WDIOF_* bits of the last boot; many drivers always tell 0 */
};

/* The facts of the device behind a path: /dev/watchdogN, /dev/watchdog (the old name of watchdog0),
 * or any other name of one of these. root: NULL for /sys. 0, or a negative errno: that of stat(2);
 * -ENODEV: the path is no watchdog that the kernel shows in sysfs. */
int watch_sysfs_read(const char *root, const char *path, struct watch_sysfs *facts);

/* All devices of the machine, by number. Returns how many were written. */
size_t watch_sysfs_list(const char *root, struct watch_sysfs *facts, size_t max);

/* Is it the number of /dev/watchdog, the old name of watchdog0? */
int watch_sysfs_is_old_name(dev_t rdev);

/* The N of the device with this device number, or -ENODEV. */
int watch_sysfs_number(const char *root, dev_t rdev);

#endif
