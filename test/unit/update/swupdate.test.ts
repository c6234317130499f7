// SPDX-License-Identifier: Apache-2.0
// The adapter for SWUpdate, with programs in the place of its clients that say what those of 2022.12
// have said. The real ones: test/guest/update.test.ts.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { SwupdateInstaller } from '../../../src/update/adapters/swupdate.js';
import type { Progress } from '../../../src/update/installer.js';

const path = process.env.PATH;
t.teardown(() => {
  process.env.PATH = path;
});

async function install(t: Test, client: string, progress?: string, installer?: SwupdateInstaller) {
  const directory = t.testdir();
  const put = (name: string, text: string): void =>
    writeFileSync(join(directory, name), `#!/bin/sh\n${text}`, { mode: 0o755 });
  put('swupdate-client', client);
  if (progress !== undefined) put('swupdate-progress', progress);
  process.env.PATH = `${directory}:/usr/bin:/bin`;
  const told: Progress[] = [];
  let error = '';
  try {
    const onProgress = (one: Progress): void => void told.push(one);
    await (installer ?? new SwupdateInstaller(0)).install('/b', { onProgress, onToken: () => {} });
  } catch (reason) {
    error = (reason as Error).message;
  }
  return { told, error };
}

t.test('installed: words of the one, steps of the other', async (t) => {
  const { told, error } = await install(
    t,
    `[ "$*" = "-v /b" ] || exit 1
     echo 'Status: 1 message: Software Update started !'
     while [ ! -e "$(dirname "$0")/told" ]; do sleep 0.01; done
     echo 'Status: 2 message: [install_single_image] : Found installer for stream x raw'
     echo 'Status: 3 message: SWUPDATE successful !'
     echo 'Status: 0 message: Waiting for requests...'
     echo 'SWUpdate was successful !'`,
    `printf '[--] 1 of 0 0%% (), dwl 0%% of 0 bytes\\r[==-] 2 of 4 40%% (x), dwl 0%% of 0 bytes\\r'
     touch "$(dirname "$0")/told"
     exec sleep 600`,
  );
  t.equal(error, '');
  t.same(told.at(-1), { percent: 35, message: 'SWUPDATE successful !' });
  t.ok(told.some(({ message }) => message === 'Found installer for stream x raw'));
});

t.test('the first failure is the reason', async (t) => {
  const full = await install(
    t,
    `echo 'Status: 2 message: Installation in progress'
     echo 'Status: 4 message: ERROR : cannot write 16384 bytes: No space left on device'
     echo 'Status: 4 message: Installation failed !'
     echo 'SWUpdate *failed* !'; exit 1`,
  );
  t.equal(full.error, 'cannot write 16384 bytes: No space left on device');
  t.equal((await install(t, 'exit 1')).error, 'it ended with exit code 1');
  const absent = await install(t, 'echo "swupdate_async_start returns -1" >&2; exit 1');
  t.equal(absent.error, 'swupdate_async_start returns -1');
});

t.test('a client that gives up is not the result', async (t) => {
  const broken =
    'echo "swupdate_image_write failed: Broken pipe" >&2; echo "SWUpdate *failed* !"; exit 1';
  const says = (word: string) =>
    `sleep 0.2; [ "$*" = "-e echo result" ] && printf '\\rresult ${word}\\n'; exec sleep 600`;
  t.equal((await install(t, broken, says('SUCCESS'))).error, '', 'the daemon had everything');
  t.match((await install(t, broken, says('FAILURE'))).error, /ended the transfer.* log says why/);
  t.match((await install(t, broken, 'exit 1')).error, /result is not known/);
  t.match((await install(t, broken)).error, /result is not known/, 'without that program');
});

t.test('a stop of the service ends both', async (t) => {
  const installer = new SwupdateInstaller(0);
  setTimeout(() => installer.close(), 50);
  const { error } = await install(t, 'exec sleep 600', 'exec sleep 600', installer);
  t.match(error, /the service was stopped/);
});
