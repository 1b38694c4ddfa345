/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cmd_pr.c - `holdfast pr`: look at the persistent reservations of a disk, and change them by hand.
 *
 * One session, one command, and then a look at what came of it: "done" is what was read back, not
 * what was sent. A command without an answer is told as unknown. What throws others off a disk
 * happens only with --for-real, and after the key was typed.
 */
#include "cli/cmd_pr.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/output.h"
#include "cli/pr_view.h"
#include "host/nexus.h"
#include "lockd/pr_client_io.h"

enum {
	TIMEOUT_MS = 10000,
	ATTENTIONS_MAX = 16,
	UNREGISTER = PR_COMMANDS, /* a REGISTER with key 0 */
};

struct pr_run {
	const struct cli *cli;
	struct output out;
	struct pr_client *client;
	struct pr_client_answer answer;
	struct pr_state state;
	uint64_t key, old_key, victim;
	enum pr_type type;
};

/* ---- arguments ---- */

static int key_option(const struct cli *cli, const char *option, const char *text, uint64_t *key)
{
	struct err err = { 0 };

	if (pr_key_parse(text, key, &err) == 0)
		return 0;
	return cli_usage(cli, "%s: %s; %s", option, err.text, err.next);
}

/* The keys and the type; whether a key is needed is the subcommand's business. */
static int options_read(struct pr_run *run, int needs_key)
{
	const struct cli *cli = run->cli;

	run->type = PR_TYPE_WRITE_EXCLUSIVE_RO;
	if (needs_key && !cli->key)
		return cli_usage(cli, "give the key of this side with --key");
	if (cli->key && key_option(cli, "--key", cli->key, &run->key))
		return CLI_EXIT_USAGE;
	if (cli->old_key && key_option(cli, "--old-key", cli->old_key, &run->old_key))
		return CLI_EXIT_USAGE;
	if (cli->type && (run->type = pr_type_parse(cli->type)) == PR_TYPE_NONE)
		return cli_usage(cli, "--type %s: expected we, ea, we-ro, ea-ro, we-ar or ea-ar",
				 cli->type);
	if (cli->yes && !cli->for_real)
		return cli_usage(cli, "--yes has no meaning without --for-real");
	return 0;
}

/* Open the unit. 0, or the exit status after a message. */
static int run_open(struct pr_run *run, const struct cli *cli, int needs_key, size_t args)
{
	const struct pr_client_options options = {
		.disk = { .initiator = cli->initiator,
			  .nexus = cli->nexus ? (uint8_t)cli->nexus : NEXUS_PR,
			  .open_timeout_ms = cli->timeout_ms ? cli->timeout_ms : TIMEOUT_MS },
		.timeout_ms = cli->timeout_ms ? cli->timeout_ms : TIMEOUT_MS,
		.attentions_max = ATTENTIONS_MAX,
	};
	struct err err = { 0 };
	int status;

	run->cli = cli;
	if (cli->args_count != args)
		return cli_usage(cli, args == 1 ? "name one disk" : "name one disk and one key");
	status = options_read(run, needs_key);
	if (status)
		return status;
	if (pr_client_open(cli->args[0], &options, &run->client, &err) != 0)
		return cli_fail(cli, &err);
	output_init(&run->out, cli);
	return 0;
}

static int run_close(struct pr_run *run, int status)
{
	if (!run->client)
		return status;
	pr_client_close(run->client);
	return output_finish(&run->out, run->cli, status);
}

/* ---- looking ---- */

