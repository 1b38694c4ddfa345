# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# pdu.bash - what pdu.bats and pdu_faults.bats share: simulated devices, runs of the agent, and what is
# expected of them.
#
# Recorded walks are third-party data and no part of the project. They are looked for in the folder
# HOLDFAST_WALKS (../shared/data/snmp beside the project); where it is absent, tests that need
# them are skipped. What the devices do is in behaviours/, from their MIBs.

# shellcheck disable=SC2034 # by the suites
E=1.3.6.1.4.1
A=$E.318.1.1

setup() {
	recorded=${HOLDFAST_WALKS:-$BATS_TEST_DIRNAME/../../../shared/data/snmp}
	dir=$BATS_TEST_TMPDIR/device
	program=fence_pdu
	version=
	# The tools of net-snmp make folders where they are let.
	export MIBS='' SNMP_PERSISTENT_DIR=$BATS_TEST_TMPDIR/snmp
}

teardown() {
	local pid
	for pid in "$BATS_TEST_TMPDIR"/*/pid; do
		"$BATS_TEST_DIRNAME/pdu.sh" stop "${pid%/pid}"
	done
}

# start BEHAVIOUR WALK [OPTION...]: a device, in the place of the one before; WALK is real:NAME for a recorded one.
start() {
	local behaviour=$1 walk=$2
	shift 2
	if [[ $walk == real:* ]]; then
		walk=$recorded/${walk#real:}.snmprec
		[ -f "$walk" ] || skip "no recorded walks in $recorded; name their folder in HOLDFAST_WALKS"
	fi
	"$BATS_TEST_DIRNAME/pdu.sh" start "$dir" "$behaviour" "$walk" "$@"
	port=$(<"$dir/port")
}

# Run the agent: agent ACTION [key=value...]. Later keys win. Sets $status, $output (JSON), $stderr.
agent() {
	local action=$1
	shift
	printf '%s\n' "action=$action" ip=127.0.0.1 "ipport=$port" community=private json=1 \
		power_timeout=5 ${version:+snmp_version=$version} "$@" >"$BATS_TEST_TMPDIR/options"
	run --separate-stderr timeout 60 "$HOLDFAST_BIN/$program" <"$BATS_TEST_TMPDIR/options"
	# shellcheck disable=SC2154 # set by run
	echo "$action $*: $status $output $stderr"
	[ "$status" -ne 124 ] # its own deadline is far below
}

# The JSON result has this property, and the exit status is in it.
holds() {
	jq -e --argjson status "$status" "(.exit == \$status) and ($1)" <<<"$output" >/dev/null
}

# The action failed with this cause, and no off was proven.
fails() {
	[ "$status" -eq 1 ]
	jq -e --arg cause "$1" --arg text "${2:-}" '.exit == 1 and (.ok | not) and (.off_proven | not)
		and .cause == $cause and (.message | contains($text))' <<<"$output" >/dev/null
}

# What snmpget says of an object.
truth() {
	snmpget -v1 -c public -Oqv "127.0.0.1:$port" ".$1"
}

# plug,alias,state of every outlet, as the agent lists them.
states() {
	agent list-status "$@"
	[ "$status" -eq 0 ]
	jq -r '.plugs[] | "\(.plug),\(.alias),\(.state)"' <<<"$output" >"$BATS_TEST_TMPDIR/states"
}

# The whole life of an outlet:
#	outlet_works COUNT ON OFF STATUS ON-VALUE OFF-VALUE [key=value...]
# The device has COUNT outlets. ON and OFF are PLUG or PLUG=NAME of one that is on and one that is
# off (OFF may be -). STATUS is the object that shows the state of ON, and has these values.
outlet_works() {
	local count=$1 plug=${2%%=*} name='' off_plug=${3%%=*} object=$4 on=$5 off=$6 spelling
	[[ $2 != *=* ]] || name=${2#*=}
	shift 6

	states "$@"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/states")" -eq "$count" ]
	[ -z "$name" ] || grep -q ",$name,on$" "$BATS_TEST_TMPDIR/states"
	cp "$BATS_TEST_TMPDIR/states" "$BATS_TEST_TMPDIR/before"

	[ "$(truth "$object")" = "$on" ]
	agent status "plug=$plug" "$@"
	[ "$status" -eq 0 ]
	holds '.state == "on" and .proof == "proven"'
	if [ "$off_plug" != - ]; then
		agent status "plug=$off_plug" "$@"
		[ "$status" -eq 2 ]
		holds '.state == "off"'
	fi
	agent off "plug=$plug" "$@"
	[ "$status" -eq 0 ]
	holds '.state == "off" and .off_proven and .cause == null'
	[ "$(truth "$object")" = "$off" ]
	for spelling in "$plug" ${name:+"$name"}; do
		agent status "plug=$spelling" "$@"
		[ "$status" -eq 2 ]
		holds '.state == "off"'
	done

	# This outlet, and no other.
	states "$@"
	[ "$(diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/states" | grep -c '^>')" -eq 1 ]
	[ -z "$name" ] || grep -q ",$name,off$" "$BATS_TEST_TMPDIR/states"

	agent on "plug=${name:-$plug}" "$@"
	[ "$status" -eq 0 ]
	holds '.state == "on" and .proof == "proven"'
	[ "$(truth "$object")" = "$on" ]
	agent reboot "plug=$plug" "$@"
	[ "$status" -eq 0 ]
	holds '.state == "on" and .off_proven'
	[ "$(truth "$object")" = "$on" ]
	states "$@"
	cmp "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/states"
}

# outlet_is_missing PLUG [key=value...]: nothing that the agent can be asked takes it for off (S1).
outlet_is_missing() {
	local plug=$1
	shift
	: >"$dir/log"
	for version in 1 2c; do
		for action in status off on reboot; do
			agent "$action" "plug=$plug" "$@"
			fails no-such-plug
		done
	done
	version=
	[ ! -s "$dir/log" ]
}
