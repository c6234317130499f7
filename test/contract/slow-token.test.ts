// SPDX-License-Identifier: Apache-2.0
// A token that is slow, hangs, is pulled or locks its PIN (slow-token.c, in front of SoftHSM):
// whoever waits for its signature waits alone. test/native/signing.cpp has the orders in detail; here
// is the real way, from Node's addon by OpenSSL's provider to a module and back.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { matchTokenKey } from '../../src/tls/token-key.js';
import { connectRaw, get, newPair, type Running, startService } from './service.js';
import { newToken } from './token.js';

const token = newToken(t, ['device'], 'slow-token.so');
const module = join(token.directory, 'slow-token.so');
const cc = ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', module];
execFileSync('cc', [...cc, 'test/contract/slow-token.c', '-ldl']);
const pair = await token.newPair('tls', '01', 'ec');
const mood = join(token.directory, 'mood');
process.env.SLOW_TOKEN = mood;
const become = (text: string): void => writeFileSync(mood, text);
/** What the token was asked for since this was last called. */
const asked = (letter: string): number => {
  const log = existsSync(`${mood}.log`) ? readFileSync(`${mood}.log`, 'utf8') : '';
  return log.split(letter).length - 1;
};
const forget = (): void => rmSync(`${mood}.log`, { force: true });

const signatures = ({ service }: Running) => JSON.parse(service.stats()).tls.signatures;
const failures = ({ service }: Running) => JSON.parse(service.stats()).tls.failures;

/** The test's own time-out ends a wait in vain. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
}

async function start(t: Test, more: Awaited<ReturnType<typeof newPair>>[] = []): Promise<Running> {
  become('0');
  await matchTokenKey(pair.privateKey, [pair.chain], true); // As a reload: it is well again.
  const certificates = [pair, ...more];
  const running = await startService(t, { 'a.txt': 'hello' }, { certificates });
  running.pair = pair;
  forget();
  return running;
}

/** The alert that ended a handshake, by its number (RFC 8446 6). */
const alertOf = (running: Running): Promise<string | undefined> =>
  get(running, { path: '/a.txt' }).then(
    () => 'served',
    (error: Error) => /alert number (\d+)/.exec(error.message)?.[1] ?? error.message,
  );
const internalError = '80';

/** One request over a connection that stays. */
async function ask(socket: Awaited<ReturnType<typeof connectRaw>>): Promise<string> {
  const answer = new Promise<string>((resolve) =>
    socket.once('data', (data) => resolve(data.toString('latin1').slice(0, 12))),
  );
  socket.write('HEAD /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n');
  return await answer;
}

t.test('eight wait for a signature of 300 ms: who has a connection is served', async (t) => {
  const running = await start(t);
  const socket = await connectRaw(running);
  become('hang'); // Until the answers are there: the order is what counts, on a busy machine too.
  const order: string[] = [];
  const waiting = Array.from({ length: 8 }, async () => {
    t.equal((await get(running, { path: '/a.txt' })).status, 200);
    order.push('handshake');
  });
  await until(() => signatures(running).waiting === 4);
  for (let i = 0; i < 5; i += 1) {
    t.equal(await ask(socket), 'HTTP/1.1 200');
    order.push('answer');
  }
  become('300');
  await Promise.all(waiting);
  t.same(order, [...Array(5).fill('answer'), ...Array(8).fill('handshake')]);
  t.match(signatures(running), { made: 9, failed: 0, turnedAway: 0, waiting: 0 });
  t.equal(asked('s'), 9);
  t.ok(signatures(running).threads <= 4);
  socket.destroy();
});

t.test('a token that hangs: alerts, and the service stops', async (t) => {
  const running = await start(t);
  const socket = await connectRaw(running);
  become('hang');
  const waiting = Array.from({ length: 6 }, () => alertOf(running));
  await until(() => signatures(running).hanging === 4);
  t.equal(await alertOf(running), internalError);
  for (const one of waiting) t.equal(await one, internalError);
  t.equal(failures(running).signature, 7);
  const { failing, threads } = signatures(running);
  t.match(failing, [{ key: 'pkcs11:token=device;object=tls', reason: /does not answer/ }]);
  t.equal(threads, 4);
  t.equal(await ask(socket), 'HTTP/1.1 200');
  socket.destroy();
  running.service.stop(1_000);
  await running.events.wait('stopped');
  running.service.close();
  become('0');
});

t.test('a token that is pulled: an alert, and the pair in memory takes over', async (t) => {
  const other = await newPair();
  const running = await start(t, [other]);
  const first = await get(running, { path: '/a.txt' });
  become('pulled');
  t.equal(await alertOf(running), internalError);
  await until(() => signatures(running).failing.length === 1);
  t.match(signatures(running).failing, [{ reason: /\S/ }]);
  t.comment(signatures(running).failing[0].reason);
  running.pair = other;
  const second = await get(running, { path: '/a.txt' });
  t.equal(second.status, 200);
  t.not(second.fingerprint, first.fingerprint);
  t.equal(signatures(running).takenOver, 1);
  // Plugged in again, and a reload asks it.
  become('0');
  await matchTokenKey(pair.privateKey, [pair.chain], true);
  running.pair = pair;
  t.equal((await get(running, { path: '/a.txt' })).fingerprint, first.fingerprint);
  t.same(signatures(running).failing, []);
});

t.test('a question that is new asks the token, and one that is not does not', async (t) => {
  become('0');
  const ask = (isFresh: boolean) => matchTokenKey(pair.privateKey, [pair.chain], isFresh);
  t.equal(await ask(true), 0);
  forget();
  t.equal(await ask(false), 0);
  t.equal(asked('f'), 0);
  t.equal(await ask(true), 0);
  t.ok(asked('f') > 0);
});

t.test('a PIN that is locked is not tried by every client', async (t) => {
  const running = await start(t);
  become('locked');
  t.equal(await alertOf(running), internalError);
  await until(() => signatures(running).failing.length === 1);
  t.comment(signatures(running).failing[0].reason);
  const before = asked('l');
  for (let i = 0; i < 5; i += 1) t.equal(await alertOf(running), internalError);
  t.equal(asked('l'), before, 'no login more');
  t.equal(signatures(running).turnedAway, 5);
});
