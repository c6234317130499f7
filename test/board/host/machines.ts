// SPDX-License-Identifier: Apache-2.0
// The emulated boards: what QEMU, the kernel and the tests need to know of each. A new board is an entry
// here and a file of three lines beside boards.ts; docs/BOARD-TESTS.md says how to find its values.

export type Architecture = 'arm64' | 'armhf';

export interface Machine {
  /** The script that lays out QEMU and prints its directory. */
  emulator: string;
  /** QEMU's arguments; the kernel, its device tree and the initramfs are added. */
  qemu: readonly string[];
  kernel: Architecture;
  userland: Architecture;
  /** The serial line that QEMU shows on its standard output. */
  console: string;
  /** A file of the kernel's own; none where QEMU makes the tree. */
  deviceTree?: string;
  modules: readonly string[];
  /** What makes AES-GCM asynchronous without an engine: cryptd where the kernel has it, else pcrypt. */
  template?: string;
  /** The driver that kernel TLS then chooses. */
  driver: RegExp;
  /** What the doctor says of its CAAM: the findings of the group `caam`. */
  caam: readonly { id: string; level: string; title: RegExp; detail?: RegExp }[];
  /** How much slower than the fastest of them. Reading rates and the tests' own patience follow it. */
  slowness: number;
  /** From power-on to the report. */
  limitS: number;
}

const id = 'caam.engine';
const absent = [{ id, level: 'info', title: /^There is no CAAM crypto engine/ }];
// QEMU has memory where the engine should be: the controller starts, its job rings do not.
const failed = [
  {
    id,
    level: 'warning',
    title: /^CAAM is present.*, and no job ring works$/,
    detail: /caam_jr could start none of them/,
  },
];

const arm64Kernel = {
  emulator: 'test/board/lab/get-qemu',
  kernel: 'arm64',
  modules: ['tls', 'algif_aead', 'ghash-ce', 'pcrypt'],
  template: 'pcrypt(gcm-aes-ce)',
  driver: /^pcrypt\(gcm-aes-ce\)$/,
} as const;

const armhfKernel = {
  emulator: 'test/board/lab/get-qemu',
  kernel: 'armhf',
  userland: 'armhf',
  modules: ['tls', 'algif_aead', 'gcm', 'ghash-generic', 'aes-arm', 'cryptd'],
  template: 'cryptd(gcm(aes))',
  driver: /^cryptd\(gcm_base\(ctr/,
} as const;

const imx8mp = {
  ...arm64Kernel,
  qemu: ['-M', 'imx8mp-evk', '-smp', '2', '-m', '1G', '-serial', 'null', '-serial', 'stdio'],
  console: 'ttymxc1',
  deviceTree: 'imx8mp-evk.dtb',
  modules: [...arm64Kernel.modules, 'caam_jr'],
  caam: failed,
  slowness: 1,
  limitS: 900,
};

export const machines = {
  'virt-arm64': {
    ...arm64Kernel,
    userland: 'arm64',
    qemu: ['-M', 'virt', '-cpu', 'cortex-a53', '-smp', '2', '-m', '1G', '-serial', 'stdio'],
    console: 'ttyAMA0',
    caam: absent,
    slowness: 1,
    limitS: 600,
  },
  'imx8mp-arm64': { ...imx8mp, userland: 'arm64' },
  'imx8mp-armhf': { ...imx8mp, userland: 'armhf' },
  'mcimx6ul-armhf': {
    ...armhfKernel,
    qemu: ['-M', 'mcimx6ul-evk', '-m', '512M', '-serial', 'stdio'],
    console: 'ttymxc0',
    deviceTree: 'imx6ul-14x14-evk.dtb',
    modules: [...armhfKernel.modules, 'caam_jr'],
    caam: failed,
    slowness: 3,
    limitS: 1500,
  },
} satisfies Record<string, Machine>;

export type MachineName = keyof typeof machines;
