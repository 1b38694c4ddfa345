/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lock_status.c - `holdfast lock status`: what this node's lockd says of itself, its disks, the other
 * nodes.
 *
 * Callers: cmd_lock.c. All of it is one answer of lockd (docs/lockd-protocol.md, "status"), which the
 * JSON output hands on as it is.
 */
#include <inttypes.h>
#include <string.h>

#include "cli/cmd_lock.h"
#include "cli/output.h"
#include "host/clock.h"
#include "lockd/client/lockd_client_io.h"

enum { ANSWER_MS = 5000, CELL_MAX = 64 };

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static long long number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static int is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

/* ---- this node ---- */

static void lease_line(struct output *out, const json_t *answer)
{
	const json_t *lease = json_object_get(answer, "lease");
	int is_node = strcmp(text_of(lease, "expiry"), "node") == 0;

	if (is_true(lease, "valid"))
		output_line(out, STYLE_PLAIN,
			    "  lease      %lld ms, %lld ms left; %lld lock(s) rest on it",
			    number_of(answer, "lease_ms"), number_of(lease, "left_ms"),
			    number_of(lease, "resting"));
	else
		output_line(out, STYLE_BAD, "  lease      none; %lld lock(s) rest on it",
			    number_of(lease, "resting"));
	output_line(out, STYLE_PLAIN, "  at its end %s",
		    is_node ? "this machine is reset"
			    : "locks are dropped; this machine is reset only if that fails");
}

static void watchdog_line(struct output *out, const json_t *answer)
{
	const json_t *watchdog = json_object_get(answer, "watchdog");

	if (strcmp(text_of(watchdog, "state"), "off") == 0)
		output_line(
			out, STYLE_WARN,
			"  watchdog   off: nothing stands behind the lease, and no pill can end "
			"this node");
	else
		output_line(out,
			    strcmp(text_of(watchdog, "state"), "renewed") == 0 ? STYLE_PLAIN
									       : STYLE_BAD,
			    "  watchdog   %s; proof %s, device %lld ms, at a deadline: %s",
			    text_of(watchdog, "state"), text_of(watchdog, "proof"),
			    number_of(watchdog, "timeout_ms"), text_of(watchdog, "at_deadline"));
}

static void node_lines(struct output *out, const json_t *answer)
{
	int is_active = strcmp(text_of(answer, "state"), "active") == 0;

	output_line(out, is_active ? STYLE_GOOD : STYLE_BAD,
		    "node %lld (%s) of cluster \"%s\": %s%s, incarnation %lld",
		    number_of(answer, "node"), text_of(answer, "name"), text_of(answer, "cluster"),
		    text_of(answer, "state"), is_true(answer, "stopping") ? " and stopping" : "",
		    number_of(answer, "incarnation"));
	lease_line(out, answer);
	watchdog_line(out, answer);
	output_line(out, STYLE_PLAIN, "  others see it suspect after %lld ms of silence",
		    number_of(answer, "member_timeout_ms"));
	if (json_object_get(answer, "dead_ms"))
		output_line(out, STYLE_PLAIN, "  and its lease dead after %lld ms",
			    number_of(answer, "dead_ms"));
}

/* ---- tables ---- */

static enum output_style disk_style(const char *state)
{
	return strcmp(state, "good") == 0 ? STYLE_GOOD : STYLE_BAD;
}

