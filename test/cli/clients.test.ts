// SPDX-License-Identifier: Apache-2.0
// Clients' certificates as an operator sets them up: `spliced config check` names what is wrong and
// where, and SIGHUP changes who is let in under a server that is serving.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { Authority, after, signsCertificatesOnly } from '../contract/pki.js';
import { get, type Running } from '../contract/service.js';
import { type LogLine, logLines, runCli, type Server, startServer } from './server.js';

const authority = await Authority.create('Site CA');

/** A directory with a root, and a function that writes the configuration and the files it names. */
function setUp(t: Test) {
  const directory = t.testdir({ root: { 'index.html': 'open', private: {} } });
  writeFileSync(join(directory, 'root/private/index.html'), 'inner');
  const config = join(directory, 'spliced.toml');
  const place = (name: string): string => join(directory, name);
  const write = (table: string, files: Record<string, string> = {}): void => {
    for (const [name, text] of Object.entries(files)) writeFileSync(place(name), text);
    const lines = [`root = "${place('root')}"`, `state_dir = "${place('state')}"`, table];
    writeFileSync(config, lines.join('\n'));
  };
  const tableOf = (keys: Record<string, string>): string =>
    ['[client_certificates]', ...Object.entries(keys).map(([key, value]) => `${key} = ${value}`)]
      .join('\n')
      .concat('\n');
  return { place, config, write, tableOf };
}

t.test('config check: every mistake with its place', async (t) => {
  const { place, config, write, tableOf } = setUp(t);
  const check = async () => runCli(['config', 'check', '--config', config]);
  const middle = await Authority.create('Middle CA', authority);
  const other = await Authority.create('Other CA');
  const silent = await Authority.create('Silent CA', undefined, {
    keyUsage: signsCertificatesOnly,
  });
  const leaf = await authority.issue();
  const crl = await authority.revoke([]);
  const ca = `"${place('ca.pem')}"`;
  const list = `"${place('crl.pem')}"`;
  const broken = authority.pem.replace(/\n.{10}/, '\n!!!!!!!!!!');
  const cases: [keys: Record<string, string>, files: Record<string, string>, said: RegExp][] = [
    [{ ca: '"/absent/ca.pem"' }, {}, /:4: client_certificates\.ca: \/absent\/ca\.pem cannot be re/],
    [{ ca: `"${place('root')}"` }, {}, /:4: client_certificates\.ca: .* it is no regular file$/],
    [{ ca }, { 'ca.pem': '' }, /:4: client_certificates\.ca: .* cannot be read: it is empty$/],
    [{ ca }, { 'ca.pem': 'x' }, /:4: client_certificates\.ca: .*holds no certificate in PEM form$/],
    [{ ca }, { 'ca.pem': 'x'.repeat(1024 * 1024 + 1) }, /:4: .* more than 1048576 bytes$/],
    [{ ca }, { 'ca.pem': leaf.cert }, /:4: .*"CN=unit", which is no CA certificate/],
    [{ ca }, { 'ca.pem': authority.pem + broken }, /:4: .*broken certificate after 1 good/],
    [{ ca }, { 'ca.pem': middle.pem }, /:4: .*"CN=Middle CA" without its issuer "CN=Site CA"/],
    [{ ca }, { 'ca.pem': authority.pem.repeat(65) }, /:4: .*more than 64 certificates$/],
    [
      { ca, crl: list },
      { 'ca.pem': authority.pem, 'crl.pem': await other.revoke([]) },
      /:5: client_certificates\.crl: .*list of "CN=Other CA", which no certificate of the CA file/,
    ],
    [{ ca, crl: list }, { 'crl.pem': authority.pem }, /:5: .* holds no revocation list/],
    [{ ca, crl: list }, { 'crl.pem': '' }, /:5: client_certificates\.crl: .* it is empty$/],
    [
      { ca, crl: list },
      { 'ca.pem': authority.pem + other.pem, 'crl.pem': crl },
      /:5: .*has no list of "CN=Other CA": every certificate of the CA file needs one$/,
    ],
    [
      { ca, crl: list },
      { 'ca.pem': silent.pem, 'crl.pem': await silent.revoke([]) },
      /:5: .*"CN=Silent CA" is not allowed to sign revocation lists/,
    ],
    [{ crl: list }, {}, /:4: client_certificates\.crl: needs client_certificates\.ca as well$/],
    [{ require: '["/a"]' }, {}, /:4: client_certificates\.require: needs client_certificates\.ca/],
    [{ require: '["a"]' }, {}, /:4: client_certificates\.require: "a" must begin with "\/"$/],
    [{ require: '["/a/../b"]' }, {}, /: "\/a\/\.\.\/b" must have no empty, "\." or "\.\." part$/],
    [{ require: '["/%61"]' }, {}, /: "\/%61" is a path as files are named, without % \? #$/],
    [{ require: '"/a"' }, {}, /must be an array of strings, such as \["\/private"\]; it is a st/],
  ];
  for (const [keys, files, said] of cases) {
    write(tableOf(keys), files);
    const { code, stdout, stderr } = await check();
    t.same([code, stdout], [2, ''], String(said));
    t.match(stderr.trimEnd(), said);
    t.notMatch(stderr.trimEnd(), /\n|BEGIN/, 'one line');
  }
  const require = '["/", "/a", "/a/b/", "/.x", "/..."]';
  write(tableOf({ ca, crl: list, require }), { 'ca.pem': authority.pem, 'crl.pem': crl });
  t.match(await check(), { code: 0, stderr: '' });
});

/** Sends SIGHUP; the answer is the line that says how it went. */
function reload({ child, ended }: Server): Promise<LogLine> {
  return new Promise((resolve, reject) => {
    if (child.stdout === null) throw new Error('no standard output');
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [entry] = logLines(line);
      if (entry?.event === 'reloaded' || entry?.event === 'reload_failed') resolve(entry);
    });
    void ended.then(({ code, stderr }) => reject(new Error(`ended with ${code}: ${stderr}`)));
    child.kill('SIGHUP');
  });
}

