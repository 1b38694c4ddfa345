/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: disk host base tests/unit/disk_world.c tests/unit/tgt_world.c pkg:cmocka
 *
 * test_disk_iscsi.c - iSCSI disks on a real target: login, identity, I/O, and what is known when the
 * target dies, hangs, comes back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/disk/disk_identity.h"
#include "tests/unit/disk_world.h"
#include "tests/unit/tgt_world.h"

static struct tgt_world tgt;

static const uint8_t test_unit_ready[6];

#define NEED_TGT()                                                                                 \
	do {                                                                                       \
		if (!tgt.pid)                                                                      \
			skip();                                                                    \
	} while (0)

static void open_url(struct disk_world *world, const char *url, const struct disk_options *options)
{
	struct err err = { 0 };

	world_init(world);
	if (world_open(world, url, options, &err) != 0)
		fail_msg("not open: %s", err.text);
}

static void open_lun(struct disk_world *world, int lun)
{
	open_url(world, tgt_url(&tgt, lun), NULL);
}

/* Opening must fail in this way, and say something about it. */
static void refuse_with(const char *url, const struct disk_options *options, int rc,
			const char *word)
{
	struct disk_world world;
	struct err err = { 0 };
	int got;

	world_init(&world);
	got = world_open(&world, url, options, &err);
	if (got != rc || !strstr(err.text, word))
		fail_msg("%s: \"%s\", not %s and \"%s\"", rc_word(got), err.text, rc_word(rc),
			 word);
	assert_null(strstr(err.text, "wrong-secret"));
	world_end(&world);
}

static void refuse(const char *url, int rc, const char *word)
{
	refuse_with(url, NULL, rc, word);
}

static void fill(uint8_t *data, size_t bytes, unsigned seed)
{
	for (size_t i = 0; i < bytes; i++)
		data[i] = (uint8_t)(i * 7 + i / 256 + seed);
}

/* ---- a target that works ---- */

static void test_open_and_facts(void **state)
{
	struct disk_world world;
	const struct disk_facts *facts;

	(void)state;
	NEED_TGT();
	open_lun(&world, 1);
	facts = disk_facts(world.disk);
	assert_int_equal(facts->kind, DISK_ISCSI);
	assert_int_equal(facts->sector_bytes, 512);
	assert_int_equal(facts->physical_bytes, 4096);
	assert_int_equal(facts->sectors, (4 << 20) / 512);
	assert_false(facts->is_read_only);
	assert_true(facts->is_direct);
	assert_true(facts->has_scsi);
	assert_string_equal(facts->vendor, "IET");
	assert_string_equal(facts->product, "VIRTUAL-DISK");
	assert_string_equal(facts->revision, "0001");
	assert_true(strncmp(facts->id, "naa.6", 5) == 0);
	assert_string_equal(disk_name(world.disk), tgt_url(&tgt, 1));
	world_end(&world);
}

static void test_write_read(void **state)
{
	static uint8_t data[DISK_BYTES_MAX + 8], seen[DISK_BYTES_MAX];
	struct disk_world world;
	const struct told *told;
	char path[96];
	int fd;

	(void)state;
	NEED_TGT();
	open_lun(&world, 1);
	fill(data, sizeof data, 1);
	for (uint32_t bytes = 512; bytes <= DISK_BYTES_MAX; bytes *= 2) {
		told = world_write(&world, 8, data + 7, bytes);
		assert_int_equal(told->answer.rc, 0);
		assert_false(mono_is_never(told->answer.submitted_at));
		told = world_read(&world, 8, bytes);
		assert_int_equal(told->answer.rc, 0);
		assert_int_equal(told->answer.bytes, bytes);
		assert_memory_equal(told->data, data + 7, bytes < KEPT_BYTES ? bytes : KEPT_BYTES);
	}
	snprintf(path, sizeof path, "%s/lun1", tgt.folder);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, seen, sizeof seen, 8 * 512), sizeof seen);
	close(fd);
	assert_memory_equal(seen, data + 7, sizeof seen);
	told = world_write(&world, (4 << 20) / 512 - 1, data, 512);
	assert_int_equal(told->answer.rc, 0);
	told = world_read(&world, (4 << 20) / 512 - 1, 512);
	assert_memory_equal(told->data, data, 512);
	world_end(&world);
}

