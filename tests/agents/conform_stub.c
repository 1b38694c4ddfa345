/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conform_stub.c - a fence agent that keeps to its interface in all things but one.
 *
 * For agent.bats: called fence_stub_X (by a symbolic link) it has the fault X; the faults are named
 * after the checks of the conformance kit that must find them. As fence_stub_none it has none; as
 * fence_stub_manual it has none either, and is of class manual.
 * It is written apart from the SDK, so that what one gets wrong the other does not repeat.
 *
 * LINK: base
 *
 * Device: plugs are lines "NAME on|off" of state_file. With ip=local it answers at once; any other
 * address is connected to, by TCP, and waited for. need_password=1 makes it ask for "sesame-7".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TEXT = 4096, PLUGS = 8, WORD = 64, OFF_LOOKS = 300, OFF_LOOK_MS = 10 };

static const char *fault = "none";
static const char *program;
static int by_argv, from_stdin_only_metadata;

static struct {
	char action[WORD], state_file[TEXT], ip[WORD], ipport[WORD], plug[WORD], password[WORD];
	int has_action, has_plug, need_password, verbose, json, login_timeout_s, delay_s, empty,
		has_misspelt;
} opt = { .login_timeout_s = 5 };

static struct {
	char name[WORD];
	int on;
} plugs[PLUGS];
static int plugs_count;

static int is(const char *name)
{
	return strcmp(fault, name) == 0;
}

static int is_manual(void)
{
	return is("manual") || is("status-unread") || is("reboot-unread");
}

/* It does not say that it is made with the SDK. */
static int is_foreign(void)
{
	return is("foreign") || is("reboot-cut");
}

static int action_is(const char *name)
{
	return strcmp(opt.action, name) == 0;
}

/* ---- answers ---- */

static const char *state_word = "unknown";
static int off_proven;

static void end(int status) __attribute__((noreturn));

static void end(int status)
{
	int ok = status == 0 || (status == 2 && action_is("status"));

	if (opt.json && !action_is("metadata"))
		printf("{\"agent\":\"%s\",\"version\":\"1\",\"action\":\"%s\",\"exit\":%d,"
		       "\"ok\":%s,\"state\":\"%s\",\"proof\":\"%s\",\"off_proven\":%s,"
		       "\"cause\":%s,\"object\":\"x\",\"message\":\"%s\",\"next\":\"\","
		       "\"plugs\":[],\"elapsed_ms\":1}\n",
		       program, opt.action, is("json") && action_is("status") ? 7 : status,
		       ok ? "true" : "false", state_word, ok ? "proven" : "none",
		       off_proven && !is("json-switching") &&
				       !(is("json-switching-reboot") && action_is("reboot"))
			       ? "true"
			       : "false",
		       ok ? "null" : "\"state\"", ok ? "" : "failed");
	exit(status);
}

static void fail(const char *text) __attribute__((noreturn));

static void fail(const char *text)
{
	if (!is("failure-stderr") || !action_is("status") || strcmp(text, "no such plug") != 0)
		fprintf(stderr, "%s: %s\n", program, text);
	end(1);
}

static void say(const char *text)
{
	if (!opt.json)
		puts(text);
}

/* ---- metadata ---- */

static void parameter(const char *name, const char *type, int required, const char *extra)
{
	printf("<parameter name=\"%s\" %srequired=\"%d\">\n<getopt mixed=\"--%s=[x]\"/>\n"
	       "<content type=\"%s\"%s/>\n<shortdesc lang=\"en\">x</shortdesc>\n</parameter>\n",
	       name, is("metadata-schema") ? "" : "unique=\"0\" ", required, name, type, extra);
}

static void metadata(void) __attribute__((noreturn));

static void metadata(void)
{
	static const char *const actions[] = { "on",	       "off",	      "reboot",	 "status",
					       "list",	       "list-status", "monitor", "metadata",
					       "validate-all", "probe" };

	if (is("metadata-xml"))
		puts("loading...");
	puts("<?xml version=\"1.0\"?>");
	if (!is_foreign())
		printf("<?holdfast abi=\"1\" class=\"%s\" json=\"1\" probe=\"1\"?>\n",
		       is_manual() ? "manual" : "testing");
	printf("<resource-agent name=\"%s\" shortdesc=\"x\">\n<longdesc>x</longdesc>\n"
	       "<vendor-url></vendor-url>\n<parameters>\n",
	       is("metadata-name") ? "fence_other" : program);
	parameter("action", "string", 1, is("metadata-default") ? " default=\"reboot\"" : "");
	parameter("state_file", "string", 1, "");
	parameter("ip", "string", 1, "");
	parameter("ipport", "integer", 0, "");
	parameter("plug", "string", 1, "");
	parameter("port", "string", 0, "");
	parameter("password", "string", 0, "");
	parameter("verbose", "boolean", 0, "");
	puts("</parameters>\n<actions>");
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
		if (!(is("metadata-actions") && strcmp(actions[i], "monitor") == 0) &&
		    !(is("metadata-more") && strcmp(actions[i], "reboot") == 0))
			printf("<action name=\"%s\"/>\n", actions[i]);
	puts("</actions>\n</resource-agent>");
	if (is("metadata") && from_stdin_only_metadata)
		fail("not today");
	end(0);
}

