/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conform.c - the order of the checks, what each needs before it can run, and the report.
 */
#include "fence-agents/kit/conform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fence-agents/fencer/agent_metadata.h"
#include "fence-agents/kit/conform_run.h"

enum { GROUPS = 5, METADATA_MS = 10000 };

static const struct check *group_of(size_t group)
{
	const struct check *const groups[GROUPS] = { metadata_checks, input_checks, device_checks,
						     power_checks, watch_checks };

	return groups[group];
}

static const struct check *check_at(size_t index)
{
	for (size_t group = 0; group < GROUPS; group++)
		for (const struct check *check = group_of(group); check->id; check++)
			if (index-- == 0)
				return check;
	return NULL;
}

const char *conform_check_id(size_t index)
{
	const struct check *check = check_at(index);

	return check ? check->id : NULL;
}

/* ---- what is known before the checks ---- */

/* The metadata as it is, for everything that depends on it. */
static int metadata_take(struct conform *conform, struct err *err)
{
	int rc;

	shot_run(conform,
		 &(struct shot_spec){ .action = "metadata", .bare = 1, .timeout_ms = METADATA_MS });
	conform->metadata_bytes = conform->shot.seen.out_bytes;
	/* Kept for good, out of the reach of the next run; NULL when the agent could not be run. */
	conform->metadata_text = conform->out;
	conform->out = NULL;
	if (agent_metadata_read(conform->metadata_text, conform->metadata_bytes, &conform->info))
		return err_set(err, RC_INTERNAL, NULL, "out of memory");
	rc = conform_metadata_read(conform->metadata_text, conform->metadata_bytes,
				   &conform->metadata);
	if (rc == RC_INTERNAL)
		return err_set(err, RC_INTERNAL, NULL, "out of memory");
	conform->has_metadata = rc == 0;
	conform->manual = strcmp(conform->info.device_class, "manual") == 0;
	/* Nobody is asked to switch on what was never switched off. */
	conform->manual_on = 1;
	return 0;
}

static void secrets_take(struct conform *conform)
{
	const struct conform_options *options = conform->options;

	for (size_t i = 0; i < options->pairs_count; i++) {
		const char *value = options->pairs[i].value;

		if (conform->secrets_count < SECRETS_MAX && strlen(value) >= CONFORM_SECRET_MIN &&
		    conform_option_is_secret(options->pairs[i].key))
			conform->secrets[conform->secrets_count++] = value;
	}
}

static void state_take(struct conform *conform)
{
	const struct conform_seen *seen = &conform->shot.seen;

	if (conform->options->pairs_count == 0 || conform->manual)
		return;
	shot_run(conform, &(struct shot_spec){ .action = "status" });
	conform->state_known = !seen->timed_out && !seen->term_signal &&
			       (seen->exit_status == 0 || seen->exit_status == 2);
	conform->state_first = seen->exit_status == 0;
}

/* Does a request without options leave this agent with nothing that it could switch? An address or
 * a plug that it takes, or any option that it demands, says so. */
static int bare_is_harmless(const struct conform *conform)
{
	const struct conform_metadata *metadata = &conform->metadata;

	if (conform_parameter_find(metadata, "ip") || conform->info.takes_plug)
		return 1;
	for (size_t i = 0; i < metadata->parameters_count; i++) {
		char name[64];

		conform_option_name(metadata->parameters[i].name, name, sizeof name);
		if (metadata->parameters[i].required && strcmp(name, "action") != 0)
			return 1;
	}
	return 0;
}

