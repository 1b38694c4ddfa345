#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# disk.bats - `holdfast disk`: preparing disks, looking at them, the link test; and all that must be
# refused without a byte being written. On files, and on loop devices where root may make them.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_TMPDIR"
	export PATH=$HOLDFAST_BIN:$PATH
	folder=$PWD
	loops=()
	pids=()
	targets=()
	mounted=
}

teardown() {
	local pid loop
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
	# tgtd does not end while it has targets.
	for pid in "${targets[@]}"; do kill -KILL "$pid" && wait "$pid" 2>/dev/null; done
	for loop in "${loops[@]}"; do losetup -d "$loop"; done
	[ -z "$mounted" ] || umount "$mounted"
}

# A file of so many bytes (1M) for each name.
make_disk() {
	local name
	for name; do truncate -s "${size:-1M}" "$name"; done
}

# prepared NAME...: a cluster's disks
prepared() {
	make_disk "$@"
	holdfast disk init --name "${cluster:-alpha}" ${nodes:+--nodes "$nodes"} "${@/#/$folder/}"
}

# loop_device FILE [OPTION...]: sets $loop
loop_device() {
	[ "$(id -u)" -eq 0 ] || skip "only root makes loop devices"
	loop=$(losetup --show -f "${@:2}" "$1" 2>/dev/null) || skip "no loop device to be had"
	loops+=("$loop")
}

# wait_for FILE TEXT: until the file has the text
wait_for() {
	local i
	for ((i = 0; i < 600; i++)); do
		! grep -qF -- "$2" "$1" || return 0
		sleep 0.05
	done
	cat "$1"
	return 1
}

# Checksums of the disks; bats keeps a file of its own here.
sums() { find . -maxdepth 1 -type f ! -name 'out*' ! -name 'separate-*' -exec sha256sum {} + | sort; }

# refused STATUS TEXT COMMAND...: it fails so, says so, and no disk in the folder has changed
refused() {
	local expected=$1 text=$2
	shift 2
	sums >../before
	run "-$expected" --separate-stderr "$@"
	# shellcheck disable=SC2154 # set by run
	printf '%s\n' "$stderr"
	[[ $stderr == *"$text"* ]]
	sums | diff ../before -
}

# poke FILE OFFSET HEX [RECORD]: change bytes, then make the checksum of the record that begins
# at RECORD right again
poke() {
	python3 - "$@" <<-'PYTHON'
	import sys
	name, offset, data = sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3])
	with open(name, "r+b") as disk:
	    disk.seek(offset)
	    disk.write(data)
	    if len(sys.argv) > 4:
	        disk.seek(int(sys.argv[4]))
	        crc = 0xffffffff
	        for byte in disk.read(508):
	            crc ^= byte
	            for _ in range(8):
	                crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
	        disk.seek(int(sys.argv[4]) + 508)
	        disk.write((crc ^ 0xffffffff).to_bytes(4, "little"))
	PYTHON
}

# ---- init and show ----

@test "init prepares one disk; show tells it, as text and JSON" {
	make_disk a
	run -0 holdfast disk init --name alpha --nodes 4 "$folder/a"
	[[ $output == *'disk 1 of 1 of cluster "alpha"'*'4 nodes, 64 locks, sectors of 512 bytes'* ]]
	run -0 holdfast disk show "$folder/a"
	[[ $output == *'disk 1 of 1 of cluster "alpha"'* ]]
	[[ $output == *'no node has written yet'* ]]
	run -0 holdfast disk show --json "$folder/a"
	jq -e '.kind == "disk" and .cluster == "alpha" and .index == 1 and .disks == 1 and .nodes == 4
		and .sector_bytes == 512 and .version == 1 and .initialisations == 1 and
		(.cluster_id | length) == 16' <<<"$output"
}

