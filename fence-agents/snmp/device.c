/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * device.c - identify, read and command a device; see device.h. Lists: device_rows.c.
 */
#include "fence-agents/snmp/device.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const struct oid sys_descr = { 9, { 1, 3, 6, 1, 2, 1, 1, 1, 0 } };
static const struct oid sys_object_id = { 9, { 1, 3, 6, 1, 2, 1, 1, 2, 0 } };

/* Tries at a list that another client writes at the same time. */
enum { LIST_TRIES = 3 };

int device_identify(struct transport *transport, const struct profile *known,
		    struct device_identity *identity, struct err *err)
{
	struct snmp_var vars[3] = { { .oid = sys_object_id }, { .oid = sys_descr } };
	int has_base = known && known->base_at.count > 0;
	int rc;

	*identity = (struct device_identity){ .base.kind = SNMP_ABSENT };
	if (has_base)
		vars[2].oid = known->base_at;
	rc = transport->get(transport, vars, has_base ? 3 : 2, err);
	if (rc)
		return rc;
	identity->has_object_id = vars[0].kind == SNMP_OBJECT;
	identity->object_id = vars[0].object;
	if (vars[1].kind == SNMP_TEXT)
		text_clean(identity->descr, sizeof identity->descr, vars[1].text,
			   strlen(vars[1].text));
	if (has_base)
		identity->base = vars[2];
	return 0;
}

static int base_take(struct device *device, const struct snmp_var *var, struct err *err)
{
	const struct profile *profile = device->profile;
	char at[OID_TEXT_MAX];

	oid_write(&profile->base_at, at);
	if (var->kind == SNMP_ABSENT)
		return err_set(err, RC_UNSUPPORTED, "choose the profile with device=",
			       "the device lacks %s, which profile %s is based on", at,
			       profile->name);
	if (var->kind != SNMP_OBJECT || !oid_is_below(&var->object, &profile->base_within))
		return err_set(err, RC_PROTOCOL, "choose the profile with device=",
			       "%s does not name a table that profile %s knows", at, profile->name);
	device->base = var->object;
	return 0;
}

int device_open(struct device *device, const struct profile *profile, struct transport *transport,
		const struct device_identity *identity, struct err *err)
{
	struct snmp_var var = { .oid = profile->base_at };
	int rc;

	*device = (struct device){ .profile = profile, .transport = transport, .unit = -1 };
	if (profile->base_at.count == 0)
		return 0;
	if (oid_compare(&identity->base.oid, &profile->base_at) == 0)
		return base_take(device, &identity->base, err);
	rc = transport->get(transport, &var, 1, err);
	return rc ? rc : base_take(device, &var, err);
}

/* ---- one plug ---- */

static int template_at(const struct device *device, const struct oid_template *tmpl,
		       const struct oid_index *index, struct oid *oid, struct err *err)
{
	int rc = oid_template_fill(tmpl, &device->base, index, oid);

	if (rc == RC_NO_SUCH_PLUG)
		return err_set(err, rc, "see action=list", "the device does not have this outlet");
	return rc ? err_set(err, rc, NULL, "the device names a table that is too long") : 0;
}

static void value_take(const struct snmp_var *var, struct profile_value *value)
{
	value->is_there = var->kind != SNMP_ABSENT;
	value->is_known = snmp_var_number(var, &value->number);
}

/* The status of a plug that is one field of a list. */
static void field_take(const struct snmp_var *var, uint32_t field, struct profile_reading *reading)
{
	size_t start, end;

	if (var->kind != SNMP_TEXT || var->length >= SNMP_TEXT_MAX) {
		reading->has_status = var->kind != SNMP_ABSENT;
		return;
	}
	reading->has_status = profile_field(var->text, var->length, field, &start, &end);
	if (reading->has_status)
		reading->status.is_known = profile_number(var->text + start, end - start,
							  &reading->status.number);
}

static void take_first(void *arg, size_t column, const struct snmp_var *var)
{
	(void)column;
	*(struct snmp_var *)arg = *var;
}

/* The plug has no status. Does any? */
static int plug_missing(const struct device *device, struct err *err)
{
	const struct profile *profile = device->profile;
	struct snmp_var first = { .kind = SNMP_ABSENT };
	struct oid prefix;
	int rc = oid_template_prefix(&profile->status, &device->base, &prefix);

	if (rc == 0)
		rc = device->transport->next(device->transport, &prefix, 1, 1, take_first, &first,
					     err);
	if (rc)
		return rc;
	if (first.kind == SNMP_ABSENT || !oid_is_below(&first.oid, &prefix))
		return err_set(err, RC_UNSUPPORTED,
			       "check that it is a switched model, and device=",
			       "the device has no switched outlets (profile %s)", profile->name);
	return err_set(err, RC_NO_SUCH_PLUG, "see action=list",
		       "the device does not have this outlet");
}

