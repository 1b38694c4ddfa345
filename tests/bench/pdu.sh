#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# pdu.sh - fence_pdu measured against the distribution's fence_apc_snmp on the same simulated power
# strip (snmp_device on loopback) in one run.
#
#	1. status, and off with its proof, of one outlet: ours, theirs, ratio of medians. The strip is the
#	   recorded walk of an AP7900 where there is one (HOLDFAST_WALKS, ../shared/data/snmp), else one
#	   made by hand
#	2. SNMP exchanges for a status, an off, and a list of 48 outlets
#	3. peak resident memory of one agent
#
# Only the ratios mean something: the machine is shared. RUNS (10) runs of each.
set -eu
bin=${HOLDFAST_BIN:?}
export HOLDFAST_BUILD=${HOLDFAST_BUILD:-${bin%/bin}}
runs=${RUNS:-10}
walks=${HOLDFAST_WALKS:-../shared/data/snmp}
dir=$(mktemp -d)
trap 'tests/agents/pdu.sh stop "$dir/pdu"; tests/agents/pdu.sh stop "$dir/many"; rm -rf "$dir"' EXIT
export MIBS='' SNMP_PERSISTENT_DIR=$dir/snmp
[ -x "$HOLDFAST_BUILD/tests/snmp_device" ] || make -s "${HOLDFAST_BUILD#"$PWD"/}/tests/snmp_device"

# median NAME COMMAND...: seconds
median() {
	hyperfine --shell=none --ignore-failure --warmup 1 --runs "$runs" --export-json "$dir/out.json" \
		--prepare "${prepare:-true}" "$1" >/dev/null 2>&1
	jq '.results[0].median' "$dir/out.json"
}

row() {
	awk -v what="$1" -v ours="$2" -v theirs="$3" -v goal="$4" 'BEGIN {
		printf "%-28s %10.1f ms %12.1f ms %9.1fx   (goal %s)\n", what, ours * 1000, theirs * 1000, theirs / ours, goal
	}'
}

# exchanges COMMAND...: SNMP requests that it takes
exchanges() {
	local before
	before=$(<"$dir/$device/exchanges")
	"$@" >/dev/null 2>&1 || true
	echo $(($(<"$dir/$device/exchanges") - before))
}

walk=$walks/nut-apc-ap7900.snmprec
[ -f "$walk" ] || walk=apc-rpdu
tests/agents/pdu.sh start "$dir/pdu" apc-rpdu "$walk"
tests/agents/pdu.sh start "$dir/many" apc-rpdu apc-rpdu
login="-a 127.0.0.1 -u $(<"$dir/pdu/port") -c private -n 1"

echo "One outlet                       fence_pdu  fence_apc_snmp     ratio"
ours=$(median "$bin/fence_pdu -o status $login")
theirs=$(median "fence_apc_snmp -o status $login")
row "status" "$ours" "$theirs" "at least 5"
prepare="snmpset -v1 -c private 127.0.0.1:$(<"$dir/pdu/port") .1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.1 i 1"
ours=$(median "$bin/fence_pdu -o off $login")
theirs=$(median "fence_apc_snmp -o off $login")
row "off and proven" "$ours" "$theirs" "at least 10"
prepare=

echo
echo "SNMP exchanges                   fence_pdu  fence_apc_snmp"
read -ra words <<<"$login"
device=pdu
snmpset -v1 -c private "127.0.0.1:$(<"$dir/pdu/port")" .1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.1 i 1 >/dev/null
for action in status off; do
	printf '%-28s %13d' "$action" "$(exchanges "$bin/fence_pdu" -o $action "${words[@]}")"
	snmpset -v1 -c private "127.0.0.1:$(<"$dir/pdu/port")" .1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.1 i 1 >/dev/null
	printf ' %15d\n' "$(exchanges fence_apc_snmp -o $action "${words[@]}")"
done
device=many
words=(-a 127.0.0.1 -u "$(<"$dir/many/port")" -c private)
printf '%-28s %13d %15d   (goal at most 3)\n' "list of 48 outlets, v2c" \
	"$(exchanges "$bin/fence_pdu" -o list -d 2c "${words[@]}")" \
	"$(exchanges fence_apc_snmp -o list -d 2c "${words[@]}")"
printf '%-28s %13d %15d\n' "list of 48 outlets, v1" \
	"$(exchanges "$bin/fence_pdu" -o list -d 1 "${words[@]}")" \
	"$(exchanges fence_apc_snmp -o list -d 1 "${words[@]}")"

echo
read -ra words <<<"$login"
printf 'Peak memory of one fence_pdu off               %6d KiB\n' \
	"$(tests/bench/peak_memory.py "$bin/fence_pdu" -o off "${words[@]}")"
