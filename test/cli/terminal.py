# SPDX-License-Identifier: Apache-2.0
# Runs a command with a terminal as its standard streams, and shows what it writes there:
#   terminal.py COMMAND...       SIGTERM of ours goes to the command as the terminal's Ctrl-C, and what
#                                comes on our standard input as what is typed
import os
import pty
import select
import signal
import sys

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
signal.signal(signal.SIGTERM, lambda *_: os.write(terminal, b"\x03"))
ours = [terminal, 0]
while True:
    try:
        ready, _, _ = select.select(ours, [], [])
        if 0 in ready:
            keys = os.read(0, 4096)
            if keys:
                os.write(terminal, keys)
            else:
                ours = [terminal]
        if terminal not in ready:
            continue
        data = os.read(terminal, 65536)
    except OSError:  # EIO: the command has ended
        break
    if not data:
        break
    os.write(1, data)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
