/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watch_device_io.c - watchdog devices and resets; see watch_device_io.h.
 *
 * The calls of a watchdog are those of Documentation/watchdog/watchdog-api.rst of the kernel.
 */
#include "watchdog/watch_device_io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "watchdog/client/watch_sysfs_io.h"
#include "watchdog/watch_log_io.h"

struct device_adapter {
	int (*check)(struct device *device, struct err *err);
	int (*open)(struct device *device, struct err *err);
	int (*pet)(struct device *device);
	int (*left)(struct device *device, uint32_t *left_ms); /* 0: it told */
	int (*disarm)(struct device *device);
};

mono_t device_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (mono_t){ (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec };
}

/* errno tells nothing when a write was short. */
static int write_judge(ssize_t done, ssize_t wanted)
{
	return done == wanted ? 0 : done < 0 ? errno : EIO;
}

/* ---- a watchdog of the kernel ---- */

/* Its milliseconds fit into 32 bits, and so do all sums in which they are (base/timing.h). */
enum { TIMEOUT_MAX_S = 86400 * 7 };

/* The numbers of /dev/watchdog, the old name of the first: a driver from before the kernel's
 * watchdog core has no other, and sysfs knows nothing of it. */
static int is_old_watchdog(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISCHR(st.st_mode) && watch_sysfs_is_old_name(st.st_rdev);
}

static int range_check(const struct device *device, const struct watch_sysfs *facts,
		       struct err *err)
{
	int wish_s = (int)device->wish->timeout_s;

	if (wish_s >= facts->min_s && (facts->max_s <= 0 || wish_s <= facts->max_s))
		return 0;
	if (facts->max_s > 0)
		return err_set(err, RC_CONFIG, "give a --timeout that it has",
			       "%s: timeout of %d s is out of its range, %d to %d s",
			       device->facts.path, wish_s, facts->min_s, facts->max_s);
	return err_set(err, RC_CONFIG, "give a longer --timeout",
		       "%s: timeout of %d s is shorter than its least, %d s", device->facts.path,
		       wish_s, facts->min_s);
}

static int real_check(struct device *device, struct err *err)
{
	const char *path = device->facts.path;
	struct watch_sysfs facts;
	int rc = watch_sysfs_read(NULL, path, &facts);

	if (rc == -ENOENT)
		return err_set(
			err, RC_CONFIG,
			"load the driver of the machine's watchdog (wdctl, dmesg), or softdog",
			"%s: there is no such device", path);
	if (rc == -ENODEV && is_old_watchdog(path)) {
		log_line(
			"%s: its driver tells nothing before it is opened: whether it can be "
			"stopped again (nowayout) is not known; an orderly stop may end in a reset",
			path);
		device->facts.nowayout = 2;
		return 0;
	}
	if (rc != 0)
		return err_set(err, RC_CONFIG, "give a /dev/watchdogN, or file:PATH for a test",
			       "%s: it is no watchdog (%s)", path, strerror(-rc));
	device->number = facts.number;
	if (facts.is_software)
		device->facts.proof = WATCH_PROOF_SOFTWARE;
	text_clean(device->facts.identity, sizeof device->facts.identity, facts.identity,
		   strlen(facts.identity));
	device->facts.nowayout = facts.nowayout < 0 ? 2 : (uint8_t)facts.nowayout;
	if (facts.nowayout == 1 && !device->wish->accept_nowayout)
		return err_set(err, RC_CONFIG,
			       "load its driver with nowayout=0, or give --accept-nowayout",
			       "%s: nowayout is set: once it is opened nothing can stop it, and an "
			       "orderly stop of "
			       "watchdogd resets the machine",
			       path);
	if (facts.nowayout < 0)
		log_line("%s: whether it can be stopped again (nowayout) is not known; an orderly "
			 "stop may end in a reset",
			 path);
	if (facts.boot_status > 0 && (facts.boot_status & WDIOF_CARDRESET))
		log_line("%s: it tells that the last reset of this machine was its own", path);
	if (device->wish->pretimeout_s && !strstr(facts.governors, "panic"))
		return err_set(err, RC_UNSUPPORTED,
			       "load the module pretimeout_panic, or leave --pretimeout away",
			       "%s: the kernel cannot panic at its pretimeout (governors: %s)",
			       path, facts.governors[0] ? facts.governors : "none");
	return range_check(device, &facts, err);
}

static int call_failed(const struct device *device, const char *call, struct err *err)
{
	return err_set(err, RC_UNSUPPORTED, "try another device or driver", "%s: %s: %s",
		       device->facts.path, call, strerror(errno));
}

