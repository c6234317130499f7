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
};
