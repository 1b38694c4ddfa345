/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lock_claim.c - `holdfast lock claim` and `holdfast lock record`: the cluster lock, through lockd.
 *
 * For operators who want to see it work, and for scripts that arbitrate by it: exit status 0 says
 * that this node may go on, and nothing else says so.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/cmd_lock.h"
#include "cli/options.h"
#include "cli/output.h"
#include "host/clock.h"
#include "lockd/client/lockd_client_io.h"

enum {
	CLAIM_MS = 10000,
	MARGIN_MS = 2000, /* lockd's own answer comes first */
	NODES_MOST = 64,
	VALUE_BYTES = 200,
	TEXT_BYTES = 512,
	NUMBER_BYTES = 24,
};

/* ---- arguments ---- */

static int epoch_read(const struct cli *cli, json_int_t *epoch)
{
	char *end = NULL;

	errno = 0;
	*epoch = cli->epoch ? strtoll(cli->epoch, &end, 10) : 0;
	if (!cli->epoch)
		return cli_usage(cli, "--epoch: which decision is claimed?");
	if (errno || *end || strspn(cli->epoch, "0123456789") == 0 || *epoch < 1)
		return cli_usage(cli, "--epoch %s: expected a whole number from 1 on", cli->epoch);
	return 0;
}

static int members_wrong(const struct cli *cli)
{
	return cli_usage(cli, "--members %s: expected numbers of nodes, as in 1,2,5-7",
			 cli->members);
}

/* "1,2,5-7" */
static int members_read(const struct cli *cli, json_t *array)
{
	const char *at = cli->members;

	while (*at) {
		char *end;
		long first = strtol(at, &end, 10), last = first;

		if (end == at || *at < '0' || *at > '9')
			return members_wrong(cli);
		if (*end == '-' && end[1] >= '0' && end[1] <= '9')
			last = strtol(end + 1, &end, 10);
		if (first < 1 || last < first || last > NODES_MOST ||
		    (*end && (*end != ',' || !end[1])))
			return members_wrong(cli);
		for (long n = first; n <= last; n++)
			json_array_append_new(array, json_integer(n));
		at = end + (*end == ',');
	}
	return json_array_size(array) ? 0 : members_wrong(cli);
}

/* ---- the answer ---- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void members_text(const json_t *answer, char *text, size_t size)
{
	const json_t *item;
	size_t i, at = 0;

	text[0] = '\0';
	json_array_foreach (json_object_get(answer, "members"), i, item) {
		int length = snprintf(text + at, size - at, "%s%" JSON_INTEGER_FORMAT, i ? "," : "",
				      json_integer_value(item));

		if (length < 0 || at + (size_t)length >= size)
			return;
		at += (size_t)length;
	}
}

static void decision_text(const json_t *answer, char *text, size_t size)
{
	char members[TEXT_BYTES], value[TEXT_BYTES];
	const char *raw = text_of(answer, "value"), *name = text_of(answer, "winner_name");

	members_text(answer, members, sizeof members);
	if (json_object_get(answer, "value"))
		text_clean(value, sizeof value, raw, strlen(raw));
	else
		snprintf(value, sizeof value, "0x%s", text_of(answer, "value_hex"));
	snprintf(text, size,
		 "node %" JSON_INTEGER_FORMAT "%s%s%s goes on, with members %s%s%.200s%s",
		 json_integer_value(json_object_get(answer, "winner")), name[0] ? " (" : "", name,
		 name[0] ? ")" : "", members, value[0] ? ", value \"" : "", value,
		 value[0] ? "\"" : "");
}

/* Print it; 1 when it is `good`. */
static int answer_print(struct output *out, json_t *answer, const char *kind, const char *good)
{
	const char *outcome = text_of(answer, "outcome");
	json_int_t epoch = json_integer_value(json_object_get(answer, "epoch"));
	int is_good = strcmp(outcome, good) == 0;
	json_t *object = json_object();
	char text[2 * TEXT_BYTES];

	if (json_object_get(answer, "winner")) {
		decision_text(answer, text, sizeof text);
		output_line(out, is_good ? STYLE_GOOD : STYLE_BAD,
			    "%s: epoch %" JSON_INTEGER_FORMAT ": %s", outcome, epoch, text);
	} else if (strcmp(outcome, "nothing") == 0) {
		output_line(out, STYLE_PLAIN, "nothing was decided yet");
		is_good = 1;
	} else {
		output_line(out, STYLE_WARN, "%s: %s", outcome, text_of(answer, "why"));
	}
	object_put_text(out, object, "kind", kind);
	json_object_del(answer, "v");
	json_object_del(answer, "id");
	json_object_del(answer, "ok");
	json_object_update(object, answer);
	output_object(out, object);
	return is_good;
}

static int ask(struct cli *cli, const char *op, json_t *fields, const char *kind, const char *good)
{
	int64_t timeout_ms = cli->timeout_ms ? cli->timeout_ms : CLAIM_MS;
	mono_t deadline = mono_add_ms(clock_now(), timeout_ms + MARGIN_MS);
	struct lockd_client *client = NULL;
	struct err err = { 0 };
	json_t *answer = NULL;
	struct output out;
	int rc, is_good;

	json_object_set_new(fields, "timeout_ms", json_integer(timeout_ms));
	rc = lockd_client_open(&client, NULL, deadline, &err);
	if (rc == 0)
		rc = lockd_client_call(client, op, fields, deadline, NULL, NULL, &answer, &err);
	else
		json_decref(fields);
	if (client)
		lockd_client_close(client);
	if (rc)
		return cli_fail(cli, &err);
	output_init(&out, cli);
	is_good = answer_print(&out, answer, kind, good);
	json_decref(answer);
	return output_finish(&out, cli, is_good ? CLI_EXIT_OK : CLI_EXIT_NOT);
}

int lock_claim_command(struct cli *cli)
{
	json_t *fields, *members = NULL;
	json_int_t epoch;
	int status = epoch_read(cli, &epoch);

	if (status)
		return status;
	if (cli->args_count > 1)
		return cli_usage(cli, "one value at most");
	if (cli->args_count == 1 && strlen(cli->args[0]) > VALUE_BYTES)
		return cli_usage(cli, "the value is longer than %d bytes", VALUE_BYTES);
	if (cli->members) {
		members = json_array();
		status = members_read(cli, members);
		if (status) {
			json_decref(members);
			return status;
		}
	}
	fields = json_pack("{s:I}", "epoch", epoch);
	if (members)
		json_object_set_new(fields, "members", members);
	if (cli->args_count == 1 &&
	    json_object_set_new(fields, "value", json_string(cli->args[0])) != 0) {
		json_decref(fields);
		return cli_usage(cli, "the value is not UTF-8");
	}
	return ask(cli, "claim", fields, "claim", "granted");
}

int lock_record_command(struct cli *cli)
{
	if (cli->args_count)
		return cli_usage(cli, "%s: no argument is expected", cli->args[0]);
	return ask(cli, "record", json_object(), "record", "decided");
}
