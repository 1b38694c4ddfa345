/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * doctor_pr.c - what a disk can do with reservations, and whether the arbiter that its superblock
 * names can work on it; see doctor.h.
 *
 * Only asked, never tried: nothing on the unit changes (lockd/pr_ability_io.h).
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "host/nexus.h"
#include "lockd/pr_ability_io.h"

/* One number more than the session that read the mode pages, which may not be gone yet. */
static uint8_t nexus_of_ability(void)
{
	return (uint8_t)(NEXUS_DOCTOR + (getpid() + 1) % NEXUS_DOCTOR_COUNT);
}

static void ability_tell(struct doctor *doctor, const struct pr_ability *ability)
{
	const struct pr_capabilities *can = &ability->capabilities;
	json_t *members = json_object();
	char lacks[200];

	pr_ability_lacks(ability, lacks, sizeof lacks);
	object_put_boolean(&doctor->out, members, "scsi", ability->has_scsi);
	object_put_text(&doctor->out, members, "lacks", lacks);
	object_put_integer(&doctor->out, members, "keys", ability->keys_count);
	object_put_boolean(&doctor->out, members, "held", ability->is_held);
	if (ability->has_capabilities) {
		object_put_boolean(&doctor->out, members, "aptpl", can->persists);
		object_put_boolean(&doctor->out, members, "all_target_ports",
				   can->all_target_ports);
	}
	doctor_find(doctor, "reservations",
		    ability->arbitrates == PR_ABILITY_NO ? DOCTOR_NOTE : DOCTOR_GOOD, members, NULL,
		    "lacks %s%s; %u keys registered, %s%s%s", lacks,
		    ability->has_capabilities && !can->persists
			    ? ", APTPL (a power loss of the target forgets all)"
			    : "",
		    ability->keys_count, ability->is_held ? "reserved" : "not reserved",
		    ability->missing[0] ? "; " : "", ability->missing);
}

/* Does it fit to what the superblock says? */
static void arbiter_tell(struct doctor *doctor, const struct pr_ability *ability)
{
	const struct super_record *super = &doctor->at_hand->disk->area.super;
	int can_pr = ability && ability->arbitrates != PR_ABILITY_NO;
	json_t *members = json_object();

	object_put_text(&doctor->out, members, "arbiter", super_arbiter_word(super->arbiter));
	if (super->arbiter == SUPER_ARBITER_PR && !can_pr)
		doctor_find(doctor, "arbiter", DOCTOR_UNFIT, members,
			    "prepare the disks with --arbiter paxos, or use a target that has "
			    "reservations",
			    "the superblock names pr, which cannot work on it%s%s",
			    ability && ability->missing[0] ? ": " : "",
			    ability ? ability->missing : "");
	else if (super->arbiter == SUPER_ARBITER_PR && ability->capabilities.persists == 0)
		doctor_find(
			doctor, "arbiter", DOCTOR_DOUBT, members,
			"have the target stay up, or prepare the disks with --arbiter paxos",
			"pr, without APTPL: a target that loses its power forgets who was thrown "
			"off");
	else
		doctor_find(doctor, "arbiter", DOCTOR_GOOD, members, NULL, "%s%s",
			    super_arbiter_word(super->arbiter),
			    super->arbiter == SUPER_ARBITER_PAXOS && can_pr
				    ? "; pr may work on it too"
				    : "");
}

void doctor_pr(struct doctor *doctor)
{
	const struct pr_ability_options options = { .nexus = nexus_of_ability(),
						    .timeout_ms = doctor_request_ms(doctor) };
	struct doctor_disk *disk = doctor->at_hand;
	struct pr_ability *ability = NULL;
	struct err err;

	if (!disk_facts(disk->disk->disk)->has_scsi) {
		doctor_find(doctor, "reservations", DOCTOR_NOTE, NULL, NULL,
			    "none: it takes no SCSI commands; the arbiter is paxos then");
	} else {
		doctor_progress(doctor, "%s: reservations", doctor_name(disk));
		ability = calloc(1, sizeof *ability);
		if (!ability)
			abort();
		if (pr_ability_probe(disk->url, &options, ability, &err) == 0) {
			ability_tell(doctor, ability);
		} else {
			doctor_find_err(doctor, "reservations", DOCTOR_UNFIT, &err);
			free(ability);
			ability = NULL;
		}
	}
	if (disk->has_area)
		arbiter_tell(doctor, ability);
	free(ability);
}
