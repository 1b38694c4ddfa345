/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * agent_options.c - see agent_options.h.
 */
#include "fence-agents/fencer/agent_options.h"

#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "base/text.h"

static int option_is_known(const struct agent_info *info, const char *key)
{
	/* Holdfast itself takes lists of plugs apart by it. */
	if (fence_key_equal(key, "plug_separator"))
		return 1;
	for (size_t i = 0; i < info->parameters_count; i++)
		if (fence_key_equal(info->parameters[i], key))
			return 1;
	return 0;
}

void agent_options_check(const struct fence_conf *conf, size_t device,
			 const struct agent_info *info, void (*warn)(void *arg, const char *text),
			 void *arg)
{
	const struct fence_device *d = &conf->devices[device];

	for (size_t i = 0; info->valid && i < d->options_count; i++) {
		const struct fence_kv *option = &d->options[i];
		char raw[512], text[512];
		long near;

		if (option_is_known(info, option->key))
			continue;
		near = nearest_find(option->key, (const char *const *)info->parameters,
				    info->parameters_count);
		snprintf(raw, sizeof raw, "%s:%u: %s has no option %s%s%s%s", conf->path,
			 option->line, info->name, option->key, near >= 0 ? "; " : "",
			 near >= 0 ? info->parameters[near] : "", near >= 0 ? "?" : "");
		text_clean(text, sizeof text, raw, strlen(raw));
		warn(arg, text);
	}
}
