/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lock_list.c - `holdfast lock list`, `show` and `break`: the named locks, as lockd knows them.
 *
 * There is no option that answers for the operator: where the end of a holder cannot be proven, the
 * name has to be typed on a terminal.
 */
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/ask.h"
#include "cli/cmd_lock.h"
#include "cli/output.h"
#include "host/clock.h"
#include "lockd/client/lockd_client_io.h"

enum { ANSWER_MS = 30000, TEXT_BYTES = 160 };

int lock_name_check(const struct cli *cli, const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789.-_:/@";
	size_t length = strlen(name);

	if (length > 0 && length <= 63 && strspn(name, letters) == length)
		return 0;
	return cli_usage(cli, "\"%s\": a lock's name is 1 to 63 letters, digits and . - _ : / @",
			 name);
}

void lock_user(char *text, size_t size)
{
	const char *sudo = getenv("SUDO_USER");
	const struct passwd *user = sudo && sudo[0] ? NULL : getpwuid(getuid());
	char number[32];

	snprintf(number, sizeof number, "uid %u", (unsigned)getuid());
	if (user)
		sudo = user->pw_name;
	else if (!sudo || !sudo[0])
		sudo = number;
	text_clean(text, size, sudo, strlen(sudo));
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static long long number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* ---- list ---- */

static void time_text(long long seconds, char *text, size_t size)
{
	time_t when = (time_t)seconds;
	struct tm parts;

	if (!localtime_r(&when, &parts) || !strftime(text, size, "%F %T", &parts))
		snprintf(text, size, "%lld", seconds);
}

static void node_text(const json_t *lock, char *text, size_t size)
{
	const char *name = text_of(lock, "node_name");

	if (name[0])
		snprintf(text, size, "%s (%lld)", name, number_of(lock, "node"));
	else
		snprintf(text, size, "node %lld", number_of(lock, "node"));
}

static enum output_style state_text(const json_t *lock, char *text, size_t size)
{
	const char *state = text_of(lock, "state"), *fate = text_of(lock, "fate");

	if (strcmp(state, "held") != 0) {
		snprintf(text, size, "free (%s%s)", state,
			 json_is_true(json_object_get(lock, "vouched")) ? ", vouched for" : "");
		return STYLE_PLAIN;
	}
	if (strcmp(fate, "pending") == 0) {
		snprintf(text, size, "held, holder silent: over in %lld ms",
			 number_of(lock, "in_ms"));
		return STYLE_WARN;
	}
	if (strcmp(fate, "unprovable") == 0) {
		snprintf(text, size, "held, holder silent, no watchdog");
		return STYLE_BAD;
	}
	if (strcmp(fate, "over") == 0) {
		snprintf(text, size, "held, holder over: for the next who wants it");
		return STYLE_WARN;
	}
	snprintf(text, size, "held");
	return STYLE_GOOD;
}

static void lock_row(struct output *out, const json_t *lock)
{
	char state[TEXT_BYTES], node[TEXT_BYTES], since[32], term[24];
	enum output_style style = state_text(lock, state, sizeof state);
	const struct output_cell cells[] = {
		{ text_of(lock, "name"), STYLE_PLAIN },
		{ state, style },
		{ node, STYLE_PLAIN },
		{ term, STYLE_PLAIN },
		{ since, STYLE_FAINT },
		{ text_of(lock, "by"), STYLE_PLAIN },
		{ text_of(lock, "command"), STYLE_FAINT },
	};

	node_text(lock, node, sizeof node);
	time_text(number_of(lock, "since_s"), since, sizeof since);
	snprintf(term, sizeof term, "%lld", number_of(lock, "term"));
	output_row(out, cells, sizeof cells / sizeof cells[0]);
}

/* All of one lock. */
static void lock_lines(struct output *out, const json_t *lock)
{
	char state[TEXT_BYTES], node[TEXT_BYTES], since[32];
	enum output_style style = state_text(lock, state, sizeof state);

	node_text(lock, node, sizeof node);
	time_text(number_of(lock, "since_s"), since, sizeof since);
	output_line(out, style, "%s: %s", text_of(lock, "name"), state);
	output_line(out, STYLE_PLAIN, "  node       %s", node);
	output_line(out, STYLE_PLAIN, "  term       %lld, since %s", number_of(lock, "term"),
		    since);
	output_line(out, STYLE_PLAIN, "  by         %s", text_of(lock, "by"));
	if (text_of(lock, "command")[0])
		output_line(out, STYLE_PLAIN, "  command    %s", text_of(lock, "command"));
	if (text_of(lock, "fate")[0])
		output_line(out, STYLE_PLAIN, "  holder     %s, incarnation %lld",
			    text_of(lock, "fate"), number_of(lock, "incarnation"));
	output_line(out, STYLE_FAINT, "  place      %lld on the disks", number_of(lock, "slot"));
}

/* The lock whose name follows `last`; NULL when there is none. */
static const json_t *next_by_name(const json_t *all, const char *last)
{
	const json_t *next = NULL;

	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *lock = json_array_get(all, i);

		if (strcmp(text_of(lock, "name"), last) > 0 &&
		    (!next || strcmp(text_of(lock, "name"), text_of(next, "name")) < 0))
			next = lock;
	}
	return next;
}

