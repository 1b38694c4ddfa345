/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_cdb_wire.c - CDBs, parameter lists and answers of PERSISTENT RESERVE; see pr_cdb_wire.h.
 */
#include "lockd/pr_cdb_wire.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/bigendian.h"

/* One row a command. */
static const struct command_row {
	uint8_t opcode, action;
	uint16_t answer_bytes; /* IN: what is asked for */
	uint8_t has_type;      /* OUT: SCOPE and TYPE mean something */
	uint8_t has_aptpl;
} commands[PR_COMMANDS] = {
	[PR_READ_KEYS] = { PR_IN_OPCODE, 0x00, 8 + 8 * PR_KEYS_MAX, 0, 0 },
	[PR_READ_RESERVATION] = { PR_IN_OPCODE, 0x01, 24, 0, 0 },
	[PR_REPORT_CAPABILITIES] = { PR_IN_OPCODE, 0x02, 8, 0, 0 },
	[PR_READ_FULL_STATUS] = { PR_IN_OPCODE, 0x03, PR_ANSWER_BYTES_MAX, 0, 0 },
	[PR_REGISTER] = { PR_OUT_OPCODE, 0x00, 0, 0, 1 },
	[PR_RESERVE] = { PR_OUT_OPCODE, 0x01, 0, 1, 0 },
	[PR_RELEASE] = { PR_OUT_OPCODE, 0x02, 0, 1, 0 },
	[PR_CLEAR] = { PR_OUT_OPCODE, 0x03, 0, 0, 0 },
	[PR_PREEMPT] = { PR_OUT_OPCODE, 0x04, 0, 1, 0 },
	[PR_PREEMPT_AND_ABORT] = { PR_OUT_OPCODE, 0x05, 0, 1, 0 },
	[PR_REGISTER_AND_IGNORE] = { PR_OUT_OPCODE, 0x06, 0, 0, 1 },
	[PR_REGISTER_AND_MOVE] = { PR_OUT_OPCODE, 0x07, 0, 0, 1 },
	[PR_REPLACE_LOST] = { PR_OUT_OPCODE, 0x08, 0, 1, 0 },
};

enum {
	/* Byte 20 of the basic list (6.14.3), byte 17 of the other (6.14.4). */
	LIST_SPEC_I_PT = 0x08,
	LIST_ALL_TG_PT = 0x04,
	LIST_APTPL = 0x01,
	MOVE_UNREG = 0x02,
	MOVE_APTPL = 0x01,
	TRANSPORT_ID_BYTES = 24, /* of every protocol but iSCSI */
	ISCSI_ADDITIONAL_MIN = 20,
	IN_HEADER_BYTES = 8,
	RESERVATION_BYTES = 16,
	CAPABILITIES_BYTES = 8,
	DESCRIPTOR_BYTES = 24, /* of READ FULL STATUS, without the TransportID */
};

static const char next_firmware[] = "the target breaks SPC-4; update its firmware";

/* ---- initiators ---- */

static size_t iscsi_out(const struct pr_initiator *initiator, uint8_t *data, size_t room)
{
	static const char digits[] = "0123456789abcdef";
	size_t length = strnlen(initiator->name, sizeof initiator->name), additional;
	size_t text = length + (initiator->has_isid ? 5 + 12 : 0) + 1;

	if (length == 0 || length == sizeof initiator->name)
		return 0;
	additional = (text + 3) & ~(size_t)3;
	if (additional < ISCSI_ADDITIONAL_MIN)
		additional = ISCSI_ADDITIONAL_MIN;
	if (4 + additional > room)
		return 0;
	memset(data, 0, 4 + additional);
	data[0] = (uint8_t)((initiator->has_isid ? 0x40 : 0x00) | PR_PROTOCOL_ISCSI);
	be_put16(data + 2, (uint16_t)additional);
	memcpy(data + 4, initiator->name, length);
	if (initiator->has_isid) {
		uint8_t *at = data + 4 + length;

		memcpy(at, ",i,0x", 5);
		at += 5;
		for (size_t i = 0; i < sizeof initiator->isid; i++) {
			*at++ = (uint8_t)digits[initiator->isid[i] >> 4];
			*at++ = (uint8_t)digits[initiator->isid[i] & 0xf];
		}
	}
	return 4 + additional;
}

