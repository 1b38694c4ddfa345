/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * disk_test.c - `holdfast disk test`: two terminals, one disk, does it carry both ways?
 *
 * Each side is a node of its own with the heartbeat's core: it claims a slot, writes heartbeats marked
 * as a link test, and posts (--tx) or acknowledges (--rx) test pills through the mailbox that pills of
 * the cluster take. What works here works there. It publishes no watchdog, so nobody concludes anything from its
 * end. A slot that a node owns is refused, also that of a node that is down: its record and its
 * last words stay.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd_disk.h"
#include "cli/disk_session.h"
#include "cli/options.h"
#include "cli/output.h"
#include "host/boot_timer.h"
#include "host/clock.h"
#include "host/machine.h"

enum {
	ROUNDS = 3,
	INTERVAL_MS = 250,
	IO_TIMEOUT_MS = 1000,
	LEASE_MS = 10000,
	SUSPECT_MS = 3000,
	TIMEOUT_DEFAULT_MS = 60000,
	LEAVE_MS = 5000, /* for a goodbye when the time is up */
};

struct link_test {
	struct disk_session session;
	struct output out;
	struct boot_timer alarm;
	uv_signal_t interrupt, terminate;
	int is_tx;
	uint16_t node;
	int heard; /* tx: acknowledged; rx: received */
	uint16_t partner;
	mono_t sent_at;
	uint16_t pending; /* tx: the node that a pill is out to; 0: none */
	int leaving, done, failed;
};

