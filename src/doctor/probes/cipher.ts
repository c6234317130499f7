// SPDX-License-Identifier: Apache-2.0
// What encrypts in the kernel: the driver of AES-GCM and of its counter mode, whether it is
// asynchronous, and whether the processor's own AES instructions are used.

import { type Board, type Finding, field } from '../board.js';
import { type CipherDriver, cipherDrivers, preferredDriver } from '../proc-crypto.js';

/** ARM's Cryptography Extensions and AES-NI are both called "aes" in /proc/cpuinfo. */
export function hasAesInstructions(board: Board): boolean {
  const text = board.read('/proc/cpuinfo');
  const flags = field(text, 'Features') ?? field(text, 'flags') ?? '';
  return flags.split(/\s+/).includes('aes');
}

const describe = ({ name, priority, isAsync }: CipherDriver): string =>
  `${name} (priority ${priority}, ${isAsync ? 'asynchronous' : 'synchronous'})`;

function isTlsAttachable(board: Board): boolean {
  return !('error' in board.native) && board.native.kernelTls.attachable;
}

export function probeGcm(board: Board): Finding[] {
  const id = 'cipher.gcm';
  const gcm = preferredDriver(cipherDrivers(board), 'gcm(aes)');
  if (gcm === undefined) {
    const isNeeded = isTlsAttachable(board);
    const title = 'The kernel has no AES-GCM yet';
    const detail = 'It is set up on first use; without kernel TLS nothing uses it.';
    if (!isNeeded) return [{ id, level: 'info', title, detail }];
    const advice = 'Build the kernel with CONFIG_CRYPTO_GCM and CONFIG_CRYPTO_CTR.';
    return [{ id, level: 'warning', title: 'The kernel has no AES-GCM', detail: '', advice }];
  }
  if (gcm.isAsync) {
    const title = `AES-GCM is asynchronous: ${gcm.name}`;
    const detail =
      `${describe(gcm)}. A server that closes after its last write loses data here; spliced waits ` +
      'until TCP has every byte.';
    const advice = 'Run "spliced doctor --reproduce" to see both on this board.';
    return [{ id, level: 'info', title, detail, advice }];
  }
  if (gcm.name.includes('generic') && hasAesInstructions(board)) {
    const title = `AES-GCM is done by plain software, though the processor has AES instructions`;
    const advice =
      'Load the driver for them: ghash-ce and aes-ce-blk on ARM (CONFIG_CRYPTO_AES_ARM64_CE_BLK, ' +
      'CONFIG_CRYPTO_GHASH_ARM64_CE, or CONFIG_CRYPTO_AES_ARM_CE and CONFIG_CRYPTO_GHASH_ARM_CE), ' +
      'aesni_intel on x86.';
    return [{ id, level: 'warning', title, detail: `${describe(gcm)}.`, advice }];
  }
  return [{ id, level: 'ok', title: `AES-GCM: ${describe(gcm)}`, detail: '' }];
}

/** The counter mode inside of gcm() may be an engine's where GCM as a whole is not. */
export function probeCtr(board: Board): Finding[] {
  const ctr = preferredDriver(cipherDrivers(board), 'ctr(aes)');
  if (ctr === undefined) return [];
  return [{ id: 'cipher.ctr', level: 'ok', title: `AES-CTR: ${describe(ctr)}`, detail: '' }];
}

export function probeProcessor(board: Board): Finding[] {
  const id = 'cipher.processor';
  if (hasAesInstructions(board)) {
    return [{ id, level: 'ok', title: 'The processor has AES instructions', detail: '' }];
  }
  const title = 'The processor has no AES instructions';
  const detail =
    'Encryption costs much processor time here, unless a crypto engine does it. ChaCha20-Poly1305 ' +
    'is then the faster cipher in software.';
  return [{ id, level: 'info', title, detail }];
}
