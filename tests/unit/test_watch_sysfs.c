/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_watch_sysfs.c - facts of watchdog devices, read from a tree made up as the kernel's.
 *
 * The devices of the tree have the numbers of /dev/null and /dev/zero; nothing else is ever opened.
 * LINK: watch
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "watchdog/client/watch_sysfs_io.h"

static char root[] = "/tmp/holdfast-sysfs-XXXXXX";

/* A file of the tree, with the folders above it. */
static void put(const char *name, const char *text)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof path, "%s/class/watchdog/%s", root, name);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
		*slash = '/';
	}
	if (!text)
		return;
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void put_link(const char *name, const char *target)
{
	char path[512];

	put(name, NULL);
	snprintf(path, sizeof path, "%s/class/watchdog/%s", root, name);
	assert_int_equal(symlink(target, path), 0);
}

static int tree_make(void **state)
{
	(void)state;
	if (!mkdtemp(root))
		return -1;
	put("watchdog0/dev", "1:3\n");
	put("watchdog0/identity", "i6300ESB timer\n");
	put("watchdog0/nowayout", "0\n");
	put("watchdog0/timeout", "30\n");
	put("watchdog0/min_timeout", "1\n");
	put("watchdog0/max_timeout", "1023\n");
	put("watchdog0/pretimeout", "0\n");
	put("watchdog0/pretimeout_governor", "panic\n");
	put("watchdog0/pretimeout_available_governors", "noop\npanic\n");
	put("watchdog0/state", "inactive\n");
	put("watchdog0/timeleft", "29\n");
	put("watchdog0/bootstatus", "32\n");
	put("watchdog0/options", "0x8180\n");
	put_link("watchdog0/device/driver/module", "../../../../module/i6300esb");
	/* as softdog: no device, and bare bones */
	put("watchdog3/dev", "1:5\n");
	put("watchdog3/identity", "Software Watchdog\n");
	put("watchdog3/nowayout", "1\n");
	put("watchdog3/state", "active\n");
	put("watchdog3/timeout", "60\n");
	put("watchdog3/max_timeout", "0\n");
	/* a driver built in, and one that says odd things */
	put("watchdog4/dev", "1:99\n");
	put_link("watchdog4/device/driver", "../../bus/platform/drivers/odd_wdt");
	put("watchdog4/identity", "a\tb\033[1m  \n");
	put("watchdog4/nowayout", "2\n");
	put("watchdog4/timeout", "-5\n");
	put("watchdog4/min_timeout", "\n");
	put("watchdog4/max_timeout", "99999999999\n");
	put("watchdog4/state", "maybe\n");
	put("watchdog4/bootstatus", "12x\n");
	put("watchdogs/dev", "1:7\n");
	return 0;
}

static int tree_remove(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof command, "rm -r %s", root);
	/* NOLINTNEXTLINE(bugprone-command-processor,cert-env33-c) */
	return system(command);
}

static void test_hardware(void **state)
{
	struct watch_sysfs f;

	(void)state;
	assert_int_equal(watch_sysfs_read(root, "/dev/null", &f), 0);
	assert_int_equal(f.number, 0);
	assert_string_equal(f.path, "/dev/watchdog0");
	assert_string_equal(f.identity, "i6300ESB timer");
	assert_string_equal(f.driver, "i6300esb");
	assert_string_equal(f.governor, "panic");
	assert_string_equal(f.governors, "noop panic");
	assert_int_equal(f.nowayout, 0);
	assert_int_equal(f.active, 0);
	assert_int_equal(f.is_software, 0);
	assert_int_equal(f.timeout_s, 30);
	assert_int_equal(f.min_s, 1);
	assert_int_equal(f.max_s, 1023);
	assert_int_equal(f.pretimeout_s, 0);
	assert_int_equal(f.left_s, 29);
	assert_int_equal(f.boot_status, 0x20);
	assert_int_equal(f.options, 0x8180);
}

static void test_software(void **state)
{
	struct watch_sysfs f;

	(void)state;
	assert_int_equal(watch_sysfs_read(root, "/dev/zero", &f), 0);
	assert_int_equal(f.number, 3);
	assert_string_equal(f.driver, "softdog");
	assert_int_equal(f.is_software, 1);
	assert_int_equal(f.nowayout, 1);
	assert_int_equal(f.active, 1);
	assert_int_equal(f.max_s, 0);
	assert_int_equal(f.min_s, WATCH_SYSFS_UNKNOWN);
	assert_int_equal(f.left_s, WATCH_SYSFS_UNKNOWN);
	assert_int_equal(f.pretimeout_s, WATCH_SYSFS_UNKNOWN);
	assert_int_equal(f.boot_status, WATCH_SYSFS_UNKNOWN);
	assert_string_equal(f.governors, "");
}

static void test_odd(void **state)
{
	struct watch_sysfs f[WATCH_SYSFS_DEVICES_MAX];

	(void)state;
	assert_int_equal(watch_sysfs_list(root, f, WATCH_SYSFS_DEVICES_MAX), 3);
	assert_int_equal(f[0].number, 0);
	assert_int_equal(f[1].number, 3);
	assert_int_equal(f[2].number, 4);
	assert_string_equal(f[2].driver, "odd_wdt");
	assert_string_equal(f[2].identity, "a b [1m");
	assert_int_equal(f[2].nowayout, WATCH_SYSFS_UNKNOWN);
	assert_int_equal(f[2].timeout_s, WATCH_SYSFS_UNKNOWN);
	assert_int_equal(f[2].min_s, WATCH_SYSFS_UNKNOWN);
	assert_int_equal(f[2].max_s, WATCH_SYSFS_UNKNOWN);
	assert_int_equal(f[2].active, WATCH_SYSFS_UNKNOWN);
	assert_int_equal(f[2].boot_status, WATCH_SYSFS_UNKNOWN);
	assert_int_equal(watch_sysfs_list(root, f, 1), 1);
	assert_int_equal(watch_sysfs_list("/nonexistent", f, WATCH_SYSFS_DEVICES_MAX), 0);
}

static void test_names_of_devices(void **state)
{
	struct watch_sysfs f;
	char link[128];

	(void)state;
	snprintf(link, sizeof link, "%s/by-name", root);
	assert_int_equal(symlink("/dev/zero", link), 0);
	assert_int_equal(watch_sysfs_read(root, link, &f), 0);
	assert_int_equal(f.number, 3);
	assert_int_equal(watch_sysfs_read(root, "/dev/tty", &f), -ENODEV);
	assert_int_equal(watch_sysfs_read(root, root, &f), -ENODEV);
	assert_int_equal(watch_sysfs_read(root, "/nonexistent", &f), -ENOENT);
	assert_int_equal(watch_sysfs_read("/nonexistent", "/dev/null", &f), -ENODEV);
	/* /dev/watchdog has a number of its own */
	assert_int_equal(watch_sysfs_number(root, makedev(10, 130)), 0);
	assert_int_equal(watch_sysfs_number(root, makedev(1, 99)), 4);
	assert_int_equal(watch_sysfs_number(root, makedev(1, 9)), -ENODEV);
	assert_int_equal(watch_sysfs_number("/nonexistent", makedev(10, 130)), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hardware),
		cmocka_unit_test(test_software),
		cmocka_unit_test(test_odd),
		cmocka_unit_test(test_names_of_devices),
	};

	return cmocka_run_group_tests(tests, tree_make, tree_remove);
}
