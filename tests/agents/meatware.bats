#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# meatware.bats - fence_meatware asks, `holdfast fence ack` answers, a pseudo-terminal plays the
# operator. Above all: what must not count as an acknowledgement.

# $stderr is set by run --separate-stderr, $a is sed's.
# shellcheck disable=SC2154,SC2016

bats_require_minimum_version 1.5.0

setup() {
	agent=$HOLDFAST_BIN/fence_meatware
	operator=$BATS_TEST_DIRNAME/operator.py
	dir=$BATS_TEST_TMPDIR
	requests=$dir/run/meatware
	unset SSH_CONNECTION SUDO_USER
	export HOLDFAST_CONF=$dir/holdfast.conf
	printf 'FENCE_HISTORY %s/history.jsonl\n' "$dir" >"$HOLDFAST_CONF"
	pids=()
}

teardown() {
	local pid
	for pid in "${pids[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
}

# until_true COMMAND...: poll, bounded.
until_true() {
	local tries=0
	until "$@"; do
		[ $((tries += 1)) -lt 2000 ]
		sleep 0.01
	done
}

# The file of the waiting request for a target.
request_of() { grep -lsx "TARGET $1" "$requests"/*.request; }

has_requests() { [ "$(request_of "$1" | wc -l)" -eq "$2" ]; }

# start NAME ACTION TARGET [OPTION...]: the agent in the background, its pid in $pid, its result in
# $dir/NAME; returns once its request is there.
start() {
	local name=$1 action=$2 target=$3 before
	shift 3
	before=$(request_of "$target" | wc -l)
	"$agent" -o "$action" -n "$target" --dir "$requests" --json "$@" \
		>"$dir/$name" 2>"$dir/$name.err" 3>&- &
	pid=$!
	pids+=("$pid")
	until_true has_requests "$target" $((before + 1))
}

# finish PID NAME: the end of an agent; its exit status in $status, its result in $output.
finish() {
	status=0
	wait "$1" || status=$?
	output=$(cat "$dir/$2")
}

json() { jq -er "$1" <<<"$output"; }

ack() { "$HOLDFAST_BIN/holdfast" fence ack --dir "$requests" "$@" 3>&-; }

# type_ack TARGET STATE NAME: the operator says STATE and types NAME.
type_ack() {
	run "$operator" "(on, off): =$2" "you have seen=$3" -- \
		"$HOLDFAST_BIN/holdfast" fence ack --dir "$requests" "$1" 3>&-
}

running() { kill -0 "$1" 2>/dev/null; }

# forge REQUEST [SED]: an answer to a request as `holdfast fence ack` would write it, or changed.
forge() {
	local file=$1 id
	id=$(basename "$file" .request)
	{
		echo "MEATWARE_ANSWER 1"
		grep -E '^(ID|TARGET|WANT) ' "$file"
		echo "VERDICT done"
		grep '^BOOT_ID ' "$file"
		echo "ANSWERED_AT 1"
		sed -n 's/^ASKED /ANSWERED /p' "$file"
		printf '%s\n' 'OPERATOR root' 'LOGIN ""' 'SUDO_USER ""' 'TERMINAL tty1' 'REMOTE ""'
		echo "END $id"
	} | sed "${2:-}" >"$dir/forged"
	chmod 600 "$dir/forged"
}

# Nothing but the operator's word ends the wait: the agent runs into its timeout.
must_time_out() {
	finish "$pid" "$1"
	[ "$status" -eq 1 ]
	[ "$(json .cause)" = timeout ]
	[ "$(json .state)" = unknown ]
	[ "$(json '.off_proven == false')" = true ]
}

# ---- what counts ----

@test "an acknowledged off is proven off, recorded, and leaves nothing behind" {
	start a off node1 --reason "it is silent"
	type_ack node1 off node1
	[ "$status" -eq 0 ]
	[[ $output == *"Switch OFF node1"*"it is silent"*"process $pid"* ]]
	[[ $output == *"node1: acknowledged; the agent has taken it"* ]]
	finish "$pid" a
	[ "$status" -eq 0 ]
	[ "$(json .state)" = off ]
	[ "$(json .proof)" = proven ]
	[ "$(json '.plugs[0].before')" = unknown ]
	[ -z "$(ls -A "$requests")" ]
	output=$(cat "$dir/history.jsonl")
	[ "$(json .operation)" = ack ]
	[ "$(json .target)" = node1 ]
	[ "$(json .result)" = ok ]
	[[ $(json .operator) != "" && $(json .message) == *"on /dev/pts/"* ]]
}

@test "on is asked for and acknowledged in the same way" {
	start a on node1
	type_ack node1 off node1
	[ "$status" -eq 1 ]
	running "$pid"
	type_ack node1 on node1
	[ "$status" -eq 0 ]
	finish "$pid" a
	[ "$status" -eq 0 ]
	[ "$(json .state)" = on ]
}

@test "a reboot succeeds once off is acknowledged, and leaves on to the operator" {
	start a reboot node1
	type_ack node1 off node1
	[ "$status" -eq 0 ]
	finish "$pid" a
	[ "$status" -eq 0 ]
	[ "$(json .off_proven)" = true ]
	[ "$(json .cause)" = unsupported ]
	[ -z "$(ls -A "$requests")" ]
}

@test "nobody answers: unknown, cause timeout, and the request is gone" {
	start a off node1 --power-timeout 0.5
	must_time_out a
	[ -z "$(ls -A "$requests")" ]
}

@test "fence ack --cancel makes the agent fail at once" {
	start a off node1
	run ack --cancel node1
	[ "$status" -eq 0 ]
	finish "$pid" a
	[ "$status" -eq 1 ]
	[ "$(json .cause)" = cancelled ]
	[ "$(json .state)" = unknown ]
	[[ $(json .message) == *"cannot be switched OFF"* ]]
	grep -q '"operation":"ack-cancel"' "$dir/history.jsonl"
}

@test "the list tells who asks for what, why, since when, until when" {
	run ack
	[ "$status" -eq 0 ]
	[ "$output" = "nobody waits for an operator on this machine" ]
	start a off node1 --reason "no heartbeat"
	run ack
	[ "$status" -eq 0 ]
	[[ $output == *"node1"*"OFF"*"waiting"*"$(hostname)[$pid]"*"no heartbeat"* ]]
	run ack --json
	[ "$(json .target)" = node1 ]
	[ "$(json .want)" = off ]
	[ "$(json .state)" = waiting ]
	[ "$(json .pid)" = "$pid" ]
	[ "$(json '.expires_in_ms <= 600000 and .expires_in_ms > 0')" = true ]
}

@test "the directory of a device in the cluster file is looked at too" {
	start a off node1
	cat >>"$HOLDFAST_CONF" <<-EOF2
		FENCE_DEVICE human
		FENCE_AGENT fence_meatware
		FENCE_OPTION dir $requests
	EOF2
	run --separate-stderr "$HOLDFAST_BIN/holdfast" fence ack --json
	[[ $output == *'"target":"node1"'* ]]
	# A broken cluster file is no obstacle.
	echo 'NONSENSE' >>"$HOLDFAST_CONF"
	run --separate-stderr ack --json
	[ "$status" -eq 0 ]
	[[ $output == *'"target":"node1"'* ]]
	[[ $stderr == *"going on without it"* ]]
}

# ---- what does not count ----

@test "no prefix, no other case, no longer name answers a request" {
	local name
	start a off node1
	for name in n node node11 NODE1 "node1 " 'node*' ""; do
		run "$operator" -- "$HOLDFAST_BIN/holdfast" fence ack --dir "$requests" "$name" 3>&-
		[ "$status" -eq 1 ]
		[[ $output == *"nobody asks for"* ]]
		type_ack node1 off "$name"
		[ "$status" -eq 1 ]
		[[ $output == *"not its exact name; nothing was acknowledged"* ]]
	done
	for name in on of "off " y yes OFF ""; do
		type_ack node1 "$name" node1
		[ "$status" -eq 1 ]
		[[ $output == *"nothing was acknowledged"* ]]
	done
	[ -z "$(ls "$requests"/*.answer 2>/dev/null)" ]
	running "$pid"
}

@test "without a terminal there is no acknowledgement, and no option gives one" {
	start a off node1
	run bash -c "printf 'off\nnode1\n' | '$HOLDFAST_BIN/holdfast' fence ack --dir '$requests' node1" 3>&-
	[ "$status" -eq 1 ]
	[[ $output == *"nothing was acknowledged"* ]]
	run ack --yes node1
	[ "$status" -eq 2 ]
	run ack node1 node2
	[ "$status" -eq 2 ]
	[ -z "$(ls "$requests"/*.answer 2>/dev/null)" ]
	running "$pid"
}

@test "what was typed before the question answers nothing" {
	start a off node1
	# The command starts once both lines wait in the terminal.
	run "$operator" $'ready=off\nnode1' "as you see it (on, off): =no" -- sh -c "echo ready
		python3 -c 'import select; select.select([0], [], [])'
		exec '$HOLDFAST_BIN/holdfast' fence ack --dir '$requests' node1" 3>&-
	[ "$status" -eq 1 ]
	running "$pid"
}

@test "several machines at once: an acknowledgement answers its own alone" {
	local first second
	start a off node1
	first=$pid
	start b off node11
	second=$pid
	type_ack node1 off node1
	[ "$status" -eq 0 ]
	finish "$first" a
	[ "$status" -eq 0 ]
	running "$second"
	type_ack node11 off node11
	finish "$second" b
	[ "$status" -eq 0 ]
}

@test "two requests for one machine: the operator chooses, the other one goes on waiting" {
	local first second
	start a off node1 --reason "first"
	first=$pid
	start b off node1 --reason "second"
	second=$pid
	run "$operator" "Which one? [1-2] =3" -- \
		"$HOLDFAST_BIN/holdfast" fence ack --dir "$requests" node1 3>&-
	[ "$status" -eq 1 ]
	# The menu's order is that of asking to the second; find the number by its reason.
	number=$(ack --json | jq -rs 'map(.reason) | index("first") + 1')
	run "$operator" "Which one? [1-2] =$number" "(on, off): =off" "you have seen=node1" -- \
		"$HOLDFAST_BIN/holdfast" fence ack --dir "$requests" node1 3>&-
	[ "$status" -eq 0 ]
	finish "$first" a
	[ "$status" -eq 0 ]
	running "$second"
	has_requests node1 1
}

@test "two machines of one action: one acknowledged is not off" {
	"$agent" -o off -n node1,node2 --dir "$requests" --json --power-timeout 12 \
		>"$dir/a" 2>"$dir/a.err" 3>&- &
	pid=$!
	pids+=("$pid")
	until_true has_requests node2 1
	type_ack node1 off node1
	[ "$status" -eq 0 ]
	finish "$pid" a
	[ "$status" -eq 1 ]
	[ "$(json .cause)" = timeout ]
	[ "$(json '.off_proven == false')" = true ]
	[ -z "$(ls -A "$requests")" ]
}

@test "the agent was killed: its request cannot be answered, and a new one takes nothing from it" {
	local old
	start a off node1
	old=$(request_of node1)
	kill -KILL "$pid"
	wait "$pid" || true
	type_ack node1 off node1
	[ "$status" -eq 1 ]
	[[ $output == *"the agent that asked no longer runs"* ]]
	run ack --json
	[ "$(json .state)" = asker-gone ]
	# An answer to the dead one is lying there when the next one asks.
	forge "$old"
	cp -p "$dir/forged" "${old%.request}.answer"
	"$agent" -o off -n node1 --dir "$requests" --json --power-timeout 1.5 \
		>"$dir/b" 2>"$dir/b.err" 3>&- &
	pid=$!
	pids+=("$pid")
	must_time_out b
	[ -z "$(ls -A "$requests")" ]
}

@test "the agent dies while the operator types: nothing is acknowledged" {
	start a off node1
	run "$operator" "(on, off): =off" "you have seen=@kill -KILL $pid; while grep -q '^State:.*[^Z] (' /proc/$pid/status 2>/dev/null && ! grep -q '^State:.Z' /proc/$pid/status; do :; done; printf node1" -- \
		"$HOLDFAST_BIN/holdfast" fence ack --dir "$requests" node1 3>&-
	[ "$status" -eq 1 ]
	[[ $output == *"no longer runs; nothing was acknowledged"* ]]
	[ -z "$(ls "$requests"/*.answer 2>/dev/null)" ]
}

@test "an answer that the agent does not take in time is refused, and the operator is told" {
	start a off node1 --power-timeout 4
	kill -STOP "$pid"
	type_ack node1 off node1
	[ "$status" -eq 1 ]
	[[ $output == *"too late"*"nothing was acknowledged"* ]]
	kill -CONT "$pid"
	must_time_out a
	[ -z "$(ls -A "$requests")" ]
	grep -q '"result":"timeout"' "$dir/history.jsonl"
}

@test "a request from before a restart of the machine is void" {
	local file
	start a off node1
	file=$(request_of node1)
	sed -i 's/^BOOT_ID .*/BOOT_ID 00000000-0000-0000-0000-000000000000/' "$file"
	type_ack node1 off node1
	[ "$status" -eq 1 ]
	[[ $output == *"before the last start of this machine"* ]]
	# The same process number, begun at another time, is another process.
	start b off node2
	sed -i 's/^PID_START .*/PID_START 1/' "$(request_of node2)"
	type_ack node2 off node2
	[ "$status" -eq 1 ]
	[[ $output == *"no longer runs"* ]]
}

