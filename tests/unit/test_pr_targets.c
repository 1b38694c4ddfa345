/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: lockd disk host base tests/sim/pr_model.c tests/sim/pr_access.c tests/unit/pr_target.c tests/unit/tgt_world.c pkg:libiscsi pkg:cmocka
 *
 * test_pr_targets.c - the model of a unit with reservations against a real target: random programs
 * of several initiators, command by command, and the truth table of access; what another client
 * reads there; the core on the real thing.
 *
 * After each command the status and the sense, and after each that may change something the keys,
 * the reservation and the generation have to be the same on both. What a target is known to do
 * differently is in pr_model_limits_tgt() and pr_model_limits_lio(), which say for each what it does
 * instead; so a difference that is not listed fails, and a listed one that is gone fails as well.
 *
 * Which target it is: tests/unit/pr_target.h. Of its own accord it is a tgtd.
 *
 * PR_SEED=n PR_PROGRAMS=m choose other programs; a failure prints the seed and the program.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>

#include "host/clock.h"
#include "lockd/pr_client_io.h"
#include "lockd/pr_core.h"
#include "tests/sim/pr_model.h"
#include "tests/unit/pr_target.h"

enum {
	INITIATORS = PR_TARGET_INITIATORS,
	OBSERVER = 3, /* never registers in a program; it only looks */
	PROGRAMS = 200,
	STEPS = 30,
	SEED = 20261121,
};

static struct pr_target target;
static struct pr_model model;

/* ---- both sides at once ---- */

static char listing[STEPS * 6 + 64][160]; /* the program so far */
static size_t listing_lines;
static unsigned long seed_now;

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
	va_list ap;

	if (listing_lines == sizeof listing / sizeof listing[0])
		return;
	va_start(ap, format);
	vsnprintf(listing[listing_lines++], sizeof listing[0], format, ap);
	va_end(ap);
}

static void differ(const char *what, const char *ours, const char *theirs)
{
	fprintf(stderr, "PR_SEED=%lu PR_PROGRAMS=1 repeats this program:\n", seed_now);
	for (size_t i = 0; i < listing_lines; i++)
		fprintf(stderr, "  %s\n", listing[i]);
	fail_msg("%s: the model says %s, the target %s", what, ours, theirs);
}

static void reply_word(const struct pr_reply *reply, char out[64])
{
	if (reply->has_sense)
		snprintf(out, 64, "%X/%02X/%02X", reply->sense_key, reply->asc, reply->ascq);
	else if (reply->meaning == PR_MEANS_NO_ANSWER || reply->meaning == PR_MEANS_NOT_SENT)
		snprintf(out, 64, "%s", pr_meaning_word(reply->meaning));
	else
		snprintf(out, 64, "status %02X", reply->status);
}

static struct pr_model_answer ours;
static struct pr_client_answer theirs;

/* Run a command on both; the answers must mean the same. Returns the target's. */
static const struct pr_reply *both(int who, const uint8_t *cdb, size_t cdb_bytes,
				   enum disk_direction direction, const void *data, uint32_t bytes,
				   const char *what)
{
	struct pr_reply reply;
	char a[64], b[64];

	pr_model_command(&model, who, cdb, data, direction == DISK_TO_DEVICE ? bytes : 0, &ours);
	pr_reply_in(ours.status, ours.sense, ours.sense_bytes, &reply);
	pr_client_scsi(target.clients[who], cdb, cdb_bytes, direction, data, bytes, &theirs);
	reply_word(&reply, a);
	reply_word(&theirs.reply, b);
	note("%d %s: %s", who, what, a);
	if (strcmp(a, b) != 0)
		differ(what, a, b);
	return &theirs.reply;
}

