/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watchdog_record.c - the record of a test that resets this machine: written before it, judged
 * after it.
 *
 * The record is a JSON object in a file that is on the disk before the test begins. What came of it
 * is judged by whoever looks: in the same boot the machine has survived; in another one it was
 * restarted, and the wall clock - the only one that both boots have - tells how long after the test
 * that boot began. How long it had lived on is told by its signs of life (watchdog_alive.c), the last
 * of them A after the order. This is evidence for a human: no lease and no takeover rests on it (S6).
 *
 * In another boot the first line that is true is the verdict; W + g is the bound, "soonest" the
 * earliest moment at which a device that was petted in time can fire:
 *
 *	A > W + g				failed	it lived on; who restarted it does not matter
 *	it was shut down in order		unclear
 *	that boot began before the order, or
 *	 more than W + g + firmware after it	unclear	by the wall clock
 *	self:     a device says it was its reset unclear	watchdogd's own did not come
 *	self:     no sign at all		unclear
 *	self:     A > 2 s			unclear	watchdogd resets at once, or not at all
 *	hardware: a device says it was its reset proven
 *	hardware: no sign at all		unclear
 *	hardware: A + 2 s < soonest		unclear	it, or what gives the signs, died too early
 *	otherwise				proven
 *
 * A driver that could tell and tells nothing is no evidence against the device: many claim
 * WDIOF_CARDRESET and never set it, or lose it to the firmware; with signs of life it is not needed,
 * and without them nothing is proven anyhow. What PROVEN cannot exclude: a reset by hand or by
 * another fault within seconds of soonest .. W + g; by self also a kernel that hung, or a disk, at
 * the order, so that a device did it while its driver tells nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/timing.h"
#include "cli/fence.h"
#include "cli/watchdog.h"
#include "host/clock.h"

#define RECORD_VERSION 1
#define NEW_SUFFIX ".new"
#define NS_PER_MS INT64_C(1000000)

enum {
	RECORD_BYTES_MAX = 1 << 16,
	/* From the reset to the kernel's first moment: firmware of servers takes minutes. */
	FIRMWARE_MAX_S = 900,
	/* Two readings of a wall clock in whole seconds, set right in between. */
	CLOCK_SLACK_S = 5,
	/* From the record to watchdogd's order. */
	ORDER_SLACK_MS = WATCHDOG_ANSWER_MS,
	/* Between two signs of life, or of an own reset: one second, and the disk's flush. */
	SIGN_SLACK_MS = 2000,
};

const char *watchdog_outcome_word(enum watchdog_outcome outcome)
{
	static const char *const words[] = { "pending", "reset", "failed", "unclear" };

	return words[outcome];
}

/* ---- the file ---- */

static int record_failed(const struct watchdog_record *record, const char *what, struct err *err)
{
	return err_set(err, RC_INTERNAL, "check the folder, its rights and its free space",
		       "%s: cannot %s: %s", record->path, what, strerror(errno));
}

static int path_set(struct watchdog_record *record, const char *dir, struct err *err)
{
	int length = snprintf(record->path, sizeof record->path - sizeof WATCHDOG_ALIVE_SUFFIX,
			      "%s/%s", dir ? dir : WATCHDOG_RECORD_DIR, WATCHDOG_RECORD_NAME);

	if (length > 0 && (size_t)length < sizeof record->path - sizeof WATCHDOG_ALIVE_SUFFIX)
		return 0;
	return err_set(err, RC_CONFIG, "give a shorter --dir", "the folder's name is too long");
}

static int is_text(const json_t *object, const char *key)
{
	return json_is_string(json_object_get(object, key));
}

static int is_number(const json_t *object, const char *key)
{
	return json_is_integer(json_object_get(object, key));
}

static int is_record(const json_t *object)
{
	static const char *const texts[] = { "host",	 "boot_id", "asked_at",
					     "operator", "by",	    "proof" };
	static const char *const numbers[] = { "version",   "asked_at_s", "asked_boot_ns",
					       "device_ms", "grain_ms",	  "bound_ms",
					       "soonest_ms" };
	int whole = json_is_object(object) && json_is_array(json_object_get(object, "devices"));

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		whole = whole && is_text(object, texts[i]);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		whole = whole && is_number(object, numbers[i]);
	return whole && json_integer_value(json_object_get(object, "version")) == RECORD_VERSION;
}

