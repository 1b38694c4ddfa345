/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: base lockd/pr_cdb_wire.c lockd/pr_sense_wire.c tests/sim/pr_model.c tests/sim/pr_access.c
 *
 * fuzz_pr_wire.c - any bytes as answers of a unit, as sense data, as a key or initiator in words, and
 * as commands to the model of a unit.
 *
 * The first byte says as what. What could be read is written again and has to be the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lockd/pr_cdb_wire.h"
#include "lockd/pr_sense_wire.h"
#include "tests/sim/pr_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check(int condition)
{
	if (!condition)
		abort();
}

static void fuzz_keys(const uint8_t *data, size_t bytes)
{
	static struct pr_keys keys, again;
	static uint8_t back[8 + 8 * PR_KEYS_MAX];
	struct err err = { 0 };
	size_t length;

	if (pr_keys_in(data, bytes, &keys, &err) != 0) {
		check(err.rc != 0 && keys.count == 0);
		return;
	}
	check(keys.count <= PR_KEYS_MAX && keys.count <= keys.total);
	check(8 + 8 * (size_t)keys.count <= bytes);
	length = pr_keys_out(&keys, back, sizeof back);
	check(pr_keys_in(back, length, &again, &err) == 0 && again.count == keys.count);
	check(memcmp(again.key, keys.key, keys.count * sizeof keys.key[0]) == 0);
}

static void fuzz_reservation(const uint8_t *data, size_t bytes)
{
	struct pr_reservation reservation, again;
	struct pr_capabilities capabilities, more;
	uint8_t back[24], twice[24];
	struct err err = { 0 };

	if (pr_reservation_in(data, bytes, &reservation, &err) == 0) {
		check(!reservation.is_held || pr_type_is_known(reservation.type));
		check(pr_reservation_in(back, pr_reservation_out(&reservation, back, sizeof back),
					&again, &err) == 0);
		check(pr_reservation_out(&again, twice, sizeof twice) ==
		      pr_reservation_out(&reservation, back, sizeof back));
		check(memcmp(twice, back, reservation.is_held ? 24 : 8) == 0);
	} else {
		check(!reservation.is_held);
	}
	if (pr_capabilities_in(data, bytes, &capabilities, &err) == 0) {
		check(pr_capabilities_in(back,
					 pr_capabilities_out(&capabilities, back, sizeof back),
					 &more, &err) == 0);
		check(pr_capabilities_out(&more, twice, sizeof twice) == 8);
		check(memcmp(twice, back, 8) == 0);
	}
}

static void fuzz_full_status(const uint8_t *data, size_t bytes)
{
	struct pr_full_status walk;
	struct pr_registration one;
	struct err err = { 0 };
	char text[PR_INITIATOR_TEXT_BYTES];
	size_t count = 0;
	int rc;

	if (pr_full_status_in(data, bytes, &walk, &err) != 0)
		return;
	while ((rc = pr_full_status_next(&walk, &one, &err)) != 0) {
		check(++count <= bytes / 24 + 1); /* the last one may be cut */
		if (rc == 1 && one.has_initiator)
			check(strlen(pr_initiator_text(&one.initiator, text)) < sizeof text);
	}
}

static void fuzz_initiator(const uint8_t *data, size_t bytes)
{
	struct pr_initiator id, again;
	struct err err = { 0 };
	uint8_t back[PR_TRANSPORT_ID_BYTES_MAX], twice[PR_TRANSPORT_ID_BYTES_MAX];
	char text[PR_INITIATOR_TEXT_BYTES];
	size_t used, length;

	if (pr_initiator_in(data, bytes, &id, &used, &err) != 0)
		return;
	check(used >= 24 && used <= bytes);
	length = pr_initiator_out(&id, back, sizeof back);
	if (length == 0)
		return; /* a protocol that we do not know */
	check(pr_initiator_in(back, length, &again, &used, &err) == 0 && used == length);
	check(pr_initiator_out(&again, twice, sizeof twice) == length);
	check(memcmp(twice, back, length) == 0);
	check(pr_initiator_parse(pr_initiator_text(&id, text), &again, &err) == 0 ||
	      id.protocol == PR_PROTOCOL_ISCSI);
}

