/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * options.c - parsing of the command line's options; see options.h.
 */
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"

enum {
	KEY_FOR_REAL = 256, /* options without a short form */
	KEY_NO_COLOR,
	KEY_CANCEL,
	KEY_DIR,
	KEY_OPTIONS_FILE,
	KEY_LANG,
	KEY_WALK,
	KEY_FORMAT,
	KEY_KEY,
	KEY_OLD_KEY,
	KEY_TYPE,
	KEY_INITIATOR,
	KEY_NEXUS,
	KEY_ABORT,
	KEY_APTPL,
	KEY_REGISTER,
	KEY_IGNORE_EXISTING,
	KEY_ALL_PORTS,
	KEY_NAME,
	KEY_NODES,
	KEY_FORCE,
	KEY_NODE,
	KEY_SECTOR,
	KEY_RX,
	KEY_TX,
	KEY_WAIT,
	KEY_ARBITER,
	KEY_LOCKS,
	KEY_EPOCH,
	KEY_MEMBERS,
	KEY_BY,
	KEY_RESULT,
	NODES_MOST = 64,
	LOCKS_MOST = 1024,
	SECTOR_MOST = 4096,
	NEXUS_MAX = 255,
	TIMEOUT_MAX_S = 86400,
	PARALLEL_MAX = 1024,
	LAST_MAX = 1000000,
};

