/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * device_rows.c - the plugs of a device in one walk over several columns at once; see device.h.
 *
 * Each exchange asks for the next rows of every column that has not ended. A row is known by its
 * index; columns may begin and end at different rows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fence-agents/snmp/device.h"

enum column_kind {
	COLUMN_STATUS,
	COLUMN_PRESENT,
	COLUMN_SWITCHABLE,
	COLUMN_CHANGING,
	COLUMN_COUNT,
	COLUMN_NAME
};

struct column {
	enum column_kind kind;
	size_t name;			  /* COLUMN_NAME: which */
	const struct oid_template *where; /* NULL for COLUMN_COUNT */
	struct oid prefix, at;
	int ended;
	size_t row; /* the last one touched: the next is mostly the one behind it */
};

struct walking {
	const struct device *device;
	struct device_rows *rows;
	struct column columns[TRANSPORT_VARS_MAX];
	size_t count;
	size_t asked[TRANSPORT_VARS_MAX]; /* columns of the running exchange */
	int rc;
};

static int index_equal(const struct oid_index *a, const struct oid_index *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

static struct device_row *row_add(struct walking *w, const struct oid_index *index)
{
	struct device_rows *rows = w->rows;

	if (rows->count == rows->room) {
		size_t room = rows->room ? rows->room * 2 : 64;
		struct device_row *grown = NULL;

		if (room <= DEVICE_ROWS_MAX)
			grown = reallocarray(rows->rows, room, sizeof *grown);
		if (!grown) {
			w->rc = room <= DEVICE_ROWS_MAX ? RC_INTERNAL : RC_PROTOCOL;
			return NULL;
		}
		rows->rows = grown;
		rows->room = room;
	}
	memset(&rows->rows[rows->count], 0, sizeof rows->rows[0]);
	rows->rows[rows->count].index = *index;
	return &rows->rows[rows->count++];
}

static struct device_row *row_get(struct walking *w, struct column *column,
				  const struct oid_index *index)
{
	struct device_rows *rows = w->rows;

	for (size_t i = 0; i < rows->count; i++) {
		size_t at = (column->row + i) % rows->count;

		if (index_equal(&rows->rows[at].index, index)) {
			column->row = at;
			return &rows->rows[at];
		}
	}
	column->row = rows->count;
	return row_add(w, index);
}

static void value_take(const struct snmp_var *var, struct profile_value *value)
{
	value->is_there = var->kind != SNMP_ABSENT;
	value->is_known = snmp_var_number(var, &value->number);
}

static void name_take(const struct walking *w, const struct snmp_var *var, char *name, char *call)
{
	unsigned field = w->device->profile->name_field;
	size_t start = 0, end = var->length < SNMP_TEXT_MAX ? var->length : SNMP_TEXT_MAX - 1;
	size_t length;

	if (var->kind != SNMP_TEXT)
		return;
	if (field && !profile_field(var->text, end, field, &start, &end))
		return;
	text_clean(name, DEVICE_NAME_MAX, var->text + start, end - start);
	length = text_clean(call, DEVICE_CALL_MAX, var->text + start, end - start);
	if (var->length >= SNMP_TEXT_MAX || length != end - start ||
	    memcmp(call, var->text + start, length) != 0)
		*call = '\0';
}

/* A list of states makes a row of each field. */
static void list_take(struct walking *w, struct column *column, const struct snmp_var *var,
		      struct oid_index *index)
{
	int part = w->device->profile->status_field;
	size_t start, end;

	if (var->kind != SNMP_TEXT || var->length >= SNMP_TEXT_MAX) {
		w->rc = RC_PROTOCOL;
		return;
	}
	for (uint32_t field = 1; profile_field(var->text, var->length, field, &start, &end);
	     field++) {
		struct device_row *row;

		if (start == end)
			continue;
		index->parts[part] = field;
		row = row_get(w, column, index);
		if (!row)
			return;
		row->reading.has_status = 1;
		row->reading.status.is_known = profile_number(var->text + start, end - start,
							      &row->reading.status.number);
	}
}

static void row_take(struct walking *w, struct column *column, const struct snmp_var *var)
{
	struct oid_index index = { 0 };
	struct device_row *row;

	if (!oid_template_match(column->where, &w->device->base, &var->oid, &index))
		return;
	if (column->kind == COLUMN_STATUS && w->device->profile->status_field >= 0) {
		list_take(w, column, var, &index);
		return;
	}
	/* A single outlet without a number is outlet 1. */
	if (w->device->profile->index.count == 1 && !oid_template_uses(column->where, 0))
		index.parts[0] = 1;
	row = row_get(w, column, &index);
	if (!row)
		return;
	switch (column->kind) {
	case COLUMN_STATUS:
		row->reading.has_status = 1;
		value_take(var, &row->reading.status);
		break;
	case COLUMN_PRESENT:
		value_take(var, &row->reading.present);
		break;
	case COLUMN_SWITCHABLE:
		value_take(var, &row->reading.switchable);
		break;
	case COLUMN_CHANGING:
		value_take(var, &row->reading.changing);
		break;
	case COLUMN_NAME:
		name_take(w, var, row->names[column->name], row->calls[column->name]);
		break;
	case COLUMN_COUNT:
		break;
	}
}

static void answer_take(void *arg, size_t asked, const struct snmp_var *var)
{
	struct walking *w = arg;
	struct column *column = &w->columns[w->asked[asked]];

	if (column->ended || w->rc)
		return;
	if (var->kind == SNMP_ABSENT || !oid_is_below(&var->oid, &column->prefix)) {
		column->ended = 1;
		return;
	}
	/* A device that goes round in circles would never end. */
	if (oid_compare(&var->oid, &column->at) <= 0) {
		w->rc = RC_PROTOCOL;
		return;
	}
	column->at = var->oid;
	if (column->kind != COLUMN_COUNT)
		row_take(w, column, var);
	else if (oid_compare(&var->oid, &w->device->profile->count) == 0 &&
		 !snmp_var_number(var, &w->rows->announced))
		w->rows->announced = -1;
}

static int column_add(struct walking *w, enum column_kind kind, size_t name,
		      const struct oid_template *where)
{
	struct column *column = &w->columns[w->count];

	if (!where->is_set)
		return 0;
	*column = (struct column){ .kind = kind, .name = name, .where = where };
	if (oid_template_prefix(where, &w->device->base, &column->prefix))
		return RC_PROTOCOL;
	/* An object without a number of its own begins where it is: step back to meet it. */
	column->at = column->prefix;
	for (size_t i = 0; i < where->count; i++)
		if (where->ids[i].part != OID_LITERAL) {
			w->count++;
			return 0;
		}
	column->at.count--;
	w->count++;
	return 0;
}

static int columns_make(struct walking *w)
{
	const struct profile *p = w->device->profile;
	int rc = column_add(w, COLUMN_STATUS, 0, &p->status);

	if (rc == 0)
		rc = column_add(w, COLUMN_PRESENT, 0, &p->present);
	if (rc == 0)
		rc = column_add(w, COLUMN_SWITCHABLE, 0, &p->switchable);
	if (rc == 0)
		rc = column_add(w, COLUMN_CHANGING, 0, &p->changing);
	for (size_t i = 0; rc == 0 && i < p->names_count; i++)
		rc = column_add(w, COLUMN_NAME, i, &p->names[i]);
	if (rc == 0 && p->count.count > 0) {
		struct column *column = &w->columns[w->count++];

		*column = (struct column){ .kind = COLUMN_COUNT,
					   .prefix = p->count,
					   .at = p->count };
		column->at.count--;
	}
	return rc;
}

/* Did an answer end a column, or bring one further? */
static int answer_moved(const struct walking *w, const struct oid *from, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct column *column = &w->columns[w->asked[i]];

		if (column->ended || oid_compare(&column->at, &from[i]) != 0)
			return 1;
	}
	return 0;
}

