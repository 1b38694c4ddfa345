#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# fence.bats - `holdfast fence` from outside: exit status, text, JSON, what is asked and what is
# refused, against fence_testing and agents written here.

# stderr is set by run --separate-stderr
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	mkdir agents
	export PATH=$HOLDFAST_BIN:$PATH
	export HOLDFAST_CONF=$PWD/holdfast.conf HOLDFAST_AGENT_PATH=$PWD/agents:$HOLDFAST_BIN
	unset NO_COLOR
	export TERM=xterm
	command -v holdfast >/dev/null || return 1
	umask 077
	cat >holdfast.conf <<-CONF
	FENCE_TIMEOUT 30
	FENCE_RETRIES 0
	FENCE_HISTORY $PWD/history.jsonl
	FENCE_DEVICE pdu
	  FENCE_AGENT fence_testing
	  FENCE_PARALLEL 4
	  FENCE_OPTION state_file $PWD/pdu.state
	  FENCE_OPTION outlets 1,2,3,4,5,6,7,8
	FENCE_DEVICE liar
	  FENCE_AGENT fence_testing
	  FENCE_OPTION state_file $PWD/liar.state
	  FENCE_OPTION outlets 1
	  FENCE_OPTION lie 1
	  FENCE_OPTION power_timeout 0.2
	FENCE_DEVICE locked
	  FENCE_AGENT fence_testing
	  FENCE_OPTION state_file $PWD/locked.state
	  FENCE_OPTION outlets 1
	  FENCE_OPTION password hunter2
	  FENCE_OPTION expect_password something-else
	FENCE_DEVICE stuck
	  FENCE_AGENT fence_testing
	  FENCE_OPTION state_file $PWD/stuck.state
	  FENCE_OPTION outlets 1
	  FENCE_OPTION refuse_on 1
	NODE_NAME node1
	  FENCE_LEVEL 1 pdu:1,2
	NODE_NAME node2
	  FENCE_LEVEL 1 liar:1
	  FENCE_LEVEL 2 pdu:3
	NODE_NAME node3
	  FENCE_LEVEL 1 locked:1
	NODE_NAME node4
	  FENCE_LEVEL 1 pdu:99
	NODE_NAME node5
	  FENCE_LEVEL 1 stuck:1
	NODE_NAME node6
	  FENCE_LEVEL 1 pdu:6
	CONF
}

# An agent of another project: NAME, and the shell code that runs with $action set.
write_agent() {
	cat >"agents/$1" <<-AGENT
	#!/bin/bash
	action=
	while read -r line; do
		case \$line in action=*) action=\${line#action=} ;; esac
	done
	if [ "\$action" = metadata ]; then
		cat <<XML
	<?xml version="1.0" ?>
	<resource-agent name="$1" shortdesc="for a test">
	<longdesc>For a test.</longdesc>
	<vendor-url></vendor-url>
	<parameters>
	<parameter name="action" unique="0" required="1"><getopt mixed="-o"/><content type="string"/><shortdesc lang="en">action</shortdesc></parameter>
	</parameters>
	<actions>
	<action name="on"/><action name="off"/><action name="reboot"/><action name="status"/>
	<action name="monitor"/><action name="metadata"/>
	</actions>
	</resource-agent>
	XML
		exit 0
	fi
	$2
	AGENT
	chmod 755 "agents/$1"
}

# One node on one device whose agent is the one given.
write_conf_for() {
	cat >"$1.conf" <<-CONF
	FENCE_RETRIES 0
	FENCE_HISTORY $PWD/history.jsonl
	FENCE_DEVICE dev
	  FENCE_AGENT $1
	NODE_NAME n1
	  FENCE_LEVEL 1 dev
	CONF
}

# ---- use ----

