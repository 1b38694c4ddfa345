/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * disk_watch.c - `holdfast disk watch`: the heartbeats of a cluster as they come.
 *
 * An observer of the heartbeat's core: it reads and never writes. Since it has no slot of its own that
 * would show a stale read, it holds nobody for dead; a node that is silent is suspect.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cmd_disk.h"
#include "cli/disk_session.h"
#include "cli/options.h"
#include "cli/output.h"
#include "host/boot_timer.h"
#include "host/clock.h"

enum { TELL_EVERY_MS = 1000, READ_EVERY_MS = 500, IO_TIMEOUT_MS = 5000, SUSPECT_MS = 5000 };

struct watch {
	struct disk_session session;
	struct output out;
	struct boot_timer teller;
	uv_signal_t interrupt, terminate;
	mono_t next, until;
	int done;
};

static void stamp(char text[16])
{
	time_t now = time(NULL);
	struct tm parts;

	if (!localtime_r(&now, &parts) || strftime(text, 16, "%H:%M:%S", &parts) == 0)
		snprintf(text, 16, "?");
}

static void noted(const struct hb_note *note, void *context)
{
	struct watch *watch = context;
	json_t *object = json_object();
	char text[640], now[16];

	stamp(now);
	hb_note_text(note, text, sizeof text);
	output_line(&watch->out,
		    note->kind == HB_NOTE_PEER && note->state == HB_PEER_ALIVE ? STYLE_GOOD
									       : STYLE_WARN,
		    "%s  %s", now, text);
	object_put_text(&watch->out, object, "kind", "event");
	object_put_text(&watch->out, object, "text", text);
	output_object(&watch->out, object);
}

static void node_tell(struct watch *watch, uint16_t node, const struct hb_peer *peer, char *line,
		      size_t size)
{
	size_t length = strlen(line);
	int64_t silent_ms = mono_diff_ms(peer->changed_at, clock_now());
	json_t *object = json_object();

	if (peer->state == HB_PEER_ALIVE)
		snprintf(line + length, size - length, "  %u %s %" PRIu64, node, peer->last.name,
			 peer->last.sequence);
	else
		snprintf(line + length, size - length, "  %u %s %s %" PRId64 " s", node,
			 peer->last.name, hb_peer_state_word(peer->state), silent_ms / 1000);
	object_put_text(&watch->out, object, "kind", "node");
	object_put_integer(&watch->out, object, "node", node);
	object_put_text(&watch->out, object, "name", peer->last.name);
	object_put_text(&watch->out, object, "state", hb_peer_state_word(peer->state));
	object_put_integer(&watch->out, object, "incarnation", peer->last.incarnation);
	object_put_integer(&watch->out, object, "sequence", (long long)peer->last.sequence);
	object_put_integer(&watch->out, object, "unchanged_ms", (long long)silent_ms);
	output_object(&watch->out, object);
}

static void tell(struct watch *watch)
{
	const struct hb_core *core = hb_io_core(watch->session.io);
	char line[NODES_MAX * 100] = "";
	int any = 0;

	stamp(line);
	for (uint16_t node = 1; node <= core->config.nodes_max; node++) {
		const struct hb_peer *peer = hb_core_peer(core, node);

		if (peer->state == HB_PEER_NEVER)
			continue;
		node_tell(watch, node, peer, line, sizeof line);
		any = 1;
	}
	output_line(&watch->out, any ? STYLE_PLAIN : STYLE_FAINT, "%s%s", line,
		    any ? "" : "  nobody has written yet");
	fflush(stdout);
	/* A reader that has gone wants no more. */
	if (ferror(stdout))
		watch->done = 1;
}

static void fired(struct boot_timer *timer)
{
	struct watch *watch = timer->data;
	mono_t now = clock_now();

	if (mono_reached(now, watch->until)) {
		watch->done = 1;
		return;
	}
	if (mono_reached(now, watch->next)) {
		tell(watch);
		watch->next = mono_add_ms(now, TELL_EVERY_MS);
	}
	boot_timer_set(timer, mono_min(watch->next, watch->until));
}

static void interrupted(uv_signal_t *handle, int number)
{
	struct watch *watch = handle->data;

	(void)number;
	watch->done = 1;
}

static int watch_begin(struct watch *watch, struct err *err)
{
	const struct super_record *super = &watch->session.ordered[0]->area.super;
	const struct hb_config config = { .observer = 1,
					  .nodes_max = super->nodes_max,
					  .disks = (unsigned)watch->session.count,
					  .interval_ms = READ_EVERY_MS,
					  .io_timeout_ms = IO_TIMEOUT_MS,
					  .member_timeout_ms = SUSPECT_MS };
	struct hb_io_disk disks[DISKS_MAX];

	for (size_t d = 0; d < watch->session.count; d++)
		disks[d] = (struct hb_io_disk){ .disk = watch->session.ordered[d]->disk,
						.area = &watch->session.ordered[d]->area };
	return hb_io_create(&watch->session.loop, &config, disks, noted, watch, &watch->session.io,
			    err);
}

static int watch_run(struct watch *watch, struct err *err)
{
	int rc = watch_begin(watch, err);

	if (rc)
		return rc;
	if (boot_timer_init(&watch->teller, &watch->session.loop, fired, watch))
		return err_set(err, RC_INTERNAL, NULL, "no timer");
	watch->next = mono_add_ms(clock_now(), TELL_EVERY_MS);
	boot_timer_set(&watch->teller, mono_min(watch->next, watch->until));
	uv_signal_init(&watch->session.loop, &watch->interrupt);
	uv_signal_init(&watch->session.loop, &watch->terminate);
	watch->interrupt.data = watch->terminate.data = watch;
	uv_signal_start(&watch->interrupt, interrupted, SIGINT);
	uv_signal_start(&watch->terminate, interrupted, SIGTERM);
	while (!watch->done)
		uv_run(&watch->session.loop, UV_RUN_ONCE);
	boot_timer_close(&watch->teller, NULL);
	uv_close((uv_handle_t *)&watch->interrupt, NULL);
	uv_close((uv_handle_t *)&watch->terminate, NULL);
	return 0;
}

int disk_watch_command(struct cli *cli)
{
	struct watch *watch = calloc(1, sizeof *watch);
	struct err err = { 0 };
	int rc, status;

	if (!watch)
		abort();
	if (cli->args_count < 1 || cli->args_count > DISKS_MAX) {
		free(watch);
		return cli_usage(cli, "give one to three disks");
	}
	watch->until = cli->timeout_ms ? mono_add_ms(clock_now(), cli->timeout_ms) : MONO_NEVER;
	output_init(&watch->out, cli);
	rc = session_open_areas(&watch->session, cli, 1, 1, &err);
	if (rc == 0)
		rc = watch_run(watch, &err);
	status = rc ? cli_fail(cli, &err) : output_finish(&watch->out, cli, CLI_EXIT_OK);
	session_close(&watch->session);
	free(watch);
	return status;
}