static int is_wanted(const struct cli *cli, const json_t *lock, int *found)
{
	int wanted = cli->args_count == 0;

	for (size_t i = 0; i < cli->args_count; i++)
		if (strcmp(cli->args[i], text_of(lock, "name")) == 0)
			wanted = found[i] = 1;
	return wanted;
}

/* All of them, over as many requests as it takes. */
static int locks_read(struct lockd_client *client, json_t *all, long long *unread, struct err *err)
{
	mono_t deadline = mono_add_ms(clock_now(), ANSWER_MS);
	json_t *next = json_integer(0);

	while (next) {
		json_t *answer;
		int rc = lockd_client_call(client, "locks", json_pack("{s:o}", "from", next),
					   deadline, NULL, NULL, &answer, err);

		if (rc)
			return rc;
		json_array_extend(all, json_object_get(answer, "locks"));
		*unread += number_of(answer, "unread");
		next = json_incref(json_object_get(answer, "next"));
		json_decref(answer);
	}
	return 0;
}

static int locks_show(const struct cli *cli, const json_t *all, int *found)
{
	static const char *const headings[] = { "NAME",	 "STATE", "NODE",   "TERM",
						"SINCE", "BY",	  "COMMAND" };
	const json_t *lock = next_by_name(all, "");
	struct output out;

	int whole = cli->command->kind == LOCK_SHOW;

	output_init(&out, cli);
	if (!whole)
		output_begin(&out, headings, sizeof headings / sizeof headings[0]);
	for (; lock; lock = next_by_name(all, text_of(lock, "name"))) {
		if (!is_wanted(cli, lock, found))
			continue;
		if (whole)
			lock_lines(&out, lock);
		else
			lock_row(&out, lock);
		output_object(&out, json_deep_copy(lock));
	}
	if (!whole)
		output_end(&out);
	return output_finish(&out, cli, CLI_EXIT_OK);
}

int lock_list_command(struct cli *cli)
{
	struct lockd_client *client = NULL;
	struct err err = { .rc = 0 };
	int *found = calloc(cli->args_count + 1, sizeof *found);
	json_t *all = json_array();
	long long unread = 0;
	int status;

	if (cli->command->kind == LOCK_SHOW && cli->args_count == 0) {
		free(found);
		json_decref(all);
		return cli_usage(cli, "the name of a lock is missing");
	}
	for (size_t i = 0; i < cli->args_count; i++)
		if (lock_name_check(cli, cli->args[i])) {
			free(found);
			json_decref(all);
			return CLI_EXIT_USAGE;
		}
	if (!found || lockd_client_open(&client, NULL, mono_add_ms(clock_now(), ANSWER_MS), &err) ||
	    locks_read(client, all, &unread, &err)) {
		cli_fail(cli, &err);
		status = CLI_EXIT_NOT;
	} else {
		status = locks_show(cli, all, found);
		for (size_t i = 0; i < cli->args_count; i++)
			if (!found[i]) {
				cli_warn(cli, "%s: there is no lock of that name", cli->args[i]);
				status = CLI_EXIT_NOT;
			}
		if (unread) {
			cli_warn(cli,
				 "%lld of the locks could not be read; see holdfast disk doctor",
				 unread);
			status = CLI_EXIT_NOT;
		}
	}
	lockd_client_close(client);
	json_decref(all);
	free(found);
	return status;
}

