#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# named.bats - named locks through two lockds on one file: who holds one, who waits, what becomes of the
# command and of the lock when either side is killed, what an operator may break.

# $stderr is set by run --separate-stderr; $output, $status by run.
# shellcheck disable=SC2154,SC2016

bats_require_minimum_version 1.5.0
load lockd

setup_file() { export BATS_TEST_TIMEOUT=150; }

setup() {
	lockd_setup
	# What the commands of these tests say when they begin.
	export PID_FILE=$dir/command.pid
}

teardown() {
	# Whatever a failed test has left of a command: all have the test's folder in their environment.
	local process
	lockd_teardown
	grep -lsF "PID_FILE=$dir/" /proc/[0-9]*/environ | cut -d/ -f3 | while read -r process; do
		[ "$process" = $$ ] || [ "$process" = "$BASHPID" ] || kill -KILL "$process" 2>/dev/null || true
	done
}

# nodes [INIT OPTION...]: 1 (a) and 2 (b)
nodes() {
	truncate -s 4M "$dir/disk1"
	holdfast disk init --name alpha --arbiter paxos "$@" "$dir/disk1" >init.log
	serve disk1
	daemon a 1
	daemon b 2
}

lock() { HOLDFAST_LOCKD_SOCKET=$dir/$1.sock holdfast lock "${@:2}"; }

# In the background, its process in $runner.
lock_start() {
	HOLDFAST_LOCKD_SOCKET=$dir/$1.sock holdfast lock "${@:2}" 2>>"run.err" 3>&- &
	runner=$!
	others+=("$runner")
}

# holds NODE LOCK: as the other nodes see it
holds() { lock b list --json "$2" 2>/dev/null | jq -e ".state == \"held\" and .node == $1" >/dev/null; }
is_free() { lock b list --json "$1" | jq -e '.state != "held"' >/dev/null; }
began() { [ -s "$PID_FILE" ]; }
is_gone() { ! kill -0 "$1" 2>/dev/null || [ "$(ps -o stat= -p "$1" | cut -c1)" = Z ]; }

# The end of what lock_start() began.
ran() {
	local status=0
	wait "$runner" || status=$?
	[ "$status" -eq "$1" ] || { echo "ended with $status"; cat run.err; return 1; }
}

@test "the command's exit status is passed on, its environment tells lock, term and node" {
	nodes
	for status in 0 1 2 3 77 200; do
		run -"$status" lock a run x -- sh -c "exit $status"
	done
	run -0 lock b run x -- sh -c 'echo "$HOLDFAST_LOCK_NAME $HOLDFAST_LOCK_NODE $HOLDFAST_LOCK_TERM"'
	[ "$output" = "x 2 13" ]
	run -137 lock a run x -- sh -c 'kill -KILL $$'
	run -126 lock a run x -- /etc/passwd
	run -127 lock a run x -- ./not-there
	[[ $output == *"./not-there: cannot be run: No such file"* ]]
	run -0 lock a run x -- cat <<<"what stdin holds"
	[ "$output" = "what stdin holds" ]
	is_free x
}

@test "wrong use is 125, no lockd is 122" {
	run -125 holdfast lock run
	run -125 holdfast lock run x
	[[ $output == *"which command"* ]]
	run -125 holdfast lock run "a b" -- true
	run -125 holdfast lock run "$(printf 'x%.0s' {1..64})" -- true
	run -125 holdfast lock run x --wait soon -- true
	run -125 holdfast lock run x --json -- true
	export HOLDFAST_LOCKD_SOCKET=$dir/none.sock
	run -122 holdfast lock run x -- touch "$dir/ran"
	[[ $output == *"does not run; start lockd"* ]]
	[ ! -e ran ]
	run -1 holdfast lock list
	run -1 holdfast lock break x
}

@test "one at a time on two nodes, each with a larger term" {
	nodes
	cat >work <<-'SH'
		mkdir inside || touch overlap
		read -r count <count
		echo $((count + 1)) >count
		echo "$HOLDFAST_LOCK_TERM" >>terms
		rmdir inside
	SH
	echo 0 >count
	runners=()
	for i in {1..16}; do
		lock_start "$([ $((i % 2)) = 0 ] && echo a || echo b)" run shared -- sh work
		runners+=("$runner")
	done
	for runner in "${runners[@]}"; do ran 0; done
	[ "$(cat count)" = 16 ]
	[ ! -e overlap ]
	sort -n terms | diff - terms
	[ "$(sort -u terms | wc -l)" = 16 ]
}

