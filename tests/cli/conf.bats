#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# conf.bats - the cluster file as the user meets it: where it is looked for, complaints with
# file, line and column, permissions, secrets, the examples, manuals and completion.

# stderr is set by run --separate-stderr
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	PATH=$HOLDFAST_BIN:$PATH
	unset HOLDFAST_CONF HOLDFAST_AGENT_PATH
	command -v holdfast >/dev/null || return 1
	umask 077
	write_good good.conf
}

write_good() {
	cat >"$1" <<-'CONF'
	CLUSTER_NAME demo
	FENCE_TIMEOUT 60
	FENCE_DEVICE bmc1
	  FENCE_AGENT fence_testing
	  FENCE_OPTION ip 10.0.0.7
	  FENCE_OPTION password "s3cret word"
	FENCE_DEVICE pdu-a
	  FENCE_AGENT fence_testing
	  FENCE_PARALLEL 4
	NODE_NAME node1
	  NETWORK_INTERFACE eth0
	  FENCE_LEVEL 1 bmc1
	  FENCE_LEVEL 2 pdu-a:3,4
	NODE_NAME node2
	  FENCE_LEVEL 1 "pdu-a:Outlet 5"
	CONF
}

@test "-c, then HOLDFAST_CONF, then the usual place" {
	run -0 holdfast fence list -c good.conf
	[[ $output == *node2* ]]
	HOLDFAST_CONF=good.conf run -0 holdfast fence list
	HOLDFAST_CONF=/nowhere run -0 holdfast fence list -c good.conf
	HOLDFAST_CONF=/nowhere run -2 --separate-stderr holdfast fence list
	[[ $stderr == *"/nowhere: No such file or directory; name the cluster file with -c FILE or HOLDFAST_CONF"* ]]
	HOLDFAST_CONF='' run -2 --separate-stderr holdfast fence list -c ''
	[ -e /etc/holdfast/holdfast.conf ] || {
		run -2 --separate-stderr holdfast fence list
		[[ $stderr == *"/etc/holdfast/holdfast.conf: No such file"* ]]
	}
}

@test "options may stand before the subcommand" {
	run -0 holdfast -c good.conf fence --json list
	jq -es 'length == 5' <<<"$output"
}

@test "list: text" {
	run -0 holdfast fence list -c good.conf
	[ "${lines[0]}" = "good.conf: timeout 60 s, 128 agents at once, 2 retries, tests age after 90 days, history /var/lib/holdfast/fence-history.jsonl" ]
	[ "${lines[1]}" = "DEVICE  AGENT          PARALLEL  TARGETS  OPTIONS" ]
	[ "${lines[2]}" = "bmc1    fence_testing  1         1        ip=10.0.0.7 password=(set)" ]
	[ "${lines[3]}" = "pdu-a   fence_testing  4         2" ]
	[ "${lines[5]}" = "node1   1      bmc1    -         fence_testing  10.0.0.7" ]
	[ "${lines[6]}" = "        2      pdu-a   3,4       fence_testing" ]
	[ "${lines[7]}" = "node2   1      pdu-a   Outlet 5  fence_testing" ]
}

@test "list: JSON, one object a line" {
	run -0 holdfast fence list --json -c good.conf
	jq -es '(map(.kind) == ["settings", "device", "device", "target", "target"])
		and .[0].timeout_ms == 60000
		and .[1].options == { ip: "10.0.0.7", password: "(set)" }
		and .[2].targets == 2
		and .[3].target == "node1" and (.[3].legs | map(.level) == [1, 2])
		and .[4].legs[0].plugs == "Outlet 5"' <<<"$output"
}

@test "list: warns of unused devices and of plugs that cut two targets" {
	cat >odd.conf <<-'CONF'
	FENCE_DEVICE pdu
	  FENCE_AGENT a
	FENCE_DEVICE idle
	  FENCE_AGENT a
	NODE_NAME n1
	  FENCE_LEVEL 1 pdu:3,4
	NODE_NAME n2
	  FENCE_LEVEL 1 pdu:4,5
	CONF
	run -0 holdfast fence list -c odd.conf
	[[ $output == *"WARNING: idle (line 3) is used by no target"* ]]
	[[ $output == *"WARNING: pdu:4 cuts the power of both n1 and n2"* ]]
	[[ $output != *"pdu:3 cuts"* && $output != *"pdu:5 cuts"* ]]
}

@test "errors give file, line, column, word and what was expected" {
	printf 'FENCE_DEVICE d\n  FENCE_AGNET x\n' >bad.conf
	run -2 --separate-stderr holdfast fence list -c bad.conf
	[ "$output" = "" ]
	[ "$stderr" = "holdfast fence list: bad.conf:2:3: FENCE_AGNET: unknown name, expected FENCE_AGENT" ]
	printf 'FENCE_TIMEOUT soon\n' >bad.conf
	run -2 --separate-stderr holdfast fence off n -c bad.conf
	[ "$stderr" = "holdfast fence off: bad.conf:1:15: soon: expected a whole number from 1 to 86400" ]
}

@test "errors never repeat a secret" {
	local line
	for line in 'FENCE_OPTION password "hunter2' 'FENCE_OPTION password=hunter2' \
		'FENCE_OPTION password hunter2 x' 'FENCE_OPTION password x hunter2' \
		'FENCE_OPTION password "a"hunter2' 'password hunter2' 'PASSWORD=hunter2' \
		'FENCE_OPTON password hunter2' 'FENCE_OPTION password "hunter2\x"'; do
		printf 'FENCE_DEVICE d\nFENCE_AGENT a\n%s\n' "$line" >bad.conf
		run -2 holdfast fence list -c bad.conf
		[[ $output == *bad.conf:3:* ]]
		[[ $output != *hunter2* ]]
	done
}

