// SPDX-License-Identifier: Apache-2.0
// What the page shows, to whom, and how it can be reached: sign-in, live figures, what is wrong,
// the log, keyboard, screen readers, light and dark, narrow screens.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { certificatesOf, statusOf } from './figures.js';
import { open, quiet, type Scene, says, token, until } from './page.js';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core'), 'utf8');

t.test('figures without a token, all of it with one', async (t) => {
  const scene = await open(t, { isSignedIn: false });
  const { page, device } = scene;
  await says(page, '#verdict', /All is well/);
  await says(page, '#driver', /gcm-aes-caam, asynchronous/);
  await says(page, '#served', /gateway\.plant\.example/);
  t.ok(await page.isHidden('#install'), 'no upload');
  t.ok(await page.isHidden('#update-open'), 'no update');
  t.match(await page.textContent('#log-locked'), /Sign in to read the log/);
  t.notOk(device.asked.includes('GET /.spliced/api/v1/log'), 'which is not asked for');
  t.ok(await page.isHidden('#people-open'), 'nor people');

  await page.click('#session');
  t.equal(await page.evaluate('document.activeElement.id'), 'token');
  await page.fill('#token', 'wrong');
  await page.keyboard.press('Enter');
  await says(page, '#sign-in-error', /The token is wrong\. "spliced token"/);
  await page.fill('#token', token);
  await page.keyboard.press('Enter');
  await page.locator('#sign-in').waitFor({ state: 'hidden' });
  await page.locator('#install').waitFor();
  await says(page, '#slots', /A · rootfs\.0running nowmarked goodversion 2026\.10\.2/);
  await says(page, '#line-list', /api_token_refused/);

  const shown = await page.textContent('#sent');
  await until(page, `document.getElementById('sent').textContent !== '${shown}'`);
  t.match(await page.textContent('#rate'), /^\d[\d.]* MiB\/s$/, 'a rate by two samples');
  await until(page, "document.getElementById('rate-in').textContent === '3.00 MiB/s'");
  t.match(await page.getAttribute('#rate-plot svg', 'aria-label'), /Sent now .*; Received now .*/);
  await page.reload();
  await page.locator('#install').waitFor();
  t.pass('the tab keeps the token');
  await page.click('#session');
  await says(page, '#session', /Sign in/);
  t.equal(await page.evaluate("sessionStorage.getItem('spliced-token')"), null, 'signed out');
  quiet(t, scene.tab);
});

t.test('what is wrong comes first, in words', async (t) => {
  const scene = await open(t, {
    prepare: (device) => {
      device.certificates = certificatesOf(12);
      device.set({ state: 'failed', error: 'signature verification failed' });
    },
    status: (second) => {
      const status = statusOf(second);
      const failing = { ok: 4, failed: 2, lastMs: 9, lastError: 'wrong_bytes: at 4096' };
      return {
        ...status,
        offload: { ...status.offload, suspended: 'the canary had wrong bytes' },
        canary: failing,
        watchdog: { missing: ['canary'] },
      };
    },
  });
  const { page } = scene;
  await says(page, '#verdict', /Needs attention/);
  await says(page, '#findings', /signature verification failed/);
  const items = await page.locator('#findings li').allTextContents();
  t.match(items[0], /^Fault: Kernel TLS is suspended: the canary had wrong bytes/);
  t.match(items[1], /^Fault: The watchdog waits for: the self-test/);
  for (const text of [/Warning: .*failed 2 times/, /ends in 12 days/]) {
    t.ok(
      items.some((item) => text.test(item)),
      String(text),
    );
  }
  t.match(await page.textContent('#tile-cipher'), 'User space');
  t.match(await page.getAttribute('#served li:first-child .days', 'class'), /warn/);
  quiet(t, scene.tab);
});

t.test('a device that asks for the token at once, and comes with no kernel TLS', async (t) => {
  const scene = await open(t, {
    isSignedIn: false,
    status: (second) => {
      const status = statusOf(second);
      const kernel = 'the kernel has no TLS: load the module with "modprobe tls"';
      return { ...status, offload: { ...status.offload, kernel, driver: null, promoted: {} } };
    },
    prepare: (device) => {
      device.isMeasureOpen = false;
    },
  });
  const { page } = scene;
  await page.locator('#sign-in').waitFor();
  await page.fill('#token', token);
  await page.keyboard.press('Enter');
  await says(page, '#findings', /Warning: User space encrypts: the kernel has no TLS: load the/);
  await says(page, '#verdict', /1 thing to look at/);
  quiet(t, scene.tab);
});

