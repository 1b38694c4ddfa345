/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * device_check.c - see device_check.h.
 */
#include "fence-agents/kit/device_check.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fence-agents/snmp/walk_io.h"

enum { ANSWERS_MAX = 4096 };

static void finding_add(struct device_check *check, int is_error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void finding_add(struct device_check *check, int is_error, const char *fmt, ...)
{
	struct device_finding *finding;
	va_list ap;

	check->errors_count += is_error != 0;
	if (check->findings_count == DEVICE_FINDINGS_MAX)
		return;
	finding = &check->findings[check->findings_count++];
	finding->is_error = is_error;
	va_start(ap, fmt);
	vsnprintf(finding->text, sizeof finding->text, fmt, ap);
	va_end(ap);
}

static void finding_err(struct device_check *check, const struct err *err)
{
	finding_add(check, 1, "%s%s%s", err->text, err->next[0] ? "; " : "", err->next);
}

/* ---- the folder ---- */

static int profile_order(const void *a, const void *b)
{
	const struct profile *pa = a, *pb = b;

	if (pa->device_class != pb->device_class)
		return pa->device_class < pb->device_class ? -1 : 1;
	return strcmp(pa->name, pb->name);
}

static int is_profile_file(const char *name)
{
	size_t length = strlen(name);

	return name[0] != '.' && length > 5 && strcmp(name + length - 5, ".conf") == 0;
}

int device_catalog_load(const char *folder, struct device_catalog *catalog, struct err *err)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int rc = 0;

	*catalog = (struct device_catalog){ 0 };
	if (!dir)
		return err_set(err, RC_CONFIG, "set HOLDFAST_DEVICES", "%s: %s", folder,
			       strerror(errno));
	while (rc == 0 && (entry = readdir(dir)) != NULL) {
		char path[PATH_MAX];
		struct profile *grown;

		if (!is_profile_file(entry->d_name))
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		grown = realloc(catalog->profiles, (catalog->count + 1) * sizeof *grown);
		if (!grown) {
			rc = err_set(err, RC_INTERNAL, NULL, "out of memory");
			break;
		}
		catalog->profiles = grown;
		rc = profile_load(path, &grown[catalog->count], err);
		catalog->count += rc == 0;
	}
	closedir(dir);
	if (catalog->count > 0)
		qsort(catalog->profiles, catalog->count, sizeof *catalog->profiles, profile_order);
	if (rc)
		device_catalog_free(catalog);
	return rc;
}

void device_catalog_free(struct device_catalog *catalog)
{
	free(catalog->profiles);
	*catalog = (struct device_catalog){ 0 };
}

/* ---- reading it as it is ---- */

static void lint_overlap(struct device_check *check, const struct profile *other)
{
	const struct profile *profile = &check->profile;
	char oid[OID_TEXT_MAX];

	if (other->device_class != profile->device_class || strcmp(other->name, profile->name) == 0)
		return;
	for (size_t i = 0; i < profile->matches_count; i++)
		for (size_t j = 0; j < other->matches_count; j++)
			if (oid_compare(&profile->matches[i], &other->matches[j]) == 0 &&
			    strcmp(profile->match_descr, other->match_descr) == 0)
				finding_add(check, 0,
					    "MATCH %s is also that of the profile %s: which of the "
					    "two is chosen is not defined",
					    oid_write(&profile->matches[i], oid), other->name);
}

static void lint(struct device_check *check, const struct device_catalog *catalog)
{
	const struct profile *profile = &check->profile;

	if (profile->matches_count == 0)
		finding_add(check, 0,
			    "there is no MATCH: the device is not recognised by itself, users have "
			    "to say device=%s",
			    profile->name);
	if (profile->names_count == 0)
		finding_add(check, 0, "there is no NAME: outlets are known by their numbers only");
	if (profile->tests_count == 0)
		finding_add(check, 0, "there is no TESTED: nobody says what it was tried on");
	for (size_t i = 0; i < catalog->count; i++)
		lint_overlap(check, &catalog->profiles[i]);
}

/* ---- trying it on a walk ---- */

struct counting {
	struct oid prefix;
	size_t answers;
	struct oid last;
	int more;
};

static void count_take(void *arg, size_t column, const struct snmp_var *var)
{
	struct counting *counting = arg;

	(void)column;
	if (!counting->more)
		return;
	if (var->kind == SNMP_ABSENT || !oid_is_below(&var->oid, &counting->prefix) ||
	    oid_compare(&var->oid, &counting->last) <= 0) {
		counting->more = 0;
		return;
	}
	counting->last = var->oid;
	counting->answers++;
}

/* How many objects of the walk are below a template's fixed part. */
static int answers_count(struct transport *transport, const struct oid *prefix, size_t *answers,
			 struct err *err)
{
	struct snmp_var exact = { .oid = *prefix };
	struct counting counting = { .prefix = *prefix, .last = *prefix, .more = 1 };
	int rc = transport->get(transport, &exact, 1, err);

	counting.answers = rc == 0 && exact.kind != SNMP_ABSENT;
	while (rc == 0 && counting.more && counting.answers < ANSWERS_MAX) {
		struct oid from = counting.last;
		size_t before = counting.answers;

		rc = transport->next(transport, &from, 1, DEVICE_WALK_ROWS, count_take, &counting,
				     err);
		if (counting.answers == before)
			break;
	}
	*answers = counting.answers;
	return rc;
}