@test "init: the arbiter is chosen, and stands on the disk" {
	make_disk a
	run -0 holdfast disk init --name alpha --locks 3 "$folder/a"
	[[ $output == *"arbiter paxos: $folder/a takes no SCSI commands, so it has no reservations"* ]]
	holdfast disk show --json "$folder/a" | jq -e '.arbiter == "paxos" and .locks == 3'
	refused 2 'no SCSI commands, so it has no reservations; --arbiter paxos works on every disk' \
		holdfast disk init --name alpha --force alpha --arbiter pr "$folder/a"
	run -0 holdfast disk init --name alpha --force alpha --arbiter paxos "$folder/a"
	[[ $output == *'arbiter paxos: as asked for'* ]]
}

@test "init of two and of three disks gives each its index" {
	local count
	for count in 2 3; do
		rm -f a b c
		make_disk a b c
		local -a disks=("$folder/a" "$folder/b" "$folder/c")
		holdfast disk init --name alpha "${disks[@]:0:count}"
		holdfast disk show --json "${disks[@]:0:count}" >out
		jq -es --argjson n "$count" 'length == $n and ([.[].index] == [range(1; $n + 1)]) and
			all(.[]; .disks == $n) and ([.[].cluster_id] | unique | length) == 1 and
			([.[].uuid] | unique | length) == $n' out
	done
	# In whatever order they are named.
	run -0 holdfast disk show "$folder/c" "$folder/a" "$folder/b"
	[[ ${lines[0]} == */a:\ disk\ 1* ]]
}

@test "init again goes on only by the name of what is there, and counts" {
	prepared a
	refused 2 'holds a disk of a cluster (alpha); to overwrite it, say --force alpha' \
		holdfast disk init --name beta "$folder/a"
	refused 2 'holds a disk of a cluster (alpha)' \
		holdfast disk init --name beta --force beta "$folder/a"
	holdfast disk init --name beta --force alpha "$folder/a"
	holdfast disk show --json "$folder/a" | jq -e '.cluster == "beta" and .initialisations == 2'
}

@test "init looks at all disks before it writes one" {
	prepared b
	make_disk a
	refused 2 '/b: holds a disk of a cluster (alpha)' \
		holdfast disk init --name beta "$folder/a" "$folder/b"
}

@test "init refuses file systems, swap, partition tables and unknown data, and obeys their names" {
	local kind
	for kind in ext4 swap dos gpt data; do
		rm -f a
		size=8M make_disk a
		case $kind in
		ext4) mkfs.ext4 -q a ;;
		swap) mkswap -q a ;;
		dos) printf 'label: dos\n,,83\n' | sfdisk -q a ;;
		gpt) printf 'label: gpt\n,,L\n' | sfdisk -q a ;;
		data) echo 'dear diary' | dd of=a bs=1 seek=20000 conv=notrunc status=none ;;
		esac
		refused 2 "($kind); to overwrite it, say --force $kind" \
			holdfast disk init --name alpha "$folder/a"
		refused 2 "($kind)" holdfast disk init --name alpha --force other "$folder/a"
		holdfast disk init --name alpha --force "other,$kind" "$folder/a"
		# Nothing of it is left for others to find.
		run -2 blkid -p a
	done
}

@test "init does not take a disk from a running cluster, whatever --force says" {
	prepared a
	holdfast disk test --rx "$folder/a" >out.rx 2>&1 &
	pids+=($!)
	wait_for out.rx listening
	run -2 --separate-stderr holdfast disk init --name beta --force alpha "$folder/a"
	[[ $stderr == *'node 16 of cluster "alpha" is writing heartbeats to it; stop Holdfast'* ]]
	holdfast disk show --json "$folder/a" | jq -es '.[0].cluster == "alpha"'
}

@test "init: wrong use" {
	make_disk a
	refused 2 '--name: the cluster needs a name' holdfast disk init "$folder/a"
	refused 2 'expected up to 63 letters' holdfast disk init --name 'a b' "$folder/a"
	refused 2 'expected up to 63 letters' holdfast disk init --name '' "$folder/a"
	refused 2 'one to three' holdfast disk init --name a
	refused 2 'one to three' holdfast disk init --name a /1 /2 /3 /4
	refused 2 '--nodes' holdfast disk init --name a --nodes 65 "$folder/a"
	refused 2 '--nodes' holdfast disk init --name a --nodes 1 "$folder/a"
	refused 2 '--sector' holdfast disk init --name a --sector 1024 "$folder/a"
	refused 2 '--locks' holdfast disk init --name a --locks 1025 "$folder/a"
	refused 2 '--arbiter quorum: expected auto, pr or paxos' \
		holdfast disk init --name a --arbiter quorum "$folder/a"
}

