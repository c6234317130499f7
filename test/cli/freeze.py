# SPDX-License-Identifier: Apache-2.0
# Freezes one thread of another process, as a hang in it would, and needs nothing of that process:
# the thread becomes a tracee that is interrupted (ptrace(2), PTRACE_SEIZE). SIGSTOP could only stop
# the whole process. Lets it go at the end of standard input, or when it is killed.
#   freeze.py TID        prints "frozen", or why it cannot
import ctypes
import os
import select
import sys

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000  # __WALL: threads too

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long
thread = int(sys.argv[1])


def ptrace(request):
    if libc.ptrace(request, thread, None, None) != 0:
        print("cannot: " + os.strerror(ctypes.get_errno()), flush=True)
        sys.exit(0)


ptrace(PTRACE_SEIZE)
ptrace(PTRACE_INTERRUPT)
os.waitpid(thread, WALL)
print("frozen", flush=True)
while not select.select([sys.stdin], [], [], 0.05)[0]:
    # A killed tracee is its tracer's to bury; until then its process does not end either.
    pid, status = os.waitpid(thread, os.WNOHANG | WALL)
    if pid != 0 and (os.WIFEXITED(status) or os.WIFSIGNALED(status)):
        sys.exit(0)
libc.ptrace(PTRACE_DETACH, thread, None, None)
