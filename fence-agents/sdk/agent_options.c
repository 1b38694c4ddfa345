/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * agent_options.c - the option table of an agent, and the values given for it.
 *
 * The table is the SDK's common options, then what the agent names, FENCE_STD entries completed
 * from the standard table below. Names follow the fence agent API's usage, so that a Pacemaker
 * configuration written for another agent of the same device keeps working.
 */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fence-agents/sdk/agent_internal.h"

#define SECONDS_MAX 86400

static const char *const method_choices[] = { "onoff", "cycle", NULL };

/* Every agent has these. */
static const struct fence_option common_options[] = {
	{ .name = "action",
	  .legacy = "option",
	  .type = FENCE_OPT_STRING,
	  .shortopt = 'o',
	  .flags = FENCE_OPT_REQUIRED,
	  .desc = "Fencing action; there is no default, a missing action is an error" },
	{ .name = "method",
	  .type = FENCE_OPT_SELECT,
	  .shortopt = 'm',
	  .def = "onoff",
	  .choices = method_choices,
	  .desc = "How to reboot: off, proven off, then on; or the device's own power cycle, "
		  "which counts as proven only if the off phase was seen" },
	{ .name = "action_timeout",
	  .type = FENCE_OPT_SECONDS,
	  .max = SECONDS_MAX,
	  .desc = "Seconds for the whole action; 0 adds up the timeouts below" },
	{ .name = "login_timeout",
	  .type = FENCE_OPT_SECONDS,
	  .def = "5",
	  .max = SECONDS_MAX,
	  .desc = "Seconds to reach the device and log in" },
	{ .name = "shell_timeout",
	  .type = FENCE_OPT_SECONDS,
	  .def = "3",
	  .max = SECONDS_MAX,
	  .desc = "Seconds for one command after login" },
	{ .name = "power_timeout",
	  .type = FENCE_OPT_SECONDS,
	  .def = "20",
	  .max = SECONDS_MAX,
	  .desc = "Seconds for the power state to follow an accepted command" },
	{ .name = "power_wait",
	  .type = FENCE_OPT_SECONDS,
	  .def = "0",
	  .max = SECONDS_MAX,
	  .desc = "Seconds between a power command and the first read-back" },
	{ .name = "stonith_status_sleep",
	  .type = FENCE_OPT_SECONDS,
	  .def = "1",
	  .max = SECONDS_MAX,
	  .desc = "Longest pause in seconds between two reads of the power state; the first "
		  "pause is 0.05 s and grows" },
	{ .name = "retry_on",
	  .type = FENCE_OPT_INT,
	  .def = "1",
	  .min = 1,
	  .max = 100,
	  .desc = "How often to send the on command while the plug stays off" },
	{ .name = "delay",
	  .type = FENCE_OPT_SECONDS,
	  .def = "0",
	  .max = SECONDS_MAX,
	  .desc = "Seconds from the start of the program before off or reboot does anything" },
	{ .name = "disable_timeout",
	  .type = FENCE_OPT_BOOL,
	  .desc = "Lift the timeouts of the single steps, and of the whole action unless "
		  "action_timeout is given. Started by Pacemaker's fencer the steps are lifted "
		  "by default, the whole action stays bounded" },
	{ .name = "json",
	  .type = FENCE_OPT_BOOL,
	  .def = "0",
	  .desc = "Print the result as one JSON object" },
	{ .name = "quiet",
	  .type = FENCE_OPT_BOOL,
	  .shortopt = 'q',
	  .def = "0",
	  .desc = "Print nothing but errors and what was asked for" },
	{ .name = "verbose",
	  .type = FENCE_OPT_BOOL,
	  .shortopt = 'v',
	  .def = "0",
	  .desc = "Tell each step on stderr" },
	{ .name = "debug_file",
	  .legacy = "debug",
	  .type = FENCE_OPT_STRING,
	  .shortopt = 'D',
	  .desc = "File to append each step to" },
	{ .name = "version",
	  .type = FENCE_OPT_BOOL,
	  .shortopt = 'V',
	  .def = "0",
	  .desc = "Print the version and exit" },
	{ .name = "help",
	  .type = FENCE_OPT_BOOL,
	  .shortopt = 'h',
	  .def = "0",
	  .desc = "Print the options and exit" },
};

