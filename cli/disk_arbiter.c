/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * disk_arbiter.c - the choice of an arbiter; see disk_arbiter.h.
 */
#include "cli/disk_arbiter.h"

#include <string.h>
#include <unistd.h>

#include "host/nexus.h"
#include "lockd/pr_ability_io.h"

/* Nothing is written to a disk on which the trial's keys may still be: they would stay. */
static int left_check(const struct pr_ability *ability, const char *name, struct err *err)
{
	char keys[2][PR_KEY_TEXT_BYTES] = { "", "" };
	size_t count = 0;

	for (int i = 0; i < 2; i++)
		if (ability->left_behind[i])
			pr_key_text(ability->left_behind[i], keys[count++]);
	if (count == 0)
		return 0;
	return err_set(err, RC_STATE,
		       "remove what holdfast pr keys shows: "
		       "holdfast pr clear --register --key 0x1 --for-real DISK",
		       "%s: keys of the trial of its reservations may still be registered: %s%s%s",
		       name, keys[0], count > 1 ? " " : "", keys[1]);
}

/* 1: it can arbitrate by reservations; 0: it cannot, arbiter->why says why not. */
static int disk_try(struct disk_arbiter *arbiter, const struct disk_session *session,
		    const struct session_disk *disk, const char *url, int is_asked_for,
		    struct err *err)
{
	const struct pr_ability_options options = {
		.nexus = (uint8_t)(NEXUS_TRIAL + 2 * (getpid() % NEXUS_TRIAL_PAIRS)),
		.timeout_ms = session->timeout_ms,
		.may_change = 1,
	};
	struct pr_ability ability;
	int rc;

	if (!disk_facts(disk->disk)->has_scsi) {
		snprintf(arbiter->why, sizeof arbiter->why,
			 "%s takes no SCSI commands, so it has no reservations",
			 disk_name(disk->disk));
		return 0;
	}
	rc = pr_ability_probe(url, &options, &ability, err);
	if (rc)
		return rc;
	rc = left_check(&ability, disk_name(disk->disk), err);
	if (rc)
		return rc;
	/* Linux 6.1's target may spin for ever when two nodes preempt each other at one moment, which
	 * is what claims do. Who knows a target that does not asks for pr by name. */
	if (!is_asked_for && strcmp(disk_facts(disk->disk)->vendor, "LIO-ORG") == 0) {
		snprintf(arbiter->why, sizeof arbiter->why,
			 "%s is a target of Linux (LIO), which may hang when two nodes eject each "
			 "other at once",
			 disk_name(disk->disk));
		return 0;
	}
	if (ability.arbitrates == PR_ABILITY_YES)
		return 1;
	snprintf(arbiter->why, sizeof arbiter->why, "%s %s reservations: %s", disk_name(disk->disk),
		 ability.arbitrates == PR_ABILITY_NO ? "cannot be arbitrated by"
						     : "may not be arbitrated by",
		 ability.missing);
	return 0;
}

int disk_arbiter_choose(struct disk_arbiter *arbiter, const struct cli *cli,
			const struct disk_session *session, struct err *err)
{
	int wants_pr = cli->arbiter && strcmp(cli->arbiter, "pr") == 0;
	int able = 1;

	arbiter->kind = SUPER_ARBITER_PAXOS;
	if (cli->arbiter && strcmp(cli->arbiter, "paxos") == 0) {
		snprintf(arbiter->why, sizeof arbiter->why, "as asked for");
		return 0;
	}
	for (size_t d = 0; able == 1 && d < session->count; d++)
		able = disk_try(arbiter, session, &session->disks[d], cli->args[d], wants_pr, err);
	if (able < 0)
		return able;
	if (able == 0 && wants_pr)
		return err_set(err, RC_CONFIG, "--arbiter paxos works on every disk", "%s",
			       arbiter->why);
	if (able == 0)
		return 0;
	arbiter->kind = SUPER_ARBITER_PR;
	snprintf(arbiter->why, sizeof arbiter->why,
		 session->count == 1 ? "its reservations were tried, and work"
				     : "the reservations of all disks were tried, and work");
	return 0;
}
