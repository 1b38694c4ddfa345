/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_conf.c - loading the cluster file: the file itself, its permissions, the finished tree;
 * see fence_conf.h. The text is read by fence_conf_parse.c.
 */
#include "fence-agents/fencer/fence_conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fence-agents/fencer/fence_conf_parse.h"

enum { FENCE_CONF_BYTES_MAX = 1024 * 1024 };

/* The file's text; the caller wipes and frees it. */
struct fence_conf_text {
	char *data;
	size_t size;
	struct stat st; /* of the file that was read, not of whatever has its name by now */
};

static int fence_conf_check_file(const char *path, const struct stat *st, struct err *err)
{
	char next[sizeof err->next];

	if (!S_ISREG(st->st_mode))
		return err_set(err, RC_CONFIG, "name a file", "%s: not a regular file", path);
	if (st->st_size > FENCE_CONF_BYTES_MAX)
		return err_set(err, RC_CONFIG, "is this the cluster file?",
			       "%s: %lld bytes, more than the %d a cluster file may have", path,
			       (long long)st->st_size, FENCE_CONF_BYTES_MAX);
	/* It names programs that run as the caller. */
	if (st->st_mode & S_IWOTH) {
		snprintf(next, sizeof next, "run: chmod o-w %s", path);
		return err_set(err, RC_CONFIG, next,
			       "%s: anybody may write this file (mode %04o), and it names the "
			       "programs to run",
			       path, (unsigned)(st->st_mode & 07777));
	}
	return 0;
}

static int fence_conf_read_fd(int fd, const char *path, struct fence_conf_text *text,
			      struct err *err)
{
	size_t room;
	int rc;

	if (fstat(fd, &text->st) != 0)
		return err_set(err, RC_INTERNAL, NULL, "%s: %s", path, strerror(errno));
	rc = fence_conf_check_file(path, &text->st, err);
	if (rc)
		return rc;
	/* One byte more than it should have: a file that grows meanwhile is noticed. */
	room = (size_t)text->st.st_size + 1;
	text->data = malloc(room);
	if (!text->data)
		return err_set(err, RC_INTERNAL, NULL, "%s: out of memory", path);
	while (text->size < room) {
		ssize_t got = read(fd, text->data + text->size, room - text->size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(err, RC_INTERNAL, NULL, "%s: %s", path, strerror(errno));
		if (got == 0)
			return 0;
		text->size += (size_t)got;
	}
	return err_set(err, RC_INTERNAL, "try again", "%s: the file changed while it was read",
		       path);
}

static int fence_conf_read(const char *path, struct fence_conf_text *text, struct err *err)
{
	/* O_NONBLOCK: a named pipe must not hold us up before fstat() finds it out. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int rc;

	if (fd < 0)
		return err_set(err, RC_INTERNAL,
			       errno == ENOENT
				       ? "name the cluster file with -c FILE or HOLDFAST_CONF"
			       : errno == EACCES ? "become root"
						 : NULL,
			       "%s: %s", path, strerror(errno));
	rc = fence_conf_read_fd(fd, path, text, err);
	close(fd);
	return rc;
}

/* A file with a secret in it is for its owner alone, and the owner is root or who asks. */
static int fence_conf_check_secret(const char *path, const struct stat *st,
				   const struct fence_conf_secret *secret, struct err *err)
{
	char next[sizeof err->next];

	if (secret->line == 0)
		return 0;
	if (st->st_uid != 0 && st->st_uid != geteuid()) {
		snprintf(next, sizeof next, "run: chown root %s", path);
		return err_set(err, RC_CONFIG, next,
			       "%s:%u:%u: %s: a secret in a file that belongs to another user "
			       "(uid %u), expected root or uid %u",
			       path, secret->line, secret->column, secret->key,
			       (unsigned)st->st_uid, (unsigned)geteuid());
	}
	if (st->st_mode & (S_IRGRP | S_IWGRP | S_IROTH)) {
		snprintf(next, sizeof next, "run: chmod 600 %s", path);
		return err_set(err, RC_CONFIG, next,
			       "%s:%u:%u: %s: a secret in a file that others may read (mode %04o), "
			       "expected mode 0600",
			       path, secret->line, secret->column, secret->key,
			       (unsigned)(st->st_mode & 07777));
	}
	return 0;
}

int fence_conf_load(const char *path, struct fence_conf **conf, struct err *err)
{
	struct fence_conf_text text = { 0 };
	struct fence_conf_secret secret = { 0 };
	int rc = fence_conf_read(path, &text, err);

	*conf = NULL;
	if (rc == 0)
		rc = fence_conf_parse(path, text.data, text.size, conf, &secret, err);
	if (rc == 0)
		rc = fence_conf_check_secret(path, &text.st, &secret, err);
	if (rc) {
		fence_conf_free(*conf);
		*conf = NULL;
	}
	if (text.data)
		explicit_bzero(text.data, text.size);
	free(text.data);
	return rc;
}

static void fence_device_clear(struct fence_device *device)
{
	for (size_t i = 0; i < device->options_count; i++) {
		struct fence_kv *option = &device->options[i];

		if (option->value)
			explicit_bzero(option->value, strlen(option->value));
		free(option->value);
		free(option->key);
	}
	free(device->options);
	free(device->name);
	free(device->agent);
}

void fence_conf_free(struct fence_conf *conf)
{
	if (!conf)
		return;
	for (size_t i = 0; i < conf->devices_count; i++)
		fence_device_clear(&conf->devices[i]);
	for (size_t i = 0; i < conf->targets_count; i++) {
		for (size_t j = 0; j < conf->targets[i].legs_count; j++)
			free(conf->targets[i].legs[j].plugs);
		free(conf->targets[i].legs);
		free(conf->targets[i].name);
	}
	free(conf->devices);
	free(conf->targets);
	free(conf->history_path);
	free(conf->path);
	free(conf);
}

long fence_conf_target(const struct fence_conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->targets_count; i++)
		if (strcmp(conf->targets[i].name, name) == 0)
			return (long)i;
	return -1;
}

long fence_conf_device(const struct fence_conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->devices_count; i++)
		if (strcmp(conf->devices[i].name, name) == 0)
			return (long)i;
	return -1;
}

