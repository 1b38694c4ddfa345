#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# families.bats - what a former lockd has left of its locks' commands is ended before this node begins
# anew; where it cannot be told what that is, lockd does not start.

# $output, $status by run.
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0
load lockd

setup_file() { export BATS_TEST_TIMEOUT=60; }

# A disk that node 1 was active on, with the beginning of its files' names in $prefix.
setup() {
	lockd_setup
	cluster alpha disk1
	serve disk1
	daemon a 1
	HOLDFAST_LOCKD_SOCKET=$dir/a.sock holdfast lock run x -- sh -c "ls '$dir/run/locks' >'$dir/file'"
	stop a
	prefix=$dir/run/locks/$(cut -d. -f1,2 file)
}

teardown() { lockd_teardown; }

@test "an empty file is of a command that never began" {
	: >"$prefix.01"
	daemon a 1
	[ ! -e "$prefix.01" ]
}

@test "a file that makes no sense: lockd does not start, and leaves it" {
	local text boot
	boot=$(tr -d - </proc/sys/kernel/random/boot_id)
	for text in '{' '{}' 'x' '[]' \
		'{"name":"x","group":1,"group_start":5,"tag":"HOLDFAST_LOCK_ID=01","boot":"'"$boot"'"}' \
		'{"name":"x","group":70000,"group_start":5,"tag":"","boot":"'"$boot"'"}' \
		'{"name":"x","group":70000,"group_start":5,"tag":"HOLDFAST_LOCK_ID=01","boot":"00"}'; do
		echo "$text" >"$prefix.01"
		refused 1 "$prefix.01: cannot be read" a 1
		[ -e "$prefix.01" ]
	done
	# Of another boot nothing is left.
	echo '{"name":"x","group":70000,"group_start":5,"tag":"HOLDFAST_LOCK_ID=01","boot":"'"${boot//?/0}"'"}' >"$prefix.01"
	daemon a 1
	[ ! -e "$prefix.01" ]
}

@test "a file that cannot be read: lockd does not start" {
	mkdir "$prefix.01"
	refused 1 "$prefix.01: cannot be read: not a file" a 1
	rmdir "$prefix.01"
	ln -s "$dir/file" "$prefix.01"
	refused 1 "$prefix.01: cannot be read: Too many levels" a 1
	[ -L "$prefix.01" ]
}

@test "a folder that cannot be read: lockd does not start; one that is not there is fine" {
	rmdir run/locks
	: >run/locks
	refused 1 "run/locks: cannot be read: Not a directory" a 1
	rm run/locks
	daemon a 1
}
