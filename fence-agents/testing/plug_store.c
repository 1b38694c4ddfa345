/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * plug_store.c - see plug_store.h.
 */
#include "fence-agents/testing/plug_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "host/clock.h"

static int file_error(struct err *err, const char *path, const char *what)
{
	return err_set(err, RC_CONFIG, "check state_file=", "%s: %s: %s", path, what,
		       strerror(errno));
}

static int store_lock(struct plug_store *store, struct err *err)
{
	char lock[4096];

	snprintf(lock, sizeof lock, "%s.lock", store->path);
	store->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (store->lock_fd < 0)
		return file_error(err, lock, "cannot lock");
	while (flock(store->lock_fd, LOCK_EX) != 0)
		if (errno != EINTR) {
			close(store->lock_fd);
			return file_error(err, lock, "cannot lock");
		}
	return 0;
}

static int plug_add(struct plug_store *store, const char *name, enum power_state state)
{
	struct plug *plug = &store->plugs[store->plugs_count];

	if (store->plugs_count == PLUGS_MAX || !*name || strlen(name) >= sizeof plug->name)
		return RC_CONFIG;
	*plug = (struct plug){ .state = state };
	snprintf(plug->name, sizeof plug->name, "%s", name);
	store->plugs_count++;
	return 0;
}

static int64_t number_take(const char *text)
{
	return text ? strtoll(text, NULL, 10) : 0;
}

static int line_take(struct plug_store *store, char *line)
{
	char *rest = NULL;
	char *name = strtok_r(line, " \n", &rest);
	char *state = strtok_r(NULL, " \n", &rest);
	char *next = strtok_r(NULL, " \n", &rest);
	char *at = strtok_r(NULL, " \n", &rest);
	struct plug *plug;

	if (!name || !state || (next && !at))
		return RC_CONFIG;
	if (strcmp(name, "refused") == 0) {
		store->refused = number_take(state);
		return 0;
	}
	if (power_from_word(state) == POWER_UNKNOWN ||
	    plug_add(store, name, power_from_word(state)) != 0)
		return RC_CONFIG;
	plug = &store->plugs[store->plugs_count - 1];
	plug->next = next ? power_from_word(next) : POWER_UNKNOWN;
	plug->next_at = (mono_t){ number_take(at) };
	return 0;
}

static int outlets_make(struct plug_store *store, const char *outlets, struct err *err)
{
	char name[PLUG_NAME_MAX_BYTES];

	while (*outlets) {
		size_t length = strcspn(outlets, ",");

		snprintf(name, sizeof name, "%.*s", (int)length, outlets);
		if (length >= sizeof name || plug_add(store, name, POWER_ON) != 0)
			return err_set(err, RC_CONFIG, "give names separated by commas",
				       "outlets= names an empty, too long or surplus plug");
		outlets += length + (outlets[length] == ',');
	}
	return 0;
}

static int store_load(struct plug_store *store, const char *outlets, struct err *err)
{
	FILE *file = fopen(store->path, "re");
	char line[256];
	int rc = 0, number = 0;

	if (!file && errno == ENOENT)
		return outlets_make(store, outlets, err);
	if (!file)
		return file_error(err, store->path, "cannot read");
	while (rc == 0 && fgets(line, sizeof line, file)) {
		number++;
		if (line[0] != '#' && line[0] != '\n' && line_take(store, line) != 0)
			rc = err_set(err, RC_PROTOCOL, "write \"NAME on\" or \"NAME off\"",
				     "%s:%d: not a plug and its state", store->path, number);
	}
	fclose(file);
	return rc;
}

int plug_store_open(struct plug_store *store, const char *path, const char *outlets,
		    struct err *err)
{
	int rc;

	*store = (struct plug_store){ .path = path };
	rc = store_lock(store, err);
	if (rc)
		return rc;
	rc = store_load(store, outlets, err);
	if (rc)
		plug_store_close(store);
	return rc;
}

void plug_store_close(struct plug_store *store)
{
	close(store->lock_fd);
}

int plug_store_save(struct plug_store *store, struct err *err)
{
	char fresh[4096];
	FILE *file;
	int broken;

	snprintf(fresh, sizeof fresh, "%s.new", store->path);
	file = fopen(fresh, "we");
	if (!file)
		return file_error(err, fresh, "cannot write");
	for (size_t i = 0; i < store->plugs_count; i++) {
		const struct plug *plug = &store->plugs[i];

		fprintf(file, "%s %s", plug->name, power_word(plug->state));
		if (plug->next != POWER_UNKNOWN)
			fprintf(file, " %s %lld", power_word(plug->next),
				(long long)plug->next_at.ns);
		fputc('\n', file);
	}
	fprintf(file, "refused %lld\n", (long long)store->refused);
	broken = ferror(file);
	if (fclose(file) != 0 || broken || rename(fresh, store->path) != 0) {
		unlink(fresh);
		return file_error(err, store->path, "cannot write");
	}
	return 0;
}

struct plug *plug_store_find(struct plug_store *store, const char *name)
{
	for (size_t i = 0; i < store->plugs_count; i++)
		if (strcmp(store->plugs[i].name, name) == 0)
			return &store->plugs[i];
	return NULL;
}

enum power_state plug_state(const struct plug *plug, int tell_pending)
{
	if (plug->next == POWER_UNKNOWN)
		return plug->state;
	if (mono_reached(clock_now(), plug->next_at))
		return plug->next;
	return tell_pending ? POWER_PENDING : plug->state;
}

void plug_change(struct plug *plug, enum power_state state, int64_t delay_ms)
{
	plug->state = plug_state(plug, 0);
	plug->next = POWER_UNKNOWN;
	if (delay_ms == 0) {
		plug->state = state;
		return;
	}
	plug->next = state;
	plug->next_at = mono_add_ms(clock_now(), delay_ms);
}
