/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * skeleton.c - see skeleton.h. In the templates @NAME@ is "fence_acme" and @SHORT@ is "acme".
 */
#include "fence-agents/kit/skeleton.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The assembler takes the bytes of a file as they are; make knows that this object hangs on them. */
#define TEMPLATE(symbol, file)                                                                     \
	__asm__(".section .rodata\n"                                                               \
		".global " #symbol "\n" #symbol ":\n"                                              \
		".incbin \"fence-agents/kit/templates/" file "\"\n"                                \
		".global " #symbol "_end\n" #symbol "_end:\n"                                      \
		".byte 0\n"                                                                        \
		".previous\n");                                                                    \
	extern const char symbol[], symbol##_end[]

TEMPLATE(skeleton_agent_c, "agent.c.in");
TEMPLATE(skeleton_agent_sh, "agent.sh.in");
TEMPLATE(skeleton_agent_py, "agent.py.in");
TEMPLATE(skeleton_make_c, "Makefile.c.in");
TEMPLATE(skeleton_make_script, "Makefile.script.in");
TEMPLATE(skeleton_readme_c, "README.c.in");
TEMPLATE(skeleton_readme_script, "README.script.in");
TEMPLATE(skeleton_device, "device.in");

struct part {
	const char *file; /* %s is the agent's name */
	const char *text, *end;
	int is_program;
};

static const struct language {
	const char *name;
	struct part parts[SKELETON_FILES_MAX];
} languages[] = {
	{ "c",
	  { { "%s.c", skeleton_agent_c, skeleton_agent_c_end, 0 },
	    { "Makefile", skeleton_make_c, skeleton_make_c_end, 0 },
	    { "device", skeleton_device, skeleton_device_end, 0 },
	    { "README", skeleton_readme_c, skeleton_readme_c_end, 0 } } },
	{ "sh",
	  { { "%s", skeleton_agent_sh, skeleton_agent_sh_end, 1 },
	    { "Makefile", skeleton_make_script, skeleton_make_script_end, 0 },
	    { "device", skeleton_device, skeleton_device_end, 0 },
	    { "README", skeleton_readme_script, skeleton_readme_script_end, 0 } } },
	{ "python",
	  { { "%s", skeleton_agent_py, skeleton_agent_py_end, 1 },
	    { "Makefile", skeleton_make_script, skeleton_make_script_end, 0 },
	    { "device", skeleton_device, skeleton_device_end, 0 },
	    { "README", skeleton_readme_script, skeleton_readme_script_end, 0 } } },
};

static int name_take(const char *given, struct skeleton_made *made, struct err *err)
{
	const char *rest = strncmp(given, "fence_", 6) == 0 ? given + 6 : given;

	if (rest[0] < 'a' || rest[0] > 'z' ||
	    strspn(rest, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(rest))
		return err_set(
			err, RC_CONFIG, "choose a name such as fence_acme",
			"\"%s\" is no name for a fence agent: small letters, digits and _ only",
			given);
	if (strlen(rest) > 40)
		return err_set(err, RC_CONFIG, "choose a shorter one", "the name is too long");
	snprintf(made->name, sizeof made->name, "fence_%s", rest);
	return 0;
}

/* Write a template with its marks replaced. */
static void part_write(FILE *file, const struct part *part, const char *name)
{
	static const char full[] = "@NAME@", rest[] = "@SHORT@";

	for (const char *at = part->text; at < part->end;) {
		if (strncmp(at, full, sizeof full - 1) == 0) {
			fputs(name, file);
			at += sizeof full - 1;
		} else if (strncmp(at, rest, sizeof rest - 1) == 0) {
			fputs(name + 6, file);
			at += sizeof rest - 1;
		} else {
			fputc(*at++, file);
		}
	}
}

static int part_make(const struct part *part, const char *file_name,
		     const struct skeleton_made *made, struct err *err)
{
	char path[SKELETON_PATH_MAX + SKELETON_NAME_MAX + 16];
	FILE *file;
	int fd, failed;

	snprintf(path, sizeof path, "%s/%s", made->dir, file_name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, part->is_program ? 0777 : 0666);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file)
		return err_set(err, RC_CONFIG, "remove it, or choose another --dir", "%s: %s", path,
			       strerror(errno));
	part_write(file, part, made->name);
	failed = ferror(file);
	if (fclose(file) != 0 || failed)
		return err_set(err, RC_INTERNAL, NULL, "%s: cannot be written", path);
	return 0;
}

/* Everything is looked at before anything is written. */
static int nothing_there(const struct skeleton_made *made, struct err *err)
{
	char path[SKELETON_PATH_MAX + SKELETON_NAME_MAX + 16];
	struct stat st;

	for (size_t i = 0; i < made->files_count; i++) {
		snprintf(path, sizeof path, "%s/%s", made->dir, made->files[i]);
		if (lstat(path, &st) == 0)
			return err_set(err, RC_CONFIG, "remove it, or choose another --dir",
				       "%s is there already; nothing was written", path);
	}
	return 0;
}

int skeleton_make(const char *name, const char *lang, const char *dir, struct skeleton_made *made,
		  struct err *err)
{
	const struct language *language = NULL;
	int rc;

	memset(made, 0, sizeof *made);
	rc = name_take(name, made, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < sizeof languages / sizeof languages[0]; i++)
		if (strcmp(languages[i].name, lang) == 0)
			language = &languages[i];
	if (!language)
		return err_set(err, RC_CONFIG, "choose c, sh or python",
			       "there is no skeleton in \"%s\"", lang);
	if (!dir)
		dir = made->name;
	if (!dir[0] || strlen(dir) >= sizeof made->dir)
		return err_set(err, RC_CONFIG, NULL, "--dir is empty or too long");
	snprintf(made->dir, sizeof made->dir, "%s", dir);
	for (; made->files_count < SKELETON_FILES_MAX; made->files_count++)
		snprintf(made->files[made->files_count], sizeof made->files[0],
			 language->parts[made->files_count].file, made->name);
	if (mkdir(dir, 0777) != 0 && errno != EEXIST)
		return err_set(err, RC_CONFIG, NULL, "%s: %s", dir, strerror(errno));
	rc = nothing_there(made, err);
	for (size_t i = 0; i < made->files_count && rc == 0; i++)
		rc = part_make(&language->parts[i], made->files[i], made, err);
	return rc;
}