/* An answer that is not what was asked for. Returns the exit status. */
static int reply_fail(const struct pr_run *run, enum pr_command command)
{
	const struct pr_reply *reply = &run->answer.reply;
	struct err err = run->answer.err;
	char text[200];
	const char *next = NULL;

	if (err.rc != 0 && reply->meaning == PR_MEANS_NOT_SENT)
		return cli_fail(run->cli, &err);
	pr_reply_text(reply, text, sizeof text);
	if (pr_meaning_is_unsupported(reply->meaning))
		next = command == PR_READ_FULL_STATUS
			       ? "\"holdfast pr keys\" and \"holdfast pr reservation\" tell less"
			       : "the target does not have it; \"holdfast pr capabilities\" tells "
				 "what it has";
	else if (reply->meaning == PR_MEANS_BUSY || reply->meaning == PR_MEANS_NOT_READY)
		next = "try again in a moment";
	else if (reply->meaning == PR_MEANS_NO_UNIT)
		next = "check the number of the logical unit in the URL";
	err_set(&err,
		pr_meaning_is_unsupported(reply->meaning) ? RC_UNSUPPORTED
		: reply->meaning == PR_MEANS_NO_ANSWER	  ? RC_TIMEOUT
							  : RC_PROTOCOL,
		next, "%s: %s: %s", pr_client_name(run->client), pr_command_word(command), text);
	return cli_fail(run->cli, &err);
}

/* READ KEYS and READ RESERVATION into run->state. 0, or the exit status after a message. */
static int state_read(struct pr_run *run)
{
	struct err err = { 0 };

	pr_client_in(run->client, PR_READ_KEYS, &run->answer);
	if (run->answer.reply.meaning != PR_MEANS_GOOD)
		return reply_fail(run, PR_READ_KEYS);
	pr_view_attentions(&run->out, &run->answer);
	if (pr_keys_in(run->answer.data, run->answer.bytes, &run->state.keys, &err) != 0)
		return cli_fail(run->cli, &err);
	pr_client_in(run->client, PR_READ_RESERVATION, &run->answer);
	if (run->answer.reply.meaning != PR_MEANS_GOOD)
		return reply_fail(run, PR_READ_RESERVATION);
	pr_view_attentions(&run->out, &run->answer);
	if (pr_reservation_in(run->answer.data, run->answer.bytes, &run->state.reservation, &err) !=
	    0)
		return cli_fail(run->cli, &err);
	return 0;
}

static int answer_show(struct pr_run *run, enum pr_command command)
{
	const struct pr_client_answer *a = &run->answer;
	static struct pr_keys keys;
	struct pr_reservation reservation;
	struct pr_capabilities capabilities;
	struct pr_full_status walk;
	struct err err = { 0 };
	int rc;

	pr_view_attentions(&run->out, a);
	switch (command) {
	case PR_READ_KEYS:
		rc = pr_keys_in(a->data, a->bytes, &keys, &err);
		if (rc == 0)
			pr_view_keys(&run->out, &keys);
		break;
	case PR_READ_RESERVATION:
		rc = pr_reservation_in(a->data, a->bytes, &reservation, &err);
		if (rc == 0)
			pr_view_reservation(&run->out, &reservation);
		break;
	case PR_REPORT_CAPABILITIES:
		rc = pr_capabilities_in(a->data, a->bytes, &capabilities, &err);
		if (rc == 0)
			pr_view_capabilities(&run->out, &capabilities);
		break;
	default:
		rc = pr_full_status_in(a->data, a->bytes, &walk, &err);
		if (rc == 0)
			rc = pr_view_full_status(&run->out, &walk, &err);
		break;
	}
	return rc ? cli_fail(run->cli, &err) : CLI_EXIT_OK;
}

static int look_run(struct cli *cli)
{
	static struct pr_run run;
	enum pr_command command = (enum pr_command)cli->command->kind;
	int status = run_open(&run, cli, 0, 1);

	if (status)
		return run_close(&run, status);
	pr_client_in(run.client, command, &run.answer);
	if (run.answer.reply.meaning == PR_MEANS_GOOD)
		status = answer_show(&run, command);
	else
		status = reply_fail(&run, command);
	return run_close(&run, status);
}

/* ---- changing ---- */

static uint32_t key_count(const struct pr_run *run, uint64_t key)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < run->state.keys.count; i++)
		count += run->state.keys.key[i] == key;
	return count;
}

