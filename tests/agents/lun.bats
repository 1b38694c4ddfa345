#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# lun.bats - fence_lun on targets of its own (tgtd): who ejects whom, who may not, and what a node that
# was ejected can still do. Nodes are told apart by node=, by their initiator names, and by the folders of
# what they remember; the data path of a node is a session of `nexus`.
#
# tgt 1.0.85 has neither PREEMPT AND ABORT nor APTPL, and ties a registration to its session, so every
# process of the agent takes the place of the one before. Both is otherwise in tests/lab/cases/fence_lun.py.

# $stderr is set by run --separate-stderr; $output, $status by run; $a is sed's.
# shellcheck disable=SC2154,SC2016

bats_require_minimum_version 1.5.0

setup_file() {
	export PATH=$HOLDFAST_BIN:$PATH
	if [ "$(id -u)" -ne 0 ] || ! command -v tgtd >/dev/null; then
		export NO_TGT=1
		return
	fi
	export TARGET=iqn.2026-11.test.holdfast:lun
	TGT_CONTROL=$((2000 + $$ % 30000))
	export TGT_CONTROL
	target_start 0 4M 4M 4M
}

teardown_file() {
	local n pid
	for n in 0 1; do
		pid=$(cat "$BATS_FILE_TMPDIR/tgtd$n.pid" 2>/dev/null) || continue
		kill -9 "$pid" 2>/dev/null || true
		rm -f "/var/run/tgtd/socket.$((TGT_CONTROL + n))"*
	done
}

setup() {
	local lun
	[ -z "${NO_TGT:-}" ] || skip "needs root and tgtd"
	cd "$BATS_TEST_TMPDIR" || return
	port=$(<"$BATS_FILE_TMPDIR/port0")
	target=iscsi://127.0.0.1:$port/$TARGET
	for lun in 1 2 3; do
		holdfast pr clear "$target/$lun" --key 0x1 --register --for-real --yes >/dev/null
	done
	devices=$target/1
	pids=()
}

teardown() {
	local pid
	for pid in "${pids[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
}

# target_start N SIZE...: tgtd number N, with a LUN of each size.
target_start() {
	local n=$1 port size lun=0
	shift
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	echo "$port" >"$BATS_FILE_TMPDIR/port$n"
	tgtd -f -C $((TGT_CONTROL + n)) --iscsi "portal=127.0.0.1:$port" >"$BATS_FILE_TMPDIR/tgtd$n.log" 2>&1 3>&- &
	echo $! >"$BATS_FILE_TMPDIR/tgtd$n.pid"
	wait_for tgt "$n" --op show --mode target
	tgt "$n" --op new --mode target --tid 1 -T "$TARGET"
	for size; do
		lun=$((lun + 1))
		truncate -s "$size" "$BATS_FILE_TMPDIR/lun$n-$lun"
		tgt "$n" --op new --mode logicalunit --tid 1 --lun "$lun" -b "$BATS_FILE_TMPDIR/lun$n-$lun"
	done
	tgt "$n" --op bind --mode target --tid 1 -I ALL
}

tgt() { tgtadm -C $((TGT_CONTROL + $1)) --lld iscsi "${@:2}"; }

wait_for() {
	local i
	for ((i = 0; i < 200; i++)); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.05
	done
	echo "did not come: $*"
	return 1
}

# Options of a node, later ones win.
node_options() {
	printf '%s\n' cluster=badcafe nodes=alpha:1,beta:2,gamma:3 "node=$1" \
		"initiator=iqn.2026-11.test.holdfast:$1" "state_dir=$PWD/$1" "devices=$devices" \
		json=1 drain=0.1 power_timeout=3 "${@:2}"
}

# lun STATUS NODE ACTION [OPTION...]: the agent on that node.
lun() {
	local expected=$1
	node_options "$2" "action=$3" "${@:4}" >options
	run --separate-stderr timeout 60 fence_lun <options
	echo "$2 $3 ${*:4}: $status $output $stderr"
	[ "$status" -eq "$expected" ]
	jq -e --argjson status "$status" '.exit == $status' <<<"$output" >/dev/null
}

holds() { jq -e "$1" <<<"$output" >/dev/null; }

# The keys of a LUN, in one line.
keys() { holdfast pr keys "$target/${1:-1}" --json | jq -r 'select(.kind == "key").key' | sort | paste -sd' '; }

