#!/usr/bin/python3 -SE
# SPDX-License-Identifier: GPL-2.0-or-later
"""The chassis of a guest, for ipmi_sim: chassis.py SOCKET [word...] get NAME... | set NAME N...

Hands the question to the runner, who has the guest, and prints its answer.
"""
import socket
import sys

wire = socket.socket(socket.AF_UNIX)
wire.connect(sys.argv[1])
wire.sendall((" ".join(sys.argv[2:]) + "\n").encode())
wire.shutdown(socket.SHUT_WR)
answer = b""
while data := wire.recv(4096):
    answer += data
status, _, text = answer.decode().partition("\n")
sys.stdout.write(text)
sys.exit(int(status or 1))
