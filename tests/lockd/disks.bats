#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# disks.bats - lockd and disks that are not what they should be, or not there, or hang.

# $stderr is set by run --separate-stderr; $output, $status by run.
# shellcheck disable=SC2154,SC2034

bats_require_minimum_version 1.5.0
load lockd

setup() { lockd_setup; }
teardown() {
	lockd_teardown
	[ -z "${control:-}" ] || rm -f "/var/run/tgtd/socket.$control"*
}

# poke FILE OFFSET HEX RECORD: change bytes, and make the checksum of the record that begins at
# RECORD right again.
poke() {
	python3 - "$@" <<-'PYTHON'
	import sys
	name, offset, data, record = sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3]), int(sys.argv[4])
	with open(name, "r+b") as disk:
	    disk.seek(offset)
	    disk.write(data)
	    disk.seek(record)
	    crc = 0xffffffff
	    for byte in disk.read(508):
	        crc ^= byte
	        for _ in range(8):
	            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
	    disk.seek(record + 508)
	    disk.write((crc ^ 0xffffffff).to_bytes(4, "little"))
	PYTHON
}

# ---- options ----

@test "options that cannot be are refused with the inequality that fails" {
	cluster alpha disk1
	serve disk1
	refused 2 'lease >= 2 interval + 3 io-timeout does not hold: 900 ms < 2 x 50 + 3 x 300 = 1000 ms' \
		a 1 --lease 900
	refused 2 'member-timeout > interval + 2 io-timeout does not hold: 650 ms <= 50 + 2 x 300 = 650 ms' \
		b 1 --member-timeout 650
	refused 2 'lease >= 6 claim windows + 2 interval does not hold: 2000 ms < 3100 ms' \
		c 1 --watchdog required --expiry node
	refused 2 'node 17, but it has slots 1 to 16' d 17
	run -2 lockd --disk "$dir/disk1"
	[[ $output == *'no --node is given'* ]]
	run -2 lockd --disc "$dir/disk1"
	[[ $output == *'there is no option "--disc"; did you mean --disk?'* ]]
	run -2 lockd --node 1
	[[ $output == *'no --disk is given'* ]]
	run -2 lockd --node 1 --disk /x --name 17
	[[ $output == *'"17" is no name'* ]]
	run -0 lockd --help
	[[ $output == *'--expiry locks|node'* ]]
	run -0 lockd --version
	[[ $output == lockd\ * ]]
}

@test "no watchdogd: refused, unless told that it is to be so" {
	cluster alpha disk1
	serve disk1
	watchdog=()
	HOLDFAST_WATCHDOG_SOCKET=$dir/none refused 1 'start watchdogd' a 1
	logged a 'does not run'
}

# ---- what is no disk of ours ----

@test "a foreign disk, an empty one, one too short, a damaged superblock: nothing is written" {
	cluster alpha disk1
	truncate -s 4M disk2
	head -c 4M /dev/urandom >disk3
	truncate -s 1k disk4
	serve disk2
	refused 2 'disk2: not a disk of Holdfast' a 1
	serve disk3
	refused 2 'disk3: not a disk of Holdfast' b 1
	serve disk4
	refused 2 'disk4: has only 1024 bytes' c 1
	printf x | dd of=disk1 bs=1 seek=100 conv=notrunc status=none
	serve disk1
	refused 2 'the superblock is' d 1
}

@test "another format version, of the superblock: refused" {
	cluster alpha disk1
	# The version lies behind the magic.
	poke disk1 4 0900 0
	serve disk1
	refused 2 'of format version 9, this program knows version' a 1
}

@test "one disk too few, one too many, of two clusters, twice the same" {
	cluster alpha disk1 disk2 disk3
	cluster beta disk4
	serve disk1 disk2
	refused 2 'cluster "alpha" has 3 disk(s), 2 given' a 1
	serve disk4 disk1
	refused 2 'name' b 1
	serve disk1 disk2 disk4
	refused 2 'is of cluster' c 1
	ln disk1 disk5
	serve disk1 disk2 disk5
	refused 2 'are the same disk' d 1
	serve disk1 disk1 disk2
	refused 2 'disks 1 and 2 are given by one name' e 1
	cp disk1 disk6
	serve disk1 disk6 disk2
	refused 2 'both disk 1 of cluster "alpha"' f 1
}

@test "a missing disk: too few are refused, one of three is tolerated and found later" {
	cluster alpha disk1 disk2 disk3
	mv disk3 away
	mv disk2 away2
	serve disk1 disk2 disk3
	refused 2 'No such file' a 1
	mv away2 disk2
	daemon b 1
	state_is b '[.disks[] | select(.state == "missing")] | length == 1'
	mv away disk3
	until_true logged b 'disk 3 is there'
	until_true state_is b '[.disks[] | select(.state == "good")] | length == 3'
	# One that is something else is left alone.
	stop b
	mv disk3 away
	daemon b 1
	truncate -s 4M disk3
	until_true logged b 'disk3: not a disk of Holdfast'
	cmp -n 4194304 disk3 /dev/zero
	is_active b
}