static int key_holds(const struct pr_run *run)
{
	const struct pr_reservation *r = &run->state.reservation;

	return r->is_held && (pr_type_is_all_registrants(r->type) ? key_count(run, run->key) > 0
								  : r->key == run->key);
}

/* Why a reservation or key was in the way, by what is there now. */
static void conflict_explain(const struct pr_run *run, enum pr_command command, struct err *err)
{
	char key[PR_KEY_TEXT_BYTES], held[64];
	const char *name = pr_client_name(run->client), *word = pr_command_word(command);

	pr_reservation_text(&run->state.reservation, held, sizeof held);
	if (command == PR_REGISTER || command == PR_REGISTER_AND_IGNORE)
		err_set(err, RC_STATE,
			"give --old-key with the key that it has now, or --ignore-existing",
			"%s: %s: this initiator port is registered with another key, or with none",
			name, word);
	else if (key_count(run, run->key) == 0)
		err_set(err, RC_STATE,
			"if it was ejected, let the node join again; by hand: --register",
			"%s: %s: key %s is not registered", name, word, pr_key_text(run->key, key));
	else if (run->victim && key_count(run, run->victim) == 0)
		err_set(err, RC_STATE, "\"holdfast pr keys\" tells what is registered",
			"%s: %s: key %s is not registered; reservation: %s", name, word,
			pr_key_text(run->victim, key), held);
	else if (command == PR_RESERVE && run->state.reservation.is_held && !key_holds(run))
		err_set(err, RC_STATE, "release or preempt that first", "%s: %s: it is held: %s",
			name, word, held);
	else if (command == PR_RESERVE && run->state.reservation.is_held &&
		 run->state.reservation.type != run->type)
		err_set(err, RC_STATE, "release it first, or give that type",
			"%s: %s: held with another type: %s", name, word, held);
	else
		err_set(err, RC_STATE,
			"register it by this session (--register); targets that tie a registration "
			"to its session lose it with each login",
			"%s: %s: key %s is registered, but not by this initiator port", name, word,
			pr_key_text(run->key, key));
}

/* Does the unit look as it should after the command? NULL, or what does not. */
static const char *state_lacks(const struct pr_run *run, enum pr_command command, int unregisters)
{
	const struct pr_reservation *r = &run->state.reservation;

	switch (command) {
	case PR_REGISTER:
	case PR_REGISTER_AND_IGNORE:
		if (unregisters)
			return NULL; /* another port, or another session, may have it as well */
		return key_count(run, run->key) ? NULL : "the key is not there";
	case PR_RESERVE:
		return key_holds(run) && r->type == run->type ? NULL
							      : "another reservation is there";
	case PR_RELEASE:
		return r->is_held && !pr_type_is_all_registrants(r->type) && r->key == run->key
			       ? "another session with this key holds it still"
			       : NULL;
	case PR_CLEAR:
		return run->state.keys.total ? "keys are there again" : NULL;
	default:
		return key_count(run, run->victim) ? "the ejected key is there again" : NULL;
	}
}

static void out_fill(const struct pr_run *run, enum pr_command command, int unregisters,
		     struct pr_out *out)
{
	const struct cli *cli = run->cli;

	*out = (struct pr_out){ .command = command, .key = run->key };
	switch (command) {
	case PR_REGISTER:
	case PR_REGISTER_AND_IGNORE:
		out->key = unregisters ? run->key : run->old_key;
		out->service_key = unregisters ? 0 : run->key;
		out->aptpl = !!(cli->given & OPTION_APTPL);
		out->all_target_ports = !!(cli->given & OPTION_ALL_PORTS);
		break;
	case PR_PREEMPT:
	case PR_PREEMPT_AND_ABORT:
		out->service_key = run->victim;
		out->type = run->type;
		break;
	case PR_RESERVE:
	case PR_RELEASE:
		out->type = run->type;
		break;
	default:
		break;
	}
}

