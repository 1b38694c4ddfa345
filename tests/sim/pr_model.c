/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_model.c - a logical unit with persistent reservations; see pr_model.h.
 */
#include "tests/sim/pr_model.h"

#include <assert.h>
#include <string.h>

#include "base/bigendian.h"

enum {
	KEY_NOT_READY = 0x2,
	KEY_HARDWARE = 0x4,
	KEY_ILLEGAL_REQUEST = 0x5,
	KEY_UNIT_ATTENTION = 0x6,

	NO_COMMUNICATION = 0x0800,
	INVALID_LENGTH = 0x1a00,
	INVALID_COMMAND = 0x2000,
	INVALID_FIELD = 0x2400,
	INVALID_PARAMETER = 0x2600,
	INVALID_RELEASE = 0x2604,
	INFORMATION_LOST = 0x4401,
	NO_ROOM = 0x5504,

	PREEMPTED_RESERVATIONS = 0x2a03,
	RELEASED_RESERVATIONS = 0x2a04,
	PREEMPTED_REGISTRATIONS = 0x2a05,
	POWER_ON_RESET = 0x2900,
	UNIT_RESET = 0x2903,
	COMMANDS_CLEARED = 0x2f00,

	OP_INQUIRY = 0x12,
	OP_REPORT_LUNS = 0xa0,
	OP_REQUEST_SENSE = 0x03,

	NOBODY = -1,
};

void pr_model_limits_tgt(struct pr_model_limits *limits)
{
	*limits = (struct pr_model_limits){
		.no_abort = 1,
		.no_full_status = 1,
		.no_aptpl = 1,
		.no_ports = 1,
		.no_replace = 1,
		.attention_first = 1,
		.attentions_repeat = 1,
		.session_registers = 1,
		.list_faults_are_field_faults = 1,
		.preempted_tells_cleared = 1,
		.holder_unregister_counts_twice = 1,
		.reserve_ignores_key = 1,
		.release_ignores_key = 1,
		.preempt_keeps_self = 1,
		.preempt_zero_passes = 1,
		.released_is_inverted = 1,
		.move_is_broken = 1,
		.access_is_loose = 1,
	};
}

void pr_model_limits_lio(struct pr_model_limits *limits)
{
	*limits = (struct pr_model_limits){
		.no_replace = 1,
		.attention_first = 1,
		.attentions_forgotten = 1,
		.strangers_find_no_unit = 1,
		.actions_are_reserved = 1,
		.type_goes_first = 1,
		.release_ignores_key = 1,
		.release_type_conflicts = 1,
		.changes_count_oddly = 1,
		.others_keep_key = 1,
		.all_ports_stay = 1,
		.move_list_goes_first = 1,
		.first_holder_is_special = 1,
		.persistence_by_all = 1,
		.access_by_direction = 1,
		.says_compatible = 1,
	};
}

void pr_model_init(struct pr_model *model, const struct pr_model_limits *limits, uint16_t ports)
{
	memset(model, 0, sizeof *model);
	if (limits)
		model->limits = *limits;
	model->ports = ports;
	model->holder = NOBODY;
}

/* ---- nexuses and registrations ---- */

static int initiator_equal(const struct pr_initiator *a, const struct pr_initiator *b)
{
	if (a->protocol != b->protocol)
		return 0;
	if (a->protocol != PR_PROTOCOL_ISCSI)
		return memcmp(a->port, b->port, sizeof a->port) == 0;
	return strcmp(a->name, b->name) == 0 && a->has_isid == b->has_isid &&
	       (!a->has_isid || memcmp(a->isid, b->isid, sizeof a->isid) == 0);
}

/* Does a TransportID name this initiator port? One without ISID names every port of its name. */
static int initiator_named(const struct pr_initiator *id, const struct pr_initiator *port)
{
	if (id->protocol == PR_PROTOCOL_ISCSI && !id->has_isid)
		return port->protocol == PR_PROTOCOL_ISCSI && strcmp(id->name, port->name) == 0;
	return initiator_equal(id, port);
}