size_t pr_initiator_out(const struct pr_initiator *initiator, uint8_t *data, size_t room)
{
	if (initiator->protocol == PR_PROTOCOL_ISCSI)
		return iscsi_out(initiator, data, room);
	if (room < TRANSPORT_ID_BYTES)
		return 0;
	memset(data, 0, TRANSPORT_ID_BYTES);
	data[0] = initiator->protocol;
	switch (initiator->protocol) {
	case PR_PROTOCOL_FC: /* 7.5.4.2 */
		memcpy(data + 8, initiator->port, 8);
		return TRANSPORT_ID_BYTES;
	case PR_PROTOCOL_SAS: /* 7.5.4.7 */
		memcpy(data + 4, initiator->port, 8);
		return TRANSPORT_ID_BYTES;
	case PR_PROTOCOL_SRP: /* 7.5.4.5 */
		memcpy(data + 8, initiator->port, 16);
		return TRANSPORT_ID_BYTES;
	default:
		return 0;
	}
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* 1 to 2 * bytes digits as a number, right-aligned in out. -1 when it is none. */
static int hex_read(const char *text, size_t length, uint8_t *out, size_t bytes)
{
	if (length == 0 || length > 2 * bytes)
		return -1;
	memset(out, 0, bytes);
	for (size_t i = 0; i < length; i++) {
		size_t nibble = 2 * bytes - length + i;
		int value = hex_value(text[i]);

		if (value < 0)
			return -1;
		out[nibble / 2] = (uint8_t)(out[nibble / 2] | value << (nibble % 2 ? 0 : 4));
	}
	return 0;
}

/* An iSCSI name, and with it ",i,0x" and the ISID. RFC 7143, 4.2.7: no blanks, no controls. */
static int iscsi_text_in(const char *text, size_t length, int with_isid,
			 struct pr_initiator *initiator)
{
	size_t name = length;

	initiator->has_isid = 0;
	if (with_isid) {
		const char *mark = memmem(text, length, ",i,0x", 5);

		if (!mark)
			return -1;
		name = (size_t)(mark - text);
		if (hex_read(mark + 5, length - name - 5, initiator->isid,
			     sizeof initiator->isid) != 0)
			return -1;
		initiator->has_isid = 1;
	}
	if (name == 0 || name >= sizeof initiator->name)
		return -1;
	for (size_t i = 0; i < name; i++)
		if ((unsigned char)text[i] <= ' ' || (unsigned char)text[i] >= 0x7f)
			return -1;
	memcpy(initiator->name, text, name);
	initiator->name[name] = '\0';
	return 0;
}

static int iscsi_in(const uint8_t *data, size_t bytes, struct pr_initiator *initiator, size_t *used,
		    struct err *err)
{
	size_t additional = be_get16(data + 2);
	const char *text = (const char *)data + 4;
	size_t length;

	if (additional < ISCSI_ADDITIONAL_MIN || additional > bytes - 4)
		return err_set(err, RC_PROTOCOL, next_firmware,
			       "a TransportID of %zu bytes where %zu are left", 4 + additional,
			       bytes);
	length = strnlen(text, additional);
	if (length == additional || data[0] >> 6 > 1 ||
	    iscsi_text_in(text, length, data[0] >> 6 == 1, initiator) != 0)
		return err_set(err, RC_PROTOCOL, next_firmware,
			       "a TransportID that is no iSCSI name");
	*used = 4 + additional;
	return 0;
}

int pr_initiator_in(const uint8_t *data, size_t bytes, struct pr_initiator *initiator, size_t *used,
		    struct err *err)
{
	memset(initiator, 0, sizeof *initiator);
	if (bytes < TRANSPORT_ID_BYTES)
		return err_set(err, RC_PROTOCOL, next_firmware, "a TransportID cut after %zu bytes",
			       bytes);
	initiator->protocol = data[0] & 0x0f;
	*used = TRANSPORT_ID_BYTES;
	switch (initiator->protocol) {
	case PR_PROTOCOL_ISCSI:
		return iscsi_in(data, bytes, initiator, used, err);
	case PR_PROTOCOL_SAS:
		memcpy(initiator->port, data + 4, 8);
		return 0;
	case PR_PROTOCOL_FC:
		memcpy(initiator->port, data + 8, 8);
		return 0;
	default: /* SRP, and what else may be there */
		memcpy(initiator->port, data + 8, 16);
		return 0;
	}
}

static void hex_out(char *out, const uint8_t *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < count; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 0xf];
	}
	*out = '\0';
}