/* An agent takes these by name, with FENCE_STD. */
static const struct fence_option standard_options[] = {
	{ .name = "ip",
	  .legacy = "ipaddr",
	  .type = FENCE_OPT_STRING,
	  .shortopt = 'a',
	  .flags = FENCE_OPT_UNIQUE,
	  .desc = "Address or host name of the fence device" },
	{ .name = "ipport",
	  .type = FENCE_OPT_INT,
	  .shortopt = 'u',
	  .min = 1,
	  .max = 65535,
	  .desc = "TCP or UDP port of the fence device" },
	{ .name = "inet4_only",
	  .type = FENCE_OPT_BOOL,
	  .shortopt = '4',
	  .desc = "Use IPv4 addresses only" },
	{ .name = "inet6_only",
	  .type = FENCE_OPT_BOOL,
	  .shortopt = '6',
	  .desc = "Use IPv6 addresses only" },
	{ .name = "username",
	  .legacy = "login",
	  .type = FENCE_OPT_STRING,
	  .shortopt = 'l',
	  .desc = "Login name" },
	{ .name = "password",
	  .legacy = "passwd",
	  .type = FENCE_OPT_STRING,
	  .shortopt = 'p',
	  .flags = FENCE_OPT_SECRET,
	  .desc = "Password; other users may see it for a moment when it is given as an "
		  "argument: prefer stdin or password_file" },
	{ .name = "password_file",
	  .type = FENCE_OPT_STRING,
	  .desc = "File whose first line is the password; must belong to root or the caller and "
		  "be closed to all others" },
	{ .name = "password_script",
	  .legacy = "passwd_script",
	  .type = FENCE_OPT_STRING,
	  .shortopt = 'S',
	  .desc = "Program that prints the password" },
	{ .name = "plug",
	  .legacy = "port",
	  .type = FENCE_OPT_STRING,
	  .shortopt = 'n',
	  .desc = "Plug, outlet or machine on the device; several that feed one machine are "
		  "separated by plug_separator" },
	{ .name = "plug_separator",
	  .type = FENCE_OPT_STRING,
	  .def = ",",
	  .desc = "What separates several plugs" },
};

enum {
	COMMON_COUNT = sizeof common_options / sizeof common_options[0],
	STANDARD_COUNT = sizeof standard_options / sizeof standard_options[0],
};

static char name_fold(char c)
{
	return c == '-' ? '_' : c;
}

/* Names are equal when they differ in `-` and `_` only. */
int agent_name_equal(const char *a, const char *b)
{
	while (*a && name_fold(*a) == name_fold(*b)) {
		a++;
		b++;
	}
	return *a == '\0' && *b == '\0';
}

/* Is `name` in a comma-separated list of names? */
static int legacy_has(const char *list, const char *name)
{
	size_t length = strlen(name);

	while (list && *list) {
		size_t entry = strcspn(list, ",");

		if (entry == length) {
			size_t i = 0;

			while (i < length && name_fold(list[i]) == name_fold(name[i]))
				i++;
			if (i == length)
				return 1;
		}
		list += entry + (list[entry] == ',');
	}
	return 0;
}

struct agent_value *agent_value_find(const struct fence_ctx *ctx, const char *name)
{
	for (size_t i = 0; i < ctx->values_count; i++) {
		const struct agent_value *value = &ctx->values[i];

		if (agent_name_equal(value->option.name, name) ||
		    legacy_has(value->option.legacy, name))
			return (struct agent_value *)value;
	}
	return NULL;
}

struct agent_value *agent_value_by_short(const struct fence_ctx *ctx, char shortopt)
{
	for (size_t i = 0; i < ctx->values_count; i++)
		if (ctx->values[i].option.shortopt == shortopt)
			return (struct agent_value *)&ctx->values[i];
	return NULL;
}

static const struct fence_option *standard_find(const char *name)
{
	for (size_t i = 0; i < STANDARD_COUNT; i++)
		if (agent_name_equal(standard_options[i].name, name))
			return &standard_options[i];
	return NULL;
}

