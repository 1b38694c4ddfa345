/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lun_state.c - the memory of this node's keys; see lun_state.h.
 */
#include "fence-agents/lun/lun_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/pr.h"
#include "host/clock.h"
#include "host/machine.h"

enum { LOCK_POLL_MS = 20, FILE_BYTES_MAX = 64 * 1024 };

static int state_error(const struct lun_state *state, struct err *err, const char *what)
{
	return err_set(err, RC_INTERNAL, "check state_dir=, its rights and its free space",
		       "%.300s: %s: %s", state->path, what, strerror(errno));
}

/* ---- the folder and the lock ---- */

static int folder_make(const char *folder)
{
	char copy[PATH_MAX];

	if (snprintf(copy, sizeof copy, "%s", folder) >= (int)sizeof copy) {
		errno = ENAMETOOLONG;
		return -1;
	}
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) != 0 && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return mkdir(copy, 0755) != 0 && errno != EEXIST ? -1 : 0;
}

static int lock_take(struct lun_state *state, mono_t deadline, struct err *err)
{
	char path[PATH_MAX + 8];

	snprintf(path, sizeof path, "%s.lock", state->path);
	state->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (state->lock_fd < 0)
		return state_error(state, err, "cannot open its lock");
	while (flock(state->lock_fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return state_error(state, err, "cannot lock");
		if (mono_reached(clock_now(), deadline))
			return err_set(err, RC_BUSY,
				       "wait for the other one, or raise the timeouts",
				       "%.300s: another process of this agent changes the "
				       "reservations of this node",
				       state->path);
		clock_sleep_until(mono_add_ms(clock_now(), LOCK_POLL_MS));
	}
	return 0;
}

/* ---- the text ---- */

static struct lun_record *record_find(struct lun_state *state, const char *id)
{
	for (size_t i = 0; i < state->records_count; i++)
		if (strcmp(state->records[i].id, id) == 0)
			return &state->records[i];
	return NULL;
}

static int record_read(struct lun_state *state, const char *line)
{
	struct lun_record *record;
	char what[5], id[DISK_ID_BYTES], text[PR_KEY_TEXT_BYTES], how[11];
	uint64_t key;
	struct err ignored;
	int used = 0;

	_Static_assert(DISK_ID_BYTES == 64 && PR_KEY_TEXT_BYTES == 19, "the widths below");
	if (sscanf(line, "%4s %63s %18s %10s%n", what, id, text, how, &used) != 4 ||
	    line[used] != '\0' || pr_key_parse(text, &key, &ignored) != 0)
		return -1;
	record = record_find(state, id);
	if (strcmp(what, "NEXT") == 0) {
		if (!record || record->next ||
		    (strcmp(how, "succeeding") != 0 && strcmp(how, "entering") != 0))
			return -1;
		record->next = key;
		record->next_succeeds = strcmp(how, "succeeding") == 0;
		return 0;
	}
	if (strcmp(what, "LUN") != 0 || record || state->records_count == LUN_RECORDS_MAX ||
	    (strcmp(how, "in") != 0 && strcmp(how, "entering") != 0))
		return -1;
	record = &state->records[state->records_count++];
	*record = (struct lun_record){ .key = key, .is_in = strcmp(how, "in") == 0 };
	memcpy(record->id, id, sizeof id);
	return 0;
}

/* The lines in their order. Returns 0, or -1 for anything else. */
static int text_read(struct lun_state *state, char *text)
{
	char boot[sizeof state->boot], *end, *line = strtok_r(text, "\n", &text);
	unsigned long number;
	int is_this_boot;

	if (!line || strcmp(line, "FENCE_LUN 1") != 0)
		return -1;
	line = strtok_r(text, "\n", &text);
	if (!line || sscanf(line, "BOOT %32s", boot) != 1 || strlen(boot) != sizeof boot - 1)
		return -1;
	is_this_boot = strcmp(boot, state->boot) == 0;
	line = strtok_r(text, "\n", &text);
	if (!line || strncmp(line, "INCARNATION ", 12) != 0)
		return -1;
	number = strtoul(line + 12, &end, 10);
	if (*end || end == line + 12 || number > UINT16_MAX)
		return -1;
	state->incarnation = (uint16_t)number;
	while ((line = strtok_r(text, "\n", &text)) && strcmp(line, "END") != 0)
		if (record_read(state, line) != 0)
			return -1;
	if (!line || strtok_r(text, "\n", &text))
		return -1;
	if (!is_this_boot)
		state->records_count = 0; /* keys of a life that is over */
	return 0;
}

static int state_read(struct lun_state *state, struct err *err)
{
	int fd = open(state->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), rc = 0;
	char *text;
	ssize_t got;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return state_error(state, err, "cannot open");
	text = calloc(1, FILE_BYTES_MAX);
	got = text ? read(fd, text, FILE_BYTES_MAX - 1) : -1;
	if (got < 0)
		rc = state_error(state, err, "cannot read");
	else if (text_read(state, text) != 0)
		rc = err_set(err, RC_INTERNAL,
			     "restart the machine, and remove the file before it joins",
			     "%.300s is damaged, so it is not known whether this node was ejected",
			     state->path);
	free(text);
	close(fd);
	return rc;
}

int lun_state_save(const struct lun_state *state, struct err *err)
{
	char path[PATH_MAX + 8], key[PR_KEY_TEXT_BYTES];
	FILE *file;
	int fd;

	snprintf(path, sizeof path, "%s.new", state->path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file)
		return state_error(state, err, "cannot write");
	fprintf(file, "FENCE_LUN 1\nBOOT %s\nINCARNATION %u\n", state->boot, state->incarnation);
	for (size_t i = 0; i < state->records_count; i++) {
		const struct lun_record *record = &state->records[i];

		fprintf(file, "LUN %s %s %s\n", record->id, pr_key_text(record->key, key),
			record->is_in ? "in" : "entering");
		if (record->next)
			fprintf(file, "NEXT %s %s %s\n", record->id, pr_key_text(record->next, key),
				record->next_succeeds ? "succeeding" : "entering");
	}
	fputs("END\n", file);
	if (fflush(file) != 0 || fsync(fd) != 0) {
		int rc = state_error(state, err, "cannot write");

		fclose(file);
		unlink(path);
		return rc;
	}
	fclose(file);
	return rename(path, state->path) == 0 ? 0 : state_error(state, err, "cannot replace");
}

/* ---- open and close ---- */

int lun_state_open(struct lun_state *state, const char *folder, uint32_t cluster, uint16_t node,
		   int writes, mono_t deadline, struct err *err)
{
	uint8_t machine[MACHINE_BYTES], boot[MACHINE_BYTES];
	int rc;

	*state = (struct lun_state){ .lock_fd = -1 };
	if (snprintf(state->path, sizeof state->path - 8, "%s/fence_lun-%08x-%u", folder, cluster,
		     node) >= (int)sizeof state->path - 8)
		return err_set(err, RC_CONFIG, NULL, "state_dir= is too long");
	rc = machine_identify(machine, boot, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < sizeof boot; i++)
		snprintf(state->boot + 2 * i, 3, "%02x", boot[i]);
	if (writes) {
		if (folder_make(folder) != 0)
			return state_error(state, err, "cannot make the folder");
		rc = lock_take(state, deadline, err);
	}
	if (rc == 0)
		rc = state_read(state, err);
	if (rc)
		lun_state_close(state);
	return rc;
}

void lun_state_close(struct lun_state *state)
{
	if (state->lock_fd >= 0)
		close(state->lock_fd);
	state->lock_fd = -1;
}

/* ---- records ---- */

const struct lun_record *lun_state_find(const struct lun_state *state, const char *id)
{
	return record_find((struct lun_state *)state, id);
}

int lun_state_put(struct lun_state *state, const char *id, uint64_t key, int is_in, struct err *err)
{
	struct lun_record *record = record_find(state, id);

	if (!record) {
		if (state->records_count == LUN_RECORDS_MAX)
			return err_set(err, RC_CONFIG, NULL,
				       "this node has joined %d logical units already",
				       LUN_RECORDS_MAX);
		record = &state->records[state->records_count++];
		snprintf(record->id, sizeof record->id, "%s", id);
	}
	record->key = key;
	record->is_in = is_in;
	record->next = 0;
	return 0;
}

void lun_state_next_put(struct lun_state *state, const char *id, uint64_t next, int succeeds)
{
	struct lun_record *record = record_find(state, id);

	if (record) {
		record->next = next;
		record->next_succeeds = succeeds;
	}
}

void lun_state_drop(struct lun_state *state, const char *id)
{
	struct lun_record *record = record_find(state, id);

	if (record)
		*record = state->records[--state->records_count];
}

uint16_t lun_state_next(struct lun_state *state)
{
	if (state->incarnation == 0)
		state->incarnation = (uint16_t)crc32c(state->boot, strlen(state->boot));
	else
		state->incarnation++;
	if (state->incarnation == 0)
		state->incarnation = 1;
	return state->incarnation;
}