/* Protocols that are an address, by their word. */
static const struct port_row {
	uint8_t protocol, bytes;
	const char *word;
} ports[] = {
	{ PR_PROTOCOL_FC, 8, "fc:" },
	{ PR_PROTOCOL_SAS, 8, "sas:" },
	{ PR_PROTOCOL_SRP, 16, "srp:" },
};

const char *pr_initiator_text(const struct pr_initiator *initiator,
			      char out[PR_INITIATOR_TEXT_BYTES])
{
	char hex[2 * sizeof initiator->port + 1];

	if (initiator->protocol == PR_PROTOCOL_ISCSI) {
		hex_out(hex, initiator->isid, sizeof initiator->isid);
		snprintf(out, PR_INITIATOR_TEXT_BYTES, "%s%s%s", initiator->name,
			 initiator->has_isid ? ",i,0x" : "", initiator->has_isid ? hex : "");
		return out;
	}
	for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++)
		if (ports[i].protocol == initiator->protocol) {
			hex_out(hex, initiator->port, ports[i].bytes);
			snprintf(out, PR_INITIATOR_TEXT_BYTES, "%s%s", ports[i].word, hex);
			return out;
		}
	snprintf(out, PR_INITIATOR_TEXT_BYTES, "protocol-%u", initiator->protocol);
	return out;
}

int pr_initiator_parse(const char *text, struct pr_initiator *initiator, struct err *err)
{
	memset(initiator, 0, sizeof *initiator);
	for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
		size_t prefix = strlen(ports[i].word), digits = 2u * ports[i].bytes;
		const char *hex = text + prefix;

		if (strncmp(text, ports[i].word, prefix) != 0)
			continue;
		initiator->protocol = ports[i].protocol;
		hex += strncmp(hex, "0x", 2) == 0 ? 2 : 0;
		if (strlen(hex) == digits &&
		    hex_read(hex, digits, initiator->port, ports[i].bytes) == 0)
			return 0;
		return err_set(err, RC_CONFIG, "write all of its hexadecimal digits",
			       "\"%s\" is no %.*s address of %zu digits", text, (int)prefix - 1,
			       text, digits);
	}
	initiator->protocol = PR_PROTOCOL_ISCSI;
	if (strncmp(text, "iqn.", 4) == 0 || strncmp(text, "eui.", 4) == 0 ||
	    strncmp(text, "naa.", 4) == 0)
		if (iscsi_text_in(text, strlen(text), strstr(text, ",i,0x") != NULL, initiator) ==
		    0)
			return 0;
	return err_set(err, RC_CONFIG,
		       "write an iSCSI name, with ,i,0xISID for one port of it, or fc:, sas: or "
		       "srp: and an address",
		       "\"%s\" is no initiator port", text);
}

/* ---- commands ---- */

uint32_t pr_in_encode(enum pr_command command, uint8_t cdb[PR_CDB_BYTES])
{
	assert(command < PR_REGISTER);
	memset(cdb, 0, PR_CDB_BYTES);
	cdb[0] = commands[command].opcode;
	cdb[1] = commands[command].action;
	be_put16(cdb + 7, commands[command].answer_bytes);
	return commands[command].answer_bytes;
}

/* The TransportIDs of a list, from `at` on, with their length in the four bytes before. The end, or
 * 0. */
