#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# command.bats - `holdfast watchdog`: what it makes of devices, of watchdogd, of a test, and of the
# record of a test. In a jail: --for-real is really typed here, and devices.py takes the blow.

# What jail.bash sets is known there; expressions for until_true expand when they are tried.
# shellcheck disable=SC2154,SC2016

bats_require_minimum_version 1.5.0

# shellcheck source-path=SCRIPTDIR
load jail.bash

setup_file() { export BATS_TEST_TIMEOUT=150; }

setup() {
	jail_start
	tree=$dir/tree
	export NO_COLOR=1
}

teardown() {
	jail_end
}

holdfast() { in_jail "$HOLDFAST_BIN/holdfast" watchdog "$@"; }

# json FILTER: of the lines of $output.
json() { jq -se "$1" <<<"$output"; }

# put NUMBER KEY VALUE...: attributes of a device in a made-up sysfs, $tree.
put() {
	local folder=$tree/class/watchdog/watchdog$1
	shift
	mkdir -p "$folder"
	while [ $# -gt 0 ]; do
		echo "$2" >"$folder/$1"
		shift 2
	done
}

query() { HOLDFAST_SYSFS=$tree holdfast query "$@"; }

# ---- query ----

@test "query: no device at all, and what to do" {
	mkdir "$tree"
	run -1 query
	[[ $output == *"no watchdog device"*"modprobe ipmi_watchdog"*"modprobe softdog"* ]]
	run -1 query --json
	json '.[0] | .kind == "advice" and .devices == 0 and (.next | test("modprobe"))'
}

@test "query: a hardware device, its facts, and the command that uses it" {
	put 0 dev 10:200 identity "i6300ESB timer" nowayout 0 timeout 30 min_timeout 1 \
		max_timeout 1023 state inactive bootstatus 0 pretimeout_governor noop \
		pretimeout_available_governors "noop"
	run -0 query
	[[ $output == *"/dev/watchdog0"*"i6300ESB timer"*"30 s"*"1 to 1023 s"*"no"*"inactive"* ]]
	[[ $output == *"usable: a device beside the kernel"* ]]
	[[ $output == *"Recommended: watchdogd --device /dev/watchdog0 --timeout 10"* ]]
	run -0 query --json
	json '.[0] | .verdict == "hardware" and .timeout_s == 30 and .nowayout == false and
		.max_s == 1023 and .left_s == null and .before_boot == ""'
	json '.[1].command == "watchdogd --device /dev/watchdog0 --timeout 10"'
}

@test "query: softdog alone is a weak proof, and not recommended beside hardware" {
	put 1 dev 10:201 identity "Software Watchdog" nowayout 0 timeout 60 max_timeout 65535 \
		min_timeout 1 state inactive
	run -0 query
	[[ $output == *softdog*"dies with it"*"Recommended: watchdogd --device /dev/watchdog1"* ]]
	[[ $output == *"Only software"* ]]
	put 2 dev 10:202 identity "iTCO_wdt" nowayout 1 timeout 30 min_timeout 20 max_timeout 613 \
		state inactive
	run -0 query
	[[ $output == *"Recommended: watchdogd --device /dev/watchdog2 --timeout 20 --accept-nowayout" ]]
	[[ $output == *"once opened it cannot be stopped"* ]]
	[[ $output != *"Only software"* ]]
}

@test "query: what the last boot was" {
	put 0 dev 10:200 identity "i6300ESB timer" state inactive bootstatus 33
	run -0 query
	[[ $output == *"before this boot: reset by this watchdog, overheated"* ]]
	run -0 query --json
	json '.[0].boot_status == 33 and (.[0].before_boot | startswith("reset by this watchdog"))'
}

@test "query: a device that another program holds, and one that runs with no holder" {
	put 0 dev 1:7 identity "Held" state active
	put 1 dev 10:201 identity "Loose" state active
	in_jail bash -c 'exec 7</dev/full; echo $$ >"$0"; exec sleep 1000' "$dir/holder" &
	others+=($!)
	until_true test -s "$dir/holder"
	if [ "$(id -u)" -eq 0 ]; then
		until_true eval 'query --json | jq -se ".[0].holder_pid == $(cat "$dir/holder")"'
		run -0 query --json
		json '.[0] | .verdict == "held" and .usable == false and (.holder | startswith("sleep"))'
		json '.[1] | .verdict == "running" and .holder == ""'
		json '.[2].command == "watchdogd --device /dev/watchdog1 --timeout 10"'
		rm -r "$tree/class/watchdog/watchdog1"
	else
		rm -r "$tree/class/watchdog/watchdog1"
	fi
	run -1 query
	[[ $output == *"in use by"*"no device can be used"* ]]
}

@test "query: a device that a dead watchdogd has left behind" {
	[ "$(id -u)" -eq 0 ] || skip "only root can look into other processes"
	put 0 dev 1:7 identity "Left" state active
	cp "$(command -v sleep)" "$dir/watchdogd-keep"
	in_jail bash -c 'exec 7</dev/full; exec "$0" 1000' "$dir/watchdogd-keep" &
	others+=($!)
	until_true eval 'query --json | jq -se ".[0].verdict == \"dying\" and .[0].usable == false"'
	# Beside watchdogd itself, it is only its keeper.
	cp "$(command -v sleep)" "$dir/watchdogd"
	in_jail bash -c 'exec 7</dev/full; exec "$0" 1000' "$dir/watchdogd" &
	others+=($!)
	until_true eval 'query --json | jq -se ".[0].verdict == \"watchdogd\" and .[0].usable"'
}

@test "query opens no device" {
	device 0
	devices_start
	run -0 in_jail env "LD_PRELOAD=$HOLDFAST_BUILD/tests/fake_watchdog.so" \
		"ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0" \
		"$HOLDFAST_BIN/holdfast" watchdog query
	[[ $output == *"fake_wdt"* ]]
	[ ! -s "$dir/trace" ]
}

@test "wrong use" {
	run -2 holdfast query now
	run -2 holdfast test --by hardware
	run -2 holdfast test --for-real --by magic
	run -2 holdfast test --for-real --result
	run -2 holdfast test --dir /nonexistent
	run -2 holdfast status --for-real
	run -2 holdfast tset
	[[ $output == *'did you mean "test"?'* ]]
	run -0 holdfast status --help
	[[ $output == *"4 watchdogd does not run"* ]]
}

@test "the manual and the help know the same subcommands and options, as completion does" {
	local man word option
	man=$(mandoc -T ascii "$here/../../docs/man/holdfast-watchdog.8" | col -bx)
	for word in query status test; do
		"$HOLDFAST_BIN/holdfast" watchdog --help | grep -qE "^  $word "
		grep -qE "^ +$word( |\$)" <<<"$man"
		for option in $("$HOLDFAST_BIN/holdfast" watchdog "$word" --help |
			grep -oE '^  (-.,|   ) --[a-z-]+' | grep -oE -- '--[a-z-]+'); do
			[[ $option == --help || $option == --version ]] || grep -qE -- "$option" <<<"$man"
		done
	done
	man=$(mandoc -T ascii "$here/../../docs/man/watchdogd.8" | col -bx)
	for option in $("$HOLDFAST_BIN/watchdogd" --help | grep -oE '^  --[a-z-]+'); do
		grep -qE -- "$option" <<<"$man"
	done
	# shellcheck disable=SC2016 # expanded by the inner shell
	run -0 bash --norc -c 'source "$1"; PATH=$2:$PATH
		COMP_WORDS=(holdfast watchdog test --by "") COMP_CWORD=4
		_holdfast
		echo "${COMPREPLY[@]}"
		COMP_WORDS=(holdfast watchdog "") COMP_CWORD=2
		_holdfast
		echo "${COMPREPLY[@]}"
		COMP_WORDS=(holdfast watchdog test --r) COMP_CWORD=3
		_holdfast
		echo "${COMPREPLY[@]}"' bash "$here/../../cli/completion.bash" "$HOLDFAST_BIN"
	[ "${lines[0]}" = "hardware self" ]
	[ "${lines[1]}" = "query status test" ]
	[ "${lines[2]}" = "--result" ]
}

# ---- status ----

@test "status: watchdogd does not run" {
	run -4 holdfast status
	[[ $output == *"$socket: it does not run; start watchdogd"* ]]
	run -4 holdfast test
	run -4 holdfast test --for-real
	[[ $output == *"nothing was done"* ]]
}

@test "status: what it pets, for whom, and what that promises" {
	device 0
	devices_start
	daemon --timeout 2
	client a keep db 5000 50
	until_true status_of '.pets > 2'
	run -0 holdfast status
	[[ $output == *"petting"*"proof      hardware"*"deadline + 2 s (device) + 1 s (grain)"* ]]
	[[ $output == */dev/watchdog0*"Fake hardware timer"*hardware*"2 s"*db*"5 s"*connected* ]]
	[[ $output == *"Never proven by a real reset"* ]]
	run -0 holdfast status --json
	json '.[0] | .state == "petting" and .proof == "hardware" and .device_ms == 2000'
	json '.[1] | .kind == "device" and .counting == true and .nowayout == false'
	json '.[2] | .kind == "client" and .client == "db" and .deadline_ms == 5000'
	json '.[3] | .kind == "proven" and .asked_at == null'
}

@test "status: no proof, and no longer petted, have exit statuses of their own" {
	daemon_file --timeout 1
	run -5 holdfast status
	[[ $output == *"no device works"* ]]
	client a keep db 300 20
	kill -USR1 "$client"
	until_true has_reset
	run -6 holdfast status
	[[ $output == *EXPIRED* ]]
	run -1 holdfast test
	[[ $output == *FAILED*"pets no longer: expired"* ]]
}

@test "status: a device that failed, and a client that vanished" {
	device 0 pets=2
	device 1
	devices_start
	daemon --device /dev/watchdog0 --device /dev/watchdog1 --timeout 2
	client a keep db 60000 50
	kill -KILL "$client"
	until_true status_of '.devices[0].failed == 1'
	run -0 holdfast status
	[[ $output == *FAILED*VANISHED* ]]
}

keeper_is() {
	[ "$(holdfast status --json | jq -r 'select(.kind == "status").keeper')" = "$1" ]
}

@test "status: the process that keeps the devices open is gone" {
	daemon_file --timeout 1
	keeper_is true
	in_jail pkill -KILL -P "$(daemon_pid)"
	until_true keeper_is false
	run -5 holdfast status
	[[ $output == *"keeper     GONE"* ]]
}

# ---- test ----

@test "test: a client for a moment, that resets nothing" {
	device 0
	device 1 left=no
	devices_start
	daemon --device /dev/watchdog0 --device /dev/watchdog1 --timeout 2
	run -0 holdfast test
	[[ $output == *register*ok*renewals*ok*pets*ok*"counts down and is set back"*"left out"*goodbye*ok* ]]
	[[ $output == *"proven by --for-real alone"* ]]
	status_of '.clients == [] and .state == 0'
	run -0 holdfast test --json
	json 'map(select(.kind == "check" and .passed == false)) == []'
}

@test "test: what does not work is found" {
	device 0 left=stuck
	devices_start
	daemon --timeout 2
	run -1 holdfast test
	[[ $output == *"never seen to count down"*FAILED* ]]
	signal_daemon TERM
	daemon_ends 0
	daemon_file --timeout 1
	run -1 holdfast test
	[[ $output == *"protects nothing"*FAILED* ]]
	status_of '.clients == [] and .state == 0'
}

@test "test: keys at the terminal do not end it while the machine relies on it" {
	device 0
	devices_start
	daemon --timeout 8 # pets every 2 s: it is long enough under way
	in_jail sh -c 'echo $$ >"$0"; exec "$@"' "$dir/tester" "$HOLDFAST_BIN/holdfast" watchdog test \
		>"$dir/test.out" &
	tester=$!
	until_true is_listed holdfast-test
	in_jail sh -c 'kill -INT "$1" && kill -TSTP "$1"' sh "$(cat "$dir/tester")"
	until_true status_of '.clients == []'
	# SIGINT, once it may come
	wait "$tester" || [ $? -ge 128 ]
	status_of '.clients == [] and .state == 0'
}

@test "test: output that nobody takes does not end it while the machine relies on it" {
	device 0
	devices_start
	daemon --timeout 2
	mkfifo "$dir/out"
	in_jail "$HOLDFAST_BIN/holdfast" watchdog test --json >"$dir/out" &
	tester=$!
	head -c 0 <"$dir/out"
	wait "$tester" || [ $? -ge 1 ]
	status_of '.clients == [] and .state == 0'
}

# ---- test --for-real ----

# real ANSWER [OPTION...]: an operator at a terminal types ANSWER for the machine's name.
real() {
	local answer=$1
	shift
	"$here/../agents/operator.py" "name of this machine: =$answer" -- "$here/jail.sh" --enter "$jail" \
		"$HOLDFAST_BIN/holdfast" watchdog test --for-real --dir "$dir/state" "$@" 3>&-
}

record() { jq -e "$1" "$dir/state/watchdog-test.json"; }

@test "for real: not without a terminal, the exact name, a device, or beside clients" {
	device 0
	devices_start
	daemon --timeout 1
	run -1 holdfast test --for-real --dir "$dir/state" </dev/null
	[[ $output == *"by a human at a terminal"*"nothing was done"* ]]
	run -1 real wrong
	[[ $output == *"jail will be RESET"*"/dev/watchdog0"*"within   2 s"*"not its exact name"* ]]
	run -1 real ""
	client a keep db 60000 50
	run -1 real jail
	[[ $output == *"client db"*"stop the clients first"* ]]
	kill -TERM "$client"
	wait "$client"
	status_of '.state == 0'
	[ ! -e "$dir/state" ]
	signal_daemon TERM
	daemon_ends 0
	daemon_file --timeout 1
	run -1 real jail
	[[ $output == *"no device works"* ]]
	[ ! -e "$dir/state" ]
}

@test "for real: not without a record" {
	device 0
	devices_start
	daemon --timeout 1
	touch "$dir/state"
	run -1 real jail
	[[ $output == *"without a record nothing could be proven"* ]]
	rm "$dir/state"
	mkdir "$dir/state"
	echo '{"version": 1}' >"$dir/state/watchdog-test.json"
	run -1 real jail
	[[ $output == *"this is no record of a test; move it away"* ]]
	status_of '.state == 0'
}

@test "for real, by the hardware: no more petting, the device fires, and to live on is a failure" {
	device 0
	devices_start
	daemon --timeout 1
	run -1 real jail
	[[ $output == *"reset within"*"FAILED: this machine was not reset"* ]]
	until_true traced '^watchdog0 fired'
	run ! traced '^(sysrq|reboot)'
	status_of '.state == 2'
	record '.outcome == "failed" and .by == "hardware" and .device_ms == 1000 and .bound_ms == 2000'
	record '.devices[0] | .device == "/dev/watchdog0" and .timeout_ms == 1000'
	run -6 holdfast status --dir "$dir/state"
	[[ $output == *TESTING*"Never proven"* ]]
	run -1 holdfast test --result --dir "$dir/state"
	[[ $output == *"FAILED: this machine was not reset"* ]]
	run -1 real jail
	[[ $output == *"pets no longer"*"nothing was done"* ]]
}

# interrupted SIGNAL: a test by hardware, bound 11 s, and a signal once it counts down.
interrupted() {
	device 0
	devices_start
	daemon --timeout 10
	real jail >"$dir/real.out" 2>&1 & # ends with the jail
	until_true status_of '.state == 2'
	until_true test -s "$dir/state/watchdog-test.json.alive"
	tester=$(in_jail pgrep -x holdfast)
	in_jail kill "-$1" "$tester"
}

alive() { awk '{ print $3 }' "$dir/state/watchdog-test.json.alive"; }

@test "for real: no key, no lost terminal ends it; a failure is found" {
	interrupted INT
	for signal in HUP QUIT TSTP PIPE; do
		in_jail kill "-$signal" "$tester"
	done
	until_true record '.outcome == "failed"'
	[ "$(alive)" -le 12000 ]
}

@test "for real: ended in order, nothing is proven" {
	interrupted TERM
	until_true record '.outcome == "unclear" and (.reason | test("shut down in order"))'
	grep -q "NOT PROVEN" "$dir/real.out"
}

@test "for real: killed, its signs of life go on and tell of the failure" {
	interrupted KILL
	until_true eval '[ "$(alive)" -gt 11000 ]'
	record '.outcome == null'
	# Then somebody restarts it.
	sign=$(alive)
	written .
	sign "$sign"
	run -1 result
	[[ $output == *"FAILED: this machine was not reset"* ]]
}

@test "for real: signs of life that hang with their disk hide no failure" {
	interrupted CONT
	until_true in_jail pgrep -x holdfast-alive
	in_jail pkill -STOP -x holdfast-alive
	until_true record '.outcome == "failed"'
	until_true eval '! in_jail pgrep -r R,S,D,T -x holdfast-alive' # nobody there reaps it
}

@test "for real: a test that nobody has asked about is judged before the next one" {
	device 0
	devices_start
	daemon --timeout 1
	written .
	run -1 real wrong
	record '.outcome == "reset" and .proven.by == "hardware" and .alive_ms == 9000'
}

@test "for real, by watchdogd itself: not where it leaves the reset to the devices" {
	device 0
	devices_start
	daemon --timeout 1 --on-expiry hardware
	run -1 real jail --by self
	[[ $output == *"leaves the reset to the devices"*"nothing was done"* ]]
	status_of '.state == 0'
	[ ! -e "$dir/state" ]
}

@test "for real, by watchdogd itself" {
	device 0
	devices_start
	daemon --timeout 1
	run -1 real jail --by self
	[[ $output == *"watchdogd itself, at once (reboot)"* ]]
	traced '^sysrq b$'
	record '.by == "self"'
}

# ---- test --result ----

# written JQ-FILTER...: the record of a test by hardware a moment ago, changed by a filter.
written() {
	local btime
	mkdir -p "$dir/state"
	btime=$(($(date +%s) - $(cut -d. -f1 /proc/uptime)))
	jq -n --argjson btime "$btime" '{
		version: 1, host: "jail", boot_id: "0000", asked_at: "2026-05-02T10:00:00Z",
		asked_at_s: ($btime - 30), asked_boot_ns: 5000000000, operator: "root",
		by: "hardware", proof: "hardware",
		devices: [{device: "/dev/watchdog0", identity: "i6300ESB timer", proof: "hardware",
			timeout_ms: 10000, failed: false}],
		device_ms: 10000, grain_ms: 1000, bound_ms: 11000, soonest_ms: 7500, outcome: null,
		reason: null, proven: null} | '"$1" >"$dir/state/watchdog-test.json"
	sign 9000
}

