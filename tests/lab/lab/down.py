# SPDX-License-Identifier: GPL-2.0-or-later
"""How a guest went down.

qemu tells that a guest reset or powered off, and when one of its watchdog devices fired, but not
which of its own ways a guest took; the last words on its console tell those apart.
"""

import re
from dataclasses import dataclass

# What a kernel says last, in the order in which it counts: a panic says more than its reboot.
LAST_WORDS = (
    ("panic", re.compile(r"Kernel panic - not syncing")),
    ("softdog", re.compile(r"softdog: Initiating system reboot")),
    ("sysrq", re.compile(r"sysrq: (Resetting|Power Off)")),
    ("halt", re.compile(r"reboot: System halted")),
    ("poweroff", re.compile(r"reboot: Power down")),
    ("reboot", re.compile(r"reboot: (Restarting system|machine restart)")),
)


@dataclass
class Down:
    """A guest went down. boot: the how manieth boot that ended."""
    time: float
    by: str
    detail: str
    boot: int

    def __str__(self) -> str:
        return f"down by {self.by}" + (f": {self.detail}" if self.detail else "")


def own_way(console: list[str]) -> tuple[str, str]:
    """(by, detail) of a guest that went down by itself, from the console of that boot."""
    for way, words in LAST_WORDS:
        for text in reversed(console):
            if words.search(text):
                return way, re.sub(r"^\[ *[\d.]+\] ", "", text)
    return "guest", "reset by itself; the console does not say why"
