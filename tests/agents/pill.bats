#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# pill.bats - fence_pill between two lockds on one disk: what counts as off, and above all what does
# not. Node 1 sends and has no watchdog; node 2 is the victim, in a jail with a faked watchdog device,
# so that its "reset" is a line in a file.

# What jail.bash sets is known there; expressions for until_true expand when they are tried.
# shellcheck disable=SC2034,SC2154,SC2016

bats_require_minimum_version 1.5.0

# shellcheck source-path=SCRIPTDIR
load ../watchdog/jail.bash

setup() {
	[ "$(id -u)" -eq 0 ] || skip "only root makes such a jail"
	BATS_TEST_DIRNAME=$BATS_TEST_DIRNAME/../watchdog jail_start
	cd "$dir"
	export PATH=$HOLDFAST_BIN:$PATH HOLDFAST_LOCKD_SOCKET=$dir/n1.sock
	lease=3300
	victim_disks=()
	targets=()
	disks=("$dir/a")
	times=(--interval 100 --io-timeout 300 --member-timeout 1000 --drain 100 --priority 0)
}

teardown() {
	local pid
	# What is stopped ends as well.
	jail_end
	for pid in "${targets[@]}"; do kill -KILL "$pid" && wait "$pid" 2>/dev/null; done
	[ -z "${control:-}" ] || rm -f "/var/run/tgtd/socket.$control"*
}

# prepare: the disks of the cluster
prepare() {
	truncate -s 2M "${disks[@]}"
	holdfast disk init --name pills --nodes 4 --arbiter paxos "${disks[@]}" >/dev/null
}

# disk_words URL...: sets `words`
disk_words() {
	local disk
	words=()
	for disk; do words+=(--disk "$disk"); done
}

# sender: node 1; its process is $sender
sender() {
	local -a words
	disk_words "${disks[@]}"
	lockd "${words[@]}" --node 1 --name n1 --watchdog off --socket "$dir/n1.sock" --state "$dir/s1" \
		--run-dir "$dir/r1" --lease "$lease" "${times[@]}" 2>>"$dir/n1.log" 3>&- &
	sender=$!
	others+=("$sender")
	until_true is_active "$dir/n1.sock"
}

# victim [OPTION...]: node 2, in the jail; its process in there is in $dir/n2.pid
victim_begin() {
	local -a words
	disk_words "${victim_disks[@]:-${disks[@]}}"
	in_jail env "HOLDFAST_WATCHDOG_SOCKET=$socket" sh -c 'echo $$ >"$0"; exec "$@"' "$dir/n2.pid" \
		"$HOLDFAST_BIN/lockd" "${words[@]}" --node 2 --name n2 --socket "$dir/n2.sock" \
		--state "$dir/s2" --run-dir "$dir/r2" --lease "$lease" "${times[@]}" "$@" \
		2>>"$dir/n2.log" &
	others+=($!)
}

victim() {
	victim_begin "$@"
	until_true is_active "$dir/n2.sock"
	until_true sees_alive n2
}

signal_victim() { in_jail kill "-$1" "$(cat "$dir/n2.pid")"; }

# request SOCKET OP: the answer of a lockd
request() {
	python3 - "$@" <<-'PYTHON'
	import json, socket, sys
	link = socket.socket(socket.AF_UNIX)
	link.settimeout(5)
	link.connect(sys.argv[1])
	link.sendall(json.dumps({"v": 1, "id": 1, "op": sys.argv[2]}).encode() + b"\n")
	print(link.makefile().readline())
	PYTHON
}

is_active() { request "$1" status 2>/dev/null | jq -e '.lease.valid' >/dev/null; }

# peer FILTER: what node 1 knows of node 2
peer() { request "$dir/n1.sock" peers 2>/dev/null | jq -e ".peers[] | select(.node == 2) | $1" >/dev/null; }
sees_alive() { request "$dir/n1.sock" peers 2>/dev/null | jq -e "any(.peers[]; .name == \"$1\" and .state == \"alive\")" >/dev/null; }

# watched [OPTION...]: the victim's watchdogd, whose device fires after a second
watched() {
	device 0
	devices_start
	daemon --timeout 1 "$@"
}

# cluster [OPTION...]: all of it; the options are the victim's
cluster() {
	prepare
	watched
	sender
	victim "$@"
}