/* The sentence for a command that was done. */
static void done_text(const struct pr_run *run, enum pr_command command, int unregisters,
		      char *text, size_t size)
{
	char key[PR_KEY_TEXT_BYTES];

	pr_key_text(run->key, key);
	switch (command) {
	case PR_REGISTER:
	case PR_REGISTER_AND_IGNORE:
		snprintf(text, size, "%s %s", key, unregisters ? "unregistered" : "registered");
		break;
	case PR_RESERVE:
		snprintf(text, size, "reserved by %s: %s", key, pr_type_word(run->type));
		break;
	case PR_RELEASE:
		snprintf(text, size, "not reserved by %s any more", key);
		break;
	case PR_CLEAR:
		snprintf(text, size, "all keys and the reservation removed");
		break;
	case PR_PREEMPT_AND_ABORT:
		snprintf(text, size, "%s ejected, its commands aborted",
			 pr_key_text(run->victim, key));
		break;
	default:
		snprintf(text, size, "%s ejected; commands that it has under way may still land",
			 pr_key_text(run->victim, key));
		break;
	}
}

/* Neither done nor in conflict: refused, or not known. Returns the exit status. */
static int not_done(struct pr_run *run, enum pr_command command, const struct pr_reply *reply)
{
	int status = reply_fail(run, command);

	if (pr_meaning_may_have_acted(reply->meaning)) {
		cli_warn(run->cli, "the outcome is unknown, and the command may act yet; look at "
				   "it with \"holdfast pr keys\" before anything else");
		pr_view_result(&run->out, command, "unknown", STYLE_WARN, "the outcome is unknown",
			       reply, NULL);
	} else {
		pr_view_result(&run->out, command,
			       pr_meaning_is_unsupported(reply->meaning) ? "unsupported"
									 : "refused",
			       STYLE_BAD, "not done", reply, NULL);
	}
	return status;
}

/* Send it, and look at what came of it. Returns the exit status. */
static int change(struct pr_run *run, enum pr_command command, int unregisters)
{
	struct pr_out out;
	struct pr_reply reply;
	struct err err = { 0 };
	const char *lacks;
	char text[200];

	out_fill(run, command, unregisters, &out);
	if (pr_client_out(run->client, &out, &run->answer, &err) != 0)
		return cli_fail(run->cli, &err);
	reply = run->answer.reply;
	pr_view_attentions(&run->out, &run->answer);
	if (reply.meaning != PR_MEANS_GOOD && reply.meaning != PR_MEANS_CONFLICT)
		return not_done(run, command, &reply);
	/* By what is read, not by what was sent. */
	if (state_read(run) != 0) {
		cli_warn(run->cli, "%s was answered %s, but cannot be read back",
			 pr_command_word(command), pr_meaning_word(reply.meaning));
		pr_view_result(&run->out, command, "unknown", STYLE_WARN, "not read back", &reply,
			       NULL);
		return CLI_EXIT_NOT;
	}
	if (reply.meaning == PR_MEANS_CONFLICT) {
		conflict_explain(run, command, &err);
		pr_view_result(&run->out, command, "conflict", STYLE_BAD,
			       "not done: RESERVATION CONFLICT", &reply, &run->state);
		return cli_fail(run->cli, &err);
	}
	lacks = state_lacks(run, command, unregisters);
	if (lacks) {
		snprintf(text, sizeof text, "answered as done, but %s", lacks);
		pr_view_result(&run->out, command, "conflict", STYLE_BAD, text, &reply,
			       &run->state);
		return CLI_EXIT_NOT;
	}
	done_text(run, command, unregisters, text, sizeof text);
	pr_view_result(&run->out, command, "done", STYLE_GOOD, text, &reply, &run->state);
	return CLI_EXIT_OK;
}

