#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# pdu.sh - a simulated SNMP power device (snmp_device) on a loopback port
#
#	pdu.sh start DIR BEHAVIOUR WALK [OPTION...]	start one, with its files in DIR
#	pdu.sh stop DIR					stop it; files stay
#
# BEHAVIOUR is the name of a file of behaviours/, WALK a .snmprec file or the name of one of walks/;
# an OPTION is one of snmp_device (see its source), such as -f slow=500. start returns when the device
# listens. DIR then has
#	port	    UDP port, chosen by the kernel		pid	process number
#	exchanges   requests so far				log	what it was told, and did
#
# Communities: public (read), private (read and write). Users of SNMPv3: see snmp_device.c.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
device=${HOLDFAST_BUILD:-$here/../../build}/tests/snmp_device

die() {
	echo "pdu.sh: $*" >&2
	exit 1
}

start() {
	local dir=$1 behaviour=$2 walk=$3 pid tries
	shift 3
	[[ $walk == */* ]] || walk=$here/walks/$walk.snmprec
	[ -x "$device" ] || die "$device is missing; run make check, or make $device"
	mkdir -p "$dir"
	stop "$dir"
	rm -f "$dir/port"
	# Its own session, and none of our descriptors: bats waits for those.
	setsid "$device" -d "$dir" -b "$here/behaviours/$behaviour.conf" "$@" "$walk" \
		</dev/null >"$dir/stderr" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
	pid=$!
	echo "$pid" >"$dir/pid"
	for ((tries = 0; tries < 2000; tries++)); do
		[ ! -s "$dir/port" ] || return 0
		kill -0 "$pid" 2>/dev/null || die "no device: $(<"$dir/stderr")"
		sleep 0.01
	done
	die "the device in $dir does not listen"
}

stop() {
	local pid
	[ -f "$1/pid" ] || return 0
	pid=$(<"$1/pid")
	# Only what is still ours: numbers are used again.
	if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = snmp_device ]; then
		kill "$pid" 2>/dev/null || true
	fi
	while [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = snmp_device ] &&
		! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null; do
		sleep 0.01
	done
	rm -f "$1/pid"
}

case ${1:-} in
start) [ $# -ge 4 ] || die "usage: pdu.sh start DIR BEHAVIOUR WALK [OPTION...]"; shift; start "$@" ;;
stop) [ $# -eq 2 ] || die "usage: pdu.sh stop DIR"; stop "$2" ;;
*) die "usage: pdu.sh start DIR BEHAVIOUR WALK [OPTION...] | stop DIR" ;;
esac