static void test_scsi_commands(void **state)
{
	static const uint8_t inquiry[6] = { 0x12, 0, 0, 0, 96 };
	static const uint8_t nonsense[6] = { 0xff };
	static const uint8_t read_keys[10] = { 0x5e, 0, [8] = 64 };
	struct disk_world world;
	const struct told *told;

	(void)state;
	NEED_TGT();
	open_lun(&world, 1);
	told = world_scsi(&world, test_unit_ready, 6, DISK_NO_DATA, NULL, 0);
	assert_int_equal(told->answer.rc, 0);
	assert_int_equal(told->answer.status, 0);
	told = world_scsi(&world, inquiry, 6, DISK_FROM_DEVICE, NULL, 96);
	assert_int_equal(told->answer.rc, 0);
	assert_in_range(told->answer.bytes, 36, 96);
	assert_memory_equal(told->data + 8, "IET     ", 8);
	told = world_scsi(&world, read_keys, 10, DISK_FROM_DEVICE, NULL, 64);
	assert_int_equal(told->answer.status, 0);
	assert_int_equal(told->answer.bytes, 8);
	/* The device refuses, the transport works. */
	told = world_scsi(&world, nonsense, 6, DISK_NO_DATA, NULL, 0);
	assert_int_equal(told->answer.rc, 0);
	assert_int_equal(told->answer.status, 0x02);
	assert_in_range(told->answer.sense_bytes, 8, DISK_SENSE_BYTES_MAX);
	assert_int_equal(told->answer.sense[0] & 0x7f, 0x70);
	assert_int_equal(told->answer.sense[2] & 0xf, 5);
	assert_int_equal(told->answer.sense[12], 0x20);
	world_end(&world);
}

static void test_sectors_of_4096(void **state)
{
	static uint8_t data[8192];
	struct disk_world world;
	struct disk_request request = { .op = DISK_READ, .deadline = MONO_NEVER, .bytes = 512 };
	struct err err = { 0 };

	(void)state;
	NEED_TGT();
	tgt_admin(&tgt, "--op new --mode logicalunit --tid 1 --lun 4 --blocksize 4096 -b %s/lun2",
		  tgt.folder);
	open_lun(&world, 4);
	assert_int_equal(disk_facts(world.disk)->sector_bytes, 4096);
	assert_int_equal(disk_facts(world.disk)->sectors, (4 << 20) / 4096);
	assert_int_equal(disk_submit(world.disk, &request, &err), RC_CONFIG);
	fill(data, sizeof data, 9);
	assert_int_equal(world_write(&world, 3, data, sizeof data)->answer.rc, 0);
	assert_memory_equal(world_read(&world, 3, sizeof data)->data, data, sizeof data);
	world_end(&world);
	tgt_admin(&tgt, "--op delete --mode logicalunit --tid 1 --lun 4");
}

static void test_read_only_lun(void **state)
{
	struct disk_world world;
	uint8_t data[512] = { 1 };
	const struct disk_request request = {
		.op = DISK_WRITE, .deadline = MONO_NEVER, .bytes = sizeof data, .data = data
	};
	struct err err = { 0 };

	(void)state;
	NEED_TGT();
	tgt_admin(&tgt, "--op update --mode logicalunit --tid 1 --lun 2 --params readonly=1");
	open_lun(&world, 2);
	assert_true(disk_facts(world.disk)->is_read_only);
	assert_int_equal(disk_submit(world.disk, &request, &err), RC_CONFIG);
	assert_int_equal(world_read(&world, 0, 512)->answer.rc, 0);
	world_end(&world);
	tgt_admin(&tgt, "--op update --mode logicalunit --tid 1 --lun 2 --params readonly=0");
}

