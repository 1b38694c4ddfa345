/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cmd_watchdog.c - `holdfast watchdog`: its subcommands, and what they share.
 */
#include "cli/cmd_watchdog.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"
#include "cli/watchdog.h"
#include "watchdog/client/watch_link_io.h"

/* ---- asking watchdogd ---- */

int watchdog_exit_of(int error)
{
	return error == -ENOENT || error == -ECONNREFUSED ? WATCHDOG_EXIT_NOT_RUNNING
							  : CLI_EXIT_NOT;
}

/* One packet of the type that must come now. */
static int view_receive(struct watch_link *link, enum watch_type type, struct watch_packet *packet,
			int64_t until_ns)
{
	int error = watch_link_receive(link, packet, until_ns);

	if (!error && packet->type != type)
		error = watch_link_refused(link, packet);
	return error;
}

int watchdog_view_ask(struct watch_link *link, struct watchdog_view *view, int64_t until_ns)
{
	struct watch_packet packet = { .type = WATCH_QUERY };
	int error = watch_link_send(link, &packet, until_ns);

	*view = (struct watchdog_view){ 0 };
	if (!error || error == -EPIPE)
		error = view_receive(link, WATCH_STATUS, &packet, until_ns);
	if (error)
		return error;
	view->status = packet.status;
	for (size_t i = 0; i < view->status.devices; i++) {
		error = view_receive(link, WATCH_DEVICE, &packet, until_ns);
		if (error)
			return error;
		if (view->devices_count < WATCHDOG_DEVICES_MAX)
			view->devices[view->devices_count++] = packet.device;
	}
	for (size_t i = 0; i < view->status.clients; i++) {
		error = view_receive(link, WATCH_CLIENT, &packet, until_ns);
		if (error)
			return error;
		if (view->clients_count < WATCHDOG_CLIENTS_MAX)
			view->clients[view->clients_count++] = packet.client;
	}
	return 0;
}

int watchdog_view_get(struct watch_link *link, struct watchdog_view *view)
{
	int64_t until = watch_until_ns(WATCHDOG_ANSWER_MS);
	int error = watch_link_open(link, until);

	if (error)
		return error;
	error = watchdog_view_ask(link, view, until);
	if (error)
		watch_link_close(link);
	return error;
}

void watchdog_signals_hold(sigset_t *before)
{
	static const int numbers[] = {
		SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGTTOU, SIGPIPE
	};
	sigset_t held;

	sigemptyset(&held);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		sigaddset(&held, numbers[i]);
	sigprocmask(SIG_BLOCK, &held, before);
}

/* ---- words ---- */

void watchdog_seconds(uint32_t ms, char *out, size_t size)
{
	if (ms % 1000)
		snprintf(out, size, "%.1f s", ms / 1000.0);
	else
		snprintf(out, size, "%" PRIu32 " s", ms / 1000);
}

enum output_style watchdog_proof_style(unsigned proof)
{
	return proof == WATCH_PROOF_HARDWARE   ? STYLE_GOOD
	       : proof == WATCH_PROOF_SOFTWARE ? STYLE_WARN
					       : STYLE_BAD;
}

const char *watchdog_sysfs_root(void)
{
	const char *root = getenv("HOLDFAST_SYSFS");

	return root && root[0] ? root : WATCH_SYSFS_ROOT;
}

/* ---- the table ---- */

const struct command watchdog_commands[] = {
	{ .name = "query",
	  .args = "",
	  .summary = "the watchdog devices of this machine, and what each is worth",
	  .details = "All of it is read from sysfs: no device is opened, for that starts many of "
		     "them.\nWho holds a device can be told by root alone.",
	  .options = OPTIONS_OUTPUT,
	  .exits = "0 a device can be used, 1 none can, 2 wrong use",
	  .run = watchdog_query_run },
	{ .name = "status",
	  .args = "",
	  .summary = "what watchdogd does: its devices, its clients, what it promises",
	  .options = OPTION_DIR | OPTIONS_OUTPUT,
	  .exits = "0 it pets at least one device, 1 it cannot be told, 2 wrong use,\n"
		   "4 watchdogd does not run, 5 it pets, but no device works, 6 it pets no longer",
	  .run = watchdog_status_run },
	{ .name = "test",
	  .args = "",
	  .summary = "try watchdogd; with --for-real reset this machine, and prove it afterwards",
	  .details =
		  "Without options: registers as a client, renews, looks at the devices and says "
		  "goodbye.\nNothing is reset; that the machine resets is proven by --for-real "
		  "alone, which asks for\nits name to be typed. After the reset --result tells "
		  "what is proven.\n\nPROVEN: after the order this machine showed signs of life "
		  "until about when it was to\nbe reset, none beyond the bound, was not shut down "
		  "in order, and booted again soon;\nor the device says that it was its reset. "
		  "Whoever resets it by hand within the same\nseconds cannot be told apart.",
	  .options = OPTION_FOR_REAL | OPTION_BY | OPTION_RESULT | OPTION_DIR | OPTIONS_OUTPUT,
	  .exits = "0 passed, or proven (--result), 1 failed, not proven, or not done, 2 wrong "
		   "use,\n"
		   "4 watchdogd does not run",
	  .run = watchdog_test_run },
	{ .name = NULL },
};
