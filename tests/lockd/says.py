#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
#
# says.py - a lockd that says what it is told to: says.py SOCKET LINE...
#
# The first request of its one client is printed and answered with the lines, objects that "v" and the
# request's "id" are added to; now(MS) in them is a moment of CLOCK_BOOTTIME in nanoseconds, so many
# ms from then. The line "next" waits for the next request, which is printed too. After the last line it
# only prints what the client sends, until that ends.
import json
import re
import socket
import sys
import time


def moment(match):
    return str(time.clock_gettime_ns(time.CLOCK_BOOTTIME) + int(match[1]) * 1000000)


server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(1)
peer = server.accept()[0]
lines = peer.makefile("r")
request = lines.readline()
print(request, end="", flush=True)
for text in sys.argv[2:]:
    if text == "next":
        request = lines.readline()
        print(request, end="", flush=True)
        continue
    answer = json.loads(re.sub(r"now\((-?\d+)\)", moment, text))
    answer.update(v=1, id=json.loads(request)["id"])
    peer.sendall((json.dumps(answer) + "\n").encode())
for line in lines:
    print(line, end="", flush=True)