/* The kernel has one governor for each device; it must panic before the pretimeout is set. */
static int governor_set(const struct device *device, struct err *err)
{
	static const char panic[] = "panic";
	struct watch_sysfs facts;
	char path[80];
	int fd;

	snprintf(path, sizeof path,
		 WATCH_SYSFS_ROOT "/class/watchdog/watchdog%d/pretimeout_governor", device->number);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		ssize_t done = write(fd, panic, sizeof panic - 1);

		close(fd);
		if (done == (ssize_t)sizeof panic - 1 &&
		    watch_sysfs_read(NULL, device->facts.path, &facts) == 0 &&
		    strcmp(facts.governor, panic) == 0)
			return 0;
	}
	return err_set(err, RC_UNSUPPORTED, "leave --pretimeout away",
		       "%s: cannot make \"panic\" its pretimeout governor (%s)", device->facts.path,
		       path);
}

/* Has it magic close: is it left running when it is closed without the magic character? A driver
 * says so, but that of the BMC (ipmi_watchdog), which has it and tells no options at all. */
static int has_magic_close(const struct device *device, uint32_t options)
{
	return (options & WDIOF_MAGICCLOSE) || strcmp(device->facts.identity, "IPMI") == 0;
}

static int support_check(struct device *device, struct err *err)
{
	struct watchdog_info info = { 0 };

	if (ioctl(device->fd, WDIOC_GETSUPPORT, &info) != 0)
		return call_failed(device, "WDIOC_GETSUPPORT", err);
	text_clean(device->facts.identity, sizeof device->facts.identity, (char *)info.identity,
		   strnlen((char *)info.identity, sizeof info.identity));
	if (strcmp(device->facts.identity, WATCH_SOFTDOG_IDENTITY) == 0)
		device->facts.proof = WATCH_PROOF_SOFTWARE;
	device->by_write = !(info.options & WDIOF_KEEPALIVEPING);
	if (!has_magic_close(device, info.options) && device->facts.nowayout != 1)
		return err_set(err, RC_UNSUPPORTED,
			       device->facts.nowayout == 2
				       ? "use another device"
				       : "load its driver with nowayout=1, or use another",
			       "%s: it has no magic close: the death of watchdogd would stop it",
			       device->facts.path);
	return 0;
}

/* The timeout that it has: what counts. */
static int timeout_get(struct device *device, int *have_s, struct err *err)
{
	if (ioctl(device->fd, WDIOC_GETTIMEOUT, have_s) != 0)
		return call_failed(device, "WDIOC_GETTIMEOUT", err);
	if (*have_s <= 0 || *have_s > TIMEOUT_MAX_S)
		return err_set(err, RC_PROTOCOL, "try another device or driver",
			       "%s: it tells a timeout of %d s", device->facts.path, *have_s);
	device->facts.timeout_ms = (uint32_t)*have_s * 1000;
	return 0;
}

static int timeout_set(struct device *device, struct err *err)
{
	int wish_s = (int)device->wish->timeout_s, have_s = wish_s;
	int set_errno = ioctl(device->fd, WDIOC_SETTIMEOUT, &have_s) != 0 ? errno : 0;

	/* What SETTIMEOUT puts into its argument is not what counts. */
	int rc = timeout_get(device, &have_s, err);

	if (rc)
		return rc;
	if (have_s == wish_s || device->wish->accept_rounding)
		return 0;
	return err_set(err, RC_CONFIG, "give that as --timeout, or give --accept-rounding",
		       "%s: asked for a timeout of %d s, it has %d s (%s)", device->facts.path,
		       wish_s, have_s, set_errno ? strerror(set_errno) : "its driver rounds");
}

static int pretimeout_set(struct device *device, struct err *err)
{
	int wish_s = (int)device->wish->pretimeout_s, have_s = wish_s;
	uint32_t timeout_ms = device->facts.timeout_ms;
	int timeout_s, rc;

	if (wish_s == 0)
		return 0;
	if (ioctl(device->fd, WDIOC_SETPRETIMEOUT, &have_s) != 0)
		return call_failed(device, "WDIOC_SETPRETIMEOUT", err);
	if (ioctl(device->fd, WDIOC_GETPRETIMEOUT, &have_s) != 0)
		return call_failed(device, "WDIOC_GETPRETIMEOUT", err);
	if (have_s != wish_s)
		return err_set(err, RC_CONFIG, "give that as --pretimeout",
			       "%s: asked for a pretimeout of %d s, it has %d s",
			       device->facts.path, wish_s, have_s);
	/* A driver may make room for it. */
	rc = timeout_get(device, &timeout_s, err);
	if (rc)
		return rc;
	if (device->facts.timeout_ms != timeout_ms && !device->wish->accept_rounding)
		return err_set(err, RC_CONFIG, "leave --pretimeout away, or give --accept-rounding",
			       "%s: with that pretimeout its timeout became %d s",
			       device->facts.path, timeout_s);
	device->facts.pretimeout_ms = (uint32_t)have_s * 1000;
	if (device->facts.pretimeout_ms >= device->facts.timeout_ms)
		return err_set(err, RC_CONFIG, "give a shorter --pretimeout",
			       "%s: a pretimeout of %d s does not fit into its timeout, %u ms",
			       device->facts.path, have_s, (unsigned)device->facts.timeout_ms);
	return 0;
}

