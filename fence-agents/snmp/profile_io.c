/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * profile_io.c - see profile_io.h.
 */
#include "fence-agents/snmp/profile_io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/nearest.h"

enum {
	PATH_BYTES = 4096,
	NEAREST_MAX = 128,
};

/* A folder given relative to that of the running program. */
static int folder_beside(const char *relative, char *folder, size_t size)
{
	char program[PATH_BYTES];
	ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
	char *slash;

	if (length <= 0)
		return 0;
	program[length] = '\0';
	slash = strrchr(program, '/');
	if (!slash)
		return 0;
	*slash = '\0';
	return (size_t)snprintf(folder, size, "%s/%s", program, relative) < size &&
	       access(folder, R_OK | X_OK) == 0;
}

char *profile_folder(char folder[], size_t size)
{
	/* From PREFIX/sbin when installed, from BUILD/bin in the source tree. */
	static const char *const relative[] = { "../share/holdfast/devices",
						"../../fence-agents/devices" };
	const char *given = secure_getenv("HOLDFAST_DEVICES");

	if (given && *given) {
		snprintf(folder, size, "%s", given);
		return folder;
	}
	for (size_t i = 0; i < sizeof relative / sizeof relative[0]; i++)
		if (folder_beside(relative[i], folder, size))
			return folder;
	snprintf(folder, size, "/usr/share/holdfast/devices");
	return folder;
}

static int text_read(const char *path, char *text, size_t *length, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	size_t got = 0;

	if (fd < 0)
		return err_set(err, RC_CONFIG, "check device=", "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(err, RC_CONFIG, "check device=", "%s: not a file", path);
	}
	while (got <= PROFILE_BYTES_MAX) {
		ssize_t n = read(fd, text + got, PROFILE_BYTES_MAX + 1 - got);

		if (n <= 0)
			break;
		got += (size_t)n;
	}
	close(fd);
	*length = got;
	if (got > PROFILE_BYTES_MAX)
		return err_set(err, RC_CONFIG, NULL, "%s: longer than %d bytes", path,
			       PROFILE_BYTES_MAX);
	return 0;
}

/* Scratch memory for one file. */
struct scratch {
	struct conf_reader reader;
	char text[PROFILE_BYTES_MAX + 1];
};

static int load(struct scratch *scratch, const char *path, struct profile *profile, struct err *err)
{
	const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
	char wanted[PROFILE_NAME_MAX + 8];
	struct conf_fault fault;
	size_t length = 0;
	int rc = text_read(path, scratch->text, &length, err);

	if (rc)
		return rc;
	rc = profile_read(&scratch->reader, scratch->text, length, profile, &fault);
	if (rc)
		return err_set(err, RC_CONFIG, "see holdfast-device(5)",
			       "%s:%u:%u: \"%s\" %s; expected %s", path, fault.line, fault.column,
			       fault.word, fault.problem, fault.expected);
	snprintf(wanted, sizeof wanted, "%s.conf", profile->name);
	if (strcmp(file, wanted) != 0)
		return err_set(err, RC_CONFIG, "rename one of them",
			       "%s: the profile in it is called %s", path, profile->name);
	return 0;
}

int profile_load(const char *path, struct profile *profile, struct err *err)
{
	struct scratch *scratch = malloc(sizeof *scratch);
	int rc;

	if (!scratch)
		return err_set(err, RC_INTERNAL, NULL, "out of memory");
	rc = load(scratch, path, profile, err);
	free(scratch);
	return rc;
}

static int is_conf(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > 5 &&
	       strcmp(entry->d_name + length - 5, ".conf") == 0;
}

