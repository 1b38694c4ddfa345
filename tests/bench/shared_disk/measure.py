#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""measure.py FOLDER - what shared_disk.sh measures on this machine itself.

    1. join and lock on a fresh disk, and takeover from a dead node, beside sanlock
    2. claims of the cluster lock on a tgtd of its own: commands, time beside a TEST UNIT READY
    3. memory and idle processor time of lockd, beside sanlock

To be run in tests/watchdog/jail.sh. RUNS (20) of whatever is quick, SECONDS (30) of idleness.
"""

import os
import pathlib
import shutil
import struct
import sys
import threading
import time

sys.dont_write_bytecode = True  # nothing generated in the source folders

import ours  # noqa: E402
import sanlock  # noqa: E402
from count_iscsi import Counter  # noqa: E402
from world import (HELPERS, Failed, Target, cpu_seconds, end_all, kill, make_file,  # noqa: E402
                   median, memory_folder, now, resident_kib, run, seconds, table,
                   ticks_seconds, times, until)

RUNS = int(os.environ.get("RUNS", "20"))
SECONDS = int(os.environ.get("SECONDS_IDLE", "30"))
INTERVAL_MS = 250
ARBITERS = ("pr", "paxos")
DISK_MIB = 16
ROUNDS = 200
HEARTBEAT_S = 5
QUIET_S, PAUSE_S = 0.2, 0.02  # after a claim: nothing more comes; between two claims
COSTS = ("reads", "writes", "commands")
WATCHDOGS = 16  # devices, one for each node of all measurements
DATE = shutil.which("date")
GOAL_KIB, GOAL_CPU, GOAL_COMMANDS = 8192, 0.003, 4


def until_it_runs(run_locked) -> float:
    """From the start of the program that takes the lock to the first deed of the command."""
    begin = time.time()
    _, said = run_locked(DATE, "+%s.%N")
    return float(said.strip().splitlines()[-1]) - begin


# ---- 1. join and lock ----------------------------------------------------------------------------


class Sanlock:
    """Two hosts of it; one dies, and the other takes over while the rest is measured."""

    def __init__(self, folder: pathlib.Path) -> None:
        disk = sanlock.Disk(folder)
        self.init_s = disk.init_s
        self.hosts = [sanlock.Host(folder, disk, number) for number in (1, 2)]
        joins: list[float] = []
        threads = [threading.Thread(target=lambda host=host: joins.append(host.join()))
                   for host in self.hosts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if len(joins) != len(self.hosts):
            raise Failed("sanlock does not join")
        self.join_s = median(joins)
        self.taken_s: float | None = None
        self._fault: Exception | None = None
        self._thread: threading.Thread | None = None

    def acquire(self) -> float:
        """A free lock, until the command runs."""
        self.hosts[0].free()
        return until_it_runs(self.hosts[0].command)

    def die(self) -> None:
        """The first host dies while it has the lock."""
        self.hosts[0].free()
        holder = self.hosts[0].hold()
        died = kill(self.hosts[0].daemon)
        kill(holder)
        self._thread = threading.Thread(target=self._take_over, args=(died,), daemon=True)
        self._thread.start()

    def _take_over(self, died: float) -> None:
        try:
            self.taken_s = self.hosts[1].take_over(died)
        except Exception as fault:  # pylint: disable=broad-except
            self._fault = fault

    def end(self) -> None:
        """Wait for the takeover."""
        self._thread.join()
        if self._fault:
            raise self._fault
        self.hosts[1].end()


class Pair:
    """Two nodes of ours; then one of them dies."""

    def __init__(self, folder: pathlib.Path, watchdogs: ours.Watchdogs) -> None:
        self.watchdogs = watchdogs
        self.taker_log = folder / "taker.log"
        disk = make_file(folder / "holdfast.disk", DISK_MIB)
        self.init_s = ours.init([disk])
        self.one = ours.Node(folder, [disk], 1, watchdogs)
        self.join_s = self.one.join()
        self.two = ours.Node(folder, [disk], 2, watchdogs)
        self.second_s = self.two.join()
        self.dead_ms = self.one.status()["dead_ms"]
        self.taken_s: float | None = None
        self.reset_s: float | None = None

    def acquire(self) -> float:
        """A free lock, until the command runs."""
        return until_it_runs(self.one.lock)

    def take_over(self) -> None:
        """The first node dies while it has the lock; wait until the other has it."""
        self.one.hold()
        resets = self.watchdogs.resets()
        died = self.one.die()
        taker = self.two.lock_later(self.taker_log, DATE)
        until(lambda: self.watchdogs.resets() > resets or taker.poll() is not None, 300, "a reset")
        if self.watchdogs.resets() > resets:
            self.reset_s = now() - died
        until(lambda: taker.poll() is not None, 300, "a takeover")
        self.taken_s = now() - died
        self.two.end()


def acquire(kinds: list) -> list[float]:
    """Medians, taken in turn, so that all meet the same machine."""
    samples = [[kind() for kind in kinds] for _ in range(RUNS)]
    return [median(list(column)) for column in zip(*samples)]


def show_join_and_lock(pair: Pair, peer: Sanlock | None, acquired: list[float]) -> None:
    """The last table, because sanlock's takeover comes last."""
    bare, mine, theirs = (*acquired, None)[:3]

    def row(what, one, other):
        return [what, seconds(one), seconds(other), times(other, one)]

    table(["One disk, a file, all by its defaults", "holdfast", "sanlock", "ratio"], [
        row("prepare the disk", pair.init_s, peer and peer.init_s),
        row("join: start of the daemon, or add_lockspace", pair.join_s, peer and peer.join_s),
        row("the same, another node is there", pair.second_s, peer and peer.join_s),
        row(f"free lock, until the command runs ({RUNS} runs)", mine, theirs),
        row("the same without what the bare command takes", mine - bare, theirs and theirs - bare),
        row("takeover: from kill -9 to the command runs", pair.taken_s, peer and peer.taken_s),
        ["  and the dead node was reset after", seconds(pair.reset_s), "-", ""],
    ], [48, 12, 12, 9])
    print(f"""Locks are taken in turn by both. Takeover waits for the lease, and for a watchdog to be
sure of it (ours 10 s, theirs 60 s): ours ends {pair.dead_ms / 1000:.1f} s after the last heartbeat that was
seen. The reset is that of the dead node's watchdogd, which has no real device here.
""")


