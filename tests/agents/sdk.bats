#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# sdk.bats - what every agent does alike, shown with fence_testing: actions, exit codes, input,
# proof, deadlines, causes, secrets, documents.

# stderr is set by run --separate-stderr.
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0

setup() {
	agent=$HOLDFAST_BIN/fence_testing
	dir=$BATS_TEST_TMPDIR
	store=$dir/plugs
	printf '1 on\n2 on\n' >"$store"
}

# act ACTION [OPTION...]: run on plug 1 unless options say otherwise; errors apart in $dir/err.
act() {
	local action=$1
	shift
	run --separate-stderr "$agent" -o "$action" --state-file "$store" -n 1 "$@"
}

json() { jq -er "$1" <<<"$output"; }

# wait_for FILE TEXT: until a program in the background has written it; bounded.
wait_for() {
	local tries=0
	until grep -q "$2" "$1" 2>/dev/null; do
		[ $((tries += 1)) -lt 1000 ]
		sleep 0.01
	done
}

plug_state() { awk -v n="$1" '$1 == n { print $2 }' "$store"; }

@test "status tells on by 0, off by 2" {
	act status
	[ "$status" -eq 0 ] && [ "$output" = "Status: ON" ]
	act off
	[ "$status" -eq 0 ] && [ "$output" = "Success: Powered OFF" ]
	act status
	[ "$status" -eq 2 ] && [ "$output" = "Status: OFF" ]
	act off
	[ "$status" -eq 0 ] && [ "$output" = "Success: Already OFF" ]
}

@test "monitor gives 0 when the machine is off" {
	act off
	act monitor
	[ "$status" -eq 0 ]
}

@test "list and list-status name every plug" {
	act off
	act list
	[ "$output" = $'1,\n2,' ]
	act list-status
	[ "$output" = $'1,,OFF\n2,,ON' ]
}

@test "actions are not case sensitive, meta-data is metadata" {
	act STATUS
	[ "$status" -eq 0 ]
	act meta-data
	[ "$status" -eq 0 ]
	[[ $output == *"<resource-agent"* ]]
}

@test "a missing, misspelt or unknown action touches nothing and fails" {
	local input
	for input in "" "actoin=off" "action=" "action=of" "option=offf" "action=enable"; do
		run --separate-stderr "$agent" <<<"$input"$'\n'"state_file=$store"$'\n'"plug=1"
		[ "$status" -eq 1 ]
		[[ $stderr == *"nothing was done"* ]]
	done
	run "$agent" --state-file "$store" -n 1
	[ "$status" -eq 1 ]
	run "$agent" -o off off --state-file "$store" -n 1
	[ "$status" -eq 1 ]
	[ "$(plug_state 1)" = on ]
}

@test "stdin: option= is action=, legacy names, last one wins, unknown is warned about" {
	run --separate-stderr "$agent" <<-EOF
		# as an old cluster writes it
		option=status
		action=off
		login=admin
		some_new_thing=1
		port=2
		nodename=node1
		state-file=$store
	EOF
	[ "$status" -eq 0 ]
	[ "$(plug_state 2)" = off ]
	[ "$(plug_state 1)" = on ]
	[ "$stderr" = 'fence_testing: warning: unknown option "some_new_thing" on stdin is ignored' ]
}

@test "argv: an unknown option is an error and nothing is done" {
	act off --some-new-thing 1
	[ "$status" -eq 1 ]
	[ "$(plug_state 1)" = on ]
	act off --plu 1
	[ "$status" -eq 1 ]
}

@test "nodename is the plug of last resort" {
	echo 'node1 on' >>"$store"
	run "$agent" <<<"action=off"$'\n'"state_file=$store"$'\n'"nodename=node1"
	[ "$status" -eq 0 ]
	[ "$(plug_state node1)" = off ]
}

@test "a plug the device does not have is never off" {
	act off -n 9 --json
	[ "$status" -eq 1 ]
	[ "$(json .cause)" = no-such-plug ]
	act reboot -n 1,9 --json
	[ "$status" -eq 1 ]
	[ "$(json .cause)" = no-such-plug ]
	[ "$(plug_state 1)" = on ]
}

@test "a lying device is caught" {
	act off --lie --power-timeout 0.3 --json
	[ "$status" -eq 1 ]
	[ "$(json .cause)" = state ]
	[ "$(json .state)" = on ]
	[ "$(json .proof)" = none ]
	[[ $stderr == *"still reads on"* ]]
}

