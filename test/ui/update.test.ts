// SPDX-License-Identifier: Apache-2.0
// The update in the browser, from the file to the new build of the page: progress, what cuts it off,
// what is refused, and the restarts on the way. The device is fake, and does as docs/API.md says.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { drop, open, quiet, says, until } from './page.js';

const mebibyte = 1 << 20;
const uploads = 'POST /.spliced/api/v1/update/uploads';
const countOf = (asked: string[], what: string): number =>
  asked.filter((one) => one === what).length;

t.test('drag and drop, progress, a cut connection, a refusal, then all the way', async (t) => {
  const scene = await open(t);
  const { page, device } = scene;
  await page.locator('#drop').waitFor();
  device.bytesPerS = 12 * mebibyte;
  device.cutAt = 20 * mebibyte;
  await drop(page, 'gateway.raucb', 24 * mebibyte);
  await says(page, '#sending-name', /Sending gateway\.raucb/);
  await until(page, "document.getElementById('sending').value > 10");
  await says(page, '#sending-text', /MiB of 24\.0 MiB, \d/);
  device.bytesPerS = 0;
  await says(page, '#update-panel', /The bundle is on the device, whole\./);
  t.equal(countOf(device.asked, uploads), 2, 'asked again where it stood');
  t.ok(
    device.resumedAt.some((at) => at > 16 * mebibyte),
    'behind the first piece',
  );
  t.match(device.update.bundle, { length: 24 * mebibyte, sha256: /^[0-9a-f]{64}$/ });
  const told = await page.textContent('#update-panel .facts');
  t.match(told, device.update.bundle?.sha256 ?? 'none');

  await page.getByRole('button', { name: 'Install', exact: true }).click();
  await says(page, '#installing-text', /0 %: Checking the bundle/);
  t.equal(await page.getAttribute('#steps [aria-current]', 'class'), 'now');
  device.set({ progress: { percent: 20, message: 'Checking the signature' } });
  await says(page, '#installing-text', /20 %: Checking the signature/);
  const error = 'signature verification failed: self-signed certificate in certificate chain';
  device.set({ state: 'failed', progress: null, error });
  await says(page, '#update-panel [role=alert]', /signature verification failed: self-signed/);
  await says(page, '#announcer', /The update has failed/);

  await drop(page, 'good.raucb', 3 * mebibyte);
  await page.getByRole('button', { name: 'Install', exact: true }).click();
  await says(page, '#installing-text', /0 %: Checking the bundle/);
  device.set({ progress: { percent: 70, message: 'Copying the image to rootfs.1' } });
  await says(page, '#installing-text', /70 %: Copying/);
  device.set({ state: 'installed', progress: null, restartNeeded: true });
  await page.getByRole('button', { name: 'Restart now' }).click();
  await says(page, '#update-panel', /The device is being restarted/);

  const reloaded = page.waitForEvent('load');
  await device.restart(2_500, () => {
    device.build = 'abcdef012345';
    const [a, b] = device.update.slots;
    if (a === undefined || b === undefined) throw new Error('two slots');
    device.set({
      state: 'idle',
      bundle: null,
      restartNeeded: false,
      bootId: '11111111-7f0e-4a51-9f68-0d9a1e7f1a01',
      slots: [
        { ...a, state: 'inactive' },
        { ...b, state: 'booted', version: '2026.11.0' },
      ],
    });
  });
  await reloaded;
  await says(page, '#notice', /The device has new software\. This is its page\./);
  const build = "document.querySelector('meta[name=build]').content";
  t.equal(await page.evaluate(build), 'abcdef012345');
  await says(page, '#slots .booted', /B · rootfs\.1running now.*version 2026\.11\.0/);
  await page.locator('#drop').waitFor();
  quiet(t, scene.tab);
});

