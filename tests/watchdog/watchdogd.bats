#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# watchdogd.bats - the self-fencer in a jail, with a file for a device and with fake devices: whose
# silence resets the machine, what does not, and what is never petted again.

# What jail.bash sets is known there; expressions for until_true expand when they are tried.
# shellcheck disable=SC2154,SC2016

bats_require_minimum_version 1.5.0

# shellcheck source-path=SCRIPTDIR
load jail.bash

setup_file() { export BATS_TEST_TIMEOUT=150; }

setup() { jail_start; }

teardown() { jail_end; }

# ---- clients ----

@test "a client registers and renews: the device is petted, the client listed, the bound told" {
	daemon_file --timeout 2
	client a keep db 5000 50
	[ "$(head -n 1 "$dir/a")" = "terms 5000 2000 8000 0 0" ]
	until_true status_of '.clients[0].renewals > 5'
	status_of '.clients[0] | .name == "db" and .deadline_ms == 5000 and .connected == 1'
	status_of '.clients[0] | .left_ms <= 5000 and .least_left_ms <= 5000'
	status_of '.pets > 0 and .state == 0 and .device_ms == 2000 and .grain_ms == 1000'
	pets_go_on
}

@test "a client that renews no more is late: one reset, and never a pet again" {
	daemon_file --timeout 1
	client a keep db 700 50
	pets_go_on
	kill -USR1 "$client"
	until_true has_reset
	reset_is_last
	status_of '.state == 1'
	grep -q 'db: LATE by' "$dir/log"
	# Nothing saves it any more.
	run "$here/client.py" "$socket" keep other 5000 50
	[[ $output == "refused 5 "* ]]
	reset_is_last
}

@test "a client that vanishes without goodbye is a missed renewal" {
	daemon_file --timeout 1
	client a keep db 700 50
	kill -KILL "$client"
	until_true has_reset
	reset_is_last
	grep -q 'db: vanished without goodbye' "$dir/log"
}

@test "a goodbye frees: no reset, petting goes on" {
	daemon_file --timeout 1
	client a keep db 5000 50
	kill -TERM "$client"
	wait "$client"
	[ "$(tail -n 1 "$dir/a")" = bye ]
	status_of '.clients == []'
	# Longer than its deadline.
	pets_go_on 24
	run ! has_reset
}

@test "a name that vanished is taken over before its deadline, one that lives is not" {
	daemon_file --timeout 1
	client a keep db 6000 50
	first=$client
	run "$here/client.py" "$socket" keep db 6000 50
	[[ $output == "refused 3 "* ]]
	kill -KILL "$first"
	until_true status_of '.clients[0].connected == 0'
	client b keep db 6000 50
	[[ $(head -n 1 "$dir/b") == "terms 6000 "* ]]
	status_of '.clients | length == 1'
	# Longer than what was left to the first one.
	pets_go_on 28
	run ! has_reset
}

@test "one late client among several is enough" {
	daemon_file --timeout 1
	client a keep one 60000 50
	client b keep two 700 50
	late=$client
	client c keep three 60000 50
	kill -USR1 "$late"
	until_true has_reset
	reset_is_last
	grep -q 'two: LATE by' "$dir/log"
	run ! grep -E '(one|three): LATE' "$dir/log"
}

@test "garbage, other versions and oversized packets: refused, closed, and watchdogd lives on" {
	daemon_file --timeout 1
	client a keep db 60000 50
	for bytes in 00 48465744 "$(printf '78%.0s' {1..600})" 484657440200030010000000 \
		4846574401000900 4846574401000300 484657440100030 4846574401000300ff000000 \
		484657440100400026000000 48465744010005000d00000009; do
		run "$here/client.py" "$socket" raw "${bytes:0:$((${#bytes} / 2 * 2))}"
		echo "$bytes: $output"
		[[ ${lines[0]} == "refused 0 "* ]]
		[ "${lines[1]}" = eof ]
	done
	# RENEW and GOODBYE of nobody
	for bytes in 4846574401000200140000000000000000000000 48465744010003000c000000; do
		run "$here/client.py" "$socket" raw "$bytes"
		[[ ${lines[0]} == "refused 4 "* ]]
	done
	pets_go_on
	run ! has_reset
}

