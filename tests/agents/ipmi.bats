#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ipmi.bats - fence_ipmi against ipmi_sim, a BMC that we did not write, cross-checked by ipmitool,
# through good and bad networks.
#
# fence_ipmi is run as clusters run it: options on stdin, nothing on argv.

# shellcheck disable=SC2154 # stderr is set by run --separate-stderr
bats_require_minimum_version 1.5.0

setup_file() {
	export bmc_sh=$BATS_TEST_DIRNAME/bmc.sh
	export bmcs=$BATS_FILE_TMPDIR/bmc bmcs_kg=$BATS_FILE_TMPDIR/kg bmcs_v6=$BATS_FILE_TMPDIR/v6
	"$bmc_sh" start "$bmcs" 1
	BMC_KG=swordfish "$bmc_sh" start "$bmcs_kg" 1
	if grep -q '^0\{31\}1 ' /proc/net/if_inet6 2>/dev/null; then
		BMC_ADDRESS=::1 "$bmc_sh" start "$bmcs_v6" 1
	fi
}

teardown_file() {
	"$bmc_sh" stop "$bmcs"
	"$bmc_sh" stop "$bmcs_kg"
	"$bmc_sh" stop "$bmcs_v6"
}

setup() {
	bmc=$bmcs/bmc1
	port=$(<"$bmc/port")
	machine on
	"$bmc_sh" mode "$bmc" normal
	: >"$bmc/log"
	proxy_pid=
	agent_pid=
}

teardown() {
	local pid
	for pid in $proxy_pid $agent_pid; do
		kill "$pid" 2>/dev/null || true
	done
	"$bmc_sh" stop "$BATS_TEST_TMPDIR/own"
}

# Switch the simulated machine by hand, or ask for its state.
machine() {
	rm -f "$bmc/off_at"
	case $1 in
	on) echo 1 >"$bmc/power" ;;
	off) echo 0 >"$bmc/power" ;;
	esac
}

# What ipmitool says: on or off.
truth() {
	local answer
	answer=$(IPMI_PASSWORD=secret ipmitool -I lanplus -C 3 -H "${2:-127.0.0.1}" -p "${1:-$port}" \
		-U admin -E chassis power status)
	echo "${answer##* }"
}

# Run fence_ipmi: agent ACTION [key=value...]. Later keys win. Sets $status, $output (JSON).
agent() {
	local action=$1
	shift
	printf '%s\n' "action=$action" ip=127.0.0.1 "ipport=$port" username=admin password=secret \
		json=1 "$@" >"$BATS_TEST_TMPDIR/options"
	run --separate-stderr timeout 60 "$HOLDFAST_BIN/fence_ipmi" <"$BATS_TEST_TMPDIR/options"
	[ "$status" -ne 124 ] # its own deadline is far below
}

# The JSON result has this property, and the exit status is in it.
holds() {
	echo "$output"
	jq -e --argjson status "$status" "(.exit == \$status) and ($1)" <<<"$output" >/dev/null
}

# The action failed with this cause and a message that contains this text.
fails() {
	echo "$output"
	[ "$status" -eq 1 ]
	jq -e --arg cause "$1" --arg text "$2" '.exit == 1 and (.ok | not) and (.off_proven | not) and
		.cause == $cause and (.message | contains($text))' <<<"$output" >/dev/null
}

# Start the fault proxy in front of the BMC; from then on $port is the proxy's. listen_on names
# another address than 127.0.0.1, with ",PORT" another port than a free one.
network() {
	local out=$BATS_TEST_TMPDIR/proxy
	[ -z "$proxy_pid" ] || kill "$proxy_pid"
	rm -f "$out"
	"$HOLDFAST_BUILD/tests/udp_fault" "${listen_on:-127.0.0.1}" 127.0.0.1 "$(<"$bmc/port")" "$@" \
		>"$out" 2>&1 3>&- &
	proxy_pid=$!
	until [ -s "$out" ]; do
		kill -0 "$proxy_pid"
		sleep 0.01
	done
	port=$(<"$out")
}

