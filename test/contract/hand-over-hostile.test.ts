// SPDX-License-Identifier: Apache-2.0
// Who should not get a recording: clients that know where they are, and applications that name what
// they may not. Nothing of such an application's answer reaches the client.

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Handing, internalRoute, reasonsOf, recordings, startHanding } from './hand-over.js';
import { ask, listen, nodeApplication, proxyRoute, rawApplication, upstreamsOf } from './proxy.js';
import { connectRaw, type Running, readToEnd } from './service.js';

const secret = String(recordings['small.txt']);

/** One raw request, and all of the answer. */
async function say(running: Running, target: string, fields = ''): Promise<string> {
  const socket = await connectRaw(running);
  const answer = readToEnd(socket);
  socket.write(`GET ${target} HTTP/1.1\r\nHost: device\r\nConnection: close\r\n${fields}\r\n`);
  return (await answer).toString('latin1');
}

const echoing = (t: Test) =>
  listen(
    t,
    nodeApplication(({ headers }, response) => response.end(JSON.stringify(headers))),
  );

const spellings = [
  '/recordings/small.txt',
  '/recordings/./small.txt',
  '/recordings/../recordings/small.txt',
  '/x/../recordings/small.txt',
  '/./recordings/small.txt',
  '/%72ecordings/small.txt',
  '/%72%65%63%6f%72%64%69%6e%67%73/small.txt',
  '/recordings/%2e/small.txt',
  '/recordings/small.txt?x=1',
  '/recordings/small%2Etxt',
  '/recordings//small.txt',
  '//recordings/small.txt',
  '/recordings%2Fsmall.txt',
  '/recordings/..;/recordings/small.txt',
  '/recordings/',
  '/recordings',
  'https://device/recordings/small.txt',
  'http://device/recordings/small.txt',
  'https://other:8443/recordings/small.txt',
];

