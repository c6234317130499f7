// SPDX-License-Identifier: Apache-2.0
// Lays the page out in every face, on every width down to 320 px, and with the text at 200 % (WCAG 2.2:
// 1.4.4, 1.4.10).

import type { Page } from 'playwright-core';
import t from 'tap';
import { dress, faces, misfits } from './fonts.js';
import { open, quiet } from './page.js';
import type { State } from './states.js';

/** By the size of the text, in percent. */
const widthsOf = { 100: [320, 360, 768, 1280], 200: [320, 1280] };
const height = 800;

/** Each distinct misfit once, with where it was seen first. */
export async function everywhere(page: Page): Promise<string[]> {
  const found = new Map<string, string>();
  for (const face of faces) {
    for (const [textPercent, widths] of Object.entries(widthsOf)) {
      await dress(page, face, Number(textPercent));
      for (const width of widths) {
        await page.setViewportSize({ width, height });
        for (const text of await misfits(page)) {
          const [what = ''] = text.split(': ');
          if (found.has(what)) continue;
          found.set(what, `${face.name} ${textPercent} % ${width} px: ${text}`);
        }
      }
    }
  }
  return [...found.values()];
}

/** A test for each. */
export function fit(states: readonly State[]): void {
  for (const { name, reach, ...options } of states) {
    t.test(`fits: ${name}`, async (t) => {
      const scene = await open(t, options);
      const { page, device } = scene;
      await page.emulateMedia({ reducedMotion: 'reduce' });
      await reach(page, device);
      t.same(await everywhere(page), []);
      quiet(t, scene.tab);
    });
  }
}
