#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# pdu_faults.bats - fence_pdu against devices that cannot be fenced by, misbehave, refuse or die, by
# every version of SNMP; and machines on two power strips.

bats_require_minimum_version 1.5.0
# shellcheck source=tests/agents/pdu.bash
source "$BATS_TEST_DIRNAME/pdu.bash"

# ---- devices that cannot be fenced by ----

# unfit_for_fencing: whatever is asked of this device's outlet 1, off is no answer.
unfit_for_fencing() {
	for version in 1 2c; do
		for action in status off on reboot; do
			agent "$action" plug=1 power_timeout=1 "$@"
			[ "$status" -eq 1 ]
			holds '.state == "unknown" and (.off_proven | not) and .cause == "unsupported"'
		done
		agent list "$@"
		fails unsupported
	done
	[ ! -s "$dir/log" ]
}

@test "a metered strip without switched outlets: AP7853, recorded" {
	start apc-rpdu real:nav-apc-ap7853-metered
	unfit_for_fencing
	unfit_for_fencing device=apc-masterswitch
}

@test "an unswitched strip that lists 42 outlets: Raritan PXE-1847, recorded" {
	# Without the rows that the behaviour would add for switchable outlets.
	start apc-easy real:nav-raritan-pxe1847-unswitched -r "1.3.6.1.2.1.1.2.0|6|$E.13742.6"
	unfit_for_fencing
}

@test "an outlet row of -1: EPDU1016M, recorded" {
	start apc-easy real:nut-apc-epdu
	unfit_for_fencing
}

@test "no word of pending commands: off is not believed, as noSuchName and as an exception" {
	local walk=$BATS_TEST_TMPDIR/mute.snmprec
	grep -vF "$A.12.3.5.1.1.5." "$BATS_TEST_DIRNAME/walks/apc-rpdu.snmprec" >"$walk"
	start apc-rpdu "$walk" -f ignore
	for version in 1 2c; do
		agent status plug=2
		[ "$status" -eq 1 ]
		holds '.state == "unknown" and (.off_proven | not)'
		agent off plug=2 power_timeout=1
		[ "$status" -eq 1 ]
		holds '.state == "unknown" and (.off_proven | not)'
	done
}

@test "states of -1" {
	start apc-easy apc-easy -f minus
	unfit_for_fencing
	start raritan-px raritan-px -f minus
	agent off plug=1 power_timeout=1
	[ "$status" -eq 1 ]
	holds '.state != "off" and (.off_proven | not)'
}

@test "a device that no profile fits, and one that does not say what it is" {
	start apc-rpdu apc-rpdu -r '1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.99999.1'
	agent status plug=1
	fails unsupported
	agent status plug=1 device=apc-rpdu
	[ "$status" -eq 0 ]
	agent status plug=1 device=nosuch
	fails config
	start apc-easy wti-mpc
	agent status plug=1
	fails unsupported
}

# ---- devices that misbehave ----

@test "a device that acknowledges a command and does nothing" {
	start apc-rpdu apc-rpdu -f ignore
	agent off plug=1 power_timeout=1
	fails state
	holds '.state == "on"'
	agent on plug=2 power_timeout=1
	fails state
	agent reboot plug=1 power_timeout=1
	fails state
	run ! grep ' state ' "$dir/log"
	grep ' set ' "$dir/log"
}

@test "slow to obey: off is proven when it is off, not before" {
	start apc-rpdu apc-rpdu -f slow=700
	agent off plug=1
	[ "$status" -eq 0 ]
	holds '.off_proven'
	[ "$(truth $A.12.3.5.1.1.4.1)" = 2 ]
	agent on plug=1
	[ "$status" -eq 0 ]
	[ "$(truth $A.12.3.5.1.1.4.1)" = 1 ]
}

