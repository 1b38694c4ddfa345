/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: base watchdog/watch_core.c pkg:cmocka
 *
 * test_watch_sim.c - watchdogd's core in a machine that is treated badly, judged by an oracle that
 * shares no code with it.
 *
 * Each run is a seed: devices, clients that come, renew, vanish and lie about the time, a process
 * that is stopped for any time between any two steps, also between the clock and the pet, and in
 * half of the runs a hypervisor that pauses the machine. The oracle keeps for every client the
 * moment of true time that its last renewal counts from, as the world sees it, and for every device
 * when it fires. It demands:
 *  - no pet is ordered when a registered client's deadline has passed, nor ever after a reset was
 *    ordered, a test begun, or the devices disarmed;
 *  - once a deadline has passed, the next step of any kind says so;
 *  - no reset without a deadline that has passed or a test, and one only, but for the fallback;
 *  - no disarming while a client is registered;
 *  - the marker is there exactly while clients are;
 *  - pets come in every interval as long as all is well;
 *  - without pauses: wherever the process dies for good, the machine is reset no later than the
 *    bound that was promised to each client, as long as one of the devices that count works.
 * WATCH_SIM_SEED=n plays one seed, WATCH_SIM_RUNS=n that many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "watchdog/watch_core.h"

enum { RUNS = 20000, STEPS = 120, NAMES = 6, CONNECTIONS = 12, PAUSES_MAX = STEPS };

#define NEVER INT64_MAX

struct oracle_client {
	int registered;
	uint64_t connection;
	int64_t lease_ms;
	int64_t stamp_ms; /* true time, as late as it can have been */
	int64_t early_ms; /* as early as it can have been: see time_true() */
	uint32_t bound_ms;
};

static struct {
	uint64_t seed, random;
	struct watch_core core;
	struct watch_core_config config;

	/* The world: true time, and this machine's clock, which pauses leave behind. */
	int64_t true_ms, boot_ms;
	int64_t told_stood_ms; /* pauses that the core was not told of yet */
	struct {
		int64_t from_boot_ms, to_boot_ms; /* found at `to`, happened after `from` */
		int64_t length_ms;
	} pauses[PAUSES_MAX];
	size_t pauses_count;
	int64_t looked_boot_ms;

	struct oracle_client clients[NAMES];
	int pauses_allowed;
	int resets, over, tested, disarmed, marked;
	int64_t last_pet_ms;			   /* ordered, true time; -1: never */
	int64_t landed_ms[WATCH_CORE_DEVICES_MAX]; /* last restart of the device */
	int broken[WATCH_CORE_DEVICES_MAX];
	int works_in_fact[WATCH_CORE_DEVICES_MAX];
	int64_t reset_ms; /* watchdogd's own, believed to work */
} sim;

static void broken_rule(const char *rule) __attribute__((noreturn));

static void broken_rule(const char *rule)
{
	fail_msg("seed %llu at %lld ms: %s", (unsigned long long)sim.seed, (long long)sim.true_ms,
		 rule);
	abort();
}

static uint64_t draw(uint64_t below)
{
	/* xorshift64* */
	sim.random ^= sim.random >> 12;
	sim.random ^= sim.random << 25;
	sim.random ^= sim.random >> 27;
	return (sim.random * UINT64_C(2685821657736338717) >> 33) % below;
}

static const char *const names[NAMES] = { "a", "b", "c", "d", "e", "f" };

/* ---- the world's time ---- */

/* True time when this machine's clock said boot_ms. A pause that was found at `to` may have been at
 * any moment since the look before; the core must count on the worse of both. */
static int64_t time_true(int64_t boot_ms, int early)
{
	int64_t true_ms = boot_ms;

	for (size_t i = 0; i < sim.pauses_count; i++)
		if (early ? boot_ms > sim.pauses[i].to_boot_ms
			  : boot_ms > sim.pauses[i].from_boot_ms)
			true_ms += sim.pauses[i].length_ms;
	return true_ms;
}

static void time_pass(int64_t ms)
{
	sim.true_ms += ms;
	sim.boot_ms += ms;
}

