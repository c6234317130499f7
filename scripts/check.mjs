// SPDX-License-Identifier: Apache-2.0
// The checks that run nothing of the server: tidy rules, types, Biome. `npm run check` prints what
// they say; test.mjs runs the same list as its first suite.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { projectDir } from './setup.mjs';

const bin = (name) => join(projectDir, 'node_modules/.bin', name);

export const checks = [
  { name: 'tidy', command: [process.execPath, 'scripts/tidy.mjs'] },
  { name: 'types', command: [bin('tsc'), '--noEmit', '--project', 'tsconfig.json'] },
  { name: 'types of the page', command: [bin('tsc'), '--noEmit', '--project', 'ui/tsconfig.json'] },
  { name: 'biome', command: [bin('biome'), 'check', '--error-on-warnings', '.'] },
];

/** Runs one check; the answer has its output when it failed. */
export function runCheck({ name, command }) {
  const [program, ...args] = command;
  const result = spawnSync(program, args, { cwd: projectDir, encoding: 'utf8' });
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`;
  return { name, isOk: result.status === 0, output };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const check of checks) {
    const { name, isOk, output } = runCheck(check);
    console.log(`${name}: ${isOk ? 'ok' : `failed\n${output}`}`);
    if (!isOk) process.exitCode = 1;
  }
}