/* --register: our key, where none is. That it is there already is as good. */
static int register_first(struct pr_run *run)
{
	struct pr_out out = { .command = PR_REGISTER, .service_key = run->key };
	struct err err = { 0 };

	if (!(run->cli->given & OPTION_REGISTER))
		return 0;
	if (pr_client_out(run->client, &out, &run->answer, &err) != 0)
		return cli_fail(run->cli, &err);
	pr_view_attentions(&run->out, &run->answer);
	if (run->answer.reply.meaning == PR_MEANS_CONFLICT) {
		out.key = run->key; /* our key over our key: only where it is registered */
		if (pr_client_out(run->client, &out, &run->answer, &err) != 0)
			return cli_fail(run->cli, &err);
	}
	if (run->answer.reply.meaning == PR_MEANS_GOOD)
		return 0;
	if (run->answer.reply.meaning != PR_MEANS_CONFLICT)
		return reply_fail(run, PR_REGISTER);
	conflict_explain(run, PR_REGISTER, &err);
	return cli_fail(run->cli, &err);
}

/* ---- leave to throw others off ---- */

static int line_read(char *line, size_t size)
{
	size_t length;

	if (!fgets(line, (int)size, stdin))
		return 0;
	length = strlen(line);
	if (length == 0 || line[length - 1] != '\n')
		return 0;
	line[length - 1] = '\0';
	return 1;
}

/* Whom it hits, and what has to be typed for it. */
static void threat_text(const struct pr_run *run, enum pr_command command, char *what, size_t size,
			char *wanted, size_t wanted_size)
{
	char key[PR_KEY_TEXT_BYTES], held[64];
	uint32_t count = key_count(run, run->victim);

	pr_reservation_text(&run->state.reservation, held, sizeof held);
	if (command == PR_CLEAR) {
		snprintf(what, size,
			 "removes all %u keys from %s, and the reservation (%s): everybody may "
			 "write then",
			 run->state.keys.total, pr_client_name(run->client), held);
		snprintf(wanted, wanted_size, "%u", run->state.keys.total);
		return;
	}
	pr_key_text(run->victim, key);
	snprintf(what, size, "ejects %s from %s (registered %u times; reservation: %s)%s", key,
		 pr_client_name(run->client), count, held,
		 run->cli->given & OPTION_REGISTER
			 ? "; this side is registered first, also if it was itself ejected"
			 : "");
	snprintf(wanted, wanted_size, "%s", key);
}

/* 0: go on; else the exit status. */
static int confirm(struct pr_run *run, enum pr_command command)
{
	char what[512], wanted[32], line[64];
	int status = state_read(run);

	if (status)
		return status;
	if (command == PR_CLEAR && run->state.keys.total == key_count(run, run->key) &&
	    (run->state.keys.total > 0 || run->cli->given & OPTION_REGISTER))
		return 0; /* nobody else is there */
	threat_text(run, command, what, sizeof what, wanted, sizeof wanted);
	if (!run->cli->for_real) {
		cli_warn(run->cli, "this %s; nothing was done, give --for-real if it is meant",
			 what);
		return CLI_EXIT_USAGE;
	}
	if (run->cli->yes)
		return 0;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return cli_usage(run->cli,
				 "--for-real ejects others, and there is no terminal to ask on; "
				 "give --yes if it is meant");
	fprintf(stderr, "This %s.\nType %s %s to go on: ", what,
		command == PR_CLEAR ? "the number of keys," : "the key,", wanted);
	fflush(stderr);
	if (line_read(line, sizeof line) && strcmp(line, wanted) == 0)
		return 0;
	cli_warn(run->cli, "not confirmed; nothing was done");
	return CLI_EXIT_NOT;
}

/* ---- the subcommands that change ---- */

