// SPDX-License-Identifier: Apache-2.0
// Groups of the key exchange, with whatever OpenSSL the Node has that runs this: which of a list are
// used, who gets which, and a ClientHello of the size that a hybrid makes.

import { connect as connectTcp } from 'node:net';
import { Duplex } from 'node:stream';
import { type ConnectionOptions, connect } from 'node:tls';
import t from 'tap';
import { schema } from '../../src/config/schema.js';
import { loadNative } from '../../src/engine/native.js';
import type { Log } from '../../src/log/log.js';
import { groupWarning, reportGroups, unknownGroups } from '../../src/serving/tls-groups.js';
import { everyGroup } from '../../src/tls/every-group.js';
import { type Running, startService } from './service.js';

const hybrid = 'X25519MLKEM768';
const { available } = loadNative().inspectTlsGroups([]);
const [major = 0, minor = 0] = process.versions.openssl.split('.').map(Number);
const hasHybrid = major > 3 || (major === 3 && minor >= 5);
t.comment(`OpenSSL ${process.versions.openssl}: ${hasHybrid ? '' : 'no '}${hybrid}`);

const groupsOf = ({ service }: Running): Record<string, number> =>
  JSON.parse(service.stats()).tls.groups;

/** The end of a handshake: "ok", or the client's error. */
function shakeHands(running: Running, options: ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    const { port, pair } = running;
    const socket = connect({ host: '127.0.0.1', port, ca: pair.chain, ...options });
    const end = (result: string): void => {
      socket.destroy();
      resolve(result);
    };
    socket.on('secureConnect', () => socket.write('GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n'));
    socket.on('data', () => end('ok'));
    socket.on('error', ({ message }) => end(message));
    socket.on('end', () => end('ended'));
  });
}

/** A TCP connection that sends every byte by itself, each in a turn of its own. */
function byteByByte(port: number): Duplex & { segments: number } {
  const socket = connectTcp({ host: '127.0.0.1', port, noDelay: true });
  const duplex = Object.assign(
    new Duplex({
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => {
        const sendFrom = (index: number): void => {
          if (index === chunk.length) {
            done();
            return;
          }
          duplex.segments += 1;
          socket.write(chunk.subarray(index, index + 1), () =>
            setImmediate(() => sendFrom(index + 1)),
          );
        };
        sendFrom(0);
      },
      destroy: (error, done) => {
        socket.destroy();
        done(error);
      },
    }),
    { segments: 0 },
  );
  socket.on('data', (chunk) => duplex.push(chunk));
  socket.on('end', () => duplex.push(null));
  socket.on('error', () => duplex.destroy());
  return duplex;
}

t.test('what this OpenSSL has', async (t) => {
  t.equal(available.includes(hybrid), hasHybrid);
  for (const name of ['X25519', 'P-256', 'P-384']) t.ok(available.includes(name), name);
  const { inspectTlsGroups } = loadNative();
  t.same(inspectTlsGroups(['P-256', 'nonsense', 'X25519']), {
    used: ['P-256', 'X25519'],
    unknown: ['nonsense'],
    available,
  });
  const twice = ['P-256', 'prime256v1', 'secp256r1'];
  t.same(inspectTlsGroups(twice), { used: ['P-256'], unknown: [], available });
  const signs = ['?P-256', '*P-256', '-P-256', 'DEFAULT', 'P-256:X25519', 'P-256/X25519', ''];
  t.same(inspectTlsGroups(signs), { used: [], unknown: signs, available });
  t.throws(() => inspectTlsGroups(Array(17).fill('P-256')), { code: 'EINVAL_OPTION' });
});

