# SPDX-License-Identifier: GPL-2.0-or-later
#
# Makefile - the whole build: one file, no recursion into folders. `make help` lists the targets.
#
#   SAN=1     ASan and UBSan, into build-san/ instead of build/
#   CC=clang  another compiler; a change of compiler or flags rebuilds what it touches
#   B=DIR     build into DIR
#   V=1       show the commands
#
# A library is the .c files of a folder:            $(call library,NAME,FOLDER,LIBRARIES,PACKAGES)
# A program is the .c files of a folder:            $(call program,NAME,FOLDER,LIBRARIES,PACKAGES)
# LIBRARIES are names of libraries of this file, PACKAGES those of pkg-config (-lNAME for one that
# pkg-config does not know); both are inherited by whoever uses the library. Sources are found by
# wildcard: a new .c file needs no edit here.

VERSION := 0.1.0
# Of this version; it stands in the manuals that agents print.
DATE := 2026-11-21
SDK_SONAME := libholdfast-agent.so.0
SDK_REAL := libholdfast-agent.so.$(VERSION)
WATCHDOG_SONAME := libholdfast-watchdog.so.0
WATCHDOG_REAL := libholdfast-watchdog.so.$(VERSION)

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR ?= $(PREFIX)/share
UNITDIR ?= $(PREFIX)/lib/systemd/system

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

# ---- compiler and flags --------------------------------------------------------------------------

ifeq ($(origin CC),default)
CC := gcc
endif
PKG_CONFIG ?= pkg-config
Q := $(if $(V),,@)

# Which build: plain, sanitized, or for libFuzzer (used by `make fuzz` alone).
VARIANT := $(if $(filter 1,$(FUZZ_BUILD)),fuzz,$(if $(filter 1,$(SAN)),san,plain))
B := $(if $(filter plain,$(VARIANT)),build,build-$(VARIANT))

# The result of a command, run once and only when something needs it: on a machine without compiler
# or pkg-config, `make check` must first get as far as installing them.
once = $(if $(filter undefined,$(origin $(1))),$(eval $(1) := $(shell $(2))))$($(1))

pkg_check = $(if $(findstring MISSING,$(1)),$(error pkg-config does not know "$(2)"; run "make deps"),$(1))
pkg_cflags = $(foreach p,$(filter-out -l%,$(1)),$(call pkg_check,$(call once,PKG_CFLAGS_$p,$(PKG_CONFIG) --cflags $p || echo MISSING),$p))
pkg_libs = $(filter -l%,$(1)) $(foreach p,$(filter-out -l%,$(1)),$(call pkg_check,$(call once,PKG_LIBS_$p,$(PKG_CONFIG) --libs $p || echo MISSING),$p))

# Hardening that not every compiler or machine has.
cc_has = $(call once,CC_HAS$(1),echo 'int x;' | $(CC) -Werror $(1) -x c -c -o /dev/null - 2>&1 >/dev/null | grep -q . || echo $(1))

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
HARDENING = -fstack-protector-strong $(call cc_has,-fstack-clash-protection) $(call cc_has,-fcf-protection)

comma := ,
ifeq ($(VARIANT),plain)
CFLAGS ?= -O2 -g
VARIANT_CFLAGS = -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 $(HARDENING) -ffile-prefix-map=$(CURDIR)=.
VARIANT_LDFLAGS :=
NO_UNDEFINED := -Wl,-z,defs
else
CFLAGS ?= -O1 -g
SANITIZERS := $(if $(filter fuzz,$(VARIANT)),fuzzer-no-link$(comma),)address,undefined
VARIANT_CFLAGS = -fsanitize=$(SANITIZERS) -fno-sanitize-recover=all -fno-omit-frame-pointer
VARIANT_LDFLAGS = -fsanitize=$(SANITIZERS)
# The sanitizers' own symbols come from the program, not from a shared library.
NO_UNDEFINED :=
endif

