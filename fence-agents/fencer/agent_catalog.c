/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * agent_catalog.c - finding agents and asking them for their metadata; see agent_catalog.h.
 *
 * Metadata is asked for as Pacemaker does, with `action=metadata` on stdin: an agent's options
 * on the command line are its own affair.
 */
#include "fence-agents/fencer/agent_catalog.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/text.h"
#include "fence-agents/fencer/agent_metadata.h"
#include "host/child.h"
#include "host/clock.h"

enum {
	METADATA_TIMEOUT_MS = 10000,
	METADATA_BYTES_MAX = 1 << 20,
	DIRS_MAX = 64,
	AT_WORK_PER_CPU = 2,
};

#define AGENT_PREFIX "fence_"

/* ---- the search path ---- */

struct search_path {
	char *dirs[DIRS_MAX];
	size_t count;
};

static void search_add(struct search_path *search, const char *dir, size_t length)
{
	/* A folder that is not absolute would depend on where the caller stands. */
	if (length == 0 || dir[0] != '/' || search->count == DIRS_MAX)
		return;
	search->dirs[search->count] = strndup(dir, length);
	if (search->dirs[search->count])
		search->count++;
}

static void search_add_own(struct search_path *search)
{
	char exe[PATH_MAX], *slash;
	ssize_t length = readlink("/proc/self/exe", exe, sizeof exe - sizeof "../sbin");

	if (length <= 0)
		return;
	exe[length] = '\0';
	slash = strrchr(exe, '/');
	search_add(search, exe, (size_t)(slash - exe));
	/* Installed under one prefix: programs in bin, agents in sbin. */
	memcpy(slash + 1, "../sbin", sizeof "../sbin");
	search_add(search, exe, strlen(exe));
}

static void search_init(struct search_path *search)
{
	const char *path = getenv("HOLDFAST_AGENT_PATH");

	search->count = 0;
	if (path && path[0]) {
		while (*path) {
			size_t length = strcspn(path, ":");

			search_add(search, path, length);
			path += length + (path[length] == ':');
		}
		return;
	}
	search_add_own(search);
	search_add(search, "/usr/sbin", strlen("/usr/sbin"));
	search_add(search, "/usr/local/sbin", strlen("/usr/local/sbin"));
}

static void search_clear(struct search_path *search)
{
	for (size_t i = 0; i < search->count; i++)
		free(search->dirs[i]);
	search->count = 0;
}

static int is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* The path of a program in a folder, without `..` and links in its folder's name; NULL when
 * there is none. */
static char *program_in(const char *dir, const char *name)
{
	char *joined = NULL, *folder = NULL, *path = NULL;

	if (asprintf(&joined, "%s/%s", dir, name) < 0)
		return NULL;
	if (is_program(joined)) {
		folder = realpath(dir, NULL);
		if (folder && asprintf(&path, "%s/%s", folder, name) < 0)
			path = NULL;
	}
	free(folder);
	free(joined);
	return path;
}

char *agent_find(const char *name, struct err *err)
{
	struct search_path search;
	char *path = NULL;

	if (name[0] == '/') {
		if (is_program(name))
			return strdup(name);
		err_set(err, RC_CONFIG, "check FENCE_AGENT", "%s: %s", name,
			access(name, F_OK) == 0 ? "not an executable program" : "no such program");
		return NULL;
	}
	if (strchr(name, '/') || name[0] == '\0') {
		err_set(err, RC_CONFIG, "give a name or a path that begins with /",
			"\"%s\" is neither a program name nor an absolute path", name);
		return NULL;
	}
	search_init(&search);
	for (size_t i = 0; i < search.count && !path; i++)
		path = program_in(search.dirs[i], name);
	search_clear(&search);
	if (!path)
		err_set(err, RC_CONFIG, "see \"holdfast fence agents\" for what is installed",
			"%s: no such agent is installed", name);
	return path;
}

/* ---- metadata of several programs, in parallel ---- */

struct batch {
	struct child_host host;
	struct agent_info *agents;
	size_t count, next, at_work, at_work_max;
	int rc;
};

struct asked {
	struct batch *batch;
	struct agent_info *info;
};

static void batch_fill(struct batch *batch);

static int problem_text(struct agent_info *info, const char *text)
{
	info->device_class = strdup("-");
	info->shortdesc = strdup("");
	info->problem = strdup(text);
	return info->device_class && info->shortdesc && info->problem ? 0 : RC_INTERNAL;
}

static int metadata_judge(struct agent_info *info, const struct child_result *result)
{
	char text[160];

	if (result->timed_out)
		return problem_text(info, "does not answer to metadata within 10 seconds");
	if (result->term_signal != 0) {
		snprintf(text, sizeof text, "metadata was ended by signal %d (%s)",
			 result->term_signal, strsignal(result->term_signal));
		return problem_text(info, text);
	}
	if (result->exit_status != 0) {
		snprintf(text, sizeof text, "metadata exits with status %d", result->exit_status);
		return problem_text(info, text);
	}
	if (result->out_dropped > 0)
		return problem_text(info, "prints more than 1 MiB for metadata");
	return agent_metadata_read(result->out, result->out_bytes, info);
}

static void metadata_done(void *arg, const struct child_result *result)
{
	struct asked *asked = arg;
	struct batch *batch = asked->batch;

	if (metadata_judge(asked->info, result) != 0)
		batch->rc = RC_INTERNAL;
	free(asked);
	batch->at_work--;
	batch_fill(batch);
}