# nexus_start INITIATOR [LUN]: a data path; ask it with nexus_ask.
nexus_start() {
	coproc NEXUS { exec "$HOLDFAST_BUILD/tests/nexus" "$target/${2:-1}" "$1" 3>&-; }
	# shellcheck disable=SC2153 # set by coproc
	pids+=("$NEXUS_PID")
	nexus_answer
	[ "$answer" = ready ]
}

nexus_answer() { read -r -t 20 answer <&"${NEXUS[0]}"; }

nexus_ask() {
	echo "$*" >&"${NEXUS[1]}"
	nexus_answer
	echo "nexus $*: $answer"
}

# What a node has registered, as it remembers it.
own_key() { sed -n "s/^LUN [^ ]* \(0x[0-9a-f]*\) in$/\1/p" "$1"/fence_lun-0badcafe-? | tail -1; }

both_on() {
	lun 0 alpha on plug=alpha
	lun 0 beta on plug=beta
}

# ---- off ----

@test "off is proven, and the writes of the ejected node are refused" {
	both_on
	nexus_start iqn.2026-11.test.holdfast:beta-data
	nexus_ask register 0 "$(own_key beta)"
	[ "$answer" = good ]
	nexus_ask write
	[ "$answer" = good ]
	lun 0 alpha off plug=beta
	holds '.state == "off" and .proof == "proven" and .off_proven and .plugs[0].before == "on"'
	holds '[.parts[].state] == ["off", "off"]'
	nexus_ask write
	[[ $answer == *-preempted\ reservation-conflict ]]
	nexus_ask read
	[ "$answer" = good ]
	lun 2 alpha status plug=beta
	lun 0 alpha status plug=alpha
	[ "$(keys)" = "$(own_key alpha)" ]
}

@test "plain PREEMPT is said, and its drain is waited for" {
	both_on
	lun 0 alpha off plug=beta drain=1 verbose=1
	[[ $stderr == *"not by a PREEMPT AND ABORT that ended its commands; waiting 1.0 s"* ]]
	[[ $stderr == *"power state is pending"* ]]
	holds '.elapsed_ms >= 1000'
	lun 1 alpha off plug=beta drain=3
	holds '.cause == "config"'
}

@test "off of a node that is off already is off" {
	both_on
	lun 0 alpha off plug=beta
	lun 0 alpha off plug=beta
	holds '.off_proven and .plugs[0].before == "off"'
	# A node that never came is off too, as soon as somebody keeps others out.
	lun 0 alpha off plug=3
	holds '.plugs[0].plug == "3" and .off_proven'
}

@test "without a reservation nobody is cut off, so off takes one" {
	both_on
	holdfast pr release "$devices" --key "$(own_key alpha)" || true
	holdfast pr clear "$devices" --key 0x1 --register --for-real --yes
	lun 0 alpha status plug=beta
	holds '.state == "on" and (.parts[0].text | test("everybody may write"))'
	lun 1 alpha off plug=beta
	holds '.cause == "privilege" and .state == "on" and (.message | test("nor is any other"))'
	# Somebody else held it, and gave it up.
	rm -r alpha beta
	nexus_start iqn.2026-11.test.holdfast:other
	nexus_ask register 0 0x77
	nexus_ask reserve 0x77
	[ "$answer" = good ]
	both_on
	nexus_ask release 0x77
	[[ $answer == *good ]]
	nexus_ask register 0x77 0
	run -0 holdfast pr reservation "$devices" --json
	jq -e '.held == false' <<<"$output"
	lun 0 alpha off plug=beta
	[ "$(keys)" = "$(own_key alpha)" ]
	run -0 holdfast pr reservation "$devices" --json
	jq -e --arg key "$(own_key alpha)" '.holder == $key and .type == "we-ro"' <<<"$output"
}

@test "all incarnations of the victim go, and nobody else" {
	lun 0 alpha on plug=alpha
	# Another cluster's node 2, node 258 of ours, and three lives of ours.
	for key in badcaff:2:1 badcafe:258:1 badcafe:2:1 badcafe:2:2 badcafe:2:65535; do
		holdfast pr register "$devices" --key "$key" --initiator "iqn.2026-11.test.holdfast:$key" >/dev/null
	done
	lun 0 alpha off plug=beta
	[ "$(keys)" = "$(printf '%s\n' 0x0badcaff00020001 0x0badcafe01020001 "$(own_key alpha)" | sort | paste -sd' ')" ]
}