@test "a client that sends garbage has vanished" {
	daemon_file --timeout 1
	name=6462 # "db"
	run "$here/client.py" "$socket" raw \
		"484657440100010038000000$name$(printf '00%.0s' {1..30})bc020000$(printf '00%.0s' {1..8})" 6666
	echo "$output"
	[[ ${lines[0]} == "terms 700 "* ]]
	[[ ${lines[1]} == "refused 0 "* ]]
	until_true has_reset
	reset_is_last
}

@test "more connections than there is room for are refused, and those inside are kept" {
	daemon_file --timeout 1
	client a keep db 60000 50
	client b flood many 60
	until_true eval '[ "$(wc -l <"$dir/b")" -eq 60 ]'
	sort "$dir/b" | cut -c1-9 | uniq -c
	[ "$(grep -c '^terms' "$dir/b")" -eq 31 ]
	[ "$(grep -cE '^(refused 3|eof)' "$dir/b")" -eq 29 ]
	pets_go_on
	# There is room for this question once the connections that did not register are closed.
	until_true status_of '.clients | length == 32'
	before=$(status_of '.clients[0].renewals')
	until_true status_of ".clients[0].renewals > $before + 5"
	run ! has_reset
}

@test "a client that never reads its answers harms nobody, and is served" {
	daemon_file --timeout 1
	client a keep db 60000 50
	client b deaf quiet 60000 1
	# More than a socket holds.
	until_true status_of '.clients[] | select(.name == "quiet") | .renewals > 1500'
	pets_go_on
	before=$(status_of '.clients[0].renewals')
	until_true status_of ".clients[0].renewals > $before + 5"
	run ! has_reset
}

@test "connections that say nothing keep no place for ever" {
	daemon_file --timeout 1
	python3 - "$socket" <<-'PYTHON' 3>&- &
	import socket, sys
	links = []
	for _ in range(39):
	    link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
	    link.connect(sys.argv[1])
	    links.append(link)
	open(sys.argv[1] + ".full", "w")
	for link in links:
	    link.recv(1)
	PYTHON
	others+=($!)
	until_true test -e "$socket.full"
	until_true eval '[[ $("$here/client.py" "$socket" keep db 60000 50 & sleep 0.3; kill $!) == terms* ]]'
	pets_go_on
}

# ---- the process ----

@test "an orderly stop is refused while clients rely on it, and disarms the device afterwards" {
	daemon_file --timeout 1
	client a keep db 60000 50
	signal_daemon TERM
	until_true grep -q 'db: relies on watchdogd: it does not stop' "$dir/log"
	pets_go_on
	kill -TERM "$client"
	wait "$client"
	signal_daemon TERM
	daemon_ends 0
	[[ $(tail -n 1 "$dir/pets") == "disarm "* ]]
	[ ! -e "$socket" ]
	[ ! -e "$socket.clients" ]
	run ! has_reset
}

@test "killed while clients rely on it: not started again, and the device is not petted" {
	daemon_file --timeout 1
	client a keep db 60000 50
	pets_go_on
	signal_daemon KILL
	daemon_ends 137
	count=$(pets)
	daemon_fails 3 "an earlier watchdogd died while clients relied on it" \
		--device "file:$dir/pets" --timeout 1
	[ "$(pets)" -eq "$count" ]
	until_true grep -qx eof "$dir/a"
}

@test "killed without clients: it may start again" {
	daemon_file --timeout 1
	client a keep db 60000 50
	kill -TERM "$client"
	wait "$client"
	signal_daemon KILL
	daemon_ends 137
	daemon_file --timeout 1
	pets_go_on
}

@test "stopped for longer than a deadline: reset on waking, and no pet before it" {
	daemon_file --timeout 1
	client a keep db 700 50
	pets_go_on
	signal_daemon STOP
	until_true eval 'grep -q "^State:.T" <(in_jail cat "/proc/$(daemon_pid)/status")'
	count=$(pets)
	sleep 1
	signal_daemon CONT
	until_true has_reset
	[ "$(pets)" -eq "$count" ]
	reset_is_last
}

