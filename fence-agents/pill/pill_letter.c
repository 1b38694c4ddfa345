/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pill_letter.c - following a pill; see pill_letter.h.
 */
#include "fence-agents/pill/pill_letter.h"

#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "host/clock.h"
#include "lockd/client/lockd_client_io.h"

enum {
	OPEN_MS = 2000,
	AGAIN_MS = 100,
	ANSWER_MS = 1000, /* lockd's answer that its time is up comes a little later */
};

struct pill_letter {
	/* Fixed. */
	char *socket;
	uint16_t node;
	int reset_if_declined;
	mono_t deadline;
	pthread_t thread;
	/* Of the thread. */
	const char *pill;
	/* Of both, under the lock. */
	pthread_mutex_t lock;
	struct pill_news news;
	struct lockd_client *client; /* that is being waited for */
	int is_over;		     /* nobody wants to know any more */
};

/* ---- the thread ---- */

static void stage_set(struct pill_letter *letter, enum pill_stage stage)
{
	mono_t now = clock_now();

	pthread_mutex_lock(&letter->lock);
	letter->news.stage = stage;
	if (stage == PILL_DELIVERED)
		letter->news.delivered_at = now;
	if (stage > PILL_DELIVERED)
		letter->news.ended_at = now;
	pthread_mutex_unlock(&letter->lock);
}

/* What was delivered to another incarnation says nothing of this one. */
static void addressee_note(struct pill_letter *letter, int64_t incarnation)
{
	pthread_mutex_lock(&letter->lock);
	if (letter->news.incarnation != incarnation)
		letter->news.delivered_at = MONO_NEVER;
	letter->news.incarnation = incarnation;
	pthread_mutex_unlock(&letter->lock);
}

static void progressed(const char *word, const json_t *object, void *context)
{
	addressee_note(context, json_integer_value(json_object_get(object, "incarnation")));
	if (strcmp(word, "posted") == 0)
		stage_set(context, PILL_POSTED);
	else if (strcmp(word, "delivered") == 0)
		stage_set(context, PILL_DELIVERED);
}

/* Hold the client where pill_letter_free() finds it. 0: go on; else nobody wants to know. */
static int client_hold(struct pill_letter *letter, struct lockd_client *client)
{
	int is_over;

	pthread_mutex_lock(&letter->lock);
	letter->client = client;
	is_over = letter->is_over;
	pthread_mutex_unlock(&letter->lock);
	return is_over;
}

static int outcome_take(struct pill_letter *letter, const json_t *answer, struct err *err)
{
	const char *outcome = json_string_value(json_object_get(answer, "outcome"));

	if (outcome && strcmp(outcome, "accepted") == 0)
		stage_set(letter, PILL_ACCEPTED);
	else if (outcome && strcmp(outcome, "expired") == 0)
		stage_set(letter, PILL_EXPIRED);
	else if (outcome && strcmp(outcome, "gone") == 0)
		stage_set(letter, PILL_GONE);
	else
		return err_set(err, RC_PROTOCOL, "see that agent and lockd are of one version",
			       "lockd: an outcome that is none: %.40s", outcome ? outcome : "");
	return 0;
}

/* One request to lockd and its answer. */
static int letter_try(struct pill_letter *letter, struct err *err)
{
	mono_t now = clock_now();
	struct lockd_client *client;
	json_t *answer = NULL;
	json_t *fields;
	int rc = lockd_client_open(&client, letter->socket, mono_add_ms(now, OPEN_MS), err);

	if (rc)
		return rc;
	fields = json_pack("{s:o, s:s, s:I}", "to", json_integer(letter->node), "pill",
			   letter->pill, "timeout_ms",
			   (json_int_t)mono_left_ms(now, letter->deadline) + 1);
	if (client_hold(letter, client) == 0)
		rc = lockd_client_call(client, "send", fields,
				       mono_add_ms(letter->deadline, ANSWER_MS), progressed, letter,
				       &answer, err);
	else
		json_decref(fields);
	client_hold(letter, NULL);
	lockd_client_close(client);
	if (rc == 0 && answer)
		rc = outcome_take(letter, answer, err);
	json_decref(answer);
	return rc;
}

/* Can the same request work in a moment? lockd that restarts, or has lost its lease, has none at first, and
 * then goes on with what it had posted. */
static int is_passing(int rc)
{
	return rc == RC_UNREACHABLE || rc == RC_BUSY || rc == RC_PROTOCOL || rc == RC_STATE;
}

static void *letter_run(void *context)
{
	struct pill_letter *letter = context;
	struct err err;
	int rc;

	for (;;) {
		err = (struct err){ 0 };
		rc = letter_try(letter, &err);
		if (rc == RC_UNSUPPORTED && letter->reset_if_declined &&
		    strcmp(letter->pill, "off") == 0) {
			letter->pill = "reset";
			pthread_mutex_lock(&letter->lock);
			letter->news.resets_only = 1;
			letter->news.delivered_at = MONO_NEVER;
			pthread_mutex_unlock(&letter->lock);
			continue;
		}
		if (!is_passing(rc) || client_hold(letter, NULL) ||
		    mono_reached(clock_now(), letter->deadline))
			break;
		clock_sleep_until(mono_add_ms(clock_now(), AGAIN_MS));
	}
	if (rc) {
		pthread_mutex_lock(&letter->lock);
		letter->news.err = err;
		pthread_mutex_unlock(&letter->lock);
		stage_set(letter, PILL_FAILED);
	}
	return NULL;
}

/* ---- the agent ---- */

struct pill_letter *pill_letter_post(const char *socket, uint16_t node, const char *pill,
				     int reset_if_declined, mono_t deadline)
{
	struct pill_letter *letter = calloc(1, sizeof *letter);
	sigset_t all, before;
	int error;

	if (!letter)
		return NULL;
	letter->socket = socket ? strdup(socket) : NULL;
	letter->node = node;
	letter->pill = pill;
	letter->reset_if_declined = reset_if_declined;
	letter->deadline = deadline;
	letter->news.delivered_at = MONO_NEVER;
	pthread_mutex_init(&letter->lock, NULL);
	/* Signals are for the SDK, which knows what they mean. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&letter->thread, NULL, letter_run, letter);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error == 0)
		return letter;
	pthread_mutex_destroy(&letter->lock);
	free(letter->socket);
	free(letter);
	return NULL;
}

void pill_letter_news(struct pill_letter *letter, struct pill_news *news)
{
	pthread_mutex_lock(&letter->lock);
	*news = letter->news;
	pthread_mutex_unlock(&letter->lock);
}

void pill_letter_free(struct pill_letter *letter)
{
	pthread_mutex_lock(&letter->lock);
	letter->is_over = 1;
	/* Whoever waits for an answer finds that the other side has gone. */
	if (letter->client)
		shutdown(lockd_client_fd(letter->client), SHUT_RDWR);
	pthread_mutex_unlock(&letter->lock);
	pthread_join(letter->thread, NULL);
	pthread_mutex_destroy(&letter->lock);
	free(letter->socket);
	free(letter);
}