static size_t initiators_out(const struct pr_out *out, uint8_t *list, size_t at)
{
	size_t start = at;

	for (size_t i = 0; i < out->initiators_count; i++) {
		size_t bytes = pr_initiator_out(&out->initiators[i], list + at,
						PR_LIST_BYTES_MAX - at);

		if (bytes == 0)
			return 0;
		at += bytes;
	}
	be_put32(list + start - 4, (uint32_t)(at - start));
	return at;
}

/* What a caller may have confused: a command cannot carry everything. */
static int out_check(const struct pr_out *out, struct err *err)
{
	int moves = out->command == PR_REGISTER_AND_MOVE;
	const struct command_row *row = &commands[out->command];

	if ((out->aptpl && !row->has_aptpl) || (out->unregister && !moves) ||
	    (out->all_target_ports && (!row->has_aptpl || moves)))
		return err_set(err, RC_CONFIG, "leave the option out",
			       "%s has no such option (APTPL, ALL_TG_PT, UNREG)",
			       pr_command_word(out->command));
	if (moves ? out->initiators_count != 1
		  : out->initiators_count != 0 && out->command != PR_REGISTER)
		return err_set(err, RC_CONFIG,
			       moves ? "name one initiator port" : "leave the initiators out",
			       "%s with %zu initiator ports", pr_command_word(out->command),
			       out->initiators_count);
	if (out->initiators_count > PR_INITIATORS_MAX)
		return err_set(err, RC_CONFIG, "register them in several commands",
			       "%zu initiator ports in one command; %d are possible",
			       out->initiators_count, PR_INITIATORS_MAX);
	return 0;
}

uint32_t pr_out_encode(const struct pr_out *out, uint8_t cdb[PR_CDB_BYTES],
		       uint8_t list[PR_LIST_BYTES_MAX], struct err *err)
{
	const struct command_row *row = &commands[out->command];
	size_t bytes = PR_BASIC_LIST_BYTES;

	assert(pr_command_is_out(out->command) && out->command < PR_COMMANDS);
	if (out_check(out, err) != 0)
		return 0;
	memset(cdb, 0, PR_CDB_BYTES);
	memset(list, 0, PR_BASIC_LIST_BYTES + 4);
	be_put64(list, out->key);
	be_put64(list + 8, out->service_key);
	if (out->command == PR_REGISTER_AND_MOVE) {
		list[17] = (uint8_t)((out->unregister ? MOVE_UNREG : 0) |
				     (out->aptpl ? MOVE_APTPL : 0));
		be_put16(list + 18, out->relative_port);
		bytes = initiators_out(out, list, PR_BASIC_LIST_BYTES);
	} else {
		list[20] = (uint8_t)((out->initiators_count ? LIST_SPEC_I_PT : 0) |
				     (out->all_target_ports ? LIST_ALL_TG_PT : 0) |
				     (out->aptpl ? LIST_APTPL : 0));
		if (out->initiators_count)
			bytes = initiators_out(out, list, PR_BASIC_LIST_BYTES + 4);
	}
	if (bytes == 0) {
		err_set(err, RC_CONFIG, "name its port as the target knows it",
			"an initiator port cannot be written as a TransportID");
		return 0;
	}
	cdb[0] = row->opcode;
	cdb[1] = row->action;
	cdb[2] = row->has_type ? (uint8_t)(out->scope << 4 | (out->type & 0x0f)) : 0;
	be_put32(cdb + 5, (uint32_t)bytes);
	return (uint32_t)bytes;
}

/* ---- the device's side ---- */

enum pr_command pr_cdb_command(const uint8_t cdb[PR_CDB_BYTES])
{
	for (int i = 0; i < PR_COMMANDS; i++)
		if (commands[i].opcode == cdb[0] && commands[i].action == (cdb[1] & 0x1f))
			return (enum pr_command)i;
	return PR_COMMANDS;
}

uint32_t pr_cdb_bytes(const uint8_t cdb[PR_CDB_BYTES])
{
	return cdb[0] == PR_IN_OPCODE ? be_get16(cdb + 7) : be_get32(cdb + 5);
}

