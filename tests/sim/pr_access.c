/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_access.c - which commands a reservation lets through: the table of pr_model.h.
 */
#include <string.h>

#include "tests/sim/pr_model.h"

/* Operation codes that are neither of PERSISTENT RESERVE nor writes. Tables 45 and 46 (SPC-4),
 * and that of SBC-3 4.17. */
static const struct class_row {
	uint8_t opcode;
	enum pr_model_class class;
} classes[] = {
	{ 0x00, PR_CLASS_ALWAYS }, /* TEST UNIT READY */
	{ 0x03, PR_CLASS_ALWAYS }, /* REQUEST SENSE */
	{ 0x12, PR_CLASS_ALWAYS }, /* INQUIRY */
	{ 0x25, PR_CLASS_ALWAYS }, /* READ CAPACITY(10) */
	{ 0x4d, PR_CLASS_ALWAYS }, /* LOG SENSE */
	{ PR_IN_OPCODE, PR_CLASS_ALWAYS },
	{ PR_OUT_OPCODE, PR_CLASS_RESERVES },
	{ 0xa0, PR_CLASS_ALWAYS }, /* REPORT LUNS */
	{ 0xa3, PR_CLASS_ALWAYS }, /* MAINTENANCE IN: REPORT ... */
	{ 0x08, PR_CLASS_READS },  /* READ(6), (10), (12), (16) */
	{ 0x28, PR_CLASS_READS },
	{ 0xa8, PR_CLASS_READS },
	{ 0x88, PR_CLASS_READS },
	{ 0x2f, PR_CLASS_READS }, /* VERIFY(10), (12), (16) */
	{ 0xaf, PR_CLASS_READS },
	{ 0x8f, PR_CLASS_READS },
	{ 0x34, PR_CLASS_READS }, /* PRE-FETCH(10), (16) */
	{ 0x90, PR_CLASS_READS },
	{ 0x37, PR_CLASS_READS }, /* READ DEFECT DATA(10), (12) */
	{ 0xb7, PR_CLASS_READS },
	{ 0x1a, PR_CLASS_READS }, /* MODE SENSE(6), (10) */
	{ 0x5a, PR_CLASS_READS },
	{ 0x1c, PR_CLASS_READS }, /* RECEIVE DIAGNOSTIC RESULTS */
	{ 0x3c, PR_CLASS_READS }, /* READ BUFFER */
	{ 0x8c, PR_CLASS_READS }, /* READ ATTRIBUTE */
	{ 0xa2, PR_CLASS_READS }, /* SECURITY PROTOCOL IN */
};

enum pr_model_class pr_model_class(const uint8_t *cdb)
{
	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
		if (classes[i].opcode == cdb[0])
			return classes[i].class;
	switch (cdb[0]) {
	case 0x9e: /* SERVICE ACTION IN(16): READ CAPACITY(16); GET LBA STATUS */
		return (cdb[1] & 0x1f) == 0x10 ? PR_CLASS_ALWAYS : PR_CLASS_READS;
	case 0x1b: /* START STOP UNIT: starting, without a power condition */
		return (cdb[4] & 0xf1) == 0x01 ? PR_CLASS_ALWAYS : PR_CLASS_WRITES;
	case 0x1e: /* PREVENT ALLOW MEDIUM REMOVAL: allowing */
		return (cdb[4] & 0x03) == 0 ? PR_CLASS_ALWAYS : PR_CLASS_WRITES;
	default:
		return PR_CLASS_WRITES;
	}
}

/* tgt 1.0.85 lets pass without looking at the reservation: FORMAT UNIT, START STOP UNIT, SEND
 * DIAGNOSTIC, PREVENT ALLOW MEDIUM REMOVAL, WRITE SAME, UNMAP; and MODE SENSE counts as a write. */
static int class_loose(const uint8_t *cdb, enum pr_model_class *class)
{
	static const uint8_t unchecked[] = { 0x04, 0x1b, 0x1d, 0x1e, 0x41, 0x42, 0x93, 0x9e };

	if (cdb[0] == 0x1a || cdb[0] == 0x5a)
		*class = PR_CLASS_WRITES;
	return memchr(unchecked, cdb[0], sizeof unchecked) != NULL;
}

/* LIO judges what is in no list of its own by where data goes: under a Write Exclusive type, whoever
 * is not registered may do all that sends none; who is registered, and not let in by that, all that
 * fetches some. Its list of what is always allowed lacks READ CAPACITY and START STOP UNIT. */
static int access_by_direction(const struct pr_model *model, const uint8_t *cdb, int registered)
{
	static const uint8_t listed[] = { 0x00, 0x03, 0x12, 0x4d, 0xa0, 0xa3, PR_IN_OPCODE };
	static const uint8_t sends[] = {
		0x0a, 0x2a, 0xaa, 0x8a, 0x41, 0x93, 0x42, 0x89, 0x2e, 0x8e
	};
	static const uint8_t fetches[] = { 0x08, 0x28, 0xa8, 0x88, 0x25, 0x9e, 0x1a, 0x5a };

	if (memchr(listed, cdb[0], sizeof listed) ||
	    ((cdb[0] == 0x1a || cdb[0] == 0x5a) && registered) ||
	    (registered && pr_type_is_shared(model->type)))
		return 1;
	if (pr_type_keeps_readers_out(model->type))
		return 0;
	return registered ? memchr(fetches, cdb[0], sizeof fetches) != NULL
			  : memchr(sends, cdb[0], sizeof sends) == NULL;
}

/* LIO looks at who asks before it looks at what: strangers may only register, registrants not RESERVE
 * or REGISTER AND MOVE either where the type is not shared, and nobody but the holder may try service
 * actions that there are not (REPLACE LOST RESERVATION is one of them). */
static int action_is_kept_out(const struct pr_model *model, int nexus, const uint8_t *cdb)
{
	enum pr_command command = pr_cdb_command(cdb);
	int own = pr_model_registration_of(model, nexus);

	if (command == PR_REGISTER || command == PR_REGISTER_AND_IGNORE || own == model->holder)
		return 0;
	if (command == PR_COMMANDS || command == PR_REPLACE_LOST)
		return 1;
	return own < 0 || ((command == PR_RESERVE || command == PR_REGISTER_AND_MOVE) &&
			   !pr_type_is_shared(model->type));
}

int pr_model_access(const struct pr_model *model, int nexus, const uint8_t *cdb)
{
	enum pr_model_class class = pr_model_class(cdb);
	int registered = pr_model_registration_of(model, nexus) >= 0;

	if (model->holder < 0)
		return 1;
	if (class == PR_CLASS_RESERVES)
		return !model->limits.actions_are_reserved ||
		       !action_is_kept_out(model, nexus, cdb);
	if (model->limits.access_by_direction)
		return pr_model_holds(model, nexus) || access_by_direction(model, cdb, registered);
	if (class == PR_CLASS_ALWAYS || pr_model_holds(model, nexus))
		return 1;
	if (model->limits.access_is_loose && class_loose(cdb, &class))
		return 1;
	if (registered && pr_type_is_shared(model->type))
		return 1;
	return class == PR_CLASS_READS && !pr_type_keeps_readers_out(model->type);
}
