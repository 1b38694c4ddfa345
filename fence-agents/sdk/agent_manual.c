/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * agent_manual.c - manual page (man macros) and --help, from the same table as the metadata.
 */
#include <ctype.h>
#include <string.h>

#include "fence-agents/sdk/agent_internal.h"

/* Where a line of the source is broken, at the next blank. */
#define ROFF_COLUMN 64

/* Text for roff: backslashes and hyphens escaped, no line starts with a control character. */
static void put_roff(const char *text, FILE *out)
{
	int column = 0;

	for (; *text; text++) {
		if (column == 0 && (*text == '.' || *text == '\''))
			fputs("\\&", out);
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-')
			fputs("\\-", out);
		else
			fputc(*text == ' ' && column > ROFF_COLUMN ? '\n' : *text, out);
		column = *text == '\n' || (*text == ' ' && column > ROFF_COLUMN) ? 0 : column + 1;
	}
}

/* Paragraphs are separated by an empty line. */
static void put_paragraphs(const char *text, FILE *out)
{
	const char *end;

	while ((end = strstr(text, "\n\n"))) {
		char paragraph[2048];

		snprintf(paragraph, sizeof paragraph, "%.*s", (int)(end - text), text);
		put_roff(paragraph, out);
		fputs("\n.PP\n", out);
		text = end + 2;
	}
	put_roff(text, out);
	fputc('\n', out);
}

static void put_upper(const char *text, FILE *out)
{
	for (; *text; text++)
		fputc(toupper((unsigned char)*text), out);
}

static void put_option(const struct fence_option *option, FILE *out)
{
	const char *value = option->type == FENCE_OPT_SECONDS ? "seconds"
			    : option->type == FENCE_OPT_INT   ? "number"
			    : option->type == FENCE_OPT_BOOL  ? "0|1"
							      : "value";

	fputs(".TP\n\\fB", out);
	put_roff(option->name, out);
	fprintf(out, "\\fR=\\fI%s\\fR", value);
	if (option->shortopt)
		fprintf(out, ", \\fB\\-%c\\fR", option->shortopt);
	fputc('\n', out);
	put_roff(option->desc, out);
	fputs(".\n", out);
	if (option->choices) {
		fputs("One of:", out);
		for (const char *const *c = option->choices; *c; c++) {
			fputc(' ', out);
			put_roff(*c, out);
		}
		fputs(".\n", out);
	}
	if (option->def) {
		fputs("Default: ", out);
		put_roff(option->def, out);
		fputs(".\n", out);
	}
	if (option->legacy) {
		fputs("Older name: ", out);
		put_roff(option->legacy, out);
		fputs(".\n", out);
	}
	if (option->flags & FENCE_OPT_REQUIRED)
		fputs("Required.\n", out);
}

static void put_actions(const struct fence_ctx *ctx, FILE *out)
{
	const struct agent_action *action = NULL;

	fputs(".SH ACTIONS\n", out);
	while ((action = agent_action_next(ctx->agent, action))) {
		fputs(".TP\n\\fB", out);
		put_roff(action->name, out);
		fputs("\\fR\n", out);
		put_roff(action->desc, out);
		fputs(".\n", out);
	}
	fputs(".PP\nThere is no default action:\n"
	      "a missing or unknown action touches nothing and fails.\n",
	      out);
}

static const char timeouts_text[] =
	"One deadline covers the whole action. It is action_timeout, or, when that is 0, the sum "
	"of login_timeout, shell_timeout for two commands and two more for each plug, delay, and "
	"for each off and each on power_wait plus power_timeout. A failure that may pass "
	"(unreachable, timeout, busy, protocol) is tried again within it. Fractions of a second "
	"are allowed; a timeout of 0 is without limit.";

static const char status_text[] =
	"0 on success, 1 on failure. The action status gives 0 when the power is on, 2 when it is "
	"off and 1 when neither is known. A reboot whose off is proven gives 0, also when the on "
	"failed; the failure is told on standard error.";

