// SPDX-License-Identifier: Apache-2.0
// What protects the private keys of this device, in words: who could copy one, and how.

import { isInTpm, isKeyReference, shownKey } from '../../tls/token-key.js';
import type { Board, Finding } from '../board.js';

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

/** What a trusted key of the kernel comes from (trusted-encrypted.rst), as spliced-data-unlock names it. */
const sources: Readonly<Record<string, string>> = { tpm: 'TPM', caam: 'CAAM', tee: 'TEE' };

/**
 * What keeps the flash from being read: the blocks are dm-crypt's (Documentation/ABI/testing/sysfs-block-dm:
 * "CRYPT-..."); undefined: nothing. "CRYPT-TRUSTED-SOURCE-..." is spliced-data's.
 */
function encryptionOf(board: Board, device: string): string | undefined {
  const uuid = board.read(`/sys/dev/block/${device}/dm/uuid`) ?? '';
  if (!uuid.startsWith('CRYPT-')) return undefined;
  const source = sources[/^CRYPT-TRUSTED-([a-z]+)-/.exec(uuid)?.[1] ?? ''];
  return source === undefined
    ? "dm-crypt from whoever reads the flash without that one's key"
    : `dm-crypt from whoever reads the flash: only the ${source} of this device opens its key`;
}

interface Key {
  /** "A private key", "The key of the device's authority". */
  name: string;
  privateKey: string;
  /** What names a token in place of the file. */
  setting: string;
}

/** Given by the service manager, in memory that is not swapped (systemd.exec(5), CREDENTIALS). */
const isCredential = (path: string): boolean => path.startsWith('/run/credentials/');

function ofFile(board: Board, { name, privateKey, setting }: Key): Finding | undefined {
  const status = board.stat(privateKey);
  if (status === undefined) return undefined; // certificate.* says so.
  const title = `${name} is a file: ${privateKey}`;
  const mode = `Its mode (${status.mode.toString(8).padStart(4, '0')}) keeps it from other users`;
  if (isCredential(privateKey)) {
    const detail = `${mode}. It is in memory, where the service manager has put it. What it was made of is on the flash: encrypted with LoadCredentialEncrypted=, else to be read there.`;
    return { id, level: 'info', title, detail };
  }
  const mount = mountOf(board, privateKey);
  const encryption = mount && encryptionOf(board, mount.device);
  if (encryption !== undefined) {
    const detail = `${mode}, and ${encryption}. A process with the rights of root can copy it.`;
    return { id, level: 'info', title, detail };
  }
  const detail = `${mode}. Whoever reads the flash, or is root, can copy it.`;
  const advice = `Where it must not be copied: a key in a token (${setting}, docs/KEYS.md), or at least state on dm-crypt.`;
  return { id, level: 'info', title, detail, advice };
}

function ofToken({ name, privateKey }: Key): Finding {
  const title = `${name} is in ${isInTpm(privateKey) ? 'the TPM' : 'a token'}: ${shownKey(privateKey)}`;
  const detail =
    'It is used by reference, and never in the memory of the service. Who may log in to the token can sign with it; whether it can be taken out is for the token to say.';
  return { id, level: 'info', title, detail };
}

const otherNames = {
  authority: "The key of the device's authority",
  account: 'The key of the ACME account',
  client: 'The key of the client certificate for EST',
};

/** What its token said, of a key that no certificate is served with: certificate.key is about the others. */
function refusalOf(board: Board, { name, privateKey }: Key): Finding[] {
  const reason = board.tokens?.[privateKey] ?? '';
  if (reason === '') return [];
  const title = `${name} cannot be used: ${shownKey(privateKey)}`;
  const advice =
    'Where tls.make_private_key is set, a key that is missing is made when it is first needed.';
  return [{ id: 'keys.token', level: 'warning', title, detail: `${reason}.`, advice }];
}

export function probeKeys(board: Board): Finding[] {
  const { settings } = board;
  if ('error' in settings) return [];
  const failing = (board.failingKeys ?? []).map(({ key, reason }): Finding => {
    const title = `The running service cannot sign with ${key}`;
    const advice = 'Look after the token, then: systemctl reload spliced.';
    return { id: 'keys.signing', level: 'problem', title, detail: `${reason}.`, advice };
  });
  const served = settings.served.map(({ privateKey }): Key => {
    return { name: 'A private key', privateKey, setting: 'tls.private_key' };
  });
  const others = settings.otherKeys.map(({ use, setting, privateKey }): Key => {
    return { name: otherNames[use], privateKey, setting };
  });
  const protection = [...served, ...others].flatMap((key) => {
    const finding = isKeyReference(key.privateKey) ? ofToken(key) : ofFile(board, key);
    return finding === undefined ? [] : [finding];
  });
  return [...protection, ...others.flatMap((key) => refusalOf(board, key)), ...failing];
}