/* Another nexus reserves the disk for itself: our write is refused, and we see by whom. */
static void test_reservation_conflict(void **state)
{
	static const uint8_t reg[10] = { 0x5f, 0x00, [8] = 24 };
	static const uint8_t reserve[10] = { 0x5f, 0x01, 0x03, [8] = 24 };
	static const uint8_t clear[10] = { 0x5f, 0x03, [8] = 24 };
	uint8_t key[24] = { [15] = 7 }, own[24] = { [7] = 7 }, data[512] = { 0 };
	const struct disk_options other = { .nexus = 1 };
	struct disk_world world, holder;
	const struct told *told;

	(void)state;
	NEED_TGT();
	open_lun(&world, 1);
	open_url(&holder, tgt_url(&tgt, 1), &other);
	assert_int_equal(world_scsi(&holder, reg, 10, DISK_TO_DEVICE, key, 24)->answer.status, 0);
	assert_int_equal(world_scsi(&holder, reserve, 10, DISK_TO_DEVICE, own, 24)->answer.status,
			 0);
	told = world_write(&world, 1, data, sizeof data);
	assert_int_equal(told->answer.rc, RC_PRIVILEGE);
	assert_int_equal(told->answer.status, 0x18);
	assert_false(told->answer.is_outstanding);
	told = world_scsi(&world, clear, 10, DISK_TO_DEVICE, own, 24);
	assert_int_equal(told->answer.rc, 0);
	assert_int_equal(told->answer.status, 0x18);
	assert_int_equal(world_scsi(&holder, clear, 10, DISK_TO_DEVICE, own, 24)->answer.status, 0);
	assert_int_equal(world_write(&world, 1, data, sizeof data)->answer.rc, 0);
	world_end(&holder);
	world_end(&world);
}

static void test_close_logs_out(void **state)
{
	mono_t give_up = in_ms(WAIT_MS);
	struct disk_world world;
	char command[160];

	(void)state;
	NEED_TGT();
	open_lun(&world, 1);
	snprintf(command, sizeof command,
		 "tgtadm -C %d --lld iscsi --op show --mode conn --tid 1 | grep -q Session",
		 tgt.control);
	assert_int_equal(system(command), 0);
	world_end(&world);
	/* The target answers the logout first, then it forgets. */
	while (system(command) == 0)
		assert_true(mono_before(clock_now(), give_up));
}

/* ---- who may, and to where ---- */

static const char *chap_url(const char *who)
{
	static char url[200];

	snprintf(url, sizeof url, "iscsi://%s127.0.0.1:%d/" TGT_TARGET ":chap/1", who, tgt.port);
	return url;
}

static void secrets_write(const char *lines, mode_t mode)
{
	char path[96];
	FILE *file;

	snprintf(path, sizeof path, "%s/chap", tgt.folder);
	unlink(path);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(lines, file);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
	assert_int_equal(setenv("HOLDFAST_CHAP_FILE", path, 1), 0);
}

static void test_chap(void **state)
{
	struct disk_world world;

	(void)state;
	NEED_TGT();
	tgt_admin(&tgt, "--op new --mode target --tid 2 -T " TGT_TARGET ":chap");
	tgt_admin(&tgt, "--op new --mode logicalunit --tid 2 --lun 1 -b %s/lun1", tgt.folder);
	tgt_admin(&tgt, "--op bind --mode target --tid 2 -I ALL");
	tgt_admin(&tgt, "--op new --mode account --user hannah --password 'right/@%%secret'");
	tgt_admin(&tgt, "--op bind --mode account --tid 2 --user hannah");
	open_url(&world, chap_url("hannah%right/@%secret@"), NULL);
	assert_string_equal(disk_name(world.disk), chap_url("hannah@"));
	assert_int_equal(world_read(&world, 0, 512)->answer.rc, 0);
	world_end(&world);
	refuse(chap_url("hannah%wrong-secret@"), RC_AUTH, "not authenticated");
	refuse(chap_url("nobody%right/@%secret@"), RC_AUTH, "not authenticated");
	refuse(chap_url(""), RC_AUTH, "not authenticated");
}

static void test_chap_file(void **state)
{
	struct disk_world world;

	(void)state;
	NEED_TGT();
	setenv("HOLDFAST_CHAP_FILE", "/nowhere/chap", 1);
	refuse(chap_url("hannah@"), RC_CONFIG, "/nowhere/chap");
	secrets_write("# ours\nCHAP other hannah wrong-secret\nCHAP * hannah \"right/@%secret\"\n",
		      0600);
	open_url(&world, chap_url("hannah@"), NULL);
	world_end(&world);
	secrets_write("CHAP * hannah wrong-secret\n", 0600);
	refuse(chap_url("hannah@"), RC_AUTH, "not authenticated");
	secrets_write("CHAP * hannah wrong-secret\n", 0640);
	refuse(chap_url("hannah@"), RC_CONFIG, "others may read");
	secrets_write("CHAP * otto wrong-secret\n", 0600);
	refuse(chap_url("hannah@"), RC_CONFIG, "no password for user \"hannah\"");
	secrets_write("CHAP * hannah\n", 0600);
	refuse(chap_url("hannah@"), RC_CONFIG, "not a CHAP line");
	secrets_write("CHAP * hannah \"wrong-secret\n", 0600);
	refuse(chap_url("hannah@"), RC_CONFIG, "chap:1:");
}