static int change_run(struct cli *cli)
{
	static struct pr_run run;
	int kind = cli->command->kind, unregisters = kind == UNREGISTER;
	enum pr_command command = unregisters ? PR_REGISTER : (enum pr_command)kind;
	int ejects = command == PR_PREEMPT || command == PR_CLEAR;
	int status = 0;

	if (command == PR_PREEMPT && cli->args_count == 2)
		status = key_option(cli, "the key to eject", cli->args[1], &run.victim);
	if (status == 0)
		status = run_open(&run, cli, 1, command == PR_PREEMPT ? 2 : 1);
	if (status)
		return run_close(&run, status);
	if (command == PR_REGISTER && cli->given & OPTION_IGNORE_EXISTING)
		command = PR_REGISTER_AND_IGNORE;
	if (command == PR_PREEMPT && cli->given & OPTION_ABORT)
		command = PR_PREEMPT_AND_ABORT;
	if (ejects && run.victim == run.key)
		status = cli_usage(cli, "the key to eject is the one of this side");
	if (ejects && status == 0)
		status = confirm(&run, command);
	if (status == 0)
		status = register_first(&run);
	if (status == 0)
		status = change(&run, command, unregisters);
	return run_close(&run, status);
}

/* ---- the table ---- */

#define OPTIONS_PATH (OPTIONS_OUTPUT | OPTION_TIMEOUT | OPTION_INITIATOR | OPTION_NEXUS)
#define OPTIONS_CHANGE (OPTIONS_PATH | OPTION_KEY)
#define OPTIONS_EJECT (OPTIONS_CHANGE | OPTION_REGISTER | OPTION_FOR_REAL | OPTION_YES)

const struct command pr_commands[] = {
	{ .name = "keys",
	  .args = "DISK",
	  .summary = "keys that are registered",
	  .details = "DISK is /dev/sdX, /dev/sgN, or iscsi://[user%pass@]host[:port]/iqn/lun.",
	  .options = OPTIONS_PATH,
	  .kind = PR_READ_KEYS,
	  .run = look_run },
	{ .name = "reservation",
	  .args = "DISK",
	  .summary = "who holds the reservation, and of which type",
	  .options = OPTIONS_PATH,
	  .kind = PR_READ_RESERVATION,
	  .run = look_run },
	{ .name = "capabilities",
	  .args = "DISK",
	  .summary = "what the target says that it can do",
	  .options = OPTIONS_PATH,
	  .kind = PR_REPORT_CAPABILITIES,
	  .run = look_run },
	{ .name = "full-status",
	  .args = "DISK",
	  .summary = "every registration with its initiator port",
	  .options = OPTIONS_PATH,
	  .kind = PR_READ_FULL_STATUS,
	  .run = look_run },
	{ .name = "register",
	  .args = "DISK",
	  .summary = "register a key, or put it in place of the one of this initiator port",
	  .options = OPTIONS_CHANGE | OPTION_OLD_KEY | OPTION_APTPL | OPTION_IGNORE_EXISTING |
		     OPTION_ALL_PORTS,
	  .kind = PR_REGISTER,
	  .run = change_run },
	{ .name = "unregister",
	  .args = "DISK",
	  .summary = "take the registration of this initiator port away",
	  .options = OPTIONS_CHANGE | OPTION_ALL_PORTS,
	  .kind = UNREGISTER,
	  .run = change_run },
	{ .name = "reserve",
	  .args = "DISK",
	  .summary = "take the reservation",
	  .options = OPTIONS_CHANGE | OPTION_TYPE | OPTION_REGISTER,
	  .kind = PR_RESERVE,
	  .run = change_run },
	{ .name = "release",
	  .args = "DISK",
	  .summary = "give the reservation up; registrations stay",
	  .options = OPTIONS_CHANGE | OPTION_TYPE,
	  .kind = PR_RELEASE,
	  .run = change_run },
	{ .name = "preempt",
	  .args = "DISK KEY",
	  .summary = "eject another key, and take its reservation if it holds it",
	  .details = "Without --for-real it shows whom it would hit, and does nothing.",
	  .options = OPTIONS_EJECT | OPTION_TYPE | OPTION_ABORT,
	  .kind = PR_PREEMPT,
	  .run = change_run },
	{ .name = "clear",
	  .args = "DISK",
	  .summary = "remove all keys and the reservation",
	  .details = "Without --for-real it shows whom it would hit, and does nothing.",
	  .options = OPTIONS_EJECT,
	  .kind = PR_CLEAR,
	  .run = change_run },
	{ .name = NULL },
};
