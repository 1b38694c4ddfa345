#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# agent.bats - `holdfast agent`: the conformance kit on our agents and on bad ones, each of which
# fails in one thing, the skeletons, and the page about writing an agent, run as written.

# Marks of code in the page are no commands.
# shellcheck disable=SC2016

bats_require_minimum_version 1.5.0

setup_file() {
	export root=$BATS_FILE_TMPDIR/root
	MAKEFLAGS=${HOLDFAST_MAKEFLAGS:-} make -s -C "$BATS_TEST_DIRNAME/../.." DESTDIR="$root" \
		PREFIX=/usr/local install >"$BATS_FILE_TMPDIR/make.log" 2>&1 || {
		cat "$BATS_FILE_TMPDIR/make.log"
		return 1
	}
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	export PATH=$HOLDFAST_BIN:$PATH HOLDFAST_DEVICES=$BATS_TEST_DIRNAME/../../fence-agents/devices
	# What an author's Makefile finds once Holdfast is installed.
	export PKG_CONFIG_PATH=$root/usr/local/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
	export CFLAGS=-O1 LDFLAGS="-Wl,-rpath,$root/usr/local/lib"
	[[ $HOLDFAST_BIN != */build-san/bin ]] || CFLAGS+=" -fsanitize=address,undefined"
}

teardown() {
	local pid
	for pid in ${operator:-}; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	"$BATS_TEST_DIRNAME/../agents/bmc.sh" stop "$BATS_TEST_TMPDIR/bmc"
	for device in "$BATS_TEST_TMPDIR"/pdu*/; do
		"$BATS_TEST_DIRNAME/../agents/pdu.sh" stop "${device%/}"
	done
}

# options NAME=VALUE...: a file of options that only we can read.
options() {
	rm -f options
	(umask 077 && printf '%s\n' "$@" >options)
}

# conform AGENT [OPTION...]: with ./options, results in ./report.
conform() {
	run -"${expected:-0}" --separate-stderr holdfast agent conform "$@" --json --options-file options
	printf '%s\n' "$output" >report
	echo "$stderr"
	jq -r 'select(.verdict == "fail" or .verdict == "should") | .id + ": " + .happened' report
}

# Ids of the checks with a verdict, in one line.
with_verdict() {
	jq -r --arg v "$1" 'select(.kind == "check" and .verdict == $v) | .id' report | paste -sd' '
}

# All that could be asked was asked and answered well; what was left out is what is named.
flawless() {
	[ "$(with_verdict fail)" = "" ]
	[ "$(with_verdict should)" = "" ]
	[ "$(with_verdict skip)" = "$1" ]
	jq -es '.[-1] | .kind == "summary" and .conforms and .left == ""' report
}

# ---- our agents ----

@test "fence_testing conforms" {
	printf '1 on\n2 on\n' >plugs
	options "state_file=$PWD/plugs" plug=1 password=swordfish expect_password=swordfish
	conform fence_testing --for-real
	flawless "validate-offline argv-status device-dead device-silent sigterm off-device-dead"
	[ "$(awk '$1 == 1 || $1 == 2' plugs)" = $'1 on\n2 on' ]
}

@test "fence_ipmi conforms, on ipmi_sim" {
	"$BATS_TEST_DIRNAME/../agents/bmc.sh" start "$PWD/bmc" 1
	options ip=127.0.0.1 "ipport=$(<bmc/bmc1/port)" username=admin password=secret
	conform fence_ipmi --for-real
	flawless "argv-status input-dashes input-plug input-port plug-unknown plug-missing off-list other-plugs off-plug-unknown reboot-plug-unknown off-plug-missing"
	[ "$(<bmc/bmc1/power)" -eq 1 ]
}

@test "fence_pdu conforms, on a simulated power strip" {
	"$BATS_TEST_DIRNAME/../agents/pdu.sh" start "$PWD/pdu" apc-rpdu apc-rpdu
	options ip=127.0.0.1 "ipport=$(<pdu/port)" community=private plug=3
	conform fence_pdu --for-real
	flawless "argv-status input-dashes"
}

