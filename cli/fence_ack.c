/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_ack.c - `holdfast fence ack`: which requests wait for a human, and which one is meant.
 *
 * A request is meant only by the exact name of its machine. Where several wait for the same
 * machine the operator chooses; nothing is answered in bulk but a refusal, which can do no harm.
 */
#include "cli/fence_ack.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/nearest.h"
#include "cli/ask.h"
#include "cli/fence.h"
#include "cli/options.h"
#include "host/clock.h"

#define AGENT_NAME "fence_meatware"

/* ---- where requests are ---- */

static void dir_add(struct ack *ack, const char *dir)
{
	for (size_t i = 0; i < ack->stores_count; i++)
		if (strcmp(ack->dirs[i], dir) == 0)
			return;
	if (ack->stores_count == ACK_STORES_MAX) {
		cli_warn(ack->cli, "%s is left out: more than %d directories", dir, ACK_STORES_MAX);
		ack->unread = 1;
		return;
	}
	ack->dirs[ack->stores_count] = dir;
	ack->stores[ack->stores_count++].fd = -1;
}

static int is_meatware(const struct fence_device *device)
{
	const char *slash = strrchr(device->agent, '/');

	return strcmp(slash ? slash + 1 : device->agent, AGENT_NAME) == 0;
}

/* The directories that the cluster file names. */
static void dirs_of_conf(struct ack *ack)
{
	for (size_t i = 0; i < ack->conf->devices_count; i++) {
		const struct fence_device *device = &ack->conf->devices[i];

		for (size_t j = 0; is_meatware(device) && j < device->options_count; j++)
			if (strcmp(device->options[j].key, "dir") == 0)
				dir_add(ack, device->options[j].value);
	}
}

/* The cluster file says where else to look and where the history is. The last fence must work
 * without it: agents are also run by others, and the file may be what is broken. */
static void dirs_find(struct ack *ack)
{
	const struct cli *cli = ack->cli;
	struct err err = { 0 };

	dir_add(ack, cli->dir ? cli->dir : MEAT_DIR_DEFAULT);
	if (fence_conf_load(cli->conf_path, &ack->conf, &err) != 0) {
		ack->conf = NULL;
		if (cli->given & OPTION_CONFIG || access(cli->conf_path, F_OK) == 0)
			cli_warn(cli, "%s; going on without it, and without history", err.text);
	} else if (!cli->dir) {
		dirs_of_conf(ack);
	}
}

/* ---- reading them ---- */

/* The array with room for one more, or NULL, and then it is as it was. */
static void *array_grow(void *array, size_t count, size_t *room, size_t item_bytes)
{
	size_t wider = *room ? *room * 2 : 16;
	void *grown;

	if (count < *room)
		return array;
	grown = reallocarray(array, wider, item_bytes);
	if (grown)
		*room = wider;
	return grown;
}

static int request_note(void *arg, const struct meat_request *request, enum meat_standing standing,
			const struct meat_answer *answer)
{
	struct ack *ack = arg;
	struct ack_item *items = array_grow(ack->items, ack->items_count, &ack->items_room,
					    sizeof *items);

	if (!items) {
		ack->lost = 1;
		return 1;
	}
	ack->items = items;
	items += ack->items_count++;
	*items = (struct ack_item){ .store = ack->store_at_hand,
				    .request = *request,
				    .standing = standing,
				    .answered = answer != NULL };
	if (answer)
		items->answer = *answer;
	return 0;
}

static int ignored_note(void *arg, const char *name, const char *why)
{
	struct ack *ack = arg;
	struct ack_ignored *ignored = array_grow(ack->ignored, ack->ignored_count,
						 &ack->ignored_room, sizeof *ignored);

	if (!ignored) {
		ack->lost = 1;
		return 1;
	}
	ack->ignored = ignored;
	ignored += ack->ignored_count++;
	ignored->store = ack->store_at_hand;
	ignored->why = why;
	snprintf(ignored->name, sizeof ignored->name, "%s", name);
	return 0;
}

