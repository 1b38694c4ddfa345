/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fencer_io.c - the shell of the fencer: children, signals, time and history around fencer_core.
 *
 * Every event goes through run_event(), which steps the core until it has nothing more to say
 * and turns its actions into work. History is written by a thread (fencer_keep), one batch at a
 * time, so that a slow disk delays no deadline.
 */
#include "fence-agents/fencer/fencer.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "fence-agents/fencer/agent_catalog.h"
#include "fence-agents/fencer/agent_options.h"
#include "fence-agents/fencer/agent_reply.h"
#include "fence-agents/fencer/fencer_core.h"
#include "fence-agents/fencer/fencer_keep.h"
#include "fence-agents/fencer/fencer_report.h"
#include "host/boot_timer.h"
#include "host/child.h"
#include "host/clock.h"

enum {
	OUTPUT_BYTES_MAX = 64 << 10, /* kept of an agent's stdout and stderr, each */
	MARGIN_MAX_MS = 500,	     /* an SDK agent ends this much before it would be killed */
	MARGIN_PART = 10,
	SIGNALS = 4,
};

struct run_leg {
	struct run *run;
	size_t place, leg; /* target's place in the request, leg of the target */
	struct child *child;
	uint64_t token;
	enum fencer_verb verb;
};

struct run {
	const struct fencer_request *request;
	const struct fence_conf *conf;
	struct fencer_report *report;
	uv_loop_t loop;
	struct boot_timer timer;
	uv_signal_t signals[SIGNALS];
	struct child_host host;
	struct fencer_core *core;
	struct fencer_out out;
	struct fencer_core_config config;
	struct fencer_core_target *targets;
	struct fencer_core_leg *core_legs;
	unsigned *device_parallel;
	char **agent_paths;    /* for each device; NULL where not needed */
	unsigned char *native; /* for each device: its agent is known to be made with the SDK */
	size_t legs_count;
	struct run_leg *legs;	    /* of all targets, one after the other */
	struct fencer_words *words; /* same order */
	size_t *first_leg;	    /* of each target */
	uint64_t *unstarted;	    /* tokens whose program could not be started */
	size_t unstarted_count;
	size_t done, failed; /* targets */
	unsigned char *seen; /* targets that have begun a phase */
	struct keeper keeper;
	size_t *decided; /* places, in the order of their decision */
	size_t decided_count, kept_count, keeping_count;
	int keeping, no_memory, closing;
	int waits_for_history; /* all else is done */
	char *operator_name;
};

static void run_event(struct run *run, struct fencer_event event);

/* ---- what an agent is told ---- */

/* Text is put together by hand: stdio would leave copies of secrets in its buffers. */
struct input {
	char *text;
	size_t bytes, capacity;
};

static void input_add(struct input *input, const char *text)
{
	size_t length = strlen(text);

	assert(input->bytes + length <= input->capacity);
	memcpy(input->text + input->bytes, text, length);
	input->bytes += length;
}

/* Readers of these lines strip white space at their ends and one pair of quotes. */
static void input_pair(struct input *input, const char *key, const char *value)
{
	size_t length = strlen(value);
	int quote = length > 0 && (strchr(" \t", value[0]) || strchr(" \t", value[length - 1]) ||
				   (length > 1 && value[0] == '"' && value[length - 1] == '"'));

	input_add(input, key);
	input_add(input, quote ? "=\"" : "=");
	input_add(input, value);
	input_add(input, quote ? "\"\n" : "\n");
}

static size_t input_capacity(const struct fence_device *device, const struct fence_target *target,
			     const struct fence_leg *leg)
{
	size_t capacity = 256 + strlen(target->name) + (leg->plugs ? strlen(leg->plugs) : 0);

	for (size_t i = 0; i < device->options_count; i++)
		capacity += strlen(device->options[i].key) + strlen(device->options[i].value) + 4;
	return capacity;
}

/* The device's options first: of two equal keys the last one counts, and what is asked for is
 * not up to them. */
