/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: disk host base tests/unit/disk_world.c pkg:cmocka
 *
 * test_disk_file.c - disks in files: sizes, sectors, ends, limits, and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/disk_world.h"

enum { FILE_BYTES = 64 * 1024 };

static char folder[64], path[96];

static void make_file(const char *name, off_t bytes)
{
	int fd;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, bytes), 0);
	close(fd);
}

static void open_file(struct disk_world *world, const struct disk_options *options)
{
	struct err err = { 0 };

	world_init(world);
	if (world_open(world, path, options, &err) != 0)
		fail_msg("not open: %s", err.text);
}

/* Opening must fail in this way, and say something about it. */
static void refuse(const char *url, const struct disk_options *options, int rc, const char *word)
{
	struct disk_world world;
	struct err err = { 0 };

	world_init(&world);
	assert_int_equal(world_open(&world, url, options, &err), rc);
	if (!strstr(err.text, word))
		fail_msg("\"%s\" does not say \"%s\"", err.text, word);
	world_end(&world);
}

static void fill(uint8_t *data, size_t bytes, unsigned seed)
{
	for (size_t i = 0; i < bytes; i++)
		data[i] = (uint8_t)(i * 31 + i / 512 + seed);
}

static void test_facts(void **state)
{
	struct disk_world world;
	const struct disk_facts *facts;
	struct stat status;
	char id[DISK_ID_BYTES];

	(void)state;
	make_file("facts", FILE_BYTES + 100);
	open_file(&world, NULL);
	facts = disk_facts(world.disk);
	assert_int_equal(facts->kind, DISK_FILE);
	assert_int_equal(facts->sector_bytes, 512);
	assert_int_equal(facts->sectors, FILE_BYTES / 512);
	assert_false(facts->is_read_only);
	assert_false(facts->has_scsi);
	assert_string_equal(disk_name(world.disk), path);
	assert_int_equal(stat(path, &status), 0);
	snprintf(id, sizeof id, ":%llx", (unsigned long long)status.st_ino);
	assert_non_null(strstr(facts->id, id));
	world_end(&world);
}

static void test_write_read_back(void **state)
{
	static uint8_t data[FILE_BYTES], seen[FILE_BYTES];
	struct disk_world world;
	const struct told *told;
	int fd;

	(void)state;
	make_file("data", FILE_BYTES);
	open_file(&world, NULL);
	fill(data, sizeof data, 1);
	for (uint32_t bytes = 512; bytes <= 8192; bytes *= 2) {
		told = world_write(&world, bytes / 512, data + bytes, bytes);
		assert_int_equal(told->answer.rc, 0);
		assert_int_equal(told->answer.bytes, 0);
		assert_false(mono_is_never(told->answer.submitted_at));
		assert_false(mono_before(told->answer.ended_at, told->answer.submitted_at));
		told = world_read(&world, bytes / 512, bytes);
		assert_int_equal(told->answer.rc, 0);
		assert_int_equal(told->answer.bytes, bytes);
		assert_memory_equal(told->answer.data, data + bytes, bytes);
	}
	/* The last sector */
	told = world_write(&world, FILE_BYTES / 512 - 1, data, 512);
	assert_int_equal(told->answer.rc, 0);
	world_end(&world);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, seen, sizeof seen), sizeof seen);
	close(fd);
	assert_memory_equal(seen + 8192, data + 8192, 8192);
	assert_memory_equal(seen + FILE_BYTES - 512, data, 512);
}

static void test_sectors_of_4096(void **state)
{
	const struct disk_options options = { .sector_bytes = 4096 };
	struct disk_request request = { .op = DISK_READ, .deadline = MONO_NEVER, .bytes = 512 };
	struct disk_world world;
	struct err err = { 0 };

	(void)state;
	make_file("large", FILE_BYTES);
	open_file(&world, &options);
	assert_int_equal(disk_facts(world.disk)->sector_bytes, 4096);
	assert_int_equal(disk_facts(world.disk)->sectors, FILE_BYTES / 4096);
	assert_int_equal(disk_submit(world.disk, &request, &err), RC_CONFIG);
	assert_non_null(strstr(err.text, "4096"));
	assert_int_equal(world_read(&world, 15, 4096)->answer.rc, 0);
	world_end(&world);
}

