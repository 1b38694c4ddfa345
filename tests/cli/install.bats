#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# install.bats - what `make install` puts where, and that an agent of somebody else compiles and
# runs against it, knowing nothing of this source tree.

setup_file() {
	export root=$BATS_FILE_TMPDIR/root prefix=$BATS_FILE_TMPDIR/root/usr/local
	make_in_tree install
}

# make, told the same as the make that runs the tests (SAN=1, CC=...).
make_in_tree() {
	MAKEFLAGS=${HOLDFAST_MAKEFLAGS:-} make -s -C "$BATS_TEST_DIRNAME/../.." DESTDIR="$root" \
		PREFIX=/usr/local "$@" >"$BATS_FILE_TMPDIR/make.log" 2>&1 || {
		cat "$BATS_FILE_TMPDIR/make.log"
		return 1
	}
}

setup() {
	cd "$BATS_TEST_TMPDIR"
	export PKG_CONFIG_PATH=$prefix/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
	sanitize=
	[[ $HOLDFAST_BIN != */build-san/bin ]] || sanitize=-fsanitize=address,undefined
	cat >fence_acme.c <<-'SOURCE'
	#include <holdfast/agent.h>

	static int acme_open(struct fence_ctx *ctx)
	{
		(void)ctx;
		return 0;
	}

	static int acme_get(struct fence_ctx *ctx, const char *plug, enum power_state *state)
	{
		(void)ctx;
		(void)plug;
		*state = POWER_ON;
		return rc_is_curable(RC_AUTH);
	}

	static int acme_set(struct fence_ctx *ctx, const char *plug, enum power_state state)
	{
		return fence_fail(ctx, RC_UNSUPPORTED, NULL, "cannot turn %s to %s", plug,
				  power_word(state));
	}

	static void acme_close(struct fence_ctx *ctx)
	{
		(void)ctx;
	}

	static const struct fence_option acme_options[] = {
		FENCE_STD("ip", .flags = FENCE_OPT_REQUIRED),
		{ .name = "flavour", .type = FENCE_OPT_STRING, .def = "plain", .desc = "Taste" },
		{ 0 },
	};

	static const struct fence_agent acme = {
		.abi = FENCE_AGENT_ABI,
		.name = "fence_acme",
		.device_class = FENCE_CLASS_PDU,
		.shortdesc = "Fence agent for the Acme strip",
		.longdesc = "Switches the Acme strip.",
		.vendor_url = "https://acme.example",
		.options = acme_options,
		.open = acme_open,
		.power_get = acme_get,
		.power_set = acme_set,
		.close = acme_close,
	};

	/* A name that the library uses inside must stay free for the agent. */
	int err_set(void);
	int err_set(void)
	{
		return 1;
	}

	int main(int argc, char **argv)
	{
		return fence_agent_main(&acme, argc, argv);
	}
	SOURCE
}

# Compile the agent with the libraries given.
compile() {
	# shellcheck disable=SC2046,SC2086 # lists of words
	${CC:-gcc} $sanitize -Wall -Wextra -Werror -o fence_acme fence_acme.c \
		$(pkg-config --cflags holdfast-agent) "$@"
}

check_agent() {
	run ./fence_acme -o metadata
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *'<resource-agent name="fence_acme"'* ]]
	[[ $output == *'flavour'* ]]
	run ./fence_acme -o status --ip=192.0.2.1
	[ "$status" -eq 0 ]
}

@test "every file is where it belongs" {
	for file in sbin/fence_ipmi sbin/fence_testing sbin/lockd bin/holdfast \
		lib/libholdfast-agent.a lib/libholdfast-agent.so lib/libholdfast-agent.so.0 \
		lib/pkgconfig/holdfast-agent.pc \
		lib/libholdfast-watchdog.a lib/libholdfast-watchdog.so \
		lib/libholdfast-watchdog.so.0 lib/pkgconfig/holdfast-watchdog.pc \
		include/holdfast/watchdog.h share/man/man8/watchdogd.8 share/man/man8/lockd.8 \
		share/man/man8/holdfast-watchdog.8 share/man/man3/libholdfast-watchdog.3 \
		include/holdfast/agent.h include/holdfast/base/rc.h include/holdfast/base/power.h \
		share/man/man8/fence_ipmi.8 share/man/man8/fence_testing.8 \
		share/man/man8/holdfast.8 share/bash-completion/completions/holdfast \
		share/doc/holdfast/GPL-2.0-or-later.txt; do
		[ -s "$prefix/$file" ] || { echo "not there: $file"; false; }
	done
	# Nothing outside the prefix.
	[ "$(find "$root" -type f -not -path "$prefix/*" | wc -l)" -eq 0 ]
}

@test "the installed programs run" {
	"$prefix/sbin/fence_testing" -o metadata </dev/null | xmllint --noout -
	"$prefix/bin/holdfast" --version
}

@test "no installed file names the source tree or the staging folder" {
	run grep -rlF --include='*.pc' --include='*.h' --include='*.[1-8]' -e "$root" \
		-e "$(cd "$BATS_TEST_DIRNAME/../.." && pwd)" "$prefix"
	echo "$output"
	[ "$status" -eq 1 ]
}

@test "manual pages hold" {
	for page in "$prefix"/share/man/man*/*; do
		run mandoc -T lint -W error "$page"
		echo "$output"
		[ "$status" -eq 0 ]
	done
}

@test "bash completion loads" {
	run bash -euc "source '$prefix/share/bash-completion/completions/holdfast' && complete -p holdfast"
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "an agent compiles against the shared library" {
	# shellcheck disable=SC2046 # a list of words
	compile $(pkg-config --libs holdfast-agent)
	readelf -d fence_acme | grep -q 'NEEDED.*libholdfast-agent\.so\.0'
	LD_LIBRARY_PATH=$prefix/lib check_agent
}

@test "an agent compiles against the static library, and then needs no other file of ours" {
	local libs
	libs=$(pkg-config --libs --static holdfast-agent)
	# shellcheck disable=SC2086 # a list of words
	compile ${libs/-lholdfast-agent/-l:libholdfast-agent.a}
	run readelf -d fence_acme
	[[ $output != *libholdfast* ]]
	check_agent
}

@test "uninstall takes everything away" {
	root=$BATS_TEST_TMPDIR/root
	make_in_tree install
	[ -e "$root/usr/local/bin/holdfast" ]
	make_in_tree uninstall
	run find "$root" -not -type d
	echo "$output"
	[ -z "$output" ]
}
