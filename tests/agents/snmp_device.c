/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * snmp_device.c - a simulated SNMP power device for the test suites: the objects of a recorded walk,
 * and behaviour of its controls.
 *
 *	snmp_device -d DIR [OPTION...] WALK...
 *
 * LINK: tests/agents/snmp/walk.c tests/agents/snmp/behaviour.c pkg:netsnmp-agent
 *
 * Serves the .snmprec files (a later one wins) by net-snmp's agent library until SIGTERM, without any
 * file of the system. DIR gets, before the first answer:
 *	port		UDP port, chosen by the kernel
 *	exchanges	number of requests so far
 *	log		"NAME set OID VALUE" for each SET obeyed, "NAME state OID VALUE" for what it changed
 * Options:
 *	-a ADDRESS	listen there (127.0.0.1; ::1 works)
 *	-b FILE		behaviour, see snmp/behaviour.h
 *	-l FILE		the log (DIR/log), for several devices in one
 *	-n NAME		in the log (device)
 *	-r ROW		one more OID|TYPE|VALUE, wins over the walk
 *	-f FAULT	may be repeated:
 *		ignore		acknowledge a SET and do nothing
 *		slow=MS		from a SET to its effect
 *		cycle=MS	a cycled outlet stays off that long (300)
 *		pending		begin to obey a SET and never finish
 *		refuse=NAME	answer a SET with noAccess, notWritable, genErr, resourceUnavailable ...
 *		minus		objects that show a state read -1
 *		late=MS		answer that much later
 *		drop-every=N	lose each Nth request
 *		restart-after=N	the agent restarts on receipt of request N + 1, which is lost: same port,
 *				engineBoots grows, outlets as they were
 *		die-after=N	the process ends on receipt of request N + 1
 *		v1-only		silent to anything but SNMPv1
 * Users of SNMPv3; each may read and write but for `reader`; authentication "authsecret", privacy
 * "privsecret":
 *	admin	SHA, AES	admin256  SHA-256, AES-256	reader	SHA, AES
 *	auth	SHA, no privacy	open	  neither		legacy	MD5, DES
 * Communities: public (read), private (read and write).
 */
#include "tests/agents/snmp/behaviour.h"
#include "tests/agents/snmp/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <net-snmp/agent/net-snmp-agent-includes.h>

enum { ROWS_MAX = 64 };

/* Stays the same over a restart, as that of a device does. */
#define ENGINE_ID "0x80001f8804686f6c6466617374"

static const struct {
	const char *dir, *address, *behaviour, *log, *name;
	const char *port; /* "0" at first; a restart takes the old one */
} defaults = { .address = "127.0.0.1", .name = "device", .port = "0" };

static struct {
	const char *dir, *address, *behaviour, *log, *name, *port;
	const char *rows[ROWS_MAX];
	size_t rows_count;
	struct faults faults;
	int minus, v1_only;
	long late_ms, drop_every, restart_after, die_after;
	long boots, exchanges;
} options;

static char **arguments;
static struct walk walk;
static struct behaviour *behaviour;
static FILE *log_file;
static int exchanges_fd;
static volatile sig_atomic_t ended;
static int (*transport_recv)(netsnmp_transport *, void *, int, void **, int *);
static netsnmp_transport *transport;

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static const char *in_dir(const char *name)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%s", options.dir, name);
	return path;
}

/* ---- options ---- */

static int refusal(const char *name)
{
	static const struct {
		const char *name;
		int code;
	} refusals[] = {
		{ "noAccess", SNMP_ERR_NOACCESS },
		{ "notWritable", SNMP_ERR_NOTWRITABLE },
		{ "genErr", SNMP_ERR_GENERR },
		{ "wrongValue", SNMP_ERR_WRONGVALUE },
		{ "resourceUnavailable", SNMP_ERR_RESOURCEUNAVAILABLE },
		{ "authorizationError", SNMP_ERR_AUTHORIZATIONERROR },
	};

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		if (strcmp(refusals[i].name, name) == 0)
			return refusals[i].code;
	}
	die("refuse=%s is not known", name);
}

