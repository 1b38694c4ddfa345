/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * watch_wire.c - the codec of watchdogd's packets; see watch_wire.h.
 *
 * The layout of every packet is written down once, in body_walk(); the same walk writes and reads.
 * Behind the header, the fields of a body stand in the order of its struct, unaligned.
 */
#include "watchdog/client/watch_wire.h"

#include <assert.h>
#include <string.h>

#include "base/rc.h"

enum { HEADER_BYTES = 12 };

static const uint8_t magic[4] = { 'H', 'F', 'W', 'D' };

/* ---- fields ---- */

struct walk {
	uint8_t *out;	   /* NULL while reading */
	const uint8_t *in; /* NULL while writing */
	size_t length;	   /* of in; room in out */
	size_t at;
	int bad;
};

/* Where the next field stands; SIZE_MAX when it would reach beyond the end. */
static size_t walk_take(struct walk *w, size_t bytes)
{
	size_t at = w->at;

	if (w->bad || bytes > w->length - at) {
		w->bad = 1;
		return SIZE_MAX;
	}
	w->at += bytes;
	return at;
}

/* A number of `bytes` bytes. Returns the number to keep. */
static uint64_t walk_number(struct walk *w, uint64_t value, size_t bytes)
{
	size_t at = walk_take(w, bytes);

	if (at == SIZE_MAX)
		return 0;
	if (w->out) {
		for (size_t i = 0; i < bytes; i++)
			w->out[at + i] = (uint8_t)(value >> (8 * i));
		return value;
	}
	value = 0;
	for (size_t i = 0; i < bytes; i++)
		value |= (uint64_t)w->in[at + i] << (8 * i);
	return value;
}

/* One byte, from 0 to max: an enum or a boolean. */
static void walk_choice(struct walk *w, uint8_t *value, unsigned max)
{
	*value = (uint8_t)walk_number(w, *value, 1);
	if (*value > max)
		w->bad = 1;
}

static void walk_u16(struct walk *w, uint16_t *value)
{
	*value = (uint16_t)walk_number(w, *value, 2);
}

static void walk_u32(struct walk *w, uint32_t *value)
{
	*value = (uint32_t)walk_number(w, *value, 4);
}

static void walk_u64(struct walk *w, uint64_t *value)
{
	*value = walk_number(w, *value, 8);
}

static void walk_i64(struct walk *w, int64_t *value)
{
	*value = (int64_t)walk_number(w, (uint64_t)*value, 8);
}

/* Text in its full size: something, then nothing but NULs, of which there is at least one. */
static void walk_text(struct walk *w, char *text, size_t size)
{
	size_t at = walk_take(w, size), length;

	if (at == SIZE_MAX)
		return;
	if (w->in)
		memcpy(text, w->in + at, size);
	length = strnlen(text, size);
	if (length == size) {
		w->bad = 1;
		return;
	}
	if (w->out) {
		memset(w->out + at, 0, size);
		memcpy(w->out + at, text, length);
		return;
	}
	for (size_t i = length; i < size; i++)
		if (text[i] != '\0')
			w->bad = 1;
}

/* ---- bodies ---- */

static void terms_walk(struct walk *w, struct watch_terms *terms)
{
	walk_u32(w, &terms->deadline_ms);
	walk_u32(w, &terms->device_ms);
	walk_u32(w, &terms->bound_ms);
	walk_choice(w, &terms->proof, WATCH_PROOF_HARDWARE);
	walk_choice(w, &terms->state, WATCH_STATE_STOPPED);
}

static void refused_walk(struct walk *w, struct watch_refused *refused)
{
	walk_choice(w, &refused->reason, WATCH_REFUSED_MARK);
	walk_u16(w, &refused->version);
	walk_text(w, refused->text, sizeof refused->text);
	walk_text(w, refused->next, sizeof refused->next);
}

static void status_walk(struct walk *w, struct watch_status *status)
{
	walk_choice(w, &status->state, WATCH_STATE_STOPPED);
	walk_choice(w, &status->proof, WATCH_PROOF_HARDWARE);
	walk_choice(w, &status->expiry, WATCH_EXPIRY_HARDWARE);
	walk_choice(w, &status->standstill, 1);
	walk_u32(w, &status->device_ms);
	walk_u32(w, &status->grain_ms);
	walk_u32(w, &status->pet_interval_ms);
	walk_u32(w, &status->pid);
	walk_u64(w, &status->pets);
	walk_u32(w, &status->latest_ms);
	walk_u32(w, &status->lost_lines);
	walk_u32(w, &status->standstill_ms);
	walk_u16(w, &status->devices);
	walk_u16(w, &status->clients);
	walk_text(w, status->version, sizeof status->version);
	walk_choice(w, &status->keeper, 1);
}