static const struct cli_option {
	uint64_t bit;
	int key;
	const char *name;
	const char *arg; /* NULL for none */
	const char *help;
} options[] = {
	{ OPTION_CONFIG, 'c', "config", "FILE",
	  "cluster file; default $HOLDFAST_CONF, else /etc/holdfast/holdfast.conf" },
	{ OPTION_TIMEOUT, 't', "timeout", "SECONDS",
	  "time for each target or command, retries and further levels included" },
	{ OPTION_PARALLEL, 'p', "parallel", "N", "agents at work at the same time, in total" },
	{ OPTION_ALL, 'a', "all", NULL, "every target of the cluster file" },
	{ OPTION_DRY_RUN, 'n', "dry-run", NULL, "show what would run, and run nothing" },
	{ OPTION_FOR_REAL, KEY_FOR_REAL, "for-real", NULL,
	  "do it: cut the power and turn it on again, level by level; eject others' keys; reset "
	  "this "
	  "machine" },
	{ OPTION_YES, 'y', "yes", NULL, "do not ask before --for-real" },
	{ OPTION_LAST, 'l', "last", "N", "only the last N records" },
	{ OPTION_CANCEL, KEY_CANCEL, "cancel", NULL,
	  "say that it cannot be done; the agent fails at once" },
	{ OPTION_DIR, KEY_DIR, "dir", "DIR",
	  "directory: of the requests, as in dir= of the agent; of what is written or read" },
	{ OPTION_OPTIONS_FILE, KEY_OPTIONS_FILE, "options-file", "FILE",
	  "options of the device, one key=value a line; - is stdin" },
	{ OPTION_LANG, KEY_LANG, "lang", "LANGUAGE", "c (default), sh or python" },
	{ OPTION_WALK, KEY_WALK, "walk", "WALK", "a recorded walk to try the profile on" },
	{ OPTION_FORMAT, KEY_FORMAT, "format", "FORMAT", "text (default) or markdown" },
	{ OPTION_KEY, KEY_KEY, "key", "KEY",
	  "reservation key of this side: 0x and hexadecimal digits, or CLUSTER:NODE:INCARNATION" },
	{ OPTION_OLD_KEY, KEY_OLD_KEY, "old-key", "KEY",
	  "the key that this initiator port is registered with now" },
	{ OPTION_TYPE, KEY_TYPE, "type", "TYPE", "we, ea, we-ro (default), ea-ro, we-ar or ea-ar" },
	{ OPTION_INITIATOR, KEY_INITIATOR, "initiator", "IQN",
	  "iSCSI initiator name; default: that of this host" },
	{ OPTION_NEXUS, KEY_NEXUS, "nexus", "N",
	  "number of the session, 1 to 255; default 32 (0 to 31 are those of lockd)" },
	{ OPTION_ABORT, KEY_ABORT, "abort", NULL,
	  "PREEMPT AND ABORT: what the other one has under way is aborted too" },
	{ OPTION_APTPL, KEY_APTPL, "aptpl", NULL,
	  "registrations and reservation are to survive a loss of power of the target" },
	{ OPTION_REGISTER, KEY_REGISTER, "register", NULL,
	  "register the key first, in the same session" },
	{ OPTION_IGNORE_EXISTING, KEY_IGNORE_EXISTING, "ignore-existing", NULL,
	  "REGISTER AND IGNORE EXISTING KEY: whatever this port is registered with" },
	{ OPTION_ALL_PORTS, KEY_ALL_PORTS, "all-target-ports", NULL,
	  "register for every port of the target (ALL_TG_PT)" },
	{ OPTION_NAME, KEY_NAME, "name", "CLUSTER", "name of the cluster" },
	{ OPTION_NODES, KEY_NODES, "nodes", "N", "slots for nodes, 2 to 64; default 16" },
	{ OPTION_FORCE, KEY_FORCE, "force", "NAME",
	  "overwrite what is there, if that is it: \"ext4\", \"gpt\", the name of its cluster" },
	{ OPTION_NODE, KEY_NODE, "node", "N",
	  "this node only; the slot to use; the node that this machine is" },
	{ OPTION_SECTOR, KEY_SECTOR, "sector", "BYTES",
	  "sectors of a plain file: 512 (default) or 4096; a device knows its own" },
	{ OPTION_RX, KEY_RX, "rx", NULL, "listen, and answer" },
	{ OPTION_TX, KEY_TX, "tx", NULL, "call, and wait for the answer" },
	{ OPTION_ARBITER, KEY_ARBITER, "arbiter", "KIND",
	  "what decides the cluster lock: pr, paxos or auto (default)" },
	{ OPTION_LOCKS, KEY_LOCKS, "locks", "N", "room for named locks, 1 to 1024; default 64" },
	{ OPTION_EPOCH, KEY_EPOCH, "epoch", "N", "number of the decision, from 1" },
	{ OPTION_MEMBERS, KEY_MEMBERS, "members", "LIST",
	  "nodes that go on, by their numbers: \"1,2,5-7\"; default: this node alone" },
	{ OPTION_WAIT, KEY_WAIT, "wait", "SECONDS",
	  "wait for the lock so long, 0: not at all; default: for as long as it takes" },
	{ OPTION_BY, KEY_BY, "by", "WHO",
	  "who resets the machine: hardware (default; the devices alone) or self (watchdogd)" },
	{ OPTION_RESULT, KEY_RESULT, "result", NULL,
	  "what came of the last --for-real; to be asked after the reset" },
	{ OPTION_JSON, 'j', "json", NULL, "one JSON object a line instead of text" },
	{ OPTION_NO_COLOR, KEY_NO_COLOR, "no-color", NULL,
	  "no colour on a terminal either; as does NO_COLOR in the environment" },
	{ OPTION_HELP, 'h', "help", NULL, "this help" },
	{ OPTION_VERSION, 'V', "version", NULL, "version of holdfast" },
};

enum { OPTIONS = sizeof options / sizeof options[0] };

/* The whole text as a number with up to three decimals, in thousandths; -1 when it is none. */
static int64_t number_read_milli(const char *text, int decimals)
{
	size_t whole = strspn(text, "0123456789");
	const char *rest = text + whole;
	int64_t value;

	if (whole == 0 || whole > 9)
		return -1;
	value = strtoll(text, NULL, 10) * 1000;
	if (decimals && *rest == '.') {
		int64_t digit_value = 100;

		for (rest++; *rest >= '0' && *rest <= '9' && digit_value > 0; digit_value /= 10)
			value += digit_value * (*rest++ - '0');
	}
	return *rest ? -1 : value;
}

