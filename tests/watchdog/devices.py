#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
#
# devices.py - watchdog devices that are no devices: devices.py DIR SYSFS
#
# Serves preload/fake_watchdog.c on DIR/devices.sock. Each file DIR/watchdogN makes a device; its
# lines are settings (KEY=VALUE, see DEFAULTS). Makes SYSFS/class/watchdog/watchdogN as the kernel
# does, and keeps it. A device counts down in CLOCK_BOOTTIME as its driver would, goes on when its
# last holder is gone without the magic character, and "fires" by a line in DIR/trace, where all that
# happens is written, one line each:
#   watchdog0 open | set 10 -> 12 | pet NS | left 3 | magic | disable | stopped | close
#   watchdog0 fired NS | pretimeout NS        NS: nanoseconds of CLOCK_BOOTTIME
#   sysrq b | kmsg TEXT | reboot 1234567
# Ends with its parent's stdin.
import errno
import os
import re
import select
import socket
import sys
import time

DEFAULTS = {
    "identity": "Fake hardware timer",
    "driver": "fake_wdt",
    "options": "0x8380",  # keepalive, magic close, settimeout, pretimeout
    "timeout": "60",
    "min": "1",
    "max": "600",
    "round": "1",  # a timeout becomes a multiple of it
    "set": "yes",  # no: SETTIMEOUT fails
    "left": "yes",  # no: GETTIMELEFT fails; stuck: it never falls
    "nowayout": "0",
    "busy": "no",
    "pets": "",  # so many pets work, then they fail
    "counts": "yes",  # no: it never fires
    "governors": "noop panic",
    "bootstatus": "0",
    "room": "0",  # a pretimeout makes the timeout longer by so much
}

directory, sysfs = sys.argv[1:3]
trace_file = open(os.path.join(directory, "trace"), "a", buffering=1)


def trace(text):
    trace_file.write(text + "\n")


def now():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Refused(Exception):
    pass