@test "stopped for less than a deadline: it goes on" {
	daemon_file --timeout 2
	client a keep db 30000 50
	pets_go_on
	signal_daemon STOP
	until_true eval 'grep -q "^State:.T" <(in_jail cat "/proc/$(daemon_pid)/status")'
	sleep 1
	signal_daemon CONT
	pets_go_on 6
	run ! has_reset
	status_of '.state == 0 and .latest_ms > 300'
}

@test "a second one is refused" {
	daemon_file --timeout 1
	first=$daemon
	daemon_fails 1 "another watchdogd is running here" --device "file:$dir/other" --timeout 1
	[ ! -e "$dir/other" ]
	kill -0 "$first"
	pets_go_on
}

@test "nobody reads its log: petting goes on, late is late, and lost lines are counted" {
	mkfifo "$dir/log.pipe"
	exec {reader}<>"$dir/log.pipe"
	# The pipe is full before anything is said.
	python3 - "$reader" <<-'PYTHON'
	import os, sys
	pipe = int(sys.argv[1])
	os.set_blocking(pipe, False)
	try:
	    while True:
	        os.write(pipe, b"x" * 4096)
	except BlockingIOError:
	    os.set_blocking(pipe, True)
	PYTHON
	in_jail sh -c 'echo $$ >"$0"; exec "$@"' "$dir/daemon.pid" \
		"$HOLDFAST_BIN/watchdogd" --socket "$socket" --priority 0 --device "file:$dir/pets" \
		--timeout 1 2>"$dir/log.pipe" &
	others+=($!)
	until_true eval '"$here/client.py" "$socket" status >/dev/null 2>&1 || read -r -t 0.01 -N 4096 _ <&"$reader"'
	until_true "$here/client.py" "$socket" status
	client a keep db 700 50
	"$here/client.py" "$socket" churn talker 1000
	until_true status_of '.lost_lines > 0'
	pets_go_on
	kill -USR1 "$client"
	until_true has_reset
	reset_is_last
	exec {reader}<&-
}

@test "a full disk behind the file device: the device fails, watchdogd and its clients go on" {
	daemon --device file:/dev/full --timeout 1
	client a keep db 60000 50
	until_true status_of '.devices[0].failed == 1'
	status_of '.proof == 0 and .state == 0'
	before=$(status_of '.clients[0].renewals')
	until_true status_of ".clients[0].renewals > $before + 5"
	until_true grep -q 'pet failed: No space left' "$dir/log"
}

# ---- devices ----

@test "a device is set, read back, petted, and stopped by the magic character" {
	device 0
	devices_start
	daemon --timeout 2
	until_true status_of '.pets > 3'
	status_of '.proof == 2 and .devices[0].timeout_ms == 2000 and .devices[0].counting == 1'
	status_of '.devices[0].identity == "Fake hardware timer" and .devices[0].left_ms < 2000'
	signal_daemon TERM
	daemon_ends 0
	until_true traced '^watchdog0 close'
	traced '^watchdog0 set 2 -> 2'
	traced '^watchdog0 magic'
	traced '^watchdog0 stopped'
	run ! traced fired
	run ! traced '^(sysrq|reboot)'
}

@test "late with a real device: the kernel is told to reset, the device runs out as backstop" {
	device 0
	devices_start
	daemon --timeout 1
	client a keep db 700 50
	until_true traced '^watchdog0 pet'
	kill -USR1 "$client"
	until_true traced '^sysrq b$'
	traced '^kmsg .*db is late by'
	until_true traced '^watchdog0 fired'
	# Between the reset and the firing there is no pet.
	run sed -n '/^sysrq/,$p' "$dir/trace"
	[[ $output != *' pet '* ]]
}

# on_expiry WHAT: a client is late with a device of its own.
on_expiry() {
	device 0
	devices_start
	daemon --timeout 2 --on-expiry "$1"
	client a keep db 500 20
	kill -USR1 "$client"
}