@test "two names do not wait for one another" {
	nodes
	lock_start a run one -- sh -c 'echo $$ >"$PID_FILE"; exec sleep 60'
	until_true began
	lock b run two --wait 0 -- true
	lock a run three --wait 0 -- true
	kill -TERM "$runner"
	ran 143
}

@test "--wait: not at all, not long enough, long enough" {
	nodes
	lock_start a run x -- sh -c 'echo $$ >"$PID_FILE"; exec sleep 60'
	until_true began
	run -120 lock b run x --wait 0 -- touch ran
	[[ $output == *"x: lock x: held by a (node 1); wait longer"* ]]
	run -120 lock b run --wait 0.3 x -- touch ran
	[[ $output == *"x: waiting; held by node a"* ]]
	run -120 lock a run --wait 0.3 x -- touch ran
	[ ! -e ran ]
	first=$runner
	lock_start b run x --wait 60 -- touch ran
	until_true grep -q 'waiting; held by node a' run.err
	kill -TERM "$first"
	ran 0
	[ -e ran ]
}

@test "a signal while it waits ends it, and it does not get the lock later" {
	nodes
	lock_start a run x -- sh -c 'echo $$ >"$PID_FILE"; exec sleep 60'
	first=$runner
	until_true began
	lock_start b run x -- touch ran
	until_true grep -q waiting run.err
	kill -INT "$runner"
	ran 130
	kill -TERM "$first"
	runner=$first ran 143
	lock a run x --wait 10 -- true
	[ ! -e ran ]
}

@test "signals reach the command, and the lock goes when it has ended" {
	nodes
	lock_start a run x -- sh -c 'trap "echo usr1 >>signals" USR1; trap "echo hup >>signals; exit 9" HUP
		echo $$ >"$PID_FILE"; while :; do sleep 0.01; done'
	until_true began
	kill -USR1 "$runner"
	until_true grep -q usr1 signals
	holds 1 x
	kill -HUP "$runner"
	ran 9
	is_free x
}

@test "what the command leaves behind is ended first: in its group, in another session, without environment" {
	nodes
	cat >leave <<-'SH'
		trap '' TERM
		sh -c 'echo $$ >in-group; exec sleep 1000' &
		setsid sh -c 'echo $$ >in-session; exec sleep 1000' &
		setsid env -i PATH="$PATH" sh -c 'trap "" TERM; (echo $$ >without; while :; do sleep 1; done) & wait' &
		until [ -s in-group ] && [ -s in-session ] && [ -s without ]; do sleep 0.01; done
		exit 5
	SH
	run -5 lock a run x -- sh leave
	for file in in-group in-session without; do is_gone "$(cat "$file")"; done
	is_free x
}

@test "lock run is killed: lockd kills its command, the one in another session too, then releases" {
	nodes
	lock_start a run x -- sh -c 'trap "" TERM; setsid sh -c "trap \"\" TERM; echo \$\$ >away; while :; do sleep 1; done" &
		until [ -s away ]; do sleep 0.01; done; echo $$ >"$PID_FILE"; while :; do sleep 1; done'
	until_true began
	kill -KILL "$runner"
	ran 137
	# What gets it sees that nothing of the former one is left.
	cat >look <<-'SH'
		for file in command.pid away; do
			! kill -0 "$(cat $file)" 2>/dev/null || [ "$(ps -o stat= -p "$(cat $file)" | cut -c1)" = Z ]
		done
	SH
	lock b run x --wait 20 -- sh -e look
	logged a "its command is being killed (gone)"
	until_true eval '[ -z "$(ls run/locks)" ]'
}

@test "lockd is killed: the command is asked to end; the lock stays until another lockd is there" {
	nodes
	lock_start a run x -- sh -c 'trap "echo term >signals; exit 0" TERM; echo $$ >"$PID_FILE"; while :; do sleep 0.01; done'
	until_true began
	kill -KILL "${pid[a]}"
	ran 122
	grep term signals
	grep "lockd is gone; the command is ended" run.err
	holds 1 x
	run -120 lock b run x --wait 0 -- true
	# Its successor of the same boot says that nothing of it is left.
	daemon a 1
	lock b run x --wait 20 -- true
}