@test "help and version at every level" {
	local sub
	run -0 holdfast --help
	[[ $output == "Usage: holdfast SUBCOMMAND"*fence* ]]
	run -0 holdfast fence --help
	[[ $output == "Usage: holdfast fence SUBCOMMAND"*history* ]]
	for sub in agents list status on off reboot test history; do
		run -0 --separate-stderr holdfast fence "$sub" --help
		[[ ${lines[0]} == "Usage: holdfast fence $sub [OPTION]..."* ]]
		[[ $output == *"--json"*"Exit status: 0"*"man holdfast-fence"* ]]
		[ "$stderr" = "" ]
		run -0 holdfast fence "$sub" -h
	done
	run -0 holdfast --version
	[[ $output == "holdfast "[0-9]* ]]
	run -0 holdfast fence off -V
}

@test "wrong use: exit status 2, a hint, nothing on stdout" {
	local args
	while IFS='|' read -r words wanted; do
		read -ra args <<<"$words"
		run -2 --separate-stderr holdfast "${args[@]}"
		[ "$output" = "" ]
		[[ $stderr == *"$wanted"* ]] || {
			echo "holdfast $words: $stderr"
			return 1
		}
	done <<-'LIST'
	|which subcommand?
	fense|unknown subcommand "fense"; did you mean "fence"?
	fence|which subcommand?
	fence offf node1|unknown subcommand "offf"; did you mean "off"?
	fence off|which target? Name some, or give --all
	fence off --all node1|--all and "node1": which of them?
	fence off --jsn node1|unknown option --jsn; did you mean --json?
	fence off -x node1|unknown option -x
	fence off --dry-run=yes node1|--dry-run takes no value
	fence off -t|option -t needs a value
	fence off -t 0 node1|--timeout 0: expected seconds
	fence off -t 1h node1|--timeout 1h: expected seconds
	fence off -t 1e9 node1|--timeout 1e9: expected seconds
	fence off -p 0 node1|--parallel 0: expected a whole number from 1 to 1024
	fence off -p 1.5 node1|--parallel 1.5: expected
	fence off --for-real node1|--for-real has no meaning here
	fence test --yes node1|--yes has no meaning without --for-real
	fence agents --all|--all has no meaning here
	fence agents node1|unexpected argument "node1"
	fence list node1|unexpected argument "node1"
	fence history --last 0|--last 0: expected a whole number
	fence off node[1-|target "node[1-", column 8: range has no end, expected a number
	fence off node1,,node2|column 7: no name here
	fence off nod1|no target "nod1"
	LIST
}

@test "an unknown target: close names, and no other target is touched" {
	run -2 --separate-stderr holdfast fence off node1 node7
	[[ $stderr == *'no target "node7" in '*"did you mean node1, node2, node3, node4, node5?"* ]]
	[ "$output" = "" ]
	[ ! -e pdu.state ]
	run -2 --separate-stderr holdfast fence off zebra
	[[ $stderr == *'no target "zebra"'*'see "holdfast fence list"'* ]]
}

@test "host lists: several, overlapping, each target once and in order" {
	run -0 holdfast fence off --dry-run --json 'node[2-3],node1' 'node[1-2]'
	[ "$(jq -r .target <<<"$output" | xargs)" = "node2 node3 node1" ]
	run -0 holdfast fence off --dry-run --json --all
	[ "$(jq -r .target <<<"$output" | xargs)" = "node1 node2 node3 node4 node5 node6" ]
}

# ---- dry run ----

@test "dry run: levels, devices, plugs, agents, options; nothing is touched" {
	run -0 holdfast fence off --dry-run 'node[2-3]'
	[[ ${lines[0]} == "off, dry run: nothing is touched"* ]]
	[[ ${lines[1]} == "node2  level 1  liar:1    $HOLDFAST_BIN/fence_testing  state_file="*"lie=1"* ]]
	[[ ${lines[2]} == "       level 2  pdu:3     $HOLDFAST_BIN/fence_testing  "* ]]
	[[ ${lines[3]} == "node3  level 1  locked:1  "*"password=(set)"* ]]
	[[ $output != *hunter2* ]]
	[ ! -e liar.state ] && [ ! -e pdu.state ] && [ ! -e history.jsonl ]
	run -0 holdfast fence test --for-real -n node1
	[[ ${lines[0]} == "test-for-real, dry run"* ]]
}

@test "dry run: JSON" {
	run -0 holdfast fence off --dry-run --json node2
	jq -e '.dry_run and .operation == "off" and (.legs | map(.level) == [1, 2])
		and (.legs[1].path | endswith("/fence_testing")) and .legs[0].options.lie == "1"' <<<"$output"
}

@test "a missing agent: the dry run and the operation refuse, and start nothing" {
	sed -i '/FENCE_DEVICE liar/,/FENCE_AGENT/s/fence_testing/fence_nowhere/' holdfast.conf
	run -2 --separate-stderr holdfast fence off --dry-run 'node[1-2]'
	[[ $stderr == *"device liar: fence_nowhere"* ]]
	[[ $output == *MISSING* ]]
	run -2 --separate-stderr holdfast fence off 'node[1-2]'
	[[ $stderr == *fence_nowhere* ]]
	[ ! -e pdu.state ]
	# A target that does not need it is none the worse.
	run -0 holdfast fence off --dry-run node1
}

# ---- status, on, off, reboot ----

@test "status, off, on of one target" {
	run -0 holdfast fence status node1
	[[ $output =~ ^"node1  on  level 1 pdu:1,2  "[0-9]+\.[0-9][0-9]" s"$ ]]
	run -0 holdfast fence off node1
	[[ $output =~ ^"node1  off, proven  level 1 pdu:1,2  "[0-9.]+" s"$ ]]
	[ "$(grep -cE '^[12][[:space:]].*off' pdu.state)" -eq 2 ]
	run -2 holdfast fence status node1
	[[ $output == "node1  off  "* ]]
	run -0 holdfast fence on node1
	[[ $output == "node1  on, proven  "* ]]
	run -0 holdfast fence reboot node1
	[[ $output == "node1  rebooted, off and on proven  "* ]]
	run -0 holdfast fence status node1
}

@test "status: 2 is kept for off" {
	run -1 holdfast fence status
	run -1 holdfast fence status nobody
	run -1 holdfast fence status --nonsense node1
	run -1 holdfast fence status node1 -c /nowhere
	run -1 holdfast fence status node3
	run -1 holdfast fence status node4
	holdfast fence off node6
	run -2 holdfast fence status node6
	# Of several targets 0 says that all were read.
	run -0 holdfast fence status node1 node6
	run -1 holdfast fence status node1 node3
}

@test "status of half a power supply is neither on nor off" {
	holdfast fence on node1
	sed -i '/^2[[:space:]]/s/on/off/' pdu.state
	run -1 holdfast fence status node1
	[[ $output == "node1  partial  "* ]]
}

@test "the second level fences, and the broken first one is told" {
	run -0 holdfast fence off node2
	[[ ${lines[0]} == "node2  off, proven  level 2 pdu:3  "* ]]
	[[ ${lines[1]} == "    level 1 liar:1: state: "* ]]
}

@test "a wrong password and a missing plug are told apart, and are no success" {
	run -1 holdfast fence off 'node[3-4]'
	[[ ${lines[0]} == "node3  FAILED auth: "*"check password="*"(power is unknown)" ]]
	[[ ${lines[1]} == "node4  FAILED no-such-plug: "* ]]
	[[ ${lines[-1]} == "0 of 2 proven" ]]
	[[ $output != *hunter2* ]]
}

@test "a reboot whose on fails is a fenced node and exit status 1" {
	run -1 holdfast fence reboot node5
	[[ ${lines[0]} == "node5  FENCED (off proven), but not back on: "* ]]
	run -1 holdfast fence reboot node5 --json
	jq -e '.off_proven and (.on_proven | not) and (.ok | not)' <<<"$output"
}

@test "JSON: one object a target, the same facts" {
	run -1 --separate-stderr holdfast fence off --json 'node[1-4]'
	jq -es 'length == 4 and (map(.target) == ["node1", "node2", "node3", "node4"])
		and (map(.ok) == [true, true, false, false])
		and (map(.cause) == [null, null, "auth", "no-such-plug"])
		and (map(.level) == [1, 2, 0, 0])
		and (map(.off_proven) == [true, true, false, false])
		and all(.operation == "off" and (.elapsed_ms | type) == "number")
		and .[1].legs[0].cause == "state" and .[1].legs[1].ok' <<<"$output"
	[ "$stderr" = "" ]
	[[ $output != *hunter2* ]]
}

@test "another project's agent is not believed on its exit status alone" {
	# shellcheck disable=SC2016 # the agent's own variables
	write_agent fence_believe 'case $action in off | on) exit 0 ;; status | monitor) exit 0 ;; *) exit 1 ;; esac'
	write_conf_for fence_believe
	run -1 holdfast fence off n1 -c fence_believe.conf
	[[ $output == "n1  FAILED "* ]]
	run -1 holdfast fence status n1 -c fence_believe.conf
	[[ $output == *"protocol: "*'expected the line "Status: ON"'* ]]
	run -1 holdfast fence test n1 -c fence_believe.conf
	[[ $output != *"can be fenced."* ]]
	# shellcheck disable=SC2016
	write_agent fence_says_on 'case $action in status | monitor) echo "Status: ON" ;; esac; exit 0'
	write_conf_for fence_says_on
	run -0 holdfast fence status n1 -c fence_says_on.conf
	run -0 holdfast fence test n1 -c fence_says_on.conf
	[[ $output == *"(status only)"*"VERDICT: n1 can be fenced."* ]]
}

@test "exit status 2 is off only with the API's words" {
	local words n=0
	for words in 'echo "Error: management card is offline"' 'echo "ERROR: Unknown option json" >&2' : \
		'echo "Status: OFFLINE"'; do
		write_agent fence_two_$n "[ \$action != status ] || { $words; exit 2; }"
		write_conf_for fence_two_$n
		run -1 holdfast fence off n1 -c fence_two_$n.conf --json
		jq -e '(.off_proven | not) and .cause == "protocol" and .state == "unknown"' <<<"$output"
		n=$((n + 1))
	done
}

@test "plugs that an agent cannot list prove nothing, unless the file says so" {
	# shellcheck disable=SC2016
	write_agent fence_nolist 'case $action in status) echo "Status: OFF"; exit 2 ;; list) echo N/A ;; esac'
	write_conf_for fence_nolist
	sed -i 's/FENCE_LEVEL 1 dev/&:77/' fence_nolist.conf
	run -1 holdfast fence off n1 -c fence_nolist.conf
	[[ $output == *"unsupported: "*"cannot list plugs, so it is not known that plug 77 exists"*"FENCE_UNLISTED yes"* ]]
	sed -i 's/FENCE_AGENT.*/&\n  FENCE_UNLISTED yes/' fence_nolist.conf
	run -0 holdfast fence off n1 -c fence_nolist.conf
	[[ $output == "n1  off, proven"* ]]
}

@test "an agent that owes results is not believed without them" {
	# shellcheck disable=SC2016
	write_agent fence_mute 'echo "Status: ON"'
	sed -i 's/^<resource-agent/<?holdfast abi="1" json="1"?>\n&/' agents/fence_mute
	write_conf_for fence_mute
	run -1 holdfast fence test n1 -c fence_mute.conf
	[[ $output == *"protocol: "*"without the result that it owes"* ]]
	[[ $output != *"can be fenced."* ]]
}

@test "an option that the agent does not have is warned of, with the line and the nearest name" {
	sed -i 's/power_timeout 0.2/power_tmieout 0.2/' holdfast.conf
	local line warning
	line=$(grep -n power_tmieout holdfast.conf | cut -d: -f1)
	warning="warning: $PWD/holdfast.conf:$line: fence_testing has no option power_tmieout; power_timeout?"
	run --separate-stderr holdfast fence test node2
	[[ $stderr == *"$warning"* ]]
	run -0 --separate-stderr holdfast fence off --dry-run node2
	[[ $stderr == *"$warning" ]]
	# Other spellings, and the names of old, are no slips.
	sed -i 's/power_tmieout/power-timeout/; s/password hunter2/passwd hunter2/' holdfast.conf
	run -0 --separate-stderr holdfast fence off --dry-run --all
	[ "$stderr" = "" ]
}

@test "--timeout bounds an agent that never ends, and leaves no process" {
	# shellcheck disable=SC2016
	write_agent fence_hang 'echo $$ >'"$PWD"'/hang.pid; sleep 1000 & echo $! >>'"$PWD"'/hang.pid; wait'
	write_conf_for fence_hang
	run -1 timeout 60 holdfast fence off n1 -t 1.5 -c fence_hang.conf
	[[ $output == "n1  FAILED timeout: "* ]]
	while read -r pid; do
		[ ! -e "/proc/$pid" ] || [ "$(awk '{ print $3 }' "/proc/$pid/stat")" = Z ]
	done <hang.pid
}

@test "secrets reach the agent, and no argument list, output or history" {
	# shellcheck disable=SC2016
	write_agent fence_look 'tr "\0" " " </proc/$PPID/cmdline >>'"$PWD"'/seen; tr "\0" " " </proc/$$/cmdline >>'"$PWD"'/seen; tr "\0" " " </proc/$$/environ >>'"$PWD"'/seen; exit 1'
	write_conf_for fence_look
	sed -i '/FENCE_AGENT/a FENCE_OPTION password hunter2' fence_look.conf
	for op in off on status reboot test; do
		run holdfast fence "$op" n1 -c fence_look.conf
		[[ $output != *hunter2* ]]
		run holdfast fence "$op" n1 -c fence_look.conf --json
		[[ $output != *hunter2* ]]
	done
	[ -s seen ] && [ -s history.jsonl ]
	grep -q "holdfast fence" seen
	run -1 grep -q hunter2 seen history.jsonl
	# It did get there.
	# shellcheck disable=SC2016
	write_agent fence_get 'exit 1'
	sed -i 's|^while read.*|tee '"$PWD"'/input \| while read -r line; do|' agents/fence_get
	write_conf_for fence_get
	sed -i '/FENCE_AGENT/a FENCE_OPTION password hunter2' fence_get.conf
	run holdfast fence off n1 -c fence_get.conf
	grep -qx 'password=hunter2' input
}

@test "no core dump, not to be traced" {
	# shellcheck disable=SC2016
	write_agent fence_limits 'ulimit -c >'"$PWD"'/core; exit 1'
	write_conf_for fence_limits
	ulimit -c unlimited 2>/dev/null || true
	run holdfast fence off n1 -c fence_limits.conf
	[ "$(cat core)" = 0 ]
}

# ---- test and history ----

@test "test: lines, verdict, warning; then for real, and the date" {
	run -0 holdfast fence test node1
	[ "${lines[0]}" = "node1  level 1  pdu:1,2  (fence_testing)  ok, power is on  never fenced for real" ]
	[ "${lines[1]}" = "VERDICT: node1 can be fenced." ]
	[[ ${lines[2]} == "WARNING: never fenced for real: node1 by pdu:1,2; "* ]]
	[ ! -e pdu.state ] || run -1 grep -q off pdu.state
	run -0 holdfast fence test --for-real --yes node1
	today=$(date +%Y-%m-%d)
	[[ ${lines[0]} == "node1  level 1  pdu:1,2  (fence_testing)  ok, off and on proven  last real success $today (today)" ]]
	[ "${lines[1]}" = "VERDICT: node1 can be fenced." ]
	[ "${#lines[@]}" -eq 2 ]
	run -0 holdfast fence test node1
	[[ ${lines[0]} == *"last real success $today (today)" ]]
}

@test "test: what cannot be fenced" {
	run -1 holdfast fence test 'node[1,3]'
	[[ $output == *"check password="*"VERDICT: 1 of 2 targets can be fenced:"*"node3 CANNOT be fenced: locked:1: "* ]]
	run -1 holdfast fence test --json node1 node3
	jq -es '(map(.can_be_fenced) == [true, false]) and (map(.ok) == [true, false])
		and .[0].legs[0].last_success == null and .[0].legs[0].overdue' <<<"$output"
	run -1 holdfast fence test --for-real --yes node2
	[[ $output == *"VERDICT: node2 can be fenced by level 2, but level 1 is broken: liar:1: "* ]]
	run -1 holdfast fence test --all
	[[ $output == *"VERDICT: 4 of 6 targets can be fenced:"*"node3 CANNOT"*"node4 CANNOT"* ]]
}

@test "test: a success too long ago is warned of" {
	holdfast fence off node1
	old=$(($(date +%s) - 91 * 86400))
	sed -i "s/\"time\":[0-9]*/\"time\":$old/" history.jsonl
	run -0 holdfast fence test node1
	[[ $output == *"(91 days ago)"*"WARNING: last real success more than 90 days ago: node1 by pdu:1,2"* ]]
	sed -i '1i FENCE_TEST_AGE 91' holdfast.conf
	run -0 holdfast fence test node1
	[[ $output != *WARNING* ]]
}

@test "test --for-real without a terminal needs --yes" {
	run -2 --separate-stderr holdfast fence test --for-real node1 </dev/null
	[[ $stderr == *"--for-real cuts power, and there is no terminal to ask on; give --yes"* ]]
	[ ! -e pdu.state ]
}

# Run a command on a terminal that types $1; its output goes to the file `typed`.
on_terminal() {
	local input=$1
	shift
	printf '%s\n' "$input" | script -qec "$*" /dev/null >typed
}

@test "test --for-real on a terminal asks for the name, or the number" {
	run -1 on_terminal yes holdfast fence test --for-real node1
	grep -q 'Type the name of the target' typed
	grep -q 'not confirmed; nothing was done' typed
	[ ! -e pdu.state ]
	run -0 on_terminal node1 holdfast fence test --for-real node1
	grep -q 'VERDICT: node1 can be fenced' typed
	run -1 on_terminal node1 holdfast fence test --for-real node1 node6
	grep -q 'Type the number of targets' typed
	run -0 on_terminal 2 holdfast fence test --for-real node1 node6
}

@test "history: text, JSON, by target, the last ones" {
	run -0 holdfast fence history
	[ "$output" = "no record" ]
	holdfast fence off node1
	holdfast fence on node1
	holdfast fence off node6
	run -0 holdfast fence history
	[[ ${lines[0]} == "TIME "*OPERATION*TARGET*DEVICE*RESULT* ]]
	[ "${#lines[@]}" -eq 7 ]
	run -0 holdfast fence history --json
	jq -es 'length == 6 and (map(.kind) | unique == ["device", "target"])
		and all(.result == "ok" and (.time | test("^20..-..-..T..:..:..Z$")))
		and (map(select(.operation == "off" and .kind == "device") | .off_proven) == [true, true])' <<<"$output"
	run -0 holdfast fence history --json 'node[5-6]'
	jq -es 'length == 2 and all(.target == "node6")' <<<"$output"
	run -0 holdfast fence history --json --last 3
	jq -es 'length == 3 and .[0].target == "node1" and .[0].operation == "on" and .[2].target == "node6"' <<<"$output"
	run -0 holdfast fence history gone
	[ "$output" = "no record" ]
	echo '{"torn' >>history.jsonl
	run -0 --separate-stderr holdfast fence history --json
	[[ $stderr == *"1 damaged line"* ]]
	[ "${#lines[@]}" -eq 6 ]
}

@test "a history that cannot be written is told, and fencing goes on" {
	sed -i 's|^FENCE_HISTORY .*|FENCE_HISTORY /proc/nowhere/history|' holdfast.conf
	run -0 --separate-stderr holdfast fence off node1
	[[ $output == "node1  off, proven"* ]]
	[[ $stderr == *"the history was not written: "* ]]
}

# ---- agents ----

@test "agents: text and JSON, good and bad metadata" {
	write_agent fence_fine 'exit 1'
	printf '#!/bin/sh\necho "<resource-agent"\n' >agents/fence_torn
	printf '#!/bin/sh\nexit 3\n' >agents/fence_fails
	chmod 755 agents/*
	run -0 holdfast fence agents
	[[ ${lines[0]} == "AGENT "*CLASS*PATH*METADATA ]]
	grep -qE "^fence_testing +testing +$HOLDFAST_BIN/fence_testing +ok$" <<<"$output"
	grep -qE "^fence_fine +- +$PWD/agents/fence_fine +ok$" <<<"$output"
	grep -qE "^fence_torn +- +$PWD/agents/fence_torn +[a-z]" <<<"$output"
	run -1 grep -E "^fence_(torn|fails) .* ok$" <<<"$output"
	run -0 holdfast fence agents --json
	jq -es 'map({ (.agent): . }) | add | .fence_fine.valid and (.fence_fine.native | not)
		and .fence_testing.native and (.fence_testing.actions | index("probe"))
		and (.fence_torn.valid | not) and .fence_torn.problem != ""' <<<"$output"
}

# ---- output ----

@test "no colour and no progress without a terminal" {
	local esc=$'\033'
	for sub in 'status -a' 'off -a' 'test -a' list agents history; do
		# shellcheck disable=SC2086
		run holdfast fence $sub
		[[ $output != *"$esc"* && $output != *$'\r'* ]]
	done
}

@test "on a terminal: colour and progress; --no-color, NO_COLOR" {
	local esc=$'\033'
	run -0 script -qec 'holdfast fence off node1 node6' typed
	grep -q "$esc\[32m" typed
	grep -q '2 of 2 done, 0 failed, 0 running' typed
	run -0 script -qec 'holdfast fence off --no-color node1 node6' typed
	run -1 grep -qE "$esc\[[0-9;]*m" typed
	NO_COLOR=1 run -0 script -qec 'holdfast fence off node1 node6' typed
	run -1 grep -qE "$esc\[[0-9;]*m" typed
	# One target needs no progress.
	run -0 script -qec 'holdfast fence off node1' typed
	run -1 grep -q 'running' typed
}

@test "output that cannot be written is exit status 1, whatever was done" {
	local sub
	for sub in --help 'fence list' 'fence list --json' 'fence off node1' 'fence off --json node1' \
		'fence history' 'fence agents' 'fence off -n node1'; do
		# shellcheck disable=SC2086
		run -1 bash -c "holdfast $sub >/dev/full"
		[[ $output == *"the output could not be written: No space left on device"* ]]
		run -1 bash -c "holdfast $sub >&-"
		[[ $output == *"the output could not be written: "* ]]
	done
	run -0 holdfast fence list 2>/dev/full
}

@test "a reader that goes away is exit status 1, not a signal" {
	mkfifo pipe
	# Both ends, so that the next one opens without waiting; then the reader is closed.
	exec 7<>pipe
	exec 8>pipe
	exec 7<&-
	run -1 bash -c 'holdfast fence list >&8'
	exec 8>&-
	[[ $output == *"the output could not be written: Broken pipe"* ]]
}

@test "signals cancel: children end, the power is unknown, exit status 1" {
	# shellcheck disable=SC2016
	write_agent fence_hang 'echo $$ >'"$PWD"'/hang.pid; sleep 1000 & wait'
	write_conf_for fence_hang
	holdfast fence off n1 -c fence_hang.conf --json >out 2>err &
	holdfast_pid=$!
	for _ in $(seq 200); do
		[ ! -s hang.pid ] || break
		read -rt 0.05 <> <(:) || true
	done
	kill -TERM "$holdfast_pid"
	status=0
	wait "$holdfast_pid" || status=$?
	[ "$status" -eq 1 ]
	jq -e '.cause == "cancelled" and .state == "unknown" and (.ok | not)' out
	grep -q cancelled err
	pid=$(cat hang.pid)
	[ ! -e "/proc/$pid" ] || [ "$(awk '{ print $3 }' "/proc/$pid/stat")" = Z ]
}
