// SPDX-License-Identifier: Apache-2.0
// Clients that keep TLS busy without asking for anything: KeyUpdates, empty records, warnings,
// pieces of messages, renegotiation. Each is ended by the right alert, the others are served
// meanwhile, and what is legal stays so. Over OpenSSL; and over kernel TLS where this runs in a
// guest (test/guest/http.test.ts).

import t, { type Test } from 'tap';
import { alerts, contentType, RecordClient, type Version } from './records.js';
import { get, type Running, startService } from './service.js';

const statsOf = ({ service }: Running) => JSON.parse(service.stats());
const hello = { 'a.txt': 'hello' };
const request = 'GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n';
const withoutDataMax = 32; // native/base/limits.hpp

/** The kernel takes new keys; if it has the connection at all. */
const takesNewKeys = (running: Running): boolean => statsOf(running).offload.keyUpdates;

const overKernel = (running: Running): boolean => {
  const { kernel, mode } = statsOf(running).offload;
  return mode === 'auto' && kernel === 'available';
};

/** A client may see its alert before the engine has counted it. */
async function countedFloods(running: Running, reason: string, wanted: number): Promise<number> {
  const count = (): number => statsOf(running).tls.floods[reason];
  for (let i = 0; i < 500 && count() < wanted; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return count();
}

async function isServed(t: Test, running: Running): Promise<void> {
  const { status, body } = await get(running, { path: '/a.txt' });
  t.equal(status, 200);
  t.equal(body.toString(), 'hello');
}

interface Flood {
  name: string;
  version: Version;
  /** One more of them; the client writes thousands of these. */
  more(client: RecordClient): Buffer;
  /** By OpenSSL, and by the kernel's records. */
  alert: number;
  oldKernelAlert?: number;
  reason?: string;
  /** The kernel passes over them by itself (net/tls/tls_sw.c: tls_sw_recvmsg): nobody is told. */
  isPassedOver?: true;
}

const empty = Buffer.alloc(0);
const warning = Buffer.from([1, 90 + 22]); // unrecognized_name
const longHello = Buffer.from([1, 0, 0xff]); // the begin of one of 65,280 bytes
const helloPiece = Buffer.from([0]);

const floods: Flood[] = [
  {
    name: 'KeyUpdate, update_requested',
    version: 'TLSv1.3',
    more: (client) => client.sealKeyUpdate(),
    alert: alerts.unexpectedMessage,
    oldKernelAlert: alerts.internalError, // the first one: the kernel cannot be given the next key
    reason: 'records_without_data',
  },
  ...(['TLSv1.2', 'TLSv1.3'] as const).map((version) => ({
    name: 'records of application data without any',
    version,
    more: (client: RecordClient) => client.seal(contentType.data, empty),
    alert: alerts.unexpectedMessage,
    reason: 'records_without_data',
    isPassedOver: true as const,
  })),
  {
    name: 'warnings',
    version: 'TLSv1.2',
    more: (client) => client.seal(contentType.alert, warning),
    alert: alerts.unexpectedMessage,
    reason: 'records_without_data',
  },
];

async function flood(t: Test, running: Running, one: Flood): Promise<void> {
  const before = statsOf(running).tls;
  const client = await RecordClient.connect(running, one.version);
  await client.write(client.seal(contentType.data, request));
  await client.until(() => client.text().endsWith('hello'));
  client.stopReading();
  const records = Array.from({ length: 3_000 }, () => one.more(client));
  const written = client.write(...records);
  for (let i = 0; i < 5; i += 1) await isServed(t, running);
  client.goOnReading();
  const inKernel = overKernel(running);
  if (inKernel && one.isPassedOver) {
    await written;
    await client.write(client.seal(contentType.data, request));
    await client.until(() => client.text().split('hello').length === 3);
    t.same(client.alerts(), []);
    return client.close();
  }
  await client.until(() => client.alerts().some((alert) => alert > 0));
  const endsAtOnce = inKernel && one.oldKernelAlert !== undefined && !takesNewKeys(running);
  t.same(client.alerts(), [endsAtOnce ? one.oldKernelAlert : one.alert]);
  t.ok(client.keyUpdates() <= withoutDataMax, 'answers are bounded');
  client.close();
  await written;
  const reason = one.reason ?? '';
  const wanted = before.floods[reason] + (endsAtOnce ? 0 : 1);
  t.equal(await countedFloods(running, reason, wanted), wanted);
}

for (const ring of ['auto', 'epoll'] as const) {
  t.test(`floods, each ended by its alert (${ring})`, async (t) => {
    const running = await startService(t, hello, { ring });
    for (const one of floods) {
      await t.test(`${one.name}, ${one.version}`, (t) => flood(t, running, one));
    }
    t.ok(running.service.pulse().heartbeat > 0);
  });
}

t.test('what is legal is served: up to the limit in a row, and again behind data', async (t) => {
  const running = await startService(t, hello, { tlsOffload: 'off' });
  const kinds: [Version, (client: RecordClient) => Buffer][] = [
    ['TLSv1.3', (client) => client.sealKeyUpdate()],
    ['TLSv1.3', (client) => client.seal(contentType.data, empty)],
    ['TLSv1.2', (client) => client.seal(contentType.data, empty)],
  ];
  for (const [version, more] of kinds) {
    const client = await RecordClient.connect(running, version);
    for (let round = 1; round <= 3; round += 1) {
      const records = Array.from({ length: withoutDataMax - 1 }, () => more(client));
      await client.write(...records, client.seal(contentType.data, request));
      await client.until(() => client.text().split('hello').length > round);
    }
    t.equal(client.text().split('HTTP/1.1 200 OK').length - 1, 3);
    t.same(client.alerts(), []);
    client.close();
  }
  t.same(statsOf(running).tls.floods, {
    records_without_data: 0,
    answers_unread: 0,
    renegotiation: 0,
  });
});

t.test('a request in records of one byte, sent in segments of one byte', async (t) => {
  const running = await startService(t, hello);
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const client = await RecordClient.connect(running, version);
    const records = [...request].map((byte) => client.seal(contentType.data, byte));
    await client.write(...records); // all at once
    await client.until(() => client.text().endsWith('hello'));
    const again = Buffer.concat([...request].map((byte) => client.seal(contentType.data, byte)));
    for (const byte of again) await client.write(Buffer.from([byte]));
    await client.until(() => client.text().split('hello').length === 3);
    t.equal(client.text().split('HTTP/1.1 200 OK').length - 1, 2);
    client.close();
  }
});

