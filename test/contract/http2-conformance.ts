// SPDX-License-Identifier: Apache-2.0
// What a server makes of frames, said in RFC 9113's own terms, so that a test is a table: the frames
// that a client sends, and the outcomes that the specification allows.

import type { Test } from 'tap';
import { fieldBlock, flag, frame, RawSession, requestFields, type, u32 } from './http2.js';
import { get, type Running } from './service.js';

/** RFC 9113 7, by number. */
export const codeNames = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
];

export const padded = 8;
export const withPriority = 0x20;
/** What every request without a body has. */
export const whole = flag.endStream | flag.endHeaders;
/** RFC 9113 6.5.2, by name. */
export const setting = { tableSize: 1, push: 2, streams: 3, window: 4, frameSize: 5 };

export const bytes = (...values: number[]): Buffer => Buffer.from(values);

export function settings(...pairs: [number, number][]): Buffer {
  const payload = pairs.map(([of, value]) => Buffer.concat([bytes(0, of), u32(value)]));
  return frame(type.settings, 0, 0, Buffer.concat(payload));
}

export function headers(
  stream: number,
  fields: [string, string][] | Buffer = requestFields('/'),
  flags: number = whole,
): Buffer {
  const block = Buffer.isBuffer(fields) ? fields : fieldBlock(fields);
  return frame(type.headers, flags, stream, block);
}

/** A request with another method, or with other pseudo-header fields. */
export function fieldsOf(
  change: Record<string, string | undefined>,
  more: [string, string][] = [],
): [string, string][] {
  const base = requestFields('/').map(([name, value]): [string, string | undefined] => [
    name,
    name in change ? change[name] : value,
  ]);
  const kept = base.filter((pair): pair is [string, string] => pair[1] !== undefined);
  return [...kept, ...more];
}

export const post = fieldsOf({ ':method': 'POST' });

export const data = (stream: number, payload: string | Buffer = 'x', flags = 0): Buffer =>
  frame(type.data, flags, stream, Buffer.from(payload));

export const reset = (stream: number): Buffer => frame(type.reset, 0, stream, u32(8));

export const windowUpdate = (stream: number, increment: number): Buffer =>
  frame(type.windowUpdate, 0, stream, u32(increment));

// RFC 7541 A: the statuses that have an index of their own.
const indexed = [200, 204, 206, 304, 400, 404, 500];

/** The status at the start of a response's field block; undefined: none can be read there. */
export function statusOf(block: Buffer): number | undefined {
  let at = 0;
  while (((block[at] ?? 0) & 0xe0) === 0x20) {
    // RFC 7541 6.3: the table's size changes first.
    if (((block[at] ?? 0) & 0x1f) === 0x1f) while ((block[at + 1] ?? 0) & 0x80) at += 1;
    at += ((block[at] ?? 0) & 0x1f) === 0x1f ? 2 : 1;
  }
  const first = block[at] ?? 0;
  if (first >= 0x88 && first <= 0x8e) return indexed[first - 0x88];
  const name = first & (first & 0x40 ? 0x3f : 0x0f);
  if (name < 8 || name > 14) return undefined;
  const length = block[at + 1] ?? 0;
  const value = block.subarray(at + 2, at + 2 + (length & 0x7f));
  if (!(length & 0x80)) return Number(value.toString());
  // RFC 7541 B: in Huffman's code 0, 1 and 2 have five bits, the other digits six.
  let bits = '';
  for (const byte of value) bits += byte.toString(2).padStart(8, '0');
  let digits = '';
  for (let bit = 0; digits.length < 3; ) {
    const five = Number.parseInt(bits.slice(bit, bit + 5), 2);
    const isShort = five < 3;
    digits += isShort ? five : Number.parseInt(bits.slice(bit, bit + 6), 2) - 0x19 + 3;
    bit += isShort ? 5 : 6;
  }
  return Number(digits);
}

/** A stream that no case uses: its answer says that all before it has been read. */
export const probe = 101;

/**
 * What became of `stream`, or of the connection: "GOAWAY NAME", "closed" without one, "RST_STREAM
 * NAME", "status N", or "ignored". `probes` off: the header block is still open.
 */
export async function outcome(
  raw: RawSession,
  stream: number,
  { probes = true, answers = false } = {},
): Promise<string> {
  const ofStream = (of: { type: number; stream: number }) =>
    of.stream === stream && (of.type === type.headers || of.type === type.reset);
  if (probes) raw.get(probe, '/');
  const isOver = (of: { type: number; payload: Buffer }) =>
    of.type === type.goAway && of.payload.readUInt32BE(4) !== 0;
  if (answers) await raw.wait((of) => isOver(of) || ofStream(of));
  if (probes) {
    await raw.wait((of) => isOver(of) || (of.stream === probe && of.type === type.headers));
  } else await raw.wait(isOver);
  const goAway = raw.frames.find(isOver);
  if (goAway) {
    await raw.ended();
    return `GOAWAY ${codeNames[goAway.payload.readUInt32BE(4)]}`;
  }
  if (raw.isEnded) return 'closed';
  const gone = raw.frames.find((of) => of.stream === stream && of.type === type.reset);
  if (gone) return `RST_STREAM ${codeNames[gone.payload.readUInt32BE(0)]}`;
  const answer = raw.frames.find((of) => of.stream === stream && of.type === type.headers);
  return answer ? `status ${statusOf(answer.payload)}` : 'ignored';
}

export interface Case {
  /** The section of RFC 9113 where nothing else is said, and what is sent. */
  name: string;
  frames: Buffer[];
  /** Any of them; an error of a stream may always be one of the connection (RFC 9113 5.4.2). */
  allowed: string[];
  stream?: number;
  /** Instead of the preface. */
  start?: Buffer;
  probes?: boolean;
}

/** Each case over a connection of its own; HTTP/1.1 on the same engine goes on. */
export async function runCases(t: Test, running: Running, cases: Case[]): Promise<void> {
  for (const { name, frames, allowed, stream = 1, start, probes } of cases) {
    const raw = await RawSession.open(t, running, start);
    raw.send(...frames);
    const answers = allowed.some((of) => of.startsWith('status')) && !allowed.includes('ignored');
    const seen = await outcome(raw, stream, { probes: probes ?? true, answers });
    if (allowed.includes(seen)) t.pass(`${name}: ${seen}`);
    else t.fail(`${name}: ${seen}, and not ${allowed.join(' or ')}`);
    raw.socket.destroy();
  }
  t.equal((await get(running)).status, 200, 'HTTP/1.1 beside it is served');
}

export const connectionError = (...codes: string[]): string[] => codes.map((of) => `GOAWAY ${of}`);

export const streamError = (...codes: string[]): string[] => [
  ...codes.map((of) => `RST_STREAM ${of}`),
  ...connectionError(...codes),
];
