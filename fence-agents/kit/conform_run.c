/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conform_run.c - see conform_run.h.
 *
 * Two places on loopback stand for devices that are not there: a port where nobody listens, and one
 * that takes everything and never answers, by TCP and by UDP.
 */
#include "fence-agents/kit/conform_run.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "fence-agents/kit/conform_proc.h"
#include "host/clock.h"

enum {
	OUTPUT_BYTES_MAX = 1 << 20,
	INPUT_BYTES_MAX = 1 << 16,
	ARGUMENTS_MAX = 128,
	/* How often the argument lists of an agent's family are read while it runs. */
	LOOK_MS = 2,
	HOLE_TRIES = 64,
};

const char credential_wrong[] = "Holdfast.Wrong.7319";

/* ---- the devices that are not there ---- */

static int socket_bind(int type, in_port_t *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = *port,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
		close(fd);
		return -1;
	}
	*port = address.sin_port;
	return fd;
}

static int ports_open(struct conform *conform, struct err *err)
{
	in_port_t port = 0;

	conform->closed_fd = socket_bind(SOCK_STREAM, &port);
	snprintf(conform->closed_port, sizeof conform->closed_port, "%u", ntohs(port));
	for (int i = 0; i < HOLE_TRIES && conform->hole_udp_fd < 0; i++) {
		port = 0;
		conform->hole_tcp_fd = socket_bind(SOCK_STREAM, &port);
		conform->hole_udp_fd = socket_bind(SOCK_DGRAM, &port);
		if (conform->hole_udp_fd < 0 && conform->hole_tcp_fd >= 0)
			close(conform->hole_tcp_fd);
	}
	if (conform->closed_fd < 0 || conform->hole_udp_fd < 0 || conform->hole_tcp_fd < 0 ||
	    listen(conform->hole_tcp_fd, SOMAXCONN) != 0)
		return err_set(err, RC_INTERNAL, NULL, "cannot open a port on 127.0.0.1");
	snprintf(conform->hole_port, sizeof conform->hole_port, "%u", ntohs(port));
	return 0;
}

/* ---- the world ---- */

static void look_tick(uv_timer_t *timer)
{
	struct conform *conform = timer->data;
	char name[64];

	if (!conform->child || conform->shown.broken ||
	    !conform_proc_shows(conform->looked_for, conform->looked_for_count, name, sizeof name))
		return;
	conform->shown.broken = 1;
	snprintf(conform->shown.text, sizeof conform->shown.text,
		 "%s: a secret is in the argument list of %s, where every user of the machine can "
		 "read it",
		 conform->shot.what, name);
}

int conform_world_init(struct conform *conform, struct err *err)
{
	int rc;

	conform->closed_fd = conform->hole_tcp_fd = conform->hole_udp_fd = -1;
	if (uv_loop_init(&conform->loop) != 0)
		return err_set(err, RC_INTERNAL, NULL, "cannot make an event loop");
	uv_timer_init(&conform->loop, &conform->look);
	conform->look.data = conform;
	rc = child_host_init(&conform->host, &conform->loop, err);
	if (rc == 0)
		rc = ports_open(conform, err);
	return rc ? rc : conform_proc_init(err);
}

void conform_world_end(struct conform *conform)
{
	const int fds[] = { conform->closed_fd, conform->hole_tcp_fd, conform->hole_udp_fd };

	conform_proc_adopt(0);
	if (conform->host.env)
		child_host_end(&conform->host);
	uv_close((uv_handle_t *)&conform->look, NULL);
	uv_run(&conform->loop, UV_RUN_DEFAULT);
	uv_loop_close(&conform->loop);
	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(conform->out);
	free(conform->err);
}

/* ---- what is fed ---- */

static int same_option(const char *a, const char *b)
{
	char name_a[64], name_b[64];

	conform_option_name(a, name_a, sizeof name_a);
	conform_option_name(b, name_b, sizeof name_b);
	return strcmp(name_a, name_b) == 0;
}

const char *conform_given(const struct conform *conform, const char *name)
{
	const struct conform_options *options = conform->options;

	for (size_t i = options->pairs_count; i > 0; i--)
		if (same_option(options->pairs[i - 1].key, name))
			return options->pairs[i - 1].value;
	return NULL;
}

static int is_edited(const struct shot_spec *spec, const char *key)
{
	for (size_t i = 0; i < SHOT_EDITS_MAX && spec->edits[i].key; i++)
		if (same_option(spec->edits[i].key, key))
			return 1;
	return 0;
}

