// SPDX-License-Identifier: Apache-2.0
// What the kernel's cipher did under load, held against software (native/experiment/cipher_check.hpp), as
// findings and as the report for programs. Called by commands/doctor.ts, for --cipher-check alone.

import type { Finding } from './board.js';

/** The first difference; src/engine/experiments.ts, CipherDifference. */
export interface Difference {
  fault: 'wrong_bytes' | 'refused' | 'no_answer';
  error: string;
  version: string;
  cipher: string;
  isDecrypting: boolean;
  sequence: number;
  offset: number;
  how: string;
  key: Uint8Array;
  nonce: Uint8Array;
  additional: Uint8Array;
  input: Uint8Array;
  expected: Uint8Array;
  got: Uint8Array;
}

/** What was done; src/engine/experiments.ts, CipherCheckFigures. */
export interface CheckFigures {
  records: number;
  bytes: number;
  sockets: number;
  lanes: number;
  hanging: number;
  durationMs: number;
  difference: Difference | null;
}

export interface CipherCheck extends Omit<CheckFigures, 'difference'> {
  /** Of AES-GCM; null: the kernel did not say. */
  driver: { name: string; async: boolean } | null;
  seed: number;
  /** Bytes in hexadecimal. */
  difference: Shown | null;
}

type Bytes = 'key' | 'nonce' | 'additional' | 'input' | 'expected' | 'got';
type Shown = Omit<Difference, Bytes> & Record<Bytes, string>;

const shownBytes = 16;
const mib = 1_048_576;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

export function describeCheck(
  { difference, ...figures }: CheckFigures,
  driver: CipherCheck['driver'],
  seed: number,
): CipherCheck {
  if (difference === null) return { ...figures, driver, seed, difference };
  const { key, nonce, additional, input, expected, got } = difference;
  const bytes = { key, nonce, additional, input, expected, got };
  const texts = Object.fromEntries(
    Object.entries(bytes).map(([name, value]) => [name, hex(value)]),
  ) as Record<Bytes, string>;
  return { ...figures, driver, seed, difference: { ...difference, ...texts } };
}

const titles: Readonly<Record<Difference['fault'], string>> = {
  wrong_bytes: "The kernel's cipher gave wrong bytes",
  refused: "The kernel's cipher failed",
  no_answer: "The kernel's cipher does not answer",
};

const advice =
  'Set tls_offload = "off" (or --tls-offload off) until the driver is mended. "--json" has the exact ' +
  'input, in hexadecimal, for whoever maintains it. docs/ENGINE-FAULTS.md goes on from here.';

function placeOf({ fault, offset, expected, got, error }: Shown): string {
  if (fault === 'no_answer') return 'Nothing came for 15 s.';
  if (fault === 'refused') return `The kernel said: ${error}.`;
  const cut = (text: string): string => text.slice(2 * offset, 2 * (offset + shownBytes));
  return `From byte ${offset} on it gave ${cut(got) || 'nothing'} where software gives ${cut(expected) || 'nothing'}.`;
}

function judgeDifference(difference: Shown, byWhom: string): Finding {
  const { fault, version, cipher, isDecrypting, sequence, how, input, key, nonce } = difference;
  const what = isDecrypting ? 'opening' : 'sealing';
  const detail =
    `${version} ${cipher}, ${what} record ${sequence} of its connection, ${input.length / 2} bytes ` +
    `(${how})${byWhom}. ${placeOf(difference)} Key ${key}, nonce ${nonce || 'not reached'}.`;
  return { id: 'cipher-check.verdict', level: 'problem', title: titles[fault], detail, advice };
}

export function judgeCheck(check: CipherCheck): Finding[] {
  const { difference, driver, records, bytes, lanes, sockets, durationMs, hanging } = check;
  const byWhom = driver === null ? '' : `, by ${driver.name}${driver.async ? ' (async)' : ''}`;
  const findings: Finding[] = [];
  if (hanging > 0) {
    const title = `${hanging} threads hang in the kernel`;
    const detail =
      "They wait for the cipher, uninterruptibly: this program's process stays until it answers.";
    findings.push({ id: 'cipher-check.hanging', level: 'problem', title, detail, advice });
  }
  if (difference !== null) return [judgeDifference(difference, byWhom), ...findings];
  if (hanging > 0) return findings;
  const title = "The kernel's cipher gave what software gives";
  const detail =
    `${records} records with ${(bytes / mib).toFixed(1)} MiB in ${(durationMs / 1000).toFixed(0)} s, ` +
    `sealed and opened, over ${sockets} connections, ${lanes} at a time${byWhom}. A fault that comes ` +
    'once in so many records more needs a longer look: --seconds.';
  return [{ id: 'cipher-check.verdict', level: 'ok', title, detail }];
}

export function checkImpossible(reason: string): Finding {
  const title = 'The check of the cipher needs kernel TLS, which is not available here';
  return { id: 'cipher-check.impossible', level: 'warning', title, detail: reason };
}

export function checkBrokenOff(reason: string): Finding {
  const title = 'The check of the cipher broke off';
  return { id: 'cipher-check.broken-off', level: 'problem', title, detail: `${reason}.` };
}
