/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: base watchdog/watch_core.c tests/unit/golden.c pkg:cmocka
 *
 * test_watch_core.c - golden traces of watchdogd's core: plays every scenario of watch_core.traces
 * and compares the narrative. Run from the root of the repository.
 *
 * A scenario is one statement a line; times are milliseconds of CLOCK_BOOTTIME:
 *	device hardware 10000 2000	proof, timeout, pretimeout (may be missing); before all others
 *	expiry off			reboot, off, crash, hardware
 *	looking				an outside clock is looked at
 *	until 5000			time passes; the core is woken at its deadlines
 *	jump 9000			time passes, nobody is woken
 *	tick   wake			the latter tells when the core wants to be woken
 *	stood 3000			the next event brings a standstill
 *	takes 700			the next pet takes so long
 *	fails 0 5			from now on petting device 0 fails with that errno
 *	register 1 mydb 5000 [SINCE [UID]]	connection, name, deadline
 *	renew 1 [SINCE]   bye 1   undo 1   gone 1   test 1 self [UID]   stop
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/golden.h"
#include "watchdog/watch_core.h"

enum { NARRATIVE_BYTES = 64 * 1024 };

static const char *const proofs[] = { "none", "software", "hardware" };
static const char *const expiries[] = { "reboot", "off", "crash", "hardware" };
static const char *const states[] = { "petting", "expired", "testing", "stopped" };
static const char *const refusals[] = { "version", "name",    "time",  "busy", "state",
					"late",	   "clients", "right", "mark" };
static const char *const tests_by[] = { "hardware", "self" };
static const char *const traces[] = {
	"registered",  "taken over",  "goodbye",   "gone",    "EXPIRED",
	"landed late", "still alive", "failed",	   "no stop", "testing by",
	"survived",    "stood still", "woke late", "undone",  "no stop in test",
};

static struct {
	struct watch_core core;
	struct watch_core_config config;
	int started;
	int64_t now_ms, stood_ms, takes_ms;
	int errors[WATCH_CORE_DEVICES_MAX];
	char text[NARRATIVE_BYTES];
	size_t length;
} world;

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	world.length += (size_t)vsnprintf(world.text + world.length,
					  sizeof world.text - world.length, fmt, args);
	va_end(args);
	if (world.length >= sizeof world.text)
		fail_msg("the narrative is too long");
}

static long word_of(const char *const *words, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i], word) == 0)
			return (long)i;
	fail_msg("no such word: %s", word);
	return -1;
}

#define WORD(words, word) word_of(words, sizeof(words) / sizeof((words)[0]), word)

/* Missing ones are 0. */
static long number_of(const char *word)
{
	char *end;
	long number = strtol(word, &end, 10);

	if (*end)
		fail_msg("no number: %s", word);
	return number;
}

static mono_t at_ms(int64_t ms)
{
	return (mono_t){ ms * MONO_NS_PER_MS };
}

static void action_tell(const struct watch_action *action)
{
	struct watch_core_terms terms = watch_core_terms(
		&world.core, action->connection ? action->connection : UINT64_MAX);

	say("[%lld] ", (long long)world.now_ms);
	switch (action->kind) {
	case WATCH_ACTION_PET:
		say("pet");
		if (!mono_is_never(action->until))
			say(", not after %lld", (long long)(action->until.ns / MONO_NS_PER_MS));
		break;
	case WATCH_ACTION_RESET:
		say("RESET %s %s %lld", expiries[action->how], action->name,
		    (long long)action->number);
		break;
	case WATCH_ACTION_DISARM:
		say("disarm");
		break;
	case WATCH_ACTION_MARK:
		say("mark");
		break;
	case WATCH_ACTION_UNMARK:
		say("unmark");
		break;
	case WATCH_ACTION_TERMS:
		say("%llu: L %u W %u bound %u %s %s", (unsigned long long)action->connection,
		    terms.deadline_ms, terms.device_ms, terms.bound_ms, proofs[terms.proof],
		    states[world.core.state]);
		break;
	case WATCH_ACTION_BYE:
		say("%llu: bye", (unsigned long long)action->connection);
		break;
	case WATCH_ACTION_REFUSE:
		say("%llu: refused %s", (unsigned long long)action->connection,
		    refusals[action->refusal]);
		break;
	case WATCH_ACTION_TRACE:
		say("- %s%s%s", action->name, action->name[0] ? " " : "", traces[action->trace]);
		if (action->trace == WATCH_TRACE_TESTING)
			say(" %s", tests_by[action->number]);
		else if (action->trace != WATCH_TRACE_STOP_REFUSED)
			say(" %lld", (long long)action->number);
		break;
	}
	say("\n");
}