struct input {
	char *text;
	size_t bytes;
	const char *arguments[ARGUMENTS_MAX + 1];
	size_t arguments_count;
};

/* One option, as a line of stdin or as an argument. Arguments point into the text. */
static void input_add(struct conform *conform, const struct shot_spec *spec, struct input *input,
		      const char *key, const char *value)
{
	size_t room = INPUT_BYTES_MAX - input->bytes;
	const struct conform_parameter *parameter = conform_parameter_find(&conform->metadata, key);
	const char *name = parameter && parameter->long_option ? parameter->long_option : key;
	int n;

	if (spec->by_argv)
		n = snprintf(input->text + input->bytes, room, "--%s=%s", name, value);
	else
		n = snprintf(input->text + input->bytes, room, "%s=%s\n", key, value);
	if (n < 0 || (size_t)n >= room)
		return;
	if (spec->by_argv && input->arguments_count < ARGUMENTS_MAX)
		input->arguments[input->arguments_count++] = input->text + input->bytes;
	input->bytes += (size_t)n + (spec->by_argv ? 1 : 0);
}

static void input_raw(struct input *input, const char *text)
{
	size_t bytes = text ? strlen(text) : 0;

	if (bytes == 0 || bytes > INPUT_BYTES_MAX - input->bytes)
		return;
	memcpy(input->text + input->bytes, text, bytes);
	input->bytes += bytes;
}

static void input_build(struct conform *conform, const struct shot_spec *spec, struct input *input)
{
	const struct conform_options *options = conform->options;

	input_raw(input, spec->head);
	if (spec->action)
		input_add(conform, spec, input, spec->action_key ? spec->action_key : "action",
			  spec->action);
	for (size_t i = 0; i < options->pairs_count && !spec->bare; i++)
		if (!is_edited(spec, options->pairs[i].key))
			input_add(conform, spec, input, options->pairs[i].key,
				  options->pairs[i].value);
	for (size_t i = 0; i < SHOT_EDITS_MAX && spec->edits[i].key; i++)
		if (spec->edits[i].value)
			input_add(conform, spec, input, spec->edits[i].key, spec->edits[i].value);
	if (spec->extra_argument && input->arguments_count < ARGUMENTS_MAX)
		input->arguments[input->arguments_count++] = spec->extra_argument;
	input_raw(input, spec->tail);
}

static void what_add(char *what, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void what_add(char *what, size_t size, const char *fmt, ...)
{
	size_t length = strlen(what);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what + length, size - length, fmt, ap);
	va_end(ap);
}

/* "action=off, plug=x": what was different from the plain request. */
static void what_build(const struct shot_spec *spec, char *what, size_t size)
{
	const char *comma = "";
	char raw[160];

	what[0] = '\0';
	if (spec->head) {
		text_clean(raw, sizeof raw, spec->head, strlen(spec->head));
		what_add(what, size, "\"%s\"", raw);
		comma = ", ";
	}
	if (spec->action) {
		what_add(what, size, "%s%s=%s", comma,
			 spec->action_key ? spec->action_key : "action", spec->action);
		comma = ", ";
	}
	for (size_t i = 0; i < SHOT_EDITS_MAX && spec->edits[i].key; i++) {
		const struct shot_edit *edit = &spec->edits[i];

		if (!edit->value)
			what_add(what, size, "%swithout %s", comma, edit->key);
		else
			what_add(what, size, "%s%s=%s", comma, edit->key,
				 conform_option_is_secret(edit->key) ? "*****" : edit->value);
		comma = ", ";
	}
	if (spec->tail) {
		text_clean(raw, sizeof raw, spec->tail, strlen(spec->tail));
		what_add(what, size, "%s\"%s\"", comma, raw);
	}
	if (!spec->action)
		what_add(what, size, spec->bare ? "nothing" : "%sno action", comma);
	what_add(what, size, spec->by_argv ? " on the command line" : " on stdin");
	if (spec->extra_argument)
		what_add(what, size, " with %s", spec->extra_argument);
	if (spec->bare)
		what_add(what, size, " (no other option)");
}

/* ---- one run ---- */

static char *text_copy(const char *text, size_t bytes)
{
	char *copy = malloc(bytes + 1);

	if (!copy)
		abort();
	memcpy(copy, text, bytes);
	copy[bytes] = '\0';
	return copy;
}

static void shot_ended(void *arg, pid_t group)
{
	struct conform *conform = arg;
	char name[64];
	pid_t stray;

	/* What was still there when time was up has just been asked to end with the agent. */
	if (conform->stray.broken || mono_reached(clock_now(), conform->deadline))
		return;
	stray = conform_proc_stray(group, name, sizeof name);
	if (stray == 0)
		return;
	conform->stray.broken = 1;
	snprintf(conform->stray.text, sizeof conform->stray.text,
		 "%s: the agent ended, but its process %s (%d) did not", conform->shot.what, name,
		 (int)stray);
}