# pill STATUS ACTION [OPTION...]: the agent; its result in $output
pill() {
	local expected=$1 action=$2
	shift 2
	run "-$expected" --separate-stderr fence_pill -o "$action" --json "$@" </dev/null
	printf '%s\n%s\n' "$output" "$stderr"
}

# in_background NAME ACTION [OPTION...]: the same; result in $dir/NAME, process $agent
in_background() {
	local name=$1
	fence_pill -o "$2" --json "${@:3}" >"$dir/$name" 2>"$dir/$name.err" </dev/null 3>&- &
	agent=$!
	others+=("$agent")
}

# ends STATUS NAME: the end of that
ends() {
	local status=0
	wait "$agent" || status=$?
	output=$(cat "$dir/$2")
	cat "$dir/$2" "$dir/$2.err" "$dir/n1.log" "$dir/n2.log"
	[ "$status" -eq "$1" ]
}

json() { jq -e "$1" <<<"$output" >/dev/null; }

resets() { grep -c '^sysrq b' "$dir/trace" || true; }

# default_of PARAMETER: in the metadata
default_of() {
	fence_pill -o metadata </dev/null |
		xmllint --nonet --xpath "string(//parameter[@name='$1']/content/@default)" -
}

# ---- what counts ----

@test "a reboot that is acknowledged: reset, and proven once its watchdog must have fired" {
	local gone
	cluster --expiry node
	gone=$(request "$dir/n1.sock" peers | jq '.peers[0].gone_ms')
	[ "$gone" -gt $((lease + 2000)) ]
	pill 0 reboot -n n2
	json '.exit == 0 and .off_proven and .plugs[0].before == "on"'
	# A node that was reset starts by itself; nobody waits for it.
	json '.cause == "unsupported" and (.message | contains("off is proven"))'
	# Not before the time that the node itself has published.
	json ".elapsed_ms >= $gone"
	[ "$(resets)" -ge 1 ]
	traced '^watchdog0 fired'
}

@test "by its number, and where losing the disks resets nothing (--expiry locks): acknowledged is enough" {
	cluster --expiry locks
	peer .survives
	pill 0 reboot -n 2
	json '.off_proven'
	[ "$(resets)" -ge 1 ]
}

@test "a victim that does not answer is reset by its own watchdog, and its own deadline proves it" {
	cluster --expiry node
	signal_victim STOP
	pill 0 reboot -n n2
	json '.off_proven'
	[ "$(resets)" -ge 1 ]
	grep -q 'past its deadline' "$dir/n1.log" || peer '.state == "dead by lease"'
}

@test "a victim that was started anew: no need to wait for its watchdog" {
	prepare
	device 0
	devices_start
	daemon --timeout 60
	sender
	victim --expiry node
	in_background out reboot -n n2 --power-timeout 40
	until_true traced '^sysrq b'
	# Reset, and booted: the same machine with another boot, long before the minute is over.
	signal_victim KILL
	echo 11111111-2222-3333-4444-555555555555 >"$dir/boot_id"
	in_jail mount --bind "$dir/boot_id" /proc/sys/kernel/random/boot_id
	signal_daemon KILL
	rm -f "$socket"
	victim --watchdog off
	ends 0 out
	json '.off_proven'
}

@test "two requests at once are one pill, and both know when it is over" {
	local first
	cluster --expiry node
	in_background first reboot -n n2
	first=$agent
	in_background second reboot -n n2
	ends 0 second
	json '.off_proven'
	agent=$first
	ends 0 first
	json '.off_proven'
}

@test "off: switched off where watchdogd does that, else reset, as told" {
	prepare
	watched --on-expiry off
	sender
	victim --expiry node
	pill 0 off -n n2
	json '.state == "off" and .proof == "proven"'
	traced '^sysrq o'
	[[ $stderr != *declines* ]]
}

@test "off of a node that can only reset itself" {
	cluster --expiry node
	pill 1 off -n n2 --off-pill off
	json '.cause == "unsupported" and .off_proven == false'
	[ "$(resets)" -eq 0 ]
	sees_alive n2
	pill 0 off -n n2
	json '.state == "off"'
	[[ $stderr == *'n2 declines to switch itself off and is asked to reset itself'* ]]
	[ "$(resets)" -ge 1 ]
}

# ---- what does not ----