# ---- every action ----

@test "status tells on from off, and ipmitool agrees" {
	agent status
	[ "$status" -eq 0 ]
	holds '.state == "on" and .proof == "proven"'
	[ "$(truth)" = on ]
	machine off
	agent status
	[ "$status" -eq 2 ]
	holds '.state == "off"'
	[ "$(truth)" = off ]
	[ ! -s "$bmc/log" ] # nothing was switched
}

@test "off is proven, and ipmitool agrees" {
	agent off
	[ "$status" -eq 0 ]
	holds '.state == "off" and .off_proven and .cause == null'
	[ "$(truth)" = off ]
	[ "$(<"$bmc/log")" = "power 0" ]
}

@test "on is proven, and ipmitool agrees" {
	machine off
	agent on
	[ "$status" -eq 0 ]
	holds '.state == "on" and .proof == "proven"'
	[ "$(truth)" = on ]
	[ "$(<"$bmc/log")" = "power 1" ]
}

@test "reboot goes through a proven off" {
	agent reboot
	[ "$status" -eq 0 ]
	holds '.state == "on" and .off_proven'
	[ "$(truth)" = on ]
	[ "$(<"$bmc/log")" = $'power 0\npower 1' ]
}

@test "reboot by the BMC's own power cycle" {
	agent reboot method=cycle
	[ "$status" -eq 0 ]
	holds '.state == "on"'
	[ "$(truth)" = on ]
	[ "$(<"$bmc/log")" = $'power 0\npower 1' ]
}

@test "a power cycle of a machine that is off turns it on" {
	machine off
	agent reboot method=cycle
	[ "$status" -eq 0 ]
	holds '.state == "on" and .off_proven'
	[ "$(truth)" = on ]
	[ "$(<"$bmc/log")" = $'power 0\npower 1' ]
}

@test "a hard reset is sent on request only, and never counts as off" {
	agent reboot method=cycle cycle_command=reset power_timeout=2
	holds '.off_proven == false'
	[ "$(<"$bmc/log")" = "reset 1" ]
}

@test "monitor and probe change nothing" {
	agent monitor
	[ "$status" -eq 0 ]
	agent probe
	[ "$status" -eq 0 ]
	holds '.state == "on"'
	[ ! -s "$bmc/log" ]
}

@test "diag that the BMC does not have is unsupported" {
	agent diag
	fails unsupported 'invalid data field'
	[ ! -s "$bmc/log" ]
}

@test "no action ever asks for a soft shutdown" {
	for action in off on reboot; do
		agent "$action"
		[ "$status" -eq 0 ]
	done
	agent reboot method=cycle
	run ! grep -v '^power [01]$' "$bmc/log"
}

@test "metadata without a BMC" {
	agent metadata ip=192.0.2.1
	[ "$status" -eq 0 ]
	[[ $output == *'<parameter name="hexadecimal_kg"'* ]]
}

# ---- protocols ----

@test "IPMI 1.5 with each authentication" {
	for auth in md5 password none; do
		agent off lanplus=0 auth=$auth
		[ "$status" -eq 0 ]
		holds '.off_proven'
		[ "$(truth)" = off ]
		agent on lanplus=0 auth=$auth
		[ "$status" -eq 0 ]
		[ "$(truth)" = on ]
	done
}

@test "IPMI 2.0 with each cipher suite that the simulator has" {
	for cipher in 0 1 2 3 6 11 12; do
		agent status cipher=$cipher
		[ "$status" -eq 0 ] || { echo "suite $cipher: $output"; false; }
	done
}

@test "IPv6" {
	[ -d "$bmcs_v6" ] || skip "no ::1 on this machine"
	bmc=$bmcs_v6/bmc1
	port=$(<"$bmc/port")
	for ip in ::1 '[::1]'; do
		agent off "ip=$ip"
		[ "$status" -eq 0 ]
		holds '.off_proven'
		agent on "ip=$ip" inet6_only=1
		[ "$status" -eq 0 ]
	done
	[ "$(truth "$port" ::1)" = on ]
	agent status ip=::1 inet4_only=1
	fails config 'does not resolve'
}