static void shot_done(void *arg, const struct child_result *result)
{
	struct conform *conform = arg;
	struct shot *shot = &conform->shot;

	free(conform->out);
	free(conform->err);
	conform->out = text_copy(result->out, result->out_bytes);
	conform->err = text_copy(result->err, result->err_bytes);
	shot->seen = (struct conform_seen){
		.exit_status = result->exit_status,
		.term_signal = result->term_signal,
		.timed_out = result->timed_out,
		.out = conform->out,
		.err = conform->err,
		.out_bytes = result->out_bytes,
		.err_bytes = result->err_bytes,
	};
	shot->killed = result->timed_out && result->term_signal == SIGKILL;
	shot->took_ms = mono_diff_ms(result->started, result->ended);
	conform->child = NULL;
	uv_timer_stop(&conform->look);
}

static void watch_secrets(struct conform *conform, const struct shot *shot)
{
	for (size_t i = 0; i < conform->looked_for_count; i++) {
		const char *secret = conform->looked_for[i];
		int in_out = conform_has_secret(shot->seen.out, shot->seen.out_bytes, secret);

		if (conform->printed.broken ||
		    (!in_out && !conform_has_secret(shot->seen.err, shot->seen.err_bytes, secret)))
			continue;
		conform->printed.broken = 1;
		snprintf(conform->printed.text, sizeof conform->printed.text,
			 "%s: a secret is in what it prints on %s", shot->what,
			 in_out ? "stdout" : "stderr");
	}
	conform->printed.looked += conform->looked_for_count > 0;
	conform->shown.looked += conform->looked_for_count > 0;
}

/* What has to hold of every run. */
static void watch_all(struct conform *conform, int failed)
{
	const struct shot *shot = &conform->shot;
	char name[64];

	watch_secrets(conform, shot);
	conform->stray.looked++;
	if (conform_proc_reap(name, sizeof name) > 0 && !conform->stray.broken) {
		conform->stray.broken = 1;
		snprintf(conform->stray.text, sizeof conform->stray.text,
			 "%s: its process %s left the process group and lived on", shot->what,
			 name);
	}
	if (!failed || shot->seen.timed_out || shot->seen.term_signal)
		return;
	conform->silent.looked++;
	if (conform_has_words(shot->seen.err, shot->seen.err_bytes) || conform->silent.broken)
		return;
	conform->silent.broken = 1;
	snprintf(conform->silent.text, sizeof conform->silent.text,
		 "%s: failed with exit status %d and nothing on stderr", shot->what,
		 shot->seen.exit_status);
}

static void secrets_choose(struct conform *conform, const struct shot_spec *spec)
{
	conform->looked_for_count = 0;
	for (size_t i = 0; i < conform->secrets_count && !spec->bare && !spec->by_argv; i++)
		conform->looked_for[conform->looked_for_count++] = conform->secrets[i];
	if (spec->canary)
		conform->looked_for[conform->looked_for_count++] = spec->canary;
}

static void sample_start(struct conform *conform);

static void sample_done(void *arg, const struct child_result *result)
{
	struct conform *conform = arg;

	conform->sampler = NULL;
	conform->off_seen |= result->exit_status == 2;
	if (conform->child && !conform->off_seen)
		sample_start(conform);
}

/* A sample that cannot be taken is one that saw nothing. */
static void sample_start(struct conform *conform)
{
	const struct shot_spec spec = { .action = "status" };
	struct input input = { .text = calloc(1, INPUT_BYTES_MAX + 1) };
	struct child_spec child = { .path = conform->options->path,
				    .output_max = OUTPUT_BYTES_MAX,
				    .deadline = conform->deadline };
	struct err err = { 0 };

	if (!input.text)
		abort();
	input_build(conform, &spec, &input);
	child.input = input.text;
	child.input_bytes = input.bytes;
	conform->report->runs++;
	conform->sampler = child_start(&conform->host, &child, sample_done, conform, &err);
	explicit_bzero(input.text, INPUT_BYTES_MAX);
	free(input.text);
}

