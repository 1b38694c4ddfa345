#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# pr.bats - `holdfast pr` against a target of its own (tgtd), and what another client sees of it.
#
# tgt 1.0.85 has neither PREEMPT AND ABORT nor READ FULL STATUS nor APTPL, and ties registrations to
# their session; here this shows what the errors say.

bats_require_minimum_version 1.5.0

setup_file() {
	export PATH=$HOLDFAST_BIN:$PATH
	if [ "$(id -u)" -ne 0 ] || ! command -v tgtd >/dev/null; then
		export NO_TGT=1
		return
	fi
	export TGT_CONTROL=$((1000 + $$ % 30000))
	TGT_PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	export TGT_PORT
	truncate -s 4M "$BATS_FILE_TMPDIR/lun"
	tgtd -f -C "$TGT_CONTROL" --iscsi "portal=127.0.0.1:$TGT_PORT" >"$BATS_FILE_TMPDIR/tgtd.log" 2>&1 3>&- &
	export TGT_PID=$!
	wait_for tgt --op show --mode target
	tgt --op new --mode target --tid 1 -T iqn.2026-11.test.holdfast:pr
	tgt --op new --mode logicalunit --tid 1 --lun 1 -b "$BATS_FILE_TMPDIR/lun"
	tgt --op bind --mode target --tid 1 -I ALL
}

teardown_file() {
	[ -z "${TGT_PID:-}" ] || kill -9 "$TGT_PID"
	rm -f "/var/run/tgtd/socket.${TGT_CONTROL:-none}"*
}

setup() {
	[ -z "${NO_TGT:-}" ] || skip "needs root and tgtd"
	cd "$BATS_TEST_TMPDIR"
	target=iscsi://127.0.0.1:$TGT_PORT/iqn.2026-11.test.holdfast:pr
	disk=$target/1
	holdfast pr clear "$disk" --key 0x1 --register --for-real --yes
}

tgt() { tgtadm -C "$TGT_CONTROL" --lld iscsi "$@"; }

wait_for() {
	local i
	for ((i = 0; i < 200; i++)); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.05
	done
	echo "did not come: $*"
	return 1
}

# pr STATUS ARGUMENT...: JSON in ./out, messages in ./err.
# shellcheck disable=SC2154 # stderr is set by run
pr() {
	local expected=$1
	shift
	run -"$expected" --separate-stderr holdfast pr "$@" --json
	printf '%s\n' "$output" >out
	printf '%s\n' "$stderr" >err
	cat out err
}

@test "nothing registered, nothing reserved" {
	pr 0 keys "$disk"
	jq -es 'length == 1 and .[0].kind == "keys" and .[0].count == 0' out
	pr 0 reservation "$disk"
	jq -e '.held == false and .holder == null and .type == "none"' out
	run -0 holdfast pr reservation "$disk"
	[[ $output == "not reserved (generation "*")" ]]
}

@test "register: the key is read back, in both forms" {
	pr 0 register "$disk" --key 0badcafe:2:7
	jq -e 'select(.kind == "result") | .outcome == "done" and .keys == 1' out
	pr 0 keys "$disk"
	jq -es '.[0] | .key == "0x0badcafe00020007" and .cluster == "0badcafe" and .node == 2 and .incarnation == 7' out
	run -0 holdfast pr keys "$disk"
	[[ ${lines[1]} == "0x0badcafe00020007  0badcafe  2     7" ]]
}

@test "reserve: holder and type are read back, and another is told who" {
	pr 0 reserve "$disk" --key 0x11 --register --type ea
	jq -e 'select(.kind == "result") | .outcome == "done" and .holder == "0x0000000000000011" and .type == "ea"' out
	pr 1 reserve "$disk" --key 0x22 --register --nexus 2
	jq -e 'select(.kind == "result") | .outcome == "conflict" and .holder == "0x0000000000000011"' out
	grep -q 'it is held: ea by 0x0000000000000011; release or preempt that first' err
}

