// SPDX-License-Identifier: Apache-2.0
// What real clients are let loose on (http-curl.test.ts, http-node.test.ts): the program as it is, over
// a directory that `spliced pack` has been at, and its own count of connections.

import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import type { Test } from 'tap';
import { runCli, startCli } from './server.js';

export const modes = ['auto', 'off'] as const;

// Not a multiple of a record or of a piece, and more than the sockets hold.
export const large = randomBytes(3_000_017);
export const script = `export const words = '${'lorem ipsum '.repeat(20_000)}';\n`;
const table = `
[[route]]
not_found = "404.html"

[[route]]
path = "/form"
action = "respond"
methods = ["POST"]
body = "taken"
`;

export const digest = (data: Buffer | string): string =>
  createHash('sha256').update(data).digest('hex');

interface Status {
  connections: { accepted: number };
  drains: { aborted: number };
  offload: {
    kernel: string;
    promoted: Record<string, number>;
    fallbacks: Record<string, number>;
  };
}

export interface Site {
  /** Without a slash at its end. */
  origin: string;
  port: number;
  /** The authority that the server's certificate is of, as a file and as its text. */
  caFile: string;
  ca: string;
  directory: string;
  status: () => Promise<Status>;
  /** What `run` answers, and how many connections the server accepted meanwhile. */
  counting: <Answer>(run: () => Promise<Answer>) => Promise<[Answer, number]>;
}

function statusOf(port: number, ca: string): Promise<Status> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, ca, path: '/.spliced/status', agent: false };
    const outgoing = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString())));
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

export async function startSite(t: Test, offload: (typeof modes)[number]): Promise<Site> {
  const directory = t.testdir({
    'spliced.toml': table,
    root: {
      'index.html': '<p>hello</p>',
      '404.html': '<p>none</p>',
      'app.js': script,
      'digits.txt': '0123456789',
    },
  });
  const root = join(directory, 'root');
  const packed = await runCli(['pack', root]);
  if (packed.code !== 0) throw new Error(packed.stderr || String(packed.signal));
  // Random bytes are not worth the time that they take a compressor in a guest.
  writeFileSync(join(root, 'large.bin'), large);
  const options = ['--config', join(directory, 'spliced.toml'), '--root', root];
  const server = await startCli(directory, [...options, '--tls-offload', offload]);
  t.teardown(() => server.child.kill('SIGKILL'));
  const state = ['--state-dir', join(directory, 'state')];
  const { stdout: ca } = await runCli(['certificate', 'ca', ...state]);
  const caFile = join(directory, 'ca.pem');
  writeFileSync(caFile, ca);
  const status = (): Promise<Status> => statusOf(server.port, ca);
  const counting: Site['counting'] = async (run) => {
    const before = (await status()).connections.accepted;
    const answer = await run();
    // One of them asked for this figure.
    return [answer, (await status()).connections.accepted - before - 1];
  };
  const origin = `https://127.0.0.1:${server.port}`;
  return { origin, port: server.port, caFile, ca, directory, status, counting };
}

const sum = (counts: Record<string, number>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0);

/** Where the kernel can and may, it encrypted every connection; else none. Nothing was cut off. */
export async function checkEnd(
  t: Test,
  site: Site,
  offload: (typeof modes)[number],
): Promise<void> {
  const { connections, drains, offload: figures } = await site.status();
  const isKernels = offload === 'auto' && figures.kernel === 'available';
  const promoted = sum(figures.promoted);
  t.equal(promoted, isKernels ? connections.accepted : 0, `${promoted} connections promoted`);
  t.equal(drains.aborted, 0, 'nothing was aborted');
}