@test "a BMC with a K_G key" {
	port=$(<"$bmcs_kg/bmc1/port")
	agent status hexadecimal_kg=73776f726466697368
	[ "$status" -eq 0 ]
	agent status hexadecimal_kg=0x73776F726466697368
	[ "$status" -eq 0 ]
}

@test "several addresses, the first dead" {
	agent off ip=127.0.0.2,127.0.0.1
	[ "$status" -eq 0 ]
	holds '.off_proven'
	[ "$(truth)" = off ]
}

@test "several addresses, the first silent: the second is tried before the first has failed" {
	listen_on=127.0.0.2,$port network from:drop-first=100000
	agent status ip=127.0.0.2,127.0.0.1 verbose=1
	[ "$status" -eq 0 ]
	[[ $stderr == *'trying 127.0.0.2'*'trying 127.0.0.1'* ]]
	[[ $stderr != *'127.0.0.2: no answer'* ]]
}

# ---- causes ----

@test "cause: wrong password" {
	agent off password=wrong
	fails auth 'wrong password for user "admin"'
	[ "$(truth)" = on ]
}

@test "cause: wrong password with IPMI 1.5, where the BMC keeps silent about it" {
	agent off lanplus=0 password=wrong login_timeout=2
	fails auth 'wrong password for user "admin"'
	[ "$(truth)" = on ]
}

@test "cause: unknown user" {
	agent status username=admn
	fails auth 'unknown user "admn"'
	agent status username=admn lanplus=0
	fails auth 'unknown user "admn"'
}

@test "cause: wrong K_G key, told apart from a wrong password" {
	port=$(<"$bmcs_kg/bmc1/port")
	agent status
	fails auth 'wrong K_G key'
	agent status hexadecimal_kg=0102
	fails auth 'wrong K_G key'
	agent status hexadecimal_kg=73776f726466697368 password=wrong
	fails auth 'wrong password'
}

@test "cause: nobody listens on the port" {
	network
	kill "$proxy_pid"
	wait "$proxy_pid" || true
	proxy_pid=
	agent status login_timeout=2
	fails unreachable 'nothing listens'
	agent status login_timeout=2 lanplus=0
	fails unreachable 'nothing listens'
}

@test "cause: packets vanish without a trace" {
	network from:drop-first=100000
	agent off login_timeout=2 shell_timeout=1
	fails unreachable 'no answer'
	[ "$(truth "$(<"$bmc/port")")" = on ]
}

@test "cause: a name that does not resolve" {
	agent status "ip=$(printf 'x%.0s' {1..70}).invalid"
	fails config 'does not resolve'
}

@test "cause: the privilege does not suffice" {
	agent off privlvl=user
	fails privilege 'not permitted'
	agent off privlvl=user lanplus=0
	fails privilege 'not permitted'
	agent probe privlvl=user
	fails privilege 'not switch'
	agent status privlvl=user # which is enough for this
	[ "$status" -eq 0 ]
	[ "$(truth)" = on ]
}

@test "cause: the user may not have the privilege (IPMI 1.5)" {
	agent off lanplus=0 username=user
	fails privilege 'user "user" may not log in at privilege level administrator'
	agent off lanplus=0 username=oper privlvl=operator
	[ "$status" -eq 0 ]
	holds '.off_proven'
}

@test "cause: the cipher suite is not allowed at this privilege (IPMI 2.0)" {
	own_bmc
	IPMI_PASSWORD=secret ipmitool -I lanplus -C 3 -H 127.0.0.1 -p "$port" -U admin -E \
		lan set 1 cipher_privs uuuuuuuuuuuuuuu 2>/dev/null
	agent status
	fails privilege 'may not log in at privilege level administrator'
}

