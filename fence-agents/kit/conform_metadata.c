/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conform_metadata.c - see conform_metadata.h. Nothing is fetched and no entity is expanded.
 */
#include "fence-agents/kit/conform_metadata.h"

#include <libxml/parser.h>
#include <stdlib.h>
#include <string.h>

#include "base/rc.h"
#include "fence-agents/kit/conform_core.h"

static int is_element(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

static xmlNode *child_named(xmlNode *node, const char *name)
{
	for (xmlNode *child = node->children; child; child = child->next)
		if (is_element(child, name))
			return child;
	return NULL;
}

static char *attr_copy(xmlNode *node, const char *name)
{
	xmlChar *value = xmlGetNoNsProp(node, (const xmlChar *)name);
	char *copy = value ? strdup((const char *)value) : NULL;

	xmlFree(value);
	return copy;
}

/* Grow an array by one zeroed element; NULL when memory ran out. */
static void *array_add(void **array, size_t *count, size_t each)
{
	char *grown = realloc(*array, (*count + 1) * each);

	if (!grown)
		return NULL;
	*array = grown;
	memset(grown + *count * each, 0, each);
	return grown + (*count)++ * each;
}

static int name_add(char ***names, size_t *count, xmlNode *node)
{
	char *name = attr_copy(node, "name"), **slot;

	if (!name)
		return 0;
	slot = array_add((void **)names, count, sizeof **names);
	if (!slot) {
		free(name);
		return RC_INTERNAL;
	}
	*slot = name;
	return 0;
}

static int parameter_add(struct conform_metadata *metadata, xmlNode *node)
{
	xmlNode *getopt = child_named(node, "getopt"), *content = child_named(node, "content");
	struct conform_parameter *p = array_add((void **)&metadata->parameters,
						&metadata->parameters_count, sizeof *p);
	char *required, *mixed, option[64];

	if (!p)
		return RC_INTERNAL;
	p->name = attr_copy(node, "name");
	if (!p->name)
		p->name = strdup("");
	p->type = content ? attr_copy(content, "type") : NULL;
	p->def = content ? attr_copy(content, "default") : NULL;
	required = attr_copy(node, "required");
	p->required = required && strcmp(required, "1") == 0;
	free(required);
	mixed = getopt ? attr_copy(getopt, "mixed") : NULL;
	if (mixed && conform_long_option(mixed, option, sizeof option))
		p->long_option = strdup(option);
	free(mixed);
	if (!p->type)
		p->type = strdup("");
	return p->name && p->type ? 0 : RC_INTERNAL;
}

static int root_read(struct conform_metadata *metadata, xmlNode *root)
{
	xmlNode *parameters = child_named(root, "parameters"),
		*actions = child_named(root, "actions");
	int rc = 0;

	metadata->name = attr_copy(root, "name");
	for (xmlNode *node = root->children; node && rc == 0; node = node->next)
		if (is_element(node, "symlink"))
			rc = name_add(&metadata->symlinks, &metadata->symlinks_count, node);
	for (xmlNode *node = parameters ? parameters->children : NULL; node && rc == 0;
	     node = node->next)
		if (is_element(node, "parameter"))
			rc = parameter_add(metadata, node);
	for (xmlNode *node = actions ? actions->children : NULL; node && rc == 0; node = node->next)
		if (is_element(node, "action"))
			rc = name_add(&metadata->actions, &metadata->actions_count, node);
	return rc;
}

int conform_metadata_read(const char *xml, size_t bytes, struct conform_metadata *metadata)
{
	xmlParserCtxt *parser = bytes <= 1 << 24 ? xmlNewParserCtxt() : NULL;
	xmlDoc *doc;
	xmlNode *root;
	int rc = RC_PROTOCOL;

	memset(metadata, 0, sizeof *metadata);
	if (!parser)
		return RC_INTERNAL;
	doc = xmlCtxtReadMemory(parser, xml, (int)bytes, "metadata", NULL,
				XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	root = doc ? xmlDocGetRootElement(doc) : NULL;
	if (root)
		rc = root_read(metadata, root);
	xmlFreeDoc(doc);
	xmlFreeParserCtxt(parser);
	if (!metadata->name)
		metadata->name = strdup("");
	return metadata->name ? rc : RC_INTERNAL;
}

void conform_metadata_clear(struct conform_metadata *metadata)
{
	for (size_t i = 0; i < metadata->parameters_count; i++) {
		free(metadata->parameters[i].name);
		free(metadata->parameters[i].type);
		free(metadata->parameters[i].def);
		free(metadata->parameters[i].long_option);
	}
	for (size_t i = 0; i < metadata->actions_count; i++)
		free(metadata->actions[i]);
	for (size_t i = 0; i < metadata->symlinks_count; i++)
		free(metadata->symlinks[i]);
	free(metadata->parameters);
	free(metadata->actions);
	free(metadata->symlinks);
	free(metadata->name);
	memset(metadata, 0, sizeof *metadata);
}

const struct conform_parameter *conform_parameter_find(const struct conform_metadata *metadata,
						       const char *name)
{
	char wanted[64], own[64];

	conform_option_name(name, wanted, sizeof wanted);
	for (size_t i = 0; i < metadata->parameters_count; i++) {
		conform_option_name(metadata->parameters[i].name, own, sizeof own);
		if (strcmp(own, wanted) == 0)
			return &metadata->parameters[i];
	}
	return NULL;
}

int conform_action_declared(const struct conform_metadata *metadata, const char *name)
{
	for (size_t i = 0; i < metadata->actions_count; i++)
		if (strcasecmp(metadata->actions[i], name) == 0)
			return 1;
	return 0;
}
