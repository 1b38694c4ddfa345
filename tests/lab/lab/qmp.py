# SPDX-License-Identifier: GPL-2.0-or-later
"""QMP: commands to a qemu, and its events stamped on arrival."""

import itertools
import json
import socket
from dataclasses import dataclass
from typing import Callable

from .case import CaseFailed
from .wires import LineWire, Wires

ANSWER_SECONDS = 20


@dataclass
class Event:
    """A QMP event."""
    time: float
    name: str
    data: dict


class Qmp:
    """One connection, from the moment qemu starts to its end."""

    def __init__(self, wires: Wires, sock: socket.socket, on_event: Callable[[Event], None],
                 log: Callable[[float, str], None]) -> None:
        self._wires = wires
        self._on_event = on_event
        self._log = log
        self._numbers = itertools.count()
        self._answers: dict[int, dict] = {}
        self.wire = LineWire(wires, sock, self._line)
        self.wire.send('{"execute": "qmp_capabilities", "id": -1}')

    def command(self, name: str, /, **arguments):
        """Run a command; its return value. qemu's refusal, or silence, is CaseFailed."""
        number = next(self._numbers)
        self.wire.send(json.dumps({"execute": name, "arguments": arguments, "id": number}))
        answer = self._wires.wait(lambda: self._answers.pop(number, None)
                                  or (not self.wire.open and {"gone": True}), ANSWER_SECONDS)
        if not answer:
            raise CaseFailed(f"qemu did not answer {name} within {ANSWER_SECONDS} s")
        if "return" not in answer:
            reason = answer.get("error", {}).get("desc", "qemu is gone")
            raise CaseFailed(f"qemu refused {name}: {reason}")
        return answer["return"]

    def _line(self, stamp: float, text: str) -> None:
        self._log(stamp, text)
        try:
            message = json.loads(text)
        except ValueError:
            return
        if "event" in message:
            self._on_event(Event(stamp, message["event"], message.get("data", {})))
        elif message.get("id", -1) >= 0:
            self._answers[message["id"]] = message