# ---- 2. claims -----------------------------------------------------------------------------------


class Cluster:
    """One LUN and two nodes on it, with a counter in between or without."""

    def __init__(self, folder: pathlib.Path, watchdogs: ours.Watchdogs, arbiter: str,
                 counted: bool) -> None:
        self.folder = folder / f"{arbiter}{'.counted' if counted else ''}"
        self.folder.mkdir()
        # In memory: a round trip to the target is to be measured, not this machine's disk.
        self.memory = make_file(memory_folder() / "lun", DISK_MIB)
        # The other unit is for the yardsticks: the first one soon takes no stranger's writes.
        self.target = Target(self.folder, [self.memory, make_file(memory_folder() / "lun", 1)])
        self.counter = Counter(self.target.port) if counted else None
        ours.init([self.target.url(1)], "--arbiter", arbiter)
        path = self.target.url(1, self.counter.port if counted else 0)
        self.nodes = [ours.Node(self.folder, [path], number, watchdogs) for number in (1, 2)]
        for node in self.nodes:
            node.join(may_claim=True)
        self.clients = [node.client() for node in self.nodes]
        self.epoch = 0

    def claim(self, node: int, members: list[int]) -> tuple[dict, float]:
        """The answer to a claim of the next epoch, and its time."""
        self.epoch += 1
        begin = now()
        answer = self.clients[node - 1].ask("claim", epoch=self.epoch, members=members,
                                            timeout_ms=20000)
        return answer, now() - begin

    def quiet(self, mark: int) -> list[str]:
        """Wait until nothing more comes of a claim, which goes on a little behind its answer; what
        the target was told for it."""
        names, since = self.commands(mark), now()
        while now() < since + QUIET_S:
            time.sleep(QUIET_S / 10)
            more = self.commands(mark)
            if len(more) > len(names):
                names, since = more, now()
        return names

    def commands(self, mark: int) -> list[str]:
        """What the arbiters had done at the target since then: what concerns their area, and all
        that is neither read nor write. A flush belongs to the write before it."""
        raw = self.memory.read_bytes()[:512]
        first, = struct.unpack_from("<Q", raw, 236)
        sector_bytes, = struct.unpack_from("<I", raw, 128)
        length, = struct.unpack_from("<I", raw, 268)
        names, last_write = [], {}
        for command in self.counter.since(mark):
            is_ours = True
            if command.sector is not None:
                is_ours = first <= command.sector * sector_bytes < first + length
            if command.name == "WRITE":
                last_write[command.session] = is_ours
            elif command.name == "SYNCHRONIZE CACHE":
                is_ours = last_write.get(command.session, False)
            if is_ours:
                names.append(command.name)
        return names

    def end(self) -> None:
        """Gone."""
        for client in self.clients:
            client.close()
        for node in self.nodes:
            node.end()
        if self.counter:
            self.counter.end()
        self.target.end()