static const struct pr_reply *both_out(int who, const struct pr_out *out)
{
	uint8_t cdb[16] = { 0 }, list[PR_LIST_BYTES_MAX];
	struct err err;
	uint32_t bytes = pr_out_encode(out, cdb, list, &err);
	char what[128];

	assert_int_not_equal(bytes, 0);
	snprintf(what, sizeof what, "%s key=%llx service_key=%llx type=%u scope=%u%s%s%s",
		 pr_command_word(out->command), (unsigned long long)out->key,
		 (unsigned long long)out->service_key, out->type, out->scope,
		 out->aptpl ? " APTPL" : "", out->all_target_ports ? " ALL_TG_PT" : "",
		 out->initiators_count ? " TransportID" : "");
	return both(who, cdb, PR_CDB_BYTES, DISK_TO_DEVICE, list, bytes, what);
}

static const struct pr_reply *both_in(int who, enum pr_command command)
{
	uint8_t cdb[16] = { 0 };
	uint32_t bytes = pr_in_encode(command, cdb);
	const struct pr_reply *reply = both(who, cdb, PR_CDB_BYTES, DISK_FROM_DEVICE, NULL, bytes,
					    pr_command_word(command));

	/* Not every adapter tells SG_IO how much it has not filled. */
	if (reply->meaning == PR_MEANS_GOOD && !target.has_sessions && theirs.bytes > ours.bytes)
		theirs.bytes = (uint32_t)ours.bytes;
	if (reply->meaning == PR_MEANS_GOOD &&
	    (target.has_sessions || command != PR_READ_FULL_STATUS) &&
	    (ours.bytes != theirs.bytes || memcmp(ours.data, theirs.data, ours.bytes) != 0)) {
		char a[2 * 64 + 1] = "", b[2 * 64 + 1] = "";

		for (size_t i = 0; i < 64 && i < ours.bytes; i++)
			sprintf(a + 2 * i, "%02x", ours.data[i]);
		for (size_t i = 0; i < 64 && i < theirs.bytes; i++)
			sprintf(b + 2 * i, "%02x", theirs.data[i]);
		differ(pr_command_word(command), a, b);
	}
	return reply;
}

static const struct pr_reply *both_ready(int who)
{
	static const uint8_t cdb[16];

	return both(who, cdb, 6, DISK_NO_DATA, NULL, 0, "TEST UNIT READY");
}

/* The state, byte by byte; as often as attentions come first. */
static void both_look(void)
{
	static const enum pr_command looks[] = { PR_READ_KEYS, PR_READ_RESERVATION };

	for (int i = 0; i < 2; i++)
		while (both_in(OBSERVER, looks[i])->meaning == PR_MEANS_ATTENTION)
			;
}

/* What is still to be told. */
static void attentions_drain(void)
{
	for (int who = 0; who < INITIATORS; who++)
		while (both_ready(who)->meaning == PR_MEANS_ATTENTION)
			;
}

/* ---- a target, and a common beginning ---- */

/* No registrations, by the target's own means; attentions may come first. LIO wants ALL_TG_PT where it
 * was there before. */
static void unit_clear(void)
{
	const struct pr_out enter = { .command = PR_REGISTER_AND_IGNORE,
				      .service_key = 1,
				      .all_target_ports = !target.limits.no_ports },
			    clear = { .command = PR_CLEAR, .key = 1 };
	struct err err;

	do
		assert_int_equal(pr_client_out(target.clients[0], &enter, &theirs, &err), 0);
	while (theirs.reply.meaning == PR_MEANS_ATTENTION);
	assert_int_equal(theirs.reply.meaning, PR_MEANS_GOOD);
	assert_int_equal(pr_client_out(target.clients[0], &clear, &theirs, &err), 0);
	assert_int_equal(theirs.reply.meaning, PR_MEANS_GOOD);
}

static int targets_setup(void **state)
{
	(void)state;
	pr_target_open(&target);
	return 0;
}

static int targets_teardown(void **state)
{
	(void)state;
	if (target.kind != PR_TARGET_NONE)
		unit_clear();
	pr_target_close(&target);
	return 0;
}

#define NEED_TARGET()                                                                              \
	do {                                                                                       \
		if (target.kind == PR_TARGET_NONE)                                                 \
			skip();                                                                    \
	} while (0)

