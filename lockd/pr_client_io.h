/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_client_io.h - one path to a unit, one command at a time, waited for.
 *
 * Callers: `holdfast pr`, and the tests that compare targets. lockd does not use it: it has many
 * disks and waits for none (lockd/pr_core.h).
 * A command that was sent and not answered in time is told as PR_MEANS_NO_ANSWER: its outcome is
 * unknown, and it may still land (S1, S7). Nothing is repeated here but a command that a unit
 * attention stood in the way of, which was not executed; what the attentions were is told.
 * Ownership: the client owns its loop and its disk; answers are the caller's.
 */
#ifndef HOLDFAST_PR_CLIENT_IO_H
#define HOLDFAST_PR_CLIENT_IO_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/pr.h"
#include "host/disk.h"
#include "lockd/pr_cdb_wire.h"

enum { PR_CLIENT_ATTENTIONS_MAX = 16 };

struct pr_client;

struct pr_client_options {
	struct disk_options disk;
	int64_t timeout_ms;	 /* of one command, its repetitions included */
	unsigned attentions_max; /* repeat a command after so many unit attentions; 0: never */
};

struct pr_client_answer {
	struct pr_reply reply;
	uint8_t data[PR_ANSWER_BYTES_MAX];
	uint32_t bytes;
	/* Unit attentions that came first, in their order. */
	struct pr_reply attentions[PR_CLIENT_ATTENTIONS_MAX];
	size_t attentions_count;
	/* PR_MEANS_NOT_SENT, PR_MEANS_NO_ANSWER: why. */
	struct err err;
};

/* Open the path. RC_UNSUPPORTED when it takes no SCSI commands. */
int pr_client_open(const char *url, const struct pr_client_options *options,
		   struct pr_client **client, struct err *err);
void pr_client_close(struct pr_client *client);

const struct disk_facts *pr_client_facts(const struct pr_client *client);
const char *pr_client_name(const struct pr_client *client); /* without a password */

/* For the commands from now on. */
void pr_client_set_timeout(struct pr_client *client, int64_t timeout_ms);

/* Any command. What it did is in answer->reply. */
void pr_client_scsi(struct pr_client *client, const uint8_t *cdb, size_t cdb_bytes,
		    enum disk_direction direction, const void *data, uint32_t bytes,
		    struct pr_client_answer *answer);

/* PERSISTENT RESERVE IN. */
void pr_client_in(struct pr_client *client, enum pr_command command,
		  struct pr_client_answer *answer);

/* PERSISTENT RESERVE OUT. RC_CONFIG when the command cannot carry what is asked; then nothing was
 * sent. */
int pr_client_out(struct pr_client *client, const struct pr_out *out,
		  struct pr_client_answer *answer, struct err *err);

/* Log in anew with the same initiator port; waits for it. RC_UNSUPPORTED where there is no session. */
int pr_client_login(struct pr_client *client, struct err *err);

#endif