@test "pending for ever is not off, whatever the state says" {
	start apc-rpdu apc-rpdu -f pending
	agent off plug=1 power_timeout=1
	fails state
	[ "$(truth $A.12.3.5.1.1.5.1)" = 1 ]
	"$BATS_TEST_DIRNAME/pdu.sh" stop "$dir"
	# Off already, but with a command on its way: it may be an on.
	start apc-rpdu apc-rpdu -f pending -r "$A.12.3.5.1.1.5.2|2|1"
	agent status plug=2
	[ "$status" -eq 1 ]
	holds '.state == "pending"'
	agent off plug=2 power_timeout=1
	[ "$status" -eq 1 ]
	holds '.off_proven | not'
}

@test "states on the way to on or off are neither" {
	start eaton-g3 eaton-g3-unit0 -f pending
	agent off plug=1 power_timeout=1
	fails state
	agent status plug=1
	[ "$status" -eq 1 ]
	holds '.state == "pending"'
	[ "$(truth $E.534.6.6.7.6.6.1.2.0.1)" = 2 ]
}

@test "a power cycle by the device's own command" {
	start apc-rpdu apc-rpdu -f cycle=400
	agent reboot plug=1 method=cycle
	[ "$status" -eq 0 ]
	[ "$(truth $A.12.3.5.1.1.4.1)" = 1 ]
	[ "$(grep -c ' set ' "$dir/log")" -eq 1 ]
	grep -q " set $A.12.3.3.1.1.4.1 3$" "$dir/log"
}

@test "commands refused: noAccess, notWritable, genErr" {
	for refusal in noAccess notWritable genErr; do
		start apc-rpdu apc-rpdu -f refuse=$refusal
		for version in 1 2c; do
			agent off plug=1 power_timeout=1
			[ "$status" -eq 1 ]
			holds '.state == "on" and (.off_proven | not)'
			[ $refusal = genErr ] || holds '.cause == "privilege"'
		done
	done
}

@test "a community that may only read" {
	start apc-rpdu apc-rpdu
	for version in 1 2c; do
		agent status plug=1 community=public
		[ "$status" -eq 0 ]
		agent off plug=1 community=public
		fails privilege
	done
	[ ! -s "$dir/log" ]
}

@test "a wrong community" {
	start apc-rpdu apc-rpdu
	for version in 1 2c; do
		agent off plug=1 community=wrong login_timeout=1 power_timeout=1
		fails unreachable community
	done
	[ ! -s "$dir/log" ]
}

@test "nobody listens" {
	start apc-rpdu apc-rpdu
	"$BATS_TEST_DIRNAME/pdu.sh" stop "$dir"
	agent off plug=1 login_timeout=1 power_timeout=1
	fails unreachable
}

@test "the device dies in the middle" {
	for requests in 1 2 3; do
		start apc-rpdu apc-rpdu -f slow=100 -f die-after=$requests
		agent off plug=1 login_timeout=1 shell_timeout=1 power_timeout=2
		[ "$status" -eq 1 ]
		holds '(.state != "off") and (.off_proven | not) and
			(.cause == "timeout" or .cause == "unreachable")'
	done
}

@test "requests lost, answers late" {
	start apc-rpdu apc-rpdu -f drop-every=2
	agent off plug=1
	[ "$status" -eq 0 ]
	holds '.off_proven'
	[ "$(truth $A.12.3.5.1.1.4.1)" = 2 ]
	start apc-rpdu apc-rpdu -f late=300
	agent off plug=1
	[ "$status" -eq 0 ]
	holds '.off_proven'
	[ "$(truth $A.12.3.5.1.1.4.1)" = 2 ]
}

@test "the device's agent restarts at every point of an off" {
	for requests in 1 2 3 4 5; do
		start apc-rpdu apc-rpdu -f slow=100 -f restart-after=$requests
		agent off plug=1
		[ "$status" -eq 0 ]
		holds '.off_proven'
		[ "$(truth $A.12.3.5.1.1.4.1)" = 2 ]
	done
}

# ---- SNMP version 3 ----

