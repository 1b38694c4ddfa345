#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
#
# client.py - a client of watchdogd that can misbehave: client.py SOCKET MODE [ARGUMENT]...
#
#   keep NAME DEADLINE_MS EVERY_MS   register and renew; every answer becomes a line. SIGUSR1: renew
#                                    no more, but stay. SIGTERM: goodbye, and end once it is answered.
#                                    Ends as well when it is refused
#   deaf NAME DEADLINE_MS EVERY_MS   the same, but no answer is ever read
#   flood NAME COUNT                 COUNT connections that stay, each registering NAME and its number;
#                                    a line for each answer; SIGTERM ends it without goodbye
#   churn NAME COUNT                 register and say goodbye, COUNT times
#   raw HEX...                       send each as a packet on one connection, a line for each answer;
#                                    "eof" when watchdogd closes it
#   status                           the answer to QUERY, one JSON object
# Lines: "terms DEADLINE DEVICE BOUND PROOF STATE", "bye", "refused REASON TEXT; NEXT", "eof".
# The packets are put together here, apart from the project's own codec.
import json
import select
import signal
import socket
import struct
import sys
import time

REGISTER, RENEW, GOODBYE, QUERY = 1, 2, 3, 4
TERMS, BYE, REFUSED, STATUS, DEVICE, CLIENT = 64, 65, 66, 67, 68, 69


def packet(kind, body=b"", version=1):
    return struct.pack("<4sHHI", b"HFWD", version, kind, 12 + len(body)) + body


def register(name, deadline_ms):
    return packet(REGISTER, struct.pack("<32sIq", name.encode(), deadline_ms, 0))


def text(field):
    return field.split(b"\0")[0].decode()


def line(data):
    """An answer as a line."""
    if not data:
        return "eof"
    kind = struct.unpack_from("<H", data, 6)[0]
    body = data[12:]
    if kind == TERMS:
        return "terms %d %d %d %d %d" % struct.unpack("<IIIBB", body)
    if kind == BYE:
        return "bye"
    if kind == REFUSED:
        reason, _, why, following = struct.unpack("<BH192s192s", body)
        return "refused %d %s; %s" % (reason, text(why), text(following))
    return "packet %d" % kind


def say(words):
    print(words, flush=True)


def connect(path):
    link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    link.settimeout(20)
    link.connect(path)
    return link


def status(link):
    link.send(packet(QUERY))
    body = link.recv(512)[12:]
    names = ("state proof expiry standstill device_ms grain_ms pet_interval_ms pid pets latest_ms "
             "lost_lines standstill_ms device_count client_count version keeper").split()
    found = dict(zip(names, struct.unpack("<BBBBIIIIQIIIHH16sB", body)))
    found["version"] = text(found["version"])
    found["devices"], found["clients"] = [], []
    for _ in range(found["device_count"]):
        names = ("path identity proof nowayout failed counting asked_ms timeout_ms pretimeout_ms "
                 "left_ms least_left_ms").split()
        values = struct.unpack("<64s32sBBBBIIIII", link.recv(512)[12:])
        found["devices"].append(dict(zip(names, map(
            lambda value: text(value) if isinstance(value, bytes) else value, values))))
    for _ in range(found["client_count"]):
        names = "name pid uid deadline_ms left_ms least_left_ms renewals connected".split()
        values = struct.unpack("<32sIIIIIQB", link.recv(512)[12:])
        found["clients"].append(dict(zip(names, map(
            lambda value: text(value) if isinstance(value, bytes) else value, values))))
    return found


def keep(link, name, deadline_ms, every_ms, reads):
    renews, leaves = [True], [False]
    signal.signal(signal.SIGUSR1, lambda *_: renews.__setitem__(0, False))
    signal.signal(signal.SIGTERM, lambda *_: leaves.__setitem__(0, True))
    link.send(register(name, int(deadline_ms)))
    said_goodbye = False
    renew_at = time.monotonic()
    while True:
        if leaves[0] and not said_goodbye:
            link.setblocking(True)
            link.send(packet(GOODBYE))
            said_goodbye = True
        elif renews[0] and not leaves[0] and time.monotonic() >= renew_at:
            renew_at = time.monotonic() + int(every_ms) / 1000
            try:
                link.send(packet(RENEW, struct.pack("<q", 0)), socket.MSG_DONTWAIT)
            except BlockingIOError:
                say("full")
            except BrokenPipeError:
                return
        wait = max(0, renew_at - time.monotonic()) if renews[0] else 0.1
        if not select.select([link] if reads or said_goodbye else [], [], [], wait)[0]:
            continue
        answer = line(link.recv(512))
        say(answer)
        if answer in ("bye", "eof") or answer.startswith("refused"):
            return


def main(path, mode, *args):
    link = connect(path)
    if mode == "keep":
        keep(link, *args, reads=True)
    elif mode == "deaf":
        keep(link, *args, reads=False)
    elif mode == "status":
        print(json.dumps(status(link)))
    elif mode == "churn":
        for _ in range(int(args[1])):
            link.send(register(args[0], 60000))
            link.recv(512)
            link.send(packet(GOODBYE))
            link.recv(512)
    elif mode == "raw":
        for word in args:
            try:
                link.send(bytes.fromhex(word))
                answer = line(link.recv(512))
            except OSError:
                answer = "eof"
            say(answer)
        # What ends the connection is seen by one more look.
        link.settimeout(0.2)
        try:
            say("eof" if link.recv(512) == b"" else "more")
        except OSError:
            say("open")
    elif mode == "flood":
        links = []
        for number in range(int(args[1])):
            try:
                one = connect(path)
                one.send(register(args[0] + str(number), 60000))
                say(line(one.recv(512)))
                links.append(one)
            except OSError as error:
                say("eof" if error.errno else "silent")
        signal.sigwait([signal.SIGTERM])
    else:
        sys.exit("client.py: unknown mode " + mode)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except ConnectionResetError:
        if sys.argv[2] == "status":
            sys.exit(1)
        say("eof")