# sign MS [STOPPED]: the last sign of life of that test.
sign() {
	printf '%-36s %20d %20d %d\n' 0000 5000000000 "$1" "${2:-0}" \
		>"$dir/state/watchdog-test.json.alive"
}

result() { HOLDFAST_SYSFS=$tree holdfast test --result --dir "$dir/state" "$@"; }

@test "result: there is none" {
	run -1 result
	[[ $output == *"there is no record of a test"* ]]
	mkdir "$dir/state"
	head -c 70000 /dev/zero >"$dir/state/watchdog-test.json"
	run -1 result
	[[ $output == *"this is no record of a test"* ]]
}

@test "result: another boot, begun soon after the test, is the proof; it lasts" {
	written .
	run -0 result
	[[ $output == *"PROVEN: this machine was reset"*"this boot began 30 s after the test"* ]] ||
		[[ $output == *"this boot began "[23][0-9]" s after the test"* ]]
	[[ $output == *"no device tells whether it was its reset"* ]]
	record '.outcome == "reset" and .proven.by == "hardware"'
	# After the next boot nothing else would be known.
	record '.boot_id == "0000"'
	jq '.asked_at_s -= 1000000' "$dir/state/watchdog-test.json" >"$dir/changed"
	mv "$dir/changed" "$dir/state/watchdog-test.json"
	run -0 result --json
	json '.[0] | .outcome == "reset" and .proven and .devices[0].timeout_ms == 10000'
}

