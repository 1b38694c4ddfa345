/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watchdog_status.c - `holdfast watchdog status`: what watchdogd does and promises.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/fence.h"
#include "cli/watchdog.h"

enum { CELL_MAX = 48 };

static int exit_of(const struct watch_status *status)
{
	if (status->state != WATCH_STATE_PETTING)
		return WATCHDOG_EXIT_NOT_PETTED;
	return status->proof == WATCH_PROOF_NONE ? WATCHDOG_EXIT_NO_PROOF : CLI_EXIT_OK;
}

/* "?" for what the driver does not tell. */
static void left_text(uint32_t ms, char *out, size_t size)
{
	if (ms == UINT32_MAX)
		snprintf(out, size, "?");
	else
		watchdog_seconds(ms, out, size);
}

static void put_ms(struct output *out, json_t *object, const char *key, uint32_t ms)
{
	if (ms == UINT32_MAX)
		object_put(out, object, key, json_null());
	else
		object_put_integer(out, object, key, ms);
}

/* ---- watchdogd itself ---- */

static const char *state_text(const struct watch_status *status)
{
	switch ((enum watch_state)status->state) {
	case WATCH_STATE_PETTING:
		return "petting";
	case WATCH_STATE_EXPIRED:
		return "EXPIRED: a deadline has passed, this machine is being reset";
	case WATCH_STATE_TESTING:
		return "TESTING: it pets no longer, this machine is about to be reset";
	case WATCH_STATE_STOPPED:
		return "stopped: the devices are disarmed";
	}
	return "?";
}

static void status_lines(struct output *out, const struct watch_status *s)
{
	char device[CELL_MAX], grain[CELL_MAX], every[CELL_MAX];

	watchdog_seconds(s->device_ms, device, sizeof device);
	watchdog_seconds(s->grain_ms, grain, sizeof grain);
	watchdog_seconds(s->pet_interval_ms, every, sizeof every);
	output_line(out, s->state == WATCH_STATE_PETTING ? STYLE_GOOD : STYLE_BAD,
		    "watchdogd %s, process %" PRIu32 ": %s", s->version, s->pid, state_text(s));
	output_line(out, watchdog_proof_style(s->proof), "  proof      %s%s",
		    watch_proof_word(s->proof),
		    s->proof == WATCH_PROOF_NONE ? ": no device works, nothing but watchdogd "
						   "itself resets this machine"
		    : s->proof == WATCH_PROOF_SOFTWARE
			    ? ": a timer of this kernel, which dies with it"
			    : "");
	output_line(out, STYLE_PLAIN, "  bound      a client's deadline + %s (device) + %s (grain)",
		    device, grain);
	output_line(out, STYLE_PLAIN, "  at expiry  %s",
		    s->expiry == WATCH_EXPIRY_HARDWARE ? "leave it to the devices"
						       : watch_expiry_word(s->expiry));
	output_line(out, STYLE_PLAIN,
		    "  pets       %" PRIu64 ", every %s; latest wake-up %" PRIu32 " ms late",
		    s->pets, every, s->latest_ms);
	if (s->standstill)
		output_line(out, s->standstill_ms ? STYLE_WARN : STYLE_PLAIN,
			    "  paused     %" PRIu32 " ms in all, unseen by its own clock",
			    s->standstill_ms);
	if (!s->keeper)
		output_line(out, STYLE_WARN,
			    "  keeper     GONE: should watchdogd be killed, the kernel pets the "
			    "devices once more; start watchdogd again when no client needs it");
	if (s->lost_lines)
		output_line(out, STYLE_WARN,
			    "  log        %" PRIu32 " lines lost: nobody took them", s->lost_lines);
}

static void status_object(struct output *out, const struct watch_status *s)
{
	json_t *object = json_object();

	object_put_text(out, object, "kind", "status");
	object_put_text(out, object, "state", watch_state_word(s->state));
	object_put_text(out, object, "proof", watch_proof_word(s->proof));
	object_put_text(out, object, "expiry", watch_expiry_word(s->expiry));
	object_put_integer(out, object, "device_ms", s->device_ms);
	object_put_integer(out, object, "grain_ms", s->grain_ms);
	object_put_integer(out, object, "pet_interval_ms", s->pet_interval_ms);
	object_put_integer(out, object, "pid", s->pid);
	object_put_text(out, object, "version", s->version);
	object_put_integer(out, object, "pets", (long long)s->pets);
	object_put_integer(out, object, "latest_ms", s->latest_ms);
	object_put_integer(out, object, "lost_lines", s->lost_lines);
	object_put_boolean(out, object, "keeper", s->keeper);
	object_put_boolean(out, object, "standstill_watched", s->standstill);
	object_put_integer(out, object, "standstill_ms", s->standstill_ms);
	object_put_integer(out, object, "devices", s->devices);
	object_put_integer(out, object, "clients", s->clients);
	output_object(out, object);
}