@test "--on-expiry off: the power goes, and should that hang, the plain reset follows" {
	on_expiry off
	until_true traced '^sysrq o$'
	until_true traced '^sysrq b$'
}

@test "--on-expiry crash: a panic, and should that hang, the plain reset follows" {
	on_expiry crash
	until_true traced '^sysrq c$'
	until_true traced '^sysrq b$'
}

@test "--on-expiry hardware: left to the device alone" {
	on_expiry hardware
	until_true traced '^watchdog0 fired'
	run ! traced '^(sysrq|reboot)'
}

@test "killed with clients: the device stays open and unpetted, so that it fires" {
	device 0
	devices_start
	daemon --timeout 1
	client a keep db 60000 50
	until_true traced '^watchdog0 pet'
	signal_daemon KILL
	daemon_ends 137
	until_true traced '^watchdog0 fired'
	run ! traced '^watchdog0 (close|stopped|magic)'
}

@test "a timeout that the driver rounds is refused, and taken when that is accepted" {
	device 0 round=8
	devices_start
	daemon_fails 1 "asked for a timeout of 10 s, it has 16 s" --timeout 10
	until_true traced '^watchdog0 stopped'
	daemon --timeout 10 --accept-rounding
	status_of '.device_ms == 16000 and .devices[0].asked_ms == 10000'
	client a keep db 5000 50
	[[ $(head -n 1 "$dir/a") == "terms 5000 16000 22000 2 0" ]]
}

@test "a driver whose timeout is fixed" {
	device 0 set=no timeout=3
	devices_start
	daemon_fails 1 "asked for a timeout of 10 s, it has 3 s" --timeout 10
	daemon --timeout 3
	status_of '.device_ms == 3000'
}

@test "nowayout is known before the device is opened" {
	device 0 nowayout=1
	devices_start
	daemon_fails 1 "nowayout is set" --timeout 2
	[ ! -s "$dir/trace" ]
	daemon --timeout 2 --accept-nowayout
	status_of '.devices[0].nowayout == 1'
	signal_daemon TERM
	daemon_ends 0
	grep -q 'STILL RUNS' "$dir/log"
	until_true traced '^watchdog0 fired'
}

@test "a timeout out of the driver's range is refused before the device is opened" {
	device 0 max=5
	devices_start
	daemon_fails 1 "out of its range, 1 to 5 s" --timeout 10
	[ ! -s "$dir/trace" ]
}

@test "a device that another program has, and one that is not there" {
	device 0 busy=yes
	devices_start
	daemon_fails 1 "another program has it open" --timeout 2
	daemon_fails 1 "/dev/watchdog7: there is no such device" --device /dev/watchdog7
}

@test "a device without magic close is refused: the death of watchdogd would stop it" {
	device 0 options=0x8080
	devices_start
	daemon_fails 1 "it has no magic close" --timeout 2
}

@test "the driver of a BMC's watchdog tells no options, and has magic close" {
	device 0 options=0 identity=IPMI
	devices_start
	daemon --timeout 2
	signal_daemon TERM
	daemon_ends 0
	until_true traced '^watchdog0 close'
	traced '^watchdog0 magic'
	traced '^watchdog0 stopped'
	run ! traced fired
}

@test "the pretimeout panics first" {
	device 0
	devices_start
	daemon --timeout 4 --pretimeout 2 --on-expiry hardware
	status_of '.devices[0].pretimeout_ms == 2000'
	[ "$(in_jail cat /sys/class/watchdog/watchdog0/pretimeout_governor)" = panic ]
	client a keep db 300 20
	kill -USR1 "$client"
	until_true traced '^watchdog0 fired'
	run grep -oE 'pretimeout [0-9]{4,}|fired' "$dir/trace"
	[[ ${lines[0]} == pretimeout* ]]
	[ "${lines[1]}" = fired ]
}

@test "a pretimeout that the kernel cannot panic at is refused" {
	device 0 governors=noop
	devices_start
	daemon_fails 1 "the kernel cannot panic at its pretimeout" --timeout 4 --pretimeout 2
	[ ! -s "$dir/trace" ]
}

