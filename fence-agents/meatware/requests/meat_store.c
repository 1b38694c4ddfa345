/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * meat_store.c - the private directory of requests and answers; see meat_store.h.
 */
#include "fence-agents/meatware/requests/meat_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "host/clock.h"

#define REQUEST_SUFFIX ".request"
#define ANSWER_SUFFIX ".answer"
#define NEW_SUFFIX ".new"

/* Mode of an answer, before and after it was taken. */
#define MODE_FRESH 0600
#define MODE_TAKEN 0400

enum { FILE_NAME_MAX = 64 };

static int store_error(const struct meat_store *store, struct err *err, const char *what)
{
	return err_set(err, RC_INTERNAL, "check the directory, its rights and its free space",
		       "%s: %s: %s", store->path, what, strerror(errno));
}

/* ---- the machine ---- */

/* A small file of /proc, without its last newline. */
static int proc_read(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -1;
	got = read(fd, out, size - 1);
	close(fd);
	if (got <= 0)
		return -1;
	if (out[got - 1] == '\n')
		got--;
	out[got] = '\0';
	return 0;
}

/* When a process began, in clock ticks since boot (proc(5): field 22 of stat); with the boot it
 * names a process for good, which the pid alone does not. Dead and unreaped is not running. */
static int process_start(int64_t pid, uint64_t *start)
{
	char path[64], text[1024], *field;

	snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
	if (proc_read(path, text, sizeof text) != 0)
		return -1;
	/* The name in field 2 may hold anything; its parenthesis is the last one. */
	field = strrchr(text, ')');
	if (!field || field[1] != ' ' || strchr("ZXx", field[2]))
		return -1;
	for (int i = 2; i < 22 && field; i++)
		field = strchr(field + 1, ' ');
	if (!field)
		return -1;
	*start = strtoull(field + 1, NULL, 10);
	return 0;
}

static int asker_runs(const struct meat_request *request)
{
	uint64_t start;

	return process_start(request->pid, &start) == 0 && start == request->pid_start;
}

/* ---- the directory ---- */

static int owner_ok(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

/* Make the directory and those above it; only the last is private. */
static int path_make(const char *path)
{
	char copy[PATH_MAX];
	size_t length = strlen(path);

	if (length >= sizeof copy) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(copy, path, length + 1);
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) != 0 && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return mkdir(copy, 0700) != 0 && errno != EEXIST ? -1 : 0;
}

