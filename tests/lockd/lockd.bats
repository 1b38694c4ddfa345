#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# lockd.bats - lockd on files: nodes that see each other, clients good and bad, disks that are not what
# they should be, and a process that stood still. No watchdog; with one: watchdog.bats.

# $stderr is set by run --separate-stderr; $output, $status by run.
# shellcheck disable=SC2154,SC2034

bats_require_minimum_version 1.5.0
load lockd

setup() { lockd_setup; }
teardown() { lockd_teardown; }

one_disk() {
	cluster alpha disk1
	serve disk1
}

# ---- nodes ----

@test "two nodes see each other, and one that leaves" {
	one_disk
	daemon a 1
	daemon b 2
	until_true sees a 2 alive
	until_true sees b 1 alive
	until_true state_is a '.peers[0].sees_us and .peers[0].name == "b"'
	state_is a '.node == 1 and .name == "a" and .cluster == "alpha" and .lease.valid and
		.lease.left_ms > 0 and .watchdog.state == "off" and (.disks | length) == 1 and
		.disks[0].state == "good" and .incarnation == 1'
	stop b
	logged b 'left'
	until_true sees a 2 left
	stop a
	[ ! -e a.sock ]
}

@test "holdfast lock status tells it, as text and JSON" {
	one_disk
	export HOLDFAST_LOCKD_SOCKET=$dir/a.sock
	run -1 --separate-stderr holdfast lock status
	[[ $stderr == *"lockd at $dir/a.sock: does not run; start lockd on this node"* ]]
	daemon a 1
	daemon b 2
	until_true sees a 2 alive
	run -0 holdfast lock status
	[[ $output == *'node 1 (a) of cluster "alpha": active, incarnation 1'* ]]
	[[ $output == *"good"*"$dir/disk1"* ]]
	[[ $output == *'2     b     alive'* ]]
	run -0 holdfast lock status --json
	jq -e '.kind == "status" and .state == "active" and (.peers | length) == 1' <<<"$output"
}

@test "a node that was killed is suspect, and is back as a new incarnation at once" {
	one_disk
	daemon a 1
	daemon b 2
	until_true sees a 2 alive
	kill -KILL "${pid[b]}"
	until_true sees a 2 suspect
	daemon b 2
	until_true sees a 2 alive
	state_is b '.incarnation == 2'
}

@test "three disks: a round of writes and reads on each" {
	cluster alpha disk1 disk2 disk3
	serve disk3 disk1 disk2
	daemon a 1
	state_is a '[.disks[] | select(.state == "good")] | length == 3'
	state_is a '[.disks[].disk] | sort == [1, 2, 3]'
}

@test "a second lockd for the same slot of this machine is refused" {
	one_disk
	daemon a 1
	daemon_start again 1
	ends again 1
	logged again 'node 1 of cluster "alpha": another lockd of this machine serves it (process'
	is_active a
}

@test "two nodes of one name: the second does not start" {
	one_disk
	daemon a 1
	daemon_start b 2 --name a
	ends b 2
	logged b 'node 1 is called "a" too'
	is_active a
}

@test "another machine in the slot: the second does not start, and harms nobody" {
	[ "$(id -u)" -eq 0 ] || skip "only root has another machine id"
	one_disk
	daemon a 1
	echo 0123456789abcdef0123456789abcdef >machine-id
	# shellcheck disable=SC2016 # expanded by the inner shell
	within=(unshare --mount --propagation private sh -c
		'mount --bind "$0" /etc/machine-id && exec "$@"' "$dir/machine-id")
	daemon_start b 1 --run-dir "$dir/other" --state "$dir/other"
	ends b 1
	logged b 'another machine is alive'
	is_active a
	state_is a '.incarnation == 1'
}

@test "another clock since boot: nodes do not care" {
	within=(unshare --time --boottime 100000000 --monotonic 100000000 --fork --kill-child)
	"${within[@]}" true 2>/dev/null || skip "no time namespaces"
	one_disk
	daemon b 2
	within=()
	daemon a 1
	until_true sees a 2 alive
	until_true sees b 1 alive
}

# ---- standing still ----

