/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fencer_world.c - see fencer_world.h.
 */
#include "tests/unit/fencer_world.h"

#include "fence-agents/fencer/fencer_core.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TARGETS_MAX = 8,
	LEGS_MAX = 8,
	DEVICES_MAX = 16,
	RUNS_MAX = 64,
	STEPS_MAX = 10000,
	RULES_MAX = 32
};

enum answer {
	PROVEN,
	ACCEPTED,
	UNSTEADY,
	READS_ON,
	READS_OFF,
	READS_PARTIAL,
	DONE_0,
	SAYS_ON,
	SAYS_OFF,
	LISTED,
	NOT_LISTED,
	NO_LIST,
	FAILS_AUTH,
	FAILS_UNREACHABLE,
	FAILS_STATE,
	HANGS,
	HANGS_ON,
	STAYS,
	ANSWERS,
};

struct rule {
	char device[16];
	enum fencer_verb verb;
	enum answer answer;
	int latency_ms;
	int times; /* 0: for ever */
	int used;
};

struct run {
	uint64_t token;
	size_t target, leg;
	enum fencer_verb verb;
	enum answer answer;
	int64_t ends_ms; /* -1: not by itself */
};

static struct {
	struct fencer_core_config config;
	struct fencer_core_target targets[TARGETS_MAX];
	struct fencer_core_leg legs[TARGETS_MAX][LEGS_MAX];
	char names[TARGETS_MAX][16];
	char devices[DEVICES_MAX][16];
	unsigned device_parallel[DEVICES_MAX];
	struct rule rules[RULES_MAX];
	size_t rules_count;
	struct run runs[RUNS_MAX];
	size_t runs_count;
	int64_t now_ms;
	char trace[16384];
	size_t trace_bytes;
	void *memory;
	struct fencer_core *core;
	int64_t cancel_ms; /* 0: never */
} w;

static const char *const verb_words[] = { "off", "on", "status", "list", "probe" };
static const char *const phase_words[] = { "off",    "confirm", "on",	  "restore",
					   "status", "test",	"decided" };
static const char *const answer_words[ANSWERS] = {
	"proven", "accepted",	 "unsteady", "reads-on", "reads-off",  "reads-partial",
	"done",	  "says-on",	 "says-off", "listed",	 "not-listed", "no-list",
	"auth",	  "unreachable", "state",    "hangs",	 "hangs-on",   "stays",
};
static const char *const op_words[] = { "status", "on", "off", "reboot", "test", "test-real" };

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *fmt, ...)
{
	va_list ap;
	int n;

	n = snprintf(w.trace + w.trace_bytes, sizeof w.trace - w.trace_bytes, "[%lld] ",
		     (long long)w.now_ms);
	w.trace_bytes += (size_t)n;
	va_start(ap, fmt);
	n = vsnprintf(w.trace + w.trace_bytes, sizeof w.trace - w.trace_bytes, fmt, ap);
	va_end(ap);
	w.trace_bytes += (size_t)n;
	assert(w.trace_bytes + 2 < sizeof w.trace);
	w.trace[w.trace_bytes++] = '\n';
	w.trace[w.trace_bytes] = '\0';
}

static mono_t at_ms(int64_t ms)
{
	/* Far from zero, so that a moment mistaken for a length shows. */
	return mono_add_ms((mono_t){ INT64_C(1000000000000) }, ms);
}

static uint32_t device_index(const char *name)
{
	uint32_t i = 0;

	while (w.devices[i][0] && strcmp(w.devices[i], name) != 0)
		i++;
	assert(i < DEVICES_MAX);
	snprintf(w.devices[i], sizeof w.devices[i], "%s", name);
	return i;
}

static void target_parse(size_t t, const char *text)
{
	char copy[256], *save = NULL, *word;

	snprintf(copy, sizeof copy, "%s", text);
	snprintf(w.names[t], sizeof w.names[t], "%s", strtok_r(copy, "=", &save));
	w.targets[t].legs = w.legs[t];
	while ((word = strtok_r(NULL, ",", &save)) != NULL) {
		char *slash = strchr(word, '/');
		struct fencer_core_leg *leg = &w.legs[t][w.targets[t].legs_count++];

		*slash = '\0';
		leg->device = device_index(word);
		leg->level = (uint8_t)(slash[1] - '0');
		leg->has_plugs = strchr(slash + 1, 'p') != NULL;
		leg->has_probe = strchr(slash + 1, 'q') != NULL;
		leg->unlisted = strchr(slash + 1, 'u') != NULL;
	}
}

static const struct rule *rule_for(const char *device, enum fencer_verb verb)
{
	for (size_t i = 0; i < w.rules_count; i++) {
		struct rule *rule = &w.rules[i];

		if (strcmp(rule->device, device) != 0 || rule->verb != verb ||
		    (rule->times != 0 && rule->used == rule->times))
			continue;
		rule->used++;
		return rule;
	}
	fprintf(stderr, "no rule for %s %s\n%s", device, verb_words[verb], w.trace);
	abort();
}

