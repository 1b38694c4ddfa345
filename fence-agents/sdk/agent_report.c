/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * agent_report.c - errors, warnings and results, as text or JSON (docs/agent-result.md).
 *
 * One error line per run, on stderr, whatever the output form: "name: object: cause; next".
 * Results go to stdout: the words of the fence agent API, or one JSON object.
 */
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "fence-agents/sdk/agent_internal.h"
#include "host/clock.h"

void *fence_alloc(struct fence_ctx *ctx, size_t bytes)
{
	void *memory = calloc(1, bytes);

	if (!memory) {
		fprintf(stderr, "%s: out of memory\n", ctx->name);
		exit(1);
	}
	return memory;
}

/* Input and devices may send anything; what is printed stays one line and moves no cursor. */
static void text_tame(char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			*text = '?';
}

/* ---- what the operations say ---- */

void fence_object(struct fence_ctx *ctx, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ctx->object, sizeof ctx->object, fmt, ap);
	va_end(ap);
}

int fence_fail(struct fence_ctx *ctx, int rc, const char *next, const char *fmt, ...)
{
	char text[sizeof ctx->err.text];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	fence_debug(ctx, "failed (%s): %s", rc_word(rc), text);
	return err_set(&ctx->err, rc, next, "%s", text);
}

void fence_warn(struct fence_ctx *ctx, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	text_tame(text);
	fprintf(stderr, "%s: warning: %s\n", ctx->name, text);
}

static void debug_to(struct fence_ctx *ctx, FILE *file, const char *text)
{
	fprintf(file, "%s: %6lld ms: %s\n", ctx->name,
		(long long)mono_diff_ms(ctx->started, clock_now()), text);
	fflush(file);
}

void fence_debug(struct fence_ctx *ctx, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (!ctx->verbose && !ctx->debug_file)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (ctx->verbose)
		debug_to(ctx, stderr, text);
	if (ctx->debug_file)
		debug_to(ctx, ctx->debug_file, text);
}

const char *fence_name(const struct fence_ctx *ctx)
{
	return ctx->name;
}

void fence_set_data(struct fence_ctx *ctx, void *data)
{
	ctx->data = data;
}

void *fence_data(const struct fence_ctx *ctx)
{
	return ctx->data;
}

/* ---- the error line ---- */

/* What errors are about: what the agent said, else the address and the plug at hand. */
static void object_text(const struct fence_ctx *ctx, char *text, size_t bytes)
{
	const char *ip = agent_value_find(ctx, "ip") ? fence_opt(ctx, "ip") : NULL;
	const char *plug = ctx->plug_at_hand ? ctx->plug_at_hand : "";

	if (ctx->object[0])
		snprintf(text, bytes, "%s", ctx->object);
	else if (*plug)
		snprintf(text, bytes, "%s%splug %s", ip ? ip : "", ip ? " " : "", plug);
	else
		snprintf(text, bytes, "%s", ip ? ip : "");
}

char *agent_error_line(const struct fence_ctx *ctx)
{
	char object[320];
	char *line = NULL;

	object_text(ctx, object, sizeof object);
	if (asprintf(&line, "%s: %s%s%s%s%s\n", ctx->name, object, *object ? ": " : "",
		     ctx->err.text, *ctx->err.next ? "; " : "", ctx->err.next) < 0)
		return NULL;
	line[strlen(line) - 1] = '\0';
	text_tame(line);
	line[strlen(line)] = '\n';
	return line;
}

/* ---- plugs ---- */

struct agent_plug_report *agent_plug_add(struct fence_ctx *ctx, const char *plug, const char *alias,
					 enum power_state state)
{
	struct agent_plug_report *report;

	if (ctx->plugs_count == ctx->plugs_room) {
		size_t room = ctx->plugs_room ? ctx->plugs_room * 2 : 16;
		struct agent_plug_report *more = fence_alloc(ctx, room * sizeof *more);

		if (ctx->plugs_count)
			memcpy(more, ctx->plugs, ctx->plugs_count * sizeof *more);
		free(ctx->plugs);
		ctx->plugs = more;
		ctx->plugs_room = room;
	}
	report = &ctx->plugs[ctx->plugs_count++];
	report->plug = strdup(plug);
	report->alias = alias ? strdup(alias) : NULL;
	report->state = state;
	if (!report->plug || (alias && !report->alias)) {
		fprintf(stderr, "%s: out of memory\n", ctx->name);
		exit(1);
	}
	if (report->alias)
		text_tame(report->alias);
	return report;
}

void agent_plugs_clear(struct fence_ctx *ctx)
{
	for (size_t i = 0; i < ctx->plugs_count; i++) {
		free(ctx->plugs[i].plug);
		free(ctx->plugs[i].alias);
	}
	free(ctx->plugs);
	ctx->plugs = NULL;
	ctx->plugs_count = ctx->plugs_room = 0;
}

/* ---- parts ---- */

static char *text_copy(struct fence_ctx *ctx, const char *text)
{
	size_t bytes = strlen(text) + 1;
	char *copy = memcpy(fence_alloc(ctx, bytes), text, bytes);

	text_tame(copy);
	return copy;
}

