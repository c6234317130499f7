// SPDX-License-Identifier: Apache-2.0
// A Node that is too old gets one sentence before anything is loaded that it cannot read.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t from 'tap';

const guard = 'scripts/node-version.cjs';

/** The guard in a process that says to be this version. */
function judged(version: string) {
  const text = `Object.defineProperty(process, 'versions', { value: { node: '${version}' } });`;
  const program = `${text} require('./${guard}')`;
  const { status, stderr } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' });
  return { status, stderr };
}

t.test('one sentence for 12 to 19, nothing for what is new enough', async (t) => {
  for (const version of ['12.22.12', '18.20.4', '19.9.0']) {
    const { status, stderr } = judged(version);
    t.equal(status, 1, version);
    t.match(stderr, /^spliced: Node 20 or newer is needed .* this is [\d.]+\. .*\n$/);
    t.match(stderr, version);
  }
  for (const version of ['20.0.0', '24.11.1', '100.0.0']) {
    t.same(judged(version), { status: 0, stderr: '' }, version);
  }
});

t.test('the program begins with it', async (t) => {
  const entry = readFileSync('dist/cli.js', 'utf8');
  const text = readFileSync(guard, 'utf8');
  t.equal(entry, `#!/usr/bin/env node\n${text}if (major >= needed) require('./program.js');\n`);
});

t.test('what users begin with asks it first', async (t) => {
  const { scripts, engines } = JSON.parse(readFileSync('package.json', 'utf8'));
  for (const name of ['start', 'test', 'build']) t.match(scripts[name], `node ${guard} && `);
  t.equal(engines.node, '>=20', 'the same version');
  // Every Node reads it: no syntax that came after the fifth edition of ECMAScript.
  t.notMatch(
    readFileSync(guard, 'utf8').replaceAll(/\/\/.*/g, ''),
    /`|=>|\b(let|const|import)\b|\?\?|\?\./,
  );
});