@test "init: one disk under two names" {
	make_disk a
	ln -s a link
	refused 2 'are the same disk' holdfast disk init --name a "$folder/a" "$folder/link"
}

@test "init: too small a disk" {
	size=64K make_disk a
	refused 2 'has 65536 bytes, 16 nodes and 64 locks need' \
		holdfast disk init --name a "$folder/a"
	holdfast disk init --name a --nodes 4 --locks 1 "$folder/a"
}

@test "init: a disk that fills up is left without a superblock" {
	[ "$(id -u)" -eq 0 ] || skip "only root mounts"
	mkdir small
	mount -t tmpfs -o size=48k none small || skip "no tmpfs to be had"
	mounted=$folder/small
	truncate -s 1M small/a
	run -1 --separate-stderr holdfast disk init --name alpha "$folder/small/a"
	[[ $stderr == *'No space left'* ]]
	run -2 --separate-stderr holdfast disk show "$folder/small/a"
	[[ $stderr == *'not a disk of Holdfast'* ]]
}

# ---- what is refused ----

@test "show, watch, lastwords and test refuse what is no disk of a cluster" {
	local command
	make_disk zeros
	head -c 1M /dev/urandom >garbage
	for command in show watch lastwords "test --rx"; do
		# shellcheck disable=SC2086 # words of the command
		refused 2 'not a disk of Holdfast' holdfast disk $command -t 5 "$folder/zeros"
		# shellcheck disable=SC2086
		refused 2 'not a disk of Holdfast' holdfast disk $command -t 5 "$folder/garbage"
	done
	size=512 make_disk tiny
	refused 2 'has only 512 bytes, not a disk' holdfast disk show "$folder/tiny"
	size=0 make_disk empty
	refused 2 'has no sectors' holdfast disk show "$folder/empty"
	refused 2 'absent' holdfast disk show "$folder/absent"
}

@test "a damaged superblock" {
	prepared a
	poke a 50 ff
	refused 2 'the superblock is damaged (its checksum does not fit)' \
		holdfast disk test --tx "$folder/a"
	refused 2 '--force damaged' holdfast disk init --name alpha "$folder/a"
	holdfast disk init --name alpha --force damaged "$folder/a"
}

@test "a disk of a newer format" {
	prepared a
	poke a 4 0200 0
	refused 2 'of format version 2, this program knows version 1; use the holdfast of the node' \
		holdfast disk test --tx "$folder/a"
	refused 2 '(newer)' holdfast disk init --name alpha --force alpha "$folder/a"
	prepared b
	poke b 12 01 0
	refused 2 'with unknown features' holdfast disk show "$folder/b"
}

@test "a superblock whose numbers do not fit together" {
	prepared a
	poke a 126 20 0 # 32 nodes in the places of 16
	refused 2 'with values that cannot be' holdfast disk show "$folder/a"
}

@test "disks that do not belong together" {
	prepared a b
	cluster=beta prepared c
	cp b b2
	make_disk d e
	holdfast disk init --name gamma --nodes 8 "$folder/d" "$folder/e" >/dev/null
	refused 2 'is of cluster "alpha"' holdfast disk show "$folder/a" "$folder/c"
	refused 2 'are both disk 2 of cluster "alpha"' holdfast disk show "$folder/b" "$folder/b2"
	# A disk of the same cluster with another number of nodes.
	poke e 125 03 0
	refused 2 'were prepared differently' holdfast disk show "$folder/d" "$folder/e"
}

@test "a disk that was cut" {
	prepared a
	truncate -s 60K a
	refused 2 'has 61440 bytes, its records take' holdfast disk test --tx "$folder/a"
}

