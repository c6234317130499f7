// SPDX-License-Identifier: Apache-2.0
// The package as a library for its tests: as a program of somebody else's finds it, and its examples.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import type { Server, ServerOptions } from '../../types/index.js';
import { newPair } from '../contract/service.js';

export const { createServer, version } = (await import(
  'spliced' as string
)) as typeof import('../../types/index.js');

export async function startExample(t: Test, name: string) {
  const directory = t.testdir();
  const { chain, privateKey } = await newPair();
  writeFileSync(join(directory, 'cert.pem'), chain);
  writeFileSync(join(directory, 'key.pem'), privateKey, { mode: 0o600 });
  const files = ['cert.pem', 'key.pem'].map((file) => join(directory, file));
  const child: ChildProcess = spawn(
    process.execPath,
    [`examples/${name}/server.mjs`, ...files, '0'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  t.teardown(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const [line] = (await once(lines, 'line')) as [string];
  return { child, port: Number(new URL(line).port), ca: chain };
}

export async function start(
  t: Test,
  options: Partial<ServerOptions>,
  handler?: Parameters<typeof createServer>[1],
): Promise<{ server: Server; port: number; ca: string }> {
  const { chain, privateKey } = await newPair();
  const server = createServer({ cert: chain, key: privateKey, ...options }, handler);
  t.teardown(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: server.address()?.port ?? 0, ca: chain };
}