/* Fill in what the agent left out of a FENCE_STD entry. */
static struct fence_option option_complete(const struct fence_option *given)
{
	const struct fence_option *standard;
	struct fence_option option = *given;

	if (given->type != FENCE_OPT_STANDARD)
		return option;
	standard = standard_find(given->name);
	assert(standard && "FENCE_STD names an option that the SDK does not have");
	option.type = standard->type;
	option.flags |= standard->flags;
	option.legacy = given->legacy ? given->legacy : standard->legacy;
	option.shortopt = given->shortopt ? given->shortopt : standard->shortopt;
	option.def = given->def ? given->def : standard->def;
	option.desc = given->desc ? given->desc : standard->desc;
	if (given->min == 0 && given->max == 0) {
		option.min = standard->min;
		option.max = standard->max;
	}
	return option;
}

static void option_add(struct fence_ctx *ctx, const struct fence_option *option)
{
	struct agent_value *value = agent_value_find(ctx, option->name);

	/* An agent may restate a common option to change its default or its words. */
	if (!value) {
		assert(ctx->values_count < AGENT_OPTIONS_MAX);
		assert(!option->shortopt || !agent_value_by_short(ctx, option->shortopt));
		value = &ctx->values[ctx->values_count++];
	}
	value->option = option_complete(option);
	if (value->option.type == FENCE_OPT_INT || value->option.type == FENCE_OPT_SECONDS)
		if (value->option.min == 0 && value->option.max == 0)
			value->option.max = INT32_MAX;
	assert(value->option.type != FENCE_OPT_SELECT || value->option.choices);
	assert(value->option.desc);
}

static void standard_add(struct fence_ctx *ctx, const char *name)
{
	if (!agent_value_find(ctx, name))
		option_add(ctx, standard_find(name));
}

void agent_options_init(struct fence_ctx *ctx)
{
	const struct fence_option *option = ctx->agent->options;

	for (size_t i = 0; i < COMMON_COUNT; i++)
		option_add(ctx, &common_options[i]);
	for (; option && option->name; option++) {
		option_add(ctx, option);
		if (agent_name_equal(option->name, "password")) {
			standard_add(ctx, "password_file");
			standard_add(ctx, "password_script");
		}
	}
	if (ctx->agent->flags & FENCE_AGENT_PLUGS) {
		standard_add(ctx, "plug");
		standard_add(ctx, "plug_separator");
	}
}

int agent_bool_parse(const char *text, int *out)
{
	static const char *const yes[] = { "1", "yes", "on", "true" };
	static const char *const no[] = { "0", "no", "off", "false" };

	for (size_t i = 0; i < 4; i++) {
		if (strcasecmp(text, yes[i]) == 0) {
			*out = 1;
			return 0;
		}
		if (strcasecmp(text, no[i]) == 0) {
			*out = 0;
			return 0;
		}
	}
	return RC_CONFIG;
}

/* Decimal seconds ("3", "0.25") to milliseconds, an "s" at the end allowed; no sign, no
 * exponent, at most three decimals count. */
int agent_ms_parse(const char *text, int64_t *out_ms)
{
	int64_t ms = 0, scale = 100;
	const char *p = text;

	if (!isdigit((unsigned char)*p))
		return RC_CONFIG;
	for (; isdigit((unsigned char)*p); p++) {
		ms = ms * 10 + (*p - '0') * 1000;
		if (ms > INT64_C(1000) * INT32_MAX)
			return RC_CONFIG;
	}
	if (*p == '.') {
		if (!isdigit((unsigned char)*++p))
			return RC_CONFIG;
		for (; isdigit((unsigned char)*p); p++, scale /= 10)
			ms += (*p - '0') * scale;
	}
	if (*p == 's')
		p++;
	if (*p)
		return RC_CONFIG;
	*out_ms = ms;
	return 0;
}

static int int_parse(const char *text, int64_t *out)
{
	char *end;
	long long value;

	if (!isdigit((unsigned char)*text) && *text != '-')
		return RC_CONFIG;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || end == text || *end)
		return RC_CONFIG;
	*out = value;
	return 0;
}