/* ---- options ---- */

static void take(char *where, const char *value)
{
	snprintf(where, WORD, "%s", value);
}

static void action_take(const char *value)
{
	if (is("input-last") && opt.has_action)
		return;
	opt.has_action = 1;
	take(opt.action, value);
	for (char *at = opt.action; *at && !is("input-case"); at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
}

/* Returns 0 when there is no such option. */
static int option_take(const char *given, const char *value)
{
	char key[WORD];

	take(key, given);
	for (char *at = key; *at && !is("input-dashes"); at++)
		if (*at == '-')
			*at = '_';
	if (strcmp(key, "action") == 0 || (strcmp(key, "option") == 0 && !is("input-option")))
		action_take(value);
	else if (strcmp(key, "state_file") == 0)
		snprintf(opt.state_file, sizeof opt.state_file, "%s", value);
	else if (strcmp(key, "ip") == 0)
		take(opt.ip, value);
	else if (strcmp(key, "ipport") == 0)
		take(opt.ipport, value);
	else if ((strcmp(key, "plug") == 0 && !is("input-plug")) ||
		 (strcmp(key, "port") == 0 && !is("input-port")))
		opt.has_plug = 1, take(opt.plug, value);
	else if (strcmp(key, "password") == 0)
		take(opt.password, value);
	else if (strcmp(key, "need_password") == 0)
		opt.need_password = value[0] == '1';
	else if (strcmp(key, "verbose") == 0)
		opt.verbose = value[0] == '1' || is("input-boolean");
	else if (strcmp(key, "json") == 0)
		opt.json = value[0] == '1';
	else if (strcmp(key, "login_timeout") == 0)
		opt.login_timeout_s = (int)strtol(value, NULL, 10);
	else if (strcmp(key, "delay") == 0)
		opt.delay_s = (int)strtol(value, NULL, 10);
	else if (strcmp(key, "nodename") == 0 && !is("input-nodename"))
		;
	else if (strcmp(key, "actoin") == 0 && is("action-misspelt"))
		end(0);
	else if (strcmp(key, "actoin") == 0)
		opt.has_misspelt = 1;
	else if (strcmp(key, "nodename") == 0)
		fail("nodename is not known");
	else
		return 0;
	return 1;
}

static void stdin_read(void)
{
	static char text[1 << 16];
	size_t bytes = fread(text, 1, sizeof text - 1, stdin);
	char *rest = NULL;

	text[bytes] = '\0';
	opt.empty = bytes == 0;
	from_stdin_only_metadata = strcmp(text, "action=metadata\n") == 0;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *equals = strchr(line, '=');

		if (line[0] == '#') {
			if (is("input-comments"))
				fail("what is this?");
			continue;
		}
		if (!equals)
			continue;
		*equals = '\0';
		if (!option_take(line, equals + 1) && is("input-unknown"))
			fail("unknown option");
	}
}

static void argv_read(int argc, char **argv)
{
	by_argv = 1;
	for (int i = 1; i < argc; i++) {
		char *equals = strchr(argv[i], '=');
		int known = 0;

		if (equals && strncmp(argv[i], "--", 2) == 0) {
			*equals = '\0';
			known = option_take(argv[i] + 2, equals + 1);
		}
		if (!known && !is("argv-unknown"))
			fail("unknown option");
	}
}

/* ---- the device ---- */

static void store_read(void)
{
	FILE *file = fopen(opt.state_file, "re");
	char word[WORD];

	if (!file)
		fail("no state file");
	while (plugs_count < PLUGS && fscanf(file, "%63s %63s", plugs[plugs_count].name, word) == 2)
		plugs[plugs_count++].on = strcmp(word, "on") == 0;
	fclose(file);
}

static void store_write(void)
{
	char path[TEXT + 16];
	FILE *file;

	/* Replaced in one step: a second run may read it meanwhile. */
	snprintf(path, sizeof path, "%s.new", opt.state_file);
	file = fopen(path, "we");
	if (!file)
		fail("no state file");
	for (int i = 0; i < plugs_count; i++)
		fprintf(file, "%s %s\n", plugs[i].name, plugs[i].on ? "on" : "off");
	fclose(file);
	if (rename(path, opt.state_file) != 0)
		fail("no state file");
}

