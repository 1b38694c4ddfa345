/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * agent_metadata.c - reading and checking an agent's metadata; see agent_metadata.h.
 *
 * The shape is that of metadata.rng (resource-agents), where the order of elements is strict. It is
 * written down below as tables, one per element: attributes, then children in order.
 */
#include "fence-agents/fencer/agent_metadata.h"

#include <libxml/parser.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

enum attr_kind { ATTR_ANY, ATTR_WORD, ATTR_01, ATTR_TYPE };
enum child_count { ONE, ANY, SOME };

struct attr_rule {
	const char *name;
	enum attr_kind kind;
	int required;
};

struct element_rule;

struct child_rule {
	const struct element_rule *element;
	enum child_count count;
};

struct element_rule {
	const char *name;
	int has_text;
	struct attr_rule attrs[6];
	struct child_rule children[6];
};

static const struct element_rule rule_symlink = {
	"symlink",
	0,
	{ { "name", ATTR_ANY, 1 }, { "shortdesc", ATTR_ANY, 1 } },
	{ { 0 } },
};
static const struct element_rule rule_longdesc = { "longdesc", 1, { { 0 } }, { { 0 } } };
static const struct element_rule rule_vendor = { "vendor-url", 1, { { 0 } }, { { 0 } } };
static const struct element_rule rule_shortdesc = {
	"shortdesc",
	1,
	{ { "lang", ATTR_ANY, 1 } },
	{ { 0 } },
};
static const struct element_rule rule_getopt = {
	"getopt",
	0,
	{ { "mixed", ATTR_ANY, 1 } },
	{ { 0 } },
};
static const struct element_rule rule_option = {
	"option",
	0,
	{ { "value", ATTR_ANY, 1 } },
	{ { 0 } },
};
static const struct element_rule rule_content = {
	"content",
	0,
	{ { "type", ATTR_TYPE, 1 }, { "default", ATTR_ANY, 0 } },
	{ { &rule_option, ANY } },
};
static const struct element_rule rule_parameter = {
	"parameter",
	0,
	{
		{ "name", ATTR_WORD, 1 },
		{ "unique", ATTR_01, 1 },
		{ "required", ATTR_01, 1 },
		{ "deprecated", ATTR_01, 0 },
		{ "obsoletes", ATTR_ANY, 0 },
	},
	{ { &rule_getopt, ONE }, { &rule_content, ONE }, { &rule_shortdesc, SOME } },
};
static const struct element_rule rule_parameters = {
	"parameters",
	0,
	{ { 0 } },
	{ { &rule_parameter, SOME } },
};
static const struct element_rule rule_action = {
	"action",
	0,
	{ { "name", ATTR_WORD, 1 }, { "on_target", ATTR_01, 0 }, { "automatic", ATTR_01, 0 } },
	{ { 0 } },
};
static const struct element_rule rule_actions = {
	"actions",
	0,
	{ { 0 } },
	{ { &rule_action, SOME } },
};
static const struct element_rule rule_agent = {
	"resource-agent",
	0,
	{ { "name", ATTR_WORD, 1 }, { "shortdesc", ATTR_ANY, 1 } },
	{
		{ &rule_symlink, ANY },
		{ &rule_longdesc, ONE },
		{ &rule_vendor, ONE },
		{ &rule_parameters, ONE },
		{ &rule_actions, ONE },
	},
};

/* ---- small helpers over libxml2 ---- */

static char *problem_set(struct agent_info *info, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The first problem is the one to tell. */
static char *problem_set(struct agent_info *info, const char *fmt, ...)
{
	char raw[512], clean[512];
	va_list ap;

	if (info->problem)
		return info->problem;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof raw, fmt, ap);
	va_end(ap);
	text_clean(clean, sizeof clean, raw, strlen(raw));
	info->problem = strdup(clean);
	return info->problem;
}

static const char *node_name(const xmlNode *node)
{
	return (const char *)node->name;
}

/* Value of an attribute, "" when it is not there. The caller frees it; NULL: out of memory. */
static char *attr_text(xmlNode *node, const char *name)
{
	xmlChar *value = xmlGetNoNsProp(node, (const xmlChar *)name);
	char *copy = strdup(value ? (const char *)value : "");

	xmlFree(value);
	return copy;
}

static int attr_is(xmlNode *node, const char *name, const char *wanted)
{
	xmlChar *value = xmlGetNoNsProp(node, (const xmlChar *)name);
	int is = value && strcasecmp((const char *)value, wanted) == 0;

	xmlFree(value);
	return is;
}