int pr_model_nexus(struct pr_model *model, const struct pr_initiator *initiator, uint16_t port)
{
	struct pr_model_nexus *nexus;

	assert(port >= 1 && port <= model->ports);
	for (size_t i = 0; i < model->nexuses_count; i++)
		if (model->nexuses[i].port == port &&
		    initiator_equal(&model->nexuses[i].initiator, initiator))
			return (int)i;
	assert(model->nexuses_count < PR_MODEL_NEXUSES_MAX);
	nexus = &model->nexuses[model->nexuses_count];
	*nexus = (struct pr_model_nexus){ .initiator = *initiator, .port = port };
	return (int)model->nexuses_count++;
}

static int registration_belongs(const struct pr_model_registration *registration,
				const struct pr_model_nexus *nexus)
{
	return !registration->is_stale &&
	       (registration->port == 0 || registration->port == nexus->port) &&
	       initiator_equal(&registration->initiator, &nexus->initiator);
}

int pr_model_registration_of(const struct pr_model *model, int nexus)
{
	for (size_t i = 0; i < model->registrations_count; i++)
		if (registration_belongs(&model->registrations[i], &model->nexuses[nexus]))
			return (int)i;
	return NOBODY;
}

int pr_model_holds(const struct pr_model *model, int nexus)
{
	int own = pr_model_registration_of(model, nexus);

	return model->holder != NOBODY && own != NOBODY &&
	       (own == model->holder || pr_type_is_all_registrants(model->type));
}

static void attention_add(struct pr_model *model, struct pr_model_nexus *nexus, uint16_t code)
{
	if (!model->limits.attentions_repeat)
		for (size_t i = 0; i < nexus->attentions_count; i++)
			if (nexus->attentions[i] == code)
				return;
	if (nexus->attentions_count < PR_MODEL_ATTENTIONS_MAX)
		nexus->attentions[nexus->attentions_count++] = code;
}

static uint16_t attention_take(const struct pr_model *model, struct pr_model_nexus *nexus)
{
	uint16_t code = nexus->attentions[0];

	nexus->attentions_count--;
	memmove(nexus->attentions, nexus->attentions + 1,
		nexus->attentions_count * sizeof nexus->attentions[0]);
	if (model->limits.attentions_forgotten)
		nexus->attentions_count = 0;
	return code;
}

/* Tell the nexuses of a registration, but not the one whose command does it. */
static void registration_tell(struct pr_model *model, int registration, int except, uint16_t code)
{
	for (size_t i = 0; i < model->nexuses_count; i++)
		if ((int)i != except &&
		    registration_belongs(&model->registrations[registration], &model->nexuses[i]))
			attention_add(model, &model->nexuses[i], code);
}

static void registrants_tell(struct pr_model *model, int except, uint16_t code)
{
	for (size_t i = 0; i < model->registrations_count; i++)
		registration_tell(model, (int)i, except, code);
}

/* As tgt does it: for each registrant but `except_registration`, each nexus but that registrant's. */
static void released_tell_inverted(struct pr_model *model, int except_registration)
{
	for (int i = 0; i < (int)model->registrations_count; i++) {
		if (i == except_registration)
			continue;
		for (size_t n = 0; n < model->nexuses_count; n++)
			if (!registration_belongs(&model->registrations[i], &model->nexuses[n]))
				attention_add(model, &model->nexuses[n], RELEASED_RESERVATIONS);
	}
}

/* Take a registration out of the list; the reservation is the caller's business, but the holder's
 * number is kept right. */
static void registration_remove(struct pr_model *model, int registration)
{
	struct pr_model_registration *at = &model->registrations[registration];

	model->registrations_count--;
	memmove(at, at + 1, (model->registrations_count - (size_t)registration) * sizeof *at);
	if (model->holder == registration)
		/* All registrants: any other holds it as well. */
		model->holder = pr_type_is_all_registrants(model->type) &&
						model->registrations_count > 0
					? 0
					: NOBODY;
	else if (model->holder > registration)
		model->holder--;
	if (model->holder == NOBODY)
		model->type = PR_TYPE_NONE;
}

static unsigned registrations_max(const struct pr_model *model)
{
	return model->limits.registrations_max ? model->limits.registrations_max
					       : PR_MODEL_REGISTRATIONS_MAX;
}

/* ---- events ---- */