static void test_what_is_no_disk(void **state)
{
	const struct disk_options odd = { .sector_bytes = 1000 };

	(void)state;
	make_file("plain", FILE_BYTES);
	refuse(path, &odd, RC_CONFIG, "1000");
	make_file("tiny", 511);
	refuse(path, NULL, RC_CONFIG, "no sectors");
	make_file("empty", 0);
	refuse(path, NULL, RC_CONFIG, "no sectors");
	snprintf(path, sizeof path, "%s/nowhere", folder);
	refuse(path, NULL, RC_CONFIG, "No such file");
	refuse(folder, NULL, RC_CONFIG, "is no disk");
	/* Opening a watchdog would arm it: character devices are not even opened. */
	refuse("/dev/null", NULL, RC_CONFIG, "is no disk");
	snprintf(path, sizeof path, "%s/pipe", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	refuse(path, NULL, RC_CONFIG, "is no disk");
	refuse("disk1", NULL, RC_CONFIG, "\"disk1\" is not a disk");
	refuse("http://host/disk", NULL, RC_CONFIG, "is not a disk");
	refuse("", NULL, RC_CONFIG, "is not a disk");
}

static int submit(struct disk_world *world, enum disk_op op, uint64_t sector, uint32_t bytes)
{
	static uint8_t data[DISK_BYTES_MAX + 512];
	const struct disk_request request = {
		.op = op, .deadline = MONO_NEVER, .sector = sector, .bytes = bytes, .data = data
	};
	struct err err = { 0 };
	int rc = disk_submit(world->disk, &request, &err);

	assert_int_equal(err.rc, rc);
	return rc;
}

static void test_what_does_not_fit(void **state)
{
	struct disk_world world;
	struct err err = { 0 };

	(void)state;
	make_file("bounds", FILE_BYTES);
	open_file(&world, NULL);
	assert_int_equal(submit(&world, DISK_READ, 0, 0), RC_CONFIG);
	assert_int_equal(submit(&world, DISK_READ, 0, 511), RC_CONFIG);
	assert_int_equal(submit(&world, DISK_WRITE, 0, 513), RC_CONFIG);
	assert_int_equal(submit(&world, DISK_READ, 128, 512), RC_CONFIG);
	assert_int_equal(submit(&world, DISK_WRITE, 127, 1024), RC_CONFIG);
	assert_int_equal(submit(&world, DISK_WRITE, UINT64_MAX, 512), RC_CONFIG);
	assert_int_equal(submit(&world, DISK_WRITE, UINT64_MAX - 1, 1024), RC_CONFIG);
	assert_int_equal(submit(&world, DISK_WRITE, UINT64_MAX / 512, 1024), RC_CONFIG);
	assert_int_equal(submit(&world, DISK_WRITE, 0, DISK_BYTES_MAX + 512), RC_CONFIG);
	assert_int_equal(submit(&world, DISK_FLUSH, 0, 512), RC_CONFIG);
	assert_int_equal(submit(&world, DISK_SCSI, 0, 0), RC_CONFIG);
	assert_int_equal(submit(&world, (enum disk_op)99, 0, 0), RC_CONFIG);
	assert_int_equal(disk_reinstate(world.disk, &err), RC_UNSUPPORTED);
	assert_int_equal(world.count, 0);
	assert_int_equal(submit(&world, DISK_FLUSH, 0, 0), 0);
	world_await(&world, 1);
	assert_int_equal(world_told(&world, 0)->answer.rc, 0);
	world_end(&world);
}

static void test_read_only(void **state)
{
	const struct disk_options options = { .read_only = 1 };
	struct disk_world world;

	(void)state;
	make_file("ro", FILE_BYTES);
	open_file(&world, &options);
	assert_true(disk_facts(world.disk)->is_read_only);
	assert_int_equal(submit(&world, DISK_WRITE, 0, 512), RC_CONFIG);
	assert_int_equal(world_read(&world, 0, 512)->answer.rc, 0);
	world_end(&world);
}

static void test_file_cut_short(void **state)
{
	struct disk_world world;
	struct stat status;
	uint8_t data[4096] = { 1 };

	(void)state;
	make_file("cut", FILE_BYTES);
	open_file(&world, NULL);
	assert_int_equal(truncate(path, FILE_BYTES / 2), 0);
	assert_int_equal(world_read(&world, 0, 4096)->answer.rc, 0);
	assert_int_equal(world_read(&world, 100, 4096)->answer.rc, RC_CONFIG);
	/* It begins inside and ends outside. */
	assert_int_equal(world_read(&world, 60, 4096)->answer.rc, RC_CONFIG);
	assert_int_equal(world_write(&world, 100, data, 4096)->answer.rc, RC_CONFIG);
	assert_int_equal(world_write(&world, 60, data, 4096)->answer.rc, RC_CONFIG);
	assert_non_null(strstr(world_told(&world, 4)->err.text, "32768"));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, FILE_BYTES / 2);
	world_end(&world);
}