static xmlNode *next_element(xmlNode *node)
{
	while (node && node->type != XML_ELEMENT_NODE)
		node = node->next;
	return node;
}

static xmlNode *child_named(xmlNode *node, const char *name)
{
	xmlNode *child = next_element(node->children);

	while (child && strcmp(node_name(child), name) != 0)
		child = next_element(child->next);
	return child;
}

/* ---- the shape ---- */

static int type_is_known(const char *type)
{
	static const char *const types[] = { "boolean", "string", "second", "integer", "select" };

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (strcmp(type, types[i]) == 0)
			return 1;
	return 0;
}

static void attr_check(struct agent_info *info, xmlNode *node, const struct attr_rule *rule)
{
	long line = xmlGetLineNo(node);
	char *value;

	if (!xmlHasProp(node, (const xmlChar *)rule->name)) {
		if (rule->required)
			problem_set(info, "line %ld: <%s> has no %s=", line, node_name(node),
				    rule->name);
		return;
	}
	value = attr_text(node, rule->name);
	if (!value)
		return;
	if (rule->kind == ATTR_WORD && value[0] == '\0')
		problem_set(info, "line %ld: <%s> has an empty %s=", line, node_name(node),
			    rule->name);
	else if (rule->kind == ATTR_01 && strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
		problem_set(info, "line %ld: <%s %s=\"%.40s\"> must be 0 or 1", line,
			    node_name(node), rule->name, value);
	else if (rule->kind == ATTR_TYPE && !type_is_known(value))
		problem_set(info, "line %ld: <%s> has the unknown type \"%.40s\"", line,
			    node_name(node), value);
	free(value);
}

static void attrs_check(struct agent_info *info, xmlNode *node, const struct element_rule *rule)
{
	for (const struct attr_rule *r = rule->attrs; r->name; r++)
		attr_check(info, node, r);
	for (xmlAttr *attr = node->properties; attr; attr = attr->next) {
		const struct attr_rule *r = rule->attrs;

		while (r->name && strcmp(r->name, (const char *)attr->name) != 0)
			r++;
		if (!r->name)
			problem_set(info, "line %ld: <%s> has the unknown attribute %.60s",
				    xmlGetLineNo(node), rule->name, (const char *)attr->name);
	}
}

static void text_check(struct agent_info *info, xmlNode *node, const struct element_rule *rule)
{
	for (xmlNode *child = node->children; child; child = child->next)
		if ((child->type == XML_TEXT_NODE || child->type == XML_CDATA_SECTION_NODE) &&
		    !rule->has_text && !xmlIsBlankNode(child))
			problem_set(info, "line %ld: text inside <%s>", xmlGetLineNo(node),
				    rule->name);
}

static void element_check(struct agent_info *info, xmlNode *node, const struct element_rule *rule)
{
	xmlNode *child = next_element(node->children);

	attrs_check(info, node, rule);
	text_check(info, node, rule);
	for (const struct child_rule *r = rule->children; r->element; r++) {
		size_t count = 0;

		while (child && strcmp(node_name(child), r->element->name) == 0 &&
		       (r->count != ONE || count == 0)) {
			element_check(info, child, r->element);
			child = next_element(child->next);
			count++;
		}
		if (count > 0 || r->count == ANY)
			continue;
		if (child)
			problem_set(info, "line %ld: <%.60s> where <%s> was expected",
				    xmlGetLineNo(child), node_name(child), r->element->name);
		else
			problem_set(info, "line %ld: <%s> lacks <%s>", xmlGetLineNo(node),
				    rule->name, r->element->name);
	}
	if (child)
		problem_set(info, "line %ld: <%.60s> does not belong into <%s> here",
			    xmlGetLineNo(child), node_name(child), rule->name);
	/* Only a select has options. */
	if (rule == &rule_content && child_named(node, "option") &&
	    !attr_is(node, "type", "select"))
		problem_set(info, "line %ld: <option> in a <content> that is not a select",
			    xmlGetLineNo(node));
}

/* ---- the meaning ---- */

static void actions_read(struct agent_info *info, xmlNode *root)
{
	xmlNode *actions = child_named(root, "actions");
	const struct {
		const char *name;
		int *flag;
	} known[] = {
		{ "off", &info->has_off },	 { "on", &info->has_on },
		{ "reboot", &info->has_reboot }, { "status", &info->has_status },
		{ "list", &info->has_list },	 { "probe", &info->has_probe },
	};

	for (xmlNode *a = actions ? next_element(actions->children) : NULL; a;
	     a = next_element(a->next))
		for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
			if (attr_is(a, "name", known[i].name))
				*known[i].flag = 1;
}

/* Takes the name over. */
static void parameter_add(struct agent_info *info, char *name)
{
	char **grown = reallocarray(info->parameters, info->parameters_count + 1, sizeof *grown);

	if (grown)
		info->parameters = grown;
	if (grown && name && name[0])
		grown[info->parameters_count++] = name;
	else
		free(name);
}

/* `option` is what `action` was called long ago. */
static void parameters_read(struct agent_info *info, xmlNode *root)
{
	xmlNode *parameters = child_named(root, "parameters");
	int takes_action = 0;

	for (xmlNode *p = parameters ? next_element(parameters->children) : NULL; p;
	     p = next_element(p->next)) {
		parameter_add(info, attr_text(p, "name"));
		parameter_add(info, attr_text(p, "obsoletes"));
		if (attr_is(p, "name", "plug") || attr_is(p, "name", "port"))
			info->takes_plug = 1;
		if (attr_is(p, "name", "action") || attr_is(p, "name", "option"))
			takes_action = 1;
	}
	if (!takes_action)
		problem_set(info, "there is no parameter action");
}

/* One pseudo-attribute of the processing instruction: name="value". */
static int instruction_get(const char *text, const char *name, char *value, size_t size)
{
	size_t length = strlen(name);

	for (const char *at = strstr(text, name); at; at = strstr(at + 1, name)) {
		const char *end;

		if ((at != text && at[-1] != ' ') || strncmp(at + length, "=\"", 2) != 0)
			continue;
		at += length + 2;
		end = strchr(at, '"');
		if (!end || (size_t)(end - at) >= size)
			return 0;
		memcpy(value, at, (size_t)(end - at));
		value[end - at] = '\0';
		return 1;
	}
	return 0;
}

static void instruction_read(struct agent_info *info, xmlNode *first)
{
	char value[64];

	for (xmlNode *node = first; node; node = node->next) {
		const char *text = (const char *)node->content;

		if (node->type != XML_PI_NODE || strcmp(node_name(node), "holdfast") != 0 || !text)
			continue;
		if (instruction_get(text, "json", value, sizeof value))
			info->native = strcmp(value, "1") == 0;
		if (instruction_get(text, "probe", value, sizeof value) && strcmp(value, "1") == 0)
			info->has_probe = 1;
		if (instruction_get(text, "class", value, sizeof value) && value[0] &&
		    !info->device_class)
			info->device_class = strdup(value);
	}
}

static void document_read(struct agent_info *info, xmlDoc *doc)
{
	xmlNode *root = xmlDocGetRootElement(doc);

	if (doc->intSubset || !root) {
		problem_set(info, root ? "has a document type" : "has no root element");
		return;
	}
	if (strcmp(node_name(root), rule_agent.name) != 0) {
		problem_set(info, "the root element is <%.60s>, not <resource-agent>",
			    node_name(root));
		return;
	}
	info->shortdesc = attr_text(root, "shortdesc");
	instruction_read(info, doc->children);
	instruction_read(info, root->children);
	actions_read(info, root);
	element_check(info, root, &rule_agent);
	parameters_read(info, root);
}

static void clean_in_place(char *text)
{
	text_clean(text, strlen(text) + 1, text, strlen(text));
}

int agent_metadata_read(const char *xml, size_t bytes, struct agent_info *info)
{
	xmlParserCtxt *parser = bytes <= 1 << 24 ? xmlNewParserCtxt() : NULL;
	xmlDoc *doc = NULL;

	if (!parser)
		return RC_INTERNAL;
	if (bytes > 0)
		doc = xmlCtxtReadMemory(parser, xml, (int)bytes, "metadata", NULL,
					XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (bytes == 0)
		problem_set(info, "prints nothing for metadata");
	else if (!doc)
		problem_set(info, "line %d: not well-formed XML: %s", parser->lastError.line,
			    parser->lastError.message ? parser->lastError.message : "?");
	else
		document_read(info, doc);
	xmlFreeDoc(doc);
	xmlFreeParserCtxt(parser);

	info->valid = info->problem == NULL;
	if (!info->problem)
		info->problem = strdup("");
	if (!info->device_class)
		info->device_class = strdup("-");
	if (!info->shortdesc)
		info->shortdesc = strdup("");
	if (!info->problem || !info->device_class || !info->shortdesc)
		return RC_INTERNAL;
	clean_in_place(info->device_class);
	clean_in_place(info->shortdesc);
	return 0;
}
