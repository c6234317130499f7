// SPDX-License-Identifier: Apache-2.0
// The claim: whoever has the device's code makes the first administrator, once, within minutes of the
// service's start. The code is the maker's, from a file or a credential, or one that is made at each
// start and that root sees by `spliced claim`; it is in memory alone, and in no log. Used by people.ts.

import { createHash, randomInt, timingSafeEqual } from 'node:crypto';

export const claimBounds = {
  /** From the start of the service. */
  windowMs: 900_000,
  /** Of a maker's code, without spaces and hyphens. */
  codeCharactersMin: 8,
  codeCharactersMax: 128,
} as const;

// Crockford's base 32: nothing that is read for another. 60 bits.
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const groups = 3;
const groupCharacters = 4;

function newCode(): string {
  const group = (): string =>
    Array.from({ length: groupCharacters }, () => alphabet[randomInt(alphabet.length)]).join('');
  return Array.from({ length: groups }, group).join('-');
}

/** As it is compared: how it is typed does not matter, nor what is read for another. */
export const plainCode = (typed: string): string =>
  typed.toUpperCase().replaceAll(/[\s-]/g, '').replaceAll('O', '0').replaceAll(/[IL]/g, '1');

const digestOf = (code: string): Buffer => createHash('sha256').update(plainCode(code)).digest();

/** Why a maker's code is none; undefined: it may be used. */
export function codeFault(code: string): string | undefined {
  const { codeCharactersMin, codeCharactersMax } = claimBounds;
  const { length } = plainCode(code);
  if (length >= codeCharactersMin && length <= codeCharactersMax) return undefined;
  return `a code has ${codeCharactersMin} to ${codeCharactersMax} characters`;
}

export class Claim {
  readonly #digest: Buffer;
  readonly #nowMs: () => number;
  readonly #endsAtMs: number;
  #isUsed = false;
  /** Undefined: the maker's, which is on the device's label and not shown. */
  readonly code: string | undefined;

  /** The window is open from now on. */
  constructor(makersCode: string | undefined, nowMs: () => number = () => performance.now()) {
    this.code = makersCode === undefined ? newCode() : undefined;
    this.#digest = digestOf(makersCode ?? this.code ?? '');
    this.#nowMs = nowMs;
    this.#endsAtMs = nowMs() + claimBounds.windowMs;
  }

  /** 0: it is over, or used. */
  get secondsLeft(): number {
    if (this.#isUsed) return 0;
    return Math.max(Math.ceil((this.#endsAtMs - this.#nowMs()) / 1_000), 0);
  }

  isCode(typed: string): boolean {
    return timingSafeEqual(digestOf(typed.slice(0, 1_024)), this.#digest);
  }

  /** From now on nobody else can; the answer opens it again, where nothing came of it. */
  take(): () => void {
    this.#isUsed = true;
    return () => {
      this.#isUsed = false;
    };
  }
}
