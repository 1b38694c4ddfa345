# SPDX-License-Identifier: GPL-2.0-or-later
"""Stand between an initiator and a target and write down every SCSI command that passes.

What a program says about its own commands is its word; what passed here was sent. Passes everything
on as it is; a digest in the way would be noticed, because no sense could be made of the stream.
"""

import asyncio
import threading
from dataclasses import dataclass

from world import Failed, free_port, now

HEADER_BYTES = 48
SCSI_COMMAND, SCSI_RESPONSE, DATA_IN = 0x01, 0x21, 0x25
OPCODES = {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x10, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26,
           0x31, 0x32, 0x3f}
NAMES = {0x00: "TEST UNIT READY", 0x03: "REQUEST SENSE", 0x12: "INQUIRY", 0x28: "READ",
         0x88: "READ", 0x2a: "WRITE", 0x8a: "WRITE", 0x35: "SYNCHRONIZE CACHE",
         0x91: "SYNCHRONIZE CACHE", 0x89: "COMPARE AND WRITE"}
PR_IN = ("READ KEYS", "READ RESERVATION", "REPORT CAPABILITIES", "READ FULL STATUS")
PR_OUT = ("REGISTER", "RESERVE", "RELEASE", "CLEAR", "PREEMPT", "PREEMPT AND ABORT",
          "REGISTER AND IGNORE", "REGISTER AND MOVE")


@dataclass
class Command:
    """One SCSI command, and when its answer had passed."""
    session: int
    sent: float
    tag: bytes
    cdb: bytes
    answered: float = 0.0
    status: int = -1

    @property
    def name(self) -> str:
        """What the standards call it."""
        code, action = self.cdb[0], self.cdb[1] & 0x1f
        if code == 0x5e and action < len(PR_IN):
            return PR_IN[action]
        if code == 0x5f and action < len(PR_OUT):
            return PR_OUT[action]
        return NAMES.get(code, f"command {code:#x}")

    @property
    def sector(self) -> int | None:
        """The first sector of a read or write."""
        if self.cdb[0] in (0x28, 0x2a, 0x89):
            return int.from_bytes(self.cdb[2:6] if self.cdb[0] != 0x89 else self.cdb[2:10], "big")
        if self.cdb[0] in (0x88, 0x8a):
            return int.from_bytes(self.cdb[2:10], "big")
        return None


class Counter:
    """Listens on a port of its own, in a thread of its own."""

    def __init__(self, target_port: int) -> None:
        self.port = free_port()
        self.commands: list[Command] = []
        self.fault: str | None = None
        self._target_port = target_port
        self._sessions = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        if not self._ready.wait(10):
            raise Failed("the counter does not listen")

    def mark(self) -> int:
        """A place in the list, for since()."""
        return len(self.commands)

    def since(self, mark: int) -> list[Command]:
        """What has passed since then."""
        if self.fault:
            raise Failed(self.fault)
        return self.commands[mark:]

    def end(self) -> None:
        """No more; what is connected is cut off."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(
            asyncio.start_server(self._pass, "127.0.0.1", self.port))
        self._ready.set()
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _pass(self, reader, writer) -> None:
        self._sessions += 1
        session = self._sessions
        there, here = await asyncio.open_connection("127.0.0.1", self._target_port)
        ways = [asyncio.ensure_future(self._way(session, reader, here)),
                asyncio.ensure_future(self._way(session, there, writer))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        here.close()
        writer.close()

    async def _way(self, session: int, reader, writer) -> None:
        try:
            while True:
                header = await reader.readexactly(HEADER_BYTES)
                if header[0] & 0x3f not in OPCODES:
                    self.fault = f"no iSCSI: opcode {header[0]:#x}"
                data = int.from_bytes(header[5:8], "big")
                rest = header[4] * 4 + (data + 3) // 4 * 4
                whole = header + (await reader.readexactly(rest) if rest else b"")
                self._note(session, header)
                writer.write(whole)
        except (asyncio.IncompleteReadError, ConnectionError, OSError):
            pass

    def _note(self, session: int, header: bytes) -> None:
        opcode, tag = header[0] & 0x3f, header[16:20]
        if opcode == SCSI_COMMAND:
            self.commands.append(Command(session, now(), tag, header[32:48]))
        elif opcode == SCSI_RESPONSE or (opcode == DATA_IN and header[1] & 1):
            for command in reversed(self.commands):
                if command.session == session and command.tag == tag:
                    command.answered, command.status = now(), header[3]
                    break