@test "fence_ups, fence_blade and fence_ifmib conform, on simulated devices" {
	local agent walk plug
	# Most of their time they wait for devices that the kit plays dead: all at once.
	while read -r agent walk plug; do
		mkdir "$agent"
		"$BATS_TEST_DIRNAME/../agents/pdu.sh" start "$PWD/pdu-$walk" "$walk" "$walk"
		(
			cd "$agent"
			options ip=127.0.0.1 "ipport=$(<"../pdu-$walk/port")" community=private \
				"plug=$plug" power_timeout=20
			conform "$agent" --for-real
		) >"$agent/said" 2>&1 &
	done <<-'END'
		fence_ups apc-ups 1
		fence_blade ibm-blade 1
		fence_ifmib if-mib 10101
	END
	wait
	for agent in fence_ups fence_blade fence_ifmib; do
		cat "$agent/said"
		cp "$agent/report" report
		flawless "argv-status"
		jq -es --arg agent "$agent" '.[-1] | .agent == $agent and .passed == 62' report
	done
}

# willing_operator: somebody does at once what is asked by way of ./requests.
willing_operator() {
	export HOLDFAST_CONF=$PWD/holdfast.conf
	printf 'FENCE_HISTORY %s\n' "$PWD/history.jsonl" >"$HOLDFAST_CONF"
	"$BATS_TEST_DIRNAME/../agents/willing_operator.sh" "$PWD/requests" >operator.log 2>&1 3>&- &
	operator=$!
}

@test "fence_meatware conforms, with an operator who does what is asked" {
	willing_operator
	options "dir=$PWD/requests" 'hosts=node[1-4]' plug=node1 power_timeout=20
	conform fence_meatware --for-real
	flawless "status status-output validate-offline plug-unknown plug-missing bad-credentials device-dead device-silent sigterm probe off-status off-list on-status reboot reboot-off other-plugs off-bad-credentials off-device-dead delay secret-argv secret-output"
	jq -es '.[-1].passed == 44' report
	# What was left out for want of a state says so.
	jq -es 'any(.[]; .id == "off-status" and (.happened | test("its class is \"manual\"")))' report
	# Each time somebody was asked for this machine and for no other, and in the end for on.
	jq -es 'length > 15 and all(.[]; .target == "node1" and .result == "ok") and .[-1].state == "on"' \
		history.jsonl
}

@test "no human is asked for anything without --for-real" {
	willing_operator
	options "dir=$PWD/requests" 'hosts=node[1-4]' plug=node1 power_timeout=20
	conform fence_meatware
	[ "$(with_verdict fail)$(with_verdict should)" = "" ]
	[[ " $(with_verdict skip) " == *" argv-status input-dashes input-plug input-port input-nodename input-boolean "* ]]
	jq -es '.[-1] | .conforms and .passed > 22' report
	[ ! -e history.jsonl ]
}

# ---- bad agents: each check can fail, and fails alone ----

# stub FAULT OPTION...: run the kit on the stub with that fault, results in FAULT/report.
stub() {
	local fault=$1
	shift
	mkdir "$fault"
	ln -s "$HOLDFAST_BUILD/tests/conform_stub" "$fault/fence_stub_$fault"
	printf '1 on\n2 on\noutlet1 on\n' >"$fault/store"
	(umask 077 && printf '%s\n' "state_file=$PWD/$fault/store" ip=local ipport=1 "$@" >"$fault/options")
	holdfast agent conform "$fault/fence_stub_$fault" --for-real --timeout "${patience:-8}" --json \
		--options-file "$fault/options" >"$fault/report" 2>"$fault/stderr" || true
}

# found FAULT: ids of the checks that were missed.
found() {
	jq -r 'select(.verdict == "fail" or .verdict == "should") | .id' "$1/report" | paste -sd' '
}

@test "each bad agent fails the check for its fault and no other" {
	# The check, and further names of stubs that must fail it in another way.
	local -A further=(
		[action-unknown]=action-unknown-switches
		[plug-unknown]="plug-unknown-crash plug-unknown-hang plug-unknown-longer plug-unknown-half"
		[off-plug-unknown]=off-plug-unknown-longer
		[no-stray]=no-stray-session
		[json-switching]=json-switching-reboot
	)
	local id fault at_work=0 wrong=0 i
	stub none plug=1 password=sesame-7 need_password=1
	[ "$(found none)" = "" ]
	jq -es '.[-1].conforms' none/report
	mapfile -t ids < <(jq -r 'select(.kind == "check") | .id' none/report)
	[ "${#ids[@]}" -ge 60 ]
	# The sanitizers make a start slow, and there are thousands: every fourth will do for them.
	if [[ $HOLDFAST_BIN == */build-san/bin ]]; then
		patience=15
		for i in "${!ids[@]}"; do [ $((i % 4)) -eq 0 ] || unset "ids[$i]"; done
	fi
	for id in "${ids[@]}"; do
		for fault in $id ${further[$id]:-}; do
			case $fault in
			argv-status) stub "$fault" plug=1 ;;
			plug-unknown-half) stub "$fault" plug=outlet1 password=sesame-7 need_password=1 ;;
			input-plug) stub "$fault" port=1 password=sesame-7 need_password=1 ;;
			*) stub "$fault" plug=1 password=sesame-7 need_password=1 ;;
			esac &
			[ $((at_work += 1)) -lt 10 ] || { wait; at_work=0; }
		done
	done
	wait
	for id in "${ids[@]}"; do
		for fault in $id ${further[$id]:-}; do
			[ "$(found "$fault")" = "$id" ] && continue
			echo "$fault: expected $id to be missed, found: $(found "$fault")"
			cat "$fault/stderr"
			wrong=1
		done
	done
	[ "$wrong" -eq 0 ]
}

