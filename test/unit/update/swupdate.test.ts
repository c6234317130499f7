// SPDX-License-Identifier: Apache-2.0
// The adapter for SWUpdate, with programs in the place of its clients that say what those of 2022.12
// have said. The real ones: test/guest/update.test.ts.

import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { SwupdateInstaller } from '../../../src/update/adapters/swupdate.js';
import type { Progress } from '../../../src/update/installer.js';
import { until, watchOthers } from './others.js';

const path = process.env.PATH;
t.teardown(() => {
  process.env.PATH = path;
});

function putPrograms(t: Test, client: string, progress?: string): string {
  const directory = t.testdir();
  const put = (name: string, text: string): void =>
    writeFileSync(join(directory, name), `#!/bin/sh\n${text}`, { mode: 0o755 });
  put('swupdate-client', client);
  if (progress !== undefined) put('swupdate-progress', progress);
  process.env.PATH = `${directory}:/usr/bin:/bin`;
  return directory;
}

async function install(
  t: Test,
  client: string,
  progress?: string,
  installer = new SwupdateInstaller(0),
) {
  putPrograms(t, client, progress);
  const told: Progress[] = [];
  let error = '';
  try {
    const onProgress = (one: Progress): void => void told.push(one);
    await installer.install('/b', { onProgress, onToken: () => {} });
  } catch (reason) {
    error = (reason as Error).message;
  }
  installer.close();
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
  const cut = await install(
    t,
    `echo 'Status: 4 message: ERROR : no image is signed'
     echo 'swupdate_image_write failed: Broken pipe' >&2; exit 1`,
    'exit 1',
  );
  t.equal(cut.error, 'no image is signed', 'also of a transfer that broke off');
  const absent = await install(t, 'echo "swupdate_async_start returns -1" >&2; exit 1');
  t.equal(absent.error, 'swupdate_async_start returns -1');
});

t.test('swupdate-progress has a head start, as it hears nothing from before', async (t) => {
  const { error } = await install(
    t,
    '[ -e "$(dirname "$0")/listens" ]',
    'sleep 0.3; touch "$(dirname "$0")/listens"; exec sleep 600',
    new SwupdateInstaller(3_000),
  );
  t.equal(error, '');
});

t.test('two that are over before anybody follows them are two', async (t) => {
  const { begun, callbacks, endOf, say } = await watch(t);
  say('result FAILURE\n');
  await until(() => begun.length === 1);
  say('result SUCCESS\n');
  await until(() => begun.length === 2);
  t.match(await endOf(begun[0]?.(callbacks)), /log says why/);
  t.equal(await endOf(begun[1]?.(callbacks)), 'installed');
});

