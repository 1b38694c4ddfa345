/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watchdog_query.c - `holdfast watchdog query`: the devices of this machine, from sysfs alone.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/watchdog.h"

enum {
	TIMEOUT_WANTED_S = 10, /* watchdogd's default */
	USED_MAX = 4,	       /* of devices at once, by watchdogd */
	TEXT_MAX = 256,
};

enum verdict {
	VERDICT_HARDWARE,  /* beside the kernel, and free */
	VERDICT_SOFTWARE,  /* free, but dies with the kernel */
	VERDICT_WATCHDOGD, /* watchdogd has it */
	VERDICT_HELD,	   /* another program has it */
	VERDICT_RUNNING,   /* it runs, and nobody holds it */
	VERDICT_DYING,	   /* watchdogd died, and left it to reset this machine */
};

static const char *const verdict_words[] = { "hardware", "software", "watchdogd",
					     "held",	 "running",  "dying" };

struct query_item {
	struct watch_sysfs facts;
	enum verdict verdict;
	int holder_told;
	int64_t holder_pid;
	char holder[96];
};

/* ---- judging ---- */

static void item_judge(struct query_item *item)
{
	const struct watch_sysfs *facts = &item->facts;

	watchdog_holder(facts, item->holder, sizeof item->holder, &item->holder_told,
			&item->holder_pid);
	if (strncmp(item->holder, "watchdogd ", 10) == 0)
		item->verdict = VERDICT_WATCHDOGD;
	else if (strncmp(item->holder, WATCHDOG_KEEPER, strlen(WATCHDOG_KEEPER)) == 0)
		item->verdict = VERDICT_DYING;
	else if (item->holder_pid)
		item->verdict = VERDICT_HELD;
	else if (facts->active == 1)
		item->verdict = item->holder_told ? VERDICT_RUNNING : VERDICT_HELD;
	else
		item->verdict = facts->is_software ? VERDICT_SOFTWARE : VERDICT_HARDWARE;
}

static int item_is_usable(const struct query_item *item)
{
	return item->verdict != VERDICT_HELD && item->verdict != VERDICT_DYING;
}

/* A sentence for the verdict. */
static enum output_style verdict_text(const struct query_item *item, char *out, size_t size)
{
	const char *kind = item->facts.is_software
				   ? "a timer of this kernel, which dies with it: a weak proof"
				   : "a device beside the kernel";

	switch (item->verdict) {
	case VERDICT_HARDWARE:
		snprintf(out, size, "usable: %s", kind);
		return STYLE_GOOD;
	case VERDICT_SOFTWARE:
		snprintf(out, size, "usable: %s; take a hardware watchdog where there is one",
			 kind);
		return STYLE_WARN;
	case VERDICT_WATCHDOGD:
		snprintf(out, size, "in use by %s: see \"holdfast watchdog status\"; %s",
			 item->holder, kind);
		return item->facts.is_software ? STYLE_WARN : STYLE_GOOD;
	case VERDICT_HELD:
		snprintf(out, size, "in use by %s: stop it, or take the device away from it (%s)",
			 item->holder_pid ? item->holder : "another program (run as root to know)",
			 "RuntimeWatchdogSec= of systemd, watchdog, wd_keepalive, sbd, wdmd");
		return STYLE_BAD;
	case VERDICT_RUNNING:
		snprintf(out, size,
			 "it runs, and no program holds it: unless the kernel pets it, it will "
			 "reset this machine; watchdogd takes it over");
		return STYLE_BAD;
	case VERDICT_DYING:
		snprintf(out, size,
			 "watchdogd died while clients relied on it: this device is about to reset "
			 "this machine");
		return STYLE_BAD;
	}
	return STYLE_PLAIN;
}

/* ---- rows ---- */

static void number_text(int seconds, char *out, size_t size)
{
	if (seconds < 0)
		snprintf(out, size, "?");
	else
		snprintf(out, size, "%d s", seconds);
}

/* "1 to 613 s", "1 s or more" */
static void range_text(const struct watch_sysfs *facts, char *out, size_t size)
{
	if (facts->max_s > 0)
		snprintf(out, size, "%d to %d s", facts->min_s > 0 ? facts->min_s : 0,
			 facts->max_s);
	else if (facts->min_s > 0)
		snprintf(out, size, "%d s or more", facts->min_s);
	else
		snprintf(out, size, "?");
}

static const char *yes_no(int value)
{
	return value < 0 ? "?" : value ? "yes" : "no";
}

