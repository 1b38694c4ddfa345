/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watch_core.c - the decisions of watchdogd; see watch_core.h.
 *
 *	            deadline reached             (whatever comes after: never a PET)
 *	PETTING ----------------------> EXPIRED
 *	   |  \---- TEST -------------> TESTING -- STOP, once survived ---> STOPPED
 *	   `------- STOP without clients ---------------------------------> STOPPED
 */
#include "watchdog/watch_core.h"

#include <assert.h>
#include <string.h>

#include "base/timing.h"

/* A century: sums of moments below it do not overflow, whatever an outside clock tells. */
#define STOOD_MAX_NS (INT64_C(100) * 365 * 86400 * 1000 * MONO_NS_PER_MS)

/* ---- out ---- */

static struct watch_action *action_add(struct watch_out *out, enum watch_action_kind kind)
{
	struct watch_action *action = &out->actions[out->count];

	assert(out->count < WATCH_CORE_ACTIONS_MAX);
	out->count++;
	*action = (struct watch_action){ .kind = kind };
	return action;
}

static void trace(struct watch_out *out, enum watch_trace what, const char *name, int64_t number)
{
	struct watch_action *action = action_add(out, WATCH_ACTION_TRACE);

	action->trace = what;
	action->number = number;
	memcpy(action->name, name, strlen(name) + 1);
}

static void answer(struct watch_out *out, enum watch_action_kind kind, uint64_t connection)
{
	action_add(out, kind)->connection = connection;
}

static void refuse(struct watch_out *out, uint64_t connection, enum watch_refusal refusal)
{
	struct watch_action *action = action_add(out, WATCH_ACTION_REFUSE);

	action->connection = connection;
	action->refusal = refusal;
}

/* ---- clients ---- */

static int client_exists(const struct watch_core_client *client)
{
	return client->name[0] != '\0';
}

static mono_t client_deadline(const struct watch_core_client *client)
{
	return mono_add_ms(client->stamp, client->deadline_ms);
}

static struct watch_core_client *client_of(struct watch_core *core, uint64_t connection)
{
	assert(connection != 0);
	for (size_t i = 0; i < WATCH_CORE_CLIENTS_MAX; i++)
		if (client_exists(&core->clients[i]) && core->clients[i].connection == connection)
			return &core->clients[i];
	return NULL;
}

/* The client of that name; for "" a free place. */
static struct watch_core_client *client_named(struct watch_core *core, const char *name)
{
	for (size_t i = 0; i < WATCH_CORE_CLIENTS_MAX; i++)
		if (strcmp(core->clients[i].name, name) == 0)
			return &core->clients[i];
	return NULL;
}

size_t watch_core_clients_count(const struct watch_core *core)
{
	size_t count = 0;

	for (size_t i = 0; i < WATCH_CORE_CLIENTS_MAX; i++)
		count += (size_t)client_exists(&core->clients[i]);
	return count;
}

uint32_t watch_core_left_ms(const struct watch_core *core, const struct watch_core_client *client)
{
	return (uint32_t)mono_left_ms(core->now, client_deadline(client));
}

/* ---- what is promised ---- */

enum watch_proof watch_core_proof(const struct watch_core *core)
{
	enum watch_proof proof = WATCH_PROOF_NONE;

	for (size_t i = 0; i < core->config.devices_count; i++)
		if (!core->config.devices[i].failed && core->config.devices[i].proof > proof)
			proof = core->config.devices[i].proof;
	return proof;
}

uint32_t watch_core_device_ms(const struct watch_core *core)
{
	enum watch_proof proof = watch_core_proof(core);
	uint32_t working_ms = 0, all_ms = 0;

	for (size_t i = 0; i < core->config.devices_count; i++) {
		const struct watch_core_device *device = &core->config.devices[i];

		if (device->timeout_ms > all_ms)
			all_ms = device->timeout_ms;
		if (!device->failed && device->proof == proof && device->timeout_ms > working_ms)
			working_ms = device->timeout_ms;
	}
	return working_ms ? working_ms : all_ms;
}

struct watch_core_terms watch_core_terms(const struct watch_core *core, uint64_t connection)
{
	struct watch_core_terms terms = { .device_ms = watch_core_device_ms(core),
					  .proof = watch_core_proof(core) };

	for (size_t i = 0; i < WATCH_CORE_CLIENTS_MAX; i++)
		if (client_exists(&core->clients[i]) && core->clients[i].connection == connection)
			terms.deadline_ms = core->clients[i].deadline_ms;
	terms.bound_ms = timing_reset_bound_ms(terms.deadline_ms, terms.device_ms);
	return terms;
}

/* ---- time ---- */

static void standstill_add(struct watch_core *core, const struct watch_event *event,
			   struct watch_out *out)
{
	int64_t stood_ns = event->stood_ns;

	if (stood_ns > STOOD_MAX_NS - core->stood_ns)
		stood_ns = STOOD_MAX_NS - core->stood_ns;
	if (stood_ns <= 0)
		return;
	if (core->steps_count == WATCH_CORE_STEPS_MAX) {
		core->steps_count--;
		memmove(core->steps, core->steps + 1, core->steps_count * sizeof core->steps[0]);
		/* What is as old as the forgotten ones looks older than it is: the safe side. */
		core->steps[0].before_ns = 0;
	}
	core->steps[core->steps_count].until = event->now;
	core->steps[core->steps_count].before_ns = core->stood_ns;
	core->steps_count++;
	core->stood_ns += stood_ns;
	trace(out, WATCH_TRACE_STOOD_STILL, "", stood_ns / MONO_NS_PER_MS);
}

/* A moment of CLOCK_BOOTTIME as effective time. Somewhere between the last look at the outside
 * clock and `until` the machine stood still: what is stamped then counts as before it. */
static mono_t effective(const struct watch_core *core, mono_t moment)
{
	int64_t stood_ns = core->stood_ns;

	for (size_t i = core->steps_count; i-- > 0;)
		if (moment.ns <= core->steps[i].until.ns)
			stood_ns = core->steps[i].before_ns;
	return (mono_t){ moment.ns + stood_ns };
}

/* The way back, for a moment that is not past. */
static mono_t boottime(const struct watch_core *core, mono_t moment)
{
	return mono_is_never(moment) ? MONO_NEVER : (mono_t){ moment.ns - core->stood_ns };
}

static mono_t first_deadline(const struct watch_core *core)
{
	mono_t first = MONO_NEVER;

	for (size_t i = 0; i < WATCH_CORE_CLIENTS_MAX; i++)
		if (client_exists(&core->clients[i]))
			first = mono_min(first, client_deadline(&core->clients[i]));
	return first;
}

static mono_t next_wake(const struct watch_core *core)
{
	switch (core->state) {
	case WATCH_STATE_PETTING:
		return mono_min(first_deadline(core), mono_min(core->pet_at, core->look_at));
	case WATCH_STATE_EXPIRED:
	case WATCH_STATE_TESTING:
		return core->again_at;
	case WATCH_STATE_STOPPED:
		break;
	}
	return MONO_NEVER;
}

mono_t watch_deadline(const struct watch_core *core)
{
	return core->wake;
}

/* Early warning: wake-ups that come late will one day come too late. */
static void lateness_note(struct watch_core *core, const struct watch_event *event,
			  struct watch_out *out)
{
	int64_t late_ms = mono_is_never(core->wake) ? 0 : mono_diff_ms(core->wake, event->now);

	if (late_ms > UINT32_MAX)
		late_ms = UINT32_MAX;
	if (late_ms > (int64_t)core->latest_ms)
		core->latest_ms = (uint32_t)late_ms;
	if (late_ms > (int64_t)core->interval_ms)
		trace(out, WATCH_TRACE_WOKE_LATE, "", late_ms);
}

/* ---- the end ---- */

static void reset(struct watch_core *core, struct watch_out *out, enum watch_expiry how,
		  const char *name, int64_t late_ms)
{
	struct watch_action *action = action_add(out, WATCH_ACTION_RESET);

	action->how = how;
	action->number = late_ms;
	memcpy(action->name, name, strlen(name) + 1);
	core->again_at = MONO_NEVER;
	core->again_reset = 0;
}

/* Do what was configured for a deadline that was reached at `deadline`. To switch off runs every
 * driver's shutdown, which may hang on a dead disk, and by then the kernel has stopped some
 * watchdogs; a crash kernel may not be there; devices may not do what they tell. So if the machine
 * still runs at deadline + W, the plain reset follows, inside the bound; when it is that late
 * already, or no device works that it was left to, at once. A device that it was left to is given
 * half of the grain besides, for what its driver rounds; the other half is for the reset itself. */
static void reset_begin(struct watch_core *core, struct watch_out *out, mono_t deadline,
			const char *name)
{
	uint32_t device_ms = watch_core_device_ms(core);
	mono_t again_at = mono_add_ms(deadline, device_ms);
	enum watch_expiry how = core->config.expiry;

	if (how == WATCH_EXPIRY_HARDWARE)
		again_at = mono_add_ms(again_at, timing_grain_ms(device_ms) / 2);
	if ((how == WATCH_EXPIRY_OFF && mono_reached(core->now, again_at)) ||
	    (how == WATCH_EXPIRY_HARDWARE &&
	     (mono_reached(core->now, again_at) || watch_core_proof(core) == WATCH_PROOF_NONE)))
		how = WATCH_EXPIRY_REBOOT;
	if (how != WATCH_EXPIRY_HARDWARE)
		reset(core, out, how, name, mono_diff_ms(deadline, core->now));
	if (how != WATCH_EXPIRY_REBOOT) {
		core->again_at = again_at;
		core->again_reset = 1;
	}
}

static void expiry_check(struct watch_core *core, const struct watch_event *event,
			 struct watch_out *out)
{
	const struct watch_core_client *first = NULL;

	for (size_t i = 0; i < WATCH_CORE_CLIENTS_MAX; i++) {
		const struct watch_core_client *client = &core->clients[i];

		if (!client_exists(client) || !mono_reached(core->now, client_deadline(client)))
			continue;
		trace(out, WATCH_TRACE_EXPIRED, client->name,
		      mono_diff_ms(client_deadline(client), core->now));
		if (!first || mono_before(client_deadline(client), client_deadline(first)))
			first = client;
	}
	if (!first)
		return;
	core->state = WATCH_STATE_EXPIRED;
	core->again_at = MONO_NEVER;
	reset_begin(core, out, client_deadline(first), first->name);
	if (event->kind != WATCH_EVENT_PETTED)
		return;
	trace(out, WATCH_TRACE_LANDED_LATE, "", mono_diff_ms(core->petted, core->now));
	/* The device counts from too late a moment to keep the bound by itself. */
	if (core->config.expiry == WATCH_EXPIRY_HARDWARE && core->again_reset)
		reset(core, out, WATCH_EXPIRY_REBOOT, first->name,
		      mono_diff_ms(client_deadline(first), core->now));
}

/* The machine should be gone by now. */
static void again_check(struct watch_core *core, struct watch_out *out)
{
	int64_t since_ms;

	if (!mono_reached(core->now, core->again_at))
		return;
	since_ms = mono_diff_ms(core->petted, core->now);
	if (core->again_reset) {
		trace(out, WATCH_TRACE_STILL_ALIVE, "", since_ms);
		reset(core, out, WATCH_EXPIRY_REBOOT, "", 0);
		return;
	}
	core->again_at = MONO_NEVER;
	trace(out, WATCH_TRACE_SURVIVED, "", since_ms);
}

/* ---- events ---- */

static int name_is_good(const char *name)
{
	size_t length = strnlen(name, WATCH_NAME_BYTES);

	return length > 0 && length < WATCH_NAME_BYTES && strspn(name, WATCH_NAME_CHARS) == length;
}

/* The reason why nothing new is taken in this state; -1 for none. */
static int state_refusal(const struct watch_core *core)
{
	switch (core->state) {
	case WATCH_STATE_PETTING:
		return -1;
	case WATCH_STATE_EXPIRED:
		return WATCH_REFUSED_LATE;
	case WATCH_STATE_TESTING:
	case WATCH_STATE_STOPPED:
		break;
	}
	return WATCH_REFUSED_STATE;
}

/* Where a renewal counts from; 0 when it claims to come from the future. */
static int stamp_read(const struct watch_core *core, const struct watch_event *event, mono_t *stamp)
{
	*stamp = core->now;
	if (event->since_ns == 0)
		return 1;
	if (event->since_ns > event->now.ns)
		return 0;
	*stamp = effective(core, (mono_t){ event->since_ns });
	return 1;
}

/* The reason why a registration is not taken, -1 for none; else the place for it. */
static int register_check(struct watch_core *core, const struct watch_event *event, mono_t stamp,
			  int stamp_is_good, struct watch_core_client **place)
{
	int refusal = state_refusal(core);

	*place = NULL;
	if (refusal >= 0)
		return refusal;
	if (!name_is_good(event->name) || event->deadline_ms < WATCH_DEADLINE_MIN_MS ||
	    event->deadline_ms > WATCH_DEADLINE_MAX_MS)
		return WATCH_REFUSED_NAME;
	if (client_of(core, event->connection))
		return WATCH_REFUSED_STATE;
	if (!stamp_is_good || mono_reached(core->now, mono_add_ms(stamp, event->deadline_ms)))
		return WATCH_REFUSED_TIME;
	*place = client_named(core, event->name);
	if (!*place)
		*place = client_named(core, "");
	else if ((*place)->connection == 0 && event->uid != 0 && event->uid != (*place)->uid)
		return WATCH_REFUSED_RIGHT;
	return !*place || (*place)->connection != 0 ? WATCH_REFUSED_BUSY : -1;
}

static void event_register(struct watch_core *core, const struct watch_event *event,
			   struct watch_out *out)
{
	struct watch_core_client *client;
	mono_t stamp;
	int stamp_is_good = stamp_read(core, event, &stamp);
	int refusal = register_check(core, event, stamp, stamp_is_good, &client);

	if (refusal >= 0) {
		refuse(out, event->connection, (enum watch_refusal)refusal);
		return;
	}
	if (watch_core_clients_count(core) == 0)
		answer(out, WATCH_ACTION_MARK, 0);
	if (client_exists(client))
		trace(out, WATCH_TRACE_TAKEN_OVER, client->name, watch_core_left_ms(core, client));
	core->replaced = *client;
	*client = (struct watch_core_client){
		.connection = event->connection,
		.pid = event->pid,
		.uid = event->uid,
		.deadline_ms = event->deadline_ms,
		.least_left_ms = event->deadline_ms,
		.stamp = stamp,
	};
	memcpy(client->name, event->name, strlen(event->name) + 1);
	core->look_at = core->config.looking
				? mono_min(core->look_at, mono_add_ms(core->now, TIMING_LOOK_MS))
				: MONO_NEVER;
	trace(out, WATCH_TRACE_REGISTERED, client->name, client->deadline_ms);
	answer(out, WATCH_ACTION_TERMS, event->connection);
}

/* As if it had never come: whose place it took over is back, its deadline with it. */
static void event_undo(struct watch_core *core, const struct watch_event *event,
		       struct watch_out *out)
{
	struct watch_core_client *client = client_of(core, event->connection);

	if (!client || core->state != WATCH_STATE_PETTING)
		return;
	trace(out, WATCH_TRACE_UNDONE, client->name, 0);
	*client = core->replaced;
	if (watch_core_clients_count(core) == 0)
		answer(out, WATCH_ACTION_UNMARK, 0);
}

static void event_renew(struct watch_core *core, const struct watch_event *event,
			struct watch_out *out)
{
	struct watch_core_client *client = client_of(core, event->connection);
	int refusal = state_refusal(core);
	uint32_t left_ms;
	mono_t stamp;

	if (refusal < 0 && !client)
		refusal = WATCH_REFUSED_STATE;
	if (refusal < 0 && !stamp_read(core, event, &stamp))
		refusal = WATCH_REFUSED_TIME;
	if (refusal >= 0) {
		refuse(out, event->connection, (enum watch_refusal)refusal);
		return;
	}
	left_ms = watch_core_left_ms(core, client);
	if (left_ms < client->least_left_ms)
		client->least_left_ms = left_ms;
	client->renewals++;
	if (mono_before(client->stamp, stamp))
		client->stamp = stamp;
	answer(out, WATCH_ACTION_TERMS, event->connection);
}

static void event_goodbye(struct watch_core *core, const struct watch_event *event,
			  struct watch_out *out)
{
	struct watch_core_client *client = client_of(core, event->connection);
	int refusal = state_refusal(core);

	if (refusal < 0 && !client)
		refusal = WATCH_REFUSED_STATE;
	if (refusal >= 0) {
		refuse(out, event->connection, (enum watch_refusal)refusal);
		return;
	}
	trace(out, WATCH_TRACE_GOODBYE, client->name, watch_core_left_ms(core, client));
	*client = (struct watch_core_client){ .connection = 0 };
	if (watch_core_clients_count(core) == 0)
		answer(out, WATCH_ACTION_UNMARK, 0);
	answer(out, WATCH_ACTION_BYE, event->connection);
}

static void event_gone(struct watch_core *core, const struct watch_event *event,
		       struct watch_out *out)
{
	struct watch_core_client *client = client_of(core, event->connection);

	if (!client)
		return;
	client->connection = 0;
	trace(out, WATCH_TRACE_GONE, client->name, watch_core_left_ms(core, client));
}

static void event_test(struct watch_core *core, const struct watch_event *event,
		       struct watch_out *out)
{
	size_t own = client_of(core, event->connection) ? 1 : 0;
	int refusal = state_refusal(core);
	mono_t survived_at;

	if (refusal < 0 && event->uid != 0)
		refusal = WATCH_REFUSED_RIGHT;
	if (refusal < 0 && watch_core_clients_count(core) > own)
		refusal = WATCH_REFUSED_CLIENTS;
	if (refusal >= 0) {
		refuse(out, event->connection, (enum watch_refusal)refusal);
		return;
	}
	core->state = WATCH_STATE_TESTING;
	trace(out, WATCH_TRACE_TESTING, "", event->by);
	answer(out, WATCH_ACTION_TERMS, event->connection);
	/* Until then the machine is gone, or what is tested does not work. */
	survived_at = mono_add_ms(core->now, timing_reset_bound_ms(0, watch_core_device_ms(core)));
	core->again_at = survived_at;
	core->again_reset = 0;
	if (event->by == WATCH_TEST_SELF)
		reset_begin(core, out, core->now, "");
	if (mono_is_never(core->again_at))
		core->again_at = survived_at;
}

static void event_stop(struct watch_core *core, struct watch_out *out)
{
	size_t clients = watch_core_clients_count(core);

	if (core->state == WATCH_STATE_STOPPED)
		return;
	if (core->state == WATCH_STATE_TESTING && !mono_is_never(core->again_at)) {
		trace(out, WATCH_TRACE_STOP_IN_TEST, "", mono_diff_ms(core->now, core->again_at));
		return;
	}
	for (size_t i = 0; i < WATCH_CORE_CLIENTS_MAX; i++)
		if (client_exists(&core->clients[i]))
			trace(out, WATCH_TRACE_STOP_REFUSED, core->clients[i].name, 0);
	if (clients > 0)
		return;
	core->state = WATCH_STATE_STOPPED;
	action_add(out, WATCH_ACTION_DISARM);
}

static void event_tick(struct watch_core *core, struct watch_out *out)
{
	if (core->state != WATCH_STATE_PETTING)
		return;
	core->look_at = core->config.looking && watch_core_clients_count(core) > 0
				? mono_add_ms(core->now, TIMING_LOOK_MS)
				: MONO_NEVER;
	if (!mono_reached(core->now, core->pet_at))
		return;
	core->pets++;
	core->petted = core->now;
	core->pet_at = mono_add_ms(core->now, core->interval_ms);
	action_add(out, WATCH_ACTION_PET)->until = boottime(core, first_deadline(core));
}

static void event_petted(struct watch_core *core, const struct watch_event *event,
			 struct watch_out *out)
{
	for (size_t i = 0; i < core->config.devices_count; i++) {
		if (event->errors[i] == 0 || core->config.devices[i].failed)
			continue;
		core->config.devices[i].failed = 1;
		trace(out, WATCH_TRACE_DEVICE_FAILED, "", (int64_t)i);
	}
}

void watch_step(struct watch_core *core, const struct watch_event *event, struct watch_out *out)
{
	mono_t now;

	out->count = 0;
	if (event->kind == WATCH_EVENT_TICK)
		lateness_note(core, event, out);
	standstill_add(core, event, out);
	now = (mono_t){ event->now.ns + core->stood_ns };
	if (mono_before(core->now, now))
		core->now = now;
	if (core->state == WATCH_STATE_PETTING)
		expiry_check(core, event, out);
	else
		again_check(core, out);
	switch (event->kind) {
	case WATCH_EVENT_TICK:
		event_tick(core, out);
		break;
	case WATCH_EVENT_PETTED:
		event_petted(core, event, out);
		break;
	case WATCH_EVENT_REGISTER:
		event_register(core, event, out);
		break;
	case WATCH_EVENT_RENEW:
		event_renew(core, event, out);
		break;
	case WATCH_EVENT_GOODBYE:
		event_goodbye(core, event, out);
		break;
	case WATCH_EVENT_UNDO:
		event_undo(core, event, out);
		break;
	case WATCH_EVENT_GONE:
		event_gone(core, event, out);
		break;
	case WATCH_EVENT_TEST:
		event_test(core, event, out);
		break;
	case WATCH_EVENT_STOP:
		event_stop(core, out);
		break;
	}
	core->wake = boottime(core, next_wake(core));
}

void watch_init(struct watch_core *core, const struct watch_core_config *config, mono_t now)
{
	assert(config->devices_count > 0 && config->devices_count <= WATCH_CORE_DEVICES_MAX);
	*core = (struct watch_core){ .config = *config,
				     .state = WATCH_STATE_PETTING,
				     .interval_ms = UINT32_MAX,
				     .now = now,
				     .pet_at = now,
				     .look_at = MONO_NEVER,
				     .petted = now,
				     .again_at = MONO_NEVER,
				     .wake = now };
	for (size_t i = 0; i < config->devices_count; i++) {
		uint32_t interval_ms = timing_pet_interval_ms(config->devices[i].timeout_ms,
							      config->devices[i].pretimeout_ms);

		if (interval_ms < core->interval_ms)
			core->interval_ms = interval_ms;
	}
}
