#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# pdu_list.bats - a device that keeps all outlets in one text, and several agents at once.

bats_require_minimum_version 1.5.0

setup() {
	dir=$BATS_TEST_TMPDIR
	"$BATS_TEST_DIRNAME/pdu.sh" start "$dir/pdu" lindy lindy
	port=$(<"$dir/pdu/port")
}

teardown() {
	"$BATS_TEST_DIRNAME/pdu.sh" stop "$dir/pdu"
}

outlet() {
	run "$HOLDFAST_BIN/fence_pdu" -o "$1" -a 127.0.0.1 -u "$port" -c private --device lindy -n 1 \
		--json "${@:2}"
}

@test "while another agent switches the device, this one waits, and says so when it was too long" {
	local lock=/run/holdfast/pdu-127.0.0.1-$port.lock
	mkdir -p /run/holdfast
	exec 8>"$lock"
	flock 8
	outlet off --shell-timeout 0.3 --power-timeout 0.4
	[ "$status" -eq 1 ]
	[ "$(tail -1 <<<"$output" | jq -r .cause)" = busy ]
	outlet status
	[ "$status" -eq 0 ]
	rm "$lock"
	exec 8>&-
	outlet off
	[ "$status" -eq 0 ]
	[ "$(tail -1 <<<"$output" | jq -r .proof)" = proven ]
	[ ! -e "$lock" ]
}