int meat_store_open(struct meat_store *store, const char *path, int create, struct err *err)
{
	struct stat st;

	*store = (struct meat_store){ .fd = -1, .path = path };
	if (proc_read("/proc/sys/kernel/random/boot_id", store->boot_id, sizeof store->boot_id))
		return err_set(err, RC_INTERNAL, "mount /proc", "cannot read the id of this boot");
	if (create && path_make(path) != 0)
		return store_error(store, err, "cannot make the directory");
	store->fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (store->fd < 0 && errno == ENOENT && !create)
		return 0;
	if (store->fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return err_set(err, RC_CONFIG, "move it away",
			       "%s: not a directory, or a link to one", path);
	if (store->fd < 0)
		return store_error(store, err, "cannot open");
	if (fstat(store->fd, &st) != 0 || !owner_ok(&st) || (st.st_mode & 077) != 0) {
		meat_store_close(store);
		return err_set(err, RC_CONFIG, "chown it and chmod 0700",
			       "%s: must belong to root or the caller and be closed to all others "
			       "(0700)",
			       path);
	}
	if (faccessat(store->fd, ".", R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
		int rc = store_error(store, err, "cannot be used");

		meat_store_close(store);
		return rc;
	}
	return 0;
}

void meat_store_close(struct meat_store *store)
{
	if (store->fd >= 0)
		close(store->fd);
	store->fd = -1;
}

/* ---- files ---- */

static void file_name(char out[FILE_NAME_MAX], const char *id, const char *suffix)
{
	snprintf(out, FILE_NAME_MAX, "%s%s", id, suffix);
}

/* Read a file of ours whole. Returns the descriptor and the size; -1 with *why for anything that
 * is no such file. A pipe does not block, a link is not followed. */
static int file_read(struct meat_store *store, const char *name, char out[MEAT_FILE_MAX],
		     size_t *size, const char **why)
{
	int fd = openat(store->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	ssize_t got;

	*why = errno == ELOOP ? "it is a link" : "it cannot be opened";
	if (fd < 0)
		return -1;
	*why = NULL;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		*why = "it is not a regular file";
	else if (!owner_ok(&st) || (st.st_mode & 022) != 0)
		*why = "it belongs to, or may be written by, somebody else";
	else if (st.st_size > MEAT_FILE_MAX)
		*why = "it is too large";
	got = *why ? 0 : pread(fd, out, MEAT_FILE_MAX, 0);
	if (got < 0)
		*why = "it cannot be read";
	if (*why) {
		close(fd);
		return -1;
	}
	*size = (size_t)got;
	return fd;
}

static int bytes_write(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t done = write(fd, data, size);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -1;
		data += done;
		size -= (size_t)done;
	}
	return fsync(fd);
}

/* Returns the open file, or -1 with errno and nothing left behind. EEXIST: the name is taken. */
static int file_write(struct meat_store *store, const char *name, const char *data, size_t size)
{
	char fresh[FILE_NAME_MAX];
	int fd, error;

	/* The process id tells a sweep whether anybody is still at it. */
	snprintf(fresh, sizeof fresh, "%s.%d" NEW_SUFFIX, name, (int)getpid());
	fd = openat(store->fd, fresh, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    MODE_FRESH);
	if (fd < 0)
		return -1;
	if (fchmod(fd, MODE_FRESH) == 0 && bytes_write(fd, data, size) == 0 &&
	    renameat2(store->fd, fresh, store->fd, name, RENAME_NOREPLACE) == 0) {
		/* Once it has its name others may act on it; a failure from here on must not
		 * look like "nothing is there". */
		fsync(store->fd);
		return fd;
	}
	error = errno;
	unlinkat(store->fd, fresh, 0);
	close(fd);
	errno = error;
	return -1;
}

/* The request in a file; 0, or RC_PROTOCOL with *why. */
static int request_read(struct meat_store *store, const char *id, struct meat_request *request,
			const char **why)
{
	char name[FILE_NAME_MAX], text[MEAT_FILE_MAX];
	size_t size;
	int fd;

	file_name(name, id, REQUEST_SUFFIX);
	fd = file_read(store, name, text, &size, why);
	if (fd < 0)
		return RC_PROTOCOL;
	close(fd);
	if (meat_request_decode(request, text, size, why) != 0)
		return RC_PROTOCOL;
	if (strcmp(request->id, id) == 0)
		return 0;
	*why = "its name is not its id";
	*request = (struct meat_request){ 0 };
	return RC_PROTOCOL;
}

/* The answer in a file, which stays open; -1 with *why. */
static int answer_read(struct meat_store *store, const char *id, struct meat_answer *answer,
		       const char **why)
{
	char name[FILE_NAME_MAX], text[MEAT_FILE_MAX];
	size_t size;
	int fd;

	file_name(name, id, ANSWER_SUFFIX);
	fd = file_read(store, name, text, &size, why);
	if (fd < 0)
		return -1;
	if (meat_answer_decode(answer, text, size, why) == 0) {
		if (strcmp(answer->id, id) == 0)
			return fd;
		*why = "its name is not its id";
		*answer = (struct meat_answer){ 0 };
	}
	close(fd);
	return -1;
}

/* ---- asking ---- */

static int id_make(char id[MEAT_ID_DIGITS + 1])
{
	unsigned char random[MEAT_ID_DIGITS / 2];

	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return -1;
	for (size_t i = 0; i < sizeof random; i++)
		snprintf(id + 2 * i, 3, "%02x", random[i]);
	return 0;
}

/* Whatever the machine calls itself, fit for the file. */
static void host_name(char out[MEAT_NAME_MAX])
{
	char name[MEAT_NAME_MAX] = "";

	if (gethostname(name, sizeof name - 1) != 0 ||
	    text_clean(out, MEAT_NAME_MAX, name, strlen(name)) == 0)
		snprintf(out, MEAT_NAME_MAX, "unknown");
}

static void caller_name(char out[MEAT_NAME_MAX])
{
	char path[64], comm[64] = "", text[MEAT_NAME_MAX];

	out[0] = '\0';
	snprintf(path, sizeof path, "/proc/%d/comm", (int)getppid());
	if (proc_read(path, comm, sizeof comm) != 0)
		return;
	snprintf(text, sizeof text, "%s[%d]", comm, (int)getppid());
	text_clean(out, MEAT_NAME_MAX, text, strlen(text));
}

int meat_request_make(struct meat_store *store, struct meat_request *request, struct err *err)
{
	char name[FILE_NAME_MAX], text[MEAT_FILE_MAX];
	long length;
	int fd;

	if (id_make(request->id) != 0 || process_start(getpid(), &request->pid_start) != 0)
		return err_set(err, RC_INTERNAL, "mount /proc", "cannot tell who asks: %s",
			       strerror(errno));
	request->pid = getpid();
	memcpy(request->boot_id, store->boot_id, sizeof request->boot_id);
	host_name(request->host);
	caller_name(request->caller);
	request->asked_at_s = time(NULL);
	request->asked = clock_now();
	length = meat_request_encode(request, text, sizeof text);
	if (length < 0)
		return err_set(err, RC_INTERNAL, NULL, "the request cannot be written down");
	file_name(name, request->id, REQUEST_SUFFIX);
	fd = file_write(store, name, text, (size_t)length);
	if (fd < 0)
		return store_error(store, err, "cannot write the request");
	close(fd);
	return 0;
}

int meat_request_stands(struct meat_store *store, const struct meat_request *request)
{
	struct meat_request found;
	const char *why;

	return request_read(store, request->id, &found, &why) == 0;
}

enum meat_verdict meat_answer_take(struct meat_store *store, const struct meat_request *request,
				   struct meat_answer *answer)
{
	enum meat_verdict verdict;
	const char *why;
	int fd = answer_read(store, request->id, answer, &why);

	if (fd < 0)
		return MEAT_VERDICT_NONE;
	verdict = meat_answer_match(request, answer, clock_now());
	/* The operator is waiting to see this. Should it fail he is told that his answer was not
	 * taken, so then it must not count. */
	if (verdict != MEAT_VERDICT_NONE && fchmod(fd, MODE_TAKEN) != 0)
		verdict = MEAT_VERDICT_NONE;
	close(fd);
	return verdict;
}

void meat_request_withdraw(struct meat_store *store, const struct meat_request *request)
{
	char name[FILE_NAME_MAX];
	struct stat st;

	file_name(name, request->id, REQUEST_SUFFIX);
	unlinkat(store->fd, name, 0);
	/* An answer that was not taken is left to its writer, who is about to see that. */
	file_name(name, request->id, ANSWER_SUFFIX);
	if (fstatat(store->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (st.st_mode & 07777) == MODE_TAKEN)
		unlinkat(store->fd, name, 0);
	fsync(store->fd);
}

/* ---- looking at the directory ---- */

/* Is it "ID<suffix>"? Then the id. */
static int name_split(const char *name, const char *suffix, char id[MEAT_ID_DIGITS + 1])
{
	if (strlen(name) != MEAT_ID_DIGITS + strlen(suffix) ||
	    strcmp(name + MEAT_ID_DIGITS, suffix) != 0)
		return 0;
	memcpy(id, name, MEAT_ID_DIGITS);
	id[MEAT_ID_DIGITS] = '\0';
	return meat_id_ok(id);
}

/* The process that writes "ID.request.PID.new" or "ID.answer.PID.new"; 0 for another name. */
static long name_writer(const char *name)
{
	char id[MEAT_ID_DIGITS + 1], head[FILE_NAME_MAX], *end;
	const char *suffix, *number;
	long pid;

	for (int i = 0; i < 2; i++) {
		suffix = i ? ANSWER_SUFFIX : REQUEST_SUFFIX;
		if (strlen(name) <= MEAT_ID_DIGITS + strlen(suffix) + 1)
			continue;
		number = name + MEAT_ID_DIGITS + strlen(suffix) + 1;
		snprintf(head, sizeof head, "%.*s", (int)(number - name) - 1, name);
		if (number[-1] != '.' || !name_split(head, suffix, id))
			continue;
		pid = strtol(number, &end, 10);
		if (*number >= '1' && *number <= '9' && strcmp(end, NEW_SUFFIX) == 0)
			return pid;
	}
	return 0;
}

static DIR *store_list(struct meat_store *store)
{
	/* A descriptor of its own, so that each listing begins at the beginning. */
	int fd = openat(store->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd >= 0 ? fdopendir(fd) : NULL;

	if (!list && fd >= 0)
		close(fd);
	return list;
}

static int request_file_exists(struct meat_store *store, const char *id)
{
	char name[FILE_NAME_MAX];

	file_name(name, id, REQUEST_SUFFIX);
	return faccessat(store->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

enum meat_standing meat_request_standing(struct meat_store *store, const char *id,
					 struct meat_request *request)
{
	const char *why;

	if (request_read(store, id, request, &why) != 0)
		return MEAT_ASKER_GONE;
	return meat_standing_of(request, store->boot_id, asker_runs(request), clock_now());
}

/* Is this name something that no living process will come back to? */
static int is_left_behind(struct meat_store *store, const char *name)
{
	char id[MEAT_ID_DIGITS + 1];
	struct meat_request request;
	enum meat_standing standing;
	long writer = name_writer(name);
	const char *why;

	if (writer > 0)
		return kill((pid_t)writer, 0) != 0 && errno == ESRCH;
	if (name_split(name, ANSWER_SUFFIX, id))
		return !request_file_exists(store, id);
	if (!name_split(name, REQUEST_SUFFIX, id) || request_read(store, id, &request, &why) != 0)
		return 0;
	/* An expired one belongs to an agent that is about to see it. */
	standing = meat_standing_of(&request, store->boot_id, asker_runs(&request), clock_now());
	return standing == MEAT_ASKER_GONE || standing == MEAT_OTHER_BOOT;
}

void meat_store_sweep(struct meat_store *store)
{
	/* The second round takes the answers to requests that the first one took. */
	for (int round = 0; round < 2; round++) {
		DIR *list = store_list(store);
		struct dirent *entry;

		while (list && (entry = readdir(list)))
			if (is_left_behind(store, entry->d_name))
				unlinkat(store->fd, entry->d_name, 0);
		if (list)
			closedir(list);
	}
}

static int visit_ignored(const struct meat_visitor *visitor, const char *name, const char *why)
{
	char clean[NAME_MAX + 1];

	text_clean(clean, sizeof clean, name, strlen(name));
	return visitor->ignored(visitor->arg, clean, why);
}

static int visit_name(struct meat_store *store, const struct meat_visitor *visitor,
		      const char *name)
{
	char id[MEAT_ID_DIGITS + 1];
	struct meat_request request;
	struct meat_answer answer;
	enum meat_standing standing;
	const char *why;
	int fd;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || name_writer(name) > 0)
		return 0;
	if (name_split(name, ANSWER_SUFFIX, id) && request_file_exists(store, id))
		return 0;
	if (!name_split(name, REQUEST_SUFFIX, id))
		return visit_ignored(visitor, name, "it is not the file of a request");
	if (request_read(store, id, &request, &why) != 0)
		return visit_ignored(visitor, name, why);
	standing = meat_standing_of(&request, store->boot_id, asker_runs(&request), clock_now());
	fd = answer_read(store, id, &answer, &why);
	if (fd >= 0)
		close(fd);
	return visitor->request(visitor->arg, &request, standing, fd >= 0 ? &answer : NULL);
}

int meat_store_visit(struct meat_store *store, const struct meat_visitor *visitor, struct err *err)
{
	struct dirent *entry;
	DIR *list;
	int stop = 0;

	if (store->fd < 0)
		return 0;
	list = store_list(store);
	if (!list)
		return store_error(store, err, "cannot list");
	while (!stop && (entry = readdir(list)))
		stop = visit_name(store, visitor, entry->d_name);
	closedir(list);
	return 0;
}

/* ---- answering ---- */

int meat_answer_write(struct meat_store *store, const struct meat_answer *answer, int *fd,
		      struct err *err)
{
	char name[FILE_NAME_MAX], text[MEAT_FILE_MAX];
	long length = meat_answer_encode(answer, text, sizeof text);

	if (length < 0)
		return err_set(err, RC_INTERNAL, NULL, "the answer cannot be written down");
	file_name(name, answer->id, ANSWER_SUFFIX);
	*fd = file_write(store, name, text, (size_t)length);
	if (*fd >= 0)
		return 0;
	if (errno == EEXIST)
		return err_set(err, RC_STATE, "see \"holdfast fence ack\"",
			       "somebody else has answered this request");
	return store_error(store, err, "cannot write the answer");
}

int meat_answer_taken(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & 07777) == MODE_TAKEN;
}

void meat_answer_remove(struct meat_store *store, const char *id)
{
	char name[FILE_NAME_MAX];

	file_name(name, id, ANSWER_SUFFIX);
	unlinkat(store->fd, name, 0);
	fsync(store->fd);
}
