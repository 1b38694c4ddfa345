/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conform_metadata.h - the parameters and actions that an agent's metadata declares.
 *
 * Callers: the conformance kit, beside agent_metadata.h, which tells whether the shape holds. Here
 * is what the checks need in detail, read from whatever can be parsed.
 * Ownership: conform_metadata_clear() frees what conform_metadata_read() made.
 */
#ifndef HOLDFAST_CONFORM_METADATA_H
#define HOLDFAST_CONFORM_METADATA_H

#include <stddef.h>

struct conform_parameter {
	char *name;
	char *type;	   /* "boolean" ... */
	char *def;	   /* NULL when there is no default */
	char *long_option; /* "ip" of "-a, --ip=[ip]"; NULL when there is none */
	int required;
};

struct conform_metadata {
	char *name;	 /* resource-agent@name; "" when missing */
	char **symlinks; /* names of <symlink> */
	size_t symlinks_count;
	struct conform_parameter *parameters;
	size_t parameters_count;
	char **actions;
	size_t actions_count;
};

/* Returns 0, RC_PROTOCOL when it is no XML, or RC_INTERNAL. */
int conform_metadata_read(const char *xml, size_t bytes, struct conform_metadata *metadata);
void conform_metadata_clear(struct conform_metadata *metadata);

/* By its present or its old name (conform_option_name()); NULL when it is not declared. */
const struct conform_parameter *conform_parameter_find(const struct conform_metadata *metadata,
						       const char *name);
int conform_action_declared(const struct conform_metadata *metadata, const char *name);

#endif
