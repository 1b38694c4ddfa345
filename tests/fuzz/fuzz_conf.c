/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fuzz_conf.c - the cluster file: the lexer's words must print and read back the same, and the
 * fence section must keep the promises of fence_conf.h or complain with a place in the file.
 *
 * LINK: fencer host base
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "fence-agents/fencer/fence_conf.h"
#include "fence-agents/fencer/fence_conf_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Twice a line, each byte escaped, with its quotes. */
enum { PRINTED_MAX = 4 * CONF_LINE_MAX };

static void check_setting(const struct conf_reader *reader)
{
	static struct conf_reader again;
	static char line[PRINTED_MAX];
	struct conf_fault fault;
	size_t used;

	assert(reader->words_count >= 2);
	used = (size_t)snprintf(line, sizeof line, "%s", conf_word(reader, 0));
	for (size_t i = 1; i < reader->words_count; i++) {
		long length;

		line[used++] = ' ';
		length = conf_quote(conf_word(reader, i), line + used, sizeof line - used);
		assert(length >= 0);
		assert(strlen(conf_word(reader, i)) == reader->words[i].length);
		assert(conf_column(reader, i) > conf_column(reader, i - 1));
		used += (size_t)length;
		assert(used < sizeof line);
	}
	/* Escapes may have made it longer than a line may be. */
	if (used > CONF_LINE_MAX)
		return;
	conf_reader_init(&again, line, used);
	assert(conf_next(&again, &fault) == 1);
	assert(again.words_count == reader->words_count);
	for (size_t i = 0; i < reader->words_count; i++)
		assert(strcmp(conf_word(&again, i), conf_word(reader, i)) == 0);
}

static void check_lexer(const char *data, size_t size)
{
	static struct conf_reader reader;
	struct conf_fault fault;
	int rc;

	conf_reader_init(&reader, data, size);
	while ((rc = conf_next(&reader, &fault)) != 0) {
		if (rc > 0) {
			check_setting(&reader);
			continue;
		}
		assert(rc == RC_CONFIG);
		assert(fault.line >= 1 && fault.column >= 1 && fault.column <= CONF_LINE_MAX + 1);
		assert(strlen(fault.word) < sizeof fault.word);
		assert(fault.problem[0] && fault.expected[0]);
	}
}

static void check_conf(const struct fence_conf *conf)
{
	for (size_t i = 0; i < conf->devices_count; i++) {
		assert(conf->devices[i].agent && conf->devices[i].parallel >= 1);
		assert(fence_conf_device(conf, conf->devices[i].name) == (long)i);
		for (size_t j = 0; j < conf->devices[i].options_count; j++)
			assert(!strchr(conf->devices[i].options[j].value, '\n'));
	}
	for (size_t i = 0; i < conf->targets_count; i++) {
		const struct fence_target *target = &conf->targets[i];

		assert(target->legs_count >= 1);
		assert(fence_conf_target(conf, target->name) == (long)i);
		for (size_t j = 0; j < target->legs_count; j++) {
			const struct fence_leg *leg = &target->legs[j];

			assert(leg->device < conf->devices_count);
			assert(leg->level >= 1 && leg->level <= FENCE_LEVEL_MAX);
			assert(j == 0 || leg->level >= target->legs[j - 1].level);
			assert(!leg->plugs || leg->plugs[0]);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fence_conf_secret secret;
	struct fence_conf *conf;
	struct err err = { 0 };
	char *end;

	check_lexer((const char *)data, size);
	if (fence_conf_parse("f", (const char *)data, size, &conf, &secret, &err) == 0) {
		check_conf(conf);
		fence_conf_free(conf);
	} else {
		assert(!conf && err.rc == RC_CONFIG);
		assert(strncmp(err.text, "f:", 2) == 0);
		assert(strtoul(err.text + 2, &end, 10) >= 1 && *end == ':');
		assert(strtoul(end + 1, &end, 10) >= 1 && strncmp(end, ": ", 2) == 0);
	}
	return 0;
}