void shot_run(struct conform *conform, const struct shot_spec *spec)
{
	struct input input = { .text = calloc(1, INPUT_BYTES_MAX + 1) };
	int64_t timeout_ms = spec->timeout_ms ? spec->timeout_ms : conform->options->timeout_ms;
	struct child_spec child = { .path = conform->options->path,
				    .output_max = OUTPUT_BYTES_MAX,
				    .ended = shot_ended };
	struct err err = { 0 };
	int failed;

	if (!input.text)
		abort();
	memset(&conform->shot, 0, sizeof conform->shot);
	what_build(spec, conform->shot.what, sizeof conform->shot.what);
	secrets_choose(conform, spec);
	input_build(conform, spec, &input);
	child.args = input.arguments;
	child.input = spec->by_argv ? NULL : input.text;
	child.input_bytes = spec->by_argv ? 0 : input.bytes;
	child.deadline = conform->deadline = mono_add_ms(clock_now(), timeout_ms);
	conform->report->runs++;
	conform->child = child_start(&conform->host, &child, shot_done, conform, &err);
	if (!conform->child) {
		free(conform->err);
		conform->err = strdup(err.text);
		conform->shot.seen = (struct conform_seen){ .exit_status = -1,
							    .term_signal = SIGKILL,
							    .out = "",
							    .err = conform->err,
							    .err_bytes = strlen(err.text) };
	} else {
		if (conform->looked_for_count > 0)
			uv_timer_start(&conform->look, look_tick, 0, LOOK_MS);
		conform->off_seen = 0;
		if (spec->sample_off)
			sample_start(conform);
		uv_run(&conform->loop, UV_RUN_DEFAULT);
	}
	explicit_bzero(input.text, INPUT_BYTES_MAX);
	free(input.text);
	failed = conform->shot.seen.exit_status != 0 &&
		 !(spec->action && strcasecmp(spec->action, "status") == 0 &&
		   conform->shot.seen.exit_status == 2) &&
		 !(spec->action && strcasecmp(spec->action, "monitor") == 0);
	if (conform->shot.seen.exit_status == 0 && spec->action &&
	    (strcmp(spec->action, "on") == 0 || strcmp(spec->action, "off") == 0 ||
	     strcmp(spec->action, "reboot") == 0))
		conform->manual_on = strcmp(spec->action, "on") == 0;
	watch_all(conform, failed);
}

int shot_expect(struct conform *conform, const struct shot_spec *spec, enum conform_expect expect,
		char *why, size_t size)
{
	char judged[480];
	int met;

	shot_run(conform, spec);
	met = conform_judge(expect, &conform->shot.seen, judged, sizeof judged);
	if (!met)
		snprintf(why, size, "%s: %s", conform->shot.what, judged);
	return met;
}

/* Unless the list of the last shot holds it. */
static void absent_add(struct conform *conform, const char *fmt, int length, const char *plug)
	__attribute__((format(printf, 2, 0)));

static void absent_add(struct conform *conform, const char *fmt, int length, const char *plug)
{
	char *name = conform->absent[conform->absent_count], why[200], state;
	int n = snprintf(name, sizeof conform->absent[0], fmt, length, plug);

	if (n > 0 && (size_t)n < sizeof conform->absent[0] &&
	    !conform_list_judge(conform->shot.seen.out, conform->shot.seen.out_bytes, 0, name,
				&state, why, sizeof why))
		conform->absent_count++;
}

void plugs_absent_take(struct conform *conform)
{
	static const char *const fixed[ABSENT_FIXED] = { "holdfast-no-such-plug", "32749" };
	char why[900], state;
	int length;

	for (size_t i = 0; i < ABSENT_FIXED; i++)
		snprintf(conform->absent[i], sizeof conform->absent[i], "%s", fixed[i]);
	conform->absent_count = ABSENT_FIXED;
	if (!conform->plug || !conform->info.takes_plug ||
	    !conform_action_declared(&conform->metadata, "list") ||
	    !shot_expect(conform, &(struct shot_spec){ .action = "list" }, CONFORM_EXPECT_OK, why,
			 sizeof why) ||
	    !conform_list_judge(conform->shot.seen.out, conform->shot.seen.out_bytes, 0,
				conform->plug, &state, why, sizeof why))
		return;
	length = (int)strlen(conform->plug);
	absent_add(conform, "%.*s0", length, conform->plug);
	absent_add(conform, "%.*sx", length, conform->plug);
	absent_add(conform, "%.*s", length / 2, conform->plug);
}

int shot_ask(struct conform *conform, const struct shot_spec *edits, char *why, size_t size)
{
	struct shot_spec spec = *edits;

	spec.action = conform->manual ? "off" : "status";
	return shot_expect(conform, &spec,
			   conform->manual ? CONFORM_EXPECT_OK : CONFORM_EXPECT_STATE, why, size);
}
