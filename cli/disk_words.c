/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * disk_words.c - `holdfast disk lastwords`: the latest events of the nodes, from their slots.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd_disk.h"
#include "cli/disk_session.h"
#include "cli/options.h"
#include "cli/output.h"

struct lines {
	struct words words;
	char name[NODE_NAME_BYTES];
	int found;
};

static void line_print(struct output *out, uint16_t node, const char *name,
		       const struct words_line *line)
{
	char text[WORDS_LINE_MAX], number[12], when[32], boot[32];
	json_t *object = json_object();

	snprintf(text, sizeof text, "%.*s", (int)line->bytes, line->text);
	snprintf(number, sizeof number, "%u", node);
	snprintf(boot, sizeof boot, "%" PRIu64 ".%03u", line->boot_ms / 1000,
		 (unsigned)(line->boot_ms % 1000));
	output_row(out,
		   (const struct output_cell[]){
			   { number, STYLE_PLAIN },
			   { name, STYLE_PLAIN },
			   { session_time_text(line->wall_s, when), STYLE_PLAIN },
			   { boot, STYLE_FAINT },
			   { text, STYLE_PLAIN },
		   },
		   5);
	object_put_text(out, object, "kind", "line");
	object_put_integer(out, object, "node", node);
	object_put_text(out, object, "name", name);
	object_put_integer(out, object, "line", (long long)line->number);
	object_put_integer(out, object, "time", (long long)line->wall_s);
	object_put_integer(out, object, "boot_ms", (long long)line->boot_ms);
	object_put_text(out, object, "text", text);
	output_object(out, object);
}

/* The node's words on the disk where they go furthest. */
static void lines_look(const struct session_disk *disk, const uint8_t *bytes, uint16_t node,
		       struct lines *lines)
{
	const struct record_want want = { .node = node, .cluster = disk->area.super.head.cluster };
	const uint8_t *slot = bytes + disk_layout_slot_at(node);
	struct heartbeat_record beat;
	struct words words;

	if (hb_facts_words(&disk->area, slot, node, &words) == 0 ||
	    (lines->found && words.next_line <= lines->words.next_line))
		return;
	lines->words = words;
	lines->found = 1;
	if (heartbeat_in(slot, &want, &beat) == RECORD_OK)
		memcpy(lines->name, beat.name, sizeof lines->name);
}

static void lines_print(struct output *out, uint16_t node, const struct lines *lines, unsigned last)
{
	uint64_t after = last && lines->words.next_line > last + 1
				 ? lines->words.next_line - last - 1
				 : 0;
	struct words_line line;

	while (words_next(&lines->words, after, &line)) {
		line_print(out, node, lines->name, &line);
		after = line.number;
	}
}

int disk_words_command(struct cli *cli)
{
	static const char *const headings[] = { "NODE", "NAME", "TIME", "SINCE BOOT", "WHAT" };
	struct lines *lines;
	struct disk_session session;
	struct output out;
	struct err err = { 0 };
	int rc, status;

	if (cli->args_count < 1 || cli->args_count > DISKS_MAX)
		return cli_usage(cli, "give one to three disks");
	lines = calloc(NODES_MAX, sizeof *lines);
	if (!lines)
		abort();
	rc = session_open_areas(&session, cli, 1, 1, &err);
	if (rc == 0 && cli->node > session.ordered[0]->area.super.nodes_max)
		rc = err_set(&err, RC_CONFIG, NULL, "node %u: the disk has slots 1 to %u",
			     cli->node, session.ordered[0]->area.super.nodes_max);
	for (size_t d = 0; rc == 0 && d < session.count; d++) {
		uint8_t *bytes;

		rc = session_read_area(session.ordered[d], 0, &bytes, &err);
		for (uint16_t node = 1; rc == 0 && node <= session.ordered[d]->area.super.nodes_max;
		     node++)
			lines_look(session.ordered[d], bytes, node, &lines[node - 1]);
		free(bytes);
	}
	if (rc == 0) {
		output_init(&out, cli);
		output_begin(&out, headings, 5);
		for (unsigned i = 0; i < NODES_MAX; i++)
			if (lines[i].found && (!cli->node || cli->node == i + 1))
				lines_print(&out, (uint16_t)(i + 1), &lines[i], cli->last);
		output_end(&out);
		status = output_finish(&out, cli, CLI_EXIT_OK);
	} else {
		status = cli_fail(cli, &err);
	}
	session_close(&session);
	free(lines);
	return status;
}
