/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_ability_io.c - what a disk can do with reservations; see pr_ability_io.h.
 */
#include "lockd/pr_ability_io.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/machine.h"
#include "lockd/pr_client_io.h"
#include "lockd/pr_sense_wire.h"

enum { ATTENTIONS = 8, WRITE_10 = 0x2a };

struct trial {
	const struct pr_ability_options *options;
	struct pr_ability *ability;
	struct pr_client *clients[2];
	uint64_t keys[2];
	struct pr_client_answer answer;
	struct pr_keys list;
	struct pr_reservation reservation;
	struct err err; /* why the unit does not answer */
};

static void miss(struct pr_ability *ability, enum pr_ability_state verdict, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void miss(struct pr_ability *ability, enum pr_ability_state verdict, const char *format, ...)
{
	size_t used = strlen(ability->missing);
	va_list ap;

	/* What is missing for certain outweighs what cannot be told. */
	if (ability->arbitrates != PR_ABILITY_NO)
		ability->arbitrates = verdict;
	if (used > 0 && used + 3 < sizeof ability->missing) {
		memcpy(ability->missing + used, "; ", 3);
		used += 2;
	}
	va_start(ap, format);
	vsnprintf(ability->missing + used, sizeof ability->missing - used, format, ap);
	va_end(ap);
}

/* ---- commands ---- */

static enum pr_meaning in(struct trial *trial, int who, enum pr_command command)
{
	pr_client_in(trial->clients[who], command, &trial->answer);
	return trial->answer.reply.meaning;
}

static enum pr_meaning out(struct trial *trial, int who, enum pr_command command, uint64_t key,
			   uint64_t service_key)
{
	const struct pr_out what = { .command = command,
				     .key = key,
				     .service_key = service_key,
				     .type = command == PR_REGISTER ? 0
								    : PR_TYPE_WRITE_EXCLUSIVE_RO };
	struct err err;

	if (pr_client_out(trial->clients[who], &what, &trial->answer, &err) != 0)
		trial->answer.reply = (struct pr_reply){ .meaning = PR_MEANS_NOT_SENT };
	return trial->answer.reply.meaning;
}

static int is_silent(const struct trial *trial)
{
	return trial->answer.reply.meaning == PR_MEANS_NOT_SENT ||
	       trial->answer.reply.meaning == PR_MEANS_NO_ANSWER;
}

static enum pr_ability_state known(enum pr_meaning meaning)
{
	if (pr_meaning_is_unsupported(meaning))
		return PR_ABILITY_NO;
	return meaning == PR_MEANS_GOOD || meaning == PR_MEANS_CONFLICT ? PR_ABILITY_YES
									: PR_ABILITY_UNKNOWN;
}

static const char *said(const struct trial *trial)
{
	static char text[96];

	return pr_reply_text(&trial->answer.reply, text, sizeof text);
}

/* Read keys and reservation. 0, or the unit does not tell. */
static int look(struct trial *trial, int who)
{
	struct err err;

	if (in(trial, who, PR_READ_KEYS) != PR_MEANS_GOOD ||
	    pr_keys_in(trial->answer.data, trial->answer.bytes, &trial->list, &err) != 0)
		return -1;
	if (in(trial, who, PR_READ_RESERVATION) != PR_MEANS_GOOD ||
	    pr_reservation_in(trial->answer.data, trial->answer.bytes, &trial->reservation, &err) !=
		    0)
		return -1;
	return 0;
}

static int has_key(const struct trial *trial, uint64_t key)
{
	for (uint32_t i = 0; i < trial->list.count; i++)
		if (trial->list.key[i] == key)
			return 1;
	return 0;
}

/* ---- asked without changing anything ---- */

static int ask(struct trial *trial)
{
	struct pr_ability *ability = trial->ability;
	uint64_t nobodys = trial->keys[0];
	struct err err;

	ability->known[PR_READ_KEYS] = known(in(trial, 0, PR_READ_KEYS));
	if (is_silent(trial)) {
		trial->err = trial->answer.err;
		return trial->err.rc ? trial->err.rc : RC_UNREACHABLE;
	}
	if (ability->known[PR_READ_KEYS] == PR_ABILITY_YES &&
	    pr_keys_in(trial->answer.data, trial->answer.bytes, &trial->list, &err) == 0) {
		ability->generation = trial->list.generation;
		ability->keys_count = trial->list.total;
	}
	ability->known[PR_READ_RESERVATION] = known(in(trial, 0, PR_READ_RESERVATION));
	if (ability->known[PR_READ_RESERVATION] == PR_ABILITY_YES &&
	    pr_reservation_in(trial->answer.data, trial->answer.bytes, &trial->reservation, &err) ==
		    0) {
		ability->is_held = trial->reservation.is_held;
		ability->holder = trial->reservation.key;
		ability->held_type = trial->reservation.type;
	}
	ability->known[PR_REPORT_CAPABILITIES] = known(in(trial, 0, PR_REPORT_CAPABILITIES));
	ability->has_capabilities = ability->known[PR_REPORT_CAPABILITIES] == PR_ABILITY_YES &&
				    pr_capabilities_in(trial->answer.data, trial->answer.bytes,
						       &ability->capabilities, &err) == 0;
	ability->known[PR_READ_FULL_STATUS] = known(in(trial, 0, PR_READ_FULL_STATUS));
	if (ability->known[PR_READ_KEYS] == PR_ABILITY_YES && !has_key(trial, nobodys)) {
		ability->known[PR_PREEMPT] = known(out(trial, 0, PR_PREEMPT, nobodys, nobodys));
		ability->known[PR_PREEMPT_AND_ABORT] = known(
			out(trial, 0, PR_PREEMPT_AND_ABORT, nobodys, nobodys));
	}
	return 0;
}

static void judge(struct pr_ability *ability)
{
	static const enum pr_command needed[] = { PR_READ_KEYS, PR_READ_RESERVATION, PR_PREEMPT };

	for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
		if (ability->known[needed[i]] == PR_ABILITY_NO)
			miss(ability, PR_ABILITY_NO, "no %s", pr_command_word(needed[i]));
	if (ability->has_capabilities && ability->capabilities.has_types &&
	    (ability->capabilities.types >> PR_TYPE_WRITE_EXCLUSIVE_RO & 1) == 0)
		miss(ability, PR_ABILITY_NO, "no reservation of type %s",
		     pr_type_name(PR_TYPE_WRITE_EXCLUSIVE_RO));
}

/* ---- tried ---- */

/* Out with our keys, whatever was done; then seen to be out: 0. 1: one is still there; -1: it cannot be
 * seen. */
static int keys_remove(struct trial *trial)
{
	for (int who = 1; who >= 0; who--)
		if (trial->clients[who])
			(void)out(trial, who, PR_REGISTER, trial->keys[who], 0);
	if (look(trial, 0) != 0)
		return -1;
	return has_key(trial, trial->keys[0]) || has_key(trial, trial->keys[1]);
}

static void clean_up(struct trial *trial)
{
	struct pr_ability *ability = trial->ability;
	int left = keys_remove(trial);
	struct err err;

	if (left) {
		/* What a session that fell silent has begun ends with it. */
		for (int who = 0; who < 2; who++)
			if (trial->clients[who])
				(void)pr_client_login(trial->clients[who], &err);
		left = keys_remove(trial);
	}
	for (int who = 0; left && who < 2; who++) {
		char text[PR_KEY_TEXT_BYTES];

		if (!trial->clients[who] || (left > 0 && !has_key(trial, trial->keys[who])))
			continue;
		ability->left_behind[who] = trial->keys[who];
		miss(ability, left > 0 ? PR_ABILITY_NO : PR_ABILITY_UNKNOWN,
		     left > 0 ? "a key of the trial stays registered: %s"
			      : "it cannot be seen whether a key of the trial is gone: %s",
		     pr_key_text(trial->keys[who], text));
	}
}

/* Needs PR_MEANS_GOOD. 0, or it is noted what is missing. */
static int must(struct trial *trial, enum pr_command command, enum pr_meaning meaning)
{
	struct pr_ability *ability = trial->ability;

	ability->known[command] = known(meaning);
	if (meaning == PR_MEANS_GOOD)
		return 0;
	miss(ability, pr_meaning_may_have_acted(meaning) ? PR_ABILITY_UNKNOWN : PR_ABILITY_NO,
	     "%s: %s", pr_command_word(command), said(trial));
	return -1;
}

/* A write of no blocks: allowed, or a conflict, and nothing is written either way. */
static enum pr_meaning touch(struct trial *trial, int who)
{
	static const uint8_t cdb[10] = { WRITE_10 };

	pr_client_scsi(trial->clients[who], cdb, sizeof cdb, DISK_NO_DATA, NULL, 0, &trial->answer);
	return trial->answer.reply.meaning;
}

/* The second initiator port wants the reservation, is kept out, and takes it by ejecting the first. */
static void try_ejection(struct trial *trial)
{
	struct pr_ability *ability = trial->ability;
	enum pr_meaning meaning;

	meaning = touch(trial, 1);
	ability->excludes = meaning == PR_MEANS_CONFLICT ? PR_ABILITY_YES : PR_ABILITY_NO;
	if (meaning != PR_MEANS_CONFLICT) {
		miss(ability, PR_ABILITY_NO, "who is not registered may write all the same (%s)",
		     said(trial));
		return;
	}
	if (must(trial, PR_REGISTER, out(trial, 1, PR_REGISTER, 0, trial->keys[1])) != 0)
		return;
	if (out(trial, 1, PR_RESERVE, trial->keys[1], 0) != PR_MEANS_CONFLICT) {
		miss(ability, PR_ABILITY_NO, "two initiators can reserve it (%s)", said(trial));
		return;
	}
	if (must(trial, PR_PREEMPT, out(trial, 1, PR_PREEMPT, trial->keys[1], trial->keys[0])) != 0)
		return;
	if (look(trial, 1) != 0) {
		miss(ability, PR_ABILITY_UNKNOWN, "it does not tell its keys (%s)", said(trial));
		return;
	}
	ability->ejects = !has_key(trial, trial->keys[0]) && trial->reservation.is_held &&
					  trial->reservation.key == trial->keys[1]
				  ? PR_ABILITY_YES
				  : PR_ABILITY_NO;
	if (ability->ejects != PR_ABILITY_YES)
		miss(ability, PR_ABILITY_NO, "PREEMPT says GOOD, and the holder stays");
	else if (touch(trial, 0) != PR_MEANS_CONFLICT)
		miss(ability, PR_ABILITY_NO, "an ejected initiator may still write (%s)",
		     said(trial));
}

/* What is registered is removed again: whoever wants to end us waits for that. */
static void signals_hold(sigset_t *before)
{
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &held, before);
}

