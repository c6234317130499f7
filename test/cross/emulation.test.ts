// SPDX-License-Identifier: Apache-2.0
// The package on other architectures, by QEMU's user-mode emulation and Node's official binaries: its
// prebuild loads and serves. That emulation has neither io_uring nor kernel TLS, so that this is the
// way of user-space TLS over epoll, and of the width of every type that crosses to the kernel.

import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { prebuildPath, targets } from '../../cross/targets.mjs';
import { foreignNode } from '../../scripts/foreign-node.mjs';
import { beginDownload, logLines, startServer } from '../cli/server.js';
import { archive, get, output } from './package.js';

const largeBytes = 16 << 20;
const hugeBytes = 5 * 2 ** 30;
const markAt = 2 ** 32 + 4096;
const startTimeoutMs = 120_000;

/** A root with a page, 16 MiB of noise and a file that 32 bits cannot count. */
function makeRoot(directory: string): { root: string; digest: string } {
  const root = join(directory, 'root');
  mkdirSync(root);
  const noise = randomBytes(largeBytes);
  writeFileSync(join(root, 'large.bin'), noise);
  writeFileSync(join(root, 'index.html'), '<title>page</title>\n');
  const huge = join(root, 'huge.bin');
  writeFileSync(huge, '');
  truncateSync(huge, hugeBytes);
  const fd = openSync(huge, 'r+');
  writeSync(fd, 'beyond four gibibytes', markAt);
  closeSync(fd);
  return { root, digest: createHash('sha256').update(noise).digest('hex') };
}

for (const target of targets) {
  if (target.emulator === undefined) continue;
  t.test(`serves on ${target.name}`, async (t) => {
    const directory = t.testdir();
    output(['tar', '-xzf', archive, '-C', directory]);
    const { root, digest } = makeRoot(directory);
    const command = foreignNode(target);
    const own = ['--listen', '127.0.0.1:0', '--state-dir', join(directory, 'state')];
    const program = join(directory, 'package/dist/cli.js');
    const env = { UV_USE_IO_URING: '0' };
    const server = await startServer(
      [...command, program, 'serve', '--root', root, ...own],
      env,
      startTimeoutMs,
    );
    t.teardown(() => server.child.kill('SIGKILL'));
    const maps = readFileSync(`/proc/${server.child.pid}/maps`, 'utf8');
    t.match(maps, join(directory, 'package', prebuildPath(target)), 'the prebuild is loaded');

    t.equal(String(get(server.port, '/')), '<title>page</title>\n');
    const large = get(server.port, '/large.bin');
    t.equal(createHash('sha256').update(large).digest('hex'), digest, '16 MiB');
    const noise = readFileSync(join(root, 'large.bin'));
    const range = get(server.port, '/large.bin', ['--range', '1000000-1099999']);
    t.ok(range.equals(noise.subarray(1_000_000, 1_100_000)), 'a range');
    const beyond = ['--range', `${markAt}-${markAt + 20}`, '--include'];
    const answer = String(get(server.port, '/huge.bin', beyond));
    t.match(
      answer,
      new RegExp(`content-range: bytes ${markAt}-${markAt + 20}/${hugeBytes}\r\n`, 'i'),
    );
    t.match(answer, /\r\n\r\nbeyond four gibibytes$/, 'beyond 4 GiB');
    t.match(
      String(get(server.port, '/huge.bin', ['--head'])),
      new RegExp(`content-length: ${hugeBytes}\r\n`, 'i'),
    );
    const status = JSON.parse(String(get(server.port, '/.spliced/status')));
    t.equal(status.ring.backend, 'epoll');
    t.same(status.offload.promoted, {}, 'all in user space');

    const download = await beginDownload(server.port, '/large.bin');
    server.child.kill('SIGTERM');
    await sleep(300);
    t.equal(server.child.exitCode, null, 'a stop waits for the download');
    t.equal(await download.read(), largeBytes, 'nothing is lost');
    const { code, stdout } = await server.ended;
    t.equal(code, 0);
    t.match(logLines(stdout).at(-1), { event: 'stopped', aborted: 0 });
  });
}