ALL_CPPFLAGS = -D_GNU_SOURCE -DHOLDFAST_VERSION='"$(VERSION)"' -DHOLDFAST_DATE='"$(DATE)"' -I. $(CPPFLAGS)
ALL_CFLAGS = -std=gnu11 $(CFLAGS) $(WARNINGS) $(VARIANT_CFLAGS)
ALL_LDFLAGS = $(VARIANT_LDFLAGS) -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS)

# ---- rules for libraries and programs ------------------------------------------------------------

# A daemon's main lies beside the files of its library, and is no part of that.
MAINS := lockd/lockd.c
objects_of = $(patsubst %.c,$(B)/obj/%.o,$(filter-out $(MAINS),$(wildcard $(1)/*.c)))
# A library, and the libraries and packages that it needs in turn.
with_libraries = $(sort $(foreach l,$(1),$l $(call with_libraries,$(LIBRARIES_$l))))
with_packages = $(sort $(foreach l,$(call with_libraries,$(1)),$(PACKAGES_$l)))
archives_of = $(patsubst %,$(B)/lib/lib%.a,$(call with_libraries,$(1)))

define library
ALL_LIBRARIES += $(1)
LIBRARIES_$(1) := $(3)
PACKAGES_$(1) := $(4)
FOLDER_PACKAGES_$(2) := $(4)
OBJECTS += $(call objects_of,$(2))
$(B)/lib/lib$(1).a: $(call objects_of,$(2)) $(B)/.sources
endef

# Words of a program's link line beside its own folder: a library by name, an object by its
# source file, a package as pkg:NAME.
link_inputs = $(patsubst %.c,$(B)/obj/%.o,$(filter %.c,$(1))) $(call archives_of,$(filter-out %.c pkg:%,$(1)))
link_packages = $(sort $(patsubst pkg:%,%,$(filter pkg:%,$(1))) $(call with_packages,$(filter-out %.c pkg:%,$(1))))
# The SDK comes before base, of which it holds a part under the same public names.
link = $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $(filter %.o,$^) $(filter $(SDK_STATIC),$^) \
	-Wl,--start-group $(filter-out $(SDK_STATIC),$(filter %.a,$^)) -Wl,--end-group \
	$(call pkg_libs,$(1))

# A folder that is still empty makes no program.
define program
ifneq ($(call objects_of,$(2)),)
ALL_PROGRAMS += $(1)
FOLDER_PACKAGES_$(2) := $(4)
OBJECTS += $(call objects_of,$(2))
$(B)/bin/$(1): $(call objects_of,$(2)) $(call archives_of,$(3)) $(B)/.sources
	@mkdir -p $$(@D)
	@echo "  LD    $$@"
	$(Q)$$(call link,$(sort $(4) $(call with_packages,$(3))))
endif
endef

# ---- what there is to build ----------------------------------------------------------------------

$(eval $(call library,base,base,,))
$(eval $(call library,host,host,base,libuv))
$(eval $(call library,disk,host/disk,host base,libuv libiscsi -lsgutils2))
$(eval $(call library,sdk,fence-agents/sdk,host base,jansson))
$(eval $(call library,fencer,fence-agents/fencer,host base,jansson libuv libxml-2.0))
$(eval $(call library,kit,fence-agents/kit,fencer snmpdev host base,jansson libuv libxml-2.0))
$(eval $(call library,meatware,fence-agents/meatware/requests,host base,))
$(eval $(call library,snmpdev,fence-agents/snmp,base,))
$(eval $(call library,diskhb,diskhb,disk host base,libuv))
$(eval $(call library,lockd,lockd,diskhb disk watch host base,jansson libuv))
$(eval $(call library,lockdclient,lockd/client,host base,jansson))
$(eval $(call library,watch,watchdog/client,,))

# The SDK as the outside sees it (see below): one archive that needs no other.
PACKAGES_holdfast-agent := jansson

$(eval $(call program,fence_ipmi,fence-agents/ipmi,holdfast-agent base,OpenIPMI OpenIPMIposix OpenIPMIutils))
$(eval $(call program,fence_lun,fence-agents/lun,holdfast-agent disk host base,))
$(eval $(call program,fence_meatware,fence-agents/meatware,holdfast-agent meatware host base,))
$(eval $(call program,fence_pdu,fence-agents/pdu,holdfast-agent snmpdev host base,netsnmp))
$(eval $(call program,fence_pill,fence-agents/pill,holdfast-agent lockdclient host base,))
$(eval $(call program,fence_testing,fence-agents/testing,holdfast-agent host base,))
$(eval $(call program,holdfast,cli,kit fencer snmpdev meatware watch lockdclient lockd diskhb disk host base,jansson libuv blkid))

# Of lockd it takes the reservations alone.
$(B)/bin/fence_lun: $(patsubst %,$(B)/obj/lockd/pr_%.o,cdb_wire client_io core core_jobs sense_wire)

AGENTS := $(filter fence_%,$(ALL_PROGRAMS))

# Other names of an agent, each with its own metadata and manual.
PDU_LINKS := fence_ups fence_blade fence_ifmib
AGENT_LINKS := $(if $(filter fence_pdu,$(AGENTS)),$(PDU_LINKS))
DEVICES := $(wildcard fence-agents/devices/*.conf)

$(AGENT_LINKS:%=$(B)/bin/%): $(B)/bin/fence_pdu
	$(Q)ln -sf $(<F) $@

# The skeletons that `holdfast agent new` writes are compiled in, by the assembler.
$(B)/obj/fence-agents/kit/skeleton.o: $(wildcard fence-agents/kit/templates/*)

# These folders also go into the shared libraries.
$(B)/obj/base/%.o $(B)/obj/host/%.o $(B)/obj/fence-agents/sdk/%.o $(B)/obj/watchdog/client/%.o: \
	private PIC := -fPIC

# ---- the public libraries ------------------------------------------------------------------------
#
# libholdfast-agent is the SDK and what it uses of base and host, linked into one object whose
# only global names are those of the version script, so that it clashes with no name of an agent's
# author and can change inside. libholdfast-watchdog is the client of watchdogd, made in the same
# way, of libc alone.

SDK_MAP := fence-agents/sdk/holdfast-agent.map
SDK_OBJECT := $(B)/obj/holdfast-agent.o
SDK_STATIC := $(B)/lib/libholdfast-agent.a
SDK_SHARED := $(B)/lib/$(SDK_SONAME)

WATCHDOG_MAP := watchdog/client/holdfast-watchdog.map
WATCHDOG_OBJECT := $(B)/obj/holdfast-watchdog.o
WATCHDOG_STATIC := $(B)/lib/libholdfast-watchdog.a
WATCHDOG_SHARED := $(B)/lib/$(WATCHDOG_SONAME)

$(SDK_OBJECT): $(call objects_of,fence-agents/sdk) $(call archives_of,host base) $(SDK_MAP) $(B)/.sources
$(WATCHDOG_OBJECT): $(call archives_of,watch) $(WATCHDOG_MAP) $(B)/.sources

$(SDK_OBJECT) $(WATCHDOG_OBJECT):
	@echo "  LD    $@"
	$(Q)sed -n 's/^[[:space:]]*\([a-z_0-9]*\);$$/\1/p' $(filter %.map,$^) >$@.names
	$(Q)ld -r -o $@.all $$(sed 's/^/-u /' $@.names) $(filter %.o,$^) --start-group $(filter %.a,$^) --end-group
	$(Q)objcopy --keep-global-symbols=$@.names $@.all $@
	$(Q)rm -f $@.all

$(SDK_STATIC): $(SDK_OBJECT)
$(WATCHDOG_STATIC): $(WATCHDOG_OBJECT)

$(SDK_SHARED): $(SDK_OBJECT) $(SDK_MAP)
	@echo "  LD    $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(NO_UNDEFINED) -shared -Wl,-soname,$(SDK_SONAME) \
		-Wl,--version-script=$(SDK_MAP) -o $@ $(SDK_OBJECT) $(call pkg_libs,jansson)

$(WATCHDOG_SHARED): $(WATCHDOG_OBJECT) $(WATCHDOG_MAP)
	@echo "  LD    $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(NO_UNDEFINED) -shared -Wl,-soname,$(WATCHDOG_SONAME) \
		-Wl,--version-script=$(WATCHDOG_MAP) -o $@ $(WATCHDOG_OBJECT)

# ---- watchdogd -----------------------------------------------------------------------------------
#
# Linked statically: its memory is locked, so that what a shared libc never uses would be resident
# as well, and it depends on no file once it runs. The sanitizers have no static form. The same
# objects linked dynamically, tests/watchdogd, take a fake of the devices by LD_PRELOAD.

WATCHDOGD_INPUTS := $(call objects_of,watchdog) $(call archives_of,watch base)
OBJECTS += $(call objects_of,watchdog)

$(B)/bin/watchdogd $(B)/tests/watchdogd: $(WATCHDOGD_INPUTS) $(B)/.sources
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(WATCHDOGD_FORM) -o $@ $(filter %.o %.a,$^)

$(B)/bin/watchdogd: private WATCHDOGD_FORM := $(if $(filter plain,$(VARIANT)),-static-pie,-pie)
$(B)/tests/watchdogd: private WATCHDOGD_FORM := -pie

# ---- lockd ---------------------------------------------------------------------------------------

LOCKD_LIBRARIES := lockd diskhb disk watch host base
OBJECTS += $(B)/obj/lockd/lockd.o

$(B)/bin/lockd: $(B)/obj/lockd/lockd.o $(call archives_of,$(LOCKD_LIBRARIES)) $(B)/.sources
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(call link,$(call with_packages,$(LOCKD_LIBRARIES)))

# ---- objects and archives ------------------------------------------------------------------------

$(B)/obj/%.o: %.c $(B)/.flags
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(ALL_CPPFLAGS) $(call pkg_cflags,$(FOLDER_PACKAGES_$(patsubst %/,%,$(dir $<)))) \
		$(ALL_CFLAGS) $(or $(PIC),-fPIE) -MMD -MP -c -o $@ $<

$(B)/lib/%.a:
	@mkdir -p $(@D)
	@echo "  AR    $@"
	$(Q)rm -f $@
	$(Q)ar rcD $@ $(filter %.o,$^)
	$(Q)ranlib -D $@

# Two stamps, rewritten only when their content changes: the compiler with its flags, on which
# every object hangs, and the list of sources, so that a file that goes away leaves its archive.
$(B)/.flags: FORCE
	@mkdir -p $(@D)
	@{ $(CC) --version; echo '$(subst ','\'',$(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS))'; } >$@.$$$$; \
	if cmp -s $@.$$$$ $@; then rm -f $@.$$$$; else mv $@.$$$$ $@; fi

$(B)/.sources: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' $(sort $(OBJECTS)) >$@.$$$$; \
	if cmp -s $@.$$$$ $@; then rm -f $@.$$$$; else mv $@.$$$$ $@; fi

FORCE:

# ---- manual pages --------------------------------------------------------------------------------
#
# An agent's manual is made by the agent itself, from its option table.

AGENT_PAGES := $(patsubst %,$(B)/man/%.8,$(AGENTS) $(AGENT_LINKS))
WRITTEN_PAGES := $(wildcard docs/man/*.[1-8])

$(B)/man/%.8: $(B)/bin/%
	@mkdir -p $(@D)
	@echo "  MAN   $@"
	$(Q)$< -o manpage </dev/null >$@

# ---- tests ---------------------------------------------------------------------------------------
#
# A test program says in its first comment what it links: "LINK: base sdk pkg:jansson
# tests/unit/helper.c"; without that line it links base.

linked_by = $(or $(shell sed -n '1,20s,^[ /*]*LINK: *,,p' $(1)),base)

define test_program
TEST_PROGRAMS += $(B)/tests/$(notdir $(1:.c=))
OBJECTS += $(patsubst %.c,$(B)/obj/%.o,$(1) $(filter %.c,$(2)))
$(B)/tests/$(notdir $(1:.c=)): $(patsubst %.c,$(B)/obj/%.o,$(1)) $(call link_inputs,$(2))
	@mkdir -p $$(@D)
	@echo "  LD    $$@"
	$(Q)$$(call link,$(3) $(call link_packages,$(2)))
endef

UNIT_SOURCES := $(wildcard tests/unit/test_*.c)
# Device simulators and the like, for the bats suites.
HELPER_SOURCES := $(wildcard tests/agents/*.c tests/watchdog/*.c tests/lab/programs/*.c \
	tests/bench/programs/*.c)
FOLDER_PACKAGES_tests/unit := cmocka jansson libuv
FOLDER_PACKAGES_tests/agents := jansson libuv

$(foreach t,$(UNIT_SOURCES),$(eval $(call test_program,$t,$(call linked_by,$t),cmocka)))
$(foreach t,$(HELPER_SOURCES),$(eval $(call test_program,$t,$(call linked_by,$t),)))

# The adapter by which suites fake watchdog devices under $(B)/tests/watchdogd; never sanitized,
# because it comes before the sanitizers' own libraries.
WATCHDOG_FAKE := $(B)/tests/fake_watchdog.so
TEST_PROGRAMS += $(B)/tests/watchdogd $(WATCHDOG_FAKE)

$(WATCHDOG_FAKE): tests/watchdog/preload/fake_watchdog.c $(B)/.flags
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) -std=gnu11 -O1 -g $(WARNINGS) -D_GNU_SOURCE -fPIC -shared -o $@ $<

UNIT_TESTS := $(UNIT_SOURCES:tests/unit/%.c=$(B)/tests/%)
SUITES := $(wildcard tests/cli/*.bats tests/agents/*.bats tests/watchdog/*.bats tests/lockd/*.bats)
# The sanitizers add symbols of their own: layers are checked in the plain build.
LAYERING := $(if $(filter plain,$(VARIANT)),tests/lint/layering tests/lint/layering.bats)

# The targets below install what they need before anything is compiled, hence a second make.
JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
PREPARED := demo check lint fuzz bench lab

.PHONY: all deps $(PREPARED) $(PREPARED:%=run-%) install uninstall format clean help FORCE

$(PREPARED): deps
	+@$(MAKE) --no-print-directory $(JOBS) run-$@

# Sections of packages.txt; those of the lab are for the lab and for what is measured in it.
DEPS := build test
lab bench: DEPS += lab

deps:
	@tests/deps.sh $(DEPS)

all: $(patsubst %,$(B)/bin/%,$(ALL_PROGRAMS) $(AGENT_LINKS)) $(SDK_STATIC) $(SDK_SHARED) \
	$(WATCHDOG_STATIC) $(WATCHDOG_SHARED) $(B)/bin/watchdogd $(B)/bin/lockd $(AGENT_PAGES)

run-demo: all
	@HOLDFAST_BIN=$(abspath $(B)/bin) tests/demo/demo.sh

run-check: all $(TEST_PROGRAMS) $(B)/tests/watchdogd
	@CC='$(CC)' tests/run $(B) $(LAYERING) $(UNIT_TESTS) $(SUITES)

run-bench: all $(B)/tests/snmp_device $(B)/tests/beat $(B)/tests/scsi_round
	@HOLDFAST_BIN=$(abspath $(B)/bin) tests/bench/run

# LAB='PATTERN...' chooses cases, see tests/lab/run.
run-lab: all $(TEST_PROGRAMS)
	@HOLDFAST_BUILD=$(abspath $(B)) tests/lab/run $(LAB)

run-lint: all $(TEST_PROGRAMS)
	@CC='$(CC)' LINT_FLAGS='-std=gnu11 $(subst ','\'',$(ALL_CPPFLAGS)) $(call pkg_cflags,$(sort $(foreach l,$(ALL_LIBRARIES),$(PACKAGES_$l))))' \
		tests/lint/run $(B)

# ---- fuzzing -------------------------------------------------------------------------------------
#
# Everything once more, by clang, into build-fuzz/. A fuzz program names what it links in the
# same way as a test: "LINK: base fencer".

FUZZ_SECONDS ?= 20
FUZZ_SOURCES := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_PROGRAMS := $(FUZZ_SOURCES:tests/fuzz/%.c=build-fuzz/fuzz/%)

ifeq ($(VARIANT),fuzz)
define fuzz_program
OBJECTS += $(patsubst %.c,$(B)/obj/%.o,$(1) $(filter %.c,$(2)))
$(B)/fuzz/$(notdir $(1:.c=)): $(patsubst %.c,$(B)/obj/%.o,$(1)) $(call link_inputs,$(2))
	@mkdir -p $$(@D)
	@echo "  LD    $$@"
	$(Q)$$(call link,$(call link_packages,$(2))) -fsanitize=fuzzer
endef
FOLDER_PACKAGES_tests/fuzz := jansson libuv
$(foreach t,$(FUZZ_SOURCES),$(eval $(call fuzz_program,$t,$(call linked_by,$t))))
endif

run-fuzz:
	+@$(MAKE) --no-print-directory FUZZ_BUILD=1 SAN= CC=clang $(FUZZ_PROGRAMS)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run build-fuzz $(FUZZ_PROGRAMS)

# ---- install -------------------------------------------------------------------------------------

PC_FILE := $(B)/holdfast-agent.pc
WATCHDOG_PC_FILE := $(B)/holdfast-watchdog.pc
UNIT_FILE := $(B)/watchdogd.service
LOCKD_UNIT_FILE := $(B)/lockd.service
COMPLETION := cli/completion.bash
INSTALL := install -D

$(PC_FILE): fence-agents/sdk/holdfast-agent.pc.in FORCE
$(WATCHDOG_PC_FILE): watchdog/client/holdfast-watchdog.pc.in FORCE

$(UNIT_FILE): watchdog/watchdogd.service.in FORCE
$(LOCKD_UNIT_FILE): lockd/lockd.service.in FORCE

$(PC_FILE) $(WATCHDOG_PC_FILE) $(UNIT_FILE) $(LOCKD_UNIT_FILE):
	@mkdir -p $(@D)
	@sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
		-e 's|@SBINDIR@|$(SBINDIR)|' -e 's|@VERSION@|$(VERSION)|' $< >$@

INSTALLED_PAGES = $(AGENT_PAGES) $(WRITTEN_PAGES)

install: all $(PC_FILE) $(WATCHDOG_PC_FILE) $(UNIT_FILE) $(LOCKD_UNIT_FILE)
	$(INSTALL) -t $(DESTDIR)$(SBINDIR) $(AGENTS:%=$(B)/bin/%) $(B)/bin/watchdogd $(B)/bin/lockd
	$(INSTALL) -m 644 -t $(DESTDIR)$(UNITDIR) $(UNIT_FILE) $(LOCKD_UNIT_FILE)
	$(foreach l,$(AGENT_LINKS),ln -sf fence_pdu $(DESTDIR)$(SBINDIR)/$l &&) :
	$(INSTALL) -m 644 -t $(DESTDIR)$(DATADIR)/holdfast/devices $(DEVICES)
	$(INSTALL) -t $(DESTDIR)$(BINDIR) $(filter-out $(AGENTS:%=$(B)/bin/%),$(ALL_PROGRAMS:%=$(B)/bin/%))
	$(INSTALL) -m 644 -t $(DESTDIR)$(LIBDIR) $(SDK_STATIC)
	$(INSTALL) -m 644 $(SDK_SHARED) $(DESTDIR)$(LIBDIR)/$(SDK_REAL)
	ln -sf $(SDK_REAL) $(DESTDIR)$(LIBDIR)/$(SDK_SONAME)
	ln -sf $(SDK_SONAME) $(DESTDIR)$(LIBDIR)/libholdfast-agent.so
	$(INSTALL) -m 644 fence-agents/sdk/agent.h -t $(DESTDIR)$(INCLUDEDIR)/holdfast
	$(INSTALL) -m 644 base/rc.h base/power.h -t $(DESTDIR)$(INCLUDEDIR)/holdfast/base
	$(INSTALL) -m 644 -t $(DESTDIR)$(LIBDIR) $(WATCHDOG_STATIC)
	$(INSTALL) -m 644 $(WATCHDOG_SHARED) $(DESTDIR)$(LIBDIR)/$(WATCHDOG_REAL)
	ln -sf $(WATCHDOG_REAL) $(DESTDIR)$(LIBDIR)/$(WATCHDOG_SONAME)
	ln -sf $(WATCHDOG_SONAME) $(DESTDIR)$(LIBDIR)/libholdfast-watchdog.so
	$(INSTALL) -m 644 watchdog/client/watchdog.h -t $(DESTDIR)$(INCLUDEDIR)/holdfast
	$(INSTALL) -m 644 $(PC_FILE) $(WATCHDOG_PC_FILE) -t $(DESTDIR)$(LIBDIR)/pkgconfig
	$(foreach p,$(INSTALLED_PAGES),$(INSTALL) -m 644 $p -t $(DESTDIR)$(DATADIR)/man/man$(patsubst .%,%,$(suffix $p)) &&) :
	$(INSTALL) -m 644 $(COMPLETION) $(DESTDIR)$(DATADIR)/bash-completion/completions/holdfast
	$(INSTALL) -m 644 LICENSES/*.txt -t $(DESTDIR)$(DATADIR)/doc/holdfast

uninstall:
	rm -f $(patsubst %,$(DESTDIR)$(SBINDIR)/%,$(AGENTS) $(AGENT_LINKS) watchdogd lockd) $(patsubst %,$(DESTDIR)$(UNITDIR)/%.service,watchdogd lockd)
	rm -rf $(DESTDIR)$(DATADIR)/holdfast
	rm -f $(patsubst %,$(DESTDIR)$(BINDIR)/%,$(filter-out $(AGENTS),$(ALL_PROGRAMS)))
	rm -f $(addprefix $(DESTDIR)$(LIBDIR)/,libholdfast-agent.a $(SDK_REAL) $(SDK_SONAME) libholdfast-agent.so pkgconfig/holdfast-agent.pc)
	rm -f $(addprefix $(DESTDIR)$(LIBDIR)/,libholdfast-watchdog.a $(WATCHDOG_REAL) $(WATCHDOG_SONAME) libholdfast-watchdog.so pkgconfig/holdfast-watchdog.pc)
	rm -f $(foreach p,$(INSTALLED_PAGES),$(DESTDIR)$(DATADIR)/man/man$(patsubst .%,%,$(suffix $p))/$(notdir $p))
	rm -f $(DESTDIR)$(DATADIR)/bash-completion/completions/holdfast
	rm -rf $(DESTDIR)$(INCLUDEDIR)/holdfast $(DESTDIR)$(DATADIR)/doc/holdfast

format:
	find . -path './build*' -prune -o -name '*.[ch]' -print | xargs clang-format -i

clean:
	rm -rf build build-san build-fuzz

help:
	@echo 'make [all]          programs into build/bin, the SDK library into build/lib, manuals into build/man'
	@echo 'make demo           a simulated BMC fenced and proven, step by step'
	@echo 'make check          unit tests, command line and agent suites, layering'
	@echo 'make check SAN=1    the same under ASan and UBSan, in build-san'
	@echo 'make lint           clang-format, clang-tidy, cppcheck, shellcheck, layering'
	@echo 'make fuzz           every fuzz program for FUZZ_SECONDS ($(FUZZ_SECONDS)) seconds'
	@echo 'make bench          measurements against the agents of the distribution'
	@echo 'make lab            cases on real kernels in qemu (docs/lab.md); LAB=PATTERN chooses some'
	@echo 'make install        to PREFIX ($(PREFIX)) under DESTDIR; make uninstall takes it away'
	@echo 'make deps           install the Debian packages of packages.txt (demo, check, lint, fuzz,'
	@echo '                    bench, lab do so by themselves); without root it prints the command'
	@echo 'make format         clang-format on every C file'
	@echo 'make clean          remove build, build-san, build-fuzz'
	@echo 'CC=clang, SAN=1, V=1 (show commands), CFLAGS, LDFLAGS work with all of them'

-include $(sort $(OBJECTS:.o=.d))