@test "a pill whose write fails is never delivered, and never a success" {
	local port url i
	prepare
	watched
	# The sender comes by iSCSI and the victim does not, so that a reservation keeps the sender's
	# writes out while its reads go on.
	victim_disks=("$dir/a")
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	control=$((1000 + $$ % 30000))
	tgtd -f -C "$control" --iscsi "portal=127.0.0.1:$port" >out.tgtd 2>&1 3>&- &
	targets+=($!)
	until_true tgtadm -C "$control" --op show --mode sys >/dev/null 2>&1
	tgtadm -C "$control" --lld iscsi --op new --mode target --tid 1 -T iqn.2026-11.test:pill
	tgtadm -C "$control" --lld iscsi --op new --mode logicalunit --tid 1 --lun 1 -b "$dir/a" \
		--bsoflags direct
	tgtadm -C "$control" --lld iscsi --op bind --mode target --tid 1 -I ALL
	url=iscsi://127.0.0.1:$port/iqn.2026-11.test:pill/1
	disks=("$url")
	sender
	victim --expiry node
	holdfast pr reserve "$url" --key 0x1 --register --nexus 9 --type we-ro >/dev/null
	pill 1 reboot -n n2
	json '.ok == false and .off_proven == false and .state != "off"'
	[ "$(resets)" -eq 0 ]
	run ! grep -q delivered "$dir/n1.log"
	# Nothing of it arrived.
	until_true is_active "$dir/n2.sock"
	run ! grep -q 'pill received' "$dir/n2.log"
}

@test "silence of a node that its lease does not reset proves nothing" {
	cluster --expiry locks
	signal_victim STOP
	# Beyond all of its deadlines.
	pill 1 reboot -n n2 --power-timeout 9
	json '.off_proven == false and .state != "off" and .cause == "timeout"'
	json '.message | contains("does not reset it (lockd --expiry locks)")'
	until_true peer '.state == "dead by lease"'
	pill 1 status -n n2
	json '.state == "unknown"'
}

@test "a node without a watchdog declines" {
	prepare
	sender
	victim --watchdog off
	pill 1 reboot -n n2
	json '.cause == "unsupported" and .off_proven == false'
	json '.message | contains("no means for it")'
	sees_alive n2
}

@test "a daemon that was restarted is no machine that was: the pill goes to the new one" {
	lease=8000
	cluster --expiry node
	signal_victim STOP
	in_background out reboot -n n2 --power-timeout 40
	until_true grep -q 'delivered' "$dir/n1.log"
	signal_victim KILL
	# It finds the pill as soon as it is active, and is so for a moment only.
	victim_begin --expiry node
	ends 0 out
	json '.off_proven'
	grep -q 'moot' "$dir/n1.log"
	grep -q 'pill received from node 1: reset' "$dir/n2.log"
	[ "$(resets)" -ge 1 ]
}

@test "a sender that is restarted goes on" {
	cluster --expiry node
	signal_victim STOP
	in_background out reboot -n n2
	until_true grep -q 'posted' "$dir/n1.log"
	kill -KILL "$sender"
	wait "$sender" || true
	sender
	ends 0 out
	json '.off_proven'
}

@test "a node that has said goodbye: nothing is known" {
	cluster --expiry node
	signal_victim TERM
	until_true peer '.state == "left"'
	pill 1 status -n n2
	json '.state == "unknown" and .off_proven == false'
	pill 1 reboot -n n2
	json '.cause == "unsupported" and .off_proven == false'
	json '.message | contains("goodbye")'
	[ "$(resets)" -eq 0 ]
}