static void plug_write(int at, int on)
{
	for (int i = 0; i < plugs_count; i++)
		if (i == at || is("other-plugs"))
			plugs[i].on = on;
	store_write();
}

/* A helper that was handed the password as an argument; it ends when its parent closes the pipe. */
static int helper_start(void)
{
	int fds[2];

	if (pipe(fds) != 0)
		fail("no pipe");
	if (fork() == 0) {
		dup2(fds[0], STDIN_FILENO);
		close(fds[0]);
		close(fds[1]);
		close(STDERR_FILENO);
		execl("/bin/cat", "cat", "-", opt.password, (char *)NULL);
		_exit(127);
	}
	close(fds[0]);
	return fds[1];
}

/* Connect to an address that no device of ours has, and wait for what it says. */
static void device_connect(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct pollfd wait = { .events = POLLIN };
	int timeout_ms = is("device-silent") ? -1 : opt.login_timeout_s * 1000;

	address.sin_port = htons((in_port_t)strtol(opt.ipport, NULL, 10));
	inet_pton(AF_INET, opt.ip, &address.sin_addr);
	wait.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(wait.fd, (struct sockaddr *)&address, sizeof address) != 0) {
		if (is("device-dead") && action_is("status"))
			end(2);
		if (is("off-device-dead") && action_is("off"))
			end(0);
		fail(strerror(errno));
	}
	if (is("sigterm"))
		signal(SIGTERM, SIG_IGN);
	if (is("secret-argv"))
		helper_start();
	while (poll(&wait, 1, timeout_ms) < 0 && errno == EINTR)
		;
	fail("the device does not answer");
}

static void strays_leave(void)
{
	if (!(is("no-stray") || is("no-stray-session")) || !action_is("monitor"))
		return;
	fflush(NULL);
	if (fork() != 0)
		return;
	if (is("no-stray-session"))
		setsid();
	for (;;)
		pause();
}

/* With a fault of its own: a name that begins like that of a plug, or the beginning of one. */
static int plug_find(const char *name)
{
	int by_longer = is("plug-unknown-longer") ||
			(is("off-plug-unknown-longer") && action_is("off"));

	for (int i = 0; i < plugs_count; i++)
		if (strcmp(plugs[i].name, name) == 0)
			return i;
	for (int i = 0; i < plugs_count && by_longer; i++)
		if (strncmp(plugs[i].name, name, strlen(plugs[i].name)) == 0)
			return i;
	for (int i = 0; i < plugs_count && is("plug-unknown-half") && name[0]; i++)
		if (strncmp(plugs[i].name, name, strlen(name)) == 0)
			return i;
	return -1;
}

/* ---- actions ---- */

static void login(void)
{
	int wrong = opt.need_password && strcmp(opt.password, "sesame-7") != 0;

	if (strcmp(opt.ip, "local") != 0)
		device_connect();
	store_read();
	if (wrong && is("bad-credentials") && action_is("status"))
		wrong = 0;
	if (wrong && is("off-bad-credentials") && action_is("off"))
		plug_write(0, 0);
	if (wrong)
		fail("wrong password");
	if (opt.verbose)
		fprintf(stderr, "logged in%s%s\n", is("secret-output") ? " with " : "",
			is("secret-output") ? opt.password : "");
}

static void list(int with_state)
{
	for (int i = 0; i < plugs_count && !opt.json; i++) {
		const char *word = plugs[i].on || is("off-list") ? "ON" : "OFF";

		if (!with_state)
			printf("%s,\n", is("list") ? "other" : plugs[i].name);
		else if (is("list-status") && plugs[0].on)
			printf("%s: %s\n", plugs[i].name, word);
		else
			printf("%s,,%s\n", plugs[i].name, word);
	}
	end(0);
}

/* Stay off until a status has read it, as a device does that takes its time; a reboot that nobody
 * watches goes on after a while. */
static void off_phase(int at)
{
	char mark[TEXT + 8];

	plug_write(at, 0);
	snprintf(mark, sizeof mark, "%s.seen", opt.state_file);
	unlink(mark);
	for (int i = 0; i < OFF_LOOKS && access(mark, F_OK) != 0; i++)
		poll(NULL, 0, OFF_LOOK_MS);
}

static void off_seen(void)
{
	char mark[TEXT + 8];
	FILE *file;

	snprintf(mark, sizeof mark, "%s.seen", opt.state_file);
	file = fopen(mark, "we");
	if (file)
		fclose(file);
}

