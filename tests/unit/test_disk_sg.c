/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: disk host base tests/unit/disk_world.c pkg:cmocka
 *
 * test_disk_sg.c - SCSI disks by SG_IO, on a kernel that has some.
 *
 * Run in a guest of the lab, where the environment says which disk may be overwritten; elsewhere
 * every test is left out:
 *	HOLDFAST_TEST_DISK	block device of a LUN, /dev/sda
 *	HOLDFAST_TEST_NODE	generic node of the same, /dev/sg0
 *	HOLDFAST_TEST_URL	iscsi:// of the same, another nexus
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/disk/disk_identity.h"
#include "tests/unit/disk_world.h"

static const char *disk, *node, *url;

#define NEED_SCSI()                                                                                \
	do {                                                                                       \
		if (!disk || !node || !url)                                                        \
			skip();                                                                    \
	} while (0)

static void open_disk(struct disk_world *world, const char *name,
		      const struct disk_options *options)
{
	struct err err = { 0 };

	world_init(world);
	if (world_open(world, name, options, &err) != 0)
		fail_msg("not open: %s", err.text);
}

static void fill(uint8_t *data, size_t bytes, unsigned seed)
{
	for (size_t i = 0; i < bytes; i++)
		data[i] = (uint8_t)(i * 13 + i / 512 + seed);
}

/* The same LUN by three ways: one disk. */
static void test_three_ways(void **state)
{
	struct disk_world worlds[3];
	const char *const names[] = { disk, node, url };
	struct disk_known known[3];
	struct err err = { 0 };

	(void)state;
	NEED_SCSI();
	for (size_t i = 0; i < 3; i++) {
		const struct disk_facts *facts;

		open_disk(&worlds[i], names[i], NULL);
		facts = disk_facts(worlds[i].disk);
		assert_int_equal(facts->kind, i == 2 ? DISK_ISCSI : DISK_SG);
		assert_true(facts->has_scsi);
		assert_true(facts->is_direct);
		assert_false(facts->is_read_only);
		known[i] = (struct disk_known){ disk_name(worlds[i].disk), facts };
		print_message("%s: %s %s %s, %llu sectors of %u, physical %u\n", names[i],
			      facts->vendor, facts->product, facts->id,
			      (unsigned long long)facts->sectors, facts->sector_bytes,
			      facts->physical_bytes);
	}
	assert_int_equal(disk_relation(&known[0], &known[1]), DISKS_SAME_UNIT);
	assert_int_equal(disk_relation(&known[0], &known[2]), DISKS_SAME_UNIT);
	assert_int_equal(disk_identities_check(known, 2, &err), RC_CONFIG);
	for (size_t i = 0; i < 3; i++)
		world_end(&worlds[i]);
}

static void test_write_here_read_there(void **state)
{
	static uint8_t data[DISK_BYTES_MAX];
	struct disk_world block, generic, remote;
	uint64_t last;

	(void)state;
	NEED_SCSI();
	open_disk(&block, disk, NULL);
	open_disk(&generic, node, NULL);
	open_disk(&remote, url, NULL);
	for (uint32_t bytes = 512; bytes <= sizeof data; bytes *= 4) {
		uint32_t kept = bytes < KEPT_BYTES ? bytes : KEPT_BYTES;

		fill(data, bytes, bytes);
		assert_int_equal(world_write(&block, 64, data, bytes)->answer.rc, 0);
		assert_memory_equal(world_read(&generic, 64, bytes)->data, data, kept);
		assert_memory_equal(world_read(&remote, 64, bytes)->data, data, kept);
		fill(data, bytes, bytes + 1);
		assert_int_equal(world_write(&generic, 64, data, bytes)->answer.rc, 0);
		assert_memory_equal(world_read(&block, 64, bytes)->data, data, kept);
	}
	/* The last bytes, which a read of less does not show */
	last = 64 + sizeof data / 512 - 1;
	assert_memory_equal(world_read(&block, last, 512)->data, data + sizeof data - 512, 512);
	last = disk_facts(block.disk)->sectors - 1;
	assert_int_equal(world_write(&block, last, data, 512)->answer.rc, 0);
	assert_memory_equal(world_read(&remote, last, 512)->data, data, 512);
	world_end(&remote);
	world_end(&generic);
	world_end(&block);
}