static int input_make(const struct run *run, const struct fencer_action *action,
		      struct input *input)
{
	const struct fence_target *target =
		&run->conf->targets[run->request->targets[action->target]];
	const struct fence_leg *leg = &target->legs[action->leg];
	const struct fence_device *device = &run->conf->devices[leg->device];
	int64_t left_ms = mono_left_ms(clock_now(), action->deadline);
	int64_t margin_ms = left_ms / MARGIN_PART < MARGIN_MAX_MS ? left_ms / MARGIN_PART
								  : MARGIN_MAX_MS;
	char seconds[32];

	left_ms = left_ms > margin_ms ? left_ms - margin_ms : 1;
	snprintf(seconds, sizeof seconds, "%lld.%03d", (long long)(left_ms / 1000),
		 (int)(left_ms % 1000));
	input->bytes = 0;
	input->capacity = input_capacity(device, target, leg);
	input->text = malloc(input->capacity);
	if (!input->text)
		return RC_INTERNAL;
	for (size_t i = 0; i < device->options_count; i++)
		input_pair(input, device->options[i].key, device->options[i].value);
	input_pair(input, "action", fencer_verb_word(action->verb));
	input_pair(input, "nodename", target->name);
	if (leg->plugs)
		input_pair(input, "plug", leg->plugs);
	input_pair(input, "json", "1");
	input_pair(input, "action_timeout", seconds);
	return 0;
}

static void input_wipe(struct input *input)
{
	if (input->text)
		explicit_bzero(input->text, input->capacity);
	free(input->text);
}

/* ---- children ---- */

static void words_set(struct run *run, const struct run_leg *leg, const char *message,
		      const char *next)
{
	struct fencer_words *words = &run->words[leg - run->legs];

	free(words->message);
	free(words->next);
	words->message = strdup(message);
	words->next = strdup(next);
}

/* What one run of an agent has shown holds for all devices that it controls. */
static void native_note(struct run *run, size_t device)
{
	if (run->native[device])
		return;
	for (size_t i = 0; i < run->conf->devices_count; i++)
		if (strcmp(run->conf->devices[i].agent, run->conf->devices[device].agent) == 0)
			run->native[i] = 1;
}

static void agent_done(void *arg, const struct child_result *result)
{
	struct run_leg *leg = arg;
	struct run *run = leg->run;
	const struct fence_target *target = &run->conf->targets[run->request->targets[leg->place]];
	size_t device = target->legs[leg->leg].device;
	struct agent_question question = {
		.verb = leg->verb,
		.plugs = target->legs[leg->leg].plugs,
		.separator = fence_device_separator(&run->conf->devices[device]),
		.is_native = run->native[device],
	};
	struct agent_reply reply;

	leg->child = NULL;
	agent_reply_judge(&question, result, &reply);
	if (reply.core.native)
		native_note(run, device);
	/* Words belong to the failure that counts, which is the first one that was final. */
	if (reply.core.rc != 0 && fencer_core_leg_result(run->core, leg->place, leg->leg).rc == 0)
		words_set(run, leg, reply.message, reply.next);
	run_event(run, (struct fencer_event){ .kind = FENCER_EVENT_DONE,
					      .now = clock_now(),
					      .token = leg->token,
					      .reply = reply.core });
}

static void agent_run(struct run *run, const struct fencer_action *action)
{
	struct run_leg *leg = &run->legs[run->first_leg[action->target] + action->leg];
	const struct fence_target *target =
		&run->conf->targets[run->request->targets[action->target]];
	struct err err = { 0 };
	struct input input = { 0 };

	leg->token = action->token;
	leg->verb = action->verb;
	if (input_make(run, action, &input) != 0) {
		err_set(&err, RC_INTERNAL, NULL, "out of memory");
	} else {
		/* The core keeps the deadline: it knows what else waits for the place. */
		leg->child = child_start(
			&run->host,
			&(struct child_spec){
				.path = run->agent_paths[target->legs[action->leg].device],
				.input = input.text,
				.input_bytes = input.bytes,
				.output_max = OUTPUT_BYTES_MAX,
				.deadline = MONO_NEVER,
			},
			agent_done, leg, &err);
		input_wipe(&input);
	}
	if (!leg->child) {
		words_set(run, leg, err.text, err.next);
		run->unstarted[run->unstarted_count++] = action->token;
	}
}

