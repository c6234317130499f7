// SPDX-License-Identifier: Apache-2.0
// Preloaded into User-Mode Linux kernels by run-guest. They keep a fixed 2,696 bytes of a process's
// extended registers (before 6.15 or so), but the host refuses PTRACE_SETREGSET with any length other
// than its own, which is 11,008 bytes where the CPU has AMX: the guest's init then dies with SIGSEGV.
// So: when the host refuses, what the kernel gave is laid over the registers as they are.
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef NT_X86_XSTATE
#define NT_X86_XSTATE 0x202
#endif

static long set_xstate(long pid, const struct iovec* given) {
  static char registers[64 * 1024];
  struct iovec all = {registers, sizeof registers};
  const int refused = errno;
  if (syscall(SYS_ptrace, (long)PTRACE_GETREGSET, pid, (long)NT_X86_XSTATE, &all) < 0) return -1;
  if (all.iov_len <= given->iov_len) {
    errno = refused;
    return -1;
  }
  memcpy(registers, given->iov_base, given->iov_len);
  return syscall(SYS_ptrace, (long)PTRACE_SETREGSET, pid, (long)NT_X86_XSTATE, &all);
}

long ptrace(enum __ptrace_request request, ...) {
  va_list arguments;
  va_start(arguments, request);
  const long pid = va_arg(arguments, long);
  void* const address = va_arg(arguments, void*);
  void* const data = va_arg(arguments, void*);
  va_end(arguments);

  if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
    long word = 0;  // the system call stores it, libc's function returns it
    if (syscall(SYS_ptrace, (long)request, pid, address, &word) < 0) return -1;
    errno = 0;
    return word;
  }
  const long result = syscall(SYS_ptrace, (long)request, pid, address, data);
  if (result >= 0 || request != PTRACE_SETREGSET || (long)address != NT_X86_XSTATE) return result;
  return set_xstate(pid, data);
}
