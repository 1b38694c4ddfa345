/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_lockd_lock_io.c - lockd's part for named locks, with the daemon and the slots faked: what comes out of
 * the daemon while the part is at work, what of it a new beginning ends, how often those who wait look.
 *
 * LINK: diskhb host base lockd/lockd_lock_io.c lockd/lockd_lock_say_io.c lockd/lockd_lock_list_io.c lockd/lock_core.c lockd/lock_core_fate.c pkg:jansson
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/clock.h"
#include "lockd/lockd_lock_io.h"
#include "lockd/lockd_parts.h"

enum { SLOTS = 4, LEASE_MS = 60000, READS_MAX = 256, WAITERS = 60 };

struct read {
	uint64_t token;
	lock_slot_done *done;
	void *context;
};

static struct lockd lockd = {
	.super = { .nodes_max = 2, .locks_max = SLOTS },
	.config = { .node = 1, .lease_ms = LEASE_MS },
	.options = { .node = 1, .lease_ms = LEASE_MS, .run_dir = "/nonexistent" },
};
static void *data;
static struct read reads[READS_MAX];
static size_t reads_count;
static unsigned claims, rests, failed;
static int failed_rc;
static void (*at_rest)(void);
static mono_t lease_until;
static pid_t child;

/* ---- the daemon ---- */

void **lockd_data(struct lockd *of, const struct lockd_part *part)
{
	(void)of, (void)part;
	return &data;
}

mono_t lockd_lease_until(const struct lockd *of)
{
	(void)of;
	return lease_until;
}

int lockd_rest_begin(struct lockd *of, struct err *err)
{
	(void)of;
	if (at_rest) {
		at_rest();
		return err_set(err, RC_STATE, NULL, "no lease");
	}
	rests++;
	return 0;
}

void lockd_rest_end(struct lockd *of)
{
	(void)of;
	rests--;
}

const char *lockd_node_name(const struct lockd *of, uint16_t node)
{
	(void)of, (void)node;
	return "x";
}

void lockd_event(struct lockd *of, enum lockd_topic topic, json_t *fields)
{
	(void)of, (void)topic;
	json_decref(fields);
}

void lockd_log(enum lockd_weight weight, const char *fmt, ...)
{
	(void)weight, (void)fmt;
}

void lockd_say(struct lockd *of, enum lockd_weight weight, const char *fmt, ...)
{
	(void)of, (void)weight, (void)fmt;
}

void lockd_call_ok(struct lockd_call *call, json_t *fields)
{
	(void)call, (void)fields;
	fail();
}

void lockd_call_fail(struct lockd_call *call, const struct err *err)
{
	(void)call;
	failed++;
	failed_rc = err->rc;
}

void lockd_call_progress(struct lockd_call *call, const char *word, json_t *fields)
{
	(void)call, (void)word;
	json_decref(fields);
}

int lockd_call_text(const struct lockd_call *call, const char *member, int required,
		    const char **value, struct err *err)
{
	const char *text = json_string_value(json_object_get(call->request, member));

	(void)required, (void)err;
	if (text)
		*value = text;
	return 0;
}

int lockd_call_number(const struct lockd_call *call, const char *member, int required,
		      int64_t least, int64_t most, int64_t *value, struct err *err)
{
	const json_t *number = json_object_get(call->request, member);

	(void)required, (void)least, (void)most, (void)err;
	if (number)
		*value = json_integer_value(number);
	return 0;
}

/* ---- slots and families ---- */

struct lock_slots *lock_slots_open(struct lockd *of)
{
	(void)of;
	return NULL;
}

void lock_slots_join(struct lock_slots *slots, uint32_t incarnation, uint32_t nonce)
{
	(void)slots, (void)incarnation, (void)nonce;
	reads_count = 0;
}

void lock_slot_read(struct lock_slots *slots, uint32_t slot, uint64_t token, lock_slot_done *done,
		    void *context)
{
	(void)slots, (void)slot;
	assert_true(reads_count < READS_MAX);
	reads[reads_count++] = (struct read){ token, done, context };
}

void lock_slot_claim(struct lock_slots *slots, uint32_t slot, uint64_t term,
		     const struct lock_term *value, uint64_t token, lock_slot_done *done,
		     void *context)
{
	(void)slots, (void)slot, (void)term, (void)value, (void)token, (void)done, (void)context;
	claims++;
}

void lock_slots_forget(struct lock_slots *slots, const void *context)
{
	(void)slots;
	for (size_t i = 0; i < reads_count; i++)
		if (reads[i].context == context)
			reads[i--] = reads[--reads_count];
}

void lock_slots_answered(struct lock_slots *slots, unsigned d, const struct disk_answer *answer)
{
	(void)slots, (void)d, (void)answer;
}

void lock_slots_path(struct lock_slots *slots, unsigned d, int what)
{
	(void)slots, (void)d, (void)what;
}

void lock_slots_close(struct lock_slots *slots)
{
	(void)slots;
}

int lock_families_end_old(struct lockd *of, struct err *err)
{
	(void)of, (void)err;
	return 0;
}

int lock_family_open(struct lockd *of, const char *name, const struct family *family,
		     lock_family_empty *empty, void *context, struct lock_family **opened,
		     struct err *err)
{
	(void)of, (void)name, (void)family, (void)empty, (void)context, (void)err;
	*opened = NULL;
	return 0;
}