static int walk_run(struct walking *w, struct err *err)
{
	struct transport *t = w->device->transport;

	for (;;) {
		struct oid from[TRANSPORT_VARS_MAX];
		size_t count = 0;
		int rc;

		for (size_t i = 0; i < w->count; i++)
			if (!w->columns[i].ended) {
				w->asked[count] = i;
				from[count++] = w->columns[i].at;
			}
		if (count == 0)
			return 0;
		rc = t->next(t, from, count, DEVICE_WALK_ROWS, answer_take, w, err);
		if (rc)
			return rc;
		/* An answer that brings nothing on would be asked for again for ever. */
		if (w->rc == 0 && !answer_moved(w, from, count))
			w->rc = RC_PROTOCOL;
		if (w->rc == RC_INTERNAL)
			return err_set(err, RC_INTERNAL, NULL, "out of memory");
		if (w->rc)
			return err_set(err, w->rc, "check device=",
				       "the device's table of outlets makes no sense");
	}
}

int device_rows_read(const struct device *device, struct device_rows *rows, struct err *err)
{
	struct walking w = { .device = device, .rows = rows };
	size_t kept = 0, usable = 0;
	int rc;

	*rows = (struct device_rows){ .announced = -1 };
	if (columns_make(&w))
		return err_set(err, RC_PROTOCOL,
			       "check device=", "the device names a table that is too long");
	rc = walk_run(&w, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < rows->count; i++) {
		struct device_row *row = &rows->rows[i];

		if (!row->reading.has_status)
			continue;
		if (device->profile->live.is_set &&
		    profile_is_off(device->profile, &row->reading)) {
			rc = device_live_read(device, &row->index, &row->reading.live, err);
			if (rc)
				return rc;
		}
		row->rc = profile_state(device->profile, &row->reading, &row->state);
		usable += row->rc != RC_NO_SUCH_PLUG && row->rc != RC_UNSUPPORTED;
		rows->rows[kept++] = *row;
	}
	rows->count = kept;
	if (usable > 0)
		return 0;
	return err_set(err, RC_UNSUPPORTED, "check that it is a switched model, and device=",
		       "the device has no switched outlets (profile %s)", device->profile->name);
}