t.test('an installation that another program has begun', async (t) => {
  const scene = await open(t);
  const { page, device } = scene;
  await drop(page, 'own.raucb', 2 * mebibyte);
  await says(page, '#update-panel', /The bundle is on the device, whole\./);
  const progress = { percent: 30, message: 'Copying image to rootfs.1' };
  device.set({ state: 'installing', begunBy: 'other', progress });
  await says(page, '#update-panel', /Another program installs an update.*own\.raucb waits/);
  await says(page, '#installing-text', /30 %: Copying image/);
  device.set({ state: 'failed', progress: null, error: 'no signature' });
  await says(page, '#update-panel', /of another program has failed.*no signature.*own\.raucb/);
  const at =
    "[...document.getElementById('steps').children].findIndex((one) => one.classList.contains('failed'))";
  t.equal(await page.evaluate(at), 2, 'at its installation');
  device.set({ state: 'installed', error: null, restartNeeded: true });
  await says(page, '#update-panel', /By another program: Installed\. It runs after a restart/);
  await page.getByRole('button', { name: 'Restart now' }).waitFor();
  await page.getByRole('button', { name: 'Discard' }).waitFor();
  device.set({ bundle: null });
  await until(page, "!document.getElementById('update-panel').textContent.includes('Discard')");
  device.set({ state: 'failed', restartNeeded: false, error: 'no signature' });
  await says(page, '#update-panel', /of another program has failed.*Drop a firmware bundle here/);
  quiet(t, scene.tab);
});

t.test('a bundle that came while another one was being installed', async (t) => {
  const scene = await open(t);
  const { page, device } = scene;
  await drop(page, 'own.raucb', 2 * mebibyte);
  await says(page, '#update-panel', /The bundle is on the device, whole\./);
  const { bundle } = device.update;
  if (bundle === null) throw new Error('nothing was received');
  const waiting = { ...bundle, name: 'next.raucb' };
  const progress = { percent: 30, message: 'Copying image to rootfs.1' };
  device.set({ state: 'installing', begunBy: 'spliced', progress, waiting });
  await says(page, '#update-panel', /Installing own\.raucb.*next\.raucb waits for its end/);
  device.set({ state: 'installed', progress: null, restartNeeded: true });
  await says(page, '#update-panel', /Installed\. It runs.*own\.raucb.*waits.*next\.raucb/);
  const names =
    "[...document.querySelectorAll('#update-panel button')].map((one) => one.textContent)";
  t.same(await page.evaluate(names), ['Restart now', 'Install', 'Discard']);
  device.set({ state: 'failed', error: 'no signature', restartNeeded: false });
  await says(page, '#update-panel', /has failed.*no signature.*waits.*next\.raucb/);
  t.same(await page.evaluate(names), ['Install', 'Discard']);
  device.set({ waiting: null });
  await says(page, '#update-panel', /has failed.*Try another bundle/);
  quiet(t, scene.tab);
});

t.test('the service is restarted in the middle of an upload', async (t) => {
  const scene = await open(t);
  const { page, device } = scene;
  await page.locator('#drop').waitFor();
  device.bytesPerS = 8 * mebibyte;
  await drop(page, 'big.raucb', 20 * mebibyte);
  await until(page, "document.getElementById('sending').value > 5");
  const before = await page.evaluate('performance.timeOrigin');
  await device.restart(2_500, () => {
    device.bytesPerS = 0;
  });
  await says(page, '#update-panel', /The bundle is on the device, whole\./);
  t.equal(device.update.bundle?.length, 20 * mebibyte);
  t.equal(await page.evaluate('performance.timeOrigin'), before, 'the same page');
  await says(page, '#notice', /The service was started anew/);
  quiet(t, scene.tab);
});

