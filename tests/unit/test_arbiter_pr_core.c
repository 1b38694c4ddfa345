/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: base lockd/arbiter_pr_core.c lockd/arbiter_pr_core_read.c pkg:cmocka
 *
 * test_arbiter_pr_core.c - told scenarios of the cluster lock by reservations: each command that a
 * claim sends, and what follows from each answer. The random ones are in test_arbiter_pr_sim.c.
 *
 * A narrative is a list of words: "take1" (RESERVE on disk 1), "eject1:KEY", "keys1", "look1", "read1",
 * "write1 EPOCH/MBAL/BAL VALUE [!EPOCH]" (what is decided after the "!"), "granted", "lost VALUE",
 * "unknown NODE".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/pr.h"
#include "lockd/arbiter_pr_core.h"

static struct pra_core core;
static char narrative[8192];
static uint64_t tokens[PRA_DISKS_MAX];
static struct pra_place places[PRA_DISKS_MAX][3];
static mono_t now;

static uint64_t key(unsigned node, unsigned incarnation)
{
	return pr_key_make(1, (uint16_t)node, (uint16_t)incarnation);
}

static void tell(struct pra_event event)
{
	struct pra_actions actions;

	event.now = now;
	narrative[0] = '\0';
	pra_core_step(&core, &event, &actions);
	for (size_t i = 0; i < actions.count; i++) {
		const struct pra_action *a = &actions.list[i];
		const struct pra_place *p = a->place;
		char *at = narrative + strlen(narrative);
		unsigned d = a->disk + 1;

		if (at != narrative)
			*at++ = ' ';
		if (a->kind != PRA_ANSWER && a->token)
			tokens[a->disk] = a->token;
		switch (a->kind) {
		case PRA_TAKE:
			sprintf(at, "take%u", d);
			break;
		case PRA_EJECT:
			sprintf(at, "eject%u:%u.%u", d, pr_key_node(a->key),
				pr_key_incarnation(a->key));
			break;
		case PRA_KEYS:
			sprintf(at, "keys%u", d);
			break;
		case PRA_LOOK:
			sprintf(at, "look%u", d);
			break;
		case PRA_READ:
			sprintf(at, "read%u", d);
			break;
		case PRA_WRITE:
			at += sprintf(at, "write%u %llu/%llu/%llu %.*s", d,
				      (unsigned long long)p->epoch, (unsigned long long)p->mbal,
				      (unsigned long long)p->bal, p->value.bytes,
				      (const char *)p->value.data);
			if (p->decided_epoch)
				sprintf(at, "!%llu", (unsigned long long)p->decided_epoch);
			break;
		case PRA_ANSWER:
			if (a->outcome == PRA_GRANTED)
				sprintf(at, "granted");
			else if (a->outcome == PRA_LOST && a->value)
				sprintf(at, "lost %.*s", a->value->bytes,
					(const char *)a->value->data);
			else if (a->outcome == PRA_LOST)
				sprintf(at, "nothing");
			else
				sprintf(at, "unknown %u", a->claimant);
			break;
		}
	}
}

#define IS(words) assert_string_equal(narrative, words)

static void in(unsigned d, uint64_t holder)
{
	tell((struct pra_event){ .kind = PRA_EVENT_IN, .disk = d - 1, .holder = holder });
}

static void claim(uint64_t epoch, uint64_t members)
{
	tell((struct pra_event){ .kind = PRA_EVENT_CLAIM,
				 .epoch = epoch,
				 .members = members,
				 .value = (const uint8_t *)"ours",
				 .value_bytes = 4,
				 .deadline = mono_add_ms(now, 1000) });
}

static void job(unsigned d, enum pra_job outcome, uint64_t holder)
{
	tell((struct pra_event){ .kind = PRA_EVENT_JOB,
				 .disk = d - 1,
				 .token = tokens[d - 1],
				 .job = outcome,
				 .holder = holder,
				 .holds = holder == core.key });
}

