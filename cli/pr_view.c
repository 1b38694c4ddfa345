/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_view.c - output of `holdfast pr`; see pr_view.h.
 */
#include "cli/pr_view.h"

#include <string.h>

/* Key, and what it would mean if it were one of ours (rule S10). */
static void key_put(struct output *out, json_t *object, uint64_t key)
{
	char text[PR_KEY_TEXT_BYTES];

	object_put_text(out, object, "key", pr_key_text(key, text));
	snprintf(text, sizeof text, "%08x", pr_key_cluster(key));
	object_put_text(out, object, "cluster", text);
	object_put_integer(out, object, "node", pr_key_node(key));
	object_put_integer(out, object, "incarnation", pr_key_incarnation(key));
}

void pr_view_keys(struct output *out, const struct pr_keys *keys)
{
	static const char *const headings[] = { "KEY", "CLUSTER", "NODE", "INCARNATION" };
	json_t *summary = json_object();

	output_begin(out, keys->count ? headings : NULL, 4);
	for (uint32_t i = 0; i < keys->count; i++) {
		uint64_t key = keys->key[i];
		char text[PR_KEY_TEXT_BYTES], cluster[16], node[16], incarnation[16];
		json_t *object = json_object();

		snprintf(cluster, sizeof cluster, "%08x", pr_key_cluster(key));
		snprintf(node, sizeof node, "%u", pr_key_node(key));
		snprintf(incarnation, sizeof incarnation, "%u", pr_key_incarnation(key));
		output_row(out,
			   (struct output_cell[]){ { pr_key_text(key, text), STYLE_PLAIN },
						   { cluster, STYLE_FAINT },
						   { node, STYLE_FAINT },
						   { incarnation, STYLE_FAINT } },
			   4);
		object_put_text(out, object, "kind", "key");
		key_put(out, object, key);
		output_object(out, object);
	}
	output_end(out);
	if (keys->total == 0)
		output_line(out, STYLE_PLAIN, "no key is registered (generation %u)",
			    keys->generation);
	else
		output_line(out, STYLE_FAINT, "generation %u", keys->generation);
	if (keys->total > keys->count)
		output_line(out, STYLE_WARN, "%u further keys are not shown",
			    keys->total - keys->count);
	object_put_text(out, summary, "kind", "keys");
	object_put_integer(out, summary, "count", keys->total);
	object_put_integer(out, summary, "shown", keys->count);
	object_put_integer(out, summary, "generation", keys->generation);
	output_object(out, summary);
}

static void reservation_put(struct output *out, json_t *object,
			    const struct pr_reservation *reservation)
{
	char text[PR_KEY_TEXT_BYTES];

	object_put_boolean(out, object, "held", reservation->is_held);
	object_put_text(out, object, "type", pr_type_word(reservation->type));
	if (reservation->is_held && !pr_type_is_all_registrants(reservation->type))
		object_put_text(out, object, "holder", pr_key_text(reservation->key, text));
	else
		object_put(out, object, "holder", json_null());
}

void pr_reservation_text(const struct pr_reservation *reservation, char *out, size_t size)
{
	char text[PR_KEY_TEXT_BYTES];

	if (!reservation->is_held)
		snprintf(out, size, "none");
	else if (pr_type_is_all_registrants(reservation->type))
		snprintf(out, size, "%s by all registrants", pr_type_word(reservation->type));
	else
		snprintf(out, size, "%s by %s", pr_type_word(reservation->type),
			 pr_key_text(reservation->key, text));
}

void pr_view_reservation(struct output *out, const struct pr_reservation *reservation)
{
	json_t *object = json_object();
	char text[PR_KEY_TEXT_BYTES];

	if (!reservation->is_held)
		output_line(out, STYLE_PLAIN, "not reserved (generation %u)",
			    reservation->generation);
	else if (pr_type_is_all_registrants(reservation->type))
		output_line(out, STYLE_PLAIN, "reserved by all registrants: %s, %s (generation %u)",
			    pr_type_word(reservation->type), pr_type_name(reservation->type),
			    reservation->generation);
	else
		output_line(out, STYLE_PLAIN, "reserved by %s: %s, %s (generation %u)",
			    pr_key_text(reservation->key, text), pr_type_word(reservation->type),
			    pr_type_name(reservation->type), reservation->generation);
	object_put_text(out, object, "kind", "reservation");
	reservation_put(out, object, reservation);
	object_put_integer(out, object, "generation", reservation->generation);
	output_object(out, object);
}

