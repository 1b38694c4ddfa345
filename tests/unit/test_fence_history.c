/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: fencer host base pkg:cmocka
 *
 * test_fence_history.c - the history file through torn tails, garbage, full disks, rotation,
 * several writers at once and folders that cannot be written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fence-agents/fencer/fence_history.h"
#include "host/journal.h"

static char folder[64], path[128];

static int folder_make(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/holdfast-history-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/deep/er/history", folder);
	return 0;
}

static int folder_remove(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static struct fence_history_record record(const char *target)
{
	return (struct fence_history_record){
		.time_s = 1700000000,
		.kind = FENCE_HISTORY_DEVICE,
		.operation = "off",
		.target = target,
		.device = "pdu-a",
		.plugs = "3,4",
		.level = 2,
		.result = "state",
		.state = "partial",
		.proof = "accepted",
		.off_proven = 0,
		.on_proven = 1,
		.elapsed_ms = 1234,
		.message = "line one\nwith \"quotes\", \x01 control and \xff bytes",
		.operator_name = "root",
	};
}

struct seen {
	size_t count;
	char first[64], last[64];
	struct fence_history_record record;
};

static int see(void *arg, const struct fence_history_record *r)
{
	struct seen *seen = arg;

	if (seen->count++ == 0)
		snprintf(seen->first, sizeof seen->first, "%s", r->target);
	snprintf(seen->last, sizeof seen->last, "%s", r->target);
	seen->record = *r;
	return 0;
}

static struct seen read_all(size_t skipped)
{
	struct seen seen = { 0 };
	struct err err = { 0 };
	size_t met = 99;

	assert_int_equal(fence_history_read(path, see, &seen, &met, &err), 0);
	assert_int_equal(met, skipped);
	return seen;
}

static int append(const char *target)
{
	struct fence_history_record r = record(target);
	struct err err = { 0 };

	return fence_history_append(path, &r, 1, &err);
}

static void file_add(const char *bytes, size_t count)
{
	FILE *file = fopen(path, "a");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, count, file), count);
	fclose(file);
}

static int see_all_members(void *arg, const struct fence_history_record *r)
{
	const struct fence_history_record *want = arg;

	assert_int_equal(r->time_s, want->time_s);
	assert_int_equal(r->kind, want->kind);
	assert_string_equal(r->operation, want->operation);
	assert_string_equal(r->target, want->target);
	assert_string_equal(r->device, want->device);
	assert_string_equal(r->plugs, want->plugs);
	assert_int_equal(r->level, want->level);
	assert_string_equal(r->result, want->result);
	assert_string_equal(r->state, want->state);
	assert_string_equal(r->proof, want->proof);
	assert_int_equal(r->off_proven, want->off_proven);
	assert_int_equal(r->on_proven, want->on_proven);
	assert_int_equal(r->elapsed_ms, want->elapsed_ms);
	assert_string_equal(r->message, "line one with \"quotes\",   control and ? bytes");
	assert_string_equal(r->operator_name, want->operator_name);
	return 1;
}