@test "lockd is killed: a command that heeds nothing is killed before the lease ends" {
	nodes
	lock_start a run x -- sh -c 'trap "" TERM; echo $$ >"$PID_FILE"; while :; do sleep 0.01; done'
	until_true began
	kill -KILL "${pid[a]}"
	ran 122
	is_gone "$(cat "$PID_FILE")"
}

@test "lockd and lock run are killed: the next lockd ends the command before it is active" {
	nodes
	lock_start a run x -- sh -c 'trap "" TERM; echo $$ >"$PID_FILE"; while :; do sleep 0.01; done'
	until_true began
	kill -KILL "${pid[a]}" "$runner"
	ran 137
	kill -0 "$(cat "$PID_FILE")"
	daemon_start a 1
	until_true is_active a
	is_gone "$(cat "$PID_FILE")"
	logged a "ending what the command of a former lockd's lock left"
	[ -z "$(ls run/locks)" ]
	lock b run x --wait 20 -- true
}

@test "lockd stands still: lock run ends the command by itself" {
	nodes
	lock_start a run x -- sh -c 'echo $$ >"$PID_FILE"; exec sleep 60'
	until_true began
	kill -STOP "${pid[a]}"
	until_true is_gone "$(cat "$PID_FILE")"
	grep "lockd has not told of a renewed lease" run.err
	kill -CONT "${pid[a]}"
	ran 121
	until_true is_active a
	lock a run x --wait 20 -- true
}

@test "lockd stops in order: the command is ended, the lock released" {
	nodes
	lock_start a run x -- sh -c 'trap "echo term >signals; exit 0" TERM; echo $$ >"$PID_FILE"; while :; do sleep 0.01; done'
	until_true began
	stop a
	ran 121
	grep term signals
	grep "the command is ended: lockd stops" run.err
	is_free x
	until_true sees b 1 left
}

@test "every place is bound to a name: another name is refused, those are not" {
	nodes --locks 3
	for name in one two three; do lock a run "$name" -- true; done
	run -120 lock b run four -- true
	[[ $output == *"each of the 3 places for locks belongs to another name; use a name that is there"* ]]
	lock b run three -- true
	run -1 lock b break four
	[[ $output == *"there is no lock of that name"* ]]
	[ "$(lock a list --json | jq -s length)" = 3 ]
}

@test "the longest name and a long command with letters of several bytes" {
	nodes
	name=$(printf 'x%.0s' {1..59})/@:.
	lock a run "$name" -- sh -c 'true # äöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöü'
	lock_start a run "$name" -- sh -c 'echo $$ >"$PID_FILE"; exec sleep 60 # äöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöü'
	until_true began
	holds 1 "$name"
	lock b list --json "$name" | jq -e '.command | startswith("sh -c echo")'
	kill -TERM "$runner"
	ran 143
}

@test "list: who holds what, since when; names that are not there" {
	nodes
	run -0 lock a list
	lock_start a run x -- sh -c 'echo $$ >"$PID_FILE"; exec sleep 60'
	until_true began
	lock b run y -- true
	run -0 lock b list
	[[ ${lines[0]} == NAME*STATE*NODE*TERM*SINCE*BY*COMMAND ]]
	[[ ${lines[1]} == x*held*"a (1)"*1*"sh -c echo"* ]]
	[[ ${lines[2]} == y*"free (released)"*"b (2)"*2* ]]
	lock b list --json x | jq -e '.name == "x" and .state == "held" and .node == 1 and .node_name == "a" and
		.term == 1 and .fate == "alive" and (now - .since_s | . > -60 and . < 600)'
	lock a list --json x | jq -e '.fate == "ours"'
	run -0 lock b show x
	[[ ${lines[0]} == "x: held" && ${lines[1]} == *"a (1)" && $output == *"exec sleep 60"* ]]
	[[ $output == *"alive, incarnation 1"* ]]
	lock b show --json y | jq -e '.state == "released"'
	run -2 lock a show
	run -1 lock a show z
	run -1 --separate-stderr lock a list x z
	[[ $stderr == *"z: there is no lock of that name"* ]]
	[[ $output == *held* && $output != *released* ]]
	kill -TERM "$runner"
	ran 143
}

@test "break: not while its holder lives; nobody's is free" {
	nodes
	run -1 lock a break x
	[[ $output == *"there is no lock of that name"* ]]
	lock_start a run x -- sh -c 'echo $$ >"$PID_FILE"; exec sleep 60'
	until_true began
	for node in a b; do
		run -1 lock $node break x
		[[ $output == *"not broken: its holder a (node 1) is alive and runs sh -c echo"*"end its command there"* ]]
	done
	holds 1 x
	kill -TERM "$runner"
	ran 143
	run -0 lock b break x
	[ "$output" = "x: nobody holds it" ]
}