@test "one of two plugs off is partial and a failure" {
	act off -n 1,2 --half-off --power-timeout 0.3 --json
	[ "$status" -eq 1 ]
	[ "$(json .state)" = partial ]
	[ "$(json '.plugs[0].state + .plugs[1].state')" = offon ]
	act status -n 1,2
	[ "$status" -eq 1 ]
}

@test "several plugs: all off before any on" {
	act reboot -n 1,2 --slow-off 0.2 --journal "$dir/journal"
	[ "$status" -eq 0 ]
	[ "$(paste -sd' ' "$dir/journal")" = "off 1 off 2 on 1 on 2" ]
}

@test "a plug name that contains the separator is tried whole first" {
	echo 'rack,7 on' >>"$store"
	act off -n rack,7
	[ "$status" -eq 0 ]
	[ "$(plug_state rack,7)" = off ]
}

@test "a name with the separator is not split because the device was busy" {
	printf 'a,b on\na on\nb on\n' >"$store"
	act off -n a,b --refuse busy --refuse-count 1
	[ "$status" -eq 0 ]
	[ "$(plug_state a,b)" = off ]
	[ "$(plug_state a)" = on ]
	act off -n a,b --refuse busy --action-timeout 0.3 --json
	[ "$status" -eq 1 ] && [ "$(json .cause)" = busy ]
	[ "$(plug_state a)" = on ]
}

