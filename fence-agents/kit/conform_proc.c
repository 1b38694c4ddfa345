/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conform_proc.c - see conform_proc.h.
 */
#include "fence-agents/kit/conform_proc.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "fence-agents/kit/conform_core.h"
#include "host/clock.h"

enum {
	FAMILY_MAX = 1024,
	/* A program that ends right after its parent is no stray. */
	STRAY_GRACE_MS = 200,
	LOOK_MS = 5,
};

struct proc {
	pid_t group;
	char state;
	char name[32];
};

struct family {
	pid_t pids[FAMILY_MAX];
	size_t count;
};

/* One file of /proc/PID. Returns the number of bytes, NUL-terminated; 0 when it is gone. */
static size_t file_read(pid_t pid, const char *file, char *text, size_t size)
{
	char path[64];
	size_t bytes = 0;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	while (bytes + 1 < size) {
		ssize_t n = read(fd, text + bytes, size - 1 - bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		bytes += (size_t)n;
	}
	close(fd);
	text[bytes] = '\0';
	return bytes;
}

/* "123 (name) S 1 123 123 ...": the name may hold anything, so the last parenthesis counts. */
static int stat_read(pid_t pid, struct proc *proc)
{
	char text[512], *open_at, *close_at, *rest;

	if (file_read(pid, "stat", text, sizeof text) == 0)
		return 0;
	open_at = strchr(text, '(');
	close_at = strrchr(text, ')');
	if (!open_at || !close_at || close_at[1] != ' ')
		return 0;
	*proc = (struct proc){ .state = close_at[2] };
	text_clean(proc->name, sizeof proc->name, open_at + 1, (size_t)(close_at - open_at - 1));
	rest = close_at + 3;
	strtol(rest, &rest, 10); /* the parent */
	proc->group = (pid_t)strtol(rest, &rest, 10);
	return 1;
}

static int is_alive(pid_t pid, struct proc *proc)
{
	return stat_read(pid, proc) && proc->state != 'Z' && proc->state != 'X';
}

/* The children that a thread made. */
static void family_add_of(struct family *family, pid_t pid, const char *thread)
{
	char file[64], text[8192], *at = text;

	snprintf(file, sizeof file, "task/%.20s/children", thread);
	if (file_read(pid, file, text, sizeof text) == 0)
		return;
	while (family->count < FAMILY_MAX) {
		char *end;
		long child = strtol(at, &end, 10);

		if (end == at)
			return;
		family->pids[family->count++] = (pid_t)child;
		at = end;
	}
}

static void family_add(struct family *family, pid_t pid)
{
	char path[64];
	DIR *dir;
	struct dirent *entry;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)) != NULL)
		if (isdigit((unsigned char)entry->d_name[0]))
			family_add_of(family, pid, entry->d_name);
	if (dir)
		closedir(dir);
}

/* All that descends from this process, orphans included: they came to us. */
static void family_read(struct family *family)
{
	family->count = 0;
	family_add(family, getpid());
	for (size_t i = 0; i < family->count; i++)
		family_add(family, family->pids[i]);
}

pid_t conform_proc_stray(pid_t group, char *name, size_t size)
{
	mono_t until = mono_add_ms(clock_now(), STRAY_GRACE_MS);
	struct family family;
	struct proc proc;

	while (kill(-group, 0) == 0) {
		mono_t now = clock_now();
		pid_t found = 0;

		family_read(&family);
		for (size_t i = 0; i < family.count && found == 0; i++)
			if (is_alive(family.pids[i], &proc) && proc.group == group)
				found = family.pids[i];
		if (found == 0)
			return 0;
		if (mono_reached(now, until)) {
			snprintf(name, size, "%s", proc.name);
			return found;
		}
		clock_sleep_until(mono_add_ms(now, LOOK_MS));
	}
	return 0;
}

int conform_proc_shows(const char *const *secrets, size_t secrets_count, char *name, size_t size)
{
	static char arguments[1 << 17];
	struct family family;
	struct proc proc;

	family_read(&family);
	for (size_t i = 0; i < family.count; i++) {
		size_t bytes = file_read(family.pids[i], "cmdline", arguments, sizeof arguments);

		for (size_t j = 0; j < secrets_count; j++) {
			if (!conform_has_secret(arguments, bytes, secrets[j]))
				continue;
			explicit_bzero(arguments, bytes);
			snprintf(name, size, "%s",
				 stat_read(family.pids[i], &proc) ? proc.name : "a process");
			return 1;
		}
	}
	return 0;
}

size_t conform_proc_reap(char *name, size_t size)
{
	mono_t until = mono_add_ms(clock_now(), STRAY_GRACE_MS);
	struct family family;
	struct proc proc;
	size_t killed = 0;

	name[0] = '\0';
	for (;;) {
		mono_t now = clock_now();
		size_t alive = 0;

		family.count = 0;
		family_add(&family, getpid());
		if (family.count == 0)
			return killed;
		for (size_t i = 0; i < family.count; i++) {
			if (is_alive(family.pids[i], &proc)) {
				alive++;
				if (!mono_reached(now, until))
					continue;
				if (killed++ == 0)
					snprintf(name, size, "%s", proc.name);
				kill(family.pids[i], SIGKILL);
			}
			while (waitpid(family.pids[i], NULL, 0) < 0 && errno == EINTR)
				;
		}
		if (alive > 0)
			clock_sleep_until(mono_add_ms(now, LOOK_MS));
	}
}

int conform_proc_init(struct err *err)
{
	if (access("/proc/thread-self/children", R_OK) != 0)
		return err_set(err, RC_INTERNAL,
			       "mount /proc; the kernel needs CONFIG_PROC_CHILDREN",
			       "cannot see the children of a process: %s", strerror(errno));
	conform_proc_adopt(1);
	return 0;
}

void conform_proc_adopt(int on)
{
	prctl(PR_SET_CHILD_SUBREAPER, on, 0, 0, 0);
}