/* TransportIDs that fill exactly `bytes`. */
static enum pr_meaning initiators_in(const uint8_t *data, size_t bytes, struct pr_out *out,
				     struct pr_initiator *initiators)
{
	struct err err;

	out->initiators = initiators;
	while (bytes > 0) {
		size_t used = 0;

		if (out->initiators_count == PR_INITIATORS_MAX)
			return PR_MEANS_NO_ROOM;
		if (pr_initiator_in(data, bytes, &initiators[out->initiators_count], &used, &err) !=
		    0)
			return PR_MEANS_INVALID_PARAMETER;
		out->initiators_count++;
		data += used;
		bytes -= used;
	}
	return PR_MEANS_GOOD;
}

enum pr_meaning pr_out_decode(const uint8_t cdb[PR_CDB_BYTES], const uint8_t *list, size_t bytes,
			      struct pr_out *out, struct pr_initiator *initiators)
{
	size_t header = PR_BASIC_LIST_BYTES, ids;

	memset(out, 0, sizeof *out);
	out->command = pr_cdb_command(cdb);
	out->scope = cdb[2] >> 4;
	out->type = cdb[2] & 0x0f;
	if (bytes < header)
		return PR_MEANS_INVALID_LENGTH;
	out->key = be_get64(list);
	out->service_key = be_get64(list + 8);
	if (out->command == PR_REGISTER_AND_MOVE) {
		out->unregister = !!(list[17] & MOVE_UNREG);
		out->aptpl = !!(list[17] & MOVE_APTPL);
		out->relative_port = be_get16(list + 18);
		ids = be_get32(list + 20);
	} else {
		out->all_target_ports = !!(list[20] & LIST_ALL_TG_PT);
		out->aptpl = !!(list[20] & LIST_APTPL);
		/* 6.14.1: 24 bytes exactly, but where SPEC_I_PT says otherwise. */
		if (!(list[20] & LIST_SPEC_I_PT))
			return bytes == header ? PR_MEANS_GOOD : PR_MEANS_INVALID_LENGTH;
		header += 4;
		if (bytes < header)
			return PR_MEANS_INVALID_LENGTH;
		ids = be_get32(list + 24);
	}
	if (ids != bytes - header)
		return PR_MEANS_INVALID_LENGTH;
	if (ids == 0)
		return PR_MEANS_INVALID_PARAMETER;
	return initiators_in(list + header, ids, out, initiators);
}

/* ---- answers, read ---- */

/* PRGENERATION and ADDITIONAL LENGTH. The bytes that follow and are here; *total: would be. */
static int header_in(enum pr_command command, const uint8_t *data, size_t bytes,
		     uint32_t *generation, size_t *total, size_t *here, struct err *err)
{
	*generation = 0;
	*total = *here = 0;
	if (bytes < IN_HEADER_BYTES)
		return err_set(err, RC_PROTOCOL, next_firmware,
			       "%s: an answer of %zu bytes, shorter than its header",
			       pr_command_word(command), bytes);
	*generation = be_get32(data);
	*total = be_get32(data + 4);
	*here = bytes - IN_HEADER_BYTES < *total ? bytes - IN_HEADER_BYTES : *total;
	return 0;
}

int pr_keys_in(const uint8_t *data, size_t bytes, struct pr_keys *keys, struct err *err)
{
	size_t total, here;
	int rc = header_in(PR_READ_KEYS, data, bytes, &keys->generation, &total, &here, err);

	keys->count = keys->total = 0;
	if (rc)
		return rc;
	if (total % 8 != 0)
		return err_set(err, RC_PROTOCOL, next_firmware,
			       "READ KEYS: a list of %zu bytes, which are no whole keys", total);
	keys->total = (uint32_t)(total / 8);
	for (; keys->count < here / 8 && keys->count < PR_KEYS_MAX; keys->count++)
		keys->key[keys->count] = be_get64(data + IN_HEADER_BYTES + 8 * keys->count);
	return 0;
}