@test "two devices, one failing: it no longer counts, the other one is petted on" {
	device 0 pets=3
	device 1 "identity=Other timer"
	devices_start
	daemon --device /dev/watchdog0 --device /dev/watchdog1 --timeout 2
	until_true status_of '.devices[0].failed == 1'
	status_of '.devices[1].failed == 0 and .proof == 2 and .device_ms == 2000'
	grep -q '/dev/watchdog0: pet failed: Input/output error' "$dir/log"
	before=$(grep -c '^watchdog1 pet' "$dir/trace")
	until_true eval "[ \$(grep -c '^watchdog1 pet' \"\$dir/trace\") -gt $((before + 3)) ]"
}

@test "two devices, one that cannot be used: neither is left running" {
	device 0
	device 1 round=7
	devices_start
	daemon_fails 1 "/dev/watchdog1: asked for a timeout of 10 s" --device /dev/watchdog0 \
		--device /dev/watchdog1 --timeout 10
	until_true traced '^watchdog0 stopped'
	until_true traced '^watchdog1 stopped'
}

@test "softdog is a proof of software, beside hardware it does not weaken the promise" {
	device 0 "identity=Software Watchdog" driver=softdog
	device 1
	devices_start
	daemon --device /dev/watchdog0 --timeout 2
	status_of '.proof == 1'
	signal_daemon TERM
	daemon_ends 0
	daemon --device /dev/watchdog0 --device /dev/watchdog1 --timeout 2
	status_of '.proof == 2'
}

@test "a driver that does not tell what is left, and one whose time never falls" {
	device 0 left=no
	device 1 left=stuck
	devices_start
	daemon --device /dev/watchdog0 --device /dev/watchdog1 --timeout 2
	until_true status_of '.pets > 3'
	status_of '.devices[0] | .counting == 2 and .left_ms == 4294967295'
	status_of '.devices[1].counting == 0'
}

@test "--check opens nothing" {
	device 0
	devices_start
	# shellcheck disable=SC2046 # a list of words
	run -0 in_jail $(daemon_program) --check --timeout 2
	[[ $output == *"/dev/watchdog0: Fake hardware timer, hardware, timeout 2 s: can be used"* ]]
	[ ! -s "$dir/trace" ]
}

# ---- late packets, lost files, lost processes ----

# wire NUMBER BYTES: little-endian, in hexadecimal.
wire() { python3 -c 'import sys; print(int(sys.argv[1]).to_bytes(int(sys.argv[2]), "little").hex())' "$@"; }

