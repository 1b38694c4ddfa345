#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# lockd.bats - lockd as a client of watchdogd, in a jail with a fake device: what resets this machine, what
# does not, and pills that end a node. The second node, beside it, has no watchdog.

# What jail.bash sets is known there.
# shellcheck disable=SC2154

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
}

teardown() {
	local name
	for name in a b; do
		[ ! -s "$dir/$name.pid" ] || in_jail kill -KILL "$(cat "$dir/$name.pid")" 2>/dev/null || true
	done
	jail_end
}

# node NAME NODE [OPTION...]: a lockd in the jail, active
node() {
	node_start "$@"
	until_true node_is "$1" active
}

node_start() {
	local name=$1 number=$2
	shift 2
	# shellcheck disable=SC2016 # expanded by the inner shell
	in_jail sh -c 'echo $$ >"$0"; exec "$@"' "$dir/$name.pid" lockd --disk "$dir/disk" --node "$number" \
		--name "$name" --socket "$dir/$name.sock" --state "$dir/state" --run-dir "$dir/run" \
		--priority 0 --interval 50 --io-timeout 300 --member-timeout 1s --lease 4s --drain 0 "$@" \
		2>>"$dir/$name.log" &
	others+=($!)
}

ask() { "$here/../lockd/ask.py" "$dir/$1.sock" "${@:2}"; }

node_is() {
	local answer
	answer=$(ask "$1" '{"op":"status"}' 2>/dev/null) && jq -e ".state == \"$2\"" <<<"$answer" >/dev/null
}

sees() { ask "$1" '{"op":"peers"}' | jq -e ".peers | any(.node == $2 and .state == \"$3\")" >/dev/null; }

watchdogd() { daemon --device /dev/watchdog0 --timeout 1 "$@"; }

has_fired() { grep -qE '^(sysrq|reboot)|fired' "$dir/trace"; }

# petted_for N: the device is petted N times more, and nothing has fired
petted_for() {
	local wanted
	wanted=$(($(grep -c ' pet ' "$dir/trace") + $1))
	until_true eval "[ \$(grep -c ' pet ' '$dir/trace') -ge $wanted ]"
	run ! has_fired
}

@test "it registers, renews, and says goodbye" {
	watchdogd
	node a 1
	ask a '{"op":"status"}' >"$dir/status"
	jq -e '.watchdog.state == "renewed" and .watchdog.proof == "hardware" and .watchdog.timeout_ms == 1000
		and .watchdog.bound_ms == 6000 and .dead_ms > 6000 and (has("pill_ms") | not)' "$dir/status"
	status_of '.clients | length == 1 and .[0].name == "lockd-1" and .[0].deadline_ms == 4000'
	in_jail kill -TERM "$(cat "$dir/a.pid")"
	until_true status_of '.clients == []'
	petted_for 24
}

@test "expiry locks: a disk that is gone resets nobody" {
	watchdogd
	node a 1
	# Its superblock is another one: neither read nor written any more.
	printf x | dd of="$dir/disk" bs=1 seek=60 conv=notrunc status=none
	until_true grep -q 'lease' "$dir/a.log"
	until_true node_is a watching
	# Longer than lease and device.
	petted_for 28
	status_of '.clients[0].name == "lockd-1"'
}

@test "expiry node: a disk that is gone resets the machine" {
	watchdogd
	node a 1 --expiry node
	ask a '{"op":"status"}' >"$dir/status"
	jq -e '.lease.expiry == "node" and .pill_ms > 5000' "$dir/status"
	printf x | dd of="$dir/disk" bs=1 seek=60 conv=notrunc status=none
	until_true traced '^sysrq b$'
	grep -q 'lockd-1: LATE' "$dir/log"
}

@test "a lockd that is killed and not begun anew resets the machine; one that is, does not" {
	watchdogd
	node a 1
	in_jail kill -KILL "$(cat "$dir/a.pid")"
	until_true status_of '.clients[0].connected == 0'
	node a 1
	status_of '.clients | length == 1'
	petted_for 24
	in_jail kill -KILL "$(cat "$dir/a.pid")"
	until_true traced '^sysrq b$'
}

@test "a lockd that stands still resets the machine" {
	watchdogd
	node a 1
	in_jail kill -STOP "$(cat "$dir/a.pid")"
	until_true traced '^sysrq b$'
}

@test "a reset pill: acknowledged, then the reset, long before the lease would end" {
	watchdogd
	node a 1
	node b 2 --watchdog off
	until_true sees b 1 alive
	# More than the test can take: it is not the lease that ends it.
	ask b '{"op":"send","to":"a","pill":"reset"}' >"$dir/sent"
	until_true traced '^sysrq b$'
	cat "$dir/sent" "$dir/a.log"
	jq -se '[.[].progress] == ["posted", "delivered", null] and .[2].outcome == "accepted"' "$dir/sent"
	grep -q 'lockd-1-pill: LATE' "$dir/log"
	run ! grep -q 'lockd-1: LATE' "$dir/log"
	# The last words are on the disk.
	holdfast disk lastwords "$dir/disk" >"$dir/words"
	grep -q 'reset' "$dir/words"
}

# dying: the heartbeat of node 1 as it is once a pill that ends it has been acknowledged (format-disk.md)
dying() {
	python3 - "$dir/disk" <<-'END'
		import struct, sys

		def crc32c(data):
		    crc = 0xffffffff
		    for byte in data:
		        crc ^= byte
		        for _ in range(8):
		            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
		    return crc ^ 0xffffffff

		with open(sys.argv[1], "r+b") as disk:
		    disk.seek(4096)
		    record = bytearray(disk.read(512))
		    assert struct.unpack_from("<I", record, 508)[0] == crc32c(record[:508]) and record[140] == 2
		    record[140] = 4
		    struct.pack_into("<I", record, 508, crc32c(record[:508]))
		    disk.seek(4096)
		    disk.write(record)
	END
}

@test "a pill that was acknowledged, but not acted on, is acted on by the lockd that follows" {
	watchdogd
	node a 1
	in_jail kill -KILL "$(cat "$dir/a.pid")"
	until_true status_of '.clients[0].connected == 0'
	dying
	node_start a 1
	until_true traced '^sysrq b$'
	grep -q 'refused: this machine has accepted a pill that ends it' "$dir/a.log"
	[ "$(grep -c 'active, incarnation' "$dir/a.log")" -eq 1 ]
	node_is a dying
	grep -q 'lockd-1-pill: LATE' "$dir/log"
}

@test "off and crash are accepted where watchdogd does them, and declined elsewhere" {
	watchdogd
	node a 1
	node b 2 --watchdog off
	until_true sees b 1 alive
	for kind in off crash; do
		ask b "{\"op\":\"send\",\"to\":\"a\",\"pill\":\"$kind\"}" >"$dir/sent"
		tail -n 1 "$dir/sent" | jq -e '.ok == false and .cause == "unsupported"'
	done
	petted_for 4
}

@test "an off pill where watchdogd switches off" {
	watchdogd --on-expiry off
	node a 1
	node b 2 --watchdog off
	until_true sees b 1 alive
	ask b '{"op":"send","to":"a","pill":"off"}' >"$dir/sent"
	tail -n 1 "$dir/sent" | jq -e '.outcome == "accepted"'
	until_true traced '^sysrq o$'
}

@test "a watchdogd without a device that works is refused" {
	daemon_file --timeout 1
	node_start a 1
	until_true grep -q 'none of its devices would reset this machine' "$dir/a.log"
	# It has said goodbye.
	until_true status_of '.clients == []'
}
