# SPDX-License-Identifier: GPL-2.0-or-later
"""What happened when: printed as it happens, seconds from the start of the case."""

import threading

from .wires import now


class Timeline:
    """Lines of a case; `who` is a guest, net, bmc, host, or case for what the case itself does."""

    def __init__(self) -> None:
        self.start = now()
        self._lock = threading.Lock()

    def add(self, who: str, text: str, stamp: float | None = None) -> None:
        """Print a line; stamp is when it happened, now by default."""
        seconds = (now() if stamp is None else stamp) - self.start
        first, *more = text.splitlines() or [""]
        with self._lock:
            print(f"{seconds:9.3f}  {who:<6} {first}", flush=True)
            for line in more:
                print(f"{'':9}  {'':<6} {line}", flush=True)