/* Does the text fit the option? Fills *want with the words for an error message. */
static int value_fits(const struct fence_option *option, const char *text, char *want,
		      size_t want_bytes)
{
	int64_t number = 0;
	int flag, rc = 0;

	switch (option->type) {
	case FENCE_OPT_STRING:
	case FENCE_OPT_STANDARD:
		return 1;
	case FENCE_OPT_BOOL:
		snprintf(want, want_bytes, "1 or 0 (yes/no, on/off, true/false)");
		return agent_bool_parse(text, &flag) == 0;
	case FENCE_OPT_INT:
		rc = int_parse(text, &number);
		break;
	case FENCE_OPT_SECONDS:
		rc = agent_ms_parse(text, &number);
		number = (number + 999) / 1000;
		break;
	case FENCE_OPT_SELECT:
		snprintf(want, want_bytes, "one of:");
		for (const char *const *c = option->choices; *c; c++) {
			size_t used = strlen(want);

			if (strcasecmp(*c, text) == 0)
				return 1;
			snprintf(want + used, want_bytes - used, " %s", *c);
		}
		return 0;
	}
	snprintf(want, want_bytes, "%s from %lld to %lld",
		 option->type == FENCE_OPT_INT ? "a whole number" : "seconds",
		 (long long)option->min, (long long)option->max);
	return rc == 0 && number >= option->min && number <= option->max;
}

int agent_value_set(struct fence_ctx *ctx, struct agent_value *value, const char *text)
{
	char want[192] = "";
	char *copy;

	if (!value_fits(&value->option, text, want, sizeof want))
		return err_set(&ctx->err, RC_CONFIG, "see --help", "%s=\"%s\" is not %s",
			       value->option.name,
			       value->option.flags & FENCE_OPT_SECRET ? "(hidden)" : text, want);
	copy = strdup(text);
	if (!copy)
		return err_set(&ctx->err, RC_INTERNAL, NULL, "out of memory");
	if (value->text) {
		fence_wipe(value->text, strlen(value->text));
		free(value->text);
	}
	value->text = copy;
	value->given = 1;
	return 0;
}

int agent_options_check(struct fence_ctx *ctx)
{
	for (size_t i = 0; i < ctx->values_count; i++) {
		const struct agent_value *value = &ctx->values[i];

		if ((value->option.flags & FENCE_OPT_REQUIRED) && !value->given &&
		    !value->option.def && !agent_name_equal(value->option.name, "action"))
			return err_set(&ctx->err, RC_CONFIG, "give it on stdin or in argv",
				       "%s= is missing", value->option.name);
		if ((value->option.flags & FENCE_OPT_REQUIRED) && value->text && !*value->text)
			return err_set(&ctx->err, RC_CONFIG, "give it a value", "%s= is empty",
				       value->option.name);
	}
	return 0;
}

void agent_options_free(struct fence_ctx *ctx)
{
	for (size_t i = 0; i < ctx->values_count; i++) {
		char *text = ctx->values[i].text;

		if (text)
			fence_wipe(text, strlen(text));
		free(text);
		ctx->values[i].text = NULL;
	}
}

/* ---- values, for operations ---- */

static const struct agent_value *value_need(const struct fence_ctx *ctx, const char *name)
{
	const struct agent_value *value = agent_value_find(ctx, name);

	assert(value && "an operation asks for an option that is not in the table");
	return value;
}

const char *fence_opt(const struct fence_ctx *ctx, const char *name)
{
	const struct agent_value *value = value_need(ctx, name);

	return value->text ? value->text : value->option.def;
}

int64_t fence_opt_int(const struct fence_ctx *ctx, const char *name)
{
	const char *text = fence_opt(ctx, name);
	int64_t number = 0;

	if (text)
		int_parse(text, &number);
	return number;
}

int64_t fence_opt_ms(const struct fence_ctx *ctx, const char *name)
{
	const char *text = fence_opt(ctx, name);
	int64_t ms = 0;

	if (text)
		agent_ms_parse(text, &ms);
	return ms;
}

int fence_opt_bool(const struct fence_ctx *ctx, const char *name)
{
	const char *text = fence_opt(ctx, name);
	int flag = 0;

	if (text)
		agent_bool_parse(text, &flag);
	return flag;
}

int fence_opt_given(const struct fence_ctx *ctx, const char *name)
{
	return value_need(ctx, name)->given;
}
