/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: fencer base pkg:cmocka
 *
 * test_agent_metadata.c - metadata that holds, and every way in which it may not. That the
 * verdicts are those of the schema is compared for all installed agents by catalog.bats.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fence-agents/fencer/agent_metadata.h"

static const char good[] =
	"<?xml version=\"1.0\"?>\n"
	"<?holdfast abi=\"1\" class=\"pdu\" json=\"1\" probe=\"1\"?>\n"
	"<resource-agent name=\"fence_x\" shortdesc=\"For X\">\n"
	"<symlink name=\"fence_y\" shortdesc=\"For Y\"/>\n"
	"<longdesc>Long</longdesc>\n"
	"<vendor-url></vendor-url>\n"
	"<parameters>\n"
	"<parameter name=\"action\" unique=\"0\" required=\"1\" deprecated=\"0\">\n"
	"<getopt mixed=\"-o\"/><content type=\"select\" default=\"off\"><option value=\"off\"/>"
	"</content><shortdesc lang=\"en\">Action</shortdesc></parameter>\n"
	"<parameter name=\"plug\" unique=\"0\" required=\"0\" obsoletes=\"port\">\n"
	"<getopt mixed=\"-n\"/><content type=\"string\"/><shortdesc lang=\"en\">Plug</shortdesc>"
	"<shortdesc lang=\"de\">Dose</shortdesc></parameter>\n"
	"</parameters>\n"
	"<actions><action name=\"off\"/><action name=\"on\" automatic=\"0\" on_target=\"1\"/>"
	"<action name=\"status\"/><action name=\"list\"/></actions>\n"
	"</resource-agent>\n";

static struct agent_info info;

static void read_text(const char *text)
{
	agent_info_clear(&info);
	assert_int_equal(agent_metadata_read(text, strlen(text), &info), 0);
}

static void read_changed(const char *from, const char *to)
{
	const char *at = strstr(good, from);
	char text[4096];

	assert_non_null(at);
	snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
	read_text(text);
}

static void good_metadata(void **state)
{
	(void)state;
	read_text(good);
	assert_string_equal(info.problem, "");
	assert_true(info.valid);
	assert_string_equal(info.device_class, "pdu");
	assert_string_equal(info.shortdesc, "For X");
	assert_true(info.native && info.has_probe && info.takes_plug);
	assert_true(info.has_off && info.has_on && info.has_status && info.has_list);
	assert_false(info.has_reboot);
	assert_int_equal(info.parameters_count, 3);
	assert_string_equal(info.parameters[0], "action");
	assert_string_equal(info.parameters[1], "plug");
	assert_string_equal(info.parameters[2], "port");
}

static void foreign_metadata(void **state)
{
	(void)state;
	read_changed("<?holdfast abi=\"1\" class=\"pdu\" json=\"1\" probe=\"1\"?>\n", "");
	assert_true(info.valid);
	assert_false(info.native || info.has_probe);
	assert_string_equal(info.device_class, "-");
	/* The word must be a name of its own. */
	read_changed("class=\"pdu\" json", "subclass=\"pdu\" nojson");
	assert_string_equal(info.device_class, "-");
	assert_false(info.native);
}

static void changes_that_still_hold(void **state)
{
	static const char *const changes[][2] = {
		{ "<symlink name=\"fence_y\" shortdesc=\"For Y\"/>\n", "" },
		{ "<vendor-url></vendor-url>", "<vendor-url/>" },
		{ " deprecated=\"0\"", "" },
		{ "<option value=\"off\"/>", "" },
		{ "type=\"string\"", "type=\"second\" default=\"3\"" },
		{ "<parameters>", "<!-- remark --><parameters>" },
		{ "name=\"action\"", "name=\"option\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		read_changed(changes[i][0], changes[i][1]);
		assert_string_equal(info.problem, "");
	}
}

static void changes_that_do_not_hold(void **state)
{
	static const char *const changes[][3] = {
		{ "</resource-agent>", "", "not well-formed" },
		{ "<resource-agent name=\"fence_x\" ", "<resource-agent ", "has no name=" },
		{ "name=\"fence_x\"", "name=\"\"", "empty name=" },
		{ " shortdesc=\"For X\"", "", "has no shortdesc=" },
		{ " shortdesc=\"For Y\"", "", "has no shortdesc=" },
		{ "<longdesc>Long</longdesc>\n", "", "<longdesc> was expected" },
		{ "<vendor-url></vendor-url>\n", "", "<vendor-url> was expected" },
		{ "<longdesc>Long</longdesc>\n<vendor-url></vendor-url>",
		  "<vendor-url></vendor-url><longdesc>Long</longdesc>", "<longdesc> was expected" },
		{ " unique=\"0\"", "", "has no unique=" },
		{ "required=\"1\"", "required=\"yes\"", "must be 0 or 1" },
		{ "deprecated=\"0\"", "deprecated=\"no\"", "must be 0 or 1" },
		{ "<getopt mixed=\"-o\"/>", "", "<getopt> was expected" },
		{ "<getopt mixed=\"-o\"/>", "<getopt/>", "has no mixed=" },
		{ "type=\"string\"", "type=\"text\"", "unknown type" },
		{ "<content type=\"string\"/>", "", "<content> was expected" },
		{ "type=\"select\"", "type=\"string\"", "not a select" },
		{ "<option value=\"off\"/>", "<option/>", "has no value=" },
		{ " lang=\"en\"", "", "has no lang=" },
		{ "<shortdesc lang=\"en\">Action</shortdesc>", "", "lacks <shortdesc>" },
		{ "automatic=\"0\"", "automatic=\"maybe\"", "must be 0 or 1" },
		{ "<action name=\"off\"/>", "<action name=\"\"/>", "empty name=" },
		{ "<action name=\"off\"/>", "<action name=\"off\" timeout=\"20\"/>",
		  "unknown attribute timeout" },
		{ "<actions>", "<actions>words", "text inside <actions>" },
		{ "</actions>", "</actions><more/>", "<more> does not belong" },
		{ "name=\"action\"", "name=\"acton\"", "no parameter action" },
		{ "<resource-agent ", "<!DOCTYPE x [<!ENTITY a \"b\">]><resource-agent ",
		  "document type" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		read_changed(changes[i][0], changes[i][1]);
		assert_false(info.valid);
		if (!strstr(info.problem, changes[i][2]))
			fail_msg("\"%s\" does not say \"%s\"", info.problem, changes[i][2]);
	}
}

/* Entities that grow when they are expanded: they must not be. */
static const char growing[] =
	"<!DOCTYPE r [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">"
	"<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\"><!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;\">]>"
	"<resource-agent name=\"&d;\"/>";

/* Nor may a file be fetched. */
static const char fetching[] = "<!DOCTYPE r [<!ENTITY x SYSTEM \"/etc/passwd\">]>"
			       "<resource-agent>&x;</resource-agent>";

static void what_is_no_metadata(void **state)
{
	static const char *const texts[] = {
		"", "usage: fence_x\n", "<a/>", "\xff\xfe<", "<resource-agent/>", growing, fetching,
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		read_text(texts[i]);
		assert_false(info.valid);
		assert_true(info.problem[0] != '\0');
		assert_null(strstr(info.problem, "root:"));
	}
}

static int teardown(void **state)
{
	(void)state;
	agent_info_clear(&info);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_metadata),
		cmocka_unit_test(foreign_metadata),
		cmocka_unit_test(changes_that_still_hold),
		cmocka_unit_test(changes_that_do_not_hold),
		cmocka_unit_test(what_is_no_metadata),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