static void fuzz_text(const uint8_t *data, size_t bytes)
{
	char *text = malloc(bytes + 1), word[PR_KEY_TEXT_BYTES];
	char back[PR_INITIATOR_TEXT_BYTES], twice[PR_INITIATOR_TEXT_BYTES];
	struct pr_initiator id, again;
	struct err err = { 0 };
	uint64_t key, same = 0;

	if (!text)
		return;
	memcpy(text, data, bytes);
	text[bytes] = '\0';
	if (pr_key_parse(text, &key, &err) == 0) {
		check(key != 0 && pr_key_parse(pr_key_text(key, word), &same, &err) == 0);
		check(same == key);
	}
	if (pr_initiator_parse(text, &id, &err) == 0) {
		check(pr_initiator_parse(pr_initiator_text(&id, back), &again, &err) == 0);
		check(strcmp(pr_initiator_text(&again, twice), back) == 0);
	}
	pr_type_parse(text);
	free(text);
}

static void fuzz_sense(const uint8_t *data, size_t bytes)
{
	struct pr_reply reply;
	char text[200];

	if (bytes == 0)
		return;
	pr_reply_in(data[0], data + 1, bytes - 1, &reply);
	check(reply.meaning < PR_MEANINGS && reply.attention < PR_ATTENTIONS);
	check((reply.meaning == PR_MEANS_ATTENTION) == (reply.attention != PR_ATTENTION_NONE));
	check(reply.meaning != PR_MEANS_GOOD || data[0] == 0 || data[0] == 4 || reply.has_sense);
	pr_reply_text(&reply, text, sizeof text);
}

/* Commands of 3 bytes of header each: who, length of the list, CDB; then the list. */
static void fuzz_model(const uint8_t *data, size_t bytes)
{
	static struct pr_model model;
	static struct pr_model_answer answer;
	struct pr_model_limits limits = { 0 };

	if (bytes < 1)
		return;
	if (data[0] & 1)
		pr_model_limits_tgt(&limits);
	limits.registrations_max = data[0] >> 4;
	pr_model_init(&model, &limits, 2);
	for (unsigned i = 0; i < 4; i++) {
		struct pr_initiator id = { .protocol = PR_PROTOCOL_ISCSI, .has_isid = 1 };

		memcpy(id.name, "iqn.a", 6);
		id.isid[0] = (uint8_t)i;
		pr_model_nexus(&model, &id, (uint16_t)(1 + i % 2));
	}
	for (data++, bytes--; bytes >= 12;) {
		uint8_t cdb[16] = { 0 };
		size_t list = data[1];

		memcpy(cdb, data + 2, 10);
		if (data[0] & 0x80)
			pr_model_login(&model, data[0] & 3);
		if (data[0] == 0x70)
			pr_model_power_cycle(&model);
		if (list > bytes - 12)
			list = bytes - 12;
		if (cdb[0] == PR_OUT_OPCODE && data[0] & 0x40) {
			cdb[5] = cdb[6] = cdb[7] = 0;
			cdb[8] = (uint8_t)list;
		}
		pr_model_command(&model, data[0] & 3, cdb, data + 12, list, &answer);
		data += 12 + list;
		bytes -= 12 + list;
		check(model.registrations_count <= PR_MODEL_REGISTRATIONS_MAX);
		check(model.holder < (int)model.registrations_count);
		check((model.holder >= 0) == (model.type != PR_TYPE_NONE) || limits.move_is_broken);
		check(answer.bytes <= sizeof answer.data);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static void (*const ways[])(const uint8_t *, size_t) = {
		fuzz_keys, fuzz_reservation, fuzz_full_status, fuzz_initiator,
		fuzz_text, fuzz_sense,	     fuzz_model,
	};
	uint8_t *exact;

	if (bytes == 0)
		return 0;
	exact = malloc(bytes > 1 ? bytes - 1 : 1);
	if (!exact)
		return 0;
	memcpy(exact, data + 1, bytes - 1);
	ways[data[0] % (sizeof ways / sizeof ways[0])](exact, bytes - 1);
	free(exact);
	return 0;
}
