/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * nexus.c - one session with a logical unit that lasts: the data path of a node, for the suites.
 *
 *	nexus URL INITIATOR <commands
 *
 * Prints "ready", then one word for each line of stdin: what the unit said (base/pr.h), after the unit
 * attentions that came first.
 *	register OLD NEW    REGISTER, from one key (or 0) to another (or 0)
 *	reserve KEY         Write Exclusive, Registrants Only
 *	release KEY
 *	write               one sector
 *	read
 *
 * LINK: disk host base lockd/pr_cdb_wire.c lockd/pr_client_io.c lockd/pr_sense_wire.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockd/pr_client_io.h"

static void run(struct pr_client *client, char *line)
{
	static const uint8_t sector[4096];
	/* READ(10), WRITE(10) of one sector: SBC-3, 5.8 and 5.26 */
	uint8_t cdb[10] = { 0x28, [8] = 1 };
	uint32_t bytes = pr_client_facts(client)->sector_bytes;
	struct pr_client_answer answer = { .reply = { .meaning = PR_MEANS_NOT_SENT } };
	char *word = strtok(line, " \n"), *old = strtok(NULL, " \n"), *new = strtok(NULL, " \n");
	struct err err;

	if (word && strcmp(word, "register") == 0 && old && new) {
		const struct pr_out out = { .command = PR_REGISTER,
					    .key = strtoull(old, NULL, 16),
					    .service_key = strtoull(new, NULL, 16) };

		pr_client_out(client, &out, &answer, &err);
	} else if (word && old && (strcmp(word, "reserve") == 0 || strcmp(word, "release") == 0)) {
		const struct pr_out out = { .command = word[2] == 's' ? PR_RESERVE : PR_RELEASE,
					    .type = PR_TYPE_WRITE_EXCLUSIVE_RO,
					    .key = strtoull(old, NULL, 16) };

		pr_client_out(client, &out, &answer, &err);
	} else if (word && strcmp(word, "write") == 0) {
		cdb[0] = 0x2a;
		pr_client_scsi(client, cdb, sizeof cdb, DISK_TO_DEVICE, sector, bytes, &answer);
	} else if (word && strcmp(word, "read") == 0) {
		pr_client_scsi(client, cdb, sizeof cdb, DISK_FROM_DEVICE, NULL, bytes, &answer);
	}
	for (size_t i = 0; i < answer.attentions_count; i++)
		printf("%s ", pr_attention_word(answer.attentions[i].attention));
	puts(pr_meaning_word(answer.reply.meaning));
}

int main(int argc, char **argv)
{
	struct pr_client_options options = { .disk = { .open_timeout_ms = 10000 },
					     .timeout_ms = 10000,
					     .attentions_max = 16 };
	struct pr_client *client;
	struct err err = { 0 };
	char line[200];

	if (argc != 3)
		return 2;
	options.disk.initiator = argv[2];
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (pr_client_open(argv[1], &options, &client, &err) != 0) {
		fprintf(stderr, "nexus: %s\n", err.text);
		return 1;
	}
	puts("ready");
	while (fgets(line, sizeof line, stdin))
		run(client, line);
	pr_client_close(client);
	return 0;
}