/* ---- history ---- */

static void run_settle(struct run *run);

/* The first failure is the one to tell. */
static void history_failed(struct run *run, const char *why)
{
	if (!run->report->history_error &&
	    asprintf(&run->report->history_error, "the history was not written: %s", why) < 0)
		run->report->history_error = NULL;
}

static void history_written(struct keeper *keeper, const struct err *err)
{
	struct run *run = keeper->data;

	if (err->rc != 0)
		history_failed(run, err->text);
	run->keeping = 0;
	run->kept_count += run->keeping_count;
	run_settle(run);
}

static void history_late(struct run *run)
{
	if (!run->report->history_error &&
	    asprintf(&run->report->history_error,
		     "the history is not written yet: %s does not take it (locked by another "
		     "program, or a disk that hangs)",
		     run->conf->history_path) < 0)
		run->report->history_error = NULL;
}

/* Reading a state proves nothing about fencing, and a monitor that asks every minute would push
 * out what does. */
static int run_has_history(const struct run *run)
{
	return run->request->op != FENCER_STATUS;
}

static void history_start(struct run *run)
{
	struct err err = { 0 };
	char *text = NULL;
	size_t bytes = 0;

	if (run->keeping || run->kept_count == run->decided_count)
		return;
	run->keeping_count = run->decided_count - run->kept_count;
	if (run_has_history(run)) {
		if (fencer_report_lines(run->report, run->conf, run->decided + run->kept_count,
					run->keeping_count, run->operator_name, &text, &bytes,
					&err) == 0 &&
		    keeper_write(&run->keeper, run->conf->history_path, text, bytes, &err) == 0) {
			run->keeping = 1;
			return;
		}
		history_failed(run, err.text);
	}
	run->kept_count = run->decided_count;
}

/* ---- news ---- */

static const char *phase_text(const struct fencer_action *action, char *text, size_t size)
{
	static const char *const words[] = {
		[FENCER_PHASE_OFF] = "off",	    [FENCER_PHASE_CONFIRM] = "verify",
		[FENCER_PHASE_ON] = "on",	    [FENCER_PHASE_RESTORE] = "restore",
		[FENCER_PHASE_STATUS] = "status",   [FENCER_PHASE_TEST] = "test",
		[FENCER_PHASE_DECIDED] = "decided",
	};

	if (action->level == 0)
		return words[action->phase];
	snprintf(text, size, "%s level %u", words[action->phase], action->level);
	return text;
}

static void progress_tell(struct run *run, size_t place, const char *phase)
{
	struct fencer_progress progress = {
		.target = run->request->targets[place],
		.phase = phase,
		.done = run->done,
		.failed = run->failed,
		.total = run->request->targets_count,
	};

	if (!run->request->progress)
		return;
	for (size_t i = 0; i < run->request->targets_count; i++)
		progress.running += run->seen[i] && !run->report->targets[i].message;
	run->request->progress(run->request->progress_arg, &progress);
}

static void target_decided(struct run *run, size_t place)
{
	size_t first = run->first_leg[place];

	if (fencer_report_fill(run->report, run->request, place, run->core, &run->words[first]) !=
	    0)
		run->no_memory = 1;
	if (run->report->targets[place].rc == 0)
		run->done++;
	else
		run->failed++;
	run->decided[run->decided_count++] = place;
	progress_tell(run, place, run->report->targets[place].rc == 0 ? "done" : "failed");
}

static void action_take(struct run *run, const struct fencer_action *action)
{
	struct run_leg *leg;
	char text[32];

	switch (action->kind) {
	case FENCER_ACTION_RUN:
		agent_run(run, action);
		return;
	case FENCER_ACTION_KILL:
		leg = &run->legs[run->first_leg[action->target] + action->leg];
		if (leg->child && leg->token == action->token)
			child_kill(leg->child, action->hard);
		return;
	case FENCER_ACTION_PHASE:
		run->seen[action->target] = 1;
		progress_tell(run, action->target, phase_text(action, text, sizeof text));
		return;
	case FENCER_ACTION_DECIDED:
		target_decided(run, action->target);
		return;
	}
}

/* ---- the loop ---- */