@test "a disk of 4096-byte sectors opened with 512, and the other way round" {
	size=8M make_disk a b
	loop_device a -b 4096
	holdfast disk init --name alpha "$loop"
	holdfast disk show --json "$loop" | jq -e '.sector_bytes == 4096'
	losetup -d "$loop"
	unset 'loops[-1]'
	loop_device a
	refused 2 'prepared for sectors of 4096 bytes, but opened with 512' \
		holdfast disk test --tx "$loop"
	loop_device b
	holdfast disk init --name alpha "$loop"
	losetup -d "$loop"
	unset 'loops[-1]'
	loop_device b -b 4096
	refused 2 'prepared for sectors of 512 bytes, but opened with 4096' \
		holdfast disk show "$loop"
}

@test "a disk that is read-only can be looked at, no more" {
	prepared a
	make_disk b
	loop_device a -r
	holdfast disk show "$loop"
	refused 2 'is read-only; make it writable' holdfast disk test --tx "$loop"
	loop_device b -r
	refused 2 'is read-only' holdfast disk init --name beta "$loop"
}

@test "a damaged record is told, and makes show fail" {
	prepared a
	poke a 8192 48466862 # the slot of node 2
	run -1 holdfast disk show "$folder/a"
	[[ $output == *'the heartbeat of node 2 is damaged'* ]]
	run -1 holdfast disk show --json "$folder/a"
	jq -es 'any(.kind == "bad-record" and .node == 2)' <<<"$output"
}

# ---- the link test ----

# both [OPTION...]: --rx and --tx on $disk; their output in out.rx and out.tx
both() {
	holdfast disk test --rx "$disk" >out.rx 2>&1 &
	pids+=($!)
	run -0 holdfast disk test --tx "$disk"
	printf '%s\n' "$output" >out.tx
	wait "${pids[-1]}"
	unset 'pids[-1]'
}

@test "the link test goes both ways, and leaves its slots" {
	prepared a
	disk=$folder/a
	both
	cat out.rx out.tx
	grep -qF 'node 16 answered after' out.tx
	grep -qF '(3 of 3)' out.tx
	grep -qF 'the disk carries both ways' out.tx
	grep -qF 'received from node 15' out.rx
	grep -qF 'the disk carries both ways' out.rx
	holdfast disk show --json "$disk" |
		jq -es '[.[] | select(.kind == "node") | [.node, .state, .link_test]] ==
			[[15, "left", true], [16, "left", true]]'
	# Once more: the next incarnation in the same slots.
	both
	holdfast disk show --json "$disk" |
		jq -es 'all(.[] | select(.kind == "node"); .incarnation == 2)'
	holdfast disk lastwords --node 16 "$disk" >words
	[ "$(grep -c 'pill received from node 15: test' words)" -eq 6 ]
}

@test "the link test on sectors of 4096 bytes" {
	make_disk a
	holdfast disk init --name alpha --sector 4096 --nodes 2 "$folder/a"
	disk=$folder/a
	both
	grep -qF 'node 2 answered after' out.tx
}

@test "the link test fails when nobody answers" {
	prepared a
	run -1 holdfast disk test --tx -t 2 "$folder/a"
	[[ $output == *'nobody answered; does --rx run on the other node'* ]]
	run -1 holdfast disk test --rx -t 2 --json "$folder/a"
	jq -es '.[-1] == {"kind": "verdict", "works": false, "heard": 0, "partner": 0}' <<<"$output"
}

@test "two disks of the same name that are not the same disk: nobody answers" {
	prepared a
	cp a b
	holdfast disk test --rx "$folder/a" >out.rx 2>&1 &
	pids+=($!)
	wait_for out.rx listening
	run -1 holdfast disk test --tx -t 3 "$folder/b"
}

@test "a second machine in a slot is refused, and the first goes on" {
	prepared a
	holdfast disk test --rx "$folder/a" >out.rx 2>&1 &
	pids+=($!)
	wait_for out.rx listening
	run -1 holdfast disk test --tx --node 16 "$folder/a"
	[[ $output == *'slot 16 refused: another machine is alive in it'* ]]
	holdfast disk test --tx "$folder/a"
	wait "${pids[-1]}"
	unset 'pids[-1]'
}

