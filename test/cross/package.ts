// SPDX-License-Identifier: Apache-2.0
// The package that `npm run pack` made before these tests began, and what they ask of it.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };

export const archive = resolve(`build/package/spliced-${version}.tgz`);
export const bill = resolve(`build/package/spliced-${version}.cdx.json`);

/** Runs a program to its end; throws what it said on standard error unless it ended with 0. */
export function output(command: string[], env: NodeJS.ProcessEnv = process.env): Buffer {
  const [program = '', ...args] = command;
  const result = spawnSync(program, args, { env, maxBuffer: 64 << 20, timeout: 120_000 });
  if (result.status === 0) return result.stdout;
  throw new Error(`${command.join(' ')}: ${result.status ?? result.signal}: ${result.stderr}`);
}

/** The body of a GET by curl, which shares no code with the server. */
export function get(port: number, path: string, options: string[] = []): Buffer {
  const url = `https://127.0.0.1:${port}${path}`;
  return output(['curl', '--silent', '--show-error', '--fail', '--insecure', ...options, url]);
}