static void status(int at)
{
	int on = plugs[at].on;

	if (is("foreign") && !on)
		off_seen();
	if (is("status") || (is_manual() && !is("status-unread")))
		fail("no idea");
	state_word = on ? "on" : "off";
	if (!is("status-output"))
		say(on ? "Status: ON" : "Status: OFF");
	end(on ? 0 : 2);
}

static void monitor(void)
{
	strays_leave();
	if (is("monitor") && plugs[0].on && !opt.json)
		fail("not well");
	if (is("off-monitor") && !plugs[0].on && !opt.json)
		end(2);
	end(0);
}

static void off(int at)
{
	int was_on = plugs[at].on;

	if (!is("off-status"))
		plug_write(at, 0);
	off_proven = 1;
	state_word = "off";
	if ((is("off") && was_on && !opt.json) || (is("off-again") && !was_on && !opt.json))
		fail("cannot");
	say("Success: Powered OFF");
	end(0);
}

static void on(int at)
{
	int was_on = plugs[at].on;

	if (!is("on-status"))
		plug_write(at, 1);
	state_word = "on";
	if ((is("on") && !was_on && !opt.json) || (is("on-again") && was_on && !opt.json))
		fail("cannot");
	end(0);
}

static void reboot(int at)
{
	if ((is("reboot") || is("reboot-unread")) && plugs[at].on && !opt.json)
		fail("cannot");
	if (is("foreign"))
		off_phase(at);
	if (!is("reboot-off") || plugs[at].on)
		plug_write(at, 1);
	state_word = "on";
	off_proven = 1;
	end(0);
}

/* What was given cannot be carried out; some faults do it all the same. */
static void plug_absent(void)
{
	if (opt.has_plug) {
		if (is("plug-unknown") && action_is("status") && !opt.json)
			end(2);
		if (is("plug-unknown-crash") && action_is("status") && !opt.json)
			abort();
		while (is("plug-unknown-hang") && action_is("status") && !opt.json)
			pause();
		if (is("off-plug-unknown") && action_is("off") && !opt.json)
			end(0);
		if (is("reboot-plug-unknown") && action_is("reboot"))
			end(0);
		fail("no such plug");
	}
	if (is("plug-missing") && action_is("status"))
		end(0);
	if (is("off-plug-missing") && action_is("off"))
		plug_write(0, 0);
	fail("which plug?");
}

static void no_action(void)
{
	if (is("input-nothing") && opt.empty)
		end(0);
	if (is("action-missing") && !opt.has_action && !opt.has_misspelt &&
	    strcmp(opt.ip, "local") == 0) {
		store_read();
		reboot(0);
	}
	if (is("action-empty") && opt.has_action)
		end(0);
	fail("no action");
}

static void unknown_action(void)
{
	if (is("action-unknown"))
		end(0);
	if (is("action-unknown-switches") && strcmp(opt.ip, "local") == 0) {
		store_read();
		plug_write(0, 0);
	}
	fail("unknown action");
}

static void act(void)
{
	static const char *const known[] = { "on",	"off",		"reboot",
					     "status",	"list",		"list-status",
					     "monitor", "validate-all", "probe" };
	size_t i = 0;
	int at;

	if (action_is("metadata") || (action_is("meta-data") && !is("metadata-alias"))) {
		if (is("metadata-argv") && by_argv)
			fail("not like that");
		metadata();
	}
	if (opt.action[0] == '\0')
		no_action();
	while (i < sizeof known / sizeof known[0] && !action_is(known[i]))
		i++;
	if (i == sizeof known / sizeof known[0])
		unknown_action();
	if (action_is("validate-all")) {
		if (is(strcmp(opt.ip, "local") == 0 ? "validate-all" : "validate-offline"))
			fail("cannot reach it");
		end(0);
	}
	if (is("argv-status") && by_argv)
		fail("not like that");
	if (opt.delay_s > 0 && action_is("off") && !is("delay"))
		sleep((unsigned)opt.delay_s);
	login();
	if (action_is("monitor"))
		monitor();
	if (action_is("list") || action_is("list-status"))
		list(action_is("list-status"));
	at = plug_find(opt.plug);
	if (at < 0)
		plug_absent();
	if (action_is("probe") && is("probe"))
		fail("no privilege");
	if (action_is("probe"))
		end(0);
	if (action_is("status"))
		status(at);
	if (action_is("off"))
		off(at);
	if (action_is("on"))
		on(at);
	reboot(at);
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');

	program = slash ? slash + 1 : argv[0];
	if (strncmp(program, "fence_stub_", 11) == 0)
		fault = program + 11;
	if (argc > 1)
		argv_read(argc, argv);
	else
		stdin_read();
	act();
	return 1;
}