/* ---- break ---- */

static int break_ask(struct lockd_client *client, const char *name, const json_t *confirm,
		     json_t **answer, struct err *err)
{
	json_t *fields;
	char user[64];

	lock_user(user, sizeof user);
	fields = json_pack("{s:s, s:s}", "name", name, "by", user);
	if (confirm) {
		json_object_set_new(fields, "confirm", json_string(name));
		json_object_set(fields, "term", json_object_get(confirm, "term"));
	}
	return lockd_client_call(client, "break", fields, mono_add_ms(clock_now(), ANSWER_MS), NULL,
				 NULL, answer, err);
}

static void holder_text(const json_t *answer, char *text, size_t size)
{
	const char *name = text_of(answer, "holder");

	if (name[0])
		snprintf(text, size, "%s (node %lld)", name, number_of(answer, "holder_node"));
	else
		snprintf(text, size, "node %lld", number_of(answer, "holder_node"));
}

/* 1: the operator vouches for it. */
static int operator_vouches(const struct cli *cli, const char *name, const json_t *answer)
{
	char holder[TEXT_BYTES], line[128];

	holder_text(answer, holder, sizeof holder);
	fprintf(stderr,
		"Lock %s is held by %s, which is silent and publishes no watchdog:\n"
		"nothing proves that its command has ended%s%s.\n"
		"By breaking the lock you vouch that %s is switched off, or that nothing of that\n"
		"command runs there any more and will not run again. If that is not so, two nodes\n"
		"will do at the same time what this lock was to prevent.\n",
		name, holder, text_of(answer, "command")[0] ? ": " : "", text_of(answer, "command"),
		holder);
	if (!ask_is_possible()) {
		cli_warn(cli, "%s: not broken; run it on a terminal, it asks for the lock's name",
			 name);
		return 0;
	}
	if (ask_line("Type the name of the lock to break it: ", line, sizeof line) &&
	    strcmp(line, name) == 0)
		return 1;
	cli_warn(cli, "%s: not broken: that is not its name", name);
	return 0;
}

static int break_show(const struct cli *cli, const char *name, const json_t *answer)
{
	struct output out;

	output_init(&out, cli);
	if (strcmp(text_of(answer, "state"), "free") == 0) {
		output_line(&out, STYLE_PLAIN, "%s: nobody holds it", name);
	} else {
		char holder[TEXT_BYTES];

		holder_text(answer, holder, sizeof holder);
		output_line(&out, STYLE_GOOD, "%s: broken; its holder was %s", name, holder);
	}
	output_object(&out, json_deep_copy(answer));
	return output_finish(&out, cli, CLI_EXIT_OK);
}

int lock_break_command(struct cli *cli)
{
	struct lockd_client *client = NULL;
	json_t *answer = NULL, *confirm = NULL;
	struct err err = { .rc = 0 };
	const char *name;
	int status, rc;

	if (cli->args_count != 1)
		return cli_usage(cli, "expected one NAME");
	name = cli->args[0];
	if (lock_name_check(cli, name))
		return CLI_EXIT_USAGE;
	rc = lockd_client_open(&client, NULL, mono_add_ms(clock_now(), ANSWER_MS), &err);
	if (rc == 0)
		rc = break_ask(client, name, NULL, &answer, &err);
	if (rc == 0 && strcmp(text_of(answer, "state"), "confirm") == 0) {
		confirm = answer;
		answer = NULL;
		rc = operator_vouches(cli, name, confirm)
			     ? break_ask(client, name, confirm, &answer, &err)
			     : RC_CANCELLED;
	}
	/* Another holder than the one that was vouched for. */
	if (rc == 0 && strcmp(text_of(answer, "state"), "confirm") == 0)
		rc = err_set(&err, RC_STATE, "look again: holdfast lock list",
			     "%s: not broken: it has another holder now", name);
	if (rc) {
		if (rc != RC_CANCELLED)
			cli_fail(cli, &err);
		status = CLI_EXIT_NOT;
	} else {
		status = break_show(cli, name, answer);
	}
	lockd_client_close(client);
	json_decref(confirm);
	json_decref(answer);
	return status;
}