#define NEED_SESSIONS()                                                                            \
	do {                                                                                       \
		if (!target.has_sessions)                                                          \
			skip();                                                                    \
	} while (0)

/* No registration, no attention, a known generation: on the target by its own means, in the model
 * by making it new. */
static void clean_slate(void)
{
	static const uint8_t ready[6];
	struct err err;
	struct pr_keys keys;

	listing_lines = 0;
	unit_clear();
	for (int i = 0; i < INITIATORS; i++)
		do
			pr_client_scsi(target.clients[i], ready, sizeof ready, DISK_NO_DATA, NULL,
				       0, &theirs);
		while (theirs.reply.meaning == PR_MEANS_ATTENTION);
	pr_client_in(target.clients[0], PR_READ_KEYS, &theirs);
	assert_int_equal(pr_keys_in(theirs.data, theirs.bytes, &keys, &err), 0);
	pr_model_init(&model, &target.limits, 1);
	model.generation = keys.generation;
	for (int i = 0; i < INITIATORS; i++) {
		struct pr_initiator id = pr_target_initiator(&target, i);

		assert_int_equal(pr_model_nexus(&model, &id, 1), i);
	}
}

/* ---- random programs ---- */

static uint64_t dice_state;

static unsigned dice(unsigned sides)
{
	/* xorshift64*; Vigna 2016 */
	dice_state ^= dice_state >> 12;
	dice_state ^= dice_state << 25;
	dice_state ^= dice_state >> 27;
	return (unsigned)((dice_state * UINT64_C(0x2545f4914f6cdd1d) >> 33) % sides);
}

static const uint8_t types[] = { 1, 3, 5, 6, 7, 8 };

/* A key of the few that are about, or none. */
static uint64_t any_key(void)
{
	return dice(6);
}

/* The key that is right for this initiator, mostly. */
static uint64_t own_key(int who)
{
	int own = pr_model_registration_of(&model, who);

	if (dice(8) == 0)
		return any_key();
	return own < 0 ? 0 : model.registrations[own].key;
}

/* What would break the target itself. LIO registers an initiator port twice that SPEC_I_PT names
 * although it is the one that asks, and uses its registration after it has freed it when it preempts
 * itself without holding the reservation. tgt: of an all-registrants reservation it goes on using a registration that
 * PREEMPT of its key has freed; REGISTER AND MOVE of a registrant kills it where there is no
 * reservation, and loses the type of the reservation where there is one. */
static int names_itself(int who, const struct pr_out *out)
{
	struct pr_initiator own = pr_target_initiator(&target, who);

	return strcmp(out->initiators[0].name, own.name) == 0;
}

static int breaks_target(int who, const struct pr_out *out)
{
	int own = pr_model_registration_of(&model, who);
	int right = own >= 0 && model.registrations[own].key == out->key;

	if (target.kind == PR_TARGET_LIO)
		return out->command == PR_REGISTER
			       ? out->initiators_count && own < 0 && names_itself(who, out)
			       : (out->command == PR_PREEMPT ||
				  out->command == PR_PREEMPT_AND_ABORT) &&
					 right && out->service_key == out->key &&
					 model.holder != own;
	if (out->command == PR_REGISTER_AND_MOVE)
		return (own >= 0 && model.holder < 0) || (right && pr_model_holds(&model, who));
	return out->command == PR_PREEMPT && right && out->service_key != 0 && model.holder >= 0 &&
	       pr_type_is_all_registrants(model.type);
}

