// SPDX-License-Identifier: Apache-2.0
// The commands of docs/API.md, run as they stand there against a real service.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { startCli } from './server.js';

/** The shell commands of the document, with this state directory in place of the service's. */
function commandsOf(stateDir: string): string {
  const text = readFileSync('docs/API.md', 'utf8');
  const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block);
  return blocks.join('\n').replaceAll('/var/lib/spliced', stateDir);
}

t.test('every command succeeds', async (t) => {
  // A short path: curl takes no more than 108 bytes.
  const directory = mkdtempSync(join(tmpdir(), 'spliced-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const server = await startCli(directory, ['--root', directory]);
  t.teardown(() => server.child.kill('SIGKILL'));
  const stateDir = join(directory, 'state');
  while (!existsSync(join(stateDir, 'proxy.sock'))) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const commands = commandsOf(stateDir);
  t.equal(commands.match(/^(printf .*\| )?api /gm)?.length, 17, 'none was overlooked');
  const shell = spawn('bash', ['-eo', 'pipefail'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  shell.stdout.on('data', (data) => {
    stdout += data;
  });
  shell.stderr.on('data', (data) => {
    stderr += data;
  });
  shell.stdin.end(commands);
  const [code] = await once(shell, 'close');
  t.same([code, stderr], [0, ''], stdout.slice(-500));
  t.match(stdout, /"uptimeMs":/);
  t.match(stdout, /"valid":false,"errors":\[\{"line":1,"key":"rooot"/);
  t.match(stdout, /-----BEGIN CERTIFICATE REQUEST-----/);
  t.match(stdout, /"draining":true/);
  t.match(await server.ended, { code: 0 });
});
