/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * beat.c - a client of watchdogd that beats, and then hangs: the application of the lab's cases.
 *
 *	beat NAME DEADLINE_MS EVERY_MS [COUNT [SIGNAL PID DELAY_MS]]
 *
 * LINK: watch
 *
 * Registers, renews every EVERY_MS, and after COUNT renewals (0: never) hangs with its connection
 * open. SIGNAL PID DELAY_MS: that long after the last renewal it sends a signal, as a rule to
 * watchdogd. SIGTERM: goodbye. What it says, one write(2) a line, each after NAME:
 *	terms DEADLINE_MS DEVICE_MS BOUND_MS PROOF	once registered
 *	renew NUMBER NS		before a renewal is sent, with CLOCK_BOOTTIME; 0 is the registration
 *	hang			no more renewals from here on
 *	goodbye			confirmed; exit status 0
 *	refused ERRNO WHY	exit status 1
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "watchdog/client/watchdog.h"

static volatile sig_atomic_t told;

static void signal_note(int number)
{
	(void)number;
	told = 1;
}

static int64_t boot_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static int refused(const char *name, const char *why)
{
	printf("%s refused %s %s\n", name, strerrorname_np(errno), why);
	return 1;
}

static void number_say(const char *name, unsigned long number)
{
	printf("%s renew %lu %" PRId64 "\n", name, number, boot_ns());
}

/* Sleep, or until a signal. */
static void rest(unsigned long ms, const sigset_t *open)
{
	const struct timespec length = { .tv_sec = (time_t)(ms / 1000),
					 .tv_nsec = (long)(ms % 1000) * 1000000 };

	if (!told)
		ppoll(NULL, 0, &length, open);
}

static void signals_take(sigset_t *open)
{
	struct sigaction action = { .sa_handler = signal_note };
	sigset_t taken;

	sigemptyset(&taken);
	sigaddset(&taken, SIGTERM);
	sigprocmask(SIG_BLOCK, &taken, open); /* but at rest */
	sigaction(SIGTERM, &action, NULL);
}

int main(int argc, char **argv)
{
	struct holdfast_watchdog_terms terms;
	struct holdfast_watchdog *watchdog;
	unsigned long number[8] = { 0 };
	sigset_t open;

	for (int i = 2; i < argc && i < 8; i++)
		number[i] = strtoul(argv[i], NULL, 10);
	if (argc < 4 || argc == 6 || argc == 7 || argc > 8 || !number[3])
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signals_take(&open);
	number_say(argv[1], 0);
	if (holdfast_watchdog_open(argv[1], (uint32_t)number[2], &watchdog, &terms) != 0)
		return refused(argv[1], terms.why);
	printf("%s terms %" PRIu32 " %" PRIu32 " %" PRIu32 " %d\n", argv[1], terms.deadline_ms,
	       terms.device_ms, terms.bound_ms, (int)terms.proof);
	for (unsigned long done = 1; !told && (!number[4] || done <= number[4]); done++) {
		rest(number[3], &open);
		if (told)
			break;
		number_say(argv[1], done);
		if (holdfast_watchdog_renew(watchdog, 0, &terms) != 0)
			return refused(argv[1], terms.why);
	}
	if (!told && argc == 8) {
		rest(number[7], &open);
		kill((pid_t)number[6], (int)number[5]);
	}
	if (!told)
		printf("%s hang\n", argv[1]);
	while (!told)
		ppoll(NULL, 0, NULL, &open);
	if (holdfast_watchdog_close(watchdog) != 0)
		return refused(argv[1], "the goodbye");
	printf("%s goodbye\n", argv[1]);
	return 0;
}