static void step_out(int who)
{
	static const enum pr_command often[] = {
		PR_REGISTER, PR_REGISTER,	   PR_REGISTER,	    PR_REGISTER_AND_IGNORE,
		PR_RESERVE,  PR_RESERVE,	   PR_RELEASE,	    PR_RELEASE,
		PR_PREEMPT,  PR_PREEMPT,	   PR_PREEMPT,	    PR_PREEMPT_AND_ABORT,
		PR_CLEAR,    PR_REGISTER_AND_MOVE, PR_REPLACE_LOST,
	};
	struct pr_initiator other = pr_target_initiator(&target, (int)dice(3));
	struct pr_out out = { .command = often[dice(sizeof often / sizeof often[0])],
			      .key = own_key(who),
			      .service_key = any_key() };
	int held = model.holder >= 0;

	if (out.command == PR_CLEAR && dice(3) != 0)
		out.command = PR_RESERVE;
	if (out.command == PR_RESERVE || out.command == PR_RELEASE || out.command == PR_PREEMPT)
		/* The one that is there, mostly. */
		out.type = held && dice(4) != 0 ? model.type : types[dice(6)];
	if (out.command == PR_RESERVE && dice(20) == 0)
		out.type = (uint8_t)dice(16);
	if ((out.command == PR_RESERVE || out.command == PR_RELEASE) && dice(20) == 0)
		out.scope = 1;
	if (out.command == PR_REGISTER && dice(12) == 0)
		out.aptpl = 1;
	if (out.command == PR_REGISTER && dice(12) == 0)
		out.all_target_ports = 1;
	if (out.command == PR_REGISTER_AND_MOVE || (out.command == PR_REGISTER && dice(12) == 0)) {
		out.initiators = &other;
		out.initiators_count = 1;
		out.relative_port = 1;
	}
	/* Without the ISID, which is not known here, it would be another initiator port. */
	if (out.initiators_count && target.kind == PR_TARGET_LIO && !target.has_sessions)
		return;
	if (!breaks_target(who, &out))
		both_out(who, &out);
}

/* Parameter lists of any length, service actions that there are not. */
static void step_odd(int who)
{
	static const uint8_t list[40];
	uint8_t cdb[16] = { PR_OUT_OPCODE, (uint8_t)dice(3) };

	if (dice(2) == 0) {
		cdb[1] = (uint8_t)(9 + dice(22));
		cdb[8] = 24;
		both(who, cdb, PR_CDB_BYTES, DISK_TO_DEVICE, list, 24, "no service action");
		return;
	}
	cdb[2] = 5;
	cdb[8] = (uint8_t)(4 + 4 * dice(9));
	if (cdb[8] != 24)
		both(who, cdb, PR_CDB_BYTES, DISK_TO_DEVICE, list, cdb[8], "list of odd length");
}

static void step_data(int who)
{
	static const uint8_t block[512];
	const uint8_t read[16] = { 0x28, [8] = 1 }, write[16] = { 0x2a, [5] = 9, [8] = 1 };

	if (dice(2) == 0)
		both(who, read, 10, DISK_FROM_DEVICE, NULL, sizeof block, "READ(10)");
	else
		both(who, write, 10, DISK_TO_DEVICE, block, sizeof block, "WRITE(10)");
}

static void step_login(int who)
{
	struct err err = { 0 };

	note("%d new session", who);
	pr_model_login(&model, who);
	/* It takes the first attention with it. */
	pr_model_command(&model, who, (const uint8_t[16]){ 0 }, NULL, 0, &ours);
	if (pr_client_login(target.clients[who], &err) != 0)
		fail_msg("%s; %s", err.text, err.next);
}

static void program(unsigned long seed)
{
	seed_now = seed;
	dice_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	clean_slate();
	for (int i = 0; i < STEPS; i++) {
		int who = (int)dice(3);

		switch (dice(16)) {
		case 0:
			both_ready(who);
			break;
		case 1:
		case 2:
			step_data(who);
			break;
		case 3:
			both_in(who, (enum pr_command)dice(PR_REGISTER));
			break;
		case 4:
			step_odd(who);
			break;
		case 5:
			if (dice(3) == 0 && target.has_sessions)
				step_login(who);
			break;
		default:
			step_out(who);
			break;
		}
		both_look();
	}
	attentions_drain();
}

static unsigned long number_of(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text && text[0] ? strtoul(text, NULL, 10) : otherwise;
}