/* The target has to prove itself too. */
static void test_chap_mutual(void **state)
{
	struct disk_world world;

	(void)state;
	NEED_TGT();
	tgt_admin(&tgt, "--op new --mode account --user box --password boxsecret");
	tgt_admin(&tgt, "--op bind --mode account --tid 2 --user box --outgoing");
	secrets_write("CHAP * hannah \"right/@%secret\" box boxsecret\n", 0600);
	open_url(&world, chap_url("hannah@"), NULL);
	world_end(&world);
	secrets_write("CHAP * hannah \"right/@%secret\" box wrong-secret\n", 0600);
	refuse(chap_url("hannah@"), RC_AUTH, "prove");
	unsetenv("HOLDFAST_CHAP_FILE");
}

static void test_wrong_places(void **state)
{
	struct disk_world world;
	char url[200];

	(void)state;
	NEED_TGT();
	snprintf(url, sizeof url, "iscsi://127.0.0.1:%d/iqn.2026-11.test:other/1", tgt.port);
	refuse(url, RC_CONFIG, "no such target");
	refuse(tgt_url(&tgt, 9), RC_CONFIG, "no such logical unit");
	refuse(tgt_url(&tgt, 0), RC_CONFIG, "is not a disk");
	refuse("iscsi://127.0.0.1:1/" TGT_TARGET "/1", RC_UNREACHABLE, "refused");
	refuse("iscsi://no.such.host.invalid/" TGT_TARGET "/1", RC_UNREACHABLE, "resol");
	refuse("iscsi://host", RC_CONFIG, "no target");
	/* And after all these the target still works. */
	open_lun(&world, 1);
	world_end(&world);
}

static void test_target_for_others(void **state)
{
	const struct disk_options friend = { .initiator = "iqn.2026-11.test:friend" };
	const struct disk_options foe = { .initiator = "iqn.2026-11.test:foe" };
	char too_long[ISCSI_NAME_BYTES + 1] = "iqn";
	const struct disk_options wordy = { .initiator = too_long };
	struct disk_world world;
	char url[200];

	(void)state;
	NEED_TGT();
	memset(too_long, 'x', ISCSI_NAME_BYTES);
	tgt_admin(&tgt, "--op new --mode target --tid 3 -T " TGT_TARGET ":friends");
	tgt_admin(&tgt, "--op new --mode logicalunit --tid 3 --lun 1 -b %s/lun1", tgt.folder);
	tgt_admin(&tgt, "--op bind --mode target --tid 3 -Q iqn.2026-11.test:friend");
	snprintf(url, sizeof url, "iscsi://127.0.0.1:%d/" TGT_TARGET ":friends/1", tgt.port);
	open_url(&world, url, &friend);
	world_end(&world);
	/* What tgt says to those whom it does not want. */
	refuse_with(url, &foe, RC_CONFIG, "no such target");
	refuse_with(url, &wordy, RC_CONFIG, "at most 223");
	tgt_admin(&tgt, "--op delete --mode target --tid 3 --force");
}

/* ---- identity ---- */