@test "a stopped agent withdraws its request" {
	start a off node1
	kill -TERM "$pid"
	finish "$pid" a
	[ "$status" -eq 1 ]
	[ "$(json .cause)" = cancelled ]
	[ -z "$(ls -A "$requests")" ]
}

@test "a request that is taken away ends the wait without success" {
	start a off node1
	rm "$(request_of node1)"
	finish "$pid" a
	[ "$status" -eq 1 ]
	[ "$(json .cause)" = internal ]
	[ "$(json .state)" = unknown ]
}

@test "an answer counts only with the right id, machine, wish, boot and time" {
	local file change
	# As it should be, so that the others show something.
	start good off node1
	file=$(request_of node1)
	forge "$file"
	mv "$dir/forged" "${file%.request}.answer"
	finish "$pid" good
	[ "$status" -eq 0 ]
	for change in 's/^\(ID\|END\) .*/\1 0123456789abcdef/' 's/^TARGET .*/TARGET n/' \
		's/^TARGET .*/TARGET node11/' 's/^WANT .*/WANT on/' 's/^BOOT_ID .*/BOOT_ID x/' \
		's/^ANSWERED .*/ANSWERED 1/' 's/^ANSWERED .*/ANSWERED 9000000000000000000/' \
		's/^VERDICT .*/VERDICT yes/' '/^END/d' '/^VERDICT/d' '$a more'; do
		start bad off node1 --power-timeout 1.5
		file=$(request_of node1)
		forge "$file" "$change"
		mv "$dir/forged" "${file%.request}.answer"
		must_time_out bad
		rm -f "${file%.request}.answer"
	done
}