def outcome(answer: dict) -> str:
    """In a word."""
    word = answer.get("outcome") or answer.get("error", "?")
    return f"{word}: {answer['why']}" if "why" in answer else word


def round_trips(url: str) -> list[float]:
    """One TEST UNIT READY, one write and one read, by libiscsi alone."""
    return [float(line) / 1e6 for line in run([HELPERS / "scsi_round", url, ROUNDS])[1].split()]


def count_heartbeat(cluster: Cluster) -> str:
    """What one node alone does in an interval, by the counter."""
    mark, begin = cluster.counter.mark(), now()
    time.sleep(HEARTBEAT_S)
    count = {}
    for command in cluster.counter.since(mark):
        count[command.name] = count.get(command.name, 0) + 1
    intervals = (now() - begin) * 1000 / INTERVAL_MS
    return ", ".join(f"{count[name] / intervals:.1f} {name}" for name in sorted(count))


def count_claims(folder: pathlib.Path, watchdogs: ours.Watchdogs,
                 arbiter: str) -> tuple[list[list], str]:
    """[what, outcome, commands before the answer, commands] of some claims; the heartbeat."""
    cluster = Cluster(folder, watchdogs, arbiter, counted=True)
    rows = []

    def claim(what, node, members):
        mark = cluster.counter.mark()
        answer, _ = cluster.claim(node, members)
        said = answer.get("cost", {})
        rows.append([what, outcome(answer), sum(said.get(word, 0) for word in COSTS),
                     cluster.quiet(mark)])

    try:
        claim("first claim of a fresh disk", 1, [1, 2])
        for _ in range(RUNS):
            claim("next epoch, same node", 1, [1, 2])
        rows[1:] = [max(rows[1:], key=lambda row: len(row[3]))]
        cluster.nodes[0].die()
        claim("takeover: next epoch by the other", 2, [2])
        claim("next epoch, same node, alone", 2, [2])
        heartbeat = count_heartbeat(cluster)
    finally:
        cluster.end()
    return rows, heartbeat


def time_claims(folder: pathlib.Path, watchdogs: ours.Watchdogs,
                arbiter: str) -> list[float]:
    """Medians of: round trip, write and read, an op without a disk, claim of the next epoch; the one
    claim by the other node when this one has died."""
    cluster = Cluster(folder, watchdogs, arbiter, counted=False)
    try:
        trips = [round_trips(cluster.target.url(2))]
        took, hello = [], []
        for _ in range(1 + 5 * RUNS):
            answer, lasted = cluster.claim(1, [1, 2])
            if outcome(answer) != "granted":
                raise Failed(f"claim: {outcome(answer)}")
            took.append(lasted)
            time.sleep(PAUSE_S)
            begin = now()
            cluster.clients[0].ask("hello")
            hello.append(now() - begin)
            time.sleep(PAUSE_S)
        trips.append(round_trips(cluster.target.url(2)))
        cluster.nodes[0].die()
        answer, takeover = cluster.claim(2, [2])
        if outcome(answer) != "granted":
            raise Failed(f"claim by the other node: {outcome(answer)}")
    finally:
        cluster.end()
    ready, write, read = (sum(both) / 2 for both in zip(*trips))
    return [ready, write + read, median(hello), median(took[1:]), takeover]


