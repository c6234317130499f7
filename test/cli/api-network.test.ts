// SPDX-License-Identifier: Apache-2.0
// The API as clients from the network see it: by curl over HTTPS, through the service's own proxy
// route. docs/API.md says who may do what.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { Authority } from '../contract/pki.js';
import { type Scene, startWithApi } from './api.js';
import { runCli } from './server.js';

interface Said {
  status: number;
  body: string;
}

const urlOf = ({ server }: Scene, path: string): string =>
  `https://127.0.0.1:${server.port}/.spliced/api/v1${path}`;

async function curl(scene: Scene, path: string, ...args: string[]): Promise<Said> {
  const own = ['--insecure', '-sS', '--max-time', '20', '-w', '\n%{http_code}'];
  const child = spawn('curl', [...own, ...args, urlOf(scene, path)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (data) => {
    text += data;
  });
  await once(child, 'close');
  const at = text.lastIndexOf('\n');
  return { status: Number(text.slice(at + 1)), body: text.slice(0, at) };
}

const bearer = (token: string): string[] => ['-H', `Authorization: Bearer ${token}`];

async function tokenOf({ own }: Scene): Promise<string> {
  const { stdout } = await runCli(['token', ...own]);
  return stdout.trim();
}

t.test('from loopback: figures for everybody, the rest for who has the token', async (t) => {
  const scene = await startWithApi(t);
  const status = await curl(scene, '/status');
  t.equal(status.status, 200);
  t.match(JSON.parse(status.body), { version: String, upstreams: { open: 1 } });
  t.match((await curl(scene, '/metrics')).body, /^spliced_/m);
  t.equal((await curl(scene, '/configuration')).status, 401);
  t.equal(
    (await curl(scene, '/configuration', ...bearer(`spliced_${'x'.repeat(43)}`))).status,
    401,
  );
  const token = await tokenOf(scene);
  t.match(token, /^spliced_[\w-]{43}$/);
  t.equal((await curl(scene, '/configuration', ...bearer(token))).status, 200);
  const toml = ['-H', 'Content-Type: application/toml', '--data-binary', 'rooot = "x"\n'];
  const check = await curl(scene, '/configuration/check', ...bearer(token), ...toml);
  t.match(check, { status: 200, body: /rooot/ });
  const missing = await curl(scene, '/nothing', ...bearer(token));
  t.equal(missing.status, 404);
});

t.test('nobody becomes the proxy by saying so', async (t) => {
  const authority = await Authority.create('Site CA');
  const directory = mkdtempSync(join(tmpdir(), 'spliced-clients-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const subject = 'CN=unit';
  const { cert, key } = await authority.issue();
  for (const [name, text] of Object.entries({ cert, key, ca: authority.pem })) {
    writeFileSync(join(directory, `${name}.pem`), text);
  }
  const config = join(directory, 'spliced.toml');
  const lines = ['[client_certificates]', `ca = "${join(directory, 'ca.pem')}"`];
  lines.push('[api]', `client_certificates = ["${subject}"]`);
  writeFileSync(config, lines.join('\n'));
  const scene = await startWithApi(t, ['--config', config]);
  const forged = [
    ['-H', `X-Client-Certificate-Subject: ${subject}`],
    ['-H', `X_Client_Certificate_Subject: ${subject}`],
    ['-H', `X-Client-Certificate-Fingerprint: ${'a'.repeat(64)}`],
    ['-H', 'X-Forwarded-For: 127.0.0.1', '-H', 'Connection: X-Forwarded-For'],
  ];
  for (const fields of forged) {
    t.equal((await curl(scene, '/configuration', ...fields)).status, 401, fields.join(' '));
  }
  const own = ['--cert', join(directory, 'cert.pem'), '--key', join(directory, 'key.pem')];
  t.equal((await curl(scene, '/configuration', ...own)).status, 200, 'the real one');
  const both = await curl(scene, '/configuration', ...own, ...(forged[2] ?? []));
  t.equal(both.status, 200, 'a forged field beside it is removed, not doubled');
});

t.test('the log comes as it is written, and ends when the service does', async (t) => {
  const scene = await startWithApi(t);
  const token = await tokenOf(scene);
  const args = ['--insecure', '-sSN', ...bearer(token), urlOf(scene, '/log?lines=0')];
  const reader = spawn('curl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => reader.kill('SIGKILL'));
  const closed = once(reader, 'close');
  const lines = createInterface({ input: reader.stdout });
  const found = new Promise<void>((resolve) => {
    lines.on('line', (line) => {
      if (line.includes('"reloaded"')) resolve();
    });
  });
  const reload = () => curl(scene, '/reload', ...bearer(token), '--json', '{}');
  const timer = setInterval(() => void reload(), 200);
  t.teardown(() => clearInterval(timer));
  await found;
  clearInterval(timer);
  scene.server.child.kill('SIGTERM');
  const [code] = await closed;
  t.equal(code, 0, 'the stream has its last chunk');
  t.match(await scene.server.ended, { code: 0 });
});