static int state_fault(const struct device *device, const struct profile_reading *reading, int rc,
		       struct err *err)
{
	switch (rc) {
	case 0:
		return 0;
	case RC_NO_SUCH_PLUG:
		return err_set(err, rc, "see action=list", "the device does not have this outlet");
	case RC_UNSUPPORTED:
		return err_set(err, rc, "see action=list for those that can",
			       "the device cannot switch this outlet");
	default:
		break;
	}
	if (device->profile->present.is_set && !reading->present.is_known)
		return err_set(err, rc, "check device=",
			       "the device does not tell whether it has this outlet");
	if (!reading->status.is_known)
		return err_set(err, rc, "check device=", "the power state is no number");
	if (reading->switchable.is_there && !reading->switchable.is_known)
		return err_set(err, rc, "check device=",
			       "the device does not tell whether it can switch this outlet");
	return err_set(err, rc, "check device=", "power state %lld means nothing to profile %s",
		       (long long)reading->status.number, device->profile->name);
}

/* The walk of a witness. */
struct live_walk {
	struct oid prefix, at;
	size_t count;
	int ended, went_back;
	struct profile_value *live;
};

static void live_take(void *arg, size_t column, const struct snmp_var *var)
{
	struct live_walk *w = arg;
	int64_t number;

	(void)column;
	if (w->ended)
		return;
	if (var->kind == SNMP_ABSENT || !oid_is_below(&var->oid, &w->prefix)) {
		w->ended = 1;
		return;
	}
	/* A device that goes round in circles would never end. */
	if (oid_compare(&var->oid, &w->at) <= 0) {
		w->ended = w->went_back = 1;
		return;
	}
	w->at = var->oid;
	w->count++;
	w->live->is_there = 1;
	if (!snmp_var_number(var, &number)) {
		w->live->is_known = 0;
		w->ended = 1;
	} else if (number != 0) {
		*w->live = (struct profile_value){ 1, 1, number };
		w->ended = 1;
	} else {
		w->live->is_known = 1;
	}
}

/* The OID right before all that lie at or below *at: a walk from there meets *at itself. */
static void oid_step_back(struct oid *at)
{
	if (at->ids[at->count - 1] == 0 || at->count == OID_MAX) {
		at->count--;
		return;
	}
	at->ids[at->count - 1]--;
	at->ids[at->count++] = UINT32_MAX;
}

int device_live_read(const struct device *device, const struct oid_index *index,
		     struct profile_value *live, struct err *err)
{
	struct live_walk w = { .live = live };
	int rc = template_at(device, &device->profile->live, index, &w.prefix, err);

	*live = (struct profile_value){ 0 };
	if (rc)
		return rc;
	w.at = w.prefix;
	oid_step_back(&w.at);
	while (!w.ended) {
		size_t before = w.count;

		rc = device->transport->next(device->transport, &w.at, 1, DEVICE_LIVE_ROWS,
					     live_take, &w, err);
		if (rc)
			return rc;
		/* An answer that brings nothing on would be asked for again for ever. */
		if (w.went_back || w.count > DEVICE_ROWS_MAX || (!w.ended && w.count == before))
			return err_set(err, RC_PROTOCOL, "check device=",
				       "the device's table of what carries power makes no sense");
	}
	return 0;
}

int device_read(const struct device *device, const struct oid_index *index, enum power_state *state,
		struct err *err)
{
	static const struct oid_template none;
	const struct profile *p = device->profile;
	struct profile_reading reading = { .ignore_pending = device->ignore_pending };
	const struct {
		const struct oid_template *where;
		struct profile_value *value;
	} objects[] = {
		{ &p->status, &reading.status },
		{ &p->present, &reading.present },
		{ &p->switchable, &reading.switchable },
		{ device->ignore_pending ? &none : &p->changing, &reading.changing },
	};
	enum { OBJECTS = sizeof objects / sizeof objects[0] };
	struct snmp_var vars[OBJECTS];
	size_t count = 0, at = 0;
	int rc;

