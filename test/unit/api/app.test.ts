// SPDX-License-Identifier: Apache-2.0
// What is asked and answered on the local socket: every route, and every kind of refusal.

import { existsSync, statSync } from 'node:fs';
import { request } from 'node:http';
import t from 'tap';
import { withShortPath } from '../../../src/api/private-socket.js';
import { ask, json, post } from './client.js';
import { certificate, startScene } from './scene.js';
import { statusJson } from './status.js';

t.test('the routes that look', async (t) => {
  const { local } = await startScene(t);
  const status = await ask(local, '/status');
  t.same([status.status, status.text], [200, statusJson]);
  t.match(status.headers, {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  const metrics = await ask(local, '/metrics');
  t.equal(metrics.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  t.match(metrics.text, /^spliced_connections_accepted_total 9$/m);
  t.match((await ask(local, '/certificates')).json, { served: [certificate] });
  const authority = await ask(local, '/certificates/authority');
  t.equal(authority.headers['content-type'], 'application/pem-certificate-chain');
  t.match((await ask(local, '/configuration')).json, { files: [] });
  t.match((await ask(local, '/openapi.json')).json, { openapi: '3.1.0' });
  const head = await ask(local, '/status', { method: 'HEAD' });
  t.same([head.status, head.text], [200, '']);
});

t.test('the routes that change something, each with a line in the log', async (t) => {
  const { local, calls, lines } = await startScene(t);
  const put = (body: object) =>
    ask(local, '/certificates/uploaded', {
      method: 'PUT',
      headers: json,
      body: JSON.stringify(body),
    });
  const installed = await put({ chain: 'good', privateKey: 'SECRET' });
  t.equal(installed.status, 200);
  t.match(installed.json, { findings: [{ kind: 'warning' }], isDefault: false, served: [{}] });
  const bad = await put({ chain: 'bad', privateKey: 'SECRET' });
  t.match(bad, { status: 422, json: { findings: [{ kind: 'bad', text: 'something is odd' }] } });
  t.match(await put({ chain: 'orphan' }), { status: 409, json: { detail: /"privateKey"/ } });
  const remove = () => ask(local, '/certificates/uploaded', { method: 'DELETE' });
  t.equal((await remove()).status, 200);
  t.equal((await remove()).status, 404);

  t.match(await post(local, '/certificates/requests', { names: ['a', 'b'] }), {
    status: 201,
    json: { names: ['a', 'b'] },
  });
  t.match(await post(local, '/certificates/requests', { names: ['c'] }), {
    status: 409,
    json: { detail: /give the request up with DELETE/ },
  });
  t.match((await ask(local, '/certificates/requests')).json, { requests: [{ request: 'PEM' }] });
  await ask(local, '/certificates/requests', { method: 'DELETE' });
  t.same((await ask(local, '/certificates/requests')).json, { requests: [] });
  const unfit = await post(local, '/certificates/requests', { names: ['!'] });
  t.match(unfit, { status: 422, json: { detail: '"!" is no name.' } });

  t.match(await post(local, '/certificates/renewal'), { status: 202, json: { asked: ['device'] } });
  t.match(await post(local, '/reload'), { status: 200, json: { applied: ['log.level'] } });
  t.match(await post(local, '/drain'), { status: 202, json: { draining: true } });
  t.equal(calls.at(-1)?.[0], 'drain');
  t.same(
    lines.map(({ event, method, path, status, who }) => [event, method, path, status, who]).at(-1),
    ['api_changed', 'POST', '/.spliced/api/v1/drain', 202, 'local'],
  );
  t.equal(lines.length, 12, 'one for each that is no GET');
  t.notMatch(JSON.stringify(lines), /SECRET/);

  const check = { method: 'POST', headers: { 'content-type': 'application/toml; charset=utf-8' } };
  const checked = await ask(local, '/configuration/check', { ...check, body: 'rooot = "ä"' });
  t.match(checked.json, { valid: false, errors: [{ line: 1, key: 'rooot' }], warnings: [] });
  t.same(calls.at(-1), ['check', 'rooot = "ä"']);
});

t.test('what is wrong with a request is said', async (t) => {
  const { local, calls } = await startScene(t);
  const upload = '/certificates/uploaded';
  const put = (body: string | Buffer, headers: Record<string, string> = json) =>
    ask(local, upload, { method: 'PUT', headers, body });
  const cases: [name: string, Promise<Awaited<ReturnType<typeof ask>>>, number, RegExp][] = [
    ['path', ask(local, '/nowhere'), 404, /no \/\.spliced\/api\/v1\/nowhere; .*openapi\.json/],
    ['outside', ask(local, '/.spliced/status'), 404, /There is no/],
    ['method', ask(local, upload), 405, /knows PUT, DELETE/],
    ['query', ask(local, '/status?x=1'), 400, /no parameter "x"; there are none/],
    ['type', put('{}', { 'content-type': 'text/plain' }), 415, /"Content-Type: application\/json"/],
    ['form', put('a=b', { 'content-type': 'application/x-www-form-urlencoded' }), 415, /was "app/],
    ['no type', ask(local, '/drain', { method: 'POST' }), 415, /was absent/],
    ['no JSON', put('{'), 400, /is not JSON/],
    ['no object', put('[]'), 400, /JSON object/],
    ['no UTF-8', put(Buffer.from([0x22, 0xff, 0x22])), 400, /UTF-8/],
    ['field', put('{"chain":"x","kye":"y"}'), 400, /no field "kye"; there are: chain, privateKey/],
    ['field of none', post(local, '/drain', { now: true }), 400, /"now"; there are none/],
    ['kind', put('{"chain":1}'), 400, /"chain" must be a string/],
    ['prototype', put('{"__proto__":{"chain":"x"}}'), 400, /no field "__proto__"/],
    ['names', post(local, '/certificates/requests', { names: 'a' }), 400, /array of strings/],
    ['long', put(`{"chain":"${'x'.repeat(64 * 1024)}"}`), 413, /at most 65536 bytes/],
  ];
  for (const [name, asked, status, detail] of cases) {
    const answer = await asked;
    t.equal(answer.status, status, name);
    t.equal(answer.headers['content-type'], 'application/problem+json', name);
    t.match(answer.json, { type: 'about:blank', title: /./, status, detail }, name);
  }
  t.equal((await ask(local, upload)).headers.allow, 'PUT, DELETE');
  t.same(calls, [], 'nothing was done');
});

t.test('bodies without a length', async (t) => {
  const { directory, local, calls } = await startScene(t);
  const sendParts = (parts: string[]) => (socketPath: string) =>
    new Promise((resolve, reject) => {
      const path = '/.spliced/api/v1/certificates/uploaded';
      const headers = { ...json, 'transfer-encoding': 'chunked' };
      const outgoing = request({ socketPath, path, method: 'PUT', headers }, (response) => {
        resolve(response.statusCode);
        outgoing.destroy();
      });
      outgoing.on('error', reject);
      for (const part of parts) outgoing.write(part);
      if (parts.length < 5) outgoing.end();
    });
  const send = (parts: string[]) => withShortPath(directory, 'api.sock', sendParts(parts));
  t.equal(await send(['{"chain":', '"x"}']), 200);
  t.same(calls, [['install', 'x', undefined]]);
  const long = Array<string>(5).fill('x'.repeat(16 * 1024));
  t.equal(await send(long), 413, 'at once, although it has not ended');
  t.equal((await ask(local, '/status')).status, 200);
});

t.test('a change that the storage refuses says so', async (t) => {
  let code = 'ENOSPC';
  const { local, lines } = await startScene(t, {
    service: {
      drain: () => {
        const words = `${code}: no, open '/state/x'`;
        throw Object.assign(new Error(words), { code, syscall: 'open' });
      },
    },
  });
  const full = await post(local, '/drain', {});
  t.match(full, {
    status: 507,
    json: { title: 'No space', detail: /ENOSPC.*'\/state\/x'; make room/ },
  });
  code = 'EROFS';
  const readOnly = await post(local, '/drain', {});
  t.match(readOnly, { status: 500, json: { detail: /EROFS.*; see "spliced doctor"/ } });
  t.match(lines, [
    { event: 'api_changed', status: 507 },
    { event: 'api_changed', status: 500 },
  ]);
});

t.test('a handler that fails tells the log, and the client no more than that', async (t) => {
  const { local, lines } = await startScene(t, {
    service: {
      status: () => {
        throw new Error('inside story');
      },
    },
  });
  const answer = await ask(local, '/status');
  t.match(answer, { status: 500, json: { detail: /its log says why/ } });
  t.notMatch(answer.text, /inside story/);
  t.match(lines, [{ event: 'api_failed', reason: /inside story/ }]);
});

t.test('the sockets are there while it runs, for their owner alone', async (t) => {
  const { local, proxy, server } = await startScene(t);
  for (const path of [local, proxy]) t.equal(statSync(path).mode & 0o777, 0o600);
  await server.close();
  for (const path of [local, proxy]) t.notOk(existsSync(path));
  await server.close();
});
