/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_ack_answer.c - the conversation with the operator, the answer, and the records of it.
 *
 * The answer is the proof that a cluster waits for (S5), so it is given by a person at a
 * terminal, who says in words what the power is and types the whole name of the machine. There
 * is no option that answers for the operator. An answer counts once the agent has taken it;
 * whether it has is seen, not assumed.
 */
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>
#include <utmpx.h>

#include "base/text.h"
#include "cli/ask.h"
#include "cli/fence.h"
#include "cli/fence_ack.h"
#include "fence-agents/fencer/fence_history.h"
#include "host/clock.h"

enum {
	TAKEN_WAIT_MS = 15000, /* an agent looks once a second; more for a busy machine */
	TAKEN_STEP_MS = 50,
};

/* ---- who is at the terminal ---- */

static void text_put(char *out, size_t size, const char *text)
{
	text_clean(out, size, text ? text : "", text ? strlen(text) : 0);
}

static void user_name(uid_t uid, char *out, size_t size)
{
	const struct passwd *entry = getpwuid(uid);
	char number[24];

	snprintf(number, sizeof number, "%u", (unsigned)uid);
	text_put(out, size, entry ? entry->pw_name : number);
}

/* The kernel's audit keeps the login's uid through su and sudo; -1 outside of a login. */
static void login_name(char *out, size_t size)
{
	FILE *file = fopen("/proc/self/loginuid", "re");
	char line[24] = "";
	unsigned long uid;

	out[0] = '\0';
	if (file && fgets(line, sizeof line, file)) {
		uid = strtoul(line, NULL, 10);
		if (line[0] >= '0' && line[0] <= '9' && uid != UINT32_MAX)
			user_name((uid_t)uid, out, size);
	}
	if (file)
		fclose(file);
}

/* Where the terminal's user sits: as the login record tells, else as ssh does. */
static void remote_name(const char *terminal, char *out, size_t size)
{
	const char *ssh = getenv("SSH_CONNECTION");
	struct utmpx key = { 0 }, *entry;

	out[0] = '\0';
	if (strncmp(terminal, "/dev/", 5) == 0) {
		size_t length = strnlen(terminal + 5, sizeof key.ut_line);

		memcpy(key.ut_line, terminal + 5, length);
		setutxent();
		entry = getutxline(&key);
		if (entry)
			text_clean(out, size, entry->ut_host,
				   strnlen(entry->ut_host, sizeof entry->ut_host));
		endutxent();
	}
	if (!out[0] && ssh)
		text_clean(out, size, ssh, strcspn(ssh, " "));
}

static void answer_fill(struct meat_answer *answer, const struct ack_item *item,
			enum meat_verdict verdict)
{
	const char *terminal = ttyname(STDIN_FILENO);

	*answer = (struct meat_answer){ .want = item->request.want, .verdict = verdict };
	memcpy(answer->id, item->request.id, sizeof answer->id);
	memcpy(answer->target, item->request.target, sizeof answer->target);
	memcpy(answer->boot_id, item->store->boot_id, sizeof answer->boot_id);
	user_name(getuid(), answer->operator_name, sizeof answer->operator_name);
	login_name(answer->login, sizeof answer->login);
	text_put(answer->sudo_user, sizeof answer->sudo_user, getenv("SUDO_USER"));
	text_put(answer->terminal, sizeof answer->terminal, terminal ? terminal : "no terminal");
	remote_name(answer->terminal, answer->remote, sizeof answer->remote);
	answer->answered_at_s = time(NULL);
	answer->answered = clock_now();
}

/* ---- records ---- */

static void record(const struct ack *ack, const struct ack_item *item,
		   const struct meat_answer *answer, int rc, const char *what)
{
	const struct meat_request *r = &item->request;
	char who[4 * MEAT_NAME_MAX], message[8 * MEAT_NAME_MAX];
	const char *person = answer->login[0]	    ? answer->login
			     : answer->sudo_user[0] ? answer->sudo_user
						    : answer->operator_name;
	/* What the agent makes of it is recorded by whoever runs the agent: proof is his word. */
	const struct fence_history_record line = {
		.time_s = answer->answered_at_s,
		.kind = FENCE_HISTORY_TARGET,
		.operation = answer->verdict == MEAT_VERDICT_DONE ? "ack" : "ack-cancel",
		.target = r->target,
		.device = "",
		.plugs = "",
		.result = rc ? rc_word(rc) : "ok",
		.state = power_word(answer->verdict == MEAT_VERDICT_DONE ? r->want : POWER_UNKNOWN),
		.proof = proof_word(rc == 0 && answer->verdict == MEAT_VERDICT_DONE ? PROOF_ACCEPTED
										    : PROOF_NONE),
		.elapsed_ms = mono_diff_ms(r->asked, answer->answered),
		.message = message,
		.operator_name = person,
	};
	struct err err = { 0 };

	ack_who(answer, who, sizeof who);
	snprintf(message, sizeof message, "%s: request %s of %s[%" PRId64 "], switch %s, by %s",
		 what, r->id, r->host, r->pid, ack_want(r->want), who);
	openlog("holdfast", LOG_PID, LOG_AUTHPRIV);
	syslog(LOG_NOTICE, "fence ack %s: %s", r->target, message);
	closelog();
	if (ack->conf && fence_history_append(ack->conf->history_path, &line, 1, &err) != 0)
		cli_warn(ack->cli, "the history could not be written: %s", err.text);
}

