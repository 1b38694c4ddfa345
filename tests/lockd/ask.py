#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ask.py - a client of lockd that is no friend of it: ask.py SOCKET REQUEST...
#
# A REQUEST that begins with "{" is an object; "v" and "id" are added where it has none, and its
# lines are printed up to the final answer. Others:
#   raw:TEXT     these bytes and a newline (\\xNN escapes), then one line of answer
#   flood:N:TEXT that many times these bytes, no newline
#   rest         print all lines until the end of the connection
#   events:N     print the next N events
#   mark:FILE    make that file: connected, and about to go on
#   deaf:N       send N status requests, read nothing, until the connection is cut
# What the connection's end cuts off prints "closed".
import json
import socket
import sys

peer = socket.socket(socket.AF_UNIX)
peer.settimeout(30)
peer.connect(sys.argv[1])
lines = peer.makefile("rb")


def line():
    try:
        text = lines.readline()
    except ConnectionResetError:
        text = b""
    if not text:
        print("closed", flush=True)
        sys.exit(0)
    print(text.decode(errors="replace"), end="", flush=True)
    return json.loads(text)


def send(data):
    try:
        peer.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        pass


for number, word in enumerate(sys.argv[2:]):
    if word.startswith("{"):
        request = json.loads(word)
        request.setdefault("v", 1)
        request.setdefault("id", number)
        send(json.dumps(request).encode() + b"\n")
        while True:
            answer = line()
            if "progress" not in answer and "event" not in answer:
                break
    elif word.startswith("raw:"):
        send(word[4:].encode().decode("unicode_escape").encode("latin-1") + b"\n")
        line()
    elif word.startswith("mark:"):
        open(word[5:], "w").close()
    elif word.startswith("flood:"):
        _, count, text = word.split(":", 2)
        send(text.encode() * int(count))
        line()
    elif word == "rest":
        while True:
            line()
    elif word.startswith("events:"):
        for _ in range(int(word[7:])):
            line()
    elif word.startswith("deaf:"):
        try:
            for i in range(int(word[5:])):
                peer.sendall(b'{"v":1,"id":%d,"op":"status"}\n' % i)
        except (BrokenPipeError, ConnectionResetError):
            print("cut off")
            sys.exit(0)
        print("never cut off")