void pr_model_login(struct pr_model *model, int nexus)
{
	int own = pr_model_registration_of(model, nexus);

	if (own != NOBODY && model->limits.session_registers)
		model->registrations[own].is_stale = 1;
	model->nexuses[nexus].attentions_count = 0;
	model->nexuses[nexus].outstanding = 0;
	attention_add(model, &model->nexuses[nexus], POWER_ON_RESET);
}

static void everyone_told(struct pr_model *model, uint16_t code)
{
	for (size_t i = 0; i < model->nexuses_count; i++) {
		model->nexuses[i].attentions_count = 0;
		model->nexuses[i].outstanding = 0;
		attention_add(model, &model->nexuses[i], code);
	}
}

void pr_model_power_cycle(struct pr_model *model)
{
	model->generation = 0; /* 6.13.2 */
	if (!model->persists) {
		model->registrations_count = 0;
		model->holder = NOBODY;
		model->type = PR_TYPE_NONE;
	}
	everyone_told(model, POWER_ON_RESET);
}

void pr_model_reset(struct pr_model *model)
{
	everyone_told(model, UNIT_RESET);
}

void pr_model_lose(struct pr_model *model)
{
	pr_model_power_cycle(model);
	model->registrations_count = 0;
	model->holder = NOBODY;
	model->type = PR_TYPE_NONE;
	model->is_lost = 1;
}

/* ---- answering ---- */

static void answer_sense(struct pr_model_answer *answer, uint8_t key, uint16_t code)
{
	answer->status = PR_STATUS_CHECK_CONDITION;
	answer->sense_bytes = pr_sense_out(key, (uint8_t)(code >> 8), (uint8_t)code, 0,
					   answer->sense);
	answer->bytes = 0;
}

/* Refuse. tgt knows one reason. */
static void refuse(const struct pr_model *model, struct pr_model_answer *answer, uint16_t code)
{
	if (model->limits.list_faults_are_field_faults &&
	    (code == INVALID_LENGTH || code == INVALID_PARAMETER))
		code = INVALID_FIELD;
	answer_sense(answer, KEY_ILLEGAL_REQUEST, code);
}

static void conflict(struct pr_model_answer *answer)
{
	answer->status = PR_STATUS_RESERVATION_CONFLICT;
}

/* A nexus that is not registered, or not with this key, asks for what only registrants may. */
static void stranger(const struct pr_model *model, int own, struct pr_model_answer *answer)
{
	if (own == NOBODY && model->limits.strangers_find_no_unit && model->holder == NOBODY)
		answer_sense(answer, KEY_NOT_READY, NO_COMMUNICATION);
	else
		conflict(answer);
}

/* ---- PERSISTENT RESERVE IN ---- */

static size_t full_status(const struct pr_model *model, uint8_t *data, size_t room)
{
	struct pr_registration list[PR_MODEL_REGISTRATIONS_MAX] = { 0 };
	int all = pr_type_is_all_registrants(model->type);

	for (size_t i = 0; i < model->registrations_count; i++) {
		const struct pr_model_registration *r = &model->registrations[i];

		list[i].key = r->key;
		list[i].all_target_ports = r->port == 0;
		list[i].relative_port = r->port;
		list[i].is_holder = model->holder != NOBODY && (all || (int)i == model->holder);
		list[i].type = model->type;
		list[i].has_initiator = 1;
		list[i].initiator = r->initiator;
	}
	return pr_full_status_out(model->generation, list, model->registrations_count, data, room);
}

static size_t capabilities(const struct pr_model *model, uint8_t *data, size_t room)
{
	const struct pr_capabilities all = {
		.replaces_lost = !model->limits.no_replace,
		.specifies_ports = !model->limits.no_ports,
		.all_target_ports = !model->limits.no_ports,
		.persists = !model->limits.no_aptpl,
		.persistence_active = model->persists,
		.handles_reserve = model->limits.says_compatible,
		.allow_commands = model->limits.says_compatible,
		.has_types = 1,
		.types = 1 << PR_TYPE_WRITE_EXCLUSIVE | 1 << PR_TYPE_EXCLUSIVE_ACCESS |
			 1 << PR_TYPE_WRITE_EXCLUSIVE_RO | 1 << PR_TYPE_EXCLUSIVE_ACCESS_RO |
			 1 << PR_TYPE_WRITE_EXCLUSIVE_AR | 1 << PR_TYPE_EXCLUSIVE_ACCESS_AR,
	};

	return pr_capabilities_out(&all, data, room);
}

