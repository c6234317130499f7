// SPDX-License-Identifier: Apache-2.0
// A private key by reference: a PKCS #11 URI, or the handle of a TPM's key, where a file could be named. Nothing of the key is here;
// the addon asks the token (native/tls/token_key.hpp) on another thread, and each question has a bound.
// Used by certificates/installed.ts and own-key.ts. Nobody asks again by itself after a refusal: a token counts wrong
// PINs, and locks.

import { createHash } from 'node:crypto';
import { reasonOf } from '../base/start-error.js';

const answerWithinMs = 10_000;
const makingWithinMs = 120_000; // A TPM looks for the primes of an RSA key for as long as it takes.
const answersMax = 64;

export const keyKinds = ['P-256', 'P-384', 'RSA-2048', 'RSA-3072', 'RSA-4096'] as const;
export type KeyKind = (typeof keyKinds)[number];

/** The key of the certificates that the device gets by itself. */
export interface TokenKey {
  reference: string;
  /** Made like this when the token answers and has none; undefined: never made. */
  kindToMake: KeyKind | undefined;
}

/** Makes it in the token, never to leave it, unless there is such a key. False: there was one. */
export async function makeTokenKey(reference: string, kind: KeyKind): Promise<boolean> {
  const { loadNative } = await import('../engine/native.js');
  const made = loadNative().makeKey(reference, kind);
  return (await withinBound(made, reference, makingWithinMs)) === 1;
}

/**
 * What signs with the key, which is made first if it is to be. A PIN that was refused is not tried again by
 * the provider, however often it is asked: a token counts them, and locks.
 */
export async function openTokenKey({ reference, kindToMake }: TokenKey) {
  if (kindToMake !== undefined) await makeTokenKey(reference, kindToMake);
  return await tokenSigner(reference);
}

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

const tpmScheme = 'handle:';

export const isKeyReference = (text: string): boolean => /^(pkcs11|handle):/.test(text);
/** Of a reference: its token is the TPM. */
export const isInTpm = (reference: string): boolean => reference.startsWith(tpmScheme);

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

function withinBound<T>(
  answer: Promise<T>,
  reference: string,
  withinMs = answerWithinMs,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = new Error(
      `the token of ${shownKey(reference)} has not answered in ${withinMs / 1000} s`,
    );
    const timer = setTimeout(() => reject(late), withinMs);
    answer
      .then(resolve, (error) => reject(new Error(reasonOf(error))))
      .finally(() => clearTimeout(timer));
  });
}