static void say(struct link_test *test, enum output_style style, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void say(struct link_test *test, enum output_style style, const char *fmt, ...)
{
	json_t *object = json_object();
	char text[700];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	output_line(&test->out, style, "%s", text);
	object_put_text(&test->out, object, "kind", "event");
	object_put_text(&test->out, object, "text", text);
	output_object(&test->out, object);
	fflush(stdout);
}

/* ---- what the core says ---- */

static void mail_noted(struct link_test *test, const struct hb_note *note)
{
	switch (note->mail) {
	case HB_MAIL_ACCEPTED:
		test->heard++;
		test->partner = note->node;
		test->pending = 0;
		say(test, STYLE_GOOD, "node %u answered after %" PRId64 " ms (%d of %d)",
		    note->node, mono_diff_ms(test->sent_at, clock_now()), test->heard, ROUNDS);
		break;
	case HB_MAIL_DECLINED:
	case HB_MAIL_REFUSED:
	case HB_MAIL_GONE:
	case HB_MAIL_WITHDRAWN:
		test->pending = 0;
		break;
	case HB_MAIL_POSTED:
	case HB_MAIL_DELIVERED:
	case HB_MAIL_EXPIRED:
		break;
	}
}

static void noted(const struct hb_note *note, void *context)
{
	struct link_test *test = context;
	char text[640];

	switch (note->kind) {
	case HB_NOTE_PILL:
		test->heard++;
		test->partner = note->node;
		say(test, STYLE_GOOD, "received from node %u, answering (%d)", note->node,
		    test->heard);
		return;
	case HB_NOTE_MAIL:
		mail_noted(test, note);
		return;
	case HB_NOTE_LEFT:
		test->done = 1;
		return;
	case HB_NOTE_REFUSED:
	case HB_NOTE_LEASE_LOST:
	case HB_NOTE_SLOT_TAKEN:
		test->done = test->failed = 1;
		break;
	case HB_NOTE_ACTIVE:
		say(test, STYLE_PLAIN, "in slot %u; %s", test->node,
		    test->is_tx ? "calling" : "listening");
		return;
	default:
		break;
	}
	say(test, test->failed ? STYLE_BAD : STYLE_PLAIN, "%s",
	    hb_note_text(note, text, sizeof text));
}

/* ---- moves between steps ---- */

static void leave(struct link_test *test)
{
	struct hb_event event = { .kind = HB_EVENT_LEAVE };

	if (test->leaving || test->done)
		return;
	test->leaving = 1;
	boot_timer_set(&test->alarm, mono_add_ms(clock_now(), LEAVE_MS));
	hb_io_event(test->session.io, &event);
}

/* A partner that went away, as of an earlier trial, is given up. */
static void give_up(struct link_test *test)
{
	struct hb_event event = { .kind = HB_EVENT_WITHDRAW, .request = (uint64_t)test->heard + 1 };

	if (test->pending &&
	    hb_core_peer(hb_io_core(test->session.io), test->pending)->state != HB_PEER_ALIVE)
		hb_io_event(test->session.io, &event);
}

static void call(struct link_test *test)
{
	const struct hb_core *core = hb_io_core(test->session.io);

	for (uint16_t node = 1; node <= core->config.nodes_max && !test->pending; node++) {
		const struct hb_peer *peer = hb_core_peer(core, node);
		struct hb_event event = { .kind = HB_EVENT_SEND,
					  .request = (uint64_t)test->heard + 1,
					  .to = node,
					  .pill = HB_PILL_TEST };

		if (peer->state != HB_PEER_ALIVE || !(peer->last.flags & SLOT_FLAG_LINK_TEST))
			continue;
		test->pending = node;
		test->sent_at = clock_now();
		hb_io_event(test->session.io, &event);
	}
}

static void move(struct link_test *test)
{
	const struct hb_core *core = hb_io_core(test->session.io);

	if (test->done || test->leaving || core->stage != HB_STAGE_ACTIVE)
		return;
	if (test->is_tx
		    ? test->heard >= ROUNDS
		    : test->heard > 0 && hb_core_peer(core, test->partner)->state == HB_PEER_LEFT)
		leave(test);
	else if (test->is_tx && test->pending)
		give_up(test);
	else if (test->is_tx)
		call(test);
}

static void alarm_fired(struct boot_timer *timer)
{
	struct link_test *test = timer->data;

	if (test->leaving)
		test->done = 1;
	else
		leave(test);
}

static void interrupted(uv_signal_t *handle, int number)
{
	(void)number;
	leave(handle->data);
}

/* ---- the slot ---- */

static int slot_check(struct link_test *test, struct err *err)
{
	struct session_disk *disk = test->session.ordered[0];
	const struct record_want want = { .node = test->node,
					  .cluster = disk->area.super.head.cluster };
	struct heartbeat_record beat;
	uint8_t *bytes;
	int rc = session_read_area(disk, 0, &bytes, err);

	if (rc)
		return rc;
	if (heartbeat_in(bytes + disk_layout_slot_at(test->node), &want, &beat) == RECORD_OK &&
	    !(beat.flags & SLOT_FLAG_LINK_TEST))
		rc = err_set(err, RC_CONFIG, "choose a free one with --node",
			     "%s: slot %u is that of node \"%s\"", disk_name(disk->disk),
			     test->node, beat.name);
	free(bytes);
	return rc;
}

static int config_make(const struct link_test *test, struct hb_config *config, struct err *err)
{
	const struct super_record *super = &test->session.ordered[0]->area.super;

	*config = (struct hb_config){ .node = test->node,
				      .nodes_max = super->nodes_max,
				      .disks = 1,
				      .interval_ms = INTERVAL_MS,
				      .io_timeout_ms = IO_TIMEOUT_MS,
				      .member_timeout_ms = SUSPECT_MS,
				      .lease_ms = LEASE_MS,
				      .claim_window_ms = super->claim_window_ms,
				      .accepts = 1U << HB_PILL_TEST,
				      .flags = SLOT_FLAG_LINK_TEST };
	machine_name(config->name, sizeof config->name);
	do {
		machine_random(&config->nonce, sizeof config->nonce);
	} while (config->nonce == 0);
	return machine_identify(config->machine, config->boot, err);
}

static int test_begin(struct link_test *test, const struct cli *cli, struct err *err)
{
	struct session_disk *disk = test->session.ordered[0];
	const struct hb_io_disk hb_disk = { .disk = disk->disk, .area = &disk->area };
	uint16_t nodes = disk->area.super.nodes_max;
	struct hb_config config;
	int rc;

	test->node = (uint16_t)(test->is_tx ? nodes - 1 : nodes);
	if (cli->node)
		test->node = (uint16_t)cli->node;
	if (test->node > nodes)
		return err_set(err, RC_CONFIG, NULL, "node %u: the disk has slots 1 to %u",
			       test->node, nodes);
	if (disk_facts(disk->disk)->is_read_only)
		return err_set(err, RC_CONFIG, "make it writable", "%s: is read-only",
			       disk_name(disk->disk));
	rc = slot_check(test, err);
	if (rc == 0)
		rc = config_make(test, &config, err);
	if (rc == 0)
		rc = hb_io_create(&test->session.loop, &config, &hb_disk, noted, test,
				  &test->session.io, err);
	if (rc == 0 && boot_timer_init(&test->alarm, &test->session.loop, alarm_fired, test))
		rc = err_set(err, RC_INTERNAL, NULL, "no timer");
	return rc;
}

static void test_run(struct link_test *test, int64_t timeout_ms)
{
	boot_timer_set(&test->alarm, mono_add_ms(clock_now(), timeout_ms));
	uv_signal_init(&test->session.loop, &test->interrupt);
	uv_signal_init(&test->session.loop, &test->terminate);
	test->interrupt.data = test->terminate.data = test;
	uv_signal_start(&test->interrupt, interrupted, SIGINT);
	uv_signal_start(&test->terminate, interrupted, SIGTERM);
	while (!test->done) {
		uv_run(&test->session.loop, UV_RUN_ONCE);
		move(test);
	}
	boot_timer_close(&test->alarm, NULL);
	uv_close((uv_handle_t *)&test->interrupt, NULL);
	uv_close((uv_handle_t *)&test->terminate, NULL);
}

static void verdict_print(struct link_test *test, int works)
{
	json_t *object = json_object();

	if (works)
		output_line(&test->out, STYLE_GOOD, "the disk carries both ways");
	else
		output_line(&test->out, STYLE_BAD, "%s",
			    test->heard	  ? "not completed"
			    : test->is_tx ? "nobody answered; does --rx run on the other node, on "
					    "the same disk?"
					  : "nobody called; does --tx run on the other node, on "
					    "the same disk?");
	object_put_text(&test->out, object, "kind", "verdict");
	object_put_boolean(&test->out, object, "works", works);
	object_put_integer(&test->out, object, "heard", test->heard);
	object_put_integer(&test->out, object, "partner", test->partner);
	output_object(&test->out, object);
}

int disk_test_command(struct cli *cli)
{
	int is_rx = (cli->given & OPTION_RX) != 0, is_tx = (cli->given & OPTION_TX) != 0;
	struct link_test *test;
	struct err err = { 0 };
	int rc, works, status;

	if (is_rx == is_tx)
		return cli_usage(cli, "say --rx on one node and --tx on the other");
	if (cli->args_count != 1)
		return cli_usage(cli, "give one disk");
	test = calloc(1, sizeof *test);
	if (!test)
		abort();
	test->is_tx = is_tx;
	output_init(&test->out, cli);
	rc = session_open_areas(&test->session, cli, 0, 1, &err);
	if (rc == 0)
		rc = test_begin(test, cli, &err);
	if (rc == 0) {
		test_run(test, cli->timeout_ms ? cli->timeout_ms : TIMEOUT_DEFAULT_MS);
		works = !test->failed && test->heard >= (is_tx ? ROUNDS : 1);
		verdict_print(test, works);
		status = output_finish(&test->out, cli, works ? CLI_EXIT_OK : CLI_EXIT_NOT);
	} else {
		status = cli_fail(cli, &err);
	}
	session_close(&test->session);
	free(test);
	return status;
}
