#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# pdu.bats - every device profile: fence_pdu and its other names against simulated devices. Recorded
# walks of real ones where there are such, walks made by hand elsewhere, cross-checked by net-snmp's own
# tools.

bats_require_minimum_version 1.5.0
# shellcheck source=tests/agents/pdu.bash
source "$BATS_TEST_DIRNAME/pdu.bash"

# ---- every profile, on recorded walks ----

@test "apc-rpdu: AP7900, recorded" {
	start apc-rpdu real:nut-apc-ap7900
	outlet_works 8 1 - $A.12.3.5.1.1.4.1 1 2
	outlet_is_missing 9
	outlet_is_missing 'no such name'
}

@test "apc-masterswitch: AP7900, recorded, which has these tables too" {
	start apc-masterswitch real:nut-apc-ap7900 -r "1.3.6.1.2.1.1.2.0|6|$E.318" \
		-r "$A.4.4.2.1.3.1|2|1" -r "$A.4.4.2.1.3.2|2|2"
	outlet_works 2 1 2 $A.4.4.2.1.3.1 1 2
	outlet_is_missing 9
}

@test "raritan-px: Dominion PX DPXR8-15, recorded, all off" {
	start raritan-px real:simengine-raritan-dpxr8-15
	agent status plug=1
	[ "$status" -eq 2 ]
	agent on plug=1
	[ "$status" -eq 0 ]
	outlet_works 8 1 2 $E.13742.4.1.2.2.1.3.1 1 0
	outlet_is_missing 9
}

@test "raritan-px2: PX2, recorded, with 8 outlets on and 4 off by its sensors" {
	local row=1.3.6.1.4.1.13742.6.4.1.2.1.3.1
	start raritan-px2 real:centreon-raritan-px-12outlet -r "$row.8|2|8" -r "$row.9|2|8" \
		-r "$row.10|2|8" -r "$row.11|2|8"
	outlet_works 12 1 9 $E.13742.6.5.4.3.1.3.1.1.14 7 8
	outlet_is_missing 13
}

@test "wti-vmr: VMR-8HD20, recorded" {
	start wti-vmr real:librenms-wti-power
	outlet_works 8 1=Outlet-A1 - $E.2634.3.100.200.1.3.1 1 0
	outlet_is_missing 9
}

@test "gude: EPC 8031-3, recorded" {
	start gude real:librenms-gude-epc
	outlet_works 8 2 1 $E.28507.81.1.3.1.2.1.3.2 1 0
	outlet_is_missing 9
}

@test "lindy: Digipower SWV-1623K-24N1, recorded" {
	start lindy real:librenms-digipower
	states
	[ "$(wc -l <"$BATS_TEST_TMPDIR/states")" -eq 24 ]
	agent off plug=OutletC
	[ "$status" -eq 0 ]
	holds '.off_proven'
	[ "$(truth $E.17420.1.2.9.1.13.0)" = '"1,1,0,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"' ]
	agent on plug=3
	[ "$status" -eq 0 ]
	[ "$(truth $E.17420.1.2.9.1.13.0)" = '"1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"' ]
	outlet_is_missing 25
}

@test "sentry4: master and link, recorded" {
	start sentry4 real:sentry4-checkmk-sample
	outlet_works 2 2.1.1=CONSOLE3_POWER2 - $E.1718.4.1.8.3.1.1.2.1.1 1 2
	outlet_is_missing 3.1.1
}

@test "eaton-nlogic: EMSV0001, recorded, with 42 rows that are no outlets" {
	start eaton-nlogic real:nut-eaton-nlogic-emsv0001
	agent status plug=1
	[ "$status" -eq 0 ]
	agent off plug=1
	[ "$status" -eq 0 ]
	holds '.off_proven'
	[ "$(truth $E.534.7.1.5.2.1.1.1.1)" = 1 ]
	agent on plug=1
	[ "$status" -eq 0 ]
	agent status plug=7
	fails no-such-plug
	agent off plug=48
	fails no-such-plug
}

@test "hpe-cis: P9S18A, recorded, with 24 rows that are no outlets" {
	start hpe-cis real:nut-hpe-pdu3-cis-p9s18a
	agent status plug=1
	[ "$status" -eq 0 ]
	agent off plug=1
	[ "$status" -eq 0 ]
	holds '.off_proven'
	[ "$(truth $E.232.165.11.5.2.1.1.1.1)" = 1 ]
	agent status plug=25
	fails no-such-plug
	agent off plug=48
	fails no-such-plug
}

@test "apc-ups: Smart-UPS 1500 XLM, recorded, outlet groups" {
	start apc-ups real:simengine-apc-smartups1500xlm
	program=fence_ups
	outlet_works 3 2 - $A.1.12.1.2.1.3.2 1 2
	outlet_is_missing 4
}

# ---- every profile, on walks made by hand ----

@test "apc-masterswitch" {
	start apc-masterswitch apc-masterswitch
	outlet_works 6 1=node1-a 3=node2-a $A.4.4.2.1.3.1 1 2
	outlet_is_missing 7
}

