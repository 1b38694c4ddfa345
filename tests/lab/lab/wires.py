# SPDX-License-Identifier: GPL-2.0-or-later
"""One thread that reads everything: consoles, channels, QMP, children.

Every line is stamped with CLOCK_MONOTONIC the moment it is read. All state that handlers change is
guarded by `changed`, a condition (its lock may be taken twice by one thread) that is notified after
each batch of input: who waits for something waits on it. Handlers run in the thread of the wires
with the lock held; they must not block.
"""

import os
import selectors
import socket
import threading
import time
from typing import Callable


def now() -> float:
    """Seconds of CLOCK_MONOTONIC."""
    return time.monotonic()


class Wires:
    """The reading thread; close() ends it."""

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self._selector = selectors.DefaultSelector()
        self._wake_out, self._wake_in = os.pipe()
        self._closing = False
        self._selector.register(self._wake_out, selectors.EVENT_READ,
                                lambda: os.read(self._wake_out, 4096))
        self._thread = threading.Thread(target=self._loop, name="wires", daemon=True)
        self._thread.start()

    def watch(self, source, on_ready: Callable[[], None]) -> None:
        """Call on_ready whenever source (a socket or descriptor) can be read."""
        with self.changed:
            self._selector.register(source, selectors.EVENT_READ, on_ready)
        self._wake()

    def forget(self, source) -> None:
        """Watch source no longer; unknown ones are no error."""
        with self.changed:
            try:
                self._selector.unregister(source)
            except (KeyError, ValueError):
                pass

    def wait(self, predicate: Callable, within: float, again: float = 1.0):
        """The first true value of predicate, asked under the lock after each change (and every
        `again` seconds); the last false one when the time is up."""
        end = now() + within
        with self.changed:
            while not (value := predicate()):
                left = end - now()
                if left <= 0:
                    break
                self.changed.wait(min(left, again))
            return value

    def close(self) -> None:
        """End the thread."""
        self._closing = True
        self._wake()
        self._thread.join()
        self._selector.close()
        os.close(self._wake_out)
        os.close(self._wake_in)

    def _wake(self) -> None:
        os.write(self._wake_in, b"!")

    def _loop(self) -> None:
        while not self._closing:
            ready = self._selector.select()
            with self.changed:
                for key, _ in ready:
                    # A handler before this one may have closed it.
                    if self._selector.get_map().get(key.fd) is key:
                        key.data()
                self.changed.notify_all()


class LineWire:
    """The lines that come out of one stream socket, each given to on_line(time, text)."""

    def __init__(self, wires: Wires, sock: socket.socket,
                 on_line: Callable[[float, str], None]) -> None:
        self._wires = wires
        self._sock = sock
        self._on_line = on_line
        self._rest = b""
        self.open = True
        wires.watch(sock, self.drain)

    def drain(self) -> None:
        """Read what is there now."""
        while self.open:
            try:
                data = self._sock.recv(65536, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            stamp = now()
            if not data:
                self.flush()
                self.close()
                return
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._on_line(stamp, line.decode(errors="replace").rstrip("\r"))

    def flush(self) -> None:
        """Take what came of an unfinished line for a line: no more of it will come."""
        if self._rest:
            rest, self._rest = self._rest, b""
            self._on_line(now(), rest.decode(errors="replace").rstrip("\r"))

    def send(self, text: str) -> bool:
        """Send one line; False when nobody is there."""
        try:
            self._sock.sendall(text.encode() + b"\n")
            return True
        except OSError:
            return False

    def close(self) -> None:
        """Close it for good."""
        if self.open:
            self.open = False
            self._wires.forget(self._sock)
            self._sock.close()