static void model_in(const struct pr_model *model, enum pr_command command, size_t room,
		     struct pr_model_answer *answer)
{
	struct pr_keys keys = { .generation = model->generation };
	struct pr_reservation reservation = { .generation = model->generation };
	size_t bytes = 0;

	room = room < sizeof answer->data ? room : sizeof answer->data;
	switch (command) {
	case PR_READ_KEYS:
		for (size_t i = 0; i < model->registrations_count; i++)
			keys.key[keys.count++] = model->registrations[i].key;
		bytes = pr_keys_out(&keys, answer->data, room);
		break;
	case PR_READ_RESERVATION:
		reservation.is_held = model->holder != NOBODY;
		reservation.type = model->type;
		if (reservation.is_held && !pr_type_is_all_registrants(model->type))
			reservation.key = model->registrations[model->holder].key;
		bytes = pr_reservation_out(&reservation, answer->data, room);
		break;
	case PR_REPORT_CAPABILITIES:
		bytes = capabilities(model, answer->data, room);
		break;
	default:
		bytes = full_status(model, answer->data, room);
		break;
	}
	answer->bytes = bytes < room ? bytes : room;
}

/* ---- registering ---- */

static void registration_add(struct pr_model *model, const struct pr_initiator *initiator,
			     uint16_t port, uint64_t key)
{
	model->registrations[model->registrations_count++] = (struct pr_model_registration){
		.key = key,
		.initiator = *initiator,
		.port = port,
	};
}

/* 5.7.11.3: what a registrant takes with it when it goes. */
static void unregister(struct pr_model *model, int nexus, int own)
{
	uint8_t type = model->type;
	int released = own == model->holder &&
		       (!pr_type_is_all_registrants(type) || model->registrations_count == 1);

	registration_remove(model, own);
	if (!released)
		return;
	if (model->limits.holder_unregister_counts_twice)
		model->generation++;
	if (model->limits.released_is_inverted)
		released_tell_inverted(model, NOBODY);
	else if (type == PR_TYPE_WRITE_EXCLUSIVE_RO || type == PR_TYPE_EXCLUSIVE_ACCESS_RO)
		registrants_tell(model, nexus, RELEASED_RESERVATIONS);
}

/* The initiator ports that a TransportID of SPEC_I_PT means: without ISID those of that name that are
 * known. */
static size_t initiators_meant(const struct pr_model *model, const struct pr_initiator *id,
			       struct pr_initiator found[PR_MODEL_NEXUSES_MAX])
{
	size_t count = 0;

	if (id->protocol != PR_PROTOCOL_ISCSI || id->has_isid) {
		found[0] = *id;
		return 1;
	}
	for (size_t n = 0; n < model->nexuses_count; n++) {
		const struct pr_initiator *port = &model->nexuses[n].initiator;
		size_t seen = 0;

		while (seen < count && !initiator_equal(&found[seen], port))
			seen++;
		if (seen == count && initiator_named(id, port))
			found[count++] = *port;
	}
	return count;
}

/* SPEC_I_PT: the other initiator ports too, all or none (5.7.7). A TransportID that stands for none
 * is an invalid parameter. It is no error to register a nexus that is registered: it gets the key.
 * Without `commit` it is only counted how many registrations there would be more. */
static int others_register(struct pr_model *model, const struct pr_out *out, uint16_t port,
			   int commit, size_t *added)
{
	struct pr_initiator found[PR_MODEL_NEXUSES_MAX];

	*added = 0;
	for (size_t i = 0; i < out->initiators_count; i++) {
		size_t count = initiators_meant(model, &out->initiators[i], found);

		if (count == 0)
			return -1;
		for (size_t f = 0; f < count; f++) {
			const struct pr_model_nexus asked = { .initiator = found[f], .port = port };
			size_t r = 0;

			while (r < model->registrations_count &&
			       !registration_belongs(&model->registrations[r], &asked))
				r++;
			*added += r == model->registrations_count;
			if (commit && r < model->registrations_count) {
				if (!model->limits.others_keep_key)
					model->registrations[r].key = out->service_key;
			} else if (commit)
				registration_add(model, &found[f], out->all_target_ports ? 0 : port,
						 out->service_key);
		}
	}
	return 0;
}