void device_rows_free(struct device_rows *rows)
{
	free(rows->rows);
	*rows = (struct device_rows){ .announced = -1 };
}

const char *device_row_name(const struct device_row *row)
{
	for (size_t i = 0; i < PROFILE_NAMES_MAX; i++)
		if (*row->names[i])
			return row->names[i];
	return "";
}

/* ---- by name ---- */

static int row_is_called(const struct device_row *row, const char *name)
{
	for (size_t i = 0; i < PROFILE_NAMES_MAX; i++)
		if (*row->calls[i] && strcmp(row->calls[i], name) == 0)
			return 1;
	return 0;
}

static int name_find(const struct device *device, const struct device_rows *rows, const char *text,
		     struct oid_index *index, struct err *err)
{
	char name[DEVICE_NAME_MAX], first[DEVICE_PLUG_MAX] = "", second[DEVICE_PLUG_MAX] = "";
	size_t found = 0;

	for (size_t i = 0; i < rows->count; i++) {
		const struct device_row *row = &rows->rows[i];

		if (row->rc == RC_NO_SUCH_PLUG || !row_is_called(row, text))
			continue;
		profile_plug_write(device->profile, &row->index, found ? second : first,
				   DEVICE_PLUG_MAX);
		if (found == 0)
			*index = row->index;
		found++;
	}
	if (found == 0)
		return err_set(err, RC_NO_SUCH_PLUG, "see action=list",
			       "no outlet has this number or name");
	text_clean(name, sizeof name, text, strlen(text));
	if (found > 1)
		return err_set(err, RC_CONFIG, "give the number instead of the name",
			       "several outlets are called \"%s\": %s and %s%s", name, first,
			       second, found > 2 ? " and more" : "");
	return 0;
}

int device_find(const struct device *device, const char *text, struct oid_index *index,
		struct err *err)
{
	struct device_rows rows;
	int rc;

	if (profile_plug_read(device->profile, text, device->unit, index) == 0)
		return 0;
	if (device->profile->names_count == 0)
		return err_set(err, RC_NO_SUCH_PLUG, "give its number, see action=list",
			       "the device does not tell names of outlets");
	rc = device_rows_read(device, &rows, err);
	if (rc == 0)
		rc = name_find(device, &rows, text, index, err);
	device_rows_free(&rows);
	return rc;
}
