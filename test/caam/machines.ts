// SPDX-License-Identifier: Apache-2.0
// Boards whose CAAM works: those of test/board on the QEMU with the model, without an artificial
// asynchronous cipher. Latency is from the doorbell to the interrupt.
import { type Machine, machines } from '../board/host/machines.js';

export interface CaamMachine extends Machine {
  /** The engine's algorithm that the model must have seen the bodies in. */
  kind: 'gcm' | 'ctr';
}

const works = { id: 'caam.engine', level: 'ok', title: /^CAAM works.*, [23] job rings$/ };
const wholeGcm = { id: 'caam.ciphers', level: 'ok', title: /^CAAM does AES-GCM: gcm-aes-caam$/ };
const counterMode = {
  id: 'caam.ciphers',
  level: 'info',
  title: /^CAAM does the counter mode of AES-GCM alone: ctr-aes-caam$/,
};

type BoardName = 'imx8mp-arm64' | 'imx8mp-armhf' | 'mcimx6ul-armhf';

function withModel(name: BoardName, latencyUs: number, kind: 'gcm' | 'ctr'): CaamMachine {
  const { template, ...board }: Machine = machines[name];
  const globals = [`imx-caam.latency-ns=${latencyUs * 1000}`, `imx-caam.gcm=${kind === 'gcm'}`];
  const parts = ['gcm', 'ghash-generic'];
  return {
    ...board,
    emulator: 'test/caam/get-qemu',
    qemu: [...board.qemu, ...globals.flatMap((value) => ['-global', value])],
    modules: ['tls', ...parts, 'caam_jr'],
    // Whichever GHASH the processor is best at.
    driver: kind === 'gcm' ? /^gcm-aes-caam$/ : /^gcm_base\(ctr-aes-caam,ghash-[\w-]+\)$/,
    caam: [works, kind === 'gcm' ? wholeGcm : counterMode],
    kind,
  };
}

export const caamMachines = {
  'imx8mp-gcm-100us': withModel('imx8mp-arm64', 100, 'gcm'),
  'imx8mp-gcm-2ms': withModel('imx8mp-armhf', 2000, 'gcm'),
  'mcimx6ul-gcm-2ms': withModel('mcimx6ul-armhf', 2000, 'gcm'),
  'mcimx6ul-ctr-100us': withModel('mcimx6ul-armhf', 100, 'ctr'),
};
