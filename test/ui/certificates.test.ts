// SPDX-License-Identifier: Apache-2.0
// Certificates in the browser, by a real service behind the fake device: what is refused is told in
// words, what is installed is served.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import t from 'tap';
import { issueCertificate } from '../../src/certificates/issue.js';
import { startWithApi } from '../cli/api.js';
import { runCli } from '../cli/server.js';
import { open, quiet, says } from './page.js';

function shownTo(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()?.subject ?? '');
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

// The name is part of the path of a socket, which has at most 107 bytes.
t.test('upload', async (t) => {
  const real = await startWithApi(t);
  const { stdout } = await runCli(['token', ...real.own]);
  const token = /^[\w-]{40,}$/m.exec(stdout)?.[0] ?? '';
  const scene = await open(t, { upstream: real.proxy, token, isSignedIn: false });
  const { page, directory } = scene;
  await says(page, '#offload', /User space encrypts|The kernel/);
  await page.click('#session');
  await page.fill('#token', token);
  await page.keyboard.press('Enter');
  await page.locator('#install').waitFor();
  await says(page, '#line-list', /ready/);

  const names = { commonName: 'customer', dns: ['customer'], ip: [] };
  const pair = await issueCertificate(names, Date.now());
  const other = await issueCertificate(names, Date.now());
  const files = { chain: pair.certificate, key: pair.privateKey, other: other.privateKey };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const device = await shownTo(real.server.port);

  await page.setInputFiles('#chain', join(directory, 'chain'));
  await page.setInputFiles('#key', join(directory, 'other'));
  await page.click('#install-button');
  await says(page, '#install-result', /Nothing was changed\./);
  await says(page, '#install-result li', /Does not fit: .*does not match/);
  t.equal(await shownTo(real.server.port), device);

  await page.setInputFiles('#chain', join(directory, 'key'));
  await page.click('#install-button');
  await says(page, '#install-result li', /Cannot be used: /);

  await page.setInputFiles('#chain', join(directory, 'chain'));
  await page.setInputFiles('#key', join(directory, 'key'));
  await page.click('#install-button');
  await says(page, '#install-result', /Installed\. New connections get it/);
  await says(page, '#served', /customerUploaded/);
  t.equal(await shownTo(real.server.port), 'CN=customer');
  await says(page, '#line-list', /api_changed.*who=token/s);

  page.once('dialog', (dialog) => void dialog.accept());
  await page.getByRole('button', { name: 'Remove' }).click();
  await says(page, '#install-result', /is forgotten/);
  t.equal(await shownTo(real.server.port), device);
  quiet(t, scene);
});