static void signals_close(struct run *run)
{
	for (size_t i = 0; i < SIGNALS; i++)
		if (run->signals[i].data)
			uv_close((uv_handle_t *)&run->signals[i], NULL);
}

static void run_close(struct run *run)
{
	run->closing = 1;
	keeper_close(&run->keeper);
	boot_timer_close(&run->timer, NULL);
	signals_close(run);
}

static void run_settle(struct run *run)
{
	if (run->closing)
		return;
	history_start(run);
	if (!fencer_core_finished(run->core)) {
		boot_timer_set(&run->timer, fencer_core_deadline(run->core));
		return;
	}
	if (run->unstarted_count > 0)
		return;
	if (!run->keeping) {
		run_close(run);
	} else if (!run->waits_for_history) {
		run->waits_for_history = 1;
		boot_timer_set(&run->timer, mono_add_ms(clock_now(), FENCER_HISTORY_MS));
	}
}

static void run_step(struct run *run, struct fencer_event event)
{
	do {
		fencer_core_step(run->core, &event, &run->out);
		for (size_t i = 0; i < run->out.count; i++)
			action_take(run, &run->out.actions[i]);
		event = (struct fencer_event){ .kind = FENCER_EVENT_TICK, .now = clock_now() };
	} while (run->out.more);
}

static void run_event(struct run *run, struct fencer_event event)
{
	run_step(run, event);
	while (run->unstarted_count > 0) {
		struct fencer_event failed = { .kind = FENCER_EVENT_DONE,
					       .now = clock_now(),
					       .token = run->unstarted[--run->unstarted_count],
					       .reply.rc = RC_INTERNAL };

		run_step(run, failed);
	}
	run_settle(run);
}

static void run_timer_fired(struct boot_timer *timer)
{
	struct run *run = timer->data;

	if (run->waits_for_history) {
		history_late(run);
		run_close(run);
		return;
	}
	run_event(run, (struct fencer_event){ .kind = FENCER_EVENT_TICK, .now = clock_now() });
}

static void run_signalled(uv_signal_t *handle, int number)
{
	struct run *run = handle->data;

	(void)number;
	if (run->closing || fencer_core_finished(run->core))
		return; /* everything is decided: nothing to cancel */
	run->report->cancelled = 1;
	run_event(run, (struct fencer_event){ .kind = FENCER_EVENT_CANCEL, .now = clock_now() });
}

/* ---- setting up ---- */

static int run_out_of_memory(struct err *err)
{
	return err_set(err, RC_INTERNAL, NULL, "out of memory");
}

/* A device by the same agent that was looked up before; -1 when there is none. */
static long same_agent(const struct run *run, size_t device)
{
	for (size_t i = 0; i < run->conf->devices_count; i++)
		if (i != device && run->agent_paths[i] &&
		    strcmp(run->conf->devices[i].agent, run->conf->devices[device].agent) == 0)
			return (long)i;
	return -1;
}

static void warning_keep(void *arg, const char *text)
{
	struct fencer_report *report = arg;
	char **grown = reallocarray(report->warnings, report->warnings_count + 1, sizeof *grown);

	if (!grown)
		return;
	report->warnings = grown;
	grown[report->warnings_count] = strdup(text);
	report->warnings_count += grown[report->warnings_count] != NULL;
}

/* What is found out about agents before a test. */
struct surveys {
	struct agent_info *infos; /* by device; of the first one for each agent */
	size_t *first;		  /* by device: which one that was */
	unsigned char *probes;	  /* by device */
};

/* A test reads metadata: has the agent `probe`, does it owe us results, has it these options? */
static void agent_survey(struct run *run, struct surveys *surveys, size_t device, long same)
{
	size_t first = same >= 0 ? surveys->first[same] : device;
	struct agent_info *info = &surveys->infos[first];
	struct err err = { 0 };

	surveys->first[device] = first;
	if (run->request->op != FENCER_TEST && run->request->op != FENCER_TEST_REAL)
		return;
	if (device == first)
		agent_info_load(run->agent_paths[device], info, &err);
	surveys->probes[device] = info->valid && info->has_probe;
	run->native[device] = info->valid && info->native;
	agent_options_check(run->conf, device, info, warning_keep, run->report);
}

