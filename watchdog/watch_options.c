/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watch_options.c - the command line of watchdogd; see watch_options.h.
 */
#include "watchdog/watch_options.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "watchdog/client/watch_wire.h"
#include "watchdog/client/watchdog.h"

const char watch_options_help[] =
	"usage: watchdogd [OPTION...]\n"
	"Pet this machine's watchdog devices while every client renews in time; reset it when one\n"
	"does not. Stays in the foreground.\n"
	"\n"
	"  --device PATH             /dev/watchdogN, up to 4 times (default /dev/watchdog0);\n"
	"                            file:PATH for tests: writes lines there, protects nothing\n"
	"  --timeout S               timeout of the devices in seconds (default 10)\n"
	"  --pretimeout S            panic S seconds before the timeout, for a kernel dump\n"
	"  --on-expiry WHAT          reboot (default), off, crash, or hardware: leave it to the\n"
	"                            devices\n"
	"  --accept-nowayout         take devices that cannot be stopped: an orderly stop resets\n"
	"  --accept-rounding         take a timeout that is not the one asked for\n"
	"  --standstill-clock CLOCK  clock that goes on while this machine is paused: a file with\n"
	"                            seconds since 1970, none, or auto (default: the RTC, in a\n"
	"                            virtual machine)\n"
	"  --socket PATH             default " HOLDFAST_WATCHDOG_SOCKET_PATH "\n"
	"  --socket-group GID        number of the group that may use the socket beside root\n"
	"  --priority N              real-time priority 1 to 99, 0 for none (default 99)\n"
	"  --check                   look at options and devices without opening one, and end\n"
	"  --help, --version\n"
	"\n"
	"Exit status: 0 ended in order, 1 failed, 2 wrong command line, 3 an earlier watchdogd "
	"died\n"
	"while clients relied on it: the machine is about to be reset.\n";

enum option {
	OPTION_DEVICE,
	OPTION_TIMEOUT,
	OPTION_PRETIMEOUT,
	OPTION_ON_EXPIRY,
	OPTION_ACCEPT_NOWAYOUT,
	OPTION_ACCEPT_ROUNDING,
	OPTION_STANDSTILL_CLOCK,
	OPTION_SOCKET,
	OPTION_SOCKET_GROUP,
	OPTION_PRIORITY,
	OPTION_CHECK,
	OPTION_HELP,
	OPTION_VERSION,
	OPTIONS,
};

static const char *const names[OPTIONS] = {
	[OPTION_DEVICE] = "--device",
	[OPTION_TIMEOUT] = "--timeout",
	[OPTION_PRETIMEOUT] = "--pretimeout",
	[OPTION_ON_EXPIRY] = "--on-expiry",
	[OPTION_ACCEPT_NOWAYOUT] = "--accept-nowayout",
	[OPTION_ACCEPT_ROUNDING] = "--accept-rounding",
	[OPTION_STANDSTILL_CLOCK] = "--standstill-clock",
	[OPTION_SOCKET] = "--socket",
	[OPTION_SOCKET_GROUP] = "--socket-group",
	[OPTION_PRIORITY] = "--priority",
	[OPTION_CHECK] = "--check",
	[OPTION_HELP] = "--help",
	[OPTION_VERSION] = "--version",
};

static int option_takes_value(enum option option)
{
	switch (option) {
	case OPTION_ACCEPT_NOWAYOUT:
	case OPTION_ACCEPT_ROUNDING:
	case OPTION_CHECK:
	case OPTION_HELP:
	case OPTION_VERSION:
		return 0;
	default:
		return 1;
	}
}

static int number_read(const char *name, const char *value, long min, long max, long *number,
		       struct err *err)
{
	char *end;

	if (value[0] >= '0' && value[0] <= '9') {
		*number = strtol(value, &end, 10);
		if (!*end && *number >= min && *number <= max)
			return 0;
	}
	return err_set(err, RC_CONFIG, NULL, "%s: \"%s\" is no whole number from %ld to %ld", name,
		       value, min, max);
}

static int expiry_read(const char *value, enum watch_expiry *expiry, struct err *err)
{
	for (unsigned i = 0; i <= WATCH_EXPIRY_HARDWARE; i++)
		if (strcmp(value, watch_expiry_word(i)) == 0) {
			*expiry = (enum watch_expiry)i;
			return 0;
		}
	return err_set(err, RC_CONFIG, NULL,
		       "--on-expiry: \"%s\" is none of reboot, off, crash, hardware", value);
}

/* The old name of the first device is the first device. */
static const char *device_name(const char *path)
{
	return strcmp(path, "/dev/watchdog") == 0 ? "/dev/watchdog0" : path;
}

static int device_add(const char *path, struct watch_options *options, struct err *err)
{
	if (options->devices_count == WATCH_CORE_DEVICES_MAX)
		return err_set(err, RC_CONFIG, NULL, "--device: more than %d devices",
			       WATCH_CORE_DEVICES_MAX);
	for (size_t i = 0; i < options->devices_count; i++)
		if (strcmp(device_name(options->devices[i]), device_name(path)) == 0)
			return err_set(err, RC_CONFIG, NULL, "--device: %s is given twice", path);
	options->devices[options->devices_count++] = path;
	return 0;
}

