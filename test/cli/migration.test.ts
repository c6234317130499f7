// SPDX-License-Identifier: Apache-2.0
// docs/MIGRATION.md: its nginx and its spliced configuration are started side by side over one site and
// one backend, and answer alike; lighttpd takes its own. Every TOML block of the documents is a
// configuration that the schema takes.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, get as getHttp } from 'node:http';
import { get as getHttps } from 'node:https';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ConfigurationError, loadText } from '../../src/config/configuration.js';
import { freePort } from '../free-port.js';
import { startNginx } from '../nginx.js';
import { startServer } from './server.js';

const document = readFileSync('docs/MIGRATION.md', 'utf8');
const blockOf = (language: string): string => {
  const [, block] =
    new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(document) ?? [];
  if (block === undefined) throw new Error(`docs/MIGRATION.md has no block of ${language}`);
  return block;
};

interface Ports {
  https: number;
  http: number;
}

/** The block with the places of this test in it. */
function placed(text: string, directory: string, ports: Ports, address: string): string {
  return text
    .replaceAll(/listen 443 ssl/g, `listen ${address}:${ports.https} ssl`)
    .replaceAll(/listen 80\b/g, `listen ${address}:${ports.http}`)
    .replaceAll('[::]:443', `${address}:${ports.https}`)
    .replaceAll('[::]:80', `${address}:${ports.http}`)
    .replaceAll('/etc/ssl/', `${directory}/`)
    .replaceAll('/srv/www', `${directory}/www`)
    .replaceAll('/run/app.sock', `${directory}/app.sock`);
}

interface Answer {
  status?: number;
  body: string;
  cache?: string;
  location?: string;
}

function ask(url: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const get = url.startsWith('https') ? getHttps : getHttp;
    const options = { rejectUnauthorized: false, headers: { Host: 'device.example' } };
    get(url, options, (response) => {
      let body = '';
      response.on('data', (data) => {
        body += data;
      });
      response.on('end', () => {
        const { location, 'cache-control': cache } = response.headers;
        resolve({
          ...(response.statusCode === undefined ? {} : { status: response.statusCode }),
          body,
          ...(cache === undefined ? {} : { cache }),
          ...(location === undefined ? {} : { location }),
        });
      });
    }).on('error', reject);
  });
}

/** nginx makes a URL of a path, and of the port that it listens at. */
const pathOf = (location = ''): string => location.replace(/^https?:\/\/[^/]+/, '');

async function makeSite(t: Test): Promise<string> {
  const directory = t.testdir({
    www: {
      'index.html': '<p>application</p>',
      'about.txt': 'about',
      assets: { 'app.js': 'app' },
    },
  });
  const pair = ['-keyout', join(directory, 'device.key'), '-out', join(directory, 'device.crt')];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-days', '2'];
  const name = ['-subj', '/CN=device.example', '-addext', 'subjectAltName=DNS:device.example'];
  const made = spawnSync('openssl', ['req', '-x509', ...kind, ...pair, ...name]);
  t.equal(made.status, 0, String(made.stderr));
  const backend = createServer(({ url, headers }, response) => {
    const { host, 'x-forwarded-proto': proto } = headers;
    response.end(`${url} ${host} ${proto}`);
  });
  await new Promise<void>((resolve) => {
    backend.listen(join(directory, 'app.sock'), () => resolve());
  });
  t.teardown(() => backend.close());
  return directory;
}

t.test('nginx and spliced answer alike', async (t) => {
  const directory = await makeSite(t);
  const theirs: Ports = { https: await freePort(), http: await freePort() };
  const nginxDirectory = join(directory, 'nginx');
  mkdirSync(nginxDirectory);
  const http = placed(blockOf('nginx'), directory, theirs, '127.0.0.1');
  await startNginx(t, nginxDirectory, http, theirs.https);

  const ours: Ports = { https: await freePort(), http: await freePort() };
  const config = join(directory, 'spliced.toml');
  writeFileSync(config, placed(blockOf('toml'), directory, ours, '127.0.0.1'));
  const options = ['--config', config, '--state-dir', join(directory, 'state')];
  const server = await startServer([process.execPath, 'dist/cli.js', 'serve', ...options]);
  t.teardown(() => server.child.kill('SIGKILL'));

  const both = async (path: string, scheme: keyof Ports = 'https') => ({
    theirs: await ask(`${scheme}://127.0.0.1:${theirs[scheme]}${path}`),
    ours: await ask(`${scheme}://127.0.0.1:${ours[scheme]}${path}`),
  });
  const paths = ['/', '/about.txt', '/some/page', '/assets/app.js', '/api/state?x=1'];
  for (const path of paths) {
    const answers = await both(path);
    t.equal(answers.theirs.status, 200, path);
    t.same(answers.ours, answers.theirs, path);
  }
  const old = await both('/old');
  t.equal(old.theirs.status, 308);
  t.equal(old.ours.status, 308);
  t.equal(pathOf(old.ours.location), pathOf(old.theirs.location));
  const plain = await both('/about.txt?x', 'http');
  for (const { location } of [plain.ours, plain.theirs]) {
    t.match(location, /^https:\/\/device\.example(:\d+)?\/about\.txt\?x$/);
  }
  const missing = await both('/gone.js');
  t.equal(missing.theirs.status, 200, 'nginx answers a script that is gone with HTML');
  t.equal(missing.ours.status, 404);
});

t.test('lighttpd takes its own', async (t) => {
  const directory = await makeSite(t);
  const file = join(directory, 'lighttpd.conf');
  const ports = { https: 443, http: 80 };
  writeFileSync(file, placed(blockOf('lighttpd'), directory, ports, '127.0.0.1'));
  const { status, stderr } = spawnSync('lighttpd', ['-t', '-f', file], { encoding: 'utf8' });
  t.equal(status, 0, stderr);
});

t.test('every block of TOML in the documents', async (t) => {
  let blocks = 0;
  for (const name of ['README.md', ...readdirSync('docs').map((file) => `docs/${file}`)]) {
    if (!name.endsWith('.md')) continue;
    for (const [, block = ''] of readFileSync(name, 'utf8').matchAll(
      /^```toml\n([\s\S]*?)^```$/gm,
    )) {
      blocks += 1;
      try {
        loadText(block, name);
        t.pass(name);
      } catch (error) {
        t.fail(`${name}: ${error instanceof ConfigurationError ? error.message : error}\n${block}`);
      }
    }
  }
  t.ok(blocks >= 7, `${blocks} blocks`);
});