static void test_limit_on_files(void **state)
{
	struct rlimit old, low;
	struct disk_world world;
	const struct told *told;
	uint8_t data[512] = { 1 };

	(void)state;
	make_file("limited", FILE_BYTES);
	open_file(&world, NULL);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = old;
	low.rlim_cur = 4096;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	told = world_write(&world, 64, data, sizeof data);
	setrlimit(RLIMIT_FSIZE, &old);
	/* And not SIGXFSZ, which would have ended us. */
	assert_int_equal(told->answer.rc, RC_CONFIG);
	assert_non_null(strstr(told->err.text, "File too large"));
	assert_true(told->err.next[0] != '\0');
	world_end(&world);
}

/* ---- with file systems of our own ---- */

static int has_mounts;

static void mount_own(const char *type, const char *options)
{
	if (!has_mounts)
		skip();
	snprintf(path, sizeof path, "%s/%s", folder, type);
	mkdir(path, 0700);
	assert_int_equal(mount("none", path, type, 0, options), 0);
}

static void unmount_own(const char *type)
{
	snprintf(path, sizeof path, "%s/%s", folder, type);
	assert_int_equal(umount2(path, MNT_DETACH), 0);
}

static void test_disk_full(void **state)
{
	struct disk_world world;
	static uint8_t data[FILE_BYTES];
	int rc = 0;

	(void)state;
	mount_own("tmpfs", "size=128k");
	make_file("tmpfs/sparse", 1 << 20);
	open_file(&world, NULL);
	for (uint64_t i = 0; i < 16 && rc == 0; i++)
		rc = world_write(&world, i * FILE_BYTES / 512, data, sizeof data)->answer.rc;
	assert_int_equal(rc, RC_CONFIG);
	assert_non_null(strstr(world_told(&world, world.count - 1)->err.text, "No space left"));
	/* What was there before is still there. */
	assert_int_equal(world_read(&world, 0, 512)->answer.rc, 0);
	world_end(&world);
	unmount_own("tmpfs");
}

static void test_file_system_read_only(void **state)
{
	struct disk_world world;
	char mounted[96];

	(void)state;
	mount_own("tmpfs", "size=128k");
	snprintf(mounted, sizeof mounted, "%s", path);
	make_file("tmpfs/file", FILE_BYTES);
	assert_int_equal(mount("none", mounted, "tmpfs", MS_REMOUNT | MS_RDONLY, "size=128k"), 0);
	open_file(&world, NULL);
	assert_true(disk_facts(world.disk)->is_read_only);
	assert_int_equal(submit(&world, DISK_WRITE, 0, 512), RC_CONFIG);
	assert_int_equal(world_read(&world, 0, 512)->answer.rc, 0);
	world_end(&world);
	unmount_own("tmpfs");
}

static void test_file_system_without_direct(void **state)
{
	struct disk_world world;
	uint8_t data[512];

	(void)state;
	mount_own("ramfs", NULL);
	make_file("ramfs/file", FILE_BYTES);
	open_file(&world, NULL);
	assert_false(disk_facts(world.disk)->is_direct);
	fill(data, sizeof data, 3);
	assert_int_equal(world_write(&world, 3, data, sizeof data)->answer.rc, 0);
	assert_memory_equal(world_read(&world, 3, 512)->answer.data, data, 512);
	world_end(&world);
	unmount_own("ramfs");
}

