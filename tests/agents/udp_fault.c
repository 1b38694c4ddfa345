/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * udp_fault.c - a bad network between an agent and a simulated device, for the test suites.
 *
 *	udp_fault LISTEN-ADDRESS[,PORT] TARGET-ADDRESS TARGET-PORT [RULE...]
 *
 * Listens on a UDP port (a free one when none is named), prints its number on one line, and
 * passes datagrams on both ways
 * until it is killed (or for five minutes). A RULE is `to:NAME[=N]` for datagrams to the device
 * or `from:NAME[=N]` for its answers; every datagram of a direction has a number from 1 on:
 *	drop-every=N	lose each Nth		delay=MS	deliver that much later
 *	drop-first=N	lose numbers 1..N	duplicate	deliver twice
 *	drop-after=N	lose all beyond N	truncate=N	cut off the last N bytes
 *	drop-one=N	lose number N
 *	reorder		hold each odd one back until the next one has been delivered
 *	corrupt-every=N	flip one bit of each Nth, a different one each time
 *	garbage-every=N	replace each Nth with noise of the same length
 *	downgrade	(from) strike the algorithms from an RMCP+ Open Session Response
 *	forge-off	(from) before each answer within an RMCP+ session, deliver forged replies to
 *			Get Chassis Status without integrity code that say "power is off"
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS_MAX = 32, HELD_MAX = 256, BYTES_MAX = 1024, LIFE_SECONDS = 300 };

enum direction { TO, FROM };

struct rules {
	long drop_one, drop_every, drop_first, drop_after, delay_ms, truncate, corrupt_every,
		garbage_every;
	int duplicate, reorder, forge_off, downgrade;
	long count; /* datagrams so far */
};

struct client {
	struct sockaddr_storage address;
	socklen_t bytes;
	int device_fd; /* connected to the device, so that its answers find their client */
};

struct held {
	int64_t due_ms;
	struct client *client;
	size_t bytes;
	enum direction direction;
	int used;
	uint8_t data[BYTES_MAX];
};

static struct rules rules[2];
static struct client clients[CLIENTS_MAX];
static size_t clients_count;
static struct held held[HELD_MAX];
static struct held waiting[2]; /* one held back by reorder */
static struct addrinfo *target;
static int listen_fd;
static uint32_t noise = 1;