t.test('heads in records of one byte from many clients hold up nobody', async (t) => {
  const running = await startService(t, hello);
  const long = `GET /a.txt HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(1_500)}\r\n\r\n`;
  const clients = await Promise.all(
    Array.from({ length: 5 }, () => RecordClient.connect(running, 'TLSv1.3')),
  );
  const written = clients.map((client) =>
    client.write(...[...long].map((byte) => client.seal(contentType.data, byte))),
  );
  await isServed(t, running);
  await Promise.all(written);
  await Promise.all(clients.map((client) => client.until(() => client.text().endsWith('hello'))));
  for (const client of clients) {
    t.match(client.text(), /^HTTP\/1\.1 200 OK/);
    client.close();
  }
});

t.test('renegotiation is declined, and whoever asks without end is refused', async (t) => {
  const running = await startService(t, hello);
  const client = await RecordClient.connect(running, 'TLSv1.2');
  // A ClientHello that says that it supports secure renegotiation (RFC 5746), and is no good.
  const message = renegotiationHello();
  await client.write(client.seal(contentType.handshake, message));
  await client.write(client.seal(contentType.data, request));
  await client.until(() => client.text().endsWith('hello'));
  t.same(client.alerts(), [-alerts.noRenegotiation]);
  const records = Array.from({ length: 1_000 }, () => client.seal(contentType.handshake, message));
  await client.write(...records);
  await client.until(() => client.alerts().some((alert) => alert > 0));
  const inKernel = overKernel(running);
  const last = inKernel ? alerts.unexpectedMessage : alerts.recordOverflow;
  t.equal(client.alerts().at(-1), last);
  t.ok(client.alerts().length <= withoutDataMax + 3);
  const reason = inKernel ? 'renegotiation' : 'records_without_data';
  t.equal(await countedFloods(running, reason, 1), 1);
  client.close();
});

t.test('a message in pieces without end', async (t) => {
  const running = await startService(t, hello, { tlsOffload: 'off' });
  const client = await RecordClient.connect(running, 'TLSv1.2');
  const pieces = Array.from({ length: 1_000 }, (_, i) =>
    client.seal(contentType.handshake, i === 0 ? longHello : helloPiece),
  );
  await client.write(...pieces);
  await client.until(() => client.alerts().length > 0);
  t.same(client.alerts(), [alerts.recordOverflow]);
  t.equal(await countedFloods(running, 'records_without_data', 1), 1);
  client.close();
});

function renegotiationHello(): Buffer {
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 7),
    Buffer.from([0]), // no session
    Buffer.from([0, 2, 0xc0, 0x2b]),
    Buffer.from([1, 0]), // no compression
    Buffer.from([0, 5, 0xff, 0x01, 0, 1, 0]), // renegotiation_info
  ]);
  return Buffer.concat([Buffer.from([1, 0, 0, body.length]), body]);
}