static void test_programs(void **state)
{
	unsigned long seed = number_of("PR_SEED", SEED),
		      programs = number_of("PR_PROGRAMS", PROGRAMS);

	(void)state;
	NEED_TARGET();
	for (unsigned long i = 0; i < programs; i++)
		program(seed + i);
}

/* What the dice seldom bring about: two unit attentions that wait for one port, and what ends APTPL. */
static void test_rare(void **state)
{
	(void)state;
	NEED_TARGET();
	clean_slate();
	for (int who = 0; who < 2; who++)
		both_out(who, &(struct pr_out){ .command = PR_REGISTER,
						.service_key = 0x10u + (unsigned)who });
	both_out(0, &(struct pr_out){ .command = PR_RESERVE, .key = 0x10, .type = 5 });
	both_out(0, &(struct pr_out){ .command = PR_RELEASE, .key = 0x10, .type = 5 });
	both_out(0, &(struct pr_out){
			    .command = PR_PREEMPT, .key = 0x10, .service_key = 0x11, .type = 5 });
	attentions_drain();
	both_out(0, &(struct pr_out){
			    .command = PR_REGISTER, .key = 0x10, .service_key = 0x10, .aptpl = 1 });
	both_in(0, PR_REPORT_CAPABILITIES);
	both_out(0, &(struct pr_out){ .command = PR_CLEAR, .key = 0x10 });
	both_in(0, PR_REPORT_CAPABILITIES);
	attentions_drain();
}

/* ---- the table of access ---- */

static const struct {
	const char *name;
	uint8_t bytes;
	uint8_t cdb[16];
	enum disk_direction direction;
	uint32_t data_bytes;
} commands[] = {
	{ "TEST UNIT READY", 6, { 0x00 }, DISK_NO_DATA, 0 },
	{ "INQUIRY", 6, { 0x12, [4] = 36 }, DISK_FROM_DEVICE, 36 },
	{ "REPORT LUNS", 12, { 0xa0, [9] = 64 }, DISK_FROM_DEVICE, 64 },
	{ "READ CAPACITY(10)", 10, { 0x25 }, DISK_FROM_DEVICE, 8 },
	{ "READ CAPACITY(16)", 16, { 0x9e, 0x10, [13] = 32 }, DISK_FROM_DEVICE, 32 },
	{ "MODE SENSE(6)", 6, { 0x1a, 0, 0x3f, [4] = 64 }, DISK_FROM_DEVICE, 64 },
	{ "READ(6)", 6, { 0x08, [4] = 1 }, DISK_FROM_DEVICE, 512 },
	{ "READ(10)", 10, { 0x28, [8] = 1 }, DISK_FROM_DEVICE, 512 },
	{ "READ(16)", 16, { 0x88, [13] = 1 }, DISK_FROM_DEVICE, 512 },
	{ "VERIFY(10)", 10, { 0x2f, [8] = 1 }, DISK_NO_DATA, 0 },
	{ "WRITE(6)", 6, { 0x0a, [4] = 1 }, DISK_TO_DEVICE, 512 },
	{ "WRITE(10)", 10, { 0x2a, [8] = 1 }, DISK_TO_DEVICE, 512 },
	{ "WRITE(16)", 16, { 0x8a, [13] = 1 }, DISK_TO_DEVICE, 512 },
	{ "SYNCHRONIZE CACHE(10)", 10, { 0x35 }, DISK_NO_DATA, 0 },
	{ "START STOP UNIT, start", 6, { 0x1b, [4] = 1 }, DISK_NO_DATA, 0 },
	{ "WRITE SAME(16)", 16, { 0x93, [13] = 1 }, DISK_TO_DEVICE, 512 },
	{ "COMPARE AND WRITE", 16, { 0x89, [13] = 1 }, DISK_TO_DEVICE, 1024 },
};

/* What the target does not have at all. */
static int target_lacks(uint8_t opcode)
{
	return opcode == (target.kind == PR_TARGET_TGT ? 0x89 : 0x1b);
}

