#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# doctor.bats - `holdfast disk doctor`: what it finds, and above all what it leaves alone: a disk is not
# changed by it but for the place of its own node's doctor. On files, loop devices, and tgtd.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_TMPDIR"
	export PATH=$HOLDFAST_BIN:$PATH HOLDFAST_LOCKD_SOCKET=$BATS_TEST_TMPDIR/no-lockd.sock
	folder=$PWD
	loops=()
	pids=()
	targets=()
}

teardown() {
	local pid loop
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
	for pid in "${targets[@]}"; do kill -KILL "$pid" && wait "$pid" 2>/dev/null; done
	for loop in "${loops[@]}"; do losetup -d "$loop"; done
	[ -z "${control:-}" ] || rm -f "/var/run/tgtd/socket.$control"*
}

# prepared NAME...: a cluster's disks, of four nodes and no more than that
prepared() {
	local name
	for name; do truncate -s 2M "$name"; done
	holdfast disk init --name alpha --nodes 4 "${@/#/$folder/}" >/dev/null
}

# doctor STATUS ARGUMENT...: JSON in ./out
doctor() {
	local expected=$1
	shift
	run -"$expected" --separate-stderr holdfast disk doctor --json "$@"
	printf '%s\n' "$output" >out
	# shellcheck disable=SC2154 # set by run
	printf '%s\n' "$stderr"
	cat out
}

# found LEVEL CHECK TEXT: it says so, of any disk
found() {
	jq -es --arg level "$1" --arg check "$2" --arg text "$3" \
		'any(.kind == "check" and .level == $level and .check == $check and
			(.text | contains($text)))' out
}