/* The machine stands still, right now: the clock it has goes on from here. */
static void machine_pause(int64_t ms)
{
	sim.pauses[sim.pauses_count].from_boot_ms = sim.boot_ms;
	sim.pauses[sim.pauses_count].to_boot_ms = NEVER; /* not found yet */
	sim.pauses[sim.pauses_count].length_ms = ms;
	sim.pauses_count++;
	sim.true_ms += ms;
	sim.told_stood_ms += ms;
}

/* ---- the oracle ---- */

static int any_deadline_passed(int early)
{
	for (size_t i = 0; i < NAMES; i++) {
		const struct oracle_client *client = &sim.clients[i];

		if (client->registered &&
		    sim.true_ms >= (early ? client->early_ms : client->stamp_ms) + client->lease_ms)
			return 1;
	}
	return 0;
}

static int deadlines_passed_by(int64_t ms)
{
	for (size_t i = 0; i < NAMES; i++)
		if (sim.clients[i].registered &&
		    sim.true_ms >= sim.clients[i].stamp_ms + sim.clients[i].lease_ms + ms)
			return 1;
	return 0;
}

static size_t clients_registered(void)
{
	size_t count = 0;

	for (size_t i = 0; i < NAMES; i++)
		count += (size_t)sim.clients[i].registered;
	return count;
}

static struct oracle_client *client_of(uint64_t connection)
{
	for (size_t i = 0; i < NAMES; i++)
		if (sim.clients[i].registered && sim.clients[i].connection == connection)
			return &sim.clients[i];
	return NULL;
}

static uint32_t promised_device_ms(enum watch_proof *proof)
{
	uint32_t longest_ms[3] = { 0 }, all_ms = 0;

	for (size_t i = 0; i < sim.config.devices_count; i++) {
		const struct watch_core_device *device = &sim.config.devices[i];

		if (device->timeout_ms > all_ms)
			all_ms = device->timeout_ms;
		if (!sim.broken[i] && device->timeout_ms > longest_ms[device->proof])
			longest_ms[device->proof] = device->timeout_ms;
	}
	for (*proof = WATCH_PROOF_HARDWARE; *proof > WATCH_PROOF_NONE; (*proof)--)
		if (longest_ms[*proof])
			return longest_ms[*proof];
	return longest_ms[0] ? longest_ms[0] : all_ms;
}

static void stamps_take(struct oracle_client *client, const struct watch_event *event)
{
	int64_t boot_ms = event->since_ns ? event->since_ns / MONO_NS_PER_MS : sim.boot_ms;
	int64_t stamp_ms = event->since_ns ? time_true(boot_ms, 0) : sim.true_ms;
	int64_t early_ms = event->since_ns ? time_true(boot_ms, 1) : sim.true_ms;

	if (stamp_ms > client->stamp_ms)
		client->stamp_ms = stamp_ms;
	if (early_ms > client->early_ms)
		client->early_ms = early_ms;
}

/* The core took what the event asked for. */
static void terms_note(const struct watch_event *event)
{
	struct watch_core_terms terms = watch_core_terms(&sim.core, event->connection);
	struct oracle_client *client;
	enum watch_proof proof;
	uint32_t device_ms = promised_device_ms(&proof);

	if (terms.device_ms != device_ms || terms.proof != proof)
		broken_rule("W or its proof is not what the devices give");
	if (event->kind == WATCH_EVENT_TEST) {
		if (event->uid != 0 ||
		    clients_registered() > (client_of(event->connection) ? 1 : 0))
			broken_rule("a test that should have been refused");
		sim.tested = sim.over = 1;
		return;
	}
	if (sim.over)
		broken_rule("taken though all is over");
	if (event->since_ns > event->now.ns)
		broken_rule("a stamp from the future was taken");
	if (event->kind == WATCH_EVENT_REGISTER) {
		client = &sim.clients[event->name[0] - 'a'];
		if (client->registered && client->connection != 0)
			broken_rule("a live name was given away");
		*client = (struct oracle_client){ .registered = 1,
						  .connection = event->connection,
						  .lease_ms = event->deadline_ms,
						  .stamp_ms = INT64_MIN,
						  .early_ms = INT64_MIN };
	} else {
		client = client_of(event->connection);
		if (!client)
			broken_rule("a renewal of nobody was taken");
	}
	stamps_take(client, event);
	client->bound_ms = terms.bound_ms;
	if ((int64_t)terms.bound_ms < client->lease_ms + device_ms)
		broken_rule("the bound is shorter than L + W");
}