/* `other` 0: only ours */
static void keys(unsigned d, uint32_t generation, uint64_t other)
{
	const uint64_t list[] = { core.key, other };

	tell((struct pra_event){ .kind = PRA_EVENT_JOB,
				 .disk = d - 1,
				 .token = tokens[d - 1],
				 .job = PRA_JOB_GOOD,
				 .generation = generation,
				 .keys = list,
				 .keys_count = other ? 2 : 1 });
}

static void read_done(unsigned d)
{
	tell((struct pra_event){ .kind = PRA_EVENT_READ,
				 .disk = d - 1,
				 .token = tokens[d - 1],
				 .places = places[d - 1],
				 .places_count = 3 });
}

static void written(unsigned d, int rc)
{
	tell((struct pra_event){
		.kind = PRA_EVENT_WRITTEN, .disk = d - 1, .token = tokens[d - 1], .rc = rc });
}

static struct pra_value value(unsigned node, const char *text)
{
	struct pra_value v = { .node = (uint16_t)node, .bytes = (uint16_t)strlen(text) };

	memcpy(v.data, text, v.bytes);
	return v;
}

static void begin(unsigned disks)
{
	now = (mono_t){ MONO_NS_PER_MS };
	memset(places, 0, sizeof places);
	pra_core_init(&core, key(1, 1), 1, disks, 0);
}

/* As far as the places, on one disk that nobody holds. */
static void begin_reading(void)
{
	begin(1);
	in(1, 0);
	claim(5, 1);
	IS("take1");
	job(1, PRA_JOB_GOOD, 0);
	IS("keys1");
	keys(1, 9, 0);
	IS("read1");
}

static void three_read(uint64_t other);

static void test_alone(void **state)
{
	(void)state;
	begin_reading();
	read_done(1);
	/* (0 + generation 9 + 1) * 64 + 0; alone, so this decides */
	IS("write1 5/640/640 ours!5");
	written(1, 0);
	IS("granted");
}

static void test_ballots_rise(void **state)
{
	(void)state;
	begin_reading();
	places[0][2] = (struct pra_place){ .epoch = 5, .mbal = 20 * 64 + 2 };
	read_done(1);
	IS("write1 5/1920/1920 ours!5");
}

static void test_others_are_ejected_and_others_checked(void **state)
{
	(void)state;
	begin(1);
	in(1, key(1, 1));
	claim(5, 1 | 4);
	IS("keys1");
	tell((struct pra_event){
		.kind = PRA_EVENT_JOB,
		.token = tokens[0],
		.job = PRA_JOB_GOOD,
		.keys = (const uint64_t[]){ key(1, 1), key(2, 3), key(3, 1), key(1, 7) },
		.keys_count = 4 });
	IS("eject1:2.3");
	job(1, PRA_JOB_GOOD, 0);
	IS("eject1:1.7");
	job(1, PRA_JOB_CONFLICT, 0);
	IS("read1");
	read_done(1);
	IS("write1 5/64/64 ours");
	written(1, 0);
	IS("keys1");
	keys(1, 4, key(3, 1));
	IS("write1 5/64/64 ours!5 granted");
}

static void test_ejected_before_the_check(void **state)
{
	(void)state;
	begin(1);
	in(1, key(1, 1));
	claim(5, 1 | 4);
	keys(1, 1, key(3, 1));
	read_done(1);
	written(1, 0);
	IS("keys1");
	job(1, PRA_JOB_EJECTED, key(3, 1));
	IS("read1");
	places[0][2] = (struct pra_place){ .decided_epoch = 5, .decided = value(3, "theirs") };
	read_done(1);
	IS("lost theirs");
}

/* A target that refuses READ KEYS (a LUN that is not mapped any more) shows nothing, least of all that
 * our key is there. */