static int number_option(const struct cli *cli, const char *name, const char *text, unsigned max,
			 unsigned *value)
{
	int64_t milli = number_read_milli(text, 0);

	if (milli < 1000 || milli > (int64_t)max * 1000)
		return cli_usage(cli, "--%s %s: expected a whole number from 1 to %u", name, text,
				 max);
	*value = (unsigned)(milli / 1000);
	return 0;
}

static int option_set(struct cli *cli, const struct cli_option *option, const char *value)
{
	cli->given |= option->bit;
	switch ((enum cli_option_bit)option->bit) {
	case OPTION_CONFIG:
		cli->conf_path = value;
		return 0;
	case OPTION_TIMEOUT:
		cli->timeout_ms = number_read_milli(value, 1);
		if (cli->timeout_ms <= 0 || cli->timeout_ms > TIMEOUT_MAX_S * INT64_C(1000))
			return cli_usage(cli,
					 "--timeout %s: expected seconds, above 0 and up to %d",
					 value, TIMEOUT_MAX_S);
		return 0;
	case OPTION_WAIT:
		cli->wait_ms = number_read_milli(value, 1);
		if (cli->wait_ms < 0 || cli->wait_ms > TIMEOUT_MAX_S * INT64_C(1000))
			return cli_usage(cli, "--wait %s: expected seconds, 0 to %d", value,
					 TIMEOUT_MAX_S);
		return 0;
	case OPTION_PARALLEL:
		return number_option(cli, option->name, value, PARALLEL_MAX, &cli->parallel);
	case OPTION_LAST:
		return number_option(cli, option->name, value, LAST_MAX, &cli->last);
	case OPTION_DRY_RUN:
		cli->dry_run = 1;
		return 0;
	case OPTION_ALL:
		cli->all = 1;
		return 0;
	case OPTION_FOR_REAL:
		cli->for_real = 1;
		return 0;
	case OPTION_YES:
		cli->yes = 1;
		return 0;
	case OPTION_JSON:
		cli->json = 1;
		return 0;
	case OPTION_NO_COLOR:
		cli->no_colour = 1;
		return 0;
	case OPTION_CANCEL:
		cli->cancel = 1;
		return 0;
	case OPTION_DIR:
		cli->dir = value;
		return 0;
	case OPTION_OPTIONS_FILE:
		cli->options_file = value;
		return 0;
	case OPTION_LANG:
		cli->lang = value;
		return 0;
	case OPTION_WALK:
		cli->walk = value;
		return 0;
	case OPTION_FORMAT:
		cli->format = value;
		return 0;
	case OPTION_KEY:
		cli->key = value;
		return 0;
	case OPTION_OLD_KEY:
		cli->old_key = value;
		return 0;
	case OPTION_TYPE:
		cli->type = value;
		return 0;
	case OPTION_INITIATOR:
		cli->initiator = value;
		return 0;
	case OPTION_NEXUS:
		return number_option(cli, option->name, value, NEXUS_MAX, &cli->nexus);
	case OPTION_NAME:
		cli->cluster = value;
		return 0;
	case OPTION_FORCE:
		cli->force = value;
		return 0;
	case OPTION_NODES:
		return number_option(cli, option->name, value, NODES_MOST, &cli->nodes);
	case OPTION_NODE:
		return number_option(cli, option->name, value, NODES_MOST, &cli->node);
	case OPTION_ARBITER:
		cli->arbiter = value;
		return 0;
	case OPTION_LOCKS:
		return number_option(cli, option->name, value, LOCKS_MOST, &cli->locks);
	case OPTION_EPOCH:
		cli->epoch = value;
		return 0;
	case OPTION_MEMBERS:
		cli->members = value;
		return 0;
	case OPTION_SECTOR:
		return number_option(cli, option->name, value, SECTOR_MOST, &cli->sector);
	case OPTION_ABORT:
	case OPTION_APTPL:
	case OPTION_REGISTER:
	case OPTION_IGNORE_EXISTING:
	case OPTION_ALL_PORTS:
	case OPTION_RX:
	case OPTION_TX:
		return 0; /* their bit in `given` says it */
	case OPTION_BY:
		cli->by = value;
		return 0;
	case OPTION_RESULT:
		cli->result = 1;
		return 0;
	case OPTION_HELP:
	case OPTION_VERSION:
		return 0; /* their bit in `given` says it */
	}
	return 0;
}

