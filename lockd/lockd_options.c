/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_options.c - the command line of lockd; see lockd_options.h.
 */
#include "lockd/lockd_options.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "base/timing_peer.h"
#include "base/watch.h"
#include "host/nexus.h"

enum option {
	OPTION_DISK,
	OPTION_NODE,
	OPTION_NAME,
	OPTION_SOCKET,
	OPTION_INTERVAL,
	OPTION_IO_TIMEOUT,
	OPTION_MEMBER_TIMEOUT,
	OPTION_LEASE,
	OPTION_DRAIN,
	OPTION_EXPIRY,
	OPTION_WATCHDOG,
	OPTION_STATE,
	OPTION_RUN_DIR,
	OPTION_NEXUS,
	OPTION_PRIORITY,
	OPTION_HELP,
	OPTION_VERSION,
	OPTIONS,
};

static const char *const names[OPTIONS] = {
	[OPTION_DISK] = "--disk",
	[OPTION_NODE] = "--node",
	[OPTION_NAME] = "--name",
	[OPTION_SOCKET] = "--socket",
	[OPTION_INTERVAL] = "--interval",
	[OPTION_IO_TIMEOUT] = "--io-timeout",
	[OPTION_MEMBER_TIMEOUT] = "--member-timeout",
	[OPTION_LEASE] = "--lease",
	[OPTION_DRAIN] = "--drain",
	[OPTION_EXPIRY] = "--expiry",
	[OPTION_WATCHDOG] = "--watchdog",
	[OPTION_STATE] = "--state",
	[OPTION_RUN_DIR] = "--run-dir",
	[OPTION_NEXUS] = "--nexus",
	[OPTION_PRIORITY] = "--priority",
	[OPTION_HELP] = "--help",
	[OPTION_VERSION] = "--version",
};

enum { INTERVAL_LEAST_MS = 20, TIMEOUT_MOST_MS = 3600000, SOCKET_PATH_MOST = 107 };

void lockd_options_help(FILE *file)
{
	fprintf(file,
		"Usage: lockd --disk URL [--disk URL...] --node N [OPTION...]\n"
		"\n"
		"The daemon of a node's shared disks: heartbeat, mailbox, claims, named locks.\n"
		"\n"
		"  --disk URL           a disk of the cluster: a path or iscsi://host/iqn/lun; 1 "
		"to %d,\n"
		"                       all of them, in any order\n"
		"  --node N             this node's number, its slot on the disks\n"
		"  --name NAME          this node's name (the host's name)\n"
		"  --expiry locks|node  the end of the lease resets this machine only when a lock "
		"that\n"
		"                       rested on it could not be ended (locks, the default), or\n"
		"                       always (node)\n"
		"  --watchdog required|off  off: nothing stands behind the lease; pills that end "
		"this\n"
		"                       node are declined (required)\n"
		"  --interval MS        one read and one write of each disk as often as this (%d)\n"
		"  --io-timeout MS      a request that takes longer has failed (%d)\n"
		"  --member-timeout MS  a node silent for longer is suspect (%d)\n"
		"  --lease MS           how long a node counts after its last good round (%d)\n"
		"  --drain MS           how long a write of a dead machine may still take to land "
		"(%d)\n"
		"  --state DIR          where the last incarnation is kept (%s)\n"
		"  --run-dir DIR        where the lock of this slot lies; the same for every lockd "
		"of\n"
		"                       a machine (%s)\n"
		"  --socket PATH        where clients connect ($HOLDFAST_LOCKD_SOCKET, or\n"
		"                       %s)\n"
		"  --nexus N            0 to 31, part of the name by which iSCSI targets know "
		"this\n"
		"                       program (0)\n"
		"  --priority N         real-time priority 1 to 99; 0: none (50)\n"
		"  --help, --version\n"
		"\n"
		"Times are milliseconds, or have a unit: 250ms, 10s.\n"
		"Exit status: 0 stopped in order, 1 a fault, 2 wrong options or disks.\n",
		HB_DISKS_MAX, LOCKD_INTERVAL_MS, LOCKD_IO_TIMEOUT_MS, LOCKD_MEMBER_TIMEOUT_MS,
		LOCKD_LEASE_MS, LOCKD_DRAIN_MS, LOCKD_STATE_DIR, LOCKD_RUN_DIR, LOCKD_SOCKET_PATH);
}

/* ---- parsing ---- */

static int number_read(const char *name, const char *value, long least, long most, long *number,
		       struct err *err)
{
	char *end;
	long read = strtol(value, &end, 10);

	if (*value < '0' || *value > '9' || *end || read < least || read > most)
		return err_set(err, RC_CONFIG, NULL, "%s: \"%s\" is no number from %ld to %ld",
			       name, value, least, most);
	*number = read;
	return 0;
}

