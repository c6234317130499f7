// SPDX-License-Identifier: Apache-2.0
// Port 80 over real sockets: challenges, redirects, and clients that mean no good.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { bounds, hostOf, PlainHttp } from '../../../src/plain-http/responder.js';

const challenge = '/.well-known/acme-challenge/';

interface Scene {
  plain: PlainHttp;
  port: number;
  /** The port of HTTPS; undefined while it is not served. */
  https: { port: number | undefined };
}

async function start(t: Test): Promise<Scene> {
  const https: Scene['https'] = { port: 8443 };
  const plain = new PlainHttp({
    places: [{ address: '127.0.0.1', port: 0 }],
    challenge: (path) => (path === `${challenge}token` ? 'token.thumbprint' : undefined),
    httpsPort: async () => https.port,
  });
  await plain.start();
  t.teardown(() => plain.close());
  return { plain, port: plain.listeners()[0]?.port ?? 0, https };
}

async function open({ port }: Scene): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {}); // A reset shows in what came before it.
  await once(socket, 'connect');
  return socket;
}

/** All that comes until the server closes. */
async function readToEnd(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (data) => {
    text += data;
  });
  await once(socket, 'close');
  return text;
}

async function exchange(scene: Scene, text: string): Promise<string> {
  const socket = await open(scene);
  socket.write(text, 'latin1');
  return readToEnd(socket);
}

const request = (target: string, host = 'gate', method = 'GET', more = ''): string =>
  `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`;

t.test('a challenge', async (t) => {
  const scene = await start(t);
  const answer = await exchange(scene, request(`${challenge}token`));
  t.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
  t.match(answer, /\r\nContent-Type: application\/octet-stream\r\n/);
  t.match(answer, /\r\nConnection: close\r\n/);
  t.match(answer, /\r\n\r\ntoken\.thumbprint$/);
  const head = await exchange(scene, request(`${challenge}token`, 'gate', 'HEAD'));
  t.match(head, /^HTTP\/1\.1 200 .*Content-Length: 16\r\n.*\r\n\r\n$/s);
  t.match(await exchange(scene, request(`${challenge}other`)), /^HTTP\/1\.1 404 /);
  t.match(await exchange(scene, request(`${challenge}token`, 'gate', 'POST')), /^HTTP\/1\.1 405 /);
  t.match(await exchange(scene, request(`${challenge}token`, '!')), /^HTTP\/1\.1 200 /, 'no host');
});

t.test('everything else is sent to HTTPS, and the method stays', async (t) => {
  const scene = await start(t);
  const locationOf = async (...args: Parameters<typeof request>): Promise<string | undefined> => {
    const answer = await exchange(scene, request(...args));
    t.match(answer, /^HTTP\/1\.1 308 /);
    return /\r\nLocation: ([^\r]*)\r\n/.exec(answer)?.[1];
  };
  t.equal(await locationOf('/a/b?c=%20#d'), 'https://gate:8443/a/b?c=%20#d');
  t.equal(await locationOf('/', 'gate.local:80'), 'https://gate.local:8443/');
  t.equal(await locationOf('/', '[2001:db8::1]:80', 'POST'), 'https://[2001:db8::1]:8443/');
  t.equal(await locationOf('//evil.example/'), 'https://gate:8443//evil.example/');
  scene.https.port = 443;
  t.equal(await locationOf('/x'), 'https://gate/x');
  scene.https.port = undefined;
  t.match(await exchange(scene, request('/')), /^HTTP\/1\.1 503 .*Retry-After/s);
});

