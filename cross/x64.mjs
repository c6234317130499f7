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
};
