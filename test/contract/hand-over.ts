// SPDX-License-Identifier: Apache-2.0
// For the tests of answers that name a file: a directory of recordings that clients cannot ask for, and
// an application that may hand them over.

import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { RouteOptions, SiteOptions } from '../../src/engine/native.js';
import { proxyRoute, siteWith } from './proxy.js';
import { type Running, startService } from './service.js';

const bytesOf = (name: string, count: number): Buffer => {
  const lines: string[] = [];
  for (let i = 0; i * 16 < count; i += 1)
    lines.push(`${name.slice(0, 6).padEnd(6)}:${String(i).padStart(8, '0')}\n`);
  return Buffer.from(lines.join(''), 'latin1').subarray(0, count);
};

export const recordings: Record<string, Buffer> = {
  '1.mp4': bytesOf('1.mp4', 300_000),
  'small.txt': bytesOf('small', 120),
  'empty.bin': Buffer.alloc(0),
  'a b.txt': Buffer.from('with a space'),
  'ä.txt': Buffer.from('with an umlaut'),
  '100%.txt': Buffer.from('with a percent sign'),
  'deep/2.txt': Buffer.from('deep'),
};

export const internalRoute = (change: Partial<RouteOptions> = {}): RouteOptions => ({
  ...proxyRoute(''),
  path: '/recordings',
  action: 'static',
  directory: 1,
  mounted: true,
  index: 'index.html',
  internal: true,
  variants: true,
  ...change,
});

/** A directory of its own, which no other route serves. */
export function writeRecordings(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'spliced-recordings-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  mkdirSync(join(directory, 'deep'));
  for (const [name, content] of Object.entries(recordings)) {
    writeFileSync(join(directory, name), content);
  }
  return directory;
}

export interface Handing extends Running {
  /** Of the recordings. */
  directory: string;
}

/** An engine whose route "/" is the application's, which may hand over what is at /recordings. */
export async function startHanding(
  t: Test,
  upstream: string,
  routes: RouteOptions[] = [],
): Promise<Handing> {
  const directory = writeRecordings(t);
  const application = proxyRoute(upstream, { accelerate: ['/recordings'] });
  const all = [application, internalRoute(), ...routes];
  const site: SiteOptions = { ...siteWith(all), directories: [directory] };
  return { ...(await startService(t, { 'index.html': 'open' }, { site })), directory };
}

/** The reasons in the log since the last call. */
export const reasonsOf = ({ service }: Running): string[] =>
  service.takeIncidents().incidents.map(({ event, reason }) => `${event} ${reason}`);

export const digest = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