t.test('what is no request gets 400 or nothing, and the service goes on', async (t) => {
  const scene = await start(t);
  const cases: [string, string][] = [
    ['no Host', 'GET / HTTP/1.1\r\n\r\n'],
    ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    ['a Host with a path', request('/', 'gate/evil')],
    ['a Host with a user', request('/', 'user@evil')],
    ['a Host with a space', request('/', 'a b')],
    ['a Host of other bytes', request('/', 'g\xe4te')],
    ['a long Host', request('/', 'a'.repeat(254))],
    ['brackets', request('/', '[::1')],
    ['a target of other bytes', request('/\xff')],
    ['absolute form', request('http://evil.example/')],
    ['asterisk form', request('*', 'gate', 'OPTIONS')],
    ['a head that is too large', request('/', 'gate', 'GET', `X: ${'x'.repeat(5000)}\r\n`)],
    ['a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['nonsense', 'xyzzy\r\n\r\n'],
    ['a line feed in the target', 'GET /a\nX: y HTTP/1.1\r\nHost: gate\r\n\r\n'],
    ['two lengths', request('/', 'gate', 'POST', 'Content-Length: 1\r\nContent-Length: 2\r\n')],
  ];
  for (const [name, text] of cases) {
    const answer = await exchange(scene, text);
    t.match(answer, /^HTTP\/1\.1 400 [^\n]*\r\n/, name);
    t.notMatch(answer, /Location/, name);
  }
  t.equal(await exchange(scene, request('gate:443', 'gate', 'CONNECT')), '', 'no tunnel');
  const expecting = request('/', 'gate', 'POST', 'Expect: 100-continue\r\nContent-Length: 9\r\n');
  t.match(await exchange(scene, expecting), /^HTTP\/1\.1 308 /, 'a body is not asked for');
  const upgrade = request('/', 'gate', 'GET', 'Connection: Upgrade\r\nUpgrade: websocket\r\n');
  t.match(await exchange(scene, upgrade), /^HTTP\/1\.1 308 /);
  const twice = await exchange(scene, request('/1') + request('/2'));
  t.equal(twice.match(/HTTP\/1\.1/g)?.length, 1, 'one request a connection');
});

t.test('a client that says nothing, or says it slowly, is let go', async (t) => {
  const scene = await start(t);
  const silent = await open(scene);
  const slow = await open(scene);
  slow.write('GET / HTTP/1.1\r\n');
  const drip = setInterval(() => slow.write('X: y\r\n'), 200);
  const answers = await Promise.all([readToEnd(silent), readToEnd(slow)]);
  clearInterval(drip);
  // Which answer depends on who notices first; that they end is what this is about.
  for (const answer of answers) t.match(answer, /^$|^HTTP\/1\.1 40[08] /);
});

t.test('more connections than the bound are closed at once', async (t) => {
  const scene = await start(t);
  const held: Socket[] = [];
  for (let i = 0; i < bounds.connectionsMax; i += 1) held.push(await open(scene));
  t.equal(await readToEnd(await open(scene)), '');
  const [first] = held;
  if (first === undefined) throw new Error('none');
  first.write(request('/'));
  t.match(await readToEnd(first), /^HTTP\/1\.1 308 /, 'those before are served');
  for (const socket of held) socket.destroy();
});

t.test('close ends open connections; a taken port is one clear line', async (t) => {
  const scene = await start(t);
  const socket = await open(scene);
  const ended = readToEnd(socket);
  const busy = new PlainHttp({
    places: [
      { address: '127.0.0.1', port: 0 },
      { address: '127.0.0.1', port: scene.port },
    ],
    challenge: () => undefined,
    httpsPort: async () => 443,
  });
  await t.rejects(busy.start(), {
    name: 'StartError',
    message: new RegExp(
      `^listen_http: cannot listen at 127\\.0\\.0\\.1:${scene.port}: .*EADDRINUSE`,
    ),
  });
  t.same(busy.listeners(), [], 'the free one is let go, too');
  await scene.plain.close();
  await scene.plain.close();
  t.equal(await ended, '');
});

t.test('hosts', async (t) => {
  for (const good of ['gate', 'gate.local', '192.0.2.1:8080', '[::1]', 'a_b', 'gate.', 'gate:']) {
    t.ok(hostOf(good), good);
    t.notOk(hostOf(good)?.endsWith('.'), "no certificate has the root's dot");
  }
  for (const bad of [undefined, '', ':80', 'a..b', '.', 'a:b', 'a:80:80', '[gate]', '::1', 'a/b']) {
    t.equal(hostOf(bad), undefined, String(bad));
  }
});