v3=(snmp_version=3 username=admin password=authsecret snmp_auth_prot=SHA snmp_priv_prot=AES
	snmp_priv_passwd=privsecret snmp_sec_level=authPriv)

@test "version 3: the life of an outlet, and one that is missing" {
	start apc-rpdu apc-rpdu
	outlet_works 48 1=node1-a 2=node1-b $A.12.3.5.1.1.4.1 1 2 "${v3[@]}"
	: >"$dir/log"
	for action in status off on reboot; do
		agent "$action" plug=49 "${v3[@]}"
		fails no-such-plug
	done
	[ ! -s "$dir/log" ]
}

@test "version 3: SHA-256 with AES-256, authentication alone, the level inferred" {
	start apc-rpdu apc-rpdu
	agent off plug=1 "${v3[@]}" username=admin256 snmp_auth_prot=SHA256 snmp_priv_prot=AES256
	[ "$status" -eq 0 ]
	holds '.off_proven'
	[ "$(truth $A.12.3.5.1.1.4.1)" = 2 ]
	agent on plug=1 snmp_version=3 username=auth password=authsecret snmp_sec_level=authNoPriv
	[ "$status" -eq 0 ]
	agent off plug=1 snmp_version=3 username=admin password=authsecret snmp_priv_passwd=privsecret
	[ "$status" -eq 0 ]
	[ "$(truth $A.12.3.5.1.1.4.1)" = 2 ]
}

@test "version 3: wrong keys, an unknown user, a level or a right that the user lacks" {
	start apc-rpdu apc-rpdu
	agent off plug=1 "${v3[@]}" password=wrongpassword login_timeout=1
	fails auth
	agent off plug=1 "${v3[@]}" username=nobody login_timeout=1
	fails auth nobody
	agent off plug=1 "${v3[@]}" snmp_auth_prot=MD5 login_timeout=1
	fails auth
	# To a wrong privacy key this device has no answer: nor may there be a success.
	agent off plug=1 "${v3[@]}" snmp_priv_passwd=wrongpassword login_timeout=1
	[ "$status" -eq 1 ]
	holds '(.off_proven | not) and (.cause == "auth" or .cause == "unreachable")'
	agent off plug=1 "${v3[@]}" username=auth login_timeout=1
	[ "$status" -eq 1 ]
	holds '.off_proven | not'
	agent status plug=1 "${v3[@]}" username=reader
	[ "$status" -eq 0 ]
	agent off plug=1 "${v3[@]}" username=reader
	fails privilege
	[ ! -s "$dir/log" ]
	[ "$(truth $A.12.3.5.1.1.4.1)" = 1 ]
}

@test "version 3: the agent restarts at every point of an off, engineBoots grows" {
	for requests in 1 2 3 4 5 6; do
		start apc-rpdu apc-rpdu -f slow=100 -f restart-after=$requests
		agent off plug=1 "${v3[@]}"
		[ "$status" -eq 0 ]
		holds '.off_proven'
		[ "$(truth $A.12.3.5.1.1.4.1)" = 2 ]
	done
}

# ---- the cost ----

@test "a list of 48 outlets takes three exchanges where the device has GETBULK" {
	start apc-rpdu apc-rpdu
	agent list-status snmp_version=2c
	[ "$status" -eq 0 ]
	[ "$(jq '.plugs | length' <<<"$output")" -eq 48 ]
	echo "exchanges: $(<"$dir/exchanges")"
	[ "$(<"$dir/exchanges")" -le 3 ]
}

@test "IPv6" {
	grep -q '^0\{31\}1 ' /proc/net/if_inet6 2>/dev/null || skip "no ::1 on this machine"
	start apc-rpdu apc-rpdu -a ::1
	agent off plug=1 ip=::1
	[ "$status" -eq 0 ]
	holds '.off_proven'
}

# ---- a machine on two power strips ----