static void reset_note(const struct watch_action *action, int64_t waited_ms)
{
	enum watch_proof proof;

	if (sim.resets == 0 && !any_deadline_passed(1) && !sim.tested)
		broken_rule("reset without a deadline that has passed");
	if (sim.resets > 1 || (sim.resets == 1 && (action->how != WATCH_EXPIRY_REBOOT ||
						   sim.config.expiry == WATCH_EXPIRY_REBOOT)))
		broken_rule("more resets than one and its fallback");
	if (action->how == WATCH_EXPIRY_HARDWARE)
		broken_rule("reset by the hardware is no reset");
	/* What is left to the devices is so for W; unless none works, or they count from too late. */
	if (sim.config.expiry == WATCH_EXPIRY_HARDWARE && !waited_ms && !sim.tested &&
	    !deadlines_passed_by(promised_device_ms(&proof)) && proof != WATCH_PROOF_NONE)
		broken_rule("it should have been left to the devices");
	sim.resets++;
	sim.over = 1;
	if (sim.reset_ms == NEVER)
		sim.reset_ms = sim.true_ms;
}

static void action_judge(const struct watch_action *action, const struct watch_event *event,
			 int64_t waited_ms)
{
	switch (action->kind) {
	case WATCH_ACTION_PET:
		if (sim.over || sim.disarmed)
			broken_rule("a pet after the end");
		if (any_deadline_passed(0))
			broken_rule("a pet though a deadline has passed");
		sim.last_pet_ms = sim.true_ms;
		break;
	case WATCH_ACTION_RESET:
		reset_note(action, waited_ms);
		break;
	case WATCH_ACTION_DISARM:
		if (clients_registered() > 0 || (sim.over && !sim.tested))
			broken_rule("disarmed while a client is registered");
		sim.disarmed = sim.over = 1;
		break;
	case WATCH_ACTION_MARK:
	case WATCH_ACTION_UNMARK:
		if (sim.marked == (action->kind == WATCH_ACTION_MARK))
			broken_rule("marked twice");
		sim.marked = !sim.marked;
		break;
	case WATCH_ACTION_TERMS:
		terms_note(event);
		break;
	case WATCH_ACTION_BYE:
		if (sim.over || !client_of(event->connection))
			broken_rule("a goodbye that should have been refused");
		client_of(event->connection)->registered = 0;
		break;
	case WATCH_ACTION_REFUSE:
	case WATCH_ACTION_TRACE:
		break;
	}
}

/* ---- the process ---- */

static void feed(struct watch_event event);

/* Has a device fired? It does so by itself, whatever it counts for; then nothing happens here any
 * more. A pause stops the machine's devices with it, which is why they are left out then. */
static int machine_gone(void)
{
	for (size_t i = 0; i < sim.config.devices_count && !sim.pauses_allowed; i++)
		if (sim.works_in_fact[i] && !sim.disarmed &&
		    sim.true_ms >= sim.landed_ms[i] + sim.config.devices[i].timeout_ms)
			return 1;
	return 0;
}

/* The pets themselves: at one moment any time may go by, before the look at the clock or after it;
 * what is late by then is not petted. Two stalls in one round of pets are the two faults in a row
 * that claim 4 of timing.h leaves open. */
static void devices_pet(mono_t until)
{
	struct watch_event petted = { .kind = WATCH_EVENT_PETTED };
	int stalled = 0;

	for (size_t i = 0; i < sim.config.devices_count; i++) {
		if (draw(40) == 0 && !stalled++)
			time_pass((int64_t)draw(3000));
		if (sim.boot_ms * MONO_NS_PER_MS >= until.ns)
			continue;
		/* Here is the stall that no look at the clock before it can see. */
		if (draw(40) == 0 && !stalled++)
			time_pass((int64_t)draw(3000));
		if (machine_gone())
			return;
		if (draw(100) == 0)
			sim.works_in_fact[i] = 0;
		petted.errors[i] = sim.works_in_fact[i] || draw(2) ? 0 : 5;
		if (petted.errors[i])
			sim.broken[i] = 1;
		else
			sim.landed_ms[i] = sim.true_ms;
	}
	if (!machine_gone())
		feed(petted);
}

