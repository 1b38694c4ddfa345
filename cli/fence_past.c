/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_past.c - `holdfast fence history`.
 *
 * Records are shown oldest first. With --last only so many are kept while reading, in a ring.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hostlist.h"
#include "cli/fence.h"
#include "fence-agents/fencer/fence_history.h"

/* A record as it will be shown. */
struct past_row {
	char *cells[9];
	enum output_style result_style;
	json_t *object;
};

enum { PAST_COLUMNS = sizeof((struct past_row *)NULL)->cells / sizeof(char *) };

struct past {
	struct output out;
	const struct hostlist *names; /* NULL: all */
	struct past_row *rows;	      /* a ring of `last`, or all */
	size_t rows_room, count, last;
};

static void past_row_clear(struct past_row *row)
{
	for (size_t i = 0; i < PAST_COLUMNS; i++)
		free(row->cells[i]);
	json_decref(row->object);
	memset(row, 0, sizeof *row);
}

static json_t *past_object(struct output *out, const struct fence_history_record *record)
{
	json_t *object = json_object();
	char date[32];

	fence_date_iso(record->time_s, date, sizeof date);
	object_put_text(out, object, "time", date);
	object_put_text(out, object, "kind",
			record->kind == FENCE_HISTORY_TARGET ? "target" : "device");
	object_put_text(out, object, "operation", record->operation);
	object_put_text(out, object, "target", record->target);
	object_put_text(out, object, "device", record->device);
	object_put_text(out, object, "plugs", record->plugs);
	object_put_integer(out, object, "level", record->level);
	object_put_text(out, object, "result", record->result);
	object_put_text(out, object, "state", record->state);
	object_put_text(out, object, "proof", record->proof);
	object_put_boolean(out, object, "off_proven", record->off_proven);
	object_put_boolean(out, object, "on_proven", record->on_proven);
	object_put_integer(out, object, "elapsed_ms", record->elapsed_ms);
	object_put_text(out, object, "message", record->message);
	object_put_text(out, object, "operator", record->operator_name);
	return object;
}

/* The place for one more record: behind the last, or over the oldest that --last drops. */
static struct past_row *past_place(struct past *past)
{
	struct past_row *row;

	if (past->last > 0 && past->count >= past->last) {
		row = &past->rows[past->count++ % past->last];
		past_row_clear(row);
		return row;
	}
	if (past->count == past->rows_room) {
		size_t room = past->rows_room ? past->rows_room * 2 : 64;
		struct past_row *rows = reallocarray(past->rows, room, sizeof *rows);

		if (!rows)
			return NULL;
		past->rows = rows;
		past->rows_room = room;
	}
	row = &past->rows[past->count++];
	memset(row, 0, sizeof *row);
	return row;
}

static void past_cells(struct past_row *row, const struct fence_history_record *record)
{
	char date[32], elapsed[32], level[24] = "", device[FENCE_LABEL_MAX];
	const char *proof = record->off_proven && record->on_proven ? "off and on proven"
			    : record->off_proven		    ? "off proven"
			    : record->on_proven			    ? "on proven"
								    : record->state;
	const char *const cells[PAST_COLUMNS] = {
		date,  record->operation, record->target, level, device, record->result,
		proof, elapsed,		  record->message
	};

	fence_date_time(record->time_s, date, sizeof date);
	fence_elapsed(record->elapsed_ms, elapsed, sizeof elapsed);
	if (record->level > 0)
		snprintf(level, sizeof level, "level %u", record->level);
	snprintf(device, sizeof device, "%s%s%s", record->device[0] ? record->device : "-",
		 record->plugs[0] ? ":" : "", record->plugs);
	for (size_t i = 0; i < PAST_COLUMNS; i++)
		row->cells[i] = strdup(cells[i]);
	row->result_style = strcmp(record->result, "ok") == 0 ? STYLE_GOOD : STYLE_BAD;
}

static int past_keep(void *arg, const struct fence_history_record *record)
{
	struct past *past = arg;
	struct past_row *row;

	if (past->names && !hostlist_has(past->names, record->target))
		return 0;
	row = past_place(past);
	if (!row) {
		past->out.lost = 1;
		return 1;
	}
	/* One of the two is enough, and the other would cost memory for every record. */
	if (past->out.ops == &output_json_ops)
		row->object = past_object(&past->out, record);
	else
		past_cells(row, record);
	return 0;
}

static void past_show(struct past *past)
{
	static const char *const headings[] = { "TIME",	  "OPERATION", "TARGET", "LEVEL",  "DEVICE",
						"RESULT", "POWER",     "TOOK",	 "MESSAGE" };
	size_t shown = past->last > 0 && past->count > past->last ? past->last : past->count;

	if (shown == 0)
		output_line(&past->out, STYLE_PLAIN, "no record");
	output_begin(&past->out, shown ? headings : NULL, PAST_COLUMNS);
	for (size_t i = past->count - shown; i < past->count; i++) {
		struct past_row *row = &past->rows[past->last > 0 ? i % past->last : i];
		struct output_cell cells[PAST_COLUMNS];

		for (size_t j = 0; j < PAST_COLUMNS; j++)
			cells[j] = (struct output_cell){ row->cells[j] ? row->cells[j] : "",
							 STYLE_PLAIN };
		cells[5].style = row->result_style;
		output_row(&past->out, cells, PAST_COLUMNS);
		if (row->object)
			output_object(&past->out, json_incref(row->object));
		past_row_clear(row);
	}
	output_end(&past->out);
	free(past->rows);
}

static int past_read(struct past *past, const struct cli *cli)
{
	struct fence_conf *conf;
	struct err err = { 0 };
	size_t skipped = 0;
	int rc;

	if (fence_conf_load(cli->conf_path, &conf, &err))
		return cli_fail_conf(cli, &err);
	rc = fence_history_read(conf->history_path, past_keep, past, &skipped, &err);
	if (skipped > 0)
		cli_warn(cli, "%s: %zu damaged lines were left out", conf->history_path, skipped);
	fence_conf_free(conf);
	return rc ? cli_fail(cli, &err) : CLI_EXIT_OK;
}

int fence_history_run(struct cli *cli)
{
	struct past past = { .last = cli->last };
	struct hostlist names;
	void *memory = NULL;
	int status = CLI_EXIT_OK;

	output_init(&past.out, cli);
	if (cli->args_count > 0) {
		status = fence_names_expand(cli, &names, &memory);
		past.names = &names;
	}
	if (status == CLI_EXIT_OK)
		status = past_read(&past, cli);
	/* What could be read before an error is still worth showing. */
	if (status != CLI_EXIT_USAGE)
		past_show(&past);
	free(memory);
	return output_finish(&past.out, cli, status);
}
