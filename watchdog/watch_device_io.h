/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watch_device_io.h - watchdog devices, and the ways to reset this machine.
 *
 * Caller: watchdogd. A device is one of two adapters: a real watchdog of the kernel, or "file:PATH",
 * a file for tests that protects nothing: each pet and each reset becomes a line of it. The two do
 * not mix, so that with a file nothing real ever happens.
 *
 * Order of use: device_check() reads what can be known without opening; device_open() arms the
 * device, and leaves it disarmed when it fails; then pet and left; device_disarm() stops it,
 * device_close() releases it. pet and left are the pet path (S4): one system call each, no memory.
 */
#ifndef HOLDFAST_WATCH_DEVICE_IO_H
#define HOLDFAST_WATCH_DEVICE_IO_H

#include <stdint.h>

#include "base/err.h"
#include "base/mono.h"
#include "base/watch.h"
#include "watchdog/client/watch_wire.h"

#define DEVICE_FILE_PREFIX "file:"

/* What is wanted of every device. */
struct device_wish {
	uint32_t timeout_s, pretimeout_s; /* pretimeout 0: none */
	int accept_nowayout, accept_rounding;
};

struct device_adapter;

struct device {
	const struct device_adapter *adapter;
	const struct device_wish *wish;
	struct watch_device facts; /* for the status, and what was read back */
	int number;		   /* the N of /dev/watchdogN; -1: not known */
	int fd;
	int by_write; /* it takes no WDIOC_KEEPALIVE */
};

/* Say what a device is, by its path; nothing is touched. */
int device_init(struct device *device, const char *path, const struct device_wish *wish,
		struct err *err);
int device_is_file(const struct device *device);

/* 0, or a code with err filled. Doubts that do not stop it go to the log. */
int device_check(struct device *device, struct err *err);
int device_open(struct device *device, struct err *err);

/* 0 or an errno. */
int device_pet(struct device *device);

/* Look how much is left before it fires, where the driver tells. */
void device_look(struct device *device);

/* 0 or an errno. */
int device_disarm(struct device *device);

/* Returns 1 when the kernel says that the device still runs. */
int device_close(struct device *device);

/* CLOCK_BOOTTIME. */
mono_t device_clock(void);

/* ---- resets ---- */

/* Prepare. file: a device that takes the resets instead of this machine, or NULL. */
void resetter_open(const struct device *file, enum watch_expiry how);

/* Reset, switch off or crash, at once: nothing is written back, no driver is asked. why is a line
 * for the kernel's log. Returns when it did not happen, or with a file. */
void resetter_fire(enum watch_expiry how, const char *why);

#endif