static int time_read(const char *name, const char *value, long least, uint32_t *ms, struct err *err)
{
	char *end;
	long read = strtol(value, &end, 10);
	long unit = strcmp(end, "s") == 0 ? 1000 : 1;

	if (*value < '0' || *value > '9' || (*end && unit == 1 && strcmp(end, "ms") != 0) ||
	    read > TIMEOUT_MOST_MS / unit || read * unit < least)
		return err_set(err, RC_CONFIG, NULL,
			       "%s: \"%s\" is no time from %ld ms to %d ms (250, 250ms, 10s)", name,
			       value, least, TIMEOUT_MOST_MS);
	*ms = (uint32_t)(read * unit);
	return 0;
}

static int disk_add(struct lockd_options *options, const char *url, struct err *err)
{
	if (options->disks_count == HB_DISKS_MAX)
		return err_set(err, RC_CONFIG, NULL, "--disk: more than %d disks", HB_DISKS_MAX);
	options->disks[options->disks_count++] = url;
	return 0;
}

static int word_read(const char *name, const char *value, const char *zero, const char *one,
		     int *which, struct err *err)
{
	*which = strcmp(value, one) == 0;
	if (*which || strcmp(value, zero) == 0)
		return 0;
	return err_set(err, RC_CONFIG, NULL, "%s: \"%s\" is neither %s nor %s", name, value, zero,
		       one);
}

/* A name goes into records, and may not look like a number, as nodes are named by either. */
static int name_read(const char *value, struct lockd_options *options, struct err *err)
{
	size_t length = strlen(value);

	if (length >= HB_NAME_BYTES || strspn(value, "0123456789") == length ||
	    strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") !=
		    length)
		return err_set(err, RC_CONFIG, NULL,
			       "--name: \"%.*s\" is no name: at most %d of a-z A-Z 0-9 . _ - and "
			       "not a number",
			       HB_NAME_BYTES, value, HB_NAME_BYTES - 1);
	options->name = value;
	return 0;
}

static int path_read(const char *name, const char *value, size_t most, const char **path,
		     struct err *err)
{
	if (value[0] != '/' || strlen(value) > most)
		return err_set(err, RC_CONFIG, NULL,
			       "%s: \"%.128s\" is no absolute path of at most %zu bytes", name,
			       value, most);
	*path = value;
	return 0;
}

static int numbers_take(enum option option, const char *value, struct lockd_options *options,
			struct err *err)
{
	long number = 0;
	int rc;

	switch (option) {
	case OPTION_NODE:
		rc = number_read(names[option], value, 1, HB_NODES_MAX, &number, err);
		options->node = (uint16_t)number;
		return rc;
	case OPTION_NEXUS:
		rc = number_read(names[option], value, NEXUS_LOCKD, NEXUS_LOCKD_LAST, &number, err);
		options->nexus = (uint8_t)number;
		return rc;
	case OPTION_PRIORITY:
		rc = number_read(names[option], value, 0, 99, &number, err);
		options->priority = (int)number;
		return rc;
	case OPTION_INTERVAL:
		return time_read(names[option], value, INTERVAL_LEAST_MS, &options->interval_ms,
				 err);
	case OPTION_IO_TIMEOUT:
		return time_read(names[option], value, 1, &options->io_timeout_ms, err);
	case OPTION_MEMBER_TIMEOUT:
		return time_read(names[option], value, 1, &options->member_timeout_ms, err);
	case OPTION_LEASE:
		return time_read(names[option], value, WATCH_DEADLINE_MIN_MS, &options->lease_ms,
				 err);
	case OPTION_DRAIN:
		return time_read(names[option], value, 0, &options->drain_ms, err);
	default:
		return RC_INTERNAL;
	}
}

static int option_take(enum option option, const char *value, struct lockd_options *options,
		       struct err *err)
{
	int which = 0, rc;

	switch (option) {
	case OPTION_DISK:
		return disk_add(options, value, err);
	case OPTION_NAME:
		return name_read(value, options, err);
	case OPTION_SOCKET:
		return path_read(names[option], value, SOCKET_PATH_MOST, &options->socket, err);
	case OPTION_STATE:
		return path_read(names[option], value, PATH_MAX / 2, &options->state_dir, err);
	case OPTION_RUN_DIR:
		return path_read(names[option], value, PATH_MAX / 2, &options->run_dir, err);
	case OPTION_EXPIRY:
		rc = word_read(names[option], value, "locks", "node", &which, err);
		options->expiry = which ? LOCKD_EXPIRY_NODE : LOCKD_EXPIRY_LOCKS;
		return rc;
	case OPTION_WATCHDOG:
		return word_read(names[option], value, "off", "required", &options->watchdog, err);
	case OPTION_HELP:
		options->help = 1;
		return 0;
	case OPTION_VERSION:
		options->version = 1;
		return 0;
	default:
		return numbers_take(option, value, options, err);
	}
}