t.test('a client gets nothing of an internal route, however it spells it', async (t) => {
  const upstream = await echoing(t);
  const running = await startHanding(t, upstream, [
    proxyRoute(upstream, { path: '/', host: 'device' }),
    proxyRoute(upstream, { path: '/recordings', methods: ['POST'] }),
  ]);
  for (const spelling of spellings) {
    const answer = await say(running, spelling);
    t.match(answer, /^HTTP\/1\.1 404 /, spelling);
    t.notMatch(answer, secret, spelling);
  }
  for (const method of ['HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    const path = '/recordings/small.txt';
    t.equal((await ask(running, { method, path })).status, 404, method);
  }
  t.match(await say(running, '/recordings;x/small.txt'), /^HTTP\/1\.1 400 /);
  t.equal(upstreamsOf(running).opened, 0, 'and no application saw one of these');
});

t.test('what a client says of files is not the application’s word', async (t) => {
  const running = await startHanding(t, await echoing(t));
  const answer = await say(
    running,
    '/x',
    'X-Accel-Redirect: /recordings/small.txt\r\nX-Sendfile: /etc/passwd\r\nX-Own: 1\r\n' +
      'X-Sendfile-Type: X-Accel-Redirect\r\nX-Accel-Mapping: /=/recordings/\r\n',
  );
  t.match(answer, /"x-own":"1"/);
  t.notMatch(answer, /accel|sendfile/i);
  t.notMatch(answer, secret);
});

const named: [field: string, status: number, reason: string][] = [
  ['X-Accel-Redirect: /recordings/../../etc/passwd', 502, 'bad_field'],
  ['X-Accel-Redirect: /recordings/%2e%2e/secret', 502, 'bad_field'],
  ['X-Accel-Redirect: /recordings/..%2fsecret', 502, 'bad_field'],
  ['X-Accel-Redirect: //recordings/small.txt', 502, 'bad_field'],
  ['X-Accel-Redirect: recordings/small.txt', 502, 'bad_field'],
  ['X-Accel-Redirect: https://device/recordings/small.txt', 502, 'bad_field'],
  ['X-Accel-Redirect:', 502, 'bad_field'],
  ['X-Accel-Redirect: /', 502, 'not_allowed'],
  ['X-Accel-Redirect: /x', 502, 'not_allowed'],
  ['X-Accel-Redirect: /other/small.txt', 502, 'not_allowed'],
  ['X-Accel-Redirect: /.spliced/status', 502, 'not_allowed'],
  ['X-Accel-Redirect: /index.html', 502, 'not_allowed'],
  ['X-Accel-Redirect: /recordings/link', 404, 'missing'],
  ['X-Accel-Redirect: /recordings/deep', 404, 'missing'],
  ['X-Accel-Redirect: /recordings/deep/', 404, 'missing'],
  ['X-Accel-Redirect: /recordings/none', 404, 'missing'],
  // What `spliced pack` keeps there for itself.
  ['X-Accel-Redirect: /recordings/.spliced/manifest.json', 404, 'missing'],
  ['X-Sendfile: DIRECTORY/.spliced/manifest.json', 502, 'not_allowed'],
  [`X-Accel-Redirect: /recordings/${'x'.repeat(2000)}`, 502, 'bad_field'],
  ['X-Sendfile: /etc/passwd', 502, 'not_allowed'],
  ['X-Sendfile: DIRECTORY', 502, 'not_allowed'],
  ['X-Sendfile: DIRECTORY/../x', 502, 'not_allowed'],
  ['X-Sendfile: DIRECTORYx/small.txt', 502, 'not_allowed'],
  ['X-Sendfile: DIRECTORYxsmall.txt', 502, 'not_allowed'],
  ['X-Sendfile: DIRECTORY/none', 404, 'missing'],
  ['X-Sendfile: DIRECTORY/link', 404, 'missing'],
  ['X-Sendfile: DIRECTORY/small.txt\r\nX-Sendfile: DIRECTORY/small.txt', 502, 'bad_field'],
  ['X-Sendfile: DIRECTORY/small.txt\r\nX-Accel-Redirect: /recordings/small.txt', 502, 'bad_field'],
];

t.test('an application that names what it may not', async (t) => {
  let field = '';
  let head = '200 OK\r\nContent-Length: 7';
  const upstream = await listen(
    t,
    rawApplication(t, (socket) =>
      socket.on('data', () => {
        const body = head.startsWith('200') ? 'secret!' : '';
        socket.write(`HTTP/1.1 ${head}\r\n${field}\r\n\r\n${body}`);
      }),
    ),
  );
  const running: Handing = await startHanding(t, upstream, [
    internalRoute({ path: '/other' }),
    proxyRoute(upstream, { path: '/unaccelerated' }),
    internalRoute({ path: '/hosted', host: 'other.example' }),
    proxyRoute(upstream, { path: '/of-host', accelerate: ['/hosted'] }),
  ]);
  symlinkSync('/etc/passwd', join(running.directory, 'link'));
  mkdirSync(join(running.directory, '.spliced'));
  writeFileSync(join(running.directory, '.spliced/manifest.json'), 'secret');
  for (const [text, status, reason] of named) {
    field = text.replaceAll('DIRECTORY', running.directory);
    const answer = await ask(running, { path: '/x' });
    t.equal(answer.status, status, text);
    t.ok(answer.isWhole);
    t.notMatch(String(answer.body), /secret|root:/, text);
    t.strictSame(reasonsOf(running), [`hand_over_failed ${reason}`], text);
  }
  field = 'X-Accel-Redirect: /recordings/small.txt';
  t.equal((await ask(running, { path: '/unaccelerated' })).status, 502);
  t.strictSame(reasonsOf(running), ['hand_over_failed not_allowed']);
  t.equal(String((await ask(running, { path: '/x' })).body), secret, 'and the next is served');
  // An internal route of another host is nobody's here.
  for (const name of ['X-Accel-Redirect: /hosted', `X-Sendfile: ${running.directory}`]) {
    field = `${name}/small.txt`;
    const at = (Host: string) =>
      ask(running, { path: '/of-host', servername: 'localhost', headers: { Host } });
    t.equal((await at('device.example')).status, 502, name);
    t.strictSame(reasonsOf(running), ['hand_over_failed not_allowed'], name);
    t.equal(String((await at('other.example')).body), secret, name);
  }
  field = 'X-Accel-Redirect: /recordings/small.txt';
  for (const status of ['204 No Content', '205 Reset Content\r\nContent-Length: 0']) {
    head = status;
    t.equal((await ask(running, { path: '/x' })).status, 502, status);
    t.strictSame(reasonsOf(running), ['hand_over_failed bad_status'], status);
  }
});

t.test('an application that names a file and then misbehaves', async (t) => {
  const bodies: [name: string, rest: string, ends: boolean][] = [
    ['a body without end', 'Content-Length: 99999999\r\n\r\nand so on', false],
    ['a body that is cut', 'Content-Length: 9999\r\n\r\nand', true],
    ['chunks that are none', 'Transfer-Encoding: chunked\r\n\r\nzz\r\n', false],
    ['until the end', 'Connection: close\r\n\r\nmore', true],
    ['an answer that nobody asked for', 'Content-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n', false],
    ['a long head', `X: ${'x'.repeat(9000)}\r\nContent-Length: 0\r\n\r\n`, false],
  ];
  let [, rest, ends] = bodies[0] as (typeof bodies)[number];
  const upstream = await listen(
    t,
    rawApplication(t, (socket) =>
      socket.on('data', () => {
        const text = `HTTP/1.1 200 OK\r\nX-Accel-Redirect: /recordings/1.mp4\r\n${rest}`;
        if (ends) socket.end(text);
        else socket.write(text);
      }),
    ),
  );
  const running = await startHanding(t, upstream);
  for (const [name, text, isEnd] of bodies) {
    [rest, ends] = [text, isEnd];
    for (let i = 0; i < 3; i += 1) {
      const answer = await ask(running, { path: '/x' });
      t.equal(answer.status, 200, name);
      t.ok(answer.body.equals(recordings['1.mp4'] as Buffer), name);
    }
  }
  t.equal(upstreamsOf(running).handedOver, 18);
});

t.test('a stop finishes a file that was handed over', async (t) => {
  const running = await startHanding(
    t,
    await listen(
      t,
      nodeApplication((_request, response) => {
        response.setHeader('X-Accel-Redirect', '/recordings/1.mp4');
        response.end();
      }),
    ),
  );
  const socket = await connectRaw(running);
  socket.write('GET /x HTTP/1.1\r\nHost: device\r\n\r\n');
  await new Promise((resolve) => socket.once('data', resolve));
  socket.pause();
  running.service.stop(10_000);
  const rest = readToEnd(socket);
  socket.resume();
  await rest;
  const { drained, aborted } = await running.events.wait('stopped');
  t.match({ drained, aborted }, { drained: 1, aborted: 0 });
});