@test "a file with a secret that others may read is refused with the chmod to run" {
	chmod 644 good.conf
	run -2 --separate-stderr holdfast fence off node1 -c good.conf
	[ "$output" = "" ]
	[ "$stderr" = "holdfast fence off: good.conf:6:16: password: a secret in a file that others may read (mode 0644), expected mode 0600; run: chmod 600 good.conf" ]
	chmod 640 good.conf
	run -2 holdfast fence list -c good.conf
	# The very command of the message mends it.
	eval "${output##*run: }"
	run -0 holdfast fence list -c good.conf
	grep -v password good.conf >open.conf
	chmod 644 open.conf
	run -0 holdfast fence list -c open.conf
}

@test "a file that everybody may write is refused" {
	grep -v password good.conf >open.conf
	chmod 666 open.conf
	run -2 holdfast fence list -c open.conf
	[[ $output == *"run: chmod o-w open.conf" ]]
}

@test "a secret in a file of another user is refused" {
	[ "$(id -u)" -eq 0 ] || skip "needs root to give a file away"
	chown 65534 good.conf
	run -2 holdfast fence list -c good.conf
	[[ $output == *"belongs to another user (uid 65534)"*"run: chown root good.conf" ]]
}

@test "what is not a regular file is refused without waiting" {
	mkfifo pipe
	run -2 timeout 20 holdfast fence list -c pipe
	[[ $output == *"pipe: not a regular file"* ]]
	run -2 holdfast fence list -c .
}

@test "secrets appear in no output" {
	local args
	while read -ra args; do
		run holdfast fence "${args[@]}" -c good.conf
		[[ $output != *s3cret* ]] || {
			echo "holdfast fence ${args[*]}: $output"
			return 1
		}
	done <<-'LIST'
	list
	list --json
	off -a --dry-run
	off -a --dry-run --json
	test -a --dry-run --for-real
	status nobody
	history --json
	LIST
}

@test "the examples are understood" {
	local example
	for example in "$BATS_TEST_DIRNAME"/../../docs/examples/*.conf; do
		install -m 600 "$example" example.conf
		run -0 holdfast fence list -c example.conf
		[[ $output != *WARNING* ]]
	done
}

@test "the manuals have no fault" {
	cd "$BATS_TEST_DIRNAME/../../docs/man"
	run -0 mandoc -T lint -W warning ./*.[1-8]
	[ "$output" = "" ]
}

@test "the manual and the help know the same subcommands and options" {
	local man word
	man=$(mandoc -T ascii "$BATS_TEST_DIRNAME/../../docs/man/holdfast-fence.8" | col -bx)
	for word in $(holdfast fence --help | sed -n '/^Subcommands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
		grep -qE "^ +$word( |\$)" <<<"$man" || { echo "subcommand $word"; return 1; }
		for option in $(holdfast fence "$word" --help | grep -oE '^  (-.,|   ) --[a-z-]+' | grep -oE -- '--[a-z-]+'); do
			grep -qE -- "$option" <<<"$man" || { echo "option $option"; return 1; }
		done
	done
}

# What bash would offer for the words; the last one is being typed.
complete_words() {
	HOLDFAST_CONF=good.conf bash --norc -c '
		source "$1"
		shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_holdfast
		printf "%s\n" "${COMPREPLY[@]}"' bash "$BATS_TEST_DIRNAME/../../cli/completion.bash" "$@"
}

@test "completion: subcommands, options, targets" {
	[ "$(complete_words holdfast f)" = fence ]
	[ "$(complete_words holdfast fence re)" = reboot ]
	# All of them, and nothing else: what the help names.
	[ "$(complete_words holdfast fence '')" = "$(holdfast fence --help | sed -n '/^Subcommands:/,/^$/s/^  \([a-z]*\) .*/\1/p')" ]
	[[ " $(complete_words holdfast fence '' | xargs) " == *" off "*" test "* ]]
	[ "$(complete_words holdfast fence test --for)" = --for-real ]
	[ "$(complete_words holdfast fence off --for)" = "" ]
	[ "$(complete_words holdfast fence off node | xargs)" = "node1 node2" ]
	[ "$(complete_words holdfast fence off node1,nod | xargs)" = "node1,node1 node1,node2" ]
	[ "$(complete_words holdfast fence list node)" = "" ]
	cp good.conf other.conf
	sed -i 's/node2/db7/' other.conf
	[ "$(complete_words holdfast -c other.conf fence off d)" = db7 ]
	[ "$(complete_words holdfast fence off --config oth)" = other.conf ]
	[ "$(complete_words holdfast fence off --timeout 5)" = "" ]
}

@test "list: warns of a human who shares a level or has too little time" {
	cat >"$BATS_TEST_TMPDIR/human.conf" <<-EOF
		FENCE_DEVICE human
		FENCE_AGENT fence_meatware
		FENCE_DEVICE strip
		FENCE_AGENT fence_testing
		FENCE_OPTION state_file /nowhere
		NODE_NAME node1
		FENCE_LEVEL 1 human:node1 strip:1
	EOF
	run "$HOLDFAST_BIN/holdfast" fence -c "$BATS_TEST_TMPDIR/human.conf" list
	[ "$status" -eq 0 ]
	[[ $output == *"human asks a human and should have level 1 of node1 alone"* ]]
	[[ $output == *"human waits 600 s for a human, but FENCE_TIMEOUT is 120 s (node1)"* ]]
	sed -i -e 's/ strip:1//' -e '1i FENCE_TIMEOUT 900' "$BATS_TEST_TMPDIR/human.conf"
	run "$HOLDFAST_BIN/holdfast" fence -c "$BATS_TEST_TMPDIR/human.conf" list
	[[ $output != *"asks a human"* && $output != *"waits"* ]]
}
