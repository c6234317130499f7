// SPDX-License-Identifier: Apache-2.0
// x86-64 of any age: developers' machines, test rigs, x86 appliances.
export default {
  name: 'x64',
  arch: 'x64',
  armv: undefined,
  debianArchitecture: 'amd64',
  triplet: 'x86_64-linux-gnu',
  compilerPackage: 'g++',
  cflags: ['-march=x86-64'],
  emulator: undefined,
  elf: {
    class: 'ELF64',
    machine: 'Advanced Micro Devices X86-64',
    needed: ['libc.so.6', 'libgcc_s.so.1', 'libstdc++.so.6'],
    kibMax: 1180,
    branch: { mark: 'SHSTK', instruction: 'f30f1efa', what: 'landing pads (endbr64)' },
  },
};