/* Find the program of every device that is needed, once for each program. */
static int run_find_agents(struct run *run, struct surveys *surveys, struct err *err)
{
	for (size_t n = 0; n < run->request->targets_count; n++) {
		const struct fence_target *target = &run->conf->targets[run->request->targets[n]];

		for (size_t i = 0; i < target->legs_count; i++) {
			size_t device = target->legs[i].device;
			long same;

			if (run->agent_paths[device])
				continue;
			same = same_agent(run, device);
			run->agent_paths[device] =
				same >= 0 ? strdup(run->agent_paths[same])
					  : agent_find(run->conf->devices[device].agent, err);
			if (!run->agent_paths[device])
				return same >= 0 ? run_out_of_memory(err) : err->rc;
			agent_survey(run, surveys, device, same);
		}
	}
	return 0;
}

static int run_alloc(struct run *run)
{
	size_t targets = run->request->targets_count, devices = run->conf->devices_count;

	for (size_t n = 0; n < targets; n++)
		run->legs_count += run->conf->targets[run->request->targets[n]].legs_count;
	run->targets = calloc(targets, sizeof *run->targets);
	run->first_leg = calloc(targets, sizeof *run->first_leg);
	run->seen = calloc(targets, sizeof *run->seen);
	run->decided = calloc(targets, sizeof *run->decided);
	run->core_legs = calloc(run->legs_count, sizeof *run->core_legs);
	run->legs = calloc(run->legs_count, sizeof *run->legs);
	run->words = calloc(run->legs_count, sizeof *run->words);
	run->unstarted = calloc(run->legs_count, sizeof *run->unstarted);
	run->device_parallel = calloc(devices, sizeof *run->device_parallel);
	run->agent_paths = calloc(devices, sizeof *run->agent_paths);
	run->native = calloc(devices, 1);
	run->report = fencer_report_new(run->request);
	run->operator_name = fencer_operator_name();
	return run->targets && run->first_leg && run->seen && run->decided && run->core_legs &&
	       run->legs && run->words && run->unstarted && run->device_parallel &&
	       run->agent_paths && run->native && run->report && run->operator_name;
}

static void run_configure(struct run *run, const unsigned char *probes)
{
	const struct fencer_request *request = run->request;
	size_t at = 0;

	for (size_t n = 0; n < request->targets_count; n++) {
		const struct fence_target *target = &run->conf->targets[request->targets[n]];

		run->first_leg[n] = at;
		run->targets[n].legs = &run->core_legs[at];
		run->targets[n].legs_count = target->legs_count;
		for (size_t i = 0; i < target->legs_count; i++, at++) {
			const struct fence_leg *leg = &target->legs[i];

			run->core_legs[at] = (struct fencer_core_leg){
				.device = (uint32_t)leg->device,
				.level = (uint8_t)leg->level,
				.has_plugs = leg->plugs != NULL,
				.has_probe = probes[leg->device],
				.unlisted = run->conf->devices[leg->device].unlisted != 0,
			};
			run->legs[at].run = run;
			run->legs[at].place = n;
			run->legs[at].leg = i;
		}
	}
	for (size_t i = 0; i < run->conf->devices_count; i++)
		run->device_parallel[i] = run->conf->devices[i].parallel;
	run->config = (struct fencer_core_config){
		.op = request->op,
		.timeout_ms = request->timeout_ms ? request->timeout_ms : run->conf->timeout_ms,
		.retries = run->conf->retries,
		.parallel = request->parallel ? request->parallel : run->conf->parallel,
		.device_parallel = run->device_parallel,
		.devices_count = run->conf->devices_count,
		.targets = run->targets,
		.targets_count = request->targets_count,
	};
}