t.test('the page is loaded again in the middle, and gets the same file', async (t) => {
  const scene = await open(t);
  const { page, device, directory } = scene;
  const file = join(directory, 'same.raucb');
  writeFileSync(file, Buffer.alloc(20 * mebibyte, 3));
  device.bytesPerS = 8 * mebibyte;
  await page.setInputFiles('#bundle', file);
  await until(page, "document.getElementById('sending').value > 10");
  await page.reload();
  await says(page, '.drop-title', /MiB of 20\.0 MiB of same\.raucb are here/);
  const offset = device.update.upload?.offset ?? 0;
  t.ok(offset > 0 && offset < 20 * mebibyte, `it stands at ${offset}`);
  device.bytesPerS = 0;
  await page.setInputFiles('#bundle', file);
  await says(page, '#update-panel', /The bundle is on the device, whole\./);
  t.equal(device.update.bundle?.length, 20 * mebibyte);
  const [resumedAt = 0] = device.resumedAt.slice(-1);
  t.ok(resumedAt >= offset, 'from there on, not from the start');
  quiet(t, scene.tab);
});

t.test('pause, go on, discard; no room; an empty file', async (t) => {
  const scene = await open(t);
  const { page, device } = scene;
  await page.locator('#drop').waitFor();
  device.bytesPerS = 8 * mebibyte;
  await drop(page, 'a.raucb', 20 * mebibyte);
  await until(page, "document.getElementById('sending').value > 5");
  await page.getByRole('button', { name: 'Pause' }).nth(0).click();
  await says(page, '.drop-title', /of 20\.0 MiB of a\.raucb are here/);
  await page.getByRole('button', { name: 'Discard' }).click();
  await says(page, '.drop-title', /Drop a firmware bundle here/);
  t.equal(device.update.state, 'idle');
  await drop(page, 'toolarge.raucb', 2 * mebibyte);
  await says(page, '#update-panel [role=alert]', /needs 2097152 bytes; 1048576 are free/);
  await drop(page, 'empty.raucb', 0);
  await says(page, '#update-panel [role=alert]', /empty\.raucb is empty/);
  quiet(t, scene.tab);
});

t.test('a new build while an upload runs waits for its end', async (t) => {
  const scene = await open(t);
  const { page, device } = scene;
  await page.locator('#drop').waitFor();
  device.bytesPerS = 10 * mebibyte;
  await drop(page, 'a.raucb', 20 * mebibyte);
  await until(page, "document.getElementById('sending').value > 5");
  device.build = 'abcdef012345';
  device.tellBuild();
  await says(page, '#notice', /It loads when the upload is over/);
  const reloaded = page.waitForEvent('load');
  device.bytesPerS = 0;
  await reloaded;
  await says(page, '#update-panel', /The bundle is on the device, whole\./);
  t.equal(device.update.bundle?.length, 20 * mebibyte, 'nothing was cut off');
  quiet(t, scene.tab);
});

t.test('an answer that is older than the news changes nothing', async (t) => {
  const scene = await open(t, {
    prepare: (device) => device.set({ state: 'received' }),
  });
  const { page, device } = scene;
  const install = page.getByRole('button', { name: 'Install', exact: true });
  await install.waitFor();
  device.answerUpdateAfterMs = 500;
  const isAsked = () => countOf(device.asked, 'GET /.spliced/api/v1/update');
  const before = isAsked();
  await install.click();
  while (isAsked() === before) await setTimeout(10);
  device.set({ state: 'failed', error: 'the disk is full' });
  await says(page, '#update-panel [role=alert]', /the disk is full/);
  await setTimeout(1_000);
  t.match(await page.textContent('#update-panel'), /the disk is full/, 'still');
  quiet(t, scene.tab);
});

t.test('a device without an installer', async (t) => {
  const prepare = (device: { set: (change: object) => void }) =>
    device.set({ adapter: 'none', slots: [] });
  const scene = await open(t, { prepare });
  await says(scene.page, '#update-panel', /takes no updates through this page\. ?Set adapter/);
  await says(scene.page, '#slots-note', /No installer is configured/);
  t.ok(await scene.page.isHidden('#steps'));
  quiet(t, scene.tab);
});
