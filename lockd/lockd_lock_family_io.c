/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_lock_family_io.c - the processes of a lock's command; see lockd_lock_family_io.h.
 */
#include "lockd/lockd_lock_family_io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/machine.h"

enum {
	PATH_BYTES = 512,
	PREFIX_BYTES = 32,
	BOOT_BYTES = 2 * MACHINE_BYTES + 1,
	AGAIN_MS = 50,
	/* Of the lease, which the watchdog still counts: for commands that their `lock run` is ending at
	 * this moment, and then for SIGKILL to work. */
	OLD_PART = 4,
};

struct lock_family {
	struct lockd *lockd;
	struct family family;
	char path[PATH_BYTES];
	lock_family_empty *empty;
	void *context;
	uv_work_t work;
	struct boot_timer again;
	int has_timer, is_working, is_freed, is_told;
	int found;	   /* by the last look */
	unsigned in_a_row; /* looks that found nothing */
};

/* ---- the file ---- */

static int boot_text(char text[BOOT_BYTES], struct err *err)
{
	uint8_t machine[MACHINE_BYTES], boot[MACHINE_BYTES];
	int rc = machine_identify(machine, boot, err);

	for (size_t i = 0; rc == 0 && i < MACHINE_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", boot[i]);
	return rc;
}

static void folder_path(const struct lockd *lockd, char path[PATH_BYTES])
{
	snprintf(path, PATH_BYTES, "%s/locks", lockd->options.run_dir);
}

/* Of this cluster and node: lockds of one machine share the folder. */
static void file_prefix(const struct lockd *lockd, char text[PREFIX_BYTES])
{
	snprintf(text, PREFIX_BYTES, "%016" PRIx64 ".%u.", lockd->super.head.cluster,
		 lockd->options.node);
}

static int file_write(const struct lock_family *family, const char *name, struct err *err)
{
	char folder[PATH_BYTES], boot[BOOT_BYTES], *text;
	json_t *object;
	int fd;
	ssize_t written;
	size_t length;

	if (boot_text(boot, err))
		return err->rc;
	folder_path(family->lockd, folder);
	mkdir(family->lockd->options.run_dir, 0755);
	mkdir(folder, 0700);
	object = json_pack("{s:s, s:i, s:I, s:s, s:s}", "name", name, "group",
			   (int)family->family.group, "group_start",
			   (json_int_t)family->family.group_start, "tag", family->family.tag,
			   "boot", boot);
	text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	if (!text)
		abort();
	length = strlen(text);
	fd = open(family->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	written = fd >= 0 ? write(fd, text, length) : -1;
	free(text);
	if (fd >= 0)
		close(fd);
	if (written == (ssize_t)length)
		return 0;
	err_set(err, RC_INTERNAL, "check the folder and its free space", "%s: cannot write: %s",
		family->path, strerror(errno));
	unlink(family->path);
	return err->rc;
}

static int parse(json_t *object, struct family *family, char boot[BOOT_BYTES])
{
	const char *tag, *was;
	json_int_t start;
	int group;

	if (json_unpack(object, "{s:i, s:I, s:s, s:s}", "group", &group, "group_start", &start,
			"tag", &tag, "boot", &was) ||
	    group < 2 || strlen(tag) == 0 || strlen(tag) >= FAMILY_TAG_BYTES ||
	    strlen(was) != BOOT_BYTES - 1)
		return -1;
	*family = (struct family){ .group = group, .group_start = (uint64_t)start };
	snprintf(family->tag, sizeof family->tag, "%s", tag);
	snprintf(boot, BOOT_BYTES, "%s", was);
	return 0;
}

/* 0 with *is_empty: its lockd ended before it was written, so the command never began. */
static int file_read(const char *path, struct family *family, char boot[BOOT_BYTES], int *is_empty,
		     struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	json_error_t why = { .text = "not what lockd writes" };
	struct stat stat;
	json_t *object;
	int rc = 0;

	if (fd < 0 || fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode)) {
		rc = err_set(err, RC_INTERNAL, "check the folder and the limit of open files",
			     "%s: cannot be read: %s", path,
			     fd < 0 ? strerror(errno) : "not a file");
		if (fd >= 0)
			close(fd);
		return rc;
	}
	*is_empty = stat.st_size == 0;
	if (!*is_empty) {
		object = json_loadfd(fd, 0, &why);
		if (!object || parse(object, family, boot))
			rc = err_set(err, RC_STATE,
				     "end what its lock's command has left, then remove the file",
				     "%s: cannot be read: %s", path, why.text);
		json_decref(object);
	}
	close(fd);
	return rc;
}

/* ---- looking, on another thread ---- */

static void look_begin(struct lock_family *family);

static void look_run(uv_work_t *work)
{
	struct lock_family *family = work->data;

	family->found = family_signal(&family->family, SIGKILL);
}

static void family_closed(struct boot_timer *timer)
{
	free(timer->data);
}

static void family_drop(struct lock_family *family)
{
	if (family->is_working)
		return;
	if (family->has_timer)
		boot_timer_close(&family->again, family_closed);
	else
		free(family);
}

static void tell_empty(struct lock_family *family)
{
	if (family->is_told)
		return;
	family->is_told = 1;
	unlink(family->path);
	family->empty(family->context);
}

static void look_done(uv_work_t *work, int status)
{
	struct lock_family *family = work->data;

	family->is_working = 0;
	if (family->is_freed) {
		family_drop(family);
		return;
	}
	family->in_a_row = status == 0 && family->found == 0 ? family->in_a_row + 1 : 0;
	/* Twice: what was born while the first look passed its number by is seen by the second. */
	if (family->in_a_row >= 2)
		tell_empty(family);
	else if (family->in_a_row == 1)
		look_begin(family);
	else
		boot_timer_set(&family->again, mono_add_ms(clock_now(), AGAIN_MS));
}

static void look_begin(struct lock_family *family)
{
	family->work.data = family;
	family->is_working = 1;
	if (uv_queue_work(&family->lockd->loop, &family->work, look_run, look_done))
		abort();
}

static void again_fired(struct boot_timer *timer)
{
	struct lock_family *family = timer->data;

	if (!family->is_working && !family->is_freed)
		look_begin(family);
}

/* ---- from outside ---- */

int lock_family_open(struct lockd *lockd, const char *name, const struct family *family,
		     lock_family_empty *empty, void *context, struct lock_family **opened,
		     struct err *err)
{
	struct lock_family *made = calloc(1, sizeof *made);
	char prefix[PREFIX_BYTES];
	int rc;

	if (!made)
		abort();
	made->lockd = lockd;
	made->family = *family;
	made->empty = empty;
	made->context = context;
	file_prefix(lockd, prefix);
	snprintf(made->path, sizeof made->path, "%s/locks/%s%s", lockd->options.run_dir, prefix,
		 strchr(family->tag, '=') + 1);
	rc = file_write(made, name, err);
	if (rc == 0 && boot_timer_init(&made->again, &lockd->loop, again_fired, made)) {
		unlink(made->path);
		rc = err_set(err, RC_INTERNAL, "check the limit of open files", "no timer");
	}
	if (rc) {
		free(made);
		return rc;
	}
	made->has_timer = 1;
	*opened = made;
	return 0;
}

void lock_family_end(struct lock_family *family, int is_ended)
{
	/* `lock run` is a subreaper and has seen the last child go; the group is asked once more. */
	if (is_ended && kill(-family->family.group, 0) < 0 && errno == ESRCH) {
		family->in_a_row = 2;
		tell_empty(family);
	} else if (!family->is_working) {
		look_begin(family);
	}
}

void lock_family_free(struct lock_family *family, int is_over)
{
	if (!family)
		return;
	if (is_over)
		unlink(family->path);
	family->is_freed = 1;
	family_drop(family);
}

/* ---- what an earlier lockd has left ---- */

static int old_wait(const struct family *family, mono_t begin, uint32_t lease_ms)
{
	mono_t kill_at = mono_add_ms(begin, lease_ms / OLD_PART);
	mono_t give_up = mono_add_ms(kill_at, lease_ms / OLD_PART);
	unsigned in_a_row = 0;
	mono_t now;

	do {
		int found;

		now = clock_now();
		found = family_signal(family, mono_reached(now, kill_at) ? SIGKILL : SIGTERM);
		in_a_row = found == 0 ? in_a_row + 1 : 0;
		if (in_a_row == 2)
			return 0;
		if (found)
			clock_sleep_until(mono_add_ms(now, AGAIN_MS));
	} while (mono_before(now, give_up));
	return -1;
}

static int old_end(const struct lockd *lockd, const char *path, const char *boot, mono_t begin,
		   struct err *err)
{
	char was[BOOT_BYTES] = "";
	struct family family = { 0 };
	int is_empty = 0;
	int rc = file_read(path, &family, was, &is_empty, err);

	if (rc)
		return rc;
	if (!is_empty && strcmp(was, boot) == 0) {
		lockd_log(LOCKD_WARN, "%s: ending what the command of a former lockd's lock left",
			  path);
		if (old_wait(&family, begin, lockd->options.lease_ms))
			return err_set(err, RC_STATE,
				       "the watchdog resets this machine, or reset it",
				       "%s: the command of that lock (process group %d) does not "
				       "die",
				       path, (int)family.group);
	}
	unlink(path);
	return 0;
}

int lock_families_end_old(struct lockd *lockd, struct err *err)
{
	char folder[PATH_BYTES], path[2 * PATH_BYTES], boot[BOOT_BYTES];
	char prefix[PREFIX_BYTES];
	const struct dirent *entry;
	mono_t begin = clock_now();
	int rc = boot_text(boot, err);
	DIR *open;

	if (rc)
		return rc;
	folder_path(lockd, folder);
	open = opendir(folder);
	if (!open && errno == ENOENT)
		return 0;
	file_prefix(lockd, prefix);
	/* readdir() tells an error from the end by errno alone. */
	while (open && rc == 0 && (errno = 0, entry = readdir(open))) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		rc = old_end(lockd, path, boot, begin, err);
	}
	if (rc == 0 && errno != 0)
		rc = err_set(err, RC_INTERNAL, "check the folder and the limit of open files",
			     "%s: cannot be read: %s", folder, strerror(errno));
	if (open)
		closedir(open);
	return rc;
}