/* ---- devices ---- */

static const char *const counting_words[] = { "not seen", "yes", "not told" };
static const char *const nowayout_words[] = { "no", "yes", "?" };

static void device_row(struct output *out, const struct watch_device *device)
{
	char asked[CELL_MAX], timeout[CELL_MAX], left[CELL_MAX], least[CELL_MAX];
	int rounded = device->asked_ms != device->timeout_ms;

	watchdog_seconds(device->asked_ms, asked, sizeof asked);
	watchdog_seconds(device->timeout_ms, timeout, sizeof timeout);
	left_text(device->left_ms, left, sizeof left);
	left_text(device->least_left_ms, least, sizeof least);
	output_row(out,
		   (struct output_cell[]){
			   { device->path, STYLE_PLAIN },
			   { device->identity, STYLE_PLAIN },
			   { device->failed ? "FAILED" : watch_proof_word(device->proof),
			     device->failed ? STYLE_BAD : watchdog_proof_style(device->proof) },
			   { asked, STYLE_PLAIN },
			   { timeout, rounded ? STYLE_WARN : STYLE_PLAIN },
			   { left, STYLE_PLAIN },
			   { least, STYLE_PLAIN },
			   { counting_words[device->counting],
			     device->counting == 0 ? STYLE_WARN : STYLE_PLAIN },
			   { nowayout_words[device->nowayout], STYLE_PLAIN },
		   },
		   9);
	if (device->pretimeout_ms)
		output_line(out, STYLE_PLAIN, "    panics %" PRIu32 " s before its timeout",
			    device->pretimeout_ms / 1000);
}

static void device_object(struct output *out, const struct watch_device *device)
{
	json_t *object = json_object();

	object_put_text(out, object, "kind", "device");
	object_put_text(out, object, "device", device->path);
	object_put_text(out, object, "identity", device->identity);
	object_put_text(out, object, "proof", watch_proof_word(device->proof));
	object_put_boolean(out, object, "failed", device->failed);
	object_put_integer(out, object, "asked_ms", device->asked_ms);
	object_put_integer(out, object, "timeout_ms", device->timeout_ms);
	object_put_integer(out, object, "pretimeout_ms", device->pretimeout_ms);
	put_ms(out, object, "left_ms", device->left_ms);
	put_ms(out, object, "least_left_ms", device->least_left_ms);
	object_put(out, object, "counting",
		   device->counting == 2 ? json_null() : json_boolean(device->counting));
	object_put(out, object, "nowayout",
		   device->nowayout == 2 ? json_null() : json_boolean(device->nowayout));
	output_object(out, object);
}

/* ---- clients ---- */

static void client_row(struct output *out, const struct watch_client *client)
{
	char deadline[CELL_MAX], left[CELL_MAX], least[CELL_MAX], pid[CELL_MAX], renewals[CELL_MAX];

	watchdog_seconds(client->deadline_ms, deadline, sizeof deadline);
	watchdog_seconds(client->left_ms, left, sizeof left);
	left_text(client->least_left_ms, least, sizeof least);
	snprintf(pid, sizeof pid, "%" PRIu32, client->pid);
	snprintf(renewals, sizeof renewals, "%" PRIu64, client->renewals);
	output_row(out,
		   (struct output_cell[]){
			   { client->name, STYLE_PLAIN },
			   { pid, STYLE_PLAIN },
			   { deadline, STYLE_PLAIN },
			   { left, STYLE_PLAIN },
			   { least, STYLE_PLAIN },
			   { renewals, STYLE_PLAIN },
			   { client->connected ? "connected" : "VANISHED",
			     client->connected ? STYLE_PLAIN : STYLE_BAD },
		   },
		   7);
}

