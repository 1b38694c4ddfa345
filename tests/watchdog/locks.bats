#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# locks.bats - named locks with a watchdog behind the lease, in a jail with a fake device: when a lock
# goes over, and when the machine is reset for it. The second node, beside it, has no watchdog.

# What jail.bash sets is known there; expressions for until_true expand when they are tried.
# shellcheck disable=SC2154,SC2016

bats_require_minimum_version 1.5.0

# shellcheck source-path=SCRIPTDIR
load jail.bash

setup_file() { export BATS_TEST_TIMEOUT=150; }

setup() {
	jail_start
	export PATH=$HOLDFAST_BIN:$PATH
	device 0
	devices_start
	truncate -s 4M "$dir/disk"
	holdfast disk init --name alpha --arbiter paxos "$dir/disk" >"$dir/init.log"
	daemon --device /dev/watchdog0 --timeout 1
	node a 1
	node b 2 --watchdog off
}

teardown() {
	jail_end
}

# node NAME NODE [OPTION...]: a lockd in the jail, active
node() {
	local name=$1 number=$2
	shift 2
	# shellcheck disable=SC2016 # expanded by the inner shell
	in_jail sh -c 'echo $$ >"$0"; exec "$@"' "$dir/$name.pid" lockd --disk "$dir/disk" --node "$number" \
		--name "$name" --socket "$dir/$name.sock" --state "$dir/state" --run-dir "$dir/run" \
		--priority 0 --interval 50 --io-timeout 300 --member-timeout 1s --lease 3s --drain 0 "$@" \
		2>>"$dir/$name.log" &
	others+=($!)
	until_true node_is "$name" active
}

node_is() {
	local answer
	answer=$("$here/../lockd/ask.py" "$dir/$1.sock" '{"op":"status"}' 2>/dev/null) &&
		jq -e ".state == \"$2\"" <<<"$answer" >/dev/null
}

lock() { in_jail env HOLDFAST_LOCKD_SOCKET="$dir/$1.sock" holdfast lock "${@:2}"; }

# lock_start NODE WORD...: in the background; its process in the jail is $dir/run.pid, outside $runner
lock_start() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	in_jail sh -c 'echo $$ >"$0"; exec "$@"' "$dir/run.pid" env HOLDFAST_LOCKD_SOCKET="$dir/$1.sock" \
		holdfast lock "${@:2}" 2>>"$dir/run.err" &
	runner=$!
	others+=("$runner")
}

ran() {
	local status=0
	wait "$runner" || status=$?
	[ "$status" -eq "$1" ] || { echo "ended with $status"; cat "$dir/run.err"; return 1; }
}

signal() { in_jail kill "-$1" "$(cat "$dir/$2.pid")"; }

has_fired() { grep -qE '^(sysrq|reboot)|fired' "$dir/trace"; }

petted_for() {
	local wanted
	wanted=$(($(grep -c ' pet ' "$dir/trace") + $1))
	until_true eval "[ \$(grep -c ' pet ' '$dir/trace') -ge $wanted ]"
	run ! has_fired
}

# A command that heeds nothing, and has begun.
held_by_the_deaf() {
	lock_start a run x -- sh -c 'trap "" TERM; echo $$ >"$0"; while :; do sleep 0.01; done' "$dir/command.pid"
	until_true test -s "$dir/command.pid"
}

fate_is() { lock b list --json x | jq -e ".fate == \"$1\"" >/dev/null; }

@test "a node that is silent keeps its lock until it is reset" {
	held_by_the_deaf
	signal KILL a
	signal KILL run
	ran 137
	until_true fate_is pending
	run -1 lock b break x
	[[ $output == *"not broken: its holder a (node 1) is silent, and is proven over in "*" ms; try again then"* ]]
	run -120 lock b run x --wait 0 -- true
	[[ $output == *"held by a (node 1), whose lease ends in at most "*" ms"* ]]
	lock_start b run x -- cp "$dir/trace" "$dir/then"
	until_true grep -q 'waiting; held by node a, whose lease ends in at most [1-9] s' "$dir/run.err"
	ran 0
	# What it saw when it got the lock: a's watchdog had fired.
	grep -q '^sysrq b$' "$dir/then"
}

@test "a holder that is proven over: broken without a word, and by whom" {
	held_by_the_deaf
	signal KILL a
	signal KILL run
	ran 137
	until_true fate_is over
	run -0 lock b break x
	[[ $output == "x: broken; its holder was a (node 1)" ]]
	run -0 lock b list
	[[ $output == *"x"*"free (broken)"*"b (2)"* ]]
	lock b list --json x | jq -e '.state == "broken" and .vouched == false and .term == 2'
}

@test "the disk is gone under a lock: its command is ended in time, nobody is reset" {
	held_by_the_deaf
	# Its superblock is another one: neither read nor written any more.
	printf x | dd of="$dir/disk" bs=1 seek=60 conv=notrunc status=none
	ran 121
	run ! in_jail kill -0 "$(cat "$dir/command.pid")"
	grep -q 'lock x: its command is asked to end (lease)' "$dir/a.log"
	until_true grep -q 'lease lost' "$dir/a.log"
	# Longer than lease and device.
	petted_for 28
}

@test "lockd is killed under a lock and begun anew in time: nobody is reset, and the lock goes over" {
	held_by_the_deaf
	signal KILL a
	node a 1
	run ! in_jail kill -0 "$(cat "$dir/command.pid")"
	ran 122
	lock b run x --wait 20 -- true
	petted_for 24
}
