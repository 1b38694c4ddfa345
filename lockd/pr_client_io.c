/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_client_io.c - one command at a time; see pr_client_io.h.
 */
#include "lockd/pr_client_io.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "host/clock.h"
#include "lockd/pr_sense_wire.h"

struct pr_client {
	uv_loop_t loop;
	struct disk *disk;
	struct pr_client_options options;
	uint64_t token; /* of the command under way; those before it are past */
	int waiting;
	struct pr_client_answer *answer;
};

static void answered(struct disk *disk, const struct disk_answer *done, void *context)
{
	struct pr_client *client = context;
	struct pr_client_answer *answer = client->answer;

	(void)disk;
	/* What comes late was told as "no answer", and stays that. */
	if (done->kind != DISK_DONE || !client->waiting || done->token != client->token)
		return;
	client->waiting = 0;
	if (done->rc) {
		answer->reply = (struct pr_reply){ .meaning = mono_is_never(done->submitted_at)
								      ? PR_MEANS_NOT_SENT
								      : PR_MEANS_NO_ANSWER };
		answer->err = *done->err;
		return;
	}
	pr_reply_in(done->status, done->sense, done->sense_bytes, &answer->reply);
	answer->bytes = done->bytes < sizeof answer->data ? done->bytes : sizeof answer->data;
	if (answer->bytes)
		memcpy(answer->data, done->data, answer->bytes);
}

int pr_client_open(const char *url, const struct pr_client_options *options,
		   struct pr_client **client, struct err *err)
{
	struct pr_client *c = calloc(1, sizeof *c);
	int rc;

	if (!c || uv_loop_init(&c->loop) != 0) {
		free(c);
		return err_set(err, RC_INTERNAL, NULL, "out of memory or file descriptors");
	}
	c->options = *options;
	rc = disk_open(&c->loop, url, &options->disk, answered, c, &c->disk, err);
	if (rc == 0 && !disk_facts(c->disk)->has_scsi) {
		rc = err_set(err, RC_UNSUPPORTED,
			     "name a SCSI disk (/dev/sdX, /dev/sgN) or an iscsi:// URL",
			     "%s takes no SCSI commands, so it has no reservations",
			     disk_name(c->disk));
	}
	if (rc) {
		pr_client_close(c);
		return rc;
	}
	*client = c;
	return 0;
}

void pr_client_close(struct pr_client *client)
{
	int busy;

	if (!client)
		return;
	if (client->disk)
		disk_close(client->disk);
	while (uv_run(&client->loop, UV_RUN_DEFAULT) != 0)
		;
	busy = uv_loop_close(&client->loop);
	assert(busy == 0);
	free(client);
}

const struct disk_facts *pr_client_facts(const struct pr_client *client)
{
	return disk_facts(client->disk);
}

const char *pr_client_name(const struct pr_client *client)
{
	return disk_name(client->disk);
}

void pr_client_set_timeout(struct pr_client *client, int64_t timeout_ms)
{
	client->options.timeout_ms = timeout_ms;
}

/* One attempt. */
static void attempt(struct pr_client *client, struct disk_request *request,
		    struct pr_client_answer *answer)
{
	answer->bytes = 0;
	answer->err = (struct err){ 0 };
	client->answer = answer;
	client->waiting = 1;
	request->token = ++client->token;
	if (disk_submit(client->disk, request, &answer->err) != 0) {
		client->waiting = 0;
		answer->reply = (struct pr_reply){ .meaning = PR_MEANS_NOT_SENT };
		return;
	}
	while (client->waiting)
		uv_run(&client->loop, UV_RUN_ONCE);
}

void pr_client_scsi(struct pr_client *client, const uint8_t *cdb, size_t cdb_bytes,
		    enum disk_direction direction, const void *data, uint32_t bytes,
		    struct pr_client_answer *answer)
{
	struct disk_request request = { .op = DISK_SCSI,
					.deadline = mono_add_ms(clock_now(),
								client->options.timeout_ms),
					.bytes = bytes,
					.data = data,
					.direction = direction,
					.cdb_bytes = (uint8_t)cdb_bytes };

	assert(cdb_bytes <= sizeof request.cdb);
	memcpy(request.cdb, cdb, cdb_bytes);
	answer->attentions_count = 0;
	for (;;) {
		attempt(client, &request, answer);
		if (answer->reply.meaning != PR_MEANS_ATTENTION ||
		    answer->attentions_count >= client->options.attentions_max ||
		    answer->attentions_count == PR_CLIENT_ATTENTIONS_MAX)
			return;
		answer->attentions[answer->attentions_count++] = answer->reply;
	}
}

void pr_client_in(struct pr_client *client, enum pr_command command,
		  struct pr_client_answer *answer)
{
	uint8_t cdb[PR_CDB_BYTES];
	uint32_t bytes = pr_in_encode(command, cdb);

	pr_client_scsi(client, cdb, sizeof cdb, DISK_FROM_DEVICE, NULL, bytes, answer);
}

int pr_client_out(struct pr_client *client, const struct pr_out *out,
		  struct pr_client_answer *answer, struct err *err)
{
	uint8_t cdb[PR_CDB_BYTES], list[PR_LIST_BYTES_MAX];
	uint32_t bytes = pr_out_encode(out, cdb, list, err);

	if (bytes == 0)
		return RC_CONFIG;
	pr_client_scsi(client, cdb, sizeof cdb, DISK_TO_DEVICE, list, bytes, answer);
	return 0;
}

int pr_client_login(struct pr_client *client, struct err *err)
{
	static const uint8_t test_unit_ready[6];
	struct pr_client_answer answer;
	int rc = disk_reinstate(client->disk, err);

	if (rc)
		return rc;
	/* It waits for the login. An attention is an answer too. */
	pr_client_scsi(client, test_unit_ready, sizeof test_unit_ready, DISK_NO_DATA, NULL, 0,
		       &answer);
	if (answer.reply.meaning != PR_MEANS_NOT_SENT && answer.reply.meaning != PR_MEANS_NO_ANSWER)
		return 0;
	*err = answer.err;
	return err->rc;
}