static void try_it(struct trial *trial)
{
	struct pr_ability *ability = trial->ability;
	sigset_t before;

	if (ability->keys_count > 0 || ability->is_held) {
		miss(ability, PR_ABILITY_UNKNOWN,
		     "not tried: %u key(s) are registered%s; see holdfast pr keys",
		     ability->keys_count, ability->is_held ? " and it is reserved" : "");
		return;
	}
	signals_hold(&before);
	if (must(trial, PR_REGISTER, out(trial, 0, PR_REGISTER, 0, trial->keys[0])) == 0 &&
	    must(trial, PR_RESERVE, out(trial, 0, PR_RESERVE, trial->keys[0], 0)) == 0) {
		if (look(trial, 0) != 0 || !trial->reservation.is_held ||
		    trial->reservation.key != trial->keys[0])
			miss(ability, PR_ABILITY_NO, "RESERVE says GOOD, and nobody holds it");
		else if (trial->clients[1])
			try_ejection(trial);
	}
	clean_up(trial);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (ability->arbitrates == PR_ABILITY_UNTRIED)
		ability->arbitrates = PR_ABILITY_YES;
}

/* ---- from outside ---- */

static int trial_open(struct trial *trial, const char *url, int who, struct err *err)
{
	const struct pr_client_options options = {
		.disk = { .initiator = trial->options->initiator,
			  .nexus = (uint8_t)(trial->options->nexus + who),
			  .open_timeout_ms = trial->options->timeout_ms },
		.timeout_ms = trial->options->timeout_ms,
		.attentions_max = ATTENTIONS,
	};

	return pr_client_open(url, &options, &trial->clients[who], err);
}

