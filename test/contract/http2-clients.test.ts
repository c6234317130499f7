// SPDX-License-Identifier: Apache-2.0
// A page of sixty small assets by clients that share no code with the server: Node's, curl, nghttp and h2load.

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { ask, http2Figures, openSession, startHttp2 } from './http2.js';

const run = promisify(execFile);

// From nothing to more than a frame, a record and a window.
const sizes = [0, 1, 100, 1000, 4096, 16_374, 16_375, 16_376, 40_000, 70_000];
const names = Array.from({ length: 60 }, (_, index) => `asset-${index}.bin`);
const files = Object.fromEntries(
  names.map((name, index) => [name, randomBytes(sizes[index % sizes.length] ?? 0)]),
);
const contentOf = (name: string) => files[name] ?? Buffer.from('absent');

for (const tlsOffload of ['auto', 'off'] as const) {
  t.test(`sixty assets, offload ${tlsOffload}`, async (t) => {
    const running = await startHttp2(t, files, { tlsOffload });
    const urls = names.map((name) => `https://127.0.0.1:${running.port}/${name}`);

    await t.test('Node', async (t) => {
      const session = await openSession(t, running);
      const answers = await Promise.all(names.map((name) => ask(session, { ':path': `/${name}` })));
      for (const [index, answer] of answers.entries()) {
        const name = names[index] ?? '';
        t.ok(answer.isWhole && answer.body.equals(contentOf(name)), name);
      }
    });

    await t.test('curl', async (t) => {
      const directory = mkdtempSync(join(tmpdir(), 'spliced-curl-'));
      t.teardown(() => rmSync(directory, { recursive: true }));
      const connections = http2Figures(running).connections;
      const options = ['-sk', '--http2', '--parallel', '--parallel-max', '60', '--max-time', '60'];
      const outputs = urls.flatMap((url, index) => [
        '-o',
        join(directory, names[index] ?? ''),
        url,
      ]);
      await run('curl', [...options, '-w', '%{http_version} %{http_code}\n', ...outputs]).then(
        ({ stdout }) => t.same([...new Set(stdout.trim().split('\n'))], ['2 200']),
      );
      for (const [index, name] of names.entries()) {
        const wanted = contentOf(name);
        // curl writes no file for nothing.
        if (sizes[index % sizes.length] === 0) continue;
        t.ok(readFileSync(join(directory, name)).equals(wanted), name);
      }
      t.ok(http2Figures(running).connections > connections);
    });

    await t.test('nghttp', async (t) => {
      const { stdout } = await run('nghttp', ['-n', '-s', '--no-verify-peer', ...urls], {
        timeout: 60_000,
      });
      t.equal(stdout.match(/ 200 /g)?.length, 60, 'each once');
    });

    await t.test('h2load', async (t) => {
      const load = ['-n', '600', '-c', '4', '-m', '30', ...urls];
      const { stdout } = await run('h2load', load, { timeout: 60_000 });
      t.match(stdout, /600 succeeded, 0 failed, 0 errored, 0 timeout/);
    });
    t.equal(http2Figures(running).streams.open, 0);
  });
}