/* 5.7.7, tables 48 and 49. */
static int model_register(struct pr_model *model, int nexus, const struct pr_out *out,
			  struct pr_model_answer *answer)
{
	const struct pr_model_nexus *asker = &model->nexuses[nexus];
	int own = pr_model_registration_of(model, nexus);
	int ignores = out->command == PR_REGISTER_AND_IGNORE;
	size_t others;

	if ((model->limits.no_ports && (out->initiators_count || out->all_target_ports)) ||
	    (model->limits.no_aptpl && out->aptpl) || (ignores && out->initiators_count)) {
		refuse(model, answer, INVALID_PARAMETER);
		return 0;
	}
	if (!ignores && out->key != (own == NOBODY ? 0 : model->registrations[own].key)) {
		conflict(answer);
		return 0;
	}
	if (own != NOBODY && out->initiators_count) {
		refuse(model, answer, INVALID_PARAMETER);
		return 0;
	}
	if (own != NOBODY && model->registrations[own].port == 0 && !out->all_target_ports &&
	    model->limits.all_ports_stay) {
		refuse(model, answer, INVALID_FIELD);
		return 0;
	}
	if (own != NOBODY && out->service_key == 0) {
		unregister(model, nexus, own);
		if (model->limits.persistence_by_all)
			model->persists = out->aptpl;
	} else if (own != NOBODY) {
		model->registrations[own].key = out->service_key;
	} else if (out->service_key != 0) {
		if (others_register(model, out, asker->port, 0, &others) != 0) {
			refuse(model, answer, INVALID_PARAMETER);
			return 0;
		}
		if (model->registrations_count + 1 + others > registrations_max(model)) {
			refuse(model, answer, NO_ROOM);
			return 0;
		}
		registration_add(model, &asker->initiator, out->all_target_ports ? 0 : asker->port,
				 out->service_key);
		others_register(model, out, asker->port, 1, &others);
		if (model->limits.changes_count_oddly)
			model->generation += (uint32_t)others;
	}
	if (out->service_key != 0)
		model->persists = out->aptpl;
	return out->service_key != 0 || !model->limits.changes_count_oddly;
}

static int move_list_is_right(const struct pr_model *model, int nexus, const struct pr_out *out)
{
	return out->service_key != 0 && out->relative_port != 0 &&
	       out->relative_port <= model->ports &&
	       !initiator_named(&out->initiators[0], &model->nexuses[nexus].initiator);
}

/* 5.7.8, table 50. */
static int model_move(struct pr_model *model, int nexus, const struct pr_out *out,
		      struct pr_model_answer *answer)
{
	int own = pr_model_registration_of(model, nexus), to = NOBODY;
	struct pr_model_nexus asked = { .port = out->relative_port };

	if (model->limits.no_aptpl && out->aptpl) {
		refuse(model, answer, INVALID_PARAMETER);
		return 0;
	}
	if (own != NOBODY && model->limits.move_is_broken && !pr_model_holds(model, nexus))
		return 0;
	if (model->limits.move_list_goes_first &&
	    (own == NOBODY || model->registrations[own].key != out->key)) {
		stranger(model, own, answer);
		return 0;
	}
	if (model->limits.move_list_goes_first && !move_list_is_right(model, nexus, out)) {
		refuse(model, answer, INVALID_PARAMETER);
		return 0;
	}
	if (model->holder == NOBODY) {
		refuse(model, answer, INVALID_FIELD);
		return 0;
	}
	if (own != model->holder || pr_type_is_all_registrants(model->type) ||
	    model->registrations[own].key != out->key) {
		conflict(answer);
		return 0;
	}
	if (!move_list_is_right(model, nexus, out)) {
		refuse(model, answer, INVALID_PARAMETER);
		return 0;
	}
	for (size_t i = 0; i < model->nexuses_count && !asked.initiator.name[0]; i++)
		if (initiator_named(&out->initiators[0], &model->nexuses[i].initiator))
			asked.initiator = model->nexuses[i].initiator;
	if (!asked.initiator.name[0])
		asked.initiator = out->initiators[0];
	for (size_t i = 0; i < model->registrations_count; i++)
		if (registration_belongs(&model->registrations[i], &asked))
			to = (int)i;
	if (to == NOBODY &&
	    model->registrations_count - !!out->unregister + 1 > registrations_max(model)) {
		refuse(model, answer, NO_ROOM);
		return 0;
	}
	if (to == NOBODY) {
		to = (int)model->registrations_count;
		registration_add(model, &asked.initiator, asked.port, out->service_key);
	} else {
		model->registrations[to].key = out->service_key;
	}
	model->holder = to;
	model->persists = out->aptpl;
	if (out->unregister)
		registration_remove(model, own);
	return 1;
}

