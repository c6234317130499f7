// SPDX-License-Identifier: Apache-2.0
// Routes as the configuration makes them, over the real addon: what stands in for what is not there,
// what may be kept for how long, the fields of every answer, and another site by a reload.

import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { LoadedConfiguration } from '../../src/config/configuration.js';
import { loadConfiguration } from '../../src/config/configuration.js';
import { siteOf } from '../../src/serving/site.js';
import { get, type Running, startService } from './service.js';

function load(t: Test, toml: string): LoadedConfiguration {
  const directory = mkdtempSync(join(tmpdir(), 'spliced-site-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'spliced.toml');
  writeFileSync(file, toml);
  return loadConfiguration({ config: file }, { env: {} });
}

interface Started {
  running: Running;
  serve: (toml: string, isTrusted?: boolean) => void;
}

async function start(t: Test, toml: string, isTrusted = false): Promise<Started> {
  const site = (text: string, trusted: boolean, root: string) => {
    const { configuration } = load(t, text);
    return siteOf({ configuration: { ...configuration, root }, isTrusted: trusted });
  };
  const running = await startService(t, {
    'index.html': '<p>index</p>',
    '404.html': '<p>none</p>',
  });
  const { service, root } = running;
  mkdirSync(join(root, 'assets'));
  writeFileSync(join(root, 'assets/app.3f9a1c2b.js'), 'old()');
  writeFileSync(join(root, 'plain.js'), 'stable()');
  const serve = (text: string, trusted = false): void =>
    service.replaceSite(site(text, trusted, root));
  serve(toml, isTrusted);
  return { running, serve };
}

const application = `
[[route]]
fallback = "index.html"
not_found = "404.html"
headers = ["X-Frame-Options: DENY", "Referrer-Policy:", "X-Own: 1"]

[[route]]
path = "/old"
action = "redirect"
to = "/new"
keep_path = true

[[route]]
path = "/health"
action = "respond"
methods = ["GET", "POST"]
body = "ok"
`;

t.test('an update while a page is open (RFC 9111 5.2.2, 9110 15.5.5)', async (t) => {
  const { running } = await start(t, application);
  const page = await get(running, { path: '/settings/network' });
  t.match(page, { status: 200, headers: { 'cache-control': 'no-cache' } });
  const asset = await get(running, { path: '/assets/app.3f9a1c2b.js' });
  t.equal(asset.headers['cache-control'], 'public, max-age=31536000, immutable');
  t.equal((await get(running, { path: '/plain.js' })).headers['cache-control'], 'no-cache');
  // The update: the asset has another name, and the index another content.
  const { root } = running;
  renameSync(join(root, 'assets/app.3f9a1c2b.js'), join(root, 'assets/app.77aa1c2b.js'));
  writeFileSync(join(root, 'index.new'), '<p>new index</p>');
  renameSync(join(root, 'index.new'), join(root, 'index.html'));
  const gone = await get(running, { path: '/assets/app.3f9a1c2b.js' });
  t.match(gone, { status: 404, headers: { 'cache-control': 'no-store' } });
  t.equal(gone.body.toString(), '<p>none</p>', 'the page of a 404, never the index');
  const etag = String(page.headers.etag);
  const again = await get(running, {
    path: '/settings/network',
    headers: { 'If-None-Match': etag },
  });
  t.equal(again.status, 200);
  t.equal(again.body.toString(), '<p>new index</p>');
});

t.test('redirects and fixed answers', async (t) => {
  const { running } = await start(t, application);
  const moved = await get(running, { path: '/old/a%20b?c=d' });
  t.match(moved, { status: 308, headers: { location: '/new/a%20b?c=d' } });
  const assets = await get(running, { path: '/assets?x=1' });
  t.match(assets, { status: 308, headers: { location: '/assets/?x=1' } });
  for (const method of ['GET', 'POST']) {
    const answer = await get(running, {
      path: '/health',
      method,
      headers: { 'Content-Length': 0 },
    });
    t.match(answer, { status: 200, headers: { 'cache-control': 'no-store' } }, method);
    t.equal(answer.body.toString(), 'ok');
  }
  const refused = await get(running, { path: '/health', method: 'DELETE' });
  t.match(refused, { status: 405, headers: { allow: 'GET, HEAD, POST, OPTIONS' } });
});

t.test('the fields that keep a browser safe', async (t) => {
  const { running, serve } = await start(t, '');
  const safe = await get(running, {});
  t.match(safe.headers, {
    'content-security-policy': /^default-src 'self'; .*frame-ancestors 'self'/,
    'x-frame-options': 'SAMEORIGIN',
    'referrer-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
  });
  t.notMatch(safe.headers, { server: /./ });
  t.equal(safe.headers['strict-transport-security'], undefined, 'not with our own certificate');
  serve('', true);
  const trusted = await get(running, {});
  t.equal(trusted.headers['strict-transport-security'], 'max-age=31536000');
  serve(application, true);
  const own = await get(running, { path: '/none.js' });
  t.match(own.headers, { 'x-frame-options': 'DENY', 'x-own': '1' });
  t.equal(own.headers['referrer-policy'], undefined, 'left out');
});

t.test('a build that was packed is in every validator', async (t) => {
  const { running, serve } = await start(t, '');
  const etag = String((await get(running, {})).headers.etag);
  mkdirSync(join(running.root, '.spliced'));
  writeFileSync(join(running.root, '.spliced/manifest.json'), '{"build":"another"}');
  serve('');
  const answer = await get(running, { headers: { 'If-None-Match': etag } });
  t.equal(answer.status, 200, 'the same file of another build');
  t.not(answer.headers.etag, etag);
});

t.test('a site that cannot be served leaves the one that is', async (t) => {
  const { running, serve } = await start(t, application);
  t.throws(() => serve('[[route]]\nroot = "/nowhere/at/all"\n'), { code: 'EROUTE' });
  t.equal((await get(running, { path: '/health' })).body.toString(), 'ok');
});