static void client_object(struct output *out, const struct watch_client *client)
{
	json_t *object = json_object();

	object_put_text(out, object, "kind", "client");
	object_put_text(out, object, "client", client->name);
	object_put_integer(out, object, "pid", client->pid);
	object_put_integer(out, object, "uid", client->uid);
	object_put_integer(out, object, "deadline_ms", client->deadline_ms);
	object_put_integer(out, object, "left_ms", client->left_ms);
	put_ms(out, object, "least_left_ms", client->least_left_ms);
	object_put_integer(out, object, "renewals", (long long)client->renewals);
	object_put_boolean(out, object, "connected", client->connected);
	output_object(out, object);
}

/* ---- the last proven test ---- */

/* Was it proven with these devices and timeouts? Numbers of devices may change, names stay. */
static int proven_with(const json_t *proven, const struct watchdog_view *view)
{
	const json_t *devices = json_object_get(proven, "devices");

	if (json_array_size(devices) != view->devices_count)
		return 0;
	for (size_t i = 0; i < view->devices_count; i++) {
		const json_t *device = json_array_get(devices, i);
		const char *identity = json_string_value(json_object_get(device, "identity"));
		json_int_t timeout_ms = json_integer_value(json_object_get(device, "timeout_ms"));

		if (!identity || strcmp(identity, view->devices[i].identity) != 0 ||
		    timeout_ms != view->devices[i].timeout_ms)
			return 0;
	}
	return 1;
}

static void proven_show(struct output *out, const struct cli *cli, const struct watchdog_view *view)
{
	struct watchdog_record record;
	struct err err = { 0 };
	const json_t *proven;
	json_t *object = json_object();
	const char *date, *by;
	int same, unknown = watchdog_record_load(&record, cli->dir, &err) != 0;

	if (unknown)
		cli_warn(cli, "%s; %s", err.text, err.next);
	proven = watchdog_record_proven(&record);
	date = json_string_value(json_object_get(proven, "asked_at"));
	by = json_string_value(json_object_get(proven, "by"));
	same = proven && proven_with(proven, view);
	if (proven)
		output_line(out, same ? STYLE_GOOD : STYLE_WARN,
			    "Proven by a real reset on %s, by %s%s", date ? date : "?",
			    by ? by : "?",
			    same ? "" : ", but with other devices or timeouts: test again");
	else if (unknown)
		output_line(out, STYLE_WARN, "Whether a real reset has proven it is not known");
	else
		output_line(out, STYLE_WARN,
			    "Never proven by a real reset: \"holdfast watchdog test --for-real\", "
			    "then \"--result\"");
	object_put_text(out, object, "kind", "proven");
	object_put_boolean(out, object, "known", !unknown);
	object_put_text(out, object, "asked_at", date);
	object_put_text(out, object, "by", by);
	object_put_boolean(out, object, "same_devices", same);
	output_object(out, object);
	watchdog_record_free(&record);
}

/* ---- all ---- */

static void view_show(struct output *out, const struct watchdog_view *view)
{
	static const char *const devices[] = { "DEVICE",     "IDENTITY", "PROOF",
					       "ASKED",	     "TIMEOUT",	 "LEFT",
					       "LEAST LEFT", "COUNTS",	 "NOWAYOUT" };
	static const char *const clients[] = { "CLIENT",     "PID",	 "DEADLINE", "LEFT",
					       "LEAST LEFT", "RENEWALS", "STATE" };

	status_lines(out, &view->status);
	status_object(out, &view->status);
	output_begin(out, view->devices_count ? devices : NULL, 9);
	for (size_t i = 0; i < view->devices_count; i++) {
		device_row(out, &view->devices[i]);
		device_object(out, &view->devices[i]);
	}
	output_end(out);
	output_begin(out, view->clients_count ? clients : NULL, 7);
	for (size_t i = 0; i < view->clients_count; i++) {
		client_row(out, &view->clients[i]);
		client_object(out, &view->clients[i]);
	}
	output_end(out);
	if (view->clients_count == 0)
		output_line(out, STYLE_PLAIN, "no clients");
}

int watchdog_status_run(struct cli *cli)
{
	static struct watchdog_view view;
	struct watch_link link;
	struct output out;
	int error;

	if (cli->args_count)
		return cli_usage(cli, "it takes no argument");
	error = watchdog_view_get(&link, &view);
	if (error) {
		cli_warn(cli, "%s", link.why);
		return watchdog_exit_of(error);
	}
	watch_link_close(&link);
	output_init(&out, cli);
	view_show(&out, &view);
	proven_show(&out, cli, &view);
	return output_finish(&out, cli, exit_of(&view.status));
}