/* ---- reserving, releasing ---- */

static int model_reserve(struct pr_model *model, int nexus, const struct pr_out *out,
			 struct pr_model_answer *answer)
{
	int own = pr_model_registration_of(model, nexus);

	if (!pr_type_is_known(out->type) || (out->scope != 0 && !model->limits.type_goes_first)) {
		refuse(model, answer, INVALID_FIELD);
	} else if (own == NOBODY || (!model->limits.reserve_ignores_key &&
				     model->registrations[own].key != out->key)) {
		stranger(model, own, answer); /* 5.7.9 */
	} else if (out->scope != 0) {
		refuse(model, answer, INVALID_PARAMETER);
	} else if (model->holder != NOBODY &&
		   (!pr_model_holds(model, nexus) || model->type != out->type)) {
		conflict(answer);
	} else if (model->holder == NOBODY) {
		model->holder = own;
		model->type = out->type;
	}
	return 0; /* PRGENERATION stays (6.14.2) */
}

/* 5.7.11.2 */
static int model_release(struct pr_model *model, int nexus, const struct pr_out *out,
			 struct pr_model_answer *answer)
{
	int own = pr_model_registration_of(model, nexus);
	uint8_t type = model->type;

	if (own == NOBODY ||
	    (!model->limits.release_ignores_key && model->registrations[own].key != out->key)) {
		stranger(model, own, answer);
		return 0;
	}
	if (!pr_model_holds(model, nexus))
		return 0;
	if (model->registrations[own].key != out->key) {
		conflict(answer);
		return 0;
	}
	if (out->scope != 0 || out->type != type) {
		if (model->limits.release_type_conflicts)
			conflict(answer);
		else
			refuse(model, answer, INVALID_RELEASE);
		return 0;
	}
	model->holder = NOBODY;
	model->type = PR_TYPE_NONE;
	if (model->limits.released_is_inverted) {
		if (!pr_type_is_shared(type))
			released_tell_inverted(model, own);
	} else if (pr_type_is_shared(type)) {
		registrants_tell(model, nexus, RELEASED_RESERVATIONS);
	}
	return 0;
}

/* 5.7.11.6 */
static int model_clear(struct pr_model *model, int nexus, const struct pr_out *out,
		       struct pr_model_answer *answer)
{
	int own = pr_model_registration_of(model, nexus);

	if (own == NOBODY || model->registrations[own].key != out->key) {
		stranger(model, own, answer);
		return 0;
	}
	registrants_tell(model, nexus, PREEMPTED_RESERVATIONS);
	if (model->limits.persistence_by_all)
		model->persists = 0;
	model->registrations_count = 0;
	model->holder = NOBODY;
	model->type = PR_TYPE_NONE;
	return 1;
}

/* ---- preempting (5.7.11.4, 5.7.11.5) ---- */

/* Remove the registrations with this key (all: any key). The nexus that does it is not told; it
 * stays registered with keep_self. Its commands, and those of nobody else, go on. */
static void registrations_preempt(struct pr_model *model, int nexus, uint64_t key, int all,
				  int keep_self, struct pr_model_answer *answer)
{
	uint16_t code = model->limits.preempted_tells_cleared ? PREEMPTED_RESERVATIONS
							      : PREEMPTED_REGISTRATIONS;

	for (int i = (int)model->registrations_count - 1; i >= 0; i--) {
		const struct pr_model_registration *r = &model->registrations[i];

		if (!all && r->key != key)
			continue;
		if (keep_self && registration_belongs(r, &model->nexuses[nexus]))
			continue;
		for (size_t n = 0; n < model->nexuses_count; n++)
			if ((int)n != nexus && registration_belongs(r, &model->nexuses[n]))
				answer->aborted |= UINT32_C(1) << n;
		registration_tell(model, i, nexus, code);
		registration_remove(model, i);
	}
}