static int real_open(struct device *device, struct err *err)
{
	int rc;

	if (device->wish->pretimeout_s) {
		rc = governor_set(device, err);
		if (rc)
			return rc;
	}
	device->fd = open(device->facts.path, O_WRONLY | O_CLOEXEC);
	if (device->fd < 0 && errno == EBUSY)
		return err_set(
			err, RC_BUSY,
			"look at RuntimeWatchdogSec= of systemd, sbd, wdmd, watchdog, wd_keepalive "
			"(fuser shows who)",
			"%s: another program has it open", device->facts.path);
	if (device->fd < 0)
		return err_set(err, RC_INTERNAL, errno == EACCES ? "run as root" : NULL,
			       "%s: cannot open it: %s", device->facts.path, strerror(errno));
	rc = support_check(device, err);
	if (rc == 0)
		rc = timeout_set(device, err);
	if (rc == 0)
		rc = pretimeout_set(device, err);
	if (rc == 0 && (errno = device->adapter->pet(device)) != 0)
		rc = call_failed(device, "pet", err);
	return rc;
}

static int real_pet(struct device *device)
{
	/* Not the magic character, and not nothing: some drivers ping for neither. */
	if (device->by_write)
		return write_judge(write(device->fd, "", 1), 1);
	return ioctl(device->fd, WDIOC_KEEPALIVE, 0) == 0 ? 0 : errno;
}

static int real_left(struct device *device, uint32_t *left_ms)
{
	int left_s;

	if (ioctl(device->fd, WDIOC_GETTIMELEFT, &left_s) != 0 || left_s < 0)
		return -1;
	*left_ms = (uint32_t)left_s * 1000;
	return 0;
}

/* Magic close, and the option that stops it at once: with either, some drivers know only one. */
static int real_disarm(struct device *device)
{
	int option = WDIOS_DISABLECARD;
	int magic_errno = write(device->fd, "V", 1) == 1 ? 0 : errno;

	if (ioctl(device->fd, WDIOC_SETOPTIONS, &option) == 0)
		return 0;
	/* Without that option, the closing stops it. */
	return errno == ENOTTY || errno == EOPNOTSUPP || errno == EINVAL ? magic_errno : errno;
}

static const struct device_adapter real_adapter = {
	.check = real_check,
	.open = real_open,
	.pet = real_pet,
	.left = real_left,
	.disarm = real_disarm,
};

/* ---- a file, for tests ---- */

static int file_line(int fd, const char *what)
{
	char line[192];
	int length = snprintf(line, sizeof line, "%s %lld\n", what, (long long)device_clock().ns);

	return write_judge(write(fd, line, (size_t)length), length);
}

static int file_check(struct device *device, struct err *err)
{
	if (device->wish->pretimeout_s)
		return err_set(err, RC_CONFIG, "leave it away", "%s: a file has no pretimeout",
			       device->facts.path);
	return 0;
}

static int file_open(struct device *device, struct err *err)
{
	const char *path = device->facts.path + strlen(DEVICE_FILE_PREFIX);

	device->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (device->fd < 0)
		return err_set(err, RC_CONFIG, NULL, "%s: cannot open it: %s", device->facts.path,
			       strerror(errno));
	device->facts.timeout_ms = device->facts.asked_ms;
	return 0;
}

static int file_pet(struct device *device)
{
	return file_line(device->fd, "pet");
}

static int file_left(struct device *device, uint32_t *left_ms)
{
	(void)device;
	(void)left_ms;
	return -1;
}

static int file_disarm(struct device *device)
{
	return file_line(device->fd, "disarm");
}

static const struct device_adapter file_adapter = {
	.check = file_check,
	.open = file_open,
	.pet = file_pet,
	.left = file_left,
	.disarm = file_disarm,
};

/* ---- either ---- */

int device_is_file(const struct device *device)
{
	return device->adapter == &file_adapter;
}

int device_init(struct device *device, const char *path, const struct device_wish *wish,
		struct err *err)
{
	int is_file = strncmp(path, DEVICE_FILE_PREFIX, strlen(DEVICE_FILE_PREFIX)) == 0;

