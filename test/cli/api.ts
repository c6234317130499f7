// SPDX-License-Identifier: Apache-2.0
// A service whose API is there, for the tests of it.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type Server, startCli } from './server.js';

/** Until the API is there: it comes after `ready`. */
export async function socketOf(stateDir: string, name = 'proxy.sock'): Promise<string> {
  const path = join(stateDir, name);
  while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 20));
  return join(stateDir, name);
}

export interface Scene {
  server: Server;
  directory: string;
  stateDir: string;
  local: string;
  proxy: string;
  /** Options of a command that means this service. */
  own: string[];
}

export async function startWithApi(
  t: Test,
  args: string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<Scene> {
  const directory = t.testdir({ root: { 'index.html': 'hello' } });
  const server = await startCli(directory, ['--root', join(directory, 'root'), ...args], env);
  t.teardown(() => server.child.kill('SIGKILL'));
  const stateDir = join(directory, 'state');
  const proxy = await socketOf(stateDir);
  const local = join(stateDir, 'api.sock');
  return { server, directory, stateDir, local, proxy, own: ['--state-dir', stateDir] };
}