@test "cause: cipher suites that the library lacks are refused before anything is sent" {
	for cipher in 4 15 17; do
		agent status ip=192.0.2.1 cipher=$cipher
		fails unsupported "cipher suite $cipher needs"
	done
	agent status cipher=17
	[[ $(jq -r .message <<<"$output") == *SHA-256* ]]
}

@test "cause: no session slot is left" {
	own_bmc
	taken=$("$BATS_TEST_DIRNAME/ipmi_sessions.py" 127.0.0.1 "$port" 64)
	agent status login_timeout=1 action_timeout=1
	[ "$taken" -eq 1 ]
	fails busy 'no free session'
}

@test "cause: options that cannot be right are refused before anything is sent" {
	agent status ip=192.0.2.1 username=a-name-of-17-byte
	fails config '16 bytes'
	agent status ip=192.0.2.1 password=a-password-of-21-byte
	fails config '20 bytes'
	agent status ip=192.0.2.1 lanplus=0 password=a-password-of-17b
	fails config '16 bytes'
	agent status ip=192.0.2.1 hexadecimal_kg=123
	fails config 'hexadecimal_kg'
	agent status ip=192.0.2.1 inet4_only=1 inet6_only=1
	fails config 'exclude each other'
}

@test "several addresses: what the BMC says beats a dead address" {
	agent status ip=127.0.0.2,127.0.0.1 password=wrong
	fails auth 'wrong password'
	holds '.object == "127.0.0.1"'
}

@test "a failure is one line on stderr: object, cause, next step" {
	agent status username=admn
	[ "$stderr" = 'fence_ipmi: 127.0.0.1: login refused (unknown user "admn"); check username=' ]
}

# ---- machines that misbehave ----

@test "slow: a machine that stays on for a while after the command is waited for" {
	"$bmc_sh" mode "$bmc" slow 1
	agent off
	[ "$status" -eq 0 ]
	holds '.off_proven and .elapsed_ms >= 900'
	[ "$(truth)" = off ]
}

@test "slow: too slow is a failure of state" {
	"$bmc_sh" mode "$bmc" slow 60
	agent off power_timeout=1
	fails state 'on'
}

@test "lying: off that is accepted and never happens fails" {
	"$bmc_sh" mode "$bmc" lying
	agent off power_timeout=1
	fails state 'on'
	[ "$(truth)" = on ]
	agent reboot power_timeout=1
	fails state 'on'
	# The API calls a cycle done that was accepted; the result says that it is no proof.
	agent reboot power_timeout=1 method=cycle
	holds '.off_proven == false and .proof != "proven"'
}

@test "lazy: a reboot whose on fails keeps its proven off" {
	"$bmc_sh" mode "$bmc" lazy
	agent reboot power_timeout=1
	[ "$status" -eq 0 ]
	holds '.off_proven and .state == "off" and .cause == "state"'
}

@test "refuse: a BMC that fails the command" {
	"$bmc_sh" mode "$bmc" refuse
	agent off power_timeout=1 action_timeout=3
	fails protocol 'code FFh'
	[ "$(truth)" = on ]
}

@test "broken: a BMC that cannot read the power is never off" {
	machine off
	"$bmc_sh" mode "$bmc" broken
	agent off power_timeout=1 action_timeout=3
	fails protocol 'power status refused'
	agent status action_timeout=1
	fails protocol 'power status refused'
}

# ---- bad networks ----

# One fault, an honest machine: it must come to a proven off.
survives() {
	machine on
	network "$@"
	agent off login_timeout=4 shell_timeout=3 action_timeout=20
	echo "rules: $*; $output"
	[ "$status" -eq 0 ]
	holds '.off_proven'
	[ "$(<"$bmc/power")" = 0 ]
}

# One fault, a machine that stays on whatever it is told: a success of any kind would be false.
never_lies() {
	machine on
	network "$@"
	agent off login_timeout=1 shell_timeout=1 power_timeout=1 action_timeout=3
	echo "rules: $*"
	[ "$status" -eq 1 ]
	holds '(.ok | not) and (.off_proven | not) and .cause != null and .state != "off"'
}