t.test('who is told of an end that was before does not end the one that runs', async (t) => {
  const { begun, told, callbacks, endOf, say } = await watch(t);
  say('result FAILURE\n[--] 1 of 1 10% (x), dwl 0% of 0 bytes\r');
  await until(() => begun.length === 2);
  t.match(await endOf(begun[0]?.(callbacks)), /log says why/);
  const end = endOf(begun[1]?.(callbacks));
  say('[--] 1 of 1 20% (x), dwl 0% of 0 bytes\r');
  await until(() => told.some(({ percent }) => percent === 20) || begun.length > 2);
  t.equal(begun.length, 2);
  say('result SUCCESS\n');
  t.equal(await end, 'installed');
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

t.test('a stop during the head start: the daemon is not asked', async (t) => {
  const installer = new SwupdateInstaller(600_000);
  setTimeout(() => installer.close(), 50);
  const client = 'touch "$(dirname "$0")/asked"';
  const { error } = await install(t, client, 'exec sleep 600', installer);
  t.match(error, /the service was stopped/);
  t.notOk(existsSync(join(t.testdirName, 'asked')));
});

/** What swupdate-progress says is what the test writes into a file. */
async function watch(t: Test, { client = 'exit 1', silenceMs = 60_000 } = {}) {
  const directory = putPrograms(t, client, 'exec tail -n +1 -f "$(dirname "$0")/said" 2>/dev/null');
  const said = join(directory, 'said');
  writeFileSync(said, '');
  const installer = new SwupdateInstaller(0, silenceMs);
  const others = watchOthers(t, installer);
  const endOf = (end: Promise<void> | undefined): Promise<string> =>
    end === undefined
      ? Promise.resolve('nothing has begun')
      : end.then(
          () => 'installed',
          (error: Error) => error.message,
        );
  const say = (text: string): void => appendFileSync(said, text);
  return { installer, directory, ...others, endOf, say };
}

t.test('what others begin, to its end', async (t) => {
  const { begun, told, tokens, callbacks, endOf, say } = await watch(t);
  say('\n\nUpdate started !\nInterface: BACKEND\n\n[--] 1 of 2 10% (x), dwl 0% of 0 bytes\r');
  await until(() => begun.length > 0);
  const end = endOf(begun[0]?.(callbacks));
  say('[--] 2 of 2 40% (x), dwl 0% of 0 bytes\r');
  await until(() => told.length > 0);
  t.same(told, [{ percent: 70, message: '' }]);
  t.equal(tokens.length, 1, 'the next process can follow it');
  say('\nresult SUCCESS\n');
  t.equal(await end, 'installed');
  // Refused before its first step, and over before anybody follows it.
  say('result FAILURE\n');
  await until(() => begun.length > 1);
  t.match(await endOf(begun[1]?.(callbacks)), /log says why/);
  t.equal(begun.length, 2);
});

t.test('ours is not taken for another one, nor what is told behind its end', async (t) => {
  const client = "echo 'Status: 3 message: SWUPDATE successful !'";
  const { installer, begun, told, callbacks, endOf, say } = await watch(t, { client });
  say('[--] 1 of 1 10% (x), dwl 0% of 0 bytes\r');
  await until(() => begun.length === 1);
  say('result SUCCESS\n');
  await endOf(begun[0]?.(callbacks));
  const end = endOf(installer.install('/b', callbacks));
  say('[--] 1 of 1 30% (x), dwl 0% of 0 bytes\r');
  await until(() => told.some(({ message }) => message === 'SWUPDATE successful !'));
  say('[--] 1 of 1 99% (x), dwl 0% of 0 bytes\rresult SUCCESS\n');
  t.equal(await end, 'installed');
  t.equal(begun.length, 1);
});

t.test(
  'how far ours is, and its result, which may come behind the end of the client',
  async (t) => {
    const client = 'cd "$(dirname "$0")"; while [ ! -e go ]; do sleep 0.01; done; touch ended';
    const { installer, begun, told, callbacks, endOf, say, directory } = await watch(t, { client });
    const ours = endOf(installer.install('/b', callbacks));
    say('[--] 1 of 1 30% (x), dwl 0% of 0 bytes\r');
    await until(() => told.some(({ percent }) => percent === 30));
    writeFileSync(join(directory, 'go'), '');
    await until(() => existsSync(join(directory, 'ended')));
    await sleep(50); // The end of the client is there before the result.
    say('result SUCCESS\n');
    t.equal(await ours, 'installed');
    say('[--] 1 of 1 5% (x), dwl 0% of 0 bytes\r');
    await until(() => begun.length > 0);
    const theirs = endOf(begun.at(-1)?.(callbacks));
    say('[--] 1 of 1 6% (x), dwl 0% of 0 bytes\r');
    await until(() => told.some(({ percent }) => percent === 6));
    t.equal(begun.length, 1, 'the result was ours');
    say('result SUCCESS\n');
    t.equal(await theirs, 'installed');
  },
);

t.test(
  'what others begin behind ours is seen, though the result of ours was not told',
  async (t) => {
    const { installer, begun, callbacks, endOf, say } = await watch(t, { client: 'exit 0' });
    t.equal(await endOf(installer.install('/b', callbacks)), 'installed');
    say('[--] 1 of 1 30% (x), dwl 0% of 0 bytes\r');
    await until(() => begun.length > 0);
    t.equal(begun.length, 1);
  },
);

t.test(
  'followed by two: the end is told to both; without anybody who watches others, too',
  async (t) => {
    const { installer, begun, callbacks, endOf, say } = await watch(t);
    say('[--] 1 of 1 10% (x), dwl 0% of 0 bytes\r');
    await until(() => begun.length === 1);
    const ends = [endOf(begun[0]?.(callbacks)), endOf(installer.resume('swupdate', callbacks))];
    say('result SUCCESS\n');
    t.same(await Promise.all(ends), ['installed', 'installed']);
    putPrograms(t, 'exit 1', 'echo result FAILURE; exec sleep 600');
    const alone = new SwupdateInstaller(0);
    t.teardown(() => alone.close());
    t.match(await endOf(alone.resume('swupdate', callbacks)), /log says why/);
  },
);

t.test('followed again by the next process; where nothing comes, nobody knows', async (t) => {
  const { installer, begun, callbacks, endOf, say } = await watch(t);
  const end = endOf(installer.resume('swupdate', callbacks));
  say('result FAILURE\n');
  t.match(await end, /log says why/);
  t.equal(begun.length, 0);
  const silent = await watch(t, { silenceMs: 1 });
  t.match(await endOf(silent.installer.resume('swupdate', callbacks)), /tells nothing more/);
  silent.say('[--] 1 of 1 30% (x), dwl 0% of 0 bytes\r');
  await until(() => silent.begun.length > 0);
  t.pass('until it is heard again');
});

t.test(
  'a stop of the service leaves theirs alone; without the program nothing is seen',
  async (t) => {
    const { installer, begun, callbacks, endOf, say } = await watch(t);
    say('[--] 1 of 1 30% (x), dwl 0% of 0 bytes\r');
    await until(() => begun.length > 0);
    const end = endOf(begun[0]?.(callbacks));
    installer.close();
    t.match(await end, /service was stopped/);
    putPrograms(t, 'exit 1');
    const blind = new SwupdateInstaller(0);
    const troubles: string[] = [];
    const onTrouble = (reason: string): void => void troubles.push(reason);
    process.env.PATH = t.testdir();
    blind.watchOthers({ onBegun: () => {}, onTrouble });
    await until(() => troubles.length > 0);
    t.match(troubles, [/is not seen: swupdate-progress: there is no such program/]);
  },
);