static void access_by_type(uint8_t type)
{
	static const uint8_t block[1024];

	clean_slate();
	for (int who = 0; who < 2; who++)
		both_out(who, &(struct pr_out){ .command = PR_REGISTER,
						.service_key = 0x10u + (unsigned)who });
	both_out(0, &(struct pr_out){ .command = PR_RESERVE, .key = 0x10, .type = type });
	both_look();
	/* holder, registrant, and two that are neither */
	for (size_t c = 0; c < sizeof commands / sizeof commands[0]; c++)
		for (int who = 0; who < INITIATORS && !target_lacks(commands[c].cdb[0]); who++)
			both(who, commands[c].cdb, commands[c].bytes, commands[c].direction, block,
			     commands[c].data_bytes, commands[c].name);
	/* With a third registrant: whom the release is told, and how often. */
	both_out(2, &(struct pr_out){ .command = PR_REGISTER, .service_key = 0x12 });
	both_out(0, &(struct pr_out){ .command = PR_RELEASE, .key = 0x10, .type = type });
	attentions_drain();
}

static void test_access(void **state)
{

	(void)state;
	NEED_TARGET();
	for (size_t t = 0; t < sizeof types / sizeof types[0]; t++)
		access_by_type(types[t]);
}

/* ---- sessions ---- */

static void test_stale_sessions(void **state)
{
	(void)state;
	NEED_TARGET();
	NEED_SESSIONS();
	clean_slate();
	both_out(0, &(struct pr_out){ .command = PR_REGISTER, .service_key = 5 });
	both_out(1, &(struct pr_out){ .command = PR_REGISTER, .service_key = 6 });
	both_out(0, &(struct pr_out){ .command = PR_RESERVE, .key = 5, .type = 5 });
	step_login(0);
	both_look();
	/* Where it belongs to the session: it is there, and yet it is registered no more. */
	assert_int_equal(
		both_out(0, &(struct pr_out){ .command = PR_REGISTER, .key = 5, .service_key = 5 })
			->meaning,
		target.limits.session_registers ? PR_MEANS_CONFLICT : PR_MEANS_GOOD);
	both_out(1,
		 &(struct pr_out){ .command = PR_PREEMPT, .key = 6, .service_key = 5, .type = 5 });
	both_look();
	attentions_drain();
}

/* ---- another client: libiscsi's own commands and readers ---- */

static struct scsi_task *other_reads(struct iscsi_context *iscsi, int lun, int action)
{
	struct scsi_task *task;

	do
		task = iscsi_persistent_reserve_in_sync(iscsi, lun, action, 512);
	while (task && task->status == SCSI_STATUS_CHECK_CONDITION);
	assert_int_equal(task ? task->status : -1, SCSI_STATUS_GOOD);
	return task;
}