/* ---- block devices ---- */

/* A loop device that goes when we close it; -1 when there is none to be had. */
static int loop_make(unsigned block_bytes, unsigned flags, char device[32])
{
	struct loop_config config = { .block_size = block_bytes };
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int fd = -1;

	config.fd = (unsigned)open(path, O_RDWR | O_CLOEXEC);
	config.info.lo_flags = LO_FLAGS_AUTOCLEAR | flags;
	/* Somebody else may take the free one first. */
	for (int i = 0; i < 10 && control >= 0 && fd < 0; i++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);

		if (number < 0)
			break;
		snprintf(device, 32, "/dev/loop%d", number);
		fd = open(device, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config) != 0) {
			close(fd);
			fd = -1;
		}
	}
	close((int)config.fd);
	if (control >= 0)
		close(control);
	return fd;
}

static void test_block_device(void **state)
{
	static const unsigned sizes[] = { 512, 4096 };
	uint8_t data[8192];
	char device[32];

	(void)state;
	fill(data, sizeof data, 5);
	for (size_t i = 0; i < 2; i++) {
		const struct disk_facts *facts;
		struct disk_world world;
		int loop;

		make_file("backing", 1 << 20);
		loop = loop_make(sizes[i], 0, device);
		if (loop < 0)
			skip();
		snprintf(path, sizeof path, "%s", device);
		open_file(&world, NULL);
		facts = disk_facts(world.disk);
		assert_int_equal(facts->kind, DISK_FILE);
		assert_int_equal(facts->sector_bytes, sizes[i]);
		assert_int_equal(facts->sectors, (1 << 20) / sizes[i]);
		assert_true(facts->physical_bytes >= sizes[i]);
		assert_true(facts->is_direct);
		assert_false(facts->has_scsi);
		assert_true(facts->id[0] != '\0');
		assert_int_equal(world_write(&world, 1, data, sizeof data)->answer.rc, 0);
		assert_memory_equal(world_read(&world, 1, sizeof data)->answer.data, data,
				    sizeof data);
		world_end(&world);
		close(loop);
	}
}

static void test_block_device_read_only(void **state)
{
	struct disk_world world;
	char device[32];
	int loop;

	(void)state;
	make_file("backing", 1 << 20);
	loop = loop_make(512, LO_FLAGS_READ_ONLY, device);
	if (loop < 0)
		skip();
	snprintf(path, sizeof path, "%s", device);
	open_file(&world, NULL);
	assert_true(disk_facts(world.disk)->is_read_only);
	assert_int_equal(submit(&world, DISK_WRITE, 0, 512), RC_CONFIG);
	assert_int_equal(world_read(&world, 0, 512)->answer.rc, 0);
	world_end(&world);
	close(loop);
}

/* A disk that shrinks to nothing under us, as one that is pulled. */
static void test_block_device_vanishes(void **state)
{
	struct disk_world world;
	uint8_t data[512] = { 1 };
	char device[32], backing[96];
	int loop;

	(void)state;
	make_file("backing", 1 << 20);
	snprintf(backing, sizeof backing, "%s", path);
	loop = loop_make(512, 0, device);
	if (loop < 0)
		skip();
	snprintf(path, sizeof path, "%s", device);
	open_file(&world, NULL);
	assert_int_equal(truncate(backing, 0), 0);
	assert_int_equal(ioctl(loop, LOOP_SET_CAPACITY), 0);
	assert_int_not_equal(world_read(&world, 8, 512)->answer.rc, 0);
	assert_int_not_equal(world_write(&world, 8, data, 512)->answer.rc, 0);
	world_end(&world);
	close(loop);
}

/* ---- opening without waiting ---- */

struct opened {
	int calls;
	struct disk *disk;
	struct err err;
};

static void opened(struct disk *disk, const struct err *err, void *context)
{
	struct opened *told = context;

	told->calls++;
	told->disk = disk;
	if (err)
		told->err = *err;
}