@test "rubbish in the directory acknowledges nothing and breaks nothing" {
	local kind file answer
	for kind in empty torn link pipe folder large foreign writable; do
		start "$kind" off node1 --power-timeout 1.5
		file=$(request_of node1)
		answer=${file%.request}.answer
		forge "$file"
		case $kind in
		empty) : >"$answer" ;;
		torn) head -c 150 "$dir/forged" >"$answer" ;;
		link) ln -s "$dir/forged" "$answer" ;;
		pipe) mkfifo -m 600 "$answer" ;;
		folder) mkdir "$answer" ;;
		large) { cat "$dir/forged" && head -c 10000000 /dev/zero; } >"$dir/big" &&
			mv "$dir/big" "$answer" ;;
		foreign) [ "$(id -u)" -eq 0 ] && chown nobody "$dir/forged" && mv "$dir/forged" "$answer" ;;
		writable) chmod 666 "$dir/forged" && mv "$dir/forged" "$answer" ;;
		esac
		must_time_out "$kind"
		rm -rf "$answer"
	done
}

@test "rubbish among the requests is named and hides none" {
	local file
	start a off node1
	file=$(request_of node1)
	echo hello >"$requests/README"
	head -c 10000000 /dev/zero >"$requests/00000000000000aa.request"
	head -c 100 "$file" >"$requests/00000000000000ab.request"
	ln -s "$file" "$requests/00000000000000ac.request"
	mkfifo "$requests/00000000000000ad.request"
	mkdir "$requests/00000000000000ae.request"
	cp "$file" "$requests/00000000000000af.request"
	printf x >"$requests/"$'\033[2Jevil\n'
	run ack --json
	[ "$status" -eq 0 ]
	[ "$(jq -s 'map(select(.kind == "ignored")) | length' <<<"$output")" -eq 8 ]
	[ "$(jq -rs 'map(select(.kind == "request")) | .[].target' <<<"$output")" = node1 ]
	run ack
	[[ $output != *$'\033'* ]]
	[[ $output == *"00000000000000ac.request: it is a link"* ]]
	[[ $output == *"00000000000000af.request: its name is not its id"* ]]
	type_ack node1 off node1
	[ "$status" -eq 0 ]
	finish "$pid" a
	[ "$status" -eq 0 ]
	[ -f "$requests/README" ]
}