static int item_compare(const void *a, const void *b)
{
	const struct ack_item *x = a, *y = b;

	if (x->request.asked_at_s != y->request.asked_at_s)
		return x->request.asked_at_s < y->request.asked_at_s ? -1 : 1;
	return strcmp(x->request.id, y->request.id);
}

/* A directory that cannot be read must not hide the others. */
static int ack_read(struct ack *ack)
{
	const struct meat_visitor visitor = { .request = request_note,
					      .ignored = ignored_note,
					      .arg = ack };
	struct err err = { 0 };

	for (size_t i = 0; i < ack->stores_count; i++) {
		struct meat_store *store = ack->store_at_hand = &ack->stores[i];

		if (meat_store_open(store, ack->dirs[i], 0, &err) != 0 ||
		    meat_store_visit(store, &visitor, &err) != 0) {
			cli_warn(ack->cli, "%s; %s", err.text, err.next);
			ack->unread = 1;
		}
	}
	if (ack->items_count > 0)
		qsort(ack->items, ack->items_count, sizeof *ack->items, item_compare);
	return ack->lost ? -1 : 0;
}

static void ack_free(struct ack *ack)
{
	for (size_t i = 0; i < ack->stores_count; i++)
		meat_store_close(&ack->stores[i]);
	free(ack->ignored);
	free(ack->items);
	if (ack->conf)
		fence_conf_free(ack->conf);
}

/* ---- words ---- */

const char *ack_want(enum power_state want)
{
	return want == POWER_OFF ? "OFF" : "ON";
}

void ack_duration(int64_t ms, char *out, size_t size)
{
	int64_t s = ms > 0 ? ms / 1000 : 0;

	if (s < 120)
		snprintf(out, size, "%" PRId64 " s", s);
	else if (s < 7200)
		snprintf(out, size, "%" PRId64 " min", s / 60);
	else if (s < 172800)
		snprintf(out, size, "%" PRId64 " h", s / 3600);
	else
		snprintf(out, size, "%" PRId64 " d", s / 86400);
}

void ack_who(const struct meat_answer *answer, char *out, size_t size)
{
	const char *person = answer->login[0]	    ? answer->login
			     : answer->sudo_user[0] ? answer->sudo_user
						    : answer->operator_name;
	int as_other = strcmp(person, answer->operator_name) != 0;

	snprintf(out, size, "%s%s%s on %s%s%s", person, as_other ? " as " : "",
		 as_other ? answer->operator_name : "", answer->terminal,
		 answer->remote[0] ? " from " : "", answer->remote);
}

/* ---- the list ---- */

static int item_waits(const struct ack_item *item)
{
	return item->standing == MEAT_WAITING && !item->answered;
}

static const char *item_state(const struct ack_item *item)
{
	return item->standing == MEAT_WAITING && item->answered
		       ? "answered"
		       : meat_standing_word(item->standing);
}

static void list_row(struct output *out, const struct ack_item *item, mono_t now)
{
	const struct meat_request *r = &item->request;
	char asker[MEAT_NAME_MAX + 32], since[48], expires[48] = "never", date[32];

	snprintf(asker, sizeof asker, "%s[%" PRId64 "]", r->host, r->pid);
	fence_date_time(r->asked_at_s, date, sizeof date);
	snprintf(since, sizeof since, "%s", date);
	if (item->standing != MEAT_WAITING)
		snprintf(expires, sizeof expires, "-");
	else if (!mono_is_never(r->expires))
		ack_duration(mono_left_ms(now, r->expires), expires, sizeof expires);
	output_row(out,
		   (struct output_cell[]){
			   { r->target, STYLE_PLAIN },
			   { ack_want(r->want), STYLE_PLAIN },
			   { item_state(item), item_waits(item) ? STYLE_WARN : STYLE_FAINT },
			   { since, STYLE_PLAIN },
			   { expires, STYLE_PLAIN },
			   { asker, STYLE_PLAIN },
			   { r->reason[0] ? r->reason : "(no reason given)", STYLE_PLAIN },
		   },
		   7);
}

