// SPDX-License-Identifier: Apache-2.0
// The library's errors, beside those of node:https for the same mistakes, each in a process of its own
// that must end by itself: nothing of ours holds a program that has no server.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import type { Server, ServerOptions } from '../../types/index.js';
import { newPair } from '../contract/service.js';

const { createServer } = (await import(
  'spliced' as string
)) as typeof import('../../types/index.js');

// For a hanging process; nothing is measured by it.
const endsWithinMs = 60_000;

/** One JSON line for what a program sees of each mistake. It makes them all, and then it must end. */
const program = `
import { readFileSync } from 'node:fs';
const [library, port, directory] = process.argv.slice(2);
const { createServer } = await import(library);
const pem = (name) => readFileSync(directory + '/' + name);
const good = { cert: pem('cert.pem'), key: pem('key.pem') };
const mistakes = {
  busy: [good, Number(port), '127.0.0.1'],
  busyAny: [good, Number(port)],
  text: [good, port, '127.0.0.1'],
  object: [good, { port: Number(port), host: '127.0.0.1' }],
  notOurs: [good, 0, '192.0.2.1'],
  noName: [good, 0, 'there-is-none.invalid'],
  badPort: [good, 70_000],
  garbage: [{ cert: 'no PEM', key: 'no PEM' }, 0],
  mismatch: [{ ...good, key: pem('other.pem') }, 0],
  type: [{ ...good, cert: 5 }, 0],
  noCert: [{ key: good.key }, 0],
  emptyKey: [{ ...good, key: '' }, 0],
  nothing: [undefined, 0],
  noRoot: [{ ...good, root: '/there/is/none' }, 0],
  option: [{ ...good, limits: { connections_max: 0 } }, 0],
  never: [good],
};
const say = (mistake, how, error) => {
  const { name, message, code, errno, syscall, address, port, hostname } = error;
  const seen = { how, name, message, code, errno, syscall, address, port, hostname };
  console.log(JSON.stringify({ mistake, ...seen }));
};
for (const [mistake, [options, ...where]] of Object.entries(mistakes)) {
  try {
    const server = createServer(options, () => {});
    server.on('error', (error) => say(mistake, 'error', error));
    if (where.length > 0) server.listen(...where, () => server.close());
  } catch (error) {
    say(mistake, 'thrown', error);
  }
}
`;

interface Seen {
  mistake: string;
  how: string;
  name: string;
  message: string;
  code?: string;
}

async function newDirectory(t: Test) {
  const directory = t.testdir({ 'program.mjs': program });
  const [pair, other] = [await newPair(), await newPair()];
  writeFileSync(join(directory, 'cert.pem'), pair.chain);
  writeFileSync(join(directory, 'key.pem'), pair.privateKey, { mode: 0o600 });
  writeFileSync(join(directory, 'other.pem'), other.privateKey, { mode: 0o600 });
  return directory;
}

t.test('a program that made a mistake ends, and sees what node:https shows it', async (t) => {
  const directory = await newDirectory(t);
  // Both families, as a server without a host would have them.
  const busy = createTcpServer().listen(0, '::');
  await once(busy, 'listening');
  t.teardown(() => busy.close());
  const { port } = busy.address() as { port: number };
  const temporary = mkdtempSync(join(tmpdir(), 'library-')); // A Unix socket's path is short.
  t.teardown(() => rmSync(temporary, { recursive: true, force: true }));
  const seenWith = async (library: string): Promise<Record<string, Seen>> => {
    const args = [join(directory, 'program.mjs'), library, String(port), directory];
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      env: { ...process.env, TMPDIR: temporary },
      timeout: endsWithinMs,
    });
    const lines = stdout.trim().split('\n');
    const all = lines.map((line): Seen => JSON.parse(line));
    return Object.fromEntries(all.map((one) => [one.mistake, one]));
  };
  const seen = await seenWith(import.meta.resolve('spliced'));
  const asNode = await seenWith('node:https');

  const alike = ['busy', 'busyAny', 'text', 'object', 'notOurs', 'noName', 'badPort', 'garbage'];
  for (const mistake of [...alike, 'mismatch', 'type', 'never']) {
    t.same(seen[mistake], asNode[mistake], mistake);
  }
  t.match(seen.busy, { how: 'error', code: 'EADDRINUSE', port });

  const missing = { how: 'thrown', name: 'TypeError', code: 'ERR_MISSING_OPTION' };
  t.match(seen.noCert, { ...missing, message: /cert .*is missing/ });
  t.match(seen.emptyKey, { ...missing, message: /key .*is missing/ });
  t.match(seen.nothing, { ...missing, message: /cert .* and key .* are missing/ });
  t.match(seen.noRoot, { message: '/there/is/none' });
  t.notMatch(seen.noRoot?.message, / --\w/, 'no option of the command line');
  t.match(seen.option, {
    how: 'thrown',
    code: 'ERR_INVALID_ARG_VALUE',
    message: 'limits.connections_max',
  });
  t.same(readdirSync(temporary), [], 'and nothing is left of it');
});

for (const name of ['express', 'fastify']) {
  t.test(`examples/${name} without arguments, and with a port that is taken`, async (t) => {
    const directory = await newDirectory(t);
    const busy = createTcpServer().listen(0, '::');
    await once(busy, 'listening');
    t.teardown(() => busy.close());
    const { port } = busy.address() as { port: number };
    const ended = async (...args: string[]): Promise<{ code?: unknown; stderr?: string }> => {
      const command = [`examples/${name}/server.mjs`, ...args];
      const options = { timeout: endsWithinMs };
      return promisify(execFile)(process.execPath, command, options).catch((error) => error);
    };
    t.match(await ended(), { code: 2, stderr: /^usage: node server\.mjs CERT KEY/ });
    const files = ['cert.pem', 'key.pem'].map((file) => join(directory, file));
    t.match(await ended(...files, String(port)), { code: 1, stderr: /^listen EADDRINUSE: / });
  });
}

t.test('in one process', async (t) => {
  const { chain: cert, privateKey: key } = await newPair();
  const start = async (options: Partial<ServerOptions> = {}): Promise<Server> => {
    const server = createServer({ cert, key, ...options }).listen(0, 'localhost');
    await once(server, 'listening');
    return server;
  };
  const server = await start();
  t.throws(() => server.listen(0), { code: 'ERR_SERVER_ALREADY_LISTEN' });
  const port = server.address()?.port;
  const second = createServer({ cert, key });
  second.listen({ port: String(port), host: server.address()?.address ?? '' });
  t.match((await once(second, 'error'))[0], { code: 'EADDRINUSE', syscall: 'listen', port });
  t.equal(second.address(), null);
  t.match(await second.close(), { drained: 0, aborted: 0 }, 'closing it is no mistake');
  await server.close();
  t.throws(() => server.status(), { code: 'ERR_SERVER_NOT_RUNNING' });
  const closed = createServer({ cert, key });
  await closed.close();
  t.throws(() => closed.listen(0), { code: 'ERR_SERVER_NOT_RUNNING' });
  const another = await newPair();
  const later = createServer({ cert, key });
  later.setSecureContext({ cert: another.chain, key: another.privateKey });
  t.throws(() => later.setSecureContext({ cert, key: another.privateKey }), {
    code: 'ERR_OSSL_X509_KEY_VALUES_MISMATCH',
  });
});