static const char *leg_name(size_t target, size_t leg)
{
	static char text[64];

	snprintf(text, sizeof text, "%s/%s", w.names[target],
		 w.devices[w.legs[target][leg].device]);
	return text;
}

static struct fencer_core_reply reply_of(const struct run *run)
{
	enum power_state asked = run->verb == FENCER_VERB_OFF  ? POWER_OFF
				 : run->verb == FENCER_VERB_ON ? POWER_ON
							       : POWER_UNKNOWN;

	switch (run->answer) {
	case PROVEN:
		return (struct fencer_core_reply){ 0, 1, asked, PROOF_PROVEN, asked == POWER_OFF };
	case ACCEPTED:
		return (struct fencer_core_reply){ 0, 1, asked, PROOF_ACCEPTED, 0 };
	case UNSTEADY:
		return (struct fencer_core_reply){ 0, 1, asked, PROOF_PROVEN, 0 };
	case READS_ON:
		return (struct fencer_core_reply){ 0, 1, POWER_ON, PROOF_PROVEN, 0 };
	case READS_OFF:
		return (struct fencer_core_reply){ 0, 1, POWER_OFF, PROOF_PROVEN, 0 };
	case READS_PARTIAL:
		return (struct fencer_core_reply){ RC_STATE, 1, POWER_PARTIAL, PROOF_PROVEN, 0 };
	case DONE_0:
		return (struct fencer_core_reply){ 0, 0, POWER_UNKNOWN, PROOF_ACCEPTED, 0 };
	case SAYS_ON:
		return (struct fencer_core_reply){ 0, 0, POWER_ON, PROOF_PROVEN, 0 };
	case SAYS_OFF:
		return (struct fencer_core_reply){ 0, 0, POWER_OFF, PROOF_PROVEN, 0 };
	case LISTED:
		return (struct fencer_core_reply){ 0 };
	case NOT_LISTED:
		return (struct fencer_core_reply){ .rc = RC_NO_SUCH_PLUG };
	case NO_LIST:
		return (struct fencer_core_reply){ .rc = RC_UNSUPPORTED };
	case FAILS_AUTH:
		return (struct fencer_core_reply){ .rc = RC_AUTH };
	case FAILS_UNREACHABLE:
		return (struct fencer_core_reply){ .rc = RC_UNREACHABLE };
	case FAILS_STATE:
		return (struct fencer_core_reply){ .rc = RC_STATE };
	case HANGS:
	case HANGS_ON:
	case STAYS:
	case ANSWERS:
		break;
	}
	/* What it says when it is killed must not matter: the best possible. */
	return (struct fencer_core_reply){ 0, 1, asked, PROOF_PROVEN, 1 };
}

static void take_run(const struct fencer_action *a)
{
	const char *device = w.devices[w.legs[a->target][a->leg].device];
	const struct rule *rule = rule_for(device, a->verb);
	struct run *run = &w.runs[w.runs_count++];

	assert(w.runs_count < RUNS_MAX);
	say("run %s %s until %lld", leg_name(a->target, a->leg), verb_words[a->verb],
	    (long long)mono_diff_ms(at_ms(0), a->deadline));
	*run = (struct run){ a->token, a->target,    a->leg,
			     a->verb,  rule->answer, w.now_ms + rule->latency_ms };
	if (rule->answer == HANGS || rule->answer == HANGS_ON || rule->answer == STAYS)
		run->ends_ms = -1;
}

static void take_kill(const struct fencer_action *a)
{
	for (size_t i = 0; i < w.runs_count; i++) {
		struct run *run = &w.runs[i];

		if (run->token != a->token)
			continue;
		say("kill %s %s", leg_name(a->target, a->leg), a->hard ? "hard" : "soft");
		if (run->answer == STAYS)
			run->ends_ms = a->hard ? w.now_ms + 300 : -1;
		else if (run->answer != HANGS_ON || a->hard)
			run->ends_ms = w.now_ms;
		return;
	}
	assert(!"kill of a run that is not there");
}

static void take_decided(const struct fencer_action *a)
{
	struct fencer_core_target_result r = fencer_core_target_result(w.core, a->target);

	say("decided %s %s state=%s proof=%s off=%d on=%d level=%u", w.names[a->target],
	    rc_word(r.rc), power_word(r.state), proof_word(r.proof), r.off_proven, r.on_proven,
	    r.level);
}

static void step(struct fencer_event event)
{
	static struct fencer_out out;

	event.now = at_ms(w.now_ms);
	do {
		fencer_core_step(w.core, &event, &out);
		for (size_t i = 0; i < out.count; i++) {
			const struct fencer_action *a = &out.actions[i];

			if (a->kind == FENCER_ACTION_RUN)
				take_run(a);
			else if (a->kind == FENCER_ACTION_KILL)
				take_kill(a);
			else if (a->kind == FENCER_ACTION_PHASE)
				say("%s: %s, level %u", w.names[a->target], phase_words[a->phase],
				    a->level);
			else
				take_decided(a);
		}
		event = (struct fencer_event){ .kind = FENCER_EVENT_TICK, .now = at_ms(w.now_ms) };
	} while (out.more);
}