int pr_reservation_in(const uint8_t *data, size_t bytes, struct pr_reservation *reservation,
		      struct err *err)
{
	size_t total, here;
	int rc;

	memset(reservation, 0, sizeof *reservation);
	rc = header_in(PR_READ_RESERVATION, data, bytes, &reservation->generation, &total, &here,
		       err);
	if (rc || total == 0)
		return rc;
	/* One descriptor: SPC-2's several went with its extents. */
	if (total < RESERVATION_BYTES || here < RESERVATION_BYTES)
		return err_set(err, RC_PROTOCOL, next_firmware,
			       "READ RESERVATION: a descriptor of %zu bytes, of which %zu came",
			       total, here);
	reservation->key = be_get64(data + 8);
	reservation->scope = data[21] >> 4;
	reservation->type = data[21] & 0x0f;
	if (!pr_type_is_known(reservation->type) || reservation->scope != 0)
		return err_set(err, RC_PROTOCOL, next_firmware,
			       "READ RESERVATION: scope %u, type %u are none of SPC-4",
			       reservation->scope, reservation->type);
	reservation->is_held = 1;
	return 0;
}

int pr_capabilities_in(const uint8_t *data, size_t bytes, struct pr_capabilities *capabilities,
		       struct err *err)
{
	memset(capabilities, 0, sizeof *capabilities);
	if (bytes < CAPABILITIES_BYTES || be_get16(data) < CAPABILITIES_BYTES)
		return err_set(err, RC_PROTOCOL, next_firmware,
			       "REPORT CAPABILITIES: an answer of %zu bytes that is %u long", bytes,
			       bytes < 2 ? 0 : be_get16(data));
	capabilities->replaces_lost = !!(data[2] & 0x80);
	capabilities->handles_reserve = !!(data[2] & 0x10);
	capabilities->specifies_ports = !!(data[2] & 0x08);
	capabilities->all_target_ports = !!(data[2] & 0x04);
	capabilities->persists = !!(data[2] & 0x01);
	capabilities->has_types = !!(data[3] & 0x80);
	capabilities->allow_commands = data[3] >> 4 & 0x07;
	capabilities->persistence_active = !!(data[3] & 0x01);
	/* PERSISTENT RESERVATION TYPE MASK: bit n of byte 4 is type n, bit 0 of byte 5 type 8. */
	if (capabilities->has_types)
		capabilities->types = (uint16_t)((data[4] & 0xea) | (data[5] & 0x01) << 8);
	return 0;
}

int pr_full_status_in(const uint8_t *data, size_t bytes, struct pr_full_status *status,
		      struct err *err)
{
	size_t total, here;
	int rc = header_in(PR_READ_FULL_STATUS, data, bytes, &status->generation, &total, &here,
			   err);

	if (rc)
		return rc;
	status->is_cut = here < total;
	status->at = data + IN_HEADER_BYTES;
	status->end = status->at + here;
	return 0;
}

int pr_full_status_next(struct pr_full_status *status, struct pr_registration *registration,
			struct err *err)
{
	size_t left = (size_t)(status->end - status->at), additional, used;
	const uint8_t *at = status->at;
	int rc;

	if (left == 0)
		return 0;
	additional = left < DESCRIPTOR_BYTES ? 0 : be_get32(at + 20);
	if (left < DESCRIPTOR_BYTES || additional > left - DESCRIPTOR_BYTES) {
		status->at = status->end;
		if (status->is_cut)
			return 0;
		return err_set(err, RC_PROTOCOL, next_firmware,
			       "READ FULL STATUS: a descriptor is longer than the answer");
	}
	memset(registration, 0, sizeof *registration);
	registration->key = be_get64(at);
	registration->all_target_ports = !!(at[12] & 0x02);
	registration->is_holder = !!(at[12] & 0x01);
	if (registration->is_holder) {
		registration->scope = at[13] >> 4;
		registration->type = at[13] & 0x0f;
	}
	registration->relative_port = be_get16(at + 18);
	status->at += DESCRIPTOR_BYTES + additional;
	if (additional == 0)
		return 1;
	rc = pr_initiator_in(at + DESCRIPTOR_BYTES, additional, &registration->initiator, &used,
			     err);
	if (rc)
		return rc;
	registration->has_initiator = 1;
	return 1;
}

