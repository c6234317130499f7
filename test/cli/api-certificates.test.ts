// SPDX-License-Identifier: Apache-2.0
// Certificates and credentials by the API of a real service, and the commands for them.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { issueCertificate } from '../../src/certificates/issue.js';
import { ask, from, json, post } from '../unit/api/client.js';
import { signRequest } from '../unit/certificates/sign-request.js';
import { socketOf, startWithApi } from './api.js';
import { logLines, runCli, shownTo, startCli } from './server.js';

const pairOf = (name: string) =>
  issueCertificate({ commonName: name, dns: [name], ip: [] }, Date.now());

const remove = { method: 'DELETE' };

t.test('certificates: upload, bad ones, removal, renewal, authority', async (t) => {
  const { server, directory, local, own } = await startWithApi(t);
  const device = await shownTo(server.port);
  const { certificate: chain, privateKey } = await pairOf('customer');
  const put = (body: object) => {
    const asked = { method: 'PUT', headers: json, body: JSON.stringify(body) };
    return ask(local, '/certificates/uploaded', asked);
  };
  const other = await pairOf('other');
  const mismatch = await put({ chain, privateKey: other.privateKey });
  t.match(mismatch, { status: 422, json: { findings: [{ kind: 'mismatch' }] } });
  t.equal(await shownTo(server.port), device);
  t.match(await put({ chain, privateKey }), { status: 200, json: { isDefault: true } });
  t.equal(await shownTo(server.port), 'CN=customer');
  t.equal((await ask(local, '/certificates/uploaded', remove)).status, 200);
  t.equal(await shownTo(server.port), device);
  t.equal((await ask(local, '/certificates/uploaded', remove)).status, 404);

  const before = (await ask(local, '/certificates')).json.served as never as {
    fingerprint: string;
  }[];
  t.match((await post(local, '/certificates/renewal')).json, { asked: ['device'] });
  const after = (await ask(local, '/certificates')).json.served as never as {
    fingerprint: string;
  }[];
  t.not(before[0]?.fingerprint, after[0]?.fingerprint, 'renewed when it is answered');
  const printed = await runCli(['certificate', 'ca', ...own]);
  t.equal((await ask(local, '/certificates/authority')).text, printed.stdout);

  const [chainFile, keyFile] = ['chain.pem', 'key.pem'].map((name) => join(directory, name));
  writeFileSync(chainFile ?? '', chain);
  writeFileSync(keyFile ?? '', other.privateKey, { mode: 0o600 });
  const install = (...files: (string | undefined)[]) =>
    runCli(['certificate', 'install', ...files.map(String), ...own]);
  t.match(await install(chainFile, keyFile), { code: 1, stderr: /^problem: .*does not match/m });
  t.match(await install(chainFile), { code: 1, stderr: /send its "privateKey", too/ });
  writeFileSync(keyFile ?? '', privateKey);
  t.match(await install(chainFile, keyFile), { code: 0, stdout: /is served to all clients\n$/ });
  t.equal(await shownTo(server.port), 'CN=customer');
  t.match(await install(join(directory, 'absent')), {
    code: 2,
    stderr: /absent: there is no such file/,
  });
  t.match(await install(), { code: 2, stderr: /give the files/ });
  server.child.kill('SIGTERM');
  const { stdout, stderr } = await server.ended;
  t.notMatch(stdout + stderr, /PRIVATE KEY|MIG/, 'no key is in the log');
});

t.test('a request whose key stays on the device', async (t) => {
  const { server, directory, stateDir, local, own } = await startWithApi(t);
  const made = await post(local, '/certificates/requests', { names: ['gate.example'] });
  t.equal(made.status, 201);
  t.equal((await post(local, '/certificates/requests', { names: ['b.example'] })).status, 409);
  const unfit = await post(local, '/certificates/requests', { names: ['not a name'] });
  t.match(unfit, { status: 422, json: { detail: /"not a name" is neither a DNS name nor/ } });
  t.equal((await post(local, '/certificates/requests', { names: [] })).status, 422);
  mkdirSync(join(directory, 'ca'));
  const issued = signRequest(join(directory, 'ca'), String(made.json.request));
  const file = join(directory, 'issued.pem');
  writeFileSync(file, issued);
  const installed = await runCli(['certificate', 'install', file, ...own]);
  t.match(installed, { code: 0, stdout: /is served to all clients/ });
  t.equal(await shownTo(server.port), 'CN=gate.example');
  t.same((await ask(local, '/certificates/requests')).json, { requests: [] }, 'it was answered');
  t.notOk(existsSync(join(stateDir, 'certificates/request/current')));
});

t.test('over the network: token and client certificates', async (t) => {
  const directory = t.testdir({ root: {} });
  const config = join(directory, 'spliced.toml');
  writeFileSync(config, `root = "${directory}/root"\n`);
  const server = await startCli(directory, ['--config', config]);
  t.teardown(() => server.child.kill('SIGKILL'));
  const stateDir = join(directory, 'state');
  const own = ['--state-dir', stateDir];
  const proxy = await socketOf(stateDir);
  const statusWith = async (more: Record<string, string>) =>
    (await ask(proxy, '/configuration', { headers: from('192.0.2.1', more) })).status;
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

  t.equal(await statusWith({}), 401);
  t.notOk(existsSync(join(stateDir, 'api-token')), 'no token until it was asked for');
  const shown = await runCli(['token', ...own]);
  t.match(shown, { code: 0, stdout: /^spliced_[\w-]{43}\n$/, stderr: /shown once/ });
  t.equal(await statusWith(bearer(shown.stdout.trim())), 200);
  t.equal(await statusWith(bearer('spliced_wrong')), 401);
  const viewing = await runCli(['token', '--role', 'view', ...own]);
  t.match(viewing, { code: 0, stderr: /previous token with the role view is no longer/ });
  t.equal(await statusWith(bearer(viewing.stdout.trim())), 200);
  const reload = {
    method: 'POST',
    headers: {
      ...from('192.0.2.1', bearer(viewing.stdout.trim())),
      'content-type': 'application/json',
    },
    body: '{}',
  };
  t.match(await ask(proxy, '/reload', reload), { status: 403, json: { role: 'view' } });
  t.match(await runCli(['token', '--role', 'root', ...own]), {
    code: 2,
    stderr: /there is no role "root"; there are: view, operate, administer/,
  });
  t.match(await runCli(['token', '--revoke', '--role', 'operate', ...own]), {
    stderr: /There was no token/,
  });
  t.match(await runCli(['token', '--revoke', ...own]), { code: 0, stderr: /2 tokens are revoked/ });
  t.equal(await statusWith(bearer(shown.stdout.trim())), 401);
  t.equal(await statusWith(bearer(viewing.stdout.trim())), 401);

  const subject = { 'x-client-certificate-subject': 'CN=admin' };
  t.equal(await statusWith(subject), 401);
  writeFileSync(config, `root = "${directory}/root"\napi.client_certificates = ["CN=admin"]\n`);
  t.match((await post(join(stateDir, 'api.sock'), '/reload')).json, {
    applied: ['api.client_certificates'],
  });
  t.equal(await statusWith(subject), 200);

  server.child.kill('SIGTERM');
  const { stdout } = await server.ended;
  const refused = logLines(stdout).filter(({ event }) => event === 'api_token_refused');
  t.match(refused, [
    { securityEvent: 'SPLICED-API-TOKEN-REFUSED', address: '192.0.2.1' },
    { address: '192.0.2.1' },
  ]);
  t.equal(refused.length, 3);
  t.notMatch(stdout, /spliced_/, 'no token, right or wrong, is in the log');
});
