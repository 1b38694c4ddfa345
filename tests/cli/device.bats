#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# device.bats - `holdfast device`: the profile checker, the table of supported devices, and the page about
# writing a profile, run as written.

# Marks of code in the page are no commands.
# shellcheck disable=SC2016

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_TMPDIR"
	export PATH=$HOLDFAST_BIN:$PATH
	source=$BATS_TEST_DIRNAME/../..
	export HOLDFAST_DEVICES=$source/fence-agents/devices
	walk=example.snmprec
	awk -f "$source/docs/examples/snmprec.awk" "$source/docs/examples/example-pdu.snmpwalk" >"$walk"
	profile >example-pdu.conf
}

# The profile of the page.
profile() {
	sed -n '/^PROFILE /,/^PROFILE$/{/^PROFILE$/!p}' "$source/docs/writing-a-device-profile.md"
}

# check [OPTION...]: of ./example-pdu.conf, JSON in ./report.
check() {
	run -"${expected:-0}" --separate-stderr holdfast device check example-pdu.conf --json "$@"
	printf '%s\n' "$output" >report
	cat report
}

finding() { jq -r 'select(.kind == "finding") | .severity + ": " + .text' report; }

@test "every installed profile passes the check, on its walk where there is one" {
	local file name
	for file in "$HOLDFAST_DEVICES"/*.conf; do
		name=$(basename "$file" .conf)
		if [ -e "$source/tests/agents/walks/$name.snmprec" ]; then
			run -0 holdfast device check "$file" --walk "$source/tests/agents/walks/$name.snmprec"
		else
			run -0 holdfast device check "$file"
		fi
	done
}

@test "docs/supported-devices.md is up to date" {
	holdfast device list --format markdown >table
	diff "$source/docs/supported-devices.md" table
}

@test "list: one row a profile, as text and JSON" {
	local count
	count=$(find "$HOLDFAST_DEVICES" -name '*.conf' | wc -l)
	run -0 holdfast device list
	[ "${#lines[@]}" -eq $((count + 1)) ]
	holdfast device list --json >rows
	[ "$(wc -l <rows)" -eq "$count" ]
	jq -es 'all(.profile != "" and .class != "" and .tested != "")' rows
	run -2 holdfast device list --format html
	run -2 holdfast device list x
}

@test "a profile on a walk: recognised, objects, outlets, names, states" {
	check --walk "$walk"
	[ "$(finding)" = "" ]
	jq -es '.[-1] | .kind == "summary" and .recognised_by == "1.3.6.1.4.1.32473.7" and .outlets == 4
		and .errors == 0' report
	[ "$(jq -r 'select(.kind == "outlet") | .outlet + " " + .name + " " + .state' report)" = \
		$'1 db1 left supply on\n2 db2 left supply on\n3 switch on\n4  off' ]
	[ "$(jq -r 'select(.kind == "object") | .field + " \(.answers)"' report | paste -sd' ')" = \
		"STATUS 4 NAME 4 OFF 4 ON 4 CYCLE 4" ]
	run -0 holdfast device check example-pdu.conf --walk "$walk"
	[[ $output == *"recognised by MATCH 1.3.6.1.4.1.32473.7"* ]]
	[[ $output == *"4 "*" off"* ]]
	[[ $output == *"example-pdu.conf: 0 errors, 0 warnings" ]]
}

@test "an error names file, line and column" {
	sed -i 's/^CLASS .*/CLASS          toaster/' example-pdu.conf
	expected=1 check
	[[ $(finding) == "error: example-pdu.conf:2:16: \"toaster\""*"expected pdu, ups"* ]]
}

@test "a state that the profile does not know is an error, never off" {
	sed -i 's/\.3\.2|2|1$/.3.2|2|7/' "$walk"
	expected=1 check --walk "$walk"
	[[ $(finding) == "error: outlet 2: its status is none of the profile's values" ]]
	[ "$(jq -r 'select(.outlet == "2") | .state' report)" = unknown ]
}

@test "a column that the walk does not have, a device that is not recognised, a wrong count" {
	sed -i 's/7\.2\.2\.1\.3\.{outlet}/7.2.2.1.9.{outlet}/' example-pdu.conf
	expected=1 check --walk "$walk"
	[ "$(jq -r 'select(.field == "STATUS") | .answers' report)" -eq 0 ]
	profile | sed 's/^MATCH .*/MATCH 1.3.6.1.4.1.32473.8/' >example-pdu.conf
	check --walk "$walk"
	jq -es '.[-1].recognised_by == null' report
	profile >example-pdu.conf
	sed -i 's/7\.2\.1\.0|2|4/7.2.1.0|2|8/' "$walk"
	check --walk "$walk"
	[ "$(finding)" = "warning: COUNT says 8, the walk has 4 outlets" ]
}

@test "warnings: no MATCH, no NAME, the same MATCH as another profile, a better one" {
	profile | grep -v '^MATCH\|^NAME' >example-pdu.conf
	check
	[[ $(finding) == *"warning: there is no MATCH"*"device=example-pdu"* ]]
	[[ $(finding) == *"warning: there is no NAME"* ]]
	mkdir others
	profile | sed 's/^PROFILE .*/PROFILE twin/' >others/twin.conf
	profile | sed -e 's/^PROFILE .*/PROFILE closer/' -e 's/^MATCH .*/MATCH 1.3.6.1.4.1.32473.7.1/' \
		>others/closer.conf
	profile >example-pdu.conf
	HOLDFAST_DEVICES=$PWD/others check --walk "$walk"
	[[ $(finding) == *"MATCH 1.3.6.1.4.1.32473.7 is also that of the profile twin"* ]]
	[[ $(finding) == *"recognised as closer, not by this profile"* ]]
}

@test "a walk that is none, a file that is none" {
	echo 'hello' >bad.snmprec
	expected=1 check --walk bad.snmprec
	[[ $(finding) == *"bad.snmprec"* ]]
	expected=1 check --walk nonesuch.snmprec
	run -1 holdfast device check nonesuch.conf
	[[ $output == *"nonesuch.conf: No such file"* ]]
	run -2 holdfast device check
}

@test "a metered unit has no outlet that could be fenced" {
	grep -v '\.32473\.7\.2\.2\.' "$walk" | sed 's/7\.2\.1\.0|2|4/7.2.1.0|2|0/' >metered.snmprec
	expected=1 check --walk metered.snmprec
	[[ $(finding) == *"no switched outlets"* ]]
}

@test "docs/writing-a-device-profile.md works as written" {
	mkdir docs
	cp -r "$source/docs/examples" docs/
	sed -n '/^```sh$/,/^```$/{/^```/!p}' "$source/docs/writing-a-device-profile.md" |
		sed -E 's/^! (.*)$/if \1; then echo "succeeded: \1"; exit 1; fi/' >page
	[ "$(grep -c . page)" -gt 20 ]
	bash -eu page
}