t.test('who gets which', async (t) => {
  const running = await startService(t, { 'a.txt': 'hello' });
  const best = hasHybrid ? hybrid : 'X25519';
  const cases: [string, ConnectionOptions, string | undefined][] = [
    ['one that offers everything', { ecdhCurve: everyGroup }, best],
    ["OpenSSL's own default", { ecdhCurve: 'auto' }, best],
    ['only X25519', { ecdhCurve: 'X25519' }, 'X25519'],
    ['only P-256', { ecdhCurve: 'P-256' }, 'P-256'],
    ['only P-384', { ecdhCurve: 'P-384' }, 'P-384'],
    ['TLS 1.2', { maxVersion: 'TLSv1.2' }, 'X25519'],
    ['TLS 1.2, only P-256', { maxVersion: 'TLSv1.2', ecdhCurve: 'P-256' }, 'P-256'],
    ['only P-521', { ecdhCurve: 'P-521' }, undefined],
  ];
  if (hasHybrid) {
    // Its key share is of the later one alone: it is asked for another (RFC 8446 4.1.4).
    cases.push(['the hybrid without its share', { ecdhCurve: `*X25519:${hybrid}` }, hybrid]);
    cases.push(['only the hybrid', { ecdhCurve: hybrid }, hybrid]);
  }
  for (const [label, options, group] of cases) {
    const before = groupsOf(running);
    const result = await shakeHands(running, options);
    if (group === undefined) t.match(result, /handshake failure/, label);
    else
      t.same(
        [result, groupsOf(running)],
        ['ok', { ...before, [group]: (before[group] ?? 0) + 1 }],
        label,
      );
  }
});

t.test('the order of the list is the preference, and what is unknown is left out', async (t) => {
  const tlsGroups = ['X25519MLKEM1024', 'P-384', 'X25519'];
  const running = await startService(t, { 'a.txt': 'hello' }, { tlsGroups });
  t.equal(await shakeHands(running, { ecdhCurve: 'P-384:X25519' }), 'ok');
  t.equal(await shakeHands(running, { ecdhCurve: 'P-256:P-384' }), 'ok', 'asked for the other');
  t.same(groupsOf(running), { 'P-384': 2 });
  t.match(await shakeHands(running, { ecdhCurve: 'P-256' }), /handshake failure/);
  await t.rejects(startService(t, {}, { tlsGroups: ['nonsense'] }), /none of the groups/);
});

t.test("the service's own clients get in whatever the list says", async (t) => {
  for (const group of available) {
    const running = await startService(t, { 'a.txt': 'hello' }, { tlsGroups: [group] });
    t.equal(await shakeHands(running, { ecdhCurve: everyGroup }), 'ok', group);
    const { fingerprint256 } = new (await import('node:crypto')).X509Certificate(
      running.pair.chain,
    );
    const asked = { address: '127.0.0.1', port: running.port, fingerprints: [fingerprint256] };
    await loadNative().askOurselves({ ...asked, timeoutMs: 30_000 });
    t.equal(groupsOf(running)[group], 2, `${group}: both counted`);
    running.service.close();
  }
});

t.test('a ClientHello of 1.7 KiB, a byte at a time', async (t) => {
  const running = await startService(t, { 'a.txt': 'hello' });
  const way = byteByByte(running.port);
  // As long as a hybrid's, whether this OpenSSL has one or not.
  const ALPNProtocols = ['http/1.1', ...Array(hasHybrid ? 2 : 8).fill('x'.repeat(180))];
  let hello = 0;
  way.once('data', () => {
    hello = way.segments;
  });
  const result = await shakeHands(running, { socket: way, ALPNProtocols });
  t.equal(result, 'ok');
  t.ok(hello >= 1_700, `${hello} segments before the first answer`);
  t.same(groupsOf(running), { [hasHybrid ? hybrid : 'X25519']: 1 });
});

t.test('what is said of a list', async (t) => {
  const lines: unknown[] = [];
  const log = {
    warn: (line: object) => lines.push({ severity: 'warn', ...line }),
  } as unknown as Log;
  const report = (tlsGroups: string[]) => reportGroups({ tlsGroups } as never, log);
  const openssl = process.versions.openssl;
  report(['P-256']);
  t.same(lines, []);
  report(['nonsense', 'P-256', 'gibberish']);
  const groups = ['nonsense', 'gibberish'];
  t.same(lines.splice(0), [{ severity: 'warn', event: 'tls_groups_left_out', groups, openssl }]);
  report(schema.tls.groups.default as unknown as string[]);
  t.same(lines, [], 'nobody asked for what it lacks');
  const none = { tlsGroups: ['nonsense'] };
  t.throws(() => unknownGroups(none), {
    message: `tls.groups: OpenSSL ${openssl} has none of nonsense; it has ${available.join(', ')}`,
  });
  t.equal(groupWarning(none), undefined, 'an error, which the checks find');
  t.match(groupWarning({ tlsGroups: ['nonsense', 'P-256'] }), /does not have nonsense, which is/);
});
