// SPDX-License-Identifier: Apache-2.0
// `npm run screenshots`: the pictures of the page in docs/images, of the fake device with the figures
// of a real one's, in light and dark, wide and narrow; `--whole`: all of the page. Compiled and run by scripts/screenshots.mjs.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { FakeDevice } from './device.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { whole: { type: 'boolean', default: false } },
});
const isWhole = values.whole;
const [directory = 'docs/images'] = positionals;
// The narrowest is for whoever looks at the whole page; the documents do not show it.
const sizes = [[1280, 1090], [390, 844], ...(isWhole ? [[320, 640] as const] : [])] as const;
// As many samples as the plots have.
const seconds = 120;

const device = new FakeDevice({ token: 'unused' });
device.people.enter('ada', 'administer');
device.set({
  state: 'received',
  bundle: {
    name: 'gateway-2026.11.0.raucb',
    length: 184_391_680,
    sha256: '3b1f8c0de2a94b7b0a5d7c4f8e1290aab3c65f0d9e7481f26d35c8a7b0e4f912',
    compatible: 'example-gateway',
    version: '2026.11.0',
    description: 'Security updates; new trend view',
  },
});
await device.start();
mkdirSync(directory, { recursive: true });
const profile = mkdtempSync(join(tmpdir(), 'spliced-pictures-'));
try {
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const [width, height] of sizes) {
      device.second = 0;
      const context = await chromium.launchPersistentContext(
        join(profile, `${width}${colorScheme}`),
        {
          executablePath: '/usr/bin/chromium',
          args: ['--no-sandbox', '--disable-gpu', '--ignore-certificate-errors', '--no-first-run'],
          viewport: { width, height },
          colorScheme,
          reducedMotion: 'reduce',
        },
      );
      const page = await context.newPage();
      await page.clock.install();
      await page.goto(`https://127.0.0.1:${device.port}/.spliced/ui/`);
      for (let i = 0; i < seconds; i += 1) {
        const answered = page.waitForResponse((response) => response.url().endsWith('/status'));
        await page.clock.runFor(1000);
        await answered;
      }
      await page.locator('#line-list li').last().waitFor();
      const path = join(directory, `ui-${colorScheme}-${width}.png`);
      await page.screenshot({ path, fullPage: isWhole });
      console.log(path);
      await context.close();
    }
  }
} finally {
  await device.stop();
  rmSync(profile, { recursive: true, force: true });
}