static const char input_text[] =
	"Without arguments, options are read as name=value lines from standard input, where an "
	"unknown name is warned about and ignored. On the command line they are --name=value, and "
	"an unknown one is an error. In names - and _ are equal; of two values for one name the "
	"last counts.";

static void put_fixed(const struct fence_ctx *ctx, FILE *out)
{
	fputs(".SH TIMEOUTS\n", out);
	put_paragraphs(timeouts_text, out);
	fputs(".SH EXIT STATUS\n", out);
	put_paragraphs(status_text, out);
	fputs(".SH DIAGNOSTICS\n", out);
	put_paragraphs("A failure prints one line: program, what it is about, cause, and what to "
		       "do next. With json=1 the cause is also one of these words:",
		       out);
	for (int rc = RC_AUTH; rc >= RC_CANCELLED; rc--) {
		fputs(".TP\n\\fB", out);
		put_roff(rc_word(rc), out);
		fputs("\\fR\n", out);
		put_roff(rc_meaning(rc), out);
		fputs(".\n", out);
	}
	fputs(".SH EXAMPLES\n.nf\n", out);
	fprintf(out, "%s \\-o status <options>\n", ctx->name);
	fprintf(out, "%s <options.txt\n", ctx->name);
	fputs(".fi\n.SH SEE ALSO\n.BR holdfast\\-fence (8)\n", out);
}

void agent_manual_print(const struct fence_ctx *ctx, FILE *out)
{
	fputs(".TH ", out);
	put_upper(ctx->name, out);
	fputs(" 8 \"" HOLDFAST_DATE "\" \"Holdfast " HOLDFAST_VERSION
	      "\" \"Fence agents\"\n.SH NAME\n",
	      out);
	put_roff(ctx->name, out);
	fputs(" \\- ", out);
	put_roff(agent_shortdesc(ctx), out);
	fputs("\n.SH SYNOPSIS\n.B ", out);
	fprintf(out, "%s\n.br\n.B %s \\-o\n.IR action \" [options]\"\n", ctx->name, ctx->name);
	fputs(".SH DESCRIPTION\n", out);
	put_paragraphs(ctx->agent->longdesc, out);
	fputs(".PP\n", out);
	put_paragraphs(input_text, out);
	put_actions(ctx, out);
	fputs(".SH OPTIONS\n", out);
	for (size_t i = 0; i < ctx->values_count; i++)
		put_option(&ctx->values[i].option, out);
	put_fixed(ctx, out);
}

void agent_help_print(const struct fence_ctx *ctx, FILE *out)
{
	const struct agent_action *action = NULL;

	fprintf(out, "%s - %s\n\nUsage: %s -o ACTION [OPTIONS]\n", ctx->name, agent_shortdesc(ctx),
		ctx->name);
	fprintf(out, "       %s            (name=value lines on standard input)\n\nActions:\n",
		ctx->name);
	while ((action = agent_action_next(ctx->agent, action)))
		fprintf(out, "  %-14s %s\n", action->name, action->desc);
	fputs("\nOptions:\n", out);
	for (size_t i = 0; i < ctx->values_count; i++) {
		const struct fence_option *option = &ctx->values[i].option;
		char name[64], column[96];

		snprintf(name, sizeof name, "%s", option->name);
		for (char *p = name; *p; p++)
			*p = *p == '_' ? '-' : *p;
		snprintf(column, sizeof column, "%c%c%s--%s%s", option->shortopt ? '-' : ' ',
			 option->shortopt ? option->shortopt : ' ', option->shortopt ? ", " : "  ",
			 name, option->type == FENCE_OPT_BOOL ? "" : "=VALUE");
		fprintf(out, "  %-34s %s", column, option->desc);
		if (option->def && option->type != FENCE_OPT_BOOL)
			fprintf(out, " [%s]", option->def);
		fputc('\n', out);
	}
}