@test "apc-ms-plus" {
	start apc-ms-plus apc-ms-plus
	outlet_works 6 1.1=node1-a 1.3=node2-a $A.6.7.1.1.5.1.1.1 1 2
	outlet_works 6 2=node1-b 5=switch $A.6.7.1.1.5.1.1.2 1 2
	outlet_is_missing 7
	outlet_is_missing 2.1
}

@test "apc-rpdu" {
	start apc-rpdu apc-rpdu
	outlet_works 48 47=node24-a 48=node24-b $A.12.3.5.1.1.4.47 1 2
	outlet_is_missing 49
}

@test "apc-rpdu2" {
	start apc-rpdu2 apc-rpdu2
	outlet_works 6 1=node1-a 3=node2-a $A.26.9.2.3.1.5.1 2 1
	outlet_is_missing 7
}

@test "apc-easy" {
	start apc-easy apc-easy
	outlet_works 6 1 3 $A.30.6.1.1.4.1 2 1
	outlet_is_missing 7
}

@test "tripplite" {
	start tripplite tripplite
	outlet_works 6 1=node1-a 3=node2-a $E.850.10.2.3.5.1.2.1.1 2 1
	outlet_is_missing 7
}

@test "tripplite-lx: a PDU, and one with a transfer switch, whose tables are elsewhere" {
	start tripplite-lx tripplite-lx-pdu
	outlet_works 6 1=node1-a 3=node2-a $E.850.1.1.3.2.3.3.1.1.4.1.1 2 1
	outlet_is_missing 7
	start tripplite-lx tripplite-lx-ats
	outlet_works 6 1=node1-a 3=node2-a $E.850.1.1.3.4.3.3.1.1.4.1.1 2 1
	outlet_is_missing 7
}

@test "eaton-managed: the device counts from 0, its front from 1" {
	start eaton-managed eaton-managed
	outlet_works 6 1=node1-a 3=node2-a $E.534.6.6.6.1.2.2.1.3.0 1 0
	outlet_is_missing 7
	outlet_is_missing 0
}

@test "eaton-pulizzi: controls are counted from 2, the first is for all" {
	start eaton-pulizzi eaton-pulizzi
	outlet_works 6 1=node1-a 3=node2-a $E.20677.2.6.3.1.0 1 2
	run ! grep "set $E.20677.2.6.2.1.0" "$dir/log"
	outlet_is_missing 7
	outlet_is_missing 0
}

@test "eaton-g3: unit 0, and unit 1" {
	start eaton-g3 eaton-g3-unit0
	outlet_works 6 1=node1-a 3=node2-a $E.534.6.6.7.6.6.1.2.0.1 1 0
	outlet_is_missing 7
	start eaton-g3 eaton-g3
	outlet_works 6 1.1=node1-a 1.3=node2-a $E.534.6.6.7.6.6.1.2.1.1 1 0
	outlet_is_missing 1.7
	outlet_is_missing 1
}

@test "eaton-nlogic" {
	start eaton-nlogic eaton-nlogic
	outlet_works 6 1=node1-a 3=node2-a $E.534.7.1.5.2.1.1.1.1 2 1
	outlet_is_missing 7
	outlet_is_missing 8
}

@test "hpe-pdu" {
	start hpe-pdu hpe-pdu
	outlet_works 6 1=node1-a 3=node2-a $E.232.165.7.5.2.1.1.0.1 2 1
	outlet_is_missing 7
}

@test "hpe-cis" {
	start hpe-cis hpe-cis
	outlet_works 6 1=node1-a 3=node2-a $E.232.165.11.5.2.1.1.1.1 2 1
	outlet_is_missing 7
	outlet_is_missing 8
}

@test "raritan-px" {
	start raritan-px raritan-px
	outlet_works 6 1=node1-a 3=node2-a $E.13742.4.1.2.2.1.3.1 1 0
	outlet_is_missing 7
}

@test "raritan-px2" {
	start raritan-px2 raritan-px2
	outlet_works 6 1=node1-a 3=node2-a $E.13742.6.4.1.2.1.3.1.1 7 8
	outlet_is_missing 7
}

@test "sentry3" {
	start sentry3 sentry3
	outlet_works 6 1=node1-a 3=node2-a $E.1718.3.2.3.1.10.1.1.1 1 0
	outlet_is_missing 7
	outlet_is_missing 2.1.1
}

@test "sentry4" {
	start sentry4 sentry4
	outlet_works 6 1=node1-a 3=node2-a $E.1718.4.1.8.3.1.1.1.1.1 1 2
	outlet_is_missing 7
}

@test "cyberpower: under two identities" {
	start cyberpower cyberpower
	outlet_works 6 1=node1-a 3=node2-a $E.3808.1.1.3.3.5.1.1.4.1 1 2
	outlet_is_missing 7
	start cyberpower cyberpower-5
	outlet_works 6 1=node1-a 3=node2-a $E.3808.1.1.3.3.5.1.1.4.1 1 2
}

