/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * profile_io.h - device profiles on disk: one file NAME.conf for each, in one folder.
 *
 * Callers: fence_pdu, the profile checker. Failures are in *err, with file, line and column.
 * Ownership: the caller's buffers.
 */
#ifndef HOLDFAST_PROFILE_IO_H
#define HOLDFAST_PROFILE_IO_H

#include "base/err.h"
#include "fence-agents/snmp/device.h"
#include "fence-agents/snmp/profile_wire.h"

/* The folder of the profiles: the environment's HOLDFAST_DEVICES, else ../share/holdfast/devices as
 * seen from the running program, else that of the source tree when it runs from its build, else
 * /usr/share/holdfast/devices. Returns folder. */
char *profile_folder(char folder[], size_t size);

/* Read one file. Its name must be that of the profile, with ".conf". */
int profile_load(const char *path, struct profile *profile, struct err *err);

/* Read the profile of that name; a name with a slash is a path. */
int profile_load_named(const char *folder, const char *name, struct profile *profile,
		       struct err *err);

/* A profile that could not be read and was passed over. */
typedef void (*profile_warn)(void *arg, const char *text);

/* Read the profile of a class that fits the device best. RC_UNSUPPORTED when none fits. */
int profile_choose(const char *folder, enum profile_class device_class,
		   const struct device_identity *identity, struct profile *profile,
		   profile_warn warn, void *arg, struct err *err);

#endif