@test "a record of another format version: told, left alone, and the others go on" {
	cluster alpha disk1
	serve disk1
	daemon a 1
	daemon c 3
	until_true sees a 3 alive
	stop c
	# Slot 3 is at 4096 * 3; its heartbeat is the first record.
	poke disk1 12292 0900 12288
	until_true logged a 'the heartbeat of node 3 is of a newer format'
	sha256sum <(dd if=disk1 bs=4096 skip=3 count=1 status=none) >before
	daemon b 2
	until_true sees a 2 alive
	daemon_start c 3
	ends c 1
	sha256sum <(dd if=disk1 bs=4096 skip=3 count=1 status=none) | cut -d' ' -f1 >after
	cut -d' ' -f1 before | diff after -
	is_active a
}

# ---- this machine's own ----

@test "a state folder that is full or no folder: told, and the node works" {
	cluster alpha disk1
	serve disk1
	: >file
	daemon a 1 --state "$dir/file/state"
	until_true logged a 'the disks alone know the last incarnation'
	[ "$(id -u)" -eq 0 ] || return 0
	mkdir full
	# shellcheck disable=SC2016 # expanded by the inner shell
	within=(unshare --mount --propagation private sh -c 'mount -t tmpfs -o size=4k none "$0" &&
		{ head -c 8k /dev/zero >"$0/filler" 2>/dev/null; :; } && exec "$@"' "$dir/full")
	daemon b 2 --state "$dir/full"
	until_true logged b 'No space left on device'
	until_true sees a 2 alive
}

@test "a run folder that cannot be: refused" {
	cluster alpha disk1
	serve disk1
	: >file
	refused 1 'give another --run-dir' a 1 --run-dir "$dir/file/run"
}

@test "a socket that somebody listens at, a file in its place: refused" {
	cluster alpha disk1
	serve disk1
	daemon a 1
	daemon_start b 2 --socket "$dir/a.sock"
	ends b 1
	logged b 'another program listens there'
	: >c.sock
	daemon_start c 3
	ends c 2
	logged c 'is there, and no socket'
	[ -f c.sock ]
	is_active a
}

# ---- disks that hang or go ----

# target SIZE: tgtd with one LUN, $dir/disk3; sets $url
target() {
	local port
	[ "$(id -u)" -eq 0 ] || skip "only root runs tgtd"
	control=$((1000 + $$ % 30000))
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	tgtd -f -C "$control" --iscsi "portal=127.0.0.1:$port" >tgtd.log 2>&1 3>&- &
	tgtd=$!
	others+=("$tgtd")
	until_true tgt --op show --mode sys
	truncate -s 4M disk3
	tgt --op new --mode target --tid 1 -T iqn.2026-11.test:disk
	tgt --op new --mode logicalunit --tid 1 --lun 1 -b "$dir/disk3"
	tgt --op bind --mode target --tid 1 -I ALL
	url=iscsi://127.0.0.1:$port/iqn.2026-11.test:disk/1
}

tgt() { tgtadm -C "$control" --lld iscsi "$@" >/dev/null 2>&1; }

@test "one of three disks hangs: it is told, the node lives on the others, and it comes back" {
	target
	truncate -s 4M disk1 disk2
	holdfast disk init --name alpha --arbiter paxos "$dir/disk1" "$dir/disk2" "$url"
	serve disk1 disk2 "$url"
	daemon a 1
	daemon b 2 --nexus 1
	until_true sees a 2 alive
	kill -STOP "$tgtd"
	until_true state_is a '.disks | any(.disk == 3 and .state != "good")'
	until_true logged a 'disk 3'
	is_active a
	is_active b
	sees a 2 alive
	kill -CONT "$tgtd"
	until_true state_is a '[.disks[] | select(.state == "good")] | length == 3'
	state_is a '.incarnation == 1'
}

@test "the only disk hangs: the lease is lost, nothing else; a new incarnation follows" {
	target
	holdfast disk init --name alpha --arbiter paxos "$url"
	serve "$url"
	daemon a 1
	kill -STOP "$tgtd"
	until_true logged a 'lease'
	until_true state_is a '.lease.valid == false and .state != "active"'
	kill -CONT "$tgtd"
	until_true is_active a
	state_is a '.incarnation == 2'
}

@test "an iSCSI session that breaks is begun anew" {
	target
	holdfast disk init --name alpha --arbiter paxos "$url"
	serve "$url"
	daemon a 1
	ask a '{"op":"subscribe","events":["disk"]}' events:4 >events &
	others+=($!)
	until_true grep -q '"ok":true' events
	# The same initiator, and the same session identifier: the target ends the old session.
	tgt --op delete --mode connection --tid 1 --sid 1 --cid 0 ||
		tgt --op delete --mode connection --tid 1 --sid 2 --cid 0
	until_true grep -q '"state":"back"' events
	until_true is_active a
	logged a 'logged in again'
}