static int option_unknown(const struct cli *cli, const char *word, int key)
{
	const char *names[OPTIONS];
	char bare[NEAREST_WORD_MAX];
	long near = -1;

	for (size_t i = 0; i < OPTIONS; i++) {
		names[i] = options[i].name;
		if (options[i].key == key)
			return cli_usage(cli, "--%s takes no value", options[i].name);
	}
	if (key > 0)
		return cli_usage(cli, "unknown option -%c", key);
	if (strncmp(word, "--", 2) == 0) {
		snprintf(bare, sizeof bare, "%.*s", (int)strcspn(word + 2, "="), word + 2);
		near = nearest_find(bare, names, OPTIONS);
	}
	/* Not the value: who knows what was put there. */
	if (near >= 0)
		return cli_usage(cli, "unknown option %.*s; did you mean --%s?",
				 (int)strcspn(word, "="), word, names[near]);
	return cli_usage(cli, "unknown option %.*s", (int)strcspn(word, "="), word);
}

/* The tables that getopt_long() wants. */
static void options_tables(char *shorts, struct option *longs, int to_first_word)
{
	if (to_first_word)
		*shorts++ = '+';
	*shorts++ = ':';
	for (size_t i = 0; i < OPTIONS; i++) {
		longs[i] = (struct option){ .name = options[i].name,
					    .has_arg = options[i].arg ? required_argument
								      : no_argument,
					    .val = options[i].key };
		if (options[i].key > 255)
			continue;
		*shorts++ = (char)options[i].key;
		if (options[i].arg)
			*shorts++ = ':';
	}
	*shorts = '\0';
	longs[OPTIONS] = (struct option){ 0 };
}

int options_parse(struct cli *cli, int argc, char **argv, int to_first_word)
{
	char shorts[2 * OPTIONS + 3];
	struct option longs[OPTIONS + 1];
	int key;

	options_tables(shorts, longs, to_first_word);
	opterr = 0;
	optind = 0; /* begin anew, glibc's way */
	while ((key = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		size_t i = 0;

		if (key == ':') {
			cli_usage(cli, "option %s needs a value", argv[optind - 1]);
			return -1;
		}
		while (i < OPTIONS && options[i].key != key)
			i++;
		if (i == OPTIONS) {
			option_unknown(cli, argv[optind - 1], optopt);
			return -1;
		}
		if (option_set(cli, &options[i], optarg))
			return -1;
	}
	return optind;
}

int options_check(const struct cli *cli)
{
	uint64_t odd = cli->given & ~(cli->command->options | OPTIONS_ALWAYS);

	for (size_t i = 0; i < OPTIONS; i++)
		if (odd & options[i].bit)
			return cli_usage(cli, "--%s has no meaning here", options[i].name);
	return 0;
}

void options_help(FILE *file, uint64_t mask)
{
	mask |= OPTIONS_ALWAYS;
	fputs("\nOptions:\n", file);
	for (size_t i = 0; i < OPTIONS; i++) {
		char form[48];

		if (!(mask & options[i].bit))
			continue;
		snprintf(form, sizeof form, "%s--%s%s%s", options[i].key > 255 ? "    " : "-x, ",
			 options[i].name, options[i].arg ? " " : "",
			 options[i].arg ? options[i].arg : "");
		if (options[i].key <= 255)
			form[1] = (char)options[i].key;
		fprintf(file, "  %-24s %s\n", form, options[i].help);
	}
}
