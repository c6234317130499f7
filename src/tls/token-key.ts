// SPDX-License-Identifier: Apache-2.0
// A private key by reference: a PKCS #11 URI where a file could be named. Nothing of the key is here;
// the addon asks the token (native/tls/token_key.hpp) on another thread, and each question has a bound.
// Used by certificates/installed.ts. Nobody asks again by itself after a refusal: a token counts wrong
// PINs, and locks.

import { createHash } from 'node:crypto';
import { reasonOf } from '../base/start-error.js';

const answerWithinMs = 10_000;
const answersMax = 64;

/** What signs with the key that a reference names, for a request for a certificate. */
export async function tokenSigner(reference: string) {
  const { loadNative } = await import('../engine/native.js');
  const { publicKeyOf, signWithKey } = loadNative();
  return {
    publicKey: await withinBound(publicKeyOf(reference), reference),
    sign: (digest: string, data: Uint8Array): Promise<Uint8Array> =>
      withinBound(signWithKey(reference, digest, data), reference),
  };
}

export const isKeyReference = (text: string): boolean => text.startsWith('pkcs11:');

/** For people: without the query, which says where the PIN is. */
export const shownKey = (text: string): string =>
  isKeyReference(text) ? text.replace(/\?.*$/s, '') : text;

const answers = new Map<string, Promise<number>>();

async function ask(reference: string, certificates: string[]): Promise<number> {
  const { loadNative } = await import('../engine/native.js');
  return loadNative().matchKey(reference, certificates);
}

/**
 * Which of the certificates (PEM) has this key; -1: none. Rejects with one sentence. `isFresh`: the token
 * is asked again, unless it has not answered yet.
 */
export async function matchTokenKey(
  reference: string,
  certificates: string[],
  isFresh: boolean,
): Promise<number> {
  const parts = [reference, ...certificates].join('\0');
  const question = createHash('sha256').update(parts).digest('hex');
  let answer = answers.get(question);
  if (answer === undefined || (isFresh && !waiting.has(answer))) {
    if (answers.size >= answersMax) answers.clear();
    answer = ask(reference, certificates);
    answers.set(question, answer);
    const asked = answer;
    waiting.add(asked);
    void asked.catch(() => {}).finally(() => waiting.delete(asked));
  }
  return await withinBound(answer, reference);
}

const waiting = new Set<Promise<number>>();

function withinBound<T>(answer: Promise<T>, reference: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = new Error(
      `the token of ${shownKey(reference)} has not answered in ${answerWithinMs / 1000} s`,
    );
    const timer = setTimeout(() => reject(late), answerWithinMs);
    answer
      .then(resolve, (error) => reject(new Error(reasonOf(error))))
      .finally(() => clearTimeout(timer));
  });
}
