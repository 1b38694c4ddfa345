/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lock_facts.c - a lock's term as bytes; see lock_facts.h.
 */
#include "lockd/lock_facts.h"

#include <string.h>

#include "base/bytes.h"
#include "base/text.h"

uint16_t lock_value_out(uint8_t value[LOCK_VALUE_MAX], const struct lock_term *term)
{
	struct bytes_out out = bytes_out(value, LOCK_VALUE_MAX);
	size_t name = strlen(term->name), by = strlen(term->by), command = strlen(term->command);

	bytes_put8(&out, LOCK_VALUE_VERSION);
	bytes_put8(&out, term->kind);
	bytes_put16(&out, term->node);
	bytes_put32(&out, term->incarnation);
	bytes_put_block(&out, term->machine, LOCK_ID_BYTES);
	bytes_put_block(&out, term->boot, LOCK_ID_BYTES);
	bytes_put32(&out, term->lease_ms);
	bytes_put32(&out, term->watchdog_ms);
	bytes_put32(&out, term->grain_ms);
	bytes_put64(&out, term->wall_s);
	bytes_put8(&out, (uint8_t)name);
	bytes_put8(&out, (uint8_t)by);
	bytes_put8(&out, (uint8_t)command);
	bytes_put8(&out, term->vouched);
	bytes_put_block(&out, term->name, name);
	bytes_put_block(&out, term->by, by);
	bytes_put_block(&out, term->command, command);
	return (uint16_t)(out.at - value);
}

static void text_get(struct bytes_in *in, char *text, size_t bytes)
{
	bytes_get_block(in, text, bytes);
	text[bytes] = '\0';
}

/* Fit for terminals, as it was when it was written? */
static int text_ok(const char *text, size_t bytes)
{
	char clean[LOCK_COMMAND_MAX + 1];

	return text_clean(clean, sizeof clean, text, bytes) == bytes &&
	       memcmp(clean, text, bytes) == 0;
}

static int value_get(struct bytes_in *in, struct lock_term *term)
{
	size_t name, by, command;

	if (bytes_left(in) < LOCK_VALUE_HEAD_BYTES || bytes_get8(in) != LOCK_VALUE_VERSION)
		return -1;
	term->kind = bytes_get8(in);
	term->node = bytes_get16(in);
	term->incarnation = bytes_get32(in);
	bytes_get_block(in, term->machine, LOCK_ID_BYTES);
	bytes_get_block(in, term->boot, LOCK_ID_BYTES);
	term->lease_ms = bytes_get32(in);
	term->watchdog_ms = bytes_get32(in);
	term->grain_ms = bytes_get32(in);
	term->wall_s = bytes_get64(in);
	name = bytes_get8(in);
	by = bytes_get8(in);
	command = bytes_get8(in);
	term->vouched = bytes_get8(in);
	if (name > LOCK_NAME_MAX || by > LOCK_BY_MAX || command > LOCK_COMMAND_MAX ||
	    bytes_left(in) != name + by + command)
		return -1;
	text_get(in, term->name, name);
	text_get(in, term->by, by);
	text_get(in, term->command, command);
	if (term->kind == 0 || term->kind >= LOCK_KINDS || term->vouched > 1)
		return -1;
	if (term->node == 0 || term->node > LOCK_NODES_MAX || term->incarnation == 0)
		return -1;
	if (strlen(term->name) != name || !lock_name_ok(term->name))
		return -1;
	return text_ok(term->by, by) && text_ok(term->command, command) ? 0 : -1;
}

int lock_value_in(const uint8_t *value, size_t bytes, struct lock_term *term)
{
	struct bytes_in in = bytes_in(value, bytes);

	memset(term, 0, sizeof *term);
	if (value_get(&in, term) == 0)
		return 0;
	memset(term, 0, sizeof *term);
	return -1;
}
