// SPDX-License-Identifier: Apache-2.0
// A client certificate whose key is in a token: what EST is shown at the first enrolment, over TLS that the token has
// signed. Whom it trusts is whom Node's own client would trust. Renewals: token-renewals.test.ts.

import { once } from 'node:events';
import { createServer, type ServerOptions } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import type { TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { createEnroller } from '../../src/certificates/enrolment-options.js';
import { exchange } from '../../src/certificates/exchange.js';
import { namesFrom } from '../../src/certificates/names.js';
import { createRequest } from '../../src/certificates/request.js';
import { noHousekeeping } from '../../src/files/housekeeping.js';
import { type KeyKind, make } from '../unit/certificates/certificates.js';
import { startEstServer } from '../unit/certificates/est-server.js';
import { newToken, pin } from './token.js';

const token = newToken(t, ['device']);
const clientAuth = '1.3.6.1.5.5.7.3.2';
const est = await startEstServer();
t.teardown(() => est.close());
const names = namesFrom(['a.example.org']);
const asking = new AbortController();

/** A certificate of the factory's authority, whose key goes into the token. */
async function newClient(object: string, id: string, key: KeyKind = 'P-256') {
  const { issuing: issuer } = est;
  const made = await make({ commonName: object, issuer, uses: [clientAuth], key });
  const file = token.file(`${object}.p8`, made.privateKey);
  const where = ['--token', 'device', '--label', object, '--id', id, '--pin', pin];
  token.softHsmUtil('--import', file, ...where);
  return { chain: made.pem + issuer.pem, privateKey: token.uriOf(object) };
}

const client = await newClient('factory', '01');

t.test(
  'the first enrolment, with keys of each kind, as the configuration names them',
  async (t) => {
    const kinds = { p256: 'P-256', p384: 'P-384', rsa: 'RSA-2048' } as const;
    for (const [index, [object, kind]] of Object.entries(kinds).entries()) {
      const { chain, privateKey } = await newClient(object, `1${index}`, kind);
      const enroller = await createEnroller(
        {
          protocol: 'est',
          url: est.url,
          trustAnchorsFile: token.file('anchors.pem', est.trustAnchors),
          clientCertificateFile: token.file('client.pem', chain),
          clientPrivateKeyFile: privateKey,
          names: ['a.example.org'],
        },
        { directory: t.testdir(), challenges: undefined, housekeeping: noHousekeeping },
      );
      const { request } = await createRequest(names);
      const asked = { names, request, current: undefined, nowMs: Date.now() };
      t.match(await enroller.enrol(asked, asking.signal), { kind: 'issued' }, kind);
      t.equal(est.requests.at(-1), `simpleenroll certificate ${object}`);
    }
  },
);

interface Seen {
  authorized: boolean;
  shown: string;
  protocol: string | null;
  body: string;
  host: string | undefined;
}

async function newServer(t: Test, options: ServerOptions, answer = 'hello') {
  const seen: Seen[] = [];
  const root = await make({ isAuthority: true, commonName: 'Anchor' });
  const own = await make({ issuer: root, dns: ['localhost', '127.0.0.1'] });
  const ask = { requestCert: true, ca: [est.root.pem] };
  const server = createServer(
    { cert: own.pem, key: own.privateKey, ...ask, ...options },
    async (request, response) => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      const socket = request.socket as TLSSocket;
      const shown = String(socket.getPeerCertificate().subject.CN);
      const { host } = request.headers;
      const protocol = socket.getProtocol();
      seen.push({ authorized: socket.authorized, shown, protocol, body, host });
      response.end(answer);
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { seen, port, ca: root.pem };
}

const post = { method: 'POST', headers: { 'Content-Type': 'text/plain' } };

t.test('in both versions of TLS, by name and by address, with a body of any size', async (t) => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const answer = 'x'.repeat(100_000);
    const { seen, port, ca } = await newServer(
      t,
      { minVersion: version, maxVersion: version },
      answer,
    );
    for (const name of ['localhost', '127.0.0.1']) {
      const body = 'y'.repeat(70_000);
      const url = new URL(`https://${name}:${port}/`);
      const answered = await exchange(url, { ...post, ca, client }, body);
      t.match(answered, { status: 200, body: answer });
      const host = `${name}:${port}`;
      t.same(seen.pop(), {
        authorized: true,
        shown: 'factory',
        protocol: version,
        body,
        host,
      });
    }
  }
});

t.test('it trusts nobody else, and says so', async (t) => {
  const { seen, port, ca } = await newServer(t, {});
  const ask = (other: string, change: object) =>
    exchange(new URL(`https://${other}:${port}/`), { ca, client, ...change }, undefined);
  const stranger = await make({ isAuthority: true, commonName: 'Stranger' });
  const untrusted = /the certificate of localhost is not to be trusted: /;
  await t.rejects(ask('localhost', { ca: stranger.pem }), untrusted, 'another anchor');
  await t.rejects(ask('localhost', { ca: '' }), /trust anchors cannot be used/, 'no anchor');
  const misnamed = await make({ dns: ['elsewhere.example'] });
  const named = await newServer(t, { cert: misnamed.pem, key: misnamed.privateKey });
  await t.rejects(
    exchange(new URL(`https://localhost:${named.port}/`), { ca: misnamed.pem, client }, undefined),
    /is not to be trusted: hostname mismatch/i,
    'another name',
  );
  await t.rejects(
    exchange(new URL(`https://127.0.0.1:${named.port}/`), { ca: misnamed.pem, client }, undefined),
    /is not to be trusted: IP address mismatch/i,
    'another address',
  );
  const absent = { ...client, privateKey: token.uriOf('absent') };
  await t.rejects(ask('localhost', { client: absent }), /no key for pkcs11:.*object=absent/);
  const mixed = { ...client, chain: (await make()).pem };
  await t.rejects(ask('localhost', { client: mixed }), /cannot be shown with its key/);
  t.same([...seen, ...named.seen], [], 'and none of them was told anything');
});

t.test('an end in the middle, and no answer at all', async (t) => {
  const cut = createTcpServer((socket) => socket.once('data', () => socket.destroy()));
  const silent = createTcpServer(() => {});
  const ports: number[] = [];
  for (const server of [cut, silent]) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    ports.push((server.address() as AddressInfo).port);
  }
  const ask = (port: number | undefined, signal?: AbortSignal) => {
    const url = new URL(`https://127.0.0.1:${port}/`);
    return exchange(
      url,
      { ca: est.trustAnchors, client, ...(signal ? { signal } : {}) },
      undefined,
    );
  };
  await t.rejects(ask(ports[0]), /socket hang up|ECONNRESET/);
  const giving = new AbortController();
  const asked = ask(ports[1], giving.signal);
  giving.abort();
  await t.rejects(asked, { name: 'AbortError' }, 'given up when the signal says so');
});