@test "the link test leaves the slot of a node alone, also of one that is down" {
	prepared a
	disk=$folder/a
	both
	poke a 65677 00 65536 # the flag of a link test in the heartbeat of slot 16
	refused 2 'slot 16 is that of node' holdfast disk test --rx "$folder/a"
	refused 2 'slots 1 to 16' holdfast disk test --rx --node 17 "$folder/a"
	refused 2 'say --rx on one node' holdfast disk test "$folder/a"
	refused 2 'say --rx on one node' holdfast disk test --rx --tx "$folder/a"
}

@test "an interrupted link test says goodbye" {
	prepared a
	holdfast disk test --rx "$folder/a" >out.rx 2>&1 &
	pids+=($!)
	wait_for out.rx listening
	kill -TERM "${pids[-1]}"
	wait "${pids[-1]}" || [ $? -eq 1 ]
	unset 'pids[-1]'
	holdfast disk show --json "$folder/a" | jq -es '.[1].state == "left"'
}

# ---- watch and lastwords ----

@test "watch sees heartbeats come, and stop" {
	prepared a
	holdfast disk watch --json "$folder/a" >out.watch 2>&1 &
	pids+=($!)
	holdfast disk test --rx "$folder/a" >out.rx 2>&1 &
	pids+=($!)
	wait_for out.watch 'node 16: alive'
	wait_for out.watch '"state":"alive"'
	kill -TERM "${pids[-1]}"
	wait_for out.watch 'node 16: left, was alive'
	kill -INT "${pids[-2]}"
	wait "${pids[-2]}"
	jq -es '[.[] | select(.kind == "node" and .state == "alive") | .sequence] |
		length > 0 and . == sort' out.watch
	run -0 holdfast disk watch -t 1.5 "$folder/a"
	[[ $output == *'left'* ]]
}

@test "lastwords: of one node, the last lines, JSON" {
	prepared a
	disk=$folder/a
	both
	run -0 holdfast disk lastwords --node 15 --last 1 "$disk"
	[ "${#lines[@]}" -eq 2 ]
	[[ ${lines[1]} == *'pill to node 16: test: accepted'* ]]
	holdfast disk lastwords --json "$disk" |
		jq -es 'any(.node == 16 and .text == "pill received from node 15: test") and
			([.[] | select(.node == 15) | .line] | . == sort)'
	refused 2 'slots 1 to 16' holdfast disk lastwords --node 17 "$disk"
}

# ---- another kind of disk ----

@test "a disk of an iSCSI target" {
	local port=$((20000 + $$ % 20000)) control=$((1000 + $$ % 30000)) i
	[ "$(id -u)" -eq 0 ] || skip "only root runs tgtd"
	make_disk a
	tgtd -f -C "$control" --iscsi "portal=127.0.0.1:$port" >out.tgtd 2>&1 &
	targets+=($!)
	for ((i = 0; i < 200; i++)); do
		! tgtadm -C "$control" --op show --mode sys >/dev/null 2>&1 || break
		sleep 0.05
	done
	tgtadm -C "$control" --lld iscsi --op new --mode target --tid 1 -T iqn.2026-11.test:disk
	tgtadm -C "$control" --lld iscsi --op new --mode logicalunit --tid 1 --lun 1 -b "$folder/a"
	tgtadm -C "$control" --lld iscsi --op bind --mode target --tid 1 -I ALL
	disk=iscsi://127.0.0.1:$port/iqn.2026-11.test:disk/1
	holdfast disk init --name alpha "$disk"
	both
	grep -qF 'the disk carries both ways' out.rx
	run -2 --separate-stderr holdfast disk init --name beta "$disk"
	[[ $stderr == *'holds a disk of a cluster (alpha)'* ]]
	mkfs.ext4 -q -F a
	run -2 --separate-stderr holdfast disk init --name beta "$disk"
	[[ $stderr == *'holds a file system (ext4)'* ]]
}