/* One step of the core at this moment, what it says judged and done. */
static void feed(struct watch_event event)
{
	struct watch_out out;
	mono_t until = MONO_NEVER;
	int pet = 0;

	/* What the core is told, it has found at this moment. */
	for (size_t i = 0; i < sim.pauses_count; i++)
		if (sim.pauses[i].to_boot_ms == NEVER)
			sim.pauses[i].to_boot_ms = sim.boot_ms;
	event.now = (mono_t){ sim.boot_ms * MONO_NS_PER_MS };
	event.stood_ns = sim.told_stood_ms * MONO_NS_PER_MS;
	sim.told_stood_ms = 0;
	watch_step(&sim.core, &event, &out);
	if (any_deadline_passed(0) && !sim.over) {
		/* It must say so now, whatever the event is; what it orders is judged below. */
		if (sim.core.state != WATCH_STATE_EXPIRED)
			broken_rule("a deadline has passed and nothing happens");
	}
	for (size_t i = 0; i < out.count; i++) {
		if (pet)
			broken_rule("an action behind a pet");
		action_judge(&out.actions[i], &event, event.kind == WATCH_EVENT_PETTED);
		pet = out.actions[i].kind == WATCH_ACTION_PET;
		if (pet)
			until = out.actions[i].until;
	}
	if (sim.core.state == WATCH_STATE_EXPIRED) {
		if (!sim.over && !any_deadline_passed(1))
			broken_rule("expired without a deadline that has passed");
		sim.over = 1;
	}
	if (!sim.over && (clients_registered() > 0) != sim.marked)
		broken_rule("the marker does not tell whether there are clients");
	if (pet)
		devices_pet(until);
}

static void deadline_judge(void)
{
	mono_t wake = watch_deadline(&sim.core);

	if (sim.over)
		return;
	if (mono_is_never(wake))
		broken_rule("it would sleep for ever");
	for (size_t i = 0; i < NAMES; i++) {
		const struct oracle_client *client = &sim.clients[i];

		if (client->registered && wake.ns / MONO_NS_PER_MS - sim.boot_ms >
						  client->stamp_ms + client->lease_ms - sim.true_ms)
			broken_rule("it would sleep beyond a deadline");
	}
	if (sim.last_pet_ms >= 0)
		for (size_t i = 0; i < sim.config.devices_count; i++)
			if (sim.true_ms + wake.ns / MONO_NS_PER_MS - sim.boot_ms >
			    sim.true_ms + (int64_t)sim.config.devices[i].timeout_ms / 4 + 1)
				broken_rule("it would sleep beyond a pet");
}

/* ---- what happens to it ---- */

static void clients_act(void)
{
	struct watch_event event = { .connection = 1 + draw(CONNECTIONS) };

	event.pid = 1;
	switch (draw(16)) {
	case 0:
	case 1:
	case 2:
		event.kind = WATCH_EVENT_REGISTER;
		event.name = names[draw(NAMES)];
		event.deadline_ms = (uint32_t)(100 + draw(20000));
		break;
	case 3:
	case 4:
		event.kind = WATCH_EVENT_GOODBYE;
		break;
	case 5:
		event.kind = WATCH_EVENT_GONE;
		if (client_of(event.connection))
			client_of(event.connection)->connection = 0;
		break;
	case 6:
		if (draw(20) == 0) {
			event.kind = WATCH_EVENT_TEST;
			event.by = (enum watch_test)draw(2);
			event.uid = (uint32_t)draw(2);
			break;
		}
		event.kind = WATCH_EVENT_RENEW;
		break;
	case 7:
		if (draw(8) == 0) {
			event.kind = WATCH_EVENT_STOP;
			break;
		}
		event.kind = WATCH_EVENT_RENEW;
		break;
	default:
		event.kind = WATCH_EVENT_RENEW;
		break;
	}
	if (draw(3) == 0)
		event.since_ns = (sim.boot_ms - (int64_t)draw(6000) + 300) * MONO_NS_PER_MS;
	feed(event);
}

