#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# layering.bats - the layering check catches what it is there to catch: each test plants one
# violation in a copy of the tree, in folders of its own, and looks for the complaint.

setup_file() {
	export pristine=$BATS_FILE_TMPDIR/tree
	mkdir -p "$pristine"
	cp -r "$BATS_TEST_DIRNAME/../../"{Makefile,base,host,fence-agents} "$pristine"
	cd "$pristine"
	mkdir diskhb lockd fence-agents/acme fence-agents/other
	for folder in diskhb lockd fence-agents/acme fence-agents/other; do
		echo '/* SPDX-License-Identifier: GPL-2.0-or-later */' >$folder/empty.h
	done
	build
}

setup() {
	tree=$BATS_TEST_TMPDIR/tree
	cp -a "$pristine" "$tree"
	cd "$tree"
}

# Write a source file with its licence line: plant FILE LINE...
plant() {
	local file=$1 licence=GPL-2.0-or-later
	shift
	[[ $file == base/* ]] && licence=LGPL-2.1-or-later
	printf '%s\n' "/* SPDX-License-Identifier: $licence */" "$@" >"$file"
}

# Build what the check reads.
build() {
	find . -name '*_core.c' -o -name '*_core_*.c' -o -name '*_wire.c' | sed 's,^\./\(.*\)\.c$,build/obj/\1.o,' |
		xargs make -s -j2 CC=gcc build/lib/libbase.a build/lib/libholdfast-agent.so.0 >/dev/null
}

layering() {
	CC=gcc SOURCE_ROOT=$tree run "$BATS_TEST_DIRNAME/layering" build
	echo "$output"
}

@test "the tree as it is passes" {
	build
	layering
	[ "$status" -eq 0 ]
}

@test "an include from a layer above is refused" {
	plant base/up.h '#include "host/clock.h"'
	plant diskhb/side.h '#include "lockd/empty.h"'
	plant fence-agents/acme/side.h '#include "fence-agents/other/empty.h"'
	plant fence-agents/fencer/up.h '#include "fence-agents/sdk/agent.h"'
	build
	layering
	[ "$status" -ne 0 ]
	[[ $output == *'base/up.h:2: base may not use "host/clock.h"'* ]]
	[[ $output == *'diskhb/side.h:2: diskhb may not use "lockd/empty.h"'* ]]
	[[ $output == *'acme/side.h:2: fence-agents may not use "fence-agents/other/empty.h"'* ]]
	[[ $output == *'fencer/up.h:2: fence-agents/fencer may not use "fence-agents/sdk/agent.h"'* ]]
}

@test "what a layer may use is not refused" {
	plant lockd/down.h '#include "diskhb/empty.h"' '#include "base/rc.h"'
	plant fence-agents/acme/down.h '#include "fence-agents/sdk/agent.h"' \
		'#include "fence-agents/acme/empty.h"'
	build
	layering
	[ "$status" -eq 0 ]
}

@test "an include that is not written from the root is refused" {
	plant diskhb/near.h '#include "empty.h"'
	plant diskhb/far.h '#include "../base/rc.h"'
	build
	layering
	[ "$status" -ne 0 ]
	[[ $output == *'diskhb/near.h:2: "empty.h" is not written from the root'* ]]
	[[ $output == *'diskhb/far.h:2: "../base/rc.h" is not written from the root'* ]]
}

@test "a folder without a layer is refused" {
	mkdir attic
	plant attic/x.h '#include "base/rc.h"'
	build
	layering
	[ "$status" -ne 0 ]
	[[ $output == *'attic/x.h:2: no layer is known for this folder'* ]]
}

@test "a system header that is not for pure code is refused" {
	plant base/clock.h '#include <time.h>'
	build
	layering
	[ "$status" -ne 0 ]
	[[ $output == *'base/clock.h:2:#include <time.h>'* ]]
}

@test "a core that includes another core is refused" {
	plant diskhb/a_core.h
	plant diskhb/b_core.c '#include "diskhb/a_core.h"' 'int b_core_unused;'
	build
	layering
	[ "$status" -ne 0 ]
	[[ $output == *'diskhb/b_core.c:2: a core may include base/ and diskhb/b_core.h, not "diskhb/a_core.h"'* ]]
}

@test "the files of one core may use each other, and nothing else" {
	plant diskhb/a_core.h
	plant diskhb/a_core_parts.h
	plant diskhb/a_core.c '#include "diskhb/a_core.h"' '#include "diskhb/a_core_parts.h"' \
		'int hb_a_part(void);' 'int hb_a(void);' 'int hb_a(void) { return hb_a_part(); }'
	plant diskhb/a_core_part.c '#include "diskhb/a_core_parts.h"' 'int hb_a_part(void);' \
		'int hb_a_part(void) { return 1; }'
	build
	layering
	[ "$status" -eq 0 ]
	plant diskhb/b_core.h
	plant diskhb/a_core_part.c '#include "diskhb/b_core.h"' 'long time(long *);' \
		'int hb_a_part(void);' 'int hb_a_part(void) { return (int)time(0); }'
	build
	layering
	[ "$status" -ne 0 ]
	[[ $output == *'diskhb/a_core_part.c:2: a core may include base/ and diskhb/a_core.h'* ]]
	[[ $output == *'build/obj/diskhb/a_core_part.o: calls time'* ]]
}

@test "a codec that includes more than codecs is refused" {
	plant diskhb/a_wire.c '#include "diskhb/empty.h"' 'int a_wire_unused;'
	build
	layering
	[ "$status" -ne 0 ]
	[[ $output == *'diskhb/a_wire.c:2: a codec may include base/ and *_wire.h, not "diskhb/empty.h"'* ]]
}

@test "a core that needs more than libbase does not link" {
	plant diskhb/a_core.c 'int other(void);' 'int a_core(void);' 'int a_core(void) { return other(); }'
	build
	layering
	[ "$status" -ne 0 ]
	[[ $output == *'build/obj/diskhb/a_core.o does not link with libbase and libc alone'* ]]
}

@test "a core that reads the clock or a random number, or allocates, is refused" {
	plant diskhb/a_core.c 'long time(long *);' 'long random(void);' 'void *malloc(unsigned long);' \
		'void *a_core(void);' \
		'void *a_core(void) { return malloc((unsigned long)(time(0) + random())); }'
	build
	layering
	[ "$status" -ne 0 ]
	[[ $output == *'build/obj/diskhb/a_core.o: calls time'* ]]
	[[ $output == *'build/obj/diskhb/a_core.o: calls random'* ]]
	[[ $output == *'build/obj/diskhb/a_core.o: calls malloc'* ]]
}

@test "base that prints or opens a file is refused" {
	plant base/loud.c '#include <stdio.h>' 'void loud(int n);' \
		'void loud(int n) { printf("%d\n", n); (void)!fopen("x", "r"); }'
	build
	layering
	[ "$status" -ne 0 ]
	[[ $output == *'build/obj/base/loud.o: calls '*printf* ]]
	[[ $output == *'build/obj/base/loud.o: calls fopen'* ]]
}

@test "a public function that is not exported is refused" {
	echo 'int power_forgotten(int state);' >>base/power.h
	build
	layering
	[ "$status" -ne 0 ]
	[[ $output == *'power_forgotten: declared in a public header, but not exported'* ]]
}

@test "a file without its licence is refused" {
	echo 'int x;' >diskhb/bare.c
	build
	layering
	[ "$status" -ne 0 ]
	[[ $output == *'diskhb/bare.c: no line "SPDX-License-Identifier: GPL-2.0-or-later"'* ]]
}