class Device:
    def __init__(self, name):
        self.name = name
        self.number = int(name[8:])
        self.config = dict(DEFAULTS)
        with open(os.path.join(directory, name)) as lines:
            self.config.update(line.strip().split("=", 1) for line in lines if "=" in line)
        self.timeout = int(self.config["timeout"])
        self.pretimeout = 0
        self.pets = 0
        self.petted = None  # None: it does not run
        self.fired = self.warned = self.allowed = False
        self.holder = None
        self.folder = os.path.join(sysfs, "class", "watchdog", name)
        os.makedirs(os.path.join(self.folder, "device", "driver"))
        os.symlink("/module/" + self.config["driver"],
                   os.path.join(self.folder, "device", "driver", "module"))
        with open(os.path.join(directory, "identity%d" % self.number), "w") as file:
            file.write(self.config["identity"])
        for key, value in (("dev", "247:%d" % self.number), ("identity", self.config["identity"]),
                           ("nowayout", self.config["nowayout"]),
                           ("min_timeout", self.config["min"]), ("max_timeout", self.config["max"]),
                           ("pretimeout_governor", "noop"),
                           ("pretimeout_available_governors",
                            self.config["governors"].replace(" ", "\n")),
                           ("bootstatus", self.config["bootstatus"])):
            self.tell(key, value)
        self.tell_state()

    def tell(self, key, value):
        with open(os.path.join(self.folder, key), "w") as file:
            file.write(value + "\n")

    def tell_state(self):
        self.tell("state", "active" if self.petted is not None else "inactive")
        self.tell("timeout", str(self.timeout))
        self.tell("pretimeout", str(self.pretimeout))

    def say(self, text):
        trace(self.name + " " + text)

    # ---- the countdown ----

    def restart(self):
        self.petted = now()

    def ends(self):
        if self.petted is None or self.fired or self.config["counts"] == "no":
            return []
        ends = [self.petted + self.timeout * 10**9]
        if self.pretimeout and not self.warned:
            ends.append(self.petted + (self.timeout - self.pretimeout) * 10**9)
        return ends

    def look(self):
        if self.petted is None or self.fired or self.config["counts"] == "no":
            return
        moment = now()
        if self.pretimeout and not self.warned and \
                moment >= self.petted + (self.timeout - self.pretimeout) * 10**9:
            self.warned = True
            self.say("pretimeout %d" % moment)
        if moment >= self.petted + self.timeout * 10**9:
            self.fired = True
            self.say("fired %d" % moment)

    # ---- calls ----

    def open(self, holder):
        if self.holder is not None or self.config["busy"] == "yes":
            raise Refused(errno.EBUSY)
        self.holder = holder
        self.allowed = False
        self.say("open")
        self.restart()
        self.tell_state()

    def release(self):
        self.holder = None
        self.say("close")
        if self.petted is None:
            return
        if self.allowed and self.config["nowayout"] == "0":
            self.stop()
        else:
            self.restart()  # the kernel does

    def stop(self):
        if self.config["nowayout"] != "0":
            raise Refused(errno.EBUSY)
        self.petted = None
        self.say("stopped")
        self.tell_state()

    def pet(self):
        if self.config["pets"] and self.pets >= int(self.config["pets"]):
            self.say("pet failed")
            raise Refused(errno.EIO)
        self.pets += 1
        self.restart()
        self.say("pet %d" % self.petted)

    def write(self, text):
        self.allowed = "V" in text
        if self.allowed:
            self.say("magic")
            self.restart()
        else:
            self.pet()

    def ioctl(self, words):
        call, value = words[0], int(words[1]) if len(words) > 1 else 0
        if call == "number":
            return self.number
        if call == "support":
            return int(self.config["options"], 0)
        if call == "keepalive":
            self.pet()
        elif call == "settimeout":
            if self.config["set"] == "no":
                raise Refused(errno.EOPNOTSUPP)
            if not int(self.config["min"]) <= value <= int(self.config["max"]):
                raise Refused(errno.EINVAL)
            step = int(self.config["round"])
            self.timeout = (value + step - 1) // step * step
            self.say("set %d -> %d" % (value, self.timeout))
            self.restart()
            self.tell_state()
            return self.timeout
        elif call == "gettimeout":
            return self.timeout
        elif call == "gettimeleft":
            if self.config["left"] == "no":
                raise Refused(errno.EOPNOTSUPP)
            left = self.timeout
            if self.config["left"] == "yes":
                left = max(0, (self.petted + self.timeout * 10**9 - now()) // 10**9)
            self.say("left %d" % left)
            return left
        elif call == "setpretimeout":
            self.pretimeout = value
            self.timeout += int(self.config["room"])
            self.say("pretimeout set %d" % value)
            self.tell_state()
        elif call == "getpretimeout":
            return self.pretimeout
        elif call == "setoptions":
            self.say("disable" if value & 1 else "enable")
            self.stop()
        else:
            raise Refused(errno.ENOTTY)
        return 0


devices = {name: Device(name) for name in sorted(os.listdir(directory))
           if re.fullmatch("watchdog[0-9]+", name)}
SINKS = ("sysrq", "kmsg", "reboot")


def serve(connection, held):
    """One request of a connection. False at its end."""
    text = connection.recv(4096).decode("ascii", "replace")
    if not text:
        if held.get(connection) in devices:
            devices[held[connection]].release()
        return False
    verb, _, rest = text.partition(" ")
    try:
        value = 0
        if verb == "open":
            if rest in devices:
                devices[rest].open(connection)
            elif rest not in SINKS:
                raise Refused(errno.ENOENT)
            held[connection] = rest
        elif held[connection] in SINKS:
            trace(held[connection] + " " + rest)
        elif verb == "write":
            devices[held[connection]].write(rest)
        else:
            value = devices[held[connection]].ioctl(rest.split())
        answer = "0 %d" % value
    except Refused as refused:
        answer = "%d 0" % refused.args[0]
    try:
        connection.send(answer.encode())
    except OSError:
        pass
    return True


listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(os.path.join(directory, "devices.sock"))
listener.listen(16)
connections, held = [], {}
while True:
    ends = [end for device in devices.values() for end in device.ends()]
    wait = max(0, min(ends) - now()) / 1e9 if ends else None
    ready, _, _ = select.select([sys.stdin, listener] + connections, [], [], wait)
    for device in devices.values():
        device.look()
    if sys.stdin in ready:
        break
    for item in ready:
        if item is listener:
            connections.append(listener.accept()[0])
        elif not serve(item, held):
            connections.remove(item)
            held.pop(item, None)
            item.close()
