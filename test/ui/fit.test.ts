// SPDX-License-Identifier: Apache-2.0
// The page fits, in every state that the fake device can show: fit.ts.

import t from 'tap';
import { everywhere, fit } from './fit.js';
import { open, quiet, says } from './page.js';
import { states, updates } from './states.js';

fit(states);

t.test('fits: every state of an update', async (t) => {
  const { page, device, tab } = await open(t);
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.locator('#drop').waitFor();
  for (const [change, text] of updates) {
    device.set(change);
    await says(page, '#update-panel', text);
    t.same(await everywhere(page), [], String(change.state));
  }
  quiet(t, tab);
});
