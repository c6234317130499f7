// SPDX-License-Identifier: Apache-2.0
// `spliced config check` and `spliced serve` say the same: each list of addresses and of certificates
// goes through both, and what one accepts the other does.

import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { make } from '../unit/certificates/certificates.js';
import { runCli, startServer } from './server.js';

// Below those that the kernel gives to clients; what another program has is not asked for again.
const newPort = (): string => String(randomInt(10_000, 32_000));

/** Where it serves, by the ready line; undefined when it refuses the start. */
async function serve(args: string[], env = {}): Promise<string[] | undefined> {
  try {
    const command = [process.execPath, 'dist/cli.js', ...args];
    const { child, ready, ended } = await startServer(command, env);
    child.kill('SIGTERM');
    await ended;
    return (ready.listeners as { address: string }[]).map(({ address }) => address);
  } catch (error) {
    if (/ended with 2 before/.test(String(error))) return undefined;
    throw error;
  }
}

/** The options with a port for each P go through both. */
async function both(t: Test, options: string[], note: string, http = '') {
  const port = newPort();
  const given = options.map((text) => text.replace(/P$/, port));
  const args = ['--config', '/dev/null', '--root', 'public', ...given];
  const env = { SPLICED_LISTEN_HTTP: http.replace(/P$/, port) };
  const [checked, served] = await Promise.all([
    runCli(['config', 'check', ...args], env),
    serve(['serve', ...args], env),
  ]);
  t.equal(checked.code, served === undefined ? 2 : 0, `${note}: ${checked.stderr}`);
  return { checked, served };
}

// Link-local ones of this machine, with their interfaces.
const local = Object.entries(networkInterfaces()).flatMap(([name, all]) =>
  (all ?? [])
    .filter(({ address }) => address.startsWith('fe80'))
    .map(({ address }) => [address, name]),
);

// P: one free port. What is bound, or undefined: refused.
const places: [string[], string[] | undefined][] = [
  [
    ['127.0.0.1:0', '127.0.0.1:0'],
    ['127.0.0.1', '127.0.0.1'],
  ],
  [['0.0.0.0:P', '[::]:P'], ['::']],
  [['[::]:P', '127.0.0.1:P', '[::1]:P'], ['::']],
  [
    ['127.0.0.1:P', '0.0.0.0:P', '[::1]:P'],
    ['0.0.0.0', '::1'],
  ],
  [['127.0.0.1:P', '127.0.0.1:P'], ['127.0.0.1']],
  [['[::1]:P', '[0:0:0:0:0:0:0:1]:P', '[::0001]:P'], ['::1']],
  [['[::ffff:127.0.0.1]:P', '127.0.0.1:P'], ['127.0.0.1']],
  [['[::ffff:7f00:1]:P'], ['127.0.0.1']],
  [['203.0.113.7:P'], undefined],
  [['127.0.0.1:P', '[2001:db8::7]:P'], undefined],
  [['[fe80::1]:P'], undefined],
  [['[fe80::1%nowhere0]:P'], undefined],
  [['[::1%lo]:P'], undefined],
  [['[fe80::dead:beef%lo]:P'], undefined],
  [['224.0.0.251:P', '[ff02::fb]:P'], undefined],
  [['unix:/run/x.sock'], undefined],
  ...local.map(([address, name]): [string[], string[]] => [
    [`[${address}%${name}]:P`],
    [`${address}%${name}`],
  ]),
];

t.test('addresses', async (t) => {
  const state = ['--state-dir', join(t.testdir(), 'state')];
  for (const [list, wanted] of places) {
    const args = list.flatMap((text) => ['--listen', text]);
    const { checked, served } = await both(t, [...args, ...state], list.join(' '));
    t.same(served, wanted, list.join(' '));
    if (wanted === undefined) t.match(checked.stderr, /^--listen: /, 'which setting');
  }
});

t.test('beside plain HTTP', async (t) => {
  const state = ['--state-dir', join(t.testdir(), 'state')];
  const cases: [string, string, boolean][] = [
    ['[::]', '0.0.0.0', false],
    ['[::]', '127.0.0.1', false],
    ['127.0.0.1', '127.0.0.1', false],
    ['0.0.0.0', '[::]', true],
    ['127.0.0.1', '[::1]', true],
    ['[::1]', '[::]', false],
  ];
  for (const [https, http, isGood] of cases) {
    const args = ['--listen', `${https}:P`, ...state];
    const { served } = await both(t, args, `${https} ${http}`, `${http}:P`);
    t.equal(served !== undefined, isGood, `${https} ${http}`);
  }
});

t.test('certificates for one name', async (t) => {
  const directory = t.testdir();
  const write = async (name: string, wanted: object): Promise<string[]> => {
    const { pem, privateKey } = await make(wanted);
    const paths = [join(directory, `${name}.pem`), join(directory, `${name}.key`)] as const;
    writeFileSync(paths[0], pem);
    writeFileSync(paths[1], privateKey, { mode: 0o600 });
    return [...paths];
  };
  const [certificate = '', key = ''] = await write('ec', { dns: ['gate.test'] });
  const others: [string, object, boolean][] = [
    ['rsa', { key: 'RSA-2048', dns: ['gate.test'] }, true],
    ['again', { dns: ['gate.test'] }, false],
    ['wider', { dns: ['gate.test', 'b.test'] }, true],
    ['dotted', { dns: ['gate.test.'] }, false],
  ];
  for (const [name, wanted, isGood] of others) {
    const toml = join(directory, 'spliced.toml');
    const pair = (await write(name, wanted)).join(',');
    writeFileSync(
      toml,
      `root = "public"\nlisten = ["127.0.0.1:0"]\nstate_dir = "${directory}/state"\n` +
        `tls.certificate = "${certificate}"\ntls.private_key = "${key}"\n` +
        `tls.more_certificates = ["${pair}"]\n`,
    );
    const [checked, served] = await Promise.all([
      runCli(['config', 'check', '--config', toml]),
      serve(['serve', '--config', toml]),
    ]);
    t.equal(checked.code, isGood ? 0 : 2, `${name}: ${checked.stderr}`);
    t.equal(served !== undefined, isGood, name);
    if (!isGood) t.match(checked.stderr, /:6: tls.more_certificates: .* can never be served/);
  }
});