@test "a node that has not joined ejects nobody" {
	both_on
	before=$(keys)
	lun 1 gamma off plug=beta
	holds '.cause == "privilege" and (.message | test("has not joined")) and .state == "on"'
	[ "$(keys)" = "$before" ]
	# Nor does one whose key somebody else has registered for it.
	holdfast pr register "$devices" --key badcafe:3:1
	lun 1 gamma off plug=beta
	holds '.cause == "privilege"'
}

@test "a node ejects only others, and registers only itself" {
	both_on
	lun 1 alpha off plug=alpha
	holds '.cause == "unsupported" and .state == "on"'
	lun 1 alpha on plug=gamma
	holds '.cause == "unsupported" and .state == "off"'
	# A reboot is an off; the node comes back by itself.
	lun 0 alpha reboot plug=beta
	holds '.off_proven and .cause == "unsupported"'
}

# ---- both sides at once ----

@test "of two that eject one another the first wins, and the second never can" {
	both_on
	lun 0 alpha off plug=beta
	winner=$(keys)
	for _ in 1 2; do
		lun 1 beta off plug=alpha
		holds '.cause == "privilege" and .off_proven == false and .state == "on"'
		holds '.message | test("ejected")'
		lun 1 beta on plug=beta
		holds '.cause == "privilege" and .state == "off"'
		lun 1 beta reboot plug=alpha
	done
	[ "$(keys)" = "$winner" ]
	lun 0 alpha status plug=alpha
	lun 2 alpha status plug=beta
	lun 1 beta probe plug=alpha
	lun 0 alpha probe plug=beta
}

@test "at the same moment: never both" {
	local round status_a status_b wins=0
	for round in {1..12}; do
		rm -rf alpha beta
		holdfast pr clear "$devices" --key 0x1 --register --for-real --yes >/dev/null
		both_on >/dev/null
		node_options alpha action=off plug=beta >options.a
		node_options beta action=off plug=alpha >options.b
		timeout 60 fence_lun <options.a >out.a 2>err.a 3>&- &
		pid=$!
		pids+=("$pid")
		status_b=0
		timeout 60 fence_lun <options.b >out.b 2>err.b 3>&- || status_b=$?
		status_a=0
		wait "$pid" || status_a=$?
		echo "round $round: $status_a $status_b"
		cat out.a out.b
		[ $((status_a + status_b)) -ge 1 ]
		[ "$status_a" -ne 0 ] || lun 0 alpha status plug=alpha
		[ "$status_a" -ne 0 ] || lun 2 alpha status plug=beta
		[ "$status_b" -ne 0 ] || lun 0 beta status plug=beta
		[ "$status_b" -ne 0 ] || lun 2 beta status plug=alpha
		wins=$((wins + 2 - status_a - status_b))
		# Whoever has lost stays so.
		[ "$status_a" -eq 0 ] || [ "$status_b" -ne 0 ] || lun 1 alpha off plug=beta
		[ "$status_b" -eq 0 ] || [ "$status_a" -ne 0 ] || lun 1 beta off plug=alpha
	done
	[ "$wins" -eq 12 ]
}

@test "with several LUNs nobody ends up with some of them each" {
	local round status_a status_b
	devices="$target/1 $target/2 $target/3"
	for round in {1..6}; do
		rm -rf alpha beta
		for n in 1 2 3; do holdfast pr clear "$target/$n" --key 0x1 --register --for-real --yes >/dev/null; done
		both_on >/dev/null
		node_options alpha action=off plug=beta >options.a
		# In another order: the first is the first by its identity.
		node_options beta action=off plug=alpha "devices=$target/3,$target/2,$target/1" >options.b
		timeout 60 fence_lun <options.a >out.a 2>err.a 3>&- &
		pid=$!
		pids+=("$pid")
		status_b=0
		timeout 60 fence_lun <options.b >out.b 2>err.b 3>&- || status_b=$?
		status_a=0
		wait "$pid" || status_a=$?
		echo "round $round: $status_a $status_b"
		cat out.a out.b
		[ $((status_a + status_b)) -eq 1 ]
	done
}

# ---- on ----

