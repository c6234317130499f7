// SPDX-License-Identifier: Apache-2.0
// Whose page it is, and how the device does; and that nobody learns it who may not.

import t from 'tap';
import { open, quiet, says, token } from './page.js';

t.test('the header says who this is, the card how it does', async (t) => {
  const scene = await open(t, {
    prepare: (device) => {
      device.system = { temperatures: [{ name: 'cpu-thermal', celsius: 93 }] };
    },
  });
  const { page } = scene;
  await says(page, '#host', /^gateway-7$/);
  await says(
    page,
    '#identity',
    /NXP i\.MX8MPlus EVK board · Example Gateway 2026\.10\.2 build 2026/,
  );
  t.equal(await page.title(), 'gateway-7 – spliced');
  t.match(await page.getAttribute('#clock', 'datetime'), /^\d{4}-\d\d-\d\dT/);
  const rows = await page.locator('#gauges li').allTextContents();
  t.match(rows[0], /^Processor\d+ % of 4 cores$/);
  t.match(rows[2], /^Memory645 MiB of 1\.90 GiB$/);
  t.match(rows[4], /^Storage: data9\.24 GiB free of 11\.6 GiB$/);
  t.match(rows[5], /^cpu-thermal93\.0 °C, high$/);
  await page.click('#history summary');
  const day = await page.getAttribute('#load-history svg', 'aria-label');
  t.match(day, /^Over the last day: Processor now \d+ %.*; Memory now 4\d %/);
  quiet(t, scene.tab);
});

t.test('a stranger learns the name that they asked for, and no more', async (t) => {
  const scene = await open(t, {
    isSignedIn: false,
    prepare: (device) => {
      device.isMeasureOpen = false;
    },
  });
  const { page } = scene;
  await page.locator('#sign-in').waitFor();
  t.equal(await page.textContent('#host'), '127.0.0.1');
  t.equal(await page.textContent('#identity'), 'spliced');
  t.ok(await page.isHidden('#system-card'));
  await page.fill('#token', token);
  await page.keyboard.press('Enter');
  await says(page, '#host', /gateway-7/);
  await page.locator('#system-card').waitFor();
  quiet(t, scene.tab);
});
