// SPDX-License-Identifier: Apache-2.0
// Resumption and clients' certificates: a resumed session keeps the verified identity, and none is
// resumed that the settings of today might not verify. And what floods of bad handshakes leave.

import { execFile, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { Agent } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import type { ClientCertificates } from '../../src/engine/native.js';
import { Authority, type Shown } from './pki.js';
import { get, type Running, readToEnd, startService } from './service.js';

const execute = promisify(execFile);
const versions = ['TLSv1.2', 'TLSv1.3'] as const;
type Version = (typeof versions)[number];

const authority = await Authority.create('Site CA');
const good = await authority.issue();
const files = { 'secret.txt': 'secret' };
const trust = (change: Partial<ClientCertificates> = {}): ClientCertificates => ({
  ca: authority.pem,
  crl: '',
  require: ['/'],
  checkTimes: true,
  ...change,
});

interface Visit {
  /** Of /secret.txt, or why there is none. */
  status: number | string;
  isResumed: boolean;
  /** What the server gave to resume this session with. */
  session: Buffer | undefined;
}

/** One request on a connection of its own, with or without a session from before. */
async function visit(
  running: Running,
  version: Version,
  shown: Shown | undefined,
  session?: Buffer,
): Promise<Visit> {
  const { port, pair } = running;
  const limits = { minVersion: version, maxVersion: version };
  let given: Buffer | undefined;
  let socket: TLSSocket | undefined;
  try {
    const opened = await new Promise<TLSSocket>((resolve, reject) => {
      const options = { host: '127.0.0.1', port, ca: pair.chain, ...limits, ...shown };
      socket = connect(session ? { ...options, session } : options, () =>
        resolve(socket as TLSSocket),
      );
      socket.on('session', (data) => {
        given = data;
      });
      socket.on('error', reject);
    });
    const isResumed = opened.isSessionReused();
    opened.write('GET /secret.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    const answer = (await readToEnd(opened)).toString();
    return { status: Number(answer.split(' ')[1]), isResumed, session: given };
  } catch (error) {
    return { status: (error as Error).message, isResumed: false, session: given };
  } finally {
    socket?.destroy();
  }
}

const start = (t: Test, clientCertificates: ClientCertificates, tlsOffload: 'auto' | 'off') =>
  startService(t, files, { clientCertificates, tlsOffload });
const figuresOf = ({ service }: Running) => JSON.parse(service.stats());

const isKernelTls = (running: Running): boolean =>
  figuresOf(running).offload.kernel === 'available';

/** Connections that the kernel has taken over: all of them, where it can. */
const promotions = (running: Running): number =>
  (Object.values(figuresOf(running).offload.promoted) as number[]).reduce((a, b) => a + b, 0);

for (const version of versions) {
  t.test(`${version}: a resumed session is the same client, again and again`, async (t) => {
    for (const offload of ['auto', 'off'] as const) {
      const running = await start(t, trust(), offload);
      let last = await visit(running, version, good);
      t.match(last, { status: 200, isResumed: false, session: Buffer });
      for (let i = 0; i < 3; i += 1) {
        // It shows no certificate: the session is all that speaks for it.
        const next = await visit(running, version, undefined, last.session);
        t.match(next, { status: 200, isResumed: true }, `resumption ${i}, offload ${offload}`);
        last = { ...next, session: next.session ?? last.session };
      }
      const { clientCertificates, tls } = figuresOf(running);
      t.match(clientCertificates, { verified: 4, missing: 0 });
      t.match(tls.handshakes, { full: 1, resumed: 3 });
      t.equal(promotions(running), isKernelTls(running) && offload === 'auto' ? 4 : 0);
    }
  });

  t.test(`${version}: a session without a certificate gets none by resumption`, async (t) => {
    const running = await start(t, trust(), 'auto');
    const { session, status } = await visit(running, version, undefined);
    t.equal(status, 403);
    const next = await visit(running, version, good, session);
    t.match(next, { status: 403, isResumed: true });
  });

  t.test(`${version}: other settings end the sessions of before`, async (t) => {
    const changed = await authority.revoke([good]);
    const empty = await authority.revoke([]);
    const other = await Authority.create('Other CA');
    const changes: [string, ClientCertificates, Shown | undefined, number | RegExp][] = [
      ['a list that revokes it', trust({ crl: changed }), good, /certificate revoked/],
      ['a list that does not', trust({ crl: empty }), good, 200],
      ['no certificate any more', trust({ crl: empty }), undefined, 403],
      ['another CA', trust({ ca: other.pem }), good, /unknown ca/],
      ['one CA more', trust({ ca: authority.pem + other.pem }), good, 200],
      ['dates are looked at no more', trust({ checkTimes: false }), good, 200],
    ];
    for (const [name, settings, shown, status] of changes) {
      const running = await start(t, trust(), 'auto');
      const { session } = await visit(running, version, good);
      t.equal((await visit(running, version, undefined, session)).isResumed, true);
      running.service.replaceClientCertificates(settings);
      const next = await visit(running, version, shown, session);
      t.equal(next.isResumed, false, name);
      if (typeof status === 'number') t.equal(next.status, status, name);
      else t.match(next.status, status, name);
      running.service.replaceClientCertificates(trust());
      const back = await visit(running, version, undefined, session);
      t.match(back, { isResumed: true, status: 200 }, 'the same settings know it again');
    }
  });

  t.test(`${version}: sessions from before a CA was configured, and other paths`, async (t) => {
    const running = await startService(t, files);
    const { session, status } = await visit(running, version, undefined);
    t.equal(status, 200, 'nobody is asked');
    running.service.replaceClientCertificates(trust({ require: ['/elsewhere'] }));
    const asked = await visit(running, version, good, session);
    t.match(asked, { isResumed: false, status: 200 });
    running.service.replaceClientCertificates(trust());
    const known = await visit(running, version, undefined, asked.session);
    t.match(known, { isResumed: true, status: 200 }, 'paths are no part of the trust');
    t.equal((await visit(running, version, undefined)).status, 403);
  });

  t.test(`${version}: a session ends with the certificate that it stands for`, async (t) => {
    const notAfterMs = Math.floor(Date.now() / 1000) * 1000 + 2_000;
    const brief = await authority.issue({ notAfterMs });
    const running = await start(t, trust(), 'auto');
    const { session, status } = await visit(running, version, brief);
    t.equal(status, 200);
    t.equal((await visit(running, version, undefined, session)).isResumed, true);
    await sleep(notAfterMs + 1_100 - Date.now());
    const late = await visit(running, version, undefined, session);
    t.match(late, { isResumed: false, status: 403 });
    t.match((await visit(running, version, brief, session)).status, /certificate expired/);
  });
}

t.test('a connection that is open keeps its identity for one request more', async (t) => {
  const running = await start(t, trust(), 'auto');
  const agent = new Agent({ keepAlive: true, maxSockets: 1, maxCachedSessions: 0, ...good });
  t.teardown(() => agent.destroy());
  const path = '/secret.txt';
  for (const connection of ['keep-alive', 'keep-alive']) {
    t.match(await get(running, { path, agent, ...good }), { status: 200, headers: { connection } });
  }
  running.service.replaceClientCertificates(trust({ crl: await authority.revoke([good]) }));
  await visit(running, 'TLSv1.3', undefined); // By now the engine has the new settings.
  t.match(await get(running, { path, agent, ...good }), {
    status: 200,
    headers: { connection: 'close' },
  });
  await t.rejects(get(running, { path, agent, ...good }), /certificate revoked/);
});

// Node's client keeps no session of this size, so another one is asked.
t.test('a large certificate makes a ticket of several records', async (t) => {
  const large = await authority.issue({ paddingBytes: 20_000 });
  const tooLarge = await authority.issue({ paddingBytes: 40_000 });
  const cwd = t.testdir({ 'c.pem': large.cert, 'c.key': large.key });
  const input = 'GET /secret.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
  for (const tlsOffload of ['auto', 'off'] as const) {
    await t.test(`offload ${tlsOffload}`, async (t) => {
      const running = await start(t, trust(), tlsOffload);
      for (const version of versions) {
        const protocol = version === 'TLSv1.2' ? '-tls1_2' : '-tls1_3';
        const common = ['s_client', '-connect', `127.0.0.1:${running.port}`, protocol, '-ign_eof'];
        const ask = (...args: string[]): string =>
          String(
            spawnSync('openssl', [...common, ...args], { cwd, input, timeout: 20_000 }).stdout,
          );
        const first = ask('-cert', 'c.pem', '-key', 'c.key', '-sess_out', 'session.pem');
        t.match(first, /^New, [\s\S]*HTTP\/1.1 200/m, version);
        t.match(ask('-sess_in', 'session.pem'), /^Reused, [\s\S]*HTTP\/1.1 200/m, version);
        t.type((await visit(running, version, tooLarge)).status, 'string', 'too large');
      }
      const { pending, clientCertificates, connections } = figuresOf(running);
      t.equal(pending.contradictions, 0);
      t.equal(clientCertificates.verified, 4);
      t.equal(connections.shed, 0);
      t.equal(promotions(running), isKernelTls(running) && tlsOffload === 'auto' ? 4 : 0);
    });
  }
});

// The clients have a process of their own, so that this one's memory is the engine's.
const floodScript = `
  const { connect } = require('node:tls');
  const { port, count, cert, key } = JSON.parse(process.argv[1]);
  const one = (i) => new Promise((resolve) => {
    const version = i % 2 ? 'TLSv1.2' : 'TLSv1.3';
    const limits = { minVersion: version, maxVersion: version, rejectUnauthorized: false };
    const socket = connect({ host: '127.0.0.1', port, cert, key, ...limits });
    socket.on('error', ({ message }) => resolve(/unknown ca/.test(message) ? 1 : 0));
    socket.on('close', () => resolve(0));
  });
  (async () => {
    let refused = 0;
    for (let i = 0; i < count; i += 20) {
      const all = await Promise.all(Array.from({ length: 20 }, (_, j) => one(i + j)));
      for (const was of all) refused += was;
    }
    console.log(refused);
  })();`;

t.test('a flood of handshakes that fail leaves nothing', async (t) => {
  const other = await Authority.create('Other CA');
  const stranger = await other.issue();
  const running = await start(t, trust(), 'auto');
  const countFds = (): number => readdirSync('/proc/self/fd').length;
  const flood = async (count: number): Promise<void> => {
    const options = JSON.stringify({ port: running.port, count, ...stranger });
    const { stdout } = await execute(process.execPath, ['-e', floodScript, options]);
    t.equal(Number(stdout), count, 'every one had its alert');
    while (figuresOf(running).connections.open > 0) await sleep(10);
    await sleep(50); // The closer's thread.
  };
  await flood(400);
  const before = { fds: countFds(), rss: process.memoryUsage().rss };
  await flood(1600);
  t.equal(countFds(), before.fds, 'descriptors');
  // An SSL object and its certificates have some 30 KiB: 1600 of them would be 48 MiB.
  const grownMiB = (process.memoryUsage().rss - before.rss) / (1024 * 1024);
  t.ok(grownMiB < 12, `${grownMiB.toFixed(1)} MiB more`);
  t.equal(figuresOf(running).clientCertificates.refused.unknown_ca, 2000);
  t.equal((await visit(running, 'TLSv1.3', good)).status, 200);
});