static void list_object(struct output *out, const struct ack_item *item, mono_t now)
{
	const struct meat_request *r = &item->request;
	int waits = item->standing == MEAT_WAITING;
	json_t *object = json_object();
	char text[4 * MEAT_NAME_MAX];

	object_put_text(out, object, "kind", "request");
	object_put_text(out, object, "id", r->id);
	object_put_text(out, object, "target", r->target);
	object_put_text(out, object, "want", power_word(r->want));
	object_put_text(out, object, "state", item_state(item));
	object_put_text(out, object, "task", r->task);
	object_put_text(out, object, "reason", r->reason);
	object_put_text(out, object, "host", r->host);
	object_put_integer(out, object, "pid", r->pid);
	object_put_text(out, object, "caller", r->caller);
	object_put_text(out, object, "boot_id", r->boot_id);
	fence_date_iso(r->asked_at_s, text, sizeof text);
	object_put_text(out, object, "asked_at", text);
	if (waits && !mono_is_never(r->expires))
		object_put_integer(out, object, "expires_in_ms", mono_left_ms(now, r->expires));
	else
		object_put(out, object, "expires_in_ms", json_null());
	if (item->answered) {
		ack_who(&item->answer, text, sizeof text);
		object_put_text(out, object, "answered_by", text);
	} else {
		object_put(out, object, "answered_by", json_null());
	}
	object_put_text(out, object, "dir", item->store->path);
	output_object(out, object);
}

static void list_ignored(struct output *out, const struct ack_ignored *ignored)
{
	json_t *object = json_object();

	output_line(out, STYLE_FAINT, "ignored: %s/%s: %s", ignored->store->path, ignored->name,
		    ignored->why);
	object_put_text(out, object, "kind", "ignored");
	object_put_text(out, object, "dir", ignored->store->path);
	object_put_text(out, object, "file", ignored->name);
	object_put_text(out, object, "why", ignored->why);
	output_object(out, object);
}

static int list_show(const struct ack *ack)
{
	static const char *const headings[] = { "TARGET",  "WANTED", "STATE", "SINCE",
						"EXPIRES", "ASKER",  "REASON" };
	mono_t now = clock_now();
	struct output out;

	output_init(&out, ack->cli);
	if (ack->items_count == 0)
		output_line(&out, ack->unread ? STYLE_WARN : STYLE_PLAIN, "%s",
			    ack->unread ? "it cannot be told whether somebody waits for an operator"
					: "nobody waits for an operator on this machine");
	output_begin(&out, ack->items_count ? headings : NULL, 7);
	for (size_t i = 0; i < ack->items_count; i++) {
		list_row(&out, &ack->items[i], now);
		list_object(&out, &ack->items[i], now);
	}
	output_end(&out);
	for (size_t i = 0; i < ack->ignored_count; i++)
		list_ignored(&out, &ack->ignored[i]);
	return output_finish(&out, ack->cli, ack->unread ? CLI_EXIT_NOT : CLI_EXIT_OK);
}

/* ---- one target ---- */

