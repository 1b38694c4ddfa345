/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * device_check.h - look at a device profile as a careful reader would, and try it on a recorded walk.
 *
 * Callers: `holdfast device`.
 * Errors make a profile unusable or wrong; warnings name what works but will surprise somebody.
 * Ownership: device_check_free() and device_catalog_free() free what the others made.
 */
#ifndef HOLDFAST_DEVICE_CHECK_H
#define HOLDFAST_DEVICE_CHECK_H

#include "fence-agents/snmp/device.h"
#include "fence-agents/snmp/profile_io.h"

enum { DEVICE_FINDINGS_MAX = 32, DEVICE_OBJECTS_MAX = 24 };

struct device_finding {
	int is_error;
	char text[600];
};

/* An object of the profile, and how much of it the walk holds. */
struct device_object {
	const char *field; /* static: "STATUS", "NAME" ... */
	char oid[OID_TEXT_MAX];
	size_t answers;
};

struct device_check {
	struct profile profile; /* valid when is_readable */
	int is_readable;
	struct device_finding findings[DEVICE_FINDINGS_MAX];
	size_t findings_count, errors_count;

	/* With a walk: */
	int is_walked;
	char object_id[OID_TEXT_MAX]; /* sysObjectID of the walk; "" when it has none */
	char descr[256];
	char recognised_by[OID_TEXT_MAX]; /* the prefix of MATCH; "" when it is not recognised */
	struct device_object objects[DEVICE_OBJECTS_MAX];
	size_t objects_count;
	struct device_rows rows;
};

/* Check one file; walk may be NULL. Profiles of `folder` are what it is compared with. Returns 0
 * whatever it finds, or RC_INTERNAL. */
int device_check_run(const char *path, const char *walk, const char *folder,
		     struct device_check **check, struct err *err);
void device_check_free(struct device_check *check);

/* All profiles of a folder, by class and name. A file that cannot be read is an error. */
struct device_catalog {
	struct profile *profiles;
	size_t count;
};

int device_catalog_load(const char *folder, struct device_catalog *catalog, struct err *err);
void device_catalog_free(struct device_catalog *catalog);

#endif