@test "unfencing twice is once" {
	lun 0 alpha on plug=alpha
	[[ $stderr == *"no APTPL"* ]]
	lun 0 alpha on plug=alpha
	[ "$(keys)" = "$(own_key alpha)" ]
	run -0 holdfast pr reservation "$devices" --json
	jq -e '.type == "we-ro"' <<<"$output"
	lun 0 beta on plug=2
	[ "$(keys | wc -w)" -eq 2 ]
}

@test "an ejected node stays out until it is admitted, once" {
	both_on
	lun 0 alpha off plug=beta
	ejected=$(sed -n 's/^LUN [^ ]* \(0x[0-9a-f]*\) in$/\1/p' beta/fence_lun-0badcafe-2)
	lun 1 beta on plug=beta
	holds '.cause == "privilege"'
	jq -e --arg key "$ejected" '.next | test("admit=" + $key)' <<<"$output"
	# The wrong key admits nobody.
	lun 1 beta on plug=beta admit=0x0badcafe00020001
	lun 0 beta on plug=beta "admit=$ejected"
	[ "$(own_key beta)" != "$ejected" ]
	lun 0 alpha status plug=beta
	# It is good for that ejection alone, and may stand in the configuration for ever.
	lun 0 beta on plug=beta "admit=$ejected"
	lun 0 alpha off plug=beta
	lun 1 beta on plug=beta "admit=$ejected"
	holds '.cause == "privilege"'
}

