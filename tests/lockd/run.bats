#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# run.bats - what `holdfast lock run` makes of what lockd says: grants that are old, disks that do not
# answer, holders that nobody knows, a node that is not active yet.

# $output, $status are set by run.
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0
load lockd

setup_file() { export BATS_TEST_TIMEOUT=100; }

setup() { lockd_setup; }

teardown() { lockd_teardown; }

# says LINE...: a lockd that answers with these lines; see says.py. What it was asked is in $dir/asked.
says() {
	"$here/says.py" "$dir/said.sock" "$@" >"$dir/asked" 3>&- &
	others+=("$!")
	until_true test -S "$dir/said.sock"
	export HOLDFAST_LOCKD_SOCKET=$dir/said.sock
}

granted() {
	echo '{"progress":"granted","term":1,"node":1,"until_ns":'"$1"',"term_left_ms":1000,"kill_left_ms":500}'
}

@test "a grant that is read when its lease is over begins nothing" {
	says "$(granted 'now(999)')"
	run -121 holdfast lock run x -- touch "$dir/begun"
	[[ $output == *"x: got, but the lease was over when this was read"* ]]
	[ ! -e "$dir/begun" ]
}

@test "a grant that is good begins the command" {
	says "$(granted 'now(60000)')"
	# Nobody answers the unlock, but the connection ends.
	HOLDFAST_LOCKD_SOCKET=$dir/said.sock holdfast lock run x -- touch "$dir/begun" 2>"$dir/run.err" 3>&- &
	others+=("$!")
	until_true test -e "$dir/begun"
}

@test "disks that do not answer, and a holder without a name, are told" {
	says '{"progress":"disk","cause":"unreachable"}' \
		'{"progress":"waiting","holder":"","holder_node":3,"fate":"alive"}' \
		'{"progress":"waiting","holder":"c","holder_node":3,"fate":"alive"}' \
		'{"ok":false,"cause":"busy","error":"enough"}'
	run -120 holdfast lock run x -- true
	grep -qF 'x: waiting; the shared disks do not answer (unreachable)' <<<"$output"
	grep -qE 'waiting; held by node 3$' <<<"$output"
	grep -qE 'waiting; held by node c$' <<<"$output"
}

not_active() { echo '{"ok":false,"cause":"state","error":"is not active","stage":"'"$1"'"}'; }

@test "a node that is not active yet is waited for, as long as --wait says" {
	says "$(not_active claiming)" next "$(not_active claiming)" next "$(not_active joining)" next \
		'{"ok":false,"cause":"busy","error":"enough"}'
	run -120 holdfast lock run --wait 60 x -- true
	grep -qF 'x: waiting; this node is not active on its disks (joining)' <<<"$output"
	[ "$(grep -cF 'active on its disks (claiming)' <<<"$output")" -eq 1 ]
	# What is left of the time.
	jq -se 'length == 4 and all(.op == "lock") and .[0].wait_ms <= 60000 and .[3].wait_ms < .[0].wait_ms
		and .[3].wait_ms > 0' "$dir/asked"
}

@test "a node that is not active is not waited for with --wait 0, nor one that is about to be reset" {
	says "$(not_active claiming)"
	run -120 holdfast lock run --wait 0 x -- true
	[[ $output == *"x: is not active"* ]]
	rm "$dir/said.sock"
	says "$(not_active dying)"
	run -120 holdfast lock run x -- true
	[[ $output == *"x: is not active"* ]]
}