static void commands_abort(struct pr_model *model, struct pr_model_answer *answer)
{
	for (size_t n = 0; n < model->nexuses_count; n++) {
		if (!(answer->aborted & UINT32_C(1) << n))
			continue;
		if (model->nexuses[n].outstanding > 0)
			attention_add(model, &model->nexuses[n], COMMANDS_CLEARED);
		model->nexuses[n].outstanding = 0;
	}
}

static int key_is_registered(const struct pr_model *model, uint64_t key)
{
	for (size_t i = 0; i < model->registrations_count; i++)
		if (model->registrations[i].key == key)
			return 1;
	return 0;
}

/* The reservation becomes that of the nexus, which is registered. */
static void reservation_preempt(struct pr_model *model, int nexus, uint64_t key, int all,
				uint8_t type, struct pr_model_answer *answer)
{
	uint8_t before = model->type;

	registrations_preempt(model, nexus, key, all, 1, answer);
	model->holder = pr_model_registration_of(model, nexus);
	model->type = type;
	if (before != type)
		registrants_tell(model, nexus, RELEASED_RESERVATIONS);
}

static int model_preempt(struct pr_model *model, int nexus, const struct pr_out *out,
			 struct pr_model_answer *answer)
{
	int own = pr_model_registration_of(model, nexus);
	int all = model->holder != NOBODY && pr_type_is_all_registrants(model->type);
	int of_holder;

	if (model->limits.type_goes_first && !pr_type_is_known(out->type)) {
		refuse(model, answer, INVALID_FIELD);
		return 0;
	}
	if (own == NOBODY || model->registrations[own].key != out->key) {
		conflict(answer);
		return 0;
	}
	if (out->scope != 0 && model->limits.type_goes_first) {
		refuse(model, answer, INVALID_PARAMETER);
		return 0;
	}
	if (out->service_key == 0 && !all) {
		if (!model->limits.preempt_zero_passes || model->holder != NOBODY) {
			refuse(model, answer, INVALID_PARAMETER);
			return 0;
		}
		return 1;
	}
	if (out->service_key != 0 && !key_is_registered(model, out->service_key)) {
		conflict(answer);
		return 0;
	}
	of_holder = all && !model->limits.first_holder_is_special ? out->service_key == 0
		    : all && out->service_key == 0
			    ? 1
			    : model->holder != NOBODY &&
				      model->registrations[model->holder].key == out->service_key;
	if (of_holder && (out->scope != 0 || !pr_type_is_known(out->type))) {
		refuse(model, answer, INVALID_FIELD);
		return 0;
	}
	if (of_holder)
		reservation_preempt(model, nexus, out->service_key, all && out->service_key == 0,
				    out->type, answer);
	else
		registrations_preempt(model, nexus, out->service_key, 0,
				      model->limits.preempt_keeps_self ||
					      (all && model->limits.first_holder_is_special),
				      answer);
	if (out->command == PR_PREEMPT_AND_ABORT)
		commands_abort(model, answer);
	else
		answer->aborted = 0;
	return 1;
}

/* 5.7.11.7: only where the information was lost. */
static int model_replace(struct pr_model *model, int nexus, const struct pr_out *out,
			 struct pr_model_answer *answer)
{
	if (!model->is_lost || out->scope != 0 || !pr_type_is_known(out->type)) {
		refuse(model, answer, INVALID_FIELD);
		return 0;
	}
	if (out->key != 0 || out->service_key == 0) {
		refuse(model, answer, INVALID_PARAMETER);
		return 0;
	}
	model->is_lost = 0;
	registration_add(model, &model->nexuses[nexus].initiator, model->nexuses[nexus].port,
			 out->service_key);
	model->holder = 0;
	model->type = out->type;
	return 1;
}

/* ---- PERSISTENT RESERVE OUT ---- */

static const struct out_row {
	int (*run)(struct pr_model *model, int nexus, const struct pr_out *out,
		   struct pr_model_answer *answer);
} outs[PR_COMMANDS] = {
	[PR_REGISTER] = { model_register },
	[PR_RESERVE] = { model_reserve },
	[PR_RELEASE] = { model_release },
	[PR_CLEAR] = { model_clear },
	[PR_PREEMPT] = { model_preempt },
	[PR_PREEMPT_AND_ABORT] = { model_preempt },
	[PR_REGISTER_AND_IGNORE] = { model_register },
	[PR_REGISTER_AND_MOVE] = { model_move },
	[PR_REPLACE_LOST] = { model_replace },
};