static int object_add(struct device_check *check, const struct device *device, const char *field,
		      const struct oid_template *tmpl, struct err *err)
{
	struct device_object *object = &check->objects[check->objects_count];
	struct oid prefix;
	int rc;

	if (!tmpl->is_set || check->objects_count == DEVICE_OBJECTS_MAX)
		return 0;
	rc = oid_template_prefix(tmpl, &device->base, &prefix);
	if (rc)
		return err_set(err, rc, NULL, "%s: the object identifier is too long", field);
	object->field = field;
	oid_write(&prefix, object->oid);
	rc = answers_count(device->transport, &prefix, &object->answers, err);
	check->objects_count += rc == 0;
	return rc;
}

static int objects_add(struct device_check *check, const struct device *device, struct err *err)
{
	static const char *const verbs[PROFILE_VERBS] = { "OFF", "ON", "CYCLE" };
	const struct profile *profile = &check->profile;
	int rc = object_add(check, device, "STATUS", &profile->status, err);

	for (size_t i = 0; i < profile->names_count && rc == 0; i++)
		rc = object_add(check, device, "NAME", &profile->names[i], err);
	if (rc == 0)
		rc = object_add(check, device, "PRESENT", &profile->present, err);
	if (rc == 0)
		rc = object_add(check, device, "SWITCHABLE", &profile->switchable, err);
	if (rc == 0)
		rc = object_add(check, device, "PENDING", &profile->changing, err);
	for (size_t i = 0; i < PROFILE_VERBS && rc == 0; i++)
		rc = object_add(check, device, verbs[i], &profile->verbs[i].where, err);
	return rc;
}

/* Which prefix of MATCH it was, the longest that fits. */
static void recognise(struct device_check *check, const struct device_identity *identity,
		      const struct device_catalog *catalog)
{
	const struct profile *profile = &check->profile;
	const struct oid *id = &identity->object_id;
	size_t own, longest = 0;

	if (!identity->has_object_id)
		return;
	own = profile_match(profile, id, identity->descr);
	for (size_t i = 0; own > 0 && i < profile->matches_count; i++)
		if (oid_is_below(id, &profile->matches[i]) && profile->matches[i].count > longest) {
			longest = profile->matches[i].count;
			oid_write(&profile->matches[i], check->recognised_by);
		}
	for (size_t i = 0; i < catalog->count; i++) {
		const struct profile *other = &catalog->profiles[i];

		if (other->device_class == profile->device_class &&
		    strcmp(other->name, profile->name) != 0 &&
		    profile_match(other, id, identity->descr) > own)
			finding_add(check, 0,
				    "the device of the walk is recognised as %s, not by this "
				    "profile; users have to say device=%s",
				    other->name, profile->name);
	}
}

static void rows_judge(struct device_check *check)
{
	const struct device_rows *rows = &check->rows;
	size_t usable = 0;

	for (size_t i = 0; i < rows->count; i++) {
		usable += rows->rows[i].rc == 0;
		if (rows->rows[i].rc == RC_PROTOCOL) {
			char plug[DEVICE_PLUG_MAX];

			profile_plug_write(&check->profile, &rows->rows[i].index, plug,
					   sizeof plug);
			finding_add(check, 1,
				    "outlet %s: its status is none of the profile's values", plug);
		}
	}
	if (usable == 0)
		finding_add(check, 1, "no outlet of the walk has a state that the profile knows");
	if (rows->announced >= 0 && (size_t)rows->announced != rows->count)
		finding_add(check, 0, "COUNT says %lld, the walk has %zu outlets",
			    (long long)rows->announced, rows->count);
}

static void try_on(struct device_check *check, struct transport *transport,
		   const struct device_catalog *catalog)
{
	struct device_identity identity;
	struct device device;
	struct err err = { 0 };

	if (device_identify(transport, &check->profile, &identity, &err)) {
		finding_err(check, &err);
		return;
	}
	if (identity.has_object_id)
		oid_write(&identity.object_id, check->object_id);
	snprintf(check->descr, sizeof check->descr, "%s", identity.descr);
	recognise(check, &identity, catalog);
	if (device_open(&device, &check->profile, transport, &identity, &err)) {
		finding_err(check, &err);
		return;
	}
	if (objects_add(check, &device, &err) || device_rows_read(&device, &check->rows, &err)) {
		finding_err(check, &err);
		return;
	}
	rows_judge(check);
}

int device_check_run(const char *path, const char *walk, const char *folder,
		     struct device_check **result, struct err *err)
{
	struct device_check *check = calloc(1, sizeof *check);
	struct device_catalog catalog = { 0 };
	struct transport *transport = NULL;
	struct err inner = { 0 };

	*result = check;
	if (!check)
		return err_set(err, RC_INTERNAL, NULL, "out of memory");
	if (profile_load(path, &check->profile, &inner)) {
		finding_err(check, &inner);
		return 0;
	}
	check->is_readable = 1;
	/* Without the others it is checked alone. */
	if (device_catalog_load(folder, &catalog, &inner))
		finding_add(check, 0, "not compared with the installed profiles: %s", inner.text);
	lint(check, &catalog);
	if (walk) {
		check->is_walked = 1;
		if (walk_open(walk, &transport, &inner))
			finding_err(check, &inner);
		else
			try_on(check, transport, &catalog);
		if (transport)
			walk_close(transport);
	}
	device_catalog_free(&catalog);
	return 0;
}

void device_check_free(struct device_check *check)
{
	if (!check)
		return;
	device_rows_free(&check->rows);
	free(check);
}