/* ---- answering ---- */

/* Wait until the agent has taken the answer, or can no longer do so. */
static int answer_settle(struct ack_item *item, int fd)
{
	mono_t until = mono_add_ms(clock_now(), TAKEN_WAIT_MS);
	struct meat_request found;

	for (;;) {
		item->standing = meat_request_standing(item->store, item->request.id, &found);
		/* Looked at last: it may have been taken just before the request went. */
		if (meat_answer_taken(fd))
			return 1;
		if (item->standing != MEAT_WAITING || mono_reached(clock_now(), until))
			return 0;
		clock_sleep_until(mono_add_ms(clock_now(), TAKEN_STEP_MS));
	}
}

static int answer_give(const struct ack *ack, struct ack_item *item, enum meat_verdict verdict)
{
	int done = verdict == MEAT_VERDICT_DONE;
	struct meat_answer answer;
	struct err err = { 0 };
	int fd, taken;

	answer_fill(&answer, item, verdict);
	if (meat_answer_write(item->store, &answer, &fd, &err) != 0)
		return cli_fail(ack->cli, &err);
	taken = answer_settle(item, fd);
	close(fd);
	if (taken) {
		record(ack, item, &answer, done ? 0 : RC_CANCELLED,
		       done ? "acknowledged" : "refused");
		printf("%s: %s; the agent has taken it\n", item->request.target,
		       done ? "acknowledged" : "refused");
		return CLI_EXIT_OK;
	}
	if (item->standing == MEAT_WAITING) {
		record(ack, item, &answer, RC_BUSY, "given, but not taken yet");
		cli_warn(ack->cli,
			 "%s: the answer is written, but the agent (process %" PRId64
			 ") has not taken it; see \"holdfast fence ack\" again",
			 item->request.target, item->request.pid);
		return CLI_EXIT_NOT;
	}
	meat_answer_remove(item->store, answer.id);
	record(ack, item, &answer, RC_TIMEOUT, "came too late");
	cli_warn(ack->cli, "%s: too late, the agent waits no longer; nothing was acknowledged",
		 item->request.target);
	return CLI_EXIT_NOT;
}

int ack_refuse(const struct ack *ack, struct ack_item *item)
{
	return answer_give(ack, item, MEAT_VERDICT_REFUSED);
}

/* ---- the conversation ---- */

int ack_terminal_check(const struct ack *ack)
{
	if (ask_is_possible())
		return 0;
	cli_warn(ack->cli, "an acknowledgement is given by a human at a terminal, and this is "
			   "none; nothing was acknowledged");
	return CLI_EXIT_NOT;
}

static void request_show(const struct meat_request *r)
{
	char date[32], since[32], left[32];

	fence_date_time(r->asked_at_s, date, sizeof date);
	ack_duration(mono_diff_ms(r->asked, clock_now()), since, sizeof since);
	ack_duration(mono_left_ms(clock_now(), r->expires), left, sizeof left);
	fprintf(stderr, "Switch %s %s\n", ack_want(r->want), r->target);
	fprintf(stderr, "  what      %s\n", r->task);
	fprintf(stderr, "  why       %s\n", r->reason[0] ? r->reason : "(no reason given)");
	fprintf(stderr, "  asked by  %s, process %" PRId64 "%s%s\n", r->host, r->pid,
		r->caller[0] ? ", started by " : "", r->caller);
	fprintf(stderr, "  since     %s (%s ago)\n", date, since);
	fprintf(stderr, "  expires   %s%s\n", mono_is_never(r->expires) ? "" : "in ",
		mono_is_never(r->expires) ? "never" : left);
	fprintf(stderr, "  request   %s\n\n", r->id);
	if (r->want == POWER_OFF)
		fprintf(stderr,
			"Once you acknowledge, others take over the disks of %s. If it still runs "
			"then,\nits data is destroyed. Acknowledge only what you have seen.\n\n",
			r->target);
}

static int not_confirmed(const struct ack *ack, const char *why)
{
	cli_warn(ack->cli, "%s; nothing was acknowledged", why);
	return CLI_EXIT_NOT;
}

int ack_confirm(const struct ack *ack, struct ack_item *item)
{
	const char *want = power_word(item->request.want);
	char prompt[MEAT_TARGET_MAX + 96], line[MEAT_TARGET_MAX + 64];
	struct meat_request found;
	enum meat_standing standing;

	request_show(&item->request);
	snprintf(prompt, sizeof prompt,
		 "The power of %s, as you see it (on, off): ", item->request.target);
	if (!ask_line(prompt, line, sizeof line) || strcmp(line, want) != 0)
		return not_confirmed(ack, item->request.want == POWER_OFF
						  ? "it was not said to be off"
						  : "it was not said to be on");
	snprintf(prompt, sizeof prompt,
		 "The exact name of the machine that you have seen %s: ", want);
	if (!ask_line(prompt, line, sizeof line) || strcmp(line, item->request.target) != 0)
		return not_confirmed(ack, "that is not its exact name");
	/* The conversation took time. */
	standing = meat_request_standing(item->store, item->request.id, &found);
	if (standing != MEAT_WAITING)
		return not_confirmed(ack, meat_standing_reason(standing));
	return answer_give(ack, item, MEAT_VERDICT_DONE);
}