static void die(const char *what)
{
	fprintf(stderr, "udp_fault: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static uint32_t noise_next(void)
{
	noise ^= noise << 13;
	noise ^= noise >> 17;
	noise ^= noise << 5;
	return noise;
}

static void deliver(enum direction direction, struct client *client, const uint8_t *data,
		    size_t bytes)
{
	/* A refused datagram is one more fault of the network. */
	if (direction == TO)
		(void)!send(client->device_fd, data, bytes, MSG_DONTWAIT);
	else
		(void)!sendto(listen_fd, data, bytes, MSG_DONTWAIT, (void *)&client->address,
			      client->bytes);
}

static void hold(enum direction direction, struct client *client, const uint8_t *data, size_t bytes,
		 long delay_ms)
{
	for (size_t i = 0; i < HELD_MAX; i++) {
		if (held[i].used)
			continue;
		held[i].used = 1;
		held[i].due_ms = now_ms() + delay_ms;
		held[i].direction = direction;
		held[i].client = client;
		held[i].bytes = bytes;
		memcpy(held[i].data, data, bytes);
		return;
	}
}

static uint8_t checksum(const uint8_t *data, size_t bytes)
{
	unsigned sum = 0;

	while (bytes--)
		sum += *data++;
	return (uint8_t)-sum;
}

/* Replies to Get Chassis Status in the clear, for every number the request may have. */
static void forge_off(struct client *client, const uint8_t *answer, size_t bytes)
{
	uint8_t forged[16 + 11] = { 6, 0, 0xff, 7, 6, 0x00 };
	uint8_t *msg = forged + 16;

	if (bytes < 16 || answer[4] != 6 || !(answer[5] & 0x40))
		return;
	memcpy(forged + 6, answer + 6, 4); /* session */
	forged[10] = 1;
	forged[14] = 11;
	for (unsigned seq = 0; seq < 64; seq++) {
		msg[0] = 0x81;
		msg[1] = 0x01 << 2;
		msg[2] = checksum(msg, 2);
		msg[3] = 0x20;
		msg[4] = (uint8_t)(seq << 2);
		msg[5] = 0x01;
		memset(msg + 6, 0, 4); /* completed; power off */
		msg[10] = checksum(msg + 3, 7);
		deliver(FROM, client, forged, sizeof forged);
	}
}

static int is_nth(long count, long every)
{
	return every > 0 && count % every == 0;
}

static void pass(enum direction direction, struct client *client, uint8_t *data, size_t bytes)
{
	struct rules *r = &rules[direction];
	struct held *back = &waiting[direction];
	long count = ++r->count;

	if (r->forge_off)
		forge_off(client, data, bytes);
	if (r->downgrade && bytes >= 16 + 36 && data[4] == 6 && data[5] == 0x11)
		data[16 + 16] = data[16 + 24] = data[16 + 32] = 0;
	if (count == r->drop_one || is_nth(count, r->drop_every) || count <= r->drop_first ||
	    (r->drop_after > 0 && count > r->drop_after))
		return;
	if (is_nth(count, r->corrupt_every) && bytes) {
		uint32_t bit = noise_next() % (uint32_t)(bytes * 8);

		data[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	if (is_nth(count, r->garbage_every))
		for (size_t i = 0; i < bytes; i++)
			data[i] = (uint8_t)noise_next();
	if (r->truncate > 0)
		bytes = bytes > (size_t)r->truncate ? bytes - (size_t)r->truncate : 0;
	if (r->reorder && count % 2) {
		*back = (struct held){ .used = 1, .client = client, .bytes = bytes };
		memcpy(back->data, data, bytes);
		return;
	}
	for (int i = 0; i <= r->duplicate; i++) {
		if (r->delay_ms)
			hold(direction, client, data, bytes, r->delay_ms);
		else
			deliver(direction, client, data, bytes);
	}
	if (back->used) {
		back->used = 0;
		deliver(direction, back->client, back->data, back->bytes);
	}
}

static struct client *client_find(const struct sockaddr_storage *address, socklen_t bytes)
{
	struct client *client;

	for (size_t i = 0; i < clients_count; i++)
		if (clients[i].bytes == bytes && memcmp(&clients[i].address, address, bytes) == 0)
			return &clients[i];
	/* The oldest place is taken again: an agent that is done does not say so. */
	client = &clients[clients_count < CLIENTS_MAX ? clients_count++ : 0];
	if (client->bytes)
		close(client->device_fd);
	memcpy(&client->address, address, bytes);
	client->bytes = bytes;
	client->device_fd = socket(target->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (client->device_fd < 0 ||
	    connect(client->device_fd, target->ai_addr, target->ai_addrlen) < 0)
		die("device");
	return client;
}

static void rule_read(const char *text)
{
	static const struct {
		const char *name;
		size_t offset;
	} numbers[] = {
		{ "drop-one", offsetof(struct rules, drop_one) },
		{ "drop-every", offsetof(struct rules, drop_every) },
		{ "drop-first", offsetof(struct rules, drop_first) },
		{ "drop-after", offsetof(struct rules, drop_after) },
		{ "delay", offsetof(struct rules, delay_ms) },
		{ "truncate", offsetof(struct rules, truncate) },
		{ "corrupt-every", offsetof(struct rules, corrupt_every) },
		{ "garbage-every", offsetof(struct rules, garbage_every) },
	};
	struct rules *r = NULL;
	const char *name = strchr(text, ':'), *value = strchr(text, '=');

	if (name && name - text == 2 && strncmp(text, "to", 2) == 0)
		r = &rules[TO];
	else if (name && name - text == 4 && strncmp(text, "from", 4) == 0)
		r = &rules[FROM];
	for (size_t i = 0; r && value && i < sizeof numbers / sizeof numbers[0]; i++) {
		size_t length = strlen(numbers[i].name);

		if ((size_t)(value - name - 1) == length &&
		    strncmp(name + 1, numbers[i].name, length) == 0) {
			*(long *)(void *)((char *)r + numbers[i].offset) = strtol(value + 1, NULL,
										  10);
			return;
		}
	}
	if (r && strcmp(name, ":duplicate") == 0)
		r->duplicate = 1;
	else if (r && strcmp(name, ":reorder") == 0)
		r->reorder = 1;
	else if (r && strcmp(name, ":downgrade") == 0)
		r->downgrade = 1;
	else if (r && strcmp(name, ":forge-off") == 0)
		r->forge_off = 1;
	else {
		fprintf(stderr, "udp_fault: unknown rule %s\n", text);
		exit(2);
	}
}

static int64_t held_deliver(void)
{
	int64_t next_ms = 1000, now = now_ms();

	for (size_t i = 0; i < HELD_MAX; i++) {
		if (!held[i].used)
			continue;
		if (held[i].due_ms <= now) {
			held[i].used = 0;
			deliver(held[i].direction, held[i].client, held[i].data, held[i].bytes);
		} else if (held[i].due_ms - now < next_ms) {
			next_ms = held[i].due_ms - now;
		}
	}
	return next_ms;
}

static void turn(void)
{
	struct pollfd fds[1 + CLIENTS_MAX] = { { .fd = listen_fd, .events = POLLIN } };
	size_t count = clients_count;
	uint8_t data[BYTES_MAX];
	ssize_t bytes;

	for (size_t i = 0; i < count; i++)
		fds[1 + i] = (struct pollfd){ .fd = clients[i].device_fd, .events = POLLIN };
	if (poll(fds, 1 + count, (int)held_deliver()) <= 0)
		return;
	for (size_t i = 0; i < count; i++) {
		if (!fds[1 + i].revents)
			continue;
		bytes = recv(clients[i].device_fd, data, sizeof data, MSG_DONTWAIT);
		if (bytes >= 0)
			pass(FROM, &clients[i], data, (size_t)bytes);
	}
	if (fds[0].revents) {
		struct sockaddr_storage from;
		socklen_t from_bytes = sizeof from;

		memset(&from, 0, sizeof from);
		bytes = recvfrom(listen_fd, data, sizeof data, MSG_DONTWAIT, (void *)&from,
				 &from_bytes);
		if (bytes >= 0)
			pass(TO, client_find(&from, from_bytes), data, (size_t)bytes);
	}
}

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST };
	struct addrinfo *local;
	struct sockaddr_storage bound = { 0 };
	socklen_t bound_bytes = sizeof bound;
	int64_t end_ms = now_ms() + LIFE_SECONDS * 1000;
	char *port, name[16];

	if (argc < 4) {
		fputs("usage: udp_fault LISTEN-ADDRESS[,PORT] TARGET-ADDRESS TARGET-PORT "
		      "[RULE...]\n",
		      stderr);
		return 2;
	}
	for (int i = 4; i < argc; i++)
		rule_read(argv[i]);
	port = strchr(argv[1], ',');
	if (port)
		*port++ = '\0';
	if (getaddrinfo(argv[1], port ? port : "0", &hints, &local) ||
	    getaddrinfo(argv[2], argv[3], &hints, &target))
		die("address");
	listen_fd = socket(local->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (listen_fd < 0 || bind(listen_fd, local->ai_addr, local->ai_addrlen) < 0 ||
	    getsockname(listen_fd, (void *)&bound, &bound_bytes) < 0 ||
	    getnameinfo((void *)&bound, bound_bytes, NULL, 0, name, sizeof name, NI_NUMERICSERV))
		die("listen");
	printf("%s\n", name);
	fflush(stdout);
	freeaddrinfo(local);
	while (now_ms() < end_ms)
		turn();
	freeaddrinfo(target);
	return 0;
}
