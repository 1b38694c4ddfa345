/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * agent_metadata.c - the XML description, from the option table.
 *
 * Shape and order are those of the RelaxNG schema of the fence agents. The schema has no place
 * for what Holdfast adds, so that travels in a processing instruction, which validators and
 * Pacemaker pass over: <?holdfast abi="1" class="lights-out" json="1" probe="1"?>.
 */
#include <ctype.h>
#include <string.h>

#include "fence-agents/sdk/agent_internal.h"

/* Text for XML content and attributes; control characters that XML 1.0 forbids are left out. */
static void put_escaped(const char *text, FILE *out)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			if (!iscntrl((unsigned char)*text) || *text == '\n' || *text == '\t')
				fputc(*text, out);
		}
	}
}

static void put_attribute(const char *name, const char *text, FILE *out)
{
	fprintf(out, " %s=\"", name);
	put_escaped(text, out);
	fputc('"', out);
}

static const char *type_word(enum fence_opt_type type)
{
	switch (type) {
	case FENCE_OPT_BOOL:
		return "boolean";
	case FENCE_OPT_INT:
		return "integer";
	case FENCE_OPT_SECONDS:
		return "second";
	case FENCE_OPT_SELECT:
		return "select";
	case FENCE_OPT_STRING:
	case FENCE_OPT_STANDARD:
		break;
	}
	return "string";
}

static void put_long_name(const char *name, FILE *out)
{
	for (; *name; name++)
		fputc(*name == '_' ? '-' : *name, out);
}

static void put_content(const struct fence_option *option, FILE *out)
{
	fputs("\t\t<content", out);
	put_attribute("type", type_word(option->type), out);
	if (option->def)
		put_attribute("default", option->def, out);
	if (option->type != FENCE_OPT_SELECT) {
		fputs("/>\n", out);
		return;
	}
	fputs(">\n", out);
	for (const char *const *c = option->choices; *c; c++) {
		fputs("\t\t\t<option", out);
		put_attribute("value", *c, out);
		fputs("/>\n", out);
	}
	fputs("\t\t</content>\n", out);
}

/* One parameter element; `name` is the option's own or one of its legacy names. */
static void put_parameter(const struct fence_option *option, const char *name, FILE *out)
{
	int is_legacy = strcmp(name, option->name) != 0;

	fputs("\t<parameter", out);
	put_attribute("name", name, out);
	put_attribute("unique", option->flags & FENCE_OPT_UNIQUE ? "1" : "0", out);
	put_attribute("required", !is_legacy && (option->flags & FENCE_OPT_REQUIRED) ? "1" : "0",
		      out);
	if (is_legacy)
		put_attribute("deprecated", "1", out);
	else if (option->legacy)
		fprintf(out, " obsoletes=\"%.*s\"", (int)strcspn(option->legacy, ","),
			option->legacy);
	fputs(">\n\t\t<getopt mixed=\"", out);
	if (option->shortopt)
		fprintf(out, "-%c, ", option->shortopt);
	fputs("--", out);
	put_long_name(option->name, out);
	if (option->type != FENCE_OPT_BOOL)
		fprintf(out, "=[%s]", option->name);
	fputs("\"/>\n", out);
	put_content(option, out);
	fputs("\t\t<shortdesc lang=\"en\">", out);
	put_escaped(option->desc, out);
	fputs("</shortdesc>\n\t</parameter>\n", out);
}

static void put_parameters(const struct fence_ctx *ctx, FILE *out)
{
	fputs("<parameters>\n", out);
	for (size_t i = 0; i < ctx->values_count; i++) {
		const struct fence_option *option = &ctx->values[i].option;
		const char *legacy = option->legacy;

		put_parameter(option, option->name, out);
		while (legacy && *legacy) {
			size_t length = strcspn(legacy, ",");
			char name[64];

			snprintf(name, sizeof name, "%.*s", (int)length, legacy);
			put_parameter(option, name, out);
			legacy += length + (legacy[length] == ',');
		}
	}
	fputs("</parameters>\n", out);
}

static void put_actions(const struct fence_ctx *ctx, FILE *out)
{
	const struct agent_action *action = NULL;

	fputs("<actions>\n", out);
	while ((action = agent_action_next(ctx->agent, action))) {
		fputs("\t<action", out);
		put_attribute("name", action->name, out);
		if (action->id == AGENT_ON) {
			unsigned flags = ctx->agent->flags;

			if (flags & FENCE_AGENT_ON_TARGET)
				put_attribute("on_target", "1", out);
			put_attribute("automatic", flags & FENCE_AGENT_AUTO_ON ? "1" : "0", out);
		}
		fputs("/>\n", out);
	}
	fputs("</actions>\n", out);
}

const char *agent_class_word(enum fence_class device_class)
{
	switch (device_class) {
	case FENCE_CLASS_PDU:
		return "pdu";
	case FENCE_CLASS_UPS:
		return "ups";
	case FENCE_CLASS_BLADE:
		return "blade";
	case FENCE_CLASS_LIGHTS_OUT:
		return "lights-out";
	case FENCE_CLASS_FABRIC:
		return "fabric";
	case FENCE_CLASS_MANUAL:
		return "manual";
	case FENCE_CLASS_PILL:
		return "pill";
	case FENCE_CLASS_TESTING:
		break;
	}
	return "testing";
}

const char *agent_shortdesc(const struct fence_ctx *ctx)
{
	const struct fence_symlink *link = ctx->agent->symlinks;

	for (; link && link->name; link++)
		if (strcmp(link->name, ctx->name) == 0)
			return link->shortdesc;
	return ctx->agent->shortdesc;
}

void agent_metadata_print(const struct fence_ctx *ctx, FILE *out)
{
	const struct fence_symlink *link = ctx->agent->symlinks;

	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<?holdfast abi=\"%d\" class=\"%s\" json=\"1\" probe=\"1\"?>\n"
		"<resource-agent",
		FENCE_AGENT_ABI, agent_class_word(ctx->agent->device_class));
	put_attribute("name", ctx->name, out);
	put_attribute("shortdesc", agent_shortdesc(ctx), out);
	fputs(">\n", out);
	for (; link && link->name; link++) {
		fputs("<symlink", out);
		put_attribute("name", link->name, out);
		put_attribute("shortdesc", link->shortdesc, out);
		fputs("/>\n", out);
	}
	fputs("<longdesc>", out);
	put_escaped(ctx->agent->longdesc, out);
	fputs("</longdesc>\n<vendor-url>", out);
	put_escaped(ctx->agent->vendor_url ? ctx->agent->vendor_url : "", out);
	fputs("</vendor-url>\n", out);
	put_parameters(ctx, out);
	put_actions(ctx, out);
	fputs("</resource-agent>\n", out);
}
