/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * doctor_lockd.c - the daemon of this node, and through it a nonce to every other node; see doctor.h.
 *
 * That two nodes can open a disk of one name proves nothing; that what one of them writes comes to the
 * other, and its answer back, does. lockd does it with test pills (op "probe" of its protocol).
 */
#include <inttypes.h>
#include <string.h>

#include "cli/doctor.h"
#include "host/clock.h"
#include "lockd/client/lockd_client_io.h"

enum { ASK_MS = 5000, PROBE_MS = 20000 };

static mono_t deadline_of(const struct doctor *doctor, int64_t most_ms)
{
	return mono_min(doctor->until, mono_add_ms(clock_now(), most_ms));
}

static int64_t member_integer(const json_t *object, const char *key, int64_t otherwise)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) && json_integer_value(value) > 0 ? json_integer_value(value)
								       : otherwise;
}

static const char *member_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

uint16_t doctor_lockd_ask(struct doctor *doctor)
{
	struct lockd_client *client;
	json_t *answer = NULL;
	uint16_t node = 0;

	if (lockd_client_open(&client, NULL, deadline_of(doctor, ASK_MS), &doctor->lockd_err) != 0)
		return 0;
	if (lockd_client_call(client, "status", NULL, deadline_of(doctor, ASK_MS), NULL, NULL,
			      &answer, &doctor->lockd_err) == 0) {
		struct doctor_times *times = &doctor->times;

		doctor->has_lockd = 1;
		node = (uint16_t)member_integer(answer, "node", 0);
		snprintf(doctor->lockd_cluster, sizeof doctor->lockd_cluster, "%s",
			 member_text(answer, "cluster_id"));
		times->source = "of lockd on this node";
		times->interval_ms = member_integer(answer, "interval_ms", times->interval_ms);
		times->io_timeout_ms = member_integer(answer, "io_timeout_ms",
						      times->io_timeout_ms);
		times->lease_ms = member_integer(answer, "lease_ms", times->lease_ms);
		times->member_timeout_ms = member_integer(answer, "member_timeout_ms",
							  times->member_timeout_ms);
	}
	json_decref(answer);
	lockd_client_close(client);
	return node;
}

/* Are the disks that lockd serves those that are examined? */
static int is_same_cluster(const struct doctor *doctor)
{
	for (size_t i = 0; i < doctor->count; i++) {
		char id[20];

		if (!doctor->disks[i].has_area)
			continue;
		snprintf(id, sizeof id, "%016" PRIx64,
			 doctor->disks[i].disk->area.super.head.cluster);
		if (strcmp(id, doctor->lockd_cluster) == 0)
			return 1;
	}
	return 0;
}

static void node_tell(struct doctor *doctor, const json_t *peer)
{
	int answered = json_is_true(json_object_get(peer, "answered"));
	int64_t node = member_integer(peer, "node", 0);
	int64_t took_ms = json_integer_value(json_object_get(peer, "took_ms"));
	json_t *members = json_object();

	object_put_integer(&doctor->out, members, "node", node);
	object_put_text(&doctor->out, members, "name", member_text(peer, "name"));
	object_put_boolean(&doctor->out, members, "answered", answered);
	object_put_integer(&doctor->out, members, "took_ms", took_ms);
	if (answered)
		doctor_find(doctor, "node", DOCTOR_GOOD, members, NULL,
			    "node %" PRId64
			    " (\"%s\") read what this one wrote, and its answer came "
			    "back, after %" PRId64 " ms",
			    node, member_text(peer, "name"), took_ms);
	else
		doctor_find(doctor, "node", DOCTOR_UNFIT, members,
			    "see that both nodes name the same disks",
			    "node %" PRId64 " (\"%s\") did not answer: %s", node,
			    member_text(peer, "name"), member_text(peer, "why"));
}

static void probed(struct doctor *doctor, const json_t *answer)
{
	const json_t *nodes = json_object_get(answer, "nodes");
	const json_t *peer;
	size_t i;

	json_array_foreach (nodes, i, peer) {
		node_tell(doctor, peer);
	}
	if (json_array_size(nodes) == 0)
		doctor_find(doctor, "nodes", DOCTOR_NOTE, NULL,
			    "start lockd on the other nodes and run the doctor again",
			    "no other node is alive on the disks");
}

void doctor_lockd_probe(struct doctor *doctor)
{
	int64_t left_ms = mono_left_ms(clock_now(), deadline_of(doctor, PROBE_MS));
	struct lockd_client *client;
	json_t *answer = NULL;
	struct err err;

	if (!doctor->has_lockd) {
		doctor_find(doctor, "lockd", DOCTOR_NOTE, NULL,
			    "start lockd on every node, and run the doctor again; or run it on "
			    "each node "
			    "and see what it finds of the others",
			    "not asked what the other nodes see: %s", doctor->lockd_err.text);
		return;
	}
	if (!is_same_cluster(doctor)) {
		doctor_find(doctor, "lockd", DOCTOR_NOTE, NULL, "name the disks of its cluster",
			    "lockd of this node serves other disks (cluster %s)",
			    doctor->lockd_cluster);
		return;
	}
	doctor_progress(doctor, "a nonce to every node, and back");
	if (lockd_client_open(&client, NULL, deadline_of(doctor, ASK_MS), &err) != 0) {
		doctor_find_err(doctor, "lockd", DOCTOR_UNFIT, &err);
		return;
	}
	if (lockd_client_call(
		    client, "probe", json_pack("{s:I}", "timeout_ms", (json_int_t)left_ms),
		    mono_add_ms(clock_now(), left_ms + ASK_MS), NULL, NULL, &answer, &err) == 0)
		probed(doctor, answer);
	else
		doctor_find_err(doctor, "lockd", DOCTOR_UNFIT, &err);
	json_decref(answer);
	lockd_client_close(client);
}