static void test_one_lun_two_portals(void **state)
{
	struct disk_world world, other, second;
	struct disk_known known[3];
	struct err err = { 0 };

	(void)state;
	NEED_TGT();
	open_lun(&world, 1);
	open_url(&other, tgt_other_url(&tgt, 1), NULL);
	open_lun(&second, 2);
	/* Three sessions side by side, although nobody chose three ISIDs. */
	assert_int_equal(world_read(&world, 0, 512)->answer.rc, 0);
	assert_int_equal(world_read(&other, 0, 512)->answer.rc, 0);
	assert_int_equal(world_read(&second, 0, 512)->answer.rc, 0);
	known[0] = (struct disk_known){ disk_name(world.disk), disk_facts(world.disk) };
	known[1] = (struct disk_known){ disk_name(second.disk), disk_facts(second.disk) };
	known[2] = (struct disk_known){ disk_name(other.disk), disk_facts(other.disk) };
	assert_int_equal(disk_relation(&known[0], &known[1]), DISKS_DISTINCT);
	assert_int_equal(disk_relation(&known[0], &known[2]), DISKS_SAME_UNIT);
	assert_int_equal(disk_identities_check(known, 2, &err), 0);
	assert_int_equal(disk_identities_check(known, 3, &err), RC_CONFIG);
	assert_non_null(strstr(err.text, "are the same disk"));
	world_end(&second);
	world_end(&other);
	world_end(&world);
}

static void test_two_luns_one_identity(void **state)
{
	struct disk_world world, second;
	struct disk_known known[2];
	struct err err = { 0 };

	(void)state;
	NEED_TGT();
	tgt_admin(&tgt, "--op new --mode logicalunit --tid 1 --lun 5 --blocksize 4096 -b %s/lun2",
		  tgt.folder);
	tgt_admin(&tgt, "--op update --mode logicalunit --tid 1 --lun 5 --params 'scsi_id=IET     "
			"00010001'");
	open_lun(&world, 1);
	open_lun(&second, 5);
	known[0] = (struct disk_known){ disk_name(world.disk), disk_facts(world.disk) };
	known[1] = (struct disk_known){ disk_name(second.disk), disk_facts(second.disk) };
	assert_string_equal(known[0].facts->id, known[1].facts->id);
	assert_int_equal(disk_relation(&known[0], &known[1]), DISKS_CONTRADICT);
	assert_int_equal(disk_identities_check(known, 2, &err), RC_CONFIG);
	assert_non_null(strstr(err.text, "both call themselves"));
	world_end(&second);
	world_end(&world);
	tgt_admin(&tgt, "--op delete --mode logicalunit --tid 1 --lun 5");
}

/* ---- sessions that end ---- */

static void test_same_isid_twice(void **state)
{
	struct disk_world world, thief;
	const struct told *told;

	(void)state;
	NEED_TGT();
	open_lun(&world, 1);
	open_lun(&thief, 1);
	assert_int_equal(world_read(&thief, 0, 512)->answer.rc, 0);
	told = world_read(&world, 0, 512);
	assert_int_equal(told->answer.rc, RC_UNREACHABLE);
	world_end(&thief);
	world_end(&world);
}

/* Is this a unit attention of a reset or a new nexus, 29h? */
static int is_reset_attention(const struct told *told)
{
	return told->answer.rc == 0 && told->answer.status == 0x02 &&
	       (told->answer.sense[2] & 0xf) == 6 && told->answer.sense[12] == 0x29;
}

static void reinstate(struct disk_world *world)
{
	struct err err = { 0 };

	if (disk_reinstate(world->disk, &err) != 0)
		fail_msg("%s", err.text);
}

static void submit_write(struct disk_world *world, uint64_t token, uint64_t sector, uint8_t fill_by,
			 mono_t deadline)
{
	uint8_t data[512];
	const struct disk_request request = { .token = token,
					      .op = DISK_WRITE,
					      .deadline = deadline,
					      .sector = sector,
					      .bytes = sizeof data,
					      .data = data };
	struct err err = { 0 };

	memset(data, fill_by, sizeof data);
	assert_int_equal(disk_submit(world->disk, &request, &err), 0);
}

/* The target goes while nothing is under way: then nothing is in doubt. */
static void test_killed_while_idle(void **state)
{
	struct disk_world world;
	const struct told *told;
	uint8_t data[512] = { 0 };

	(void)state;
	NEED_TGT();
	open_lun(&world, 1);
	tgt_kill(&tgt);
	told = world_write(&world, 1, data, sizeof data);
	assert_int_equal(told->answer.rc, RC_UNREACHABLE);
	assert_false(told->answer.is_outstanding);
	assert_true(mono_is_never(told->answer.submitted_at));
	/* A login fails, and says why to whoever asks next. */
	reinstate(&world);
	told = world_read(&world, 1, 512);
	assert_int_equal(told->answer.rc, RC_UNREACHABLE);
	assert_non_null(strstr(told->err.text, "refused"));
	tgt_start(&tgt);
	tgt_export(&tgt, 2);
	/* It does not come back by itself. */
	assert_int_equal(world_read(&world, 1, 512)->answer.rc, RC_UNREACHABLE);
	reinstate(&world);
	assert_true(
		is_reset_attention(world_scsi(&world, test_unit_ready, 6, DISK_NO_DATA, NULL, 0)));
	assert_int_equal(world_read(&world, 1, 512)->answer.rc, 0);
	world_end(&world);
}

