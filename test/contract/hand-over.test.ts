// SPDX-License-Identifier: Apache-2.0
// Applications that hand files over, as their frameworks do it: Express, Fastify, Node's own server and
// Python's standard library, each in front of the same recordings.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express from 'express';
import Fastify from 'fastify';
import t, { type Test } from 'tap';
import { digest, recordings, startHanding } from './hand-over.js';
import { ask, listen, nodeApplication, upstreamsOf } from './proxy.js';

/** Where the recordings are handed over by path; X-Sendfile needs the directory. */
type Start = (t: Test, directoryOf: () => string) => Promise<string>;

const isGuest = (cookie: string | undefined): boolean => !String(cookie).includes('session=1');

const onExpress: Start = async (t, directoryOf) => {
  const app = express();
  app.get('/video/:name', (request, response) => {
    if (isGuest(request.headers.cookie)) return response.status(401).send('sign in first');
    response.set('X-Accel-Redirect', `/recordings/${encodeURIComponent(request.params.name)}`);
    response.cookie('seen', request.params.name).attachment(request.params.name);
    return response.end();
  });
  app.get('/send/:name', (request, response) => {
    response.set('X-Sendfile', join(directoryOf(), request.params.name)).send('never seen');
  });
  return listen(t, createServer(app));
};

const onFastify: Start = async (t, directoryOf) => {
  const app = Fastify();
  app.get<{ Params: { name: string } }>('/video/:name', (request, reply) => {
    if (isGuest(request.headers.cookie)) return reply.code(401).send('sign in first');
    const { name } = request.params;
    return reply
      .header('X-Accel-Redirect', `/recordings/${encodeURIComponent(name)}`)
      .header('Content-Disposition', `attachment; filename="${name}"`)
      .header('Set-Cookie', `seen=${name}`)
      .type('video/mp4')
      .send('');
  });
  app.get<{ Params: { name: string } }>('/send/:name', (request, reply) =>
    reply.header('X-Sendfile', join(directoryOf(), request.params.name)).send('never seen'),
  );
  await app.ready();
  return listen(t, createServer(app.routing) as Server);
};

const onNode: Start = (t, directoryOf) =>
  listen(
    t,
    nodeApplication((request, response) => {
      const [, kind, name = ''] = (request.url ?? '').split('/');
      const file = decodeURIComponent(name);
      if (kind === 'send') {
        response.writeHead(200, { 'X-Sendfile': join(directoryOf(), file) });
        return response.end('never seen');
      }
      if (isGuest(request.headers.cookie)) {
        response.statusCode = 401;
        return response.end('sign in first');
      }
      response.writeHead(200, [
        ['X-Accel-Redirect', `/recordings/${name}`],
        ['Content-Type', 'video/mp4'],
        ['Content-Disposition', `attachment; filename="${file}"`],
        ['Set-Cookie', `seen=${file}`],
      ]);
      response.write('never');
      return response.end(' seen');
    }),
  );

const python = `
import os, socketserver, sys
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote
class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    wbufsize = 65536  # Head and body in one write: a body that is still to come ends the connection.
    def address_string(self): return 'client'
    def log_message(self, *_): pass
    def answer(self, status, fields, body):
        self.send_response(status)
        for name, value in fields: self.send_header(name, value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD': self.wfile.write(body)
    def do_GET(self):
        _, kind, name = self.path.split('/')
        if kind == 'send':
            place = open(os.environ['PLACE']).read()
            return self.answer(200, [('X-Sendfile', place + '/' + unquote(name))], b'never seen')
        if 'session=1' not in self.headers.get('Cookie', ''):
            return self.answer(401, [], b'sign in first')
        self.answer(200, [
            ('X-Accel-Redirect', '/recordings/' + name), ('Content-Type', 'video/mp4'),
            ('Content-Disposition', 'attachment; filename="%s"' % unquote(name)),
            ('Set-Cookie', 'seen=' + unquote(name))], b'never seen')
    do_HEAD = do_GET
class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer): daemon_threads = True
Server(sys.argv[1], Handler).serve_forever()
`;

const onPython: Start = async (t, directoryOf) => {
  const directory = mkdtempSync(join(tmpdir(), 'spliced-python-'));
  const socket = join(directory, 'app.sock');
  const place = join(directory, 'place');
  const environment = { ...process.env, PLACE: place };
  const child = spawn('python3', ['-c', python, socket], { stdio: 'inherit', env: environment });
  t.teardown(() => {
    child.kill('SIGKILL');
    rmSync(directory, { recursive: true });
  });
  while (!existsSync(socket)) {
    if (child.exitCode !== null) throw new Error(`python3 ended with ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  // Where that is, is known when the engine has been started.
  setImmediate(function look(): void {
    const known = directoryOf();
    if (known === '') setTimeout(look, 5);
    else writeFileSync(place, known);
  });
  return `unix:${socket}`;
};

const session = { Cookie: 'session=1' };

for (const [name, start] of Object.entries({ onExpress, onFastify, onNode, onPython })) {
  t.test(`recordings, ${name}`, async (t) => {
    let directory = '';
    const upstream = await start(t, () => directory);
    const running = await startHanding(t, upstream);
    directory = running.directory;
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    t.teardown(() => agent.destroy());
    const get = (path: string, headers: Record<string, string> = session, method = 'GET') =>
      ask(running, { agent, path, headers, method });
    const video = recordings['1.mp4'] as Buffer;

    const refused = await get('/video/1.mp4', {});
    t.match({ ...refused, body: String(refused.body) }, { status: 401, body: 'sign in first' });
    const whole = await get('/video/1.mp4');
    t.equal(whole.status, 200);
    t.equal(digest(whole.body), digest(video));
    t.match(whole.headers, {
      'content-length': '300000',
      'content-type': 'video/mp4',
      'content-disposition': /^attachment; filename="?1.mp4"?$/,
      'set-cookie': [/^seen=1.mp4/],
      'accept-ranges': 'bytes',
      'cache-control': 'private, no-cache',
    });
    const names = Object.keys(whole.headers).filter((field) => /accel|sendfile/.test(field));
    t.strictSame(names, []);
    const part = await get('/video/1.mp4', { ...session, Range: 'bytes=100000-299998' });
    t.equal(part.status, 206);
    t.equal(digest(part.body), digest(video.subarray(100_000, 299_999)));
    const etag = String(whole.headers.etag);
    const unchanged = await get('/video/1.mp4', { ...session, 'If-None-Match': etag });
    t.match(unchanged, { status: 304, body: Buffer.alloc(0) });
    const head = await get('/video/1.mp4', session, 'HEAD');
    t.match(head, { status: 200, headers: { 'content-length': '300000', etag } });
    for (const file of ['a b.txt', '100%.txt', 'empty.bin', 'small.txt']) {
      const { status, body } = await get(`/send/${encodeURIComponent(file)}`);
      const expected = { status: 200, body: String(recordings[file]) };
      t.match({ status, body: String(body) }, expected, file);
    }
    const spaced = await get('/video/a%20b.txt');
    t.equal(String(spaced.body), 'with a space');
    t.equal((await get('/video/none.mp4')).status, 404);
    t.match(running.service.takeIncidents().incidents, [
      { event: 'hand_over_failed', reason: 'missing', route: '/', subject: '/recordings/none.mp4' },
    ]);
    const { handedOver, handOverFailures, opened } = upstreamsOf(running);
    t.ok(handedOver >= 8, `${handedOver} files`);
    t.equal(handOverFailures.missing, 1);
    t.ok(opened <= 4, `${opened} connections to the application`);
  });
}