int pr_ability_probe(const char *url, const struct pr_ability_options *options,
		     struct pr_ability *ability, struct err *err)
{
	struct trial *trial = calloc(1, sizeof *trial);
	int rc;

	if (!trial)
		return err_set(err, RC_INTERNAL, NULL, "out of memory");
	memset(ability, 0, sizeof *ability);
	trial->options = options;
	trial->ability = ability;
	machine_random(trial->keys, sizeof trial->keys);
	trial->keys[0] |= 1;
	trial->keys[1] = (trial->keys[1] | 1) == trial->keys[0] ? trial->keys[0] + 2
								: trial->keys[1] | 1;
	rc = trial_open(trial, url, 0, err);
	if (rc == RC_UNSUPPORTED) {
		miss(ability, PR_ABILITY_NO, "%s", err->text);
		rc = 0;
		goto done;
	}
	if (rc)
		goto done;
	ability->has_scsi = 1;
	rc = ask(trial);
	if (rc) {
		*err = trial->err;
		goto done;
	}
	judge(ability);
	if (options->may_change && ability->arbitrates != PR_ABILITY_NO) {
		if (strncmp(url, "iscsi:", 6) == 0)
			rc = trial_open(trial, url, 1, err);
		if (rc == 0)
			try_it(trial);
	}
	if (ability->arbitrates == PR_ABILITY_UNTRIED)
		ability->arbitrates = PR_ABILITY_UNKNOWN;
done:
	for (int who = 0; who < 2; who++)
		pr_client_close(trial->clients[who]);
	free(trial);
	return rc;
}

const char *pr_ability_lacks(const struct pr_ability *ability, char *text, size_t size)
{
	size_t used = 0;

	snprintf(text, size, "none");
	for (unsigned i = 0; i < PR_COMMANDS; i++) {
		int bytes;

		if (ability->known[i] != PR_ABILITY_NO)
			continue;
		bytes = snprintf(text + used, size - used, "%s%s", used ? ", " : "",
				 pr_command_word((enum pr_command)i));
		if (bytes < 0 || used + (size_t)bytes >= size)
			break;
		used += (size_t)bytes;
	}
	return text;
}