static void test_commands(void **state)
{
	static const uint8_t ready[6], nonsense[6] = { 0xff };
	static const uint8_t inquiry[6] = { 0x12, 0, 0, 0, 255 };
	const char *const names[] = { disk, node };

	(void)state;
	NEED_SCSI();
	for (size_t i = 0; i < 2; i++) {
		struct disk_world world;
		const struct told *told;

		open_disk(&world, names[i], NULL);
		told = world_scsi(&world, ready, 6, DISK_NO_DATA, NULL, 0);
		assert_int_equal(told->answer.rc, 0);
		assert_int_equal(told->answer.status, 0);
		told = world_scsi(&world, inquiry, 6, DISK_FROM_DEVICE, NULL, 255);
		assert_int_equal(told->answer.status, 0);
		assert_in_range(told->answer.bytes, 36, 255);
		told = world_scsi(&world, nonsense, 6, DISK_NO_DATA, NULL, 0);
		assert_int_equal(told->answer.rc, 0);
		assert_int_equal(told->answer.status, 0x02);
		assert_int_equal(told->answer.sense[2] & 0xf, 5);
		world_end(&world);
	}
}

/* Another nexus reserves the LUN: the conflict comes as what it is, for a write and for a command;
 * and the release as a unit attention, which is passed up. */
static void test_reservation_conflict(void **state)
{
	static const uint8_t reg[10] = { 0x5f, 0x06, [8] = 24 };
	static const uint8_t reserve[10] = { 0x5f, 0x01, 0x03, [8] = 24 };
	static const uint8_t clear[10] = { 0x5f, 0x03, [8] = 24 };
	uint8_t key[24] = { [15] = 7 }, own[24] = { [7] = 7 }, data[512] = { 0 };
	const char *const names[] = { disk, node };
	struct disk_world holder;

	(void)state;
	NEED_SCSI();
	open_disk(&holder, url, NULL);
	for (size_t i = 0; i < 2; i++) {
		struct disk_world world;
		const struct told *told;

		open_disk(&world, names[i], NULL);
		world_scsi(&holder, reg, 10, DISK_TO_DEVICE, key, 24);
		told = world_scsi(&holder, reserve, 10, DISK_TO_DEVICE, own, 24);
		assert_int_equal(told->answer.status, 0);
		told = world_write(&world, 1, data, sizeof data);
		assert_int_equal(told->answer.rc, RC_PRIVILEGE);
		assert_int_equal(told->answer.status, 0x18);
		told = world_scsi(&world, clear, 10, DISK_TO_DEVICE, own, 24);
		assert_int_equal(told->answer.rc, 0);
		assert_int_equal(told->answer.status, 0x18);
		told = world_scsi(&holder, clear, 10, DISK_TO_DEVICE, own, 24);
		assert_int_equal(told->answer.status, 0);
		/* We hold no key, so there is no attention for us. */
		assert_int_equal(world_write(&world, 1, data, sizeof data)->answer.rc, 0);
		world_end(&world);
	}
	world_end(&holder);
}

static void test_registered_then_cleared(void **state)
{
	static const uint8_t reg[10] = { 0x5f, 0x06, [8] = 24 };
	static const uint8_t clear[10] = { 0x5f, 0x03, [8] = 24 };
	uint8_t key[24] = { [15] = 8 }, other_key[24] = { [15] = 9 }, other[24] = { [7] = 9 };
	struct disk_world world, remote;
	const struct told *told;

	(void)state;
	NEED_SCSI();
	open_disk(&world, node, NULL);
	open_disk(&remote, url, NULL);
	assert_int_equal(world_scsi(&world, reg, 10, DISK_TO_DEVICE, key, 24)->answer.status, 0);
	assert_int_equal(world_scsi(&remote, reg, 10, DISK_TO_DEVICE, other_key, 24)->answer.status,
			 0);
	assert_int_equal(world_scsi(&remote, clear, 10, DISK_TO_DEVICE, other, 24)->answer.status,
			 0);
	/* A read says it too: RC_BUSY with the sense, and then it works. */
	told = world_read(&world, 1, 512);
	assert_int_equal(told->answer.rc, RC_BUSY);
	assert_int_equal(told->answer.status, 0x02);
	assert_int_equal(told->answer.sense[2] & 0xf, 6);
	assert_int_equal(told->answer.sense[12], 0x2a);
	assert_int_equal(world_read(&world, 1, 512)->answer.rc, 0);
	world_end(&remote);
	world_end(&world);
}

