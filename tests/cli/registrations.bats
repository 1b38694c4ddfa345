#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# registrations.bats - two lockd on one reserved disk (a tgtd of its own): who may register, who is
# ejected, who is let in again. tgt has no PREEMPT AND ABORT and no APTPL.

bats_require_minimum_version 1.5.0

setup_file() {
	export PATH=$HOLDFAST_BIN:$PATH
	if [ "$(id -u)" -ne 0 ] || ! command -v tgtd >/dev/null; then
		export NO_TGT=1
	fi
}

setup() {
	[ -z "${NO_TGT:-}" ] || skip "needs root and tgtd"
	cd "$BATS_TEST_TMPDIR"
	truncate -s 16M lun
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	disk=iscsi://127.0.0.1:$port/iqn.2026-11.test.holdfast:reg/1
	tgt_start
	holdfast disk init --name reg --arbiter pr "$disk"
	lockd_start 1
	lockd_start 2
}

teardown() {
	local node
	[ -z "${NO_TGT:-}" ] || return 0
	for node in 1 2; do
		lockd_kill "$node" KILL
	done
	tgt_kill
}

tgt_control() { echo $((1000 + ($$ + BATS_TEST_NUMBER * 577) % 30000)); }
tgt() { tgtadm -C "$(tgt_control)" --lld iscsi "$@"; }

tgt_start() {
	tgtd -f -C "$(tgt_control)" --iscsi "portal=127.0.0.1:$port" >tgtd.log 2>&1 3>&- &
	echo $! >tgtd.pid
	wait_for tgt --op show --mode target
	tgt --op new --mode target --tid 1 -T iqn.2026-11.test.holdfast:reg
	tgt --op new --mode logicalunit --tid 1 --lun 1 -b "$PWD/lun"
	tgt --op bind --mode target --tid 1 -I ALL
}

tgt_kill() {
	kill -9 "$(cat tgtd.pid)"
	rm -f "/var/run/tgtd/socket.$(tgt_control)"*
}

# A bound, and the last answer when it is passed.
wait_for() {
	local i
	for ((i = 0; i < 300; i++)); do
		"$@" >last 2>&1 && return
		sleep 0.05
	done
	echo "did not come: $*"
	cat last ./*.log
	return 1
}

lockd_start() {
	mkdir -p "state$1"
	lockd --disk "$disk" --node "$1" --name "n$1" --watchdog off --state "$PWD/state$1" \
		--run-dir "$PWD/state$1" --socket "$PWD/$1.sock" --nexus "$((10 * $1))" --priority 0 \
		--interval 100 --member-timeout 1200 --lease 3000 --io-timeout 500 --drain 100 \
		>>"lockd$1.log" 2>&1 3>&- &
	echo $! >"lockd$1.pid"
	wait_for is "$1" registered
}

lockd_kill() {
	[ -f "lockd$1.pid" ] || return 0
	kill "-$2" "$(cat "lockd$1.pid")" 2>/dev/null || true
	wait "$(cat "lockd$1.pid")" 2>/dev/null || true
	rm -f "lockd$1.pid"
}

# What the status of a node's lockd says of its registration.
registration() {
	python3 - "$PWD/$1.sock" <<-'PYTHON'
		import json, socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		s.send(b'{"v":1,"id":1,"op":"status"}\n')
		print(json.dumps(json.loads(s.makefile().readline())["registrations"][0]))
	PYTHON
}

# is NODE STATE [INCARNATION]
is() {
	registration "$1" | jq -e --arg state "$2" --arg tail "${3:-}" \
		'.state == $state and (.key | endswith($tail))'
}

claim() { HOLDFAST_LOCKD_SOCKET=$PWD/$1.sock holdfast lock claim --epoch "$2" --members "$3" "view of $1"; }
nodes() { holdfast pr keys "$disk" | awk '$3 ~ /^[0-9]+$/ { print $3 ":" $4 }' | sort -u | paste -sd' '; }
holder() { holdfast pr reservation "$disk"; }

@test "both are registered, nobody holds it; a claim takes it and ejects the other" {
	[ "$(nodes)" = "1:1 2:1" ]
	[[ $(holder) == "not reserved"* ]]
	run -0 claim 1 1 1
	[[ $output == "granted: epoch 1: node 1 (n1)"* ]]
	[[ $(holder) == "reserved by 0x"*"00010001: we-ro"* ]]
	run -1 claim 2 1 2
	[[ $output == "lost: epoch 1: node 1 (n1)"* ]]
}

@test "the ejected one ends its life, asks as a new one, and is let in by the holder" {
	claim 1 1 1
	wait_for grep -q "ejected by node 1; this life of the node does not come back" lockd2.log
	wait_for grep -q "lease lost" lockd2.log
	wait_for is 2 registered 00020002
	grep -q "disk 1: asks to be let in, with a petition" lockd2.log
	grep -q "disk 1: node 2 is let in with key 0x.*00020002" lockd1.log
	[ "$(nodes)" = "1:1 2:2" ]
	# It is a member again: the next claim, with both, leaves it alone.
	run -0 claim 1 2 1,2
	[ "$(nodes)" = "1:1 2:2" ]
	run -1 claim 2 3 1,2
	[[ $output == *"node 1"* ]]
}

@test "a holder that nobody can ask keeps a new one out until it is proven dead or comes back" {
	claim 1 1 1
	lockd_kill 1 KILL
	wait_for grep -q "asks to be let in, with a petition" lockd2.log
	wait_for grep -q "active, incarnation 2" lockd2.log
	# Without a watchdog its silence proves nothing.
	wait_for is 2 asking 00020002
	lockd_start 1
	wait_for is 2 registered 00020002
	[ "$(nodes | tr ' ' '\n' | grep -c '^2:2$')" -eq 1 ]
}

@test "a target that lost its registrations: they are made anew, and nothing is granted twice" {
	claim 1 1 1
	wait_for is 2 registered 00020002
	tgt_kill
	tgt_start
	wait_for grep -q "logged in again" lockd1.log
	wait_for is 1 registered
	wait_for is 2 registered
	wait_for claim 1 2 1,2
	run -1 claim 2 1 2
	[[ $output == *"epoch 1: node 1 (n1)"* || $output == *"unknown"* ]]
}

@test "an orderly stop takes the key back where nobody holds the disk, and a holder keeps it" {
	lockd_kill 2 TERM
	[ "$(nodes)" = "1:1" ]
	claim 1 1 1
	lockd_kill 1 TERM
	[ "$(nodes)" = "1:1" ]
	[[ $(holder) == "reserved by 0x"*"00010001: we-ro"* ]]
	# Its next life takes over from it.
	lockd_start 1
	run -0 claim 1 2 1
	[[ $(holder) == "reserved by 0x"*"00010002: we-ro"* ]]
}