/* Nothing waits for this name: say what there is instead. */
static int target_unknown(const struct ack *ack, const char *target)
{
	const char **names = calloc(ack->items_count + 1, sizeof *names);
	size_t count = 0;
	long near;
	int found = 0;

	for (size_t i = 0; i < ack->items_count; i++) {
		const struct ack_item *item = &ack->items[i];

		if (names && item_waits(item))
			names[count++] = item->request.target;
		if (strcmp(item->request.target, target) != 0)
			continue;
		found = 1;
		if (item->standing == MEAT_WAITING)
			cli_warn(ack->cli, "request %s for %s has been answered already",
				 item->request.id, target);
		else
			cli_warn(ack->cli, "request %s for %s cannot be answered: %s",
				 item->request.id, target, meat_standing_reason(item->standing));
	}
	near = names ? nearest_find(target, names, count) : -1;
	if (!found && near >= 0)
		cli_warn(ack->cli, "nobody asks for \"%s\"; did you mean \"%s\"?", target,
			 names[near]);
	else if (!found)
		cli_warn(ack->cli, "nobody asks for \"%s\"; \"holdfast fence ack\" lists who waits",
			 target);
	free(names);
	return CLI_EXIT_NOT;
}

/* Several requests wait for one machine: which one? NULL when none was chosen. */
static struct ack_item *item_choose(const struct ack *ack, const char *target, size_t waiting)
{
	char prompt[64], line[16], wanted[16], date[32];
	size_t number = 0;

	fprintf(stderr, "%zu requests wait for %s:\n", waiting, target);
	for (size_t i = 0; i < ack->items_count; i++) {
		const struct meat_request *r = &ack->items[i].request;

		if (!item_waits(&ack->items[i]) || strcmp(r->target, target) != 0)
			continue;
		fence_date_time(r->asked_at_s, date, sizeof date);
		fprintf(stderr, "  %zu) switch %s, asked %s by %s[%" PRId64 "]: %s\n", ++number,
			ack_want(r->want), date, r->host, r->pid,
			r->reason[0] ? r->reason : "(no reason given)");
	}
	snprintf(prompt, sizeof prompt, "Which one? [1-%zu] ", waiting);
	if (!ask_line(prompt, line, sizeof line))
		return NULL;
	number = 0;
	for (size_t i = 0; i < ack->items_count; i++) {
		if (!item_waits(&ack->items[i]) ||
		    strcmp(ack->items[i].request.target, target) != 0)
			continue;
		snprintf(wanted, sizeof wanted, "%zu", ++number);
		if (strcmp(line, wanted) == 0)
			return &ack->items[i];
	}
	return NULL;
}

static int target_answer(const struct ack *ack, const char *target)
{
	struct ack_item *item = NULL;
	size_t waiting = 0;
	int status = CLI_EXIT_OK;

	for (size_t i = 0; i < ack->items_count; i++) {
		if (!item_waits(&ack->items[i]) ||
		    strcmp(ack->items[i].request.target, target) != 0)
			continue;
		item = &ack->items[i];
		waiting++;
		if (ack->cli->cancel && ack_refuse(ack, item) != CLI_EXIT_OK)
			status = CLI_EXIT_NOT;
	}
	if (waiting == 0)
		return target_unknown(ack, target);
	if (ack->cli->cancel)
		return status;
	status = ack_terminal_check(ack);
	if (status)
		return status;
	if (waiting > 1)
		item = item_choose(ack, target, waiting);
	if (!item) {
		cli_warn(ack->cli, "none was chosen; nothing was acknowledged");
		return CLI_EXIT_NOT;
	}
	return ack_confirm(ack, item);
}

int fence_ack_run(struct cli *cli)
{
	struct ack ack = { .cli = cli };
	int status;

	if (cli->args_count > 1)
		return cli_usage(cli, "one target at a time");
	if (cli->cancel && cli->args_count == 0)
		return cli_usage(cli, "--cancel needs a target");
	if (cli->json && cli->args_count > 0)
		return cli_usage(cli, "--json lists; it cannot acknowledge");
	dirs_find(&ack);
	if (ack_read(&ack) != 0) {
		cli_warn(cli, "out of memory");
		status = CLI_EXIT_NOT;
	} else if (cli->args_count == 0) {
		status = list_show(&ack);
	} else {
		status = target_answer(&ack, cli->args[0]);
	}
	ack_free(&ack);
	return status;
}