static int option_take(enum option option, const char *value, struct watch_options *options,
		       struct err *err)
{
	long number = 0;
	int rc = 0;

	switch (option) {
	case OPTION_DEVICE:
		return device_add(value, options, err);
	case OPTION_TIMEOUT:
		rc = number_read("--timeout", value, 1, 65535, &number, err);
		options->wish.timeout_s = (uint32_t)number;
		return rc;
	case OPTION_PRETIMEOUT:
		rc = number_read("--pretimeout", value, 1, 65535, &number, err);
		options->wish.pretimeout_s = (uint32_t)number;
		return rc;
	case OPTION_ON_EXPIRY:
		return expiry_read(value, &options->expiry, err);
	case OPTION_ACCEPT_NOWAYOUT:
		options->wish.accept_nowayout = 1;
		return 0;
	case OPTION_ACCEPT_ROUNDING:
		options->wish.accept_rounding = 1;
		return 0;
	case OPTION_STANDSTILL_CLOCK:
		options->standstill = value;
		return 0;
	case OPTION_SOCKET:
		options->socket = value;
		return 0;
	case OPTION_SOCKET_GROUP:
		return number_read("--socket-group", value, 0, INT_MAX, &options->group, err);
	case OPTION_PRIORITY:
		rc = number_read("--priority", value, 0, 99, &number, err);
		options->priority = (int)number;
		return rc;
	case OPTION_CHECK:
		options->check = 1;
		return 0;
	case OPTION_HELP:
		options->help = 1;
		return 0;
	case OPTION_VERSION:
		options->version = 1;
		return 0;
	case OPTIONS:
		break;
	}
	return RC_INTERNAL;
}

static int word_unknown(const char *word, struct err *err)
{
	long nearest = nearest_find(word, names, OPTIONS);
	char next[80];

	if (nearest < 0)
		return err_set(err, RC_CONFIG, "see --help", "there is no option \"%s\"", word);
	snprintf(next, sizeof next, "did you mean %s?", names[nearest]);
	return err_set(err, RC_CONFIG, next, "there is no option \"%s\"", word);
}

static int options_judge(struct watch_options *options, struct err *err)
{
	size_t files = 0;

	if (options->devices_count == 0)
		options->devices[options->devices_count++] = "/dev/watchdog0";
	for (size_t i = 0; i < options->devices_count; i++)
		files += strncmp(options->devices[i], DEVICE_FILE_PREFIX,
				 strlen(DEVICE_FILE_PREFIX)) == 0;
	if (files != 0 && files != options->devices_count)
		return err_set(err, RC_CONFIG, "give devices of one kind",
			       "--device: files, which protect nothing, beside real devices");
	if (options->wish.pretimeout_s >= options->wish.timeout_s)
		return err_set(err, RC_CONFIG, "give a shorter one",
			       "--pretimeout: %u s is not shorter than the timeout, %u s",
			       (unsigned)options->wish.pretimeout_s,
			       (unsigned)options->wish.timeout_s);
	if (options->socket[0] != '/' || strlen(options->socket) > WATCH_SOCKET_PATH_MAX)
		return err_set(err, RC_CONFIG, NULL,
			       "--socket: \"%s\" is no absolute path of at most %d bytes",
			       options->socket, WATCH_SOCKET_PATH_MAX);
	return 0;
}

int watch_options_read(int argc, char **argv, struct watch_options *options, struct err *err)
{
	*options = (struct watch_options){ .wish = { .timeout_s = 10 },
					   .expiry = WATCH_EXPIRY_REBOOT,
					   .standstill = "auto",
					   .socket = HOLDFAST_WATCHDOG_SOCKET_PATH,
					   .group = WATCH_GROUP_NONE,
					   .priority = WATCH_PRIORITY_DEFAULT };
	for (int i = 1; i < argc; i++) {
		const char *equals = strchr(argv[i], '=');
		size_t length = equals ? (size_t)(equals - argv[i]) : strlen(argv[i]);
		const char *value = equals ? equals + 1 : NULL;
		enum option option = 0;
		int rc;

		while (option < OPTIONS && (strlen(names[option]) != length ||
					    strncmp(names[option], argv[i], length) != 0))
			option++;
		if (option == OPTIONS)
			return word_unknown(argv[i], err);
		if (!option_takes_value(option) && value)
			return err_set(err, RC_CONFIG, NULL, "%s takes no value", names[option]);
		if (option_takes_value(option) && !value)
			value = argv[++i];
		if (option_takes_value(option) && (!value || !*value))
			return err_set(err, RC_CONFIG, "see --help", "%s needs a value",
				       names[option]);
		rc = option_take(option, value, options, err);
		if (rc)
			return rc;
	}
	return options->help || options->version ? 0 : options_judge(options, err);
}