static void item_row(struct output *out, const struct query_item *item)
{
	const struct watch_sysfs *facts = &item->facts;
	char timeout[24], range[48];

	number_text(facts->timeout_s, timeout, sizeof timeout);
	range_text(facts, range, sizeof range);
	output_row(out,
		   (struct output_cell[]){
			   { facts->path, STYLE_PLAIN },
			   { facts->driver[0] ? facts->driver : "?", STYLE_PLAIN },
			   { facts->identity[0] ? facts->identity : "?", STYLE_PLAIN },
			   { timeout, STYLE_PLAIN },
			   { range, STYLE_PLAIN },
			   { yes_no(facts->nowayout),
			     facts->nowayout == 1 ? STYLE_WARN : STYLE_PLAIN },
			   { facts->active < 0 ? "?"
			     : facts->active   ? "active"
					       : "inactive",
			     facts->active == 1 ? STYLE_WARN : STYLE_PLAIN },
		   },
		   7);
}

static void item_lines(struct output *out, const struct query_item *item)
{
	const struct watch_sysfs *facts = &item->facts;
	char text[TEXT_MAX];
	enum output_style style = verdict_text(item, text, sizeof text);

	output_line(out, style, "    %s", text);
	if (facts->nowayout == 1)
		output_line(
			out, STYLE_WARN,
			"    nowayout: once opened it cannot be stopped, and an orderly stop of "
			"watchdogd resets the machine; load the driver with nowayout=0");
	if (facts->governors[0])
		output_line(out, STYLE_PLAIN, "    pretimeout: can be \"%s\", is \"%s\"",
			    facts->governors, facts->governor[0] ? facts->governor : "?");
	watchdog_boot_words(facts->boot_status, text, sizeof text);
	if (text[0])
		output_line(out, STYLE_WARN, "    before this boot: %s", text);
}

static void put_seconds(struct output *out, json_t *object, const char *key, int seconds)
{
	if (seconds < 0)
		object_put(out, object, key, json_null());
	else
		object_put_integer(out, object, key, seconds);
}

static void put_flag(struct output *out, json_t *object, const char *key, int value)
{
	if (value < 0)
		object_put(out, object, key, json_null());
	else
		object_put_boolean(out, object, key, value);
}

static const char *text_or_null(const char *text)
{
	return text[0] ? text : NULL;
}

static void item_object(struct output *out, const struct query_item *item)
{
	const struct watch_sysfs *facts = &item->facts;
	json_t *object = json_object();
	char text[TEXT_MAX];

	object_put_text(out, object, "kind", "device");
	object_put_text(out, object, "device", facts->path);
	object_put_text(out, object, "verdict", verdict_words[item->verdict]);
	object_put_boolean(out, object, "usable", item_is_usable(item));
	object_put_text(out, object, "proof", facts->is_software ? "software" : "hardware");
	object_put_text(out, object, "driver", text_or_null(facts->driver));
	object_put_text(out, object, "identity", text_or_null(facts->identity));
	put_seconds(out, object, "timeout_s", facts->timeout_s);
	put_seconds(out, object, "min_s", facts->min_s);
	put_seconds(out, object, "max_s", facts->max_s > 0 ? facts->max_s : -1);
	put_seconds(out, object, "left_s", facts->left_s);
	put_flag(out, object, "nowayout", facts->nowayout);
	put_flag(out, object, "active", facts->active);
	put_seconds(out, object, "pretimeout_s", facts->pretimeout_s);
	object_put_text(out, object, "pretimeout_governor", text_or_null(facts->governor));
	object_put_text(out, object, "pretimeout_governors", text_or_null(facts->governors));
	object_put_text(out, object, "holder",
			item->holder_told ? item->holder : text_or_null(item->holder));
	if (item->holder_pid)
		object_put_integer(out, object, "holder_pid", item->holder_pid);
	else
		object_put(out, object, "holder_pid", json_null());
	if (facts->boot_status < 0)
		object_put(out, object, "boot_status", json_null());
	else
		object_put_integer(out, object, "boot_status", facts->boot_status);
	watchdog_boot_words(facts->boot_status, text, sizeof text);
	object_put_text(out, object, "before_boot", text);
	verdict_text(item, text, sizeof text);
	object_put_text(out, object, "why", text);
	output_object(out, object);
}

/* ---- what to do ---- */

/* The best devices that can be used, hardware before software, and a timeout that all of them
 * have. Returns how many. */