@test "baytech" {
	start baytech baytech
	outlet_works 6 1=node1-a 3=node2-a $E.4779.1.3.5.3.1.3.1.1 1 0
	outlet_is_missing 7
}

@test "emerson-mpx" {
	start emerson-mpx emerson-mpx
	outlet_works 6 1.1.1=node1-a 1.1.3=node2-a $E.476.1.42.3.8.50.20.1.95.1.1.1 2 1 \
		device=emerson-mpx
	outlet_is_missing 1.1.7 device=emerson-mpx
}

@test "avocent" {
	start avocent avocent
	outlet_works 6 1=node1-a 3=node2-a $E.10418.17.2.5.5.1.5.1.1.1 2 1
	outlet_is_missing 7
}

@test "ibm-ipdu" {
	start ibm-ipdu ibm-ipdu
	outlet_works 6 1=node1-a 3=node2-a $E.2.6.223.8.2.2.1.11.1 1 0
	outlet_is_missing 7
}

@test "lindy" {
	start lindy lindy
	outlet_works 6 1=node1-a 3=node2-a $E.17420.1.2.9.1.13.0 '"1,1,0,1,0,1"' '"0,1,0,1,0,1"'
	outlet_is_missing 7
}

@test "wti-mpc" {
	start wti-mpc wti-mpc
	outlet_works 6 1=node1-a 3=node2-a $E.2634.3.100.200.1.3.1 1 0 device=wti-mpc
	outlet_is_missing 7 device=wti-mpc
}

@test "wti-vmr" {
	start wti-vmr wti-vmr
	outlet_works 6 1=node1-a 3=node2-a $E.2634.3.100.200.1.3.1 1 0
	outlet_is_missing 7
}

@test "teltronix" {
	start teltronix teltronix
	outlet_works 6 1 3 $E.23620.1.2.2.1.4.1 2 1
	outlet_is_missing 7
}

@test "gude" {
	start gude gude
	outlet_works 6 1=node1-a 3=node2-a $E.28507.81.1.3.1.2.1.3.1 1 0
	outlet_is_missing 7
}

@test "intel-modular" {
	start intel-modular intel-modular
	program=fence_blade
	outlet_works 6 1 3 $E.343.2.19.1.2.10.202.1.1.6.1 2 0
	outlet_is_missing 7
}

@test "ibm-blade" {
	start ibm-blade ibm-blade
	program=fence_blade
	outlet_works 6 1=node1-a 3=node2-a $E.2.3.51.2.22.1.5.1.1.4.1 1 0
	outlet_is_missing 7
}

@test "if-mib" {
	start if-mib if-mib
	program=fence_ifmib
	outlet_works 6 10101=GigabitEthernet0/1 10103 1.3.6.1.2.1.2.2.1.7.10101 1 2
	agent off plug=node1-a # ifAlias
	[ "$status" -eq 0 ]
	[ "$(truth 1.3.6.1.2.1.2.2.1.7.10101)" = 2 ]
	outlet_is_missing 10107
}

@test "cisco-mds" {
	start cisco-mds cisco-mds
	program=fence_ifmib
	outlet_works 6 fc1/1 fc1/3 1.3.6.1.2.1.75.1.2.2.1.1.22.0 1 2 device=cisco-mds
	outlet_is_missing fc1/7 device=cisco-mds
	outlet_is_missing fc2/1 device=cisco-mds
}

@test "apc-ups" {
	start apc-ups apc-ups
	program=fence_ups
	outlet_works 3 1=node1 3=switch $A.1.12.1.2.1.3.1 1 2
	outlet_is_missing 4
}

@test "ups-mib" {
	start ups-mib ups-mib
	program=fence_ups
	agent status plug=1
	[ "$status" -eq 0 ]
	agent off plug=1
	[ "$status" -eq 0 ]
	holds '.off_proven'
	[ "$(truth 1.3.6.1.2.1.33.1.4.1.0)" = 2 ]
	agent status plug=1
	[ "$status" -eq 2 ]
	agent on plug=1
	[ "$status" -eq 0 ]
	[ "$(truth 1.3.6.1.2.1.33.1.4.1.0)" = 3 ]
	outlet_is_missing 2
}

@test "ups-mib: a recorded UPS says that its output has no source while it carries a load: not off" {
	start ups-mib real:simengine-apc-smartups1500xlm -f ignore
	program=fence_ups
	[ "$(truth 1.3.6.1.2.1.33.1.4.1.0)" = 2 ]
	[ "$(truth 1.3.6.1.2.1.33.1.4.4.1.2.1)" = 120 ]
	[ "$(truth 1.3.6.1.2.1.33.1.4.4.1.5.1)" = 32 ]
	agent status plug=1 device=ups-mib
	[ "$status" -ne 2 ]
	agent off plug=1 device=ups-mib power_timeout=1
	[ "$status" -eq 1 ]
	holds '.state != "off" and (.off_proven | not)'
}