/* Why a check cannot be run on this agent with these options; NULL when it can. */
static const char *check_lacks(const struct conform *conform, const struct check *check)
{
	unsigned needs = check->needs;

	if (needs & NEED_METADATA && !conform->has_metadata)
		return "its metadata cannot be read";
	if (needs & (NEED_DEVICE | NEED_STATE) && conform->options->pairs_count == 0)
		return "no device was given";
	if (needs & NEED_NATIVE && !conform->info.native)
		return "its metadata does not say that it is made with the SDK of Holdfast";
	if (check->action && !conform_action_declared(&conform->metadata, check->action))
		return "its metadata does not declare this action";
	if (needs & NEED_READ && conform->manual)
		return "its class is \"manual\": there is no device to read a state from";
	if (needs & NEED_STATE && !conform->state_known && !conform->manual)
		return "status does not work with these options";
	if (needs & NEED_PLUG && (!conform->info.takes_plug || !conform->plug))
		return conform->info.takes_plug ? "no plug was given" : "it takes no plug";
	if (needs & NEED_IP &&
	    (!conform_parameter_find(&conform->metadata, "ip") || !conform_given(conform, "ip")))
		return "no address was given, or it takes none";
	if (needs & NEED_PORT && !conform_parameter_find(&conform->metadata, "ipport"))
		return "it takes no port of the device";
	if (needs & NEED_LOGIN && !conform_given(conform, "password") &&
	    !conform_given(conform, "community"))
		return "no password and no community was given";
	if (needs & NEED_HARMLESS_BARE && !conform->options->for_real && !bare_is_harmless(conform))
		return "without options it might act on this machine; --for-real runs it";
	if (needs & NEED_REAL && !conform->options->for_real)
		return "switches the plug; --for-real runs it";
	if (needs & NEED_ASK && conform->manual && !conform->options->for_real)
		return "asks a human to switch; --for-real runs it";
	return NULL;
}

static int check_run(struct conform *conform, const struct check *check)
{
	struct conform_report *report = conform->report;
	struct conform_row *row = &report->rows[report->rows_count];
	const struct conform_options *options = conform->options;
	const char *lacks = check_lacks(conform, check);
	char happened[640] = "";
	int met = -1;

	if ((check->needs & NEED_MANUAL && !conform->manual) ||
	    (check->needs & NEED_FOREIGN && conform->info.native))
		return 0;
	if (options->progress)
		options->progress(options->progress_arg, check->id);
	if (lacks)
		snprintf(happened, sizeof happened, "%s", lacks);
	else
		met = check->run(conform, happened, sizeof happened);
	*row = (struct conform_row){
		.id = check->id,
		.group = check->group,
		.required = check->required,
		.level = check->level,
		.verdict = met < 0 ? CONFORM_SKIP : conform_verdict_of(check->level, met),
		.happened = strdup(met > 0 ? "" : happened),
	};
	if (!row->happened)
		return RC_INTERNAL;
	report->rows_count++;
	report->counts[row->verdict]++;
	return 0;
}

/* The plug as it was found. */
static void state_restore(struct conform *conform)
{
	char why[300];

	if (!conform->options->for_real || !(conform->state_known || conform->manual) ||
	    power_ensure(conform, conform->manual || conform->state_first, why, sizeof why))
		return;
	if (conform->manual)
		snprintf(conform->report->left, sizeof conform->report->left,
			 "the plug was switched off, and nobody acknowledged that it is on again: "
			 "%s",
			 why);
	else
		snprintf(conform->report->left, sizeof conform->report->left,
			 "the plug was %s before and cannot be brought back there: %s",
			 conform->state_first ? "on" : "off", why);
}

static int checks_run(struct conform *conform, struct err *err)
{
	size_t count = 0;
	int rc = metadata_take(conform, err);

	if (rc)
		return rc;
	while (check_at(count))
		count++;
	conform->report->rows = calloc(count + 1, sizeof *conform->report->rows);
	if (!conform->report->rows)
		return err_set(err, RC_INTERNAL, NULL, "out of memory");
	secrets_take(conform);
	conform->plug = conform_given(conform, "plug");
	state_take(conform);
	plugs_absent_take(conform);
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = check_run(conform, check_at(i));
	state_restore(conform);
	return rc ? err_set(err, RC_INTERNAL, NULL, "out of memory") : 0;
}

int conform_run(const struct conform_options *options, struct conform_report *report,
		struct err *err)
{
	struct conform conform = { .options = options, .report = report };
	const char *name;
	int rc;

	memset(report, 0, sizeof *report);
	rc = conform_world_init(&conform, err);
	if (rc == 0)
		rc = checks_run(&conform, err);
	name = conform.metadata.name;
	if (!name || !name[0])
		name = strrchr(options->path, '/') + 1;
	report->agent = strdup(name);
	report->native = conform.info.native;
	conform_world_end(&conform);
	conform_metadata_clear(&conform.metadata);
	agent_info_clear(&conform.info);
	free(conform.metadata_text);
	return rc;
}

void conform_report_clear(struct conform_report *report)
{
	for (size_t i = 0; i < report->rows_count; i++)
		free(report->rows[i].happened);
	free(report->rows);
	free(report->agent);
	memset(report, 0, sizeof *report);
}
