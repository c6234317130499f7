// SPDX-License-Identifier: Apache-2.0
// A device whose own key is made in a token at the first start: the daemon as it is run, with SoftHSM.

import { createPublicKey } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import t from 'tap';
import { newToken } from '../contract/token.js';
import { runCli, startServer } from './server.js';

const token = newToken(t, ['device']);

t.test('the first start makes the key, and clients get its certificate', async (t) => {
  const root = join(token.directory, 'root');
  const state = join(token.directory, 'state');
  mkdirSync(root);
  const reference = token.uriOf('tls');
  const config = token.file(
    'spliced.toml',
    `listen = ["127.0.0.1:0"]\nroot = "${root}"\nstate_dir = "${state}"\n` +
      `[tls]\nprivate_key = "${reference}"\nmake_private_key = "P-256"\n`,
  );
  const server = await startServer([process.execPath, 'dist/cli.js', 'serve', '--config', config]);
  t.teardown(() => server.child.kill('SIGKILL'));
  const socket = connect({ port: server.port, host: '127.0.0.1', rejectUnauthorized: false });
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  const shown = socket.getPeerX509Certificate()?.publicKey;
  socket.destroy();
  const key = await runCli(['certificate', 'key', reference]);
  t.equal(key.code, 0, key.stderr);
  t.ok(shown?.equals(createPublicKey(key.stdout)));
  const again = await runCli(['certificate', 'key', '--generate', reference]);
  t.match(again, { code: 2, stderr: /object=tls is there already; nothing was made/ });
  const checked = await runCli(['certificate', 'show', '--config', config]);
  t.equal(checked.code, 0, checked.stderr);
  t.match(checked.stdout, /^device\n/m);
  server.child.kill('SIGTERM');
  t.equal((await server.ended).code, 0);
});

t.test("check and doctor say where the authority's and an account's keys are", async (t) => {
  const root = join(token.directory, 'other-root');
  mkdirSync(root);
  const [authority, absent] = ['authority', 'absent'].map((name) => token.uriOf(name));
  const made = await runCli(['certificate', 'key', '--generate', authority ?? '']);
  t.equal(made.code, 0, made.stderr);
  const config = token.file(
    'others.toml',
    `listen = ["127.0.0.1:0"]\nlisten_http = ["127.0.0.1:0"]\nroot = "${root}"\n` +
      `state_dir = "${token.directory}/others"\n[tls]\nauthority_key = "${authority}"\n` +
      '[enrolment]\nprotocol = "acme"\ndirectory_url = "https://acme.example/directory"\n' +
      `names = ["gate.example"]\nterms_of_service_agreed = true\naccount_key = "${absent}"\n`,
  );
  const refusal = /no key for pkcs11:.*object=absent/;
  const checked = await runCli(['config', 'check', '--config', config]);
  t.equal(checked.code, 0, checked.stderr);
  t.match(
    checked.stdout,
    /^key of the device's authority: in a token, pkcs11:.*object=authority$/m,
  );
  t.match(checked.stdout, /^key of the ACME account: in a token, pkcs11:.*object=absent$/m);
  t.match(checked.stderr, /^warning: enrolment\.account_key: .*object=absent/m);
  t.notMatch(checked.stderr, /tls\.authority_key/, 'that one is there');
  const { stdout } = await runCli(['doctor', '--json', '--config', config]);
  const found = JSON.parse(stdout).findings.filter(({ id }: { id: string }) => /^keys\./.test(id));
  t.match(found, [
    { id: 'keys.protection', title: /^The key of the device's authority is in a token: / },
    { id: 'keys.protection', title: /^The key of the ACME account is in a token: / },
    { id: 'keys.token', title: /ACME account cannot be used: /, detail: refusal },
  ]);
  t.notMatch(`${checked.stdout}${stdout}`, /pin-source=/, 'without where its PIN is');
});

t.test('wrong usage is said in one line', async (t) => {
  const cases: [string[], RegExp][] = [
    [['key'], /give the PKCS #11 URI/],
    [['key', '/a/file'], /give the PKCS #11 URI/],
    [['key', '--type', 'P-256', token.uriOf('tls')], /--type belongs to --generate/],
    [['key', '--generate', '--type', 'P-224', token.uriOf('tls')], /--type: is one of P-256/],
    [['show', '--generate'], /--generate belongs to key/],
  ];
  for (const [args, expected] of cases) {
    const ended = await runCli(['certificate', ...args]);
    t.not(ended.code, 0);
    t.match(ended.stderr, expected);
  }
});