static void metadata_ask(struct batch *batch, struct agent_info *info)
{
	static const char input[] = "action=metadata\n";
	struct asked *asked = calloc(1, sizeof *asked);
	struct err err = { 0 };

	if (!asked) {
		batch->rc = RC_INTERNAL;
		return;
	}
	*asked = (struct asked){ batch, info };
	if (!child_start(&batch->host,
			 &(struct child_spec){
				 .path = info->path,
				 .input = input,
				 .input_bytes = sizeof input - 1,
				 .output_max = METADATA_BYTES_MAX,
				 .deadline = mono_add_ms(clock_now(), METADATA_TIMEOUT_MS),
			 },
			 metadata_done, asked, &err)) {
		if (problem_text(info, err.text) != 0)
			batch->rc = RC_INTERNAL;
		free(asked);
		return;
	}
	batch->at_work++;
}

static void batch_fill(struct batch *batch)
{
	while (batch->next < batch->count && batch->at_work < batch->at_work_max)
		metadata_ask(batch, &batch->agents[batch->next++]);
}

static int batch_run(struct agent_info *agents, size_t count, struct err *err)
{
	struct batch batch = { .agents = agents, .count = count };
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uv_loop_t loop;
	int rc = uv_loop_init(&loop);

	if (rc != 0)
		return err_set(err, RC_INTERNAL, NULL, "cannot make an event loop: %s",
			       uv_strerror(rc));
	batch.at_work_max = AT_WORK_PER_CPU * (size_t)(cpus > 0 ? cpus : 1);
	rc = child_host_init(&batch.host, &loop, err);
	if (rc == 0) {
		batch_fill(&batch);
		uv_run(&loop, UV_RUN_DEFAULT);
		child_host_end(&batch.host);
		rc = batch.rc;
		if (rc != 0)
			err_set(err, RC_INTERNAL, NULL, "out of memory");
	}
	uv_loop_close(&loop);
	return rc;
}

/* ---- one agent ---- */

void agent_info_clear(struct agent_info *info)
{
	free(info->name);
	free(info->path);
	free(info->device_class);
	free(info->shortdesc);
	free(info->problem);
	for (size_t i = 0; i < info->parameters_count; i++)
		free(info->parameters[i]);
	free(info->parameters);
	memset(info, 0, sizeof *info);
}

static int agent_info_name(struct agent_info *info, const char *path)
{
	const char *slash = strrchr(path, '/');

	memset(info, 0, sizeof *info);
	info->path = strdup(path);
	info->name = strdup(slash ? slash + 1 : path);
	return info->path && info->name ? 0 : RC_INTERNAL;
}

int agent_info_load(const char *path, struct agent_info *info, struct err *err)
{
	if (agent_info_name(info, path) != 0)
		return err_set(err, RC_INTERNAL, NULL, "out of memory");
	return batch_run(info, 1, err);
}

/* ---- all agents ---- */

static int catalog_has(const struct agent_catalog *catalog, const char *name)
{
	for (size_t i = 0; i < catalog->agents_count; i++)
		if (strcmp(catalog->agents[i].name, name) == 0)
			return 1;
	return 0;
}

static int catalog_add(struct agent_catalog *catalog, char *path)
{
	struct agent_info *grown = realloc(catalog->agents,
					   (catalog->agents_count + 1) * sizeof *grown);

	if (!grown)
		return RC_INTERNAL;
	catalog->agents = grown;
	if (agent_info_name(&grown[catalog->agents_count], path) != 0) {
		agent_info_clear(&grown[catalog->agents_count]);
		return RC_INTERNAL;
	}
	catalog->agents_count++;
	return 0;
}

static int catalog_scan(struct agent_catalog *catalog, const char *dir)
{
	DIR *stream = opendir(dir);
	struct dirent *entry;
	int rc = 0;

	/* A folder that is not there holds no agents. */
	while (stream && rc == 0 && (entry = readdir(stream)) != NULL) {
		char *path;

		if (strncmp(entry->d_name, AGENT_PREFIX, strlen(AGENT_PREFIX)) != 0 ||
		    catalog_has(catalog, entry->d_name))
			continue;
		path = program_in(dir, entry->d_name);
		if (path)
			rc = catalog_add(catalog, path);
		free(path);
	}
	if (stream)
		closedir(stream);
	return rc;
}

static int agent_order(const void *a, const void *b)
{
	return strcmp(((const struct agent_info *)a)->name, ((const struct agent_info *)b)->name);
}

int agent_catalog_load(struct agent_catalog **catalog, struct err *err)
{
	struct agent_catalog *made = calloc(1, sizeof *made);
	struct search_path search;
	int rc = made ? 0 : RC_INTERNAL;

	search_init(&search);
	for (size_t i = 0; i < search.count && rc == 0; i++)
		rc = catalog_scan(made, search.dirs[i]);
	search_clear(&search);
	if (rc != 0)
		err_set(err, rc, NULL, "out of memory");
	if (rc == 0 && made->agents_count > 0) {
		qsort(made->agents, made->agents_count, sizeof *made->agents, agent_order);
		rc = batch_run(made->agents, made->agents_count, err);
	}
	if (rc != 0) {
		agent_catalog_free(made);
		return rc;
	}
	*catalog = made;
	return 0;
}

void agent_catalog_free(struct agent_catalog *catalog)
{
	if (!catalog)
		return;
	for (size_t i = 0; i < catalog->agents_count; i++)
		agent_info_clear(&catalog->agents[i]);
	free(catalog->agents);
	free(catalog);
}