static void fault_add(char *text)
{
	char *value = strchr(text, '=');
	long number;

	if (value)
		*value++ = '\0';
	number = value ? strtol(value, NULL, 10) : 0;
	if (strcmp(text, "ignore") == 0)
		options.faults.ignore = 1;
	else if (strcmp(text, "pending") == 0)
		options.faults.pending_forever = 1;
	else if (strcmp(text, "minus") == 0)
		options.minus = 1;
	else if (strcmp(text, "v1-only") == 0)
		options.v1_only = 1;
	else if (!value)
		die("fault %s is not known, or wants a value", text);
	else if (strcmp(text, "refuse") == 0)
		options.faults.refuse = refusal(value);
	else if (strcmp(text, "slow") == 0)
		options.faults.slow_ms = number;
	else if (strcmp(text, "cycle") == 0)
		options.faults.cycle_ms = number;
	else if (strcmp(text, "late") == 0)
		options.late_ms = number;
	else if (strcmp(text, "drop-every") == 0)
		options.drop_every = number;
	else if (strcmp(text, "restart-after") == 0)
		options.restart_after = number;
	else if (strcmp(text, "die-after") == 0)
		options.die_after = number;
	else
		die("fault %s is not known", text);
}

static void options_read(int argc, char **argv)
{
	int option;

	options.address = defaults.address;
	options.name = defaults.name;
	options.port = defaults.port;
	options.faults.cycle_ms = 300;
	/* -p, -B and -X: what a restarted device inherits (port, boots, exchanges). */
	while ((option = getopt(argc, argv, "a:b:d:f:l:n:r:p:B:X:")) != -1) {
		switch (option) {
		case 'a':
			options.address = optarg;
			break;
		case 'b':
			options.behaviour = optarg;
			break;
		case 'd':
			options.dir = optarg;
			break;
		case 'f': {
			char *copy = strdup(optarg);

			if (!copy)
				die("out of memory");
			fault_add(copy);
			free(copy);
			break;
		}
		case 'l':
			options.log = optarg;
			break;
		case 'n':
			options.name = optarg;
			break;
		case 'r':
			if (options.rows_count == ROWS_MAX)
				die("too many -r");
			options.rows[options.rows_count++] = optarg;
			break;
		case 'p':
			options.port = optarg;
			break;
		case 'B':
			options.boots = strtol(optarg, NULL, 10);
			break;
		case 'X':
			options.exchanges = strtol(optarg, NULL, 10);
			break;
		default:
			exit(2);
		}
	}
	if (!options.dir || optind == argc)
		die("usage: snmp_device -d DIR [OPTION...] WALK...");
}

/* ---- the objects ---- */

/* Answer for a name that has no row: is its column there, or nothing like it? (RFC 3416, 4.2.1) */
static int missing(const netsnmp_variable_list *var)
{
	return var->name_length && walk_has_under(&walk, var->name, var->name_length - 1)
		       ? SNMP_NOSUCHINSTANCE
		       : SNMP_NOSUCHOBJECT;
}

static void request_answer(netsnmp_agent_request_info *info, netsnmp_request_info *request)
{
	netsnmp_variable_list *var = request->requestvb;
	struct row *row;

	switch (info->mode) {
	case MODE_GET:
		row = walk_find(&walk, var->name, var->name_length);
		if (row)
			snmp_set_var_typed_value(var, row->type, row->value, row->bytes);
		else
			netsnmp_set_request_error(info, request, missing(var));
		break;
	case MODE_GETNEXT:
		row = walk_next(&walk, var->name, var->name_length);
		if (row) {
			snmp_set_var_objid(var, row->ids, row->ids_count);
			snmp_set_var_typed_value(var, row->type, row->value, row->bytes);
		}
		break;
	case MODE_SET_RESERVE1: {
		int error = behaviour_check(behaviour, var);

		if (error)
			netsnmp_set_request_error(info, request, error);
		break;
	}
	case MODE_SET_COMMIT:
		behaviour_set(behaviour, var, now_ms());
		break;
	default: /* the other phases of a SET have nothing to do */
		break;
	}
}