@test "network: loss is made up for" {
	survives from:drop-every=3
	survives to:drop-every=3
	survives from:drop-first=2 to:drop-first=1
	survives to:drop-every=4 from:drop-every=5
	survives from:drop-every=7
}

@test "network: any one answer or request may be lost" {
	for number in {1..9}; do
		survives from:drop-one="$number"
		survives to:drop-one="$number"
	done
}

@test "network: a power cycle whose answer is lost is not sent again" {
	# The login takes seven answers, then come two power states, and the tenth is the cycle's.
	for number in {9..11}; do
		machine on
		: >"$bmc/log"
		network from:drop-one="$number"
		agent reboot method=cycle shell_timeout=1
		echo "lost: $number; $output"
		[ "$(grep -c 'power 0' "$bmc/log")" -eq 1 ]
		[ "$(truth "$(<"$bmc/port")")" = on ]
	done
}

@test "network: delay, duplicates and wrong order do no harm" {
	survives to:delay=30 from:delay=30
	survives to:duplicate from:duplicate
	survives from:reorder
	survives to:reorder
	survives to:duplicate from:duplicate from:drop-every=3
}

@test "network: noise is ignored" {
	survives from:garbage-every=3
	survives to:garbage-every=3
}

@test "network: the same with IPMI 1.5" {
	for rule in from:drop-every=3 to:drop-every=3 from:duplicate to:duplicate from:garbage-every=3; do
		machine on
		network "$rule"
		agent off lanplus=0 login_timeout=4 shell_timeout=3 action_timeout=20
		echo "rule: $rule; $output"
		[ "$status" -eq 0 ]
		holds '.off_proven'
		[ "$(<"$bmc/power")" = 0 ]
	done
}

@test "network: damaged answers end in a proven off or in a cause" {
	for rule in from:corrupt-every={1,2,3,5,7} to:corrupt-every={2,3,5} from:truncate={1,4,20} to:truncate=1; do
		machine on
		network "$rule"
		agent off login_timeout=1 shell_timeout=1 action_timeout=4
		echo "rule: $rule"
		if [ "$status" -eq 0 ]; then
			holds '.off_proven and .cause == null'
			[ "$(<"$bmc/power")" = 0 ]
		else
			holds '(.off_proven | not) and .cause != null'
		fi
	done
}

@test "network: a BMC that falls silent in the middle is a timeout, at every step" {
	for count in {1..8}; do
		machine on
		network from:drop-after="$count"
		agent off login_timeout=1 shell_timeout=1 action_timeout=1
		echo "answers: $count"
		[ "$status" -eq 1 ]
		holds '.cause == "timeout" or .cause == "unreachable"'
	done
}

@test "network: no fault makes a machine that stays on look off" {
	"$bmc_sh" mode "$bmc" lying
	for rule in from:drop-every=2 to:drop-every=2 from:duplicate to:duplicate from:reorder to:reorder \
		from:delay=40 from:garbage-every=2 from:corrupt-every={1,2,3,5} from:truncate={1,3} from:drop-after=7; do
		never_lies "$rule"
	done
}

@test "network: forged answers without integrity code are not believed" {
	"$bmc_sh" mode "$bmc" lying
	network from:forge-off
	agent status
	[ "$status" -eq 0 ]
	holds '.state == "on"'
	agent off power_timeout=1
	fails state 'on'
}

@test "network: weaker algorithms than asked for are not accepted" {
	network from:downgrade
	agent off
	fails unsupported 'other algorithms than cipher suite 3'
	[ "$(truth "$(<"$bmc/port")")" = on ]
}

@test "network: IPv6 through the proxy" {
	[ -d "$bmcs_v6" ] || skip "no ::1 on this machine"
	listen_on=::1 network from:drop-every=3
	agent off ip=::1
	[ "$status" -eq 0 ]
	holds '.off_proven'
	[ "$(<"$bmc/power")" = 0 ]
}

# ---- being a good guest ----