@test "somebody answered already: the first answer counts" {
	local file
	start a off node1
	kill -STOP "$pid"
	file=$(request_of node1)
	forge "$file" 's/^VERDICT .*/VERDICT refused/'
	cp -p "$dir/forged" "${file%.request}.answer"
	type_ack node1 off node1
	[ "$status" -eq 1 ]
	[[ $output == *"has been answered already"* ]]
	kill -CONT "$pid"
	finish "$pid" a
	[ "$(json .cause)" = cancelled ]
}

# ---- the agent's other duties ----

@test "a full disk: a failure with its cause, and nothing is left" {
	mkdir -p "$requests"
	chmod 700 "$requests"
	run --separate-stderr bash -c "trap '' XFSZ; ulimit -f 0
		exec '$agent' -o off -n node1 --dir '$requests' --json" 3>&-
	[ "$status" -eq 1 ]
	[ "$(json .cause)" = internal ]
	[[ $(json .message) == *"cannot write the request: File too large"* ]]
	[ -z "$(ls -A "$requests")" ]
}

@test "the directory is made private, and one that is not is refused" {
	run "$agent" -o monitor --dir "$requests"
	[ "$status" -eq 0 ]
	[ "$(stat -c %a "$requests")" = 700 ]
	chmod 755 "$requests"
	run --separate-stderr "$agent" -o monitor --dir "$requests" --json
	[ "$status" -eq 1 ]
	[ "$(json .cause)" = config ]
	run ack
	[ "$status" -eq 1 ]
	chmod 700 "$requests"
	ln -s "$requests" "$dir/link"
	run "$agent" -o monitor --dir "$dir/link"
	[ "$status" -eq 1 ]
	: >"$dir/file"
	run "$agent" -o monitor --dir "$dir/file"
	[ "$status" -eq 1 ]
	run "$agent" -o monitor --dir relative
	[ "$status" -eq 1 ]
	if [ "$(id -u)" -eq 0 ]; then
		chown nobody "$requests"
		run "$agent" -o monitor --dir "$requests"
		[ "$status" -eq 1 ]
		[[ $output == *"must belong to"* ]]
	fi
}