static void model_out(struct pr_model *model, int nexus, const uint8_t *cdb, const uint8_t *data,
		      size_t bytes, struct pr_model_answer *answer)
{
	struct pr_initiator initiators[PR_INITIATORS_MAX];
	struct pr_out out;
	enum pr_meaning meaning;

	if (pr_cdb_bytes(cdb) != bytes)
		meaning = PR_MEANS_INVALID_LENGTH;
	else
		meaning = pr_out_decode(cdb, data, bytes, &out, initiators);
	/* SPEC_I_PT that is not understood is refused before what comes with it is read. */
	if (meaning != PR_MEANS_GOOD)
		refuse(model, answer,
		       meaning == PR_MEANS_INVALID_LENGTH ? INVALID_LENGTH
		       : meaning == PR_MEANS_NO_ROOM	  ? NO_ROOM
							  : INVALID_PARAMETER);
	else if (outs[out.command].run(model, nexus, &out, answer))
		model->generation++;
}

static int command_is_missing(const struct pr_model_limits *limits, enum pr_command command)
{
	return command == PR_COMMANDS || (command == PR_PREEMPT_AND_ABORT && limits->no_abort) ||
	       (command == PR_READ_FULL_STATUS && limits->no_full_status) ||
	       (command == PR_REGISTER_AND_MOVE && limits->no_move) ||
	       (command == PR_REPLACE_LOST && limits->no_replace);
}

static void model_reservations(struct pr_model *model, int nexus, const uint8_t *cdb,
			       const uint8_t *data, size_t bytes, struct pr_model_answer *answer)
{
	enum pr_command command = pr_cdb_command(cdb);

	if (command_is_missing(&model->limits, command))
		refuse(model, answer, INVALID_FIELD);
	else if (model->is_lost && command != PR_REPLACE_LOST && command != PR_REPORT_CAPABILITIES)
		answer_sense(answer, KEY_HARDWARE, INFORMATION_LOST);
	else if (!pr_command_is_out(command))
		model_in(model, command, pr_cdb_bytes(cdb), answer);
	else
		model_out(model, nexus, cdb, data, bytes, answer);
}

/* ---- commands ---- */

/* Is a unit attention told now? REQUEST SENSE tells it as data, the other two leave it. */
static int attention_due(struct pr_model_nexus *nexus, const uint8_t *cdb)
{
	return nexus->attentions_count > 0 && cdb[0] != OP_INQUIRY && cdb[0] != OP_REPORT_LUNS &&
	       cdb[0] != OP_REQUEST_SENSE;
}

void pr_model_command(struct pr_model *model, int nexus, const uint8_t *cdb, const uint8_t *data,
		      size_t bytes, struct pr_model_answer *answer)
{
	struct pr_model_nexus *asker = &model->nexuses[nexus];
	int allowed = pr_model_access(model, nexus, cdb);

	answer->status = PR_STATUS_GOOD;
	answer->sense_bytes = answer->bytes = 0;
	answer->aborted = 0;
	if (attention_due(asker, cdb) && (allowed || model->limits.attention_first)) {
		answer_sense(answer, KEY_UNIT_ATTENTION, attention_take(model, asker));
	} else if (!allowed) {
		conflict(answer);
	} else if (cdb[0] == PR_IN_OPCODE || cdb[0] == PR_OUT_OPCODE) {
		model_reservations(model, nexus, cdb, data, bytes, answer);
	} else if (model->is_lost && pr_model_class(cdb) != PR_CLASS_ALWAYS) {
		answer_sense(answer, KEY_HARDWARE, INFORMATION_LOST);
	} else if (cdb[0] == OP_REQUEST_SENSE && asker->attentions_count > 0) {
		uint16_t code = attention_take(model, asker);

		answer->bytes = pr_sense_out(KEY_UNIT_ATTENTION, (uint8_t)(code >> 8),
					     (uint8_t)code, 0, answer->data);
	}
}
