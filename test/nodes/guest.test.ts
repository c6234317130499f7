// SPDX-License-Identifier: Apache-2.0
// Kernel TLS with an asynchronous cipher in a guest, by the Node that runs this: handshakes, downloads of every
// kind, closes that must wait for the cipher, and a stop in the middle. It is a part of the matrix (test/guest),
// which the tests run with one Node only. scripts/test.mjs runs it with the others.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { checkCase } from '../guest/host/checks.js';
import { prepare } from '../guest/host/prepare.js';
import { type Case, runGuest } from '../guest/host/run-guests.js';

const cases = ['naive', 'matrix 4096', 'stop'];

const unable = prepare();
t.test(`a guest with Node ${process.version}`, { skip: unable ?? false }, async (t) => {
  const base = mkdtempSync(join(tmpdir(), 'spliced-nodes-'));
  t.teardown(() => rmSync(base, { recursive: true, force: true }));
  const guest = await runGuest<Case>({
    kernel: '6.12',
    options: ['-a'],
    script: (report) => ['main.mjs', report, ...cases],
    directory: join(base, 'out'),
    timeoutS: 480,
  });
  t.equal(guest.exitCode, 0, 'the guest ran to its end') || t.comment(guest.output);
  t.comment(`${guest.release ?? 'no report'}, ${guest.durationMs} ms`);
  for (const name of cases) {
    await t.test(name, async (t) => {
      checkCase(t, name, guest.cases[name] ?? { error: `No report:\n${guest.output}` }, true);
    });
  }
});
