// SPDX-License-Identifier: Apache-2.0
// An upload as an operator makes it with curl: announced over api.sock, sent by PUT over HTTPS, cut,
// and gone on with after a new start of the service.

import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { type RequestOptions, request } from 'node:http';
import { join } from 'node:path';
import { connect } from 'node:tls';
import t from 'tap';
import { socketOf, startWithApi } from './api.js';
import { logLines, startCli } from './server.js';

/** Somebody has to install what is uploaded. */
const installer = { SPLICED_UPDATE_ADAPTER: 'command', SPLICED_UPDATE_COMMAND: '/bin/true' };

const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

/** Until it is so; the test's own time-out ends it. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** `/update/uploads` over api.sock. */
const ask = (socketPath: string, method: string, body?: object) =>
  askAt({ socketPath, path: '/.spliced/api/v1/update/uploads', method }, body);

function askAt(options: RequestOptions, body?: object) {
  return new Promise<{ status: number; json: Record<string, unknown> }>((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const outgoing = request({ ...options, headers }, (response) => {
      let text = '';
      response.on('data', (part) => {
        text += part;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, json: JSON.parse(text) }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const curl = (port: number, ...args: string[]) => {
  const url = `https://127.0.0.1:${port}${args.pop()}`;
  const common = ['-k', '-sS', '-w', '\n%{http_code}', ...args, url];
  return spawnSync('curl', common, { encoding: 'utf8', timeout: 60_000 });
};

/** Sends the head and some of the body, and leaves. */
function sendSome(port: number, path: string, length: number, some: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      socket.write(`PUT ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`);
      socket.end(some);
    });
    socket.on('error', reject);
    socket.on('close', () => resolve());
    socket.resume();
  });
}

t.test('by curl', async (t) => {
  const { server, directory, stateDir, local } = await startWithApi(t, [], installer);
  const bundle = randomBytes(3_000_001);
  const file = join(directory, 'bundle.raucb');
  writeFileSync(file, bundle);
  const wish = { name: 'bundle.raucb', length: bundle.length, sha256: sha256(bundle) };
  const { status, json } = await ask(local, 'POST', wish);
  t.match({ status, json }, { status: 201, json: { offset: 0, length: bundle.length } });
  const path = String(json.upload);
  t.match(path, /^\/\.spliced\/upload\/[\w-]{43}$/);
  t.same((await ask(local, 'POST', wish)).json, json, 'announced again: the same');
  const sent = curl(server.port, '-T', file, path);
  t.match(sent.stdout, new RegExp(`"sha256":"${wish.sha256}"}\\n\\n200$`), sent.stderr);
  t.same((await ask(local, 'GET')).json, { uploads: [] }, 'it is not an upload any more');
  const leftNow = () =>
    readdirSync(join(stateDir, 'update')).filter((name) => name !== 'update.json');
  // Its record goes when the client has had its answer.
  let left = leftNow();
  for (let i = 0; i < 500 && left.includes('upload.json'); i += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    left = leftNow();
  }
  t.same(left, [`bundle-${wish.sha256.slice(0, 16)}.raucb`]);
  const received = join(stateDir, 'update', left[0] ?? '');
  t.ok(readFileSync(received).equals(bundle));
  t.equal(statSync(received).mode & 0o777, 0o600);
  t.equal(statSync(join(stateDir, 'update')).mode & 0o777, 0o700);
  t.match(curl(server.port, '-T', file, `${path}x`).stdout, /no such upload.*\n404$/s);

  server.child.kill('SIGTERM');
  const { code, stdout } = await server.ended;
  t.equal(code, 0);
  const id = path.split('/').at(-1) ?? '';
  t.notMatch(stdout, id, 'the log never has the id');
  const events = logLines(stdout).map(({ event }) => event);
  t.ok(events.includes('upload_announced') && events.includes('update_received'));
});

t.test('behind another', async (t) => {
  const directory = t.testdirName;
  const [begun, go, seen] = ['begun', 'go', 'seen'].map((name) => join(directory, name));
  const program = join(directory, 'install');
  // The first waits for the test.
  const text = `#!/bin/sh
cat "$1" >>${seen}
touch ${begun}
while [ ! -e ${go} ]; do sleep 0.05; done
cat "$1" >>${seen}
`;
  const command = { ...installer, SPLICED_UPDATE_COMMAND: program };
  const { server, local } = await startWithApi(t, [], command);
  writeFileSync(program, text, { mode: 0o755 });
  const [api, path] = [{ socketPath: local }, '/.spliced/api/v1/update'];
  const state = async () => (await askAt({ ...api, path })).json;
  const install = () => askAt({ ...api, path: `${path}/install`, method: 'POST' }, {});
  const send = async (name: string) => {
    const { json } = await ask(local, 'POST', { name, length: 5 });
    const file = join(directory, name);
    writeFileSync(file, name);
    return () => curl(server.port, '-T', file, String(json.upload)).stdout;
  };
  t.match((await send('first'))(), /200$/);
  const sendNext = await send('other');
  t.match(await install(), { status: 202 });
  while (!existsSync(begun ?? '')) await new Promise((resolve) => setTimeout(resolve, 10));
  t.match(await ask(local, 'POST', { name: 'third', length: 5 }), {
    status: 409,
    json: { detail: /being installed: wait for its end/ },
  });
  t.match(sendNext(), /200$/, 'what was announced before goes on');
  const busy = { state: 'installing', bundle: { name: 'first' }, waiting: { name: 'other' } };
  await until(async () => (await state()).waiting !== null);
  t.match(await state(), busy);
  writeFileSync(go ?? '', '');
  await until(async () => (await state()).state !== 'installing');
  t.match(await state(), { ...busy, state: 'installed' });
  t.equal(readFileSync(seen ?? '', 'utf8'), 'firstfirst');
  t.match(await install(), { status: 202 });
  await until(async () => (await state()).state !== 'installing');
  t.match(await state(), { state: 'installed', bundle: { name: 'other' }, waiting: null });
  t.equal(readFileSync(seen ?? '', 'utf8'), 'firstfirstotherother');
  server.child.kill('SIGTERM');
  t.equal((await server.ended).code, 0);
});

t.test('cut and resumed', async (t) => {
  const { server, directory, stateDir, local } = await startWithApi(t, [], installer);
  const bundle = randomBytes(2_000_000);
  const wish = { name: 'b', length: bundle.length };
  const { json } = await ask(local, 'POST', wish);
  await sendSome(server.port, String(json.upload), bundle.length, bundle.subarray(0, 500_000));
  let offset = 0;
  while (offset < 400_000) {
    const { uploads } = (await ask(local, 'GET')).json as { uploads: { offset: number }[] };
    offset = uploads[0]?.offset ?? 0;
  }
  t.match(await ask(local, 'POST', { name: 'c', length: 5, sha256: 'x' }), {
    status: 400,
    json: { detail: /64 hexadecimal/ },
  });
  t.match(await ask(local, 'POST', { name: 'c', length: 2 ** 50 }), { status: 413 });
  server.child.kill('SIGTERM');
  const { code, stdout } = await server.ended;
  t.equal(code, 0, stdout);
  t.match(stdout, /"event":"upload_interrupted"/);

  const next = await startCli(directory, ['--root', join(directory, 'root')], installer);
  t.teardown(() => next.child.kill('SIGKILL'));
  const socket = await socketOf(stateDir, 'api.sock');
  const resumed = await ask(socket, 'POST', wish);
  t.match(resumed, { status: 201, json: { offset } });
  t.not(resumed.json.upload, json.upload, 'under a new path');
  const file = join(directory, 'file');
  writeFileSync(file, bundle);
  const sent = curl(next.port, '-C', String(offset), '-T', file, String(resumed.json.upload));
  t.match(sent.stdout, new RegExp(`"sha256":"${sha256(bundle)}"}\\n\\n200$`), sent.stderr);

  const again = await ask(socket, 'POST', { name: 'b', length: 5, sha256: 'ab'.repeat(32) });
  writeFileSync(file, 'hello');
  const wrong = curl(next.port, '-T', file, String(again.json.upload));
  t.match(wrong.stdout, /was promised; it is given up.*422$/s);
  t.match(await ask(socket, 'DELETE'), { status: 200 }, 'the bundle that was received before');
  t.match(await ask(socket, 'DELETE'), { status: 404 });
  await ask(socket, 'POST', { name: 'd', length: 5 });
  t.match(await ask(socket, 'DELETE'), { status: 200, json: { uploads: [] } });
  t.notOk(existsSync(join(stateDir, 'update', 'upload.part')));
  next.child.kill('SIGTERM');
  t.equal((await next.ended).code, 0);
});