static struct agent_part_report *part_find(struct fence_ctx *ctx, const char *plug,
					   const char *part)
{
	for (size_t i = 0; i < ctx->parts_count; i++)
		if (strcmp(ctx->parts[i].plug, plug) == 0 && strcmp(ctx->parts[i].part, part) == 0)
			return &ctx->parts[i];
	return NULL;
}

static struct agent_part_report *part_add(struct fence_ctx *ctx, const char *plug, const char *part)
{
	struct agent_part_report *report;

	if (ctx->parts_count == ctx->parts_room) {
		size_t room = ctx->parts_room ? ctx->parts_room * 2 : 16;
		struct agent_part_report *more = fence_alloc(ctx, room * sizeof *more);

		if (ctx->parts_count)
			memcpy(more, ctx->parts, ctx->parts_count * sizeof *more);
		free(ctx->parts);
		ctx->parts = more;
		ctx->parts_room = room;
	}
	report = &ctx->parts[ctx->parts_count++];
	report->plug = text_copy(ctx, plug);
	report->part = text_copy(ctx, part);
	return report;
}

void fence_part(struct fence_ctx *ctx, const char *plug, const char *part, enum power_state state,
		const char *fmt, ...)
{
	struct agent_part_report *report = part_find(ctx, plug, part);
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (!report)
		report = part_add(ctx, plug, part);
	if (!report->text || strcmp(report->text, text) != 0 || report->state != state)
		fence_debug(ctx, "%s%s%s: %s: %s", plug, *plug ? " on " : "", part,
			    power_word(state), text);
	free(report->text);
	report->text = text_copy(ctx, text);
	report->state = state;
}

void agent_parts_clear(struct fence_ctx *ctx)
{
	for (size_t i = 0; i < ctx->parts_count; i++) {
		free(ctx->parts[i].plug);
		free(ctx->parts[i].part);
		free(ctx->parts[i].text);
	}
	free(ctx->parts);
	ctx->parts = NULL;
	ctx->parts_count = ctx->parts_room = 0;
}

/* ---- exit status ---- */

/* The fence agent API: 0 done, 1 not; status 0 on, 2 off; a reboot whose off is proven is 0. */
int agent_exit_status(const struct fence_ctx *ctx, int rc)
{
	enum agent_action_id id = ctx->action ? ctx->action->id : AGENT_NONE;

	if (id == AGENT_REBOOT && ctx->off_proven)
		return 0;
	if (rc != 0)
		return 1;
	if (id == AGENT_STATUS)
		return ctx->state == POWER_ON ? 0 : ctx->state == POWER_OFF ? 2 : 1;
	return 0;
}

/* ---- JSON ---- */