void pr_view_capabilities(struct output *out, const struct pr_capabilities *capabilities)
{
	const struct {
		const char *name, *key, *meaning;
		int value;
	} rows[] = {
		{ "PTPL_C", "persists", "registrations can survive a loss of power (--aptpl)",
		  capabilities->persists },
		{ "PTPL_A", "persistence_active", "and do so now",
		  capabilities->persistence_active },
		{ "ATP_C", "all_target_ports", "registering for all target ports",
		  capabilities->all_target_ports },
		{ "SIP_C", "specifies_ports", "registering other initiator ports",
		  capabilities->specifies_ports },
		{ "CRH", "handles_reserve", "RESERVE(6) and RELEASE(6) go with it",
		  capabilities->handles_reserve },
		{ "RLR_C", "replaces_lost", "REPLACE LOST RESERVATION",
		  capabilities->replaces_lost },
	};
	json_t *object = json_object(), *types = json_array();
	char words[64] = "";

	object_put_text(out, object, "kind", "capabilities");
	output_begin(out, NULL, 3);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		output_row(out,
			   (struct output_cell[]){ { rows[i].name, STYLE_PLAIN },
						   { rows[i].value ? "yes" : "no",
						     rows[i].value ? STYLE_GOOD : STYLE_FAINT },
						   { rows[i].meaning, STYLE_FAINT } },
			   3);
		object_put_boolean(out, object, rows[i].key, rows[i].value);
	}
	for (unsigned type = 1; type < 16; type++) {
		if (!(capabilities->types & 1u << type))
			continue;
		snprintf(words + strlen(words), sizeof words - strlen(words), "%s%s",
			 words[0] ? " " : "", pr_type_word(type));
		if (json_array_append_new(types, json_string(pr_type_word(type))) != 0)
			out->lost = 1;
	}
	output_row(out,
		   (struct output_cell[]){
			   { "types", STYLE_PLAIN },
			   { capabilities->has_types ? words : "not told", STYLE_PLAIN } },
		   2);
	output_end(out);
	object_put(out, object, "types", types);
	object_put_boolean(out, object, "types_told", capabilities->has_types);
	object_put_integer(out, object, "allow_commands", capabilities->allow_commands);
	output_object(out, object);
}

static void registration_show(struct output *out, const struct pr_registration *r)
{
	char key[PR_KEY_TEXT_BYTES], initiator[PR_INITIATOR_TEXT_BYTES] = "-", port[16] = "all";
	json_t *object = json_object();

	if (r->has_initiator)
		pr_initiator_text(&r->initiator, initiator);
	if (!r->all_target_ports)
		snprintf(port, sizeof port, "%u", r->relative_port);
	output_row(out,
		   (struct output_cell[]){
			   { pr_key_text(r->key, key), STYLE_PLAIN },
			   { r->is_holder ? pr_type_word(r->type) : "-",
			     r->is_holder ? STYLE_GOOD : STYLE_FAINT },
			   { port, STYLE_PLAIN },
			   { initiator, STYLE_PLAIN },
		   },
		   4);
	object_put_text(out, object, "kind", "registration");
	key_put(out, object, r->key);
	object_put_boolean(out, object, "holder", r->is_holder);
	object_put_text(out, object, "type", r->is_holder ? pr_type_word(r->type) : "none");
	object_put_boolean(out, object, "all_target_ports", r->all_target_ports);
	object_put_integer(out, object, "target_port", r->relative_port);
	object_put_text(out, object, "initiator", r->has_initiator ? initiator : NULL);
	output_object(out, object);
}

int pr_view_full_status(struct output *out, struct pr_full_status *walk, struct err *err)
{
	static const char *const headings[] = { "KEY", "HOLDS", "PORT", "INITIATOR" };
	struct pr_registration r;
	json_t *summary = json_object();
	long count = 0;
	int rc;

	output_begin(out, headings, 4);
	while ((rc = pr_full_status_next(walk, &r, err)) == 1) {
		registration_show(out, &r);
		count++;
	}
	output_end(out);
	output_line(out, STYLE_FAINT, "generation %u", walk->generation);
	if (walk->is_cut)
		output_line(out, STYLE_WARN, "further registrations are not shown");
	object_put_text(out, summary, "kind", "full-status");
	object_put_integer(out, summary, "shown", count);
	object_put_boolean(out, summary, "complete", rc == 0 && !walk->is_cut);
	object_put_integer(out, summary, "generation", walk->generation);
	output_object(out, summary);
	return rc;
}

void pr_view_result(struct output *out, enum pr_command command, const char *outcome,
		    enum output_style style, const char *text, const struct pr_reply *reply,
		    const struct pr_state *state)
{
	json_t *object = json_object();
	char held[64];

	output_line(out, style, "%s", text);
	object_put_text(out, object, "kind", "result");
	object_put_text(out, object, "command", pr_command_word(command));
	object_put_text(out, object, "outcome", outcome);
	object_put_text(out, object, "meaning", pr_meaning_word(reply->meaning));
	object_put_text(out, object, "text", text);
	if (state) {
		pr_reservation_text(&state->reservation, held, sizeof held);
		output_line(out, STYLE_FAINT, "%u keys, reservation: %s (generation %u)",
			    state->keys.total, held, state->reservation.generation);
		object_put_integer(out, object, "keys", state->keys.total);
		reservation_put(out, object, &state->reservation);
		object_put_integer(out, object, "generation", state->reservation.generation);
	}
	output_object(out, object);
}

void pr_view_attentions(struct output *out, const struct pr_client_answer *answer)
{
	for (size_t i = 0; i < answer->attentions_count; i++) {
		const struct pr_reply *reply = &answer->attentions[i];
		json_t *object;
		char text[160];

		if (reply->attention == PR_ATTENTION_RESET)
			continue;
		pr_reply_text(reply, text, sizeof text);
		output_line(out, STYLE_WARN, "the unit told first: %s", text);
		object = json_object();
		object_put_text(out, object, "kind", "attention");
		object_put_text(out, object, "attention", pr_attention_word(reply->attention));
		object_put_text(out, object, "text", text);
		output_object(out, object);
	}
}