static void test_other_client(void **state)
{
	struct iscsi_context *iscsi;
	struct scsi_task *task;
	struct scsi_persistent_reserve_in_read_keys *keys;
	struct scsi_persistent_reserve_in_read_reservation *held;
	struct scsi_persistent_reserve_in_report_capabilities *can;
	struct pr_keys ours_keys;
	struct err err;
	char portal[64], name[128], other[128];
	int lun;

	(void)state;
	NEED_TARGET();
	NEED_SESSIONS();
	pr_target_address(&target, portal, name, &lun);
	clean_slate();
	for (int who = 0; who < 3; who++)
		both_out(who, &(struct pr_out){
				      .command = PR_REGISTER,
				      .service_key = pr_key_make(0xfeedf00d, (uint16_t)who, 9) });
	both_out(1, &(struct pr_out){ .command = PR_RESERVE,
				      .key = pr_key_make(0xfeedf00d, 1, 9),
				      .type = PR_TYPE_EXCLUSIVE_ACCESS_RO });
	snprintf(other, sizeof other, "%s:other", pr_target_iqn());
	iscsi = iscsi_create_context(other);
	assert_non_null(iscsi);
	iscsi_set_targetname(iscsi, name);
	iscsi_set_session_type(iscsi, ISCSI_SESSION_NORMAL);
	assert_int_equal(iscsi_full_connect_sync(iscsi, portal, lun), 0);

	task = other_reads(iscsi, lun, SCSI_PERSISTENT_RESERVE_READ_KEYS);
	keys = scsi_datain_unmarshall(task);
	assert_non_null(keys);
	pr_client_in(target.clients[OBSERVER], PR_READ_KEYS, &theirs);
	assert_int_equal(pr_keys_in(theirs.data, theirs.bytes, &ours_keys, &err), 0);
	assert_int_equal(keys->prgeneration, ours_keys.generation);
	assert_int_equal(keys->num_keys, 3);
	assert_int_equal(ours_keys.count, 3);
	for (int i = 0; i < 3; i++) {
		assert_true(keys->keys[i] == ours_keys.key[i]);
		assert_true(keys->keys[i] == pr_key_make(0xfeedf00d, (uint16_t)i, 9));
	}
	scsi_free_scsi_task(task);

	task = other_reads(iscsi, lun, SCSI_PERSISTENT_RESERVE_READ_RESERVATION);
	held = scsi_datain_unmarshall(task);
	assert_non_null(held);
	assert_int_equal(held->reserved, 1);
	assert_true(held->reservation_key == pr_key_make(0xfeedf00d, 1, 9));
	assert_int_equal(held->pr_type, PR_TYPE_EXCLUSIVE_ACCESS_RO);
	scsi_free_scsi_task(task);

	task = other_reads(iscsi, lun, SCSI_PERSISTENT_RESERVE_REPORT_CAPABILITIES);
	can = scsi_datain_unmarshall(task);
	assert_non_null(can);
	assert_int_equal(can->ptpl_c, !target.limits.no_aptpl);
	assert_int_equal(can->tmv, 1);
	scsi_free_scsi_task(task);
	/* It is not registered, so it may not read. */
	task = iscsi_read10_sync(iscsi, lun, 0, 512, 512, 0, 0, 0, 0, 0);
	assert_int_equal(task ? task->status : -1, SCSI_STATUS_RESERVATION_CONFLICT);
	scsi_free_scsi_task(task);
	iscsi_logout_sync(iscsi);
	iscsi_destroy_context(iscsi);
	attentions_drain();
}

/* ---- the core on the real thing ---- */

static struct pr_core cores[2];
static struct pr_result last[2];

/* Do what the core of node n wants, command by command, until its job is over. */
static void core_do(int n, struct pr_event *event)
{
	static struct pr_keys keys;
	struct pr_actions actions;
	struct pr_event next;
	int is_sent;

	do {
		is_sent = 0;
		event->now = clock_now();
		pr_core_step(&cores[n], event, &actions);
		for (size_t i = 0; i < actions.count; i++) {
			const struct pr_action *a = &actions.list[i];
			struct pr_reservation held;
			struct err err;

			if (a->kind == PR_ACTION_FINISH)
				last[n] = a->result;
			if (a->kind != PR_ACTION_SEND)
				continue;
			is_sent = 1;
			next = (struct pr_event){ .kind = PR_EVENT_ANSWER, .token = a->token };
			if (pr_command_is_out(a->command))
				assert_int_equal(
					pr_client_out(
						target.clients[n],
						&(struct pr_out){ .command = a->command,
								  .key = a->key,
								  .service_key = a->service_key,
								  .type = a->type },
						&theirs, &err),
					0);
			else
				pr_client_in(target.clients[n], a->command, &theirs);
			next.reply = theirs.reply;
			if (theirs.reply.meaning != PR_MEANS_GOOD)
				continue;
			if (a->command == PR_READ_KEYS) {
				assert_int_equal(pr_keys_in(theirs.data, theirs.bytes, &keys, &err),
						 0);
				next.generation = keys.generation;
				next.keys = keys.key;
				next.keys_count = keys.count;
			} else if (a->command == PR_READ_RESERVATION) {
				assert_int_equal(
					pr_reservation_in(theirs.data, theirs.bytes, &held, &err),
					0);
				next.generation = held.generation;
				next.is_held = held.is_held;
				next.holder = held.key;
				next.held_type = held.type;
			}
		}
		event = &next;
	} while (is_sent);
}

