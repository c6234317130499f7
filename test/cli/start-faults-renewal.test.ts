// SPDX-License-Identifier: Apache-2.0
// A start on a disk that refuses, with a renewal that is due: every call that writes fails once, by
// fault.c. Then what a start does when it cannot read, and without any pair.

import { join } from 'node:path';
import t from 'tap';
import {
  countCalls,
  type Errno,
  environmentOf,
  errnos,
  failAll,
  failEach,
  fresh,
  makeDue,
  serve,
} from './faults.js';
import { type Ended, runCli } from './server.js';

const names = Object.keys(errnos) as Errno[];
const due = await makeDue();

t.test('each call that writes fails once', (t) => failEach(t, due, names));

t.test('every call that writes fails', (t) => failAll(t, due));

t.test('each file that is read fails once', async (t) => {
  const calls = await countCalls(t, due, true);
  for (let at = 1; at <= calls.length; at += 1) {
    const { bytes, code } = await serve(fresh(due), { at, errno: 'EIO', isReading: true }, 0);
    if (bytes !== 5 || code !== 0) t.fail(`${at}, ${calls[at - 1]}: ${bytes}, ${code}`);
  }
});

t.test('no pair, and nothing can be written: the true errno and the path', async (t) => {
  for (const errno of Object.keys(errnos) as Errno[]) {
    const directory = fresh('');
    const env = environmentOf(directory, { at: 1, errno, isLasting: true });
    const state = join(directory, 'state');
    const ended: Ended = await runCli(
      ['serve', '--listen', '127.0.0.1:0', '--state-dir', state],
      env,
    );
    t.equal(ended.code, 2, errno);
    t.match(ended.stderr, new RegExp(`^spliced: --state-dir: .*${errno}: .*'${state}.*'\n$`));
  }
});
