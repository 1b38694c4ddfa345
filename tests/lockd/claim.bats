#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# claim.bats - the cluster lock through lockd, decided by Disk Paxos on files: who wins, who is told, what
# it costs, what is remembered, and what is not a claim.

# $output is set by run; each test is a process of its own.
# shellcheck disable=SC2154,SC2030,SC2031

bats_require_minimum_version 1.5.0
load lockd

setup() { lockd_setup; }
teardown() { lockd_teardown; }

# nodes FILE...: nodes 1 (a) and 2 (b) on these disks
nodes() {
	cluster alpha "$@"
	serve "$@"
	daemon a 1
	daemon b 2
}

# lock NAME WORD...: holdfast lock through that node's lockd
lock() { HOLDFAST_LOCKD_SOCKET=$dir/$1.sock holdfast lock "${@:2}"; }

@test "one of two claims is granted, the other is told to whom; both may ask again" {
	nodes disk1
	run -0 lock a record
	[[ $output == 'nothing was decided yet' ]]
	run -0 lock a claim --epoch 1 --members 1-2 'the value'
	[[ $output == 'granted: epoch 1: node 1 (a) goes on, with members 1,2, value "the value"' ]]
	run -1 lock b claim --epoch 1 --members 2 other
	[[ $output == 'lost: epoch 1: node 1 (a) goes on, with members 1,2, value "the value"' ]]
	run -0 lock a claim --epoch 1 --members 1-2 'the value'
	run -1 lock a claim --epoch 1 --members 1-2 'another value'
	[[ $output == lost:* ]]
	run -0 lock b record --json
	jq -e '.kind == "record" and .outcome == "decided" and .epoch == 1 and .winner == 1 and
		.members == [1, 2] and .value == "the value" and .arbiter == "paxos"' <<<"$output"
	holdfast disk show "$dir/disk1" | grep -F 'decided: epoch 1, for node 1'
}

@test "a free claim by the incumbent is one write and one read of each disk" {
	nodes disk1 disk2 disk3
	lock a claim --epoch 1
	state_is a '.arbiter.epoch == 1 and .arbiter.winner == 1 and .arbiter.kind == "paxos"'
	# The ballot of the next epoch is taken when the answer is out already.
	epoch=1
	cheap() {
		epoch=$((epoch + 1))
		lock a claim --epoch $epoch --json |
			jq -e '.outcome == "granted" and .cost.reads == 3 and .cost.writes == 3'
	}
	until_true cheap
}

@test "claims at once: one winner for each epoch, and the same for all" {
	nodes disk1
	for name in a b; do
		for epoch in {1..30}; do
			lock $name claim --epoch "$epoch" --json "$name$epoch" || true
		done >"$name.claims" &
		others+=($!)
	done
	wait "${others[@]}"
	cat a.claims b.claims
	# What anybody was told of an epoch is one value; who was granted it is its winner.
	jq -se '[.[] | select(.winner)] | group_by(.epoch) |
		all(map([.winner, .value]) | unique | length == 1)' a.claims b.claims
	jq -se 'all(.outcome != "granted" or .winner == 1)' a.claims
	jq -se 'all(.outcome != "granted" or .winner == 2)' b.claims
	jq -se 'map(select(.outcome == "granted")) | length > 0' a.claims b.claims
}

@test "a claim is remembered when every lockd was killed, and a later epoch has begun for all" {
	nodes disk1
	lock b claim --epoch 7 --members 1,2 kept
	kill -KILL "${pid[a]}" "${pid[b]}"
	wait "${pid[a]}" "${pid[b]}" || true
	daemon a 1
	run -0 lock a record
	[[ $output == 'decided: epoch 7: node 2 (b) goes on, with members 1,2, value "kept"' ]]
	run -1 lock a claim --epoch 7 again
	[[ $output == lost:*kept* ]]
	run -1 lock a claim --epoch 3
	[[ $output == 'unknown: cluster lock: a later epoch has begun ('[78]'); read the record, and claim'* ]]
	lock a claim --epoch 8
}

@test "who subscribed hears of a decision" {
	nodes disk1
	ask a '{"op":"subscribe","events":["arbiter"]}' events:1 >heard &
	others+=($!)
	until_true grep -q '"ok"' heard
	lock a claim --epoch 4
	wait "${others[-1]}"
	tail -n 1 heard | jq -e '.event == "arbiter" and .epoch == 4 and .winner == 1 and .members == [1]'
}

@test "what is no claim is refused" {
	nodes disk1
	run -2 lock a claim
	[[ $output == *'--epoch: which decision is claimed?'* ]]
	for epoch in 0 -1 x 99999999999999999999; do run -2 lock a claim --epoch=$epoch; done
	for members in 0 65 1- 2-1 1,,2 '1,' x ''; do run -2 lock a claim --epoch 1 --members "$members"; done
	run -2 lock a claim --epoch 1 one two
	run -2 lock a claim --epoch 1 "$(printf 'x%.0s' {1..201})"
	run -2 lock a record now
	run -2 lock a claim --epoch 1 --members 2
	[[ $output == *'node 1 claims for members that it is none of'* ]]
	run -2 lock a claim --epoch 1 --members 1,17
	[[ $output == *'members: expected numbers of nodes, 1 to 16'* ]]
	ask a '{"op":"claim"}' | jq -e '.ok == false and .cause == "config"'
	ask a '{"op":"claim","epoch":1,"members":7}' | jq -e '.ok == false and .cause == "config"'
	ask a '{"op":"claim","epoch":1,"members":["a"]}' | jq -e '.ok == false and .cause == "config"'
	ask a '{"op":"claim","epoch":1.5}' | jq -e '.ok == false and .cause == "config"'
	run -0 lock a record
	[[ $output == 'nothing was decided yet' ]]
}

@test "a client that goes away in the middle harms nobody" {
	nodes disk1
	for epoch in {1..10}; do
		python3 - "$dir/a.sock" "$epoch" <<-'PYTHON'
			import socket, sys
			for i in range(4):
			    peer = socket.socket(socket.AF_UNIX)
			    peer.connect(sys.argv[1])
			    peer.sendall(b'{"v":1,"id":1,"op":"claim","epoch":%s}\n' % sys.argv[2].encode())
			    peer.close()
		PYTHON
	done
	run -0 lock a claim --epoch 11
	is_active a
}