/* Sleep until the core wants to be woken, or something comes before. */
static void sleep_some(void)
{
	mono_t wake = watch_deadline(&sim.core);
	int64_t left_ms = mono_is_never(wake) ? 5000 : wake.ns / MONO_NS_PER_MS - sim.boot_ms;

	if (left_ms > 0 && draw(2))
		left_ms = (int64_t)draw((uint64_t)left_ms + 1);
	if (left_ms > 0)
		time_pass(left_ms);
	/* SIGSTOP, a busy machine, a suspended one. */
	if (draw(60) == 0)
		time_pass((int64_t)draw(30000));
	if (sim.pauses_allowed && draw(15) == 0)
		machine_pause((int64_t)draw(8000));
}

static void machine_make(uint64_t seed)
{
	memset(&sim, 0, sizeof sim);
	sim.seed = seed;
	sim.random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
	sim.reset_ms = NEVER;
	sim.last_pet_ms = -1;
	sim.pauses_allowed = seed % 2 != 0;
	sim.config.expiry = (enum watch_expiry)draw(4);
	sim.config.looking = sim.pauses_allowed;
	sim.config.devices_count = 1 + draw(WATCH_CORE_DEVICES_MAX);
	for (size_t i = 0; i < sim.config.devices_count; i++) {
		struct watch_core_device *device = &sim.config.devices[i];

		device->proof = (enum watch_proof)draw(3);
		device->timeout_ms = (uint32_t)(1 + draw(30)) * 1000;
		sim.works_in_fact[i] = 1;
	}
	watch_init(&sim.core, &sim.config, (mono_t){ 0 });
}

/* The process is killed for good, here. Every client that was promised something and had not said
 * goodbye sees the machine reset in time, by watchdogd before, or by a device. */
static void death_judge(void)
{
	enum watch_proof proof;
	uint32_t device_ms = promised_device_ms(&proof);
	int64_t fires_ms = sim.reset_ms;
	int counts = 0;

	for (size_t i = 0; i < sim.config.devices_count; i++) {
		const struct watch_core_device *device = &sim.config.devices[i];

		if (device->proof != proof || sim.broken[i] || !sim.works_in_fact[i])
			continue;
		counts = 1;
		if (sim.landed_ms[i] + device->timeout_ms < fires_ms)
			fires_ms = sim.landed_ms[i] + device->timeout_ms;
	}
	if (!counts || sim.disarmed || sim.tested)
		return;
	for (size_t i = 0; i < NAMES; i++) {
		const struct oracle_client *client = &sim.clients[i];

		if (client->registered &&
		    fires_ms > client->stamp_ms + client->lease_ms + (int64_t)device_ms + 1000)
			broken_rule("the machine outlives the bound");
	}
}

static void run_play(uint64_t seed)
{
	machine_make(seed);
	feed((struct watch_event){ .kind = WATCH_EVENT_TICK });
	for (size_t i = 0; i < STEPS && !machine_gone(); i++) {
		deadline_judge();
		sleep_some();
		if (machine_gone())
			break;
		feed((struct watch_event){ .kind = WATCH_EVENT_TICK });
		if (draw(4) && !machine_gone())
			clients_act();
		/* What a dead process leaves behind, at each step: without pauses, for a paused
		 * machine its devices stand still as well. */
		if (!sim.pauses_allowed && !machine_gone())
			death_judge();
	}
}

static void machines_are_safe(void **state)
{
	const char *seed = getenv("WATCH_SIM_SEED"), *runs = getenv("WATCH_SIM_RUNS");
	uint64_t count = runs ? strtoull(runs, NULL, 10) : RUNS;
	uint64_t ends[4] = { 0 };

	(void)state;
	if (seed) {
		run_play(strtoull(seed, NULL, 10));
		return;
	}
	for (uint64_t i = 1; i <= count; i++) {
		run_play(i);
		ends[sim.core.state]++;
	}
	/* The runs must reach every state, or they judge nothing. */
	for (size_t i = 0; i < 4; i++)
		assert_true(ends[i] > count / 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(machines_are_safe),
	};

	return cmocka_run_group_tests_name("watch_sim", tests, NULL, NULL);
}