@test "options that do not arrive end with a cause" {
	mkfifo "$dir/pipe"
	sleep 60 >"$dir/pipe" 3>&- &
	local feeder=$!
	"$agent" <"$dir/pipe" >"$dir/out" 2>"$dir/err" 3>&- &
	local pid=$!
	# Signal 15 has a handler; the sanitizers have theirs for others long before.
	until (((0x$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$pid/status") >> 14) & 1)); do
		sleep 0.01
	done
	kill "$pid"
	wait "$pid" || true
	kill "$feeder"
	grep -q 'stopped by a signal while reading the options' "$dir/err"
	run --separate-stderr bash -c "(echo action=status; echo 'state_file=$store'; echo plug=1;
		echo action_timeout=0.2; echo json=1; sleep 0.6) | '$agent'"
	[ "$status" -eq 1 ] && [ "$(json .cause)" = timeout ]
}

@test "a debug file that nobody reads holds up nothing" {
	mkfifo "$dir/fifo"
	act off --debug-file "$dir/fifo" --action-timeout 5
	[ "$status" -eq 0 ]
	[[ $stderr == *"debug_file="* ]]
}

@test "what input and devices say moves no cursor" {
	run --separate-stderr "$agent" <<<$'bad\e[2Jkey=1\naction=list\nstate_file='"$store"
	[[ $stderr != *$'\e'* ]]
	printf 'x\e[2J on\n' >"$store"
	act list
	[[ $output != *$'\e'* ]]
}

@test "a reboot whose on fails reports the proven off" {
	act reboot --refuse-on --json
	[ "$status" -eq 0 ]
	[ "$(json .off_proven)" = true ]
	[ "$(json .cause)" = unsupported ]
	[[ $stderr == *"off is proven, but on failed"* ]]
	[ "$(plug_state 1)" = off ]
}

@test "cycle: proven when seen off, accepted when not, on when it was off" {
	act reboot -m cycle --json
	[ "$status" -eq 0 ] && [ "$(json .proof)" = proven ]
	act reboot -m cycle --lie --power-timeout 0.3 --json
	[ "$status" -eq 0 ] && [ "$(json .proof)" = accepted ] && [ "$(json '.off_proven|not')" = true ]
	[[ $stderr == *"no proof of power loss"* ]]
	act off
	act reboot -m cycle --json
	[ "$status" -eq 0 ] && [ "$(json .state)" = on ] && [ "$(json .proof)" = proven ]
	act reboot -m cycle -n 1,2
	[ "$status" -eq 1 ]
}

@test "causes that pass are tried again, others are not" {
	act status --refuse busy --refuse-count 2
	[ "$status" -eq 0 ]
	[ "$(awk '/^refused/ { print $2 }' "$store")" -eq 2 ]
	act status --refuse auth --refuse-count 9 --json
	[ "$status" -eq 1 ] && [ "$(json .cause)" = auth ]
	[ "$(awk '/^refused/ { print $2 }' "$store")" -eq 3 ]
}

@test "every cause has its word and its error line" {
	local cause
	for cause in auth unreachable timeout privilege unsupported busy protocol; do
		act off --refuse "$cause" --action-timeout 1.5 --json
		[ "$status" -eq 1 ]
		[ "$(json .cause)" = "$cause" ]
		[ "$stderr" = "fence_testing: $store: login refused on request; drop refuse=" ]
	done
	[ "$(plug_state 1)" = on ]
}

@test "pending is not off" {
	act off --slow-off 30 --pending --power-timeout 0.3 --json
	[ "$status" -eq 1 ] && [ "$(json .state)" = pending ]
	act status --pending
	[ "$status" -eq 1 ]
}

@test "a hanging operation ends at the deadline with a cause" {
	local moment
	for moment in login status switch; do
		act off --hang "$moment" --action-timeout 0.3 --json
		[ "$status" -eq 1 ]
		[ "$(json .cause)" = timeout ]
		[ "$(json .proof)" = none ]
		[[ $stderr == *"timed out"* ]]
	done
}

@test "a reboot that hangs after the proven off still reports it" {
	act reboot --slow-on 30 --action-timeout 0.5 --json
	[ "$status" -eq 0 ]
	[ "$(json .off_proven)" = true ]
	[ "$(json .ok)" = false ]
}

@test "SIGTERM ends the action, and the state is unknown" {
	"$agent" -o off --state-file "$store" -n 1 --hang switch -v --json >"$dir/out" 2>"$dir/err" 3>&- &
	local pid=$!
	wait_for "$dir/err" "switching off"
	kill "$pid"
	wait "$pid" || true
	[ "$(jq -r .cause "$dir/out")" = cancelled ]
	[ "$(jq -r .exit "$dir/out")" -eq 1 ]
	[ "$(jq -r .state "$dir/out")" = unknown ]
}

@test "delay holds back off, not status" {
	act off --delay 0.2 --action-timeout 5
	[ "$status" -eq 0 ]
	act off --delay 2 --action-timeout 0.1 --json
	[ "$status" -eq 1 ] && [ "$(json .cause)" = config ]
	act status --delay 3000 --action-timeout 5
	[ "$status" -eq 2 ]
}

@test "under Pacemaker's fencer a step may use all the time, the whole stays bounded" {
	PCMK_service=pacemaker-fenced act status --slow-login 0.6 --login-timeout 0.2 --shell-timeout 0.3
	[ "$status" -eq 0 ]
	PCMK_service=pacemaker-fenced act status --slow-login 0.6 --login-timeout 0.2 --disable-timeout=0
	[ "$status" -eq 1 ]
	PCMK_service=pacemaker-fenced act status --hang login --login-timeout 0.2 --shell-timeout 0.01
	[ "$status" -eq 1 ]
}

@test "probe looks and changes nothing" {
	act probe --json --journal "$dir/journal"
	[ "$status" -eq 0 ] && [ "$(json .state)" = on ]
	[ ! -e "$dir/journal" ]
	act probe -n 9
	[ "$status" -eq 1 ]
}

@test "validate-all reads the options and nothing else" {
	act validate-all --refuse auth --password-script /nonexistent
	[ "$status" -eq 0 ]
	act validate-all --power-timeout never
	[ "$status" -eq 1 ]
	run "$agent" -o validate-all
	[ "$status" -eq 1 ]
	[[ $output == *"state_file= is missing"* ]]
}

@test "diag is accepted, never proven" {
	act diag --json --journal "$dir/journal"
	[ "$status" -eq 0 ] && [ "$(json .proof)" = accepted ]
	[ "$(cat "$dir/journal")" = "diag 1" ]
}

@test "password_file is refused when others may read it" {
	echo secret7 >"$dir/pw"
	chmod 644 "$dir/pw"
	act status --expect-password secret7 --password-file "$dir/pw"
	[ "$status" -eq 1 ]
	[[ $stderr == *"chmod 600"* ]]
	chmod 600 "$dir/pw"
	act status --expect-password secret7 --password-file "$dir/pw"
	[ "$status" -eq 0 ]
	mkfifo "$dir/fifo"
	act status --password-file "$dir/fifo"
	[ "$status" -eq 1 ]
}

@test "password_script: its output, its failure, its hanging" {
	printf '#!/bin/sh\necho secret7\n' >"$dir/good"
	printf '#!/bin/sh\nexit 3\n' >"$dir/bad"
	printf '#!/bin/sh\nsleep 60 &\nsleep 60\n' >"$dir/slow"
	chmod +x "$dir/good" "$dir/bad" "$dir/slow"
	act status --expect-password secret7 --password-script "$dir/good"
	[ "$status" -eq 0 ]
	act status --password-script "$dir/bad"
	[ "$status" -eq 1 ]
	[[ $stderr == *"exit status 3"* ]]
	act status --password-script "$dir/slow" --login-timeout 0.3 --json
	[ "$status" -eq 1 ] && [ "$(json .cause)" = timeout ]
	run pgrep -f "$dir/slow"
	[ "$status" -eq 1 ]
}

@test "a secret shows nowhere" {
	local flag
	for flag in --json --verbose "--debug-file=$dir/log"; do
		act off "$flag" --password hunter2 --expect-password other2
		[ "$status" -eq 1 ]
		[[ "$output$stderr" != *hunter2* && "$output$stderr" != *other2* ]]
	done
	run ! grep -q -e hunter2 -e other2 "$dir/log"
	"$agent" -o off --state-file "$store" -n 1 -p hunter2 --hang switch -v 3>&- >/dev/null 2>"$dir/err" &
	local pid=$!
	wait_for "$dir/err" "switching off"
	run cat "/proc/$pid/cmdline"
	local seen=$output
	run awk '/core file/ { print $5 }' "/proc/$pid/limits"
	kill "$pid"
	wait "$pid" || true
	[[ $seen != *hunter2* ]]
	[ "$output" = 0 ]
}

@test "a full stdout fails what prints, not what switches" {
	"$agent" -o off --state-file "$store" -n 1 >/dev/full 2>"$dir/err"
	[ "$(plug_state 1)" = off ]
	run bash -c "'$agent' -o list --state-file '$store' >/dev/full"
	[ "$status" -eq 1 ]
	run bash -c "'$agent' -o metadata >/dev/full"
	[ "$status" -eq 1 ]
}

@test "JSON stays JSON, whatever the plug is called" {
	act off -n $'\xff\xc3 "x\\' --json
	[ "$status" -eq 1 ]
	json . >/dev/null
	[ "$(wc -l <<<"$stderr")" -eq 1 ]
}

@test "metadata holds the schema, for each agent" {
	local schema=/usr/share/cluster/relaxng/metadata.rng program
	for program in "$HOLDFAST_BIN"/fence_*; do
		run --separate-stderr "$program" -o metadata
		[ "$status" -eq 0 ]
		xmllint --noout --relaxng "$schema" - <<<"$output"
		[ "$(xmllint --xpath 'count(//action[@name="off" or @name="on" or @name="reboot" or @name="monitor" or @name="status" or @name="validate-all"])' - <<<"$output")" -eq 6 ]
	done
}

@test "manpage is clean, for each agent" {
	local program
	for program in "$HOLDFAST_BIN"/fence_*; do
		run bash -c "'$program' -o manpage | mandoc -T lint -W warning"
		[ "$status" -eq 0 ]
		[ -z "$output" ]
	done
}

@test "help and version" {
	run "$agent" --help
	[ "$status" -eq 0 ]
	[[ $output == *--power-timeout* ]]
	run "$agent" -V
	[ "$status" -eq 0 ]
	[[ $output == "fence_testing "* ]]
}

@test "Pacemaker reads our metadata and validates our options" {
	local upper=$dir/upper work=$dir/work
	mkdir "$upper" "$work"
	# Pacemaker knows agents in one folder only; ours lie over it, in a namespace of our own.
	# shellcheck disable=SC2016
	run --separate-stderr unshare -m bash -ec '
		mount -t tmpfs none "$2"
		mkdir "$2/upper" "$2/work"
		mount -t overlay overlay -o "lowerdir=/usr/sbin,upperdir=$2/upper,workdir=$2/work" /usr/sbin
		cp "$1"/fence_testing "$1"/fence_ipmi /usr/sbin/
		stonith_admin --metadata --agent fence_testing | grep -q "resource-agent name=\"fence_testing\""
		stonith_admin --metadata --agent fence_ipmi | grep -q "resource-agent name=\"fence_ipmi\""
		stonith_admin --list-installed | grep -q fence_ipmi
		stonith_admin --validate --agent fence_testing --option "state_file=$3" --option plug=1
		! stonith_admin --validate --agent fence_testing --option "state_file=$3" --option power_timeout=never
	' - "$HOLDFAST_BIN" "$work" "$store"
	echo "$output$stderr"
	[ "$status" -eq 0 ]
}
