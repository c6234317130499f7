// SPDX-License-Identifier: Apache-2.0
// The page in Chromium by the real service alone: served by the engine, its API through the proxy
// route. Certificates are refused in words and installed; the service is restarted under an open tab. Over
// HTTP/1.1 and over HTTP/2.

import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { issueCertificate } from '../../src/certificates/issue.js';
import { socketOf } from '../cli/api.js';
import { launch, Tab } from '../cli/chromium.js';
import { runCli, type Server, shownTo, startServer } from '../cli/server.js';
import { drop, quiet, says, temporaryDirectory, until, watchPolicy } from './page.js';

async function serve(
  t: Test,
  directory: string,
  port: number,
  env: NodeJS.ProcessEnv = {},
): Promise<Server> {
  const stateDir = join(directory, 'state');
  const own = ['--listen', `127.0.0.1:${port}`, '--state-dir', stateDir];
  const server = await startServer([process.execPath, 'dist/cli.js', 'serve', ...own], env);
  t.teardown(() => server.child.kill('SIGKILL'));
  await socketOf(stateDir);
  return server;
}

async function tokenOf(directory: string): Promise<string> {
  const { stdout } = await runCli(['token', '--state-dir', join(directory, 'state')]);
  return /^[\w-]{40,}$/m.exec(stdout)?.[0] ?? '';
}

async function signIn(page: Page, directory: string): Promise<void> {
  await says(page, '#verdict', /All is well|to look at/);
  await page.click('#session');
  await page.click('#sign-in-other'); // On a device that nobody has claimed yet.
  await page.fill('#token', await tokenOf(directory));
  await page.keyboard.press('Enter');
  await page.locator('#install').waitFor();
}

async function certificates(t: Test, protocol: string): Promise<void> {
  const directory = temporaryDirectory(t);
  const env = { SPLICED_PROTOCOLS: protocol };
  const { child, port, ended } = await serve(t, directory, 0, env);
  const names = { commonName: 'customer', dns: ['customer'], ip: [] };
  const pair = await issueCertificate(names, Date.now());
  const tab = await Tab.open(await launch(t, directory, port, [pair.certificate]));
  const { page } = tab;
  await watchPolicy(page);
  await page.goto(`https://127.0.0.1:${port}/.spliced/ui/`);
  await says(page, '#offload', /User space encrypts|The kernel/);
  await says(page, '#served', /The device’s own, by its own authority/);
  t.same(await tab.protocols(), [protocol]);
  await says(page, '#log-locked', /Sign in to read the log/);

  await signIn(page, directory);
  await says(page, '#line-list', /ready/);
  await says(page, '#update-panel', /takes no updates through this page/);
  const sent = await page.textContent('#sent');
  await until(page, `document.getElementById('sent').textContent !== '${sent}'`);

  const other = await issueCertificate(names, Date.now());
  const files = { chain: pair.certificate, key: pair.privateKey, other: other.privateKey };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const device = await shownTo(port);
  const choose = async (chain: string, key: string) => {
    await page.setInputFiles('#chain', join(directory, chain));
    await page.setInputFiles('#key', join(directory, key));
    await page.click('#install-button');
  };
  await choose('chain', 'other');
  await says(page, '#install-result', /Nothing was changed\./);
  await says(page, '#install-result li', /Does not fit: .*does not match/);
  await choose('key', 'other');
  await says(page, '#install-result li', /Cannot be used: /);
  t.equal(await shownTo(port), device, 'nothing has changed');

  child.kill('SIGTERM');
  await says(page, '#verdict', /does not answer/);
  t.equal((await ended).code, 0, 'streams that are open do not hold up the end');
  await serve(t, directory, port, env);
  await says(page, '#notice', /The service was started anew/);
  await says(page, '#line-list li:last-child', /ready|api_changed|device_unclaimed/);
  t.ok(await page.isVisible('#install'), 'and still signed in');

  await choose('chain', 'key');
  await says(page, '#install-result', /Installed\. New connections get it/);
  await says(page, '#served', /customerUploaded/);
  await says(page, '#line-list', /api_changed.*who=token/s);
  t.equal(await shownTo(port), 'CN=customer');
  page.once('dialog', (dialog) => void dialog.accept());
  await page.getByRole('button', { name: 'Remove' }).click();
  await says(page, '#install-result', /is forgotten/);
  t.equal(await shownTo(port), device);
  quiet(t, tab);
}

/** Says how far it is, then waits for a file that says how it is to end. */
const installer = `
echo '{"percent": 30, "message": "writing the root file system"}'
while [ ! -e "$1/end" ]; do sleep 0.05; done
exit "$(cat "$1/end")"
`;
const bundleBytes = 20 << 20;

async function update(t: Test, protocol: string): Promise<void> {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'install.sh'), installer);
  const env = {
    SPLICED_PROTOCOLS: protocol,
    SPLICED_UPDATE_ADAPTER: 'command',
    SPLICED_UPDATE_COMMAND: `/bin/sh;${join(directory, 'install.sh')};${directory}`,
    SPLICED_UPDATE_RESTART: 'none',
    SPLICED_STOP_TIMEOUT_MS: '100',
  };
  const { child, port, ended } = await serve(t, directory, 0, env);
  const context = await launch(t, directory, port);
  const tab = await Tab.open(context);
  const { page } = tab;
  await watchPolicy(page);
  await page.goto(`https://127.0.0.1:${port}/.spliced/ui/`);
  await signIn(page, directory);
  await page.locator('#drop').waitFor();

  const session = await context.newCDPSession(page);
  const throttle = (uploadThroughput: number) =>
    session.send('Network.emulateNetworkConditions', {
      offline: false,
      latency: 0,
      downloadThroughput: -1,
      uploadThroughput,
    });
  await session.send('Network.enable');
  await throttle(2 << 20);
  await drop(page, 'gateway.bin', bundleBytes);
  await until(page, "document.getElementById('sending').value > 10");
  child.kill('SIGTERM');
  await ended;
  await says(page, '#sending-text', /Going on as soon as it is possible/);
  await throttle(-1);
  await serve(t, directory, port, env);
  await says(page, '#update-panel', /The bundle is on the device, whole\./);
  const sha256 = createHash('sha256').update(Buffer.alloc(bundleBytes, 7)).digest('hex');
  t.match(await page.textContent('#update-panel .facts'), sha256, 'as it was sent');

  const install = page.getByRole('button', { name: 'Install', exact: true });
  await install.click();
  await says(page, '#update-panel', /Installing gateway\.bin/);
  await says(page, '#installing-text', /30 %: writing the root file system/);
  writeFileSync(join(directory, 'end'), '3');
  await says(page, '#update-panel', /The update has failed\. The device goes on/);
  t.match(await page.textContent('#update-panel [role=alert]'), /3/);
  writeFileSync(join(directory, 'end'), '0');
  await drop(page, 'gateway.bin', bundleBytes);
  await install.click();
  await says(page, '#update-panel', /Installed\./);
  quiet(t, tab);
}

for (const protocol of ['http/1.1', 'h2']) {
  t.test(`figures, certificates, and a restart under the open tab, over ${protocol}`, (t) =>
    certificates(t, protocol),
  );
  t.test(`an update over ${protocol}: uploaded through a restart, refused, installed`, (t) =>
    update(t, protocol),
  );
}