	*state = POWER_UNKNOWN;
	for (size_t i = 0; i < OBJECTS; i++)
		if (objects[i].where->is_set) {
			rc = template_at(device, objects[i].where, index, &vars[count++].oid, err);
			if (rc)
				return rc;
		}
	rc = device->transport->get(device->transport, vars, count, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < OBJECTS; i++)
		if (objects[i].where->is_set)
			value_take(&vars[at++], objects[i].value);
	reading.has_status = vars[0].kind != SNMP_ABSENT;
	if (reading.has_status && p->index.count == 1 && p->status_field < 0 &&
	    !oid_template_uses(&p->status, 0))
		reading.has_status = index->parts[0] == 1;
	if (p->status_field >= 0) {
		reading.status.is_known = 0;
		field_take(&vars[0], index->parts[p->status_field], &reading);
	}
	if (vars[0].kind == SNMP_ABSENT)
		return plug_missing(device, err);
	if (p->live.is_set && profile_is_off(p, &reading)) {
		rc = device_live_read(device, index, &reading.live, err);
		if (rc)
			return rc;
	}
	return state_fault(device, &reading, profile_state(p, &reading, state), err);
}

/* ---- commands ---- */

static int command_send(const struct device *device, const struct oid_index *index,
			const struct profile_command *command, int once, struct err *err)
{
	struct snmp_var var = { .kind = SNMP_NUMBER, .number = command->number };
	int rc = template_at(device, &command->where, index, &var.oid, err);

	if (rc)
		return rc;
	if (command->is_string)
		snmp_var_text(&var, command->text, strlen(command->text));
	return device->transport->set(device->transport, &var, once, err);
}

/* The list that the plug's field belongs to. */
static int list_read(const struct device *device, struct snmp_var *var, struct err *err)
{
	int rc = device->transport->get(device->transport, var, 1, err);

	if (rc)
		return rc;
	if (var->kind == SNMP_ABSENT)
		return plug_missing(device, err);
	if (var->kind != SNMP_TEXT || var->length >= SNMP_TEXT_MAX)
		return err_set(err, RC_PROTOCOL, "check device=",
			       "the list of outlets is no text, or a very long one");
	return 0;
}

/* Change one field of a list, which can only be written as a whole. Two clients that do so at once
 * undo each other: what the device holds afterwards must be what was written, else all is read and
 * written again. A change between our read and our write is lost and unseen, also by whoever made
 * it, if its own check is over: the caller keeps other agents of this machine away meanwhile, and
 * the profile's SETTLE lets the read that proves come later than a write in flight elsewhere. */
static int list_command(const struct device *device, const struct oid_index *index,
			const struct profile_command *command, struct err *err)
{
	uint32_t field = index->parts[device->profile->status_field];
	struct snmp_var var, wanted;
	int rc = template_at(device, &command->where, index, &var.oid, err);

	for (int i = 0; rc == 0 && i < LIST_TRIES; i++) {
		char list[SNMP_TEXT_MAX];

		rc = list_read(device, &var, err);
		if (rc)
			return rc;
		rc = profile_field_set(var.text, var.length, field, command->text, list,
				       sizeof list);
		if (rc)
			return err_set(err, rc, "see action=list",
				       rc == RC_NO_SUCH_PLUG
					       ? "the device does not have this outlet"
					       : "the list of outlets is too long");
		wanted.oid = var.oid;
		snmp_var_text(&wanted, list, strlen(list));
		rc = device->transport->set(device->transport, &wanted, 0, err);
		if (rc == 0)
			rc = list_read(device, &var, err);
		if (rc == 0 && var.length == wanted.length &&
		    memcmp(var.text, wanted.text, var.length) == 0)
			return 0;
	}
	if (rc)
		return rc;
	return err_set(err, RC_BUSY, "see that nobody else switches outlets of this device",
		       "the device does not keep the list of outlets that was written");
}

int device_command(const struct device *device, const struct oid_index *index,
		   enum profile_verb verb, struct err *err)
{
	const struct profile *profile = device->profile;
	const struct profile_command *command = &profile->verbs[verb];
	int once = verb == PROFILE_CYCLE;

	if (!command->where.is_set)
		return err_set(err, RC_UNSUPPORTED, "use method=onoff",
			       "the device has no power cycle of its own (profile %s)",
			       profile->name);
	for (size_t i = 0; i < profile->before_count[verb]; i++) {
		int rc = command_send(device, index, &profile->before[verb][i], 0, err);

		if (rc)
			return rc;
	}
	if (profile->status_field >= 0)
		return list_command(device, index, command, err);
	return command_send(device, index, command, once, err);
}