static void device_walk(struct walk *w, struct watch_device *device)
{
	walk_text(w, device->path, sizeof device->path);
	walk_text(w, device->identity, sizeof device->identity);
	walk_choice(w, &device->proof, WATCH_PROOF_HARDWARE);
	walk_choice(w, &device->nowayout, 2);
	walk_choice(w, &device->failed, 1);
	walk_choice(w, &device->counting, 2);
	walk_u32(w, &device->asked_ms);
	walk_u32(w, &device->timeout_ms);
	walk_u32(w, &device->pretimeout_ms);
	walk_u32(w, &device->left_ms);
	walk_u32(w, &device->least_left_ms);
}

static void client_walk(struct walk *w, struct watch_client *client)
{
	walk_text(w, client->name, sizeof client->name);
	walk_u32(w, &client->pid);
	walk_u32(w, &client->uid);
	walk_u32(w, &client->deadline_ms);
	walk_u32(w, &client->left_ms);
	walk_u32(w, &client->least_left_ms);
	walk_u64(w, &client->renewals);
	walk_choice(w, &client->connected, 1);
}

static void body_walk(struct walk *w, struct watch_packet *packet)
{
	switch (packet->type) {
	case WATCH_REGISTER:
		walk_text(w, packet->reg.name, sizeof packet->reg.name);
		walk_u32(w, &packet->reg.deadline_ms);
		walk_i64(w, &packet->reg.since_ns);
		return;
	case WATCH_RENEW:
		walk_i64(w, &packet->since_ns);
		return;
	case WATCH_TEST:
		walk_choice(w, &packet->by, WATCH_TEST_SELF);
		return;
	case WATCH_GOODBYE:
	case WATCH_QUERY:
	case WATCH_BYE:
		return;
	case WATCH_TERMS:
		terms_walk(w, &packet->terms);
		return;
	case WATCH_REFUSED:
		refused_walk(w, &packet->refused);
		return;
	case WATCH_STATUS:
		status_walk(w, &packet->status);
		return;
	case WATCH_DEVICE:
		device_walk(w, &packet->device);
		return;
	case WATCH_CLIENT:
		client_walk(w, &packet->client);
		return;
	}
	w->bad = 1; /* a type that is none of ours */
}

/* ---- packets ---- */

size_t watch_wire_out(const struct watch_packet *packet, uint8_t out[WATCH_WIRE_BYTES_MAX])
{
	struct watch_packet copy = *packet;
	struct walk w = { .out = out, .length = WATCH_WIRE_BYTES_MAX, .at = HEADER_BYTES };
	size_t length;

	body_walk(&w, &copy);
	assert(!w.bad);
	length = w.at;
	memcpy(out, magic, sizeof magic);
	w.at = sizeof magic;
	walk_number(&w, WATCH_WIRE_VERSION, 2);
	walk_number(&w, packet->type, 2);
	walk_number(&w, length, 4);
	assert(w.at == HEADER_BYTES);
	return length;
}

int watch_wire_in(const uint8_t *bytes, size_t length, struct watch_packet *packet)
{
	struct walk w = { .in = bytes, .length = length, .at = sizeof magic };
	uint64_t version, type, told;

	memset(packet, 0, sizeof *packet);
	if (length < sizeof magic || memcmp(bytes, magic, sizeof magic) != 0)
		return RC_PROTOCOL;
	version = walk_number(&w, 0, 2);
	if (w.bad)
		return RC_PROTOCOL;
	if (version != WATCH_WIRE_VERSION)
		return RC_UNSUPPORTED;
	type = walk_number(&w, 0, 2);
	told = walk_number(&w, 0, 4);
	if (w.bad || told != length)
		return RC_PROTOCOL;
	packet->type = (enum watch_type)type;
	body_walk(&w, packet);
	if (w.bad || w.at != length) {
		memset(packet, 0, sizeof *packet);
		return RC_PROTOCOL;
	}
	return 0;
}

/* ---- words ---- */

int watch_name_is_valid(const char *name)
{
	size_t length = strspn(name, WATCH_NAME_CHARS);

	return length > 0 && length < WATCH_NAME_BYTES && name[length] == '\0';
}

static const char *word_of(const char *const *words, size_t count, unsigned value)
{
	return value < count ? words[value] : "unknown";
}

#define WORD_OF(words, value) word_of(words, sizeof(words) / sizeof((words)[0]), value)

const char *watch_proof_word(unsigned proof)
{
	static const char *const words[] = { "none", "software", "hardware" };

	return WORD_OF(words, proof);
}

const char *watch_state_word(unsigned state)
{
	static const char *const words[] = { "petting", "expired", "testing", "stopped" };

	return WORD_OF(words, state);
}

const char *watch_expiry_word(unsigned expiry)
{
	static const char *const words[] = { "reboot", "off", "crash", "hardware" };

	return WORD_OF(words, expiry);
}
