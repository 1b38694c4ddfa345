#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# demo.sh - the main job on simulated devices: fence a machine and prove it, tell a wrong password
# from a dead BMC, catch a BMC that lies, fall back to two power strips, and to a human.
#
# `make demo` runs it; README.md shows what it prints, and a test compares the two. Everything is
# on loopback and in a temporary folder, and ends with the script.
set -eu
cd "$(dirname "$0")/../.."
PATH=${HOLDFAST_BIN:?}:$PATH
dir=$(mktemp -d)
background=
finish() {
	[ -z "$background" ] || kill "$background" 2>/dev/null || true
	tests/agents/bmc.sh stop "$dir"
	tests/agents/pdu.sh stop "$dir/pdu-a"
	tests/agents/pdu.sh stop "$dir/pdu-b"
	rm -rf "$dir"
}
trap finish EXIT
# The demo's own words in bold where that can be seen.
[ -t 1 ] && bold=$'\e[1m' plain=$'\e[0m' || bold='' plain=''

say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }

# Show a command as it would be typed, then run it; its exit status is part of the story.
try() {
	local status=0
	printf '$ %s\n' "$*"
	"$@" 2>&1 || status=$?
	[ "$status" -eq 0 ] || echo "(exit status $status)"
}

bmc_port() { cat "$dir/bmc$1/port"; }

bmc() {
	printf 'FENCE_DEVICE %s\nFENCE_AGENT fence_ipmi\nFENCE_OPTION ip 127.0.0.1\n' "$1"
	printf 'FENCE_OPTION ipport %s\nFENCE_OPTION username admin\n' "$2"
	printf 'FENCE_OPTION password %s\nFENCE_OPTION power_timeout 2\nFENCE_OPTION login_timeout 1\n' "$3"
}

pdu() {
	tests/agents/pdu.sh start "$dir/$1" apc-rpdu apc-rpdu
	printf 'FENCE_DEVICE %s\nFENCE_AGENT fence_pdu\nFENCE_OPTION ip 127.0.0.1\n' "$1"
	printf 'FENCE_OPTION ipport %s\nFENCE_OPTION community private\n' "$(cat "$dir/$1/port")"
}

tests/agents/bmc.sh start "$dir" 3
tests/agents/bmc.sh mode "$dir/bmc3" lying

# The BMC of node4 is dead: a port that nothing listens on.
{
	echo "FENCE_HISTORY $dir/history"
	bmc bmc1 "$(bmc_port 1)" secret
	bmc bmc2 "$(bmc_port 2)" letmein
	bmc bmc3 "$(bmc_port 3)" secret
	bmc bmc4 9 secret
	pdu pdu-a
	pdu pdu-b
	printf 'FENCE_DEVICE human\nFENCE_AGENT fence_meatware\n'
	printf 'FENCE_OPTION dir %s\nFENCE_OPTION power_timeout 60\n' "$dir/requests"
	printf 'NODE_NAME node%d\nFENCE_LEVEL 1 bmc%d\n' 1 1 2 2 3 3 4 4
	printf 'FENCE_LEVEL 2 pdu-a:9 pdu-b:9\n'
	printf 'NODE_NAME node5\nFENCE_LEVEL 1 human:node5\n'
} >"$dir/holdfast.conf"
chmod 600 "$dir/holdfast.conf"
export HOLDFAST_CONF=$dir/holdfast.conf

say "Four machines with a BMC each. Which of them could be fenced? Nothing is switched."
try holdfast fence test 'node[1-4]'

say "node1 is fenced: off, and read back. ipmitool, which is not ours, sees the same."
try holdfast fence off node1
try ipmitool -I lanplus -C 3 -H 127.0.0.1 -p "$(bmc_port 1)" -U admin -P secret chassis power status
try holdfast fence on node1

say "The BMC of node3 accepts the command and does nothing. Whoever trusts it would report success."
try holdfast fence off node3

say "The BMC of node4 is dead, so its two power supplies are cut at their strips: both, and then read."
try holdfast fence off node4
try snmpget -v1 -c public -Oqv "127.0.0.1:$(cat "$dir/pdu-b/port")" .1.3.6.1.4.1.318.1.1.12.3.5.1.1.4.9

say "node5 has no device. A human is asked, must type the name of the machine, and is on record."
holdfast fence off node5 >"$dir/answer" 2>&1 &
background=$!
until holdfast fence ack | grep -q node5; do sleep 0.1; done
try holdfast fence ack
echo '$ holdfast fence ack node5'
python3 tests/agents/operator.py 'as you see it'=off 'exact name'=node5 -- holdfast fence ack node5
wait "$background" || true
background=
echo '$ holdfast fence off node5    # that was waiting'
cat "$dir/answer"

say "What happened is on record."
try holdfast fence history --last 6 node3 node4