static int objects_handler(netsnmp_mib_handler *handler, netsnmp_handler_registration *registration,
			   netsnmp_agent_request_info *info, netsnmp_request_info *requests)
{
	(void)handler;
	(void)registration;
	behaviour_tick(behaviour, now_ms());
	for (netsnmp_request_info *request = requests; request; request = request->next) {
		if (!request->processed)
			request_answer(info, request);
	}
	return SNMP_ERR_NOERROR;
}

static void objects_load(char **files)
{
	for (; *files; files++)
		walk_load(&walk, *files);
	for (size_t i = 0; i < options.rows_count; i++)
		walk_put(&walk, options.rows[i], PUT_REPLACE, "-r");
	behaviour = behaviour_load(options.behaviour, &walk, &options.faults, log_file,
				   options.name);
	if (options.boots)
		walk_load(&walk, in_dir("state"));
	if (options.minus)
		behaviour_lose_states(behaviour);
}

/* ---- the network ---- */

static void exchanges_write(void)
{
	char text[32];
	int bytes = snprintf(text, sizeof(text), "%ld\n", options.exchanges);

	if (pwrite(exchanges_fd, text, (size_t)bytes, 0) != bytes)
		die("%s: %s", in_dir("exchanges"), strerror(errno));
}

/* Start this program again as the restarted device: its arguments without the restart, and what it
 * inherits. */
static void restart(void)
{
	char boots[32], exchanges[32], **next = NULL;
	size_t count = 0, total = 0;
	FILE *state = fopen(in_dir("state"), "we");

	if (!state)
		die("%s: %s", in_dir("state"), strerror(errno));
	behaviour_save(behaviour, state);
	fclose(state);
	while (arguments[total])
		total++;
	next = calloc(total + 8, sizeof(*next));
	if (!next)
		die("out of memory");
	snprintf(boots, sizeof(boots), "-B%ld", options.boots + 1);
	snprintf(exchanges, sizeof(exchanges), "-X%ld", options.exchanges);
	next[count++] = arguments[0];
	next[count++] = boots;
	next[count++] = exchanges;
	next[count++] = "-p";
	next[count++] = (char *)options.port;
	for (size_t i = 1; i < total; i++) {
		if (i + 1 < total && strcmp(arguments[i], "-f") == 0 &&
		    strncmp(arguments[i + 1], "restart-after=", 14) == 0)
			i++;
		else
			next[count++] = arguments[i];
	}
	close(transport->sock);
	execv("/proc/self/exe", next);
	die("exec: %s", strerror(errno));
}

/* In the place of the transport's receive function: counts, loses, delays. */
static int device_recv(netsnmp_transport *t, void *data, int room, void **opaque, int *opaque_bytes)
{
	int bytes = transport_recv(t, data, room, opaque, opaque_bytes);
	struct timespec late = { .tv_sec = options.late_ms / 1000,
				 .tv_nsec = options.late_ms % 1000 * 1000000 };
	int lose;

	if (bytes <= 0)
		return bytes;
	if (options.die_after && options.exchanges >= options.die_after)
		_exit(0);
	if (options.restart_after && options.exchanges >= options.restart_after)
		restart();
	options.exchanges++;
	exchanges_write();
	lose = options.drop_every && options.exchanges % options.drop_every == 0;
	/* SEQUENCE, its length, INTEGER 1, then the version (RFC 1157, 3416, 3412): 0 is v1. */
	if (options.v1_only) {
		const u_char *packet = data;
		int at = packet[1] & 0x80 ? 2 + (packet[1] & 0x7f) : 2;

		lose |= at + 2 >= bytes || packet[at + 2] != 0;
	}
	if (lose) {
		/* What came is not for the library: it sees an unreadable packet and lets go. */
		free(*opaque);
		*opaque = NULL;
		*opaque_bytes = 0;
		return -1;
	}
	if (options.late_ms)
		nanosleep(&late, NULL);
	return bytes;
}

static void port_write(void)
{
	static char port[8];
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = { 0 };
	socklen_t bytes = sizeof(address);
	char temporary[4096];
	FILE *file;

	if (getsockname(transport->sock, &address.any, &bytes))
		die("getsockname: %s", strerror(errno));
	snprintf(port, sizeof(port), "%u",
		 ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port
							 : address.v4.sin_port));
	options.port = port;
	snprintf(temporary, sizeof(temporary), "%s/port.new", options.dir);
	file = fopen(temporary, "we");
	if (!file || fprintf(file, "%s\n", port) < 0 || fclose(file) ||
	    rename(temporary, in_dir("port")))
		die("%s: %s", temporary, strerror(errno));
}

