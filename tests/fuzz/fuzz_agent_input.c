/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fuzz_agent_input.c - what Pacemaker or a human may write to an agent's stdin.
 *
 * Beside surviving: an accepted value fits its type.
 *
 * LINK: sdk
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fence-agents/sdk/agent_internal.h"

static const char *const sides[] = { "left", "right", NULL };

static const struct fence_option options[] = {
	FENCE_STD("ip"),
	FENCE_STD("ipport", .def = "623"),
	FENCE_STD("username"),
	FENCE_STD("password"),
	{ .name = "side", .type = FENCE_OPT_SELECT, .choices = sides, .desc = "A choice" },
	{ 0 },
};

static const struct fence_agent agent = {
	.abi = FENCE_AGENT_ABI,
	.name = "fuzz",
	.flags = FENCE_AGENT_PLUGS,
	.shortdesc = "",
	.longdesc = "",
	.options = options,
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The warnings go nowhere; libFuzzer and the sanitizers write to descriptor 2 themselves. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	stderr = fopen("/dev/null", "w");
	return stderr ? 0 : -1;
}

static void check_values(const struct fence_ctx *ctx)
{
	int64_t port = fence_opt_int(ctx, "ipport");
	const char *side = fence_opt(ctx, "side");

	assert(port >= 1 && port <= 65535);
	assert(fence_opt_ms(ctx, "power_timeout") >= 0);
	assert(!side || strcasecmp(side, "left") == 0 || strcasecmp(side, "right") == 0);
	assert(fence_opt_bool(ctx, "json") == 0 || fence_opt_bool(ctx, "json") == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fence_ctx *ctx = calloc(1, sizeof *ctx);
	char *text = malloc(size + 1);

	if (!ctx || !text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	ctx->agent = &agent;
	ctx->name = agent.name;
	agent_options_init(ctx);
	agent_input_lines(ctx, text, size);
	if (ctx->err.rc == 0)
		check_values(ctx);
	agent_options_free(ctx);
	free(ctx->nodename);
	free(ctx);
	free(text);
	return 0;
}