@test "a process that stood still has lost its lease before it answers anything" {
	one_disk
	daemon a 1
	daemon b 2
	until_true sees b 1 alive
	kill -STOP "${pid[a]}"
	until_true sees b 1 suspect
	# Longer than the lease: b does not conclude it without a watchdog, so by b's own clock.
	until_true state_is b '.peers[0].unchanged_ms > 2500'
	ask a mark:asks '{"op":"status"}' '{"op":"probe"}' >answers &
	others+=($!)
	until_true [ -e asks ]
	kill -CONT "${pid[a]}"
	wait "${others[-1]}"
	cat answers a.log
	jq -se '.[0].lease.valid == false and .[1].ok == false and .[1].cause == "state"' answers
	until_true is_active a
	logged a 'lease'
	state_is a '.incarnation == 2'
}

# ---- clients ----

@test "hello, an unknown op, another version, a request without a number" {
	one_disk
	daemon a 1
	ask a '{"op":"hello"}' '{"op":"nonsense"}' '{"op":"status","v":2,"id":7}' \
		'raw:{"v":1,"op":"status"}' 'raw:{"v":1,"id":-1,"op":"status"}' \
		'raw:{"v":1,"id":3,"op":5}' 'raw:{"v":1,"id":4,"id":4,"op":"status"}' >out
	cat out
	jq -se '.[0].ok and .[0].program == "lockd" and .[0].protocol == 1' out
	jq -se '.[1].cause == "unsupported" and (.[1].error | contains("nonsense"))' out
	jq -se '.[2].cause == "unsupported" and .[2].id == 7 and (.[2].error | contains("version 2"))' out
	jq -se '.[3].cause == "protocol" and .[3].id == null' out
	jq -se '.[4].id == null and .[5].id == 3 and .[6].ok == false' out
}

@test "garbage ends a connection after a bound, and nothing else" {
	one_disk
	daemon a 1
	ask a 'raw:\x00\xff\x01' 'raw:[]' 'raw:{' 'raw:"' 'raw:1' 'raw:' 'raw:{}' 'raw:nul' rest >out
	cat out
	[ "$(grep -c '"ok":false' out)" -eq 8 ]
	[ "$(tail -n 1 out)" = closed ]
	ask a 'flood:70000:x' rest >out
	grep -qF 'longer than 65535 bytes' out
	[ "$(tail -n 1 out)" = closed ]
	# Deeper than anybody nests.
	ask a "raw:$(printf '%30000s' '' | tr ' ' '[')" '{"op":"hello"}' >out
	tail -n 1 out | jq -e .ok
	head -c 200000 /dev/urandom | timeout 20 python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
try:
    s.sendall(sys.stdin.buffer.read())
except OSError:
    pass' a.sock
	is_active a
	[ "$(grep -c . a.log)" -lt 20 ]
}

@test "a client that does not read is dropped" {
	one_disk
	daemon a 1
	ask a deaf:20000 >out
	grep -qx 'cut off' out
	until_true logged a 'does not read; dropped'
	is_active a
}

@test "many clients: the bound holds, and those who go make room" {
	one_disk
	daemon a 1
	python3 - a.sock <<-'PYTHON'
	import json, socket, sys
	peers = []
	for i in range(80):
	    peer = socket.socket(socket.AF_UNIX)
	    peer.connect(sys.argv[1])
	    peer.settimeout(30)
	    peers.append(peer)
	told = 0
	for peer in peers[-8:]:
	    answer = json.loads(peer.makefile("rb").readline())
	    told += answer["cause"] == "busy"
	assert told == 8, told
	PYTHON
	until_true is_active a
	until_true state_is a '.clients == 1'
}

@test "other users are not served" {
	[ "$(id -u)" -eq 0 ] || skip "only root becomes another user"
	one_disk
	daemon a 1
	chmod 777 a.sock
	chmod 755 "$dir"
	# The way to the socket may be closed to others.
	exec {folder}<"$dir"
	setpriv --reuid 65534 --clear-groups "$here/ask.py" "/proc/self/fd/$folder/a.sock" '{"op":"hello"}' \
		>out || skip "another user does not get that far"
	cat out
	jq -e '.ok == false and .cause == "privilege"' out
	exec {folder}<&-
}

@test "events are told to who subscribed" {
	one_disk
	daemon a 1
	daemon b 2
	until_true sees a 2 alive
	run ask a '{"op":"subscribe","events":["nonsense"]}'
	jq -e '.ok == false and .cause == "config"' <<<"$output"
	ask a '{"op":"subscribe","events":["peer","pill"]}' events:2 >out &
	others+=($!)
	until_true grep -q '"ok":true' out
	ask b '{"op":"send","to":"a","pill":"message","text":"tea is ready"}'
	stop b
	wait "${others[-1]}"
	cat out
	jq -se '.[1].event == "pill" and .[1].pill == "message" and .[1].text == "tea is ready" and
		.[1].from == 2 and .[1].name == "b"' out
	jq -se '.[2].event == "peer" and .[2].node == 2 and .[2].state == "left"' out
}