/* A line as of snmpd.conf, for init_snmp to read. */
static void config(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void config(const char *format, ...)
{
	char line[256];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	netsnmp_config_remember(line);
}

static void users_configure(void)
{
	static const char *const users[][4] = {
		/* name, authentication, privacy, level */
		{ "admin", "SHA", "AES", "priv" },
		{ "reader", "SHA", "AES", "priv" },
		{ "admin256", "SHA-256", "AES-256", "priv" },
		{ "auth", "SHA", "", "auth" },
		{ "legacy", "MD5", "DES", "priv" },
		{ "open", "", "", "noauth" },
	};

	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
		const char *const *user = users[i];

		config("createUser %s %s %s %s %s", user[0], user[1], *user[1] ? "authsecret" : "",
		       user[2], *user[2] ? "privsecret" : "");
		config("%s %s %s", strcmp(user[0], "reader") ? "rwuser" : "rouser", user[0],
		       user[3]);
	}
}

static void agent_start(void)
{
	static const oid root[] = { 1, 3 };
	netsnmp_handler_registration *registration;
	char address[128], folder[PATH_MAX];

	setenv("MIBS", "", 1);
	/* It takes a relative name for one under the root. */
	if (!realpath(options.dir, folder))
		die("%s: %s", options.dir, strerror(errno));
	setenv("SNMP_PERSISTENT_DIR", folder, 1);
	snmp_enable_stderrlog();
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_NO_ROOT_ACCESS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_APPLICATION_ID,
			       NETSNMP_DS_AGENT_DONT_LOG_TCPWRAPPERS_CONNECTS, 1);
	if (init_agent("snmp_device"))
		die("init_agent failed");
	registration = netsnmp_create_handler_registration("objects", objects_handler, root,
							   OID_LENGTH(root), HANDLER_CAN_RWRITE);
	if (!registration || netsnmp_register_handler(registration) != MIB_REGISTERED_OK)
		die("cannot register the objects");
	config("exactEngineID %s", ENGINE_ID);
	/* With another one than before it would begin to count anew. */
	config("oldEngineID %s", ENGINE_ID);
	/* Each start of a device counts one more (the library adds one itself). */
	config("engineBoots %ld", options.boots);
	config("rocommunity public");
	config("rwcommunity private");
	config("rocommunity6 public");
	config("rwcommunity6 private");
	users_configure();
	init_snmp("snmp_device");

	snprintf(address, sizeof(address),
		 strchr(options.address, ':') ? "udp6:[%s]:%s" : "udp:%s:%s", options.address,
		 options.port);
	transport = netsnmp_transport_open_server("snmp", address);
	if (!transport)
		die("cannot listen on %s", address);
	transport_recv = transport->f_recv;
	transport->f_recv = device_recv;
	if (netsnmp_register_agent_nsap(transport) < 0)
		die("cannot serve %s", address);
}

static void on_signal(int signal)
{
	(void)signal;
	ended = 1;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };

	arguments = argv;
	/* A restart would go by the name "exe". */
	prctl(PR_SET_NAME, "snmp_device");
	options_read(argc, argv);
	if (mkdir(options.dir, 0700) && errno != EEXIST)
		die("%s: %s", options.dir, strerror(errno));
	log_file = fopen(options.log ? options.log : in_dir("log"), "ae");
	exchanges_fd = open(in_dir("exchanges"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (!log_file || exchanges_fd < 0)
		die("%s: %s", options.dir, strerror(errno));
	setvbuf(log_file, NULL, _IOLBF, 0);
	exchanges_write();
	objects_load(argv + optind);
	agent_start();
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	port_write();
	while (!ended)
		agent_check_and_process(1);
	/* The library takes itself apart in the wrong order (5.9.3); what it holds goes with us. */
	behaviour_free(behaviour);
	walk_free(&walk);
	fclose(log_file);
	return 0;
}
