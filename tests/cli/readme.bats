#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# readme.bats - the README is true: its transcript is what the demo prints, its commands run, its
# configuration is one.

bats_require_minimum_version 1.5.0

setup() {
	root=$BATS_TEST_DIRNAME/../..
	readme=$root/README.md
	PATH=$HOLDFAST_BIN:$PATH
}

# What differs from run to run: ports, durations, dates, temporary folders, process numbers, and the
# machine and terminal it runs on.
normalise() {
	sed -E -e 's/-p [0-9]{4,5}/-p PORT/; s/127\.0\.0\.1:[0-9]+/127.0.0.1:PORT/' \
		-e 's/ [0-9.]+ s( |$)/ T s\1/g; s/\([0-9]+ s ago\)/(T s ago)/' \
		-e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}/DATE/g; s/[0-9]{2}:[0-9]{2}:[0-9]{2}/TIME/g' \
		-e 's/[A-Za-z0-9.-]+\[[0-9]+\]/NAME[PID]/g; s/(asked by +)[^,]+, process [0-9]+/\1NAME, process PID/' \
		-e 's/request( +)[0-9a-f]{16}/request\1ID/; s/by [^ ]+ on [^ ]+$/by NAME on TTY/' \
		-e 's/ +/ /g'
}

# The fenced blocks of language $1, one after the other.
blocks() {
	awk -v open="^\`\`\`$1\$" '/^```/ { if (on) { on = 0; next } if ($0 ~ open) { on = 1; next } } on' "$readme"
}

@test "the transcript is what the demo prints" {
	blocks console | normalise >"$BATS_TEST_TMPDIR/readme"
	(cd "$root" && tests/demo/demo.sh) 3>&- | sed 1d | normalise >"$BATS_TEST_TMPDIR/demo"
	diff "$BATS_TEST_TMPDIR/readme" "$BATS_TEST_TMPDIR/demo"
}

@test "the commands of the tour run" {
	cd "$BATS_TEST_TMPDIR"
	blocks sh >commands
	[ -s commands ]
	run -0 bash -ex commands
}

@test "the configuration is one" {
	blocks conf >"$BATS_TEST_TMPDIR/conf"
	chmod 600 "$BATS_TEST_TMPDIR/conf"
	run -0 holdfast fence -c "$BATS_TEST_TMPDIR/conf" list
	[[ $output == *node1* ]]
}

@test "nothing is left to be filled in" {
	run ! grep -nE '^[A-Z]{4,}$' "$readme"
}

@test "every file that the README names is there" {
	local file
	for file in $(grep -oE '\]\([^)#]+\)' "$readme" | tr -d '()]'); do
		[[ $file == http* ]] || [ -e "$root/$file" ]
	done
}