static size_t command_make(const struct query_item *items, size_t count, char *out, size_t size)
{
	int timeout_s = TIMEOUT_WANTED_S, hardware = 0, nowayout = 0;
	size_t used = 0, length;

	for (size_t i = 0; i < count; i++)
		hardware |= item_is_usable(&items[i]) && !items[i].facts.is_software;
	length = (size_t)snprintf(out, size, "watchdogd");
	for (size_t i = 0; i < count && used < USED_MAX; i++) {
		const struct watch_sysfs *facts = &items[i].facts;

		if (!item_is_usable(&items[i]) || (hardware && facts->is_software))
			continue;
		used++;
		nowayout |= facts->nowayout == 1;
		if (facts->max_s > 0 && timeout_s > facts->max_s)
			timeout_s = facts->max_s;
		if (timeout_s < facts->min_s)
			timeout_s = facts->min_s;
		length += (size_t)snprintf(out + length, size - length, " --device %s",
					   facts->path);
	}
	snprintf(out + length, size - length, " --timeout %d%s", timeout_s,
		 nowayout ? " --accept-nowayout" : "");
	return used;
}

/* Which module drives a watchdog is a matter of the machine. */
static void no_device_show(struct output *out)
{
	output_line(out, STYLE_BAD, "this machine has no watchdog device");
	output_line(out, STYLE_PLAIN, "Load the driver of its hardware, then look again:");
	output_line(out, STYLE_PLAIN, "  modprobe ipmi_watchdog   a server with a BMC");
	output_line(out, STYLE_PLAIN, "  modprobe iTCO_wdt        chipsets of Intel");
	output_line(out, STYLE_PLAIN, "  modprobe sp5100_tco      chipsets of AMD");
	output_line(out, STYLE_PLAIN,
		    "  modprobe i6300esb        QEMU and KVM guests that have one");
	output_line(
		out, STYLE_PLAIN,
		"  modprobe softdog         any machine; a weak proof: it dies with the kernel");
}

static void advice_show(struct output *out, const struct query_item *items, size_t count,
			size_t used, const char *command)
{
	json_t *object = json_object();
	int only_software = used > 0;

	for (size_t i = 0; i < count; i++)
		only_software &= items[i].facts.is_software || !item_is_usable(&items[i]);
	if (count == 0)
		no_device_show(out);
	else if (used == 0)
		output_line(out, STYLE_BAD, "no device can be used");
	else
		output_line(out, STYLE_PLAIN, "Recommended: %s", command);
	if (count > 0 && only_software)
		output_line(out, STYLE_WARN,
			    "Only software: a kernel that hangs or dies takes its watchdog with "
			    "it. Have others fence this machine.");
	object_put_text(out, object, "kind", "advice");
	object_put_integer(out, object, "devices", (long long)count);
	object_put_integer(out, object, "usable", (long long)used);
	object_put_text(out, object, "command", used ? command : NULL);
	object_put_text(out, object, "next",
			count == 0  ? "load a driver: modprobe ipmi_watchdog, iTCO_wdt, "
				      "sp5100_tco, i6300esb or softdog"
			: used == 0 ? "stop the program that holds the device"
				    : NULL);
	output_object(out, object);
}

int watchdog_query_run(struct cli *cli)
{
	static const char *const headings[] = { "DEVICE", "DRIVER",   "IDENTITY", "TIMEOUT",
						"RANGE",  "NOWAYOUT", "STATE" };
	static struct watch_sysfs facts[WATCH_SYSFS_DEVICES_MAX];
	static struct query_item items[WATCH_SYSFS_DEVICES_MAX];
	struct output out;
	char command[TEXT_MAX];
	size_t count, used;

	if (cli->args_count)
		return cli_usage(cli, "it takes no argument");
	count = watch_sysfs_list(watchdog_sysfs_root(), facts, WATCH_SYSFS_DEVICES_MAX);
	output_init(&out, cli);
	output_begin(&out, count ? headings : NULL, 7);
	for (size_t i = 0; i < count; i++) {
		items[i].facts = facts[i];
		item_judge(&items[i]);
		item_row(&out, &items[i]);
		item_lines(&out, &items[i]);
		item_object(&out, &items[i]);
	}
	output_end(&out);
	used = command_make(items, count, command, sizeof command);
	advice_show(&out, items, count, used, command);
	return output_finish(&out, cli, used ? CLI_EXIT_OK : CLI_EXIT_NOT);
}