void lock_family_end(struct lock_family *family, int is_ended)
{
	(void)family, (void)is_ended;
}

void lock_family_free(struct lock_family *family, int is_over)
{
	(void)family, (void)is_over;
}

/* ---- the world ---- */

static void note(enum hb_note_kind kind)
{
	const struct hb_note said = { .kind = kind, .value = 1 };

	lockd_lock_part.noted(&lockd, &said);
}

static int begin(void **state)
{
	struct err err;

	(void)state;
	reads_count = 0;
	claims = rests = failed = 0;
	at_rest = NULL;
	lease_until = mono_add_ms(clock_now(), LEASE_MS);
	lockd.loop = (uv_loop_t){ 0 };
	assert_int_equal(uv_loop_init(&lockd.loop), 0);
	assert_int_equal(lockd_lock_part.begin(&lockd, &err), 0);
	note(HB_NOTE_ACTIVE);
	child = fork();
	if (child == 0) {
		/* A test that crashes leaves nobody behind. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0);
		pause();
		_exit(0);
	}
	assert_true(child > 0);
	setpgid(child, child);
	return 0;
}

static int end(void **state)
{
	(void)state;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	lockd_lock_part.end(&lockd);
	uv_run(&lockd.loop, UV_RUN_DEFAULT);
	return uv_loop_close(&lockd.loop);
}

static void run(struct lockd_call *call, const char *op)
{
	const struct lockd_op *ops = lockd_lock_part.ops;

	call->lockd = &lockd;
	call->pid = getpid();
	while (strcmp(ops->name, op) != 0)
		ops++;
	ops->run(call);
}

static void ask(struct lockd_call *call, unsigned number)
{
	char name[16];
	json_t *request;

	snprintf(name, sizeof name, "lock%u", number);
	request = json_pack("{s:s, s:i, s:s}", "name", name, "pgid", (int)child, "tag",
			    "HOLDFAST_LOCK_ID=0a");
	*call = (struct lockd_call){ .request = request };
	run(call, "lock");
	json_decref(request);
	call->request = NULL;
}

static void answer_free(void)
{
	const struct lock_slot_answer nothing = { .rc = 0 };
	const struct read read = reads[0];

	assert_true(reads_count > 0);
	memmove(reads, reads + 1, --reads_count * sizeof reads[0]);
	read.done(read.token, &nothing, read.context);
}

/* ---- tests ---- */

static void lose_lease(void)
{
	lease_until = (mono_t){ INT64_MIN };
	note(HB_NOTE_LEASE_LOST);
}

static void die(void)
{
	lease_until = (mono_t){ INT64_MIN };
	lockd_lock_part.dying(&lockd);
	note(HB_NOTE_PEER);
}

/* Whether it may rest on the lease is asked inside a step, and the answer can be that the lease has
 * just ended. */
static void the_lease_ends_while_a_lock_is_claimed(void **state)
{
	struct lockd_call call;

	(void)state;
	at_rest = lose_lease;
	ask(&call, 1);
	answer_free();
	assert_int_equal(claims, 0);
	assert_int_equal(rests, 0);
}

static void the_node_dies_while_a_lock_is_claimed(void **state)
{
	struct lockd_call call;

	(void)state;
	at_rest = die;
	ask(&call, 1);
	answer_free();
	assert_int_equal(claims, 0);
	assert_int_equal(rests, 0);
	assert_int_equal(failed, 1);
}

static void a_list_ends_when_the_node_begins_anew(void **state)
{
	struct lockd_call calls[2] = { 0 };
	json_t *request = json_object();

	(void)state;
	for (int i = 0; i < 2; i++) {
		calls[i].request = request;
		run(&calls[i], "locks");
	}
	assert_int_equal(reads_count, 2);
	lose_lease();
	assert_int_equal(failed, 0);
	lease_until = mono_add_ms(clock_now(), LEASE_MS);
	note(HB_NOTE_ACTIVE);
	assert_int_equal(failed, 2);
	assert_int_equal(failed_rc, RC_STATE);
	json_decref(request);
}

static void a_crowd_looks_less_often(void **state)
{
	static struct lockd_call calls[WAITERS];

	(void)state;
	for (unsigned i = 0; i < WAITERS; i++) {
		static struct lock_term other = { .kind = LOCK_HELD, .node = 2, .incarnation = 1 };
		const struct lock_slot_answer held = { .term = 1, .told = &other };
		struct read read;

		ask(&calls[i], i);
		assert_true(reads_count > 0);
		read = reads[--reads_count];
		snprintf(other.name, sizeof other.name, "lock%u", i);
		read.done(read.token, &held, read.context);
		assert_int_equal(((struct lockd_locks *)data)->core.config.poll_ms,
				 i + 1 < 16 ? 250 : 250 * ((i + 1) / 8));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_lease_ends_while_a_lock_is_claimed, begin, end),
		cmocka_unit_test_setup_teardown(the_node_dies_while_a_lock_is_claimed, begin, end),
		cmocka_unit_test_setup_teardown(a_list_ends_when_the_node_begins_anew, begin, end),
		cmocka_unit_test_setup_teardown(a_crowd_looks_less_often, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
