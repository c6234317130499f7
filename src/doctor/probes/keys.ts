// SPDX-License-Identifier: Apache-2.0
// What protects the private keys of this device, in words: who could copy one, and how.

import { isInTpm, isKeyReference, shownKey } from '../../tls/token-key.js';
import type { Board, CertificateFiles, Finding } from '../board.js';

const id = 'keys.protection';

/** Of the file system that a path is on: what /proc/self/mountinfo says (proc(5)); the longest point. */
function mountOf(board: Board, path: string): { source: string; device: string } | undefined {
  let found: { point: string; source: string; device: string } | undefined;
  for (const line of (board.read('/proc/self/mountinfo') ?? '').split('\n')) {
    const [fields = '', more = ''] = line.split(' - ');
    const [, , device = '', , point = ''] = fields.split(' ');
    const [, source = ''] = more.split(' ');
    const isAbove = path === point || path.startsWith(point === '/' ? '/' : `${point}/`);
    if (point !== '' && isAbove && point.length >= (found?.point.length ?? 0)) {
      found = { point, source, device };
    }
  }
  return found;
}

/** Whether the blocks below are dm-crypt's (Documentation/ABI/testing/sysfs-block-dm: "CRYPT-..."). */
const isEncrypted = (board: Board, device: string): boolean =>
  (board.read(`/sys/dev/block/${device}/dm/uuid`) ?? '').startsWith('CRYPT-');

function ofFile(board: Board, { privateKey }: CertificateFiles): Finding | undefined {
  const status = board.stat(privateKey);
  if (status === undefined) return undefined; // certificate.* says so.
  const mount = mountOf(board, privateKey);
  const mode = status.mode.toString(8).padStart(4, '0');
  const title = `A private key is a file: ${privateKey}`;
  if (mount !== undefined && isEncrypted(board, mount.device)) {
    const detail = `Its mode (${mode}) keeps it from other users, and dm-crypt from whoever reads the flash without the device. A process with the rights of root can copy it.`;
    return { id, level: 'info', title, detail };
  }
  const detail = `Its mode (${mode}) keeps it from other users. Whoever reads the flash, or is root, can copy it.`;
  const advice =
    'Where it must not be copied: a key in a token (docs/KEYS.md), or at least state on dm-crypt.';
  return { id, level: 'info', title, detail, advice };
}

function ofToken({ privateKey }: CertificateFiles): Finding {
  const title = `A private key is in ${isInTpm(privateKey) ? 'the TPM' : 'a token'}: ${shownKey(privateKey)}`;
  const detail =
    'It is used by reference, and never in the memory of the service. Who may log in to the token can sign with it; whether it can be taken out is for the token to say.';
  return { id, level: 'info', title, detail };
}

export function probeKeys(board: Board): Finding[] {
  const { settings } = board;
  if ('error' in settings) return [];
  const failing = (board.failingKeys ?? []).map(({ key, reason }): Finding => {
    const title = `The running service cannot sign with ${key}`;
    const advice = 'Look after the token, then: systemctl reload spliced.';
    return { id: 'keys.signing', level: 'problem', title, detail: `${reason}.`, advice };
  });
  const protection = settings.served.flatMap((files) => {
    const finding = isKeyReference(files.privateKey) ? ofToken(files) : ofFile(board, files);
    return finding === undefined ? [] : [finding];
  });
  return [...protection, ...failing];
}