static const struct pr_result *core_job(int n, enum pr_job_kind kind, uint64_t admission,
					uint64_t victim)
{
	core_do(n, &(struct pr_event){ .kind = PR_EVENT_JOB,
				       .job = kind,
				       .deadline = mono_add_ms(clock_now(), 20000),
				       .admission = admission,
				       .victim = victim,
				       .type = PR_TYPE_WRITE_EXCLUSIVE_RO });
	return &last[n];
}

/* The "both win" sequence: whoever was ejected may not come back and eject in turn. */
static void test_core(void **state)
{
	const uint64_t a = pr_key_make(7, 1, 1), b = pr_key_make(7, 2, 1);
	static struct pr_keys keys;
	struct err err = { 0 };

	(void)state;
	NEED_TARGET();
	clean_slate();
	pr_core_init(&cores[0], a, 10000);
	pr_core_init(&cores[1], b, 10000);
	for (int n = 0; n < 2; n++) {
		core_do(n, &(struct pr_event){ .kind = PR_EVENT_PATH_UP });
		assert_int_equal(core_job(n, PR_JOB_JOIN, 1, 0)->outcome, PR_DONE);
	}
	assert_int_equal(core_job(0, PR_JOB_RESERVE, 0, 0)->outcome, PR_DONE);
	assert_true(last[0].holds);
	assert_int_equal(core_job(1, PR_JOB_RESERVE, 0, 0)->outcome, PR_CONFLICT);
	assert_true(last[1].holder == a);
	assert_int_equal(core_job(1, PR_JOB_PREEMPT, 0, a)->outcome, PR_DONE);
	if (target.limits.no_abort)
		assert_int_equal(last[1].cause, PR_CAUSE_NO_ABORT);
	assert_true(last[1].holds && last[1].aborted == !target.limits.no_abort);
	assert_int_equal(core_job(0, PR_JOB_PREEMPT, 0, b)->outcome, PR_EJECTED);
	assert_int_equal(core_job(0, PR_JOB_JOIN, 1, 0)->outcome, PR_REFUSED);
	assert_int_equal(core_job(0, PR_JOB_PREEMPT, 0, b)->outcome, PR_REFUSED);
	assert_int_equal(core_job(1, PR_JOB_VERIFY, 0, 0)->outcome, PR_DONE);
	assert_true(last[1].holds);
	/* A new session: where the registration stays behind, that is noticed. */
	if (target.has_sessions)
		assert_int_equal(pr_client_login(target.clients[1], &err), 0);
	core_do(1, &(struct pr_event){ .kind = PR_EVENT_PATH_UP });
	assert_int_equal(core_job(1, PR_JOB_VERIFY, 0, 0)->registered,
			 !(target.limits.session_registers && target.has_sessions));
	assert_int_equal(core_job(1, PR_JOB_JOIN, 2, 0)->outcome, PR_DONE);
	assert_int_equal(core_job(1, PR_JOB_RELEASE, 0, 0)->outcome, PR_DONE);
	assert_false(last[1].is_held);
	assert_int_equal(core_job(1, PR_JOB_LEAVE, 0, 0)->outcome, PR_DONE);
	pr_client_in(target.clients[OBSERVER], PR_READ_KEYS, &theirs);
	while (theirs.reply.meaning == PR_MEANS_ATTENTION)
		pr_client_in(target.clients[OBSERVER], PR_READ_KEYS, &theirs);
	assert_int_equal(pr_keys_in(theirs.data, theirs.bytes, &keys, &err), 0);
	assert_int_equal(keys.total, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stale_sessions), cmocka_unit_test(test_access),
		cmocka_unit_test(test_other_client),   cmocka_unit_test(test_core),
		cmocka_unit_test(test_rare),	       cmocka_unit_test(test_programs),
	};

	return cmocka_run_group_tests(tests, targets_setup, targets_teardown);
}