@test "an agent of class manual must not guess, and is not asked for what it cannot know" {
	local fault
	for fault in manual status-unread reboot-unread; do
		stub "$fault" plug=1 password=sesame-7 need_password=1
		cat "$fault/stderr"
	done
	[ "$(found manual)" = "" ]
	jq -es '.[-1].conforms' manual/report
	[ "$(found status-unread)" = status-unread ]
	[ "$(found reboot-unread)" = reboot-unread ]
	[ "$(awk '$1 == 1 { print $2 }' manual/store)" = on ]
}

@test "of an agent that is not ours a second run sees whether reboot cuts the power" {
	local fault
	for fault in foreign reboot-cut; do
		stub "$fault" plug=1 password=sesame-7 need_password=1
		cat "$fault/stderr"
	done
	[ "$(found foreign)" = "" ]
	jq -es 'any(.[]; .id == "reboot-cut" and .verdict == "pass")' foreign/report
	[ "$(found reboot-cut)" = reboot-cut ]
	jq -es 'any(.[]; .id == "reboot-cut" and .verdict == "should" and
		(.happened | endswith("no off phase was seen; raise power_wait or look at the device")))' \
		reboot-cut/report
}

@test "the plug is left as it was found, or that is said" {
	printf '1 off\n' >plugs
	options "state_file=$PWD/plugs" plug=1
	conform fence_testing --for-real
	[ "$(awk '$1 == 1 { print $2 }' plugs)" = off ]
	printf '1 on\n' >plugs
	options "state_file=$PWD/plugs" plug=1 refuse_on=1 power_timeout=1
	expected=1 conform fence_testing --for-real
	jq -es '.[-1] | (.conforms | not) and (.left | test("was on before"))' report
}

@test "nothing is switched without --for-real" {
	printf '1 on\n' >plugs
	options "state_file=$PWD/plugs" plug=1 "journal=$PWD/journal"
	conform fence_testing
	[ ! -e journal ]
	[[ " $(with_verdict skip) " == *" off reboot "* || " $(with_verdict skip) " == *" off off-status "* ]]
}

@test "the table says what was run, what came and what is required" {
	printf '1 on\n' >plugs
	run -1 --separate-stderr holdfast agent conform "$HOLDFAST_BIN/fence_testing" -- \
		"state_file=$PWD/plugs" plug=1 refuse=auth
	[[ $output == *"status "*"FAIL "*"action=status on stdin: exit status 1 ("*"login refused on request"*"); required is 0 (on) or 2 (off)"* ]]
	[[ $output == *"required: status ends with 0 (on) or 2 (off)"* ]]
	[[ $output == *"fence_testing: does not conform: "*" 1 failed"* ]]
	[[ $output == *"Nothing was switched"* ]]
}

@test "options: from stdin and arguments; wrong ones are refused, secrets are guarded" {
	printf '1 on\n' >plugs
	printf '# comment\n\nstate_file=%s\n' "$PWD/plugs" >lines
	run -0 holdfast agent conform fence_testing --options-file - -- plug=1 <lines
	run -2 --separate-stderr holdfast agent conform fence_testing -- plug
	[[ $stderr == *"argument 2 is not key=value"* ]]
	run -2 --separate-stderr holdfast agent conform fence_testing -- action=off
	[[ $stderr == *"is chosen by the kit"* ]]
	printf 'plug=1\npasswd hello\n' >lines
	run -2 --separate-stderr holdfast agent conform fence_testing --options-file lines
	[[ $stderr == *"lines:2: this line is not key=value"* ]]
	[[ $stderr != *hello* ]]
	printf 'password=swordfish\n' >lines
	chmod 644 lines
	run -2 --separate-stderr holdfast agent conform fence_testing --options-file lines
	[[ $stderr == *"chmod 600"* ]]
	run -2 --separate-stderr holdfast agent conform fence_testing --for-real
	run -2 --separate-stderr holdfast agent conform fence_nonesuch
	[[ $stderr == *"no such agent is installed"* ]]
	run -2 --separate-stderr holdfast agent conform ./nonesuch
	run -2 --separate-stderr holdfast agent conform
}