/* Give the core an event at the present time, and do what it says. */
static void feed(struct watch_event event)
{
	struct watch_out out;
	int petted;

	do {
		event.now = at_ms(world.now_ms);
		event.stood_ns = world.stood_ms * MONO_NS_PER_MS;
		world.stood_ms = 0;
		watch_step(&world.core, &event, &out);
		petted = 0;
		for (size_t i = 0; i < out.count; i++) {
			action_tell(&out.actions[i]);
			petted = out.actions[i].kind == WATCH_ACTION_PET;
		}
		event = (struct watch_event){ .kind = WATCH_EVENT_PETTED };
		memcpy(event.errors, world.errors, sizeof event.errors);
		if (petted) {
			world.now_ms += world.takes_ms;
			world.takes_ms = 0;
		}
	} while (petted);
}

static void time_pass(int64_t until_ms)
{
	mono_t until = at_ms(until_ms), wake;

	while (wake = watch_deadline(&world.core), mono_reached(until, wake)) {
		if (mono_before(at_ms(world.now_ms), wake))
			world.now_ms = wake.ns / MONO_NS_PER_MS;
		feed((struct watch_event){ .kind = WATCH_EVENT_TICK });
	}
	if (world.now_ms < until_ms)
		world.now_ms = until_ms;
}

/* Statements that set the scene. */
static int scene_set(const char *verb, char *const *args)
{
	struct watch_core_config *config = &world.config;

	if (strcmp(verb, "device") == 0)
		config->devices[config->devices_count++] = (struct watch_core_device){
			.proof = (enum watch_proof)WORD(proofs, args[0]),
			.timeout_ms = (uint32_t)number_of(args[1]),
			.pretimeout_ms = (uint32_t)number_of(args[2]),
		};
	else if (strcmp(verb, "expiry") == 0)
		config->expiry = (enum watch_expiry)WORD(expiries, args[0]);
	else if (strcmp(verb, "looking") == 0)
		config->looking = 1;
	else
		return 0;
	return 1;
}

static int time_change(const char *verb, char *const *args)
{
	if (strcmp(verb, "until") == 0)
		time_pass(number_of(args[0]));
	else if (strcmp(verb, "jump") == 0)
		world.now_ms = number_of(args[0]);
	else if (strcmp(verb, "stood") == 0)
		world.stood_ms = number_of(args[0]);
	else if (strcmp(verb, "takes") == 0)
		world.takes_ms = number_of(args[0]);
	else if (strcmp(verb, "fails") == 0)
		world.errors[number_of(args[0])] = (int)number_of(args[1]);
	else if (strcmp(verb, "wake") == 0)
		say("[%lld] wake at %lld\n", (long long)world.now_ms,
		    (long long)(watch_deadline(&world.core).ns / MONO_NS_PER_MS));
	else
		return 0;
	return 1;
}

static void event_play(const char *verb, char *const *args)
{
	struct watch_event event = { .connection = strtoull(args[0], NULL, 10) };

	if (strcmp(verb, "tick") == 0) {
		event.kind = WATCH_EVENT_TICK;
	} else if (strcmp(verb, "stop") == 0) {
		event.kind = WATCH_EVENT_STOP;
	} else if (strcmp(verb, "register") == 0) {
		event.kind = WATCH_EVENT_REGISTER;
		event.name = args[1];
		event.deadline_ms = (uint32_t)number_of(args[2]);
		event.since_ns = number_of(args[3]) * MONO_NS_PER_MS;
		event.uid = (uint32_t)number_of(args[4]);
	} else if (strcmp(verb, "renew") == 0) {
		event.kind = WATCH_EVENT_RENEW;
		event.since_ns = number_of(args[1]) * MONO_NS_PER_MS;
	} else if (strcmp(verb, "bye") == 0) {
		event.kind = WATCH_EVENT_GOODBYE;
	} else if (strcmp(verb, "undo") == 0) {
		event.kind = WATCH_EVENT_UNDO;
	} else if (strcmp(verb, "gone") == 0) {
		event.kind = WATCH_EVENT_GONE;
	} else if (strcmp(verb, "test") == 0) {
		event.kind = WATCH_EVENT_TEST;
		event.by = (enum watch_test)WORD(tests_by, args[1]);
		event.uid = (uint32_t)number_of(args[2]);
	} else {
		fail_msg("no such statement: %s", verb);
	}
	feed(event);
}

static void statement_play(char *line)
{
	char *words[8] = { "", "", "", "", "", "", "", "" }, *rest = NULL;
	size_t count = 0;

	for (char *word = strtok_r(line, " \t", &rest); word && count < 8;
	     word = strtok_r(NULL, " \t", &rest))
		words[count++] = word;
	if (count == 0 || words[0][0] == '#' || scene_set(words[0], words + 1))
		return;
	if (!world.started) {
		watch_init(&world.core, &world.config, at_ms(0));
		world.started = 1;
	}
	if (!time_change(words[0], words + 1))
		event_play(words[0], words + 1);
}

static void scenario_plays(void **state)
{
	const struct scenario *scenario = *state;
	char *text = strdup(scenario->text), *rest = NULL;

	assert_non_null(text);
	memset(&world, 0, sizeof world);
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		statement_play(line);
	free(text);
	golden_check(scenario, world.text);
}

int main(void)
{
	return golden_run("watch_core", "tests/unit/watch_core.traces", scenario_plays);
}
