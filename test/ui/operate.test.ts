// SPDX-License-Identifier: Apache-2.0
// What an operator does outside an update, and what the page asks before; the log searched and saved.

import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import t from 'tap';
import { open, quiet, says, until } from './page.js';

const api = '/.spliced/api/v1/';

/** The file that the browser saves. */
async function saved(page: Page, button: string): Promise<{ name: string; text: string }> {
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: button, exact: true }).click();
  const file = await download;
  return { name: file.suggestedFilename(), text: readFileSync(await file.path(), 'utf8') };
}

t.test('restart, end, slots: asked before, and not done when the answer is no', async (t) => {
  const scene = await open(t);
  const { page, device } = scene;
  await page.locator('#device-actions').waitFor();
  const questions: string[] = [];
  let isMeant = false;
  page.on('dialog', (dialog) => {
    questions.push(dialog.message());
    void (isMeant ? dialog.accept() : dialog.dismiss());
  });
  const press = (name: string) => page.getByRole('button', { name }).click();
  const dangerous = ['Restart the device', 'Power the device off', 'End the service'];
  for (const name of [...dangerous, 'Mark bad: rootfs.1']) await press(name);
  t.equal(questions.length, 4);
  t.match(questions[1], /Power the device off\? .*a hand at the device/);
  t.notOk(
    device.asked.some((one) => one.startsWith('POST')),
    'nothing was done',
  );
  isMeant = true;
  await press('Mark bad: rootfs.1');
  await says(page, '#slots', /rootfs\.1not in usemarked bad/);
  await says(page, '#findings', /Slot rootfs\.1 is marked bad/);
  await press('End the service');
  await says(page, '#device-result', /finishes what is active, and ends/);
  t.ok(device.asked.includes(`POST ${api}drain`));
  quiet(t, scene.tab);
});

t.test('restarted: said while it is gone, and over when it is back', async (t) => {
  const scene = await open(t);
  const { page, device } = scene;
  page.on('dialog', (dialog) => void dialog.accept());
  await page.getByRole('button', { name: 'Restart the device' }).click();
  await says(page, '#device-result', /is being restarted\. Leave this page open/);
  t.ok(device.asked.includes(`POST ${api}device/restart`));
  await device.restart(1_500, () => device.setPower({ state: 'running', bootId: '2' }));
  await says(page, '#link-text', /Connected/);
  await until(page, "document.getElementById('device-result').textContent === ''");
  await device.stop();
  await says(page, '#link-text', /No answer/);
  quiet(t, scene.tab);
});

t.test('powered off, by another window', async (t) => {
  const scene = await open(t);
  const { page, device } = scene;
  await page.locator('#device-actions').waitFor();
  await says(page, '#line-list', /api_token_refused/);
  device.setPower({ state: 'powering-off' });
  await says(page, '#device-result', /being powered off\. It comes back when somebody/);
  await device.stop();
  await says(page, '#offline-text', /^The device has been powered off\./);
  await says(page, '#link-text', /Powered off/);
  quiet(t, scene.tab);
});

t.test('a power-off that does not come, and one that is refused', async (t) => {
  const scene = await open(t);
  const { page, device } = scene;
  page.on('dialog', (dialog) => void dialog.accept());
  await page.getByRole('button', { name: 'Power the device off' }).click();
  await says(page, '#device-result', /being powered off/);
  const error = 'The power-off was asked for, and nothing has happened: is the unit active?';
  device.setPower({ state: 'running', error });
  await says(page, '#device-result', /nothing has happened: is the unit active/);
  device.powerRefusal = 'An update is being installed: wait for its end.';
  await page.getByRole('button', { name: 'Power the device off' }).click();
  await says(page, '#device-result', /^An update is being installed/);
  quiet(t, scene.tab);
});

t.test('the authority, a renewal, a request', async (t) => {
  const scene = await open(t);
  const { page, device } = scene;
  await page.locator('#certificate-tools').waitFor();
  t.same(await saved(page, 'Download the authority'), {
    name: 'device-authority.pem',
    text: '-----BEGIN CERTIFICATE-----\n',
  });
  await page.getByRole('button', { name: 'Renew now' }).click();
  await says(page, '#certificate-result', /It has begun/);
  await page.fill('#request-names', 'gate.example, 192.0.2.7');
  t.match(await saved(page, 'Make a request'), {
    name: 'request.pem',
    text: /CERTIFICATE REQUEST/,
  });
  await says(page, '#certificate-result', /key stays on the device/);
  t.ok(device.asked.includes(`POST ${api}certificates/renewal`));
  quiet(t, scene.tab);
});

t.test('the log: searched, saved', async (t) => {
  const scene = await open(t);
  const { page } = scene;
  await says(page, '#line-list', /api_token_refused/);
  await page.fill('#search', '192.0.2.99');
  t.equal(await page.locator('#line-list li').count(), 1);
  await says(page, '#log-note', /^1 line of the last 8\.$/);
  await page.fill('#search', 'Nowhere');
  t.equal(await page.locator('#line-list li').count(), 0);
  const { name, text } = await saved(page, 'Download');
  t.match(name, /^gateway-7-[\dT-]+\.log$/);
  const events = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).event);
  t.equal(events.length, 8, 'all of it, whatever is shown');
  quiet(t, scene.tab);
});

t.test('a step that failed is marked, and none before it is undone', async (t) => {
  const scene = await open(t);
  const { page, device } = scene;
  const bundle = {
    name: 'a',
    length: 1,
    sha256: '',
    compatible: null,
    version: null,
    description: null,
  };
  const classes = "[...document.querySelectorAll('#steps li')].map((item) => item.className)";
  const shown = () => page.evaluate(classes);
  await page.locator('#drop').waitFor();
  device.set({ state: 'installing', bundle, progress: { percent: 1, message: '' } });
  await says(page, '#update-panel', /Installing a/);
  device.set({ state: 'failed', progress: null, error: 'no space left' });
  await says(page, '#update-panel', /has failed/);
  t.same(await shown(), ['done', 'done', 'now failed', '']);
  await page.reload();
  await says(page, '#update-panel', /has failed/);
  t.same(await shown(), ['done', 'done', 'now failed', ''], 'also for a window that saw nothing');
  device.set({ state: 'received', error: null });
  await says(page, '#update-panel', /on the device, whole/);
  device.set({ state: 'failed', error: 'bad signature' });
  await says(page, '#update-panel', /bad signature/);
  t.same(await shown(), ['done', 'now failed', '', '']);
  device.set({ state: 'restarting', error: null, bundle: null });
  await says(page, '#update-panel', /being restarted/);
  device.set({ state: 'failed', error: 'the boot loader has fallen back' });
  await says(page, '#update-panel', /fallen back/);
  t.same(await shown(), ['done', 'done', 'done', 'now failed']);
  quiet(t, scene.tab);
});