/* Name the profile that may have been meant. */
static int name_unknown(const char *folder, const char *name, struct err *err)
{
	struct dirent **files = NULL;
	const char *names[NEAREST_MAX];
	int count = scandir(folder, &files, is_conf, alphasort);
	long near = -1;
	size_t kept = 0;

	for (int i = 0; i < count && kept < NEAREST_MAX; i++) {
		files[i]->d_name[strlen(files[i]->d_name) - 5] = '\0';
		names[kept++] = files[i]->d_name;
	}
	if (kept > 0)
		near = nearest_find(name, names, kept);
	if (near >= 0)
		err_set(err, RC_CONFIG, "check device=",
			"there is no device profile \"%s\" in %s; did you mean %s?", name, folder,
			names[near]);
	else
		err_set(err, RC_CONFIG, "check device=", "there is no device profile \"%s\" in %s",
			name, folder);
	for (int i = 0; i < count; i++)
		free(files[i]);
	free(files);
	return RC_CONFIG;
}

int profile_load_named(const char *folder, const char *name, struct profile *profile,
		       struct err *err)
{
	char path[PATH_BYTES];

	if (strchr(name, '/'))
		return profile_load(name, profile, err);
	if (snprintf(path, sizeof path, "%s/%s.conf", folder, name) >= (int)sizeof path)
		return err_set(err, RC_CONFIG,
			       "check device=", "the name of the profile is too long");
	if (access(path, F_OK) != 0)
		return name_unknown(folder, name, err);
	return profile_load(path, profile, err);
}

/* ---- choosing ---- */

struct choice {
	const char *folder;
	enum profile_class device_class;
	const struct device_identity *identity;
	struct scratch *scratch;
	struct profile *now, *best;
	size_t best_match;
	char rival[PROFILE_NAME_MAX]; /* as good as the best */
	profile_warn warn;
	void *arg;
};

static void candidate_try(struct choice *c, const char *file)
{
	char path[PATH_BYTES];
	struct err err = { 0 };
	size_t match;

	if (snprintf(path, sizeof path, "%s/%s", c->folder, file) >= (int)sizeof path)
		return;
	if (load(c->scratch, path, c->now, &err)) {
		c->warn(c->arg, err.text);
		return;
	}
	if (c->now->device_class != c->device_class)
		return;
	match = profile_match(c->now, &c->identity->object_id, c->identity->descr);
	if (match == 0 || match < c->best_match)
		return;
	if (match == c->best_match) {
		snprintf(c->rival, sizeof c->rival, "%s", c->now->name);
		return;
	}
	c->best_match = match;
	c->rival[0] = '\0';
	*c->best = *c->now;
}

static int choice_word(const struct choice *c, struct err *err)
{
	char id[OID_TEXT_MAX];

	if (c->best_match == 0)
		return err_set(err, RC_UNSUPPORTED,
			       "choose a profile with device=, or write one: holdfast-device(5)",
			       "no device profile of class %s fits sysObjectID %s (\"%.80s\")",
			       profile_class_word(c->device_class),
			       oid_write(&c->identity->object_id, id), c->identity->descr);
	if (*c->rival)
		return err_set(err, RC_CONFIG, "choose one with device=",
			       "device profiles %s and %s fit the device equally well",
			       c->best->name, c->rival);
	return 0;
}

int profile_choose(const char *folder, enum profile_class device_class,
		   const struct device_identity *identity, struct profile *profile,
		   profile_warn warn, void *arg, struct err *err)
{
	struct choice c = { .folder = folder,
			    .device_class = device_class,
			    .identity = identity,
			    .best = profile,
			    .warn = warn,
			    .arg = arg };
	struct dirent **files = NULL;
	int count, rc;

	if (!identity->has_object_id)
		return err_set(err, RC_UNSUPPORTED, "choose a profile with device=",
			       "the device does not tell its sysObjectID");
	count = scandir(folder, &files, is_conf, alphasort);
	if (count < 0)
		return err_set(err, RC_CONFIG, NULL, "%s: %s", folder, strerror(errno));
	c.scratch = malloc(sizeof *c.scratch);
	c.now = malloc(sizeof *c.now);
	for (int i = 0; i < count; i++) {
		if (c.scratch && c.now)
			candidate_try(&c, files[i]->d_name);
		free(files[i]);
	}
	free(files);
	rc = c.scratch && c.now ? choice_word(&c, err)
				: err_set(err, RC_INTERNAL, NULL, "out of memory");
	free(c.scratch);
	free(c.now);
	return rc;
}
