// SPDX-License-Identifier: Apache-2.0
// A SoftHSM of a test's own, with keys in it, and OpenSSL's provider for PKCS #11 where this process
// finds it.

import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Test } from 'tap';
import { issueCertificate } from '../../src/certificates/issue.js';
import { names } from './service.js';

export const softHsm = '/usr/lib/softhsm/libsofthsm2.so';
export const pin = '271828';

export interface PairInToken {
  chain: string;
  /** The PKCS #11 URI. */
  privateKey: string;
  /** Of the chain. */
  file: string;
}

export interface Token {
  directory: string;
  pinFile: string;
  /** Writes a file for the owner alone. */
  file(name: string, content?: string): string;
  uriOf(object: string, more?: string): string;
  /** A certificate whose key goes into the token, and from here. */
  newPair(object: string, id: string, kind: 'ec' | 'rsa'): Promise<PairInToken>;
  softHsmUtil(...args: string[]): void;
}

/**
 * Sets what the module and the provider find in this process's environment, too. A module without a path
 * is one in the token's directory.
 */
export function newToken(t: Test, labels: string[], moduleName = softHsm): Token {
  const directory = t.testdir();
  const module = resolve(directory, moduleName);
  const file = (name: string, content = ''): string => {
    const path = join(directory, name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  };
  mkdirSync(join(directory, 'tokens'));
  process.env.SOFTHSM2_CONF = file(
    'softhsm2.conf',
    `directories.tokendir = ${join(directory, 'tokens')}\nlog.level = ERROR\n`,
  );
  const modules = execFileSync('test/contract/get-pkcs11', { encoding: 'utf8' }).trim();
  process.env.OPENSSL_MODULES = modules;
  t.comment(`Node ${process.version}, OpenSSL ${process.versions.openssl}`);
  const pinFile = file('pin', pin);
  const softHsmUtil = (...args: string[]): void => {
    execFileSync('softhsm2-util', args, { stdio: 'pipe' });
  };
  for (const label of labels) {
    softHsmUtil('--init-token', '--free', '--label', label, '--pin', pin, '--so-pin', '314159');
  }
  const [token = ''] = labels;
  const uriOf = (object: string, more = ''): string =>
    `pkcs11:token=${token};object=${object}?module-path=${module}&pin-source=file:${pinFile}${more}`;
  return {
    directory,
    pinFile,
    file,
    uriOf,
    softHsmUtil,
    newPair: async (object, id, kind) => {
      let chain: string;
      let privateKey: string;
      if (kind === 'ec') {
        const made = await issueCertificate(names, Date.now());
        [chain, privateKey] = [made.certificate, made.privateKey];
      } else {
        const { privateKey: key } = generateKeyPairSync('rsa', { modulusLength: 2048 });
        privateKey = key.export({ type: 'pkcs8', format: 'pem' }) as string;
        const keyFile = file(`${object}.key`, privateKey);
        const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
        const args = ['req', '-x509', '-new', '-key', keyFile, '-days', '2', ...subject];
        chain = execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });
      }
      const where = ['--token', token, '--label', object, '--id', id, '--pin', pin];
      softHsmUtil('--import', file(`${object}.p8`, privateKey), ...where);
      return { chain, privateKey: uriOf(object), file: file(`${object}.pem`, chain) };
    },
  };
}
