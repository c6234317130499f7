// SPDX-License-Identifier: Apache-2.0
// `spliced certificate key URI`: prints the public half of a key in a token (PEM), and makes the key there
// first, where that is asked for. Called by certificate-line.ts.

import { createPublicKey } from 'node:crypto';
import { reasonOf, StartError } from '../base/start-error.js';
import {
  isKeyReference,
  type KeyKind,
  keyKinds,
  makeTokenKey,
  shownKey,
  tokenSigner,
} from '../tls/token-key.js';
import type { Streams } from './certificate.js';

export interface KeyCommand {
  /** A PKCS #11 URI. */
  reference: string | undefined;
  isMade: boolean;
  /** Of a key that is made. */
  type?: string | undefined;
}

const isKind = (text: string): text is KeyKind => keyKinds.some((kind) => kind === text);

export async function certificateKey(
  { reference = '', isMade, type }: KeyCommand,
  { stdout, stderr }: Streams,
): Promise<number> {
  if (!isKeyReference(reference)) {
    throw new StartError(
      'give the PKCS #11 URI of the key: spliced certificate key [--generate] pkcs11:token=...;object=...',
    );
  }
  if (type !== undefined && !isMade) throw new StartError('--type belongs to --generate');
  const kind = type ?? 'P-256';
  if (!isKind(kind)) throw new StartError(`--type: is one of ${keyKinds.join(', ')}`);
  try {
    const where = shownKey(reference);
    if (isMade && !(await makeTokenKey(reference, kind))) {
      throw new StartError(`${where} is there already; nothing was made`);
    }
    const { publicKey } = await tokenSigner(reference);
    const key = createPublicKey({ key: Buffer.from(publicKey), type: 'spki', format: 'der' });
    if (isMade) stderr.write(`Made ${where} (${kind}), which cannot be taken out of its token.\n`);
    stdout.write(String(key.export({ type: 'spki', format: 'pem' })));
    return 0;
  } catch (error) {
    throw new StartError(reasonOf(error));
  }
}