/* JSON text is UTF-8; what a device or an argument gave may not be. */
static json_t *json_text(const char *text)
{
	json_t *value = json_string(text);
	char *plain;

	if (value)
		return value;
	plain = strdup(text);
	if (!plain)
		return json_string("");
	for (char *p = plain; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	value = json_string(plain);
	free(plain);
	return value;
}

static json_t *json_plugs(const struct fence_ctx *ctx)
{
	json_t *plugs = json_array();

	for (size_t i = 0; i < ctx->plugs_count; i++) {
		const struct agent_plug_report *report = &ctx->plugs[i];
		json_t *plug = json_object();

		json_object_set_new(plug, "plug", json_text(report->plug));
		if (report->alias)
			json_object_set_new(plug, "alias", json_text(report->alias));
		json_object_set_new(plug, "before", json_string(power_word(report->before)));
		json_object_set_new(plug, "state", json_string(power_word(report->state)));
		json_array_append_new(plugs, plug);
	}
	return plugs;
}

static json_t *json_parts(const struct fence_ctx *ctx)
{
	json_t *parts = json_array();

	for (size_t i = 0; i < ctx->parts_count; i++) {
		const struct agent_part_report *report = &ctx->parts[i];
		json_t *part = json_object();

		json_object_set_new(part, "plug", json_text(report->plug));
		json_object_set_new(part, "part", json_text(report->part));
		json_object_set_new(part, "state", json_string(power_word(report->state)));
		json_object_set_new(part, "text", json_text(report->text));
		json_array_append_new(parts, part);
	}
	return parts;
}

char *agent_json_line(const struct fence_ctx *ctx, int exit_status)
{
	mono_t ended = mono_is_never(ctx->ended) ? clock_now() : ctx->ended;
	int failed = ctx->err.rc != 0;
	json_t *result = json_object();
	char object[320], *text, *line = NULL;

	object_text(ctx, object, sizeof object);
	json_object_set_new(result, "agent", json_text(ctx->name));
	json_object_set_new(result, "version", json_string(HOLDFAST_VERSION));
	json_object_set_new(result, "action", json_text(ctx->action ? ctx->action->name : ""));
	json_object_set_new(result, "exit", json_integer(exit_status));
	json_object_set_new(result, "ok", json_boolean(!failed));
	json_object_set_new(result, "state", json_string(power_word(ctx->state)));
	json_object_set_new(result, "proof", json_string(proof_word(ctx->proof)));
	json_object_set_new(result, "off_proven", json_boolean(ctx->off_proven));
	json_object_set_new(result, "cause",
			    failed ? json_string(rc_word(ctx->err.rc)) : json_null());
	json_object_set_new(result, "object", json_text(object));
	json_object_set_new(result, "message", json_text(failed ? ctx->err.text : ""));
	json_object_set_new(result, "next", json_text(failed ? ctx->err.next : ""));
	json_object_set_new(result, "plugs", json_plugs(ctx));
	if (ctx->parts_count)
		json_object_set_new(result, "parts", json_parts(ctx));
	json_object_set_new(result, "elapsed_ms", json_integer(mono_diff_ms(ctx->started, ended)));
	text = json_dumps(result, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(result);
	if (!text || asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	free(text);
	return line;
}

/* ---- text ---- */

/* The words Pacemaker's users know, in upper case. */
static const char *state_shout(enum power_state state)
{
	switch (state) {
	case POWER_ON:
		return "ON";
	case POWER_OFF:
		return "OFF";
	case POWER_PARTIAL:
		return "PARTIAL";
	case POWER_PENDING:
		return "PENDING";
	case POWER_UNKNOWN:
		break;
	}
	return "UNKNOWN";
}

static void text_list(struct fence_ctx *ctx)
{
	int with_state = ctx->action->id == AGENT_LIST_STATUS;

	for (size_t i = 0; i < ctx->plugs_count; i++) {
		struct agent_plug_report *report = &ctx->plugs[i];

		text_tame(report->plug);
		printf("%s,%s%s%s\n", report->plug, report->alias ? report->alias : "",
		       with_state ? "," : "", with_state ? state_shout(report->state) : "");
	}
	if (!ctx->agent->list)
		puts("N/A");
}

static enum power_state before_combined(const struct fence_ctx *ctx)
{
	enum power_state states[POWER_PLUGS_MAX];
	size_t count = ctx->plugs_count < POWER_PLUGS_MAX ? ctx->plugs_count : POWER_PLUGS_MAX;

	for (size_t i = 0; i < count; i++)
		states[i] = ctx->plugs[i].before;
	return power_combine(states, count);
}

static void text_success(const struct fence_ctx *ctx)
{
	int already = before_combined(ctx) == (ctx->action->id == AGENT_ON ? POWER_ON : POWER_OFF);

	switch (ctx->action->id) {
	case AGENT_ON:
		puts(already ? "Success: Already ON" : "Success: Powered ON");
		break;
	case AGENT_OFF:
		puts(already ? "Success: Already OFF" : "Success: Powered OFF");
		break;
	case AGENT_REBOOT:
		if (ctx->proof == PROOF_ACCEPTED)
			puts("Success: Rebooted (cycle accepted; power loss was not seen)");
		else if (ctx->err.rc)
			puts("Success: Powered OFF (power on failed)");
		else
			puts("Success: Rebooted");
		break;
	case AGENT_DIAG:
		puts("Success: Diagnostic interrupt accepted (it cannot be verified)");
		break;
	case AGENT_PROBE:
		printf("Success: Probed, status %s\n", state_shout(ctx->state));
		break;
	case AGENT_VALIDATE:
		puts("Success: Options are valid");
		break;
	default:
		break;
	}
}

static void report_text(struct fence_ctx *ctx, int exit_status)
{
	switch (ctx->action->id) {
	case AGENT_STATUS:
		if (ctx->proof == PROOF_PROVEN)
			printf("Status: %s\n", state_shout(ctx->state));
		break;
	case AGENT_LIST:
	case AGENT_LIST_STATUS:
		if (exit_status == 0)
			text_list(ctx);
		break;
	case AGENT_MONITOR:
		if (exit_status == 0 && ctx->state != POWER_UNKNOWN)
			printf("Status: %s\n", state_shout(ctx->state));
		break;
	default:
		if (exit_status == 0 && !fence_opt_bool(ctx, "quiet"))
			text_success(ctx);
	}
}

static int output_broken(const struct fence_ctx *ctx)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	fprintf(stderr, "%s: cannot write the result: %s\n", ctx->name, strerror(errno));
	return 1;
}

/* Print the error line and the result. Returns the exit status: a result that could not be
 * written fails every action whose purpose is its output, and no other. */
int agent_report(struct fence_ctx *ctx)
{
	int status = agent_exit_status(ctx, ctx->err.rc);

	if (ctx->err.rc) {
		char *line = agent_error_line(ctx);

		fputs(line ? line : "out of memory\n", stderr);
		free(line);
	}
	if (ctx->json) {
		char *line = agent_json_line(ctx, status);

		fputs(line ? line : "", stdout);
		free(line);
	} else if (ctx->action) {
		report_text(ctx, status);
	}
	if (output_broken(ctx) && ctx->action &&
	    (ctx->action->id == AGENT_LIST || ctx->action->id == AGENT_LIST_STATUS))
		status = 1;
	return status;
}