@test "after a restart of the node it comes back with another key" {
	both_on
	lun 0 alpha off plug=beta
	before=$(sed -n 's/^INCARNATION //p' beta/fence_lun-0badcafe-2)
	sed -i 's/^BOOT ......../BOOT 00000000/' beta/fence_lun-0badcafe-2
	lun 1 beta off plug=alpha
	holds '.message | test("has not joined")'
	lun 0 beta on plug=beta
	[ $((16#$(own_key beta | tail -c 5))) -eq $(((before + 1) % 65536)) ]
	lun 0 beta off plug=alpha
}

@test "keys of earlier lives of the node are succeeded" {
	holdfast pr reserve "$devices" --key badcafe:1:9 --register
	lun 0 alpha on plug=alpha
	[ "$(keys)" = "$(own_key alpha)" ]
	run -0 holdfast pr reservation "$devices" --json
	jq -e --arg key "$(own_key alpha)" '.holder == $key and .type == "we-ro"' <<<"$output"
}

@test "a reservation that keeps registrants out is in the way" {
	holdfast pr reserve "$devices" --key 0x99 --register --type ea --initiator iqn.2026-11.test.holdfast:other
	lun 1 alpha on plug=alpha
	holds '.cause == "privilege" and (.message | test("reserved as ea by 0x0000000000000099"))'
}

@test "what is remembered is not forgotten when it is damaged" {
	both_on
	lun 0 alpha off plug=beta
	for damage in 's/^INCARNATION .*/INCARNATION x/' '/^END/d' 's/ in$/ out/' '1d' '$a more' \
		's/^LUN /NEXT /' '/^LUN/p' 's/^LUN \(.*\) in/&\nNEXT \1 in/'; do
		cp -r beta damaged
		sed -i "$damage" damaged/fence_lun-0badcafe-2
		lun 1 beta on plug=beta "state_dir=$PWD/damaged"
		holds '.cause == "internal" and (.message | test("damaged"))'
		rm -r damaged
	done
	lun 1 beta on plug=beta "state_dir=/proc/nothing"
	holds '.cause == "internal"'
}

@test "a key that was about to take the place of another one, and a process that ended there" {
	both_on
	key=$(own_key beta)
	old=${key%????}fff0
	cp -r beta entering
	# It was sent only where the old key was: so it has taken its place.
	sed -i "s/^LUN \([^ ]*\) .*/LUN \1 $old in\nNEXT \1 $key succeeding/" beta/fence_lun-0badcafe-2
	lun 0 beta on plug=beta
	[[ $(own_key beta) != "$old" ]]
	# It was registered without that: the node was ejected, and what is left of it is named.
	key=$(own_key beta)
	sed -i "s/^LUN \([^ ]*\) .*/LUN \1 $old in\nNEXT \1 $key entering/" entering/fence_lun-0badcafe-2
	lun 1 beta off plug=alpha "state_dir=$PWD/entering"
	holds '.cause == "privilege" and (.message | test("ejected"))'
	lun 1 beta on plug=beta "state_dir=$PWD/entering"
	jq -e --arg key "$key" '.message | test("key " + $key + " of this node is registered")' <<<"$output"
	holds '.next | test("another node")'
	lun 0 alpha off plug=beta
	lun 1 beta on plug=beta "state_dir=$PWD/entering"
	holds '.message | test("was ejected")'
}

# ---- several LUNs, several paths ----

@test "a node that is cut off from some LUNs only is partial" {
	all="$target/1 $target/2,$target/3"
	devices=$all
	both_on
	lun 0 alpha off plug=beta "devices=$target/2"
	lun 1 alpha status plug=beta
	holds '.state == "partial" and .cause == "state"'
	holds '[.parts[] | select(.part | startswith("naa.")).state] | sort == ["off", "on", "on"]'
	lun 0 alpha list-status
	holds '[.plugs[].state] == ["on", "partial", "off"]'
	# Of the one LUN beta was ejected: it is out, and does not touch the others.
	before="$(keys 1) $(keys 2) $(keys 3)"
	lun 1 beta off plug=alpha
	holds '.cause == "privilege" and .state == "on"'
	lun 1 beta on plug=beta
	[ "$(keys 1) $(keys 2) $(keys 3)" = "$before" ]
	lun 0 alpha off plug=beta
	holds '.plugs[0].before == "partial" and .off_proven'
}

@test "a LUN that does not answer keeps nobody waiting, and makes the off unproven" {
	devices="$target/1 $target/2"
	both_on
	# Somebody who listens, and never says a word.
	python3 -c '
import socket, time
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(8)
print(s.getsockname()[1], flush=True)
time.sleep(600)' >silent 3>&- &
	pids+=("$!")
	wait_for test -s silent
	for other in "iscsi://127.0.0.1:$(<silent)/$TARGET/1" "iscsi://127.0.0.1:1/$TARGET/1" "$target/9"; do
		lun 1 alpha off plug=beta "devices=$target/1 $other $target/2" login_timeout=1 power_timeout=1
		holds '.off_proven == false and .proof != "proven" and .state == "unknown"'
		holds '.message | test("is ejected from 2 of 3 units")'
		jq -e --arg other "$other" '[.parts[] | select(.part == $other).state] | unique == ["unknown"]' <<<"$output"
		lun 2 alpha status plug=beta
		lun 1 alpha monitor "devices=$target/1 $other" login_timeout=1
		lun 1 alpha status plug=beta "devices=$target/1 $other" login_timeout=1
		holds '.cause != "state" and (.message | test("1 of 2 units cannot be read"))'
	done
	lun 0 alpha monitor
}

@test "a LUN that hangs in the middle is as good as absent" {
	target_start 1 8M 8M
	hung=iscsi://127.0.0.1:$(<"$BATS_FILE_TMPDIR/port1")/$TARGET/2
	devices="$target/1 $hung"
	both_on
	kill -STOP "$(<"$BATS_FILE_TMPDIR/tgtd1.pid")"
	node_options alpha action=off plug=beta login_timeout=1 power_timeout=1 >options
	run --separate-stderr timeout 60 fence_lun <options
	kill -CONT "$(<"$BATS_FILE_TMPDIR/tgtd1.pid")"
	echo "$status $output $stderr"
	[ "$status" -eq 1 ]
	holds '.off_proven == false and (.message | test("is ejected from 1 of 2 units"))'
	lun 0 alpha off plug=beta
	lun 1 beta off plug=alpha
}

@test "two URLs of one LUN are two paths" {
	devices="$target/1,${target/127.0.0.1/localhost}/1"
	lun 0 alpha on plug=alpha
	[ "$(keys)" = "$(own_key alpha) $(own_key alpha)" ]
	holds '[.parts[].part] | length == 3'
	lun 0 beta on plug=beta
	lun 0 alpha off plug=beta
	[ "$(keys | tr ' ' '\n' | sort -u)" = "$(own_key alpha)" ]
	# One of them is not there: that it belongs to the unit has to be said.
	dead=iscsi://127.0.0.1:1/$TARGET/1
	lun 0 alpha off plug=beta "devices=$target/1|$dead"
	holds '.off_proven'
	lun 1 alpha off plug=beta "devices=$target/1 $dead" power_timeout=1
	holds '.off_proven == false'
	lun 0 gamma on plug=gamma "devices=$target/1|$dead"
	[[ $stderr == *"cannot write by one path"* ]]
}

@test "LUNs that are not what they are called are refused" {
	lun 1 alpha status plug=alpha "devices=$target/1|$target/2"
	holds '.cause == "config" and (.message | test("are two units"))'
	lun 1 alpha status plug=alpha "devices=$target/1 $target/1"
	holds '.cause == "config" and (.message | test("twice"))'
	# Each tgtd calls its first LUN by the same name.
	[ -e "$BATS_FILE_TMPDIR/port1" ] || target_start 1 8M 8M
	lun 1 alpha status plug=alpha "devices=$target/1 iscsi://127.0.0.1:$(<"$BATS_FILE_TMPDIR/port1")/$TARGET/1"
	holds '.cause == "config" and (.message | test("by one name"))'
	truncate -s 1M plain
	lun 1 alpha status plug=alpha "devices=$PWD/plain"
	holds '.cause == "unsupported"'
}

# ---- options, and who calls ----

@test "wrong options touch nothing" {
	for wrong in cluster=0 cluster=123456789 cluster=xyz nodes= nodes=alpha nodes=alpha:0 nodes=alpha:70000 \
		nodes=alpha:1,alpha:2 nodes=alpha:1,beta:1 nodes=7:1 node=delta devices= "devices=$target/1||" \
		admit=12 state_dir=here drain=3; do
		lun 1 alpha validate-all "$wrong"
		holds '.cause == "config" and .message != ""'
	done
	lun 0 alpha validate-all
	lun 1 alpha status plug=delta
	holds '.cause == "no-such-plug"'
	# A host that is none of the nodes may look.
	node_options alpha action=status plug=beta | sed /^node=/d >options
	run --separate-stderr fence_lun <options
	[ "$status" -eq 0 ]
	node_options alpha action=off plug=beta | sed /^node=/d >options
	run -1 --separate-stderr fence_lun <options
	[[ $stderr == *"none of the nodes"* ]]
	[ "$(keys)" = "" ]
}

@test "a password in a URL is not shown" {
	# tgt takes anybody; the password is of no use, and must not come up.
	lun 1 alpha monitor "devices=iscsi://eve%25sesame@127.0.0.1:1/$TARGET/1 iscsi://eve%sesame@127.0.0.1:1/$TARGET/2" verbose=1
	[[ $output$stderr != *sesame* ]]
}

@test "Pacemaker knows it for unfencing" {
	fence_lun -o metadata >metadata.xml
	[ "$(xmllint --xpath 'string(//action[@name="on"]/@automatic)' metadata.xml)" = 1 ]
	[ "$(xmllint --xpath 'string(//action[@name="on"]/@on_target)' metadata.xml)" = 1 ]
	node_options alpha | sed -n 's/^\([a-z_]*=.*\)/--option\n\1/p' >arguments
	mkdir work
	# Pacemaker knows agents in one folder only; ours lies over it, in a namespace of our own.
	# shellcheck disable=SC2016
	run --separate-stderr unshare -m bash -ec '
		mount -t tmpfs none "$2"
		mkdir "$2/upper" "$2/work"
		mount -t overlay overlay -o "lowerdir=/usr/sbin,upperdir=$2/upper,workdir=$2/work" /usr/sbin
		cp "$1/fence_lun" /usr/sbin/
		stonith_admin --metadata --agent fence_lun | grep -q "resource-agent name=\"fence_lun\""
		mapfile -t options <arguments
		stonith_admin --validate --agent fence_lun "${options[@]}"
		! stonith_admin --validate --agent fence_lun "${options[@]}" --option cluster=0
	' - "$HOLDFAST_BIN" "$PWD/work"
	echo "$output$stderr"
	[ "$status" -eq 0 ]
	# As Pacemaker starts it: the plug as port, the node beside it, its name in the environment.
	both_on
	node_options alpha action=off port=beta nodename=beta >options
	PCMK_service=pacemaker-fenced run --separate-stderr timeout 60 fence_lun <options
	[ "$status" -eq 0 ]
	holds '.off_proven'
}

@test "it conforms" {
	both_on
	(umask 077 && node_options alpha plug=beta | sed /^json=/d >options)
	run --separate-stderr holdfast agent conform fence_lun --json --options-file options
	jq -r 'select(.verdict == "fail" or .verdict == "should") | .id + ": " + .happened' <<<"$output"
	[ "$status" -eq 0 ]
	jq -es '.[-1] | .conforms and .passed > 20' <<<"$output"
}