/* A write that is with the stopped target when its deadline passes, on however slow a machine; its
 * timeout is answer 0. */
static void write_stuck(struct disk_world *world, uint64_t token, uint64_t sector, uint8_t fill_by)
{
	for (int64_t ms = 100; ms < WAIT_MS; ms *= 2) {
		world->count = 0;
		submit_write(world, token, sector, fill_by, in_ms(ms));
		world_await(world, 1);
		assert_int_equal(world_told(world, 0)->answer.rc, RC_TIMEOUT);
		if (world_told(world, 0)->answer.is_outstanding)
			return;
	}
	fail_msg("the worker never runs");
}

/* The target goes with a write on its way: that is in doubt until a login has worked. */
static void test_killed_under_a_write(void **state)
{
	struct disk_world world;
	const struct told *told;

	(void)state;
	NEED_TGT();
	open_lun(&world, 1);
	kill(tgt.pid, SIGSTOP);
	write_stuck(&world, 1, 20, 0x11);
	submit_write(&world, 2, 21, 0x11, MONO_NEVER);
	tgt_kill(&tgt);
	/* Nothing is sent behind it; what became of the first is not known yet. */
	world_await(&world, 2);
	told = world_told(&world, 1);
	assert_int_equal(told->answer.token, 2);
	assert_int_equal(told->answer.rc, RC_UNREACHABLE);
	assert_false(told->answer.is_outstanding);
	tgt_start(&tgt);
	tgt_export(&tgt, 2);
	reinstate(&world);
	world_await(&world, 3);
	told = world_told(&world, 2);
	assert_int_equal(told->answer.kind, DISK_LATE);
	assert_int_equal(told->answer.token, 1);
	assert_int_equal(told->answer.rc, RC_UNREACHABLE);
	world_end(&world);
}

/* How many bytes wait in a socket of the target, so that we see what a stopped one has got? */
static unsigned long target_backlog(void)
{
	FILE *file = fopen("/proc/net/tcp", "re");
	unsigned long most = 0;
	char line[512];

	assert_non_null(file);
	/* sl local_address rem_address st tx_queue:rx_queue ... in hexadecimal */
	while (fgets(line, sizeof line, file)) {
		char *words[5] = { NULL }, *save;

		for (size_t i = 0; i < 5; i++)
			words[i] = strtok_r(i == 0 ? line : NULL, " ", &save);
		if (words[4] && strchr(words[1], ':') && strchr(words[4], ':') &&
		    (int)strtoul(strchr(words[1], ':') + 1, NULL, 16) == tgt.port &&
		    strtoul(words[3], NULL, 16) == TCP_ESTABLISHED &&
		    strtoul(strchr(words[4], ':') + 1, NULL, 16) > most)
			most = strtoul(strchr(words[4], ':') + 1, NULL, 16);
	}
	fclose(file);
	return most;
}

/* The same, but it breaks before any deadline. */
static void test_breaks_under_a_write(void **state)
{
	mono_t give_up = in_ms(WAIT_MS);
	struct disk_world world;
	const struct told *told;

	(void)state;
	NEED_TGT();
	open_lun(&world, 1);
	kill(tgt.pid, SIGSTOP);
	submit_write(&world, 1, 22, 0x11, MONO_NEVER);
	while (target_backlog() == 0)
		assert_true(mono_before(clock_now(), give_up));
	tgt_kill(&tgt);
	world_await(&world, 1);
	told = world_told(&world, 0);
	assert_int_equal(told->answer.kind, DISK_DONE);
	assert_int_equal(told->answer.rc, RC_UNREACHABLE);
	assert_true(told->answer.is_outstanding);
	tgt_start(&tgt);
	tgt_export(&tgt, 2);
	reinstate(&world);
	world_await(&world, 2);
	assert_int_equal(world_told(&world, 1)->answer.kind, DISK_LATE);
	world_end(&world);
}