static int word_unknown(const char *word, struct err *err)
{
	long nearest = nearest_find(word, names, OPTIONS);
	char next[80];

	if (nearest < 0)
		return err_set(err, RC_CONFIG, "see --help", "there is no option \"%.64s\"", word);
	snprintf(next, sizeof next, "did you mean %s?", names[nearest]);
	return err_set(err, RC_CONFIG, next, "there is no option \"%.64s\"", word);
}

static int options_judge(const struct lockd_options *options, struct err *err)
{
	if (options->disks_count == 0)
		return err_set(err, RC_CONFIG, "name the cluster's disks", "no --disk is given");
	if (options->node == 0)
		return err_set(err, RC_CONFIG,
			       "give each node a number of its own, the same at every start",
			       "no --node is given");
	for (unsigned i = 0; i < options->disks_count; i++)
		for (unsigned j = 0; j < i; j++)
			if (strcmp(options->disks[i], options->disks[j]) == 0)
				return err_set(err, RC_CONFIG, "name each disk once",
					       "--disk: disks %u and %u are given by one name",
					       j + 1, i + 1);
	/* Without a watchdog the numbers are the same; what W adds is judged once it is known. */
	return lockd_options_check(options, 0, err);
}

int lockd_options_parse(struct lockd_options *options, int argc, char *const *argv, struct err *err)
{
	*options = (struct lockd_options){ .state_dir = LOCKD_STATE_DIR,
					   .run_dir = LOCKD_RUN_DIR,
					   .interval_ms = LOCKD_INTERVAL_MS,
					   .io_timeout_ms = LOCKD_IO_TIMEOUT_MS,
					   .member_timeout_ms = LOCKD_MEMBER_TIMEOUT_MS,
					   .lease_ms = LOCKD_LEASE_MS,
					   .drain_ms = LOCKD_DRAIN_MS,
					   .drift_ppm = LOCKD_DRIFT_PPM,
					   .watchdog = 1,
					   .priority = LOCKD_PRIORITY };
	for (int i = 1; i < argc; i++) {
		const char *equals = strchr(argv[i], '=');
		size_t length = equals ? (size_t)(equals - argv[i]) : strlen(argv[i]);
		const char *value = equals ? equals + 1 : NULL;
		enum option option = 0;
		int takes_value, rc;

		while (option < OPTIONS && (strlen(names[option]) != length ||
					    strncmp(names[option], argv[i], length) != 0))
			option++;
		if (option == OPTIONS)
			return word_unknown(argv[i], err);
		takes_value = option != OPTION_HELP && option != OPTION_VERSION;
		if (!takes_value && value)
			return err_set(err, RC_CONFIG, NULL, "%s takes no value", names[option]);
		if (takes_value && !value && i + 1 < argc)
			value = argv[++i];
		if (takes_value && (!value || !*value))
			return err_set(err, RC_CONFIG, "see --help", "%s needs a value",
				       names[option]);
		rc = option_take(option, value, options, err);
		if (rc)
			return rc;
	}
	return options->help || options->version ? 0 : options_judge(options, err);
}

/* ---- algebra ---- */

int lockd_options_check(const struct lockd_options *o, uint32_t claim_window_ms, struct err *err)
{
	uint32_t round_ms = o->interval_ms + 2 * o->io_timeout_ms;
	uint32_t credit_ms = 2 * o->interval_ms + 3 * o->io_timeout_ms;
	int64_t join_ms = timing_claim_life_ms(claim_window_ms) + 2 * (int64_t)o->interval_ms;

	/* hb_core: a round that takes all of its time is still credited by the next one. */
	if (o->lease_ms < credit_ms)
		return err_set(err, RC_CONFIG, "lengthen --lease, or shorten --io-timeout",
			       "lease >= 2 interval + 3 io-timeout does not hold: %u ms < 2 x %u + "
			       "3 x %u = %u ms",
			       o->lease_ms, o->interval_ms, o->io_timeout_ms, credit_ms);
	/* Else a node whose disk takes the time that it may take is suspect. */
	if (o->member_timeout_ms <= round_ms)
		return err_set(err, RC_CONFIG, "lengthen --member-timeout, or shorten --io-timeout",
			       "member-timeout > interval + 2 io-timeout does not hold: %u ms <= "
			       "%u + 2 x %u = %u ms",
			       o->member_timeout_ms, o->interval_ms, o->io_timeout_ms, round_ms);
	/* While it joins, the watchdog is not renewed (lockd_watch_io.c). */
	if (o->watchdog && o->expiry == LOCKD_EXPIRY_NODE && o->lease_ms < join_ms)
		return err_set(err, RC_CONFIG, "lengthen --lease",
			       "lease >= %d claim windows + 2 interval does not hold: %u ms < %lld "
			       "ms (the disk's claim window is %u ms)",
			       TIMING_CLAIM_LIFE_WINDOWS, o->lease_ms, (long long)join_ms,
			       claim_window_ms);
	return 0;
}