	if (strlen(path) >= sizeof device->facts.path)
		return err_set(err, RC_CONFIG, "give a shorter name", "%s: longer than %zu bytes",
			       path, sizeof device->facts.path - 1);
	*device = (struct device){
		.adapter = is_file ? &file_adapter : &real_adapter,
		.wish = wish,
		.number = -1,
		.fd = -1,
		.facts = { .proof = is_file ? WATCH_PROOF_NONE : WATCH_PROOF_HARDWARE,
			   .counting = 2,
			   .asked_ms = wish->timeout_s * 1000,
			   .left_ms = UINT32_MAX,
			   .least_left_ms = UINT32_MAX },
	};
	memcpy(device->facts.path, path, strlen(path) + 1);
	if (is_file)
		memcpy(device->facts.identity, "file: protects nothing", 23);
	return 0;
}

int device_check(struct device *device, struct err *err)
{
	return device->adapter->check(device, err);
}

int device_open(struct device *device, struct err *err)
{
	int rc = device->adapter->open(device, err);

	if (rc && device->fd >= 0) {
		int disarm_errno = device->adapter->disarm(device);

		if (device_close(device) || disarm_errno)
			log_line("%s: it was opened and CANNOT BE STOPPED: this machine is reset "
				 "when its timeout ends",
				 device->facts.path);
	}
	return rc;
}

int device_pet(struct device *device)
{
	return device->adapter->pet(device);
}

void device_look(struct device *device)
{
	struct watch_device *facts = &device->facts;

	facts->left_ms = UINT32_MAX;
	if (device->adapter->left(device, &facts->left_ms) != 0)
		return;
	if (facts->counting == 2)
		facts->counting = 0;
	/* It starts at the timeout. */
	if (facts->left_ms < facts->timeout_ms)
		facts->counting = 1;
	if (facts->left_ms < facts->least_left_ms)
		facts->least_left_ms = facts->left_ms;
}

int device_disarm(struct device *device)
{
	return device->adapter->disarm(device);
}

int device_close(struct device *device)
{
	struct watch_sysfs facts;

	close(device->fd);
	device->fd = -1;
	return device->number >= 0 && watch_sysfs_read(NULL, device->facts.path, &facts) == 0 &&
	       facts.active == 1;
}

/* ---- resets ---- */

static const struct device *reset_file;
static int sysrq_fd = -1, kmsg_fd = -1;

static const struct {
	char sysrq;
	int reboot; /* where the kernel has no sysrq, or it is forbidden here */
	const char *word;
} resets[] = {
	[WATCH_EXPIRY_REBOOT] = { 'b', RB_AUTOBOOT, "reset reboot" },
	[WATCH_EXPIRY_OFF] = { 'o', RB_POWER_OFF, "reset off" },
	[WATCH_EXPIRY_CRASH] = { 'c', RB_AUTOBOOT, "reset crash" },
};

/* Does this file begin with a number other than 0? */
static int file_is_set(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char first = '0';

	if (fd >= 0) {
		(void)!read(fd, &first, 1);
		close(fd);
	}
	return first != '0';
}

void resetter_open(const struct device *file, enum watch_expiry how)
{
	reset_file = file;
	if (file)
		return;
	if (how == WATCH_EXPIRY_CRASH && !file_is_set("/sys/kernel/kexec_crash_loaded") &&
	    !file_is_set("/proc/sys/kernel/panic"))
		log_line("--on-expiry crash: no crash kernel is loaded and kernel.panic is 0: a "
			 "panic "
			 "lasts until a hardware device ends it; load one (kdump), or set "
			 "kernel.panic");
	/* Opened now: at the end there may be no descriptor, no memory, no /proc. */
	sysrq_fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
	if (sysrq_fd < 0)
		log_line("/proc/sysrq-trigger: %s: resets go through reboot(2) instead, which runs "
			 "the drivers' shutdown and may hang; the devices stay as backstop",
			 strerror(errno));
	kmsg_fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (kmsg_fd < 0)
		log_line("/dev/kmsg: %s: the reason of a reset will not be on the console",
			 strerror(errno));
}

void resetter_fire(enum watch_expiry how, const char *why)
{
	char line[256];
	int length;

	if (reset_file) {
		file_line(reset_file->fd, resets[how].word);
		return;
	}
	length = snprintf(line, sizeof line, "<2>watchdogd: %s\n", why);
	if (length > (int)sizeof line - 1)
		length = (int)sizeof line - 1;
	if (kmsg_fd >= 0 && write(kmsg_fd, line, (size_t)length) < 0)
		kmsg_fd = -1;
	/* Not reboot(2) first: it calls what may stop the watchdog (reboot notifiers) and every
	 * driver, one of which may wait for the disk that is the reason for all this. */
	if (sysrq_fd < 0 || write(sysrq_fd, &resets[how].sysrq, 1) != 1)
		reboot(resets[how].reboot);
}