# doctor_at FILE: where the places begin, as the superblock says (the last of its offsets)
doctor_at() { python3 -c '
import struct, sys
block = open(sys.argv[1], "rb").read(512)
nodes = struct.unpack_from("<H", block, 126)[0]
size = next(o for o in range(244, 400) if 0 < struct.unpack_from("<Q", block, o)[0] < 1 << 32
	and struct.unpack_from("<Q", block, o + 8)[0] == struct.unpack_from("<Q", block, o)[0] - 4096 * nodes)
print(struct.unpack_from("<Q", block, size + 8)[0])' "$1"; }

# poke FILE OFFSET HEX RECORD: change bytes of the record, and make its checksum right again
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

# A node of this machine has been in slot 4: the link test's record, with its flag taken away.
slot_of_this_machine() {
	holdfast disk test --rx -t 1 "$folder/$1" >/dev/null || true
	poke "$1" $((4096 * 4 + 141)) 00 $((4096 * 4))
}

# target FILE...: tgtd with a logical unit for each, as LUN 1, 2 ...; sets $url and $control
target() {
	local port i lun=0 file
	[ "$(id -u)" -eq 0 ] || skip "only root runs tgtd"
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	control=$((1000 + $$ % 30000))
	tgtd -f -C "$control" --iscsi "portal=127.0.0.1:$port" >out.tgtd 2>&1 3>&- &
	targets+=($!)
	for ((i = 0; i < 200; i++)); do
		! tgtadm -C "$control" --op show --mode sys >/dev/null 2>&1 || break
		sleep 0.05
	done
	tgtadm -C "$control" --lld iscsi --op new --mode target --tid 1 -T iqn.2026-11.test:doctor
	for file; do
		lun=$((lun + 1))
		tgtadm -C "$control" --lld iscsi --op new --mode logicalunit --tid 1 --lun "$lun" \
			-b "$folder/$file"
	done
	tgtadm -C "$control" --lld iscsi --op bind --mode target --tid 1 -I ALL
	url=iscsi://127.0.0.1:$port/iqn.2026-11.test:doctor
}

@test "a prepared disk is fit; only the place of this node's doctor is written" {
	local at
	prepared a
	cp a before
	at=$(doctor_at a)
	run -0 holdfast disk doctor --node 3 "$folder/a"
	[[ $output == *"Timeouts (lockd's defaults): interval 250"* ]]
	[[ $output == *"/a: fit"* ]]
	[[ $output == *"all together: fit"* ]]
	[ "$(stat -c %s a)" -eq "$(stat -c %s before)" ]
	# Bytes that differ, counted from 1.
	cmp -l a before >differ || true
	awk -v from=$((at + 2 * 4096)) '$1 <= from || $1 > from + 4096 { exit 1 }' differ
	[ -s differ ]
	doctor 0 --node 3 "$folder/a"
	jq -es 'map(select(.check == "reads" or .check == "writes")) | length == 2 and
		all(.[]; .requests > 0 and .p50_us <= .p99_us and .p99_us <= .longest_us)' out
	jq -es 'any(.check == "reads" and .bytes == 20480) and any(.check == "writes" and .bytes == 4096)' out
	jq -es 'any(.check == "round" and .limit_ms == 250) and any(.check == "slot claim" and .limit_ms == 500)
		and any(.check == "lock budget" and .limit_ms == 1000)' out
	found good read-back 'what was written is what is read'
	jq -es '.[-1] == {"kind": "verdict", "disk": null, "verdict": "fit"}' out
}

@test "where it is not known which node this is, nothing is written" {
	prepared a
	sha256sum a >before
	doctor 0 "$folder/a"
	found note writes 'which node this machine is, is not known'
	sha256sum -c before
	doctor 0 --node 5 "$folder/a"
	found note writes 'it has no place for node 5'
	sha256sum -c before
}

@test "the slots tell which node this is" {
	prepared a
	slot_of_this_machine a
	doctor 0 "$folder/a"
	jq -es 'any(.check == "writes" and .requests > 0)' out
	# Its timeouts are those that count, unless it has left.
	jq -es 'any(.kind == "timeouts" and .source == "lockd'"'"'s defaults")' out
	poke a $((4096 * 4 + 140)) 02 $((4096 * 4))
	doctor 0 "$folder/a"
	jq -es 'any(.kind == "timeouts" and (.source | contains("publish")) and .io_timeout_ms == 1000)' out
	# Of another machine: whoever says --node 4 here is wrong.
	poke a $((4096 * 4 + 44)) 00000000000000000000000000000001 $((4096 * 4))
	sha256sum a >before
	doctor 0 --node 4 "$folder/a"
	found doubt node 'on another machine'
	sha256sum -c before
}

@test "what the doctor of another node wrote is seen" {
	prepared a
	doctor 0 --node 2 "$folder/a"
	doctor 0 --node 1 "$folder/a"
	jq -es 'any(.check == "seen here" and .node == 2) and all(.[]; .node != 1)' out
	# Garbage in a place is nobody's misfortune; a record that belongs elsewhere is.
	dd if=/dev/urandom of=a bs=4096 seek=$(($(doctor_at a) / 4096 + 2)) count=1 conv=notrunc status=none
	doctor 0 --node 1 "$folder/a"
	dd if=a of=a bs=4096 skip=$(($(doctor_at a) / 4096 + 1)) seek=$(($(doctor_at a) / 4096 + 3)) \
		count=1 conv=notrunc status=none
	doctor 1 --node 1 "$folder/a"
	found unfit 'seen here' 'the place of node 4 is'
}

@test "a disk that nobody has prepared is examined, and left as it is" {
	truncate -s 2M a
	head -c 1M /dev/urandom >b
	sha256sum a b >before
	doctor 0 --node 1 "$folder/a" "$folder/b"
	found note superblock 'not a disk of Holdfast yet'
	jq -es 'map(select(.check == "reads" and .requests > 0)) | length == 2' out
	sha256sum -c before
}

@test "damaged, newer, cut, gone: unfit, with the reason, and left alone" {
	prepared a b
	cp a damaged
	printf '\377' | dd of=damaged bs=1 seek=50 conv=notrunc status=none
	cp a newer
	poke newer 4 02 0
	cp a cut
	truncate -s 20K cut
	sha256sum a b damaged newer cut >before
	doctor 1 "$folder/damaged"
	found unfit superblock 'damaged'
	doctor 1 "$folder/newer"
	found unfit superblock 'of format version 2'
	doctor 1 "$folder/cut"
	found unfit superblock 'its records take'
	doctor 1 "$folder/absent" "$folder/a"
	found unfit open 'No such file'
	# The other one is examined all the same.
	found doubt cluster 'has 2 disks, 1 could be examined'
	jq -es 'any(.kind == "verdict" and .verdict == "fit" and (.disk | endswith("/a")))' out
	sha256sum -c before
}

@test "disks that do not belong together, and one disk by two names" {
	prepared a b
	truncate -s 2M c
	holdfast disk init --name beta "$folder/c" >/dev/null
	doctor 0 "$folder/a" "$folder/b"
	found good cluster 'both disks of cluster "alpha"'
	doctor 1 "$folder/a" "$folder/c"
	found unfit cluster 'of cluster "alpha"'
	ln -s a link
	doctor 0 "$folder/a" "$folder/link"
	found note identity 'another path to'
	found doubt cluster 'has 2 disks, 1 could be examined'
}

@test "a read-only disk is unfit" {
	local loop
	[ "$(id -u)" -eq 0 ] || skip "only root makes loop devices"
	prepared a
	loop=$(losetup --show -r -f a 2>/dev/null) || skip "no loop device to be had"
	loops+=("$loop")
	doctor 1 --node 1 "$loop"
	found unfit access 'read-only'
	jq -es 'any(.check == "write cache" and .write_cache != "unknown")' out
}

@test "wrong use" {
	run -2 holdfast disk doctor
	run -2 holdfast disk doctor 1 2 3 4 5 6 7 8 9 10 11 12 13
	run -2 holdfast disk doctor --node 65 /dev/null
	run -0 holdfast disk doctor --help
	[[ $output == *'0 fit (or doubtful), 1 something is unfit'* ]]
}

@test "--timeout ends it" {
	prepared a
	doctor 0 -t 0.1 --node 1 "$folder/a"
	jq -es 'any(.check == "reads" and .requests >= 1)' out
}

@test "a SCSI disk: identity, cache, reservations" {
	truncate -s 4M a b
	target a b
	doctor 0 "$url/1"
	jq -es 'any(.check == "identity" and .level == "good" and .vendor == "IET" and (.id | length) > 8)' out
	jq -es 'any(.check == "write cache" and .write_cache != "unknown")' out
	# tgt has neither of these.
	jq -es 'any(.check == "reservations" and .scsi and (.lacks | contains("PREEMPT AND ABORT")))' out
	# Nothing was left on it.
	holdfast pr keys --json "$url/1" | jq -e '.count == 0'
	holdfast disk init --name alpha --arbiter paxos "$url/1" "$url/2" >/dev/null
	doctor 0 --node 1 "$url/1" "$url/2"
	found good arbiter paxos
	found good cluster 'both disks'
	# Reserved: whoever is not registered can read, no more.
	holdfast pr reserve "$url/1" --key 0x1 --register --nexus 9 --type we-ro >/dev/null
	doctor 0 --node 1 "$url/1"
	found doubt writes 'not measured: the disk is reserved'
	jq -es 'any(.check == "reads" and .requests == 200)' out
	jq -es 'any(.check == "reservations" and .held)' out
	# Two units that call themselves the same.
	tgtadm -C "$control" --lld iscsi --op delete --mode logicalunit --tid 1 --lun 2
	truncate -s 8M c
	tgtadm -C "$control" --lld iscsi --op new --mode logicalunit --tid 1 --lun 2 -b "$folder/c"
	tgtadm -C "$control" --lld iscsi --op update --mode logicalunit --tid 1 --lun 1 \
		--params scsi_id=SAME,scsi_sn=SAME
	tgtadm -C "$control" --lld iscsi --op update --mode logicalunit --tid 1 --lun 2 \
		--params scsi_id=SAME,scsi_sn=SAME
	doctor 1 "$url/1" "$url/2"
	found unfit identity 'both call themselves'
}

@test "a disk that is too slow for the timeouts that the nodes publish" {
	local i
	truncate -s 2M a
	target a
	holdfast disk init --name alpha --nodes 4 --arbiter paxos "$url/1" >/dev/null
	slot_of_this_machine a
	# Active; interval, limit and lease of 1 ms.
	poke a $((4096 * 4 + 140)) 02 $((4096 * 4))
	poke a $((4096 * 4 + 144)) 010000000100000001000000 $((4096 * 4))
	holdfast disk doctor --json "$url/1" >out 2>err 3>&- &
	pids+=($!)
	# A target that is stopped most of the time answers late.
	for ((i = 0; i < 400; i++)); do
		kill -STOP "${targets[0]}"
		sleep 0.04
		kill -CONT "${targets[0]}"
		sleep 0.01
		kill -0 "${pids[0]}" 2>/dev/null || break
	done
	run -1 wait "${pids[0]}"
	pids=()
	cat out err
	found unfit reads 'one may take 1 ms'
	found unfit round 'of 1 ms'
}

# node N DISK: a lockd, its process in pids
node() {
	lockd --disk "$folder/$2" --node "$1" --name "n$1" --watchdog off --socket "$folder/n$1.sock" \
		--state "$folder/s$1" --run-dir "$folder/r$1" --priority 0 --interval 100 \
		--io-timeout 500 --lease 3000 --member-timeout 60000 2>>"out.n$1" 3>&- &
	pids+=($!)
}

# until TEXT FILE: a lockd has said so
until_said() {
	local i
	for ((i = 0; i < 1000; i++)); do
		! grep -qF -- "$1" "$2" || return 0
		sleep 0.02
	done
	cat "$2"
	return 1
}

@test "with lockd: its timeouts, its node, and a nonce to every node that is alive" {
	prepared a b
	# One disk each, so that they are clusters of their own.
	truncate -s 2M c
	holdfast disk init --name one --nodes 4 "$folder/c" >/dev/null
	export HOLDFAST_LOCKD_SOCKET=$folder/n1.sock
	node 1 c
	until_said 'active' out.n1
	doctor 0 "$folder/c"
	found note nodes 'no other node is alive'
	jq -es 'any(.kind == "timeouts" and (.source | contains("lockd on this node"))
		and .interval_ms == 100 and .lease_ms == 3000 and .member_timeout_ms == 60000)' out
	# The place of node 1, without being told.
	jq -es 'any(.check == "writes" and .requests > 0)' out
	doctor 0 --node 2 "$folder/c"
	found doubt node 'lockd of this machine is node 1'
	node 2 c
	until_said 'node 2: alive' out.n1
	doctor 0 "$folder/c"
	jq -es 'any(.check == "node" and .level == "good" and .node == 2 and .name == "n2" and .answered)' out
	# Of other disks lockd can tell nothing.
	doctor 0 "$folder/a" "$folder/b"
	found note lockd 'serves other disks'
	# A node that writes, or did until now, and does not answer.
	kill -STOP "${pids[1]}"
	doctor 1 -t 4 "$folder/c"
	kill -CONT "${pids[1]}"
	jq -es 'any(.check == "node" and .level == "unfit" and .node == 2 and (.answered | not))' out
}
