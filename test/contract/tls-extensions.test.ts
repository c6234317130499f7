// SPDX-License-Identifier: Apache-2.0
// What a ClientHello asks for beside a cipher: application protocols (RFC 7301), and short records
// (RFC 6066 4), for which the connection stays in user space.

import { spawn } from 'node:child_process';
import { connect } from 'node:tls';
import t from 'tap';
import { get, type Running, startService } from './service.js';

const statsOf = ({ service }: Running) => JSON.parse(service.stats());
const versions = ['TLSv1.2', 'TLSv1.3'] as const;

/** The protocol that was chosen, or the alert's name. */
function negotiate(
  running: Running,
  version: (typeof versions)[number],
  ALPNProtocols?: string[],
): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({
      host: '127.0.0.1',
      port: running.port,
      ca: running.pair.chain,
      minVersion: version,
      maxVersion: version,
      ...(ALPNProtocols && { ALPNProtocols }),
    });
    const end = (result: string): void => {
      socket.destroy();
      resolve(result);
    };
    // TLS 1.3's client is done before the server has judged nothing: ALPN it has.
    socket.on('secureConnect', () => end(socket.alpnProtocol || 'none'));
    socket.on('error', ({ message }) =>
      end(/no application protocol/.exec(message)?.[0] ?? message),
    );
  });
}

t.test('ALPN: a protocol that is spoken, or an alert (RFC 7301 3.2)', async (t) => {
  const running = await startService(t, { 'a.txt': 'hello' });
  const cases: [string[] | undefined, string][] = [
    [undefined, 'none'],
    [['http/1.1'], 'http/1.1'],
    [['h2', 'http/1.1'], 'http/1.1'],
    [['http/1.0'], 'http/1.0'],
    [['http/1.0', 'http/1.1'], 'http/1.1'],
    [['h2'], 'no application protocol'],
    [['acme-tls/1'], 'no application protocol'],
    [['http/1.10'], 'no application protocol'],
  ];
  for (const version of versions) {
    for (const [offered, expected] of cases) {
      const label = `${version}: ${offered?.join(', ') ?? 'no ALPN'}`;
      t.equal(await negotiate(running, version, offered), expected, label);
    }
  }
  t.equal(statsOf(running).tls.failures.no_application_protocol, 3 * versions.length);
  t.equal((await get(running, { path: '/a.txt' })).status, 200);
});

/** What openssl s_client says to a request, with each record's length as the client sees it. */
function askOpenssl(
  running: Running,
  options: string[],
): Promise<{ out: Buffer; lengths: number[] }> {
  return new Promise((resolve, reject) => {
    const client = spawn('openssl', [
      's_client',
      ...['-connect', `127.0.0.1:${running.port}`, '-quiet', '-msg', ...options],
    ]);
    const chunks: Buffer[] = [];
    client.on('error', reject);
    client.stderr.resume();
    client.stdout.on('data', (chunk) => chunks.push(chunk));
    client.on('close', () => {
      const all = Buffer.concat(chunks).toString('latin1');
      // "<<< TLS 1.3, RecordHeader [length 0005]", and the header's bytes below.
      const headers = all.matchAll(
        /<<< .*RecordHeader \[length 0005\]\n {4}((?:[0-9a-f]{2} ){4}[0-9a-f]{2})/g,
      );
      const lengths = [...headers].map(([, hex = '']) =>
        Buffer.from(hex.replaceAll(' ', ''), 'hex').readUInt16BE(3),
      );
      resolve({ out: Buffer.from(all, 'latin1'), lengths });
    });
    client.stdin.end('GET /a.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  });
}

t.test('a maximum fragment length is kept, in user space', async (t) => {
  const size = 60_000;
  const running = await startService(t, { 'a.bin': Buffer.alloc(size, '#') });
  const { kernel, mode } = statsOf(running).offload;
  let connections = 0;
  for (const version of ['-tls1_2', '-tls1_3']) {
    for (const limit of [512, 1024, 2048, 4096]) {
      const options = [version, '-maxfraglen', `${limit}`];
      const { out, lengths } = await askOpenssl(running, options);
      connections += 1;
      const label = `${version}, ${limit}`;
      t.equal(out.toString('latin1').split('#').length - 1, size, `${label}: whole`);
      t.ok(lengths.length > size / limit, `${label}: ${lengths.length} records`);
      t.ok(Math.max(...lengths) <= limit + 64, `${label}: none is longer`);
    }
  }
  const { fallbacks, promoted } = statsOf(running).offload;
  if (mode === 'auto' && kernel === 'available') {
    t.equal(fallbacks.fragment_length, connections);
    t.same(promoted, {});
    await get(running, { path: '/a.bin' });
    t.not(Object.keys(statsOf(running).offload.promoted).length, 0, 'others are promoted');
  }
});