int watchdog_record_load(struct watchdog_record *record, const char *dir, struct err *err)
{
	char text[RECORD_BYTES_MAX];
	ssize_t got;
	int fd;

	record->object = NULL;
	if (path_set(record, dir, err))
		return err->rc;
	fd = open(record->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? 0 : record_failed(record, "open", err);
	got = read(fd, text, sizeof text);
	if (got < 0) {
		record_failed(record, "read", err);
		close(fd);
		return err->rc;
	}
	close(fd);
	record->object = json_loadb(text, (size_t)got, JSON_REJECT_DUPLICATES, NULL);
	if (is_record(record->object))
		return 0;
	watchdog_record_free(record);
	return err_set(err, RC_INTERNAL, "move it away", "%s: this is no record of a test",
		       record->path);
}

static int text_write(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t done = write(fd, text, left);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -1;
		text += done;
		left -= (size_t)done;
	}
	return fsync(fd);
}

int watchdog_folder_sync(const char *path)
{
	char folder[PATH_MAX];
	int fd, failed;

	snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
	fd = open(folder[0] ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	failed = fsync(fd);
	close(fd);
	return failed;
}

/* Make the folder, and let its name last too. */
static int folder_make(const char *path)
{
	char folder[PATH_MAX];

	snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
	if (mkdir(folder, 0700) == 0)
		return watchdog_folder_sync(folder);
	return errno == EEXIST ? 0 : -1;
}

static int file_write(const struct watchdog_record *record, const char *text, struct err *err)
{
	char fresh[PATH_MAX];
	int fd, failed;

	if (folder_make(record->path) != 0)
		return record_failed(record, "make its folder", err);
	snprintf(fresh, sizeof fresh, "%.*s%s", (int)(sizeof fresh - sizeof NEW_SUFFIX),
		 record->path, NEW_SUFFIX);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0)
		return record_failed(record, "create", err);
	failed = text_write(fd, text);
	if (failed) {
		record_failed(record, "write", err);
		close(fd);
		unlink(fresh);
		return err->rc;
	}
	close(fd);
	if (rename(fresh, record->path) != 0 || watchdog_folder_sync(record->path) != 0)
		return record_failed(record, "write", err);
	return 0;
}

int watchdog_record_store(const struct watchdog_record *record, struct err *err)
{
	char *text = json_dumps(record->object, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
	char *line = NULL;
	int rc;

	if (!text || asprintf(&line, "%s\n", text) < 0) {
		free(text);
		return err_set(err, RC_INTERNAL, NULL, "out of memory");
	}
	rc = file_write(record, line, err);
	free(line);
	free(text);
	return rc;
}

void watchdog_record_free(struct watchdog_record *record)
{
	json_decref(record->object);
	record->object = NULL;
}

/* ---- now ---- */

int watchdog_now_read(struct watchdog_now *now, struct err *err)
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	int known = file && fgets(now->boot_id, sizeof now->boot_id, file) != NULL;

	if (file)
		fclose(file);
	if (!known)
		return err_set(err, RC_INTERNAL, "mount /proc", "cannot read the id of this boot");
	now->boot_id[strcspn(now->boot_id, "\n")] = '\0';
	now->boot_ns = clock_now().ns;
	now->time_s = time(NULL);
	now->booted_at_s = now->time_s - now->boot_ns / INT64_C(1000000000);
	return 0;
}

/* ---- before the test ---- */