static void test_a_refused_look_proves_nothing(void **state)
{
	static const enum pra_job refusals[] = { PRA_JOB_CONFLICT, PRA_JOB_READ_BACK,
						 PRA_JOB_FAILED };

	(void)state;
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		/* of ACCEPT */
		begin(1);
		in(1, key(1, 1));
		claim(5, 1 | 4);
		keys(1, 1, key(3, 1));
		read_done(1);
		IS("write1 5/128/128 ours");
		written(1, 0);
		IS("keys1");
		job(1, refusals[i], 0);
		IS("unknown 0");
		assert_false(core.disks[0].reigns || core.disks[0].has_holder);
		/* of step 1 */
		begin(1);
		in(1, key(1, 1));
		core.disks[0].is_alone = 1;
		claim(5, 1);
		IS("keys1");
		job(1, refusals[i], 0);
		IS("read1");
		read_done(1);
		IS("unknown 0");
		assert_false(core.disks[0].reigns || core.disks[0].is_alone);
		/* of PROMISE: the others go on */
		three_read(key(3, 1));
		for (unsigned d = 1; d <= 3; d++)
			written(d, 0);
		keys(1, 1, key(3, 1));
		keys(2, 1, key(3, 1));
		job(3, refusals[i], 0);
		IS("write1 5/128/128 early write2 5/128/128 early");
	}
	/* nor do keys without ours */
	begin(1);
	in(1, key(1, 1));
	claim(5, 1 | 4);
	keys(1, 1, key(3, 1));
	read_done(1);
	written(1, 0);
	tell((struct pra_event){ .kind = PRA_EVENT_JOB,
				 .token = tokens[0],
				 .job = PRA_JOB_GOOD,
				 .keys = (const uint64_t[]){ key(3, 1) },
				 .keys_count = 1 });
	IS("read1");
	assert_false(core.disks[0].is_in);
}

/* What comes at the deadline begins nothing more, and what was begun before knows the deadline. */
static void test_the_deadline_begins_nothing(void **state)
{
	struct pra_actions actions;
	struct pra_event last = { .kind = PRA_EVENT_JOB, .job = PRA_JOB_GOOD };
	mono_t deadline;

	(void)state;
	begin(1);
	in(1, 0);
	deadline = mono_add_ms(now, 1000);
	pra_core_step(&core,
		      &(struct pra_event){ .kind = PRA_EVENT_CLAIM,
					   .now = now,
					   .epoch = 5,
					   .members = 1,
					   .value = (const uint8_t *)"ours",
					   .value_bytes = 4,
					   .deadline = deadline },
		      &actions);
	assert_int_equal(actions.count, 1);
	assert_int_equal(actions.list[0].deadline.ns, deadline.ns);
	last.token = actions.list[0].token;
	now = deadline;
	tell(last);
	IS("unknown 0");
	begin_reading();
	now = mono_add_ms(now, 1000);
	read_done(1);
	IS("unknown 0");
	begin_reading();
	read_done(1);
	now = mono_add_ms(now, 1000);
	written(1, RC_BUSY);
	IS("unknown 0");
}

static void test_a_refused_write_yields(void **state)
{
	(void)state;
	begin_reading();
	read_done(1);
	written(1, RC_PRIVILEGE);
	IS("read1");
	read_done(1);
	IS("");
	now = mono_add_ms(now, PRA_POLL_MS);
	tell((struct pra_event){ .kind = PRA_EVENT_TIME });
	IS("read1");
	read_done(1);
	now = mono_add_ms(now, 1000);
	tell((struct pra_event){ .kind = PRA_EVENT_TIME });
	IS("unknown 0");
}

static void test_the_holder(void **state)
{
	(void)state;
	begin(1);
	in(1, key(2, 1));
	claim(5, 1);
	IS("eject1:2.1");
	job(1, PRA_JOB_GOOD, 0);
	IS("keys1");
	/* somebody else was faster */
	begin(1);
	in(1, key(2, 1));
	claim(5, 1);
	job(1, PRA_JOB_CONFLICT, key(3, 1));
	IS("eject1:3.1");
	/* its outcome was read back, and it is not ours */
	job(1, PRA_JOB_READ_BACK, 0);
	IS("take1");
	/* a member is not ejected, once it is seen that it holds */
	begin(1);
	in(1, key(2, 1));
	claim(5, 3);
	IS("look1");
	job(1, PRA_JOB_GOOD, key(2, 1));
	IS("unknown 2");
	/* another cluster's is not ejected either */
	begin(1);
	in(1, pr_key_make(99, 2, 1));
	claim(5, 1);
	IS("look1");
	job(1, PRA_JOB_GOOD, pr_key_make(99, 2, 1));
	IS("read1");
	read_done(1);
	IS("unknown 0");
}

