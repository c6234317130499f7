// SPDX-License-Identifier: Apache-2.0
// The log: one JSON object a line, levels by name, and keys never in it.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { build } from 'esbuild';
import t from 'tap';

t.test('lines, levels and redaction', async (t) => {
  const directory = t.testdir();
  const outfile = join(directory, 'log.mjs');
  const contents = `
    import { createLog } from './src/log/log.js';
    const log = createLog('info');
    log.debug({ event: 'hidden' });
    log.info({ event: 'one', privateKey: 'k1', pair: { privateKey: 'k2' }, list: [{ privateKey: 'k3' }] });
    log.error({ event: 'two' });
    process.exit(0);`;
  const stdin = { contents, resolveDir: process.cwd(), loader: 'ts' as const };
  const banner =
    "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
  await build({
    stdin,
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: { js: banner },
  });
  const { stdout, status } = spawnSync(process.execPath, [outfile], { encoding: 'utf8' });
  t.equal(status, 0);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.match(lines, [
    { level: 'info', event: 'one', time: /^\d{4}-\d\d-\d\dT/ },
    { level: 'error', event: 'two' },
  ]);
  t.equal(lines.length, 2);
  t.notMatch(stdout, /k[123]/);
});