@test "a secret given on the command line is not left there while the kit runs" {
	cat >fence_nosy <<-'END'
		#!/bin/bash
		tr '\0' ' ' <"/proc/$PPID/cmdline" >>"${0%/*}/seen"
		exit 1
	END
	chmod +x fence_nosy
	run -1 --separate-stderr holdfast agent conform ./fence_nosy -- plug=1 password=sesame-7
	grep -q 'fence_nosy -- plug=.* password= ' seen
	run -1 grep sesame seen
	# An argument that is wrong is no exception, and is not repeated.
	run -2 --separate-stderr holdfast agent conform ./fence_nosy -- password=sesame-7 action=off
	[[ $stderr != *sesame* ]]
	holdfast agent conform --help | grep -q 'Passwords belong in --options-file'
}

# ---- skeletons ----

@test "a skeleton in each language builds and conforms as it is" {
	local lang
	for lang in c sh python; do
		holdfast agent new "acme_$lang" --lang "$lang"
		make -C "fence_acme_$lang"
		options "state_file=$PWD/fence_acme_$lang/device" plug=node-three password=swordfish
		conform "fence_acme_$lang/fence_acme_$lang" --for-real
		[ "$(with_verdict fail)$(with_verdict should)" = "" ]
		jq -es '.[-1].conforms and .[-1].passed >= 53' report
		[ "$(sed -n 's/^node-three //p' "fence_acme_$lang/device")" = on ]
	done
}

@test "agent new: names, folders, and what is there already" {
	run -0 holdfast agent new fence_acme --lang sh --dir here --json
	[ "$(jq -r '.agent + " " + .dir + " " + (.files | join(","))' <<<"$output")" = \
		"fence_acme here fence_acme,Makefile,device,README" ]
	grep -q '^name=fence_acme$' here/fence_acme
	run -1 grep -r '@NAME@\|@SHORT@' here
	echo mine >here/fence_acme
	rm here/README
	run -2 --separate-stderr holdfast agent new acme --lang sh --dir here
	[[ $stderr == *"here/fence_acme is there already; nothing was written"* ]]
	[ "$(<here/fence_acme)" = mine ]
	[ ! -e here/README ]
	local name
	for name in Acme fence_ ../acme 'a b' 9acme acme-two ""; do
		run -2 --separate-stderr holdfast agent new "$name"
		[ -n "$stderr" ]
	done
	run -2 --separate-stderr holdfast agent new acme --lang cobol
	[[ $stderr == *"choose c, sh or python"* ]]
	run -2 holdfast agent new
}

@test "skeletons in sh and python pass their linters" {
	holdfast agent new acme --lang sh --dir sh
	command -v shellcheck >/dev/null || skip "shellcheck is not installed"
	shellcheck sh/fence_acme
	holdfast agent new acme --lang python --dir python
	python3 -W error -m py_compile python/fence_acme
}

@test "completion knows agents, languages and files" {
	complete_words() {
		bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _holdfast
			printf "%s\n" "${COMPREPLY[@]}"' bash \
			"$BATS_TEST_DIRNAME/../../cli/completion.bash" "$@"
	}
	[ "$(complete_words holdfast age)" = agent ]
	[ "$(complete_words holdfast agent c)" = conform ]
	[ "$(complete_words holdfast agent conform fence_test)" = fence_testing ]
	[ "$(complete_words holdfast agent new x --lang p)" = python ]
	[ "$(complete_words holdfast agent conform x --opt)" = --options-file ]
	touch some.conf
	[ "$(complete_words holdfast device check some)" = some.conf ]
}

# ---- the page ----

@test "docs/writing-an-agent.md works as written" {
	# The commands of the page in one script; one that must fail begins with an exclamation mark,
	# which the shell would not hold against it.
	sed -n '/^```sh$/,/^```$/{/^```/!p}' "$BATS_TEST_DIRNAME/../../docs/writing-an-agent.md" |
		sed -E 's/^! (.*)$/if \1; then echo "succeeded: \1"; exit 1; fi/' >page
	[ "$(grep -c . page)" -gt 30 ]
	bash -eu page
}