/* A target that only slept: the late answer is the true one, and the session goes on, so that no
 * registration is lost by a hiccup. */
static void test_late_answer(void **state)
{
	struct disk_world world;
	const struct told *told;

	(void)state;
	NEED_TGT();
	open_lun(&world, 1);
	kill(tgt.pid, SIGSTOP);
	write_stuck(&world, 1, 30, 0x22);
	submit_write(&world, 2, 31, 0x33, in_ms(50));
	world_await(&world, 2);
	told = world_told(&world, 1);
	assert_int_equal(told->answer.rc, RC_TIMEOUT);
	assert_false(told->answer.is_outstanding);
	kill(tgt.pid, SIGCONT);
	world_await(&world, 3);
	told = world_told(&world, 2);
	assert_int_equal(told->answer.kind, DISK_LATE);
	assert_int_equal(told->answer.rc, 0);
	told = world_scsi(&world, test_unit_ready, 6, DISK_NO_DATA, NULL, 0);
	assert_int_equal(told->answer.status, 0);
	assert_int_equal(world_read(&world, 30, 512)->data[7], 0x22);
	assert_int_not_equal(world_read(&world, 31, 512)->data[7], 0x33);
	world_end(&world);
}

/* The target hangs, we start anew, it wakes up with our old write in its socket. Once the new login
 * is answered, that write has happened or never will: a newer one is never undone by it. */
static void test_stopped_then_reinstated(void **state)
{
	struct disk_world world;

	(void)state;
	NEED_TGT();
	open_lun(&world, 1);
	for (uint8_t round = 1; round <= 10; round++) {
		const struct told *told;
		uint8_t newer[512];

		kill(tgt.pid, SIGSTOP);
		write_stuck(&world, 1, 40, round);
		reinstate(&world);
		/* The login cannot be answered yet, and so nothing else is. */
		submit_write(&world, 2, 41, round, in_ms(50));
		world_await(&world, 2);
		assert_int_equal(world_told(&world, 1)->answer.rc, RC_TIMEOUT);
		assert_true(mono_is_never(world_told(&world, 1)->answer.submitted_at));
		kill(tgt.pid, SIGCONT);
		world_await(&world, 3);
		told = world_told(&world, 2);
		assert_int_equal(told->answer.kind, DISK_LATE);
		assert_int_equal(told->answer.token, 1);
		assert_int_equal(told->answer.rc, RC_UNREACHABLE);
		assert_true(is_reset_attention(
			world_scsi(&world, test_unit_ready, 6, DISK_NO_DATA, NULL, 0)));
		memset(newer, 0x80 | round, sizeof newer);
		assert_int_equal(world_write(&world, 40, newer, sizeof newer)->answer.rc, 0);
		for (int i = 0; i < 20; i++)
			assert_int_equal(world_read(&world, 40, 512)->data[9], 0x80 | round);
		assert_int_not_equal(world_read(&world, 41, 512)->data[9], round);
	}
	world_end(&world);
}

static void test_reinstated_elsewhere(void **state)
{
	struct disk_world world;
	const struct told *told;

	(void)state;
	NEED_TGT();
	open_lun(&world, 2);
	tgt_admin(&tgt, "--op update --mode logicalunit --tid 1 --lun 2 --params 'scsi_id=IET     "
			"00019999'");
	reinstate(&world);
	told = world_read(&world, 0, 512);
	assert_int_equal(told->answer.rc, RC_CONFIG);
	assert_non_null(strstr(told->err.text, "another disk"));
	tgt_admin(&tgt, "--op update --mode logicalunit --tid 1 --lun 2 --params 'scsi_id=IET     "
			"00010002'");
	reinstate(&world);
	world_scsi(&world, test_unit_ready, 6, DISK_NO_DATA, NULL, 0);
	assert_int_equal(world_read(&world, 0, 512)->answer.rc, 0);
	world_end(&world);
}

