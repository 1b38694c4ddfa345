/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * family.c - all processes of a command; see family.h.
 */
#include "host/family.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

enum { STAT_BYTES = 1024, ENVIRON_CHUNK = 16384 };

struct process {
	pid_t pid, parent, group;
	uint64_t start;
	int is_zombie, is_member;
};

struct processes {
	struct process *all;
	size_t count, room;
};

/* Of proc_pid_stat(5), "pid (comm) state ppid pgrp ...": the fields behind comm, which may hold
 * anything itself. */
enum { FIELD_STATE, FIELD_PARENT, FIELD_GROUP, FIELD_THREADS = 17, FIELD_START = 19, FIELDS };

static int fields_read(const char *text, uint64_t numbers[FIELDS], char *state)
{
	const char *at = strrchr(text, ')');

	for (size_t i = 0; i < FIELDS; i++) {
		at = at ? strchr(at, ' ') : NULL;
		if (!at)
			return -1;
		at++;
		if (i == FIELD_STATE)
			*state = *at;
		else
			numbers[i] = strtoull(at, NULL, 10);
	}
	return 0;
}

static int stat_read(pid_t pid, struct process *process)
{
	char path[64], text[STAT_BYTES], state = 0;
	uint64_t numbers[FIELDS] = { 0 };
	ssize_t got;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	got = read(fd, text, sizeof text - 1);
	close(fd);
	if (got <= 0)
		return -1;
	text[got] = '\0';
	if (fields_read(text, numbers, &state))
		return -1;
	/* One whose first thread has ended while others run looks like a zombie too. */
	*process = (struct process){ .pid = pid,
				     .parent = (pid_t)numbers[FIELD_PARENT],
				     .group = (pid_t)numbers[FIELD_GROUP],
				     .start = numbers[FIELD_START],
				     .is_zombie = (state == 'Z' || state == 'X') &&
						  numbers[FIELD_THREADS] <= 1 };
	return 0;
}

uint64_t process_start(pid_t pid)
{
	struct process process;

	return stat_read(pid, &process) == 0 ? process.start : 0;
}

int process_look(pid_t pid, pid_t *parent, pid_t *group)
{
	struct process process;

	if (stat_read(pid, &process))
		return -1;
	*parent = process.parent;
	*group = process.group;
	return 0;
}

static int processes_read(struct processes *list)
{
	DIR *folder = opendir("/proc");
	const struct dirent *entry;

	if (!folder)
		return -1;
	while ((entry = readdir(folder))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		if (list->count == list->room) {
			size_t room = list->room ? 2 * list->room : 256;
			struct process *more = realloc(list->all, room * sizeof *more);

			if (!more) {
				closedir(folder);
				return -1;
			}
			list->all = more;
			list->room = room;
		}
		if (stat_read((pid_t)strtol(entry->d_name, NULL, 10), &list->all[list->count]) == 0)
			list->count++;
	}
	closedir(folder);
	return 0;
}

/* Is one of the strings of the process's environment `tag`? A string may lie across two reads. */
static int environment_has(pid_t pid, const char *tag)
{
	char path[64], text[FAMILY_TAG_BYTES + ENVIRON_CHUNK];
	size_t length = strlen(tag) + 1, kept = 0; /* with its NUL */
	int fd, found = 0, at_start = 1;

	snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	for (;;) {
		ssize_t got = read(fd, text + kept, ENVIRON_CHUNK);
		size_t bytes;
		const char *at = text;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		bytes = kept + (size_t)got;
		while (!found && (size_t)(text + bytes - at) >= length &&
		       (at = memmem(at, (size_t)(text + bytes - at), tag, length))) {
			found = at == text ? at_start : at[-1] == '\0';
			at++;
		}
		if (found)
			break;
		/* What may begin here, and the byte before it. */
		kept = bytes < length ? bytes : length;
		at_start = at_start && kept == bytes;
		memmove(text, text + bytes - kept, kept);
	}
	close(fd);
	return found;
}

static void descendants_mark(struct processes *list, pid_t ancestor)
{
	int more;

	do {
		more = 0;
		for (size_t i = 0; i < list->count; i++) {
			struct process *process = &list->all[i];
			int is_child = process->parent == ancestor;

			for (size_t j = 0; !process->is_member && !is_child && j < list->count; j++)
				is_child = list->all[j].is_member &&
					   list->all[j].pid == process->parent;
			if (is_child && !process->is_member)
				more = process->is_member = 1;
		}
	} while (more);
}

/* Has the group's number been given to another process? */
static int group_is_old(const struct processes *list, const struct family *family)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->all[i].pid == family->group && family->group_start &&
		    list->all[i].start != family->group_start)
			return 1;
	return 0;
}

static void members_mark(struct processes *list, const struct family *family)
{
	int by_group = family->group > 0 && !group_is_old(list, family);

	if (family->ancestor > 0)
		descendants_mark(list, family->ancestor);
	for (size_t i = 0; i < list->count; i++) {
		struct process *process = &list->all[i];

		if (by_group && process->group == family->group &&
		    process->start >= family->group_start)
			process->is_member = 1;
		if (!process->is_member && !process->is_zombie && family->tag[0])
			process->is_member = environment_has(process->pid, family->tag);
	}
}

/* To the very process that was looked at. */
static void process_signal(const struct process *process, int number)
{
	struct process now;
	int fd = pidfd_open(process->pid, 0);

	if (fd < 0)
		return;
	if (stat_read(process->pid, &now) == 0 && now.start == process->start)
		pidfd_send_signal(fd, number, NULL, 0);
	close(fd);
}

int family_signal(const struct family *family, int number)
{
	struct processes list = { NULL, 0, 0 };
	pid_t self = getpid();
	int count = 0;

	if (processes_read(&list)) {
		free(list.all);
		return -1;
	}
	members_mark(&list, family);
	for (size_t i = 0; i < list.count; i++) {
		const struct process *process = &list.all[i];

		if (!process->is_member || process->is_zombie || process->pid == self)
			continue;
		count++;
		if (number)
			process_signal(process, number);
	}
	free(list.all);
	return count;
}
