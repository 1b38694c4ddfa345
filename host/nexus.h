/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * nexus.h - who takes which numbers of struct disk_options.nexus.
 *
 * The number is part of the name of an iSCSI initiator port. A login with a number that is in use ends
 * that session, and on some targets the registration it carried, so the programs of one host have
 * disjoint ranges. Where a range has several, a process takes one by its pid.
 *
 * Callers: lockd, `holdfast`, fence_lun; `holdfast pr --nexus` may name any of them.
 */
#ifndef HOLDFAST_NEXUS_H
#define HOLDFAST_NEXUS_H

#include <stdint.h>

enum {
	NEXUS_LOCKD = 0, /* lockd --nexus counts from here */
	NEXUS_LOCKD_LAST = 31,
	NEXUS_PR = 32,	      /* holdfast pr, unless told another */
	NEXUS_LUN_CHANGES,    /* fence_lun; registrations belong to it */
	NEXUS_LUN_LOOKS = 64, /* fence_lun, when it changes nothing */
	NEXUS_LUN_LOOKS_COUNT = 64,
	NEXUS_DOCTOR = 128, /* holdfast disk doctor; one process has two, one after the other */
	NEXUS_DOCTOR_COUNT = 32,
	NEXUS_TRIAL = 160, /* holdfast disk init tries reservations with two at once */
	NEXUS_TRIAL_PAIRS = 16,
	NEXUS_DISK = 192, /* holdfast disk, for reading and writing */
	NEXUS_DISK_COUNT = 64,
};

_Static_assert((int)NEXUS_LUN_CHANGES < (int)NEXUS_LUN_LOOKS &&
		       (int)NEXUS_LUN_LOOKS + (int)NEXUS_LUN_LOOKS_COUNT <= (int)NEXUS_DOCTOR &&
		       (int)NEXUS_DOCTOR + (int)NEXUS_DOCTOR_COUNT <= (int)NEXUS_TRIAL &&
		       (int)NEXUS_TRIAL + 2 * (int)NEXUS_TRIAL_PAIRS <= (int)NEXUS_DISK &&
		       (int)NEXUS_DISK + (int)NEXUS_DISK_COUNT <= UINT8_MAX + 1,
	       "ranges are disjoint, and a byte");

#endif