@test "result: the device says so itself" {
	put 3 dev 10:203 identity "i6300ESB timer" bootstatus 32
	written .
	run -0 result
	[[ $output == *"/dev/watchdog3 says that it was its reset"* ]]
	# Its word is enough, but not against a sign of life beyond the bound.
	written .
	rm "$dir/state/watchdog-test.json.alive"
	run -0 result
	written .
	sign 12000
	run -1 result
	[[ $output == *"FAILED: this machine was not reset"*"still lived 12.0 s after the order"* ]]
	# That is not what was tried here.
	written '.by = "self"'
	sign 0
	run -1 result
	[[ $output == *"NOT PROVEN"*"watchdogd's own reset may not work"* ]]
	rm -r "$tree"
	written '.by = "self"'
	sign 1100
	run -0 result
}

@test "result: what the signs of life say" {
	# Died early: itself by something else, or what gave the signs, and somebody restarted it.
	written .
	sign 2000
	run -1 result
	[[ $output == *"NOT PROVEN"*"signs of life end 2.0 s after the order, and no device fires before 7.5 s"* ]]
	record '.outcome == "unclear" and .alive_ms == 2000 and .proven == null'
	written .
	rm "$dir/state/watchdog-test.json.alive"
	run -1 result
	[[ $output == *"NOT PROVEN"*"no sign of life"* ]]
	record '.alive_ms == null'
	# Those of another test are none.
	written '.asked_boot_ns = 6000000000'
	run -1 result
	[[ $output == *"no sign of life"* ]]
	# Later than the bound: a timeout that is longer than the driver tells.
	written .
	sign 11900
	run -1 result
	[[ $output == *"FAILED: this machine was not reset"*"the bound was 11.0 s"* ]]
	record '.outcome == "failed" and .proven == null'
	# Shut down in order.
	written .
	sign 9000 1
	run -1 result
	[[ $output == *"NOT PROVEN"*"shut down in order"* ]]
	# By itself it is at once, or not at all.
	written '.by = "self"'
	sign 9000
	run -1 result
	[[ $output == *"NOT PROVEN"*"at once, but it still lived 9.0 s"* ]]
	written '.by = "self"'
	rm "$dir/state/watchdog-test.json.alive"
	run -1 result
	[[ $output == *"NOT PROVEN"*"no sign of life"* ]]
}

