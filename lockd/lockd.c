/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd.c - the daemon that owns a node's shared disks: main, signals, begin and end.
 *
 * Order of the begin, so that nothing is promised that does not hold: options, disks (read only so
 * far), the lock of the slot, the socket, the parts, the watchdog, and then the heartbeat, which
 * is the first that writes. Order of the end: what is held, the goodbye on the disks, the
 * watchdog.
 */
#include "lockd/lockd.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/machine.h"
#include "lockd/lockd_disks_io.h"
#include "lockd/lockd_heart_io.h"
#include "lockd/lockd_server_io.h"
#include "lockd/lockd_state_io.h"
#include "lockd/lockd_system_io.h"
#include "lockd/lockd_watch_io.h"

enum {
	EXIT_FAULT = 1,
	EXIT_OPTIONS = 2,
	/* For handles to close; a disk that hangs keeps its own. */
	LAST_TURNS_MS = 1500,
};

/* Static, so that what must not be freed at the end is still seen to be in use. */
static struct lockd lockd;
static uv_signal_t signals[2];

static int fail(const struct err *err)
{
	lockd_log(LOCKD_FAULT, "%s%s%s", err->text, err->next[0] ? "; " : "", err->next);
	return err->rc == RC_CONFIG ? EXIT_OPTIONS : EXIT_FAULT;
}

static void signalled(uv_signal_t *handle, int number)
{
	(void)handle;
	lockd_lease_look(&lockd);
	lockd_stop(&lockd, number == SIGTERM ? "told to by SIGTERM" : "told to by SIGINT");
}

static void signals_watch(void)
{
	static const int numbers[] = { SIGTERM, SIGINT };

	signal(SIGPIPE, SIG_IGN);
	/* A file that has reached its limit is an error of the write. */
	signal(SIGXFSZ, SIG_IGN);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		uv_signal_init(&lockd.loop, &signals[i]);
		uv_signal_start(&signals[i], signalled, numbers[i]);
	}
}

static int parts_begin(struct err *err)
{
	for (size_t i = 0; lockd_parts[i]; i++) {
		int rc = lockd_parts[i]->begin ? lockd_parts[i]->begin(&lockd, err) : 0;

		if (rc)
			return rc;
	}
	return 0;
}

static int begin(struct err *err)
{
	int rc = lockd_disks_open(&lockd, err);

	if (rc == 0)
		rc = lockd_options_check(&lockd.options, lockd.super.claim_window_ms, err);
	if (rc == 0)
		rc = lockd_state_open(&lockd, err);
	if (rc == 0)
		rc = lockd_server_open(&lockd, err);
	if (rc == 0)
		rc = parts_begin(err);
	/* After the parts: one that does not begin, because something of an earlier lockd's locks still
	 * runs, must not have taken over the watchdog that is about to end it. */
	/* Soon after boot the kernel may take seconds for its first random numbers; they must not pass
	 * between the registration and the first renewal. */
	if (rc == 0)
		machine_random(&lockd.config.nonce, sizeof lockd.config.nonce);
	if (rc == 0)
		rc = lockd_watch_open(&lockd, err);
	if (rc == 0)
		rc = lockd_heart_begin(&lockd, err);
	return rc;
}

static void last_turn_over(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

/* Free what can be freed. */
static void finish(void)
{
	uv_timer_t limit;

	lockd_server_close(&lockd);
	for (size_t i = 0; lockd_parts[i]; i++)
		if (lockd_parts[i]->end)
			lockd_parts[i]->end(&lockd);
	lockd_heart_close(&lockd);
	lockd_watch_close(&lockd);
	lockd_disks_close(&lockd);
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		if (uv_is_active((uv_handle_t *)&signals[i]))
			uv_close((uv_handle_t *)&signals[i], NULL);
	uv_timer_init(&lockd.loop, &limit);
	uv_timer_start(&limit, last_turn_over, LAST_TURNS_MS, 0);
	uv_unref((uv_handle_t *)&limit);
	uv_run(&lockd.loop, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *)&limit, NULL);
	uv_run(&lockd.loop, UV_RUN_NOWAIT);
	uv_loop_close(&lockd.loop);
	free(lockd.doors);
	/* Last: until here nobody else may serve this slot. */
	lockd_state_close(&lockd);
}

static int serve(void)
{
	struct err err = { 0 };
	int status;

	signals_watch();
	lockd_harden(lockd.options.priority);
	if (begin(&err)) {
		status = fail(&err);
	} else {
		lockd_log(LOCKD_INFO, "node %u (%s) of cluster \"%s\", %u disk(s), at %s",
			  lockd.config.node, lockd.config.name, lockd.super.cluster_name,
			  lockd.disks_count, lockd.options.socket);
		while (!lockd.is_ended)
			uv_run(&lockd.loop, UV_RUN_ONCE);
		status = lockd.exit_status;
	}
	finish();
	return status;
}

int main(int argc, char **argv)
{
	const char *socket = getenv("HOLDFAST_LOCKD_SOCKET");
	struct err err = { 0 };

	if (lockd_options_parse(&lockd.options, argc, argv, &err))
		return fail(&err);
	if (lockd.options.help) {
		lockd_options_help(stdout);
		return 0;
	}
	if (lockd.options.version) {
		puts("lockd " HOLDFAST_VERSION);
		return 0;
	}
	if (!lockd.options.socket)
		lockd.options.socket = socket && *socket ? socket : LOCKD_SOCKET_PATH;
	if (uv_loop_init(&lockd.loop) != 0)
		abort();
	return serve();
}
