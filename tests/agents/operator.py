#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
#
# operator.py - plays a human at a terminal: operator.py [PROMPT=ANSWER]... -- COMMAND...
#
# Runs COMMAND on a pseudo-terminal of its own. Each time the text PROMPT appears, in the order
# given, ANSWER is typed. "@FILE" as ANSWER types what the shell command FILE prints, once it has
# ended. Prints what the terminal showed and ends with the exit status of COMMAND; 99 when a
# prompt did not come within 60 seconds.
import os
import pty
import select
import subprocess
import sys
import time

split = sys.argv.index("--")
script = [item.split("=", 1) for item in sys.argv[1:split]]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[split + 1], sys.argv[split + 1 :])

shown, seen, limit = b"", 0, time.monotonic() + 60
while True:
    ready, _, _ = select.select([terminal], [], [], max(0, limit - time.monotonic()))
    if not ready:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        sys.stdout.buffer.write(shown)
        sys.exit(99)
    try:
        data = os.read(terminal, 4096)
    except OSError:  # EIO: the other side is closed
        data = b""
    if not data:
        break
    shown += data
    while script and script[0][0].encode() in shown[seen:]:
        prompt, answer = script.pop(0)
        seen = shown.index(prompt.encode(), seen) + len(prompt)
        if answer.startswith("@"):
            answer = subprocess.run(answer[1:], shell=True, check=True, text=True,
                                    stdout=subprocess.PIPE).stdout
        os.write(terminal, answer.encode() + b"\n")

sys.stdout.buffer.write(shown.replace(b"\r\n", b"\n"))
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