@test "another client is kept out as the type says" {
	# MODE SENSE of iscsi-swp is a read; TEST UNIT READY and INQUIRY are always allowed.
	iscsi-swp "$disk"
	holdfast pr reserve "$disk" --key 0x11 --register --type ea
	run iscsi-swp "$disk"
	[[ $status -ne 0 && ${output,,} == *conflict* ]]
	iscsi-inq "$disk" | grep -q DIRECT_ACCESS
	holdfast pr clear "$disk" --key 0x11 --register --for-real --yes
	iscsi-swp "$disk"
}

@test "a key that is not registered is told so" {
	pr 1 reserve "$disk" --key 0x33
	grep -q 'key 0x0000000000000033 is not registered; if it was ejected' err
	pr 1 release "$disk" --key 0x33
	pr 1 unregister "$disk" --key 0x33
	jq -e 'select(.kind == "result") | .outcome == "conflict"' out
}

@test "a registration left behind by a session is told apart" {
	pr 0 register "$disk" --key 0x11
	pr 1 reserve "$disk" --key 0x11
	grep -q 'is registered, but not by this initiator port' err
}

@test "preempt: shows, asks, ejects" {
	holdfast pr reserve "$disk" --key 0x11 --register
	pr 2 preempt "$disk" 0x11 --key 0x22 --register
	grep -q 'this ejects 0x0000000000000011 .*registered 1 times.*nothing was done, give --for-real' err
	pr 0 keys "$disk"
	jq -es 'map(select(.kind == "key").key) == ["0x0000000000000011"]' out
	# No terminal, and no --yes.
	pr 2 preempt "$disk" 0x11 --key 0x22 --register --for-real
	grep -q 'no terminal to ask on' err
	# The wrong key.
	run -1 "$BATS_TEST_DIRNAME/../agents/operator.py" "to go on: =0x22" -- holdfast pr preempt "$disk" 0x11 --key 0x22 --register --for-real
	[[ $output == *"not confirmed; nothing was done"* ]]
	pr 0 reservation "$disk"
	jq -e '.holder == "0x0000000000000011"' out
	# The right one.
	run -0 "$BATS_TEST_DIRNAME/../agents/operator.py" "to go on: =0x0000000000000011" -- holdfast pr preempt "$disk" 0x11 --key 0x22 --register --for-real
	[[ $output == *"0x0000000000000011 ejected; commands that it has under way may still land"* ]]
	pr 0 reservation "$disk"
	jq -e '.holder == "0x0000000000000022" and .type == "we-ro"' out
	pr 0 keys "$disk"
	jq -es 'map(select(.kind == "key").key) == ["0x0000000000000022"]' out
}

@test "preempt --abort: what the target lacks is not done in part" {
	holdfast pr reserve "$disk" --key 0x11 --register
	pr 1 preempt "$disk" 0x11 --key 0x22 --register --abort --for-real --yes
	grep -q 'PREEMPT AND ABORT: .*no such service action.*5/24/00' err
	jq -e 'select(.kind == "result") | .outcome == "unsupported" and .meaning == "invalid-field"' out
	pr 0 reservation "$disk"
	jq -e '.holder == "0x0000000000000011"' out
}

@test "preempt: a victim that is not there, and oneself" {
	pr 1 preempt "$disk" 0x99 --key 0x22 --register --for-real --yes
	grep -q 'key 0x0000000000000099 is not registered' err
	pr 2 preempt "$disk" 0x22 --key 0x22 --register --for-real --yes
	grep -q 'the key to eject is the one of this side' err
}

@test "clear: asks where others are" {
	holdfast pr register "$disk" --key 0x11
	pr 2 clear "$disk" --key 0x22 --register
	grep -q 'removes all 1 keys .*nothing was done' err
	run -1 "$BATS_TEST_DIRNAME/../agents/operator.py" "to go on: =7" -- holdfast pr clear "$disk" --key 0x22 --register --for-real
	run -0 "$BATS_TEST_DIRNAME/../agents/operator.py" "to go on: =1" -- holdfast pr clear "$disk" --key 0x22 --register --for-real
	pr 0 keys "$disk"
	jq -es '.[0].count == 0' out
}