/* ---- answers, written ---- */

/* Put bytes at a place, as far as there is room. */
static void put(uint8_t *data, size_t room, size_t at, const void *bytes, size_t count)
{
	if (at < room)
		memcpy(data + at, bytes, count < room - at ? count : room - at);
}

static void header_out(uint8_t *data, size_t room, uint32_t generation, size_t bytes)
{
	uint8_t header[IN_HEADER_BYTES];

	be_put32(header, generation);
	be_put32(header + 4, (uint32_t)(bytes - IN_HEADER_BYTES));
	put(data, room, 0, header, sizeof header);
}

size_t pr_keys_out(const struct pr_keys *keys, uint8_t *data, size_t room)
{
	size_t bytes = IN_HEADER_BYTES;

	for (size_t i = 0; i < keys->count; i++, bytes += 8) {
		uint8_t key[8];

		be_put64(key, keys->key[i]);
		put(data, room, bytes, key, sizeof key);
	}
	header_out(data, room, keys->generation, bytes);
	return bytes;
}

size_t pr_reservation_out(const struct pr_reservation *reservation, uint8_t *data, size_t room)
{
	uint8_t body[RESERVATION_BYTES] = { 0 };
	size_t bytes = IN_HEADER_BYTES;

	if (reservation->is_held) {
		be_put64(body, reservation->key);
		body[13] = (uint8_t)(reservation->scope << 4 | reservation->type);
		put(data, room, bytes, body, sizeof body);
		bytes += sizeof body;
	}
	header_out(data, room, reservation->generation, bytes);
	return bytes;
}

size_t pr_capabilities_out(const struct pr_capabilities *capabilities, uint8_t *data, size_t room)
{
	uint8_t body[CAPABILITIES_BYTES] = { 0, CAPABILITIES_BYTES };

	body[2] = (uint8_t)((capabilities->replaces_lost ? 0x80 : 0) |
			    (capabilities->handles_reserve ? 0x10 : 0) |
			    (capabilities->specifies_ports ? 0x08 : 0) |
			    (capabilities->all_target_ports ? 0x04 : 0) |
			    (capabilities->persists ? 0x01 : 0));
	body[3] = (uint8_t)((capabilities->has_types ? 0x80 : 0) |
			    (capabilities->allow_commands & 0x07) << 4 |
			    (capabilities->persistence_active ? 0x01 : 0));
	body[4] = (uint8_t)(capabilities->types & 0xea);
	body[5] = (uint8_t)(capabilities->types >> 8 & 0x01);
	put(data, room, 0, body, sizeof body);
	return sizeof body;
}

size_t pr_full_status_out(uint32_t generation, const struct pr_registration *registrations,
			  size_t count, uint8_t *data, size_t room)
{
	size_t bytes = IN_HEADER_BYTES;

	for (size_t i = 0; i < count; i++) {
		const struct pr_registration *r = &registrations[i];
		uint8_t body[DESCRIPTOR_BYTES + PR_TRANSPORT_ID_BYTES_MAX] = { 0 };
		size_t id = r->has_initiator
				    ? pr_initiator_out(&r->initiator, body + DESCRIPTOR_BYTES,
						       PR_TRANSPORT_ID_BYTES_MAX)
				    : 0;

		be_put64(body, r->key);
		body[12] = (uint8_t)((r->all_target_ports ? 0x02 : 0) | (r->is_holder ? 0x01 : 0));
		body[13] = r->is_holder ? (uint8_t)(r->scope << 4 | r->type) : 0;
		be_put16(body + 18, r->all_target_ports ? 0 : r->relative_port);
		be_put32(body + 20, (uint32_t)id);
		put(data, room, bytes, body, DESCRIPTOR_BYTES + id);
		bytes += DESCRIPTOR_BYTES + id;
	}
	header_out(data, room, generation, bytes);
	return bytes;
}