t.test('SIGHUP: on, revoked, refused as a whole, and off again', async (t) => {
  const { place, config, write, tableOf } = setUp(t);
  const shown = await authority.issue();
  write('');
  const args = ['dist/cli.js', 'serve', '--config', config, '--listen', '127.0.0.1:0'];
  const server = await startServer([process.execPath, ...args]);
  t.teardown(() => server.child.kill('SIGKILL'));
  const running = { port: server.port, pair: { chain: '', privateKey: '' } } as Running;
  const ask = (path: string, client = {}) =>
    get(running, { path, ca: undefined, rejectUnauthorized: false, ...client }).then(
      ({ status }) => status,
      ({ message }: Error) => /alert [a-z ]+/.exec(message)?.[0] ?? message,
    );
  t.equal(await ask('/private/'), 200);

  const on = { ca: `"${place('ca.pem')}"`, require: '["/private"]' };
  write(tableOf(on), { 'ca.pem': authority.pem });
  t.match(await reload(server), {
    event: 'reloaded',
    applied: ['client_certificates.ca', 'client_certificates.require'],
    restart_required: [],
  });
  t.same([await ask('/'), await ask('/private/'), await ask('/private/', shown)], [200, 403, 200]);

  const revoking = { ...on, crl: `"${place('crl.pem')}"` };
  write(tableOf(revoking), { 'crl.pem': await authority.revoke([shown]) });
  t.match(await reload(server), { event: 'reloaded', applied: ['client_certificates.crl'] });
  t.equal(await ask('/private/', shown), 'alert certificate revoked');

  write(tableOf(revoking), { 'ca.pem': 'nothing' });
  t.match(await reload(server), {
    event: 'reload_failed',
    errors: [/:4: client_certificates\.ca: .*no certificate in PEM form/],
  });
  t.equal(await ask('/private/', shown), 'alert certificate revoked', 'as it was');

  // The same names, other contents: a new list is read without a change of the configuration.
  const old = await authority.revoke([], { nextUpdateMs: after(-0.5) });
  write(tableOf(revoking), { 'ca.pem': authority.pem, 'crl.pem': old });
  t.match(await reload(server), { event: 'reloaded', applied: [] });
  t.equal(await ask('/private/', shown), 'alert certificate expired');

  write('');
  t.match(await reload(server), { event: 'reloaded' });
  t.equal(await ask('/private/'), 200);
  server.child.kill('SIGTERM');
  const { code, stdout } = await server.ended;
  t.equal(code, 0);
  const lines = logLines(stdout).filter(({ event }) => event.startsWith('client_certificates'));
  t.match(lines, [
    { asked: true, require: ['/private'], authorities: 1, revocationLists: 0, datesCount: true },
    { asked: true, revocationLists: 1, crlNextUpdate: String },
    { asked: true, revocationLists: 1 },
    { event: 'client_certificates_crl_expired', level: 'warn', reason: String },
    { asked: false },
    { event: 'client_certificates_refused', reasons: { client_certificate: 3 } },
  ]);
  t.equal(lines.length, 6);
});