# told_lockd CASE: a lockd that says what the test wants. Node 2 begins anew with another boot once a pill was
# posted; each pill that comes is a line in $dir/sent.
#	moot		the pill was for the boot before, and was not delivered to it; the next one is
#	newer		the pill is for the new boot, of which lockd had not told yet
told_lockd() {
	python3 - "$dir/told.sock" "$1" "$dir/sent" 3>&- <<-'PYTHON' &
	import json, socketserver, sys, threading
	path, case, sent = sys.argv[1:]
	begun, seen, pills = threading.Event(), threading.Event(), []
	class Client(socketserver.StreamRequestHandler):
	    def tell(self, **fields):
	        self.wfile.write(json.dumps({"v": 1, "id": self.number, **fields}).encode() + b"\n")
	    def send(self, request):
	        pills.append(request["pill"])
	        with open(sent, "a") as file:
	            print(request["pill"], file=file)
	        letter = {"to": 2, "request": 1, "incarnation": 6 if case == "newer" or begun.is_set() else 5}
	        self.tell(progress="posted", **letter)
	        if case == "newer" or begun.is_set():
	            self.tell(progress="delivered", **letter)
	            begun.set()
	            threading.Event().wait()
	        begun.set()
	        seen.wait()
	        self.tell(ok=True, outcome="gone", to=2, peer_state="alive")
	    def handle(self):
	        for line in self.rfile:
	            request = json.loads(line)
	            self.number = request["id"]
	            if request["op"] == "send":
	                self.send(request)
	            elif request["op"] == "peers":
	                anew = begun.is_set()
	                self.tell(ok=True, peers=[{
	                    "node": 2, "name": "n2", "state": "alive", "incarnation": 6 if anew else 5,
	                    "machine": "m", "boot": "b2" if anew else "b1", "gone_ms": 60000}])
	                if anew:
	                    seen.set()
	            else:
	                self.tell(ok=True, node=1, name="n1", lease={"valid": True}, state="active", peers=[])
	class Server(socketserver.ThreadingUnixStreamServer):
	    daemon_threads = True
	Server(path, Client).serve_forever()
	PYTHON
	others+=($!)
	until_true test -S "$dir/told.sock"
}

@test "a boot that came into view before the pill was delivered may be older than the request" {
	told_lockd moot
	pill 1 off -n n2 --socket "$dir/told.sock" --power-timeout 2
	json '.off_proven == false and .cause == "timeout"'
	json '.message | contains("n2 has not acknowledged")'
	# The boot that is there now was sent one of its own.
	[ "$(paste -sd' ' "$dir/sent")" = "off off" ]
}

@test "a pill for a boot that was not known yet proves nothing of the boot before it" {
	told_lockd newer
	pill 1 off -n n2 --socket "$dir/told.sock" --power-timeout 2
	json '.off_proven == false and .cause == "timeout"'
	[ "$(paste -sd' ' "$dir/sent")" = off ]
}

@test "disable and enable are words of fabric agents, and send nothing" {
	told_lockd newer
	pill 1 disable -n n2 --socket "$dir/told.sock" --power-timeout 1
	json '.cause == "config"'
	[ ! -e "$dir/sent" ]
}

# ---- the other actions ----

@test "status, list, monitor, on" {
	cluster --expiry node
	pill 0 status -n n2
	json '.state == "on"'
	run -0 fence_pill -o list </dev/null
	[ "$output" = n2,2 ]
	run -0 fence_pill -o list-status </dev/null
	[ "$output" = n2,2,ON ]
	pill 0 monitor
	pill 0 on -n n2
	json '.state == "on"'
	pill 1 status -n n7
	json '.cause == "no-such-plug"'
	pill 1 reboot -n n1
	json '.cause == "config" and (.message | contains("this node itself"))'
	pill 1 reboot -n 1
	json '.cause == "config"'
	signal_victim STOP
	until_true peer '.state == "dead by lease"'
	pill 2 status -n n2
	json '.state == "off"'
	pill 1 on -n n2
	json '.cause == "unsupported"'
	# It is dead already.
	pill 0 off -n n2
	json '.off_proven'
	[ "$(resets)" -ge 1 ]
}

@test "no lockd, and one without a lease" {
	pill 1 monitor --login-timeout 1
	json '.cause == "unreachable"'
	pill 1 reboot -n n2 --login-timeout 1
	json '.cause == "unreachable" and .off_proven == false'
	disks=("$dir/a" "$dir/b" "$dir/c")
	prepare
	sender
	mv b b.gone
	mv c c.gone
	pill 0 monitor
}

@test "metadata: the time that the slowest node may need, as lockd knows it" {
	local gone
	run -0 fence_pill -o metadata </dev/null
	[[ $output == *'class="pill"'* ]]
	xmllint --noout --nonet --relaxng /usr/share/cluster/relaxng/metadata.rng - <<<"$output"
	[ "$(default_of power_timeout)" = 60 ]
	cluster --expiry node
	gone=$(request "$dir/n1.sock" peers | jq '.peers[0].gone_ms')
	default_of power_timeout
	[ "$(default_of power_timeout)" -eq $(((gone + 4 * 700 + 999) / 1000)) ]
}

@test "conformance" {
	run -0 holdfast agent conform fence_pill
}