/* The run that ends next; RUNS_MAX when none does by itself. */
static size_t next_run(void)
{
	size_t best = RUNS_MAX;

	for (size_t i = 0; i < w.runs_count; i++)
		if (w.runs[i].ends_ms >= 0 &&
		    (best == RUNS_MAX || w.runs[i].ends_ms < w.runs[best].ends_ms))
			best = i;
	return best;
}

static void finish_run(size_t i)
{
	struct run run = w.runs[i];

	w.runs[i] = w.runs[--w.runs_count];
	say("%s %s: %s", leg_name(run.target, run.leg), verb_words[run.verb],
	    answer_words[run.answer]);
	step((struct fencer_event){
		.kind = FENCER_EVENT_DONE, .token = run.token, .reply = reply_of(&run) });
}

static void play(void)
{
	step((struct fencer_event){ .kind = FENCER_EVENT_TICK });
	for (int i = 0; i < STEPS_MAX && !fencer_core_finished(w.core); i++) {
		mono_t deadline = fencer_core_deadline(w.core);
		int64_t tick_ms = mono_is_never(deadline) ? INT64_MAX
							  : mono_left_ms(at_ms(0), deadline);
		size_t run = next_run();
		int64_t run_ms = run < RUNS_MAX ? w.runs[run].ends_ms : INT64_MAX;

		if (w.cancel_ms != 0 && w.cancel_ms <= tick_ms && w.cancel_ms <= run_ms) {
			w.now_ms = w.cancel_ms;
			w.cancel_ms = 0;
			say("cancel");
			step((struct fencer_event){ .kind = FENCER_EVENT_CANCEL });
		} else if (run_ms <= tick_ms && run_ms != INT64_MAX) {
			w.now_ms = run_ms > w.now_ms ? run_ms : w.now_ms;
			finish_run(run);
		} else {
			assert(tick_ms != INT64_MAX);
			w.now_ms = tick_ms > w.now_ms ? tick_ms : w.now_ms;
			step((struct fencer_event){ .kind = FENCER_EVENT_TICK });
		}
	}
	assert(fencer_core_finished(w.core));
}

static unsigned word_index(const char *const *words, size_t count, const char *word)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	fprintf(stderr, "unknown word in a scenario: %s\n", word);
	abort();
}

#define WORD_INDEX(words, word) word_index(words, sizeof(words) / sizeof(words)[0], word)

static int number(const char *text)
{
	return (int)strtol(text, NULL, 10);
}

static void parse_set(const char *name, int value)
{
	if (strcmp(name, "retries") == 0)
		w.config.retries = (unsigned)value;
	else if (strcmp(name, "parallel") == 0)
		w.config.parallel = (unsigned)value;
	else if (strcmp(name, "timeout_ms") == 0)
		w.config.timeout_ms = value;
	else if (strcmp(name, "cancel_at_ms") == 0)
		w.cancel_ms = value;
	else if (strcmp(name, "device_parallel") == 0)
		for (size_t i = 0; i < DEVICES_MAX; i++)
			w.device_parallel[i] = (unsigned)value;
	else
		abort();
}

static void parse_line(const char *line)
{
	char a[128], b[16], c[16], value[16], times[16] = "0";

	if (sscanf(line, "op %15s", b) == 1) {
		w.config.op = (enum fencer_op)WORD_INDEX(op_words, b);
	} else if (sscanf(line, "target %127s", a) == 1) {
		target_parse(w.config.targets_count++, a);
	} else if (sscanf(line, "set %15s %15s", b, value) == 2) {
		parse_set(b, number(value));
	} else if (sscanf(line, "rule %15s %15s %15s %15s %15s", a, b, c, value, times) >= 4) {
		struct rule *rule = &w.rules[w.rules_count++];

		assert(w.rules_count < RULES_MAX);
		snprintf(rule->device, sizeof rule->device, "%.15s", a);
		rule->verb = (enum fencer_verb)WORD_INDEX(verb_words, b);
		rule->answer = (enum answer)WORD_INDEX(answer_words, c);
		rule->latency_ms = number(value);
		rule->times = number(times);
	} else if (line[0] != '\0' && line[0] != '#') {
		fprintf(stderr, "not a statement of a scenario: %s\n", line);
		abort();
	}
}

const char *world_play(const char *scenario)
{
	free(w.memory);
	memset(&w, 0, sizeof w);
	w.config = (struct fencer_core_config){
		.timeout_ms = 60000,
		.parallel = 100,
		.device_parallel = w.device_parallel,
		.devices_count = DEVICES_MAX,
		.targets = w.targets,
	};
	parse_set("device_parallel", 100);
	while (*scenario) {
		size_t length = strcspn(scenario, "\n");
		char line[160];

		snprintf(line, sizeof line, "%.*s", (int)length, scenario);
		parse_line(line);
		scenario += length + (scenario[length] == '\n');
	}
	w.memory = malloc(fencer_core_bytes(&w.config));
	w.core = fencer_core_init(w.memory, &w.config, at_ms(0));
	play();
	return w.trace;
}
