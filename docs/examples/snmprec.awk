# SPDX-License-Identifier: GPL-2.0-or-later
#
# snmprec.awk - turn what "snmpwalk -On -Oe" prints into a recorded walk: OID|TYPE|VALUE.
#
#	snmpwalk -v 2c -c public -On -Oe ADDRESS .1.3.6.1 | awk -f snmprec.awk >device.snmprec
#
# TYPE is the number of the ASN.1 tag. Lines of kinds that no device profile reads are left out.

BEGIN {
	tag["INTEGER"] = 2
	tag["STRING"] = 4
	tag["OID"] = 6
	tag["Counter32"] = 65
	tag["Gauge32"] = 66
	tag["Timeticks"] = 67
	tag["Counter64"] = 70
}

match($0, /^\.[0-9.]+ = [A-Za-z0-9]+: /) {
	oid = substr($0, 2, index($0, " = ") - 2)
	head = substr($0, 1, RLENGTH)
	value = substr($0, RLENGTH + 1)
	sub(/^.* = /, "", head)
	sub(/: $/, "", head)
	if (!(head in tag))
		next
	if (head == "STRING")
		gsub(/^"|"$/, "", value)
	if (head == "OID")
		sub(/^\./, "", value)
	if (head == "Timeticks")
		gsub(/^\(|\).*$/, "", value)
	print oid "|" tag[head] "|" value
}