# at_terminal WORD...: lock b on a terminal; what is typed is stdin
at_terminal() { HOLDFAST_LOCKD_SOCKET=$dir/b.sock script -qefc "holdfast lock $*" /dev/null; }

@test "break: of a holder that nothing proves to be over, the operator types the name" {
	nodes
	lock_start a run x -- sh -c 'echo $$ >"$PID_FILE"; exec sleep 60'
	until_true began
	kill -KILL "${pid[a]}"
	ran 122
	until_true sees b 1 suspect
	until_true eval 'lock b list --json x | jq -e ".fate == \"unprovable\""'
	run -1 lock b break x </dev/null
	[[ $output == *"you vouch that a (node 1) is switched off"*"run it on a terminal"* ]]
	# typed TEXT: as soon as it is asked for; the terminal stays until the end.
	# shellcheck disable=SC2094 # what is shown is waited for
	typed() {
		: >shown
		at_terminal break x < <(until grep -q Type shown; do sleep 0.02; done; echo "$1"; exec sleep 60) >shown &
		others+=($!)
		status=0
		wait $! || status=$?
		output=$(cat shown)
	}
	typed y
	[ "$status" -eq 1 ]
	[[ $output == *"not broken: that is not its name"* ]]
	holds 1 x
	typed x
	[ "$status" -eq 0 ]
	[[ $output == *"x: broken; its holder was a (node 1)"* ]]
	lock b list --json x | jq -e '.state == "broken" and .vouched and .node == 2 and .term == 2 and .by != ""'
	lock b run x --wait 0 -- true
}

@test "the command has the terminal: keys that end it, and one that would suspend it" {
	nodes
	cat >dialogue <<-'PY'
		import os, pty, sys, time
		def until(text):
		    global seen
		    while text not in seen:
		        seen += os.read(fd, 1024)
		seen = b""
		child, fd = pty.fork()
		if child == 0:
		    os.execvp("holdfast", ["holdfast", "lock", "run", "x", "--", "sh", "-c",
		              "echo begin; read line; echo got $line; exec sleep 1000"])
		until(b"begin")
		os.write(fd, b"hello\n")
		until(b"got hello")
		os.write(fd, b"\x1a")
		until(b"is not suspended")
		os.write(fd, b"\x03")
		sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
	PY
	export HOLDFAST_LOCKD_SOCKET=$dir/a.sock
	run -130 timeout 60 python3 dialogue
	is_free x
}

@test "requests that are none: groups of others, tags that are paths, locks that are not held" {
	nodes
	refused() {
		ask a "$1" >answer || true
		cat answer
		jq -e '.ok == false' answer && grep -qF -- "$2" answer
	}
	tag='"tag":"HOLDFAST_LOCK_ID=00"'
	refused '{"op":"lock","name":"x","pgid":1,'"$tag"'}' '\"pgid\"'
	refused '{"op":"lock","name":"x","pgid":2,'"$tag"'}' "is no process group of a child"
	# The leader of a group, but another's child.
	setsid sleep 1000 3>&- &
	others+=($!)
	until_true eval '[ "$(ps -o pgid= -p $! | tr -d " ")" = $! ]'
	refused '{"op":"lock","name":"x","pgid":'$!','"$tag"'}' "is no process group of a child"
	kill -0 $!
	refused '{"op":"lock","name":"x","pgid":'$$',"tag":"HOLDFAST_LOCK_ID=../x"}' "none"
	refused '{"op":"lock","name":"x","pgid":'$$'}' '\"tag\"'
	refused '{"op":"lock","name":"a b","pgid":'$$','"$tag"'}' "is no lock's name"
	refused '{"op":"lock","name":7}' '\"name\"'
	refused '{"op":"lock"}' '\"name\"'
	refused '{"op":"lock","name":"x","wait_ms":-1,"pgid":2,'"$tag"'}' '\"wait_ms\"'
	refused '{"op":"unlock","name":"x"}' "is not held by this connection"
	refused '{"op":"break","name":"x","confirm":"y","term":1}' "is not its name"
	refused '{"op":"break","name":"x","confirm":"x"}' '\"term\"'
	refused '{"op":"locks","from":1024}' '\"from\"'
	[ -z "$(lock a list --json)" ]
}