# registration NAME DEADLINE_MS SINCE_NS: the packet, in hexadecimal.
registration() {
	local name
	name=$(printf '%s' "$1" | od -An -tx1 | tr -d ' \n')
	printf '484657440100010038000000%s%0*d%s%s' "$name" $((64 - ${#name})) 0 \
		"$(wire "$2" 4)" "$(wire "$3" 8)"
}

@test "a registration counts from when it was sent: one that is late already is refused" {
	daemon_file --timeout 1
	run "$here/client.py" "$socket" raw "$(registration db 700 1)"
	[[ ${lines[0]} == "refused 2 "* ]]
	status_of '.clients == []'
	run "$here/client.py" "$socket" raw "$(registration db 60000 \
		"$(python3 -c 'import time; print(time.clock_gettime_ns(time.CLOCK_BOOTTIME))')")"
	[[ ${lines[0]} == "terms 60000 "* ]]
}

@test "who gave up waiting for its registration is not registered" {
	daemon_file --timeout 2
	signal_daemon STOP
	until_true eval 'grep -q "^State:.T" <(in_jail cat "/proc/$(daemon_pid)/status")'
	python3 - "$socket" "$(registration db 60000 0)" <<-'PYTHON'
	import socket, sys
	link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
	link.connect(sys.argv[1])
	link.send(bytes.fromhex(sys.argv[2]))
	PYTHON
	signal_daemon CONT
	pets_go_on
	status_of '.clients == []'
	run ! grep -q 'db: registered' "$dir/log"
}

@test "the marker's file was tidied away: it is made again, and does its work" {
	daemon_file --timeout 1
	rm "$socket.idle"
	client a keep db 60000 50
	[[ $(head -n 1 "$dir/a") == "terms "* ]]
	[ -e "$socket.clients" ]
	signal_daemon KILL
	daemon_ends 137
	daemon_fails 3 "an earlier watchdogd died while clients relied on it" \
		--device "file:$dir/pets" --timeout 1
}

@test "no marker can be made: no client is taken" {
	daemon_file --timeout 1
	mkdir "$socket.clients"
	run "$here/client.py" "$socket" keep db 60000 50
	[[ ${lines[0]} == "refused 8 "* ]]
	status_of '.clients == []'
	rmdir "$socket.clients"
	client a keep db 60000 50
	[[ $(head -n 1 "$dir/a") == "terms "* ]]
	pets_go_on
	run ! has_reset
}

@test "the keeper is killed: the status tells, petting goes on" {
	daemon_file --timeout 1
	client a keep db 60000 50
	status_of '.keeper == 1'
	in_jail pkill -KILL -P "$(daemon_pid)"
	until_true status_of '.keeper == 0'
	pets_go_on
	before=$(status_of '.clients[0].renewals')
	until_true status_of ".clients[0].renewals > $before + 5"
	run ! has_reset
}

@test "connections that ask and ask, and never register, lock nobody out" {
	daemon_file --timeout 1
	client a keep first 60000 50
	python3 - "$socket" <<-'PYTHON' 3>&- &
	import select, socket, sys
	query = bytes.fromhex("48465744010004000c000000")
	links = []
	for _ in range(39):
	    link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
	    link.connect(sys.argv[1])
	    links.append(link)
	while links:
	    for link in list(links):
	        try:
	            link.send(query)
	            while select.select([link], [], [], 0)[0] and link.recv(512):
	                pass
	        except OSError:
	            links.remove(link)
	    open(sys.argv[1] + ".full", "w")
	    select.select([], [], [], 0.2)
	PYTHON
	others+=($!)
	until_true test -e "$socket.full"
	client b keep second 60000 50
	[[ $(head -n 1 "$dir/b") == "terms "* ]]
	status_of '.clients | length == 2'
}

@test "--on-expiry hardware: should the device not do it, the plain reset follows" {
	device 0 counts=no
	devices_start
	daemon --timeout 2 --on-expiry hardware
	client a keep db 500 20
	kill -USR1 "$client"
	until_true traced '^sysrq b$'
	run ! traced fired
}

@test "a timeout beyond reason is refused" {
	device 0 set=no timeout=4294970 max=0
	devices_start
	daemon_fails 1 "it tells a timeout of 4294970 s" --timeout 10 --accept-rounding
}

@test "a timeout that the pretimeout changes is read again" {
	device 0 room=5
	devices_start
	daemon_fails 1 "with that pretimeout its timeout became 9 s" --timeout 4 --pretimeout 2
	daemon --timeout 4 --pretimeout 2 --accept-rounding
	status_of '.device_ms == 9000 and .devices[0].pretimeout_ms == 2000'
}

@test "started without standard descriptors: its devices do not get its log" {
	in_jail sh -c 'echo $$ >"$0"; exec "$@" <&- >&- 2>&-' "$dir/daemon.pid" \
		"$HOLDFAST_BIN/watchdogd" --socket "$socket" --priority 0 --standstill-clock none \
		--device "file:$dir/pets" --timeout 1 &
	others+=($!)
	until_true "$here/client.py" "$socket" status
	pets_go_on
	run ! grep -v '^pet ' "$dir/pets"
}

@test "keys: the one that suspends does nothing, the one that quits asks for an orderly stop" {
	daemon_file --timeout 1
	signal_daemon TSTP
	pets_go_on
	signal_daemon QUIT
	daemon_ends 0
	[[ $(tail -n 1 "$dir/pets") == "disarm "* ]]
}

@test "the unit: a crash is made good, a refused start is not tried again" {
	grep -qx 'Restart=on-abnormal' "$here/../../watchdog/watchdogd.service.in"
}
