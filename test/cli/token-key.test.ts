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