static void test_a_new_session_is_no_reign(void **state)
{
	(void)state;
	begin(1);
	in(1, key(1, 1));
	tell((struct pra_event){ .kind = PRA_EVENT_OUT });
	in(1, 0);
	claim(5, 1);
	IS("take1");
	/* nor is what the unit has told of in between */
	begin_reading();
	tell((struct pra_event){ .kind = PRA_EVENT_SHAKEN });
	read_done(1);
	IS("take1");
	/* while the write was under way */
	begin_reading();
	read_done(1);
	tell((struct pra_event){ .kind = PRA_EVENT_SHAKEN });
	written(1, 0);
	IS("keys1");
	/* and a session that may repeat commands is checked whatever the keys */
	begin(1);
	core.careful = 1;
	in(1, key(1, 1));
	claim(5, 1);
	keys(1, 1, 0);
	read_done(1);
	IS("write1 5/128/128 ours");
	written(1, 0);
	IS("keys1");
}

static void test_what_was_there(void **state)
{
	(void)state;
	/* two values: the higher ballot's */
	begin_reading();
	places[0][1] = (struct pra_place){
		.epoch = 5, .mbal = 129, .bal = 129, .value = value(2, "low")
	};
	places[0][2] = (struct pra_place){
		.epoch = 5, .mbal = 194, .bal = 194, .value = value(3, "high")
	};
	read_done(1);
	IS("write1 5/832/832 high!5");
	written(1, 0);
	IS("lost high");
	/* decided */
	begin_reading();
	places[0][1] = (struct pra_place){ .decided_epoch = 5, .decided = value(2, "done") };
	read_done(1);
	IS("lost done");
	/* a newer epoch has begun */
	begin_reading();
	places[0][1] = (struct pra_place){ .epoch = 6, .mbal = 65 };
	read_done(1);
	IS("unknown 0");
	/* a damaged place */
	begin_reading();
	places[0][1] = (struct pra_place){ .is_bad = 1 };
	read_done(1);
	IS("read1");
	read_done(1);
	IS("unknown 0");
	/* two decisions of one epoch are a fault */
	begin_reading();
	places[0][1] = (struct pra_place){ .decided_epoch = 5, .decided = value(2, "one") };
	places[0][2] = (struct pra_place){ .decided_epoch = 5, .decided = value(3, "two") };
	read_done(1);
	IS("unknown 0");
	assert_int_equal(core.why.rc, RC_INTERNAL);
}

static void three_read(uint64_t other)
{
	begin(3);
	for (unsigned d = 1; d <= 3; d++)
		in(d, key(1, 1));
	/* our own place on disk 1 holds an earlier acceptance */
	places[0][0] = (struct pra_place){
		.epoch = 5, .mbal = 64, .bal = 64, .value = value(2, "early")
	};
	claim(5, other ? 1 | 4 : 1);
	for (unsigned d = 1; d <= 3; d++) {
		keys(d, 1, other);
		read_done(d);
	}
}

static void test_three_disks_promise_first(void **state)
{
	(void)state;
	three_read(0);
	IS("write1 5/128/64 early write2 5/128/0  write3 5/128/0 ");
	written(1, 0);
	IS("");
	written(2, 0);
	IS("");
	written(3, 0);
	IS("write1 5/128/128 early write2 5/128/128 early write3 5/128/128 early");
	written(1, 0);
	written(2, 0);
	IS("");
	written(3, RC_TIMEOUT);
	IS("write1 5/128/128 early!5 write2 5/128/128 early!5 lost early");
}