static int partition_set(const char *name, int operation, long long start, long long length)
{
	struct blkpg_partition partition = { .start = start, .length = length, .pno = 1 };
	struct blkpg_ioctl_arg arg = { .op = operation,
				       .datalen = sizeof partition,
				       .data = &partition };
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 ? -1 : ioctl(fd, BLKPG, &arg);

	close(fd);
	return rc;
}

/* Sector 0 of a partition must not become sector 0 of the disk. */
static void test_partition(void **state)
{
	mono_t give_up = in_ms(WAIT_MS);
	struct disk_world world, whole;
	uint8_t data[512], before[512];
	char name[64];

	(void)state;
	NEED_SCSI();
	assert_int_equal(partition_set(disk, BLKPG_ADD_PARTITION, 1 << 20, 1 << 20), 0);
	snprintf(name, sizeof name, "%s1", disk);
	while (access(name, F_OK) != 0)
		assert_true(mono_before(clock_now(), give_up));
	open_disk(&whole, disk, NULL);
	memcpy(before, world_read(&whole, 0, 512)->data, sizeof before);
	open_disk(&world, name, NULL);
	assert_int_equal(disk_facts(world.disk)->kind, DISK_FILE);
	assert_false(disk_facts(world.disk)->has_scsi);
	assert_int_equal(disk_facts(world.disk)->sectors, (1 << 20) / 512);
	print_message("%s: %s\n", name, disk_facts(world.disk)->id);
	assert_string_not_equal(disk_facts(world.disk)->id, disk_facts(whole.disk)->id);
	fill(data, sizeof data, 77);
	assert_int_equal(world_write(&world, 0, data, sizeof data)->answer.rc, 0);
	assert_memory_equal(world_read(&whole, 0, 512)->data, before, 512);
	assert_memory_equal(world_read(&whole, (1 << 20) / 512, 512)->data, data, 512);
	world_end(&world);
	world_end(&whole);
	assert_int_equal(partition_set(disk, BLKPG_DEL_PARTITION, 0, 0), 0);
}

static void test_read_only(void **state)
{
	const struct disk_options options = { .read_only = 1 };
	static const uint8_t read_keys[10] = { 0x5e, 0, [8] = 64 };
	const char *const names[] = { disk, node };

	(void)state;
	NEED_SCSI();
	for (size_t i = 0; i < 2; i++) {
		struct disk_world world;

		open_disk(&world, names[i], &options);
		assert_true(disk_facts(world.disk)->is_read_only);
		assert_int_equal(world_read(&world, 0, 512)->answer.rc, 0);
		assert_int_equal(world_scsi(&world, read_keys, 10, DISK_FROM_DEVICE, NULL, 64)
					 ->answer.status,
				 0);
		world_end(&world);
	}
}

/* The last test: the kernel forgets the disk while it is open. */
static void test_taken_away(void **state)
{
	const char *const names[] = { disk, node };
	struct disk_world worlds[2];
	uint8_t data[512] = { 0 };
	char path[64];
	int fd;

	(void)state;
	NEED_SCSI();
	for (size_t i = 0; i < 2; i++)
		open_disk(&worlds[i], names[i], NULL);
	snprintf(path, sizeof path, "/sys/block/%s/device/delete", strrchr(disk, '/') + 1);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "1", 1), 1);
	close(fd);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(world_read(&worlds[i], 0, 512)->answer.rc, RC_UNREACHABLE);
		assert_int_equal(world_write(&worlds[i], 0, data, 512)->answer.rc, RC_UNREACHABLE);
		world_end(&worlds[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_three_ways),
		cmocka_unit_test(test_write_here_read_there),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_reservation_conflict),
		cmocka_unit_test(test_registered_then_cleared),
		cmocka_unit_test(test_partition),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_taken_away),
	};

	disk = getenv("HOLDFAST_TEST_DISK");
	node = getenv("HOLDFAST_TEST_NODE");
	url = getenv("HOLDFAST_TEST_URL");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