@test "capabilities, and READ FULL STATUS that is not there" {
	pr 0 capabilities "$disk"
	jq -e '.persists == false and .types_told and .types == ["we", "ea", "we-ro", "ea-ro", "we-ar", "ea-ar"]' out
	pr 1 full-status "$disk"
	grep -q 'READ FULL STATUS: .*"holdfast pr keys"' err
	pr 1 register "$disk" --key 0x11 --aptpl
	grep -q 'REGISTER: .*5/24/00' err
	pr 0 keys "$disk"
	jq -es '.[0].count == 0' out
}

@test "another initiator name is another port" {
	holdfast pr register "$disk" --key 0x11
	pr 0 register "$disk" --key 0x11 --initiator iqn.2026-11.test.holdfast:other
	pr 0 keys "$disk"
	jq -es 'map(select(.kind == "key")) | length == 2' out
}

@test "wrong use touches nothing" {
	pr 2 reserve "$disk"
	grep -q 'give the key of this side with --key' err
	pr 2 reserve "$disk" --key 12
	grep -q '"12" is no reservation key; write it as 0x' err
	pr 2 reserve "$disk" --key 0x12 --type 9
	pr 2 reserve --key 0x12
	pr 2 preempt "$disk" --key 0x12
	pr 2 keys "$disk" --key 0x12
	pr 2 clear "$disk" --key 0x12 --yes
	pr 2 keys "$disk" --nexus 0
	pr 0 keys "$disk"
	jq -es '.[0].count == 0' out
}

@test "no disk, no SCSI, no target" {
	truncate -s 1M plain
	pr 1 keys "$PWD/plain"
	grep -q 'takes no SCSI commands, so it has no reservations; name a SCSI disk' err
	pr 2 keys "$target/9"
	pr 2 keys "$PWD/absent"
	pr 1 keys iscsi://127.0.0.1:1/iqn.2026-11.test.holdfast:pr/1 -t 5
	[ -s err ]
}

@test "a target that hangs: the outcome is unknown" {
	holdfast pr register "$disk" --key 0x11
	# Stopped once the session is there: the disk answers nothing any more.
	"$BATS_TEST_DIRNAME/../agents/operator.py" "to go on: =@kill -STOP $TGT_PID; echo 0x0000000000000011" -- \
		holdfast pr preempt "$disk" 0x11 --key 0x22 --for-real -t 1 >shown && status=0 || status=$?
	kill -CONT "$TGT_PID"
	cat shown
	[ "$status" -eq 1 ]
	grep -q 'sent, and not answered: the outcome is unknown' shown
	grep -q 'the outcome is unknown, and the command may act yet' shown
	run ! grep -q 'ejected;' shown
}

@test "completion knows subcommands, types and disks" {
	complete_words() {
		bash --norc -c '
			source "$1"
			shift
			COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
			_holdfast
			printf "%s\n" "${COMPREPLY[@]}"' bash "$BATS_TEST_DIRNAME/../../cli/completion.bash" "$@"
	}
	[ "$(complete_words holdfast pr full)" = full-status ]
	[ "$(complete_words holdfast pr reserve --type ea | xargs)" = "ea ea-ro ea-ar" ]
	[ "$(complete_words holdfast pr preempt --abo)" = --abort ]
	touch somefile
	[ "$(complete_words holdfast pr keys some)" = somefile ]
	[ "$(complete_words holdfast pr reserve --key 0)" = "" ]
}

@test "the manual knows every subcommand and option" {
	local man word option
	man=$(mandoc -T ascii "$BATS_TEST_DIRNAME/../../docs/man/holdfast-pr.8" | col -bx)
	for word in $(holdfast pr --help | sed -n '/^Subcommands:/,/^$/s/^  \([a-z-]*\) .*/\1/p'); do
		grep -qE "^ +$word( |\$)" <<<"$man" || { echo "subcommand $word"; return 1; }
		for option in $(holdfast pr "$word" --help | grep -oE '^  (-.,|   ) --[a-z-]+' | grep -oE -- '--[a-z-]+'); do
			[[ $option == --help || $option == --version ]] || grep -qE -- "$option" <<<"$man" || { echo "option $option"; return 1; }
		done
	done
}