@test "READY, STATUS and STOPPING for systemd, and its watchdog is petted" {
	one_disk
	python3 - notify >notified <<-'PYTHON' &
	import socket, sys
	peer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	peer.bind(sys.argv[1])
	peer.settimeout(60)
	while True:
	    text = peer.recv(4096).decode()
	    print(text, flush=True)
	    if "STOPPING=1" in text:
	        break
	PYTHON
	others+=($!)
	until_true test -S notify
	NOTIFY_SOCKET=$dir/notify WATCHDOG_USEC=300000 daemon a 1
	until_true grep -q '^WATCHDOG=1' notified
	grep -q '^READY=1' notified
	grep -q '^STATUS=active as node 1 of cluster "alpha"' notified
	stop a
	wait "${others[-1]}"
}

# ---- mail ----

@test "send: a message is accepted; what ends a node is declined without a watchdog" {
	one_disk
	daemon a 1
	daemon b 2
	until_true sees a 2 alive
	ask a '{"op":"send","to":"b","pill":"message","text":"hello"}' >out
	jq -se '[.[].progress] == ["posted", "delivered", null] and .[2].outcome == "accepted"' out
	ask a '{"op":"send","to":2,"pill":"reset"}' >out
	tail -n 1 out | jq -e '.ok == false and .cause == "unsupported"'
	is_active b
	logged b 'message: hello'
}

@test "send: nonsense is refused" {
	local request
	one_disk
	daemon a 1
	daemon b 2
	until_true sees a 2 alive
	for request in '"to":1,"pill":"test"' '"to":"c","pill":"test"' '"to":17,"pill":"test"' \
		'"to":2' '"to":2,"pill":"kiss"' '"to":2,"pill":"message"' '"to":2,"pill":"reset","text":"x"' \
		'"to":2,"pill":"test","timeout_ms":0' '"to":2,"pill":"test","timeout_ms":"1"' '"to":"","pill":"test"'; do
		run ask a "{\"op\":\"send\",$request}"
		jq -e '.ok == false and .cause == "config"' <<<"$output"
	done
	run ask a '{"op":"send","to":9,"pill":"test"}'
	jq -e '.ok == false and .cause == "state"' <<<"$output"
}

@test "send: a pill to a node that does not read: posted, delivered, and taken back" {
	one_disk
	daemon a 1
	daemon b 2
	until_true sees a 2 alive
	kill -STOP "${pid[b]}"
	ask a '{"op":"send","to":2,"pill":"reset"}' >out &
	others+=($!)
	until_true grep -q '"progress":"delivered"' out
	# A second one waits for the same.
	ask a '{"op":"send","to":2,"pill":"reset"}' >out2 &
	others+=($!)
	until_true grep -q '"progress":"delivered"' out2
	# Who lets go takes nothing back.
	kill "${others[-1]}"
	run ask a '{"op":"send","to":2,"pill":"test","timeout_ms":500}'
	tail -n 1 <<<"$output" | jq -e '.ok == false and .cause == "busy"'
	ask a '{"op":"withdraw","to":2}' >out3
	jq -e '.ok and .delivered' out3
	wait "${others[-2]}"
	tail -n 1 out | jq -e '.ok == false and .cause == "cancelled"'
	run ask a '{"op":"withdraw","to":2}'
	jq -e '.ok == false and .cause == "state"' <<<"$output"
}

@test "probe: a nonce to every node that lives, and back" {
	one_disk
	daemon a 1
	run ask a '{"op":"probe"}'
	jq -e '.ok and .nodes == []' <<<"$output"
	daemon b 2
	daemon c 3
	until_true sees a 2 alive
	until_true sees a 3 alive
	kill -STOP "${pid[c]}"
	run ask a '{"op":"probe","timeout_ms":900}'
	jq -e '.ok and (.nodes | length) == 2 and
		(.nodes[] | select(.node == 2) | .answered and .outcome == "accepted") and
		(.nodes[] | select(.node == 3) | .answered == false)' <<<"$output"
}
