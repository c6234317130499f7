// SPDX-License-Identifier: Apache-2.0
// The page by the real service: where it is, with which fields, that no route of the configuration
// gets in its way, and how it is switched off.

import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { uiBytesMax } from '../../scripts/compile-ui.mjs';
import { runCli, type Server, startCli } from '../cli/server.js';

interface Answer {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
  body: Buffer;
}

function get(port: number, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, headers, rejectUnauthorized: false };
    const outgoing = request({ ...options, agent: false }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        const { statusCode: status = 0, headers: received } = incoming;
        resolve({ status, headers: received, body: Buffer.concat(chunks) });
      });
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

async function serve(t: Test, toml: string): Promise<{ server: Server; file: string }> {
  const directory = t.testdir({ root: { 'index.html': 'product' }, 'spliced.toml': toml });
  const file = join(directory, 'spliced.toml');
  const server = await startCli(directory, ['--root', join(directory, 'root'), '--config', file]);
  t.teardown(() => server.child.kill('SIGKILL'));
  return { server, file };
}

const hostile = `
[[route]]
host = "localhost"
action = "respond"
body = "mine"

[[route]]
path = "/"
fallback = "index.html"
`;

t.test('the page: redirect, fields, siblings, caching; no route shadows it', async (t) => {
  const { server } = await serve(t, hostile);
  const { port } = server;
  const moved = await get(port, '/.spliced/ui');
  t.match(moved, { status: 308, headers: { location: '/.spliced/ui/' } });
  const page = await get(port, '/.spliced/ui/', { Host: 'localhost' });
  t.equal(page.status, 200);
  t.match(page.headers, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-cache',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'content-security-policy':
      /^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'/,
  });
  t.same(page.body, readFileSync('dist/ui/index.html'));
  const text = page.body.toString();
  t.notMatch(text, /<script(?![^>]* src=)|<style| style=| on[a-z]+=/, 'nothing inline');
  const etag = String(page.headers.etag);
  t.equal((await get(port, '/.spliced/ui/', { 'If-None-Match': etag })).status, 304);

  const names = [...text.matchAll(/(?:src|href)="(assets\/[^"]+)"/g)].map(([, name]) => name);
  t.equal(names.length, 2);
  let bytes = page.body.length;
  for (const name of names) {
    const asset = await get(port, `/.spliced/ui/${name}`, { 'Accept-Encoding': 'br' });
    t.match(asset.headers, {
      'content-encoding': 'br',
      'cache-control': 'public, max-age=31536000, immutable',
    });
    const content = brotliDecompressSync(asset.body);
    t.same(content, readFileSync(`dist/ui/${name}`), String(name));
    bytes += content.length;
  }
  t.ok(bytes <= uiBytesMax, `${bytes} bytes in all`);
  for (const path of ['.spliced/manifest.json', 'assets/none.js', '../cli.js']) {
    t.ok([400, 404].includes((await get(port, `/.spliced/ui/${path}`)).status), path);
  }
  t.equal((await get(port, '/.spliced/')).status, 404);
  t.equal((await get(port, '/any')).body.toString(), 'product', "the configuration's own");
});

t.test('switched off by a reload, and a route that wants its place', async (t) => {
  const { server, file } = await serve(t, '');
  t.equal((await get(server.port, '/.spliced/ui/')).status, 200);
  writeFileSync(file, '[ui]\nenabled = false\n');
  server.child.kill('SIGHUP');
  while ((await get(server.port, '/.spliced/ui/')).status !== 404) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  t.equal((await get(server.port, '/')).body.toString(), 'product');
  writeFileSync(file, '[[route]]\npath = "/.spliced/ui"\n');
  const refused = await runCli(['config', 'check', '--config', file]);
  t.match(refused, { code: 2, stderr: /path.*must not be below \/\.spliced, where the service/ });
});