t.test('a device that goes away and comes back', async (t) => {
  const scene = await open(t);
  const { page, device } = scene;
  await says(page, '#verdict', /All is well/);
  await device.stop();
  await says(page, '#offline', /The device does not answer\..*Trying again in \d s\./);
  await says(page, '#verdict', /The device does not answer/);
  await says(page, '#verdict-note', /What is shown below is from \d\d:\d\d:\d\d\./);
  t.equal(await page.textContent('#link-text'), 'No answer');
  await device.start();
  await says(page, '#verdict', /All is well/);
  t.ok(await page.isHidden('#offline'));
  t.match(await page.textContent('#announcer'), /does not answer\. .*answers again\./);
  quiet(t, scene.tab);
});

t.test('the log: level, pause', async (t) => {
  const scene = await open(t);
  const { page, device } = scene;
  await says(page, '#line-list', /ready/);
  await page.selectOption('#level', 'warn');
  t.equal(await page.locator('#line-list li').count(), 2);
  await says(page, '#log-note', /^2 lines of the last 8\.$/);
  await page.selectOption('#level', 'debug');
  await page.click('#pause');
  t.equal(await page.getAttribute('#pause', 'aria-pressed'), 'true');
  device.tell({ level: 'error', time: new Date().toISOString(), event: 'failed', reason: 'disk' });
  await says(page, '#log-note', /Paused\. 1 new line\./);
  t.equal(await page.locator('#line-list li').count(), 8);
  await page.click('#pause');
  await says(page, '#line-list li:last-child', /error.*failed.*reason=disk/s);
  quiet(t, scene.tab);
});

/** What axe finds, in words that a developer can use. */
async function faultsIn(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  const found = (await page.evaluate('axe.run({ resultTypes: ["violations"] })')) as {
    violations: { id: string; nodes: { target: string[]; failureSummary: string }[] }[];
  };
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary}`),
  );
}

/** The dialog in each of its ways. */
async function accessibleSignIn({ page, device }: Scene, t: Test): Promise<void> {
  for (const [claim, hasPeople, title] of [
    ['over', false, /by token/],
    ['open', false, /Claim this device/],
    ['claimed', true, /^Sign in$/],
  ] as const) {
    device.people.claim = claim;
    device.people.secondsLeft = 600;
    device.people.people = hasPeople ? [{ name: 'ada', role: 'administer', isOwn: false }] : [];
    await page.reload();
    await page.click('#session');
    await says(page, '#sign-in-title', title);
    t.same(await faultsIn(page), [], `axe, at the sign-in: ${title}`);
  }
}

async function accessible(t: Test, scheme: 'light' | 'dark', width: number): Promise<void> {
  const scene = await open(t, { prepare: (device) => device.set({ state: 'received' }) });
  const { page, device } = scene;
  await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
  await page.setViewportSize({ width, height: 800 });
  await says(page, '#line-list', /ready/);
  await says(page, '#verdict', /All is well/);
  t.same(await faultsIn(page), [], 'axe');
  const scrolled = 'document.documentElement.scrollWidth';
  t.equal(await page.evaluate(scrolled), width, 'nothing is wider than the screen');
  device.set({ state: 'failed', error: 'the bundle is for another device' });
  device.certificates = certificatesOf(-3);
  await says(page, '#findings', /another device/);
  await says(page, '#update-panel', /Try another bundle/);
  t.same(await faultsIn(page), [], 'axe, with faults to show');
  await page.evaluate("sessionStorage.setItem('signed-out', 'yes')");
  await page.click('#session');
  await says(page, '#session', /Sign in/);
  await accessibleSignIn(scene, t);
  for (const role of ['view', 'administer'] as const) {
    device.people.enter('ada', role);
    await page.reload();
    await says(page, '#session-list', /bob/);
    await page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true");
    t.same(await faultsIn(page), [], `axe, by name, ${role}`);
    t.equal(await page.evaluate(scrolled), width, 'nothing is wider than the screen');
  }
  quiet(t, scene.tab);
}

for (const scheme of ['light', 'dark'] as const) {
  t.test(`accessible: ${scheme}, 360 and 1280 px`, async (t) => {
    await accessible(t, scheme, 360);
    await accessible(t, scheme, 1280);
  });
}

t.test('by the keyboard alone', async (t) => {
  const scene = await open(t);
  const { page } = scene;
  await page.locator('#drop').waitFor();
  await page.keyboard.press('Tab');
  t.match(await page.evaluate('document.activeElement.textContent'), 'Skip to the content');
  await page.keyboard.press('Enter');
  const reached: unknown[] = [];
  for (let i = 0; i < 40 && !reached.includes('lines'); i += 1) {
    await page.keyboard.press('Tab');
    reached.push(await page.evaluate('document.activeElement.id'));
    const ring = "getComputedStyle(document.activeElement).outlineStyle !== 'none'";
    const isShown = `${ring} || document.activeElement.id === 'bundle'`;
    t.ok(await page.evaluate(isShown), `the focus is seen at ${reached.at(-1)}`);
  }
  for (const id of ['bundle', 'chain', 'key', 'install-button', 'level', 'pause', 'lines']) {
    t.ok(reached.includes(id), id);
  }
  quiet(t, scene.tab);
});
