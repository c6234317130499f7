// SPDX-License-Identifier: Apache-2.0
// Other servers under the conditions of the truncation matrix: slow clients, small buffers, an
// asynchronous cipher. nginx and the naive server truncate on a kernel as it is, and not on the patched
// one. lighttpd shuts down for writing and waits for its clients: on a kernel as it is that loses when the
// cipher is behind, which is luck. And a part of the product's own matrix on the patched kernel.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { checkDownloads, checkOffload } from '../guest/host/checks.js';
import { type Case, runGuest } from '../guest/host/run-guests.js';
import { buildKernel, builtKernels, prepareKernels } from './host.js';

interface Counts {
  error?: string;
  downloads: number;
  whole: number;
  truncated: number;
  other: number;
}

// Not stop: its deadline is that of a host that does nothing else.
const ownCases = ['matrix 16384', 'epoll', 'curl'];
// A machine that builds kernels is busy.
process.env.SPLICED_TEST_PATIENCE ??= '4';

/** Where nginx and lighttpd of trixie lie; throws when they cannot be had. */
function getPeers(): string {
  for (const command of [['make', '-s', '-C', 'bench'], ['bench/get-peers']]) {
    const [program = '', ...args] = command;
    const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr || error}`);
  }
  const { SPLICED_CACHE, XDG_CACHE_HOME, HOME = '' } = process.env;
  return join(SPLICED_CACHE ?? join(XDG_CACHE_HOME ?? join(HOME, '.cache'), 'spliced'), 'peers');
}

const unable = prepareKernels();
const directory = mkdtempSync(join(tmpdir(), 'spliced-kernel-'));
t.teardown(() => rmSync(directory, { recursive: true, force: true }));
const peers = unable === undefined ? getPeers() : '';
const async = ['-a', '-m', '1024'];

async function checkServers(test: Test, kernel: string, isPatched: boolean): Promise<void> {
  const guest = await runGuest<Counts>({
    kernel: buildKernel(kernel, ...(isPatched ? ['-p'] : [])),
    options: async,
    script: (report) => ['../../kernel/inside/servers.mjs', report, peers],
    directory: join(directory, `${kernel}-${isPatched}`),
    timeoutS: 600,
  });
  test.equal(guest.exitCode, 0, 'the guest ran to its end') || test.comment(guest.output);
  for (const name of ['nginx', 'lighttpd', 'naive']) {
    const { downloads = 0, whole, truncated = 0, other } = guest.cases[name] ?? {};
    test.equal(downloads, 32, `${name}: downloads`) || test.comment(guest.output);
    test.equal(other, 0, `${name}: none failed in another way`) || test.comment(guest.output);
    if (isPatched) test.equal(whole, downloads, `${name}: all are whole`);
    else if (name === 'lighttpd') test.comment(`${name}: ${truncated} of ${downloads} truncated`);
    else test.ok(truncated > 0, `${name}: ${truncated} of ${downloads} truncated`);
  }
}

for (const kernel of builtKernels) {
  t.test(`servers on ${kernel}`, { skip: unable ?? false }, (test) =>
    checkServers(test, kernel, false),
  );
  t.test(`servers on ${kernel}, patched`, { skip: unable ?? false }, (test) =>
    checkServers(test, kernel, true),
  );
  t.test(`the product on ${kernel}, patched`, { skip: unable ?? false }, async (test) => {
    const guest = await runGuest<Case>({
      kernel: buildKernel(kernel, '-p'),
      options: ['-a'],
      script: (report) => ['main.mjs', report, ...ownCases],
      directory: join(directory, `${kernel}-own`),
      timeoutS: 900,
    });
    test.equal(guest.exitCode, 0, 'the guest ran to its end') || test.comment(guest.output);
    for (const name of ownCases) {
      const result = guest.cases[name] ?? { error: `No report:\n${guest.output}` };
      checkDownloads(test, result);
      checkOffload(test, name, result, true);
    }
  });
}