static void test_close_while_hung(void **state)
{
	struct disk_world world;

	(void)state;
	NEED_TGT();
	open_lun(&world, 1);
	kill(tgt.pid, SIGSTOP);
	submit_write(&world, 1, 50, 1, MONO_NEVER);
	world_turn(&world);
	disk_close(world.disk);
	world.disk = NULL;
	assert_int_equal(world.count, 1);
	assert_int_equal(world_told(&world, 0)->answer.rc, RC_CANCELLED);
	world_end(&world);
	kill(tgt.pid, SIGCONT);
	open_lun(&world, 1);
	kill(tgt.pid, SIGSTOP);
	/* Nobody answers the logout either. */
	world_end(&world);
	kill(tgt.pid, SIGCONT);
}

/* ---- what is no target ---- */

static int listener(int *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

static void test_silent_port(void **state)
{
	const struct disk_options options = { .open_timeout_ms = 200 };
	char url[160];
	int port, fd = listener(&port);

	(void)state;
	snprintf(url, sizeof url, "iscsi://127.0.0.1:%d/" TGT_TARGET "/1", port);
	refuse_with(url, &options, RC_TIMEOUT, "no answer to the login in time");
	close(fd);
}

/* Accepts, says what it was told to say, and hangs up. */
struct babbler {
	int fd;
	const char *says;
	size_t bytes;
};

static void *babble(void *arg)
{
	struct babbler *babbler = arg;
	int fd = accept4(babbler->fd, NULL, NULL, SOCK_CLOEXEC);
	char request[48];

	if (fd >= 0 && recv(fd, request, sizeof request, MSG_WAITALL) > 0)
		send(fd, babbler->says, babbler->bytes, MSG_NOSIGNAL);
	close(fd);
	return NULL;
}

static void test_babbling_port(void **state)
{
	static const char garbage[600] = "HTTP/1.0 400 Bad Request\r\n\r\n";
	const struct babbler babblers[] = {
		{ .says = garbage, .bytes = 0 },
		{ .says = garbage, .bytes = 20 },
		{ .says = garbage, .bytes = sizeof garbage },
	};

	(void)state;
	for (size_t i = 0; i < sizeof babblers / sizeof babblers[0]; i++) {
		struct babbler babbler = babblers[i];
		const struct disk_options options = { .open_timeout_ms = 2000 };
		struct disk_world world;
		struct err err = { 0 };
		pthread_t thread;
		char url[160];
		int port, rc;

		babbler.fd = listener(&port);
		assert_int_equal(pthread_create(&thread, NULL, babble, &babbler), 0);
		snprintf(url, sizeof url, "iscsi://127.0.0.1:%d/" TGT_TARGET "/1", port);
		world_init(&world);
		rc = world_open(&world, url, &options, &err);
		assert_true(rc == RC_UNREACHABLE || rc == RC_PROTOCOL);
		world_end(&world);
		pthread_join(thread, NULL);
		close(babbler.fd);
	}
}

static int start(void **state)
{
	(void)state;
	if (!tgt_is_possible())
		return 0;
	tgt_init(&tgt);
	tgt_export(&tgt, 2);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	if (tgt.pid)
		tgt_end(&tgt);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_and_facts),
		cmocka_unit_test(test_write_read),
		cmocka_unit_test(test_scsi_commands),
		cmocka_unit_test(test_sectors_of_4096),
		cmocka_unit_test(test_read_only_lun),
		cmocka_unit_test(test_reservation_conflict),
		cmocka_unit_test(test_close_logs_out),
		cmocka_unit_test(test_chap),
		cmocka_unit_test(test_chap_file),
		cmocka_unit_test(test_chap_mutual),
		cmocka_unit_test(test_wrong_places),
		cmocka_unit_test(test_target_for_others),
		cmocka_unit_test(test_one_lun_two_portals),
		cmocka_unit_test(test_two_luns_one_identity),
		cmocka_unit_test(test_same_isid_twice),
		cmocka_unit_test(test_killed_while_idle),
		cmocka_unit_test(test_killed_under_a_write),
		cmocka_unit_test(test_breaks_under_a_write),
		cmocka_unit_test(test_late_answer),
		cmocka_unit_test(test_stopped_then_reinstated),
		cmocka_unit_test(test_reinstated_elsewhere),
		cmocka_unit_test(test_close_while_hung),
		cmocka_unit_test(test_silent_port),
		cmocka_unit_test(test_babbling_port),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