def show_claims(folder: pathlib.Path, watchdogs: ours.Watchdogs) -> None:
    """The second table."""
    rows, lines = [], []
    for arbiter in ARBITERS:
        trip, both, hello, claim, takeover = time_claims(folder, watchdogs, arbiter)
        rows.append([arbiter, seconds(trip), seconds(both), seconds(hello), seconds(claim),
                     times(claim, trip), times(claim, both), seconds(takeover)])
        counted, heartbeat = count_claims(folder, watchdogs, arbiter)
        for what, word, said, names in counted:
            lines.append([f"{arbiter}: {what}", word, said, len(names), ", ".join(names)])
        lines.append([f"{arbiter}: a heartbeat", "", "", "", heartbeat])
    table(["Claim of the cluster lock, tgtd on loopback", "1 round trip", "write+read", "hello",
           "claim", "of 1", "of both", "takeover"], rows, [44, 14, 12, 10, 10, 8, 9, 10])
    table(["Commands for it", "outcome", "to answer", "in all"], lines, [50, 10, 11, 8])
    print(f"""Round trip: TEST UNIT READY; write+read: a block with FUA and 8 KiB; both by libiscsi alone,
{ROUNDS} before and {ROUNDS} after. Claim: next epoch, same node, from the request to lockd's answer on
its socket, median of {5 * RUNS}; hello: a request that needs no disk. Takeover: a claim by the
other node when the first has died, which waits for no proof of that. Commands in all are counted
between lockd and tgtd, of {RUNS} epochs the most; those before the answer are lockd's own word. The
goal is {GOAL_COMMANDS}. sanlock has nothing like it.
""")


# ---- 3. memory and idleness ----------------------------------------------------------------------


def show_idle(folder: pathlib.Path, watchdogs: ours.Watchdogs, peer: Sanlock | None) -> None:
    """The third table: all of them at the same time, on one machine."""
    disks = [make_file(folder / f"idle{number}.disk", DISK_MIB) for number in range(5)]
    target = Target(folder, [disks[4]])
    options = ("--interval", INTERVAL_MS)
    kinds = {"lockd, one file": [disks[0]], "lockd, three files": disks[1:4],
             "lockd, one iSCSI LUN": [target.url(1)]}
    nodes = {}
    for number, (what, urls) in enumerate(kinds.items()):
        ours.init(urls)
        (folder / f"idle{number}").mkdir()
        nodes[what] = ours.Node(folder / f"idle{number}", urls, 1, watchdogs,
                                *options)
    for node in nodes.values():
        node.join()
    watched = {what: node.lockd.pid for what, node in nodes.items()}
    if peer:
        watched["sanlock, one file"] = peer.hosts[1].daemon.pid
    time.sleep(5)
    before = {what: (cpu_seconds(pid), ticks_seconds(pid), now())
              for what, pid in watched.items()}
    time.sleep(SECONDS)
    rows = []
    for what, pid in watched.items():
        cpu, ticks, begin = before[what]
        took, memory = now() - begin, resident_kib(pid)
        rows.append([what, memory["VmRSS"], memory["RssAnon"], memory["Pss"], memory["VmLck"],
                     f"{(cpu_seconds(pid) - cpu) / took:.3%}",
                     f"{(ticks_seconds(pid) - ticks) / took:.3%}"])
    table([f"Idle for {SECONDS} s, in KiB and of one core", "resident", "anonymous", "share",
           "locked", "processor", "by ticks"], rows, [34, 10, 11, 9, 9, 11, 10])
    print(f"""The goals for lockd at {INTERVAL_MS} ms are {GOAL_KIB} KiB resident and under {GOAL_CPU:.1%} of a
core. sanlock renews every 20 s, and has locked none of its memory here.
""")
    for node in nodes.values():
        node.end()
    target.end()


# ---- all of it -----------------------------------------------------------------------------------


def main() -> int:
    """0, or 1 when something could not be measured."""
    folder = pathlib.Path(sys.argv[1]).resolve()
    status, peer = 0, None
    try:
        watchdogs = ours.Watchdogs(folder, WATCHDOGS)
        kinds = [lambda: until_it_runs(lambda *words: run(words))]
        if sanlock.is_installed():
            peer = Sanlock(folder)
        else:
            print("sanlock is not installed: nothing to compare with.\n")
        pair = Pair(folder, watchdogs)
        kinds += [pair.acquire, *([peer.acquire] if peer else [])]
        acquired = acquire(kinds)
        if peer:
            peer.die()
        pair.take_over()
        for part in (lambda: show_claims(folder, watchdogs),
                     lambda: show_idle(folder, watchdogs, peer)):
            try:
                part()
            except Failed as fault:
                print(f"not measured: {fault}\n")
                status = 1
        if peer:
            peer.end()
        show_join_and_lock(pair, peer, acquired)
    except Failed as fault:
        print(f"not measured: {fault}\n")
        status = 1
    finally:
        end_all()
    return status


if __name__ == "__main__":
    sys.exit(main())
