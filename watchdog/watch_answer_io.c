/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watch_answer_io.c - watchdogd's answers; see watch_answer_io.h.
 */
#include "watchdog/watch_answer_io.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/timing.h"
#include "watchdog/client/watch_wire.h"
#include "watchdog/watch_log_io.h"
#include "watchdog/watch_outside_io.h"

static int packet_send(int fd, const struct watch_packet *packet)
{
	uint8_t bytes[WATCH_WIRE_BYTES_MAX];
	size_t length = watch_wire_out(packet, bytes);

	return send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)length ? 0 : -1;
}

int answer_terms(int fd, const struct watch_core *core, uint64_t connection)
{
	struct watch_core_terms terms = watch_core_terms(core, connection);
	struct watch_packet packet = { .type = WATCH_TERMS };

	packet.terms = (struct watch_terms){ .deadline_ms = terms.deadline_ms,
					     .device_ms = terms.device_ms,
					     .bound_ms = terms.bound_ms,
					     .proof = (uint8_t)terms.proof,
					     .state = (uint8_t)core->state };
	return packet_send(fd, &packet);
}

void answer_bye(int fd)
{
	packet_send(fd, &(struct watch_packet){ .type = WATCH_BYE });
}

void answer_refused(int fd, enum watch_refusal refusal)
{
	static const char see_status[] = "look at holdfast watchdog status";
	static const struct {
		const char *text, *next;
	} words[] = {
		[WATCH_REFUSED_VERSION] = { "no packet of the version that watchdogd speaks",
					    "use library and watchdogd of one release" },
		[WATCH_REFUSED_NAME] = { "name or deadline are out of range",
					 "name: 1 to 31 of a-z A-Z 0-9 . _ -; deadline: 100 to "
					 "3600000 ms" },
		[WATCH_REFUSED_TIME] = { "the renewal counts from the future, or is late already",
					 "take CLOCK_BOOTTIME, in nanoseconds" },
		[WATCH_REFUSED_BUSY] = { "a live client has this name, or there is no room for "
					 "more",
					 see_status },
		[WATCH_REFUSED_STATE] = { "not registered, registered already, or watchdogd is "
					  "testing or stopping",
					  see_status },
		[WATCH_REFUSED_LATE] = { "a deadline has passed: the machine is being reset", "" },
		[WATCH_REFUSED_CLIENTS] = { "clients are registered: a test would reset the "
					    "machine under them",
					    "stop them first; see holdfast watchdog status" },
		[WATCH_REFUSED_RIGHT] = { "this user may not do that",
					  "be root, or the user that registered the name" },
		[WATCH_REFUSED_MARK] = { "watchdogd cannot note on disk that it is relied on",
					 "see its log; is the folder of its socket still there?" },
	};
	struct watch_packet packet = { .type = WATCH_REFUSED };

	packet.refused.reason = (uint8_t)refusal;
	packet.refused.version = WATCH_WIRE_VERSION;
	snprintf(packet.refused.text, sizeof packet.refused.text, "%s", words[refusal].text);
	snprintf(packet.refused.next, sizeof packet.refused.next, "%s", words[refusal].next);
	packet_send(fd, &packet);
}

static void client_send(int fd, const struct watch_core *core,
			const struct watch_core_client *client)
{
	struct watch_packet packet = { .type = WATCH_CLIENT };

	packet.client = (struct watch_client){
		.pid = client->pid,
		.uid = client->uid,
		.deadline_ms = client->deadline_ms,
		.left_ms = watch_core_left_ms(core, client),
		.least_left_ms = client->least_left_ms,
		.renewals = client->renewals,
		.connected = client->connection != 0,
	};
	memcpy(packet.client.name, client->name, sizeof client->name);
	packet_send(fd, &packet);
}

void answer_status(int fd, const struct watch_core *core, const struct device *devices)
{
	struct watch_packet packet = { .type = WATCH_STATUS };
	int64_t stood_ms = core->stood_ns / MONO_NS_PER_MS;

	packet.status = (struct watch_status){
		.state = (uint8_t)core->state,
		.proof = (uint8_t)watch_core_proof(core),
		.expiry = (uint8_t)core->config.expiry,
		.standstill = (uint8_t)outside_works(),
		.device_ms = watch_core_device_ms(core),
		.grain_ms = timing_grain_ms(watch_core_device_ms(core)),
		.pet_interval_ms = core->interval_ms,
		.pid = (uint32_t)getpid(),
		.pets = core->pets,
		.latest_ms = core->latest_ms,
		.lost_lines = log_lost(),
		.standstill_ms = stood_ms < UINT32_MAX ? (uint32_t)stood_ms : UINT32_MAX,
		.devices = (uint16_t)core->config.devices_count,
		.clients = (uint16_t)watch_core_clients_count(core),
		.keeper = (uint8_t)log_keeper_lives(),
		.version = HOLDFAST_VERSION,
	};
	packet_send(fd, &packet);
	for (size_t i = 0; i < core->config.devices_count; i++) {
		packet = (struct watch_packet){ .type = WATCH_DEVICE };
		packet.device = devices[i].facts;
		packet.device.failed = (uint8_t)core->config.devices[i].failed;
		packet_send(fd, &packet);
	}
	for (size_t i = 0; i < WATCH_CORE_CLIENTS_MAX; i++)
		if (core->clients[i].name[0])
			client_send(fd, core, &core->clients[i]);
}