@test "hosts are listed, and no other machine is asked for" {
	run "$agent" -o list --dir "$requests" --hosts 'node[1-2],db7'
	[ "$status" -eq 0 ]
	[ "$output" = $'node1,\nnode2,\ndb7,' ]
	run --separate-stderr "$agent" -o off -n node3 --dir "$requests" --hosts 'node[1-2]' --json
	[ "$status" -eq 1 ]
	[ "$(json .cause)" = no-such-plug ]
	run --separate-stderr "$agent" -o off -n 'no de' --dir "$requests" --json
	[ "$(json .cause)" = no-such-plug ]
	run --separate-stderr "$agent" -o off -n node1 --dir "$requests" --hosts 'node[2-1]' --json
	[ "$(json .cause)" = config ]
	[ -z "$(ls -A "$requests")" ]
}

@test "status is unknown: there is nobody to read it from" {
	run --separate-stderr "$agent" -o status -n node1 --dir "$requests" --json
	[ "$status" -eq 1 ]
	[ "$(json .state)" = unknown ]
	[ "$(json .cause)" = state ]
}

@test "the alert goes to syslog with priority crit" {
	unshare --mount true 2>/dev/null || skip "no private mounts here"
	mkdir "$dir/dev"
	python3 - "$dir/dev/log" "$dir/log" <<-'EOF2' 3>&- &
		import socket, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.settimeout(60)
		s.bind(sys.argv[1])
		open(sys.argv[2], "wb").write(s.recv(4096))
	EOF2
	pids+=("$!")
	until_true test -S "$dir/dev/log"
	run unshare --mount sh -c "mount --bind '$dir/dev' /dev && \
		exec '$agent' -o off -n node1 --dir '$requests' --power-timeout 0.2 --reason 'it hangs'" 3>&-
	[ "$status" -eq 1 ]
	until_true test -s "$dir/log"
	# <26>: facility daemon (3), severity crit (2); RFC 5424 6.2.1.
	grep -q '^<26>.*fence_meatware.*OPERATOR NEEDED: node1 must be switched OFF.*it hangs' "$dir/log"
}