static int run_prepare(struct run *run, struct err *err)
{
	struct surveys surveys;
	int rc;

	if (!run_alloc(run))
		return run_out_of_memory(err);
	surveys.infos = calloc(run->conf->devices_count, sizeof *surveys.infos);
	surveys.first = calloc(run->conf->devices_count, sizeof *surveys.first);
	surveys.probes = calloc(run->conf->devices_count, 1);
	if (surveys.infos && surveys.first && surveys.probes)
		rc = run_find_agents(run, &surveys, err);
	else
		rc = run_out_of_memory(err);
	if (rc == 0)
		run_configure(run, surveys.probes);
	for (size_t i = 0; surveys.infos && i < run->conf->devices_count; i++)
		agent_info_clear(&surveys.infos[i]);
	free(surveys.infos);
	free(surveys.first);
	free(surveys.probes);
	return rc;
}

/* A terminal that goes away ends children as well as ^C does; but who runs us under nohup wants us
 * to go on. */
static int signal_is_ignored(int number)
{
	struct sigaction now;

	return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

static int run_signals(struct run *run)
{
	static const int numbers[SIGNALS] = { SIGINT, SIGTERM, SIGQUIT, SIGHUP };

	for (size_t i = 0; i < SIGNALS; i++) {
		uv_signal_init(&run->loop, &run->signals[i]);
		run->signals[i].data = run;
		if (numbers[i] == SIGHUP && signal_is_ignored(SIGHUP))
			continue;
		if (uv_signal_start(&run->signals[i], run_signalled, numbers[i]) != 0)
			return RC_INTERNAL;
	}
	return 0;
}

static int run_loop(struct run *run, mono_t start, struct err *err)
{
	void *memory = calloc(1, fencer_core_bytes(&run->config));
	int rc = memory ? 0 : run_out_of_memory(err);

	if (rc == 0)
		rc = child_host_init(&run->host, &run->loop, err);
	if (rc != 0) {
		free(memory);
		return rc;
	}
	if (boot_timer_init(&run->timer, &run->loop, run_timer_fired, run) != 0) {
		rc = err_set(err, RC_INTERNAL, NULL, "cannot make a timer");
	} else if (run_signals(run) != 0) {
		rc = err_set(err, RC_INTERNAL, NULL, "cannot watch for signals");
		boot_timer_close(&run->timer, NULL);
		signals_close(run);
	} else if (keeper_init(&run->keeper, &run->loop, history_written, run) != 0) {
		rc = err_set(err, RC_INTERNAL, NULL, "cannot be called by threads");
		boot_timer_close(&run->timer, NULL);
		signals_close(run);
	} else {
		run->core = fencer_core_init(memory, &run->config, start);
		run_event(run,
			  (struct fencer_event){ .kind = FENCER_EVENT_TICK, .now = clock_now() });
	}
	uv_run(&run->loop, UV_RUN_DEFAULT);
	child_host_end(&run->host);
	free(memory);
	if (rc == 0 && run->no_memory)
		rc = run_out_of_memory(err);
	return rc;
}

static void run_free(struct run *run)
{
	for (size_t i = 0; run->words && i < run->legs_count; i++) {
		free(run->words[i].message);
		free(run->words[i].next);
	}
	for (size_t i = 0; run->agent_paths && i < run->conf->devices_count; i++)
		free(run->agent_paths[i]);
	free(run->targets);
	free(run->first_leg);
	free(run->seen);
	free(run->decided);
	free(run->core_legs);
	free(run->legs);
	free(run->words);
	free(run->unstarted);
	free(run->device_parallel);
	free(run->agent_paths);
	free(run->native);
	free(run->operator_name);
	fencer_report_free(run->report);
	free(run);
}

int fencer_run(const struct fencer_request *request, struct fencer_report **report, struct err *err)
{
	mono_t start = clock_now();
	struct run *run;
	int rc;

	assert(request->targets_count > 0);
	run = calloc(1, sizeof *run);
	if (!run)
		return run_out_of_memory(err);
	run->request = request;
	run->conf = request->conf;
	rc = run_prepare(run, err);
	if (rc == 0) {
		rc = uv_loop_init(&run->loop);
		if (rc != 0) {
			err_set(err, RC_INTERNAL, NULL, "cannot make an event loop: %s",
				uv_strerror(rc));
			rc = RC_INTERNAL;
		} else {
			rc = run_loop(run, start, err);
			uv_loop_close(&run->loop);
		}
	}
	if (rc == 0) {
		*report = run->report;
		run->report = NULL;
	}
	run_free(run);
	return rc;
}