static void disks_table(struct output *out, const json_t *answer)
{
	static const char *const headings[] = {
		"DISK", "STATE", "LAST", "LONGEST", "FAILED", "URL"
	};
	const json_t *disk;
	size_t i;

	output_begin(out, headings, sizeof headings / sizeof headings[0]);
	json_array_foreach (json_object_get(answer, "disks"), i, disk) {
		char cells[4][CELL_MAX];
		const char *state = text_of(disk, "state"), *url = text_of(disk, "url");
		const struct output_cell row[] = {
			{ cells[0], STYLE_PLAIN },
			{ state, disk_style(state) },
			{ cells[1], STYLE_PLAIN },
			{ cells[2], STYLE_PLAIN },
			{ cells[3], STYLE_PLAIN },
			{ *url ? url : text_of(disk, "why"), STYLE_PLAIN },
		};

		snprintf(cells[0], CELL_MAX, "%lld", number_of(disk, "disk"));
		snprintf(cells[1], CELL_MAX, "%.1f ms", (double)number_of(disk, "last_us") / 1000);
		snprintf(cells[2], CELL_MAX, "%.1f ms",
			 (double)number_of(disk, "longest_us") / 1000);
		snprintf(cells[3], CELL_MAX, "%lld of %lld", number_of(disk, "failed"),
			 number_of(disk, "requests"));
		if (!*url)
			snprintf(cells[0], CELL_MAX, "?");
		output_row(out, row, sizeof row / sizeof row[0]);
	}
	output_end(out);
}

static enum output_style peer_style(const char *state)
{
	if (strcmp(state, "alive") == 0)
		return STYLE_GOOD;
	return strcmp(state, "left") == 0 ? STYLE_FAINT : STYLE_BAD;
}

static void peers_table(struct output *out, const json_t *answer)
{
	static const char *const headings[] = { "NODE",	     "NAME",	    "STATE",
						"UNCHANGED", "INCARNATION", "WATCHDOG" };
	const json_t *peers = json_object_get(answer, "peers"), *peer;
	size_t i;

	if (json_array_size(peers) == 0) {
		output_line(out, STYLE_FAINT, "no other node was ever seen");
		return;
	}
	output_begin(out, headings, sizeof headings / sizeof headings[0]);
	json_array_foreach (peers, i, peer) {
		char cells[4][CELL_MAX];
		const char *state = text_of(peer, "state");
		const struct output_cell row[] = {
			{ cells[0], STYLE_PLAIN },    { text_of(peer, "name"), STYLE_PLAIN },
			{ state, peer_style(state) }, { cells[1], STYLE_PLAIN },
			{ cells[2], STYLE_PLAIN },    { cells[3], STYLE_PLAIN },
		};

		snprintf(cells[0], CELL_MAX, "%lld", number_of(peer, "node"));
		snprintf(cells[1], CELL_MAX, "%.1f s",
			 (double)number_of(peer, "unchanged_ms") / 1000);
		snprintf(cells[2], CELL_MAX, "%lld", number_of(peer, "incarnation"));
		if (number_of(peer, "watchdog_ms"))
			snprintf(cells[3], CELL_MAX, "%lld ms", number_of(peer, "watchdog_ms"));
		else
			snprintf(cells[3], CELL_MAX, "none");
		output_row(out, row, sizeof row / sizeof row[0]);
	}
	output_end(out);
}

int lock_status_command(struct cli *cli)
{
	mono_t deadline = mono_add_ms(clock_now(), cli->timeout_ms ? cli->timeout_ms : ANSWER_MS);
	struct lockd_client *client;
	struct output out;
	struct err err = { .rc = 0 };
	json_t *answer = NULL;
	int rc, status;

	if (cli->args_count)
		return cli_usage(cli, "no arguments, please");
	rc = lockd_client_open(&client, NULL, deadline, &err);
	if (rc == 0)
		rc = lockd_client_call(client, "status", NULL, deadline, NULL, NULL, &answer, &err);
	lockd_client_close(client);
	if (rc)
		return cli_fail(cli, &err);
	output_init(&out, cli);
	node_lines(&out, answer);
	disks_table(&out, answer);
	peers_table(&out, answer);
	status = strcmp(text_of(answer, "state"), "active") == 0 ? CLI_EXIT_OK : CLI_EXIT_NOT;
	object_put_text(&out, answer, "kind", "status");
	output_object(&out, answer);
	return output_finish(&out, cli, status);
}