static json_t *devices_array(const struct watchdog_view *view)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < view->devices_count; i++) {
		const struct watch_device *device = &view->devices[i];
		json_t *object = json_pack(
			"{s:s, s:s, s:s, s:I, s:b}", "device", device->path, "identity",
			device->identity, "proof", watch_proof_word(device->proof), "timeout_ms",
			(json_int_t)device->timeout_ms, "failed", device->failed);

		if (json_array_append_new(array, object) != 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static const char *operator_name(void)
{
	const char *sudo = getenv("SUDO_USER");
	const struct passwd *entry = getpwuid(getuid());

	return sudo && sudo[0] ? sudo : entry ? entry->pw_name : "?";
}

/* A device may have been petted a whole interval before the order. */
static int64_t soonest_ms(const struct watchdog_view *view)
{
	int64_t soonest = view->status.device_ms;

	for (size_t i = 0; i < view->devices_count; i++) {
		const struct watch_device *device = &view->devices[i];
		int64_t ms = (int64_t)device->timeout_ms - device->pretimeout_ms;

		if (!device->failed && device->proof != WATCH_PROOF_NONE && ms < soonest)
			soonest = ms;
	}
	soonest -= view->status.pet_interval_ms;
	return soonest > 0 ? soonest : 0;
}

int watchdog_record_begin(struct watchdog_record *record, const struct watchdog_view *view,
			  enum watch_test by, const struct watchdog_now *now)
{
	const struct watch_status *status = &view->status;
	uint32_t bound_ms = timing_reset_bound_ms(0, status->device_ms);
	int64_t deadline_ns = now->boot_ns + bound_ms * NS_PER_MS;
	json_t *proven = json_incref(json_object_get(record->object, "proven"));
	char host[256] = "", date[32];

	gethostname(host, sizeof host - 1);
	fence_date_iso(now->time_s, date, sizeof date);
	json_decref(record->object);
	record->object = json_pack(
		"{s:i, s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:n, "
		"s:n, "
		"s:o?}",
		"version", RECORD_VERSION, "host", host, "boot_id", now->boot_id, "asked_at", date,
		"asked_at_s", (json_int_t)now->time_s, "asked_boot_ns", (json_int_t)now->boot_ns,
		"deadline_boot_ns", (json_int_t)deadline_ns, "operator", operator_name(), "by",
		by == WATCH_TEST_SELF ? "self" : "hardware", "proof",
		watch_proof_word(status->proof), "devices", devices_array(view), "device_ms",
		(json_int_t)status->device_ms, "grain_ms", (json_int_t)status->grain_ms, "bound_ms",
		(json_int_t)bound_ms, "soonest_ms", (json_int_t)soonest_ms(view), "outcome",
		"reason", "proven", proven);
	return record->object ? 0 : -1;
}

/* ---- after it ---- */

static const char *record_text(const struct watchdog_record *record, const char *key)
{
	const char *text = json_string_value(json_object_get(record->object, key));

	return text ? text : "";
}

static int64_t record_number(const struct watchdog_record *record, const char *key)
{
	return json_integer_value(json_object_get(record->object, key));
}

/* The first device of the test whose driver says that it has reset the machine; NULL when none. */
static const char *device_that_says_so(const struct watchdog_record *record)
{
	const json_t *devices = json_object_get(record->object, "devices");
	static struct watch_sysfs facts[WATCH_SYSFS_DEVICES_MAX];
	size_t count = watch_sysfs_list(watchdog_sysfs_root(), facts, WATCH_SYSFS_DEVICES_MAX);

	for (size_t i = 0; i < json_array_size(devices); i++) {
		const json_t *device = json_array_get(devices, i);
		const char *identity = json_string_value(json_object_get(device, "identity"));

		/* Numbers are given anew at each boot; what a driver calls itself stays. */
		for (size_t j = 0; identity && j < count; j++)
			if (strcmp(facts[j].identity, identity) == 0 &&
			    watchdog_boot_was_reset(facts[j].boot_status))
				return facts[j].path;
	}
	return NULL;
}

static enum watchdog_outcome judge_same_boot(const struct watchdog_record *record,
					     const struct watchdog_now *now, char *reason,
					     size_t size)
{
	int64_t since_ms = (now->boot_ns - record_number(record, "asked_boot_ns")) / NS_PER_MS;
	int64_t left_ms = record_number(record, "bound_ms") + ORDER_SLACK_MS - since_ms;

	if (left_ms > 0) {
		snprintf(reason, size, "the test is not over: wait another %" PRId64 " s",
			 left_ms / 1000 + 1);
		return WATCHDOG_OUTCOME_PENDING;
	}
	snprintf(reason, size,
		 "this machine has not been restarted since the test, %" PRId64
		 " s ago; the bound was %.1f s",
		 since_ms / 1000, (double)record_number(record, "bound_ms") / 1000.0);
	return WATCHDOG_OUTCOME_FAILED;
}

/* Do the signs of life, or their absence (NULL), leave it open what has restarted the machine? */
static int judge_signs(const struct watchdog_record *record, int says_so,
		       const struct watchdog_alive *alive, char *reason, size_t size)
{
	int by_self = strcmp(record_text(record, "by"), "self") == 0;

	if (!alive && !says_so) {
		snprintf(reason, size,
			 "there is no sign of life after the order beside the record: what has "
			 "restarted this machine, and when, is not known");
		return 1;
	}
	if (by_self && alive && alive->ms > SIGN_SLACK_MS) {
		snprintf(reason, size,
			 "watchdogd was to reset this machine at once, but it still lived %.1f s "
			 "later: something else may have done it",
			 (double)alive->ms / 1000.0);
		return 1;
	}
	if (!by_self && !says_so && alive &&
	    alive->ms + SIGN_SLACK_MS < record_number(record, "soonest_ms")) {
		snprintf(reason, size,
			 "its signs of life end %.1f s after the order, and no device fires before "
			 "%.1f s: something else has restarted this machine, or ended the signs",
			 (double)alive->ms / 1000.0,
			 (double)record_number(record, "soonest_ms") / 1000.0);
		return 1;
	}
	return 0;
}

static enum watchdog_outcome judge_other_boot(const struct watchdog_record *record,
					      const struct watchdog_now *now, char *reason,
					      size_t size)
{
	int64_t gap_s = now->booted_at_s - record_number(record, "asked_at_s");
	int64_t most_s = record_number(record, "bound_ms") / 1000 + FIRMWARE_MAX_S;
	const char *says_so = device_that_says_so(record);
	double bound_s = (double)record_number(record, "bound_ms") / 1000.0;
	int by_self = strcmp(record_text(record, "by"), "self") == 0;
	struct watchdog_alive alive;
	int signs = watchdog_alive_read(record, &alive) == 0;

	if (alive.ms > record_number(record, "bound_ms")) {
		snprintf(reason, size,
			 "it still lived %.1f s after the order; the bound was %.1f s",
			 (double)alive.ms / 1000.0, bound_s);
		return WATCHDOG_OUTCOME_FAILED;
	}
	if (alive.stopped) {
		snprintf(reason, size, "it was shut down in order during the test");
		return WATCHDOG_OUTCOME_UNCLEAR;
	}
	if (gap_s < -CLOCK_SLACK_S) {
		snprintf(reason, size,
			 "by the wall clock this boot began %" PRId64
			 " s before the test: that clock was set since, and tells nothing",
			 -gap_s);
		return WATCHDOG_OUTCOME_UNCLEAR;
	}
	if (gap_s > most_s) {
		snprintf(reason, size,
			 "this boot began %" PRId64 " s after the test; the reset may take %.1f s, "
			 "firmware some minutes: something else has restarted this machine, or it "
			 "was restarted again since",
			 gap_s, bound_s);
		return WATCHDOG_OUTCOME_UNCLEAR;
	}
	if (by_self && says_so) {
		snprintf(reason, size,
			 "watchdogd was to reset this machine by itself, but %s says that it did: "
			 "watchdogd's own reset may not work here",
			 says_so);
		return WATCHDOG_OUTCOME_UNCLEAR;
	}
	if (judge_signs(record, says_so != NULL, signs ? &alive : NULL, reason, size))
		return WATCHDOG_OUTCOME_UNCLEAR;
	snprintf(reason, size,
		 "this boot began %" PRId64 " s after the test, firmware included%s%s%s",
		 gap_s > 0 ? gap_s : 0,
		 says_so   ? "; "
		 : by_self ? ""
			   : "; no device tells whether",
		 says_so ? says_so : "",
		 says_so   ? " says that it was its reset"
		 : by_self ? ""
			   : " it was its reset (many drivers never do)");
	return WATCHDOG_OUTCOME_RESET;
}

enum watchdog_outcome watchdog_record_judge(const struct watchdog_record *record,
					    const struct watchdog_now *now, char *reason,
					    size_t size)
{
	const char *outcome = record_text(record, "outcome");

	for (int i = WATCHDOG_OUTCOME_RESET; i <= WATCHDOG_OUTCOME_UNCLEAR; i++)
		if (strcmp(outcome, watchdog_outcome_word(i)) == 0) {
			snprintf(reason, size, "%s", record_text(record, "reason"));
			return (enum watchdog_outcome)i;
		}
	if (strcmp(record_text(record, "boot_id"), now->boot_id) == 0)
		return judge_same_boot(record, now, reason, size);
	return judge_other_boot(record, now, reason, size);
}

/* The members that status shows of a test that was proven. */
static json_t *proven_make(const struct watchdog_record *record)
{
	static const char *const keys[] = { "asked_at", "asked_at_s", "operator",  "by",
					    "proof",	"devices",    "device_ms", "bound_ms",
					    "alive_ms", "reason" };
	json_t *object = json_object();

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (json_object_set(object, keys[i], json_object_get(record->object, keys[i]))) {
			json_decref(object);
			return NULL;
		}
	return object;
}

int watchdog_record_settle(struct watchdog_record *record, enum watchdog_outcome outcome,
			   const char *reason, const struct watchdog_now *now)
{
	json_t *object = record->object;
	struct watchdog_alive alive;
	int signs = watchdog_alive_read(record, &alive) == 0;
	int lost = json_object_set_new(object, "alive_ms",
				       signs ? json_integer(alive.ms) : json_null()) ||
		   json_object_set_new(object, "outcome",
				       json_string(watchdog_outcome_word(outcome))) ||
		   json_object_set_new(object, "reason", json_string(reason)) ||
		   json_object_set_new(object, "settled_at_s", json_integer(now->time_s));

	if (!lost && outcome == WATCHDOG_OUTCOME_RESET)
		lost = json_object_set_new(object, "proven", proven_make(record));
	return lost ? -1 : 0;
}

const json_t *watchdog_record_proven(const struct watchdog_record *record)
{
	const json_t *proven = json_object_get(record->object, "proven");

	return json_is_object(proven) ? proven : NULL;
}