# Two strips with one log, and a cluster file that feeds node1 from outlet 1 of each.
two_strips() {
	local name
	log=$BATS_TEST_TMPDIR/log
	: >"$log"
	for name in left right; do
		"$BATS_TEST_DIRNAME/pdu.sh" start "$BATS_TEST_TMPDIR/$name" apc-rpdu apc-rpdu -n $name \
			-l "$log" "$@"
	done
	left=$(<"$BATS_TEST_TMPDIR/left/port")
	right=$(<"$BATS_TEST_TMPDIR/right/port")
	conf=$BATS_TEST_TMPDIR/holdfast.conf
	{
		echo "FENCE_HISTORY $BATS_TEST_TMPDIR/history.jsonl"
		for name in left right; do
			printf 'FENCE_DEVICE %s\nFENCE_AGENT fence_pdu\n' $name
			printf 'FENCE_OPTION %s\n' "ip 127.0.0.1" "ipport ${!name}" "community private" \
				"power_timeout 2" "login_timeout 1"
		done
		printf 'NODE_NAME node1\nFENCE_LEVEL 1 left:1 right:1\n'
	} >"$conf"
	chmod 600 "$conf"
}

fence() {
	run --separate-stderr timeout 60 "$HOLDFAST_BIN/holdfast" fence -c "$conf" --json "$@"
	echo "fence $*: $status $output $stderr"
	[ "$status" -ne 124 ]
}

# In the log no outlet is told to be on before both are off.
off_before_on() {
	awk -v state=" $A.12.3.5.1.1.4.1 2" -v on=" set $A.12.3.3.1.1.4.1 1" '
		index($0, "state" state) { off[$1] = 1 }
		index($0, on) { if (!off["left"] || !off["right"]) bad = 1; ons++ }
		END { exit bad || ons != 2 }
	' "$log"
}

@test "two strips, one level: never on before both are off" {
	two_strips -f slow=300
	fence reboot node1
	[ "$status" -eq 0 ]
	cat "$log"
	off_before_on
	fence off node1
	[ "$status" -eq 0 ]
	for port in "$left" "$right"; do
		[ "$(truth $A.12.3.5.1.1.4.1)" = 2 ]
	done
}

@test "two strips, one of them dead: the machine is not off, and nothing is turned on" {
	two_strips
	"$BATS_TEST_DIRNAME/pdu.sh" stop "$BATS_TEST_TMPDIR/right"
	fence off node1
	[ "$status" -eq 1 ]
	[[ $output == *right* && $output == *unreachable* ]]
	grep "^left set $A.12.3.3.1.1.4.1 2" "$log"
	run ! grep -q " set $A.12.3.3.1.1.4.1 1" "$log"
	: >"$log"
	fence reboot node1
	[ "$status" -eq 1 ]
	run ! grep -q " set $A.12.3.3.1.1.4.1 1" "$log"
}

@test "two outlets of one strip feed a machine: never on before both are off" {
	start apc-rpdu apc-rpdu -f slow=300
	agent reboot plug=1,3
	[ "$status" -eq 0 ]
	holds '.off_proven and .state == "on" and (.plugs | length) == 2'
	cat "$dir/log"
	awk -v state=" $A.12.3.5.1.1.4." -v on=" set $A.12.3.3.1.1.4." '
		index($0, "state" state) && $NF == 2 { off++ }
		index($0, on) && $NF == 1 { if (off != 2) bad = 1; ons++ }
		END { exit bad || ons != 2 }
	' "$dir/log"
	agent off plug=node1-a,node2-a
	[ "$status" -eq 0 ]
	holds '.off_proven and (.plugs | length) == 2'
	# One is off already: the other still counts.
	agent on plug=3
	agent off plug=1,3
	[ "$status" -eq 0 ]
	[ "$(truth $A.12.3.5.1.1.4.3)" = 2 ]
	agent on plug=1
	agent status plug=1,3
	[ "$status" -eq 1 ]
	holds '.state == "partial"'
	agent off plug=1,49
	fails no-such-plug
}
