#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# catalog.bats - what `holdfast fence agents` says about metadata is what the schema that Debian
# ships says, for every installed agent, and for agents that misbehave when they are asked.

holdfast=$HOLDFAST_BIN/holdfast
schema=/usr/share/cluster/relaxng/metadata.rng

# "NAME 1" or "NAME 0" for each agent, as xmllint judges.
schema_verdicts() {
	local path name
	for path in /usr/sbin/fence_*; do
		name=${path##*/}
		echo action=metadata | timeout 20 "$path" >"$BATS_TEST_TMPDIR/metadata.xml" 2>/dev/null || :
		if xmllint --noout --nonet --relaxng "$schema" "$BATS_TEST_TMPDIR/metadata.xml" \
			>/dev/null 2>&1; then
			echo "$name 1"
		else
			echo "$name 0"
		fi
	done
}

@test "verdicts are the schema's for every installed agent" {
	schema_verdicts | LC_ALL=C sort >"$BATS_TEST_TMPDIR/schema"
	HOLDFAST_AGENT_PATH=/usr/sbin "$holdfast" fence agents --json |
		jq -r '"\(.agent) \(if .valid then 1 else 0 end)"' |
		LC_ALL=C sort >"$BATS_TEST_TMPDIR/ours"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/ours")" -gt 50 ]
	diff "$BATS_TEST_TMPDIR/schema" "$BATS_TEST_TMPDIR/ours"
}

@test "our own agents hold, and are known as ours" {
	for agent in "$HOLDFAST_BIN"/fence_*; do
		"$agent" -o metadata </dev/null >"$BATS_TEST_TMPDIR/metadata.xml"
		xmllint --noout --nonet --relaxng "$schema" "$BATS_TEST_TMPDIR/metadata.xml"
	done
	HOLDFAST_AGENT_PATH=$HOLDFAST_BIN "$holdfast" fence agents --json >"$BATS_TEST_TMPDIR/ours"
	[ "$(jq -s 'map(select((.valid and .native) | not)) | length' "$BATS_TEST_TMPDIR/ours")" = 0 ]
}

@test "agents that misbehave are listed with what is wrong" {
	mkdir "$BATS_TEST_TMPDIR/agents"
	cd "$BATS_TEST_TMPDIR/agents"
	printf '#!/bin/sh\nkill -SEGV $$\n' >fence_crash
	printf '#!/bin/sh\nhead -c 3000000 /dev/zero\n' >fence_flood
	printf '#!/bin/sh\n:\n' >fence_mute
	printf '#!/bin/sh\nsleep 1000 &\nexit 3\n' >fence_stray
	printf '#!/no/such/interpreter\n' >fence_broken
	chmod +x fence_*
	echo text >fence_text
	mkdir fence_folder
	HOLDFAST_AGENT_PATH=$PWD "$holdfast" fence agents --json >"$BATS_TEST_TMPDIR/ours" || :
	problem() { jq -r "select(.agent == \"$1\").problem" "$BATS_TEST_TMPDIR/ours"; }
	[[ $(problem fence_crash) == *"signal 11"* ]]
	[[ $(problem fence_flood) == *"more than 1 MiB"* ]]
	[[ $(problem fence_mute) == *"prints nothing"* ]]
	[[ $(problem fence_stray) == *"status 3"* ]]
	[[ $(problem fence_broken) == *"cannot start"* ]]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/ours")" = 5 ]
}

@test "the first folder of the path wins" {
	mkdir "$BATS_TEST_TMPDIR/first" "$BATS_TEST_TMPDIR/second"
	printf '#!/bin/sh\nexit 4\n' >"$BATS_TEST_TMPDIR/first/fence_twice"
	printf '#!/bin/sh\nexit 5\n' >"$BATS_TEST_TMPDIR/second/fence_twice"
	chmod +x "$BATS_TEST_TMPDIR"/*/fence_twice
	HOLDFAST_AGENT_PATH=$BATS_TEST_TMPDIR/first:$BATS_TEST_TMPDIR/second \
		"$holdfast" fence agents --json >"$BATS_TEST_TMPDIR/ours" || :
	[ "$(jq -r .problem "$BATS_TEST_TMPDIR/ours")" = "metadata exits with status 4" ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/ours")" = 1 ]
}