static void test_three_disks_highest_ballot(void **state)
{
	(void)state;
	begin(3);
	for (unsigned d = 1; d <= 3; d++) {
		in(d, key(1, 1));
		places[d - 1][d - 1] = (struct pra_place){
			.epoch = 5,
			.mbal = 64 * (5 - d),
			.bal = 64 * (5 - d),
			.value = value(d, d == 1 ? "high" : "low"),
		};
	}
	claim(5, 1);
	for (unsigned d = 1; d <= 3; d++) {
		keys(d, 1, 0);
		read_done(d);
	}
	for (unsigned d = 1; d <= 3; d++)
		written(d, 0);
	IS("write1 5/320/320 high write2 5/320/320 high write3 5/320/320 high");
}

static void test_a_guest_is_not_alone(void **state)
{
	(void)state;
	begin(1);
	in(1, 0);
	tell((struct pra_event){ .kind = PRA_EVENT_GUESTS, .deadline = mono_add_ms(now, 50) });
	claim(5, 1);
	job(1, PRA_JOB_GOOD, 0);
	keys(1, 9, 0);
	read_done(1);
	IS("write1 5/640/640 ours");
	written(1, 0);
	IS("keys1");
	/* the admission has ended, and nobody came */
	now = mono_add_ms(now, 50);
	keys(1, 9, 0);
	claim(6, 1);
	keys(1, 9, 0);
	read_done(1);
	IS("write1 6/640/640 ours!6");
}

static void test_three_disks_check_the_promise(void **state)
{
	(void)state;
	three_read(key(3, 1));
	written(1, 0);
	IS("keys1");
	written(2, 0);
	written(3, 0);
	keys(1, 1, key(3, 1));
	keys(2, 1, key(3, 1));
	IS("");
	/* ejected on one: yield on all */
	job(3, PRA_JOB_EJECTED, key(3, 1));
	IS("read1 read2 read3");
}

static void test_three_disks_need_two(void **state)
{
	(void)state;
	begin(3);
	in(1, key(1, 1));
	claim(5, 1);
	keys(1, 1, 0);
	read_done(1);
	IS("read1 read2 read3");
	read_done(1);
	read_done(2);
	read_done(3);
	IS("unknown 0");
}

static void test_record(void **state)
{
	(void)state;
	begin(1);
	tell((struct pra_event){ .kind = PRA_EVENT_RECORD, .deadline = mono_add_ms(now, 99) });
	IS("read1");
	read_done(1);
	IS("nothing");
	places[0][1] = (struct pra_place){ .decided_epoch = 5, .decided = value(2, "done") };
	tell((struct pra_event){ .kind = PRA_EVENT_RECORD, .deadline = mono_add_ms(now, 99) });
	read_done(1);
	IS("lost done");
	places[0][2] = (struct pra_place){
		.epoch = 6, .mbal = 66, .bal = 66, .value = value(3, "open")
	};
	tell((struct pra_event){ .kind = PRA_EVENT_RECORD, .deadline = mono_add_ms(now, 99) });
	read_done(1);
	IS("unknown 3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_ballots_rise),
		cmocka_unit_test(test_others_are_ejected_and_others_checked),
		cmocka_unit_test(test_ejected_before_the_check),
		cmocka_unit_test(test_a_refused_look_proves_nothing),
		cmocka_unit_test(test_the_deadline_begins_nothing),
		cmocka_unit_test(test_a_refused_write_yields),
		cmocka_unit_test(test_the_holder),
		cmocka_unit_test(test_a_new_session_is_no_reign),
		cmocka_unit_test(test_what_was_there),
		cmocka_unit_test(test_three_disks_promise_first),
		cmocka_unit_test(test_three_disks_highest_ballot),
		cmocka_unit_test(test_a_guest_is_not_alone),
		cmocka_unit_test(test_three_disks_check_the_promise),
		cmocka_unit_test(test_three_disks_need_two),
		cmocka_unit_test(test_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