static void what_is_written_is_read(void **state)
{
	struct fence_history_record r = record("node1");
	struct err err = { 0 };
	struct stat st;
	char deep[128];

	(void)state;
	assert_int_equal(append("node1"), 0);
	assert_int_equal(fence_history_read(path, see_all_members, &r, NULL, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	snprintf(deep, sizeof deep, "%s/deep/er", folder);
	assert_int_equal(stat(deep, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void missing_file_is_empty(void **state)
{
	(void)state;
	assert_int_equal(read_all(0).count, 0);
}

static void torn_tail_damages_only_itself(void **state)
{
	static const char torn[] = "{\"time\":1700000000,\"kind\":\"tar";

	(void)state;
	append("one");
	file_add(torn, sizeof torn - 1);
	assert_int_equal(read_all(1).count, 1);
	append("two");
	assert_int_equal(read_all(1).count, 2);
	assert_string_equal(read_all(1).last, "two");
}

static void garbage_is_skipped(void **state)
{
	static const char garbage[] = "\n\0\0\0\n{}\n[1]\n{\"time\":\"x\"}\nnot json\n\xff\xfe\n";
	char *longest = malloc(100000);

	(void)state;
	append("one");
	file_add(garbage, sizeof garbage - 1);
	memset(longest, '{', 100000);
	longest[99999] = '\n';
	file_add(longest, 100000);
	free(longest);
	append("two");
	/* An empty line is nothing; the others are six and the long one. */
	assert_int_equal(read_all(7).count, 2);
}

static void record_of_a_later_version_is_read(void **state)
{
	static const char later[] =
		"{\"time\":1,\"kind\":\"target\",\"operation\":\"off\",\"target\":\"later\","
		"\"device\":\"\",\"plugs\":\"\",\"level\":1,\"result\":\"ok\",\"state\":\"off\","
		"\"proof\":\"proven\",\"off_proven\":true,\"on_proven\":false,\"elapsed_ms\":5,"
		"\"message\":\"\",\"operator\":\"x\",\"colour\":\"blue\"}\n";

	(void)state;
	append("one");
	file_add(later, sizeof later - 1);
	assert_string_equal(read_all(0).last, "later");
}

static void full_disk_is_reported(void **state)
{
	struct fence_history_record r = record("one");
	struct err err = { 0 };

	(void)state;
	assert_int_equal(fence_history_append("/dev/full", &r, 1, &err), RC_INTERNAL);
	assert_non_null(strstr(err.text, "/dev/full"));
	assert_non_null(strstr(err.text, "space"));
}

/* The disk fills up in the middle of a record: what was there before stays readable, and so
 * does what comes when there is room again. */
static void disk_full_in_the_middle(void **state)
{
	struct rlimit old, small;
	struct stat before, after;

	(void)state;
	append("one");
	stat(path, &before);
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = (rlim_t)before.st_size + 20;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	assert_int_equal(append("two"), RC_INTERNAL);
	setrlimit(RLIMIT_FSIZE, &old);
	stat(path, &after);
	assert_int_equal(after.st_size, before.st_size);
	assert_int_equal(append("three"), 0);
	assert_int_equal(read_all(0).count, 2);
	assert_string_equal(read_all(0).last, "three");
}

static void rotation_keeps_one_older_file(void **state)
{
	struct err err = { 0 };
	char line[101], older[160];
	struct stat st;
	size_t lines = 0;
	FILE *file;

	(void)state;
	memset(line, 'x', 99);
	line[99] = '\n';
	line[100] = '\0';
	for (int i = 0; i < 35; i++)
		assert_int_equal(journal_append(path, line, 100, 1000, &err), 0);
	snprintf(older, sizeof older, "%s.1", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 500);
	assert_int_equal(stat(older, &st), 0);
	assert_int_equal(st.st_size, 1000);
	assert_int_equal(st.st_mode & 07777, 0600);
	/* A first line larger than the limit does not rotate for ever. */
	assert_int_equal(journal_append(path, line, 100, 10, &err), 0);
	assert_int_equal(journal_append(path, line, 100, 10, &err), 0);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof line, file))
		lines++;
	if (file)
		fclose(file);
	assert_int_equal(lines, 1);
}

static void older_file_is_read_first(void **state)
{
	char older[160];

	(void)state;
	append("one");
	snprintf(older, sizeof older, "%s.1", path);
	assert_int_equal(rename(path, older), 0);
	append("two");
	assert_int_equal(read_all(0).count, 2);
	assert_string_equal(read_all(0).first, "one");
	assert_string_equal(read_all(0).last, "two");
}

static int count_line(void *arg, const char *line, size_t bytes)
{
	size_t *counts = arg;
	char expected[64];
	long number = line ? strtol(line, NULL, 10) : 0;

	counts[0]++;
	if (number == 0 || bytes < 10) {
		counts[1]++;
		return 0;
	}
	/* A line that two writers had a hand in would not be like this. */
	snprintf(expected, sizeof expected, "%ld %040ld", number, number);
	counts[1] += strcmp(line, expected) != 0;
	return 0;
}

static void write_many(int writer, size_t max_bytes)
{
	char line[64];
	struct err err = { 0 };

	for (int i = 0; i < 50; i++) {
		long number = writer * 1000 + i;
		int bytes = snprintf(line, sizeof line, "%ld %040ld\n", number, number);

		if (journal_append(path, line, (size_t)bytes, max_bytes, &err) != 0)
			_exit(1);
	}
	_exit(0);
}

static void several_writers(size_t max_bytes, size_t counts[2])
{
	struct err err = { 0 };
	pid_t pids[4];

	for (int i = 0; i < 4; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			write_many(i + 1, max_bytes);
	}
	for (int i = 0; i < 4; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	counts[0] = counts[1] = 0;
	assert_int_equal(journal_read(path, 1000, count_line, counts, &err), 0);
}

static void writers_do_not_mix(void **state)
{
	size_t counts[2];

	(void)state;
	several_writers(1 << 20, counts);
	assert_int_equal(counts[0], 200);
	assert_int_equal(counts[1], 0);
}

static void writers_rotate_in_turn(void **state)
{
	size_t counts[2];
	char older[160];
	struct stat st;

	(void)state;
	several_writers(3000, counts);
	assert_int_equal(counts[1], 0);
	snprintf(older, sizeof older, "%s.1", path);
	/* Rotated by one at a time: the older file is as full as it can be. */
	assert_int_equal(stat(older, &st), 0);
	assert_true(st.st_size > 3000 - 60);
	assert_true(st.st_size <= 3000);
}

static void folder_that_cannot_be_made(void **state)
{
	struct fence_history_record r = record("one");
	struct err err = { 0 };
	char blocked[160];

	(void)state;
	append("one");
	/* A file stands where a folder would have to be. */
	snprintf(blocked, sizeof blocked, "%s/below/history", path);
	assert_int_equal(fence_history_append(blocked, &r, 1, &err), RC_INTERNAL);
	assert_non_null(strstr(err.text, "below/history"));
	assert_true(err.next[0] != '\0');
	snprintf(path, sizeof path, "/proc/nowhere/history");
	assert_int_equal(append("one"), RC_INTERNAL);
}

static void what_is_not_a_file_is_refused(void **state)
{
	struct fence_history_record r = record("one");
	struct seen seen = { 0 };
	struct err err = { 0 };
	size_t skipped = 0;
	char link[160];

	(void)state;
	assert_int_equal(fence_history_append(folder, &r, 1, &err), RC_INTERNAL);
	append("one");
	/* Not written through a link that somebody may have put there. */
	snprintf(link, sizeof link, "%s/link", folder);
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(fence_history_append(link, &r, 1, &err), RC_INTERNAL);
	assert_int_equal(read_all(0).count, 1);
	snprintf(path, sizeof path, "%s/fifo", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(append("one"), RC_INTERNAL);
	/* Nor taken for an empty history: "never fenced" would be a lie. */
	assert_int_equal(fence_history_read(path, see, &seen, &skipped, &err), RC_CONFIG);
	assert_int_equal(fence_history_read(folder, see, &seen, &skipped, &err), RC_CONFIG);
	assert_int_equal(fence_history_read("/dev/null", see, &seen, &skipped, &err), 0);
	assert_int_equal(seen.count, 0);
}

#define HISTORY_TEST(f) cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HISTORY_TEST(what_is_written_is_read),
		HISTORY_TEST(missing_file_is_empty),
		HISTORY_TEST(torn_tail_damages_only_itself),
		HISTORY_TEST(garbage_is_skipped),
		HISTORY_TEST(record_of_a_later_version_is_read),
		HISTORY_TEST(full_disk_is_reported),
		HISTORY_TEST(disk_full_in_the_middle),
		HISTORY_TEST(rotation_keeps_one_older_file),
		HISTORY_TEST(older_file_is_read_first),
		HISTORY_TEST(writers_do_not_mix),
		HISTORY_TEST(writers_rotate_in_turn),
		HISTORY_TEST(folder_that_cannot_be_made),
		HISTORY_TEST(what_is_not_a_file_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