# A BMC of its own: what other tests cut off stays open there for a minute.
own_bmc() {
	"$bmc_sh" start "$BATS_TEST_TMPDIR/own" 1
	bmc=$BATS_TEST_TMPDIR/own/bmc1
	port=$(<"$bmc/port")
}

sessions_open() {
	IPMI_PASSWORD=secret ipmitool -I lanplus -C 3 -H 127.0.0.1 -p "$(<"$bmc/port")" -U admin -E \
		session info active | awk '/active sessions/ { print $4; exit }'
}

@test "no session is left behind, in success and in failure" {
	own_bmc
	before=$(sessions_open)
	for _ in {1..8}; do
		agent status
		[ "$status" -eq 0 ]
		agent status lanplus=0
		[ "$status" -eq 0 ]
		agent off privlvl=user
		[ "$status" -eq 1 ]
		agent status ip=127.0.0.2,127.0.0.1
		[ "$status" -eq 0 ]
	done
	[ "$(sessions_open)" -eq "$before" ]
}

@test "no session is left behind when a goodbye is lost" {
	own_bmc
	before=$(sessions_open)
	# The goodbye is the ninth request of a status; it and each of its neighbours is lost once.
	for lost in {5..10}; do
		network to:drop-every="$lost"
		agent status login_timeout=4
		echo "lost: $lost; $output"
		[ "$status" -eq 0 ]
	done
	[ "$(sessions_open)" -eq "$before" ]
}

# Start the agent against a slow machine and leave it waiting; sets agent_pid.
agent_waiting() {
	"$bmc_sh" mode "$bmc" slow "$1"
	printf '%s\n' action=off ip=127.0.0.1 "ipport=$port" username=admin password=secret \
		hexadecimal_kg=616263 >"$BATS_TEST_TMPDIR/options"
	"$HOLDFAST_BIN/fence_ipmi" <"$BATS_TEST_TMPDIR/options" >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	agent_pid=$!
	until [ -f "$bmc/off_at" ]; do
		kill -0 "$agent_pid"
		sleep 0.01
	done
}

@test "argv and environment of the process hold no password" {
	agent_waiting 1
	run ! grep -a -e secret -e 616263 "/proc/$agent_pid/cmdline" "/proc/$agent_pid/environ"
	wait "$agent_pid"
	agent_pid=
}

@test "what --verbose says holds no password" {
	printf '%s\n' action=off ip=127.0.0.1 "ipport=$port" username=admin password=secret \
		hexadecimal_kg=616263 verbose=1 "debug_file=$BATS_TEST_TMPDIR/debug" >"$BATS_TEST_TMPDIR/options"
	run "$HOLDFAST_BIN/fence_ipmi" <"$BATS_TEST_TMPDIR/options"
	[ "$status" -eq 0 ]
	[[ $output == *trying* ]]
	[[ $output != *secret* && $output != *616263* ]]
	run ! grep -e secret -e 616263 "$BATS_TEST_TMPDIR/debug"
}

@test "peak memory stays under 12 MiB" {
	[[ $HOLDFAST_BIN != */build-san/bin ]] || skip "sanitizers take more"
	agent_waiting 1
	peak=0
	while now=$(awk '/^VmHWM/ { print $2 }' "/proc/$agent_pid/status" 2>/dev/null) && [ -n "$now" ]; do
		peak=$now
		sleep 0.02
	done
	wait "$agent_pid"
	agent_pid=
	echo "# peak: $peak kB" >&3
	[ "$peak" -gt 0 ]
	[ "$peak" -lt 12288 ]
}

@test "a signal ends it, with its cause, and logs out" {
	local code=0
	own_bmc
	before=$(sessions_open)
	agent_waiting 60
	kill -TERM "$agent_pid"
	wait "$agent_pid" || code=$?
	agent_pid=
	[ "$code" -eq 1 ]
	grep 'fence_ipmi: 127.0.0.1: stopped by a signal' "$BATS_TEST_TMPDIR/out"
	[ "$(sessions_open)" -eq "$before" ]
}
