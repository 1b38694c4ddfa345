/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: base host lockd/pr_ability_io.c lockd/pr_cdb_wire.c lockd/pr_sense_wire.c tests/sim/pr_model.c tests/sim/pr_access.c pkg:libuv pkg:cmocka
 *
 * test_pr_ability.c - what the trial of a unit's reservations leaves behind when answers are lost at
 * any of its commands, and when a signal comes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lockd/pr_ability_io.h"
#include "lockd/pr_client_io.h"
#include "lockd/pr_sense_wire.h"
#include "tests/sim/pr_model.h"

enum { COMMANDS_MOST = 60 };

static struct pr_model model;
static unsigned commands, silent_from, signal_at;
static int heals; /* a new session answers */
static size_t keys_at_signal;
static int signals, was_signalled;

struct pr_client {
	int nexus, is_silent;
};

static void command(struct pr_client *client, const uint8_t *cdb, const uint8_t *list, size_t bytes,
		    struct pr_client_answer *answer)
{
	static struct pr_model_answer said;

	commands++;
	if (commands == signal_at && !was_signalled) {
		was_signalled = 1;
		kill(getpid(), SIGTERM);
	}
	/* The command that falls silent first was done. */
	if (commands == silent_from)
		client->is_silent = 1;
	else if (client->is_silent) {
		*answer = (struct pr_client_answer){ .reply = { .meaning = PR_MEANS_NO_ANSWER } };
		return;
	}
	pr_model_command(&model, client->nexus, cdb, list, bytes, &said);
	*answer = (struct pr_client_answer){ .reply = { .meaning = PR_MEANS_NO_ANSWER } };
	err_set(&answer->err, RC_TIMEOUT, NULL, "no answer");
	if (client->is_silent)
		return;
	pr_reply_in(said.status, said.sense, said.sense_bytes, &answer->reply);
	answer->bytes = (uint32_t)said.bytes;
	memcpy(answer->data, said.data, said.bytes);
	if (answer->reply.meaning == PR_MEANS_ATTENTION) {
		commands--;
		command(client, cdb, list, bytes, answer);
	}
}

int pr_client_open(const char *url, const struct pr_client_options *options,
		   struct pr_client **client, struct err *err)
{
	struct pr_initiator initiator = { .protocol = PR_PROTOCOL_ISCSI,
					  .name = "iqn.2026-11.test.holdfast:t",
					  .has_isid = 1 };

	(void)url;
	(void)err;
	initiator.isid[5] = options->disk.nexus;
	*client = calloc(1, sizeof **client);
	(*client)->nexus = pr_model_nexus(&model, &initiator, 1);
	pr_model_login(&model, (*client)->nexus);
	return 0;
}

void pr_client_close(struct pr_client *client)
{
	free(client);
}

void pr_client_scsi(struct pr_client *client, const uint8_t *cdb, size_t cdb_bytes,
		    enum disk_direction direction, const void *data, uint32_t bytes,
		    struct pr_client_answer *answer)
{
	uint8_t whole[16] = { 0 };

	(void)direction;
	memcpy(whole, cdb, cdb_bytes);
	command(client, whole, data, bytes, answer);
}

void pr_client_in(struct pr_client *client, enum pr_command what, struct pr_client_answer *answer)
{
	uint8_t cdb[16] = { 0 };

	pr_in_encode(what, cdb);
	command(client, cdb, NULL, 0, answer);
}

int pr_client_out(struct pr_client *client, const struct pr_out *out,
		  struct pr_client_answer *answer, struct err *err)
{
	uint8_t cdb[16] = { 0 }, list[PR_LIST_BYTES_MAX];
	uint32_t bytes = pr_out_encode(out, cdb, list, err);

	assert_true(bytes != 0);
	command(client, cdb, list, bytes, answer);
	return 0;
}

int pr_client_login(struct pr_client *client, struct err *err)
{
	if (!heals)
		return err_set(err, RC_TIMEOUT, NULL, "no answer");
	client->is_silent = 0;
	pr_model_login(&model, client->nexus);
	return 0;
}

static int probe(struct pr_ability *ability)
{
	const struct pr_ability_options options = { .nexus = 160,
						    .timeout_ms = 1,
						    .may_change = 1 };
	struct err err;

	pr_model_init(&model, NULL, 1);
	commands = 0;
	return pr_ability_probe("iscsi://unit", &options, ability, &err);
}

/* At each command of the trial. */
static void test_silence(void **state)
{
	struct pr_ability ability;
	unsigned all, left = 0;

	(void)state;
	silent_from = 0;
	assert_int_equal(probe(&ability), 0);
	assert_string_equal(ability.missing, "");
	assert_int_equal(ability.arbitrates, PR_ABILITY_YES);
	assert_int_equal(model.registrations_count, 0);
	all = commands;
	assert_true(all > 10 && all < COMMANDS_MOST);
	for (silent_from = 1; silent_from <= all; silent_from++) {
		heals = 1;
		if (probe(&ability) == 0)
			assert_int_equal(ability.left_behind[0] | ability.left_behind[1], 0);
		assert_int_equal(model.registrations_count, 0);
		heals = 0;
		if (probe(&ability) != 0) {
			assert_int_equal(model.registrations_count, 0);
			continue;
		}
		/* What is there is told. */
		for (size_t i = 0; i < model.registrations_count; i++) {
			char text[PR_KEY_TEXT_BYTES];
			uint64_t key = model.registrations[i].key;

			left++;
			assert_true(key == ability.left_behind[0] || key == ability.left_behind[1]);
			assert_non_null(strstr(ability.missing, pr_key_text(key, text)));
			assert_int_not_equal(ability.arbitrates, PR_ABILITY_YES);
		}
	}
	silent_from = 0;
	assert_true(left > 0);
}

static void signalled(int number)
{
	(void)number;
	signals++;
	keys_at_signal += model.registrations_count;
}

static void test_a_signal_waits(void **state)
{
	const struct sigaction action = { .sa_handler = signalled };
	struct sigaction before;
	struct pr_ability ability;
	unsigned all;

	(void)state;
	assert_int_equal(probe(&ability), 0);
	all = commands;
	sigaction(SIGTERM, &action, &before);
	for (signal_at = 1; signal_at <= all; signal_at++) {
		signals = was_signalled = 0;
		assert_int_equal(probe(&ability), 0);
		assert_int_equal(ability.arbitrates, PR_ABILITY_YES);
		assert_int_equal(signals, 1);
	}
	signal_at = 0;
	sigaction(SIGTERM, &before, NULL);
	assert_int_equal(keys_at_signal, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_a_signal_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
