# SPDX-License-Identifier: Apache-2.0
# A service manager as small as a test needs it: passes listening sockets, keeps descriptors (FDSTORE)
# over restarts, and writes what it is told by sd_notify(3). Driven by test/cli/manager.ts:
#   manager.py NOTIFY_SOCKET SOCKETS COMMAND...    SOCKETS: JSON list of [name, port]
# Standard input: "start", "signal NAME", "end". Standard output: a JSON object a line. The server's
# log goes to standard error.
import array
import json
import os
import select
import signal
import socket
import sys

address, sockets, command = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3:]
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind("\0" + address[1:] if address.startswith("@") else address)
unit = []
for name, port in sockets:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(64)
    unit.append((name, listener.fileno(), listener))
store = []
child = 0


def say(**what):
    print(json.dumps(what), flush=True)


def start():
    passed = [(name, fd) for name, fd, _ in unit] + store
    pid = os.fork()
    if pid:
        return pid
    os.dup2(2, 1)
    # Out of the way first, so that no dup2 overwrites one that is still needed.
    high = [os.dup2(fd, 100 + i, True) for i, (_, fd) in enumerate(passed)]
    for i, fd in enumerate(high):
        os.dup2(fd, 3 + i, True)
        os.close(fd)
    os.environ["NOTIFY_SOCKET"] = address
    if passed:
        os.environ["LISTEN_PID"] = str(os.getpid())
        os.environ["LISTEN_FDS"] = str(len(passed))
        os.environ["LISTEN_FDNAMES"] = ":".join(name for name, _ in passed)
    os.execvp(command[0], command)


def receive():
    data, rights, _, _ = notify.recvmsg(8192, 4096)
    fds = array.array("i")
    for _, kind, content in rights:
        if kind == socket.SCM_RIGHTS:
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    lines = dict(line.split("=", 1) for line in data.decode().splitlines())
    name = lines.get("FDNAME", "stored")
    if "FDSTORE" in lines:
        store.extend((name, fd) for fd in fds)
    else:
        for fd in fds:
            os.close(fd)
    if "FDSTOREREMOVE" in lines:
        for entry in [entry for entry in store if entry[0] == name]:
            os.close(entry[1])
            store.remove(entry)
    say(told=lines, fds=len(fds))


say(ports=[listener.getsockname()[1] for _, _, listener in unit])
watch, wake = os.pipe()
os.set_blocking(wake, False)
signal.signal(signal.SIGCHLD, lambda *_: None)
signal.set_wakeup_fd(wake)
while True:
    ready, _, _ = select.select([0, notify, watch], [], [])
    if notify in ready:
        receive()
        continue  # all it was told before its end comes first
    if watch in ready:
        os.read(watch, 64)
        if child:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                child = 0
                say(ended=os.waitstatus_to_exitcode(status))
    if 0 in ready:
        words = os.read(0, 4096).decode().split()
        if not words or words[0] == "end":
            if child:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            break
        if words[0] == "start":
            child = start()
            say(started=child)
        if words[0] == "signal" and child:
            os.kill(child, getattr(signal, words[1]))
