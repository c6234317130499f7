// SPDX-License-Identifier: Apache-2.0
// What happens to a download when the engine stops, and to connections when the certificate is
// replaced: nothing that was begun is lost unless someone says so.

import { X509Certificate } from 'node:crypto';
import { Agent } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { connectRaw, get, newPair, type Running, readToEnd, startService } from './service.js';

// More than the socket buffers of both ends of a loopback connection.
const large = Buffer.alloc(32 * 1024 * 1024, 'x');
const files = { 'index.html': 'x', 'large.bin': large };

/** Asks for the large file and reads nothing until told to. */
async function beginDownload(running: Running) {
  const socket = await connectRaw(running);
  socket.pause();
  socket.write('GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await sleep(200);
  return {
    socket,
    finish: async () => {
      const received = readToEnd(socket);
      socket.resume();
      const bytes = await received;
      return bytes.length - bytes.indexOf('\r\n\r\n') - 4;
    },
  };
}

for (const ring of ['auto', 'epoll'] as const) {
  t.test(`stop() drains an active download, ring ${ring}`, async (t) => {
    const running = await startService(t, files, { ring });
    const { service, events, port } = running;
    const download = await beginDownload(running);
    service.stop(20_000);
    await sleep(300);
    t.notOk(
      events.seen.some(({ type }) => type === 'stopped'),
      'it waits',
    );
    await t.rejects(get(running, { port }), { code: 'ECONNREFUSED' }, 'nobody new is let in');
    t.equal(await download.finish(), large.length, 'every byte arrives');
    t.match(await events.wait('stopped'), { drained: 1, aborted: 0 });
  });

  t.test(`a shorter stop() ends it, ring ${ring}`, async (t) => {
    const running = await startService(t, files, { ring });
    const { service, events } = running;
    const download = await beginDownload(running);
    download.socket.on('error', () => {});
    service.stop(20_000);
    await sleep(100);
    const startedMs = Date.now();
    service.stop(0);
    t.match(await events.wait('stopped'), { drained: 0, aborted: 1 });
    t.ok(Date.now() - startedMs < 2_000, 'at once');
    const outcome = await download.finish().catch(() => 0);
    t.ok(outcome < large.length, 'the client sees that it is incomplete');
  });

  t.test(`close() in the middle of a download, ring ${ring}`, async (t) => {
    const running = await startService(t, files, { ring });
    const download = await beginDownload(running);
    download.socket.on('error', () => {});
    const startedMs = Date.now();
    running.service.close();
    t.ok(Date.now() - startedMs < 2_000, 'at once');
    const outcome = await download.finish().catch(() => 0);
    t.ok(outcome < large.length);
  });

  t.test(`stop() closes idle connections at once, ring ${ring}`, async (t) => {
    const running = await startService(t, files, { ring });
    const agent = new Agent({ keepAlive: true });
    t.equal((await get(running, { agent })).status, 200);
    running.service.stop(20_000);
    const stopped = await running.events.wait('stopped');
    t.ok(stopped.durationMs < 3_000, `${stopped.durationMs} ms`);
    t.equal(stopped.aborted, 0);
    agent.destroy();
  });
}

t.test('replaceCertificates()', async (t) => {
  const running = await startService(t, files);
  const { service, pair } = running;
  const fingerprint = (chain: string): string => new X509Certificate(chain).fingerprint256;
  const next = await newPair();
  const kept = new Agent({ keepAlive: true, maxSockets: 1 });
  t.equal((await get(running, { agent: kept })).fingerprint, fingerprint(pair.chain));

  const wrong = [{ chain: next.chain, privateKey: pair.privateKey }];
  t.throws(() => service.replaceCertificates(wrong), { code: 'ECERTIFICATE' });
  t.equal((await get(running)).fingerprint, fingerprint(pair.chain), 'the old one stays');

  service.replaceCertificates([next]);
  const fresh = { ...running, pair: next };
  t.equal(
    (await get(fresh)).fingerprint,
    fingerprint(next.chain),
    'new connections get the new one',
  );
  const answer = await get(running, { agent: kept });
  t.equal(answer.fingerprint, fingerprint(pair.chain), 'a connection goes on with what it has');
  kept.destroy();
});
