/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fencer_keep.c - see fencer_keep.h.
 *
 * A job belongs to both its thread and the keeper until one of them has let go of it under its
 * lock: the thread by `done`, the keeper by `left`. The second one frees it.
 */
#include "fence-agents/fencer/fencer_keep.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "fence-agents/fencer/fence_history.h"

struct keeper_job {
	pthread_mutex_t lock;
	int done, left;
	uv_async_t *async; /* not to be touched once `left` */
	struct err err;
	char *path, *text;
	size_t bytes;
};

static void job_free(struct keeper_job *job)
{
	pthread_mutex_destroy(&job->lock);
	free(job->path);
	free(job->text);
	free(job);
}

static void *job_run(void *arg)
{
	struct keeper_job *job = arg;
	int left;

	job->err.rc = fence_history_append_text(job->path, job->text, job->bytes, &job->err);
	pthread_mutex_lock(&job->lock);
	job->done = 1;
	left = job->left;
	if (!left)
		uv_async_send(job->async);
	pthread_mutex_unlock(&job->lock);
	if (left)
		job_free(job);
	return NULL;
}

static void job_done(uv_async_t *async)
{
	struct keeper *keeper = async->data;
	struct keeper_job *job = keeper->job;
	struct err err;
	int done;

	if (!job)
		return;
	pthread_mutex_lock(&job->lock);
	done = job->done;
	pthread_mutex_unlock(&job->lock);
	if (!done)
		return;
	err = job->err;
	keeper->job = NULL;
	job_free(job);
	keeper->written(keeper, &err);
}

int keeper_init(struct keeper *keeper, uv_loop_t *loop,
		void (*written)(struct keeper *keeper, const struct err *err), void *data)
{
	keeper->job = NULL;
	keeper->written = written;
	keeper->data = data;
	keeper->done.data = keeper;
	return uv_async_init(loop, &keeper->done, job_done);
}

/* Signals are the loop's: the thread takes none. */
static int thread_start(struct keeper_job *job)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;
	int rc = pthread_attr_init(&attr);

	if (rc)
		return rc;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread, &attr, job_run, job);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return rc;
}

int keeper_write(struct keeper *keeper, const char *path, char *text, size_t bytes, struct err *err)
{
	struct keeper_job *job = calloc(1, sizeof *job);
	char *copy = strdup(path);
	int rc;

	if (!job || !copy) {
		free(job);
		free(copy);
		free(text);
		return err_set(err, RC_INTERNAL, NULL, "out of memory");
	}
	*job = (struct keeper_job){
		.async = &keeper->done, .path = copy, .text = text, .bytes = bytes
	};
	pthread_mutex_init(&job->lock, NULL);
	rc = thread_start(job);
	if (rc) {
		job_free(job);
		return err_set(err, RC_INTERNAL, NULL, "%s: no thread to write it: %s", path,
			       strerror(rc));
	}
	keeper->job = job;
	return 0;
}

void keeper_close(struct keeper *keeper)
{
	struct keeper_job *job = keeper->job;
	int done;

	if (job) {
		pthread_mutex_lock(&job->lock);
		done = job->done;
		job->left = 1;
		pthread_mutex_unlock(&job->lock);
		if (done)
			job_free(job);
		keeper->job = NULL;
	}
	uv_close((uv_handle_t *)&keeper->done, NULL);
}
