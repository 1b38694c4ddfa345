/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watch_options.h - the command line of watchdogd.
 *
 * Caller: watchdogd. All of it is read and judged before anything is touched; an option that is not
 * known, or a value that makes no sense, is an error. Text points into argv.
 */
#ifndef HOLDFAST_WATCH_OPTIONS_H
#define HOLDFAST_WATCH_OPTIONS_H

#include <stddef.h>

#include "base/err.h"
#include "base/watch.h"
#include "watchdog/watch_core.h"
#include "watchdog/watch_device_io.h"

enum {
	WATCH_PRIORITY_DEFAULT = 99,
	WATCH_GROUP_NONE = -1,
	/* With room in a sockaddr_un for the longest name beside it. */
	WATCH_SOCKET_PATH_MAX = 107 - (int)sizeof ".clients",
};

struct watch_options {
	const char *devices[WATCH_CORE_DEVICES_MAX];
	size_t devices_count;
	struct device_wish wish;
	enum watch_expiry expiry;
	const char *standstill; /* "auto", "none" or a path */
	const char *socket;
	long group;
	int priority; /* 0: none */
	int check, help, version;
};

/* 0, or RC_CONFIG with err filled. */
int watch_options_read(int argc, char **argv, struct watch_options *options, struct err *err);

/* What --help prints. */
extern const char watch_options_help[];

#endif
