/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * disk_world.c - see disk_world.h.
 */
#include "tests/unit/disk_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/clock.h"

mono_t in_ms(int64_t ms)
{
	return mono_add_ms(clock_now(), ms);
}

void world_init(struct disk_world *world)
{
	memset(world, 0, sizeof *world);
	assert_int_equal(uv_loop_init(&world->loop), 0);
	world->told = calloc(ANSWERS_MAX, sizeof *world->told);
	assert_non_null(world->told);
}

void world_end(struct disk_world *world)
{
	size_t count;

	if (world->disk)
		disk_close(world->disk);
	world->disk = NULL;
	count = world->count;
	uv_run(&world->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
	assert_int_equal(world->count, count);
	free(world->told);
}

static void answered(struct disk *disk, const struct disk_answer *answer, void *context)
{
	struct disk_world *world = context;
	struct told *told;

	(void)disk;
	assert_true(world->count < ANSWERS_MAX);
	told = &world->told[world->count++];
	told->answer = *answer;
	if (answer->data) {
		memcpy(told->data, answer->data,
		       answer->bytes < KEPT_BYTES ? answer->bytes : KEPT_BYTES);
		told->answer.data = told->data;
	}
	if (answer->err) {
		told->err = *answer->err;
		told->answer.err = &told->err;
		assert_int_equal(answer->err->rc, answer->rc);
	}
	assert_int_equal(answer->rc != 0, answer->err != NULL);
	if (world->react)
		world->react(world, answer);
}

int world_open(struct disk_world *world, const char *url, const struct disk_options *options,
	       struct err *err)
{
	struct disk_options own = { 0 };

	if (options)
		own = *options;
	if (own.open_timeout_ms == 0)
		own.open_timeout_ms = 10000;
	return disk_open(&world->loop, url, &own, answered, world, &world->disk, err);
}

int world_open_backend(struct disk_world *world, const struct disk_backend_ops *ops)
{
	const struct disk_options options = { .open_timeout_ms = 10000 };
	struct err err = { 0 };

	return disk_open_backend(&world->loop, "fake", "fake", &options, ops, answered, world,
				 &world->disk, &err);
}

void world_turn(struct disk_world *world)
{
	uv_run(&world->loop, UV_RUN_NOWAIT);
}

void world_await(struct disk_world *world, size_t count)
{
	mono_t give_up = in_ms(WAIT_MS);

	while (world->count < count) {
		assert_true(mono_before(clock_now(), give_up));
		world_turn(world);
		if (world->count < count)
			clock_sleep_until(in_ms(1));
	}
}

const struct told *world_told(const struct disk_world *world, size_t i)
{
	assert_true(i < world->count);
	return &world->told[i];
}

const struct told *world_do(struct disk_world *world, const struct disk_request *request)
{
	size_t next = world->count;
	struct err err = { 0 };

	if (disk_submit(world->disk, request, &err) != 0)
		fail_msg("not submitted: %s", err.text);
	world_await(world, next + 1);
	assert_int_equal(world_told(world, next)->answer.token, request->token);
	assert_int_equal(world_told(world, next)->answer.op, request->op);
	return world_told(world, next);
}

const struct told *world_write(struct disk_world *world, uint64_t sector, const void *data,
			       uint32_t bytes)
{
	const struct disk_request request = { .token = 1000 + world->count,
					      .op = DISK_WRITE,
					      .deadline = in_ms(WAIT_MS),
					      .sector = sector,
					      .bytes = bytes,
					      .data = data };

	return world_do(world, &request);
}

const struct told *world_read(struct disk_world *world, uint64_t sector, uint32_t bytes)
{
	const struct disk_request request = { .token = 1000 + world->count,
					      .op = DISK_READ,
					      .deadline = in_ms(WAIT_MS),
					      .sector = sector,
					      .bytes = bytes };

	return world_do(world, &request);
}

const struct told *world_scsi(struct disk_world *world, const uint8_t *cdb, uint8_t cdb_bytes,
			      enum disk_direction direction, void *data, uint32_t bytes)
{
	struct disk_request request = { .token = 1000 + world->count,
					.op = DISK_SCSI,
					.deadline = in_ms(WAIT_MS),
					.direction = direction,
					.bytes = bytes,
					.data = data,
					.cdb_bytes = cdb_bytes };

	memcpy(request.cdb, cdb, cdb_bytes);
	return world_do(world, &request);
}
