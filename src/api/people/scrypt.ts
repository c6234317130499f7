// SPDX-License-Identifier: Apache-2.0
// Hashes of passwords by scrypt (RFC 7914) of Node's crypto, on libuv's threads. One is computed at a
// time, since each takes its megabytes, and a few wait. The cost is chosen once on a board, by its
// memory and by a measurement, and stored with each hash. Used by people.ts and by `spliced user`.

import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { totalmem } from 'node:os';
import { passwordOf } from './names.js';

/** Parameters of RFC 7914 2; 128·n·r bytes of memory. */
export interface Cost {
  n: number;
  r: number;
  p: number;
}

/** Units are in the names. */
export const costBounds = {
  /** Of a new hash: 16 to 64 MiB. */
  nMin: 2 ** 14,
  nMax: 2 ** 16,
  r: 8,
  pMax: 5,
  /** What one hash should take on this board. */
  aimMs: 500,
  /** No more than this part of the device's memory, but for nMin. */
  memoryShare: 1 / 32,
  /** Of a hash that is there; more is not computed, whoever has written it. */
  nAcceptedMax: 2 ** 17,
  pAcceptedMax: 16,
} as const;

/** Hashes that wait for the one that is computed. */
export const waitingMax = 8;

const hashBytes = 32;
const saltBytes = 16;
const probe: Cost = { n: 2 ** 12, r: 8, p: 1 };

/** Too many wait already. */
export class Busy extends Error {}

export interface Hash {
  cost: Cost;
  salt: Buffer;
  hash: Buffer;
}

const bytesOf = ({ n, r }: Cost): number => 128 * n * r;

function compute(password: string, salt: Buffer, { n, r, p }: Cost): Promise<Buffer> {
  const options = { N: n, r, p, maxmem: 2 * bytesOf({ n, r, p }) };
  return new Promise((resolve, reject) => {
    scrypt(passwordOf(password), salt, hashBytes, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

/** The greatest that takes no longer than it should; `probeMs` is what the cost `probe` took. */
export function costFor(probeMs: number, memoryBytes: number): Cost {
  const { nMin, nMax, r, pMax, aimMs, memoryShare } = costBounds;
  const work = (aimMs / Math.max(probeMs, 0.1)) * probe.n;
  let n: number = nMin;
  while (
    2 * n <= Math.min(nMax, work) &&
    bytesOf({ n: 2 * n, r, p: 1 }) <= memoryBytes * memoryShare
  )
    n *= 2;
  const p = Math.min(Math.max(Math.floor(work / n), 1), pMax);
  return { n, r, p };
}

/** For this board, now. The best of three: a board that is starting is busy. */
export async function chooseCost(): Promise<Cost> {
  let bestMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3; i += 1) {
    const startMs = performance.now();
    await compute('probe', Buffer.alloc(saltBytes), probe);
    bestMs = Math.min(bestMs, performance.now() - startMs);
  }
  return costFor(bestMs, totalmem());
}

let running: Promise<unknown> = Promise.resolve();
let waiting = 0;

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (waiting > waitingMax) throw new Busy('too many passwords are being checked');
  waiting += 1;
  const before = running;
  const own = before.then(work).finally(() => {
    waiting -= 1;
  });
  running = own.catch(() => {});
  return own;
}

/** Throws Busy. */
export async function hashPassword(password: string, cost: Cost): Promise<Hash> {
  const salt = randomBytes(saltBytes);
  return { cost, salt, hash: await inTurn(() => compute(password, salt, cost)) };
}

/**
 * In constant time. Without a hash the answer is no, after as much work as `cost` is. Throws Busy.
 */
export async function isPassword(
  password: string,
  hash: Hash | undefined,
  cost: Cost,
): Promise<boolean> {
  const { salt, cost: own } = hash ?? { salt: Buffer.alloc(saltBytes), cost };
  const computed = await inTurn(() => compute(password, salt, own));
  const isSame = timingSafeEqual(computed, hash?.hash ?? Buffer.alloc(hashBytes));
  return isSame && hash !== undefined;
}

/** `scrypt:N:r:p:salt:hash`, both base64url. */
export const textOf = ({ cost: { n, r, p }, salt, hash }: Hash): string =>
  ['scrypt', n, r, p, salt.toString('base64url'), hash.toString('base64url')].join(':');

const written = /^scrypt:(\d{1,7}):(\d{1,2}):(\d{1,2}):([\w-]{22}):([\w-]{43})$/;

/** Undefined: it is none, or would cost more than is accepted. */
export function hashOf(text: string): Hash | undefined {
  const [, n = 0, r = 0, p = 0, salt = '', hash = ''] = written.exec(text) ?? [];
  const cost = { n: Number(n), r: Number(r), p: Number(p) };
  if (!isAccepted(cost)) return undefined;
  return { cost, salt: Buffer.from(salt, 'base64url'), hash: Buffer.from(hash, 'base64url') };
}

export function isAccepted({ n, r, p }: Cost): boolean {
  const { nMin, nAcceptedMax, pAcceptedMax } = costBounds;
  const isPower = Number.isInteger(Math.log2(n));
  return (
    isPower && n >= nMin && n <= nAcceptedMax && r === costBounds.r && p >= 1 && p <= pAcceptedMax
  );
}