@test "result: a record that lacks something is none" {
	for key in operator asked_at proof device_ms soonest_ms; do
		written "del(.$key)"
		run -1 result
		[[ $output == *"this is no record of a test"* ]]
	done
}

@test "result: the same boot is a failure, once the bound has passed" {
	boot=$(cat /proc/sys/kernel/random/boot_id)
	written ".boot_id = \"$boot\""
	run -1 result
	[[ $output == *"FAILED: this machine was not reset"*"has not been restarted"* ]]
	record '.outcome == "failed" and .proven == null'
	written ".boot_id = \"$boot\" | .bound_ms = 100000000000"
	run -1 result
	[[ $output == *PENDING*"the test is not over"* ]]
	record '.outcome == null'
}

@test "result: a boot too long after the test, or before it, proves nothing" {
	written '.asked_at_s -= 100000'
	run -1 result
	[[ $output == *"NOT PROVEN"*"something else has restarted"* ]]
	written '.asked_at_s += 5000'
	run -1 result
	[[ $output == *"NOT PROVEN"*"that clock was set since"* ]]
	record '.outcome == "unclear" and .proven == null'
}

@test "status: a record that cannot be read does not mean that nothing was proven" {
	device 0
	devices_start
	daemon --timeout 2
	mkdir "$dir/state"
	echo nonsense >"$dir/state/watchdog-test.json"
	run -0 holdfast status --dir "$dir/state"
	[[ $output == *"Whether a real reset has proven it is not known"* ]]
	[[ $output != *"Never proven"* ]]
	run -0 holdfast status --dir "$dir/state" --json
	[[ ${lines[-1]} == *'"known":false'* || ${lines[-1]} == *'"known": false'* ]]
}

@test "status tells what was proven, and whether with these devices" {
	device 0 "identity=i6300ESB timer"
	devices_start
	written '.devices[0].timeout_ms = 2000'
	run -0 result
	daemon --timeout 2
	run -0 holdfast status --dir "$dir/state"
	[[ $output == *"Proven by a real reset on 2026-05-02T10:00:00Z, by hardware" ]]
	signal_daemon TERM
	daemon_ends 0
	daemon --timeout 3
	run -0 holdfast status --dir "$dir/state"
	[[ $output == *"but with other devices or timeouts: test again" ]]
	run -0 holdfast status --dir "$dir/state" --json
	json '.[-1] | .kind == "proven" and .same_devices == false'
	# A test that fails later does not take away what was proven before.
	run -1 real jail
	record '.outcome == "failed" and .proven.by == "hardware"'
}