static void nobody(struct disk *disk, const struct disk_answer *answer, void *context)
{
	(void)disk;
	(void)answer;
	(void)context;
}

static struct disk_opening *opening_start(struct disk_world *world, const char *url,
					  int64_t timeout_ms, struct opened *told)
{
	const struct disk_options options = { .open_timeout_ms = timeout_ms };
	struct disk_opening *opening = NULL;
	struct err err = { 0 };

	memset(told, 0, sizeof *told);
	world_init(world);
	if (disk_open_start(&world->loop, url, &options, opened, nobody, told, &opening, &err))
		fail_msg("not begun: %s", err.text);
	assert_int_equal(told->calls, 0);
	return opening;
}

static void opening_await(struct disk_world *world, const struct opened *told)
{
	while (!told->calls)
		uv_run(&world->loop, UV_RUN_ONCE);
}

static void test_open_without_waiting(void **state)
{
	struct disk_world world;
	struct opened told;

	(void)state;
	make_file("late", FILE_BYTES);
	opening_start(&world, path, 10000, &told);
	opening_await(&world, &told);
	assert_non_null(told.disk);
	assert_int_equal(disk_facts(told.disk)->sectors, FILE_BYTES / 512);
	disk_close(told.disk);
	world_end(&world);
	assert_int_equal(told.calls, 1);

	opening_start(&world, "/no/such/file", 10000, &told);
	opening_await(&world, &told);
	assert_null(told.disk);
	assert_non_null(strstr(told.err.text, "/no/such/file"));
	world_end(&world);
	assert_int_equal(told.calls, 1);
}

static void test_open_given_up(void **state)
{
	struct disk_world world;
	struct opened told;

	(void)state;
	make_file("given-up", FILE_BYTES);
	disk_open_cancel(opening_start(&world, path, 10000, &told));
	world_end(&world);
	assert_int_equal(told.calls, 0);
}

/* A target that takes the connection and says nothing. */
static void test_open_that_hangs(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct disk_world world;
	struct opened told;
	char url[96];

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	snprintf(url, sizeof url, "iscsi://127.0.0.1:%u/iqn.2026-11.test:none/1",
		 ntohs(address.sin_port));
	opening_start(&world, url, 200, &told);
	opening_await(&world, &told);
	assert_null(told.disk);
	assert_int_not_equal(told.err.rc, 0);
	world_end(&world);
	assert_int_equal(told.calls, 1);
	close(fd);
}

static void test_open_what_is_no_url(void **state)
{
	const struct disk_options options = { .open_timeout_ms = 1000 };
	struct disk_world world;
	struct disk_opening *opening;
	struct opened told = { 0 };
	struct err err = { 0 };

	(void)state;
	world_init(&world);
	assert_int_equal(disk_open_start(&world.loop, "disk", &options, opened, nobody, &told,
					 &opening, &err),
			 RC_CONFIG);
	world_end(&world);
	assert_int_equal(told.calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_write_read_back),
		cmocka_unit_test(test_sectors_of_4096),
		cmocka_unit_test(test_what_is_no_disk),
		cmocka_unit_test(test_what_does_not_fit),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_file_cut_short),
		cmocka_unit_test(test_limit_on_files),
		cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_file_system_read_only),
		cmocka_unit_test(test_file_system_without_direct),
		cmocka_unit_test(test_block_device),
		cmocka_unit_test(test_block_device_read_only),
		cmocka_unit_test(test_block_device_vanishes),
		cmocka_unit_test(test_open_without_waiting),
		cmocka_unit_test(test_open_given_up),
		cmocka_unit_test(test_open_that_hangs),
		cmocka_unit_test(test_open_what_is_no_url),
	};
	int rc;

	snprintf(folder, sizeof folder, "/tmp/holdfast-disk-XXXXXX");
	if (!mkdtemp(folder))
		return 1;
	has_mounts = unshare(CLONE_NEWNS) == 0 &&
		     mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(path, sizeof path, "rm -rf '%s'", folder);
	return system(path) != 0 ? 1 : rc;
}