static int fence_key_ends_with(const char *key, const char *ending)
{
	size_t key_length = strlen(key), ending_length = strlen(ending);

	return key_length >= ending_length && strcmp(key + key_length - ending_length, ending) == 0;
}

int fence_kv_is_secret(const char *key)
{
	/* Names of things that are about a secret without being one. */
	static const char *const harmless_endings[] = { "_file", "_script", "_path", "_prot",
							"_type" };
	static const char *const secret_parts[] = { "passw", "passphrase", "secret",
						    "token", "community",  "credential" };
	static const char *const secret_endings[] = { "key", "_kg", "_pass", "_pwd", "_pin" };
	static const char *const secret_names[] = { "pass", "pwd", "kg", "pin" };
	char folded[64];
	size_t i;

	for (i = 0; key[i] && i + 1 < sizeof folded; i++)
		folded[i] = key[i] == '-' ? '_'
					  : (char)(key[i] | (key[i] >= 'A' && key[i] <= 'Z') << 5);
	folded[i] = '\0';
	for (i = 0; i < sizeof harmless_endings / sizeof *harmless_endings; i++)
		if (fence_key_ends_with(folded, harmless_endings[i]))
			return 0;
	for (i = 0; i < sizeof secret_parts / sizeof *secret_parts; i++)
		if (strstr(folded, secret_parts[i]))
			return 1;
	for (i = 0; i < sizeof secret_endings / sizeof *secret_endings; i++)
		if (fence_key_ends_with(folded, secret_endings[i]))
			return 1;
	for (i = 0; i < sizeof secret_names / sizeof *secret_names; i++)
		if (strcmp(folded, secret_names[i]) == 0)
			return 1;
	return 0;
}

int fence_key_equal(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b))
			return 0;
	return *a == *b;
}

const char *fence_device_separator(const struct fence_device *device)
{
	for (size_t i = 0; i < device->options_count; i++)
		if (fence_key_equal(device->options[i].key, "plug_separator"))
			return device->options[i].value;
	return ",";
}
